"""JSON about one person at the door and the group that they bring, and a lead's word; for scanners and paired devices.

Everything admits through ``scanning``; what the pages of ``person_pages`` do by form is done here with the same actions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from checkin import api_shapes as shapes
from checkin import badges, checkpoints, counting, notes, passports, queries, scanning, undoing
from checkin.answers import as_json, said_in_every_language
from checkin.lead_rules import REASON_MAX, UNDO_WITHIN
from checkin.passports import PassportView
from checkin.person_pages import admission_id
from checkin.rules import BATCH_MAX, CODE_MAX, CheckinCode, PassportStatus, VerdictCode, period_of
from checkin.scanning import Answer, ScanEntry
from events import queries as events
from events.access import Door, route
from events.json_api import Body, Localized, Query, RowId, Shape, localized, read_body, read_query
from events.rules import Permission
from kernel.errors import Code, Invalid, NotFound, Problem, Refusal
from web import render
from web.api_doc import ApiDoc
from web.routing import Entry

Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=REASON_MAX, strip_whitespace=True, pattern=r"^[^\x00]*$")
]
#: 500 people with an id each, and their frame.
ARRIVAL_BODY_MAX: Final = 128 * 1024


# --- one person --------------------------------------------------------------------------------------------------


class Note(Shape):
    """A word to staff about somebody, until a lead marks it done."""

    id: int
    text: dict[str, str]
    attention: bool
    created_at: datetime


class BadgeDone(Shape):
    """What was done with a badge: printing is not handing over, and neither is entering."""

    number: int | None
    box: str
    prints: int
    reprints: int
    printed_at: datetime | None
    handed_over_at: datetime | None


class Undoable(Shape):
    """A scan of the last minutes that a lead may take back."""

    scan_id: UUID
    verdict: VerdictCode
    words: dict[str, str]
    at: datetime
    checkpoint: int


class PersonCard(Shape):
    """Somebody at the door. `scans` is empty for whoever is no lead."""

    passport_id: int
    name: str
    line: str
    ticket_type: dict[str, str]
    short_code: str
    status: PassportStatus
    badge: BadgeDone
    note: Note | None
    group: shapes.FoundGroup | None
    scans: list[Undoable]


async def _passport(request: Request, door: Door) -> PassportView:
    return await passports.by_id(door.event.id, int(request.path_params["passport_id"]))


async def person(request: Request, door: Door) -> Response:
    passport = await _passport(request, door)
    world = await checkpoints.world(door.event.id)
    words = world.ticket_types.get(passport.ticket_type_id)
    facts = await badges.of(passport)
    led = (await events.groups_led([passport.registration_id])).get(passport.registration_id)
    people = len(await events.group_members(door.event.id, led.id)) if led else 0
    return render.json(
        {
            "passport_id": passport.id,
            "name": passport.badge_name,
            "line": passport.badge_line,
            "ticket_type": dict(words.name) if words else {},
            "short_code": passport.short_code,
            "status": passport.status.value,
            "badge": {
                "number": passport.badge_number,
                "box": passport.badge_box,
                "prints": facts.prints,
                "reprints": facts.reprints,
                "printed_at": facts.printed_at,
                "handed_over_at": facts.handed_over_at,
            },
            "note": await _open_note(passport.id),
            "group": {"name": led.name, "people": people} if led and people else None,
            "scans": await _undoable(door, passport.id, world),
        }
    )


async def _open_note(passport_id: int) -> dict[str, Any] | None:
    found = next((one for one in await notes.of(passport_id) if one.done_at is None), None)
    if found is None:
        return None
    return {
        "id": found.id,
        "text": dict(found.text),
        "attention": found.attention,
        "created_at": found.created_at,
    }


async def _undoable(door: Door, passport_id: int, world: checkpoints.World) -> list[dict[str, Any]]:
    if not door.may(Permission.OVERRIDE):
        return []
    own = door.checkpoint_scope(Permission.OVERRIDE)
    return [
        {
            "scan_id": one.scan_id,
            "verdict": one.verdict.value,
            "words": said_in_every_language(one.verdict),
            "at": one.at,
            "checkpoint": one.checkpoint_id,
        }
        for one in await queries.latest_scans(passport_id, since=datetime.now(UTC) - UNDO_WITHIN)
        if (own is None or one.checkpoint_id in own) and one.checkpoint_id in world.checkpoints
    ]


# --- a lead's word -----------------------------------------------------------------------------------------------


class AdmitBody(Body):
    """A lead lets somebody in against a refusal; the same `scan_id` again gets the same answer."""

    scan_id: UUID
    checkpoint: RowId
    reason: Reason


async def admit(request: Request, door: Door) -> Response:
    body = await read_body(request, AdmitBody)
    passport = await _passport(request, door)
    entry = ScanEntry(body.scan_id, passport.short_code, body.checkpoint, reason=body.reason)
    answer = await scanning.scan(door=door, entry=entry, at=datetime.now(UTC))
    return render.json(as_json(answer))


class UndoBody(Body):
    """`id` is the undo's own: the same again is the same undo."""

    id: UUID
    reason: Reason


class Undone(Shape):
    """What was taken back: an entry or an exit."""

    verdict: VerdictCode
    words: dict[str, str]


async def undo(request: Request, door: Door) -> Response:
    body = await read_body(request, UndoBody)
    try:
        target = UUID(request.path_params["scan_id"])
    except ValueError:
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN) from None
    verdict = await undoing.undo(
        door=door,
        scan_id=body.id,
        target=target,
        reason=body.reason,
        at=datetime.now(UTC),
    )
    return render.json({"verdict": verdict.value, "words": said_in_every_language(verdict)})


class NoteBody(Body):
    """Takes the place of an open note; the same again changes nothing."""

    text: Localized = Field(default_factory=dict)
    attention: bool = False


async def leave_note(request: Request, door: Door) -> Response:
    body = await read_body(request, NoteBody)
    passport = await _passport(request, door)
    await notes.leave(
        actor=door.actor,
        event_id=door.event.id,
        passport_id=passport.id,
        text=localized(body.text),
        attention=body.attention,
        at=datetime.now(UTC),
    )
    return render.json(await _open_note(passport.id))


class NoteDone(Body):
    note: RowId


async def finish_note(request: Request, door: Door) -> Response:
    body = await read_body(request, NoteDone)
    passport = await _passport(request, door)
    await notes.finish(
        actor=door.actor,
        event_id=door.event.id,
        passport_id=passport.id,
        note_id=body.note,
        at=datetime.now(UTC),
    )
    return Response(status_code=204)


# --- a group -----------------------------------------------------------------------------------------------------


class GroupQuery(Query):
    leader: str = Field(default="", max_length=CODE_MAX, description="A code of the leader's passport.")
    passport_id: int | None = Field(
        default=None, ge=1, le=2**63 - 1, description="The leader's passport, instead of a code."
    )
    at: int | None = Field(
        default=None, ge=1, le=2**63 - 1, description="The checkpoint that is asked about."
    )


class GroupMember(Shape):
    """Somebody of the group; `short_code` goes into an ordinary scan, `here_since` is about the checkpoint's list."""

    passport_id: int
    name: str
    line: str
    ticket_type: dict[str, str]
    short_code: str
    status: PassportStatus
    badge: shapes.Badge | None
    notice: shapes.Notice | None
    here_since: datetime | None


class LeadersGroup(Shape):
    """Everybody whom a leader's passport opens, in the order of their names in pinyin."""

    name: str
    leader: int
    checkpoint: int
    here: int
    people: list[GroupMember]


async def _leader(door: Door, code: str, passport_id: int | None) -> tuple[PassportView, events.LedGroup]:
    """The leader and the group. Raises NotFound for a passport that opens none."""
    if passport_id is not None:
        leader = await passports.by_id(door.event.id, passport_id)
    else:
        found = await passports.by_code(door.event.id, code)
        if found is None:
            raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
        leader = found
    led = (await events.groups_led([leader.registration_id])).get(leader.registration_id)
    if led is None:
        raise NotFound(CheckinCode.NO_GROUP)
    return leader, led


async def _members(
    door: Door, led: events.LedGroup, view: checkpoints.CheckpointView
) -> list[queries.Member]:
    world = await checkpoints.world(door.event.id)
    now = datetime.now(UTC)
    return await queries.members(
        event_id=door.event.id,
        registration_ids=await events.group_members(door.event.id, led.id),
        list_id=view.facts.list_id,
        period=period_of(view.facts, at=now, programme_date=world.programme_date(now)),
    )


async def _checkpoint(door: Door, wanted: int | None) -> checkpoints.CheckpointView:
    """One of the actor's own, the first without a wish."""
    world, scope = await checkpoints.world(door.event.id), door.checkpoint_scope()
    own = [view for view in world.checkpoints.values() if scope is None or view.facts.id in scope]
    found = next((view for view in own if wanted is None or view.facts.id == wanted), None)
    if found is None:
        raise NotFound(CheckinCode.CHECKPOINT_UNKNOWN)
    return found


async def group(request: Request, door: Door) -> Response:
    asked = read_query(request, GroupQuery)
    view = await _checkpoint(door, asked.at)
    leader, led = await _leader(door, asked.leader, asked.passport_id)
    people = await _members(door, led, view)
    world = await checkpoints.world(door.event.id)
    return render.json(
        {
            "name": led.name,
            "leader": leader.id,
            "checkpoint": view.facts.id,
            "here": sum(1 for one in people if one.here_since),
            "people": [_member(one, world) for one in people],
        }
    )


def _member(one: queries.Member, world: checkpoints.World) -> dict[str, Any]:
    words = world.ticket_types.get(one.ticket_type_id)
    return {
        "passport_id": one.passport_id,
        "name": one.name,
        "line": one.line,
        "ticket_type": dict(words.name) if words else {},
        "short_code": one.short_code,
        "status": one.status.value,
        "badge": {"number": one.badge.number, "box": one.badge.box} if one.badge else None,
        "notice": orjson.Fragment(one.notice) if one.notice else None,
        "here_since": one.here_since,
    }


class Arriving(Body):
    """One person of the group. Without a `scan_id` it follows from the arrival's `id`."""

    passport_id: RowId
    scan_id: UUID | None = None


class ArrivalBody(Body):
    """A group comes in. Each person is one ordinary scan with an id of its own, so the same body again is the same
    scans; a device may as well send them one by one.
    """

    id: UUID
    leader: Annotated[str, StringConstraints(max_length=CODE_MAX)] = ""
    passport_id: RowId | None = None
    checkpoint: RowId
    members: Annotated[list[Arriving], Field(min_length=1, max_length=BATCH_MAX)]
    #: How long it waited on the device.
    age_ms: Annotated[int, Field(ge=-(2**53), le=2**53)] | None = None


class ArrivalResults(Shape):
    """One answer for each person, in the body's order, as for a batch of scans."""

    admitted: int
    results: list[shapes.BatchResult]


async def arrival(request: Request, door: Door) -> Response:
    body = await read_body(request, ArrivalBody)
    view = await _checkpoint(door, body.checkpoint)
    _, led = await _leader(door, body.leader, body.passport_id)
    known = {one.passport_id: one for one in await _members(door, led, view)}
    if any(one.passport_id not in known for one in body.members):
        raise Invalid({"members": Problem(CheckinCode.NOT_OF_THE_GROUP)})
    answers = await scanning.scan_batch(
        door=door,
        entries=[
            ScanEntry(
                one.scan_id or admission_id(body.id, one.passport_id),
                known[one.passport_id].short_code,
                view.facts.id,
                age_ms=body.age_ms,
            )
            for one in body.members
        ],
        at=datetime.now(UTC),
    )
    return render.json(
        {
            "admitted": sum(1 for one in answers if isinstance(one, Answer) and one.tone == "go"),
            "results": [
                {"passport_id": sent.passport_id, **_result(one)}
                for sent, one in zip(body.members, answers, strict=True)
            ],
        }
    )


def _result(answer: Answer | Refusal) -> dict[str, Any]:
    if isinstance(answer, Refusal):
        return {
            "ok": False,
            "code": answer.code,
            "title": render.words_for(answer.code),
            "retry": answer.code == Code.BUSY,
        }
    return {"ok": True} | as_json(answer)


# --- the lanes ---------------------------------------------------------------------------------------------------


class Lane(Shape):
    """How fast a lane is: scans and refusals in steps of five minutes, the latest last."""

    id: int
    name: dict[str, str]
    is_open: bool
    last_at: datetime | None
    scans: list[int]
    refused: list[int]


class Lanes(Shape):
    """The lanes that the reader leads. `steps_end_at` is when the last step ends."""

    server_time: datetime
    steps_end_at: datetime
    step_s: int
    lanes: list[Lane]


async def lanes(request: Request, door: Door) -> Response:
    """For the supervisor's drawer: asked every few seconds, and mostly answered with 304."""
    at = datetime.now(UTC)
    found = await counting.lanes(
        event_id=door.event.id, at=at, own=door.checkpoint_scope(Permission.OVERRIDE)
    )
    # Of what moves; the clock is told to whoever asks for the first time.
    etag = f'"{hashlib.sha256(orjson.dumps(found)).hexdigest()[:16]}"'
    headers = {"etag": etag, "cache-control": "private, no-cache", "vary": "Cookie, Authorization"}
    if render.reader_has(request, etag):
        return Response(status_code=304, headers=headers)
    response = render.json({"server_time": at, **found})
    for name, value in headers.items():
        response.headers[name] = value
    return response


def _doc(summary: str, answer: type[Shape] | None, **more: Any) -> ApiDoc:
    return ApiDoc(tag="At the door", summary=summary, answer=answer, **more)


def _person(
    path: str,
    handler: Any,
    name: str,
    permission: Permission,
    api: ApiDoc,
    *,
    methods: Sequence[str] = ("POST",),
) -> Entry:
    return route(
        f"/e/{{slug}}/api/people/{{passport_id:int}}{path}", handler, name, permission, methods, api=api
    )


ROUTES: list[Entry] = [
    _person(
        "",
        person,
        "checkin.api.person",
        Permission.SCAN,
        _doc("Somebody at the door: badge, note, group, and what a lead may take back.", PersonCard),
        methods=("GET",),
    ),
    _person(
        "/admit",
        admit,
        "checkin.api.person_admit",
        Permission.OVERRIDE,
        _doc(
            "Lets somebody in against a refusal, with a reason.",
            shapes.ScanAnswer,
            body=AdmitBody,
            refusals={404: (CheckinCode.CHECKPOINT_UNKNOWN,), 409: (Code.REPLAY_MISMATCH,)},
        ),
    ),
    _person(
        "/note",
        leave_note,
        "checkin.api.person_note",
        Permission.OVERRIDE,
        _doc("Leaves a word to staff, shown with every scan until it is done.", Note, body=NoteBody),
    ),
    _person(
        "/note/done",
        finish_note,
        "checkin.api.person_note_done",
        Permission.OVERRIDE,
        _doc("The note is done.", None, body=NoteDone, status=204),
    ),
    route(
        "/e/{slug}/api/scans/{scan_id}/undo",
        undo,
        "checkin.api.undo",
        Permission.OVERRIDE,
        ("POST",),
        api=_doc(
            "Takes a scan of the last minutes back, with a reason.",
            Undone,
            body=UndoBody,
            path={"scan_id": {"type": "string", "format": "uuid"}},
            refusals={
                404: (CheckinCode.PASSPORT_UNKNOWN,),
                409: (CheckinCode.UNDO_NOT_LATEST, CheckinCode.UNDO_TOO_LATE, Code.REPLAY_MISMATCH),
            },
        ),
    ),
    route(
        "/e/{slug}/api/groups/arrival",
        group,
        "checkin.api.group",
        Permission.SCAN,
        api=_doc(
            "Everybody of a leader's group, and who is here.",
            LeadersGroup,
            query=GroupQuery,
            refusals={404: (CheckinCode.NO_GROUP, CheckinCode.PASSPORT_UNKNOWN)},
        ),
    ),
    route(
        "/e/{slug}/api/groups/arrival",
        arrival,
        "checkin.api.group_arrival",
        Permission.SCAN,
        ("POST",),
        body_max=ARRIVAL_BODY_MAX,
        api=_doc(
            "Lets the chosen people of a group in; each is one ordinary scan.",
            ArrivalResults,
            body=ArrivalBody,
            refusals={404: (CheckinCode.NO_GROUP,), 422: (CheckinCode.NOT_OF_THE_GROUP,)},
        ),
    ),
    route(
        "/e/{slug}/api/lanes",
        lanes,
        "checkin.api.lanes",
        Permission.OVERRIDE,
        api=_doc("How fast one's own lanes are.", Lanes, is_conditional=True),
    ),
]
