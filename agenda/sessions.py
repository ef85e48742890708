"""Sessions: added one by one, or a whole programme from a list."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from agenda.models import Session
from agenda.rules import AgendaCode, SessionKind, read_kind, read_moment, session_problems
from events import queries as events
from events.contacts import clean_line
from events.queries import PlaceFacts
from events.rules import EventCode, fold
from events.sheets import Table, read_table
from kernel import db
from kernel.actor import SYSTEM, Actor
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal

Value = TypeVar("Value")


async def add(
    *,
    event_id: int,
    title: LocalizedText,
    starts_at: datetime,
    ends_at: datetime,
    at: datetime,
    kind: SessionKind = SessionKind.TALK,
    place_id: int | None = None,
    speakers: str = "",
    guid: UUID | None = None,
    actor: Actor = SYSTEM,
) -> int:
    """Adds a session; gives its id. Its guid is drawn now and never changes.

    Raises Invalid with a problem at each field; a place of another event is ``session_place_unknown``.
    """
    problems = session_problems(title=title, speakers=speakers, starts_at=starts_at, ends_at=ends_at)
    if place_id is not None and place_id not in {place.id for place in await events.places(event_id)}:
        problems["place"] = Problem(AgendaCode.SESSION_PLACE_UNKNOWN, {"value": ""})
    if problems:
        raise Invalid(problems)
    async with unit_of_work():
        row = await Session.create(
            guid=guid or uuid4(),
            event_id=event_id,
            place_id=place_id,
            kind=kind,
            title=title,
            speakers=speakers,
            starts_at=starts_at,
            ends_at=ends_at,
        )
        await journal.write(
            actor=actor, verb="session.add", object_kind="session", object_id=row.id, event_id=event_id, at=at
        )
    return int(row.id)


# --- a programme from a list -------------------------------------------------------------------------------------

#: How a column may be called; compared folded, without spaces and brackets.
_HEADERS: Final[Mapping[str, Sequence[str]]] = {
    "guid": ("guid", "uuid"),
    "title.zh-Hans": (
        "title.zh-hans",
        "title.zh",
        "title_zh",
        "title",
        "标题",
        "中文标题",
        "题目",
        "议题",
        "主题",
        "议程",
        "环节",
    ),
    "title.en": ("title.en", "title_en", "英文标题", "英文题目", "english title", "title in english"),
    "kind": ("kind", "type", "类型", "形式"),
    "place": ("place", "room", "地点", "场所", "会场", "场地", "房间"),
    "date": ("date", "day", "日期"),
    "starts_at": ("starts_at", "start", "starts", "begin", "开始", "开始时间"),
    "ends_at": ("ends_at", "end", "ends", "结束", "结束时间"),
    "speakers": ("speakers", "speaker", "讲师", "讲者", "嘉宾", "演讲人", "主讲人"),
}


@dataclass(frozen=True, slots=True)
class LineProblem:
    """What is wrong with one line; ``field`` names the column, empty for the whole line."""

    line: int
    field: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did. With any problem nothing was done."""

    created: int = 0
    updated: int = 0
    #: lines that say what is there already
    same: int = 0
    problems: Sequence[LineProblem] = ()

    @property
    def is_clean(self) -> bool:
        return not self.problems


@dataclass(slots=True)
class _Line:
    line: int
    guid: UUID | None = None
    kind: SessionKind = SessionKind.TALK
    title: LocalizedText = field(default_factory=LocalizedText)
    speakers: str = ""
    place_id: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def columns(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "title": self.title,
            "speakers": self.speakers,
            "place_id": self.place_id,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
        }

    def key(self) -> tuple[object, ...]:
        return self.starts_at, self.place_id, tuple(sorted(self.title.items()))


async def import_csv(
    *, event_id: int, data: bytes, at: datetime, filename: str = "programme.csv", actor: Actor = SYSTEM
) -> Report:
    """Reads a programme (CSV or XLSX, times as the event's wall clock) and writes all of it, or nothing.

    Columns: a title in Chinese or English (one is enough), start and end; place (its code or name), kind, speakers
    and guid may be left out. A line with the guid of a session changes it; one that says what is there already is
    left; all others are new. Sessions that the list does not name stay.

    Raises ``events.sheets.SheetProblem`` for a file that is no table. Every bad line is in the report.
    """
    event = await events.find_event_by_id(event_id)
    if event is None:
        raise NotFound(EventCode.EVENT_UNKNOWN)
    # A workbook takes seconds to open: not on the loop that the door's scans run on.
    table = await asyncio.to_thread(read_table, filename, data)
    header, columns = _header(table)
    lacking = [name for name in ("starts_at", "ends_at") if name not in columns]
    if "title.zh-Hans" not in columns and "title.en" not in columns:
        lacking.insert(0, "title")
    if lacking:
        problem = AgendaCode.PROGRAMME_COLUMN_MISSING
        return Report(problems=[LineProblem(max(header, 1), name, Problem(problem)) for name in lacking])
    reader = _Reader(columns, event.time_zone, await events.places(event_id))
    lines = [
        reader.read(table, number)
        for number in range(header + 1, len(table.rows) + 1)
        if any(cell.strip() for cell in table.rows[number - 1])
    ]
    if not lines:
        return Report(problems=[LineProblem(header, "", Problem(AgendaCode.PROGRAMME_EMPTY))])
    if reader.problems:
        return Report(problems=reader.problems)
    return await _write(event_id, lines, actor, at)


async def _write(event_id: int, lines: Sequence[_Line], actor: Actor, at: datetime) -> Report:
    async with unit_of_work():
        rows = await Session.filter(event_id=event_id)
        there = {row.guid: row for row in rows}
        known: dict[tuple[object, ...], Session] = {
            (row.starts_at, row.place_id, tuple(sorted(row.title.items()))): row for row in rows
        }
        foreign = [line.guid for line in lines if line.guid and line.guid not in there]
        taken = {row.guid for row in await Session.filter(guid__in=foreign)} if foreign else set()
        problems = [
            LineProblem(line.line, "guid", Problem(AgendaCode.SESSION_OF_ANOTHER_EVENT))
            for line in lines
            if line.guid in taken
        ]
        if problems:
            return Report(problems=problems)
        fresh: list[Session] = []
        updated = same = 0
        for line in lines:
            old = there.get(line.guid) if line.guid else known.get(line.key())
            columns = line.columns()
            if old is None:
                fresh.append(Session(guid=line.guid or uuid4(), event_id=event_id, **columns))
            elif all(getattr(old, name) == value for name, value in columns.items()):
                same += 1
            else:
                await Session.filter(id=old.id).update(**columns)
                updated += 1
        try:
            async with unit_of_work():
                await Session.bulk_create(fresh)
        except db.IntegrityError as error:
            # Somebody imports the same list in another window: their lines are there now, so look again.
            raise Conflict() from error
        if fresh or updated:
            await journal.write(
                actor=actor,
                verb="session.import",
                object_kind="event",
                object_id=event_id,
                event_id=event_id,
                new={"created": len(fresh), "updated": updated},
                at=at,
            )
    return Report(len(fresh), updated, same)


def _header(table: Table) -> tuple[int, dict[str, int]]:
    """The first line that holds anything, and which column means what; the first of two that mean the same counts."""
    words = {_plain(word): name for name, several in _HEADERS.items() for word in several}
    for line, row in enumerate(table.rows, start=1):
        if any(cell.strip() for cell in row):
            columns: dict[str, int] = {}
            for index, cell in enumerate(row):
                name = words.get(_plain(cell))
                if name:
                    columns.setdefault(name, index)
            return line, columns
    return 0, {}


def _plain(header: str) -> str:
    return "".join(char for char in fold(header) if char not in " ()[]*:")


class _Reader:
    """Reads lines of a table one after the other, and remembers what was wrong."""

    def __init__(self, columns: Mapping[str, int], zone: str, places: Sequence[PlaceFacts]) -> None:
        self.columns, self.zone = columns, zone
        self.problems: list[LineProblem] = []
        self.places: dict[str, int | None] = {}
        for place in places:
            for name in {fold(name) for name in place.name.values()}:
                # Two rooms of one name: their codes must tell them apart.
                self.places[name] = None if name in self.places else place.id
        self.places |= {fold(place.code): place.id for place in places}
        self.seen: dict[object, int] = {}

    def read(self, table: Table, number: int) -> _Line:
        def cell(name: str) -> str:
            return table.cell(number, self.columns[name]).strip() if name in self.columns else ""

        def taken(name: str, value: Value | Problem) -> Value | None:
            if isinstance(value, Problem):
                self.problems.append(LineProblem(number, name, value))
                return None
            return value

        day = cell("date")
        found = _Line(number)
        found.kind = taken("kind", read_kind(cell("kind"))) or SessionKind.TALK
        found.guid = taken("guid", _guid(cell("guid")))
        found.place_id = taken("place", self._place(cell("place")))
        found.speakers = clean_line(cell("speakers"))
        found.title = LocalizedText.of({tag: clean_line(cell(f"title.{tag}")) for tag in ("zh-Hans", "en")})
        starts_at = taken("starts_at", read_moment(_dated(cell("starts_at"), day), self.zone))
        ends_at = taken("ends_at", read_moment(_dated(cell("ends_at"), day or cell("starts_at")), self.zone))
        if starts_at and ends_at:
            found.starts_at, found.ends_at = starts_at, ends_at
            wrong = session_problems(
                title=found.title, speakers=found.speakers, starts_at=starts_at, ends_at=ends_at
            )
            self.problems += [LineProblem(number, name, problem) for name, problem in wrong.items()]
            for key in (found.guid, found.key()):
                first = self.seen.setdefault(key, number) if key is not None else number
                if first != number:
                    twice = Problem(AgendaCode.SESSION_ROW_TWICE, {"line": first})
                    self.problems.append(LineProblem(number, "", twice))
                    break
        return found

    def _place(self, text: str) -> int | Problem | None:
        if not text:
            return None
        return self.places.get(fold(text)) or Problem(AgendaCode.SESSION_PLACE_UNKNOWN, {"value": text[:40]})


def _guid(text: str) -> UUID | Problem | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        return Problem(AgendaCode.SESSION_GUID_MALFORMED)


def _dated(text: str, day: str) -> str:
    """A bare ``09:30`` belongs to the day in the line's date column, or to the day that the session starts on."""
    bare = len(text) <= 5 and text.replace("：", ":").count(":") == 1
    return f"{day.split(maxsplit=1)[0]} {text}" if bare and day.split() else text
