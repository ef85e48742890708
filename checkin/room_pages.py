"""Pages for whoever works at rooms: all of them at a glance, and one for the phone at its door.

A press is a form with an id of its own, so that pressing twice on bad Wi-Fi is one word. Without scripts the pages
are whole; ``tend.js`` keeps the figures current and offers plus and minus.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import board, checkpoints, rooms
from checkin.board_rules import CLOSED
from checkin.counting import COUNTED, RoomNow
from checkin.room_api import titles
from checkin.room_rules import RoomState, Slot, heads_limit
from checkin.screens import LEVEL_WORDS, SIGNS
from checkin.words import ROOM_STATES
from events import access, exporting
from events import queries as events
from events.access import Door, route
from events.desk.journal import who_key
from events.desk.shared import DeskPage, attachment
from events.rules import Permission, PlaceKind
from kernel.errors import Invalid, Problem
from kernel.text import N_
from people import topics
from web import i18n, render
from web.forms import Form, form_data, read_form, typed
from web.routing import Entry

PAGE: Final = "checkin.tend"

#: What a room's figure counts, as staff read it; ``tend.js`` says the same.
_OF_WORDS: Final[Mapping[str, str]] = {
    "inside": N_("inside, by scans in and out"),
    "entries": N_("came in; who left is not known"),
    "counted": N_("counted at {time} by {who}, moved by the scans since"),
}


@dataclass(frozen=True, slots=True)
class Press:
    """A button that says something of a room; each has an id of its own."""

    state: str
    words: str
    request_id: str


@dataclass(frozen=True, slots=True)
class RoomShown:
    """A room in the reader's words, exact."""

    id: int
    name: str
    href: str
    count: str
    #: "of 120", or empty where nobody knows how many fit
    of_seats: str
    fits: int | None
    value: int
    tone: str
    level: str
    #: How the figure came about.
    how: str
    #: "Full, said at 10:12 by Mei", or empty.
    by_hand: str
    now: str
    then: str


@dataclass(frozen=True, slots=True)
class LineShown:
    at: str
    who: str
    what: str


@dataclass(frozen=True, kw_only=True)
class TendListPage(DeskPage):
    template: ClassVar[str] = "checkin/tend_list.html"
    zone: str
    at: datetime
    rooms: Sequence[RoomShown]
    #: Rooms without a checkpoint of which nothing was said yet, for those who may speak for all: (name, href).
    others: Sequence[tuple[str, str]]
    file_href: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TendPage(DeskPage):
    template: ClassVar[str] = "checkin/tend.html"
    zone: str
    at: datetime
    room: RoomShown
    #: The one big button, and the smaller ones.
    main: Press
    others: Sequence[Press]
    state_action: str
    count_action: str
    request_id: str
    most: int
    lines: Sequence[LineShown]
    back: str
    data: Mapping[str, Any] = field(default_factory=dict)


def _fill(text: str, **values: object) -> str:
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", str(value))
    return text


def _shown(
    one: RoomNow, door: Door, names: Mapping[str, str], sessions: Mapping[str, Any], at: datetime
) -> RoomShown:
    locale, zone = i18n.current_locale(), door.event.time_zone
    tone = "closed" if one.state == CLOSED else board.LEVEL_TONES[one.level] or "go"
    mark, said = "level_closed" if one.state == CLOSED else f"level_{one.level}", one.said
    level = i18n.gettext(LEVEL_WORDS[mark])

    def session(slot: Slot | None, text: str, *, ends: bool) -> str:
        if slot is None:
            return ""
        title = sessions[slot.guid].title.in_(locale) if slot.guid in sessions else ""
        moment = slot.ends_at if ends else slot.starts_at
        return _fill(i18n.gettext(text), title=title, time=_clock(moment, at, zone))

    how = i18n.gettext(_OF_WORDS[one.of])
    if one.of == COUNTED and said.heads:
        how = _fill(how, time=render.clock(said.heads.at, zone), who=_who(said.heads_by, names))
    by_hand = ""
    if one.by_hand is not RoomState.AUTOMATIC and said.held:
        by_hand = i18n.gettext(N_("%(state)s by hand since %(time)s, %(who)s")) % {
            "state": i18n.gettext(ROOM_STATES[one.by_hand]),
            "time": _clock(said.held.since, at, zone),
            "who": _who(said.held_by, names),
        }
    return RoomShown(
        id=one.place.id,
        name=one.place.name.in_(locale),
        href=render.url("checkin.tend.room", slug=door.event.slug, place_id=one.place.id),
        count=board.number(one.count),
        of_seats=i18n.gettext(N_("of %(n)s")) % {"n": board.number(one.capacity)} if one.capacity else "",
        fits=one.capacity,
        value=min(one.count, one.capacity) if one.capacity else 0,
        tone=tone,
        level=f"{SIGNS[tone]} {level}",
        how=how,
        by_hand=by_hand,
        now=session(one.now, N_("{title}, until {time}"), ends=True),
        then=session(one.next, N_("{time} {title}"), ends=False),
    )


def _clock(moment: datetime, at: datetime, zone: str) -> str:
    """The time of day, with the day where it is another one."""
    is_today = moment.astimezone(ZoneInfo(zone)).date() == at.astimezone(ZoneInfo(zone)).date()
    return (render.clock if is_today else render.moment)(moment, zone)


def _who(key: str, names: Mapping[str, str]) -> str:
    return names.get(key) or who_key(key)


async def _frame_data(request: Request, door: Door) -> dict[str, Any]:
    """What ``tend.js`` needs: the public topic wakes it, the figures it then fetches from the page's own address."""
    topic = checkpoints.rooms_topic(door.event.id)
    return {
        "topic": topic,
        "version": (await topics.versions([topic]))[topic],
        "transport": "poll" if request.query_params.get("transport") == "poll" else "auto",
        "words": {
            key: i18n.gettext(text)
            for key, text in {
                "live": N_("Live"),
                "as_of": N_("As of {n} s ago"),
                "as_of_minutes": N_("As of {n} min ago"),
            }.items()
        },
    }


async def list_page(request: Request, door: Door) -> Response:
    at = datetime.now(UTC)
    data = await _frame_data(request, door)
    found = await rooms.own(door=door, at=at)
    names = await _names(found)
    sessions = await titles(door.event.id)
    return await render.page(
        request,
        TendListPage(
            **access.frame(door, PAGE),
            zone=door.event.time_zone,
            at=at,
            rooms=[_shown(one, door, names, sessions, at) for one in found],
            others=await _others(door, {one.place.id for one in found}),
            file_href=render.url("checkin.tend.file", slug=door.event.slug),
            data=data,
        ),
    )


#: Places where people sit or stand to listen.
_ROOMS: Final = frozenset({PlaceKind.ROOM, PlaceKind.STAGE, PlaceKind.AREA})


async def _others(door: Door, listed: Collection[int]) -> list[tuple[str, str]]:
    if door.checkpoint_scope() is not None:
        return []
    locale, slug = i18n.current_locale(), door.event.slug
    return [
        (place.path_in(locale), render.url("checkin.tend.room", slug=slug, place_id=place.id))
        for place in await events.places(door.event.id)
        if place.kind in _ROOMS and place.id not in listed
    ]


async def _names(found: Sequence[RoomNow], more: Sequence[str] = ()) -> dict[str, str]:
    keys = {key for one in found for key in (one.said.held_by, one.said.heads_by)} | set(more)
    return await rooms.names_of(sorted(keys))


async def room_page(request: Request, door: Door) -> Response:
    return await _show(request, door, {}, {})


async def _show(
    request: Request, door: Door, values: Mapping[str, str], problems: Mapping[str, Problem]
) -> Response:
    at, place_id, slug = datetime.now(UTC), int(request.path_params["place_id"]), door.event.slug
    data = await _frame_data(request, door)
    room = await rooms.get(door=door, place_id=place_id, at=at)
    lines = await rooms.lines(door.event.id, place_id, rooms.HISTORY)
    names = await _names([room], [one.actor_key for one in lines])
    shown = _shown(room, door, names, await titles(door.event.id), at)
    # One thing is worth a big button: people may come in, or they may not.
    big = RoomState.OPEN if room.state else RoomState.FULL
    words = {
        RoomState.FULL: i18n.gettext(N_("The room is full")),
        RoomState.OPEN: i18n.gettext(N_("People may come in")),
        RoomState.CLOSED: i18n.gettext(N_("Close the room")),
        RoomState.AUTOMATIC: i18n.gettext(N_("Let the figures decide")),
    }

    def press(state: RoomState) -> Press:
        return Press(state.value, words[state], str(uuid4()))

    small = [one for one in RoomState if one not in {big, room.by_hand}]
    page = TendPage(
        **access.frame(door, PAGE),
        values=values,
        problems=problems,
        zone=door.event.time_zone,
        at=at,
        room=shown,
        main=press(big),
        others=[press(one) for one in small],
        state_action=render.url("checkin.tend.state", slug=slug, place_id=place_id),
        count_action=render.url("checkin.tend.count", slug=slug, place_id=place_id),
        request_id=values.get("request_id") or str(uuid4()),
        most=heads_limit(room.seats),
        lines=[
            LineShown(
                _clock(one.at, at, door.event.time_zone),
                _who(one.actor_key, names),
                i18n.gettext(ROOM_STATES[one.state])
                if one.state
                else i18n.ngettext("%(num)s person counted", "%(num)s people counted", one.count or 0)
                % {"num": board.number(one.count or 0)},
            )
            for one in lines
        ],
        back=render.url(PAGE, slug=slug),
        data=data | {"most": heads_limit(room.seats)},
    )
    return await render.page(request, page, Invalid.status if problems else 200)


class StateForm(Form):
    request_id: UUID
    state: RoomState


class CountForm(Form):
    request_id: UUID
    count: int = Field(ge=-(2**31), le=2**31 - 1)


def _back(door: Door, request: Request) -> Response:
    place_id = int(request.path_params["place_id"])
    return render.see_other(render.url("checkin.tend.room", slug=door.event.slug, place_id=place_id))


async def say(request: Request, door: Door) -> Response:
    form = read_form(await form_data(request), StateForm)
    await rooms.say(
        door=door,
        place_id=int(request.path_params["place_id"]),
        state=form.state,
        request_id=form.request_id,
        at=datetime.now(UTC),
    )
    return _back(door, request)


async def count(request: Request, door: Door) -> Response:
    data = await form_data(request)
    try:
        form = read_form(data, CountForm)
        await rooms.count_heads(
            door=door,
            place_id=int(request.path_params["place_id"]),
            count=form.count,
            request_id=form.request_id,
            at=datetime.now(UTC),
        )
    except Invalid as error:
        if "count" not in error.fields:
            raise
        return await _show(request, door, typed(data), error.fields)
    return _back(door, request)


async def lines_file(request: Request, door: Door) -> Response:
    """States and head counts of the rooms that one may speak for, as CSV."""
    zone, locale = ZoneInfo(door.event.time_zone), i18n.current_locale()
    world = await checkpoints.world(door.event.id)
    at = datetime.now(UTC)
    every = {one.place.id: one.place for one in await rooms.own(door=door, at=at)}
    lines = [one for one in await rooms.lines(door.event.id) if rooms.may_tend(door, world, one.place_id)]
    names = await rooms.names_of(sorted({one.actor_key for one in lines}))
    rows: list[list[exporting.Cell]] = [
        [
            one.at.astimezone(zone).replace(tzinfo=None, microsecond=0),
            every[one.place_id].name.in_(locale) if one.place_id in every else f"#{one.place_id}",
            every[one.place_id].code if one.place_id in every else "",
            one.state.value if one.state else "",
            one.count if one.count is not None else "",
            _who(one.actor_key, names),
        ]
        for one in lines
    ]
    words = [N_("When"), N_("Room"), N_("Code"), N_("State"), N_("People counted"), N_("Who")]
    body = b"".join(exporting.to_csv([i18n.gettext(one) for one in words], rows))
    stamp = at.astimezone(zone).strftime("%Y%m%d-%H%M")
    return Response(
        body,
        media_type="text/csv; charset=utf-8",
        headers=attachment(f"{door.event.slug}-rooms-{stamp}.csv"),
    )


ROUTES: list[Entry] = [
    route("/e/{slug}/desk/rooms", list_page, PAGE, Permission.SCAN),
    route("/e/{slug}/desk/rooms/lines.csv", lines_file, "checkin.tend.file", Permission.SCAN),
    route("/e/{slug}/desk/rooms/{place_id:int}", room_page, "checkin.tend.room", Permission.SCAN),
    route("/e/{slug}/desk/rooms/{place_id:int}/state", say, "checkin.tend.state", Permission.SCAN, ("POST",)),
    route(
        "/e/{slug}/desk/rooms/{place_id:int}/count", count, "checkin.tend.count", Permission.SCAN, ("POST",)
    ),
]
