"""The review as organisers set it up: its phases, its criteria, and how reviews become a score.

Promises: of an event at most one phase is active, and dates never undo what an organiser chose after them; a criterion
that has points is switched off, not deleted; when a criterion changes, the totals of all its event's reviews change
in the same transaction, in a fixed number of statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from agenda import cfp_queries, review_queries
from agenda.models import Call, Review, ReviewCriterion, ReviewPhase, ReviewScore
from agenda.proposal_rules import ProposalCode
from agenda.review_rules import (
    CRITERIA_AT_MOST,
    DEFAULT_CRITERIA,
    PHASES_AT_MOST,
    VALUE_LEAST,
    VALUE_MOST,
    WEIGHT_MOST,
    Others,
    Phase,
    Reach,
    ReviewCode,
    Total,
    next_phase,
    review_total,
)
from events.form_rules import FormCode
from events.rules import is_code
from kernel import db
from kernel.actor import SYSTEM, Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import jobs, journal

NAME_LIMIT: Final = 120
HELP_LIMIT: Final = 1_000
LABEL_LIMIT: Final = 80
REVIEWS_MOST: Final = 20


def connect() -> None:
    """Called once by main: phases that begin on a date become active by themselves, within a minute."""
    jobs.chore("agenda.review_phases", 60.0, advance_due)


async def hold(event_id: int) -> None:
    """Inside a unit of work: until it ends nobody else changes an event's criteria or writes points by them."""
    await db.one_at_a_time(f"agenda.review:{event_id}")


def _name_problems(found: dict[str, Problem], name: LocalizedText) -> None:
    if not any(part.strip() for part in name.values()):
        found["name"] = Problem(Code.REQUIRED)
    elif any(len(part) > NAME_LIMIT for part in name.values()):
        found["name"] = Problem(Code.TOO_LONG, {"limit": NAME_LIMIT})


async def _write(actor: Actor, verb: str, number: int, event_id: int, at: datetime, **new: Any) -> None:
    kind = verb.partition(".")[0]
    await journal.write(
        actor=actor,
        verb=verb,
        object_kind="call" if kind == "review" else kind,
        object_id=number,
        event_id=event_id,
        at=at,
        new=new,
    )


# --- phases ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDetails:
    """What an organiser decides about a phase; times are instants, ``ends_at`` is the first one that is outside."""

    name: LocalizedText
    position: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    may_review: bool = True
    reach: Reach = Reach.ASSIGNED
    names_shown: bool = False
    reviewers_shown: bool = True
    others: Others = Others.AFTER_OWN
    may_decide: bool = False
    may_tag: bool = False
    speakers_may_edit: bool = False

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        _name_problems(found, self.name)
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            found["ends_at"] = Problem(ReviewCode.PHASE_REVERSED)
        if not 0 <= self.position <= 10_000:
            found["position"] = Problem(Code.OUT_OF_RANGE)
        return found


async def put_phase(
    *, actor: Actor, event_id: int, details: PhaseDetails, at: datetime, phase_id: int | None = None
) -> int:
    """Adds a phase, or changes one; gives its id. Which one is active stays as it is.

    Raises Invalid at a field, NotFound ``review_phase_unknown``.
    """
    if problems := details.problems():
        raise Invalid(problems)
    columns: dict[str, Any] = {name: getattr(details, name) for name in PhaseDetails.__dataclass_fields__}
    async with unit_of_work():
        await hold(event_id)
        if phase_id is None:
            if await ReviewPhase.filter(event_id=event_id).count() >= PHASES_AT_MOST:
                raise Invalid({"name": Problem(ReviewCode.PHASES_TOO_MANY, {"limit": PHASES_AT_MOST})})
            number = int((await ReviewPhase.create(event_id=event_id, **columns)).id)
        else:
            number = phase_id
            if not await ReviewPhase.filter(id=number, event_id=event_id).update(**columns):
                raise NotFound(ReviewCode.PHASE_UNKNOWN)
        verb = "review_phase.add" if phase_id is None else "review_phase.change"
        await _write(actor, verb, number, event_id, at)
    return number


async def remove_phase(*, actor: Actor, event_id: int, phase_id: int, at: datetime) -> None:
    """Deletes a phase in which nothing was written. Raises NotFound, Conflict ``review_phase_in_use``."""
    async with unit_of_work():
        if await Review.filter(phase_id=phase_id).exists():
            raise Conflict(ReviewCode.PHASE_IN_USE)
        try:
            async with unit_of_work():
                gone = await ReviewPhase.filter(id=phase_id, event_id=event_id).delete()
        except db.IntegrityError as error:
            raise Conflict(ReviewCode.PHASE_IN_USE) from error
        if not gone:
            raise NotFound(ReviewCode.PHASE_UNKNOWN)
        await _write(actor, "review_phase.remove", phase_id, event_id, at)


async def activate(*, actor: Actor, event_id: int, phase_id: int, at: datetime) -> None:
    """Makes one phase the active one, in place of whichever was; doing it again changes nothing.

    Raises NotFound ``review_phase_unknown``.
    """
    async with unit_of_work():
        await hold(event_id)
        if await _make_active(actor, event_id, phase_id, at):
            await Call.filter(event_id=event_id).update(phase_set_at=at)


async def _make_active(actor: Actor, event_id: int, phase_id: int, at: datetime) -> bool:
    """Whether anything changed; whoever calls it holds the review."""
    there = {row.id: row.active_for is not None for row in await ReviewPhase.filter(event_id=event_id)}
    if phase_id not in there:
        raise NotFound(ReviewCode.PHASE_UNKNOWN)
    if there[phase_id]:
        return False
    await ReviewPhase.filter(active_for=event_id).update(active_for=None)
    await ReviewPhase.filter(id=phase_id).update(active_for=event_id)
    old = next((number for number, is_active in there.items() if is_active), None)
    await _write(actor, "review_phase.activate", phase_id, event_id, at, instead_of=old)
    return True


async def advance_due(at: datetime) -> None:
    """Makes phases active whose time has come; a chore. Two statements while nothing is due, whatever there is."""
    begun = await db.query(
        "SELECT DISTINCT event_id FROM review_phase WHERE active_for IS NULL AND starts_at <= $1 "
        "AND (ends_at IS NULL OR ends_at > $1)",
        at if db.dialect() == "postgres" else db.stored_instant(at),
    )
    if not begun:
        return
    ids = [row["event_id"] for row in begun]
    by_event: dict[int, list[Phase]] = {}
    for row in await ReviewPhase.filter(event_id__in=ids).order_by("position", "id"):
        by_event.setdefault(row.event_id, []).append(review_queries.phase_facts(row))
    chosen = {row.event_id: row.phase_set_at for row in await Call.filter(event_id__in=ids)}
    for event_id, phases in by_event.items():
        if next_phase(phases, at, set_at=chosen.get(event_id)) is not None:
            await _advance(event_id, at)


async def _advance(event_id: int, at: datetime) -> None:
    async with unit_of_work():
        await hold(event_id)
        # Read again: somebody may have chosen one between our look and our turn.
        call = await Call.get_or_none(event_id=event_id)
        phases = await review_queries.phases(event_id)
        due = next_phase(phases, at, set_at=call.phase_set_at if call else None)
        if due is not None:
            await _make_active(SYSTEM, event_id, due.id, at)


# --- criteria ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionDetails:
    """What an organiser decides about a criterion; a weight of 0 is asked and not counted."""

    code: str
    name: LocalizedText
    help: LocalizedText = field(default_factory=LocalizedText)
    weight: int = 1
    low: int = 1
    high: int = 5
    labels: Mapping[int, LocalizedText] = field(default_factory=dict)
    is_required: bool = True
    is_active: bool = True
    position: int = 0

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        _name_problems(found, self.name)
        if not is_code(self.code):
            found["code"] = Problem(FormCode.CODE_MALFORMED)
        if any(len(part) > HELP_LIMIT for part in self.help.values()):
            found["help"] = Problem(Code.TOO_LONG, {"limit": HELP_LIMIT})
        if not 0 <= self.weight <= WEIGHT_MOST:
            found["weight"] = Problem(Code.OUT_OF_RANGE)
        for name in ("low", "high"):
            if not VALUE_LEAST <= getattr(self, name) <= VALUE_MOST:
                found[name] = Problem(Code.OUT_OF_RANGE)
        if not found.keys() & {"low", "high"} and self.low >= self.high:
            found["high"] = Problem(ReviewCode.RANGE_REVERSED)
        outside = sorted(value for value in self.labels if not self.low <= value <= self.high)
        if outside:
            found["labels"] = Problem(ReviewCode.LABEL_OUTSIDE, {"value": outside[0]})
        elif any(len(part) > LABEL_LIMIT for text in self.labels.values() for part in text.values()):
            found["labels"] = Problem(Code.TOO_LONG, {"limit": LABEL_LIMIT})
        if not 0 <= self.position <= 10_000:
            found["position"] = Problem(Code.OUT_OF_RANGE)
        return found


#: What changes a review's total when it changes.
_COUNTED: Final = ("weight", "low", "high", "is_active")


async def put_criterion(
    *, actor: Actor, event_id: int, details: CriterionDetails, at: datetime, criterion_id: int | None = None
) -> int:
    """Adds a criterion, or changes one and with it the totals of all reviews; gives its id.

    Points that fall outside a narrowed range are kept and count as its end. Raises Invalid at a field (``code`` where
    another one has it), NotFound ``review_criterion_unknown``.
    """
    if problems := details.problems():
        raise Invalid(problems)
    columns: dict[str, Any] = {name: getattr(details, name) for name in CriterionDetails.__dataclass_fields__}
    columns["labels"] = {str(value): dict(text) for value, text in sorted(details.labels.items()) if text}
    async with unit_of_work():
        await hold(event_id)
        there = {row.id: row for row in await ReviewCriterion.filter(event_id=event_id)}
        old = there.get(criterion_id) if criterion_id is not None else None
        if criterion_id is not None and old is None:
            raise NotFound(ReviewCode.CRITERION_UNKNOWN)
        if any(row.code == details.code and row.id != criterion_id for row in there.values()):
            raise Invalid({"code": Problem(ProposalCode.CODE_OF_THING_TAKEN)})
        if old is None:
            if len(there) >= CRITERIA_AT_MOST:
                raise Invalid({"name": Problem(ReviewCode.CRITERIA_TOO_MANY, {"limit": CRITERIA_AT_MOST})})
            # Nobody has given points for it yet: no total changes.
            number = int((await ReviewCriterion.create(event_id=event_id, **columns)).id)
        else:
            number = old.id
            await ReviewCriterion.filter(id=number).update(**columns)
            if any(getattr(old, name) != columns[name] for name in _COUNTED):
                await renew_totals(event_id)
        verb = "review_criterion.add" if old is None else "review_criterion.change"
        await _write(actor, verb, number, event_id, at)
    return number


async def remove_criterion(*, actor: Actor, event_id: int, criterion_id: int, at: datetime) -> None:
    """Deletes a criterion that nobody gave points for. Raises NotFound, Conflict ``review_criterion_scored``."""
    async with unit_of_work():
        await hold(event_id)
        if await ReviewScore.filter(criterion_id=criterion_id).exists():
            raise Conflict(ReviewCode.CRITERION_SCORED)
        if not await ReviewCriterion.filter(id=criterion_id, event_id=event_id).delete():
            raise NotFound(ReviewCode.CRITERION_UNKNOWN)
        await _write(actor, "review_criterion.remove", criterion_id, event_id, at)


async def renew_totals(event_id: int) -> None:
    """Computes the totals of all reviews of an event anew from their points, and keeps those that changed.

    Inside the caller's unit of work, which holds the review. Three statements for any number of reviews.
    """
    criteria = await review_queries.criteria(event_id)
    rows = await db.look(
        db.Look(
            "SELECT s.review_id, s.criterion_id, s.value FROM review_score s "
            "JOIN review r ON r.id = s.review_id JOIN proposal p ON p.id = r.proposal_id WHERE p.event_id = $1",
            ("review_id", "criterion_id", "value"),
            (event_id,),
        )
    )
    points: dict[int, dict[int, int]] = {}
    for review_id, criterion_id, value in rows:
        points.setdefault(review_id, {})[criterion_id] = value
    totals = [{"id": number, "total": review_total(criteria, given)} for number, given in points.items()]
    if not totals:
        return
    await db.execute(
        f"UPDATE review SET total = r.total FROM {db.json_rows('$1', id='int', total='int')} "  # noqa: S608 -- our own words
        "WHERE review.id = r.id AND review.total IS DISTINCT FROM r.total",
        orjson.dumps(totals).decode(),
    )


# --- how reviews become a score ----------------------------------------------------------------------------------


async def set_totals(
    *, actor: Actor, event_id: int, total_by: Total, reviews_needed: int, at: datetime
) -> None:
    """Says how a proposal's score comes from its reviews, and how many it needs. Raises Invalid, NotFound without a call."""
    if not 1 <= reviews_needed <= REVIEWS_MOST:
        raise Invalid({"reviews_needed": Problem(Code.OUT_OF_RANGE)})
    async with unit_of_work():
        row = await Call.get_or_none(event_id=event_id)
        if row is None:
            raise NotFound()
        if (row.total_by, row.reviews_needed) == (total_by, reviews_needed):
            return
        await Call.filter(event_id=event_id).update(
            total_by=total_by, reviews_needed=reviews_needed, updated_at=at
        )
        await _write(
            actor,
            "review.totals",
            event_id,
            event_id,
            at,
            total_by=str(total_by),
            reviews_needed=reviews_needed,
        )


# --- what most begin with ----------------------------------------------------------------------------------------

#: By the code of DEFAULT_CRITERIA: its name in Chinese, and what it asks in both languages.
_CRITERIA_WORDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "relevance": (
        "相关性",
        "和这次大会、这个论坛的听众有关吗？",
        "Does it concern the people who come to this conference and forum?",
    ),
    "depth": ("深度", "讲到了点子上，还是泛泛而谈？", "Does it get to the bottom of something?"),
    "real_cases": (
        "真实案例",
        "是亲身做过的吗？有数据、有教训吗？",
        "Did they do it themselves, with figures and lessons?",
    ),
    "clarity": ("清晰", "标题和摘要说清楚要讲什么了吗？", "Do title and abstract say what it will be about?"),
    "not_an_advertisement": ("不是广告", "5 分：完全没有推销。", "5: nothing is sold here."),
    "novelty": ("新意", "听众在别处听过吗？", "Have people not heard it elsewhere?"),
    "diversity": (
        "多样性",
        "带来新的声音、地区或视角吗？",
        "Does it bring in new voices, places or views?",
    ),
}
_VALUES: Final = (
    (1, "很弱", "Poor"),
    (2, "较弱", "Weak"),
    (3, "一般", "Fair"),
    (4, "好", "Good"),
    (5, "很好", "Excellent"),
)


def _both(zh: str, en: str) -> LocalizedText:
    return LocalizedText({"zh-Hans": zh, "en": en})


async def set_up(*, actor: Actor, event_id: int, at: datetime) -> None:
    """Makes what most begin with: a phase in which names are hidden, one in which is decided, and seven criteria.

    What is there already stays as it is: phases come along where there is none, and so do criteria. The phases take
    their dates from the call, and one of them is active. Raises NotFound without a call.
    """
    call = await cfp_queries.find_call(event_id)
    if call is None:
        raise NotFound()
    async with unit_of_work():
        await hold(event_id)
        made = []
        if not await ReviewPhase.filter(event_id=event_id).exists():
            made.append("phases")
            await _default_phases(actor, event_id, call, at)
        if not await ReviewCriterion.filter(event_id=event_id).exists():
            made.append("criteria")
            labels = {str(value): dict(_both(zh, en)) for value, zh, en in _VALUES}
            await ReviewCriterion.bulk_create(
                [
                    ReviewCriterion(
                        event_id=event_id,
                        code=code,
                        name=_both(_CRITERIA_WORDS[code][0], name),
                        help=_both(*_CRITERIA_WORDS[code][1:]),
                        weight=weight,
                        labels=labels,
                        position=position,
                    )
                    for position, (code, name, weight) in enumerate(DEFAULT_CRITERIA, 1)
                ]
            )
        if made:
            await _write(actor, "review.defaults", event_id, event_id, at, made=made)


async def _default_phases(actor: Actor, event_id: int, call: cfp_queries.CallFacts, at: datetime) -> None:
    def window(begin: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
        # The call's dates are the organiser's own and need not follow each other.
        return begin, end if begin is None or end is None or end > begin else None

    reading, choosing = window(call.closes_at, call.review_by), window(call.review_by, call.notify_by)
    first = await ReviewPhase.create(
        event_id=event_id,
        name=_both("评审", "Review"),
        position=1,
        starts_at=reading[0],
        ends_at=reading[1],
    )
    await ReviewPhase.create(
        event_id=event_id,
        name=_both("遴选", "Selection"),
        position=2,
        starts_at=choosing[0],
        ends_at=choosing[1],
        may_review=False,
        reach=Reach.ALL,
        names_shown=True,
        others=Others.ALWAYS,
        may_decide=True,
        may_tag=True,
    )
    due = next_phase(await review_queries.phases(event_id), at, set_at=None)
    await _make_active(actor, event_id, due.id if due else first.id, at)
