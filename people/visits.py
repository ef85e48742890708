"""Trips to a provider and back: who set out, who came back, and the identity that comes of it.

A visit belongs to the browser that began it and is used once; both are conditions of the statements themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kernel import codes, db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Busy
from people import journal, rules
from people.models import ProviderVisit


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit that came back in time and in its own browser."""

    id: int
    nonce: str
    verifier: str
    next_path: str
    account_id: int | None


@dataclass(frozen=True, slots=True)
class Bringer:
    """Who came back from a provider and has not proved an address yet."""

    visit_id: int
    provider: str
    display: str


async def begin(
    *,
    provider: str,
    state: str,
    nonce: str,
    verifier: str,
    browser: str,
    next_path: str,
    account_id: int | None,
    at: datetime,
) -> None:
    """Remembers for ten minutes who set out; ``account_id`` when somebody adds the provider to their account."""
    async with unit_of_work():
        await ProviderVisit.create(
            provider=provider,
            state_digest=codes.digest(state),
            browser_digest=codes.digest(browser),
            nonce=nonce,
            verifier=verifier,
            next_path=next_path[:300],
            account_id=account_id,
            created_at=at,
            expires_at=at + rules.VISIT_LASTS,
        )


async def claim(*, provider: str, state: str, browser: str, at: datetime) -> Visit | None:
    """Uses a state up: None when it is unknown, late, used before, another provider's or another browser's."""
    async with unit_of_work():
        rows = await db.query(
            "UPDATE provider_visit SET returned_at = $4, expires_at = $5 WHERE state_digest = $1 "
            "AND browser_digest = $2 AND provider = $3 AND returned_at IS NULL AND expires_at > $4 "
            "RETURNING id, nonce, verifier, next_path, account_id",
            codes.digest(state),
            codes.digest(browser),
            provider,
            at,
            at + rules.PROVING_LASTS,
        )
    if not rows:
        return None
    (row,) = rows
    adding = row["account_id"]
    return Visit(
        int(row["id"]),
        row["nonce"],
        row["verifier"],
        row["next_path"],
        None if adding is None else int(adding),
    )


async def keep(*, visit_id: int, subject: str, display: str) -> None:
    """Remembers who came back, until they have proved an address."""
    async with unit_of_work():
        await db.execute(
            "UPDATE provider_visit SET subject = $2, display = $3 WHERE id = $1 AND used_at IS NULL",
            visit_id,
            subject,
            display,
        )


async def bringer(*, provider: str, browser: str, at: datetime) -> Bringer | None:
    """Whoever came back to this browser from the provider last and still has an address to prove."""
    if not provider or not browser:
        return None
    row = (
        await ProviderVisit.filter(
            provider=provider,
            browser_digest=codes.digest(browser),
            returned_at__isnull=False,
            used_at=None,
            expires_at__gt=at,
        )
        .exclude(subject="")
        .order_by("-id")
        .first()
    )
    return Bringer(row.id, row.provider, row.display) if row else None


async def bringer_of(*, visit_id: int | None, browser: str, at: datetime) -> Bringer | None:
    """Who is joined when a letter's link is pressed in this browser; None in any other than the visit's own."""
    row = (
        await ProviderVisit.get_or_none(
            id=visit_id, browser_digest=codes.digest(browser), used_at=None, expires_at__gt=at
        )
        if visit_id is not None and browser
        else None
    )
    return Bringer(row.id, row.provider, row.display) if row and row.subject else None


async def join(*, visit_id: int, browser_digest: str, account_id: int, at: datetime) -> bool:
    """Joins who came back to the account whose address was just proved; False when that can't be any more.

    Only in the visit's own browser: somebody who talks another person into pressing a link must not get their own
    identity joined to that person's account.
    """
    async with unit_of_work():
        rows = await db.query(
            "UPDATE provider_visit SET used_at = $3 WHERE id = $1 AND browser_digest = $2 AND subject <> '' "
            "AND used_at IS NULL AND expires_at > $3 RETURNING provider, subject, display",
            visit_id,
            browser_digest,
            at,
        )
        if not rows:
            return False
        (row,) = rows
        owner_id = await attach(
            account_id=account_id,
            provider=row["provider"],
            subject=row["subject"],
            display=row["display"],
            at=at,
        )
    return owner_id == account_id


async def attach(*, account_id: int, provider: str, subject: str, display: str, at: datetime) -> int:
    """The account that an identity opens, from now on this one if it had none; in a race the first wins."""
    async with unit_of_work():
        rows = await db.query(
            "INSERT INTO identity (account_id, provider, subject, display, created_at, last_used_at) "
            "VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (provider, subject) DO NOTHING RETURNING id",
            account_id,
            provider,
            subject,
            display,
            at,
        )
        if rows:
            await journal.write(
                actor=Actor(kind=ActorKind.ACCOUNT, id=account_id),
                verb="identity.join",
                object_kind="identity",
                object_id=int(rows[0]["id"]),
                at=at,
                new={"provider": provider},
            )
            return account_id
        known = await db.query(
            "UPDATE identity SET last_used_at = $3, display = $4 WHERE provider = $1 AND subject = $2 "
            "RETURNING account_id",
            provider,
            subject,
            at,
            display,
        )
        if not known:
            raise Busy()  # parted in this very moment: once more finds it free
    return int(known[0]["account_id"])
