"""Questions, consents and files of the registration form: what may be typed, what comes out, what never passes."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import form_rules as rules
from events.form_rules import (
    ConsentDetails,
    ConsentFacts,
    FileAnswer,
    FileType,
    FormCode,
    Option,
    Question,
    QuestionDetails,
    read_address,
)
from events.rules import FieldKind
from kernel.errors import Code, Problem
from kernel.text import LocalizedText

MEALS = (
    Option("meat", LocalizedText({"zh-Hans": "荤", "en": "Meat"})),
    Option("veg", LocalizedText({"zh-Hans": "素", "en": "Vegetarian"})),
    Option("none", LocalizedText({"zh-Hans": "不用"})),
)


def question(kind: FieldKind, **more: Any) -> Question:
    values: dict[str, Any] = {
        "id": 7,
        "code": "q",
        "label": LocalizedText({"en": "?"}),
        "options": MEALS if kind in (FieldKind.CHOOSE_ONE, FieldKind.CHOOSE_MANY) else (),
    }
    return Question(kind=kind, **(values | more))


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        (FieldKind.LINE, ["  开源\u200b 社 "], "开源 社"),
        (FieldKind.TEXT, ["a\r\nb\n "], "a\nb"),
        (FieldKind.NUMBER, ["１，２００"], 1200),
        (FieldKind.NUMBER, ["-1.50"], -1.5),
        (FieldKind.DATE, ["2023年10月8日"], "2023-10-08"),
        (FieldKind.URL, [" https://example.org/a?b=c "], "https://example.org/a?b=c"),
        (FieldKind.YES_NO, ["yes"], True),
        (FieldKind.YES_NO, ["no"], False),
        (FieldKind.CHOOSE_ONE, ["veg"], "veg"),
        (FieldKind.CHOOSE_MANY, ["none", "meat", "none"], ["meat", "none"]),
    ],
)
def test_each_kind_reads_what_people_type(kind: FieldKind, typed: list[str], value: Any) -> None:
    assert rules.read_answer(question(kind), typed) == value
    shown = rules.as_typed(question(kind), value)
    assert rules.read_answer(question(kind), shown) == value


@pytest.mark.parametrize(
    ("kind", "typed", "code"),
    [
        (FieldKind.LINE, ["x" * 201], Code.TOO_LONG),
        (FieldKind.TEXT, ["x" * 4001], Code.TOO_LONG),
        (FieldKind.NUMBER, ["zwei"], FormCode.NUMBER_WRONG),
        (FieldKind.NUMBER, ["1e9"], FormCode.NUMBER_WRONG),
        (FieldKind.NUMBER, ["1" * 16], Code.OUT_OF_RANGE),
        (FieldKind.DATE, ["tomorrow"], FormCode.DATE_WRONG),
        (FieldKind.DATE, ["2023-02-30"], FormCode.DATE_WRONG),
        (FieldKind.DATE, ["1023-02-20"], FormCode.DATE_WRONG),
        (FieldKind.YES_NO, ["maybe"], Code.NOT_A_CHOICE),
        (FieldKind.CHOOSE_ONE, ["fish"], Code.NOT_A_CHOICE),
        (FieldKind.CHOOSE_MANY, ["veg", "fish"], Code.NOT_A_CHOICE),
    ],
)
def test_what_can_not_be_is_a_problem(kind: FieldKind, typed: list[str], code: str) -> None:
    found = rules.read_answer(question(kind), typed)
    assert isinstance(found, Problem)
    assert found.code == code


@pytest.mark.parametrize("kind", [kind for kind in FieldKind if kind is not FieldKind.FILE])
def test_nothing_typed_is_no_answer_unless_it_is_required(kind: FieldKind) -> None:
    assert rules.read_answer(question(kind), [" "]) is None
    needed = rules.read_answer(question(kind, is_required=True), [])
    assert needed == Problem(Code.REQUIRED)
    assert rules.as_typed(question(kind), None) == []


def test_a_line_of_invisible_signs_is_nothing() -> None:
    assert rules.read_answer(question(FieldKind.LINE), ["\u200b"]) is None
    assert rules.read_answer(question(FieldKind.LINE, is_required=True), ["\u200b"]) == Problem(Code.REQUIRED)


@given(st.text())
def test_whatever_is_typed_reading_never_breaks(text: str) -> None:
    for kind in FieldKind:
        if kind is not FieldKind.FILE:
            found = rules.read_answer(question(kind), [text])
            if isinstance(found, str) and kind is FieldKind.LINE:
                assert rules.read_answer(question(kind), [found]) == found


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_every_whole_number_in_range_comes_back(number: int) -> None:
    assert rules.read_number(f"{number:,}") == number


def test_a_question_asks_its_ticket_types_and_only_while_it_is_on() -> None:
    everybody, students = question(FieldKind.LINE), question(FieldKind.LINE, ticket_type_ids=frozenset({3}))
    assert [everybody.asks(number) for number in (None, 3, 4)] == [True, True, True]
    assert [students.asks(number) for number in (None, 3, 4)] == [False, True, False]
    assert not question(FieldKind.LINE, is_active=False).asks(3)
    assert students.name == "q.7"


def consent(**more: Any) -> ConsentFacts:
    values: dict[str, Any] = {"id": 2, "code": "coc", "version": 1, "title": LocalizedText({"en": "Conduct"})}
    return ConsentFacts(**(values | more))


def test_a_form_is_read_as_a_whole() -> None:
    asked = [
        question(FieldKind.LINE, id=1, is_required=True),
        question(FieldKind.FILE, id=2),
        question(FieldKind.FILE, id=3, is_required=True),
        question(FieldKind.FILE, id=4),
        question(FieldKind.LINE, id=5, ticket_type_ids=frozenset({99})),
        question(FieldKind.NUMBER, id=6),
        question(FieldKind.DATE, id=12),
    ]
    file = FileAnswer(11, "a.pdf", "d")
    typed = {"q.1": [""], "q.5": ["not asked"], "q.6": ["4"], "consent.8": ["1"]}
    consents = [consent(id=8, is_required=True), consent(id=9, is_required=True), consent(id=10)]
    found = rules.read(
        asked,
        consents,
        ticket_type_id=1,
        typed=typed,
        files={2: file, 4: Problem(FormCode.FILE_KIND), 5: file},
    )
    assert found.answers == {2: file, 6: 4}
    assert found.consents == {8: True, 9: False, 10: False}
    assert {name: problem.code for name, problem in found.problems.items()} == {
        "q.1": Code.REQUIRED,
        "q.3": Code.REQUIRED,
        "q.4": FormCode.FILE_KIND,
        "consent.9": FormCode.CONSENT_NEEDED,
    }


def test_an_answer_in_words() -> None:
    one, many = question(FieldKind.CHOOSE_ONE), question(FieldKind.CHOOSE_MANY)
    assert rules.in_words(one, None, locale="en") == ""
    assert rules.in_words(one, "veg", locale="en") == "Vegetarian"
    assert rules.in_words(one, "gone", locale="en") == "gone"
    assert rules.in_words(many, ["meat", "none"], locale="zh-Hans") == "荤、不用"
    assert rules.in_words(many, ["meat", "none"], locale="en") == "Meat, 不用"
    assert rules.in_words(question(FieldKind.YES_NO), True, locale="en", yes="yes", no="no") == "yes"
    assert rules.in_words(question(FieldKind.YES_NO), False, locale="en", yes="yes", no="no") == "no"
    assert rules.in_words(question(FieldKind.NUMBER), 4, locale="en") == "4"


YES, NO = {"yes", "是"}, {"no", "否"}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FieldKind.CHOOSE_ONE, "素", "veg"),
        (FieldKind.CHOOSE_ONE, " VEG ", "veg"),
        (FieldKind.CHOOSE_ONE, "fish", Problem(Code.NOT_A_CHOICE)),
        (FieldKind.CHOOSE_MANY, "素、Meat；", ["meat", "veg"]),
        (FieldKind.CHOOSE_MANY, "素, fish", Problem(Code.NOT_A_CHOICE)),
        (FieldKind.CHOOSE_MANY, "、", Problem(Code.NOT_A_CHOICE)),
        (FieldKind.YES_NO, "是", True),
        (FieldKind.YES_NO, "NO", False),
        (FieldKind.YES_NO, "perhaps", Problem(Code.NOT_A_CHOICE)),
        (FieldKind.NUMBER, "3", 3),
        (FieldKind.LINE, " ", None),
        (FieldKind.FILE, "/files/1", None),
    ],
)
def test_a_list_says_answers_in_words(kind: FieldKind, text: str, value: Any) -> None:
    assert rules.read_words(question(kind), text, yes=YES, no=NO) == value


# --- files -------------------------------------------------------------------------------------------------------


def archive(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return stream.getvalue()


TYPES = "[Content_Types].xml"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7 ...", FileType.PDF),
        (b"\x89PNG\r\n\x1a\n....", FileType.PNG),
        (b"\xff\xd8\xff\xe0", FileType.JPEG),
        (archive("a.txt"), FileType.ZIP),
        (archive(TYPES, "word/document.xml"), FileType.DOCX),
        (archive(TYPES, "xl/workbook.xml"), FileType.XLSX),
        (archive(TYPES, "ppt/presentation.xml"), None),
        (archive(TYPES, "word/document.xml", "word/vbaProject.bin"), None),
        (archive(*[f"{number}" for number in range(rules.UNPACKED_FILES_AT_MOST + 1)]), None),
        (b"PK\x03\x04 and then nothing", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", None),
        (b"<!doctype html><script>alert(1)</script>", None),
        (b"MZ\x90\x00", None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_content_says(data: bytes, kind: FileType | None) -> None:
    assert rules.sniff(data) is kind


def test_files_that_are_not_taken() -> None:
    assert rules.check_file(b"") == Problem(FormCode.FILE_EMPTY)
    assert rules.check_file(b"<svg/>") == Problem(FormCode.FILE_KIND)
    large = b"%PDF-" + bytes(rules.FILE_MAX_MB * 1024 * 1024)
    assert rules.check_file(large) == Problem(FormCode.FILE_SIZE, {"limit": rules.FILE_MAX_MB})
    assert rules.check_file(b"%PDF-1.4") is FileType.PDF


@pytest.mark.parametrize(
    ("name", "kind", "named"),
    [
        ("cv.pdf", FileType.PDF, "cv.pdf"),
        ("CV.PDF", FileType.PDF, "CV.PDF"),
        ("photo.jpeg", FileType.JPEG, "photo.jpeg"),
        ("ticket.html", FileType.PDF, "ticket.html.pdf"),
        ("简历", FileType.DOCX, "简历.docx"),
    ],
)
def test_a_name_ends_as_its_content_is(name: str, kind: FileType, named: str) -> None:
    assert rules.named_as(name, kind) == named


# --- what organisers decide --------------------------------------------------------------------------------------


def details(**more: Any) -> QuestionDetails:
    values: dict[str, Any] = {"code": "meal", "kind": FieldKind.LINE, "label": LocalizedText({"en": "Meal"})}
    return QuestionDetails(**(values | more))


def test_a_question_as_it_should_be_has_no_problems() -> None:
    assert details().problems() == {}
    assert details(kind=FieldKind.CHOOSE_MANY, options=MEALS).problems() == {}


@pytest.mark.parametrize(
    ("more", "where", "code"),
    [
        ({"label": LocalizedText({"en": " "})}, "label", Code.REQUIRED),
        ({"label": LocalizedText({"en": "x" * 201})}, "label", Code.TOO_LONG),
        ({"help": LocalizedText({"en": "x" * 501})}, "help", Code.TOO_LONG),
        ({"code": "a b"}, "code", FormCode.CODE_MALFORMED),
        ({"kind": FieldKind.CHOOSE_ONE}, "options", FormCode.OPTIONS_MISSING),
        ({"kind": FieldKind.CHOOSE_ONE, "options": MEALS[:1] * 2}, "options", FormCode.OPTION_TWICE),
        (
            {
                "kind": FieldKind.CHOOSE_ONE,
                "options": tuple(Option(str(n), LocalizedText({"en": "x"})) for n in range(61)),
            },
            "options",
            FormCode.OPTIONS_TOO_MANY,
        ),
        (
            {
                "kind": FieldKind.CHOOSE_ONE,
                "options": (MEALS[0], Option("long", LocalizedText({"en": "x" * 201}))),
            },
            "options",
            Code.TOO_LONG,
        ),
        (
            {"kind": FieldKind.CHOOSE_ONE, "options": (MEALS[0], Option("a b", LocalizedText({"en": "x"})))},
            "options",
            FormCode.CODE_MALFORMED,
        ),
    ],
)
def test_what_is_wrong_with_a_question(more: dict[str, Any], where: str, code: str) -> None:
    assert {name: problem.code for name, problem in details(**more).problems().items()} == {where: code}


def test_options_are_typed_one_a_line_and_keep_their_codes() -> None:
    first = rules.parse_options("荤 | Meat\n\n veg：素｜Vegetarian\n不用")
    assert [(one.code, dict(one.label)) for one in first] == [
        ("1", {"zh-Hans": "荤", "en": "Meat"}),
        ("veg", {"zh-Hans": "素", "en": "Vegetarian"}),
        ("2", {"zh-Hans": "不用"}),
    ]
    # Sorted anew, one gone, one new: what was stored keeps its meaning, and no old code is given to a new answer.
    second = rules.parse_options("不用\n荤 | Meat and fish\n都可以", first)
    assert [one.code for one in second] == ["2", "1", "3"]
    assert rules.parse_options(rules.options_text(first), first) == first


@given(
    st.lists(
        st.builds(
            Option,
            st.text("abcdefgh0123456789-_", min_size=1, max_size=10),
            st.builds(
                lambda zh, en: LocalizedText.of({"zh-Hans": zh, "en": en}),
                st.text("甲乙丙丁戊", min_size=1, max_size=5),
                st.text("klmnop", max_size=5),
            ),
        ),
        max_size=6,
    )
)
def test_options_written_out_are_read_back(options: list[Option]) -> None:
    assert rules.parse_options(rules.options_text(options), options) == tuple(options)


def test_options_out_of_the_table() -> None:
    assert Option.of({"code": 1, "label": {"en": "One"}}) == Option("1", LocalizedText({"en": "One"}))


@pytest.mark.parametrize(
    ("more", "where", "code"),
    [
        ({"title": LocalizedText()}, "title", Code.REQUIRED),
        ({"title": LocalizedText({"en": "x" * 201})}, "title", Code.TOO_LONG),
        ({"text": LocalizedText({"en": "x" * 20_001})}, "text", Code.TOO_LONG),
        ({"code": ""}, "code", FormCode.CODE_MALFORMED),
    ],
)
def test_what_is_wrong_with_a_consent(more: dict[str, Any], where: str, code: str) -> None:
    values: dict[str, Any] = {"code": "coc", "title": LocalizedText({"en": "Conduct"})} | more
    assert {name: one.code for name, one in ConsentDetails(**values).problems().items()} == {where: code}


def test_a_consent_differs_when_people_would_agree_to_something_else() -> None:
    same = ConsentDetails(code="other code", title=LocalizedText({"en": "Conduct"}))
    assert not same.differs(consent())
    assert ConsentDetails(code="coc", title=LocalizedText({"en": "Conduct"}), is_required=True).differs(
        consent()
    )
    assert consent().name == "consent.2"


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("https://example.org/slides.pdf", True),
        (" http://例子.中国/稿 ", True),
        ("https://a.b@evil.example", False),
        ("javascript:alert(1)", False),
        ("https://me:secret@example.org/", False),
        ("https://localhost", False),
        ("https://a b.org", False),
        ("", False),
        ("https://example.org/" + "x" * 1000, False),
    ],
)
def test_addresses(text: str, is_good: bool) -> None:
    assert (read_address(text) == text.strip()) == is_good
    assert isinstance(read_address(text), Problem) != is_good
