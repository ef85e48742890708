"""JSON of proposals: written and handed in by their speakers, read and moved by whoever may.

Who may do what, ``agenda.standing`` says, as for the pages; what becomes of a state, the one table. Addresses are half
hidden unless somebody who may see them asks for them. Whoever speaks in a proposal is told nothing of what organisers
prepare about it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID, uuid4, uuid5

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_queries, joining, proposals, resources, standing
from agenda.cfp_queries import JoinedSpeaker, ProposalFacts, ProposalLine, StoredAnswer, Wanted
from agenda.cfp_shown import INSIDE, holds_of, own_proposal, require_person
from agenda.proposal_rules import (
    JoinState,
    Level,
    Origin,
    ProposalCode,
    ProposalState,
    Purpose,
    SpeakerRole,
    Subject,
    Verb,
    Who,
    may_edit,
    missing,
    moves_of,
)
from agenda.proposals import Draft, World
from agenda.speakers import Said
from events import access, form_rules, masking, questionnaire
from events.access import Door
from events.form_rules import FileAnswer, FormCode
from events.json_api import (
    Body,
    Cursor,
    Line,
    Localized,
    OnceBody,
    Query,
    RowId,
    Shape,
    Tag,
    answer,
    given,
    localized,
    now,
    once,
    once_id,
    read_body,
    read_query,
)
from events.rules import FieldKind, Permission, fold
from kernel.errors import Code, Forbidden, Invalid, NotFound, Problem
from people import queries as people
from people.rules import PeopleCode, mask_email
from web import render
from web.api_doc import ApiDoc
from web.routing import Entry

TAG: Final = "Proposals"
#: A file of 10 MB in Base64, and what stands around it.
FILE_BODY_MAX: Final = form_rules.FILE_MAX_MB * 1024 * 1024 * 4 // 3 + 64 * 1024
#: Names the forms of programs, apart from their requests' own ids.
_SPACE: Final = UUID("a1ee6f58-64d6-4a0b-9a6c-0d0f8a8c11e7")


# --- shapes ------------------------------------------------------------------------------------------------------


class ProposalListed(Shape):
    """A proposal as a list shows it. `pending_state` is a decision that nobody was told: "" of one's own, always."""

    code: str
    state: ProposalState
    pending_state: str
    title: dict[str, str]
    session_type_id: int | None
    forum_id: int | None
    language: str
    speakers: list[dict[str, str]]
    waiting: int
    submitted_at: datetime | None
    updated_at: datetime


class Proposals(Shape):
    """Some proposals, the newest first; `next` goes into `cursor`, null at the end. `states` counts all one may see."""

    total: int
    next: str | None
    states: dict[str, int]
    proposals: list[ProposalListed]


class OwnProposals(Shape):
    proposals: list[ProposalListed]


class Speaking(Shape):
    """A speaker in a proposal, and what they allow to be published (null: not said yet).

    Without `has_contacts` the address is half hidden, and the phone and what is said of the visit are left out.
    """

    id: int
    code: str
    role: SpeakerRole
    position: int
    name: dict[str, str]
    organisation: dict[str, str]
    title: dict[str, str]
    bio: dict[str, str]
    locale: str
    email: str
    phone: str
    has_contacts: bool
    has_account: bool
    has_picture: bool
    allows_slides: bool | None
    allows_photo: bool | None
    allows_video: bool | None
    wants_travel_support: bool | None
    travel_note: str
    availability: list[list[datetime]] | None
    answers: dict[str, Any]


class AskedAlong(Shape):
    """Somebody who is asked to speak along."""

    id: int
    email: str
    state: JoinState
    expires_at: datetime


class Resource(Shape):
    """A link, or a file that `url` gives to the same sign-in or token."""

    id: int
    purpose: Purpose
    title: str
    url: str
    filename: str
    is_public: bool


class Proposal(Shape):
    """A proposal with everything that belongs to it. `moves` are the verbs that one may use now."""

    guid: UUID
    code: str
    state: ProposalState
    pending_state: str
    origin: Origin
    is_own: bool
    version: int
    title: dict[str, str]
    abstract: dict[str, str]
    description: dict[str, str]
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
    answers: dict[str, Any]
    tag_ids: list[int]
    speakers: list[Speaking]
    invitations: list[AskedAlong]
    resources: list[Resource]
    moves: list[Verb]
    may_edit: bool
    missing: list[str]
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None


class ProposalChange(Shape):
    """One line of a history: who changed what when, from what, to what."""

    at: datetime
    who: str
    verb: str
    field: str
    old: Any
    new: Any
    reason: str


class ProposalHistory(Shape):
    changes: list[ProposalChange]


class NotPended(Shape):
    code: str
    state: str
    problem: str


class Pended(Shape):
    """How many decisions were prepared, and which proposals can't be decided so."""

    pended: int
    refused: list[NotPended]


# --- what is asked -----------------------------------------------------------------------------------------------


class ProposalsQuery(Query):
    q: Line = Field(default="", description="Words of the title or abstract, a speaker's name, or the code.")
    state: ProposalState | None = None
    session_type_id: RowId | None = None
    forum_id: RowId | None = None
    cursor: Cursor | None = None


class ProposalQuery(Query):
    contacts: bool = Field(
        default=False,
        description="Show contacts whole; takes the permission `see_personal`, and each look is journalled.",
    )


_Texts = Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00]*$")]
_ProposalCode = Annotated[str, Field(pattern="^[0-9A-Za-z]{6}$")]


class Me(Body):
    """What the sender says of themselves as a speaker; what is left out stays."""

    name: Localized = Field(default_factory=dict)
    organisation: Localized = Field(default_factory=dict)
    title: Localized = Field(default_factory=dict)
    bio: Localized = Field(default_factory=dict)
    wants_travel_support: bool | None = None
    travel_note: _Texts = ""
    allows_slides: bool | None = None
    allows_photo: bool | None = None
    allows_video: bool | None = None
    answers: dict[str, Any] = Field(default_factory=dict, max_length=100)


class ProposalPatch(Body):
    """What is left out stays. `version` is the one that was read: another one is told that it is late.

    `answers` and those of `me` go by the questions' codes: text, number, true or false, an option's code or a list of them,
    null to take one away. Files are answered on the page.
    """

    title: Localized = Field(default_factory=dict)
    abstract: Localized = Field(default_factory=dict)
    description: Localized = Field(default_factory=dict)
    session_type_id: RowId | None = None
    forum_id: RowId | None = None
    minutes: int | None = Field(default=None, ge=5, le=480)
    language: Tag | None = None
    level: Level | None = None
    audience: _Texts = ""
    takeaways: _Texts = ""
    previous_talks: _Texts = ""
    equipment: _Texts = ""
    notes: _Texts = ""
    code: Annotated[str, Field(max_length=40, pattern=r"^[^\x00]*$")] = ""
    answers: dict[str, Any] = Field(default_factory=dict, max_length=100)
    me: Me | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class NewProposal(OnceBody):
    """A draft: nothing has to be complete. What it lacks, the answer's `missing` says."""

    title: Localized = Field(default_factory=dict)
    abstract: Localized = Field(default_factory=dict)
    description: Localized = Field(default_factory=dict)
    session_type_id: RowId | None = None
    forum_id: RowId | None = None
    minutes: int | None = Field(default=None, ge=5, le=480)
    language: Tag | None = None
    level: Level | None = None
    audience: _Texts = ""
    takeaways: _Texts = ""
    previous_talks: _Texts = ""
    equipment: _Texts = ""
    notes: _Texts = ""
    code: Annotated[str, Field(max_length=40, pattern=r"^[^\x00]*$")] = ""
    answers: dict[str, Any] = Field(default_factory=dict, max_length=100)
    me: Me | None = None
    locale: Annotated[str, Field(pattern="^(zh-Hans|en)$")] = "zh-Hans"


class MoveVerb(StrEnum):
    """Moves that happen at once; decisions are prepared and released together."""

    SUBMIT = "submit"
    CONFIRM = "confirm"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"
    REOPEN = "reopen"


class NewMove(Body):
    verb: MoveVerb
    reason: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""


class PendedState(StrEnum):
    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    REJECTED = "rejected"


class Pending(OnceBody):
    """A decision prepared for some proposals, or taken away with null. Nobody outside sees it before the release."""

    codes: list[_ProposalCode] = Field(min_length=1, max_length=200)
    state: PendedState | None


class NewCoSpeaker(OnceBody):
    email: Line
    locale: Annotated[str, Field(pattern="^(zh-Hans|en)$")] = "zh-Hans"


class NewResource(OnceBody):
    """A link (`url`), or a file: `filename`, and its bytes in Base64 as `content`."""

    title: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    url: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""
    filename: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    #: As long as the body may be; no length stands here, because programs would try texts just above it.
    content: str = ""
    purpose: Purpose = Purpose.RESOURCE
    is_public: bool = False


# --- read --------------------------------------------------------------------------------------------------------


def _line(one: ProposalLine, *, is_own: bool) -> dict[str, Any]:
    plain = {name: getattr(one, name) for name in ProposalListed.model_fields}
    return plain | ({"pending_state": ""} if is_own else {})


async def _listed(request: Request, door: Door) -> Response:
    query = read_query(request, ProposalsQuery)
    wanted = Wanted(
        text=fold(query.q)[:100],
        state=query.state,
        session_type_id=query.session_type_id,
        forum_id=query.forum_id,
        forum_ids=door.forum_scope(),
    )
    page = int(query.cursor or 1)
    found = await cfp_queries.list_proposals(door.event.id, wanted, page=page)
    # Past the end there is nothing; the desk's page would show the last one again.
    lines = found.lines if found.page == page else ()
    own = await standing.own_among(door.actor, [one.id for one in lines])
    return answer(
        Proposals(
            total=found.total,
            next=str(page + 1) if page < found.pages else None,
            states={str(state): count for state, count in found.states.items()},
            proposals=[ProposalListed(**_line(one, is_own=one.id in own)) for one in lines],
        )
    )


async def _own(request: Request, door: Door) -> Response:
    del request
    require_person(door)
    found = await cfp_queries.own_proposals(event_id=door.event.id, account_id=door.actor.id)
    return answer(OwnProposals(proposals=[ProposalListed(**_line(one, is_own=True)) for one in found]))


async def _seen(request: Request, door: Door) -> tuple[ProposalFacts, frozenset[Who]]:
    """The proposal in the address, for somebody with a part in it or who may see it on the desk. Raises NotFound."""
    proposal = await cfp_queries.find_proposal(door.event.id, request.path_params["code"])
    if proposal is None:
        raise NotFound(ProposalCode.UNKNOWN)
    who = await standing.of(door, proposal)
    if not who and not standing.may_see_on_desk(door, proposal):
        raise NotFound(ProposalCode.UNKNOWN)
    return proposal, who


async def _get(request: Request, door: Door) -> Response:
    query = read_query(request, ProposalQuery)
    if query.contacts:
        door.require(Permission.SEE_PERSONAL)
    proposal, _ = await _seen(request, door)
    if query.contacts and proposal.speakers:
        await masking.write_look(door, count=len(proposal.speakers), at=now())
    return await _one(door, proposal, shows=query.contacts)


async def _again(door: Door, proposal_id: int, status: int = 200) -> Response:
    proposal = await cfp_queries.find_proposal_by_id(proposal_id)
    if proposal is None:
        raise NotFound(ProposalCode.UNKNOWN)
    return await _one(door, proposal, status=status)


async def _one(door: Door, proposal: ProposalFacts, *, shows: bool = False, status: int = 200) -> Response:
    at_hand, at = await _world(door), now()
    who, is_own = await standing.of(door, proposal), standing.is_own(door.actor, proposal)
    stored = await cfp_queries.answers_of(
        proposal_ids=[proposal.id], speaker_ids=[one.speaker.id for one in proposal.speakers]
    )
    lacks: Sequence[str] = ()
    if proposal.state is ProposalState.DRAFT and who:
        lacks = _named(
            at_hand, missing(await proposals.filled(at_hand, proposal, account_id=door.actor.id, at=at))
        )
    holds = holds_of(at_hand, proposal, at, complete=not lacks)
    call_open = proposals.call_open_for(at_hand, proposal, at)
    plain = {name: getattr(proposal, name) for name in Proposal.model_fields if hasattr(proposal, name)}
    return answer(
        Proposal.model_validate(
            plain
            | {
                "pending_state": "" if is_own else proposal.pending_state,
                "is_own": is_own,
                "answers": _answers(
                    at_hand, stored.get((Subject.PROPOSAL, proposal.id), {}), shows=shows or bool(who)
                ),
                "tag_ids": [] if is_own else sorted(proposal.tag_ids),
                "speakers": [_speaking(door, at_hand, one, stored, shows=shows) for one in proposal.speakers],
                # Whoever asked knows whom they asked.
                "invitations": [
                    {
                        "id": one.id,
                        "email": one.email if is_own or shows else mask_email(one.email),
                        "state": one.state,
                        "expires_at": one.expires_at,
                    }
                    for one in proposal.invitations
                ],
                "resources": [_resource(door, proposal, one, bool(who)) for one in proposal.resources],
                "moves": [
                    verb
                    for verb in moves_of(proposal.state, who=who, holds=holds)
                    if str(verb) in {str(one) for one in MoveVerb}
                ],
                "may_edit": may_edit(proposal.state, who=who, call_open=call_open),
                "missing": lacks,
            }
        ),
        status,
    )


def _named(at_hand: World, lacks: Mapping[str, Problem]) -> list[str]:
    """Fields by their keys here; a question as ``answers.`` and its code."""
    questions = {
        one.question.name: ("me." if one.asking.subject is Subject.SPEAKER else "")
        + f"answers.{one.question.code}"
        for one in at_hand.fields
    }
    own = {"name": "me.name", "bio": "me.bio", "session_type": "session_type_id", "forum": "forum_id"}
    own |= {name: f"me.{name}" for name in ("allows_slides", "allows_photo", "allows_video")}
    return [questions.get(name) or own.get(name, name) for name in lacks]


def _resource(
    door: Door, proposal: ProposalFacts, one: cfp_queries.ResourceFacts, has_part: bool
) -> dict[str, Any]:
    name = "agenda.cfp.file" if has_part else "agenda.desk.proposal_file"
    plain = {key: getattr(one, key) for key in Resource.model_fields}
    if not one.url:
        plain["url"] = render.absolute(
            render.url(name, slug=door.event.slug, code=proposal.code, resource_id=one.id)
        )
    return plain


def _speaking(
    door: Door,
    at_hand: World,
    one: JoinedSpeaker,
    stored: Mapping[tuple[Subject, int], Mapping[int, StoredAnswer]],
    *,
    shows: bool,
) -> dict[str, Any]:
    speaker = one.speaker
    shows = shows or (bool(door.actor.id) and speaker.account_id == door.actor.id)
    plain = {name: getattr(speaker, name) for name in Speaking.model_fields if hasattr(speaker, name)}
    if not shows:
        plain |= {
            "email": mask_email(speaker.email) if speaker.email else "",
            "phone": "",
            "wants_travel_support": None,
            "travel_note": "",
            "availability": None,
        }
    slides, photo, video = one.allows
    return plain | {
        "role": one.role,
        "position": one.position,
        "has_contacts": shows,
        "has_account": speaker.account_id is not None,
        "has_picture": speaker.picture_upload_id is not None,
        "allows_slides": slides,
        "allows_photo": photo,
        "allows_video": video,
        "answers": _answers(at_hand, stored.get((Subject.SPEAKER, speaker.id), {}), shows=shows),
    }


def _answers(at_hand: World, given_: Mapping[int, StoredAnswer], *, shows: bool) -> dict[str, Any]:
    """Answers by their questions' codes, a file by its name; personal ones only for those who may see them."""
    return {
        one.question.code: said.value if said.upload_id is None else said.filename
        for one in at_hand.fields
        if (said := given_.get(one.id)) is not None and (shows or not one.question.is_personal)
    }


async def _history(request: Request, door: Door) -> Response:
    proposal, _ = await _seen(request, door)
    is_own = standing.is_own(door.actor, proposal)
    changes = await cfp_queries.history(proposal.id)
    keys = {one.actor_key for one in changes if one.actor_key.startswith("account:")}
    known = await people.accounts({int(key.partition(":")[2]) for key in keys})
    return answer(
        ProposalHistory(
            changes=[
                ProposalChange(
                    at=one.at,
                    who=found.name
                    if (found := known.get(int(one.actor_key.partition(":")[2] or 0))) is not None
                    and one.actor_key in keys
                    else "",
                    verb=one.verb,
                    field=one.field,
                    old=_hidden(one.old),
                    new=_hidden(one.new),
                    reason=one.reason,
                )
                for one in changes
                if not (is_own and one.verb in INSIDE)
            ]
        )
    )


def _hidden(value: Any) -> Any:
    """Of an address that was invited only its shape: the history is for everybody who works on the proposal."""
    if isinstance(value, str) and "@" in value and " " not in value.strip():
        return mask_email(value)
    return value


# --- written -----------------------------------------------------------------------------------------------------


async def _world(door: Door) -> World:
    at_hand = await proposals.world(door.event.id)
    if at_hand is None:
        raise NotFound()
    return at_hand


async def _open_world(door: Door) -> World:
    """As the pages: a call that is not published is there for those alone who set it up. Raises NotFound."""
    at_hand = await _world(door)
    if not at_hand.call.is_published and not door.may(Permission.CHANGE_CALL):
        raise NotFound()
    return at_hand


def _typed(value: Any) -> list[str]:
    match value:
        case bool():
            return ["yes" if value else "no"]
        case list():
            return [str(one).replace("\0", "") for one in value]
        case _:
            # No database takes a NUL in a text.
            return [str(value).replace("\0", "")]


def _read_answers(
    at_hand: World,
    subject: Subject,
    sent: Mapping[str, Any],
    stored: Mapping[int, StoredAnswer],
    problems: dict[str, Problem],
) -> dict[int, Any]:
    """All answers to a subject's questions: those that were sent in place of those that are stored."""
    asked = {one.question.code: one for one in at_hand.asked(subject)}
    prefix = "me.answers" if subject is Subject.SPEAKER else "answers"
    found: dict[int, Any] = {}
    for one in asked.values():
        old = stored.get(one.id)
        if old is not None:
            is_file = old.upload_id is not None
            found[one.id] = FileAnswer(old.upload_id or 0, old.filename, "") if is_file else old.value
    for code, value in sent.items():
        one_asked = asked.get(code)
        if one_asked is None or (one_asked.question.kind is FieldKind.FILE and value is not None):
            problems[f"{prefix}.{code[:60]}"] = Problem(
                FormCode.QUESTION_UNKNOWN if one_asked is None else Code.NOT_A_CHOICE
            )
            continue
        read = None
        if value is not None:
            read = form_rules.read_answer(one_asked.question, _typed(value))
        if isinstance(read, Problem):
            problems[f"{prefix}.{code}"] = read
        elif read is None:
            found.pop(one_asked.id, None)
        else:
            found[one_asked.id] = read
    return found


_COLUMNS: Final = (
    "title",
    "abstract",
    "description",
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
)
_ME: Final = ("name", "organisation", "title", "bio", "wants_travel_support", "travel_note")
_ALLOWS: Final = ("allows_slides", "allows_photo", "allows_video")


async def _draft(door: Door, at_hand: World, sent: Mapping[str, Any], old: ProposalFacts | None) -> Draft:
    """The whole draft: what was sent in the place of what there is. Raises Invalid."""
    problems: dict[str, Problem] = {}
    values: dict[str, Any] = {name: getattr(old, name) for name in _COLUMNS} if old else {}
    for name in _COLUMNS:
        if name in sent:
            value = sent[name]
            if isinstance(value, dict):
                value = localized(value)
            values[name] = "" if value is None and name in ("language", "level") else value
    if values.get("language") and values["language"] not in at_hand.call.languages:
        problems["language"] = Problem(Code.NOT_A_CHOICE)
    own = old.speaker_of(door.actor.id) if old and door.actor.id else None
    stored = await cfp_queries.answers_of(
        proposal_ids=[old.id] if old else [], speaker_ids=[own.speaker.id] if own else []
    )
    me: Me | None = sent.get("me")
    said: Said | None = None
    speaker_answers: dict[int, Any] = {}
    allows: tuple[bool | None, bool | None, bool | None] = (None, None, None)
    if me is not None and old is not None and own is None:
        problems["me"] = Problem(ProposalCode.NOT_YOURS)
    elif me is not None:
        said, allows = _said(me, own)
        speaker_answers = _read_answers(
            at_hand,
            Subject.SPEAKER,
            me.answers,
            stored.get((Subject.SPEAKER, own.speaker.id), {}) if own else {},
            problems,
        )
    answers = _read_answers(
        at_hand,
        Subject.PROPOSAL,
        sent.get("answers", {}),
        stored.get((Subject.PROPOSAL, old.id), {}) if old else {},
        problems,
    )
    draft = Draft(
        **values,
        code=sent.get("code", ""),
        answers=answers,
        said=said,
        speaker_answers=speaker_answers,
        allows=allows,
    )
    if problems := {**draft.problems(), **problems}:
        raise Invalid(_keys(problems))
    return draft


def _keys(problems: Mapping[str, Problem]) -> dict[str, Problem]:
    """Problems at the keys of the body."""
    own = {
        "session_type": "session_type_id",
        "forum": "forum_id",
        "job": "me.title",
        "travel_note": "me.travel_note",
    }
    own |= {name: f"me.{name}" for name in ("name", "organisation", "bio", *_ALLOWS)}
    found = {}
    for name, problem in problems.items():
        head, dot, rest = name.partition(".")
        found[own.get(head, head) + dot + rest] = problem
    return found


def _said(me: Me, own: JoinedSpeaker | None) -> tuple[Said, tuple[bool | None, bool | None, bool | None]]:
    sent = given(me)
    values: dict[str, Any] = {name: getattr(own.speaker, name) for name in _ME} if own else {}
    for name in _ME:
        if name in sent:
            values[name] = localized(sent[name]) if isinstance(sent[name], dict) else sent[name]
    old = own.allows if own else (None, None, None)
    slides, photo, video = (sent.get(name, before) for name, before in zip(_ALLOWS, old, strict=True))
    return Said(**values), (slides, photo, video)


def _at_keys(at_hand: World, refusal: Invalid) -> Invalid:
    """A refusal of the actions, whose fields are the form's, at the keys of the body."""
    names = dict(zip(refusal.fields, _named(at_hand, refusal.fields), strict=True))
    return Invalid(_keys({names[name]: problem for name, problem in refusal.fields.items()}))


async def _add(request: Request, door: Door) -> Response:
    require_person(door)
    body, at = await read_body(request, NewProposal), now()
    number = once_id(request, body)
    at_hand = await _open_world(door)
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    # Somebody who writes no word about themselves is still the speaker that their profile says.
    draft = await _draft(door, at_hand, sent, None)

    async def add() -> Mapping[str, Any]:
        return {
            "id": await proposals.save(
                actor=door.actor,
                event_id=door.event.id,
                at_hand=at_hand,
                draft=draft,
                form_id=uuid5(_SPACE, f"{door.actor.key}:{number}"),
                locale=body.locale,
                at=at,
            )
        }

    try:
        made = await once(request, door, body, add, at=at)
    except Invalid as refusal:
        raise _at_keys(at_hand, refusal) from refusal
    return await _again(door, made["id"], 201)


async def _patch(request: Request, door: Door) -> Response:
    require_person(door)
    body, at = await read_body(request, ProposalPatch), now()
    proposal, who = await own_proposal(request, door)
    at_hand = await _open_world(door)
    sent = {name: getattr(body, name) for name in body.model_fields_set}

    async def change() -> Mapping[str, Any]:
        await proposals.save(
            actor=door.actor,
            event_id=door.event.id,
            at_hand=at_hand,
            draft=await _draft(door, at_hand, sent, proposal),
            form_id=uuid4(),
            locale="",
            at=at,
            proposal_id=proposal.id,
            version=body.version or proposal.version,
            who=who,
        )
        return {}

    try:
        await once(request, door, body, change, at=at, required=False)
    except Invalid as refusal:
        raise _at_keys(at_hand, refusal) from refusal
    return await _again(door, proposal.id)


async def _move(request: Request, door: Door) -> Response:
    require_person(door)
    body, at = await read_body(request, NewMove), now()
    proposal, who = await own_proposal(request, door)
    at_hand, verb = await _open_world(door), Verb(body.verb)

    async def move() -> Mapping[str, Any]:
        if verb is Verb.SUBMIT:
            await proposals.submit(actor=door.actor, at_hand=at_hand, proposal_id=proposal.id, who=who, at=at)
            return {}
        lacks = missing(await proposals.filled(at_hand, proposal, account_id=door.actor.id, at=at))
        await proposals.move(
            actor=door.actor,
            event_id=door.event.id,
            proposal_id=proposal.id,
            verb=verb,
            who=who,
            holds=holds_of(at_hand, proposal, at, complete=not lacks),
            at=at,
            reason=body.reason.strip(),
        )
        return {}

    try:
        await once(request, door, body, move, at=at, required=False)
    except Invalid as refusal:
        raise _at_keys(at_hand, refusal) from refusal
    return await _again(door, proposal.id)


async def _pend(request: Request, door: Door) -> Response:
    body, at = await read_body(request, Pending), now()
    codes = list(dict.fromkeys(code.upper() for code in body.codes))
    ids = await cfp_queries.ids_of_codes(door.event.id, codes)
    own = await standing.own_among(door.actor, list(ids.values()))
    state = ProposalState(body.state) if body.state else None

    async def pend() -> Mapping[str, Any]:
        wanted = [number for number in ids.values() if number not in own]
        wrong = await proposals.pend(
            actor=door.actor, event_id=door.event.id, proposal_ids=wanted, state=state, at=at
        )
        refused = [
            {"code": code, "state": str(wrong[number].params.get("state", "")), "problem": wrong[number].code}
            for code, number in ids.items()
            if number in wrong
        ]
        # One's own is nobody's own to decide.
        refused += [
            {"code": code, "state": "", "problem": ProposalCode.MOVE_NOT_YOURS}
            for code, number in ids.items()
            if number in own
        ]
        refused += [
            {"code": code, "state": "", "problem": ProposalCode.UNKNOWN} for code in codes if code not in ids
        ]
        return {"pended": len(codes) - len(refused), "refused": refused}

    return answer(Pended.model_validate(await once(request, door, body, pend, at=at)))


async def _editable(request: Request, door: Door) -> ProposalFacts:
    require_person(door)
    proposal, who = await own_proposal(request, door)
    at_hand = await _open_world(door)
    if not may_edit(proposal.state, who=who, call_open=proposals.call_open_for(at_hand, proposal, now())):
        raise Forbidden(ProposalCode.NOT_EDITABLE)
    return proposal


async def _leave(request: Request, door: Door) -> Response:
    proposal, at = await _editable(request, door), now()
    number = int(request.path_params["speaker_id"])

    async def leave() -> Mapping[str, Any]:
        await joining.leave(actor=door.actor, proposal=proposal, speaker_id=number, at=at)
        return {}

    await once(request, door, None, leave, at=at, required=False)
    return await _again(door, proposal.id)


async def _invite(request: Request, door: Door) -> Response:
    proposal = await _editable(request, door)
    body, at = await read_body(request, NewCoSpeaker), now()
    at_hand = await _open_world(door)

    async def invite() -> Mapping[str, Any]:
        return {
            "id": await joining.invite(
                actor=door.actor,
                proposal=proposal,
                email=body.email,
                locale=body.locale,
                at_most=at_hand.call.speakers_at_most,
                at=at,
            )
        }

    await once(request, door, body, invite, at=at)
    return await _again(door, proposal.id, 201)


async def _retract(request: Request, door: Door) -> Response:
    proposal, at = await _editable(request, door), now()
    number = int(request.path_params["join_id"])

    async def retract() -> Mapping[str, Any]:
        await joining.retract(actor=door.actor, proposal_id=proposal.id, join_id=number, at=at)
        return {}

    await once(request, door, None, retract, at=at, required=False)
    return await _again(door, proposal.id)


async def _add_resource(request: Request, door: Door) -> Response:
    proposal = await _editable(request, door)
    body, at = await read_body(request, NewResource), now()

    async def add() -> Mapping[str, Any]:
        file = await _file_of(door, body, at) if body.content else None
        if file is not None and body.url.strip():
            raise Invalid({"url": Problem(Code.NOT_A_CHOICE)})
        new = resources.NewResource(
            title=body.title, url=body.url, file=file, purpose=body.purpose, is_public=body.is_public
        )
        return {"id": await resources.add(actor=door.actor, proposal_id=proposal.id, new=new, at=at)}

    try:
        await once(request, door, body, add, at=at)
    except Invalid as refusal:
        raise Invalid(
            {("content" if name == "file" else name): one for name, one in refusal.fields.items()}
        ) from refusal
    return await _again(door, proposal.id, 201)


async def _file_of(door: Door, body: NewResource, at: datetime) -> FileAnswer:
    try:
        content = base64.b64decode("".join(body.content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid({"content": Problem(Code.MALFORMED)}) from None
    kept = await questionnaire.keep_file(
        content, body.filename, name="content", event_id=door.event.id, actor_key=door.actor.key, at=at
    )
    if isinstance(kept, Problem):
        raise Invalid({"content": kept})
    return kept


async def _remove_resource(request: Request, door: Door) -> Response:
    proposal, at = await _editable(request, door), now()
    number = int(request.path_params["resource_id"])

    async def remove() -> Mapping[str, Any]:
        await resources.remove(actor=door.actor, proposal_id=proposal.id, resource_id=number, at=at)
        return {}

    await once(request, door, None, remove, at=at, required=False)
    return await _again(door, proposal.id)


# --- routes ------------------------------------------------------------------------------------------------------

_SUBMIT: Final = Permission.SUBMIT
_POST: Final = ("POST",)
_P: Final = "/e/{slug}/api/proposals/{code}"
_PATH: Final = {"code": {"type": "string", "pattern": "^[0-9A-Za-z]{6}$"}}


def _changes(summary: str, **more: Any) -> ApiDoc:
    values: dict[str, Any] = {
        "tag": TAG,
        "summary": summary,
        "answer": Proposal,
        "path": _PATH,
        "is_once": True,
    }
    refusals = {403: (ProposalCode.NOT_EDITABLE,), 404: (ProposalCode.UNKNOWN,)} | more.pop("refusals", {})
    return ApiDoc(**(values | more), refusals=refusals)


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/api/proposals",
        _listed,
        "agenda.api.proposals",
        Permission.SEE_PROPOSALS,
        api=ApiDoc(
            tag=TAG,
            summary="Proposals that were handed in or invited, the newest first; a producer's own forums' alone.",
            answer=Proposals,
            query=ProposalsQuery,
        ),
    ),
    access.route(
        "/e/{slug}/api/proposals",
        _add,
        "agenda.api.proposal_new",
        _SUBMIT,
        _POST,
        api=ApiDoc(
            tag=TAG,
            summary="Begins a proposal of one's own, as a draft.",
            answer=Proposal,
            status=201,
            body=NewProposal,
            is_once=True,
            refusals={
                409: (ProposalCode.TOO_MANY_PROPOSALS,),
                422: (ProposalCode.TYPE_UNKNOWN, ProposalCode.FORUM_UNKNOWN, ProposalCode.CODE_WRONG),
            },
        ),
    ),
    access.route(
        "/e/{slug}/api/own-proposals",
        _own,
        "agenda.api.own_proposals",
        _SUBMIT,
        api=ApiDoc(
            tag=TAG, summary="What one handed in or speaks in, the newest first.", answer=OwnProposals
        ),
    ),
    access.route(
        "/e/{slug}/api/pending-decisions",
        _pend,
        "agenda.api.pending_decisions",
        Permission.DECIDE,
        _POST,
        api=ApiDoc(
            tag=TAG,
            summary="Prepares a decision for some proposals, or takes it away; nobody is told before the release.",
            answer=Pended,
            body=Pending,
            is_once=True,
        ),
    ),
    access.route(
        _P,
        _get,
        "agenda.api.proposal",
        _SUBMIT,
        api=ApiDoc(
            tag=TAG,
            summary="One proposal, for its speakers and for whoever may see it on the desk.",
            answer=Proposal,
            query=ProposalQuery,
            path=_PATH,
            refusals={404: (ProposalCode.UNKNOWN,)},
        ),
    ),
    access.route(
        _P,
        _patch,
        "agenda.api.proposal_change",
        _SUBMIT,
        ("PATCH",),
        api=_changes(
            "Changes what is sent of a proposal, by its speakers, its forum's producers or the chair.",
            body=ProposalPatch,
            refusals={409: (ProposalCode.STALE,)},
        ),
    ),
    access.route(
        f"{_P}/moves",
        _move,
        "agenda.api.proposal_move",
        _SUBMIT,
        _POST,
        api=_changes(
            "Hands a proposal in, confirms, declines, withdraws, cancels or opens it again; the table says who may.",
            body=NewMove,
            refusals={
                403: (ProposalCode.MOVE_NOT_YOURS,),
                409: (ProposalCode.MOVE_NOT_FROM_HERE, ProposalCode.CONFIRM_TOO_LATE),
            },
        ),
    ),
    access.route(
        f"{_P}/history",
        _history,
        "agenda.api.proposal_history",
        _SUBMIT,
        api=ApiDoc(
            tag=TAG,
            summary="What has happened to a proposal, the latest first, at most 500 lines.",
            answer=ProposalHistory,
            path=_PATH,
            refusals={404: (ProposalCode.UNKNOWN,)},
        ),
    ),
    access.route(
        f"{_P}/speakers/{{speaker_id:int}}/leaving",
        _leave,
        "agenda.api.proposal_leaving",
        _SUBMIT,
        _POST,
        api=_changes(
            "Takes a speaker out of a proposal; one always stays.",
            refusals={409: (ProposalCode.SPEAKER_LAST,)},
        ),
    ),
    access.route(
        f"{_P}/invitations",
        _invite,
        "agenda.api.proposal_invitation_new",
        _SUBMIT,
        _POST,
        api=_changes(
            "Asks an address to speak along; the letter goes at once, or when the draft is handed in.",
            status=201,
            body=NewCoSpeaker,
            refusals={
                422: (
                    PeopleCode.EMAIL_INVALID,
                    ProposalCode.JOIN_OPEN,
                    ProposalCode.JOIN_SELF,
                    ProposalCode.SPEAKER_THERE,
                    ProposalCode.TOO_MANY_SPEAKERS,
                )
            },
        ),
    ),
    access.route(
        f"{_P}/invitations/{{join_id:int}}/retraction",
        _retract,
        "agenda.api.proposal_retraction",
        _SUBMIT,
        _POST,
        api=_changes("Takes an invitation back.", refusals={409: (ProposalCode.JOIN_USED,)}),
    ),
    access.route(
        f"{_P}/resources",
        _add_resource,
        "agenda.api.proposal_resource_new",
        _SUBMIT,
        _POST,
        body_max=FILE_BODY_MAX,
        api=_changes(
            "Adds a link or a file to a proposal.",
            status=201,
            body=NewResource,
            refusals={422: (ProposalCode.RESOURCES_TOO_MANY, FormCode.FILE_GONE)},
        ),
    ),
    access.route(
        f"{_P}/resources/{{resource_id:int}}/removal",
        _remove_resource,
        "agenda.api.proposal_resource_removal",
        _SUBMIT,
        _POST,
        api=_changes("Takes a link or a file away."),
    ),
]
