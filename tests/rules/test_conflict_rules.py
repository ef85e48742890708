"""What a phone told against what is written: which of the two somebody must look at, and who counts as inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin.conflict_rules import TWO_LANES_WITHIN, Met, Story, in_conflict, let_in, settled, story
from checkin.offline_rules import LET_IN, Local
from checkin.rules import OUTCOMES, Direction, Here, Outcome, Verdict, VerdictCode

V = VerdictCode
AT = datetime(2023, 10, 28, 2, 2, tzinfo=UTC)
SOON, LATER = AT - timedelta(minutes=1), AT - TWO_LANES_WITHIN - timedelta(seconds=1)
#: What a scan may be answered; the others are rows that nobody sends.
ANSWERS = sorted(set(V) - {V.ENTRY_UNDONE, V.EXIT_UNDONE, V.LET_IN, V.LET_IN_UNDONE})


def _clash(verdict: VerdictCode, local: Local = Local.ADMITTED, **more: object) -> bool:
    values: dict[str, object] = {"by": "device:1", "at": AT, "met": None, "records_exits": False}
    direction = more.pop("direction", Direction.ENTRY)
    return in_conflict(verdict, local, direction, **(values | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("why", "found", "expected"),
    [
        ("as the phone said", _clash(V.ADMITTED), False),
        ("by a lead", _clash(V.ADMITTED_BY_LEAD), False),
        ("revoked meanwhile", _clash(V.REVOKED), True),
        ("nobody has it", _clash(V.UNKNOWN, Local.UNKNOWN_YET), True),
        ("full", _clash(V.FULL), True),
        ("refused by both", _clash(V.REVOKED, Local.REFUSED), False),
        ("sent away, though welcome", _clash(V.TURNED_AWAY, Local.REFUSED), True),
        ("sent away, and written as admitted before that", _clash(V.ADMITTED, Local.REFUSED), True),
        ("decided by the server", _clash(V.REVOKED, Local.NONE), False),
        ("nobody is kept in", _clash(V.NOT_INSIDE, Local.EXIT, direction=Direction.EXIT), False),
        ("a way out told as a way in", _clash(V.NO_EXITS_HERE, direction=Direction.EXIT), False),
        ("two lanes", _clash(V.ALREADY_HERE, met=Met("device:2", LATER)), True),
        ("lunch at two lanes", _clash(V.ALREADY_USED, met=Met("device:2", LATER)), True),
        ("the same lane twice", _clash(V.ALREADY_HERE, met=Met("device:1", SOON)), False),
        ("nothing is known of the first", _clash(V.ALREADY_HERE), False),
        ("two gates within a minute", _clash(V.WELCOME_BACK, met=Met("device:2", SOON)), True),
        ("two gates, the other way round", _clash(V.WELCOME_BACK, met=Met("device:2", AT + timedelta(minutes=9))), True),
        ("back after a while", _clash(V.WELCOME_BACK, met=Met("device:2", LATER)), False),
        ("back after a while, and never out", _clash(V.WELCOME_BACK, met=Met("device:2", LATER), records_exits=True), True),
    ],
)  # fmt: skip
def test_what_is_a_conflict(why: str, found: bool, expected: bool) -> None:
    assert found is expected, why


@pytest.mark.parametrize(
    ("verdict", "local", "expected"),
    [
        (V.REVOKED, Local.ADMITTED, Story.REFUSED),
        (V.FULL, Local.UNKNOWN_YET, Story.REFUSED),
        (V.UNKNOWN, Local.UNKNOWN_YET, Story.NOBODY),
        (V.OTHER_EVENT, Local.UNKNOWN_YET, Story.NOBODY),
        (V.WELCOME_BACK, Local.ADMITTED, Story.TWO_LANES),
        (V.TURNED_AWAY, Local.REFUSED, Story.SENT_AWAY),
    ],
)
def test_which_story_it_tells(verdict: VerdictCode, local: Local, expected: Story) -> None:
    assert story(verdict, local) is expected


def test_who_was_sent_away_did_not_come_in() -> None:
    admitted = Verdict(V.ADMITTED, turn=0)
    assert settled(admitted, Local.REFUSED) == Verdict(V.TURNED_AWAY)
    assert settled(admitted, Local.ADMITTED) == admitted
    by_lead = Verdict(V.ADMITTED_BY_LEAD, turn=0)
    assert settled(by_lead, Local.REFUSED) == by_lead
    assert settled(Verdict(V.WELCOME_BACK, met_turn=0), Local.REFUSED).code is V.WELCOME_BACK


heres = st.builds(Here, st.integers(0, 3), st.booleans(), st.integers(0, 3))


@given(st.sampled_from(ANSWERS), st.sampled_from(Local), heres)
def test_nobody_is_inside_twice(code: VerdictCode, local: Local, here: Here) -> None:
    verdict = Verdict(code, turn=here.closings if OUTCOMES[code] is Outcome.ENTRY else None)
    turn = let_in(verdict, local, here)
    if turn is not None:
        assert turn == here.closings and not here.is_inside and verdict.turn is None and local in LET_IN
    elif local in LET_IN and verdict.turn is None:
        assert here.is_inside


@given(st.sampled_from(ANSWERS), st.sampled_from([Local.ADMITTED, Local.UNKNOWN_YET]))
def test_every_refusal_of_somebody_let_in_is_a_conflict(code: VerdictCode, local: Local) -> None:
    if OUTCOMES[code] is Outcome.REFUSED:
        assert _clash(code, local)
