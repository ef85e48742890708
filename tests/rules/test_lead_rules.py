"""What a lead may decide: against which refusals, and which scan may be taken back until when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin.lead_rules import MAY_BE_OVERRULED, UNDO, UNDO_WITHIN, Line, Undo, overruled, undo
from checkin.rules import OUTCOMES, CheckinCode, Here, Outcome, Verdict, VerdictCode, here_of

SOON = timedelta(minutes=1)


@pytest.mark.parametrize("code", sorted(MAY_BE_OVERRULED))
def test_a_refusal_of_somebody_known_may_be_overruled(code: VerdictCode) -> None:
    assert OUTCOMES[code] in (Outcome.REFUSED, Outcome.REPEAT)
    assert overruled(Verdict(code), Here()) == Verdict(VerdictCode.ADMITTED_BY_LEAD, turn=0)
    assert overruled(Verdict(code), Here(closings=2)).turn == 2


def test_who_is_inside_is_counted_once_more_but_takes_no_turn() -> None:
    inside = Here(closings=1, is_inside=True, times=1)
    assert overruled(Verdict(VerdictCode.ALREADY_USED, met_turn=1), inside) == Verdict(
        VerdictCode.ADMITTED_BY_LEAD, met_turn=1
    )


@pytest.mark.parametrize("code", sorted(set(VerdictCode) - MAY_BE_OVERRULED))
def test_everything_else_stays_what_it_was(code: VerdictCode) -> None:
    verdict = Verdict(code, turn=3)
    assert overruled(verdict, Here()) is verdict


def test_an_entry_is_closed_as_if_it_had_not_been() -> None:
    assert undo([Line(7, 0, "entry")], line_id=7, age=SOON) == Undo(VerdictCode.ENTRY_UNDONE, 0, UNDO)


def test_an_exit_taken_back_opens_the_next_turn() -> None:
    history = [Line(7, 0, "entry"), Line(8, 0, "exit")]
    assert undo(history, line_id=8, age=SOON) == Undo(VerdictCode.EXIT_UNDONE, 1, "entry")


@pytest.mark.parametrize(
    ("history", "line_id"),
    [
        ([], 7),
        ([Line(7, 0, "entry"), Line(8, 0, "exit")], 7),
        ([Line(7, 0, "entry"), Line(9, 0, UNDO)], 7),
        ([Line(7, 0, "entry"), Line(9, 0, UNDO)], 9),
    ],
)
def test_only_the_latest_may_be_taken_back_and_once(history: list[Line], line_id: int) -> None:
    assert undo(history, line_id=line_id, age=SOON) is CheckinCode.UNDO_NOT_LATEST


def test_only_within_a_time() -> None:
    history = [Line(7, 0, "entry")]
    assert isinstance(undo(history, line_id=7, age=UNDO_WITHIN), Undo)
    late = UNDO_WITHIN + timedelta(seconds=1)
    assert undo(history, line_id=7, age=late) is CheckinCode.UNDO_TOO_LATE


@given(st.lists(st.sampled_from(["scan", "undo"]), max_size=30))
def test_whatever_is_scanned_and_taken_back_turns_stay_unique(steps: list[str]) -> None:
    """Entries, exits and undos in any order: one row a turn and direction, and inside means a turn that stands."""
    lines: list[Line] = []

    def here() -> Here:
        by = {name: [one.turn for one in lines if one.direction == name] for name in ("entry", "exit", UNDO)}
        return here_of(by["entry"], by["exit"], by[UNDO])

    for step in steps:
        was = here()
        number = len(lines) + 1
        if step == "scan":
            lines.append(Line(number, was.closings, "exit" if was.is_inside else "entry"))
            assert here().is_inside is not was.is_inside
            continue
        found = undo(lines, line_id=len(lines), age=SOON)
        if isinstance(found, Undo):
            lines.append(Line(number, found.turn, found.direction))
            assert here().is_inside is not was.is_inside
    assert len({(one.turn, one.direction) for one in lines}) == len(lines)
