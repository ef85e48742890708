"""Everything of a call in a few statements, however many proposals: what exports write and imports compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agenda import cfp_queries, proposals, standing
from agenda.cfp_queries import StoredAnswer, TagFacts
from agenda.models import Proposal, ProposalSpeaker, ProposalTag, Speaker
from agenda.proposal_rules import ProposalState, Subject
from agenda.proposals import World
from kernel import db
from kernel.actor import Actor
from kernel.text import LocalizedText


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRow:
    """A proposal as a table holds it, with its speakers' places in order."""

    id: int
    code: str
    external_id: str | None
    state: ProposalState
    pending_state: str
    origin: str
    title: LocalizedText
    abstract: LocalizedText
    description: LocalizedText
    session_type_id: int | None
    forum_id: int | None
    minutes: int | None
    language: str
    level: str
    audience: str
    takeaways: str
    previous_talks: str
    equipment: str
    notes: str
    version: int
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    tag_ids: frozenset[int] = frozenset()
    #: (speaker id, role, slides, photo, video)
    places: Sequence[tuple[int, str, bool | None, bool | None, bool | None]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerRow:
    id: int
    code: str
    external_id: str | None
    account_id: int | None
    email: str
    phone: str
    locale: str
    name: LocalizedText
    organisation: LocalizedText
    title: LocalizedText
    bio: LocalizedText
    wants_travel_support: bool | None
    travel_note: str


_PROPOSAL = (
    "id",
    "code",
    "external_id",
    "pending_state",
    "origin",
    "session_type_id",
    "forum_id",
    "minutes",
    "language",
    "level",
    "audience",
    "takeaways",
    "previous_talks",
    "equipment",
    "notes",
    "version",
    "created_at",
    "updated_at",
    "submitted_at",
)
_SPEAKER = (
    "id",
    "code",
    "external_id",
    "account_id",
    "phone",
    "locale",
    "wants_travel_support",
    "travel_note",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """An event's call, its proposals (no drafts of people who are still writing) and their speakers, oldest first."""

    world: World
    tags: Sequence[TagFacts]
    proposals: Sequence[ProposalRow]
    speakers: Mapping[int, SpeakerRow]
    answers: Mapping[tuple[Subject, int], Mapping[int, StoredAnswer]] = field(default_factory=dict)
    #: Proposals that whoever reads has a part in: what organisers prepare about these is not theirs.
    own: frozenset[int] = frozenset()


async def read(
    event_id: int, *, actor: Actor, forum_ids: frozenset[int] | None = None, everybody: bool = False
) -> Everything | None:
    """None without a call. ``forum_ids`` narrows to forums, and to the speakers in their proposals. ``everybody``: also
    drafts' speakers, whom an import must not make a second time. A dozen statements.
    """
    world = await proposals.world(event_id)
    if world is None:
        return None
    wanted = Proposal.filter(event_id=event_id).exclude(state="draft")
    if forum_ids is not None:
        wanted = wanted.filter(forum_id__in=sorted(forum_ids))
    rows = await wanted.order_by("id")
    ids = [row.id for row in rows]
    places: dict[int, list[tuple[int, str, bool | None, bool | None, bool | None]]] = {}
    spoken: set[int] = set()
    for link in await ProposalSpeaker.filter(proposal_id__in=ids).order_by("position", "id"):
        spoken.add(link.speaker_id)
        places.setdefault(link.proposal_id, []).append(
            (link.speaker_id, link.role, link.allows_slides, link.allows_photo, link.allows_video)
        )
    tagged: dict[int, set[int]] = {}
    for mark in await ProposalTag.filter(proposal_id__in=ids):
        tagged.setdefault(mark.proposal_id, set()).add(mark.tag_id)
    drafting = set() if everybody else await _drafting(event_id)
    speakers = {
        row.id: _speaker(row)
        for row in await Speaker.filter(event_id=event_id, erased_at=None).order_by("id")
        if row.id in spoken or (forum_ids is None and row.id not in drafting)
    }
    return Everything(
        world=world,
        tags=await cfp_queries.tags(event_id),
        proposals=[
            ProposalRow(
                state=ProposalState(row.state),
                title=LocalizedText.of(row.title),
                abstract=LocalizedText.of(row.abstract),
                description=LocalizedText.of(row.description),
                tag_ids=frozenset(tagged.get(row.id, ())),
                places=[place for place in places.get(row.id, ()) if place[0] in speakers],
                **{name: getattr(row, name) for name in _PROPOSAL},
            )
            for row in rows
        ],
        speakers=speakers,
        answers=await cfp_queries.answers_of(proposal_ids=ids, speaker_ids=list(speakers)),
        own=await standing.own_among(actor, ids),
    )


async def _drafting(event_id: int) -> set[int]:
    """Speakers whom only drafts name: theirs alone until they hand in."""
    rows = await db.query(
        "SELECT l.speaker_id FROM proposal_speaker l JOIN proposal p ON p.id = l.proposal_id "
        "WHERE p.event_id = $1 GROUP BY l.speaker_id "
        "HAVING sum(CASE WHEN p.state = 'draft' THEN 0 ELSE 1 END) = 0",
        event_id,
    )
    return {int(row["speaker_id"]) for row in rows}


def _speaker(row: Speaker) -> SpeakerRow:
    return SpeakerRow(
        email=row.email or "",
        name=LocalizedText.of(row.name),
        organisation=LocalizedText.of(row.organisation),
        title=LocalizedText.of(row.title),
        bio=LocalizedText.of(row.bio),
        **{name: getattr(row, name) for name in _SPEAKER},
    )
