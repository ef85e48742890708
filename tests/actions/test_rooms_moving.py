"""Moving between rooms and going home: one room at a time in whatever order scans arrive, nobody inside over night."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from checkin import checkpoints, counting, room_clock, scanning, undoing
from checkin.models import Checkpoint, Passport, Presence, RoomList, Scan
from checkin.rules import Direction
from checkin.scanning import Answer, ScanEntry
from events.access import Door
from events.models import Event
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.errors import Conflict
from kernel.settings import Settings
from people import jobs, topics
from people.models import Job, JournalEntry
from tests.factories import (
    NOW,
    make_checkpoint,
    make_door,
    make_event,
    make_passport,
    make_place,
    make_session,
    make_ticket_type,
)

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


class House:
    """Two rooms with exits, each with two sessions (NOW to +40, +60 to +100 minutes), and a gate with exits."""

    event: Event
    door: Door
    rooms: list[Checkpoint]
    gate: Checkpoint
    guests: list[Passport]
    guids: list[tuple[str, str]]


async def house(
    *, guests: int = 2, capacity: int | None = None, leaves_others: bool = True, **event: Any
) -> House:
    made = House()
    made.event = await make_event(**event)
    kind = await make_ticket_type(made.event)
    made.door = await make_door(made.event, "organiser")
    made.rooms, made.guids = [], []
    for _ in range(2):
        place = await make_place(made.event)
        first = await make_session(made.event, guid=uuid4(), place_id=place.id)
        second = await make_session(
            made.event, guid=uuid4(), place_id=place.id, starts_at=at(60), ends_at=at(100)
        )
        made.guids.append((str(first.guid), str(second.guid)))
        room = await make_checkpoint(
            made.event, kind="session", once="session", on_repeat="warn", place_id=place.id, scans_exits=True,
            capacity=capacity,
        )  # fmt: skip
        async with unit_of_work():
            await RoomList.create(list_id=room.list_id, leaves_others=leaves_others)
        made.rooms.append(room)
    made.gate = await make_checkpoint(made.event, scans_exits=True)
    made.guests = [await make_passport(made.event, kind) for _ in range(guests)]
    checkpoints.forget()
    return made


async def scan(
    made: House,
    where: Checkpoint,
    who: Passport,
    minute: float,
    direction: Direction = ENTRY,
    *,
    age: float = 0,
) -> str:
    """``minute`` is when it arrives, ``age`` how many minutes it waited."""
    entry = ScanEntry(uuid4(), who.token, where.id, direction, int(age * 60_000) if age else None)
    return (await scanning.scan(door=made.door, entry=entry, at=at(minute))).verdict.value


async def lines(made: House) -> list[tuple[str, str, float]]:
    """The ledger: verdict, who made it, minute."""
    return [
        (
            row.verdict,
            "system" if row.actor_key == SYSTEM.key else "door",
            (row.at - NOW).total_seconds() / 60,
        )
        for row in await Scan.filter(event_id=made.event.id).order_by("id")
    ]


async def inside(made: House) -> list[int]:
    found = await counting.rooms_now(event_id=made.event.id, at=at(200))
    return [one.count for one in found]


async def test_coming_into_a_room_is_a_way_out_of_the_other(database: Settings) -> None:
    made = await house()
    one, two = made.guests
    a, b = made.rooms
    assert [await scan(made, a, one, 1), await scan(made, a, two, 2)] == ["admitted", "admitted"]
    before = (await topics.versions([checkpoints.board_topic(made.event.id)])).popitem()[1]
    assert await scan(made, b, one, 10) == "admitted"
    assert (await topics.versions([checkpoints.board_topic(made.event.id)])).popitem()[1] == before + 1
    assert await inside(made) == [1, 1]
    assert await lines(made) == [
        ("admitted", "door", 1), ("admitted", "door", 2), ("admitted", "door", 10), ("exit_automatic", "system", 10),
    ]  # fmt: skip
    way = await Scan.get(verdict="exit_automatic")
    assert (way.checkpoint_id, way.list_id, way.period, way.turn) == (a.id, a.list_id, made.guids[0][0], 0)
    assert await scan(made, a, one, 11, EXIT) == "not_inside"
    figures = await counting.counts(checkpoint_id=a.id, programme_date=date(2023, 10, 28))
    assert (figures["entries"], figures["exits"]) == (2, 1)
    # And back again.
    assert await scan(made, a, one, 12) == "admitted"
    assert await inside(made) == [2, 0]
    assert await counting.differences(made.event.id) == []


async def test_a_gate_and_rooms_that_do_not_leave_each_other_are_left_alone(database: Settings) -> None:
    made = await house(leaves_others=False)
    one = made.guests[0]
    for where in (made.gate, *made.rooms):
        assert await scan(made, where, one, 1) == "admitted"
    assert await inside(made) == [1, 1]
    assert await Scan.filter(verdict="exit_automatic").count() == 0
    assert {row.inside for row in await Presence.all()} == {1}


async def test_an_older_scan_out_of_a_queue_throws_nobody_out(database: Settings) -> None:
    made = await house()
    one = made.guests[0]
    a, b = made.rooms
    assert await scan(made, a, one, 30) == "admitted"
    # Made at minute 10, arrived at minute 35: they were in B, and left it for A at minute 30.
    assert await scan(made, b, one, 35, age=25) == "admitted"
    assert await inside(made) == [1, 0]
    assert (await lines(made))[1:] == [("admitted", "door", 10), ("exit_automatic", "system", 30)]
    assert await scan(made, a, one, 36, EXIT) == "exit_recorded"
    # Still older: they had gone on from there, too, although they are in neither now.
    assert await scan(made, b, one, 38, age=33) == "admitted"
    assert await inside(made) == [0, 0]
    assert await counting.differences(made.event.id) == []


async def test_in_one_batch_the_last_room_is_the_one_that_counts(database: Settings) -> None:
    made = await house()
    one = made.guests[0]
    a, b = made.rooms
    entries = [ScanEntry(uuid4(), one.token, where.id) for where in (a, b, a, b)]
    answers = await scanning.scan_batch(door=made.door, entries=entries, at=at(1))
    assert [one.verdict.value for one in answers if isinstance(one, Answer)] == ["admitted"] * 4
    assert await inside(made) == [0, 1]
    # The whole queue again: nothing new.
    again = await scanning.scan_batch(door=made.door, entries=entries, at=at(2))
    assert all(isinstance(one, Answer) and one.is_replay for one in again)
    assert await Scan.filter(event_id=made.event.id).count() == 7
    assert await counting.differences(made.event.id) == []


async def test_who_stays_for_the_next_session_fills_the_room_and_finds_the_way_out(
    database: Settings,
) -> None:
    made = await house(guests=3, capacity=2)
    a = made.rooms[0]
    one, two, three = made.guests
    assert [await scan(made, a, who, 1) for who in (one, two)] == ["admitted", "admitted"]
    # The next session: the room is as full as it was, whoever's session they came for.
    assert await scan(made, a, three, 61) == "full"
    assert await scan(made, a, one, 62) == "admitted"
    assert await inside(made) == [2, 0]
    assert await scan(made, a, two, 63, EXIT) == "exit_recorded"
    assert await scan(made, a, three, 64) == "admitted"
    found = await Scan.filter(turn__isnull=False).order_by("id")
    second = made.guids[0][1]
    assert [(row.period == second, row.direction) for row in found] == [
        (False, "entry"), (False, "entry"), (True, "entry"), (False, "exit"), (False, "exit"), (True, "entry"),
    ]  # fmt: skip
    assert await inside(made) == [2, 0]
    counted = await counting.counts(checkpoint_id=a.id, programme_date=date(2023, 10, 28), key="2023-10-28")
    assert counted["inside"] == 2
    assert await counting.differences(made.event.id) == []


@pytest.mark.parametrize("later", [False, True])
async def test_of_32_at_once_as_many_come_in_as_fit_beside_who_stayed(
    database: Settings, later: bool
) -> None:
    made = await house(guests=34, capacity=5)
    a = made.rooms[0]
    for who in made.guests[:2]:
        await scan(made, a, who, 1)
    verdicts = await asyncio.gather(*(scan(made, a, who, 61 if later else 2) for who in made.guests[2:]))
    assert sorted(verdicts) == ["admitted"] * 3 + ["full"] * 29
    assert await inside(made) == [5, 0]
    assert await counting.differences(made.event.id) == []


async def test_of_32_who_change_rooms_at_once_each_is_in_one(database: Settings) -> None:
    made = await house(guests=16, capacity=8)
    a, b = made.rooms
    await asyncio.gather(*(scan(made, a, who, 1) for who in made.guests[:8]))
    verdicts = await asyncio.gather(
        *(scan(made, b, who, 5) for who in made.guests), *(scan(made, a, who, 5) for who in made.guests)
    )
    assert set(verdicts) <= {"admitted", "full", "already_here"}
    found = await inside(made)
    assert sum(found) <= 16 and max(found) <= 8
    assert await counting.differences(made.event.id) == []


async def test_taking_an_entry_back_resurrects_nobody(database: Settings) -> None:
    made = await house()
    one = made.guests[0]
    a, b = made.rooms
    await scan(made, a, one, 1)
    entry = ScanEntry(uuid4(), one.token, b.id)
    await scanning.scan(door=made.door, entry=entry, at=at(5))
    await undoing.undo(door=made.door, scan_id=uuid4(), target=entry.scan_id, reason="a slip", at=at(6))
    assert await inside(made) == [0, 0]
    way = await Scan.get(verdict="exit_automatic")
    # Their way out of A is a scan like any other: a lead takes it back, too, if that is what was meant.
    await undoing.undo(door=made.door, scan_id=uuid4(), target=way.scan_id, reason="a slip", at=at(7))
    assert await inside(made) == [1, 0]
    assert await counting.differences(made.event.id) == []
    assert await scan(made, a, one, 8, EXIT) == "exit_recorded"
    assert await counting.differences(made.event.id) == []


async def test_no_device_can_send_a_way_out_of_ours(database: Settings) -> None:
    made = await house()
    one = made.guests[0]
    await scan(made, made.rooms[0], one, 1)
    await scan(made, made.rooms[1], one, 2)
    way = await Scan.get(verdict="exit_automatic")
    entry = ScanEntry(way.scan_id, one.token, made.rooms[0].id, EXIT)
    with pytest.raises(Conflict):
        await scanning.scan(door=made.door, entry=entry, at=at(3))


async def test_a_batch_is_the_same_number_of_statements_with_rooms_and_without(database: Settings) -> None:
    made = await house(guests=8)
    a, b = made.rooms

    async def cost(where: Checkpoint, who: list[Passport], minute: float) -> int:
        await checkpoints.world(made.event.id)
        before = db.stats.statements
        entries = [ScanEntry(uuid4(), one.token, where.id) for one in who]
        await scanning.scan_batch(door=made.door, entries=entries, at=at(minute))
        return db.stats.statements - before

    first = await cost(a, made.guests[:1], 1)
    assert await cost(a, made.guests[1:], 2) == first
    # One more for the people who are fewer in the room that they left, however many they are.
    moving = await cost(b, made.guests[:1], 3)
    assert await cost(b, made.guests[1:], 4) == moving <= first + 1


# --- the day has ended -------------------------------------------------------------------------------------------


async def _run_jobs(moment: datetime) -> None:
    room_clock.connect()
    while await jobs.run_one(moment):
        pass


def morning(days: int = 1, hours: float = 0) -> datetime:
    """04:00 in Chengdu, when the day after NOW's begins."""
    return datetime(2023, 10, 28, 20, 0, tzinfo=UTC) + timedelta(days=days - 1, hours=hours)


async def test_nobody_is_inside_in_the_new_day_and_the_ledger_says_so_by_itself(database: Settings) -> None:
    made = await house(guests=3)
    a, b = made.rooms
    one, two, three = made.guests
    await scan(made, a, one, 1)
    await scan(made, b, two, 1)
    for who in (one, two, three):
        await scan(made, made.gate, who, 1)
    await scan(made, made.gate, three, 2, EXIT)
    # Before anybody has tidied up.
    found = await counting.rooms_now(event_id=made.event.id, at=morning())
    assert [place.count for place in found] == [0, 0]
    assert (await counting.board(event_id=made.event.id, at=morning()))["inside"] == 0
    await room_clock.queue_day_ends(morning(hours=-0.1))
    assert await Job.all().count() == 0
    await room_clock.queue_day_ends(morning())
    await room_clock.queue_day_ends(morning(hours=0.5))
    assert [job.kind for job in await Job.all()] == ["checkin.day_end"]
    await _run_jobs(morning(hours=0.6))
    ways = await Scan.filter(verdict="exit_automatic").order_by("id")
    assert {(way.passport_id, way.list_id) for way in ways} == {
        (one.id, a.list_id), (two.id, b.list_id), (one.id, made.gate.list_id), (two.id, made.gate.list_id),
    }  # fmt: skip
    assert {(way.at, way.programme_date, way.actor_key) for way in ways} == {
        (morning(), date(2023, 10, 28), SYSTEM.key)
    }
    assert {row.inside for row in await Presence.all()} == {0}
    assert (await JournalEntry.get(verb="rooms.day_end")).new == {"day": "2023-10-28", "people": 4}
    assert await counting.differences(made.event.id) == []
    # Once is enough.
    await room_clock.queue_day_ends(morning(hours=1.5))
    assert await Job.all().count() == 1
    # And who comes again tomorrow comes again.
    assert await scan(made, made.gate, one, 60 * 24) == "admitted"


async def test_who_arrives_late_out_of_a_queue_is_seen_out_too(database: Settings) -> None:
    made = await house()
    one = made.guests[0]
    await scan(made, made.rooms[0], one, 1)
    await room_clock.queue_day_ends(morning())
    await _run_jobs(morning(hours=0.1))
    # Two hours into the new day a phone finds the network.
    late = made.guests[1]
    assert await scan(made, made.rooms[0], late, 60 * 20, age=60 * 20 - 5) == "admitted"
    await room_clock.queue_day_ends(morning(hours=3))
    await _run_jobs(morning(hours=3.1))
    assert {row.inside for row in await Presence.all()} == {0}
    assert await Scan.filter(verdict="exit_automatic").count() == 2
    assert await counting.differences(made.event.id) == []


async def test_it_goes_on_where_it_was_broken_off_and_in_small_steps(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_clock, "AT_ONCE", 3)
    made = await house(guests=8)
    for who in made.guests:
        await scan(made, made.rooms[0], who, 1)
    real, steps = scanning.see_out, []

    async def broken(**given: Any) -> int:
        steps.append(len(given["people"]))
        if len(steps) == 2:
            raise RuntimeError
        return int(await real(**given))

    monkeypatch.setattr(scanning, "see_out", broken)
    with pytest.raises(RuntimeError):
        await room_clock.see_everybody_out(event_id=made.event.id, today=date(2023, 10, 29), at=morning())
    assert await Scan.filter(verdict="exit_automatic").count() == 3
    done = await room_clock.see_everybody_out(event_id=made.event.id, today=date(2023, 10, 29), at=morning())
    assert (done, steps) == (5, [3, 3, 3, 2])
    assert {row.inside for row in await Presence.all()} == {0}
    assert await counting.differences(made.event.id) == []


async def test_two_processes_and_a_door_at_once_see_everybody_out_once(database: Settings) -> None:
    made = await house(guests=8)
    for who in made.guests:
        await scan(made, made.rooms[0], who, 1)
    today = date(2023, 10, 29)
    await asyncio.gather(
        *(room_clock.see_everybody_out(event_id=made.event.id, today=today, at=morning()) for _ in range(3)),
        *(scan(made, made.rooms[0], who, 60 * 19, EXIT) for who in made.guests[:4]),
    )
    assert await Scan.filter(direction="exit", turn__isnull=False).count() == 8
    assert {row.inside for row in await Presence.all()} == {0}
    assert await counting.differences(made.event.id) == []


async def test_a_day_of_25_hours_ends_by_the_clock_on_the_wall(database: Settings) -> None:
    """In Berlin clocks go back at 03:00 on 29 October 2023; the day before ends at 04:00 all the same, an hour later."""
    made = await house(time_zone="Europe/Berlin")
    who = made.guests[0]
    night = datetime(2023, 10, 28, 22, 0, tzinfo=UTC)
    await scanning.scan(door=made.door, entry=ScanEntry(uuid4(), who.token, made.rooms[0].id), at=night)
    ends = datetime(2023, 10, 29, 3, 0, tzinfo=UTC)
    checkpoints.forget()
    await room_clock.queue_day_ends(ends - timedelta(minutes=1))
    assert await Job.all().count() == 0
    await room_clock.queue_day_ends(ends)
    await _run_jobs(ends)
    assert (await Scan.get(verdict="exit_automatic")).at == ends


async def test_a_session_that_begins_is_told_once_whatever_the_number_of_processes(
    database: Settings,
) -> None:
    made = await house()
    await checkpoints.world(made.event.id)
    names = [checkpoints.board_topic(made.event.id), checkpoints.rooms_topic(made.event.id)]
    before = await topics.versions(names)
    await room_clock.queue_turns(at(30))
    assert await Job.all().count() == 0
    for _ in range(3):
        await room_clock.queue_turns(at(60.1))
        await room_clock.queue_turns(at(61))
    await _run_jobs(at(61))
    assert await topics.versions(names) == {name: version + 1 for name, version in before.items()}
    await room_clock.queue_turns(at(70))
    assert await Job.all().count() == 1


# --- any order ---------------------------------------------------------------------------------------------------


class Rooms(RuleBasedStateMachine):
    """Entries and exits of two people in two rooms with whatever age, in whatever order, against their history sorted."""

    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    @initialize()
    def open(self) -> None:
        self.made: House = self.run(house())
        #: By guest, when they were admitted where, taken back ones left out; the room that they are in.
        self.admitted: list[list[tuple[datetime, int]]] = [[], []]
        self.room: list[int | None] = [None, None]
        self.clock = 0
        self.undoable: list[tuple[int, int, UUID]] = []

    moves = st.lists(
        st.tuples(
            st.integers(0, 1),
            st.integers(0, 1),
            st.sampled_from([ENTRY, ENTRY, EXIT]),
            st.sampled_from([0, 0, 0, 7, 30]),
        ),
        min_size=1,
        max_size=5,
    )

    @rule(moves=moves)
    def upload(self, moves: list[tuple[int, int, Direction, int]]) -> None:
        self.clock += 1
        arrived = NOW + timedelta(minutes=40, seconds=self.clock * 20)
        entries = [
            ScanEntry(
                uuid.uuid4(), self.made.guests[who].token, self.made.rooms[where].id, direction,
                age * 60_000 + index if age else None,
            )
            for index, (who, where, direction, age) in enumerate(moves)
        ]  # fmt: skip
        answers = self.run(scanning.scan_batch(door=self.made.door, entries=entries, at=arrived))
        for (who, where, direction, _), answer in zip(moves, answers, strict=True):
            assert isinstance(answer, Answer)
            if direction is EXIT:
                wanted = "exit_recorded" if self.room[who] == where else "not_inside"
                if self.room[who] == where:
                    self.room[who] = None
            elif answer.verdict.value == "already_here":
                # Inside this very room for this very session.
                assert self.room[who] == where
                continue
            else:
                wanted = "admitted"
                later = [one for one in self.admitted[who] if one[0] > answer.at]
                self.admitted[who].append((answer.at, where))
                if not later:
                    self.room[who] = where
            assert answer.verdict.value == wanted, (who, where, direction, self.room)

    @invariant()
    def everybody_is_in_one_room_at_most(self) -> None:
        if hasattr(self, "made"):
            self.run(self._compare())

    async def _compare(self) -> None:
        found = await counting.rooms_now(event_id=self.made.event.id, at=at(59))
        assert [one.count for one in found] == [self.room.count(0), self.room.count(1)]
        assert await counting.differences(self.made.event.id) == []


async def test_scans_of_rooms_in_any_order_agree_with_the_model(database: Settings) -> None:
    Rooms.loop = asyncio.get_running_loop()
    await asyncio.to_thread(
        run_state_machine_as_test,
        Rooms,
        settings=settings(
            max_examples=20, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
