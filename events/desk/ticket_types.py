"""Ticket types: how many are taken, what the door says about them, in which order they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, event, queries
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.event import TicketTypeDetails
from events.queries import TicketTypeFacts
from events.rules import EventCode, Permission
from kernel.errors import Invalid, NotFound
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.ticket_types"
_BILINGUAL: Final = ("name", "door_note")


@dataclass(frozen=True, slots=True)
class TypeRow:
    id: int
    href: str
    name: str
    code: str
    taken: int
    quota: int | None
    is_full: bool
    is_public: bool
    is_online: bool
    door_note: str
    registrations_href: str
    move_href: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/ticket_types.html"
    rows: Sequence[TypeRow]


async def _list(request: Request, door: Door) -> Response:
    slug, locale = door.event.slug, i18n.current_locale()
    people = render.url("events.desk.registrations", slug=slug)
    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            rows=[
                TypeRow(
                    id=item.id,
                    href=render.url("events.desk.ticket_type", slug=slug, ticket_type_id=item.id),
                    name=item.name.in_(locale),
                    code=item.code,
                    taken=item.taken,
                    quota=item.quota,
                    is_full=item.is_full,
                    is_public=item.is_public,
                    is_online=item.is_online,
                    door_note=item.door_note.in_(locale),
                    registrations_href=render.with_query(people, type=item.id),
                    move_href=render.url(
                        "events.desk.ticket_type_position", slug=slug, ticket_type_id=item.id
                    ),
                )
                for item in await queries.ticket_types(door.event.id)
            ],
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FormPage(DeskPage):
    template: ClassVar[str] = "events/desk/ticket_type_form.html"
    #: empty for a new one
    name: str
    taken: int
    list_href: str


async def _get(request: Request, door: Door) -> TicketTypeFacts:
    wanted = shared.whole_id(request.path_params["ticket_type_id"])
    found = next((item for item in await queries.ticket_types(door.event.id) if item.id == wanted), None)
    if found is None:
        raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
    return found


async def _form(
    request: Request,
    door: Door,
    item: TicketTypeFacts | None,
    values: Mapping[str, str],
    refusal: Invalid | None = None,
) -> Response:
    return await render.page(
        request,
        FormPage(
            **access.frame(door, LIST),
            values=values,
            problems=shared.at_boxes(refusal.fields, _BILINGUAL) if refusal else {},
            name=item.name.in_(i18n.current_locale()) if item else "",
            taken=item.taken if item else 0,
            list_href=render.url(LIST, slug=door.event.slug),
        ),
        422 if refusal else 200,
    )


def _read(values: Mapping[str, str], item: TicketTypeFacts | None, position: int) -> TicketTypeDetails:
    read = Reader(values)
    details = TicketTypeDetails(
        code=read.text("code"),
        name=shared.gathered(values, "name", item.name if item else None),
        door_note=shared.gathered(values, "door_note", item.door_note if item else None),
        quota=read.whole_number("quota"),
        is_public=read.flag("is_public"),
        is_online=read.flag("is_online"),
        position=position,
    )
    if read.problems:
        raise Invalid({**details.problems(), **read.problems})
    return details


async def _add(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _form(request, door, None, {"is_public": "1"})
    values = shared.typed_values(await forms.form_data(request))
    types = await queries.ticket_types(door.event.id)
    try:
        details = _read(values, None, max((item.position for item in types), default=0) + 1)
        await event.add_ticket_type(
            actor=door.actor, event_id=door.event.id, details=details, at=shared.now()
        )
    except Invalid as refusal:
        return await _form(request, door, None, values, refusal)
    return render.see_other(render.with_query(render.url(LIST, slug=door.event.slug), done="added"))


async def _change(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    if request.method != "POST":
        values = {
            **shared.spread("name", item.name),
            **shared.spread("door_note", item.door_note),
            "code": item.code,
            "quota": "" if item.quota is None else str(item.quota),
            "is_public": "1" if item.is_public else "",
            "is_online": "1" if item.is_online else "",
        }
        return await _form(request, door, item, values)
    values = shared.typed_values(await forms.form_data(request))
    try:
        await event.change_ticket_type(
            actor=door.actor,
            event_id=door.event.id,
            ticket_type_id=item.id,
            details=_read(values, item, item.position),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, item, values, refusal)
    return render.see_other(render.with_query(render.url(LIST, slug=door.event.slug), done="saved"))


async def _move(request: Request, door: Door) -> Response:
    """One place up or down; positions are numbered anew, so that equal ones can't hide a move."""
    item = await _get(request, door)
    values = shared.typed_values(await forms.form_data(request))
    order = list(await queries.ticket_types(door.event.id))
    index = next(place for place, one in enumerate(order) if one.id == item.id)
    target = index + (-1 if values.get("direction") == "up" else 1)
    if 0 <= target < len(order):
        order[index], order[target] = order[target], order[index]
        for position, one in enumerate(order, 1):
            if one.position != position:
                await event.change_ticket_type(
                    actor=door.actor,
                    event_id=door.event.id,
                    ticket_type_id=one.id,
                    details=TicketTypeDetails(
                        code=one.code,
                        name=one.name,
                        door_note=one.door_note,
                        quota=one.quota,
                        is_public=one.is_public,
                        is_online=one.is_online,
                        position=position,
                    ),
                    at=shared.now(),
                )
    return render.see_other(render.url(LIST, slug=door.event.slug))


_MAY: Final = Permission.CHANGE_EVENT
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/ticket-types", _list, LIST, _MAY),
    access.route(
        "/e/{slug}/desk/ticket-types/new", _add, "events.desk.ticket_type_new", _MAY, ("GET", "POST")
    ),
    access.route(
        "/e/{slug}/desk/ticket-types/{ticket_type_id}",
        _change,
        "events.desk.ticket_type",
        _MAY,
        ("GET", "POST"),
    ),
    access.route(
        "/e/{slug}/desk/ticket-types/{ticket_type_id}/position",
        _move,
        "events.desk.ticket_type_position",
        _MAY,
        ("POST",),
    ),
]
