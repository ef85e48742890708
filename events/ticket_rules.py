"""Decisions about tickets: what a ticket type offers now, what a registration becomes, who moves up. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from events.rules import (
    EventCode,
    EventFacts,
    EventState,
    RegistrationSource,
    RegistrationState,
    TicketRole,
    Window,
    is_code,
)
from kernel.errors import Code, Problem
from kernel.text import LocalizedText


class OfferState(StrEnum):
    """What somebody who looks at a ticket type on the public form can do with it."""

    OPEN = "open"
    #: No place, or others wait for the next one: one can only join them.
    WAITLIST = "waitlist"
    FULL = "full"
    NEEDS_CODE = "needs_code"
    NOT_YET = "not_yet"
    CLOSED = "closed"


#: Sources that are held to the window, to what is visible, to access codes and to approval.
HELD: Final = frozenset({RegistrationSource.FORM, RegistrationSource.GROUP})
#: Sources that never pass those who wait. The team's own word, a list and the door's desk may.
QUEUES: Final = HELD | {RegistrationSource.PARTNER}


def both_windows(first: Window, second: Window) -> Window:
    """What two windows allow together: a ticket type's own lies inside its event's."""
    for said in (Window.CLOSED, Window.NOT_YET):
        if said in (first, second):
            return said
    return Window.OPEN


def offer_state(
    *,
    window: Window,
    needs_code: bool,
    has_code: bool,
    free: int | None,
    has_waitlist: bool,
    others_wait: bool,
) -> OfferState:
    """What a ticket type offers, ``window`` being the event's and its own together.

    ``free`` is None where nobody counts. While ``others_wait`` a free place is theirs: nobody jumps the queue.
    """
    if window is Window.CLOSED:
        return OfferState.CLOSED
    if window is Window.NOT_YET:
        return OfferState.NOT_YET
    if needs_code and not has_code:
        return OfferState.NEEDS_CODE
    if free == 0 or (has_waitlist and others_wait):
        return OfferState.WAITLIST if has_waitlist else OfferState.FULL
    return OfferState.OPEN


_REFUSED: Final[Mapping[OfferState, EventCode]] = {
    OfferState.WAITLIST: EventCode.WAITLIST_ONLY,
    OfferState.FULL: EventCode.TICKET_TYPE_FULL,
    OfferState.NEEDS_CODE: EventCode.ACCESS_CODE_NEEDED,
    OfferState.NOT_YET: EventCode.REGISTRATION_NOT_OPEN_YET,
    OfferState.CLOSED: EventCode.REGISTRATION_CLOSED,
}


def state_after_register(
    offer: OfferState, *, source: RegistrationSource, needs_approval: bool, join_waitlist: bool
) -> RegistrationState | EventCode:
    """The state that a new registration gets, or why there is none."""
    if offer is OfferState.OPEN:
        return first_state(source=source, needs_approval=needs_approval)
    if offer is OfferState.WAITLIST and join_waitlist:
        return RegistrationState.WAITLISTED
    return _REFUSED[offer]


def first_state(*, source: RegistrationSource, needs_approval: bool) -> RegistrationState:
    """Confirmed, or pending where an organiser decides; who was invited by a partner or the team is decided on."""
    return RegistrationState.PENDING if needs_approval and source in HELD else RegistrationState.CONFIRMED


# --- moves between states ----------------------------------------------------------------------------------------


class Verb(StrEnum):
    CANCEL = "cancel"
    RESTORE = "restore"
    APPROVE = "approve"
    DECLINE = "decline"
    MOVE_UP = "move_up"
    ACCEPT = "accept"
    TURN_DOWN = "turn_down"
    EXPIRE = "expire"


#: From which states a registration may be moved by each verb; anything else is refused.
MOVES: Final[Mapping[Verb, frozenset[RegistrationState]]] = {
    Verb.CANCEL: frozenset(
        {
            RegistrationState.CONFIRMED,
            RegistrationState.PENDING,
            RegistrationState.WAITLISTED,
            RegistrationState.OFFERED,
        }
    ),
    Verb.RESTORE: frozenset({RegistrationState.CANCELLED, RegistrationState.DECLINED}),
    Verb.APPROVE: frozenset({RegistrationState.PENDING}),
    Verb.DECLINE: frozenset({RegistrationState.PENDING}),
    Verb.MOVE_UP: frozenset({RegistrationState.WAITLISTED}),
    Verb.ACCEPT: frozenset({RegistrationState.OFFERED}),
    Verb.TURN_DOWN: frozenset({RegistrationState.OFFERED}),
    Verb.EXPIRE: frozenset({RegistrationState.OFFERED}),
}


def gives_code_back(old: RegistrationState, new: RegistrationState) -> bool:
    """Whether an access code's use returns: it stays used unless the registration was never confirmed."""
    return old in _UNDECIDED and new in _GONE


_UNDECIDED: Final = frozenset(
    {RegistrationState.PENDING, RegistrationState.WAITLISTED, RegistrationState.OFFERED}
)
_GONE: Final = frozenset({RegistrationState.CANCELLED, RegistrationState.DECLINED})


# --- the waiting list --------------------------------------------------------------------------------------------

#: With less time than that nobody can be expected to answer.
SHORTEST_OFFER: Final = timedelta(hours=1)
#: While the event is on, a place is kept for no longer: an empty chair helps nobody.
OFFER_WHILE_ON: Final = timedelta(hours=2)


def offer_until(event: EventFacts, *, at: datetime, closes_at: datetime | None = None) -> datetime | None:
    """Until when somebody who moves up at ``at`` may accept; None when it is too late to move anybody up: the event is
    over, or was ended by its organisers.

    The event's ``offer_hours`` at most, never past its beginning; from an hour before it begins on for two hours at
    most, never past its end. Not past ``closes_at`` (the ticket type's) where that still leaves the shortest time: a
    list goes on moving when registration has closed, because that is when people cancel.
    """
    if event.state is EventState.ENDED:
        return None
    begins, ends = span(event)
    hours, end = timedelta(hours=event.offer_hours), begins
    if begins - at < SHORTEST_OFFER:
        hours, end = min(hours, OFFER_WHILE_ON), ends
    if end - at < SHORTEST_OFFER:
        return None
    until = min(at + hours, end)
    if closes_at is not None and closes_at - at >= SHORTEST_OFFER:
        until = min(until, closes_at)
    return until


def span(event: EventFacts) -> tuple[datetime, datetime]:
    """When the event begins and ends, by the clock where it says one, else by its programme days."""
    zone = ZoneInfo(event.time_zone)
    first = event.day_starts_minute if event.starts_minute is None else event.starts_minute
    last = 24 * 60 + event.day_starts_minute if event.ends_minute is None else event.ends_minute
    return (
        (datetime.combine(event.starts_on, time(), zone) + timedelta(minutes=first)).astimezone(UTC),
        (datetime.combine(event.ends_on, time(), zone) + timedelta(minutes=last)).astimezone(UTC),
    )


#: A quota: what kind (a ticket type's own, a shared one, a group's), and whose.
Pool = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody on the waiting list; ``pools`` are all the quotas that a place of theirs counts in."""

    registration_id: int
    since: datetime
    pools: tuple[Pool, ...]


def moving_up(waiting: Sequence[Waiting], free: Mapping[Pool, int | None], *, most: int) -> list[int]:
    """Who gets the free places: longest waiting first (then lowest id), at most ``most``.

    Somebody for whose ticket type there is no place holds up nobody who waits for another. A pool that is not in
    ``free``, or is None there, is without limit.
    """
    left = dict(free)
    found: list[int] = []
    for one in sorted(waiting, key=lambda one: (one.since, one.registration_id)):
        if len(found) >= most:
            break
        counted = [pool for pool in one.pools if left.get(pool) is not None]
        if any((left[pool] or 0) <= 0 for pool in counted):
            continue
        for pool in counted:
            left[pool] = (left[pool] or 0) - 1
        found.append(one.registration_id)
    return found


# --- what organisers decide --------------------------------------------------------------------------------------

MOST: Final = 1_000_000


def fold_code(typed: str) -> str:
    """An access code as it is stored and compared: width folded, upper case, no spaces anywhere."""
    folded = "".join(unicodedata.normalize("NFKC", typed).upper().split())
    # Without the spaces between them accents may join letters: until nothing changes any more.
    return folded if folded == typed else fold_code(folded)


def _texts(found: dict[str, Problem], name: str, texts: LocalizedText, limit: int) -> None:
    if any(len(text) > limit for text in texts.values()):
        found.setdefault(name, Problem(Code.TOO_LONG, {"limit": limit}))


def _is_empty(texts: LocalizedText) -> bool:
    return not any(text.strip() for text in texts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketTypeDetails:
    """What an organiser decides about a ticket type."""

    code: str
    name: LocalizedText
    description: LocalizedText = field(default_factory=LocalizedText)
    door_note: LocalizedText = field(default_factory=LocalizedText)
    role: TicketRole = TicketRole.ATTENDEE
    site_id: int | None = None
    is_online: bool = False
    quota: int | None = None
    shared_quota_id: int | None = None
    has_waitlist: bool = False
    #: Its own window inside the event's; UTC, half-open.
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    is_public: bool = True
    needs_code: bool = False
    needs_approval: bool = False
    is_walk_in: bool = False
    position: int = 0

    def problems(self) -> dict[str, Problem]:
        """What is wrong, by field; what only the database knows (a code in use) is not in it."""
        found: dict[str, Problem] = {}
        if not is_code(self.code):
            found["code"] = Problem(Code.MALFORMED)
        if _is_empty(self.name):
            found["name"] = Problem(Code.REQUIRED)
        _texts(found, "name", self.name, 80)
        _texts(found, "description", self.description, 500)
        _texts(found, "door_note", self.door_note, 200)
        if self.quota is not None and not 0 <= self.quota <= MOST:
            found["quota"] = Problem(Code.OUT_OF_RANGE)
        if self.opens_at is not None and self.closes_at is not None and self.closes_at <= self.opens_at:
            found["closes_at"] = Problem(EventCode.WINDOW_REVERSED)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedQuotaDetails:
    """One limit over several ticket types."""

    name: LocalizedText
    quota: int

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if _is_empty(self.name):
            found["name"] = Problem(Code.REQUIRED)
        _texts(found, "name", self.name, 80)
        if not 0 <= self.quota <= MOST:
            found["quota"] = Problem(Code.OUT_OF_RANGE)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCodeDetails:
    """What an access code opens, how often, until when, and where the tickets that it gives come from."""

    #: Folded by ``fold_code``.
    code: str
    ticket_type_ids: frozenset[int]
    ticket_source: str = ""
    #: None: as often as people like
    max_uses: int | None = None
    valid_until: datetime | None = None
    is_active: bool = True

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if not is_code(self.code) or self.code != fold_code(self.code):
            found["code"] = Problem(Code.MALFORMED)
        if not self.ticket_type_ids:
            found["ticket_types"] = Problem(Code.REQUIRED)
        if len(self.ticket_source) > 120:
            found["ticket_source"] = Problem(Code.TOO_LONG, {"limit": 120})
        if self.max_uses is not None and not 0 <= self.max_uses <= MOST:
            found["max_uses"] = Problem(Code.OUT_OF_RANGE)
        return found


def code_problem(
    *, is_active: bool, valid_until: datetime | None, left: int | None, at: datetime
) -> EventCode:
    """Why a code that exists and opens the ticket type was not taken."""
    if not is_active:
        return EventCode.ACCESS_CODE_WRONG
    if valid_until is not None and valid_until <= at:
        return EventCode.ACCESS_CODE_EXPIRED
    if left is not None and left <= 0:
        return EventCode.ACCESS_CODE_USED_UP
    return EventCode.ACCESS_CODE_WRONG
