"""A partner's pasted list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.contacts import ContactCode
from events.partner_rules import (
    LINES_MAX,
    LinkState,
    Outcome,
    PartnerCode,
    Plan,
    is_too_often,
    link_state,
    plan,
    rows_of,
)
from events.rules import EventCode
from events.sheets import SheetProblem
from kernel.errors import Code

AT = datetime(2023, 10, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    name: str
    email: str = ""
    phone: str = ""


def planned(text: str, *known: Person) -> Plan:
    return plan(rows_of(text), known)


@pytest.mark.parametrize(
    ("is_active", "until", "state"),
    [
        (True, None, LinkState.OPEN),
        (True, datetime(2023, 10, 1, 0, 0, 1, tzinfo=UTC), LinkState.OPEN),
        (True, AT, LinkState.OVER),
        (False, None, LinkState.OFF),
        (False, AT, LinkState.OFF),
    ],
)
def test_a_link_is_open_until_its_end(is_active: bool, until: datetime | None, state: LinkState) -> None:
    assert link_state(is_active=is_active, valid_until=until, at=AT) is state


@pytest.mark.parametrize(
    "text",
    [
        "林小满\txiaoman@example.org\t开源社\n王芳\t13800138000\t某大学",
        "林小满,xiaoman@example.org,开源社\n王芳,138 0013 8000,某大学",
        "林小满，xiaoman@example.org，开源社\n\n王芳，+86 13800138000，某大学",
        "姓名\t邮箱\t手机\t单位\n林小满\txiaoman@example.org\t\t开源社\n王芳\t\t13800138000\t某大学",
        "学校\t联系方式\t姓名\n开源社\txiaoman＠example.org\t林小满\n某大学\t13800138000\t王芳",
        # numbers in the column of addresses
        "Name,E-mail,School\n林小满,xiaoman@example.org,开源社\n王芳,13800138000,某大学",
    ],
)
def test_people_come_as_spreadsheets_copy_them(text: str) -> None:
    found = planned(text)
    assert found.problem is None
    assert found.bad == frozenset()
    one, two = found.having(Outcome.NEW)
    assert (one.contact.name, one.contact.email, one.contact.organisation) == (
        "林小满",
        "xiaoman@example.org",
        "开源社",
    )
    assert (two.contact.name, two.contact.phone, two.contact.organisation) == (
        "王芳",
        "+8613800138000",
        "某大学",
    )


def test_both_ways_to_reach_somebody_in_any_order() -> None:
    [line] = planned("林小满,13800138000,xiaoman@example.org,开源社,再来一列").lines
    assert (line.contact.email, line.contact.phone) == ("xiaoman@example.org", "+8613800138000")
    assert line.contact.organisation == "开源社"
    [line] = planned("林小满,xiaoman@example.org,开源社,研发部").lines
    assert line.contact.organisation == "开源社"


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        (",a@example.org,x", "name", ContactCode.NAME_MISSING),
        ("王芳,,某大学", "email", EventCode.CONTACT_MISSING),
        ("王芳,wangfang#example.org", "email", ContactCode.EMAIL_INVALID),
        ("王芳,wang@,x", "email", ContactCode.EMAIL_INVALID),
        ("王芳,123,x", "phone", ContactCode.PHONE_INVALID),
        ("王芳,1.38E+10,x", "phone", ContactCode.PHONE_SCIENTIFIC),
        ("王芳,a@example.org," + "长" * 201, "organisation", Code.TOO_LONG),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line: str, field: str, code: str) -> None:
    found = planned(f"林小满,xiaoman@example.org,开源社\n{line}")
    assert found.bad == {2}
    [bad] = found.having(Outcome.BAD)
    assert [(name, problem.code) for name, problem in bad.problems] == [(field, code)]
    assert len(bad.contact.organisation) <= 200


def test_the_same_person_twice_and_again() -> None:
    text = "林小满,a@example.org\n林 小满,A@example.org\n林小满,b@example.org\n王芳,a@example.org"
    found = planned(text)
    assert found.bad == {2}
    assert found.lines[1].problems[0][1].params == {"line": 1}
    again = planned(text, Person("林小满", "a@example.org"), Person("王芳", phone="+8613800138000"))
    assert [line.outcome for line in again.lines] == [
        Outcome.THERE,
        Outcome.BAD,
        Outcome.NEW,
        Outcome.NEW,
    ]


def test_nothing_and_too_much() -> None:
    assert plan([], ()).problem is not None
    assert plan([["", " "]], ()).problem is not None
    only_titles = planned("姓名\t邮箱").problem
    assert only_titles is not None
    assert only_titles.code == PartnerCode.EMPTY
    lines = "\n".join(f"来宾{number},guest{number}@example.org" for number in range(LINES_MAX + 1))
    too_many = planned(lines).problem
    assert too_many is not None
    assert (too_many.code, too_many.params) == (
        PartnerCode.LINES,
        {"limit": LINES_MAX, "number": LINES_MAX + 1},
    )
    assert len(planned(lines.rpartition("\n")[0]).lines) == LINES_MAX
    with pytest.raises(SheetProblem):
        rows_of("  \n ")


def test_quotation_marks_of_a_person_swallow_nobody() -> None:
    found = planned('"小满,a@example.org\n王芳,b@example.org')
    assert [line.contact.name for line in found.lines] == ["小满", "王芳"]
    assert planned('"Lin, Xiaoman",a@example.org').lines[0].contact.name == "Lin, Xiaoman"


@pytest.mark.parametrize(
    ("before", "new", "too_often"), [(0, 5, False), (5, 5, False), (6, 5, True), (10, 0, False)]
)
def test_people_come_and_go_only_so_often(before: int, new: int, too_often: bool) -> None:
    assert is_too_often(quota=5, within_an_hour=before, new=new) is too_often


def test_one_known_word_is_no_line_of_titles() -> None:
    found = planned("Mobile,a@example.org\n王芳,b@example.org")
    assert [line.contact.name for line in found.lines] == ["Mobile", "王芳"]


@given(st.lists(st.lists(st.text(max_size=30), max_size=5), max_size=6))
def test_every_filled_line_has_an_outcome(rows: list[list[str]]) -> None:
    found = plan(rows, ())
    if found.problem is None:
        filled = [number for number, row in enumerate(rows, 1) if any(cell.strip() for cell in row)]
        assert [line.number for line in found.lines] in (filled, filled[1:])
    for line in found.having(Outcome.NEW):
        assert line.contact.problems() == {}
    for line in found.having(Outcome.BAD):
        assert line.problems
