"""Quotas that several ticket types share: how many are taken, which types count in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, queries, tickets
from events.access import Door
from events.desk import shared, ticket_types
from events.desk.shared import DeskPage, Reader
from events.rules import EventCode, Permission
from events.tickets import SharedQuotaDetails, SharedQuotaFacts
from kernel.errors import Conflict, Invalid
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.shared_quotas"


@dataclass(frozen=True, slots=True)
class QuotaRow:
    href: str
    name: str
    taken: int
    quota: int
    is_full: bool
    types: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/shared_quotas.html"
    tabs: Sequence[tuple[str, str, bool]]
    rows: Sequence[QuotaRow]


async def _list(request: Request, door: Door) -> Response:
    locale = i18n.current_locale()
    names = await queries.ticket_type_names(door.event.id)
    return await render.page(
        request,
        ListPage(
            **access.frame(door, ticket_types.LIST),
            done=shared.done_words(request),
            tabs=ticket_types.tabs(door, LIST),
            rows=[
                QuotaRow(
                    href=render.url(
                        "events.desk.shared_quota", slug=door.event.slug, shared_quota_id=item.id
                    ),
                    name=item.name.in_(locale),
                    taken=item.taken,
                    quota=item.quota,
                    is_full=item.taken >= item.quota,
                    types=" · ".join(names[number].in_(locale) for number in item.ticket_type_ids),
                )
                for item in await tickets.shared_quotas(door.event.id)
            ],
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FormPage(DeskPage):
    template: ClassVar[str] = "events/desk/shared_quota_form.html"
    #: empty for a new one
    name: str
    taken: int
    list_href: str
    remove_href: str


async def _get(request: Request, door: Door) -> SharedQuotaFacts:
    items = await tickets.shared_quotas(door.event.id)
    return shared.one_of(items, request.path_params["shared_quota_id"], EventCode.SHARED_QUOTA_UNKNOWN)


async def _form(
    request: Request,
    door: Door,
    item: SharedQuotaFacts | None,
    values: Mapping[str, str],
    refusal: Invalid | Conflict | None = None,
) -> Response:
    slug = door.event.slug
    return await render.page(
        request,
        FormPage(
            **access.frame(door, ticket_types.LIST),
            values=values,
            problems=shared.at_boxes(refusal.fields, ("name",)) if isinstance(refusal, Invalid) else {},
            trouble=render.words_for(refusal.code) if isinstance(refusal, Conflict) else "",
            name=item.name.in_(i18n.current_locale()) if item else "",
            taken=item.taken if item else 0,
            list_href=render.url(LIST, slug=slug),
            remove_href=render.url("events.desk.shared_quota_removal", slug=slug, shared_quota_id=item.id)
            if item and not item.ticket_type_ids
            else "",
        ),
        refusal.status if refusal else 200,
    )


def _read(values: Mapping[str, str], item: SharedQuotaFacts | None) -> SharedQuotaDetails:
    read = Reader(values)
    quota = read.whole_number("quota", required=True)
    details = SharedQuotaDetails(
        name=shared.gathered(values, "name", item.name if item else None), quota=quota or 0
    )
    if read.problems:
        raise Invalid({**details.problems(), **read.problems})
    return details


def _values(item: SharedQuotaFacts) -> dict[str, str]:
    return {**shared.spread("name", item.name), "quota": str(item.quota)}


async def _add(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _form(request, door, None, {})
    values = shared.typed_values(await forms.form_data(request))
    try:
        await tickets.add_shared_quota(
            actor=door.actor, event_id=door.event.id, details=_read(values, None), at=shared.now()
        )
    except Invalid as refusal:
        return await _form(request, door, None, values, refusal)
    return shared.back_to(door, LIST, done="added")


async def _change(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    if request.method != "POST":
        return await _form(request, door, item, _values(item))
    values = shared.typed_values(await forms.form_data(request))
    try:
        await tickets.change_shared_quota(
            actor=door.actor,
            event_id=door.event.id,
            shared_quota_id=item.id,
            details=_read(values, item),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, item, values, refusal)
    return shared.back_to(door, LIST, done="saved")


async def _remove(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    try:
        await tickets.remove_shared_quota(
            actor=door.actor, event_id=door.event.id, shared_quota_id=item.id, at=shared.now()
        )
    except Conflict as refusal:
        return await _form(request, door, item, _values(item), refusal)
    return shared.back_to(door, LIST, done="removed")


_MAY: Final = Permission.CHANGE_EVENT
_BOTH: Final = ("GET", "POST")
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/shared-quotas", _list, LIST, _MAY),
    access.route("/e/{slug}/desk/shared-quotas/new", _add, "events.desk.shared_quota_new", _MAY, _BOTH),
    access.route(
        "/e/{slug}/desk/shared-quotas/{shared_quota_id}", _change, "events.desk.shared_quota", _MAY, _BOTH
    ),
    access.route(
        "/e/{slug}/desk/shared-quotas/{shared_quota_id}/removal",
        _remove,
        "events.desk.shared_quota_removal",
        _MAY,
        ("POST",),
    ),
]
