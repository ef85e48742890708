"""What people are found by, kept in step with their registrations: pinyin of their names and their place in a list.

A key is derived and may be made anew at any time; a registration without one is found by the letters of its name
alone, until ``fill`` comes by.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import orjson

from events import pinyin_rules
from kernel import db
from kernel.db import in_list, list_parameter, unit_of_work

#: More names than this are read in a thread, so that pages and scans go on meanwhile.
INLINE: Final = 32
CHUNK: Final = 500


class News(Protocol):
    """What ``events.registrations.changed`` tells."""

    @property
    def event_id(self) -> int: ...
    @property
    def registration_ids(self) -> Sequence[int]: ...


async def follow(changed: News) -> None:
    """Makes the keys of these registrations, inside the caller's unit of work; nobody's name leaves none behind.

    At most three statements, however many registrations.
    """
    ids = list_parameter(sorted(set(changed.registration_ids)))
    rows = await db.query(f"SELECT {_READ} FROM registration g WHERE g.id {in_list('$1', 'int')}", ids)
    await _write([row for row in rows if row["name"]], tail="")
    if not all(row["name"] for row in rows):
        await forget([row["id"] for row in rows if not row["name"]])


async def forget(registration_ids: Sequence[int]) -> None:
    """Nothing of these names stays."""
    await db.execute(
        f"DELETE FROM person_key WHERE registration_id {in_list('$1', 'int')}",
        list_parameter(registration_ids),
    )


async def keep_filled(_: datetime) -> None:
    """``fill`` as a chore of every server process, at its start and every hour."""
    await fill()


async def fill() -> int:
    """Makes every key that is missing or was made by other rules, in small transactions; gives how many.

    After an upgrade, and after rows that came past the actions.
    """
    made, last = 0, 0
    while True:
        rows = await db.query(
            f"""SELECT {_READ} FROM registration g LEFT JOIN person_key k ON k.registration_id = g.id
                WHERE g.id > $1 AND g.name <> '' AND (k.version IS NULL OR k.version < $2)
                ORDER BY g.id LIMIT {CHUNK}""",
            last,
            pinyin_rules.VERSION,
        )
        if not rows:
            return made
        async with unit_of_work():
            # What somebody else wrote meanwhile is newer than what we have read.
            made += await _write(rows, tail="WHERE person_key.version < excluded.version")
        last = rows[-1]["id"]


_READ: Final = "g.id, g.event_id, g.name, g.badge_name"


async def _write(rows: Sequence[Mapping[str, Any]], *, tail: str) -> int:
    if not rows:
        return 0
    body = _made(rows) if len(rows) <= INLINE else await asyncio.to_thread(_made, rows)
    written = await db.query(
        "INSERT INTO person_key (registration_id, event_id, forms, sort_key, version) "
        "SELECT r.id, r.event_id, r.forms, r.sort_key, r.version FROM "
        + db.json_rows("$1", id="int", event_id="int", forms="text", sort_key="text", version="int")
        # A person who was dropped while we read stays dropped.
        + " JOIN registration g ON g.id = r.id AND g.name <> '' WHERE TRUE"
        " ON CONFLICT (registration_id) DO UPDATE SET forms = excluded.forms, sort_key = excluded.sort_key, "
        f"version = excluded.version {tail} RETURNING registration_id",
        body,
    )
    return len(written)


def _made(rows: Sequence[Mapping[str, Any]]) -> str:
    return orjson.dumps(
        [
            {
                "id": row["id"],
                "event_id": row["event_id"],
                "forms": pinyin_rules.forms((row["name"], row["badge_name"])),
                "sort_key": pinyin_rules.sort_key(row["name"]),
                "version": pinyin_rules.VERSION,
            }
            for row in rows
        ]
    ).decode()
