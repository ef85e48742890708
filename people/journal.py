"""Who did what, when, to what. Append-only; ids and codes, never names, addresses or free text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from kernel.actor import Actor
from kernel.db import after_commit, json_rows, query, unit_of_work
from people.models import JournalEntry
from web import shared_pages


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
        # Whatever is changed is journalled, so this is where copies of public pages end.
        after_commit(lambda: shared_pages.dropped(event_id, object_kind))


async def write_many(
    *,
    actor: Actor,
    verb: str,
    object_kind: str,
    lines: Mapping[int, tuple[Mapping[str, Any], Mapping[str, Any]]],
    at: datetime,
    event_id: int,
) -> None:
    """``write`` for many objects of one kind in one statement; ``lines`` are old and new by the object's id."""
    async with unit_of_work():
        await JournalEntry.bulk_create(
            [
                JournalEntry(
                    at=at,
                    event_id=event_id,
                    actor_key=actor.key,
                    verb=verb,
                    object_kind=object_kind,
                    object_id=number,
                    old=dict(old),
                    new=dict(new),
                )
                for number, (old, new) in lines.items()
            ]
        )
        after_commit(lambda: shared_pages.dropped(event_id, object_kind))


async def latest(event_ids: Iterable[int]) -> int:
    """The number of the last line about any of these events; 0 for none. One statement that reads one entry each.

    It moves with every change, so pages that are kept use it to see what another process has changed.
    """
    ids = orjson.dumps([{"id": number} for number in event_ids]).decode()
    rows = await query(
        "SELECT max((SELECT max(j.id) FROM journal_entry j WHERE j.event_id = r.id)) AS n "  # noqa: S608 -- our own names
        f"FROM {json_rows('$1', id='int')}",
        ids,
    )
    return int(rows[0]["n"] or 0)


async def latest_of(kinds: Iterable[str]) -> int:
    """The number of the last line about objects of these kinds, of whatever event; 0 for none.

    For kinds of which there are few: it reads an entry for each line.
    """
    rows = await query(
        "SELECT max(m) AS n FROM (SELECT max(j.id) AS m "  # noqa: S608 -- our own names
        f"FROM {json_rows('$1', kind='text')} JOIN journal_entry j ON j.object_kind = r.kind "
        "GROUP BY j.object_kind, j.object_id) AS each_one",
        orjson.dumps([{"kind": kind} for kind in kinds]).decode(),
    )
    return int(rows[0]["n"] or 0)
