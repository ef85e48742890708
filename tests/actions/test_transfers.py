"""A registration goes to another person: both say yes, it happens once, and nothing of the old one works afterwards."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest

import main
from checkin import passports, scanning
from checkin.models import PassportCode, Scan
from checkin.rules import VerdictCode
from checkin.scanning import ScanEntry
from events import answers, registrations, transfers
from events.answers import Extras
from events.models import (
    Consent,
    ConsentText,
    Event,
    FormField,
    Registration,
    TicketType,
    Transfer,
)
from events.rules import Contact, RegistrationSource
from events.self_service_rules import SelfServiceCode
from events.transfers import Side
from kernel import db
from kernel.actor import ANONYMOUS, SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, TooMany
from kernel.settings import Settings
from people.models import JournalEntry, Letter
from tests.factories import NOW, make_checkpoint, make_door, make_event, make_ticket_type

AT = NOW - timedelta(days=10)
LIN = Contact(name="林小满", email="lin@example.org", phone="+8613800138000", organisation="开源社")
WANG = Contact(name="王接手", phone="+8613900139000", organisation="木兰社区")


@pytest.fixture(autouse=True)
def wired(database: Settings) -> None:
    main.create_app(database, workers=False)


async def world(contact: Contact = LIN, **more: Any) -> tuple[Event, TicketType, Registration]:
    event = await make_event("coscon")
    ticket_type = await make_ticket_type(event, "general", quota=5)
    number = await registrations.register(
        event_id=event.id,
        ticket_type_id=ticket_type.id,
        contact=contact,
        source=RegistrationSource.ORGANISER,
        locale="zh-Hans",
        at=AT,
        actor=SYSTEM,
        **more,
    )
    return event, ticket_type, await Registration.get(id=number)


def holder(row: Registration) -> Actor:
    return Actor(kind=ActorKind.HOLDER, id=row.id)


async def begin(event: Event, row: Registration, **more: Any) -> int:
    values: dict[str, Any] = {
        "actor": holder(row),
        "event_id": event.id,
        "registration_id": row.id,
        "secret_round": row.secret_round,
        "to_name": "王接手",
        "to_email": "Wang@Example.org",
        "at": AT,
        "request_id": uuid.uuid4(),
    }
    return await transfers.begin(**(values | more))


async def confirm(event: Event, number: int, at: Any = AT) -> None:
    await transfers.confirm(actor=ANONYMOUS, event_id=event.id, transfer_id=number, at=at)


async def take(event: Event, number: int, **more: Any) -> int:
    values: dict[str, Any] = {
        "actor": ANONYMOUS,
        "event_id": event.id,
        "transfer_id": number,
        "contact": WANG,
        "extras": Extras(),
        "locale": "en",
        "at": AT + timedelta(hours=1),
        "request_id": uuid.uuid4(),
    }
    return await transfers.take(**(values | more))


async def keys() -> list[str]:
    return [row.key for row in await Letter.all().order_by("id")]


async def test_two_say_yes_and_everything_is_the_other_persons() -> None:
    event, ticket_type, row = await world(external_code="BG-1", external_id="order-1")
    old = (await passports.by_registration([row.id]))[row.id]
    number = await begin(event, row)
    transfer = await Transfer.get()
    assert (transfer.state, transfer.to_email, transfer.open_for) == ("open", "wang@example.org", row.id)
    assert (await keys())[1:] == [f"transfer:{number}:asked"], (
        "nobody else hears of it before the holder's yes"
    )

    await confirm(event, number)
    await confirm(event, number)
    assert (await keys())[2:] == [f"transfer:{number}:offered"]
    assert await take(event, number) == row.id

    now = await Registration.get(id=row.id)
    assert (now.name, now.email, now.phone, now.phone_last4) == (
        "王接手",
        "wang@example.org",
        "+8613900139000",
        "9000",
    )
    assert (now.organisation, now.locale, now.state) == ("木兰社区", "en", "confirmed")
    assert (now.external_id, now.external_code, now.secret_round) == ("order-1", None, 1)
    assert "林小满" not in now.search and "王接手" in now.search
    assert await registrations.find_by_secret(event.id, registrations.secret_of(row.id, 0)) is None
    new = (await passports.by_registration([row.id]))[row.id]
    assert new.id == old.id and new.token != old.token and new.short_code != old.short_code
    assert (new.badge_name, new.badge_line) == ("王接手", "木兰社区")
    codes = {one.code: one.is_live for one in await PassportCode.filter(passport_id=new.id)}
    assert codes == {
        old.token: False,
        old.short_code: False,
        "BG-1": False,
        new.token: True,
        new.short_code: True,
    }
    ended = await Transfer.get()
    assert (ended.state, ended.open_for, ended.to_name, ended.to_email) == ("done", None, "", "")
    assert set((await keys())[3:]) == {f"transfer:{number}:taken", f"transfer:{number}:handed"}
    assert {(one.key, one.to_email) for one in await Letter.all() if one.key.startswith("transfer")} == {
        (f"transfer:{number}:asked", "lin@example.org"),
        (f"transfer:{number}:offered", "wang@example.org"),
        (f"transfer:{number}:taken", "wang@example.org"),
        (f"transfer:{number}:handed", "lin@example.org"),
    }
    assert (await TicketType.get(id=ticket_type.id)).taken == 1
    lines = [one for one in await JournalEntry.all().order_by("id") if "transfer" in one.verb]
    assert [(one.verb, one.actor_key) for one in lines] == [
        ("registration.transfer_begin", f"holder:{row.id}"),
        ("registration.transfer_confirm", "anonymous:0"),
        ("registration.transfer", "anonymous:0"),
    ]


async def test_at_the_door_the_old_code_is_revoked_and_the_new_one_admits() -> None:
    event, _, row = await world()
    gate, door = await make_checkpoint(event), await make_door(event)
    old = (await passports.by_registration([row.id]))[row.id]
    number = await begin(event, row)
    await confirm(event, number)
    await take(event, number)
    new = (await passports.by_registration([row.id]))[row.id]
    said = [
        (await scanning.scan(door=door, entry=ScanEntry(uuid.uuid4(), code, gate.id), at=NOW)).verdict
        for code in (old.token, old.short_code, new.token)
    ]
    assert said == [VerdictCode.REVOKED, VerdictCode.REVOKED, VerdictCode.ADMITTED]


async def test_the_links_are_made_when_a_letter_leaves_and_lie_nowhere() -> None:
    event, _, row = await world()
    number = await begin(event, row)
    secrets = {side: transfers.secret_of(number, side) for side in Side}
    assert len(set(secrets.values())) == 2
    asked = await transfers.giver_letter(number, "en")
    offered = await transfers.taker_letter(number, "zh-Hans")
    assert asked and f"/e/coscon/transfer?key={secrets[Side.GIVER]}" in asked.text_suffix
    assert offered and f"/e/coscon/transfer?key={secrets[Side.TAKER]}" in offered.text_suffix
    found = await transfers.find(event.id, secrets[Side.TAKER])
    assert found and (found[0].id, found[1]) == (number, Side.TAKER)
    other = await make_event("other")
    for wrong in (secrets[Side.TAKER][:-1], f"{secrets[Side.TAKER]}x", "", "x" * 500, "你好"):
        assert await transfers.find(event.id, wrong) is None
    assert await transfers.find(other.id, secrets[Side.TAKER]) is None
    for table in ("transfer", "letter", "journal_entry", "replay"):
        for line in await db.query(f"SELECT * FROM {table}"):
            assert not any(secret in str(value) for value in line.values() for secret in secrets.values())

    await confirm(event, number)
    assert await transfers.giver_letter(number, "en") is None, "confirmed: that letter has nothing to ask"
    await transfers.withdraw(actor=holder(row), event_id=event.id, transfer_id=number, at=AT)
    assert await transfers.taker_letter(number, "en") is None


async def test_without_an_address_naming_somebody_is_the_holders_yes() -> None:
    event, _, row = await world(Contact(name="林小满", phone="+8613800138000"))
    number = await begin(event, row)
    assert await keys() == [f"transfer:{number}:offered"]
    await take(event, number)
    assert await keys() == [f"transfer:{number}:offered", f"transfer:{number}:taken"]


async def test_what_was_personal_goes_with_the_person() -> None:
    event, _, row = await world()
    async with unit_of_work():
        diet = await FormField.create(event_id=event.id, code="diet", kind="line", label={"en": "Diet"})
        shirt = await FormField.create(
            event_id=event.id,
            code="old",
            kind="line",
            label={"en": "Old"},
            is_personal=False,
            is_active=False,
        )
        text = await ConsentText.create(
            event_id=event.id, code="photos", title={"en": "Photos"}, created_at=AT
        )
        await answers.store(
            event_id=event.id,
            registration_id=row.id,
            extras=Extras({diet.id: "mine", shirt.id: "mine"}, {text.id: True}),
            locale="zh-Hans",
            at=AT,
        )
    number = await begin(event, row)
    await confirm(event, number)
    await take(event, number, extras=Extras({diet.id: "theirs"}, {text.id: False}))
    stored = (await answers.of([row.id]))[row.id].answers
    assert {number: one.value for number, one in stored.items()} == {diet.id: "theirs", shirt.id: "mine"}
    assert [(one.is_given, one.locale) for one in await Consent.all()] == [(False, "en")]


async def test_nobody_takes_before_the_holder_has_said_yes() -> None:
    event, _, row = await world()
    number = await begin(event, row)
    with pytest.raises(Conflict, match=SelfServiceCode.TRANSFER_NOT_CONFIRMED):
        await take(event, number)
    assert (await Registration.get(id=row.id)).name == "林小满" and (await Transfer.get()).state == "open"


async def test_of_32_who_take_at_once_one_does() -> None:
    event, _, row = await world()
    number = await begin(event, row)
    await asyncio.gather(*(confirm(event, number) for _ in range(32)))
    done = await asyncio.gather(*(take(event, number) for _ in range(32)), return_exceptions=True)
    assert [one for one in done if not isinstance(one, BaseException)] == [row.id]
    refused = [one for one in done if isinstance(one, BaseException)]
    assert {type(one) for one in refused} == {Conflict}
    assert (await Registration.get(id=row.id)).secret_round == 1
    assert sorted((await keys())[1:]) == sorted(
        f"transfer:{number}:{what}" for what in ("asked", "offered", "taken", "handed")
    )
    assert await PassportCode.filter(kind="token").count() == 2
    assert await JournalEntry.filter(verb="registration.transfer").count() == 1
    assert await JournalEntry.filter(verb="registration.transfer_confirm").count() == 1


async def test_the_same_form_sent_again_is_once_and_another_body_is_refused() -> None:
    event, _, row = await world()
    request_id = uuid.uuid4()
    number = await begin(event, row, request_id=request_id)
    assert await begin(event, row, request_id=request_id) == number
    with pytest.raises(Conflict, match=Code.REPLAY_MISMATCH):
        await begin(event, row, request_id=request_id, to_name="另一个")
    await confirm(event, number)
    request_id = uuid.uuid4()
    taken = [await take(event, number, request_id=request_id) for _ in range(2)]
    assert taken == [row.id, row.id] and (await Registration.get(id=row.id)).secret_round == 1


async def test_only_one_is_open_and_of_32_who_begin_one_does() -> None:
    event, _, row = await world()
    done = await asyncio.gather(
        *(begin(event, row, to_email=f"one{n}@example.org") for n in range(32)), return_exceptions=True
    )
    assert len([one for one in done if isinstance(one, int)]) == 1
    assert await Transfer.filter(state="open").count() == await Transfer.all().count() == 1
    with pytest.raises(Conflict, match=SelfServiceCode.TRANSFER_OPEN):
        await begin(event, row)


@pytest.mark.parametrize("how", ["withdraw", "refuse", "expire"])
async def test_after_a_no_the_place_stays_and_another_may_be_named(how: str) -> None:
    event, _, row = await world()
    number = await begin(event, row)
    await confirm(event, number)
    late = AT + timedelta(days=8)
    if how == "expire":
        with pytest.raises(Conflict, match=SelfServiceCode.TRANSFER_ENDED):
            await take(event, number, at=late)
        await transfers.expire_due(AT + timedelta(days=6))
        assert (await Transfer.get()).state == "open"
        await transfers.expire_due(late)
    else:
        end = getattr(transfers, how)
        for _ in range(2):
            await end(actor=holder(row), event_id=event.id, transfer_id=number, at=AT)
        with pytest.raises(Conflict, match=SelfServiceCode.TRANSFER_ENDED):
            await take(event, number)
        with pytest.raises(Conflict, match=SelfServiceCode.TRANSFER_ENDED):
            await confirm(event, number)
    ended = await Transfer.get()
    states = {"withdraw": "withdrawn", "refuse": "refused", "expire": "expired"}
    assert (ended.state, ended.to_name, ended.to_email, ended.open_for) == (states[how], "", "", None)
    assert (f"transfer:{number}:refused" in await keys()) == (how == "refuse")
    assert (await Registration.get(id=row.id)).name == "林小满"
    assert await begin(event, row, at=late) > number


async def test_a_lapsed_one_stands_in_nobodys_way_before_the_broom_comes() -> None:
    event, _, row = await world()
    number = await begin(event, row)
    later = AT + timedelta(days=8)
    assert await transfers.open_of(row.id, later) is None
    assert await begin(event, row, at=later) != number
    assert [one.state for one in await Transfer.all().order_by("id")] == ["expired", "open"]


async def test_it_lapses_with_self_service() -> None:
    event, _, row = await world()
    near = NOW - timedelta(days=2)
    await begin(event, row, at=near)
    assert (await Transfer.get()).expires_at == NOW - timedelta(hours=9, minutes=30), "midnight in Shanghai"
    with pytest.raises(Conflict, match=SelfServiceCode.OVER):
        await begin(event, row, at=NOW)


async def test_who_was_admitted_is_replaced_by_nobody() -> None:
    event, _, row = await world()
    gate, door = await make_checkpoint(event), await make_door(event)
    number = await begin(event, row)
    await confirm(event, number)
    passport = (await passports.by_registration([row.id]))[row.id]
    await scanning.scan(door=door, entry=ScanEntry(uuid.uuid4(), passport.token, gate.id), at=AT)
    assert await Scan.all().count() == 1
    with pytest.raises(Conflict, match=SelfServiceCode.ADMITTED):
        await take(event, number)
    assert (await Transfer.get()).state == "open" and (await Registration.get(id=row.id)).name == "林小满"
    # Let in between our look and the commit: the passport's own floor says no, and nothing is left of it.
    transfers._Wiring.was_admitted = transfers._nobody
    with pytest.raises(Conflict, match=SelfServiceCode.ADMITTED):
        await take(event, number)
    assert (await Registration.get(id=row.id)).secret_round == 0
    assert (await passports.by_registration([row.id]))[row.id].token == passport.token


async def test_a_cancelled_registration_takes_its_transfer_with_it() -> None:
    event, _, row = await world()
    number = await begin(event, row)
    await registrations.cancel(actor=SYSTEM, event_id=event.id, registration_id=row.id, at=AT)
    ended = await Transfer.get()
    assert (ended.state, ended.to_email) == ("withdrawn", "")
    with pytest.raises(Conflict, match=SelfServiceCode.TRANSFER_ENDED):
        await take(event, number)


async def test_bad_names_and_addresses_are_told_at_their_field() -> None:
    event, _, row = await world()
    with pytest.raises(Invalid) as refused:
        await begin(event, row, to_name=" ", to_email="wang@")
    assert set(refused.value.fields) == {"to_name", "to_email"}
    with pytest.raises(Invalid) as refused:
        await begin(event, row, to_email="LIN@example.org")
    assert refused.value.fields["to_email"].code == SelfServiceCode.TRANSFER_TO_ONESELF
    with pytest.raises(NotFound):
        await begin(await make_event("other"), row)
    with pytest.raises(NotFound):
        await transfers.withdraw(actor=SYSTEM, event_id=event.id, transfer_id=99, at=AT)
    assert await Transfer.all().count() == 0


async def test_the_sixth_stranger_of_a_day_gets_no_letter() -> None:
    event, _, row = await world()
    for n in range(transfers.OFFERS_A_DAY):
        number = await begin(event, row, to_email=f"one{n}@example.org")
        await transfers.withdraw(actor=holder(row), event_id=event.id, transfer_id=number, at=AT)
    with pytest.raises(TooMany):
        await begin(event, row)
    assert await begin(event, row, at=AT + timedelta(days=1, seconds=1))
