"""What main calls once: settings for the modules that need them, and this package's own jobs and chores."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kernel import db
from kernel.db import unit_of_work
from kernel.settings import Settings
from people import accounts, jobs, letters, limits, providers, unsubscribing, uploads

#: How long things are kept that nobody needs longer (docs/decisions/0007-letters-and-jobs.md).
CODES_KEPT: Final = timedelta(days=1)
USED_CODES_KEPT: Final = timedelta(days=30)
#: Shown as expired for so long, so that its owner sees why a program stopped.
EXPIRED_TOKENS_KEPT: Final = timedelta(days=30)
SIGN_IN_LETTERS_KEPT: Final = timedelta(days=1)
LETTERS_KEPT: Final = timedelta(days=180)
JOBS_KEPT: Final = timedelta(days=90)
REPLAYS_KEPT: Final = timedelta(days=90)

PURGE: Final = "people.purge"


class _Wiring:
    settings: Settings | None = None


def settings() -> Settings:
    """The settings of this process, for the pages that show them."""
    assert _Wiring.settings is not None
    return _Wiring.settings


def configure(settings: Settings) -> None:
    """Called once by main, before the first request."""
    _Wiring.settings = settings
    accounts.configure(settings)
    limits.configure(settings)
    providers.configure(settings)
    letters.compose_with(accounts.LINK_COMPOSER, accounts.compose_link)
    unsubscribing.configure(settings)
    uploads.configure(settings)
    jobs.handles(PURGE, _purge_job)
    jobs.chore("people.seen", 30.0, accounts.write_seen)
    jobs.chore("people.purge", 3600.0, _queue_purge)


async def _queue_purge(at: datetime) -> None:
    # Every process says so every hour; the key makes it one job a day.
    day = at.astimezone(UTC).date().isoformat()
    if not await db.query("SELECT id FROM job WHERE key = $1", f"{PURGE}:{day}"):
        await jobs.enqueue(kind=PURGE, key=f"{PURGE}:{day}", payload={}, at=at)


async def _purge_job(job: jobs.JobHandle) -> Mapping[str, Any]:
    del job
    return await purge(datetime.now(UTC))


async def purge(at: datetime) -> Mapping[str, int]:
    """Removes what is past its time and gives the counts; each table in a short transaction of its own."""
    counts = {"uploads": await uploads.purge(at)}
    for table, condition, values in (
        ("sign_in", "expires_at <= $1", (at,)),
        ("api_token", "expires_at <= $1", (at - EXPIRED_TOKENS_KEPT,)),
        ("provider_visit", "expires_at <= $1", (at,)),
        (
            "sign_in_code",
            "(used_at IS NULL AND created_at <= $1) OR created_at <= $2",
            (at - CODES_KEPT, at - USED_CODES_KEPT),
        ),
        (
            "letter",
            "(key LIKE 'sign-in:%' AND created_at <= $1) OR (state IN ('drafted', 'sent', 'failed', 'discarded') AND created_at <= $2)",
            (at - SIGN_IN_LETTERS_KEPT, at - LETTERS_KEPT),
        ),
        ("job", "state IN ('done', 'failed', 'cancelled') AND ended_at <= $1", (at - JOBS_KEPT,)),
        ("replay", "created_at <= $1", (at - REPLAYS_KEPT,)),
    ):
        async with unit_of_work():
            counts[table] = await db.execute(f"DELETE FROM {table} WHERE {condition}", *values)  # noqa: S608 -- our own words
    return counts
