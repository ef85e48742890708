"""Registrations on their way out: CSV in a stream, XLSX with QR pictures, by the filter of the list.

The file imports again as it is: the columns that are ours carry titles that the import knows, and the columns of upper
floors (personal links, short codes) carry titles that it does not.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from events import access, answers, queries
from events.access import Door
from events.answers import Answers
from events.desk import shared
from events.desk.registrations import filter_params, read_filter
from events.desk.shared import DeskPage, attachment
from events.exporting import MAX_PICTURES, Cell, to_csv, to_xlsx
from events.form_rules import ConsentFacts, Question, in_words
from events.queries import Filter, RegistrationRow
from events.rules import EventCode, EventFacts, FieldKind, PaymentState, Permission, RegistrationState, fold
from kernel.actor import SYSTEM, Actor
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import DEFAULT_LOCALE, N_
from people import journal
from people.jobs import in_worker
from web import forms, i18n, render
from web.routing import Entry

PAGE: Final = "events.desk.export"
#: Registrations read at once: a whole event never lies in memory for a CSV, and no step holds the loop up for long.
CHUNK: Final = 200

Values = Mapping[str, Mapping[int, Any]]

#: Columns of upper floors: ``(event_id, registration_ids)`` gives, for each of its columns in a fixed order, the values
#: by registration id; all columns also for no ids. Titles are English, marked with ``N_``. Main fills it.
EXPORT_COLUMNS: Final[list[Callable[[int, Sequence[int]], Awaitable[Values]]]] = []


@dataclass(frozen=True, slots=True)
class ExportPictures:
    """QR pictures beside each row of a workbook: what each code says, and how it is drawn.

    ``draw`` is a module-level function (or a partial of one): it runs in the helper process.
    """

    title: str
    texts: Callable[[int, Sequence[int]], Awaitable[Mapping[int, str]]]
    draw: Callable[[str], bytes]


#: At most one; main fills it.
EXPORT_PICTURES: Final[list[ExportPictures]] = []


class ExportKind(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    #: With a QR picture beside each row; to draw one takes 5 to 8 ms (2026-11), so it is a choice of its own.
    XLSX_QR = "xlsx-qr"

    @property
    def suffix(self) -> str:
        return self.value.partition("-")[0]


#: What a person waits for each QR picture, seldom more.
PICTURE_S: Final = 0.008
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

#: Titles that ``sheets.guess_mapping`` reads back, in both languages.
TITLES: Final = (
    N_("Full name"),
    N_("Badge name"),
    N_("Name in English"),
    N_("E-mail"),
    N_("Mobile phone"),
    N_("Organisation"),
    N_("Job title"),
    N_("Ticket type"),
    N_("Registration state"),
    N_("Language"),
    N_("External ID"),
    N_("Ticket code"),
    N_("Registered on"),
    N_("Payment"),
    N_("Invoice title"),
    N_("Tax number"),
    N_("Ticket source"),
)

#: Words that ``importing.read_payment`` reads back, in both languages.
PAYMENT_TITLES: Final[Mapping[str, str]] = {
    PaymentState.PAID: N_("Paid"),
    PaymentState.UNPAID: N_("Unpaid"),
    PaymentState.REFUNDED: N_("Refunded"),
}

#: Words that ``importing.read_state`` reads back, in both languages.
STATE_TITLES: Final[Mapping[RegistrationState, str]] = {
    RegistrationState.CONFIRMED: N_("Confirmed"),
    RegistrationState.PENDING: N_("Pending"),
    RegistrationState.WAITLISTED: N_("Waitlisted"),
    RegistrationState.OFFERED: N_("Place offered"),
    RegistrationState.DECLINED: N_("Declined"),
    RegistrationState.CANCELLED: N_("Cancelled"),
}


class _Export:
    """One export: its titles, and its rows in steps."""

    def __init__(self, event: EventFacts, wanted: Filter, locale: str, *, sees_personal: bool = True) -> None:
        self.event, self.wanted, self.locale = event, wanted, locale
        self.sees_personal = sees_personal
        self.zone = ZoneInfo(event.time_zone)
        self.types: Mapping[int, str] = {}
        self.titles: list[str] = []
        self.questions: Sequence[Question] = ()
        #: Every version of each consent by its code, in their order; the newest title stands above.
        self.consents: Mapping[str, Sequence[ConsentFacts]] = {}

    async def open(self) -> None:
        self.types = _type_words(await queries.ticket_types(self.event.id), self.locale)
        more = [title for provider in EXPORT_COLUMNS for title in await provider(self.event.id, ())]
        self.questions = [
            one
            for one in await answers.questions(self.event.id, everything=True)
            if self.sees_personal or not one.is_personal
        ]
        texts: dict[str, list[ConsentFacts]] = {}
        for text in await answers.consent_texts(self.event.id, everything=True):
            texts.setdefault(text.code, []).append(text)
        self.consents = texts
        self.titles = [
            *(i18n.gettext_in(self.locale, title) for title in (*TITLES, *more)),
            *(one.label.in_(self.locale) for one in self.questions),
            *(versions[-1].title.in_(self.locale) for versions in texts.values()),
        ]

    async def steps(self) -> AsyncGenerator[tuple[list[int], list[list[Cell]]], None]:
        """Ids and rows, CHUNK registrations at a time."""
        after = 0
        while rows := await queries.export_rows(self.event.id, after, CHUNK):
            after = rows[-1].id
            kept = [row for row in rows if matches(row, self.wanted)]
            if kept:
                ids = [row.id for row in kept]
                columns = [
                    values
                    for provider in EXPORT_COLUMNS
                    for values in (await provider(self.event.id, ids)).values()
                ]
                said = await answers.of(ids) if self.questions or self.consents else {}
                yield (
                    ids,
                    [
                        [
                            *self._own(row),
                            *(values.get(row.id, "") for values in columns),
                            *self._answers(row.id, said.get(row.id)),
                        ]
                        for row in kept
                    ],
                )

    def _answers(self, registration_id: int, said: Answers | None) -> list[Cell]:
        """One cell a question, one a consent: the newest version that was answered counts, and is named."""
        cells: list[Cell] = []
        for question in self.questions:
            answer = said.answers.get(question.id) if said else None
            if answer is None:
                cells.append("")
            elif answer.upload_id is not None:
                cells.append(render.absolute(file_href(self.event.slug, registration_id, question.id)))
            elif question.kind is FieldKind.NUMBER:
                cells.append(answer.value)
            else:
                cells.append(
                    in_words(
                        question,
                        answer.value,
                        locale=self.locale,
                        yes=i18n.gettext_in(self.locale, N_("Yes")),
                        no=i18n.gettext_in(self.locale, N_("No")),
                    )
                )
        for versions in self.consents.values():
            spoken = [one for one in versions if said and one.id in said.consents]
            if not spoken or said is None:
                cells.append("")
                continue
            given = said.consents[spoken[-1].id].is_given
            word = i18n.gettext_in(self.locale, N_("Yes") if given else N_("No"))
            cells.append(
                i18n.gettext_in(self.locale, N_("%(answer)s (version %(number)s)"))
                % {"answer": word, "number": spoken[-1].version}
            )
        return cells

    def _own(self, row: RegistrationRow) -> list[Cell]:
        contact = row.contact
        return [
            contact.name,
            contact.badge_name,
            contact.english_name,
            contact.email,
            contact.phone,
            contact.organisation,
            contact.position,
            self.types.get(row.ticket_type_id, ""),
            i18n.gettext_in(self.locale, STATE_TITLES[row.state]),
            row.locale,
            row.external_id or "",
            row.external_code or "",
            row.created_at.astimezone(self.zone).replace(tzinfo=None, microsecond=0),
            i18n.gettext_in(self.locale, PAYMENT_TITLES[row.payment_state]) if row.payment_state else "",
            row.invoice_title,
            row.tax_number,
            row.ticket_source,
        ]


def file_href(slug: str, registration_id: int, question_id: int) -> str:
    """Where somebody who sees personal data gets a file that was given as an answer."""
    return render.url(
        "events.desk.registration_file", slug=slug, registration_id=registration_id, question_id=question_id
    )


def _type_words(types: Sequence[queries.TicketTypeFacts], locale: str) -> Mapping[int, str]:
    """Each ticket type by its name; by its code where another one has that name, so that the import tells them apart."""
    names = [fold(text) for item in types for text in set(item.name.values())]
    return {
        item.id: name if (name := item.name.in_(locale)) and names.count(fold(name)) == 1 else item.code
        for item in types
    }


def matches(row: RegistrationRow, wanted: Filter) -> bool:
    """Whether the list with this filter would show the row (``queries.registrations_page`` asks the database)."""
    if wanted.state is not None and row.state is not wanted.state:
        return False
    if wanted.ticket_type_id is not None and row.ticket_type_id != wanted.ticket_type_id:
        return False
    text = fold(wanted.text)
    if not text:
        return True
    digits = "".join(char for char in text if char.isdigit())
    return (
        text in row.contact.search
        or row.contact.email.startswith(text)
        or (len(digits) >= 4 and row.contact.phone.endswith(digits))
        or wanted.text.strip() in (row.external_id, row.external_code)
    )


async def _csv(export: _Export) -> AsyncIterator[bytes]:
    header = b"".join(to_csv(export.titles, []))
    yield header
    async with aclosing(export.steps()) as steps:
        async for _ids, rows in steps:
            yield b"".join(to_csv(export.titles, rows))[len(header) :]


async def _xlsx(export: _Export, *, with_pictures: bool) -> bytes:
    rows: list[list[Cell]] = []
    ids: list[int] = []
    async with aclosing(export.steps()) as steps:
        async for some, part in steps:
            ids += some
            rows += part
    title = export.event.name.in_(export.locale)
    pictures = EXPORT_PICTURES[0] if with_pictures and EXPORT_PICTURES and len(ids) <= MAX_PICTURES else None
    if pictures is None:
        return await in_worker(_workbook, export.titles, rows, title, None)
    texts = await pictures.texts(export.event.id, ids)
    drawn = _Drawn(
        i18n.gettext_in(export.locale, pictures.title),
        [texts.get(number, "") for number in ids],
        pictures.draw,
    )
    return await in_worker(_workbook, export.titles, rows, title, drawn)


@dataclass(frozen=True, slots=True)
class _Drawn:
    title: str
    texts: Sequence[str]
    draw: Callable[[str], bytes]


def _workbook(
    titles: Sequence[str], rows: Sequence[Sequence[Cell]], title: str, drawn: _Drawn | None
) -> bytes:
    if drawn is None:
        return to_xlsx(titles, rows, title=title)
    pictures = [drawn.draw(text) if text else None for text in drawn.texts]
    return to_xlsx(titles, rows, pictures, title=title, picture_title=drawn.title)


async def export_bytes(
    event_id: int,
    kind: str,
    *,
    at: datetime | None = None,
    actor: Actor = SYSTEM,
    wanted: Filter | None = None,
    locale: str = DEFAULT_LOCALE,
) -> bytes:
    """A whole export as one file, ``csv``, ``xlsx`` or ``xlsx-qr`` (with QR pictures); journalled. For the command line.

    Raises Invalid at ``format`` for another kind, NotFound for an unknown event.
    """
    chosen = shared.word_of(ExportKind, kind)
    if chosen is None:
        raise Invalid({"format": Problem(Code.NOT_A_CHOICE)})
    event = await queries.find_event_by_id(event_id)
    if event is None:
        raise NotFound(EventCode.EVENT_UNKNOWN)
    export = _Export(event, wanted or Filter(), locale)
    await export.open()
    await _write(actor, export, chosen, at or shared.now())
    if chosen is not ExportKind.CSV:
        return await _xlsx(export, with_pictures=chosen is ExportKind.XLSX_QR)
    return b"".join([part async for part in _csv(export)])


async def _write(actor: Actor, export: _Export, kind: ExportKind, at: datetime) -> None:
    wanted = export.wanted
    await journal.write(
        actor=actor,
        verb="registration.export",
        object_kind="event",
        object_id=export.event.id,
        event_id=export.event.id,
        # What was searched for may be a name, so only that there was a search.
        new={
            "format": str(kind),
            "state": str(wanted.state or ""),
            "ticket_type_id": wanted.ticket_type_id,
            "searched": bool(wanted.text),
        },
        at=at,
    )


# --- the page ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ExportPage(DeskPage):
    template: ClassVar[str] = "events/desk/export.html"
    total: int
    whole: int
    narrowed: Sequence[str]
    keep: Mapping[str, str]
    all_href: str
    list_href: str
    has_pictures: bool
    too_many_pictures: bool
    max_pictures: int
    seconds: int
    columns: Sequence[str]


async def _page(request: Request, door: Door) -> Response:
    return await _show(request, door, read_filter(request.query_params))


async def _show(
    request: Request, door: Door, wanted: Filter, problems: Mapping[str, Problem] | None = None
) -> Response:
    slug, locale = door.event.slug, i18n.current_locale()
    found = await queries.registrations_page(door.event.id, wanted)
    types = {item.id: item.name.in_(locale) for item in await queries.ticket_types(door.event.id)}
    export = _Export(door.event, wanted, locale, sees_personal=door.may(Permission.SEE_PERSONAL))
    await export.open()
    narrowed = []
    if wanted.text:
        narrowed.append(i18n.gettext(N_("“%(text)s”")) % {"text": wanted.text})
    if wanted.state is not None:
        narrowed.append(render.words_for(wanted.state))
    if wanted.ticket_type_id is not None:
        narrowed.append(types.get(wanted.ticket_type_id, ""))
    params = {name: str(value) for name, value in filter_params(wanted).items() if value not in (None, "")}
    return await render.page(
        request,
        ExportPage(
            **access.frame(door, PAGE),
            values={"format": ExportKind.XLSX},
            problems=problems or {},
            total=found.total,
            whole=found.counts.total,
            narrowed=narrowed,
            keep=params,
            all_href=render.url(PAGE, slug=slug),
            list_href=render.with_query(render.url("events.desk.registrations", slug=slug), **params),
            has_pictures=bool(EXPORT_PICTURES),
            too_many_pictures=found.total > MAX_PICTURES,
            max_pictures=MAX_PICTURES,
            seconds=max(round(found.total * PICTURE_S), 1),
            columns=export.titles,
        ),
        422 if problems else 200,
    )


async def _download(request: Request, door: Door) -> Response:
    values = shared.typed_values(await forms.form_data(request))
    wanted = read_filter(values)
    kind, at = shared.word_of(ExportKind, values.get("format")), shared.now()
    if kind is None:
        return await _show(request, door, wanted, {"format": Problem(Code.NOT_A_CHOICE)})
    export = _Export(
        door.event,
        wanted,
        i18n.current_locale(),
        sees_personal=door.may(Permission.SEE_PERSONAL),
    )
    await export.open()
    await _write(door.actor, export, kind, at)
    day = at.astimezone(ZoneInfo(door.event.time_zone)).strftime("%Y%m%d-%H%M")
    headers = attachment(f"{door.event.slug}-registrations-{day}.{kind.suffix}")
    if kind is ExportKind.CSV:
        return StreamingResponse(_csv(export), media_type="text/csv; charset=utf-8", headers=headers)
    body = await _xlsx(export, with_pictures=kind is ExportKind.XLSX_QR)
    return Response(body, media_type=_XLSX, headers=headers)


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/export", _page, PAGE, Permission.CHANGE_REGISTRATIONS),
    access.route(
        "/e/{slug}/desk/export",
        _download,
        "events.desk.export_file",
        Permission.CHANGE_REGISTRATIONS,
        ("POST",),
    ),
]
