"""What a lead may decide against the door's own verdict: admit all the same, and take a scan back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from checkin.rules import CheckinCode, Direction, Here, Verdict, VerdictCode

#: A lead takes back what was scanned so long ago at most: a slip at the door, not yesterday's list.
UNDO_WITHIN: Final = timedelta(minutes=30)
REASON_MAX: Final = 200
#: Written into a scan's ``direction`` where it takes an entry back.
UNDO: Final = "undo"

#: Refusals of a known person at a checkpoint that is this event's. A code that leads to nobody is nobody to admit.
MAY_BE_OVERRULED: Final = frozenset(
    {
        VerdictCode.REVOKED,
        VerdictCode.CANCELLED,
        VerdictCode.NOT_CONFIRMED,
        VerdictCode.CLOSED,
        VerdictCode.NOT_YET_OPEN,
        VerdictCode.WINDOW_OVER,
        VerdictCode.WRONG_TICKET_TYPE,
        VerdictCode.ALREADY_USED,
        VerdictCode.FULL,
    }
)


def overruled(verdict: Verdict, here: Here) -> Verdict:
    """The verdict with a lead's word against it: an admission where it was a refusal, else what it was.

    Who counts as inside already (a second lunch) is counted once more and takes no turn: nobody is there twice.
    """
    if verdict.code not in MAY_BE_OVERRULED:
        return verdict
    if here.is_inside:
        return Verdict(VerdictCode.ADMITTED_BY_LEAD, met_turn=here.closings)
    return Verdict(VerdictCode.ADMITTED_BY_LEAD, turn=here.closings)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the ledger that holds a turn, of one passport in one list and period. ``direction`` is as stored."""

    id: int
    turn: int
    direction: str
    #: An entry that no verdict admitted (``VerdictCode.LET_IN``).
    is_let_in: bool = False


@dataclass(frozen=True, slots=True)
class Undo:
    """What taking a scan back writes: an entry is closed as if it had not been, after an exit the next turn opens."""

    verdict: VerdictCode
    turn: int
    direction: str


def undo(history: Sequence[Line], *, line_id: int, age: timedelta) -> Undo | CheckinCode:
    """How a scan is taken back, or why not. ``age`` is since it arrived.

    Only the latest that changed anything may be taken back, within UNDO_WITHIN: what came after stands on it.
    """
    latest = max(history, key=lambda line: line.id, default=None)
    if latest is None or latest.id != line_id or latest.direction == UNDO:
        return CheckinCode.UNDO_NOT_LATEST
    if age > UNDO_WITHIN:
        return CheckinCode.UNDO_TOO_LATE
    if latest.direction == Direction.EXIT:
        return Undo(VerdictCode.EXIT_UNDONE, latest.turn + 1, Direction.ENTRY.value)
    verdict = VerdictCode.LET_IN_UNDONE if latest.is_let_in else VerdictCode.ENTRY_UNDONE
    return Undo(verdict, latest.turn, UNDO)
