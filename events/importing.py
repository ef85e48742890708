"""A table of people to a plan of registrations: what each line would do, and what is wrong with it.

Pure: it reads a ``Table`` and a snapshot of what is registered, and decides nothing that needs the database. The
action that applies a plan checks quotas and races, and may still refuse. Nothing is skipped in silence: every line
below the header that holds anything has a ``RowPlan`` with its line number as the spreadsheet shows it.

Who is the same person: the number that the other system gave (external id) decides; without it, one name with one
e-mail address or one phone. Contact data belongs to registrations, so one address under several names is a group
that one person registered: it is warned of, never refused.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from typing import Any, Final

from events.contacts import (
    ContactCode,
    clean_line,
    clean_name,
    match_key,
    normalise_email,
    normalise_phone,
)
from events.exporting import FORMULA_ERROR, restore
from events.form_rules import Question, read_words
from events.rules import PaymentState, RegistrationState
from events.sheets import Field, SheetCode, Table
from kernel.errors import Problem
from kernel.text import N_

#: As long as the columns of the table ``registration``.
LIMITS: Final[Mapping[Field, int]] = {
    Field.BADGE_NAME: 120,
    Field.ENGLISH_NAME: 120,
    Field.ORGANISATION: 200,
    Field.POSITION: 120,
    Field.EXTERNAL_ID: 100,
    Field.EXTERNAL_CODE: 200,
    Field.INVOICE_TITLE: 200,
    Field.TAX_NUMBER: 40,
    Field.TICKET_SOURCE: 120,
}


class Action(StrEnum):
    """What a line would do."""

    CREATE = "create"
    UPDATE = "update"
    #: already registered, left as it is
    SAME = "same"
    #: nothing to register: a blank line, the header once more, somebody cancelled whom we never had
    SKIP = "skip"
    ERROR = "error"


class PlanCode(StrEnum):
    """Why a line, or the whole mapping, can't be imported."""

    NAME_COLUMN_MISSING = "name_column_missing"
    CONTACT_COLUMN_MISSING = "contact_column_missing"
    CONTACT_MISSING = "contact_missing"
    TICKET_TYPE_UNKNOWN = "ticket_type_unknown"
    TICKET_TYPE_AMBIGUOUS = "ticket_type_ambiguous"
    TICKET_TYPE_MISSING = "ticket_type_missing"
    STATE_UNKNOWN = "state_unknown"
    PAYMENT_UNKNOWN = "payment_unknown"
    DATE_INVALID = "date_invalid"
    VALUE_TOO_LONG = "value_too_long"
    CODE_SCIENTIFIC = "code_scientific"
    FORMULA_ERROR = "formula_error"
    ANSWER_WRONG = "answer_wrong"
    DUPLICATE_ROW = "duplicate_row"
    EXTERNAL_CODE_TAKEN = "external_code_taken"
    EXTERNAL_CODE_REPEATED = "external_code_repeated"


class NoteCode(StrEnum):
    """What the organiser should see about a line that is imported, or left, all the same."""

    SHARED_EMAIL = "shared_email"
    ALREADY_REGISTERED = "already_registered"
    OTHER_EXTERNAL_ID = "other_external_id"
    CANCELLED_ELSEWHERE = "cancelled_elsewhere"
    HEADER_REPEATED = "header_repeated"
    LOCALE_UNKNOWN = "locale_unknown"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One thing to say about one line: a code, the field it concerns (None: the whole line), values for the words."""

    code: str
    field: Field | None = None
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TicketTypeChoice:
    """A ticket type of the event, as a list may name it: by code or by its name in any language."""

    id: int
    code: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Existing:
    """A registration that is there already. Cancelled ones belong in the snapshot too: their external ids and codes
    stay taken, though the person may register anew.
    """

    id: int
    name: str
    #: the comparison key, as ``registration.email`` stores it
    email: str = ""
    phone: str = ""
    external_id: str | None = None
    external_code: str | None = None
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """The organiser's choices. ``time_zone`` is the event's: a date in the list is its wall clock."""

    time_zone: tzinfo
    default_ticket_type_id: int | None = None
    #: A line that names somebody already registered changes that registration instead of leaving it.
    update_same: bool = False
    default_region: str = "CN"


@dataclass(frozen=True, slots=True)
class Values:
    """What a line says, clean. None means that it says nothing: a new registration takes the default, an update
    leaves what is there. An import never empties a field.
    """

    name: str | None = None
    badge_name: str | None = None
    english_name: str | None = None
    #: the comparison key, as ``registration.email`` stores it
    email: str | None = None
    phone: str | None = None
    phone_last4: str | None = None
    organisation: str | None = None
    position: str | None = None
    ticket_type_id: int | None = None
    external_id: str | None = None
    external_code: str | None = None
    locale: str | None = None
    state: RegistrationState | None = None
    registered_at: datetime | None = None
    payment_state: PaymentState | None = None
    invoice_title: str | None = None
    tax_number: str | None = None
    ticket_source: str | None = None
    #: by question id, as ``form_rules`` gives them
    answers: tuple[tuple[int, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class RowPlan:
    """One line's outcome. ``registration_id`` is the one that an update changes or that a ``same`` line repeats.

    A line in error keeps its readable values for the preview; they are not to be applied.
    """

    line: int
    action: Action
    values: Values = dataclasses.field(default_factory=Values)
    problems: tuple[RowProblem, ...] = ()
    warnings: tuple[RowProblem, ...] = ()
    registration_id: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    create: int = 0
    update: int = 0
    same: int = 0
    skip: int = 0
    error: int = 0
    #: lines with a warning, whatever their action
    warned: int = 0


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """``problems`` concern the mapping; with any, no line was read."""

    rows: tuple[RowPlan, ...]
    totals: Totals
    problems: tuple[RowProblem, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Everything can be imported; otherwise only on the organiser's word, without the lines in error."""
        return not self.problems and not self.totals.error

    @property
    def errors(self) -> tuple[RowPlan, ...]:
        return tuple(row for row in self.rows if row.action is Action.ERROR)


def mapping_problems(mapping: Mapping[Field, int]) -> tuple[RowProblem, ...]:
    """Without a name and a way to reach people nobody can be registered; an external id alone can still update."""
    if Field.EXTERNAL_ID in mapping:
        return ()
    problems = []
    if Field.NAME not in mapping:
        problems.append(RowProblem(PlanCode.NAME_COLUMN_MISSING, Field.NAME))
    if Field.EMAIL not in mapping and Field.PHONE not in mapping:
        problems.append(RowProblem(PlanCode.CONTACT_COLUMN_MISSING, Field.EMAIL))
    return tuple(problems)


def plan(
    table: Table,
    *,
    header_row: int,
    mapping: Mapping[Field, int],
    ticket_types: Sequence[TicketTypeChoice],
    existing: Iterable[Existing],
    options: Options,
    questions: Sequence[Question] = (),
) -> ImportPlan:
    """What importing the lines below ``header_row`` (from 1; 0 when there is no header) would do, in their order.

    ``mapping`` gives the column (from 0) of each field. Each line is judged by itself, then against the lines above
    it and the registrations that are there; a line in error takes nothing, so its corrected twin below still counts.

    - Errors of one cell carry its field: ``ContactCode``, ``ticket_type_unknown`` (``value``),
      ``ticket_type_ambiguous``, ``state_unknown`` (``value``), ``date_invalid``, ``value_too_long``,
      ``code_scientific``, ``formula_error``. Errors of a new registration: ``name_missing``, ``contact_missing``
      (an e-mail address or a phone is enough), ``ticket_type_missing`` (no cell and no default).
    - A known external id updates its registration.
    - The same person again is ``duplicate_row`` (``line`` of the first, ``by``): same external id, or same name with
      the same external code, e-mail or phone, or the same registration. A ticket code under another name is
      ``external_code_repeated`` (``line``), one of another registration ``external_code_taken``.
    - Somebody already registered with the same name and e-mail or phone is ``same``, with the warning
      ``already_registered``, or ``update`` when the options say so; if both have external ids and these differ, it
      stays ``same`` with ``other_external_id``.
    - Somebody cancelled in the other system is an ``update`` of the registration with that external id, else ``skip``
      with ``cancelled_elsewhere``; a new ticket of the same person is a registration of its own.
    - A column whose title is the label or the code of one of the ``questions``, and that no field has, holds its
      answers; one that can't be is ``answer_wrong`` (``question``, ``value``).
    - One e-mail under several names is warned of on each of its lines: ``shared_email`` (``count`` of names).
    """
    if problems := mapping_problems(mapping):
        return ImportPlan(rows=(), totals=Totals(), problems=problems)
    read = _Reader(ticket_types, options)
    header = _cells(table, header_row, mapping) if header_row else {}
    asked = question_columns(table.rows[header_row - 1], mapping, questions) if header_row else {}
    drafts: list[_Draft | RowPlan] = []
    for line in range(header_row + 1, len(table.rows) + 1):
        cells = _cells(table, line, mapping)
        if not table.rows[line - 1]:
            drafts.append(RowPlan(line, Action.SKIP))
        elif cells == header and any(cells.values()):
            repeated = RowProblem(NoteCode.HEADER_REPEATED, None, {"line": header_row})
            drafts.append(RowPlan(line, Action.SKIP, warnings=(repeated,)))
        else:
            fresh = read(line, cells)
            _take_answers(fresh, {column: table.cell(line, column) for column in asked}, asked)
            drafts.append(fresh)
    registered = _Registered(existing)
    for draft in drafts:
        if isinstance(draft, _Draft) and draft.is_cancelled:
            # Wherever it stands in the list, it makes way for the person's new ticket.
            registered.release_person(draft.values.get("external_id") or "")
    seen: dict[tuple[str, ...], int] = {}
    rows = [
        _judge(draft, registered, seen, options) if isinstance(draft, _Draft) else draft for draft in drafts
    ]
    rows = _warn_of_shared_emails(rows, registered)
    actions = Counter(str(row.action) for row in rows)
    totals = Totals(**actions, warned=sum(bool(row.warnings) for row in rows))
    return ImportPlan(rows=tuple(rows), totals=totals)


def question_columns(
    titles: Sequence[str], mapping: Mapping[Field, int], questions: Iterable[Question]
) -> dict[int, Question]:
    """Which columns (from 0) hold answers, by their titles; a title that two questions have is nobody's."""
    names: dict[str, list[Question]] = {}
    for question in questions:
        for name in {match_key(question.code), *(match_key(text) for text in question.label.values())}:
            names.setdefault(name, []).append(question)
    found: dict[int, Question] = {}
    for column, title in enumerate(titles):
        fitting = names.get(match_key(restore(title)), [])
        if column not in mapping.values() and len(fitting) == 1 and fitting[0] not in found.values():
            found[column] = fitting[0]
    return found


YES_WORDS: Final = frozenset({"yes", "y", "true", "1", "是", "有", "对", "√", "✓"})
NO_WORDS: Final = frozenset({"no", "n", "false", "0", "否", "无", "没有", "不", "×", "✗"})


def _take_answers(draft: _Draft, cells: Mapping[int, str], asked: Mapping[int, Question]) -> None:
    answers: list[tuple[int, Any]] = []
    for column, question in asked.items():
        text = restore(cells[column]).strip()
        value = read_words(question, text, yes=YES_WORDS, no=NO_WORDS)
        if isinstance(value, Problem):
            params = {"question": question.label.in_("zh-Hans"), "value": text[:40]}
            draft.problems.append(RowProblem(PlanCode.ANSWER_WRONG, None, params))
        elif value is not None:
            answers.append((question.id, value))
    if answers:
        draft.values["answers"] = tuple(answers)


# One line by itself


def _cells(table: Table, line: int, mapping: Mapping[Field, int]) -> dict[Field, str]:
    return {which: table.cell(line, column) for which, column in mapping.items()}


@dataclass(slots=True)
class _Draft:
    """A line while it is being judged."""

    line: int
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    problems: list[RowProblem] = dataclasses.field(default_factory=list)
    warnings: list[RowProblem] = dataclasses.field(default_factory=list)

    def take(self, which: Field, outcome: object, *, key: str = "") -> None:
        """A clean value under its field's name (or ``key``), or a problem at its field."""
        if isinstance(outcome, Problem):
            self.problems.append(RowProblem(outcome.code, which, outcome.params))
        else:
            self.values[key or which] = outcome

    @property
    def is_cancelled(self) -> bool:
        return self.values.get("state") in STAYS_AWAY

    def as_row(self, action: Action, registration_id: int | None = None) -> RowPlan:
        return RowPlan(
            line=self.line,
            action=Action.ERROR if self.problems else action,
            values=Values(**self.values),
            problems=tuple(self.problems),
            warnings=tuple(self.warnings),
            registration_id=registration_id,
        )


# Excel's form only (1.23457E+17): a code such as 1E5 may well be real.
_SCIENTIFIC_CODE: Final = re.compile(r"\d(?:\.\d+)?[eE]\+\d{2,3}")


class _Reader:
    """Cells to clean values; knows the ticket types and the options."""

    def __init__(self, ticket_types: Sequence[TicketTypeChoice], options: Options) -> None:
        self._options = options
        self._types_by_code = {match_key(choice.code): choice.id for choice in ticket_types}
        self._types_by_name: dict[str, set[int]] = {}
        for choice in ticket_types:
            for name in choice.names.values():
                self._types_by_name.setdefault(match_key(name), set()).add(choice.id)

    def __call__(self, line: int, cells: Mapping[Field, str]) -> _Draft:
        draft = _Draft(line)
        for which, text in cells.items():
            if FORMULA_ERROR.fullmatch(text):
                draft.problems.append(RowProblem(PlanCode.FORMULA_ERROR, which, {"value": text.strip()}))
            elif text := restore(text).strip():
                self._take(draft, which, text)
        return draft

    def _take(self, draft: _Draft, which: Field, text: str) -> None:
        match which:
            case Field.NAME:
                draft.take(which, clean_name(text))
            case Field.EMAIL:
                email = normalise_email(text)
                draft.take(which, email if isinstance(email, Problem) else email.key)
            case Field.PHONE:
                phone = normalise_phone(text, self._options.default_region)
                draft.take(which, phone if isinstance(phone, Problem) else phone.e164)
                if not isinstance(phone, Problem):
                    draft.values["phone_last4"] = phone.last_four
            case (
                Field.BADGE_NAME
                | Field.ENGLISH_NAME
                | Field.ORGANISATION
                | Field.POSITION
                | Field.INVOICE_TITLE
                | Field.TICKET_SOURCE
            ):
                draft.take(which, _limited(which, text))
            case Field.EXTERNAL_ID | Field.EXTERNAL_CODE | Field.TAX_NUMBER:
                draft.take(which, _code(which, text))
            case Field.TICKET_TYPE:
                draft.take(which, self._ticket_type(text), key="ticket_type_id")
            case Field.LOCALE:
                _take_locale(draft, text)
            case Field.STATE:
                draft.take(which, read_state(text))
            case Field.PAYMENT_STATE:
                draft.take(which, read_payment(text))
            case Field.REGISTERED_AT:
                draft.take(which, read_time(text, self._options.time_zone))

    def _ticket_type(self, text: str) -> int | Problem:
        wanted = match_key(text)
        if wanted in self._types_by_code:
            return self._types_by_code[wanted]
        named = self._types_by_name.get(wanted, set())
        if len(named) == 1:
            return next(iter(named))
        code = PlanCode.TICKET_TYPE_AMBIGUOUS if named else PlanCode.TICKET_TYPE_UNKNOWN
        return Problem(code, {"value": text})


def _limited(which: Field, text: str) -> str | Problem | None:
    text, limit = clean_line(text), LIMITS[which]
    if len(text) > limit:
        return Problem(PlanCode.VALUE_TOO_LONG, {"limit": limit, "length": len(text)})
    return text or None


def _code(which: Field, text: str) -> str | Problem | None:
    """A code as a scanner would read it: case kept. Excel's shortened form is refused, because the digits are gone
    and many tickets would share what is left.
    """
    if _SCIENTIFIC_CODE.fullmatch(text):
        return Problem(PlanCode.CODE_SCIENTIFIC)
    return _limited(which, unicodedata.normalize("NFKC", text))


#: Nobody comes with these: such a line makes no new registration.
STAYS_AWAY: Final = frozenset({RegistrationState.CANCELLED, RegistrationState.DECLINED})

_STATES: Final[Mapping[str, RegistrationState]] = {
    word: state
    for state, words in {
        RegistrationState.CONFIRMED: (
            "confirmed", "approved", "accepted", "registered", "paid", "valid", "completed", "success", "active",
            "已确认", "已报名", "报名成功", "已通过", "审核通过", "通过", "已支付", "支付成功", "已付款", "已完成", "交易成功", "成功",
            "有效", "正常", "已签到", "未签到",
        ),
        RegistrationState.PENDING: (
            "pending", "unpaid", "awaitingpayment", "underreview", "unconfirmed",
            "待确认", "待审核", "审核中", "未审核", "待支付", "未支付", "待付款",
        ),
        RegistrationState.WAITLISTED: ("waitlisted", "waitlist", "waiting", "候补", "候补中", "排队中"),
        RegistrationState.OFFERED: ("offered", "placeoffered", "待接受", "待接受名额", "候补成功待确认"),
        RegistrationState.DECLINED: (
            "declined", "rejected", "已拒绝", "已婉拒", "未通过", "未获通过", "审核未通过", "审核不通过",
        ),
        RegistrationState.CANCELLED: (
            "cancelled", "canceled", "refunded", "invalid", "void", "closed",
            "已取消", "取消", "已退票", "退票", "已退款", "已关闭", "已失效", "无效",
        ),
    }.items()
    for word in words
}  # fmt: skip


def read_state(text: str) -> RegistrationState | Problem:
    """The state that a registration service's word means; ``state_unknown`` (``value``) rather than a guess."""
    return _STATES.get(match_key(text)) or Problem(PlanCode.STATE_UNKNOWN, {"value": text})


_PAYMENTS: Final[Mapping[str, PaymentState]] = {
    word: state
    for state, words in {
        PaymentState.PAID: (
            "paid", "yes", "completed", "success", "succeeded",
            "已支付", "支付成功", "已付款", "付款成功", "已缴费", "已付", "已收款", "已完成", "是",
        ),
        PaymentState.UNPAID: (
            "unpaid", "no", "pending", "awaitingpayment", "notpaid",
            "未支付", "待支付", "未付款", "待付款", "未缴费", "待缴费", "未付", "未收款", "否",
        ),
        PaymentState.REFUNDED: ("refunded", "refund", "已退款", "退款成功", "已退票", "退款"),
    }.items()
    for word in words
}  # fmt: skip


def read_payment(text: str) -> PaymentState | Problem:
    """The payment state that a shop's word means; ``payment_unknown`` (``value``) rather than a guess."""
    return _PAYMENTS.get(match_key(text)) or Problem(PlanCode.PAYMENT_UNKNOWN, {"value": text})


_LOCALES: Final[Mapping[str, str]] = {
    word: tag
    for tag, words in {
        "zh-Hans": ("zh", "zh-cn", "zh-hans", "zh-sg", "中文", "汉语", "简体", "简体中文", "中文(简体)", "普通话", "chinese"),
        "zh-Hant": ("zh-tw", "zh-hk", "zh-hant", "繁体", "繁體", "繁体中文", "繁體中文", "中文(繁体)", "中文(繁體)"),
        "en": ("en", "en-us", "en-gb", "英文", "英语", "英語", "english"),
        "ja": ("ja", "ja-jp", "日文", "日语", "日語", "日本語", "japanese"),
        "ko": ("ko", "ko-kr", "韩文", "韩语", "韓語", "한국어", "korean"),
    }.items()
    for word in words
}  # fmt: skip


def _take_locale(draft: _Draft, text: str) -> None:
    # A language that we don't know is no reason to turn anybody away: the default language writes to them.
    tag = _LOCALES.get(match_key(text).replace("_", "-"))
    if tag:
        draft.values["locale"] = tag
    else:
        draft.warnings.append(RowProblem(NoteCode.LOCALE_UNKNOWN, Field.LOCALE, {"value": text[:40]}))


_TIME: Final = re.compile(
    r"(?P<year>\d{4})\s?[-/.年]\s?(?P<month>\d{1,2})\s?[-/.月]\s?(?P<day>\d{1,2})\s?日?"
    r"(?:(?:\s*T|\s+|(?<=日))(?P<hour>\d{1,2})(?::|时|点)(?P<minute>\d{1,2})分?"
    r"(?::?(?P<second>\d{1,2})(?:\.\d+)?秒?)?"
    r"\s?(?P<offset>Z|[+-]\d{2}:?\d{2})?)?"
)


def read_time(text: str, time_zone: tzinfo) -> datetime | Problem:
    """A date, or a date with a time, as an aware UTC datetime; without an offset it is the wall clock of ``time_zone``.

    Accepted: year first with ``-``, ``/``, ``.`` or 年月日, then optionally hours and minutes, seconds and an ISO
    offset; the ISO texts that ``read_table`` makes of date cells are among these. Everything else is
    ``date_invalid``, 30 February, 10/28/2023 (whose month?) and years outside 2000 to 2100 included.
    """
    invalid = Problem(PlanCode.DATE_INVALID)
    match = _TIME.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not match or not 2000 <= int(match["year"]) <= 2100:
        return invalid
    year, month, day, hour, minute, second = (
        int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    try:
        zone = _offset(match["offset"]) if match["offset"] else time_zone
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except ValueError:
        return invalid


def _offset(text: str) -> tzinfo:
    if text == "Z":
        return UTC
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-ahead if text[0] == "-" else ahead)


# A line against the others


class _Registered:
    """The snapshot, by everything that makes a line and a registration the same."""

    def __init__(self, existing: Iterable[Existing]) -> None:
        self.by_external_id: dict[str, Existing] = {}
        self.by_external_code: dict[str, Existing] = {}
        self.by_person: dict[tuple[str, ...], Existing] = {}
        self.names_by_email: dict[str, dict[int, str]] = {}
        self.name_keys: dict[int, str] = {}
        self._released: set[int] = set()
        for one in existing:
            key = self.name_keys[one.id] = match_key(one.name)
            if one.external_id:
                self.by_external_id[one.external_id] = one
            if one.external_code:
                self.by_external_code[one.external_code] = one
            if one.is_cancelled:
                continue
            for person in _person_keys(key, one.email, one.phone):
                self.by_person.setdefault(person, one)
            if one.email:
                self.names_by_email.setdefault(one.email, {})[one.id] = key

    def release_person(self, external_id: str) -> None:
        """The registration is about to be cancelled: its holder may be registered anew."""
        if one := self.by_external_id.get(external_id):
            self._released.add(one.id)

    def same_person(self, values: Mapping[str, Any], key: str) -> Existing | None:
        owner = self.by_external_code.get(values.get("external_code") or "")
        if owner and not owner.is_cancelled and self.name_keys[owner.id] == key:
            return owner
        for person in _person_keys(key, values.get("email"), values.get("phone")):
            one = self.by_person.get(person)
            if one and one.id not in self._released:
                return one
        return None


def _person_keys(key: str, email: str | None, phone: str | None) -> list[tuple[str, ...]]:
    if not key:
        return []
    return [
        (str(which), key, contact)
        for which, contact in ((Field.EMAIL, email), (Field.PHONE, phone))
        if contact
    ]


def _judge(
    draft: _Draft, registered: _Registered, seen: dict[tuple[str, ...], int], options: Options
) -> RowPlan:
    """The line's action; ``seen`` learns its identities unless it is in error."""
    values = draft.values
    known = registered.by_external_id.get(values.get("external_id") or "")
    # An update may leave the name out; the person is then who is registered.
    key = match_key(values["name"]) if values.get("name") else registered.name_keys[known.id] if known else ""
    match, action = known, Action.UPDATE
    if match is None and key and not (draft.is_cancelled and values.get("external_id")):
        match = registered.same_person(values, key)
        action = _meet_again(draft, match, options) if match else action
    if match is None:
        if draft.is_cancelled:
            note = RowProblem(NoteCode.CANCELLED_ELSEWHERE, Field.STATE)
            return RowPlan(draft.line, Action.SKIP, Values(**values), warnings=(note,))
        action = Action.CREATE
        _require(draft, options)

    identities = _identities(draft, key, match)
    _find_repeats(draft, identities, seen)
    owner = registered.by_external_code.get(values.get("external_code") or "")
    if owner and owner is not match:
        draft.problems.append(RowProblem(PlanCode.EXTERNAL_CODE_TAKEN, Field.EXTERNAL_CODE))
    if not draft.problems:
        for _, identity in identities:
            seen[identity] = draft.line
    return draft.as_row(action, match.id if match else None)


def _meet_again(draft: _Draft, match: Existing, options: Options) -> Action:
    theirs, ours = draft.values.get("external_id"), match.external_id
    if theirs and ours and theirs != ours:
        # A second ticket of one person, perhaps; giving the registration another number would lose the first.
        draft.warnings.append(RowProblem(NoteCode.OTHER_EXTERNAL_ID, Field.EXTERNAL_ID))
        return Action.SAME
    draft.warnings.append(RowProblem(NoteCode.ALREADY_REGISTERED))
    return Action.UPDATE if options.update_same else Action.SAME


def _require(draft: _Draft, options: Options) -> None:
    """What a new registration can't do without; a cell that is there but wrong has been named already."""
    faulty = {problem.field for problem in draft.problems}
    values = draft.values
    if not values.get("name") and Field.NAME not in faulty:
        draft.problems.append(RowProblem(ContactCode.NAME_MISSING, Field.NAME))
    if not (values.get("email") or values.get("phone") or faulty & {Field.EMAIL, Field.PHONE}):
        draft.problems.append(RowProblem(PlanCode.CONTACT_MISSING, Field.EMAIL))
    if not values.get("ticket_type_id") and Field.TICKET_TYPE not in faulty:
        if options.default_ticket_type_id is None:
            draft.problems.append(RowProblem(PlanCode.TICKET_TYPE_MISSING, Field.TICKET_TYPE))
        else:
            values["ticket_type_id"] = options.default_ticket_type_id


def _identities(
    draft: _Draft, key: str, match: Existing | None
) -> list[tuple[Field | None, tuple[str, ...]]]:
    """Everything by which a later line would be this one again, and at the end its ticket code under any name."""
    found: list[tuple[Field | None, tuple[str, ...]]] = []
    values = draft.values
    external_id, code = values.get("external_id"), values.get("external_code")
    if external_id:
        found.append((Field.EXTERNAL_ID, ("external_id", external_id)))
    if code:
        found.append((Field.EXTERNAL_CODE, ("code_and_name", code, key)))
    if not draft.is_cancelled:
        persons = _person_keys(key, values.get("email"), values.get("phone"))
        found.extend((Field(person[0]), person) for person in persons)
    if match:
        found.append((None, ("registration", str(match.id))))
    if code:
        found.append((Field.EXTERNAL_CODE, ("code", code)))
    return found


def _find_repeats(
    draft: _Draft,
    identities: Sequence[tuple[Field | None, tuple[str, ...]]],
    seen: Mapping[tuple[str, ...], int],
) -> None:
    """The first thing that a line above had already is named; one is enough to send the organiser there."""
    for which, identity in identities:
        if (first := seen.get(identity)) is None:
            continue
        if identity[0] == "code":
            problem = RowProblem(PlanCode.EXTERNAL_CODE_REPEATED, which, {"line": first})
        else:
            by = str(which or "registration")
            problem = RowProblem(PlanCode.DUPLICATE_ROW, which, {"line": first, "by": by})
        draft.problems.append(problem)
        return


def _attends(row: RowPlan) -> bool:
    live = (Action.CREATE, Action.UPDATE, Action.SAME)
    return row.action in live and row.values.state not in STAYS_AWAY


def _warn_of_shared_emails(rows: Sequence[RowPlan], registered: _Registered) -> list[RowPlan]:
    """Counts names, not lines. A registration whose address a line replaces counts by that line alone, one that a
    line cancels not at all.
    """
    alive = [row for row in rows if row.values.email and _attends(row)]
    updates = [row for row in rows if row.action is Action.UPDATE]
    replaced = {row.registration_id for row in updates if row.values.email or not _attends(row)}
    names: dict[str, set[str]] = {
        email: {key for registration_id, key in keys.items() if registration_id not in replaced}
        for email, keys in registered.names_by_email.items()
    }
    for row in alive:
        name = row.values.name
        key = match_key(name) if name else registered.name_keys[row.registration_id or 0]
        names.setdefault(row.values.email or "", set()).add(key)
    shared = {email: len(keys) for email, keys in names.items() if len(keys) > 1}
    warned = []
    for row in rows:
        if _attends(row) and (count := shared.get(row.values.email or "")):
            note = RowProblem(NoteCode.SHARED_EMAIL, Field.EMAIL, {"count": count})
            row = dataclasses.replace(row, warnings=(*row.warnings, note))
        warned.append(row)
    return warned


#: What a column can be, as the preview offers it.
FIELD_WORDS: Final[Mapping[Field, str]] = {
    Field.NAME: N_("Full name"),
    Field.BADGE_NAME: N_("Name on the badge"),
    Field.ENGLISH_NAME: N_("Name in English"),
    Field.EMAIL: N_("E-mail"),
    Field.PHONE: N_("Mobile phone"),
    Field.ORGANISATION: N_("Organisation"),
    Field.POSITION: N_("Job title"),
    Field.TICKET_TYPE: N_("Ticket type"),
    Field.EXTERNAL_ID: N_("Registration number in the other system"),
    Field.EXTERNAL_CODE: N_("Ticket code (scanners accept it)"),
    Field.LOCALE: N_("Language"),
    Field.STATE: N_("Registration state"),
    Field.REGISTERED_AT: N_("Registered at"),
    Field.PAYMENT_STATE: N_("Payment"),
    Field.INVOICE_TITLE: N_("Invoice title"),
    Field.TAX_NUMBER: N_("Tax number"),
    Field.TICKET_SOURCE: N_("Ticket source"),
}

#: Every code of ``ContactCode``, ``SheetCode``, ``PlanCode`` and ``NoteCode`` in words. Codes that other refusals of
#: the package share (``contact_missing``, ``ticket_type_unknown``, ``external_code_taken``) need no params for theirs.
IMPORT_WORDS: Final[Mapping[str, str]] = {
    ContactCode.PHONE_INVALID: N_("This is not a phone number that can be dialled. For one from abroad, write + and the country code first."),
    ContactCode.PHONE_SCIENTIFIC: N_("The spreadsheet has shortened this number (1.38E+10) and lost its digits. Format the column as text, enter the numbers again, then export."),
    ContactCode.EMAIL_INVALID: N_("This is not an e-mail address."),
    ContactCode.NAME_MISSING: N_("Please give a name."),
    ContactCode.NAME_TOO_LONG: N_("This name is too long: at most %(limit)s characters."),
    SheetCode.SIZE: N_("This file is too large: at most %(limit)s MB."),
    SheetCode.KIND: N_("This is not a CSV or XLSX table, its content is %(kind)s. Open it in a spreadsheet program and save it as XLSX."),
    SheetCode.LOCKED: N_("This file has a password. Save a copy without it and upload that."),
    SheetCode.BROKEN: N_("This file can't be read. Open it in a spreadsheet program, save it as XLSX or as CSV and upload that."),
    SheetCode.ENCODING: N_("This file is not text in UTF-8, UTF-16 or GB18030. Save the table as XLSX or as CSV in UTF-8."),
    SheetCode.DAMAGED: N_("Line %(line)s of this file holds damaged characters. Save the table again as XLSX or as CSV in UTF-8."),
    SheetCode.EMPTY: N_("There is nothing in this table."),
    SheetCode.MISSING: N_("There is no such sheet in this workbook."),
    SheetCode.UNPACKED: N_("This workbook is too large inside: more than %(limit)s MB. Remove pictures and unused sheets, or save it as CSV."),
    SheetCode.ROWS: N_("This table is too long: at most %(limit)s rows. Split it and upload the parts."),
    SheetCode.COLUMNS: N_("Line %(line)s has too many columns: at most %(limit)s."),
    SheetCode.CELL: N_("The cell in line %(line)s, column %(column)s, is too long: at most %(limit)s characters. Is a quotation mark before it never closed?"),
    PlanCode.NAME_COLUMN_MISSING: N_("Choose the column that holds the name."),
    PlanCode.CONTACT_COLUMN_MISSING: N_("Choose the column of the e-mail address or of the phone; one is enough."),
    PlanCode.CONTACT_MISSING: N_("Please give an e-mail address or a phone; one is enough."),
    PlanCode.TICKET_TYPE_UNKNOWN: N_("There is no ticket type of this name or code."),
    PlanCode.TICKET_TYPE_AMBIGUOUS: N_("Several ticket types have this name. Write the code of the one you mean."),
    PlanCode.TICKET_TYPE_MISSING: N_("No ticket type is given. Fill it in, or choose a ticket type for lines without one."),
    PlanCode.STATE_UNKNOWN: N_("This state is not known. Known are confirmed, pending, waitlisted and cancelled, and their Chinese words."),
    PlanCode.PAYMENT_UNKNOWN: N_("This payment state is not known. Known are paid, unpaid and refunded, and their Chinese words."),
    PlanCode.ANSWER_WRONG: N_("“%(value)s” is no answer to the question “%(question)s”."),
    PlanCode.DATE_INVALID: N_("This is not a date. Write it like 2023-10-28 or 2023-10-28 09:30."),
    PlanCode.VALUE_TOO_LONG: N_("This is too long: at most %(limit)s characters."),
    PlanCode.CODE_SCIENTIFIC: N_("The spreadsheet has shortened this number and lost its digits. Format the column as text in the original and export it again."),
    PlanCode.FORMULA_ERROR: N_("The spreadsheet shows an error here (%(value)s). Correct the formula or write the value itself."),
    PlanCode.DUPLICATE_ROW: N_("This is the same person as in line %(line)s."),
    PlanCode.EXTERNAL_CODE_TAKEN: N_("This ticket code belongs to another registration."),
    PlanCode.EXTERNAL_CODE_REPEATED: N_("Line %(line)s has the same ticket code under another name."),
    NoteCode.SHARED_EMAIL: N_("%(count)s people share this e-mail address; each gets a passport, all letters go there."),
    NoteCode.ALREADY_REGISTERED: N_("This person is registered already."),
    NoteCode.OTHER_EXTERNAL_ID: N_("This person is registered already under another number; nothing is changed."),
    NoteCode.CANCELLED_ELSEWHERE: N_("Cancelled in the other system and not registered here; nothing to do."),
    NoteCode.HEADER_REPEATED: N_("These are the column titles of line %(line)s again."),
    NoteCode.LOCALE_UNKNOWN: N_("The language “%(value)s” is not known; letters go out in the default language."),
}  # fmt: skip
