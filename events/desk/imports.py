"""Pages of an import: upload, choose and look, apply, watch, read the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from events import access, imports, queries
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, attachment
from events.exporting import to_csv
from events.importing import FIELD_WORDS, Action
from events.imports import ImportCode, ImportFacts, ImportState
from events.rules import Permission
from events.sheets import Field, SheetProblem
from kernel.errors import Conflict, Invalid, NotFound, Problem, TooLarge
from kernel.text import N_
from people import queries as people
from people.rules import JobState
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.imports"
ONE: Final = "events.desk.import"
PAGE_SIZE: Final = 50
#: What the server reads of a body that is too large, only to answer it politely; beyond it the connection ends.
DRAINED_AT_MOST: Final = 256 * 1024 * 1024
#: Boundaries and field names around the file.
_AROUND: Final = 64 * 1024

WORDS: Final[dict[str, str]] = dict(imports.WORDS)

_STATE_KINDS: Final[Mapping[ImportState, str]] = {
    ImportState.PREVIEW: "care",
    ImportState.APPLYING: "note",
    ImportState.DONE: "go",
    ImportState.TURNED_DOWN: "plain",
}
_ACTION_KINDS: Final[Mapping[Action, str]] = {
    Action.CREATE: "plain",
    Action.UPDATE: "note",
    Action.SAME: "plain",
    Action.SKIP: "plain",
    Action.ERROR: "stop",
}


# --- the list, and the upload ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImportRow:
    href: str
    filename: str
    state: str
    state_kind: str
    summary: str
    at: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/imports.html"
    rows: Sequence[ImportRow]
    limit_mb: int
    has_types: bool


async def _list(request: Request, door: Door) -> Response:
    return await _show_list(request, door)


async def _show_list(
    request: Request, door: Door, problem: Problem | None = None, status: int = 200
) -> Response:
    zone = door.event.time_zone
    rows = await imports.list_imports(door.event.id)
    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            problems={"file": problem} if problem else {},
            rows=[
                ImportRow(
                    href=render.url(ONE, slug=door.event.slug, import_id=row.id),
                    filename=row.filename or i18n.gettext(N_("Erased list")),
                    state=render.words_for(row.state),
                    state_kind=_STATE_KINDS[row.state],
                    summary=_summary(row.totals),
                    at=render.moment(row.created_at, zone),
                )
                for row in rows
            ],
            limit_mb=shared.settings().upload_mb,
            has_types=bool(await queries.ticket_types(door.event.id)),
        ),
        status,
    )


def _summary(totals: Mapping[str, int]) -> str:
    parts = [
        f"{i18n.gettext(imports.ACTION_WORDS[action])} {totals[action]}"
        for action in Action
        if totals.get(action)
    ]
    return " · ".join(parts)


async def _upload(request: Request, door: Door) -> Response:
    limit_mb = shared.settings().upload_mb
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit_mb * 1024 * 1024 + _AROUND:
        # Read to its end without keeping it: a browser whose upload is cut off shows its own error, not our answer.
        size = 0
        async for part in request.stream():
            size += len(part)
        return await _show_list(request, door, _too_large(size, limit_mb), 413)
    data = await forms.form_data(request)
    try:
        return await _take(request, door, data.get("file"), limit_mb)
    finally:
        # The file lies in a temporary one, which only this gives back at once.
        await data.close()


async def _take(request: Request, door: Door, file: UploadFile | str | None, limit_mb: int) -> Response:
    if not isinstance(file, UploadFile) or not file.filename:
        return await _show_list(request, door, Problem("not_a_file"), 422)
    if (file.size or 0) > limit_mb * 1024 * 1024:
        return await _show_list(request, door, _too_large(file.size or 0, limit_mb), 413)
    try:
        import_id = await imports.begin(
            actor=door.actor,
            event=door.event,
            filename=file.filename,
            data=await file.read(),
            at=shared.now(),
        )
    except (SheetProblem, TooLarge) as refusal:
        return await _show_list(request, door, Problem(refusal.code, refusal.params), refusal.status)
    return render.see_other(render.url(ONE, slug=door.event.slug, import_id=import_id))


def _too_large(size: int, limit_mb: int) -> Problem:
    return Problem(ImportCode.UPLOAD_TOO_LARGE, {"size": round(size / 1024 / 1024, 1), "limit": limit_mb})


async def _example(request: Request, door: Door) -> Response:
    """A small list to fill in, with this event's own ticket types."""
    del request
    locale = i18n.current_locale()
    types = [item.name.in_(locale) or item.code for item in await queries.ticket_types(door.event.id)] or [""]
    titles = [
        i18n.gettext(words)
        for words in (
            N_("Full name"),
            N_("E-mail"),
            N_("Mobile phone"),
            N_("Organisation"),
            N_("Ticket type"),
        )
    ]
    rows = [
        ["林小满", "xiaoman@example.org", "138 0013 8000", "开源社", types[0]],
        ["Ada Lovelace", "ada@example.org", "", "Analytical Engines", types[-1]],
    ]
    body = b"".join(to_csv(titles, rows))
    return Response(body, media_type="text/csv; charset=utf-8", headers=attachment("huiwu-example.csv"))


# --- one import --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """One field of ours, and what stands in the column chosen for it."""

    name: str
    label: str
    chosen: str
    column: str
    samples: str
    needed: bool


@dataclass(frozen=True, slots=True)
class ReportRow:
    line: int
    name: str
    action: str
    kind: str
    problems: Sequence[str]
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Full:
    """A ticket type that the list would fill beyond its quota."""

    name: str
    wanted: int
    free: int
    over: int
    href: str


@dataclass(frozen=True, kw_only=True)
class OnePage(DeskPage):
    template: ClassVar[str] = "events/desk/import.html"
    id: int
    filename: str
    state: ImportState
    state_words: str
    state_kind: str
    who_at: str
    plan_round: int
    notice: str
    totals: Mapping[str, int]
    importable: int
    mapping_problems: Sequence[str]
    full: Sequence[Full]
    header_rows: Sequence[tuple[int, str]]
    sheets: Sequence[tuple[str, str]]
    columns: Sequence[tuple[str, str]]
    choices: Sequence[ColumnChoice]
    unused: Sequence[str]
    types: Sequence[tuple[int, str]]
    chips: Sequence[tuple[str, str, int | None, bool]]
    rows: Sequence[ReportRow]
    first: int
    last: int
    total: int
    previous_href: str | None
    next_href: str | None
    job_done: int = 0
    job_total: int = 0
    job_failed: str = ""
    erased_on: str = ""
    is_erased: bool = False
    problem_count: int = 0


#: What the report can be narrowed to.
_SHOWN: Final[Mapping[str, str]] = {
    "": N_("All lines"),
    "error": N_("Problems"),
    "warned": N_("Warnings"),
    "create": N_("New"),
    "update": N_("Changed"),
    "same": N_("Registered already"),
}


async def _get(request: Request, door: Door) -> ImportFacts:
    import_id = shared.whole_id(request.path_params["import_id"])
    if import_id is None:
        raise NotFound(ImportCode.UNKNOWN)
    return await imports.find(door.event.id, import_id)


async def _one(request: Request, door: Door) -> Response:
    return await _show(request, door, await _get(request, door))


async def _show(
    request: Request,
    door: Door,
    facts: ImportFacts,
    *,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    trouble: str = "",
    status: int = 200,
) -> Response:
    slug, zone, locale = door.event.slug, door.event.time_zone, i18n.current_locale()
    report, totals = facts.report, facts.totals
    here = render.url(ONE, slug=slug, import_id=facts.id)
    types = await queries.ticket_types(door.event.id)
    columns = [(str(index), _title(column)) for index, column in enumerate(report.get("columns", ()))]
    shown = request.query_params.get("show", "")
    shown = shown if shown in _SHOWN else ""
    rows = [row for row in report.get("rows", ()) if _is_shown(row, shown)]
    page = min(shared.whole_page(request.query_params.get("page")), max(-(-len(rows) // PAGE_SIZE), 1))
    part = rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    job = await people.job(facts.job_id) if facts.job_id and facts.state is ImportState.APPLYING else None
    used = set(facts.mapping.values())
    who = await _who(facts)
    return await render.page(
        request,
        OnePage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            trouble=trouble,
            values=values if values is not None else _values(facts),
            problems=problems or {},
            id=facts.id,
            filename=facts.filename or i18n.gettext(N_("Erased list")),
            state=facts.state,
            state_words=render.words_for(facts.state),
            state_kind=_STATE_KINDS[facts.state],
            who_at=f"{who} · {render.moment(facts.created_at, zone)}"
            if who
            else render.moment(facts.created_at, zone),
            plan_round=facts.round,
            notice=render.words_for(facts.notice) if facts.notice else "",
            totals=totals,
            importable=totals.get("create", 0) + totals.get("update", 0),
            mapping_problems=[
                render.words_for(one["code"], one["params"]) for one in report.get("problems", ())
            ],
            full=_full(report, types, slug, locale),
            header_rows=[
                (line, f"{line}: {' · '.join(cells)}"[:90])
                for line, cells in enumerate(report.get("head", ()), 1)
                if cells
            ],
            sheets=[(name, name) for name in report.get("sheets", ())],
            columns=columns,
            choices=_choices(facts),
            unused=[title for index, title in columns if int(index) not in used],
            types=[(item.id, item.name.in_(locale)) for item in types],
            chips=[
                (
                    i18n.gettext(words),
                    render.with_query(here, show=name),
                    _count(report, totals, name),
                    name == shown,
                )
                for name, words in _SHOWN.items()
                if not name or totals.get(name)
            ],
            rows=[_row(row) for row in part],
            first=(page - 1) * PAGE_SIZE + 1 if part else 0,
            last=(page - 1) * PAGE_SIZE + len(part),
            total=len(rows),
            previous_href=render.with_query(here, show=shown, page=page - 1) if page > 1 else None,
            next_href=render.with_query(here, show=shown, page=page + 1)
            if page * PAGE_SIZE < len(rows)
            else None,
            job_done=job.done if job else 0,
            job_total=job.total if job else 0,
            job_failed=str(job.result.get("reference") or job.result.get("code", "?"))
            if job and job.state is JobState.FAILED
            else "",
            erased_on=render.day(facts.created_at + imports.KEPT, zone),
            is_erased=facts.is_erased,
            problem_count=totals.get("error", 0),
        ),
        status,
    )


async def _who(facts: ImportFacts) -> str:
    kind, _, number = facts.actor_key.partition(":")
    if kind != "account":
        return i18n.gettext(N_("The system"))
    known = (await people.accounts([int(number)])).get(int(number))
    return (known.name or known.email) if known else ""


def _title(column: Mapping[str, Any]) -> str:
    return f"{column['letter']} · {column['title']}" if column["title"] else str(column["letter"])


def _values(facts: ImportFacts) -> dict[str, str]:
    return {
        "header_row": str(facts.header_row),
        "sheet": facts.sheet,
        "default_ticket_type_id": str(facts.default_ticket_type_id or ""),
        "update_same": "1" if facts.update_same else "",
        **{f"column.{which}": str(column) for which, column in facts.mapping.items()},
    }


def _choices(facts: ImportFacts) -> Sequence[ColumnChoice]:
    columns = facts.report.get("columns", ())
    needed = {Field.NAME, Field.EMAIL, Field.PHONE, Field.TICKET_TYPE}
    found = []
    for which in Field:
        column = facts.mapping.get(which)
        samples = columns[column]["samples"] if column is not None and column < len(columns) else []
        found.append(
            ColumnChoice(
                name=f"column.{which}",
                label=i18n.gettext(FIELD_WORDS[which]),
                chosen="" if column is None else str(column),
                column=_title(columns[column]) if column is not None and column < len(columns) else "",
                samples=i18n.gettext(N_(", ")).join(samples),
                needed=which in needed,
            )
        )
    return found


def _full(
    report: Mapping[str, Any], types: Sequence[queries.TicketTypeFacts], slug: str, locale: str
) -> Sequence[Full]:
    names = {item.id: item.name.in_(locale) for item in types}
    return [
        Full(
            names.get(one["ticket_type_id"], ""),
            one["wanted"],
            one["free"],
            one["over"],
            render.url("events.desk.ticket_type", slug=slug, ticket_type_id=one["ticket_type_id"]),
        )
        for one in report.get("full", ())
    ]


def _is_shown(row: Mapping[str, Any], shown: str) -> bool:
    return not shown or (bool(row["warnings"]) if shown == "warned" else row["action"] == shown)


def _count(report: Mapping[str, Any], totals: Mapping[str, int], shown: str) -> int:
    return totals.get(shown, 0) if shown else len(report.get("rows", ()))


def _row(row: Mapping[str, Any]) -> ReportRow:
    action = Action(row["action"])
    return ReportRow(
        line=row["line"],
        name=row["name"],
        action=i18n.gettext(imports.ACTION_WORDS[action]),
        kind=_ACTION_KINDS[action],
        problems=[_said(one) for one in row["problems"]],
        warnings=[_said(one) for one in row["warnings"]],
    )


def _said(one: Mapping[str, Any]) -> str:
    """A problem in words, after the field it concerns."""
    words = render.words_for(one["code"], one["params"])
    if not one["field"]:
        return words
    label = i18n.gettext(FIELD_WORDS[Field(one["field"])])
    return label + i18n.gettext(": ") + words


# --- choices, applying, turning down -----------------------------------------------------------------------------


async def _choose(request: Request, door: Door) -> Response:
    facts = await _get(request, door)
    values = shared.typed_values(await forms.form_data(request))
    problems: dict[str, Problem] = {}
    header_row = shared.whole_id(values.get("header_row"))
    if header_row is None or not 1 <= header_row <= max(len(facts.report.get("head", ())), 1):
        problems["header_row"] = Problem("chosen_wrongly")
    width = len(facts.report.get("columns", ()))
    mapping: dict[Field, int] = {}
    for which in Field:
        raw = values.get(f"column.{which}", "")
        if not raw:
            continue
        column = shared.whole_id(raw)
        if column is None or column >= width:
            problems[f"column.{which}"] = Problem("chosen_wrongly")
        else:
            mapping[which] = column
    raw_type = values.get("default_ticket_type_id", "")
    try:
        if problems:
            raise Invalid(problems)
        await imports.choose(
            actor=door.actor,
            event=door.event,
            import_id=facts.id,
            header_row=header_row or 1,
            mapping=mapping,
            default_ticket_type_id=(shared.whole_id(raw_type) or 0) if raw_type else None,
            update_same=bool(values.get("update_same")),
            sheet=values.get("sheet", ""),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _show(request, door, facts, values=values, problems=refusal.fields, status=422)
    except SheetProblem as refusal:
        problem = Problem(refusal.code, refusal.params)
        return await _show(
            request, door, facts, values=values, problems={"sheet": problem}, status=refusal.status
        )
    except Conflict as refusal:
        return await _again(request, door, refusal)
    return render.see_other(render.url(ONE, slug=door.event.slug, import_id=facts.id))


async def _again(request: Request, door: Door, refusal: Conflict) -> Response:
    """The page as it is now, and why nothing was done."""
    facts = await _get(request, door)
    words = render.words_for(refusal.code, refusal.params)
    return await _show(request, door, facts, trouble=words, status=refusal.status)


async def _apply(request: Request, door: Door) -> Response:
    facts = await _get(request, door)
    values = shared.typed_values(await forms.form_data(request))
    try:
        await imports.apply(
            actor=door.actor,
            event_id=door.event.id,
            import_id=facts.id,
            plan_round=shared.whole_id(values.get("round")) or 0,
            partial=bool(values.get("partial")),
            at=shared.now(),
        )
    except Conflict as refusal:
        if refusal.code == ImportCode.NOT_CLEAN and facts.totals.get("error"):
            problem = Problem(refusal.code, refusal.params)
            return await _show(request, door, facts, problems={"partial": problem}, status=refusal.status)
        return await _again(request, door, refusal)
    return render.see_other(render.url(ONE, slug=door.event.slug, import_id=facts.id))


async def _try_again(request: Request, door: Door) -> Response:
    facts = await _get(request, door)
    try:
        await imports.try_again(actor=door.actor, event_id=door.event.id, import_id=facts.id, at=shared.now())
    except Conflict as refusal:
        return await _again(request, door, refusal)
    return render.see_other(render.url(ONE, slug=door.event.slug, import_id=facts.id))


async def _turn_down(request: Request, door: Door) -> Response:
    facts = await _get(request, door)
    try:
        await imports.turn_down(actor=door.actor, event_id=door.event.id, import_id=facts.id, at=shared.now())
    except Conflict as refusal:
        return await _again(request, door, refusal)
    return shared.back_to(door, LIST, done="turned_down")


async def _report(request: Request, door: Door) -> Response:
    """The uploaded list with what happened to each line, whole or only the lines with problems."""
    facts = await _get(request, door)
    shown = request.query_params.get("show", "")
    said = {}
    for row in facts.report.get("rows", ()):
        if _is_shown(row, shown if shown in _SHOWN else ""):
            one = _row(row)
            said[one.line] = (one.action, i18n.gettext(N_("; ")).join([*one.problems, *one.warnings]))
    titles = (i18n.gettext(N_("Line")), i18n.gettext(N_("What happened")), i18n.gettext(N_("Why")))
    try:
        body = await imports.report_file(event_id=door.event.id, import_id=facts.id, titles=titles, said=said)
    except Conflict as refusal:
        return await _again(request, door, refusal)
    headers = attachment(f"import-{facts.id}-report.csv")
    return Response(body, media_type="text/csv; charset=utf-8", headers=headers)


_MAY: Final = Permission.CHANGE_REGISTRATIONS
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/imports", _list, LIST, _MAY),
    access.route(
        "/e/{slug}/desk/imports",
        _upload,
        "events.desk.import_upload",
        _MAY,
        ("POST",),
        body_max=DRAINED_AT_MOST,
    ),
    access.route("/e/{slug}/desk/imports/example.csv", _example, "events.desk.import_example", _MAY),
    access.route("/e/{slug}/desk/imports/{import_id}", _one, ONE, _MAY),
    access.route(
        "/e/{slug}/desk/imports/{import_id}/choices", _choose, "events.desk.import_choices", _MAY, ("POST",)
    ),
    access.route(
        "/e/{slug}/desk/imports/{import_id}/application",
        _apply,
        "events.desk.import_application",
        _MAY,
        ("POST",),
    ),
    access.route(
        "/e/{slug}/desk/imports/{import_id}/continuation",
        _try_again,
        "events.desk.import_continuation",
        _MAY,
        ("POST",),
    ),
    access.route(
        "/e/{slug}/desk/imports/{import_id}/cancellation",
        _turn_down,
        "events.desk.import_cancellation",
        _MAY,
        ("POST",),
    ),
    access.route("/e/{slug}/desk/imports/{import_id}/report.csv", _report, "events.desk.import_report", _MAY),
]
