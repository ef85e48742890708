"""Words and decisions of phones that scan without an account: what a pairing code is, how a device stands, what it
may still send. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from checkin.rules import AGE_MAX
from kernel import codes
from kernel.errors import Code, Problem


class DeviceCode(StrEnum):
    """Refusals about devices; frozen once released, phones decide by them."""

    REVOKED = "device_revoked"
    EXPIRED = "device_expired"
    UNKNOWN = "device_unknown"
    PAIRING_UNKNOWN = "pairing_unknown"
    PAIRING_USED = "pairing_used"
    PAIRING_OVER = "pairing_over"
    PAIRING_WITHDRAWN = "pairing_withdrawn"
    NAMES_NOT_YOURS = "device_names_not_yours"
    ENDS_PAST = "device_ends_past"
    TOO_MANY_PAIRINGS = "too_many_pairings"
    QUARANTINE_FULL = "quarantine_full"
    HELD_DECIDED = "held_decided"
    HELD_UNKNOWN_PERSON = "held_unknown_person"
    TEST_LINK_OVER = "phone_test_over"


class State(StrEnum):
    """How a device stands, as a list shows it."""

    ONLINE = "online"
    QUIET = "quiet"
    OFFLINE = "offline"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Trouble(StrEnum):
    """What is wrong with a device, told by the phone or seen by the server. Phones may tell others; they are left out."""

    #: Another phone came with the same token.
    TWO_PHONES = "two_phones"
    STORAGE_FULL = "storage_full"
    SNAPSHOT_BROKEN = "snapshot_broken"
    SNAPSHOT_OLD = "snapshot_old"
    CAMERA_LOST = "camera_lost"
    CLOCK_JUMPED = "clock_jumped"


class Check(StrEnum):
    """What is tried before anything is spent. The first four by the pairing page, all by the phone test."""

    SECURE = "secure"
    CAMERA = "camera"
    SERVICE_WORKER = "service_worker"
    STORAGE = "storage"
    DECODER = "decoder"
    ROUND_TRIP = "round_trip"


PAIRING_CHECKS: Final = (Check.SECURE, Check.CAMERA, Check.SERVICE_WORKER, Check.STORAGE)


class Held(StrEnum):
    """How a scan that was kept apart stands. ``letting_in``: somebody's yes is on its way through the committer."""

    WAITING = "waiting"
    LETTING_IN = "letting_in"
    LET_IN = "let_in"
    DROPPED = "dropped"
    #: The ledger had it already: the phone had only not heard the answer.
    COUNTED = "counted"


#: The phone says that it is there every 30 s; three missed ones, and it is not.
ONLINE_FOR: Final = timedelta(seconds=90)
#: After so long it is said on the board: somebody should look.
QUIET_FOR: Final = timedelta(minutes=5)
#: Another phone's word counts as a present trouble for so long.
#: A phone that has been silent for longer has been put away: that is no news for a board.
PUT_AWAY_AFTER: Final = timedelta(hours=3)
TWO_PHONES_FOR: Final = timedelta(minutes=10)
#: Written at most so often; a hall of phones costs no more writes than lanes.
SEEN_EVERY: Final = timedelta(seconds=10)
#: After its end a device's queue is still taken for so long: as old as a scan may be.
GRACE: Final = AGE_MAX

#: How long a code may wait for its phone, in minutes: handed over now, this shift, printed for tomorrow.
PAIRING_MINUTES: Final = (30, 240, 1440)
PAIRINGS_AT_ONCE: Final = 50
#: Codes that wait in one event; more is a slip of the hand.
PAIRINGS_OPEN: Final = 500
NAME_MAX: Final = 80
#: No device outlives this, whatever is typed: a season, not a lifetime.
DEVICE_LASTS_MAX: Final = timedelta(days=120)
#: Scans of one device that are kept apart; a phone's own queue holds far fewer.
HELD_MAX: Final = 5_000
REASON_MAX: Final = 200
TEST_LINK_LASTS: Final = timedelta(days=14)

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class PairingKey:
    """What was scanned or typed: the QR code's secret, or the short code; at least one of them."""

    secret: str = ""
    short: str = ""


def read_pairing_key(text: str) -> PairingKey | None:
    """Takes the key out of the pairing page's whole address, its fragment, or a typed code; None for anything else.

    A fragment is ``<secret>.<short code>``: the second for eyes and fingers, where a browser can't be used.
    """
    given = text.strip().rpartition("#")[2]
    secret, dot, short = given.partition(".")
    if _SECRET.fullmatch(secret):
        return PairingKey(secret, codes.read_short_code(short) or "" if dot else "")
    typed = codes.read_short_code(given)
    return PairingKey(short=typed) if typed else None


def state_of(
    *, revoked_at: datetime | None, expires_at: datetime, last_seen_at: datetime | None, at: datetime
) -> State:
    """How a device stands at ``at``; one that never said a word since it was paired is offline."""
    if revoked_at is not None:
        return State.REVOKED
    if at >= expires_at:
        return State.EXPIRED
    if last_seen_at is None or at - last_seen_at >= QUIET_FOR:
        return State.OFFLINE
    return State.ONLINE if at - last_seen_at < ONLINE_FOR else State.QUIET


def refusal_of(*, revoked_at: datetime | None, expires_at: datetime, at: datetime) -> DeviceCode | None:
    """Why a device may do nothing any more; None while it may."""
    if revoked_at is not None:
        return DeviceCode.REVOKED
    return DeviceCode.EXPIRED if at >= expires_at else None


def sends_late(*, revoked_at: datetime | None, expires_at: datetime, at: datetime) -> bool:
    """Whether an expired device may still send what it queued before its end."""
    return revoked_at is None and expires_at <= at < expires_at + GRACE


def is_of_before(*, arrived: datetime, age_ms: int | None, expires_at: datetime) -> bool:
    """Whether a scan that arrives now was made before the device's end, by the age that the phone counted."""
    if age_ms is None or not 0 < age_ms <= AGE_MAX.total_seconds() * 1000:
        return False
    return arrived - timedelta(milliseconds=age_ms) < expires_at


def believed_age(*, arrived: datetime, age_ms: int | None, paired_at: datetime) -> int | None:
    """The age as sent, or -1 (which nobody believes: ``rules.effective_time``) where it lies before the pairing."""
    if age_ms is None or age_ms <= 0:
        return age_ms
    # Compared as numbers: an age out of all belief is beyond what a datetime can be moved by.
    return age_ms if age_ms <= (arrived - paired_at).total_seconds() * 1000 else -1


def two_phones(other_seen_at: datetime | None, at: datetime) -> bool:
    """Whether two phones go by one identity just now."""
    return other_seen_at is not None and at - other_seen_at < TWO_PHONES_FOR


def known_troubles(told: Sequence[str]) -> list[str]:
    """The words out of a phone's list that mean something here, each once, in the house's order."""
    return [trouble.value for trouble in Trouble if trouble.value in set(told)]


def last_moment(ends_on: date, zone: str, day_starts_minute: int) -> datetime:
    """The end of the programme day ``ends_on``, which may lie after midnight."""
    day = datetime.combine(ends_on, time(), ZoneInfo(zone)) + timedelta(days=1, minutes=day_starts_minute)
    return day.astimezone(UTC)


def first_end(*, ends_on: date, today: date, zone: str, day_starts_minute: int) -> datetime:
    """Until when a device is good unless somebody says otherwise: the event's last programme day, or today where that
    is over already."""
    return last_moment(max(ends_on, today), zone, day_starts_minute)


def end_problem(expires_at: datetime, at: datetime) -> Problem | None:
    """What is wrong with a device's end, if anything."""
    if expires_at <= at:
        return Problem(DeviceCode.ENDS_PAST)
    return Problem(Code.OUT_OF_RANGE) if expires_at > at + DEVICE_LASTS_MAX else None


def names_for(name: str, count: int) -> list[str]:
    """The devices' names of one sheet: the name itself for one, with a number for several."""
    if count == 1:
        return [name[:NAME_MAX]]
    width = len(str(count))
    return [f"{name[: NAME_MAX - width - 1]} {number}" for number in range(1, count + 1)]


def volunteers_of(text: str) -> list[str]:
    """Names typed one a line; empty lines are left out."""
    return [line for raw in text.splitlines() if (line := " ".join(raw.split())[:NAME_MAX])]
