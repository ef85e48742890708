"""Which series (系列活动) the event belongs to; a series is made, joined, renamed and left from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, event, series
from events.access import Door
from events.desk import shared
from events.desk.settings_tabs import Tabs, tabs
from events.desk.shared import DeskPage
from events.rules import Details, EventCode, Permission
from events.series import SeriesFacts
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from web import forms, i18n, render
from web.routing import Entry

PAGE: Final = "events.desk.series"


@dataclass(frozen=True, kw_only=True)
class SeriesPage(DeskPage):
    template: ClassVar[str] = "events/desk/series.html"
    tabs: Tabs
    #: The event's own; empty when it is in none.
    name: str
    public_href: str
    base: str
    #: Series that one may put it into: (id, name).
    choices: Sequence[tuple[int, str]]


async def _choices(door: Door) -> Sequence[SeriesFacts]:
    """Series with an event in which one has a role; administrators may choose any."""
    if door.actor.is_admin:
        return await series.listed()
    return await series.of_events(await access.own_event_ids(door.actor))


async def _show(
    request: Request,
    door: Door,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
) -> Response:
    locale = i18n.current_locale()
    own = await series.find_by_id(door.event.series_id) if door.event.series_id else None
    shown = values
    if shown is None:
        shown = {**shared.spread("series_name", own.name), "series_slug": own.slug} if own else {}
    return await render.page(
        request,
        SeriesPage(
            **access.frame(door, "events.desk.settings"),
            done=shared.done_words(request),
            values=shown,
            problems=shared.at_boxes(problems or {}, ("series_name",)),
            tabs=tabs(door, PAGE),
            name=own.name.in_(locale) if own else "",
            public_href=render.url("events.series", series=own.slug) if own else "",
            base=render.absolute("/series/"),
            choices=[
                (one.id, one.name.in_(locale))
                for one in await _choices(door)
                if own is None or one.id != own.id
            ],
        ),
        422 if problems else 200,
    )


async def _page(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _show(request, door)
    values = shared.typed_values(await forms.form_data(request))
    try:
        await _ACTS.get(values.get("act", ""), _unknown)(door, values)
    except Invalid as refusal:
        return await _show(request, door, values, refusal.fields)
    return shared.back_to(door, PAGE, done="saved")


async def _unknown(door: Door, values: Mapping[str, str]) -> None:
    raise Invalid({"series_id": Problem(Code.NOT_A_CHOICE)})


async def _put(door: Door, series_id: int | None) -> None:
    facts = replace(Details.of(door.event), series_id=series_id)
    await event.change(actor=door.actor, event_id=door.event.id, facts=facts, at=shared.now())


async def _join(door: Door, values: Mapping[str, str]) -> None:
    wanted = shared.whole_id(values.get("series_id"))
    if wanted not in {one.id for one in await _choices(door)}:
        raise Invalid({"series_id": Problem(Code.NOT_A_CHOICE)})
    await _put(door, wanted)


async def _leave(door: Door, _values: Mapping[str, str]) -> None:
    await _put(door, None)


async def _make(door: Door, values: Mapping[str, str]) -> None:
    # Two actions: a series that nobody is in must not stay behind.
    async with unit_of_work():
        number = await series.make(
            actor=door.actor,
            slug=values.get("series_slug", ""),
            name=shared.gathered(values, "series_name"),
            at=shared.now(),
        )
        await _put(door, number)


async def _rename(door: Door, values: Mapping[str, str]) -> None:
    if door.event.series_id is None:
        raise NotFound(EventCode.SERIES_UNKNOWN)
    own = await series.find_by_id(door.event.series_id)
    await series.rename(
        actor=door.actor,
        series_id=door.event.series_id,
        slug=values.get("series_slug", ""),
        name=shared.gathered(values, "series_name", own.name if own else None),
        at=shared.now(),
    )


_ACTS: Final = {"join": _join, "leave": _leave, "make": _make, "rename": _rename}

ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/series", _page, PAGE, Permission.CHANGE_EVENT, ("GET", "POST")),
]
