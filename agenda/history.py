"""The history of a proposal: a line for everything that changed, written in the transaction that changed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from people import journal


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
    await write_many(
        actor=actor, verb=verb, at=at, lines=[(proposal_id, line) for line in lines], reason=reason
    )


async def write_many(
    *, actor: Actor, verb: str, at: datetime, lines: Iterable[tuple[int, Line]], reason: str = ""
) -> None:
    """``write`` for many proposals in one statement; each line with the id of the proposal that it is about."""
    rows = [
        # Values as JSON text of their own: SQLite would take true for 1, and Tortoise a bare word for broken JSON.
        {"proposal": number, "field": line.field, "old": _json(line.old), "new": _json(line.new)}
        for number, line in lines
    ]
    if not rows:
        return
    old, new = ("r.old", "r.new") if db.dialect() == "sqlite" else ("r.old::jsonb", "r.new::jsonb")
    source = db.json_rows("$1", proposal="int", field="text", old="text", new="text")
    async with unit_of_work():
        await db.execute(
            "INSERT INTO proposal_change (proposal_id, at, actor_key, verb, field, old, new, reason) "  # noqa: S608 -- our own words
            f"SELECT r.proposal, $2, $3, $4, r.field, {old}, {new}, $5 FROM {source}",
            orjson.dumps(rows).decode(),
            at if db.dialect() == "postgres" else db.stored_instant(at),
            actor.key,
            str(verb),
            reason,
        )


async def note_many(
    *, actor: Actor, event_id: int, verb: str, at: datetime, lines: Mapping[int, Line]
) -> None:
    """One line for each proposal (by id), in its history and in the journal (``verb``: ``proposal.pend``), in two
    statements.

    The journal is not told what became of it: an owner may read that, and speak in the proposal.
    """
    if not lines:
        return
    async with unit_of_work():
        await write_many(actor=actor, verb=verb.partition(".")[2], at=at, lines=lines.items())
        await journal.write_many(
            actor=actor,
            verb=verb,
            object_kind="proposal",
            event_id=event_id,
            at=at,
            lines={number: ({}, {}) for number in lines},
        )


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
