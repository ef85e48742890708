"""A rehearsal ends before the first real guest stands at a door, whatever was planned and whatever was moved since."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin.rehearsal_rules import RehearsalCode, Span, doors_open, end_of, lasting, running
from checkin.rules import CheckpointFacts, CheckpointKind, Once, OnRepeat, Window

AT = datetime(2023, 10, 27, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DOORS = AT + 17 * HOUR


def _facts(kind: CheckpointKind, *opens: datetime) -> CheckpointFacts:
    windows = tuple(Window(at, at + HOUR) for at in opens)
    return CheckpointFacts(1, 1, 1, kind, OnRepeat.WELCOME, Once.DAY, windows=windows)


def test_the_doors_open_with_the_first_gate() -> None:
    gates = [_facts(CheckpointKind.GATE, DOORS + HOUR, DOORS), _facts(CheckpointKind.GATE, DOORS + 2 * HOUR)]
    assert doors_open([*gates, _facts(CheckpointKind.MEAL, AT)], date(2023, 10, 28), "Asia/Shanghai") == DOORS


@pytest.mark.parametrize(
    "checkpoints", [[], [_facts(CheckpointKind.GATE)], [_facts(CheckpointKind.SESSION, AT)]]
)
def test_without_a_gates_window_at_midnight_before_the_first_day(checkpoints: list[CheckpointFacts]) -> None:
    found = doors_open(checkpoints, date(2023, 10, 28), "Asia/Shanghai")
    assert found == datetime(2023, 10, 27, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "at", "expected"),
    [
        (None, AT, DOORS),
        (DOORS, AT, DOORS),
        (AT + HOUR, AT, AT + HOUR),
        (DOORS + HOUR, AT, RehearsalCode.PAST_DOORS),
        (AT, AT, RehearsalCode.ENDS_TOO_SOON),
        (None, DOORS, RehearsalCode.DOORS_ARE_OPEN),
        (DOORS + 2 * HOUR, DOORS + HOUR, RehearsalCode.DOORS_ARE_OPEN),
    ],
)
def test_when_it_ends(until: datetime | None, at: datetime, expected: datetime | RehearsalCode) -> None:
    assert end_of(until, at=at, doors=DOORS) == expected


hours = st.integers(-48, 48).map(lambda number: AT + number * HOUR)


@given(st.lists(st.builds(Span, hours, hours), max_size=5), hours, hours)
def test_nothing_is_tried_once_the_doors_are_open(spans: list[Span], doors: datetime, at: datetime) -> None:
    found = lasting(spans, doors)
    one = running(found, at)
    assert (one is not None) == (at < doors and any(span.starts_at <= at < span.ends_at for span in spans))
    if one is not None:
        assert at in one and one.ends_at <= doors
