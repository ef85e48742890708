"""The committer on a real database: who wins a race, what is remembered, what one failure does to its neighbours."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from checkin import scanning
from checkin.models import Arrival, DayTally, MinuteTally, Passport, PassportCode, Presence, Scan
from checkin.rules import CheckinCode, Direction, VerdictCode, judge, read_code
from checkin.scanning import Answer, ScanEntry, scan, scan_batch
from events.access import Door
from events.models import Event, TicketType
from kernel import codes, db
from kernel.errors import Busy, Conflict, Forbidden, NotFound, Refusal
from kernel.settings import Settings
from tests.factories import (
    NOW,
    make_checkpoint,
    make_door,
    make_event,
    make_passport,
    make_role,
    make_ticket_type,
)

V = VerdictCode


async def _house() -> tuple[Event, TicketType, Door]:
    event = await make_event()
    return event, await make_ticket_type(event), await make_door(event)


def _entry(checkpoint: Any, code: str, direction: Direction = Direction.ENTRY, **more: Any) -> ScanEntry:
    return ScanEntry(more.pop("scan_id", uuid.uuid4()), code, checkpoint.id, direction, **more)


async def _scan(
    door: Door, checkpoint: Any, code: str, direction: Direction = Direction.ENTRY, **more: Any
) -> Answer:
    at = more.pop("at", NOW)
    return await scan(door=door, entry=_entry(checkpoint, code, direction, **more), at=at)


async def test_every_code_of_a_passport_admits_its_holder(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    for reading in ("token", "url", "upper", "short", "typed", "external"):
        passport = await make_passport(event, ticket_type, external=f"BAGE-{reading}")
        code = {
            "token": passport.token,
            "url": f"https://example.org/p?token={passport.token}",
            "upper": passport.token.upper(),
            "short": passport.short_code,
            "typed": f"{passport.short_code[:4]}-{passport.short_code[4:]}".lower(),
            "external": f"BAGE-{reading}",
        }[reading]
        answer = await _scan(door, gate, code)
        assert (answer.verdict, answer.holder and answer.holder.passport_id) == (V.ADMITTED, passport.id), (
            reading
        )
        assert answer.holder and answer.holder.line == "开源社"


async def test_refusals_are_stored_and_count_nobody(database: Settings) -> None:
    event, ticket_type, door = await _house()
    other = await make_event()
    stranger = await make_passport(other, await make_ticket_type(other))
    gate = await make_checkpoint(event)
    speakers = await make_ticket_type(event, name={"zh-Hans": "讲师", "en": "Speaker"})
    side = await make_checkpoint(event, ticket_types=[speakers])
    late = await make_checkpoint(event, windows=[(NOW + timedelta(hours=1), NOW + timedelta(hours=2))])
    over = await make_checkpoint(event, windows=[(NOW - timedelta(hours=2), NOW)])
    shut = await make_checkpoint(event, is_open=False)
    guest = await make_passport(event, ticket_type)
    cases: list[tuple[Any, str, VerdictCode]] = [
        (gate, "", V.MALFORMED),
        (gate, "weixin://pay/123", V.UNKNOWN),
        (gate, codes.new_token(), V.UNKNOWN),
        (gate, guest.short_code[:7] + ("0" if guest.short_code[7] != "0" else "1"), V.MISTYPED),
        (gate, stranger.token, V.OTHER_EVENT),
        (gate, stranger.short_code, V.UNKNOWN),
        (gate, (await make_passport(event, ticket_type, status="revoked")).token, V.REVOKED),
        (gate, (await make_passport(event, ticket_type, status="cancelled")).token, V.CANCELLED),
        (gate, (await make_passport(event, ticket_type, status="not_confirmed")).token, V.NOT_CONFIRMED),
        (side, guest.token, V.WRONG_TICKET_TYPE),
        (late, guest.token, V.NOT_YET_OPEN),
        (over, guest.token, V.WINDOW_OVER),
        (shut, guest.token, V.CLOSED),
    ]
    for checkpoint, code, expected in cases:
        answer = await _scan(door, checkpoint, code)
        assert answer.verdict is expected, (code, expected)
    assert await Scan.all().count() == len(cases)
    assert await Scan.filter(turn__not_isnull=True).count() == 0
    assert await Arrival.all().count() == 0
    assert await DayTally.filter(outcome="entry").count() == 0
    assert sum([row.count for row in await DayTally.all()]) == len(cases)
    # What people scanned by mistake is not kept, and nothing of another event's holder is shown or stored.
    rows = await db.query("SELECT * FROM scan")
    assert "weixin" not in repr(rows) and stranger.token not in repr(rows)
    assert [row["passport_id"] for row in rows if row["verdict"] == "other_event"] == [None]


async def test_wrong_ticket_type_names_the_checkpoint_that_takes_it(database: Settings) -> None:
    event, ticket_type, door = await _house()
    speakers = await make_ticket_type(event)
    side = await make_checkpoint(event, ticket_types=[speakers], position=1)
    main = await make_checkpoint(event, ticket_types=[ticket_type], position=2)
    guest = await make_passport(event, ticket_type)
    answer = await _scan(door, side, guest.token)
    assert answer.elsewhere and answer.elsewhere.id == main.id


async def test_repeats_mean_what_the_checkpoint_says(database: Settings) -> None:
    event, ticket_type, door = await _house()
    guest = await make_passport(event, ticket_type)
    for on_repeat, expected in (
        ("welcome", V.WELCOME_BACK),
        ("warn", V.ALREADY_HERE),
        ("refuse", V.ALREADY_USED),
    ):
        checkpoint = await make_checkpoint(event, on_repeat=on_repeat)
        first = await _scan(door, checkpoint, guest.token)
        again = await _scan(door, checkpoint, guest.token, at=NOW + timedelta(minutes=5))
        assert (first.verdict, again.verdict) == (V.ADMITTED, expected)
        assert again.first and again.first.at == NOW
        assert again.first.checkpoint == checkpoint.name


async def test_once_per_event_day_and_window(database: Settings) -> None:
    event, ticket_type, door = await _house()
    guest = await make_passport(event, ticket_type)
    day = timedelta(days=1)
    per_event = await make_checkpoint(event, once="event", on_repeat="refuse")
    per_day = await make_checkpoint(event, once="day", on_repeat="refuse")
    lunches = [(NOW, NOW + timedelta(hours=2)), (NOW + day, NOW + day + timedelta(hours=2))]
    meal = await make_checkpoint(event, kind="meal", once="window", on_repeat="refuse", windows=lunches)
    for checkpoint, expected in (
        (per_event, [V.ADMITTED, V.ALREADY_USED, V.ALREADY_USED]),
        (per_day, [V.ADMITTED, V.ALREADY_USED, V.ADMITTED]),
        (meal, [V.ADMITTED, V.ALREADY_USED, V.ADMITTED]),
    ):
        found = [
            (await _scan(door, checkpoint, guest.token, at=at)).verdict
            for at in (NOW, NOW + timedelta(hours=1), NOW + day)
        ]
        assert found == expected
    # 01:30 after the party still belongs to the day before.
    night = NOW.replace(hour=17, minute=30)  # 01:30 in Chengdu
    assert (await _scan(door, per_day, guest.token, at=night)).verdict is V.ALREADY_USED


async def test_lanes_of_one_door_share_a_list(database: Settings) -> None:
    event, ticket_type, door = await _house()
    north = await make_checkpoint(event, on_repeat="warn")
    south = await make_checkpoint(event, on_repeat="warn", list_id=north.list_id)
    guest = await make_passport(event, ticket_type)
    assert (await _scan(door, north, guest.token)).verdict is V.ADMITTED
    again = await _scan(door, south, guest.token)
    assert again.verdict is V.ALREADY_HERE
    assert again.first and again.first.checkpoint == north.name


async def test_exit_and_reentry(database: Settings) -> None:
    event, ticket_type, door = await _house()
    room = await make_checkpoint(event, kind="session", on_repeat="warn", scans_exits=True)
    guest = await make_passport(event, ticket_type)
    enter, leave = Direction.ENTRY, Direction.EXIT
    found = [
        (await _scan(door, room, guest.token, direction)).verdict
        for direction in (leave, enter, enter, leave, leave, enter)
    ]
    assert found == [V.NOT_INSIDE, V.ADMITTED, V.ALREADY_HERE, V.EXIT_RECORDED, V.NOT_INSIDE, V.ADMITTED]
    assert [(row.period, row.inside) for row in await Presence.all()] == [("2023-10-28", 1)]
    assert await Arrival.all().count() == 0  # a room is not a gate


async def test_a_replay_gives_the_same_answer_and_no_new_scan(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guest = await make_passport(event, ticket_type)
    for code in (guest.token, "nobody has this"):
        entry = _entry(gate, code)
        first = await scan(door=door, entry=entry, at=NOW)
        again = await scan(door=door, entry=entry, at=NOW + timedelta(hours=3))
        assert not first.is_replay and again.is_replay
        assert again.verdict is first.verdict and again.at == first.at and again.holder == first.holder
    assert await Scan.all().count() == 2
    # An admission stays an admission for its own id even after the passport was revoked and the gate shut.
    async with db.unit_of_work():
        await Passport.filter(id=guest.id).update(status="revoked")
    stored = await Scan.get(passport_id=guest.id)
    again = await scan(door=door, entry=_entry(gate, guest.token, scan_id=stored.scan_id), at=NOW)
    assert again.verdict is V.ADMITTED


async def test_the_age_may_differ_between_a_scan_and_its_replay(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guest = await make_passport(event, ticket_type)
    scan_id = uuid.uuid4()
    first = await _scan(door, gate, guest.token, scan_id=scan_id, age_ms=60_000)
    again = await _scan(door, gate, guest.token, scan_id=scan_id, age_ms=90_000)
    assert first.at == again.at == NOW - timedelta(minutes=1)


async def test_same_id_with_another_body_or_actor_is_a_conflict_that_tells_nothing(
    database: Settings,
) -> None:
    event, ticket_type, door = await _house()
    gate, other_gate = await make_checkpoint(event), await make_checkpoint(event)
    guest, other = await make_passport(event, ticket_type), await make_passport(event, ticket_type)
    scan_id = uuid.uuid4()
    await _scan(door, gate, guest.token, scan_id=scan_id)
    somebody_else = await make_door(event)
    elsewhere = await make_event()
    foreign_gate, foreign_door = await make_checkpoint(elsewhere), await make_door(elsewhere)
    for by, where, code, direction in (
        (foreign_door, foreign_gate, guest.token, Direction.ENTRY),
        (door, gate, other.token, Direction.ENTRY),
        (door, other_gate, guest.token, Direction.ENTRY),
        (door, gate, guest.token, Direction.EXIT),
        (somebody_else, gate, guest.token, Direction.ENTRY),
    ):
        with pytest.raises(Conflict) as refusal:
            await _scan(by, where, code, direction, scan_id=scan_id)
        assert refusal.value.params == {}
    assert await Scan.all().count() == 1


@pytest.mark.parametrize("many", [32, 64])
async def test_one_passport_scanned_at_once_is_admitted_once(database: Settings, many: int) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guest = await make_passport(event, ticket_type)
    answers = await asyncio.gather(*(_scan(door, gate, guest.token) for _ in range(many)))
    assert Counter(answer.verdict for answer in answers) == {V.ADMITTED: 1, V.WELCOME_BACK: many - 1}
    assert await Scan.filter(turn__not_isnull=True).count() == 1


async def test_two_processes_admit_one_passport_once(database: Settings) -> None:
    """Past this process's committer, as another process's would: the row locks and the unique index decide."""
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guests = [await make_passport(event, ticket_type) for _ in range(4)]
    committers = [scanning.Committer() for _ in range(4)]
    futures = []
    for guest in guests:
        for committer in committers:
            for _ in range(4):
                future = asyncio.get_running_loop().create_future()
                futures.append(future)
                committer.put(_waiting(door, _entry(gate, guest.token), future))
    answers = await asyncio.gather(*futures)
    assert Counter(answer.verdict for answer in answers) == {V.ADMITTED: 4, V.WELCOME_BACK: 60}
    assert await Scan.all().count() == 64
    assert sum([row.count for row in await DayTally.filter(outcome="entry")]) == 4


def _waiting(door: Door, entry: ScanEntry, future: asyncio.Future[Answer]) -> Any:
    return scanning._Waiting(
        entry=entry,
        event_id=door.event.id,
        actor_key=door.actor.key,
        arrived=NOW,
        future=future,
        reading=read_code(entry.code),
        body_digest=f"{entry.code}{entry.checkpoint_id}{entry.direction}"[:64],
    )


async def test_capacity_is_exact_under_parallel_entries(database: Settings) -> None:
    event, ticket_type, door = await _house()
    room = await make_checkpoint(event, kind="session", scans_exits=True, capacity=5)
    guests = [await make_passport(event, ticket_type) for _ in range(32)]
    committers = [scanning.Committer() for _ in range(3)]
    futures = []
    for index, guest in enumerate(guests):
        future = asyncio.get_running_loop().create_future()
        futures.append(future)
        committers[index % 3].put(_waiting(door, _entry(room, guest.token), future))
    answers = await asyncio.gather(*futures)
    assert Counter(answer.verdict for answer in answers) == {V.ADMITTED: 5, V.FULL: 27}
    assert [row.inside for row in await Presence.all()] == [5]
    inside = next(
        guest for guest, answer in zip(guests, answers, strict=True) if answer.verdict is V.ADMITTED
    )
    outside = next(guest for guest, answer in zip(guests, answers, strict=True) if answer.verdict is V.FULL)
    await _scan(door, room, inside.token, Direction.EXIT)
    assert (await _scan(door, room, outside.token)).verdict is V.ADMITTED


async def test_concurrent_scans_share_a_commit(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guests = [await make_passport(event, ticket_type) for _ in range(40)]
    await _scan(door, gate, "warm the picture of the event")
    before, statements = db.stats.commits, db.stats.statements
    await asyncio.gather(*(_scan(door, gate, guest.token) for guest in guests))
    few, commits = db.stats.statements - statements, db.stats.commits - before
    assert commits <= 3
    statements = db.stats.statements
    await _scan(door, gate, (await make_passport(event, ticket_type)).token)
    assert few <= 2 * (db.stats.statements - statements)


async def test_one_and_many_scans_cost_the_same_statements(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guests = [await make_passport(event, ticket_type) for _ in range(44)]
    await _scan(door, gate, "warm the picture of the event")
    counts = []
    for group in (guests[:1], guests[1:4], guests[4:44]):
        before = db.stats.statements
        answers = await scan_batch(door=door, entries=[_entry(gate, guest.token) for guest in group], at=NOW)
        counts.append(db.stats.statements - before)
        assert all(isinstance(answer, Answer) and answer.verdict is V.ADMITTED for answer in answers)
    assert counts[0] == counts[1] == counts[2] <= 9


async def test_a_batch_with_one_bad_entry_counts_the_good_ones(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    entries = [_entry(gate, (await make_passport(event, ticket_type)).token) for _ in range(20)]
    bad = ScanEntry(uuid.uuid4(), entries[0].code, 999_999)
    reused = ScanEntry(entries[0].scan_id, "another body", gate.id)
    results = await scan_batch(door=door, entries=[*entries[:10], bad, *entries[10:], reused], at=NOW)
    assert isinstance(results[10], NotFound) and results[10].code == CheckinCode.CHECKPOINT_UNKNOWN
    assert isinstance(results[21], Conflict)
    assert sum(isinstance(result, Answer) and result.verdict is V.ADMITTED for result in results) == 20


async def test_the_same_batch_twice_half_while_the_first_runs(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    entries = [_entry(gate, (await make_passport(event, ticket_type)).token) for _ in range(60)]
    first, half = await asyncio.gather(
        scan_batch(door=door, entries=entries, at=NOW), scan_batch(door=door, entries=entries[30:], at=NOW)
    )
    whole = await scan_batch(door=door, entries=entries, at=NOW + timedelta(minutes=10))
    for results in (first, half, whole):
        assert all(isinstance(result, Answer) and result.verdict is V.ADMITTED for result in results)
    assert await Scan.all().count() == 60
    assert await Arrival.all().count() == 60


async def test_one_failing_scan_never_fails_its_neighbours(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guests = [await make_passport(event, ticket_type) for _ in range(6)]

    def poisoned(facts: Any) -> Any:
        if facts.passport and facts.passport.id == guests[3].id:
            raise ZeroDivisionError
        return judge(facts)

    monkeypatch.setattr(scanning, "judge", poisoned)
    found = await asyncio.gather(
        *(_scan(door, gate, guest.token) for guest in guests), return_exceptions=True
    )
    assert [isinstance(one, ZeroDivisionError) for one in found] == [False, False, False, True, False, False]
    assert await Scan.all().count() == 5


async def test_a_full_queue_is_busy_and_remembers_nothing(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guests = [await make_passport(event, ticket_type) for _ in range(8)]
    monkeypatch.setattr(scanning, "QUEUE_MAX", 5)
    results = await scan_batch(door=door, entries=[_entry(gate, guest.token) for guest in guests], at=NOW)
    assert [isinstance(result, Busy) for result in results] == [False] * 5 + [True] * 3
    assert await Scan.all().count() == 5


async def test_a_scanner_keeps_to_own_checkpoints_and_other_events_are_shut(database: Settings) -> None:
    from events import access
    from events.rules import Permission
    from kernel.actor import Actor, ActorKind
    from tests.factories import make_account

    event, ticket_type, _ = await _house()
    mine, other = await make_checkpoint(event), await make_checkpoint(event)
    account = await make_account()
    await make_role(event, account, "scanner", "checkpoint", mine.id)
    access.forget()
    door = await access.open_event(Actor(kind=ActorKind.ACCOUNT, id=account.id), event.slug, Permission.SCAN)
    guest = await make_passport(event, ticket_type)
    assert (await _scan(door, mine, guest.token)).verdict is V.ADMITTED
    with pytest.raises(Forbidden):
        await _scan(door, other, guest.token)
    elsewhere = await make_event()
    foreign_gate = await make_checkpoint(elsewhere)
    owner = await make_door(event, "owner")
    with pytest.raises(NotFound):
        await _scan(owner, foreign_gate, guest.token)


async def test_totals_are_kept_beside_the_ledger(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate, north = await make_checkpoint(event), await make_checkpoint(event)
    guests = [await make_passport(event, ticket_type) for _ in range(3)]
    for guest in guests:
        await _scan(door, gate, guest.token)
    await _scan(door, north, guests[0].token)
    await _scan(door, gate, guests[0].token)
    await _scan(door, gate, "nobody")
    entries = {row.checkpoint_id: row.count for row in await DayTally.filter(outcome="entry")}
    assert entries == {gate.id: 3, north.id: 1}
    assert await Arrival.all().count() == 3
    minutes = {row.outcome: row.count for row in await MinuteTally.all()}
    assert minutes == {"entry": 4, "repeat": 1, "refused": 1}
    versions = await db.query("SELECT topic, version FROM topic_version ORDER BY topic")
    assert {row["topic"]: row["version"] for row in versions} == {
        f"board.{event.id}": 6,
        f"rooms.{event.id}": 4,
    }


async def test_a_dead_code_says_revoked_and_the_new_one_admits(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guest = await make_passport(event, ticket_type)
    fresh = codes.new_token()
    async with db.unit_of_work():
        await PassportCode.filter(passport_id=guest.id).update(is_live=False)
        await PassportCode.create(event_id=event.id, passport_id=guest.id, code=fresh, kind="token")
    assert (await _scan(door, gate, guest.token)).verdict is V.REVOKED
    assert (await _scan(door, gate, guest.short_code)).verdict is V.REVOKED
    assert (await _scan(door, gate, fresh)).verdict is V.ADMITTED


async def test_a_cancelled_caller_does_not_undo_what_is_under_way(database: Settings) -> None:
    event, ticket_type, door = await _house()
    gate = await make_checkpoint(event)
    guests = [await make_passport(event, ticket_type) for _ in range(20)]
    tasks = [asyncio.create_task(_scan(door, gate, guest.token)) for guest in guests]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    await scanning.committer.finish()
    assert all(isinstance(one, Answer) and one.verdict is V.ADMITTED for one in found[1::2])
    assert await Scan.filter(turn__not_isnull=True).count() == 20


def test_refusals_carry_their_status() -> None:
    assert isinstance(Busy(), Refusal) and Busy().status == 503


async def test_a_capacity_set_later_knows_who_is_inside(database: Settings) -> None:
    from checkin import checkpoints
    from checkin.rules import Once, OnRepeat
    from kernel.actor import SYSTEM

    event, ticket_type, door = await _house()
    room = await make_checkpoint(event, kind="booth", once="event", on_repeat="warn")
    guests = [await make_passport(event, ticket_type) for _ in range(4)]
    for guest in guests[:3]:
        await _scan(door, room, guest.token)
    assert await Presence.all().count() == 0
    await checkpoints.change(
        actor=SYSTEM,
        event_id=event.id,
        checkpoint_id=room.id,
        at=NOW,
        name=room.name,
        once=Once.EVENT,
        on_repeat=OnRepeat.WARN,
        is_open=True,
        scans_exits=True,
        capacity=3,
        place_id=None,
        session_id=None,
        windows=(),
        ticket_type_ids=(),
    )
    assert (await _scan(door, room, guests[3].token)).verdict is V.FULL
    await _scan(door, room, guests[0].token, Direction.EXIT)
    assert (await _scan(door, room, guests[3].token)).verdict is V.ADMITTED
