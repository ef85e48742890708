"""The live board and the public rooms: pages, their JSON, and who may follow their topics.

The first state is rendered by the server, so that a page is whole without scripts; ``board.js`` then follows the
topic and moves the figures. The document knows no language: words, names and the event's clock are given to the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from checkin import api_shapes, board_rules, checkpoints, counting, rehearsals
from checkin.board_rules import CLOSED, FULL, OPEN, AlertKind, level
from checkin.checkpoints import CheckpointView, World
from checkin.counting import Room
from checkin.rules import TONES, CheckpointKind, VerdictCode
from checkin.words import VERDICTS
from events import access
from events import queries as events
from events.access import Door, route
from events.desk.shared import site_names, whole_id
from events.rules import EventCode, Permission
from kernel.actor import Actor
from kernel.errors import Forbidden, NotFound, SignInNeeded
from kernel.live import Frame
from kernel.text import N_
from people import topics
from web import i18n, render
from web.api_doc import ApiDoc
from web.render import Context
from web.routing import Entry
from web.sockets import conditional

#: How a level is shown: a colour, and a sign and a word beside it (board.css, ``_room_line``).
LEVEL_TONES: Final[Mapping[int, str]] = {0: "", 80: "care", 95: "stop", 100: "full"}


# --- topics ------------------------------------------------------------------------------------------------------


async def load_board(topic: str) -> Frame | None:
    """The board's frame as of now; None when the topic names no event."""
    event_id = counting.event_of(topic)
    if event_id is None:
        return None
    version = (await topics.versions([topic]))[topic]
    try:
        document = await counting.board(
            event_id=event_id, at=datetime.now(UTC), site_id=counting.site_of(topic)
        )
        return Frame(version, orjson.dumps(document))
    except NotFound:
        return None


async def load_rooms(topic: str) -> Frame | None:
    """The public rooms' frame as of now; None when the topic names no event."""
    event_id = counting.event_of(topic)
    if event_id is None:
        return None
    version = (await topics.versions([topic]))[topic]
    try:
        return Frame(
            version, orjson.dumps(rooms_json(await counting.rooms(event_id=event_id, at=datetime.now(UTC))))
        )
    except NotFound:
        return None


_NEEDED: Final[Mapping[str, Permission]] = {
    checkpoints.BOARD: Permission.VIEW_BOARD,
    checkpoints.ROOMS: Permission.VIEW_PUBLIC,
}


async def authorise(actor: Actor, topic: str) -> bool:
    """Whether somebody may follow a topic: an event's board is for those who run it, its rooms for everybody."""
    event_id = counting.event_of(topic)
    event = await events.find_event_by_id(event_id) if event_id is not None else None
    if event is None:
        return False
    try:
        door = await access.open_event(actor, event.slug, _NEEDED[topic.partition(".")[0]])
    except (SignInNeeded, Forbidden, NotFound):
        return False
    # A role narrowed to a site sees that site's figures and no others.
    scope = door.site_scope()
    return scope is None or counting.site_of(topic) in scope


# --- the board ---------------------------------------------------------------------------------------------------

_KINDS: Final[Mapping[CheckpointKind, str]] = {
    CheckpointKind.GATE: N_("Gate"),
    CheckpointKind.SESSION: N_("Session"),
    CheckpointKind.BOOTH: N_("Booth"),
    CheckpointKind.MEAL: N_("Meal"),
}

#: What board.js says; {n} and the like are filled in by it.
_WORDS: Final[Mapping[str, str]] = {
    "live": N_("Live"),
    "polling": N_("Live, by asking"),
    "as_of": N_("As of {n} s ago"),
    "as_of_minutes": N_("As of {n} min ago"),
    "stale": N_("The connection is gone. These figures are of {time}; we keep trying."),
    "gone": N_("You may no longer see this board. Sign in again, or ask an owner."),
    "now": N_("now"),
    "in_ten": N_("+{n} in 10 min"),
    "of_registered": N_("{percent} % of {n} registered"),
    "of_scans": N_("{percent} % of {n} scans"),
    "exits": N_("{n} out"),
    "repeats": N_("{n} repeats"),
    "refused": N_("{n} refused"),
    "of_capacity": N_("{n} of {m}"),
    "inside": N_("{n} inside"),
    "full": N_("Full"),
    "closed": N_("Closed"),
    "percent": N_("{n} %"),
    "unknown": N_("unknown code"),
    "admitted_axis": N_("people a minute"),
    "admitted_step_axis": N_("people in 5 min"),
    "read_out": N_("{time}: {n} admitted"),
    "read_refused": N_("{n} refused"),
    "nothing": N_("Nothing has been scanned today."),
    "still_expected": N_("{n} still to come"),
    "came_in": N_("{n} came in"),
    "counted": N_("{n} counted"),
    "level_80": N_("filling up"),
    "level_95": N_("nearly full"),
    "conflicts": N_("{n} conflicts of phones without network"),
    "devices": N_("{n} phones not heard of for five minutes"),
    "room_full": N_("{name} is full: {n} people"),
    "refusals": N_("{name}: {n} refused in ten minutes"),
    "silent": N_("{name}: no scan for {n} min"),
    "sound_on": N_("Sound is on"),
    "sound_off": N_("Sound is off"),
}

_LINE_WORDS: Final = (
    "came_in",
    "counted",
    "level_80",
    "level_95",
    "percent",
    "of_capacity",
    "inside",
    "exits",
    "repeats",
    "refused",
    "full",
    "closed",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One checkpoint or room on the board, and where the scans behind it are."""

    id: int
    name: str
    kind: str
    value: int
    most: int
    main: str
    more: str
    tone: str
    href: str


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert in words, and the scans behind it."""

    words: str
    href: str


@dataclass(frozen=True, slots=True)
class Glance:
    """One of the latest scans."""

    at: datetime
    where: str
    who: str
    type: str
    verdict: str
    tone: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the chart that needs no script, in the units of its picture."""

    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class TenMinutes:
    at: datetime
    entries: int
    refused: int
    href: str


@dataclass(frozen=True, kw_only=True)
class BoardPage(Context):
    """The first state of a board, in the reader's words, and what board.js needs to go on from there."""

    template: ClassVar[str] = "checkin/board.html"
    zone: str
    at: datetime
    checkpoints_total: int
    arrived: str
    arrived_beside: str
    arrived_count: int
    registered: int
    still_expected: str
    alerts: Sequence[AlertLine]
    rooms: Sequence[Line]
    #: Where the scans are, and the parts of an address that each number adds.
    scans: Callable[..., str]
    inside: str | None
    per_minute: str
    per_minute_beside: str
    refused: str
    refused_beside: str
    gates: Sequence[Line]
    others: Sequence[Line]
    more: int
    latest: Sequence[Glance]
    #: (code, words, count, the commonest's count, the scans)
    reasons: Sequence[tuple[str, str, int, int, str]]
    chart: Sequence[Bar]
    chart_top: int
    table: Sequence[TenMinutes]
    shows_names: bool
    has_scans: bool
    lanes_href: str
    conflicts: Mapping[str, int]
    rehearsal: rehearsals.Banner
    conflicts_href: str
    #: (words, href, current), when the event has sites
    sites: Sequence[tuple[str, str, bool]] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


async def board_page(request: Request, door: Door) -> Response:
    """``?site=`` narrows the board to one site; ``?names=0`` leaves people's names out, for a screen that others can
    see; ``?transport=poll`` is for tests.
    """
    at = datetime.now(UTC)
    shows_names = request.query_params.get("names") != "0"
    sites = await _sites(door)
    site_id = whole_id(request.query_params.get("site"))
    if site_id is not None and site_id not in sites:
        raise NotFound(EventCode.SITE_UNKNOWN)
    if site_id is None and door.site_scope() is not None:
        # Theirs is the first of their sites; the others are one tap away.
        site_id = next(iter(sites), None)
        if site_id is None:
            raise Forbidden()
    topic = checkpoints.board_topic(door.event.id, site_id)
    # The version first: then the figures below are never older than it.
    version = (await topics.versions([topic]))[topic]
    document = await counting.board(event_id=door.event.id, at=at, site_id=site_id)
    world = await checkpoints.world(door.event.id)
    places = {place.id: _say(place.name) for place in await events.places(door.event.id)}
    kept = {} if site_id is None else {"site": str(site_id)}

    def scans(**more: object) -> str:
        return render.with_query(render.url("checkin.scans", slug=door.event.slug), **more, **kept)

    conflicts_href = render.url("checkin.conflicts", slug=door.event.slug)
    # Who may not give phones out sees on the lanes where nothing is scanned.
    pairs = door.may(Permission.PAIR_DEVICES)
    devices_href = render.url("checkin.desk.devices" if pairs else "checkin.lanes", slug=door.event.slug)
    context = _board_context(
        document,
        world,
        at,
        shows_names=shows_names,
        places=places,
        scans=scans,
        conflicts_href=conflicts_href,
        devices_href=devices_href,
    )
    shared = shared_lists(world)
    data = {
        "topic": topic,
        "version": version,
        "document": document,
        "zone": world.time_zone,
        "locale": i18n.current_locale(),
        "now": int(at.timestamp() * 1000),
        "transport": "poll" if request.query_params.get("transport") == "poll" else "auto",
        "names": shows_names,
        "words": {key: i18n.gettext(text) for key, text in _WORDS.items()},
        "verdicts": {code.value: [i18n.gettext(text), TONES[code].value] for code, text in VERDICTS.items()},
        "checkpoints": {
            str(view.facts.id): [_say(view.name), view.facts.kind.value, view.facts.list_id in shared]
            for view in world.checkpoints.values()
        },
        "places": {str(row[0]): places.get(row[0], "") for row in document["rooms"]},
        "scans": scans(),
        "conflicts": conflicts_href,
        "devices": devices_href,
        "types": {str(key): _say(words.name) for key, words in world.ticket_types.items()},
        "tones": {str(mark): tone for mark, tone in LEVEL_TONES.items()},
    }
    return await render.page(
        request,
        BoardPage(
            **context,
            conflicts=document["conflicts"],
            rehearsal=rehearsals.banner_of(world, at),
            conflicts_href=conflicts_href,
            lanes_href=render.with_query(render.url("checkin.lanes", slug=door.event.slug), **kept),
            sites=_site_tabs(door, sites, site_id, shows_names=shows_names),
            data=data,
            **access.frame(door, "checkin.board"),
        ),
    )


async def _sites(door: Door) -> dict[int, str]:
    """The sites whose boards somebody may see, in the reader's language."""
    scope = door.site_scope()
    return {
        number: name for number, name in (await site_names(door)).items() if scope is None or number in scope
    }


def _site_tabs(
    door: Door, sites: Mapping[int, str], chosen: int | None, *, shows_names: bool
) -> Sequence[tuple[str, str, bool]]:
    """(words, href, current): the whole event, where one may see it, and each site."""
    if not sites:
        return ()
    kept = {} if shows_names else {"names": "0"}
    whole: list[tuple[str, dict[str, str], bool]] = (
        [(i18n.gettext("All sites"), {}, chosen is None)] if door.site_scope() is None else []
    )
    every = [*whole, *((name, {"site": str(number)}, number == chosen) for number, name in sites.items())]
    return [
        (words, render.url("checkin.board", slug=door.event.slug, **kept, **more), current)
        for words, more, current in every
    ]


def _board_context(
    document: Mapping[str, Any],
    world: World,
    at: datetime,
    *,
    shows_names: bool,
    places: Mapping[int, str],
    scans: Callable[..., str],
    conflicts_href: str,
    devices_href: str,
) -> dict[str, Any]:
    say = {key: i18n.gettext(text) for key, text in _WORDS.items()}
    rows = {row[0]: row for row in document["checkpoints"]}
    entries, refused = _by_minute(document)
    minute = int(at.timestamp()) // 60 - document["starts"] // 60
    total = sum(row[1] + row[3] + row[4] for row in rows.values())
    refused_today = sum(row[4] for row in rows.values())
    views = counting.shown_checkpoints(world, document)
    reasons = document["reasons"]["counts"]
    most = max(reasons.values(), default=1)
    peak = max(entries.values(), default=0)
    return {
        "zone": world.time_zone,
        "at": at,
        "checkpoints_total": len(document["checkpoints"]) + document["more"],
        "arrived": number(document["arrived"]),
        "arrived_beside": _fill(
            say["of_registered"],
            percent=percent(document["arrived"], document["registered"]),
            n=number(document["registered"]),
        ),
        "arrived_count": document["arrived"],
        "registered": document["registered"],
        "still_expected": _fill(
            say["still_expected"], n=number(max(0, document["registered"] - document["arrived"]))
        ),
        "alerts": _alerts(
            document, world, at, places, scans=scans, conflicts_href=conflicts_href, devices_href=devices_href
        ),
        "rooms": [_room_line(row, places, scans) for row in document["rooms"]],
        "scans": scans,
        "inside": None if document["inside"] is None else number(document["inside"]),
        # The minute that runs may already hold more than the last whole one.
        "per_minute": number(max(entries.get(minute, 0), entries.get(minute - 1, 0))),
        "per_minute_beside": _fill(
            say["in_ten"], n=number(sum(entries.get(minute - back, 0) for back in range(10)))
        ),
        "refused": number(refused_today),
        "refused_beside": _fill(say["of_scans"], percent=percent(refused_today, total), n=number(total)),
        "gates": _lines(
            [view for view in views if view.facts.kind is CheckpointKind.GATE], rows, world, scans
        ),
        "others": _lines(
            [view for view in views if view.facts.kind is not CheckpointKind.GATE], rows, world, scans
        ),
        "more": document["more"],
        "latest": [_glance(row, world, shows_names, say) for row in document["latest"]],
        "reasons": [
            (code, i18n.gettext(VERDICTS[VerdictCode(code)]), count, most, scans(what=code))
            for code, count in reasons.items()
        ],
        "chart": [
            Bar(x=slot - (minute - counting.MINUTES + 1), y=100 - 100 * n / peak, height=100 * n / peak)
            for slot, n in entries.items()
            if n and slot > minute - counting.MINUTES
        ],
        "chart_top": peak,
        "table": _ten_minutes(document["starts"], entries, refused, minute, world=world, scans=scans),
        "shows_names": shows_names,
        "has_scans": bool(total),
    }


def _by_minute(document: Mapping[str, Any]) -> tuple[dict[int, int], dict[int, int]]:
    series = document["minutes"]
    entries = dict(enumerate(series["entries"], series["from"]))
    return entries, dict(enumerate(series["refused"], series["from"]))


def _ten_minutes(
    starts: int,
    entries: Mapping[int, int],
    refused: Mapping[int, int],
    minute: int,
    *,
    world: World,
    scans: Callable[..., str],
) -> list[TenMinutes]:
    """The chart's figures for those who need a table: the last two hours in tens of minutes, newest first."""
    last = minute // 10
    return [
        TenMinutes(
            datetime.fromtimestamp(starts + ten * 600, UTC),
            sum(entries.get(ten * 10 + one, 0) for one in range(10)),
            sum(refused.get(ten * 10 + one, 0) for one in range(10)),
            scans(
                time=render.clock(datetime.fromtimestamp(starts + ten * 600, UTC), world.time_zone),
                minutes=10,
            ),
        )
        for ten in range(last, max(last - counting.MINUTES // 10, -1), -1)
    ]


def shared_lists(world: World) -> frozenset[int]:
    """Lists into which several lanes count: people inside are then of no single checkpoint."""
    lanes = Counter(view.facts.list_id for view in world.checkpoints.values())
    return frozenset(number for number, count in lanes.items() if count > 1)


def _lines(
    views: Sequence[CheckpointView],
    rows: Mapping[int, Sequence[Any]],
    world: World,
    scans: Callable[..., str],
) -> list[Line]:
    most = max((rows[view.facts.id][1] for view in views), default=0) or 1
    shared = shared_lists(world)
    return [
        _line(
            view,
            rows[view.facts.id],
            most,
            shared=view.facts.list_id in shared,
            href=scans(checkpoint=view.facts.id),
        )
        for view in views
    ]


def _line(view: CheckpointView, row: Sequence[Any], most: int, *, shared: bool, href: str) -> Line:
    """The same words and limits as ``lineOf`` in board.js."""
    say = {key: i18n.gettext(_WORDS[key]) for key in _LINE_WORDS}
    _, entries, exits, repeats, refused, inside, capacity, state = row
    value, main, tone = entries, number(entries), ""
    bits = []
    if capacity and inside is not None:
        value, most, main = inside, capacity, _fill(say["percent"], n=percent(inside, capacity))
        tone = LEVEL_TONES[level(state, inside, capacity)]
        bits.append(_fill(say["of_capacity"], n=number(inside), m=number(capacity)))
    elif inside is not None and not shared:
        bits.append(_fill(say["inside"], n=number(inside)))
    bits += [
        _fill(say[key], n=number(count))
        for key, count in (("exits", exits), ("repeats", repeats), ("refused", refused))
        if count
    ]
    if state != OPEN:
        bits.insert(0, say["full" if state == FULL else "closed"])
    return Line(
        id=view.facts.id,
        name=_say(view.name),
        kind=i18n.gettext(_KINDS[view.facts.kind]),
        value=min(value, most),
        most=most,
        main=main,
        more=" · ".join(bits),
        tone="closed" if state == CLOSED else tone,
        href=href,
    )


def _room_line(row: Sequence[Any], places: Mapping[int, str], scans: Callable[..., str]) -> Line:
    """The same words and limits as ``roomOf`` in board.js."""
    say = {key: i18n.gettext(_WORDS[key]) for key in _LINE_WORDS}
    place, count, capacity, state, of = row
    reached = level(state, count, capacity)
    bits = [_fill(say[of if of in {"inside", "counted"} else "came_in"], n=number(count))]
    if capacity:
        bits = [_fill(say["of_capacity"], n=number(count), m=number(capacity))]
    if state != OPEN:
        bits.insert(0, say["full" if state == FULL else "closed"])
    elif reached:
        bits.insert(0, say[f"level_{reached}"])
    return Line(
        id=place,
        name=places.get(place, ""),
        kind="",
        value=min(count, capacity) if capacity else 0,
        most=capacity or 1,
        main=_fill(say["percent"], n=percent(count, capacity)) if capacity else number(count),
        more=" · ".join(bits),
        tone="closed" if state == CLOSED else LEVEL_TONES[reached],
        href=scans(place=place),
    )


def _alerts(
    document: Mapping[str, Any],
    world: World,
    at: datetime,
    places: Mapping[int, str],
    *,
    scans: Callable[..., str],
    conflicts_href: str,
    devices_href: str,
) -> list[AlertLine]:
    found = []
    for one in board_rules.alerts(document, gates_of(world), int(at.timestamp())):
        view = world.checkpoints.get(one.subject)
        if one.kind is AlertKind.CONFLICTS:
            name, href = "", conflicts_href
        elif one.kind is AlertKind.DEVICES:
            name, href = "", devices_href
        elif one.kind is AlertKind.ROOM_FULL:
            name, href = places.get(one.subject, ""), scans(place=one.subject)
        elif one.kind is AlertKind.REFUSALS:
            name = _say(view.name) if view else ""
            href = scans(checkpoint=one.subject, what="all:refused", last=10)
        else:
            name, href = _say(view.name) if view else "", scans(checkpoint=one.subject)
        words = i18n.gettext(_WORDS[one.kind])
        found.append(AlertLine(_fill(words, name=name, n=number(one.number)), href))
    return found


def gates_of(world: World) -> frozenset[int]:
    return frozenset(
        view.facts.id for view in world.checkpoints.values() if view.facts.kind is CheckpointKind.GATE
    )


def _glance(row: Mapping[str, Any], world: World, shows_names: bool, say: Mapping[str, str]) -> Glance:
    verdict = VerdictCode(row["verdict"])
    view = world.checkpoints.get(row["checkpoint"])
    words = world.ticket_types.get(row["type"] or 0)
    return Glance(
        at=datetime.fromtimestamp(row["at"], UTC),
        where=_say(view.name) if view else "",
        who=(row["name"] or say["unknown"]) if shows_names else "",
        type=_say(words.name) if words else "",
        verdict=i18n.gettext(VERDICTS[verdict]),
        tone=TONES[verdict].value,
    )


def _say(text: Any) -> str:
    return str(text.in_(i18n.current_locale()))


def _fill(text: str, **values: object) -> str:
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", str(value))
    return text


def number(value: int) -> str:
    """1,180 in both of the interface's languages, as ``Intl.NumberFormat`` writes it."""
    return f"{value:,}"


def percent(part: int, whole: int) -> int:
    """Rounded down, so that 100 % means all of them."""
    return 100 * part // whole if whole else 0


# --- rooms -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RoomLine:
    id: int
    name: str
    counted: str
    state: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class RoomsPage(Context):
    """Which rooms are open, filling or full, for anybody."""

    template: ClassVar[str] = "checkin/rooms.html"
    zone: str
    at: datetime
    rooms: Sequence[RoomLine]
    data: Mapping[str, Any] = field(default_factory=dict)


_ROOM_WORDS: Final[Mapping[str, str]] = {
    "0": N_("Open"),
    "1": N_("Full"),
    "2": N_("Closed"),
    "inside": N_("about {n} inside"),
    "entries": N_("about {n} came in"),
    "counted": N_("about {n} inside"),
    "nobody": N_("nobody yet"),
}


def rooms_json(rooms: Sequence[Room]) -> list[dict[str, Any]]:
    """The rooms as everybody may read them; the keys are frozen once released (docs/http-api.md)."""
    return [
        {
            "id": one.id,
            "code": one.code,
            "name": dict(one.name),
            "state": one.state,
            "count": one.count,
            "of": one.of,
            "level": one.level,
            "session": one.session,
        }
        for one in rooms
    ]


async def rooms_file(request: Request, door: Door) -> Response:
    """For other people's pages and applications: any origin may read it, and ask again with its ETag."""
    topic = checkpoints.rooms_topic(door.event.id)
    version = (await topics.versions([topic]))[topic]
    body = orjson.dumps(rooms_json(await counting.rooms(event_id=door.event.id, at=datetime.now(UTC))))
    response = conditional(request, Frame(version, body), body)
    response.headers["access-control-allow-origin"] = "*"
    response.headers["access-control-expose-headers"] = "etag"
    # The same for everybody: a proxy in the hall may keep it for a moment.
    response.headers["cache-control"] = "public, max-age=5"
    del response.headers["vary"]
    return response


async def rooms_page(request: Request, door: Door) -> Response:
    at = datetime.now(UTC)
    topic = checkpoints.rooms_topic(door.event.id)
    version = (await topics.versions([topic]))[topic]
    rooms = await counting.rooms(event_id=door.event.id, at=at)
    words = {key: i18n.gettext(text) for key, text in {**_WORDS, **_ROOM_WORDS}.items()}
    data = {
        "topic": topic,
        "version": version,
        "locale": i18n.current_locale(),
        "now": int(at.timestamp() * 1000),
        "transport": "poll" if request.query_params.get("transport") == "poll" else "auto",
        "words": words,
    }
    lines = [
        RoomLine(
            id=room.id,
            name=_say(room.name),
            counted=_fill(words[room.of], n=number(room.count)) if room.count else words["nobody"],
            state=words[str(room.state)],
            tone=("go", "stop", "plain")[room.state],
        )
        for room in rooms
    ]
    page = RoomsPage(zone=door.event.time_zone, at=at, rooms=lines, data=data, **access.frame(door))
    return await render.page(request, page)


ROUTES: list[Entry] = [
    route("/e/{slug}/live", board_page, "checkin.board", Permission.VIEW_BOARD),
    route("/e/{slug}/rooms", rooms_page, "checkin.rooms", Permission.VIEW_PUBLIC),
    route(
        "/e/{slug}/rooms.json",
        rooms_file,
        "checkin.rooms.json",
        Permission.VIEW_PUBLIC,
        api=ApiDoc(
            tag="Live",
            summary="How full the rooms are, in tens; any origin may read it.",
            answer=api_shapes.Room,
            is_list=True,
            is_conditional=True,
        ),
    ),
]
