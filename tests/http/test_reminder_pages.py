"""Reminders and single letters in the outbox, and the page behind the last line of a letter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from starlette.applications import Starlette

import main
from kernel.actor import SYSTEM
from kernel.settings import Settings
from people import letters, unsubscribing
from people.models import Letter
from people.rules import LetterAct
from tests.http.desk_house import BASE, Desk, desk_of, field, problem, words_of

SOON = datetime.now(UTC).date() + timedelta(days=30)


@pytest.fixture
async def desk(database: Settings) -> AsyncIterator[Desk]:
    app = main.create_app(database, workers=False)
    async with desk_of(app, starts_on=SOON, ends_on=SOON) as made:
        yield made


async def test_the_outbox_names_the_reminders_and_their_words_can_be_changed(desk: Desk) -> None:
    page = (await desk.get("/outbox")).text
    assert "7 days before" in words_of(page)
    assert "1 day before" in words_of(page)
    form = (await desk.get("/reminders/7")).text
    assert field(form, "subject.en") == "A week to go: {event}"
    assert "A week to go: China Open Source Conference" in words_of(form)
    typed = {
        "subject.zh-Hans": "下周见，{name}",
        "subject.en": "",
        "text.zh-Hans": "{nam}",
        "text.en": "",
        "is_on": "1",
    }
    refused = await desk.post("/reminders/7", typed)
    assert refused.status_code == 422
    assert "nam" in problem(refused.text, "text.zh-Hans")
    assert field(refused.text, "subject.zh-Hans") == "下周见，{name}"
    saved = await desk.post("/reminders/7", typed | {"text.zh-Hans": "请带上{ticket}", "is_on": ""})
    assert saved.headers["location"].endswith("?done=saved")
    assert "Switched off" in words_of((await desk.get("/outbox")).text)
    assert (await desk.get("/reminders/5")).status_code == 404
    assert (await desk.get("/reminders/x")).status_code == 404


async def test_one_to_oneself(desk: Desk) -> None:
    assert (await desk.post("/reminders/1/trial")).headers["location"].endswith("?done=trial")
    await desk.post("/reminders/1/trial")
    letter = await Letter.get()
    assert (letter.to_email, letter.subject) == (
        "organiser@example.org",
        "Tomorrow: China Open Source Conference",
    )


async def _letter(desk: Desk, **more: object) -> Letter:
    values: dict[str, object] = {
        "key": "k", "to_email": "lin@a.example", "locale": "en", "subject": "s", "text": "first\nsecond",
        "event_id": desk.event.id, "at": datetime.now(UTC),
    }  # fmt: skip
    await letters.queue(**(values | more))  # type: ignore[arg-type]
    return await Letter.get(key=str((values | more)["key"]))


async def test_a_letter_is_read_and_changed_until_it_has_left(desk: Desk) -> None:
    letter = await _letter(desk)
    form = (await desk.get(f"/outbox/{letter.id}")).text
    assert "first\nsecond" in form
    refused = await desk.post(f"/outbox/{letter.id}", {"subject": "", "text": "kept"})
    assert refused.status_code == 422
    assert "kept" in refused.text
    await desk.post(f"/outbox/{letter.id}", {"subject": "New", "text": "Other words"})
    letter = await Letter.get()
    assert (letter.subject, letter.text) == ("New", "Other words")
    await letters.act(actor=SYSTEM, letter_id=letter.id, act=LetterAct.DISCARD, at=datetime.now(UTC))
    late = await desk.post(f"/outbox/{letter.id}", {"subject": "Too", "text": "late"})
    assert late.status_code == 409
    assert "Other words" in (await desk.get(f"/outbox/{letter.id}")).text
    foreign = await _letter(desk, key="other", event_id=desk.event.id + 1)
    assert (await desk.get(f"/outbox/{foreign.id}")).status_code == 404


def _outside(app: Starlette, **headers: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url=BASE, headers={"accept-language": "en", **headers}
    )


async def test_looking_changes_nothing_and_one_press_does(desk: Desk) -> None:
    letter = await _letter(desk, purpose="reminder")
    path = f"/unsubscribe?key={unsubscribing.key_of(letter.id)}"
    seen = await desk.browser.get(path)
    assert "l***@a.example" in words_of(seen.text)
    assert "lin@a.example" not in seen.text
    assert (seen.headers["cache-control"], seen.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert (await Letter.get()).state == "waiting"
    done = await desk.browser.post(path, data={"everywhere": "1"})
    assert "No more of these letters" in words_of(done.text)
    assert (await Letter.get()).state == "discarded"
    back = await desk.browser.post(path, data={"act": "resume"})
    assert "No more reminders?" in words_of(back.text)


async def test_a_mailboxs_own_button_posts_from_elsewhere(desk: Desk, database: Settings) -> None:
    """RFC 8058: no cookie, no Origin of ours, the body ``List-Unsubscribe=One-Click``."""
    letter = await _letter(desk, purpose="reminder")
    app = main.create_app(database, workers=False)
    async with _outside(app, origin="https://mail.example", **{"sec-fetch-site": "cross-site"}) as mailbox:
        answer = await mailbox.post(
            f"/unsubscribe?key={unsubscribing.key_of(letter.id)}", data={"List-Unsubscribe": "One-Click"}
        )
        assert answer.status_code == 200
        assert (await mailbox.post("/sign-in", data={"email": "a@b.example"})).status_code == 403
    assert await unsubscribing.without(desk.event.id, ["lin@a.example"]) == {"lin@a.example"}


@pytest.mark.parametrize("key", ["", "1-wrong", "x"])
async def test_a_wrong_link_says_so(desk: Desk, key: str) -> None:
    for answer in (
        await desk.browser.get(f"/unsubscribe?key={key}"),
        await desk.browser.post(f"/unsubscribe?key={key}"),
    ):
        assert answer.status_code == 404
        assert "This link leads to no letter" in words_of(answer.text)
