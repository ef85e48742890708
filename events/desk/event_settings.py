"""The event's own facts: names, dates, place, look, registration window, and whether the public sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, event
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.rules import EVENT_MOVES, Details, EventState, Permission, is_zone
from kernel.errors import Code, Conflict, Invalid, Problem
from web import forms, render
from web.routing import Entry

PAGE: Final = "events.desk.settings"
_BILINGUAL: Final = ("name", "tagline", "text", "city", "address")
#: Offered while typing; any zone that the machine knows is taken.
ZONES: Final = (
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Taipei",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Asia/Kolkata",
    "Asia/Dubai",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Australia/Sydney",
    "UTC",
)
_ACTIONS: Final = {
    EventState.PUBLISHED: event.publish,
    EventState.ENDED: event.end,
    EventState.DRAFT: event.hide,
}
_DONE: Final = {EventState.PUBLISHED: "published", EventState.ENDED: "ended", EventState.DRAFT: "hidden"}


@dataclass(frozen=True, kw_only=True)
class SettingsPage(DeskPage):
    template: ClassVar[str] = "events/desk/settings.html"
    state: EventState
    state_words: str
    moves: Sequence[str]
    zones: Sequence[str]
    base: str


async def _settings(request: Request, door: Door) -> Response:
    if request.method == "POST":
        return await _change(request, door)
    return await _show(request, door)


async def _show(
    request: Request,
    door: Door,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    *,
    trouble: str = "",
    status: int = 200,
) -> Response:
    return await render.page(
        request,
        SettingsPage(
            **access.frame(door, PAGE),
            done=shared.done_words(request),
            trouble=trouble,
            values=values if values is not None else _values(door),
            problems=problems or {},
            state=door.event.state,
            state_words=render.words_for(door.event.state),
            moves=[str(state) for state in EventState if state in EVENT_MOVES[door.event.state]],
            zones=ZONES,
            base=render.absolute("/e/"),
        ),
        status,
    )


def _values(door: Door) -> dict[str, str]:
    facts = door.event
    values: dict[str, str] = {}
    for name in _BILINGUAL:
        values |= shared.spread(name, getattr(facts, name))
    return values | {
        "slug": facts.slug,
        "starts_on": facts.starts_on.isoformat(),
        "ends_on": facts.ends_on.isoformat(),
        "time_zone": facts.time_zone,
        "theme_colour": facts.theme_colour,
        "registration_opens_at": shared.wall_clock(facts.registration_opens_at, facts.time_zone),
        "registration_closes_at": shared.wall_clock(facts.registration_closes_at, facts.time_zone),
    }


async def _change(request: Request, door: Door) -> Response:
    values = shared.typed_values(await forms.form_data(request))
    facts = door.event
    zone = values.get("time_zone", "")
    # A wall clock needs the zone it hangs in; an unknown one is named at its own field.
    read = Reader(values, zone if is_zone(zone) else facts.time_zone)
    texts = {name: shared.gathered(values, name, getattr(facts, name)) for name in _BILINGUAL}
    details = replace(
        Details.of(facts),
        slug=read.text("slug"),
        time_zone=zone,
        theme_colour=read.text("theme_colour").lower(),
        starts_on=read.day("starts_on") or facts.starts_on,
        ends_on=read.day("ends_on") or facts.ends_on,
        registration_opens_at=read.moment("registration_opens_at"),
        registration_closes_at=read.moment("registration_closes_at"),
        name=texts["name"],
        tagline=texts["tagline"],
        text=texts["text"],
        city=texts["city"],
        address=texts["address"],
    )
    try:
        if read.problems:
            raise Invalid({**details.problems(), **read.problems})
        await event.change(actor=door.actor, event_id=facts.id, facts=details, at=shared.now())
    except Invalid as refusal:
        return await _show(request, door, values, shared.at_boxes(refusal.fields, _BILINGUAL), status=422)
    return render.see_other(render.with_query(render.url(PAGE, slug=details.slug), done="saved"))


async def _move(request: Request, door: Door) -> Response:
    values = shared.typed_values(await forms.form_data(request))
    state = shared.word_of(EventState, values.get("state"))
    if state is None:
        raise Invalid({"state": Problem(Code.NOT_A_CHOICE)})
    try:
        await _ACTIONS[state](actor=door.actor, event_id=door.event.id, at=shared.now())
    except Conflict as refusal:
        words = render.words_for(refusal.code, refusal.params)
        return await _show(request, door, trouble=words, status=refusal.status)
    return render.see_other(render.with_query(render.url(PAGE, slug=door.event.slug), done=_DONE[state]))


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/settings", _settings, PAGE, Permission.CHANGE_EVENT, ("GET", "POST")),
    access.route("/e/{slug}/desk/state", _move, "events.desk.state", Permission.CHANGE_EVENT, ("POST",)),
]
