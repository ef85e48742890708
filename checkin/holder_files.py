"""A file that a registration gave as an answer, back to its holder."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from checkin.holder import mine
from checkin.shown import private
from events import answers
from events.access import Door, route
from events.desk.answers import file_response
from events.rules import Permission
from web.routing import Entry


async def file(request: Request, door: Door) -> Response:
    """The holder's own file, as a download; for anybody else there is none."""
    registration = await mine(request, door)
    data, filename = await answers.file_of(
        event_id=door.event.id,
        registration_id=registration.id,
        question_id=request.path_params["question_id"],
    )
    return private(file_response(data, filename))


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/me/{registration_id:int}/files/{question_id:int}",
        file,
        "checkin.holder.file",
        Permission.VIEW_PUBLIC,
    )
]
