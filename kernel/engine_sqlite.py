"""Tortoise on SQLite as this house needs it: one writer, readers of their own, BEGIN IMMEDIATE, no leaks.

Answers findings C, D, E and G of the stack trials (docs/decisions/0004-transactions.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import aiosqlite
import orjson
from tortoise.backends.base.client import NestedTransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionWrapper, translate_exceptions
from tortoise.connection import get_connections

from kernel import db
from kernel.errors import Busy

# One adapter for every datetime that reaches SQLite, through the ORM or raw: UTC and one width (finding D).
sqlite3.register_adapter(datetime, db.stored_instant)


class WriterLock:
    """Whose turn it is to write: first come, first served, urgent ones before the rest."""

    def __init__(self) -> None:
        self._held = False
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self, *, urgent: bool) -> None:
        """Waits for the turn; raises Busy after TURN_TIMEOUT_S. A cancelled waiter passes its turn on."""
        if not self._held:
            self._held = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._waiting).append(turn)
        try:
            async with asyncio.timeout(db.TURN_TIMEOUT_S):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.release()  # the turn came in the same moment: give it to the next
            else:
                turn.cancel()
            if isinstance(error, TimeoutError):
                raise Busy() from error
            raise

    def release(self) -> None:
        for queue in (self._urgent, self._waiting):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)  # the lock stays held: it is theirs now
                    return
        self._held = False


class Client(SqliteClient):
    """The shared client: reads on a few connections of their own, writes only through ``begin_unit``."""

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self.writer = WriterLock()
        self.shared = self
        self._opening = asyncio.Lock()
        self._readers: list[aiosqlite.Connection] = []
        self._free: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()

    async def create_connection(self, with_db: bool) -> None:
        async with self._opening:
            if self._connection:
                return
            await super().create_connection(with_db)
            for _ in range(db.READERS):
                reader = await aiosqlite.connect(self.filename, isolation_level=None)
                reader._conn.row_factory = sqlite3.Row
                for pragma in ("busy_timeout=5000", "query_only=ON", "foreign_keys=ON"):
                    await reader.execute_fetchall(f"PRAGMA {pragma}")
                self._readers.append(reader)
                self._free.put_nowait(reader)

    async def close(self) -> None:
        for reader in self._readers:
            await reader.close()
        self._readers.clear()
        self._free = asyncio.Queue()
        await super().close()

    async def writing_pragmas(self, *names: str) -> list[dict[str, Any]]:
        """The pragmas of every live writing connection, for the durability test; there is exactly one."""
        await self.create_connection(True)
        assert self._connection is not None
        rows = {name: await self._connection.execute_fetchall(f"PRAGMA {name}") for name in names}
        return [{name: next(iter(row))[0] for name, row in rows.items()}]

    @contextlib.asynccontextmanager
    async def _reader(self) -> Any:
        if not self._connection:
            await self.create_connection(True)
        reader = await self._free.get()
        try:
            yield reader
        finally:
            # A cancelled read still runs in its thread; the connection queues behind it, so it may be reused.
            self._free.put_nowait(reader)

    @translate_exceptions
    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        db.refuse_write(query)
        db.count_statement(query)
        async with self._reader() as reader:
            rows = list(await reader.execute_fetchall(query, values or []))
            return len(rows), rows

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        return [dict(row) for row in (await self.execute_query(query, values))[1]]

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        raise db.WriteOutsideUnitOfWork(query[:60])

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        raise db.WriteOutsideUnitOfWork(query[:60])

    async def execute_script(self, query: str) -> None:
        raise db.WriteOutsideUnitOfWork(query[:60])

    def _in_transaction(self) -> Any:
        raise db.WriteOutsideUnitOfWork("in_transaction: use kernel.db.unit_of_work")

    def begin_unit(self, *, urgent: bool, look: db.Look | None = None) -> Top:
        return Top(self, urgent=urgent, look=look)


class Wrapper(SqliteTransactionWrapper):
    """The writer inside one unit of work, usable by the task that opened it and by nobody else (finding G)."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.shared: Client = connection.shared
        self.owner = asyncio.current_task()
        self.is_committed = False
        self.found: list[Any] = []

    def _check(self) -> bool:
        """Whether this task owns the unit; a finished one lets others fall back to the shared client."""
        if asyncio.current_task() is self.owner and not self._finalized:
            return True
        if not self._finalized:
            raise db.ForeignTask("started inside an open unit of work")
        return False

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        if not self._check():
            return await self.shared.execute_insert(query, values)
        db.count_statement(query)
        return await super().execute_insert(query, values)

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        if not self._check():
            return await self.shared.execute_many(query, values)
        db.count_statement(query)
        return await super().execute_many(query, values)

    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        if not self._check():
            return await self.shared.execute_query(query, values)
        db.count_statement(query)
        return await super().execute_query(query, values)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        if not self._check():
            return await self.shared.execute_query_dict(query, values)
        db.count_statement(query)
        return await super().execute_query_dict(query, values)

    async def execute_script(self, query: str) -> None:
        if not self._check():
            return await self.shared.execute_script(query)
        return await super().execute_script(query)

    async def write_together(
        self, writes: Sequence[db.Insert | db.Update], expected: Mapping[int, int], last: bool
    ) -> list[int]:
        if not self._check():
            raise db.WriteOutsideUnitOfWork("write_together")
        for write in writes:
            db.count_statement(type(write).__name__)
        connection = self._connection._conn

        def run() -> list[int]:
            counts = [0] * len(writes)
            for sql, values, nth in prepared:
                counts[nth] += connection.execute(sql, values).rowcount
            db.check_counts(counts, expected)
            if last:
                connection.commit()
            return counts

        prepared = [(sql, values, nth) for nth, write in enumerate(writes) for sql, values in _steps(write)]
        try:
            # aiosqlite's own way into its thread: several statements for one switch of threads.
            found: list[int] = await self._connection._execute(run)  # type: ignore[no-untyped-call]
        except sqlite3.IntegrityError as error:
            raise db.IntegrityError(error) from error
        self.is_committed = last
        return found

    async def look(self, look: db.Look) -> list[Any]:
        if not self._check():
            raise db.WriteOutsideUnitOfWork("look")
        db.count_statement(look.sql)
        connection = self._connection._conn
        rows: list[Any] = await self._connection._execute(lambda: _look(connection, look))  # type: ignore[no-untyped-call]
        return rows

    async def begin(self) -> None:
        # IMMEDIATE takes the write lock now: a deferred one fails at its first write under a second process.
        await self._connection.execute_fetchall("BEGIN IMMEDIATE")

    async def begin_and_look(self, look: db.Look) -> list[Any]:
        db.count_statement(look.sql)
        connection = self._connection._conn

        def run() -> list[Any]:
            connection.execute("BEGIN IMMEDIATE")
            try:
                return _look(connection, look)
            except BaseException:
                connection.rollback()
                raise

        rows: list[Any] = await self._connection._execute(run)  # type: ignore[no-untyped-call]
        return rows

    def _in_transaction(self) -> Any:
        return NestedTransactionContext(Wrapper(self))

    def begin_unit(self, *, urgent: bool) -> Any:
        return NestedTransactionContext(Wrapper(self))


def _look(connection: sqlite3.Connection, look: db.Look) -> list[Any]:
    row = connection.execute(db.as_one_value(look.sql, look.columns), look.values).fetchone()
    rows: list[Any] = orjson.loads(row[0])
    return rows


#: How the kinds of a column are stored where Python has another value than SQLite.
_STORED: dict[str, Callable[[Any], Any]] = {
    "uuid": str,
    "instant": db.stored_instant,
    "date": date.isoformat,
    "json": lambda value: orjson.dumps(value).decode(),
}
#: Rows in one statement at most; its text has a place for every value.
_ROWS_MAX = 64


def _steps(write: db.Insert | db.Update) -> Iterator[tuple[str, Sequence[Any]]]:
    """A write as statements with their values: as many rows in each as fit, in powers of two.

    One row at a time, the driver would give up the interpreter and wait for it at each; and a text for every number
    of rows would have to be prepared anew each time.
    """
    if isinstance(write, db.Update):
        yield _numbered(write.sql), (write.value,)
        return
    rows: Sequence[Any] = write.rows
    if conversions := _conversions(write.columns):
        rows = [list(row) for row in rows]
        for row in rows:
            for place, stored in conversions:
                if row[place] is not None:
                    row[place] = stored(row[place])
    done = 0
    while done < len(rows):
        size = min(_ROWS_MAX, 1 << ((len(rows) - done).bit_length() - 1))
        yield (
            _insert(write.table, write.columns, write.tail, size),
            [value for row in rows[done : done + size] for value in row],
        )
        done += size


@lru_cache(maxsize=64)
def _conversions(columns: tuple[tuple[str, str], ...]) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    return tuple((place, _STORED[kind]) for place, (_, kind) in enumerate(columns) if kind in _STORED)


@lru_cache(maxsize=128)
def _insert(table: str, columns: tuple[tuple[str, str], ...], tail: str, rows: int) -> str:
    marks = ", ".join(["(" + ", ".join("?" * len(columns)) + ")"] * rows)
    return f"INSERT INTO {table} ({', '.join(name for name, _ in columns)}) VALUES {marks} {tail}"  # noqa: S608


def _numbered(sql: str) -> str:
    return sql.replace("$1", "?1")


class Top:
    """The outermost transaction: takes the writer's turn, begins, ends, and gives the turn back whatever happens."""

    def __init__(self, client: Client, *, urgent: bool, look: db.Look | None = None) -> None:
        self.client, self.urgent, self.look = client, urgent, look

    async def __aenter__(self) -> Wrapper:
        if not self.client._connection:
            await self.client.create_connection(True)
        await self.client.writer.acquire(urgent=self.urgent)
        try:
            self.wrapper = Wrapper(self.client)
            try:
                await (self._begin() if self.look is None else self._begin_and_look(self.look))
            except (
                sqlite3.OperationalError
            ) as error:  # another process holds the file longer than busy_timeout
                raise Busy() from error
        except BaseException:
            self.client.writer.release()
            raise
        self.began = time.monotonic()
        self.token = get_connections().set(db.ALIAS, self.wrapper)
        return self.wrapper

    async def _begin(self) -> None:
        begun, stop = await db.run_to_end(self.wrapper.begin())
        if stop is not None:
            if begun.exception() is None:
                await db.run_to_end(self.wrapper.rollback())
            raise stop
        begun.result()

    async def _begin_and_look(self, look: db.Look) -> None:
        """The same without a task of its own: each would wait for its turn among a hundred requests' several times."""
        try:
            self.wrapper.found = await self.wrapper.begin_and_look(look)
        except asyncio.CancelledError:
            # The thread goes on alone, and does one thing after the other: this comes after the BEGIN.
            await db.run_to_end(self._abandon())
            raise

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        get_connections().reset(self.token)
        try:
            if self.wrapper.is_committed:
                return
            if error is not None:
                ended, stop = await db.run_to_end(self.wrapper.rollback())
                ended.result()
            else:
                ended, stop = await db.run_to_end(self.wrapper.commit())
                failed = ended.exception()
                if failed is not None:
                    await db.run_to_end(self._abandon())
                    raise failed
            if stop is not None:
                raise stop
        finally:
            self.wrapper._finalized = True
            db.note_hold(self.began)
            self.client.writer.release()

    async def _abandon(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            await self.wrapper._connection.rollback()


client_class = Client
