"""A review: one for each proposal and account, written, changed and taken back while the phase lets it.

Promises: points, reason, recommendation, answers and total are kept together or not at all; the same form pressed twice
is one review; a window that is late is told so. Who may is asked inside the transaction, of ``review_queries.looks``.
The journal says that somebody reviewed, never which proposal: a speaker may be the one who reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from agenda import call_answers, cfp_queries, conflicts_of_interest, review_queries, review_setup
from agenda.cfp_queries import FieldFacts
from agenda.conflicts_of_interest import TooNear
from agenda.models import Proposal, Review, ReviewScore
from agenda.proposal_rules import ProposalCode, ProposalState, Subject
from agenda.review_queries import Look
from agenda.review_rules import UNDER_REVIEW, Criterion, ReviewCode, read_points, review_total
from events.access import Door
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Forbidden, Invalid, NotFound, Problem
from people import journal, replays, uploads

#: What a reviewer may recommend, beside nothing.
RECOMMENDS: Final = (ProposalState.ACCEPTED, ProposalState.WAITLISTED, ProposalState.REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A review as it was typed; ``answers`` are clean already, ``problems`` are what was wrong with them."""

    points: Mapping[int, str] = field(default_factory=dict)
    reason: str = ""
    abstains: bool = False
    recommends: str = ""
    answers: Mapping[int, Any] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)


# --- who may -----------------------------------------------------------------------------------------------------


def require_sight(look: Look | None) -> Look:
    """Raises what keeps somebody from seeing a proposal as its reviewer: Forbidden for the own one, for one too near
    and for one that was given to others, Conflict ``review_not_now`` between phases, NotFound for everything else.
    """
    if look is None:
        raise NotFound(ProposalCode.UNKNOWN)
    if look.sees.proposal:
        return look
    viewer = look.viewer
    if not (viewer.is_reviewer or viewer.is_producer or viewer.is_chair) or (
        look.state is ProposalState.DRAFT and not viewer.is_speaker
    ):
        raise NotFound(ProposalCode.UNKNOWN)
    if viewer.is_speaker:
        raise Forbidden(ReviewCode.OWN_PROPOSAL)
    if viewer.near is not None:
        raise Forbidden(ReviewCode.TOO_NEAR)
    if look.state not in UNDER_REVIEW:
        raise NotFound(ProposalCode.UNKNOWN)
    raise Conflict(ReviewCode.NOT_NOW) if look.phase is None else Forbidden(ReviewCode.NOT_ASSIGNED)


def require_review(look: Look | None) -> Look:
    """Raises what keeps somebody from reviewing: as ``require_sight``, and Conflict ``review_not_now`` for a phase
    without reviews or a proposal that is decided.
    """
    found = require_sight(look)
    if found.sees.may_review:
        return found
    if found.viewer.near is not None:
        raise Forbidden(ReviewCode.TOO_NEAR)
    raise Conflict(ReviewCode.NOT_NOW)


# --- written -----------------------------------------------------------------------------------------------------


async def write(
    *,
    door: Door,
    proposal_id: int,
    given: Given,
    at: datetime,
    form_id: UUID | None = None,
    version: str | None = None,
) -> int:
    """Keeps one's own review of a proposal, new or changed, and gives its id; twice the same is once.

    ``version`` is ``ReviewFacts.version`` of what was changed, empty for none; None changes whatever is there. Raises
    what ``require_review`` raises, Invalid with a problem at every field, Conflict ``review_stale``.
    """
    event_id, actor = door.event.id, door.actor
    async with unit_of_work():
        # The same turn that criteria are changed in: a total is always that of the criteria that hold.
        await review_setup.hold(event_id)
        look = require_review((await review_queries.looks(door, [proposal_id], at)).get(proposal_id))
        criteria = await review_queries.criteria(event_id)
        fields = await asked_of(event_id, proposal_id)
        points = _checked(criteria, fields, given, at)
        row = await Review.get_or_none(proposal_id=proposal_id, account_id=actor.id)
        body = {"review": proposal_id}
        known = await replays.find(id=form_id, actor_key=actor.key, body=body) if form_id else None
        columns: dict[str, Any] = {
            "phase_id": look.phase.id if look.phase else None,
            "abstains": given.abstains,
            "reason": given.reason.strip(),
            "total": review_total(criteria, points),
            "recommends": "" if given.abstains else given.recommends,
        }
        moment = at
        if row is None:
            row = await Review.create(
                proposal_id=proposal_id, account_id=actor.id, created_at=at, updated_at=at, **columns
            )
            verb = "review.write"
        else:
            old = await _points_of(row.id)
            told = known is not None and known.get("version") == row.updated_at.isoformat()
            is_same = old == points and all(
                getattr(row, name) == columns[name] for name in ("abstains", "reason", "recommends")
            )
            if version is not None and version != row.updated_at.isoformat() and not told and not is_same:
                raise Conflict(ReviewCode.STALE)
            moment = max(at, row.updated_at + timedelta(microseconds=1))
            await Review.filter(id=row.id).update(updated_at=moment, **columns)
            verb = "" if is_same else "review.change"
        await ReviewScore.filter(review_id=row.id).delete()
        await ReviewScore.bulk_create(
            [
                ReviewScore(review_id=row.id, criterion_id=number, value=value)
                for number, value in points.items()
            ]
        )
        changed = await call_answers.replace(
            subject=Subject.REVIEW, subject_id=row.id, fields=fields, answers=given.answers, at=at
        )
        if form_id is not None and known is None:
            await replays.keep(
                id=form_id, actor_key=actor.key, body=body, outcome={"version": moment.isoformat()}, at=at
            )
        if verb or changed:
            await _journal(actor, verb or "review.change", event_id, row.id, at)
    return int(row.id)


async def asked_of(event_id: int, proposal_id: int) -> Sequence[FieldFacts]:
    """The organisers' own questions that a review of this proposal is asked, by its type and forum."""
    [found] = await Proposal.filter(id=proposal_id).values("session_type_id", "forum_id")
    return [
        one
        for one in await cfp_queries.fields_of(event_id, Subject.REVIEW)
        if one.asking.asks(type_id=found["session_type_id"], forum_id=found["forum_id"])
    ]


def _checked(
    criteria: Sequence[Criterion], fields: Sequence[FieldFacts], given: Given, at: datetime
) -> dict[int, int]:
    """The points; raises Invalid with everything that is wrong."""
    points, problems = read_points(criteria, given.points, abstains=given.abstains, reason=given.reason)
    known = {one.id for one in criteria if one.is_active}
    problems |= {
        f"score.{number}": Problem(ReviewCode.CRITERION_UNKNOWN) for number in set(given.points) - known
    }
    problems |= given.problems
    if given.recommends and given.recommends not in RECOMMENDS:
        problems["recommends"] = Problem(Code.NOT_A_CHOICE)
    if not given.abstains:
        for one in fields:
            if one.asking.is_required(at) and given.answers.get(one.id) is None:
                problems.setdefault(one.question.name, Problem(Code.REQUIRED))
    if problems:
        raise Invalid(problems)
    return points


async def _points_of(review_id: int) -> dict[int, int]:
    return {row.criterion_id: row.value for row in await ReviewScore.filter(review_id=review_id)}


async def withdraw(*, door: Door, proposal_id: int, at: datetime) -> bool:
    """Takes one's own review back, with its points and answers; False when there is none.

    Raises what ``require_review`` raises: what was said stands once the phase is over.
    """
    async with unit_of_work():
        await review_setup.hold(door.event.id)
        require_review((await review_queries.looks(door, [proposal_id], at)).get(proposal_id))
        return await _drop(door.actor, door.event.id, proposal_id, at)


async def step_aside(*, door: Door, proposal_id: int, at: datetime) -> None:
    """Somebody says that they are too near to a proposal: it is theirs no longer, and what they said of it is taken
    back where that may still be. Raises what ``require_sight`` raises.
    """
    event_id, actor = door.event.id, door.actor
    async with unit_of_work():
        await review_setup.hold(event_id)
        look = require_sight((await review_queries.looks(door, [proposal_id], at)).get(proposal_id))
        if look.sees.may_review:
            await _drop(actor, event_id, proposal_id, at)
        await conflicts_of_interest.declare(
            actor=actor,
            event_id=event_id,
            account_id=actor.id,
            what=TooNear(proposal_id=proposal_id),
            at=at,
        )


async def _drop(actor: Actor, event_id: int, proposal_id: int, at: datetime) -> bool:
    row = await Review.get_or_none(proposal_id=proposal_id, account_id=actor.id)
    if row is None:
        return False
    files = await db.query(
        "SELECT upload_id FROM call_answer WHERE review_id = $1 AND upload_id IS NOT NULL", row.id
    )
    await db.execute("DELETE FROM review WHERE id = $1", row.id)
    if files:
        await uploads.expire([int(one["upload_id"]) for one in files])
    await _journal(actor, "review.withdraw", event_id, row.id, at)
    return True


async def _journal(actor: Actor, verb: str, event_id: int, review_id: int, at: datetime) -> None:
    await journal.write(
        actor=actor, verb=verb, object_kind="review", object_id=review_id, event_id=event_id, at=at
    )
