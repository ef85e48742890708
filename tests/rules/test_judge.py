"""The door's decisions: every branch by cases, the order of questions and the arithmetic of turns by properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin import words
from checkin.rules import (
    AGE_MAX,
    NEVER_HERE,
    OUTCOMES,
    TONES,
    CheckinCode,
    CheckpointFacts,
    CheckpointKind,
    Direction,
    Here,
    Once,
    OnRepeat,
    Outcome,
    PassportFacts,
    PassportStatus,
    Reading,
    ScanFacts,
    Tone,
    Verdict,
    VerdictCode,
    Window,
    accepting,
    effective_time,
    here_of,
    judge,
    period_of,
    read_code,
    rounded,
)
from kernel import codes

AT = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
GATE = CheckpointFacts(
    id=1,
    event_id=1,
    list_id=1,
    kind=CheckpointKind.GATE,
    on_repeat=OnRepeat.WELCOME,
    once=Once.DAY,
    scans_exits=True,
)
GUEST = PassportFacts(id=7, event_id=1, ticket_type_id=3, status=PassportStatus.VALID)
FACTS = ScanFacts(
    reading=Reading(("x",)),
    passport=GUEST,
    checkpoint=GATE,
    direction=Direction.ENTRY,
    at=AT,
    here=NEVER_HERE,
)
INSIDE = Here(closings=0, is_inside=True, times=1)
LEFT = Here(closings=1, is_inside=False, times=1)


def _at(**more: object) -> ScanFacts:
    return replace(FACTS, checkpoint=replace(GATE, **more))  # type: ignore[arg-type]


CASES: list[tuple[str, ScanFacts, Verdict]] = [
    ("first entry", FACTS, Verdict(VerdictCode.ADMITTED, turn=0)),
    ("nobody has it", replace(FACTS, passport=None), Verdict(VerdictCode.UNKNOWN)),
    (
        "not a code at all",
        replace(FACTS, passport=None, reading=Reading((), is_malformed=True)),
        Verdict(VerdictCode.MALFORMED),
    ),
    (
        "slip of the finger",
        replace(FACTS, passport=None, reading=Reading(("ABCD",), is_mistyped=True)),
        Verdict(VerdictCode.MISTYPED),
    ),
    (
        "another event's",
        replace(FACTS, passport=replace(GUEST, event_id=2)),
        Verdict(VerdictCode.OTHER_EVENT),
    ),
    (
        "revoked",
        replace(FACTS, passport=replace(GUEST, status=PassportStatus.REVOKED)),
        Verdict(VerdictCode.REVOKED),
    ),
    (
        "old code after reissue",
        replace(FACTS, passport=replace(GUEST, code_is_dead=True)),
        Verdict(VerdictCode.REVOKED),
    ),
    (
        "cancelled",
        replace(FACTS, passport=replace(GUEST, status=PassportStatus.CANCELLED)),
        Verdict(VerdictCode.CANCELLED),
    ),
    (
        "not confirmed",
        replace(FACTS, passport=replace(GUEST, status=PassportStatus.NOT_CONFIRMED)),
        Verdict(VerdictCode.NOT_CONFIRMED),
    ),
    ("closed", _at(is_open=False), Verdict(VerdictCode.CLOSED)),
    ("too early", _at(windows=(Window(AT + HOUR, AT + 2 * HOUR),)), Verdict(VerdictCode.NOT_YET_OPEN)),
    (
        "between two windows",
        _at(windows=(Window(AT - 2 * HOUR, AT - HOUR), Window(AT + HOUR, AT + 2 * HOUR))),
        Verdict(VerdictCode.NOT_YET_OPEN),
    ),
    ("too late", _at(windows=(Window(AT - HOUR, AT),)), Verdict(VerdictCode.WINDOW_OVER)),
    (
        "first moment of the window",
        _at(windows=(Window(AT, AT + HOUR),)),
        Verdict(VerdictCode.ADMITTED, turn=0),
    ),
    ("wrong ticket type", _at(ticket_types=frozenset({4})), Verdict(VerdictCode.WRONG_TICKET_TYPE)),
    ("right ticket type", _at(ticket_types=frozenset({3, 4})), Verdict(VerdictCode.ADMITTED, turn=0)),
    ("again at a gate", replace(FACTS, here=INSIDE), Verdict(VerdictCode.WELCOME_BACK, met_turn=0)),
    (
        "again at a booth",
        replace(_at(on_repeat=OnRepeat.WARN), here=INSIDE),
        Verdict(VerdictCode.ALREADY_HERE, met_turn=0),
    ),
    (
        "second lunch",
        replace(_at(on_repeat=OnRepeat.REFUSE), here=INSIDE),
        Verdict(VerdictCode.ALREADY_USED, met_turn=0),
    ),
    (
        "second lunch after leaving",
        replace(_at(on_repeat=OnRepeat.REFUSE), here=LEFT),
        Verdict(VerdictCode.ALREADY_USED, met_turn=0),
    ),
    ("back after leaving", replace(FACTS, here=LEFT), Verdict(VerdictCode.ADMITTED, turn=1)),
    ("the last place", replace(_at(capacity=10), inside=9), Verdict(VerdictCode.ADMITTED, turn=0)),
    ("full", replace(_at(capacity=10), inside=10), Verdict(VerdictCode.FULL)),
    (
        "a repeat in a full room is a repeat",
        replace(_at(capacity=10), inside=10, here=INSIDE),
        Verdict(VerdictCode.WELCOME_BACK, met_turn=0),
    ),
    (
        "exit",
        replace(FACTS, direction=Direction.EXIT, here=INSIDE),
        Verdict(VerdictCode.EXIT_RECORDED, closes=0),
    ),
    ("exit without entry", replace(FACTS, direction=Direction.EXIT), Verdict(VerdictCode.NOT_INSIDE)),
    ("second exit", replace(FACTS, direction=Direction.EXIT, here=LEFT), Verdict(VerdictCode.NOT_INSIDE)),
    (
        "exit where none are scanned",
        replace(_at(scans_exits=False), direction=Direction.EXIT, here=INSIDE),
        Verdict(VerdictCode.NO_EXITS_HERE),
    ),
    (
        "nobody is kept in: a revoked guest leaves a closed room",
        replace(
            _at(is_open=False),
            direction=Direction.EXIT,
            here=INSIDE,
            passport=replace(GUEST, status=PassportStatus.REVOKED),
        ),
        Verdict(VerdictCode.EXIT_RECORDED, closes=0),
    ),
]


@pytest.mark.fast
@pytest.mark.parametrize(("facts", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_judge(facts: ScanFacts, verdict: Verdict) -> None:
    assert judge(facts) == verdict


def test_every_verdict_is_reached_by_a_case() -> None:
    by_a_lead = {VerdictCode.ADMITTED_BY_LEAD, VerdictCode.ENTRY_UNDONE, VerdictCode.EXIT_UNDONE}
    without_network = {VerdictCode.TURNED_AWAY, VerdictCode.LET_IN, VerdictCode.LET_IN_UNDONE}
    by_the_house = {VerdictCode.EXIT_AUTOMATIC}
    assert {case[2].code for case in CASES} == set(VerdictCode) - by_a_lead - without_network - by_the_house


def test_every_code_has_tone_outcome_and_words() -> None:
    assert set(TONES) == set(OUTCOMES) == set(words.VERDICTS) == set(words.VERDICT_HELP) == set(VerdictCode)
    assert set(CheckinCode) <= set(words.WORDS)


#: The order of the entry's questions: whatever is wrong first in this list is the answer, whatever else is wrong too.
FAULTS: list[tuple[VerdictCode, Callable[[ScanFacts], ScanFacts]]] = [
    (VerdictCode.UNKNOWN, lambda facts: replace(facts, passport=None)),
    (
        VerdictCode.OTHER_EVENT,
        lambda facts: replace(facts, passport=replace(facts.passport or GUEST, event_id=2)),
    ),
    (
        VerdictCode.REVOKED,
        lambda facts: replace(facts, passport=replace(facts.passport or GUEST, code_is_dead=True)),
    ),
    (VerdictCode.CLOSED, lambda facts: replace(facts, checkpoint=replace(facts.checkpoint, is_open=False))),
    (
        VerdictCode.WRONG_TICKET_TYPE,
        lambda facts: replace(facts, checkpoint=replace(facts.checkpoint, ticket_types=frozenset({99}))),
    ),
    (VerdictCode.WELCOME_BACK, lambda facts: replace(facts, here=INSIDE)),
    (
        VerdictCode.FULL,
        lambda facts: replace(facts, checkpoint=replace(facts.checkpoint, capacity=1), inside=1),
    ),
]


@given(st.sets(st.integers(0, len(FAULTS) - 1)))
def test_the_first_fault_in_order_is_the_answer(chosen: set[int]) -> None:
    facts = FACTS
    for index in sorted(chosen, reverse=True):
        facts = FAULTS[index][1](facts)
    expected = FAULTS[min(chosen)][0] if chosen else VerdictCode.ADMITTED
    assert judge(facts).code is expected


@given(
    st.lists(st.sampled_from(list(Direction)), max_size=30),
    st.sampled_from(list(OnRepeat)),
)
def test_any_sequence_keeps_turns_and_closings_paired(
    directions: list[Direction], on_repeat: OnRepeat
) -> None:
    turns: list[int] = []
    closed: list[int] = []
    for direction in directions:
        here = here_of(turns, closed)
        verdict = judge(replace(_at(on_repeat=on_repeat), direction=direction, here=here))
        if verdict.turn is not None:
            turns.append(verdict.turn)
        if verdict.closes is not None:
            closed.append(verdict.closes)
    assert turns == list(range(len(turns)))
    assert closed == list(range(len(closed)))
    assert 0 <= len(turns) - len(closed) <= 1
    if on_repeat is OnRepeat.REFUSE:
        assert len(turns) <= 1


def test_undone_turns_do_not_count() -> None:
    assert here_of([0], [], [0]) == Here(closings=1, is_inside=False, times=0)
    assert here_of([0, 1], [0]) == Here(closings=1, is_inside=True, times=2)


# --- codes -------------------------------------------------------------------------------------------------------

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "raw",
    [
        TOKEN,
        TOKEN.upper(),
        f"  {TOKEN}\n",
        f"https://example.org/p?token={TOKEN}",
        f"https://opass.app/open/?event_id=E&token={TOKEN.upper()}",
        f"HTTP://EXAMPLE.ORG/P?token={TOKEN}",
    ],
)
def test_a_token_is_found_in_every_form(raw: str) -> None:
    assert read_code(raw).candidates[0] == TOKEN
    assert not read_code(raw).is_malformed


@given(st.integers(0, 2**35))
def test_a_short_code_survives_how_people_type(seed: int) -> None:
    body = "".join(codes.ALPHABET[(seed >> (5 * index)) % 32] for index in range(7))
    code = body + codes.short_check(body)
    for typed in (
        code,
        code.lower(),
        f"{code[:4]}-{code[4:]}",
        f"{code[:4]} {code[4:]}",
        code.replace("0", "O"),
    ):
        reading = read_code(typed)
        assert reading.candidates[0] == code
        assert not reading.is_mistyped


@given(st.integers(0, 2**35), st.integers(0, 7), st.integers(1, 31))
def test_one_wrong_character_is_noticed(seed: int, place: int, shift: int) -> None:
    body = "".join(codes.ALPHABET[(seed >> (5 * index)) % 32] for index in range(7))
    code = body + codes.short_check(body)
    index = codes.ALPHABET.index(code[place])
    other = codes.ALPHABET[(index + shift) % 32]
    wrong = code[:place] + other + code[place + 1 :]
    if {code[place], other} == {"0", "Z"}:
        return  # 31 apart: the one pair that a sum modulo 31 can't tell, see codes.short_check
    assert codes.read_short_code(wrong) is None
    assert read_code(wrong).is_mistyped


@pytest.mark.parametrize("raw", ["", "   ", "\x00\x01", "x" * 501, "a\nb"])
def test_what_cannot_be_a_code_is_malformed(raw: str) -> None:
    assert read_code(raw).is_malformed


@given(st.text(max_size=600))
def test_reading_never_fails_and_keeps_every_short_text(raw: str) -> None:
    reading = read_code(raw)
    text = raw.strip().lstrip("\ufeff")
    assert reading.is_malformed or text in reading.candidates or len(text) > 200


def test_another_shops_code_is_kept_as_it_is() -> None:
    assert read_code("BAGE-2023/0001 ü").candidates == ("BAGE-2023/0001 ü",)


# --- periods, times, figures -------------------------------------------------------------------------------------

DAY = date(2023, 10, 28)
LUNCH = Window(AT + 2 * HOUR, AT + 4 * HOUR)
DINNER = Window(AT + 8 * HOUR, AT + 10 * HOUR)


@pytest.mark.parametrize(
    ("once", "at", "expected"),
    [
        (Once.EVENT, AT, ""),
        (Once.DAY, AT, "2023-10-28"),
        (Once.SESSION, AT, "guid"),
        (Once.WINDOW, AT, "2023-10-28T03:30"),
        (Once.WINDOW, LUNCH.opens_at, "2023-10-28T03:30"),
        (Once.WINDOW, LUNCH.closes_at, "2023-10-28T03:30"),
        (Once.WINDOW, DINNER.opens_at, "2023-10-28T09:30"),
        (Once.WINDOW, AT + 99 * HOUR, "2023-10-28T09:30"),
    ],
)
def test_period(once: Once, at: datetime, expected: str) -> None:
    checkpoint = replace(GATE, once=once, windows=(DINNER, LUNCH), session_guid="guid")
    assert period_of(checkpoint, at=at, programme_date=DAY) == expected


def test_a_window_list_without_windows_counts_per_event() -> None:
    assert period_of(replace(GATE, once=Once.WINDOW), at=AT, programme_date=DAY) == ""


@given(st.one_of(st.none(), st.integers(-(10**12), 10**12)))
def test_effective_time_is_never_in_the_future_and_never_beyond_belief(age_ms: int | None) -> None:
    moment = effective_time(arrived=AT, age_ms=age_ms)
    assert AT - AGE_MAX <= moment.at <= AT
    believable = age_ms is None or 0 <= age_ms <= AGE_MAX.total_seconds() * 1000
    assert moment.is_doubtful is not believable
    if believable and age_ms:
        assert moment.at == AT - timedelta(milliseconds=age_ms)


def test_a_wrong_type_is_shown_the_gate_of_its_own_kind() -> None:
    speakers = replace(GATE, id=2, ticket_types=frozenset({3}))
    lunch = replace(GATE, id=3, kind=CheckpointKind.MEAL)
    shut = replace(GATE, id=4, is_open=False)
    here = replace(GATE, ticket_types=frozenset({4}))
    assert accepting([shut, lunch, speakers, here], ticket_type_id=3, like=here) == 2
    assert accepting([lunch, here], ticket_type_id=3, like=here) is None
    everyone = replace(GATE, id=5)
    assert accepting([everyone], ticket_type_id=3, like=here) == 5


@given(st.integers(0, 100_000))
def test_rounded_is_near_and_hides_small_rooms(count: int) -> None:
    assert rounded(count) % 10 == 0
    assert abs(rounded(count) - count) <= (5 if count >= 5 else 10)
    assert (rounded(count) == 0) is (count == 0)


def test_tones_say_what_the_volunteer_does() -> None:
    assert {code for code, tone in TONES.items() if tone is Tone.GO} == {
        VerdictCode.ADMITTED,
        VerdictCode.WELCOME_BACK,
        VerdictCode.EXIT_RECORDED,
        VerdictCode.EXIT_AUTOMATIC,
        VerdictCode.ADMITTED_BY_LEAD,
    }
    assert OUTCOMES[VerdictCode.NOT_INSIDE] is Outcome.REFUSED


def test_an_address_with_another_kind_of_token_is_only_text() -> None:
    text = "https://example.org/p?token=not-hex"
    assert read_code(text).candidates == (text,)


def test_a_verdict_knows_its_tone_and_what_it_counts_as() -> None:
    assert (Verdict(VerdictCode.ADMITTED).tone, Verdict(VerdictCode.ADMITTED).outcome) == (
        Tone.GO,
        Outcome.ENTRY,
    )
    assert (Verdict(VerdictCode.FULL).tone, Verdict(VerdictCode.FULL).outcome) == (Tone.STOP, Outcome.REFUSED)


def test_no_other_gate_takes_it_either() -> None:
    here = replace(GATE, ticket_types=frozenset({4}))
    neither = replace(GATE, id=6, ticket_types=frozenset({5}))
    assert accepting([neither, here], ticket_type_id=3, like=here) is None
