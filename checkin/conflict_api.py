"""JSON of conflicts: a lead's list, a device's own, and marking one as dealt with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import conflicts
from checkin.api_shapes import Texts
from checkin.conflict_rules import NOTE_MAX, Story
from checkin.conflicts import Conflict
from checkin.offline_rules import Local
from checkin.rules import CheckinCode, VerdictCode
from checkin.words import STORIES, VERDICTS
from events.access import Door, route
from events.json_api import Body, Query, Shape, read_body, read_query
from events.rules import Permission
from kernel.text import LOCALES
from web import i18n, render
from web.api_doc import ApiDoc
from web.routing import Entry


class ConflictHolder(Shape):
    passport_id: int
    name: str
    line: str


class OtherLane(Shape):
    """The admission that was met."""

    at: datetime
    checkpoint: int


class ConflictFacts(Shape):
    """What a device without network told somebody (`local`) and what the server decided (`verdict`). `at`: when it was
    scanned; `other`: the other lane's admission. `times`: scans of this device that tell the same of this person.
    `dealt`: somebody has looked at it, which deals with all of them.
    """

    scan_id: UUID
    story: Story
    title: Texts
    checkpoint: int
    local: Local
    verdict: VerdictCode
    words: Texts
    holder: ConflictHolder | None
    at: datetime
    other: OtherLane | None
    times: int
    dealt: bool
    dealt_at: datetime | None
    note: str


class Conflicts(Shape):
    conflicts: list[ConflictFacts]


class ConflictsQuery(Query):
    all: bool = Field(default=False, description="Those that were dealt with, too.")


class Deal(Body):
    """What came of it, in a few words; not needed."""

    note: str = Field(default="", max_length=NOTE_MAX)


def as_json(one: Conflict) -> dict[str, Any]:
    """A conflict as devices and programs receive it."""
    return {
        "scan_id": one.scan_id,
        "story": one.story,
        "title": {locale: i18n.gettext_in(locale, STORIES[one.story]) for locale in LOCALES},
        "checkpoint": one.checkpoint_id,
        "local": one.local,
        "verdict": one.verdict,
        "words": {locale: i18n.gettext_in(locale, VERDICTS[one.verdict]) for locale in LOCALES},
        "holder": None
        if one.passport_id is None
        else {"passport_id": one.passport_id, "name": one.name, "line": one.line},
        "at": one.at,
        "other": None if one.other is None else {"at": one.other.at, "checkpoint": one.other.checkpoint_id},
        "times": one.times,
        "dealt": not one.is_open,
        "dealt_at": one.dealt_at,
        "note": one.note,
    }


async def _list(request: Request, door: Door) -> Response:
    """A lead sees those of the checkpoints that they lead; anybody else who scans, a paired device too, their own."""
    only_open = not read_query(request, ConflictsQuery).all
    if door.may(Permission.OVERRIDE):
        found = await conflicts.list_all(
            door.event.id, only_open=only_open, checkpoint_ids=door.checkpoint_scope(Permission.OVERRIDE)
        )
    else:
        found = await conflicts.list_all(door.event.id, only_open=only_open, by=door.actor.key)
    return render.json({"conflicts": [as_json(one) for one in found]})


async def _deal(request: Request, door: Door) -> Response:
    body = await read_body(request, Deal)
    one = await conflicts.deal(
        door=door, scan_id=request.path_params["scan_id"], note=body.note, at=datetime.now(UTC)
    )
    return render.json(as_json(one))


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/api/conflicts",
        _list,
        "checkin.api.conflicts",
        Permission.SCAN,
        api=ApiDoc(
            tag="At the door",
            summary="Where a device without network told somebody something else; the newest fifty.",
            answer=Conflicts,
            query=ConflictsQuery,
        ),
    ),
    route(
        "/e/{slug}/api/conflicts/{scan_id:uuid}/deal",
        _deal,
        "checkin.api.conflict_deal",
        Permission.SCAN,
        ("POST",),
        api=ApiDoc(
            tag="At the door",
            summary="Marks one as dealt with: one's own scan's, or a lead any; a second time changes nothing.",
            answer=ConflictFacts,
            body=Deal,
            refusals={403: (CheckinCode.CHECKPOINT_NOT_YOURS,)},
        ),
    ),
]
