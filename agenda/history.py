"""The history of a proposal: a line for everything that changed, written in the transaction that changed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that changed: what of the proposal, from what, to what, in JSON's own types."""

    field: str = ""
    old: Any = None
    new: Any = None


async def write(
    *, actor: Actor, proposal_id: int, verb: str, at: datetime, lines: Iterable[Line], reason: str = ""
) -> None:
    """Keeps the lines, in one statement; nothing for none. Inside the caller's unit of work it is kept or lost with it."""
    rows = [
        # Values as JSON text of their own: SQLite would take true for 1, and Tortoise a bare word for broken JSON.
        {"field": line.field, "old": _json(line.old), "new": _json(line.new)}
        for line in lines
    ]
    if not rows:
        return
    old, new = ("r.old", "r.new") if db.dialect() == "sqlite" else ("r.old::jsonb", "r.new::jsonb")
    source = db.json_rows("$1", field="text", old="text", new="text")
    async with unit_of_work():
        await db.execute(
            "INSERT INTO proposal_change (proposal_id, at, actor_key, verb, field, old, new, reason) "  # noqa: S608 -- our own words
            f"SELECT $2, $3, $4, $5, r.field, {old}, {new}, $6 FROM {source}",
            orjson.dumps(rows).decode(),
            proposal_id,
            at if db.dialect() == "postgres" else db.stored_instant(at),
            actor.key,
            str(verb),
            reason,
        )


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
