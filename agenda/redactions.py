"""The copy of a proposal without names in its words, which is read in its place while names are hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from agenda.models import Proposal, ProposalRedaction
from agenda.proposal_rules import ProposalCode, lengths
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """The words as reviewers read them; a language that is left out here is shown in no other words."""

    title: LocalizedText = field(default_factory=LocalizedText)
    abstract: LocalizedText = field(default_factory=LocalizedText)
    description: LocalizedText = field(default_factory=LocalizedText)
    #: The proposal's version that was in front of whoever wrote this.
    version: int = 1

    def problems(self) -> dict[str, Problem]:
        found = dict(
            lengths({"title": self.title, "abstract": self.abstract, "description": self.description})
        )
        if not any(self.title.values()):
            found["title"] = Problem(Code.REQUIRED)
        return found


@dataclass(frozen=True, slots=True)
class Copy:
    """A redacted copy that is there; ``is_stale``: the proposal was changed since, look through it again."""

    redaction: Redaction
    is_stale: bool
    updated_at: datetime


async def find(proposal_id: int) -> Copy | None:
    row = await ProposalRedaction.get_or_none(proposal_id=proposal_id).select_related("proposal")
    if row is None:
        return None
    redaction = Redaction(
        title=LocalizedText.of(row.title),
        abstract=LocalizedText.of(row.abstract),
        description=LocalizedText.of(row.description),
        version=row.version,
    )
    return Copy(redaction, row.proposal.version > row.version, row.updated_at)


@dataclass(frozen=True, slots=True)
class Line:
    """A redacted proposal in a list, with the title as its speakers wrote it."""

    proposal_id: int
    code: str
    title: LocalizedText
    is_stale: bool


async def listed(event_id: int) -> Sequence[Line]:
    """The event's redacted proposals, those first that want another look; one statement."""
    rows = await db.query(
        "SELECT p.id, p.code, p.title, CASE WHEN p.version > r.version THEN 1 ELSE 0 END AS is_stale "
        "FROM proposal_redaction r JOIN proposal p ON p.id = r.proposal_id WHERE p.event_id = $1 "
        "ORDER BY 4 DESC, p.id",
        event_id,
    )
    return [
        Line(
            row["id"],
            row["code"],
            LocalizedText.of(orjson.loads(row["title"]) if isinstance(row["title"], str) else row["title"]),
            bool(row["is_stale"]),
        )
        for row in rows
    ]


async def put(*, actor: Actor, event_id: int, proposal_id: int, redaction: Redaction, at: datetime) -> None:
    """Keeps the copy in place of the one before. Raises Invalid at a field, NotFound for another event's proposal."""
    if problems := redaction.problems():
        raise Invalid(problems)
    async with unit_of_work():
        await db.one_at_a_time(f"agenda.redaction:{proposal_id}")
        proposal = await Proposal.get_or_none(id=proposal_id, event_id=event_id)
        if proposal is None:
            raise NotFound(ProposalCode.UNKNOWN)
        columns: dict[str, Any] = {
            "title": redaction.title,
            "abstract": redaction.abstract,
            "description": redaction.description,
            # What nobody has seen yet can't have been read through.
            "version": min(redaction.version, proposal.version),
            "actor_key": actor.key,
            "updated_at": at,
        }
        if not await ProposalRedaction.filter(proposal_id=proposal_id).update(**columns):
            await ProposalRedaction.create(proposal_id=proposal_id, **columns)
        await _journal(actor, "proposal.redact", event_id, proposal_id, at)


async def remove(*, actor: Actor, event_id: int, proposal_id: int, at: datetime) -> None:
    """Drops the copy: reviewers read the proposal's own words again. Raises NotFound where there is none."""
    async with unit_of_work():
        if not await Proposal.filter(id=proposal_id, event_id=event_id).exists():
            raise NotFound(ProposalCode.UNKNOWN)
        if not await ProposalRedaction.filter(proposal_id=proposal_id).delete():
            raise NotFound()
        await _journal(actor, "proposal.unredact", event_id, proposal_id, at)


async def _journal(actor: Actor, verb: str, event_id: int, proposal_id: int, at: datetime) -> None:
    await journal.write(
        actor=actor, verb=verb, object_kind="proposal", object_id=proposal_id, event_id=event_id, at=at
    )
