"""Who somebody is before a proposal: the one place that is asked before anything about it is shown or moved."""

from __future__ import annotations

from collections.abc import Sequence

from agenda.cfp_queries import ProposalFacts
from agenda.models import ForumHelper
from agenda.proposal_rules import ProposalState, Who
from events.access import Door
from events.rules import Permission
from kernel import db
from kernel.actor import Actor, ActorKind


def is_own(actor: Actor, proposal: ProposalFacts) -> bool:
    """Handed it in, or speaks in it."""
    if actor.kind is not ActorKind.ACCOUNT:
        return False
    return proposal.account_id == actor.id or proposal.speaker_of(actor.id) is not None


async def own_among(actor: Actor, proposal_ids: Sequence[int]) -> frozenset[int]:
    """Which of these somebody handed in or speaks in; one statement for any number."""
    if actor.kind is not ActorKind.ACCOUNT or not proposal_ids:
        return frozenset()
    rows = await db.query(
        f"SELECT p.id FROM proposal p WHERE p.id {db.in_list('$1', 'int')} AND (p.account_id = $2 OR EXISTS "  # noqa: S608 -- our own words
        "(SELECT 1 FROM proposal_speaker l JOIN speaker s ON s.id = l.speaker_id WHERE l.proposal_id = p.id AND s.account_id = $2))",
        db.list_parameter(proposal_ids),
        actor.id,
    )
    return frozenset(int(row["id"]) for row in rows)


async def of(door: Door, proposal: ProposalFacts) -> frozenset[Who]:
    """The parts that somebody has in a proposal; none at all means that for them there is no such proposal.

    A draft of the call belongs to its writers alone. Reviewers come in by a door of their own.
    """
    found: set[Who] = set()
    actor = door.actor
    if is_own(actor, proposal):
        found.add(Who.SPEAKER)
    if proposal.state is ProposalState.DRAFT and proposal.account_id is not None:
        return frozenset(found)
    if door.may(Permission.DECIDE):
        found.add(Who.CHAIR)
    if _reaches(door, proposal) or await _helps(actor, proposal):
        found.add(Who.PRODUCER)
    return frozenset(found)


def _reaches(door: Door, proposal: ProposalFacts) -> bool:
    forums = door.forum_scope(Permission.CHANGE_PROPOSALS)
    return forums is None or proposal.forum_id in forums


async def _helps(actor: Actor, proposal: ProposalFacts) -> bool:
    if actor.kind is not ActorKind.ACCOUNT or actor.token_id or proposal.forum_id is None:
        return False
    return await ForumHelper.filter(forum_id=proposal.forum_id, email=actor.email).exists()


def may_see_on_desk(door: Door, proposal: ProposalFacts) -> bool:
    """Whether the desk shows it: never a draft that somebody is still writing, and a producer's own forums alone."""
    if proposal.state is ProposalState.DRAFT and proposal.account_id is not None:
        return False
    forums = door.forum_scope(Permission.SEE_PROPOSALS)
    return forums is None or proposal.forum_id in forums
