"""Half-open spans of time, and the only overlap test in the house."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """``[starts_at, ends_at)``, both aware; a session that ends at ten does not overlap one that starts at ten."""

    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        if self.starts_at.tzinfo is None or self.ends_at.tzinfo is None:
            raise ValueError("an interval needs aware times")
        if self.ends_at <= self.starts_at:
            raise ValueError("an interval must last")

    def __contains__(self, at: object) -> bool:
        return isinstance(at, datetime) and self.starts_at <= at < self.ends_at

    def overlaps(self, other: Interval) -> bool:
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


def programme_date(at: datetime, *, zone: str, day_starts_minute: int) -> date:
    """The programme day that the moment ``at`` belongs to, in the event's own time zone.

    A programme day may run past midnight: with ``day_starts_minute`` 240 (04:00) the party at 01:30 still belongs to
    yesterday. Wall-clock time counts, so the day begins at 04:00 also when clocks change.
    """
    local = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return (local - timedelta(minutes=day_starts_minute)).date()


def programme_day(at: datetime, *, zone: str, day_starts_minute: int) -> Interval:
    """The span of the programme day that ``at`` belongs to; 23 or 25 hours where clocks change."""
    return day_of(
        programme_date(at, zone=zone, day_starts_minute=day_starts_minute),
        zone=zone,
        day_starts_minute=day_starts_minute,
    )


def day_of(day: date, *, zone: str, day_starts_minute: int) -> Interval:
    """A programme day as a span of time: from its start to the next one's."""

    def start(of: date) -> datetime:
        wall = datetime(of.year, of.month, of.day) + timedelta(minutes=day_starts_minute)  # noqa: DTZ001 -- wall time
        return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)

    return Interval(start(day), start(day + timedelta(days=1)))
