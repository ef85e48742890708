"""The desk's page of badges: how many lie in which box, who still waits, numbers by rule, from a list and by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from checkin import badges, passports, staff_card
from checkin.badge_rules import (
    NUMBER_MAX,
    PER_BOX_MAX,
    BadgeCode,
    Boxes,
    Order,
    Plan,
    WrongLine,
    read_list,
)
from checkin.badges import LINES_MAX, BadgeLine, BoxCount
from checkin.shown import private
from checkin.words import BOXES, LINE_PROBLEMS, ORDERS
from events import queries as events
from events.access import Door, frame, route
from events.desk.shared import attachment, typed_values, whole_page
from events.exporting import Cell, to_csv, to_xlsx
from events.rules import Permission
from events.sheets import SheetProblem, read_table
from kernel.errors import Code, Invalid, Problem
from kernel.text import N_
from people import journal
from people.jobs import in_worker
from web import i18n, render
from web.forms import form_data, typed
from web.i18n import gettext, ngettext
from web.render import FormContext
from web.routing import Entry

PAGE: Final = "checkin.badges"
PAGE_SIZE: Final = 100
#: Bad lines of a list that are shown; the first ones tell what is wrong with the others.
WRONG_SHOWN: Final = 50
#: A list of ten thousand lines.
LIST_MAX: Final = 2 * 1024 * 1024
FILE_LINES: Final = 20_000
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_SHOW_WORDS: Final = {
    "": N_("Everybody"),
    "waiting": N_("Not handed over yet"),
    "out": N_("Handed over"),
    "unprinted": N_("Not printed"),
    "no_number": N_("Without a number"),
}


@dataclass(frozen=True, slots=True)
class BoxLine:
    name: str
    numbers: str
    badges: int
    printed: int
    handed_over: int
    href: str


@dataclass(frozen=True, slots=True)
class Row:
    href: str
    name: str
    about: str
    where: str
    #: What was done, in words.
    done: str
    is_out: bool


@dataclass(frozen=True, kw_only=True)
class BadgesPage(FormContext):
    template: ClassVar[str] = "checkin/desk/badges.html"
    boxes: Sequence[BoxLine]
    total: int
    handed_over: int
    without: int
    rows: Sequence[Row]
    found: int
    #: (words, href, count, current)
    shows: Sequence[tuple[str, str, int | None, bool]]
    keep: Mapping[str, str]
    text: str
    first: int
    prev_href: str | None
    next_href: str | None
    may_change: bool
    orders: Sequence[tuple[str, str]]
    box_names: Sequence[tuple[str, str]]
    ticket_types: Sequence[tuple[str, str]]
    chosen_types: Sequence[str]
    stations_href: str
    done: str = ""
    wrong: Sequence[tuple[int, str]] = ()
    wrong_more: int = 0


async def show(
    request: Request,
    door: Door,
    *,
    values: Mapping[str, str] | None = None,
    chosen: Sequence[str] = (),
    problems: Mapping[str, Problem] | None = None,
    wrong: Sequence[WrongLine] = (),
) -> Response:
    given, locale = request.query_params, i18n.current_locale()
    wanted = given.get("show", "") if given.get("show", "") in badges.SHOWS else ""
    box = given.get("box")
    text, page_no = given.get("q", "").strip()[:60], whole_page(given.get("page"))
    after = (page_no - 1) * PAGE_SIZE
    counted = await badges.boxes(door.event.id)
    found, total = await badges.listed(
        door.event.id, show=wanted, box=box, text=text, after=after, limit=PAGE_SIZE
    )
    types = {one.id: one.name.in_(locale) for one in await events.ticket_types(door.event.id)}
    path = render.url(PAGE, slug=door.event.slug)
    kept = {"show": wanted, "q": text} | ({"box": box} if box is not None else {})

    def at(number: int) -> str:
        return render.with_query(path, **kept, page=str(number))

    page = BadgesPage(
        **frame(door, PAGE),
        boxes=[_box(one, path) for one in counted],
        total=sum(one.badges for one in counted),
        handed_over=sum(one.handed_over for one in counted),
        without=(await badges.listed(door.event.id, show=badges.Show.NO_NUMBER, limit=1))[1],
        rows=[_row(one, door, types) for one in found],
        found=total,
        shows=[
            (gettext(words), render.with_query(path, **(kept | {"show": one})), None, one == wanted)
            for one, words in _SHOW_WORDS.items()
        ],
        keep={name: value for name, value in kept.items() if name != "q" and value},
        text=text,
        first=after + 1 if found else 0,
        prev_href=at(page_no - 1) if page_no > 1 else None,
        next_href=at(page_no + 1) if after + len(found) < total else None,
        may_change=door.may(Permission.CHANGE_REGISTRATIONS),
        orders=[(one.value, gettext(words)) for one, words in ORDERS.items()],
        box_names=[(one.value, gettext(words)) for one, words in BOXES.items()],
        ticket_types=[(str(number), name) for number, name in types.items()],
        chosen_types=chosen,
        stations_href=render.url("checkin.stations", slug=door.event.slug),
        done=_done(given.get("done", "")),
        wrong=[
            (one.line, gettext(LINE_PROBLEMS[one.why]) % {"said": one.said[:40]})
            for one in wrong[:WRONG_SHOWN]
        ],
        wrong_more=max(0, len(wrong) - WRONG_SHOWN),
        values=values or {"start": "1"},
        problems=problems or {},
    )
    return private(await render.page(request, page, Invalid.status if problems or wrong else 200))


def _done(said: str) -> str:
    what, _, number = said.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 9):
        return ""
    if what == "assigned":
        return ngettext("%(num)d badge got its number.", "%(num)d badges got their numbers.", int(number)) % {
            "num": int(number)
        }
    return (
        ngettext("%(num)d badge was changed.", "%(num)d badges were changed.", int(number))
        % {"num": int(number)}
        if what == "list"
        else ""
    )


def _box(one: BoxCount, path: str) -> BoxLine:
    numbers = (
        "" if one.first is None else str(one.first) if one.first == one.last else f"{one.first}–{one.last}"
    )
    return BoxLine(
        one.box, numbers, one.badges, one.printed, one.handed_over, f"{path}?{urlencode({'box': one.box})}"
    )


def _row(one: BadgeLine, door: Door, types: Mapping[int, str]) -> Row:
    zone, facts, done = door.event.time_zone, one.facts, []
    if facts.handed_over_at:
        done.append(gettext("Handed over %(when)s") % {"when": render.moment(facts.handed_over_at, zone)})
    if facts.printed_at:
        done.append(gettext("Printed %(when)s") % {"when": render.moment(facts.printed_at, zone)})
    if facts.reprints:
        done.append(
            ngettext("Printed again %(num)d time", "Printed again %(num)d times", facts.reprints)
            % {"num": facts.reprints}
        )
    return Row(
        href=render.url("checkin.staff_passport", slug=door.event.slug, registration_id=one.registration_id),
        name=one.name,
        about=" · ".join(part for part in (one.line, types.get(one.ticket_type_id, "")) if part),
        where=staff_card.badge_words(facts.badge),
        done=" · ".join(done),
        is_out=facts.is_out,
    )


async def page(request: Request, door: Door) -> Response:
    """``?show=`` waiting, out, unprinted or no_number, ``?box=`` one box, ``?q=`` a part of a name."""
    return await show(request, door)


# --- numbers -----------------------------------------------------------------------------------------------------


def _whole(values: Mapping[str, str], name: str, most: int, problems: dict[str, Problem]) -> int | None:
    said = values.get(name, "").strip()
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and len(said) <= 9):
        problems[name] = Problem(Code.NOT_A_NUMBER)
        return None
    if not 1 <= int(said) <= most:
        problems[name] = Problem(Code.OUT_OF_RANGE)
        return None
    return int(said)


async def assign(request: Request, door: Door) -> Response:
    """Numbers for everybody without one; whoever has one keeps it, so that twice is once."""
    data: Any = await form_data(request)
    values, chosen = typed(data), [str(one) for one in data.getlist("ticket_types[]")]
    problems: dict[str, Problem] = {}
    start = _whole(values, "start", NUMBER_MAX, problems)
    per_box = _whole(values, "per_box", PER_BOX_MAX, problems)
    if start is None and "start" not in problems:
        problems["start"] = Problem(Code.REQUIRED)
    try:
        plan = Plan(Order(values.get("order", "")), start or 1, Boxes(values.get("boxes", "")), per_box)
    except ValueError:
        raise Invalid({"order": Problem(Code.NOT_A_CHOICE)}) from None
    if problems:
        return await show(request, door, values=values, chosen=chosen, problems=problems)
    done = await badges.assign(
        actor=door.actor,
        event_id=door.event.id,
        plan=plan,
        ticket_types=[int(one) for one in chosen if one.isdigit() and len(one) < 19],
        at=datetime.now(UTC),
    )
    return render.see_other(
        render.with_query(render.url(PAGE, slug=door.event.slug), done=f"assigned-{done}")
    )


async def take_list(request: Request, door: Door) -> Response:
    """Numbers and boxes out of a CSV or XLSX: all lines, or none and what is wrong with which."""
    data = await form_data(request, max_files=1)
    file = data.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            return await show(request, door, problems={"file": Problem(Code.REQUIRED)})
        name, content = file.filename, await file.read()
    finally:
        await data.close()
    try:
        table = await asyncio.to_thread(read_table, name, content)
    except SheetProblem as problem:
        return await show(request, door, problems={"file": Problem(problem.code, problem.params)})
    if len(table.rows) > LINES_MAX:
        return await show(request, door, problems={"file": Problem(Code.TOO_LONG, {"limit": LINES_MAX})})
    found = read_list(table.rows)
    if isinstance(found, BadgeCode):
        return await show(request, door, problems={"file": Problem(found)})
    wishes, wrong = found
    done: int | list[WrongLine] = wrong or await badges.put_list(
        actor=door.actor, event_id=door.event.id, wishes=wishes, at=datetime.now(UTC)
    )
    if isinstance(done, list):
        return await show(request, door, wrong=done)
    return render.see_other(render.with_query(render.url(PAGE, slug=door.event.slug), done=f"list-{done}"))


async def put(request: Request, door: Door) -> Response:
    """One badge's number and box by hand, on its holder's card."""
    passport = await passports.by_id(door.event.id, int(request.path_params["passport_id"]))
    values = typed(await form_data(request))
    problems: dict[str, Problem] = {}
    number = _whole(values, "number", NUMBER_MAX, problems)
    if not problems:
        try:
            await badges.put(
                actor=door.actor,
                event_id=door.event.id,
                passport_id=passport.id,
                number=number,
                box=values.get("box", ""),
                at=datetime.now(UTC),
            )
        except Invalid as error:
            problems = dict(error.fields)
    if problems:
        return await staff_card.show(
            request, door, passport, code=passport.short_code, values=values, problems=problems
        )
    path = render.url("checkin.person", slug=door.event.slug, passport_id=passport.id)
    return render.see_other(render.with_query(path, done="badge_put"))


# --- the file ----------------------------------------------------------------------------------------------------


async def badges_file(request: Request, door: Door) -> Response:
    """All badges as CSV or XLSX, by number; its columns are read back by the import."""
    kind = typed_values(await form_data(request)).get("format", "")
    if kind not in ("csv", "xlsx"):
        raise Invalid({"format": Problem(Code.NOT_A_CHOICE)})
    at, zone = datetime.now(UTC), ZoneInfo(door.event.time_zone)
    found, _ = await badges.listed(door.event.id, limit=FILE_LINES)
    types = {one.id: one.name.in_(i18n.current_locale()) for one in await events.ticket_types(door.event.id)}
    titles = [
        gettext(words)
        for words in (
            N_("Short code"),
            N_("Badge number"),
            N_("Badge box"),
            N_("Full name"),
            N_("Organisation"),
            N_("Ticket type"),
            N_("Printed"),
            N_("Times printed"),
            N_("Handed over"),
        )
    ]

    def wall(when: datetime | None) -> datetime | None:
        return when.astimezone(zone).replace(tzinfo=None, microsecond=0) if when else None

    rows: list[list[Cell]] = [
        [
            one.short_code,
            one.facts.badge.number if one.facts.badge else None,
            one.facts.badge.box if one.facts.badge else "",
            one.name,
            one.line,
            types.get(one.ticket_type_id, ""),
            wall(one.facts.printed_at),
            one.facts.prints,
            wall(one.facts.handed_over_at),
        ]
        for one in found
    ]
    await journal.write(
        actor=door.actor,
        verb="badges.export",
        object_kind="event",
        object_id=door.event.id,
        event_id=door.event.id,
        new={"format": kind, "badges": len(rows)},
        at=at,
    )
    stamp = at.astimezone(zone).strftime("%Y%m%d-%H%M")
    headers = attachment(f"{door.event.slug}-badges-{stamp}.{kind}")
    if kind == "csv":
        return Response(b"".join(to_csv(titles, rows)), media_type="text/csv; charset=utf-8", headers=headers)
    body = await in_worker(_workbook, titles, rows, gettext(N_("Badges")))
    return Response(body, media_type=_XLSX, headers=headers)


def _workbook(titles: Sequence[str], rows: Sequence[Sequence[Cell]], title: str) -> bytes:
    return to_xlsx(titles, rows, title=title)


_CHANGE: Final = Permission.CHANGE_REGISTRATIONS
ROUTES: list[Entry] = [
    route("/e/{slug}/desk/badges", page, PAGE, Permission.SEE_REGISTRATIONS),
    route("/e/{slug}/desk/badges/assign", assign, "checkin.badges_assign", _CHANGE, ("POST",)),
    route(
        "/e/{slug}/desk/badges/list", take_list, "checkin.badges_list", _CHANGE, ("POST",), body_max=LIST_MAX
    ),
    route(
        "/e/{slug}/desk/badges/file",
        badges_file,
        "checkin.badges_file",
        Permission.SEE_REGISTRATIONS,
        ("POST",),
    ),
    route("/e/{slug}/people/{passport_id:int}/badge/number", put, "checkin.badge_put", _CHANGE, ("POST",)),
]
