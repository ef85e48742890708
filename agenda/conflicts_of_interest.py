"""What reviewers are too near to judge: declared by themselves, or by an organiser for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from agenda.models import ConflictOfInterest, Proposal, Speaker
from agenda.review_rules import organisation_keys
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from people import journal

ORGANISATION_LIMIT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TooNear:
    """One of the three: a proposal, a speaker of the event, or an organisation by any of its names."""

    proposal_id: int | None = None
    speaker_id: int | None = None
    organisation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A conflict of interest as it stands; ``organisation`` is folded."""

    id: int
    account_id: int
    proposal_id: int | None
    speaker_id: int | None
    organisation: str
    actor_key: str
    created_at: datetime


async def declare(*, actor: Actor, event_id: int, account_id: int, what: TooNear, at: datetime) -> int:
    """Declares one for an account and gives its id; said twice it is one. Their assignments to the proposal end.

    Raises NotFound for a proposal or speaker of another event, and Invalid (``organisation``) for no name or one that
    is too long.
    """
    values: dict[str, Any] = {}
    if what.proposal_id is not None:
        if not await Proposal.filter(id=what.proposal_id, event_id=event_id).exists():
            raise NotFound()
        values = {"proposal_id": what.proposal_id}
    elif what.speaker_id is not None:
        if not await Speaker.filter(id=what.speaker_id, event_id=event_id).exists():
            raise NotFound()
        values = {"speaker_id": what.speaker_id}
    else:
        keys = organisation_keys(what.organisation)
        if not keys:
            raise Invalid({"organisation": Problem(Code.REQUIRED)})
        [name] = keys
        if len(name) > ORGANISATION_LIMIT:
            raise Invalid({"organisation": Problem(Code.TOO_LONG, {"limit": ORGANISATION_LIMIT})})
        values = {"organisation": name}
    [(column, value)] = values.items()
    async with unit_of_work():
        made = await db.query(
            f"INSERT INTO conflict_of_interest (event_id, account_id, {column}, actor_key, created_at) "  # noqa: S608 -- our own words
            f"VALUES ($1, $2, $3, $4, $5) ON CONFLICT (event_id, account_id, {column}) DO NOTHING RETURNING id",
            event_id,
            account_id,
            value,
            actor.key,
            at if db.dialect() == "postgres" else db.stored_instant(at),
        )
        if not made:
            row = await ConflictOfInterest.get_or_none(event_id=event_id, account_id=account_id, **values)
            if row is None:
                # Taken back this very moment by somebody else.
                raise Conflict()
            return int(row.id)
        if what.proposal_id is not None:
            await db.execute(
                "DELETE FROM review_assignment WHERE proposal_id = $1 AND account_id = $2",
                what.proposal_id,
                account_id,
            )
        await journal.write(
            actor=actor,
            verb="conflict_of_interest.declare",
            object_kind="account",
            object_id=account_id,
            event_id=event_id,
            # An organisation's name may say who somebody is: it stands in the row alone.
            new={column: value} if column != "organisation" else {},
            at=at,
        )
    return int(made[0]["id"])


async def withdraw(*, actor: Actor, event_id: int, conflict_id: int, at: datetime) -> None:
    """Takes one back. Raises NotFound for one of another event, or one that is gone already."""
    async with unit_of_work():
        gone = await db.query(
            "DELETE FROM conflict_of_interest WHERE id = $1 AND event_id = $2 RETURNING account_id",
            conflict_id,
            event_id,
        )
        if not gone:
            raise NotFound()
        await journal.write(
            actor=actor,
            verb="conflict_of_interest.withdraw",
            object_kind="account",
            object_id=int(gone[0]["account_id"]),
            event_id=event_id,
            at=at,
        )


async def of_event(event_id: int, *, account_id: int | None = None) -> list[Declared]:
    """In the order in which they were declared; one statement."""
    wanted = ConflictOfInterest.filter(event_id=event_id)
    if account_id is not None:
        wanted = wanted.filter(account_id=account_id)
    return [
        Declared(
            id=row.id,
            account_id=row.account_id,
            proposal_id=row.proposal_id,
            speaker_id=row.speaker_id,
            organisation=row.organisation or "",
            actor_key=row.actor_key,
            created_at=row.created_at,
        )
        for row in await wanted.order_by("id")
    ]
