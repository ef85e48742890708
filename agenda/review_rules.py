"""Words and decisions about reviews: what points count for, who sees what, who is too near, who reviews what. Pure.

Points are whole numbers in the range of their criterion. A review's total is their weighted mean, each as a part of its
own range, in ten-thousandths: so a criterion of 1 to 3 weighs no less than one of 0 to 10, and nothing is a float.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from math import isqrt, lcm
from typing import Final

from agenda.proposal_rules import ProposalState
from events.rules import fold
from kernel.errors import Code, Problem
from kernel.text import N_, LocalizedText

#: What a review's total can reach at most.
WHOLE: Final = 10_000
REASON_LIMIT: Final = 4_000
CRITERIA_AT_MOST: Final = 20
PHASES_AT_MOST: Final = 20
COMMENT_LIMIT: Final = 4_000
WEIGHT_MOST: Final = 100
#: Points between these; a range of more steps says nothing that people can mean.
VALUE_LEAST, VALUE_MOST = 0, 100


class ReviewCode(StrEnum):
    """Refusals and problems of reviews."""

    NOT_NOW = "review_not_now"
    NOT_ASSIGNED = "review_not_assigned"
    OWN_PROPOSAL = "review_own_proposal"
    TOO_NEAR = "review_too_near"
    REASON_NEEDED = "review_reason_needed"
    CRITERION_UNKNOWN = "review_criterion_unknown"
    CRITERION_SCORED = "review_criterion_scored"
    PHASE_UNKNOWN = "review_phase_unknown"
    PHASE_IN_USE = "review_phase_in_use"
    PHASE_REVERSED = "review_phase_reversed"
    PHASES_TOO_MANY = "review_phases_too_many"
    CRITERIA_TOO_MANY = "review_criteria_too_many"
    LABEL_OUTSIDE = "review_label_outside"
    REVIEWER_UNKNOWN = "review_reviewer_unknown"
    SPEAKER_UNKNOWN = "review_speaker_unknown"
    SPEAKERS_SEVERAL = "review_speakers_several"
    PLAN_CHANGED = "review_plan_changed"
    RANGE_REVERSED = "review_range_reversed"
    #: Another window changed it since this one was opened.
    STALE = "review_stale"
    UNKNOWN = "review_unknown"
    COMMENT_UNKNOWN = "review_comment_unknown"


class Total(StrEnum):
    """How a proposal's score comes from its reviews' totals."""

    MEAN = "mean"
    MEDIAN = "median"


class Reach(StrEnum):
    ASSIGNED = "assigned"
    ALL = "all"


class Others(StrEnum):
    """When one sees what others said of a proposal."""

    NEVER = "never"
    AFTER_OWN = "after_own"
    ALWAYS = "always"


class AssignedBy(StrEnum):
    HAND = "hand"
    MACHINE = "machine"
    IMPORT = "import"


class Nearness(StrEnum):
    """Why somebody does not review a proposal."""

    OWN = "own"
    CO_SPEAKER = "co_speaker"
    ORGANISATION = "organisation"
    DECLARED = "declared"


# --- points ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    id: int
    code: str
    name: LocalizedText = field(default_factory=LocalizedText)
    help: LocalizedText = field(default_factory=LocalizedText)
    weight: int = 1
    low: int = 1
    high: int = 5
    labels: Mapping[int, LocalizedText] = field(default_factory=dict)
    is_required: bool = True
    is_active: bool = True
    position: int = 0


#: What an event begins with: code, English name, weight.
DEFAULT_CRITERIA: Final[tuple[tuple[str, str, int], ...]] = (
    ("relevance", N_("Relevance"), 2),
    ("depth", N_("Depth"), 2),
    ("real_cases", N_("Real cases"), 2),
    ("clarity", N_("Clarity"), 1),
    ("not_an_advertisement", N_("Not an advertisement"), 1),
    ("novelty", N_("Novelty"), 1),
    ("diversity", N_("Diversity"), 1),
)


def read_points(
    criteria: Iterable[Criterion], typed: Mapping[int, str], *, abstains: bool, reason: str
) -> tuple[dict[int, int], dict[str, Problem]]:
    """Points by criterion out of what was typed, and every problem at its field (``score.<id>``, ``reason``).

    A reason is always required, for an abstention too; whoever abstains gives no points.
    """
    points: dict[int, int] = {}
    problems: dict[str, Problem] = {}
    if not abstains:
        for criterion in criteria:
            if not criterion.is_active:
                continue
            text = typed.get(criterion.id, "").strip()
            name = f"score.{criterion.id}"
            if not text:
                if criterion.is_required:
                    problems[name] = Problem(Code.REQUIRED)
            elif not (text.isascii() and text.isdigit() and len(text) <= 3):
                problems[name] = Problem(Code.NOT_A_NUMBER)
            elif not criterion.low <= int(text) <= criterion.high:
                problems[name] = Problem(Code.OUT_OF_RANGE)
            else:
                points[criterion.id] = int(text)
    if not reason.strip():
        problems["reason"] = Problem(ReviewCode.REASON_NEEDED)
    elif len(reason) > REASON_LIMIT:
        problems["reason"] = Problem(Code.TOO_LONG, {"limit": REASON_LIMIT})
    return points, problems


def review_total(criteria: Iterable[Criterion], points: Mapping[int, int]) -> int | None:
    """One review's total, 0 to ``WHOLE``; None where nothing counts (an abstention, weights of 0).

    Criteria without points are left out of both sides of the mean; points outside a range that was narrowed since
    count as its end.
    """
    counted = [one for one in criteria if one.is_active and one.weight and one.id in points]
    if not counted:
        return None
    # In whole numbers over one denominator: a change of a criterion recomputes thousands of these.
    whole = lcm(*(one.high - one.low for one in counted))
    reached = sum(
        one.weight * (min(max(points[one.id], one.low), one.high) - one.low) * (whole // (one.high - one.low))
        for one in counted
    )
    return _rounded(Fraction(WHOLE * reached, whole * sum(one.weight for one in counted)))


def _rounded(value: Fraction) -> int:
    return _half_up(value.numerator, value.denominator)


def _half_up(above: int, below: int) -> int:
    return (2 * above + below) // (2 * below)


@dataclass(frozen=True, slots=True)
class Score:
    """What the reviews of a proposal come to: how many there are, how many count, their total, how far apart they are."""

    reviews: int
    counted: int
    total: int | None
    #: Standard deviation of the totals, in the same ten-thousandths; 0 for one.
    spread: int


def score(totals: Iterable[int | None], by: Total) -> Score:
    """A proposal's score out of its reviews' totals; abstentions (None) are reviews that don't count."""
    every = list(totals)
    counted = sorted(one for one in every if one is not None)
    if not counted:
        return Score(len(every), 0, None, 0)
    middle = len(counted) // 2
    if by is Total.MEAN:
        found = _half_up(sum(counted), len(counted))
    elif len(counted) % 2:
        found = counted[middle]
    else:
        found = _half_up(counted[middle - 1] + counted[middle], 2)
    number = len(counted)
    # n * sum of squares - square of the sum is n^2 times the variance, in whole numbers.
    spread = isqrt(number * sum(one * one for one in counted) - sum(counted) ** 2) // number
    return Score(len(every), number, found, spread)


# --- who sees what -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    id: int
    name: LocalizedText = field(default_factory=LocalizedText)
    position: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_active: bool = False
    may_review: bool = True
    reach: Reach = Reach.ASSIGNED
    names_shown: bool = False
    reviewers_shown: bool = True
    others: Others = Others.AFTER_OWN
    may_decide: bool = False
    may_tag: bool = False
    speakers_may_edit: bool = False

    def is_on(self, at: datetime) -> bool:
        """Active, and inside its dates; half-open."""
        return (
            self.is_active
            and (self.starts_at is None or at >= self.starts_at)
            and (self.ends_at is None or at < self.ends_at)
        )


def due_phase(phases: Sequence[Phase], at: datetime) -> Phase | None:
    """The phase that should be active now by its dates: the last in order that has begun and not ended, of those that
    have a beginning. None: leave things as an organiser set them.
    """
    begun = [
        phase
        for phase in sorted(phases, key=lambda one: (one.position, one.id))
        if phase.starts_at is not None
        and phase.starts_at <= at
        and (phase.ends_at is None or at < phase.ends_at)
    ]
    return begun[-1] if begun else None


def next_phase(phases: Sequence[Phase], at: datetime, *, set_at: datetime | None) -> Phase | None:
    """The phase that time alone makes active now; None to leave things as they are.

    What an organiser chose at ``set_at`` stands until a date that lies after it: dates never undo a decision that
    was made later than they were.
    """
    due = due_phase(phases, at)
    if due is None or due.is_active or due.starts_at is None:
        return None
    return due if set_at is None or due.starts_at > set_at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody before one proposal."""

    #: Decides about all proposals, or about those of this forum.
    is_chair: bool = False
    is_producer: bool = False
    is_reviewer: bool = False
    is_assigned: bool = False
    #: Handed it in or speaks in it, whatever else they are.
    is_speaker: bool = False
    has_reviewed: bool = False
    near: Nearness | None = None
    never_sees_names: bool = False


@dataclass(frozen=True, slots=True)
class Sees:
    """What is shown to somebody of one proposal and of its reviews; one answer for page, API and export."""

    proposal: bool = False
    names: bool = False
    reviews: bool = False
    reviewers: bool = False
    may_review: bool = False
    may_decide: bool = False
    may_tag: bool = False


NOTHING: Final = Sees()


def sees(viewer: Viewer, phase: Phase | None) -> Sees:
    """Who speaks in a proposal sees nothing of its review, were they the chair. ``phase`` is the one that is on, or None.

    A chair sees everything else, and reviews as others do. A producer knows who speaks in the own forum. Reviewers
    see what the phase lets them, and nothing between phases.
    """
    if viewer.is_speaker:
        return NOTHING
    if viewer.is_chair:
        return Sees(
            proposal=True,
            names=True,
            reviews=True,
            reviewers=True,
            may_review=phase is not None and phase.may_review and viewer.near is None,
            may_decide=True,
            may_tag=True,
        )
    if not (viewer.is_producer or viewer.is_reviewer):
        return NOTHING
    if phase is None:
        return Sees(proposal=viewer.is_producer, names=viewer.is_producer)
    reached = viewer.is_producer or viewer.is_assigned or phase.reach is Reach.ALL
    if not reached or (viewer.near is not None and not viewer.is_producer):
        return NOTHING
    reviews = phase.others is Others.ALWAYS or (phase.others is Others.AFTER_OWN and viewer.has_reviewed)
    # A producer who is too near still runs the forum, and neither judges it nor reads the judgements.
    reviews = reviews and viewer.near is None
    return Sees(
        proposal=True,
        names=viewer.is_producer or (phase.names_shown and not viewer.never_sees_names),
        reviews=reviews,
        reviewers=reviews and phase.reviewers_shown,
        may_review=phase.may_review and viewer.near is None,
        may_decide=phase.may_decide and viewer.is_reviewer and viewer.near is None,
        may_tag=phase.may_tag,
    )


#: States in which points are given. Before, a proposal is its writers'; afterwards reviews are read and not written.
UNDER_REVIEW: Final = frozenset({ProposalState.SUBMITTED, ProposalState.WAITLISTED})


def sees_in(viewer: Viewer, phase: Phase | None, state: ProposalState) -> Sees:
    """``sees``, for a proposal in this state: a draft has no review, an invited talk went past it, a decided one is over.

    Reviewers keep sight of what they were given or judged, whatever became of it.
    """
    if state is ProposalState.DRAFT:
        return NOTHING
    found = sees(viewer, phase)
    if state in UNDER_REVIEW:
        return found
    if not (viewer.is_chair or viewer.is_producer or viewer.is_assigned or viewer.has_reviewed):
        return NOTHING
    return replace(found, may_review=False)


def sees_comments(viewer: Viewer, found: Sees) -> bool:
    """Whether the words among organisers and reviewers are for this one too: where reviews are, and for whoever runs
    the forum, unless they are too near.
    """
    return found.reviews or (found.proposal and viewer.is_producer and viewer.near is None)


# --- too near ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerFacts:
    """A reviewer, as far as nearness and load depend on it."""

    account_id: int
    #: Folded names of where they work (``organisation_keys``).
    organisations: frozenset[str] = frozenset()
    #: Accounts with whom they speak in some proposal of the event.
    co_speakers: frozenset[int] = frozenset()
    declared_proposals: frozenset[int] = frozenset()
    declared_speakers: frozenset[int] = frozenset()
    declared_organisations: frozenset[str] = frozenset()
    #: Forums that they review; empty: all.
    forum_ids: frozenset[int] = frozenset()
    takes_at_most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalFacts:
    """A proposal, as far as nearness and assignment depend on it."""

    id: int
    forum_id: int | None = None
    #: Accounts of whoever handed it in and of its speakers, and the speakers' ids.
    account_ids: frozenset[int] = frozenset()
    speaker_ids: frozenset[int] = frozenset()
    organisations: frozenset[str] = frozenset()


def organisation_keys(*names: str | LocalizedText) -> frozenset[str]:
    """Names of organisations as they are compared, in every language that they have."""
    every: list[str] = []
    for name in names:
        every += name.values() if isinstance(name, LocalizedText) else [name]
    return frozenset(key for key in map(fold, every) if key)


def nearness(reviewer: ReviewerFacts, proposal: ProposalFacts) -> Nearness | None:
    """Why the reviewer is too near to judge, the strongest reason first; None when they are not."""
    if reviewer.account_id in proposal.account_ids:
        return Nearness.OWN
    if reviewer.co_speakers & proposal.account_ids:
        return Nearness.CO_SPEAKER
    if reviewer.organisations & proposal.organisations:
        return Nearness.ORGANISATION
    if (
        proposal.id in reviewer.declared_proposals
        or reviewer.declared_speakers & proposal.speaker_ids
        or reviewer.declared_organisations & proposal.organisations
    ):
        return Nearness.DECLARED
    return None


# --- who reviews what --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """New assignments (proposal id, account id), and how many reviews each proposal still lacks."""

    added: Sequence[tuple[int, int]]
    lacking: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a proposal lacks reviewers: of those who don't review it, how many are too near, of other forums, full."""

    missing: int
    near: int = 0
    elsewhere: int = 0
    full: int = 0


def lacks(
    plan: Plan,
    proposals: Sequence[ProposalFacts],
    reviewers: Sequence[ReviewerFacts],
    *,
    there: Iterable[tuple[int, int]] = (),
) -> Mapping[int, Lack]:
    """By proposal, for those that the plan leaves with too few."""
    after = {*there, *plan.added}
    load = Counter(account for _, account in after)
    found: dict[int, Lack] = {}
    for proposal in proposals:
        if proposal.id not in plan.lacking:
            continue
        near = elsewhere = full = 0
        for one in reviewers:
            if (proposal.id, one.account_id) in after:
                continue
            if one.forum_ids and proposal.forum_id not in one.forum_ids:
                elsewhere += 1
            elif nearness(one, proposal) is not None:
                near += 1
            elif one.takes_at_most is not None and load[one.account_id] >= one.takes_at_most:
                full += 1
        found[proposal.id] = Lack(plan.lacking[proposal.id], near, elsewhere, full)
    return found


def is_allowed(
    added: Iterable[tuple[int, int]],
    proposals: Sequence[ProposalFacts],
    reviewers: Sequence[ReviewerFacts],
    *,
    there: Iterable[tuple[int, int]] = (),
) -> bool:
    """Whether a plan that was made a moment ago may still be carried out: nobody too near, none over their limit."""
    facts, people = {one.id: one for one in proposals}, {one.account_id: one for one in reviewers}
    before = set(there)
    load = Counter(account for _, account in before)
    for number, account in added:
        if number not in facts or account not in people or (number, account) in before:
            return False
        load[account] += 1
        one, most = people[account], people[account].takes_at_most
        is_elsewhere = bool(one.forum_ids) and facts[number].forum_id not in one.forum_ids
        is_over = most is not None and load[account] > most
        if is_elsewhere or is_over or nearness(one, facts[number]) is not None:
            return False
    return True


def assign(
    proposals: Sequence[ProposalFacts],
    reviewers: Sequence[ReviewerFacts],
    *,
    needed: int,
    there: Iterable[tuple[int, int]] = (),
) -> Plan:
    """Gives every proposal ``needed`` reviewers, what is ``there`` counted and never taken away.

    Nobody gets what they are too near to, what is outside their forums, or more than they take. Where it can be done
    at all for all proposals, it is done: a full reviewer hands on what another could take. Loads are then as even as
    the rules let them be. The same input gives the same plan.
    """
    return _Assigning(proposals, reviewers, needed, there).plan()


class _Assigning:
    def __init__(
        self,
        proposals: Sequence[ProposalFacts],
        reviewers: Sequence[ReviewerFacts],
        needed: int,
        there: Iterable[tuple[int, int]],
    ) -> None:
        self.needed = needed
        self.order = sorted(one.account_id for one in reviewers)
        self.most = {one.account_id: one.takes_at_most for one in reviewers}
        self.able = {
            proposal.id: {
                one.account_id
                for one in reviewers
                if (not one.forum_ids or proposal.forum_id in one.forum_ids)
                and nearness(one, proposal) is None
            }
            for proposal in proposals
        }
        self.load = dict.fromkeys(self.order, 0)
        #: By proposal everybody who reviews it; ``fresh`` by reviewer what this plan gave them, in order.
        self.who: dict[int, set[int]] = {proposal.id: set() for proposal in proposals}
        self.fresh: dict[int, dict[int, None]] = {number: {} for number in self.order}
        #: Full ones from whom no chain leads to anybody free. What they hold can only go round among them, and later
        #: chains never pass through them, so that stays true: nobody looks there twice.
        self.stuck: set[int] = set()
        for proposal_id, account_id in set(there):
            if proposal_id in self.who:
                self.who[proposal_id].add(account_id)
            if account_id in self.load:
                self.load[account_id] += 1

    def plan(self) -> Plan:
        # Whoever has the fewest that could judge them choose first.
        for number in sorted(self.who, key=lambda one: (len(self.able[one]), one)):
            while len(self.who[number]) < self.needed and self._give(number):
                pass
        self._even_out()
        return Plan(
            sorted((number, account) for account, given in self.fresh.items() for number in given),
            {number: self.needed - len(who) for number, who in self.who.items() if len(who) < self.needed},
        )

    def _free(self, account: int) -> bool:
        most = self.most[account]
        return most is None or self.load[account] < most

    def _give(self, number: int) -> bool:
        """One more reviewer for a proposal: the least loaded, else a full one who can hand something on."""
        willing = sorted(
            self.able[number] - self.who[number], key=lambda account: (self.load[account], account)
        )
        for account in willing:
            if self._free(account):
                self._put(number, account)
                return True
        for account in willing:
            if account in self.stuck:
                continue
            path, seen = self._path(account, self._free, self.stuck)
            if path:
                self._hand_on(path)
                self._put(number, account)
                return True
            self.stuck |= seen
        return False

    def _even_out(self) -> None:
        """Moves assignments from the most loaded to those with two fewer, along any chain, until there is none.

        Where no chain leads down from the most loaded, none will lead down from whomever it reached either.
        """
        settled = set(self.stuck)
        while True:
            left = [one for one in self.order if one not in settled]
            least = min((self.load[one] for one in left if self._free(one)), default=None)
            most = min(left, key=lambda one: (-self.load[one], one), default=None)
            if least is None or most is None or self.load[most] < least + 2:
                return
            path, seen = self._path(most, self._two_below(self.load[most]), settled)
            if path:
                self._hand_on(path)
            else:
                settled |= seen

    def _two_below(self, load: int) -> Callable[[int], bool]:
        return lambda account: self.load[account] <= load - 2

    def _path(
        self, start: int, is_goal: Callable[[int], bool], skipped: set[int]
    ) -> tuple[list[tuple[int, int, int]], set[int]]:
        """The shortest chain of hand-overs (proposal, from, to) from ``start`` to somebody who fits, past nobody in
        ``skipped``; empty for none. And whom the search has seen.
        """
        came: dict[int, tuple[int, int, int]] = {}
        seen = {start}
        queue = deque([start])
        while queue:
            account = queue.popleft()
            for number in self.fresh[account]:
                for other in sorted(self.able[number] - self.who[number] - seen - skipped):
                    seen.add(other)
                    came[other] = (number, account, other)
                    if is_goal(other) and self._free(other):
                        path = []
                        at = other
                        while at != start:
                            path.append(came[at])
                            at = came[at][1]
                        return path, seen
                    queue.append(other)
        return [], seen

    def _hand_on(self, path: Sequence[tuple[int, int, int]]) -> None:
        # From the far end: each gives after having been relieved, so nobody is over their limit in between.
        for number, giver, taker in path:
            del self.fresh[giver][number]
            self.who[number].discard(giver)
            self.load[giver] -= 1
            self._put(number, taker)

    def _put(self, number: int, account: int) -> None:
        self.who[number].add(account)
        self.fresh[account][number] = None
        self.load[account] += 1
