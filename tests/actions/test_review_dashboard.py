"""The review at one look and many proposals at once: who is shown what, what is done, and in how many statements."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from agenda import bulk, proposals, review_dashboard, twins
from agenda.dashboard_rules import DashboardCode, Order
from agenda.models import (
    Call,
    Proposal,
    ProposalChange,
    ProposalComment,
    ProposalRedaction,
    ProposalTag,
    ProposalTwin,
    Review,
    ReviewCriterion,
    ReviewScore,
    Tag,
)
from agenda.proposal_rules import ProposalCode, ProposalState
from agenda.review_dashboard import Board, Row, Wanted
from agenda.review_rules import ReviewCode
from events.access import Door
from events.models import Event
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.errors import Invalid, NotFound
from people import jobs
from people.models import Account, Job, JournalEntry
from tests.actions.test_review_queries import (
    NOW,
    door_of,
    make_assignment,
    make_forum,
    make_phase,
    make_proposal,
    make_speaker,
    with_role,
)
from tests.factories import make_account, make_event, make_role

pytestmark = pytest.mark.usefixtures("database")
ACCEPTED, REJECTED = ProposalState.ACCEPTED, ProposalState.REJECTED


async def make_call(event: Event, **more: Any) -> None:
    async with unit_of_work():
        await Call.create(event_id=event.id, created_at=NOW, updated_at=NOW, **more)


async def make_review(proposal: Proposal, account: Account | None = None, **more: Any) -> Review:
    account = account or await make_account()
    values: dict[str, Any] = {"total": 5_000, "reason": "Because", "created_at": NOW, "updated_at": NOW}
    async with unit_of_work():
        return await Review.create(proposal_id=proposal.id, account_id=account.id, **(values | more))


async def make_tag(event: Event, code: str = "keynote") -> Tag:
    async with unit_of_work():
        return await Tag.create(event_id=event.id, code=code, name={"en": code})


async def chair_of(event: Event) -> Door:
    return await door_of(event, await with_role(event, "programme_chair"))


async def producer_of(event: Event, forum_id: int) -> Door:
    return await door_of(event, await with_role(event, "producer", "forum", forum_id))


def row_of(board: Board, proposal: Proposal) -> Row:
    row = board.of(proposal.id)
    assert row is not None
    return row


async def statements(action: Callable[[], Awaitable[Any]]) -> int:
    before = db.stats.statements
    await action()
    return db.stats.statements - before


# --- the read ----------------------------------------------------------------------------------------------------


async def test_a_chair_sees_scores_spread_tags_twins_comments_and_what_lacks_reviews() -> None:
    event = await make_event()
    await make_call(event, reviews_needed=2, total_by="median")
    forum = await make_forum(event)
    full, thin = await make_proposal(event, forum_id=forum.id), await make_proposal(event)
    await make_proposal(event, state="draft", submitted_at=None)
    for total in (1_000, 2_000, 9_000):
        await make_review(full, total=total, recommends="accepted")
    await make_review(full, total=None, abstains=True)
    tag = await make_tag(event)
    async with unit_of_work():
        await ProposalTag.create(proposal_id=full.id, tag_id=tag.id)
        await ProposalTwin.create(proposal_id=full.id, other_id=thin.id, likeness=80)
        for removed in (None, NOW):
            await ProposalComment.create(
                proposal_id=thin.id,
                account_id=(await make_account()).id,
                text="?",
                at=NOW,
                removed_at=removed,
            )
    door = await chair_of(event)
    board = await review_dashboard.read(door, NOW)
    assert (board.needed, [row.id for row in board.rows]) == (2, [full.id, thin.id])
    row = row_of(board, full)
    score = row.standing.score
    assert score is not None
    assert (score.total, score.counted, score.reviews, row.standing.counted, row.abstentions) == (
        2_000,
        3,
        4,
        3,
        1,
    )
    assert score.spread == 3_559
    assert (row.recommended, row.by_producers) == ({"accepted": 3}, [])
    assert (set(row.tag_ids), list(row.twins), row.comments) == ({tag.id}, [(thin.id, 80)], 0)
    assert row_of(board, thin).comments == 1
    lacking = await review_dashboard.pick(door, board, Wanted(lacks=True), "en")
    assert [one.id for one in lacking] == [thin.id]
    covered = review_dashboard.coverage(board)
    assert (covered.whole.reviews, covered.whole.needed) == (2, 4)
    assert (covered.forums[forum.id].reviews, covered.forums[None].reviews) == (2, 0)
    assert covered.types[None].proposals == 2


async def test_a_chair_who_speaks_sees_nothing_of_the_own_talk() -> None:
    event = await make_event()
    account = await with_role(event, "programme_chair")
    speaker = await make_speaker(event, account)
    own, other = await make_proposal(event, speaker, pending_state="accepted"), await make_proposal(event)
    await make_review(own)
    async with unit_of_work():
        await ProposalTwin.create(proposal_id=own.id, other_id=other.id, likeness=80)
    door = await door_of(event, account)
    board = await review_dashboard.read(door, NOW)
    assert [row.id for row in board.rows] == [other.id]
    # Nor what is like it: that would say that it is there and how it is looked at.
    assert board.rows[0].twins == ()
    assert (await review_dashboard.reviews_shown(door, [own.id, other.id], NOW)).rows == []
    for action in (
        bulk.decide(door=door, proposal_ids=[own.id], state=REJECTED, at=NOW),
        bulk.take_over(door=door, proposal_ids=[own.id], at=NOW),
    ):
        report = await action
        assert (report.done, report.wrong[own.id].code) == (0, ProposalCode.UNKNOWN)
    assert (await Proposal.get(id=own.id)).pending_state == "accepted"


async def test_a_producer_sees_the_own_forum_and_scores_when_the_phase_shows_them() -> None:
    event = await make_event()
    forum, elsewhere = await make_forum(event), await make_forum(event)
    own = await make_proposal(event, forum_id=forum.id, pending_state="rejected")
    await make_proposal(event, forum_id=elsewhere.id)
    await make_review(own)
    door = await producer_of(event, forum.id)
    board = await review_dashboard.read(door, NOW)
    assert [row.id for row in board.rows] == [own.id]
    row = board.rows[0]
    assert (row.standing.score, row.standing.counted, row.recommended) == (None, 1, {})
    assert (row.standing.pending, row.may_propose, row.may_decide) == ("rejected", True, False)
    await make_phase(event, others="always")
    row = (await review_dashboard.read(door, NOW)).rows[0]
    assert row.standing.score is not None


async def test_a_reviewer_reads_the_redacted_title_and_searches_in_it_alone() -> None:
    event = await make_event()
    account = await with_role(event, "reviewer")
    speaker = await make_speaker(event)
    given = await make_proposal(
        event,
        speaker,
        title={"en": "Zhang San on builds"},
        search="zhang san on builds",
        pending_state="accepted",
    )
    await make_proposal(event)
    await make_assignment(given, account)
    async with unit_of_work():
        await ProposalRedaction.create(
            proposal_id=given.id,
            title={"en": "Somebody on builds"},
            version=1,
            actor_key="system:0",
            updated_at=NOW,
        )
    await make_phase(event)
    door = await door_of(event, account)
    board = await review_dashboard.read(door, NOW)
    [row] = board.rows
    assert (row.title["en"], row.standing.pending, row.names) == ("Somebody on builds", "", False)

    async def found(text: str) -> list[int]:
        return [one.id for one in await review_dashboard.pick(door, board, Wanted(text=text), "en")]

    assert await found("zhang") == []
    assert await found("somebody builds") == [given.id]
    chair = await chair_of(event)
    whole = await review_dashboard.read(chair, NOW)
    assert [one.id for one in await review_dashboard.pick(chair, whole, Wanted(text="zhang"), "en")] == [
        given.id
    ]


async def test_filters_and_orders() -> None:
    event = await make_event()
    forum = await make_forum(event)
    tag = await make_tag(event)
    one = await make_proposal(event, forum_id=forum.id, title={"en": "b"}, pending_state="accepted")
    two = await make_proposal(event, title={"en": "a"}, state="accepted")
    three = await make_proposal(event, title={"en": "c"})
    await make_review(one, total=3_000)
    for total in (5_000, 9_000):
        await make_review(three, total=total)
    async with unit_of_work():
        await ProposalTag.create(proposal_id=two.id, tag_id=tag.id)
        await ProposalTwin.create(proposal_id=one.id, other_id=three.id, likeness=70)
        await ProposalTwin.create(proposal_id=one.id, other_id=two.id, likeness=90, is_dismissed=True)
    door = await chair_of(event)
    board = await review_dashboard.read(door, NOW)

    async def found(**wanted: Any) -> list[int]:
        return [row.id for row in await review_dashboard.pick(door, board, Wanted(**wanted), "en")]

    assert await found() == [three.id, one.id, two.id]
    assert await found(order=Order.SPREAD) == [three.id, one.id, two.id]
    assert await found(order=Order.TITLE) == [two.id, one.id, three.id]
    assert await found(order=Order.FEWEST) == [one.id, three.id, two.id]
    assert await found(forum_id=forum.id) == [one.id]
    assert await found(session_type_id=1) == []
    assert await found(state=ACCEPTED) == [two.id]
    assert await found(pending="accepted") == await found(pending="any") == [one.id]
    assert await found(pending="none", order=Order.TITLE) == [two.id, three.id]
    assert await found(tag_id=tag.id) == [two.id]
    assert await found(twins=True) == [three.id, one.id]
    assert await found(proposed=True) == []


async def test_the_number_of_statements_does_not_grow_with_the_rows() -> None:
    event = await make_event()
    await make_call(event)
    forum = await make_forum(event)
    tag = await make_tag(event)
    door = await chair_of(event)

    async def add() -> None:
        speaker = await make_speaker(event, organisation="x")
        made = [await make_proposal(event, speaker, forum_id=forum.id) for _ in range(2)]
        for proposal in made:
            review = await make_review(proposal)
            criterion = await ReviewCriterion.first()
            async with unit_of_work():
                await ProposalTag.create(proposal_id=proposal.id, tag_id=tag.id)
                if criterion:
                    await ReviewScore.create(review_id=review.id, criterion_id=criterion.id, value=3)
        async with unit_of_work():
            await ProposalTwin.create(proposal_id=made[0].id, other_id=made[1].id, likeness=70)

    async def look() -> None:
        board = await review_dashboard.read(door, NOW)
        await review_dashboard.pick(door, board, Wanted(text="talk"), "en")
        ids = [row.id for row in board.rows]
        await review_dashboard.speaker_names(ids)
        await review_dashboard.reviews_shown(door, ids, NOW)

    async with unit_of_work():
        await ReviewCriterion.create(event_id=event.id, code="depth", name={"en": "Depth"})
    await add()
    one = await statements(look)
    await add()
    await add()
    assert await statements(look) == one
    assert await statements(lambda: review_dashboard.read(door, NOW)) <= 30


async def test_reviews_name_their_writers_where_the_phase_does_and_ones_own_is_always_there() -> None:
    event = await make_event()
    me, other = await with_role(event, "reviewer"), await make_account(name="Lin")
    proposal = await make_proposal(event)
    await make_assignment(proposal, me)
    async with unit_of_work():
        criterion = await ReviewCriterion.create(event_id=event.id, code="depth", name={"en": "Depth"})
    theirs = await make_review(proposal, other, total=2_500)
    async with unit_of_work():
        await ReviewScore.create(review_id=theirs.id, criterion_id=criterion.id, value=2)
    phase = await make_phase(event, others="after_own", reviewers_shown=False)
    door = await door_of(event, me)
    assert (await review_dashboard.reviews_shown(door, [proposal.id], NOW)).rows == []
    await make_review(proposal, me, total=7_500)
    shown = await review_dashboard.reviews_shown(door, [proposal.id], NOW)
    assert [(one.reviewer, one.is_own, one.total, one.points) for one in shown.rows] == [
        ("", False, 2_500, {criterion.id: 2}),
        (me.email, True, 7_500, {}),
    ]
    assert [one.code for one in shown.criteria] == ["depth"]
    async with unit_of_work():
        phase.others = "never"
        await phase.save()
    shown = await review_dashboard.reviews_shown(door, [proposal.id], NOW)
    assert [one.is_own for one in shown.rows] == [True]
    chair = await chair_of(event)
    assert [
        one.reviewer for one in (await review_dashboard.reviews_shown(chair, [proposal.id], NOW)).rows
    ] == [
        "Lin",
        me.email,
    ]


# --- decisions ---------------------------------------------------------------------------------------------------


async def test_decisions_are_prepared_for_many_and_the_rest_says_why() -> None:
    event, other_event = await make_event(), await make_event()
    fresh = await make_proposal(event)
    waiting = await make_proposal(event, state="waitlisted")
    over = await make_proposal(event, state="withdrawn")
    draft = await make_proposal(event, state="draft")
    foreign = await make_proposal(other_event)
    door = await chair_of(event)
    chosen = [fresh.id, waiting.id, over.id, draft.id, foreign.id, fresh.id]
    for _ in range(2):
        report = await bulk.decide(door=door, proposal_ids=chosen, state=ACCEPTED, at=NOW)
        assert report.done == 2
        assert {number: problem.code for number, problem in report.wrong.items()} == {
            over.id: ProposalCode.MOVE_NOT_FROM_HERE,
            draft.id: ProposalCode.UNKNOWN,
            foreign.id: ProposalCode.UNKNOWN,
        }
    rows = {row.id: row for row in await Proposal.all()}
    assert [rows[one.id].pending_state for one in (fresh, waiting, over, draft, foreign)] == [
        "accepted", "accepted", "", "", "",
    ]  # fmt: skip
    assert (rows[fresh.id].state, rows[fresh.id].pending_by) == ("submitted", door.actor.key)
    # Pressed again nothing happened: one line each, and the journal does not say what was decided.
    assert await ProposalChange.filter(verb="pend").count() == 2
    lines = await JournalEntry.filter(verb="proposal.pend")
    assert [(line.old, line.new) for line in lines] == [({}, {}), ({}, {})]
    report = await bulk.decide(door=door, proposal_ids=[fresh.id, over.id], state=None, at=NOW)
    assert (report.done, report.wrong) == (2, {})
    assert (await Proposal.get(id=fresh.id)).pending_at is None
    with pytest.raises(Invalid) as nothing:
        await bulk.decide(door=door, proposal_ids=[], state=None, at=NOW)
    assert nothing.value.fields["chosen"].code == DashboardCode.NOTHING_CHOSEN


async def make_many(event: Event, number: int) -> Sequence[int]:
    return [(await make_proposal(event)).id for _ in range(number)]


async def test_two_hundred_take_as_many_statements_as_fifty() -> None:
    event = await make_event()
    await make_call(event)
    tag = await make_tag(event)
    chair, account = await chair_of(event), await with_role(event, "producer")
    producer = await door_of(event, account)
    many = await make_many(event, 250)
    few, more = many[:50], many[50:]
    actions: list[Callable[[Sequence[int]], Awaitable[Any]]] = [
        lambda ids: bulk.propose(door=producer, proposal_ids=ids, state=REJECTED, reason="Too short", at=NOW),
        lambda ids: bulk.take_over(door=chair, proposal_ids=ids, at=NOW),
        lambda ids: bulk.decide(door=chair, proposal_ids=ids, state=ACCEPTED, at=NOW),
        lambda ids: bulk.tag(door=chair, proposal_ids=ids, tag_id=tag.id, is_on=True, at=NOW),
        lambda ids: bulk.tag(door=chair, proposal_ids=ids, tag_id=tag.id, is_on=False, at=NOW),
    ]
    for action in actions:
        fifty, two_hundred = [await statements(lambda ids=ids: action(ids)) for ids in (few, more)]  # type: ignore[misc] # noqa: B023
        assert fifty == two_hundred <= 60
    assert await Proposal.filter(pending_state="accepted").count() == 250
    assert await ProposalChange.filter(verb="tag").count() == 500


async def test_thirty_two_at_once_prepare_each_decision_once() -> None:
    event = await make_event()
    door = await chair_of(event)
    ids = await make_many(event, 5)

    async def press() -> None:
        await db.retrying(lambda: bulk.decide(door=door, proposal_ids=ids, state=ACCEPTED, at=NOW))

    await asyncio.gather(*(press() for _ in range(32)))
    assert await Proposal.filter(pending_state="accepted").count() == 5
    assert await ProposalChange.filter(verb="pend").count() == 5


async def test_reviewers_decide_only_where_the_phase_lets_them() -> None:
    event = await make_event()
    account = await with_role(event, "reviewer")
    proposal = await make_proposal(event)
    await make_assignment(proposal, account)
    phase = await make_phase(event)
    door = await door_of(event, account)
    report = await bulk.decide(door=door, proposal_ids=[proposal.id], state=ACCEPTED, at=NOW)
    assert report.wrong[proposal.id].code == DashboardCode.NOT_DECIDED_BY_YOU
    async with unit_of_work():
        phase.may_decide = True
        await phase.save()
    report = await bulk.decide(door=door, proposal_ids=[proposal.id], state=ACCEPTED, at=NOW)
    assert (report.done, (await Proposal.get()).pending_state) == (1, "accepted")


async def test_what_moved_meanwhile_keeps_no_pending_decision() -> None:
    event = await make_event()
    [number] = await make_many(event, 1)
    wrong = await proposals.pend(
        actor=SYSTEM, event_id=event.id, proposal_ids=[number, number + 1], state=ACCEPTED, at=NOW
    )
    assert {one: problem.code for one, problem in wrong.items()} == {number + 1: ProposalCode.UNKNOWN}


# --- tags --------------------------------------------------------------------------------------------------------


async def test_tags_are_put_on_and_taken_off_once() -> None:
    event, other_event = await make_event(), await make_event()
    tag, foreign = await make_tag(event), await make_tag(other_event)
    ids = await make_many(event, 2)
    door = await chair_of(event)
    for _ in range(2):
        report = await bulk.tag(door=door, proposal_ids=ids, tag_id=tag.id, is_on=True, at=NOW)
        assert (report.done, await ProposalTag.all().count()) == (2, 2)
    await bulk.tag(door=door, proposal_ids=ids[:1], tag_id=tag.id, is_on=False, at=NOW)
    assert [row.proposal_id for row in await ProposalTag.all()] == ids[1:]
    changes = [
        (one.proposal_id, one.old, one.new) for one in await ProposalChange.filter(verb="tag").order_by("id")
    ]
    assert sorted(changes[:2]) == [(number, None, "keynote") for number in ids]
    assert changes[2:] == [(ids[0], "keynote", None)]
    for wrong in (foreign.id, None):
        with pytest.raises(Invalid):
            await bulk.tag(door=door, proposal_ids=ids, tag_id=wrong, is_on=True, at=NOW)
    account = await with_role(event, "reviewer")
    for number in ids:
        await make_assignment(await Proposal.get(id=number), account)
    await make_phase(event)
    report = await bulk.tag(
        door=await door_of(event, account), proposal_ids=ids, tag_id=tag.id, is_on=True, at=NOW
    )
    assert {problem.code for problem in report.wrong.values()} == {DashboardCode.NOT_TAGGED_BY_YOU}


# --- what producers propose --------------------------------------------------------------------------------------


async def test_producers_propose_for_their_own_forum_and_the_chair_takes_over_what_they_agree_on() -> None:
    event = await make_event()
    forum, elsewhere = await make_forum(event), await make_forum(event)
    agreed, torn, silent = [await make_proposal(event, forum_id=forum.id) for _ in range(3)]
    foreign = await make_proposal(event, forum_id=elsewhere.id)
    over = await make_proposal(event, forum_id=forum.id, state="cancelled")
    one, two = await producer_of(event, forum.id), await producer_of(event, forum.id)
    with pytest.raises(Invalid) as lacking:
        await bulk.propose(door=one, proposal_ids=[agreed.id], state=ACCEPTED, reason=" ", at=NOW)
    assert lacking.value.fields["reason"].code == ReviewCode.REASON_NEEDED
    with pytest.raises(Invalid):
        await bulk.propose(door=one, proposal_ids=[agreed.id], state=ACCEPTED, reason="x" * 5_000, at=NOW)
    report = await bulk.propose(
        door=one,
        proposal_ids=[agreed.id, torn.id, foreign.id, over.id],
        state=ACCEPTED,
        reason="Fits the forum",
        at=NOW,
    )
    assert {number: problem.code for number, problem in report.wrong.items()} == {
        foreign.id: ProposalCode.UNKNOWN,
        over.id: ProposalCode.MOVE_NOT_FROM_HERE,
    }
    await bulk.propose(door=two, proposal_ids=[torn.id], state=REJECTED, reason="Seen before", at=NOW)
    rows = await Review.filter(proposal_id=agreed.id)
    assert [(row.abstains, row.total, row.reason, row.recommends) for row in rows] == [
        (True, None, "Fits the forum", "accepted")
    ]
    chair = await chair_of(event)
    board = await review_dashboard.read(chair, NOW)
    assert row_of(board, agreed).by_producers == ["accepted"]
    assert sorted(row_of(board, torn).by_producers) == ["accepted", "rejected"]
    found = await review_dashboard.pick(chair, board, Wanted(proposed=True), "en")
    assert {row.id for row in found} == {agreed.id, torn.id}
    report = await bulk.take_over(door=chair, proposal_ids=[agreed.id, torn.id, silent.id], at=NOW)
    assert report.done == 1
    assert {number: problem.code for number, problem in report.wrong.items()} == {
        torn.id: DashboardCode.PROPOSALS_DIFFER,
        silent.id: DashboardCode.NOTHING_PROPOSED,
    }
    assert (await Proposal.get(id=agreed.id)).pending_state == "accepted"
    # A producer takes over nothing: that is the chair's.
    report = await bulk.take_over(door=one, proposal_ids=[agreed.id], at=NOW)
    assert report.wrong[agreed.id].code == DashboardCode.NOT_DECIDED_BY_YOU


async def test_a_proposal_of_a_decision_stands_in_the_review_that_there_is_and_is_taken_back() -> None:
    event = await make_event()
    forum = await make_forum(event)
    proposal = await make_proposal(event, forum_id=forum.id)
    account = await with_role(event, "producer", "forum", forum.id)
    await make_review(proposal, account, total=8_000, reason="Good")
    door = await door_of(event, account)
    # No reason is asked for: the review says why.
    await bulk.propose(door=door, proposal_ids=[proposal.id], state=ACCEPTED, reason="", at=NOW)
    row = await Review.get()
    assert (row.total, row.abstains, row.reason, row.recommends) == (8_000, False, "Good", "accepted")
    assert row_of(await review_dashboard.read(door, NOW), proposal).own == "accepted"
    for _ in range(2):
        report = await bulk.propose(door=door, proposal_ids=[proposal.id], state=None, reason="", at=NOW)
        assert report.done == 1
    assert (await Review.get()).recommends == ""
    assert await JournalEntry.filter(verb="proposal.propose").count() == 2


async def test_a_mere_reviewer_proposes_in_the_review_and_not_here() -> None:
    event = await make_event()
    account = await with_role(event, "reviewer")
    proposal = await make_proposal(event)
    await make_assignment(proposal, account)
    await make_phase(event)
    report = await bulk.propose(
        door=await door_of(event, account), proposal_ids=[proposal.id], state=ACCEPTED, reason="x", at=NOW
    )
    assert report.wrong[proposal.id].code == DashboardCode.NOT_PROPOSED_BY_YOU
    assert await Review.all().count() == 0


# --- near-duplicates ---------------------------------------------------------------------------------------------

ABSTRACT = "How a foundation with forty communities learned to run one release train for all of them"


async def test_a_job_finds_twins_once_per_change_and_forgets_those_that_are_none_any_more() -> None:
    twins.connect()
    event, other_event = await make_event(), await make_event()
    words = {"title": {"en": "One train"}, "abstract": {"en": ABSTRACT}, "search": ABSTRACT}
    one, two = [await make_proposal(event, **words) for _ in range(2)]
    await make_proposal(event, **words, state="withdrawn")
    await make_proposal(event, **words, state="draft")
    await make_proposal(other_event, **words)
    for _ in range(2):
        await twins.queue(NOW)
    assert await Job.filter(kind=twins.KIND).count() == 2
    while await jobs.run_one(NOW + timedelta(minutes=1)):
        pass
    assert {row.state for row in await Job.filter(kind=twins.KIND)} == {"done"}
    [pair] = await ProposalTwin.all()
    assert (pair.proposal_id, pair.other_id, pair.likeness, pair.is_dismissed) == (one.id, two.id, 100, False)
    await twins.dismiss(actor=SYSTEM, event_id=event.id, one=two.id, other=one.id, is_dismissed=True, at=NOW)
    await twins.find(event.id)
    assert (await ProposalTwin.get()).is_dismissed
    [twin] = await twins.of_proposal(two.id)
    assert (twin.id, twin.code, twin.likeness, twin.is_dismissed) == (one.id, one.code, 100, True)
    async with unit_of_work():
        await Proposal.filter(id=two.id).update(
            title={"en": "Kernels"}, abstract={"en": "Their schedulers"}, search="kernels", version=2
        )
    await twins.queue(NOW)
    assert await Job.filter(kind=twins.KIND).count() == 3
    while await jobs.run_one(NOW + timedelta(minutes=1)):
        pass
    assert await ProposalTwin.all().count() == 0


async def test_putting_aside_is_said_once_and_only_of_pairs_of_this_event() -> None:
    event, other_event = await make_event(), await make_event()
    one, two = await make_many(event, 2)
    async with unit_of_work():
        await ProposalTwin.create(proposal_id=one, other_id=two, likeness=80)
    for is_dismissed in (True, True, False):
        await twins.dismiss(
            actor=SYSTEM, event_id=event.id, one=one, other=two, is_dismissed=is_dismissed, at=NOW
        )
    assert await JournalEntry.filter(verb="proposal.twin").count() == 2
    for number, pair in ((other_event.id, (one, two)), (event.id, (one, one))):
        with pytest.raises(NotFound):
            await twins.dismiss(
                actor=SYSTEM, event_id=number, one=pair[0], other=pair[1], is_dismissed=True, at=NOW
            )


async def test_finding_twins_takes_as_many_statements_for_three_as_for_one() -> None:
    event = await make_event()

    async def add() -> None:
        await make_proposal(event, title={"en": ABSTRACT})

    await add()
    await make_role(event, await make_account(), "owner")
    one = await statements(lambda: twins.find(event.id))
    await add()
    await add()
    assert await statements(lambda: twins.find(event.id)) == one
    assert await ProposalTwin.all().count() == 3
