"""Lists on their way out: CSV and XLSX that a spreadsheet opens without harm and our own import reads back.

Pure: rows in, bytes out. Times arrive as the wall clock that the reader should see; the caller has put them into the
event's time zone.

A cell that a spreadsheet would run as a formula is the danger (CWE-1236; OWASP "CSV injection"), a phone number that
it would turn into 8.6138E+12 the nuisance. In CSV, where a cell has no type, both get a leading apostrophe; in XLSX
every text is a text cell and stands as it is. ``restore`` takes the apostrophe off again, so nothing is lost.
"""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias, cast

if TYPE_CHECKING:
    from openpyxl.cell import Cell as SheetCell
    from openpyxl.worksheet.worksheet import Worksheet

Cell: TypeAlias = str | int | float | date | datetime | None

#: Pictures in one workbook: the largest event we size for (DESIGN 9). Each is a file of its own, about 1 KB and 0.5 ms.
MAX_PICTURES: Final = 5_000
#: 3.2 cm on paper at 96 dpi: a passport's QR code printed from the sheet is read by a phone at arm's length.
PICTURE_PX: Final = 120

_CHUNK_BYTES: Final = 64 * 1024
# Beyond 15 digits a spreadsheet's numbers lose digits without a word.
_EXACT_BELOW: Final = 10**15
# Half-width and full-width forms: Chinese and Japanese Excel take both as the start of a formula.
_STARTS_FORMULA: Final = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
#: What a spreadsheet shows where a formula has failed; written as text it is taken for that failure.
FORMULA_ERROR: Final = re.compile(
    r"\s*#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!)\s*", re.IGNORECASE
)
_NEGATIVE: Final = re.compile(r"-\d+(?:\.\d+)?")
# What XML 1.0 can't hold, and lone surrogates, which UTF-8 can't either; separators among them become a space.
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0e-\x1b\ud800-\udfff\ufffe\uffff]")
# XLSX would read _x0041_ as A (ECMA-376 22.9.2.19).
_LIKE_AN_ESCAPE: Final = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_SEPARATORS: Final = dict.fromkeys(map(ord, "\x0b\x0c\x1c\x1d\x1e\x1f"), " ")


def neutralise(cell: str) -> str:
    """The text of a CSV cell, made harmless: what a spreadsheet would take for more than text gets an apostrophe.

    That is a cell that begins with ``=``, ``+``, ``-``, ``@``, tab or a line break, in half or full width (it could
    be a formula), and one that reads like a failed formula (``#N/A``: somebody may call himself so). A plain
    negative number (``-5``, ``-0.5``) stays as it is: read as a formula it is still itself. A phone in E.164
    (``+8613800138000``) gets the apostrophe too, because a spreadsheet would drop its plus and shorten its digits.
    Cells that already look neutralised get one apostrophe more, so that ``restore(neutralise(x)) == x`` for every x.
    """
    if _is_dangerous(cell) and not _NEGATIVE.fullmatch(cell):
        return f"'{cell}"
    return cell


def restore(cell: str) -> str:
    """Undoes ``neutralise``; any other text comes back untouched."""
    if cell.startswith("'") and _is_dangerous(cell):
        return cell[1:]
    return cell


def _is_dangerous(cell: str) -> bool:
    return bool(_STARTS_FORMULA.match(cell) or FORMULA_ERROR.fullmatch(cell.lstrip("'")))


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """The table in pieces of about 64 KB: UTF-8 with BOM, CRLF, quoted as RFC 4180 asks.

    Excel in China reads a CSV without BOM as GBK, hence the BOM. Every text, titles included, is neutralised.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write("\ufeff")
    for row in chain([columns], rows):
        writer.writerow([_csv_text(cell) for cell in row])
        if buffer.tell() >= _CHUNK_BYTES:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _csv_text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return neutralise(_writable(cell))
        case bool():
            return "TRUE" if cell else "FALSE"
        case float():
            return f"{cell:.15g}" if math.isfinite(cell) else ""
        case datetime():
            return cell.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
        case _:
            return str(cell)


def _writable(text: str) -> str:
    return _UNWRITABLE.sub("", text.translate(_SEPARATORS))


def to_xlsx(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    pictures: Sequence[bytes | None] | None = None,
    *,
    title: str = "Sheet1",
    picture_title: str = "QR",
) -> bytes:
    """A workbook of one sheet: bold frozen titles, columns as wide as their text (CJK counted double).

    Texts are text cells in text format, so phones, codes and anything like ``=1+1`` stay what they are, also when
    somebody edits the cell; no apostrophe is added, but to the rare text that would not come back as itself: one
    that ``restore`` would shorten, or ``#N/A``. Integers too long for a spreadsheet's numbers are written as text. Excel holds 32,767 characters in a cell; longer text is cut there.

    ``pictures`` puts one PNG beside each row, in a last column of its own (``picture_title``). More than
    ``MAX_PICTURES`` raise ValueError: the caller leaves some out and says so, nothing is left out here in silence.
    """
    from openpyxl import Workbook  # a page that exports nothing should not pay for loading it
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    body = [list(row) for row in rows]
    images = list(pictures or ())
    if sum(image is not None for image in images) > MAX_PICTURES:
        raise ValueError(f"at most {MAX_PICTURES} pictures")
    titles = [*columns, picture_title] if images else list(columns)

    workbook = Workbook(write_only=True)
    workbook.properties.creator = "Huiwu"
    # A write-only sheet has Worksheet's methods without being one.
    sheet = cast("Worksheet", workbook.create_sheet(_sheet_title(title)))
    sheet.freeze_panes = "A2"
    _set_widths(sheet, titles, body)
    if images:
        column = get_column_letter(len(titles))
        sheet.column_dimensions[column].width = PICTURE_PX / 7 + 2  # a narrow character is 7 px wide
    header = [_text_cell(sheet, text) for text in titles]
    for cell in header:
        cell.font = Font(bold=True)
    sheet.append(header)
    for number, row in enumerate(body, 2):
        image = images[number - 2] if number - 2 < len(images) else None
        if image is not None:
            _add_picture(sheet, image, row=number, column=len(titles))
        sheet.append([_xlsx_cell(sheet, cell) for cell in row])
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _sheet_title(title: str) -> str:
    """Excel refuses these characters and more than 31 of any."""
    return re.sub(r"[\[\]:*?/\\]", " ", _writable(title)).strip(" '")[:31] or "Sheet1"


def _text_cell(sheet: Worksheet, text: str) -> SheetCell:
    from openpyxl.cell import WriteOnlyCell

    text = _LIKE_AN_ESCAPE.sub("_x005F_", _writable(text))
    needs_mark = restore(text) != text or FORMULA_ERROR.fullmatch(text)
    cell = WriteOnlyCell(sheet, value=f"'{text}" if needs_mark else text)
    cell.data_type = "s"  # openpyxl has just taken "=1+1" for a formula
    cell.number_format = "@"
    return cell


def _xlsx_cell(sheet: Worksheet, cell: Cell) -> object:
    match cell:
        case str():
            return _text_cell(sheet, cell) if cell else None
        case bool():
            return cell
        case int():
            return cell if abs(cell) < _EXACT_BELOW else _text_cell(sheet, str(cell))
        case float():
            return cell if math.isfinite(cell) else None
        case date() if cell.year < 1900:  # before a spreadsheet's time begins
            return _text_cell(sheet, _csv_text(cell))
        case datetime():
            return cell.replace(tzinfo=None, microsecond=0)
        case _:
            return cell


def _add_picture(sheet: Worksheet, image: bytes, *, row: int, column: int) -> None:
    from openpyxl.drawing.image import Image
    from openpyxl.utils import get_column_letter

    picture = Image(io.BytesIO(image))
    picture.width = picture.height = PICTURE_PX
    sheet.add_image(picture, f"{get_column_letter(column)}{row}")
    sheet.row_dimensions[row].height = (PICTURE_PX + 8) * 0.75  # points


def _set_widths(sheet: Worksheet, titles: Sequence[str], body: Sequence[Sequence[Cell]]) -> None:
    from openpyxl.utils import get_column_letter

    widths = [_width(text) for text in titles]
    for row in body[:500]:  # enough to know a column by
        for index, cell in enumerate(row[: len(widths)]):
            widths[index] = max(widths[index], _width(_csv_text(cell)))
    for index, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(index)].width = min(max(width + 2, 8), 60)


def _width(text: str) -> int:
    """How many narrow characters the longest line is wide."""
    return max(
        (
            sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in line)
            for line in text.splitlines()
        ),
        default=0,
    )
