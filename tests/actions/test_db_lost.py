"""A read while PostgreSQL is away is "busy, ask again", as a write is; the next one after its return just works."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import asyncpg
import pytest
import pytest_asyncio

from kernel import db
from kernel.errors import Busy
from kernel.settings import Settings
from people.models import Account
from tests.factories import make_account

T = TypeVar("T")


@pytest_asyncio.fixture(loop_scope="session")
async def outside(database: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection past the house, to end the house's own with."""
    if database.is_sqlite:
        pytest.skip("SQLite is a file of ours: nobody ends its connections")
    connection = await asyncpg.connect(database.database_url)
    yield connection
    await connection.close()


async def _end_all(outside: asyncpg.Connection) -> int:
    rows = await outside.fetch(
        "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return len(rows)


async def _write() -> int:
    async with db.unit_of_work(urgent=True):
        rows = await db.query(
            "INSERT INTO topic_version (topic, version) VALUES ($1, 1) RETURNING version",
            secrets.token_hex(8),
        )
    return int(rows[0]["version"])


async def _soon(action: Callable[[], Awaitable[T]]) -> T:
    """As a device does it: again while it is busy. Each connection of the pool is met dead once at most."""
    for _ in range(db.POSTGRES_POOL + 1):
        try:
            return await action()
        except Busy:
            continue
    raise AssertionError("busy for good")


async def test_a_read_whose_connection_is_ended_is_busy(outside: asyncpg.Connection) -> None:
    await make_account("lin@example.org")
    reading = asyncio.create_task(db.query("SELECT pg_sleep(60)"))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND datname = current_database()"
    async with asyncio.timeout(20):
        while not await outside.fetchval(waiting):  # noqa: ASYNC110 -- it runs in another process
            await asyncio.sleep(0.01)
    assert await _end_all(outside) >= 1
    with pytest.raises(Busy):
        await reading
    assert await _soon(lambda: db.query("SELECT 1 AS one")) == [{"one": 1}]
    assert await _soon(lambda: Account.all().count()) == 1


async def test_a_database_that_takes_nobody_is_busy(
    outside: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        async def acquire(self, **_: object) -> object:
            raise ConnectionRefusedError()

    monkeypatch.setattr(db.base_client(), "_pool", Away())
    with pytest.raises(Busy):
        await db.query("SELECT 1 AS one")
    with pytest.raises(Busy):
        await Account.all().count()
    with pytest.raises(Busy):
        async with db.unit_of_work():
            raise AssertionError("there is no connection to work on")


async def test_a_parameter_of_the_wrong_type_stays_a_mistake(outside: asyncpg.Connection) -> None:
    with pytest.raises(Exception, match="invalid input") as raised:
        await db.query("SELECT $1::int AS one", "not a number")
    assert not isinstance(raised.value, Busy)


async def test_a_committer_that_slept_while_the_server_restarted_just_goes_on(
    outside: asyncpg.Connection,
) -> None:
    async with db.unit_of_work(urgent=True):
        pass
    kept = db.base_client().kept
    assert await _end_all(outside) >= 1
    async with asyncio.timeout(20):
        # The driver hears of it, cleans up, and from then on the pool's proxy refuses every question.
        while kept._con is not None:  # noqa: ASYNC110 -- asyncpg has no event for it
            await asyncio.sleep(0.01)
    assert await _soon(_write) == 1
    assert await _write() == 1
    assert db.base_client().kept not in (None, kept)


async def test_the_committers_own_connection_is_not_kept_once_it_is_gone(outside: asyncpg.Connection) -> None:
    async with db.unit_of_work(urgent=True):
        pass
    kept = db.base_client().kept
    assert kept is not None
    # As after a crash of the server: the driver is in a state that takes no statement, and says "open" all the same.
    real = kept._con._protocol

    class Stuck:
        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        async def query(self, *_: object) -> object:
            raise asyncpg.InternalClientError(
                "cannot switch to state 11; another operation (2) is in progress"
            )

    kept._con._protocol = Stuck()
    try:
        with pytest.raises(Busy):
            async with db.unit_of_work(urgent=True):
                raise AssertionError("nothing can be written on it")
    finally:
        if kept._con is not None:
            kept._con._protocol = real
    assert await _soon(_write) == 1
    assert db.base_client().kept is not kept
