"""Screens beside the organisers' board: lanes for whoever leads the door, a wall for the lobby, a room's own door.

Lanes follow the board's topic and need its permission. Wall and door are for everybody: they follow the public rooms,
show rounded figures, and name no person. Like the board each is whole without scripts, at the time that it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from agenda import queries as agenda
from agenda.queries import SessionFacts
from checkin import board, board_rules, checkpoints, counting, rehearsals
from checkin.board import LEVEL_TONES, number
from checkin.board_rules import CLOSED, SILENT_S, AlertKind, Lane
from checkin.checkpoints import World
from checkin.counting import Room
from events import access
from events.access import Door, route
from events.desk.shared import whole_id
from events.rules import EventCode, Permission
from kernel.errors import Forbidden, NotFound
from kernel.interval import programme_date
from kernel.text import N_
from people import topics
from web import i18n, render
from web.render import Context
from web.routing import Entry

#: What the pages' scripts say; {n} and the like are filled in by them.
_STATE_WORDS: Final[Mapping[str, str]] = {
    "live": N_("Live"),
    "polling": N_("Live, by asking"),
    "as_of": N_("As of {n} s ago"),
    "as_of_minutes": N_("As of {n} min ago"),
}


def _filled(text: str, **values: object) -> str:
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", str(value))
    return text


def _words(*sources: Mapping[str, str]) -> dict[str, str]:
    return {key: i18n.gettext(text) for source in sources for key, text in source.items()}


def _frame_data(request: Request, topic: str, version: int, at: datetime) -> dict[str, Any]:
    return {
        "topic": topic,
        "version": version,
        "locale": i18n.current_locale(),
        "now": int(at.timestamp() * 1000),
        "transport": "poll" if request.query_params.get("transport") == "poll" else "auto",
    }


# --- lanes -------------------------------------------------------------------------------------------------------

_LANE_WORDS: Final[Mapping[str, str]] = {
    "ago_s": N_("last scan {n} s ago"),
    "ago_min": N_("last scan {n} min ago"),
    "ago_h": N_("last scan {n} h ago"),
    "never": N_("no scan today"),
    "share": N_("{percent} % refused"),
    "open": N_("Open"),
    "closed": N_("Closed"),
    "full": N_("Full"),
}


@dataclass(frozen=True, slots=True)
class LaneCard:
    id: int
    name: str
    state: str
    tone: str
    rate: str
    #: (x, y, height) in a picture of LANE_STEPS by 100
    bars: Sequence[tuple[int, int, int]]
    last: str
    share: str
    href: str
    refused_href: str


@dataclass(frozen=True, kw_only=True)
class LanesPage(Context):
    template: ClassVar[str] = "checkin/lanes.html"
    zone: str
    at: datetime
    lanes: Sequence[LaneCard]
    board_href: str
    rehearsal: rehearsals.Banner
    data: Mapping[str, Any] = field(default_factory=dict)


async def lanes_page(request: Request, door: Door) -> Response:
    """How fast each lane is, for whoever moves people from one to another. ``?site=`` as on the board."""
    at = datetime.now(UTC)
    site_id, scope = whole_id(request.query_params.get("site")), door.site_scope()
    if scope is not None:
        if site_id is None:
            site_id = min(scope, default=None)
        if site_id is None:
            raise Forbidden()
        if site_id not in scope:
            raise NotFound(EventCode.SITE_UNKNOWN)
    topic = checkpoints.board_topic(door.event.id, site_id)
    version = (await topics.versions([topic]))[topic]
    document = await counting.board(event_id=door.event.id, at=at, site_id=site_id)
    world = await checkpoints.world(door.event.id)
    words, slug = _words(_STATE_WORDS, _LANE_WORDS), door.event.slug
    kept = {} if site_id is None else {"site": str(site_id)}
    scans = render.with_query(render.url("checkin.scans", slug=slug), **kept)
    data = _frame_data(request, topic, version, at) | {
        "document": {
            key: document[key] for key in ("starts", "lanes", "checkpoints", "rooms", "layout", "rehearsal")
        },
        "zone": world.time_zone,
        "words": words,
        "gates": sorted(board.gates_of(world)),
        "silent": SILENT_S,
    }
    page = LanesPage(
        zone=world.time_zone,
        at=at,
        lanes=_cards(document, world, at, words, scans),
        board_href=render.with_query(render.url("checkin.board", slug=slug), **kept),
        rehearsal=rehearsals.banner_of(world, at),
        data=data,
        **access.frame(door, "checkin.board"),
    )
    return await render.page(request, page)


def _cards(
    document: Mapping[str, Any], world: World, at: datetime, words: Mapping[str, str], scans: str
) -> list[LaneCard]:
    now, locale = int(at.timestamp()), i18n.current_locale()
    warned = {(one.kind, one.subject) for one in board_rules.alerts(document, board.gates_of(world), now)}
    states = {row[0]: row[-1] for row in document["checkpoints"]}
    joint = "&" if "?" in scans else "?"
    cards = []
    for row in document["lanes"]:
        one = board_rules.lane(row, document["starts"], now)
        view = world.checkpoints[row[0]]
        most = max(one.steps) or 1
        href = f"{scans}{joint}checkpoint={row[0]}"
        cards.append(
            LaneCard(
                id=row[0],
                name=view.name.in_(locale),
                state=words[("open", "full", "closed")[states.get(row[0], CLOSED)]],
                tone="stop"
                if (AlertKind.REFUSALS, row[0]) in warned
                else "care"
                if (AlertKind.SILENT, row[0]) in warned
                else "",
                rate=number(one.rate),
                bars=[(x, 100 - 100 * n // most, 100 * n // most) for x, n in enumerate(one.steps) if n],
                last=_ago(one, words),
                share=_filled(words["share"], percent=one.refused_percent) if one.scans else "",
                href=href,
                refused_href=f"{href}&what=all:refused&last=60",
            )
        )
    return cards


def _ago(one: Lane, words: Mapping[str, str]) -> str:
    """The same words as ``ago`` in lanes.js."""
    if one.ago_s is None:
        return words["never"]
    if one.ago_s < 100:
        return _filled(words["ago_s"], n=one.ago_s)
    if one.ago_s < 100 * 60:
        return _filled(words["ago_min"], n=one.ago_s // 60)
    return _filled(words["ago_h"], n=one.ago_s // 3600)


# --- the wall and a room's door ----------------------------------------------------------------------------------

#: What a room's level is called, by its mark; a sign stands before each, so that colour is never alone.
LEVEL_WORDS: Final[Mapping[str, str]] = {
    "level_0": N_("Open"),
    "level_80": N_("Filling up"),
    "level_95": N_("Nearly full"),
    "level_100": N_("Full"),
    "level_closed": N_("Closed"),
}
SIGNS: Final[Mapping[str, str]] = {"go": "○", "care": "◑", "stop": "◕", "full": "●", "closed": "–"}
_WALL_WORDS: Final[Mapping[str, str]] = {
    "inside": N_("about {n} inside"),
    "entries": N_("about {n} came in"),
    "counted": N_("about {n} inside"),
    "nobody": N_("nobody yet"),
    "now_until": N_("{title}, until {time}"),
    "then_at": N_("{time} {title}"),
}


@dataclass(frozen=True, slots=True)
class RoomCard:
    id: int
    name: str
    tone: str
    level: str
    counted: str
    now: str
    then: str
    #: Instead of what comes next, where something was on today; else the wall says nothing of a programme.
    empty: str


@dataclass(frozen=True, kw_only=True)
class WallPage(Context):
    template: ClassVar[str] = "checkin/wall.html"
    zone: str
    at: datetime
    rooms: Sequence[RoomCard]
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RoomDoorPage(Context):
    template: ClassVar[str] = "checkin/room.html"
    zone: str
    at: datetime
    room: RoomCard
    data: Mapping[str, Any] = field(default_factory=dict)


def _card(
    room: Room, sessions: Sequence[SessionFacts], at: datetime, zone: str, words: Mapping[str, str]
) -> RoomCard:
    locale = i18n.current_locale()
    tone = "closed" if room.state == CLOSED else LEVEL_TONES[room.level] or "go"
    level = words["level_closed" if room.state == CLOSED else f"level_{room.level}"]
    own = [one for one in sessions if one.place_id == room.id]
    running = next((one for one in own if one.starts_at <= at < one.ends_at), None)
    following = next((one for one in own if one.starts_at > at), None)
    return RoomCard(
        id=room.id,
        name=room.name.in_(locale),
        tone=tone,
        level=f"{SIGNS[tone]} {level}",
        counted=_filled(words[room.of], n=number(room.count)) if room.count else words["nobody"],
        now=_filled(
            words["now_until"], title=running.title.in_(locale), time=render.clock(running.ends_at, zone)
        )
        if running
        else "",
        then=_filled(
            words["then_at"], title=following.title.in_(locale), time=render.clock(following.starts_at, zone)
        )
        if following
        else "",
        empty=i18n.gettext(N_("Nothing more today")) if own else "",
    )


async def _rooms(
    request: Request, door: Door, at: datetime
) -> tuple[list[Room], list[SessionFacts], dict[str, Any]]:
    topic, event = checkpoints.rooms_topic(door.event.id), door.event
    version = (await topics.versions([topic]))[topic]
    rooms = await counting.rooms(event_id=event.id, at=at)
    day = programme_date(at, zone=event.time_zone, day_starts_minute=event.day_starts_minute)
    ids = {room.id for room in rooms}
    sessions = [one for one in await agenda.sessions(event.id, day) if one.place_id in ids]
    locale = i18n.current_locale()
    data = _frame_data(request, topic, version, at) | {
        "zone": event.time_zone,
        "words": _words(_STATE_WORDS, LEVEL_WORDS, _WALL_WORDS),
        "signs": dict(SIGNS),
        "tones": {str(mark): tone or "go" for mark, tone in LEVEL_TONES.items()},
        "sessions": [
            {
                "room": one.place_id,
                "title": one.title.in_(locale),
                "from": int(one.starts_at.timestamp()),
                "to": int(one.ends_at.timestamp()),
            }
            for one in sessions
        ],
    }
    return rooms, sessions, data


async def wall_page(request: Request, door: Door) -> Response:
    """Every room at once, for a screen in the lobby. ``?transport=poll`` is for tests."""
    at = datetime.now(UTC)
    rooms, sessions, data = await _rooms(request, door, at)
    zone = door.event.time_zone
    page = WallPage(
        zone=zone,
        at=at,
        rooms=[_card(room, sessions, at, zone, data["words"]) for room in rooms],
        data=data,
        **access.frame(door),
    )
    return await render.page(request, page)


async def room_page(request: Request, door: Door) -> Response:
    """One room, for a tablet at its door; not found where no checkpoint counts for it."""
    at = datetime.now(UTC)
    rooms, sessions, data = await _rooms(request, door, at)
    place_id = int(request.path_params["place_id"])
    room = next((one for one in rooms if one.id == place_id), None)
    if room is None:
        raise NotFound()
    data["sessions"] = [one for one in data["sessions"] if one["room"] == place_id]
    page = RoomDoorPage(
        zone=door.event.time_zone,
        at=at,
        room=_card(room, sessions, at, door.event.time_zone, data["words"]),
        data=data | {"room": place_id},
        **access.frame(door),
    )
    return await render.page(request, page)


ROUTES: list[Entry] = [
    route("/e/{slug}/live/lanes", lanes_page, "checkin.lanes", Permission.VIEW_BOARD),
    route("/e/{slug}/wall", wall_page, "checkin.wall", Permission.VIEW_PUBLIC),
    route("/e/{slug}/rooms/{place_id:int}", room_page, "checkin.room", Permission.VIEW_PUBLIC),
]
