"""The list on paper for the worst case, and entering its ticks afterwards as ordinary scans.

The names stand in the order of pinyin, on paper and where the ticks are entered. A tick entered later carries its
age, as a scan that a phone kept does; each form holds one id, and every person's scan id follows from it, so that
the same form sent twice is the same scans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from checkin import checkpoints, passports, queries, scanning
from checkin.checkpoints import CheckpointView
from checkin.list_rules import CODES_MAX, by_letter, codes_of, shares, span_of, ticked_at
from checkin.person_pages import PersonLine, admission_id, chosen, is_in, own_checkpoints, said_of
from checkin.queries import Member
from checkin.rules import CheckinCode, CheckpointKind, PassportStatus, period_of
from checkin.scanning import ScanEntry
from checkin.shown import private
from checkin.staff_card import badge_words
from events import queries as events
from events.access import Door, frame, route
from events.desk.shared import site_names, whole_id
from events.pinyin_rules import letter_of
from events.rules import Permission
from kernel.errors import Code, Invalid, Problem, Refusal
from web import i18n, render
from web.forms import form_data, typed
from web.render import FormContext
from web.routing import Entry

PAGE: Final = "checkin.sign_in_list"
ENTER: Final = "checkin.sign_in_list.enter"
#: Names printed in one go, and shown with a box to tick; more are asked for by letter.
PRINTED_AT_MOST: Final = 2_000
TICKED_AT_MOST: Final = 300
#: People of one desk's share of the list: some ten pages.
SHARE: Final = 250


@dataclass(frozen=True, slots=True)
class SheetLine:
    name: str
    organisation: str
    ticket_type: str
    short_code: str
    badge: str


@dataclass(frozen=True, kw_only=True)
class SheetPage(FormContext):
    template: ClassVar[str] = "checkin/desk/sign_in_list.html"
    chapters: Sequence[tuple[str, Sequence[SheetLine]]]
    total: int
    is_cut: bool
    ticket_types: Sequence[tuple[str, str]]
    sites: Sequence[tuple[str, str]]
    #: (words, href, count, current): the list split for several desks
    letters: Sequence[tuple[str, str, int, bool]]
    span: str
    only_missing: bool
    has_badges: bool
    printed_at: str
    enter_href: str


async def _listed(door: Door, view: CheckpointView | None, at: datetime) -> list[Member]:
    world = await checkpoints.world(door.event.id)
    period = period_of(view.facts, at=at, programme_date=world.programme_date(at)) if view else ""
    return await queries.members(
        event_id=door.event.id,
        registration_ids=None,
        list_id=view.facts.list_id if view else 0,
        period=period,
    )


def _first_gate(world: checkpoints.World) -> CheckpointView | None:
    return next((one for one in world.checkpoints.values() if one.facts.kind is CheckpointKind.GATE), None)


async def sheet(request: Request, door: Door) -> Response:
    """``?type=`` a ticket type, ``?site=`` one site, ``?show=missing`` only who has not come, ``?letters=A-F``."""
    locale, at = i18n.current_locale(), datetime.now(UTC)
    world = await checkpoints.world(door.event.id)
    types = await events.ticket_types(door.event.id)
    names = await site_names(door)
    given = request.query_params
    type_id, site_id = whole_id(given.get("type")), whole_id(given.get("site"))
    only_missing = given.get("show") == "missing"
    allowed = {
        one.id
        for one in types
        if (type_id is None or one.id == type_id) and (site_id not in names or one.site_id == site_id)
    }
    everybody = [
        one
        for one in await _listed(door, _first_gate(world), at)
        if one.ticket_type_id in allowed
        and one.status is PassportStatus.VALID
        and not (only_missing and one.here_since)
    ]
    text = given.get("letters", "")[:8]
    span = span_of(text)
    people = [one for one in everybody if letter_of(one.sort_key) in span]
    words = {one.id: one.name.in_(locale) for one in types}
    kept = {"type": given.get("type", ""), "site": given.get("site", ""), "show": given.get("show", "")}
    path = render.url(PAGE, slug=door.event.slug)
    counts = Counter(letter_of(one.sort_key) for one in everybody)
    page = SheetPage(
        **frame(door, PAGE),
        chapters=[
            (letter, [_sheet_line(one, words) for one in some])
            for letter, some in by_letter(people[:PRINTED_AT_MOST])
        ],
        total=len(people),
        is_cut=len(people) > PRINTED_AT_MOST,
        ticket_types=[(str(number), name) for number, name in words.items()],
        sites=[(str(number), name) for number, name in names.items()],
        letters=_letter_chips(path, kept, counts, text),
        span=text,
        only_missing=only_missing,
        has_badges=any(one.badge for one in people),
        printed_at=render.moment(at, door.event.time_zone),
        enter_href=render.url(ENTER, slug=door.event.slug) if door.may(Permission.SCAN) else "",
        values=kept,
    )
    return private(await render.page(request, page))


def _sheet_line(one: Member, words: Mapping[int, str]) -> SheetLine:
    return SheetLine(
        one.name,
        one.line,
        words.get(one.ticket_type_id, ""),
        passports.spoken(one.short_code),
        badge_words(one.badge),
    )


def _letter_chips(
    path: str, kept: Mapping[str, str], counts: Mapping[str, int], text: str
) -> list[tuple[str, str, int, bool]]:
    """The whole list, and the shares of several desks where it is longer than one's."""
    total = sum(counts.values())
    parts = shares(counts, most=SHARE)
    if len(parts) < 2:
        return []
    known = {span for span, _ in parts}
    return [
        (i18n.gettext("Everybody"), render.with_query(path, **kept), total, text not in known),
        *(
            (_span_words(span), render.with_query(path, **kept, letters=span), count, span == text)
            for span, count in parts
        ),
    ]


def _span_words(span: str) -> str:
    others = i18n.gettext("Other letters")
    return others if span == "*" else span.replace("-*", f" – {others}").replace("-", " – ")


# --- entering the ticks ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A code that was typed, and its verdict."""

    code: str
    name: str
    said: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class EnterPage(FormContext):
    template: ClassVar[str] = "checkin/desk/sign_in_ticks.html"
    people: Sequence[PersonLine]
    codes: Sequence[CodeLine]
    places: Sequence[tuple[str, str]]
    letters: Sequence[tuple[str, str, int, bool]]
    checkpoint_id: int
    form_id: str
    action: str
    is_cut: bool
    zone: str
    #: How many of what was sent were let in, and how many were sent; None before anything was.
    admitted: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was typed and ticked, read."""

    form_id: UUID
    age_ms: int | None
    codes: Sequence[str]
    ticked: frozenset[int]


async def enter(request: Request, door: Door) -> Response:
    """Ticks of the paper list as scans of earlier: names ticked in its order, codes typed or scanned."""
    now = datetime.now(UTC)
    world = await checkpoints.world(door.event.id)
    own = own_checkpoints(door, world)
    data: Any = await form_data(request, max_fields=TICKED_AT_MOST + 20) if request.method == "POST" else None
    wanted = whole_id(str(data.get("checkpoint", ""))) if data is not None else None
    view = chosen(own, wanted or whole_id(request.query_params.get("at")), "")
    everybody = await _listed(door, view, now) if door.may(Permission.SEE_REGISTRATIONS) else []
    values: Mapping[str, str] = typed(data) if data is not None else {}
    problems: Mapping[str, Problem] = {}
    answers: list[scanning.Answer | Refusal] = []
    sent: _Sent | None = None
    ticked = frozenset[int]()
    if data is not None:
        ticked = frozenset(number for one in data.getlist("people[]") if (number := whole_id(str(one))))
        try:
            sent = _read(values, ticked, now, ZoneInfo(door.event.time_zone))
            answers = await _send(door, sent, everybody, view, now)
            everybody = await _listed(door, view, now) if everybody else []
            values = {"time": values.get("time", "")}
        except Invalid as error:
            problems = error.fields
    text = request.query_params.get("letters", "")[:8]
    page = _enter_page(
        door,
        view,
        own,
        [one for one in everybody if letter_of(one.sort_key) in span_of(text)],
        counts=Counter(letter_of(one.sort_key) for one in everybody),
        text=text,
        sent=sent if not problems else None,
        answers=answers,
        ticked=ticked if problems else frozenset(),
        values=values,
        problems=problems,
    )
    return private(await render.page(request, page, 422 if problems else 200))


def _read(values: Mapping[str, str], ticked: frozenset[int], now: datetime, zone: ZoneInfo) -> _Sent:
    """Raises Invalid with a problem at each field."""
    problems: dict[str, Problem] = {}
    age_ms: int | None = None
    if values.get("time", "").strip():
        at = ticked_at(values["time"], now=now, zone=zone)
        if at is None:
            problems["time"] = Problem(Code.MALFORMED)
        else:
            age_ms = int((now - at).total_seconds() * 1000)
    found = codes_of(values.get("codes", ""))
    if len(found) > CODES_MAX:
        problems["codes"] = Problem(Code.TOO_LONG, {"limit": CODES_MAX})
    if not found and not ticked:
        problems["codes"] = Problem(Code.REQUIRED)
    try:
        form_id = UUID(values.get("form", ""))
    except ValueError:
        raise Invalid({"form": Problem(Code.MALFORMED)}) from None
    if problems:
        raise Invalid(problems)
    return _Sent(form_id, age_ms, found, ticked)


async def _send(
    door: Door, sent: _Sent, everybody: Sequence[Member], view: CheckpointView, now: datetime
) -> list[scanning.Answer | Refusal]:
    """One batch: the codes, then the names in the list's order. Raises Invalid for a tick at nobody of the list."""
    picked = [one for one in everybody if one.passport_id in sent.ticked]
    if len(picked) < len(sent.ticked):
        raise Invalid({"people[]": Problem(CheckinCode.PASSPORT_UNKNOWN)})
    entries = [
        ScanEntry(uuid5(sent.form_id, f"code {code}"), code, view.facts.id, age_ms=sent.age_ms)
        for code in sent.codes
    ]
    entries += [
        ScanEntry(
            admission_id(sent.form_id, one.passport_id), one.short_code, view.facts.id, age_ms=sent.age_ms
        )
        for one in picked
    ]
    return await scanning.scan_batch(door=door, entries=entries, at=now)


def _enter_page(
    door: Door,
    view: CheckpointView,
    own: Sequence[CheckpointView],
    people: Sequence[Member],
    *,
    counts: Mapping[str, int],
    text: str,
    sent: _Sent | None,
    answers: Sequence[scanning.Answer | Refusal],
    ticked: frozenset[int],
    values: Mapping[str, str],
    problems: Mapping[str, Problem],
) -> EnterPage:
    locale, slug = i18n.current_locale(), door.event.slug
    path = render.url(ENTER, slug=slug)
    codes = sent.codes if sent else ()
    said = {
        answer.holder.passport_id: said_of(answer)
        for answer in answers[len(codes) :]
        if isinstance(answer, scanning.Answer) and answer.holder
    }
    return EnterPage(
        **frame(door, PAGE),
        people=[
            PersonLine(
                one.passport_id,
                one.name,
                one.line,
                passports.spoken(one.short_code),
                render.clock(one.here_since, door.event.time_zone) if one.here_since else "",
                said.get(one.passport_id),
                is_ticked=one.passport_id in ticked,
            )
            for one in people[:TICKED_AT_MOST]
        ],
        codes=[
            CodeLine(code, _name(answer), said_of(answer))
            for code, answer in zip(codes, answers, strict=False)
        ],
        places=[(str(one.facts.id), one.name.in_(locale)) for one in own],
        letters=_letter_chips(path, {"at": str(view.facts.id)}, counts, text),
        checkpoint_id=view.facts.id,
        form_id=values.get("form", "") if problems else str(uuid4()),
        action=render.with_query(path, letters=text),
        is_cut=len(people) > TICKED_AT_MOST,
        zone=door.event.time_zone,
        admitted=(sum(1 for one in answers if is_in(one)), len(answers)) if sent else None,
        values={"checkpoint": str(view.facts.id), **values},
        problems=problems,
    )


def _name(answer: scanning.Answer | Refusal) -> str:
    return answer.holder.name if isinstance(answer, scanning.Answer) and answer.holder else ""


ROUTES: list[Entry] = [
    route("/e/{slug}/desk/sign-in-list", sheet, PAGE, Permission.SEE_REGISTRATIONS),
    route("/e/{slug}/desk/sign-in-list/enter", enter, ENTER, Permission.SCAN, ("GET", "POST")),
]
