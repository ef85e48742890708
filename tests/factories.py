"""Rows for tests: plain async functions, each names only what its test cares about."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

from agenda.models import Session
from checkin import checkpoints, devices, snapshot
from checkin.models import (
    CheckinList,
    Checkpoint,
    CheckpointTicketType,
    CheckpointWindow,
    Passport,
    PassportCode,
)
from events import access
from events.models import (
    AccessCode,
    AccessCodeTicketType,
    Event,
    Place,
    Registration,
    RoleGrant,
    SharedQuota,
    TicketType,
)
from events.rules import Permission
from kernel import codes
from kernel.actor import Actor, ActorKind
from kernel.db import after_commit, unit_of_work
from kernel.live import hub
from people import accounts, limits
from people.models import Account
from web import shared_pages

NOW = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)  # 09:30 in Chengdu, first day
_count = itertools.count(1)


def forget() -> None:
    """Empties every cache that outlives a test; packages with one add their line here."""
    accounts.forget()
    limits.forget()
    access.forget()
    checkpoints.forget()
    snapshot.forget()
    devices.forget()
    shared_pages.forget()
    hub.reopen()


def just_begun(now: datetime) -> datetime:
    """Five minutes ago, but today by the clock of ``make_event``: what began yesterday is on yesterday's programme."""
    turn = now.replace(hour=20, minute=0, second=0, microsecond=0)  # four in the morning in Chengdu
    return max(now - timedelta(minutes=5), turn if turn <= now else turn - timedelta(days=1))


async def make_account(email: str = "", *, is_admin: bool = False, **more: Any) -> Account:
    async with unit_of_work():
        return await Account.create(
            email=email or f"person{next(_count)}@example.org", is_admin=is_admin, created_at=NOW, **more
        )


async def make_event(slug: str = "", **more: Any) -> Event:
    values: dict[str, Any] = {
        "slug": slug or f"event-{next(_count)}",
        "name": {"zh-Hans": "中国开源年会", "en": "China Open Source Conference"},
        "starts_on": date(2023, 10, 28),
        "ends_on": date(2023, 10, 29),
        "time_zone": "Asia/Shanghai",
        "state": "published",
        "created_at": NOW,
    }
    async with unit_of_work():
        after_commit(shared_pages.drop_all)
        return await Event.create(**(values | more))


async def make_role(
    event: Event, account: Account, role: str, scope_kind: str = "", scope_id: int = 0
) -> RoleGrant:
    async with unit_of_work():
        return await RoleGrant.create(
            event_id=event.id,
            account_id=account.id,
            role=role,
            scope_kind=scope_kind,
            scope_id=scope_id,
            created_at=NOW,
        )


async def make_ticket_type(event: Event, code: str = "", **more: Any) -> TicketType:
    number = next(_count)
    values: dict[str, Any] = {
        "code": code or f"type-{number}",
        "name": {"zh-Hans": "普通票", "en": "Attendee"},
    }
    async with unit_of_work():
        after_commit(shared_pages.drop_all)
        return await TicketType.create(event_id=event.id, **(values | more))


async def make_shared_quota(event: Event, quota: int, **more: Any) -> SharedQuota:
    async with unit_of_work():
        return await SharedQuota.create(
            event_id=event.id, quota=quota, **({"name": {"zh-Hans": "主会场座位", "en": "Seats"}} | more)
        )


async def make_access_code(event: Event, *types: TicketType, code: str = "", **more: Any) -> AccessCode:
    """A code that opens these ticket types."""
    async with unit_of_work():
        row = await AccessCode.create(
            event_id=event.id, code=code or f"CODE{next(_count)}", **({"created_at": NOW} | more)
        )
        for ticket_type in types:
            await AccessCodeTicketType.create(access_code_id=row.id, ticket_type_id=ticket_type.id)
        return row


async def make_registration(event: Event, ticket_type: TicketType, **more: Any) -> Registration:
    """The bare row, past the action: no passport, no letter."""
    number = next(_count)
    values: dict[str, Any] = {
        "source": "form",
        "name": f"来宾{number}",
        "email": f"guest{number}@example.org",
        "created_at": NOW,
        "updated_at": NOW,
    }
    values |= more
    values.setdefault("search", values["name"].casefold())
    async with unit_of_work():
        return await Registration.create(event_id=event.id, ticket_type_id=ticket_type.id, **values)


async def make_place(event: Event, code: str = "", **more: Any) -> Place:
    number = next(_count)
    values: dict[str, Any] = {
        "code": code or f"place-{number}",
        "kind": "room",
        "name": {"zh-Hans": "主会场", "en": "Main"},
    }
    async with unit_of_work():
        return await Place.create(event_id=event.id, **(values | more))


async def make_session(event: Event, **more: Any) -> Session:
    import uuid

    values: dict[str, Any] = {
        "guid": uuid.uuid4(),
        "title": {"zh-Hans": "开幕式", "en": "Opening"},
        "starts_at": NOW,
        "ends_at": NOW + timedelta(minutes=40),
    }
    async with unit_of_work():
        return await Session.create(event_id=event.id, **(values | more))


async def make_passport(
    event: Event, ticket_type: TicketType, *, external: str = "", **more: Any
) -> Passport:
    """A registration with its passport and codes, past the actions."""
    registration = await make_registration(event, ticket_type)
    token = more.pop("token", codes.new_token())
    values: dict[str, Any] = {
        "token": token,
        "public_token": codes.public_token(token),
        "short_code": codes.new_short_code(),
        "badge_name": registration.name,
        "badge_line": "开源社",
        "created_at": NOW,
    }
    async with unit_of_work():
        row = await Passport.create(
            event_id=event.id,
            registration_id=registration.id,
            ticket_type_id=ticket_type.id,
            **(values | more),
        )
        for kind, code in (("token", row.token), ("short", row.short_code), ("external", external)):
            if code:
                await PassportCode.create(event_id=event.id, passport_id=row.id, code=code, kind=kind)
    return row


async def make_checkpoint(event: Event, **more: Any) -> Checkpoint:
    """A gate that welcomes back, once a day, unless said otherwise; ``windows`` and ``ticket_types`` are its own rows."""
    number = next(_count)
    windows, types = more.pop("windows", ()), more.pop("ticket_types", ())
    once, capacity = more.pop("once", "day"), more.pop("capacity", None)
    values: dict[str, Any] = {
        "code": f"gate-{number}",
        "name": {"zh-Hans": f"{number} 号门", "en": f"Gate {number}"},
        "kind": "gate",
        "on_repeat": "welcome",
    }
    values |= more
    async with unit_of_work():
        if "list_id" not in values:
            made = await CheckinList.create(
                event_id=event.id, name=values["name"], once=once, capacity=capacity
            )
            values["list_id"] = made.id
        row = await Checkpoint.create(event_id=event.id, **values)
        for opens_at, closes_at in windows:
            await CheckpointWindow.create(checkpoint_id=row.id, opens_at=opens_at, closes_at=closes_at)
        for ticket_type in types:
            await CheckpointTicketType.create(checkpoint_id=row.id, ticket_type_id=ticket_type.id)
    checkpoints.forget()
    return row


async def make_door(event: Event, role: str = "scanner", email: str = "") -> access.Door:
    """A volunteer who may scan everywhere in the event, and the door opened for them."""
    account = await make_account(email)
    await make_role(event, account, role)
    access.forget()
    actor = Actor(kind=ActorKind.ACCOUNT, id=account.id)
    return await access.open_event(actor, event.slug, Permission.SCAN)
