"""Scans kept apart: let in once however often and by whoever, dropped with a reason, never counted by themselves."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from checkin import devices, phone_tests, privacy, quarantine, scanning
from checkin.device_rules import DeviceCode
from checkin.models import Device, DevicePairing, PhoneTest, QuarantinedScan, Scan
from checkin.rules import VerdictCode
from checkin.scanning import Answer, ScanEntry
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound, Refusal
from kernel.settings import Settings
from people.models import JournalEntry
from tests.actions.test_devices import KEY, House, _lead, entry, house
from tests.factories import make_checkpoint, make_event

__all__ = ["house"]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(autouse=True)
async def _keys(database: Settings) -> None:
    quarantine.configure(key=KEY)
    phone_tests.configure(key=KEY)


async def _held(house: House, *entries: ScanEntry, wiped: bool = True) -> int:
    """A device that was paired an hour ago, is revoked, and hands these over; gives its number."""
    paired = await house.paired()
    async with unit_of_work():
        await Device.filter(id=paired.device_id).update(paired_at=now() - timedelta(hours=1))
    await devices.revoke(door=house.lead, device_id=paired.device_id, at=now())
    actor = await devices.actor_for_token(paired.token)
    await quarantine.take(actor=actor, entries=entries, is_wiped=wiped, at=now())
    return paired.device_id


async def _ids() -> list[int]:
    return [row.id for row in await QuarantinedScan.all().order_by("id")]


async def test_what_is_let_in_is_an_ordinary_scan_of_its_own_time(house: House) -> None:
    first, second = entry(house.guests[0], house.gate, 600_000), entry(house.guests[0], house.gate, 300_000)
    device_id = await _held(house, second, first)
    assert await Scan.all().count() == 0
    assert await quarantine.count(door=house.lead) == 2
    row = await QuarantinedScan.get(scan_id=first.scan_id)
    answers = await quarantine.let_in(door=house.lead, ids=await _ids(), at=now() + timedelta(hours=3))
    # In the order in which they were made, whatever the order in which they came.
    assert [one.verdict for one in answers if isinstance(one, Answer)] == [
        VerdictCode.ADMITTED,
        VerdictCode.WELCOME_BACK,
    ]
    scan = await Scan.get(scan_id=first.scan_id)
    assert (scan.at, scan.received_at, scan.is_doubtful) == (row.at, row.received_at, False)
    assert scan.actor_key == house.lead.actor.key
    assert {one.verdict for one in await QuarantinedScan.filter(state="let_in")} == {
        "admitted",
        "welcome_back",
    }
    lines = await JournalEntry.filter(verb="quarantine.let_in")
    assert [line.object_id for line in lines] == [device_id, device_id]
    assert await quarantine.count(door=house.lead) == 0


async def test_two_leads_let_the_same_scans_in_at_once_and_each_is_one(house: House) -> None:
    await _held(house, *(entry(guest, house.gate, 60_000) for guest in house.guests))
    other, ids = await _lead(house.event), await _ids()
    await asyncio.gather(
        *(quarantine.let_in(door=door, ids=ids, at=now()) for door in (house.lead, other) for _ in range(4))
    )
    assert sorted(row.passport_id or 0 for row in await Scan.all()) == sorted(one.id for one in house.guests)
    assert await JournalEntry.filter(verb="quarantine.let_in").count() == 3
    assert await QuarantinedScan.filter(state="let_in").count() == 3
    assert await quarantine.let_in(door=house.lead, ids=ids, at=now()) == []


async def test_somebodys_yes_and_somebodys_no_at_once_are_one_of_them(house: House) -> None:
    await _held(house, entry(house.guests[0], house.gate, 60_000))
    ids = await _ids()
    await asyncio.gather(
        quarantine.let_in(door=house.lead, ids=ids, at=now()),
        quarantine.drop(door=house.lead, ids=ids, reason="stolen", at=now()),
    )
    row = await QuarantinedScan.get()
    assert await Scan.all().count() == (1 if row.state == "let_in" else 0)
    assert row.state in ("let_in", "dropped")


async def test_half_way_is_finished_by_the_next(house: House) -> None:
    """The process ended between the claim and the door, or between the door and the note about it."""
    held = entry(house.guests[0], house.gate, 60_000)
    await _held(house, held)
    [one] = await quarantine.list_held(door=house.lead)
    async with unit_of_work():
        await QuarantinedScan.all().update(state="letting_in")
    await scanning.scan(
        door=house.lead,
        entry=ScanEntry(
            one.scan_id,
            one.short_code,
            one.checkpoint_id,
            age_ms=round((one.received_at - one.at).total_seconds() * 1000),
        ),
        at=one.received_at,
    )
    other = await _lead(house.event)
    assert await quarantine.drop(door=other, ids=[one.id], reason="stolen", at=now()) == 0
    [answer] = await quarantine.let_in(door=other, ids=[one.id], at=now())
    assert isinstance(answer, Conflict)
    assert (await QuarantinedScan.get()).state == "let_in"
    assert await Scan.all().count() == 1


async def test_dropping_needs_a_reason_and_counts_nothing(house: House) -> None:
    await _held(house, entry(house.guests[0], house.gate, 60_000), entry(house.guests[1], house.gate, 60_000))
    first, second = await _ids()
    with pytest.raises(Invalid):
        await quarantine.drop(door=house.lead, ids=[first], reason="  ", at=now())
    assert await quarantine.drop(door=house.lead, ids=[first], reason="stolen at ten", at=now()) == 1
    assert await quarantine.drop(door=house.lead, ids=[first], reason="again", at=now()) == 0
    assert [one.id for one in await quarantine.list_held(door=house.lead)] == [second]
    assert (await QuarantinedScan.get(id=first)).reason == "stolen at ten"
    assert await Scan.all().count() == 0
    # The reason is free text: it stands in no journal, and goes with the people.
    assert "stolen" not in str([line.new for line in await JournalEntry.all()])
    async with unit_of_work():
        await privacy.follow_emptying(house.event.id)
    assert (await QuarantinedScan.get(id=first)).reason == ""


async def test_nobody_known_can_not_be_let_in(house: House) -> None:
    unknown = ScanEntry(uuid.uuid4(), "WX-payment-code-1234567", house.gate.id, age_ms=1000)
    await _held(house, unknown)
    row = await QuarantinedScan.get()
    assert "payment" not in str(dict(row.__dict__))
    [answer] = await quarantine.let_in(door=house.lead, ids=[row.id], at=now())
    assert isinstance(answer, NotFound)
    assert answer.code == DeviceCode.HELD_UNKNOWN_PERSON
    assert await quarantine.count(door=house.lead) == 1


async def test_a_lead_decides_at_own_checkpoints(house: House) -> None:
    elsewhere = await make_checkpoint(await make_event("meetup"))
    await _held(
        house,
        entry(house.guests[0], house.gate, 60_000),
        entry(house.guests[1], house.lunch, 60_000),
        entry(house.guests[2], elsewhere, 60_000),
    )
    narrow = replace(
        house.lead,
        scopes=tuple(
            replace(one, scope_kind="checkpoint", scope_id=house.gate.id) for one in house.lead.scopes
        ),
    )
    assert await quarantine.count(door=narrow) == 1
    assert len(await quarantine.let_in(door=narrow, ids=await _ids(), at=now())) == 1
    assert await Scan.all().count() == 1
    # What names a checkpoint of another event is shown, and the door refuses it.
    answers = await quarantine.let_in(door=house.lead, ids=await _ids(), at=now())
    assert [isinstance(one, Refusal) for one in answers] == [False, True]


async def test_a_phones_word_is_kept_and_wiping_is_noted_once(house: House) -> None:
    device_id = await _held(house, wiped=False)
    assert (await Device.get(id=device_id)).wiped_at is None
    other = await _held(house)
    first = (await Device.get(id=other)).wiped_at
    assert first is not None


async def test_phone_tests_are_kept_per_phone_and_erased(house: House) -> None:
    await phone_tests.make_links(door=house.lead, volunteers=["林小满"], at=now())
    [link] = await phone_tests.links(house.event.id, now())
    assert await phone_tests.find(event_id=house.event.id, secret=link.secret, at=now()) == link
    phone = uuid.uuid4()
    for passed in (False, True):
        told = phone_tests.Told(phone, "", {"camera": passed, "secure": True, "x": True}, "webkit touch", 120)
        await asyncio.gather(*(phone_tests.tell(link=link, told=told, at=now()) for _ in range(4)))
    [found] = await phone_tests.results(house.event.id)
    assert (found.name, found.failed) == (
        "林小满",
        ["service_worker", "storage", "decoder", "round_trip"],
    )
    await phone_tests.erase(door=house.lead, test_id=found.id, at=now())
    assert await PhoneTest.all().count() == 0
    with pytest.raises(NotFound):
        await phone_tests.erase(door=await _lead(await make_event("meetup")), link_id=link.id, at=now())
    for event_id, secret in ((house.event.id, "x" * 22), (house.event.id + 1, link.secret)):
        with pytest.raises(NotFound):
            await phone_tests.find(event_id=event_id, secret=secret, at=now())


async def test_with_the_events_people_go_the_names_of_who_carried_its_phones(house: House) -> None:
    await house.sheet(volunteers=["林小满"])
    await house.paired(volunteers=["王大锤"])
    await phone_tests.make_links(door=house.lead, volunteers=["李四"], at=now())
    async with unit_of_work():
        await privacy.follow_emptying(house.event.id)
    left = [row.volunteer for row in await Device.all()] + [
        row.volunteer for row in await DevicePairing.all()
    ]
    assert left == ["", "", ""]
    assert await phone_tests.links(house.event.id, now()) == []
