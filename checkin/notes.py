"""A word to staff about one holder: shown with every verdict until a lead marks it done.

The passport carries a copy, because a scan reads nothing else. One note is open for a passport at most; a new one
takes the old one's place, which is then done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from checkin import snapshot
from checkin.models import HolderNote
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal, topics

TEXT_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Note:
    """An open note, or one that is done: when, and by which actor key."""

    id: int
    text: LocalizedText
    attention: bool
    created_at: datetime
    created_by: str
    done_at: datetime | None
    done_by: str


async def of(passport_id: int) -> Sequence[Note]:
    """The passport's latest notes, the open one first; at most ten."""
    rows = await HolderNote.filter(passport_id=passport_id).order_by("-id").limit(10)
    notes = [
        Note(
            row.id,
            LocalizedText.of(row.text),
            row.is_attention,
            row.created_at,
            row.created_by,
            row.done_at,
            row.done_by,
        )
        for row in rows
    ]
    return sorted(notes, key=lambda note: note.done_at is not None)


async def leave(
    *, actor: Actor, event_id: int, passport_id: int, text: LocalizedText, attention: bool, at: datetime
) -> None:
    """Puts a note on a passport in place of any other; the same note again changes nothing.

    Raises NotFound for another event's passport, Invalid without any text and attention, or where a text is longer
    than TEXT_MAX.
    """
    if not text and not attention:
        raise Invalid({"text": Problem(Code.REQUIRED)})
    if any(len(one) > TEXT_MAX for one in text.values()):
        raise Invalid({"text": Problem(Code.TOO_LONG, {"limit": TEXT_MAX})})
    async with unit_of_work():
        await _hold(event_id, passport_id)
        known = await HolderNote.get_or_none(open_for=passport_id)
        if known is not None:
            if (LocalizedText.of(known.text), known.is_attention) == (text, attention):
                return
            await _end(actor, event_id, known.id, at)
        row = await HolderNote.create(
            event_id=event_id,
            passport_id=passport_id,
            text=dict(text),
            is_attention=attention,
            open_for=passport_id,
            created_at=at,
            created_by=actor.key,
        )
        carried = orjson.dumps({"text": dict(text), "attention": attention}).decode()
        await db.execute("UPDATE passport SET notice = $1 WHERE id = $2", carried, passport_id)
        await journal.write(
            actor=actor,
            verb="note.set",
            object_kind="passport",
            object_id=passport_id,
            at=at,
            event_id=event_id,
            new={"note": row.id, "attention": attention},
        )
        await topics.bump(snapshot.topic(event_id))


async def finish(*, actor: Actor, event_id: int, passport_id: int, note_id: int, at: datetime) -> None:
    """The note is done, by whom and when stays. Twice is once. Raises NotFound for a note of another passport."""
    async with unit_of_work():
        await _hold(event_id, passport_id)
        if not await HolderNote.filter(id=note_id, passport_id=passport_id).exists():
            raise NotFound()
        if not await HolderNote.filter(id=note_id, open_for=passport_id).exists():
            return
        await _end(actor, event_id, note_id, at)
        await db.execute("UPDATE passport SET notice = NULL WHERE id = $1", passport_id)
        await journal.write(
            actor=actor,
            verb="note.done",
            object_kind="passport",
            object_id=passport_id,
            at=at,
            event_id=event_id,
            old={"note": note_id},
        )
        await topics.bump(snapshot.topic(event_id))


async def _hold(event_id: int, passport_id: int) -> None:
    """Two leads at once follow one another, and a scan meets the note before or after, not half of it."""
    if not await db.query(
        "UPDATE passport SET status = status WHERE id = $1 AND event_id = $2 RETURNING id",
        passport_id,
        event_id,
    ):
        raise NotFound()


async def _end(actor: Actor, event_id: int, note_id: int, at: datetime) -> None:
    await HolderNote.filter(id=note_id, event_id=event_id).update(
        open_for=None, done_at=at, done_by=actor.key
    )
