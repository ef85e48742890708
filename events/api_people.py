"""JSON of registrations, the approval queue, the waiting list, groups and partners' links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from events import (
    access,
    answers,
    approval,
    groups,
    masking,
    partner_links,
    queries,
    quotas,
    registrations,
    waitlist,
)
from events.access import Door
from events.contacts import clean_line, normalise_email
from events.desk.registrations import read_contact
from events.json_api import (
    PAGE_SIZE,
    Body,
    Cursor,
    Line,
    Moment,
    Number,
    OnceBody,
    Query,
    RowId,
    Shape,
    Text,
    answer,
    given,
    now,
    once,
    once_id,
    read_body,
    read_query,
)
from events.partner_links import LinkDetails, LinkFacts
from events.partner_rules import PartnerCode
from events.queries import Filter, RegistrationRow
from events.rules import CONTACT_FIELDS, EventCode, Permission, RegistrationSource, RegistrationState
from kernel.db import unit_of_work
from kernel.errors import Invalid, NotFound, Problem
from kernel.text import DEFAULT_LOCALE
from people.rules import mask_email
from web.api_doc import ApiDoc
from web.routing import Entry

# --- shapes ------------------------------------------------------------------------------------------------------


class Registration(Shape):
    """A registration. Without `has_contacts` e-mail and phone are half hidden and the shop's data is left out."""

    id: int
    ticket_type_id: int
    state: RegistrationState
    source: str
    locale: str
    name: str
    badge_name: str
    english_name: str
    email: str
    phone: str
    phone_last4: str
    organisation: str
    position: str
    has_contacts: bool
    external_id: str | None
    external_code: str | None
    ticket_source: str
    group_id: int | None
    waiting_since: datetime | None
    offer_until: datetime | None
    decided_at: datetime | None
    payment_state: str
    invoice_title: str
    tax_number: str
    merged_into_id: int | None
    erased_at: datetime | None
    created_at: datetime
    updated_at: datetime


class RegistrationWithAnswers(Registration):
    """One registration with what it answered, by the questions' codes; personal answers only with `has_contacts`."""

    answers: dict[str, Any]


class Registrations(Shape):
    """Some registrations, first come first; `next` goes into `cursor` for those that follow, null at the end."""

    total: int
    next: str | None
    registrations: list[Registration]


class Decided(Shape):
    """How many were decided about; who was decided about before is left out."""

    decided: int


class InLine(Shape):
    """Somebody on the waiting list (`place` from one), or with a place kept until `offer_until`."""

    registration_id: int
    ticket_type_id: int
    state: RegistrationState
    name: str
    organisation: str
    place: int | None
    since: datetime
    offer_until: datetime | None


class WaitingList(Shape):
    waiting: list[InLine]


class Group(Shape):
    """Several people registered by one, who looks after them."""

    id: int
    name: str
    contact_name: str
    contact_email: str
    has_contacts: bool
    people: int
    created_at: datetime


class Groups(Shape):
    groups: list[Group]


class PartnerLink(Shape):
    """A partner's or teacher's link; `taken` counts people who hold a place. Whoever has `url` may use it."""

    id: int
    name: str
    contact_name: str
    contact_email: str
    locale: str
    ticket_type_id: int
    quota: int
    taken: int
    valid_until: datetime | None
    ticket_source: str
    is_active: bool
    created_at: datetime
    url: str


class PartnerLinks(Shape):
    links: list[PartnerLink]


# --- what is asked -----------------------------------------------------------------------------------------------

_TAGS = Annotated[str, Field(pattern="^(zh-Hans|zh-Hant|en|ja|ko)$")]


class ContactsQuery(Query):
    contacts: bool = Field(
        default=False,
        description="Show contacts whole; takes the permission `see_personal`, and each look is journalled.",
    )


class RegistrationsQuery(ContactsQuery):
    q: Line = Field(
        default="",
        description="Part of a name or organisation, beginning of an address, last digits of a phone, ticket code.",
    )
    state: RegistrationState | None = None
    ticket_type_id: RowId | None = None
    cursor: Cursor | None = None
    limit: int = Field(default=PAGE_SIZE, ge=1, le=200)


class WaitingQuery(Query):
    ticket_type_id: RowId | None = None


class RegistrationChange(Body):
    """What is left out stays."""

    ticket_type_id: RowId | None = None
    name: Line = ""
    badge_name: Line = ""
    english_name: Line = ""
    email: Line = ""
    phone: Line = ""
    organisation: Line = ""
    position: Line = ""
    locale: _TAGS = DEFAULT_LOCALE
    external_id: Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")] = ""
    external_code: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""


class NewRegistration(RegistrationChange, OnceBody):
    """A person, by the team's own word: neither window nor access code hold. A name and one way to write are needed."""

    ticket_type_id: RowId
    name: Line


class Decision(OnceBody):
    """An organiser's word about applications. The reason stands in the letters of those declined, nowhere else."""

    registration_ids: list[RowId] = Field(min_length=1, max_length=approval.CHUNK)
    approve: bool
    reason: Text = ""


class NewPartnerLink(OnceBody):
    name: Line
    ticket_type_id: RowId
    quota: Number
    valid_until: Moment | None = None
    contact_name: Line = ""
    contact_email: Line = ""
    ticket_source: Line = ""
    locale: Annotated[str, Field(pattern="^(zh-Hans|en)$")] = DEFAULT_LOCALE


# --- registrations -----------------------------------------------------------------------------------------------


def _shape(row: RegistrationRow, *, shows: bool) -> dict[str, Any]:
    contact = row.contact if shows else masking.masked(row.contact)
    plain: dict[str, Any] = {
        name: getattr(row, name) for name in Registration.model_fields if hasattr(row, name)
    }
    plain |= {name: getattr(contact, name) for name in CONTACT_FIELDS}
    if not shows:
        # A ticket's code opens the door, and an invoice's title is a person's as often as a company's.
        plain |= {"external_code": None, "invoice_title": "", "tax_number": ""}
    return plain | {"has_contacts": shows}


def _shows(door: Door, query: ContactsQuery) -> bool:
    if query.contacts:
        door.require(Permission.SEE_PERSONAL)
    return query.contacts


async def _registrations(request: Request, door: Door) -> Response:
    query = read_query(request, RegistrationsQuery)
    shows = _shows(door, query)
    wanted = Filter(text=query.q[:100], state=query.state, ticket_type_id=query.ticket_type_id)
    rows, total, has_more = await queries.registrations_after(
        door.event.id, wanted, after_id=int(query.cursor or 0), limit=query.limit
    )
    if shows and rows:
        await masking.write_look(door, count=len(rows), at=now())
    return answer(
        Registrations(
            total=total,
            next=str(rows[-1].id) if has_more else None,
            registrations=[Registration(**_shape(row, shows=shows)) for row in rows],
        )
    )


async def _find(door: Door, registration_id: int) -> RegistrationRow:
    row = await queries.find_registration(door.event.id, registration_id)
    if row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    return row


async def _registration(request: Request, door: Door) -> Response:
    shows = _shows(door, read_query(request, ContactsQuery))
    row = await _find(door, int(request.path_params["registration_id"]))
    if shows:
        await masking.write_look(door, count=1, at=now(), registration_id=row.id)
    return await _one(door, row, shows=shows)


async def _one(door: Door, row: RegistrationRow, *, shows: bool = False, status: int = 200) -> Response:
    asked = await answers.questions(door.event.id, everything=True)
    said = (await answers.of([row.id]))[row.id].answers
    values = {
        question.code: said[question.id].filename or said[question.id].value
        for question in asked
        if question.id in said and (shows or not question.is_personal)
    }
    return answer(RegistrationWithAnswers(**_shape(row, shows=shows), answers=values), status)


async def _add(request: Request, door: Door) -> Response:
    body = await read_body(request, NewRegistration)
    number = await registrations.register(
        event_id=door.event.id,
        ticket_type_id=body.ticket_type_id,
        contact=read_contact(body.model_dump()),
        source=RegistrationSource.ORGANISER,
        locale=body.locale,
        actor=door.actor,
        request_id=once_id(request, body),
        external_id=body.external_id or None,
        external_code=body.external_code or None,
        at=now(),
    )
    return await _one(door, await _find(door, number), status=201)


async def _change(request: Request, door: Door) -> Response:
    body = await read_body(request, RegistrationChange)
    number, at, sent = int(request.path_params["registration_id"]), now(), given(body)

    async def change() -> Mapping[str, Any]:
        # Two actions: a full ticket type must not leave half of it done. Read under a lock, so that of
        # two programs' changes at once neither undoes the other.
        async with unit_of_work():
            await quotas.hold(door.event.id)
            row = await _find(door, number)
            values: dict[str, str] = {name: getattr(row.contact, name) for name in CONTACT_FIELDS}
            values |= {name: value for name, value in sent.items() if name in values}
            await registrations.change(
                actor=door.actor,
                event_id=door.event.id,
                registration_id=number,
                contact=read_contact(values, needs_contact=row.source != RegistrationSource.WALK_IN),
                locale=sent.get("locale"),
                external_id=sent.get("external_id", row.external_id) or None,
                external_code=sent.get("external_code", row.external_code) or None,
                at=at,
            )
            if body.ticket_type_id is not None:
                await registrations.change_ticket_type(
                    actor=door.actor,
                    event_id=door.event.id,
                    registration_id=number,
                    ticket_type_id=body.ticket_type_id,
                    at=at,
                )
        return {}

    await once(request, door, body, change, at=at, required=False)
    return await _one(door, await _find(door, number))


async def _cancel(request: Request, door: Door) -> Response:
    return await _turn(request, door, registrations.cancel)


async def _restore(request: Request, door: Door) -> Response:
    return await _turn(request, door, registrations.restore)


async def _turn(request: Request, door: Door, action: Any) -> Response:
    number, at = int(request.path_params["registration_id"]), now()

    async def turn() -> Mapping[str, Any]:
        await action(actor=door.actor, event_id=door.event.id, registration_id=number, at=at)
        return {}

    await once(request, door, None, turn, at=at, required=False)
    return await _one(door, await _find(door, number))


async def _decide(request: Request, door: Door) -> Response:
    body = await read_body(request, Decision)
    at, ids = now(), list(dict.fromkeys(body.registration_ids))

    async def decide() -> Mapping[str, Any]:
        if body.approve:
            decided = await approval.approve(
                actor=door.actor, event_id=door.event.id, registration_ids=ids, at=at
            )
        else:
            decided = await approval.decline(
                actor=door.actor, event_id=door.event.id, registration_ids=ids, at=at, reason=body.reason
            )
        return {"decided": decided}

    return answer(Decided(**await once(request, door, body, decide, at=at)))


async def _waiting(request: Request, door: Door) -> Response:
    query = read_query(request, WaitingQuery)
    found = await waitlist.line(door.event.id, ticket_type_id=query.ticket_type_id)
    return answer(WaitingList(waiting=[InLine.model_validate(one) for one in found]))


# --- groups and partners' links ----------------------------------------------------------------------------------


async def _groups(request: Request, door: Door) -> Response:
    shows = _shows(door, read_query(request, ContactsQuery))
    found: Sequence[groups.GroupLine] = await groups.listed(door.event.id)
    if shows and found:
        await masking.write_look(door, count=len(found), at=now())
    if not shows:
        found = [replace(one, contact_email=mask_email(one.contact_email)) for one in found]
    return answer(
        Groups(
            groups=[
                Group(**{name: getattr(one, name) for name in one.__dataclass_fields__}, has_contacts=shows)
                for one in found
            ]
        )
    )


def _link(door: Door, link: LinkFacts) -> PartnerLink:
    plain = {name: getattr(link, name) for name in PartnerLink.model_fields if name != "url"}
    return PartnerLink(**plain, url=partner_links.address_of(door.event.slug, link))


async def _links(request: Request, door: Door) -> Response:
    del request
    return answer(PartnerLinks(links=[_link(door, one) for one in await partner_links.links(door.event.id)]))


async def _add_link(request: Request, door: Door) -> Response:
    body, at = await read_body(request, NewPartnerLink), now()
    email = normalise_email(body.contact_email) if body.contact_email else None
    if isinstance(email, Problem):
        raise Invalid({"contact_email": email})
    details = LinkDetails(
        name=clean_line(body.name),
        ticket_type_id=body.ticket_type_id,
        quota=body.quota,
        valid_until=body.valid_until,
        contact_name=clean_line(body.contact_name),
        contact_email=email.key if email else "",
        ticket_source=clean_line(body.ticket_source),
        locale=body.locale,
    )

    async def add() -> Mapping[str, Any]:
        return {
            "id": await partner_links.add(actor=door.actor, event_id=door.event.id, details=details, at=at)
        }

    made = await once(request, door, body, add, at=at)
    return answer(_link(door, await partner_links.find(door.event.id, made["id"])), 201)


_TURNED = ApiDoc(
    tag="Registrations",
    summary="Cancels a registration; the place is free again and its holder is told.",
    answer=RegistrationWithAnswers,
    is_once=True,
    refusals={404: (EventCode.REGISTRATION_UNKNOWN,), 409: (EventCode.ALREADY_CANCELLED,)},
)

ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/api/registrations",
        _registrations,
        "events.api.registrations",
        Permission.SEE_REGISTRATIONS,
        api=ApiDoc(
            tag="Registrations",
            summary="Registrations, first come first, a page at a time.",
            answer=Registrations,
            query=RegistrationsQuery,
        ),
    ),
    access.route(
        "/e/{slug}/api/registrations",
        _add,
        "events.api.registration_new",
        Permission.CHANGE_REGISTRATIONS,
        ("POST",),
        api=ApiDoc(
            tag="Registrations",
            summary="Registers somebody by the team's own word; a letter goes to their address.",
            answer=RegistrationWithAnswers,
            status=201,
            body=NewRegistration,
            is_once=True,
            refusals={
                404: (EventCode.TICKET_TYPE_UNKNOWN,),
                409: (EventCode.TICKET_TYPE_FULL,),
                422: (EventCode.CONTACT_MISSING, EventCode.EXTERNAL_ID_TAKEN, EventCode.EXTERNAL_CODE_TAKEN),
            },
        ),
    ),
    access.route(
        "/e/{slug}/api/registrations/{registration_id:int}",
        _registration,
        "events.api.registration",
        Permission.SEE_REGISTRATIONS,
        api=ApiDoc(
            tag="Registrations",
            summary="One registration with its answers.",
            answer=RegistrationWithAnswers,
            query=ContactsQuery,
            refusals={404: (EventCode.REGISTRATION_UNKNOWN,)},
        ),
    ),
    access.route(
        "/e/{slug}/api/registrations/{registration_id:int}",
        _change,
        "events.api.registration_change",
        Permission.CHANGE_REGISTRATIONS,
        ("PATCH",),
        api=ApiDoc(
            tag="Registrations",
            summary="Changes what is sent of a registration; what is left out stays.",
            answer=RegistrationWithAnswers,
            body=RegistrationChange,
            is_once=True,
            refusals={
                404: (EventCode.REGISTRATION_UNKNOWN, EventCode.TICKET_TYPE_UNKNOWN),
                409: (EventCode.TICKET_TYPE_FULL,),
            },
        ),
    ),
    access.route(
        "/e/{slug}/api/registrations/{registration_id:int}/cancellation",
        _cancel,
        "events.api.registration_cancellation",
        Permission.CHANGE_REGISTRATIONS,
        ("POST",),
        api=_TURNED,
    ),
    access.route(
        "/e/{slug}/api/registrations/{registration_id:int}/restoration",
        _restore,
        "events.api.registration_restoration",
        Permission.CHANGE_REGISTRATIONS,
        ("POST",),
        api=replace(
            _TURNED,
            summary="Confirms a cancelled or declined registration again, if there is a place.",
            refusals={
                404: (EventCode.REGISTRATION_UNKNOWN,),
                409: (EventCode.NOT_CANCELLED, EventCode.TICKET_TYPE_FULL),
            },
        ),
    ),
    access.route(
        "/e/{slug}/api/decisions",
        _decide,
        "events.api.decisions",
        Permission.CHANGE_REGISTRATIONS,
        ("POST",),
        api=ApiDoc(
            tag="Registrations",
            summary="Approves or declines applications, at most fifty at once; their holders are told.",
            answer=Decided,
            body=Decision,
            is_once=True,
        ),
    ),
    access.route(
        "/e/{slug}/api/waiting-list",
        _waiting,
        "events.api.waiting_list",
        Permission.CHANGE_REGISTRATIONS,
        api=ApiDoc(
            tag="Registrations",
            summary="Who has an offer, then who waits in the order in which they move up; at most 500.",
            answer=WaitingList,
            query=WaitingQuery,
        ),
    ),
    access.route(
        "/e/{slug}/api/groups",
        _groups,
        "events.api.groups",
        Permission.SEE_REGISTRATIONS,
        api=ApiDoc(
            tag="Registrations",
            summary="Groups that one person registered and looks after, the newest first.",
            answer=Groups,
            query=ContactsQuery,
        ),
    ),
    access.route(
        "/e/{slug}/api/partner-links",
        _links,
        "events.api.partner_links",
        Permission.CHANGE_PARTNERS,
        api=ApiDoc(
            tag="Partners", summary="Partners' and teachers' links, the newest first.", answer=PartnerLinks
        ),
    ),
    access.route(
        "/e/{slug}/api/partner-links",
        _add_link,
        "events.api.partner_link_new",
        Permission.CHANGE_PARTNERS,
        ("POST",),
        api=ApiDoc(
            tag="Partners",
            summary="Makes a link by which a partner registers own people.",
            answer=PartnerLink,
            status=201,
            body=NewPartnerLink,
            is_once=True,
            refusals={404: (PartnerCode.UNKNOWN,), 422: (EventCode.TICKET_TYPE_UNKNOWN,)},
        ),
    ),
]
