"""Tortoise on PostgreSQL as this house needs it: bounded waits, durable commits, no leaks on cancellation.

Answers findings C and G of the stack trials (docs/decisions/0004-transactions.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import NestedTransactionContext
from tortoise.connection import get_connections

from kernel import db


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
        return await super().execute_query(query, values)

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        db.refuse_write(query)
        db.count_statement(query)
        return await super().execute_query_dict(query, values)

    async def execute_insert(self, query: str, values: list[Any]) -> Any:
        raise db.WriteOutsideUnitOfWork(query[:60])

    async def execute_many(self, query: str, values: list[Any]) -> None:
        raise db.WriteOutsideUnitOfWork(query[:60])

    async def execute_script(self, query: str) -> None:
        raise db.WriteOutsideUnitOfWork(query[:60])

    def _in_transaction(self) -> Any:
        raise db.WriteOutsideUnitOfWork("in_transaction: use kernel.db.unit_of_work")

    def begin_unit(self, *, urgent: bool) -> Top:
        return Top(self, urgent=urgent)


class Wrapper(TransactionWrapper):
    """A connection inside one unit of work, usable by the task that opened it and by nobody else (finding G)."""

    def __init__(self, connection: Any, shared: Client) -> None:
        super().__init__(connection)
        self.shared = shared
        self.owner = asyncio.current_task()

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

    async def write_together(self, writes: Sequence[db.Insert | db.Update]) -> list[int]:
        if not self._check():
            raise db.WriteOutsideUnitOfWork("write_together")
        statements = [db.as_statement(write) for write in writes]
        sql = _joined(tuple(text for text, _ in statements))
        row = (await self.execute_query_dict(sql, [value for _, value in statements]))[0]
        return [int(row[f"n{nth}"]) for nth in range(len(writes))]

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

    def __init__(self, client: Client, *, urgent: bool) -> None:
        self.client, self.urgent = client, urgent

    async def __aenter__(self) -> Wrapper:
        self.connection = await self.client.take()
        try:
            self.wrapper = Wrapper(self.client, self.client)
            self.wrapper._connection = self.connection
            begun, stop = await db.run_to_end(self._begin())
            if stop is not None:
                raise stop  # release() below rolls back what was begun
            begun.result()
        except BaseException:
            await self._give_back()
            raise
        self.began = time.monotonic()
        self.token = get_connections().set(db.ALIAS, self.wrapper)
        return self.wrapper

    async def _begin(self) -> None:
        await self.wrapper.begin()
        if self.urgent:
            # When the doors open the ledger is empty, and a plan made then would read it from end to end for an hour:
            # prepared statements keep their plan until statistics change.
            await self.connection.execute("SET LOCAL enable_seqscan = off")

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        get_connections().reset(self.token)
        try:
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
        if self.connection.is_in_transaction() and not self.connection.is_closed():
            # Cancelled in the moment between BEGIN and its answer.
            await db.run_to_end(self._rollback())
        await db.run_to_end(pool.release(self.connection))

    async def _rollback(self) -> None:
        try:
            await self.connection.execute("ROLLBACK")
        except db.CONNECTION_LOST:
            self.connection.terminate()


client_class = Client
