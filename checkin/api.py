"""The scanners' JSON: one scan, a batch, the checkpoints, finding a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from checkin import checkpoints, counting, queries, scanning
from checkin.rules import BATCH_MAX, CODE_MAX, CheckinCode, Direction
from checkin.scanning import Answer, ScanEntry
from checkin.words import VERDICT_HELP, VERDICTS
from events.access import Door, route
from events.rules import Permission
from kernel.errors import Code, Invalid, NotFound, Problem, Refusal
from kernel.text import LOCALES
from web import i18n, render
from web.forms import problems_of
from web.routing import Entry

#: 500 scans of the longest code and their frame.
BATCH_BODY_MAX = 512 * 1024


class ScanBody(BaseModel):
    """``{scan_id, code, checkpoint, direction, age_ms}``. There is no time of the device in it: ages are counted."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    scan_id: UUID
    code: str = Field(max_length=CODE_MAX * 2)
    checkpoint: int = Field(ge=1, le=2**63 - 1)
    direction: Direction = Direction.ENTRY
    #: Out of any belief is not refused here: the scan is kept and marked doubtful.
    age_ms: int | None = Field(default=None, ge=-(2**53), le=2**53)

    def entry(self) -> ScanEntry:
        return ScanEntry(self.scan_id, self.code, self.checkpoint, self.direction, self.age_ms)


def _verdict_words() -> dict[str, dict[str, str]]:
    return {
        code.value: {locale: i18n.gettext_in(locale, text) for locale in LOCALES}
        for code, text in VERDICTS.items()
    }


def _verdict_help() -> dict[str, dict[str, str]]:
    return {
        code.value: {locale: i18n.gettext_in(locale, text) for locale in LOCALES}
        for code, text in VERDICT_HELP.items()
    }


class _Words:
    """Read once: the catalogues do not change while we run."""

    verdicts: ClassVar[dict[str, dict[str, str]]] = {}
    help: ClassVar[dict[str, dict[str, str]]] = {}


def as_json(answer: Answer) -> dict[str, Any]:
    """An answer as scanners receive it; keys are frozen once released (docs/http-api.md)."""
    if not _Words.verdicts:
        _Words.verdicts, _Words.help = _verdict_words(), _verdict_help()
    holder = answer.holder
    return {
        "scan_id": str(answer.scan_id),
        "verdict": answer.verdict.value,
        "tone": answer.tone.value,
        "words": _Words.verdicts[answer.verdict.value],
        "help": _Words.help[answer.verdict.value],
        "at": answer.at,
        "checkpoint": answer.checkpoint_id,
        "direction": answer.direction.value,
        "replayed": answer.is_replay,
        "doubtful": answer.is_doubtful,
        "holder": None
        if holder is None
        else {
            "passport_id": holder.passport_id,
            "name": holder.name,
            "line": holder.line,
            "ticket_type": dict(holder.ticket_type),
            "door_note": dict(holder.door_note),
        },
        "first": None
        if answer.first is None
        else {"at": answer.first.at, "checkpoint": dict(answer.first.checkpoint)},
        "elsewhere": None
        if answer.elsewhere is None
        else {"id": answer.elsewhere.id, "name": dict(answer.elsewhere.name)},
    }


async def scan_one(request: Request, door: Door) -> Response:
    try:
        body = ScanBody.model_validate_json(await request.body())
    except ValidationError as error:
        raise Invalid(problems_of(error), code=CheckinCode.SCAN_MALFORMED) from None
    answer = await scanning.scan(door=door, entry=body.entry(), at=datetime.now(UTC))
    return render.json(as_json(answer))


async def scan_batch(request: Request, door: Door) -> Response:
    """``{"scans": [...]}`` -> ``{"results": [...]}``, one per entry in order: ``{"ok": true, ...answer}`` or
    ``{"ok": false, "index", "scan_id", "code", "title"}``. What is wrong with one entry is said of that one."""
    at = datetime.now(UTC)
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
    answers = await scanning.scan_batch(door=door, entries=[entry for _, entry in entries], at=at)
    for (index, _), answer in zip(entries, answers, strict=True):
        if isinstance(answer, Refusal):
            results[index] = _wrong(index, items[index], answer.code)
        else:
            results[index] = {"ok": True} | as_json(answer)
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
    return render.json(
        await counting.counts(checkpoint_id=checkpoint_id, programme_date=world.programme_date(now))
    )


async def find_people(request: Request, door: Door) -> Response:
    """People by part of the name or the last four digits of the phone; at most 20, phones by their last four only."""
    found = await queries.find_people(event_id=door.event.id, text=request.query_params.get("q", ""))
    return render.json({"people": found})


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/api/scans",
        scan_one,
        "checkin.api.scan",
        Permission.SCAN,
        methods=("POST",),
        body_max=8 * 1024,
    ),
    route(
        "/e/{slug}/api/scans/batch",
        scan_batch,
        "checkin.api.scan_batch",
        Permission.SCAN,
        methods=("POST",),
        body_max=BATCH_BODY_MAX,
    ),
    route("/e/{slug}/api/checkpoints", list_checkpoints, "checkin.api.checkpoints", Permission.SCAN),
    route(
        "/e/{slug}/api/checkpoints/{checkpoint_id:int}/counts",
        checkpoint_counts,
        "checkin.api.counts",
        Permission.SCAN,
    ),
    route("/e/{slug}/api/people", find_people, "checkin.api.people", Permission.SCAN),
]
