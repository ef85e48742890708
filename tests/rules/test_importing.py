"""A table to a plan: each line's action, problems and warnings, alone and against the others."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po
from hypothesis import given, settings
from hypothesis import strategies as st

from events.contacts import ContactCode
from events.importing import (
    FIELD_WORDS,
    IMPORT_WORDS,
    LIMITS,
    Action,
    Existing,
    ImportPlan,
    NoteCode,
    Options,
    PlanCode,
    RowPlan,
    RowProblem,
    TicketTypeChoice,
    Totals,
    Values,
    mapping_problems,
    plan,
    read_state,
    read_time,
)
from events.rules import RegistrationState
from events.sheets import Field, Kind, SheetCode, Table, guess_header, guess_mapping, read_table
from kernel.errors import Problem

pytestmark = pytest.mark.fast

SHANGHAI = ZoneInfo("Asia/Shanghai")
TYPES = [
    TicketTypeChoice(1, "standard", {"zh-Hans": "标准票", "en": "Standard"}),
    TicketTypeChoice(2, "STU", {"zh-Hans": "学生票（需验证）", "en": "Student"}),
    TicketTypeChoice(3, "vip", {"zh-Hans": "贵宾票", "en": "Standard guest"}),
    TicketTypeChoice(4, "vip2", {"zh-Hans": "贵宾票", "en": "VIP"}),
]
OPTIONS = Options(time_zone=SHANGHAI, default_ticket_type_id=1)

#: short heads for the columns that a test needs
HEADS = {
    "n": Field.NAME,
    "b": Field.BADGE_NAME,
    "en": Field.ENGLISH_NAME,
    "e": Field.EMAIL,
    "p": Field.PHONE,
    "o": Field.ORGANISATION,
    "pos": Field.POSITION,
    "t": Field.TICKET_TYPE,
    "id": Field.EXTERNAL_ID,
    "code": Field.EXTERNAL_CODE,
    "l": Field.LOCALE,
    "s": Field.STATE,
    "at": Field.REGISTERED_AT,
}


def planned(
    heads: str,
    *lines: str | Sequence[str],
    existing: Iterable[Existing] = (),
    options: Options = OPTIONS,
    types: Sequence[TicketTypeChoice] = TYPES,
) -> ImportPlan:
    """Plans lines such as ``"张三|z@example.com"`` under columns such as ``"n|e"``; the header is line 1."""
    columns = heads.split("|")
    rows = [columns, *(line.split("|") if isinstance(line, str) else list(line) for line in lines)]
    return plan(
        Table([[] if row == [""] else row for row in rows], "utf-8", Kind.CSV),
        header_row=1,
        mapping={HEADS[head]: column for column, head in enumerate(columns) if head in HEADS},
        ticket_types=types,
        existing=existing,
        options=options,
    )


def codes(row: RowPlan) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [(problem.code, str(problem.field or ""), dict(problem.params)) for problem in row.problems]


def notes(row: RowPlan) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [(note.code, str(note.field or ""), dict(note.params)) for note in row.warnings]


def actions(result: ImportPlan) -> list[str]:
    return [str(row.action) for row in result.rows]


def only(result: ImportPlan) -> RowPlan:
    (row,) = result.rows
    return row


# One line


def test_a_line_with_everything_becomes_a_registration() -> None:
    row = only(
        planned(
            "n|b|en|e|p|o|pos|t|id|code|l|s|at",
            "欧阳 娜娜🎻|娜娜|Nana OuYang|Nana@Example.COM|138 0013 8000|开源社|大提琴手|学生票(需验证)|B001|T-001|English|已通过"
            "|2023/10/28 12:00",
        )
    )
    assert row == RowPlan(
        line=2,
        action=Action.CREATE,
        values=Values(
            name="欧阳 娜娜🎻",
            badge_name="娜娜",
            english_name="Nana OuYang",
            email="nana@example.com",
            phone="+8613800138000",
            phone_last4="8000",
            organisation="开源社",
            position="大提琴手",
            ticket_type_id=2,
            external_id="B001",
            external_code="T-001",
            locale="en",
            state=RegistrationState.CONFIRMED,
            registered_at=datetime(2023, 10, 28, 4, 0, tzinfo=UTC),
        ),
    )


@pytest.mark.parametrize("line", ["张三|z@example.com|", "张三||13800138000"])
def test_an_address_or_a_phone_is_enough(line: str) -> None:
    assert actions(planned("n|e|p", line)) == ["create"]


def test_neither_address_nor_phone_is_named() -> None:
    assert codes(only(planned("n|e|p", "张三||"))) == [(PlanCode.CONTACT_MISSING, "email", {})]


def test_what_a_line_does_not_say_stays_unsaid() -> None:
    assert only(planned("n|e|b|o|l|s|at|code", "张三|z@example.com")).values == Values(
        name="张三", email="z@example.com", ticket_type_id=1
    )


@pytest.mark.parametrize(
    ("heads", "line", "expected"),
    [
        ("n|e", "|z@example.com", [(ContactCode.NAME_MISSING, "name", {})]),
        ("n|e", "\u200b|z@example.com", [(ContactCode.NAME_MISSING, "name", {})]),
        ("n|e", "甲" * 121 + "|z@example.com", [(ContactCode.NAME_TOO_LONG, "name", {"limit": 120, "length": 121})]),
        ("n|e", "张三|张三", [(ContactCode.EMAIL_INVALID, "email", {})]),
        ("n|e|p", "张三|张三|13800138000", [(ContactCode.EMAIL_INVALID, "email", {})]),
        ("n|e|p", "张三|z@example.com|123", [(ContactCode.PHONE_INVALID, "phone", {})]),
        ("n|p", "张三|1.38E+10", [(ContactCode.PHONE_SCIENTIFIC, "phone", {})]),
        ("n|p|t", "|x|y", [
            (ContactCode.PHONE_INVALID, "phone", {}),
            (PlanCode.TICKET_TYPE_UNKNOWN, "ticket_type", {"value": "y"}),
            (ContactCode.NAME_MISSING, "name", {}),
        ]),
        ("n|e|o", "张三|z@example.com|" + "单" * 201, [(PlanCode.VALUE_TOO_LONG, "organisation", {"limit": 200, "length": 201})]),
        ("n|e|pos", "张三|z@example.com|" + "单" * 121, [(PlanCode.VALUE_TOO_LONG, "position", {"limit": 120, "length": 121})]),
        ("n|e|b", "张三|z@example.com|" + "单" * 121, [(PlanCode.VALUE_TOO_LONG, "badge_name", {"limit": 120, "length": 121})]),
        ("n|e|id", "张三|z@example.com|" + "1" * 101, [(PlanCode.VALUE_TOO_LONG, "external_id", {"limit": 100, "length": 101})]),
        ("n|e|id", "张三|z@example.com|1.23457E+17", [(PlanCode.CODE_SCIENTIFIC, "external_id", {})]),
        ("n|e|code", "张三|z@example.com|2E+10", [(PlanCode.CODE_SCIENTIFIC, "external_code", {})]),
        ("n|e|s", "张三|z@example.com|飞走了", [(PlanCode.STATE_UNKNOWN, "state", {"value": "飞走了"})]),
        ("n|e|at", "张三|z@example.com|2023-02-30", [(PlanCode.DATE_INVALID, "registered_at", {})]),
        ("n|e", "#N/A|z@example.com", [(PlanCode.FORMULA_ERROR, "name", {"value": "#N/A"})]),
        ("n|e", "张三|#REF!", [(PlanCode.FORMULA_ERROR, "email", {"value": "#REF!"})]),
        ("n|e|b", "张三|z@example.com|#n/a", [(PlanCode.FORMULA_ERROR, "badge_name", {"value": "#n/a"})]),
        ("n|e|t", "张三|z@example.com|#N/A", [(PlanCode.FORMULA_ERROR, "ticket_type", {"value": "#N/A"})]),
        ("n|e|t", "张三|z@example.com|早鸟票", [(PlanCode.TICKET_TYPE_UNKNOWN, "ticket_type", {"value": "早鸟票"})]),
        ("n|e|t", "张三|z@example.com|贵宾票", [(PlanCode.TICKET_TYPE_AMBIGUOUS, "ticket_type", {"value": "贵宾票"})]),
    ],
)  # fmt: skip
def test_each_problem_is_named_at_its_field(
    heads: str, line: str, expected: list[tuple[str, str, dict[str, Any]]]
) -> None:
    result = planned(heads, line)
    row = only(result)
    assert row.action is Action.ERROR
    assert codes(row) == expected
    assert not result.is_clean
    assert result.errors == (row,)


def test_a_code_that_only_looks_scientific_is_a_code() -> None:
    assert only(planned("n|e|code", "张三|z@example.com|1E10")).values.external_code == "1E10"


def test_limits_are_those_of_the_table() -> None:
    from events.models import Registration

    widths = {str(which): Registration._meta.fields_map[which].max_length for which in LIMITS}  # type: ignore[attr-defined]
    assert widths == {str(which): limit for which, limit in LIMITS.items()}


@pytest.mark.parametrize(
    ("text", "ticket_type_id"),
    [
        ("标准票", 1),
        ("STANDARD", 1),
        (" standard ", 1),
        ("Ｓｔａｎｄａｒｄ", 1),
        ("standard guest", 3),
        ("StandardGuest", 3),
        ("stu", 2),
        ("学生票（需验证）", 2),
        ("student", 2),
        ("vip", 3),
        ("VIP2", 4),
    ],
)
def test_ticket_types_are_known_by_code_then_by_name_in_any_language(text: str, ticket_type_id: int) -> None:
    assert only(planned("n|e|t", f"张三|z@example.com|{text}")).values.ticket_type_id == ticket_type_id


def test_without_a_ticket_type_the_default_serves_or_its_lack_is_named() -> None:
    assert only(planned("n|e|t", "张三|z@example.com|")).values.ticket_type_id == 1
    assert only(planned("n|e", "张三|z@example.com")).values.ticket_type_id == 1
    bare = dataclasses.replace(OPTIONS, default_ticket_type_id=None)
    expected: list[Any] = [(PlanCode.TICKET_TYPE_MISSING, "ticket_type", {})]
    assert codes(only(planned("n|e|t", "张三|z@example.com|", options=bare))) == expected
    assert codes(only(planned("n|e", "张三|z@example.com", options=bare))) == expected


@pytest.mark.parametrize(
    ("text", "locale"),
    [("zh-CN", "zh-Hans"), ("zh_CN", "zh-Hans"), ("简体中文", "zh-Hans"), ("中文（简体）", "zh-Hans"), ("繁體中文", "zh-Hant"),
     ("EN", "en"), ("英语", "en"), ("日本語", "ja"), ("한국어", "ko")],
)  # fmt: skip
def test_languages_are_known_by_tag_and_by_name(text: str, locale: str) -> None:
    assert only(planned("n|e|l", f"张三|z@example.com|{text}")).values.locale == locale


def test_an_unknown_language_is_a_warning() -> None:
    result = planned("n|e|l", "张三|z@example.com|" + "克林贡语" * 20)
    row = only(result)
    assert (row.action, row.values.locale) == (Action.CREATE, None)
    assert notes(row) == [(NoteCode.LOCALE_UNKNOWN, "locale", {"value": "克林贡语" * 10})]
    assert result.totals == Totals(create=1, warned=1)
    assert result.is_clean


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("已报名", RegistrationState.CONFIRMED),
        ("审核通过", RegistrationState.CONFIRMED),
        ("Approved", RegistrationState.CONFIRMED),
        ("未签到", RegistrationState.CONFIRMED),
        ("待审核", RegistrationState.PENDING),
        ("Awaiting payment", RegistrationState.PENDING),
        ("候补", RegistrationState.WAITLISTED),
        ("已退票", RegistrationState.CANCELLED),
        ("审核未通过", RegistrationState.DECLINED),
        *((str(state), state) for state in RegistrationState),
    ],
)
def test_states_are_known_by_the_words_of_other_systems(text: str, state: RegistrationState) -> None:
    assert read_state(text) is state


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2023-10-28", "2023-10-27T16:00:00"),
        ("2023/10/28", "2023-10-27T16:00:00"),
        ("2023.1.2", "2023-01-01T16:00:00"),
        ("2023年10月28日", "2023-10-27T16:00:00"),
        ("2023 年 10 月 28 日", "2023-10-27T16:00:00"),
        ("２０２３－１０－２８", "2023-10-27T16:00:00"),
        ("2023/10/28 12:00", "2023-10-28T04:00:00"),
        ("2023-10-28 09:30:15", "2023-10-28T01:30:15"),
        ("2023-10-28 9:05", "2023-10-28T01:05:00"),
        ("2023-10-28T09:30:15.123", "2023-10-28T01:30:15"),
        ("2023年10月28日 12:00", "2023-10-28T04:00:00"),
        ("2023年10月28日12时30分", "2023-10-28T04:30:00"),
        ("2023年10月28日 12点30分5秒", "2023-10-28T04:30:05"),
        ("2023-10-28T09:30:00Z", "2023-10-28T09:30:00"),
        ("2023-10-28T09:30:00+02:00", "2023-10-28T07:30:00"),
        ("2023-10-28 09:30 -0530", "2023-10-28T15:00:00"),
        ("2000-01-01", "1999-12-31T16:00:00"),
        ("2100-12-31", "2100-12-30T16:00:00"),
    ],
)
def test_dates_are_the_event_s_wall_clock(text: str, at: str) -> None:
    assert read_time(text, SHANGHAI) == datetime.fromisoformat(at).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "昨天", "2023", "2023-10", "10/28/2023", "28.10.2023", "2023-13-01", "2023-02-30", "2023-10-28 25:00",
        "2023-10-28 12:60", "2023-10-28 12", "1999-12-31", "2101-01-01", "0023-10-28", "20231028", "45227", "2023-10-28x",
        "2023-10-28 09:30:00+99:00", "2023-10-2812:00",
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    assert read_time(text, SHANGHAI) == Problem(PlanCode.DATE_INVALID)


@given(
    st.integers(946_800_000, 4_133_800_000).map(
        lambda seconds: datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    )
)
def test_every_time_that_a_sheet_shows_is_read_back(at: datetime) -> None:
    expected = at.replace(tzinfo=SHANGHAI).astimezone(UTC)
    for text in (
        at.isoformat(),
        at.isoformat(sep=" "),
        f"{at:%Y年%m月%d日 %H:%M:%S}",
        f"{at.isoformat()}+08:00",
    ):
        if text.endswith("+08:00"):
            expected = datetime.fromisoformat(text).astimezone(UTC)
        assert read_time(text, SHANGHAI) == expected


@given(st.text(max_size=20))
def test_any_text_is_a_date_or_a_problem(text: str) -> None:
    outcome = read_time(text, SHANGHAI)
    assert isinstance(outcome, datetime) or outcome == Problem(PlanCode.DATE_INVALID)


# Lines of the table


def test_blank_lines_and_repeated_headers_are_skipped_with_their_line() -> None:
    result = planned("n|e", "张三|z@example.com", "", "n|e", "李四|l@example.com")
    assert [(row.line, str(row.action)) for row in result.rows] == [
        (2, "create"),
        (3, "skip"),
        (4, "skip"),
        (5, "create"),
    ]
    assert notes(result.rows[1]) == []
    assert notes(result.rows[2]) == [(NoteCode.HEADER_REPEATED, "", {"line": 1})]
    assert result.totals == Totals(create=2, skip=2, warned=1)


def test_a_line_with_something_in_no_mapped_column_is_not_passed_over() -> None:
    assert [code for code, _, _ in codes(only(planned("n|e|x", "||合计 1200 人")))] == [
        ContactCode.NAME_MISSING,
        PlanCode.CONTACT_MISSING,
    ]


def test_lines_are_counted_from_below_the_header_wherever_it_is() -> None:
    rows = [["标题"], [], ["姓名", "手机"], ["张三", "13800138000"]]

    def lines(header_row: int) -> list[tuple[int, str]]:
        result = plan(
            Table(rows, "utf-8", Kind.CSV),
            header_row=header_row,
            mapping={Field.NAME: 0, Field.PHONE: 1},
            ticket_types=TYPES,
            existing=[],
            options=OPTIONS,
        )
        return [(row.line, str(row.action)) for row in result.rows]

    assert lines(3) == [(4, "create")]
    assert lines(4) == []
    assert lines(0) == [(1, "error"), (2, "skip"), (3, "error"), (4, "create")]


def test_an_apostrophe_of_our_own_export_is_taken_off() -> None:
    row = only(planned("n|e|p|code", "'=张三|'+z@example.com|'+8613800138000|'=T1"))
    assert (row.values.name, row.values.email) == ("=张三", "+z@example.com")
    assert (row.values.phone, row.values.external_code) == ("+8613800138000", "=T1")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((Field.NAME, Field.EMAIL), []),
        ((Field.NAME, Field.PHONE), []),
        ((Field.EXTERNAL_ID, Field.TICKET_TYPE), []),
        ((Field.NAME,), [PlanCode.CONTACT_COLUMN_MISSING]),
        ((Field.EMAIL,), [PlanCode.NAME_COLUMN_MISSING]),
        ((), [PlanCode.NAME_COLUMN_MISSING, PlanCode.CONTACT_COLUMN_MISSING]),
    ],
)
def test_a_mapping_needs_a_name_and_a_contact_or_an_external_id(
    fields: tuple[Field, ...], expected: list[PlanCode]
) -> None:
    mapping = {which: column for column, which in enumerate(fields)}
    assert [problem.code for problem in mapping_problems(mapping)] == expected


def test_a_mapping_that_can_t_work_reads_no_line() -> None:
    result = planned("n", "张三")
    assert result == ImportPlan((), Totals(), (RowProblem(PlanCode.CONTACT_COLUMN_MISSING, Field.EMAIL),))
    assert not result.is_clean


# The same person twice


@pytest.mark.parametrize(
    ("heads", "first", "second", "which"),
    [
        ("n|e|id", "张三|z@example.com|B1", "李四|l@example.com|B1", "external_id"),
        ("n|e|code", "张三|z@example.com|T1", "张三|other@example.com|T1", "external_code"),
        ("n|e", "张三|z@example.com", "张 三|Z@EXAMPLE.com", "email"),
        ("n|p", "Ada|13800138000", "ADA|+86 138 0013 8000", "phone"),
        ("n|e|p", "张三|z@example.com|13800138000", "张三|other@example.com|13800138000", "phone"),
        ("n|e|id", "张三|z@example.com|B1", "张三|z@example.com|B2", "email"),
    ],
)
def test_the_same_person_twice_names_the_first_line(heads: str, first: str, second: str, which: str) -> None:
    result = planned(heads, first, "", second, second)
    assert actions(result) == ["create", "skip", "error", "error"]
    for row in result.rows[2:]:
        assert codes(row) == [(PlanCode.DUPLICATE_ROW, which, {"line": 2, "by": which})]


@pytest.mark.parametrize(
    ("heads", "first", "second"),
    [
        ("n|e", "张三|z@example.com", "张山|z@example.com"),
        ("n|p", "张三|13800138000", "张山|13800138000"),
        ("n|e|p", "张三|z@example.com|", "张三||13800138000"),
        ("n|e|id", "张三|z@example.com|b1", "李四|l@example.com|B1"),
    ],
)
def test_other_people_are_other_people(heads: str, first: str, second: str) -> None:
    assert actions(planned(heads, first, second)) == ["create", "create"]


def test_one_ticket_code_under_two_names_is_named_as_such() -> None:
    result = planned("n|e|code", "张三|z@example.com|T1", "李四|l@example.com|T1", "张三|x@example.com|T1")
    assert codes(result.rows[1]) == [(PlanCode.EXTERNAL_CODE_REPEATED, "external_code", {"line": 2})]
    assert codes(result.rows[2]) == [
        (PlanCode.DUPLICATE_ROW, "external_code", {"line": 2, "by": "external_code"})
    ]


def test_a_line_in_error_does_not_stand_in_its_correction_s_way() -> None:
    result = planned("n|e|p", "张三|z@example.com|1.38E+10", "张三|z@example.com|13800138000")
    assert actions(result) == ["error", "create"]


def test_two_lines_for_one_registration_are_one_too_many() -> None:
    existing = [Existing(7, "张三", "z@example.com", "+8613800138000", external_id="B1")]
    result = planned("n|e|id", "张叁|new@example.com|B1", "张三|z@example.com|", existing=existing)
    assert actions(result) == ["update", "error"]
    assert codes(result.rows[1]) == [(PlanCode.DUPLICATE_ROW, "", {"line": 2, "by": "registration"})]


# Against what is registered


def test_a_known_external_id_updates_its_registration() -> None:
    existing = [Existing(7, "张三", "z@example.com", external_id="B1", external_code="T1")]
    row = only(planned("n|e|id|code", "张叁|new@example.com|B1|T1", existing=existing))
    assert (row.action, row.registration_id) == (Action.UPDATE, 7)
    assert row.values == Values(name="张叁", email="new@example.com", external_id="B1", external_code="T1")
    assert row.warnings == ()


def test_an_update_needs_no_name_contact_or_ticket_type() -> None:
    existing = [Existing(7, "张三", "z@example.com", external_id="B1")]
    bare = dataclasses.replace(OPTIONS, default_ticket_type_id=None)
    result = planned("id|t", "B1|学生票（需验证）", "B2|standard", existing=existing, options=bare)
    assert actions(result) == ["update", "error"]
    assert result.rows[0].values == Values(ticket_type_id=2, external_id="B1")
    assert [code for code, _, _ in codes(result.rows[1])] == [
        ContactCode.NAME_MISSING,
        PlanCode.CONTACT_MISSING,
    ]


@pytest.mark.parametrize("line", ["张 三|Z@example.com|", "张三||0086 13800138000"])
def test_somebody_registered_already_is_left_with_a_warning(line: str) -> None:
    existing = [Existing(7, "张三", "z@example.com", "+8613800138000")]
    result = planned("n|e|p", line, existing=existing)
    row = only(result)
    assert (row.action, row.registration_id) == (Action.SAME, 7)
    assert notes(row) == [(NoteCode.ALREADY_REGISTERED, "", {})]
    assert result.totals == Totals(same=1, warned=1)
    assert result.is_clean


def test_somebody_registered_already_is_updated_on_request() -> None:
    existing = [Existing(7, "张三", "z@example.com")]
    wish = dataclasses.replace(OPTIONS, update_same=True)
    row = only(planned("n|e|id|o", "张三|z@example.com|B1|开源社", existing=existing, options=wish))
    assert (row.action, row.registration_id) == (Action.UPDATE, 7)
    assert row.values == Values(name="张三", email="z@example.com", external_id="B1", organisation="开源社")
    assert notes(row) == [(NoteCode.ALREADY_REGISTERED, "", {})]


@pytest.mark.parametrize("update_same", [False, True])
def test_a_registration_never_changes_its_external_id(update_same: bool) -> None:
    existing = [Existing(7, "张三", "z@example.com", external_id="B1")]
    wish = dataclasses.replace(OPTIONS, update_same=update_same)
    row = only(planned("n|e|id", "张三|z@example.com|B2", existing=existing, options=wish))
    assert (row.action, row.registration_id) == (Action.SAME, 7)
    assert notes(row) == [(NoteCode.OTHER_EXTERNAL_ID, "external_id", {})]


def test_a_ticket_code_of_somebody_else_is_taken() -> None:
    existing = [
        Existing(7, "张三", "z@example.com", external_code="T1"),
        Existing(8, "李四", "l@example.com", external_id="B2"),
    ]
    taken: list[Any] = [(PlanCode.EXTERNAL_CODE_TAKEN, "external_code", {})]
    assert codes(only(planned("n|e|code", "王五|w@example.com|T1", existing=existing))) == taken
    assert codes(only(planned("n|e|id|code", "李四|l@example.com|B2|T1", existing=existing))) == taken
    assert codes(only(planned("n|e|code", "李四|l@example.com|T1", existing=existing))) == taken


def test_a_ticket_code_with_its_own_name_is_the_same_person() -> None:
    existing = [Existing(7, "张三", "z@example.com", external_code="T1")]
    row = only(planned("n|e|code", "张三|new@example.com|T1", existing=existing))
    assert (row.action, row.registration_id) == (Action.SAME, 7)


def test_somebody_cancelled_may_register_anew_but_not_with_the_old_code() -> None:
    existing = [Existing(7, "张三", "z@example.com", external_code="T1", is_cancelled=True)]
    assert only(planned("n|e", "张三|z@example.com", existing=existing)).action is Action.CREATE
    row = only(planned("n|e|code", "张三|z@example.com|T1", existing=existing))
    assert codes(row) == [(PlanCode.EXTERNAL_CODE_TAKEN, "external_code", {})]


def test_a_cancelled_line_cancels_what_is_known_and_is_otherwise_skipped() -> None:
    existing = [Existing(7, "张三", "z@example.com", external_id="B1")]
    result = planned(
        "n|e|id|s", "张三|z@example.com|B1|已取消", "李四|l@example.com|B2|已退票", existing=existing
    )
    assert [(str(row.action), row.registration_id) for row in result.rows] == [("update", 7), ("skip", None)]
    assert result.rows[0].values.state is RegistrationState.CANCELLED
    assert notes(result.rows[1]) == [(NoteCode.CANCELLED_ELSEWHERE, "state", {})]
    assert result.totals == Totals(update=1, skip=1, warned=1)


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_a_cancelled_ticket_makes_way_for_the_new_one(cancelled_first: bool) -> None:
    lines = ["张三|z@example.com|B1|已取消", "张三|z@example.com|B2|已确认"]
    order = lines if cancelled_first else lines[::-1]
    known = [Existing(7, "张三", "z@example.com", external_id="B1")]
    for existing, cancelled in ((known, "update"), ([], "skip")):
        result = planned("n|e|id|s", *order, existing=existing)
        assert actions(result) == ([cancelled, "create"] if cancelled_first else ["create", cancelled])


def test_a_cancelled_line_of_another_system_does_not_cancel_by_name() -> None:
    existing = [Existing(7, "张三", "z@example.com")]
    wish = dataclasses.replace(OPTIONS, update_same=True)
    row = only(planned("n|e|id|s", "张三|z@example.com|B1|已取消", existing=existing, options=wish))
    assert (row.action, row.registration_id) == (Action.SKIP, None)
    row = only(planned("n|e|s", "张三|z@example.com|已取消", existing=existing, options=wish))
    assert (row.action, row.registration_id) == (Action.UPDATE, 7)


# Groups


def test_one_address_under_ten_names_is_a_group() -> None:
    result = planned("n|e", *(f"成员{n}|Team@example.com" for n in range(10)), "别人|other@example.com")
    assert result.totals == Totals(create=11, warned=10)
    for row in result.rows[:10]:
        assert notes(row) == [(NoteCode.SHARED_EMAIL, "email", {"count": 10})]
    assert result.is_clean


def test_a_group_counts_names_also_of_those_registered_already() -> None:
    existing = [
        Existing(1, "旧人", "team@example.com"),
        Existing(2, "取消", "team@example.com", is_cancelled=True),
        Existing(3, "张三", "team@example.com"),
        Existing(4, "改名前", "team@example.com", external_id="B4"),
    ]
    result = planned(
        "n|e|id",
        "张三|team@example.com|",
        "改名后|team@example.com|B4",
        "李四|team@example.com|",
        existing=existing,
    )
    assert actions(result) == ["same", "update", "create"]
    # 旧人, 张三, 改名后, 李四
    shared = (NoteCode.SHARED_EMAIL, "email", {"count": 4})
    assert [shared in notes(row) for row in result.rows] == [True, True, True]


def test_neither_errors_nor_cancelled_lines_make_a_group() -> None:
    existing = [Existing(9, "王五", "team@example.com", external_id="B9")]
    result = planned(
        "n|e|p|id|s",
        "张三|team@example.com||",
        "李四|team@example.com|1.38E+10|",
        "赵六|team@example.com|||已取消",
        "|||B9|已取消",
        existing=existing,
    )
    assert actions(result) == ["create", "error", "skip", "update"]
    assert all(note.code != NoteCode.SHARED_EMAIL for row in result.rows for note in row.warnings)


def test_an_update_without_a_name_counts_under_the_name_registered() -> None:
    existing = [Existing(9, "王五", "old@example.com", external_id="B9")]
    result = planned("n|e|id", "|team@example.com|B9", "王 五|team@example.com|", existing=existing)
    assert codes(result.rows[1]) == [(PlanCode.DUPLICATE_ROW, "email", {"line": 2, "by": "email"})]
    result = planned("n|e|id", "|team@example.com|B9", "李四|team@example.com|", existing=existing)
    assert [notes(row) for row in result.rows] == [[(NoteCode.SHARED_EMAIL, "email", {"count": 2})]] * 2


# Whole files


def test_a_bagevent_export_goes_from_bytes_to_a_plan() -> None:
    text = (
        "COSCon'23 参会人员名单,,,,,,\r\n导出时间：2023-10-20,,,,,,\r\n"
        "订单号,票券名称,电子票号,姓名,邮箱,手机,报名时间,审核状态\r\n"
        "2023A1,标准票,80001,张三,ZHANG@example.com,13800138000,2023/10/1 9:05,审核通过\r\n"
        '2023A2,学生票（需验证）,80002,"小明🎉",,+86 139-0013-9000,2023年10月2日,审核通过\r\n'
        "2023A3,早鸟票,80003,李四,li@example.com,1.39E+10,昨天,审核通过\r\n"
        "2023A4,标准票,80004,张三,zhang@example.com,,2023-10-03,审核通过\r\n"
    )
    table = read_table("参会人.csv", text.encode("gb18030"))
    header_row = guess_header(table)
    result = plan(
        table,
        header_row=header_row,
        mapping=guess_mapping(table.rows[header_row - 1]),
        ticket_types=TYPES,
        existing=[],
        options=OPTIONS,
    )
    assert header_row == 3
    assert [(row.line, str(row.action)) for row in result.rows] == [
        (4, "create"),
        (5, "create"),
        (6, "error"),
        (7, "error"),
    ]
    assert result.rows[1].values == Values(
        name="小明🎉",
        phone="+8613900139000",
        phone_last4="9000",
        ticket_type_id=2,
        external_id="2023A2",
        external_code="80002",
        state=RegistrationState.CONFIRMED,
        registered_at=datetime(2023, 10, 1, 16, 0, tzinfo=UTC),
    )
    assert {code for code, _, _ in codes(result.rows[2])} == {
        ContactCode.PHONE_SCIENTIFIC,
        PlanCode.TICKET_TYPE_UNKNOWN,
        PlanCode.DATE_INVALID,
    }
    assert codes(result.rows[3]) == [(PlanCode.DUPLICATE_ROW, "email", {"line": 4, "by": "email"})]


def test_ten_thousand_lines_are_counted_to_the_last() -> None:
    def line(n: int) -> str:
        match n % 100:
            case 1:  # the line before, again
                return f"姓名{n - 1}|a{n - 1}@example.com|{13800000000 + n - 1}|{n - 1}"
            case 2:
                return f"姓名{n}|a{n}@example.com|1.38E+10|{n}"
            case 3:
                return f"姓名{n}|team@example.com|{13800000000 + n}|{n}"
            case 4:
                return f"姓名{n}|a{n}@example.com||old{n}"
            case 5:
                return ""
            case 6:
                return f"老友{n}|friend{n}@example.com||"
            case _:
                return f"姓名{n}|a{n}@example.com|{13800000000 + n}|{n}"

    existing = [
        Existing(n, f"老友{n}", f"friend{n}@example.com", external_id=f"old{n - 2}")
        for n in range(6, 10_000, 100)
    ]
    result = planned("n|e|p|id", *(line(n) for n in range(10_000)), existing=existing)
    # Warned of: the 100 of the team, and the 100 old friends whose registration the line two above has updated.
    assert result.totals == Totals(create=9_500, update=100, same=0, skip=100, error=300, warned=200)
    repeats = [row for row in result.errors if row.problems[0].params.get("by") == "registration"]
    assert len(repeats) == 100
    assert len(result.rows) == 10_000
    assert result.rows[-1].line == 10_001


def _consistent(ones: list[Existing]) -> list[Existing]:
    """As the database keeps them: ids, external ids and codes are unique."""
    kept: list[Existing] = []
    for number, one in enumerate(ones, 1):
        taken_ids = {other.external_id for other in kept}
        taken_codes = {other.external_code for other in kept}
        kept.append(
            dataclasses.replace(
                one,
                id=number,
                external_id=None if one.external_id in taken_ids else one.external_id,
                external_code=None if one.external_code in taken_codes else one.external_code,
            )
        )
    return kept


SMALL = st.tuples(
    st.sampled_from(["", "张三", "李四", "张 三"]),
    st.sampled_from(["", "a@example.com", "b@example.com", "bad"]),
    st.sampled_from(["", "13800138000", "1.38E+10"]),
    st.sampled_from(["", "B1", "B2"]),
    st.sampled_from(["", "T1", "T2"]),
    st.sampled_from(["", "已确认", "已取消"]),
)
SNAPSHOTS = st.lists(
    st.builds(
        Existing,
        id=st.just(0),
        name=st.sampled_from(["张三", "李四", "王五"]),
        email=st.sampled_from(["", "a@example.com", "b@example.com"]),
        phone=st.sampled_from(["", "+8613800138000"]),
        external_id=st.sampled_from([None, "B1", "B2", "B3"]),
        external_code=st.sampled_from([None, "T1", "T2"]),
        is_cancelled=st.booleans(),
    ),
    max_size=4,
).map(_consistent)


@settings(max_examples=500)
@given(st.lists(SMALL, max_size=8), SNAPSHOTS, st.booleans())
def test_a_plan_can_be_applied_without_breaking_a_unique_index(
    lines: list[tuple[str, ...]], existing: list[Existing], update_same: bool
) -> None:
    options = dataclasses.replace(OPTIONS, update_same=update_same)
    result = planned("n|e|p|id|code|s", *lines, existing=existing, options=options)
    assert [row.line for row in result.rows] == list(range(2, len(lines) + 2))
    totals = dataclasses.asdict(result.totals)
    assert totals.pop("warned") == sum(bool(row.warnings) for row in result.rows)
    assert totals == {str(action): actions(result).count(str(action)) for action in Action}

    store = {one.id: (one.external_id, one.external_code) for one in existing}
    changed: set[int] = set()
    for row in result.rows:
        assert (row.action is Action.ERROR) == bool(row.problems)
        values = row.values
        match row.action:
            case Action.CREATE:
                assert row.registration_id is None
                assert values.name
                assert values.email or values.phone
                assert values.ticket_type_id
                assert values.state is not RegistrationState.CANCELLED
                store[1000 + row.line] = (values.external_id, values.external_code)
            case Action.UPDATE:
                assert row.registration_id in store
                assert row.registration_id not in changed
                changed.add(row.registration_id)
                old = store[row.registration_id]
                store[row.registration_id] = (values.external_id or old[0], values.external_code or old[1])
            case Action.SAME:
                assert row.registration_id in store
                assert row.warnings
    for position in (0, 1):
        held = [pair[position] for pair in store.values() if pair[position]]
        assert len(held) == len(set(held))


# Words


def test_every_code_has_words() -> None:
    enums: list[type[StrEnum]] = [ContactCode, SheetCode, PlanCode, NoteCode]
    every = [str(code) for enum in enums for code in enum]
    assert sorted(every) == sorted(IMPORT_WORDS)
    assert list(FIELD_WORDS) == list(Field)


def test_every_word_is_translated_with_the_same_placeholders() -> None:
    path = Path(__file__).parents[2] / "events" / "locale" / "zh_Hans.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale="zh_Hans")
    for source in (*IMPORT_WORDS.values(), *FIELD_WORDS.values()):
        message = catalogue.get(source)
        assert message is not None, source
        assert not message.fuzzy
        assert re.search("[\u4e00-\u9fff]", str(message.string)), source
        assert sorted(re.findall(r"%\(\w+\)s", source)) == sorted(
            re.findall(r"%\(\w+\)s", str(message.string))
        )


def test_words_ask_only_for_what_their_problems_carry() -> None:
    carried: dict[str, set[str]] = {
        ContactCode.NAME_TOO_LONG: {"limit", "length"},
        SheetCode.SIZE: {"limit"},
        SheetCode.KIND: {"kind"},
        SheetCode.DAMAGED: {"line"},
        SheetCode.UNPACKED: {"limit"},
        SheetCode.ROWS: {"limit"},
        SheetCode.COLUMNS: {"limit", "line"},
        SheetCode.CELL: {"limit", "line", "column", "length"},
        PlanCode.VALUE_TOO_LONG: {"limit", "length"},
        PlanCode.FORMULA_ERROR: {"value"},
        PlanCode.STATE_UNKNOWN: {"value"},
        PlanCode.PAYMENT_UNKNOWN: {"value"},
        PlanCode.ANSWER_WRONG: {"question", "value"},
        PlanCode.DUPLICATE_ROW: {"line", "by"},
        PlanCode.EXTERNAL_CODE_REPEATED: {"line"},
        NoteCode.SHARED_EMAIL: {"count"},
        NoteCode.HEADER_REPEATED: {"line"},
        NoteCode.LOCALE_UNKNOWN: {"value"},
    }
    for code, words in IMPORT_WORDS.items():
        assert set(re.findall(r"%\((\w+)\)s", words)) <= carried.get(code, set()), code
