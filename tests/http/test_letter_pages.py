"""Prepared decisions and the letters about them, through the pages: released, read, changed, sent, received once."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette

import main
from agenda import proposals, speaker_letters
from agenda.letter_rules import Occasion
from agenda.models import DecisionRelease, LetterTemplate, Proposal, SpeakerLetter
from agenda.proposal_rules import ProposalState
from agenda.speaker_letters import Telling
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from people import letters
from people.models import Letter
from tests.actions.test_people_outbox import Server, server  # noqa: F401 -- the mail server's fixture
from tests.factories import forget, make_account
from tests.http.desk_house import Desk, browser_of, desk_of, field, problem, words_of
from tests.programme_house import make_call, make_forum, make_speaker, make_talk


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@pytest.fixture
async def desk(app: Starlette) -> AsyncIterator[Desk]:
    async with desk_of(app, role="programme_chair") as made:
        yield made


async def decided(desk: Desk, state: ProposalState, *speakers: Any, **more: Any) -> Proposal:
    talk = await make_talk(desk.event, *speakers, **more)
    await proposals.pend(
        actor=SYSTEM, event_id=desk.event.id, proposal_ids=[talk.id], state=state, at=datetime.now(UTC)
    )
    return talk


async def release(desk: Desk, **more: str) -> Any:
    page = (await desk.get("/decisions")).text
    return await desk.post("/decisions", {"form": field(page, "form"), "seen": field(page, "seen")} | more)


async def test_from_the_decisions_to_the_readers_in_their_languages_each_once(
    app: Starlette,
    database: Settings,
    desk: Desk,
    server: Server,  # noqa: F811
) -> None:
    settings = replace(database, smtp_url=server.url, mail_from="programme@a.example")  # type: ignore[attr-defined]
    forum = await make_forum(desk.event)
    lin = await make_speaker(desk.event, email="lin@a.example", name={"zh-Hans": "林小满"})
    ann = await make_speaker(desk.event, email="ann@b.example", locale="en", name={"en": "Ann"})
    mute = await make_speaker(desk.event, email=None, name={"en": "Mute"})
    talk = await decided(
        desk,
        ProposalState.ACCEPTED,
        lin,
        ann,
        forum_id=forum.id,
        title={"zh-Hans": "开源硬件", "en": "Hardware"},
    )
    await decided(desk, ProposalState.REJECTED, lin, title={"zh-Hans": "另一个"})
    await decided(desk, ProposalState.WAITLISTED, mute)
    said = words_of((await desk.get("/decisions")).text)
    assert "Hardware" in said and "林小满, Ann" in said
    assert "1 proposal has nobody with an address" in said
    assert "The call says no day by which speakers confirm" in said
    assert "3 decisions become true at once" in said and "2 people get a letter" in said
    assert "No mail server is set up" in said
    narrowed = words_of((await desk.get("/decisions", forum=str(forum.id))).text)
    assert "另一个" not in narrowed and "Release 3 decisions" in narrowed

    done = await release(desk)
    assert done.status_code == 303
    there = done.headers["location"]
    listed = (await desk.browser.get(there)).text
    assert "3 letters are drafted. Read them, then send them." in words_of(listed)
    assert "Accepted: Hardware" in listed and "议题已录用：开源硬件" in listed
    assert (await Proposal.get(id=talk.id)).state == "accepted"
    assert await letters.send_due(settings, urgent=False) == 0

    english = await Letter.get(subject="Accepted: Hardware")
    one = (await desk.get(f"/letters/{english.id}")).text
    assert "Hello Ann," in one and "{link}" in one
    empty = await desk.post(f"/letters/{english.id}", {"subject": "", "text": "Kept"})
    assert empty.status_code == 422
    assert problem(empty.text, "subject") and "Kept" in empty.text
    text = english.text.replace("good news", "very good news")
    saved = await desk.post(f"/letters/{english.id}", {"subject": "Yes: Hardware", "text": text})
    assert saved.headers["location"].endswith("?done=saved")

    page = (await desk.browser.get(there)).text
    query = {"release": field(page, "release"), "newest": field(page, "newest"), "act": "send"}
    sent = await desk.post("/letters/act", query)
    assert "3 letters are on their way" in words_of((await desk.browser.get(sent.headers["location"])).text)
    again = await desk.post("/letters/act", query)
    assert "0 letters are on their way" in words_of((await desk.browser.get(again.headers["location"])).text)
    for _ in range(3):
        await letters.send_due(settings, urgent=False)
    got = sorted((to, str(message["Subject"])) for to, message in server.mails)
    assert got == [
        ("ann@b.example", "Yes: Hardware"),
        ("lin@a.example", "关于您的投稿：另一个"),
        ("lin@a.example", "议题已录用：开源硬件"),
    ]
    body = next(message.get_content() for to, message in server.mails if to == "ann@b.example")
    assert "very good news" in body and "http://127.0.0.1:8000/e/coscon/" in body and "{link}" not in body
    late = await desk.post(f"/letters/{english.id}", {"subject": "x", "text": "y"})
    assert late.status_code == 409
    assert "Released before" in words_of((await desk.get("/decisions")).text)
    assert "No decision is prepared" in words_of((await desk.get("/decisions")).text)


async def test_a_form_sent_twice_is_one_release_and_what_changed_meanwhile_is_shown_again(desk: Desk) -> None:
    one = await make_speaker(desk.event)
    await decided(desk, ProposalState.ACCEPTED, one)
    page = (await desk.get("/decisions")).text
    form = {"form": field(page, "form"), "seen": field(page, "seen")}
    await decided(desk, ProposalState.REJECTED, one)
    refused = await desk.post("/decisions", form)
    assert refused.status_code == 409
    assert "after you opened the page" in words_of(refused.text)
    form = {"form": field(refused.text, "form"), "seen": field(refused.text, "seen")}
    answers = [(await desk.post("/decisions", form)).headers["location"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert await DecisionRelease.all().count() == 1
    nothing = await desk.post("/decisions", {"form": str(uuid4()), "seen": ""})
    assert nothing.status_code == 409
    assert "There is no prepared decision" in words_of(nothing.text)


async def test_what_was_drafted_after_the_page_was_read_is_not_sent_with_it(desk: Desk) -> None:
    one, two = await make_speaker(desk.event), await make_speaker(desk.event)

    async def nudge(speaker: Any) -> None:
        await speaker_letters.draft(
            actor=SYSTEM,
            event_id=desk.event.id,
            code=Occasion.NUDGE,
            tellings=[Telling(speaker_id=speaker.id)],
            at=datetime.now(UTC),
        )

    await nudge(one)
    newest = field((await desk.get("/letters")).text, "newest")
    await nudge(two)
    await desk.post("/letters/act", {"newest": newest, "act": "discard", "occasion": "nudge"})
    states = {row.to_email: row.state for row in await Letter.all()}
    assert states == {one.email: "discarded", two.email: "drafted"}
    for wrong in ({"newest": newest, "act": "hold"}, {"newest": "x", "act": "send"}):
        assert (await desk.post("/letters/act", wrong)).status_code == 422


async def test_single_letters_are_sent_held_and_discarded(desk: Desk) -> None:
    one = await make_speaker(desk.event)
    await decided(desk, ProposalState.REJECTED, one)
    await release(desk)
    letter = await Letter.get()
    where = f"/letters/{letter.id}/act"
    assert (await desk.post(where, {"act": "retry"})).status_code == 409
    for act, state in (("send", "waiting"), ("hold", "held"), ("retry", "waiting"), ("discard", "discarded")):
        assert (await desk.post(where, {"act": act})).status_code == 303
        assert (await Letter.get()).state == state
    assert (await desk.post(where, {"act": "send"})).status_code == 409
    async with unit_of_work():
        await Letter.all().update(state="failed", last_problem="550 no such user")
    page = (await desk.get("/letters")).text
    assert "1 letter could not be delivered" in words_of(page) and "550 no such user" in page
    await desk.post("/letters/act", {"newest": field(page, "newest"), "act": "retry"})
    assert (await Letter.get()).state == "waiting"
    assert (await desk.get("/letters/999999")).status_code == 404
    assert (await desk.get("/letters/x")).status_code == 404


async def test_the_words_of_an_occasion_are_changed_looked_at_and_given_back(desk: Desk) -> None:
    await make_call(desk.event, confirm_by=datetime.now(UTC) + timedelta(days=9))
    assert "Draft not handed in" in words_of((await desk.get("/letters/templates")).text)
    where = "/letters/templates/accepted"
    page = (await desk.get(where)).text
    assert field(page, "subject.en") == "Accepted: {title}"
    assert "Accepted: Open source in practice" in words_of(page)
    text = re.search(r'<textarea[^>]*name="text.en"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert text is not None
    typed = {
        "subject.zh-Hans": "恭喜：{titel}",
        "text.zh-Hans": "{name}，您好",
        "subject.en": "Accepted: {title}",
        "text.en": html.unescape(text[1]).strip().replace("\n", "\r\n"),
    }
    wrong = await desk.post(where, typed)
    assert wrong.status_code == 422
    assert "{titel}" in problem(wrong.text, "subject.zh-Hans")
    assert field(wrong.text, "subject.zh-Hans") == "恭喜：{titel}"
    typed["subject.zh-Hans"] = "恭喜：{title}"
    talk = await make_talk(desk.event, await make_speaker(desk.event), title={"zh-Hans": "真议题"})
    looked = await desk.post(where, typed | {"act": "look", "proposal": talk.code})
    assert "恭喜：真议题" in words_of(looked.text)
    assert await LetterTemplate.all().count() == 0
    unknown = await desk.post(where, typed | {"act": "look", "proposal": "ZZZZZZ"})
    assert "There is no such proposal here." in words_of(unknown.text)
    assert (await desk.post(where, typed)).headers["location"].endswith("?done=saved")
    # English is the house's, word for word, and so stays it.
    assert (await LetterTemplate.get()).subject == {"zh-Hans": "恭喜：{title}"}
    await desk.post(where, typed | {"act": "reset"})
    assert await LetterTemplate.all().count() == 0
    for strange in ("message", "nothing"):
        assert (await desk.get(f"/letters/templates/{strange}")).status_code == 404


async def test_a_message_by_hand_is_looked_at_then_drafted_once_to_each(desk: Desk) -> None:
    forum = await make_forum(desk.event)
    lin, ann = (
        await make_speaker(desk.event),
        await make_speaker(desk.event, locale="en", picture_upload_id=1),
    )
    await make_talk(desk.event, lin, ann, state="accepted", forum_id=forum.id)
    await make_talk(desk.event, lin, state="confirmed")
    await make_talk(desk.event, await make_speaker(desk.event), state="rejected")
    await make_talk(desk.event, await make_speaker(desk.event), state="draft")
    form = field((await desk.get("/letters/new")).text, "form")
    typed: dict[str, Any] = {
        "form": form,
        "states": ["accepted", "confirmed"],
        "subject.en": "Rehearsal of {event}",
        "text.en": "Hello {name}, please come early.",
        "subject.zh-Hans": "",
        "text.zh-Hans": "",
    }
    wrong = await desk.post("/letters/new", typed | {"text.en": "{shoe}"})
    assert "{shoe}" in problem(wrong.text, "text.en")
    empty = await desk.post("/letters/new", typed | {"subject.en": "", "text.en": ""})
    assert empty.status_code == 422
    looked = await desk.post("/letters/new", typed)
    assert "Draft 2 letters" in words_of(looked.text)
    assert "Rehearsal of China Open Source Conference" in words_of(looked.text)
    assert await Letter.all().count() == 0
    for _ in range(2):
        done = await desk.post("/letters/new", typed | {"act": "draft"})
        assert "done=drafted&many=2" in done.headers["location"]
    assert await Letter.all().count() == 2
    # Another form with the same words: who has them does not get them again.
    again = await desk.post("/letters/new", typed | {"form": str(uuid4())})
    assert "2 have this very letter already" in words_of(again.text)
    few = typed | {"text.en": "Other words", "missing": "picture", "forum": str(forum.id)}
    assert "Draft 1 letter" in words_of((await desk.post("/letters/new", few)).text)
    each = typed | {"text.en": "About {title}"}
    assert "Draft 3 letters" in words_of((await desk.post("/letters/new", each)).text)
    nobody = await desk.post("/letters/new", typed | {"states": "invited"})
    assert nobody.status_code == 422
    assert "Nobody fits" in words_of(nobody.text)
    for missing, many in (("bio", 2), ("consents", 2), ("slides", 2)):
        page = await desk.post("/letters/new", typed | {"text.en": "To all", "missing": missing})
        assert f"Draft {many} letters" in words_of(page.text)


async def test_those_with_a_draft_are_reminded_without_saying_which(desk: Desk) -> None:
    writer = await make_account()
    one = await make_speaker(desk.event, account_id=writer.id, locale="en")
    for _ in range(2):
        await make_talk(desk.event, one, state="draft", account_id=writer.id, title={"en": "Secret plans"})
    assert "1 person began a proposal" in words_of((await desk.get("/letters")).text)
    for _ in range(2):
        await desk.post("/letters/drafts")
    letter = await Letter.get()
    assert letter.state == "drafted"
    assert "Secret plans" not in letter.subject + letter.text


async def test_pages_cost_as_many_statements_for_thirty_as_for_three(desk: Desk) -> None:
    async def cost(path: str) -> int:
        # What is remembered for some seconds is read anew each time: a slow machine must not count otherwise.
        forget()
        before = db.stats.statements
        await desk.get(path)
        return db.stats.statements - before

    async def more(many: int) -> tuple[int, int]:
        for _ in range(many):
            await decided(desk, ProposalState.ACCEPTED, await make_speaker(desk.event))
        decisions = await cost("/decisions")
        await release(desk)
        return decisions, await cost("/letters")

    await more(1)
    assert await more(3) == await more(30)


async def test_letters_belong_to_those_who_decide(app: Starlette, desk: Desk) -> None:
    await decided(desk, ProposalState.ACCEPTED, await make_speaker(desk.event))
    await release(desk)
    row = await SpeakerLetter.get()
    async with browser_of(app, await make_account()) as stranger:
        for path in ("/letters", f"/letters/{row.letter_id}", "/decisions", "/letters/new"):
            assert (await stranger.get(desk.path(path))).status_code == 403
        assert (await stranger.post(desk.path("/letters/act"), data={"act": "send"})).status_code == 403
    assert (await Letter.get()).state == "drafted"


# --- JSON --------------------------------------------------------------------------------------------------------


async def test_a_program_releases_reads_changes_and_sends_under_the_same_right(
    app: Starlette, desk: Desk
) -> None:
    speaker = await make_speaker(desk.event, email="lin@a.example")
    talk = await decided(desk, ProposalState.ACCEPTED, speaker)
    api = "/e/coscon/api"
    browser = desk.browser
    pending = (await browser.get(f"{api}/releases/pending")).json()
    assert [
        (one["proposal"], one["decision"], one["readers"][0]["email"]) for one in pending["decisions"]
    ] == [(talk.code, "accepted", "lin@a.example")]
    stale = await browser.post(f"{api}/releases", json={"id": str(uuid4()), "seen": "00"})
    assert (stale.status_code, stale.json()["code"]) == (409, "release_changed_meanwhile")
    assert (await browser.post(f"{api}/releases", json={"seen": "00"})).status_code == 422
    body = {"id": str(uuid4()), "seen": pending["seen"]}
    first = await browser.post(f"{api}/releases", json=body)
    assert first.status_code == 201
    assert (await browser.post(f"{api}/releases", json=body)).json() == first.json()
    other = await browser.post(f"{api}/releases", json=body | {"seen": None})
    assert other.json()["code"] == "replay_mismatch"
    made = (await browser.get(f"{api}/releases")).json()["releases"]
    assert [(one["count"], one["letters"]) for one in made] == [(1, {"drafted": 1})]
    listed = (await browser.get(f"{api}/speaker-letters", params={"state": "drafted"})).json()
    assert (listed["total"], listed["has_mail_server"]) == (1, False)
    where = f"{api}/speaker-letters/{listed['letters'][0]['id']}"
    assert "{link}" in (await browser.get(where)).json()["text"]
    changed = await browser.patch(where, json={"subject": "Yes"})
    assert (changed.json()["subject"], "{link}" in changed.json()["text"]) == ("Yes", True)
    assert (await browser.patch(where, json={"text": ""})).status_code == 422
    async with unit_of_work():
        plain = await Letter.create(
            event_id=desk.event.id,
            key="registered:1",
            to_email="a@a.example",
            domain="a.example",
            locale="en",
            subject="s",
            text="t",
            next_try_at=datetime.now(UTC),
            created_at=datetime.now(UTC),
        )
    acts = {"act": "send", "letter_ids": [listed["letters"][0]["id"], plain.id]}
    assert (await browser.post(f"{api}/speaker-letters/acts", json=acts)).json() == {
        "done": [listed["letters"][0]["id"]]
    }
    assert (await browser.post(f"{api}/speaker-letters/acts", json=acts)).json() == {"done": []}
    # A letter about somebody's registration is not the programme's to touch.
    hold = acts | {"act": "hold"}
    await browser.post(f"{api}/speaker-letters/acts", json=hold)
    assert (await Letter.get(id=plain.id)).state == "waiting"
    assert (await browser.get(f"{api}/speaker-letters/{plain.id}")).status_code == 404
    async with browser_of(app, await make_account()) as stranger:
        for path in ("speaker-letters", "releases", "releases/pending"):
            assert (await stranger.get(f"{api}/{path}")).status_code == 403
