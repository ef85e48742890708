"""Rooms, as whoever works at them says: open, full or closed by hand, and heads counted where nobody scans.

Both are ledgers: the latest line counts, a correction is another line. What they come to together with the scans is
decided by ``room_rules`` and read by ``counting``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from checkin import checkpoints, counting
from checkin.checkpoints import World
from checkin.counting import RoomNow
from checkin.models import HeadCount, RoomSaid
from checkin.room_rules import RoomState, heads_limit
from checkin.rules import CheckinCode
from events.access import Door
from kernel.db import after_commit, as_instant, query
from kernel.errors import Forbidden, Invalid, NotFound, Problem
from people import journal, replays, topics
from people import queries as people

Action = Callable[[], Awaitable[Mapping[str, Any]]]

#: Lines of a room's history on its page, and of all rooms' in a file or document.
HISTORY: Final = 20
LINES_MAX: Final = 5_000


def may_tend(door: Door, world: World, place_id: int) -> bool:
    """Whether somebody may speak for a room: whoever scans at one of its doors, or everywhere."""
    scope = door.checkpoint_scope()
    return scope is None or any(
        world.checkpoints[number].place_id == place_id for number in scope if number in world.checkpoints
    )


async def own(*, door: Door, at: datetime) -> list[RoomNow]:
    """The rooms that somebody may speak for, exact, in the order of the venue."""
    world = await checkpoints.world(door.event.id)
    return [
        one
        for one in await counting.rooms_now(event_id=door.event.id, at=at)
        if may_tend(door, world, one.place.id)
    ]


async def get(*, door: Door, place_id: int, at: datetime) -> RoomNow:
    """One room. Raises NotFound for another event's place, Forbidden for a room that is not the actor's."""
    found = await counting.room_now(event_id=door.event.id, place_id=place_id, at=at)
    if found is None:
        raise NotFound(CheckinCode.ROOM_UNKNOWN)
    if not may_tend(door, await checkpoints.world(door.event.id), place_id):
        raise Forbidden(CheckinCode.ROOM_NOT_YOURS)
    return found


async def say(*, door: Door, place_id: int, state: RoomState, request_id: UUID, at: datetime) -> None:
    """Says of a room by hand how it is, or that the figures shall decide again; what it is already changes nothing.

    The same ``request_id`` again is the same word. Raises as ``get``, and Conflict for an id used for something else.
    """
    room = await get(door=door, place_id=place_id, at=at)

    async def once() -> Mapping[str, Any]:
        if room.by_hand is state:
            return {}
        row = await RoomSaid.create(
            request_id=request_id,
            event_id=door.event.id,
            place_id=place_id,
            state=state,
            at=at,
            actor_key=door.actor.key,
        )
        await journal.write(
            actor=door.actor,
            verb="room.said",
            object_kind="place",
            object_id=place_id,
            at=at,
            event_id=door.event.id,
            old={"state": room.by_hand.value},
            new={"state": state.value},
        )
        after_commit(lambda: checkpoints.forget_event(door.event.id))
        await _tell(door.event.id, room)
        return {"line": row.id}

    body = {"place": place_id, "state": state.value}
    await _once(door, body, request_id=request_id, at=at, action=once)


async def count_heads(*, door: Door, place_id: int, count: int, request_id: UUID, at: datetime) -> None:
    """Writes down how many people somebody has counted in a room; scans from now on move it.

    The same ``request_id`` again is the same count. Raises as ``get``; Invalid at ``count`` for less than nobody or
    more than ``heads_limit``; Conflict for an id used for something else.
    """
    room = await get(door=door, place_id=place_id, at=at)
    limit = heads_limit(room.seats)
    if not 0 <= count <= limit:
        raise Invalid({"count": Problem(CheckinCode.HEADS_OUT_OF_RANGE, {"limit": limit})})

    async def once() -> Mapping[str, Any]:
        # What the scans say at this moment, read here: one that commits after it came after the count.
        now = await counting.room_now(event_id=door.event.id, place_id=place_id, at=at)
        assert now is not None
        row = await HeadCount.create(
            request_id=request_id,
            event_id=door.event.id,
            place_id=place_id,
            count=count,
            base=now.scanned.count,
            base_key=now.scanned.key,
            at=at,
            actor_key=door.actor.key,
        )
        await _tell(door.event.id, room)
        return {"line": row.id}

    body = {"place": place_id, "heads": count}
    await _once(door, body, request_id=request_id, at=at, action=once)


async def _once(
    door: Door, body: Mapping[str, Any], *, request_id: UUID, at: datetime, action: Action
) -> None:
    said = {"event_id": door.event.id, **body}
    await replays.once(id=request_id, actor_key=door.actor.key, body=said, at=at, action=action)


async def _tell(event_id: int, room: RoomNow) -> None:
    """Everybody who looks at this room, each topic once."""
    world = await checkpoints.world(event_id)
    sites = {world.checkpoints[number].in_site for number in room.doors if number in world.checkpoints}
    sites.add(room.place.site_id)
    changed = [checkpoints.board_topic(event_id), checkpoints.rooms_topic(event_id)]
    changed += [checkpoints.board_topic(event_id, site) for site in sites if site is not None]
    await topics.tell(*changed)


# --- what was said -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SaidLine:
    """One line of a room's two ledgers: a ``state`` or a head ``count``."""

    place_id: int
    at: datetime
    actor_key: str
    state: RoomState | None
    count: int | None


async def lines(event_id: int, place_id: int | None = None, limit: int = LINES_MAX) -> Sequence[SaidLine]:
    """States and head counts together, the newest first; of one room or of all."""
    where, values = (
        ("", [event_id, limit]) if place_id is None else ("AND place_id = $3", [event_id, limit, place_id])
    )
    rows = await query(
        f"""SELECT * FROM (
                SELECT id, place_id, at, actor_key, state, NULL AS count FROM room_said WHERE event_id = $1 {where}
                UNION ALL
                SELECT id, place_id, at, actor_key, NULL, count FROM head_count WHERE event_id = $1 {where}
            ) AS said ORDER BY at DESC, id DESC LIMIT $2""",  # noqa: S608 -- our own words
        *values,
    )
    found = []
    for row in rows:
        at = as_instant(row["at"])
        assert at is not None
        state = None if row["state"] is None else RoomState(row["state"])
        found.append(SaidLine(row["place_id"], at, row["actor_key"], state, row["count"]))
    return found


async def names_of(keys: Sequence[str]) -> dict[str, str]:
    """What accounts among these actor keys are called today; others are told by their kind."""
    ids = {int(key.partition(":")[2]): key for key in keys if key.startswith("account:")}
    found = await people.accounts(ids) if ids else {}
    return {ids[number]: one.name or one.email for number, one in found.items()}


__all__ = ["count_heads", "get", "lines", "may_tend", "names_of", "own", "say"]
