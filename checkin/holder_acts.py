"""What holders do on their own pages: change contact and answers, cancel, answer an offered place, hand it on.

A GET shows a form or asks once more, a POST acts; each form carries a UUID, so that sending it twice is once. Who may
come in is ``holder.mine``; what is possible now, ``events.self_service_rules`` decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from checkin.holder import mine, own_path
from checkin.shown import private
from events import answers, questionnaire, self_service, transfers
from events.access import Door, header, route
from events.form_rules import FILE_QUESTIONS_AT_MOST
from events.queries import RegistrationRow, find_registration, ticket_type_names
from events.questionnaire import Asked, Reading, Sheet
from events.rules import CONTACT_FIELDS, EventCode, Permission
from events.self_service_rules import HolderAct, SelfServiceCode, refusal
from kernel.actor import Actor
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, Refusal
from web import forms, i18n, render
from web.i18n import gettext
from web.render import FormContext
from web.routing import BODY_MAX, Entry


@dataclass(frozen=True, slots=True)
class Own:
    """A registration in the hands of its holder."""

    door: Door
    row: RegistrationRow
    #: The one that the holder came in with: what they do is refused when it has gone to somebody else since.
    secret_round: int
    #: Who acts, for the journal and for replays.
    actor: Actor
    at: datetime

    @property
    def base(self) -> str:
        return own_path(self.door.event, self.row.id)


async def own_of(request: Request, door: Door) -> Own:
    """The registration in the address with its contact, if its holder asks; else one 404 or the sign-in."""
    registration = await mine(request, door)
    row = await find_registration(door.event.id, registration.id)
    if row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    return Own(
        door, row, registration.secret_round, self_service.holder(door.actor, row.id), datetime.now(UTC)
    )


async def _allowed(own: Own, act: HolderAct) -> None:
    """Raises Conflict with the reason when this can't be done now: the page says so instead of showing a form."""
    if code := refusal(act, await self_service.facts_of(own.door.event, own.row, own.at)):
        raise Conflict(code)


def _done(own: Own, done: str) -> Response:
    return private(render.see_other(render.with_query(own.base, done=done)))


def said_of(refusal_: Refusal) -> Problem:
    """A refusal as a form says it; the same form with other words was sent before, and stays as it is."""
    if refusal_.code == Code.REPLAY_MISMATCH:
        return Problem(EventCode.FORM_ALREADY_SENT)
    return Problem(refusal_.code, refusal_.params)


# --- change ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ChangePage(FormContext):
    template: ClassVar[str] = "checkin/change.html"
    base: str
    name: str
    form_id: str
    sheet: Sheet
    labels: Mapping[str, str]
    until: str
    trouble: Problem | None = None


def contact_labels() -> dict[str, str]:
    return {
        "name": gettext("Name"),
        "badge_name": gettext("Name on the badge"),
        "english_name": gettext("Name in English"),
        "email": gettext("E-mail"),
        "phone": gettext("Mobile phone"),
        "organisation": gettext("Organisation"),
        "position": gettext("Job title"),
    }


async def _change_page(
    request: Request,
    own: Own,
    asked: Asked,
    reading: Reading,
    *,
    values: Mapping[str, str],
    problems: Mapping[str, Problem] | None = None,
    trouble: Problem | None = None,
    form_id: str = "",
    status: int = 200,
) -> Response:
    event = own.door.event
    sheet = questionnaire.sheet(
        asked,
        ticket_type_id=own.row.ticket_type_id,
        reading=reading,
        only_asked=True,
        files_base=f"{own.base}/files",
    )
    facts = await self_service.facts_of(event, own.row, own.at)
    page = ChangePage(
        event=header(own.door),
        base=own.base,
        name=own.row.contact.name,
        form_id=form_id or str(uuid4()),
        sheet=sheet,
        labels=contact_labels() | sheet.labels,
        until=render.moment(facts.until, event.time_zone),
        values=values,
        problems=problems or {},
        trouble=trouble,
    )
    return private(await render.page(request, page, status))


async def change(request: Request, door: Door) -> Response:
    own = await own_of(request, door)
    await _allowed(own, HolderAct.CHANGE)
    # An identity document is given once; whoever changes a phone number is not asked for it again.
    asked = replace(await questionnaire.asked(door.event), is_for_others=True)
    if request.method != "POST":
        stored = (await answers.of([own.row.id]))[own.row.id]
        values = {name: getattr(own.row.contact, name) for name in CONTACT_FIELDS}
        return await _change_page(request, own, asked, questionnaire.answered(asked, stored), values=values)
    data = await forms.form_data(
        request, max_files=FILE_QUESTIONS_AT_MOST, max_fields=questionnaire.FIELDS_MAX
    )
    values, form_id = forms.typed(data), forms.form_id(data)
    contact, problems = self_service.read_contact(values)
    reading = await questionnaire.read(
        asked,
        data,
        ticket_type_id=own.row.ticket_type_id,
        actor_key=own.actor.key,
        at=own.at,
    )
    problems |= reading.problems
    shown: dict[str, Any] = {"values": values, "form_id": str(form_id)}
    if contact is None or problems:
        return await _change_page(
            request, own, asked, reading, problems=problems, status=Invalid.status, **shown
        )
    try:
        await self_service.change(
            actor=own.actor,
            event_id=door.event.id,
            registration_id=own.row.id,
            secret_round=own.secret_round,
            contact=contact,
            extras=reading.extras,
            asked=reading.asked,
            locale=i18n.current_locale(),
            at=own.at,
            request_id=form_id,
        )
    except Invalid as error:
        left = reading.without_file(error.fields)
        return await _change_page(
            request, own, asked, left, problems=error.fields, status=error.status, **shown
        )
    except Refusal as error:
        fresh = shown | ({"form_id": ""} if error.code == Code.REPLAY_MISMATCH else {})
        return await _change_page(
            request, own, asked, reading, trouble=said_of(error), status=error.status, **fresh
        )
    return _done(own, "changed")


# --- cancel ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CancelPage(FormContext):
    template: ClassVar[str] = "checkin/cancel.html"
    base: str
    name: str
    ticket_type: str
    waits: bool
    form_id: str


async def cancel(request: Request, door: Door) -> Response:
    own = await own_of(request, door)
    if request.method != "POST":
        await _allowed(own, HolderAct.CANCEL)
        names = await ticket_type_names(door.event.id)
        page = CancelPage(
            event=header(door),
            base=own.base,
            name=own.row.contact.name,
            ticket_type=names[own.row.ticket_type_id].in_(i18n.current_locale()),
            waits=own.row.waiting_since is not None,
            form_id=str(uuid4()),
        )
        return private(await render.page(request, page))
    data = await forms.form_data(request)
    await self_service.cancel(
        actor=own.actor,
        event_id=door.event.id,
        registration_id=own.row.id,
        secret_round=own.secret_round,
        at=own.at,
        request_id=forms.form_id(data),
    )
    return _done(own, "cancelled")


# --- an offered place --------------------------------------------------------------------------------------------


async def offer(request: Request, door: Door) -> Response:
    """Accepts or declines the place that is kept; pressing the same button twice is once."""
    own = await own_of(request, door)
    data = await forms.form_data(request)
    accepts = data.get("act") == "accept"
    if not accepts and data.get("act") != "decline":
        raise Invalid({"act": Problem(Code.NOT_A_CHOICE)})
    await self_service.answer_offer(
        actor=own.actor,
        event_id=door.event.id,
        registration_id=own.row.id,
        secret_round=own.secret_round,
        accepts=accepts,
        at=own.at,
        request_id=forms.form_id(data),
    )
    return _done(own, "accepted" if accepts else "declined")


# --- hand it on --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TransferPage(FormContext):
    template: ClassVar[str] = "checkin/transfer.html"
    base: str
    name: str
    email: str
    form_id: str
    until: str
    labels: Mapping[str, str] = field(default_factory=dict)
    #: (name, whether it waits for the holder's own yes), when one is under way
    underway: tuple[str, bool] | None = None
    trouble: Problem | None = None


async def _transfer_page(
    request: Request,
    own: Own,
    *,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    trouble: Problem | None = None,
    form_id: str = "",
    status: int = 200,
) -> Response:
    event = own.door.event
    open_ = await transfers.open_of(own.row.id, own.at)
    until = open_.expires_at if open_ else transfers.expires_at(event, own.at)
    page = TransferPage(
        event=header(own.door),
        base=own.base,
        name=own.row.contact.name,
        email=own.row.contact.email,
        form_id=form_id or str(uuid4()),
        until=render.moment(until, event.time_zone),
        labels={"to_name": gettext("Their name"), "to_email": gettext("Their e-mail")},
        underway=(open_.to_name, open_.giver_confirmed_at is None) if open_ else None,
        values=values or {},
        problems=problems or {},
        trouble=trouble,
    )
    return private(await render.page(request, page, status))


async def transfer(request: Request, door: Door) -> Response:
    own = await own_of(request, door)
    if request.method != "POST":
        if await transfers.open_of(own.row.id, own.at) is None:
            await _allowed(own, HolderAct.TRANSFER)
        return await _transfer_page(request, own)
    data = await forms.form_data(request)
    values, form_id = forms.typed(data), forms.form_id(data)
    try:
        await transfers.begin(
            actor=own.actor,
            event_id=door.event.id,
            registration_id=own.row.id,
            secret_round=own.secret_round,
            to_name=values.get("to_name", ""),
            to_email=values.get("to_email", ""),
            at=own.at,
            request_id=form_id,
        )
    except Invalid as error:
        return await _transfer_page(
            request, own, values=values, problems=error.fields, form_id=str(form_id), status=error.status
        )
    except Refusal as error:
        if error.code not in _ON_THE_FORM:
            raise
        return await _transfer_page(request, own, values=values, trouble=said_of(error), status=error.status)
    return private(render.see_other(f"{own.base}/transfer"))


_ON_THE_FORM: Final = frozenset({Code.REPLAY_MISMATCH, SelfServiceCode.TOO_MANY_ADDRESSES})


async def withdraw(request: Request, door: Door) -> Response:
    own = await own_of(request, door)
    open_ = await transfers.open_of(own.row.id, own.at)
    if open_ is not None:
        await transfers.withdraw(actor=own.actor, event_id=door.event.id, transfer_id=open_.id, at=own.at)
    return _done(own, "withdrawn")


def _act(
    path: str,
    handler: Any,
    name: str,
    methods: Sequence[str],
    *,
    body_max: int = BODY_MAX,
) -> Entry:
    return route(
        f"/e/{{slug}}/me/{{registration_id:int}}{path}",
        handler,
        name,
        Permission.VIEW_PUBLIC,
        methods,
        body_max=body_max,
    )


_BOTH: Final = ("GET", "POST")
ROUTES: list[Entry] = [
    _act("/change", change, "checkin.holder.change", _BOTH, body_max=questionnaire.BODY_MAX),
    _act("/cancel", cancel, "checkin.holder.cancel", _BOTH),
    _act("/offer", offer, "checkin.holder.offer", ("POST",)),
    _act("/transfer", transfer, "checkin.holder.transfer", _BOTH),
    _act("/transfer/withdraw", withdraw, "checkin.holder.withdraw", ("POST",)),
]
