"""Decisions about rooms: which session a door belongs to now, what a head count still says, who is full. Pure.

A room is a place. What its doors have scanned, what a volunteer counted there and what somebody said of it by hand
meet here; nothing in it knows a database or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from checkin.board_rules import CLOSED, FULL, LEVELS, OPEN, level

#: A door takes the next session from so long before it begins, unless its checkpoint says otherwise.
LEAD: Final = timedelta(minutes=15)
LEAD_MAX: Final = timedelta(hours=4)
#: Nobody counts more heads in one room; the largest hall of the sizing holds 5,000.
HEADS_MAX: Final = 10_000
#: More than so many times what fits is a slip of the finger (1200 for 120).
HEADS_OF_CAPACITY: Final = 3


class RoomState(StrEnum):
    """What somebody says of a room by hand. Frozen once released: stored, and read by programs."""

    #: As the scans, the head count and the doors say.
    AUTOMATIC = "automatic"
    OPEN = "open"
    FULL = "full"
    CLOSED = "closed"


#: As documents write them; AUTOMATIC is what remains.
STATE_NUMBERS: Final[Mapping[RoomState, int]] = {
    RoomState.OPEN: OPEN,
    RoomState.FULL: FULL,
    RoomState.CLOSED: CLOSED,
}


@dataclass(frozen=True, slots=True)
class Slot:
    """A session as its room's door knows it."""

    guid: str
    starts_at: datetime
    ends_at: datetime


def slot_at(slots: Iterable[Slot], at: datetime, lead: timedelta = LEAD) -> Slot | None:
    """The session that a scan at this moment belongs to: the one that runs, until its end; of two, the one that began
    first. While none runs, the next one from ``lead`` before it begins. None between sessions.
    """
    running = [one for one in slots if one.starts_at <= at < one.ends_at]
    if running:
        return min(running, key=_order)
    ahead = [one for one in slots if one.starts_at - lead <= at < one.starts_at]
    return min(ahead, key=_order, default=None)


def next_slot(slots: Iterable[Slot], at: datetime) -> Slot | None:
    """The first session that has not begun."""
    return min((one for one in slots if one.starts_at > at), key=_order, default=None)


def _order(slot: Slot) -> tuple[datetime, datetime, str]:
    return slot.starts_at, slot.ends_at, slot.guid


def lasts_until(said_at: datetime, slots: Sequence[Slot], day_ends_at: datetime) -> datetime:
    """How long a word about how full a room is stands: to the end of its session, or of the next one when it was said
    between two, and never past its programme day. People leave when a session ends, and nobody counts them.
    """
    own = slot_at(slots, said_at) or next_slot(slots, said_at)
    return min(own.ends_at, day_ends_at) if own else day_ends_at


@dataclass(frozen=True, slots=True)
class Held:
    """A room's state as somebody set it; ``until`` None: until somebody says otherwise."""

    state: RoomState
    since: datetime
    until: datetime | None = None

    def at(self, moment: datetime) -> RoomState:
        """What it says of this moment; a scan that was made before it is none of its business."""
        good = self.since <= moment and (self.until is None or moment < self.until)
        return self.state if good else RoomState.AUTOMATIC


def held(state: RoomState, since: datetime, slots: Sequence[Slot], day_ends_at: datetime) -> Held:
    """Closed stands until it is taken back: a projector is broken over night, too. Full and open are about people."""
    return Held(state, since, None if state is RoomState.CLOSED else lasts_until(since, slots, day_ends_at))


@dataclass(frozen=True, slots=True)
class Heads:
    """A head count. ``base``: what the scans said when it was made, under the period ``base_key``.

    It is good ``until`` then, and to its day's end where scans of both ways keep it true.
    """

    count: int
    at: datetime
    until: datetime
    day_ends_at: datetime
    base: int
    base_key: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a room's doors say: how many, in which period, and whether ways out are scanned, too."""

    count: int = 0
    key: str = ""
    with_exits: bool = False


def fill(scanned: Scanned, heads: Heads | None, at: datetime) -> tuple[int, bool]:
    """How many people are in a room, and whether a head count says so: the last one, moved by the scans since.

    Where another period began after the count, all of its scans came after it.
    """
    if heads is None or not heads.at <= at < (heads.day_ends_at if scanned.with_exits else heads.until):
        return scanned.count, False
    return max(0, heads.count + scanned.count - (heads.base if heads.base_key == scanned.key else 0)), True


def state_of(*, by_hand: RoomState, doors: Sequence[int], count: int, capacity: int | None) -> int:
    """A room's state: what somebody set; else closed where every door is, full at its capacity or where every open
    door is; else open. Without any door it is open.
    """
    if by_hand is not RoomState.AUTOMATIC:
        return STATE_NUMBERS[by_hand]
    if doors and all(one == CLOSED for one in doors):
        return CLOSED
    usable = [one for one in doors if one != CLOSED]
    is_full = bool(capacity and count >= capacity) or bool(usable and all(one == FULL for one in usable))
    return FULL if is_full else OPEN


def shown_level(*, by_hand: RoomState, state: int, count: int, capacity: int | None) -> int:
    """How full a room is for everybody: who opened it by hand has seen an empty chair, so it is "nearly" at most."""
    reached = level(state, count, capacity)
    return min(reached, LEVELS[-2]) if by_hand is RoomState.OPEN else reached


def heads_limit(capacity: int | None) -> int:
    """The most that may be typed as a head count."""
    return min(HEADS_MAX, HEADS_OF_CAPACITY * capacity) if capacity else HEADS_MAX
