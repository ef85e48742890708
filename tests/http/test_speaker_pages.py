"""Invited talks and the speaker's own page: by secret link without an account, by sign-in, and on their behalf."""

from __future__ import annotations

import asyncio
import html
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from PIL import Image
from starlette.applications import Starlette

import main
from agenda import calls, speaker_letters, speaker_link
from agenda.calls import CallDetails, FieldDetails, ForumDetails
from agenda.models import (
    CallAnswer,
    Forum,
    Proposal,
    ProposalChange,
    ProposalResource,
    ProposalSpeaker,
    SessionType,
    Speaker,
    SpeakerProfile,
)
from agenda.proposal_rules import Need, Subject
from events.models import Event, Registration
from events.rules import FieldKind
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import privacy, uploads
from people.letters import Composed
from people.models import Account, JournalEntry, Letter, Upload
from people.privacy import Subject as Person
from tests.factories import make_account, make_event, make_role, make_ticket_type
from tests.http.test_cfp_pages import multipart, words_of
from tests.http.test_events_pages import browser

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
ZH = {"accept-language": "zh-CN"}
EN = {"accept-language": "en"}
PDF = b"%PDF-1.7\n1 0 obj\n%%EOF\n"


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


async def world(**more: Any) -> tuple[Event, Forum, Account]:
    """An event with a call, a forum, a speaker's ticket type, and its chair."""
    day = (NOW + timedelta(days=60)).date()
    event = await make_event("coscon", starts_on=day, ends_on=day + DAY)
    details = CallDetails(is_published=True, slides_due_at=NOW + 30 * DAY, **more)
    await calls.set_up(actor=SYSTEM, event_id=event.id, details=details, at=NOW)
    number = await calls.put(
        actor=SYSTEM,
        event_id=event.id,
        details=ForumDetails(code="gov", name=LocalizedText({"zh-Hans": "治理", "en": "Governance"})),
        at=NOW,
    )
    await make_ticket_type(event, "speaker", role="speaker")
    chair = await make_account("chair@example.org", name="王主席")
    await make_role(event, chair, "programme_chair")
    return event, await Forum.get(id=number), chair


async def typed(event: Event, forum: Forum | str = "", **more: Any) -> dict[str, Any]:
    kind = await SessionType.get(event_id=event.id, code="talk")
    return {
        "form": str(uuid4()),
        "title.zh-Hans": "开源治理实践",
        "session_type": str(kind.id),
        "forum": forum if isinstance(forum, str) else str(forum.id),
        "name.zh-Hans": "林小满",
        "organisation.zh-Hans": "开源社",
        "email": "lin@example.org",
    } | more


async def asked(app: Starlette, event: Event, chair: Account, **more: Any) -> tuple[Proposal, Speaker]:
    async with browser(app, chair) as client:
        sent = await client.post("/e/coscon/invited/new", data=await typed(event, **more))
    assert sent.status_code == 303, words_of(sent)
    proposal = await Proposal.all().order_by("-id").first()
    assert proposal is not None
    link = await ProposalSpeaker.filter(proposal_id=proposal.id).order_by("position").first()
    assert link is not None
    return proposal, await Speaker.get(id=link.speaker_id)


def link_of(speaker: Speaker) -> str:
    return f"/e/coscon/speaker?key={speaker_link.key_of(speaker.id, speaker.secret_round)}"


async def enter(client: httpx2.AsyncClient, speaker: Speaker) -> str:
    """Opens the link and presses its button; gives the page's address."""
    page = await client.get(link_of(speaker))
    found = re.search(r'name="key" value="([^"]+)"', page.text)
    assert found is not None, words_of(page)
    opened = await client.post("/e/coscon/speaker", data={"key": html.unescape(found[1])})
    assert opened.status_code == 303
    return str(opened.headers["location"])


# --- asked -------------------------------------------------------------------------------------------------------


async def test_a_chair_invites_and_sees_who_waits(app: Starlette) -> None:
    event, forum, chair = await world()
    proposal, speaker = await asked(app, event, chair, forum=str(forum.id))
    assert (proposal.state, proposal.origin, proposal.account_id) == ("invited", "invited", None)
    assert proposal.follow_up_at is not None
    assert timedelta(days=2, hours=23) < proposal.follow_up_at - NOW < timedelta(days=3, hours=1)
    assert (speaker.email, speaker.account_id, speaker.locale) == ("lin@example.org", None, "zh-Hans")
    verbs = [row.verb for row in await ProposalChange.filter(proposal_id=proposal.id).order_by("id")]
    assert verbs == ["create", "invite"]
    async with browser(app, chair) as client:
        chinese = await client.get("/e/coscon/invited", headers=ZH)
        english = await client.get("/e/coscon/invited?show=due", headers=EN)
        assert "开源治理实践" in words_of(chinese)
        assert "林小满 · 开源社" in words_of(chinese)
        assert "Nothing here" in words_of(english)
        async with unit_of_work():
            await Proposal.all().update(follow_up_at=NOW - DAY)
        due = await client.get("/e/coscon/invited?show=due", headers=EN)
        assert "ask again: due since" in words_of(due)
        assert "1 talk waits too long" in words_of(due)
        again = await client.post(f"/e/coscon/invited/{proposal.code}", data={"verb": "again"})
        assert again.status_code == 303
    await proposal.refresh_from_db()
    assert proposal.follow_up_at is not None
    assert proposal.follow_up_at > NOW + 2 * DAY
    last = await ProposalChange.filter(proposal_id=proposal.id).order_by("-id").first()
    assert last is not None
    assert last.verb == "follow_up"
    # A person reads the letters before they go; the link comes in as they leave.
    letters = await Letter.filter(to_email="lin@example.org").order_by("id")
    assert [row.state for row in letters] == ["discarded", "drafted"]
    assert not any(speaker_link.key_of(speaker.id, 0) in row.text for row in letters)
    assert (await speaker_letters.letter_parts(speaker.id, "en")) == Composed(
        link=f"http://127.0.0.1:8000{link_of(speaker)}"
    )


async def test_one_form_pressed_many_times_at_once_is_one_talk(app: Starlette) -> None:
    event, _, chair = await world()
    form = await typed(event)
    async with browser(app, chair) as client:
        sent = await asyncio.gather(*(client.post("/e/coscon/invited/new", data=form) for _ in range(8)))
    assert {one.status_code for one in sent} == {303}
    assert (await Proposal.all().count(), await Speaker.all().count()) == (1, 1)


async def test_bad_fields_come_back_with_what_was_typed(app: Starlette) -> None:
    event, forum, chair = await world()
    producer = await make_account("producer@example.org")
    await make_role(event, producer, "producer", scope_kind="forum", scope_id=forum.id)
    async with browser(app, chair) as client:
        wrong = await client.post(
            "/e/coscon/invited/new",
            data=await typed(
                event,
                **{"title.zh-Hans": " ", "title.en": "x" * 201, "email": "nobody", "session_type": "999"},
            ),
            headers=EN,
        )
        unknown = await client.post("/e/coscon/invited/new", data=await typed(event, forum="999"))
    assert (wrong.status_code, unknown.status_code) == (422, 422)
    assert 'value="nobody"' in wrong.text
    assert 'id="f-email-error"' in wrong.text
    assert 'id="f-session_type-error"' in wrong.text
    # A producer's talks are in a forum, and in no other than their own.
    other = await calls.put(
        actor=SYSTEM,
        event_id=event.id,
        details=ForumDetails(code="ai", name=LocalizedText({"en": "AI"})),
        at=NOW,
    )
    async with browser(app, producer) as client:
        nowhere = await client.post("/e/coscon/invited/new", data=await typed(event))
        foreign = await client.post("/e/coscon/invited/new", data=await typed(event, forum=str(other)))
        own = await client.post("/e/coscon/invited/new", data=await typed(event, forum))
    assert (nowhere.status_code, foreign.status_code, own.status_code) == (422, 422, 303)
    assert await Proposal.all().count() == 1


async def test_nobody_without_a_part_invites(app: Starlette) -> None:
    event, forum, _ = await world()
    stranger, helper = await make_account("x@example.org"), await make_account("helper@example.org")
    await calls.put(
        actor=SYSTEM,
        event_id=event.id,
        thing_id=forum.id,
        details=ForumDetails(
            code="gov", name=LocalizedText({"zh-Hans": "治理"}), helpers=("helper@example.org",)
        ),
        at=NOW,
    )
    async with browser(app, stranger) as client:
        assert (await client.get("/e/coscon/invited")).status_code == 403
        assert (await client.post("/e/coscon/invited/new", data=await typed(event))).status_code == 403
    async with browser(app, helper) as client:
        sent = await client.post("/e/coscon/invited/new", data=await typed(event, forum))
        page = await client.get("/e/coscon/invited", headers=ZH)
        assert sent.status_code == 303
        assert "开源治理实践" in words_of(page)
        # And completes it for the speaker.
        speaker = await Speaker.get()
        behalf = await client.get(f"/e/coscon/speaker/{speaker.code}", headers=EN)
        assert "You act on this speaker's behalf" in words_of(behalf)
        assert speaker_link.key_of(speaker.id, 0) in behalf.text
        # An address is a contact: only half of it, without the right to see contacts.
        assert "lin@example.org" not in behalf.text
    async with unit_of_work():
        await Proposal.all().update(forum_id=None)
    async with browser(app, helper) as client:
        gone = await client.get(f"/e/coscon/speaker/{speaker.code}")
        assert gone.status_code == 404


LINE_UP = (
    "题目\t讲师\t单位\t职位\n"
    "开源治理实践\t张三、李四\t甲公司、乙大学\t总监\n"
    "Rust in production\tAnn Lee\tX Corp\tCTO\tann@example.org\n"
)


async def test_a_line_up_is_looked_through_and_entered_as_a_whole(app: Starlette) -> None:
    event, forum, chair = await world()
    kind = await SessionType.get(event_id=event.id, code="talk")
    form = {
        "form": str(uuid4()),
        "session_type": str(kind.id),
        "forum": str(forum.id),
        "text": LINE_UP + "\t没有题目\n",
    }
    async with browser(app, chair) as client:
        looked = await client.post("/e/coscon/invited/line-up", data=form | {"preview": "1"}, headers=EN)
        assert looked.status_code == 200
        assert "张三 甲公司 · 总监" in words_of(looked)
        assert "Ann Lee X Corp · CTO" in words_of(looked)
        assert 'name="apply"' not in looked.text
        forced = await client.post("/e/coscon/invited/line-up", data=form | {"apply": "1"}, headers=EN)
        assert forced.status_code == 422
        assert "没有题目" in forced.text
        assert await Proposal.all().count() == 0
        form["text"] = LINE_UP
        right = await client.post("/e/coscon/invited/line-up", data=form | {"preview": "1"}, headers=EN)
        assert "Invite 2 talks" in words_of(right)
        sent = await asyncio.gather(
            *(client.post("/e/coscon/invited/line-up", data=form | {"apply": "1"}) for _ in range(6))
        )
        assert {one.status_code for one in sent} == {303}
        later = await client.post("/e/coscon/invited/line-up", data=form | {"apply": "1"})
        assert later.status_code == 303
        # Another form with the same lines is told that they are there.
        other = await client.post(
            "/e/coscon/invited/line-up",
            data=form | {"apply": "1", "form": str(uuid4())},
            headers=EN,
        )
        assert other.status_code == 422
        assert "This forum has a talk with this title." in words_of(other)
    assert await Proposal.all().count() == 2
    assert sorted(next(iter(one.name.values())) for one in await Speaker.all()) == ["Ann Lee", "张三", "李四"]
    assert {one.state for one in await Proposal.all()} == {"invited"}
    assert (await Speaker.get(email="ann@example.org")).locale == "en"


# --- the link ----------------------------------------------------------------------------------------------------


async def test_a_link_is_one_button_and_a_get_changes_nothing(app: Starlette) -> None:
    event, _, chair = await world()
    _, speaker = await asked(app, event, chair)
    async with browser(app) as client:
        for _ in range(2):
            page = await client.get(link_of(speaker), headers=ZH)
            assert page.status_code == 200
            assert page.headers["cache-control"] == "no-store"
            assert page.headers["referrer-policy"] == "no-referrer"
            assert "set-cookie" not in page.headers
        assert (await client.get(f"/e/coscon/speaker/{speaker.code}")).status_code in (303, 401)
        address = await enter(client, speaker)
        own = await client.get(address, headers=ZH)
        assert "key=" not in address
        assert "林小满" in words_of(own)
        assert "开源治理实践" in words_of(own)
        assert own.headers["cache-control"] == "no-store"
        assert own.headers["referrer-policy"] == "no-referrer"
        # The own link stands on no page of the speaker's.
        assert speaker_link.key_of(speaker.id, 0) not in own.text
        # Alone in this browser, the bare address leads there.
        assert (await client.get("/e/coscon/speaker")).headers["location"] == address
    assert (await Proposal.get()).state == "invited"


@pytest.mark.parametrize("key", ["", "1-x", "x", "1-" + "A" * 22, "９-abc", "1\x00-abc", "9" * 30 + "-x"])
async def test_a_forged_link_opens_nothing(app: Starlette, key: str) -> None:
    event, _, chair = await world()
    await asked(app, event, chair)
    async with browser(app) as client:
        page = await client.get("/e/coscon/speaker", params={"key": key}, headers=EN)
        opened = await client.post("/e/coscon/speaker", data={"key": key})
    assert (page.status_code, opened.status_code) == (404, 404)
    assert "This link no longer works" in words_of(page)
    assert "set-cookie" not in opened.headers


async def test_a_renewed_link_kills_the_old_one_and_every_browser_that_had_it(app: Starlette) -> None:
    event, _, chair = await world()
    _, speaker = await asked(app, event, chair)
    other = await make_event("other")
    async with browser(app) as client, browser(app, chair) as desk:
        address = await enter(client, speaker)
        foreign = await client.get(f"/e/{other.slug}/speaker?{link_of(speaker).partition('?')[2]}")
        assert foreign.status_code == 404
        # Not the speaker's own to renew: whoever has the link could lock the others out.
        assert (await client.post(f"{address}/link")).status_code == 403
        assert (await desk.post(f"{address}/link")).status_code == 303
        assert (await client.get(address)).status_code in (303, 401)
        assert (await client.get(link_of(speaker))).status_code == 404
        await speaker.refresh_from_db()
        assert speaker.secret_round == 1
        assert await enter(client, speaker) == address
    assert await JournalEntry.filter(verb="speaker.renew_link").count() == 1


async def test_the_link_is_in_no_log(app: Starlette, caplog: pytest.LogCaptureFixture) -> None:
    event, _, chair = await world()
    _, speaker = await asked(app, event, chair)
    with caplog.at_level("DEBUG", logger="huiwu.access"):
        async with browser(app) as client:
            await enter(client, speaker)
    secret = speaker_link.key_of(speaker.id, 0).partition("-")[2]
    said = [record.getMessage() for record in caplog.records if record.name == "huiwu.access"]
    assert any("/e/{slug}/speaker" in line for line in said)
    assert not any(secret in line for line in said)
    rows = await JournalEntry.all()
    assert not any(secret in str((row.old, row.new)) for row in rows)


# --- what a speaker does ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("headers", "said"), [(ZH, "确认"), (EN, "Confirmed")])
async def test_a_speaker_without_an_account_confirms_and_gets_a_ticket(
    app: Starlette, headers: dict[str, str], said: str
) -> None:
    event, _, chair = await world()
    proposal, speaker = await asked(app, event, chair)
    async with browser(app) as client:
        address = await enter(client, speaker)
        answer = f"{address}/talks/{proposal.code}/answer"
        sent = await asyncio.gather(*(client.post(answer, data={"verb": "confirm"}) for _ in range(5)))
        assert {one.status_code for one in sent} == {303}
        page = await client.get(address, headers=headers)
        assert said in words_of(page)
        assert (await client.post(answer, data={"verb": "accept"})).status_code == 404
        late = await client.post(answer, data={"verb": "decline"}, headers=EN)
        assert late.status_code == 409
        assert "can't be done" in words_of(late)
    await proposal.refresh_from_db()
    assert (proposal.state, proposal.follow_up_at) == ("confirmed", None)
    assert [row.email for row in await Registration.all()] == ["lin@example.org"]
    line = await ProposalChange.get(proposal_id=proposal.id, verb="confirm")
    assert line.actor_key == f"speaker:{speaker.id}"
    async with browser(app, chair) as client:
        desk = await client.get(f"/e/coscon/desk/proposals/{proposal.code}", headers=ZH)
        assert "林小满" in words_of(desk).partition("历史")[2]


async def test_the_page_says_what_is_needed_next(app: Starlette) -> None:
    event, _, chair = await world()
    proposal, speaker = await asked(app, event, chair)
    async with browser(app) as client:
        address = await enter(client, speaker)
        first = words_of(await client.get(address, headers=EN))
        assert "Say whether you come" in first
        assert "Your picture" not in first.partition("What is needed")[2].partition("Talks")[0]
        await client.post(f"{address}/talks/{proposal.code}/answer", data={"verb": "confirm"})
        then = words_of(await client.get(address, headers=EN))
        for words in ("Your picture missing", "What may be published missing", "Your travel missing"):
            assert words in then
        assert re.search(r"Your slides until [^ ].* missing", then)
        zh = words_of(await client.get(address, headers=ZH))
        assert "missing" not in zh


async def test_a_talk_is_completed_with_its_consents_and_html_stays_text(app: Starlette) -> None:
    event, _, chair = await world()
    proposal, speaker = await asked(app, event, chair)
    question = await calls.put_field(
        actor=SYSTEM,
        event_id=event.id,
        details=FieldDetails(
            code="repo",
            subject=Subject.PROPOSAL,
            kind=FieldKind.URL,
            label=LocalizedText({"en": "Repository"}),
            need=Need.OPTIONAL,
        ),
        at=NOW,
    )
    async with browser(app) as client:
        address = await enter(client, speaker)
        path = f"{address}/talks/{proposal.code}"
        form = await client.get(path, headers=EN)
        values = {
            "form": re.search(r'name="form" value="([^"]+)"', form.text)[1],  # type: ignore[index]
            "version": "1",
            "title.zh-Hans": "开源治理实践（修订）",
            "title.en": "Governance <b>in</b> practice",
            "description.en": "<script>alert(1)</script> **bold** [x](javascript:alert(1))",
            "language": "zh-Hans",
            "allows_slides": "yes",
            "allows_photo": "no",
            "allows_video": "yes",
            f"q.{question}": "not an address",
        }
        wrong = await client.post(path, data=values, headers=EN)
        assert wrong.status_code == 422
        assert "开源治理实践（修订）" in wrong.text
        assert f'id="f-q.{question}-error"' in wrong.text
        values[f"q.{question}"] = "https://example.org/repo"
        assert (await client.post(path, data=values)).status_code == 303
        # Pressed twice it is the same.
        assert (await client.post(path, data=values)).status_code == 303
        stale = await client.post(path, data=values | {"form": str(uuid4())}, headers=EN)
        assert stale.status_code == 409
        assert "Somebody has changed this proposal" in words_of(stale)
        assert "开源治理实践（修订）" in stale.text
        too_long = await client.post(path, data=values | {"form": str(uuid4()), "abstract.en": "x" * 2001})
        assert too_long.status_code == 422
    link = await ProposalSpeaker.get(proposal_id=proposal.id)
    assert (link.allows_slides, link.allows_photo, link.allows_video) == (True, False, True)
    assert (await CallAnswer.get(call_field_id=question)).value == "https://example.org/repo"
    async with browser(app, chair) as client:
        desk = await client.get(f"/e/coscon/desk/proposals/{proposal.code}", headers=EN)
    main_part = desk.text.partition("<main")[2]
    assert "<script>alert" not in main_part
    assert 'href="javascript:' not in main_part
    assert "Governance &lt;b&gt;in&lt;/b&gt; practice" in main_part


def picture(width: int = 600, height: int = 400, kind: str = "JPEG") -> bytes:
    """Red on the left, green in the middle, blue on the right."""
    image = Image.new("RGB", (width, height), (0, 255, 0))
    image.paste((255, 0, 0), (0, 0, width // 3, height))
    image.paste((0, 0, 255), (width - width // 3, 0, width, height))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


async def test_a_picture_is_cut_where_the_speaker_says(app: Starlette) -> None:
    event, _, chair = await world()
    _, speaker = await asked(app, event, chair)
    values = {"name.zh-Hans": "林小满", "bio.en": "Writes **free** software.", "focus": "0"}
    async with browser(app) as client:
        address = await enter(client, speaker)
        sent = await client.post(
            f"{address}/profile", **multipart(values, picture=("me.jpg", picture(), "image/jpeg"))
        )
        assert sent.status_code == 303
        shown = await client.get(f"{address}/picture")
        image = Image.open(io.BytesIO(shown.content)).convert("RGB")
        assert image.width == image.height == 400
        red, green, _ = image.getpixel((5, 200))  # type: ignore[misc]
        assert red > 200 > green
        first = (await Speaker.get()).picture_upload_id
        values["focus"] = "100"
        await client.post(
            f"{address}/profile", **multipart(values, picture=("me.png", picture(), "image/png"))
        )
        image = Image.open(io.BytesIO((await client.get(f"{address}/picture")).content)).convert("RGB")
        assert image.getpixel((395, 200))[2] > 200  # type: ignore[index]
        page = await client.get(address, headers=EN)
        assert "<strong>free</strong>" in page.text
    assert first is not None
    # The older one goes with the next purge, and so do the whole pictures that were cut.
    assert (await Upload.get(id=first)).keep_until is not None
    await uploads.purge(NOW + 3 * DAY)
    assert await Upload.all().count() == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("me.jpg", b"<html>not a picture</html>"),
        ("me.png", b"%PDF-1.7 %%EOF"),
        ("small.png", picture(100, 100, "PNG")),
    ],
)
async def test_a_picture_that_is_none_is_said_at_its_field(app: Starlette, name: str, data: bytes) -> None:
    event, _, chair = await world()
    _, speaker = await asked(app, event, chair)
    async with browser(app) as client:
        address = await enter(client, speaker)
        sent = await client.post(
            f"{address}/profile",
            **multipart({"name.zh-Hans": "林大满", "focus": "50"}, picture=(name, data, "image/png")),
            headers=EN,
        )
    assert sent.status_code == 422
    assert 'id="f-picture-error"' in sent.text
    assert "林大满" in sent.text
    assert (await Speaker.get()).picture_upload_id is None


async def test_slides_and_their_backup_are_what_they_say(app: Starlette) -> None:
    event, _, chair = await world()
    proposal, speaker = await asked(app, event, chair)
    async with browser(app) as client:
        address = await enter(client, speaker)
        path = f"{address}/talks/{proposal.code}/slides"

        async def send(name: str, data: bytes, purpose: str = "slides") -> httpx2.Response:
            return await client.post(
                path,
                **multipart({"purpose": purpose, "url": ""}, file=(name, data, "application/pdf")),
                headers=EN,
            )

        for name, data, words in (
            ("talk.pdf", b"<html><script>alert(1)</script></html>", "This is no PDF"),
            ("talk.pdf", b"%PDF-1.7 cut off", "This is no PDF"),
            ("talk.pdf", b"", "empty"),
            ("talk.pdf", b"%PDF-1.7" + b" " * 11_000_000 + b"%%EOF", "10"),
        ):
            wrong = await send(name, data)
            assert wrong.status_code == 422, name
            assert words in words_of(wrong)
            assert f'id="f-file.{proposal.code}-error"' in wrong.text
        nothing = await client.post(
            path, data={"purpose": "slides", "url": "javascript:alert(1)"}, headers=EN
        )
        assert nothing.status_code == 422
        assert "javascript:alert(1)" in nothing.text
        assert (await send("talk.html", PDF)).status_code == 303
        assert (await send("backup.pdf", PDF + b" %%EOF", "slides_backup")).status_code == 303
        linked = await client.post(path, data={"purpose": "slides", "url": "https://example.org/slides"})
        assert linked.status_code == 303
        rows = await ProposalResource.all().order_by("id")
        assert [(row.purpose, row.title) for row in rows] == [
            ("slides", "talk.html.pdf"),
            ("slides_backup", "backup.pdf"),
            ("slides", "https://example.org/slides"),
        ]
        file = await client.get(f"{address}/talks/{proposal.code}/files/{rows[0].id}")
        assert file.content == PDF
        assert file.headers["content-type"] == "application/octet-stream"
        assert file.headers["content-disposition"].startswith("attachment")
        gone = await client.post(f"{address}/talks/{proposal.code}/files/{rows[0].id}/removal")
        assert gone.status_code == 303
        assert (await client.get(f"{address}/talks/{proposal.code}/files/{rows[0].id}")).status_code == 404
        too_large = await client.post(path, content=b"x" * (52 * 1024 * 1024))
        assert too_large.status_code == 413


async def test_a_visit_is_said_and_seen(app: Starlette) -> None:
    event, _, chair = await world()
    _, speaker = await asked(app, event, chair)
    async with browser(app) as client:
        address = await enter(client, speaker)
        values = {
            "arrives_at": "2030-10-27T20:00",
            "leaves_at": "2030-10-26T10:00",
            "arrival_note": "G1234",
            "wants_hotel": "yes",
            "hotel_note": "quiet",
            "wants_pick_up": "no",
            "wants_travel_support": "yes",
            "travel_note": "from Lhasa",
        }
        wrong = await client.post(f"{address}/visit", data=values, headers=EN)
        assert wrong.status_code == 422
        assert "G1234" in wrong.text
        assert 'id="f-leaves_at-error"' in wrong.text
        odd = await client.post(f"{address}/visit", data=values | {"arrives_at": "soon"}, headers=EN)
        assert odd.status_code == 422
        long = await client.post(f"{address}/visit", data=values | {"hotel_note": "x" * 501})
        assert long.status_code == 422
        sent = await client.post(f"{address}/visit", data=values | {"leaves_at": "2030-10-29T10:00"})
        assert sent.status_code == 303
        page = words_of(await client.get(address, headers=EN))
        assert "G1234" in page
        assert "quiet" in page
    await speaker.refresh_from_db()
    # Chengdu's evening is noon in Greenwich.
    assert speaker.arrives_at == datetime(2030, 10, 27, 12, tzinfo=UTC)
    assert (speaker.wants_hotel, speaker.wants_pick_up, speaker.wants_travel_support) == (True, False, True)
    [line] = await JournalEntry.filter(verb="speaker.change")
    assert "G1234" not in str(line.new)


# --- with an account ---------------------------------------------------------------------------------------------


async def test_an_account_with_the_same_address_is_the_speaker(app: Starlette) -> None:
    event, _, chair = await world()
    proposal, speaker = await asked(app, event, chair)
    own, other = await make_account("lin@example.org"), await make_account("other@example.org")
    async with browser(app, other) as client:
        nobody = await client.get("/e/coscon/cfp/speaker")
        assert nobody.headers["location"] == "/e/coscon/cfp/own"
        assert (await client.get(f"/e/coscon/speaker/{speaker.code}")).status_code == 404
    async with browser(app, own) as client:
        page = await client.get("/e/coscon/cfp/speaker", headers=ZH)
        assert "开源治理实践" in words_of(page)
        await speaker.refresh_from_db()
        # A GET has joined nothing.
        assert speaker.account_id is None
        address = f"/e/coscon/speaker/{speaker.code}"
        await client.post(f"{address}/talks/{proposal.code}/answer", data={"verb": "confirm"})
        await client.post(f"{address}/profile", data={"name.zh-Hans": "林小满", "bio.zh-Hans": "写代码"})
        mine = await client.get("/e/coscon/cfp/own", headers=ZH)
        assert "开源治理实践" in words_of(mine)
    await speaker.refresh_from_db()
    assert speaker.account_id == own.id
    assert (await SpeakerProfile.get(account_id=own.id)).bio == {"zh-Hans": "写代码"}
    assert (await ProposalChange.get(verb="confirm")).actor_key == f"account:{own.id}"
    # Joined once, an account's address is no way in for whoever gets it later.
    async with unit_of_work():
        await Speaker.all().update(email="other@example.org")
    async with browser(app, other) as client:
        assert (await client.get(f"/e/coscon/speaker/{speaker.code}")).status_code == 404


async def test_a_profile_is_brought_to_the_next_event(app: Starlette) -> None:
    event, _, chair = await world()
    _, speaker = await asked(app, event, chair)
    own = await make_account("lin@example.org")
    async with browser(app, own) as client:
        await client.post(
            f"/e/coscon/speaker/{speaker.code}/profile",
            **multipart(
                {"name.en": "Lin", "bio.en": "Writes.", "focus": "50"},
                picture=("me.png", picture(), "image/png"),
            ),
        )
        second = await make_event("next", starts_on=event.starts_on, ends_on=event.ends_on)
        await calls.set_up(actor=SYSTEM, event_id=second.id, details=CallDetails(is_published=True), at=NOW)
        form = await client.get("/e/next/cfp/new")
        assert "Writes." in form.text
    profile = await SpeakerProfile.get(account_id=own.id)
    await speaker.refresh_from_db()
    assert profile.picture_upload_id == speaker.picture_upload_id is not None


# --- data --------------------------------------------------------------------------------------------------------


async def test_all_of_it_is_exported_and_erased(app: Starlette) -> None:
    event, _, chair = await world()
    _, speaker = await asked(app, event, chair)
    own = await make_account("lin@example.org")
    async with browser(app, own) as client:
        address = f"/e/coscon/speaker/{speaker.code}"
        await client.post(
            f"{address}/visit",
            data={
                "arrives_at": "2030-10-27T20:00",
                "arrival_note": "G1234",
                "wants_hotel": "yes",
                "hotel_note": "quiet-room",
                "pick_up_note": "north-exit",
                "travel_note": "from-Lhasa",
            },
        )
    person = Person(account_id=own.id, email="lin@example.org")
    held = await privacy.held(person)
    said = str([(fact.key, fact.value) for part in held for row in part.rows for fact in row])
    for word in ("G1234", "quiet-room", "north-exit", "from-Lhasa", "2030"):
        assert word in said, word
    await privacy.erase(actor=SYSTEM, subject=person, at=NOW)
    row = await Speaker.get(id=speaker.id)
    left = {name: getattr(row, name) for name in row._meta.db_fields}
    for word in ("G1234", "quiet-room", "north-exit", "from-Lhasa", "林小满", "lin@example"):
        assert word not in str(left)
    assert (row.arrives_at, row.leaves_at, row.wants_hotel, row.wants_pick_up) == (None, None, None, None)
    async with browser(app) as client:
        assert (await client.get(link_of(speaker))).status_code == 404


async def test_pages_cost_the_same_for_one_talk_and_for_three(app: Starlette) -> None:
    event, _, chair = await world()
    counts: dict[str, list[int]] = {"list": [], "page": []}
    async with browser(app, chair) as client:
        for number in range(1, 4):
            _, speaker = await asked(app, event, chair, **{"title.zh-Hans": f"议题{number}"})
            if number == 2:
                continue
            for name, path in (
                ("list", "/e/coscon/invited"),
                ("page", f"/e/coscon/speaker/{speaker.code}"),
            ):
                spent = []
                # What is remembered for two seconds may be read again in any one of them.
                for _ in range(4):
                    before = db.stats.statements
                    assert (await client.get(path)).status_code == 200
                    spent.append(db.stats.statements - before)
                counts[name].append(min(spent))
    for name, (one, three) in counts.items():
        assert one == three, name
