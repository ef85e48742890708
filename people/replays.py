"""Idempotent writes: the outcome of a request that carries a UUID is remembered with who sent it and what."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from kernel import db
from kernel.db import unit_of_work
from kernel.errors import Busy, Code, Conflict
from people.models import Replay


class Raced(Busy):
    """The same request was kept by another one that ran at the same time: everything here is rolled back.

    Uncaught it is a 503, and sending again finds the outcome of the other; ``once`` does that by itself.
    """


def body_digest(body: Any) -> str:
    """SHA-256 of the canonical JSON (sorted keys, no spaces), so that the order of fields makes no difference."""
    return hashlib.sha256(
        orjson.dumps(body, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    ).hexdigest()


async def find(*, id: UUID, actor_key: str, body: Any) -> dict[str, Any] | None:  # noqa: A002 -- the request's own word
    """The outcome remembered under ``id``, or None when there is none.

    Raises Conflict("replay_mismatch") when another actor or another body used the id; it tells nothing about which.
    """
    known = await Replay.get_or_none(id=id)
    if known is None:
        return None
    if known.actor_key != actor_key or known.body_digest != body_digest(body):
        raise Conflict(Code.REPLAY_MISMATCH)
    outcome: dict[str, Any] = known.outcome
    return outcome


async def is_known(*, id: UUID, actor_key: str) -> bool:  # noqa: A002 -- the request's own word
    """Whether this actor's request under ``id`` was done already; what it said then makes no difference."""
    return await Replay.filter(id=id, actor_key=actor_key).exists()


async def keep(
    *,
    id: UUID,  # noqa: A002 -- the request's own word
    actor_key: str,
    body: Any,
    outcome: Mapping[str, Any],
    at: datetime,
) -> None:
    """Remembers a committed outcome; call it inside the action's unit of work, so that both are kept or neither.

    Raises Raced when a parallel request with the same id was first; the action must then roll back. Never keep
    what may turn out otherwise next time: 400, 401, 403, 422, 429 and 5xx.
    """
    async with unit_of_work():
        rows = await db.query(
            "INSERT INTO replay (id, actor_key, body_digest, outcome, created_at) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (id) DO NOTHING RETURNING id",
            str(id),
            actor_key,
            body_digest(body),
            orjson.dumps(outcome, default=str, option=orjson.OPT_UTC_Z).decode(),
            at,
        )
        if not rows:
            raise Raced()


async def once(
    *,
    id: UUID,  # noqa: A002 -- the request's own word
    actor_key: str,
    body: Any,
    at: datetime,
    action: Callable[[], Awaitable[Mapping[str, Any]]],
) -> dict[str, Any]:
    """Runs ``action`` at most once for this id and gives its outcome, or the one remembered.

    The action and the memory are one transaction; of parallel requests with one id exactly one acts, and all get
    its outcome. A Refusal out of the action leaves nothing behind, not even the id.
    """
    known = await find(id=id, actor_key=actor_key, body=body)
    if known is not None:
        return known
    try:
        async with unit_of_work():
            outcome = dict(await action())
            await keep(id=id, actor_key=actor_key, body=body, outcome=outcome, at=at)
    except Exception:
        # Raced, or the action itself met what its twin had just done (a full ticket type, a unique index).
        known = await find(id=id, actor_key=actor_key, body=body)
        if known is not None:
            return known
        raise
    # What comes back is what a replay would give: JSON's own types.
    plain: dict[str, Any] = orjson.loads(orjson.dumps(outcome, default=str, option=orjson.OPT_UTC_Z))
    return plain
