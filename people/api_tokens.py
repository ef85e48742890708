"""Tokens for programs: an account's rights, cut down to some permissions and perhaps one event. Shown once.

What may be chosen (permissions, events) are words of an upper floor; ``main`` hands them to the pages.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kernel import codes, db
from kernel.actor import Actor
from kernel.db import after_commit, unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from people import accounts, journal, replays, rules
from people.models import ApiToken
from people.rules import PeopleCode
from web.signin import API_TOKEN_PREFIX


async def create(
    *,
    actor: Actor,
    name: str,
    scopes: Collection[str],
    event_id: int | None,
    days: int,
    form_id: UUID,
    at: datetime,
) -> str:
    """Makes a token that lasts ``days`` from ``at`` and gives it, this one time; only its digest is kept.

    ``form_id`` names the form that asks: sent again it raises Conflict(token_made_already), since nobody knows the
    token any more. Raises Invalid at ``name``, ``scopes`` or ``days`` (1 to 365); Conflict(too_many_tokens) at twenty.
    """
    problems: dict[str, Problem] = {}
    shown = rules.one_line(name, 80)
    if not shown:
        problems["name"] = Problem(Code.REQUIRED)
    if not scopes:
        problems["scopes"] = Problem(PeopleCode.SCOPES_MISSING)
    if not 1 <= days <= rules.TOKEN_DAYS_MAX:
        problems["days"] = Problem(Code.OUT_OF_RANGE)
    if problems:
        raise Invalid(problems)
    token = API_TOKEN_PREFIX + codes.new_secret()
    wanted: dict[str, Any] = {
        "name": shown,
        "scopes": sorted(scopes),
        "event_id": event_id,
        "days": days,
    }

    async def make() -> dict[str, Any]:
        await db.one_at_a_time(f"people.api_tokens:{actor.id}")
        (row,) = await db.query(
            "SELECT count(*) AS n FROM api_token WHERE account_id = $1 AND expires_at > $2", actor.id, at
        )
        if int(row["n"]) >= rules.TOKENS_PER_ACCOUNT:
            raise Conflict(PeopleCode.TOO_MANY_TOKENS, limit=rules.TOKENS_PER_ACCOUNT)
        made = await ApiToken.create(
            account_id=actor.id,
            name=shown,
            token_digest=codes.digest(token),
            event_id=event_id,
            scopes=wanted["scopes"],
            created_at=at,
            expires_at=at + timedelta(days=days),
        )
        await journal.write(
            actor=actor,
            verb="api_token.create",
            object_kind="api_token",
            object_id=made.id,
            at=at,
            new={"scopes": wanted["scopes"], "event_id": event_id, "days": days},
        )
        return {"digest": made.token_digest}

    outcome = await replays.once(
        id=form_id, actor_key=actor.key, body={"api_token": wanted}, at=at, action=make
    )
    if outcome["digest"] != codes.digest(token):
        raise Conflict(PeopleCode.MADE_ALREADY)
    return token


async def revoke(*, actor: Actor, token_id: int, at: datetime) -> None:
    """Ends one of one's own tokens, within two seconds in every process; raises NotFound for anything else."""
    async with unit_of_work():
        ended = await db.execute(
            "DELETE FROM api_token WHERE id = $1 AND account_id = $2", token_id, actor.id
        )
        if not ended:
            raise NotFound()
        await journal.write(
            actor=actor, verb="api_token.revoke", object_kind="api_token", object_id=token_id, at=at
        )
        after_commit(accounts.forget)
