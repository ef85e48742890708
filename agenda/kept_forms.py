"""What somebody typed before they were signed in, or after the sign-in had ended: kept for a day, for the same browser.

So nobody has to sign in before thinking, and a form that is sent too late is there again after the code was entered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from agenda.models import KeptForm
from kernel import codes, db
from kernel.db import unit_of_work
from kernel.errors import TooMany
from people import jobs

LASTS: Final = timedelta(days=1)
#: Forms of one event that wait at once: more than honest people leave behind in a day.
AT_MOST: Final = 2_000
#: The longest form in two languages has some 60 kB.
BYTES_MAX: Final = 200_000


def connect() -> None:
    """Called once by main: the chore that forgets them."""
    jobs.chore("agenda.kept_forms", 3600.0, drop_old)


async def keep(
    *, form_id: UUID, event_id: int, browser: str, typed: Mapping[str, Sequence[str]], at: datetime
) -> None:
    """Keeps what was typed under the form's id; sent again it takes the earlier one's place, in its own browser only.

    ``browser`` is the secret of a cookie. Raises TooMany when far too much waits already.
    """
    value = orjson.dumps({name: list(texts) for name, texts in typed.items()}).decode()
    if len(value) > BYTES_MAX:
        raise TooMany()
    async with unit_of_work():
        if await KeptForm.filter(event_id=event_id).count() >= AT_MOST:
            raise TooMany(retry_after_s=3600)
        await db.execute(
            "INSERT INTO kept_form (id, event_id, browser_digest, typed, created_at, keep_until) "
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET typed = excluded.typed, "
            "keep_until = excluded.keep_until WHERE kept_form.browser_digest = excluded.browser_digest",
            str(form_id),
            event_id,
            codes.digest(browser),
            value,
            at,
            at + LASTS,
        )


async def find(
    *, form_id: UUID, event_id: int, browser: str, at: datetime
) -> Mapping[str, Sequence[str]] | None:
    """What was typed, for the browser that typed it; None for any other."""
    row = await KeptForm.get_or_none(
        id=form_id, event_id=event_id, browser_digest=codes.digest(browser), keep_until__gt=at
    )
    return row.typed if row is not None else None


async def drop(form_id: UUID) -> None:
    """Forgets a form that has arrived; inside the action that took it."""
    await KeptForm.filter(id=form_id).delete()


async def drop_old(at: datetime) -> None:
    async with unit_of_work():
        await db.execute("DELETE FROM kept_form WHERE keep_until <= $1", at)
