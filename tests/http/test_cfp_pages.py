"""The call and its form: read by everybody, typed before signing in, kept through every refusal, handed in once."""

from __future__ import annotations

import asyncio
import html
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from PIL import Image
from starlette.applications import Starlette

import main
from agenda import calls, cfp_queries, joining
from agenda.calls import CallDetails, CodeDetails, FieldDetails, ForumDetails
from agenda.models import (
    CallCode,
    KeptForm,
    Proposal,
    ProposalChange,
    ProposalResource,
    ProposalSpeaker,
    SessionType,
    Speaker,
    SpeakerInvitation,
    SpeakerProfile,
)
from agenda.proposal_rules import Need, Subject
from events.form_rules import Option
from events.models import Event
from events.rules import FieldKind
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import Account, Letter, Upload
from tests.factories import make_account, make_event, make_role
from tests.http.test_events_pages import browser

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


def words_of(page: httpx2.Response) -> str:
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page.text, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


async def set_up(event: Event, **more: Any) -> None:
    values: dict[str, Any] = {
        "is_published": True,
        "opens_at": NOW - DAY,
        "closes_at": NOW + 5 * DAY,
        "intro": LocalizedText({"zh-Hans": "**欢迎**投稿", "en": "Tell <b>us</b>"}),
    }
    await calls.set_up(actor=SYSTEM, event_id=event.id, details=CallDetails(**(values | more)), at=NOW)


async def world(**more: Any) -> tuple[Event, int]:
    day = (NOW + timedelta(days=60)).date()
    event = await make_event("coscon", starts_on=day, ends_on=day + timedelta(days=1))
    await set_up(event, **more)
    kind = await SessionType.get(event_id=event.id, code="talk")
    return event, kind.id


def whole(kind: int, **more: Any) -> dict[str, Any]:
    """A form with everything that handing in asks for."""
    return {
        "form": str(uuid4()),
        "title.zh-Hans": "开源大模型的落地实践",
        "title.en": "",
        "abstract.zh-Hans": "三个案例。",
        "session_type": str(kind),
        "language": "zh-Hans",
        "name.zh-Hans": "林小满",
        "bio.zh-Hans": "开源社志愿者",
        "allows_slides": "yes",
        "allows_photo": "no",
        "allows_video": "yes",
    } | more


def multipart(values: Mapping[str, Any], **files: tuple[str, bytes, str]) -> dict[str, Any]:
    """Values and files as httpx sends a multipart form."""
    parts: list[tuple[str, Any]] = [
        (name, (None, str(one)))
        for name, value in values.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    parts += list(files.items())
    return {"files": parts}


def form_of(page: httpx2.Response) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found is not None, page.text[:2000]
    return found[1]


async def test_the_call_is_read_in_both_languages_and_says_how_long_it_is_open(app: Starlette) -> None:
    event, _ = await world()
    async with browser(app) as client:
        chinese = await client.get("/e/coscon/cfp", headers={"accept-language": "zh-CN"})
        english = await client.get("/e/coscon/cfp", headers={"accept-language": "en"})
    assert "还剩 5 天" in words_of(chinese)
    assert "5 days left" in words_of(english)
    assert "<strong>欢迎</strong>" in chinese.text
    # What organisers write is Markdown, never HTML.
    assert "Tell <b>us</b>" in words_of(english)
    assert "<b>us</b>" not in english.text
    async with unit_of_work():
        await Event.filter(id=event.id).update(state="published")
    async with browser(app) as client:
        home = await client.get("/e/coscon")
    assert 'href="/e/coscon/cfp"' in home.text


@pytest.mark.parametrize(("opens", "closes", "said"), [(-9, -1, "Closed"), (2, 9, "Not open yet")])
async def test_outside_its_dates_there_is_nothing_to_fill_in(
    app: Starlette, opens: int, closes: int, said: str
) -> None:
    await world(opens_at=NOW + opens * DAY, closes_at=NOW + closes * DAY)
    async with browser(app, await make_account("a@example.org")) as client:
        page = await client.get("/e/coscon/cfp", headers={"accept-language": "en"})
        form = await client.get("/e/coscon/cfp/new")
    assert said in words_of(page)
    assert "/cfp/new" not in page.text
    assert (form.status_code, form.headers["location"]) == (303, "/e/coscon/cfp")


async def test_an_unpublished_call_is_its_makers_alone(app: Starlette) -> None:
    event, kind = await world(is_published=False)
    chair = await make_account()
    await make_role(event, chair, "programme_chair")
    async with browser(app, chair) as client:
        assert (await client.get("/e/coscon/cfp")).status_code == 200
    async with browser(app, await make_account()) as client:
        assert (await client.get("/e/coscon/cfp")).status_code == 404
        assert (await client.post("/e/coscon/cfp/new", **multipart(whole(kind)))).status_code == 404
    assert await Proposal.all().count() == 0


async def test_a_draft_need_not_be_complete_and_says_what_is_missing(app: Starlette) -> None:
    await world()
    async with browser(app, await make_account("lin@example.org", name="林小满")) as client:
        saved = await client.post(
            "/e/coscon/cfp/new",
            **multipart({"form": str(uuid4()), "title.en": "An idea", "save": "1"}),
        )
        assert saved.status_code == 303
        page = await client.get(saved.headers["location"], headers={"accept-language": "en"})
        again = await client.get(f"{saved.headers['location'].partition('?')[0]}/edit")
    assert "Still missing: Abstract, Kind of session, Language of the talk" in words_of(page)
    assert "Draft" in words_of(page)
    assert 'value="An idea"' in again.text
    row = await Proposal.get()
    assert (row.state, dict(row.title), row.submitted_at) == ("draft", {"en": "An idea"}, None)


async def test_handing_in_incomplete_keeps_the_draft_and_shows_every_gap_at_its_field(app: Starlette) -> None:
    _, kind = await world()
    async with browser(app, await make_account()) as client:
        values = whole(kind, submit="1") | {"abstract.zh-Hans": "", "allows_photo": ""}
        form = await client.post(
            "/e/coscon/cfp/new", **multipart(values), headers={"accept-language": "zh-CN"}
        )
        assert form.status_code == 422
        assert 'href="#f-abstract.zh-Hans"' in form.text
        assert 'href="#f-allows_photo"' in form.text
        assert "开源大模型的落地实践" in form.text
        assert (await Proposal.get()).state == "draft"
        # The form that came back is the same form: filled in, it is the same proposal.
        done = await client.post(
            "/e/coscon/cfp/new", **multipart(whole(kind, submit="1", form=form_of(form)))
        )
    assert done.status_code == 303
    assert "done=submitted" in done.headers["location"]
    row = await Proposal.get()
    assert row.state == "submitted"
    [link] = await ProposalSpeaker.all()
    assert (link.allows_slides, link.allows_photo, link.allows_video) == (True, False, True)
    assert dict((await SpeakerProfile.get()).bio) == {"zh-Hans": "开源社志愿者"}


async def test_another_language_takes_what_was_typed_along(app: Starlette) -> None:
    """New or begun, signed in or not, refused before or not: the switch beside the form loses nothing."""
    _, kind = await world()
    half = whole(kind, submit="1") | {"title.en": "Half a thought", "allows_photo": "", "days": "1"}
    portrait = {"picture": ("ich.png", picture(), "image/png")}
    async with browser(app, await make_account()) as client:
        refused = await client.post("/e/coscon/cfp/new", **multipart(half))
        assert refused.status_code == 422
        assert refused.text.count('form="f-call"') >= 2
        for typed, files in (
            (half | {"form": form_of(refused)}, {}),
            (half | {"form": str(uuid4())}, portrait),
        ):
            del typed["submit"]
            switched = await client.post("/e/coscon/cfp/new", **multipart(typed | {"lang": "en"}, **files))
            assert switched.status_code == 303
            assert "huiwu_lang=en" in switched.headers["set-cookie"]
            again = await client.get(switched.headers["location"])
            assert '<html lang="en"' in again.text
            assert "Half a thought" in again.text
            assert "开源大模型的落地实践" in again.text
            assert form_of(again) == typed["form"]
            assert ("ich.png" in again.text) is bool(files)
        assert await Proposal.all().count() == 1
        code = (await Proposal.get()).code
        del half["submit"]
        edited = half | {"version": "1", "title.en": "Another thought", "lang": "zh-Hans"}
        switched = await client.post(f"/e/coscon/cfp/p/{code}/edit", **multipart(edited))
        again = await client.get(switched.headers["location"])
        assert '<html lang="zh-Hans"' in again.text
        assert "Another thought" in again.text
        # It has changed nothing yet, and saves what it shows.
        assert dict((await Proposal.get()).title)["en"] == "Half a thought"
        saved = await client.post(
            f"/e/coscon/cfp/p/{code}/edit",
            **multipart(edited | {"lang": [], "form": form_of(again), "save": "1"}),
        )
        assert saved.status_code == 303
    assert dict((await Proposal.get()).title)["en"] == "Another thought"
    async with browser(app) as client:
        switched = await client.post(
            "/e/coscon/cfp/new", **multipart(half | {"form": str(uuid4()), "lang": "en"})
        )
        assert "Half a thought" in (await client.get(switched.headers["location"])).text
        odd = await client.post("/e/coscon/cfp/new", **multipart(half | {"form": str(uuid4()), "lang": "xx"}))
        assert odd.headers["location"].startswith("/sign-in?next=")


async def test_bad_fields_come_back_with_everything_that_was_typed(app: Starlette) -> None:
    _, kind = await world()
    bad = whole(kind, save="1") | {
        "title.en": "x" * 201,
        "minutes": "two",
        "link_url": "javascript:alert(1)",
        "co_speakers": "not an address",
        "audience": "People who <script>alert(1)</script> read",
    }
    async with browser(app, await make_account()) as client:
        page = await client.post("/e/coscon/cfp/new", **multipart(bad), headers={"accept-language": "en"})
    assert page.status_code == 422
    for name in ("title.en", "minutes", "link_url", "co_speakers"):
        assert f'href="#f-{name}"' in page.text
    for text in ("x" * 201, "javascript:alert(1)", "not an address", "开源大模型的落地实践"):
        assert text in page.text
    assert "<script>alert(1)" not in page.text
    assert await Proposal.all().count() == 0


async def test_what_was_typed_without_a_sign_in_waits_for_it(app: Starlette) -> None:
    _, kind = await world()
    values = whole(kind, submit="1")
    async with browser(app) as client:
        answer = await client.post("/e/coscon/cfp/new", **multipart(values))
        assert answer.status_code == 303
        target = httpx2.URL(answer.headers["location"])
        assert target.path == "/sign-in"
        back = target.params["next"]
        assert back == f"/e/coscon/cfp/new?form={values['form']}"
        cookie = client.cookies["huiwu_form"]
    assert await Proposal.all().count() == 0
    account = await make_account("later@example.org")
    async with browser(app, account) as client:
        client.cookies.set("huiwu_form", cookie)
        form = await client.get(back)
        assert "开源大模型的落地实践" in form.text
        assert form_of(form) == values["form"]
        done = await client.post("/e/coscon/cfp/new", **multipart(values))
        assert "done=submitted" in done.headers["location"]
    assert await KeptForm.all().count() == 0
    assert (await Proposal.get()).state == "submitted"


async def test_a_kept_form_is_its_own_browsers_alone(app: Starlette) -> None:
    _, kind = await world()
    values = whole(kind)
    async with browser(app) as client:
        await client.post("/e/coscon/cfp/new", **multipart(values))
    async with browser(app, await make_account()) as thief:
        thief.cookies.set("huiwu_form", "another")
        form = await thief.get(f"/e/coscon/cfp/new?form={values['form']}")
        # Nor does their own form under the same id take its place.
    async with browser(app) as other:
        await other.post("/e/coscon/cfp/new", **multipart(values | {"title.zh-Hans": "换掉"}))
    assert "开源大模型的落地实践" not in form.text
    kept = await KeptForm.get()
    assert kept.typed["title.zh-Hans"] == ["开源大模型的落地实践"]


async def test_a_sign_in_that_ended_loses_nothing_of_a_change(app: Starlette) -> None:
    _, kind = await world()
    account = await make_account()
    async with browser(app, account) as client:
        await client.post("/e/coscon/cfp/new", **multipart(whole(kind, save="1")))
    row = await Proposal.get()
    async with browser(app) as client:
        changed = whole(kind, save="1", version=str(row.version)) | {"title.zh-Hans": "改过的标题"}
        answer = await client.post(f"/e/coscon/cfp/p/{row.code}/edit", **multipart(changed))
        back = httpx2.URL(answer.headers["location"]).params["next"]
        cookie = client.cookies["huiwu_form"]
    assert back == f"/e/coscon/cfp/p/{row.code}/edit?form={changed['form']}"
    async with browser(app, account) as client:
        client.cookies.set("huiwu_form", cookie)
        form = await client.get(back)
        assert "改过的标题" in form.text
        await client.post(f"/e/coscon/cfp/p/{row.code}/edit", **multipart(changed))
    assert dict((await Proposal.get()).title) == {"zh-Hans": "改过的标题"}


async def test_one_form_pressed_many_times_at_once_is_one_proposal(app: Starlette) -> None:
    _, kind = await world()
    values = whole(kind, submit="1", co_speakers="wang@example.org", link_url="https://example.org/paper")
    async with browser(app, await make_account()) as client:
        answers = await asyncio.gather(
            *(client.post("/e/coscon/cfp/new", **multipart(values)) for _ in range(8))
        )
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert await Proposal.all().count() == 1
    assert await SpeakerInvitation.all().count() == 1
    assert await ProposalResource.all().count() == 1
    assert await Letter.filter(to_email="wang@example.org").count() == 1
    assert await ProposalChange.filter(verb="submit").count() == 1


async def test_two_windows_the_second_is_told_and_may_then_save(app: Starlette) -> None:
    _, kind = await world()
    async with browser(app, await make_account()) as client:
        await client.post("/e/coscon/cfp/new", **multipart(whole(kind, save="1")))
        row = await Proposal.get()
        edit = f"/e/coscon/cfp/p/{row.code}/edit"
        one = whole(kind, save="1", version="1") | {"title.zh-Hans": "第一个窗口"}
        other = whole(kind, save="1", version="1") | {"title.zh-Hans": "第二个窗口"}
        assert (await client.post(edit, **multipart(one))).status_code == 303
        late = await client.post(edit, **multipart(other))
        assert late.status_code == 409
        assert "第二个窗口" in late.text
        version = re.search(r'name="version" value="(\d+)"', late.text)
        assert version is not None
        meant = other | {"form": form_of(late), "version": version[1]}
        assert (await client.post(edit, **multipart(meant))).status_code == 303
    assert dict((await Proposal.get()).title) == {"zh-Hans": "第二个窗口"}


def picture(size: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), "navy").save(out, "PNG")
    return out.getvalue()


async def test_files_survive_a_refused_form_and_are_what_they_say(app: Starlette) -> None:
    _, kind = await world()
    async with browser(app, await make_account()) as client:
        bad = await client.post(
            "/e/coscon/cfp/new",
            **multipart(
                whole(kind, save="1", minutes="x"),
                picture=("me.png", picture(), "image/png"),
                file=("paper.pdf", b"%PDF-1.4 a paper", "application/pdf"),
            ),
        )
        assert bad.status_code == 422
        marks = {
            name: html.unescape(re.search(rf'name="{name}.kept" value="([^"]+)"', bad.text)[1])  # type: ignore[index]
            for name in ("picture", "file")
        }
        again = whole(kind, save="1", form=form_of(bad)) | {
            f"{name}.kept": mark for name, mark in marks.items()
        }
        assert (await client.post("/e/coscon/cfp/new", **multipart(again))).status_code == 303
        row = await Proposal.get()
        shown = await client.get(f"/e/coscon/cfp/p/{row.code}/picture")
        resource = await ProposalResource.get()
        file = await client.get(f"/e/coscon/cfp/p/{row.code}/files/{resource.id}")
        # SVG, HTML and an executable in a picture's clothes are none of ours.
        for data, name in ((b"<svg onload=alert(1)>", "x.png"), (b"<html>", "x.pdf"), (b"MZ\x90", "x.zip")):
            field = "picture" if name == "x.png" else "file"
            refused = await client.post(
                "/e/coscon/cfp/new",
                **multipart(whole(kind, save="1"), **{field: (name, data, "image/png")}),
            )
            assert refused.status_code == 422
            assert f'href="#f-{field}"' in refused.text
    assert shown.headers["content-type"] == "image/png"
    assert file.content == b"%PDF-1.4 a paper"
    assert file.headers["content-disposition"].startswith("attachment")
    assert await Upload.filter(keep_until__isnull=True).count() == 2


async def test_another_ones_proposal_is_not_there(app: Starlette) -> None:
    event, kind = await world()
    async with browser(app, await make_account()) as client:
        await client.post("/e/coscon/cfp/new", **multipart(whole(kind, save="1")))
    row = await Proposal.get()
    chair = await make_account()
    await make_role(event, chair, "programme_chair")
    for account in (await make_account(), chair):
        async with browser(app, account) as client:
            # A draft is nobody's but its writers', the chair's neither.
            for path in ("", "/edit", "/picture"):
                answer = await client.get(f"/e/coscon/cfp/p/{row.code}{path}")
                assert answer.status_code == 404, path
            assert (await client.post(f"/e/coscon/cfp/p/{row.code}/submission")).status_code == 404
            assert (await client.post(f"/e/coscon/cfp/p/{row.code}/discard")).status_code == 404
    async with browser(app, chair) as client:
        assert (await client.get(f"/e/coscon/desk/proposals/{row.code}")).status_code == 404
        assert row.code not in (await client.get("/e/coscon/desk/proposals")).text
    assert (await Proposal.get()).state == "draft"


async def test_withdrawn_and_handed_in_again_and_thrown_away(app: Starlette) -> None:
    _, kind = await world()
    async with browser(app, await make_account()) as client:
        await client.post("/e/coscon/cfp/new", **multipart(whole(kind, submit="1")))
        row = await Proposal.get()
        at = f"/e/coscon/cfp/p/{row.code}"
        assert (await client.post(f"{at}/discard")).status_code == 403
        assert (await client.post(f"{at}/withdrawal")).status_code == 303
        twice = await client.post(f"{at}/withdrawal", headers={"accept-language": "en"})
        assert twice.status_code == 409
        assert "This can't be done with a proposal that is “Withdrawn”." in words_of(twice)
        assert (await client.post(f"{at}/reopening")).status_code == 303
        assert (await client.post(f"{at}/confirmation")).status_code == 409
        page = await client.get(at, headers={"accept-language": "en"})
        assert "Handed in → Withdrawn" in words_of(page)
        await client.post("/e/coscon/cfp/new", **multipart(whole(kind, save="1")))
        draft = await Proposal.get(state="draft")
        assert (await client.post(f"/e/coscon/cfp/p/{draft.code}/discard")).status_code == 303
    assert [one.state for one in await Proposal.all()] == ["submitted"]


async def test_after_the_closing_only_a_code_opens_the_form_and_its_limit_holds(app: Starlette) -> None:
    event, kind = await world(closes_at=NOW - timedelta(hours=1))
    await calls.put_code(
        actor=SYSTEM, event_id=event.id, details=CodeDetails(code="LATE", max_uses=3), at=NOW
    )
    accounts = [await make_account(f"p{number}@example.org") for number in range(32)]
    async with browser(app, accounts[0]) as client:
        wrong = await client.get("/e/coscon/cfp?code=nope", headers={"accept-language": "en"})
        assert "This access code is not known here." in words_of(wrong)
        opened = await client.get("/e/coscon/cfp?code=late")
        assert opened.headers["location"] == "/e/coscon/cfp/new?code=late"
        form = await client.get(opened.headers["location"])
        assert 'value="late"' in form.text
        without = await client.post("/e/coscon/cfp/new", **multipart(whole(kind, submit="1")))
        assert without.status_code == 422
        await Proposal_delete()

    async def hand_in(account: Account) -> httpx2.Response:
        async with browser(app, account) as client:
            return await client.post("/e/coscon/cfp/new", **multipart(whole(kind, submit="1", code="late")))

    answers = await asyncio.gather(*(hand_in(account) for account in accounts))
    assert sorted(answer.status_code for answer in answers) == [303] * 3 + [422] * 29
    refused = next(answer for answer in answers if answer.status_code == 422)
    assert 'href="#f-code"' in refused.text
    assert "开源大模型的落地实践" in refused.text
    assert (await CallCode.get()).used == 3
    assert await Proposal.filter(state="submitted").count() == 3


async def Proposal_delete() -> None:  # noqa: N802
    async with unit_of_work():
        await Proposal.all().delete()


async def test_co_speakers_join_by_their_own_address_once(app: Starlette) -> None:
    _, kind = await world()
    writer = await make_account("lin@example.org", name="林小满")
    async with browser(app, writer) as client:
        draft = whole(kind, save="1", co_speakers="Wang@Example.org\nzhao@example.org")
        await client.post("/e/coscon/cfp/new", **multipart(draft))
        row = await Proposal.get()
        page = await client.get(f"/e/coscon/cfp/p/{row.code}", headers={"accept-language": "en"})
        assert "gets a letter when you hand in" in words_of(page)
        # A draft writes to nobody.
        assert await Letter.all().count() == 0
        await client.post(f"/e/coscon/cfp/p/{row.code}/submission")
        assert await Letter.filter(key__startswith="co_speaker:").count() == 2
        zhao = await SpeakerInvitation.get(email="zhao@example.org")
        await client.post(f"/e/coscon/cfp/p/{row.code}/invitations/{zhao.id}/retraction")
    wang = await SpeakerInvitation.get(email="wang@example.org")
    key, taken_back = joining.key_of(wang.id, 0), joining.key_of(zhao.id, 0)
    async with browser(app) as nobody:
        ask = await nobody.get(f"/e/coscon/cfp/join?key={key}", headers={"accept-language": "en"})
        assert "Sign in to answer" in words_of(ask)
        assert (await nobody.get(f"/e/coscon/cfp/join?key={key}x")).status_code == 404
        assert (await nobody.get(f"/e/coscon/cfp/join?key={taken_back}")).status_code == 410
    async with browser(app, await make_account("thief@example.org")) as thief:
        wrong = await thief.get(f"/e/coscon/cfp/join?key={key}", headers={"accept-language": "en"})
        assert wrong.status_code == 403
        assert "This invitation is for w***@example.org." in words_of(wrong)
        assert row.title["zh-Hans"] not in wrong.text
        assert (await thief.post("/e/coscon/cfp/join", data={"key": key})).status_code == 403
    other = await make_account("wang@example.org", name="Wang")
    async with browser(app, other) as client:
        joined = [await client.post("/e/coscon/cfp/join", data={"key": key}) for _ in range(2)]
        assert [answer.status_code for answer in joined] == [303, 303]
        assert (await client.get(f"/e/coscon/cfp/p/{row.code}")).status_code == 200
        assert (await client.get("/e/coscon/cfp/own")).text.count(row.code) == 1
    assert await ProposalSpeaker.filter(proposal_id=row.id).count() == 2
    async with browser(app, writer) as client:
        used = await client.post(f"/e/coscon/cfp/p/{row.code}/invitations/{wang.id}/retraction")
        assert used.status_code == 409


async def test_the_organisers_questions_follow_type_and_forum(app: Starlette) -> None:
    event, kind = await world()
    forum = await calls.put(
        actor=SYSTEM,
        event_id=event.id,
        details=ForumDetails(code="ai", name=LocalizedText({"zh-Hans": "开源 AI"})),
        at=NOW,
    )
    options = (
        Option("a", LocalizedText({"en": "Apache"})),
        Option("m", LocalizedText({"en": "MIT"})),
    )
    number = await calls.put_field(
        actor=SYSTEM,
        event_id=event.id,
        details=FieldDetails(
            code="licence",
            subject=Subject.PROPOSAL,
            kind=FieldKind.CHOOSE_MANY,
            label=LocalizedText({"en": "Licences"}),
            options=options,
            need=Need.REQUIRED,
            forum_ids=frozenset({forum}),
        ),
        at=NOW,
    )
    repository = await calls.put_field(
        actor=SYSTEM,
        event_id=event.id,
        details=FieldDetails(
            code="repo",
            subject=Subject.SPEAKER,
            kind=FieldKind.URL,
            label=LocalizedText({"en": "Repository"}),
            need=Need.REQUIRED_AFTER,
            required_after=NOW + 30 * DAY,
        ),
        at=NOW,
    )
    async with browser(app, await make_account()) as client:
        elsewhere = await client.post("/e/coscon/cfp/new", **multipart(whole(kind, submit="1")))
        assert elsewhere.status_code == 303
        lacking = whole(kind, submit="1", forum=str(forum))
        refused = await client.post("/e/coscon/cfp/new", **multipart(lacking))
        assert refused.status_code == 422
        assert f'href="#f-q.{number}"' in refused.text
        bad = await client.post(
            "/e/coscon/cfp/new",
            **multipart(lacking | {f"q.{number}": ["a", "x"], f"q.{repository}": "ftp://x"}),
        )
        assert f'href="#f-q.{number}"' in bad.text
        assert f'href="#f-q.{repository}"' in bad.text
        good = await client.post("/e/coscon/cfp/new", **multipart(lacking | {f"q.{number}": ["a", "m"]}))
        assert good.status_code == 303
    proposal = await Proposal.get(forum_id=forum)
    answers = await cfp_queries.answers_of(proposal_ids=[proposal.id])
    assert answers[Subject.PROPOSAL, proposal.id][number].value == ["a", "m"]


async def test_the_desk_finds_filters_and_prepares_decisions(app: Starlette) -> None:
    event, kind = await world()
    ai, edu = [
        await calls.put(
            actor=SYSTEM,
            event_id=event.id,
            details=ForumDetails(code=code, name=LocalizedText({"zh-Hans": code})),
            at=NOW,
        )
        for code in ("ai", "edu")
    ]
    for number, forum in enumerate((ai, ai, edu)):
        async with browser(app, await make_account(name=f"讲师{number}")) as client:
            values = whole(kind, submit="1", forum=str(forum)) | {
                "title.zh-Hans": f"议题第{number}号",
                "name.zh-Hans": f"讲师{number}",
            }
            assert (await client.post("/e/coscon/cfp/new", **multipart(values))).status_code == 303
    chair, producer = await make_account(), await make_account()
    await make_role(event, chair, "programme_chair")
    await make_role(event, producer, "producer", scope_kind="forum", scope_id=edu)
    async with browser(app, chair) as client:
        everything = await client.get("/e/coscon/desk/proposals")
        assert everything.text.count("议题第") == 3
        found = await client.get("/e/coscon/desk/proposals?q=讲师1")
        assert found.text.count("议题第") == 1
        narrowed = await client.get(f"/e/coscon/desk/proposals?forum={ai}")
        assert narrowed.text.count("议题第") == 2
        assert (await client.get("/e/coscon/desk/proposals?q=%25")).text.count("议题第") == 0
        first = await Proposal.get(forum_id=edu)
        page = f"/e/coscon/desk/proposals/{first.code}"
        assert (await client.post(page, data={"decision": "accepted"})).status_code == 303
        assert (await client.post(page, data={"decision": "confirmed"})).status_code == 409
        assert (await client.post(page, data={"decision": "accepted"})).status_code == 303
        assert (
            "待公布" in (await client.get("/e/coscon/desk/proposals", headers={"accept-language": "zh"})).text
        )
    assert ((await Proposal.get(id=first.id)).state, (await Proposal.get(id=first.id)).pending_state) == (
        "submitted",
        "accepted",
    )
    async with browser(app, await account_of(first)) as client:
        own = await client.get(f"/e/coscon/cfp/p/{first.code}", headers={"accept-language": "en"})
        # Nobody outside learns of a decision before its release; not in the history either.
        assert "Accepted" not in words_of(own)
        assert "Decision" not in words_of(own)
    async with browser(app, producer) as client:
        own = await client.get("/e/coscon/desk/proposals")
        assert own.text.count("议题第") == 1
        other = (await Proposal.filter(forum_id=ai))[0]
        assert (await client.get(f"/e/coscon/desk/proposals/{other.code}")).status_code == 404
        assert (await client.get(page)).status_code == 200
        assert (await client.post(page, data={"decision": "rejected"})).status_code == 403
        assert (await client.get(f"/e/coscon/cfp/p/{other.code}/edit")).status_code == 404


async def account_of(row: Proposal) -> Account:
    return await Account.get(id=row.account_id)


async def test_lists_cost_the_same_for_one_and_for_many(app: Starlette) -> None:
    from kernel import db

    event, kind = await world()
    chair = await make_account()
    await make_role(event, chair, "programme_chair")

    async def cost() -> int:
        async with browser(app, chair) as client:
            counts = []
            # What the door remembers for two seconds may have to be read again in between.
            for _ in range(4):
                before = db.stats.statements
                await client.get("/e/coscon/desk/proposals")
                counts.append(db.stats.statements - before)
            return min(counts)

    async def hand_in(number: int) -> None:
        async with browser(app, await make_account()) as client:
            values = whole(kind, submit="1", co_speakers=f"c{number}@example.org")
            assert (await client.post("/e/coscon/cfp/new", **multipart(values))).status_code == 303

    await hand_in(0)
    one = await cost()
    await hand_in(1)
    await hand_in(2)
    assert await cost() == one
    assert one < 25


async def test_the_call_is_set_up_at_the_desk(app: Starlette) -> None:
    event = await make_event("coscon")
    chair = await make_account()
    await make_role(event, chair, "programme_chair")
    async with browser(app, chair) as client:
        assert (await client.get("/e/coscon/desk/cfp/types")).status_code == 404
        reversed_ = {
            "opens_at": "2026-09-01T00:00",
            "closes_at": "2026-08-01T00:00",
            "languages": "en",
            "speakers_at_most": "4",
            "proposals_at_most": "3",
        }
        bad = await client.post("/e/coscon/desk/cfp", data=reversed_)
        assert bad.status_code == 422
        assert 'href="#f-closes_at"' in bad.text
        good = reversed_ | {"closes_at": "2026-09-30T23:59", "is_published": "1", "intro.zh-Hans": "来"}
        assert (await client.post("/e/coscon/desk/cfp", data=good)).status_code == 303
        call = await cfp_queries.find_call(event.id)
        assert call is not None
        # Dates are the event's wall clock: Chengdu is eight hours ahead.
        assert call.closes_at == datetime(2026, 9, 30, 15, 59, tzinfo=UTC)
        assert await SessionType.filter(event_id=event.id).count() == len(calls.USUAL_TYPES)
        for kind, values in {
            "types": {"name.zh-Hans": "茶话会", "minutes": "20", "is_active": "1"},
            "producers": {
                "name.zh-Hans": "王出品",
                "organisation.zh-Hans": "开源社",
                "title.zh-Hans": "理事",
            },
            "communities": {"name.zh-Hans": "开源社", "url": "https://kaiyuanshe.cn"},
            "tags": {"name.zh-Hans": "新人", "name.en": "First time"},
            "questions": {
                "label.zh-Hans": "仓库",
                "kind": "url",
                "subject": "proposal",
                "need": "optional",
                "is_active": "1",
            },
            "codes": {"code": "late-1", "max_uses": "2", "is_active": "1"},
        }.items():
            assert (await client.get(f"/e/coscon/desk/cfp/{kind}/new")).status_code == 200
            added = await client.post(f"/e/coscon/desk/cfp/{kind}/new", data=values)
            assert added.status_code == 303, (kind, words_of(added))
            page = await client.get(f"/e/coscon/desk/cfp/{kind}")
            found = re.findall(rf"/e/coscon/desk/cfp/{kind}/(\d+)", page.text)
            one = f"/e/coscon/desk/cfp/{kind}/{found[-1]}"
            assert (await client.get(one)).status_code == 200
            assert (await client.post(one, data=values)).status_code == 303, kind
        [person] = await cfp_queries.producers(event.id)
        [group] = await cfp_queries.communities(event.id)
        forum = {
            "name.zh-Hans": "开源 AI",
            "name.en": "Open AI models",
            "producers": str(person.id),
            "communities": str(group.id),
            "helpers": "helper@example.org",
            "is_active": "1",
        }
        assert (await client.post("/e/coscon/desk/cfp/forums/new", data=forum)).status_code == 303
        [made] = await cfp_queries.forums(event.id)
        assert (made.code, [one.id for one in made.producers]) == ("open-ai-models", [person.id])
        twice = await client.post("/e/coscon/desk/cfp/forums/new", data=forum)
        assert twice.status_code == 422
        public = await client.get("/e/coscon/cfp", headers={"accept-language": "zh-CN"})
        assert "出品人：王出品 开源社 · 理事" in words_of(public)
    async with browser(app, await make_account()) as client:
        assert (await client.get("/e/coscon/desk/cfp")).status_code == 403


async def test_helpers_enter_for_their_forum_and_erasing_a_speaker_leaves_nothing(app: Starlette) -> None:
    from people import privacy
    from people.privacy import Subject as Whose

    event, kind = await world()
    forum = await calls.put(
        actor=SYSTEM,
        event_id=event.id,
        details=ForumDetails(code="ai", name=LocalizedText({"en": "AI"}), helpers=("helper@example.org",)),
        at=NOW,
    )
    writer = await make_account("lin@example.org", name="林小满")
    async with browser(app, writer) as client:
        values = whole(kind, submit="1", forum=str(forum), notes="请联系林小满 lin@example.org")
        await client.post("/e/coscon/cfp/new", **multipart(values))
        row = await Proposal.get()
        await client.post(
            f"/e/coscon/cfp/p/{row.code}/edit",
            **multipart(whole(kind, save="1", forum=str(forum), version=str(row.version))),
        )
    async with browser(app, await make_account("helper@example.org")) as helper:
        assert (await helper.get(f"/e/coscon/cfp/p/{row.code}/edit")).status_code == 200
        # Whoever helps sees no answers of the speaker's own.
        assert "林小满" not in (await helper.get(f"/e/coscon/cfp/p/{row.code}/edit")).text
    held = await privacy.held(Whose(account_id=writer.id, email=writer.email))
    assert {"speakers", "proposals"} <= {one.code for one in held}
    await privacy.erase(actor=SYSTEM, subject=Whose(account_id=writer.id, email=writer.email), at=NOW)
    from kernel import db

    for table in (
        "speaker",
        "speaker_profile",
        "proposal",
        "proposal_change",
        "kept_form",
        "speaker_invitation",
    ):
        for line in await db.query(f"SELECT * FROM {table}"):
            assert "林小满" not in str(line), table
            assert "lin@example.org" not in str(line), table
    assert await Speaker.all().count() == 1
