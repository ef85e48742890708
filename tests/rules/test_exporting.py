"""Lists on their way out: harmless in a spreadsheet, whole when they come back."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
import qrcode
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from events import exporting
from events.contacts import clean_name
from events.exporting import Cell, neutralise, restore, to_csv, to_xlsx
from events.importing import Action, Options, TicketTypeChoice, plan
from events.sheets import guess_header, guess_mapping, read_table
from kernel.errors import Problem

pytestmark = pytest.mark.fast

COLUMNS = ["姓名", "邮箱", "手机", "单位", "外部编号", "电子票号", "报名时间"]


def csv_bytes(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> bytes:
    return b"".join(to_csv(columns, rows))


def sheet_of(data: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(data)).active


def picture(text: str = "x") -> bytes:
    stream = io.BytesIO()
    qrcode.make(text).save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+8613800138000", "'+8613800138000"),
        ("+1+1", "'+1+1"),
        ("-1+1", "'-1+1"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1+1", "'＝1+1"),
        ("＋86", "'＋86"),
        ("－x", "'－x"),
        ("＠x", "'＠x"),
        ("'=1+1", "''=1+1"),
        ("''+1", "'''+1"),
        ("#N/A", "'#N/A"),
        (" #name? ", "' #name? "),
        ("'#REF!", "''#REF!"),
    ],
)
def test_what_could_begin_a_formula_gets_an_apostrophe(text: str, safe: str) -> None:
    assert neutralise(text) == safe
    assert restore(safe) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "张三",
        "13800138000",
        "-5",
        "-0.5",
        "a=b",
        " =1",
        "a@example.com",
        "O'Brien",
        "'tis",
        "#1",
        "#N/A?",
        "'",
        "2023-10-28",
    ],
)
def test_other_text_stays_readable(text: str) -> None:
    assert neutralise(text) == text
    assert restore(text) == text


@given(st.text(st.one_of(st.sampled_from("'=+-@\t\r\n＝5."), st.characters()), max_size=6))
def test_neutralising_loses_nothing_and_leaves_no_formula(text: str) -> None:
    safe = neutralise(text)
    assert restore(safe) == text
    if safe[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"):
        assert float(safe) < 0 or safe.strip("-0.") == ""


def test_csv_is_utf_8_with_bom_crlf_and_rfc_4180() -> None:
    data = csv_bytes(["姓名", "=备注"], [['张"三"', "a,b"], ["李\n四", None], ["", "x"]])
    assert data == codecs.BOM_UTF8 + '姓名,\'=备注\r\n"张""三""","a,b"\r\n"李\n四",\r\n,x\r\n'.encode()


def test_csv_writes_each_kind_of_cell() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    row: list[Cell] = [
        "text",
        None,
        7,
        -7,
        0.1 + 0.2,
        float("nan"),
        float("inf"),
        True,
        False,
        date(2023, 10, 28),
        datetime(2023, 10, 28, 9, 30, 15, 999, tzinfo=shanghai),
        datetime.fromisoformat("2023-10-28"),
        10**20,
        "a\x00\x0b\x1fb\ufffe\ud800c",
    ]
    line = csv_bytes([], [row]).decode("utf-8-sig").splitlines()[1]
    assert line == (
        "text,,7,-7,0.3,,,TRUE,FALSE,2023-10-28,2023-10-28 09:30:15,2023-10-28 00:00:00,100000000000000000000,a  bc"
    )


def test_csv_leaves_in_pieces_that_join_to_one_file() -> None:
    rows = [[f"姓名{n}", "x" * 100] for n in range(2_000)]
    pieces = list(to_csv(["姓名", "x"], rows))
    assert len(pieces) == 4
    assert all(64 * 1024 <= len(piece) < 70 * 1024 for piece in pieces[:-1])
    assert list(csv.reader(io.StringIO(b"".join(pieces).decode("utf-8-sig"), newline=""))) == [
        ["姓名", "x"],
        *rows,
    ]


def test_csv_takes_rows_one_by_one() -> None:
    taken = 0

    def rows() -> Any:
        nonlocal taken
        for _ in range(5_000):
            taken += 1
            yield ["x" * 100]

    pieces = to_csv(["a"], rows())
    next(pieces)
    assert 600 < taken < 700


def test_xlsx_has_bold_frozen_titles_and_text_cells() -> None:
    sheet = sheet_of(
        to_xlsx(["姓名", "=1+1"], [["=1+1", "+8613800138000"], ["#1", "000123"]], title="报名: 2023/10")
    )
    assert sheet.title == "报名  2023 10"
    assert sheet.freeze_panes == "A2"
    assert [cell.font.b for cell in sheet[1]] == [True, True]
    assert [cell.font.b for cell in sheet[2]] == [False, False]
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert [cell.value for cell in cells] == ["姓名", "=1+1", "=1+1", "+8613800138000", "#1", "000123"]
    assert {(cell.data_type, cell.number_format) for cell in cells} == {("s", "@")}


def test_xlsx_writes_each_kind_of_cell() -> None:
    east = timezone(timedelta(hours=8))
    row: list[Cell] = [
        "",
        None,
        7,
        10**15 - 1,
        10**15,
        -(10**15),
        0.5,
        float("nan"),
        True,
        date(2023, 10, 28),
        datetime(2023, 10, 28, 9, 30, 15, 999, tzinfo=east),
        date(1899, 1, 2),
        datetime(1899, 1, 2, 3, 4, 5, tzinfo=UTC),
        "a\x00\x0bb\ufffe",
        "'=1",
        "#N/A",
    ]
    sheet = sheet_of(to_xlsx([str(n) for n in range(len(row))], [row]))
    assert [cell.value for cell in sheet[2]] == [
        None,
        None,
        7,
        10**15 - 1,
        "1000000000000000",
        "-1000000000000000",
        0.5,
        None,
        True,
        datetime.fromisoformat("2023-10-28"),
        datetime.fromisoformat("2023-10-28 09:30:15"),
        "1899-01-02",
        "1899-01-02 03:04:05",
        "a b",
        "''=1",
        "'#N/A",
    ]


def test_column_widths_fit_chinese() -> None:
    sheet = sheet_of(
        to_xlsx(
            ["a", "b", "c", "d"],
            [["开源社开源社", "abcdef", "x" * 500, "一\nabcdefghijkl"], [1, None, None, "", "extra"]],
        )
    )
    assert [sheet.column_dimensions[letter].width for letter in "ABCD"] == [14, 8, 60, 14]


@pytest.mark.parametrize(
    ("title", "kept"), [("", "Sheet1"), ("[:]", "Sheet1"), ("'甲'", "甲"), ("x" * 40, "x" * 31)]
)
def test_a_sheet_s_title_is_one_that_excel_takes(title: str, kept: str) -> None:
    assert sheet_of(to_xlsx(["a"], [], title=title)).title == kept


def test_pictures_stand_beside_their_rows() -> None:
    codes = [picture("one"), None, picture("three")]
    sheet = sheet_of(to_xlsx(["姓名"], [["甲"], ["乙"], ["丙"], ["丁"]], codes, picture_title="二维码"))
    assert [cell.value for cell in sheet[1]] == ["姓名", "二维码"]
    places = [
        (image.anchor._from.row + 1, image.anchor._from.col + 1, image._data()) for image in sheet._images
    ]
    assert places == [(2, 2, codes[0]), (4, 2, codes[2])]
    assert {(image.anchor.ext.width, image.anchor.ext.height) for image in sheet._images} == {
        (120 * 9525, 120 * 9525)
    }
    heights = [sheet.row_dimensions[row].height for row in range(1, 6)]
    assert heights == [None, 96, None, 96, None]
    assert sheet.column_dimensions["B"].width * 7 >= 120


def test_too_many_pictures_are_refused_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "MAX_PICTURES", 2)
    code = picture()
    assert len(sheet_of(to_xlsx(["a"], [["1"]] * 3, [code, None, code]))._images) == 2
    with pytest.raises(ValueError, match="at most 2"):
        to_xlsx(["a"], [["1"]] * 3, [code] * 3)


def test_a_workbook_with_pictures_can_be_imported() -> None:
    table = read_table("a.xlsx", to_xlsx(["姓名", "手机"], [["张三", "+8613800138000"]], [picture()]))
    assert table.rows == [["姓名", "手机", "QR"], ["张三", "+8613800138000"]]


def test_nothing_in_a_workbook_names_the_writer() -> None:
    with zipfile.ZipFile(io.BytesIO(to_xlsx(["a"], []))) as archive:
        assert b"<dc:creator>Huiwu</dc:creator>" in archive.read("docProps/core.xml")


# Out and in again

TICKETS = [TicketTypeChoice(1, "standard", {"zh-Hans": "标准票"})]
OPTIONS = Options(time_zone=ZoneInfo("Asia/Shanghai"), default_ticket_type_id=1)
WILD = st.text(
    st.one_of(st.sampled_from("'=+-@\t\r\n\",;，＝🎉\u200d\u202e \x00\x0b#"), st.characters()),
    min_size=1,
    max_size=30,
)


def written(names: list[str], *, as_xlsx: bool) -> bytes:
    rows: list[list[Cell]] = [
        [
            name,
            f"a{n}@example.com",
            f"+86138{n:08d}",
            name,
            f"{n:020d}",
            f"=T{n}",
            datetime.fromisoformat("2023-10-01 09:00").replace(minute=n % 60),
        ]
        for n, name in enumerate(names)
    ]
    return to_xlsx(COLUMNS, rows) if as_xlsx else csv_bytes(COLUMNS, rows)


@pytest.mark.parametrize("as_xlsx", [False, True])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(names=st.lists(WILD, min_size=1, max_size=5))
@example(
    names=[
        "'=1",
        "''+1",
        '=HYPERLINK("x")',
        "小明🎉",
        "张\n三",
        '"',
        '""',
        ",;\t",
        "#N/A",
        "'#ref!",
        "#1",
        "姓名",
        "a\r\nb",
    ]
)
@example(names=[";" * 30] * 2)
@example(names=["\n", "\t'", "_x000D_", "_x005F_x000D_", "_x0041_"])
def test_what_we_export_we_can_import(as_xlsx: bool, names: list[str]) -> None:
    table = read_table("export", written(names, as_xlsx=as_xlsx))
    assert guess_header(table) == 1
    result = plan(
        table,
        header_row=1,
        mapping=guess_mapping(table.rows[0]),
        ticket_types=TICKETS,
        existing=[],
        options=OPTIONS,
    )
    assert len(result.rows) == len(names)
    for n, (row, name) in enumerate(zip(result.rows, names, strict=True)):
        clean = clean_name(name)
        if isinstance(clean, Problem):
            assert (row.action, [problem.code for problem in row.problems]) == (Action.ERROR, [clean.code])
            continue
        assert row.action is Action.CREATE, (row, name)
        assert row.values.name == clean
        assert row.values.organisation == clean
        assert row.values.email == f"a{n}@example.com"
        assert row.values.phone == f"+86138{n:08d}"
        assert row.values.external_id == f"{n:020d}"
        assert row.values.external_code == f"=T{n}"
        assert row.values.registered_at == datetime(2023, 10, 1, 1, n % 60, tzinfo=UTC)
