"""The schema's one linear history: numbered SQL files per dialect, applied forward only.

Why not the ORM's own: on SQLite it remakes parent tables with foreign keys on, which empties their children and
drops indexes and unique constraints (docs/decisions/0003-one-migration-history.md, held by tests/actions/test_migrations.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from kernel.db import postgres_credentials, sqlite_path
from kernel.settings import Settings

log = logging.getLogger("huiwu.migrations")
FOLDER = Path(__file__).resolve().parent.parent / "migrations"
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.(sqlite|postgres)\.sql")
#: One number for all of the house; the lock is released when its connection ends.
_ADVISORY_LOCK = 7_461_105

_TABLE = """CREATE TABLE IF NOT EXISTS schema_migration (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)"""


class SchemaMismatch(SystemExit):
    """The database's schema is not this program's; the message says which command mends it, or that none does."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(dialect: str, folder: Path = FOLDER) -> list[Migration]:
    """All migrations of one dialect in order; a gap, a doubled number or an odd file name raises ValueError."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if not match:
            raise ValueError(f"not a migration's name: {path.name}")
        if match[3] != dialect:
            continue
        version = int(match[1])
        if version in found:
            raise ValueError(f"two migrations are numbered {version}")
        found[version] = Migration(version, match[2], path.read_text(encoding="utf-8"))
    if sorted(found) != list(range(1, len(found) + 1)):
        raise ValueError("the numbers of the migrations have a gap")
    return [found[version] for version in sorted(found)]


def split(sql: str) -> Iterator[str]:
    """Single statements of a script; SQLite's own scanner decides where one ends (triggers, quoted semicolons)."""
    buffer = ""
    for line in sql.splitlines(keepends=True):
        buffer += line
        if sqlite3.complete_statement(buffer):
            if _without_comments(buffer).strip(" \n;"):
                yield buffer
            buffer = ""
    if _without_comments(buffer).strip():
        raise ValueError("the script ends inside a statement")


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql)


async def migrate(settings: Settings, folder: Path = FOLDER, upto: int | None = None) -> list[str]:
    """Brings the schema up to this program's version and gives the names of what was applied.

    One at a time under a lock: of two programs that start together one migrates and the other waits. Each step is
    one transaction. SQLite: a copy of the file is kept beside it first, foreign keys are off while tables are
    remade, and ``foreign_key_check`` must find nothing before the commit.
    """
    if settings.is_sqlite:
        return _migrate_sqlite(sqlite_path(settings), folder, upto)
    return await _migrate_postgres(settings, folder, upto)


async def schema_version(settings: Settings) -> int:
    """The version that the database is at; 0 for an empty one."""
    if settings.is_sqlite:
        path = sqlite_path(settings)
        if not path.exists():
            return 0
        with contextlib.closing(sqlite3.connect(path)) as connection:
            try:
                return int(
                    connection.execute("SELECT coalesce(max(version), 0) FROM schema_migration").fetchone()[0]
                )
            except sqlite3.OperationalError:
                return 0
    connection = await _connect(settings)
    try:
        if await connection.fetchval("SELECT to_regclass('schema_migration')") is None:
            return 0
        return int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_migration"))
    finally:
        await connection.close()


async def require_own_version(settings: Settings, folder: Path = FOLDER) -> None:
    """Ends the program when the schema is older or newer than the program's."""
    own = len(migrations("sqlite" if settings.is_sqlite else "postgres", folder))
    there = await schema_version(settings)
    if there < own:
        raise SchemaMismatch(
            f"The database is at version {there}, this program needs {own}: python main.py migrate"
        )
    if there > own:
        raise SchemaMismatch(
            f"The database is at version {there}, newer than this program ({own}): use a newer Huiwu."
        )


def _pending(done: dict[int, str], every: list[Migration], upto: int | None) -> list[Migration]:
    for migration in every:
        if done.get(migration.version, migration.checksum) != migration.checksum:
            raise SchemaMismatch(f"Migration {migration.version:04} was changed after it had been applied.")
    return [m for m in every if m.version not in done and (upto is None or m.version <= upto)]


def _migrate_sqlite(path: Path, folder: Path, upto: int | None) -> list[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    applied = []
    with path.with_suffix(".migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(_TABLE)
            done = dict(connection.execute("SELECT version, checksum FROM schema_migration").fetchall())
            pending = _pending(done, migrations("sqlite", folder), upto)
            if pending and done:
                _copy(connection, path.with_name(f"{path.name}.before-{pending[0].version:04}"))
            connection.execute("PRAGMA foreign_keys=OFF")
            for migration in pending:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    for statement in split(migration.sql):
                        connection.execute(statement)
                    broken = connection.execute("PRAGMA foreign_key_check").fetchall()
                    if broken:
                        raise SchemaMismatch(
                            f"Migration {migration.version:04} breaks {len(broken)} references."
                        )
                    connection.execute(
                        "INSERT INTO schema_migration VALUES (?, ?, ?)",
                        (migration.version, migration.name, migration.checksum),
                    )
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                applied.append(migration.name)
    return applied


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)


async def _connect(settings: Settings) -> asyncpg.Connection:
    wanted = postgres_credentials(settings.database_url)
    return await asyncpg.connect(
        **{key: wanted[key] for key in ("host", "port", "user", "password", "database", "timeout")}
    )


async def _migrate_postgres(settings: Settings, folder: Path, upto: int | None) -> list[str]:
    connection = await _connect(settings)
    applied = []
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _ADVISORY_LOCK)
        await connection.execute(_TABLE)
        done = {
            row["version"]: row["checksum"]
            for row in await connection.fetch("SELECT * FROM schema_migration")
        }
        for migration in _pending(done, migrations("postgres", folder), upto):
            async with connection.transaction():
                # A busy table must not queue every scan behind a waiting ALTER.
                await connection.execute("SET LOCAL lock_timeout = '4s'")
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migration VALUES ($1, $2, $3)",
                    migration.version,
                    migration.name,
                    migration.checksum,
                )
            applied.append(migration.name)
    finally:
        await connection.close()
    return applied
