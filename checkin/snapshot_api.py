"""What a scanner downloads before the network dies: the snapshot's lines, who is here already, what the door knows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import api_shapes, checkpoints, snapshot
from checkin.checkpoints import World
from checkin.room_rules import RoomState
from checkin.rules import CheckpointKind, Once, OnRepeat
from events.access import Door, route
from events.json_api import Query, Shape, read_query
from events.rules import Permission
from kernel.errors import Busy
from web import render
from web.api_doc import ApiDoc
from web.routing import Entry

#: No lookup id is longer.
_LOOKUP: Final = r"^[A-Za-z0-9_-]{0,22}$"
_ROW: Final = 2**63 - 1


class SnapshotQuery(Query):
    since: int = Field(default=0, ge=0, le=_ROW, description="The version that is known; 0 for all of it.")
    after: str = Field(default="", pattern=_LOOKUP, description="`next` of the page before.")


class SeenQuery(Query):
    since: int = Field(default=0, ge=0, le=_ROW, description="`version` of the answer before.")


class DoorSlot(Shape):
    guid: str
    starts_at: datetime
    ends_at: datetime


class SaidByHand(Shape):
    """What somebody said of a room; `until` null: until somebody says otherwise."""

    state: RoomState
    since: datetime
    until: datetime | None


class DoorFacts(Shape):
    """A checkpoint with all that decides a scan. No `windows`: always; no `ticket_types`: all.

    `slots` is null where it does not follow a room's programme; it takes the next session from `lead_minutes` before.
    """

    id: int
    code: str
    name: api_shapes.Texts
    kind: CheckpointKind
    list_id: int
    on_repeat: OnRepeat
    once: Once
    is_open: bool
    scans_exits: bool
    windows: list[api_shapes.Window]
    ticket_types: list[int]
    capacity: int | None
    session_guid: str
    slots: list[DoorSlot] | None
    lead_minutes: int
    held: SaidByHand | None


class TicketWords(Shape):
    id: int
    name: api_shapes.Texts
    door_note: api_shapes.Texts


class DoorWorld(Shape):
    """The door's own facts. `places` names every checkpoint, for "first at 09:41, north gate"."""

    event: int
    time_zone: str
    day_starts_minute: int
    checkpoints: list[DoorFacts]
    ticket_types: list[TicketWords]
    places: dict[str, api_shapes.Texts]


class SnapshotPage(Shape):
    """Lines newer than `since`, as [lookup id, sealed text]; an empty text says: drop it. `digest` is the SHA-256 of each
    "lookup sealed\\n" in order. Only after the page without a `next` has a scanner `version`; until then it keeps the
    old lines. With `whole`, nothing that was known before stays.
    """

    version: int
    salt: str
    since: int
    whole: bool
    count: int
    lines: list[list[str]]
    digest: str
    next: str | None
    server_time: datetime
    world: DoorWorld | None


class SeenPage(Shape):
    """Admissions, exits and what took them back, as [passport, list, period, turn, direction, at, checkpoint]. A few
    come twice. Ask again behind `version`, at once while there are `more`."""

    version: int
    more: bool
    scans: list[list[Any]]


def facts_of(world: World, scope: frozenset[int] | None) -> dict[str, Any]:
    """The door's facts as a scanner's judge needs them, of the checkpoints in ``scope`` (None: of all)."""
    return {
        "event": world.event_id,
        "time_zone": world.time_zone,
        "day_starts_minute": world.day_starts_minute,
        "checkpoints": [
            {
                "id": view.facts.id,
                "code": view.code,
                "name": dict(view.name),
                "kind": view.facts.kind.value,
                "list_id": view.facts.list_id,
                "on_repeat": view.facts.on_repeat.value,
                "once": view.facts.once.value,
                "is_open": view.facts.is_open,
                "scans_exits": view.facts.scans_exits,
                "windows": [
                    {"opens_at": window.opens_at, "closes_at": window.closes_at}
                    for window in view.facts.windows
                ],
                "ticket_types": sorted(view.facts.ticket_types),
                "capacity": view.facts.capacity,
                "session_guid": view.facts.session_guid,
                "slots": None
                if view.facts.slots is None
                else [
                    {"guid": slot.guid, "starts_at": slot.starts_at, "ends_at": slot.ends_at}
                    for slot in view.facts.slots
                ],
                "lead_minutes": int(view.facts.lead.total_seconds() // 60),
                "held": None
                if view.facts.held is None
                else {
                    "state": view.facts.held.state.value,
                    "since": view.facts.held.since,
                    "until": view.facts.held.until,
                },
            }
            for view in world.checkpoints.values()
            if scope is None or view.facts.id in scope
        ],
        "ticket_types": [
            {"id": id_, "name": dict(words.name), "door_note": dict(words.door_note)}
            for id_, words in world.ticket_types.items()
        ],
        "places": {str(id_): dict(view.name) for id_, view in world.checkpoints.items()},
    }


async def lines(request: Request, door: Door) -> Response:
    """A page of the snapshot; the first also says what the door knows, and is a 304 while both stand."""
    query = read_query(request, SnapshotQuery)
    state = await snapshot.current(door.event.id)
    if state.checked_at is None:
        raise Busy()
    facts = None
    etag = ""
    if not query.after:
        world = await checkpoints.world(door.event.id)
        facts = facts_of(world, door.checkpoint_scope())
        etag = _etag(state.version, query.since, facts)
        if render.reader_has(request, etag):
            return answered(Response(status_code=304), etag)
    page = await snapshot.page(door.event.id, state, since=query.since, after=query.after)
    answer: dict[str, Any] = {
        "version": page.version,
        "salt": page.salt,
        "since": page.since,
        "whole": page.is_whole,
        "count": len(page.lines),
        "lines": page.lines,
        "digest": page.digest,
        "next": page.next or None,
        "server_time": datetime.now(UTC),
        "world": facts,
    }
    return answered(render.json(answer), etag)


def _etag(version: int, since: int, facts: Mapping[str, Any]) -> str:
    seen = hashlib.sha256(orjson.dumps([version, since, facts]))
    return f'"{seen.hexdigest()[:32]}"'


def answered(response: Response, etag: str) -> Response:
    """Only the scanner itself keeps it: no cache of the browser outlives a pairing."""
    response.headers["cache-control"] = "no-store"
    if etag:
        response.headers["etag"] = etag
    return response


async def seen(request: Request, door: Door) -> Response:
    query = read_query(request, SeenQuery)
    world = await checkpoints.world(door.event.id)
    scope = door.checkpoint_scope()
    found = await snapshot.seen(
        door.event.id,
        list_ids=[
            view.facts.list_id for id_, view in world.checkpoints.items() if scope is None or id_ in scope
        ],
        since=query.since,
        today=world.programme_date(datetime.now(UTC)),
    )
    return answered(
        render.json({"version": found.version, "more": found.has_more, "scans": found.scans}), etag=""
    )


def _doc(summary: str, answer: type[Shape], query: type[Query], **more: Any) -> ApiDoc:
    return ApiDoc(tag="At the door", summary=summary, answer=answer, query=query, **more)


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/api/snapshot",
        lines,
        "checkin.api.snapshot",
        Permission.SCAN,
        api=_doc(
            "The sealed lines that an offline scanner judges by, a page at a time.",
            SnapshotPage,
            SnapshotQuery,
            is_conditional=True,
        ),
    ),
    route(
        "/e/{slug}/api/snapshot/seen",
        seen,
        "checkin.api.snapshot_seen",
        Permission.SCAN,
        api=_doc("Who is here already, in the lists that one may scan at.", SeenPage, SeenQuery),
    ),
]
