"""The migration runner, on the database of this process: what the ORM's own gets wrong on SQLite, and the history itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from kernel import migrations
from kernel.migrations import SchemaMismatch, migrate, require_own_version, schema_version
from kernel.settings import Settings
from tests.conftest import RUN, WORKER


@pytest_asyncio.fixture(loop_scope="session")
async def empty(tmp_path: Path) -> AsyncIterator[Settings]:
    """An empty database of its own, beside the process's shared one."""
    server = os.environ.get("DATABASE_URL", "")
    name = f"huiwu_test_{RUN}_{WORKER}_migrations"
    url, admin = "", None
    if server:
        parts = urlsplit(server)
        admin = await asyncpg.connect(parts._replace(path="/postgres").geturl())
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}"')
        url = parts._replace(path=f"/{name}").geturl()
    yield Settings.from_env({}, data_dir=tmp_path, database_url=url, secret_key="k" * 40)
    if admin is not None:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


async def _run(settings: Settings, *statements: str) -> None:
    if settings.is_sqlite:
        with contextlib.closing(sqlite3.connect(settings.data_dir / "huiwu.sqlite3")) as connection:
            connection.execute("PRAGMA foreign_keys=ON")
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        return
    connection = await asyncpg.connect(settings.database_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _rows(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    if settings.is_sqlite:
        with contextlib.closing(sqlite3.connect(settings.data_dir / "huiwu.sqlite3")) as connection:
            return [tuple(row) for row in connection.execute(sql).fetchall()]
    connection = await asyncpg.connect(settings.database_url)
    try:
        return [tuple(row.values()) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def _shape(settings: Settings) -> dict[str, object]:
    """Tables, columns, indexes, unique and check constraints, foreign keys: everything that must be equal."""
    if settings.is_sqlite:
        rows = await _rows(
            settings, "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        )
        return {
            f"{kind} {name}": re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", str(sql), flags=re.DOTALL)).strip()
            for kind, name, table, sql in rows
            if table != "schema_migration"
        }
    found: dict[str, object] = {}
    for table, column, kind, nullable, default, length in await _rows(
        settings,
        """SELECT table_name, column_name, data_type, is_nullable, column_default, character_maximum_length
           FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_migration'""",
    ):
        found[f"column {table}.{column}"] = (kind, nullable, default, length)
    for name, definition in await _rows(
        settings,
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'schema_migration'",
    ):
        found[f"index {name}"] = definition
    for table, name, definition in await _rows(
        settings,
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace AND conrelid <> coalesce(to_regclass('schema_migration'), 0)""",
    ):
        found[f"constraint {table}.{name}"] = definition
    return found


async def test_migrated_schema_is_what_the_models_declare(empty: Settings, open_database: Settings) -> None:
    from tortoise.utils import get_schema_sql

    from kernel import db
    from scripts.draft_migration import with_checks

    await migrate(empty)
    migrated = await _shape(empty)
    declared = with_checks(get_schema_sql(db.base_client(), safe=False))
    if empty.is_sqlite:
        (empty.data_dir / "huiwu.sqlite3").unlink()
        await _run(empty, *migrations.split(declared))
    else:
        await _run(empty, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public", declared)
    assert migrated == await _shape(empty)
    assert len(migrated) > 40


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str
    parent: str | None


async def _tables(settings: Settings) -> dict[str, list[_Column]]:
    """Every table's columns, the numbered key left out where the database gives it, and what each points at."""
    found: dict[str, list[_Column]] = {}
    if settings.is_sqlite:
        for (table,) in await _rows(
            settings, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ):
            parents = {
                str(row[3]): str(row[2]) for row in await _rows(settings, f"PRAGMA foreign_key_list({table})")
            }
            found[str(table)] = [
                _Column(str(row[1]), str(row[2]).lower(), parents.get(str(row[1])))
                for row in await _rows(settings, f"PRAGMA table_info({table})")
                if not (row[5] and row[2] == "INTEGER")
            ]
    else:
        referred = {
            (str(table), str(column)): str(parent)
            for table, column, parent in await _rows(
                settings,
                """SELECT c.conrelid::regclass::text, a.attname::text, c.confrelid::regclass::text FROM pg_constraint c
                   JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'f'""",
            )
        }
        for table, column, kind, default in await _rows(
            settings,
            """SELECT table_name::text, column_name::text, udt_name::text, column_default FROM information_schema.columns
               WHERE table_schema = 'public' ORDER BY table_name, ordinal_position""",
        ):
            if not (default and "nextval" in str(default)):
                at = found.setdefault(str(table), [])
                at.append(_Column(str(column), str(kind).lower(), referred.get((str(table), str(column)))))
    found.pop("schema_migration", None)
    return found


def _sample(column: _Column) -> str:
    """A value that any column of its kind takes, the checks of this schema included (0 and 1 are in every range)."""
    if column.parent:
        return "1"
    if column.name == "high":
        return "2"
    if "timestamp" in column.kind and column.name.startswith(("ends", "closes", "expires")):
        return "'2023-10-29 01:30:00+00:00'"
    for kinds, value in (
        (("uuid",), "'0b0e1a3c-6d53-4a55-9e0f-2f6c1c9a7b10'"),
        (("timestamp",), "'2023-10-28 01:30:00+00:00'"),
        (("date",), "'2023-10-28'"),
        (("json",), "'{}'"),
        (("bool",), "true"),
        (("int",), "1"),
    ):
        if any(kind in column.kind for kind in kinds):
            return value
    # Another shape of identifiers on SQLite: CHAR(36).
    return "'0b0e1a3c-6d53-4a55-9e0f-2f6c1c9a7b10'" if column.kind == "char(36)" else "'x'"


#: Columns of which a check wants exactly one to be filled: these are not.
LEFT_EMPTY: dict[str, tuple[str, ...]] = {
    "call_code_opens": ("forum_id",),
    "call_field_scope": ("forum_id",),
    "proposal_resource": ("upload_id",),
    "call_answer": ("speaker_id", "review_id"),
}


async def _fill(settings: Settings) -> dict[str, tuple[object, ...]]:
    """One row in every table, parents first; gives each table's row as it stands."""
    left = await _tables(settings)
    rows: dict[str, tuple[object, ...]] = {}
    while left:
        ready = [
            table
            for table, columns in left.items()
            if not {column.parent for column in columns if column.parent and column.parent != table}
            & left.keys()
        ]
        assert ready, f"tables in a circle: {sorted(left)}"
        for table in ready:
            columns = [
                column
                for column in left.pop(table)
                if column.parent != table and column.name not in LEFT_EMPTY.get(table, ())
            ]
            names = ", ".join(f'"{column.name}"' for column in columns)
            await _run(
                settings,
                f'INSERT INTO "{table}" ({names}) VALUES ({", ".join(_sample(column) for column in columns)})',
            )
            [rows[table]] = await _rows(settings, f'SELECT {names} FROM "{table}"')
    return rows


async def test_every_earlier_version_migrates_with_its_data(empty: Settings) -> None:
    """Fills each earlier version's every table and migrates on: every row is there, with every value it had."""
    every = migrations.migrations("sqlite" if empty.is_sqlite else "postgres")
    assert len(every) > 1
    for version in range(1, len(every)):
        if empty.is_sqlite:
            for file in empty.data_dir.glob("huiwu.sqlite3*"):
                file.unlink()
        else:
            await _run(empty, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        await migrate(empty, upto=version)
        shapes = await _tables(empty)
        filled = await _fill(empty)
        assert len(filled) > 20
        assert await migrate(empty) == [one.name for one in every[version:]]
        for table, row in filled.items():
            columns = [
                column
                for column in shapes[table]
                if column.parent != table and column.name not in LEFT_EMPTY.get(table, ())
            ]
            names = ", ".join(f'"{column.name}"' for column in columns)
            assert await _rows(empty, f'SELECT {names} FROM "{table}"') == [row], table
        assert await schema_version(empty) == len(every)
        assert await migrate(empty) == []
        await require_own_version(empty)
    if empty.is_sqlite:
        assert await _rows(empty, "PRAGMA foreign_key_check") == []
        assert list(empty.data_dir.glob("huiwu.sqlite3.before-*")), "no copy was kept before the migration"


PARENT = "CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(10) NOT NULL)"
CHILD = """CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE,
    point INTEGER NOT NULL, CONSTRAINT uq_child UNIQUE (parent_id, point), CONSTRAINT ck_child CHECK (point > 0))"""
INDEX = "CREATE INDEX idx_child_point ON child (point)"
REMAKE = {
    "sqlite": """CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name VARCHAR(80) NOT NULL);
INSERT INTO parent_new SELECT * FROM parent;
DROP TABLE parent;
ALTER TABLE parent_new RENAME TO parent;
""",
    "postgres": "ALTER TABLE parent ALTER COLUMN name TYPE VARCHAR(80);",
}


def _history(folder: Path, *scripts: tuple[str, str]) -> Path:
    folder.mkdir()
    for number, (sqlite_sql, postgres_sql) in enumerate(scripts, 1):
        (folder / f"{number:04}_step.sqlite.sql").write_text(sqlite_sql)
        (folder / f"{number:04}_step.postgres.sql").write_text(postgres_sql)
    return folder


async def test_remaking_a_parent_keeps_children_indexes_and_guards(empty: Settings, tmp_path: Path) -> None:
    """Findings A and B: the ORM's way left 0 children, no index and no unique guard, and said OK."""
    first = f"{PARENT};\n{CHILD};\n{INDEX};\n"
    folder = _history(tmp_path / "m", (first, first), (REMAKE["sqlite"], REMAKE["postgres"]))
    await migrate(empty, folder, upto=1)
    await _run(
        empty,
        "INSERT INTO parent VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO child VALUES (1, 1, 1), (2, 2, 5)",
    )
    before = {key: value for key, value in (await _shape(empty)).items() if "child" in key}
    assert await migrate(empty, folder) == ["step"]
    assert await _rows(empty, "SELECT * FROM child ORDER BY id") == [(1, 1, 1), (2, 2, 5)]
    assert {key: value for key, value in (await _shape(empty)).items() if "child" in key} == before
    with pytest.raises((sqlite3.IntegrityError, asyncpg.UniqueViolationError)):
        await _run(empty, "INSERT INTO child VALUES (3, 1, 1)")
    await _run(empty, "UPDATE parent SET name = 'a name that is longer than ten' WHERE id = 1")
    if empty.is_sqlite:
        copy = empty.data_dir / "huiwu.sqlite3.before-0002"
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("SELECT count(*) FROM child").fetchone() == (2,)


async def test_a_step_that_breaks_references_is_undone(empty: Settings, tmp_path: Path) -> None:
    first = f"{PARENT};\n{CHILD};\n"
    breaks = "CREATE TABLE extra (id INTEGER);\nDELETE FROM parent;\nALTER TABLE nothing RENAME TO more;\n"
    dangling = "CREATE TABLE extra (id INTEGER);\nDELETE FROM parent;\n"
    folder = _history(tmp_path / "m", (first, first), (dangling, breaks))
    await migrate(empty, folder, upto=1)
    await _run(empty, "INSERT INTO parent VALUES (1, 'a')", "INSERT INTO child VALUES (1, 1, 1)")
    with pytest.raises((SchemaMismatch, asyncpg.PostgresError)):
        await migrate(empty, folder)
    assert await _rows(empty, "SELECT count(*) FROM parent") == [(1,)]
    assert await schema_version(empty) == 1
    assert not any("extra" in key for key in await _shape(empty))


async def test_two_that_start_together_migrate_once(empty: Settings) -> None:
    async def one() -> list[str]:
        if empty.is_sqlite:  # the runner is synchronous there: threads stand for processes
            return await asyncio.to_thread(lambda: asyncio.run(migrate(empty)))
        return await migrate(empty)

    applied = await asyncio.gather(*(one() for _ in range(3)))
    assert sorted(len(names) for names in applied) == [0, 0, len(migrations.migrations("sqlite"))]


async def test_a_foreign_schema_version_is_refused(empty: Settings, tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match=r"main\.py migrate"):
        await require_own_version(empty)
    await migrate(empty)
    await _run(empty, "INSERT INTO schema_migration VALUES (9999, 'future', 'x')")
    with pytest.raises(SchemaMismatch, match="newer"):
        await require_own_version(empty)


async def test_a_changed_migration_is_refused(empty: Settings, tmp_path: Path) -> None:
    folder = _history(tmp_path / "m", (f"{PARENT};\n", f"{PARENT};\n"))
    await migrate(empty, folder)
    for path in folder.iterdir():
        path.write_text(path.read_text() + "-- edited\n")
    with pytest.raises(SchemaMismatch, match="changed"):
        await migrate(empty, folder)


def test_numbers_have_no_gap_and_both_dialects_the_same_steps(tmp_path: Path) -> None:
    names = [
        [(one.version, one.name) for one in migrations.migrations(dialect)]
        for dialect in ("sqlite", "postgres")
    ]
    assert names[0] == names[1] != []
    folder = _history(tmp_path / "m", ("SELECT 1;", "SELECT 1;"), ("SELECT 1;", "SELECT 1;"))
    (folder / "0001_step.sqlite.sql").unlink()
    with pytest.raises(ValueError, match="gap"):
        migrations.migrations("sqlite", folder)
    (folder / "extra.sql").write_text("")
    with pytest.raises(ValueError, match="name"):
        migrations.migrations("sqlite", folder)
