"""Tortoise on PostgreSQL as this house needs it: bounded waits, durable commits, no leaks on cancellation.

Answers findings C and G of the stack trials (docs/decisions/0004-transactions.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import asyncpg
from asyncpg.transaction import TransactionState
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import NestedTransactionContext
from tortoise.connection import get_connections

from kernel import db
from kernel.errors import Busy

T = TypeVar("T")

#: After these nobody knows what the connection still takes.
_ENDS_IT: tuple[type[BaseException], ...] = (asyncio.CancelledError, *db.CONNECTION_LOST)


# asyncpg ships without types.
class Connection(asyncpg.Connection):  # type: ignore[misc]
    def get_reset_query(self) -> str:
        # We set no session state, so a returned connection needs no round trip to be clean;
        # asyncpg still rolls back a transaction that was left open.
        return ""


class Client(AsyncpgDBClient):
    """The shared client: pooled reads; writes only through ``begin_unit``."""

    connection_class = Connection

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shared = self
        #: The committer's connection between two of its transactions: taking one and giving it back costs as much as
        #: a statement.
        self.kept: Any = None

    async def close(self) -> None:
        await self._give_up_kept()
        await super().close()

    async def _give_up_kept(self) -> None:
        kept, self.kept = self.kept, None
        if kept is not None and self._pool is not None:
            await self._pool.release(kept)

    async def take_urgent(self) -> Any:
        """The connection kept from last time, if it still lives and nobody has it, or another one."""
        kept = self.kept
        if kept is not None and _is_open(kept):
            self.kept = None
            return kept
        await self._give_up_kept()
        return await self.take()

    async def take(self) -> Any:
        """A connection of the pool, waiting at most TURN_TIMEOUT_S: nothing else bounds that wait."""
        if not self._pool:
            async with self._pool_init_lock:
                if not self._pool:
                    await self.create_connection(with_db=True)
        assert self._pool is not None
        return await self._pool.acquire(timeout=db.TURN_TIMEOUT_S)

    async def writing_settings(self, *names: str) -> list[dict[str, Any]]:
        """The settings of every live pooled connection, for the durability test."""
        assert self._pool is not None
        await self._give_up_kept()
        found: list[dict[str, Any]] = []
        taken: list[Any] = []
        try:
            while len(taken) < self._pool.get_size():
                connection = await self.take()
                taken.append(connection)
                found.append({name: await connection.fetchval(f"SHOW {name}") for name in names})
        finally:
            for connection in taken:
                await self._pool.release(connection)
        return found

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, list[dict[Any, Any]]]:
        db.refuse_write(query)
        db.count_statement(query)
        return await _read(super().execute_query(query, values))

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        db.refuse_write(query)
        db.count_statement(query)
        return await _read(super().execute_query_dict(query, values))

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        raise db.WriteOutsideUnitOfWork(query[:60])

    async def execute_many(self, query: str, values: list[Any]) -> None:
        raise db.WriteOutsideUnitOfWork(query[:60])

    async def execute_script(self, query: str) -> None:
        raise db.WriteOutsideUnitOfWork(query[:60])

    def _in_transaction(self) -> Any:
        raise db.WriteOutsideUnitOfWork("in_transaction: use kernel.db.unit_of_work")

    def begin_unit(self, *, urgent: bool, look: db.Look | None = None) -> Top:
        return Top(self, urgent=urgent, look=look)


def _is_open(connection: Any) -> bool:
    """Asked of the pool's proxy, which answers nothing any more, not even this, once its connection was cleaned up."""
    return connection._con is not None and not connection.is_closed()


async def _read(reading: Awaitable[T]) -> T:
    """A read whose database went away is Busy, as a unit of work is: its reader asks again. Wrong values stay mistakes."""
    try:
        return await reading
    except db.CONNECTION_LOST as error:
        if isinstance(error, ValueError):  # the driver's word for a parameter of the wrong type
            raise
        raise Busy() from error


class Wrapper(TransactionWrapper):
    """A connection inside one unit of work, usable by the task that opened it and by nobody else (finding G)."""

    def __init__(self, connection: Any, shared: Client) -> None:
        super().__init__(connection)
        self.shared = shared
        self.owner = asyncio.current_task()
        self.found: list[Any] = []

    def _check(self) -> bool:
        if asyncio.current_task() is self.owner and not self._finalized:
            return True
        if not self._finalized:
            raise db.ForeignTask("started inside an open unit of work")
        return False

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        if not self._check():
            return await self.shared.execute_insert(query, values)
        db.count_statement(query)
        return await super().execute_insert(query, values)

    async def execute_many(self, query: str, values: list[Any]) -> None:
        if not self._check():
            return await self.shared.execute_many(query, values)
        db.count_statement(query)
        await super().execute_many(query, values)
        return None

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, list[dict[Any, Any]]]:
        if not self._check():
            return await self.shared.execute_query(query, values)
        db.count_statement(query)
        return await super().execute_query(query, values)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        if not self._check():
            return await self.shared.execute_query_dict(query, values)
        db.count_statement(query)
        return await super().execute_query_dict(query, values)

    async def write_together(
        self, writes: Sequence[db.Insert | db.Update], expected: Mapping[int, int], last: bool
    ) -> list[int]:
        if not self._check():
            raise db.WriteOutsideUnitOfWork("write_together")
        statements = [db.as_statement(write) for write in writes]
        sql = _joined(tuple(text for text, _ in statements))
        _, [row] = await self.execute_query(sql, [value for _, value in statements])
        counts = list(row.values())
        db.check_counts(counts, expected)
        return counts

    async def look(self, look: db.Look) -> list[Any]:
        if not self._check():
            raise db.WriteOutsideUnitOfWork("look")
        return (await self.execute_query(look.sql, list(look.values)))[1]

    async def execute_script(self, query: str) -> None:
        if not self._check():
            return await self.shared.execute_script(query)
        return await super().execute_script(query)

    def _in_transaction(self) -> Any:
        return NestedTransactionContext(Wrapper(self, self.shared))

    def begin_unit(self, *, urgent: bool) -> Any:
        return NestedTransactionContext(Wrapper(self, self.shared))


@lru_cache(maxsize=64)
def _joined(statements: tuple[str, ...]) -> str:
    """One statement that does what all of them do and tells how many rows each of them wrote."""
    numbered = [sql.replace("$1", f"${nth}") for nth, sql in enumerate(statements, 1)]
    parts = ", ".join(f"w{nth} AS ({sql} RETURNING 1)" for nth, sql in enumerate(numbered))
    counts = ", ".join(f"(SELECT count(*) FROM w{nth}) AS n{nth}" for nth in range(len(statements)))  # noqa: S608
    return f"WITH {parts} SELECT {counts}"


class Top:
    """The outermost transaction on a pooled connection, which goes back to the pool whatever happens."""

    def __init__(self, client: Client, *, urgent: bool, look: db.Look | None = None) -> None:
        self.client, self.urgent, self.look = client, urgent, look

    async def __aenter__(self) -> Wrapper:
        self.connection = await (self.client.take_urgent() if self.urgent else self.client.take())
        try:
            self.wrapper = Wrapper(self.client, self.client)
            self.wrapper._connection = self.connection
            await (self._begin_urgent() if self.urgent else self._begin())
        except BaseException:
            await self._give_back()
            raise
        self.began = time.monotonic()
        self.token = get_connections().set(db.ALIAS, self.wrapper)
        if self.look:
            try:
                self.wrapper.found = await self.wrapper.look(self.look)
            except BaseException as error:
                await self.__aexit__(type(error), error, None)
                raise
        return self.wrapper

    async def _begin(self) -> None:
        begun, stop = await db.run_to_end(self.wrapper.begin())
        if stop is not None:
            raise stop  # release() rolls back what was begun
        begun.result()

    async def _begin_urgent(self) -> None:
        # When the doors open the ledger is empty, and a plan made then would read it from end to end for an hour:
        # prepared statements keep their plan until statistics change. One trip, so past asyncpg's own start().
        transaction = self.wrapper.transaction = self.connection.transaction()
        await self._or_terminate(self.connection.execute("BEGIN; SET LOCAL enable_seqscan = off"))
        self.connection._con._top_xact = transaction
        transaction._state = TransactionState.STARTED

    async def _or_terminate(self, work: Coroutine[Any, Any, Any]) -> None:
        """Without a task of its own, which would wait for its turn among a hundred requests' several times.

        Cancelled half way, or gone, the connection is ended, and with it whatever it had begun: nobody else gets it.
        """
        try:
            await work
        except _ENDS_IT:
            self.connection.terminate()
            raise

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        get_connections().reset(self.token)
        try:
            if self.urgent and error is None:
                await self._or_terminate(self.wrapper.commit())
                return
            ended, stop = await db.run_to_end(self.wrapper.rollback() if error else self.wrapper.commit())
            if error is None or not isinstance(ended.exception(), db.CONNECTION_LOST):
                ended.result()
            if stop is not None:
                raise stop
        finally:
            self.wrapper._finalized = True
            await self._give_back()

    async def _give_back(self) -> None:
        pool = self.client._pool
        if pool is None:
            return
        is_open = _is_open(self.connection)
        if is_open and self.connection.is_in_transaction():
            # Cancelled in the moment between BEGIN and its answer.
            await db.run_to_end(self._rollback())
        elif self.urgent and is_open and self.client.kept is None:
            self.client.kept = self.connection
            return
        await db.run_to_end(pool.release(self.connection))

    async def _rollback(self) -> None:
        try:
            await self.connection.execute("ROLLBACK")
        except db.CONNECTION_LOST:
            self.connection.terminate()


client_class = Client
