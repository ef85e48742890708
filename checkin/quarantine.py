"""Scans that a revoked or long expired phone hands over: kept apart, shown, and decided by a lead, never counted by
themselves.

A scan that is let in becomes an ordinary one through ``scanning``, with the time at which it was made and the lead as
who decided it; its own ``scan_id`` sees to it that this happens once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from checkin import devices, scanning
from checkin.device_rules import HELD_MAX, REASON_MAX, DeviceCode, Held, believed_age
from checkin.offline_rules import Local
from checkin.rules import Direction, effective_time, read_code
from checkin.scanning import Answer, ScanEntry
from events.access import Door
from events.rules import Permission
from kernel import db
from kernel.actor import Actor
from kernel.codes import keyed_hash
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, Refusal
from people import journal
from people.rules import one_line


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the key under which codes that lead to nobody are hashed."""
    _Wiring.key = key


_COLUMNS = (
    ("event_id", "int"),
    ("device_id", "int"),
    ("scan_id", "uuid"),
    ("checkpoint_id", "int"),
    ("passport_id", "int"),
    ("code_hash", "text"),
    ("direction", "text"),
    ("local", "text"),
    ("at", "instant"),
    ("received_at", "instant"),
    ("is_doubtful", "bool"),
    ("state", "text"),
    ("decided_by", "text"),
    ("reason", "text"),
    ("verdict", "text"),
)


async def take(*, actor: Actor, entries: Sequence[ScanEntry], is_wiped: bool, at: datetime) -> None:
    """Keeps a device's scans apart; the same ones again change nothing.

    What the ledger has already (only the answer was lost) is kept as counted and waits for nobody. Raises Conflict
    ``quarantine_full`` where the device has handed over thousands.
    """
    assert actor.token_event_id is not None
    assert actor.since is not None
    event_id = actor.token_event_id
    async with unit_of_work():
        if is_wiped:
            await devices.note_wiped(device_id=actor.id, at=at)
        if not entries:
            return
        await db.one_at_a_time(f"checkin.quarantine:{actor.id}")
        [row] = await db.query("SELECT count(*) AS n FROM quarantined_scan WHERE device_id = $1", actor.id)
        if int(row["n"]) + len(entries) > HELD_MAX:
            raise Conflict(DeviceCode.QUARANTINE_FULL)
        whose = await _passports(event_id, entries)
        counted = await _counted(actor, entries)
        rows: list[tuple[Any, ...]] = []
        for entry in entries:
            age_ms = believed_age(arrived=at, age_ms=entry.age_ms, paired_at=actor.since)
            moment = effective_time(arrived=at, age_ms=age_ms)
            passport_id = whose.get(entry.code)
            rows.append(
                (
                    event_id,
                    actor.id,
                    entry.scan_id,
                    entry.checkpoint_id,
                    passport_id,
                    None if passport_id is not None else keyed_hash(_Wiring.key, "code", entry.code),
                    entry.direction.value,
                    entry.local.value,
                    moment.at,
                    at,
                    moment.is_doubtful,
                    (Held.COUNTED if str(entry.scan_id) in counted else Held.WAITING).value,
                    "",
                    "",
                    "",
                )
            )
        [kept] = await db.write_together(
            db.Insert("quarantined_scan", _COLUMNS, rows, "ON CONFLICT DO NOTHING")
        )
        if kept:
            await journal.write(
                actor=actor,
                verb="quarantine.take",
                object_kind="device",
                object_id=actor.id,
                at=at,
                event_id=event_id,
                new={"scans": kept},
            )


async def _passports(event_id: int, entries: Sequence[ScanEntry]) -> dict[str, int]:
    """Whose passport each code leads to, in this event; one statement."""
    readings = {entry.code: read_code(entry.code).candidates for entry in entries}
    rows = await db.query(
        "SELECT c.code, c.passport_id FROM passport_code c JOIN passport p ON p.id = c.passport_id "  # noqa: S608 -- our own words
        f"WHERE p.event_id = $1 AND c.code {db.in_list('$2', 'text')}",
        event_id,
        db.list_parameter({code for candidates in readings.values() for code in candidates}),
    )
    known = {row["code"]: int(row["passport_id"]) for row in rows}
    found = {}
    for code, candidates in readings.items():
        number = next((known[one] for one in candidates if one in known), None)
        if number is not None:
            found[code] = number
    return found


async def _counted(actor: Actor, entries: Sequence[ScanEntry]) -> set[str]:
    """The ids of those that this very device has sent before its end."""
    rows = await db.query(
        f"SELECT scan_id FROM scan WHERE scan_id {db.in_list('$1', 'uuid')} AND actor_key = $2",  # noqa: S608 -- as above
        db.list_parameter([entry.scan_id for entry in entries]),
        actor.key,
    )
    return {str(db.as_uuid(row["scan_id"])) for row in rows}


# --- shown and decided -------------------------------------------------------------------------------------------

#: Shown and decided in one go; a phone's queue holds fewer.
AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldScan:
    """A scan that was kept apart; the holder's words are empty where its code led to nobody."""

    id: int
    scan_id: UUID
    device_id: int
    device: str
    checkpoint_id: int
    passport_id: int | None
    registration_id: int | None
    name: str
    short_code: str
    direction: Direction
    local: Local
    at: datetime
    received_at: datetime
    is_doubtful: bool
    state: Held
    reason: str
    verdict: str


async def list_held(*, door: Door, only_open: bool = True) -> list[HeldScan]:
    """In the order in which they were made, AT_ONCE at most, at the actor's checkpoints; one statement."""
    scope = door.checkpoint_scope(Permission.PAIR_DEVICES)
    values: list[Any] = [door.event.id]
    narrowed = ""
    if scope is not None:
        values.append(db.list_parameter(sorted(scope)))
        narrowed = f"AND q.checkpoint_id {db.in_list('$2', 'int')}"
    states = "('waiting', 'letting_in')" if only_open else "('let_in', 'dropped')"
    rows = await db.query(
        "SELECT q.*, d.name AS device, p.registration_id, p.badge_name, p.short_code FROM quarantined_scan q "  # noqa: S608 -- our own words
        "JOIN device d ON d.id = q.device_id LEFT JOIN passport p ON p.id = q.passport_id "
        f"WHERE q.event_id = $1 AND q.state IN {states} {narrowed} "
        f"ORDER BY {'q.at, q.id' if only_open else 'q.id DESC'} LIMIT {AT_ONCE}",
        *values,
    )
    return [_held(row) for row in rows]


def _held(row: Mapping[str, Any]) -> HeldScan:
    at, received_at = db.as_instant(row["at"]), db.as_instant(row["received_at"])
    assert at is not None
    assert received_at is not None
    return HeldScan(
        id=row["id"],
        scan_id=db.as_uuid(row["scan_id"]),
        device_id=row["device_id"],
        device=row["device"],
        checkpoint_id=row["checkpoint_id"],
        passport_id=row["passport_id"],
        registration_id=row["registration_id"],
        name=row["badge_name"] or "",
        short_code=row["short_code"] or "",
        direction=Direction(row["direction"]),
        local=Local(row["local"]),
        at=at,
        received_at=received_at,
        is_doubtful=bool(row["is_doubtful"]),
        state=Held(row["state"]),
        reason=row["reason"],
        verdict=row["verdict"],
    )


async def count(*, door: Door) -> int:
    """How many wait for a decision, at the actor's checkpoints."""
    scope = door.checkpoint_scope(Permission.PAIR_DEVICES)
    rows = await db.query(
        "SELECT checkpoint_id, count(*) AS n FROM quarantined_scan WHERE event_id = $1 "
        "AND state IN ('waiting', 'letting_in') GROUP BY checkpoint_id",
        door.event.id,
    )
    return sum(int(row["n"]) for row in rows if scope is None or row["checkpoint_id"] in scope)


async def let_in(*, door: Door, ids: Collection[int], at: datetime) -> list[Answer | Refusal]:
    """Makes ordinary scans of those that still wait, in the order in which they were made, and gives their answers.

    Each is the door's own decision about the time at which it was made. Sent twice, or by two leads at once, each is
    one scan: its ``scan_id`` is the ledger's. What led to nobody is a NotFound ``held_unknown_person`` and waits on;
    what lies at a checkpoint that the actor doesn't lead is left alone.
    """
    mine = [one for one in await list_held(door=door) if one.id in ids]
    claimed = await _claim(door, [one.id for one in mine if one.passport_id is not None], at)
    found: list[Answer | Refusal] = []
    for one in mine:
        if one.passport_id is None:
            found.append(NotFound(DeviceCode.HELD_UNKNOWN_PERSON))
            continue
        if one.id not in claimed:
            # Somebody dropped it between our reading and our claim.
            found.append(Conflict(DeviceCode.HELD_DECIDED))
            continue
        found.append(await _let_in_one(door, one, at))
    return found


async def _claim(door: Door, ids: Sequence[int], at: datetime) -> frozenset[int]:
    """Those that nobody may drop from here on; whoever dies half way leaves them to be let in once more."""
    if not ids:
        return frozenset()
    async with unit_of_work():
        await db.execute(
            "UPDATE quarantined_scan SET state = 'letting_in', decided_at = $2, decided_by = $3 "  # noqa: S608 -- our own words
            f"WHERE id {db.in_list('$1', 'int')} AND state = 'waiting'",
            db.list_parameter(ids),
            at,
            door.actor.key,
        )
        rows = await db.query(
            f"SELECT id FROM quarantined_scan WHERE id {db.in_list('$1', 'int')} AND state = 'letting_in'",  # noqa: S608 -- as above
            db.list_parameter(ids),
        )
    return frozenset(int(row["id"]) for row in rows)


async def _let_in_one(door: Door, one: HeldScan, at: datetime) -> Answer | Refusal:
    age_ms = round((one.received_at - one.at).total_seconds() * 1000)
    entry = ScanEntry(
        one.scan_id,
        one.short_code,
        one.checkpoint_id,
        one.direction,
        # Counted from when the phone handed it over, so that the time is the same whenever somebody decides.
        age_ms=-1 if one.is_doubtful else age_ms or None,
        local=one.local,
    )
    try:
        answer = await scanning.scan(door=door, entry=entry, at=one.received_at)
        verdict = answer.verdict.value
    except Conflict as known:
        # Another lead was first with the same scan: then the ledger has it, and that is what was wanted.
        rows = await db.query(
            f"SELECT verdict FROM scan WHERE scan_id {db.in_list('$1', 'uuid')} AND event_id = $2 "  # noqa: S608 -- as above
            "AND passport_id = $3 AND checkpoint_id = $4",
            db.list_parameter([one.scan_id]),
            door.event.id,
            one.passport_id,
            one.checkpoint_id,
        )
        if not rows:
            return known
        verdict = str(rows[0]["verdict"])
        answer = None
    except Refusal as refusal:
        return refusal
    async with unit_of_work():
        changed = await db.execute(
            "UPDATE quarantined_scan SET state = 'let_in', verdict = $2 WHERE id = $1 AND state = 'letting_in'",
            one.id,
            verdict,
        )
        if changed:
            await journal.write(
                actor=door.actor,
                verb="quarantine.let_in",
                object_kind="device",
                object_id=one.device_id,
                at=at,
                event_id=door.event.id,
                new={"scan_id": str(one.scan_id), "verdict": verdict, "checkpoint_id": one.checkpoint_id},
            )
    return answer if answer is not None else Conflict(DeviceCode.HELD_DECIDED)


async def drop(*, door: Door, ids: Collection[int], reason: str, at: datetime) -> int:
    """Drops those that still wait, with a reason, and gives how many; nothing of them is ever counted.

    Raises Invalid at ``reason`` for none.
    """
    why = one_line(reason, REASON_MAX)
    if not why:
        raise Invalid({"reason": Problem(Code.REQUIRED)})
    mine = [one for one in await list_held(door=door) if one.id in ids]
    async with unit_of_work():
        rows = await db.query(
            "UPDATE quarantined_scan SET state = 'dropped', reason = $2, decided_at = $3, decided_by = $4 "  # noqa: S608 -- as above
            f"WHERE id {db.in_list('$1', 'int')} AND state = 'waiting' RETURNING device_id",
            db.list_parameter([one.id for one in mine]),
            why,
            at,
            door.actor.key,
        )
        for device_id, dropped in sorted(Counter(int(row["device_id"]) for row in rows).items()):
            await journal.write(
                actor=door.actor,
                verb="quarantine.drop",
                object_kind="device",
                object_id=device_id,
                at=at,
                event_id=door.event.id,
                new={"scans": dropped},
            )
    return len(rows)
