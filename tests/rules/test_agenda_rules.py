"""Reading programmes: kinds, wall-clock times of a zone, what a session may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenda.rules import AgendaCode, SessionKind, read_kind, read_moment, session_problems
from kernel.errors import Problem
from kernel.text import LocalizedText

AT = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2023-10-28 09:30",
        "2023/10/28 9:30",
        "2023.10.28T09:30:00",
        "2023年10月28日 09：30",
        " 2023-10-28  09:30 ",
    ],
)
def test_a_wall_clock_time_is_read_as_people_write_it(text: str) -> None:
    assert read_moment(text, "Asia/Shanghai") == AT


@pytest.mark.parametrize(
    "text", ["", "09:30", "2023-02-30 09:30", "2023-10-28 24:00", "28.10.2023 09:30", "soon"]
)
def test_anything_else_is_refused(text: str) -> None:
    assert read_moment(text, "Asia/Shanghai") == Problem(AgendaCode.SESSION_TIME_MALFORMED)


def test_a_time_that_comes_twice_or_never_is_not_guessed() -> None:
    assert read_moment("2023-10-29 02:30", "Europe/Berlin") == Problem(AgendaCode.SESSION_TIME_TWICE)
    assert read_moment("2023-03-26 02:30", "Europe/Berlin") == Problem(AgendaCode.SESSION_TIME_SKIPPED)
    assert read_moment("2023-10-29 03:00", "Europe/Berlin") == datetime(2023, 10, 29, 2, 0, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 -- a wall clock
def test_what_is_written_is_what_the_zone_shows(local: datetime) -> None:
    read = read_moment(f"{local:%Y-%m-%d %H:%M}", "Asia/Kathmandu")
    assert isinstance(read, datetime)
    assert read == local.replace(second=0, microsecond=0, tzinfo=UTC) - timedelta(hours=5, minutes=45)


def test_kinds_by_code_and_by_chinese_word() -> None:
    assert [read_kind(text) for text in ("", "Talk", "圆桌 讨论", "茶歇", "WORKSHOP")] == [
        SessionKind.TALK,
        SessionKind.TALK,
        SessionKind.PANEL,
        SessionKind.BREAK,
        SessionKind.WORKSHOP,
    ]
    assert read_kind("party") == Problem(AgendaCode.SESSION_KIND_UNKNOWN, {"value": "party"})


def test_a_session_has_a_title_ends_after_it_starts_and_within_a_day() -> None:
    title, hour = LocalizedText({"en": "Opening"}), timedelta(hours=1)
    assert session_problems(title=title, speakers="", starts_at=AT, ends_at=AT + 24 * hour) == {}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"title": LocalizedText({"en": " "})}, "title"),
        ({"title": LocalizedText({"en": "x" * 201})}, "title"),
        ({"speakers": "x" * 301}, "speakers"),
        ({"ends_at": AT}, "ends_at"),
        ({"ends_at": AT + 25 * hour}, "ends_at"),
    ]
    for more, field in cases:
        values: dict[str, Any] = {
            "title": title,
            "speakers": "",
            "starts_at": AT,
            "ends_at": AT + hour,
        } | more
        assert list(session_problems(**values)) == [field]
