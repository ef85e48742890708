"""The scanners' JSON: one scan, a batch, the checkpoints, finding a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from checkin import api_shapes as shapes
from checkin import checkpoints, counting, devices, quarantine, queries, scanning
from checkin.answers import as_json
from checkin.device_rules import DeviceCode
from checkin.lead_rules import REASON_MAX
from checkin.offline_rules import Local
from checkin.rules import BATCH_MAX, CODE_MAX, CheckinCode, Direction
from checkin.scanning import ScanEntry
from events.access import Door, express_route, route
from events.rules import Permission
from kernel.errors import Code, Invalid, NotFound, Problem, Refusal
from web import render
from web.api_doc import ApiDoc
from web.forms import problems_of
from web.routing import Entry

#: 500 scans of the longest code and their frame.
BATCH_BODY_MAX = 512 * 1024


class ScanBody(BaseModel):
    """``{scan_id, code, checkpoint, direction, age_ms, local}``. There is no time of the device in it: ages are counted.

    ``local`` is what a phone without network told the person: no part of the scan's identity nor of its verdict.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    scan_id: UUID
    code: str = Field(max_length=CODE_MAX * 2)
    checkpoint: int = Field(ge=1, le=2**63 - 1)
    direction: Direction = Direction.ENTRY
    #: Out of any belief is not refused here: the scan is kept and marked doubtful.
    age_ms: int | None = Field(default=None, ge=-(2**53), le=2**53)
    local: Local = Local.NONE
    #: A lead's word against a refusal; whoever is no lead here is refused with it.
    reason: str = Field(default="", max_length=REASON_MAX)

    def entry(self) -> ScanEntry:
        return ScanEntry(
            self.scan_id,
            self.code,
            self.checkpoint,
            self.direction,
            self.age_ms,
            reason=self.reason.strip(),
            local=self.local,
        )


async def scan_one(door: Door, raw: bytes) -> bytes:
    try:
        body = ScanBody.model_validate_json(raw)
    except ValidationError as error:
        raise Invalid(problems_of(error), code=CheckinCode.SCAN_MALFORMED) from None
    answer = await scanning.scan(door=door, entry=body.entry(), at=datetime.now(UTC))
    return render.json_bytes(as_json(answer))


async def read_batch(
    request: Request,
) -> tuple[list[Any], list[tuple[int, ScanEntry]], list[dict[str, Any] | None]]:
    """A batch's items, the entries that could be read with their places, and the results with what could not."""
    try:
        raw = orjson.loads(await request.body())
        items = raw["scans"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Refusal(Code.BAD_REQUEST) from None
    if not isinstance(items, list):
        raise Invalid({"scans": Problem(Code.MALFORMED)})
    if len(items) > BATCH_MAX:
        raise Invalid({"scans": Problem(CheckinCode.BATCH_TOO_LARGE, {"limit": BATCH_MAX})})
    results: list[dict[str, Any] | None] = [None] * len(items)
    entries: list[tuple[int, ScanEntry]] = []
    for index, item in enumerate(items):
        try:
            entries.append((index, ScanBody.model_validate(_json_types(item)).entry()))
        except ValidationError as error:
            results[index] = _wrong(index, item, CheckinCode.SCAN_MALFORMED) | {
                "fields": {name: problem.code for name, problem in problems_of(error).items()}
            }
    return items, entries, results


async def scan_batch(request: Request, door: Door) -> Response:
    """``{"scans": [...]}`` -> ``{"results": [...]}``, one per entry in order: ``{"ok": true, ...answer}`` or
    ``{"ok": false, "index", "scan_id", "code", "title"}``. What is wrong with one entry is said of that one."""
    at = datetime.now(UTC)
    items, entries, results = await read_batch(request)
    answers = await scanning.scan_batch(door=door, entries=[entry for _, entry in entries], at=at)
    for (index, _), answer in zip(entries, answers, strict=True):
        if isinstance(answer, Refusal):
            results[index] = _wrong(index, items[index], answer.code)
        else:
            results[index] = {"ok": True} | as_json(answer)
    return render.json({"results": results})


async def leftovers(request: Request, door: Door) -> Response:
    """What a revoked or expired phone still holds: kept apart, each item answered, nothing counted.

    A phone erases what it knows before it asks this; ``"wiped": false`` says that it could not.
    """
    devices.only_device(door, also_over=True)
    _, entries, results = await read_batch(request)
    raw: dict[str, Any] = orjson.loads(await request.body())
    await quarantine.take(
        actor=door.actor,
        entries=[entry for _, entry in entries],
        is_wiped=raw.get("wiped") is not False,
        at=datetime.now(UTC),
    )
    for index, entry in entries:
        results[index] = {"ok": True, "quarantined": True, "scan_id": entry.scan_id}
    return render.json({"results": results})


def _json_types(item: Any) -> Any:
    """JSON has no UUID; pydantic reads one from text."""
    return item


def _wrong(index: int, item: Any, code: str) -> dict[str, Any]:
    scan_id = item.get("scan_id") if isinstance(item, dict) else None
    return {
        "ok": False,
        "index": index,
        "scan_id": scan_id if isinstance(scan_id, str) and len(scan_id) <= 64 else None,
        "code": code,
        "title": render.words_for(code),
        # Sending it again may help only where we were busy; anything else stays wrong.
        "retry": code == Code.BUSY,
    }


async def list_checkpoints(request: Request, door: Door) -> Response:
    """The checkpoints that the actor may scan at."""
    world = await checkpoints.world(door.event.id)
    scope = door.checkpoint_scope()
    now = datetime.now(UTC)
    return render.json(
        {
            "server_time": now,
            "checkpoints": [
                {
                    "id": view.facts.id,
                    "code": view.code,
                    "name": dict(view.name),
                    "kind": view.facts.kind.value,
                    "is_open": view.facts.is_open,
                    "scans_exits": view.facts.scans_exits,
                    "capacity": view.facts.capacity,
                    "windows": [
                        {"opens_at": window.opens_at, "closes_at": window.closes_at}
                        for window in view.facts.windows
                    ],
                }
                for view in world.checkpoints.values()
                if scope is None or view.facts.id in scope
            ],
        }
    )


async def checkpoint_counts(request: Request, door: Door) -> Response:
    """Today's figures of one checkpoint, for the foot of the scanner."""
    world = await checkpoints.world(door.event.id)
    scope = door.checkpoint_scope()
    checkpoint_id = int(request.path_params["checkpoint_id"])
    if checkpoint_id not in world.checkpoints or (scope is not None and checkpoint_id not in scope):
        raise NotFound(CheckinCode.CHECKPOINT_UNKNOWN)
    now = datetime.now(UTC)
    facts = world.checkpoints[checkpoint_id].facts
    return render.json(
        await counting.counts(
            checkpoint_id=checkpoint_id,
            programme_date=world.programme_date(now),
            key=counting.key_now(world, facts, now) if facts.slots is not None else None,
        )
    )


async def find_people(request: Request, door: Door) -> Response:
    """People by part of the name or the last four digits of the phone; at most 20, phones by their last four only."""
    found = await queries.find_people(event_id=door.event.id, text=request.query_params.get("q", ""))
    return render.json({"people": found})


def _doc(summary: str, answer: type[BaseModel], **more: Any) -> ApiDoc:
    return ApiDoc(tag="At the door", summary=summary, answer=answer, **more)


ROUTES: list[Entry] = [
    express_route(
        "/e/{slug}/api/scans",
        scan_one,
        "checkin.api.scan",
        Permission.SCAN,
        body_max=8 * 1024,
        api=_doc(
            "Decides one scan; the same `scan_id` again gets the same answer.",
            shapes.ScanAnswer,
            body=ScanBody,
            refusals={404: (CheckinCode.CHECKPOINT_UNKNOWN,), 409: (Code.REPLAY_MISMATCH,)},
        ),
    ),
    route(
        "/e/{slug}/api/scans/batch",
        scan_batch,
        "checkin.api.scan_batch",
        Permission.SCAN,
        methods=("POST",),
        body_max=BATCH_BODY_MAX,
        late=True,
        api=_doc("A device's queue in its own order.", shapes.BatchResults, body=shapes.ScanBatch),
    ),
    route(
        "/e/{slug}/api/device/leftovers",
        leftovers,
        "checkin.api.device_leftovers",
        Permission.VIEW_PUBLIC,
        ("POST",),
        body_max=BATCH_BODY_MAX,
        api=ApiDoc(
            tag="Paired phones",
            summary="What a revoked or expired device still holds, kept apart until a lead decides.",
            answer=shapes.LeftoverResults,
            body=shapes.Leftovers,
            refusals={409: (DeviceCode.QUARANTINE_FULL,)},
        ),
    ),
    route(
        "/e/{slug}/api/checkpoints",
        list_checkpoints,
        "checkin.api.checkpoints",
        Permission.SCAN,
        api=_doc("The checkpoints that one may scan at.", shapes.Checkpoints),
    ),
    route(
        "/e/{slug}/api/checkpoints/{checkpoint_id:int}/counts",
        checkpoint_counts,
        "checkin.api.counts",
        Permission.SCAN,
        api=_doc(
            "Today's figures of one checkpoint.",
            shapes.Counts,
            refusals={404: (CheckinCode.CHECKPOINT_UNKNOWN,)},
        ),
    ),
    route(
        "/e/{slug}/api/people",
        find_people,
        "checkin.api.people",
        Permission.SCAN,
        api=_doc("Finds somebody; at most twenty.", shapes.FoundPeople, query=shapes.PeopleQuery),
    ),
]
