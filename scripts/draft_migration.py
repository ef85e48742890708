"""Prints the whole schema that the models declare, for one dialect: the start of a new migration's SQL.

``python scripts/draft_migration.py sqlite|postgres`` (with DATABASE_URL for postgres). Tortoise writes the tables and
indexes; the CHECK constraints that it can declare but not create are put in here. The schema test uses the same text.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tortoise import Tortoise
from tortoise.migrations.constraints import CheckConstraint
from tortoise.utils import get_schema_sql

from kernel import db
from kernel.settings import Settings


def with_checks(sql: str) -> str:
    """Tortoise's CREATE TABLE statements with each model's declared CHECK constraints inside."""
    for model in Tortoise.apps["huiwu"].values():
        meta = model._meta  # noqa: SLF001 -- Tortoise shows a model's shape nowhere else
        checks = [item for item in meta.constraints if isinstance(item, CheckConstraint)]
        if not checks:
            continue
        lines = "".join(f',\n    CONSTRAINT "{item.name}" CHECK ({item.check})' for item in checks)
        pattern = re.compile(
            rf'(CREATE TABLE (?:IF NOT EXISTS )?"{meta.db_table}" \(.*?)(\n\)[^;]*;)', re.DOTALL
        )
        found = pattern.search(sql)
        assert found is not None, meta.db_table
        sql = sql[: found.end(1)] + lines + sql[found.end(1) :]
    return sql


async def declared(settings: Settings) -> str:
    """The schema's SQL for the dialect of ``settings``."""
    await db.open_database(settings)
    try:
        return with_checks(get_schema_sql(db.base_client(), safe=False)) + "\n"
    finally:
        await db.close_database()


if __name__ == "__main__":
    print(asyncio.run(declared(Settings.from_env())), end="")
