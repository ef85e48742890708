"""When a phone without network told one thing and the ledger says another, and what then counts. Pure.

The verdict is ``judge``'s, whatever the phone told. Only what stands beside it is decided here: whether somebody must
look (a conflict), and whether a person whom the verdict does not count stands inside all the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from checkin.offline_rules import LET_IN, Local
from checkin.rules import OUTCOMES, Direction, Here, Outcome, Verdict, VerdictCode

#: At a door that welcomes people back and records no exits, coming in again is ordinary; twice so soon at two lanes
#: looks like two people with one passport.
TWO_LANES_WITHIN: Final = timedelta(minutes=15)
NOTE_MAX: Final = 200
_BACK: Final = frozenset({VerdictCode.WELCOME_BACK, VerdictCode.ALREADY_HERE, VerdictCode.ALREADY_USED})


class Story(StrEnum):
    """What happened, in the order of how soon somebody should look."""

    #: Let in by two lanes: one of two people has another's passport, or one person went round.
    TWO_LANES = "two_lanes"
    #: Let in, and the code led to nobody when it arrived: not among those inside, for nobody would ever leave.
    NOBODY = "nobody"
    #: Let in, and refused when it arrived: revoked meanwhile, wrong type by new data, full.
    REFUSED = "refused"
    #: Sent away, and would have been let in.
    SENT_AWAY = "sent_away"


_OF_NOBODY: Final = frozenset(
    {VerdictCode.UNKNOWN, VerdictCode.MALFORMED, VerdictCode.MISTYPED, VerdictCode.OTHER_EVENT}
)


def story(verdict: VerdictCode, local: Local) -> Story:
    """Which story a conflict tells."""
    if local is Local.REFUSED:
        return Story.SENT_AWAY
    if verdict in _OF_NOBODY:
        return Story.NOBODY
    return Story.TWO_LANES if verdict in _BACK else Story.REFUSED


class Met(NamedTuple):
    """The admission that a repeat met: by whom it was made, and when."""

    by: str
    at: datetime


def settled(verdict: Verdict, local: Local) -> Verdict:
    """The verdict that is written: whom the phone sent away did not come in, whatever would be decided now.

    A lead's word stands: it was given at the door.
    """
    if local is Local.REFUSED and verdict.code is VerdictCode.ADMITTED:
        return Verdict(VerdictCode.TURNED_AWAY)
    return verdict


def in_conflict(
    verdict: VerdictCode,
    local: Local,
    direction: Direction,
    *,
    by: str,
    at: datetime,
    met: Met | None,
    records_exits: bool,
) -> bool:
    """Whether what the phone told and what is written must be looked at by somebody; nobody is kept in by an exit.

    A repeat is one when another actor made the admission that it met.
    """
    if direction is Direction.EXIT:
        return False
    if local is Local.REFUSED:
        return verdict in (VerdictCode.TURNED_AWAY, VerdictCode.ADMITTED)
    if local not in LET_IN:
        return False
    if verdict not in _BACK:
        return OUTCOMES[verdict] is Outcome.REFUSED
    if met is None or met.by == by:
        return False
    if verdict is VerdictCode.WELCOME_BACK and not records_exits:
        return abs(at - met.at) <= TWO_LANES_WITHIN
    return True


def let_in(verdict: Verdict, local: Local, here: Here) -> int | None:
    """The turn of somebody who stands inside though the verdict admits nobody; None when nobody is to be added.

    ``here`` is a known person's: who counts as inside already is there once.
    """
    if local not in LET_IN or verdict.turn is not None or here.is_inside:
        return None
    return here.closings


__all__ = ["NOTE_MAX", "Met", "Story", "in_conflict", "let_in", "settled", "story"]
