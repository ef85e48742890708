"""The scans behind every number of a board: a list with filters in its address, and the same as a file.

Whoever may see the board sees times, checkpoints, verdicts and short codes; names only who may see registrations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from checkin import checkpoints, counting, ledger
from checkin.checkpoints import World
from checkin.ledger import Mark, ScanLine, Wanted
from checkin.rules import OUTCOMES, TONES, Direction, Outcome, VerdictCode
from checkin.words import VERDICTS
from events import access
from events.access import Door, route
from events.desk.shared import DeskPage, attachment, typed_values, whole_id
from events.exporting import Cell, to_csv, to_xlsx
from events.rules import Permission
from kernel.errors import Code, Invalid, Problem
from kernel.text import N_
from people import journal
from people.jobs import in_worker
from web import forms, i18n, render
from web.routing import Entry

PAGE: Final = "checkin.scans"
#: Lines in one file, the newest first; more are had by narrowing.
FILE_LINES: Final = 50_000
_CHUNK: Final = 1_000
MINUTES_MAX: Final = 24 * 60
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: The names of the filters, as they stand in an address.
NAMES: Final = ("day", "time", "minutes", "last", "checkpoint", "place", "kind", "site", "what", "type")

#: Who is counted as arrived, as it stands in an address.
CAME: Final = "came"
_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.ENTRY: N_("Every admission"),
    Outcome.EXIT: N_("Every way out"),
    Outcome.REPEAT: N_("Every repeat"),
    Outcome.REFUSED: N_("Every refusal"),
}


def read(
    door: Door, world: World, values: Mapping[str, str], now: datetime
) -> tuple[Wanted, dict[str, str], dict[str, Problem]]:
    """The filter out of an address or a form, what of it was understood, and what was not, by its name.

    ``day``: a programme day (today); ``time`` and ``minutes``: from there on so long (ten minutes), by the event's
    clock; ``last``: the last so many minutes; ``what``: an outcome, a verdict or CAME; ``kind``: of checkpoint.
    """
    kept = {name: values[name].strip()[:40] for name in NAMES if values.get(name, "").strip()}
    problems: dict[str, Problem] = {}

    def number(name: str) -> int | None:
        found = whole_id(kept.get(name))
        if found is None and name in kept:
            problems[name] = Problem(Code.MALFORMED)
        return found

    day = world.programme_date(now)
    try:
        day = date.fromisoformat(kept["day"]) if "day" in kept else day
        span = counting.day_span(world, day)
    except (ValueError, OverflowError):
        problems["day"] = Problem("not_a_date")
        span = counting.day_span(world, world.programme_date(now))
    since, until = span.starts_at, span.ends_at
    minutes, last = number("minutes"), number("last")
    if "time" in kept:
        try:
            since = _at(world, day, time.fromisoformat(kept["time"]))
            until = since + timedelta(minutes=min(max(minutes or 10, 1), MINUTES_MAX))
        except (ValueError, OverflowError):
            problems["time"] = Problem(Code.MALFORMED)
    elif last:
        whole = now.replace(second=0, microsecond=0)
        since = max(since, whole - timedelta(minutes=min(last, MINUTES_MAX) - 1))
    verdicts: tuple[VerdictCode, ...] = ()
    if "what" in kept and kept["what"] != CAME:
        verdicts = tuple(code for code in VerdictCode if kept["what"] in (code, f"all:{OUTCOMES[code]}"))
        if not verdicts:
            problems["what"] = Problem(Code.NOT_A_CHOICE)
    wanted = Wanted(
        event_id=door.event.id,
        since=since,
        until=until,
        checkpoints=_checkpoints(
            door,
            world,
            kept,
            checkpoint=number("checkpoint"),
            place=number("place"),
            site=number("site"),
        ),
        verdicts=verdicts,
        ticket_type_id=number("type"),
        came=kept.get("what") == CAME,
    )
    return wanted, kept, problems


def _at(world: World, day: date, wall: time) -> datetime:
    """A time on the clock within a programme day, which may run past midnight."""
    early = wall.hour * 60 + wall.minute < world.day_starts_minute
    local = datetime.combine(day + timedelta(days=early), wall.replace(tzinfo=None))
    return local.replace(tzinfo=ZoneInfo(world.time_zone)).astimezone(UTC)


def _checkpoints(
    door: Door,
    world: World,
    kept: Mapping[str, str],
    *,
    checkpoint: int | None,
    place: int | None,
    site: int | None,
) -> frozenset[int] | None:
    """None where nothing narrows: an event's every scan then, those of checkpoints that are gone included."""
    scope, kind = door.site_scope(), kept.get("kind")
    if scope is None and checkpoint is None and place is None and site is None and kind is None:
        return None
    return frozenset(
        view.facts.id
        for view in world.checkpoints.values()
        if (scope is None or view.in_site in scope)
        and checkpoint in (None, view.facts.id)
        and place in (None, view.place_id)
        and site in (None, view.in_site)
        and kind in (None, view.facts.kind)
    )


@dataclass(frozen=True, slots=True)
class Row:
    at: str
    iso: str
    where: str
    way: str
    verdict: str
    #: What stands beside a refusal; empty for nothing.
    beside: str
    tone: str
    type: str
    code: str
    name: str
    href: str


@dataclass(frozen=True, kw_only=True)
class ScansPage(DeskPage):
    template: ClassVar[str] = "checkin/scans.html"
    rows: Sequence[Row]
    scans: int
    people: int
    #: "Sat, 28 Oct 2023, 09:40–09:50"
    span: str
    checkpoint_choices: Sequence[tuple[str, str]]
    what_choices: Sequence[tuple[str, str]]
    type_choices: Sequence[tuple[str, str]]
    #: The filters that the form does not show itself.
    keep: Mapping[str, str]
    kept: Mapping[str, str]
    is_narrowed: bool
    shows_names: bool
    all_href: str
    next_href: str | None
    first_href: str | None
    file_lines: str


async def scans_page(request: Request, door: Door) -> Response:
    world = await checkpoints.world(door.event.id)
    return await _show(request, door, world, request.query_params)


async def _show(
    request: Request, door: Door, world: World, values: Mapping[str, str], status: int = 200
) -> Response:
    wanted, kept, problems = read(door, world, values, datetime.now(UTC))
    before = Mark.read(values.get("before", ""))
    found = await ledger.scans(wanted, before, ledger.PAGE + 1)
    rows, has_more = found[: ledger.PAGE], len(found) > ledger.PAGE
    total = await ledger.count(wanted)
    locale, here = i18n.current_locale(), render.url(PAGE, slug=door.event.slug)
    shows_names = door.may(Permission.SEE_REGISTRATIONS)
    scope = door.site_scope()
    hidden: dict[str, str] = {name: kept[name] for name in ("place", "kind", "site", "last") if name in kept}
    page = ScansPage(
        **access.frame(door, "checkin.board"),
        values=kept | {"day": kept.get("day", world.programme_date(wanted.since).isoformat())},
        problems=problems,
        rows=[_row(one, door, world, locale, shows_names=shows_names) for one in rows],
        scans=total.scans,
        people=total.people,
        span=_span(wanted, world),
        checkpoint_choices=[
            (str(view.facts.id), view.name.in_(locale))
            for view in world.checkpoints.values()
            if scope is None or view.in_site in scope
        ],
        what_choices=[
            (CAME, i18n.gettext(N_("Everybody who came in"))),
            *((f"all:{one}", i18n.gettext(words)) for one, words in _OUTCOMES.items()),
            *((code.value, f"– {i18n.gettext(words)}") for code, words in VERDICTS.items()),
        ],
        type_choices=[
            *((str(number), words.name.in_(locale)) for number, words in world.ticket_types.items()),
            ("0", i18n.gettext(N_("Nobody known"))),
        ],
        keep=hidden,
        kept=kept,
        is_narrowed=bool(kept),
        shows_names=shows_names,
        all_href=here,
        next_href=render.with_query(here, **kept, before=str(Mark(rows[-1].at, rows[-1].id)))
        if has_more
        else None,
        first_href=render.with_query(here, **kept) if before else None,
        file_lines=f"{FILE_LINES:,}" if total.scans > FILE_LINES else "",
    )
    return await render.page(request, page, status)


def _span(wanted: Wanted, world: World) -> str:
    zone = world.time_zone
    begins, ends = render.clock(wanted.since, zone), render.clock(wanted.until, zone)
    return f"{render.day(wanted.since, zone)} {begins}–{ends}"


def _row(one: ScanLine, door: Door, world: World, locale: str, *, shows_names: bool) -> Row:
    view, words = (
        world.checkpoints.get(one.checkpoint_id),
        world.ticket_types.get(one.ticket_type_id or 0),
    )
    way = N_("Out") if one.direction == Direction.EXIT else N_("In")
    return Row(
        at=_seconds(one.at, world.time_zone),
        iso=one.at.isoformat(),
        where=view.name.in_(locale) if view else f"#{one.checkpoint_id}",
        way=i18n.gettext(way),
        verdict=i18n.gettext(VERDICTS[one.verdict]),
        beside=i18n.gettext(VERDICTS[VerdictCode.LET_IN]) if one.was_let_in else "",
        tone=TONES[one.verdict].value,
        type=words.name.in_(locale) if words else "",
        code=one.short_code,
        name=one.badge_name if shows_names else "",
        href=render.url("checkin.staff_passport", slug=door.event.slug, registration_id=one.registration_id)
        if shows_names and one.registration_id
        else "",
    )


def _seconds(at: datetime, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%H:%M:%S")


# --- the file ----------------------------------------------------------------------------------------------------


async def _steps(door: Door, world: World, wanted: Wanted) -> AsyncIterator[list[list[Cell]]]:
    """Rows of the file, a thousand at a time, FILE_LINES at most."""
    before, left, locale = None, FILE_LINES, i18n.current_locale()
    zone, shows_names = ZoneInfo(world.time_zone), door.may(Permission.SEE_REGISTRATIONS)
    while left > 0:
        found = await ledger.scans(wanted, before, min(_CHUNK, left))
        rows: list[list[Cell]] = []
        for one in found:
            row = _row(one, door, world, locale, shows_names=shows_names)
            at = one.at.astimezone(zone).replace(tzinfo=None, microsecond=0)
            verdict = " · ".join(part for part in (row.verdict, row.beside) if part)
            cells: list[Cell] = [at, row.where, row.way, verdict, row.type, row.code]
            rows.append([*cells, *([row.name] if shows_names else []), one.verdict.value])
        yield rows
        left -= len(found)
        if len(found) < _CHUNK:
            return
        before = Mark(found[-1].at, found[-1].id)


async def _csv(titles: Sequence[str], door: Door, world: World, wanted: Wanted) -> AsyncIterator[bytes]:
    header = b"".join(to_csv(titles, []))
    yield header
    async for rows in _steps(door, world, wanted):
        yield b"".join(to_csv(titles, rows))[len(header) :]


async def scans_file(request: Request, door: Door) -> Response:
    """The list as CSV or XLSX; what a spreadsheet would take for a formula is made harmless (events.exporting)."""
    values = typed_values(await forms.form_data(request))
    world = await checkpoints.world(door.event.id)
    at = datetime.now(UTC)
    wanted, kept, problems = read(door, world, values, at)
    kind = values.get("format", "")
    if kind not in ("csv", "xlsx") or problems:
        return await _show(request, door, world, values, Invalid.status)
    await journal.write(
        actor=door.actor,
        verb="scans.export",
        object_kind="event",
        object_id=door.event.id,
        event_id=door.event.id,
        new={"format": kind, **{f"by_{name}": value for name, value in kept.items()}},
        at=at,
    )
    stamp = at.astimezone(ZoneInfo(world.time_zone)).strftime("%Y%m%d-%H%M")
    headers = attachment(f"{door.event.slug}-scans-{stamp}.{kind}")
    words = [N_("When"), N_("Where"), N_("Way"), N_("Verdict"), N_("Ticket type"), N_("Short code")]
    if door.may(Permission.SEE_REGISTRATIONS):
        words.append(N_("Name"))
    titles = [i18n.gettext(one) for one in [*words, N_("Code")]]
    if kind == "csv":
        return StreamingResponse(
            _csv(titles, door, world, wanted), media_type="text/csv; charset=utf-8", headers=headers
        )
    rows = [row async for step in _steps(door, world, wanted) for row in step]
    body = await in_worker(_workbook, titles, rows, i18n.gettext(N_("Scans")))
    return Response(body, media_type=_XLSX, headers=headers)


def _workbook(titles: Sequence[str], rows: Sequence[Sequence[Cell]], title: str) -> bytes:
    return to_xlsx(titles, rows, title=title)


ROUTES: list[Entry] = [
    route("/e/{slug}/live/scans", scans_page, PAGE, Permission.VIEW_BOARD),
    route("/e/{slug}/live/scans/file", scans_file, "checkin.scans_file", Permission.VIEW_BOARD, ("POST",)),
]
