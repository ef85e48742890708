"""Print stations: their list and set-up, the page that stands open on the laptop, and the badges that it prints.

The page asks for the next job, shows its badge in a hidden frame, prints that frame once and tells how it went. With
Chromium's ``--kiosk-printing`` nobody is asked anything (docs/operate.md). Where there is no station, cards are printed
from one's own browser as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from checkin import cards, checkpoints, passports, printing
from checkin.badge_rules import SIZES, Paper, Pause, PrintFailure, name_size
from checkin.passports import PassportView
from checkin.printing import JobLine, Layout, Station
from checkin.queries import Badge
from checkin.shown import private
from checkin.staff_card import badge_words
from checkin.words import PAPERS, PRINT_FAILURES
from events import letter
from events import queries as events
from events.access import Door, frame, header, route
from events.desk.shared import whole_id
from events.rules import Permission, TicketRole
from kernel.errors import Code, Invalid, Problem
from kernel.text import N_
from web import render
from web.forms import Form, form_data, read_form, typed
from web.i18n import current_locale, gettext
from web.middleware import POLICY
from web.render import Context, FormContext, url
from web.routing import Entry

PAGE: Final = "checkin.stations"
#: The badge is shown in a frame of the station's own page, and nowhere else.
FRAMED: Final = POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")

STATION_WORDS: Final[Mapping[str, str]] = {
    "idle": N_("Ready. Badges come out here as scanners ask for them."),
    "printing": N_("Printing: %(name)s"),
    "paused": N_("Paused"),
    "paper_out": N_("Paper out"),
    "offline": N_("No connection. It goes on by itself."),
    "elsewhere": N_("Another window of this station prints. This one waits."),
    "again": N_("This one may have come out before. Have a look."),
    "closed": N_("This station is closed."),
    "signin": N_("Signed out. Sign in again in another window, then come back."),
    "start_lead": N_(
        "Leave this page open and in front. The browser prints without asking only in kiosk printing."
    ),
}


@dataclass(frozen=True, slots=True)
class StationLine:
    name: str
    about: str
    waiting: int
    state: tuple[str, str]
    href: str
    edit_href: str


@dataclass(frozen=True, kw_only=True)
class ListPage(Context):
    template: ClassVar[str] = "checkin/desk/stations.html"
    lines: Sequence[StationLine]
    new_href: str


@dataclass(frozen=True, kw_only=True)
class EditPage(FormContext):
    template: ClassVar[str] = "checkin/desk/station_edit.html"
    title: str
    action: str
    papers: Sequence[tuple[str, str]]
    back: str
    sample_href: str = ""


async def list_page(request: Request, door: Door) -> Response:
    at, slug = datetime.now(UTC), door.event.slug
    waiting = await printing.waiting(door.event.id)
    may_change = door.may(Permission.CHANGE_EVENT)
    page = ListPage(
        **frame(door, PAGE),
        lines=[
            StationLine(
                one.name,
                gettext(PAPERS[one.layout.paper]),
                waiting.get(one.id, 0),
                _state(one, at),
                url("checkin.station", slug=slug, station_id=one.id),
                url("checkin.station_edit", slug=slug, station_id=one.id) if may_change else "",
            )
            for one in await printing.stations(door.event.id, closed=may_change)
        ],
        new_href=url("checkin.station_new", slug=slug) if may_change else "",
    )
    return await render.page(request, page)


def _state(one: Station, at: datetime) -> tuple[str, str]:
    if not one.is_open:
        return "stop", gettext("Closed")
    if one.pause:
        why = "paper_out" if one.pause is Pause.PAPER_OUT else "paused"
        return "care", gettext(STATION_WORDS[why])
    return (
        ("go", gettext("Open on a laptop")) if one.is_there(at) else ("care", gettext("Nobody has it open"))
    )


async def edit(request: Request, door: Door) -> Response:
    number = request.path_params.get("station_id")
    station = await printing.get(door.event.id, int(number)) if number is not None else None
    values: Mapping[str, str] = _values(station)
    problems: Mapping[str, Problem] = {}
    if request.method == "POST":
        values = typed(await form_data(request))
        try:
            layout = _layout(values)
            await printing.save(
                actor=door.actor,
                event_id=door.event.id,
                station_id=station.id if station else None,
                name=values.get("name", ""),
                layout=layout,
                is_open=station is None or bool(values.get("is_open")),
                at=datetime.now(UTC),
            )
            return render.see_other(url(PAGE, slug=door.event.slug))
        except Invalid as error:
            problems = error.fields
    slug = door.event.slug
    page = EditPage(
        **frame(door, PAGE),
        title=station.name if station else gettext("Open a print station"),
        action=url("checkin.station_edit", slug=slug, station_id=station.id)
        if station
        else url("checkin.station_new", slug=slug),
        papers=[(one.value, gettext(words)) for one, words in PAPERS.items()],
        back=url(PAGE, slug=slug),
        sample_href=url("checkin.station_sample", slug=slug, station_id=station.id) if station else "",
        values=values,
        problems=problems,
    )
    return await render.page(request, page, Invalid.status if problems else 200)


_PARTS: Final = ("shows_line", "shows_type", "shows_number", "shows_code")


def _values(station: Station | None) -> dict[str, str]:
    layout = station.layout if station else Layout()
    return {
        "name": station.name if station else "",
        "paper": layout.paper.value,
        "is_open": "1" if station is None or station.is_open else "",
        **{name: "1" if getattr(layout, name) else "" for name in _PARTS},
    }


def _layout(values: Mapping[str, str]) -> Layout:
    try:
        paper = Paper(values.get("paper", ""))
    except ValueError:
        raise Invalid({"paper": Problem(Code.NOT_A_CHOICE)}) from None
    return Layout(paper=paper, **{name: bool(values.get(name)) for name in _PARTS})


# --- the page on the laptop --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StationPage(Context):
    template: ClassVar[str] = "checkin/station.html"
    name: str
    paper: str
    sample_href: str
    back: str
    data: Mapping[str, Any]


async def station_page(request: Request, door: Door) -> Response:
    one = await printing.get(door.event.id, int(request.path_params["station_id"]))
    slug = door.event.slug
    base = url("checkin.station", slug=slug, station_id=one.id)
    page = StationPage(
        event=header(door),
        name=one.name,
        paper=gettext(PAPERS[one.layout.paper]),
        sample_href=f"{base}/sample",
        back=url(PAGE, slug=slug),
        data={
            "base": base,
            "locale": current_locale(),
            "time_zone": door.event.time_zone,
            "words": {key: gettext(words) for key, words in STATION_WORDS.items()},
            "failures": {code.value: gettext(words) for code, words in PRINT_FAILURES.items()},
            "labels": {"again": gettext("Print again"), "drop": gettext("Not wanted")},
            "queue": _queue_json(await printing.queue_of(event_id=door.event.id, station_id=one.id)),
        },
    )
    return private(await render.page(request, page))


def _station_id(request: Request) -> int:
    return int(request.path_params["station_id"])


def _job_id(request: Request) -> int:
    return int(request.path_params["job_id"])


def _queue_json(now: printing.QueueNow) -> dict[str, Any]:
    return {
        "pause": now.station.pause.value if now.station.pause else "",
        "is_open": now.station.is_open,
        "waiting": now.waiting,
        "next": [_job_json(one) for one in now.next],
        "last": [_job_json(one) for one in now.last],
    }


def _job_json(one: JobLine) -> dict[str, Any]:
    return {
        "id": one.id,
        "passport_id": one.passport_id,
        "name": one.name,
        "badge": badge_words(Badge.of(one.number, one.box)),
        "state": one.state.value,
        "failure": one.failure.value if one.failure else "",
        "tries": one.tries,
        "at": one.ended_at or one.requested_at,
    }


async def queue(request: Request, door: Door) -> Response:
    """What the page shows; it changes nothing."""
    return render.json(
        _queue_json(await printing.queue_of(event_id=door.event.id, station_id=_station_id(request)))
    )


class WindowForm(Form):
    window: UUID


async def take(request: Request, door: Door) -> Response:
    """The next job for this window, or nothing; tells the station that somebody is there."""
    form = read_form(await form_data(request), WindowForm)
    taken = await printing.take(
        event_id=door.event.id, station_id=_station_id(request), window=form.window, at=datetime.now(UTC)
    )
    if taken is None:
        return render.json({"job": None})
    return render.json({"job": {"id": taken.job_id, "passport_id": taken.passport_id, "tries": taken.tries}})


class DoneForm(Form):
    window: UUID
    failure: PrintFailure | None = None


async def done(request: Request, door: Door) -> Response:
    form = read_form(await form_data(request), DoneForm)
    state = await printing.finish(
        actor=door.actor,
        event_id=door.event.id,
        station_id=_station_id(request),
        job_id=_job_id(request),
        window=form.window,
        failure=form.failure,
        at=datetime.now(UTC),
    )
    return render.json({"state": state.value})


class AgainForm(Form):
    request: UUID
    passport: int


async def again(request: Request, door: Door) -> Response:
    """The same badge once more, behind those that wait."""
    form = read_form(await form_data(request), AgainForm)
    wanted = await printing.ask(
        actor=door.actor,
        event_id=door.event.id,
        station_id=_station_id(request),
        passport_id=form.passport,
        request_id=form.request,
        at=datetime.now(UTC),
    )
    return render.json({"job": wanted.job_id, "state": wanted.state.value})


async def drop(request: Request, door: Door) -> Response:
    dropped = await printing.drop(
        event_id=door.event.id, station_id=_station_id(request), job_id=_job_id(request), at=datetime.now(UTC)
    )
    return render.json({"dropped": dropped})


class PauseForm(Form):
    why: Pause | None = None


async def pause(request: Request, door: Door) -> Response:
    """Without ``why`` it goes on."""
    form = read_form(await form_data(request), PauseForm)
    await printing.pause(event_id=door.event.id, station_id=_station_id(request), why=form.why)
    return render.json({"pause": form.why.value if form.why else ""})


# --- a badge on paper --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeShown:
    """What stands on a badge, in the event's first language and English where they are there."""

    name: str
    size: str
    line: str
    ticket_type: str
    role: str
    where: str
    #: The QR code as a picture of paths; empty where the layout has none.
    code: Markup


@dataclass(frozen=True, kw_only=True)
class BadgePage(Context):
    template: ClassVar[str] = "checkin/badge.html"
    paper: str
    wide: bool
    badge: BadgeShown
    when: str
    is_sample: bool = False


async def badge(request: Request, door: Door) -> Response:
    """The badge of the job that this window has in hand, for its hidden frame; of no other."""
    number = whole_id(request.query_params.get("job")) or 0
    try:
        window = UUID(request.query_params.get("window", ""))
    except ValueError:
        raise Invalid({"window": Problem(Code.MALFORMED)}) from None
    station_id = _station_id(request)
    job = await printing.held(event_id=door.event.id, station_id=station_id, job_id=number, window=window)
    station = await printing.get(door.event.id, station_id)
    passport = await passports.by_id(door.event.id, job.passport_id)
    return await _printed(request, door, station.layout, await _shown(door, station.layout, passport))


async def sample(request: Request, door: Door) -> Response:
    """A badge of nobody, to see how the paper lies."""
    station = await printing.get(door.event.id, _station_id(request))
    layout = station.layout
    shown = BadgeShown(
        name=gettext("Sample Name"),
        size=name_size(gettext("Sample Name")),
        line=gettext("Organisation") if layout.shows_line else "",
        ticket_type=gettext("Ticket type") if layout.shows_type else "",
        role=TicketRole.SPEAKER.value,
        where=badge_words(Badge(217, "C")) if layout.shows_number else "",
        code=await _code("sample") if layout.shows_code else Markup(),
    )
    return await _printed(request, door, layout, shown, is_sample=True)


async def _shown(door: Door, layout: Layout, passport: PassportView) -> BadgeShown:
    world = await checkpoints.world(door.event.id)
    words = world.ticket_types.get(passport.ticket_type_id)
    kinds = {one.id: one.role for one in await events.ticket_types(door.event.id)}
    both = dict.fromkeys((words.name.in_("zh-Hans"), words.name.in_("en"))) if words else {}
    return BadgeShown(
        name=passport.badge_name,
        size=name_size(passport.badge_name),
        line=passport.badge_line if layout.shows_line else "",
        ticket_type=" ".join(both) if layout.shows_type else "",
        role=kinds.get(passport.ticket_type_id, TicketRole.ATTENDEE).value,
        where=badge_words(Badge.of(passport.badge_number, passport.badge_box)) if layout.shows_number else "",
        code=await _code(passports.address_of(passport.token)) if layout.shows_code else Markup(),
    )


async def _code(text: str) -> Markup:
    # Drawn by ourselves from modules; nothing of it was typed by anybody.
    return Markup((await cards.svg(text)).decode())  # noqa: S704


async def _printed(
    request: Request, door: Door, layout: Layout, shown: BadgeShown, *, is_sample: bool = False
) -> Response:
    width, height = SIZES[layout.paper]
    page = BadgePage(
        event=header(door),
        paper=layout.paper.value.replace("_", "-"),
        wide=width > height,
        badge=shown,
        when=letter.days(door.event, current_locale()),
        is_sample=is_sample,
    )
    response = private(await render.page(request, page))
    response.headers["content-security-policy"] = FRAMED
    return response


def _station(
    path: str,
    handler: Any,
    name: str,
    methods: Sequence[str] = ("POST",),
    permission: Permission = Permission.WALK_IN,
) -> Entry:
    return route(f"/e/{{slug}}/desk/station/{{station_id:int}}{path}", handler, name, permission, methods)


ROUTES: list[Entry] = [
    route("/e/{slug}/desk/stations", list_page, PAGE, Permission.WALK_IN),
    route(
        "/e/{slug}/desk/stations/new", edit, "checkin.station_new", Permission.CHANGE_EVENT, ("GET", "POST")
    ),
    route(
        "/e/{slug}/desk/stations/{station_id:int}",
        edit,
        "checkin.station_edit",
        Permission.CHANGE_EVENT,
        ("GET", "POST"),
    ),
    _station("", station_page, "checkin.station", ("GET",)),
    _station("/queue", queue, "checkin.station_queue", ("GET",)),
    _station("/take", take, "checkin.station_take"),
    _station("/jobs/{job_id:int}/done", done, "checkin.station_done"),
    _station("/jobs/{job_id:int}/drop", drop, "checkin.station_drop"),
    _station("/again", again, "checkin.station_again"),
    _station("/pause", pause, "checkin.station_pause"),
    _station("/badge", badge, "checkin.station_badge", ("GET",)),
    _station("/sample", sample, "checkin.station_sample", ("GET",)),
]
