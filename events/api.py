"""JSON of an event and its registrations, through the same door and from the same queries as the pages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from events import access, imports, queries
from events.access import Door
from events.imports import ImportCode, ImportState
from events.queries import Filter, RegistrationRow, Sort, TicketTypeFacts
from events.rules import EventCode, Permission, RegistrationState
from kernel.errors import NotFound
from people import queries as people
from web import render
from web.routing import Entry


def _word(request: Request, name: str, kind: Any) -> Any:
    """A word of an enum in the address; what is none narrows nothing."""
    try:
        return kind(request.query_params[name])
    except (KeyError, ValueError):
        return None


def _number(raw: str | None) -> int | None:
    return int(raw) if raw and raw.isascii() and raw.isdecimal() and len(raw) < 19 else None


async def _event(request: Request, door: Door) -> Response:
    """The event and what one can register as; public, so nothing about quotas that the form does not say."""
    del request
    facts = door.event
    return render.json(
        {
            "slug": facts.slug,
            "name": facts.name,
            "tagline": facts.tagline,
            "text": facts.text,
            "city": facts.city,
            "address": facts.address,
            "starts_on": facts.starts_on,
            "ends_on": facts.ends_on,
            "time_zone": facts.time_zone,
            "theme_colour": facts.theme_colour,
            "state": facts.state,
            "is_sample": facts.is_sample,
            "registration_opens_at": facts.registration_opens_at,
            "registration_closes_at": facts.registration_closes_at,
            "ticket_types": [
                _ticket_type(item) for item in await queries.ticket_types(facts.id, public_only=True)
            ],
            "url": render.absolute(render.url("events.home", slug=facts.slug)),
        }
    )


def _ticket_type(item: TicketTypeFacts) -> dict[str, Any]:
    return {"code": item.code, "name": item.name, "is_online": item.is_online, "is_full": item.is_full}


async def _registrations(request: Request, door: Door) -> Response:
    """A page of registrations; ``q``, ``state``, ``type``, ``sort`` and ``page`` as in the list's own address."""
    params = request.query_params
    wanted = Filter(
        text=params.get("q", "").strip()[:100],
        state=_word(request, "state", RegistrationState),
        ticket_type_id=_number(params.get("type")),
    )
    page = _number(params.get("page")) or 1
    sort = _word(request, "sort", Sort) or Sort.NEWEST
    found = await queries.registrations_page(door.event.id, wanted, sort=sort, page=min(page, 1_000_000))
    return render.json(
        {
            "total": found.total,
            "page": found.page,
            "pages": found.pages,
            "registrations": [_registration(row) for row in found.rows],
        }
    )


async def _registration_page(request: Request, door: Door) -> Response:
    wanted = _number(request.path_params["registration_id"])
    row = await queries.find_registration(door.event.id, wanted) if wanted else None
    if row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    return render.json(_registration(row))


def _registration(row: RegistrationRow) -> dict[str, Any]:
    plain = asdict(row)
    contact = plain.pop("contact")
    # The round of the personal link says nothing to anybody outside.
    del plain["secret_round"], plain["event_id"]
    return {**plain, **contact}


async def _import(request: Request, door: Door) -> Response:
    """How far an import is; its page asks every second."""
    import_id = _number(request.path_params["import_id"])
    if import_id is None:
        raise NotFound(ImportCode.UNKNOWN)
    found = await imports.find_progress(door.event.id, import_id)
    job = await people.job(found.job_id) if found.job_id and found.state is ImportState.APPLYING else None
    return render.json(
        {
            "state": found.state,
            "done": job.done if job else 0,
            "total": job.total if job else 0,
            "failed": bool(job and job.has_ended and found.state is ImportState.APPLYING),
            "totals": found.totals,
        }
    )


ROUTES: list[Entry] = [
    access.route("/e/{slug}/api/event", _event, "events.api.event", Permission.VIEW_PUBLIC),
    access.route(
        "/e/{slug}/api/registrations",
        _registrations,
        "events.api.registrations",
        Permission.SEE_REGISTRATIONS,
    ),
    access.route(
        "/e/{slug}/api/registrations/{registration_id}",
        _registration_page,
        "events.api.registration",
        Permission.SEE_REGISTRATIONS,
    ),
    access.route(
        "/e/{slug}/api/imports/{import_id}", _import, "events.api.import", Permission.CHANGE_REGISTRATIONS
    ),
]
