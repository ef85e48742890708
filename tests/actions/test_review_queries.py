"""Who somebody is before a proposal under review, and what they are shown of it: read in a fixed number of statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from agenda import conflicts_of_interest, review_queries
from agenda.conflicts_of_interest import TooNear
from agenda.models import (
    ConflictOfInterest,
    Forum,
    Proposal,
    ProposalSpeaker,
    Review,
    ReviewAssignment,
    ReviewCriterion,
    Reviewer,
    ReviewPhase,
    Speaker,
    SpeakerInvitation,
    SpeakerProfile,
)
from agenda.proposal_rules import ProposalState
from agenda.review_rules import NOTHING, Nearness, Sees, Viewer
from events import access
from events.access import Door
from events.models import Event
from events.rules import Permission
from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Invalid, NotFound
from kernel.settings import Settings
from people.models import Account, JournalEntry
from tests.factories import make_account, make_event, make_role

pytestmark = pytest.mark.usefixtures("database")
NOW = datetime(2026, 9, 1, tzinfo=UTC)
DAY = timedelta(days=1)
_count = count(1)


async def make_forum(event: Event) -> Forum:
    async with unit_of_work():
        return await Forum.create(event_id=event.id, code=f"f{next(_count)}", name={"en": "Cloud"})


async def make_speaker(event: Event, account: Account | None = None, organisation: str = "") -> Speaker:
    async with unit_of_work():
        return await Speaker.create(
            event_id=event.id,
            code=f"S{next(_count):05}",
            account_id=account.id if account else None,
            name={"en": "Somebody"},
            organisation={"en": organisation} if organisation else {},
            created_at=NOW,
            updated_at=NOW,
        )


async def make_proposal(event: Event, *speakers: Speaker, **more: Any) -> Proposal:
    values: dict[str, Any] = {
        "guid": uuid4(),
        "code": f"P{next(_count):05}",
        "state": "submitted",
        "title": {"en": "A talk"},
        "created_at": NOW,
        "updated_at": NOW,
        "submitted_at": NOW,
    }
    async with unit_of_work():
        row = await Proposal.create(event_id=event.id, **(values | more))
        for speaker in speakers:
            await ProposalSpeaker.create(proposal_id=row.id, speaker_id=speaker.id, joined_at=NOW)
        return row


async def make_phase(event: Event, **more: Any) -> ReviewPhase:
    async with unit_of_work():
        return await ReviewPhase.create(
            event_id=event.id, **({"name": {"en": "First round"}, "active_for": event.id} | more)
        )


async def make_assignment(proposal: Proposal, account: Account) -> None:
    async with unit_of_work():
        await ReviewAssignment.create(
            proposal_id=proposal.id, account_id=account.id, actor_key="system:0", created_at=NOW
        )


async def make_reviewer(event: Event, account: Account, **more: Any) -> None:
    async with unit_of_work():
        await Reviewer.create(event_id=event.id, account_id=account.id, updated_at=NOW, **more)


async def door_of(event: Event, account: Account) -> Door:
    access.forget()
    actor = Actor(kind=ActorKind.ACCOUNT, id=account.id, email=account.email)
    return await access.open_event(actor, event.slug, Permission.VIEW_PUBLIC)


async def with_role(event: Event, role: str, *scope: Any) -> Account:
    account = await make_account()
    await make_role(event, account, role, *scope)
    return account


async def test_roles_and_their_forums_say_who_is_chair_producer_and_reviewer() -> None:
    event = await make_event("coscon")
    inside, outside = await make_forum(event), await make_forum(event)
    one = await make_proposal(event, forum_id=inside.id)
    other = await make_proposal(event, forum_id=outside.id)
    loose = await make_proposal(event)
    ids = [one.id, other.id, loose.id]
    for role, scope, expected in (
        ("programme_chair", (), [Viewer(is_chair=True, is_producer=True, is_reviewer=True)] * 3),
        ("reviewer", (), [Viewer(is_reviewer=True)] * 3),
        ("reviewer", ("forum", inside.id), [Viewer(is_reviewer=True), Viewer(), Viewer()]),
        (
            "producer",
            ("forum", inside.id),
            [Viewer(is_producer=True, is_reviewer=True), Viewer(), Viewer()],
        ),
        ("scanner", (), [Viewer()] * 3),
    ):
        door = await door_of(event, await with_role(event, role, *scope))
        found = await review_queries.viewers(door, ids)
        assert [found[number] for number in ids] == expected, role


async def test_a_proposal_given_by_hand_is_reviewed_outside_the_own_forums_too() -> None:
    event = await make_event("coscon")
    forum = await make_forum(event)
    reviewer = await with_role(event, "reviewer", "forum", forum.id)
    await make_reviewer(event, reviewer, never_sees_names=True)
    proposal = await make_proposal(event)
    await make_assignment(proposal, reviewer)
    door = await door_of(event, reviewer)
    assert await review_queries.viewer(door, proposal.id) == Viewer(
        is_reviewer=True, is_assigned=True, never_sees_names=True
    )


async def test_who_handed_in_speaks_or_was_asked_to_speak_along_is_a_speaker() -> None:
    event = await make_event("coscon")
    chair = await with_role(event, "programme_chair")
    await make_phase(event, reach="all", others="always")
    handed_in = await make_proposal(event, account_id=chair.id)
    speaks = await make_proposal(event, await make_speaker(event, chair))
    asked, declined = await make_proposal(event), await make_proposal(event)
    async with unit_of_work():
        for proposal, state in ((asked, "open"), (declined, "declined")):
            await SpeakerInvitation.create(
                proposal_id=proposal.id,
                email=chair.email,
                state=state,
                actor_key="system:0",
                created_at=NOW,
                expires_at=NOW + DAY,
            )
    door = await door_of(event, chair)
    seen = await review_queries.visible(door, [handed_in.id, speaks.id, asked.id, declined.id], NOW)
    assert [seen[one.id] == NOTHING for one in (handed_in, speaks, asked, declined)] == [
        True,
        True,
        True,
        False,
    ]


async def test_nearness_comes_from_organisations_co_speakers_and_what_was_declared() -> None:
    event = await make_event("coscon")
    reviewer, friend = await with_role(event, "reviewer"), await make_account()
    await make_reviewer(event, reviewer, organisation="Kaiyuanshe ")
    beside = await make_speaker(event, friend)
    await make_proposal(event, await make_speaker(event, reviewer), beside)
    same = await make_proposal(event, await make_speaker(event, None, "KAIYUANSHE"))
    with_friend = await make_proposal(event, beside)
    declared = await make_proposal(event)
    somebody = await make_speaker(event)
    by_speaker = await make_proposal(event, somebody)
    by_organisation = await make_proposal(event, await make_speaker(event, None, "Ａcme Ltd"))
    free = await make_proposal(event)
    for what in (
        TooNear(proposal_id=declared.id),
        TooNear(speaker_id=somebody.id),
        TooNear(organisation="ACME  ltd"),
    ):
        await conflicts_of_interest.declare(
            actor=SYSTEM, event_id=event.id, account_id=reviewer.id, what=what, at=NOW
        )
    door = await door_of(event, reviewer)
    found = await review_queries.viewers(
        door, [one.id for one in (same, with_friend, declared, by_speaker, by_organisation, free)]
    )
    assert [one.near for one in found.values()] == [
        Nearness.ORGANISATION,
        Nearness.CO_SPEAKER,
        Nearness.DECLARED,
        Nearness.DECLARED,
        Nearness.DECLARED,
        None,
    ]


async def test_a_profile_says_where_somebody_works_when_nothing_was_said_for_this_event() -> None:
    event = await make_event("coscon")
    reviewer = await with_role(event, "reviewer")
    async with unit_of_work():
        await SpeakerProfile.create(
            account_id=reviewer.id, organisation={"zh-Hans": "开源社"}, updated_at=NOW
        )
    [facts] = await review_queries.reviewer_facts(event.id)
    assert facts.organisations == {"开源社"}
    await make_reviewer(event, reviewer, organisation="Acme", takes_at_most=7)
    [facts] = await review_queries.reviewer_facts(event.id)
    assert facts.organisations == {"acme"}
    assert facts.takes_at_most == 7


async def test_reviewers_are_those_with_a_reviewing_role_and_others_when_they_are_entered() -> None:
    event = await make_event("coscon")
    one, other = await make_forum(event), await make_forum(event)
    narrow = await with_role(event, "reviewer", "forum", one.id)
    await make_role(event, narrow, "producer", "forum", other.id)
    wide = await with_role(event, "reviewer", "forum", one.id)
    await make_role(event, wide, "reviewer")
    await make_role(event, wide, "reviewer", "forum", other.id)
    await with_role(event, "organiser")
    entered, resting = await with_role(event, "organiser"), await with_role(event, "reviewer")
    await make_reviewer(event, entered)
    await make_reviewer(event, resting, is_resting=True)
    scanner = await with_role(event, "scanner")
    await make_reviewer(event, scanner)
    found = {one.account_id: one.forum_ids for one in await review_queries.reviewer_facts(event.id)}
    assert found == {
        narrow.id: {one.id, other.id},
        wide.id: frozenset(),
        entered.id: frozenset(),
        resting.id: frozenset(),
    }
    awake = await review_queries.reviewer_facts(event.id, with_resting=False)
    assert resting.id not in {one.account_id for one in awake}


async def test_proposals_are_read_by_state_with_everybody_who_speaks() -> None:
    event = await make_event("coscon")
    person = await make_account()
    speaker = await make_speaker(event, person, "Acme")
    proposal = await make_proposal(event, speaker)
    invited = await make_proposal(event, state="invited")
    await make_proposal(event, state="draft")
    await make_proposal(await make_event("other"))
    facts = await review_queries.proposal_facts(event.id)
    assert [one.id for one in facts] == [proposal.id, invited.id]
    assert facts[0].account_ids == {person.id}
    assert facts[0].speaker_ids == {speaker.id}
    assert facts[0].organisations == {"acme"}
    waiting = await review_queries.proposal_facts(event.id, states=[ProposalState.SUBMITTED])
    assert [one.id for one in waiting] == [proposal.id]


async def test_the_phase_that_is_on_is_the_active_one_inside_its_dates() -> None:
    event = await make_event("coscon")
    assert await review_queries.active_phase(event.id, NOW) is None
    await make_phase(event, active_for=None, position=2)
    phase = await make_phase(event, starts_at=NOW, ends_at=NOW + DAY, position=1)
    assert [one.is_active for one in await review_queries.phases(event.id)] == [True, False]
    on = [await review_queries.active_phase(event.id, NOW + days * DAY) for days in (-1, 0, 1)]
    assert [one.id if one else None for one in on] == [None, phase.id, None]


async def test_criteria_are_read_in_their_order_with_their_words() -> None:
    event = await make_event("coscon")
    async with unit_of_work():
        await ReviewCriterion.create(
            event_id=event.id, code="b", name={"en": "B"}, position=2, is_active=False
        )
        await ReviewCriterion.create(
            event_id=event.id, code="a", name={"en": "A"}, labels={"1": {"en": "poor"}}, low=0, high=3
        )
    first, second = await review_queries.criteria(event.id)
    assert (first.code, first.low, first.high, first.labels[1]["en"]) == ("a", 0, 3, "poor")
    assert (second.code, second.is_active) == ("b", False)


async def test_any_number_of_proposals_takes_the_same_statements(database: Settings) -> None:
    event = await make_event("coscon")
    reviewer = await with_role(event, "reviewer")
    await make_phase(event)
    rows = []
    for _ in range(4):
        speaker = await make_speaker(event, await make_account(), "Acme")
        rows.append(await make_proposal(event, speaker))
        await make_assignment(rows[-1], reviewer)
    async with unit_of_work():
        await Review.create(
            proposal_id=rows[0].id, account_id=reviewer.id, reason="Good", created_at=NOW, updated_at=NOW
        )
    door = await door_of(event, reviewer)
    counts, seen = [], {}
    for number in (1, 4):
        before = db.stats.statements
        seen = dict(await review_queries.visible(door, [row.id for row in rows[:number]], NOW))
        counts.append(db.stats.statements - before)
    assert counts[0] == counts[1] <= 10
    assert seen[rows[0].id] == Sees(proposal=True, reviews=True, reviewers=True, may_review=True)
    assert seen[rows[1].id] == Sees(proposal=True, may_review=True)
    assert await review_queries.visible(door, [0], NOW) == {}
    assert await review_queries.viewer(door, 0) == Viewer(is_speaker=True)


async def test_a_conflict_is_declared_once_ends_the_assignment_and_is_taken_back_once() -> None:
    event, other = await make_event("coscon"), await make_event("other")
    reviewer = await with_role(event, "reviewer")
    proposal, elsewhere = await make_proposal(event), await make_proposal(other)
    await make_assignment(proposal, reviewer)
    actor = Actor(kind=ActorKind.ACCOUNT, id=reviewer.id)
    ids = [
        await conflicts_of_interest.declare(
            actor=actor,
            event_id=event.id,
            account_id=reviewer.id,
            what=TooNear(proposal_id=proposal.id),
            at=NOW,
        )
        for _ in range(2)
    ]
    assert ids[0] == ids[1]
    assert await ReviewAssignment.all().count() == 0
    [declared] = await conflicts_of_interest.of_event(event.id, account_id=reviewer.id)
    assert (declared.proposal_id, declared.actor_key) == (proposal.id, actor.key)
    for what in (TooNear(proposal_id=elsewhere.id), TooNear(speaker_id=(await make_speaker(other)).id)):
        with pytest.raises(NotFound):
            await conflicts_of_interest.declare(
                actor=actor, event_id=event.id, account_id=reviewer.id, what=what, at=NOW
            )
    for name in (" ", "x" * 201):
        with pytest.raises(Invalid) as refused:
            await conflicts_of_interest.declare(
                actor=actor,
                event_id=event.id,
                account_id=reviewer.id,
                what=TooNear(organisation=name),
                at=NOW,
            )
        assert list(refused.value.fields) == ["organisation"]
    with pytest.raises(NotFound):
        await conflicts_of_interest.withdraw(actor=actor, event_id=other.id, conflict_id=ids[0], at=NOW)
    await conflicts_of_interest.withdraw(actor=actor, event_id=event.id, conflict_id=ids[0], at=NOW)
    with pytest.raises(NotFound):
        await conflicts_of_interest.withdraw(actor=actor, event_id=event.id, conflict_id=ids[0], at=NOW)
    assert await ConflictOfInterest.all().count() == 0
    assert [line.verb for line in await JournalEntry.all().order_by("id")] == [
        "conflict_of_interest.declare",
        "conflict_of_interest.withdraw",
    ]
