"""The approval queue: who applied for a ticket type that needs an organiser's word, approved or declined, in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events import queries, quotas, registrations
from events.letter import Notice
from events.queries import RegistrationRow
from events.registrations import Turn
from events.rules import RegistrationState
from events.ticket_rules import Verb
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, Problem

#: Decisions of one transaction: with a letter and a calendar file each it stays well under a quarter second.
CHUNK: Final = 50
REASON_AT_MOST: Final = 1000


async def approve(*, actor: Actor, event_id: int, registration_ids: Sequence[int], at: datetime) -> int:
    """Confirms the applications among these and tells their holders, with the passport. Gives how many.

    A place was theirs since they applied, so nobody can fail for want of one. Who was decided about meanwhile, or is
    no application of this event, is left out.
    """
    return await _decide(
        actor, event_id, registration_ids, at, verb=Verb.APPROVE, turn=Turn(RegistrationState.CONFIRMED)
    )


async def decline(
    *, actor: Actor, event_id: int, registration_ids: Sequence[int], at: datetime, reason: str = ""
) -> int:
    """Declines the applications among these, tells their holders why, and moves the waiting list up. Gives how many.

    The reason stands in the letters and nowhere else. Raises Invalid at ``reason`` when it is too long.
    """
    if len(reason) > REASON_AT_MOST:
        raise Invalid({"reason": Problem(Code.TOO_LONG, {"limit": REASON_AT_MOST})})
    return await _decide(
        actor,
        event_id,
        registration_ids,
        at,
        verb=Verb.DECLINE,
        turn=Turn(RegistrationState.DECLINED),
        reason=reason,
    )


async def _decide(
    actor: Actor,
    event_id: int,
    registration_ids: Sequence[int],
    at: datetime,
    *,
    verb: Verb,
    turn: Turn,
    reason: str = "",
) -> int:
    """One transaction a CHUNK: what was decided stays decided when a later one fails."""
    notice = Notice.APPROVED if verb is Verb.APPROVE else Notice.DECLINED
    total = 0
    for start in range(0, len(registration_ids), CHUNK):
        chunk = registration_ids[start : start + CHUNK]

        async def once(chunk: Sequence[int] = chunk) -> int:
            async with unit_of_work():
                await quotas.hold(event_id)
                turned = await registrations.turn_many(
                    actor=actor, event_id=event_id, verb=verb, turns=dict.fromkeys(chunk, turn), at=at
                )
                await registrations.tell(event_id, turned, notice, at=at, reason=reason, again=True)
                return len(turned)

        total += await db.retrying(once)
    return total


# --- reads -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Applications:
    """Some applications, first come first; how many wait with this filter, and by ticket type in the whole event."""

    rows: Sequence[RegistrationRow]
    total: int
    by_ticket_type: Mapping[int, int]


async def applications(event_id: int, *, ticket_type_id: int | None = None, most: int = 50) -> Applications:
    """The first ``most`` applications that wait for a decision; three statements."""
    counted = await db.query(
        "SELECT ticket_type_id, count(*) AS n FROM registration WHERE event_id = $1 AND state = 'pending' "
        "GROUP BY ticket_type_id",
        event_id,
    )
    by_type = {int(row["ticket_type_id"]): int(row["n"]) for row in counted}
    total = sum(by_type.values()) if ticket_type_id is None else by_type.get(ticket_type_id, 0)
    ids = await pending_ids(event_id, ticket_type_id=ticket_type_id, most=most)
    return Applications(await _in_order(event_id, ids), total, by_type)


async def _in_order(event_id: int, ids: Sequence[int]) -> Sequence[RegistrationRow]:
    rows = {row.id: row for row in await queries.registrations_by_id(event_id, ids)}
    return [rows[number] for number in ids if number in rows]


async def pending_ids(
    event_id: int, *, ticket_type_id: int | None = None, most: int = 100_000
) -> Sequence[int]:
    """Applications that wait, first come first."""
    rows = await db.query(
        "SELECT id FROM registration WHERE event_id = $1 AND state = 'pending' AND (CAST($2 AS BIGINT) = 0 OR ticket_type_id = CAST($2 AS BIGINT)) "
        "ORDER BY created_at, id LIMIT $3",
        event_id,
        ticket_type_id or 0,
        most,
    )
    return [int(row["id"]) for row in rows]
