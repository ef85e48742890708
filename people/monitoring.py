"""Figures of letters and jobs for ``/metrics``: how many wait, and since when; nothing about whom they concern."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from kernel import db
from kernel.metrics import Family, gauge
from people.rules import JobState, LetterState

_LETTERS: Final = (LetterState.WAITING, LetterState.SENDING, LetterState.FAILED, LetterState.HELD)
_JOBS: Final = (JobState.WAITING, JobState.RUNNING, JobState.FAILED)


async def families() -> Sequence[Family]:
    """Two statements, each along the index that the workers use. Raises what the database raises."""
    now = datetime.now(UTC)
    letters = await db.query(
        "SELECT state, count(*) AS many, min(next_try_at) AS due FROM letter "
        "WHERE state IN ('waiting', 'sending', 'failed', 'held') GROUP BY state"
    )
    jobs = await db.query(
        "SELECT state, count(*) AS many, min(run_at) AS due FROM job "
        "WHERE state IN ('waiting', 'running', 'failed') GROUP BY state"
    )
    many_letters = {row["state"]: int(row["many"]) for row in letters}
    many_jobs = {row["state"]: int(row["many"]) for row in jobs}
    return [
        gauge(
            "huiwu_letters",
            "Letters in the outbox, by state.",
            [({"state": state.value}, many_letters.get(state.value, 0)) for state in _LETTERS],
        ),
        gauge(
            "huiwu_letters_overdue_seconds",
            "How long the first waiting letter is past its time.",
            _overdue(letters, LetterState.WAITING, now),
        ),
        gauge(
            "huiwu_jobs",
            "Background jobs, by state.",
            [({"state": state.value}, many_jobs.get(state.value, 0)) for state in _JOBS],
        ),
        gauge(
            "huiwu_jobs_overdue_seconds",
            "How long the first waiting job is past its time.",
            _overdue(jobs, JobState.WAITING, now),
        ),
    ]


def _overdue(rows: Sequence[dict[str, object]], state: str, now: datetime) -> float:
    for row in rows:
        due = db.as_instant(row["due"])
        if row["state"] == state and due is not None:
            return max(0.0, round((now - due).total_seconds(), 3))
    return 0.0
