"""Badges: who gets which number and box, what may be done with one, and when a print job may be taken. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from unicodedata import east_asian_width

NUMBER_MAX: Final = 999_999
BOX_MAX: Final = 20
PER_BOX_MAX: Final = 5_000


class BadgeCode(StrEnum):
    """Refusals about badges and their printing."""

    NUMBER_TAKEN = "badge_number_taken"
    NUMBERS_USED_UP = "badge_numbers_used_up"
    STATION_UNKNOWN = "print_station_unknown"
    STATION_CLOSED = "print_station_closed"
    JOB_GONE = "print_job_gone"
    QUEUE_FULL = "print_queue_full"
    NOTHING_TO_PRINT = "badge_nothing_to_print"
    COLUMNS_MISSING = "badge_columns_missing"


class Order(StrEnum):
    """By what numbers are given out."""

    PINYIN = "pinyin"
    TICKET_TYPE = "ticket_type"
    REGISTERED = "registered"


class Boxes(StrEnum):
    """How boxes are called: not at all, A, B, C, or by ticket type."""

    NONE = "none"
    LETTERS = "letters"
    TYPES = "types"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody without a number. ``type_position`` is the ticket type's place among the others, ``type_name`` its name."""

    passport_id: int
    sort_key: str
    type_position: int
    type_name: str
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    order: Order = Order.PINYIN
    start: int = 1
    boxes: Boxes = Boxes.NONE
    #: Badges of one box; None for as many as come.
    per_box: int | None = None


@dataclass(frozen=True, slots=True)
class Given:
    passport_id: int
    number: int
    box: str


def give(
    waiting: Iterable[Waiting], plan: Plan, *, taken: Collection[int], filled: Mapping[str, int]
) -> list[Given] | BadgeCode:
    """A number for everybody who waits, in the plan's order: the next ones from ``start`` that are not ``taken``.

    ``filled`` is how many lie in each box already; a box is filled up before the next one is begun, so that later
    arrivals go on where the last ones stopped. Nothing that was given before changes.
    """
    used, boxes = set(taken), dict(filled)
    found, number = [], plan.start
    for one in sorted(waiting, key=lambda person: _place(person, plan.order)):
        while number in used:
            number += 1
        if number > NUMBER_MAX:
            return BadgeCode.NUMBERS_USED_UP
        used.add(number)
        box = _box(one, plan, boxes)
        boxes[box] = boxes.get(box, 0) + 1
        found.append(Given(one.passport_id, number, box))
    return found


def _place(one: Waiting, order: Order) -> tuple[object, ...]:
    if order is Order.REGISTERED:
        return (one.registered_at, one.passport_id)
    if order is Order.TICKET_TYPE:
        return (one.type_position, one.type_name, one.sort_key, one.passport_id)
    return (one.sort_key, one.passport_id)


def _box(one: Waiting, plan: Plan, filled: Mapping[str, int]) -> str:
    """The box that is open: the last begun one, or, when it is full, the next."""
    if plan.boxes is Boxes.NONE:
        return ""
    names: dict[int, str] = {}

    def name(nth: int) -> str:
        return names.setdefault(nth, _box_name(one, plan, nth))

    if plan.per_box is None:
        return name(0)
    nth = 0
    # A box behind a full one may have been begun by another rule: go to the last that anything lies in.
    while name(nth + 1) in filled or filled.get(name(nth), 0) >= plan.per_box:
        nth += 1
    return name(nth)


def _box_name(one: Waiting, plan: Plan, nth: int) -> str:
    if plan.boxes is Boxes.LETTERS:
        return letters(nth)
    end = "" if plan.per_box is None else f" {nth + 1}"
    return one.type_name[: BOX_MAX - len(end)].strip() + end


def letters(nth: int) -> str:
    """A, B, … Z, AA, AB, …, as spreadsheets call their columns."""
    name = ""
    nth += 1
    while nth:
        nth, left = divmod(nth - 1, 26)
        name = chr(ord("A") + left) + name
    return name


# --- what is done with one ---------------------------------------------------------------------------------------


class BadgeAct(StrEnum):
    """Frozen once released: these are stored. Printing is not handing over, and neither is entering."""

    PRINTED = "printed"
    REPRINTED = "reprinted"
    HANDED_OVER = "handed_over"
    TAKEN_BACK = "taken_back"


class Handing(StrEnum):
    """What handing a badge over is answered."""

    HANDED_OVER = "handed_over"
    #: It was handed over before: have a look who it is.
    HANDED_OVER_BEFORE = "handed_over_before"
    TAKEN_BACK = "taken_back"
    #: There is nothing to take back.
    NOT_HANDED_OVER = "not_handed_over"
    TOO_LATE = "too_late"


@dataclass(frozen=True, slots=True)
class BadgeState:
    """What the ledger says of one badge."""

    prints: int = 0
    handed_over: int = 0
    taken_back: int = 0

    @property
    def is_out(self) -> bool:
        return self.handed_over > self.taken_back

    @property
    def reprints(self) -> int:
        return max(0, self.prints - 1)

    def printed(self) -> tuple[BadgeAct, int]:
        """What the next print is called, and the how many-th of its kind it is."""
        return (BadgeAct.REPRINTED, self.prints - 1) if self.prints else (BadgeAct.PRINTED, 0)


def state_of(counts: Mapping[str, int]) -> BadgeState:
    """The state from how many rows of each kind there are."""
    return BadgeState(
        prints=counts.get(BadgeAct.PRINTED, 0) + counts.get(BadgeAct.REPRINTED, 0),
        handed_over=counts.get(BadgeAct.HANDED_OVER, 0),
        taken_back=counts.get(BadgeAct.TAKEN_BACK, 0),
    )


def take_back(state: BadgeState, *, age: timedelta, within: timedelta) -> Handing:
    """Whether what was handed over so long ago may still be taken back."""
    if not state.is_out:
        return Handing.NOT_HANDED_OVER
    return Handing.TAKEN_BACK if age <= within else Handing.TOO_LATE


# --- printing ----------------------------------------------------------------------------------------------------


class JobState(StrEnum):
    QUEUED = "queued"
    TAKEN = "taken"
    PRINTED = "printed"
    FAILED = "failed"
    DROPPED = "dropped"


class PrintFailure(StrEnum):
    """Why a job did not come out."""

    #: The page could not show the badge or the browser could not print it.
    BROWSER = "browser"
    #: Taken three times, and never heard of again.
    LAPSED = "lapsed"


class Pause(StrEnum):
    BY_HAND = "by_hand"
    PAPER_OUT = "paper_out"


#: A window that took a job has so long to say how it went: a badge is drawn and handed to the printer in one or two
#: seconds, a slow printer's dialog in ten.
LEASE: Final = timedelta(seconds=30)
#: A job that was taken so often without a word is not tried again by itself: it may be what breaks the window.
TRIES_MAX: Final = 3
#: Jobs waiting at one station: half an hour of a quick printer.
QUEUE_MAX: Final = 500
#: A station whose page has not asked for work so long is nobody's.
SEEN_WITHIN: Final = timedelta(seconds=45)


class Paper(StrEnum):
    """Sizes that badges are printed on, in millimetres. Frozen once released: stored, and named in print.css."""

    A6 = "a6"
    A7 = "a7"
    CARD_90_54 = "card_90_54"
    LABEL_100_70 = "label_100_70"
    LABEL_62_100 = "label_62_100"
    LABEL_80_50 = "label_80_50"


#: Width and height.
SIZES: Final[Mapping[Paper, tuple[int, int]]] = {
    Paper.A6: (105, 148),
    Paper.A7: (74, 105),
    Paper.CARD_90_54: (90, 54),
    Paper.LABEL_100_70: (100, 70),
    Paper.LABEL_62_100: (62, 100),
    Paper.LABEL_80_50: (80, 50),
}

#: How wide a name may be, in Chinese characters, to be printed in each size of letters; wider ones get the last.
_NAME_SIZES: Final[Sequence[tuple[str, float]]] = (("xl", 4), ("l", 6), ("m", 10), ("s", 16))


def name_size(name: str) -> str:
    """The largest letters in which a name stands on a badge: xl, l, m, s, xs."""
    wide = sum(1.0 if east_asian_width(char) in "WF" else 0.55 for char in name)
    return next((size for size, most in _NAME_SIZES if wide <= most), "xs")


# --- numbers from a list -----------------------------------------------------------------------------------------

#: What the columns of a list may be called, folded.
_TITLES: Final[Mapping[str, frozenset[str]]] = {
    "code": frozenset(
        {"short code", "code", "passport code", "ticket code", "短码", "护照短码", "票码", "凭证码"}
    ),
    "number": frozenset({"badge number", "badge no", "badge no.", "badge", "胸牌号", "胸牌编号", "胸卡号"}),
    "box": frozenset({"box", "badge box", "箱号", "箱子", "盒号"}),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """A line of a list: whose badge gets which number and box. ``number`` is None where the line says none."""

    line: int
    code: str
    number: int | None
    box: str


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that can't be taken, and why: code_missing, number_unreadable, box_too_long, number_twice, code_twice."""

    line: int
    why: str
    said: str


def read_list(rows: Sequence[Sequence[str]]) -> tuple[list[Wish], list[WrongLine]] | BadgeCode:
    """The lines of a table whose first line names the columns; every bad line with its number, blank ones left out."""
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    at = {
        field: next((place for place, title in enumerate(header) if title in titles), None)
        for field, titles in _TITLES.items()
    }
    if at["code"] is None or at["number"] is None:
        return BadgeCode.COLUMNS_MISSING

    def cell(row: Sequence[str], field: str) -> str:
        place = at[field]
        return row[place].strip() if place is not None and place < len(row) else ""

    wishes: list[Wish] = []
    wrong: list[WrongLine] = []
    codes, numbers = set[str](), set[int]()
    for line, row in enumerate(rows[1:], start=2):
        code, said, box = cell(row, "code"), cell(row, "number"), cell(row, "box")
        if not (code or said or box):
            continue
        number = _number(said)
        why = (
            "code_missing"
            if not code
            else "number_unreadable"
            if said and number is None
            else "box_too_long"
            if len(box) > BOX_MAX
            else "code_twice"
            if code in codes
            else "number_twice"
            if number is not None and number in numbers
            else ""
        )
        if why:
            wrong.append(WrongLine(line, why, said if why.startswith("number") else code or said))
            continue
        codes.add(code)
        if number is not None:
            numbers.add(number)
        wishes.append(Wish(line, code, number, box))
    return wishes, wrong


def _number(said: str) -> int | None:
    """217, 0217 and a spreadsheet's 217.0; nothing else."""
    digits = said.removesuffix(".0")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        return None
    number = int(digits)
    return number if 1 <= number <= NUMBER_MAX else None
