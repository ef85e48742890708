"""The paper list: which letters are on it, and when a tick on it was made. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, Protocol, TypeVar
from zoneinfo import ZoneInfo

from events.pinyin_rules import letter_of

#: Where names stand that have no letter of pinyin; behind all others.
OTHERS: Final = ""
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: Codes typed in one go at most; with a page of ticks it is one batch.
CODES_MAX: Final = 200

_CLOCK = re.compile(r"(\d{1,2})[:：.](\d{2})")
_BETWEEN = re.compile(r"[\n\r,;，；、]+")


class Filed(Protocol):
    """Somebody of a list."""

    @property
    def sort_key(self) -> str: ...


Somebody = TypeVar("Somebody", bound=Filed)


@dataclass(frozen=True, slots=True)
class Span:
    """Letters from ``first`` to ``last``, both among them; OTHERS stands behind Z."""

    first: str = "A"
    last: str = OTHERS

    def __contains__(self, letter: object) -> bool:
        return _place(self.first) <= _place(str(letter)) <= _place(self.last)


def _place(letter: str) -> int:
    return LETTERS.index(letter) if letter and letter in LETTERS else len(LETTERS)


def span_of(text: str) -> Span:
    """``A-F``, ``S`` or ``*`` (names without a letter) as a span; anything else is everybody."""
    folded = text.strip().upper()
    if folded == "*":
        return Span(OTHERS, OTHERS)
    match = re.fullmatch(r"([A-Z])(?:-([A-Z]|\*))?", folded)
    if not match:
        return Span()
    last = match[2] or match[1]
    return Span(match[1], OTHERS if last == "*" else last)


def by_letter(people: Iterable[Somebody]) -> Sequence[tuple[str, Sequence[Somebody]]]:
    """People in order as chapters by the letter they are filed under."""
    return [(letter, list(some)) for letter, some in groupby(people, key=lambda one: letter_of(one.sort_key))]


def shares(counts: Mapping[str, int], *, most: int) -> Sequence[tuple[str, int]]:
    """Spans of letters with about ``most`` people each, for so many desks: what ``span_of`` reads, and how many.

    A letter is never cut in two, so one with more people than that is a share of its own.
    """
    found: list[tuple[list[str], int]] = []
    for letter in [*LETTERS, OTHERS]:
        count = counts.get(letter, 0)
        if not count:
            continue
        if found and found[-1][1] + count <= most:
            found[-1] = ([*found[-1][0], letter], found[-1][1] + count)
        else:
            found.append(([letter], count))
    return [(_span_text(letters), count) for letters, count in found]


def _span_text(letters: Sequence[str]) -> str:
    first, last = letters[0] or "*", letters[-1] or "*"
    return first if first == last else f"{first}-{last}"


def ticked_at(text: str, *, now: datetime, zone: ZoneInfo) -> datetime | None:
    """A time of the day as it stands on paper, in the event's zone: the latest such moment up to ``now``.

    None where it is no time of the day.
    """
    match = _CLOCK.fullmatch(text.strip())
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        return None
    local = now.astimezone(zone)
    at = local.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
    return at if at <= local else at - timedelta(days=1)


def codes_of(text: str) -> Sequence[str]:
    """Codes as they were typed or scanned one below the other, each once, in order; spaces inside one are its own."""
    return list(dict.fromkeys(code for part in _BETWEEN.split(text) if (code := " ".join(part.split()))))
