"""When a rehearsal ends by itself, and whether a scan was made in one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from checkin.rules import CheckpointFacts, CheckpointKind
from kernel.interval import Interval


class RehearsalCode(StrEnum):
    DOORS_ARE_OPEN = "doors_are_open"
    PAST_DOORS = "past_doors"
    ENDS_TOO_SOON = "ends_too_soon"


@dataclass(frozen=True, slots=True)
class Span:
    """A rehearsal as it is stored: since when, and until when it was meant to last or was stopped."""

    starts_at: datetime
    ends_at: datetime


def doors_open(checkpoints: Iterable[CheckpointFacts], starts_on: date, zone: str) -> datetime:
    """From when on scans are real: the first opening of a gate's window, else midnight before the event's first day.

    By whatever gate comes first: nobody who stands at a door on the day may be taken for a rehearsal.
    """
    opens = [
        window.opens_at
        for facts in checkpoints
        if facts.kind is CheckpointKind.GATE
        for window in facts.windows
    ]
    if opens:
        return min(opens)
    return datetime.combine(starts_on, time(), ZoneInfo(zone)).astimezone(UTC)


def lasting(spans: Sequence[Span], doors: datetime) -> tuple[Interval, ...]:
    """What of each rehearsal was one: none goes on past the opening of the doors, wherever that was moved."""
    cut = [(span.starts_at, min(span.ends_at, doors)) for span in spans]
    return tuple(Interval(begin, end) for begin, end in cut if begin < end)


def running(rehearsals: Iterable[Interval], at: datetime) -> Interval | None:
    """The rehearsal that a moment lies in."""
    return next((one for one in rehearsals if at in one), None)


def end_of(until: datetime | None, *, at: datetime, doors: datetime) -> datetime | RehearsalCode:
    """When a rehearsal that is started now ends, or why there can be none; without a wish at the opening of the doors."""
    if doors <= at:
        return RehearsalCode.DOORS_ARE_OPEN
    if until is None:
        return doors
    if until > doors:
        return RehearsalCode.PAST_DOORS
    return until if until > at else RehearsalCode.ENDS_TOO_SOON


__all__ = ["RehearsalCode", "Span", "doors_open", "end_of", "lasting", "running"]
