"""The ground floor's promises about transactions, on the database of this process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest

from kernel import db
from kernel.db import ForeignTask, WriteOutsideUnitOfWork, after_commit, unit_of_work
from kernel.settings import Settings
from people.models import Account, TopicVersion
from tests.factories import NOW, make_account


async def _write(name: str) -> None:
    async with unit_of_work():
        await TopicVersion.create(topic=name, version=1)


async def test_write_outside_unit_of_work_is_refused(database: Settings) -> None:
    with pytest.raises(WriteOutsideUnitOfWork):
        await Account.create(email="a@example.org", created_at=NOW)
    with pytest.raises(WriteOutsideUnitOfWork):
        await db.execute("UPDATE account SET name = $1", "x")
    with pytest.raises(WriteOutsideUnitOfWork):
        await db.query("WITH x AS (SELECT 1) INSERT INTO topic_version (topic, version) SELECT 'a', 1")
    with pytest.raises(WriteOutsideUnitOfWork):
        await Account.bulk_create([Account(email="a@example.org", created_at=NOW)])
    assert await Account.all().count() == 0


async def test_announcement_leaves_after_commit_and_only_then(database: Settings) -> None:
    said: list[str] = []
    async with unit_of_work():
        await TopicVersion.create(topic="a", version=1)
        after_commit(lambda: said.append("outer"))
        with pytest.raises(ZeroDivisionError):
            async with unit_of_work():
                await TopicVersion.create(topic="b", version=1)
                after_commit(lambda: said.append("dropped with its savepoint"))
                raise ZeroDivisionError
        async with unit_of_work():
            after_commit(lambda: said.append("inner"))
        assert said == []
    assert said == ["outer", "inner"]
    assert [row.topic for row in await TopicVersion.all()] == ["a"]

    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await TopicVersion.create(topic="c", version=1)
            after_commit(lambda: said.append("rolled back"))
            raise ZeroDivisionError
    assert said == ["outer", "inner"]
    assert await TopicVersion.all().count() == 1
    with pytest.raises(RuntimeError):
        after_commit(lambda: None)


async def test_parallel_units_do_not_share_announcements(database: Settings) -> None:
    said: list[int] = []

    async def one(number: int) -> None:
        async with unit_of_work():
            await TopicVersion.create(topic=str(number), version=1)
            after_commit(lambda: said.append(number))
            await asyncio.sleep(0)
            if number % 2:
                raise ValueError

    await asyncio.gather(*(one(number) for number in range(16)), return_exceptions=True)
    assert sorted(said) == list(range(0, 16, 2))
    assert await TopicVersion.all().count() == 8


async def test_cancelled_tasks_leak_nothing(database: Settings) -> None:
    """Finding C: at most 10 cancellations locked SQLite, 550 emptied PostgreSQL's pool."""
    for round_ in range(600):
        task = asyncio.create_task(_write(f"r{round_}"))
        for _ in range(round_ % 12):
            await asyncio.sleep(0)
        if round_ % 3 == 0:
            await asyncio.sleep(0.0002 * (round_ % 7))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(10):
        await asyncio.gather(*(_write(f"after{number}") for number in range(db.POSTGRES_POOL * 2)))
    assert await TopicVersion.filter(topic__startswith="after").count() == db.POSTGRES_POOL * 2


async def test_task_started_inside_cannot_use_the_unit(database: Settings) -> None:
    """Finding G: a task inherits the transaction's connection through the context."""
    go = asyncio.Event()

    async def late() -> int:
        await go.wait()
        await _write("late")
        return await TopicVersion.all().count()

    async with unit_of_work():
        await TopicVersion.create(topic="first", version=1)
        with pytest.raises(ForeignTask):
            await asyncio.create_task(_read())
        task = asyncio.create_task(late())
    go.set()
    assert await task == 2


async def _read() -> int:
    return await TopicVersion.all().count()


async def test_instants_compare_as_time(database: Settings) -> None:
    """Finding D: SQLite compares text; what is written with an offset must be found by a UTC filter."""
    shanghai = timezone(timedelta(hours=8))
    await make_account("early@example.org")
    async with unit_of_work():
        await Account.filter(email="early@example.org").update(
            created_at=datetime(2026, 1, 1, 8, 0, tzinfo=shanghai)
        )
    assert await Account.filter(created_at__lt=datetime(2026, 1, 1, 0, 30, tzinfo=UTC)).count() == 1
    assert await Account.filter(created_at__lt=datetime(2025, 12, 31, 23, 30, tzinfo=UTC)).count() == 0
    assert await Account.filter(created_at__gte=datetime(2026, 1, 1, 0, 0, tzinfo=UTC)).count() == 1
    rows = await db.query(
        "SELECT created_at FROM account WHERE created_at <= $1", datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert [db.as_instant(row["created_at"]) for row in rows] == [datetime(2026, 1, 1, tzinfo=UTC)]


async def test_returning_gives_rows_inside_a_unit(database: Settings) -> None:
    """Finding F: RETURNING through execute_query gives nothing on asyncpg."""
    async with unit_of_work():
        rows = await db.query(
            "INSERT INTO topic_version (topic, version) VALUES ($1, 3) RETURNING version", "x"
        )
    assert rows == [{"version": 3}]


async def test_json_rows_is_one_statement_for_any_number(database: Settings) -> None:
    for many in (1, 3, 200):
        rows = [{"topic": f"t{number}", "version": number} for number in range(many)]
        before = db.stats.statements
        async with unit_of_work():
            await db.execute("DELETE FROM topic_version")
            await db.execute(
                "INSERT INTO topic_version (topic, version) SELECT topic, version FROM "
                + db.json_rows("$1", topic="text", version="int"),
                __import__("orjson").dumps(rows).decode(),
            )
        assert db.stats.statements - before == 2
        assert await TopicVersion.all().count() == many


async def test_integrity_error_in_savepoint_leaves_the_rest(database: Settings) -> None:
    async with unit_of_work():
        await TopicVersion.create(topic="a", version=1)
        with pytest.raises(db.IntegrityError):
            async with unit_of_work():
                await TopicVersion.create(topic="a", version=2)
        await TopicVersion.create(topic="b", version=1)
    assert await TopicVersion.all().count() == 2


async def test_every_writing_connection_is_durable(database: Settings) -> None:
    base = db.base_client()
    if db.dialect() == "sqlite":
        found = await base.writing_pragmas("synchronous", "journal_mode", "foreign_keys")
        assert found == [{"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}]
    else:
        await asyncio.gather(*(_write(f"w{number}") for number in range(20)))
        found = await base.writing_settings("synchronous_commit", "fsync")
        assert found and all(row == {"synchronous_commit": "on", "fsync": "on"} for row in found)


async def test_urgent_writers_go_first(database: Settings) -> None:
    if db.dialect() != "sqlite":
        pytest.skip("PostgreSQL has no single writer to queue for")
    order: list[str] = []

    async def write(name: str, *, urgent: bool) -> None:
        async with unit_of_work(urgent=urgent):
            order.append(name)

    async with unit_of_work():
        tasks = [asyncio.create_task(write(f"plain{number}", urgent=False)) for number in range(3)]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(write("urgent", urgent=True)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["urgent", "plain0", "plain1", "plain2"]


async def test_reads_do_not_wait_for_a_writer(database: Settings) -> None:
    await _write("seen")
    async with unit_of_work():
        await TopicVersion.create(topic="unseen", version=1)
        # It would wait for ever: this very transaction waits for it.
        async with asyncio.timeout(30):
            seen = await asyncio.get_running_loop().create_task(_outside())
    assert seen == 1


async def _outside() -> int:
    rows = await db.base_client().execute_query_dict("SELECT count(*) AS n FROM topic_version")
    return int(rows[0]["n"])


async def test_the_last_writes_are_kept_whole_or_not_at_all(database: Settings) -> None:
    """What the committer sends last: committed in the same trip where the counts are right, else nothing is kept."""
    one = db.Insert("topic_version", (("topic", "text"), ("version", "int")), [("a", 1), ("b", 1)])
    again = db.Insert(one.table, one.columns, [("b", 2), ("c", 2)], "ON CONFLICT DO NOTHING")
    look = db.Look("SELECT topic, version FROM topic_version ORDER BY topic", ("topic", "version"), ())
    said: list[str] = []
    async with unit_of_work(urgent=True, look=look) as unit:
        assert list(unit.found) == []
        after_commit(lambda: said.append("kept"))
        assert await db.write_together(one, expected={0: 2}, last=True) == [2]
        assert said == []
    assert said == ["kept"]
    with pytest.raises(db.Outrun):
        async with unit_of_work(urgent=True, look=look) as unit:
            assert [tuple(row) for row in unit.found] == [("a", 1), ("b", 1)]
            after_commit(lambda: said.append("never said"))
            await db.write_together(again, expected={0: 2}, last=True)
    rows = await db.query("SELECT topic, version FROM topic_version ORDER BY topic")
    assert [tuple(row.values()) for row in rows] == [("a", 1), ("b", 1)]
    # Inside another unit of work the outer one decides, so nothing is committed early.
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work(urgent=True, look=look):
            async with unit_of_work():
                assert await db.write_together(again, expected={0: 1}, last=True) == [1]
            raise ZeroDivisionError
    assert len(await db.query("SELECT * FROM topic_version")) == 2
    assert said == ["kept"]


@pytest.mark.parametrize("value", [{"a": ["b", 1, None]}, ["x"], "plain", '{"a": 1}', True, 0, None])
async def test_json_goes_in_as_what_it_is_on_either_database(database: Settings, value: Any) -> None:
    """A text is a text, though it reads like an object; nothing is NULL."""
    columns = (("topic", "text"), ("note", "json"))
    async with unit_of_work():
        kind = "jsonb" if db.dialect() == "postgres" else "JSON"
        await db.execute(f"CREATE TABLE json_of_this_test (topic text, note {kind})")
        try:
            rows = [("a", value), ("b", {"other": "row"})]
            assert await db.write_together(db.Insert("json_of_this_test", columns, rows)) == [2]
            found = await db.query("SELECT topic, CAST(note AS text) AS note FROM json_of_this_test")
        finally:
            await db.execute("DROP TABLE json_of_this_test")
    stored = {row["topic"]: row["note"] for row in found}
    assert {topic: None if note is None else orjson.loads(note) for topic, note in stored.items()} == {
        "a": value,
        "b": {"other": "row"},
    }


async def test_a_cancelled_committer_leaks_nothing(database: Settings) -> None:
    """Its transactions begin and end without a task of their own; wherever one is cancelled, the next can work."""
    look = db.Look("SELECT topic, version FROM topic_version", ("topic", "version"), ())

    async def commit(number: int) -> None:
        async with unit_of_work(urgent=True, look=look):
            row = db.Insert("topic_version", (("topic", "text"), ("version", "int")), [(f"t{number}", 1)])
            await db.write_together(row, expected={0: 1}, last=True)

    for number in range(60):
        task = asyncio.create_task(commit(number))
        for _ in range(number % 20):
            await asyncio.sleep(0 if number % 3 else 0.0003)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await commit(1000)
    async with unit_of_work():
        await db.execute("DELETE FROM topic_version")
    await asyncio.gather(*(commit(number) for number in range(2 * db.POSTGRES_POOL)))
    assert len(await db.query("SELECT * FROM topic_version")) == 2 * db.POSTGRES_POOL
