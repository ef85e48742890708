"""The organiser's way to bring a programme in from a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from agenda import sessions
from events.access import Door, frame, route
from events.rules import Permission
from kernel.errors import Code, Problem, Refusal
from kernel.text import N_
from web import i18n, render
from web.forms import form_data
from web.render import FormContext
from web.routing import Entry

#: A programme of 300 sessions has some 60 kB; a workbook with pictures is somebody's mistake.
LIST_MAX: Final = 4 * 1024 * 1024

#: The columns as the report names them.
_COLUMNS: Final[Mapping[str, str]] = {
    "title": N_("Title"),
    "title.zh-Hans": N_("Title in Chinese"),
    "title.en": N_("Title in English"),
    "starts_at": N_("Start"),
    "ends_at": N_("End"),
    "place": N_("Place"),
    "kind": N_("Kind"),
    "speakers": N_("Speakers"),
    "guid": N_("Guid"),
    "": N_("Whole line"),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    number: int
    column: str
    words: str


@dataclass(frozen=True, kw_only=True)
class ImportPage(FormContext):
    template: ClassVar[str] = "agenda/import.html"
    lines: Sequence[Line] = ()
    #: added, changed, the same as before
    done: tuple[int, int, int] | None = None
    zone: str = ""
    back: str = ""


async def import_list(request: Request, door: Door) -> Response:
    """Takes a CSV or XLSX list: all rows or none, with a report of every line that can't be read."""
    back = render.url("agenda.programme", slug=door.event.slug)
    around = {"zone": door.event.time_zone, "back": back, **frame(door, "agenda.programme")}
    if request.method == "GET":
        return await render.page(request, ImportPage(**around))
    file = (await form_data(request)).get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        page = ImportPage(problems={"file": Problem(Code.REQUIRED)}, **around)
        return await render.page(request, page, 422)
    data = await file.read()
    await file.close()
    try:
        report = await sessions.import_csv(
            actor=door.actor,
            event_id=door.event.id,
            filename=file.filename,
            data=data,
            at=datetime.now(UTC),
        )
    except Refusal as refusal:
        page = ImportPage(problems={"file": Problem(refusal.code, refusal.params)}, **around)
        return await render.page(request, page, refusal.status)
    lines = [
        Line(
            number=one.line,
            column=i18n.gettext(_COLUMNS.get(one.field, one.field)),
            words=render.problem_text(one.problem),
        )
        for one in report.problems
    ]
    done = None if lines else (report.created, report.updated, report.same)
    return await render.page(request, ImportPage(lines=lines, done=done, **around), 422 if lines else 200)


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/desk/agenda/import",
        import_list,
        "agenda.import",
        Permission.CHANGE_EVENT,
        methods=("GET", "POST"),
        body_max=LIST_MAX,
    ),
]
