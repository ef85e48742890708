"""Places counted: a ticket type's own quota, a quota shared by several types, a group's; the uses of an access code.

Every counter is raised by one conditional statement that the database refuses beyond its limit, and every counter can
be rebuilt from the registrations (``recount``). Who changes counters takes ``hold`` first and then goes in one order:
access code, group, shared quota, ticket type, registrations. One lock at the beginning of the transaction, taken by
all, is why nobody waits for each other crosswise; and why "is there a place, does anybody wait?" can be asked and
answered in one transaction without somebody slipping in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from events.rules import HOLDS_A_PLACE, EventCode
from events.ticket_rules import code_problem
from kernel import db
from kernel.errors import Conflict, Invalid, Problem
from kernel.hooks import Hook


@dataclass(frozen=True, slots=True)
class Freed:
    """Places of an event were given back, or there are more of them than before."""

    event_id: int
    at: datetime


#: Told inside the transaction that frees a place, after its own changes: the waiting list moves up by it.
place_freed: Final[Hook[Freed]] = Hook("events.registrations.place_freed")


async def hold(event_id: int) -> None:
    """Inside a unit of work, before anything else in it: nobody else changes this event's counters until it ends."""
    await db.one_at_a_time(f"events.quotas.{event_id}")


@dataclass(slots=True)
class Shifts:
    """Places that one action gives and takes, net, by ticket type and by group."""

    types: dict[int, int] = field(default_factory=dict)
    groups: dict[int, int] = field(default_factory=dict)

    def move(self, ticket_type_id: int, group_id: int | None, by: int) -> None:
        self.types[ticket_type_id] = self.types.get(ticket_type_id, 0) + by
        if group_id is not None:
            self.groups[group_id] = self.groups.get(group_id, 0) + by

    def turn(self, *, old: tuple[str, int, int | None] | None, new: tuple[str, int, int | None]) -> None:
        """A registration was ``(state, ticket type, group)`` and becomes another."""
        if old is not None and old[0] in HOLDS_A_PLACE:
            self.move(old[1], old[2], -1)
        if new[0] in HOLDS_A_PLACE:
            self.move(new[1], new[2], 1)

    @property
    def frees(self) -> bool:
        return any(by < 0 for by in (*self.types.values(), *self.groups.values()))


async def shift(shifts: Shifts) -> None:
    """Takes and gives back places. Raises Conflict ``ticket_type_full`` or ``group_full`` when one has no more.

    Two or three statements for one ticket type; they grow with the types and groups touched, never with the people.
    """
    types = {number: by for number, by in shifts.types.items() if by}
    for group_id, by in sorted(shifts.groups.items()):
        if by and not await _count("registration_group", group_id, by):
            raise Conflict(EventCode.GROUP_FULL)
    if not types:
        return
    shared: dict[int, int] = {}
    for row in await db.query(
        f"SELECT id, shared_quota_id FROM ticket_type WHERE shared_quota_id IS NOT NULL AND id {db.in_list('$1', 'int')}",  # noqa: S608 -- our own words
        db.list_parameter(types),
    ):
        shared[row["shared_quota_id"]] = shared.get(row["shared_quota_id"], 0) + types[row["id"]]
    for table, changes in (("shared_quota", shared), ("ticket_type", types)):
        for number, by in sorted(changes.items()):
            if by and not await _count(table, number, by):
                raise Conflict(EventCode.TICKET_TYPE_FULL)


async def _count(table: str, number: int, by: int) -> bool:
    # Never below zero: a count that is off (recount puts it right) must not keep anybody from cancelling.
    rows = await db.query(
        f"UPDATE {table} SET taken = CASE WHEN taken + $2 < 0 THEN 0 ELSE taken + $2 END "  # noqa: S608 -- table names from above
        "WHERE id = $1 AND (quota IS NULL OR $2 < 0 OR taken + $2 <= quota) RETURNING id",
        number,
        by,
    )
    return bool(rows)


async def open_group(*, event_id: int, group_id: int, at: datetime) -> None:
    """Raises Conflict ``group_closed`` unless registrations may join this group at ``at``."""
    rows = await db.query(
        "SELECT id FROM registration_group WHERE id = $1 AND event_id = $2 AND is_active "
        "AND (valid_until IS NULL OR valid_until > $3)",
        group_id,
        event_id,
        at,
    )
    if not rows:
        raise Conflict(EventCode.GROUP_CLOSED)


@dataclass(frozen=True, slots=True)
class UsedCode:
    id: int
    ticket_source: str


async def use_code(*, event_id: int, ticket_type_id: int, code: str, at: datetime) -> UsedCode:
    """Uses a (folded) access code once. Raises Invalid at ``access_code``, also for the one who came second to its
    last use.
    """
    opens = (
        "event_id = $1 AND code = $2 AND EXISTS (SELECT 1 FROM access_code_ticket_type o "
        "WHERE o.access_code_id = access_code.id AND o.ticket_type_id = $3)"
    )
    rows = await db.query(
        f"UPDATE access_code SET used = used + 1 WHERE {opens} AND is_active AND (valid_until IS NULL OR valid_until > $4) "  # noqa: S608 -- our own words
        "AND (max_uses IS NULL OR used < max_uses) RETURNING id, ticket_source",
        event_id,
        code,
        ticket_type_id,
        at,
    )
    if rows:
        return UsedCode(int(rows[0]["id"]), rows[0]["ticket_source"])
    known = await db.query(
        f"SELECT is_active, valid_until, max_uses - used AS uses_left FROM access_code WHERE {opens}",  # noqa: S608 -- our own words
        event_id,
        code,
        ticket_type_id,
    )
    why = EventCode.ACCESS_CODE_WRONG
    if known:
        why = code_problem(
            is_active=bool(known[0]["is_active"]),
            valid_until=db.as_instant(known[0]["valid_until"]),
            left=known[0]["uses_left"],
            at=at,
        )
    raise Invalid({"access_code": Problem(why)})


async def give_codes_back(codes: Mapping[int, int]) -> None:
    """Uses that return, by access code; their registrations have let go of it in the same transaction."""
    for number, uses in sorted(codes.items()):
        await db.execute(
            "UPDATE access_code SET used = CASE WHEN used < $2 THEN 0 ELSE used - $2 END WHERE id = $1",
            number,
            uses,
        )


_HOLDING: Final = ", ".join(f"'{state}'" for state in sorted(HOLDS_A_PLACE))


async def recount(event_id: int) -> None:
    """Rebuilds every counter of an event from its registrations; inside a unit of work."""
    await hold(event_id)
    holding = f"SELECT count(*) FROM registration g WHERE g.state IN ({_HOLDING}) AND"  # noqa: S608 -- enum words
    of_type = "SELECT t.id FROM ticket_type t WHERE t.shared_quota_id = shared_quota.id"
    for table, column, counted in (
        (
            "access_code",
            "used",
            "SELECT count(*) FROM registration g WHERE g.access_code_id = access_code.id",
        ),
        ("registration_group", "taken", f"{holding} g.group_id = registration_group.id"),
        ("shared_quota", "taken", f"{holding} g.ticket_type_id IN ({of_type})"),
        ("ticket_type", "taken", f"{holding} g.ticket_type_id = ticket_type.id"),
    ):
        await db.execute(f"UPDATE {table} SET {column} = ({counted}) WHERE event_id = $1", event_id)  # noqa: S608 -- our own words
