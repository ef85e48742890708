"""Points, totals, what each one sees, nearness, and who reviews what: cases and properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations
from statistics import fmean, median, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenda.proposal_rules import ProposalState
from agenda.review_rules import (
    DEFAULT_CRITERIA,
    NOTHING,
    REASON_LIMIT,
    WHOLE,
    Criterion,
    Lack,
    Nearness,
    Others,
    Phase,
    Plan,
    ProposalFacts,
    Reach,
    ReviewCode,
    ReviewerFacts,
    Score,
    Sees,
    Total,
    Viewer,
    assign,
    due_phase,
    is_allowed,
    lacks,
    nearness,
    next_phase,
    organisation_keys,
    read_points,
    review_total,
    score,
    sees,
    sees_comments,
    sees_in,
)
from kernel.errors import Code
from kernel.text import LocalizedText

NOW = datetime(2026, 9, 1, tzinfo=UTC)
DAY = timedelta(days=1)

criteria = st.lists(
    st.builds(
        lambda weight, low, span, active: (weight, low, low + span, active),
        st.integers(0, 5),
        st.integers(0, 3),
        st.integers(1, 9),
        st.booleans(),
    ),
    max_size=5,
).map(
    lambda rows: [
        Criterion(id=number, code=f"c{number}", weight=weight, low=low, high=high, is_active=active)
        for number, (weight, low, high, active) in enumerate(rows)
    ]
)
points = st.dictionaries(st.integers(0, 6), st.integers(0, 14), max_size=7)
totals = st.lists(st.none() | st.integers(0, WHOLE), max_size=12)


# --- points ------------------------------------------------------------------------------------------------------


@given(criteria, points)
def test_a_total_lies_in_its_range_and_is_the_weighted_mean(
    every: list[Criterion], given_: dict[int, int]
) -> None:
    found = review_total(every, given_)
    counted = [one for one in every if one.is_active and one.weight and one.id in given_]
    if not counted:
        assert found is None
        return
    parts = [
        one.weight * (min(max(given_[one.id], one.low), one.high) - one.low) / (one.high - one.low)
        for one in counted
    ]
    assert found is not None
    assert 0 <= found <= WHOLE
    assert abs(found - WHOLE * sum(parts) / sum(one.weight for one in counted)) <= 0.5 + 1e-6


@given(criteria, points, st.integers(2, 7))
def test_weights_count_by_their_proportion(
    every: list[Criterion], given_: dict[int, int], times: int
) -> None:
    heavier = [
        Criterion(
            id=one.id,
            code=one.code,
            weight=one.weight * times,
            low=one.low,
            high=one.high,
            is_active=one.is_active,
        )
        for one in every
    ]
    assert review_total(every, given_) == review_total(heavier, given_)


@given(criteria, points, st.integers(0, 6))
def test_a_point_more_never_makes_less(every: list[Criterion], given_: dict[int, int], which: int) -> None:
    before = review_total(every, given_)
    if which in given_ and before is not None:
        after = review_total(every, given_ | {which: given_[which] + 1})
        assert after is not None
        assert after >= before


@given(totals)
def test_a_score(every: list[int | None]) -> None:
    counted = [one for one in every if one is not None]
    for by in Total:
        found = score(every, by)
        assert (found.reviews, found.counted) == (len(every), len(counted))
        if not counted:
            assert (found.total, found.spread) == (None, 0)
            continue
        expected = fmean(counted) if by is Total.MEAN else median(counted)
        assert found.total is not None
        assert abs(found.total - expected) <= 0.5 + 1e-6
        assert min(counted) <= found.total <= max(counted)
        assert abs(found.spread - pstdev(counted)) < 1 + 1e-6


@given(totals, st.randoms())
def test_a_score_knows_no_order(every: list[int | None], chance: object) -> None:
    mixed = list(every)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert score(mixed, Total.MEDIAN) == score(every, Total.MEDIAN)
    assert score(mixed, Total.MEAN) == score(every, Total.MEAN)


def test_halves_are_rounded_up() -> None:
    assert score([1, 2], Total.MEAN) == Score(2, 2, 2, 0)
    assert score([0, None, 10_000], Total.MEDIAN) == Score(3, 2, 5000, 5000)


def test_reading_points() -> None:
    every = [
        Criterion(id=1, code="relevance"),
        Criterion(id=2, code="depth", is_required=False),
        Criterion(id=3, code="old", is_active=False),
    ]
    assert read_points(every, {1: "5", 3: "2"}, abstains=False, reason="Good") == ({1: 5}, {})
    given_, problems = read_points(every, {1: "6", 2: "x"}, abstains=False, reason=" ")
    assert given_ == {}
    assert {name: one.code for name, one in problems.items()} == {
        "score.1": Code.OUT_OF_RANGE,
        "score.2": Code.NOT_A_NUMBER,
        "reason": ReviewCode.REASON_NEEDED,
    }
    _, problems = read_points(every, {}, abstains=False, reason="x" * (REASON_LIMIT + 1))
    assert {name: one.code for name, one in problems.items()} == {
        "score.1": Code.REQUIRED,
        "reason": Code.TOO_LONG,
    }
    assert read_points(every, {1: "5"}, abstains=True, reason="My own team") == ({}, {})


def test_default_criteria_are_those_of_the_guide() -> None:
    assert len({code for code, _, _ in DEFAULT_CRITERIA}) == 7


# --- who sees what -----------------------------------------------------------------------------------------------

phases = st.builds(
    Phase,
    id=st.just(1),
    is_active=st.just(True),
    may_review=st.booleans(),
    reach=st.sampled_from(Reach),
    names_shown=st.booleans(),
    reviewers_shown=st.booleans(),
    others=st.sampled_from(Others),
    may_decide=st.booleans(),
    may_tag=st.booleans(),
)
viewers = st.builds(
    Viewer,
    is_chair=st.booleans(),
    is_producer=st.booleans(),
    is_reviewer=st.booleans(),
    is_assigned=st.booleans(),
    is_speaker=st.booleans(),
    has_reviewed=st.booleans(),
    near=st.none() | st.sampled_from(Nearness),
    never_sees_names=st.booleans(),
)


@given(viewers, st.none() | phases)
def test_what_must_never_be_seen(viewer: Viewer, phase: Phase | None) -> None:
    found = sees(viewer, phase)
    if viewer.is_speaker:
        assert found == NOTHING
    if viewer.near is not None:
        assert not found.may_review
        assert viewer.is_chair or not found.reviews
    if not (viewer.is_chair or viewer.is_producer or viewer.is_reviewer):
        assert found == NOTHING
    if not (viewer.is_chair or viewer.is_producer):
        assert phase is not None or found == NOTHING
        assert not found.names or (phase is not None and phase.names_shown and not viewer.never_sees_names)
        if phase is not None and phase.others is Others.NEVER:
            assert not found.reviews
        if not viewer.has_reviewed and phase is not None and phase.others is Others.AFTER_OWN:
            assert not found.reviews
    # Nothing of a proposal without the proposal, and no reviewers without reviews.
    assert found.proposal or found == NOTHING
    assert found.reviews or not found.reviewers


def test_what_is_seen() -> None:
    phase = Phase(id=1, is_active=True)
    assigned = Viewer(is_reviewer=True, is_assigned=True)
    assert sees(assigned, phase) == Sees(proposal=True, may_review=True)
    done = Viewer(is_reviewer=True, is_assigned=True, has_reviewed=True)
    assert sees(done, phase) == Sees(proposal=True, reviews=True, reviewers=True, may_review=True)
    assert sees(Viewer(is_reviewer=True), phase) == NOTHING
    everything = Phase(
        id=1, is_active=True, reach=Reach.ALL, others=Others.ALWAYS, names_shown=True, may_decide=True
    )
    assert sees(Viewer(is_reviewer=True), everything) == Sees(
        proposal=True, names=True, reviews=True, reviewers=True, may_review=True, may_decide=True
    )
    assert sees(Viewer(is_chair=True), None) == Sees(
        proposal=True, names=True, reviews=True, reviewers=True, may_decide=True, may_tag=True
    )
    assert sees(Viewer(is_chair=True), phase).may_review
    assert sees(Viewer(is_producer=True), None) == Sees(proposal=True, names=True)
    assert sees(Viewer(is_producer=True, near=Nearness.ORGANISATION), everything) == Sees(
        proposal=True, names=True
    )


def test_phases_by_their_dates() -> None:
    first = Phase(id=1, position=1, starts_at=NOW - DAY, ends_at=NOW, is_active=True)
    second = Phase(id=2, position=2, starts_at=NOW)
    by_hand = Phase(id=3, position=3, is_active=True)
    assert first.is_on(NOW - DAY)
    assert not first.is_on(NOW)
    assert not first.is_on(NOW - 2 * DAY)
    assert by_hand.is_on(NOW)
    assert not second.is_on(NOW)
    every = [by_hand, second, first]
    assert due_phase(every, NOW - 2 * DAY) is None
    assert due_phase(every, NOW - DAY) is first
    assert due_phase(every, NOW) is second


# --- too near ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reviewer", "expected"),
    [
        (ReviewerFacts(account_id=9), None),
        (ReviewerFacts(account_id=1), Nearness.OWN),
        (ReviewerFacts(account_id=9, co_speakers=frozenset({2})), Nearness.CO_SPEAKER),
        (
            ReviewerFacts(account_id=9, organisations=organisation_keys("开源社 ")),
            Nearness.ORGANISATION,
        ),
        (ReviewerFacts(account_id=9, declared_proposals=frozenset({50})), Nearness.DECLARED),
        (ReviewerFacts(account_id=9, declared_speakers=frozenset({70})), Nearness.DECLARED),
        (
            ReviewerFacts(account_id=9, declared_organisations=organisation_keys("kaiyuanshe")),
            Nearness.DECLARED,
        ),
    ],
)
def test_nearness(reviewer: ReviewerFacts, expected: Nearness | None) -> None:
    proposal = ProposalFacts(
        id=50,
        account_ids=frozenset({1, 2}),
        speaker_ids=frozenset({70}),
        organisations=organisation_keys(LocalizedText({"zh-Hans": "开源社", "en": "KAIYUANSHE"}), ""),
    )
    assert nearness(reviewer, proposal) is expected


# --- who reviews what --------------------------------------------------------------------------------------------


@st.composite
def houses(draw: st.DrawFn) -> tuple[list[ProposalFacts], list[ReviewerFacts], int, set[tuple[int, int]]]:
    proposals = [
        ProposalFacts(
            id=number,
            forum_id=draw(st.sampled_from([None, 1, 2])),
            account_ids=frozenset({draw(st.integers(100, 106))}),
        )
        for number in range(draw(st.integers(0, 7)))
    ]
    reviewers = [
        ReviewerFacts(
            account_id=100 + number,
            declared_proposals=draw(st.frozensets(st.integers(0, 6), max_size=4)),
            forum_ids=draw(st.sampled_from([frozenset(), frozenset({1}), frozenset({1, 2})])),
            takes_at_most=draw(st.none() | st.integers(0, 4)),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    there = draw(st.sets(st.tuples(st.integers(0, 8), st.integers(99, 106)), max_size=4))
    return proposals, reviewers, draw(st.integers(1, 3)), there


def able(reviewer: ReviewerFacts, proposal: ProposalFacts) -> bool:
    in_forum = not reviewer.forum_ids or proposal.forum_id in reviewer.forum_ids
    return in_forum and nearness(reviewer, proposal) is None


def most_possible(
    proposals: list[ProposalFacts], reviewers: list[ReviewerFacts], needed: int, there: set[tuple[int, int]]
) -> int:
    """The greatest number of new assignments that any plan could make, by augmenting paths, written another way."""
    by_id = {one.account_id: one for one in reviewers}
    seats: list[int] = []
    for proposal in proposals:
        seats += [proposal.id] * max(0, needed - sum(number == proposal.id for number, _ in there))
    facts = {one.id: one for one in proposals}
    room = {
        number: (10**6 if one.takes_at_most is None else one.takes_at_most)
        - sum(account == number for _, account in there)
        for number, one in by_id.items()
    }
    given_: dict[int, int] = {}

    def place(seat: int, seen: set[int]) -> bool:
        for account, one in by_id.items():
            if account in seen or not able(one, facts[seats[seat]]) or (seats[seat], account) in there:
                continue
            if any(seats[other] == seats[seat] and who == account for other, who in given_.items()):
                continue
            seen.add(account)
            held = [other for other, who in given_.items() if who == account]
            if len(held) < room[account]:
                given_[seat] = account
                return True
            for other in held:
                del given_[other]
                if place(other, seen):
                    given_[seat] = account
                    return True
                given_[other] = account
        return False

    return sum(place(seat, set()) for seat in range(len(seats)))


@settings(max_examples=300)
@given(houses())
def test_a_plan_keeps_every_rule(
    house: tuple[list[ProposalFacts], list[ReviewerFacts], int, set[tuple[int, int]]],
) -> None:
    proposals, reviewers, needed, there = house
    plan = assign(proposals, reviewers, needed=needed, there=there)
    facts = {one.id: one for one in proposals}
    people = {one.account_id: one for one in reviewers}
    assert len(set(plan.added)) == len(plan.added)
    assert not set(plan.added) & there
    for number, account in plan.added:
        assert able(people[account], facts[number])
    after = set(plan.added) | there
    for account, one in people.items():
        load = sum(who == account for _, who in after)
        before = sum(who == account for _, who in there)
        assert one.takes_at_most is None or load <= max(one.takes_at_most, before)
    for proposal in proposals:
        has = sum(number == proposal.id for number, _ in after)
        had = sum(number == proposal.id for number, _ in there)
        assert has <= max(needed, had)
        assert plan.lacking.get(proposal.id, 0) == max(0, needed - has)
    # The reference places seat by seat and may itself miss a chain, so the plan is never worse than it.
    assert len(plan.added) >= most_possible(proposals, reviewers, needed, there)
    assert assign(proposals, reviewers, needed=needed, there=there) == plan


@settings(max_examples=200)
@given(houses())
def test_no_single_hand_over_makes_loads_more_even(
    house: tuple[list[ProposalFacts], list[ReviewerFacts], int, set[tuple[int, int]]],
) -> None:
    proposals, reviewers, needed, there = house
    added = set(assign(proposals, reviewers, needed=needed, there=there).added)
    facts = {one.id: one for one in proposals}
    load = {one.account_id: sum(who == one.account_id for _, who in added | there) for one in reviewers}
    for number, giver in added:
        for taker in reviewers:
            free = taker.takes_at_most is None or load[taker.account_id] < taker.takes_at_most
            if (number, taker.account_id) in added | there or not free or not able(taker, facts[number]):
                continue
            assert load[giver] - load[taker.account_id] < 2


def test_three_for_each_and_even_loads_without_conflicts() -> None:
    proposals = [ProposalFacts(id=number) for number in range(40)]
    reviewers = [ReviewerFacts(account_id=number) for number in range(8)]
    plan = assign(proposals, reviewers, needed=3)
    loads = [sum(who == number for _, who in plan.added) for number in range(8)]
    assert loads == [15] * 8
    assert plan.lacking == {}


def test_loads_are_evened_out_afterwards() -> None:
    """2 has reviewed the first already and took the second; its other seat goes where fewest are."""
    proposals = [ProposalFacts(id=1), ProposalFacts(id=2)]
    reviewers = [
        ReviewerFacts(account_id=1),
        ReviewerFacts(account_id=2, declared_proposals=frozenset({1})),
        ReviewerFacts(account_id=3, declared_proposals=frozenset({2})),
    ]
    plan = assign(proposals, reviewers, needed=2, there={(1, 2)})
    assert list(plan.added) == [(1, 3), (2, 1), (2, 2)]
    assert plan.lacking == {}


def test_a_full_reviewer_hands_on() -> None:
    """Only 1 can judge the second proposal, and 1 has taken the first: 2 relieves them."""
    proposals = [
        ProposalFacts(id=1, account_ids=frozenset({3})),
        ProposalFacts(id=2, account_ids=frozenset({3})),
        ProposalFacts(id=3),
    ]
    reviewers = [
        ReviewerFacts(account_id=1, takes_at_most=1),
        ReviewerFacts(account_id=2, takes_at_most=1, declared_proposals=frozenset({2})),
        ReviewerFacts(account_id=3, takes_at_most=1, declared_proposals=frozenset({3})),
    ]
    plan = assign(proposals[:2], reviewers, needed=1)
    assert sorted(plan.added) == [(1, 2), (2, 1)]
    assert len(assign(proposals, reviewers, needed=1).added) == 2
    assert assign(proposals, reviewers, needed=1).lacking


def test_who_is_full_hands_the_first_to_somebody_free() -> None:
    """1 took the first proposal; for the third there are 1 and 3 alone, both full: 2 takes the first from 1."""
    proposals = [ProposalFacts(id=number) for number in (1, 2, 3)]
    reviewers = [
        ReviewerFacts(account_id=1, takes_at_most=1),
        ReviewerFacts(account_id=2, takes_at_most=1, declared_proposals=frozenset({2, 3})),
        ReviewerFacts(account_id=3, takes_at_most=1, declared_proposals=frozenset({1})),
    ]
    plan = assign(proposals, reviewers, needed=1)
    assert plan.lacking == {}
    assert sorted(plan.added) == [(1, 2), (2, 3), (3, 1)]


def test_the_same_pairs_in_any_order_give_the_same_plan() -> None:
    proposals = [ProposalFacts(id=number) for number in range(4)]
    reviewers = [ReviewerFacts(account_id=number) for number in range(3)]
    plans = {
        tuple(assign(list(some), list(reversed(reviewers)), needed=2).added)
        for some in combinations(proposals, 4)
    }
    assert plans == {tuple(assign(list(reversed(proposals)), reviewers, needed=2).added)}


@pytest.mark.parametrize("state", list(ProposalState))
def test_reviews_are_written_while_a_proposal_waits_and_kept_in_sight_of_those_who_had_to_do_with_it(
    state: ProposalState,
) -> None:
    phase = Phase(id=1, is_active=True, reach=Reach.ALL, others=Others.ALWAYS)
    chair, stranger = Viewer(is_chair=True), Viewer(is_reviewer=True)
    given = Viewer(is_reviewer=True, is_assigned=True)
    judged = Viewer(is_reviewer=True, has_reviewed=True)
    producer = Viewer(is_producer=True)
    everybody = (chair, stranger, given, judged, producer)
    if state is ProposalState.DRAFT:
        assert all(sees_in(one, phase, state) == NOTHING for one in everybody)
    elif state in (ProposalState.SUBMITTED, ProposalState.WAITLISTED):
        assert all(sees_in(one, phase, state) == sees(one, phase) for one in everybody)
        assert all(sees_in(one, phase, state).may_review for one in everybody)
    else:
        assert sees_in(stranger, phase, state) == NOTHING
        for one in (chair, given, judged, producer):
            found = sees_in(one, phase, state)
            assert found.proposal
            assert found.reviews
            assert not found.may_review
    assert sees_in(Viewer(is_chair=True, is_speaker=True), phase, state) == NOTHING


def test_nobody_looks_twice_where_all_are_full() -> None:
    """The third finds both full and no chain to anybody free; the fourth does not look again."""
    proposals = [ProposalFacts(id=number) for number in (1, 2, 3, 4)]
    reviewers = [ReviewerFacts(account_id=number, takes_at_most=1) for number in (1, 2)]
    plan = assign(proposals, reviewers, needed=1)
    assert list(plan.added) == [(1, 1), (2, 2)]
    assert dict(plan.lacking) == {3: 1, 4: 1}


def test_loads_stay_uneven_where_forums_keep_them_so() -> None:
    """1 alone reviews the first forum; that no chain leads away from them keeps nobody from evening out the others."""
    proposals = [ProposalFacts(id=number, forum_id=1 if number < 4 else 2) for number in range(8)]
    reviewers = [
        ReviewerFacts(account_id=1, forum_ids=frozenset({1})),
        ReviewerFacts(account_id=2, forum_ids=frozenset({2})),
        ReviewerFacts(account_id=3, forum_ids=frozenset({2})),
    ]
    plan = assign(proposals, reviewers, needed=1)
    assert [sum(who == number for _, who in plan.added) for number in (1, 2, 3)] == [4, 2, 2]


def test_why_a_proposal_lacks_reviewers() -> None:
    proposals = [ProposalFacts(id=1, forum_id=1, account_ids=frozenset({1})), ProposalFacts(id=2)]
    reviewers = [
        ReviewerFacts(account_id=1),
        ReviewerFacts(account_id=2, forum_ids=frozenset({2})),
        ReviewerFacts(account_id=3, takes_at_most=1),
        ReviewerFacts(account_id=4),
        ReviewerFacts(account_id=5, takes_at_most=2, declared_proposals=frozenset({2})),
    ]
    there = {(2, 3)}
    plan = assign(proposals, reviewers, needed=3, there=there)
    assert dict(lacks(plan, proposals, reviewers, there=there)) == {1: Lack(1, near=1, elsewhere=1, full=1)}
    # Somebody free who was left out is counted nowhere: a plan that an older state of things gave.
    assert dict(lacks(Plan([], {1: 1}), proposals[:1], reviewers[3:])) == {1: Lack(1)}


@pytest.mark.parametrize(
    ("added", "allowed"),
    [
        ([(1, 4), (2, 4)], True),
        ([(1, 1)], False),  # their own
        ([(1, 2)], False),  # of another forum
        ([(2, 3), (1, 3)], False),  # takes one, and has it
        ([(2, 2)], True),
        ([(9, 4)], False),  # gone
        ([(1, 9)], False),  # reviews no more
        ([(2, 5)], False),  # there already
    ],
)
def test_a_plan_is_looked_at_again_before_it_is_carried_out(
    added: list[tuple[int, int]], allowed: bool
) -> None:
    proposals = [
        ProposalFacts(id=1, forum_id=1, account_ids=frozenset({1})),
        ProposalFacts(id=2, forum_id=2),
    ]
    reviewers = [
        ReviewerFacts(account_id=1),
        ReviewerFacts(account_id=2, forum_ids=frozenset({2})),
        ReviewerFacts(account_id=3, takes_at_most=1),
        ReviewerFacts(account_id=4),
        ReviewerFacts(account_id=5),
    ]
    assert is_allowed(added, proposals, reviewers, there={(2, 5)}) is allowed


def test_a_date_moves_the_review_on_unless_somebody_chose_after_it() -> None:
    first = Phase(id=1, position=1, starts_at=NOW, ends_at=NOW + DAY, is_active=True)
    second = Phase(id=2, position=2, starts_at=NOW + DAY)
    phases = [first, second]
    assert next_phase(phases, NOW, set_at=None) is None  # it is the one
    assert next_phase(phases, NOW - DAY, set_at=None) is None  # nothing has begun
    assert next_phase(phases, NOW + DAY, set_at=None) is second
    assert next_phase(phases, NOW + DAY, set_at=NOW) is second
    assert next_phase(phases, NOW + 2 * DAY, set_at=NOW + DAY) is None


def test_totals_of_ranges_without_a_common_measure_are_exact() -> None:
    some = [
        Criterion(id=1, code="a", weight=2, low=0, high=7),
        Criterion(id=2, code="b", weight=3, low=1, high=4),
        Criterion(id=3, code="c", weight=0, low=1, high=5),
    ]
    # (2 * 3/7 + 3 * 2/3) / 5 = 0.571428…
    assert review_total(some, {1: 3, 2: 3, 3: 1}) == 5714
    assert review_total(some, {3: 5}) is None


def test_comments_are_for_who_reads_reviews_and_for_who_runs_the_forum_unless_too_near() -> None:
    phase = Phase(id=1, is_active=True, reach=Reach.ALL, others=Others.AFTER_OWN)
    for viewer, expected in (
        (Viewer(is_chair=True, is_producer=True), True),
        (Viewer(is_reviewer=True), False),
        (Viewer(is_reviewer=True, has_reviewed=True), True),
        (Viewer(is_producer=True), True),
        (Viewer(is_producer=True, near=Nearness.ORGANISATION), False),
        (Viewer(is_producer=True, is_chair=True, is_speaker=True), False),
        (Viewer(), False),
    ):
        assert sees_comments(viewer, sees(viewer, phase)) is expected, viewer
