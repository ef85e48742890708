"""What may happen to a proposal, to whom the call is open, and what is missing: tables of cases, and properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenda.proposal_rules import (
    DECISION_OF,
    DECISIONS,
    IN_PLAY,
    LIMITS,
    MOVES,
    Asking,
    CallDates,
    CallWindow,
    Choice,
    CodeFacts,
    Condition,
    Filled,
    Need,
    ProposalCode,
    ProposalState,
    Span,
    Subject,
    Verb,
    Who,
    days_left,
    door_problems,
    fallback,
    find_move,
    joined_spans,
    judge,
    lengths,
    likeness,
    may_discard,
    may_edit,
    may_pend,
    missing,
    moves_of,
    needs_use,
    shared_spans,
    shingles,
    window,
)
from events.rules import FieldKind
from kernel.errors import Code, Problem
from kernel.text import LocalizedText

NOW = datetime(2026, 8, 1, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ALL = frozenset(Condition)
NONE: frozenset[Condition] = frozenset()

states = st.sampled_from(ProposalState)
verbs = st.sampled_from(Verb)
parts = st.frozensets(st.sampled_from(Who))
conditions = st.frozensets(st.sampled_from(Condition))

#: Written by hand, once more: what each part may do when every condition holds. S speaker, P producer, C chair, R reviewer.
BY_HAND = """
draft      submit   submitted  SPC
draft      invite   invited    PC
declined   invite   invited    PC
invited    decline  declined   SPC
invited    confirm  confirmed  SC
invited    cancel   cancelled  PC
submitted  accept   accepted   CR
submitted  waitlist waitlisted CR
submitted  reject   rejected   CR
submitted  withdraw withdrawn  S
submitted  cancel   cancelled  C
accepted   confirm  confirmed  SC
accepted   withdraw withdrawn  S
accepted   cancel   cancelled  C
waitlisted accept   accepted   CR
waitlisted reject   rejected   CR
waitlisted withdraw withdrawn  S
waitlisted cancel   cancelled  C
rejected   accept   accepted   CR
rejected   waitlist waitlisted CR
rejected   reopen   submitted  C
confirmed  withdraw withdrawn  S
confirmed  cancel   cancelled  C
withdrawn  reopen   submitted  SC
cancelled  reopen   submitted  C
"""
LETTERS = {"S": Who.SPEAKER, "P": Who.PRODUCER, "C": Who.CHAIR, "R": Who.REVIEWER}
EXPECTED = {
    (state, verb): (to, {LETTERS[letter] for letter in who})
    for state, verb, to, who in (line.split() for line in BY_HAND.strip().splitlines())
}


@pytest.mark.parametrize("state", list(ProposalState))
@pytest.mark.parametrize("verb", list(Verb))
def test_the_table_is_what_people_wrote(state: ProposalState, verb: Verb) -> None:
    expected = EXPECTED.get((state, verb))
    for who in Who:
        found = judge(verb, state, who=frozenset({who}), holds=ALL)
        if expected is None:
            assert found is ProposalCode.MOVE_NOT_FROM_HERE
        elif who in expected[1]:
            assert found == expected[0]
        else:
            assert found is ProposalCode.MOVE_NOT_YOURS


def test_no_state_has_two_rows_for_one_verb() -> None:
    pairs = [(move.verb, state) for move in MOVES for state in move.froms]
    assert len(pairs) == len(set(pairs))


@given(verbs, states, st.tuples(parts, parts), st.tuples(conditions, conditions))
def test_more_parts_and_conditions_never_close_a_way(
    verb: Verb,
    state: ProposalState,
    who: tuple[frozenset[Who], frozenset[Who]],
    holds: tuple[frozenset[Condition], frozenset[Condition]],
) -> None:
    found = judge(verb, state, who=who[0], holds=holds[0])
    if isinstance(found, ProposalState):
        assert judge(verb, state, who=who[0] | who[1], holds=holds[0] | holds[1]) is found


@given(verbs, states, conditions)
def test_nobody_in_particular_moves_nothing(
    verb: Verb, state: ProposalState, holds: frozenset[Condition]
) -> None:
    assert not isinstance(judge(verb, state, who=frozenset(), holds=holds), ProposalState)


@given(st.lists(st.tuples(verbs, parts, conditions), max_size=12))
def test_no_way_leads_back_to_a_draft_and_nothing_unjudged_is_confirmed(
    walk: list[tuple[Verb, frozenset[Who], frozenset[Condition]]],
) -> None:
    state, seen = ProposalState.DRAFT, [ProposalState.DRAFT]
    for verb, who, holds in walk:
        found = judge(verb, state, who=who, holds=holds)
        if isinstance(found, ProposalState):
            assert found is not state
            state = found
            seen.append(state)
    assert ProposalState.DRAFT not in seen[1:]
    for before, after in pairwise(seen):
        if after is ProposalState.CONFIRMED:
            assert before in (ProposalState.ACCEPTED, ProposalState.INVITED)


def test_a_refusal_names_the_first_condition_of_whoever_is_asked_least() -> None:
    submit = {"verb": Verb.SUBMIT, "state": ProposalState.DRAFT}
    speaker, both = frozenset({Who.SPEAKER}), frozenset({Who.SPEAKER, Who.CHAIR})
    assert judge(**submit, who=speaker, holds=NONE) is ProposalCode.CALL_CLOSED  # type: ignore[arg-type]
    assert (
        judge(**submit, who=speaker, holds=frozenset({Condition.CALL_OPEN}))  # type: ignore[arg-type]
        is ProposalCode.INCOMPLETE
    )
    assert judge(**submit, who=both, holds=NONE) is ProposalCode.INCOMPLETE  # type: ignore[arg-type]
    assert (
        judge(Verb.CONFIRM, ProposalState.ACCEPTED, who=speaker, holds=NONE) is ProposalCode.CONFIRM_TOO_LATE
    )
    assert judge(Verb.CONFIRM, ProposalState.ACCEPTED, who=both, holds=NONE) is ProposalState.CONFIRMED
    assert (
        judge(Verb.ACCEPT, ProposalState.SUBMITTED, who=frozenset({Who.REVIEWER}), holds=NONE)
        is ProposalCode.DECISION_NOT_NOW
    )


@given(states, parts, conditions)
def test_buttons_are_what_may_be_pressed(
    state: ProposalState, who: frozenset[Who], holds: frozenset[Condition]
) -> None:
    shown = moves_of(state, who=who, holds=holds)
    for verb in Verb:
        assert (verb in shown) == isinstance(judge(verb, state, who=who, holds=holds), ProposalState)


@given(states, states)
def test_a_decision_may_wait_exactly_where_it_could_be_made(
    state: ProposalState, wanted: ProposalState
) -> None:
    verb = DECISION_OF.get(wanted)
    possible = verb is not None and judge(verb, state, who=frozenset({Who.CHAIR}), holds=NONE) is wanted
    assert may_pend(state, wanted) == possible


def test_decisions_and_play() -> None:
    assert {DECISION_OF[state] for state in DECISIONS.values()} == set(DECISIONS)
    assert not {ProposalState.DRAFT, ProposalState.REJECTED, ProposalState.WITHDRAWN} & IN_PLAY
    assert find_move(Verb.SUBMIT, ProposalState.CONFIRMED) is None


def test_a_draft_is_thrown_away_by_its_writers_alone() -> None:
    assert may_discard(ProposalState.DRAFT, who=frozenset({Who.SPEAKER}))
    assert not may_discard(ProposalState.DRAFT, who=frozenset({Who.CHAIR}))
    assert not may_discard(ProposalState.SUBMITTED, who=frozenset({Who.SPEAKER}))


@pytest.mark.parametrize(
    ("state", "while_open", "by_phase", "else_"),
    [
        ("draft", True, True, True),
        ("invited", True, True, True),
        ("accepted", True, True, True),
        ("confirmed", True, True, True),
        ("submitted", True, True, False),
        ("waitlisted", True, True, False),
        ("declined", False, False, False),
        ("rejected", False, False, False),
        ("withdrawn", False, False, False),
        ("cancelled", False, False, False),
    ],
)
def test_speakers_edit(state: str, while_open: bool, by_phase: bool, else_: bool) -> None:
    at, speaker = ProposalState(state), frozenset({Who.SPEAKER})
    assert may_edit(at, who=speaker, call_open=True) == while_open
    assert may_edit(at, who=speaker, call_open=False, phase_lets=True) == by_phase
    assert may_edit(at, who=speaker, call_open=False) == else_
    assert may_edit(at, who=frozenset({Who.CHAIR}), call_open=False)
    assert may_edit(at, who=frozenset({Who.PRODUCER}), call_open=False)
    assert not may_edit(at, who=frozenset({Who.REVIEWER}), call_open=True)


# --- the door ----------------------------------------------------------------------------------------------------

OPEN = CallDates(is_published=True, opens_at=NOW - DAY, closes_at=NOW + DAY)
CLOSED = CallDates(is_published=True, opens_at=NOW - 2 * DAY, closes_at=NOW)
TALK = Choice(id=1)
KEYNOTE = Choice(id=2, needs_code=True)
LATE = Choice(id=3, closes_at=NOW + DAY)
EARLY = Choice(id=4, closes_at=NOW - timedelta(hours=1))
FORUM = Choice(id=7)
SECRET = Choice(id=8, needs_code=True)


def test_the_window_is_half_open() -> None:
    assert window(OPEN, NOW - DAY) is CallWindow.OPEN
    assert window(OPEN, NOW - DAY - timedelta(microseconds=1)) is CallWindow.NOT_YET
    assert window(OPEN, NOW + DAY) is CallWindow.CLOSED
    assert window(OPEN, NOW + DAY - timedelta(microseconds=1)) is CallWindow.OPEN
    assert window(CallDates(is_published=False), NOW) is CallWindow.NOT_YET
    assert window(CallDates(is_published=True), NOW) is CallWindow.OPEN
    assert window(CLOSED, NOW, own_closing=NOW + DAY) is CallWindow.OPEN


C = ProposalCode


@pytest.mark.parametrize(
    ("dates", "session_type", "forum", "code", "expected"),
    [
        (OPEN, None, None, None, {}),
        (OPEN, TALK, FORUM, None, {}),
        (OPEN, KEYNOTE, FORUM, None, {"session_type": C.TYPE_NEEDS_CODE}),
        (OPEN, KEYNOTE, None, CodeFacts(), {"session_type": C.TYPE_NEEDS_CODE}),
        (OPEN, KEYNOTE, None, CodeFacts(type_ids=frozenset({2})), {}),
        (OPEN, TALK, SECRET, None, {"forum": C.FORUM_NEEDS_CODE}),
        (OPEN, TALK, SECRET, CodeFacts(), {"forum": C.FORUM_NEEDS_CODE}),
        (OPEN, TALK, SECRET, CodeFacts(forum_ids=frozenset({8})), {}),
        (OPEN, EARLY, None, None, {"session_type": C.TYPE_CLOSED}),
        (OPEN, EARLY, None, CodeFacts(), {}),
        (CLOSED, None, None, None, {"call": C.CALL_CLOSED}),
        (CLOSED, None, None, CodeFacts(), {}),
        (CLOSED, TALK, FORUM, None, {"call": C.CALL_CLOSED}),
        (CLOSED, LATE, FORUM, None, {}),
        (CLOSED, TALK, FORUM, CodeFacts(), {}),
        (CLOSED, TALK, None, CodeFacts(type_ids=frozenset({2})), {"call": C.CALL_CLOSED}),
        (CLOSED, TALK, FORUM, CodeFacts(forum_ids=frozenset({8})), {"forum": C.CALL_CLOSED}),
        (CLOSED, TALK, SECRET, CodeFacts(forum_ids=frozenset({8})), {}),
        (CallDates(is_published=False), TALK, None, CodeFacts(), {"call": C.CALL_NOT_OPEN_YET}),
    ],
)
def test_the_door(
    dates: CallDates,
    session_type: Choice | None,
    forum: Choice | None,
    code: CodeFacts | None,
    expected: dict[str, ProposalCode],
) -> None:
    found = door_problems(dates=dates, session_type=session_type, forum=forum, code=code, at=NOW)
    assert {name: problem.code for name, problem in found.items()} == expected


def test_a_code_is_used_up_only_where_it_opened_something() -> None:
    assert not needs_use(dates=OPEN, session_type=TALK, forum=FORUM, at=NOW)
    assert needs_use(dates=OPEN, session_type=KEYNOTE, forum=FORUM, at=NOW)
    assert needs_use(dates=CLOSED, session_type=TALK, forum=None, at=NOW)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (CodeFacts(), None),
        (CodeFacts(max_uses=2, used=1, valid_until=NOW + DAY), None),
        (CodeFacts(is_active=False), C.CODE_WRONG),
        (CodeFacts(valid_until=NOW), C.CODE_EXPIRED),
        (CodeFacts(max_uses=2, used=2), C.CODE_USED_UP),
    ],
)
def test_a_code(code: CodeFacts, expected: ProposalCode | None) -> None:
    found = code.problem(NOW)
    assert (found.code if found else None) == expected


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        (datetime(2026, 8, 1, 15, 59, tzinfo=UTC), 0),  # 23:59 of the same day in Shanghai
        (datetime(2026, 8, 1, 16, 0, tzinfo=UTC), 0),  # midnight ends that day
        (datetime(2026, 8, 1, 16, 1, tzinfo=UTC), 1),
        (datetime(2026, 8, 31, 16, 0, tzinfo=UTC), 30),
        (datetime(2026, 7, 1, 0, 0, tzinfo=UTC), 0),
    ],
)
def test_days_left(closes: datetime, expected: int) -> None:
    assert days_left(closes, NOW, "Asia/Shanghai") == expected


# --- what is written ---------------------------------------------------------------------------------------------

BOTH = LocalizedText({"zh-Hans": "大模型与开源", "en": "Models and open source"})
COMPLETE = Filled(
    title=BOTH,
    abstract=LocalizedText({"en": "How they meet."}),
    has_type=True,
    language="zh-Hans",
    name=LocalizedText({"zh-Hans": "林小满"}),
    bio=LocalizedText({"zh-Hans": "维护者"}),
    allows=(True, False, True),
)


def test_what_is_missing() -> None:
    assert missing(COMPLETE) == {}
    empty = missing(Filled(unanswered=("q.3",)))
    assert list(empty) == [
        "title",
        "abstract",
        "session_type",
        "language",
        "name",
        "bio",
        "allows_slides",
        "allows_photo",
        "allows_video",
        "q.3",
    ]
    assert {one.code for one in empty.values()} == {Code.REQUIRED}
    apart = missing(Filled(title=LocalizedText({"zh-Hans": "标题"}), abstract=LocalizedText({"en": "Words"})))
    assert apart["abstract"] == Problem(ProposalCode.TITLE_LANGUAGE)
    assert "title" not in apart
    only_told = missing(Filled(abstract=LocalizedText({"en": "Words"})))
    assert "abstract" not in only_told


@given(st.text(max_size=230))
def test_lengths(text: str) -> None:
    found = lengths({"title": LocalizedText({"en": text}), "audience": text})
    assert found == (
        {"title.en": Problem(Code.TOO_LONG, {"limit": 200})} if len(text) > LIMITS["title"] else {}
    )


def test_long_plain_text() -> None:
    assert lengths({"audience": "x" * 1001}) == {"audience": Problem(Code.TOO_LONG, {"limit": 1000})}


def test_a_text_in_another_language_is_marked() -> None:
    assert fallback(BOTH, "en") == ("Models and open source", False)
    assert fallback(BOTH, "zh-Hant") == ("大模型与开源", False)
    assert fallback(LocalizedText({"zh-Hans": "中文"}), "en") == ("中文", True)
    assert fallback(LocalizedText(), "en") == ("", False)


def test_questions() -> None:
    asked = Asking(subject=Subject.PROPOSAL, kind=FieldKind.LINE)
    assert asked.asks(type_id=None, forum_id=None)
    assert not asked.is_required(NOW)
    narrow = Asking(
        subject=Subject.PROPOSAL,
        kind=FieldKind.LINE,
        need=Need.REQUIRED,
        type_ids=frozenset({1}),
        forum_ids=frozenset({7}),
    )
    assert narrow.asks(type_id=1, forum_id=7)
    assert not narrow.asks(type_id=2, forum_id=7)
    assert not narrow.asks(type_id=1, forum_id=None)
    assert narrow.is_required(NOW)
    off = Asking(subject=Subject.SPEAKER, kind=FieldKind.URL, is_active=False)
    assert not off.asks(type_id=1, forum_id=7)
    later = Asking(subject=Subject.SPEAKER, kind=FieldKind.LINE, need=Need.REQUIRED_AFTER, required_after=NOW)
    assert later.is_required(NOW)
    assert not later.is_required(NOW - DAY)
    assert not Asking(subject=Subject.SPEAKER, kind=FieldKind.LINE, need=Need.REQUIRED_AFTER).is_required(NOW)


# --- availability ------------------------------------------------------------------------------------------------

hours = st.integers(0, 48).map(lambda hour: NOW + timedelta(hours=hour))
spans = st.lists(st.tuples(hours, hours), max_size=6)


def covers(found: list[Span] | None, at: datetime) -> bool:
    return found is None or any(begin <= at < end for begin, end in found)


@given(spans, spans, hours)
def test_spans(one: list[Span], other: list[Span], at: datetime) -> None:
    joined = joined_spans(one)
    assert covers(joined, at) == covers(one, at)
    assert all(a[1] < b[0] for a, b in pairwise(joined))
    assert covers(shared_spans(one, other), at) == (covers(one, at) and covers(other, at))
    assert shared_spans(None, one) == one
    assert shared_spans(one, None) == one
    assert shared_spans(None, None) is None


# --- much alike --------------------------------------------------------------------------------------------------


@given(st.text(max_size=60), st.text(max_size=60))
def test_likeness(one: str, other: str) -> None:
    a, b = shingles(one), shingles(other)
    assert likeness(a, b) == likeness(b, a)
    assert 0 <= likeness(a, b) <= 100
    assert likeness(a, a) == (100 if a else 0)


def test_near_duplicates() -> None:
    first = shingles("开源大模型在企业中的落地实践")
    assert likeness(first, shingles("开源大模型在企业中的落地 实践!")) == 100
    assert likeness(first, shingles("城市开源社区的运营之道")) < 20
    assert shingles("开") == {"开"}
    assert shingles("") == frozenset()
