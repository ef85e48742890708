"""Uploaded bytes to a table of texts: CSV and XLSX as 百格 (Bagevent), Feishu, 问卷星, WPS and Excel write them.

Pure: no file is opened, no clock read. What a file is, its content decides; the name is only kept for the report.
Everything that can't be read is refused as a whole with one named ``SheetProblem``; what a cell means is
``events.importing``'s business. Two countings meet here: a *line* is what the spreadsheet shows at its left edge, from
1; a *column* is an index into a row, from 0.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Final, cast

from kernel.errors import Refusal

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

#: Twice the largest import the project promises (10,000 rows), and room for everything an export adds.
MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 200
MAX_CELL: Final = 2_000
MAX_BYTES: Final = 20 * 1024 * 1024
#: XML packs about 10:1; 20,000 rows of 25 short cells unpack to some 40 MB.
MAX_UNPACKED: Final = 100 * 1024 * 1024
#: Titles, a note on data protection and a line of groups stand above the header at most.
HEADER_WITHIN: Final = 10

_SHEET_LINES: Final = 1_048_576  # where every spreadsheet ends


class SheetCode(StrEnum):
    """Why a file can't be read as a table."""

    SIZE = "sheet_size"
    KIND = "sheet_kind"
    LOCKED = "sheet_locked"
    BROKEN = "sheet_broken"
    ENCODING = "sheet_encoding"
    DAMAGED = "sheet_damaged"
    EMPTY = "sheet_empty"
    MISSING = "sheet_missing"
    UNPACKED = "sheet_unpacked"
    ROWS = "sheet_rows"
    COLUMNS = "sheet_columns"
    CELL = "sheet_cell"


class SheetProblem(Refusal):
    """The file as a whole is refused; ``params`` say where and which limit, never what a cell held."""

    status = 422
    default_code = SheetCode.BROKEN


class Kind(StrEnum):
    CSV = "csv"
    TSV = "tsv"
    XLSX = "xlsx"


class Field(StrEnum):
    """What a column of a list of registrations can mean to us."""

    NAME = "name"
    BADGE_NAME = "badge_name"
    ENGLISH_NAME = "english_name"
    EMAIL = "email"
    PHONE = "phone"
    ORGANISATION = "organisation"
    POSITION = "position"
    TICKET_TYPE = "ticket_type"
    EXTERNAL_ID = "external_id"
    EXTERNAL_CODE = "external_code"
    LOCALE = "locale"
    STATE = "state"
    REGISTERED_AT = "registered_at"
    PAYMENT_STATE = "payment_state"
    INVOICE_TITLE = "invoice_title"
    TAX_NUMBER = "tax_number"
    TICKET_SOURCE = "ticket_source"


@dataclass(frozen=True, slots=True)
class Table:
    """``rows[0]`` is line 1 of the spreadsheet. Rows are as long as their last filled cell; blank ones are empty.

    ``encoding`` is the Python codec that read the text, empty for XLSX. ``sheets`` are the visible sheets to choose
    from, ``sheet`` the one that was read; both empty for CSV and TSV.
    """

    rows: list[list[str]]
    encoding: str
    kind: Kind
    filename: str = ""
    sheet: str = ""
    sheets: tuple[str, ...] = field(default=())

    def cell(self, line: int, column: int) -> str:
        """The text at a line (from 1) and column (from 0), empty where the row has ended."""
        row = self.rows[line - 1]
        return row[column] if column < len(row) else ""

    @property
    def width(self) -> int:
        return max((len(row) for row in self.rows), default=0)


def read_table(filename: str, data: bytes, sheet: str | None = None, *, max_cell: int = MAX_CELL) -> Table:
    """The table in an uploaded file.

    CSV, TSV and semicolon-separated text in UTF-8 with or without BOM, UTF-16 with BOM or GB18030; XLSX with
    ``sheet``, or else its first visible sheet that holds anything. Numbers come as Excel shows them in full (no
    ``.0``), dates in ISO order, formulas as their last value. The full-width comma (，) is text, never a delimiter.

    Refused with a ``SheetProblem``: too many bytes ``sheet_size``, rows ``sheet_rows``, columns ``sheet_columns``,
    characters in a cell (``max_cell``) ``sheet_cell`` or unpacked bytes ``sheet_unpacked``; other kinds of file, old .xls and HTML
    in an .xls name included, ``sheet_kind``; a password ``sheet_locked``; unknown bytes ``sheet_encoding``; UTF-8 with
    a damaged line ``sheet_damaged``; no such sheet ``sheet_missing``; nothing in it ``sheet_empty``; else
    ``sheet_broken``.
    """
    if len(data) > MAX_BYTES:
        raise SheetProblem(SheetCode.SIZE, limit=MAX_BYTES // 1024 // 1024)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _read_xlsx(filename, data, sheet, max_cell)
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        # Both are OLE files: Excel 97's own, and the envelope round an XLSX with a password.
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise SheetProblem(SheetCode.LOCKED)
        raise SheetProblem(SheetCode.KIND, kind="XLS")
    if data.startswith(b"%PDF"):
        raise SheetProblem(SheetCode.KIND, kind="PDF")
    return _read_text(filename, data, max_cell)


# Text


_MARKUP: Final = re.compile(
    r"\s*<(?:(\?xml)|!doctype|!--|html|head|meta|table|style|script|body|div)[\s>\-]", re.IGNORECASE
)
_DELIMITERS: Final = ",\t;"


def _read_text(filename: str, data: bytes, max_cell: int) -> Table:
    text, encoding = _decode(data)
    if markup := _MARKUP.match(text):
        raise SheetProblem(SheetCode.KIND, kind="XML" if markup[1] else "HTML")
    told = re.match(
        "sep=([,;\t])\r?\n", text
    )  # what some tools write for Excel's sake; Excel doesn't count it
    if told:
        delimiter, text = told[1], text[told.end() :]
    else:
        delimiter = _sniff(text)
    try:
        rows = _collect(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), str, max_cell)
    except csv.Error:
        # The csv module's own field limit, met by a quotation mark that never closes.
        raise SheetProblem(SheetCode.BROKEN) from None
    if not rows:
        raise SheetProblem(SheetCode.EMPTY)
    return Table(rows, encoding, Kind.TSV if delimiter == "\t" else Kind.CSV, filename)


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith(b"\xef\xbb\xbf"):
        encodings = ["utf-8-sig"]
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding.startswith("utf-8") and _is_mostly_utf8(data):
                # GB18030 would swallow the rest of such a file as other characters, and nobody would see.
                raise SheetProblem(
                    SheetCode.DAMAGED, line=error.object[: error.start].count(b"\n") + 1
                ) from None
            continue
        if "\x00" in text:
            break
        return text, encoding
    raise SheetProblem(SheetCode.ENCODING)


def _is_mostly_utf8(data: bytes) -> bool:
    """Far more characters beyond ASCII than errors; in GB18030 read as UTF-8 the errors are many times more."""
    text = data.decode("utf-8", "replace")
    errors = text.count("\ufffd")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return beyond_ascii - errors >= 10 * errors


def _sniff(text: str) -> str:
    """The delimiter under which the most header words appear; without any, the one that gives most rows one width."""
    best, best_score = _DELIMITERS[0], (0, 0)
    for delimiter in _DELIMITERS:
        reader = csv.reader(io.StringIO(text[:64_000], newline=""), delimiter=delimiter)
        rows = list(islice((row for row in reader if any(row)), 2 * HEADER_WITHIN))
        words = max((len(guess_mapping(row)) for row in rows[:HEADER_WITHIN]), default=0)
        widths = Counter(len(row) for row in rows)
        regular = max(((width - 1) * count for width, count in widths.items()), default=0)
        if (words, regular) > best_score:
            best, best_score = delimiter, (words, regular)
    return best


# XLSX


def _read_xlsx(filename: str, data: bytes, wanted: str | None, max_cell: int) -> Table:
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _inspect(archive)
        with warnings.catch_warnings():
            # openpyxl speaks of styles, validations and extensions, none of which is read here.
            warnings.simplefilter("ignore")
            workbook = _open(data)
            try:
                rows, sheet, sheets = _choose_sheet(workbook, wanted, max_cell)
            finally:
                workbook.close()
    except SheetProblem:
        raise
    except (zipfile.BadZipFile, InvalidFileException):
        raise SheetProblem(SheetCode.BROKEN) from None
    except Exception as error:
        # A hostile or merely odd file makes openpyxl raise nearly anything; none of it is a mistake of ours.
        raise SheetProblem(SheetCode.BROKEN) from error
    return Table(rows, "", Kind.XLSX, filename, sheet, sheets)


_WORKBOOK: Final = re.compile(
    rb"(?:spreadsheetml\.(?:sheet|template)|ms-excel\.(?:sheet|template)\.macroEnabled)\.main\+xml"
)


def _inspect(archive: zipfile.ZipFile) -> None:
    """Refuses what must not reach an XML parser: too much, locked, another kind, or with a document type.

    Python reads no more of a member than its header declares, so the declared sizes bound the real ones.
    """
    members = archive.infolist()
    if sum(member.file_size for member in members) > MAX_UNPACKED:
        raise SheetProblem(SheetCode.UNPACKED, limit=MAX_UNPACKED // 1024 // 1024)
    if any(member.flag_bits & 1 for member in members):
        raise SheetProblem(SheetCode.LOCKED)
    names = {member.filename for member in members}
    types = archive.read("[Content_Types].xml") if "[Content_Types].xml" in names else b""
    if not _WORKBOOK.search(types):
        raise SheetProblem(SheetCode.KIND, kind=_kind_of_zip(archive, names, types))
    for member in members:
        if member.filename.endswith((".xml", ".rels")):
            content = archive.read(member)
            # No spreadsheet program writes a DTD; entities that multiply are what it would be for.
            if b"<!DOCTYPE" in content or "<!DOCTYPE".encode("utf-16-le") in content:
                raise SheetProblem(SheetCode.BROKEN)


def _kind_of_zip(archive: zipfile.ZipFile, names: set[str], types: bytes) -> str:
    if b"spreadsheetml.binary" in types or "xl/workbook.bin" in names:
        return "XLSB"
    if b"wordprocessingml" in types:
        return "DOCX"
    if "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype"):
        return "ODS"
    if any(name.endswith(".iwa") for name in names):
        return "NUMBERS"
    return "ZIP"


def _open(data: bytes) -> Workbook:
    from openpyxl import load_workbook

    try:
        return load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    except Exception:  # noqa: BLE001 -- openpyxl gives up on stylesheets that Excel and WPS forgive
        return load_workbook(
            io.BytesIO(_without_styles(data)), read_only=True, data_only=True, keep_links=False
        )


def _without_styles(data: bytes) -> bytes:
    """The same workbook without its stylesheet: texts and numbers are all there, dates are bare numbers."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for member in old.infolist():
            if member.filename != "xl/styles.xml":
                new.writestr(member, old.read(member))
    return stream.getvalue()


def _choose_sheet(
    workbook: Workbook, wanted: str | None, max_cell: int
) -> tuple[list[list[str]], str, tuple[str, ...]]:
    visible = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
    titles = tuple(sheet.title for sheet in visible)
    if wanted is not None and wanted not in titles:
        raise SheetProblem(SheetCode.MISSING)
    for sheet in visible:
        if wanted is None or sheet.title == wanted:
            cast(
                "ReadOnlyWorksheet", sheet
            ).reset_dimensions()  # what the file says of its own size is often wrong, and sometimes on purpose
            rows = _collect(sheet.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True), _xlsx_text, max_cell)
            if rows:
                return rows, sheet.title, titles
    raise SheetProblem(SheetCode.EMPTY)


# Both


def _collect(
    rows: Iterable[Sequence[object]], as_text: Callable[[object], str], max_cell: int
) -> list[list[str]]:
    """Texts within the limits; blank rows inside are kept, so that lines agree with the spreadsheet."""
    kept: list[list[str]] = []
    for line, row in enumerate(rows, 1):
        if line > _SHEET_LINES:
            raise SheetProblem(SheetCode.BROKEN)
        if row.count(None) == len(row):
            continue  # a workbook may hold a million of these, so they are told at once
        texts = [as_text(cell) for cell in row]
        while texts and not texts[-1].strip():
            texts.pop()
        if not texts:
            continue
        # Only lines that hold something count: a stray format at the sheet's last line is not a million rows.
        if line > MAX_ROWS:
            raise SheetProblem(SheetCode.ROWS, limit=MAX_ROWS)
        if len(texts) > MAX_COLUMNS:
            raise SheetProblem(SheetCode.COLUMNS, limit=MAX_COLUMNS, line=line)
        for column, text in enumerate(texts):
            if len(text) > max_cell:
                raise SheetProblem(
                    SheetCode.CELL, limit=max_cell, line=line, column=column_letter(column), length=len(text)
                )
        kept.extend([] for _ in range(line - 1 - len(kept)))
        kept.append(texts)
    return kept


# How XLSX spells a carriage return, and an underscore before what would read like such a spelling (ECMA-376 22.9.2.19).
_ESCAPED: Final = re.compile(r"_x00(0D|5F)_")


def column_letter(column: int) -> str:
    """The name that a spreadsheet gives a column (from 0): A, B, ... Z, AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _xlsx_text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case str():
            return _ESCAPED.sub(lambda escape: "_" if escape[1] == "5F" else "", cell)
        case bool():
            return "TRUE" if cell else "FALSE"
        case float():
            # As Excel shows it: 13800138000.0 is 13800138000, and a number too long for a float says so by its E+.
            return f"{cell:.15g}".upper()
        case datetime():
            is_date = cell.time() == time()
            return cell.date().isoformat() if is_date else cell.isoformat(sep=" ", timespec="seconds")
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


# Headers

#: The words of a header for each field, the surest first: where two columns fit one field, the surer word wins.
#: Written as ``_label`` folds them (lower case, no spaces, no punctuation). Left out on purpose: 序号 (a line number,
#: other in each export), 购票人 and 紧急联系人 (somebody else), first and last name (a name is one field).
SYNONYMS: Final[Mapping[Field, tuple[str, ...]]] = {
    Field.NAME: (
        "姓名", "参会人姓名", "参会者姓名", "报名人姓名", "嘉宾姓名", "真实姓名", "中文姓名", "姓名中文", "中文名", "名字",
        "参会人", "参会者", "name", "fullname", "attendeename", "participantname", "realname", "chinesename", "attendee",
        "participant",
    ),
    Field.BADGE_NAME: (
        "胸牌名", "胸牌姓名", "胸牌名称", "胸牌显示名", "胸卡名", "胸卡姓名", "昵称", "花名", "称呼",
        "badgename", "nameonbadge", "nickname", "displayname", "preferredname",
    ),
    Field.ENGLISH_NAME: (
        "英文名", "英文姓名", "英文名字", "姓名英文", "外文名", "外文姓名", "姓名拼音", "拼音", "拼音姓名",
        "englishname", "nameinenglish", "nameenglish", "latinname", "romanizedname", "romanisedname",
    ),
    Field.EMAIL: (
        "邮箱", "电子邮箱", "邮箱地址", "电子邮箱地址", "电子邮件", "电子邮件地址", "邮件地址", "邮件", "联系邮箱", "常用邮箱", "电邮",
        "email地址", "電子郵件", "電子信箱", "email", "emailaddress", "mail", "mailaddress",
    ),
    Field.PHONE: (
        "手机", "手机号", "手机号码", "移动电话", "联系手机", "联系电话", "电话", "电话号码", "联系方式", "手機", "手機號碼", "電話",
        "mobile", "mobilephone", "mobilenumber", "mobileno", "cellphone", "cell", "phone", "phonenumber", "phoneno",
        "telephone", "tel", "contactnumber",
    ),
    Field.ORGANISATION: (
        "单位", "单位名称", "工作单位", "所在单位", "任职单位", "公司", "公司名称", "所在公司", "就职公司", "企业", "企业名称",
        "机构", "所在机构", "机构名称", "组织", "学校", "学校名称", "所在学校", "院校", "高校", "單位", "學校",
        "company", "companyname", "organisation", "organization", "organisationname", "organizationname", "affiliation",
        "institution", "employer", "school", "university",
    ),
    Field.POSITION: (
        "职位", "职务", "职位名称", "岗位", "头衔", "职称", "職位", "職稱", "position", "jobtitle", "title", "role", "job",
    ),
    Field.TICKET_TYPE: (
        "票种", "票种名称", "票类", "票型", "票券名称", "票券类型", "门票名称", "门票类型", "门票种类", "票名", "票务类型", "报名类型",
        "参会类型", "门票", "票種", "tickettype", "ticketname", "ticketclass", "ticketcategory", "ticket", "admissiontype",
    ),
    Field.EXTERNAL_ID: (
        "报名编号", "参会编号", "参会人编号", "参会者编号", "报名id", "参会人id", "外部编号", "记录id", "答卷编号", "编号",
        "externalid", "attendeeid", "registrationid", "registrationnumber", "registrationno", "recordid", "id",
        "订单号", "订单编号", "订单id", "orderid", "ordernumber", "orderno",
    ),
    Field.EXTERNAL_CODE: (
        "电子票号", "票号", "票码", "签到码", "电子票码", "票券号", "票券码", "门票号", "门票编号", "入场码", "核销码", "券码", "条码",
        "條碼", "ticketcode", "ticketnumber", "ticketno", "externalcode", "checkincode", "barcode",
    ),
    Field.LOCALE: ("语言", "首选语言", "语言偏好", "沟通语言", "語言", "language", "preferredlanguage", "locale"),
    Field.STATE: (
        "报名状态", "参会状态", "审核状态", "订单状态", "状态", "狀態", "registrationstatus", "registrationstate", "status",
        "state",
    ),
    Field.REGISTERED_AT: (
        "报名时间", "报名日期", "注册时间", "登记时间", "提交时间", "提交答卷时间", "填写时间", "下单时间", "购票时间", "创建时间",
        "時間戳記", "时间戳", "时间戳记", "registeredat", "registrationtime", "registrationdate", "registeredon",
        "submittedat", "submissiontime", "createdat", "orderdate", "timestamp",
    ),
    Field.PAYMENT_STATE: (
        "支付状态", "付款状态", "缴费状态", "收款状态", "付费状态", "支付情况", "缴费情况", "是否支付", "是否付款", "是否缴费",
        "支付狀態", "付款狀態", "paymentstatus", "paymentstate", "payment", "paid",
    ),
    Field.INVOICE_TITLE: (
        "发票抬头", "发票抬头名称", "抬头", "抬头名称", "开票抬头", "开票名称", "购方名称", "發票抬頭",
        "invoicetitle", "invoicename", "invoiceto", "billto",
    ),
    Field.TAX_NUMBER: (
        "税号", "发票税号", "企业税号", "单位税号", "纳税人识别号", "纳税识别号", "统一社会信用代码", "社会信用代码", "稅號",
        "taxnumber", "taxid", "taxno", "taxpayerid", "taxpayeridentificationnumber", "vatnumber",
    ),
    Field.TICKET_SOURCE: (
        "赠票来源", "免费票来源", "票务来源", "门票来源", "票券来源", "票源", "ticketsource", "ticketfrom",
    ),
}  # fmt: skip
_LONGEST_TITLE: Final = 120  # a form's question; anything longer is an answer or an attack
_KNOWN: Final = {word: (which, rank) for which, words in SYNONYMS.items() for rank, word in enumerate(words)}
# What forms put before the word itself: 1. 您的姓名, 请填写手机号, Your email.
_PREFIX: Final = re.compile(
    r"^q?\d*(?:请)?(?:输入|填写|选择|留下)?(?:您|你)?(?:的)?(?:真实的?|常用的?|参会人的?|参会者的?|报名人的?|嘉宾的?)?"
    r"(?:attendees?|participants?|your)?"
)


def _label(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def _recognise(title: str) -> tuple[int, int, Field] | None:
    """(how sure, rank of the word, field), or None: exactly; without its brackets; without its prefix; by its parts."""
    if len(title) > _LONGEST_TITLE:
        return None
    folded = unicodedata.normalize("NFKC", title)
    bare = re.sub(r"\([^)]*\)|\[[^\]]*\]|【[^】]*】", "", folded)
    for sureness, word in enumerate((_label(folded), _label(bare), _PREFIX.sub("", _label(bare), count=1))):
        if word in _KNOWN:
            which, rank = _KNOWN[word]
            return sureness, rank, which
    # 姓名 Name, 公司/学校 Company/School: every part that is known must mean the same field. A title with a delimiter
    # in it is none: while sniffing it is a whole header, read with the wrong one.
    if re.search(r"[,;\t]", bare):
        return None
    parts = re.findall(r"[a-z][a-z .'-]*|[^\W\da-z_]+", bare.casefold())
    found = [_KNOWN[label] for part in parts if (label := _PREFIX.sub("", _label(part), count=1)) in _KNOWN]
    if found and len({which for which, _ in found}) == 1:
        which, rank = found[0]
        return 3, rank, which
    return None


def guess_mapping(header: Sequence[str]) -> dict[Field, int]:
    """Which column (from 0) holds which field, by the words that registration services and forms use.

    A column serves one field; where several fit, the surest word wins, then the leftmost column. What isn't known
    isn't guessed: a column mapped wrongly costs more than one mapped by hand.
    """
    best: dict[Field, tuple[int, int, int]] = {}
    for column, title in enumerate(header):
        if guess := _recognise(title):
            sureness, rank, which = guess
            candidate = (sureness, rank, column)
            if which not in best or candidate < best[which]:
                best[which] = candidate
    return {which: best[which][2] for which in Field if which in best}


def guess_header(table: Table) -> int:
    """The line (from 1) that holds the column titles: within the first ten, the one with most known words.

    Without any known word, the first line with two filled cells (titles above a list fill one), else the first line
    that holds anything.
    """
    lines = range(1, min(HEADER_WITHIN, len(table.rows)) + 1)
    words = {line: len(guess_mapping(table.rows[line - 1])) for line in lines}
    best = max(lines, key=lambda line: words[line], default=1)
    if words.get(best):
        return best
    filled = {line: sum(bool(cell.strip()) for cell in table.rows[line - 1]) for line in lines}
    return next(
        (line for line in lines if filled[line] > 1), next((line for line in lines if filled[line]), 1)
    )
