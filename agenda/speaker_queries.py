"""Reads of an event's speakers: what their visit needs, what they still owe; a fixed number of statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from agenda import call_answers, cfp_queries
from agenda.cfp_queries import CallFacts, FieldFacts, ResourceFacts, SpeakerFacts, speaker_facts
from agenda.checklist_rules import ASKED, ON, Dues, Item, Line, SpeakerState, TalkFacts, checklist, owed
from agenda.models import ProposalResource, Speaker
from agenda.proposal_rules import Origin, ProposalState, Purpose, Subject
from agenda.rules import SessionKind
from events.rules import fold
from kernel import db
from kernel.text import LocalizedText
from people import uploads


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFacts:
    """When a speaker comes and goes, what they need, and who looks after them."""

    arrives_at: datetime | None = None
    leaves_at: datetime | None = None
    arrival_note: str = ""
    wants_hotel: bool | None = None
    hotel_note: str = ""
    wants_pick_up: bool | None = None
    pick_up_note: str = ""
    host_name: str = ""
    host_contact: str = ""
    #: For organisers alone.
    note: str = ""

    @property
    def is_said(self) -> bool:
        """Whether organisers know what to book: a day of arrival, or that neither room nor pick-up is wanted."""
        return self.arrives_at is not None or (
            self.wants_hotel is not None and self.wants_pick_up is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTalk:
    """A talk of a speaker, as lists show it."""

    proposal_id: int
    code: str
    title: LocalizedText
    state: ProposalState
    origin: Origin
    session_type_id: int | None
    forum_id: int | None
    allows: tuple[bool | None, bool | None, bool | None]
    has_slides: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerRow:
    """A speaker with everything that the checklist asks for."""

    facts: SpeakerFacts
    visit: VisitFacts
    talks: Sequence[SpeakerTalk]
    lines: Sequence[Line]

    @property
    def is_on(self) -> bool:
        """Has a talk that belongs to the programme, or will when its speakers say so."""
        return any(one.state in ON for one in self.talks)

    def owes(self, *, by_speaker: bool = False) -> Sequence[Item]:
        return owed(self.lines, by_speaker=by_speaker)


def visit_facts(row: Speaker) -> VisitFacts:
    return VisitFacts(**{name: getattr(row, name) for name in VisitFacts.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What of the call the checklist depends on."""

    call: CallFacts | None
    kinds: Mapping[int, SessionKind] = field(default_factory=dict)
    questions: Sequence[FieldFacts] = ()

    @property
    def dues(self) -> Dues:
        if self.call is None:
            return Dues()
        return Dues(
            confirm_by=self.call.confirm_by,
            slides_due_at=self.call.slides_due_at,
            asks_travel=self.call.asks_travel,
        )


async def around(event_id: int) -> Around:
    return Around(
        call=await cfp_queries.find_call(event_id),
        kinds={one.id: one.kind for one in await cfp_queries.session_types(event_id)},
        questions=await cfp_queries.fields_of(event_id, Subject.SPEAKER),
    )


async def find_speaker(event_id: int, code: str) -> Speaker | None:
    """A speaker's row by its code; one that was erased is nobody's."""
    if len(code) > 6 or not (code.isascii() and code.isalnum()):
        return None
    return await Speaker.get_or_none(event_id=event_id, code=code.upper(), erased_at__isnull=True)


async def speakers_of_account(*, event_id: int, account_id: int, email: str) -> Sequence[Speaker]:
    """The account's own speakers of an event: linked, or entered under its address and nobody's yet."""
    rows = await db.query(
        "SELECT id FROM speaker WHERE event_id = $1 AND erased_at IS NULL AND (account_id = $2 OR "
        "(account_id IS NULL AND email = $3 AND $3 <> '')) ORDER BY account_id IS NULL, id",
        event_id,
        account_id,
        email,
    )
    found = {one.id: one for one in await Speaker.filter(id__in=[row["id"] for row in rows] or [0])}
    return [found[int(row["id"])] for row in rows]


async def rows_of(
    event_id: int,
    *,
    at: datetime,
    forum_ids: frozenset[int] | None = None,
    only: Sequence[int] | None = None,
    text: str = "",
) -> Sequence[SpeakerRow]:
    """The speakers of an event with their talks, by name; eight statements, however many there are.

    ``forum_ids`` narrows to those who speak in one of these forums, and to their talks there; ``only`` to some speakers.
    Drafts of the call are no talks yet.
    """
    values: list[Any] = [event_id]
    where = ""
    if only is not None:
        values.append(db.list_parameter(only))
        where += f" AND s.id {db.in_list(f'${len(values)}', 'int')}"
    if forum_ids is not None:
        values.append(db.list_parameter(sorted(forum_ids)))
        where += f" AND p.forum_id {db.in_list(f'${len(values)}', 'int')}"
    rows = await db.query(
        "SELECT l.speaker_id, l.allows_slides, l.allows_photo, l.allows_video, p.id, p.code, p.title, p.state, "  # noqa: S608 -- our own words
        "p.origin, p.session_type_id, p.forum_id, EXISTS (SELECT 1 FROM proposal_resource r "
        "WHERE r.proposal_id = p.id AND r.purpose = 'slides') AS has_slides "
        "FROM proposal_speaker l JOIN proposal p ON p.id = l.proposal_id JOIN speaker s ON s.id = l.speaker_id "
        f"WHERE p.event_id = $1 AND s.erased_at IS NULL AND (p.state <> 'draft' OR p.account_id IS NULL){where} "
        "ORDER BY p.id",
        *values,
    )
    talks: dict[int, list[SpeakerTalk]] = {}
    for row in rows:
        talks.setdefault(int(row["speaker_id"]), []).append(_talk(row))
    ids = list(talks) if only is None else list(only)
    if not ids:
        return ()
    people = [one for one in await Speaker.filter(event_id=event_id, id__in=ids) if one.erased_at is None]
    if words := fold(text).split()[:8]:
        people = [one for one in people if all(word in f"{one.search} {one.code.lower()}" for word in words)]
    world = await around(event_id)
    answers = await cfp_queries.answers_of(speaker_ids=[one.id for one in people])
    found = [
        _row(one, talks.get(one.id, ()), world, answers.get((Subject.SPEAKER, one.id), {}), at)
        for one in people
    ]
    return sorted(found, key=lambda one: (fold(next(iter(one.facts.name.values()), "")), one.facts.id))


def _bool(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _talk(row: Mapping[str, Any]) -> SpeakerTalk:
    title = row["title"]
    return SpeakerTalk(
        proposal_id=row["id"],
        code=row["code"],
        title=LocalizedText.of(orjson.loads(title) if isinstance(title, str) else title),
        state=ProposalState(row["state"]),
        origin=Origin(row["origin"]),
        session_type_id=row["session_type_id"],
        forum_id=row["forum_id"],
        allows=(_bool(row["allows_slides"]), _bool(row["allows_photo"]), _bool(row["allows_video"])),
        has_slides=bool(row["has_slides"]),
    )


def _row(
    speaker: Speaker,
    talks: Sequence[SpeakerTalk],
    world: Around,
    answers: Mapping[int, cfp_queries.StoredAnswer],
    at: datetime,
) -> SpeakerRow:
    facts, visit = speaker_facts(speaker), visit_facts(speaker)
    given = {number: one.value if one.upload_id is None else one.upload_id for number, one in answers.items()}
    # A question that only some kinds or forums are asked is owed once, whichever of the talks asks it.
    unanswered = {
        name
        for talk in talks
        if talk.state in ON
        for name in call_answers.unanswered(
            world.questions, given, type_id=talk.session_type_id, forum_id=talk.forum_id, at=at
        )
    }
    state = SpeakerState(
        talks=[
            TalkFacts(
                state=one.state,
                kind=world.kinds.get(one.session_type_id or 0, SessionKind.TALK),
                allows=one.allows,
                has_slides=one.has_slides,
            )
            for one in talks
        ],
        has_picture=facts.picture_upload_id is not None,
        has_bio=any(part.strip() for part in facts.bio.values()),
        travel_said=visit.is_said,
        has_host=bool(visit.host_name),
        unanswered=len(unanswered),
    )
    return SpeakerRow(facts=facts, visit=visit, talks=talks, lines=checklist(state, world.dues, at))


# --- invited talks -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitedTalk:
    """A talk that somebody was asked for."""

    id: int
    code: str
    title: LocalizedText
    state: ProposalState
    forum_id: int | None
    session_type_id: int | None
    invited_at: datetime
    follow_up_at: datetime | None
    #: (code, name, organisation, has an address) of each speaker
    speakers: Sequence[tuple[str, LocalizedText, LocalizedText, bool]]

    def is_due(self, at: datetime) -> bool:
        """Whether it is time to ask again."""
        return self.state in ASKED and self.follow_up_at is not None and self.follow_up_at <= at


async def invited_talks(event_id: int, forum_ids: frozenset[int] | None) -> Sequence[InvitedTalk]:
    """Talks that were asked for, those that wait longest first; two statements."""
    values: list[Any] = [event_id]
    where = ""
    if forum_ids is not None:
        values.append(db.list_parameter(sorted(forum_ids)))
        where = f" AND p.forum_id {db.in_list('$2', 'int')}"
    rows = await db.query(
        "SELECT p.id, p.code, p.title, p.state, p.forum_id, p.session_type_id, p.created_at, p.follow_up_at, "  # noqa: S608 -- our own words
        "(SELECT max(c.at) FROM proposal_change c WHERE c.proposal_id = p.id AND c.verb = 'invite') AS invited_at "
        f"FROM proposal p WHERE p.event_id = $1 AND p.origin = 'invited' AND p.state <> 'draft'{where} ORDER BY p.id",
        *values,
    )
    people: dict[int, list[tuple[str, LocalizedText, LocalizedText, bool]]] = {}
    for one in await db.query(
        "SELECT l.proposal_id, s.code, s.name, s.organisation, s.email FROM proposal_speaker l "  # noqa: S608 -- our own words
        f"JOIN speaker s ON s.id = l.speaker_id WHERE l.proposal_id {db.in_list('$1', 'int')} "
        "AND s.erased_at IS NULL ORDER BY l.position, l.id",
        db.list_parameter([row["id"] for row in rows]),
    ):
        people.setdefault(one["proposal_id"], []).append(
            (one["code"], _words(one["name"]), _words(one["organisation"]), bool(one["email"]))
        )
    found = []
    for row in rows:
        since = db.as_instant(row["invited_at"]) or db.as_instant(row["created_at"])
        assert since is not None
        found.append(
            InvitedTalk(
                id=row["id"],
                code=row["code"],
                title=_words(row["title"]),
                state=ProposalState(row["state"]),
                forum_id=row["forum_id"],
                session_type_id=row["session_type_id"],
                invited_at=since,
                follow_up_at=db.as_instant(row["follow_up_at"]),
                speakers=people.get(row["id"], ()),
            )
        )
    return sorted(found, key=lambda one: (one.state is not ProposalState.INVITED, one.invited_at, one.id))


def _words(value: Any) -> LocalizedText:
    return LocalizedText.of(orjson.loads(value) if isinstance(value, str) else value)


async def talk_titles(event_id: int, forum_id: int | None) -> Sequence[str]:
    """The titles of a forum's talks that may yet be given, in every language; for finding one that is there twice."""
    rows = await db.query(
        "SELECT title FROM proposal WHERE event_id = $1 AND (forum_id = $2 OR (forum_id IS NULL AND $2 IS NULL)) "
        "AND state IN ('invited', 'submitted', 'accepted', 'waitlisted', 'confirmed')",
        event_id,
        forum_id,
    )
    return [text for row in rows for text in _words(row["title"]).values()]


async def files_of(proposal_ids: Sequence[int]) -> Mapping[int, Sequence[ResourceFacts]]:
    """Files and links by proposal, in their order; two statements."""
    rows = await ProposalResource.filter(proposal_id__in=list(proposal_ids) or [0]).order_by("position", "id")
    names = await uploads.filenames([one.upload_id for one in rows if one.upload_id is not None])
    found: dict[int, list[ResourceFacts]] = {}
    for one in rows:
        found.setdefault(one.proposal_id, []).append(
            ResourceFacts(
                id=one.id,
                purpose=Purpose(one.purpose),
                title=one.title,
                url=one.url,
                upload_id=one.upload_id,
                filename=names.get(one.upload_id or 0, ""),
                is_public=one.is_public,
            )
        )
    return found
