"""Conflicts: what a phone without network told somebody, and the ledger says otherwise; open until dealt with.

They are found and written by the scan's own transaction (``scanning``, by ``conflict_rules``). Here they are read, and
marked as dealt with: by the device whose scan it was, or by a lead.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from checkin import checkpoints, conflict_rules
from checkin.checkpoints import board_topic
from checkin.conflict_rules import NOTE_MAX, Story
from checkin.offline_rules import Local
from checkin.rules import CheckinCode, VerdictCode
from events.access import Door
from events.rules import Permission
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Code, Forbidden, Invalid, NotFound, Problem
from people import journal, topics
from people import queries as people
from people.rules import one_line

PAGE: Final = 50
#: What one device is shown of its own: more at once is nothing that a volunteer can look at.
OWN_AT_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Other:
    """The admission that a repeat met: the other lane's story."""

    at: datetime
    checkpoint_id: int
    by: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both stories of one scan. The holder's words are empty where the code led to nobody."""

    id: int
    scan_id: UUID
    story: Story
    checkpoint_id: int
    local: Local
    verdict: VerdictCode
    #: When it was scanned, and when the server heard of it.
    at: datetime
    found_at: datetime
    is_doubtful: bool
    by: str
    passport_id: int | None
    registration_id: int | None
    name: str
    line: str
    short_code: str
    ticket_type_id: int | None
    other: Other | None
    dealt_at: datetime | None
    dealt_by: str
    note: str
    #: Scans that tell the same: this device told this person this at this list.
    times: int = 1

    @property
    def is_open(self) -> bool:
        return self.dealt_at is None


#: Conflicts ``o`` that tell the same as ``k`` does: one phone told one person the same at one list, and all are open or
#: were dealt with together. Somebody who is scanned again before anybody came is still one thing to look at.
_SAME: Final = f"""scan_conflict o WHERE o.event_id = k.event_id AND o.passport_id = k.passport_id
    AND o.actor_key = k.actor_key AND (o.local = '{Local.REFUSED}') = (k.local = '{Local.REFUSED}')
    AND (o.dealt_at = k.dealt_at OR (o.dealt_at IS NULL AND k.dealt_at IS NULL))
    AND (SELECT c.list_id FROM checkpoint c WHERE c.id = o.checkpoint_id)
        = (SELECT c.list_id FROM checkpoint c WHERE c.id = k.checkpoint_id)"""


async def list_all(
    event_id: int,
    *,
    only_open: bool = True,
    checkpoint_ids: Collection[int] | None = None,
    by: str | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[Conflict]:
    """Newest first, those before the id ``before``; at some checkpoints (None: any), of one actor (None: any).

    Scans that tell the same stand here once, by the first of them.
    """
    values: list[Any] = [event_id]
    parts = ["k.event_id = $1"]

    def add(sql: str, value: Any) -> None:
        values.append(value)
        parts.append(sql.replace("$n", f"${len(values)}"))

    if only_open:
        parts.append("k.dealt_at IS NULL")
    scope = ""
    if checkpoint_ids is not None:
        add(f"k.checkpoint_id {db.in_list('$n', 'int')}", db.list_parameter(sorted(checkpoint_ids)))
        scope = f"AND {parts[-1].replace('k.', 'o.')}"
    parts.append(f"NOT EXISTS (SELECT 1 FROM {_SAME} {scope} AND o.id < k.id)")
    if by is not None:
        add("k.actor_key = $n", by)
    if before is not None:
        add("k.id < $n", before)
    return await _read(" AND ".join(parts), values, limit)


async def of_actor(event_id: int, actor_key: str) -> list[Conflict]:
    """The open ones of one device, newest first, OWN_AT_MOST; for its own screen. One statement."""
    return await list_all(event_id, by=actor_key, limit=OWN_AT_MOST)


async def _read(where: str, values: Sequence[Any], limit: int) -> list[Conflict]:
    rows = await db.query(
        f"""SELECT k.*, s.at, s.verdict, s.is_doubtful, s.ticket_type_id, p.registration_id, p.badge_name, p.badge_line,
                p.short_code, m.at AS other_at, m.checkpoint_id AS other_checkpoint, m.actor_key AS other_by, (SELECT count(*) FROM {_SAME}) AS times
            FROM scan_conflict k JOIN scan s ON s.scan_id = k.scan_id LEFT JOIN passport p ON p.id = k.passport_id
            LEFT JOIN scan m ON m.passport_id = s.passport_id AND m.list_id = s.list_id AND m.period = s.period
                AND m.turn = s.met_turn AND m.direction = 'entry'
            WHERE {where} ORDER BY k.id DESC LIMIT {int(limit)}""",
        *values,
    )
    return [_conflict(row) for row in rows]


def _conflict(row: dict[str, Any]) -> Conflict:
    at, found_at = db.as_instant(row["at"]), db.as_instant(row["found_at"])
    assert at is not None and found_at is not None
    verdict, local = VerdictCode(row["verdict"]), Local(row["local"])
    other_at = db.as_instant(row["other_at"])
    return Conflict(
        id=row["id"],
        scan_id=db.as_uuid(row["scan_id"]),
        story=conflict_rules.story(verdict, local),
        checkpoint_id=row["checkpoint_id"],
        local=local,
        verdict=verdict,
        at=at,
        found_at=found_at,
        is_doubtful=bool(row["is_doubtful"]),
        by=row["actor_key"],
        passport_id=row["passport_id"],
        registration_id=row["registration_id"],
        name=row["badge_name"] or "",
        line=row["badge_line"] or "",
        short_code=row["short_code"] or "",
        ticket_type_id=row["ticket_type_id"],
        other=None if other_at is None else Other(other_at, row["other_checkpoint"], row["other_by"]),
        dealt_at=db.as_instant(row["dealt_at"]),
        dealt_by=row["dealt_by"],
        note=row["note"],
        # A code of nobody is the same as no other.
        times=max(1, row["times"]),
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """How many there are; ``newest``: the id of the latest open one, 0 for none."""

    open: int
    total: int
    newest: int


async def figures(event_id: int, checkpoint_ids: Collection[int] | None = None) -> Figures:
    """Counts for a board, of the whole event or of some checkpoints, as they are listed; one statement."""
    values: list[Any] = [event_id]
    some = scope = ""
    if checkpoint_ids is not None:
        values.append(db.list_parameter(sorted(checkpoint_ids)))
        some = f"AND k.checkpoint_id {db.in_list('$2', 'int')}"
        scope = some.replace("k.", "o.")
    [row] = await db.query(
        f"""SELECT count(*) AS total, sum(CASE WHEN k.dealt_at IS NULL THEN 1 ELSE 0 END) AS open,
                max(CASE WHEN k.dealt_at IS NULL THEN k.id END) AS newest
            FROM scan_conflict k WHERE k.event_id = $1 {some}
                AND NOT EXISTS (SELECT 1 FROM {_SAME} {scope} AND o.id < k.id)""",
        *values,
    )
    return Figures(int(row["open"] or 0), int(row["total"]), int(row["newest"] or 0))


async def deal(*, door: Door, scan_id: UUID, note: str, at: datetime) -> Conflict:
    """Marks one as dealt with and gives it as it then stands; who comes second changes nothing.

    With it goes every open one that tells the same and is theirs to deal with, too. By the device (or account) whose scan it was, or by a lead at that checkpoint: Forbidden for others. Raises NotFound
    where this event has no such conflict, Invalid for a note longer than NOTE_MAX.
    """
    text = one_line(note, NOTE_MAX + 1)
    if len(text) > NOTE_MAX:
        raise Invalid({"note": Problem(Code.TOO_LONG, {"limit": NOTE_MAX})})
    async with unit_of_work():
        found = await _read(
            f"k.event_id = $1 AND k.scan_id {db.in_list('$2', 'uuid')}",
            [door.event.id, db.list_parameter([scan_id])],
            1,
        )
        if not found:
            raise NotFound()
        one = found[0]
        own = None
        if one.by != door.actor.key:
            own = door.checkpoint_scope(Permission.OVERRIDE)
            if own is not None and one.checkpoint_id not in own:
                raise Forbidden(CheckinCode.CHECKPOINT_NOT_YOURS)
        same = await db.query(
            f"SELECT o.id, o.checkpoint_id FROM scan_conflict k JOIN {_SAME.replace(' WHERE ', ' ON ', 1)} WHERE k.id = $1",
            one.id,
        )
        ids = {one.id} | {row["id"] for row in same if own is None or row["checkpoint_id"] in own}
        changed = await db.query(
            "UPDATE scan_conflict SET dealt_at = r.at, dealt_by = r.k, note = r.n "
            f"FROM {db.json_rows('$1', i='int', at='instant', k='text', n='text')} "
            "WHERE scan_conflict.id = r.i AND scan_conflict.dealt_at IS NULL RETURNING scan_conflict.id",
            orjson.dumps(
                [
                    {"i": number, "at": db.stored_instant(at), "k": door.actor.key, "n": text}
                    for number in sorted(ids)
                ]
            ).decode(),
        )
        if changed:
            await _announce(door.actor, door.event.id, one, at)
        [now] = await _read("k.id = $1", [one.id], 1)
    return now


async def _announce(actor: Actor, event_id: int, one: Conflict, at: datetime) -> None:
    await journal.write(
        actor=actor,
        verb="conflict.dealt",
        object_kind="passport" if one.passport_id else "checkpoint",
        object_id=one.passport_id or one.checkpoint_id,
        at=at,
        event_id=event_id,
        new={"checkpoint_id": one.checkpoint_id, "scan_id": str(one.scan_id)},
    )
    changed = [board_topic(event_id)]
    view = (await checkpoints.read_world(event_id)).checkpoints.get(one.checkpoint_id)
    if view is not None and view.in_site is not None:
        changed.append(board_topic(event_id, view.in_site))
    await topics.tell(*changed)


async def actor_names(keys: Iterable[str]) -> dict[str, str]:
    """What the actors behind some keys are called; one statement for each kind. Who is gone is left out."""
    numbers: dict[str, set[int]] = {}
    for key in keys:
        kind, _, number = key.partition(":")
        if number.isdigit():
            numbers.setdefault(kind, set()).add(int(number))
    accounts = await people.accounts(numbers.get(ActorKind.ACCOUNT, set()))
    found = {f"{ActorKind.ACCOUNT}:{one.id}": one.name or one.email for one in accounts.values()}
    if ActorKind.DEVICE in numbers:
        rows = await db.query(
            f"SELECT id, name, volunteer FROM device WHERE id {db.in_list('$1', 'int')}",
            db.list_parameter(sorted(numbers[ActorKind.DEVICE])),
        )
        for row in rows:
            carried = f" ({row['volunteer']})" if row["volunteer"] else ""
            found[f"{ActorKind.DEVICE}:{row['id']}"] = row["name"] + carried
    return found
