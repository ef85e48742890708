"""The registration form at the desk: its questions and consents, how often each was answered, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from events import access, answers, queries, questions
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage
from events.form_rules import (
    ConsentDetails,
    ConsentFacts,
    Question,
    QuestionDetails,
    options_text,
    parse_options,
)
from events.rules import FieldKind, Permission
from kernel.errors import Conflict, Invalid
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.form"


# --- the list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuestionLine:
    href: str
    move_href: str
    label: str
    kind: str
    types: str
    is_required: bool
    is_personal: bool
    is_active: bool
    answered: int


@dataclass(frozen=True, slots=True)
class ConsentLine:
    href: str
    title: str
    version: int
    is_required: bool
    given: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/form.html"
    questions: Sequence[QuestionLine]
    consents: Sequence[ConsentLine]
    #: Consents that are asked no more, with their latest version.
    withdrawn: Sequence[ConsentLine]
    documents_until: str
    may_see_documents: bool
    preview_href: str


async def _list(request: Request, door: Door) -> Response:
    event, locale, slug = door.event, i18n.current_locale(), door.event.slug
    types = {item.id: item.name.in_(locale) for item in await queries.ticket_types(event.id)}
    answered = await questions.answered(event.id)
    texts = await answers.consent_texts(event.id, everything=True)
    counts = await questions.consent_counts(event.id)
    latest = {one.code: one for one in sorted(texts, key=lambda one: one.version)}

    def consent_line(one: ConsentFacts) -> ConsentLine:
        # What people said counts for the version that they read; the line shows the current one's.
        count = counts.get(one.id, questions.ConsentCounts())
        return ConsentLine(
            href=render.url("events.desk.form_consent", slug=slug, text_id=one.id),
            title=one.title.in_(locale),
            version=one.version,
            is_required=one.is_required,
            given=count.given,
            refused=count.refused,
        )

    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            questions=[
                QuestionLine(
                    href=render.url("events.desk.form_question", slug=slug, question_id=one.id),
                    move_href=render.url("events.desk.form_question_position", slug=slug, question_id=one.id),
                    label=one.label.in_(locale),
                    kind=render.words_for(one.kind),
                    types=i18n.gettext(", ").join(
                        types[number] for number in sorted(one.ticket_type_ids) if number in types
                    ),
                    is_required=one.is_required,
                    is_personal=one.is_personal,
                    is_active=one.is_active,
                    answered=answered.get(one.id, 0),
                )
                for one in await answers.questions(event.id, everything=True)
            ],
            consents=[consent_line(one) for one in texts if one.is_current],
            withdrawn=[consent_line(one) for one in latest.values() if not one.is_current],
            documents_until=str(event.id_document_days) if event.id_document_days is not None else "",
            may_see_documents=door.may(Permission.SEE_IDENTITY),
            preview_href=render.url("events.register", slug=slug),
        ),
    )


# --- a question --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class QuestionPage(DeskPage):
    template: ClassVar[str] = "events/desk/form_question.html"
    #: empty for a new one
    name: str
    list_href: str
    kinds: Sequence[tuple[str, str]]
    types: Sequence[tuple[str, str]]
    chosen_types: Sequence[str]
    answered: int
    is_active: bool


async def _question_page(
    request: Request,
    door: Door,
    question: Question | None,
    values: Mapping[str, str],
    chosen: Sequence[str],
    *,
    refusal: Invalid | None = None,
    trouble: str = "",
    status: int = 200,
) -> Response:
    locale = i18n.current_locale()
    return await render.page(
        request,
        QuestionPage(
            **access.frame(door, LIST),
            values=values,
            problems=shared.at_boxes(refusal.fields, ("label", "help")) if refusal else {},
            trouble=trouble,
            name=question.label.in_(locale) if question else "",
            list_href=render.url(LIST, slug=door.event.slug),
            kinds=[(str(kind), render.words_for(kind)) for kind in FieldKind],
            types=[
                (str(item.id), item.name.in_(locale)) for item in await queries.ticket_types(door.event.id)
            ],
            chosen_types=chosen,
            answered=(await questions.answered(door.event.id)).get(question.id, 0) if question else 0,
            is_active=question.is_active if question else True,
        ),
        422 if refusal else status,
    )


def _as_values(question: Question) -> dict[str, str]:
    return {
        **shared.spread("label", question.label),
        **shared.spread("help", question.help),
        "code": question.code,
        "kind": str(question.kind),
        "options": options_text(question.options),
        "is_required": "1" if question.is_required else "",
        "is_personal": "1" if question.is_personal else "",
    }


def _details(
    values: Mapping[str, str], chosen: Sequence[str], old: Question | None, code: str
) -> QuestionDetails:
    kind = shared.word_of(FieldKind, values.get("kind"))
    details = QuestionDetails(
        code=values.get("code", "") or code,
        kind=kind or FieldKind.LINE,
        label=shared.gathered(values, "label", old.label if old else None),
        help=shared.gathered(values, "help", old.help if old else None),
        options=parse_options(values.get("options", ""), old.options if old else ()),
        is_required=bool(values.get("is_required")),
        is_personal=bool(values.get("is_personal")),
        is_active=old.is_active if old else True,
        ticket_type_ids=frozenset(number for text in chosen if (number := shared.whole_id(text))),
    )
    if kind in (FieldKind.CHOOSE_ONE, FieldKind.CHOOSE_MANY):
        return details
    return replace(details, options=())


async def _add_question(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _question_page(request, door, None, {"kind": "line", "is_personal": "1"}, ())
    data = await forms.form_data(request, max_files=0)
    values, chosen = shared.typed_values(data), shared.chosen_many(data, "types")
    taken = {one.code for one in await answers.questions(door.event.id, everything=True)}
    code = next(name for number in range(1, 1000) if (name := f"q{number}") not in taken)
    try:
        await questions.add(
            actor=door.actor,
            event_id=door.event.id,
            details=_details(values, chosen, None, code),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _question_page(request, door, None, values, chosen, refusal=refusal)
    return _done(door, "added")


async def _question(request: Request, door: Door) -> Response:
    event_id = door.event.id
    question = await questions.get(event_id, shared.whole_id(request.path_params["question_id"]) or 0)
    if request.method != "POST":
        chosen = [str(number) for number in sorted(question.ticket_type_ids)]
        return await _question_page(request, door, question, _as_values(question), chosen)
    data = await forms.form_data(request, max_files=0)
    values, chosen = shared.typed_values(data), shared.chosen_many(data, "types")
    named: dict[str, Any] = {
        "actor": door.actor,
        "event_id": event_id,
        "question_id": question.id,
        "at": shared.now(),
    }
    act = values.get("act", "save")
    try:
        if act in ("on", "off"):
            await questions.switch(**named, is_active=act == "on")
            return _done(door, "saved")
        if act == "remove":
            await questions.remove(**named)
            return _done(door, "removed")
        await questions.change(**named, details=_details(values, chosen, question, question.code))
    except Invalid as refusal:
        return await _question_page(request, door, question, values, chosen, refusal=refusal)
    except Conflict as refusal:
        words = render.words_for(refusal.code, refusal.params)
        return await _question_page(
            request,
            door,
            question,
            _as_values(question),
            [str(number) for number in sorted(question.ticket_type_ids)],
            trouble=words,
            status=409,
        )
    return _done(door, "saved")


async def _move_question(request: Request, door: Door) -> Response:
    values = shared.typed_values(await forms.form_data(request, max_files=0))
    await questions.move(
        actor=door.actor,
        event_id=door.event.id,
        question_id=shared.whole_id(request.path_params["question_id"]) or 0,
        up=values.get("direction") == "up",
        at=shared.now(),
    )
    return render.see_other(render.url(LIST, slug=door.event.slug))


def _done(door: Door, word: str) -> Response:
    return render.see_other(render.with_query(render.url(LIST, slug=door.event.slug), done=word))


# --- a consent ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    since: str
    is_current: bool
    is_required: bool
    title: str
    text: Markup | None
    given: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class ConsentPage(DeskPage):
    template: ClassVar[str] = "events/desk/form_consent.html"
    #: empty for a new one
    name: str
    list_href: str
    is_current: bool
    versions: Sequence[Version]


async def _consent_page(
    request: Request,
    door: Door,
    consent: ConsentFacts | None,
    values: Mapping[str, str],
    *,
    refusal: Invalid | None = None,
    trouble: str = "",
    status: int = 200,
) -> Response:
    locale, zone = i18n.current_locale(), door.event.time_zone
    versions: list[Version] = []
    if consent is not None:
        counts = await questions.consent_counts(door.event.id)
        every = await answers.consent_texts(door.event.id, everything=True)
        for one in sorted(every, key=lambda one: -one.version):
            if one.code != consent.code:
                continue
            count = counts.get(one.id, questions.ConsentCounts())
            text = one.text.in_(locale)
            versions.append(
                Version(
                    number=one.version,
                    since=render.moment(one.created_at, zone) if one.created_at else "",
                    is_current=one.is_current,
                    is_required=one.is_required,
                    title=one.title.in_(locale),
                    text=render.markdown(text) if text else None,
                    given=count.given,
                    refused=count.refused,
                )
            )
    return await render.page(
        request,
        ConsentPage(
            **access.frame(door, LIST),
            values=values,
            problems=shared.at_boxes(refusal.fields, ("title", "text")) if refusal else {},
            trouble=trouble,
            name=consent.title.in_(locale) if consent else "",
            list_href=render.url(LIST, slug=door.event.slug),
            is_current=consent.is_current if consent else True,
            versions=versions,
        ),
        422 if refusal else status,
    )


def _consent_details(values: Mapping[str, str], old: ConsentFacts | None, code: str) -> ConsentDetails:
    return ConsentDetails(
        code=old.code if old else values.get("code", "") or code,
        title=shared.gathered(values, "title", old.title if old else None),
        text=shared.gathered(values, "text", old.text if old else None),
        is_required=bool(values.get("is_required")),
    )


async def _add_consent(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _consent_page(request, door, None, {})
    values = shared.typed_values(await forms.form_data(request, max_files=0))
    taken = {one.code for one in await answers.consent_texts(door.event.id, everything=True)}
    code = next(name for number in range(1, 1000) if (name := f"c{number}") not in taken)
    try:
        await questions.add_consent(
            actor=door.actor,
            event_id=door.event.id,
            details=_consent_details(values, None, code),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _consent_page(request, door, None, values, refusal=refusal)
    return _done(door, "added")


async def _consent(request: Request, door: Door) -> Response:
    consent = await questions.consent(door.event.id, shared.whole_id(request.path_params["text_id"]) or 0)
    shown = {
        **shared.spread("title", consent.title),
        **shared.spread("text", consent.text),
        "code": consent.code,
        "is_required": "1" if consent.is_required else "",
    }
    if request.method != "POST":
        return await _consent_page(request, door, consent, shown)
    values = shared.typed_values(await forms.form_data(request, max_files=0))
    named: dict[str, Any] = {
        "actor": door.actor,
        "event_id": door.event.id,
        "text_id": consent.id,
        "at": shared.now(),
    }
    try:
        if values.get("act") == "withdraw":
            await questions.withdraw_consent(**named)
            return _done(door, "removed")
        await questions.change_consent(**named, details=_consent_details(values, consent, consent.code))
    except Invalid as refusal:
        return await _consent_page(request, door, consent, values, refusal=refusal)
    except Conflict as refusal:
        # Somebody else made a newer version meanwhile: what was typed is still here to be copied.
        words = render.words_for(refusal.code, refusal.params)
        return await _consent_page(request, door, consent, values, trouble=words, status=409)
    return _done(door, "saved")


_MAY: Final = Permission.CHANGE_EVENT
_BOTH: Final = ("GET", "POST")
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/form", _list, LIST, _MAY),
    access.route(
        "/e/{slug}/desk/form/questions/new", _add_question, "events.desk.form_question_new", _MAY, _BOTH
    ),
    access.route(
        "/e/{slug}/desk/form/questions/{question_id}", _question, "events.desk.form_question", _MAY, _BOTH
    ),
    access.route(
        "/e/{slug}/desk/form/questions/{question_id}/position",
        _move_question,
        "events.desk.form_question_position",
        _MAY,
        ("POST",),
    ),
    access.route(
        "/e/{slug}/desk/form/consents/new", _add_consent, "events.desk.form_consent_new", _MAY, _BOTH
    ),
    access.route("/e/{slug}/desk/form/consents/{text_id}", _consent, "events.desk.form_consent", _MAY, _BOTH),
]
