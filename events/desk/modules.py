"""What an event needs of the desk: its size, and each part switched on or off. Off hides, nothing is deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, event
from events.access import Door
from events.desk import shared
from events.desk.settings_tabs import Tabs, tabs
from events.desk.shared import DeskPage
from events.rules import MODULES_OF, Details, EventKind, Module, Permission
from kernel.errors import Code, Problem
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

PAGE: Final = "events.desk.modules"

#: Each part with one line that says what it brings.
LINES: Final[Mapping[Module, tuple[str, str]]] = {
    Module.TICKETS: (
        N_("Ticket types"),
        N_("Several kinds of tickets with quotas, windows and access codes."),
    ),
    Module.FORM: (N_("Questions"), N_("Own questions and consents on the registration form.")),
    Module.WAITLIST: (
        N_("Waiting list and approval"),
        N_("Who waits moves up by itself; organisers approve in bulk."),
    ),
    Module.PARTNERS: (
        N_("Partner links"),
        N_("Partners and teachers register their own people, within a quota."),
    ),
    Module.LISTS: (N_("Import and export"), N_("Lists in and out as CSV and XLSX.")),
    Module.PROGRAMME: (N_("Programme"), N_("Sessions with times and rooms.")),
    Module.PLACES: (N_("Places"), N_("A tree of buildings, floors and rooms.")),
    Module.SITES: (N_("Sites"), N_("Parts of the event in several cities.")),
    Module.CHECKPOINTS: (N_("Checkpoints"), N_("Several gates, session doors, booths and meals.")),
    Module.ARRIVALS: (N_("Arrivals"), N_("A list of everybody with a tick for each who has come.")),
    Module.BOARD: (N_("Live board"), N_("Figures of the doors, for a wall screen.")),
    Module.LETTERS: (N_("Letters"), N_("Reminders, and the outbox with every letter.")),
    Module.PAGES: (N_("Pages"), N_("Own pages in Markdown: travel, code of conduct.")),
    Module.STATISTICS: (N_("Statistics"), N_("Registrations by day, type and source.")),
    Module.TEAM: (N_("Team and journal"), N_("Roles, invitations, and who did what.")),
}


@dataclass(frozen=True, slots=True)
class ModuleLine:
    code: str
    title: str
    what: str
    is_on: bool
    #: Its pages, which work also while the menu does not show them.
    links: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class ModulesPage(DeskPage):
    template: ClassVar[str] = "events/desk/modules.html"
    tabs: Tabs
    kind: str
    modules: Sequence[ModuleLine]


async def _modules(request: Request, door: Door) -> Response:
    if request.method == "POST":
        return await _change(request, door)
    return await _show(request, door, str(door.event.kind), door.event.modules)


async def _show(
    request: Request,
    door: Door,
    kind: str,
    on: frozenset[Module],
    problems: Mapping[str, Problem] | None = None,
) -> Response:
    links = access.links_by_module(door)
    return await render.page(
        request,
        ModulesPage(
            **access.frame(door, "events.desk.settings"),
            done=shared.done_words(request),
            problems=problems or {},
            tabs=tabs(door, PAGE),
            kind=kind,
            modules=[
                ModuleLine(
                    str(module), i18n.gettext(title), i18n.gettext(what), module in on, links.get(module, ())
                )
                for module, (title, what) in LINES.items()
            ],
        ),
        422 if problems else 200,
    )


async def _change(request: Request, door: Door) -> Response:
    """``preset`` sets what a size brings, ``save`` what is ticked."""
    data = await forms.form_data(request)
    values = shared.typed_values(data)
    kind = shared.word_of(EventKind, values.get("kind"))
    chosen = [shared.word_of(Module, raw) for raw in shared.chosen_many(data, "modules")]
    on = frozenset(module for module in chosen if module is not None)
    if kind is None or None in chosen:
        name = "kind" if kind is None else "modules"
        wrong = {name: Problem(Code.NOT_A_CHOICE)}
        return await _show(request, door, values.get("kind", ""), on, wrong)
    if values.get("act") == "preset":
        on = MODULES_OF[kind]
    facts = replace(Details.of(door.event), kind=kind, modules=on)
    await event.change(actor=door.actor, event_id=door.event.id, facts=facts, at=shared.now())
    return shared.back_to(door, PAGE, done="saved")


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/modules", _modules, PAGE, Permission.CHANGE_EVENT, ("GET", "POST")),
]
