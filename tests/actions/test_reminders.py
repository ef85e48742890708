"""Reminders: one a registration however often the job runs, words of organisers, and none for those who want none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events import queries, reminders
from events.models import Event, Reminder
from events.reminder_rules import ReminderCode
from events.rules import EventFacts
from kernel import db
from kernel.actor import SYSTEM
from kernel.errors import Conflict, Invalid, NotFound
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import jobs, letters, unsubscribing, wiring
from people.letters import Composed
from people.models import Job, JournalEntry, Letter
from tests.factories import make_event, make_registration, make_ticket_type

TODAY = datetime.now(UTC).date()
#: Three days ahead by every clock: the week's reminder is due, the last day's is not.
SOON = TODAY + timedelta(days=3)


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[Settings]:
    wiring.configure(database)
    reminders.connect()
    letters.compose_with("passport", _nothing)
    yield database
    letters._composers.clear()


async def _nothing(registration_id: int, locale: str) -> Composed:
    del registration_id, locale
    return Composed()


async def _facts(event: Event) -> EventFacts:
    found = await queries.find_event_by_id(event.id)
    assert found is not None
    return found


async def _soon(**more: Any) -> Event:
    return await make_event(starts_on=SOON, ends_on=SOON, **more)


async def _run() -> None:
    now = datetime.now(UTC)
    await reminders.queue_due(now)
    while await jobs.run_one(now + timedelta(seconds=1)):
        pass


async def test_everybody_who_comes_gets_one_in_their_own_language(house: Settings) -> None:
    event = await _soon()
    kind = await make_ticket_type(event)
    await make_registration(event, kind, name="林小雨", locale="zh-Hans")
    await make_registration(event, kind, name="Ada {event}", locale="en")
    for state in ("pending", "waitlisted", "offered", "declined", "cancelled"):
        await make_registration(event, kind, state=state)
    await make_registration(event, kind, email="", phone="+8613800000000")
    await _run()
    zh, en = await Letter.all().order_by("id")
    assert zh.subject.startswith("还有一周")
    assert "林小雨" in zh.text
    assert "普通票" in zh.text
    assert en.subject == "A week to go: China Open Source Conference"
    # A name in braces stays a name.
    assert "Hello Ada {event}," in en.text
    assert {zh.purpose, en.purpose} == {"reminder"}
    row = await Reminder.get(event_id=event.id)
    assert (row.days_before, row.queued_count) == (7, 2)
    assert row.queued_at is not None


async def test_many_processes_and_a_second_look_make_no_second_letter(house: Settings) -> None:
    event = await _soon()
    kind = await make_ticket_type(event)
    for _ in range(3):
        await make_registration(event, kind)
    await asyncio.gather(*(reminders.queue_due(datetime.now(UTC)) for _ in range(16)))
    assert await Job.filter(kind=reminders.JOB).count() == 1
    await _run()
    # As after a crash just before the end: the letters are there, the reminder says nothing yet.
    await _forget_that_it_ran()
    await _run()
    assert await Letter.all().count() == 3


async def _forget_that_it_ran() -> None:
    async with db.unit_of_work():
        await db.execute("UPDATE reminder SET queued_at = NULL, queued_count = 0")
        await db.execute("DELETE FROM job")


@pytest.mark.parametrize(
    "change", [{"state": "draft"}, {"state": "ended"}, {"starts_on": TODAY - timedelta(days=1)}]
)
async def test_none_for_drafts_ended_and_past_events(house: Settings, change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"starts_on": SOON, "ends_on": SOON} | change
    event = await make_event(**values)
    await make_registration(event, await make_ticket_type(event))
    await _run()
    assert await Letter.all().count() == 0


async def test_organisers_words_are_sent_and_off_is_off(house: Settings) -> None:
    event = await _soon()
    await make_registration(event, await make_ticket_type(event), locale="en", name="Ada")
    facts = await _facts(event)
    words = LocalizedText({"en": "See you, {name}"})
    for is_on in (False, True):
        await reminders.change(
            actor=SYSTEM,
            event=facts,
            days_before=7,
            subject=words,
            text=words,
            is_on=is_on,
            at=datetime.now(UTC),
        )
        await _run()
        assert await Letter.all().count() == int(is_on)
    assert (await Letter.get()).subject == "See you, Ada"
    with pytest.raises(Conflict) as sent:
        await reminders.change(
            actor=SYSTEM,
            event=facts,
            days_before=7,
            subject=words,
            text=words,
            is_on=True,
            at=datetime.now(UTC),
        )
    assert sent.value.code == ReminderCode.REMINDER_SENT
    with pytest.raises(Invalid) as wrong:
        await reminders.change(
            actor=SYSTEM,
            event=facts,
            days_before=1,
            subject=words,
            text=LocalizedText({"en": "{nam}"}),
            is_on=True,
            at=datetime.now(UTC),
        )
    assert set(wrong.value.fields) == {"text"}
    with pytest.raises(NotFound):
        await reminders.find(facts, 3)
    lines = await JournalEntry.filter(verb="reminder.change").order_by("id")
    assert [line.new["is_on"] for line in lines] == [False, True]


async def test_one_and_three_readers_cost_the_same_statements(house: Settings) -> None:
    costs = []
    for many in (1, 3):
        event = await _soon()
        kind = await make_ticket_type(event)
        for _ in range(many):
            await make_registration(event, kind)
        await reminders.queue_due(datetime.now(UTC))
        before = db.stats.statements
        while await jobs.run_one(datetime.now(UTC) + timedelta(seconds=1)):
            pass
        costs.append(db.stats.statements - before)
    assert costs[0] == costs[1]


async def test_whoever_wants_none_gets_none(house: Settings) -> None:
    event, other = await _soon(), await _soon()
    kind, other_kind = await make_ticket_type(event), await make_ticket_type(other)
    await make_registration(event, kind, email="lin@a.example")
    await make_registration(event, kind, email="ada@a.example")
    await make_registration(other, other_kind, email="lin@a.example")
    await _run()
    mine = await Letter.get(event_id=event.id, to_email="lin@a.example")
    key = unsubscribing.key_of(mine.id)
    found = await unsubscribing.find(key)
    assert (found.masked, found.is_over) == ("l***@a.example", False)
    await unsubscribing.stop(key=key, at=datetime.now(UTC))
    await unsubscribing.stop(key=key, at=datetime.now(UTC))
    assert (await unsubscribing.find(key)).is_over
    states = {(one.event_id, one.to_email): one.state for one in await Letter.all()}
    assert states[event.id, "lin@a.example"] == "discarded"
    assert states[event.id, "ada@a.example"] == "waiting"
    assert states[other.id, "lin@a.example"] == "waiting"
    # A letter that somebody lets go again is looked at once more when it leaves.
    assert await unsubscribing.without(event.id, ["lin@a.example", "ada@a.example"]) == {"lin@a.example"}
    await unsubscribing.stop(key=key, at=datetime.now(UTC), everywhere=True)
    assert (await Letter.get(event_id=other.id)).state == "discarded"
    await unsubscribing.resume(key=key, at=datetime.now(UTC))
    assert await unsubscribing.without(event.id, ["lin@a.example"]) == set()
    rows = await db.query("SELECT count(*) AS n FROM unsubscription")
    assert rows[0]["n"] == 0


@pytest.mark.parametrize("key", ["", "1", "1-", "x-abc", "99999999999999999999-abc", "1-wrong"])
async def test_a_guessed_key_opens_nothing(house: Settings, key: str) -> None:
    with pytest.raises(NotFound):
        await unsubscribing.find(key)


async def test_letters_that_one_needs_have_no_such_link(house: Settings) -> None:
    await letters.queue(
        key="k", to_email="lin@a.example", locale="en", subject="s", text="t", at=datetime.now(UTC)
    )
    with pytest.raises(NotFound):
        await unsubscribing.find(unsubscribing.key_of((await Letter.get()).id))


async def test_the_mail_carries_the_link_and_the_mailboxs_own_button(house: Settings) -> None:
    event = await _soon()
    await make_registration(event, await make_ticket_type(event), locale="en")
    await _run()
    taken = await letters.lease(
        letters.limits_of(house), urgent=False, at=datetime.now(UTC) + timedelta(seconds=1)
    )
    message = letters.build_message(taken[0], Composed(), mail_from="a@b.example", base_url=house.base_url)
    link = unsubscribing.link_of(taken[0].id)
    assert message["List-Unsubscribe"] == f"<{link}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in message.get_content()
    assert (await Letter.get()).text.count("/unsubscribe") == 0


async def test_words_of_a_letter_that_has_not_left(house: Settings) -> None:
    now = datetime.now(UTC)
    await letters.queue(key="k", to_email="lin@a.example", locale="en", subject="s", text="t", at=now)
    letter = await Letter.get()
    await letters.rewrite(actor=SYSTEM, letter_id=letter.id, subject="New\r\nBcc: x", text="a\r\nb", at=now)
    letter = await Letter.get()
    assert (letter.subject, letter.text) == ("New Bcc: x", "a\nb")
    with pytest.raises(Invalid) as empty:
        await letters.rewrite(actor=SYSTEM, letter_id=letter.id, subject=" ", text="x" * 20_001, at=now)
    assert set(empty.value.fields) == {"subject", "text"}
    with pytest.raises(NotFound):
        await letters.rewrite(actor=SYSTEM, letter_id=letter.id + 1, subject="s", text="t", at=now)
    async with db.unit_of_work():
        await db.execute("UPDATE letter SET state = 'sent'")
    with pytest.raises(Conflict):
        await letters.rewrite(actor=SYSTEM, letter_id=letter.id, subject="s", text="t", at=now)
    async with db.unit_of_work():
        await db.execute("UPDATE letter SET state = 'waiting', urgent = TRUE")
    with pytest.raises(Conflict):
        await letters.rewrite(actor=SYSTEM, letter_id=letter.id, subject="s", text="t", at=now)
