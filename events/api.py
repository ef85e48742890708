"""JSON of an event, through the same doors and from the same queries and actions as the pages (decision 20)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, api_people, api_setup, api_team, imports, queries
from events.access import Door
from events.imports import ImportCode, ImportState
from events.json_api import Shape, answer
from events.rules import EventState, Permission
from people import queries as people
from web import render
from web.api_doc import ApiDoc
from web.routing import Entry


class PublicTicketType(Shape):
    """What the public form says of a ticket type."""

    code: str
    name: dict[str, str]
    is_online: bool
    is_full: bool


class Event(Shape):
    """What everybody may know of an event; nothing about quotas that the form does not say."""

    slug: str
    name: dict[str, str]
    tagline: dict[str, str]
    text: dict[str, str]
    city: dict[str, str]
    address: dict[str, str]
    starts_on: date
    ends_on: date
    time_zone: str
    theme_colour: str
    state: EventState
    is_sample: bool
    registration_opens_at: datetime | None
    registration_closes_at: datetime | None
    ticket_types: list[PublicTicketType]
    url: str


class Import(Shape):
    """How far an import is; `totals` counts the lines of the preview by what they do."""

    state: ImportState
    done: int
    total: int
    failed: bool
    totals: dict[str, int]


_EVENT_FIELDS: Final = tuple(name for name in Event.model_fields if name not in ("ticket_types", "url"))


async def _event(request: Request, door: Door) -> Response:
    del request
    facts = door.event
    types = await queries.ticket_types(facts.id, public_only=True)
    return answer(
        Event(
            **{name: getattr(facts, name) for name in _EVENT_FIELDS},
            ticket_types=[PublicTicketType.model_validate(item) for item in types],
            url=render.absolute(render.url("events.home", slug=facts.slug)),
        )
    )


async def _import(request: Request, door: Door) -> Response:
    """How far an import is; its page asks every second."""
    found = await imports.find_progress(door.event.id, int(request.path_params["import_id"]))
    job = await people.job(found.job_id) if found.job_id and found.state is ImportState.APPLYING else None
    return answer(
        Import(
            state=found.state,
            done=job.done if job else 0,
            total=job.total if job else 0,
            failed=bool(job and job.has_ended and found.state is ImportState.APPLYING),
            totals=dict(found.totals),
        )
    )


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/api/event",
        _event,
        "events.api.event",
        Permission.VIEW_PUBLIC,
        api=ApiDoc(
            tag="Event",
            summary="What the event is, and what one can register as.",
            answer=Event,
        ),
    ),
    access.route(
        "/e/{slug}/api/imports/{import_id:int}",
        _import,
        "events.api.import",
        Permission.CHANGE_REGISTRATIONS,
        api=ApiDoc(
            tag="Registrations",
            summary="How far an import is.",
            answer=Import,
            refusals={404: (ImportCode.UNKNOWN,)},
        ),
    ),
    *api_people.ROUTES,
    *api_setup.ROUTES,
    *api_team.ROUTES,
]
