"""Lists of proposals and speakers on their way in: looked at as often as one likes, applied once.

Nothing is stored of a preview but the uploaded file, under a sealed mark, for a day, and the columns that were chosen,
which the next file with these headers finds again. What is applied is the plan that was seen: its digest comes back with
the press of the button, and a plan that has become another one is shown instead. All of it is one transaction of few
statements, however long the list; the database's own unique indexes say no to whatever came in between.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import orjson

from agenda import call_answers, cfp_columns, cfp_plan, cfp_tables, history, pretalx, proposals, speakers
from agenda.cfp_plan import Plan, ProposalPlan, Record, Snapshot, SpeakerPlan
from agenda.history import Line
from agenda.models import Proposal, Speaker
from agenda.proposal_rules import Origin, Subject
from events import imports
from events.access import Door
from events.exporting import restore
from events.import_report import header_digest
from events.importing import Action
from events.rules import Permission
from events.sheets import HEADER_WITHIN, Table, column_letter, read_table
from kernel import db
from kernel.actor import Actor
from kernel.errors import Conflict, NotFound
from kernel.text import LOCALES, LocalizedText
from people import journal, replays
from people.jobs import in_worker
from web import i18n

#: How long an uploaded list can be looked at.
KEPT: Final = timedelta(days=1)
#: A description has 20,000 characters.
MAX_CELL: Final = 20_000
#: Set before the digests of our headers, so that lists of registrations have their own.
_OURS: Final = "cfp:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What somebody chose about a file; None: to be guessed."""

    sheet: str | None = None
    header_row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A file, read and planned. ``columns`` are (letter, title, samples); a file of JSON has none to choose."""

    is_json: bool
    sheet: str
    sheets: Sequence[str]
    header_row: int
    head: Sequence[Sequence[str]]
    columns: Sequence[tuple[str, str, Sequence[str]]]
    mapping: Mapping[str, int]
    #: Keys that may be chosen, in their order.
    keys: Sequence[str]
    #: What stands in the file and is not taken.
    unused: Sequence[str]
    plan: Plan
    digest: str
    lacks_columns: bool = False


@dataclass(frozen=True, slots=True)
class _Source:
    records: list[Record]
    mapping: dict[str, int] = field(default_factory=dict)
    unused: Sequence[str] = ()
    table: Table | None = None
    header_row: int = 0


def _words() -> dict[str, str]:
    titles = [
        {one.key: i18n.gettext_in(locale, one.title) for one in cfp_columns.COLUMNS} for locale in LOCALES
    ]
    return cfp_columns.known_words(titles)


def _header_of(table: Table, words: Mapping[str, str], questions: Mapping[str, str]) -> int:
    lines = range(1, min(HEADER_WITHIN, len(table.rows)) + 1)
    return max(lines, key=lambda line: len(cfp_columns.guess(table.rows[line - 1], words, questions)))


def _records(table: Table, header_row: int, mapping: Mapping[str, int]) -> list[Record]:
    return [
        Record(line, {key: restore(table.cell(line, column)) for key, column in mapping.items()})
        for line in range(header_row + 1, len(table.rows) + 1)
        if table.rows[line - 1]
    ]


async def _digest(titles: Sequence[str]) -> str:
    return _OURS + header_digest(titles)[: 64 - len(_OURS)]


async def look(door: Door, *, filename: str, data: bytes, choices: Choices) -> Preview:
    """Reads a file and says what importing it would do, now. Raises SheetProblem; NotFound without a call."""
    event_id = door.event.id
    found = await cfp_tables.read(event_id, actor=door.actor, everybody=True)
    if found is None:
        raise NotFound()
    questions = cfp_columns.question_keys(found.world.fields)
    source = await _source(event_id, filename, data, choices, questions)
    taken = await _taken(event_id)
    snapshot = Snapshot(
        found=found,
        zone=ZoneInfo(door.event.time_zone),
        forum_ids=door.forum_scope(Permission.CHANGE_PROPOSALS),
        taken=taken,
    )
    plan = await asyncio.to_thread(cfp_plan.plan, source.records, snapshot)
    table = source.table
    titles = table.rows[source.header_row - 1] if table else []
    return Preview(
        is_json=table is None,
        sheet=table.sheet if table else "",
        sheets=table.sheets if table else (),
        header_row=source.header_row,
        head=[[cell[:40] for cell in row if cell.strip()][:6] for row in table.rows[:HEADER_WITHIN]]
        if table
        else (),
        columns=[
            (
                column_letter(number),
                restore(titles[number]).strip() if number < len(titles) else "",
                _samples(table, source.header_row, number),
            )
            for number in range(table.width)
        ]
        if table
        else (),
        mapping=source.mapping,
        keys=_keys(source.mapping, questions),
        unused=source.unused,
        plan=plan,
        digest=_digest_of(plan),
        lacks_columns=table is not None
        and not any(
            key.partition(":")[0] in ("title", "code", "external_id", "speaker.name")
            for key in source.mapping
        ),
    )


def _keys(mapping: Mapping[str, int], questions: Mapping[str, str]) -> Sequence[str]:
    keys: list[str] = []
    for column in cfp_columns.COLUMNS:
        keys.append(column.key)
        if column.is_text:
            more = {key.partition(":")[2] for key in mapping if key.startswith(f"{column.key}:")}
            keys += [
                f"{column.key}:{tag}"
                for tag in (*cfp_columns.LANGUAGES, *sorted(more - set(cfp_columns.LANGUAGES)))
            ]
    return [*keys, *sorted(set(questions.values()))]


def _samples(table: Table, header_row: int, column: int) -> Sequence[str]:
    found: list[str] = []
    for line in range(header_row + 1, min(header_row + 50, len(table.rows)) + 1):
        text = " ".join(table.cell(line, column).split())
        if text and text not in found:
            found.append(text if len(text) <= 40 else f"{text[:39]}…")
        if len(found) == 2:
            break
    return found


async def _source(
    event_id: int, filename: str, data: bytes, choices: Choices, questions: Mapping[str, str]
) -> _Source:
    if pretalx.is_json(data):
        read = await asyncio.to_thread(pretalx.read, data, questions)
        return _Source(read.records, unused=read.unused)
    table: Table = await in_worker(_read, filename, data, choices.sheet)
    words = _words()
    header_row = choices.header_row or _header_of(table, words, questions)
    header_row = min(header_row, len(table.rows))
    titles = table.rows[header_row - 1]
    remembered = await imports.remembered_mapping(event_id, await _digest(titles))
    mapping = remembered if remembered is not None else cfp_columns.guess(titles, words, questions)
    mapping = {key: column for key, column in mapping.items() if column < table.width}
    return _Source(
        _records(table, header_row, mapping),
        mapping,
        [
            restore(title)
            for number, title in enumerate(titles)
            if title.strip() and number not in mapping.values()
        ],
        table,
        header_row,
    )


def _read(filename: str, data: bytes, sheet: str | None) -> Table:
    return read_table(filename, data, sheet, max_cell=MAX_CELL)


async def _taken(event_id: int) -> frozenset[str]:
    rows = await db.query(
        "SELECT code FROM proposal WHERE event_id = $1 UNION ALL SELECT code FROM speaker WHERE event_id = $1",
        event_id,
    )
    return frozenset(str(row["code"]) for row in rows)


def _digest_of(plan: Plan) -> str:
    """Names a plan: every line's outcome, and the versions of what it would change."""
    said = [
        [(one.line, str(one.action), [each.code for each in one.problems]) for one in plan.lines],
        [(one.id, one.version, sorted(one.touched)) for one in plan.proposals],
        [(one.id, sorted(one.touched)) for one in plan.speakers],
    ]
    return hashlib.sha256(orjson.dumps(said)).hexdigest()[:32]


async def choose(door: Door, *, preview: Preview, mapping: Mapping[str, int], at: datetime) -> None:
    """Remembers the columns chosen for files with these headers. Columns that the file has not are left out."""
    known = {
        key: column
        for key, column in mapping.items()
        if key in preview.keys and column < len(preview.columns)
    }
    titles = [title for _, title, _ in preview.columns]
    while titles and not titles[-1]:
        titles.pop()
    await imports.remember_mapping(door.event.id, await _digest(titles), known, at=at)


# --- applied -----------------------------------------------------------------------------------------------------


async def apply(
    door: Door, *, preview: Preview, digest: str, partial: bool, form_id: UUID, at: datetime
) -> Mapping[str, Any]:
    """Applies the plan that was seen, once for a form's id; gives how many lines did what.

    Raises Conflict: ``import_changed`` when the plan is another one by now, ``import_not_clean`` while lines are in error
    and ``partial`` was not said, ``import_nothing``.
    """
    totals = preview.plan.totals
    body = {"import": door.event.id, "digest": digest, "partial": partial}
    known = await replays.find(id=form_id, actor_key=door.actor.key, body=body)
    if known is not None:
        return known
    if digest != preview.digest:
        raise Conflict(imports.ImportCode.CHANGED)
    if totals[Action.ERROR] and not partial:
        raise Conflict(imports.ImportCode.NOT_CLEAN, error=totals[Action.ERROR])
    if not totals[Action.CREATE] and not totals[Action.UPDATE]:
        raise Conflict(imports.ImportCode.NOTHING)

    async def write() -> Mapping[str, Any]:
        await _write(door.actor, door.event.id, preview.plan, at)
        await journal.write(
            actor=door.actor,
            verb="proposal.import",
            object_kind="event",
            object_id=door.event.id,
            event_id=door.event.id,
            new={str(name): totals[name] for name in (Action.CREATE, Action.UPDATE, Action.ERROR)},
            at=at,
        )
        return totals

    try:
        return await replays.once(id=form_id, actor_key=door.actor.key, body=body, at=at, action=write)
    except db.IntegrityError as error:
        # Somebody took a code, an address or an external id between the look and the press.
        raise Conflict(imports.ImportCode.CHANGED) from error


async def _write(actor: Actor, event_id: int, plan: Plan, at: datetime) -> None:
    await db.one_at_a_time(f"agenda.cfp_import:{event_id}")
    people = await _write_speakers(event_id, plan.speakers, at)
    numbers = await _write_proposals(event_id, plan.proposals, at)
    places = [
        (
            numbers[id(one)],
            who.id if who.id is not None else people[id(who)],
            role,
            position,
            *allows,
            at if any(allows) else None,
            at,
        )
        for one in plan.proposals
        for position, (who, role, allows) in enumerate(one.places)
        if "speakers" in one.touched or one.id is None
    ]
    await db.write_together(
        db.Insert("proposal_speaker", _PLACE, places, "ON CONFLICT (proposal_id, speaker_id) DO NOTHING"),
        db.Insert(
            "proposal_tag",
            (("proposal_id", "int"), ("tag_id", "int")),
            [(numbers[id(one)], tag) for one in plan.proposals for tag in sorted(one.tag_ids)],
            "ON CONFLICT (proposal_id, tag_id) DO NOTHING",
        ),
    )
    for subject, answered in (
        (Subject.PROPOSAL, {numbers[id(one)]: _answers(one) for one in plan.proposals}),
        (Subject.SPEAKER, {people[id(one)]: _answers(one) for one in plan.speakers}),
    ):
        await call_answers.put_many(subject, answered)
    lines: list[tuple[int, str, Line]] = []
    for one in plan.proposals:
        number = numbers[id(one)]
        if one.id is None:
            lines.append((number, "create", Line("state", None, str(one.values["state"]))))
            continue
        for name in sorted(one.touched):
            old, new = one.old.get(name), one.values.get(name)
            lines.append(
                (
                    number,
                    "edit",
                    Line("answer" if name.startswith("answer") else name, _json(old), _json(new)),
                )
            )
    for verb in ("create", "edit"):
        await history.write_many(
            actor=actor,
            verb=verb,
            at=at,
            lines=[(number, line) for number, said, line in lines if said == verb],
        )


def _json(value: Any) -> Any:
    return dict(value) if isinstance(value, LocalizedText) else value


def _answers(one: ProposalPlan | SpeakerPlan) -> Mapping[int, Any]:
    """What is to be written of somebody's answers: all of a new one's, the changed ones of others."""
    changed = {int(name.removeprefix("answer ")) for name in one.touched if name.startswith("answer ")}
    return {number: value for number, value in one.answers.items() if one.id is None or number in changed}


_PLACE: Final = (
    ("proposal_id", "int"),
    ("speaker_id", "int"),
    ("role", "text"),
    ("position", "int"),
    ("allows_slides", "bool"),
    ("allows_photo", "bool"),
    ("allows_video", "bool"),
    ("allowed_at", "instant"),
    ("joined_at", "instant"),
)
_SPEAKER: Final = (
    ("name", "json"),
    ("organisation", "json"),
    ("title", "json"),
    ("bio", "json"),
    ("email", "text"),
    ("phone", "text"),
    ("locale", "text"),
    ("external_id", "text"),
    ("wants_travel_support", "bool"),
    ("travel_note", "text"),
)
_PROPOSAL: Final = (
    ("title", "json"),
    ("abstract", "json"),
    ("description", "json"),
    ("session_type_id", "int"),
    ("forum_id", "int"),
    ("minutes", "int"),
    ("language", "text"),
    ("level", "text"),
    ("audience", "text"),
    ("takeaways", "text"),
    ("previous_talks", "text"),
    ("equipment", "text"),
    ("notes", "text"),
    ("external_id", "text"),
)


def _fresh(one: ProposalPlan | SpeakerPlan, taken: set[str]) -> str:
    code = one.code
    while not code or code in taken:
        code = speakers.new_code()
    taken.add(code)
    return code


async def _write_speakers(event_id: int, plans: Sequence[SpeakerPlan], at: datetime) -> dict[int, int]:
    """New and changed speakers; gives every plan's id by the plan's identity."""
    columns = (
        *_SPEAKER,
        ("event_id", "int"),
        ("code", "text"),
        ("secret_round", "int"),
        ("search", "text"),
        ("note", "text"),
        ("created_at", "instant"),
        ("updated_at", "instant"),
        *(
            (name, "text")
            for name in ("arrival_note", "hotel_note", "pick_up_note", "host_name", "host_contact")
        ),
    )

    def values(one: SpeakerPlan) -> list[Any]:
        # No address is NULL: two may lack one.
        return [one.values[name] or None if name == "email" else one.values[name] for name, _ in _SPEAKER]

    def search(one: SpeakerPlan) -> str:
        return speakers.search_of(one.values["name"], one.values["organisation"])

    taken: set[str] = set()
    new = [one for one in plans if one.id is None]
    codes = {id(one): _fresh(one, taken) for one in new}
    rows = [
        (*values(one), event_id, codes[id(one)], 0, search(one), "", at, at, "", "", "", "", "")
        for one in new
    ]
    if rows:
        await db.write_together(db.Insert("speaker", columns, rows))
    ids = (
        {row.code: row.id for row in await Speaker.filter(event_id=event_id, code__in=list(taken))}
        if new
        else {}
    )
    await _update(
        "speaker",
        _SPEAKER,
        [(one.id, *values(one), search(one)) for one in plans if one.id is not None and one.touched],
        "updated_at = $2",
        at,
    )
    return {id(one): one.id if one.id is not None else ids[codes[id(one)]] for one in plans}


async def _write_proposals(event_id: int, plans: Sequence[ProposalPlan], at: datetime) -> dict[int, int]:
    columns = (
        *_PROPOSAL,
        ("event_id", "int"),
        ("code", "text"),
        ("guid", "uuid"),
        ("state", "text"),
        ("pending_state", "text"),
        ("pending_by", "text"),
        ("origin", "text"),
        ("version", "int"),
        ("search", "text"),
        ("created_at", "instant"),
        ("updated_at", "instant"),
        ("submitted_at", "instant"),
    )

    def values(one: ProposalPlan) -> list[Any]:
        return [one.values[name] for name, _ in _PROPOSAL]

    taken: set[str] = set()
    new = [one for one in plans if one.id is None]
    codes = {id(one): _fresh(one, taken) for one in new}
    rows = [
        (
            *values(one),
            event_id,
            codes[id(one)],
            uuid4(),
            str(one.values["state"]),
            "",
            "",
            str(Origin.IMPORT),
            1,
            proposals.search_of(one.values["title"], one.values["abstract"]),
            at,
            at,
            one.values["submitted_at"],
        )
        for one in new
    ]
    if rows:
        await proposals.put_many(columns, rows)
    ids = (
        {row.code: row.id for row in await Proposal.filter(event_id=event_id, code__in=list(taken))}
        if new
        else {}
    )
    changed = [one for one in plans if one.id is not None and one.touched]
    written = await _update(
        "proposal",
        _PROPOSAL,
        [
            (
                one.id,
                *values(one),
                proposals.search_of(one.values["title"], one.values["abstract"]),
                one.version,
            )
            for one in changed
        ],
        "updated_at = $2, version = proposal.version + 1",
        at,
        more="AND proposal.version = r.version",
    )
    if written != len(changed):
        raise Conflict(imports.ImportCode.CHANGED)
    return {id(one): one.id if one.id is not None else ids[codes[id(one)]] for one in plans}


async def _update(
    table: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    also: str,
    at: datetime,
    *,
    more: str = "",
) -> int:
    """Writes these columns and ``search`` of many rows in one statement, by their ids; gives how many there were."""
    if not rows:
        return 0
    shape = {"id": "int", **dict(columns), "search": "text"} | ({"version": "int"} if more else {})
    source = db.json_rows("$1", **shape)
    plain = [dict(zip(shape, row, strict=True)) for row in rows]
    listed = ", ".join(f"{name} = r.{name}" for name in (*(name for name, _ in columns), "search"))
    return await db.execute(
        f"UPDATE {table} SET {listed}, {also} FROM {source} WHERE {table}.id = r.id {more}",  # noqa: S608 -- our own words
        orjson.dumps(plain).decode(),
        at if db.dialect() == "postgres" else db.stored_instant(at),
    )
