"""The review as organisers set it up: one active phase, totals that follow criteria, nobody near given anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from agenda import (
    assignments,
    calls,
    conflicts_of_interest,
    privacy,
    proposals,
    redactions,
    review_queries,
    review_setup,
    reviewers,
)
from agenda.calls import CallDetails
from agenda.conflicts_of_interest import TooNear
from agenda.models import (
    Call,
    Proposal,
    ProposalRedaction,
    Review,
    ReviewAssignment,
    ReviewCriterion,
    Reviewer,
    ReviewPhase,
    ReviewScore,
)
from agenda.redactions import Redaction
from agenda.review_rules import AssignedBy, Nearness, ReviewCode, Total, nearness, review_total
from agenda.review_setup import CriterionDetails, PhaseDetails
from agenda.reviewers import ReviewerDetails
from events.models import Event
from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound
from kernel.text import LocalizedText
from people.models import Account, JournalEntry
from people.privacy import Subject
from tests.actions.test_review_queries import make_forum, make_proposal, make_speaker
from tests.factories import make_account, make_event, make_role

pytestmark = pytest.mark.usefixtures("database")
NOW = datetime(2026, 9, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WORDS = LocalizedText({"zh-Hans": "评审", "en": "Review"})


async def make_call(event: Event, **more: Any) -> None:
    await calls.set_up(actor=SYSTEM, event_id=event.id, details=CallDetails(**more), at=NOW)


async def phase(event: Event, **more: Any) -> int:
    return await review_setup.put_phase(
        actor=SYSTEM, event_id=event.id, details=PhaseDetails(name=WORDS, **more), at=NOW
    )


async def active(event: Event) -> list[int]:
    return [row.id for row in await ReviewPhase.filter(event_id=event.id, active_for__isnull=False)]


# --- phases ------------------------------------------------------------------------------------------------------


async def test_of_many_at_once_exactly_one_phase_is_active() -> None:
    event = await make_event()
    await make_call(event)
    phases = [await phase(event, position=number) for number in range(4)]

    async def press(number: int) -> None:
        await review_setup.activate(actor=SYSTEM, event_id=event.id, phase_id=number, at=NOW)

    await asyncio.gather(*(press(phases[number % 4]) for number in range(32)))
    assert len(await active(event)) == 1
    with pytest.raises(NotFound):
        await press(10**9)
    await press(phases[2])
    lines = await JournalEntry.filter(verb="review_phase.activate").count()
    await press(phases[2])
    assert await active(event) == [phases[2]]
    assert await JournalEntry.filter(verb="review_phase.activate").count() == lines


async def test_dates_move_the_review_on_and_never_undo_a_later_choice() -> None:
    event = await make_event()
    await make_call(event)
    first = await phase(event, position=1, starts_at=NOW, ends_at=NOW + DAY)
    second = await phase(event, position=2, starts_at=NOW + DAY)
    await review_setup.advance_due(NOW - DAY)
    assert await active(event) == []
    await review_setup.advance_due(NOW)
    assert await active(event) == [first]
    await review_setup.advance_due(NOW + DAY)
    assert await active(event) == [second]
    # Somebody opens the first again, after the date of the second: that stands.
    await review_setup.activate(actor=SYSTEM, event_id=event.id, phase_id=first, at=NOW + 2 * DAY)
    await review_setup.advance_due(NOW + 3 * DAY)
    assert await active(event) == [first]
    # A third whose date comes after that choice is due like any other.
    third = await phase(event, position=3, starts_at=NOW + 4 * DAY)
    await review_setup.advance_due(NOW + 4 * DAY)
    assert await active(event) == [third]


async def test_looking_for_due_phases_costs_the_same_for_any_number_of_events() -> None:
    async def cost(at: datetime) -> int:
        before = db.stats.statements
        await review_setup.advance_due(at)
        return db.stats.statements - before

    counts = []
    for _ in range(3):
        event = await make_event()
        await make_call(event)
        first = await phase(event, starts_at=NOW)
        await phase(event, starts_at=NOW + DAY)
        await review_setup.activate(actor=SYSTEM, event_id=event.id, phase_id=first, at=NOW + 2 * DAY)
        counts.append(await cost(NOW + 3 * DAY))
    assert counts == [3, 3, 3]
    assert await cost(NOW - DAY) == 1


async def test_a_phase_in_which_was_written_stays() -> None:
    event = await make_event()
    number = await phase(event)
    proposal = await make_proposal(event)
    async with unit_of_work():
        await Review.create(
            proposal_id=proposal.id,
            account_id=(await make_account()).id,
            phase_id=number,
            reason="x",
            created_at=NOW,
            updated_at=NOW,
        )
    with pytest.raises(Conflict) as refused:
        await review_setup.remove_phase(actor=SYSTEM, event_id=event.id, phase_id=number, at=NOW)
    assert refused.value.code == ReviewCode.PHASE_IN_USE
    other = await phase(event)
    with pytest.raises(NotFound):
        await review_setup.remove_phase(
            actor=SYSTEM, event_id=(await make_event()).id, phase_id=other, at=NOW
        )
    await review_setup.remove_phase(actor=SYSTEM, event_id=event.id, phase_id=other, at=NOW)
    assert await ReviewPhase.filter(event_id=event.id).count() == 1


async def test_what_is_wrong_with_a_phase_is_told_at_its_field() -> None:
    event = await make_event()
    for details, where in (
        (PhaseDetails(name=LocalizedText()), "name"),
        (PhaseDetails(name=LocalizedText({"en": "x" * 121})), "name"),
        (PhaseDetails(name=WORDS, starts_at=NOW, ends_at=NOW), "ends_at"),
        (PhaseDetails(name=WORDS, position=-1), "position"),
    ):
        with pytest.raises(Invalid) as refused:
            await review_setup.put_phase(actor=SYSTEM, event_id=event.id, details=details, at=NOW)
        assert list(refused.value.fields) == [where]
    with pytest.raises(NotFound):
        await review_setup.put_phase(
            actor=SYSTEM, event_id=event.id, details=PhaseDetails(name=WORDS), phase_id=1, at=NOW
        )
    for _ in range(20):
        await phase(event)
    with pytest.raises(Invalid):
        await phase(event)


async def test_one_press_makes_what_most_begin_with_and_a_second_changes_nothing() -> None:
    event = await make_event()
    with pytest.raises(NotFound):
        await review_setup.set_up(actor=SYSTEM, event_id=event.id, at=NOW)
    await make_call(event, closes_at=NOW + DAY, review_by=NOW + 3 * DAY, notify_by=NOW + 5 * DAY)
    await asyncio.gather(*(review_setup.set_up(actor=SYSTEM, event_id=event.id, at=NOW) for _ in range(4)))
    review, selection = await review_queries.phases(event.id)
    assert (review.is_active, review.names_shown, review.may_review, review.starts_at) == (
        True,
        False,
        True,
        NOW + DAY,
    )
    assert (selection.is_active, selection.may_decide, selection.starts_at) == (False, True, NOW + 3 * DAY)
    criteria = await review_queries.criteria(event.id)
    assert [one.code for one in criteria][:2] == ["relevance", "depth"]
    assert len(criteria) == 7
    assert all(set(one.name) == set(one.help) == {"zh-Hans", "en"} for one in criteria)
    assert all(sorted(one.labels) == [1, 2, 3, 4, 5] for one in criteria)
    # Between the call's dates nothing has begun: the phase is chosen, and not on yet.
    assert await review_queries.active_phase(event.id, NOW) is None
    assert await review_queries.active_phase(event.id, NOW + 2 * DAY) is not None
    await review_setup.advance_due(NOW + 4 * DAY)
    assert await active(event) == [selection.id]


async def test_an_event_in_the_middle_of_its_dates_begins_in_the_phase_that_is_due() -> None:
    event = await make_event()
    # The review ended before the call did: a date that can't be is left out.
    await make_call(event, closes_at=NOW - DAY, review_by=NOW - 2 * DAY, notify_by=NOW + DAY)
    await review_setup.set_up(actor=SYSTEM, event_id=event.id, at=NOW)
    review, selection = await review_queries.phases(event.id)
    assert review.ends_at is None
    assert (review.is_active, selection.is_active) == (False, True)


@pytest.mark.parametrize("lets", [True, False])
async def test_the_active_phase_says_whether_speakers_may_edit_what_they_handed_in(lets: bool) -> None:
    event = await make_event()
    await make_call(event, closes_at=NOW - DAY)
    number = await phase(event, speakers_may_edit=lets, ends_at=NOW + DAY)
    await review_setup.activate(actor=SYSTEM, event_id=event.id, phase_id=number, at=NOW)
    at_hand = await proposals.world(event.id)
    assert at_hand is not None
    assert (at_hand.lets_edit(NOW), at_hand.lets_edit(NOW + DAY)) == (lets, False)


# --- criteria ----------------------------------------------------------------------------------------------------


async def criterion(event: Event, code: str, **more: Any) -> int:
    details = CriterionDetails(code=code, name=WORDS, **more)
    return await review_setup.put_criterion(actor=SYSTEM, event_id=event.id, details=details, at=NOW)


async def make_reviews(event: Event, ids: Sequence[int], count: int) -> None:
    """Each review with points by another pattern; the first abstains."""
    async with unit_of_work():
        for number in range(count):
            account = await Account.create(email=f"r{uuid4().hex}@example.org", created_at=NOW)
            proposal = await Proposal.create(
                guid=uuid4(), event_id=event.id, code=uuid4().hex[:6], created_at=NOW, updated_at=NOW
            )
            review = await Review.create(
                proposal_id=proposal.id,
                account_id=account.id,
                abstains=not number,
                created_at=NOW,
                updated_at=NOW,
            )
            for place, criterion_id in enumerate(ids if number else ()):
                await ReviewScore.create(
                    review_id=review.id, criterion_id=criterion_id, value=1 + (number + place) % 5
                )


async def fresh_totals(event: Event) -> dict[int, int | None]:
    """Every review's total computed from its rows, one by one."""
    criteria = await review_queries.criteria(event.id)
    found = {}
    for review in await Review.all():
        points = {row.criterion_id: row.value for row in await ReviewScore.filter(review_id=review.id)}
        found[review.id] = review_total(criteria, points)
    return found


async def test_a_changed_criterion_changes_every_total_in_a_fixed_number_of_statements() -> None:
    event = await make_event()
    ids = [await criterion(event, code) for code in ("a", "b", "c")]
    counts = []
    changes: list[dict[str, Any]] = [{"weight": 3}, {"high": 4}, {"is_active": False}, {"low": 0, "high": 7}]
    for size, change in zip((1, 3, 5, 2), changes, strict=True):
        await make_reviews(event, ids, size)
        before = db.stats.statements
        await review_setup.put_criterion(
            actor=SYSTEM,
            event_id=event.id,
            details=CriterionDetails(code="b", name=WORDS, **change),
            criterion_id=ids[1],
            at=NOW,
        )
        counts.append(db.stats.statements - before)
        assert {row.id: row.total for row in await Review.all()} == await fresh_totals(event)
    # The first one had an abstention alone, and nothing to write.
    assert counts[1] == counts[2] == counts[3]
    assert {row.total for row in await Review.filter(abstains=True)} == {None}
    assert await Review.filter(abstains=False, total__isnull=True).count() == 0


async def test_another_events_totals_stay() -> None:
    here, there = await make_event(), await make_event()
    mine, theirs = await criterion(here, "a"), await criterion(there, "a")
    await make_reviews(there, [theirs], 3)
    async with unit_of_work():
        await Review.filter(abstains=False).update(total=1234)
    await review_setup.put_criterion(
        actor=SYSTEM,
        event_id=here.id,
        details=CriterionDetails(code="a", name=WORDS, weight=9),
        criterion_id=mine,
        at=NOW,
    )
    assert {row.total for row in await Review.filter(abstains=False)} == {1234}


async def test_a_criterion_with_points_is_switched_off_and_not_deleted() -> None:
    event = await make_event()
    scored, spare = await criterion(event, "a"), await criterion(event, "b")
    await make_reviews(event, [scored], 2)
    with pytest.raises(Conflict) as refused:
        await review_setup.remove_criterion(actor=SYSTEM, event_id=event.id, criterion_id=scored, at=NOW)
    assert refused.value.code == ReviewCode.CRITERION_SCORED
    await review_setup.remove_criterion(actor=SYSTEM, event_id=event.id, criterion_id=spare, at=NOW)
    with pytest.raises(NotFound):
        await review_setup.remove_criterion(actor=SYSTEM, event_id=event.id, criterion_id=spare, at=NOW)
    assert await ReviewCriterion.filter(event_id=event.id).count() == 1


async def test_what_is_wrong_with_a_criterion_is_told_at_its_field() -> None:
    event = await make_event()
    good = CriterionDetails(code="a", name=WORDS)
    await review_setup.put_criterion(actor=SYSTEM, event_id=event.id, details=good, at=NOW)
    long = LocalizedText({"en": "x" * 1001})
    for details, where in (
        (good, "code"),
        (replace(good, code="two words"), "code"),
        (replace(good, code="b", name=LocalizedText({"en": " "})), "name"),
        (replace(good, code="b", help=long), "help"),
        (replace(good, code="b", weight=101), "weight"),
        (replace(good, code="b", low=-1), "low"),
        (replace(good, code="b", high=101), "high"),
        (replace(good, code="b", low=5, high=5), "high"),
        (replace(good, code="b", labels={6: WORDS}), "labels"),
        (replace(good, code="b", labels={5: long}), "labels"),
        (replace(good, code="b", position=-1), "position"),
    ):
        with pytest.raises(Invalid) as refused:
            await review_setup.put_criterion(actor=SYSTEM, event_id=event.id, details=details, at=NOW)
        assert list(refused.value.fields) == [where], details
    with pytest.raises(NotFound):
        await review_setup.put_criterion(
            actor=SYSTEM, event_id=event.id, details=good, criterion_id=10**9, at=NOW
        )
    for number in range(19):
        await criterion(event, f"c{number}")
    with pytest.raises(Invalid):
        await criterion(event, "one-too-many")


async def test_how_scores_are_made_stands_in_the_call() -> None:
    event = await make_event()
    how: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "total_by": Total.MEDIAN, "at": NOW}
    with pytest.raises(NotFound):
        await review_setup.set_totals(**how, reviews_needed=2)
    await make_call(event)
    for wrong in (0, 21):
        with pytest.raises(Invalid):
            await review_setup.set_totals(**how, reviews_needed=wrong)
    for _ in range(2):
        await review_setup.set_totals(**how, reviews_needed=2)
    row = await Call.get(event_id=event.id)
    assert (row.total_by, row.reviews_needed) == ("median", 2)
    assert await JournalEntry.filter(verb="review.totals").count() == 1


# --- reviewers ---------------------------------------------------------------------------------------------------


async def test_reviewers_are_listed_with_what_they_have_in_four_statements() -> None:
    event = await make_event()
    forum = await make_forum(event)
    owner, chair, narrow = [await make_account(name=name) for name in ("Owner", "Chair", "Narrow")]
    await make_role(event, owner, "owner")
    await make_role(event, chair, "programme_chair")
    await make_role(event, narrow, "reviewer", "forum", forum.id)
    await make_role(event, await make_account(), "scanner")
    await reviewers.put(
        actor=SYSTEM,
        event_id=event.id,
        account_id=narrow.id,
        details=ReviewerDetails(organisation="Acme", takes_at_most=3, is_resting=True),
        at=NOW,
    )
    talks = [await make_proposal(event) for _ in range(3)]
    other = await make_proposal(await make_event())
    async with unit_of_work():
        for talk in [*talks, other]:
            await ReviewAssignment.create(
                proposal_id=talk.id, account_id=narrow.id, actor_key="x", created_at=NOW
            )
        for talk, abstains in ((talks[0], False), (talks[1], True)):
            await Review.create(
                proposal_id=talk.id, account_id=narrow.id, abstains=abstains, created_at=NOW, updated_at=NOW
            )
    await conflicts_of_interest.declare(
        actor=SYSTEM, event_id=event.id, account_id=chair.id, what=TooNear(organisation="Acme"), at=NOW
    )
    before = db.stats.statements
    lines = await reviewers.listed(event.id)
    assert db.stats.statements - before == 4
    assert [(one.name, one.is_asked) for one in lines] == [
        ("Chair", True),
        ("Narrow", True),
        ("Owner", False),
    ]
    assert lines[0].conflicts == 1
    line = lines[1]
    assert (line.given, line.done, line.open, line.abstained) == (3, 2, 1, 1)
    assert (line.forum_ids, line.takes_at_most, line.is_resting) == (frozenset({forum.id}), 3, True)
    # An owner who is entered is asked like the others.
    await reviewers.put(
        actor=SYSTEM, event_id=event.id, account_id=owner.id, details=ReviewerDetails(), at=NOW
    )
    assert all(one.is_asked for one in await reviewers.listed(event.id))


async def test_only_who_has_a_role_is_entered_and_two_presses_are_one_row() -> None:
    event = await make_event()
    account = await make_account()
    await make_role(event, account, "scanner")

    async def put(details: ReviewerDetails) -> None:
        await reviewers.put(actor=SYSTEM, event_id=event.id, account_id=account.id, details=details, at=NOW)

    with pytest.raises(NotFound):
        await put(ReviewerDetails())
    await make_role(event, account, "reviewer")
    for wrong in (ReviewerDetails(takes_at_most=-1), ReviewerDetails(organisation="x" * 201)):
        with pytest.raises(Invalid):
            await put(wrong)
    await asyncio.gather(*(put(ReviewerDetails(takes_at_most=number)) for number in range(8)))
    assert await Reviewer.filter(event_id=event.id).count() == 1


# --- assignments -------------------------------------------------------------------------------------------------


async def make_house() -> tuple[Event, list[Proposal], list[Account]]:
    """Four proposals of two forums and four reviewers; 0 speaks in the first, 1 works where the second's speaker does."""
    event = await make_event()
    cloud, web = await make_forum(event), await make_forum(event)
    people = [await make_account() for _ in range(4)]
    for account in people:
        await make_role(event, account, "reviewer")
    await reviewers.put(
        actor=SYSTEM,
        event_id=event.id,
        account_id=people[1].id,
        details=ReviewerDetails(organisation="ACME  Ltd"),
        at=NOW,
    )
    own, colleague = await make_speaker(event, people[0]), await make_speaker(event, None, "Acme Ltd")
    talks = [
        await make_proposal(event, own, forum_id=cloud.id),
        await make_proposal(event, colleague, forum_id=cloud.id),
        await make_proposal(event, await make_speaker(event), forum_id=web.id),
        await make_proposal(event, await make_speaker(event), forum_id=web.id, state="accepted"),
    ]
    return event, talks, people


async def pairs_of(event: Event) -> set[tuple[int, int]]:
    return {(row.proposal_id, row.account_id) for row in await ReviewAssignment.all()}


async def near_pairs(event: Event) -> list[Nearness]:
    """Assignments that nobody may have made, looked at one by one."""
    facts = {one.id: one for one in await review_queries.proposal_facts(event.id)}
    people = {one.account_id: one for one in await review_queries.reviewer_facts(event.id)}
    found = [nearness(people[account], facts[number]) for number, account in await pairs_of(event)]
    return [why for why in found if why is not None]


async def test_by_hand_everybody_gets_what_they_are_not_too_near_to_once() -> None:
    event, talks, people = await make_house()
    pairs = [(talk.id, account.id) for talk in talks[:3] for account in people[:3]]
    done = await assignments.give(actor=SYSTEM, event_id=event.id, pairs=pairs, at=NOW)
    assert (done.added, done.there, done.own) == (7, 0, 0)
    assert {(number, account): str(why) for number, account, why in done.near} == {
        (talks[0].id, people[0].id): "own",
        (talks[1].id, people[1].id): "organisation",
    }
    again = await assignments.give(actor=SYSTEM, event_id=event.id, pairs=pairs, at=NOW)
    assert (again.added, again.there) == (0, 7)
    assert await near_pairs(event) == []
    assert await ReviewAssignment.filter(origin="hand").count() == 7
    gone = await assignments.take(actor=SYSTEM, event_id=event.id, pairs=pairs[:4], at=NOW)
    assert gone == 3
    assert len(await pairs_of(event)) == 4


async def test_who_speaks_in_a_proposal_gives_it_to_nobody() -> None:
    event, talks, people = await make_house()
    me = Actor(kind=ActorKind.ACCOUNT, id=people[0].id, email=people[0].email)
    pairs = [(talks[0].id, people[2].id), (talks[2].id, people[2].id)]
    done = await assignments.give(actor=me, event_id=event.id, pairs=pairs, at=NOW)
    assert (done.added, done.own) == (1, 1)
    await assignments.give(actor=SYSTEM, event_id=event.id, pairs=pairs, at=NOW)
    assert await assignments.take(actor=me, event_id=event.id, pairs=pairs, at=NOW) == 1
    assert await pairs_of(event) == {pairs[0]}


async def test_only_what_is_reviewed_is_given_and_only_to_reviewers() -> None:
    event, talks, people = await make_house()
    stranger, elsewhere = await make_account(), await make_proposal(await make_event())
    for pair in (
        (talks[3].id, people[0].id),
        (elsewhere.id, people[0].id),
        (talks[0].id, stranger.id),
    ):
        with pytest.raises(NotFound):
            await assignments.give(actor=SYSTEM, event_id=event.id, pairs=[pair], at=NOW)
    with pytest.raises(NotFound):
        await assignments.take(actor=SYSTEM, event_id=event.id, pairs=[(elsewhere.id, people[0].id)], at=NOW)
    assert await pairs_of(event) == set()


async def carry_out(event: Event, needed: int, **more: Any) -> int:
    wanted = await assignments.planned(event.id, needed=needed)
    return await assignments.carry_out(
        actor=SYSTEM,
        event_id=event.id,
        needed=needed,
        digest=wanted.digest,
        form_id=more.pop("form_id", None) or uuid4(),
        at=NOW,
        **more,
    )


async def test_a_plan_gives_everybody_enough_once_and_nobody_what_is_near() -> None:
    event, talks, _ = await make_house()
    wanted = await assignments.planned(event.id, needed=3)
    assert dict(wanted.plan.lacking) == {}
    assert {number for number, _ in wanted.plan.added} == {talk.id for talk in talks[:3]}
    form = uuid4()
    how: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "needed": 3, "digest": wanted.digest}
    made = await asyncio.gather(*(assignments.carry_out(**how, form_id=form, at=NOW) for _ in range(6)))
    assert made == [9] * 6
    assert await pairs_of(event) == set(wanted.plan.added)
    assert await near_pairs(event) == []
    assert await ReviewAssignment.filter(origin=AssignedBy.MACHINE).count() == 9
    # There is nothing more to give.
    assert await carry_out(event, 3) == 0
    # The old plan under another id is not this plan any more.
    with pytest.raises(Conflict) as refused:
        await assignments.carry_out(**how, form_id=uuid4(), at=NOW)
    assert refused.value.code == ReviewCode.PLAN_CHANGED


async def test_a_plan_says_what_stays_uncovered_and_why() -> None:
    event, talks, people = await make_house()
    for account, details in (
        (people[2], ReviewerDetails(takes_at_most=1)),
        (people[3], ReviewerDetails(is_resting=True)),
    ):
        await reviewers.put(actor=SYSTEM, event_id=event.id, account_id=account.id, details=details, at=NOW)
    wanted = await assignments.planned(event.id, needed=2)
    assert all(account != people[3].id for _, account in wanted.plan.added)
    [(number, lack)] = wanted.lacks.items()
    assert number in {talks[0].id, talks[1].id}
    assert (lack.missing, lack.near, lack.full) == (1, 1, 1)
    assert wanted.loads[people[2].id] == (0, 1)
    with pytest.raises(Invalid):
        await assignments.planned(event.id, needed=0)


async def test_a_conflict_declared_meanwhile_stops_the_plan() -> None:
    event, _, people = await make_house()
    wanted = await assignments.planned(event.id, needed=3)
    number, account = next(pair for pair in wanted.plan.added if pair[1] == people[2].id)
    await conflicts_of_interest.declare(
        actor=SYSTEM, event_id=event.id, account_id=account, what=TooNear(proposal_id=number), at=NOW
    )
    with pytest.raises(Conflict):
        await assignments.carry_out(
            actor=SYSTEM, event_id=event.id, needed=3, digest=wanted.digest, form_id=uuid4(), at=NOW
        )
    assert await pairs_of(event) == set()
    await carry_out(event, 3)
    assert await near_pairs(event) == []


async def test_what_waits_in_vain_and_abstentions_are_covered_by_others() -> None:
    event, talks, people = await make_house()
    given = [(talks[2].id, people[0].id), (talks[2].id, people[1].id)]
    await assignments.give(actor=SYSTEM, event_id=event.id, pairs=given, at=NOW)
    [speaker] = (await review_queries.proposal_facts(event.id, proposal_ids=[talks[2].id]))[0].speaker_ids
    await conflicts_of_interest.declare(
        actor=SYSTEM, event_id=event.id, account_id=people[0].id, what=TooNear(speaker_id=speaker), at=NOW
    )
    async with unit_of_work():
        await Review.create(
            proposal_id=talks[2].id, account_id=people[1].id, abstains=True, created_at=NOW, updated_at=NOW
        )
    at_hand = await assignments.table(event.id)
    assert [(one.proposal_id, one.account_id) for one in at_hand.near()] == [given[0]]
    wanted = await assignments.planned(event.id, needed=2)
    assert {account for number, account in wanted.plan.added if number == talks[2].id} == {
        people[2].id,
        people[3].id,
    }


async def test_a_plan_of_one_forum_leaves_the_others_alone() -> None:
    event, talks, _ = await make_house()
    wanted = await assignments.planned(event.id, needed=1, forum_id=talks[2].forum_id)
    assert {number for number, _ in wanted.plan.added} == {talks[2].id}


async def test_giving_and_planning_cost_the_same_for_any_number() -> None:
    costs = []
    for size in (1, 3):
        event, _, people = await make_house()
        talks = [await make_proposal(event, await make_speaker(event)) for _ in range(size)]
        row = []
        for act in (
            assignments.give(
                actor=SYSTEM,
                event_id=event.id,
                pairs=[(talk.id, account.id) for talk in talks for account in people[: 1 + size]],
                at=NOW,
            ),
            carry_out(event, 3),
            assignments.take(
                actor=SYSTEM, event_id=event.id, pairs=[(talk.id, people[0].id) for talk in talks], at=NOW
            ),
            assignments.table(event.id),
        ):
            before = db.stats.statements
            await act
            row.append(db.stats.statements - before)
        costs.append(row)
    assert costs[0] == costs[1]


async def test_large_plans_are_made_beside_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the helper process; what comes back is the same plan."""
    event, _, _ = await make_house()
    here = await assignments.planned(event.id, needed=2)
    monkeypatch.setattr(assignments, "LARGE", 0)
    there = await assignments.planned(event.id, needed=2)
    assert there.plan == here.plan


# --- redacted copies ---------------------------------------------------------------------------------------------


async def test_a_redacted_copy_knows_which_version_it_was_made_of() -> None:
    event = await make_event()
    talk = await make_proposal(event)
    copy = Redaction(title=LocalizedText({"en": "A talk by somebody"}), version=1)

    async def put(redaction: Redaction) -> None:
        await redactions.put(
            actor=SYSTEM, event_id=event.id, proposal_id=talk.id, redaction=redaction, at=NOW
        )

    assert await redactions.find(talk.id) is None
    await asyncio.gather(*(put(copy) for _ in range(4)))
    found = await redactions.find(talk.id)
    assert found is not None
    assert (found.redaction, found.is_stale) == (copy, False)
    async with unit_of_work():
        await Proposal.filter(id=talk.id).update(version=3)
    found = await redactions.find(talk.id)
    assert found is not None
    assert found.is_stale
    assert [(line.proposal_id, line.is_stale) for line in await redactions.listed(event.id)] == [
        (talk.id, True)
    ]
    # A form that was opened before the change can't call it looked through.
    await put(replace(copy, version=99))
    assert (await ProposalRedaction.get(proposal_id=talk.id)).version == 3
    with pytest.raises(Invalid) as refused:
        await put(Redaction(abstract=LocalizedText({"en": "x" * 100_000})))
    assert sorted(refused.value.fields) == ["abstract.en", "title"]
    elsewhere = (await make_event()).id
    with pytest.raises(NotFound):
        await redactions.put(actor=SYSTEM, event_id=elsewhere, proposal_id=talk.id, redaction=copy, at=NOW)
    with pytest.raises(NotFound):
        await redactions.remove(actor=SYSTEM, event_id=elsewhere, proposal_id=talk.id, at=NOW)
    await redactions.remove(actor=SYSTEM, event_id=event.id, proposal_id=talk.id, at=NOW)
    with pytest.raises(NotFound):
        await redactions.remove(actor=SYSTEM, event_id=event.id, proposal_id=talk.id, at=NOW)


# --- people who go -----------------------------------------------------------------------------------------------


async def test_a_person_who_is_dropped_leaves_no_words_in_the_review() -> None:
    event, talks, people = await make_house()
    await redactions.put(
        actor=SYSTEM,
        event_id=event.id,
        proposal_id=talks[0].id,
        redaction=Redaction(title=LocalizedText({"en": "Somebody's own"})),
        at=NOW,
    )
    await conflicts_of_interest.declare(
        actor=SYSTEM,
        event_id=event.id,
        account_id=people[1].id,
        what=TooNear(organisation="Old Corp"),
        at=NOW,
    )
    held = await privacy.held(Subject(account_id=people[1].id, email=people[1].email))
    [section] = [one for one in held if one.code == "reviewing"]
    said = {fact.value for row in section.rows for fact in row}
    assert {"ACME  Ltd", "old corp"} <= said
    for account in people[:2]:
        await privacy.erase(Subject(account_id=account.id, email=account.email), SYSTEM, NOW)
    assert not await Reviewer.filter(account_id=people[1].id).exists()
    assert not await ProposalRedaction.filter(proposal_id=talks[0].id).exists()
    assert await conflicts_of_interest.of_event(event.id) == []
