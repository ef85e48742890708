"""Many proposals at once: decisions prepared, tags put on and taken off, decisions proposed and taken over.

Each action asks ``review_queries.looks`` for every proposal, does what may be done and reports what may not be and why;
done again it changes nothing. The number of statements does not depend on how many were chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agenda import cfp_queries, history, proposals, review_dashboard, review_queries
from agenda.dashboard_rules import DashboardCode, may_propose, proposed
from agenda.history import Line
from agenda.proposal_rules import ProposalCode, ProposalState, may_pend
from agenda.review_queries import Look
from agenda.review_rules import REASON_LIMIT, ReviewCode
from events.access import Door
from kernel import db
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, Problem
from people import journal


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a bulk action: how many are now as they were wanted, and by id why the others are not."""

    done: int
    wrong: Mapping[int, Problem] = field(default_factory=dict)


def _report(chosen: Sequence[int], wrong: Mapping[int, Problem]) -> Report:
    return Report(len(chosen) - len(wrong), wrong)


async def _looked(
    door: Door, proposal_ids: Sequence[int], at: datetime
) -> tuple[list[int], Mapping[int, Look], dict[int, Problem]]:
    """Each proposal once, what the viewer is shown of them, and a problem for each that is none to the viewer."""
    chosen = list(dict.fromkeys(proposal_ids))
    if not chosen:
        raise Invalid({"chosen": Problem(DashboardCode.NOTHING_CHOSEN)})
    looks = await review_queries.looks(door, chosen, at)
    hidden = {
        number: Problem(ProposalCode.UNKNOWN)
        for number in chosen
        if number not in looks or not looks[number].sees.proposal
    }
    return chosen, looks, hidden


async def decide(
    *, door: Door, proposal_ids: Sequence[int], state: ProposalState | None, at: datetime
) -> Report:
    """Prepares a decision for many proposals, or takes it away with None; told to nobody until the release.

    A chair decides about all, a reviewer where the phase lets them. Raises Invalid when nothing was chosen.
    """
    chosen, looks, wrong = await _looked(door, proposal_ids, at)
    for number in chosen:
        if number not in wrong and not looks[number].sees.may_decide:
            wrong[number] = Problem(DashboardCode.NOT_DECIDED_BY_YOU)
    wrong |= await proposals.pend(
        actor=door.actor,
        event_id=door.event.id,
        proposal_ids=[number for number in chosen if number not in wrong],
        state=state,
        at=at,
    )
    return _report(chosen, wrong)


async def take_over(*, door: Door, proposal_ids: Sequence[int], at: datetime) -> Report:
    """Prepares for each proposal the decision that its forum's producers propose, where they agree."""
    chosen, looks, wrong = await _looked(door, proposal_ids, at)
    board = {row.id: row for row in (await review_dashboard.read(door, at)).rows}
    wanted: dict[ProposalState, list[int]] = {}
    for number in chosen:
        if number in wrong:
            continue
        if not looks[number].sees.may_decide:
            wrong[number] = Problem(DashboardCode.NOT_DECIDED_BY_YOU)
            continue
        said = proposed(board[number].by_producers if number in board else ())
        if isinstance(said, DashboardCode):
            wrong[number] = Problem(said)
        else:
            wanted.setdefault(said, []).append(number)
    async with unit_of_work():
        for state, numbers in wanted.items():
            wrong |= await proposals.pend(
                actor=door.actor, event_id=door.event.id, proposal_ids=numbers, state=state, at=at
            )
    return _report(chosen, wrong)


async def tag(
    *, door: Door, proposal_ids: Sequence[int], tag_id: int | None, is_on: bool, at: datetime
) -> Report:
    """Puts a tag of the event on many proposals, or takes it off. Raises Invalid for no such tag, or nothing chosen."""
    known = next((one for one in await cfp_queries.tags(door.event.id) if one.id == tag_id), None)
    if known is None:
        raise Invalid({"tag": Problem(DashboardCode.TAG_UNKNOWN)})
    chosen, looks, wrong = await _looked(door, proposal_ids, at)
    for number in chosen:
        if number not in wrong and not looks[number].sees.may_tag:
            wrong[number] = Problem(DashboardCode.NOT_TAGGED_BY_YOU)
    inside = db.in_list("$2", "int")
    statement = (
        f"INSERT INTO proposal_tag (proposal_id, tag_id) SELECT id, $1 FROM proposal WHERE id {inside} "  # noqa: S608 -- our own words
        "ON CONFLICT (proposal_id, tag_id) DO NOTHING RETURNING proposal_id"
        if is_on
        else f"DELETE FROM proposal_tag WHERE tag_id = $1 AND proposal_id {inside} RETURNING proposal_id"  # noqa: S608
    )
    line = Line("tags", None, known.code) if is_on else Line("tags", known.code, None)
    async with unit_of_work():
        changed = await db.query(
            statement, known.id, db.list_parameter([number for number in chosen if number not in wrong])
        )
        await history.note_many(
            actor=door.actor,
            event_id=door.event.id,
            verb="proposal.tag",
            at=at,
            lines={int(row["proposal_id"]): line for row in changed},
        )
    return _report(chosen, wrong)


async def propose(
    *,
    door: Door,
    proposal_ids: Sequence[int],
    state: ProposalState | None,
    reason: str,
    at: datetime,
) -> Report:
    """A producer proposes a decision to the chair for talks of the own forum, or takes it back with None.

    It stands in the producer's own review of each talk; where there is none yet, one without points is begun, for which
    ``reason`` is needed. Raises Invalid for a missing or too long reason, or when nothing was chosen.
    """
    if len(reason) > REASON_LIMIT:
        raise Invalid({"reason": Problem(Code.TOO_LONG, {"limit": REASON_LIMIT})})
    chosen, looks, wrong = await _looked(door, proposal_ids, at)
    for number in chosen:
        if number in wrong:
            continue
        look = looks[number]
        if not may_propose(look.viewer, look.sees):
            wrong[number] = Problem(DashboardCode.NOT_PROPOSED_BY_YOU)
        elif state is not None and not may_pend(look.state, state):
            wrong[number] = Problem(ProposalCode.MOVE_NOT_FROM_HERE, {"state": look.state})
    allowed = [number for number in chosen if number not in wrong]
    fresh = [number for number in allowed if not looks[number].viewer.has_reviewed]
    if state is not None and fresh and not reason.strip():
        raise Invalid({"reason": Problem(ReviewCode.REASON_NEEDED)})
    phase = next((look.phase for look in looks.values()), None)
    async with unit_of_work():
        changed = await db.query(
            "UPDATE review SET recommends = $1, updated_at = $2 WHERE account_id = $3 "  # noqa: S608 -- our own words
            f"AND proposal_id {db.in_list('$4', 'int')} AND recommends <> $1 RETURNING proposal_id",
            str(state or ""),
            at,
            door.actor.id,
            db.list_parameter(allowed),
        )
        if state is not None and fresh:
            # A review that the same producer has begun meanwhile stays; it is recommended in there.
            changed += await db.query(
                "INSERT INTO review (proposal_id, account_id, phase_id, abstains, reason, recommends, created_at, updated_at) "  # noqa: S608
                f"SELECT id, $1, $2, $3, $4, $5, $6, $6 FROM proposal WHERE id {db.in_list('$7', 'int')} "
                "ON CONFLICT (proposal_id, account_id) DO UPDATE SET recommends = excluded.recommends "
                "RETURNING proposal_id",
                door.actor.id,
                phase.id if phase else None,
                True,
                reason.strip(),
                str(state),
                at,
                db.list_parameter(fresh),
            )
        if changed:
            await journal.write_many(
                actor=door.actor,
                verb="proposal.propose",
                object_kind="proposal",
                event_id=door.event.id,
                at=at,
                lines={int(row["proposal_id"]): ({}, {}) for row in changed},
            )
    return _report(chosen, wrong)
