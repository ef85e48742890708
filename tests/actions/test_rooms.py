"""Rooms: doors that follow the programme, states by hand, heads counted; each change told once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from agenda.models import Session
from checkin import checkpoints, counting, rooms, scanning
from checkin.board_rules import CLOSED, FULL, OPEN
from checkin.counting import Room
from checkin.models import Checkpoint, HeadCount, Passport, RoomSaid, Scan
from checkin.room_rules import RoomState
from checkin.rules import CheckinCode, CheckpointKind, Direction
from checkin.scanning import Answer, ScanEntry
from events.access import Door
from events.models import Event, Place, TicketType
from kernel import db
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Forbidden, Invalid, NotFound
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import topics
from people.models import JournalEntry
from tests.factories import (
    NOW,
    make_account,
    make_checkpoint,
    make_door,
    make_event,
    make_passport,
    make_place,
    make_role,
    make_session,
    make_ticket_type,
)

A_GUID, B_GUID = UUID(int=1), UUID(int=2)


class House:
    """An event with one room, two sessions in it (NOW to +40 min, +60 to +100 min), and people."""

    event: Event
    kind: TicketType
    door: Door
    place: Place
    sessions: tuple[Session, Session]


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


async def house(**place: Any) -> House:
    made = House()
    made.event = await make_event()
    made.kind = await make_ticket_type(made.event)
    made.door = await make_door(made.event, "organiser")
    made.place = await make_place(made.event, **place)
    made.sessions = (
        await make_session(made.event, guid=uuid4(), place_id=made.place.id),
        await make_session(
            made.event, guid=uuid4(), place_id=made.place.id, starts_at=at(60), ends_at=at(100)
        ),
    )
    return made


async def door_of(made: House, **more: object) -> Checkpoint:
    values: dict[str, object] = {
        "kind": "session", "once": "session", "on_repeat": "warn", "place_id": made.place.id,
    }  # fmt: skip
    return await make_checkpoint(made.event, **(values | more))


async def people(made: House, count: int) -> list[Passport]:
    return [await make_passport(made.event, made.kind) for _ in range(count)]


async def scan(
    made: House,
    where: Checkpoint,
    who: Passport,
    minute: float,
    direction: str = "entry",
    *,
    age_min: float = 0,
) -> str:
    entry = ScanEntry(
        uuid4(), who.token, where.id, Direction(direction), int(age_min * 60_000) if age_min else None
    )
    return (await scanning.scan(door=made.door, entry=entry, at=at(minute))).verdict.value


async def shown(made: House, minute: float) -> Room:
    (found,) = await counting.rooms(event_id=made.event.id, at=at(minute))
    return found


async def exact(made: House, minute: float) -> tuple[int, int, str, int | None]:
    found = await counting.room_now(event_id=made.event.id, place_id=made.place.id, at=at(minute))
    assert found is not None
    return found.state, found.count, found.of, found.capacity


# --- doors that follow the programme -----------------------------------------------------------------------------


async def test_a_door_counts_for_the_session_that_is_on(database: Settings) -> None:
    made = await house(capacity=10)
    gate = await door_of(made)
    a, b = (str(one.guid) for one in made.sessions)
    one, two = await people(made, 2)
    assert await scan(made, gate, one, -20) == "admitted"
    assert await scan(made, gate, one, -10) == "admitted"
    assert await scan(made, gate, one, 30) == "already_here"
    assert await scan(made, gate, two, 41) == "admitted"
    assert await scan(made, gate, one, 50) == "admitted"
    assert await scan(made, gate, two, 99) == "admitted"
    # Queued on a phone without network: it belongs to when it was made.
    late = (await people(made, 1))[0]
    assert await scan(made, gate, late, 90, age_min=70) == "admitted"
    periods = [row.period for row in await Scan.filter(event_id=made.event.id).order_by("id")]
    assert periods == ["2023-10-28", a, a, "2023-10-28", b, b, a]
    assert await exact(made, 30) == (OPEN, 2, "entries", 10)
    assert await exact(made, 99) == (OPEN, 2, "entries", 10)
    assert (await shown(made, 99)).session == b and (await shown(made, 50)).session is None
    assert await counting.differences(made.event.id) == []


async def test_breaks_are_nobodys_session(database: Settings) -> None:
    made = await house()
    gate = await door_of(made)
    await make_session(
        made.event, guid=uuid4(), place_id=made.place.id, kind="break", starts_at=at(40), ends_at=at(60)
    )
    checkpoints.forget()
    one = (await people(made, 1))[0]
    await scan(made, gate, one, 41)
    await scan(made, gate, one, 55)
    periods = [row.period for row in await Scan.filter(event_id=made.event.id).order_by("id")]
    assert periods == ["2023-10-28", str(made.sessions[1].guid)]


async def test_a_programme_that_changes_moves_later_scans_and_no_stored_one(database: Settings) -> None:
    made = await house()
    gate = await door_of(made)
    one, two = await people(made, 2)
    await scan(made, gate, one, 5)
    async with unit_of_work():
        await Session.filter(id=made.sessions[0].id).update(starts_at=at(120), ends_at=at(160))
        await Session.filter(id=made.sessions[1].id).update(starts_at=at(0), ends_at=at(40))
    checkpoints.forget()
    await scan(made, gate, two, 5)
    periods = [row.period for row in await Scan.filter(event_id=made.event.id).order_by("id")]
    assert periods == [str(made.sessions[0].guid), str(made.sessions[1].guid)]


async def test_a_door_may_take_the_next_session_as_early_as_one_says(database: Settings) -> None:
    made = await house()
    number = await checkpoints.add(
        actor=made.door.actor,
        event_id=made.event.id,
        code="room",
        kind=CheckpointKind.SESSION,
        name=LocalizedText({"en": "Room"}),
        at=NOW,
        place_id=made.place.id,
        lead_minutes=120,
    )
    gate = await Checkpoint.get(id=number)
    await scan(made, gate, (await people(made, 1))[0], -110)
    assert (await Scan.get(event_id=made.event.id)).period == str(made.sessions[0].guid)
    world = await checkpoints.read_world(made.event.id)
    facts = world.checkpoints[number].facts
    assert facts.lead == timedelta(hours=2)
    await checkpoints.change(
        actor=made.door.actor, event_id=made.event.id, checkpoint_id=number, at=NOW,
        name=LocalizedText({"en": "Room"}), once=facts.once, on_repeat=facts.on_repeat, is_open=True,
        scans_exits=False, capacity=None, place_id=None, session_id=None, windows=(), ticket_type_ids=(),
    )  # fmt: skip
    changed = (await checkpoints.read_world(made.event.id)).checkpoints[number].facts
    # Without a place there is no programme to follow.
    assert (changed.slots, changed.once.value, changed.lead) == (None, "event", timedelta(minutes=15))


@pytest.mark.parametrize("exits", [False])
async def test_of_32_at_once_exactly_as_many_come_in_as_fit(database: Settings, exits: bool) -> None:
    made = await house(capacity=40)
    gate = await door_of(made, capacity=5, scans_exits=exits)
    guests = await people(made, 32)
    verdicts = await asyncio.gather(*(scan(made, gate, one, 10) for one in guests))
    assert sorted(verdicts) == ["admitted"] * 5 + ["full"] * 27
    assert await exact(made, 11) == (FULL, 5, "inside" if exits else "entries", 40)
    # The next session's seats are as many again where nobody scans who leaves.
    more = await asyncio.gather(*(scan(made, gate, one, 70) for one in guests))
    assert more.count("admitted") == (0 if exits else 5)
    assert await counting.differences(made.event.id) == []


async def test_the_capacity_of_a_place_alone_is_a_warning(database: Settings) -> None:
    made = await house(capacity=2)
    gate = await door_of(made)
    assert [await scan(made, gate, one, 5) for one in await people(made, 3)] == ["admitted"] * 3
    assert await exact(made, 6) == (FULL, 3, "entries", 2)
    assert (await shown(made, 6)).level == 100


# --- states by hand ----------------------------------------------------------------------------------------------


async def say(made: House, state: str, minute: float, **more: object) -> None:
    values: dict[str, object] = {
        "door": made.door, "place_id": made.place.id, "state": RoomState(state), "request_id": uuid4(),
        "at": at(minute),
    }  # fmt: skip
    await rooms.say(**(values | more))  # type: ignore[arg-type]


async def heads(made: House, count: int, minute: float, **more: object) -> None:
    values: dict[str, object] = {
        "door": made.door, "place_id": made.place.id, "count": count, "request_id": uuid4(), "at": at(minute),
    }  # fmt: skip
    await rooms.count_heads(**(values | more))  # type: ignore[arg-type]


async def test_full_closed_open_and_back_to_the_figures(database: Settings) -> None:
    made = await house(capacity=2)
    gate = await door_of(made)
    guests = await people(made, 6)
    await say(made, "full", 5)
    assert await exact(made, 6) == (FULL, 0, "entries", 2)
    assert (await shown(made, 6)).level == 100
    assert await scan(made, gate, guests[0], 6) == "full"
    # Made before it was said.
    assert await scan(made, gate, guests[1], 7, age_min=4) == "admitted"
    await say(made, "closed", 8)
    assert (await exact(made, 9))[0] == CLOSED
    assert await scan(made, gate, guests[2], 9) == "closed"
    await say(made, "open", 10)
    assert [await scan(made, gate, one, 11) for one in guests[2:4]] == ["admitted", "admitted"]
    assert await exact(made, 12) == (OPEN, 3, "entries", 2)
    assert (await shown(made, 12)).level == 95
    await say(made, "automatic", 13)
    assert await exact(made, 14) == (FULL, 3, "entries", 2)
    said = [(row.state, row.actor_key) for row in await RoomSaid.all().order_by("id")]
    assert said == [(state, made.door.actor.key) for state in ("full", "closed", "open", "automatic")]
    journalled = await JournalEntry.filter(verb="room.said").order_by("id")
    assert [(row.old["state"], row.new["state"], row.object_id) for row in journalled] == [
        ("automatic", "full", made.place.id),
        ("full", "closed", made.place.id),
        ("closed", "open", made.place.id),
        ("open", "automatic", made.place.id),
    ]


async def test_full_ends_with_its_session_and_closed_stands_over_night(database: Settings) -> None:
    made = await house(capacity=5)
    await door_of(made)
    await say(made, "full", 5)
    assert [(await exact(made, m))[0] for m in (39, 40, 70)] == [FULL, OPEN, OPEN]
    await say(made, "closed", 50)
    assert (await exact(made, 60 * 30))[0] == CLOSED
    await say(made, "automatic", 60 * 31)
    assert (await exact(made, 60 * 32))[0] == OPEN


async def test_a_lead_may_let_somebody_into_a_room_that_is_full_by_hand(database: Settings) -> None:
    made = await house()
    gate = await door_of(made)
    await say(made, "full", 5)
    guest = (await people(made, 1))[0]
    entry = ScanEntry(uuid4(), guest.token, gate.id, reason="a chair was kept")
    assert (await scanning.scan(door=made.door, entry=entry, at=at(6))).verdict == "admitted_by_lead"


async def test_a_room_where_nobody_scans(database: Settings) -> None:
    made = await house(capacity=20)
    assert await counting.rooms(event_id=made.event.id, at=at(5)) == []
    await heads(made, 19, 5)
    assert await exact(made, 6) == (OPEN, 19, "counted", 20)
    one = await shown(made, 6)
    assert (one.count, one.of, one.level) == (20, "counted", 95)
    await heads(made, 20, 7)
    assert await exact(made, 8) == (FULL, 20, "counted", 20)
    # Another session, other people.
    assert await exact(made, 61) == (OPEN, 0, "entries", 20)
    assert [row.count for row in await HeadCount.all().order_by("id")] == [19, 20]


async def test_scans_move_a_head_count(database: Settings) -> None:
    made = await house(capacity=50)
    gate = await door_of(made, scans_exits=True)
    guests = await people(made, 6)
    for one in guests[:3]:
        await scan(made, gate, one, 1)
    await heads(made, 10, 2)
    assert await exact(made, 3) == (OPEN, 10, "counted", 50)
    await scan(made, gate, guests[3], 4)
    await scan(made, gate, guests[0], 5, "exit")
    await scan(made, gate, guests[1], 5, "exit")
    assert await exact(made, 6) == (OPEN, 9, "counted", 50)
    await heads(made, 4, 7)
    assert await exact(made, 8) == (OPEN, 4, "counted", 50)


async def test_the_same_request_is_one_word_and_another_body_a_conflict(database: Settings) -> None:
    made = await house()
    number = uuid4()
    for _ in range(3):
        await say(made, "full", 5, request_id=number)
    with pytest.raises(Conflict) as refused:
        await say(made, "closed", 5, request_id=number)
    assert refused.value.code == Code.REPLAY_MISMATCH
    number = uuid4()
    await asyncio.gather(*(heads(made, 12, 6, request_id=number) for _ in range(8)))
    with pytest.raises(Conflict):
        await heads(made, 13, 6, request_id=number)
    assert (await RoomSaid.all().count(), await HeadCount.all().count()) == (1, 1)


async def test_what_is_no_count_is_told_and_leaves_no_trace(database: Settings) -> None:
    made = await house(capacity=20)
    for count in (-1, 61, 2**31):
        with pytest.raises(Invalid) as refused:
            await heads(made, count, 5)
        problem = refused.value.fields["count"]
        assert (problem.code, problem.params) == (CheckinCode.HEADS_OUT_OF_RANGE, {"limit": 60})
    other = await house()
    for place_id in (other.place.id, 10**9):
        with pytest.raises(NotFound):
            await heads(made, 5, 5, place_id=place_id)
    assert await HeadCount.all().count() == 0


async def test_a_volunteer_speaks_for_the_rooms_whose_doors_they_scan(database: Settings) -> None:
    made = await house()
    gate = await door_of(made)
    elsewhere = await make_checkpoint(made.event, place_id=(await make_place(made.event)).id)
    for point, is_allowed in ((gate, True), (elsewhere, False)):
        account = await make_account()
        await make_role(made.event, account, "scanner", "checkpoint", point.id)
        volunteer = await _door(made, account.id)
        world = await checkpoints.world(made.event.id)
        assert rooms.may_tend(volunteer, world, made.place.id) is is_allowed
        assert [one.place.id for one in await rooms.own(door=volunteer, at=at(5))] == [point.place_id]
        if is_allowed:
            await say(made, "full", 5, door=volunteer)
        else:
            with pytest.raises(Forbidden):
                await say(made, "open", 6, door=volunteer)
    assert [row.state for row in await RoomSaid.all()] == ["full"]


async def _door(made: House, account_id: int) -> Door:
    from events import access
    from events.rules import Permission
    from kernel.actor import Actor, ActorKind

    access.forget()
    actor = Actor(kind=ActorKind.ACCOUNT, id=account_id)
    return await access.open_event(actor, made.event.slug, Permission.SCAN)


async def _versions(made: House) -> Sequence[int]:
    names = [checkpoints.board_topic(made.event.id), checkpoints.rooms_topic(made.event.id)]
    found = await topics.versions(names)
    return [found[name] for name in names]


async def test_each_change_is_told_once_and_what_changes_nothing_is_not(database: Settings) -> None:
    made = await house()
    await door_of(made)
    before = await _versions(made)
    number = uuid4()
    for state, minute, request, told in (
        ("full", 5, number, 1),
        ("full", 5, number, 1),
        ("full", 6, uuid4(), 1),
        ("closed", 7, uuid4(), 2),
    ):
        await say(made, state, minute, request_id=request)
        assert await _versions(made) == [one + told for one in before], (state, minute)
    await heads(made, 5, 8)
    assert await _versions(made) == [one + 3 for one in before]


async def test_both_ledgers_in_their_order(database: Settings) -> None:
    made = await house()
    await heads(made, 5, 1)
    await say(made, "full", 2)
    await heads(made, 7, 3)
    found = await rooms.lines(made.event.id)
    assert [(one.state, one.count, one.at) for one in found] == [
        (None, 7, at(3)),
        (RoomState.FULL, None, at(2)),
        (None, 5, at(1)),
    ]
    assert await rooms.lines(made.event.id, made.place.id, 1) == found[:1]
    assert await rooms.lines(made.event.id, 10**9) == []
    key = made.door.actor.key
    assert set(await rooms.names_of([key, "system", "device:7"])) == {key}


async def test_one_room_and_ten_are_the_same_number_of_statements(database: Settings) -> None:
    made = await house(capacity=5)
    await door_of(made)
    await heads(made, 3, 1)
    await say(made, "full", 1)

    async def statements() -> int:
        await checkpoints.world(made.event.id)
        before = db.stats.statements
        await counting.rooms_now(event_id=made.event.id, at=at(5))
        return db.stats.statements - before

    few = await statements()
    for _ in range(9):
        place = await make_place(made.event, capacity=5)
        await make_session(made.event, guid=uuid4(), place_id=place.id)
        await door_of(made, place_id=place.id)
        await heads(made, 3, 1, place_id=place.id)
        await say(made, "full", 1, place_id=place.id)
    assert await statements() == few <= 5


async def test_a_batch_of_answers_is_of_the_right_kind(database: Settings) -> None:
    """Sessions of two rooms in one batch: each scan meets its own."""
    made = await house()
    gate = await door_of(made)
    other = await make_place(made.event)
    third = await make_session(made.event, guid=uuid4(), place_id=other.id)
    second = await door_of(made, place_id=other.id)
    guests = await people(made, 2)
    entries = [ScanEntry(uuid4(), one.token, where.id) for one in guests for where in (gate, second)]
    answers = await scanning.scan_batch(door=made.door, entries=entries, at=at(5))
    assert all(isinstance(one, Answer) and one.verdict == "admitted" for one in answers)
    periods = [row.period for row in await Scan.filter(event_id=made.event.id).order_by("id")]
    assert periods == [str(made.sessions[0].guid), str(third.guid)] * 2
