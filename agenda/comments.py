"""Words among organisers and reviewers about a proposal; its own speakers never see one, whatever else they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agenda import review_queries, reviews
from agenda.models import ProposalComment
from agenda.proposal_rules import ProposalCode
from agenda.review_rules import COMMENT_LIMIT, ReviewCode, sees_comments
from events.access import Door
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from people import replays


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentFacts:
    id: int
    account_id: int
    text: str
    at: datetime


async def of_proposal(proposal_id: int) -> Sequence[CommentFacts]:
    """What was said and not removed, the oldest first; one statement. The caller has asked ``sees_comments``."""
    return [
        CommentFacts(id=row.id, account_id=row.account_id, text=row.text, at=row.at)
        for row in await ProposalComment.filter(proposal_id=proposal_id, removed_at__isnull=True).order_by(
            "id"
        )
    ]


async def add(*, door: Door, proposal_id: int, text: str, form_id: UUID, at: datetime) -> int:
    """Says something and gives its id; the same form again says it once.

    Raises Invalid at ``comment``, NotFound for who sees no comments on it, and what ``reviews.require_sight`` raises.
    """
    said = text.replace("\r\n", "\n").strip()

    async def action() -> Mapping[str, Any]:
        await _require(door, proposal_id, at)
        if not said:
            raise Invalid({"comment": Problem(Code.REQUIRED)})
        if len(said) > COMMENT_LIMIT:
            raise Invalid({"comment": Problem(Code.TOO_LONG, {"limit": COMMENT_LIMIT})})
        row = await ProposalComment.create(
            proposal_id=proposal_id, account_id=door.actor.id, text=said, at=at
        )
        return {"id": row.id}

    kept = await replays.once(
        id=form_id,
        actor_key=door.actor.key,
        body={"comment": proposal_id, "text": said},
        at=at,
        action=action,
    )
    return int(kept["id"])


async def remove(*, door: Door, proposal_id: int, comment_id: int, at: datetime) -> None:
    """Takes one's own word back; nothing of it stays. Raises NotFound for another's, or one that is gone."""
    async with unit_of_work():
        await _require(door, proposal_id, at)
        changed = await ProposalComment.filter(
            id=comment_id, proposal_id=proposal_id, account_id=door.actor.id, removed_at__isnull=True
        ).update(text="", removed_at=at)
        if not changed:
            raise NotFound(ReviewCode.COMMENT_UNKNOWN)


async def _require(door: Door, proposal_id: int, at: datetime) -> None:
    look = reviews.require_sight((await review_queries.looks(door, [proposal_id], at)).get(proposal_id))
    if not sees_comments(look.viewer, look.sees):
        raise NotFound(ProposalCode.UNKNOWN)
