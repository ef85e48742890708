"""Bytes to a table: real files in every encoding that organisers send, and every refusal."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from events import sheets
from events.sheets import (
    MAX_CELL,
    MAX_COLUMNS,
    MAX_ROWS,
    SYNONYMS,
    Field,
    Kind,
    SheetCode,
    SheetProblem,
    Table,
    column_letter,
    guess_header,
    guess_mapping,
    read_table,
)

pytestmark = pytest.mark.fast

HEADER = ["姓名", "邮箱", "手机", "单位", "票种"]
PEOPLE = [
    HEADER,
    ["张三", "zhang@example.com", "13800138000", "开源社", "标准票"],
    ["李四🎉", "", "13900139000", "某某大学，计算机学院", "学生票"],
]


def as_text(rows: Sequence[Sequence[str]], delimiter: str = ",", end: str = "\r\n") -> str:
    return end.join(delimiter.join(row) for row in rows) + end


def as_xlsx(rows: Sequence[Sequence[Any]], **more: Sequence[Sequence[Any]]) -> bytes:
    workbook = Workbook()
    first = workbook.worksheets[0]
    first.title = "报名"
    for title, content in {"报名": rows, **more}.items():
        sheet = first if title == "报名" else workbook.create_sheet(title)
        for row in content:
            sheet.append(list(row))
    return saved(workbook)


def saved(workbook: Workbook) -> bytes:
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def repacked(data: bytes, **changes: bytes | None) -> bytes:
    """The same archive with members replaced, added or (None) left out; ``__`` in a name stands for a slash."""
    wanted = {name.replace("__", "/").replace("_XML", ".xml"): content for name, content in changes.items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            if member.filename not in wanted:
                new.writestr(member.filename, old.read(member))
        for name, content in wanted.items():
            if content is not None:
                new.writestr(name, content)
    return stream.getvalue()


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_XML", ".xml"), content)
    return stream.getvalue()


def refusal(data: bytes, filename: str = "list.csv", sheet: str | None = None) -> tuple[str, dict[str, Any]]:
    with pytest.raises(SheetProblem) as caught:
        read_table(filename, data, sheet)
    assert caught.value.status == 422
    return caught.value.code, caught.value.params


# Text


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("gb18030", "gb18030")],
)
@pytest.mark.parametrize(("delimiter", "kind"), [(",", Kind.CSV), ("\t", Kind.TSV), (";", Kind.CSV)])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_text_is_read_in_every_encoding_and_delimiter(
    codec: str, encoding: str, delimiter: str, kind: Kind, end: str
) -> None:
    data = as_text(PEOPLE, delimiter, end).encode(codec)
    assert read_table("名单.csv", data) == Table(PEOPLE, encoding, kind, "名单.csv")


def test_utf_16_is_read_in_either_byte_order() -> None:
    text = as_text(PEOPLE)
    assert read_table("a", b"\xfe\xff" + text.encode("utf-16-be")).rows == PEOPLE
    assert read_table("a", b"\xff\xfe" + text.encode("utf-16-le")).rows == PEOPLE


def test_gbk_of_chinese_excel_is_gb18030() -> None:
    table = read_table("a.csv", "姓名,单位\r\n镕基,喆社\r\n".encode("gbk"))
    assert (table.encoding, table.rows[1]) == ("gb18030", ["镕基", "喆社"])


def test_the_full_width_comma_is_text() -> None:
    assert read_table("a.csv", "姓名，昵称\n张三，三三\n".encode()).rows == [["姓名，昵称"], ["张三，三三"]]


@pytest.mark.parametrize("delimiter", ",\t;")
def test_header_words_outweigh_delimiters_inside_cells(delimiter: str) -> None:
    others = "".join(one for one in ",\t;" if one != delimiter)
    noisy = [["姓名", "备注"], ["张三", others * 9 + "。"]]
    assert read_table("a.csv", as_text(noisy, delimiter).encode()).rows == noisy


def test_without_known_words_the_regular_delimiter_wins() -> None:
    rows = [["x", "y, z", "w"], ["1", "2", "3"], ["4", "5", "6"]]
    assert read_table("a.csv", as_text(rows, ";").encode()).rows == rows


def test_one_column_is_a_table() -> None:
    assert read_table("a.csv", b"a\nb\n").rows == [["a"], ["b"]]


def test_a_line_that_names_the_delimiter_is_obeyed_and_not_counted() -> None:
    assert read_table("a.csv", b"sep=;\r\na,b;c\r\n").rows == [["a,b", "c"]]


def test_quotes_and_line_breaks_are_read_as_excel_writes_them() -> None:
    data = '姓名,备注\r\n"张, ""三""","第一行\n第二行\r\n第三行"\r\n李四,5" 屏\r\n'.encode()
    assert read_table("a.csv", data).rows == [
        ["姓名", "备注"],
        ['张, "三"', "第一行\n第二行\r\n第三行"],
        ["李四", '5" 屏'],
    ]


def test_lines_agree_with_the_spreadsheet_across_blank_rows() -> None:
    table = read_table("a.csv", "\n姓名,手机\n\n , \n张三,1\n\n\n".encode())
    assert table.rows == [[], ["姓名", "手机"], [], [], ["张三", "1"]]
    assert table.cell(5, 0) == "张三"
    assert table.cell(5, 7) == ""
    assert table.width == 2


def test_content_decides_what_a_file_is() -> None:
    assert read_table("list.xlsx", as_text(PEOPLE).encode()).kind is Kind.CSV
    assert read_table("list.csv", as_xlsx(PEOPLE)).kind is Kind.XLSX
    assert read_table("PK.csv", "PK,姓名\n1,张三\n".encode()).rows == [["PK", "姓名"], ["1", "张三"]]


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (OLE + b"\x00" * 600, "XLS"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<html><body><table><tr><td>name</td></tr></table></body></html>", "HTML"),
        ("\ufeff \r\n<!DOCTYPE html>\n<table>".encode(), "HTML"),
        ("<HTML xmlns:x='urn:schemas-microsoft-com:office:excel'>姓名".encode("gb18030"), "HTML"),
        (b"<table border=1>", "HTML"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "XML"),
        (zipped(a_XML=b""), "ZIP"),
        (zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), "ODS"),
        (zipped(mimetype=b"application/epub+zip"), "ZIP"),
        (zipped(Index__Document=b"", **{"Index__a.iwa": b""}), "NUMBERS"),
        (zipped(**{"xl__workbook.bin": b""}), "XLSB"),
        (
            zipped(
                **{
                    "[Content_Types]_XML": b"application/vnd.openxmlformats.wordprocessingml.template.main+xml"
                }
            ),
            "DOCX",
        ),
    ],
)
def test_other_kinds_are_refused_by_what_they_are(data: bytes, kind: str) -> None:
    assert refusal(data, "list.xlsx") == (SheetCode.KIND, {"kind": kind})


def test_a_less_than_sign_is_not_yet_html() -> None:
    assert read_table("a.csv", "<3,姓名\n1,张三\n".encode()).rows[0] == ["<3", "姓名"]


def test_a_workbook_with_a_password_is_locked_not_old() -> None:
    data = OLE + b"\x00" * 100 + "EncryptedPackage".encode("utf-16-le") + b"\x00" * 100
    assert refusal(data) == (SheetCode.LOCKED, {})


def test_an_archive_with_a_password_is_locked() -> None:
    data = bytearray(as_xlsx(PEOPLE))
    for found in re.finditer(b"PK\x01\x02", bytes(data)):
        data[found.start() + 8] |= 1
    assert refusal(bytes(data)) == (SheetCode.LOCKED, {})


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b"\x00\x01\x02",
        b"\xff\xff\xff",
        "姓名,邮箱".encode("utf-16-le"),
        b"\xff\xfea",
        b"\xff\xfe\x00\x00a\x00\x00\x00",
    ],
)
def test_unknown_bytes_are_named(data: bytes) -> None:
    assert refusal(data) == (SheetCode.ENCODING, {})


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_one_damaged_byte_does_not_turn_utf_8_into_gb18030(bom: bytes) -> None:
    good = as_text(PEOPLE * 5).encode()
    at = good.index("李四".encode())
    assert refusal(bom + good[:at] + good[at + 1 :]) == (SheetCode.DAMAGED, {"line": 3})
    assert refusal(bom + good + "张".encode()[:2]) == (SheetCode.DAMAGED, {"line": 16})


@given(
    st.lists(
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=4), min_size=1
    )
)
def test_gb18030_is_never_taken_for_damaged_utf_8(names: list[str]) -> None:
    data = as_text([["姓名", "序号"], *([name, "1"] for name in names)]).encode("gb18030")
    assert [row[0] for row in read_table("a.csv", data).rows[1:]] == names


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\r\n\r\n", b" , ,\n,,\n"])
def test_nothing_is_refused_as_nothing(data: bytes) -> None:
    assert refusal(data) == (SheetCode.EMPTY, {})


# Limits


def test_too_many_bytes_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(b"a" * (sheets.MAX_BYTES + 1)) == (SheetCode.SIZE, {"limit": 20})
    monkeypatch.setattr(sheets, "MAX_BYTES", 3 * 1024 * 1024)
    assert refusal(b"a" * (3 * 1024 * 1024 + 1)) == (SheetCode.SIZE, {"limit": 3})


def test_rows_are_limited_where_something_stands() -> None:
    full = b"a\n" * MAX_ROWS
    assert len(read_table("a.csv", full).rows) == MAX_ROWS
    assert len(read_table("a.csv", full + b"\n,\n" * 50).rows) == MAX_ROWS
    assert refusal(full + b"a\n") == (SheetCode.ROWS, {"limit": MAX_ROWS})


def test_columns_are_limited_where_something_stands() -> None:
    row = ["x"] * MAX_COLUMNS
    assert read_table("a.csv", as_text([["a"], row]).encode()).width == MAX_COLUMNS
    assert read_table("a.csv", as_text([row + [""] * 50]).encode()).width == MAX_COLUMNS
    assert refusal(as_text([["a"], [*row, "x"]]).encode()) == (
        SheetCode.COLUMNS,
        {"limit": MAX_COLUMNS, "line": 2},
    )
    assert refusal(as_xlsx([["a"], [*row, "x"]])) == (SheetCode.COLUMNS, {"limit": MAX_COLUMNS, "line": 2})
    assert read_table("a.xlsx", as_xlsx([["a"], row])).width == MAX_COLUMNS


def test_a_long_cell_is_named_by_its_place() -> None:
    assert read_table("a.csv", as_text([["a", "x" * MAX_CELL]]).encode()).rows == [["a", "x" * MAX_CELL]]
    params = {"limit": MAX_CELL, "line": 2, "column": "B", "length": MAX_CELL + 1}
    assert refusal(as_text([["a", "b"], ["c", "x" * (MAX_CELL + 1)]]).encode()) == (SheetCode.CELL, params)


def test_a_quotation_mark_that_never_closes_is_named_by_its_line() -> None:
    lines = 'a,b\nc,"d\n' + "e,f\n" * 1000
    code, params = refusal(lines.encode())
    assert (code, params["line"], params["column"]) == (SheetCode.CELL, 2, "B")
    assert refusal(b'a,"' + b"x" * 200_000) == (SheetCode.BROKEN, {})


def test_column_letters_are_the_spreadsheet_s() -> None:
    assert [column_letter(n) for n in (0, 25, 26, 51, 52, 701, 702)] == [
        "A",
        "Z",
        "AA",
        "AZ",
        "BA",
        "ZZ",
        "AAA",
    ]


# XLSX


def test_cells_become_the_text_that_excel_shows_in_full() -> None:
    cells: list[tuple[Any, str]] = [
        ("张三", "张三"),
        (" a ", " a "),
        (None, ""),
        (13800138000, "13800138000"),
        (13800138000.0, "13800138000"),
        (0.5, "0.5"),
        (0.1 + 0.2, "0.3"),
        (-2, "-2"),
        (1.23456789012345678e17, "1.23456789012346E+17"),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2023, 10, 28), "2023-10-28"),
        (datetime.fromisoformat("2023-10-28 09:30"), "2023-10-28 09:30:00"),
        (datetime.fromisoformat("2023-10-28"), "2023-10-28"),
        (time(9, 30), "09:30:00"),
        (timedelta(hours=26), "1 day, 2:00:00"),
        ("第一行_x000D_\n第二行", "第一行\n第二行"),
        ("end", "end"),
    ]
    table = read_table("a.xlsx", as_xlsx([[cell for cell, _ in cells]]))
    assert table.rows == [[text for _, text in cells]]
    assert (table.encoding, table.kind) == ("", Kind.XLSX)


def test_the_escapes_of_xlsx_mean_nothing_in_text() -> None:
    assert read_table("a.csv", b"a,_x000D_\n_x005F_,b\n").rows == [["a", "_x000D_"], ["_x005F_", "b"]]


def test_formulas_give_their_last_value() -> None:
    data = as_xlsx([["姓名", "=1+1"]])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    assert read_table("a.xlsx", data).rows == [["姓名"]]
    counted = sheet.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>").replace(
        b"<f>1+1</f><v/>", b"<f>1+1</f><v>2</v>"
    )
    assert counted != sheet
    assert read_table("a.xlsx", repacked(data, xl__worksheets__sheet1_XML=counted)).rows == [["姓名", "2"]]


def test_the_first_visible_sheet_that_holds_anything_is_read() -> None:
    workbook = Workbook()
    workbook.worksheets[0].title = "说明"
    for title, text in (("隐藏", "x"), ("名单", "姓名"), ("讲师", "讲师姓名")):
        workbook.create_sheet(title).append([text])
    workbook["隐藏"].sheet_state = "hidden"
    table = read_table("a.xlsx", saved(workbook))
    assert (table.rows, table.sheet, table.sheets) == ([["姓名"]], "名单", ("说明", "名单", "讲师"))


def test_a_sheet_can_be_chosen() -> None:
    data = as_xlsx([["姓名"]], 讲师=[["讲师姓名"]], 空=[])
    assert read_table("a.xlsx", data, "讲师").rows == [["讲师姓名"]]
    assert refusal(data, sheet="空") == (SheetCode.EMPTY, {})
    assert refusal(data, sheet="没有") == (SheetCode.MISSING, {})


def test_an_empty_workbook_is_refused_as_nothing() -> None:
    assert refusal(as_xlsx([])) == (SheetCode.EMPTY, {})
    assert refusal(as_xlsx([[" ", None]])) == (SheetCode.EMPTY, {})


def test_lines_of_a_workbook_agree_with_the_spreadsheet() -> None:
    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet["A3"], sheet["C5"] = "姓名", "手机"
    assert read_table("a.xlsx", saved(workbook)).rows == [[], [], ["姓名"], [], ["", "", "手机"]]


def test_a_stray_format_at_the_end_is_not_a_million_rows() -> None:
    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet["A1"] = "姓名"
    sheet["A1048576"].number_format = "@"
    sheet["XFD2"].number_format = "@"
    assert read_table("a.xlsx", saved(workbook)).rows == [["姓名"]]
    sheet["A20001"] = "x"
    assert refusal(saved(workbook)) == (SheetCode.ROWS, {"limit": MAX_ROWS})


def test_what_a_sheet_says_of_its_own_size_is_not_believed() -> None:
    data = as_xlsx(PEOPLE)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    for claim in (b'ref="A1"', b'ref="A1:XFD1048576"'):
        lying = re.sub(rb'(<dimension )ref="[^"]*"', rb"\1" + claim, sheet)
        assert lying != sheet
        assert read_table("a.xlsx", repacked(data, xl__worksheets__sheet1_XML=lying)).rows == PEOPLE


def test_a_row_beyond_every_spreadsheet_is_broken() -> None:
    data = as_xlsx([["a"], ["b"]])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    far = sheet.replace(b'<row r="2">', b'<row r="2000000000">').replace(b'r="A2"', b'r="A2000000000"')
    assert far != sheet
    assert refusal(repacked(data, xl__worksheets__sheet1_XML=far)) == (SheetCode.BROKEN, {})


def test_a_stylesheet_that_openpyxl_can_t_read_costs_only_the_dates() -> None:
    data = repacked(
        as_xlsx([*PEOPLE, [date(2023, 10, 28)]]), xl__styles_XML=b"<styleSheet><broken/></styleSheet>"
    )
    assert read_table("a.xlsx", data).rows == [*PEOPLE, ["45227"]]


def test_a_zip_bomb_is_refused_unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    data = repacked(as_xlsx(PEOPLE), **{"xl__media__bomb.png": b"\x00" * (101 * 1024 * 1024)})
    assert len(data) < 200_000
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was opened"))
    assert refusal(data) == (SheetCode.UNPACKED, {"limit": 100})


def test_a_size_that_lies_is_broken() -> None:
    data = bytearray(as_xlsx([["x" * 1000]]))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        real = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    for found in re.finditer(b"PK\x01\x02", bytes(data)):
        if data[found.start() + 24 : found.start() + 28] == real.to_bytes(4, "little"):
            data[found.start() + 24 : found.start() + 28] = (10).to_bytes(4, "little")
    assert refusal(bytes(data)) == (SheetCode.BROKEN, {})


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_document_type_never_reaches_the_parser(codec: str) -> None:
    entity = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'.encode(codec)
    assert refusal(repacked(as_xlsx(PEOPLE), xl__worksheets__sheet1_XML=entity)) == (SheetCode.BROKEN, {})


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + b"x" * 100,
        as_xlsx(PEOPLE)[:-100],
        repacked(as_xlsx(PEOPLE), xl__workbook_XML=b"<not a workbook"),
        repacked(as_xlsx(PEOPLE), xl__workbook_XML=None),
        repacked(as_xlsx(PEOPLE), xl__worksheets__sheet1_XML=b"<worksheet><sheetData>"),
    ],
)
def test_a_broken_workbook_is_refused_by_name(data: bytes) -> None:
    assert refusal(data, "list.xlsx") == (SheetCode.BROKEN, {})


def outcome(data: bytes) -> Table | str:
    try:
        return read_table("x", data)
    except SheetProblem as problem:
        return problem.code


@settings(max_examples=200)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", OLE, b"\xef\xbb\xbf", b"\xff\xfe"]),
)
def test_any_bytes_give_a_table_or_a_named_refusal(data: bytes, start: bytes) -> None:
    table = outcome(start + data)
    if isinstance(table, Table):
        assert table.rows
        assert all(not row or row[-1].strip() for row in table.rows)
    else:
        assert table in set(SheetCode)


SOUND = as_xlsx(PEOPLE)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_damage_to_a_workbook_is_a_table_or_a_named_refusal(damage: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for place, byte in damage:
        data[place] = byte
    table = outcome(bytes(data))
    assert isinstance(table, Table) or table in set(SheetCode)


def test_ten_thousand_rows_are_all_there() -> None:
    rows: list[list[Any]] = [
        HEADER,
        *([f"姓名{n}", f"a{n}@example.com", 13800000000 + n, "单位", "标准票"] for n in range(10_000)),
    ]
    table = read_table("a.xlsx", as_xlsx(rows))
    assert len(table.rows) == 10_001
    assert table.rows[10_000] == ["姓名9999", "a9999@example.com", "13800009999", "单位", "标准票"]


# Headers


def mapped(*header: str) -> dict[str, str]:
    return {str(which): header[column] for which, column in guess_mapping(header).items()}


@pytest.mark.parametrize(("which", "words"), SYNONYMS.items())
def test_every_known_word_means_its_field(which: Field, words: tuple[str, ...]) -> None:
    for word in words:
        assert guess_mapping([word]) == {which: 0}, word
        assert guess_mapping(["x", f" *{word.upper()}（必填）: "]) == {which: 1}, word


def test_no_word_means_two_fields() -> None:
    every = [word for words in SYNONYMS.values() for word in words]
    assert sorted(every) == sorted(set(every))
    assert every == [word.casefold() for word in every]


@pytest.mark.parametrize(
    ("title", "which"),
    [
        ("您的姓名", Field.NAME),
        ("1、您的姓名", Field.NAME),
        ("Q2. 请填写您的手机号", Field.PHONE),
        ("请输入邮箱地址", Field.EMAIL),
        ("E-mail", Field.EMAIL),
        ("e_mail address", Field.EMAIL),
        ("姓名 Name", Field.NAME),
        ("Name/姓名", Field.NAME),
        ("公司/学校 Company / School", Field.ORGANISATION),
        ("手机号（用于接收通知）", Field.PHONE),
        ("姓名（英文）", Field.ENGLISH_NAME),
        ("姓名\n(Full Name)", Field.NAME),
        ("【必填】票种", Field.TICKET_TYPE),
        ("Ｅｍａｉｌ", Field.EMAIL),
        ("Ticket No.", Field.EXTERNAL_CODE),
        ("参会人手机", Field.PHONE),
        ("Attendee email", Field.EMAIL),
    ],
)
def test_titles_as_forms_write_them(title: str, which: Field) -> None:
    assert guess_mapping([title]) == {which: 0}


@pytest.mark.parametrize(
    "title",
    [
        "", "备注", "序号", "购票人姓名", "购票人手机", "紧急联系人", "紧急联系电话", "First name", "Last name", "微信", "公司职位",
        "姓名/邮箱", "签到状态", "签到时间", "票价", "身份证号", "(姓名)" * 50,
    ],
)  # fmt: skip
def test_other_titles_are_left_to_the_organiser(title: str) -> None:
    assert guess_mapping([title]) == {}


def test_the_surest_word_wins_then_the_leftmost_column() -> None:
    assert mapped("联系电话", "手机号") == {"phone": "手机号"}
    assert mapped("您的手机", "电话") == {"phone": "电话"}
    assert guess_mapping(["姓名", "x", "姓名"]) == {Field.NAME: 0}
    assert mapped("订单号", "报名编号", "电子票号") == {
        "external_id": "报名编号",
        "external_code": "电子票号",
    }
    assert mapped("订单号", "票号") == {"external_id": "订单号", "external_code": "票号"}
    assert mapped("购票人姓名", "参会人姓名", "姓名（英文）") == {
        "name": "参会人姓名",
        "english_name": "姓名（英文）",
    }


BAGEVENT = [
    "序号", "订单号", "票券名称", "电子票号", "签到码", "姓名", "邮箱", "手机", "单位", "职位", "报名时间", "审核状态", "备注",
]  # fmt: skip
FEISHU = [
    "编号",
    "姓名 Name",
    "电子邮箱",
    "手机号码",
    "所在机构",
    "职位",
    "票种",
    "胸牌名",
    "英文名",
    "语言",
    "提交时间",
]


def test_the_headers_of_bagevent_and_feishu_are_known() -> None:
    assert mapped(*BAGEVENT) == {
        "name": "姓名",
        "email": "邮箱",
        "phone": "手机",
        "organisation": "单位",
        "position": "职位",
        "ticket_type": "票券名称",
        "external_id": "订单号",
        "external_code": "电子票号",
        "state": "审核状态",
        "registered_at": "报名时间",
    }
    assert mapped(*FEISHU) == {
        "name": "姓名 Name",
        "badge_name": "胸牌名",
        "english_name": "英文名",
        "email": "电子邮箱",
        "phone": "手机号码",
        "organisation": "所在机构",
        "position": "职位",
        "ticket_type": "票种",
        "external_id": "编号",
        "locale": "语言",
        "registered_at": "提交时间",
    }


@pytest.mark.parametrize("above", range(10))
def test_the_header_is_found_under_titles(above: int) -> None:
    titles = [["COSCon'23 第八届中国开源年会"], [], ["导出时间：2023-10-20 12:00", "", "共 1200 人"]]
    filler = [titles[n % 3] for n in range(above)]
    rows = [*filler, BAGEVENT, ["1", "B1", "标准票", "T1", "C1", "张三", "z@example.com", "13800138000"]]
    assert guess_header(read_table("a.xlsx", as_xlsx(rows))) == above + 1
    assert guess_header(read_table("a.csv", as_text(rows).encode("gb18030"))) == above + 1


def test_a_header_without_known_words_is_the_first_line_of_cells() -> None:
    def header(*rows: list[str]) -> int:
        return guess_header(Table(list(rows), "utf-8", Kind.CSV))

    assert header(["标题"], [], ["甲", "乙"], ["1", "2"]) == 3
    assert header([], ["甲"], ["1"]) == 2
    assert header() == 1
    assert header(*[["x"]] * 10, ["姓名", "邮箱"]) == 1
    assert header(["姓名", "邮箱"], ["姓名", "邮箱"]) == 1
