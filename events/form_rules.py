"""The organisers' own questions and consents: what is asked of whom, and what an answer may be. Pure.

Values arrive as a form sends them (a list of texts by field name) and leave clean, as JSON's own types: a text, a
number, true or false, an ISO date, a list of option codes. A file's content decides what it is, never its name.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from events.contacts import clean_line
from events.rules import FieldKind, is_code
from kernel.errors import Code, Problem
from kernel.text import LocalizedText

LINE_LIMIT: Final = 200
ADDRESS_LIMIT: Final = 1_000
TEXT_LIMIT: Final = 4_000
#: Beyond 15 digits a browser's and a spreadsheet's numbers lose digits without a word.
NUMBER_LIMIT: Final = 10**15
OPTIONS_AT_MOST: Final = 60
#: A form that asks more is an interrogation; the limit also bounds what one request may carry.
QUESTIONS_AT_MOST: Final = 40
FILE_QUESTIONS_AT_MOST: Final = 5
CONSENTS_AT_MOST: Final = 12
FILE_MAX_MB: Final = 8
LABEL_LIMIT: Final = 200
HELP_LIMIT: Final = 500
CONSENT_LIMIT: Final = 20_000
UNPACKED_FILES_AT_MOST: Final = 5_000


class FormCode(StrEnum):
    """Refusals and problems of the registration form and its settings."""

    DATE_WRONG = "form_date_wrong"
    NUMBER_WRONG = "form_number_wrong"
    ADDRESS_WRONG = "form_address_wrong"
    CONSENT_NEEDED = "form_consent_needed"
    FILE_KIND = "form_file_kind"
    FILE_SIZE = "form_file_size"
    FILE_EMPTY = "form_file_empty"
    FILE_GONE = "form_file_gone"
    QUESTION_UNKNOWN = "form_question_unknown"
    QUESTION_KIND_FIXED = "form_question_kind_fixed"
    QUESTION_ANSWERED = "form_question_answered"
    QUESTION_CODE_TAKEN = "form_question_code_taken"
    QUESTIONS_TOO_MANY = "form_questions_too_many"
    FILE_QUESTIONS_TOO_MANY = "form_file_questions_too_many"
    OPTIONS_MISSING = "form_options_missing"
    OPTIONS_TOO_MANY = "form_options_too_many"
    OPTION_TWICE = "form_option_twice"
    OPTION_IN_USE = "form_option_in_use"
    CODE_MALFORMED = "form_code_malformed"
    CONSENT_UNKNOWN = "form_consent_unknown"
    CONSENT_CODE_TAKEN = "form_consent_code_taken"
    CONSENTS_TOO_MANY = "form_consents_too_many"


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers that a question offers; the code is what is stored."""

    code: str
    label: LocalizedText

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Option:
        return cls(str(raw["code"]), LocalizedText.of(raw["label"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of the organisers' own; without ticket types it is asked of all."""

    id: int
    code: str
    kind: FieldKind
    label: LocalizedText
    help: LocalizedText = field(default_factory=LocalizedText)
    options: tuple[Option, ...] = ()
    is_required: bool = False
    #: Personal data: seen with the contacts, erased with the person.
    is_personal: bool = True
    is_active: bool = True
    position: int = 0
    ticket_type_ids: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """The field's name on every form that asks it."""
        return f"q.{self.id}"

    def asks(self, ticket_type_id: int | None) -> bool:
        """Whether somebody with this ticket type is asked; nobody knows the type yet: only what all are asked."""
        return self.is_active and (not self.ticket_type_ids or ticket_type_id in self.ticket_type_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFacts:
    """One version of something that people agree to."""

    id: int
    code: str
    version: int
    title: LocalizedText
    text: LocalizedText = field(default_factory=LocalizedText)
    is_required: bool = False
    is_current: bool = True
    position: int = 0
    created_at: datetime | None = None

    @property
    def name(self) -> str:
        """The box on every form: of this version, so that a tick for an older text counts for that text only."""
        return f"consent.{self.id}"


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """A file that was given as an answer: kept already, and known again by its content's digest."""

    upload_id: int
    filename: str
    digest: str


# --- reading what was typed --------------------------------------------------------------------------------------


def read_answer(question: Question, typed: Sequence[str]) -> Any | Problem | None:
    """The clean value of one answer, None when nothing was said, or what is wrong with it.

    ``typed`` are the texts that the form sent under the question's name. Files are read by ``read_file``.
    """
    texts = [text for text in typed if text.strip()]
    if not texts:
        return Problem(Code.REQUIRED) if question.is_required else None
    match question.kind:
        case FieldKind.LINE:
            line = clean_line(texts[-1])
            if not line:
                return Problem(Code.REQUIRED) if question.is_required else None
            return line if len(line) <= LINE_LIMIT else Problem(Code.TOO_LONG, {"limit": LINE_LIMIT})
        case FieldKind.TEXT:
            text = unicodedata.normalize("NFC", texts[-1]).replace("\r\n", "\n").strip()
            return text if len(text) <= TEXT_LIMIT else Problem(Code.TOO_LONG, {"limit": TEXT_LIMIT})
        case FieldKind.NUMBER:
            return read_number(texts[-1])
        case FieldKind.DATE:
            return read_day(texts[-1])
        case FieldKind.URL:
            return read_address(texts[-1])
        case FieldKind.YES_NO:
            said = {"yes": True, "no": False}.get(texts[-1].strip())
            return Problem(Code.NOT_A_CHOICE) if said is None else said
        case FieldKind.CHOOSE_ONE:
            chosen = texts[-1].strip()
            return chosen if chosen in _codes(question) else Problem(Code.NOT_A_CHOICE)
        case _:
            wanted = {text.strip() for text in texts}
            if wanted - set(_codes(question)):
                return Problem(Code.NOT_A_CHOICE)
            return [code for code in _codes(question) if code in wanted]


def _codes(question: Question) -> list[str]:
    return [option.code for option in question.options]


def read_number(text: str) -> int | float | Problem:
    """A plain number in half or full width, with thousands separators or not; beyond 15 digits it is out of range."""
    plain = unicodedata.normalize("NFKC", text).strip().replace(",", "").replace(" ", "")
    if not re.fullmatch(r"[+-]?\d{1,30}(\.\d{1,10})?", plain, re.ASCII):
        return Problem(FormCode.NUMBER_WRONG)
    try:
        number = Decimal(plain)
    except InvalidOperation:  # pragma: no cover -- the pattern lets nothing else through
        return Problem(FormCode.NUMBER_WRONG)
    if abs(number) >= NUMBER_LIMIT:
        return Problem(Code.OUT_OF_RANGE)
    return int(number) if number == number.to_integral_value() else float(number)


def read_day(text: str) -> str | Problem:
    """A day as ISO text; years outside 1900 to 2200 are slips of the finger."""
    plain = unicodedata.normalize("NFKC", text).strip()
    match = re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", plain, re.ASCII)
    if not match:
        return Problem(FormCode.DATE_WRONG)
    try:
        day = date(*(int(part) for part in match.groups()))
    except ValueError:
        return Problem(FormCode.DATE_WRONG)
    return day.isoformat() if 1900 <= day.year <= 2200 else Problem(FormCode.DATE_WRONG)


_ADDRESS = re.compile(r"https?://[^\s/@\\]+\.[^\s/@\\]+(?:[/?#][^\s]*)?", re.IGNORECASE)


def read_address(text: str) -> str | Problem:
    """A web address as it was typed: nothing that a browser would run, nothing that carries a password."""
    plain = text.strip()
    if len(plain) > ADDRESS_LIMIT:
        return Problem(Code.TOO_LONG, {"limit": ADDRESS_LIMIT})
    return plain if _ADDRESS.fullmatch(plain) else Problem(FormCode.ADDRESS_WRONG)


@dataclass(frozen=True, slots=True)
class Read:
    """What a form says: clean answers by question id, consents by text id, and every problem at its field."""

    answers: Mapping[int, Any]
    consents: Mapping[int, bool]
    problems: Mapping[str, Problem]


def read(
    questions: Iterable[Question],
    consents: Iterable[ConsentFacts],
    *,
    ticket_type_id: int,
    typed: Mapping[str, Sequence[str]],
    files: Mapping[int, FileAnswer | Problem],
) -> Read:
    """Everything that a form answers, for somebody with this ticket type; what they are not asked is left out.

    ``files`` holds what came for the questions that take one. An optional consent that is not ticked is refused,
    and that is kept too.
    """
    answers: dict[int, Any] = {}
    problems: dict[str, Problem] = {}
    for question in questions:
        if not question.asks(ticket_type_id):
            continue
        if question.kind is FieldKind.FILE:
            value: Any = files.get(question.id)
            if value is None and question.is_required:
                value = Problem(Code.REQUIRED)
        else:
            value = read_answer(question, typed.get(question.name, ()))
        if isinstance(value, Problem):
            problems[question.name] = value
        elif value is not None:
            answers[question.id] = value
    given: dict[int, bool] = {}
    for consent in consents:
        given[consent.id] = bool(typed.get(consent.name))
        if consent.is_required and not given[consent.id]:
            problems[consent.name] = Problem(FormCode.CONSENT_NEEDED)
    return Read(answers, given, problems)


# --- an answer in words ------------------------------------------------------------------------------------------


def in_words(question: Question, value: Any, *, locale: str, yes: str = "✓", no: str = "✗") -> str:
    """An answer as people read it: options by their label, several joined; a file by nothing, its name is elsewhere."""
    if value is None:
        return ""
    match question.kind:
        case FieldKind.YES_NO:
            return yes if value else no
        case FieldKind.CHOOSE_ONE:
            return _label(question, str(value), locale)
        case FieldKind.CHOOSE_MANY:
            return ("、" if locale.startswith("zh") else ", ").join(
                _label(question, str(code), locale) for code in value
            )
        case _:
            return str(value)


def _label(question: Question, code: str, locale: str) -> str:
    label = next((option.label.in_(locale) for option in question.options if option.code == code), "")
    return label or code


def as_typed(question: Question, value: Any) -> list[str]:
    """A stored answer as the form sent it, to show it again."""
    if value is None:
        return []
    if question.kind is FieldKind.YES_NO:
        return ["yes" if value else "no"]
    if isinstance(value, list):
        return [str(code) for code in value]
    return [str(value)]


def read_words(
    question: Question, text: str, *, yes: Iterable[str], no: Iterable[str]
) -> Any | Problem | None:
    """An answer out of a list: options by code or by a label in any language, several divided by a comma or 、 or ;.

    Files can't come in a list; their column is left alone.
    """
    said = text.strip()
    if not said or question.kind is FieldKind.FILE:
        return None
    match question.kind:
        case FieldKind.YES_NO:
            folded = unicodedata.normalize("NFKC", said).casefold()
            if folded in yes:
                return True
            return False if folded in no else Problem(Code.NOT_A_CHOICE)
        case FieldKind.CHOOSE_ONE:
            return _option(question, said) or Problem(Code.NOT_A_CHOICE)
        case FieldKind.CHOOSE_MANY:
            parts = [part for part in re.split(r"[,，、;；|\n]", said) if part.strip()]
            found = [_option(question, part) for part in parts]
            if not found or None in found:
                return Problem(Code.NOT_A_CHOICE)
            return [code for code in _codes(question) if code in found]
        case _:
            return read_answer(question, [said])


def _option(question: Question, text: str) -> str | None:
    wanted = unicodedata.normalize("NFKC", text).strip().casefold()
    for option in question.options:
        names = {option.code, *option.label.values()}
        if wanted in {unicodedata.normalize("NFKC", name).strip().casefold() for name in names}:
            return option.code
    return None


# --- files -------------------------------------------------------------------------------------------------------


class FileType(StrEnum):
    """What a question takes as a file. No SVG and no HTML: a browser would run what is inside."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpg"
    DOCX = "docx"
    XLSX = "xlsx"
    ZIP = "zip"


#: For the file chooser of a browser; what counts is the content.
ACCEPT: Final = ".pdf,.png,.jpg,.jpeg,.docx,.xlsx,.zip"
_ENDINGS: Final[Mapping[FileType, tuple[str, ...]]] = {
    FileType.JPEG: ("jpg", "jpeg"),
}


def sniff(data: bytes) -> FileType | None:
    """What a file is by its content, or None for everything that we don't take.

    A Word or Excel file with macros inside is none of ours.
    """
    if data.startswith(b"%PDF-"):
        return FileType.PDF
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return FileType.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return FileType.JPEG
    if not data.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return None
    if len(names) > UNPACKED_FILES_AT_MOST or any(name.lower().endswith("vbaproject.bin") for name in names):
        return None
    if "[Content_Types].xml" in names:
        if any(name.startswith("word/") for name in names):
            return FileType.DOCX
        return FileType.XLSX if any(name.startswith("xl/") for name in names) else None
    return FileType.ZIP


def check_file(data: bytes) -> FileType | Problem:
    """What was sent as an answer, or why it is not taken."""
    if not data:
        return Problem(FormCode.FILE_EMPTY)
    if len(data) > FILE_MAX_MB * 1024 * 1024:
        return Problem(FormCode.FILE_SIZE, {"limit": FILE_MAX_MB})
    kind = sniff(data)
    return Problem(FormCode.FILE_KIND) if kind is None else kind


def named_as(filename: str, kind: FileType) -> str:
    """A file's name that ends as its content is: ``ticket.html`` with a PDF inside becomes ``ticket.html.pdf``."""
    ending = filename.rpartition(".")[2].lower() if "." in filename else ""
    return filename if ending in _ENDINGS.get(kind, (kind.value,)) else f"{filename}.{kind.value}"


# --- what organisers decide --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionDetails:
    """What an organiser decides about a question; ``problems`` says what can't be."""

    code: str
    kind: FieldKind
    label: LocalizedText
    help: LocalizedText = field(default_factory=LocalizedText)
    options: tuple[Option, ...] = ()
    is_required: bool = False
    is_personal: bool = True
    is_active: bool = True
    ticket_type_ids: frozenset[int] = frozenset()

    @property
    def chooses(self) -> bool:
        return self.kind in (FieldKind.CHOOSE_ONE, FieldKind.CHOOSE_MANY)

    def problems(self) -> dict[str, Problem]:
        """What is wrong, by field; empty when all is well."""
        found: dict[str, Problem] = {}
        if not any(text.strip() for text in self.label.values()):
            found["label"] = Problem(Code.REQUIRED)
        for name, limit in (("label", LABEL_LIMIT), ("help", HELP_LIMIT)):
            texts: LocalizedText = getattr(self, name)
            if any(len(text) > limit for text in texts.values()):
                found.setdefault(name, Problem(Code.TOO_LONG, {"limit": limit}))
        if not is_code(self.code):
            found["code"] = Problem(FormCode.CODE_MALFORMED)
        if self.chooses:
            problem = option_problem(self.options)
            if problem:
                found["options"] = problem
        return found


def option_problem(options: Sequence[Option]) -> Problem | None:
    """What is wrong with the answers that a question offers: two at least, each once, each with words."""
    codes = [option.code for option in options]
    if len(options) < 2:
        return Problem(FormCode.OPTIONS_MISSING)
    if len(options) > OPTIONS_AT_MOST:
        return Problem(FormCode.OPTIONS_TOO_MANY, {"limit": OPTIONS_AT_MOST})
    if len(set(codes)) < len(codes):
        return Problem(FormCode.OPTION_TWICE)
    if any(len(text) > LABEL_LIMIT for option in options for text in option.label.values()):
        return Problem(Code.TOO_LONG, {"limit": LABEL_LIMIT})
    if not all(is_code(code) for code in codes):
        return Problem(FormCode.CODE_MALFORMED)
    return None


def parse_options(text: str, old: Sequence[Option] = ()) -> tuple[Option, ...]:
    """Options as an organiser types them, one a line: ``中文 | English``, or ``code: 中文 | English``.

    A line without a code keeps the code of the old option with the same words, else it gets the next free number:
    an answer that was given stays what it was when somebody sorts the lines.
    """
    known = {option.label.in_("zh-Hans").strip(): option.code for option in old}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    parsed = [_option_line(line) for line in lines]
    used = {code for code, _ in parsed if code} | {
        known[label.in_("zh-Hans")] for code, label in parsed if not code and label.in_("zh-Hans") in known
    }
    used |= {option.code for option in old}
    found = []
    number = 0
    for code, label in parsed:
        own = code or known.get(label.in_("zh-Hans"), "")
        while not own:
            number += 1
            own = str(number) if str(number) not in used else ""
        used.add(own)
        found.append(Option(own, label))
    return tuple(found)


def _option_line(line: str) -> tuple[str, LocalizedText]:
    match = re.fullmatch(r"(?P<code>[A-Za-z0-9_.\-]{1,40})\s*[:：]\s*(?P<rest>.+)", line)
    code, rest = (match["code"], match["rest"]) if match else ("", line)
    chinese, _, english = (part.strip() for part in re.sub("｜", "|", rest).partition("|"))
    label = {"zh-Hans": chinese, "en": english} if english else {"zh-Hans": chinese}
    return code, LocalizedText.of(label)


def options_text(options: Sequence[Option]) -> str:
    """Options as ``parse_options`` reads them back."""
    return "\n".join(
        f"{option.code}: "
        + " | ".join(
            text
            for text in (option.label.get("zh-Hans", option.label.in_("zh-Hans")), option.label.get("en", ""))
            if text
        )
        for option in options
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentDetails:
    """What an organiser decides about a consent; another title, text or duty makes a new version."""

    code: str
    title: LocalizedText
    text: LocalizedText = field(default_factory=LocalizedText)
    is_required: bool = False

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if not any(text.strip() for text in self.title.values()):
            found["title"] = Problem(Code.REQUIRED)
        for name, limit in (("title", LABEL_LIMIT), ("text", CONSENT_LIMIT)):
            texts: LocalizedText = getattr(self, name)
            if any(len(text) > limit for text in texts.values()):
                found.setdefault(name, Problem(Code.TOO_LONG, {"limit": limit}))
        if not is_code(self.code):
            found["code"] = Problem(FormCode.CODE_MALFORMED)
        return found

    def differs(self, now: ConsentFacts) -> bool:
        """Whether people would agree to something else than before."""
        return (self.title, self.text, self.is_required) != (now.title, now.text, now.is_required)
