"""Speakers at the desk: one row each with what is there and what is missing, one page each, and reminding all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_queries, speaker_letters, speaker_link, speaker_queries, speaker_tickets, speakers
from agenda.cfp_shown import STATE_KINDS, language_words, state_words
from agenda.checklist_rules import Item, Line, Mark
from agenda.letter_rules import Occasion, Placeholder
from agenda.line_up_rules import LineUpCode
from agenda.proposal_rules import ProposalState
from agenda.speaker_forms import read_visit, visit_values
from agenda.speaker_letters import Telling
from agenda.speaker_pages import visit_lines
from agenda.speaker_queries import SpeakerRow
from agenda.words import CHECK_TITLES, CHECK_WORDS
from events import access, masking, queries
from events.access import Door
from events.contacts import clean_line, normalise_email, normalise_phone
from events.desk import shared
from events.desk.shared import DeskPage
from events.exporting import Cell, to_csv, to_xlsx
from events.rules import Permission
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import LOCALES, N_, LocalizedText
from people.jobs import in_worker
from people.rules import PeopleCode, mask_email
from web import forms, i18n, render
from web.i18n import gettext_in
from web.routing import Entry

LIST: Final = "agenda.desk.speakers"
ONE: Final = "agenda.desk.speaker"
EXPORT: Final = "agenda.desk.speakers_export"
NUDGE: Final = "agenda.desk.speakers_nudge"
RENEWAL: Final = "agenda.desk.speaker_renewal"
PAGE_SIZE: Final = 50

_DONE: Final[Mapping[str, str]] = {
    "drafted": N_("The letters wait in the outbox. Read them, then send them."),
    "same": N_("Everybody has this letter already; it waits in the outbox or was sent."),
    "renewed": N_("The link is new; older ones open nothing any more."),
}
_MARKS: Final[Mapping[Mark, tuple[str, str]]] = {
    Mark.DONE: ("go", N_("yes")),
    Mark.MISSING: ("care", N_("missing")),
    Mark.LATE: ("stop", N_("overdue")),
    Mark.NOT_ASKED: ("plain", "–"),
}
#: The columns of the table; questions of the organisers' own stand beside the name where one is open.
_COLUMNS: Final = (
    Item.CONFIRM,
    Item.PHOTO,
    Item.BIO,
    Item.CONSENT,
    Item.SLIDES,
    Item.TRAVEL,
    Item.HOST,
)


@dataclass(frozen=True, slots=True)
class RowShown:
    name: str
    about: str
    href: str
    #: (title, state's kind, state's words)
    talks: Sequence[tuple[str, str, str]]
    #: (item's words, kind, words)
    cells: Sequence[tuple[str, str, str]]
    has_questions: bool


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_speakers.html"
    columns: Sequence[str]
    rows: Sequence[RowShown]
    whole: int
    total: int
    first: int
    last: int
    previous_href: str | None
    next_href: str | None
    clear_href: str
    text: str
    keep: Mapping[str, str]
    chips: Sequence[tuple[str, str, int, bool]]
    forums: Sequence[tuple[str, str]]
    exports: Sequence[tuple[str, str]]
    nudge_href: str
    #: Speakers with an address who miss something that is theirs to bring.
    to_nudge: int
    invited_href: str
    has_ticket_type: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the list's address asks for."""

    text: str
    show: str
    forum: int | None

    @property
    def keep(self) -> dict[str, str]:
        said = {"q": self.text, "show": self.show, "forum": str(self.forum or "")}
        return {name: value for name, value in said.items() if value}


_SHOWS: Final[Mapping[str, str]] = {
    "": N_("On the programme"),
    "missing": N_("Misses something"),
    "open": N_("Not answered"),
    "host": N_("Without a host"),
    "all": N_("Everybody"),
}


def _fits(row: SpeakerRow, show: str) -> bool:
    match show:
        case "all":
            return True
        case "missing":
            return bool(row.owes(by_speaker=True))
        case "open":
            return Item.CONFIRM in row.owes()
        case "host":
            return Item.HOST in row.owes()
        case _:
            return row.is_on


def _wanted(request: Request) -> _Wanted:
    params = request.query_params
    show = params.get("show", "")
    return _Wanted(
        text=params.get("q", "").replace("\0", " ").strip()[:100],
        show=show if show in _SHOWS else "",
        forum=shared.whole_id(params.get("forum")),
    )


async def fitting(
    door: Door, *, text: str, show: str, forum_id: int | None, at: datetime
) -> Sequence[SpeakerRow]:
    """The speakers whom somebody may see, by the list's conditions; a producer those of the own forums."""
    scope = door.forum_scope(Permission.SEE_PROPOSALS)
    if forum_id is not None:
        scope = frozenset({forum_id}) if scope is None or forum_id in scope else frozenset()
    rows = await speaker_queries.rows_of(door.event.id, at=at, forum_ids=scope, text=text)
    return [one for one in rows if _fits(one, show)]


async def _rows(door: Door, wanted: _Wanted, at: datetime) -> Sequence[SpeakerRow]:
    """Everybody whom the list could show: by text and forum, whatever they miss."""
    return await fitting(door, text=wanted.text, show="all", forum_id=wanted.forum, at=at)


async def listed(request: Request, door: Door) -> Response:
    return await _list_page(request, door)


async def _list_page(request: Request, door: Door, *, trouble: str = "", status: int = 200) -> Response:
    wanted, at, slug, locale = _wanted(request), shared.now(), door.event.slug, i18n.current_locale()
    every = await _rows(door, wanted, at)
    shown_rows = [one for one in every if _fits(one, wanted.show)]
    scope = door.forum_scope(Permission.SEE_PROPOSALS)
    forums = [
        (str(one.id), one.name.in_(locale))
        for one in await cfp_queries.forums(door.event.id)
        if scope is None or one.id in scope
    ]
    here = render.url(LIST, slug=slug)
    pages = max(1, -(-len(shown_rows) // PAGE_SIZE))
    page = min(shared.whole_page(request.query_params.get("page")), pages)
    first = (page - 1) * PAGE_SIZE
    part = shown_rows[first : first + PAGE_SIZE]
    without = {name: value for name, value in wanted.keep.items() if name != "show"}
    done = _DONE.get(request.query_params.get("done", ""), "")
    shown = ListPage(
        **access.frame(door, LIST),
        done=i18n.gettext(done) if done and not trouble else "",
        trouble=trouble,
        values={"forum": str(wanted.forum or "")},
        columns=[i18n.gettext(CHECK_TITLES[item]) for item in _COLUMNS],
        rows=[_row_shown(door, one) for one in part],
        whole=len(every),
        total=len(shown_rows),
        first=first + 1 if part else 0,
        last=first + len(part),
        previous_href=render.with_query(here, **wanted.keep, page=page - 1) if page > 1 else None,
        next_href=render.with_query(here, **wanted.keep, page=page + 1) if page < pages else None,
        clear_href=here,
        text=wanted.text,
        keep={name: value for name, value in wanted.keep.items() if name != "q"},
        chips=[
            (
                i18n.gettext(words),
                render.with_query(here, **without, **({"show": show} if show else {})),
                sum(_fits(one, show) for one in every),
                show == wanted.show,
            )
            for show, words in _SHOWS.items()
        ],
        forums=forums,
        exports=[
            (kind.upper(), render.with_query(render.url(EXPORT, slug=slug, kind=kind), **wanted.keep))
            for kind in ("csv", "xlsx")
        ],
        nudge_href=render.with_query(render.url(NUDGE, slug=slug), **without)
        if door.may(Permission.DECIDE)
        else "",
        to_nudge=sum(bool(one.owes(by_speaker=True)) and bool(one.facts.email) for one in every),
        invited_href=render.url("agenda.invited", slug=slug) if door.may(Permission.CHANGE_PROPOSALS) else "",
        has_ticket_type=await speaker_tickets.speaker_type(door.event.id) is not None,
    )
    return await render.page(request, shown, status)


def _row_shown(door: Door, row: SpeakerRow) -> RowShown:
    locale, facts = i18n.current_locale(), row.facts
    by_item = {one.item: one for one in row.lines}
    return RowShown(
        name=facts.name.in_(locale) or i18n.gettext("Without a name yet"),
        about=shared.joined(facts.organisation.in_(locale), facts.title.in_(locale)),
        href=render.url(ONE, slug=door.event.slug, code=facts.code),
        talks=[
            (
                one.title.in_(locale) or i18n.gettext("Without a title yet"),
                STATE_KINDS[one.state],
                state_words(one.state),
            )
            for one in row.talks
        ],
        cells=[(i18n.gettext(CHECK_TITLES[item]), *_mark(by_item[item])) for item in _COLUMNS],
        has_questions=by_item[Item.QUESTIONS].is_owed,
    )


def _mark(line: Line) -> tuple[str, str]:
    kind, words = _MARKS[line.mark]
    return kind, i18n.gettext(words) if words != "–" else words


# --- out as a list -----------------------------------------------------------------------------------------------

_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def export(request: Request, door: Door) -> Response:
    """The list as a file, by the same conditions; addresses only by the right to see contacts, and journalled then."""
    kind = request.path_params["kind"]
    if kind not in ("csv", "xlsx"):
        raise NotFound()
    wanted, at, locale = _wanted(request), shared.now(), i18n.current_locale()
    rows = [one for one in await _rows(door, wanted, at) if _fits(one, wanted.show)]
    sees = door.may(Permission.SEE_PERSONAL)
    types = {one.id: one.name.in_(locale) for one in await cfp_queries.session_types(door.event.id)}
    forums = {one.id: one.name.in_(locale) for one in await cfp_queries.forums(door.event.id)}
    titles = [
        i18n.gettext(title)
        for title in (
            N_("Code"),
            N_("Name"),
            N_("Name in English"),
            N_("Organisation"),
            N_("Position"),
            *((N_("E-mail"), N_("Phone")) if sees else ()),
            N_("Talks"),
            N_("State"),
            N_("Kind of session"),
            N_("Forum"),
            *(CHECK_TITLES[item] for item in Item),
            *(
                (
                    N_("Arrival"),
                    N_("Flight, train, station"),
                    N_("Departure"),
                    N_("Hotel room"),
                    N_("About the room"),
                    N_("Pick-up"),
                    N_("About the pick-up"),
                    N_("Travel support"),
                    N_("About the travel"),
                )
                if sees
                else ()
            ),
            N_("Host"),
            *((N_("The organisers' note"),) if sees else ()),
        )
    ]
    cells = [_cells(door, one, types, forums, sees=sees) for one in rows]
    if sees:
        await masking.write_look(door, count=len(rows), at=at)
    headers = shared.attachment(f"{door.event.slug}-speakers.{kind}")
    if kind == "csv":
        return Response(
            b"".join(to_csv(titles, cells)), media_type="text/csv; charset=utf-8", headers=headers
        )
    return Response(await in_worker(to_xlsx, titles, cells), media_type=_XLSX, headers=headers)


def _cells(
    door: Door, row: SpeakerRow, types: Mapping[int, str], forums: Mapping[int, str], *, sees: bool
) -> Sequence[Cell]:
    locale, facts, visit, zone = i18n.current_locale(), row.facts, row.visit, door.event.time_zone
    said = {True: i18n.gettext("Yes"), False: i18n.gettext("No"), None: ""}
    by_item = {one.item: one for one in row.lines}

    def joined(values: Sequence[str]) -> str:
        return "; ".join(dict.fromkeys(value for value in values if value))

    def wall(at: datetime | None) -> Cell:
        return datetime.fromisoformat(shared.wall_clock(at, zone)) if at else None

    return [
        facts.code,
        facts.name.in_(locale),
        facts.name.get("en", ""),
        facts.organisation.in_(locale),
        facts.title.in_(locale),
        *([facts.email, facts.phone] if sees else []),
        joined([one.title.in_(locale) for one in row.talks]),
        joined([state_words(one.state) for one in row.talks]),
        joined([types.get(one.session_type_id or 0, "") for one in row.talks]),
        joined([forums.get(one.forum_id or 0, "") for one in row.talks]),
        *(_mark(by_item[item])[1] for item in Item),
        *(
            [
                wall(visit.arrives_at),
                visit.arrival_note,
                wall(visit.leaves_at),
                said[visit.wants_hotel],
                visit.hotel_note,
                said[visit.wants_pick_up],
                visit.pick_up_note,
                said[facts.wants_travel_support],
                facts.travel_note,
            ]
            if sees
            else []
        ),
        visit.host_name,
        *([visit.note] if sees else []),
    ]


# --- reminding ---------------------------------------------------------------------------------------------------


async def nudge(request: Request, door: Door) -> Response:
    """Drafts one letter to each speaker with an address who misses something, with exactly what is missing."""
    at = shared.now()
    await forms.form_data(request)
    rows = [
        one
        for one in await _rows(door, _wanted(request), at)
        if one.owes(by_speaker=True) and one.facts.email
    ]
    if not rows:
        return await _list_page(
            request, door, trouble=render.words_for(LineUpCode.NOBODY_TO_REMIND), status=Conflict.status
        )
    drafted = await speaker_letters.draft(
        actor=door.actor,
        event_id=door.event.id,
        code=Occasion.NUDGE,
        tellings=[
            Telling(
                speaker_id=one.facts.id,
                values={Placeholder.MISSING: _missing(one.lines, door.event.time_zone)},
            )
            for one in rows
        ],
        at=at,
    )
    return shared.back_to(door, LIST, done="drafted" if drafted.letter_ids else "same")


def _missing(lines: Sequence[Line], zone: str) -> LocalizedText:
    """What a letter says is missing, a line each, in every language that letters are written in."""
    texts = {}
    for locale in LOCALES:
        said = []
        for one in lines:
            if not one.is_owed or one.item is Item.HOST:
                continue
            words = gettext_in(locale, CHECK_WORDS[one.item])
            if one.due is not None:
                when = speaker_letters.moment_in(locale, one.due, zone)
                words = gettext_in(locale, _UNTIL) % {"what": words, "when": when}
            said.append(f"- {words}")
        texts[locale] = "\n".join(said)
    return LocalizedText(texts)


_UNTIL: Final = N_("%(what)s (until %(when)s)")


# --- one speaker -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TalkLine:
    title: str
    href: str
    state: tuple[str, str]
    meta: str


@dataclass(frozen=True, kw_only=True)
class OnePage(DeskPage):
    template: ClassVar[str] = "agenda/desk_speaker.html"
    name: str
    about: str
    code: str
    list_href: str
    contact: Sequence[tuple[str, str]]
    todo: Sequence[tuple[str, str, str, str]]
    talks: Sequence[TalkLine]
    visit: Sequence[tuple[str, str]]
    ticket: str
    #: Whether whoever looks may change anything here.
    may_change: bool
    sees_contacts: bool
    asks_travel: bool
    zone: str
    can_change_email: bool
    behalf_href: str
    link: str
    renewal_href: str
    has_picture: bool


async def found(request: Request, door: Door) -> SpeakerRow:
    """The speaker in the address, where one may see a talk of theirs. Raises NotFound."""
    row = await speaker_queries.find_speaker(
        door.event.id, request.path_params.get("speaker_code", request.path_params.get("code", ""))
    )
    if row is None:
        raise NotFound(LineUpCode.SPEAKER_UNKNOWN)
    rows = await speaker_queries.rows_of(door.event.id, at=shared.now(), only=[row.id])
    scope = door.forum_scope(Permission.SEE_PROPOSALS)
    if not rows or (scope is not None and not any(one.forum_id in scope for one in rows[0].talks)):
        raise NotFound(LineUpCode.SPEAKER_UNKNOWN)
    return rows[0]


async def changeable(request: Request, door: Door) -> SpeakerRow:
    """As ``found``, for whoever may also enter talks for this speaker. Raises NotFound."""
    row = await found(request, door)
    if not _may_change(door, row):
        raise NotFound(LineUpCode.SPEAKER_UNKNOWN)
    return row


def _may_change(door: Door, row: SpeakerRow) -> bool:
    scope = door.forum_scope(Permission.CHANGE_PROPOSALS)
    return scope is None or any(one.forum_id in scope for one in row.talks)


async def one(request: Request, door: Door) -> Response:
    row = await found(request, door)
    values: dict[str, str] = {
        **visit_values(row.visit, row.facts, door.event.time_zone),
        "host_name": row.visit.host_name,
        "host_contact": row.visit.host_contact,
        "note": row.visit.note,
        "email": row.facts.email,
        "phone": row.facts.phone,
    }
    problems: Mapping[str, Problem] = {}
    if request.method == "POST":
        if not _may_change(door, row):
            raise NotFound(LineUpCode.SPEAKER_UNKNOWN)
        values = forms.typed(await forms.form_data(request))
        columns, problems = _read(door, row, values)
        if not problems:
            try:
                await speakers.change_visit(
                    actor=door.actor,
                    event_id=door.event.id,
                    speaker_id=row.facts.id,
                    columns=columns,
                    at=shared.now(),
                )
                return _back(door, row, "saved")
            except Invalid as refusal:
                problems = refusal.fields
    return await _one_page(request, door, row, values, problems)


_LIMITS: Final[Mapping[str, int]] = {"host_name": 120, "host_contact": 200, "note": 4_000}


def _read(
    door: Door, row: SpeakerRow, values: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Problem]]:
    """Host, note and visit; an address and a number only from whoever sees them."""
    problems: dict[str, Problem] = {}
    columns: dict[str, Any] = {}
    for name, limit in _LIMITS.items():
        text = values.get(name, "").replace("\0", "").replace("\r\n", "\n").strip()
        columns[name] = clean_line(text) if name != "note" else text
        if len(columns[name]) > limit:
            problems[name] = Problem(Code.TOO_LONG, {"limit": limit})
    if not door.may(Permission.SEE_PERSONAL):
        return {name: columns[name] for name in ("host_name", "host_contact")}, problems
    visit, wrong = read_visit(values, door.event.time_zone)
    problems |= wrong
    columns |= visit
    email, phone = values.get("email", "").strip(), values.get("phone", "").strip()
    if row.facts.account_id is None:
        read = normalise_email(email) if email else None
        if isinstance(read, Problem):
            problems["email"] = Problem(PeopleCode.EMAIL_INVALID)
        else:
            columns["email"] = read.key if read is not None else None
    number = normalise_phone(phone) if phone else None
    if isinstance(number, Problem):
        problems["phone"] = number
    else:
        columns["phone"] = number.e164 if number is not None else ""
    return columns, problems


def _back(door: Door, row: SpeakerRow, done: str) -> Response:
    return render.see_other(
        render.with_query(render.url(ONE, slug=door.event.slug, code=row.facts.code), done=done)
    )


async def _one_page(
    request: Request,
    door: Door,
    row: SpeakerRow,
    values: Mapping[str, str],
    problems: Mapping[str, Problem],
) -> Response:
    locale, slug, facts = i18n.current_locale(), door.event.slug, row.facts
    sees, may = door.may(Permission.SEE_PERSONAL), _may_change(door, row)
    types = {one.id: one.name.in_(locale) for one in await cfp_queries.session_types(door.event.id)}
    forums = {one.id: one.name.in_(locale) for one in await cfp_queries.forums(door.event.id)}
    call = await cfp_queries.find_call(door.event.id)
    scope = door.forum_scope(Permission.SEE_PROPOSALS)
    done = request.query_params.get("done", "")
    words = i18n.gettext(_DONE[done]) if done in _DONE else shared.done_words(request)
    shown = OnePage(
        **access.frame(door, LIST),
        done=words if not problems else "",
        values=values,
        problems=problems,
        name=facts.name.in_(locale) or i18n.gettext("Without a name yet"),
        about=shared.joined(facts.organisation.in_(locale), facts.title.in_(locale)),
        code=facts.code,
        list_href=render.url(LIST, slug=slug),
        contact=[
            (i18n.gettext("E-mail"), facts.email if sees else mask_email(facts.email) if facts.email else ""),
            (i18n.gettext("Phone"), facts.phone if sees else ""),
            (i18n.gettext("Language"), language_words(facts.locale)),
            (
                i18n.gettext("Account"),
                i18n.gettext("Yes") if facts.account_id else i18n.gettext("none yet"),
            ),
        ],
        todo=[
            (
                i18n.gettext(CHECK_TITLES[one.item]),
                *_mark(one),
                render.moment(one.due, door.event.time_zone) if one.due and one.is_owed else "",
            )
            for one in row.lines
            if one.mark is not Mark.NOT_ASKED
        ],
        talks=[
            TalkLine(
                title=one.title.in_(locale) or i18n.gettext("Without a title yet"),
                href=render.url("agenda.desk.proposal", slug=slug, code=one.code),
                state=(STATE_KINDS[one.state], state_words(one.state)),
                meta=shared.joined(
                    types.get(one.session_type_id or 0, ""), forums.get(one.forum_id or 0, "")
                ),
            )
            for one in row.talks
            if scope is None or one.forum_id in scope
        ],
        visit=visit_lines(row.visit, facts, door.event.time_zone) if sees else [],
        ticket=await _ticket(door, row),
        may_change=may,
        sees_contacts=sees,
        asks_travel=call is None or call.asks_travel,
        zone=door.event.time_zone,
        can_change_email=sees and facts.account_id is None,
        behalf_href=render.url("agenda.speaker.page", slug=slug, code=facts.code) if may else "",
        link=speaker_link.link_of(door.event, facts) if may else "",
        renewal_href=render.url(RENEWAL, slug=slug, code=facts.code) if may else "",
        has_picture=facts.picture_upload_id is not None,
    )
    return await render.page(request, shown, Invalid.status if problems else 200)


async def _ticket(door: Door, row: SpeakerRow) -> str:
    """The speaker's registration in words; why there is none, where a talk is confirmed."""
    if row.facts.registration_id is not None:
        own = await queries.find_registration_facts(door.event.id, row.facts.registration_id)
        names = await queries.ticket_type_names(door.event.id)
        if own is not None:
            return shared.joined(
                names.get(own.ticket_type_id, LocalizedText()).in_(i18n.current_locale()),
                render.words_for(own.state),
            )
    if not any(one.state is ProposalState.CONFIRMED for one in row.talks):
        return ""
    if not row.facts.email:
        return i18n.gettext("none: without an e-mail address nobody can be sent one")
    return i18n.gettext("none: see the journal, and whether the event has a ticket type for speakers")


async def renewal(request: Request, door: Door) -> Response:
    row = await changeable(request, door)
    await speaker_link.renew(
        actor=door.actor, event_id=door.event.id, speaker_id=row.facts.id, at=shared.now()
    )
    return _back(door, row, "renewed")


_MAY: Final = Permission.SEE_PROPOSALS
_BOTH: Final = ("GET", "POST")
_POST: Final = ("POST",)
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/speakers", listed, LIST, _MAY),
    access.route("/e/{slug}/desk/speakers/nudge", nudge, NUDGE, Permission.DECIDE, _POST),
    access.route("/e/{slug}/desk/speakers/export/{kind}", export, EXPORT, _MAY),
    access.route("/e/{slug}/desk/speakers/{code}", one, ONE, _MAY, _BOTH),
    access.route("/e/{slug}/desk/speakers/{code}/link", renewal, RENEWAL, Permission.CHANGE_PROPOSALS, _POST),
]
