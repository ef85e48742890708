"""Who did what, when, to what. Append-only; ids and codes, never names, addresses or free text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kernel.actor import Actor
from kernel.db import unit_of_work
from people.models import JournalEntry


async def write(
    *,
    actor: Actor,
    verb: str,
    object_kind: str,
    object_id: int,
    at: datetime,
    event_id: int | None = None,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
) -> None:
    """One line, inside the action's own transaction: what is rolled back was never written.

    ``verb`` reads ``registration.cancel``; ``old`` and ``new`` hold only what changed, as ids, codes and numbers.
    """
    async with unit_of_work():
        await JournalEntry.create(
            at=at,
            event_id=event_id,
            actor_key=actor.key,
            verb=verb,
            object_kind=object_kind,
            object_id=object_id,
            old=dict(old or {}),
            new=dict(new or {}),
        )
