"""JSON of an event's speakers: what they owe, their talks, who looks after them, and by right how they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from agenda import speaker_desk, speakers
from agenda.checklist_rules import Item, Mark
from agenda.line_up_rules import LineUpCode
from agenda.proposal_rules import ProposalCode, ProposalState
from agenda.speaker_queries import SpeakerRow
from events import access, masking
from events.access import Door
from events.json_api import (
    PAGE_SIZE,
    Body,
    Cursor,
    Line,
    Moment,
    Query,
    Shape,
    answer,
    given,
    now,
    read_body,
    read_query,
)
from events.rules import Permission
from kernel.errors import Code
from people.rules import mask_email
from web.api_doc import ApiDoc
from web.routing import Entry


class Show(StrEnum):
    """Which speakers: those of the programme, who misses something, has not answered, has no host, or everybody."""

    PROGRAMME = "programme"
    MISSING = "missing"
    OPEN = "open"
    HOST = "host"
    ALL = "all"


class SpeakerTalk(Shape):
    """A talk of a speaker."""

    code: str
    title: dict[str, str]
    state: ProposalState
    session_type_id: int | None
    forum_id: int | None
    allows_slides: bool | None
    allows_photo: bool | None
    allows_video: bool | None
    has_slides: bool


class SpeakerWhole(Shape):
    """A speaker. Without `has_contacts` the e-mail is half hidden, and phone, visit and note are left out."""

    id: int
    code: str
    name: dict[str, str]
    organisation: dict[str, str]
    title: dict[str, str]
    bio: dict[str, str]
    locale: str
    has_account: bool
    has_picture: bool
    registration_id: int | None
    talks: list[SpeakerTalk]
    #: done, missing, late or not_asked, by what it is about
    checklist: dict[Item, Mark]
    host_name: str
    host_contact: str
    has_contacts: bool
    email: str
    phone: str
    arrives_at: datetime | None
    leaves_at: datetime | None
    arrival_note: str
    wants_hotel: bool | None
    hotel_note: str
    wants_pick_up: bool | None
    pick_up_note: str
    wants_travel_support: bool | None
    travel_note: str
    note: str


class SpeakerList(Shape):
    """A page of speakers, by name. `next` is the cursor of the next page; null at the end."""

    items: list[SpeakerWhole]
    total: int
    next: str | None


_Text = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00]*$", strip_whitespace=True)]


class ContactsQuery(Query):
    #: Whole contacts and the visit, for whoever may see them; each look is journalled.
    contacts: bool = False


class SpeakersQuery(ContactsQuery):
    q: _Text = ""
    show: Show = Show.PROGRAMME
    forum_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    cursor: Cursor | None = None


_Note = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$", strip_whitespace=True)]
_Long = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$", strip_whitespace=True)]


class SpeakerChange(Body):
    """What is sent of a speaker's visit and host; what is left out stays. All but the host asks for `see_personal`."""

    host_name: Annotated[Line, StringConstraints(max_length=120)] = ""
    host_contact: Annotated[Line, StringConstraints(max_length=200)] = ""
    arrives_at: Moment | None = None
    leaves_at: Moment | None = None
    arrival_note: _Note = ""
    wants_hotel: bool | None = None
    hotel_note: _Note = ""
    wants_pick_up: bool | None = None
    pick_up_note: _Note = ""
    wants_travel_support: bool | None = None
    travel_note: _Long = ""
    note: Annotated[str, StringConstraints(max_length=4_000, pattern=r"^[^\x00]*$")] = ""


#: What anybody who may enter talks for a speaker may change.
_HOST: Final = frozenset({"host_name", "host_contact"})
_VISIT: Final = (
    "arrives_at",
    "leaves_at",
    "arrival_note",
    "wants_hotel",
    "hotel_note",
    "wants_pick_up",
    "pick_up_note",
    "note",
)


def _shape(row: SpeakerRow, *, sees: bool) -> SpeakerWhole:
    facts, visit = row.facts, row.visit
    hidden: Mapping[str, Any] = {
        name: "" if isinstance(getattr(visit, name), str) else None for name in _VISIT
    }
    return SpeakerWhole(
        id=facts.id,
        code=facts.code,
        name=dict(facts.name),
        organisation=dict(facts.organisation),
        title=dict(facts.title),
        bio=dict(facts.bio),
        locale=facts.locale,
        has_account=facts.account_id is not None,
        has_picture=facts.picture_upload_id is not None,
        registration_id=facts.registration_id,
        talks=[
            SpeakerTalk(
                code=one.code,
                title=dict(one.title),
                state=one.state,
                session_type_id=one.session_type_id,
                forum_id=one.forum_id,
                allows_slides=one.allows[0],
                allows_photo=one.allows[1],
                allows_video=one.allows[2],
                has_slides=one.has_slides,
            )
            for one in row.talks
        ],
        checklist={one.item: one.mark for one in row.lines},
        host_name=visit.host_name,
        host_contact=visit.host_contact,
        has_contacts=sees,
        email=facts.email if sees else mask_email(facts.email) if facts.email else "",
        phone=facts.phone if sees else "",
        wants_travel_support=facts.wants_travel_support if sees else None,
        travel_note=facts.travel_note if sees else "",
        **({name: getattr(visit, name) for name in _VISIT} if sees else hidden),
    )


async def _sees(door: Door, query: ContactsQuery, count: int) -> bool:
    if not query.contacts:
        return False
    door.require(Permission.SEE_PERSONAL)
    await masking.write_look(door, count=count, at=now())
    return True


async def _list(request: Request, door: Door) -> Response:
    query = read_query(request, SpeakersQuery)
    show = "" if query.show is Show.PROGRAMME else str(query.show)
    rows = await speaker_desk.fitting(door, text=query.q, show=show, forum_id=query.forum_id, at=now())
    first = min(int(query.cursor or 0), len(rows))
    part = rows[first : first + PAGE_SIZE]
    sees = await _sees(door, query, len(part))
    return answer(
        SpeakerList(
            items=[_shape(one, sees=sees) for one in part],
            total=len(rows),
            next=str(first + PAGE_SIZE) if first + PAGE_SIZE < len(rows) else None,
        )
    )


async def _one(request: Request, door: Door) -> Response:
    query = read_query(request, ContactsQuery)
    row = await speaker_desk.found(request, door)
    return answer(_shape(row, sees=await _sees(door, query, 1)))


async def _change(request: Request, door: Door) -> Response:
    body = await read_body(request, SpeakerChange)
    row = await speaker_desk.changeable(request, door)
    columns = given(body)
    if set(columns) - _HOST:
        door.require(Permission.SEE_PERSONAL)
    await speakers.change_visit(
        actor=door.actor, event_id=door.event.id, speaker_id=row.facts.id, columns=columns, at=now()
    )
    # What somebody wrote they may read again.
    return answer(_shape(await speaker_desk.found(request, door), sees=bool(set(columns) - _HOST)))


_P: Final = "/e/{slug}/api/speakers"
_CODE: Final = {"speaker_code": {"type": "string", "pattern": "^[0-9A-Za-z]{6}$"}}
_TAG: Final = "Speakers"
ROUTES: list[Entry] = [
    access.route(
        _P,
        _list,
        "agenda.api.speakers",
        Permission.SEE_PROPOSALS,
        api=ApiDoc(
            tag=_TAG,
            summary="Speakers with their talks and what they owe, by name, a page at a time.",
            answer=SpeakerList,
            query=SpeakersQuery,
            refusals={403: (Code.FORBIDDEN,)},
        ),
    ),
    access.route(
        f"{_P}/{{speaker_code}}",
        _one,
        "agenda.api.speaker",
        Permission.SEE_PROPOSALS,
        api=ApiDoc(
            tag=_TAG,
            summary="One speaker.",
            answer=SpeakerWhole,
            query=ContactsQuery,
            path=_CODE,
            refusals={404: (LineUpCode.SPEAKER_UNKNOWN,)},
        ),
    ),
    access.route(
        f"{_P}/{{speaker_code}}",
        _change,
        "agenda.api.speaker_change",
        Permission.CHANGE_PROPOSALS,
        ("PATCH",),
        api=ApiDoc(
            tag=_TAG,
            summary="Changes what is sent of a speaker's host and visit; what is left out stays.",
            answer=SpeakerWhole,
            body=SpeakerChange,
            path=_CODE,
            refusals={
                404: (LineUpCode.SPEAKER_UNKNOWN,),
                422: (ProposalCode.WINDOW_REVERSED,),
            },
        ),
    ),
]
