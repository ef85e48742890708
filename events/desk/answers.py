"""What a registration answered and agreed to, at the desk: shown, changed, its files, and identity documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, answers, extras, identity, queries, questionnaire
from events.access import Door
from events.desk import shared
from events.desk.exports import file_href
from events.desk.shared import DeskPage
from events.exporting import to_csv
from events.extras import Shop
from events.form_rules import in_words
from events.identity_rules import IdentityCode
from events.queries import RegistrationRow
from events.questionnaire import ID_KINDS, Asked, Reading, Sheet
from events.rules import EventCode, PaymentState, Permission
from kernel.errors import Invalid, NotFound, Problem
from web import forms, i18n, render
from web.routing import Entry

#: A language is shown under its own name.
LANGUAGES: Final = {"zh-Hans": "简体中文", "en": "English"}


@dataclass(frozen=True, slots=True)
class AnswerLine:
    question: str
    words: str
    #: A file's address and name.
    href: str = ""
    #: Seen only by those who see personal data.
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class ConsentLine:
    title: str
    version: int
    is_given: bool
    when: str
    language: str


@dataclass(frozen=True, slots=True)
class Section:
    """The part of a registration's page (``events/desk/_answers.html``)."""

    #: (term, value) of what another shop said; empty ones are left out
    shop: Sequence[tuple[str, str]]
    answers: Sequence[AnswerLine]
    consents: Sequence[ConsentLine]
    #: The kind of an identity document, where there is one.
    document: str
    may_see_document: bool
    change_href: str


async def section(door: Door, row: RegistrationRow) -> Section:
    """What the desk shows beside the contact, to somebody who may see registrations."""
    event, locale = door.event, i18n.current_locale()
    said = (await answers.of([row.id]))[row.id]
    sees = door.may(Permission.SEE_PERSONAL)
    lines = []
    for question in await answers.questions(event.id, everything=True):
        answer = said.answers.get(question.id)
        if answer is None:
            continue
        label = question.label.in_(locale)
        if question.is_personal and not sees:
            lines.append(AnswerLine(label, "", is_hidden=True))
        elif answer.upload_id is not None:
            # A file is for those who see personal data, whatever the question says of itself.
            href = file_href(event.slug, row.id, question.id) if sees else ""
            lines.append(AnswerLine(label, answer.filename, href))
        else:
            words = in_words(
                question, answer.value, locale=locale, yes=i18n.gettext("Yes"), no=i18n.gettext("No")
            )
            lines.append(AnswerLine(label, words))
    texts = {one.id: one for one in await answers.consent_texts(event.id, everything=True)}
    document = await identity.find(row.id)
    return Section(
        shop=[
            (i18n.gettext("Payment"), render.words_for(row.payment_state) if row.payment_state else ""),
            (i18n.gettext("Invoice title"), row.invoice_title),
            (i18n.gettext("Tax number"), row.tax_number),
            (i18n.gettext("Ticket source"), row.ticket_source),
        ],
        answers=lines,
        consents=[
            ConsentLine(
                texts[number].title.in_(locale),
                texts[number].version,
                one.is_given,
                render.moment(one.at, event.time_zone),
                LANGUAGES.get(one.locale, one.locale),
            )
            for number, one in sorted(
                said.consents.items(), key=lambda item: (texts[item[0]].position, texts[item[0]].version)
            )
        ],
        document=i18n.gettext(ID_KINDS[document.kind]) if document else "",
        may_see_document=door.may(Permission.SEE_IDENTITY),
        change_href=render.url("events.desk.registration_answers", slug=event.slug, registration_id=row.id)
        if door.may(Permission.CHANGE_REGISTRATIONS)
        else "",
    )


async def _get(request: Request, door: Door) -> RegistrationRow:
    number = shared.whole_id(request.path_params["registration_id"])
    row = await queries.find_registration(door.event.id, number) if number else None
    if row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    return row


# --- changing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AnswersPage(DeskPage):
    template: ClassVar[str] = "events/desk/registration_answers.html"
    name: str
    back_href: str
    list_href: str
    payments: Sequence[tuple[str, str]]
    sheet: Sheet


async def _for_desk(door: Door) -> Asked:
    """An organiser fills in what they know: nothing is required, nobody agrees for others, and who does not see
    personal answers is not asked them.
    """
    what = await questionnaire.asked(door.event)
    sees = door.may(Permission.SEE_PERSONAL)
    asked = [replace(one, is_required=False) for one in what.questions if sees or not one.is_personal]
    return Asked(door.event, asked, (), is_for_others=True)


async def _change(request: Request, door: Door) -> Response:
    row = await _get(request, door)
    what = await _for_desk(door)
    if request.method != "POST":
        stored = (await answers.of([row.id]))[row.id]
        shop = {name: getattr(row, name) for name in Shop.__dataclass_fields__}
        return await _form(
            request, door, row, what, values=shop, reading=questionnaire.answered(what, stored)
        )
    data = await questionnaire.posted(request, what)
    values, at = shared.typed_values(data), shared.now()
    reading = await questionnaire.read(
        what, data, ticket_type_id=row.ticket_type_id, actor_key=door.actor.key, at=at
    )
    shop_given = Shop(**{name: values.get(name, "") for name in Shop.__dataclass_fields__})
    problems = {**shop_given.problems(), **reading.problems}
    if problems:
        return await _form(request, door, row, what, values=values, reading=reading, problems=problems)
    try:
        await extras.change(
            actor=door.actor,
            event_id=door.event.id,
            registration_id=row.id,
            shop=shop_given,
            extras=reading.extras,
            asked=[one.id for one in what.of(row.ticket_type_id) if one.id in reading.asked],
            locale=i18n.current_locale(),
            at=at,
        )
    except Invalid as refusal:
        reading = reading.without_file(refusal.fields)
        return await _form(request, door, row, what, values=values, reading=reading, problems=refusal.fields)
    href = render.url("events.desk.registration", slug=door.event.slug, registration_id=row.id)
    return render.see_other(render.with_query(href, done="saved"))


async def _form(
    request: Request,
    door: Door,
    row: RegistrationRow,
    what: Asked,
    *,
    values: Mapping[str, Any],
    reading: Reading,
    problems: Mapping[str, Problem] | None = None,
) -> Response:
    slug = door.event.slug
    page = AnswersPage(
        **access.frame(door, "events.desk.registrations"),
        values=values,
        problems=problems or {},
        name=row.contact.name,
        back_href=render.url("events.desk.registration", slug=slug, registration_id=row.id),
        list_href=render.url("events.desk.registrations", slug=slug),
        payments=[(str(state), render.words_for(state)) for state in PaymentState],
        sheet=questionnaire.sheet(
            what,
            ticket_type_id=row.ticket_type_id,
            reading=reading,
            only_asked=True,
            files_base=f"{render.url('events.desk.registration', slug=slug, registration_id=row.id)}/files",
        ),
    )
    return await render.page(request, page, 422 if problems else 200)


# --- files and documents -----------------------------------------------------------------------------------------


def file_response(data: bytes, filename: str) -> Response:
    """A file that somebody uploaded: to be saved, never to be shown by a browser as a page of ours."""
    return Response(
        data,
        media_type="application/octet-stream",
        headers={
            **shared.attachment(filename),
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox",
        },
    )


async def _file(request: Request, door: Door) -> Response:
    data, filename = await answers.file_of(
        event_id=door.event.id,
        registration_id=shared.whole_id(request.path_params["registration_id"]) or 0,
        question_id=shared.whole_id(request.path_params["question_id"]) or 0,
    )
    return file_response(data, filename)


@dataclass(frozen=True, kw_only=True)
class DocumentPage(DeskPage):
    template: ClassVar[str] = "events/desk/identity.html"
    name: str
    kind: str
    number: str
    back_href: str


async def _document(request: Request, door: Door) -> Response:
    """Shows one document in clear, for this answer only: by POST, because looking is journalled."""
    row = await _get(request, door)
    back = render.url("events.desk.registration", slug=door.event.slug, registration_id=row.id)
    data = shared.typed_values(await forms.form_data(request, max_files=0))
    named: dict[str, Any] = {"actor": door.actor, "event_id": door.event.id, "at": shared.now()}
    if data.get("act") == "remove":
        await identity.remove(**named, registration_id=row.id)
        return render.see_other(render.with_query(back, done="removed"))
    shown = (await identity.show(**named, registration_ids=[row.id]))[row.id]
    page = DocumentPage(
        **access.frame(door, "events.desk.registrations"),
        name=row.contact.name,
        kind=i18n.gettext(ID_KINDS[shown.kind]),
        number=shown.number,
        back_href=back,
    )
    return await render.page(request, page)


#: Registrations looked at in one step of an export; what is read lies in memory in clear.
STEP: Final = 500


async def _documents(request: Request, door: Door) -> Response:
    """Every document of the event as a list, in steps that are each a line of the journal."""
    if door.event.id_document_days is None:
        raise NotFound(IdentityCode.UNKNOWN)
    titles = [
        i18n.gettext("Full name"),
        i18n.gettext("Kind of document"),
        i18n.gettext("Document number"),
        i18n.gettext("Registration"),
    ]
    rows: list[list[str | int]] = []
    after = 0
    while part := await queries.export_rows(door.event.id, after, STEP):
        after = part[-1].id
        shown = await identity.show(
            actor=door.actor,
            event_id=door.event.id,
            registration_ids=[0, *(row.id for row in part)],
            at=shared.now(),
        )
        rows += [
            [row.contact.name, i18n.gettext(ID_KINDS[shown[row.id].kind]), shown[row.id].number, row.id]
            for row in part
            if row.id in shown
        ]
    data = b"".join(to_csv(titles, rows))
    return Response(
        data,
        media_type="text/csv; charset=utf-8",
        headers=shared.attachment(f"{door.event.slug}-identity.csv"),
    )


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/desk/registrations/{registration_id}/answers",
        _change,
        "events.desk.registration_answers",
        Permission.CHANGE_REGISTRATIONS,
        ("GET", "POST"),
        body_max=questionnaire.BODY_MAX,
    ),
    access.route(
        "/e/{slug}/desk/registrations/{registration_id}/files/{question_id}",
        _file,
        "events.desk.registration_file",
        Permission.SEE_PERSONAL,
    ),
    access.route(
        "/e/{slug}/desk/registrations/{registration_id}/identity",
        _document,
        "events.desk.registration_identity",
        Permission.SEE_IDENTITY,
        ("POST",),
    ),
    access.route(
        "/e/{slug}/desk/form/identity.csv",
        _documents,
        "events.desk.form_identity",
        Permission.SEE_IDENTITY,
        ("POST",),
    ),
]
