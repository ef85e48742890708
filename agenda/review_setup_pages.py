"""The review at the desk: phases and criteria, each with a form, how points become a score, and what is left to redact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_queries, redactions, review_queries, review_setup
from agenda.cfp_desk import code_of
from agenda.proposal_rules import fallback
from agenda.review_rules import Criterion, Others, Phase, Reach, ReviewCode, Total
from agenda.review_setup import CriterionDetails, PhaseDetails
from events import access
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.rules import Permission
from kernel.errors import Code, Conflict, Invalid, NotFound
from kernel.text import N_, LocalizedText
from web import forms, i18n, render
from web.routing import Entry

SETUP: Final = "agenda.desk.review_setup"
PHASE_NEW: Final = "agenda.desk.review_phase_new"
PHASE: Final = "agenda.desk.review_phase"
CRITERION_NEW: Final = "agenda.desk.review_criterion_new"
CRITERION: Final = "agenda.desk.review_criterion"
REVIEWERS: Final = "agenda.desk.reviewers"
ASSIGNMENTS: Final = "agenda.desk.assignments"

REACH_WORDS: Final[Mapping[Reach, str]] = {
    Reach.ASSIGNED: N_("What they were asked to review"),
    Reach.ALL: N_("Every proposal of their forums"),
}
OTHERS_WORDS: Final[Mapping[Others, str]] = {
    Others.NEVER: N_("Never"),
    Others.AFTER_OWN: N_("After their own review"),
    Others.ALWAYS: N_("Always"),
}
TOTAL_WORDS: Final[Mapping[Total, str]] = {
    Total.MEAN: N_("The mean of its reviews"),
    Total.MEDIAN: N_("The median of its reviews"),
}


def tabs(door: Door, current: str) -> Sequence[tuple[str, str, bool]]:
    slug = door.event.slug
    return [
        (i18n.gettext("Phases and criteria"), render.url(SETUP, slug=slug), current == SETUP),
        (i18n.gettext("Reviewers"), render.url(REVIEWERS, slug=slug), current == REVIEWERS),
        (i18n.gettext("Assignments"), render.url(ASSIGNMENTS, slug=slug), current == ASSIGNMENTS),
    ]


async def need_call(door: Door) -> cfp_queries.CallFacts:
    """The event's call. Raises NotFound where there is none: a review belongs to one."""
    call = await cfp_queries.find_call(door.event.id)
    if call is None:
        raise NotFound()
    return call


# --- all of it ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PhaseLine:
    id: int
    href: str
    name: str
    notes: Sequence[str]
    #: (kind, words) while it is the active one
    state: tuple[str, str] | None


@dataclass(frozen=True, kw_only=True)
class SetupPage(DeskPage):
    template: ClassVar[str] = "agenda/review_setup.html"
    tabs: Sequence[tuple[str, str, bool]]
    phases: Sequence[PhaseLine]
    criteria: Sequence[tuple[str, str, Sequence[str], str]]
    #: Without any of both, one press makes them.
    lacks: bool
    nothing_on: bool
    totals: Sequence[tuple[str, str]]
    redacted: Sequence[tuple[str, str, bool]]
    call_href: str
    new_phase_href: str
    new_criterion_href: str


async def setup(request: Request, door: Door) -> Response:
    call = await need_call(door)
    if request.method != "POST":
        return await _setup_page(request, door, call)
    values = forms.typed(await forms.form_data(request))
    common: dict[str, Any] = {"actor": door.actor, "event_id": door.event.id, "at": shared.now()}
    act = values.get("act")
    try:
        if act == "defaults":
            await review_setup.set_up(**common)
        elif act == "activate":
            number = shared.whole_id(values.get("phase"))
            if number is None:
                raise NotFound(ReviewCode.PHASE_UNKNOWN)
            await review_setup.activate(**common, phase_id=number)
        elif act == "totals":
            read = Reader(values)
            total_by = shared.word_of(Total, read.text("total_by"))
            needed = read.whole_number("reviews_needed", required=True)
            if total_by is None:
                read.wrong("total_by", Code.REQUIRED)
            if read.problems:
                raise Invalid(read.problems)
            await review_setup.set_totals(
                **common, total_by=total_by or Total.MEAN, reviews_needed=needed or 0
            )
        else:
            raise NotFound()
    except Invalid as refusal:
        return await _setup_page(request, door, call, values=values, refusal=refusal)
    return shared.back_to(door, SETUP, done="saved")


async def _setup_page(
    request: Request,
    door: Door,
    call: cfp_queries.CallFacts,
    *,
    values: Mapping[str, str] | None = None,
    refusal: Invalid | None = None,
) -> Response:
    slug, locale, at = door.event.slug, i18n.current_locale(), shared.now()
    phases = await review_queries.phases(door.event.id)
    criteria = await review_queries.criteria(door.event.id)
    counted = sum(one.weight for one in criteria if one.is_active)
    page = SetupPage(
        **access.frame(door, "agenda.desk.call"),
        done=shared.done_words(request) if refusal is None else "",
        values=values or {"total_by": call.total_by, "reviews_needed": str(call.reviews_needed)},
        problems=dict(refusal.fields) if refusal else {},
        tabs=tabs(door, SETUP),
        phases=[
            PhaseLine(
                one.id,
                render.url(PHASE, slug=slug, phase_id=one.id),
                one.name.in_(locale),
                _phase_notes(one, door.event.time_zone),
                _phase_state(one, one.is_on(at)),
            )
            for one in phases
        ],
        criteria=[
            (
                one.name.in_(locale),
                render.url(CRITERION, slug=slug, criterion_id=one.id),
                _criterion_notes(one),
                f"{100 * one.weight // counted} %" if one.is_active and counted else "",
            )
            for one in criteria
        ],
        lacks=not phases or not criteria,
        nothing_on=bool(phases) and not any(one.is_on(at) for one in phases),
        totals=[(str(one), i18n.gettext(words)) for one, words in TOTAL_WORDS.items()],
        redacted=[
            (
                fallback(one.title, locale)[0] or one.code,
                render.url("agenda.desk.redaction", slug=slug, code=one.code),
                one.is_stale,
            )
            for one in await redactions.listed(door.event.id)
        ],
        call_href=render.url("agenda.desk.call", slug=slug),
        new_phase_href=render.url(PHASE_NEW, slug=slug),
        new_criterion_href=render.url(CRITERION_NEW, slug=slug),
    )
    return await render.page(request, page, refusal.status if refusal else 200)


def _phase_state(phase: Phase, is_on: bool) -> tuple[str, str] | None:
    if is_on:
        return "go", i18n.gettext("Active")
    return ("note", i18n.gettext("Active, outside its dates")) if phase.is_active else None


def _phase_notes(phase: Phase, zone: str) -> Sequence[str]:
    begin, end = (render.moment(at, zone) if at else "" for at in (phase.starts_at, phase.ends_at))
    return [
        f"{begin} – {end}".strip() if begin or end else i18n.gettext("Without dates: begun by hand"),
        i18n.gettext("names shown") if phase.names_shown else i18n.gettext("names hidden"),
        *(
            i18n.gettext(words)
            for is_so, words in (
                (phase.may_review, N_("reviews are written")),
                (phase.may_decide, N_("decisions are proposed")),
                (phase.may_tag, N_("tags are put")),
                (phase.speakers_may_edit, N_("speakers may edit")),
            )
            if is_so
        ),
    ]


def _criterion_notes(one: Criterion) -> Sequence[str]:
    return [
        i18n.gettext("%(low)s to %(high)s points") % {"low": one.low, "high": one.high},
        i18n.gettext("weight %(weight)s") % {"weight": one.weight}
        if one.weight
        else i18n.gettext("not counted"),
        "" if one.is_required else i18n.gettext("optional"),
        "" if one.is_active else i18n.gettext("Off"),
    ]


# --- one phase or criterion --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ThingPage(DeskPage):
    template: ClassVar[str] = "agenda/review_setup_one.html"
    kind: str
    heading: str
    is_new: bool
    zone: str
    back_href: str
    reaches: Sequence[tuple[str, str]]
    others: Sequence[tuple[str, str]]


_PHASE_FLAGS: Final = (
    "may_review",
    "names_shown",
    "reviewers_shown",
    "may_decide",
    "may_tag",
    "speakers_may_edit",
)


async def _thing(
    request: Request,
    door: Door,
    kind: str,
    values: Mapping[str, str],
    *,
    heading: str = "",
    refusal: Invalid | None = None,
    trouble: str = "",
) -> Response:
    add = i18n.gettext("Add a phase") if kind == "phase" else i18n.gettext("Add a criterion")
    page = ThingPage(
        **access.frame(door, "agenda.desk.call"),
        values=values,
        problems=shared.at_boxes(refusal.fields if refusal else {}, ["name", "help"]),
        trouble=trouble,
        kind=kind,
        heading=heading or add,
        is_new=not heading,
        zone=door.event.time_zone,
        back_href=render.url(SETUP, slug=door.event.slug),
        reaches=[(str(one), i18n.gettext(words)) for one, words in REACH_WORDS.items()],
        others=[(str(one), i18n.gettext(words)) for one, words in OTHERS_WORDS.items()],
    )
    return await render.page(request, page, refusal.status if refusal else 409 if trouble else 200)


def _flag(value: bool) -> str:
    return "1" if value else ""


def _phase_values(phase: Phase, zone: str) -> dict[str, str]:
    return {
        **shared.spread("name", phase.name),
        **{name: _flag(getattr(phase, name)) for name in _PHASE_FLAGS},
        "starts_at": shared.wall_clock(phase.starts_at, zone),
        "ends_at": shared.wall_clock(phase.ends_at, zone),
        "reach": str(phase.reach),
        "others": str(phase.others),
        "position": str(phase.position),
    }


def _read_phase(values: Mapping[str, str], zone: str, old: LocalizedText | None) -> PhaseDetails:
    """Raises Invalid for what can't be read, with everything else that is wrong."""
    read = Reader(values, zone)
    details = PhaseDetails(
        name=shared.gathered(values, "name", old),
        position=read.whole_number("position") or 0,
        starts_at=read.moment("starts_at"),
        ends_at=read.moment("ends_at"),
        reach=shared.word_of(Reach, read.text("reach")) or Reach.ASSIGNED,
        others=shared.word_of(Others, read.text("others")) or Others.AFTER_OWN,
        **{name: read.flag(name) for name in _PHASE_FLAGS},
    )
    if problems := {**details.problems(), **read.problems}:
        raise Invalid(problems)
    return details


async def add_phase(request: Request, door: Door) -> Response:
    await need_call(door)
    phases = await review_queries.phases(door.event.id)
    if request.method != "POST":
        last = max((one.position for one in phases), default=0)
        return await _thing(
            request,
            door,
            "phase",
            _phase_values(Phase(id=0, position=last + 1), door.event.time_zone),
        )
    values = shared.typed_values(await forms.form_data(request))
    try:
        details = _read_phase(values, door.event.time_zone, None)
        await review_setup.put_phase(
            actor=door.actor, event_id=door.event.id, details=details, at=shared.now()
        )
    except Invalid as refusal:
        return await _thing(request, door, "phase", values, refusal=refusal)
    return shared.back_to(door, SETUP, done="added")


async def change_phase(request: Request, door: Door) -> Response:
    number, zone = shared.whole_id(request.path_params["phase_id"]), door.event.time_zone
    phases = await review_queries.phases(door.event.id)
    old = next((one for one in phases if one.id == number), None)
    if old is None:
        raise NotFound(ReviewCode.PHASE_UNKNOWN)
    heading, stored = old.name.in_(i18n.current_locale()), _phase_values(old, zone)
    if request.method != "POST":
        return await _thing(request, door, "phase", stored, heading=heading)
    values = shared.typed_values(await forms.form_data(request))
    common: dict[str, Any] = {"actor": door.actor, "event_id": door.event.id, "at": shared.now()}
    try:
        if values.get("act") == "remove":
            await review_setup.remove_phase(**common, phase_id=old.id)
            return shared.back_to(door, SETUP, done="removed")
        await review_setup.put_phase(**common, details=_read_phase(values, zone, old.name), phase_id=old.id)
    except Invalid as refusal:
        return await _thing(request, door, "phase", values, heading=heading, refusal=refusal)
    except Conflict as refusal:
        said = render.words_for(refusal.code, refusal.params)
        return await _thing(request, door, "phase", stored, heading=heading, trouble=said)
    return shared.back_to(door, SETUP, done="saved")


def _criterion_values(one: Criterion) -> dict[str, str]:
    return {
        **shared.spread("name", one.name),
        **shared.spread("help", one.help),
        "code": one.code,
        "weight": str(one.weight),
        "low": str(one.low),
        "high": str(one.high),
        "labels": "\n".join(
            f"{value} | {text.get('zh-Hans', '')} | {text.get('en', '')}"
            for value, text in sorted(one.labels.items())
        ),
        "is_required": _flag(one.is_required),
        "is_active": _flag(one.is_active),
        "position": str(one.position),
    }


def _read_labels(read: Reader) -> dict[int, LocalizedText]:
    """Lines like ``5 | 很好 | Excellent``; one that begins with no number is a problem at the field."""
    found: dict[int, LocalizedText] = {}
    for line in read.text("labels").splitlines():
        value, _, words = line.strip().partition("|")
        if not value.strip() and not words.strip():
            continue
        zh, _, en = words.partition("|")
        if not (value.strip().isascii() and value.strip().isdigit() and len(value.strip()) <= 3):
            read.wrong("labels", Code.NOT_A_NUMBER)
            continue
        found[int(value)] = LocalizedText.of({"zh-Hans": zh.strip(), "en": en.strip()})
    return {value: text for value, text in found.items() if text}


def _read_criterion(values: Mapping[str, str], old: Criterion | None, number: int) -> CriterionDetails:
    """Raises Invalid for what can't be read, with everything else that is wrong."""
    read = Reader(values)
    name = shared.gathered(values, "name", old.name if old else None)
    numbers = {one: read.whole_number(one, required=True) or 0 for one in ("weight", "low", "high")}
    details = CriterionDetails(
        code=code_of(read, name, old.code if old else f"criterion-{number}"),
        name=name,
        help=shared.gathered(values, "help", old.help if old else None),
        labels=_read_labels(read),
        is_required=read.flag("is_required"),
        is_active=read.flag("is_active"),
        position=read.whole_number("position") or 0,
        **numbers,
    )
    if problems := {**details.problems(), **read.problems}:
        raise Invalid(problems)
    return details


async def add_criterion(request: Request, door: Door) -> Response:
    await need_call(door)
    criteria = await review_queries.criteria(door.event.id)
    last = max((one.position for one in criteria), default=0)
    if request.method != "POST":
        begun = _criterion_values(Criterion(id=0, code="", position=last + 1))
        return await _thing(request, door, "criterion", begun)
    values = shared.typed_values(await forms.form_data(request))
    try:
        await review_setup.put_criterion(
            actor=door.actor,
            event_id=door.event.id,
            details=_read_criterion(values, None, last + 1),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _thing(request, door, "criterion", values, refusal=refusal)
    return shared.back_to(door, SETUP, done="added")


async def change_criterion(request: Request, door: Door) -> Response:
    number = shared.whole_id(request.path_params["criterion_id"])
    criteria = await review_queries.criteria(door.event.id)
    old = next((one for one in criteria if one.id == number), None)
    if old is None:
        raise NotFound(ReviewCode.CRITERION_UNKNOWN)
    heading, stored = old.name.in_(i18n.current_locale()), _criterion_values(old)
    if request.method != "POST":
        return await _thing(request, door, "criterion", stored, heading=heading)
    values = shared.typed_values(await forms.form_data(request))
    common: dict[str, Any] = {"actor": door.actor, "event_id": door.event.id, "at": shared.now()}
    try:
        if values.get("act") == "remove":
            await review_setup.remove_criterion(**common, criterion_id=old.id)
            return shared.back_to(door, SETUP, done="removed")
        details = _read_criterion(values, old, old.id)
        await review_setup.put_criterion(**common, details=details, criterion_id=old.id)
    except Invalid as refusal:
        return await _thing(request, door, "criterion", values, heading=heading, refusal=refusal)
    except Conflict as refusal:
        said = render.words_for(refusal.code, refusal.params)
        return await _thing(request, door, "criterion", stored, heading=heading, trouble=said)
    return shared.back_to(door, SETUP, done="saved")


_MAY: Final = Permission.CHANGE_CALL
_BOTH: Final = ("GET", "POST")
_P: Final = "/e/{slug}/desk/review-setup"
ROUTES: list[Entry] = [
    access.route(_P, setup, SETUP, _MAY, _BOTH),
    access.route(f"{_P}/phases/new", add_phase, PHASE_NEW, _MAY, _BOTH),
    access.route(f"{_P}/phases/{{phase_id}}", change_phase, PHASE, _MAY, _BOTH),
    access.route(f"{_P}/criteria/new", add_criterion, CRITERION_NEW, _MAY, _BOTH),
    access.route(f"{_P}/criteria/{{criterion_id}}", change_criterion, CRITERION, _MAY, _BOTH),
]
