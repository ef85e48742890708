"""One database per pytest process: SQLite in a fresh folder, or a PostgreSQL database of its own when DATABASE_URL is set."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from tortoise import Tortoise

from kernel import db, migrations
from kernel.settings import Settings

RUN = os.environ.get("HUIWU_TEST_RUN", str(os.getpid()))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")


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
    await db.close_database()


@pytest_asyncio.fixture(loop_scope="session")
async def database(open_database: Settings) -> AsyncIterator[Settings]:
    """A database whose tables are empty when the test begins, and nothing remembered from the test before."""
    await _empty()
    yield open_database


async def _empty() -> None:
    from tests.factories import forget

    forget()
    tables = [model._meta.db_table for model in Tortoise.apps["huiwu"].values()]
    async with db.unit_of_work():
        if db.dialect() == "postgres":
            await db.execute(
                "TRUNCATE " + ", ".join(f'"{table}"' for table in tables) + " RESTART IDENTITY CASCADE"
            )
        else:
            # Children may come after parents in the list: look at the references when all is gone.
            await db.execute("PRAGMA defer_foreign_keys = ON")
            for table in tables:
                await db.execute(f'DELETE FROM "{table}"')
            await db.execute("DELETE FROM sqlite_sequence")
