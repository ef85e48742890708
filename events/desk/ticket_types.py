"""Ticket types: how many are taken, who may take them, what the door says about them, in which order they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, queries, tickets
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.queries import TicketTypeFacts
from events.rules import EventCode, Permission, TicketRole
from events.tickets import TicketTypeDetails
from kernel.errors import Code, Invalid, NotFound
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.ticket_types"
_BILINGUAL: Final = ("name", "description", "door_note")


def tabs(door: Door, current: str) -> list[tuple[str, str, bool]]:
    """The three pages about tickets, as ``ui.tabs`` takes them."""
    return [
        (i18n.gettext(title), render.url(name, slug=door.event.slug), name == current)
        for title, name in (
            (N_("Ticket types"), LIST),
            (N_("Shared quotas"), "events.desk.shared_quotas"),
            (N_("Access codes"), "events.desk.access_codes"),
        )
    ]


@dataclass(frozen=True, slots=True)
class TypeRow:
    id: int
    href: str
    name: str
    code: str
    taken: int
    quota: int | None
    is_full: bool
    #: What is special about it, a few words each.
    notes: Sequence[str]
    door_note: str
    registrations_href: str
    move_href: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/ticket_types.html"
    tabs: Sequence[tuple[str, str, bool]]
    rows: Sequence[TypeRow]


async def _list(request: Request, door: Door) -> Response:
    slug, locale = door.event.slug, i18n.current_locale()
    people = render.url("events.desk.registrations", slug=slug)
    sites = await shared.site_names(door)
    pools = {item.id: item.name.in_(locale) for item in await tickets.shared_quotas(door.event.id)}
    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            tabs=tabs(door, LIST),
            rows=[
                TypeRow(
                    id=item.id,
                    href=render.url("events.desk.ticket_type", slug=slug, ticket_type_id=item.id),
                    name=item.name.in_(locale),
                    code=item.code,
                    taken=item.taken,
                    quota=item.quota,
                    is_full=item.is_full,
                    notes=_notes(item, sites, pools, door.event.time_zone),
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


def _notes(item: TicketTypeFacts, sites: Mapping[int, str], pools: Mapping[int, str], zone: str) -> list[str]:
    """What tells a ticket type from an ordinary one."""
    notes = [render.words_for(item.role)] if item.role is not TicketRole.ATTENDEE else []
    if item.site_id is not None and item.site_id in sites:
        notes.append(sites[item.site_id])
    notes.append(i18n.gettext("Public form") if item.is_public else i18n.gettext("Not on the public form"))
    notes += [
        words
        for is_so, words in (
            (item.is_online, i18n.gettext("online")),
            (item.needs_code, i18n.gettext("with an access code")),
            (item.needs_approval, i18n.gettext("needs approval")),
            (item.has_waitlist, i18n.gettext("waiting list")),
            (item.is_walk_in, i18n.gettext("at the door's desk")),
        )
        if is_so
    ]
    if item.shared_quota_id is not None and item.shared_quota_id in pools:
        notes.append(i18n.gettext("counts in %(name)s") % {"name": pools[item.shared_quota_id]})
    if item.opens_at is not None:
        notes.append(i18n.gettext("from %(when)s") % {"when": render.moment(item.opens_at, zone)})
    if item.closes_at is not None:
        notes.append(i18n.gettext("until %(when)s") % {"when": render.moment(item.closes_at, zone)})
    return notes


@dataclass(frozen=True, kw_only=True)
class FormPage(DeskPage):
    template: ClassVar[str] = "events/desk/ticket_type_form.html"
    #: empty for a new one
    name: str
    taken: int
    list_href: str
    zone: str
    roles: Sequence[tuple[str, str]]
    sites: Sequence[tuple[str, str]]
    shared_quotas: Sequence[tuple[str, str]]
    shared_quotas_href: str
    codes_href: str


async def _get(request: Request, door: Door) -> TicketTypeFacts:
    wanted = shared.whole_id(request.path_params["ticket_type_id"])
    found = await queries.find_ticket_type(door.event.id, wanted) if wanted else None
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
    slug, locale = door.event.slug, i18n.current_locale()
    return await render.page(
        request,
        FormPage(
            **access.frame(door, LIST),
            values=values,
            problems=shared.at_boxes(refusal.fields, _BILINGUAL) if refusal else {},
            name=item.name.in_(locale) if item else "",
            taken=item.taken if item else 0,
            list_href=render.url(LIST, slug=slug),
            zone=door.event.time_zone,
            roles=[(str(role), render.words_for(role)) for role in TicketRole],
            sites=[(str(number), name) for number, name in (await shared.site_names(door)).items()],
            shared_quotas=[
                (str(one.id), f"{one.name.in_(locale)} ({one.taken} / {one.quota})")
                for one in await tickets.shared_quotas(door.event.id)
            ],
            shared_quotas_href=render.url("events.desk.shared_quotas", slug=slug),
            codes_href=render.url("events.desk.access_codes", slug=slug),
        ),
        422 if refusal else 200,
    )


def _read(
    door: Door, values: Mapping[str, str], item: TicketTypeFacts | None, position: int
) -> TicketTypeDetails:
    read = Reader(values, door.event.time_zone)
    role = shared.word_of(TicketRole, read.text("role") or TicketRole.ATTENDEE)
    if role is None:
        read.wrong("role", Code.NOT_A_CHOICE)
    details = TicketTypeDetails(
        code=read.text("code"),
        name=shared.gathered(values, "name", item.name if item else None),
        description=shared.gathered(values, "description", item.description if item else None),
        door_note=shared.gathered(values, "door_note", item.door_note if item else None),
        role=role or TicketRole.ATTENDEE,
        site_id=read.whole_number("site_id"),
        is_online=read.flag("is_online"),
        quota=read.whole_number("quota"),
        shared_quota_id=read.whole_number("shared_quota_id"),
        has_waitlist=read.flag("has_waitlist"),
        opens_at=read.moment("opens_at"),
        closes_at=read.moment("closes_at"),
        is_public=read.flag("is_public"),
        needs_code=read.flag("needs_code"),
        needs_approval=read.flag("needs_approval"),
        is_walk_in=read.flag("is_walk_in"),
        position=position,
    )
    if read.problems:
        raise Invalid({**details.problems(), **read.problems})
    return details


async def _add(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _form(request, door, None, {"is_public": "1", "role": TicketRole.ATTENDEE})
    values = shared.typed_values(await forms.form_data(request))
    types = await queries.ticket_types(door.event.id)
    try:
        details = _read(door, values, None, max((item.position for item in types), default=0) + 1)
        await tickets.add(actor=door.actor, event_id=door.event.id, details=details, at=shared.now())
    except Invalid as refusal:
        return await _form(request, door, None, values, refusal)
    return shared.back_to(door, LIST, done="added")


async def _change(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    if request.method != "POST":
        zone = door.event.time_zone
        values = {
            **shared.spread("name", item.name),
            **shared.spread("description", item.description),
            **shared.spread("door_note", item.door_note),
            "code": item.code,
            "role": str(item.role),
            "site_id": str(item.site_id or ""),
            "quota": "" if item.quota is None else str(item.quota),
            "shared_quota_id": str(item.shared_quota_id or ""),
            "opens_at": shared.wall_clock(item.opens_at, zone),
            "closes_at": shared.wall_clock(item.closes_at, zone),
            **{name: "1" if getattr(item, name) else "" for name in _FLAGS},
        }
        return await _form(request, door, item, values)
    values = shared.typed_values(await forms.form_data(request))
    try:
        await tickets.change(
            actor=door.actor,
            event_id=door.event.id,
            ticket_type_id=item.id,
            details=_read(door, values, item, item.position),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, item, values, refusal)
    return shared.back_to(door, LIST, done="saved")


_FLAGS: Final = (
    "is_online",
    "has_waitlist",
    "is_public",
    "needs_code",
    "needs_approval",
    "is_walk_in",
)


async def _move(request: Request, door: Door) -> Response:
    """One place up or down; positions are numbered anew, so that equal ones can't hide a move."""
    item = await _get(request, door)
    values = shared.typed_values(await forms.form_data(request))
    order = [one.id for one in await queries.ticket_types(door.event.id)]
    index = order.index(item.id)
    target = index + (-1 if values.get("direction") == "up" else 1)
    if 0 <= target < len(order):
        order[index], order[target] = order[target], order[index]
        await tickets.order(actor=door.actor, event_id=door.event.id, ticket_type_ids=order, at=shared.now())
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
