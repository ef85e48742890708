"""The paper list: letters, shares for several desks, times as they stand on paper, codes as they are typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin.list_rules import LETTERS, OTHERS, Span, by_letter, codes_of, shares, span_of, ticked_at
from events.pinyin_rules import sort_key

CHENGDU = ZoneInfo("Asia/Shanghai")
NOW = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)  # 09:30


@dataclass(frozen=True)
class Somebody:
    sort_key: str


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("", ["A", "Z", OTHERS], []),
        ("nonsense", ["A", OTHERS], []),
        ("S", ["S"], ["R", "T", OTHERS]),
        (" b-d ", ["B", "C", "D"], ["A", "E", OTHERS]),
        ("X-*", ["X", "Z", OTHERS], ["W"]),
        ("*", [OTHERS], ["Z"]),
    ],
)
def test_letters_are_in_a_span_or_not(text: str, inside: list[str], outside: list[str]) -> None:
    span = span_of(text)
    assert all(letter in span for letter in inside)
    assert not any(letter in span for letter in outside)


def test_names_stand_in_chapters() -> None:
    people = [Somebody(key) for key in sorted(sort_key(name) for name in ("张三", "曾毅", "李四", "Bob"))]
    assert [(letter, len(some)) for letter, some in by_letter(people)] == [("L", 1), ("Z", 2), (OTHERS, 1)]


def test_desks_share_the_list_without_cutting_a_letter() -> None:
    counts = {"A": 3, "C": 4, "L": 20, "W": 5, "Z": 5, OTHERS: 2}
    assert shares(counts, most=10) == [("A-C", 7), ("L", 20), ("W-Z", 10), ("*", 2)]
    assert shares({"Y": 1, OTHERS: 1}, most=10) == [("Y-*", 2)]
    assert shares({}, most=10) == []


COUNTS = st.dictionaries(st.sampled_from([*LETTERS, OTHERS]), st.integers(0, 400))


@given(COUNTS, st.integers(1, 300))
def test_every_letter_is_in_one_share(counts: dict[str, int], most: int) -> None:
    parts = shares(counts, most=most)
    assert sum(count for _, count in parts) == sum(counts.values())
    for letter, count in counts.items():
        assert sum(letter in span_of(text) for text, _ in parts) == (1 if count else 0) or not count


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("09:30", timedelta()),
        ("9:05", timedelta(minutes=25)),
        (" 08：30 ", timedelta(hours=1)),
        ("09.00", timedelta(minutes=30)),
        ("23:30", timedelta(hours=10)),
    ],
)
def test_a_time_on_paper_is_the_latest_such_moment(text: str, ago: timedelta) -> None:
    assert ticked_at(text, now=NOW, zone=CHENGDU) == NOW - ago


@pytest.mark.parametrize("text", ["", "soon", "24:00", "12:60", "1230"])
def test_what_is_no_time_is_said(text: str) -> None:
    assert ticked_at(text, now=NOW, zone=CHENGDU) is None


def test_codes_come_one_a_line_each_once() -> None:
    assert codes_of("7KQ2 M9XD\r\n7KQ2 M9XD\n\n ABCD1234，X；Y,Z ") == [
        "7KQ2 M9XD",
        "ABCD1234",
        "X",
        "Y",
        "Z",
    ]
    assert codes_of(" \n") == []


def test_a_span_by_default_is_everybody() -> None:
    assert Span() == span_of("")
