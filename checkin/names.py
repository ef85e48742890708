"""The searchable list of names that a desk's phone may hold: whom a code does not tell, found by name without a network.

Only a paired device with the right to it gets the list; it is erased there at the pairing's end or at the first contact
after a revocation. Found is who ``events.queries.find_people`` would find, but by no more of a phone than its last four
digits and by no address: neither leaves the server.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Iterable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from checkin import devices, snapshot
from checkin.snapshot_api import answered
from events import pinyin_rules
from events.access import Door, route
from events.json_api import Shape
from events.rules import Permission
from kernel import db
from kernel.errors import Forbidden
from web import render
from web.api_doc import ApiDoc
from web.routing import Entry


class ListedName(Shape):
    """Somebody of the list. `search` and `forms` are what a typed text is looked for in; `lookup` admits them."""

    passport: int
    lookup: str
    type: int
    status: str
    name: str
    badge_name: str
    english_name: str
    line: str
    search: str
    forms: str
    last4: str


class Names(Shape):
    """Everybody, in no order, and the readings of each Chinese character in their names."""

    people: list[ListedName]
    readings: dict[str, list[str]]


async def people(event_id: int) -> list[dict[str, Any]]:
    """One statement for any number. Who has no line in the snapshot yet is left out: the next list has them."""
    return await db.query(
        """SELECT p.id AS passport, l.lookup, p.ticket_type_id AS type, p.status, g.name, g.badge_name,
               g.english_name, p.badge_line AS line, g.search, coalesce(k.forms, '') AS forms,
               g.phone_last4 AS last4
           FROM passport p
           JOIN passport_code c ON c.event_id = p.event_id AND c.code = p.token
           JOIN snapshot_line l ON l.code_id = c.id
           JOIN registration g ON g.id = p.registration_id
           LEFT JOIN person_key k ON k.registration_id = p.registration_id
           WHERE p.event_id = $1 ORDER BY p.id""",
        event_id,
    )


def readings(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """How each Chinese character of these texts may be typed; of any other text nothing."""
    found = {char: pinyin_rules.readings(char) for char in set("".join(names))}
    return {char: read for char, read in sorted(found.items()) if read}


def written(listed: list[dict[str, Any]]) -> tuple[bytes, str]:
    """The answer's bytes, packed, and its tag."""
    body = orjson.dumps({"people": listed, "readings": readings(one["search"] for one in listed)})
    return gzip.compress(body, 5, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"'


async def names(request: Request, door: Door) -> Response:
    """For a device that sees names; Forbidden for anybody else, whatever their rights: only a pairing has an end."""
    devices.only_device(door)
    if not door.actor.sees_names:
        raise Forbidden()
    await snapshot.current(door.event.id)
    packed, tag = await asyncio.to_thread(written, await people(door.event.id))
    if render.reader_has(request, tag):
        return answered(Response(status_code=304), tag)
    response = Response(packed, media_type="application/json", headers={"content-encoding": "gzip"})
    return answered(response, tag)


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/api/snapshot/names",
        names,
        "checkin.api.snapshot_names",
        Permission.VIEW_PUBLIC,
        api=ApiDoc(
            tag="At the door",
            summary="The list of names, for a paired device with the right to it.",
            answer=Names,
            is_conditional=True,
        ),
    ),
]
