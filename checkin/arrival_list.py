"""The list with ticks (到了): who is expected, and one tap for each who has come. Made for a phone in one hand.

A tick is one ordinary scan at a gate, through ``scanning`` as every other; so it is counted, shown on the board and
never untaken here. Each form carries its own scan id: tapped twice on bad Wi-Fi, it is one scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import Response

from checkin import checkpoints, queries, rehearsals, scanning
from checkin.checkpoints import CheckpointView
from checkin.rules import TONES, CheckinCode, CheckpointKind, VerdictCode, period_of
from checkin.scanning import ScanEntry
from checkin.words import VERDICTS
from events.access import Door, frame, route
from events.desk.shared import whole_id
from events.rules import Permission
from kernel.errors import Code, Invalid, NotFound, Problem
from web import i18n, render
from web.forms import form_data, typed
from web.render import Context
from web.routing import Entry

PAGE: Final = "checkin.arrivals"


@dataclass(frozen=True, slots=True)
class PersonLine:
    passport_id: int
    name: str
    about: str
    #: When they came, in the event's time; empty for those who are still to come.
    here_since: str
    #: For their tick's form.
    scan_id: str


@dataclass(frozen=True, kw_only=True)
class ArrivalsPage(Context):
    template: ClassVar[str] = "checkin/arrivals.html"
    rehearsal: rehearsals.Banner
    people: Sequence[PersonLine]
    total: int
    here: int
    text: str
    #: (words, href, count, current)
    filters: Sequence[tuple[str, str, int | None, bool]]
    #: Gates to choose from: (words, href, current); none where there is one.
    gates: Sequence[tuple[str, str, bool]]
    gate_id: int
    only_missing: bool
    #: (kind, words) about the tick just made, or none
    said: tuple[str, str] | None
    is_cut: bool
    #: Where a gate is made; empty when there is one.
    new_gate_href: str
    may_scan: bool


def _gates(world: checkpoints.World, scope: frozenset[int] | None) -> list[CheckpointView]:
    return [
        view
        for view in world.checkpoints.values()
        if view.facts.kind is CheckpointKind.GATE and (scope is None or view.facts.id in scope)
    ]


async def arrivals(request: Request, door: Door) -> Response:
    """``?q=`` a name, ``?show=missing`` those still to come, ``?at=`` another gate than the first."""
    locale, slug, at = i18n.current_locale(), door.event.slug, datetime.now(UTC)
    world = await checkpoints.world(door.event.id)
    gates = _gates(world, None)
    wanted = whole_id(request.query_params.get("at"))
    gate = next((view for view in gates if view.facts.id == wanted), gates[0] if gates else None)
    text = request.query_params.get("q", "").strip()[:100]
    only_missing = request.query_params.get("show") == "missing"
    found = queries.ExpectedPeople((), 0, 0)
    if gate is not None:
        found = await queries.expected_people(
            event_id=door.event.id,
            list_id=gate.facts.list_id,
            period=period_of(gate.facts, at=at, programme_date=world.programme_date(at)),
            text=text,
            only_missing=only_missing,
        )
    kept = {"q": text, "at": str(wanted or "")}

    def href(**more: str) -> str:
        return render.with_query(render.url(PAGE, slug=slug), **(kept | more))

    several = len(world.ticket_types) > 1
    page = ArrivalsPage(
        **frame(door, PAGE),
        rehearsal=rehearsals.banner_of(world, at),
        people=[
            PersonLine(
                one.passport_id,
                one.name,
                " · ".join(
                    part for part in (one.line, one.ticket_type.in_(locale) if several else "") if part
                ),
                render.clock(one.here_since, door.event.time_zone) if one.here_since else "",
                str(uuid4()),
            )
            for one in found.people
        ],
        total=found.total,
        here=found.here,
        text=text,
        filters=[
            (i18n.gettext("Everybody"), href(), found.total, not only_missing),
            (i18n.gettext("Still to come"), href(show="missing"), found.total - found.here, only_missing),
        ],
        gates=[(view.name.in_(locale), href(at=str(view.facts.id)), view is gate) for view in gates]
        if len(gates) > 1
        else (),
        gate_id=gate.facts.id if gate else 0,
        only_missing=only_missing,
        said=_said(request),
        is_cut=len(found.people) == queries.EXPECTED_AT_MOST,
        new_gate_href="" if gate else render.url("checkin.desk.new_checkpoint", slug=slug),
        may_scan=door.may(Permission.SCAN),
    )
    return await render.page(request, page)


def _said(request: Request) -> tuple[str, str] | None:
    """What the tick was answered; the address names the verdict, never the person."""
    try:
        verdict = VerdictCode(request.query_params.get("verdict", ""))
    except ValueError:
        return None
    return str(TONES[verdict]), i18n.gettext(VERDICTS[verdict])


async def tick(request: Request, door: Door) -> Response:
    """One ordinary scan of one person at the gate; the same form sent again is the same scan."""
    values = typed(await form_data(request))
    gate_id, passport_id = whole_id(values.get("gate")), whole_id(values.get("passport"))
    try:
        scan_id = UUID(values.get("scan", ""))
    except ValueError:
        raise Invalid({"scan": Problem(Code.MALFORMED)}) from None
    world = await checkpoints.world(door.event.id)
    if gate_id is None or gate_id not in world.checkpoints:
        raise NotFound(CheckinCode.CHECKPOINT_UNKNOWN)
    code = await queries.short_code_of(door.event.id, passport_id or 0)
    if code is None:
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
    answer = await scanning.scan(
        door=door,
        entry=ScanEntry(scan_id=scan_id, code=code, checkpoint_id=gate_id),
        at=datetime.now(UTC),
    )
    back = render.with_query(
        render.url(PAGE, slug=door.event.slug),
        q=values.get("q", ""),
        show=values.get("show", ""),
        at=values.get("at", ""),
        verdict=answer.verdict.value,
    )
    return render.see_other(f"{back}#p-{passport_id}")


ROUTES: list[Entry] = [
    route("/e/{slug}/desk/arrivals", arrivals, PAGE, Permission.SEE_REGISTRATIONS),
    route("/e/{slug}/desk/arrivals/tick", tick, "checkin.arrivals.tick", Permission.SCAN, methods=("POST",)),
]
