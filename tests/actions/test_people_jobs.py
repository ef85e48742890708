"""Jobs on the database of this process: once per occasion, with progress, past crashes and failures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel import db
from kernel.db import unit_of_work
from kernel.errors import Invalid, NotFound, Problem
from kernel.settings import Settings
from people import accounts, jobs, queries, rules, wiring
from people.models import Job, Letter, Replay, SignIn, SignInCode
from people.queries import JobFacts
from people.rules import JobState
from tests.factories import NOW, make_account


@pytest.fixture(autouse=True)
def wired(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_handlers", {})
    monkeypatch.setattr(jobs, "_chores", {})
    monkeypatch.setattr(jobs, "PROGRESS_EVERY_S", 0.0)


@pytest.fixture
async def worker() -> AsyncIterator[None]:
    task = asyncio.create_task(jobs.run_jobs())
    await asyncio.sleep(0)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def enqueue(key: str = "k", kind: str = "import", **more: Any) -> int:
    values: dict[str, Any] = {"payload": {"rows": 3}, "at": datetime.now(UTC)}
    return await jobs.enqueue(kind=kind, key=key, **(values | more))


async def ended(job_id: int, seconds: float = 30.0) -> JobFacts:
    async with asyncio.timeout(seconds):
        while not (found := await queries.job(job_id)).has_ended:  # noqa: ASYNC110 -- as a page does that shows progress
            await asyncio.sleep(0.02)
    return found


async def test_same_key_is_one_job() -> None:
    first = await enqueue()
    assert await enqueue(payload={"other": 1}) == first
    assert len(set(await asyncio.gather(*(enqueue("race") for _ in range(32))))) == 1
    assert await Job.all().count() == 2
    assert (await Job.get(id=first)).payload == {"rows": 3}


async def test_rolled_back_job_was_never_there() -> None:
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await enqueue()
            raise ZeroDivisionError
    assert await Job.all().count() == 0


async def test_job_runs_at_once_with_progress_and_result(worker: None) -> None:
    seen: list[tuple[int, int]] = []
    go = asyncio.Event()

    async def handler(job: jobs.JobHandle) -> Mapping[str, Any]:
        assert (job.payload, job.event_id, job.actor_key) == (
            {"rows": 3, "at": "2023-10-28T01:30:00Z"},
            4,
            "account:1",
        )
        await job.progress(1, 3)
        await go.wait()
        await job.progress(3, 3)
        return {"imported": 3, "at": NOW}

    jobs.handles("import", handler)
    id_ = await enqueue(payload={"rows": 3, "at": NOW}, event_id=4, actor_key="account:1")
    # Nobody woke the worker but the commit, and the handler is still at work when its progress is seen.
    async with asyncio.timeout(30):
        while not seen:
            found = await queries.job(id_)
            if found.done:
                seen.append((found.done, found.total))
            await asyncio.sleep(0.01)
    assert seen == [(1, 3)]
    go.set()
    job = await ended(id_)
    assert (job.state, job.done, job.total, job.tries) == (JobState.DONE, 3, 3, 1)
    assert job.result == {"imported": 3, "at": "2023-10-28T01:30:00Z"}


async def test_progress_is_written_twice_a_second_at_most_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "PROGRESS_EVERY_S", 0.5)
    counts: list[int] = []

    async def handler(job: jobs.JobHandle) -> None:
        before = db.stats.commits
        for done in range(1, 1001):
            await job.progress(done, 1000)
        counts.append(db.stats.commits - before)

    jobs.handles("import", handler)
    id_ = await enqueue()
    assert await jobs.run_one()
    assert counts == [2]
    assert (await queries.job(id_)).done == 1000


async def test_later_job_waits_and_unknown_kinds_are_left_alone() -> None:
    ran: list[str] = []

    async def handler(job: jobs.JobHandle) -> None:
        ran.append(job.key)

    jobs.handles("import", handler)
    now = datetime.now(UTC)
    await enqueue("later", run_at=now + timedelta(hours=1))
    await enqueue("other", kind="unknown")
    await enqueue("now")
    while await jobs.run_one(now + timedelta(seconds=1)):
        pass
    assert ran == ["now"]
    while await jobs.run_one(now + timedelta(hours=2)):
        pass
    assert ran == ["now", "later"]
    assert (await Job.get(key="other")).state == "waiting"


async def test_32_workers_run_each_job_once() -> None:
    ran: list[str] = []

    async def handler(job: jobs.JobHandle) -> None:
        ran.append(job.key)
        await asyncio.sleep(0)

    jobs.handles("import", handler)
    for number in range(10):
        await enqueue(f"k{number}")
    at = datetime.now(UTC)

    async def one() -> None:
        for _ in range(12):
            await jobs.run_one(at)

    await asyncio.gather(*(one() for _ in range(32)))
    assert sorted(ran) == sorted(f"k{number}" for number in range(10))


async def test_failing_job_is_tried_three_times_more_then_failed_with_a_reference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(job: jobs.JobHandle) -> None:
        raise ValueError(job.payload["personal"])

    jobs.handles("import", handler)
    id_ = await enqueue(payload={"personal": "lin@example.org"})
    pauses = []
    for number in range(4):
        before = datetime.now(UTC)
        at = before + timedelta(hours=number)
        assert await jobs.run_one(at)
        job = await queries.job(id_)
        pauses.append(round((job.run_at - before).total_seconds()))
    job = await queries.job(id_)
    assert pauses[:3] == [10, 60, 300]
    assert (job.state, job.tries, job.result["code"]) == (JobState.FAILED, 4, "unexpected")
    assert job.result["reference"] in caplog.text
    assert "lin@example.org" not in caplog.text
    assert not await jobs.run_one(datetime.now(UTC) + timedelta(days=1))


async def test_refusal_is_an_answer_and_not_tried_again() -> None:
    async def handler(job: jobs.JobHandle) -> None:
        raise Invalid({"file": Problem("malformed")}, line=3)

    jobs.handles("import", handler)
    id_ = await enqueue()
    await jobs.run_one()
    job = await queries.job(id_)
    assert (job.state, job.tries, job.result) == (
        JobState.FAILED,
        1,
        {"code": "invalid", "params": {"line": 3}},
    )


async def test_job_of_a_dead_process_is_taken_up_after_its_lease() -> None:
    ran: list[int] = []

    async def handler(job: jobs.JobHandle) -> None:
        ran.append(job.tries)

    jobs.handles("import", handler)
    id_ = await enqueue()
    at = datetime.now(UTC)
    dead = await jobs.lease(at)
    assert dead is not None
    assert not await jobs.run_one(at + rules.JOB_LEASE - timedelta(seconds=1))
    assert await jobs.run_one(at + rules.JOB_LEASE)
    assert ran == [2]
    # The dead one comes back: its token is old, it changes nothing.
    await dead.progress(1, 9)
    await jobs._end(dead, JobState.FAILED, {"late": True})
    job = await queries.job(id_)
    assert (job.state, job.total, job.result) == (JobState.DONE, 0, {})


async def test_job_that_kills_its_process_each_time_fails_in_the_end() -> None:
    async def handler(job: jobs.JobHandle) -> None:
        raise AssertionError("must not run")

    jobs.handles("import", handler)
    id_ = await enqueue()
    at = datetime.now(UTC)
    for number in range(4):
        assert await jobs.lease(at + number * rules.JOB_LEASE) is not None
    assert await jobs.lease(at + 4 * rules.JOB_LEASE) is None
    assert (await queries.job(id_)).state == JobState.FAILED


async def test_heartbeat_keeps_a_long_job_and_ends_a_lost_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "HEARTBEAT_S", 0.05)
    reached = asyncio.Event()

    async def handler(job: jobs.JobHandle) -> None:
        reached.set()
        await asyncio.sleep(30)

    jobs.handles("import", handler)
    id_ = await enqueue()
    began = datetime.now(UTC)
    task = asyncio.create_task(jobs.run_one(began - timedelta(seconds=0)))
    await reached.wait()
    first = (await Job.get(id=id_)).leased_until
    assert first is not None
    renewed: datetime | None = first
    async with asyncio.timeout(30):
        while renewed == first:
            await asyncio.sleep(0.02)
            renewed = (await Job.get(id=id_)).leased_until
    assert renewed is not None
    assert renewed > first
    # Another worker has it now: this one must let go.
    async with unit_of_work():
        await db.execute("UPDATE job SET tries = tries + 1")
    async with asyncio.timeout(30):
        await task
    assert (await queries.job(id_)).state == JobState.RUNNING


async def test_cancel_ends_a_waiting_job_at_once_and_a_running_one_when_it_looks() -> None:
    waiting = await enqueue("waiting")
    await jobs.cancel(job_id=waiting, at=NOW)
    assert (await queries.job(waiting)).state == JobState.CANCELLED

    async def polite(job: jobs.JobHandle) -> Mapping[str, Any]:
        await jobs.cancel(job_id=job.id, at=NOW)
        assert await job.cancelled()
        return {"imported": 2}

    async def hasty(job: jobs.JobHandle) -> None:
        await jobs.cancel(job_id=job.id, at=NOW)
        await job.progress(1, 2)
        assert job.wanted_to_stop
        raise jobs.JobCancelled

    jobs.handles("polite", polite)
    jobs.handles("hasty", hasty)
    ids = [await enqueue("p", "polite"), await enqueue("h", "hasty")]
    while await jobs.run_one():
        pass
    found = [await queries.job(id_) for id_ in ids]
    assert [(job.state, job.result) for job in found] == [
        (JobState.CANCELLED, {"imported": 2}),
        (JobState.CANCELLED, {}),
    ]
    await jobs.cancel(job_id=ids[0], at=NOW)
    with pytest.raises(NotFound):
        await queries.job(999)


async def test_stopping_server_gives_its_job_back_untried() -> None:
    reached = asyncio.Event()
    ran: list[int] = []

    async def handler(job: jobs.JobHandle) -> None:
        ran.append(job.tries)
        if len(ran) == 1:
            reached.set()
            await asyncio.sleep(30)

    jobs.handles("import", handler)
    id_ = await enqueue()
    task = asyncio.create_task(jobs.run_jobs())
    await reached.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    job = await queries.job(id_)
    assert (job.state, job.tries) == (JobState.WAITING, 0)
    assert await jobs.run_one()
    assert ran == [1, 1]


async def test_failing_chore_does_not_stop_the_worker(worker: None, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(job: jobs.JobHandle) -> None:
        del job

    async def broken(at: datetime) -> None:
        raise ValueError(str(at))

    jobs.handles("import", handler)
    jobs.chore("broken", 3600, broken)
    caplog.set_level(logging.ERROR)
    jobs.wake()
    async with asyncio.timeout(30):
        while "the job worker met ValueError" not in caplog.text:  # noqa: ASYNC110 -- a log sets no event
            await asyncio.sleep(0.02)
    assert (await ended(await enqueue())).state == JobState.DONE


# --- the helper process ------------------------------------------------------------------------------------------


def add(one: int, two: int) -> tuple[int, int]:
    return one + two, os.getpid()


def kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail(words: str) -> None:
    raise ValueError(words)


async def test_heavy_work_runs_in_another_process_and_survives_its_death() -> None:
    try:
        total, pid = await jobs.in_worker(add, 2, 3)
        assert total == 5
        assert pid != os.getpid()
        assert await jobs.in_worker(add, 1, 1) == (2, pid)
        with pytest.raises(ValueError, match="no such row"):
            await jobs.in_worker(fail, "no such row")
        with pytest.raises(BrokenProcessPool):
            await jobs.in_worker(kill_me)
        total, again = await jobs.in_worker(add, 4, 5)
        assert total == 9
        assert again != pid
    finally:
        await jobs.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(again, 0)
    await jobs.stop()


# --- the package's own job ---------------------------------------------------------------------------------------


async def test_purge_removes_what_is_past_its_time_and_nothing_else(database: Settings) -> None:
    wiring.configure(database)
    at = NOW
    account = await make_account("lin@example.org")
    for days in (0, 31):
        await accounts.open_sign_in(account_id=account.id, user_agent="", at=at - timedelta(days=days))
    for days, used in ((0, False), (2, False), (2, True), (40, True)):
        then = at - timedelta(days=days)
        async with unit_of_work():
            await SignInCode.create(
                email="a@b.example",
                browser_digest="",
                code_digest=str(days),
                created_at=then,
                expires_at=then,
                used_at=then if used else None,
            )
    for key, state, days in (
        ("sign-in:1", "sent", 2),
        ("sign-in:2", "sent", 0),
        ("old", "sent", 200),
        ("old waiting", "waiting", 200),
        ("new", "sent", 100),
    ):
        then = at - timedelta(days=days)
        async with unit_of_work():
            await Letter.create(
                key=key,
                to_email="a@b.example",
                domain="b.example",
                locale="en",
                subject="",
                text="",
                state=state,
                next_try_at=then,
                created_at=then,
            )
    for number, days in enumerate((0, 100)):
        async with unit_of_work():
            await Replay.create(
                id=f"00000000-0000-4000-8000-00000000000{number}",
                actor_key="",
                body_digest="",
                outcome={},
                created_at=at - timedelta(days=days),
            )
    await wiring.purge(at)
    assert await SignIn.all().count() == 1
    assert {(row.code_digest, row.used_at is None) for row in await SignInCode.all()} == {
        ("0", True),
        ("2", False),
    }
    assert {row.key for row in await Letter.all()} == {"sign-in:2", "old waiting", "new"}
    assert await Replay.all().count() == 1


async def test_every_process_asks_for_the_purge_and_it_runs_once_a_day(database: Settings) -> None:
    wiring.configure(database)
    for hour in (0, 1, 23):
        await asyncio.gather(*(wiring._queue_purge(NOW.replace(hour=hour)) for _ in range(4)))
    await wiring._queue_purge(NOW + timedelta(days=1))
    assert [row.key for row in await Job.all().order_by("id")] == [
        "people.purge:2023-10-28",
        "people.purge:2023-10-29",
    ]
    assert await jobs.run_one()
    assert (await Job.get(key="people.purge:2023-10-28")).state == "done"


async def test_lists_cost_the_same_for_one_and_three() -> None:
    costs = []
    for many in (1, 3):
        for number in range(many):
            await enqueue(f"{many}.{number}", event_id=4)
        before = db.stats.statements
        assert len(await queries.jobs(event_id=4)) == (1 if many == 1 else 4)
        costs.append(db.stats.statements - before)
    assert costs == [1, 1]
