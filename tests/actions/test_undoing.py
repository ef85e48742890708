"""A scan that is taken back counts nowhere, once, and everything derived from the ledger can still be rebuilt."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from checkin import counting, passports, queries, scanning, undoing
from checkin.lead_rules import UNDO_WITHIN
from checkin.models import Arrival, Checkpoint, Passport, Presence, Scan, ScanReason
from checkin.rules import CheckinCode, Direction, VerdictCode
from checkin.scanning import ScanEntry
from events.access import Door
from events.models import Event
from kernel.errors import Code, Conflict, Forbidden, NotFound, Refusal
from kernel.settings import Settings
from tests.factories import make_checkpoint, make_door, make_event, make_passport, make_ticket_type

NOW = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)


async def house(**gate: object) -> tuple[Event, Passport, Checkpoint, Door]:
    event = await make_event()
    kind = await make_ticket_type(event)
    passport = await make_passport(event, kind)
    return event, passport, await make_checkpoint(event, **gate), await make_door(event, "volunteer_lead")


async def scan(door: Door, passport: Passport, gate: Checkpoint, *, minute: int = 0, **more: object) -> UUID:
    entry = ScanEntry(uuid4(), passport.short_code, gate.id, **more)  # type: ignore[arg-type]
    await scanning.scan(door=door, entry=entry, at=NOW + timedelta(minutes=minute))
    return entry.scan_id


async def undo(door: Door, target: UUID, *, minute: int = 5, scan_id: UUID | None = None) -> VerdictCode:
    return await undoing.undo(
        door=door,
        scan_id=scan_id or uuid4(),
        target=target,
        reason="a slip",
        at=NOW + timedelta(minutes=minute),
    )


async def figures(gate: Checkpoint) -> tuple[int | None, int | None, int | None]:
    found = await counting.counts(checkpoint_id=gate.id, programme_date=NOW.date())
    return found["entries"], found["exits"], found["inside"]


async def test_an_entry_taken_back_counts_nowhere_and_the_person_may_come_again(database: Settings) -> None:
    event, passport, gate, door = await house(capacity=1)
    target = await scan(door, passport, gate)
    assert (await figures(gate), await Arrival.all().count()) == ((1, 0, 1), 1)
    assert await undo(door, target) is VerdictCode.ENTRY_UNDONE
    assert (await figures(gate), await Arrival.all().count()) == ((0, 0, 0), 0)
    assert (await Presence.get()).inside == 0
    assert await passports.admitted([passport.registration_id]) == frozenset()
    listed = await queries.expected_people(event_id=event.id, list_id=gate.list_id, period="2023-10-28")
    assert listed.here == 0
    board = await counting.board(event_id=event.id, at=NOW)
    assert (board["arrived"], board["latest"][0]["verdict"]) == (0, "entry_undone")
    await scan(door, passport, gate, minute=6)
    assert (await figures(gate), await Arrival.all().count()) == ((1, 0, 1), 1)
    assert [(row.verdict, row.turn, row.direction) for row in await Scan.all().order_by("id")] == [
        ("admitted", 0, "entry"),
        ("entry_undone", 0, "undo"),
        ("admitted", 1, "entry"),
    ]
    assert await counting.differences(event.id) == []


async def test_a_meal_taken_back_may_be_had(database: Settings) -> None:
    _, passport, gate, door = await house(kind="meal", on_repeat="refuse", once="event")
    target = await scan(door, passport, gate)
    await undo(door, target)
    again = await scan(door, passport, gate, minute=6)
    assert (await Scan.get(scan_id=again)).verdict == "admitted"
    third = await scan(door, passport, gate, minute=7)
    assert (await Scan.get(scan_id=third)).verdict == "already_used"


async def test_an_exit_taken_back_means_inside_again(database: Settings) -> None:
    event, passport, gate, door = await house(scans_exits=True)
    await scan(door, passport, gate)
    target = await scan(door, passport, gate, minute=1, direction=Direction.EXIT)
    assert await figures(gate) == (1, 1, 0)
    assert await undo(door, target) is VerdictCode.EXIT_UNDONE
    assert await figures(gate) == (1, 0, 1)
    repeat = await scan(door, passport, gate, minute=6)
    assert (await Scan.get(scan_id=repeat)).verdict == "welcome_back"
    gone = await scan(door, passport, gate, minute=7, direction=Direction.EXIT)
    assert (await Scan.get(scan_id=gone)).turn == 1
    assert await counting.differences(event.id) == []


async def test_what_can_not_be_taken_back_is_said_and_leaves_no_trace(database: Settings) -> None:
    event, passport, gate, door = await house(scans_exits=True)
    first = await scan(door, passport, gate)
    last = await scan(door, passport, gate, minute=1, direction=Direction.EXIT)
    other_event, *_ = await house()
    stranger = await make_door(other_event, "volunteer_lead")
    scanner = await make_door(event, "scanner")
    late = (UNDO_WITHIN + timedelta(minutes=2)).seconds // 60
    for actor, target, minute, wanted in (
        (door, first, 5, (Conflict, CheckinCode.UNDO_NOT_LATEST)),
        (door, last, late, (Conflict, CheckinCode.UNDO_TOO_LATE)),
        (door, uuid4(), 5, (NotFound, CheckinCode.PASSPORT_UNKNOWN)),
        (stranger, last, 5, (NotFound, CheckinCode.PASSPORT_UNKNOWN)),
        (scanner, last, 5, (Forbidden, CheckinCode.CHECKPOINT_NOT_YOURS)),
    ):
        with pytest.raises(Refusal) as refused:
            await undo(actor, target, minute=minute)
        assert (type(refused.value), refused.value.code) == wanted
    assert (await Scan.all().count(), await ScanReason.all().count()) == (2, 0)


async def test_the_same_id_is_the_same_undo_and_another_body_a_conflict(database: Settings) -> None:
    _, passport, gate, door = await house()
    target = await scan(door, passport, gate)
    number = uuid4()
    for _ in range(3):
        assert await undo(door, target, scan_id=number) is VerdictCode.ENTRY_UNDONE
    again = await scan(door, passport, gate, minute=6)
    with pytest.raises(Conflict) as refused:
        await undo(door, again, scan_id=number)
    assert refused.value.code == Code.REPLAY_MISMATCH
    assert await Scan.filter(direction="undo").count() == 1


async def test_of_32_leads_at_once_one_takes_it_back(database: Settings) -> None:
    event, passport, gate, door = await house(scans_exits=True, capacity=5)
    target = await scan(door, passport, gate)
    tries = await asyncio.gather(*(undo(door, target) for _ in range(32)), return_exceptions=True)
    assert [one for one in tries if isinstance(one, VerdictCode)] == [VerdictCode.ENTRY_UNDONE]
    assert {one.code for one in tries if isinstance(one, Refusal)} == {CheckinCode.UNDO_NOT_LATEST}
    assert await Scan.filter(direction="undo").count() == 1
    assert await counting.differences(event.id) == []


async def test_undoing_while_others_scan_leaves_every_total_right(database: Settings) -> None:
    event, passport, gate, door = await house(scans_exits=True, capacity=3)
    target = await scan(door, passport, gate)
    await asyncio.gather(
        undo(door, target),
        *(scan(door, passport, gate, minute=1) for _ in range(8)),
        *(scan(door, passport, gate, minute=1, direction=Direction.EXIT) for _ in range(8)),
        return_exceptions=True,
    )
    assert await counting.differences(event.id) == []
    inside = (await Presence.get()).inside
    assert inside in (0, 1)


async def test_a_second_lunch_by_a_leads_word_counts_once_more_and_nobody_twice(database: Settings) -> None:
    event, passport, gate, door = await house(kind="meal", on_repeat="refuse", capacity=1)
    await scan(door, passport, gate)
    second = await scan(door, passport, gate, minute=1, reason="spilt it")
    row = await Scan.get(scan_id=second)
    assert (row.verdict, row.turn, row.met_turn) == ("admitted_by_lead", None, 0)
    assert await figures(gate) == (2, 0, 1)
    assert await counting.differences(event.id) == []


async def test_a_full_batch_with_a_leads_word_counts_each_once(database: Settings) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    gate = await make_checkpoint(event, capacity=2, scans_exits=True)
    door = await make_door(event, "volunteer_lead")
    people = [await make_passport(event, kind) for _ in range(5)]
    answers = await scanning.scan_batch(
        door=door,
        entries=[
            ScanEntry(uuid4(), people[0].short_code, gate.id),
            ScanEntry(uuid4(), people[1].short_code, gate.id),
            ScanEntry(uuid4(), people[2].short_code, gate.id),
            ScanEntry(uuid4(), people[3].short_code, gate.id, reason="the chair"),
            ScanEntry(uuid4(), people[4].short_code, gate.id),
            ScanEntry(uuid4(), people[0].short_code, gate.id, Direction.EXIT),
        ],
        at=NOW,
    )
    assert [str(one.verdict) for one in answers if isinstance(one, scanning.Answer)] == [
        "admitted", "admitted", "full", "admitted_by_lead", "full", "exit_recorded",
    ]  # fmt: skip
    assert (await Presence.get()).inside == 2
    assert await counting.differences(event.id) == []
    unknown = ScanEntry(uuid4(), "NOSUCHCODE", gate.id, reason="please")
    assert (await scanning.scan(door=door, entry=unknown, at=NOW)).verdict is VerdictCode.UNKNOWN
    scanner = await make_door(event, "scanner")
    with pytest.raises(Forbidden):
        await scanning.scan(
            door=scanner, entry=ScanEntry(uuid4(), people[2].short_code, gate.id, reason="mine"), at=NOW
        )
