"""An event, its ticket types and its team: created, changed, published, ended; roles given and taken.

Everything is journalled in the transaction that does it, and remembered facts are dropped when that is durable.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Final

from events import access
from events.models import Event, RoleGrant, TicketType
from events.rules import EVENT_MOVES, SCOPES, Details, EventCode, EventState, Role, is_code
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import after_commit, unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal

__all__ = ["Details", "TicketTypeDetails", "change", "create", "end", "grant", "publish", "revoke"]


async def create(*, actor: Actor, facts: Details, at: datetime, state: EventState = EventState.DRAFT) -> int:
    """Makes an event and, when an account makes it, its first owner. A draft, unless the command line says otherwise.

    Raises Invalid with a problem at each field; an alias in use is ``slug_taken`` at ``slug``.
    """
    _check(facts)
    async with unit_of_work():
        try:
            async with unit_of_work():
                row = await Event.create(**_columns(facts), state=state, created_at=at)
        except db.IntegrityError as error:
            raise _taken(error) from error
        if actor.kind is ActorKind.ACCOUNT:
            await RoleGrant.create(event_id=row.id, account_id=actor.id, role=Role.OWNER, created_at=at)
        await journal.write(
            actor=actor,
            verb="event.create",
            object_kind="event",
            object_id=row.id,
            event_id=row.id,
            new={"slug": row.slug, "state": str(state)},
            at=at,
        )
        after_commit(lambda: access.forget_event(row.id))
        after_commit(lambda: access.forget_grants(actor.id))
    return int(row.id)


async def change(*, actor: Actor, event_id: int, facts: Details, at: datetime) -> None:
    """Puts ``facts`` in place of the event's details; what is to stay is taken from ``Details.of``.

    Raises Invalid as ``create`` does. Addresses with the old alias stop working.
    """
    _check(facts)
    async with unit_of_work():
        row = await Event.get_or_none(id=event_id)
        if row is None:
            raise NotFound(EventCode.EVENT_UNKNOWN)
        columns = _columns(facts)
        changed = [name for name, value in columns.items() if getattr(row, name) != value]
        if not changed:
            return
        try:
            async with unit_of_work():
                await Event.filter(id=event_id).update(**columns)
        except db.IntegrityError as error:
            raise _taken(error) from error
        await journal.write(
            actor=actor,
            verb="event.change",
            object_kind="event",
            object_id=event_id,
            event_id=event_id,
            old={name: _plain(getattr(row, name)) for name in changed if name in _TOLD},
            new={name: _plain(columns[name]) for name in changed if name in _TOLD}
            | {"fields": sorted(changed)},
            at=at,
        )
        after_commit(lambda: access.forget_event(event_id))


async def publish(*, actor: Actor, event_id: int, at: datetime) -> None:
    """Shows a draft to everybody, or opens an ended event again. Once more changes nothing."""
    await _move(actor, event_id, EventState.PUBLISHED, at)


async def end(*, actor: Actor, event_id: int, at: datetime) -> None:
    """Closes the event: its pages stay, nobody registers any more. Raises Conflict for a draft."""
    await _move(actor, event_id, EventState.ENDED, at)


async def hide(*, actor: Actor, event_id: int, at: datetime) -> None:
    """Makes a published event a draft again, seen by its team alone. Raises Conflict for an ended one."""
    await _move(actor, event_id, EventState.DRAFT, at)


async def _move(actor: Actor, event_id: int, state: EventState, at: datetime) -> None:
    async with unit_of_work():
        row = await Event.get_or_none(id=event_id)
        if row is None:
            raise NotFound(EventCode.EVENT_UNKNOWN)
        if row.state == state:
            return
        old = EventState(row.state)
        if state not in EVENT_MOVES[old]:
            raise Conflict(EventCode.EVENT_STATE)
        if not await Event.filter(id=event_id, state=old).update(state=state):
            raise Conflict(Code.CONFLICT)
        await journal.write(
            actor=actor,
            verb=f"event.{state}",
            object_kind="event",
            object_id=event_id,
            event_id=event_id,
            old={"state": str(old)},
            new={"state": str(state)},
            at=at,
        )
        after_commit(lambda: access.forget_event(event_id))


def _check(facts: Details) -> None:
    problems = facts.problems()
    if problems:
        raise Invalid(problems)


def _columns(facts: Details) -> dict[str, Any]:
    columns = {item.name: getattr(facts, item.name) for item in fields(facts)}
    columns["theme_colour"] = facts.theme_colour.lower()
    return columns


#: What the journal repeats; of texts it says only that they changed.
_TOLD: Final = frozenset(
    {
        "slug",
        "starts_on",
        "ends_on",
        "time_zone",
        "day_starts_minute",
        "theme_colour",
        "registration_opens_at",
        "registration_closes_at",
    }
)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _taken(error: db.IntegrityError) -> Exception:
    if "slug" in str(error):
        return Invalid({"slug": Problem(EventCode.SLUG_TAKEN)})
    return error


# --- ticket types ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketTypeDetails:
    """What an organiser decides about a ticket type."""

    code: str
    name: LocalizedText
    door_note: LocalizedText = field(default_factory=LocalizedText)
    quota: int | None = None
    is_public: bool = True
    is_online: bool = False
    position: int = 0

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if not is_code(self.code):
            found["code"] = Problem(Code.MALFORMED)
        if not any(text.strip() for text in self.name.values()):
            found["name"] = Problem(Code.REQUIRED)
        for name, limit in (("name", 80), ("door_note", 200)):
            texts: LocalizedText = getattr(self, name)
            if any(len(text) > limit for text in texts.values()):
                found.setdefault(name, Problem(Code.TOO_LONG, {"limit": limit}))
        if self.quota is not None and not 0 <= self.quota <= 1_000_000:
            found["quota"] = Problem(Code.OUT_OF_RANGE)
        return found


async def add_ticket_type(*, actor: Actor, event_id: int, details: TicketTypeDetails, at: datetime) -> int:
    """Adds a ticket type; raises Invalid with a problem at each field."""
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        try:
            async with unit_of_work():
                row = await TicketType.create(event_id=event_id, **_ticket_columns(details))
        except db.IntegrityError as error:
            raise _ticket_problem(error) from error
        await journal.write(
            actor=actor,
            verb="ticket_type.add",
            object_kind="ticket_type",
            object_id=row.id,
            event_id=event_id,
            new={"code": details.code, "quota": details.quota},
            at=at,
        )
    return int(row.id)


async def change_ticket_type(
    *, actor: Actor, event_id: int, ticket_type_id: int, details: TicketTypeDetails, at: datetime
) -> None:
    """Changes a ticket type. Raises Invalid ``quota_below_taken`` when more people hold one than the quota allows."""
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        row = await TicketType.get_or_none(id=ticket_type_id, event_id=event_id)
        if row is None:
            raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
        try:
            async with unit_of_work():
                await TicketType.filter(id=ticket_type_id).update(**_ticket_columns(details))
        except db.IntegrityError as error:
            raise _ticket_problem(error) from error
        await journal.write(
            actor=actor,
            verb="ticket_type.change",
            object_kind="ticket_type",
            object_id=ticket_type_id,
            event_id=event_id,
            old={"code": row.code, "quota": row.quota, "is_public": row.is_public},
            new={"code": details.code, "quota": details.quota, "is_public": details.is_public},
            at=at,
        )


def _ticket_columns(details: TicketTypeDetails) -> dict[str, Any]:
    return {item.name: getattr(details, item.name) for item in fields(details)}


def _ticket_problem(error: db.IntegrityError) -> Exception:
    # Both databases name the check; SQLite names a unique constraint by its columns, PostgreSQL says them in the detail.
    if "ck_ticket_type_taken" in str(error):
        return Invalid({"quota": Problem(EventCode.QUOTA_BELOW_TAKEN)})
    if "code" in str(error):
        return Invalid({"code": Problem(EventCode.TICKET_CODE_TAKEN)})
    return error


# --- roles -------------------------------------------------------------------------------------------------------


async def grant(
    *,
    actor: Actor,
    event_id: int,
    account_id: int,
    role: Role,
    at: datetime,
    scope_kind: str = "",
    scope_id: int = 0,
) -> int:
    """Gives an account a role, in the whole event or in one object; works at once. Gives the grant's id.

    Raises Conflict ``role_held`` for a role it has already, Invalid ``role_unscoped`` for a scope that the role does
    not know.
    """
    if scope_kind and scope_kind not in SCOPES.get(role, frozenset()):
        raise Invalid({"scope": Problem(EventCode.ROLE_UNSCOPED)})
    async with unit_of_work():
        rows = await db.query(
            "INSERT INTO role_grant (event_id, account_id, role, scope_kind, scope_id, created_at) "
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id",
            event_id,
            account_id,
            str(role),
            scope_kind,
            scope_id if scope_kind else 0,
            at,
        )
        if not rows:
            raise Conflict(EventCode.ROLE_HELD)
        what = {"role": str(role)} | ({"scope": [scope_kind, scope_id]} if scope_kind else {})
        await journal.write(
            actor=actor,
            verb="role.grant",
            object_kind="account",
            object_id=account_id,
            event_id=event_id,
            new=what,
            at=at,
        )
        after_commit(lambda: access.forget_grants(account_id))
    return int(rows[0]["id"])


async def revoke(*, actor: Actor, event_id: int, grant_id: int, at: datetime) -> None:
    """Takes a role away, at once. Raises NotFound for a grant of another event and Conflict ``last_owner`` for the
    last owner's, also when two owners remove each other in the same moment.
    """
    async with unit_of_work():
        # Locks the event on PostgreSQL, so that the next statement sees what an owner who came first has removed.
        await db.query("UPDATE event SET state = state WHERE id = $1 RETURNING id", event_id)
        rows = await db.query(
            "DELETE FROM role_grant WHERE id = $1 AND event_id = $2 AND (role <> 'owner' OR EXISTS ("
            "SELECT 1 FROM role_grant o WHERE o.event_id = $2 AND o.role = 'owner' AND o.id <> $1)) "
            "RETURNING account_id, role, scope_kind, scope_id",
            grant_id,
            event_id,
        )
        if not rows:
            if await RoleGrant.filter(id=grant_id, event_id=event_id).exists():
                raise Conflict(EventCode.LAST_OWNER)
            raise NotFound(Code.NOT_FOUND)
        gone = rows[0]
        await journal.write(
            actor=actor,
            verb="role.revoke",
            object_kind="account",
            object_id=gone["account_id"],
            event_id=event_id,
            old={"role": gone["role"]}
            | ({"scope": [gone["scope_kind"], gone["scope_id"]]} if gone["scope_kind"] else {}),
            at=at,
        )
        after_commit(lambda: access.forget_grants(gone["account_id"]))
