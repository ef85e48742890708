"""Organisers' pages for checkpoints: what is scanned where, when, and what a repeat means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, TypeVar
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from agenda.queries import sessions as list_sessions
from checkin import checkpoints, rehearsals
from checkin.checkpoints import CheckpointView, NewWindow
from checkin.room_rules import LEAD_MAX
from checkin.rules import CheckinCode, CheckpointKind, Once, OnRepeat, Window
from checkin.words import KINDS, ON_REPEAT, ONCE
from events import queries as events
from events.access import Door, frame, route
from events.desk.shared import site_chips, site_names, whole_id
from events.rules import Permission
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import LOCALES, LocalizedText
from web import i18n, render
from web.forms import form_data, typed
from web.render import Context, FormContext
from web.routing import Entry

Choice = tuple[str, str]
E = TypeVar("E", CheckpointKind, Once, OnRepeat)


@dataclass(frozen=True, kw_only=True)
class CheckpointLine:
    href: str
    code: str
    name: LocalizedText
    kind: str
    repeat: str
    place: str
    ticket_types: str
    site: str
    windows: int
    is_open: bool


@dataclass(frozen=True, kw_only=True)
class ListPage(Context):
    template: ClassVar[str] = "checkin/desk/checkpoints.html"
    rehearsal: rehearsals.Banner
    rehearsal_href: str
    lines: Sequence[CheckpointLine]
    new_href: str
    #: (words, href, count, current), when the event has sites
    sites: Sequence[tuple[str, str, int, bool]]


@dataclass(frozen=True, kw_only=True)
class EditPage(FormContext):
    template: ClassVar[str] = "checkin/desk/checkpoint.html"
    title: str
    is_new: bool
    action: str
    back: str
    kinds: Sequence[Choice]
    onces: Sequence[Choice]
    repeats: Sequence[Choice]
    places: Sequence[Choice]
    sessions: Sequence[Choice]
    ticket_types: Sequence[Choice]
    chosen_types: Sequence[str]
    lists: Sequence[Choice]
    sites: Sequence[Choice]
    zone: str
    #: Where phones are paired for this checkpoint; empty for a new one.
    pair_href: str


def _choices(words: Mapping[str, str]) -> list[Choice]:
    return [(str(value), i18n.gettext(text)) for value, text in words.items()]


async def list_page(request: Request, door: Door) -> Response:
    locale, slug = i18n.current_locale(), door.event.slug
    world = await checkpoints.read_world(door.event.id)
    places = {place.id: place.name.in_(locale) for place in await events.places(door.event.id)}
    names = await site_names(door)
    chosen = whole_id(request.query_params.get("site"))
    lines = [
        CheckpointLine(
            href=render.url("checkin.desk.checkpoint", slug=slug, checkpoint_id=view.facts.id),
            code=view.code,
            name=view.name,
            kind=i18n.gettext(KINDS[view.facts.kind]),
            repeat=i18n.gettext(ON_REPEAT[view.facts.on_repeat]),
            place=places.get(view.place_id or 0, ""),
            ticket_types=_joined(
                [world.ticket_types[one].name.in_(locale) for one in sorted(view.facts.ticket_types)]
            ),
            site=names.get(view.in_site or 0, ""),
            windows=len(view.facts.windows),
            is_open=view.facts.is_open,
        )
        for view in world.checkpoints.values()
        if chosen not in names or view.in_site == chosen
    ]
    new_href = render.url("checkin.desk.new_checkpoint", slug=slug)
    return await render.page(
        request,
        ListPage(
            lines=lines,
            new_href=new_href,
            sites=site_chips(
                names,
                chosen,
                render.url("checkin.desk.checkpoints", slug=slug),
                [view.in_site for view in world.checkpoints.values()],
            ),
            rehearsal=rehearsals.banner_of(world, datetime.now(UTC)),
            rehearsal_href=render.url("checkin.rehearsal", slug=slug),
            **frame(door, "checkin.desk.checkpoints"),
        ),
    )


def _joined(names: Sequence[str]) -> str:
    return ("、" if i18n.current_locale() == "zh-Hans" else ", ").join(names)


async def _edit_page(
    door: Door,
    view: CheckpointView | None,
    values: Mapping[str, str],
    chosen: Sequence[str],
    problems: Mapping[str, Problem],
) -> EditPage:
    locale, slug, event_id = i18n.current_locale(), door.event.slug, door.event.id
    zone = ZoneInfo(door.event.time_zone)
    world = await checkpoints.read_world(event_id)
    back = render.url("checkin.desk.checkpoints", slug=slug)
    action = (
        render.url("checkin.desk.new_checkpoint", slug=slug)
        if view is None
        else render.url("checkin.desk.checkpoint", slug=slug, checkpoint_id=view.facts.id)
    )
    return EditPage(
        title=i18n.gettext("New checkpoint") if view is None else view.name.in_(locale),
        is_new=view is None,
        action=action,
        back=back,
        kinds=_choices(KINDS),
        onces=_choices(ONCE),
        repeats=_choices(ON_REPEAT),
        places=[(str(place.id), place.name.in_(locale)) for place in await events.places(event_id)],
        sessions=[
            (str(one.id), f"{one.starts_at.astimezone(zone):%m-%d %H:%M} {one.title.in_(locale)}")
            for one in await list_sessions(event_id)
        ],
        ticket_types=[(str(key), words.name.in_(locale)) for key, words in world.ticket_types.items()],
        chosen_types=list(chosen),
        lists=[(str(other.facts.id), other.name.in_(locale)) for other in world.checkpoints.values()],
        sites=[(str(key), name) for key, name in (await site_names(door)).items()],
        zone=door.event.time_zone,
        pair_href=""
        if view is None
        else render.with_query(render.url("checkin.desk.pairings", slug=slug), at=view.facts.id),
        values=values,
        problems=problems,
        **frame(door, "checkin.desk.checkpoints"),
    )


def _values_of(view: CheckpointView, zone: ZoneInfo) -> dict[str, str]:
    facts, leaves_others = view.facts, view.leaves_others
    return {
        "code": view.code,
        "kind": facts.kind,
        **{f"name.{locale}": view.name.get(locale, "") for locale in LOCALES},
        "once": facts.once,
        "on_repeat": facts.on_repeat,
        "is_open": "1" if facts.is_open else "",
        "scans_exits": "1" if facts.scans_exits else "",
        "capacity": "" if facts.capacity is None else str(facts.capacity),
        "place": str(view.place_id or ""),
        "session": str(view.session_id or ""),
        "site": str(view.site_id or ""),
        "lead_minutes": str(int(facts.lead.total_seconds()) // 60),
        "stays_in_others": "" if leaves_others else "1",
        "windows": "\n".join(write_window(window, zone) for window in facts.windows),
    }


def write_window(window: Window, zone: ZoneInfo) -> str:
    """A window as an organiser types it: ``2023-10-28 11:30 - 13:00``, with the second date where it differs."""
    start, end = window.opens_at.astimezone(zone), window.closes_at.astimezone(zone)
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} - {until}"


_WINDOW = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})\s+(\d{1,2}):(\d{2})\s*(?:-|–|—|~|至|到)\s*"
    r"(?:(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})\s+)?(\d{1,2}):(\d{2})"
)


def read_windows(text: str, zone: ZoneInfo) -> list[NewWindow]:
    """Windows, one a line, in the event's time zone; an end before its start on the same date is the next morning's.

    Raises Invalid at the field ``windows``, naming the first line that can't be read.
    """
    found = []
    for number, line in enumerate(text.translate(str.maketrans("：　", ": ")).splitlines(), 1):
        if not line.strip():
            continue
        match = _WINDOW.fullmatch(line.strip())
        try:
            if match is None:
                raise ValueError
            year, month, day, hour, minute, *rest = (int(part) if part else None for part in match.groups())
            start = datetime(year or 0, month or 0, day or 0, hour or 0, minute or 0, tzinfo=zone)
            end_year, end_month, end_day, end_hour, end_minute = rest
            if end_year is None:
                end = start.replace(hour=end_hour or 0, minute=end_minute or 0)
                end += timedelta(days=1 if end <= start else 0)
            else:
                end = datetime(
                    end_year, end_month or 0, end_day or 0, end_hour or 0, end_minute or 0, tzinfo=zone
                )
        except ValueError:
            raise Invalid({"windows": Problem(CheckinCode.WINDOW_UNREADABLE, {"line": number})}) from None
        if end <= start:
            raise Invalid({"windows": Problem(CheckinCode.WINDOW_UNREADABLE, {"line": number})})
        found.append(NewWindow(start.astimezone(UTC), end.astimezone(UTC), LocalizedText()))
    return found


@dataclass(frozen=True, slots=True)
class _Typed:
    code: str
    kind: CheckpointKind
    name: LocalizedText
    once: Once
    on_repeat: OnRepeat
    is_open: bool
    scans_exits: bool
    capacity: int | None
    place_id: int | None
    session_id: int | None
    site_id: int | None
    shares_list_of: int | None
    ticket_type_ids: tuple[int, ...]
    windows: tuple[NewWindow, ...]
    lead_minutes: int
    leaves_others: bool


async def _read(door: Door, values: Mapping[str, str], chosen: Sequence[str], *, is_new: bool) -> _Typed:
    """What was typed, checked against what the event has; raises Invalid with a problem at each field."""
    problems: dict[str, Problem] = {}
    name = LocalizedText({tag: values.get(f"name.{tag}", "").strip() for tag in LOCALES})
    name = LocalizedText.of(name)
    if not name:
        problems[f"name.{LOCALES[0]}"] = Problem(Code.REQUIRED)
    if any(len(text) > 120 for text in name.values()):
        problems[f"name.{LOCALES[0]}"] = Problem(Code.TOO_LONG, {"limit": 120})
    code = values.get("code", "").strip()
    if is_new and not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", code):
        problems["code"] = Problem(Code.MALFORMED if code else Code.REQUIRED)
    capacity: int | None = None
    if values.get("capacity", "").strip():
        text = values["capacity"].strip()
        capacity = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else None
        if capacity is None:
            problems["capacity"] = Problem(Code.NOT_A_NUMBER)
    lead, longest = checkpoints.LEAD_MINUTES, int(LEAD_MAX.total_seconds()) // 60
    if text := values.get("lead_minutes", "").strip():
        lead = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else longest + 1
        if lead > longest:
            problems["lead_minutes"] = Problem(CheckinCode.LEAD_TOO_LONG, {"limit": longest})
    kind = _one_of(CheckpointKind, values.get("kind", ""), "kind", problems, CheckpointKind.GATE)
    once = _one_of(Once, values.get("once", ""), "once", problems, Once.EVENT)
    on_repeat = _one_of(OnRepeat, values.get("on_repeat", ""), "on_repeat", problems, OnRepeat.WARN)
    own_places = {str(place.id) for place in await events.places(door.event.id)}
    own_sessions = {str(one.id) for one in await list_sessions(door.event.id)}
    own_types = {str(one.id) for one in await events.ticket_types(door.event.id)}
    own_sites = {str(one.id) for one in await events.sites(door.event.id)}
    for field, own in (("place", own_places), ("session", own_sessions), ("site", own_sites)):
        if values.get(field) and values[field] not in own:
            problems[field] = Problem(Code.NOT_A_CHOICE)
    if any(one not in own_types for one in chosen):
        problems["ticket_types[]"] = Problem(Code.NOT_A_CHOICE)
    windows: list[NewWindow] = []
    try:
        windows = read_windows(values.get("windows", ""), ZoneInfo(door.event.time_zone))
    except Invalid as error:
        problems.update(error.fields)
    if problems:
        raise Invalid(problems)
    shares = values.get("shares_list_of", "")
    return _Typed(
        code=code,
        kind=kind,
        name=name,
        once=once,
        on_repeat=on_repeat,
        is_open=bool(values.get("is_open")),
        scans_exits=bool(values.get("scans_exits")),
        capacity=capacity,
        place_id=int(values["place"]) if values.get("place") else None,
        session_id=int(values["session"]) if values.get("session") else None,
        site_id=int(values["site"]) if values.get("site") else None,
        shares_list_of=int(shares) if shares.isascii() and shares.isdigit() else None,
        ticket_type_ids=tuple(int(one) for one in chosen),
        windows=tuple(windows),
        lead_minutes=lead,
        leaves_others=not values.get("stays_in_others"),
    )


def _one_of(kind: type[E], value: str, field: str, problems: dict[str, Problem], default: E) -> E:
    try:
        return kind(value)
    except ValueError:
        problems[field] = Problem(Code.NOT_A_CHOICE)
        return default


async def new_page(request: Request, door: Door) -> Response:
    if request.method == "GET":
        start = {"kind": "gate", "once": "day", "on_repeat": "welcome", "is_open": "1"}
        return await render.page(request, await _edit_page(door, None, start, (), {}))
    data = await form_data(request)
    values, chosen = typed(data), [str(one) for one in data.getlist("ticket_types[]")]
    try:
        given = await _read(door, values, chosen, is_new=True)
        await checkpoints.add(
            actor=door.actor,
            event_id=door.event.id,
            code=given.code,
            kind=given.kind,
            name=given.name,
            at=datetime.now(UTC),
            once=given.once,
            on_repeat=given.on_repeat,
            scans_exits=given.scans_exits,
            capacity=given.capacity,
            place_id=given.place_id,
            session_id=given.session_id,
            site_id=given.site_id,
            lead_minutes=given.lead_minutes,
            leaves_others=given.leaves_others,
            windows=given.windows,
            ticket_type_ids=given.ticket_type_ids,
            shares_list_of=given.shares_list_of,
            position=given_position(await checkpoints.read_world(door.event.id)),
        )
    except Invalid as error:
        return await render.page(
            request, await _edit_page(door, None, values, chosen, error.fields), error.status
        )
    return render.see_other(render.url("checkin.desk.checkpoints", slug=door.event.slug))


def given_position(world: checkpoints.World) -> int:
    """Behind all others."""
    return len(world.checkpoints) + 1


async def edit_page(request: Request, door: Door) -> Response:
    world = await checkpoints.read_world(door.event.id)
    view = world.checkpoints.get(int(request.path_params["checkpoint_id"]))
    if view is None:
        raise NotFound(CheckinCode.CHECKPOINT_UNKNOWN)
    if request.method == "GET":
        values = _values_of(view, ZoneInfo(door.event.time_zone))
        chosen = [str(one) for one in sorted(view.facts.ticket_types)]
        return await render.page(request, await _edit_page(door, view, values, chosen, {}))
    data = await form_data(request)
    values, chosen = typed(data), [str(one) for one in data.getlist("ticket_types[]")]
    try:
        given = await _read(door, values | {"kind": view.facts.kind}, chosen, is_new=False)
    except Invalid as error:
        return await render.page(
            request, await _edit_page(door, view, values, chosen, error.fields), error.status
        )
    await checkpoints.change(
        actor=door.actor,
        event_id=door.event.id,
        checkpoint_id=view.facts.id,
        at=datetime.now(UTC),
        name=given.name,
        once=given.once,
        on_repeat=given.on_repeat,
        is_open=given.is_open,
        scans_exits=given.scans_exits,
        capacity=given.capacity,
        place_id=given.place_id,
        session_id=given.session_id,
        site_id=given.site_id,
        lead_minutes=given.lead_minutes,
        leaves_others=given.leaves_others,
        windows=given.windows,
        ticket_type_ids=given.ticket_type_ids,
    )
    return render.see_other(render.url("checkin.desk.checkpoints", slug=door.event.slug))


async def checkpoint_scopes(door: Door) -> list[tuple[str, int, str]]:
    """What a scanner's role may be narrowed to: ``(kind, id, title)`` for the team page."""
    world = await checkpoints.world(door.event.id)
    locale = i18n.current_locale()
    return [("checkpoint", view.facts.id, view.name.in_(locale)) for view in world.checkpoints.values()]


ROUTES: list[Entry] = [
    route("/e/{slug}/desk/checkpoints", list_page, "checkin.desk.checkpoints", Permission.CHANGE_EVENT),
    route(
        "/e/{slug}/desk/checkpoints/new",
        new_page,
        "checkin.desk.new_checkpoint",
        Permission.CHANGE_EVENT,
        methods=("GET", "POST"),
    ),
    route(
        "/e/{slug}/desk/checkpoints/{checkpoint_id:int}",
        edit_page,
        "checkin.desk.checkpoint",
        Permission.CHANGE_EVENT,
        methods=("GET", "POST"),
    ),
]
