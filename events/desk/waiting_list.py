"""The waiting list as it moves: who has an offer and until when, who is next; one put first or taken off by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, queries, registrations, waitlist
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage
from events.rules import EventCode, Permission, RegistrationState
from events.waitlist import InLine
from kernel.errors import Conflict, NotFound
from web import i18n, render
from web.routing import Entry

LIST: Final = "events.desk.waiting_list"


@dataclass(frozen=True, slots=True)
class LineRow:
    href: str
    place: str
    name: str
    organisation: str
    ticket_type: str
    since: str
    #: until when the place is kept; empty for somebody who waits
    until: str
    first_href: str
    removal_href: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/waiting_list.html"
    offered: Sequence[LineRow]
    waiting: Sequence[LineRow]
    #: Waiting in all, and shown at most.
    total: int
    types: Sequence[tuple[str, str, int | None, bool]]
    offer_hours: int
    has_list: bool
    ticket_types_href: str


async def _list(request: Request, door: Door) -> Response:
    return await _show(request, door)


async def _show(request: Request, door: Door, trouble: str = "", status: int = 200) -> Response:
    event, slug, locale = door.event, door.event.slug, i18n.current_locale()
    types = {item.id: item for item in await queries.ticket_types(event.id)}
    chosen = shared.whole_id(request.query_params.get("type"))
    waiting_by_type = await waitlist.counts(event.id)
    line = await waitlist.line(event.id, ticket_type_id=chosen if chosen in types else None)
    here = render.url(LIST, slug=slug)

    def row(item: InLine) -> LineRow:
        one = {"slug": slug, "registration_id": item.registration_id}
        return LineRow(
            href=render.url("events.desk.registration", **one),
            place=str(item.place or ""),
            name=item.name,
            organisation=item.organisation,
            ticket_type=types[item.ticket_type_id].name.in_(locale),
            since=render.moment(item.since, event.time_zone),
            until=render.moment(item.offer_until, event.time_zone)
            if item.offer_until
            else (i18n.gettext("until answered") if item.state is RegistrationState.OFFERED else ""),
            first_href=render.url("events.desk.waiting_first", **one),
            removal_href=render.url("events.desk.waiting_removal", **one),
        )

    counts = Counter(waiting_by_type)
    chips = [(i18n.gettext("All"), here, counts.total(), chosen not in types)]
    chips += [
        (item.name.in_(locale), render.with_query(here, type=item.id), counts[item.id], item.id == chosen)
        for item in types.values()
        if counts[item.id] or item.has_waitlist
    ]
    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            trouble=trouble,
            offered=[row(item) for item in line if item.state is RegistrationState.OFFERED],
            waiting=[row(item) for item in line if item.state is RegistrationState.WAITLISTED],
            total=counts[chosen] if chosen in types else counts.total(),
            types=chips if len(chips) > 2 else [],
            offer_hours=event.offer_hours,
            has_list=any(item.has_waitlist for item in types.values()),
            ticket_types_href=render.url("events.desk.ticket_types", slug=slug)
            if door.may(Permission.CHANGE_EVENT)
            else "",
        ),
        status,
    )


def _id(request: Request) -> int:
    number = shared.whole_id(request.path_params["registration_id"])
    if number is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    return number


async def _first(request: Request, door: Door) -> Response:
    try:
        offered = await waitlist.put_first(
            actor=door.actor, event_id=door.event.id, registration_id=_id(request), at=shared.now()
        )
    except Conflict as refusal:
        return await _show(request, door, render.words_for(refusal.code), refusal.status)
    here = render.url(LIST, slug=door.event.slug)
    return render.see_other(render.with_query(here, done="offered" if offered else "put_first"))


async def _remove(request: Request, door: Door) -> Response:
    try:
        await registrations.cancel(
            actor=door.actor, event_id=door.event.id, registration_id=_id(request), at=shared.now()
        )
    except Conflict as refusal:
        return await _show(request, door, render.words_for(refusal.code), refusal.status)
    here = render.url(LIST, slug=door.event.slug)
    return render.see_other(render.with_query(here, done="taken_off"))


_MAY: Final = Permission.CHANGE_REGISTRATIONS
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/waiting-list", _list, LIST, _MAY),
    access.route(
        "/e/{slug}/desk/waiting-list/{registration_id}/first",
        _first,
        "events.desk.waiting_first",
        _MAY,
        ("POST",),
    ),
    access.route(
        "/e/{slug}/desk/waiting-list/{registration_id}/removal",
        _remove,
        "events.desk.waiting_removal",
        _MAY,
        ("POST",),
    ),
]
