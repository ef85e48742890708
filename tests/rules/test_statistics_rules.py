"""Numbers of registrations: days, countdowns, expectations."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.statistics_rules import (
    ASSUMED,
    DAYS_MAX,
    ENOUGH,
    MARGIN,
    Basis,
    Countdown,
    Day,
    Expectation,
    Past,
    countdown,
    daily,
    expect,
    gather,
    marks,
)

FIRST = date(2023, 9, 1)


def on(offset: int) -> date:
    return FIRST + timedelta(days=offset)


def test_days_without_registrations_are_days_too() -> None:
    assert daily({}, {}) == []
    found = daily({on(0): 3, on(2): 1}, {on(0): 2, on(2): 1}, until=on(3))
    assert found == [Day(on(0), 3, 2), Day(on(1), 0, 2), Day(on(2), 1, 3), Day(on(3), 0, 3)]
    # An import with dates after today is not cut off.
    assert daily({on(5): 1}, {}, until=on(2)) == [Day(on(5), 1, 0)]


counts = st.dictionaries(st.integers(0, 1500).map(on), st.integers(1, 50), min_size=1, max_size=20)


@given(counts)
def test_nobody_is_lost_by_cutting_the_chart(new: dict[date, int]) -> None:
    found = daily(new, new)
    assert len(found) <= DAYS_MAX
    assert sum(day.new for day in found) == sum(new.values()) == found[-1].total
    assert [day.on for day in found] == [found[0].on + timedelta(days=n) for n in range(len(found))]
    assert all(one.total <= two.total for one, two in itertools.pairwise(found))


def test_two_events_on_one_axis() -> None:
    own = daily({on(0): 1, on(2): 4}, {on(0): 1, on(2): 4})
    other = [Day(date(2022, 9, 1), 2, 2), Day(date(2022, 9, 2), 0, 2), Day(date(2022, 9, 3), 3, 5)]
    found = countdown(own, on(4), other, date(2022, 9, 3))
    assert found == [
        Countdown(4, 1, 0),
        Countdown(3, 1, 0),
        Countdown(2, 5, 2),
        Countdown(1, None, 2),
        Countdown(0, None, 5),
    ]
    assert countdown([], on(4), other, date(2022, 9, 3)) == []
    assert countdown(own, on(4), [], date(2022, 9, 3)) == []


def test_an_event_that_began_later_stands_at_nothing_before() -> None:
    own = [Day(on(3), 1, 1)]
    other = [Day(on(0), 1, 1), Day(on(4), 1, 2)]
    found = countdown(own, on(4), other, on(4))
    assert found[0] == Countdown(4, 0, 1)
    assert found[-1] == Countdown(0, None, 2)


@given(counts, counts, st.integers(-400, 1500), st.integers(-400, 1500))
def test_a_comparison_is_bounded_and_without_gaps(
    one: dict[date, int], two: dict[date, int], starts: int, others: int
) -> None:
    found = countdown(daily(one, one), on(starts), daily(two, two), on(others))
    assert len(found) <= DAYS_MAX
    assert all(row.other is not None for row in found)
    assert [row.other for row in found] == sorted(row.other or 0 for row in found)
    assert [row.days_before for row in found] == list(
        range(found[0].days_before, found[0].days_before - len(found), -1)
    )


def past(event_id: int, confirmed: int, arrived: int, **more: object) -> Past:
    values: dict[str, object] = {"same_series": True, "code": "general", "role": "attendee"}
    return Past(event_id=event_id, confirmed=confirmed, arrived=arrived, **(values | more))  # type: ignore[arg-type]


def test_without_history_the_range_is_said_to_be_assumed() -> None:
    found = expect(101, [], code="general", role="attendee")
    assert found == Expectation(101, *ASSUMED, Basis.ASSUMED)
    assert (found.low, found.high) == (20, 51)
    assert expect(10, [past(1, ENOUGH - 1, 3)], code="general", role="attendee").basis is Basis.ASSUMED


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # one event: 40 % stayed away, and a margin on both sides
        ([past(1, 100, 60)], (40 - MARGIN, 40 + MARGIN, Basis.SERIES_TYPE, 1)),
        # two events, 20 % and 40 %
        ([past(1, 100, 60), past(2, 100, 80)], (20, 40, Basis.SERIES_TYPE, 2)),
        # the same role, another type
        ([past(1, 100, 60, code="vip")], (35, 45, Basis.SERIES_ROLE, 1)),
        # another series, two types of one event counted together
        (
            [past(1, 50, 50, same_series=False, code="a"), past(1, 50, 10, same_series=False, code="b")],
            (35, 45, Basis.HOUSE_ROLE, 1),
        ),
        # another role tells nothing
        ([past(1, 100, 60, code="vip", role="speaker")], (*ASSUMED, Basis.ASSUMED, 0)),
        # never below nobody or above everybody
        ([past(1, 100, 100)], (0, MARGIN, Basis.SERIES_TYPE, 1)),
        ([past(1, 100, 0)], (100 - MARGIN, 100, Basis.SERIES_TYPE, 1)),
        # more came than were confirmed (cancelled since): nobody stayed away; an event of nobody is none
        ([past(1, 100, 120), past(2, 0, 0)], (0, MARGIN, Basis.SERIES_TYPE, 1)),
    ],
)
def test_what_an_expectation_leans_on(rows: list[Past], expected: tuple[int, int, Basis, int]) -> None:
    found = expect(200, rows, code="general", role="attendee")
    assert (found.low_percent, found.high_percent, found.basis, found.events) == expected


pasts = st.builds(
    past,
    st.integers(1, 4),
    st.integers(0, 300),
    st.integers(0, 300),
    same_series=st.booleans(),
    code=st.sampled_from("ab"),
)


@given(st.integers(0, 5000), st.lists(pasts, max_size=8))
def test_an_expectation_is_a_range_of_people_who_are_there(confirmed: int, rows: list[Past]) -> None:
    found = expect(confirmed, rows, code="a", role="attendee")
    assert 0 <= found.low_percent < found.high_percent <= 100
    assert 0 <= found.low <= found.high <= confirmed


def test_marks_of_an_axis() -> None:
    assert marks(0) == [0, 1]
    assert marks(5) == [0, 1, 2, 3, 4, 5]
    assert marks(7) == [0, 2, 4, 6, 8]
    assert marks(13) == [0, 5, 10, 15]
    assert marks(1180) == [0, 500, 1000, 1500]


@given(st.integers(0, 10**7))
def test_marks_hold_the_top_and_are_few(top: int) -> None:
    found = marks(top)
    assert found[0] == 0
    assert found[-1] >= top
    assert 2 <= len(found) <= 6


def test_small_groups_are_not_shown() -> None:
    rows = [("开源社", 12), ("某公司", 1), ("A", 3), ("B", 3), ("C", 2)]
    assert gather(rows, limit=3, at_least=2) == ([("开源社", 12), ("A", 3), ("B", 3)], 3)
    assert gather([], limit=3, at_least=2) == ([], 0)
