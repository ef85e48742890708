"""Pages of an import of proposals: upload, look and choose columns, apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import uuid4

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_import
from agenda.cfp_columns import BY_KEY
from agenda.cfp_export import title_of
from agenda.cfp_import import Choices, Preview
from agenda.cfp_plan import Line, LineCode, Said
from agenda.proposals import world
from events import access, questionnaire
from events.access import Door
from events.desk import shared
from events.desk.imports import DRAINED_AT_MOST
from events.desk.shared import DeskPage, attachment
from events.exporting import Cell, to_csv
from events.form_rules import FileAnswer
from events.importing import Action
from events.imports import ACTION_WORDS, ImportCode
from events.rules import Permission
from events.sheets import SheetProblem
from kernel.errors import Conflict, NotFound, Problem
from kernel.text import N_
from people import uploads
from web import forms, i18n, render
from web.routing import Entry

IMPORT: Final = "agenda.desk.proposals_import"
LOOK: Final = "agenda.desk.proposals_import_look"
PAGE_SIZE: Final = 100
_KEY: Final = "cfp.import"

WORDS: Final[Mapping[str, str]] = {
    LineCode.NOTHING: N_("There is neither a proposal nor a speaker on this line."),
    LineCode.TITLE: N_("A new proposal needs a title."),
    LineCode.NAME: N_("A new speaker needs a name."),
    LineCode.TYPE: N_("The call has no kind of session “%(value)s”, or more than one."),
    LineCode.FORUM: N_("The event has no forum “%(value)s”, or more than one."),
    LineCode.NOT_YOUR_FORUM: N_("You may import into your own forums only."),
    LineCode.TAG: N_("The event has no tag “%(value)s”."),
    LineCode.STATE: N_("The state “%(value)s” is not known."),
    LineCode.LANGUAGE: N_("The language “%(value)s” is not known."),
    LineCode.LEVEL: N_("The level “%(value)s” is not known. Known are beginner, intermediate and advanced."),
    LineCode.ROLE: N_("The part “%(value)s” is not known. Known are speaker, moderator and guest."),
    LineCode.NUMBER: N_("“%(value)s” is no length. Give minutes, from 5 to 480."),
    LineCode.DATE: N_("“%(value)s” is no date."),
    LineCode.YES_NO: N_("“%(value)s” is neither yes nor no."),
    LineCode.TOO_LONG: N_("This is too long: at most %(limit)s characters."),
    LineCode.CODE: N_("A code has six letters and digits. Another system's goes into the external ID."),
    LineCode.CODE_UNKNOWN: N_("This code belongs to something that you don't see."),
    LineCode.EMAIL: N_("“%(value)s” is no e-mail address."),
    LineCode.PHONE: N_("“%(value)s” is no phone number."),
    LineCode.ANSWER: N_("“%(value)s” is no answer to this question."),
    LineCode.FORMULA: N_("A formula has failed in this cell."),
    LineCode.TWICE: N_("Line %(line)s says the same."),
    LineCode.OTHER_SPEAKER: N_("This address belongs to another speaker."),
    LineCode.DRAFT: N_("A draft: it belongs to whoever is writing it."),
    LineCode.STATE_STAYS: N_("It is here already, and keeps its state."),
    LineCode.ACCOUNT_STAYS: N_("This speaker has an account, and keeps their own words."),
    LineCode.THERE: N_("It is here already, just so."),
}

_KINDS: Final[Mapping[Action, str]] = {
    Action.CREATE: "go",
    Action.UPDATE: "note",
    Action.SAME: "plain",
    Action.SKIP: "plain",
    Action.ERROR: "stop",
}


@dataclass(frozen=True, kw_only=True)
class UploadPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_proposals_import.html"
    limit_mb: int
    has_call: bool
    list_href: str
    export_href: str
    call_href: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A column of the file: its name there, what stands in it, and the key chosen for it."""

    name: str
    label: str
    samples: str
    chosen: str


@dataclass(frozen=True, slots=True)
class Shown:
    line: int
    name: str
    action: str
    kind: str
    problems: Sequence[str]
    notes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class LookPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_proposals_import_look.html"
    mark: str
    filename: str
    here: str
    digest: str
    form_id: str
    is_json: bool
    lacks_columns: bool
    sheets: Sequence[tuple[str, str]]
    heads: Sequence[tuple[str, str]]
    choices: Sequence[Choice]
    keys: Sequence[tuple[str, str]]
    unused: Sequence[str]
    summary: Sequence[tuple[str, int, str]]
    importable: int
    errors: int
    chips: Sequence[tuple[str, str, int, bool]]
    rows: Sequence[Shown]
    first: int
    last: int
    total: int
    previous_href: str | None
    next_href: str | None
    list_href: str


async def _start(request: Request, door: Door) -> Response:
    return await _upload_page(request, door)


async def _upload_page(
    request: Request, door: Door, problem: Problem | None = None, status: int = 200
) -> Response:
    slug = door.event.slug
    return await render.page(
        request,
        UploadPage(
            **access.frame(door, "agenda.desk.proposals"),
            problems={"file": problem} if problem else {},
            limit_mb=shared.settings().upload_mb,
            has_call=await world(door.event.id) is not None,
            list_href=render.url("agenda.desk.proposals", slug=slug),
            export_href=render.url("agenda.desk.proposals_export", slug=slug),
            call_href=render.url("agenda.desk.call", slug=slug) if door.may(Permission.CHANGE_CALL) else "",
        ),
        status,
    )


def _too_large(size: int, limit_mb: int) -> Problem:
    return Problem(ImportCode.UPLOAD_TOO_LARGE, {"size": round(size / 1024 / 1024, 1), "limit": limit_mb})


async def _upload(request: Request, door: Door) -> Response:
    limit_mb, at = shared.settings().upload_mb, shared.now()
    data = await forms.form_data(request)
    try:
        file = data.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return await _upload_page(request, door, Problem("not_a_file"), 422)
        if (file.size or 0) > limit_mb * 1024 * 1024:
            return await _upload_page(request, door, _too_large(file.size or 0, limit_mb), 413)
        content, name = await file.read(), file.filename[:200]
    finally:
        await data.close()
    try:
        # Read before it is kept: what is no list is refused on this page.
        await cfp_import.look(door, filename=name, data=content, choices=Choices())
    except SheetProblem as refusal:
        return await _upload_page(request, door, Problem(refusal.code, refusal.params), refusal.status)
    number = await uploads.keep(
        data=content,
        filename=name,
        event_id=door.event.id,
        actor_key=door.actor.key,
        at=at,
        keep_until=at + cfp_import.KEPT,
    )
    mark = questionnaire.mark(door.event.id, _KEY, FileAnswer(number, name, door.actor.key.replace(":", "-")))
    return render.see_other(render.with_query(render.url(LOOK, slug=door.event.slug), file=mark))


@dataclass(frozen=True, slots=True)
class _File:
    mark: str
    filename: str
    data: bytes
    choices: Choices

    def here(self, door: Door, **more: Any) -> str:
        query = {"sheet": self.choices.sheet or "", "header": str(self.choices.header_row or "")}
        chosen = {name: value for name, value in (query | more).items() if value}
        return render.with_query(render.url(LOOK, slug=door.event.slug), file=self.mark, **chosen)


async def _file(request: Request, door: Door) -> _File:
    """The uploaded file that the address names, for whoever uploaded it. Raises NotFound for a mark that is not theirs."""
    mark = request.query_params.get("file", "")
    found = await questionnaire.read_file(
        FormData([("file.kept", mark)]),
        "file",
        event_id=door.event.id,
        key=_KEY,
        actor_key=door.actor.key,
        at=shared.now(),
    )
    if not isinstance(found, FileAnswer) or found.digest != door.actor.key.replace(":", "-"):
        raise NotFound(ImportCode.ERASED)
    data, name = await uploads.read(found.upload_id)
    header = shared.whole_id(request.query_params.get("header"))
    sheet = request.query_params.get("sheet") or None
    return _File(
        mark, name, data, Choices(sheet=sheet, header_row=header if header and header <= 10 else None)
    )


async def _look(request: Request, door: Door) -> Response:
    file = await _file(request, door)
    try:
        preview = await cfp_import.look(door, filename=file.filename, data=file.data, choices=file.choices)
    except SheetProblem as refusal:
        return await _upload_page(request, door, Problem(refusal.code, refusal.params), refusal.status)
    return await _look_page(request, door, file, preview)


async def _look_page(
    request: Request,
    door: Door,
    file: _File,
    preview: Preview,
    *,
    trouble: str = "",
    form_id: str = "",
    status: int = 200,
) -> Response:
    totals, lines = preview.plan.totals, preview.plan.lines
    shown = request.query_params.get("show", "")
    shown = shown if shown in (*Action, "warned") else ""
    wanted = [line for line in lines if _is_shown(line, shown)]
    number = min(shared.whole_page(request.query_params.get("page")), max(-(-len(wanted) // PAGE_SIZE), 1))
    part = wanted[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    at_hand = await world(door.event.id)
    labels = {
        one.question.code: one.question.label.in_(i18n.current_locale())
        for one in (at_hand.fields if at_hand else ())
    }
    chosen = {column: key for key, column in preview.mapping.items()}
    page = LookPage(
        **access.frame(door, "agenda.desk.proposals"),
        done=_done(request),
        trouble=trouble,
        values={
            "sheet": preview.sheet,
            "header": str(preview.header_row),
            **{f"column.{number}": key for number, key in chosen.items()},
        },
        mark=file.mark,
        filename=file.filename,
        here=file.here(door),
        digest=preview.digest,
        form_id=form_id or str(uuid4()),
        is_json=preview.is_json,
        lacks_columns=preview.lacks_columns,
        sheets=[(name, name) for name in preview.sheets],
        heads=[
            (str(line), f"{line}: {' · '.join(cells)}"[:90])
            for line, cells in enumerate(preview.head, 1)
            if cells
        ],
        choices=[
            Choice(
                f"column.{index}",
                f"{letter} · {title}" if title else letter,
                i18n.gettext(", ").join(samples),
                chosen.get(index, ""),
            )
            for index, (letter, title, samples) in enumerate(preview.columns)
        ],
        keys=[(key, _key_words(key, labels)) for key in preview.keys],
        unused=preview.unused,
        summary=[
            (i18n.gettext(ACTION_WORDS[action]), totals[action], _KINDS[action])
            for action in Action
            if totals[action]
        ],
        importable=totals[Action.CREATE] + totals[Action.UPDATE],
        errors=totals[Action.ERROR],
        chips=[
            (words, file.here(door, show=name), count, name == shown)
            for name, words, count in (
                ("", i18n.gettext("All lines"), len(lines)),
                *(
                    (str(action), i18n.gettext(ACTION_WORDS[action]), totals[action])
                    for action in Action
                    if totals[action]
                ),
            )
        ],
        rows=[
            Shown(
                line.line,
                line.name,
                i18n.gettext(ACTION_WORDS[line.action]),
                _KINDS[line.action],
                [_said(one, labels) for one in line.problems],
                [_said(one, labels) for one in line.notes],
            )
            for line in part
        ],
        first=(number - 1) * PAGE_SIZE + 1 if part else 0,
        last=(number - 1) * PAGE_SIZE + len(part),
        total=len(wanted),
        previous_href=file.here(door, show=shown, page=number - 1) if number > 1 else None,
        next_href=file.here(door, show=shown, page=number + 1) if number * PAGE_SIZE < len(wanted) else None,
        list_href=render.url("agenda.desk.proposals", slug=door.event.slug),
    )
    return await render.page(request, page, status)


def _is_shown(line: Line, shown: str) -> bool:
    return not shown or (bool(line.notes) if shown == "warned" else line.action == shown)


def _key_words(key: str, labels: Mapping[str, str]) -> str:
    head, _, tail = key.partition(":")
    if head in BY_KEY:
        return title_of(BY_KEY[head], tail, i18n.current_locale())
    return labels.get(tail, tail)


def _said(one: Said, labels: Mapping[str, str]) -> str:
    words = render.words_for(one.code, one.params)
    return f"{_key_words(one.key, labels)}: {words}" if one.key else words


def _done(request: Request) -> str:
    counts = [shared.whole_id(request.query_params.get(name)) or 0 for name in ("new", "changed")]
    if "new" not in request.query_params:
        return shared.done_words(request)
    return i18n.gettext("Imported: %(new)s lines new, %(changed)s changed.") % {
        "new": counts[0],
        "changed": counts[1],
    }


async def _choose(request: Request, door: Door) -> Response:
    file, values = await _file(request, door), forms.typed(await forms.form_data(request))
    header = shared.whole_id(values.get("header"))
    sheet = values.get("sheet") or None
    preview = await cfp_import.look(door, filename=file.filename, data=file.data, choices=file.choices)
    is_same = (sheet or preview.sheet) == preview.sheet and (
        header or preview.header_row
    ) == preview.header_row
    if is_same:
        mapping: dict[str, int] = {}
        for index in range(len(preview.columns)):
            key = values.get(f"column.{index}", "")
            if key:
                # One column for each; the first in the file wins.
                mapping.setdefault(key, index)
        await cfp_import.choose(door, preview=preview, mapping=mapping, at=shared.now())
    other = _File(
        file.mark,
        file.filename,
        b"",
        Choices(sheet=sheet, header_row=header if header and header <= 10 else None),
    )
    return render.see_other(other.here(door))


async def _apply(request: Request, door: Door) -> Response:
    file, values = await _file(request, door), forms.typed(await forms.form_data(request))
    preview = await cfp_import.look(door, filename=file.filename, data=file.data, choices=file.choices)
    form_id = forms.form_id(values)
    try:
        totals = await cfp_import.apply(
            door,
            preview=preview,
            digest=values.get("digest", ""),
            partial=bool(values.get("partial")),
            form_id=form_id,
            at=shared.now(),
        )
    except Conflict as refusal:
        said = render.words_for(refusal.code, refusal.params)
        return await _look_page(request, door, file, preview, trouble=said, status=refusal.status)
    return render.see_other(
        file.here(door, new=str(totals[Action.CREATE]), changed=str(totals[Action.UPDATE]))
    )


async def _report(request: Request, door: Door) -> Response:
    """What would happen to each line, as a list: to be corrected beside the file."""
    file = await _file(request, door)
    preview = await cfp_import.look(door, filename=file.filename, data=file.data, choices=file.choices)
    titles = [i18n.gettext(words) for words in (N_("Line"), N_("What happens"), N_("Title"), N_("Why"))]
    rows: list[list[Cell]] = [
        [
            line.line,
            i18n.gettext(ACTION_WORDS[line.action]),
            line.name,
            "; ".join(_said(one, {}) for one in (*line.problems, *line.notes)),
        ]
        for line in preview.plan.lines
    ]
    body = b"".join(to_csv(titles, rows))
    headers = attachment(f"{door.event.slug}-import.csv")
    return Response(body, media_type="text/csv; charset=utf-8", headers=headers)


async def _example(request: Request, door: Door) -> Response:
    """A small list to fill in, with the event's own kinds of session and forums."""
    del request
    at_hand = await world(door.event.id)
    locale = i18n.current_locale()
    kind = next((one.code for one in at_hand.types if one.is_active), "") if at_hand else ""
    forum = next((one.code for one in at_hand.forums), "") if at_hand else ""
    keys = (
        ("external_id", ""),
        ("title", "zh-Hans"),
        ("title", "en"),
        ("abstract", "zh-Hans"),
        ("type", ""),
        ("forum", ""),
        ("language", ""),
        ("speaker.name", "zh-Hans"),
        ("speaker.email", ""),
        ("speaker.organisation", "zh-Hans"),
        ("speaker.title", "zh-Hans"),
        ("speaker.bio", "zh-Hans"),
    )
    titles = [title_of(BY_KEY[key], tag, locale) for key, tag in keys]
    own = ["A-1", "开源大模型的落地实践", "Open models at work", "三个案例。", kind, forum, "zh-Hans"]
    rows = [
        [*own, "林小满", "xiaoman@example.org", "开源社", "志愿者", "写过三个项目。"],
        [*own, "Ada Lovelace", "ada@example.org", "Analytical Engines", "Analyst", ""],
    ]
    body = b"".join(to_csv(titles, rows))
    return Response(body, media_type="text/csv; charset=utf-8", headers=attachment("huiwu-proposals.csv"))


_MAY: Final = Permission.CHANGE_PROPOSALS
_POST: Final = ("POST",)
_P: Final = "/e/{slug}/desk/proposals/import"
ROUTES: list[Entry] = [
    access.route(_P, _start, IMPORT, _MAY),
    access.route(_P, _upload, "agenda.desk.proposals_import_upload", _MAY, _POST, body_max=DRAINED_AT_MOST),
    access.route(f"{_P}/example.csv", _example, "agenda.desk.proposals_import_example", _MAY),
    access.route(f"{_P}/look", _look, LOOK, _MAY),
    access.route(f"{_P}/choices", _choose, "agenda.desk.proposals_import_choices", _MAY, _POST),
    access.route(f"{_P}/application", _apply, "agenda.desk.proposals_import_application", _MAY, _POST),
    access.route(f"{_P}/report.csv", _report, "agenda.desk.proposals_import_report", _MAY),
]
