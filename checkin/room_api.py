"""JSON of rooms for whoever works at them: exact figures, states by hand, head counts, and both ledgers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from agenda import queries as agenda
from agenda.queries import SessionFacts
from checkin import checkpoints, rooms
from checkin.api_shapes import Texts
from checkin.counting import RoomNow
from checkin.room_rules import HEADS_MAX, RoomState, Slot
from checkin.rules import CheckinCode
from events.access import Door, route
from events.json_api import OnceBody, Shape, answer, once_id, read_body
from events.rules import Permission
from kernel.errors import Code
from web.api_doc import ApiDoc
from web.routing import Entry


class RoomSession(Shape):
    """A session in a room."""

    guid: UUID
    title: Texts
    starts_at: datetime
    ends_at: datetime


class RoomHeads(Shape):
    """The last head count of a room: `by` is an actor's key. Scans since then have moved the room's `count`."""

    count: int
    at: datetime
    by: str


class StaffRoom(Shape):
    """One room with exact figures. `state`: 0 open, 1 full, 2 closed; `by_hand`: what somebody said of it, `automatic`
    for nothing; `of`: what `count` counts (`inside`, `entries`, `counted`); `capacity`: how many fit, null where the count
    does not say how full it is; `level`: 0, 80, 95 or 100.
    """

    id: int
    code: str
    name: Texts
    state: int
    by_hand: RoomState
    said_at: datetime | None
    said_by: str | None
    count: int
    of: str
    capacity: int | None
    level: int
    heads: RoomHeads | None
    session: RoomSession | None
    next: RoomSession | None


class StaffRooms(Shape):
    """The rooms that one may speak for, and the server's clock."""

    server_time: datetime
    rooms: list[StaffRoom]


class RoomLine(Shape):
    """A line of a room's ledgers: a `state` by hand or a head `count`. `by` is an actor's key."""

    room: int
    at: datetime
    by: str
    state: RoomState | None
    count: int | None


class RoomLines(Shape):
    """Newest first; the latest 5,000."""

    lines: list[RoomLine]


class NewState(OnceBody):
    state: Annotated[RoomState, Field(strict=False)]


class NewHeads(OnceBody):
    #: Wider than any room, so that a slip is told with the room's own limit.
    count: Annotated[
        int, Field(ge=-(2**31), le=2**31 - 1, description=f"At most {HEADS_MAX}, and three times what fits.")
    ]


def _session(slot: Slot | None, sessions: dict[str, SessionFacts]) -> RoomSession | None:
    if slot is None:
        return None
    known = sessions.get(slot.guid)
    return RoomSession(
        guid=UUID(slot.guid),
        title=dict(known.title) if known else {},
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
    )


def _shape(one: RoomNow, sessions: dict[str, SessionFacts]) -> StaffRoom:
    said, by_hand = one.said, one.by_hand is not RoomState.AUTOMATIC and one.said.held
    heads = said.heads if one.of == "counted" else None
    return StaffRoom(
        id=one.place.id,
        code=one.place.code,
        name=dict(one.place.name),
        state=one.state,
        by_hand=one.by_hand,
        said_at=by_hand.since if by_hand else None,
        said_by=said.held_by if by_hand else None,
        count=one.count,
        of=one.of,
        capacity=one.capacity,
        level=one.level,
        heads=RoomHeads(count=heads.count, at=heads.at, by=said.heads_by) if heads else None,
        session=_session(one.now, sessions),
        next=_session(one.next, sessions),
    )


async def titles(event_id: int) -> dict[str, SessionFacts]:
    """The event's sessions by guid."""
    return {str(one.guid): one for one in await agenda.sessions(event_id)}


async def list_rooms(request: Request, door: Door) -> Response:
    at = datetime.now(UTC)
    sessions = await titles(door.event.id)
    found = await rooms.own(door=door, at=at)
    return answer(StaffRooms(server_time=at, rooms=[_shape(one, sessions) for one in found]))


async def _one(door: Door, place_id: int, at: datetime) -> Response:
    return answer(_shape(await rooms.get(door=door, place_id=place_id, at=at), await titles(door.event.id)))


async def one_room(request: Request, door: Door) -> Response:
    return await _one(door, int(request.path_params["place_id"]), datetime.now(UTC))


async def say(request: Request, door: Door) -> Response:
    at, place_id = datetime.now(UTC), int(request.path_params["place_id"])
    body = await read_body(request, NewState)
    await rooms.say(door=door, place_id=place_id, state=body.state, request_id=once_id(request, body), at=at)
    return await _one(door, place_id, datetime.now(UTC))


async def count_heads(request: Request, door: Door) -> Response:
    at, place_id = datetime.now(UTC), int(request.path_params["place_id"])
    body = await read_body(request, NewHeads)
    await rooms.count_heads(
        door=door, place_id=place_id, count=body.count, request_id=once_id(request, body), at=at
    )
    return await _one(door, place_id, datetime.now(UTC))


async def list_lines(request: Request, door: Door) -> Response:
    """Both ledgers of the rooms that one may speak for."""
    world = await checkpoints.world(door.event.id)
    return answer(
        RoomLines(
            lines=[
                RoomLine(room=one.place_id, at=one.at, by=one.actor_key, state=one.state, count=one.count)
                for one in await rooms.lines(door.event.id)
                if rooms.may_tend(door, world, one.place_id)
            ]
        )
    )


_REFUSALS = {404: (CheckinCode.ROOM_UNKNOWN,), 403: (CheckinCode.ROOM_NOT_YOURS,)}


def _doc(summary: str, answer: type[Shape], **more: object) -> ApiDoc:
    return ApiDoc(tag="Rooms", summary=summary, answer=answer, **more)  # type: ignore[arg-type]


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/api/rooms",
        list_rooms,
        "checkin.api.rooms",
        Permission.SCAN,
        api=_doc("The rooms that one may speak for, with exact figures.", StaffRooms),
    ),
    route(
        "/e/{slug}/api/rooms/lines",
        list_lines,
        "checkin.api.room_lines",
        Permission.SCAN,
        api=_doc("What was said of rooms by hand, and heads counted.", RoomLines),
    ),
    route(
        "/e/{slug}/api/rooms/{place_id:int}",
        one_room,
        "checkin.api.room",
        Permission.SCAN,
        api=_doc("One room.", StaffRoom, refusals=_REFUSALS),
    ),
    route(
        "/e/{slug}/api/rooms/{place_id:int}/state",
        say,
        "checkin.api.room_state",
        Permission.SCAN,
        ("POST",),
        api=_doc(
            "Says of a room that it is open, full or closed, or that the figures shall decide again.",
            StaffRoom,
            body=NewState,
            is_once=True,
            refusals={**_REFUSALS, 409: (Code.REPLAY_MISMATCH,)},
        ),
    ),
    route(
        "/e/{slug}/api/rooms/{place_id:int}/counts",
        count_heads,
        "checkin.api.room_count",
        Permission.SCAN,
        ("POST",),
        api=_doc(
            "Writes down how many people were counted in a room.",
            StaffRoom,
            body=NewHeads,
            is_once=True,
            refusals={**_REFUSALS, 409: (Code.REPLAY_MISMATCH,), 422: (CheckinCode.HEADS_OUT_OF_RANGE,)},
        ),
    ),
]
