"""Taking a scan back: a row of its own in the ledger, by a lead, with a reason; nothing that was written is changed.

The door's own way in is ``scanning``; this admits nobody but whoever's exit was a slip. An undone entry counts
nowhere as an entry: its checkpoint's figures are one less, the place inside is free, and a first arrival at a gate is
none.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from checkin import checkpoints
from checkin.checkpoints import board_topic, rooms_topic
from checkin.lead_rules import Line, Undo
from checkin.lead_rules import undo as decide
from checkin.rules import OUTCOMES, CheckinCode, CheckpointKind, Direction, VerdictCode, counted_in
from events.access import Door
from events.rules import Permission
from kernel import db
from kernel.codes import keyed_hash
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Forbidden, NotFound
from people import journal, topics

#: A condition on an admission ``s``: nobody has taken it back.
STANDS: Final = (
    "NOT EXISTS (SELECT 1 FROM scan u WHERE u.passport_id = s.passport_id AND u.list_id = s.list_id "
    "AND u.period = s.period AND u.turn = s.turn AND u.direction = 'undo')"
)


async def undo(*, door: Door, scan_id: UUID, target: UUID, reason: str, at: datetime) -> VerdictCode:
    """Takes the scan ``target`` back; the same ``scan_id`` again is the same undo.

    Gives what was taken back: an entry or an exit. Raises NotFound for a scan of another event, Forbidden for one at a
    checkpoint where the actor is no lead, Conflict ``undo_not_latest`` or ``undo_too_late`` (``lead_rules.undo``), and
    Conflict ``replay_mismatch`` when the id was used for something else.
    """
    own = door.checkpoint_scope(Permission.OVERRIDE)

    async def once() -> VerdictCode:
        async with unit_of_work():
            found = await db.query(
                f"SELECT * FROM scan WHERE scan_id {db.in_list('$1', 'uuid')}", db.list_parameter([target])
            )
            if not found or found[0]["event_id"] != door.event.id or found[0]["passport_id"] is None:
                raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
            row = found[0]
            if own is not None and row["checkpoint_id"] not in own:
                raise Forbidden(CheckinCode.CHECKPOINT_NOT_YOURS)
            # Whoever scans this passport now waits for us, or we for them.
            await db.execute("UPDATE passport SET status = status WHERE id = $1", row["passport_id"])
            digest = keyed_hash(b"undo", "undo", f"{target}")
            known = await db.query(
                f"SELECT verdict, actor_key, body_digest FROM scan WHERE scan_id {db.in_list('$1', 'uuid')}",
                db.list_parameter([scan_id]),
            )
            if known:
                if (known[0]["actor_key"], known[0]["body_digest"]) != (door.actor.key, digest):
                    raise Conflict(Code.REPLAY_MISMATCH)
                return VerdictCode(known[0]["verdict"])
            history = await db.query(
                "SELECT id, turn, direction, verdict FROM scan WHERE passport_id = $1 AND list_id = $2 AND period = $3 "
                "AND turn >= 0",
                row["passport_id"],
                row["list_id"],
                row["period"],
            )
            received = db.as_instant(row["received_at"])
            assert received is not None
            found_undo = decide(
                [
                    Line(one["id"], one["turn"], one["direction"], one["verdict"] == VerdictCode.LET_IN.value)
                    for one in history
                ],
                line_id=row["id"],
                age=at - received,
            )
            if isinstance(found_undo, CheckinCode):
                raise Conflict(found_undo)
            await _write(door, row, found_undo, scan_id=scan_id, reason=reason, digest=digest, at=at)
            return found_undo.verdict

    return await db.retrying(once)


async def _write(
    door: Door, row: dict[str, Any], found: Undo, *, scan_id: UUID, reason: str, digest: str, at: datetime
) -> None:
    """The ledger's row and the reason, then what is derived: figures, people inside, first arrivals, live topics."""
    event_id, day = door.event.id, date.fromisoformat(str(row["programme_date"])[:10])
    world = await checkpoints.read_world(event_id)
    view = world.checkpoints[row["checkpoint_id"]]
    await db.query(
        "INSERT INTO scan (scan_id, event_id, checkpoint_id, list_id, passport_id, ticket_type_id, direction, verdict, "
        "period, turn, at, received_at, is_doubtful, programme_date, actor_key, body_digest) "
        f"SELECT r.u, s.event_id, s.checkpoint_id, s.list_id, s.passport_id, s.ticket_type_id, r.d, r.v, s.period, r.t, "
        f"r.at, r.at, FALSE, s.programme_date, r.a, r.g FROM "
        f"{db.json_rows('$1', i='int', u='uuid', d='text', v='text', t='int', at='instant', a='text', g='text')} "
        "JOIN scan s ON s.id = r.i RETURNING id",
        orjson.dumps(
            [
                {
                    "i": row["id"],
                    "u": str(scan_id),
                    "d": found.direction,
                    "v": found.verdict.value,
                    "t": found.turn,
                    "at": db.stored_instant(at),
                    "a": door.actor.key,
                    "g": digest,
                }
            ]
        ).decode(),
    )
    outcome, by = OUTCOMES[found.verdict].value, 1 if found.direction == Direction.ENTRY else -1
    writes: list[db.Insert | db.Update] = [
        db.Insert(
            "scan_reason",
            (("scan_id", "uuid"), ("event_id", "int"), ("passport_id", "int"), ("text", "text")),
            [(scan_id, event_id, row["passport_id"], reason)],
            "ON CONFLICT DO NOTHING",
        ),
        db.Insert(
            "day_tally",
            (
                ("event_id", "int"),
                ("checkpoint_id", "int"),
                ("programme_date", "date"),
                ("ticket_type_id", "int"),
                ("outcome", "text"),
                ("count", "int"),
            ),
            [(event_id, row["checkpoint_id"], day, row["ticket_type_id"] or 0, outcome, 1)],
            "ON CONFLICT (checkpoint_id, programme_date, ticket_type_id, outcome) "
            "DO UPDATE SET count = day_tally.count + excluded.count",
        ),
        db.Insert(
            "minute_tally",
            (("event_id", "int"), ("minute", "int"), ("outcome", "text"), ("count", "int")),
            [(event_id, int(at.timestamp()) // 60, outcome, 1)],
            "ON CONFLICT (event_id, minute, outcome) DO UPDATE SET count = minute_tally.count + excluded.count",
        ),
    ]
    await db.write_together(*writes, expected={}, last=False)
    if row["list_id"] in world.counted_lists:
        await db.execute(
            "UPDATE presence SET inside = inside + $1 WHERE list_id = $2 AND period = $3",
            by,
            row["list_id"],
            counted_in(view.facts, period=row["period"], programme_date=day),
        )
    if view.facts.kind is CheckpointKind.GATE and by < 0:
        await db.execute(
            "DELETE FROM arrival WHERE event_id = $1 AND passport_id = $2 AND programme_date IN "
            "(SELECT programme_date FROM scan WHERE id = $3) AND NOT EXISTS ("
            "SELECT 1 FROM scan s JOIN checkpoint c ON c.id = s.checkpoint_id WHERE s.passport_id = $2 "
            "AND s.event_id = $1 AND s.turn >= 0 AND s.direction = 'entry' AND c.kind = 'gate' "
            f"AND s.programme_date = arrival.programme_date AND {STANDS})",
            event_id,
            row["passport_id"],
            row["id"],
        )
    await journal.write(
        actor=door.actor,
        verb="scan.undo",
        object_kind="passport",
        object_id=row["passport_id"],
        at=at,
        event_id=event_id,
        new={"checkpoint_id": row["checkpoint_id"], "scan_id": str(scan_id)},
    )
    changed = [board_topic(event_id), rooms_topic(event_id)]
    if view.in_site is not None:
        changed.append(board_topic(event_id, view.in_site))
    await topics.tell(*changed)
