"""Letters that wait for a person: sent, discarded or withdrawn many at a time.

A draft is a letter in the outbox that no worker takes. Promises: of many who send the same draft at once one does, so
it goes once; any number of letters is a fixed number of statements; what was sent stays sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from kernel import db
from kernel.actor import Actor
from kernel.db import after_commit, unit_of_work
from people import journal, letters, rules
from people.rules import UNSENT, LetterAct, LetterTrouble

_UNSENT: Final = ", ".join(sorted(f"'{one}'" for one in UNSENT))


async def act_many(
    *, actor: Actor, event_id: int, letter_ids: Iterable[int], act: LetterAct, at: datetime
) -> Sequence[int]:
    """``letters.act`` for many of one event; gives the ids that it fitted, the others are left as they are."""
    allowed, state = rules.LETTER_ACTS[act]
    states = ", ".join(f"'{one}'" for one in sorted(allowed))
    async with unit_of_work():
        rows = await db.query(
            "UPDATE letter SET state = $3, tries = 0, next_try_at = $4, last_problem = '' "  # noqa: S608 -- enum words
            f"WHERE event_id = $1 AND id {db.in_list('$2', 'int')} AND NOT urgent AND state IN ({states}) RETURNING id",
            event_id,
            db.list_parameter(letter_ids),
            str(state),
            at,
        )
        done = sorted(int(row["id"]) for row in rows)
        if done:
            await journal.write_many(
                actor=actor,
                verb=f"letter.{act}",
                object_kind="letter",
                lines={number: ({}, {}) for number in done},
                event_id=event_id,
                at=at,
            )
            after_commit(lambda: letters.wake(urgent=False))
    return done


async def ids_of(keys: Sequence[str]) -> Mapping[str, int]:
    """The letters queued under these keys, for whoever keeps their ids; inside the caller's unit of work."""
    rows = await db.query(
        f"SELECT id, key FROM letter WHERE key {db.in_list('$1', 'text')}",  # noqa: S608 -- our own words
        db.list_parameter(keys),
    )
    return {row["key"]: int(row["id"]) for row in rows}


async def withdraw(letter_ids: Iterable[int]) -> int:
    """Discards what has not left yet, because what it says is no longer so; inside the caller's unit of work."""
    return await db.execute(
        f"UPDATE letter SET state = 'discarded', last_problem = $2 WHERE id {db.in_list('$1', 'int')} "  # noqa: S608
        f"AND state IN ({_UNSENT})",
        db.list_parameter(letter_ids),
        str(LetterTrouble.NO_LONGER_WANTED),
    )


async def erase(letter_ids: Iterable[int]) -> None:
    """Deletes letters for good, whatever their state: their reader is dropped; inside the caller's unit of work."""
    await db.execute(
        f"DELETE FROM letter WHERE id {db.in_list('$1', 'int')}",  # noqa: S608 -- our own words
        db.list_parameter(letter_ids),
    )
