"""Reads of the call, its forums and questions, and of proposals; plain frozen values, a fixed number of statements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from agenda.models import (
    Call,
    CallCode,
    CallCodeOpens,
    CallField,
    CallFieldScope,
    Community,
    Forum,
    ForumCommunity,
    ForumHelper,
    ForumProducer,
    Producer,
    Proposal,
    ProposalChange,
    ProposalResource,
    ProposalSpeaker,
    SessionType,
    Speaker,
    SpeakerInvitation,
    SpeakerProfile,
    Tag,
)
from agenda.proposal_rules import (
    Asking,
    CallDates,
    Choice,
    CodeFacts,
    JoinState,
    Need,
    Origin,
    ProposalState,
    Purpose,
    SpeakerRole,
    Subject,
)
from agenda.rules import SessionKind
from events.form_rules import Option, Question
from events.rules import FieldKind
from kernel import db
from kernel.text import LocalizedText
from people import uploads

#: Proposals on one page of the desk's list.
PAGE_SIZE: Final = 50


# --- the call ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """An event's call for proposals."""

    event_id: int
    is_published: bool = False
    intro: LocalizedText = field(default_factory=LocalizedText)
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    review_by: datetime | None = None
    notify_by: datetime | None = None
    confirm_by: datetime | None = None
    slides_due_at: datetime | None = None
    languages: tuple[str, ...] = ("zh-Hans", "en")
    speakers_at_most: int = 5
    proposals_at_most: int = 10
    asks_travel: bool = True
    asks_availability: bool = True
    reviews_needed: int = 3
    total_by: str = "mean"
    follow_up_days: int = 3
    speaker_ticket_type_id: int | None = None

    @property
    def dates(self) -> CallDates:
        return CallDates(is_published=self.is_published, opens_at=self.opens_at, closes_at=self.closes_at)


async def find_call(event_id: int) -> CallFacts | None:
    row = await Call.get_or_none(event_id=event_id)
    if row is None:
        return None
    return CallFacts(
        intro=LocalizedText.of(row.intro),
        languages=tuple(row.languages),
        **{
            name: getattr(row, name)
            for name in CallFacts.__dataclass_fields__
            if name not in ("intro", "languages")
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFacts:
    """A session type."""

    id: int
    code: str
    name: LocalizedText
    description: LocalizedText
    kind: SessionKind
    minutes: int
    closes_at: datetime | None
    needs_code: bool
    is_active: bool
    position: int

    @property
    def choice(self) -> Choice:
        return Choice(
            id=self.id, is_active=self.is_active, needs_code=self.needs_code, closes_at=self.closes_at
        )


async def session_types(event_id: int) -> Sequence[TypeFacts]:
    """In their order, switched-off ones too."""
    return [
        TypeFacts(
            id=row.id,
            code=row.code,
            name=LocalizedText.of(row.name),
            description=LocalizedText.of(row.description),
            kind=SessionKind(row.kind),
            minutes=row.minutes,
            closes_at=row.closes_at,
            needs_code=row.needs_code,
            is_active=row.is_active,
            position=row.position,
        )
        for row in await SessionType.filter(event_id=event_id).order_by("position", "id")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerFacts:
    """出品人, as the programme names them; ``email`` is for organisers alone."""

    id: int
    name: LocalizedText
    organisation: LocalizedText
    title: LocalizedText
    email: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunityFacts:
    """出品方."""

    id: int
    name: LocalizedText
    url: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForumFacts:
    """A forum with its producers and producing communities, in their order."""

    id: int
    code: str
    name: LocalizedText
    description: LocalizedText
    colour: str
    needs_code: bool
    is_active: bool
    position: int
    producers: Sequence[ProducerFacts] = ()
    communities: Sequence[CommunityFacts] = ()

    @property
    def choice(self) -> Choice:
        return Choice(id=self.id, is_active=self.is_active, needs_code=self.needs_code)


async def producers(event_id: int) -> Sequence[ProducerFacts]:
    return [
        ProducerFacts(
            id=row.id,
            name=LocalizedText.of(row.name),
            organisation=LocalizedText.of(row.organisation),
            title=LocalizedText.of(row.title),
            email=row.email,
            position=row.position,
        )
        for row in await Producer.filter(event_id=event_id).order_by("position", "id")
    ]


async def communities(event_id: int) -> Sequence[CommunityFacts]:
    return [
        CommunityFacts(id=row.id, name=LocalizedText.of(row.name), url=row.url, position=row.position)
        for row in await Community.filter(event_id=event_id).order_by("position", "id")
    ]


async def forums(event_id: int) -> Sequence[ForumFacts]:
    """In their order, switched-off ones too; five statements."""
    rows = await Forum.filter(event_id=event_id).order_by("position", "id")
    if not rows:
        return []
    people = {one.id: one for one in await producers(event_id)}
    groups = {one.id: one for one in await communities(event_id)}
    ids = [row.id for row in rows]
    produced: dict[int, list[ProducerFacts]] = {}
    for link in await ForumProducer.filter(forum_id__in=ids).order_by("position", "id"):
        produced.setdefault(link.forum_id, []).append(people[link.producer_id])
    brought: dict[int, list[CommunityFacts]] = {}
    for brings in await ForumCommunity.filter(forum_id__in=ids).order_by("position", "id"):
        brought.setdefault(brings.forum_id, []).append(groups[brings.community_id])
    return [
        ForumFacts(
            id=row.id,
            code=row.code,
            name=LocalizedText.of(row.name),
            description=LocalizedText.of(row.description),
            colour=row.colour,
            needs_code=row.needs_code,
            is_active=row.is_active,
            position=row.position,
            producers=tuple(produced.get(row.id, ())),
            communities=tuple(brought.get(row.id, ())),
        )
        for row in rows
    ]


async def helper_addresses(forum_id: int) -> Sequence[str]:
    """Whom the producers of a forum let enter talks."""
    rows = await ForumHelper.filter(forum_id=forum_id).order_by("id")
    return [row.email for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFacts:
    id: int
    code: str
    name: LocalizedText
    colour: str
    is_public: bool
    position: int


async def tags(event_id: int) -> Sequence[TagFacts]:
    return [
        TagFacts(
            id=row.id,
            code=row.code,
            name=LocalizedText.of(row.name),
            colour=row.colour,
            is_public=row.is_public,
            position=row.position,
        )
        for row in await Tag.filter(event_id=event_id).order_by("position", "id")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """An access code as organisers see it."""

    id: int
    code: str
    note: str
    max_uses: int | None
    used: int
    valid_until: datetime | None
    is_active: bool
    type_ids: frozenset[int]
    forum_ids: frozenset[int]

    @property
    def facts(self) -> CodeFacts:
        return CodeFacts(
            is_active=self.is_active,
            valid_until=self.valid_until,
            max_uses=self.max_uses,
            used=self.used,
            type_ids=self.type_ids,
            forum_ids=self.forum_ids,
        )


async def _code_rows(rows: Sequence[CallCode]) -> Sequence[CodeRow]:
    types: dict[int, set[int]] = {}
    found: dict[int, set[int]] = {}
    if rows:
        for link in await CallCodeOpens.filter(call_code_id__in=[row.id for row in rows]):
            if link.session_type_id is not None:
                types.setdefault(link.call_code_id, set()).add(link.session_type_id)
            if link.forum_id is not None:
                found.setdefault(link.call_code_id, set()).add(link.forum_id)
    return [
        CodeRow(
            id=row.id,
            code=row.code,
            note=row.note,
            max_uses=row.max_uses,
            used=row.used,
            valid_until=row.valid_until,
            is_active=row.is_active,
            type_ids=frozenset(types.get(row.id, ())),
            forum_ids=frozenset(found.get(row.id, ())),
        )
        for row in rows
    ]


async def codes(event_id: int) -> Sequence[CodeRow]:
    return await _code_rows(await CallCode.filter(event_id=event_id).order_by("-id").limit(1000))


async def find_code(event_id: int, *, code: str = "", code_id: int | None = None) -> CodeRow | None:
    """A code by its folded text or its id; two statements."""
    wanted = CallCode.filter(event_id=event_id, **({"code": code} if code_id is None else {"id": code_id}))
    found = await _code_rows(await wanted)
    return found[0] if found else None


# --- the organisers' own questions -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFacts:
    """A question about proposals, speakers or reviews. ``question`` is what reads and shows its answers."""

    question: Question
    asking: Asking
    is_public: bool
    for_reviewers: bool

    @property
    def id(self) -> int:
        return self.question.id


async def fields_of(event_id: int, subject: Subject | None = None) -> Sequence[FieldFacts]:
    """In their order, switched-off ones too; two statements."""
    wanted = CallField.filter(event_id=event_id)
    if subject is not None:
        wanted = wanted.filter(subject=subject)
    rows = await wanted.order_by("position", "id")
    types: dict[int, set[int]] = {}
    found: dict[int, set[int]] = {}
    if rows:
        for link in await CallFieldScope.filter(call_field_id__in=[row.id for row in rows]):
            if link.session_type_id is not None:
                types.setdefault(link.call_field_id, set()).add(link.session_type_id)
            if link.forum_id is not None:
                found.setdefault(link.call_field_id, set()).add(link.forum_id)
    return [
        FieldFacts(
            question=Question(
                id=row.id,
                code=row.code,
                kind=FieldKind(row.kind),
                label=LocalizedText.of(row.label),
                help=LocalizedText.of(row.help),
                options=tuple(Option.of(one) for one in row.options),
                is_required=False,
                is_personal=row.is_personal,
                is_active=row.is_active,
                position=row.position,
            ),
            asking=Asking(
                subject=Subject(row.subject),
                kind=FieldKind(row.kind),
                need=Need(row.need),
                required_after=row.required_after,
                is_active=row.is_active,
                type_ids=frozenset(types.get(row.id, ())),
                forum_ids=frozenset(found.get(row.id, ())),
            ),
            is_public=row.is_public,
            for_reviewers=row.for_reviewers,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    value: Any
    upload_id: int | None = None
    filename: str = ""


async def answers_of(
    *, proposal_ids: Sequence[int] = (), speaker_ids: Sequence[int] = (), review_ids: Sequence[int] = ()
) -> Mapping[tuple[Subject, int], Mapping[int, StoredAnswer]]:
    """What was answered, by subject and its id, then by question; two statements for any number."""
    rows = await db.query(
        "SELECT call_field_id, proposal_id, speaker_id, review_id, value, upload_id FROM call_answer "  # noqa: S608 -- our own words
        f"WHERE proposal_id {db.in_list('$1', 'int')} OR speaker_id {db.in_list('$2', 'int')} "
        f"OR review_id {db.in_list('$3', 'int')}",
        db.list_parameter(proposal_ids),
        db.list_parameter(speaker_ids),
        db.list_parameter(review_ids),
    )
    names = await uploads.filenames([row["upload_id"] for row in rows if row["upload_id"] is not None])
    found: dict[tuple[Subject, int], dict[int, StoredAnswer]] = {}
    for row in rows:
        key = next(
            (subject, int(row[f"{subject}_id"])) for subject in Subject if row[f"{subject}_id"] is not None
        )
        value = row["value"]
        found.setdefault(key, {})[row["call_field_id"]] = StoredAnswer(
            orjson.loads(value) if isinstance(value, str) else value,
            row["upload_id"],
            names.get(row["upload_id"] or 0, ""),
        )
    return found


# --- speakers ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerFacts:
    """A speaker of an event, as far as the form and the desk show one."""

    id: int
    event_id: int
    code: str
    account_id: int | None
    email: str
    phone: str
    locale: str
    name: LocalizedText
    organisation: LocalizedText
    title: LocalizedText
    bio: LocalizedText
    picture_upload_id: int | None
    availability: list[tuple[datetime, datetime]] | None
    wants_travel_support: bool | None
    travel_note: str
    erased_at: datetime | None
    registration_id: int | None
    secret_round: int


def speaker_facts(row: Speaker) -> SpeakerFacts:
    return SpeakerFacts(
        id=row.id,
        event_id=row.event_id,
        code=row.code,
        account_id=row.account_id,
        email=row.email or "",
        phone=row.phone,
        locale=row.locale,
        name=LocalizedText.of(row.name),
        organisation=LocalizedText.of(row.organisation),
        title=LocalizedText.of(row.title),
        bio=LocalizedText.of(row.bio),
        picture_upload_id=row.picture_upload_id,
        availability=None
        if row.availability is None
        else [
            (datetime.fromisoformat(begin), datetime.fromisoformat(end)) for begin, end in row.availability
        ],
        wants_travel_support=row.wants_travel_support,
        travel_note=row.travel_note,
        erased_at=row.erased_at,
        registration_id=row.registration_id,
        secret_round=row.secret_round,
    )


async def speaker_names(ids: Iterable[int]) -> Mapping[int, LocalizedText]:
    """Names by speaker's id; one statement."""
    rows = await Speaker.filter(id__in=list(ids)).values("id", "name")
    return {int(row["id"]): LocalizedText.of(row["name"]) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFacts:
    name: LocalizedText
    organisation: LocalizedText
    title: LocalizedText
    bio: LocalizedText
    picture_upload_id: int | None


async def find_profile(account_id: int) -> ProfileFacts | None:
    row = await SpeakerProfile.get_or_none(account_id=account_id)
    if row is None:
        return None
    return ProfileFacts(
        name=LocalizedText.of(row.name),
        organisation=LocalizedText.of(row.organisation),
        title=LocalizedText.of(row.title),
        bio=LocalizedText.of(row.bio),
        picture_upload_id=row.picture_upload_id,
    )


# --- one proposal ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedSpeaker:
    """A speaker in a proposal, with what they allow."""

    speaker: SpeakerFacts
    role: SpeakerRole
    position: int
    allows: tuple[bool | None, bool | None, bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinFacts:
    """An invitation to speak along."""

    id: int
    proposal_id: int
    email: str
    locale: str
    state: JoinState
    round: int
    letters: int
    speaker_id: int | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFacts:
    id: int
    purpose: Purpose
    title: str
    url: str
    upload_id: int | None
    filename: str
    is_public: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalFacts:
    """A proposal with everybody and everything that belongs to it."""

    id: int
    guid: UUID
    event_id: int
    code: str
    state: ProposalState
    pending_state: str
    origin: Origin
    account_id: int | None
    session_type_id: int | None
    forum_id: int | None
    minutes: int | None
    language: str
    level: str
    title: LocalizedText
    abstract: LocalizedText
    description: LocalizedText
    audience: str
    takeaways: str
    previous_talks: str
    equipment: str
    notes: str
    call_code_id: int | None
    form_id: UUID | None
    version: int
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    speakers: Sequence[JoinedSpeaker] = ()
    invitations: Sequence[JoinFacts] = ()
    resources: Sequence[ResourceFacts] = ()
    tag_ids: frozenset[int] = frozenset()

    def speaker_of(self, account_id: int) -> JoinedSpeaker | None:
        """The account's own place among the speakers."""
        return next((one for one in self.speakers if one.speaker.account_id == account_id), None)


_PLAIN: Final = (
    "id",
    "guid",
    "event_id",
    "code",
    "pending_state",
    "account_id",
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
    "call_code_id",
    "form_id",
    "version",
    "created_at",
    "updated_at",
    "submitted_at",
)


_CODE: Final = re.compile("[0-9A-Za-z]{6}", re.ASCII)


async def find_proposal(event_id: int, code: str) -> ProposalFacts | None:
    """A proposal by its code; six statements."""
    if not _CODE.fullmatch(code):
        # What no column holds is nobody's code.
        return None
    row = await Proposal.get_or_none(event_id=event_id, code=code.upper())
    return await _whole(row) if row is not None else None


async def find_proposal_by_id(proposal_id: int) -> ProposalFacts | None:
    row = await Proposal.get_or_none(id=proposal_id)
    return await _whole(row) if row is not None else None


async def ids_of_codes(event_id: int, codes: Sequence[str]) -> Mapping[str, int]:
    """Proposals by their codes; a code without one is left out."""
    rows = await Proposal.filter(event_id=event_id, code__in=list(codes)).only("id", "code")
    return {row.code: row.id for row in rows}


async def _whole(row: Proposal) -> ProposalFacts:
    links = await ProposalSpeaker.filter(proposal_id=row.id).order_by("position", "id")
    people = {one.id: one for one in await Speaker.filter(id__in=[link.speaker_id for link in links])}
    resources = await ProposalResource.filter(proposal_id=row.id).order_by("position", "id")
    names = await uploads.filenames([one.upload_id for one in resources if one.upload_id is not None])
    tagged = await db.query("SELECT tag_id FROM proposal_tag WHERE proposal_id = $1", row.id)
    return ProposalFacts(
        state=ProposalState(row.state),
        origin=Origin(row.origin),
        title=LocalizedText.of(row.title),
        abstract=LocalizedText.of(row.abstract),
        description=LocalizedText.of(row.description),
        speakers=[
            JoinedSpeaker(
                speaker=speaker_facts(people[link.speaker_id]),
                role=SpeakerRole(link.role),
                position=link.position,
                allows=(link.allows_slides, link.allows_photo, link.allows_video),
            )
            for link in links
        ],
        invitations=[
            join_facts(one) for one in await SpeakerInvitation.filter(proposal_id=row.id).order_by("id")
        ],
        resources=[
            ResourceFacts(
                id=one.id,
                purpose=Purpose(one.purpose),
                title=one.title,
                url=one.url,
                upload_id=one.upload_id,
                filename=names.get(one.upload_id or 0, ""),
                is_public=one.is_public,
            )
            for one in resources
        ],
        tag_ids=frozenset(int(one["tag_id"]) for one in tagged),
        **{name: getattr(row, name) for name in _PLAIN},
    )


def join_facts(row: SpeakerInvitation) -> JoinFacts:
    return JoinFacts(
        id=row.id,
        proposal_id=row.proposal_id,
        email=row.email,
        locale=row.locale,
        state=JoinState(row.state),
        round=row.round,
        letters=row.letters,
        speaker_id=row.speaker_id,
        expires_at=row.expires_at,
    )


async def find_join(join_id: int) -> JoinFacts | None:
    row = await SpeakerInvitation.get_or_none(id=join_id)
    return join_facts(row) if row is not None else None


# --- lists -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalLine:
    """A proposal as a list shows it."""

    id: int
    code: str
    state: ProposalState
    pending_state: str
    title: LocalizedText
    session_type_id: int | None
    forum_id: int | None
    language: str
    submitted_at: datetime | None
    updated_at: datetime
    #: Names of those who have joined, and how many have not answered yet.
    speakers: Sequence[LocalizedText]
    waiting: int


_LINE: Final = (
    "SELECT p.id, p.code, p.state, p.pending_state, p.title, p.session_type_id, p.forum_id, p.language, "
    "p.submitted_at, p.updated_at FROM proposal p"
)


def text_of(value: Any) -> LocalizedText:
    return LocalizedText.of(orjson.loads(value) if isinstance(value, str) else value)


async def _lines(rows: Sequence[Mapping[str, Any]]) -> Sequence[ProposalLine]:
    ids = db.list_parameter([row["id"] for row in rows])
    names: dict[int, list[LocalizedText]] = {}
    for one in await db.query(
        "SELECT l.proposal_id, s.name FROM proposal_speaker l JOIN speaker s ON s.id = l.speaker_id "  # noqa: S608 -- our own words
        f"WHERE l.proposal_id {db.in_list('$1', 'int')} ORDER BY l.position, l.id",
        ids,
    ):
        names.setdefault(one["proposal_id"], []).append(text_of(one["name"]))
    waiting = {
        row["proposal_id"]: int(row["total"])
        for row in await db.query(
            "SELECT proposal_id, count(*) AS total FROM speaker_invitation "  # noqa: S608 -- our own words
            f"WHERE proposal_id {db.in_list('$1', 'int')} AND state IN ('open', 'parked') GROUP BY proposal_id",
            ids,
        )
    }
    found = []
    for row in rows:
        updated = db.as_instant(row["updated_at"])
        assert updated is not None
        found.append(
            ProposalLine(
                id=row["id"],
                code=row["code"],
                state=ProposalState(row["state"]),
                pending_state=row["pending_state"],
                title=text_of(row["title"]),
                session_type_id=row["session_type_id"],
                forum_id=row["forum_id"],
                language=row["language"],
                submitted_at=db.as_instant(row["submitted_at"]),
                updated_at=updated,
                speakers=names.get(row["id"], ()),
                waiting=waiting.get(row["id"], 0),
            )
        )
    return found


async def own_proposals(*, event_id: int, account_id: int) -> Sequence[ProposalLine]:
    """What an account handed in or speaks in, the newest first; three statements."""
    return await _lines(
        await db.query(
            f"{_LINE} WHERE p.event_id = $1 AND (p.account_id = $2 OR EXISTS (SELECT 1 FROM proposal_speaker l "  # noqa: S608 -- our own words
            "JOIN speaker s ON s.id = l.speaker_id WHERE l.proposal_id = p.id AND s.account_id = $2)) "
            "ORDER BY p.id DESC",
            event_id,
            account_id,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list shows. Drafts of people who have not handed in are theirs alone, so never any of them."""

    text: str = ""
    state: ProposalState | None = None
    session_type_id: int | None = None
    forum_id: int | None = None
    #: None: all; else these forums alone.
    forum_ids: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalPage:
    lines: Sequence[ProposalLine]
    total: int
    page: int
    pages: int
    #: By state, of everything that one may see.
    states: Mapping[ProposalState, int]


def words_match(text: str, values: list[Any]) -> str:
    """SQL for proposals ``p`` in which each word of a folded text stands: in the words, the code or a speaker's name."""
    where = ""
    for word in text.split()[:8]:
        values.append(f"%{word.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%")
        like = f"LIKE ${len(values)} ESCAPE '!'"
        where += (
            f" AND (p.search {like} OR lower(p.code) {like} OR EXISTS (SELECT 1 FROM proposal_speaker l "  # noqa: S608 -- our own words
            f"JOIN speaker s ON s.id = l.speaker_id WHERE l.proposal_id = p.id AND s.search {like}))"
        )
    return where


async def list_proposals(event_id: int, wanted: Wanted, *, page: int = 1) -> ProposalPage:
    """One page of the desk's list, the newest first; five statements however many there are."""
    reach = " AND p.state <> 'draft'"
    values: list[Any] = [event_id]
    if wanted.forum_ids is not None:
        values.append(db.list_parameter(sorted(wanted.forum_ids)))
        reach += f" AND p.forum_id {db.in_list(f'${len(values)}', 'int')}"
    states = {
        ProposalState(row["state"]): int(row["total"])
        for row in await db.query(
            f"SELECT p.state, count(*) AS total FROM proposal p WHERE p.event_id = $1{reach} GROUP BY p.state",  # noqa: S608 -- our own words
            *values,
        )
    }
    where = reach
    for column, value in (
        ("state", wanted.state),
        ("session_type_id", wanted.session_type_id),
        ("forum_id", wanted.forum_id),
    ):
        if value is not None:
            values.append(str(value) if column == "state" else value)
            where += f" AND p.{column} = ${len(values)}"
    where += words_match(wanted.text, values)
    [counted] = await db.query(
        f"SELECT count(*) AS total FROM proposal p WHERE p.event_id = $1{where}",  # noqa: S608 -- our own words
        *values,
    )
    total = int(counted["total"])
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(page, 1), pages)
    rows = await db.query(
        f"{_LINE} WHERE p.event_id = $1{where} ORDER BY p.id DESC "
        f"LIMIT {PAGE_SIZE} OFFSET {(page - 1) * PAGE_SIZE}",
        *values,
    )
    return ProposalPage(lines=await _lines(rows), total=total, page=page, pages=pages, states=states)


# --- history -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    at: datetime
    actor_key: str
    verb: str
    field: str
    old: Any
    new: Any
    reason: str


async def history(proposal_id: int, *, limit: int = 500) -> Sequence[Change]:
    """What has happened to a proposal, the latest first."""
    rows = await ProposalChange.filter(proposal_id=proposal_id).order_by("-id").limit(limit)
    return [_change(row) for row in rows]


async def histories(proposal_ids: Sequence[int]) -> Sequence[tuple[int, Change]]:
    """All that has happened to these, in its order; one statement, in parts for very many."""
    return [
        (row.proposal_id, _change(row))
        for first in range(0, len(proposal_ids), 10_000)
        for row in await ProposalChange.filter(
            proposal_id__in=list(proposal_ids[first : first + 10_000])
        ).order_by("id")
    ]


def _change(row: ProposalChange) -> Change:
    return Change(
        at=row.at,
        actor_key=row.actor_key,
        verb=row.verb,
        field=row.field,
        old=row.old,
        new=row.new,
        reason=row.reason,
    )
