"""The two links of a transfer: the holder confirms or withdraws, the person who was named takes the place or refuses.

A GET shows and changes nothing, because mail programs and link crawlers open links, too; what acts is a POST that
carries the link's key. Whoever takes the place arrives at their own passport.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from checkin.holder import HOLDER_LASTS
from checkin.holder_acts import contact_labels, said_of
from checkin.passports import after_registering
from checkin.shown import private
from events import letter, questionnaire, self_service, transfers
from events.access import Door, header, route
from events.form_rules import FILE_QUESTIONS_AT_MOST
from events.queries import RegistrationRow, find_registration, ticket_type_names
from events.questionnaire import Reading, Sheet
from events.rules import Permission, TransferState
from events.self_service_rules import SelfServiceCode
from events.transfers import Side, TransferFacts
from kernel.actor import ANONYMOUS, Actor
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, Refusal
from web import forms, i18n, render, signin
from web.render import FormContext, url
from web.routing import Entry


@dataclass(frozen=True, kw_only=True)
class HandingPage(FormContext):
    template: ClassVar[str] = "checkin/handing_on.html"
    #: "giver", "taker", or "" for a link that leads nowhere
    side: str
    key: str
    #: rules.TransferState
    state: str
    giver: str = ""
    taker: str = ""
    email: str = ""
    ticket_type: str = ""
    when: str = ""
    place: str = ""
    until: str = ""
    has_confirmed: bool = False
    form_id: str = ""
    sheet: Sheet = field(default_factory=Sheet)
    labels: Mapping[str, str] = field(default_factory=dict)
    trouble: Problem | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A transfer seen by one side."""

    door: Door
    key: str
    side: Side
    transfer: TransferFacts
    row: RegistrationRow
    at: datetime

    @property
    def actor(self) -> Actor:
        """The holder is the holder; the other one is a visitor until the place is theirs."""
        if self.side is Side.GIVER:
            return self_service.holder(self.door.actor, self.row.id)
        return self.door.actor if self.door.actor.signed_in else ANONYMOUS


async def _link(door: Door, key: str) -> Link | None:
    found = await transfers.find(door.event.id, key)
    if found is None:
        return None
    transfer, side = found
    row = await find_registration(door.event.id, transfer.registration_id)
    assert row is not None
    return Link(door, key, side, transfer, row, datetime.now(UTC))


async def _unknown(request: Request, door: Door) -> Response:
    """One page for every link that is none: wrong, cut off, another event's."""
    page = HandingPage(event=header(door), side="", key="", state="")
    return private(await render.page(request, page, NotFound.status))


async def _page(
    request: Request,
    link: Link,
    *,
    reading: Reading | None = None,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    trouble: Problem | None = None,
    form_id: str = "",
    status: int = 200,
) -> Response:
    door, transfer, event = link.door, link.transfer, link.door.event
    locale = i18n.current_locale()
    state = transfer.stands_at(link.at)
    sheet = Sheet()
    if link.side is Side.TAKER and state is TransferState.OPEN:
        sheet = questionnaire.sheet(
            await questionnaire.asked(event),
            ticket_type_id=link.row.ticket_type_id,
            reading=reading,
            only_asked=True,
        )
    is_open = state is TransferState.OPEN
    names = await ticket_type_names(event.id)
    page = HandingPage(
        event=header(door),
        side=str(link.side),
        key=link.key,
        state=str(state),
        # Once it has ended the row may be somebody else's: their name is nobody's business here.
        giver=link.row.contact.name if is_open else "",
        taker=transfer.to_name,
        email=transfer.to_email,
        ticket_type=names[link.row.ticket_type_id].in_(locale),
        when=letter.days(event, locale),
        place=letter.place(event, locale),
        until=render.moment(transfer.expires_at, event.time_zone),
        has_confirmed=transfer.giver_confirmed_at is not None,
        form_id=form_id or str(uuid4()),
        sheet=sheet,
        labels=contact_labels() | sheet.labels,
        values=values if values is not None else {"name": transfer.to_name},
        problems=problems or {},
        trouble=trouble,
        stays_at=render.with_query(url("checkin.transfer", slug=event.slug), key=link.key),
    )
    return private(await render.page(request, page, status))


async def handing_on(request: Request, door: Door) -> Response:
    if request.method != "POST":
        link = await _link(door, request.query_params.get("key", ""))
        return await _page(request, link) if link else await _unknown(request, door)
    data = await forms.form_data(
        request,
        max_files=FILE_QUESTIONS_AT_MOST,
        max_fields=questionnaire.FIELDS_MAX,
    )
    link = await _link(door, str(data.get("key", "")))
    if link is None:
        return await _unknown(request, door)
    act = data.get("act")
    who: dict[str, Any] = {
        "actor": link.actor,
        "event_id": door.event.id,
        "transfer_id": link.transfer.id,
        "at": link.at,
    }
    try:
        if link.side is Side.TAKER and act == "take":
            return await _take(request, link, data)
        if link.side is Side.TAKER and act == "refuse":
            await transfers.refuse(**who)
        elif link.side is Side.GIVER and act == "confirm":
            await transfers.confirm(**who)
        elif link.side is Side.GIVER and act == "withdraw":
            await transfers.withdraw(**who)
        else:
            raise Invalid({"act": Problem(Code.NOT_A_CHOICE)})
    except Conflict as error:
        return await _again(request, door, link, error)
    return private(
        render.see_other(render.with_query(url("checkin.transfer", slug=door.event.slug), key=link.key))
    )


async def _again(request: Request, door: Door, link: Link, error: Conflict) -> Response:
    """The page as it stands now, with the reason why nothing was done; an ended one says it by itself."""
    now = await _link(door, link.key)
    assert now is not None
    ended = error.code == SelfServiceCode.TRANSFER_ENDED
    return await _page(request, now, trouble=None if ended else said_of(error), status=error.status)


async def _take(request: Request, link: Link, data: FormData) -> Response:
    event = link.door.event
    values, form_id = forms.typed(data), forms.form_id(data)
    asked = await questionnaire.asked(event)
    # The letter went to this address, so it is the one that is known to be theirs.
    contact, problems = self_service.read_contact(values, known_email=link.transfer.to_email)
    reading = await questionnaire.read(
        asked,
        data,
        ticket_type_id=link.row.ticket_type_id,
        actor_key=link.actor.key,
        at=link.at,
    )
    problems |= reading.problems
    shown: dict[str, Any] = {"values": values, "form_id": str(form_id)}
    if contact is None or problems:
        return await _page(request, link, reading=reading, problems=problems, status=Invalid.status, **shown)
    try:
        number = await transfers.take(
            actor=link.actor,
            event_id=event.id,
            transfer_id=link.transfer.id,
            contact=contact,
            extras=reading.extras,
            locale=i18n.current_locale(),
            at=link.at,
            request_id=form_id,
        )
    except Invalid as error:
        left = reading.without_file(error.fields)
        return await _page(request, link, reading=left, problems=error.fields, status=error.status, **shown)
    except Conflict:
        raise
    except Refusal as error:
        return await _page(
            request, link, reading=reading, trouble=said_of(error), status=error.status, **shown
        )
    target, cookie, secret = await after_registering(number)
    response = render.see_other(target)
    signin.set_cookie(response, cookie, secret, lasts=HOLDER_LASTS)
    return private(response)


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/transfer",
        handing_on,
        "checkin.transfer",
        Permission.VIEW_PUBLIC,
        ("GET", "POST"),
        body_max=questionnaire.BODY_MAX,
    ),
]
