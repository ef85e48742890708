"""When an invitation may be taken, and by whom. Pure: no await, no clock, no database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from events.rules import SCOPES, EventCode, Role
from kernel.errors import Problem

#: Days that an invitation may wait for its reader.
DAYS_MIN: Final = 1
DAYS_MAX: Final = 30
DAYS_USUAL: Final = 7
#: Letters of one invitation, the first included: a desk can't be made to write to somebody without end.
LETTERS_MAX: Final = 5
#: How long an ended invitation is kept to be looked at; the journal keeps what happened, without the address.
KEPT: Final = timedelta(days=30)


class InvitationState(StrEnum):
    OPEN = "invitation_waiting"
    ACCEPTED = "invitation_accepted"
    REVOKED = "invitation_withdrawn"
    EXPIRED = "invitation_over"


def state_of(
    *, expires_at: datetime, accepted_at: datetime | None, revoked_at: datetime | None, at: datetime
) -> InvitationState:
    """Where an invitation stands at ``at``; its time is half-open, and what happened first stays what happened."""
    if accepted_at is not None:
        return InvitationState.ACCEPTED
    if revoked_at is not None:
        return InvitationState.REVOKED
    return InvitationState.OPEN if at < expires_at else InvitationState.EXPIRED


_WHY_NOT: Final = {
    InvitationState.ACCEPTED: EventCode.INVITATION_USED,
    InvitationState.REVOKED: EventCode.INVITATION_REVOKED,
    InvitationState.EXPIRED: EventCode.INVITATION_EXPIRED,
}


def why_not(
    state: InvitationState, *, invited: str, own: str, accepted_by: int | None, account_id: int
) -> EventCode | None:
    """Why an account whose address is ``own`` may not take an invitation to ``invited``; None when it may.

    Both addresses are folded. Whoever it was not meant for hears that and nothing of how it ended; whoever has
    taken it may do so again and nothing happens.
    """
    if state is InvitationState.ACCEPTED and accepted_by == account_id:
        return None
    if invited != own:
        return EventCode.INVITATION_FOR_OTHER
    return _WHY_NOT.get(state)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an owner offers: a role, narrowed to ``scopes`` (kind, id) or for the whole event, for so many days."""

    role: Role
    scopes: tuple[tuple[str, int], ...] = ()
    days: int = DAYS_USUAL

    def problems(self) -> dict[str, Problem]:
        """What can't be, by field."""
        found: dict[str, Problem] = {}
        if any(kind not in SCOPES.get(self.role, frozenset()) for kind, _ in self.scopes):
            found["scope"] = Problem(EventCode.ROLE_UNSCOPED)
        if not DAYS_MIN <= self.days <= DAYS_MAX:
            found["days"] = Problem(EventCode.INVITATION_DAYS, {"least": DAYS_MIN, "most": DAYS_MAX})
        return found


def same_scopes(one: Iterable[Sequence[object]], other: Iterable[Sequence[object]]) -> bool:
    """Whether two narrowings say the same, in whatever order; they come as tuples or, out of JSON, as lists."""
    return {tuple(scope) for scope in one} == {tuple(scope) for scope in other}
