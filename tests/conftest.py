"""One database per pytest process: SQLite in a fresh folder, or a PostgreSQL database of its own when DATABASE_URL is set."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import hypothesis
import pytest
import pytest_asyncio
from tortoise import Tortoise

from checkin import checkpoints, devices
from events import access
from kernel import db, migrations
from kernel.settings import Settings
from people import accounts, jobs

RUN = os.environ.get("HUIWU_TEST_RUN", str(os.getpid()))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")

# `make test` tries the same cases each time, so that it says something about a commit and not about luck; `make check`
# and `make test-long` try others each time, and what they find becomes a case of its own.
# None asserts a time.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable" if os.environ.get("HUIWU_TEST_REPEATABLE") else "house")


# On a busy machine two seconds pass inside one test; what a process remembers stays until it is dropped, so that counts
# of statements are the same everywhere. How old it may become is tried by tests of its own and by several processes.
BELIEVED_AT_MOST_S = max(access.LASTS_S, accounts.BELIEVED_S, checkpoints.FRESH_S, devices.BELIEVED_S)
setattr(access, "LASTS_S", 3600.0)  # noqa: B010 -- final for everybody else
setattr(accounts, "BELIEVED_S", 3600.0)  # noqa: B010
setattr(checkpoints, "FRESH_S", 3600.0)  # noqa: B010
setattr(devices, "BELIEVED_S", 3600.0)  # noqa: B010

#: What is counted by the programme day, the hour or the network turns at a full hour. A test that has just begun then
#: would see half of its people yesterday; so it begins a few seconds later. Seconds that a test may take: usual, a journey.
ROOM_S, JOURNEY_S = 10.0, 45.0


def pytest_runtest_setup(item: pytest.Item) -> None:
    is_long = any(item.get_closest_marker(name) for name in ("browser", "long", "slow"))
    left = 3600 - time.time() % 3600
    if left < (JOURNEY_S if is_long else ROOM_S):
        time.sleep(left + 0.1)


def _settings(folder: Path, url: str) -> Settings:
    return Settings.from_env(
        {},
        data_dir=folder,
        database_url=url,
        secret_key="k" * 40,
        base_url="http://127.0.0.1:8000",
        development=True,
    )


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    # In memory where the system has such a place: thousands of durable commits wear out a disk for nothing here.
    memory = Path("/dev/shm")  # noqa: S108 -- a fresh folder of our own in it
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="huiwu-test-", dir=place) as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def settings(data_dir: Path) -> AsyncIterator[Settings]:
    """Settings of this process's own database; a PostgreSQL one is made, named per run and worker, and dropped."""
    server = os.environ.get("DATABASE_URL", "")
    if not server:
        yield _settings(data_dir, "")
        return
    name = f"huiwu_test_{RUN}_{WORKER}"
    parts = urlsplit(server)._replace(path="/postgres")
    admin = await asyncpg.connect(parts.geturl())
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}"')
        yield _settings(data_dir, parts._replace(path=f"/{name}").geturl())
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def open_database(settings: Settings) -> AsyncIterator[Settings]:
    await migrations.migrate(settings)
    await db.open_database(settings)
    yield settings
    await jobs.stop()
    await db.close_database()


@pytest_asyncio.fixture(loop_scope="session")
async def database(open_database: Settings) -> AsyncIterator[Settings]:
    """A database whose tables are empty when the test begins, and nothing remembered from the test before."""
    await _empty()
    yield open_database


#: TRUNCATE makes new files for every table and index, however empty: a third of a second a test. Most tests write to
#: a dozen tables of over a hundred, so those are emptied and the rest is left alone. Foreign keys are not looked at
#: meanwhile, for everything goes.
_EMPTY_POSTGRES = """DO $$
DECLARE
    name text;
    has_rows boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOREACH name IN ARRAY ARRAY[%s] LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %%I)', name) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('DELETE FROM %%I', name);
        END IF;
    END LOOP;
    PERFORM setval(format('%%I.%%I', schemaname, sequencename)::regclass, 1, false)
        FROM pg_sequences WHERE last_value IS NOT NULL;
END $$"""


async def _empty() -> None:
    from tests.factories import forget

    forget()
    tables = [model._meta.db_table for model in Tortoise.apps["huiwu"].values()]
    async with db.unit_of_work():
        if db.dialect() == "postgres":
            await db.execute(_EMPTY_POSTGRES % ", ".join(f"'{table}'" for table in tables))
        else:
            # Children may come after parents in the list: look at the references when all is gone.
            await db.execute("PRAGMA defer_foreign_keys = ON")
            filled = " UNION ALL ".join(
                f"SELECT '{table}' AS name WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in tables
            )
            for row in await db.query(filled):
                await db.execute(f'DELETE FROM "{row["name"]}"')
            await db.execute("DELETE FROM sqlite_sequence")
