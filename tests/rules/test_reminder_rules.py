"""When reminders leave, and what becomes of their placeholders."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.reminder_rules import (
    SUBJECT_MAX,
    Placeholder,
    ReminderCode,
    due,
    filled,
    leaves_at,
    problems,
    unknown_placeholders,
)
from kernel.errors import Code
from kernel.text import LocalizedText

FIRST = date(2023, 10, 28)
ZONE = "Asia/Shanghai"


def at(day: int, hour: int) -> datetime:
    """An hour of an October day by the clock in Chengdu."""
    return datetime(2023, 10, day, hour, tzinfo=UTC) - timedelta(hours=8)


def test_they_leave_at_nine_by_the_events_clock() -> None:
    assert leaves_at(FIRST, 7, ZONE) == at(21, 9)
    assert leaves_at(FIRST, 1, ZONE) == at(27, 9)
    # The night in which clocks go back in Berlin: still nine by the clock on the wall.
    assert leaves_at(date(2023, 10, 30), 1, "Europe/Berlin") == datetime(2023, 10, 29, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (at(21, 8), None),
        (at(21, 9), 7),
        (at(26, 23), 7),
        (at(27, 9), 1),
        (at(27, 23), 1),
        (at(28, 0), None),
        (at(29, 12), None),
    ],
)
def test_the_one_whose_time_has_come_and_the_next_ones_has_not(
    moment: datetime, expected: int | None
) -> None:
    assert due(FIRST, ZONE, (7, 1), moment) == expected


def test_one_that_is_switched_off_is_passed_over() -> None:
    assert due(FIRST, ZONE, (7,), at(27, 12)) == 7
    assert due(FIRST, ZONE, (), at(27, 12)) is None


@given(st.integers(min_value=-40, max_value=40 * 24))
def test_never_before_its_time_and_never_on_the_day_itself(hours: int) -> None:
    moment = at(21, 9) - timedelta(days=30) + timedelta(hours=hours)
    days = due(FIRST, ZONE, (7, 1), moment)
    if days is not None:
        assert leaves_at(FIRST, days, ZONE) <= moment < at(28, 0)


def test_placeholders_are_filled_and_others_stay_and_are_named() -> None:
    text = "Hello {name}, {event} { when } {nobody} {}"
    values = {Placeholder.NAME: "{event}", Placeholder.EVENT: "COSCon"}
    # A name in braces is a name, not a placeholder.
    assert filled(text, values) == "Hello {event}, COSCon  {nobody} {}"
    assert unknown_placeholders(text) == ["nobody", ""]


@given(st.text())
def test_what_holds_no_brace_is_never_changed(text: str) -> None:
    plain = text.replace("{", "").replace("}", "")
    assert filled(plain, {}) == plain
    assert unknown_placeholders(plain) == []


def test_problems_stand_at_their_field() -> None:
    good = LocalizedText({"en": "Hi {name}"})
    assert problems(good, good) == {}
    assert problems(LocalizedText({"en": " "}), good)["subject"].code == Code.REQUIRED
    assert problems(LocalizedText({"en": "x" * (SUBJECT_MAX + 1)}), good)["subject"].code == Code.TOO_LONG
    wrong = problems(good, LocalizedText({"zh-Hans": "{姓名}"}))["text"]
    assert (wrong.code, wrong.params) == (ReminderCode.PLACEHOLDER_UNKNOWN, {"name": "姓名"})
