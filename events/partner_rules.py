"""A partner's pasted list: what each line says, what is wrong with it, and whom the link has registered already.

Pure: text in, lines out. Nothing is left out in silence: every line that holds anything has an outcome with the
number that it has in the pasted text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from events.contacts import (
    ContactCode,
    Email,
    clean_line,
    clean_name,
    match_key,
    normalise_email,
    normalise_phone,
)
from events.rules import CONTACT_LIMITS, Contact, EventCode
from events.sheets import Field, guess_mapping, read_table
from kernel.errors import Code, Problem
from kernel.text import N_

#: Lines of one paste: a large class twice over. More go in a second paste, or the organisers import a file.
LINES_MAX: Final = 300


class PartnerCode(StrEnum):
    """What is wrong with a partner's link or list."""

    LINES = "partner_lines"
    EMPTY = "partner_empty"
    TWICE = "partner_twice"
    STALE = "partner_stale"
    NO_ROOM = "partner_no_room"
    QUOTA_BELOW_TAKEN = "partner_quota_below_taken"
    UNKNOWN = "partner_unknown"
    NOTHING = "partner_nothing"
    TOO_OFTEN = "partner_too_often"


class LinkState(StrEnum):
    OPEN = "link_open"
    OFF = "link_off"
    OVER = "link_over"


#: What each code is called.
WORDS: Final[Mapping[str, str]] = {
    PartnerCode.LINES: N_("%(number)s lines are too many at once: at most %(limit)s. Paste them in parts."),
    PartnerCode.EMPTY: N_("There is nobody in this list yet. Paste one person a line."),
    PartnerCode.TWICE: N_("This is the same person as in line %(line)s."),
    PartnerCode.STALE: N_("The list was changed since it was looked at. Look at it again before you register it."),
    PartnerCode.NO_ROOM: N_("There are places for %(left)s more, and this list has %(new)s people."),
    PartnerCode.QUOTA_BELOW_TAKEN: N_("%(taken)s people are registered by this link already; it can't have fewer places."),
    PartnerCode.UNKNOWN: N_("This link opens nothing any more. Ask the organisers for the newest one."),
    PartnerCode.NOTHING: N_("There is nobody new in this list."),
    PartnerCode.TOO_OFTEN: N_("Too many people were registered by this link and taken off again within an hour. Please wait a little."),
    LinkState.OPEN: N_("Open"),
    LinkState.OFF: N_("Switched off"),
    LinkState.OVER: N_("Ended"),
}  # fmt: skip


def link_state(*, is_active: bool, valid_until: datetime | None, at: datetime) -> LinkState:
    """Whether people may be registered by a link at ``at``; without an end it goes on."""
    if not is_active:
        return LinkState.OFF
    return LinkState.OVER if valid_until is not None and at >= valid_until else LinkState.OPEN


def is_too_often(*, quota: int, within_an_hour: int, new: int) -> bool:
    """Whether ``new`` more would make over twice as many registrations as the link has places within one hour.

    Each is a letter to somebody: without this, registering and cancelling in turn would fill a stranger's inbox.
    """
    return within_an_hour + new > 2 * quota


class Outcome(StrEnum):
    """What a line would do."""

    NEW = "new"
    #: this link has registered the person already
    THERE = "there"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a paste. ``contact`` is clean, except that a bad line shows what could be read of it."""

    number: int
    outcome: Outcome
    contact: Contact
    problems: tuple[tuple[str, Problem], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """``problem`` concerns the whole text; with one, no line was read."""

    lines: tuple[Line, ...] = ()
    problem: Problem | None = None

    def having(self, outcome: Outcome) -> list[Line]:
        return [line for line in self.lines if line.outcome is outcome]

    @property
    def bad(self) -> frozenset[int]:
        """The numbers of the lines that can't be registered."""
        return frozenset(line.number for line in self.having(Outcome.BAD))


class Known(Protocol):
    """Somebody whom this link has registered and who still holds a place."""

    @property
    def name(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def phone(self) -> str: ...


def rows_of(text: str) -> list[list[str]]:
    """The cells of a pasted text: tabs as spreadsheets copy them, commas, semicolons, or full-width commas alone.

    Raises ``sheets.SheetProblem`` for what is no table.
    """
    if not re.search("[\t,;]", text):
        text = text.replace("，", ",")
    # An unclosed quotation mark in a name would swallow the lines below it; spreadsheets quote cells with breaks only.
    quoted = '"' in text and text.count('"') % 2
    return read_table("", (text.replace('"', "") if quoted else text).encode("utf-8", "replace")).rows


def plan(rows: Sequence[Sequence[str]], known: Iterable[Known]) -> Plan:
    """Name, e-mail address or phone, organisation: in this order, or as a line of titles on top says.

    One column may hold addresses and numbers mixed. A line in which the same name has the same address or number as a
    line above is bad; who was registered by this link before is THERE and left alone.
    """
    filled = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(rows, 1)
        if any(cell.strip() for cell in row)
    ]
    if not filled:
        return Plan(problem=Problem(PartnerCode.EMPTY))
    mapping = guess_mapping(filled[0][1])
    # One known word alone may be somebody called so.
    has_titles = Field.NAME in mapping or len(mapping) > 1
    if has_titles:
        filled = filled[1:]
    if len(filled) > LINES_MAX:
        return Plan(problem=Problem(PartnerCode.LINES, {"limit": LINES_MAX, "number": len(filled)}))
    if not filled:
        return Plan(problem=Problem(PartnerCode.EMPTY))
    there = {key for one in known for key in _keys(one.name, one.email, one.phone)}
    seen: dict[tuple[str, str], int] = {}
    lines = []
    for number, cells in filled:
        line = _read(number, _titled(cells, mapping) if has_titles else _in_order(cells))
        keys = _keys(line.contact.name, line.contact.email, line.contact.phone)
        first = next((seen[key] for key in keys if key in seen), None)
        if line.outcome is Outcome.NEW and first is not None:
            twice = ("name", Problem(PartnerCode.TWICE, {"line": first}))
            line = replace(line, outcome=Outcome.BAD, problems=(twice,))
        elif line.outcome is Outcome.NEW and there & set(keys):
            line = replace(line, outcome=Outcome.THERE)
        if line.outcome is not Outcome.BAD:
            seen.update(dict.fromkeys(keys, number))
        lines.append(line)
    return Plan(tuple(lines))


def _keys(name: str, email: str, phone: str) -> list[tuple[str, str]]:
    return [(match_key(name), contact) for contact in (email, phone) if contact]


@dataclass(frozen=True, slots=True)
class _Cells:
    name: str
    contacts: tuple[str, ...]
    organisation: str


def _titled(cells: Sequence[str], columns: Mapping[Field, int]) -> _Cells:
    def cell(which: Field) -> str:
        column = columns.get(which, len(cells))
        return cells[column] if column < len(cells) else ""

    return _Cells(cell(Field.NAME), (cell(Field.EMAIL), cell(Field.PHONE)), cell(Field.ORGANISATION))


def _in_order(cells: Sequence[str]) -> _Cells:
    """Name, one way to reach the person, and then an organisation or the other way."""
    contacts, organisation = list(cells[1:2]), ""
    for cell in cells[2:4]:
        if _is_email(cell) or _is_number(cell):
            contacts.append(cell)
        elif not organisation:
            organisation = cell
    return _Cells(cells[0], tuple(contacts), organisation)


def _is_email(text: str) -> bool:
    return "@" in text or "＠" in text


def _is_number(text: str) -> bool:
    return sum(char.isdigit() for char in text) >= 7 and not any(char.isalpha() for char in text)


def _read(number: int, cells: _Cells) -> Line:
    problems: list[tuple[str, Problem]] = []
    name = clean_name(cells.name)
    if isinstance(name, Problem):
        problems.append(("name", name))
        name = ""
    email = phone = ""
    for typed in filter(None, cells.contacts):
        # Whatever the title says: people write numbers into the column of addresses. And what is neither is an
        # address gone wrong, unless it holds digits.
        read = (
            normalise_phone(typed)
            if not _is_email(typed) and any(char.isdigit() for char in typed)
            else normalise_email(typed)
        )
        if isinstance(read, Problem):
            problems.append(("email" if read.code == ContactCode.EMAIL_INVALID else "phone", read))
        elif isinstance(read, Email):
            email = read.key
        else:
            phone = read.e164
    if not any(cells.contacts):
        problems.append(("email", Problem(EventCode.CONTACT_MISSING)))
    organisation = clean_line(cells.organisation)
    if len(organisation) > CONTACT_LIMITS["organisation"]:
        problems.append(("organisation", Problem(Code.TOO_LONG, {"limit": CONTACT_LIMITS["organisation"]})))
        organisation = organisation[: CONTACT_LIMITS["organisation"]]
    contact = Contact(name=name, email=email, phone=phone, organisation=organisation)
    return Line(number, Outcome.BAD if problems else Outcome.NEW, contact, tuple(problems))
