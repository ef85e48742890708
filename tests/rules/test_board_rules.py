"""What a board marks and warns of; the same vectors are run against the browser's rules (tests/js/alerts.test.mjs)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin import board_rules
from checkin.board_rules import CLOSED, FULL, LEVELS, OPEN

VECTORS: dict[str, Any] = orjson.loads(
    (Path(__file__).resolve().parents[1] / "js" / "alerts.json").read_bytes()
)


@pytest.mark.parametrize(("state", "count", "capacity", "reached"), VECTORS["levels"])
def test_a_level_is_the_highest_mark_that_is_reached(
    state: int, count: int, capacity: int | None, reached: int
) -> None:
    assert board_rules.level(state, count, capacity) == reached


@given(st.integers(0, 5_000), st.integers(1, 5_000))
def test_a_level_never_falls_while_a_room_fills(count: int, capacity: int) -> None:
    now = board_rules.level(OPEN, count, capacity)
    assert now in (0, *LEVELS)
    assert board_rules.level(OPEN, count + 1, capacity) >= now
    assert (now == LEVELS[-1]) is (count >= capacity)
    assert board_rules.level(FULL, count, capacity) == LEVELS[-1]
    assert board_rules.level(CLOSED, count, capacity) == 0


@pytest.mark.parametrize("case", VECTORS["boards"], ids=[one["why"] for one in VECTORS["boards"]])
def test_alerts(case: dict[str, Any]) -> None:
    found = board_rules.alerts(case["board"], case["gates"], case["at"])
    assert [[one.kind, one.subject, one.number] for one in found] == case["alerts"]


@pytest.mark.parametrize("case", VECTORS["lanes"])
def test_a_lane_is_told_in_steps(case: dict[str, Any]) -> None:
    one = board_rules.lane(case["row"], case["starts"], case["at"])
    assert [list(one.steps), one.rate, one.scans, one.refused, one.refused_percent, one.ago_s] == case["lane"]
