"""JSON of what organisers set up: ticket types, shared quotas, access codes, the form, sites, pages, reminders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from events import access, answers, custom_pages, queries, quotas, reminders, tickets
from events.access import Door
from events.json_api import (
    Body,
    Line,
    Localized,
    Moment,
    Number,
    OnceBody,
    Query,
    RowId,
    Shape,
    answer,
    given,
    localized,
    now,
    once,
    read_body,
    read_query,
)
from events.queries import TicketTypeFacts
from events.reminder_rules import ReminderCode
from events.reminders import ReminderFacts
from events.rules import EventCode, FieldKind, Permission, TicketRole
from events.ticket_rules import AccessCodeDetails, SharedQuotaDetails, TicketTypeDetails, fold_code
from events.tickets import AccessCodeFacts, SharedQuotaFacts
from kernel.db import unit_of_work
from kernel.errors import Code, NotFound
from web.api_doc import ApiDoc
from web.routing import Entry

# --- ticket types ------------------------------------------------------------------------------------------------


class TicketType(Shape):
    """What one can register as. `free` is the least of its own and the shared quota, null where nobody counts."""

    id: int
    code: str
    name: dict[str, str]
    description: dict[str, str]
    door_note: dict[str, str]
    role: TicketRole
    site_id: int | None
    is_online: bool
    quota: int | None
    taken: int
    free: int | None
    shared_quota_id: int | None
    has_waitlist: bool
    opens_at: datetime | None
    closes_at: datetime | None
    is_public: bool
    needs_code: bool
    needs_approval: bool
    is_walk_in: bool
    position: int


class TicketTypes(Shape):
    ticket_types: list[TicketType]


class _TicketTypeFields(Body):
    description: Localized = Field(default_factory=dict)
    door_note: Localized = Field(default_factory=dict)
    role: TicketRole = TicketRole.ATTENDEE
    site_id: RowId | None = None
    is_online: bool = False
    quota: Number | None = None
    shared_quota_id: RowId | None = None
    has_waitlist: bool = False
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    is_public: bool = True
    needs_code: bool = False
    needs_approval: bool = False
    is_walk_in: bool = False
    position: Annotated[int, Field(ge=0, le=10_000)] = 0


class NewTicketType(_TicketTypeFields, OnceBody):
    """A ticket type; what is left out is as the desk's empty form has it."""

    code: Line
    name: Localized


class TicketTypeChange(_TicketTypeFields):
    """What is left out stays."""

    code: Line = ""
    name: Localized = Field(default_factory=dict)


def _texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Bilingual fields as the decisions take them."""
    return {name: localized(value) if isinstance(value, dict) else value for name, value in values.items()}


async def _once_under_lock(
    request: Request, door: Door, body: Body, change: Callable[[], Awaitable[None]], at: datetime
) -> None:
    """A change that reads what it changes under the lock that it takes: of two at once neither undoes the other."""

    async def act() -> Mapping[str, Any]:
        async with unit_of_work():
            await quotas.hold(door.event.id)
            await change()
        return {}

    await once(request, door, body, act, at=at, required=False)


async def _ticket_types(request: Request, door: Door) -> Response:
    del request
    found = await queries.ticket_types(door.event.id)
    return answer(TicketTypes(ticket_types=[TicketType.model_validate(item) for item in found]))


async def _ticket_type(door: Door, ticket_type_id: int) -> TicketTypeFacts:
    found = await queries.find_ticket_type(door.event.id, ticket_type_id)
    if found is None:
        raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
    return found


async def _add_ticket_type(request: Request, door: Door) -> Response:
    body, at = await read_body(request, NewTicketType), now()
    details = TicketTypeDetails(**_texts(given(body)))

    async def add() -> Mapping[str, Any]:
        return {"id": await tickets.add(actor=door.actor, event_id=door.event.id, details=details, at=at)}

    made = await once(request, door, body, add, at=at)
    return answer(TicketType.model_validate(await _ticket_type(door, made["id"])), 201)


async def _change_ticket_type(request: Request, door: Door) -> Response:
    body, at = await read_body(request, TicketTypeChange), now()
    number = int(request.path_params["ticket_type_id"])

    async def change() -> None:
        old = await _ticket_type(door, number)
        details = TicketTypeDetails(
            **{item.name: getattr(old, item.name) for item in fields(TicketTypeDetails)}
        )
        await tickets.change(
            actor=door.actor,
            event_id=door.event.id,
            ticket_type_id=number,
            details=replace(details, **_texts(given(body))),
            at=at,
        )

    await _once_under_lock(request, door, body, change, at)
    return answer(TicketType.model_validate(await _ticket_type(door, number)))


# --- shared quotas -----------------------------------------------------------------------------------------------


class SharedQuota(Shape):
    """One limit over several ticket types."""

    id: int
    name: dict[str, str]
    quota: int
    taken: int
    ticket_type_ids: list[int]


class SharedQuotas(Shape):
    shared_quotas: list[SharedQuota]


class NewSharedQuota(OnceBody):
    name: Localized
    quota: Number


class SharedQuotaChange(Body):
    """What is left out stays."""

    name: Localized = Field(default_factory=dict)
    quota: Number = 0


async def _shared_quotas(request: Request, door: Door) -> Response:
    del request
    found = await tickets.shared_quotas(door.event.id)
    return answer(SharedQuotas(shared_quotas=[SharedQuota.model_validate(one) for one in found]))


async def _shared_quota(door: Door, shared_quota_id: int) -> SharedQuotaFacts:
    for one in await tickets.shared_quotas(door.event.id):
        if one.id == shared_quota_id:
            return one
    raise NotFound(EventCode.SHARED_QUOTA_UNKNOWN)


async def _add_shared_quota(request: Request, door: Door) -> Response:
    body, at = await read_body(request, NewSharedQuota), now()
    details = SharedQuotaDetails(**_texts(given(body)))

    async def add() -> Mapping[str, Any]:
        number = await tickets.add_shared_quota(
            actor=door.actor, event_id=door.event.id, details=details, at=at
        )
        return {"id": number}

    made = await once(request, door, body, add, at=at)
    return answer(SharedQuota.model_validate(await _shared_quota(door, made["id"])), 201)


async def _change_shared_quota(request: Request, door: Door) -> Response:
    body, at = await read_body(request, SharedQuotaChange), now()
    number = int(request.path_params["shared_quota_id"])

    async def change() -> None:
        old = await _shared_quota(door, number)
        details = SharedQuotaDetails(name=old.name, quota=old.quota)
        await tickets.change_shared_quota(
            actor=door.actor,
            event_id=door.event.id,
            shared_quota_id=number,
            details=replace(details, **_texts(given(body))),
            at=at,
        )

    await _once_under_lock(request, door, body, change, at)
    return answer(SharedQuota.model_validate(await _shared_quota(door, number)))


# --- access codes ------------------------------------------------------------------------------------------------


class AccessCode(Shape):
    """What a code opens, how often (null: as often as people like), and where its tickets come from."""

    id: int
    code: str
    ticket_type_ids: list[int]
    ticket_source: str
    max_uses: int | None
    used: int
    valid_until: datetime | None
    is_active: bool
    created_at: datetime


class AccessCodes(Shape):
    """Some access codes, the newest first; `next` goes into `cursor`, null at the end."""

    total: int
    next: str | None
    access_codes: list[AccessCode]


class AccessCodesQuery(Query):
    q: Line = Field(default="", description="Part of the code or of where its tickets come from.")
    cursor: Annotated[str, StringConstraints(pattern="^[1-9][0-9]{0,5}$")] | None = None


class _AccessCodeFields(Body):
    ticket_source: Line = ""
    max_uses: Number | None = None
    valid_until: Moment | None = None
    is_active: bool = True


class NewAccessCode(_AccessCodeFields, OnceBody):
    """Left out, `max_uses` and `valid_until` are without limit."""

    code: Line
    ticket_type_ids: list[RowId] = Field(max_length=500)


class AccessCodeChange(_AccessCodeFields):
    """What is left out stays."""

    code: Line = ""
    ticket_type_ids: list[RowId] = Field(default=[], max_length=500)


def _code_values(body: Body) -> dict[str, Any]:
    values = given(body)
    if "code" in values:
        values["code"] = fold_code(values["code"])
    if "ticket_type_ids" in values:
        values["ticket_type_ids"] = frozenset(values["ticket_type_ids"])
    return values


async def _access_codes(request: Request, door: Door) -> Response:
    query = read_query(request, AccessCodesQuery)
    page = int(query.cursor or 1)
    found = await tickets.access_codes(door.event.id, text=query.q.upper(), page=page)
    # Beyond the last page there is nothing, not the last page again.
    rows = found.rows if found.page == page else []
    return answer(
        AccessCodes(
            total=found.total,
            next=str(page + 1) if page < found.pages else None,
            access_codes=[AccessCode.model_validate(one) for one in rows],
        )
    )


async def _access_code(door: Door, access_code_id: int) -> AccessCodeFacts:
    found = await tickets.find_access_code(door.event.id, access_code_id)
    if found is None:
        raise NotFound(Code.NOT_FOUND)
    return found


async def _add_access_code(request: Request, door: Door) -> Response:
    body, at = await read_body(request, NewAccessCode), now()
    details = AccessCodeDetails(**_code_values(body))

    async def add() -> Mapping[str, Any]:
        number = await tickets.add_access_code(
            actor=door.actor, event_id=door.event.id, details=details, at=at
        )
        return {"id": number}

    made = await once(request, door, body, add, at=at)
    return answer(AccessCode.model_validate(await _access_code(door, made["id"])), 201)


async def _change_access_code(request: Request, door: Door) -> Response:
    body, at = await read_body(request, AccessCodeChange), now()
    number = int(request.path_params["access_code_id"])

    async def change() -> None:
        old = await _access_code(door, number)
        await tickets.change_access_code(
            actor=door.actor,
            event_id=door.event.id,
            access_code_id=number,
            details=replace(old.details, **_code_values(body)),
            at=at,
        )

    await _once_under_lock(request, door, body, change, at)
    return answer(AccessCode.model_validate(await _access_code(door, number)))


# --- the form ----------------------------------------------------------------------------------------------------


class Option(Shape):
    code: str
    label: dict[str, str]


class Question(Shape):
    """A question of the organisers' own; without ticket types it is asked of all."""

    id: int
    code: str
    kind: FieldKind
    label: dict[str, str]
    help: dict[str, str]
    options: list[Option]
    is_required: bool
    is_personal: bool
    is_active: bool
    position: int
    ticket_type_ids: list[int]


class Questions(Shape):
    questions: list[Question]


class Consent(Shape):
    """One version of something that people agree to; the current one is asked for today."""

    id: int
    code: str
    version: int
    title: dict[str, str]
    text: dict[str, str]
    is_required: bool
    is_current: bool
    position: int
    created_at: datetime | None


class Consents(Shape):
    consents: list[Consent]


async def _questions(request: Request, door: Door) -> Response:
    del request
    found = await answers.questions(door.event.id, everything=True)
    return answer(Questions(questions=[Question.model_validate(one) for one in found]))


async def _consents(request: Request, door: Door) -> Response:
    del request
    found = await answers.consent_texts(door.event.id, everything=True)
    return answer(Consents(consents=[Consent.model_validate(one) for one in found]))


# --- sites and pages ---------------------------------------------------------------------------------------------


class Site(Shape):
    """A part of the event in another city."""

    id: int
    code: str
    name: dict[str, str]
    city: dict[str, str]
    address: dict[str, str]
    position: int


class Sites(Shape):
    sites: list[Site]


class Page(Shape):
    """One of the event's own pages, in Markdown."""

    id: int
    slug: str
    title: dict[str, str]
    text: dict[str, str]
    is_published: bool
    position: int
    updated_at: datetime


class Pages(Shape):
    pages: list[Page]


async def _sites(request: Request, door: Door) -> Response:
    del request
    return answer(Sites(sites=[Site.model_validate(one) for one in await queries.sites(door.event.id)]))


async def _pages(request: Request, door: Door) -> Response:
    del request
    return answer(Pages(pages=[Page.model_validate(one) for one in await custom_pages.listed(door.event.id)]))


# --- reminders ---------------------------------------------------------------------------------------------------


class Reminder(Shape):
    """A letter to everybody who comes; once `queued_at` is set, its letters stand in the outbox."""

    days_before: int
    subject: dict[str, str]
    text: dict[str, str]
    is_on: bool
    leaves_at: datetime
    queued_at: datetime | None
    queued_count: int


class Reminders(Shape):
    reminders: list[Reminder]


class ReminderChange(Body):
    """What is left out stays."""

    subject: Localized = Field(default_factory=dict)
    text: Localized = Field(default_factory=dict)
    is_on: bool = True


async def _reminders(request: Request, door: Door) -> Response:
    del request
    found = await reminders.of_event(door.event)
    return answer(Reminders(reminders=[Reminder.model_validate(one) for one in found]))


async def _change_reminder(request: Request, door: Door) -> Response:
    body, at = await read_body(request, ReminderChange), now()
    days = int(request.path_params["days"])

    async def change() -> Mapping[str, Any]:
        old: ReminderFacts = await reminders.find(door.event, days)
        sent = _texts(given(body))
        await reminders.change(
            actor=door.actor,
            event=door.event,
            days_before=days,
            subject=sent.get("subject", old.subject),
            text=sent.get("text", old.text),
            is_on=sent.get("is_on", old.is_on),
            at=at,
        )
        return {}

    await once(request, door, body, change, at=at, required=False)
    return answer(Reminder.model_validate(await reminders.find(door.event, days)))


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/api/ticket-types",
        _ticket_types,
        "events.api.ticket_types",
        Permission.CHANGE_EVENT,
        api=ApiDoc(tag="Tickets", summary="The ticket types in their order.", answer=TicketTypes),
    ),
    access.route(
        "/e/{slug}/api/ticket-types",
        _add_ticket_type,
        "events.api.ticket_type_new",
        Permission.CHANGE_EVENT,
        ("POST",),
        api=ApiDoc(
            tag="Tickets",
            summary="Adds a ticket type.",
            answer=TicketType,
            status=201,
            body=NewTicketType,
            is_once=True,
            refusals={422: (EventCode.TICKET_CODE_TAKEN, EventCode.WINDOW_REVERSED)},
        ),
    ),
    access.route(
        "/e/{slug}/api/ticket-types/{ticket_type_id:int}",
        _change_ticket_type,
        "events.api.ticket_type",
        Permission.CHANGE_EVENT,
        ("PATCH",),
        api=ApiDoc(
            tag="Tickets",
            summary="Changes what is sent of a ticket type; more places move the waiting list up at once.",
            answer=TicketType,
            body=TicketTypeChange,
            is_once=True,
            refusals={404: (EventCode.TICKET_TYPE_UNKNOWN,), 422: (EventCode.QUOTA_BELOW_TAKEN,)},
        ),
    ),
    access.route(
        "/e/{slug}/api/shared-quotas",
        _shared_quotas,
        "events.api.shared_quotas",
        Permission.CHANGE_EVENT,
        api=ApiDoc(tag="Tickets", summary="Quotas that several ticket types share.", answer=SharedQuotas),
    ),
    access.route(
        "/e/{slug}/api/shared-quotas",
        _add_shared_quota,
        "events.api.shared_quota_new",
        Permission.CHANGE_EVENT,
        ("POST",),
        api=ApiDoc(
            tag="Tickets",
            summary="Adds a shared quota; ticket types join it by their `shared_quota_id`.",
            answer=SharedQuota,
            status=201,
            body=NewSharedQuota,
            is_once=True,
        ),
    ),
    access.route(
        "/e/{slug}/api/shared-quotas/{shared_quota_id:int}",
        _change_shared_quota,
        "events.api.shared_quota",
        Permission.CHANGE_EVENT,
        ("PATCH",),
        api=ApiDoc(
            tag="Tickets",
            summary="Changes what is sent of a shared quota.",
            answer=SharedQuota,
            body=SharedQuotaChange,
            is_once=True,
            refusals={404: (EventCode.SHARED_QUOTA_UNKNOWN,), 422: (EventCode.QUOTA_BELOW_TAKEN,)},
        ),
    ),
    access.route(
        "/e/{slug}/api/access-codes",
        _access_codes,
        "events.api.access_codes",
        Permission.CHANGE_EVENT,
        api=ApiDoc(
            tag="Tickets",
            summary="Access codes, the newest first, a page at a time.",
            answer=AccessCodes,
            query=AccessCodesQuery,
        ),
    ),
    access.route(
        "/e/{slug}/api/access-codes",
        _add_access_code,
        "events.api.access_code_new",
        Permission.CHANGE_EVENT,
        ("POST",),
        api=ApiDoc(
            tag="Tickets",
            summary="Adds an access code.",
            answer=AccessCode,
            status=201,
            body=NewAccessCode,
            is_once=True,
            refusals={422: (EventCode.ACCESS_CODE_TAKEN, EventCode.TICKET_TYPE_UNKNOWN)},
        ),
    ),
    access.route(
        "/e/{slug}/api/access-codes/{access_code_id:int}",
        _change_access_code,
        "events.api.access_code",
        Permission.CHANGE_EVENT,
        ("PATCH",),
        api=ApiDoc(
            tag="Tickets",
            summary="Changes what is sent of an access code; switched off it opens nothing.",
            answer=AccessCode,
            body=AccessCodeChange,
            is_once=True,
            refusals={422: (EventCode.ACCESS_CODE_TAKEN, EventCode.USES_BELOW_USED)},
        ),
    ),
    access.route(
        "/e/{slug}/api/questions",
        _questions,
        "events.api.questions",
        Permission.CHANGE_EVENT,
        api=ApiDoc(
            tag="Form", summary="The form's own questions, switched-off ones among them.", answer=Questions
        ),
    ),
    access.route(
        "/e/{slug}/api/consents",
        _consents,
        "events.api.consents",
        Permission.CHANGE_EVENT,
        api=ApiDoc(tag="Form", summary="The form's consents, every version.", answer=Consents),
    ),
    access.route(
        "/e/{slug}/api/sites",
        _sites,
        "events.api.sites",
        Permission.CHANGE_EVENT,
        api=ApiDoc(tag="Event", summary="The event's sites in other cities.", answer=Sites),
    ),
    access.route(
        "/e/{slug}/api/pages",
        _pages,
        "events.api.pages",
        Permission.CHANGE_EVENT,
        api=ApiDoc(tag="Event", summary="The event's own pages, unpublished ones among them.", answer=Pages),
    ),
    access.route(
        "/e/{slug}/api/reminders",
        _reminders,
        "events.api.reminders",
        Permission.SEE_OUTBOX,
        api=ApiDoc(tag="Letters", summary="Letters to everybody, a week and a day before.", answer=Reminders),
    ),
    access.route(
        "/e/{slug}/api/reminders/{days:int}",
        _change_reminder,
        "events.api.reminder",
        Permission.SEE_OUTBOX,
        ("PATCH",),
        api=ApiDoc(
            tag="Letters",
            summary="Changes what is sent of a reminder, by its days before.",
            answer=Reminder,
            body=ReminderChange,
            is_once=True,
            refusals={
                409: (ReminderCode.REMINDER_SENT,),
                422: (ReminderCode.PLACEHOLDER_UNKNOWN,),
            },
        ),
    ),
]
