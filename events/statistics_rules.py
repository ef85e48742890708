"""What numbers of registrations mean: days without gaps, days before an event, and how many may stay away.

Pure: counts in, counts out. Nothing here knows a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

#: Days that a chart shows at most; what came earlier (an import with dates of years ago) is counted on the first.
DAYS_MAX: Final = 400
#: Confirmed people that a history must have before it says anything.
ENOUGH: Final = 20
#: Points of a hundred that a range has at least on either side of what was seen: the next event is another one.
MARGIN: Final = 5
#: The range where nothing is known, in percent: an assumption, because no public figure could be trusted.
ASSUMED: Final = (20, 50)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of registrations: how many came in, and how many of all so far hold a place today."""

    on: date
    new: int
    total: int


def daily(new: Mapping[date, int], holding: Mapping[date, int], *, until: date | None = None) -> list[Day]:
    """Every day from the first with a registration to the last, or to ``until`` if that is later; none without any.

    ``new`` counts all registrations by the day on which they were made, ``holding`` those of them that hold a place
    now. Of more than DAYS_MAX days the last are kept; the first of these takes all that was before.
    """
    if not new:
        return []
    first, last = min(new), max(new)
    if until is not None and until > last:
        last = until
    first = max(first, last - timedelta(days=DAYS_MAX - 1))
    total = sum(count for day, count in holding.items() if day < first)
    early = sum(count for day, count in new.items() if day < first)
    days = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        total += holding.get(day, 0)
        days.append(Day(day, new.get(day, 0) + early, total))
        early = 0
    return days


@dataclass(frozen=True, slots=True)
class Countdown:
    """Two events so many days before each began; None where an event has not come so far yet."""

    days_before: int
    own: int | None
    other: int | None


def countdown(
    own: Sequence[Day], own_starts: date, other: Sequence[Day], other_starts: date
) -> list[Countdown]:
    """Both events' totals on one axis, furthest day first; before its first registration an event stands at 0.

    The other event is over, so that its last total goes on to its end. Without days of either there is nothing to
    compare.
    """
    if not own or not other:
        return []
    mine = {(own_starts - day.on).days: day.total for day in own}
    theirs = {(other_starts - day.on).days: day.total for day in other}
    furthest = max(*mine, *theirs)
    nearest = min(*mine, *theirs)
    furthest = min(furthest, nearest + DAYS_MAX - 1)
    found = []
    # Days are cut at the far end, what was registered until then is not.
    last = max((total for before, total in theirs.items() if before > furthest), default=0)
    for before in range(furthest, nearest - 1, -1):
        last = theirs.get(before, last)
        now = mine.get(before, 0) if before >= min(mine) else None
        found.append(Countdown(before, now, last))
    return found


class Basis(StrEnum):
    """What an expectation leans on, the best first."""

    SERIES_TYPE = "series_type"
    SERIES_ROLE = "series_role"
    HOUSE_ROLE = "house_role"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Past:
    """A ticket type of an event that is over and counted arrivals: how many were confirmed, how many of them came."""

    event_id: int
    same_series: bool
    code: str
    role: str
    confirmed: int
    arrived: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many of the confirmed will probably stay away: a range in percent and in people, and where it comes from."""

    confirmed: int
    low_percent: int
    high_percent: int
    basis: Basis
    #: Past events behind it; 0 for an assumption.
    events: int = 0

    @property
    def low(self) -> int:
        return math.floor(self.confirmed * self.low_percent / 100)

    @property
    def high(self) -> int:
        return math.ceil(self.confirmed * self.high_percent / 100)


def expect(confirmed: int, past: Iterable[Past], *, code: str, role: str) -> Expectation:
    """How many of a ticket type will stay away.

    The same ticket type (by its code) at earlier events of the series says it best, then the same role there, then
    the same role at any event of this installation; a basis needs ENOUGH confirmed people. The range goes from the
    event with the smallest share of people who stayed away to the one with the largest, and MARGIN points beyond
    what all together show at least. Without any basis it is ASSUMED.
    """
    every = list(past)
    choices = (
        (Basis.SERIES_TYPE, [one for one in every if one.same_series and one.code == code]),
        (Basis.SERIES_ROLE, [one for one in every if one.same_series and one.role == role]),
        (Basis.HOUSE_ROLE, [one for one in every if one.role == role]),
    )
    for basis, found in choices:
        confirmed_by: dict[int, int] = {}
        missed_by: dict[int, int] = {}
        for one in found:
            confirmed_by[one.event_id] = confirmed_by.get(one.event_id, 0) + one.confirmed
            missed_by[one.event_id] = missed_by.get(one.event_id, 0) + max(one.confirmed - one.arrived, 0)
        total = sum(confirmed_by.values())
        if total < ENOUGH:
            continue
        shares = [100 * missed_by[event] / count for event, count in confirmed_by.items() if count]
        together = 100 * sum(missed_by.values()) / total
        low = math.floor(min(*shares, together - MARGIN))
        high = math.ceil(max(*shares, together + MARGIN))
        return Expectation(confirmed, max(low, 0), min(high, 100), basis, len(shares))
    return Expectation(confirmed, *ASSUMED, Basis.ASSUMED)


def marks(top: int) -> list[int]:
    """Round numbers from 0 to at least ``top`` for an axis: six at most."""
    step = 1
    while top > 5 * step:
        # 1, 2, 5, 10, 20, 50 …
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    last = max(math.ceil(top / step), 1)
    return [step * number for number in range(last + 1)]


def gather(
    counts: Iterable[tuple[str, int]], *, limit: int, at_least: int
) -> tuple[list[tuple[str, int]], int]:
    """The ``limit`` largest groups of at least so many people, and how many people stand in none of them.

    A group of one would name its person.
    """
    ordered = sorted(((name, count) for name, count in counts), key=lambda one: (-one[1], one[0]))
    shown = [one for one in ordered if one[1] >= at_least][:limit]
    return shown, sum(count for _, count in ordered) - sum(count for _, count in shown)
