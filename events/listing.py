"""Reads for the list of events and for series: events without their long texts, in one statement for any number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tortoise.expressions import Q

from events.models import Event, Series
from events.rules import EventFacts, EventKind, EventState
from kernel.text import LocalizedText

#: An installation is made for 200 events (DESIGN section 9).
AT_MOST: Final = 1000

_BRIEF: Final = (
    "id",
    "slug",
    "name",
    "tagline",
    "city",
    "address",
    "starts_on",
    "ends_on",
    "starts_minute",
    "ends_minute",
    "time_zone",
    "day_starts_minute",
    "theme_colour",
    "state",
    "is_sample",
    "registration_opens_at",
    "registration_closes_at",
    "kind",
    "series_id",
    "cover_upload_id",
)


def _facts(row: Mapping[str, Any]) -> EventFacts:
    texts = {name: LocalizedText.of(row[name]) for name in ("name", "tagline", "city", "address")}
    state, kind = EventState(row["state"]), EventKind(row["kind"])
    return EventFacts(**{**row, **texts, "text": LocalizedText(), "state": state, "kind": kind})


async def brief(*, event_ids: Iterable[int] = (), is_admin: bool = False) -> Sequence[EventFacts]:
    """Published and ended events, and the drafts among ``event_ids`` (where the reader has a role), or all; latest
    first. Long texts (``text``, ``contact``, ``privacy_notice``) are left out.
    """
    wanted = Event.all()
    if not is_admin:
        wanted = wanted.filter(~Q(state=EventState.DRAFT) | Q(id__in=list(event_ids)))
    rows = await wanted.order_by("-starts_on", "-id").limit(AT_MOST).values(*_BRIEF)
    return [_facts(row) for row in rows]


async def of_series(series_id: int) -> Sequence[EventFacts]:
    """The published and ended events of a series, latest first; brief, as above."""
    wanted = Event.filter(series_id=series_id).exclude(state=EventState.DRAFT)
    rows = await wanted.order_by("-starts_on", "-id").limit(AT_MOST).values(*_BRIEF)
    return [_facts(row) for row in rows]


async def series_names() -> Mapping[int, LocalizedText]:
    """The name of every series, by id; one statement."""
    return {row["id"]: LocalizedText.of(row["name"]) for row in await Series.all().values("id", "name")}
