"""JSON of the call for proposals: what everybody reads of it, and what organisers set up.

The rules are the pages' own: ``agenda.calls`` judges and writes, producers' addresses are for organisers alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from agenda import calls, cfp_queries, proposals
from agenda.calls import (
    CallDetails,
    CodeDetails,
    CommunityDetails,
    ForumDetails,
    ProducerDetails,
    TagDetails,
    TypeDetails,
)
from agenda.cfp_queries import CodeRow, FieldFacts
from agenda.cfp_shown import call_window, latest_closing
from agenda.proposal_rules import CallWindow, Need, ProposalCode, Subject, days_left
from agenda.rules import SessionKind
from events import access
from events.access import Door
from events.form_rules import FormCode
from events.json_api import (
    Body,
    Line,
    Localized,
    Moment,
    Number,
    OnceBody,
    RowId,
    Shape,
    Tag,
    answer,
    given,
    localized,
    now,
    once,
    read_body,
)
from events.rules import FieldKind, Permission
from kernel.errors import NotFound
from web.api_doc import ApiDoc
from web.routing import Entry

TAG: Final = "Call for proposals"


# --- shapes ------------------------------------------------------------------------------------------------------


class SessionType(Shape):
    """What a proposal may become; `closes_at` in place of the call's. What is not active has invited talks only."""

    id: int
    code: str
    name: dict[str, str]
    description: dict[str, str]
    kind: SessionKind
    minutes: int
    closes_at: datetime | None
    needs_code: bool
    is_active: bool
    position: int


class PublicProducer(Shape):
    """出品人."""

    id: int
    name: dict[str, str]
    organisation: dict[str, str]
    title: dict[str, str]
    position: int


class Producer(PublicProducer):
    """出品人, with the address that is for organisers alone."""

    email: str


class Community(Shape):
    """出品方: a community that brings a forum out."""

    id: int
    name: dict[str, str]
    url: str
    position: int


class Forum(Shape):
    """分论坛, with its producers and producing communities in their order."""

    id: int
    code: str
    name: dict[str, str]
    description: dict[str, str]
    colour: str
    needs_code: bool
    is_active: bool
    position: int
    producers: list[PublicProducer]
    communities: list[Community]


class CallTag(Shape):
    """A word that organisers put on proposals; a public one is shown in the programme."""

    id: int
    code: str
    name: dict[str, str]
    colour: str
    is_public: bool
    position: int


class CallOption(Shape):
    code: str
    label: dict[str, str]


class CallQuestion(Shape):
    """A question of the organisers' own; without types and forums it is asked of all."""

    code: str
    subject: Subject
    kind: FieldKind
    label: dict[str, str]
    help: dict[str, str]
    options: list[CallOption]
    need: Need
    required_after: datetime | None
    is_public: bool
    is_personal: bool
    type_ids: list[int]
    forum_ids: list[int]


class Call(Shape):
    """The call as it stands now. `days_left` counts nights until the last closing, null without one or when it is not open."""

    is_published: bool
    window: CallWindow
    intro: dict[str, str]
    opens_at: datetime | None
    closes_at: datetime | None
    review_by: datetime | None
    notify_by: datetime | None
    confirm_by: datetime | None
    slides_due_at: datetime | None
    days_left: int | None
    languages: list[str]
    speakers_at_most: int
    proposals_at_most: int
    asks_travel: bool
    asks_availability: bool
    types: list[SessionType]
    forums: list[Forum]
    questions: list[CallQuestion]


class CallCode(Shape):
    """An access code. Without types and forums it opens the call after its closing; with some it opens just those."""

    id: int
    code: str
    note: str
    max_uses: int | None
    used: int
    valid_until: datetime | None
    is_active: bool
    type_ids: list[int]
    forum_ids: list[int]


class CallCodes(Shape):
    codes: list[CallCode]


class SessionTypes(Shape):
    session_types: list[SessionType]


class Forums(Shape):
    forums: list[Forum]


class Producers(Shape):
    producers: list[Producer]


class Communities(Shape):
    communities: list[Community]


class CallTags(Shape):
    tags: list[CallTag]


# --- what is asked -----------------------------------------------------------------------------------------------

_Code = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00]*$")]
_Colour = Annotated[str, Field(max_length=7, pattern=r"^(#[0-9A-Fa-f]{6})?$")]
_Ids = Annotated[list[RowId], Field(max_length=200)]


class CallChange(Body):
    """What is left out stays; the first change makes the event's call, with the usual session types."""

    is_published: bool = False
    intro: Localized = Field(default_factory=dict)
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    review_by: Moment | None = None
    notify_by: Moment | None = None
    confirm_by: Moment | None = None
    slides_due_at: Moment | None = None
    languages: list[Tag] = Field(default=["zh-Hans", "en"], min_length=1, max_length=10)
    speakers_at_most: int = Field(default=5, ge=1, le=20)
    proposals_at_most: int = Field(default=10, ge=1, le=100)
    asks_travel: bool = True
    asks_availability: bool = True


class SessionTypeChange(Body):
    """What is left out stays."""

    code: _Code = ""
    name: Localized = Field(default_factory=dict)
    minutes: int = Field(default=30, ge=1, le=1440)
    kind: SessionKind = SessionKind.TALK
    description: Localized = Field(default_factory=dict)
    closes_at: Moment | None = None
    needs_code: bool = False
    is_active: bool = True
    position: int = Field(default=0, ge=0, le=10_000)


class NewSessionType(SessionTypeChange, OnceBody):
    code: _Code
    name: Localized
    minutes: int = Field(ge=1, le=1440)


class ForumChange(Body):
    """What is left out stays; ids put the whole list in place of the old one."""

    code: _Code = ""
    name: Localized = Field(default_factory=dict)
    description: Localized = Field(default_factory=dict)
    colour: _Colour = ""
    needs_code: bool = False
    is_active: bool = True
    position: int = Field(default=0, ge=0, le=10_000)
    producer_ids: _Ids = Field(default_factory=list)
    community_ids: _Ids = Field(default_factory=list)


class NewForum(ForumChange, OnceBody):
    code: _Code
    name: Localized


class ProducerChange(Body):
    """What is left out stays."""

    name: Localized = Field(default_factory=dict)
    organisation: Localized = Field(default_factory=dict)
    title: Localized = Field(default_factory=dict)
    email: Line = ""
    position: int = Field(default=0, ge=0, le=10_000)


class NewProducer(ProducerChange, OnceBody):
    name: Localized


class CommunityChange(Body):
    """What is left out stays."""

    name: Localized = Field(default_factory=dict)
    url: Line = ""
    position: int = Field(default=0, ge=0, le=10_000)


class NewCommunity(CommunityChange, OnceBody):
    name: Localized


class CallTagChange(Body):
    """What is left out stays."""

    code: _Code = ""
    name: Localized = Field(default_factory=dict)
    colour: _Colour = ""
    is_public: bool = False
    position: int = Field(default=0, ge=0, le=10_000)


class NewCallTag(CallTagChange, OnceBody):
    code: _Code
    name: Localized


class CallCodeChange(Body):
    """What is left out stays."""

    code: _Code = ""
    note: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    max_uses: Number | None = None
    valid_until: Moment | None = None
    is_active: bool = True
    type_ids: _Ids = Field(default_factory=list)
    forum_ids: _Ids = Field(default_factory=list)


class NewCallCode(CallCodeChange, OnceBody):
    code: _Code


# --- the call ----------------------------------------------------------------------------------------------------


def _question(one: FieldFacts) -> dict[str, Any]:
    question, asking = one.question, one.asking
    return {
        "code": question.code,
        "subject": asking.subject,
        "kind": question.kind,
        "label": question.label,
        "help": question.help,
        "options": question.options,
        "need": asking.need,
        "required_after": asking.required_after,
        "is_public": one.is_public,
        "is_personal": question.is_personal,
        "type_ids": sorted(asking.type_ids),
        "forum_ids": sorted(asking.forum_ids),
    }


async def _call(request: Request, door: Door) -> Response:
    del request
    at_hand, at = await proposals.world(door.event.id), now()
    if at_hand is None or not (at_hand.call.is_published or door.may(Permission.CHANGE_CALL)):
        raise NotFound()
    call, state, last = at_hand.call, call_window(at_hand, at), latest_closing(at_hand)
    plain = {name: getattr(call, name) for name in Call.model_fields if hasattr(call, name)}
    return answer(
        Call.model_validate(
            plain
            | {
                "languages": list(call.languages),
                "window": state,
                "days_left": days_left(last, at, door.event.time_zone)
                if last is not None and state is CallWindow.OPEN
                else None,
                "types": [one for one in at_hand.types if one.is_active],
                "forums": [one for one in at_hand.forums if one.is_active],
                # What reviewers are asked is theirs.
                "questions": [
                    _question(one)
                    for one in at_hand.fields
                    if one.asking.is_active and one.asking.subject is not Subject.REVIEW
                ],
            }
        )
    )


async def _change_call(request: Request, door: Door) -> Response:
    body, at = await read_body(request, CallChange), now()
    sent = _values(given(body))

    async def change() -> Mapping[str, Any]:
        old = await cfp_queries.find_call(door.event.id)
        known = {one.name: getattr(old, one.name) for one in fields(CallDetails)} if old else {}
        details = CallDetails(**(known | sent))
        await calls.set_up(actor=door.actor, event_id=door.event.id, details=details, at=at)
        return {}

    await once(request, door, body, change, at=at, required=False)
    return await _call(request, door)


def _values(sent: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent, as the details of ``agenda.calls`` hold it."""
    found: dict[str, Any] = {}
    for name, value in sent.items():
        match value:
            case dict():
                found[name] = localized(value)
            case list() if name in ("type_ids", "forum_ids"):
                found[name] = frozenset(value)
            case list():
                found[name] = tuple(dict.fromkeys(value))
            case str() if name != "note":
                found[name] = value.strip()
            case _:
                found[name] = value
    return found


# --- things with a name ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of thing: its address, how it is read and written, and its shapes."""

    path: str
    word: str
    words: str
    details: type[Any]
    read: Callable[[int], Awaitable[Sequence[Any]]]
    shape: type[Shape]
    listed: type[Shape]
    change: type[Body]
    new: type[OnceBody]


_KINDS: Final = (
    _Kind(
        "session-types",
        "session_type",
        "session types",
        TypeDetails,
        cfp_queries.session_types,
        SessionType,
        SessionTypes,
        SessionTypeChange,
        NewSessionType,
    ),
    _Kind(
        "forums", "forum", "forums", ForumDetails, cfp_queries.forums, Forum, Forums, ForumChange, NewForum
    ),
    _Kind(
        "producers",
        "producer",
        "producers",
        ProducerDetails,
        cfp_queries.producers,
        Producer,
        Producers,
        ProducerChange,
        NewProducer,
    ),
    _Kind(
        "communities",
        "community",
        "producing communities",
        CommunityDetails,
        cfp_queries.communities,
        Community,
        Communities,
        CommunityChange,
        NewCommunity,
    ),
    _Kind("tags", "tag", "tags", TagDetails, cfp_queries.tags, CallTag, CallTags, CallTagChange, NewCallTag),
    _Kind(
        "call-codes",
        "call_code",
        "access codes of the call",
        CodeDetails,
        cfp_queries.codes,
        CallCode,
        CallCodes,
        CallCodeChange,
        NewCallCode,
    ),
)


def _shape(kind: _Kind, found: Any) -> Shape:
    if isinstance(found, CodeRow):
        plain = {name: getattr(found, name) for name in CallCode.model_fields}
        return CallCode(**plain | {name: sorted(plain[name]) for name in ("type_ids", "forum_ids")})
    return kind.shape.model_validate(found)


async def _details(kind: _Kind, event_id: int, number: int, sent: dict[str, Any]) -> Any:
    """A thing as it is, with what was sent in its place. Raises NotFound."""
    old = next((one for one in await kind.read(event_id) if one.id == number), None)
    if old is None:
        raise NotFound()
    known = {one.name: getattr(old, one.name) for one in fields(kind.details) if hasattr(old, one.name)}
    if kind.details is ForumDetails:
        known |= {
            "producer_ids": tuple(one.id for one in old.producers),
            "community_ids": tuple(one.id for one in old.communities),
            "helpers": tuple(await cfp_queries.helper_addresses(number)),
        }
    return kind.details(**(known | sent))


async def _write(door: Door, kind: _Kind, details: Any, at: datetime, number: int | None = None) -> int:
    if isinstance(details, CodeDetails):
        return await calls.put_code(
            actor=door.actor, event_id=door.event.id, details=details, at=at, code_id=number
        )
    return await calls.put(actor=door.actor, event_id=door.event.id, details=details, at=at, thing_id=number)


async def _one(kind: _Kind, event_id: int, number: int) -> Shape:
    found = next((one for one in await kind.read(event_id) if one.id == number), None)
    if found is None:
        raise NotFound()
    return _shape(kind, found)


def _routes(kind: _Kind) -> list[Entry]:
    async def listed(request: Request, door: Door) -> Response:
        del request
        [name] = kind.listed.model_fields
        return answer(kind.listed(**{name: [_shape(kind, one) for one in await kind.read(door.event.id)]}))

    async def add(request: Request, door: Door) -> Response:
        body, at = await read_body(request, kind.new), now()

        async def write() -> Mapping[str, Any]:
            values = _values({name: getattr(body, name) for name in kind.new.model_fields if name != "id"})
            return {"id": await _write(door, kind, kind.details(**values), at)}

        made = await once(request, door, body, write, at=at)
        return answer(await _one(kind, door.event.id, made["id"]), 201)

    async def change(request: Request, door: Door) -> Response:
        body, at = await read_body(request, kind.change), now()
        number, sent = int(request.path_params[f"{kind.word}_id"]), _values(given(body))

        async def write() -> Mapping[str, Any]:
            details = await _details(kind, door.event.id, number, sent)
            await _write(door, kind, details, at, number)
            return {}

        await once(request, door, body, write, at=at, required=False)
        return answer(await _one(kind, door.event.id, number))

    may = Permission.CHANGE_CALL
    here = f"/e/{{slug}}/api/{kind.path}"
    taken = ProposalCode.CODE_TAKEN if kind.details is CodeDetails else ProposalCode.CODE_OF_THING_TAKEN
    name = f"agenda.api.{kind.path.replace('-', '_')}"
    refusals = {422: (FormCode.CODE_MALFORMED, taken)} if "code" in kind.change.model_fields else {}
    return [
        access.route(
            here,
            listed,
            name,
            may,
            api=ApiDoc(
                tag=TAG,
                summary=f"The {kind.words} in their order, switched-off ones among them."
                if kind.details is not CodeDetails
                else "Access codes of the call, the newest first.",
                answer=kind.listed,
            ),
        ),
        access.route(
            here,
            add,
            f"{name}_new",
            may,
            ("POST",),
            api=ApiDoc(
                tag=TAG,
                summary=f"Adds to the {kind.words}.",
                answer=kind.shape,
                status=201,
                body=kind.new,
                is_once=True,
                refusals=refusals,
            ),
        ),
        access.route(
            f"{here}/{{{kind.word}_id:int}}",
            change,
            f"{name}_change",
            may,
            ("PATCH",),
            api=ApiDoc(
                tag=TAG,
                summary=f"Changes what is sent of one of the {kind.words}.",
                answer=kind.shape,
                body=kind.change,
                is_once=True,
                refusals=refusals,
            ),
        ),
    ]


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/api/call",
        _call,
        "agenda.api.call",
        Permission.VIEW_PUBLIC,
        api=ApiDoc(
            tag=TAG,
            summary="The call: its dates, days left, session types, forums, questions. One not published is not there.",
            answer=Call,
        ),
    ),
    access.route(
        "/e/{slug}/api/call",
        _change_call,
        "agenda.api.call_change",
        Permission.CHANGE_CALL,
        ("PATCH",),
        api=ApiDoc(
            tag=TAG,
            summary="Changes what is sent of the call; the first time it makes it.",
            answer=Call,
            body=CallChange,
            is_once=True,
            refusals={422: (ProposalCode.WINDOW_REVERSED,)},
        ),
    ),
    *(entry for kind in _KINDS for entry in _routes(kind)),
]
