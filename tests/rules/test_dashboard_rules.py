"""The board's decisions: order, what lacks reviews, coverage, who proposes, and twins against comparing every pair."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenda.dashboard_rules import (
    Coverage,
    DashboardCode,
    Order,
    Standing,
    cover,
    documents,
    lacks_reviews,
    may_propose,
    order_key,
    proposed,
    sees_decision,
    twins,
)
from agenda.proposal_rules import ProposalState, likeness, shingles
from agenda.review_rules import Nearness, Score, Sees, Viewer
from kernel.text import LocalizedText


def one(number: int = 1, state: str = "submitted", **more: Any) -> Standing:
    values: dict[str, Any] = {"pending": "", "counted": 0, "is_handed_in": True}
    return Standing(id=number, state=ProposalState(state), **(values | more))


def ordered(order: Order, *rows: Standing, titles: dict[int, str] | None = None) -> list[int]:
    return [row.id for row in sorted(rows, key=order_key(order, lambda at: (titles or {}).get(at.id, "")))]


def test_by_score_the_best_comes_first_and_what_has_none_last() -> None:
    rows = [
        one(1),
        one(2, score=Score(1, 0, None, 0)),
        one(3, score=Score(2, 2, 4_000, 10)),
        one(4, score=Score(2, 2, 9_000, 0)),
        one(5, score=Score(2, 2, 9_000, 3_000)),
    ]
    assert ordered(Order.SCORE, *rows) == [4, 5, 3, 1, 2]
    assert ordered(Order.SPREAD, *rows) == [5, 3, 4, 1, 2]


def test_fewest_reviews_first_of_those_that_still_wait_for_a_decision() -> None:
    rows = [
        one(1, counted=2),
        one(2, "accepted"),
        one(3, "waitlisted", counted=1),
        one(4, "invited", is_handed_in=False),
        one(5, is_handed_in=False),
    ]
    assert ordered(Order.FEWEST, *rows) == [3, 1, 2, 4, 5]


def test_by_title_what_has_none_comes_last() -> None:
    assert ordered(Order.TITLE, one(1), one(2), one(3), titles={2: "b", 3: "a"}) == [3, 2, 1]


@pytest.mark.parametrize(
    ("standing", "lacks"),
    [
        (one(counted=2), True),
        (one(counted=3), False),
        (one(state="accepted", counted=0), False),
        (one(is_handed_in=False), False),
    ],
)
def test_what_lacks_reviews(standing: Standing, lacks: bool) -> None:
    assert lacks_reviews(standing, 3) is lacks


def test_coverage_counts_no_more_than_what_is_needed_and_only_what_is_judged() -> None:
    rows = [
        one(1, counted=5, pending="accepted"),
        one(2, "accepted", counted=1),
        one(3, "confirmed", counted=3),
        one(4, "rejected", counted=2),
        one(5, "withdrawn", counted=3),
        one(6, "confirmed", is_handed_in=False),
    ]
    assert cover(rows, 3) == Coverage(proposals=4, reviews=9, needed=12, accepted=2, pending=1)
    assert cover([], 3) == Coverage(0, 0, 0, 0, 0)


def test_producers_are_taken_at_their_word_where_they_agree() -> None:
    assert proposed(["accepted", "", "accepted"]) is ProposalState.ACCEPTED
    assert proposed(["accepted", "rejected"]) is DashboardCode.PROPOSALS_DIFFER
    assert proposed(["", ""]) is DashboardCode.NOTHING_PROPOSED


@pytest.mark.parametrize(
    ("viewer", "sees", "proposes", "shown"),
    [
        (Viewer(is_producer=True), Sees(proposal=True), True, True),
        (Viewer(is_producer=True, near=Nearness.ORGANISATION), Sees(proposal=True), False, False),
        (Viewer(is_producer=True, is_speaker=True), Sees(), False, False),
        (Viewer(is_reviewer=True), Sees(proposal=True), False, False),
        (Viewer(is_reviewer=True), Sees(proposal=True, may_decide=True), False, True),
        (Viewer(is_chair=True), Sees(proposal=True, may_decide=True), False, True),
    ],
)
def test_who_proposes_and_who_is_shown_what_was_prepared(
    viewer: Viewer, sees: Sees, proposes: bool, shown: bool
) -> None:
    assert may_propose(viewer, sees) is proposes
    assert sees_decision(viewer, sees) is shown


# --- near-duplicates ---------------------------------------------------------------------------------------------


def test_each_language_of_a_proposal_is_a_text_of_its_own() -> None:
    title = LocalizedText({"zh-Hans": "开源", "en": "Open source"})
    assert documents(title, LocalizedText({"en": "A talk", "ja": "話"})) == (
        "开源",
        "Open source A talk",
        "話",
    )
    # The same words in two boxes are one text; no words are none.
    assert documents(LocalizedText({"zh-Hans": "x", "en": "x"}), LocalizedText()) == ("x",)
    assert documents(LocalizedText(), LocalizedText()) == ()


LONG = "How a foundation with forty communities learned to run one release train for all of them"


def test_a_translation_on_one_side_hides_nothing() -> None:
    texts = {
        7: [LONG, "四十个社区如何共用一列发布列车"],
        3: [LONG.replace("forty", "fifty")],
        9: ["Something else altogether, about kernels and their schedulers"],
        4: [""],
    }
    found = twins(texts)
    assert list(found) == [(3, 7)]
    assert found[3, 7] == likeness(shingles(LONG), shingles(LONG.replace("forty", "fifty")))


def test_the_best_pair_of_texts_counts_and_a_proposal_is_no_twin_of_itself() -> None:
    near = LONG.replace("one release train", "a release train")
    assert twins({1: [LONG, near], 2: [near, LONG]}) == {(1, 2): 100}


def test_much_longer_texts_are_not_compared_and_nothing_comes_of_nothing() -> None:
    assert twins({1: ["open source"], 2: [LONG]}) == {}
    assert twins({}) == {}


pieces = st.sampled_from(["开源", "社区", "治理", "open ", "source ", "talk ", "case "])
texts_of_a_few = st.dictionaries(
    st.integers(1, 9), st.lists(st.lists(pieces, max_size=7).map("".join), max_size=2), max_size=7
)


@given(texts_of_a_few, st.integers(1, 100))
def test_the_same_pairs_as_comparing_all_of_them(texts: dict[int, list[str]], least: int) -> None:
    best = {
        (one, other): max(
            (likeness(shingles(a), shingles(b)) for a in texts[one] for b in texts[other]), default=0
        )
        for one, other in combinations(sorted(texts), 2)
    }
    assert twins(texts, least) == {pair: alike for pair, alike in best.items() if alike >= least}
