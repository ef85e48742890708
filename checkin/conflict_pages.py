"""The page of conflicts: both stories of each, with a name and a place, until somebody has dealt with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from checkin import checkpoints, conflicts, rehearsals
from checkin.checkpoints import World
from checkin.conflict_api import as_json
from checkin.conflict_rules import NOTE_MAX, Story
from checkin.conflicts import Conflict
from checkin.offline_rules import LET_IN
from checkin.words import STORIES, VERDICTS
from events import access
from events.access import Door, route
from events.desk.shared import DeskPage, attachment, typed_values, whole_id
from events.exporting import Cell, to_csv, to_xlsx
from events.rules import Permission
from kernel.errors import Code, Invalid, Problem
from kernel.text import N_
from people import journal
from people.jobs import in_worker
from web import forms, i18n, render
from web.i18n import ngettext
from web.routing import Entry

PAGE: Final = "checkin.conflicts"
#: Lines of one file, the newest first.
FILE_LINES: Final = 5_000
_MEDIA: Final[Mapping[str, str]] = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
_TONES: Final[Mapping[Story, str]] = dict.fromkeys(Story, "stop") | {Story.SENT_AWAY: "care"}


@dataclass(frozen=True, slots=True)
class Card:
    """One conflict in the reader's words; ``stories``: what each side says, in the order of time."""

    scan_id: str
    tone: str
    title: str
    who: str
    about: str
    href: str
    stories: Sequence[tuple[str, str]]
    hint: str
    dealt: str
    note: str
    may_deal: bool


@dataclass(frozen=True, kw_only=True)
class ConflictsPage(DeskPage):
    template: ClassVar[str] = "checkin/conflicts.html"
    rehearsal: rehearsals.Banner
    cards: Sequence[Card]
    tabs: Sequence[tuple[str, str, bool]]
    only_open: bool
    open: int
    total: int
    next_href: str | None
    first_href: str | None
    note_max: int = NOTE_MAX


#: What follows for those at the door.
_HINTS: Final[Mapping[Story, str]] = {
    Story.TWO_LANES: N_("Counted once. Two people with one passport, or one who went round?"),
    Story.NOBODY: N_("Not among those inside: nobody could ever scan them out. Ask at the lane who it was."),
    Story.REFUSED: N_("Counts as inside until scanned out. See whether they may stay."),
    Story.SENT_AWAY: N_("Not counted. Let them know that they may come in."),
}


async def conflicts_page(request: Request, door: Door) -> Response:
    """``?show=all`` also shows those that were dealt with; ``?before=`` goes on."""
    return await _show(request, door)


async def _show(
    request: Request, door: Door, *, problem: Invalid | None = None, done: str = "", status: int = 200
) -> Response:
    values = request.query_params
    only_open = values.get("show") != "all"
    world = await checkpoints.world(door.event.id)
    scope = _scope(door, world)
    before = whole_id(values.get("before"))
    found = await conflicts.list_all(
        door.event.id,
        only_open=only_open,
        checkpoint_ids=scope,
        before=before,
        limit=conflicts.PAGE + 1,
    )
    figures = await conflicts.figures(door.event.id, scope)
    shown, has_more = found[: conflicts.PAGE], len(found) > conflicts.PAGE
    names = await _names(shown)
    here = render.url(PAGE, slug=door.event.slug)
    kept = {} if only_open else {"show": "all"}
    page = ConflictsPage(
        **access.frame(door, "checkin.board"),
        rehearsal=rehearsals.banner_of(world, datetime.now(UTC)),
        problems=problem.fields if problem else {},
        done=done or (i18n.gettext(N_("Marked as dealt with.")) if values.get("done") else ""),
        cards=[_card(one, door, world, names) for one in shown],
        tabs=[
            (i18n.gettext(N_("Still open")) + f" {figures.open}", here, only_open),
            (
                i18n.gettext(N_("All")) + f" {figures.total}",
                render.with_query(here, show="all"),
                not only_open,
            ),
        ],
        only_open=only_open,
        open=figures.open,
        total=figures.total,
        next_href=render.with_query(here, **kept, before=shown[-1].id) if has_more else None,
        first_href=render.with_query(here, **kept) if before else None,
    )
    return await render.page(request, page, status)


def _scope(door: Door, world: World) -> frozenset[int] | None:
    """The checkpoints whose conflicts one may see: a role for a site sees that site's."""
    sites = door.site_scope()
    if sites is None:
        return None
    return frozenset(number for number, view in world.checkpoints.items() if view.in_site in sites)


async def _names(found: Sequence[Conflict]) -> dict[str, str]:
    keys = {one.by for one in found} | {one.dealt_by for one in found if one.dealt_by}
    return await conflicts.actor_names(keys | {one.other.by for one in found if one.other})


def _card(one: Conflict, door: Door, world: World, names: Mapping[str, str]) -> Card:
    zone = world.time_zone
    leads = door.checkpoint_scope(Permission.OVERRIDE)
    types = world.ticket_types.get(one.ticket_type_id or 0)
    about = [types.name.in_(i18n.current_locale()) if types else "", one.line]
    if one.times > 1:
        about.append(ngettext("%(num)s scan", "%(num)s scans", one.times) % {"num": one.times})
    dealt = ""
    if one.dealt_at is not None:
        dealt = i18n.gettext(N_("Dealt with at %(time)s by %(who)s")) % {
            "time": render.moment(one.dealt_at, zone),
            "who": names.get(one.dealt_by, one.dealt_by),
        }
    return Card(
        scan_id=str(one.scan_id),
        tone=_TONES[one.story] if one.is_open else "plain",
        title=i18n.gettext(STORIES[one.story]),
        who=one.name or i18n.gettext(N_("Nobody known")),
        about=" · ".join(part for part in about if part),
        href=render.url("checkin.staff_passport", slug=door.event.slug, registration_id=one.registration_id)
        if one.registration_id and door.may(Permission.SEE_REGISTRATIONS)
        else "",
        stories=_stories(one, world, names),
        hint=i18n.gettext(_HINTS[one.story]) if one.is_open else "",
        dealt=dealt,
        note=one.note,
        may_deal=one.is_open and (one.by == door.actor.key or leads is None or one.checkpoint_id in leads),
    )


def _stories(one: Conflict, world: World, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """(time, words) of what happened, the earliest first; what the server then said has no time of its own."""
    zone = world.time_zone
    words = N_("Let in at %(place)s without network, by %(who)s")
    if one.local not in LET_IN:
        words = N_("Sent away at %(place)s without network, by %(who)s")
    if one.is_doubtful:
        words = N_("%(place)s, by %(who)s, at a time that is doubtful")
    told = [(one.at, _say(words, one.checkpoint_id, one.by, world, names))]
    if one.other is not None:
        words = N_("Admitted at %(place)s, by %(who)s")
        told.append((one.other.at, _say(words, one.other.checkpoint_id, one.other.by, world, names)))
    lines = [(_clock(at, zone), text) for at, text in sorted(told)]
    said = i18n.gettext(N_("The server: %(verdict)s")) % {"verdict": i18n.gettext(VERDICTS[one.verdict])}
    return [*lines, (_clock(one.found_at, zone), said)]


def _say(words: str, checkpoint_id: int, by: str, world: World, names: Mapping[str, str]) -> str:
    view = world.checkpoints.get(checkpoint_id)
    place = view.name.in_(i18n.current_locale()) if view else f"#{checkpoint_id}"
    return i18n.gettext(words) % {"place": place, "who": names.get(by, by)}


def _clock(at: datetime, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%H:%M:%S")


async def deal(request: Request, door: Door) -> Response:
    """The form of one card: a note, or none; sent twice it is dealt with once."""
    values = typed_values(await forms.form_data(request))
    try:
        await conflicts.deal(
            door=door,
            scan_id=request.path_params["scan_id"],
            note=values.get("note", ""),
            at=datetime.now(UTC),
        )
    except Invalid as problem:
        return await _show(request, door, problem=problem, status=Invalid.status)
    return render.see_other(render.with_query(render.url(PAGE, slug=door.event.slug), done=1))


async def conflicts_file(request: Request, door: Door) -> Response:
    """All of them as XLSX, CSV or JSON, the newest first."""
    values = typed_values(await forms.form_data(request))
    kind = values.get("format", "")
    if kind not in _MEDIA:
        problem = Invalid({"format": Problem(Code.NOT_A_CHOICE)})
        return await _show(request, door, problem=problem, status=Invalid.status)
    world, at = await checkpoints.world(door.event.id), datetime.now(UTC)
    found = await conflicts.list_all(
        door.event.id, only_open=False, checkpoint_ids=_scope(door, world), limit=FILE_LINES
    )
    names = await _names(found)
    await journal.write(
        actor=door.actor,
        verb="conflicts.export",
        object_kind="event",
        object_id=door.event.id,
        event_id=door.event.id,
        new={"format": kind},
        at=at,
    )
    zone, locale = ZoneInfo(world.time_zone), i18n.current_locale()
    stamp = at.astimezone(zone).strftime("%Y%m%d-%H%M")
    headers = attachment(f"{door.event.slug}-conflicts-{stamp}.{kind}")
    if kind == "json":
        answer = render.json({"conflicts": [as_json(one) for one in found]})
        answer.headers.update(headers)
        return answer
    words = (
        N_("When"), N_("Where"), N_("Who scanned"), N_("Conflict"), N_("Verdict"), N_("Person"), N_("Short code"),
        N_("Other time"), N_("Other place"), N_("Dealt with at"), N_("Dealt with by"), N_("Note"), N_("Scans"), N_("Code"),
    )  # fmt: skip

    def local(when: datetime | None) -> Cell:
        return when.astimezone(zone).replace(tzinfo=None, microsecond=0) if when else ""

    def place(number: int) -> str:
        view = world.checkpoints.get(number)
        return view.name.in_(locale) if view else f"#{number}"

    rows: list[list[Cell]] = [
        [
            local(one.at),
            place(one.checkpoint_id),
            names.get(one.by, one.by),
            i18n.gettext(STORIES[one.story]),
            i18n.gettext(VERDICTS[one.verdict]),
            one.name,
            one.short_code,
            local(one.other.at if one.other else None),
            place(one.other.checkpoint_id) if one.other else "",
            local(one.dealt_at),
            names.get(one.dealt_by, one.dealt_by),
            one.note,
            one.times,
            one.verdict.value,
        ]
        for one in found
    ]
    titles = [i18n.gettext(one) for one in words]
    if kind == "csv":
        body = b"".join(to_csv(titles, rows))
    else:
        body = await in_worker(partial(to_xlsx, title=i18n.gettext(N_("Conflicts"))), titles, rows)
    return Response(body, media_type=_MEDIA[kind], headers=headers)


ROUTES: list[Entry] = [
    route("/e/{slug}/live/conflicts", conflicts_page, PAGE, Permission.VIEW_BOARD),
    route(
        "/e/{slug}/live/conflicts/{scan_id:uuid}/deal",
        deal,
        "checkin.conflict_deal",
        Permission.OVERRIDE,
        ("POST",),
    ),
    route(
        "/e/{slug}/live/conflicts/file",
        conflicts_file,
        "checkin.conflicts_file",
        Permission.VIEW_BOARD,
        ("POST",),
    ),
]
