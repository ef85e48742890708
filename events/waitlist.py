"""The waiting list (候补): it moves up by itself when a place is freed, and the place is kept while somebody answers.

Order: who has waited longest, across ticket types that share a quota; nobody is held up by somebody whose own ticket
type is full. Moving up happens inside the transaction that frees the place (``registrations.place_freed``), so that
there is no moment in which somebody else could take it: the place passes from who leaves to who is offered it. What
one transaction should not do at once (a raised quota moves hundreds up) and offers that nobody answers are a job's
work, found every minute by a chore, so that nothing is lost when a server stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from events import queries, quotas, registrations
from events.letter import Notice
from events.quotas import Freed
from events.registrations import Turn
from events.rules import EventCode, RegistrationSource, RegistrationState
from events.ticket_rules import Verb, Waiting, first_state, moving_up, offer_until
from kernel import db
from kernel.actor import SYSTEM, Actor
from kernel.db import unit_of_work
from kernel.errors import Conflict, NotFound
from people import jobs

#: Offers made, or taken back, in one transaction.
AT_ONCE: Final = 50
#: The kind of job that does the rest.
JOB: Final = "events.waitlist"
EVERY_S: Final = 60.0


def connect() -> None:
    """Connects the hook, the job and the chore; called once by main."""
    registrations.place_freed.connect(follow)
    jobs.handles(JOB, _run)
    jobs.chore(JOB, EVERY_S, wake)


# --- moving up ---------------------------------------------------------------------------------------------------


async def follow(freed: Freed) -> None:
    """Moves up as many as there are places for, inside the transaction that freed them."""
    if await _move_up(freed.event_id, freed.at) == AT_ONCE:
        # There may be more: another transaction's work.
        await _enqueue(freed.event_id, freed.at)


async def _move_up(event_id: int, at: datetime) -> int:
    """Offers free places to who waits longest, AT_ONCE at most; gives how many. One statement when nobody can."""
    event = await queries.find_event_by_id(event_id)
    assert event is not None
    if offer_until(event, at=at) is None:
        return 0
    rows = await db.query(
        "SELECT * FROM (SELECT g.id, g.ticket_type_id, g.group_id, t.shared_quota_id, t.closes_at, "
        "COALESCE(g.waiting_since, g.created_at) AS since, t.quota - t.taken AS type_free, "
        "s.quota - s.taken AS shared_free, p.quota - p.taken AS group_free, "
        "row_number() OVER (PARTITION BY g.ticket_type_id ORDER BY COALESCE(g.waiting_since, g.created_at), g.id) "
        "AS place FROM ticket_type t JOIN registration g ON g.ticket_type_id = t.id AND g.state = 'waitlisted' "
        "LEFT JOIN shared_quota s ON s.id = t.shared_quota_id LEFT JOIN registration_group p ON p.id = g.group_id "
        "WHERE t.event_id = $1 AND t.has_waitlist AND (t.quota IS NULL OR t.taken < t.quota) "
        "AND (s.id IS NULL OR s.taken < s.quota) AND (p.quota IS NULL OR p.taken < p.quota)) AS candidates "
        "WHERE place <= $2",
        event_id,
        AT_ONCE,
    )
    free: dict[tuple[str, int], int | None] = {}
    waiting = []
    turns: dict[int, Turn] = {}
    for row in rows:
        pools = []
        for kind, number in (
            ("type", row["ticket_type_id"]),
            ("shared", row["shared_quota_id"]),
            ("group", row["group_id"]),
        ):
            if number is not None:
                pools.append((kind, int(number)))
                free[kind, int(number)] = row[f"{kind}_free"]
        since = db.as_instant(row["since"])
        assert since is not None
        waiting.append(Waiting(int(row["id"]), since, tuple(pools)))
        until = offer_until(event, at=at, closes_at=db.as_instant(row["closes_at"]))
        turns[int(row["id"])] = Turn(RegistrationState.OFFERED, until)
    chosen = moving_up(waiting, free, most=AT_ONCE)
    await _offer(event_id, {number: turns[number] for number in chosen}, SYSTEM, at)
    return len(chosen)


async def _offer(event_id: int, turns: dict[int, Turn], actor: Actor, at: datetime) -> None:
    if turns:
        turned = await registrations.turn_many(
            actor=actor, event_id=event_id, verb=Verb.MOVE_UP, turns=turns, at=at
        )
        await registrations.tell(event_id, turned, Notice.OFFERED, at=at)


async def expire(event_id: int, at: datetime) -> int:
    """Takes back places that nobody accepted in time, AT_ONCE at most; the next move up. Gives how many."""

    async def once() -> int:
        async with unit_of_work():
            await quotas.hold(event_id)
            rows = await db.query(
                "SELECT id FROM registration WHERE event_id = $1 AND state = 'offered' AND offer_until <= $2 "
                "ORDER BY offer_until, id LIMIT $3",
                event_id,
                at,
                AT_ONCE,
            )
            turned = await registrations.turn_many(
                actor=SYSTEM,
                event_id=event_id,
                verb=Verb.EXPIRE,
                turns={int(row["id"]): Turn(RegistrationState.CANCELLED) for row in rows},
                at=at,
            )
            await registrations.tell(event_id, turned, Notice.EXPIRED, at=at)
            return len(turned)

    return await db.retrying(once)


async def settle(event_id: int, at: datetime) -> int:
    """Expires what is over and moves up whoever there is a place for, in as many transactions as it takes.

    Gives how many it expired and moved up by itself. What the job does; doing it again changes nothing.
    """
    moved = 0
    while True:
        expired = await expire(event_id, at)

        async def once() -> int:
            async with unit_of_work():
                await quotas.hold(event_id)
                return await _move_up(event_id, at)

        offered = await db.retrying(once)
        moved += expired + offered
        if expired + offered == 0:
            return moved


async def wake(at: datetime) -> None:
    """The chore: a job for each event in which an offer is over or somebody could move up. Two statements if none.

    An event for which it is too late is left alone: its list moves no more.
    """
    rows = await db.query(
        "SELECT DISTINCT event_id FROM registration WHERE state = 'offered' AND offer_until <= $1", at
    )
    found = {int(row["event_id"]) for row in rows}
    rows = await db.query(
        "SELECT DISTINCT t.event_id FROM ticket_type t JOIN event e ON e.id = t.event_id "
        "LEFT JOIN shared_quota s ON s.id = t.shared_quota_id "
        "WHERE e.ends_on >= $1 AND t.has_waitlist AND (t.quota IS NULL OR t.taken < t.quota) "
        "AND (s.id IS NULL OR s.taken < s.quota) AND EXISTS (SELECT 1 FROM registration g "
        "LEFT JOIN registration_group p ON p.id = g.group_id WHERE g.ticket_type_id = t.id "
        "AND g.state = 'waitlisted' AND (p.quota IS NULL OR p.taken < p.quota))",
        # A day more: the last programme day runs past midnight, and time zones differ.
        (at - timedelta(days=2)).date(),
    )
    for row in rows:
        event = await queries.find_event_by_id(int(row["event_id"]))
        if event is not None and offer_until(event, at=at) is not None:
            found.add(event.id)
    for event_id in sorted(found):
        async with unit_of_work():
            await _enqueue(event_id, at)


async def _enqueue(event_id: int, at: datetime) -> None:
    await jobs.enqueue(
        kind=JOB,
        # One a minute and event is enough, whichever process asks for it.
        key=f"{JOB}:{event_id}:{int(at.timestamp() // EVERY_S)}",
        payload={"event_id": event_id},
        event_id=event_id,
        at=at,
    )


async def _run(job: jobs.JobHandle) -> dict[str, int]:
    return {"moved": await settle(int(job.payload["event_id"]), datetime.now(UTC))}


# --- the answer --------------------------------------------------------------------------------------------------


async def accept(*, event_id: int, registration_id: int, actor: Actor, at: datetime) -> RegistrationState:
    """Takes the place that is kept: confirmed, or pending where the ticket type needs approval. Gives the state.

    Raises NotFound, or Conflict ``offer_gone`` when nothing is offered (any more): also in the minute between the end
    of an offer and the job that passes it on.
    """

    async def once() -> RegistrationState:
        async with unit_of_work():
            await quotas.hold(event_id)
            row = await queries.find_registration(event_id, registration_id)
            if row is None:
                raise NotFound(EventCode.REGISTRATION_UNKNOWN)
            over = row.offer_until is not None and row.offer_until <= at
            if row.state is not RegistrationState.OFFERED or over:
                raise Conflict(EventCode.OFFER_GONE)
            ticket_type = await queries.find_ticket_type(event_id, row.ticket_type_id)
            assert ticket_type is not None
            state = first_state(
                source=RegistrationSource(row.source), needs_approval=ticket_type.needs_approval
            )
            turned = await registrations.turn_many(
                actor=actor,
                event_id=event_id,
                verb=Verb.ACCEPT,
                turns={registration_id: Turn(state)},
                at=at,
            )
            notice = Notice.REGISTERED if state is RegistrationState.CONFIRMED else Notice.PENDING
            await registrations.tell(event_id, turned, notice, at=at)
            return state

    return await db.retrying(once)


async def decline(*, event_id: int, registration_id: int, actor: Actor, at: datetime) -> None:
    """Lets an offered place go: the registration is cancelled, its holder told, and the next move up.

    Raises NotFound, or Conflict ``offer_gone`` when nothing is offered (any more).
    """
    await registrations.turn_one(
        actor=actor,
        event_id=event_id,
        registration_id=registration_id,
        verb=Verb.TURN_DOWN,
        turn=Turn(RegistrationState.CANCELLED),
        refusal=EventCode.OFFER_GONE,
        notice=Notice.CANCELLED,
        at=at,
    )


# --- by hand -----------------------------------------------------------------------------------------------------


async def put_first(*, actor: Actor, event_id: int, registration_id: int, at: datetime) -> bool:
    """An organiser's word: this one is next. Offers a place at once where there is one and gives True; else puts the
    registration at the head of its ticket type's list and gives False.

    Raises NotFound, or Conflict ``not_waiting``.
    """

    async def once() -> bool:
        async with unit_of_work():
            await quotas.hold(event_id)
            row = await queries.find_registration(event_id, registration_id)
            if row is None:
                raise NotFound(EventCode.REGISTRATION_UNKNOWN)
            if row.state is not RegistrationState.WAITLISTED:
                raise Conflict(EventCode.NOT_WAITING)
            event = await queries.find_event_by_id(event_id)
            ticket_type = await queries.find_ticket_type(event_id, row.ticket_type_id)
            assert event is not None
            assert ticket_type is not None
            until = offer_until(event, at=at, closes_at=ticket_type.closes_at)
            if not ticket_type.is_full and until is not None:
                await _offer(event_id, {registration_id: Turn(RegistrationState.OFFERED, until)}, actor, at)
                return True
            await registrations.put_first_in_line(actor, event_id, registration_id, at)
            return False

    return await db.retrying(once)


# --- reads -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class InLine:
    """Somebody on the waiting list, or with a place kept for them."""

    registration_id: int
    ticket_type_id: int
    state: RegistrationState
    name: str
    organisation: str
    #: From one; None for somebody who has an offer.
    place: int | None
    since: datetime
    offer_until: datetime | None


async def line(event_id: int, *, ticket_type_id: int | None = None, most: int = 500) -> Sequence[InLine]:
    """Who has an offer (the first to end first), then who waits in the order in which they move up; one statement."""
    rows = await db.query(
        "SELECT id, ticket_type_id, state, name, organisation, offer_until, "
        "COALESCE(waiting_since, created_at) AS since, "
        "row_number() OVER (PARTITION BY ticket_type_id, state ORDER BY COALESCE(waiting_since, created_at), id) "
        "AS place FROM registration WHERE event_id = $1 AND state IN ('offered', 'waitlisted') "
        "AND (CAST($2 AS BIGINT) = 0 OR ticket_type_id = CAST($2 AS BIGINT)) ORDER BY CASE WHEN state = 'offered' THEN 0 ELSE 1 END, "
        "CASE WHEN state = 'offered' THEN offer_until END, COALESCE(waiting_since, created_at), id LIMIT $3",
        event_id,
        ticket_type_id or 0,
        most,
    )
    found = []
    for row in rows:
        since = db.as_instant(row["since"])
        assert since is not None
        state = RegistrationState(row["state"])
        found.append(
            InLine(
                registration_id=int(row["id"]),
                ticket_type_id=int(row["ticket_type_id"]),
                state=state,
                name=row["name"],
                organisation=row["organisation"],
                place=int(row["place"]) if state is RegistrationState.WAITLISTED else None,
                since=since,
                offer_until=db.as_instant(row["offer_until"]),
            )
        )
    return found


async def place_in_line(event_id: int, registration_id: int) -> int | None:
    """Which one in line a registration is, from one, among those of its ticket type; None when it does not wait."""
    rows = await db.query(
        "SELECT count(*) AS n FROM registration me JOIN registration g ON g.ticket_type_id = me.ticket_type_id "
        "AND g.state = 'waitlisted' AND (COALESCE(g.waiting_since, g.created_at) < COALESCE(me.waiting_since, me.created_at) "
        "OR (COALESCE(g.waiting_since, g.created_at) = COALESCE(me.waiting_since, me.created_at) AND g.id <= me.id)) "
        "WHERE me.id = $1 AND me.event_id = $2 AND me.state = 'waitlisted'",
        registration_id,
        event_id,
    )
    return int(rows[0]["n"]) or None


async def counts(event_id: int) -> Mapping[int, int]:
    """How many wait, by ticket type; one statement."""
    rows = await db.query(
        "SELECT ticket_type_id, count(*) AS n FROM registration WHERE event_id = $1 AND state = 'waitlisted' "
        "GROUP BY ticket_type_id",
        event_id,
    )
    return {int(row["ticket_type_id"]): int(row["n"]) for row in rows}
