"""A speaker's secret link: derived, never stored; what it opens is one button, and the press behind it this browser.

As the holder's link of a registration (docs/decisions/0011): renewing makes every older one worthless.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from agenda.cfp_queries import SpeakerFacts
from agenda.line_up_rules import LineUpCode
from agenda.models import Speaker
from events.rules import EventFacts
from kernel import codes, db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import NotFound
from people import journal
from web import render

#: Followed by the speaker's id: one browser may be several speakers', at a producer's desk.
COOKIE: Final = "huiwu_speaker_"
#: Opened once and forgotten in a chat; from an invitation to the day it is months.
LASTS: Final = timedelta(days=180)


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the installation's key for the links."""
    _Wiring.key = key


def key_of(speaker_id: int, secret_round: int) -> str:
    """The key in a speaker's link, ``<speaker id>-<22 characters>``."""
    return f"{speaker_id}-{codes.link_secret(_Wiring.key, 'speaker', speaker_id, secret_round)}"


def path_of(slug: str, speaker: SpeakerFacts) -> str:
    """The link's path; letters get it at the moment of sending."""
    return render.with_query(
        render.url("agenda.speaker", slug=slug), key=key_of(speaker.id, speaker.secret_round)
    )


def link_of(event: EventFacts, speaker: SpeakerFacts) -> str:
    """The whole address, as it is copied."""
    return render.absolute(path_of(event.slug, speaker))


async def find_by_key(event_id: int, key: str) -> Speaker | None:
    """Whose link this is, or None for a wrong, older or foreign one; compared in constant time."""
    number = codes.link_number(key)
    if number is None:
        return None
    row = await Speaker.get_or_none(id=number, event_id=event_id, erased_at__isnull=True)
    right = codes.same_secret(key_of(number, row.secret_round if row else 0), key)
    return row if row is not None and right else None


async def renew(*, actor: Actor, event_id: int, speaker_id: int, at: datetime) -> None:
    """Makes every older link of a speaker worthless. Raises NotFound."""
    async with unit_of_work():
        rows = await db.query(
            "UPDATE speaker SET secret_round = secret_round + 1, updated_at = $3 "
            "WHERE id = $1 AND event_id = $2 AND erased_at IS NULL RETURNING id",
            speaker_id,
            event_id,
            at,
        )
        if not rows:
            raise NotFound(LineUpCode.SPEAKER_UNKNOWN)
        await journal.write(
            actor=actor,
            verb="speaker.renew_link",
            object_kind="speaker",
            object_id=speaker_id,
            event_id=event_id,
            at=at,
        )
