"""Decisions of the review dashboard: what lacks reviews, in which order, who is covered, which texts are twins. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zlib import crc32

from agenda.proposal_rules import LIKE_FROM, ProposalState, likeness, shingles
from agenda.review_rules import Score, Sees, Viewer
from kernel.text import LocalizedText


class Order(StrEnum):
    """How the board is sorted."""

    SCORE = "score"
    SPREAD = "spread"
    FEWEST = "fewest"
    TITLE = "title"


class DashboardCode(StrEnum):
    """Why a proposal was left out of a bulk action."""

    NOT_DECIDED_BY_YOU = "dashboard_not_decided_by_you"
    NOT_TAGGED_BY_YOU = "dashboard_not_tagged_by_you"
    NOT_PROPOSED_BY_YOU = "dashboard_not_proposed_by_you"
    #: Nobody has proposed a decision, or producers propose different ones.
    NOTHING_PROPOSED = "dashboard_nothing_proposed"
    PROPOSALS_DIFFER = "dashboard_proposals_differ"
    NOTHING_CHOSEN = "dashboard_nothing_chosen"
    TAG_UNKNOWN = "dashboard_tag_unknown"


#: States of a proposal that waits for reviews and for a decision about it.
UNDECIDED: Final = frozenset({ProposalState.SUBMITTED, ProposalState.WAITLISTED})
#: States of a proposal that is, or was, judged: it counts in the coverage. An invitation is past the review.
JUDGED: Final = UNDECIDED | {ProposalState.ACCEPTED, ProposalState.CONFIRMED, ProposalState.REJECTED}


def sees_decision(viewer: Viewer, sees: Sees) -> bool:
    """Whether decisions that nobody has been told yet are shown: to whoever decides, and to a producer of the forum who
    is not too near to judge.
    """
    return sees.may_decide or may_propose(viewer, sees)


def may_propose(viewer: Viewer, sees: Sees) -> bool:
    """Whether somebody may propose a decision to the chair: a producer, of a talk in the own forum, none too near."""
    return sees.proposal and viewer.is_producer and viewer.near is None


@dataclass(frozen=True, slots=True)
class Standing:
    """A proposal on the board, as far as order and coverage depend on it. ``score`` is None where it is not shown."""

    id: int
    state: ProposalState
    pending: str
    #: Reviews with points, whether or not they are shown.
    counted: int
    #: Handed in, and so put before the reviewers; not an invited talk.
    is_handed_in: bool
    score: Score | None = None

    @property
    def is_judged(self) -> bool:
        return self.is_handed_in and self.state in JUDGED


def lacks_reviews(one: Standing, needed: int) -> bool:
    """Whether it waits for a decision with fewer reviews than every proposal gets."""
    return one.is_handed_in and one.state in UNDECIDED and one.counted < needed


def order_key(order: Order, title: Callable[[Standing], str]) -> Callable[[Standing], tuple[object, ...]]:
    """The key to sort by; what has no score comes last, and equal ones in the order in which they came."""

    def key(one: Standing) -> tuple[object, ...]:
        score = one.score
        match order:
            case Order.SCORE:
                known = score is not None and score.total is not None
                return (not known, -(score.total or 0) if score else 0, one.id)
            case Order.SPREAD:
                known = score is not None and score.total is not None
                return (not known, -score.spread if score else 0, one.id)
            case Order.FEWEST:
                # What still waits for a decision first: an accepted talk needs no review any more.
                return (not one.is_handed_in or one.state not in UNDECIDED, one.counted, one.id)
            case _:
                return (not title(one), title(one), one.id)

    return key


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far the review has come in a forum, a type or the whole event."""

    proposals: int
    #: Reviews with points that count towards what is needed, and how many those are.
    reviews: int
    needed: int
    accepted: int
    pending: int


def cover(every: Iterable[Standing], needed: int) -> Coverage:
    """Sums up those that are judged. More reviews of one than are needed do not make up for another that has none."""
    judged = [one for one in every if one.is_judged]
    return Coverage(
        proposals=len(judged),
        reviews=sum(min(one.counted, needed) for one in judged),
        needed=len(judged) * needed,
        accepted=sum(one.state in (ProposalState.ACCEPTED, ProposalState.CONFIRMED) for one in judged),
        pending=sum(bool(one.pending) for one in judged),
    )


def proposed(
    by_producers: Sequence[str],
) -> ProposalState | DashboardCode:
    """What the producers of a forum propose for a talk, where they agree."""
    said = {one for one in by_producers if one}
    if not said:
        return DashboardCode.NOTHING_PROPOSED
    if len(said) > 1:
        return DashboardCode.PROPOSALS_DIFFER
    return ProposalState(said.pop())


# --- near-duplicates ---------------------------------------------------------------------------------------------


def documents(title: LocalizedText, abstract: LocalizedText) -> tuple[str, ...]:
    """The words of a proposal in each of its languages: languages are compared one by one, so that a translation on one
    side alone does not hide that two say the same.
    """
    tags = [*title, *(tag for tag in abstract if tag not in title)]
    texts = [f"{title.get(tag, '')} {abstract.get(tag, '')}".strip() for tag in tags]
    return tuple(dict.fromkeys(text for text in texts if text))


#: Bits of a text's mark; more let fewer pairs through to be compared in full, and cost more each.
_MARK_BITS: Final = 2048


def twins(texts: Mapping[int, Sequence[str]], least: int = LIKE_FROM) -> dict[tuple[int, int], int]:
    """Pairs of proposals (smaller id first) with a text each that are much alike, and how much, from ``least`` on.

    Exact, and hardly any pair is compared in full: every text has a mark, in which each of its pieces turns one bit.
    Marks differ in no more bits than the texts in pieces, so texts whose marks differ much are not alike.
    """
    sets = [(number, shingles(text)) for number, every in sorted(texts.items()) for text in every]
    # From the smallest on, so that whatever one is compared with is no larger: that bounds how much may differ.
    sets = sorted((one for one in sets if one[1]), key=lambda one: (len(one[1]), one[0]))
    bits: dict[str, int] = {}
    marks: list[int] = []
    found: dict[tuple[int, int], int] = {}
    first = 0
    for number, pieces in sets:
        size = len(pieces)
        mark = 0
        for piece in pieces:
            bit = bits.get(piece)
            if bit is None:
                bit = bits[piece] = 1 << (crc32(piece.encode()) % _MARK_BITS)
            mark ^= bit
        while 100 * len(sets[first][1]) < least * size:
            first += 1
        # Of two that are alike enough, at most this many pieces are in one alone.
        most = 2 * size * (100 - least) // (100 + least)
        for other in [
            at for at, theirs in enumerate(marks[first:], first) if (mark ^ theirs).bit_count() <= most
        ]:
            other_number, other_pieces = sets[other]
            if other_number != number and (alike := likeness(pieces, other_pieces)) >= least:
                pair = (min(number, other_number), max(number, other_number))
                found[pair] = max(alike, found.get(pair, 0))
        marks.append(mark)
    return found
