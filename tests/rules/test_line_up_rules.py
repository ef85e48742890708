"""A pasted line-up, slides by their content, and whose registration is a speaker's."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenda.line_up_rules import (
    KEEPS,
    SLIDES_MAX_MB,
    SPEAKERS_AT_MOST,
    Candidate,
    Person,
    language_of,
    localized,
    named_with,
    own_registration,
    read_line_up,
    separator_of,
    slides_ending,
)
from events.form_rules import UNPACKED_FILES_AT_MOST
from events.rules import RegistrationState, TicketRole
from kernel.errors import Problem


def problems_of(text: str, **more: object) -> list[dict[str, str]]:
    return [
        {name: str(one.code) for name, one in talk.problems.items()}
        for talk in read_line_up(text, **more)  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("a\tb\tc\td", "\t"),
        ("a, b|c|d", "|"),
        ("a｜b｜c｜d", "｜"),
        ("一，张三，甲，主任", "，"),
        ("a, b, c, d", ","),
        # A comma in a title is no cell: the tab divides more surely.
        ("Yes, we can\tAnn\tX\tCTO", "\t"),
        # Most lines decide.
        ("a|b\nc,d\ne,f", ","),
        ("one", "\t"),
        ("", "\t"),
    ],
)
def test_the_sign_between_the_cells_is_the_one_that_fits_most_lines(text: str, sign: str) -> None:
    assert separator_of(text.splitlines()) == sign


def test_a_line_becomes_a_talk_with_its_speakers() -> None:
    text = (
        "题目,讲师,单位,职位\n"
        "\n"
        "开源治理,张三、李四,甲&乙,主任\n"
        "Rust and C,Ann & Bob,AT&T,CTO、CEO,ann@Example.org & bob@example.org\n"
        "只有题目和讲师,王五,,\n"
    )
    first, second, third = read_line_up(text)
    assert (first.number, first.title, first.problems) == (3, "开源治理", {})
    assert first.people == (Person("张三", "甲", "主任"), Person("李四", "乙", "主任"))
    assert second.people == (
        Person("Ann", "AT&T", "CTO", "ann@example.org"),
        Person("Bob", "AT&T", "CEO", "bob@example.org"),
    )
    assert third.people == (Person("王五"),)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("a|b|c|d|e@x.org|f", {"": "line_up_too_many_cells"}),
        ("|Ann", {"title": "required"}),
        ("Talk|  |X", {"name": "required"}),
        (f"{'t' * 201}|Ann", {"title": "too_long"}),
        (f"Talk|{'n' * 121}", {"name": "too_long"}),
        (f"Talk|Ann|{'o' * 201}", {"organisation": "too_long"}),
        (f"Talk|Ann|X|{'p' * 121}", {"position": "too_long"}),
        (f"Talk|{'、'.join(f'n{n}' for n in range(SPEAKERS_AT_MOST + 1))}", {"name": "too_long"}),
        ("Talk|Ann、Bob|X、Y、Z", {"organisation": "line_up_count_differs"}),
        ("Talk|Ann|X|Y|nobody", {"email": "line_up_email_invalid"}),
        ("Talk|Ann、Bob|X|Y|ann@example.org", {"email": "line_up_count_differs"}),
        (
            "Talk|Ann、Bob|X|Y|ann@example.org、ANN@example.org",
            {"email": "speaker_email_taken"},
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_line(line: str, wrong: dict[str, str]) -> None:
    # A good line beside it, so that the sign is plain.
    assert problems_of(f"Good|Zoe\n{line}") == [{}, wrong]


def test_the_same_line_again_and_a_title_that_is_there_are_told() -> None:
    assert problems_of("A|Ann\nA|Bob\na | ann\nB|Cy", there=["b"]) == [
        {},
        {},
        {"": "line_up_twice"},
        {"title": "line_up_there"},
    ]
    assert problems_of("A|B|C|D|E|F\nB|C") == [{"": "line_up_too_many_cells"}, {}]
    assert read_line_up(" \n\n") == []


def test_languages_of_lines() -> None:
    assert (language_of("Rust 实践"), language_of("Rust")) == ("zh-Hans", "en")
    assert (localized("开源"), localized("")) == ({"zh-Hans": "开源"}, {})


@given(st.text(max_size=400))
def test_whatever_is_pasted_is_read_line_by_line(text: str) -> None:
    found = read_line_up(text)
    lines = len(text.replace("\0", " ").splitlines())
    assert [one.number for one in found] == sorted({one.number for one in found})
    assert all(1 <= one.number <= lines for one in found)
    # What is without a problem can be entered as it stands.
    for one in found:
        if not one.problems:
            assert one.title
            assert one.people
            assert all(who.name for who in one.people)


def zipped(*names: str, **content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, content.get(name, b"x"))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "form_file_empty"),
        (b"%PDF-1.7 ... %%EOF\n", "pdf"),
        (b"%PDF-1.7 cut off on its way", "slides_kind"),
        (b"<html><script>alert(1)</script>", "slides_kind"),
        (b"PK\x03\x04 no archive", "slides_kind"),
        (zipped("[Content_Types].xml", "ppt/presentation.xml"), "pptx"),
        (zipped("[Content_Types].xml", "ppt/presentation.xml", "ppt/vbaProject.bin"), "slides_kind"),
        (zipped("[Content_Types].xml", "word/document.xml"), "slides_kind"),
        (zipped("mimetype", mimetype=b"application/vnd.oasis.opendocument.presentation"), "odp"),
        (zipped("mimetype", mimetype=b"application/vnd.oasis.opendocument.text"), "slides_kind"),
        (zipped("mimetype", mimetype=b"application/epub+zip"), "zip"),
        (zipped("Index/Document.iwa"), "key"),
        (zipped("Index.zip"), "key"),
        (zipped("a.pdf", "b.mp4"), "zip"),
        (zipped(*(f"{n}" for n in range(UNPACKED_FILES_AT_MOST + 1))), "slides_kind"),
    ],
)
def test_slides_are_what_their_content_says(data: bytes, said: str) -> None:
    found = slides_ending(data)
    assert (str(found.code) if isinstance(found, Problem) else found) == said


def test_slides_have_a_limit() -> None:
    found = slides_ending(b"%PDF-" + b" " * SLIDES_MAX_MB * 1024 * 1024)
    assert isinstance(found, Problem)
    assert (found.code, found.params) == ("form_file_size", {"limit": SLIDES_MAX_MB})


def test_a_name_ends_as_its_content_is() -> None:
    assert named_with("talk.html", "pdf") == "talk.html.pdf"
    assert named_with("Talk.PDF", "pdf") == "Talk.PDF"


C, P, W = RegistrationState.CONFIRMED, RegistrationState.PENDING, RegistrationState.WAITLISTED
GUEST = TicketRole.GUEST


@pytest.mark.parametrize(
    ("rows", "names", "chosen"),
    [
        ([], ["Ann"], None),
        ([(1, "Ann", RegistrationState.CANCELLED)], ["Ann"], None),
        ([(1, "Ann", RegistrationState.DECLINED)], ["Ann"], None),
        # One alone is hers, whatever she is called there.
        ([(1, "A. Lin", C)], ["Ann"], 1),
        # A class under one address: the one with her name, or nobody's.
        ([(1, "Bob", C), (2, "ANN  Lin", C)], ["安", "Ann Lin"], 2),
        ([(1, "Bob", C), (2, "Cy", C)], ["Ann", ""], None),
        # Of several of hers the one that is furthest along, then the first.
        ([(1, "Ann", W), (2, "Ann", P), (4, "Ann", C), (3, "Ann", C)], ["Ann"], 3),
    ],
)
def test_which_registration_is_the_speakers_own(
    rows: list[tuple[int, str, RegistrationState]], names: list[str], chosen: int | None
) -> None:
    found = own_registration([Candidate(*row, GUEST) for row in rows], names)
    assert (found.id if found else None) == chosen


def test_staff_and_volunteers_keep_what_opens_more_doors() -> None:
    assert {TicketRole.SPEAKER, TicketRole.STAFF, TicketRole.VOLUNTEER} == KEEPS
