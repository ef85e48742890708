"""Pairings: what a phone may become, once. A lead makes them, a phone spends one by POST, and is a device then.

The QR code's secret and the short code are derived from the row and the installation's key whenever a lead looks at
them; the tables hold digests. So a sheet can be printed again, and a stolen backup pairs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from checkin import checkpoints, devices
from checkin.device_rules import (
    DEVICE_LASTS_MAX,
    NAME_MAX,
    PAIRINGS_AT_ONCE,
    PAIRINGS_OPEN,
    DeviceCode,
    end_problem,
    names_for,
    read_pairing_key,
)
from checkin.models import Device, DeviceCheckpoint, DevicePairing
from events.access import Door
from events.rules import Permission
from kernel import codes, db
from kernel.actor import Actor, ActorKind
from kernel.db import after_commit, unit_of_work
from kernel.errors import Code, Conflict, Gone, Invalid, NotFound, Problem
from people import journal, replays
from people.rules import one_line
from web.signin import DEVICE_TOKEN_PREFIX

#: Codes that nobody used are forgotten so long after their end, with the name that was to carry the phone.
UNUSED_KEPT: Final = timedelta(days=2)


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the key that secrets, codes and tokens are derived with."""
    _Wiring.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one sheet of pairings shall be; ``volunteers`` are for the first ones, in order."""

    name: str
    count: int
    checkpoints: Sequence[int]
    device_expires_at: datetime
    minutes: int
    volunteers: Sequence[str] = ()
    sees_names: bool = False
    is_lead: bool = False
    may_walk_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingView:
    """One pairing as a lead sees it; ``secret`` and ``code`` are empty once it opens nothing."""

    id: int
    number: int
    name: str
    volunteer: str
    checkpoints: tuple[int, ...]
    sees_names: bool
    is_lead: bool
    may_walk_in: bool
    device_expires_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    used_at: datetime | None
    device_id: int | None
    secret: str
    code: str

    @property
    def fragment(self) -> str:
        """What stands behind the # of the pairing page's address."""
        return f"{self.secret}.{self.code}"

    def is_open(self, at: datetime) -> bool:
        return self.used_at is None and self.withdrawn_at is None and at < self.expires_at


# --- made by a lead ----------------------------------------------------------------------------------------------


async def make(*, door: Door, wanted: Wanted, form_id: UUID, at: datetime) -> UUID:
    """Makes the pairings of one sheet and gives the sheet's id; the same ``form_id`` again gives the same sheet.

    Raises Invalid at ``name``, ``count``, ``checkpoints``, ``device_expires_at``, ``minutes`` or ``sees_names``, and
    Conflict ``too_many_pairings`` when hundreds wait already. Checkpoints must be the actor's own; who may not see
    registrations can't hand out their names either.
    """
    chosen = await _checked(door, wanted, at)
    salts = [codes.new_token() for _ in range(wanted.count)]
    name_of_all = one_line(wanted.name, NAME_MAX)
    said = {
        "name": name_of_all,
        "count": wanted.count,
        "checkpoints": chosen,
        "until": wanted.device_expires_at,
        "minutes": wanted.minutes,
        "volunteers": list(wanted.volunteers),
        "rights": [wanted.sees_names, wanted.is_lead, wanted.may_walk_in],
    }

    async def action() -> Mapping[str, Any]:
        await db.one_at_a_time(f"checkin.pairings:{door.event.id}")
        [row] = await db.query(
            "SELECT count(*) AS n FROM device_pairing WHERE event_id = $1 AND used_at IS NULL "
            "AND withdrawn_at IS NULL AND expires_at > $2",
            door.event.id,
            at,
        )
        if int(row["n"]) + wanted.count > PAIRINGS_OPEN:
            raise Conflict(DeviceCode.TOO_MANY_PAIRINGS, limit=PAIRINGS_OPEN)
        for number, (name, salt) in enumerate(zip(names_for(name_of_all, wanted.count), salts, strict=True)):
            await DevicePairing.create(
                event_id=door.event.id,
                batch=form_id,
                number=number + 1,
                salt=salt,
                secret_digest=codes.digest(_secret(salt)),
                code_digest=_code_digest(door.event.id, _code(salt)),
                name=name,
                volunteer=one_line(wanted.volunteers[number], NAME_MAX)
                if number < len(wanted.volunteers)
                else "",
                checkpoints=chosen,
                sees_names=wanted.sees_names,
                is_lead=wanted.is_lead,
                may_walk_in=wanted.may_walk_in,
                device_expires_at=wanted.device_expires_at,
                created_at=at,
                created_by=door.actor.key,
                expires_at=at + timedelta(minutes=wanted.minutes),
            )
        await journal.write(
            actor=door.actor,
            verb="device.pairings",
            object_kind="event",
            object_id=door.event.id,
            at=at,
            event_id=door.event.id,
            new={
                "count": wanted.count,
                "checkpoints": chosen,
                "until": wanted.device_expires_at.isoformat(),
                "sees_names": wanted.sees_names,
                "is_lead": wanted.is_lead,
                "may_walk_in": wanted.may_walk_in,
            },
        )
        return {"batch": str(form_id)}

    await replays.once(
        id=form_id,
        actor_key=door.actor.key,
        body={"device_pairings": said, "event_id": door.event.id},
        at=at,
        action=action,
    )
    return form_id


async def _checked(door: Door, wanted: Wanted, at: datetime) -> list[int]:
    problems: dict[str, Problem] = {}
    if not one_line(wanted.name, NAME_MAX):
        problems["name"] = Problem(Code.REQUIRED)
    if not 1 <= wanted.count <= PAIRINGS_AT_ONCE:
        problems["count"] = Problem(Code.OUT_OF_RANGE)
    elif len(wanted.volunteers) > wanted.count:
        problems["volunteers"] = Problem(Code.OUT_OF_RANGE)
    if not 1 <= wanted.minutes <= DEVICE_LASTS_MAX.days * 24 * 60:
        problems["minutes"] = Problem(Code.OUT_OF_RANGE)
    late = end_problem(wanted.device_expires_at, at)
    if late:
        problems["device_expires_at"] = late
    chosen, wrong = await checkpoints.chosen_of(door, wanted.checkpoints, Permission.PAIR_DEVICES)
    if wrong:
        problems["checkpoints"] = wrong
    if wanted.sees_names and not door.may(Permission.SEE_REGISTRATIONS):
        problems["sees_names"] = Problem(DeviceCode.NAMES_NOT_YOURS)
    if problems:
        raise Invalid(problems)
    return chosen


async def withdraw(*, door: Door, batch: UUID, at: datetime) -> int:
    """Ends the pairings of a sheet that nobody used yet; gives how many. Raises NotFound for a sheet of somebody else."""
    async with unit_of_work():
        await sheet(door=door, batch=batch)
        ended = await db.execute(
            "UPDATE device_pairing SET withdrawn_at = $3 WHERE batch = $1 AND event_id = $2 AND used_at IS NULL "
            "AND withdrawn_at IS NULL",
            str(batch),
            door.event.id,
            at,
        )
        if ended:
            await journal.write(
                actor=door.actor,
                verb="device.pairings_withdrawn",
                object_kind="event",
                object_id=door.event.id,
                at=at,
                event_id=door.event.id,
                new={"count": ended},
            )
    return ended


async def sheet(*, door: Door, batch: UUID) -> list[PairingView]:
    """A sheet's pairings in order; one statement. Raises NotFound for one that isn't all within the actor's scope."""
    rows = await db.query(
        "SELECT * FROM device_pairing WHERE batch = $1 AND event_id = $2 ORDER BY number",
        str(batch),
        door.event.id,
    )
    views = [_view(row) for row in rows]
    scope = door.checkpoint_scope(Permission.PAIR_DEVICES)
    if not views or any(scope is not None and not scope.issuperset(view.checkpoints) for view in views):
        raise NotFound(DeviceCode.PAIRING_UNKNOWN)
    return views


@dataclass(frozen=True, slots=True)
class SheetLine:
    """A sheet in a list: how many of its codes still wait for a phone."""

    batch: UUID
    name: str
    open: int
    total: int
    expires_at: datetime


async def open_sheets(*, door: Door, at: datetime) -> list[SheetLine]:
    """The sheets with a code that still waits, the newest first; one statement for any number."""
    scope = door.checkpoint_scope(Permission.PAIR_DEVICES)
    rows = await db.query(
        "SELECT batch, number, name, checkpoints, used_at, withdrawn_at, expires_at FROM device_pairing "
        "WHERE event_id = $1 AND expires_at > $2 ORDER BY id DESC",
        door.event.id,
        at,
    )
    found: dict[UUID, SheetLine] = {}
    for row in rows:
        if scope is not None and not scope.issuperset(_numbers(row["checkpoints"])):
            continue
        batch = db.as_uuid(row["batch"])
        expires_at = db.as_instant(row["expires_at"])
        assert expires_at is not None
        waits = row["used_at"] is None and row["withdrawn_at"] is None
        before = found.get(batch)
        found[batch] = SheetLine(
            batch,
            row["name"],  # the last row read is the sheet's first
            (before.open if before else 0) + waits,
            (before.total if before else 0) + 1,
            expires_at,
        )
    return [line for line in found.values() if line.open]


def _view(row: Mapping[str, Any]) -> PairingView:
    device_until, expires_at = db.as_instant(row["device_expires_at"]), db.as_instant(row["expires_at"])
    assert device_until is not None and expires_at is not None
    spent = row["used_at"] is not None or row["withdrawn_at"] is not None
    return PairingView(
        id=row["id"],
        number=row["number"],
        name=row["name"],
        volunteer=row["volunteer"],
        checkpoints=_numbers(row["checkpoints"]),
        sees_names=bool(row["sees_names"]),
        is_lead=bool(row["is_lead"]),
        may_walk_in=bool(row["may_walk_in"]),
        device_expires_at=device_until,
        expires_at=expires_at,
        withdrawn_at=db.as_instant(row["withdrawn_at"]),
        used_at=db.as_instant(row["used_at"]),
        device_id=row["device_id"],
        secret="" if spent else _secret(row["salt"]),
        code="" if spent else _code(row["salt"]),
    )


def _numbers(stored: Any) -> tuple[int, ...]:
    # A raw row holds JSON as text on both drivers.
    return tuple(orjson.loads(stored) if isinstance(stored, (str, bytes)) else stored)


# --- spent by a phone --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Phone:
    """What a phone says of itself when it pairs; ``instance`` is a random number of its own, ``replaces`` the token by
    which it was a device of this event before."""

    instance: UUID
    app_version: str = ""
    platform: str = ""
    checks: Mapping[str, bool] | None = None
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Paired:
    token: str
    device_id: int


async def pair(*, event_id: int, code: str, phone: Phone, at: datetime) -> Paired:
    """Spends a pairing and gives the device with its token.

    The same phone may send it again while the code lasts (an answer was lost) and gets the same; of many phones at
    once exactly one gets it. A phone that proves by its token which device it was stays that device, with what the new
    code gives: what waits in its queue is still its own. Not so once it was revoked. Raises NotFound ``pairing_unknown`` for a code that this event doesn't know, Gone
    ``pairing_used``, ``pairing_withdrawn`` or ``pairing_over`` for one that it knew.
    """
    key = read_pairing_key(code)
    if key is None:
        raise NotFound(DeviceCode.PAIRING_UNKNOWN)
    column, digest = (
        ("secret_digest", codes.digest(key.secret))
        if key.secret
        else ("code_digest", _code_digest(event_id, key.short))
    )

    async def once() -> Paired:
        async with unit_of_work():
            rows = await db.query(
                "UPDATE device_pairing SET used_at = COALESCE(used_at, $3), used_by = $4 "  # noqa: S608 -- one of two columns
                f"WHERE event_id = $1 AND {column} = $2 AND withdrawn_at IS NULL AND expires_at > $3 "
                "AND (used_by IS NULL OR used_by = $4) RETURNING *",
                event_id,
                digest,
                at,
                str(phone.instance),
            )
            if not rows:
                raise await _why_not(event_id, column, digest, at)
            (row,) = rows
            token = _token(row, phone.instance)
            if row["device_id"] is not None:
                return Paired(token, int(row["device_id"]))
            before = await _before(row["event_id"], phone)
            if before is None:
                return Paired(token, await _make_device(row, phone, token, at))
            await _take_over(before, row, phone, token, at)
            return Paired(token, before)

    return await db.retrying(once)


async def _why_not(event_id: int, column: str, digest: str, at: datetime) -> NotFound | Gone:
    rows = await db.query(
        f"SELECT used_at, withdrawn_at FROM device_pairing WHERE event_id = $1 AND {column} = $2",  # noqa: S608 -- as above
        event_id,
        digest,
    )
    if not rows:
        return NotFound(DeviceCode.PAIRING_UNKNOWN)
    if rows[0]["used_at"] is not None:
        return Gone(DeviceCode.PAIRING_USED)
    return Gone(
        DeviceCode.PAIRING_WITHDRAWN if rows[0]["withdrawn_at"] is not None else DeviceCode.PAIRING_OVER
    )


def _given(row: Mapping[str, Any], phone: Phone, token: str, at: datetime) -> dict[str, Any]:
    """A device's columns, as a pairing and the phone say them."""
    return {
        "name": row["name"],
        "volunteer": row["volunteer"],
        "token_digest": codes.digest(token),
        "instance": phone.instance,
        "sees_names": bool(row["sees_names"]),
        "is_lead": bool(row["is_lead"]),
        "may_walk_in": bool(row["may_walk_in"]),
        "created_by": row["created_by"],
        "expires_at": db.as_instant(row["device_expires_at"]),
        "last_seen_at": at,
        "app_version": one_line(phone.app_version, 40),
        "platform": one_line(phone.platform, 80),
        "checks": dict(phone.checks or {}),
    }


async def _make_device(row: Mapping[str, Any], phone: Phone, token: str, at: datetime) -> int:
    device = await Device.create(event_id=row["event_id"], paired_at=at, **_given(row, phone, token, at))
    await _open(row, int(device.id), at)
    return int(device.id)


async def _before(event_id: int, phone: Phone) -> int | None:
    """The device that the phone was until now; None for a token that is none, or revoked, or of another event."""
    if not phone.replaces.startswith(DEVICE_TOKEN_PREFIX):
        return None
    found = await db.query(
        "UPDATE device SET other_instance = NULL, other_seen_at = NULL WHERE token_digest = $1 AND event_id = $2 "
        "AND revoked_at IS NULL RETURNING id",
        codes.digest(phone.replaces),
        event_id,
    )
    return int(found[0]["id"]) if found else None


async def _take_over(device_id: int, row: Mapping[str, Any], phone: Phone, token: str, at: datetime) -> None:
    # paired_at stays: what the phone scanned since then and did not send yet is believed as before.
    await Device.filter(id=device_id).update(problems=[], **_given(row, phone, token, at))
    await DeviceCheckpoint.filter(device_id=device_id).delete()
    # The code that it was paired with before opens nothing any more, also not for a phone that missed the answer.
    await db.execute(
        "UPDATE device_pairing SET device_id = NULL, withdrawn_at = $2 WHERE device_id = $1", device_id, at
    )
    await _open(row, device_id, at)
    after_commit(lambda: devices.forget(device_id))


async def _open(row: Mapping[str, Any], device_id: int, at: datetime) -> None:
    """What a device has besides its own row."""
    await DeviceCheckpoint.bulk_create(
        [DeviceCheckpoint(device_id=device_id, checkpoint_id=one) for one in _numbers(row["checkpoints"])]
    )
    # The name goes on with the device, and is erased there.
    await db.execute(
        "UPDATE device_pairing SET device_id = $2, volunteer = '' WHERE id = $1", row["id"], device_id
    )
    await journal.write(
        actor=Actor(kind=ActorKind.DEVICE, id=device_id),
        verb="device.pair",
        object_kind="device",
        object_id=device_id,
        at=at,
        event_id=row["event_id"],
        new={"pairing_id": row["id"]},
    )


async def purge(at: datetime) -> None:
    """Forgets codes that nobody used; a chore of every server process."""
    if await db.query(
        "SELECT id FROM device_pairing WHERE device_id IS NULL AND expires_at <= $1 LIMIT 1", at - UNUSED_KEPT
    ):
        async with unit_of_work():
            await db.execute(
                "DELETE FROM device_pairing WHERE device_id IS NULL AND expires_at <= $1", at - UNUSED_KEPT
            )


# --- derived -----------------------------------------------------------------------------------------------------


def _secret(salt: str) -> str:
    """22 characters of base 64: 128 bits, short enough for a small QR code."""
    return codes.link_secret(_Wiring.key, "device-pairing", salt)


def _code(salt: str) -> str:
    """The short code for typing: 35 bits, good for one event and some minutes, its wrong guesses counted."""
    return codes.derived_short_code(_Wiring.key, "device-pairing-code", salt)


def _code_digest(event_id: int, code: str) -> str:
    # Keyed, because 35 bits are searched in no time; of the event, because two events may draw the same code.
    return codes.keyed_hash(_Wiring.key, "device-pairing-code-digest", f"{event_id}\x00{code}")


def _token(row: Mapping[str, Any], instance: UUID) -> str:
    """Derived, so that a phone that didn't hear the answer gets the very same one again."""
    return DEVICE_TOKEN_PREFIX + codes.keyed_hash(
        _Wiring.key, "device-token", f"{row['id']}\x00{row['salt']}\x00{instance}"
    )
