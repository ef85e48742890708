"""What somebody is shown of proposals under review: their list, and one proposal with its reviews and comments.

Page, API and file downloads read here and nowhere else: what is hidden from somebody is not in these values at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from agenda import cfp_queries, comments, proposals, review_queries, reviews
from agenda.cfp_queries import FieldFacts, ProposalFacts, StoredAnswer
from agenda.comments import CommentFacts
from agenda.models import ProposalRedaction, Review, ReviewScore
from agenda.proposal_rules import ProposalCode, Subject
from agenda.proposals import World
from agenda.review_queries import Look
from agenda.review_rules import UNDER_REVIEW, Criterion, Phase, Reach, sees_comments
from events.access import Door
from events.rules import FieldKind
from kernel import db
from kernel.actor import ActorKind
from kernel.errors import NotFound
from kernel.text import LocalizedText
from people import queries as people
from people.rules import mask_email

# --- one proposal ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFacts:
    """A review. ``version`` tells a second window that it is late."""

    id: int
    account_id: int
    abstains: bool
    reason: str
    total: int | None
    recommends: str
    updated_at: datetime
    points: Mapping[int, int]
    answers: Mapping[int, StoredAnswer]

    @property
    def version(self) -> str:
        return self.updated_at.isoformat()


async def reviews_of(proposal_id: int) -> Sequence[ReviewFacts]:
    """Everybody's, the oldest first; at most four statements. For whoever has asked who sees them."""
    rows = await Review.filter(proposal_id=proposal_id).order_by("id")
    ids = [row.id for row in rows]
    points: dict[int, dict[int, int]] = {}
    for score in await ReviewScore.filter(review_id__in=ids or [0]):
        points.setdefault(score.review_id, {})[score.criterion_id] = score.value
    answers = await cfp_queries.answers_of(review_ids=ids)
    return [
        ReviewFacts(
            id=row.id,
            account_id=row.account_id,
            abstains=row.abstains,
            reason=row.reason,
            total=row.total,
            recommends=row.recommends,
            updated_at=row.updated_at,
            points=points.get(row.id, {}),
            answers=answers.get((Subject.REVIEW, row.id), {}),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A proposal as one who reviews it is shown it."""

    look: Look
    #: Without speakers, files, code of the account and words that name people, where names are hidden.
    proposal: ProposalFacts
    #: A copy without names stands in place of the speakers' own words.
    is_redacted: bool
    world: World | None
    #: Answers to the organisers' questions that are meant for reviewers.
    answers: Sequence[tuple[FieldFacts, StoredAnswer]]
    criteria: Sequence[Criterion]
    #: What a review is asked beside its points.
    asked: Sequence[FieldFacts]
    own: ReviewFacts | None
    #: Others' reviews with who wrote them, empty where that is hidden.
    others: Sequence[tuple[ReviewFacts, str]]
    #: None for who sees none; with who wrote each, empty where that is hidden.
    comments: Sequence[tuple[CommentFacts, str]] | None


async def open_one(door: Door, code: str, at: datetime) -> Opened:
    """A proposal for somebody who reviews, chairs or produces; raises what ``reviews.require_sight`` raises.

    A fixed number of statements, however many reviews and comments there are.
    """
    found = await cfp_queries.find_proposal(door.event.id, code) if _is_code(code) else None
    if found is None:
        raise NotFound(ProposalCode.UNKNOWN)
    looks = await review_queries.looks(door, [found.id], at)
    look = reviews.require_sight(looks.get(found.id))
    world = await proposals.world(door.event.id)
    proposal, is_redacted = await _shown(found, look)
    account_id = door.actor.id if door.actor.kind is ActorKind.ACCOUNT else 0
    every = await reviews_of(found.id)
    others = [one for one in every if one.account_id != account_id] if look.sees.reviews else []
    said = await comments.of_proposal(found.id) if sees_comments(look.viewer, look.sees) else None
    writers = {one.account_id for one in others} if look.sees.reviewers else set()
    writers |= {one.account_id for one in said or () if look.sees.reviewers or one.account_id == account_id}
    names = {
        number: account.name or mask_email(account.email)
        for number, account in (await people.accounts(writers)).items()
    }
    return Opened(
        look=look,
        proposal=proposal,
        is_redacted=is_redacted,
        world=world,
        answers=await _answers(found, world, look),
        criteria=[one for one in await review_queries.criteria(door.event.id) if one.is_active],
        asked=[
            one
            for one in (world.fields if world else ())
            if one.asking.subject is Subject.REVIEW
            and one.asking.asks(type_id=found.session_type_id, forum_id=found.forum_id)
        ],
        own=next((one for one in every if one.account_id == account_id), None),
        others=[(one, names.get(one.account_id, "")) for one in others],
        comments=None if said is None else [(one, names.get(one.account_id, "")) for one in said],
    )


async def _shown(proposal: ProposalFacts, look: Look) -> tuple[ProposalFacts, bool]:
    """The proposal without what this one may not know, and whether its words are a copy without names."""
    runs = look.viewer.is_chair or look.viewer.is_producer
    if not runs:
        # What is being decided, and what was written for organisers alone.
        proposal = replace(proposal, notes="", pending_state="", account_id=None, call_code_id=None)
    if look.sees.names:
        return proposal, False
    copy = await ProposalRedaction.get_or_none(proposal_id=proposal.id)
    bare = replace(proposal, speakers=(), invitations=(), resources=(), previous_talks="", notes="")
    if copy is None:
        return bare, False
    # All of it or nothing: what an organiser left empty was left out on purpose.
    return (
        replace(
            bare,
            title=LocalizedText.of(copy.title),
            abstract=LocalizedText.of(copy.abstract),
            description=LocalizedText.of(copy.description),
        ),
        True,
    )


async def _answers(
    proposal: ProposalFacts, world: World | None, look: Look
) -> Sequence[tuple[FieldFacts, StoredAnswer]]:
    shows = look.sees.names
    stored = await cfp_queries.answers_of(
        proposal_ids=[proposal.id], speaker_ids=[one.speaker.id for one in proposal.speakers] if shows else []
    )
    fields = {
        one.id: one
        for one in (world.fields if world else ())
        if one.for_reviewers
        # A personal answer names its speaker, and what is in a file nobody knows.
        and (shows or not (one.question.is_personal or one.question.kind is FieldKind.FILE))
    }
    return [
        (fields[number], answer)
        for given in stored.values()
        for number, answer in given.items()
        if number in fields
    ]


# --- the list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """A proposal in a reviewer's list; the title is read by ``titles``."""

    id: int
    code: str
    session_type_id: int | None
    forum_id: int | None
    language: str
    look: Look

    @property
    def is_done(self) -> bool:
        return self.look.viewer.has_reviewed

    @property
    def is_waiting(self) -> bool:
        """May be reviewed now, and is not yet."""
        return self.look.sees.may_review and not self.is_done


@dataclass(frozen=True, slots=True)
class Queue:
    """A reviewer's list in its order: what was given to them first, then, where all may be reviewed, what has fewest
    reviews.
    """

    phase: Phase | None
    lines: Sequence[QueueLine]

    def following(self, code: str = "") -> QueueLine | None:
        """The next that waits after this one, from the beginning again at the end; None when all are done."""
        waiting = [line for line in self.lines if line.is_waiting and line.code != code]
        places = {line.code: place for place, line in enumerate(self.lines)}
        here = places.get(code, -1)
        return next((line for line in waiting if places[line.code] > here), waiting[0] if waiting else None)


async def queue(door: Door, at: datetime) -> Queue:
    """What somebody was given, has reviewed, or may review now; twelve statements however many there are."""
    phase = await review_queries.active_phase(door.event.id, at)
    account_id = door.actor.id if door.actor.kind is ActorKind.ACCOUNT else 0
    reaches_all = phase is not None and phase.may_review and phase.reach is Reach.ALL
    rows = await db.query(
        "SELECT p.id, p.code, p.session_type_id, p.forum_id, p.language, p.state, "  # noqa: S608 -- our own words
        "(SELECT count(*) FROM review r WHERE r.proposal_id = p.id) AS reviews "
        "FROM proposal p WHERE p.event_id = $1 AND ("
        "EXISTS (SELECT 1 FROM review_assignment a WHERE a.proposal_id = p.id AND a.account_id = $2) "
        "OR EXISTS (SELECT 1 FROM review r WHERE r.proposal_id = p.id AND r.account_id = $2) "
        f"OR ({'1 = 1' if reaches_all else '1 = 0'} AND p.state {db.in_list('$3', 'text')})) ORDER BY p.id",
        door.event.id,
        account_id,
        db.list_parameter(sorted(UNDER_REVIEW)),
    )
    looks = await review_queries.looks(door, [row["id"] for row in rows], at)
    lines = []
    for row in sorted(
        rows,
        key=lambda one: (
            not looks[one["id"]].viewer.is_assigned,
            0 if looks[one["id"]].viewer.is_assigned else one["reviews"],
            one["id"],
        ),
    ):
        look = looks[row["id"]]
        # A chair sees everything: here stands only what there is to do for them.
        if look.sees.proposal and (
            look.sees.may_review or look.viewer.has_reviewed or look.viewer.is_assigned
        ):
            lines.append(
                QueueLine(
                    id=row["id"],
                    code=row["code"],
                    session_type_id=row["session_type_id"],
                    forum_id=row["forum_id"],
                    language=row["language"],
                    look=look,
                )
            )
    return Queue(phase, lines)


async def titles(lines: Sequence[QueueLine]) -> Mapping[int, LocalizedText]:
    """By proposal the title as this reader may read it; one statement."""
    rows = await db.query(
        "SELECT p.id, p.title, r.title AS redacted FROM proposal p "  # noqa: S608 -- our own words
        f"LEFT JOIN proposal_redaction r ON r.proposal_id = p.id WHERE p.id {db.in_list('$1', 'int')}",
        db.list_parameter([line.id for line in lines]),
    )
    named = {line.id for line in lines if line.look.sees.names}
    return {
        row["id"]: _text(row["title"] if row["id"] in named or row["redacted"] is None else row["redacted"])
        for row in rows
    }


def _text(value: Any) -> LocalizedText:
    return LocalizedText.of(orjson.loads(value) if isinstance(value, str) else value)


async def codes_of(proposal_ids: Sequence[int]) -> Mapping[int, str]:
    """One statement."""
    rows = await db.query(
        f"SELECT id, code FROM proposal WHERE id {db.in_list('$1', 'int')}",  # noqa: S608 -- our own words
        db.list_parameter(proposal_ids),
    )
    return {row["id"]: row["code"] for row in rows}


async def id_of(event_id: int, code: str) -> int:
    """Raises NotFound."""
    if not _is_code(code):
        raise NotFound(ProposalCode.UNKNOWN)
    rows = await db.query("SELECT id FROM proposal WHERE event_id = $1 AND code = $2", event_id, code.upper())
    if not rows:
        raise NotFound(ProposalCode.UNKNOWN)
    return int(rows[0]["id"])


def _is_code(text: str) -> bool:
    """Nothing else is asked of the database, which takes no NUL and no longer one."""
    return len(text) == 6 and text.isascii() and text.isalnum()
