"""Phones that are tried before the day: links for volunteers, and what each phone could.

A link's secret is derived from the row and the installation's key, so that a lead can look it up and send it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from checkin.device_rules import NAME_MAX, TEST_LINK_LASTS, Check, DeviceCode
from checkin.models import PhoneTestLink
from events.access import Door
from kernel import codes, db
from kernel.db import unit_of_work
from kernel.errors import Conflict, Gone, NotFound
from people import journal
from people.rules import one_line

#: What the sample picture says, and nothing else is ever sent as a trial scan.
SAMPLE: Final = "HUIWU PHONE TEST"
LINKS_AT_ONCE: Final = 100
#: Results of one link: more phones than any event has volunteers.
RESULTS_MAX: Final = 1000
#: A trial scan that took longer was not measured.
ROUND_TRIP_MAX_MS: Final = 600_000


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the key that secrets are derived with."""
    _Wiring.key = key


@dataclass(frozen=True, slots=True)
class Link:
    id: int
    event_id: int
    volunteer: str
    secret: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """What one phone could; ``name`` is as its owner typed it, or whom the link was sent to."""

    id: int
    name: str
    checks: Mapping[str, bool]
    platform: str
    round_trip_ms: int | None
    tested_at: datetime

    @property
    def failed(self) -> list[Check]:
        """The checks that did not pass; one that was not made did not pass."""
        return [check for check in Check if not self.checks.get(check.value)]


async def make_links(*, door: Door, volunteers: Sequence[str], at: datetime) -> None:
    """A link for each of the volunteers, or one for all where none is named; each lasts two weeks."""
    async with unit_of_work():
        for volunteer in list(volunteers)[:LINKS_AT_ONCE] or [""]:
            salt = codes.new_token()
            row = await PhoneTestLink.create(
                event_id=door.event.id,
                salt=salt,
                secret_digest=codes.digest(_secret(salt)),
                volunteer=one_line(volunteer, NAME_MAX),
                created_at=at,
                created_by=door.actor.key,
                ends_at=at + TEST_LINK_LASTS,
            )
            await journal.write(
                actor=door.actor,
                verb="phone_test.link",
                object_kind="phone_test_link",
                object_id=row.id,
                at=at,
                event_id=door.event.id,
            )


async def links(event_id: int, at: datetime) -> list[Link]:
    """The links that still open, the newest first."""
    rows = await PhoneTestLink.filter(event_id=event_id, ends_at__gt=at).order_by("-id").limit(500)
    return [Link(row.id, event_id, row.volunteer, _secret(row.salt), row.ends_at) for row in rows]


async def results(event_id: int) -> list[Result]:
    """The latest first; one statement."""
    rows = await db.query(
        "SELECT t.*, l.volunteer FROM phone_test t JOIN phone_test_link l ON l.id = t.link_id WHERE t.event_id = $1 "
        "ORDER BY t.tested_at DESC, t.id DESC LIMIT 1000",
        event_id,
    )
    found = []
    for row in rows:
        tested_at = db.as_instant(row["tested_at"])
        assert tested_at is not None
        stored = row["checks"]
        found.append(
            Result(
                row["id"],
                row["name"] or row["volunteer"],
                orjson.loads(stored) if isinstance(stored, (str, bytes)) else stored,
                row["platform"],
                row["round_trip_ms"],
                tested_at,
            )
        )
    return found


async def find(*, event_id: int, secret: str, at: datetime) -> Link:
    """The link that a secret opens. Raises NotFound for none, Gone ``phone_test_over`` for one whose time is over."""
    row = await PhoneTestLink.get_or_none(event_id=event_id, secret_digest=codes.digest(secret))
    if row is None:
        raise NotFound()
    if row.ends_at <= at:
        raise Gone(DeviceCode.TEST_LINK_OVER)
    return Link(row.id, event_id, row.volunteer, secret, row.ends_at)


@dataclass(frozen=True, slots=True)
class Told:
    """What a phone tells of itself."""

    instance: UUID
    name: str
    checks: Mapping[str, bool]
    platform: str
    round_trip_ms: int | None


async def tell(*, link: Link, told: Told, at: datetime) -> None:
    """Keeps what a phone could; the same phone by the same link again replaces it. Raises Conflict at RESULTS_MAX."""
    known = {check.value: bool(told.checks.get(check.value)) for check in Check}
    async with unit_of_work():
        await db.one_at_a_time(f"checkin.phone_test:{link.id}")
        [counted] = await db.query("SELECT count(*) AS n FROM phone_test WHERE link_id = $1", link.id)
        if int(counted["n"]) >= RESULTS_MAX:
            raise Conflict()
        await db.execute(
            "INSERT INTO phone_test (event_id, link_id, instance, name, checks, platform, round_trip_ms, tested_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (link_id, instance) DO UPDATE SET "
            "name = excluded.name, checks = excluded.checks, platform = excluded.platform, "
            "round_trip_ms = excluded.round_trip_ms, tested_at = excluded.tested_at",
            link.event_id,
            link.id,
            str(told.instance),
            one_line(told.name, NAME_MAX),
            orjson.dumps(known).decode(),
            one_line(told.platform, 80),
            told.round_trip_ms,
            at,
        )


async def erase(*, door: Door, at: datetime, test_id: int | None = None, link_id: int | None = None) -> None:
    """Deletes one phone's result, or a link with all of its results. Raises NotFound for another event's."""
    table, number = ("phone_test", test_id) if test_id is not None else ("phone_test_link", link_id)
    assert number is not None
    async with unit_of_work():
        gone = await db.execute(
            f"DELETE FROM {table} WHERE id = $1 AND event_id = $2",  # noqa: S608 -- one of our two tables
            number,
            door.event.id,
        )
        if not gone:
            raise NotFound()
        await journal.write(
            actor=door.actor,
            verb="phone_test.erase",
            object_kind=table,
            object_id=number,
            at=at,
            event_id=door.event.id,
        )


def _secret(salt: str) -> str:
    return codes.link_secret(_Wiring.key, "phone-test", salt)
