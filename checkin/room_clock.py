"""What time alone changes in rooms: people who are seen out when the day has ended, and sessions that begin and end.

Neither is needed for a figure to be right. People inside are counted by the day and sessions follow from the clock; the
ledger is tidied after the day, and whoever looks at a board is told that another session has begun.
"""

# ruff: noqa: S608 -- statements are put together from our own words; values are parameters

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final

import orjson

from checkin import checkpoints, scanning
from checkin.checkpoints import World
from checkin.scanning import StillInside
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import in_list, json_rows, list_parameter, unit_of_work
from kernel.errors import Busy
from kernel.interval import Interval, day_of
from people import jobs, journal, topics
from people.jobs import JobHandle

DAY_END: Final = "checkin.day_end"
TURN: Final = "checkin.room_turn"
#: How often a process looks. A late look is a late line in the ledger, or a board that is late by so much.
DAY_END_EVERY_S: Final = 300.0
TURN_EVERY_S: Final = 10.0
#: People seen out in one transaction: some ten milliseconds of the writer's time.
AT_ONCE: Final = 200
#: Days that are looked back upon: a queue may be 36 hours old when it arrives, and a server may have been off for a day.
DAYS_BACK: Final = 3
#: A turn that nobody looked at for so long is told no more: every page has been read anew by then.
TURN_FORGOTTEN: Final = timedelta(minutes=2)


def connect() -> None:
    """Called once by main."""
    jobs.handles(DAY_END, _end_day)
    jobs.handles(TURN, _turn)
    jobs.chore(DAY_END, DAY_END_EVERY_S, queue_day_ends)
    jobs.chore(TURN, TURN_EVERY_S, queue_turns)


# --- the day has ended -------------------------------------------------------------------------------------------

#: Lists that count who is inside by the day or by the session, with their ways out.
_SEEN_OUT: Final = """SELECT l.id FROM checkin_list l WHERE l.event_id = $1 AND l.once IN ('day', 'session')
    AND EXISTS (SELECT 1 FROM checkpoint c WHERE c.list_id = l.id AND c.scans_exits)"""


async def queue_day_ends(at: datetime) -> None:
    """A job for every event in which somebody is still inside of a day that has ended.

    One key per event, day and hour: of several processes one queues it, and who arrives late out of a phone's queue is
    seen out within the hour.
    """
    rows = await db.query(
        """SELECT DISTINCT l.event_id FROM presence p JOIN checkin_list l ON l.id = p.list_id
           WHERE p.inside > 0 AND l.once IN ('day', 'session')
               AND EXISTS (SELECT 1 FROM checkpoint c WHERE c.list_id = l.id AND c.scans_exits)"""
    )
    for row in rows:
        event_id = row["event_id"]
        world = await checkpoints.world(event_id)
        today = world.programme_date(at)
        if await _still_inside(event_id, today, 1):
            since = at - _span(world, today).starts_at
            hour = int(since.total_seconds()) // 3600
            await jobs.enqueue(
                kind=DAY_END,
                key=f"{DAY_END}.{event_id}.{today}.{hour}",
                payload={"event_id": event_id, "today": today.isoformat()},
                at=at,
                event_id=event_id,
            )


async def _end_day(job: JobHandle) -> dict[str, Any]:
    event_id, today = int(job.payload["event_id"]), date.fromisoformat(job.payload["today"])
    return {"people": await see_everybody_out(event_id=event_id, today=today, at=None)}


async def see_everybody_out(*, event_id: int, today: date, at: datetime | None = None) -> int:
    """Writes a way out, at the end of their day, for everybody still inside of a day before ``today``; gives how many.

    In transactions of AT_ONCE people, each whole; what was written is not written again, so it may be broken off and
    begun anew. ``at``: when the lines arrived, for tests.
    """
    total, more = 0, True
    while more:
        done, more = await _again(partial(_some_out, event_id, today, at))
        total += done
    return total


async def _again(action: Callable[[], Awaitable[tuple[int, bool]]]) -> tuple[int, bool]:
    """A row that somebody else wrote first is read again; a few in a row mean that something else is wrong."""
    for _ in range(4):
        with contextlib.suppress(db.Outrun):
            return await db.retrying(action)
    raise Busy()


async def _some_out(event_id: int, today: date, at: datetime | None) -> tuple[int, bool]:
    """How many were seen out, and whether there may be more."""
    arrived = at or datetime.now(UTC)
    people = await _still_inside(event_id, today, AT_ONCE)
    if not people:
        return 0, False
    # One day at a time: all of them leave at its end.
    day = min(one.day for one in people)
    async with unit_of_work():
        await _hold([one.passport_id for one in people])
        # Whoever was scanned before the passports were ours has left already.
        held = {one.passport_id for one in people}
        again = await _still_inside(event_id, today, AT_ONCE, held)
        mine = [one for one in again if one.day == day]
        if not mine:
            return 0, True
        world = await checkpoints.read_world(event_id)
        await journal.write(
            actor=SYSTEM,
            verb="rooms.day_end",
            object_kind="event",
            object_id=event_id,
            at=arrived,
            event_id=event_id,
            new={"day": day.isoformat(), "people": len(mine)},
        )
        done = await scanning.see_out(
            event_id=event_id, people=mine, at=_span(world, day).ends_at, arrived=arrived
        )
    # A checkpoint that is gone leaves somebody for whom no way out can be written: they must not be tried for ever.
    return done, done > 0


async def _hold(passport_ids: Collection[int]) -> None:
    """Scans of these passports wait for us, or we for them; in the order in which the committer takes them."""
    lock = "FOR NO KEY UPDATE" if db.dialect() == "postgres" else ""
    await db.query(
        f"SELECT id FROM passport WHERE id {in_list('$1', 'int')} ORDER BY id {lock}",
        list_parameter(set(passport_ids)),
    )


async def _still_inside(
    event_id: int, today: date, limit: int, only: Collection[int] | None = None
) -> list[StillInside]:
    """Admissions of the last days that nobody has closed, the earliest day first."""
    days = [{"d": (today - timedelta(days=back)).isoformat()} for back in range(1, DAYS_BACK + 1)]
    values: list[Any] = [event_id, orjson.dumps(days).decode()]
    where = ""
    if only is not None:
        values.append(list_parameter(only))
        where = f"AND e.passport_id {in_list('$3', 'int')}"
    rows = await db.query(
        f"""SELECT e.passport_id, e.ticket_type_id, e.list_id, e.period, e.turn, e.checkpoint_id, e.programme_date
            FROM {json_rows("$2", d="date")} JOIN scan e ON e.event_id = $1 AND e.programme_date = r.d
            WHERE e.turn >= 0 AND e.direction = 'entry' AND e.list_id IN ({_SEEN_OUT}) {where}
                AND NOT EXISTS (SELECT 1 FROM scan o WHERE o.passport_id = e.passport_id AND o.list_id = e.list_id
                    AND o.period = e.period AND o.turn = e.turn AND o.direction <> 'entry')
            ORDER BY e.programme_date, e.passport_id LIMIT {int(limit)}""",
        *values,
    )
    return [
        StillInside(
            row["passport_id"],
            row["ticket_type_id"],
            row["list_id"],
            row["period"],
            row["turn"],
            row["checkpoint_id"],
            date.fromisoformat(str(row["programme_date"])[:10]),
        )
        for row in rows
    ]


def _span(world: World, day: date) -> Interval:
    return day_of(day, zone=world.time_zone, day_starts_minute=world.day_starts_minute)


# --- another session ---------------------------------------------------------------------------------------------


async def queue_turns(at: datetime) -> None:
    """A job for each moment of the last two minutes at which a room's session began or ended, or its door took the next.

    Of the events whose picture this process has in mind: nobody looks at the others. One key per event and moment.
    """
    for world in checkpoints.known_worlds():
        for moment in sorted(turns(world)):
            if at - TURN_FORGOTTEN < moment <= at:
                await jobs.enqueue(
                    kind=TURN,
                    key=f"{TURN}.{world.event_id}.{int(moment.timestamp())}",
                    payload={"event_id": world.event_id},
                    at=at,
                    event_id=world.event_id,
                )


def turns(world: World) -> set[datetime]:
    """The moments at which time alone changes what is shown of a room."""
    found: set[datetime] = set()
    for slots in world.slots.values():
        for slot in slots:
            found |= {slot.starts_at, slot.ends_at}
    for view in world.checkpoints.values():
        found |= {slot.starts_at - view.facts.lead for slot in view.facts.slots or ()}
    return found


async def _turn(job: JobHandle) -> dict[str, Any]:
    event_id = int(job.payload["event_id"])
    world = await checkpoints.read_world(event_id)
    await tell(event_id, [view.in_site for view in world.checkpoints.values()])
    return {}


async def tell(event_id: int, sites: Sequence[int | None]) -> None:
    """Whoever looks at this event's rooms reads them anew; each topic once."""
    changed = [checkpoints.board_topic(event_id), checkpoints.rooms_topic(event_id)]
    changed += [
        checkpoints.board_topic(event_id, site) for site in sorted({one for one in sites if one is not None})
    ]
    async with unit_of_work():
        await topics.tell(*changed)
