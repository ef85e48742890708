"""Work for later or for long: rows of the action's own transaction, taken by lease, at least once.

A server process takes what is due, renews its lease while it works, and gives up what it has lost. The number of
tries is the fencing token: every lease raises it, so that one that comes back late can write nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from kernel import db
from kernel.db import after_commit, unit_of_work
from kernel.errors import Refusal, where_it_failed
from people import rules, worker
from people.rules import JobState
from people.worker import in_worker as in_worker  # noqa: PLC0414 -- handlers find it where they find the rest

log = logging.getLogger("huiwu.jobs")

#: Jobs that run at once in one process: a long import must not stand in the way of a short letter batch.
SLOTS = 2
#: How often a process looks for jobs of other processes; its own wake it at once.
POLL_S = 2.0
HEARTBEAT_S = 20.0
PROGRESS_EVERY_S = 0.5
#: How long a stopping server waits for its jobs to give way.
GRACE_S = 5.0


class JobCancelled(Exception):
    """Raised by a handler that stops because its job was cancelled."""


@dataclass(slots=True)
class JobHandle:
    """A running job as its handler sees it."""

    id: int
    kind: str
    key: str
    payload: dict[str, Any]
    event_id: int | None
    actor_key: str
    tries: int
    wanted_to_stop: bool = False
    _wrote: float = float("-inf")
    _looked: float = float("-inf")

    async def progress(self, done: int, total: int) -> None:
        """Says how far the work is; written at most twice a second, and always at the end.

        Call it between transactions: inside one nobody sees it before the commit.
        """
        now = time.monotonic()
        if done < total and now - self._wrote < PROGRESS_EVERY_S:
            return
        self._wrote = now
        async with unit_of_work():
            rows = await db.query(
                "UPDATE job SET done = $3, total = $4 WHERE id = $1 AND tries = $2 AND state = 'running' "
                "RETURNING cancel_wanted",
                self.id,
                self.tries,
                done,
                total,
            )
        self.wanted_to_stop = self.wanted_to_stop or bool(rows and rows[0]["cancel_wanted"])

    async def cancelled(self) -> bool:
        """Whether somebody wants this job to stop; asks the database at most twice a second."""
        now = time.monotonic()
        if not self.wanted_to_stop and now - self._looked >= PROGRESS_EVERY_S:
            self._looked = now
            rows = await db.query("SELECT cancel_wanted FROM job WHERE id = $1", self.id)
            self.wanted_to_stop = bool(rows and rows[0]["cancel_wanted"])
        return self.wanted_to_stop


Handler = Callable[[JobHandle], Awaitable[Mapping[str, Any] | None]]
Chore = Callable[[datetime], Awaitable[None]]

_handlers: dict[str, Handler] = {}
_chores: dict[str, tuple[float, Chore]] = {}


class _Wake:
    event: asyncio.Event | None = None


def handles(kind: str, fn: Handler) -> None:
    """Connects the handler of a kind of job; called by main. A process runs only the kinds it has handlers for."""
    _handlers[kind] = fn


def chore(name: str, every_s: float, fn: Chore) -> None:
    """A small thing that every server process does now and then (write what was held in memory, queue a daily job)."""
    _chores[name] = (every_s, fn)


async def enqueue(
    *,
    kind: str,
    key: str,
    payload: Mapping[str, Any],
    at: datetime,
    event_id: int | None = None,
    actor_key: str = "",
    run_at: datetime | None = None,
) -> int:
    """Puts a job into the action's own transaction and gives its id.

    ``key`` names the occasion: a second job with the same key is the first one, whatever became of it. The payload
    holds ids, never personal data.
    """
    async with unit_of_work():
        rows = await db.query(
            "INSERT INTO job (event_id, kind, key, payload, state, done, total, result, tries, actor_key, "
            "cancel_wanted, run_at, created_at) "
            "VALUES ($1, $2, $3, $4, 'waiting', 0, 0, '{}', 0, $5, $6, $7, $8) "
            "ON CONFLICT (key) DO NOTHING RETURNING id",
            event_id,
            kind,
            key,
            orjson.dumps(payload, default=str, option=orjson.OPT_UTC_Z).decode(),
            actor_key,
            False,
            run_at or at,
            at,
        )
        if rows:
            after_commit(wake)
        else:
            rows = await db.query("SELECT id FROM job WHERE key = $1", key)
        return int(rows[0]["id"])


async def cancel(*, job_id: int, at: datetime) -> None:
    """A waiting job is cancelled at once; a running one is asked to stop and ends as soon as its handler looks."""
    async with unit_of_work():
        waiting = await db.execute(
            "UPDATE job SET state = 'cancelled', cancel_wanted = $2, ended_at = $3 WHERE id = $1 AND state = 'waiting'",
            job_id,
            True,
            at,
        )
        if not waiting:
            await db.execute(
                "UPDATE job SET cancel_wanted = $2 WHERE id = $1 AND state = 'running'", job_id, True
            )


def wake() -> None:
    """Tells this process's worker that there may be something to do."""
    if _Wake.event is not None:
        _Wake.event.set()


async def lease(at: datetime) -> JobHandle | None:
    """Takes the oldest job that is due and that this process can run, or whose worker has fallen silent.

    A job that was silent after its last try has failed: one that kills its process must not kill them all.
    """
    kinds = orjson.dumps([{"kind": kind} for kind in sorted(_handlers)]).decode()
    due = (
        "((state = 'waiting' AND run_at <= $1) OR (state = 'running' AND leased_until <= $1)) "  # noqa: S608 -- our own words
        f"AND kind IN (SELECT r.kind FROM {db.json_rows('$2', kind='text')})"
    )
    # A look outside any transaction first: an idle worker must not take the writer's turn.
    if not await db.query(f"SELECT id FROM job WHERE {due} LIMIT 1", at, kinds):  # noqa: S608 -- our own words
        return None
    async with unit_of_work():
        await db.execute(
            "UPDATE job SET state = 'failed', ended_at = $1, leased_until = NULL, result = $3 "
            "WHERE state = 'running' AND leased_until <= $1 AND tries > $2",
            at,
            len(rules.JOB_BACK_OFF),
            orjson.dumps({"code": "unexpected", "reference": ""}).decode(),
        )
        # The condition stands twice: PostgreSQL looks at the outer one again after waiting for another worker.
        rows = await db.query(
            "UPDATE job SET state = 'running', tries = tries + 1, leased_until = $3 "  # noqa: S608 -- our own words
            f"WHERE id = (SELECT id FROM job WHERE {due} ORDER BY run_at, id LIMIT 1) AND {due} "
            "RETURNING id, kind, key, payload, event_id, actor_key, tries, cancel_wanted",
            at,
            kinds,
            at + rules.JOB_LEASE,
        )
    if not rows:
        return None
    row = rows[0]
    return JobHandle(
        id=int(row["id"]),
        kind=row["kind"],
        key=row["key"],
        payload=_loaded(row["payload"]),
        event_id=row["event_id"],
        actor_key=row["actor_key"],
        tries=int(row["tries"]),
        wanted_to_stop=bool(row["cancel_wanted"]),
    )


def _loaded(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = orjson.loads(value) if isinstance(value, (str, bytes)) else value
    return plain


async def run_one(at: datetime | None = None) -> bool:
    """Leases and runs one job to its end in this task; False when nothing was due. What the workers and tests use."""
    job = await lease(at or datetime.now(UTC))
    if job is None:
        return False
    await _run(job)
    return True


async def _run(job: JobHandle) -> None:
    work = asyncio.ensure_future(_handlers[job.kind](job))
    heart = asyncio.create_task(_heartbeat(job, work))
    try:
        result = await work
    except asyncio.CancelledError:
        work.cancel()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # The server stops: the next process begins at once and the try does not count.
            await _end(job, JobState.WAITING, {}, again_at=datetime.now(UTC), give_back=True)
            raise
        log.warning("job %d (%s) lost its lease", job.id, job.kind)
    except JobCancelled:
        await _end(job, JobState.CANCELLED, {})
    except Refusal as refusal:
        # An expected "no" is an answer; trying again would give the same one.
        await _end(job, JobState.FAILED, {"code": refusal.code, "params": dict(refusal.params)})
    except Exception as error:  # noqa: BLE001 -- whatever a handler raises is a failed try
        await _failed(job, error)
    else:
        await _end(job, JobState.CANCELLED if job.wanted_to_stop else JobState.DONE, dict(result or {}))
    finally:
        heart.cancel()
        await asyncio.gather(heart, return_exceptions=True)


async def _failed(job: JobHandle, error: Exception) -> None:
    reference = secrets.token_hex(4)
    pause = rules.retry_after(job.tries, rules.JOB_BACK_OFF)
    log.error(
        "job %d (%s) failed in try %d, reference %s: %s",
        job.id,
        job.kind,
        job.tries,
        reference,
        where_it_failed(error),
    )
    if pause is None:
        await _end(job, JobState.FAILED, {"code": "unexpected", "reference": reference})
    else:
        await _end(job, JobState.WAITING, {}, again_at=datetime.now(UTC) + pause)


async def _end(
    job: JobHandle,
    state: JobState,
    result: Mapping[str, Any],
    *,
    again_at: datetime | None = None,
    give_back: bool = False,
) -> None:
    async with unit_of_work():
        changed = await db.execute(
            "UPDATE job SET state = $3, result = $4, ended_at = $5, run_at = COALESCE($6, run_at), leased_until = NULL, "
            "tries = tries - $7 WHERE id = $1 AND tries = $2 AND state = 'running'",
            job.id,
            job.tries,
            str(state),
            orjson.dumps(result, default=str, option=orjson.OPT_UTC_Z).decode(),
            None if again_at else datetime.now(UTC),
            again_at,
            int(give_back),
        )
    if not changed:
        log.warning("job %d (%s) ended after its lease had passed to another worker", job.id, job.kind)


async def _heartbeat(job: JobHandle, work: asyncio.Future[Any]) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        try:
            async with unit_of_work():
                rows = await db.query(
                    "UPDATE job SET leased_until = $3 WHERE id = $1 AND tries = $2 AND state = 'running' "
                    "RETURNING cancel_wanted",
                    job.id,
                    job.tries,
                    datetime.now(UTC) + rules.JOB_LEASE,
                )
        except Refusal:
            continue  # the database is busy: the lease outlives two missed beats
        if not rows:
            work.cancel()
            return
        job.wanted_to_stop = job.wanted_to_stop or bool(rows[0]["cancel_wanted"])


async def run_jobs() -> None:
    """The worker of this server process; runs until it is cancelled, then gives its jobs back and returns.

    Main starts one in every server process.
    """
    _Wake.event = asyncio.Event()
    running: set[asyncio.Task[None]] = set()
    next_chore = dict.fromkeys(_chores, time.monotonic())
    try:
        while True:
            _Wake.event.clear()
            try:
                await _do_chores(next_chore)
                while len(running) < SLOTS and (job := await lease(datetime.now(UTC))) is not None:
                    task = asyncio.create_task(_run(job))
                    running.add(task)
                    task.add_done_callback(running.discard)
                    task.add_done_callback(_slot_free)
            except Exception as error:  # noqa: BLE001 -- a worker that ends for one bad moment would never come back
                log.error("the job worker met %s", where_it_failed(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await _Wake.event.wait()
    finally:
        _Wake.event = None
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=GRACE_S)


async def stop() -> None:
    """Ends the helper process of ``in_worker``; the last thing a process does, after its workers."""
    await asyncio.to_thread(worker.close)


def _slot_free(task: asyncio.Task[None]) -> None:
    wake()
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the end of a job could not be written: %s", where_it_failed(error))


async def _do_chores(due: dict[str, float]) -> None:
    for name, (every_s, fn) in list(_chores.items()):
        if due.get(name, 0.0) <= time.monotonic():
            due[name] = time.monotonic() + every_s
            await fn(datetime.now(UTC))
