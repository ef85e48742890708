"""Passes of the walk-in desk, its ticket types, its namesakes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin.walk_in_rules import (
    LASTS_MS,
    ClaimCode,
    Pass,
    Purpose,
    is_email,
    make_pass,
    namesakes,
    offered,
    read_pass,
)

KEY = b"k" * 32
MADE = Pass(17, 1_700_000_000_000)


@given(st.sampled_from(Purpose), st.integers(1, 10**15), st.integers(0, 10**15), st.text(max_size=10))
def test_a_pass_comes_back_as_it_was_made(purpose: Purpose, number: int, made: int, bearer: str) -> None:
    one = Pass(number, made)
    text = make_pass(KEY, purpose, one, bearer=bearer)
    assert read_pass(KEY, purpose, text, now_ms=made, bearer=bearer) == one
    last = made + LASTS_MS[purpose]
    assert read_pass(KEY, purpose, text, now_ms=last - 1, bearer=bearer) == one
    assert read_pass(KEY, purpose, text, now_ms=last, bearer=bearer) is ClaimCode.LATE


def test_a_pass_serves_its_own_purpose_bearer_and_house() -> None:
    text = make_pass(KEY, Purpose.DESK, MADE, bearer="account:3")
    now = MADE.made_ms

    def reads(key: bytes = KEY, purpose: Purpose = Purpose.DESK, bearer: str = "account:3") -> object:
        return read_pass(key, purpose, text, now_ms=now, bearer=bearer)

    assert reads() == MADE
    assert reads(key=b"x" * 32) is ClaimCode.WRONG
    assert reads(purpose=Purpose.CLAIM) is ClaimCode.WRONG
    assert reads(bearer="account:4") is ClaimCode.WRONG


@pytest.mark.parametrize(
    "text",
    [
        "",
        "17",
        "17-",
        "17-1700000000000",
        "-1-2-x",
        "１７-1700000000000-x",
        "17-x-y",
        "9" * 19 + "-1-x",
        "17-1-\udc80",
    ],
)
def test_what_is_no_pass_is_wrong(text: str) -> None:
    assert read_pass(KEY, Purpose.CLAIM, text, now_ms=0) is ClaimCode.WRONG


@given(st.text(max_size=60))
def test_nothing_that_was_not_made_here_is_a_pass(text: str) -> None:
    assert isinstance(read_pass(KEY, Purpose.CLAIM, text, now_ms=0), ClaimCode)


@dataclass(frozen=True)
class Type:
    code: str
    is_walk_in: bool = True
    is_online: bool = False
    site_id: int | None = None


TYPES = [
    Type("a"),
    Type("b", is_walk_in=False),
    Type("c", is_online=True),
    Type("d", site_id=1),
    Type("e", site_id=2),
]


@pytest.mark.parametrize(
    ("sees_all", "sites", "codes"),
    [
        (False, None, "ade"),
        (True, None, "abde"),
        (False, frozenset({1}), "ad"),
        (True, frozenset(), "ab"),
    ],
)
def test_who_gives_what(sees_all: bool, sites: frozenset[int] | None, codes: str) -> None:
    assert "".join(one.code for one in offered(TYPES, sees_all=sees_all, sites=sites)) == codes


@dataclass(frozen=True)
class Person:
    name: str
    is_gone: bool = False


def test_namesakes() -> None:
    people = [
        Person("林小满"),
        Person("林小满", is_gone=True),
        Person("林小满意"),
        Person("ＬI Lei"),
        Person("李雷"),
    ]
    assert namesakes(" 林小满 ", people) == [people[0]]
    assert namesakes("li lei", people) == [people[3]]
    assert namesakes("王芳", people) == []


def test_one_field_for_both() -> None:
    assert is_email("a@b.cn")
    assert is_email("a＠b.cn")
    assert not is_email("138 0013 8000")
