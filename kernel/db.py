"""The database, with its traps answered once: ``unit_of_work``, ``after_commit``, raw reads, instants.

This module and its two engines are the only places that know which database runs. What they promise
(reference: docs/decisions/0004-transactions.md, each held by a test in tests/actions/test_db.py):

- a write happens only inside ``unit_of_work``; outside it is a programming mistake and raises;
- a cancelled task leaks no transaction, lock or pooled connection;
- a task started inside a unit of work can't use it by accident;
- on SQLite writers take turns, urgent ones (the scan committer) first, and reads never wait for them;
- an instant is stored in UTC, in one width, so that text compares as time does.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from uuid import UUID

import asyncpg
import orjson
from tortoise import Tortoise
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError
from tortoise.exceptions import IntegrityError as IntegrityError  # noqa: PLC0414 -- the house's name for it

from kernel.errors import Busy
from kernel.settings import Settings

log = logging.getLogger("huiwu.db")

T = TypeVar("T")
ALIAS = "default"
#: The modules that hold tables, lowest floor first: the only place where this floor names those above.
MODELS = ("people.models", "events.models", "agenda.models", "checkin.models")
#: No write transaction but a migration holds SQLite's writer longer (DESIGN section 9); longer ones are logged.
LONGEST_HOLD_S = 0.25
#: How long an action waits for its turn before it answers "busy".
TURN_TIMEOUT_S = 10.0
READERS = 3
POSTGRES_POOL = 10

#: What a lost or closing PostgreSQL connection raises: the outcome of the transaction is unknown.
CONNECTION_LOST: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # The server's last word came while nobody was listening; the driver then takes no statement any more.
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.TooManyConnectionsError,
    DBConnectionError,
    ConnectionError,
    TimeoutError,
)
#: Two transactions waited for each other, or saw each other's half: harmless to run again.
RETRY: tuple[type[BaseException], ...] = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class WriteOutsideUnitOfWork(RuntimeError):
    """A statement that changes data was sent outside ``unit_of_work``: a programming mistake."""


class ForeignTask(RuntimeError):
    """A task started inside a unit of work tried to use it: start it through ``after_commit`` instead."""


@dataclass(slots=True)
class Stats:
    """Counted for tests and metrics: statements sent, units committed, and the longest time the writer was held."""

    statements: int = 0
    commits: int = 0
    rollbacks: int = 0
    longest_hold_s: float = 0.0


stats = Stats()
_state: dict[str, Any] = {"dialect": "sqlite", "open": False}


def dialect() -> str:
    """``sqlite`` or ``postgres``; only SQL in this floor and in ``checkin.scanning`` may ask."""
    return str(_state["dialect"])


async def open_database(settings: Settings, models: Sequence[str] = MODELS) -> None:
    """Connects Tortoise for this process; ``models`` are the modules that hold tables, lowest floor first."""
    if settings.is_sqlite:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        connection: dict[str, Any] = {
            "engine": "kernel.engine_sqlite",
            "credentials": {
                "file_path": str(sqlite_path(settings)),
                "journal_mode": "WAL",
                "synchronous": "FULL",
                "foreign_keys": "ON",
                "busy_timeout": 5000,
                # A log that is cut after every checkpoint has to grow again, and growing is the dearer half of a sync.
                "journal_size_limit": 64 * 1024 * 1024,
                # In KiB: the indexes that a scan goes through, kept out of the file's way.
                "cache_size": -32 * 1024,
            },
        }
    else:
        connection = {
            "engine": "kernel.engine_postgres",
            "credentials": postgres_credentials(settings.database_url),
        }
    _state["dialect"] = "sqlite" if settings.is_sqlite else "postgres"
    await Tortoise.init(
        config={
            "connections": {ALIAS: connection},
            "apps": {"huiwu": {"models": list(models), "default_connection": ALIAS}},
            "use_tz": True,
            "timezone": "UTC",
        },
        _enable_global_fallback=True,
    )
    await query("SELECT 1 AS one")
    _state["open"] = True


async def close_database() -> None:
    """Closes every connection; a second call does nothing."""
    if _state["open"]:
        _state["open"] = False
        await Tortoise.close_connections()


def is_open() -> bool:
    return bool(_state["open"])


def sqlite_path(settings: Settings) -> Any:
    return settings.data_dir / "huiwu.sqlite3"


def postgres_credentials(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port or 5432,
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password) if parts.password else None,
        "database": parts.path.lstrip("/") or "huiwu",
        "minsize": 1,
        "maxsize": POSTGRES_POOL,
        # A connect that hangs must not hold an action; statements are short everywhere but in migrations.
        "timeout": 5,
        "command_timeout": 30,
        # Said explicitly, so that a server's or role's default can't make "acknowledged" mean "perhaps".
        "server_settings": {"synchronous_commit": "on", "timezone": "UTC", "application_name": "huiwu"},
    }


def client() -> Any:
    """The connection of the current task: the unit of work's own, or the shared one that only reads."""
    return get_connections().get(ALIAS)


# --- units of work ---------------------------------------------------------------------------------------------


class _Unit:
    __slots__ = ("callbacks", "connection", "owner", "parent")

    def __init__(self, owner: asyncio.Task[Any] | None, parent: _Unit | None) -> None:
        self.owner = owner
        self.parent = parent
        self.callbacks: list[Callable[[], None]] = []
        self.connection: Any = None


_current: contextvars.ContextVar[_Unit | None] = contextvars.ContextVar("huiwu_unit_of_work", default=None)


def _mine() -> _Unit | None:
    """The unit of work of this very task; one inherited from the task that started us is not ours."""
    unit = _current.get()
    return unit if unit is not None and unit.owner is asyncio.current_task() else None


class unit_of_work:  # noqa: N801 -- reads as a verb: async with unit_of_work():
    """One transaction: everything inside is kept together or not at all, and only then is it announced.

    Nested, it is a savepoint: what fails inside is undone and its announcements are dropped, the outer one goes on.
    ``urgent`` goes before other waiting writers (SQLite has one writer); only the scan committer asks for it. Its
    ``look`` is read as the first thing inside, on SQLite in the same visit to the writer's thread as the BEGIN;
    ``async with ... as unit`` then has the rows in ``unit.found``.

    Raises Busy (503, not remembered) when no turn was to be had in time or the connection was lost, which leaves
    the outcome unknown. Cancellation rolls back and leaks nothing.
    """

    __slots__ = ("_context", "_look", "_token", "_unit", "_urgent")

    def __init__(self, *, urgent: bool = False, look: Look | None = None) -> None:
        assert urgent or look is None
        self._urgent = urgent
        self._look = look

    async def __aenter__(self) -> Any:
        parent = _mine()
        assert parent is None or self._look is None, "a savepoint looks by itself"
        self._unit = _Unit(asyncio.current_task(), parent)
        base = parent.connection if parent else base_client()
        try:
            self._context = (
                base.begin_unit(urgent=True, look=self._look)
                if self._look
                else base.begin_unit(urgent=self._urgent)
            )
            self._unit.connection = await self._context.__aenter__()
        except CONNECTION_LOST as error:
            raise Busy() from error
        self._token = _current.set(self._unit)
        return self._unit.connection

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        _current.reset(self._token)
        try:
            await self._context.__aexit__(kind, error, trace)
        except CONNECTION_LOST as lost:
            raise Busy() from lost
        if error is not None:
            if self._unit.parent is None:
                stats.rollbacks += 1
            if isinstance(error, CONNECTION_LOST):
                raise Busy() from error
            return
        if self._unit.parent is not None:
            self._unit.parent.callbacks.extend(self._unit.callbacks)
            return
        stats.commits += 1
        for callback in self._unit.callbacks:
            try:
                callback()
            except Exception:
                # The change is committed; a failing announcement must not tell the caller otherwise.
                log.exception("an after-commit callback failed")


def after_commit(callback: Callable[[], None]) -> None:
    """Runs ``callback`` once the outermost unit of work is durable; never when it, or its savepoint, rolled back.

    Callbacks are plain functions that return at once (mark a topic, wake a worker). Outside a unit of work this is
    a programming mistake and raises RuntimeError: there is nothing to wait for.
    """
    unit = _mine()
    if unit is None:
        raise RuntimeError("after_commit outside a unit of work")
    unit.callbacks.append(callback)


def in_unit_of_work() -> bool:
    return _mine() is not None


def base_client() -> Any:
    """The shared client, whatever the current task's context says."""
    current: Any = get_connections().get(ALIAS)
    return getattr(current, "shared", current)


async def run_to_end(work: Coroutine[Any, Any, T]) -> tuple[asyncio.Task[T], asyncio.CancelledError | None]:
    """Runs ``work`` to its end even when the caller is cancelled meanwhile; gives the finished task and the cancel.

    Opening and closing a transaction must not stop half way: a half-open one is a lock nobody gives back.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as stop:
            if task.cancelled():
                raise
            cancelled = stop
        except BaseException:  # noqa: BLE001 -- the task keeps it, the caller reads it there
            break
    return task, cancelled


def note_hold(began: float) -> None:
    held = time.monotonic() - began
    stats.longest_hold_s = max(stats.longest_hold_s, held)
    if held > LONGEST_HOLD_S:
        log.warning("a write transaction was held for %.0f ms", held * 1000)


# --- raw statements ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _for_dialect(sql: str, name: str) -> str:
    # SQLite knows numbered parameters as ?1; the house writes $1 everywhere.
    return re.sub(r"\$(\d+)", r"?\1", sql) if name == "sqlite" else sql


async def query(sql: str, *values: Any) -> list[dict[str, Any]]:
    """Rows of one statement written with ``$1``; inside a unit of work it may write (RETURNING works on both).

    Raises Busy when the database is away or ends the connection, inside a unit of work at its end.
    """
    rows: list[dict[str, Any]] = await client().execute_query_dict(_for_dialect(sql, dialect()), list(values))
    return rows


async def execute(sql: str, *values: Any) -> int:
    """Sends one statement and gives the number of rows that it changed."""
    count, _rows = await client().execute_query(_for_dialect(sql, dialect()), list(values))
    return int(count)


@dataclass(frozen=True, slots=True)
class Look:
    """A read of many rows whose columns are integers, text and truth: ``columns`` names them as ``sql`` gives them."""

    sql: str
    columns: tuple[str, ...]
    values: tuple[Any, ...]


async def look(reading: Look) -> list[Sequence[Any]]:
    """The rows, each in the order of the columns. Only inside a unit of work.

    On SQLite they come as one JSON text: its driver gives the interpreter up and waits for it again at every row,
    which beside a busy loop takes longer than the reading.
    """
    rows: list[Sequence[Any]] = await client().look(reading)
    return rows


async def many(sql: str, columns: tuple[str, ...], *values: Any) -> list[Sequence[Any]]:
    """As ``query``, for thousands of rows whose columns are integers, text and truth (0 and 1 on SQLite), each row in
    the order of ``columns``: reads what ``look`` reads, for the same reason, outside a unit of work, too.
    """
    if dialect() == "sqlite":
        [row] = await query(as_one_value(sql, columns), *values)
        found: list[Sequence[Any]] = orjson.loads(next(iter(row.values())))
        return found
    return [tuple(row[column] for column in columns) for row in await query(sql, *values)]


@lru_cache(maxsize=64)
def as_one_value(sql: str, columns: tuple[str, ...]) -> str:
    """A statement for SQLite whose one value is all rows of ``sql`` as JSON, in their order."""
    listed = ", ".join(columns)
    return f"SELECT json_group_array(json_array({listed})) FROM ({_for_dialect(sql, 'sqlite')})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows for one table: ``columns`` by kind (see json_rows), ``rows`` in their order, and what a conflict means.

    ``tail`` is the ON CONFLICT clause; with none a conflict is an error. Rows are written in the order given, their
    values as Python has them (UUID, aware datetime, date, bool, and for json what JSON holds: a text would be kept as
    one); each database gets them as it stores them.
    """

    table: str
    columns: tuple[tuple[str, str], ...]
    rows: Sequence[tuple[Any, ...]]
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """One statement with the single parameter ``$1``, JSON text for ``json_rows``."""

    sql: str
    value: str


class Outrun(Exception):
    """The database took fewer rows than were sent: somebody else was first. The unit of work ends with nothing kept."""


async def write_together(
    *writes: Insert | Update, expected: Mapping[int, int] | None = None, last: bool = False
) -> list[int]:
    """Sends several writes in one trip and gives how many rows each of them wrote. Only inside a unit of work.

    On PostgreSQL they become parts of one statement (none sees another's rows); on SQLite they run one after the
    other in one visit to the writer's thread, rows bound one by one: there JSON costs more than the insert itself.

    ``expected`` says of some writes how many rows they have to write, and raises Outrun when it was another number.
    ``last``: nothing more will be sent in this outermost unit of work, so it may be committed in the same trip; it
    is durable once the unit's block has ended, as ever.
    """
    unit = _mine()
    is_last = last and unit is not None and unit.parent is None
    counts: list[int] = await client().write_together(writes, expected or {}, is_last)
    return counts


def check_counts(counts: Sequence[int], expected: Mapping[int, int]) -> None:
    """Raises Outrun unless every write wrote as many rows as it had to."""
    if any(counts[nth] != count for nth, count in expected.items()):
        raise Outrun()


def as_statement(write: Insert | Update) -> tuple[str, str]:
    """A write as SQL for PostgreSQL with one JSON parameter.

    An array for each column would spare the server some of the reading, and cost the driver twice as much in writing.
    """
    if isinstance(write, Update):
        return write.sql, write.value
    names = [name for name, _ in write.columns]
    rows = [dict(zip(names, row, strict=True)) for row in write.rows]
    return _insert_of_json(write.table, write.columns, write.tail), orjson.dumps(rows).decode()


@lru_cache(maxsize=64)
def _insert_of_json(table: str, columns: tuple[tuple[str, str], ...], tail: str) -> str:
    listed = ", ".join(name for name, _ in columns)
    source = json_rows("$1", **dict(columns))
    return f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {source} WHERE true {tail}"  # noqa: S608


_PG_TYPES: Mapping[str, str] = {
    "int": "bigint",
    "text": "text",
    "uuid": "uuid",
    "instant": "timestamptz",
    "date": "date",
    "bool": "boolean",
    "json": "jsonb",
}


@lru_cache(maxsize=128)
def _json_rows(parameter: str, columns: tuple[tuple[str, str], ...], name: str) -> str:
    if name == "sqlite":
        picks = ", ".join(f"json_extract(value, '$.{column}') AS {column}" for column, _ in columns)
        return f"(SELECT {picks} FROM json_each({parameter})) AS r"  # noqa: S608 -- names from our own code
    shape = ", ".join(f"{column} {_PG_TYPES[kind]}" for column, kind in columns)
    return f"(SELECT * FROM jsonb_to_recordset({parameter}::jsonb) AS j({shape})) AS r"  # noqa: S608


def json_rows(parameter: str, **columns: str) -> str:
    """SQL for a table named ``r``, read from one JSON parameter (an array of objects): one text for any number of rows.

    ``json_rows("$1", id="int", code="text")``; kinds: int, text, uuid, instant, date, bool, json.
    """
    return _json_rows(parameter, tuple(columns.items()), dialect())


def in_list(parameter: str, kind: str) -> str:
    """SQL behind a column for "is one of": reads the one parameter that ``list_parameter`` makes.

    PostgreSQL plans an array as a handful of index look-ups, where it would hash a whole table for ``json_rows``.
    """
    if dialect() == "sqlite":
        return f"IN (SELECT value FROM json_each({parameter}))"  # noqa: S608
    return f"= ANY({parameter}::{_PG_TYPES[kind]}[])"


def list_parameter(values: Iterable[Any]) -> Any:
    """The parameter for ``in_list``: an array, or JSON text where there are none."""
    every = [str(value) if isinstance(value, UUID) else value for value in values]
    return orjson.dumps(every).decode() if dialect() == "sqlite" else every


def stored_instant(at: datetime) -> str:
    """An aware time as both databases read it from JSON and as SQLite stores it: UTC, microseconds, one width."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return at.astimezone(UTC).isoformat(" ", "microseconds")


def as_instant(value: Any) -> datetime | None:
    """What a raw row holds for an instant (text on SQLite), as an aware UTC time."""
    if value is None:
        return None
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return at.astimezone(UTC)


def as_uuid(value: Any) -> UUID:
    """A raw column as a UUID. asyncpg's own class is a UUID, too, but one that goes into no JSON."""
    return value if type(value) is UUID else UUID(str(value))


async def one_at_a_time(name: str) -> None:
    """Inside a unit of work: whoever gives the same name waits here until this unit ends.

    For decisions that count rows before they add one, where no unique index can say no. SQLite's one writer already
    takes turns; PostgreSQL takes an advisory lock of the transaction.
    """
    assert in_unit_of_work()
    if dialect() == "postgres":
        await query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)


def count_statement(sql: str) -> None:
    stats.statements += 1


async def retrying(action: Callable[[], Awaitable[T]], tries: int = 3) -> T:
    """Runs a whole action again when the database ended it for another's sake (deadlock, serialization)."""
    for left in range(tries - 1, -1, -1):
        try:
            return await action()
        except RETRY:
            if not left:
                raise Busy() from None
    raise AssertionError("unreachable")


_READS = re.compile(r"\s*(SELECT|WITH|PRAGMA|EXPLAIN|SHOW|VALUES)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


@lru_cache(maxsize=2048)
def is_read(sql: str) -> bool:
    """Whether a statement only reads. ``WITH … INSERT`` counts as a write, quoted words are not looked into."""
    if not _READS.match(sql):
        return False
    return not (sql.lstrip()[:4].upper() == "WITH" and _WRITES.search(sql))


def refuse_write(sql: str) -> None:
    if not is_read(sql):
        raise WriteOutsideUnitOfWork(sql.split(None, 3)[0:3])
