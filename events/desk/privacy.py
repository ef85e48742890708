"""Dropping a person at the organisers' desk, when somebody has asked for it by letter or by phone."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from events import access, privacy, queries
from events.access import Door
from events.desk import shared
from events.rules import EventCode, Permission
from kernel.errors import NotFound
from people.privacy_pages import ErasePage, private, unsure
from web import forms, i18n, render
from web.routing import Entry


async def _erase(request: Request, door: Door) -> Response:
    number = shared.whole_id(request.path_params["registration_id"]) or 0
    row = await queries.find_registration(door.event.id, number)
    if row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    back = render.url("events.desk.registration", slug=door.event.slug, registration_id=number)
    values: dict[str, Any] = {
        **access.frame(door, "events.desk.registrations"),
        "title": i18n.gettext("Erase this person"),
        "lead": row.contact.name,
        "lines": [
            i18n.gettext("Name, contact and personal answers go, with the letters to this person."),
            i18n.gettext(
                "If the event is still to come, the registration is cancelled and its place is free."
            ),
            i18n.gettext("The passport stops working at once."),
            i18n.gettext("Counts stay: that somebody came through a gate, without saying who."),
        ],
        "sure": i18n.gettext("This person has asked for it"),
        "back_href": back,
    }
    if request.method != "POST":
        return private(await render.page(request, ErasePage(**values)))
    typed = shared.typed_values(await forms.form_data(request))
    if problems := unsure(typed):
        return private(await render.page(request, ErasePage(**values, problems=problems), 422))
    await privacy.erase(actor=door.actor, event_id=door.event.id, registration_ids=[number], at=shared.now())
    return render.see_other(render.with_query(back, done="erased"))


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/desk/registrations/{registration_id}/erasure",
        _erase,
        "events.desk.registration_erasure",
        Permission.CHANGE_REGISTRATIONS,
        ("GET", "POST"),
    ),
]
