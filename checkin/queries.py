"""Reads of the door for pages and the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from checkin.rules import PassportStatus, VerdictCode
from checkin.undoing import STANDS
from events import pinyin_rules
from events import queries as events
from kernel.db import as_instant, as_uuid, in_list, json_rows, list_parameter, query
from kernel.text import LocalizedText


@dataclass(frozen=True, slots=True)
class Badge:
    """What stands on somebody's badge and the box that it lies in; whichever was given."""

    number: int | None
    box: str

    @classmethod
    def of(cls, number: int | None, box: str) -> Badge | None:
        return cls(number, box) if number is not None or box else None


@dataclass(frozen=True, slots=True)
class GroupAtDesk:
    """The group whose list somebody opens at a door, and how many of it hold a place."""

    name: str
    people: int


@dataclass(frozen=True, slots=True)
class PersonAtDesk:
    """Somebody found by name or phone, as a volunteer needs to see them: enough to tell two apart, no more."""

    passport_id: int
    name: str
    line: str
    ticket_type: LocalizedText
    short_code: str
    status: str
    phone_last4: str
    group: GroupAtDesk | None = None
    badge: Badge | None = None


async def find_people(*, event_id: int, text: str) -> list[PersonAtDesk]:
    """At most 20 people by part of the name or the last four digits; too short a text finds nobody.

    Their short code is what the scanner then posts as an ordinary scan: finding somebody admits nobody.
    """
    found = await events.find_people(event_id, text)
    if not found:
        return []
    rows = await query(
        f"""SELECT p.id, p.registration_id, p.short_code, p.status, p.badge_name, p.badge_line,
                p.badge_number, p.badge_box
            FROM {json_rows("$1", id="int")} JOIN passport p ON p.registration_id = r.id""",  # noqa: S608
        orjson.dumps([{"id": person.registration_id} for person in found]).decode(),
    )
    passports = {row["registration_id"]: row for row in rows}
    types = {one.id: one.name for one in await events.ticket_types(event_id)}
    led = await events.groups_led([person.registration_id for person in found])
    sizes = await events.group_sizes([group.id for group in led.values()]) if led else {}
    groups = {
        number: GroupAtDesk(group.name, sizes[group.id]) for number, group in led.items() if group.id in sizes
    }
    return [
        PersonAtDesk(
            passport_id=passports[person.registration_id]["id"],
            name=person.name,
            line=passports[person.registration_id]["badge_line"],
            ticket_type=types.get(person.ticket_type_id, LocalizedText()),
            short_code=passports[person.registration_id]["short_code"],
            status=passports[person.registration_id]["status"],
            phone_last4=person.phone_last4,
            group=groups.get(person.registration_id),
            badge=Badge.of(
                passports[person.registration_id]["badge_number"],
                passports[person.registration_id]["badge_box"],
            ),
        )
        for person in found
        if person.registration_id in passports
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Somebody with a valid passport, and since when they are here; for a list with ticks."""

    passport_id: int
    name: str
    line: str
    ticket_type: LocalizedText
    here_since: datetime | None


@dataclass(frozen=True, slots=True)
class ExpectedPeople:
    """A list of at most EXPECTED_AT_MOST people by name, and how many there are in all and here."""

    people: Sequence[Expected]
    total: int
    here: int


EXPECTED_AT_MOST: Final = 300


async def expected_people(
    *, event_id: int, list_id: int, period: str, text: str = "", only_missing: bool = False
) -> ExpectedPeople:
    """Who is expected, and who of them has been admitted in a list and period; three statements for any number.

    ``text`` is a part of the name or organisation, or of the name's pinyin or initials.
    """
    admitted = f"""FROM passport p LEFT JOIN (
            SELECT s.passport_id, min(s.at) AS at FROM scan s
            WHERE s.event_id = $1 AND s.list_id = $2 AND s.period = $3 AND s.turn >= 0 AND s.direction = 'entry'
                AND {STANDS}
            GROUP BY s.passport_id) s ON s.passport_id = p.id
        WHERE p.event_id = $1 AND p.status = 'valid'"""  # noqa: S608 -- our own words
    [counted] = await query(
        f"SELECT count(*) AS total, count(s.passport_id) AS here {admitted}",
        event_id,
        list_id,
        period,
    )
    values: list[Any] = [event_id, list_id, period]
    named = events.text_condition(text, values)
    rows = await query(
        f"""SELECT p.id, p.badge_name, p.badge_line, p.ticket_type_id, s.at
            {admitted} AND EXISTS (SELECT 1 FROM registration g WHERE g.id = p.registration_id
                AND {named}) {"AND s.at IS NULL" if only_missing else ""}
            ORDER BY p.badge_name, p.id LIMIT {EXPECTED_AT_MOST}""",  # noqa: S608 -- as above
        *values,
    )
    types = {one.id: one.name for one in await events.ticket_types(event_id)}
    people = [
        Expected(
            passport_id=row["id"],
            name=row["badge_name"],
            line=row["badge_line"],
            ticket_type=types.get(row["ticket_type_id"], LocalizedText()),
            here_since=as_instant(row["at"]),
        )
        for row in rows
    ]
    return ExpectedPeople(people, int(counted["total"]), int(counted["here"]))


async def short_code_of(event_id: int, passport_id: int) -> str | None:
    """The code that a scan of this event's passport is made with; None for another event's."""
    rows = await query(
        "SELECT short_code FROM passport WHERE id = $1 AND event_id = $2", passport_id, event_id
    )
    return str(rows[0]["short_code"]) if rows else None


@dataclass(frozen=True, slots=True)
class LatestScan:
    """A scan that changed where somebody counts, and after which nothing has."""

    scan_id: UUID
    at: datetime
    checkpoint_id: int
    verdict: VerdictCode


async def latest_scans(passport_id: int, *, since: datetime) -> list[LatestScan]:
    """The last admission or exit in each list and period that arrived ``since``, the newest first; what was taken back
    is left out. One statement."""
    rows = await query(
        """SELECT s.scan_id, s.at, s.checkpoint_id, s.verdict FROM scan s
           WHERE s.passport_id = $1 AND s.turn >= 0 AND s.received_at >= $2 AND s.direction <> 'undo'
               AND NOT EXISTS (SELECT 1 FROM scan l WHERE l.passport_id = s.passport_id AND l.list_id = s.list_id
                   AND l.period = s.period AND l.turn >= 0 AND l.id > s.id)
           ORDER BY s.id DESC LIMIT 5""",
        passport_id,
        since,
    )
    found = []
    for row in rows:
        at = as_instant(row["at"])
        assert at is not None
        found.append(
            LatestScan(as_uuid(row["scan_id"]), at, row["checkpoint_id"], VerdictCode(row["verdict"]))
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody on a list of passports at a door; ``short_code`` is what a scan is posted with."""

    passport_id: int
    registration_id: int
    name: str
    line: str
    ticket_type_id: int
    short_code: str
    status: PassportStatus
    #: Where the name stands in a printed list.
    sort_key: str
    here_since: datetime | None
    badge: Badge | None = None
    #: A word to staff, as the passport carries it: JSON; empty for none.
    notice: str = ""


async def members(
    *, event_id: int, registration_ids: Sequence[int] | None, list_id: int, period: str
) -> list[Member]:
    """Passports of these registrations, or of the whole event, with when each was admitted in a list and period.

    In the order of the names in pinyin (``events.pinyin_rules``); one statement for any number.
    """
    values: list[Any] = [event_id, list_id, period]
    some = ""
    if registration_ids is not None:
        values.append(list_parameter(registration_ids))
        some = f"AND p.registration_id {in_list('$4', 'int')}"
    rows = await query(
        f"""SELECT p.id, p.registration_id, p.badge_name, p.badge_line, p.ticket_type_id, p.short_code, p.status,
                p.badge_number, p.badge_box, CAST(p.notice AS TEXT) AS notice, g.name, k.sort_key, s.at
            FROM passport p JOIN registration g ON g.id = p.registration_id
            LEFT JOIN person_key k ON k.registration_id = p.registration_id
            LEFT JOIN (SELECT s.passport_id, min(s.at) AS at FROM scan s WHERE s.event_id = $1 AND s.list_id = $2
                AND s.period = $3 AND s.turn >= 0 AND s.direction = 'entry' AND {STANDS} GROUP BY s.passport_id) s
                ON s.passport_id = p.id
            WHERE p.event_id = $1 AND p.status IN ('valid', 'not_confirmed') {some}""",  # noqa: S608 -- our own words
        *values,
    )
    found = [
        Member(
            passport_id=row["id"],
            registration_id=row["registration_id"],
            name=row["name"],
            line=row["badge_line"],
            ticket_type_id=row["ticket_type_id"],
            short_code=row["short_code"],
            status=PassportStatus(row["status"]),
            sort_key=row["sort_key"] or pinyin_rules.sort_key(row["name"]),
            here_since=as_instant(row["at"]),
            badge=Badge.of(row["badge_number"], row["badge_box"]),
            notice=row["notice"] or "",
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.sort_key, one.passport_id))
