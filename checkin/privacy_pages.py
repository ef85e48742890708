"""A holder's own data in one event, by the link in their letter: looked at, taken along, erased."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from checkin.holder import mine, own_path
from checkin.passports import holder_cookie
from events import access, self_service
from events.access import Door, route
from events.privacy import erase
from events.queries import RegistrationFacts
from events.rules import Permission
from people import privacy
from people.privacy import Subject
from people.privacy_pages import DataPage, ErasePage, as_download, private, shown, unsure
from web import forms, i18n, render, signin
from web.routing import Entry


def _subject(registration: RegistrationFacts) -> Subject:
    return Subject(registration_ids=frozenset({registration.id}))


async def data(request: Request, door: Door) -> Response:
    registration = await mine(request, door)
    base = own_path(door.event, registration.id)
    page = DataPage(
        **access.frame(door),
        parts=shown(await privacy.held(_subject(registration)), door.event.time_zone),
        file_href=f"{base}/data.json",
        erase_href=f"{base}/erasure",
    )
    return private(await render.page(request, page))


async def data_file(request: Request, door: Door) -> Response:
    registration = await mine(request, door)
    return as_download(await privacy.held(_subject(registration)), f"{door.event.slug}-my-data")


async def erasure(request: Request, door: Door) -> Response:
    """GET explains, POST with the box ticked drops the person of this registration."""
    registration = await mine(request, door)
    values: dict[str, Any] = {
        **access.frame(door),
        "title": i18n.gettext("Erase my data"),
        "lead": registration.name,
        "lines": [
            i18n.gettext("Your name, contact and answers at this event go, with the letters to you."),
            i18n.gettext("If the event is still to come, your registration is cancelled."),
            i18n.gettext("Your passport stops working at once."),
            i18n.gettext("Counts stay: that somebody came through a gate, without saying who."),
        ],
        "sure": i18n.gettext("Yes, erase all of it"),
        "back_href": own_path(door.event, registration.id),
    }
    if request.method != "POST":
        return private(await render.page(request, ErasePage(**values)))
    typed = forms.typed(await forms.form_data(request, max_files=0, max_fields=5))
    if problems := unsure(typed):
        return private(await render.page(request, ErasePage(**values, problems=problems), 422))
    await erase(
        actor=self_service.holder(door.actor, registration.id),
        event_id=door.event.id,
        registration_ids=[registration.id],
        at=datetime.now(UTC),
    )
    page = ErasePage(**access.frame(door), title=i18n.gettext("Erased"), is_done=True)
    response = await render.page(request, page)
    signin.clear_cookie(response, holder_cookie(registration.id))
    return private(response)


_PATH = "/e/{slug}/me/{registration_id:int}"
ROUTES: list[Entry] = [
    route(f"{_PATH}/data", data, "checkin.holder.data", Permission.VIEW_PUBLIC),
    route(f"{_PATH}/data.json", data_file, "checkin.holder.data_file", Permission.VIEW_PUBLIC),
    route(
        f"{_PATH}/erasure",
        erasure,
        "checkin.holder.erasure",
        Permission.VIEW_PUBLIC,
        ("GET", "POST"),
        body_max=8 * 1024,
    ),
]
