"""Checkpoints and their lists, copied with their event: windows move with it, what hangs on a session that stays behind
does not come along.
"""

from __future__ import annotations

from typing import Any

from checkin.checkpoints import forget_event
from checkin.models import Checkpoint, CheckpointWindow, RoomList
from events.copying import Copied, clone, ids_of, rows_below, stored_or_none
from events.copying_rules import shifted_span
from kernel.db import after_commit


async def follow_copy(news: Copied) -> None:
    """Connected to ``events.copying.copied``; fills ``ids["checkpoint"]``. Nine statements at most."""
    sessions = news.ids.get("session", {})
    rows = [
        row
        for row in await Checkpoint.filter(event_id=news.old.id).order_by("id")
        if row.session_id is None or row.session_id in sessions
    ]
    wanted = {row.list_id for row in rows}
    lists = await clone(
        "checkin_list",
        ("name", "once", "capacity"),
        old_ids=[number for number in await ids_of("checkin_list", news.old.id) if number in wanted],
        event_id=news.event_id,
    )
    await RoomList.bulk_create(
        [
            RoomList(
                list_id=lists[row.list_id], lead_minutes=row.lead_minutes, leaves_others=row.leaves_others
            )
            for row in await RoomList.filter(list_id__in=list(lists) or [0])
        ]
    )
    points = await clone(
        "checkpoint",
        ("code", "name", "kind", "on_repeat", "scans_exits", "is_open", "position"),
        old_ids=[row.id for row in rows],
        event_id=news.event_id,
        ids={
            "list_id": lists,
            "place_id": news.ids["place"],
            "session_id": sessions,
            "site_id": news.ids["site"],
        },
    )
    news.ids["checkpoint"] = points
    windows = await CheckpointWindow.filter(checkpoint_id__in=list(points) or [0]).order_by("id")
    values: dict[int, dict[str, Any]] = {}
    for window in windows:
        opens, closes = shifted_span(window.opens_at, window.closes_at, days=news.days, zone=news.zone)
        values[window.id] = {"opens_at": stored_or_none(opens), "closes_at": stored_or_none(closes)}
    await clone(
        "checkpoint_window",
        ("name",),
        old_ids=[window.id for window in windows],
        event_id=None,
        ids={"checkpoint_id": points},
        values=values,
        kinds={"opens_at": "instant", "closes_at": "instant"},
    )
    await clone(
        "checkpoint_ticket_type",
        (),
        old_ids=await rows_below("checkpoint_ticket_type", "checkpoint_id", points),
        event_id=None,
        ids={"checkpoint_id": points, "ticket_type_id": news.ids["ticket_type"]},
    )
    after_commit(lambda: forget_event(news.event_id))
