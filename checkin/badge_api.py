"""JSON about badges: handing one over by its code, taking that back, and the list of all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from checkin import api_shapes as shapes
from checkin import badges, checkpoints, notes, passports, printing
from checkin.badge_rules import BadgeCode, Handing, JobState, PrintFailure
from checkin.badges import BadgeLine, Handed
from checkin.passports import PassportView
from checkin.rules import CODE_MAX, PassportStatus, Tone, VerdictCode, read_code
from checkin.words import HANDING, HANDING_HELP, HANDING_TONES, VERDICT_HELP, VERDICTS
from events.access import Door, route
from events.json_api import PAGE_SIZE, Body, Query, RowId, Shape, read_body, read_query
from events.rules import Permission
from kernel.errors import Code
from kernel.text import LOCALES
from web import i18n, render
from web.api_doc import ApiDoc
from web.routing import Entry

_STATUS: Final = {
    PassportStatus.NOT_CONFIRMED: VerdictCode.NOT_CONFIRMED,
    PassportStatus.CANCELLED: VerdictCode.CANCELLED,
    PassportStatus.REVOKED: VerdictCode.REVOKED,
}


class HandBody(Body):
    """A badge is handed over to whoever shows this code; the same `id` again is the same act."""

    id: UUID
    code: Annotated[str, StringConstraints(min_length=1, max_length=CODE_MAX * 2)]


class BackBody(Body):
    """`id` is the act's own."""

    id: UUID


class HandAnswer(Shape):
    """As a scan is answered; `said` is a word of its own or, where nothing was handed over, a verdict's."""

    id: UUID
    said: str
    tone: Tone
    words: dict[str, str]
    help: dict[str, str]
    at: datetime
    direction: str
    holder: shapes.Holder | None
    notice: shapes.Notice | None
    first: shapes.First | None
    elsewhere: shapes.Elsewhere | None


def _every(text: str) -> dict[str, str]:
    return {locale: i18n.gettext_in(locale, text) for locale in LOCALES}


async def hand_over(request: Request, door: Door) -> Response:
    """Nobody is admitted by it, and a passport that opens no door gets no badge."""
    body, at = await read_body(request, HandBody), datetime.now(UTC)
    passport = await passports.by_code(door.event.id, body.code)
    if passport is None:
        reading = read_code(body.code)
        nobody = (
            VerdictCode.MALFORMED
            if reading.is_malformed
            else VerdictCode.MISTYPED
            if reading.is_mistyped
            else VerdictCode.UNKNOWN
        )
        return render.json(_no(body.id, nobody, at))
    no = _STATUS.get(passport.status) if passport.is_live else VerdictCode.REVOKED
    if no is not None:
        return render.json(_no(body.id, no, at) | await _who(door, passport))
    done = await badges.hand_over(
        actor=door.actor, event_id=door.event.id, passport_id=passport.id, act_id=body.id, at=at
    )
    return render.json(_said(body.id, done) | await _who(door, passport))


async def take_back(request: Request, door: Door) -> Response:
    body, at = await read_body(request, BackBody), datetime.now(UTC)
    passport = await passports.by_id(door.event.id, int(request.path_params["passport_id"]))
    done = await badges.take_it_back(
        actor=door.actor, event_id=door.event.id, passport_id=passport.id, act_id=body.id, at=at
    )
    return render.json(_said(body.id, done) | await _who(door, passport))


def _said(act_id: UUID, done: Handed) -> dict[str, Any]:
    first = done.first_at if done.said is Handing.HANDED_OVER_BEFORE else None
    return {
        "id": act_id,
        "said": done.said.value,
        "tone": HANDING_TONES[done.said].value,
        "words": _every(HANDING[done.said]),
        "help": _every(HANDING_HELP[done.said]),
        "at": done.at,
        "direction": "badge",
        "holder": None,
        "notice": None,
        "first": {"at": first, "checkpoint": {}} if first else None,
        "elsewhere": None,
    }


def _no(act_id: UUID, verdict: VerdictCode, at: datetime) -> dict[str, Any]:
    return {
        "id": act_id,
        "said": verdict.value,
        "tone": Tone.STOP.value,
        "words": _every(VERDICTS[verdict]),
        "help": _every(VERDICT_HELP[verdict]),
        "at": at,
        "direction": "badge",
        "holder": None,
        "notice": None,
        "first": None,
        "elsewhere": None,
    }


async def _who(door: Door, passport: PassportView) -> dict[str, Any]:
    world = await checkpoints.world(door.event.id)
    words = world.ticket_types.get(passport.ticket_type_id)
    note = next((one for one in await notes.of(passport.id) if one.done_at is None), None)
    has_badge = passport.badge_number is not None or bool(passport.badge_box)
    return {
        "holder": {
            "passport_id": passport.id,
            "name": passport.badge_name,
            "line": passport.badge_line,
            "ticket_type": dict(words.name) if words else {},
            "door_note": dict(words.door_note) if words else {},
            "leads_group": False,
            "badge": {"number": passport.badge_number, "box": passport.badge_box} if has_badge else None,
        },
        "notice": {"text": dict(note.text), "attention": note.attention} if note else None,
    }


# --- the list ----------------------------------------------------------------------------------------------------


class BadgesQuery(Query):
    show: str = Field(
        default="",
        pattern="^(|waiting|out|unprinted|no_number)$",
        description="`waiting` for those not handed over yet, `out`, `unprinted`, `no_number`; all without it.",
    )
    box: str | None = Field(default=None, max_length=20)
    after: int = Field(default=0, ge=0, le=10**6, description="How many to leave out in front.")


class BadgeRow(Shape):
    """Somebody's badge, and what was done with it."""

    passport_id: int
    registration_id: int
    name: str
    line: str
    ticket_type: dict[str, str]
    short_code: str
    number: int | None
    box: str
    prints: int
    reprints: int
    printed_at: datetime | None
    handed_over_at: datetime | None


class Badges(Shape):
    """Badges by number, a page of them; `next_after` is null at the end."""

    total: int
    badges: list[BadgeRow]
    next_after: int | None


async def list_badges(request: Request, door: Door) -> Response:
    asked = read_query(request, BadgesQuery)
    found, total = await badges.listed(
        door.event.id, show=asked.show, box=asked.box, after=asked.after, limit=PAGE_SIZE
    )
    world = await checkpoints.world(door.event.id)
    end = asked.after + len(found)
    return render.json(
        {
            "total": total,
            "badges": [_row(one, world) for one in found],
            "next_after": end if end < total and found else None,
        }
    )


def _row(one: BadgeLine, world: checkpoints.World) -> dict[str, Any]:
    words, facts = world.ticket_types.get(one.ticket_type_id), one.facts
    return {
        "passport_id": one.passport_id,
        "registration_id": one.registration_id,
        "name": one.name,
        "line": one.line,
        "ticket_type": dict(words.name) if words else {},
        "short_code": one.short_code,
        "number": facts.badge.number if facts.badge else None,
        "box": facts.badge.box if facts.badge else "",
        "prints": facts.prints,
        "reprints": facts.reprints,
        "printed_at": facts.printed_at,
        "handed_over_at": facts.handed_over_at,
    }


# --- printing ----------------------------------------------------------------------------------------------------


class PrintStation(Shape):
    """A laptop with a printer. `is_there`: its page has asked for work in the last 45 seconds."""

    id: int
    name: str
    is_there: bool
    is_paused: bool
    waiting: int


class PrintStations(Shape):
    stations: list[PrintStation]


async def print_stations(request: Request, door: Door) -> Response:
    at = datetime.now(UTC)
    waiting = await printing.waiting(door.event.id)
    return render.json(
        {
            "stations": [
                {
                    "id": one.id,
                    "name": one.name,
                    "is_there": one.is_there(at),
                    "is_paused": one.pause is not None,
                    "waiting": waiting.get(one.id, 0),
                }
                for one in await printing.stations(door.event.id)
            ]
        }
    )


class PrintBody(Body):
    """Whose badge is wanted where; the same `id` again is the same job, and tells what became of it."""

    id: UUID
    station: RowId
    passport_id: RowId


class PrintJob(Shape):
    """A wish and what became of it. `ahead` of it so many wait."""

    id: int
    station: int
    state: JobState
    failure: PrintFailure | None
    ahead: int
    is_there: bool


async def print_job(request: Request, door: Door) -> Response:
    body = await read_body(request, PrintBody)
    wanted = await printing.ask(
        actor=door.actor,
        event_id=door.event.id,
        station_id=body.station,
        passport_id=body.passport_id,
        request_id=body.id,
        at=datetime.now(UTC),
    )
    return render.json(
        {
            "id": wanted.job_id,
            "station": wanted.station_id,
            "state": wanted.state.value,
            "failure": wanted.failure.value if wanted.failure else None,
            "ahead": wanted.ahead,
            "is_there": wanted.is_there,
        }
    )


def _doc(summary: str, answer: type[Shape], **more: Any) -> ApiDoc:
    return ApiDoc(tag="Badges", summary=summary, answer=answer, **more)


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/api/badges",
        list_badges,
        "checkin.api.badges",
        Permission.SEE_REGISTRATIONS,
        api=_doc("Badges by number, and what was done with each.", Badges, query=BadgesQuery),
    ),
    route(
        "/e/{slug}/api/print-stations",
        print_stations,
        "checkin.api.print_stations",
        Permission.SCAN,
        api=_doc("Where badges can be printed.", PrintStations),
    ),
    route(
        "/e/{slug}/api/print-jobs",
        print_job,
        "checkin.api.print_job",
        Permission.SCAN,
        ("POST",),
        api=_doc(
            "Wants a badge at a print station; the same `id` again is the same job.",
            PrintJob,
            body=PrintBody,
            refusals={
                404: (BadgeCode.STATION_UNKNOWN,),
                409: (
                    BadgeCode.STATION_CLOSED,
                    BadgeCode.QUEUE_FULL,
                    BadgeCode.NOTHING_TO_PRINT,
                    Code.REPLAY_MISMATCH,
                ),
            },
        ),
    ),
    route(
        "/e/{slug}/api/badges/handed-over",
        hand_over,
        "checkin.api.badge_handed_over",
        Permission.SCAN,
        ("POST",),
        api=_doc(
            "A badge is handed over; nobody is admitted by it.",
            HandAnswer,
            body=HandBody,
            refusals={409: (Code.REPLAY_MISMATCH,)},
        ),
    ),
    route(
        "/e/{slug}/api/badges/{passport_id:int}/taken-back",
        take_back,
        "checkin.api.badge_taken_back",
        Permission.OVERRIDE,
        ("POST",),
        api=_doc(
            "A badge was handed over by mistake.",
            HandAnswer,
            body=BackBody,
            refusals={409: (Code.REPLAY_MISMATCH,)},
        ),
    ),
]
