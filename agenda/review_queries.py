"""Reads for reviews: the rules of an event's review, and who somebody is before its proposals.

A fixed number of statements for any number of proposals and reviewers. ``looks`` (and ``visible``, the same without
reasons) is what every door asks before it shows anything of a proposal under review; the answer itself is
``review_rules.sees_in``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from agenda.models import ReviewCriterion, Reviewer, ReviewPhase
from agenda.proposal_rules import ProposalState
from agenda.review_rules import (
    Criterion,
    Others,
    Phase,
    ProposalFacts,
    Reach,
    ReviewerFacts,
    Sees,
    Viewer,
    nearness,
    organisation_keys,
    sees_in,
)
from events import queries
from events.access import Door
from events.rules import MAY, Permission, Role
from kernel import db
from kernel.actor import ActorKind
from kernel.text import LocalizedText

#: Roles whose holders are given proposals; owners and organisers are only when they are entered as reviewers.
REVIEWING_ROLES: Final = frozenset({Role.PROGRAMME_CHAIR, Role.REVIEWER, Role.PRODUCER})


# --- the rules of an event's review ------------------------------------------------------------------------------


async def phases(event_id: int) -> Sequence[Phase]:
    """In their order; one statement."""
    return [
        phase_facts(row) for row in await ReviewPhase.filter(event_id=event_id).order_by("position", "id")
    ]


async def active_phase(event_id: int, at: datetime) -> Phase | None:
    """The phase that is on; None between phases. One statement."""
    row = await ReviewPhase.get_or_none(active_for=event_id)
    found = phase_facts(row) if row is not None else None
    return found if found is not None and found.is_on(at) else None


def phase_facts(row: ReviewPhase) -> Phase:
    return Phase(
        id=row.id,
        name=LocalizedText.of(row.name),
        position=row.position,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        is_active=row.active_for is not None,
        may_review=row.may_review,
        reach=Reach(row.reach),
        names_shown=row.names_shown,
        reviewers_shown=row.reviewers_shown,
        others=Others(row.others),
        may_decide=row.may_decide,
        may_tag=row.may_tag,
        speakers_may_edit=row.speakers_may_edit,
    )


async def criteria(event_id: int) -> Sequence[Criterion]:
    """In their order, switched-off ones too; one statement."""
    return [
        Criterion(
            id=row.id,
            code=row.code,
            name=LocalizedText.of(row.name),
            help=LocalizedText.of(row.help),
            weight=row.weight,
            low=row.low,
            high=row.high,
            labels={int(value): LocalizedText.of(text) for value, text in row.labels.items()},
            is_required=row.is_required,
            is_active=row.is_active,
            position=row.position,
        )
        for row in await ReviewCriterion.filter(event_id=event_id).order_by("position", "id")
    ]


# --- proposals and reviewers, as far as nearness and assignment depend on them -----------------------------------


@dataclass(frozen=True, slots=True)
class _Proposal:
    facts: ProposalFacts
    state: ProposalState


async def proposal_facts(
    event_id: int,
    *,
    states: Collection[ProposalState] | None = None,
    proposal_ids: Sequence[int] | None = None,
) -> Sequence[ProposalFacts]:
    """Proposals by their ids, drafts left out unless ``states`` names them; three statements.

    Whoever was asked to speak along and has not answered counts as a speaker, when the address has an account.
    """
    found = await _proposals(event_id, proposal_ids)
    wanted = frozenset(states) if states is not None else frozenset(ProposalState) - {ProposalState.DRAFT}
    return [one.facts for one in found if one.state in wanted]


async def _proposals(event_id: int, proposal_ids: Sequence[int] | None) -> Sequence[_Proposal]:
    where, values = "p.event_id = $1", [event_id]
    if proposal_ids is not None:
        where += f" AND p.id {db.in_list('$2', 'int')}"
        values.append(db.list_parameter(sorted(set(proposal_ids))))
    rows = await db.query(
        f"SELECT p.id, p.state, p.forum_id, p.account_id FROM proposal p WHERE {where} ORDER BY p.id",  # noqa: S608 -- our own words
        *values,
    )
    accounts: dict[int, set[int]] = {row["id"]: {row["account_id"]} - {None} for row in rows}
    speakers: dict[int, set[int]] = {row["id"]: set() for row in rows}
    organisations: dict[int, set[str]] = {row["id"]: set() for row in rows}
    for one in await db.query(
        "SELECT l.proposal_id, s.id, s.account_id, s.organisation FROM proposal_speaker l "  # noqa: S608
        f"JOIN speaker s ON s.id = l.speaker_id JOIN proposal p ON p.id = l.proposal_id WHERE {where}",
        *values,
    ):
        number = one["proposal_id"]
        speakers[number].add(one["id"])
        organisations[number] |= organisation_keys(_text(one["organisation"]))
        if one["account_id"] is not None:
            accounts[number].add(one["account_id"])
    for one in await db.query(
        "SELECT i.proposal_id, a.id FROM speaker_invitation i JOIN account a ON a.email = i.email "  # noqa: S608
        f"JOIN proposal p ON p.id = i.proposal_id WHERE {where} AND i.state IN ('open', 'parked')",
        *values,
    ):
        accounts[one["proposal_id"]].add(one["id"])
    return [
        _Proposal(
            ProposalFacts(
                id=row["id"],
                forum_id=row["forum_id"],
                account_ids=frozenset(accounts[row["id"]]),
                speaker_ids=frozenset(speakers[row["id"]]),
                organisations=frozenset(organisations[row["id"]]),
            ),
            ProposalState(row["state"]),
        )
        for row in rows
    ]


def _text(value: Any) -> LocalizedText:
    return LocalizedText.of(orjson.loads(value) if isinstance(value, str) else value)


async def reviewer_facts(event_id: int, *, with_resting: bool = True) -> Sequence[ReviewerFacts]:
    """Everybody whom proposals may be given to, by account: whoever holds a reviewing role, and whoever may review and
    is entered as a reviewer. Six statements.
    """
    entered = {row.account_id: row for row in await Reviewer.filter(event_id=event_id)}
    forums: dict[int, set[int] | None] = {}
    for member in await queries.team(event_id):
        grant, number = member.grant, member.account_id
        if Permission.REVIEW not in MAY[grant.role]:
            continue
        if grant.role not in REVIEWING_ROLES and number not in entered:
            continue
        there = forums.setdefault(number, set())
        if grant.scope_kind != "forum":
            forums[number] = None
        elif there is not None:
            there.add(grant.scope_id)
    wanted = [
        number
        for number in sorted(forums)
        if with_resting or number not in entered or not entered[number].is_resting
    ]
    return await _reviewers(event_id, wanted, entered, forums)


async def _reviewers(
    event_id: int,
    account_ids: Sequence[int],
    entered: Mapping[int, Reviewer],
    forums: Mapping[int, Iterable[int] | None],
) -> Sequence[ReviewerFacts]:
    """Four statements."""
    listed, inside = db.list_parameter(account_ids), db.in_list("$2", "int")
    declared: dict[int, list[Mapping[str, Any]]] = {}
    for row in await db.query(
        "SELECT account_id, proposal_id, speaker_id, organisation FROM conflict_of_interest "  # noqa: S608 -- our own words
        f"WHERE event_id = $1 AND account_id {inside}",
        event_id,
        listed,
    ):
        declared.setdefault(row["account_id"], []).append(row)
    said: dict[int, frozenset[str]] = {
        number: organisation_keys(row.organisation) for number, row in entered.items()
    }
    for row in await db.query(
        f"SELECT account_id, organisation FROM speaker WHERE event_id = $1 AND account_id {inside}",  # noqa: S608
        event_id,
        listed,
    ):
        number = row["account_id"]
        said[number] = said.get(number, frozenset()) | organisation_keys(_text(row["organisation"]))
    for row in await db.query(
        f"SELECT account_id, organisation FROM speaker_profile WHERE account_id {db.in_list('$1', 'int')}",  # noqa: S608
        listed,
    ):
        # A profile is kept from event to event and may be old: it counts where nothing was said for this one.
        if not said.get(row["account_id"]):
            said[row["account_id"]] = organisation_keys(_text(row["organisation"]))
    beside = await _co_speakers(event_id, listed)
    return [
        ReviewerFacts(
            account_id=number,
            organisations=said.get(number, frozenset()),
            co_speakers=frozenset(beside.get(number, ())),
            declared_proposals=frozenset(
                row["proposal_id"] for row in declared.get(number, ()) if row["proposal_id"] is not None
            ),
            declared_speakers=frozenset(
                row["speaker_id"] for row in declared.get(number, ()) if row["speaker_id"] is not None
            ),
            declared_organisations=frozenset(
                row["organisation"] for row in declared.get(number, ()) if row["organisation"]
            ),
            forum_ids=frozenset(forums.get(number) or ()),
            takes_at_most=entered[number].takes_at_most if number in entered else None,
        )
        for number in account_ids
    ]


async def _co_speakers(event_id: int, listed: Any) -> Mapping[int, set[int]]:
    """By account everybody who stands in a proposal of the event beside it; one statement."""
    rows = await db.query(
        "WITH beside AS (SELECT p.id AS proposal_id, p.account_id FROM proposal p "  # noqa: S608 -- our own words
        "WHERE p.event_id = $1 AND p.account_id IS NOT NULL "
        "UNION SELECT l.proposal_id, s.account_id FROM proposal_speaker l JOIN speaker s ON s.id = l.speaker_id "
        "WHERE s.event_id = $1 AND s.account_id IS NOT NULL) "
        "SELECT DISTINCT one.account_id, other.account_id AS other_id FROM beside one "
        "JOIN beside other ON other.proposal_id = one.proposal_id AND other.account_id <> one.account_id "
        f"WHERE one.account_id {db.in_list('$2', 'int')}",
        event_id,
        listed,
    )
    found: dict[int, set[int]] = {}
    for row in rows:
        found.setdefault(row["account_id"], set()).add(row["other_id"])
    return found


# --- somebody before proposals -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody before one proposal: who they are to it, the phase that is on, and what they are shown."""

    viewer: Viewer
    phase: Phase | None
    state: ProposalState
    sees: Sees


async def looks(door: Door, proposal_ids: Sequence[int], at: datetime) -> Mapping[int, Look]:
    """By proposal; ids that are not the event's are left out. Ten statements for any number."""
    phase = await active_phase(door.event.id, at)
    return {
        number: Look(viewer, phase, state, sees_in(viewer, phase, state))
        for number, (viewer, state) in (await _viewers(door, proposal_ids)).items()
    }


async def visible(door: Door, proposal_ids: Sequence[int], at: datetime) -> Mapping[int, Sees]:
    """What somebody is shown of these proposals and their reviews now; ``looks`` without the reasons."""
    return {number: look.sees for number, look in (await looks(door, proposal_ids, at)).items()}


async def viewers(door: Door, proposal_ids: Sequence[int]) -> Mapping[int, Viewer]:
    """Who somebody is to each of these proposals; nine statements for any number."""
    return {number: viewer for number, (viewer, _) in (await _viewers(door, proposal_ids)).items()}


async def viewer(door: Door, proposal_id: int) -> Viewer:
    """Who somebody is to one proposal of the event; nobody at all to one that is not."""
    return (await viewers(door, [proposal_id])).get(proposal_id, Viewer(is_speaker=True))


async def _viewers(door: Door, proposal_ids: Sequence[int]) -> Mapping[int, tuple[Viewer, ProposalState]]:
    event_id = door.event.id
    found = await _proposals(event_id, proposal_ids)
    account_id = door.actor.id if door.actor.kind is ActorKind.ACCOUNT else 0
    own = await db.query(
        "SELECT proposal_id, 1 AS given FROM review_assignment WHERE account_id = $1 "  # noqa: S608 -- our own words
        f"AND proposal_id {db.in_list('$2', 'int')} UNION ALL SELECT proposal_id, 0 AS given FROM review "
        f"WHERE account_id = $1 AND proposal_id {db.in_list('$2', 'int')}",
        account_id,
        db.list_parameter([one.facts.id for one in found]),
    )
    given = {row["proposal_id"] for row in own if row["given"]}
    reviewed = {row["proposal_id"] for row in own if not row["given"]}
    entered = {row.account_id: row for row in await Reviewer.filter(event_id=event_id, account_id=account_id)}
    [me] = await _reviewers(event_id, [account_id], entered, {})
    chairs = door.forum_scope(Permission.DECIDE)
    produces = door.forum_scope(Permission.CHANGE_PROPOSALS)
    reviews = door.forum_scope(Permission.REVIEW)
    may_review = door.may(Permission.REVIEW)
    return {
        one.facts.id: (
            Viewer(
                is_chair=_inside(one.facts.forum_id, chairs),
                is_producer=_inside(one.facts.forum_id, produces),
                # Given by hand, a proposal of another forum is theirs too.
                is_reviewer=may_review and (_inside(one.facts.forum_id, reviews) or one.facts.id in given),
                is_assigned=one.facts.id in given,
                is_speaker=account_id in one.facts.account_ids,
                has_reviewed=one.facts.id in reviewed,
                near=nearness(me, one.facts),
                never_sees_names=account_id in entered and entered[account_id].never_sees_names,
            ),
            one.state,
        )
        for one in found
    }


def _inside(forum_id: int | None, scope: frozenset[int] | None) -> bool:
    return scope is None or forum_id in scope
