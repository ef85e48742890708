"""What a board marks and warns of, from its document and a clock alone.

``web/static/js/alerts.js`` decides the same between two frames; both are held to ``tests/js/alerts.json``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

#: From so many percent on a room is filling, nearly full, full.
LEVELS: Final = (80, 95, 100)
#: States of rooms and checkpoints, as documents write them.
OPEN, FULL, CLOSED = 0, 1, 2

#: Refusals pile up where so many were refused in the present step of five minutes and the one before, and at least
#: every third scan was one of them.
PILE: Final = 5
PILE_SHARE: Final = 3
#: An open gate is silent after so long without a scan, while another lane is in use.
SILENT_S: Final = 600
STEP_S: Final = 300


class AlertKind(StrEnum):
    CONFLICTS = "conflicts"
    DEVICES = "devices"
    ROOM_FULL = "room_full"
    REFUSALS = "refusals"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Alert:
    """``subject``: a place for ROOM_FULL, the newest one for CONFLICTS and DEVICES (so that one more is heard), else a
    checkpoint. ``number``: open conflicts, silent phones, people, refusals, whole minutes.
    """

    kind: AlertKind
    subject: int
    number: int


def level(state: int, count: int, capacity: int | None) -> int:
    """How full: 0, or the highest of LEVELS that is reached. A room that is FULL is at 100 whatever was counted."""
    if state == FULL:
        return LEVELS[-1]
    if state == CLOSED or not capacity:
        return 0
    return max((mark for mark in LEVELS if 100 * count >= mark * capacity), default=0)


def alerts(document: Mapping[str, Any], gates: Collection[int], at_s: int) -> list[Alert]:
    """What somebody should look at now: conflicts, silent phones, full rooms, then refusals piling up, then silent gates.

    ``at_s``: seconds since 1970. ``document`` is ``counting.board``'s, ``gates`` are its gates' checkpoints.
    """
    found = []
    conflicts = document.get("conflicts")
    if conflicts and conflicts["open"]:
        found.append(Alert(AlertKind.CONFLICTS, conflicts["newest"], conflicts["open"]))
    phones = document.get("devices")
    if phones and phones["quiet"]:
        found.append(Alert(AlertKind.DEVICES, phones["newest"], phones["quiet"]))
    found += [
        Alert(AlertKind.ROOM_FULL, place, count)
        for place, count, _capacity, state, _of in document["rooms"]
        if state == FULL
    ]
    current = (at_s - document["starts"]) // STEP_S
    for checkpoint, _last, begin, scans, refused in document["lanes"]:
        near = _sum(refused, begin, current)
        if near >= PILE and near * PILE_SHARE >= _sum(scans, begin, current):
            found.append(Alert(AlertKind.REFUSALS, checkpoint, near))
    opened = {row[0] for row in document["checkpoints"] if row[-1] != CLOSED}
    lasts = [(lane[0], lane[1]) for lane in document["lanes"] if lane[1] is not None]
    in_use = any(at_s - last < SILENT_S for _, last in lasts)
    for checkpoint, last in lasts:
        if in_use and checkpoint in gates and checkpoint in opened and at_s - last >= SILENT_S:
            found.append(Alert(AlertKind.SILENT, checkpoint, (at_s - last) // 60))
    return found


#: Steps of a lane's picture: half an hour.
LANE_STEPS: Final = 6


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane at a moment. ``steps``: scans in each of the last LANE_STEPS steps, the present one last; ``rate``: in
    the busier of the last whole step and the present one; ``refused_percent`` of the scans of the last hour, rounded
    down; ``ago_s``: seconds since the last scan of today, or None.
    """

    steps: tuple[int, ...]
    rate: int
    scans: int
    refused: int
    refused_percent: int
    ago_s: int | None


def lane(row: Sequence[Any], starts: int, at_s: int) -> Lane:
    """A row of the document's ``lanes`` as people read it; ``starts``: when the document's day began."""
    _checkpoint, last, begin, scans, refused = row
    current = (at_s - starts) // STEP_S
    by_slot = dict(enumerate(scans, begin))
    steps = tuple(by_slot.get(slot, 0) for slot in range(current - LANE_STEPS + 1, current + 1))
    total, no = sum(scans), sum(refused)
    return Lane(
        steps=steps,
        rate=max(steps[-2:]),
        scans=total,
        refused=no,
        refused_percent=100 * no // total if total else 0,
        ago_s=None if last is None else max(0, at_s - last),
    )


def _sum(series: Sequence[int], begin: int, current: int) -> int:
    """The present step and the one before."""
    return sum(count for slot, count in enumerate(series, begin) if current - 1 <= slot <= current)
