"""The page of a rehearsal: start and stop it, see who has tried what, and clear it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from checkin import checkpoints, conflicts, rehearsals
from checkin.checkpoints import World
from checkin.rehearsals import Banner
from checkin.rules import TONES
from checkin.words import VERDICTS
from events import access
from events.access import Door, route
from events.desk.shared import DeskPage, Reader, typed_values, wall_clock
from events.rules import Permission
from kernel.errors import Conflict, Invalid, Problem
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

PAGE: Final = "checkin.rehearsal"
_DONE: Final[Mapping[str, str]] = {
    "start": N_("The rehearsal has begun. Every screen at the door says so."),
    "stop": N_("The rehearsal is over. From now on scans count."),
    "clear": N_("Cleared. Everybody can be tried anew."),
}


@dataclass(frozen=True, slots=True)
class TriedLine:
    who: str
    scans: int
    last: str


@dataclass(frozen=True, slots=True)
class CountLine:
    """One checkpoint: (tone, verdict, how often)."""

    name: str
    verdicts: Sequence[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class LatestLine:
    at: str
    where: str
    who: str
    by: str
    tone: str
    verdict: str
    late: bool


@dataclass(frozen=True, kw_only=True)
class RehearsalPage(DeskPage):
    template: ClassVar[str] = "checkin/rehearsal.html"
    rehearsal: Banner
    doors: str
    latest_end: str
    may_start: bool
    may_change: bool
    scans: int
    people: int
    tried: Sequence[TriedLine]
    counts: Sequence[CountLine]
    latest: Sequence[LatestLine]


async def rehearsal_page(request: Request, door: Door) -> Response:
    return await _show(request, door)


async def _show(
    request: Request,
    door: Door,
    *,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    trouble: str = "",
    status: int = 200,
) -> Response:
    at = datetime.now(UTC)
    world = await checkpoints.world(door.event.id)
    found = await rehearsals.report(door.event.id, at)
    zone = world.time_zone
    names = await conflicts.actor_names({one.by for one in found.tried})
    page = RehearsalPage(
        **access.frame(door, "checkin.desk.checkpoints"),
        values=values or {},
        problems=problems or {},
        trouble=trouble,
        done=i18n.gettext(_DONE[words]) if (words := request.query_params.get("done", "")) in _DONE else "",
        rehearsal=rehearsals.banner_of(world, at),
        doors=rehearsals.end_words(found.doors_open, zone),
        latest_end=wall_clock(found.doors_open, zone),
        may_start=found.span is None and at < found.doors_open,
        may_change=door.may(Permission.CHANGE_EVENT),
        scans=found.scans,
        people=found.people,
        tried=[
            TriedLine(names.get(one.by, one.by), one.scans, render.moment(one.last_at, zone))
            for one in found.tried
        ],
        counts=_counts(found, world),
        latest=[
            LatestLine(
                render.moment(one.at, zone),
                _place(world, one.checkpoint_id),
                one.name or i18n.gettext(N_("Nobody known")),
                names.get(one.by, one.by),
                TONES[one.verdict].value,
                i18n.gettext(VERDICTS[one.verdict]),
                one.late,
            )
            for one in found.latest
        ],
    )
    return await render.page(request, page, status)


def _counts(found: rehearsals.Report, world: World) -> list[CountLine]:
    lines: dict[int, list[tuple[str, str, int]]] = {}
    for checkpoint_id, verdict, count in found.counts:
        words = (TONES[verdict].value, i18n.gettext(VERDICTS[verdict]), count)
        lines.setdefault(checkpoint_id, []).append(words)
    return [CountLine(_place(world, number), verdicts) for number, verdicts in lines.items()]


def _place(world: World, checkpoint_id: int) -> str:
    view = world.checkpoints.get(checkpoint_id)
    return view.name.in_(i18n.current_locale()) if view else f"#{checkpoint_id}"


async def start(request: Request, door: Door) -> Response:
    """``until``: a wall-clock time of the event; empty: the opening of the doors."""
    values = typed_values(await forms.form_data(request))
    boxes = Reader(values, door.event.time_zone)
    until = boxes.moment("until")
    if boxes.problems:
        return await _show(request, door, values=values, problems=boxes.problems, status=Invalid.status)
    try:
        await rehearsals.start(actor=door.actor, event_id=door.event.id, until=until, at=datetime.now(UTC))
    except Invalid as error:
        return await _show(request, door, values=values, problems=error.fields, status=Invalid.status)
    except Conflict as error:
        return await _show(
            request, door, values=values, trouble=render.words_for(error.code), status=Conflict.status
        )
    return _back(door, "start")


async def stop(request: Request, door: Door) -> Response:
    await rehearsals.stop(actor=door.actor, event_id=door.event.id, at=datetime.now(UTC))
    return _back(door, "stop")


async def clear(request: Request, door: Door) -> Response:
    await rehearsals.clear(actor=door.actor, event_id=door.event.id, at=datetime.now(UTC))
    return _back(door, "clear")


def _back(door: Door, done: str) -> Response:
    return render.see_other(render.with_query(render.url(PAGE, slug=door.event.slug), done=done))


ROUTES: list[Entry] = [
    route("/e/{slug}/live/rehearsal", rehearsal_page, PAGE, Permission.VIEW_BOARD),
    route(
        "/e/{slug}/live/rehearsal/start", start, "checkin.rehearsal_start", Permission.CHANGE_EVENT, ("POST",)
    ),
    route(
        "/e/{slug}/live/rehearsal/stop", stop, "checkin.rehearsal_stop", Permission.CHANGE_EVENT, ("POST",)
    ),
    route(
        "/e/{slug}/live/rehearsal/clear", clear, "checkin.rehearsal_clear", Permission.CHANGE_EVENT, ("POST",)
    ),
]
