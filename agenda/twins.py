"""Near-duplicates of an event's proposals: found by a job when words have changed, put aside by an organiser.

Promises: of the proposals that are still to be had, ``proposal_twin`` holds each pair that is alike from ``LIKE_FROM``
on, at the latest some minutes after the last change; a pair that somebody looked at and called two stays aside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from agenda.dashboard_rules import documents, twins
from agenda.proposal_rules import ProposalCode
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import NotFound
from kernel.text import LocalizedText
from people import jobs, journal

KIND: Final = "agenda.twins"
#: How often a process looks whether words have changed.
EVERY_S: Final = 60.0
#: Proposals whose words are compared: what was taken back or never handed in takes nobody's place.
_COMPARED: Final = "state NOT IN ('draft', 'declined', 'withdrawn', 'cancelled')"


def connect() -> None:
    """Called by main."""
    jobs.handles(KIND, _run)
    jobs.chore(KIND, EVERY_S, queue)


async def queue(at: datetime) -> None:
    """Queues a job for every event whose words are not the ones that were compared last.

    The job's key names what is compared: the proposals, their versions and how much they say. So the same words are
    compared once, whichever process sees them first.
    """
    rows = await db.query(
        "SELECT event_id, count(*) AS many, sum(id) AS ids, sum(version) AS versions, sum(length(search)) AS said "  # noqa: S608 -- our own words
        f"FROM proposal WHERE {_COMPARED} GROUP BY event_id"
    )
    keys = {
        f"{KIND}:{row['event_id']}:{row['many']}.{row['ids']}.{row['versions']}.{row['said']}": int(
            row["event_id"]
        )
        for row in rows
    }
    known = {
        row["key"]
        for row in await db.query(
            f"SELECT key FROM job WHERE key {db.in_list('$1', 'text')}",  # noqa: S608 -- our own words
            db.list_parameter(keys),
        )
    }
    for key, event_id in keys.items():
        if key not in known:
            await jobs.enqueue(kind=KIND, key=key, payload={}, event_id=event_id, at=at)


async def _run(job: jobs.JobHandle) -> Mapping[str, Any]:
    assert job.event_id is not None
    return {"pairs": await find(job.event_id)}


async def find(event_id: int) -> int:
    """Compares the words of an event's proposals and keeps what is alike; gives the number of pairs.

    Three statements however many there are; the comparing is done in the helper process.
    """
    rows = await db.query(
        f"SELECT id, title, abstract FROM proposal WHERE event_id = $1 AND {_COMPARED}",  # noqa: S608 -- our own words
        event_id,
    )
    texts = {int(row["id"]): documents(_text(row["title"]), _text(row["abstract"])) for row in rows}
    found = await jobs.in_worker(twins, texts)
    listed = orjson.dumps(
        [{"one": one, "other": other, "likeness": alike} for (one, other), alike in found.items()]
    ).decode()
    source = db.json_rows("$1", one="int", other="int", likeness="int")
    async with unit_of_work():
        await db.execute(
            "DELETE FROM proposal_twin WHERE proposal_id IN (SELECT id FROM proposal WHERE event_id = $2) "  # noqa: S608 -- our own words
            f"AND NOT EXISTS (SELECT 1 FROM {source} WHERE r.one = proposal_id AND r.other = other_id)",
            listed,
            event_id,
        )
        # Both are still there: one may have been thrown away while the others were compared.
        await db.execute(
            "INSERT INTO proposal_twin (proposal_id, other_id, likeness, is_dismissed) "  # noqa: S608 -- our own words
            f"SELECT p.id, q.id, r.likeness, $2 FROM {source} JOIN proposal p ON p.id = r.one "
            "JOIN proposal q ON q.id = r.other WHERE true "
            "ON CONFLICT (proposal_id, other_id) DO UPDATE SET likeness = excluded.likeness",
            listed,
            False,
        )
    return len(found)


def _text(value: Any) -> LocalizedText:
    return LocalizedText.of(orjson.loads(value) if isinstance(value, str) else value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """Another proposal that says much the same."""

    id: int
    code: str
    title: LocalizedText
    #: Hundredths.
    likeness: int
    is_dismissed: bool


async def of_proposal(proposal_id: int) -> Sequence[Twin]:
    """What is much like a proposal, the most alike first, put aside or not; one statement."""
    rows = await db.query(
        "SELECT p.id, p.code, p.title, t.likeness, t.is_dismissed FROM proposal_twin t JOIN proposal p "
        "ON p.id = CASE WHEN t.proposal_id = $1 THEN t.other_id ELSE t.proposal_id END "
        "WHERE t.proposal_id = $1 OR t.other_id = $1 ORDER BY t.likeness DESC, p.id",
        proposal_id,
    )
    return [
        Twin(
            id=int(row["id"]),
            code=row["code"],
            title=_text(row["title"]),
            likeness=row["likeness"],
            is_dismissed=bool(row["is_dismissed"]),
        )
        for row in rows
    ]


async def dismiss(
    *, actor: Actor, event_id: int, one: int, other: int, is_dismissed: bool, at: datetime
) -> None:
    """Says that two proposals are two after all, or (``is_dismissed`` false) that they are worth another look.

    Said again it stays so. The caller has checked that the actor decides about both. Raises NotFound.
    """
    async with unit_of_work():
        rows = await db.query(
            "SELECT t.id, t.is_dismissed FROM proposal_twin t JOIN proposal p ON p.id = t.proposal_id "
            "WHERE p.event_id = $1 AND t.proposal_id = $2 AND t.other_id = $3",
            event_id,
            min(one, other),
            max(one, other),
        )
        if not rows:
            raise NotFound(ProposalCode.UNKNOWN)
        if bool(rows[0]["is_dismissed"]) is is_dismissed:
            return
        await db.execute(
            "UPDATE proposal_twin SET is_dismissed = $2 WHERE id = $1", rows[0]["id"], is_dismissed
        )
        await journal.write(
            actor=actor,
            verb="proposal.twin",
            object_kind="proposal",
            object_id=min(one, other),
            event_id=event_id,
            new={"is_dismissed": is_dismissed},
            at=at,
        )
