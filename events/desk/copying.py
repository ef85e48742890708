"""Copying an event to a new date: this year's conference out of last year's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, copying, letter
from events.access import Door
from events.copying_rules import Plan
from events.desk import shared
from events.desk.settings_tabs import Tabs, tabs
from events.desk.shared import DeskPage, Reader
from events.rules import Permission
from kernel.errors import Invalid, Problem
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

PAGE: Final = "events.desk.copy"

#: What always comes along, and what never does.
COMES: Final = (
    N_("Settings, texts and the cover picture"),
    N_("Sites and places"),
    N_("Ticket types with their quotas and windows"),
    N_("Questions and consents of the form"),
    N_("Own pages and reminders"),
    N_("Checkpoints with their windows"),
)
STAYS: Final = (
    N_("Registrations, passports and scans"),
    N_("Access codes, groups and partner links"),
    N_("Letters and the journal"),
)


@dataclass(frozen=True, kw_only=True)
class CopyPage(DeskPage):
    template: ClassVar[str] = "events/desk/copy.html"
    tabs: Tabs
    base: str
    was: str
    comes: Sequence[str]
    stays: Sequence[str]


async def _show(
    request: Request, door: Door, values: Mapping[str, str], problems: Mapping[str, Problem] | None = None
) -> Response:
    return await render.page(
        request,
        CopyPage(
            **access.frame(door, "events.desk.settings"),
            values=values,
            problems=shared.at_boxes(problems or {}, ("name",)),
            tabs=tabs(door, PAGE),
            base=render.absolute("/e/"),
            was=letter.days(door.event, i18n.current_locale()),
            comes=[i18n.gettext(words) for words in COMES],
            stays=[i18n.gettext(words) for words in STAYS],
        ),
        422 if problems else 200,
    )


async def _copy(request: Request, door: Door) -> Response:
    if request.method != "POST":
        # 52 weeks later it is the same day of the week.
        suggested = door.event.starts_on + timedelta(days=364)
        start = {**shared.spread("name", door.event.name), "starts_on": suggested.isoformat()}
        return await _show(request, door, start)
    values = shared.typed_values(await forms.form_data(request))
    read = Reader(values)
    first = read.day("starts_on")
    plan = Plan(
        slug=read.text("slug"),
        name=shared.gathered(values, "name", door.event.name),
        starts_on=first or door.event.starts_on,
        with_team=read.flag("with_team"),
        with_programme=read.flag("with_programme"),
    )
    try:
        if read.problems:
            raise Invalid({**plan.problems(), **read.problems})
        await copying.copy(actor=door.actor, event_id=door.event.id, plan=plan, at=shared.now())
    except Invalid as refusal:
        return await _show(request, door, values, refusal.fields)
    return render.see_other(render.with_query(render.url("events.desk", slug=plan.slug), done="copied"))


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/copy", _copy, PAGE, Permission.CHANGE_EVENT, ("GET", "POST")),
]
