"""Two records of one person become one: both codes lead to it, one place is given back, once, and scans stay."""

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
from events import answers, merging, registrations, transfers
from events.answers import Extras
from events.merging import TICKET
from events.merging_rules import Alike, MergeCode
from events.models import ConsentText, Event, FormField, Registration, SharedQuota, TicketType
from events.rules import Contact, RegistrationSource
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound
from kernel.settings import Settings
from people.models import JournalEntry, Letter
from tests.factories import (
    NOW,
    make_checkpoint,
    make_door,
    make_event,
    make_registration,
    make_ticket_type,
)

AT = NOW - timedelta(days=10)
LIN = Contact(name="林小满", email="lin@example.org", organisation="开源社")
TWIN = Contact(name="Lin Xiaoman", badge_name="Xiaoman", email="lin@example.org", phone="+8613800138000")


@pytest.fixture(autouse=True)
def wired(database: Settings) -> None:
    main.create_app(database, workers=False)


async def world(**ticket: Any) -> tuple[Event, TicketType]:
    event = await make_event("coscon")
    return event, await make_ticket_type(event, "general", **({"quota": 5} | ticket))


async def register(event: Event, ticket_type: TicketType, contact: Contact = LIN, **more: Any) -> int:
    return await registrations.register(
        event_id=event.id,
        ticket_type_id=ticket_type.id,
        contact=contact,
        source=RegistrationSource.ORGANISER,
        locale="zh-Hans",
        at=AT,
        actor=SYSTEM,
        **more,
    )


async def merge(event: Event, keep: int, drop: int, *from_drop: str, **more: Any) -> None:
    values: dict[str, Any] = {"at": AT, "actor": SYSTEM, "request_id": uuid.uuid4()}
    await merging.merge(
        event_id=event.id, keep_id=keep, drop_id=drop, from_drop=frozenset(from_drop), **(values | more)
    )


async def taken(ticket_type: TicketType) -> int:
    return (await TicketType.get(id=ticket_type.id)).taken


async def passport(number: int) -> passports.PassportView:
    return (await passports.by_registration([number]))[number]


async def test_both_codes_lead_to_the_one_that_stays() -> None:
    event, kind = await world()
    keep = await register(event, kind, external_code="SHOP-1")
    drop = await register(event, kind, TWIN, external_code="SHOP-2", external_id="order-2")
    mine, theirs = await passport(keep), await passport(drop)
    await merge(event, keep, drop, "badge_name", "phone")

    now, gone = await Registration.get(id=keep), await Registration.get(id=drop)
    assert (now.name, now.badge_name, now.phone, now.phone_last4) == (
        "林小满",
        "Xiaoman",
        "+8613800138000",
        "8000",
    )
    assert (now.external_id, now.external_code, now.state) == ("order-2", "SHOP-1", "confirmed")
    assert (gone.state, gone.merged_into_id, gone.external_id, gone.external_code) == (
        "cancelled",
        keep,
        None,
        None,
    )
    assert await taken(kind) == 1
    assert (await passport(keep)).badge_name == "Xiaoman"

    gate, door = await make_checkpoint(event, on_repeat="warn"), await make_door(event)
    codes = [theirs.token, theirs.short_code, "SHOP-2", mine.token, mine.short_code, "SHOP-1"]
    said = []
    for code in codes:
        answer = await scanning.scan(door=door, entry=ScanEntry(uuid.uuid4(), code, gate.id), at=NOW)
        assert answer.holder and answer.holder.passport_id == mine.id, code
        said.append(answer.verdict)
    assert said == [VerdictCode.ADMITTED, *[VerdictCode.ALREADY_HERE] * 5]
    for token in (mine.token, theirs.token):
        found = await passports.by_token(token)
        assert found and found.id == mine.id and found.is_live

    # A later change of the survivor leaves the codes that it took over alone; a new passport replaces only our own.
    await registrations.change(
        actor=SYSTEM, event_id=event.id, registration_id=keep, contact=LIN, external_code="SHOP-9", at=AT
    )
    live = {row.code for row in await PassportCode.filter(passport_id=mine.id, is_live=True)}
    assert live == {mine.token, mine.short_code, theirs.token, theirs.short_code, "SHOP-2", "SHOP-9"}
    new = await passports.reissue(actor=SYSTEM, event_id=event.id, passport_id=mine.id, at=AT)
    live = {row.code for row in await PassportCode.filter(passport_id=mine.id, is_live=True)}
    assert live == {new.token, new.short_code, "SHOP-2", "SHOP-9"}

    line = await JournalEntry.get(verb="registration.merge")
    assert (line.object_id, line.new) == (keep, {"merged_id": drop, "fields": ["badge_name", "phone"]})
    assert not [one for one in await Letter.all() if "cancel" in one.key], (
        "nobody is told that they are cancelled"
    )
    with pytest.raises(Conflict):
        await registrations.restore(actor=SYSTEM, event_id=event.id, registration_id=drop, at=AT)


async def test_a_code_that_only_the_other_had_is_the_survivors_own() -> None:
    event, kind = await world()
    keep, drop = await register(event, kind), await register(event, kind, TWIN, external_code="SHOP-2")
    await merge(event, keep, drop)
    assert (await Registration.get(id=keep)).external_code == "SHOP-2"
    row = await PassportCode.get(code="SHOP-2")
    assert (row.kind, row.is_live, row.passport_id) == ("external", True, (await passport(keep)).id)
    await registrations.change(
        actor=SYSTEM, event_id=event.id, registration_id=keep, contact=LIN, external_code="", at=AT
    )
    assert not (await PassportCode.get(code="SHOP-2")).is_live


async def test_the_better_ticket_is_taken_over_and_every_count_stays_right() -> None:
    event, small = await world(quota=1, has_waitlist=True)
    async with unit_of_work():
        hall = await SharedQuota.create(event_id=event.id, name={"en": "Hall"}, quota=9)
    big = await make_ticket_type(event, "big", quota=5, shared_quota_id=hall.id)
    keep = await registrations.register(
        event_id=event.id,
        ticket_type_id=small.id,
        contact=LIN,
        source=RegistrationSource.FORM,
        locale="zh-Hans",
        at=AT,
    )
    waiting = await registrations.register(
        event_id=event.id,
        ticket_type_id=small.id,
        contact=Contact(name="在等", email="waits@example.org"),
        source=RegistrationSource.FORM,
        locale="zh-Hans",
        at=AT,
        join_waitlist=True,
    )
    drop = await register(event, big, TWIN)
    await merge(event, keep, drop, TICKET)
    now = await Registration.get(id=keep)
    assert (now.ticket_type_id, now.state) == (big.id, "confirmed")
    assert (await passport(keep)).ticket_type_id == big.id
    assert await taken(big) == 1 and (await SharedQuota.get()).taken == 1
    # The place of the small type was freed, once, and went to the one who waits.
    assert await taken(small) == 1 and (await Registration.get(id=waiting)).state == "offered"
    before = [await taken(small), await taken(big)]
    await registrations.recount_places(event.id)
    assert [await taken(small), await taken(big)] == before


async def test_a_waiting_record_takes_the_confirmed_ones_place() -> None:
    event, kind = await world(quota=1, has_waitlist=True)
    drop = await register(event, kind, TWIN)
    keep = await registrations.register(
        event_id=event.id,
        ticket_type_id=kind.id,
        contact=LIN,
        source=RegistrationSource.FORM,
        locale="zh-Hans",
        at=AT,
        join_waitlist=True,
    )
    found = await merging.preview(event_id=event.id, keep_id=keep, drop_id=drop)
    assert found.choices[TICKET] is False and found.trouble is None
    await merge(event, keep, drop, TICKET)
    assert (await Registration.get(id=keep)).state == "confirmed"
    assert (await Registration.get(id=drop)).state == "cancelled" and await taken(kind) == 1


async def test_who_was_let_in_stays_and_scans_stay_where_they_are() -> None:
    event, kind = await world()
    one, other, third = [await register(event, kind) for _ in range(3)]
    gate, door = await make_checkpoint(event), await make_door(event)
    theirs = await passport(other)
    await scanning.scan(door=door, entry=ScanEntry(uuid.uuid4(), theirs.token, gate.id), at=AT)
    found = await merging.preview(event_id=event.id, keep_id=one, drop_id=other)
    assert found.trouble is MergeCode.OTHER_ADMITTED
    with pytest.raises(Conflict, match=MergeCode.OTHER_ADMITTED):
        await merge(event, one, other)
    # Let in between our look and the commit: the passport's own floor says no, and nothing is left of it.
    transfers._Wiring.was_admitted = transfers._nobody
    with pytest.raises(Conflict, match=MergeCode.OTHER_ADMITTED):
        await merge(event, one, other)
    transfers._Wiring.was_admitted = passports.admitted
    assert await taken(kind) == 3 and (await Registration.get(id=other)).merged_into_id is None

    await merge(event, other, one)
    assert [row.passport_id for row in await Scan.all()] == [theirs.id]
    await scanning.scan(
        door=door, entry=ScanEntry(uuid.uuid4(), (await passport(third)).token, gate.id), at=AT
    )
    with pytest.raises(Conflict, match=MergeCode.BOTH_ADMITTED):
        await merge(event, other, third)


async def test_answers_and_consents_fill_the_gaps_only() -> None:
    event, kind = await world()
    keep, drop = await register(event, kind), await register(event, kind, TWIN)
    async with unit_of_work():
        diet = await FormField.create(event_id=event.id, code="diet", kind="line", label={"en": "Diet"})
        size = await FormField.create(event_id=event.id, code="size", kind="line", label={"en": "Size"})
        text = await ConsentText.create(
            event_id=event.id, code="photos", title={"en": "Photos"}, created_at=AT
        )
        for number, extras in (
            (keep, Extras({diet.id: "mine"}, {})),
            (drop, Extras({diet.id: "theirs", size.id: "XL"}, {text.id: True})),
        ):
            await answers.store(event_id=event.id, registration_id=number, extras=extras, locale="en", at=AT)
    assert (await merging.preview(event_id=event.id, keep_id=keep, drop_id=drop)).answers_taken == 1
    await merge(event, keep, drop)
    now = await answers.of([keep, drop])
    assert {one: answer.value for one, answer in now[keep].answers.items()} == {
        diet.id: "mine",
        size.id: "XL",
    }
    assert now[keep].consents[text.id].is_given and now[drop].answers[diet.id].value == "theirs"


async def test_of_16_merges_either_way_one_happens() -> None:
    event, kind = await world()
    one, other = await register(event, kind), await register(event, kind, TWIN)
    done = await asyncio.gather(
        *(merge(event, *pair) for _ in range(8) for pair in ((one, other), (other, one))),
        return_exceptions=True,
    )
    assert done.count(None) == 1 and {type(item) for item in done} == {type(None), Conflict}
    assert await taken(kind) == 1
    assert await Registration.filter(merged_into_id__not_isnull=True).count() == 1
    assert await JournalEntry.filter(verb="registration.merge").count() == 1


async def test_the_same_form_twice_is_once() -> None:
    event, kind = await world()
    keep, drop = await register(event, kind), await register(event, kind, TWIN)
    request_id = uuid.uuid4()
    for _ in range(2):
        await merge(event, keep, drop, request_id=request_id)
    with pytest.raises(Conflict, match=MergeCode.MERGED_ALREADY):
        await merge(event, keep, drop)
    with pytest.raises(Conflict, match=MergeCode.ITSELF):
        await merge(event, keep, keep)
    assert await taken(kind) == 1


async def test_who_was_merged_before_follows_in_one_step() -> None:
    event, kind = await world()
    first, second, third = [await register(event, kind) for _ in range(3)]
    token = (await passport(first)).token
    await merge(event, second, first)
    await merge(event, third, second)
    assert await merging.survivors_of([first, second, third]) == {first: third, second: third}
    found = await passports.by_token(token)
    assert found and found.id == (await passport(third)).id and await taken(kind) == 1


async def test_a_choice_that_leaves_nobody_to_reach_is_refused() -> None:
    event, kind = await world()
    keep = await register(event, kind)
    drop = await register(event, kind, Contact(name="林小满", phone="+8613800138000"))
    with pytest.raises(Invalid):
        await merge(event, keep, drop, "email")
    assert await taken(kind) == 2
    with pytest.raises(NotFound):
        await merge(await make_event("other"), keep, drop)


async def test_who_looks_like_one_person() -> None:
    event, kind = await world(quota=None)
    lin, twin = await register(event, kind), await register(event, kind, TWIN)
    same = await register(event, kind, Contact(name="林小满", phone="+8613900139000", organisation="开源社"))
    for more in ({"state": "cancelled"}, {"merged_into_id": lin}, {"erased_at": AT}):
        await make_registration(event, kind, name="林小满", email="lin@example.org", **more)
    other = await make_event("other")
    await register(other, await make_ticket_type(other), LIN)
    before = db.stats.statements
    found = await merging.suggestions(event.id)
    used = db.stats.statements - before
    assert [(pair.first_id, pair.second_id, pair.reasons) for pair, _, _ in found] == [
        (lin, same, (Alike.NAME,)),
        (lin, twin, (Alike.EMAIL,)),
    ]
    assert found[0][2].contact.phone == "+8613900139000"
    for n in range(3):
        for _ in range(2):
            await register(event, kind, Contact(name=f"双份{n}", email=f"two{n}@example.org"))
    before = db.stats.statements
    assert len(await merging.suggestions(event.id)) == 5
    assert db.stats.statements - before == used <= 5
