"""Sessions, copied with their event when whoever copies asks for the programme: new guids, times moved with the days."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from agenda.models import Session
from events.copying import Copied, clone, stored_or_none
from events.copying_rules import shifted_span


async def follow_copy(news: Copied) -> None:
    """Connected to ``events.copying.copied``; fills ``ids["session"]``. Two statements at most."""
    if not news.with_programme:
        return
    rows = await Session.filter(event_id=news.old.id).order_by("id")
    values: dict[int, dict[str, Any]] = {}
    for row in rows:
        starts, ends = shifted_span(row.starts_at, row.ends_at, days=news.days, zone=news.zone)
        values[row.id] = {
            # A guid is a session's for ever: the copy is another session.
            "guid": str(uuid4()),
            "starts_at": stored_or_none(starts),
            "ends_at": stored_or_none(ends),
        }
    news.ids["session"] = await clone(
        "session",
        ("kind", "title", "speakers"),
        old_ids=[row.id for row in rows],
        event_id=news.event_id,
        ids={"place_id": news.ids["place"]},
        values=values,
        kinds={"guid": "uuid", "starts_at": "instant", "ends_at": "instant"},
    )
