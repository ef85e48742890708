"""An uploaded list examined: read, planned, held against quotas, and turned into the report that an organiser reads.

Pure, and run in the helper process: bytes and a snapshot in, plain values out. What the plan would do is kept as JSON
(``work``), so that an import that is interrupted goes on with the very lines it began with.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from events.exporting import Cell, restore, to_csv
from events.form_rules import Question
from events.importing import (
    Action,
    Existing,
    ImportPlan,
    NoteCode,
    Options,
    RowPlan,
    RowProblem,
    TicketTypeChoice,
    Totals,
    Values,
    plan,
)
from events.rules import HOLDS_A_PLACE, EventCode, PaymentState, RegistrationState
from events.sheets import HEADER_WITHIN, Field, Table, column_letter, guess_header, guess_mapping, read_table

#: Values of a column that are shown beside its title, so that one sees what it holds.
SAMPLES: Final = 3
#: Lines that are looked through for them.
SAMPLED_LINES: Final = 100
SAMPLE_LENGTH: Final = 40

#: What is read of each registration of the event, in this order (``Snapshot.registrations``).
COLUMNS: Final = (
    "id",
    "name",
    "badge_name",
    "english_name",
    "email",
    "phone",
    "organisation",
    "position",
    "ticket_type_id",
    "state",
    "locale",
    "external_id",
    "external_code",
    "payment_state",
    "invoice_title",
    "tax_number",
    "ticket_source",
)


@dataclass(frozen=True, slots=True)
class TicketTypeState:
    """A ticket type as a list may name it, and how many places it has left (None: nobody counts)."""

    id: int
    code: str
    names: Mapping[str, str]
    free: int | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is registered at this moment."""

    ticket_types: Sequence[TicketTypeState]
    registrations: Sequence[tuple[Any, ...]]
    questions: Sequence[Question] = ()
    #: answers by question id, by registration id
    answers: Mapping[int, Mapping[int, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """One file and the organiser's choices about it. None: not chosen yet, to be guessed."""

    filename: str
    data: bytes
    time_zone: str
    sheet: str | None = None
    header_row: int | None = None
    mapping: Mapping[Field, int] | None = None
    #: mappings chosen before, by ``header_digest``
    remembered: Mapping[str, Mapping[Field, int]] = field(default_factory=dict)
    default_ticket_type_id: int | None = None
    update_same: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. ``report`` is plain JSON; ``work`` the lines to apply, encoded."""

    sheet: str
    header_row: int
    header_digest: str
    mapping: dict[Field, int]
    report: dict[str, Any]
    work: bytes


def header_digest(titles: Sequence[str]) -> str:
    """Names a set of column titles, so that a mapping chosen for them is found again."""
    return hashlib.sha256("\x1f".join(title.strip().casefold() for title in titles).encode()).hexdigest()


def examine(ask: Ask, snapshot: Snapshot) -> Examined:
    """Reads the file and plans its lines; raises SheetProblem for a file that is no table."""
    table = read_table(ask.filename, ask.data, ask.sheet or None)
    header_row = min(ask.header_row or guess_header(table), len(table.rows))
    titles = table.rows[header_row - 1]
    digest = header_digest(titles)
    mapping = ask.mapping
    if mapping is None:
        mapping = ask.remembered.get(digest) or guess_mapping(titles)
    mapping = {which: column for which, column in mapping.items() if 0 <= column < max(table.width, 1)}
    default_type = ask.default_ticket_type_id
    if default_type is None and len(snapshot.ticket_types) == 1:
        default_type = snapshot.ticket_types[0].id
    planned = plan(
        table,
        header_row=header_row,
        mapping=mapping,
        ticket_types=[TicketTypeChoice(item.id, item.code, item.names) for item in snapshot.ticket_types],
        existing=[_existing(row) for row in snapshot.registrations],
        options=Options(
            time_zone=ZoneInfo(ask.time_zone),
            default_ticket_type_id=default_type,
            update_same=ask.update_same,
        ),
        questions=snapshot.questions,
    )
    there = {
        row[0]: dict(zip(COLUMNS, row, strict=True)) | {"answers": snapshot.answers.get(row[0], {})}
        for row in snapshot.registrations
    }
    rows, full = _held_to_quotas(_without_idle(planned.rows, there), snapshot.ticket_types, there)
    report = _report(table, header_row, planned, rows)
    report["full"] = full
    return Examined(table.sheet, header_row, digest, mapping, report, encode(rows))


def _existing(row: tuple[Any, ...]) -> Existing:
    known = dict(zip(COLUMNS, row, strict=True))
    return Existing(
        id=known["id"],
        name=known["name"],
        email=known["email"],
        phone=known["phone"],
        external_id=known["external_id"],
        external_code=known["external_code"],
        is_cancelled=known["state"] == RegistrationState.CANCELLED,
    )


def _without_idle(rows: Iterable[RowPlan], there: Mapping[int, Mapping[str, Any]]) -> Iterator[RowPlan]:
    """An update that would write what stands there already is no update: a file exported here comes back as nothing.

    A line left alone because its person is registered is worth a warning only where it says something else.
    """
    for row in rows:
        known = there.get(row.registration_id or 0)
        if row.action not in (Action.UPDATE, Action.SAME) or known is None or _differs(row.values, known):
            yield row
        else:
            kept = tuple(warning for warning in row.warnings if warning.code != NoteCode.ALREADY_REGISTERED)
            yield replace(row, action=Action.SAME, warnings=kept)


def _differs(values: Values, known: Mapping[str, Any]) -> bool:
    said = {name: getattr(values, name) for name in COLUMNS if name != "id"}
    if any(known["answers"].get(number) != value for number, value in values.answers or ()):
        return True
    return any(value is not None and value != known[name] for name, value in said.items())


def _held_to_quotas(
    rows: Iterable[RowPlan], ticket_types: Sequence[TicketTypeState], there: Mapping[int, Mapping[str, Any]]
) -> tuple[list[RowPlan], list[dict[str, int]]]:
    """Lines past a ticket type's last place are in error, in their order; and by how many each type is passed."""
    free = {item.id: item.free for item in ticket_types}
    wanted: dict[int, int] = {}
    held: list[RowPlan] = []
    for row in rows:
        type_id = _place_taken(row, there.get(row.registration_id or 0))
        if type_id is not None and free.get(type_id) is not None:
            wanted[type_id] = wanted.get(type_id, 0) + 1
            if wanted[type_id] > (free[type_id] or 0):
                problem = RowProblem(EventCode.TICKET_TYPE_FULL, Field.TICKET_TYPE)
                row = replace(row, action=Action.ERROR, problems=(*row.problems, problem))
        held.append(row)
    full = [
        {
            "ticket_type_id": item.id,
            "wanted": wanted[item.id],
            "free": item.free,
            "over": wanted[item.id] - item.free,
        }
        for item in ticket_types
        if item.free is not None and wanted.get(item.id, 0) > item.free
    ]
    return held, full


def _place_taken(row: RowPlan, known: Mapping[str, Any] | None) -> int | None:
    """The ticket type of which this line needs one more place."""
    if row.action not in (Action.CREATE, Action.UPDATE):
        return None
    old_type, old_state = (known["ticket_type_id"], known["state"]) if known else (None, None)
    new_type: int | None = row.values.ticket_type_id or old_type
    holds = (row.values.state or old_state or RegistrationState.CONFIRMED) in HOLDS_A_PLACE
    return new_type if holds and (old_state not in HOLDS_A_PLACE or old_type != new_type) else None


# --- the report --------------------------------------------------------------------------------------------------


def _report(table: Table, header_row: int, planned: ImportPlan, rows: Sequence[RowPlan]) -> dict[str, Any]:
    titles = table.rows[header_row - 1]
    return {
        "kind": str(table.kind),
        "encoding": table.encoding,
        "sheets": list(table.sheets),
        "lines": len(table.rows) - header_row,
        "head": [
            [cell[:SAMPLE_LENGTH] for cell in row if cell.strip()][:6] for row in table.rows[:HEADER_WITHIN]
        ],
        "columns": [
            {
                "letter": column_letter(column),
                "title": titles[column].strip() if column < len(titles) else "",
                "samples": _samples(table, header_row, column),
            }
            for column in range(table.width)
        ],
        "problems": [_plain(problem) for problem in planned.problems],
        "totals": totals(rows),
        "rows": [
            {
                "line": row.line,
                "action": str(row.action),
                "name": row.values.name or "",
                "problems": [_plain(problem) for problem in row.problems],
                "warnings": [_plain(problem) for problem in row.warnings],
            }
            for row in rows
            # A blank line says nothing, so there is nothing to say about it.
            if row.action is not Action.SKIP or row.warnings
        ],
    }


def totals(rows: Sequence[RowPlan]) -> dict[str, int]:
    counted = dict.fromkeys((str(action) for action in Action), 0)
    for row in rows:
        counted[row.action] += 1
    return asdict(Totals(**counted, warned=sum(bool(row.warnings) for row in rows)))


def _plain(problem: RowProblem) -> dict[str, Any]:
    return {
        "code": str(problem.code),
        "field": str(problem.field) if problem.field else "",
        "params": dict(problem.params),
    }


def _samples(table: Table, header_row: int, column: int) -> list[str]:
    found: list[str] = []
    for line in range(header_row + 1, min(header_row + SAMPLED_LINES, len(table.rows)) + 1):
        text = " ".join(table.cell(line, column).split())
        if text and text not in found:
            found.append(text if len(text) <= SAMPLE_LENGTH else f"{text[: SAMPLE_LENGTH - 1]}…")
            if len(found) == SAMPLES:
                break
    return found


@dataclass(frozen=True, slots=True)
class ReportAsk:
    """An uploaded file, and the words of each line that is wanted: what happened, and its problems and warnings."""

    filename: str
    data: bytes
    sheet: str
    header_row: int
    titles: tuple[str, str, str]
    said: Mapping[int, tuple[str, str]]


def report_csv(ask: ReportAsk) -> bytes:
    """The uploaded table again, with what happened to each line before it: to be corrected and uploaded once more."""
    table = read_table(ask.filename, ask.data, ask.sheet or None)
    width = table.width
    titles = _padded(table, ask.header_row, width)
    header = [*ask.titles, *(title or column_letter(column) for column, title in enumerate(titles))]
    rows: Iterator[list[Cell]] = (
        [line, *ask.said[line], *map(restore, _padded(table, line, width))]
        for line in sorted(ask.said)
        if line <= len(table.rows)
    )
    return b"".join(to_csv(header, rows))


def _padded(table: Table, line: int, width: int) -> list[str]:
    row = table.rows[line - 1]
    return [*row, *([""] * (width - len(row)))]


# --- lines to apply ----------------------------------------------------------------------------------------------


def encode(rows: Iterable[RowPlan]) -> bytes:
    """The lines that create or update, as packed JSON; nothing of the others."""
    plain = orjson.dumps(
        [
            {
                "line": row.line,
                "action": str(row.action),
                "id": row.registration_id,
                "values": {name: value for name, value in asdict(row.values).items() if value is not None},
            }
            for row in rows
            if row.action in (Action.CREATE, Action.UPDATE)
        ]
    )
    # Names and addresses pack about 6:1, which keeps the largest list far below the limit of an upload.
    return zlib.compress(plain, 1)


def decode(work: bytes) -> list[RowPlan]:
    return [
        RowPlan(
            line=row["line"],
            action=Action(row["action"]),
            values=_values(row["values"]),
            registration_id=row["id"],
        )
        for row in orjson.loads(zlib.decompress(work))
    ]


def _values(plain: dict[str, Any]) -> Values:
    if "state" in plain:
        plain["state"] = RegistrationState(plain["state"])
    if "registered_at" in plain:
        plain["registered_at"] = datetime.fromisoformat(plain["registered_at"])
    if "payment_state" in plain:
        plain["payment_state"] = PaymentState(plain["payment_state"])
    if "answers" in plain:
        plain["answers"] = tuple((number, value) for number, value in plain["answers"])
    return Values(**plain)
