"""A phone without network: never green on a guess, never red on one, and the same judge wherever it knows enough."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin.offline_rules import (
    UNKNOWN_YET,
    Local,
    OfflineFacts,
    OfflineVerdict,
    Read,
    Snapshot,
    judge_offline,
    told,
)
from checkin.room_rules import Held, RoomState
from checkin.rules import (
    CheckpointFacts,
    CheckpointKind,
    Direction,
    Here,
    Once,
    OnRepeat,
    PassportFacts,
    PassportStatus,
    Reading,
    ScanFacts,
    Tone,
    VerdictCode,
    Window,
    judge,
)
from tests import judge_vectors
from tests.judge_vectors import AT, DIMENSIONS

GATE = CheckpointFacts(1, 1, 1, CheckpointKind.GATE, OnRepeat.WELCOME, Once.DAY, scans_exits=True)
GUEST = PassportFacts(7, 1, 3, PassportStatus.VALID)
FACTS = OfflineFacts(Read.OK, GUEST, GATE, Direction.ENTRY, AT)
OVER = replace(GATE, windows=(Window(AT.replace(hour=0), AT),))
FULL = Held(RoomState.FULL, AT)
INSIDE = Here(0, True, 1)
V, T = VerdictCode, Tone

CASES: list[tuple[str, OfflineFacts, OfflineVerdict]] = [
    ("first entry", FACTS, OfflineVerdict(V.ADMITTED, T.GO)),
    ("no code at all", replace(FACTS, passport=None, read=Read.MALFORMED), OfflineVerdict(V.MALFORMED, T.STOP)),
    (
        "a slip of the finger, or a code of somebody new",
        replace(FACTS, passport=None, read=Read.MISTYPED),
        OfflineVerdict(V.MISTYPED, T.STOP, is_certain=False),
    ),
    (
        "another shop's code that only looks like a slip",
        replace(FACTS, read=Read.MISTYPED),
        OfflineVerdict(V.ADMITTED, T.GO),
    ),
    ("nobody knows it yet", replace(FACTS, passport=None), OfflineVerdict(UNKNOWN_YET, T.CARE, is_certain=False)),
    (
        "nobody knows it yet, where only one ticket type may come",
        replace(FACTS, passport=None, checkpoint=replace(GATE, ticket_types=frozenset({3}))),
        OfflineVerdict(UNKNOWN_YET, T.CARE, is_certain=False),
    ),
    (
        "nobody knows it, and nobody may come now",
        replace(FACTS, passport=None, checkpoint=OVER),
        OfflineVerdict(V.WINDOW_OVER, T.STOP),
    ),
    (
        "somebody unknown leaves",
        replace(FACTS, passport=None, direction=Direction.EXIT),
        OfflineVerdict(UNKNOWN_YET, T.CARE, is_certain=False),
    ),
    (
        "no list at all",
        replace(FACTS, snapshot=Snapshot.NONE),
        OfflineVerdict(UNKNOWN_YET, T.CARE, is_certain=False),
    ),
    (
        "an old list: perhaps",
        replace(FACTS, snapshot=Snapshot.STALE),
        OfflineVerdict(V.ADMITTED, T.CARE, is_certain=False),
    ),
    (
        "an old list: cancelled then",
        replace(FACTS, snapshot=Snapshot.STALE, passport=replace(GUEST, status=PassportStatus.CANCELLED)),
        OfflineVerdict(V.CANCELLED, T.STOP, is_certain=False),
    ),
    ("revoked", replace(FACTS, passport=replace(GUEST, code_is_dead=True)), OfflineVerdict(V.REVOKED, T.STOP)),
    (
        "limited: others may have filled it",
        replace(FACTS, checkpoint=replace(GATE, capacity=1)),
        OfflineVerdict(V.ADMITTED, T.CARE, is_certain=False),
    ),
    (
        "limited, and already inside",
        replace(FACTS, checkpoint=replace(GATE, capacity=1), here=INSIDE),
        OfflineVerdict(V.WELCOME_BACK, T.GO),
    ),
    (
        "said to be full: chairs are seen from the door",
        replace(FACTS, checkpoint=replace(GATE, held=FULL)),
        OfflineVerdict(V.FULL, T.CARE, is_certain=False),
    ),
    (
        "said to be full, and already inside",
        replace(FACTS, checkpoint=replace(GATE, held=FULL), here=INSIDE),
        OfflineVerdict(V.WELCOME_BACK, T.GO),
    ),
    (
        "said to be full until now",
        replace(FACTS, checkpoint=replace(GATE, held=replace(FULL, until=AT))),
        OfflineVerdict(V.ADMITTED, T.GO),
    ),
    (
        "nobody knows them, and it was said to be full",
        replace(FACTS, passport=None, checkpoint=replace(GATE, held=FULL)),
        OfflineVerdict(UNKNOWN_YET, T.CARE, is_certain=False),
    ),
    (
        "closed by hand",
        replace(FACTS, checkpoint=replace(GATE, held=replace(FULL, state=RoomState.CLOSED))),
        OfflineVerdict(V.CLOSED, T.STOP),
    ),
    ("exit", replace(FACTS, direction=Direction.EXIT, here=INSIDE), OfflineVerdict(V.EXIT_RECORDED, T.GO)),
    (
        "exit of somebody who came in elsewhere",
        replace(FACTS, direction=Direction.EXIT),
        OfflineVerdict(V.NOT_INSIDE, T.CARE, is_certain=False),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_cases(facts: OfflineFacts, verdict: OfflineVerdict) -> None:
    assert judge_offline(facts) == verdict


@pytest.mark.parametrize(
    ("verdict", "direction", "local"),
    [
        (OfflineVerdict(V.ADMITTED, T.GO), Direction.ENTRY, Local.ADMITTED),
        (OfflineVerdict(V.ALREADY_HERE, T.CARE), Direction.ENTRY, Local.ADMITTED),
        (OfflineVerdict(V.FULL, T.CARE, is_certain=False), Direction.ENTRY, Local.ADMITTED),
        (OfflineVerdict(UNKNOWN_YET, T.CARE, is_certain=False), Direction.ENTRY, Local.UNKNOWN_YET),
        (OfflineVerdict(UNKNOWN_YET, T.CARE, is_certain=False), Direction.EXIT, Local.EXIT),
        (OfflineVerdict(V.EXIT_RECORDED, T.GO), Direction.EXIT, Local.EXIT),
        (OfflineVerdict(V.NO_EXITS_HERE, T.STOP), Direction.EXIT, Local.REFUSED),
        (OfflineVerdict(V.REVOKED, T.STOP), Direction.ENTRY, Local.REFUSED),
    ],
)
def test_what_the_phone_told(verdict: OfflineVerdict, direction: Direction, local: Local) -> None:
    assert told(verdict, direction) is local


passports = st.builds(
    PassportFacts,
    st.just(7),
    st.sampled_from([1, 1, 2]),
    st.sampled_from([3, 4]),
    st.sampled_from(PassportStatus),
    st.booleans(),
)
doors = st.builds(
    CheckpointFacts,
    st.just(1),
    st.just(1),
    st.just(1),
    st.sampled_from(CheckpointKind),
    st.sampled_from(OnRepeat),
    st.sampled_from(Once),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(), (Window(AT, AT.replace(hour=9)),), OVER.windows]),
    st.sampled_from([frozenset(), frozenset({3})]),
    st.sampled_from([None, 5]),
    held=st.sampled_from([None, FULL, replace(FULL, state=RoomState.CLOSED), replace(FULL, until=AT)]),
)
heres = st.builds(Here, st.integers(0, 2), st.booleans(), st.integers(0, 2))
facts = st.builds(
    OfflineFacts,
    st.sampled_from(Read),
    passports | st.none(),
    doors,
    st.sampled_from(Direction),
    st.just(AT),
    heres,
    st.sampled_from(Snapshot),
)


@given(facts, st.integers(0, 9))
def test_certain_means_that_the_server_says_the_same(given_: OfflineFacts, inside: int) -> None:
    """Whatever else the server knows: with the same passport and history it says what a certain phone said."""
    said = judge_offline(given_)
    if said.is_certain and given_.passport is not None and given_.snapshot is not Snapshot.NONE:
        readings = {Read.OK: Reading(("x",)), Read.MISTYPED: Reading(("x",), is_mistyped=True)}
        if given_.read in readings:
            verdict = judge(
                ScanFacts(
                    readings[given_.read],
                    given_.passport,
                    given_.checkpoint,
                    given_.direction,
                    AT,
                    given_.here,
                    inside,
                )
            )
            assert (said.code, said.tone) == (verdict.code, verdict.tone)


@given(facts)
def test_green_is_never_a_guess(given_: OfflineFacts) -> None:
    said = judge_offline(given_)
    if said.tone is Tone.GO:
        assert said.is_certain and given_.passport is not None and given_.snapshot is Snapshot.WHOLE


@given(facts, passports)
def test_who_is_unknown_is_refused_only_where_everybody_would_be(
    given_: OfflineFacts, passport: PassportFacts
) -> None:
    unknown = judge_offline(replace(given_, passport=None, read=Read.OK))
    if unknown.tone is Tone.STOP:
        known = replace(given_, passport=passport, read=Read.OK, snapshot=Snapshot.WHOLE, here=Here())
        assert judge_offline(known).tone is Tone.STOP


def test_the_vectors_are_many_and_every_three_values_meet(tmp_path: Path) -> None:
    first, again = tmp_path / "one.json", tmp_path / "two.json"
    count = judge_vectors.write(first)
    assert count == judge_vectors.write(again) >= 2_000
    assert first.read_bytes() == again.read_bytes()
    written = orjson.loads(first.read_bytes())
    codes = {vector["verdict"]["code"] for vector in written["judge"]}
    by_a_lead = {V.ADMITTED_BY_LEAD, V.ENTRY_UNDONE, V.EXIT_UNDONE}
    at_the_server = {V.UNKNOWN, V.TURNED_AWAY, V.LET_IN, V.LET_IN_UNDONE, V.EXIT_AUTOMATIC}
    assert codes == {str(code) for code in set(V) - by_a_lead - at_the_server} | {UNKNOWN_YET}
    sizes = [range(len(values)) for values in DIMENSIONS.values()]
    met: set[tuple[tuple[int, int], ...]] = set()
    for number in range(0, judge_vectors.POSSIBLE, judge_vectors.STRIDE):
        met.update(itertools.combinations(enumerate(judge_vectors.turned(number)), 3))
    assert len(met) == sum(len(a) * len(b) * len(c) for a, b, c in itertools.combinations(sizes, 3))
