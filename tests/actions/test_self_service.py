"""Holders change, cancel and answer by themselves: until a date, once for a form, and everybody above follows."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import main
from checkin import passports, scanning
from checkin.scanning import ScanEntry
from events import answers, queries, registrations, self_service, transfers
from events.answers import Extras
from events.models import Event, FormField, Registration, TicketType
from events.rules import Contact, RegistrationSource
from events.self_service_rules import SelfServiceCode
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Refusal, TooMany
from kernel.settings import Settings
from people.models import JournalEntry, Letter
from tests.factories import NOW, make_checkpoint, make_door, make_event, make_ticket_type

AT = NOW - timedelta(days=10)
LIN = Contact(name="林小满", email="lin@example.org", organisation="开源社")


@pytest.fixture(autouse=True)
def wired(database: Settings) -> None:
    main.create_app(database, workers=False)


async def world(**ticket: Any) -> tuple[Event, TicketType, Registration]:
    event = await make_event("coscon")
    kind = await make_ticket_type(event, "general", **({"quota": 1, "has_waitlist": True} | ticket))
    return event, kind, await register(event, kind)


async def register(event: Event, kind: TicketType, contact: Contact = LIN, **more: Any) -> Registration:
    number = await registrations.register(
        event_id=event.id,
        ticket_type_id=kind.id,
        contact=contact,
        source=RegistrationSource.FORM,
        locale="zh-Hans",
        at=AT,
        **more,
    )
    return await Registration.get(id=number)


def holder(row: Registration) -> Actor:
    return Actor(kind=ActorKind.HOLDER, id=row.id)


async def change(event: Event, row: Registration, contact: Contact, **more: Any) -> None:
    values: dict[str, Any] = {
        "actor": holder(row),
        "extras": Extras(),
        "asked": (),
        "locale": "zh-Hans",
        "at": AT,
        "request_id": uuid.uuid4(),
    }
    await self_service.change(
        event_id=event.id,
        registration_id=row.id,
        secret_round=row.secret_round,
        contact=contact,
        **(values | more),
    )


async def cancel(event: Event, row: Registration, **more: Any) -> None:
    values: dict[str, Any] = {"actor": holder(row), "at": AT, "request_id": uuid.uuid4()}
    await self_service.cancel(
        event_id=event.id, registration_id=row.id, secret_round=row.secret_round, **(values | more)
    )


async def answer(event: Event, row: Registration, accepts: bool, **more: Any) -> None:
    values: dict[str, Any] = {"actor": holder(row), "at": AT, "request_id": uuid.uuid4()}
    await self_service.answer_offer(
        event_id=event.id,
        registration_id=row.id,
        secret_round=row.secret_round,
        accepts=accepts,
        **(values | more),
    )


async def test_a_new_name_is_on_the_badge_at_once_and_the_journal_names_fields_only() -> None:
    event, _kind, row = await world()
    async with unit_of_work():
        diet = await FormField.create(event_id=event.id, code="diet", kind="line", label={"en": "Diet"})
    await change(
        event,
        row,
        replace(LIN, name="林大满", organisation="木兰"),
        extras=Extras({diet.id: "vegan"}),
        asked=[diet.id],
    )
    passport = (await passports.by_registration([row.id]))[row.id]
    assert (passport.badge_name, passport.badge_line) == ("林大满", "木兰")
    assert (await answers.of([row.id]))[row.id].answers[diet.id].value == "vegan"
    line = await JournalEntry.get(verb="registration.change")
    assert (line.actor_key, line.new) == (f"holder:{row.id}", {"fields": ["name", "organisation"]})
    assert await Letter.all().count() == 1, "no letter but the first"
    now = await Registration.get(id=row.id)
    assert now.external_id is None and now.secret_round == 0


async def test_what_another_system_calls_it_stays() -> None:
    event, _kind, row = await world()
    await registrations.change(
        actor=SYSTEM,
        event_id=event.id,
        registration_id=row.id,
        contact=LIN,
        external_id="order-1",
        external_code="SHOP-1",
        at=AT,
    )
    await change(event, row, replace(LIN, name="林大满"))
    now = await Registration.get(id=row.id)
    assert (now.external_id, now.external_code) == ("order-1", "SHOP-1")


async def test_a_new_address_gets_the_passport_and_the_old_one_a_word() -> None:
    event, _kind, row = await world()
    request_id = uuid.uuid4()
    moved = replace(LIN, email="new@example.org")
    for _ in range(2):
        await change(event, row, moved, request_id=request_id)
    first, word, passport = await Letter.all().order_by("id")
    assert (word.to_email, word.composer, passport.to_email, passport.composer) == (
        "lin@example.org",
        "",
        "new@example.org",
        "passport",
    )
    assert first.to_email == "lin@example.org" and "new@example.org" not in word.text
    with pytest.raises(Conflict, match=Code.REPLAY_MISMATCH):
        await change(event, row, LIN, request_id=request_id)


async def test_the_sixth_new_address_of_a_day_gets_no_letter() -> None:
    event, _kind, row = await world()
    for n in range(self_service.ADDRESSES_A_DAY):
        await change(event, row, replace(LIN, email=f"n{n}@example.org"))
    with pytest.raises(TooMany):
        await change(event, row, replace(LIN, email="more@example.org"))
    assert (await Registration.get(id=row.id)).email == "n4@example.org"
    await change(event, row, replace(LIN, email="more@example.org"), at=AT + timedelta(days=1, seconds=1))


async def test_the_date_decides_and_nothing_is_left_of_a_no() -> None:
    event, _kind, row = await world()
    before = [await JournalEntry.all().count(), await Letter.all().count()]
    until = AT + timedelta(days=1)
    async with unit_of_work():
        await Event.filter(id=event.id).update(self_service_until=until)
    for late in (change(event, row, replace(LIN, name="X"), at=until), cancel(event, row, at=until)):
        with pytest.raises(Conflict, match=SelfServiceCode.OVER):
            await late
    assert [await JournalEntry.all().count(), await Letter.all().count()] == before
    with pytest.raises(NotFound):
        await cancel(await make_event("other"), row)
    with pytest.raises(Invalid):
        await change(event, row, Contact(name="林小满"))
    await cancel(event, row, at=until - timedelta(seconds=1))
    assert (await Registration.get(id=row.id)).state == "cancelled"


async def test_cancelling_frees_the_place_and_the_list_moves_up() -> None:
    event, kind, row = await world()
    waits = await register(event, kind, Contact(name="在等", email="waits@example.org"), join_waitlist=True)
    third = await register(event, kind, Contact(name="还在等", email="third@example.org"), join_waitlist=True)
    facts = [await queries.find_registration(event.id, one.id) for one in (row, waits, third)]
    assert [await self_service.waiting_position(one) for one in facts if one] == [0, 1, 2]
    request_id = uuid.uuid4()
    for _ in range(2):
        await cancel(event, row, request_id=request_id)
    with pytest.raises(Conflict, match=SelfServiceCode.NOT_IN_STATE):
        await cancel(event, row)
    assert [(await Registration.get(id=one.id)).state for one in (row, waits, third)] == [
        "cancelled",
        "offered",
        "waitlisted",
    ]
    assert (await passports.by_registration([row.id]))[row.id].status == "cancelled"
    line = await JournalEntry.get(verb="registration.cancel")
    assert line.actor_key == f"holder:{row.id}"

    request_id = uuid.uuid4()
    for _ in range(2):
        await answer(event, waits, True, request_id=request_id)
    assert (await Registration.get(id=waits.id)).state == "confirmed"
    assert (await TicketType.get(id=kind.id)).taken == 1


async def test_a_slow_request_of_the_old_holder_writes_nothing_into_the_new_ones() -> None:
    event, _kind, row = await world()
    number = await transfers.begin(
        actor=holder(row),
        event_id=event.id,
        registration_id=row.id,
        secret_round=0,
        to_name="王接手",
        to_email="wang@example.org",
        at=AT,
        request_id=uuid.uuid4(),
    )
    await transfers.confirm(actor=holder(row), event_id=event.id, transfer_id=number, at=AT)
    await transfers.take(
        actor=SYSTEM,
        event_id=event.id,
        transfer_id=number,
        contact=Contact(name="王接手"),
        extras=Extras(),
        locale="en",
        at=AT,
        request_id=uuid.uuid4(),
    )
    late = (
        change(event, row, LIN),
        cancel(event, row),
        transfers.begin(
            actor=holder(row),
            event_id=event.id,
            registration_id=row.id,
            secret_round=0,
            to_name="再一个",
            to_email="more@example.org",
            at=AT,
            request_id=uuid.uuid4(),
        ),
    )
    for one in late:
        with pytest.raises(NotFound):
            await one
    now = await Registration.get(id=row.id)
    assert (now.name, now.email, now.state) == ("王接手", "wang@example.org", "confirmed")
    assert await transfers.open_of(row.id, AT) is None


@pytest.fixture
async def offered() -> tuple[Event, Registration]:
    event, kind, row = await world()
    waits = await register(event, kind, Contact(name="在等", email="waits@example.org"), join_waitlist=True)
    await cancel(event, row)
    return event, await Registration.get(id=waits.id)


async def test_a_replay_id_is_one_actors_own(offered: tuple[Event, Registration]) -> None:
    event, row = offered
    request_id = uuid.uuid4()
    await answer(event, row, False, request_id=request_id)
    with pytest.raises(Conflict, match=Code.REPLAY_MISMATCH):
        await answer(event, row, False, request_id=request_id, actor=SYSTEM)
    assert (await Registration.get(id=row.id)).state == "cancelled"


async def test_an_offer_is_answered_in_time_or_not_at_all(offered: tuple[Event, Registration]) -> None:
    event, row = offered
    assert row.offer_until is not None
    for accepts in (True, False):
        with pytest.raises(Conflict, match=SelfServiceCode.OFFER_OVER):
            await answer(event, row, accepts, at=row.offer_until)
    with pytest.raises(Conflict, match=SelfServiceCode.NOT_IN_STATE):
        await cancel(event, row)
    assert (await Registration.get(id=row.id)).state == "offered"


async def test_of_32_answers_at_once_one_is_given(offered: tuple[Event, Registration]) -> None:
    event, row = offered
    done = await asyncio.gather(*(answer(event, row, True) for _ in range(32)), return_exceptions=True)
    assert done.count(None) == 1
    assert all(isinstance(one, Refusal) for one in done if one is not None)


async def test_32_cancellations_free_one_place() -> None:
    event, kind, row = await world(quota=5)
    await register(event, kind, Contact(name="乙", email="b@example.org"))
    done = await asyncio.gather(*(cancel(event, row) for _ in range(32)), return_exceptions=True)
    assert done.count(None) == 1
    assert (await TicketType.get(id=kind.id)).taken == 1
    assert await JournalEntry.filter(verb="registration.cancel").count() == 1


async def test_who_is_in_the_hall_can_change_but_not_leave() -> None:
    event, _kind, row = await world()
    gate, door = await make_checkpoint(event), await make_door(event)
    passport = (await passports.by_registration([row.id]))[row.id]
    await scanning.scan(door=door, entry=ScanEntry(uuid.uuid4(), passport.token, gate.id), at=AT)
    assert await transfers.was_admitted(row.id)
    with pytest.raises(Conflict, match=SelfServiceCode.ADMITTED):
        await cancel(event, row)
    await change(event, row, replace(LIN, name="林大满"))
    view, facts = await queries.find_event_by_id(event.id), await queries.find_registration(event.id, row.id)
    assert view and facts
    found = await self_service.facts_of(view, facts, AT)
    assert found.was_admitted and not found.is_transferring


def test_what_is_typed_becomes_a_contact_or_a_problem_at_each_field() -> None:
    contact, problems = self_service.read_contact(
        {"name": " 林 小满 ", "email": "LIN@Example.org", "phone": "138 0013 8000", "badge_name": "小满 "}
    )
    assert contact == Contact(
        name="林 小满",
        email="lin@example.org",
        phone="+8613800138000",
        phone_last4="8000",
        badge_name="小满",
    )
    assert problems == {}
    contact, problems = self_service.read_contact(
        {"name": "", "email": "lin@", "phone": "1.38E+10", "position": "x" * 500}
    )
    assert contact is None and list(problems) == ["name", "email", "phone", "position"]
    assert problems["phone"].code == "phone_invalid"
    assert list(self_service.read_contact({"name": "x"})[1]) == ["email"]
    known, problems = self_service.read_contact({"name": "x", "email": "other@"}, known_email="a@x.org")
    assert known and known.email == "a@x.org" and not problems


def test_who_acts_is_the_account_or_else_the_holder() -> None:
    account = Actor(kind=ActorKind.ACCOUNT, id=7)
    assert self_service.holder(account, 3).key == "account:7"
    assert self_service.holder(Actor(), 3).key == "holder:3" and not self_service.holder(Actor(), 3).signed_in
