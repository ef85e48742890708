"""Identity documents: asked for only where an event's owner switched it on, encrypted, seen by one role, soon deleted.

Promises: the number lies in no table, log, journal or letter in clear; a ciphertext opens only with the installation's
key and only for the registration that it belongs to (AES-256-GCM, the registration's id as associated data, a fresh
nonce each); every look is a line in the journal; ``id_document_days`` after the event's last day a job deletes all.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from events import queries
from events.identity_rules import IdDocumentGiven, IdentityCode
from events.models import IdDocument
from events.rules import EventFacts, IdDocumentKind
from kernel import db
from kernel.actor import SYSTEM, Actor
from kernel.db import unit_of_work
from kernel.errors import Conflict, NotFound
from people import jobs, journal

PURGE: Final = "events.identity_purge"


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the installation's key, and the job that deletes documents in time."""
    _Wiring.key = key
    jobs.handles(PURGE, _purge_job)
    jobs.chore("events.identity", 3600.0, _queue_purge)


@lru_cache(maxsize=4)
def _cipher(key: bytes) -> AESGCM:
    # A key of its own by label, so that no other use of the installation's key can open a document.
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"huiwu identity document v1").derive(key)
    return AESGCM(derived)


def _bound_to(registration_id: int) -> bytes:
    return f"registration:{registration_id}".encode()


def seal(registration_id: int, given: IdDocumentGiven) -> str:
    """The document's number, encrypted for this registration."""
    assert len(_Wiring.key) >= 32, "main calls identity.configure first"
    nonce = os.urandom(12)
    sealed = _cipher(_Wiring.key).encrypt(nonce, given.number.encode(), _bound_to(registration_id))
    return base64.b64encode(nonce + sealed).decode()


def unseal(registration_id: int, ciphertext: str) -> str:
    """The number again. Raises Conflict ``identity_unreadable`` for another key's or another registration's."""
    raw = base64.b64decode(ciphertext)
    try:
        return _cipher(_Wiring.key).decrypt(raw[:12], raw[12:], _bound_to(registration_id)).decode()
    except InvalidTag:
        raise Conflict(IdentityCode.UNREADABLE) from None


async def store(*, registration_id: int, given: IdDocumentGiven, at: datetime) -> None:
    """Keeps a document, in place of an earlier one; inside the caller's unit of work."""
    async with unit_of_work():
        await db.execute(
            "INSERT INTO id_document (registration_id, kind, ciphertext, consented_at) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (registration_id) DO UPDATE SET kind = excluded.kind, ciphertext = excluded.ciphertext, "
            "consented_at = excluded.consented_at",
            registration_id,
            str(given.kind),
            seal(registration_id, given),
            at,
        )


@dataclass(frozen=True, slots=True)
class IdDocumentFacts:
    """That there is a document, and of which kind; never its number."""

    kind: IdDocumentKind
    consented_at: datetime


async def find(registration_id: int) -> IdDocumentFacts | None:
    """Whether a registration has a document; needs no journal line, for it shows no number."""
    row = await IdDocument.get_or_none(registration_id=registration_id)
    return IdDocumentFacts(IdDocumentKind(row.kind), row.consented_at) if row else None


async def show(
    *, actor: Actor, event_id: int, registration_ids: Sequence[int], at: datetime
) -> Mapping[int, IdDocumentGiven]:
    """Documents in clear by registration id, for somebody with SEE_IDENTITY; each look is journalled, with how many.

    Raises NotFound ``identity_unknown`` when one was asked for and there is none, Conflict ``identity_unreadable``.
    """
    async with unit_of_work():
        rows = await db.query(
            "SELECT d.registration_id, d.kind, d.ciphertext FROM id_document d "  # noqa: S608
            "JOIN registration g ON g.id = d.registration_id "
            f"WHERE g.event_id = $1 AND d.registration_id {db.in_list('$2', 'int')}",
            event_id,
            db.list_parameter(registration_ids),
        )
        if len(registration_ids) == 1 and not rows:
            raise NotFound(IdentityCode.UNKNOWN)
        one = registration_ids[0] if len(registration_ids) == 1 else 0
        await journal.write(
            actor=actor,
            verb="identity.see",
            object_kind="registration" if one else "event",
            object_id=one or event_id,
            event_id=event_id,
            new={"count": len(rows)},
            at=at,
        )
    return {
        row["registration_id"]: IdDocumentGiven(
            IdDocumentKind(row["kind"]), unseal(row["registration_id"], row["ciphertext"])
        )
        for row in rows
    }


async def remove(*, actor: Actor, event_id: int, registration_id: int, at: datetime) -> None:
    """Deletes one document before its time, when its holder takes the consent back. Raises NotFound."""
    async with unit_of_work():
        gone = await db.query(
            "DELETE FROM id_document WHERE registration_id = $1 AND EXISTS "
            "(SELECT 1 FROM registration g WHERE g.id = $1 AND g.event_id = $2) RETURNING id",
            registration_id,
            event_id,
        )
        if not gone:
            raise NotFound(IdentityCode.UNKNOWN)
        await journal.write(
            actor=actor,
            verb="identity.remove",
            object_kind="registration",
            object_id=registration_id,
            event_id=event_id,
            at=at,
        )


# --- deleted in time ---------------------------------------------------------------------------------------------


def due_on(event: EventFacts) -> date:
    """The last day, in the event's zone, on which its documents are still kept; only where they are asked for."""
    assert event.id_document_days is not None
    return event.ends_on + timedelta(days=event.id_document_days)


def due_at(event: EventFacts) -> datetime | None:
    """When an event's documents go: the midnight, in its own zone, that ends ``due_on``.

    None while they are not asked for: switching it off deletes at once.
    """
    if event.id_document_days is None:
        return None
    morning = due_on(event) + timedelta(days=1)
    return datetime.combine(morning, time(), ZoneInfo(event.time_zone)).astimezone(UTC)


async def purge(at: datetime) -> int:
    """Deletes what is past its time, each event in a transaction with its journal line; gives how many went."""
    waiting = await db.query(
        "SELECT DISTINCT g.event_id FROM id_document d JOIN registration g ON g.id = d.registration_id"
    )
    total = 0
    for row in sorted(waiting, key=lambda row: int(row["event_id"])):
        event = await queries.find_event_by_id(row["event_id"])
        assert event is not None
        due = due_at(event)
        if due is not None and at < due:
            continue
        async with unit_of_work():
            gone = await db.query(
                "DELETE FROM id_document WHERE registration_id IN (SELECT id FROM registration WHERE event_id = $1) "
                "RETURNING id",
                event.id,
            )
            await journal.write(
                actor=SYSTEM,
                verb="identity.purge",
                object_kind="event",
                object_id=event.id,
                event_id=event.id,
                new={"count": len(gone)},
                at=at,
            )
        total += len(gone)
    return total


async def _queue_purge(at: datetime) -> None:
    # Every process says so every hour; the key makes it one job an hour.
    hour = at.astimezone(UTC).strftime("%Y-%m-%dT%H")
    if not await db.query("SELECT id FROM job WHERE key = $1", f"{PURGE}:{hour}"):
        await jobs.enqueue(kind=PURGE, key=f"{PURGE}:{hour}", payload={}, at=at)


async def _purge_job(job: jobs.JobHandle) -> Mapping[str, Any]:
    del job
    return {"documents": await purge(datetime.now(UTC))}
