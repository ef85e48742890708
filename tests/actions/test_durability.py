"""Acknowledged means on the disk: the settings that decide it, read from the live connections themselves."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from checkin import scanning
from checkin.rules import VerdictCode
from checkin.scanning import ScanEntry
from kernel import db
from kernel.db import unit_of_work
from kernel.settings import Settings
from tests.factories import NOW, make_checkpoint, make_door, make_event, make_passport, make_ticket_type


async def _scan(many: int = 1) -> None:
    """Real scans, so that the committer's connection is live."""
    event = await make_event()
    ticket_type, door, gate = (
        await make_ticket_type(event),
        await make_door(event),
        await make_checkpoint(event),
    )
    guests = [await make_passport(event, ticket_type) for _ in range(many)]
    answers = await asyncio.gather(
        *(
            scanning.scan(door=door, entry=ScanEntry(uuid.uuid4(), guest.token, gate.id), at=NOW)
            for guest in guests
        )
    )
    assert {answer.verdict for answer in answers} == {VerdictCode.ADMITTED}


async def _ask() -> dict[str, Any]:
    """What the connection of this very transaction says."""
    if db.dialect() == "postgres":
        return {**(await db.query("SHOW synchronous_commit"))[0]}
    synchronous, journal = await db.query("PRAGMA synchronous"), await db.query("PRAGMA journal_mode")
    return {**synchronous[0], **journal[0]}


def _durable() -> dict[str, Any]:
    if db.dialect() == "postgres":
        return {"synchronous_commit": "on"}
    return {"synchronous": 2, "journal_mode": "wal"}


async def _live_writers() -> list[dict[str, Any]]:
    """The same, from outside: every connection of this process that can write."""
    client = db.base_client()
    if db.dialect() == "postgres":
        found: list[dict[str, Any]] = await client.writing_settings("synchronous_commit")
        return found
    pragmas: list[dict[str, Any]] = await client.writing_pragmas("synchronous", "journal_mode")
    return pragmas


async def test_every_live_writing_connection_syncs(database: Settings) -> None:
    await _scan(8)
    # Several at once, so that PostgreSQL's pool holds more than one connection.
    await asyncio.gather(*(db.query("SELECT 1 AS one") for _ in range(6)))
    found = await _live_writers()
    assert found
    assert all(one == _durable() for one in found)


async def test_the_committer_syncs_inside_its_own_transaction(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    real = scanning._write

    async def asking(*given: Any) -> None:
        assert db.in_unit_of_work()
        seen.append(await _ask())
        await real(*given)

    monkeypatch.setattr(scanning, "_write", asking)
    await _scan(4)
    assert seen
    assert all(one == _durable() for one in seen)


@pytest.mark.parametrize("urgent", [False, True])
async def test_every_unit_of_work_syncs(database: Settings, urgent: bool) -> None:
    async with unit_of_work(urgent=urgent):
        assert await _ask() == _durable()
        async with unit_of_work():
            assert await _ask() == _durable()


async def test_several_units_at_once_all_sync(database: Settings) -> None:
    async def one() -> dict[str, Any]:
        async with unit_of_work():
            await asyncio.sleep(0.01)
            return await _ask()

    found = await asyncio.gather(*(one() for _ in range(2 * db.POSTGRES_POOL)))
    assert all(said == _durable() for said in found)


@pytest_asyncio.fixture(loop_scope="session")
async def lax_default(database: Settings) -> AsyncIterator[Settings]:
    """A database whose own default is not to wait for the disk, and this process connected to it anew."""
    if db.dialect() != "postgres":
        pytest.skip("SQLite keeps no such default")
    name = (await db.query("SELECT current_database() AS name"))[0]["name"]
    async with unit_of_work():
        await db.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    await db.close_database()
    await db.open_database(database)
    try:
        yield database
    finally:
        async with unit_of_work():
            await db.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
        await db.close_database()
        await db.open_database(database)


async def test_a_databases_lax_default_does_not_win(lax_default: Settings) -> None:
    import asyncpg

    plain = await asyncpg.connect(lax_default.database_url)
    try:
        assert await plain.fetchval("SHOW synchronous_commit") == "off"  # the trap is really set
    finally:
        await plain.close()
    await _scan(4)
    async with unit_of_work(urgent=True):
        assert await _ask() == _durable()
    assert all(one == _durable() for one in await _live_writers())
