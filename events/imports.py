"""Lists of people on their way in: uploaded, looked at, applied once, forgotten in time.

An import is a preview until somebody applies it: until then nothing is registered and anybody who may can turn it
down. Applying is a background job whose lines are fixed before the first is written, so that a job that is
interrupted, or a button pressed twice, ends with every line applied once. The file, the lines and the report hold
personal data: they are erased KEPT after the upload, or at once when the import is turned down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from events import answers, import_report, queries, registrations
from events.import_report import Ask, Examined, ReportAsk, Snapshot, TicketTypeState
from events.importing import FIELD_WORDS, Action
from events.models import ImportMapping, RegistrationImport
from events.rules import EventCode, EventFacts, RegistrationSource
from events.sheets import Field
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound, Problem
from kernel.text import N_
from people import jobs, journal, uploads
from web import i18n, render

__all__ = [
    "ImportCode",
    "ImportFacts",
    "ImportProgress",
    "ImportState",
    "Outcome",
    "apply",
    "as_text",
    "begin",
    "choose",
    "connect",
    "find",
    "find_progress",
    "is_clean",
    "list_imports",
    "report_file",
    "run",
    "try_again",
    "turn_down",
]

JOB: Final = "registrations.import"
ERASE_JOB: Final = "registrations.import_erase"
#: How long the uploaded list and its report can be looked up again.
KEPT: Final = timedelta(days=30)
#: Mappings remembered of one event that are offered to a new file; a service seldom has more than a few exports.
REMEMBERED: Final = 50
_SPACE: Final = UUID("6b1a7c1e-53f0-4d0a-9a55-52d1b0d8f1c4")


class ImportState(StrEnum):
    PREVIEW = "preview"
    APPLYING = "applying"
    DONE = "done"
    TURNED_DOWN = "turned_down"


class ImportCode(StrEnum):
    """Refusals of imports."""

    UNKNOWN = "import_unknown"
    NOT_CLEAN = "import_not_clean"
    NOTHING = "import_nothing"
    CHANGED = "import_changed"
    ENDED = "import_ended"
    ERASED = "import_erased"
    UPLOAD_TOO_LARGE = "upload_too_large"


WORDS: Final[Mapping[str, str]] = {
    ImportCode.UNKNOWN: N_("There is no such import in this event."),
    ImportCode.NOT_CLEAN: N_(
        "%(error)s lines can't be imported, so nothing was. Correct them in the file, or say that they may be left out."
    ),
    ImportCode.NOTHING: N_("There is nothing to import in this list."),
    ImportCode.CHANGED: N_(
        "The list, the choices or the registrations have changed since this page was shown. Look at the plan again."
    ),
    ImportCode.ENDED: N_("This import has been applied or turned down already."),
    ImportCode.ERASED: N_("The file of this import has been erased. Upload it again."),
    ImportCode.UPLOAD_TOO_LARGE: N_(
        "This file has %(size)s MB, and at most %(limit)s MB are taken. Nothing was changed. "
        "Remove pictures and unused sheets, save it as CSV, or split it."
    ),
    "preview": N_("To be looked at"),
    "applying": N_("Being applied"),
    "done": N_("Done"),
    "turned_down": N_("Turned down"),
}

#: What happened, or would happen, to a line.
ACTION_WORDS: Final[Mapping[Action, str]] = {
    Action.CREATE: N_("New"),
    Action.UPDATE: N_("Changed"),
    Action.SAME: N_("Registered already"),
    Action.SKIP: N_("Left out"),
    Action.ERROR: N_("Problem"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFacts:
    """An import as its page shows it. ``report`` is what ``import_report`` made, empty once erased."""

    id: int
    event_id: int
    filename: str
    sheet: str
    header_row: int
    mapping: Mapping[Field, int]
    default_ticket_type_id: int | None
    update_same: bool
    partial: bool
    #: counts the plans made; what is applied is the plan that was seen
    round: int
    #: why a plan came back from applying: a code, or empty
    notice: str
    state: ImportState
    report: Mapping[str, Any]
    job_id: int | None
    actor_key: str
    created_at: datetime
    ended_at: datetime | None

    @property
    def totals(self) -> Mapping[str, int]:
        found: Mapping[str, int] = self.report.get("totals", {})
        return found

    @property
    def is_erased(self) -> bool:
        return "rows" not in self.report


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ``run`` did: the import's id, whether it was applied, and its report."""

    import_id: int
    applied: bool
    totals: Mapping[str, int]
    rows: Sequence[Mapping[str, Any]]
    problems: Sequence[Mapping[str, Any]]


Progress = Callable[[int, int], Awaitable[None]]


def connect() -> None:
    """Called once by main: this package's background jobs."""
    jobs.handles(JOB, _apply_job)
    jobs.handles(ERASE_JOB, _erase_job)


# --- reads -------------------------------------------------------------------------------------------------------


def _facts(row: RegistrationImport) -> ImportFacts:
    options = row.options
    return ImportFacts(
        id=row.id,
        event_id=row.event_id,
        filename=row.filename,
        sheet=options.get("sheet", ""),
        header_row=row.header_row,
        mapping={Field(name): int(column) for name, column in row.mapping.items()},
        default_ticket_type_id=options.get("default_ticket_type_id"),
        update_same=bool(options.get("update_same")),
        partial=bool(options.get("partial")),
        round=int(options.get("round", 0)),
        notice=options.get("notice", ""),
        state=ImportState(row.state),
        report=row.report,
        job_id=row.job_id,
        actor_key=row.actor_key,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


async def find(event_id: int, import_id: int) -> ImportFacts:
    """One import of this event. Raises NotFound."""
    return _facts(await _get(event_id, import_id))


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is, for a page that asks every second."""

    state: ImportState
    job_id: int | None
    totals: Mapping[str, int]


async def find_progress(event_id: int, import_id: int) -> ImportProgress:
    """Raises NotFound. Leaves the report alone, which is large."""
    row = (
        await RegistrationImport.filter(id=import_id, event_id=event_id)
        .only("state", "job_id", "options")
        .first()
    )
    if row is None:
        raise NotFound(ImportCode.UNKNOWN)
    return ImportProgress(ImportState(row.state), row.job_id, row.options.get("totals", {}))


async def _get(event_id: int, import_id: int) -> RegistrationImport:
    row = await RegistrationImport.get_or_none(id=import_id, event_id=event_id)
    if row is None:
        raise NotFound(ImportCode.UNKNOWN)
    return row


@dataclass(frozen=True, slots=True)
class ImportLine:
    """An import in the list of imports."""

    id: int
    filename: str
    state: ImportState
    totals: Mapping[str, int]
    created_at: datetime
    actor_key: str


async def list_imports(event_id: int, limit: int = 20) -> Sequence[ImportLine]:
    """The newest imports of an event, without their reports."""
    rows = (
        await RegistrationImport.filter(event_id=event_id)
        .order_by("-id")
        .limit(limit)
        .only("id", "filename", "state", "options", "created_at", "actor_key")
    )
    return [
        ImportLine(
            row.id,
            row.filename,
            ImportState(row.state),
            row.options.get("totals", {}),
            row.created_at,
            row.actor_key,
        )
        for row in rows
    ]


# --- a preview ---------------------------------------------------------------------------------------------------


async def begin(
    *,
    actor: Actor,
    event: EventFacts,
    filename: str,
    data: bytes,
    at: datetime,
    sheet: str | None = None,
    mapping: Mapping[Field, int] | None = None,
) -> int:
    """Takes an uploaded list in and plans it with guessed or remembered choices; registers nobody. Gives its id.

    Raises SheetProblem for a file that can't be read as a table, and TooLarge for one past the upload limit.
    """
    ask = Ask(
        filename=filename,
        data=data,
        time_zone=event.time_zone,
        sheet=sheet,
        mapping=mapping,
        remembered=await _remembered(event.id),
    )
    examined = await _examine(event.id, ask)
    keep_until = at + KEPT
    upload_id = await uploads.keep(
        data=data, filename=filename, event_id=event.id, actor_key=actor.key, at=at, keep_until=keep_until
    )
    async with unit_of_work():
        row = await RegistrationImport.create(
            event_id=event.id,
            upload_id=upload_id,
            filename=filename[:200],
            header_row=examined.header_row,
            mapping=_plain_mapping(examined.mapping),
            options={"sheet": examined.sheet, "round": 1, "totals": examined.report["totals"]},
            state=ImportState.PREVIEW,
            report=examined.report,
            actor_key=actor.key,
            created_at=at,
        )
        await jobs.enqueue(
            kind=ERASE_JOB,
            key=f"{ERASE_JOB}:{row.id}",
            payload={"import_id": row.id},
            event_id=event.id,
            run_at=keep_until,
            at=at,
        )
        await _write(
            actor=actor, verb="import.begin", row=row, new={"lines": examined.report["lines"]}, at=at
        )
    return int(row.id)


async def choose(
    *,
    actor: Actor,
    event: EventFacts,
    import_id: int,
    header_row: int,
    mapping: Mapping[Field, int],
    default_ticket_type_id: int | None,
    update_same: bool,
    at: datetime,
    sheet: str = "",
) -> None:
    """Plans a preview anew with the organiser's choices, and remembers the mapping for files with these headers.

    Another header row or sheet makes the mapping a new guess: the columns chosen were the old one's. Raises Conflict
    ``import_ended`` once it was applied or turned down, Gone-like Conflict ``import_erased`` without its file.
    """
    row = await _get(event.id, import_id)
    if row.state != ImportState.PREVIEW:
        raise Conflict(ImportCode.ENDED)
    is_same_table = header_row == row.header_row and (not sheet or sheet == row.options.get("sheet", ""))
    types = {item.id for item in await queries.ticket_types(event.id)}
    if default_ticket_type_id is not None and default_ticket_type_id not in types:
        raise Invalid({"default_ticket_type_id": Problem(EventCode.TICKET_TYPE_UNKNOWN)})
    ask = Ask(
        filename=row.filename,
        data=await _file_of(row),
        time_zone=event.time_zone,
        sheet=sheet or row.options.get("sheet") or None,
        header_row=header_row,
        mapping=mapping if is_same_table else None,
        remembered=await _remembered(event.id),
        default_ticket_type_id=default_ticket_type_id,
        update_same=update_same,
    )
    examined = await _examine(event.id, ask)
    async with unit_of_work():
        # The row again: only one who still sees the same plan may put another in its place.
        options = {
            "sheet": examined.sheet,
            "default_ticket_type_id": default_ticket_type_id,
            "update_same": update_same,
            "round": int(row.options.get("round", 0)) + 1,
            "totals": examined.report["totals"],
        }
        await _put(row, ImportState.PREVIEW, ImportState.PREVIEW, examined, options)
        if is_same_table:
            await ImportMapping.filter(event_id=event.id, header_digest=examined.header_digest).delete()
            await ImportMapping.create(
                event_id=event.id,
                header_digest=examined.header_digest,
                mapping=_plain_mapping(examined.mapping),
                updated_at=at,
            )


async def _put(
    row: RegistrationImport,
    old: ImportState,
    new: ImportState,
    examined: Examined,
    options: Mapping[str, Any],
) -> None:
    """Another plan in the place of the one in ``row``, unless somebody else was first: Conflict ``import_changed``."""
    locked = await _locked(row.id, old)
    if int(locked.options.get("round", 0)) != int(row.options.get("round", 0)):
        raise Conflict(ImportCode.CHANGED)
    await RegistrationImport.filter(id=row.id).update(
        state=new,
        header_row=examined.header_row,
        mapping=_plain_mapping(examined.mapping),
        options=dict(options),
        report=examined.report,
    )


async def _locked(import_id: int, state: ImportState) -> RegistrationImport:
    """The row as it is now, held until the transaction ends; Conflict ``import_ended`` when it is in another state."""
    if not await _lock(import_id, state):
        raise Conflict(ImportCode.ENDED)
    return await RegistrationImport.get(id=import_id)


async def _lock(import_id: int, state: ImportState) -> bool:
    held = await db.query(
        "UPDATE registration_import SET state = state WHERE id = $1 AND state = $2 RETURNING id",
        import_id,
        str(state),
    )
    return bool(held)


def _plain_mapping(mapping: Mapping[Field, int]) -> dict[str, int]:
    return {str(which): column for which, column in mapping.items()}


async def _remembered(event_id: int) -> dict[str, dict[Field, int]]:
    rows = await ImportMapping.filter(event_id=event_id).order_by("-updated_at", "-id").limit(REMEMBERED)
    return {
        row.header_digest: {Field(name): int(column) for name, column in row.mapping.items()}
        for row in rows
        # A digest of another kind of list says so (``remember_mapping``).
        if ":" not in row.header_digest
    }


async def remembered_mapping(event_id: int, digest: str) -> dict[str, int] | None:
    """The columns that were chosen for a list of another kind with these headers."""
    row = await ImportMapping.get_or_none(event_id=event_id, header_digest=digest)
    return None if row is None else {str(name): int(column) for name, column in row.mapping.items()}


async def remember_mapping(event_id: int, digest: str, mapping: Mapping[str, int], *, at: datetime) -> None:
    """Keeps the columns of a list of another kind; ``digest`` begins with a word of that kind and a colon."""
    assert ":" in digest
    async with unit_of_work():
        await ImportMapping.filter(event_id=event_id, header_digest=digest).delete()
        await ImportMapping.create(
            event_id=event_id, header_digest=digest, mapping=dict(mapping), updated_at=at
        )


async def _file_of(row: RegistrationImport) -> bytes:
    try:
        data, _ = await uploads.read(row.upload_id)
    except NotFound:
        raise Conflict(ImportCode.ERASED) from None
    return data


async def _examine(event_id: int, ask: Ask) -> Examined:
    return await jobs.in_worker(import_report.examine, ask, await _snapshot(event_id))


async def _snapshot(event_id: int) -> Snapshot:
    columns = ", ".join(import_report.COLUMNS)
    rows = await db.query(
        f"SELECT {columns} FROM registration WHERE event_id = $1 ORDER BY id",  # noqa: S608 -- column names from a constant
        event_id,
    )
    asked = await answers.questions(event_id)
    return Snapshot(
        questions=asked,
        answers=await answers.values_of_event(event_id) if asked else {},
        ticket_types=[
            TicketTypeState(item.id, item.code, dict(item.name), item.free)
            for item in await queries.ticket_types(event_id)
        ],
        registrations=[tuple(row.values()) for row in rows],
    )


async def turn_down(*, actor: Actor, event_id: int, import_id: int, at: datetime) -> None:
    """Ends a preview without registering anybody and erases its file at once. Once more changes nothing.

    Raises Conflict ``import_ended`` when it was applied before.
    """
    row = await _get(event_id, import_id)
    if row.state == ImportState.TURNED_DOWN:
        return
    async with unit_of_work():
        await _locked(import_id, ImportState.PREVIEW)
        await RegistrationImport.filter(id=import_id).update(
            state=ImportState.TURNED_DOWN, filename="", report={}, mapping={}, ended_at=at
        )
        await _write(actor=actor, verb="import.turn_down", row=row, at=at)
    await uploads.drop(row.upload_id)


async def _write(
    *, actor: Actor, verb: str, row: RegistrationImport, at: datetime, new: Mapping[str, Any] | None = None
) -> None:
    await journal.write(
        actor=actor, verb=verb, object_kind="import", object_id=row.id, event_id=row.event_id, new=new, at=at
    )


# --- applying ----------------------------------------------------------------------------------------------------


async def apply(
    *, actor: Actor, event_id: int, import_id: int, plan_round: int, partial: bool, at: datetime
) -> None:
    """Begins to apply the plan that was seen (its ``round``), in the background. A second press changes nothing.

    Raises Conflict: ``import_not_clean`` while lines are in error and ``partial`` was not said, ``import_nothing``,
    ``import_changed`` when the plan is another one by now, ``import_ended`` after it was turned down.
    """
    async with unit_of_work():
        if not await _claim(event_id, import_id, plan_round, partial, at):
            return
        key = f"{JOB}:{import_id}:{plan_round}"
        job_id = await jobs.enqueue(
            kind=JOB, key=key, payload={"import_id": import_id}, event_id=event_id, actor_key=actor.key, at=at
        )
        await RegistrationImport.filter(id=import_id).update(job_id=job_id)


async def _claim(event_id: int, import_id: int, plan_round: int, partial: bool, at: datetime) -> bool:
    """Turns a preview into one that is being applied: the conditional statement lets one caller through."""
    await _get(event_id, import_id)
    if not await _lock(import_id, ImportState.PREVIEW):
        # Whoever was first, the state that they left says whether the same was wanted.
        if (await find_progress(event_id, import_id)).state in (ImportState.APPLYING, ImportState.DONE):
            return False
        raise Conflict(ImportCode.ENDED)
    row = await RegistrationImport.get(id=import_id)
    if int(row.options.get("round", 0)) != plan_round:
        raise Conflict(ImportCode.CHANGED)
    _require_applicable(row.report, partial)
    options = {**row.options, "partial": partial, "notice": "", "applied_at": db.stored_instant(at)}
    await RegistrationImport.filter(id=import_id).update(state=ImportState.APPLYING, options=options)
    return True


def _require_applicable(report: Mapping[str, Any], partial: bool) -> None:
    if report["problems"]:
        raise Conflict(report["problems"][0]["code"])
    totals = report["totals"]
    if totals["error"] and not partial:
        raise Conflict(ImportCode.NOT_CLEAN, error=totals["error"])
    if not totals["create"] and not totals["update"]:
        raise Conflict(ImportCode.NOTHING)


async def try_again(*, actor: Actor, event_id: int, import_id: int, at: datetime) -> None:
    """Goes on with an import whose job has failed for good; the lines that are in stay in and come once."""
    row = await _get(event_id, import_id)
    if row.state != ImportState.APPLYING:
        raise Conflict(ImportCode.ENDED)
    key = f"{JOB}:{import_id}:{row.options.get('round', 0)}:after-{row.job_id}"
    async with unit_of_work():
        job_id = await jobs.enqueue(
            kind=JOB,
            key=key,
            payload={"import_id": import_id},
            event_id=event_id,
            actor_key=_begun_by(row, actor),
            at=at,
        )
        await RegistrationImport.filter(id=import_id).update(job_id=job_id)


def _begun_by(row: RegistrationImport, actor: Actor) -> str:
    # Chunks are remembered with their actor: whoever presses again goes on in the name of the first.
    return str(row.options.get("applied_by") or actor.key)


def _actor_of(key: str) -> Actor:
    kind, _, number = key.partition(":")
    return Actor(kind=ActorKind(kind), id=int(number or 0))


async def _apply_job(job: jobs.JobHandle) -> Mapping[str, Any]:
    await _carry_out(int(job.payload["import_id"]), _actor_of(job.actor_key), job.progress)
    return {}


async def _carry_out(import_id: int, actor: Actor, progress: Progress | None = None) -> None:
    """Applies an import that was claimed, from wherever it stands; at its end it is done, or a preview again."""
    row = await RegistrationImport.get_or_none(id=import_id)
    if row is None or row.state != ImportState.APPLYING:
        return
    event = await queries.find_event_by_id(row.event_id)
    assert event is not None
    at = db.as_instant(row.options["applied_at"])
    assert at is not None
    if "work_id" not in row.options and not await _fix_lines(row, event, actor, at):
        return
    work, _ = await uploads.read(int(row.options["work_id"]))
    lines = await asyncio.to_thread(import_report.decode, work)
    request_id = uuid5(_SPACE, f"{import_id}:{row.options['round']}")
    applied: registrations.Applied | None = None
    while applied is None:
        try:
            applied = await registrations.apply_rows(
                event_id=row.event_id,
                rows=lines,
                source=RegistrationSource.IMPORT,
                at=at,
                actor=actor,
                request_id=request_id,
                progress=progress,
            )
        except Invalid as refusal:
            # Nothing was written: these lines lost a race, or the table is stricter than the plan.
            wrong = {int(name.removeprefix("line.")): problem for name, problem in refusal.fields.items()}
            report = _with_problems(row.report, wrong)
            left = [line for line in lines if line.line not in wrong]
            if not row.options.get("partial") or len(left) == len(lines):
                await _back_to_preview(row, report)
                return
            lines = left
            await _keep_lines(row, await asyncio.to_thread(import_report.encode, lines), report, actor, at)
    report = _with_problems(row.report, applied.lost)
    report["totals"] = {**report["totals"], "create": applied.created, "update": applied.updated}
    await _finish(row, report, actor)


async def _fix_lines(row: RegistrationImport, event: EventFacts, actor: Actor, at: datetime) -> bool:
    """Plans once more against what is registered now and writes down the lines to apply; from here on they are fixed.

    False when the plan has become another one that the organiser must see first.
    """
    options = row.options
    ask = Ask(
        filename=row.filename,
        data=await _file_of(row),
        time_zone=event.time_zone,
        sheet=options.get("sheet") or None,
        header_row=row.header_row,
        mapping={Field(name): int(column) for name, column in row.mapping.items()},
        default_ticket_type_id=options.get("default_ticket_type_id"),
        update_same=bool(options.get("update_same")),
    )
    examined = await _examine(row.event_id, ask)
    if examined.report["totals"]["error"] and not options.get("partial"):
        await _back_to_preview(row, examined.report)
        return False
    await _keep_lines(row, examined.work, examined.report, actor, at)
    return True


async def _keep_lines(
    row: RegistrationImport, work: bytes, report: Mapping[str, Any], actor: Actor, at: datetime
) -> None:
    old = row.options.get("work_id")
    work_id = await uploads.keep(
        data=work,
        filename="lines.json.z",
        event_id=row.event_id,
        actor_key=actor.key,
        at=at,
        keep_until=row.created_at + KEPT,
    )
    row.options = {**row.options, "work_id": work_id, "applied_by": actor.key}
    row.report = dict(report)
    async with unit_of_work():
        await RegistrationImport.filter(id=row.id, state=ImportState.APPLYING).update(
            options=row.options, report=row.report
        )
    if old is not None:
        await uploads.drop(int(old))


def _with_problems(report: Mapping[str, Any], wrong: Mapping[int, Problem]) -> dict[str, Any]:
    """The report with these lines in error, and its totals counted anew."""
    rows = []
    for row in report["rows"]:
        problem = wrong.get(row["line"])
        if problem is not None:
            said = {"code": str(problem.code), "field": "", "params": dict(problem.params)}
            row = {**row, "action": str(Action.ERROR), "problems": [*row["problems"], said]}
        rows.append(row)
    counted = dict.fromkeys(report["totals"], 0) | {
        "skip": report["totals"]["skip"],
        "warned": report["totals"]["warned"],
    }
    for row in rows:
        if row["action"] != Action.SKIP:
            counted[row["action"]] += 1
    return {**report, "rows": rows, "totals": counted}


async def _back_to_preview(row: RegistrationImport, report: Mapping[str, Any]) -> None:
    options = {
        key: value for key, value in row.options.items() if key not in ("work_id", "applied_by", "applied_at")
    }
    options |= {
        "round": int(row.options["round"]) + 1,
        "notice": str(ImportCode.CHANGED),
        "partial": False,
        "totals": report["totals"],
    }
    async with unit_of_work():
        await RegistrationImport.filter(id=row.id, state=ImportState.APPLYING).update(
            state=ImportState.PREVIEW, options=options, report=dict(report), job_id=None
        )
    if "work_id" in row.options:
        await uploads.drop(int(row.options["work_id"]))


async def _finish(row: RegistrationImport, report: Mapping[str, Any], actor: Actor) -> None:
    at = datetime.now(UTC)
    async with unit_of_work():
        ended = await db.execute(
            "UPDATE registration_import SET state = $2, ended_at = $3 WHERE id = $1 AND state = $4",
            row.id,
            str(ImportState.DONE),
            at,
            str(ImportState.APPLYING),
        )
        if not ended:
            return
        options = {**row.options, "totals": report["totals"]}
        await RegistrationImport.filter(id=row.id).update(report=dict(report), options=options)
        counts = {name: report["totals"][name] for name in ("create", "update", "same", "error")}
        await _write(actor=actor, verb="import.apply", row=row, new=counts, at=at)
    await uploads.drop(int(row.options["work_id"]))


# --- the command line, reports, erasure --------------------------------------------------------------------------


async def run(
    event_id: int,
    filename: str,
    data: bytes,
    mapping: Mapping[Field, int] | None = None,
    *,
    actor: Actor,
    at: datetime,
    partial: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Imports a list in one go, by the same steps as the pages: planned, applied when it may be, reported.

    With lines in error and without ``partial`` nothing is applied; the import stays a preview that the pages show.
    """
    event = await queries.find_event_by_id(event_id)
    if event is None:
        raise NotFound(EventCode.EVENT_UNKNOWN)
    import_id = await begin(actor=actor, event=event, filename=filename, data=data, mapping=mapping, at=at)
    try:
        async with unit_of_work():
            await _claim(event_id, import_id, 1, partial, at)
    except Conflict as refusal:
        # What is wrong stands in the report.
        if refusal.code == ImportCode.ENDED:
            raise
    else:
        await _carry_out(import_id, actor, progress)
    facts = await find(event_id, import_id)
    return Outcome(
        import_id,
        facts.state is ImportState.DONE,
        facts.totals,
        facts.report.get("rows", ()),
        facts.report.get("problems", ()),
    )


def is_clean(outcome: Outcome) -> bool:
    """Whether everybody in the list is registered now: nothing was left out, and nothing was refused."""
    return (
        not outcome.problems
        and not outcome.totals.get("error")
        and (outcome.applied or not _work(outcome.totals))
    )


def _work(totals: Mapping[str, int]) -> int:
    return totals.get("create", 0) + totals.get("update", 0)


def as_text(outcome: Outcome, locale: str = "en") -> str:
    """The outcome for a terminal: what was done in one line, then each line with a problem, then with a warning."""

    def said(one: Mapping[str, Any]) -> str:
        words = render.words_for(one["code"], one["params"], locale)
        return (
            f"{i18n.gettext_in(locale, FIELD_WORDS[Field(one['field'])])}: {words}" if one["field"] else words
        )

    counts = ", ".join(
        f"{i18n.gettext_in(locale, words)} {outcome.totals.get(action, 0)}"
        for action, words in ACTION_WORDS.items()
    )
    lines = [f"{'applied' if outcome.applied else 'nothing was imported'}: {counts}"]
    lines += [said(one) for one in outcome.problems]
    for kind in ("problems", "warnings"):
        lines += [f"line {row['line']}: {said(one)}" for row in outcome.rows for one in row[kind]]
    return "\n".join(lines)


async def report_file(
    *, event_id: int, import_id: int, titles: tuple[str, str, str], said: Mapping[int, tuple[str, str]]
) -> bytes:
    """The uploaded table as CSV with what happened to each of the lines in ``said`` (``import_report.ReportAsk``)."""
    row = await _get(event_id, import_id)
    data = await _file_of(row)
    ask = ReportAsk(row.filename, data, row.options.get("sheet", ""), row.header_row, titles, dict(said))
    return await jobs.in_worker(import_report.report_csv, ask)


async def _erase_job(job: jobs.JobHandle) -> Mapping[str, Any]:
    await erase(import_id=int(job.payload["import_id"]), at=datetime.now(UTC))
    return {}


async def erase(*, import_id: int, at: datetime) -> None:
    """Removes the file, its name and the report; the totals stay. An import that nobody applied is turned down by it."""
    row = await RegistrationImport.get_or_none(id=import_id)
    if row is None:
        return
    totals = row.options.get("totals", {})
    async with unit_of_work():
        await db.execute(
            "UPDATE registration_import SET state = $2, ended_at = $3 WHERE id = $1 AND state = $4",
            import_id,
            str(ImportState.TURNED_DOWN),
            at,
            str(ImportState.PREVIEW),
        )
        await RegistrationImport.filter(id=import_id).update(
            filename="",
            report={"totals": totals},
            options={"round": row.options.get("round", 0), "totals": totals},
        )
    for upload_id in (row.upload_id, row.options.get("work_id")):
        if upload_id is not None:
            await uploads.drop(int(upload_id))
