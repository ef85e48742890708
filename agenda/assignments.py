"""Who is asked to review what: given and taken by hand, by person or by forum, or planned for all proposals at once.

Promises: nobody is given what they are too near to, whichever way; what was given twice is given once; what somebody
has written stays when they are relieved. A plan is carried out whole, as it was shown, or not at all.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from agenda import review_queries
from agenda.models import ReviewAssignment
from agenda.proposal_rules import ProposalCode, ProposalState
from agenda.review_rules import (
    UNDER_REVIEW,
    AssignedBy,
    Lack,
    Nearness,
    Plan,
    ProposalFacts,
    ReviewCode,
    ReviewerFacts,
    assign,
    is_allowed,
    lacks,
    nearness,
)
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound, Problem
from people import journal, replays
from people.jobs import in_worker

#: Proposals times reviewers from which planning is worth the way to the helper process: some 20 ms of the server's loop.
LARGE: Final = 6_000


@dataclass(frozen=True, slots=True)
class Given:
    """Somebody and a proposal: asked to review it, has reviewed it, or both."""

    proposal_id: int
    account_id: int
    #: How it was given; None for a review that nobody asked for.
    origin: AssignedBy | None
    is_done: bool
    abstains: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Everything that assigning depends on, as it is now."""

    proposals: Sequence[ProposalFacts]
    reviewers: Sequence[ReviewerFacts]
    given: Sequence[Given]

    def near(self) -> Sequence[Given]:
        """Open assignments to somebody who has since come too near, or reviews no more: they wait in vain."""
        facts = {one.id: one for one in self.proposals}
        people = {one.account_id: one for one in self.reviewers}
        return [
            one
            for one in self.given
            if one.origin is not None
            and not one.is_done
            and one.proposal_id in facts
            and (
                one.account_id not in people
                or nearness(people[one.account_id], facts[one.proposal_id]) is not None
            )
        ]

    def counting(self) -> frozenset[tuple[int, int]]:
        """The pairs that a proposal's need is met by: reviews, and open assignments that can be followed."""
        vain = {(one.proposal_id, one.account_id) for one in self.near()}
        return frozenset(
            (one.proposal_id, one.account_id)
            for one in self.given
            if not one.abstains and (one.proposal_id, one.account_id) not in vain
        )


async def table(event_id: int, *, with_resting: bool = True) -> Table:
    """The proposals under review, everybody who reviews, and who has what; ten statements."""
    return Table(
        await review_queries.proposal_facts(event_id, states=UNDER_REVIEW),
        await review_queries.reviewer_facts(event_id, with_resting=with_resting),
        await given(event_id),
    )


async def given(event_id: int, *, account_id: int | None = None) -> Sequence[Given]:
    """Every assignment and review of the event, or of one person in it; one statement."""
    mine = "AND account_id = $2" if account_id is not None else ""
    rows = await db.query(
        "SELECT proposal_id, account_id, MAX(origin) AS origin, MAX(is_done) AS is_done, MAX(abstains) AS abstains "  # noqa: S608 -- our own words
        "FROM (SELECT proposal_id, account_id, origin, 0 AS is_done, 0 AS abstains FROM review_assignment "
        "UNION ALL SELECT proposal_id, account_id, '', 1, CASE WHEN abstains THEN 1 ELSE 0 END FROM review) AS every "
        f"WHERE proposal_id IN (SELECT id FROM proposal WHERE event_id = $1) {mine} "
        "GROUP BY proposal_id, account_id ORDER BY proposal_id, account_id",
        *([event_id] if account_id is None else [event_id, account_id]),
    )
    return [
        Given(
            row["proposal_id"],
            row["account_id"],
            AssignedBy(row["origin"]) if row["origin"] else None,
            bool(row["is_done"]),
            bool(row["abstains"]),
        )
        for row in rows
    ]


def own_of(actor: Actor, proposals: Iterable[ProposalFacts]) -> frozenset[int]:
    """The proposals in which somebody speaks: of these they are shown nothing, and decide nothing by hand."""
    if actor.kind is not ActorKind.ACCOUNT:
        return frozenset()
    return frozenset(one.id for one in proposals if actor.id in one.account_ids)


# --- by hand -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of pairs that were to be given: newly given, given before, and left out with the reason."""

    added: int
    there: int
    near: Sequence[tuple[int, int, Nearness]]
    #: Left out because whoever gives speaks in it.
    own: int


async def give(
    *,
    actor: Actor,
    event_id: int,
    pairs: Collection[tuple[int, int]],
    at: datetime,
    origin: AssignedBy = AssignedBy.HAND,
) -> Outcome:
    """Asks people (account ids) to review proposals; limits and forums of theirs do not bind who gives by hand.

    Whoever is too near is left out and told. Raises NotFound for a proposal that is not the event's or not handed in,
    and for somebody who reviews nothing here (``review_reviewer_unknown``). A fixed number of statements.
    """
    async with unit_of_work():
        await _hold(event_id)
        facts = await _facts(event_id, {number for number, _ in pairs})
        people = {one.account_id: one for one in await review_queries.reviewer_facts(event_id)}
        if {account for _, account in pairs} - people.keys():
            raise NotFound(ReviewCode.REVIEWER_UNKNOWN)
        own = own_of(actor, facts.values())
        wanted, near = [], []
        for number, account in sorted(set(pairs)):
            if number in own:
                continue
            why = nearness(people[account], facts[number])
            if why is None:
                wanted.append((number, account))
            else:
                near.append((number, account, why))
        added = await _insert(actor, event_id, wanted, origin, at)
    left_out = sum(number in own for number, _ in set(pairs))
    return Outcome(added, len(wanted) - added, near, left_out)


async def take(*, actor: Actor, event_id: int, pairs: Collection[tuple[int, int]], at: datetime) -> int:
    """Relieves people of proposals and gives how many assignments ended; what was written stays.

    Proposals in which whoever takes speaks are left alone. Raises NotFound for a proposal of another event.
    """
    async with unit_of_work():
        await _hold(event_id)
        facts = await _facts(event_id, {number for number, _ in pairs}, states=None)
        own = own_of(actor, facts.values())
        rows = [
            {"proposal_id": number, "account_id": account}
            for number, account in sorted(set(pairs))
            if number not in own
        ]
        gone = await db.query(
            "DELETE FROM review_assignment WHERE EXISTS (SELECT 1 FROM "  # noqa: S608 -- our own words
            f"{db.json_rows('$1', proposal_id='int', account_id='int')} WHERE r.proposal_id = "
            "review_assignment.proposal_id AND r.account_id = review_assignment.account_id) RETURNING account_id",
            orjson.dumps(rows).decode(),
        )
        await _journal(actor, "review.unassign", event_id, [row["account_id"] for row in gone], at)
    return len(gone)


async def _facts(
    event_id: int, ids: Collection[int], states: Collection[ProposalState] | None = UNDER_REVIEW
) -> Mapping[int, ProposalFacts]:
    found = await review_queries.proposal_facts(event_id, states=states, proposal_ids=sorted(ids))
    facts = {one.id: one for one in found}
    if set(ids) - facts.keys():
        raise NotFound(ProposalCode.UNKNOWN)
    return facts


async def _insert(
    actor: Actor, event_id: int, pairs: Sequence[tuple[int, int]], origin: AssignedBy, at: datetime
) -> int:
    """Two statements, however many pairs; gives how many were new."""
    if not pairs:
        return 0
    rows = [{"proposal_id": number, "account_id": account} for number, account in pairs]
    made = await db.query(
        "INSERT INTO review_assignment (proposal_id, account_id, origin, actor_key, created_at) "  # noqa: S608 -- our own words
        f"SELECT r.proposal_id, r.account_id, $2, $3, $4 FROM {db.json_rows('$1', proposal_id='int', account_id='int')} "
        "WHERE true ON CONFLICT (proposal_id, account_id) DO NOTHING RETURNING account_id",
        orjson.dumps(rows).decode(),
        str(origin),
        actor.key,
        at if db.dialect() == "postgres" else db.stored_instant(at),
    )
    await _journal(actor, "review.assign", event_id, [row["account_id"] for row in made], at)
    return len(made)


async def _journal(actor: Actor, verb: str, event_id: int, accounts: Sequence[int], at: datetime) -> None:
    if not accounts:
        return
    lines: dict[int, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
        number: ({}, {"proposals": count}) for number, count in sorted(Counter(accounts).items())
    }
    await journal.write_many(
        actor=actor, verb=verb, object_kind="account", lines=lines, at=at, event_id=event_id
    )


async def _hold(event_id: int) -> None:
    await db.one_at_a_time(f"agenda.assignments:{event_id}")


# --- a plan for all ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan as it is shown before it is carried out."""

    plan: Plan
    #: Of these pairs; whoever carries the plan out sends it back.
    digest: str
    needed: int
    table: Table
    lacks: Mapping[int, Lack]
    #: What each one who reviews has open or done, before and after.
    loads: Mapping[int, tuple[int, int]]


async def planned(event_id: int, *, needed: int, forum_id: int | None = None) -> Planned:
    """What would be given so that each proposal under review, or each of one forum, has ``needed`` reviewers.

    Those who rest are given nothing. The same state of things gives the same plan; nothing is written.
    """
    if not 1 <= needed <= 20:
        raise Invalid({"needed": Problem("out_of_range")})
    return await _plan(await table(event_id, with_resting=True), await _resting(event_id), needed, forum_id)


async def _resting(event_id: int) -> frozenset[int]:
    rows = await db.query(
        "SELECT account_id FROM reviewer WHERE event_id = $1 AND is_resting = $2", event_id, True
    )
    return frozenset(row["account_id"] for row in rows)


def _to_assign(
    at_hand: Table, resting: frozenset[int], forum_id: int | None
) -> tuple[Sequence[ProposalFacts], Sequence[ReviewerFacts], frozenset[tuple[int, int]]]:
    """What ``review_rules.assign`` is asked about: whoever abstained from a proposal is not asked again."""
    abstained: dict[int, set[int]] = {}
    for one in at_hand.given:
        if one.abstains:
            abstained.setdefault(one.account_id, set()).add(one.proposal_id)
    reviewers = [
        replace(one, declared_proposals=one.declared_proposals | abstained.get(one.account_id, frozenset()))
        for one in at_hand.reviewers
        if one.account_id not in resting
    ]
    proposals = [one for one in at_hand.proposals if forum_id is None or one.forum_id == forum_id]
    return proposals, reviewers, at_hand.counting()


async def _plan(at_hand: Table, resting: frozenset[int], needed: int, forum_id: int | None) -> Planned:
    proposals, reviewers, there = _to_assign(at_hand, resting, forum_id)
    if len(proposals) * len(reviewers) > LARGE:
        plan = await in_worker(_assign, proposals, reviewers, needed, there)
    else:
        plan = _assign(proposals, reviewers, needed, there)
    before = Counter(account for _, account in there)
    after = before + Counter(account for _, account in plan.added)
    return Planned(
        plan,
        _digest(needed, plan.added),
        needed,
        at_hand,
        lacks(plan, proposals, reviewers, there=there),
        {one.account_id: (before[one.account_id], after[one.account_id]) for one in at_hand.reviewers},
    )


def _assign(
    proposals: Sequence[ProposalFacts],
    reviewers: Sequence[ReviewerFacts],
    needed: int,
    there: frozenset[tuple[int, int]],
) -> Plan:
    return assign(proposals, reviewers, needed=needed, there=there)


def _digest(needed: int, added: Sequence[tuple[int, int]]) -> str:
    return hashlib.sha256(orjson.dumps([needed, [list(pair) for pair in added]])).hexdigest()[:24]


async def carry_out(
    *,
    actor: Actor,
    event_id: int,
    needed: int,
    digest: str,
    form_id: UUID,
    at: datetime,
    forum_id: int | None = None,
) -> int:
    """Carries out the plan with this digest and gives how many assignments it made; sent again it gives the same.

    Raises Conflict ``review_plan_changed`` when the plan would be another one by now: then nothing was given.
    """
    body = {"event_id": event_id, "needed": needed, "forum_id": forum_id, "plan": digest}
    known = await replays.find(id=form_id, actor_key=actor.key, body=body)
    if known is not None:
        return int(known["added"])
    # Made before the transaction: thousands of proposals take longer than the writer may be held.
    wanted = await planned(event_id, needed=needed, forum_id=forum_id)
    if wanted.digest != digest:
        raise Conflict(ReviewCode.PLAN_CHANGED)

    async def act() -> Mapping[str, Any]:
        await _hold(event_id)
        proposals, reviewers, there = _to_assign(await table(event_id), await _resting(event_id), forum_id)
        if there != wanted.table.counting() or not is_allowed(
            wanted.plan.added, proposals, reviewers, there=there
        ):
            raise Conflict(ReviewCode.PLAN_CHANGED)
        added = await _insert(actor, event_id, wanted.plan.added, AssignedBy.MACHINE, at)
        return {"added": added}

    done = await replays.once(id=form_id, actor_key=actor.key, body=body, at=at, action=act)
    return int(done["added"])


async def of_proposal(proposal_id: int) -> Sequence[int]:
    """The accounts that were asked to review a proposal, in the order in which they were asked."""
    rows = await ReviewAssignment.filter(proposal_id=proposal_id).order_by("id")
    return [row.account_id for row in rows]
