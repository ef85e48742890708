"""Print stations: scanners say whose badge is wanted, a laptop's page takes one after the other and says how it went.

One station prints one badge at a time, in the order of the wishes. Who takes a job holds it for LEASE; a page that
crashed hands it back by being silent. A job is taken by one conditional statement under the station's row, so two open
pages of a station never print one twice.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from checkin import badges
from checkin.badge_rules import (
    LEASE,
    QUEUE_MAX,
    SEEN_WITHIN,
    TRIES_MAX,
    BadgeCode,
    JobState,
    Paper,
    Pause,
    PrintFailure,
)
from checkin.models import PrintJob, PrintStation
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from people import journal

NAME_MAX: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a station prints on which paper."""

    paper: Paper = Paper.A6
    shows_line: bool = True
    shows_type: bool = True
    shows_number: bool = True
    shows_code: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    id: int
    event_id: int
    name: str
    layout: Layout
    pause: Pause | None
    is_open: bool
    seen_at: datetime | None

    def is_there(self, at: datetime) -> bool:
        """Whether a page of it has asked for work just now."""
        return self.seen_at is not None and at - self.seen_at <= SEEN_WITHIN


def _station(row: PrintStation) -> Station:
    return Station(
        id=row.id,
        event_id=row.event_id,
        name=row.name,
        layout=Layout(
            paper=Paper(row.paper),
            shows_line=row.shows_line,
            shows_type=row.shows_type,
            shows_number=row.shows_number,
            shows_code=row.shows_code,
        ),
        pause=Pause(row.pause) if row.pause else None,
        is_open=row.is_open,
        seen_at=row.seen_at,
    )


async def stations(event_id: int, *, closed: bool = False) -> list[Station]:
    """The event's stations by name; ``closed`` ones, too, where asked."""
    rows = PrintStation.filter(event_id=event_id)
    if not closed:
        rows = rows.filter(is_open=True)
    return [_station(row) for row in await rows.order_by("name", "id")]


async def get(event_id: int, station_id: int) -> Station:
    """Raises NotFound ``print_station_unknown`` when the event has no such station."""
    row = await PrintStation.get_or_none(id=station_id, event_id=event_id)
    if row is None:
        raise NotFound(BadgeCode.STATION_UNKNOWN)
    return _station(row)


async def save(
    *,
    actor: Actor,
    event_id: int,
    station_id: int | None,
    name: str,
    layout: Layout,
    is_open: bool = True,
    at: datetime,
) -> int:
    """Opens a station, or changes one. Raises Invalid for a name that is empty or too long, NotFound for no such one."""
    name = " ".join(name.split())
    if not name:
        raise Invalid({"name": Problem(Code.REQUIRED)})
    if len(name) > NAME_MAX:
        raise Invalid({"name": Problem(Code.TOO_LONG, {"limit": NAME_MAX})})
    values: dict[str, Any] = {
        "name": name,
        "paper": layout.paper.value,
        "shows_line": layout.shows_line,
        "shows_type": layout.shows_type,
        "shows_number": layout.shows_number,
        "shows_code": layout.shows_code,
        "is_open": is_open,
    }
    async with unit_of_work():
        if station_id is None:
            number: int = (await PrintStation.create(event_id=event_id, created_at=at, **values)).id
        else:
            await get(event_id, station_id)
            await PrintStation.filter(id=station_id).update(**values)
            number = station_id
        await journal.write(
            actor=actor,
            verb="print_station.added" if station_id is None else "print_station.changed",
            object_kind="print_station",
            object_id=number,
            at=at,
            event_id=event_id,
            new=values,
        )
        return number


async def pause(*, event_id: int, station_id: int, why: Pause | None) -> None:
    """Nothing is taken until somebody goes on (None). Twice is once."""
    async with unit_of_work():
        await get(event_id, station_id)
        await PrintStation.filter(id=station_id).update(pause=why.value if why else "")


# --- wishes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A job as whoever asked for it sees it: ``ahead`` of it so many wait."""

    job_id: int
    station_id: int
    state: JobState
    failure: PrintFailure | None
    ahead: int
    is_there: bool


async def ask(
    *, actor: Actor, event_id: int, station_id: int, passport_id: int, request_id: UUID, at: datetime
) -> Wanted:
    """Whose badge is wanted where. The same ``request_id`` again is the same job, in whatever state it is by then.

    Raises NotFound for another event's station or passport, Conflict ``print_station_closed``,
    ``badge_nothing_to_print`` for a void passport, ``print_queue_full``, and ``replay_mismatch`` for an id that was
    used for something else.
    """
    async with unit_of_work():
        station = await get(event_id, station_id)
        if known := await _known(actor, station_id, passport_id, request_id):
            return await _wanted(known, station, at)
        if not station.is_open:
            raise Conflict(BadgeCode.STATION_CLOSED)
        passports_ = await db.query(
            "SELECT status FROM passport WHERE id = $1 AND event_id = $2", passport_id, event_id
        )
        if not passports_:
            raise NotFound()
        if passports_[0]["status"] not in ("valid", "not_confirmed"):
            raise Conflict(BadgeCode.NOTHING_TO_PRINT)
        if await PrintJob.filter(station_id=station_id, state=JobState.QUEUED.value).count() >= QUEUE_MAX:
            raise Conflict(BadgeCode.QUEUE_FULL)
        row = (request_id, event_id, station_id, passport_id, actor.key, at, JobState.QUEUED.value, 0, "")
        # A twin of this very request may have been first: then theirs is the job.
        await db.write_together(db.Insert("print_job", _JOB_COLUMNS, [row], "ON CONFLICT DO NOTHING"))
        known = await _known(actor, station_id, passport_id, request_id)
        assert known is not None
        return await _wanted(known, station, at)


_JOB_COLUMNS: Final = (
    ("request_id", "uuid"),
    ("event_id", "int"),
    ("station_id", "int"),
    ("passport_id", "int"),
    ("actor_key", "text"),
    ("requested_at", "instant"),
    ("state", "text"),
    ("tries", "int"),
    ("failure", "text"),
)


async def _known(actor: Actor, station_id: int, passport_id: int, request_id: UUID) -> PrintJob | None:
    row = await PrintJob.get_or_none(request_id=request_id)
    if row is not None and (row.actor_key, row.station_id, row.passport_id) != (
        actor.key,
        station_id,
        passport_id,
    ):
        raise Conflict(Code.REPLAY_MISMATCH)
    return row


async def _wanted(row: PrintJob, station: Station, at: datetime) -> Wanted:
    ahead = 0
    if row.state in (JobState.QUEUED, JobState.TAKEN):
        ahead = await PrintJob.filter(
            station_id=row.station_id, id__lt=row.id, state__in=[JobState.QUEUED.value, JobState.TAKEN.value]
        ).count()
    return Wanted(
        job_id=row.id,
        station_id=row.station_id,
        state=JobState(row.state),
        failure=PrintFailure(row.failure) if row.failure else None,
        ahead=ahead,
        is_there=station.is_there(at),
    )


# --- the station's page ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that this window holds until ``lease_until``; ``tries`` above one: it may have come out before."""

    job_id: int
    passport_id: int
    tries: int
    lease_until: datetime


async def take(*, event_id: int, station_id: int, window: UUID, at: datetime) -> Taken | None:
    """The next job for a window of this station, or None: nothing waits, the station pauses, or another window prints.

    One job of a station is under way at a time. Its own job is given to a window again (the answer was lost). What was
    taken TRIES_MAX times without a word is set aside as failed. Tells the station that somebody is there.
    """
    async with unit_of_work():
        # The station's row first: whoever else takes here waits for this commit.
        rows = await db.query(
            "UPDATE print_station SET seen_at = $1 WHERE id = $2 AND event_id = $3 RETURNING pause, is_open",
            at,
            station_id,
            event_id,
        )
        if not rows:
            raise NotFound(BadgeCode.STATION_UNKNOWN)
        if rows[0]["pause"] or not rows[0]["is_open"]:
            return None
        await db.execute(
            f"UPDATE print_job SET state = 'failed', failure = '{PrintFailure.LAPSED.value}', ended_at = $2 "
            f"WHERE station_id = $1 AND state = 'taken' AND lease_until < $2 AND tries >= {TRIES_MAX}",
            station_id,
            at,
        )
        under_way = await db.query(
            "SELECT id, passport_id, tries, taken_by, lease_until FROM print_job "
            "WHERE station_id = $1 AND state = 'taken' AND lease_until >= $2",
            station_id,
            at,
        )
        if under_way:
            row = under_way[0]
            until = db.as_instant(row["lease_until"])
            assert until is not None
            mine = db.as_uuid(row["taken_by"]) == window
            return Taken(row["id"], row["passport_id"], row["tries"], until) if mine else None
        until = at + LEASE
        rows = await db.query(
            # The condition stands in the statement itself: a job that somebody else has by now is not taken.
            f"""UPDATE print_job SET state = 'taken', taken_at = $2, lease_until = $3, tries = tries + 1,
                    taken_by = (SELECT r.w FROM {db.json_rows("$4", w="uuid")})
                WHERE id = (SELECT id FROM print_job WHERE station_id = $1
                    AND (state = 'queued' OR (state = 'taken' AND lease_until < $2)) ORDER BY id LIMIT 1)
                AND (state = 'queued' OR (state = 'taken' AND lease_until < $2))
                RETURNING id, passport_id, tries""",
            station_id,
            at,
            until,
            orjson.dumps([{"w": str(window)}]).decode(),
        )
        return Taken(rows[0]["id"], rows[0]["passport_id"], rows[0]["tries"], until) if rows else None


async def held(*, event_id: int, station_id: int, job_id: int, window: UUID) -> PrintJob:
    """The job that a window has in hand. Raises Conflict ``print_job_gone`` when it is no longer this window's."""
    row = await PrintJob.get_or_none(id=job_id, event_id=event_id, station_id=station_id)
    if row is None:
        raise NotFound()
    if row.taken_by != window or row.state != JobState.TAKEN.value:
        raise Conflict(BadgeCode.JOB_GONE)
    return row


async def finish(
    *,
    actor: Actor,
    event_id: int,
    station_id: int,
    job_id: int,
    window: UUID,
    failure: PrintFailure | None,
    at: datetime,
) -> JobState:
    """How a job went, as told by the window that holds it; the same word again changes nothing.

    What was printed is written into the badge's ledger in the same transaction. A lease that ran out matters only
    where another window took the job meanwhile: Conflict ``print_job_gone``.
    """
    state = JobState.FAILED if failure else JobState.PRINTED
    async with unit_of_work():
        row = await PrintJob.get_or_none(id=job_id, event_id=event_id, station_id=station_id)
        if row is None:
            raise NotFound()
        if row.taken_by != window:
            raise Conflict(BadgeCode.JOB_GONE)
        ended = await PrintJob.filter(id=job_id, taken_by=window, state=JobState.TAKEN.value).update(
            state=state.value, failure=failure.value if failure else "", ended_at=at
        )
        if ended and state is JobState.PRINTED:
            await badges.note_print(
                actor=actor,
                event_id=event_id,
                passport_id=row.passport_id,
                act_id=uuid5(row.request_id, "printed"),
                at=at,
            )
        return state if ended else JobState((await PrintJob.get(id=job_id)).state)


async def drop(*, event_id: int, station_id: int, job_id: int, at: datetime) -> bool:
    """Nobody wants this badge any more; whether it was still waiting."""
    async with unit_of_work():
        return bool(
            await PrintJob.filter(
                id=job_id, event_id=event_id, station_id=station_id, state=JobState.QUEUED.value
            ).update(state=JobState.DROPPED.value, ended_at=at)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job with whose badge it is."""

    id: int
    passport_id: int
    name: str
    number: int | None
    box: str
    state: JobState
    failure: PrintFailure | None
    tries: int
    requested_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNow:
    """A station's queue: how many wait, the next of them, and the last that came out or did not."""

    station: Station
    waiting: int
    next: Sequence[JobLine]
    last: Sequence[JobLine]


#: Shown of a queue at either end.
SHOWN: Final = 8


async def queue_of(*, event_id: int, station_id: int) -> QueueNow:
    """Four statements for any number of jobs."""
    station = await get(event_id, station_id)
    [counted] = await db.query(
        "SELECT count(*) AS n FROM print_job WHERE station_id = $1 AND state IN ('queued', 'taken')",
        station_id,
    )
    columns = """SELECT j.id, j.passport_id, j.state, j.failure, j.tries, j.requested_at, j.ended_at, p.badge_name,
        p.badge_number, p.badge_box FROM print_job j JOIN passport p ON p.id = j.passport_id
        WHERE j.station_id = $1"""
    ahead = await db.query(
        f"{columns} AND j.state IN ('queued', 'taken') ORDER BY j.id LIMIT {SHOWN}", station_id
    )
    last = await db.query(
        f"{columns} AND j.state IN ('printed', 'failed') ORDER BY j.ended_at DESC, j.id DESC LIMIT {SHOWN}",
        station_id,
    )
    return QueueNow(
        station=station,
        waiting=int(counted["n"]),
        next=[_line(row) for row in ahead],
        last=[_line(row) for row in last],
    )


def _line(row: Mapping[str, Any]) -> JobLine:
    requested = db.as_instant(row["requested_at"])
    assert requested is not None
    return JobLine(
        id=row["id"],
        passport_id=row["passport_id"],
        name=row["badge_name"],
        number=row["badge_number"],
        box=row["badge_box"],
        state=JobState(row["state"]),
        failure=PrintFailure(row["failure"]) if row["failure"] else None,
        tries=row["tries"],
        requested_at=requested,
        ended_at=db.as_instant(row["ended_at"]),
    )


async def waiting(event_id: int) -> dict[int, int]:
    """How many badges wait at each station of the event."""
    rows = await db.query(
        "SELECT station_id, count(*) AS n FROM print_job WHERE event_id = $1 AND state IN ('queued', 'taken') "
        "GROUP BY station_id",
        event_id,
    )
    return {row["station_id"]: int(row["n"]) for row in rows}
