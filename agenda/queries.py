"""Reads of the programme, as plain frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from agenda.models import Session
from agenda.rules import SessionKind
from events import queries as events
from events.rules import EventFacts
from kernel.db import as_instant, as_uuid, query
from kernel.text import LocalizedText


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """A programme item with its place's names; ``place_id`` is None where no room is known yet."""

    id: int
    guid: UUID
    event_id: int
    kind: SessionKind
    title: LocalizedText
    speakers: str
    starts_at: datetime
    ends_at: datetime
    place_id: int | None
    place_code: str
    place_name: LocalizedText


async def sessions(event_id: int, date: date | None = None) -> Sequence[SessionFacts]:
    """The event's sessions by start, then by the places' order; with a ``date`` only that programme day's."""
    wanted = Session.filter(event_id=event_id)
    if date is not None:
        event = await events.find_event_by_id(event_id)
        if event is None:
            return []
        begins, ends = day_bounds(event, date)
        wanted = wanted.filter(starts_at__gte=begins, starts_at__lt=ends)
    rows = await wanted.order_by("starts_at", "id")
    places = {place.id: (order, place) for order, place in enumerate(await events.places(event_id))}
    found = []
    for row in rows:
        order, place = places.get(row.place_id or 0, (len(places), None))
        facts = SessionFacts(
            id=row.id,
            guid=row.guid,
            event_id=row.event_id,
            kind=SessionKind(row.kind),
            title=LocalizedText.of(row.title),
            speakers=row.speakers,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            place_id=row.place_id,
            place_code=place.code if place else "",
            place_name=place.name if place else LocalizedText(),
        )
        found.append((row.starts_at, order, row.id, facts))
    return [facts for *_, facts in sorted(found, key=lambda item: item[:3])]


@dataclass(frozen=True, slots=True)
class Span:
    """When and where something takes place that people attend."""

    guid: str
    place_id: int
    starts_at: datetime
    ends_at: datetime


async def spans(event_id: int, limit: int) -> Sequence[Span]:
    """The event's sessions that have a place, by start, breaks left out; the first ``limit``. One cheap statement."""
    rows = await query(
        """SELECT guid, place_id, starts_at, ends_at FROM session
           WHERE event_id = $1 AND place_id IS NOT NULL AND kind <> 'break' ORDER BY starts_at, id LIMIT $2""",
        event_id,
        limit,
    )
    found = []
    for row in rows:
        starts_at, ends_at = as_instant(row["starts_at"]), as_instant(row["ends_at"])
        assert starts_at and ends_at
        found.append(Span(str(as_uuid(row["guid"])), row["place_id"], starts_at, ends_at))
    return found


def day_bounds(event: EventFacts, day: date) -> tuple[datetime, datetime]:
    """When a programme day begins and ends, in UTC; it may run past midnight."""
    starts = time(
        event.day_starts_minute // 60, event.day_starts_minute % 60, tzinfo=ZoneInfo(event.time_zone)
    )
    begins = datetime.combine(day, starts).astimezone(UTC)
    return begins, datetime.combine(day + timedelta(days=1), starts).astimezone(UTC)
