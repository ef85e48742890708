"""Vectors for the browser's judge: facts as a phone has them and what ``judge_offline`` makes of them, as JSON.

Written to ``tests/js/judge_vectors.json`` whenever the rules' tests run (about 3 MB, so never committed; the same
rules give the same bytes). By hand: ``python -m tests.judge_vectors``. Read by ``tests/js/*.test.mjs``.

``{"judge": [{facts, "verdict": {"code", "tone", "certain"}, "local"}], "periods": [{facts, "period"}]}``
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from math import prod
from pathlib import Path
from typing import Any, Final

import orjson

from checkin.offline_rules import OfflineFacts, Read, Snapshot, judge_offline, told
from checkin.room_rules import Held, RoomState, Slot
from checkin.rules import (
    CheckpointFacts,
    CheckpointKind,
    Direction,
    Here,
    Once,
    OnRepeat,
    PassportFacts,
    PassportStatus,
    Window,
    period_of,
)

FILE: Final = Path(__file__).parent / "js" / "judge_vectors.json"
AT: Final = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)
_HOUR, _MOMENT = timedelta(hours=1), timedelta(milliseconds=1)
#: One vector of so many: with it every value meets every two others (a test says so).
STRIDE: Final = 7 * 29 * 29
GUEST_TYPE: Final = 3

#: What is asked about, one dimension after the other; a vector takes one value of each.
DIMENSIONS: Final[dict[str, tuple[Any, ...]]] = {
    "read": (Read.OK, Read.OK, Read.OK, Read.MALFORMED, Read.MISTYPED),
    "snapshot": (Snapshot.WHOLE, Snapshot.WHOLE, Snapshot.STALE, Snapshot.NONE),
    "passport": (
        {},
        {"ticket_type": 4},
        {"status": PassportStatus.REVOKED},
        {"status": PassportStatus.CANCELLED},
        {"status": PassportStatus.NOT_CONFIRMED},
        {"dead": True},
        {"other_event": True},
        {"ticket_type": 4, "status": PassportStatus.CANCELLED, "dead": True},
        None,
    ),
    "direction": (Direction.ENTRY, Direction.ENTRY, Direction.EXIT),
    "is_open": (True, True, True, False),
    "scans_exits": (True, False),
    "on_repeat": tuple(OnRepeat),
    "windows": (
        (),
        ((-_HOUR, _HOUR),),
        ((timedelta(), _HOUR),),
        ((-_HOUR, timedelta()),),
        ((-_HOUR, _MOMENT),),
        ((_MOMENT, _HOUR),),
        ((-2 * _HOUR, -_HOUR), (_HOUR, 2 * _HOUR)),
        ((-2 * _HOUR, -_HOUR), (-_MOMENT, _HOUR)),
    ),
    "ticket_types": ((), (GUEST_TYPE,), (GUEST_TYPE, 4), (9,)),
    "has_capacity": (False, False, True),
    "held": (
        None,
        None,
        (RoomState.FULL, -_HOUR, _HOUR),
        (RoomState.CLOSED, -_HOUR, None),
        (RoomState.OPEN, -_HOUR, None),
        (RoomState.FULL, timedelta(), _MOMENT),
        (RoomState.FULL, _MOMENT, _HOUR),
        (RoomState.CLOSED, -_HOUR, timedelta()),
    ),
    "here": (Here(), Here(0, True, 1), Here(1, False, 1), Here(1, False, 0), Here(2, True, 3)),
}


POSSIBLE: Final = prod(map(len, DIMENSIONS.values()))


def turned(number: int) -> list[int]:
    """Which value of each dimension stands at a number, as an odometer turns."""
    places = []
    for options in DIMENSIONS.values():
        number, index = divmod(number, len(options))
        places.append(index)
    return places


def vectors() -> Iterator[dict[str, Any]]:
    """Each STRIDE-th of all that can be put together."""
    for number in range(0, POSSIBLE, STRIDE):
        yield vector(
            {
                name: options[index]
                for (name, options), index in zip(DIMENSIONS.items(), turned(number), strict=True)
            }
        )


def vector(chosen: dict[str, Any]) -> dict[str, Any]:
    """One vector of a value for each dimension: the facts as the browser gets them, and the answer."""
    given = chosen["passport"]
    passport = None
    if given is not None:
        passport = PassportFacts(
            id=7,
            event_id=2 if given.get("other_event") else 1,
            ticket_type_id=given.get("ticket_type", GUEST_TYPE),
            status=given.get("status", PassportStatus.VALID),
            code_is_dead=given.get("dead", False),
        )
    windows = tuple(Window(AT + opens, AT + closes) for opens, closes in chosen["windows"])
    said = chosen["held"]
    held = said and Held(said[0], AT + said[1], None if said[2] is None else AT + said[2])
    checkpoint = CheckpointFacts(
        id=1,
        event_id=1,
        list_id=1,
        kind=CheckpointKind.GATE,
        on_repeat=chosen["on_repeat"],
        once=Once.DAY,
        is_open=chosen["is_open"],
        scans_exits=chosen["scans_exits"],
        windows=windows,
        ticket_types=frozenset(chosen["ticket_types"]),
        capacity=100 if chosen["has_capacity"] else None,
        held=held,
    )
    here: Here = chosen["here"]
    verdict = judge_offline(
        OfflineFacts(chosen["read"], passport, checkpoint, chosen["direction"], AT, here, chosen["snapshot"])
    )
    return {
        "reading": chosen["read"],
        "passport": None
        if passport is None
        else {
            "ticket_type": passport.ticket_type_id,
            "status": passport.status,
            "dead": passport.code_is_dead,
            "other_event": passport.event_id != 1,
        },
        "checkpoint": {
            "is_open": checkpoint.is_open,
            "scans_exits": checkpoint.scans_exits,
            "on_repeat": checkpoint.on_repeat,
            "once": checkpoint.once,
            "windows": [[_ms(one.opens_at), _ms(one.closes_at)] for one in windows],
            "ticket_types": sorted(checkpoint.ticket_types),
            "has_capacity": checkpoint.capacity is not None,
            "held": held and [held.state, _ms(held.since), None if held.until is None else _ms(held.until)],
        },
        "direction": chosen["direction"],
        "at_ms": _ms(AT),
        "here": {"closings": here.closings, "inside": here.is_inside, "times": here.times},
        "snapshot": chosen["snapshot"],
        "verdict": {"code": verdict.code, "tone": verdict.tone, "certain": verdict.is_certain},
        "local": told(verdict, chosen["direction"]),
    }


def periods() -> Iterator[dict[str, Any]]:
    """Within what a list counts: two phones, and phone and server, must name the same period."""
    spans = (
        (),
        ((-_HOUR, _HOUR),),
        ((_HOUR, 2 * _HOUR), (3 * _HOUR, 4 * _HOUR)),
        ((3 * _HOUR, 4 * _HOUR), (-2 * _HOUR, -_HOUR), (timedelta(minutes=29), _HOUR)),
    )
    steps = [timedelta(minutes=minutes) for minutes in (-600, -61, -60, -1, 0, 29, 30, 59, 60, 180, 600)]
    for once, span, step in itertools.product(Once, spans, steps):
        windows = tuple(Window(AT + opens, AT + closes) for opens, closes in span)
        guid = "5e7d9c5e-0d4f-5a51-9d5c-3f4b7f5c0001"
        facts = CheckpointFacts(
            1, 1, 1, CheckpointKind.MEAL, OnRepeat.REFUSE, once, windows=windows, session_guid=guid
        )
        yield {
            "once": once,
            "windows": [[_ms(one.opens_at), _ms(one.closes_at)] for one in windows],
            "session_guid": guid,
            "slots": None,
            "lead_ms": 0,
            "programme_date": "2023-10-28",
            "at_ms": _ms(AT + step),
            "period": period_of(facts, at=AT + step, programme_date=date(2023, 10, 28)),
        }
    yield from programmes()


def programmes() -> Iterator[dict[str, Any]]:
    """A door that follows its room's programme: alone, one after the other, side by side, begun at one moment."""
    spans = (
        (),
        ((timedelta(), _HOUR),),
        ((timedelta(), _HOUR), (_HOUR, 2 * _HOUR)),
        ((_HOUR, 3 * _HOUR), (timedelta(), 2 * _HOUR)),
        ((timedelta(), _HOUR), (timedelta(), 2 * _HOUR), (timedelta(), _HOUR)),
        ((_HOUR, 2 * _HOUR), (_HOUR, 2 * _HOUR), (4 * _HOUR, 5 * _HOUR)),
    )
    minutes = (-61, -60, -16, -15, -1, 0, 30, 44, 45, 59, 60, 90, 119, 120, 150, 179, 180, 240, 299, 300)
    for span, lead, minute in itertools.product(spans, (0, 15, 60), minutes):
        slots = tuple(
            Slot(f"5e7d9c5e-0d4f-5a51-9d5c-3f4b7f5c000{9 - number}", AT + begins, AT + ends)
            for number, (begins, ends) in enumerate(span)
        )
        at = AT + timedelta(minutes=minute)
        facts = CheckpointFacts(
            1,
            1,
            1,
            CheckpointKind.SESSION,
            OnRepeat.WELCOME,
            Once.SESSION,
            slots=slots,
            lead=timedelta(minutes=lead),
        )
        yield {
            "once": Once.SESSION,
            "windows": [],
            "session_guid": "",
            "slots": [[one.guid, _ms(one.starts_at), _ms(one.ends_at)] for one in slots],
            "lead_ms": lead * 60_000,
            "programme_date": "2023-10-28",
            "at_ms": _ms(at),
            "period": period_of(facts, at=at, programme_date=date(2023, 10, 28)),
        }


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def write(path: Path = FILE) -> int:
    """Writes the file whole or not at all (tests run side by side) and gives the number of vectors."""
    judged = list(vectors())
    text = b",\n".join(map(orjson.dumps, judged))
    other = b",\n".join(map(orjson.dumps, periods()))
    whole = b'{"judge": [\n' + text + b'\n],\n"periods": [\n' + other + b"\n]}\n"
    if not path.exists() or path.read_bytes() != whole:
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(whole)
        part.replace(path)
    return len(judged)


if __name__ == "__main__":
    print(write(), "vectors in", FILE)  # noqa: T201 -- a command
