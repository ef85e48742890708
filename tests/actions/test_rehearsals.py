"""A rehearsal: judged as ever, in a book of its own, counted nowhere; and over at the doors' opening by itself."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkin import checkpoints, counting, rehearsals
from checkin.models import (
    Arrival,
    DayTally,
    MinuteTally,
    Passport,
    Presence,
    Rehearsal,
    RehearsalScan,
    Scan,
    ScanConflict,
)
from checkin.offline_rules import Local
from checkin.rehearsal_rules import RehearsalCode
from checkin.rules import Direction, VerdictCode
from checkin.scanning import Answer, ScanEntry, scan, scan_batch
from events.access import Door
from events.models import Event, TicketType
from kernel import db
from kernel.errors import Conflict, Invalid
from kernel.settings import Settings
from people.models import JournalEntry
from tests.factories import make_checkpoint, make_door, make_event, make_passport, make_ticket_type

V = VerdictCode
#: The event's first day is 28 October; its gate opens at nine in Shanghai.
DOORS = datetime(2023, 10, 28, 1, 0, tzinfo=UTC)
EVE = DOORS - timedelta(hours=15)
HOUR = timedelta(hours=1)


async def _house() -> tuple[Event, TicketType, Door, Any]:
    event = await make_event()
    gate = await make_checkpoint(event, scans_exits=True, windows=[(DOORS, DOORS + 9 * HOUR)])
    return event, await make_ticket_type(event), await make_door(event), gate


async def _start(event: Event, door: Door, until: datetime | None = None, at: datetime = EVE) -> datetime:
    return await rehearsals.start(actor=door.actor, event_id=event.id, until=until, at=at)


def _entry(checkpoint: Any, code: str, **more: Any) -> ScanEntry:
    return ScanEntry(
        more.pop("scan_id", uuid.uuid4()), code, checkpoint.id, more.pop("direction", Direction.ENTRY), **more
    )


async def _scan(door: Door, checkpoint: Any, code: str, at: datetime, **more: Any) -> Answer:
    return await scan(door=door, entry=_entry(checkpoint, code, **more), at=at)


async def _counted() -> dict[str, int]:
    return {
        model.__name__: await model.all().count()
        for model in (Scan, DayTally, MinuteTally, Arrival, Presence, ScanConflict)
    }


NOTHING = dict.fromkeys(("Scan", "DayTally", "MinuteTally", "Arrival", "Presence", "ScanConflict"), 0)


async def test_everything_is_judged_and_nothing_is_counted(database: Settings) -> None:
    event, ticket_type, door, gate = await _house()
    room = await make_checkpoint(event, kind="session", on_repeat="warn", scans_exits=True, capacity=1)
    meal = await make_checkpoint(event, kind="meal", on_repeat="refuse")
    one, two = [await make_passport(event, ticket_type) for _ in range(2)]
    revoked = await make_passport(event, ticket_type, status="revoked")
    assert await _start(event, door) == DOORS
    assert await rehearsals.ends_at(event.id, EVE) == DOORS
    steps = (
        (gate, one, Direction.ENTRY, V.NOT_YET_OPEN), (room, one, Direction.ENTRY, V.ADMITTED),
        (room, two, Direction.ENTRY, V.FULL), (room, one, Direction.ENTRY, V.ALREADY_HERE),
        (room, one, Direction.EXIT, V.EXIT_RECORDED), (room, two, Direction.ENTRY, V.ADMITTED),
        (meal, one, Direction.ENTRY, V.ADMITTED), (meal, one, Direction.ENTRY, V.ALREADY_USED),
        (meal, revoked, Direction.ENTRY, V.REVOKED),
    )  # fmt: skip
    for where, guest, direction, verdict in steps:
        answer = await _scan(door, where, guest.token, EVE, direction=direction)
        assert (answer.verdict, answer.is_rehearsal) == (verdict, True)
    told = await _scan(door, meal, revoked.token, EVE, local=Local.ADMITTED)
    assert (told.verdict, told.is_conflict) == (V.REVOKED, False)
    assert await _counted() == NOTHING
    board = await counting.board(event_id=event.id, at=EVE)
    assert (board["arrived"], board["latest"], board["lanes"][0][1]) == (0, [], None)
    # Afterwards the same people come in for the first time.
    real = await _scan(door, meal, one.token, DOORS)
    assert (real.verdict, real.is_rehearsal) == (V.ADMITTED, False)
    assert await counting.rebuild(event.id) == []


async def test_it_ends_by_itself_and_what_waited_still_belongs_to_it(database: Settings) -> None:
    event, ticket_type, door, gate = await _house()
    guests = [await make_passport(event, ticket_type) for _ in range(4)]
    await _start(event, door)
    first, queued, fresh = (_entry(gate, guest.token) for guest in guests[:3])
    tried = await scan(door=door, entry=first, at=DOORS - timedelta(seconds=1))
    assert (tried.verdict, tried.is_rehearsal) == (V.NOT_YET_OPEN, True)
    assert await rehearsals.ends_at(event.id, DOORS) is None
    # An hour after the doors: the queue brings one of before them, one of after them, and a replay in between.
    later = DOORS + HOUR
    found = await scan_batch(
        door=door,
        entries=[
            queued._replace(age_ms=2 * 3_600_000), first, fresh._replace(age_ms=1_000), queued._replace(age_ms=1),
        ],
        at=later,
    )  # fmt: skip
    said = [(one.verdict, one.is_rehearsal, one.is_replay) for one in found if isinstance(one, Answer)]
    assert said == [
        (V.NOT_YET_OPEN, True, False), (V.NOT_YET_OPEN, True, True), (V.ADMITTED, False, False),
        (V.NOT_YET_OPEN, True, True),
    ]  # fmt: skip
    assert (await Scan.all().count(), await RehearsalScan.all().count()) == (1, 2)


async def test_an_id_has_one_answer_in_whichever_book(database: Settings) -> None:
    event, ticket_type, door, gate = await _house()
    other = await make_door(event)
    one, two = [await make_passport(event, ticket_type) for _ in range(2)]
    real = _entry(gate, one.token)
    before = await scan(door=door, entry=real, at=EVE - HOUR)
    await _start(event, door)
    # A real id in the rehearsal is the real scan; nobody else may use it, nor with another body.
    again = await scan(door=door, entry=real, at=EVE)
    assert (again.verdict, again.is_rehearsal, again.is_replay, again.at) == (
        before.verdict,
        False,
        True,
        before.at,
    )
    tried = _entry(gate, two.token)
    first = await scan(door=door, entry=tried, at=EVE)
    for at in (EVE, DOORS + HOUR, DOORS + timedelta(days=3)):
        replay = await scan(door=door, entry=tried, at=at)
        assert replay == first._replace(is_replay=True)
    for by, entry in ((other, tried), (door, tried._replace(code=one.token)), (other, real)):
        for at in (EVE, DOORS + HOUR):
            with pytest.raises(Conflict):
                await scan(door=by, entry=entry, at=at)
    assert (await Scan.all().count(), await RehearsalScan.all().count()) == (1, 1)


async def test_cleared_it_begins_anew_and_forgets_no_id(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    booth = await make_checkpoint(event, kind="booth", once="event", on_repeat="warn")
    guest = await make_passport(event, ticket_type)
    await _start(event, door)
    tried = _entry(booth, guest.token)
    assert (await scan(door=door, entry=tried, at=EVE)).verdict is V.ADMITTED
    assert (await _scan(door, booth, guest.token, EVE)).verdict is V.ALREADY_HERE
    assert await rehearsals.clear(actor=door.actor, event_id=event.id, at=EVE) == 2
    assert await rehearsals.clear(actor=door.actor, event_id=event.id, at=EVE) == 0
    assert (await _scan(door, booth, guest.token, EVE)).verdict is V.ADMITTED
    replay = await scan(door=door, entry=tried, at=DOORS + HOUR)
    assert (replay.verdict, replay.is_replay, replay.is_rehearsal) == (V.ADMITTED, True, True)
    # The next one begins with an empty book as well.
    await rehearsals.stop(actor=door.actor, event_id=event.id, at=EVE + HOUR)
    await _start(event, door, at=EVE + 2 * HOUR)
    assert (await _scan(door, booth, guest.token, EVE + 2 * HOUR)).verdict is V.ADMITTED
    assert await Scan.all().count() == 0
    report = await rehearsals.report(event.id, EVE + 2 * HOUR)
    assert (report.scans, report.people, [one.verdict for one in report.latest]) == (1, 1, [V.ADMITTED])
    assert report.counts == [(booth.id, V.ADMITTED, 1)]
    assert [(one.by, one.scans) for one in report.tried] == [(door.actor.key, 1)]


async def test_starting_stopping_and_what_is_refused(database: Settings) -> None:
    event, _, door, _ = await _house()
    for until, code in ((DOORS + HOUR, RehearsalCode.PAST_DOORS), (EVE, RehearsalCode.ENDS_TOO_SOON)):
        with pytest.raises(Invalid) as refusal:
            await _start(event, door, until)
        assert refusal.value.fields["until"].code == code
    with pytest.raises(Conflict) as late:
        await _start(event, door, at=DOORS)
    assert late.value.code == RehearsalCode.DOORS_ARE_OPEN
    ends = await asyncio.gather(*(_start(event, door, EVE + 2 * HOUR) for _ in range(8)))
    assert set(ends) == {EVE + 2 * HOUR} and await Rehearsal.all().count() == 1
    assert await _start(event, door, EVE + 3 * HOUR) == EVE + 3 * HOUR
    assert await Rehearsal.all().count() == 1
    assert await rehearsals.ends_at(event.id, EVE + 2 * HOUR) == EVE + 3 * HOUR
    await rehearsals.stop(actor=door.actor, event_id=event.id, at=EVE + HOUR)
    await rehearsals.stop(actor=door.actor, event_id=event.id, at=EVE + HOUR)
    assert await rehearsals.ends_at(event.id, EVE + HOUR) is None
    assert await rehearsals.ends_at(event.id, EVE + HOUR - timedelta(seconds=1)) == EVE + HOUR
    verbs = Counter([row.verb for row in await JournalEntry.all() if row.verb.startswith("rehearsal")])
    assert verbs == {"rehearsal.started": 2, "rehearsal.stopped": 1}


async def test_doors_that_open_earlier_end_it_earlier(database: Settings) -> None:
    """Nothing has to run: whoever moves the gate's window moves the end of the rehearsal."""
    event, ticket_type, door, gate = await _house()
    guest = await make_passport(event, ticket_type)
    await _start(event, door)
    early = await make_checkpoint(event, windows=[(EVE + HOUR, DOORS)])
    assert await rehearsals.ends_at(event.id, EVE) == EVE + HOUR
    answer = await _scan(door, early, guest.token, EVE + HOUR)
    assert (answer.verdict, answer.is_rehearsal) == (V.ADMITTED, False)
    assert (await _scan(door, gate, guest.token, EVE + HOUR - timedelta(seconds=1))).is_rehearsal


async def test_an_event_that_never_rehearsed_pays_nothing(database: Settings) -> None:
    event, ticket_type, door, gate = await _house()
    guests = [await make_passport(event, ticket_type) for _ in range(6)]

    async def cost(people: list[Passport], at: datetime) -> int:
        await _scan(door, gate, "warm the picture of the event", at)
        before = db.stats.statements
        await scan_batch(door=door, entries=[_entry(gate, one.token) for one in people], at=at)
        return db.stats.statements - before

    never = await cost(guests[:1], DOORS)
    await _start(event, door)
    tried_one, tried_more = await cost(guests[1:2], EVE), await cost(guests[2:5], EVE)
    assert tried_one == tried_more <= never
    assert await cost(guests[5:], DOORS) == never


async def test_one_passport_tried_at_once_is_admitted_once(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    meal = await make_checkpoint(event, kind="meal", on_repeat="refuse")
    guest = await make_passport(event, ticket_type)
    await _start(event, door)
    found = await asyncio.gather(*(_scan(door, meal, guest.token, EVE) for _ in range(32)))
    assert Counter(one.verdict for one in found) == {V.ADMITTED: 1, V.ALREADY_USED: 31}
    assert await _counted() == NOTHING


async def test_every_process_hears_of_it_within_two_seconds(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, _, door, _ = await _house()
    assert await rehearsals.ends_at(event.id, EVE) is None
    # As another process would, past this one's memory.
    async with db.unit_of_work():
        await Rehearsal.create(event_id=event.id, starts_at=EVE, ends_at=DOORS, started_by=door.actor.key)
    assert await rehearsals.ends_at(event.id, EVE) is None
    monkeypatch.setattr(checkpoints, "FRESH_S", 0.0)
    assert await rehearsals.ends_at(event.id, EVE) == DOORS
