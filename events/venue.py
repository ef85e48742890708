"""Places: one tree per event, one id that sessions, checkpoints, shifts, stock and counters share."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from events import access, sites
from events.models import Place
from events.rules import EventCode, PlaceKind, is_code
from kernel import db
from kernel.actor import SYSTEM, Actor
from kernel.db import after_commit, unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal

NAME_LIMIT: Final = 120
CAPACITY_LIMIT: Final = 1_000_000


async def add_place(
    *,
    event_id: int,
    code: str,
    kind: PlaceKind,
    name: LocalizedText,
    at: datetime,
    parent_id: int | None = None,
    capacity: int | None = None,
    position: int = 0,
    site_id: int | None = None,
    actor: Actor = SYSTEM,
) -> int:
    """Adds a place below ``parent_id``, or as a root; gives its id.

    Raises Invalid with a problem at each field: a code in use in this event is ``place_code_taken``, a parent of
    another event ``place_unknown``, its site ``site_unknown``.
    """
    _check(code, name, capacity)
    async with unit_of_work():
        if parent_id is not None and not await Place.filter(id=parent_id, event_id=event_id).exists():
            raise Invalid({"parent_id": Problem(EventCode.PLACE_UNKNOWN)})
        await sites.known(event_id, site_id)
        try:
            async with unit_of_work():
                row = await Place.create(
                    event_id=event_id,
                    code=code,
                    kind=kind,
                    name=name,
                    parent_id=parent_id,
                    capacity=capacity,
                    position=position,
                    site_id=site_id,
                )
        except db.IntegrityError as error:
            raise _taken(error) from error
        await journal.write(
            actor=actor,
            verb="place.add",
            object_kind="place",
            object_id=row.id,
            event_id=event_id,
            new={"code": code, "kind": str(kind), "capacity": capacity},
            at=at,
        )
    return int(row.id)


async def change_place(
    *,
    event_id: int,
    place_id: int,
    code: str,
    kind: PlaceKind,
    name: LocalizedText,
    at: datetime,
    capacity: int | None = None,
    position: int = 0,
    site_id: int | None = None,
    actor: Actor = SYSTEM,
) -> None:
    """Changes what a place is, not where in the tree it stands. Raises NotFound, or Invalid as ``add_place`` does."""
    _check(code, name, capacity)
    new: dict[str, Any] = {
        "code": code,
        "kind": str(kind),
        "capacity": capacity,
        "position": position,
        "site_id": site_id,
    }
    async with unit_of_work():
        row = await Place.get_or_none(id=place_id, event_id=event_id)
        if row is None:
            raise NotFound(EventCode.PLACE_UNKNOWN)
        await sites.known(event_id, site_id)
        try:
            async with unit_of_work():
                await Place.filter(id=place_id).update(name=name, **new)
        except db.IntegrityError as error:
            raise _taken(error) from error
        await journal.write(
            actor=actor,
            verb="place.change",
            object_kind="place",
            object_id=place_id,
            event_id=event_id,
            old={key: getattr(row, key) for key in new},
            new=new,
            at=at,
        )
        after_commit(lambda: access.forget_scopes(event_id))


async def move_place(
    *, event_id: int, place_id: int, parent_id: int | None, at: datetime, actor: Actor = SYSTEM
) -> None:
    """Hangs a place, with all below it, under another of the same event, or makes it a root.

    Raises NotFound, Invalid ``place_unknown`` for a foreign parent, and Conflict ``place_loop`` for one that lies
    below the place itself, also when two moves that close a loop together come in the same moment.
    """
    async with unit_of_work():
        # Locks the event on PostgreSQL, so that the next statement sees the move that came first.
        await db.query("UPDATE event SET state = state WHERE id = $1 RETURNING id", event_id)
        row = await Place.get_or_none(id=place_id, event_id=event_id)
        if row is None:
            raise NotFound(EventCode.PLACE_UNKNOWN)
        if parent_id is not None and not await Place.filter(id=parent_id, event_id=event_id).exists():
            raise Invalid({"parent_id": Problem(EventCode.PLACE_UNKNOWN)})
        moved = await db.query(
            "UPDATE place SET parent_id = $2 WHERE id = $1 AND NOT EXISTS ("
            "WITH RECURSIVE above(id, parent_id) AS ("
            "SELECT p.id, p.parent_id FROM place p WHERE p.id = $2 "
            "UNION SELECT p.id, p.parent_id FROM place p JOIN above a ON p.id = a.parent_id"
            ") SELECT 1 FROM above WHERE above.id = $1) RETURNING id",
            place_id,
            parent_id,
        )
        if not moved:
            raise Conflict(EventCode.PLACE_LOOP)
        await journal.write(
            actor=actor,
            verb="place.move",
            object_kind="place",
            object_id=place_id,
            event_id=event_id,
            old={"parent_id": row.parent_id},
            new={"parent_id": parent_id},
            at=at,
        )
        after_commit(lambda: access.forget_scopes(event_id))


def _check(code: str, name: LocalizedText, capacity: int | None) -> None:
    problems: dict[str, Problem] = {}
    if not is_code(code):
        problems["code"] = Problem(Code.MALFORMED)
    if not any(text.strip() for text in name.values()):
        problems["name"] = Problem(Code.REQUIRED)
    elif any(len(text) > NAME_LIMIT for text in name.values()):
        problems["name"] = Problem(Code.TOO_LONG, {"limit": NAME_LIMIT})
    if capacity is not None and not 0 <= capacity <= CAPACITY_LIMIT:
        problems["capacity"] = Problem(Code.OUT_OF_RANGE)
    if problems:
        raise Invalid(problems)


def _taken(error: db.IntegrityError) -> Exception:
    return Invalid({"code": Problem(EventCode.PLACE_CODE_TAKEN)}) if "code" in str(error) else error
