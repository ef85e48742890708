"""Sites (城市分会场) of an event: which there are, in which order, and what belongs to each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, queries, sites
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.queries import SiteFacts
from events.rules import EventCode, Permission
from events.sites import SiteDetails
from kernel.errors import Conflict, Invalid
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.sites"
_BILINGUAL: Final = ("name", "city", "address")


@dataclass(frozen=True, slots=True)
class SiteRow:
    href: str
    name: str
    where: str
    code: str
    places: int
    ticket_types: int


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/sites.html"
    rows: Sequence[SiteRow]


async def _list(request: Request, door: Door) -> Response:
    slug, locale = door.event.slug, i18n.current_locale()
    places = Counter(item.site_id for item in await queries.places(door.event.id))
    types = Counter(item.site_id for item in await queries.ticket_types(door.event.id))
    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            rows=[
                SiteRow(
                    href=render.url("events.desk.site", slug=slug, site_id=item.id),
                    name=item.name.in_(locale),
                    where=shared.joined(item.city.in_(locale), item.address.in_(locale)),
                    code=item.code,
                    places=places[item.id],
                    ticket_types=types[item.id],
                )
                for item in await queries.sites(door.event.id)
            ],
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FormPage(DeskPage):
    template: ClassVar[str] = "events/desk/site_form.html"
    #: empty for a new one
    name: str
    list_href: str
    save_href: str
    remove_href: str


async def _form(
    request: Request,
    door: Door,
    item: SiteFacts | None,
    values: Mapping[str, str],
    refusal: Invalid | None = None,
    *,
    trouble: str = "",
    status: int = 200,
) -> Response:
    slug = door.event.slug
    return await render.page(
        request,
        FormPage(
            **access.frame(door, LIST),
            values=values,
            problems=shared.at_boxes(refusal.fields, _BILINGUAL) if refusal else {},
            trouble=trouble,
            name=item.name.in_(i18n.current_locale()) if item else "",
            list_href=render.url(LIST, slug=slug),
            save_href=render.url("events.desk.site", slug=slug, site_id=item.id)
            if item
            else render.url("events.desk.site_new", slug=slug),
            remove_href=render.url("events.desk.site_remove", slug=slug, site_id=item.id) if item else "",
        ),
        422 if refusal else status,
    )


async def _get(request: Request, door: Door) -> SiteFacts:
    items = await queries.sites(door.event.id)
    return shared.one_of(items, request.path_params["site_id"], EventCode.SITE_UNKNOWN)


def _details(values: Mapping[str, str], old: SiteFacts | None) -> SiteDetails:
    """What was typed; raises Invalid for what is no number."""
    read = Reader(values)
    position = read.whole_number("position")
    texts = {name: shared.gathered(values, name, getattr(old, name) if old else None) for name in _BILINGUAL}
    details = SiteDetails(
        code=read.text("code"),
        name=texts["name"],
        city=texts["city"],
        address=texts["address"],
        position=position or 0,
    )
    if read.problems:
        raise Invalid({**details.problems(), **read.problems})
    return details


async def _add(request: Request, door: Door) -> Response:
    if request.method != "POST":
        position = len(await queries.sites(door.event.id)) + 1
        return await _form(request, door, None, {"position": str(position)})
    values = shared.typed_values(await forms.form_data(request))
    try:
        await sites.add(
            actor=door.actor, event_id=door.event.id, details=_details(values, None), at=shared.now()
        )
    except Invalid as refusal:
        return await _form(request, door, None, values, refusal)
    return shared.back_to(door, LIST, done="added")


def _values(item: SiteFacts) -> dict[str, str]:
    values = {"code": item.code, "position": str(item.position)}
    for name in _BILINGUAL:
        values |= shared.spread(name, getattr(item, name))
    return values


async def _change(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    if request.method != "POST":
        return await _form(request, door, item, _values(item))
    values = shared.typed_values(await forms.form_data(request))
    try:
        await sites.change(
            actor=door.actor,
            event_id=door.event.id,
            site_id=item.id,
            details=_details(values, item),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, item, values, refusal)
    return shared.back_to(door, LIST, done="saved")


async def _remove(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    try:
        await sites.remove(actor=door.actor, event_id=door.event.id, site_id=item.id, at=shared.now())
    except Conflict as refusal:
        words = render.words_for(refusal.code, refusal.params)
        return await _form(request, door, item, _values(item), trouble=words, status=refusal.status)
    return shared.back_to(door, LIST, done="removed")


async def site_scopes(door: Door) -> list[tuple[str, int, str]]:
    """What a role may be narrowed to: ``(kind, id, title)`` for the team page."""
    return [("site", number, name) for number, name in (await shared.site_names(door)).items()]


_MAY: Final = Permission.CHANGE_EVENT
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/sites", _list, LIST, _MAY),
    access.route("/e/{slug}/desk/sites/new", _add, "events.desk.site_new", _MAY, ("GET", "POST")),
    access.route("/e/{slug}/desk/sites/{site_id}", _change, "events.desk.site", _MAY, ("GET", "POST")),
    access.route(
        "/e/{slug}/desk/sites/{site_id}/remove", _remove, "events.desk.site_remove", _MAY, ("POST",)
    ),
]
