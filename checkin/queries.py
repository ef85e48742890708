"""Reads of the door for pages and the API."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from events import queries as events
from kernel.db import json_rows, query
from kernel.text import LocalizedText


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


async def find_people(*, event_id: int, text: str) -> list[PersonAtDesk]:
    """At most 20 people by part of the name or the last four digits; too short a text finds nobody.

    Their short code is what the scanner then posts as an ordinary scan: finding somebody admits nobody.
    """
    found = await events.find_people(event_id, text)
    if not found:
        return []
    rows = await query(
        f"""SELECT p.id, p.registration_id, p.short_code, p.status, p.badge_name, p.badge_line
            FROM {json_rows("$1", id="int")} JOIN passport p ON p.registration_id = r.id""",  # noqa: S608
        orjson.dumps([{"id": person.registration_id} for person in found]).decode(),
    )
    passports = {row["registration_id"]: row for row in rows}
    types = {one.id: one.name for one in await events.ticket_types(event_id)}
    return [
        PersonAtDesk(
            passport_id=passports[person.registration_id]["id"],
            name=person.name,
            line=passports[person.registration_id]["badge_line"],
            ticket_type=types.get(person.ticket_type_id, LocalizedText()),
            short_code=passports[person.registration_id]["short_code"],
            status=passports[person.registration_id]["status"],
            phone_last4=person.phone_last4,
        )
        for person in found
        if person.registration_id in passports
    ]
