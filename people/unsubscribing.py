"""Letters that one can do without: who wants none, and the link in each of them that says so.

The link names its letter and carries an HMAC under the installation's key; no address stands in it. What is kept is a
keyed hash of the address, so that an erased person is not written to again, and nobody can read who that was.

RFC 2369 (List-Unsubscribe) and RFC 8058 (List-Unsubscribe-Post): the mailbox's own button posts to the same link.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kernel import codes, db
from kernel.db import unit_of_work
from kernel.errors import NotFound
from kernel.settings import Settings
from people.models import Letter
from people.rules import mask_email

#: Instead of an event's id: no such letters of any event.
EVERY_EVENT: Final = 0


class _Wiring:
    key: bytes = b""
    base_url: str = ""


def configure(settings: Settings) -> None:
    """Called once by ``people.wiring``."""
    _Wiring.key = settings.key
    _Wiring.base_url = settings.base_url


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link is about: letters of one event to one address, which is shown half hidden."""

    letter_id: int
    event_id: int
    masked: str
    is_over: bool


def key_of(letter_id: int) -> str:
    """The link's key, ``<letter id>-<22 characters>``; derived, never stored."""
    return f"{letter_id}-{codes.link_secret(_Wiring.key, 'unsubscribe', letter_id)}"


def link_of(letter_id: int) -> str:
    """The address that every letter with a purpose ends with."""
    return f"{_Wiring.base_url}/unsubscribe?key={key_of(letter_id)}"


async def find(key: str) -> Subscription:
    """Raises NotFound for a key that is none, and for a letter that is no longer kept: nothing more comes of it."""
    letter = await _letter(key)
    return Subscription(
        letter.id,
        letter.event_id or EVERY_EVENT,
        mask_email(letter.to_email),
        bool(await without(letter.event_id, [letter.to_email])),
    )


async def stop(*, key: str, at: datetime, everywhere: bool = False) -> None:
    """No more such letters of this event, or of any, to the letter's address. Twice is once. Raises NotFound."""
    letter = await _letter(key)
    async with unit_of_work():
        await db.execute(
            "INSERT INTO unsubscription (address_hash, event_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            _hash(letter.to_email),
            EVERY_EVENT if everywhere or letter.event_id is None else letter.event_id,
            at,
        )
        # Those on their way already are stopped too; one that is being sent at this very moment may still arrive.
        await db.execute(
            "UPDATE letter SET state = 'discarded', last_problem = 'no_longer_wanted' WHERE to_email = $1 "
            "AND purpose <> '' AND state IN ('drafted', 'waiting', 'held', 'failed') AND ($3 OR event_id = $2)",
            letter.to_email,
            letter.event_id or EVERY_EVENT,
            everywhere or letter.event_id is None,
        )


async def resume(*, key: str, at: datetime) -> None:
    """Takes it back, for this event and for all. Raises NotFound."""
    del at
    letter = await _letter(key)
    async with unit_of_work():
        await db.execute(
            "DELETE FROM unsubscription WHERE address_hash = $1 AND event_id IN (0, $2)",
            _hash(letter.to_email),
            letter.event_id or EVERY_EVENT,
        )


async def without(event_id: int | None, emails: Collection[str]) -> frozenset[str]:
    """Those of the addresses that want no such letters of this event; one statement for any number."""
    if not emails:
        return frozenset()
    hashes = {_hash(email): email for email in emails}
    rows = await db.query(
        f"SELECT address_hash FROM unsubscription WHERE address_hash {db.in_list('$1', 'text')} "  # noqa: S608 -- our own words
        "AND event_id IN (0, $2)",
        db.list_parameter(sorted(hashes)),
        event_id or EVERY_EVENT,
    )
    return frozenset(hashes[row["address_hash"]] for row in rows)


async def _letter(key: str) -> Letter:
    number = codes.link_number(key)
    if number is not None and codes.same_secret(key_of(number), key):
        letter = await Letter.get_or_none(id=number)
        if letter is not None and letter.purpose and letter.to_email:
            return letter
    raise NotFound()


def _hash(email: str) -> str:
    return codes.keyed_hash(_Wiring.key, "unsubscription", email.strip().lower())
