"""The board's figures: right after every scan, at the same cost after many, and rebuilt from the ledger at will."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import orjson
import pytest

from checkin import checkpoints, counting, scanning
from checkin.board_rules import CLOSED, FULL, OPEN
from checkin.counting import Difference
from checkin.models import Passport
from checkin.rules import Direction
from checkin.scanning import ScanEntry
from events.access import Door
from events.models import Event, TicketType
from kernel import db
from kernel.db import unit_of_work
from kernel.live import hub
from kernel.settings import Settings
from people import topics
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

TODAY = date(2023, 10, 28)


async def _house() -> tuple[Event, TicketType, Door]:
    event = await make_event()
    return event, await make_ticket_type(event), await make_door(event)


async def _people(event: Event, ticket_type: TicketType, count: int) -> list[Passport]:
    return [await make_passport(event, ticket_type) for _ in range(count)]


async def _scan(door: Door, checkpoint: Any, code: str, direction: str = "entry", at: datetime = NOW) -> str:
    entry = ScanEntry(uuid.uuid4(), code, checkpoint.id, Direction(direction))
    return (await scanning.scan(door=door, entry=entry, at=at)).verdict.value


def _rows(document: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {row[0]: dict(zip(document["columns"], row, strict=True)) for row in document["checkpoints"]}


async def test_a_board_counts_people_scans_and_refusals(database: Settings) -> None:
    event, ticket_type, door = await _house()
    online = await make_ticket_type(event, is_online=True)
    north, south = await make_checkpoint(event, scans_exits=True), await make_checkpoint(event)
    people = await _people(event, ticket_type, 4)
    await make_passport(event, online)
    await make_passport(event, ticket_type, status="not_confirmed")
    for person in people[:3]:
        await _scan(door, north, person.token)
    await _scan(door, north, people[0].token, at=NOW + timedelta(minutes=3))
    await _scan(door, south, people[0].token, at=NOW + timedelta(minutes=3))
    await _scan(door, north, people[1].token, "exit", at=NOW + timedelta(minutes=4))
    await _scan(door, south, "nobody", at=NOW + timedelta(minutes=4))
    document = await counting.board(event_id=event.id, at=NOW + timedelta(minutes=5))
    assert (document["registered"], document["arrived"], document["inside"]) == (4, 3, 2)
    rows = _rows(document)
    assert rows[north.id] | {"id": 0} == {
        "id": 0, "entries": 3, "exits": 1, "repeats": 1, "refused": 0, "inside": 2, "capacity": None, "state": OPEN,
    }  # fmt: skip
    assert (rows[south.id]["entries"], rows[south.id]["refused"], rows[south.id]["inside"]) == (1, 1, None)
    begins = int((NOW - timedelta(hours=5, minutes=30)).timestamp())  # 04:00 in Chengdu
    assert (document["date"], document["starts"], document["ends"]) == ("2023-10-28", begins, begins + 86400)
    assert document["minutes"] == {"from": 330, "entries": [3, 0, 0, 1, 0], "refused": [0, 0, 0, 0, 1]}
    assert document["day"] == {"step": 5, "from": 66, "entries": [4]}
    assert document["reasons"] == {"counts": {"unknown": 1}}
    newest = document["latest"][0]
    assert (newest["verdict"], newest["name"], newest["checkpoint"]) == ("unknown", None, south.id)
    assert document["latest"][1]["name"] == people[1].badge_name
    assert [row["id"] for row in document["latest"]] == sorted(
        (row["id"] for row in document["latest"]), reverse=True
    )


async def test_nothing_yet_is_a_whole_board(database: Settings) -> None:
    event, _, _ = await _house()
    document = await counting.board(event_id=event.id, at=NOW)
    assert (document["registered"], document["arrived"], document["inside"], document["latest"]) == (
        0,
        0,
        None,
        [],
    )
    assert document["minutes"]["entries"] == document["day"]["entries"] == document["checkpoints"] == []
    assert await counting.rooms(event_id=event.id, at=NOW) == []


async def test_yesterday_is_not_counted_and_a_day_runs_past_midnight(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    person = (await _people(event, ticket_type, 1))[0]
    night = datetime.fromisoformat("2023-10-29T01:30:00+08:00")
    await _scan(door, gate, person.token, at=night)
    assert (await counting.board(event_id=event.id, at=night))["date"] == "2023-10-28"
    assert (await counting.board(event_id=event.id, at=night))["arrived"] == 1
    morning = await counting.board(event_id=event.id, at=night + timedelta(hours=3))
    assert (morning["date"], morning["arrived"], morning["latest"]) == ("2023-10-29", 0, [])
    assert morning["day"]["entries"] == [] and _rows(morning)[gate.id]["entries"] == 0


async def test_nothing_in_the_document_moves_while_nothing_happens(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    await _scan(door, gate, (await _people(event, ticket_type, 1))[0].token)
    first = await counting.board(event_id=event.id, at=NOW + timedelta(seconds=30))
    assert await counting.board(event_id=event.id, at=NOW + timedelta(minutes=40)) == first


async def _statements(event: Event) -> tuple[int, int]:
    await checkpoints.world(event.id)
    before = db.stats.statements
    await counting.board(event_id=event.id, at=NOW)
    board = db.stats.statements - before
    await counting.rooms(event_id=event.id, at=NOW)
    return board, db.stats.statements - before - board


async def test_one_checkpoint_and_thirty_are_the_same_number_of_statements(database: Settings) -> None:
    event, ticket_type, door = await _house()
    person = (await _people(event, ticket_type, 1))[0]
    one = await make_checkpoint(event, place_id=(await make_place(event)).id)
    await _scan(door, one, person.token)
    few = await _statements(event)
    for _ in range(29):
        more = await make_checkpoint(event, place_id=(await make_place(event)).id, capacity=5)
        await _scan(door, more, person.token)
        await _scan(door, more, "nobody")
    assert await _statements(event) == few
    assert sum(few) <= 21


async def test_the_ledger_is_read_by_its_index_however_long_it_is(database: Settings) -> None:
    """What reads the scan table reads its newest rows through the index, never all of them."""
    if db.dialect() != "sqlite":
        pytest.skip("SQLite says its plan in words")
    for sql in (
        "SELECT * FROM scan WHERE event_id = 1 AND at >= '2023-10-28' ORDER BY at DESC, id DESC LIMIT 12",
        "SELECT sum(count) FROM refusal_tally WHERE event_id = 1 AND programme_date = '2023-10-28'",
        "SELECT checkpoint_id, at FROM scan WHERE event_id = 1 AND at >= '2023-10-28' AND at < '2023-10-29'",
        "SELECT count(*) FROM arrival WHERE event_id = 1 AND programme_date = '2023-10-28'",
        "SELECT sum(count) FROM day_tally WHERE event_id = 1 AND programme_date = '2023-10-28'",
        "SELECT sum(count) FROM minute_tally WHERE event_id = 1 AND minute >= 5 AND minute < 9",
    ):
        plan = [row["detail"] for row in await db.query(f"EXPLAIN QUERY PLAN {sql}")]
        assert plan and all(step.startswith("SEARCH") and "USING" in step for step in plan), (sql, plan)


async def test_a_full_day_of_long_names_stays_below_eight_kilobytes(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gates = [await make_checkpoint(event, capacity=99_999, scans_exits=True) for _ in range(65)]
    person = await make_passport(event, ticket_type, badge_name="中国科学院软件研究所智能软件研究中心" * 6)
    for gate in gates[:15]:
        await _scan(door, gate, person.token)
    first = int(NOW.timestamp()) // 60
    rows = [
        {"e": event.id, "m": first - 330 + minute, "o": outcome, "n": 8888}
        for minute in range(1440)
        for outcome in ("entry", "refused", "repeat", "exit")
    ]
    async with unit_of_work():
        await db.execute("DELETE FROM minute_tally")
        await db.execute(
            "INSERT INTO minute_tally (event_id, minute, outcome, count) "
            f"SELECT e, m, o, n FROM {db.json_rows('$1', e='int', m='int', o='text', n='int')}",
            orjson.dumps(rows).decode(),
        )
        await db.execute("UPDATE day_tally SET count = 88888")
    document = await counting.board(event_id=event.id, at=NOW + timedelta(hours=18, minutes=29))
    assert len(document["minutes"]["entries"]) == counting.MINUTES and len(document["day"]["entries"]) == 288
    assert (len(document["checkpoints"]), document["more"]) == (counting.CHECKPOINTS_MAX, 5)
    assert len(orjson.dumps(document)) < 8 * 1024


async def test_the_scanner_sees_its_checkpoint(database: Settings) -> None:
    event, ticket_type, door = await _house()
    day_gate = await make_checkpoint(event, scans_exits=True)
    lunch = await make_checkpoint(
        event,
        kind="meal",
        once="window",
        on_repeat="refuse",
        capacity=9,
        windows=[(NOW, NOW + timedelta(hours=1))],
    )
    people = await _people(event, ticket_type, 3)
    for person in people:
        await _scan(door, day_gate, person.token)
        await _scan(door, lunch, person.token)
    await _scan(door, day_gate, people[0].token, "exit")
    await _scan(door, lunch, people[0].token)
    gate = await counting.counts(checkpoint_id=day_gate.id, programme_date=TODAY)
    assert gate == {"entries": 3, "exits": 1, "repeats": 0, "refused": 0, "inside": 2, "capacity": None}
    meal = await counting.counts(checkpoint_id=lunch.id, programme_date=TODAY)
    assert meal == {"entries": 3, "exits": 0, "repeats": 1, "refused": 0, "inside": 3, "capacity": 9}
    tomorrow = await counting.counts(checkpoint_id=day_gate.id, programme_date=TODAY + timedelta(days=1))
    assert tomorrow["entries"] == 0 and tomorrow["inside"] is None


async def test_rooms_are_rounded_and_say_how_full_they_are(database: Settings) -> None:
    event, ticket_type, door = await _house()
    hall, small, shut, plain = [
        await make_place(event, code, capacity=12) for code in ("hall", "small", "shut", "plain")
    ]
    await make_place(event, "nothing")
    gate = await make_checkpoint(event, place_id=hall.id, scans_exits=True)
    limited = await make_checkpoint(event, place_id=small.id, kind="session", once="event", capacity=2)
    await make_checkpoint(event, place_id=shut.id, is_open=False)
    booth = await make_checkpoint(event, place_id=plain.id, kind="booth")
    people = await _people(event, ticket_type, 13)
    for person in people:
        await _scan(door, gate, person.token)
    await _scan(door, gate, people[0].token, "exit")
    for person in people[:3]:
        await _scan(door, limited, person.token)
        await _scan(door, booth, person.token)
    found = {room.code: room for room in await counting.rooms(event_id=event.id, at=NOW)}
    assert list(found) == ["hall", "small", "shut", "plain"]
    assert {code: (room.state, room.count, room.of) for code, room in found.items()} == {
        "hall": (FULL, 10, "inside"),
        "small": (FULL, 10, "entries"),
        "shut": (CLOSED, 0, "entries"),
        "plain": (OPEN, 10, "entries"),
    }


async def test_a_room_counts_the_session_that_is_on(database: Settings) -> None:
    event, ticket_type, door = await _house()
    room = await make_place(event, capacity=2)
    early = await make_session(event, ends_at=NOW + timedelta(minutes=40))
    late = await make_session(event, starts_at=NOW + timedelta(hours=2), ends_at=NOW + timedelta(hours=3))
    doors = [
        await make_checkpoint(event, place_id=room.id, session_id=session.id, kind="session", once="session")
        for session in (early, late)
    ]
    for person in await _people(event, ticket_type, 2):
        await _scan(door, doors[0], person.token)

    async def now(at: datetime) -> tuple[int, int]:
        (one,) = await counting.rooms(event_id=event.id, at=at)
        return one.state, one.count

    assert await now(NOW) == (FULL, 10)
    assert await now(NOW + timedelta(hours=1)) == (OPEN, 0)  # between two sessions
    assert await now(NOW + timedelta(minutes=95)) == (OPEN, 0)
    rows = _rows(await counting.board(event_id=event.id, at=NOW + timedelta(hours=1)))
    assert (rows[doors[0].id]["state"], rows[doors[1].id]["state"]) == (CLOSED, OPEN)


async def _random_scans(
    event: Event, door: Door, seed: int, people: Sequence[Passport], gates: Sequence[Any]
) -> None:
    dice = random.Random(seed)
    codes = [person.token for person in people] + ["nobody", "", "7KQ2M9XX"]
    at = NOW
    for _ in range(12):
        batch = []
        for _ in range(dice.randint(1, 12)):
            direction = Direction.EXIT if dice.random() < 0.3 else Direction.ENTRY
            age = dice.choice([None, None, 45_000, 3_600_000, -5, 26 * 3_600_000])
            batch.append(ScanEntry(uuid.uuid4(), dice.choice(codes), dice.choice(gates).id, direction, age))
        await scanning.scan_batch(door=door, entries=batch, at=at)
        at += timedelta(minutes=dice.choice([0, 1, 17, 300]))


async def _gates(event: Event, ticket_type: TicketType) -> list[Any]:
    speakers = await make_ticket_type(event)
    return [
        await make_checkpoint(event, scans_exits=True),
        await make_checkpoint(event, scans_exits=True, capacity=3, on_repeat="warn"),
        await make_checkpoint(event, ticket_types=[speakers]),
        await make_checkpoint(event, kind="meal", once="window", on_repeat="refuse", windows=[(NOW, NOW + timedelta(hours=2))]),
        await make_checkpoint(event, kind="session", once="event", capacity=2),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_scans_a_rebuild_finds_nothing_to_do(database: Settings, seed: int) -> None:
    event, ticket_type, door = await _house()
    gates = await _gates(event, ticket_type)
    await _random_scans(event, door, seed, await _people(event, ticket_type, 6), gates)
    scans = int((await db.query("SELECT count(*) AS n FROM scan"))[0]["n"])
    assert scans > 30
    before = await topics.versions([checkpoints.board_topic(event.id)])
    assert await counting.differences(event.id) == await counting.rebuild(event.id) == []
    assert await topics.versions([checkpoints.board_topic(event.id)]) == before


async def test_a_rebuild_puts_every_total_right_again(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gates = await _gates(event, ticket_type)
    people = await _people(event, ticket_type, 6)
    await _random_scans(event, door, 7, people, gates)
    right = await _totals()
    other = await make_event()
    async with unit_of_work():
        await db.execute("UPDATE day_tally SET count = count + 3 WHERE id IN (SELECT min(id) FROM day_tally)")
        await db.execute("DELETE FROM day_tally WHERE id IN (SELECT max(id) FROM day_tally)")
        await db.execute("DELETE FROM minute_tally")
        await db.execute("UPDATE presence SET inside = inside + 2")
        await db.execute("DELETE FROM presence WHERE id IN (SELECT max(id) FROM presence)")
        await db.execute("DELETE FROM arrival WHERE id IN (SELECT min(id) FROM arrival)")
        await db.execute(
            "INSERT INTO arrival (event_id, programme_date, passport_id) "
            f"SELECT e, d, p FROM {db.json_rows('$1', e='int', d='date', p='int')}",
            orjson.dumps([{"e": event.id, "d": "2023-12-24", "p": people[0].id}]).decode(),
        )
    assert await counting.rebuild(other.id) == []
    found = await counting.rebuild(event.id)
    assert {one.table for one in found} == {"day_tally", "minute_tally", "presence", "arrival"}
    assert Difference("arrival", ("2023-12-24", people[0].id), -1) in found
    assert await _totals() == right
    assert await counting.rebuild(event.id) == []


async def test_scans_during_a_rebuild_are_neither_lost_nor_counted_twice(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, ticket_type, door = await _house()
    gates = await _gates(event, ticket_type)
    people = await _people(event, ticket_type, 6)
    await _random_scans(event, door, 11, people, gates)
    async with unit_of_work():
        await db.execute("UPDATE day_tally SET count = count + 3")
        await db.execute("DELETE FROM minute_tally")
        await db.execute("DELETE FROM arrival")
        await db.execute("UPDATE presence SET inside = inside + 2")
    real = counting.differences

    async def looked(event_id: int) -> list[Difference]:
        found = await real(event_id)
        await _random_scans(event, door, 12, people, gates)
        return found

    monkeypatch.setattr(counting, "differences", looked)
    assert await counting.rebuild(event.id)
    assert await real(event.id) == []


async def test_of_two_rebuilds_at_once_one_is_told_to_come_back(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, ticket_type, door = await _house()
    gates = await _gates(event, ticket_type)
    await _random_scans(event, door, 13, await _people(event, ticket_type, 6), gates)
    async with unit_of_work():
        await db.execute("UPDATE day_tally SET count = count + 3")
    real = counting.differences

    async def both(event_id: int) -> list[Difference]:
        found = await real(event_id)
        await both_looked.wait()
        return found

    both_looked = asyncio.Barrier(2)
    monkeypatch.setattr(counting, "differences", both)
    ended = await asyncio.gather(
        counting.rebuild(event.id), counting.rebuild(event.id), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in ended) == ["Busy", "list"]
    assert await real(event.id) == []


async def _totals() -> dict[str, list[Any]]:
    """Every total above zero, without its id: what a rebuild must give back."""
    found = {}
    for table, columns, count in (
        ("day_tally", "checkpoint_id, programme_date, ticket_type_id, outcome", "count"),
        ("minute_tally", "minute, outcome", "count"),
        ("arrival", "programme_date, passport_id", "1"),
        ("presence", "list_id, period", "inside"),
    ):
        rows = await db.query(f"SELECT {columns}, {count} AS n FROM {table} ORDER BY {columns}")
        found[table] = [tuple(str(value) for value in row.values()) for row in rows if row["n"]]
    return found


async def test_what_was_rolled_back_is_announced_to_nobody(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    person, other = await _people(event, ticket_type, 2)
    touched: list[str] = []
    real = hub.touched
    hub.touched = touched.append  # type: ignore[method-assign,assignment]
    try:
        with pytest.raises(RuntimeError):
            async with unit_of_work():
                await topics.bump("board.1")
                db.after_commit(lambda: hub.touched("board.1"))
                raise RuntimeError("the action failed")
        assert touched == []
        assert await topics.versions(["board.1"]) == {"board.1": 0}
        await _scan(door, gate, person.token)
        assert set(touched) == {f"board.{event.id}", f"rooms.{event.id}"}
        first = await topics.versions(touched)
        touched.clear()
        await _scan(door, gate, "nobody")
        assert touched == [f"board.{event.id}"]  # a refusal fills no room
        await _scan(door, gate, other.token)
        assert (await topics.versions(first))[f"board.{event.id}"] == first[f"board.{event.id}"] + 2
    finally:
        hub.touched = real  # type: ignore[method-assign]


async def test_lanes_tell_their_steps_and_the_last_scan_even_of_a_late_queue(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate, quiet = await make_checkpoint(event), await make_checkpoint(event)
    booth = await make_checkpoint(event, kind="booth")
    people = await _people(event, ticket_type, 3)
    await _scan(door, gate, people[0].token, at=NOW)
    await _scan(door, gate, "nobody", at=NOW + timedelta(minutes=6))
    late = ScanEntry(uuid.uuid4(), people[1].token, gate.id, Direction.ENTRY, 4 * 60_000)
    await scanning.scan(door=door, entry=late, at=NOW + timedelta(minutes=8))
    document = await counting.board(event_id=event.id, at=NOW + timedelta(minutes=9))
    slot = (330 * 60) // 300  # NOW is 330 minutes after the day began
    assert document["lanes"] == [
        [gate.id, int((NOW + timedelta(minutes=6)).timestamp()), slot, [2, 1], [0, 1]],
        [quiet.id, None, 0, [], []],
    ]
    assert booth.id not in {row[0] for row in document["lanes"]}


async def test_refusals_are_exact_for_the_day_however_many(database: Settings) -> None:
    event, _, door = await _house()
    gate = await make_checkpoint(event)
    await _scan(door, gate, "yesterday", at=NOW - timedelta(days=1))
    rows = [{"n": number} for number in range(2_500)]
    await _scan(door, gate, "nobody")
    template = (await db.query("SELECT * FROM scan ORDER BY id DESC LIMIT 1"))[0]
    columns = [name for name in template if name not in ("id", "scan_id")]
    uid = (
        "('00000000-0000-0000-0000-' || lpad(r.n::text, 12, '0'))::uuid"
        if db.dialect() != "sqlite"
        else "printf('00000000-0000-0000-0000-%012d', r.n)"
    )
    async with unit_of_work():
        await db.execute(
            f"INSERT INTO scan (scan_id, {', '.join(columns)}) SELECT {uid}, {', '.join(f's.{name}' for name in columns)} "
            f"FROM scan s CROSS JOIN {db.json_rows('$1', n='int')} WHERE s.id = $2",
            orjson.dumps(rows).decode(),
            template["id"],
        )
    # They came past the committer: the total says so, and is made to agree.
    wrong = [one for one in await counting.differences(event.id) if one.table == "refusal_tally"]
    assert wrong == [counting.Difference("refusal_tally", (TODAY.isoformat(), gate.id, "unknown"), 2_500)]
    await counting.rebuild(event.id)
    assert await counting.differences(event.id) == []
    await _scan(door, gate, "nobody else")
    document = await counting.board(event_id=event.id, at=NOW)
    assert document["reasons"] == {"counts": {"unknown": 2_502}}
