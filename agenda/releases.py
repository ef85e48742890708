"""Releases: decisions that were prepared become true together, and a letter is drafted to everybody they concern.

One release is one transaction and a fixed number of statements. Promises: a form's UUID is one release however often
and by how many it is sent; nothing is released that its sender has not seen; no letter leaves by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from agenda import proposals, speaker_letters
from agenda.cfp_queries import text_of
from agenda.letter_rules import OF_DECISION, LetterCode
from agenda.models import DecisionRelease
from agenda.proposal_rules import DECISIONS, ProposalState
from agenda.speaker_letters import Telling
from kernel import db
from kernel.actor import Actor
from kernel.errors import Conflict
from kernel.text import LocalizedText
from people import journal, replays


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A speaker who would be told; ``email`` is empty for one who can't be."""

    speaker_id: int
    name: LocalizedText
    email: str
    locale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDecision:
    """A decision that stands beside a proposal's state."""

    proposal_id: int
    code: str
    title: LocalizedText
    state: ProposalState
    decision: ProposalState
    forum_id: int | None
    session_type_id: int | None
    since: datetime | None
    by: str
    readers: Sequence[Reader]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Everything that a release would tell, and the stamp by which a later press knows that it is still the same."""

    decisions: Sequence[PendingDecision]
    stamp: str


async def pending(event_id: int) -> Pending:
    """Accepted ones first, then by forum and title's order of handing in; two statements."""
    rows = await db.query(
        "SELECT id, code, title, state, pending_state, forum_id, session_type_id, pending_at, pending_by FROM proposal "
        "WHERE event_id = $1 AND pending_state <> '' ORDER BY id",
        event_id,
    )
    told = await db.query(
        "SELECT l.proposal_id, s.id, s.name, s.email, s.locale FROM proposal_speaker l JOIN speaker s ON s.id = l.speaker_id "  # noqa: S608
        f"WHERE l.proposal_id {db.in_list('$1', 'int')} AND s.erased_at IS NULL ORDER BY l.position, l.id",
        db.list_parameter([row["id"] for row in rows]),
    )
    readers: dict[int, list[Reader]] = {}
    for one in told:
        readers.setdefault(one["proposal_id"], []).append(
            Reader(
                speaker_id=one["id"],
                name=text_of(one["name"]),
                email=one["email"] or "",
                locale=one["locale"],
            )
        )
    found = [
        PendingDecision(
            proposal_id=row["id"],
            code=row["code"],
            title=text_of(row["title"]),
            state=ProposalState(row["state"]),
            decision=ProposalState(row["pending_state"]),
            forum_id=row["forum_id"],
            session_type_id=row["session_type_id"],
            since=db.as_instant(row["pending_at"]),
            by=row["pending_by"],
            readers=readers.get(row["id"], ()),
        )
        for row in rows
    ]
    found.sort(key=lambda one: (_ORDER.index(one.decision), one.forum_id or 0, one.proposal_id))
    said = "|".join(sorted(f"{one.proposal_id}:{one.decision}" for one in found))
    return Pending(decisions=found, stamp=hashlib.sha256(said.encode()).hexdigest()[:32])


_ORDER: Final = list(DECISIONS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a release did: proposals that moved, letters drafted, and speakers who have no address."""

    id: int
    count: int
    letters: int
    without_address: int


async def release(*, actor: Actor, event_id: int, form_id: UUID, seen: str | None, at: datetime) -> Released:
    """Makes every pending decision of the event true and drafts the letters. The same form again gives the same.

    ``seen`` is the stamp of what the sender looked at; None: whatever there is. The caller has checked that the actor
    may decide. Raises Conflict ``release_nothing_pending``, ``release_changed_meanwhile``.
    """

    async def act() -> Mapping[str, Any]:
        await db.one_at_a_time(f"agenda.release:{event_id}")
        found = await pending(event_id)
        if not found.decisions:
            raise Conflict(LetterCode.NOTHING_PENDING)
        if seen is not None and seen != found.stamp:
            raise Conflict(LetterCode.CHANGED_MEANWHILE)
        row = await DecisionRelease.create(event_id=event_id, actor_key=actor.key, released_at=at)
        done = set(
            await proposals.apply_pending(
                actor=actor,
                event_id=event_id,
                proposal_ids=[one.proposal_id for one in found.decisions],
                release_id=row.id,
                at=at,
            )
        )
        await speaker_letters.take_back(sorted(done))
        letters, mute = 0, set[int]()
        for decision, occasion in OF_DECISION.items():
            made = await speaker_letters.draft(
                actor=actor,
                event_id=event_id,
                code=occasion,
                tellings=[
                    Telling(speaker_id=reader.speaker_id, proposal_id=one.proposal_id)
                    for one in found.decisions
                    if one.decision is decision and one.proposal_id in done
                    for reader in one.readers
                ],
                at=at,
                release_id=row.id,
            )
            letters += len(made.letter_ids)
            mute |= set(made.without_address)
        await DecisionRelease.filter(id=row.id).update(count=len(done))
        outcome = {"count": len(done), "letters": letters}
        await journal.write(
            actor=actor,
            verb="decision.release",
            object_kind="event",
            object_id=event_id,
            event_id=event_id,
            new=outcome,
            at=at,
        )
        return {"id": row.id, **outcome, "without_address": len(mute)}

    said = {"release": event_id, "seen": seen}
    return Released(
        **await db.retrying(
            lambda: replays.once(id=form_id, actor_key=actor.key, body=said, at=at, action=act)
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """A release that was made, and what has become of its letters, by their state."""

    id: int
    actor_key: str
    released_at: datetime
    count: int
    letters: Mapping[str, int]


async def history(event_id: int, *, limit: int = 50) -> Sequence[ReleaseFacts]:
    """The latest first; two statements."""
    rows = await DecisionRelease.filter(event_id=event_id).order_by("-id").limit(limit)
    letters: dict[int, dict[str, int]] = {}
    for one in await db.query(
        "SELECT sl.release_id, l.state, count(*) AS n FROM speaker_letter sl JOIN letter l ON l.id = sl.letter_id "  # noqa: S608
        f"WHERE sl.release_id {db.in_list('$1', 'int')} GROUP BY sl.release_id, l.state",
        db.list_parameter([row.id for row in rows]),
    ):
        letters.setdefault(one["release_id"], {})[one["state"]] = int(one["n"])
    return [
        ReleaseFacts(
            id=row.id,
            actor_key=row.actor_key,
            released_at=row.released_at,
            count=row.count,
            letters=letters.get(row.id, {}),
        )
        for row in rows
    ]
