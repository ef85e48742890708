"""Registrations in numbers, as charts, tables and a file. Nobody is named here, so nothing of it is journalled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from events import access, queries, statistics
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, attachment
from events.exporting import Cell, to_csv, to_xlsx
from events.queries import SiteFacts
from events.rules import Permission, RegistrationSource, TicketRole
from events.statistics import Group, Statistics
from events.statistics_rules import ASSUMED, DAYS_MAX, Basis, Expectation, marks
from kernel.errors import NotFound
from kernel.text import N_
from people.jobs import in_worker
from web import i18n, render
from web.routing import Entry

PAGE: Final = "events.desk.statistics"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

SOURCES: Final[Mapping[str, str]] = {
    RegistrationSource.FORM: N_("Public form"),
    RegistrationSource.GROUP: N_("Registered by somebody for a group"),
    RegistrationSource.PARTNER: N_("A partner's link"),
    RegistrationSource.WALK_IN: N_("Walk-in at the door"),
    RegistrationSource.IMPORT: N_("Imported list"),
    RegistrationSource.ORGANISER: N_("Added by the team"),
    RegistrationSource.DEMO: N_("Sample data"),
}
TICKET_ROLES: Final[Mapping[TicketRole, str]] = {
    TicketRole.ATTENDEE: N_("Attendee"),
    TicketRole.STUDENT: N_("Student"),
    TicketRole.SPEAKER: N_("Speaker"),
    TicketRole.GUEST: N_("Guest"),
    TicketRole.SPONSOR: N_("Sponsor"),
    TicketRole.MEDIA: N_("Media"),
    TicketRole.VOLUNTEER: N_("Volunteer"),
    TicketRole.STAFF: N_("Staff"),
}
LANGUAGES: Final[Mapping[str, str]] = {"zh-Hans": "简体中文", "en": "English"}

#: What an expectation leans on, in words.
BASES: Final[Mapping[Basis, str]] = {
    Basis.SERIES_TYPE: N_("this ticket type at earlier events of the series"),
    Basis.SERIES_ROLE: N_("tickets of this role at earlier events of the series"),
    Basis.HOUSE_ROLE: N_("tickets of this role at other events here"),
    Basis.ASSUMED: N_("assumed: nothing was counted yet"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the picture that needs no script, in the units of its box (one day wide, 100 high)."""

    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart: what uPlot draws, and what the server drew. ``key`` names it in the page's data."""

    key: str
    width: int
    top: int
    bars: Sequence[Bar] = ()
    #: (class, points of a polyline)
    lines: Sequence[tuple[str, str]] = ()
    first: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class TypeLine:
    name: str
    holding: int
    quota: int | None
    confirmed: int
    arrived: int
    share: int
    stays_away: str
    why: str


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A list of bars: label, count, the longest, words."""

    title: str
    lines: Sequence[tuple[str, int, int, str]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class StatisticsPage(DeskPage):
    template: ClassVar[str] = "events/desk/statistics.html"
    stats: Statistics
    days: Sequence[tuple[str, int, int]]
    latest: int
    per_day: Picture | None
    total: Picture | None
    compared: Picture | None
    previous_name: str
    comparison: Sequence[tuple[str, int | None, int | None]]
    types: Sequence[TypeLine]
    coming: str
    breakdowns: Sequence[Breakdown]
    sites: Sequence[tuple[str, str, int | None, bool]]
    is_cut: bool
    days_max: int
    assumed: tuple[int, int]
    csv_href: str
    xlsx_href: str
    has_tickets: bool
    data: Mapping[str, Any]


async def read(request: Request, door: Door) -> tuple[Statistics, Sequence[SiteFacts], int | None]:
    """The numbers that one may see; ``?site=`` narrows them to one site. Raises NotFound for somebody else's."""
    scope = door.site_scope()
    own = [one for one in await queries.sites(door.event.id) if scope is None or one.id in scope]
    wanted = shared.whole_id(request.query_params.get("site"))
    if wanted is not None:
        if wanted not in {one.id for one in own}:
            raise NotFound()
        scope = frozenset({wanted})
    found = await statistics.read(
        door.event, at=shared.now(), site_ids=scope, with_personal=door.may(Permission.SEE_PERSONAL)
    )
    return found, own, wanted


async def _page(request: Request, door: Door) -> Response:
    stats, sites, wanted = await read(request, door)
    slug, locale = door.event.slug, i18n.current_locale()
    here = render.url(PAGE, slug=slug)
    per_day, total, compared = _pictures(stats)
    previous = stats.previous
    page = StatisticsPage(
        **access.frame(door, PAGE),
        stats=stats,
        days=[(render.day(day.on), day.new, day.total) for day in reversed(stats.days)],
        latest=sum(day.new for day in stats.days[-7:]),
        per_day=per_day,
        total=total,
        compared=compared,
        previous_name=previous.event.name.in_(locale) if previous else "",
        comparison=[(_before(row.days_before), row.own, row.other) for row in previous.countdown]
        if previous
        else [],
        types=[
            TypeLine(
                name=one.facts.name.in_(locale),
                holding=one.holding,
                quota=one.facts.quota,
                confirmed=one.confirmed,
                arrived=one.arrived,
                share=round(100 * one.arrived / one.confirmed) if one.confirmed else 0,
                stays_away=_range(one.expectation),
                why=_why(one.expectation),
            )
            for one in stats.types
        ],
        coming=_coming(stats),
        breakdowns=_breakdowns(stats),
        sites=[
            (i18n.gettext("All sites"), here, None, wanted is None),
            *(
                (one.name.in_(locale), render.with_query(here, site=one.id), None, one.id == wanted)
                for one in sites
            ),
        ]
        if sites
        else [],
        is_cut=len(stats.days) == DAYS_MAX,
        days_max=DAYS_MAX,
        assumed=ASSUMED,
        csv_href=render.with_query(render.url(FILE, slug=slug, kind="csv"), site=wanted),
        xlsx_href=render.with_query(render.url(FILE, slug=slug, kind="xlsx"), site=wanted),
        has_tickets=bool(stats.types),
        data=_data(stats, per_day, total, compared),
    )
    response = await render.page(request, page)
    response.headers["cache-control"] = "no-store"
    return response


def _before(days: int) -> str:
    if days == 0:
        return i18n.gettext("first day")
    if days < 0:
        return i18n.ngettext("%(num)s day after", "%(num)s days after", -days) % {"num": -days}
    return i18n.ngettext("%(num)s day before", "%(num)s days before", days) % {"num": days}


def _range(expectation: Expectation | None) -> str:
    if expectation is None:
        return ""
    return i18n.gettext("%(low)s to %(high)s") % {"low": expectation.low, "high": expectation.high}


def _why(expectation: Expectation | None) -> str:
    if expectation is None:
        return ""
    share = i18n.gettext("%(low)s to %(high)s %%") % {
        "low": expectation.low_percent,
        "high": expectation.high_percent,
    }
    return f"{share} · {i18n.gettext(BASES[expectation.basis])}"


def _coming(stats: Statistics) -> str:
    """How many will probably stand at the door; nothing where nobody is confirmed for a place on site."""
    expected = [one.expectation for one in stats.types if one.expectation is not None]
    if not expected:
        return ""
    confirmed = sum(one.confirmed for one in expected)
    low = confirmed - sum(one.high for one in expected)
    high = confirmed - sum(one.low for one in expected)
    return i18n.gettext("%(low)s to %(high)s") % {"low": low, "high": high}


# --- charts ------------------------------------------------------------------------------------------------------


def _pictures(stats: Statistics) -> tuple[Picture | None, Picture | None, Picture | None]:
    days = stats.days
    if not days:
        return None, None, None
    first, last = render.day(days[0].on), render.day(days[-1].on)
    top = marks(max(day.new for day in days))[-1]
    per_day = Picture(
        "per_day",
        len(days),
        top,
        bars=[
            Bar(number, 100 - 100 * day.new / top, 100 * day.new / top)
            for number, day in enumerate(days)
            if day.new
        ],
        first=first,
        last=last,
    )
    top = marks(max(days[-1].total, stats.quota or 0))[-1]
    lines = [("own", _points([day.total for day in days], top))]
    if stats.quota is not None:
        lines.append(("limit", _points([stats.quota] * max(len(days), 2), top)))
    total = Picture("total", max(len(days) - 1, 1), top, lines=lines, first=first, last=last)
    if stats.previous is None:
        return per_day, total, None
    rows = stats.previous.countdown
    top = marks(max(max(row.own or 0, row.other or 0) for row in rows))[-1]
    compared = Picture(
        "compared",
        max(len(rows) - 1, 1),
        top,
        lines=[
            ("other", _points([row.other for row in rows], top)),
            ("own", _points([row.own for row in rows], top)),
        ],
        first=_before(rows[0].days_before),
        last=_before(rows[-1].days_before),
    )
    return per_day, total, compared


def _points(values: Sequence[int | None], top: int) -> str:
    return " ".join(
        f"{number},{100 - 100 * value / top:.2f}" for number, value in enumerate(values) if value is not None
    )


def _seconds(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86400


def _data(
    stats: Statistics, per_day: Picture | None, total: Picture | None, compared: Picture | None
) -> Mapping[str, Any]:
    """What statistics.js draws and says; the words travel with it, in the reader's language."""
    charts: dict[str, Any] = {}
    x = [_seconds(day.on) for day in stats.days]
    if per_day:
        charts[per_day.key] = {
            "time": True,
            "x": x,
            "marks": marks(max(day.new for day in stats.days)),
            "series": [
                {"kind": "bars", "label": i18n.gettext("New"), "values": [day.new for day in stats.days]}
            ],
        }
    if total:
        series: list[dict[str, Any]] = [
            {
                "kind": "own",
                "label": i18n.gettext("Holding a place"),
                "values": [day.total for day in stats.days],
            }
        ]
        if stats.quota is not None:
            series.append({"kind": "limit", "label": i18n.gettext("Quota"), "values": [stats.quota] * len(x)})
        charts[total.key] = {
            "time": True,
            "x": x,
            "marks": marks(max(stats.days[-1].total, stats.quota or 0)),
            "series": series,
        }
    if compared and stats.previous:
        rows = stats.previous.countdown
        charts[compared.key] = {
            "time": False,
            "x": [-row.days_before for row in rows],
            "marks": marks(max(max(row.own or 0, row.other or 0) for row in rows)),
            "series": [
                {
                    "kind": "other",
                    "label": stats.previous.event.name.in_(i18n.current_locale()),
                    "values": [row.other for row in rows],
                },
                {
                    "kind": "own",
                    "label": i18n.gettext("This event"),
                    "values": [row.own for row in rows],
                },
            ],
        }
    return {
        "locale": i18n.current_locale(),
        "charts": charts,
        "words": {
            "before": i18n.gettext("{n} days before"),
            "after": i18n.gettext("{n} days after"),
            "first": i18n.gettext("first day"),
        },
    }


# --- by everything -----------------------------------------------------------------------------------------------


def _bars(counts: Iterable[tuple[str, int]], of: int) -> list[tuple[str, int, int, str]]:
    rows = list(counts)
    most = max((count for _, count in rows), default=1)
    return [
        (name, count, most, f"{count} · {round(100 * count / of) if of else 0} %") for name, count in rows
    ]


def _said(groups: Sequence[Group]) -> list[tuple[str, int]]:
    return [(one.code, one.count) for one in groups]


def _rest(count: int) -> str:
    if not count:
        return ""
    return i18n.ngettext(
        "%(num)s more person in groups that are smaller.",
        "%(num)s more people in groups that are smaller.",
        count,
    ) % {"num": count}


def _breakdowns(stats: Statistics) -> list[Breakdown]:
    locale, holding = i18n.current_locale(), stats.holding
    every = sum(stats.by_state.values())
    groups: list[tuple[str, list[tuple[str, int]], int, str]] = [
        (
            i18n.gettext("Ticket type"),
            [(one.facts.name.in_(locale), one.holding) for one in stats.types],
            holding,
            "",
        ),
        (
            i18n.gettext("State"),
            [(render.words_for(state), count) for state, count in stats.by_state.items()],
            every,
            i18n.gettext("Of all registrations; everything else is of those that hold a place."),
        ),
        (
            i18n.gettext("Came by"),
            [(i18n.gettext(SOURCES.get(one.code, one.code)), one.count) for one in stats.sources],
            holding,
            "",
        ),
        (
            i18n.gettext("Tickets from"),
            _said(stats.ticket_sources),
            holding,
            _rest(stats.ticket_sources_rest),
        ),
        (
            i18n.gettext("Comes as"),
            [(i18n.gettext(TICKET_ROLES[role]), count) for role, count in stats.roles],
            holding,
            "",
        ),
        (
            i18n.gettext("Site"),
            [(name.in_(locale) or i18n.gettext("No site"), count) for name, count in stats.sites],
            holding,
            "",
        ),
        (
            i18n.gettext("Language"),
            [(LANGUAGES.get(one.code, one.code), one.count) for one in stats.languages],
            holding,
            "",
        ),
        (
            i18n.gettext("Organisation"),
            _said(stats.organisations),
            holding,
            _rest(stats.organisations_rest),
        ),
        *(
            (
                question.label.in_(locale),
                [(label.in_(locale), count) for label, count in question.answers],
                question.answered,
                i18n.ngettext("%(num)s answer", "%(num)s answers", question.answered)
                % {"num": question.answered},
            )
            for question in stats.questions
        ),
    ]
    return [
        Breakdown(title, _bars(rows, of), note) for title, rows, of, note in groups if any(n for _, n in rows)
    ]


# --- the file ----------------------------------------------------------------------------------------------------

FILE: Final = "events.desk.statistics_file"


def _rows(stats: Statistics) -> list[list[Cell]]:
    """One line a number: what is counted, of what, how many. A pivot table makes any view of it."""
    gettext = i18n.gettext
    found: list[list[Cell]] = [[gettext("New per day"), day.on.isoformat(), day.new] for day in stats.days]
    found.extend([gettext("Holding a place, so far"), day.on.isoformat(), day.total] for day in stats.days)
    locale = i18n.current_locale()
    for one in stats.types:
        name = one.facts.name.in_(locale)
        found.append([gettext("Confirmed"), name, one.confirmed])
        if stats.has_arrivals:
            found.append([gettext("Arrived"), name, one.arrived])
        if one.expectation:
            found.append([gettext("Expected to stay away, at least"), name, one.expectation.low])
            found.append([gettext("Expected to stay away, at most"), name, one.expectation.high])
    for part in _breakdowns(stats):
        found.extend([part.title, label, count] for label, count, _most, _words in part.lines)
    if stats.previous:
        previous = stats.previous.event.name.in_(locale)
        for row in stats.previous.countdown:
            before = _before(row.days_before)
            if row.own is not None:
                found.append([gettext("This event"), before, row.own])
            found.append([previous, before, row.other])
    return found


async def _file(request: Request, door: Door) -> Response:
    kind = request.path_params["kind"]
    if kind not in ("csv", "xlsx"):
        raise NotFound()
    stats, _sites, _wanted = await read(request, door)
    titles = [i18n.gettext("What"), i18n.gettext("Of"), i18n.gettext("Number")]
    rows = _rows(stats)
    day = shared.now().astimezone(ZoneInfo(door.event.time_zone)).strftime("%Y%m%d-%H%M")
    headers = attachment(f"{door.event.slug}-statistics-{day}.{kind}")
    if kind == "csv":
        return Response(b"".join(to_csv(titles, rows)), media_type="text/csv; charset=utf-8", headers=headers)
    return Response(await in_worker(to_xlsx, titles, rows), media_type=_XLSX, headers=headers)


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/statistics", _page, PAGE, Permission.SEE_STATISTICS),
    access.route("/e/{slug}/desk/statistics/{kind}", _file, FILE, Permission.SEE_STATISTICS),
]
