"""What holders may do with their own registration, by its state and the time. Pure: no await, no clock, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from events.rules import EventFacts, RegistrationState

#: How long two people have to say yes to a transfer.
TRANSFER_LASTS: Final = timedelta(days=7)


class HolderAct(StrEnum):
    """What a holder can do on their own page."""

    CHANGE = "change"
    CANCEL = "cancel"
    TRANSFER = "transfer"
    ACCEPT = "accept"
    DECLINE = "decline"


class SelfServiceCode(StrEnum):
    """Why a holder can't do something themselves."""

    OVER = "self_service_over"
    NOT_IN_STATE = "self_service_not_in_state"
    ADMITTED = "self_service_admitted"
    OFFER_OVER = "offer_over"
    TRANSFER_OPEN = "transfer_open"
    TRANSFER_UNKNOWN = "transfer_unknown"
    TRANSFER_ENDED = "transfer_ended"
    TRANSFER_NOT_CONFIRMED = "transfer_not_confirmed"
    TRANSFER_TO_ONESELF = "transfer_to_oneself"
    TOO_MANY_ADDRESSES = "too_many_addresses"


#: The states in which each act means something. A place that waits for approval is given to a person, not handed on.
_STATES: Final[Mapping[HolderAct, frozenset[RegistrationState]]] = {
    HolderAct.CHANGE: frozenset(
        {
            RegistrationState.CONFIRMED,
            RegistrationState.PENDING,
            RegistrationState.WAITLISTED,
            RegistrationState.OFFERED,
        }
    ),
    HolderAct.CANCEL: frozenset(
        {RegistrationState.CONFIRMED, RegistrationState.PENDING, RegistrationState.WAITLISTED}
    ),
    HolderAct.TRANSFER: frozenset({RegistrationState.CONFIRMED}),
    HolderAct.ACCEPT: frozenset({RegistrationState.OFFERED}),
    HolderAct.DECLINE: frozenset({RegistrationState.OFFERED}),
}
#: An offer has a time limit of its own, and is answered after the date for changes, too.
_OF_AN_OFFER: Final = frozenset({HolderAct.ACCEPT, HolderAct.DECLINE})
#: Somebody who is in the hall has used the place: it can be neither given back nor handed on.
_BEFORE_ENTRY: Final = frozenset({HolderAct.CANCEL, HolderAct.TRANSFER})


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderFacts:
    """All that decides what a holder may do at ``at``. ``until``: the end of self-service (``closes_at``)."""

    state: RegistrationState
    at: datetime
    until: datetime
    offer_until: datetime | None = None
    was_admitted: bool = False
    is_transferring: bool = False


def closes_at(event: EventFacts) -> datetime:
    """Until when holders help themselves, exclusive, in UTC: as the organisers say, or else the event's first midnight."""
    if event.self_service_until is not None:
        return event.self_service_until
    first = datetime.combine(event.starts_on, time(), ZoneInfo(event.time_zone))
    return first.astimezone(UTC)


def refusal(act: HolderAct, facts: HolderFacts) -> SelfServiceCode | None:
    """Why the holder can't do this now, or None when they can."""
    if facts.state not in _STATES[act]:
        return SelfServiceCode.NOT_IN_STATE
    if act in _OF_AN_OFFER:
        is_over = facts.offer_until is not None and facts.at >= facts.offer_until
        return SelfServiceCode.OFFER_OVER if is_over else None
    if facts.at >= facts.until:
        return SelfServiceCode.OVER
    if act in _BEFORE_ENTRY and facts.was_admitted:
        return SelfServiceCode.ADMITTED
    if act is HolderAct.TRANSFER and facts.is_transferring:
        return SelfServiceCode.TRANSFER_OPEN
    return None


def possible(facts: HolderFacts) -> frozenset[HolderAct]:
    """Everything that the holder may do now."""
    return frozenset(act for act in HolderAct if refusal(act, facts) is None)


def transfer_expires_at(at: datetime, until: datetime) -> datetime:
    """When a transfer asked for at ``at`` lapses: after a week, or with self-service."""
    return min(at + TRANSFER_LASTS, until)
