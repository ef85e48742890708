"""An event and its team: created, changed, published, ended; roles given and taken.

Everything is journalled in the transaction that does it, and remembered facts are dropped when that is durable.
"""

from __future__ import annotations

import contextlib
from dataclasses import fields
from datetime import date, datetime
from typing import Any, Final

from events import access
from events.models import Event, RoleGrant, Series
from events.rules import EVENT_MOVES, SCOPES, Details, EventCode, EventState, Role
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import after_commit, unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from people import journal, uploads

__all__ = [
    "Details",
    "change",
    "create",
    "end",
    "grant",
    "publish",
    "revoke",
    "transfer_ownership",
]


async def create(*, actor: Actor, facts: Details, at: datetime, state: EventState = EventState.DRAFT) -> int:
    """Makes an event and, when an account makes it, its first owner. A draft, unless the command line says otherwise.

    Raises Invalid with a problem at each field; an alias in use is ``slug_taken`` at ``slug``.
    """
    _check(facts)
    async with unit_of_work():
        await known_series(facts.series_id)
        try:
            async with unit_of_work():
                row = await Event.create(**columns_of(facts), state=state, created_at=at)
        except db.IntegrityError as error:
            raise taken(error) from error
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
        columns = columns_of(facts)
        changed = [name for name, value in columns.items() if getattr(row, name) != value]
        if not changed:
            return
        await known_series(facts.series_id)
        try:
            async with unit_of_work():
                await Event.filter(id=event_id).update(**columns)
        except db.IntegrityError as error:
            raise taken(error) from error
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


async def known_series(series_id: int | None) -> None:
    """Raises Invalid at ``series_id`` for a series that is not there."""
    if series_id is not None and not await Series.filter(id=series_id).exists():
        raise Invalid({"series_id": Problem(EventCode.SERIES_UNKNOWN)})


def columns_of(facts: Details) -> dict[str, Any]:
    """The event's columns that the details decide."""
    columns = {item.name: getattr(facts, item.name) for item in fields(facts)}
    columns["theme_colour"] = facts.theme_colour.lower()
    columns["modules"] = facts.own_modules
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
        "kind",
        "series_id",
        "modules",
        "self_service_until",
        "offer_hours",
        "retention_days",
        "id_document_days",
        "starts_minute",
        "ends_minute",
    }
)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def taken(error: db.IntegrityError) -> Exception:
    """What the database refused about an event's row, at the field it concerns."""
    if "slug" in str(error):
        return Invalid({"slug": Problem(EventCode.SLUG_TAKEN)})
    return error


async def set_cover(*, actor: Actor, event_id: int, upload_id: int | None, at: datetime) -> None:
    """Puts a picture that ``people.pictures`` made over the event, or takes it away; the old one goes to the next purge."""
    async with unit_of_work():
        row = await Event.get_or_none(id=event_id)
        if row is None:
            raise NotFound(EventCode.EVENT_UNKNOWN)
        await Event.filter(id=event_id).update(cover_upload_id=upload_id)
        if row.cover_upload_id is not None:
            await uploads.expire([row.cover_upload_id])
        await journal.write(
            actor=actor,
            verb="event.cover",
            object_kind="event",
            object_id=event_id,
            event_id=event_id,
            old={"upload": row.cover_upload_id},
            new={"upload": upload_id},
            at=at,
        )
        after_commit(lambda: access.forget_event(event_id))


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


async def transfer_ownership(
    *, actor: Actor, event_id: int, account_id: int, at: datetime, then: Role | None = Role.OWNER
) -> None:
    """Makes another member an owner and, in the same moment, lets the actor step down.

    ``then`` is what the actor stays: an owner, another role for the whole event, or None for none at all. An actor
    who owns by no role (an administrator) only names the other. Raises Invalid ``not_a_member`` at ``account_id`` for
    an account without a role here (invite it first) and for the actor's own.
    """
    async with unit_of_work():
        # Locks the event on PostgreSQL: owners who hand over to each other take turns.
        if not await db.query("UPDATE event SET state = state WHERE id = $1 RETURNING id", event_id):
            raise NotFound(EventCode.EVENT_UNKNOWN)
        if (
            account_id == actor.id
            or not await RoleGrant.filter(event_id=event_id, account_id=account_id).exists()
        ):
            raise Invalid({"account_id": Problem(EventCode.NOT_A_MEMBER)})
        await journal.write(
            actor=actor,
            verb="event.transfer_ownership",
            object_kind="account",
            object_id=account_id,
            event_id=event_id,
            old={"role": str(Role.OWNER)},
            new={"role": str(then) if then else ""},
            at=at,
        )
        with contextlib.suppress(Conflict):
            await grant(actor=actor, event_id=event_id, account_id=account_id, role=Role.OWNER, at=at)
        own = await RoleGrant.get_or_none(
            event_id=event_id, account_id=actor.id, role=Role.OWNER, scope_kind=""
        )
        if own is None or then is Role.OWNER:
            return
        if then is not None:
            with contextlib.suppress(Conflict):
                await grant(actor=actor, event_id=event_id, account_id=actor.id, role=then, at=at)
        await revoke(actor=actor, event_id=event_id, grant_id=own.id, at=at)
