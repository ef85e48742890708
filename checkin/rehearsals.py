"""Rehearsals: everybody tries with real passports and devices before the doors open, and nothing is counted.

While one runs each scan is judged by the same rules against a book of its own (``scanning.REHEARSAL``). It ends by
itself at the opening of the doors, without anything having to run then: whether a scan is tried or real is asked of
its time. What waited on a phone past the end still belongs to it, and its id is never a real scan's.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from checkin import checkpoints, rehearsal_rules
from checkin.checkpoints import World
from checkin.models import Rehearsal
from checkin.rehearsal_rules import RehearsalCode
from checkin.rules import VerdictCode
from kernel import db
from kernel.actor import Actor
from kernel.db import after_commit, unit_of_work
from kernel.errors import Conflict, Invalid, Problem
from kernel.interval import Interval
from people import journal, topics
from web import render

LATEST: Final = 20


def in_world(world: World, at: datetime) -> datetime | None:
    """When the rehearsal that runs at a moment ends; None when none runs."""
    running = world.rehearsal_at(at)
    return running.ends_at if running else None


async def ends_at(event_id: int, at: datetime | None = None) -> datetime | None:
    """When the event's rehearsal ends; None when none runs now. Out of the door's picture, at most two seconds old."""
    return in_world(await checkpoints.world(event_id), at or datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Banner:
    """What every screen at the door shows while a rehearsal runs: until when; nothing when none does."""

    ends_at: datetime | None
    zone: str

    @property
    def ends_ms(self) -> int | None:
        return round(self.ends_at.timestamp() * 1000) if self.ends_at else None

    @property
    def until(self) -> str:
        """The same words as rehearsal.js writes."""
        return end_words(self.ends_at, self.zone) if self.ends_at else ""


def end_words(at: datetime, zone: str) -> str:
    """When something ends, by the event's clock, as people say it: midnight is 24:00 of the day that ends with it."""
    local = at.astimezone(ZoneInfo(zone))
    if (local.hour, local.minute) != (0, 0):
        return render.moment(at, zone)
    before = render.moment(at - timedelta(minutes=1), zone)
    return before.removesuffix("23:59") + "24:00"


def banner_of(world: World, at: datetime) -> Banner:
    return Banner(in_world(world, at), world.time_zone)


async def banner(event_id: int, at: datetime | None = None) -> Banner:
    return banner_of(await checkpoints.world(event_id), at or datetime.now(UTC))


async def start(*, actor: Actor, event_id: int, until: datetime | None, at: datetime) -> datetime:
    """Starts a rehearsal and gives its end; where one runs already only its end is moved.

    Without ``until`` it ends at the opening of the doors (``rehearsal_rules.doors_open``), and never later. What a
    former one left is cleared. Raises Conflict ``doors_are_open`` once they are, Invalid for an end that is past or
    behind that opening.
    """
    async with unit_of_work():
        await db.one_at_a_time(f"rehearsal.{event_id}")
        world = await checkpoints.read_world(event_id)
        end = rehearsal_rules.end_of(until, at=at, doors=world.doors_open)
        if end is RehearsalCode.DOORS_ARE_OPEN:
            raise Conflict(end)
        if isinstance(end, RehearsalCode):
            raise Invalid({"until": Problem(end)})
        if world.rehearsal_at(at) is not None:
            row = await Rehearsal.filter(event_id=event_id).order_by("-id").first()
            assert row is not None
            if db.as_instant(row.ends_at) == end:
                return end
            await Rehearsal.filter(id=row.id).update(ends_at=end)
        else:
            await _clear(event_id, at)
            row = await Rehearsal.create(event_id=event_id, starts_at=at, ends_at=end, started_by=actor.key)
        await _announce(actor, event_id, "rehearsal.started", at, until=end.isoformat())
    return end


async def stop(*, actor: Actor, event_id: int, at: datetime) -> None:
    """Ends the rehearsal that runs; from now on scans are real. Where none runs nothing happens."""
    async with unit_of_work():
        await db.one_at_a_time(f"rehearsal.{event_id}")
        world = await checkpoints.read_world(event_id)
        if world.rehearsal_at(at) is None:
            return
        row = await Rehearsal.filter(event_id=event_id).order_by("-id").first()
        assert row is not None
        await Rehearsal.filter(id=row.id).update(ends_at=at, stopped_by=actor.key)
        await _announce(actor, event_id, "rehearsal.stopped", at)


async def clear(*, actor: Actor, event_id: int, at: datetime) -> int:
    """Forgets what was tried, so that everybody may be tried anew, and gives how many scans that were.

    Their ids stay known: a phone that sends one again hears the same answer, and none of them becomes a real scan.
    """
    async with unit_of_work():
        count = await _clear(event_id, at)
        if count:
            await _announce(actor, event_id, "rehearsal.cleared", at, scans=count)
    return count


async def _clear(event_id: int, at: datetime) -> int:
    return await db.execute(
        "UPDATE rehearsal_scan SET cleared_at = $1, turn = NULL WHERE event_id = $2 AND cleared_at IS NULL",
        at,
        event_id,
    )


async def _announce(actor: Actor, event_id: int, verb: str, at: datetime, **new: str | int) -> None:
    await journal.write(
        actor=actor, verb=verb, object_kind="event", object_id=event_id, at=at, event_id=event_id, new=new
    )
    after_commit(partial(checkpoints.forget_event, event_id))
    await topics.tell(*(await checkpoints.read_world(event_id)).board_topics)


# --- what was tried ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tried:
    """One device or person that scanned: how often, and when last."""

    by: str
    scans: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class TriedScan:
    at: datetime
    checkpoint_id: int
    verdict: VerdictCode
    by: str
    name: str
    late: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What has been tried since it was cleared last. ``counts``: (checkpoint, verdict) and how often."""

    span: Interval | None
    doors_open: datetime
    scans: int
    people: int
    tried: Sequence[Tried]
    counts: Sequence[tuple[int, VerdictCode, int]]
    latest: Sequence[TriedScan]


async def report(event_id: int, at: datetime) -> Report:
    """The rehearsal's own page: three statements for any number of scans."""
    world = await checkpoints.read_world(event_id)
    mine = "FROM rehearsal_scan s WHERE s.event_id = $1 AND s.cleared_at IS NULL"
    actors = await db.query(
        f"SELECT s.actor_key, count(*) AS n, max(s.at) AS last {mine} GROUP BY s.actor_key ORDER BY max(s.at) DESC",
        event_id,
    )
    counts = await db.query(
        f"""SELECT s.checkpoint_id, s.verdict, count(*) AS n {mine} GROUP BY s.checkpoint_id, s.verdict
            ORDER BY s.checkpoint_id, count(*) DESC, s.verdict""",
        event_id,
    )
    latest = await db.query(
        f"""SELECT s.at, s.received_at, s.checkpoint_id, s.verdict, s.actor_key, p.badge_name,
                (SELECT count(DISTINCT s.passport_id) {mine}) AS people
            FROM rehearsal_scan s LEFT JOIN passport p ON p.id = s.passport_id
            WHERE s.event_id = $1 AND s.cleared_at IS NULL ORDER BY s.id DESC LIMIT {LATEST}""",
        event_id,
    )
    return Report(
        span=world.rehearsal_at(at),
        doors_open=world.doors_open,
        scans=sum(int(row["n"]) for row in actors),
        people=int(latest[0]["people"]) if latest else 0,
        tried=[Tried(row["actor_key"], int(row["n"]), _instant(row["last"])) for row in actors],
        counts=[(row["checkpoint_id"], VerdictCode(row["verdict"]), int(row["n"])) for row in counts],
        latest=[
            TriedScan(
                _instant(row["at"]),
                row["checkpoint_id"],
                VerdictCode(row["verdict"]),
                row["actor_key"],
                row["badge_name"] or "",
                (_instant(row["received_at"]) - _instant(row["at"])).total_seconds() > 1,
            )
            for row in latest
        ],
    )


def _instant(value: object) -> datetime:
    at = db.as_instant(value)
    assert at is not None
    return at
