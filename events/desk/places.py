"""The tree of places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, queries, venue
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.queries import PlaceFacts
from events.rules import EventCode, Permission, PlaceKind
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, Problem
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.places"


@dataclass(frozen=True, slots=True)
class PlaceRow:
    href: str
    add_href: str
    name: str
    code: str
    kind: str
    site: str
    capacity: int | None
    depth: int


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/places.html"
    rows: Sequence[PlaceRow]
    #: (words, href, count, current), when the event has sites
    sites: Sequence[tuple[str, str, int, bool]]


async def _list(request: Request, door: Door) -> Response:
    slug, locale = door.event.slug, i18n.current_locale()
    new = render.url("events.desk.place_new", slug=slug)
    names = await shared.site_names(door)
    places = await queries.places(door.event.id)
    chosen = shared.whole_id(request.query_params.get("site"))
    shown = [item for item in places if chosen not in names or item.site_id == chosen]
    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            rows=[
                PlaceRow(
                    href=render.url("events.desk.place", slug=slug, place_id=item.id),
                    add_href=render.with_query(new, parent=item.id),
                    name=item.name.in_(locale),
                    code=item.code,
                    kind=render.words_for(item.kind),
                    site=names.get(item.site_id or 0, ""),
                    capacity=item.capacity,
                    depth=item.depth,
                )
                for item in shown
            ],
            sites=shared.site_chips(
                names, chosen, render.url(LIST, slug=slug), [item.site_id for item in places]
            ),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FormPage(DeskPage):
    template: ClassVar[str] = "events/desk/place_form.html"
    #: empty for a new one
    name: str
    kinds: Sequence[tuple[str, str]]
    parents: Sequence[tuple[int, str]]
    sites: Sequence[tuple[int, str]]
    list_href: str


async def _form(
    request: Request,
    door: Door,
    item: PlaceFacts | None,
    values: Mapping[str, str],
    refusal: Invalid | None = None,
) -> Response:
    locale = i18n.current_locale()
    places = await queries.places(door.event.id)
    return await render.page(
        request,
        FormPage(
            **access.frame(door, LIST),
            values=values,
            problems=shared.at_boxes(refusal.fields, ("name",)) if refusal else {},
            name=item.name.in_(locale) if item else "",
            kinds=[(str(kind), render.words_for(kind)) for kind in PlaceKind],
            parents=[
                (one.id, one.path_in(locale))
                for one in places
                if item is None or not _is_within(one, item, places)
            ],
            sites=list((await shared.site_names(door)).items()),
            list_href=render.url(LIST, slug=door.event.slug),
        ),
        422 if refusal else 200,
    )


def _is_within(one: PlaceFacts, top: PlaceFacts, places: Sequence[PlaceFacts]) -> bool:
    """Whether a place is ``top`` or lies below it."""
    above = {place.id: place.parent_id for place in places}
    at: int | None = one.id
    while at is not None and at != top.id:
        at = above.get(at)
    return at == top.id


async def _get(request: Request, door: Door) -> PlaceFacts:
    items = await queries.places(door.event.id)
    return shared.one_of(items, request.path_params["place_id"], EventCode.PLACE_UNKNOWN)


def _kind(read: Reader) -> PlaceKind:
    kind = shared.word_of(PlaceKind, read.text("kind"))
    if kind is None:
        read.wrong("kind", Code.NOT_A_CHOICE)
    return kind or PlaceKind.ROOM


async def _add(request: Request, door: Door) -> Response:
    if request.method != "POST":
        parent = shared.whole_id(request.query_params.get("parent"))
        return await _form(request, door, None, {"kind": "room", "parent_id": str(parent or "")})
    values = shared.typed_values(await forms.form_data(request))
    read = Reader(values)
    kind, capacity, position = _kind(read), read.whole_number("capacity"), read.whole_number("position")
    try:
        if read.problems:
            raise Invalid(read.problems)
        await venue.add_place(
            event_id=door.event.id,
            code=read.text("code"),
            kind=kind,
            name=shared.gathered(values, "name"),
            parent_id=_parent(values),
            capacity=capacity,
            position=position or 0,
            site_id=shared.whole_id(read.text("site_id")),
            actor=door.actor,
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, None, values, refusal)
    return shared.back_to(door, LIST, done="added")


def _parent(values: Mapping[str, str]) -> int | None:
    raw = values.get("parent_id", "")
    return (shared.whole_id(raw) or 0) if raw else None


async def _change(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    if request.method != "POST":
        values = {
            **shared.spread("name", item.name),
            "code": item.code,
            "kind": str(item.kind),
            "capacity": "" if item.capacity is None else str(item.capacity),
            "position": str(item.position),
            "parent_id": str(item.parent_id or ""),
            "site_id": str(item.site_id or ""),
        }
        return await _form(request, door, item, values)
    values = shared.typed_values(await forms.form_data(request))
    read = Reader(values)
    kind, capacity, position = _kind(read), read.whole_number("capacity"), read.whole_number("position")
    try:
        if read.problems:
            raise Invalid(read.problems)
        # One form, two actions: a parent that can't be must not leave half of it done.
        async with unit_of_work():
            await venue.change_place(
                event_id=door.event.id,
                place_id=item.id,
                code=read.text("code"),
                kind=kind,
                name=shared.gathered(values, "name", item.name),
                capacity=capacity,
                position=position or 0,
                site_id=shared.whole_id(read.text("site_id")),
                actor=door.actor,
                at=shared.now(),
            )
            if _parent(values) != item.parent_id:
                await venue.move_place(
                    event_id=door.event.id,
                    place_id=item.id,
                    parent_id=_parent(values),
                    actor=door.actor,
                    at=shared.now(),
                )
    except Invalid as refusal:
        return await _form(request, door, item, values, refusal)
    except Conflict as refusal:
        problem = Problem(refusal.code, refusal.params)
        return await _form(request, door, item, values, Invalid({"parent_id": problem}))
    return shared.back_to(door, LIST, done="saved")


_MAY: Final = Permission.CHANGE_EVENT
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/places", _list, LIST, _MAY),
    access.route("/e/{slug}/desk/places/new", _add, "events.desk.place_new", _MAY, ("GET", "POST")),
    access.route("/e/{slug}/desk/places/{place_id}", _change, "events.desk.place", _MAY, ("GET", "POST")),
]
