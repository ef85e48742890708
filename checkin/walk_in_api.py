"""JSON of the walk-in desk: somebody registered at the door, and the claim that their phone takes the passport by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import passports, walk_in
from checkin.rules import CheckinCode
from events.access import Door, route
from events.desk.registrations import read_contact
from events.json_api import Line, OnceBody, RowId, Shape, answer, once_id, read_body
from events.rules import EventCode, Permission
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import DEFAULT_LOCALE
from web.api_doc import ApiDoc
from web.routing import Entry


class WalkIn(Shape):
    """Who was registered. `short_code` goes into an ordinary scan; `claim_url`, as a QR code, is good for one phone
    and fifteen minutes.
    """

    registration_id: int
    ticket_type_id: int
    short_code: str
    claim_url: str


class NewWalkIn(OnceBody):
    """A name and a ticket type suffice; ticket types are those that the desk itself may give."""

    name: Line
    ticket_type_id: RowId
    organisation: Line = ""
    email: Line = ""
    phone: Line = ""
    locale: Annotated[str, Field(pattern="^(zh-Hans|en)$")] = DEFAULT_LOCALE


async def _add(request: Request, door: Door) -> Response:
    body, at = await read_body(request, NewWalkIn), datetime.now(UTC)
    if body.ticket_type_id not in {item.id for item in await walk_in.types_of(door)}:
        raise Invalid({"ticket_type_id": Problem(Code.NOT_A_CHOICE)})
    number = await walk_in.register(
        actor=door.actor,
        event_id=door.event.id,
        ticket_type_id=body.ticket_type_id,
        contact=read_contact(body.model_dump(), needs_contact=False),
        locale=body.locale,
        request_id=once_id(request, body),
        at=at,
    )
    passport = (await passports.by_registration([number])).get(number)
    if passport is None:
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
    return answer(
        WalkIn(
            registration_id=number,
            ticket_type_id=passport.ticket_type_id,
            short_code=passport.short_code,
            claim_url=walk_in.claim_url(door.event, number, at),
        ),
        201,
    )


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/api/walk-ins",
        _add,
        "checkin.api.walk_in",
        Permission.WALK_IN,
        ("POST",),
        api=ApiDoc(
            tag="At the door",
            summary="Registers somebody who stands at the door.",
            answer=WalkIn,
            status=201,
            body=NewWalkIn,
            is_once=True,
            refusals={409: (EventCode.TICKET_TYPE_FULL,)},
        ),
    )
]
