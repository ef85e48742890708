"""The approval queue: what people applied with, some or all approved or declined, with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, answers, approval, queries
from events.access import Door
from events.answers import Answers
from events.desk import shared
from events.desk.shared import DeskPage
from events.form_rules import Question, in_words
from events.queries import RegistrationRow
from events.rules import Permission
from kernel.errors import Code, Invalid, Problem
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.approvals"
#: Applications on one page; "all" decides about those behind it too.
SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Application:
    id: int
    href: str
    name: str
    about: str
    ticket_type: str
    applied: str
    ticket_source: str
    #: (question, answer)
    answers: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/approvals.html"
    rows: Sequence[Application]
    total: int
    types: Sequence[tuple[str, str, int | None, bool]]
    #: the ticket type that the page is narrowed to, "" for all
    chosen: str
    #: Ids that were ticked, after a refusal.
    ticked: frozenset[str]
    decide_href: str
    has_approval: bool
    ticket_types_href: str
    most: int


async def _list(request: Request, door: Door) -> Response:
    return await _show(request, door)


async def _show(
    request: Request,
    door: Door,
    *,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    ticked: frozenset[str] = frozenset(),
    chosen: int | None = None,
) -> Response:
    event, slug, locale = door.event, door.event.slug, i18n.current_locale()
    types = {item.id: item for item in await queries.ticket_types(event.id)}
    chosen = chosen or shared.whole_id(request.query_params.get("type"))
    chosen = chosen if chosen in types else None
    found = await approval.applications(event.id, ticket_type_id=chosen, most=SHOWN)
    # A list of applications is read by whoever decides: what is marked personal stands on each one's own page.
    asked = [one for one in await answers.questions(event.id, everything=True) if not one.is_personal]
    given = await answers.of([row.id for row in found.rows]) if asked else {}
    here = render.url(LIST, slug=slug)
    names = {number: item.name.in_(locale) for number, item in types.items()}
    chips = [(i18n.gettext("All"), here, sum(found.by_ticket_type.values()), chosen is None)]
    chips += [
        (names[number], render.with_query(here, type=number), count, number == chosen)
        for number in types
        if (count := found.by_ticket_type.get(number, 0))
    ]
    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=_done(request),
            values=values or {},
            problems=dict(problems or {}),
            rows=[
                _application(
                    row,
                    asked=asked,
                    given=given.get(row.id),
                    names=names,
                    slug=slug,
                    zone=event.time_zone,
                )
                for row in found.rows
            ],
            total=found.total,
            types=chips if len(chips) > 2 else [],
            chosen=str(chosen or ""),
            ticked=ticked,
            decide_href=render.url("events.desk.decisions", slug=slug),
            has_approval=any(item.needs_approval for item in types.values()),
            ticket_types_href=render.url("events.desk.ticket_types", slug=slug)
            if door.may(Permission.CHANGE_EVENT)
            else "",
            most=approval.REASON_AT_MOST,
        ),
        422 if problems else 200,
    )


def _done(request: Request) -> str:
    """How many were decided about, out of the address after the redirect."""
    params = request.query_params
    count = shared.whole_id(params.get("n"))
    if count is None or params.get("done") not in ("approved", "declined"):
        return ""
    if params["done"] == "approved":
        return i18n.ngettext(
            "%(num)d approved. The letter is on its way.",
            "%(num)d approved. The letters are on their way.",
            count,
        ) % {"num": count}
    return i18n.ngettext(
        "%(num)d declined. The letter is on its way.",
        "%(num)d declined. The letters are on their way.",
        count,
    ) % {"num": count}


def _application(
    row: RegistrationRow,
    *,
    asked: Sequence[Question],
    given: Answers | None,
    names: Mapping[int, str],
    slug: str,
    zone: str,
) -> Application:
    locale = i18n.current_locale()
    said = []
    for question in asked:
        answer = given.answers.get(question.id) if given else None
        words = (in_words(question, answer.value, locale=locale) or answer.filename) if answer else ""
        if words:
            said.append((question.label.in_(locale), words))
    contact = row.contact
    return Application(
        id=row.id,
        href=render.url("events.desk.registration", slug=slug, registration_id=row.id),
        name=contact.name,
        about=shared.joined(contact.organisation, contact.position),
        ticket_type=names.get(row.ticket_type_id, ""),
        applied=render.moment(row.created_at, zone),
        ticket_source=row.ticket_source,
        answers=said,
    )


async def _decide(request: Request, door: Door) -> Response:
    data = await forms.form_data(request, max_fields=SHOWN + 20)
    values = shared.typed_values(data)
    ticked = frozenset(shared.chosen_many(data, "registration"))
    chosen = shared.whole_id(values.get("type"))
    whole = values.get("scope") == "all"
    ids: Sequence[int] = (
        await approval.pending_ids(door.event.id, ticket_type_id=chosen)
        if whole
        else [number for raw in sorted(ticked) if (number := shared.whole_id(raw)) is not None]
    )
    declines = values.get("decision") == "decline"
    done = 0
    problems: dict[str, Problem] = {}
    if values.get("decision") not in ("approve", "decline"):
        problems["decision"] = Problem(Code.NOT_A_CHOICE)
    elif not ids and not whole:
        problems["registration"] = Problem("nobody_ticked")
    if not problems:
        try:
            if declines:
                done = await approval.decline(
                    actor=door.actor,
                    event_id=door.event.id,
                    registration_ids=ids,
                    at=shared.now(),
                    reason=values.get("reason", ""),
                )
            else:
                done = await approval.approve(
                    actor=door.actor, event_id=door.event.id, registration_ids=ids, at=shared.now()
                )
        except Invalid as refusal:
            problems = refusal.fields
    if problems:
        return await _show(request, door, values=values, problems=problems, ticked=ticked, chosen=chosen)
    here = render.url(LIST, slug=door.event.slug)
    return render.see_other(
        render.with_query(here, type=chosen, done="declined" if declines else "approved", n=done)
    )


_MAY: Final = Permission.CHANGE_REGISTRATIONS
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/approvals", _list, LIST, _MAY),
    access.route("/e/{slug}/desk/approvals/decisions", _decide, "events.desk.decisions", _MAY, ("POST",)),
]
