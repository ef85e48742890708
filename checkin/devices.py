"""Devices: phones that were paired. Who comes with a device's token, what it may, how it was last heard of, its end.

What a token opens is believed for at most two seconds in a process that did not make the change itself, like a
sign-in (``people.accounts``); a revocation made here is seen by the next request here.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from checkin import checkpoints
from checkin import device_rules as rules
from checkin.device_rules import NAME_MAX, DeviceCode, State, Trouble
from checkin.models import Device, DeviceCheckpoint
from events.access import Door
from events.rules import Permission
from kernel import codes, db
from kernel.actor import ANONYMOUS, Actor, ActorKind
from kernel.db import after_commit, unit_of_work
from kernel.errors import Code, Forbidden, Gone, Invalid, NotFound, Problem, SignInNeeded
from people import journal, topics
from people.rules import one_line
from web import signin

#: As long as a sign-in is believed (people.accounts).
BELIEVED_S: Final = 2.0
#: Devices remembered at once; unknown tokens are not remembered.
KEPT: Final = 1024


@dataclass(frozen=True, slots=True)
class _Known:
    actor: Actor
    #: By the monotonic clock.
    until: float
    #: When what the actor may do changes by itself: the device's end, or the end of its grace.
    turns_at: datetime | None


@dataclass(slots=True)
class _Remembered:
    entries: OrderedDict[str, _Known] = field(default_factory=OrderedDict)
    #: Raised by every change, so that a look-up that began before it is not remembered after it.
    round: int = 0


_cache: Final = _Remembered()


def forget(device_id: int | None = None) -> None:
    """Drops what this process remembers of a device, or of all; for ``after_commit`` and for tests."""
    _cache.round += 1
    if device_id is None:
        _cache.entries.clear()
        return
    for digest in [digest for digest, known in _cache.entries.items() if known.actor.id == device_id]:
        del _cache.entries[digest]


def loader(others: signin.Loader) -> signin.Loader:
    """The loader that main hands to ``web.signin``: a device's token here, every other one to ``others``."""

    async def load(token: str) -> Actor:
        return await (
            actor_for_token(token) if token.startswith(signin.DEVICE_TOKEN_PREFIX) else others(token)
        )

    return load


async def actor_for_token(token: str) -> Actor:
    """The device that holds a token; ANONYMOUS for a token that never was one.

    Of a revoked or expired device it gives an actor that may do nothing, with the reason in ``over``; an expired one
    keeps its scopes for the time in which its queue is still taken. Costs one statement at most.
    """
    digest = codes.digest(token)
    clock, at = time.monotonic(), datetime.now(UTC)
    known = _cache.entries.get(digest)
    if known is not None and known.until > clock and (known.turns_at is None or at < known.turns_at):
        return known.actor
    round_ = _cache.round
    rows = await db.query(
        "SELECT d.id, d.event_id, d.name, d.sees_names, d.is_lead, d.may_walk_in, d.paired_at, d.expires_at, d.revoked_at, "
        "c.checkpoint_id FROM device d LEFT JOIN device_checkpoint c ON c.device_id = d.id WHERE d.token_digest = $1",
        digest,
    )
    if not rows:
        return ANONYMOUS
    found = _actor(rows, at, clock)
    if round_ == _cache.round:
        _cache.entries[digest] = found
        _cache.entries.move_to_end(digest)
        while len(_cache.entries) > KEPT:
            _cache.entries.popitem(last=False)
    return found.actor


def _actor(rows: Sequence[Mapping[str, Any]], at: datetime, clock: float) -> _Known:
    row = rows[0]
    revoked_at, expires_at = db.as_instant(row["revoked_at"]), db.as_instant(row["expires_at"])
    assert expires_at is not None
    over = rules.refusal_of(revoked_at=revoked_at, expires_at=expires_at, at=at)
    scopes: frozenset[str] = frozenset()
    turns_at: datetime | None = None
    if over is None:
        given = {
            Permission.SCAN: True,
            Permission.OVERRIDE: row["is_lead"],
            Permission.WALK_IN: row["may_walk_in"],
        }
        scopes = frozenset(str(one) for one, has in given.items() if has)
        turns_at = expires_at
    elif rules.sends_late(revoked_at=revoked_at, expires_at=expires_at, at=at):
        scopes, turns_at = frozenset({str(Permission.SCAN)}), expires_at + rules.GRACE
    actor = Actor(
        kind=ActorKind.DEVICE,
        id=int(row["id"]),
        name=row["name"],
        token_scopes=scopes,
        token_event_id=int(row["event_id"]),
        checkpoints=frozenset(int(one["checkpoint_id"]) for one in rows if one["checkpoint_id"] is not None),
        since=db.as_instant(row["paired_at"]),
        until=expires_at,
        sees_names=bool(row["sees_names"]) and over is None,
        over=over or "",
    )
    return _Known(actor, clock + BELIEVED_S, turns_at)


def only_device(door: Door, *, also_over: bool = False) -> None:
    """Raises SignInNeeded for nobody and for a device that is over, Forbidden for anybody who is no device."""
    actor = door.actor
    if not actor.signed_in:
        raise SignInNeeded()
    if actor.kind is not ActorKind.DEVICE:
        raise Forbidden()
    if actor.over and not also_over:
        raise SignInNeeded(actor.over)


# --- read --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """A device as leads and programs see it."""

    id: int
    instance: UUID
    name: str
    volunteer: str
    checkpoints: tuple[int, ...]
    sees_names: bool
    is_lead: bool
    may_walk_in: bool
    paired_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    wiped_at: datetime | None
    last_seen_at: datetime | None
    app_version: str
    platform: str
    queue_length: int
    snapshot_version: int | None
    problems: tuple[str, ...]
    checks: Mapping[str, bool]
    other_seen_at: datetime | None

    def state(self, at: datetime) -> State:
        return rules.state_of(
            revoked_at=self.revoked_at, expires_at=self.expires_at, last_seen_at=self.last_seen_at, at=at
        )

    def troubles(self, at: datetime) -> list[str]:
        """What the phone told of, and what we see."""
        mine = [Trouble.TWO_PHONES.value] if rules.two_phones(self.other_seen_at, at) else []
        return mine + [one for one in self.problems if one not in mine]


_COLUMNS: Final = (
    "d.id, d.instance, d.name, d.volunteer, d.sees_names, d.is_lead, d.may_walk_in, d.paired_at, d.expires_at, d.revoked_at, d.wiped_at, "
    "d.last_seen_at, d.app_version, d.platform, d.queue_length, d.snapshot_version, d.problems, d.checks, d.other_seen_at, "
    "c.checkpoint_id FROM device d LEFT JOIN device_checkpoint c ON c.device_id = d.id"
)


async def list_devices(*, door: Door) -> list[DeviceView]:
    """The event's devices whose checkpoints are all within the actor's scope, the newest first; one statement."""
    scope = door.checkpoint_scope(Permission.PAIR_DEVICES)
    rows = await db.query(
        f"SELECT {_COLUMNS} WHERE d.event_id = $1 ORDER BY d.id DESC, c.checkpoint_id", door.event.id
    )
    return [view for view in _views(rows) if scope is None or scope.issuperset(view.checkpoints)]


async def get_device(*, door: Door, device_id: int) -> DeviceView:
    """Raises NotFound for a device of another event, or of checkpoints that aren't the actor's."""
    found = await _of_event(door.event.id, device_id)
    scope = door.checkpoint_scope(Permission.PAIR_DEVICES)
    if not found or (scope is not None and not scope.issuperset(found[0].checkpoints)):
        raise NotFound(DeviceCode.UNKNOWN)
    return found[0]


async def view_of(*, event_id: int, device_id: int) -> DeviceView:
    """A device by its number, for whoever has been let in already. Raises NotFound."""
    found = await _of_event(event_id, device_id)
    if not found:
        raise NotFound(DeviceCode.UNKNOWN)
    return found[0]


async def _of_event(event_id: int, device_id: int) -> list[DeviceView]:
    return _views(
        await db.query(f"SELECT {_COLUMNS} WHERE d.event_id = $1 AND d.id = $2", event_id, device_id)
    )


async def own_view(actor: Actor) -> DeviceView:
    """A device's own row."""
    assert actor.kind is ActorKind.DEVICE and actor.token_event_id is not None
    return await view_of(event_id=actor.token_event_id, device_id=actor.id)


def _views(rows: Iterable[Mapping[str, Any]]) -> list[DeviceView]:
    own: dict[int, list[int]] = {}
    firsts: dict[int, Mapping[str, Any]] = {}
    for row in rows:
        firsts.setdefault(row["id"], row)
        if row["checkpoint_id"] is not None:
            own.setdefault(row["id"], []).append(row["checkpoint_id"])
    return [_view(row, tuple(sorted(own.get(number, ())))) for number, row in firsts.items()]


def _view(row: Mapping[str, Any], own: tuple[int, ...]) -> DeviceView:
    times = {
        name: db.as_instant(row[name])
        for name in ("paired_at", "expires_at", "revoked_at", "wiped_at", "last_seen_at", "other_seen_at")
    }
    same = (
        "id",
        "name",
        "volunteer",
        "app_version",
        "platform",
        "queue_length",
        "snapshot_version",
    )
    values: dict[str, Any] = {name: row[name] for name in same} | times
    for name in ("sees_names", "is_lead", "may_walk_in"):
        values[name] = bool(row[name])
    return DeviceView(
        **values,
        instance=db.as_uuid(row["instance"]),
        checkpoints=own,
        problems=tuple(_json(row["problems"])),
        checks=_json(row["checks"]),
    )


def _json(stored: Any) -> Any:
    # A raw row holds JSON as text on both drivers.
    return orjson.loads(stored) if isinstance(stored, (str, bytes)) else stored


# --- heard of ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """What a phone says every half minute while its page is open."""

    instance: UUID
    app_version: str = ""
    queue_length: int = 0
    snapshot_version: int | None = None
    problems: Sequence[str] = ()


async def seen(*, actor: Actor, report: Report, at: datetime) -> DeviceView:
    """Notes that a device was heard of, at most every SEEN_EVERY, and gives how it stands.

    A phone that comes with the token of another one is noted as such, and changes nothing else.
    """
    view = await own_view(actor)
    is_own = report.instance == view.instance
    last = view.last_seen_at if is_own else view.other_seen_at
    if last is not None and at - last < rules.SEEN_EVERY:
        return view
    before = at - rules.SEEN_EVERY
    async with unit_of_work():
        if is_own:
            await db.execute(
                "UPDATE device SET last_seen_at = $2, app_version = $3, queue_length = $4, snapshot_version = $5, "
                "problems = $6 WHERE id = $1 AND (last_seen_at IS NULL OR last_seen_at <= $7)",
                actor.id,
                at,
                one_line(report.app_version, 40),
                max(0, min(report.queue_length, 2**31 - 1)),
                report.snapshot_version,
                orjson.dumps(rules.known_troubles(report.problems)).decode(),
                before,
            )
            if last is not None and at - last >= rules.QUIET_FOR:
                back = await db.query(
                    "DELETE FROM quiet_device WHERE device_id = $1 RETURNING event_id", actor.id
                )
                await _tell_boards({int(row["event_id"]) for row in back})
        else:
            await db.execute(
                "UPDATE device SET other_instance = $2, other_seen_at = $3 WHERE id = $1 "
                "AND (other_seen_at IS NULL OR other_seen_at <= $4)",
                actor.id,
                str(report.instance),
                at,
                before,
            )
    return await own_view(actor)


# --- silent phones -----------------------------------------------------------------------------------------------


class Quiet(NamedTuple):
    """Phones in use that nothing was heard of for QUIET_FOR; ``newest`` is the one that fell silent last, or 0."""

    phones: int
    newest: int


async def watch(at: datetime) -> None:
    """Notes which phones have fallen silent, drops those that are over or put away, and tells the boards of both.

    Any process may do it at any time: a phone is noted once. Time alone changes a board here, so somebody has to look.
    """
    silent, away = at - rules.QUIET_FOR, at - rules.PUT_AWAY_AFTER
    fell = "revoked_at IS NULL AND expires_at > $1 AND last_seen_at <= $2 AND last_seen_at > $3"
    gone = "q.since <= $2 OR EXISTS (SELECT 1 FROM device d WHERE d.id = q.device_id AND (d.revoked_at IS NOT NULL OR d.expires_at <= $1))"
    news = await db.query(
        f"""SELECT d.id FROM device d WHERE {fell} AND NOT EXISTS (SELECT 1 FROM quiet_device q WHERE q.device_id = d.id)
            LIMIT 1""",
        at,
        silent,
        away,
    ) or await db.query(f"SELECT q.device_id FROM quiet_device q WHERE {gone} LIMIT 1", at, away)
    if not news:
        return
    async with unit_of_work():
        changed = await db.query(
            f"INSERT INTO quiet_device (device_id, event_id, since) SELECT id, event_id, last_seen_at FROM device "
            f"WHERE {fell} ON CONFLICT DO NOTHING RETURNING event_id",
            at,
            silent,
            away,
        )
        changed += await db.query(f"DELETE FROM quiet_device AS q WHERE {gone} RETURNING event_id", at, away)
        await _tell_boards({int(row["event_id"]) for row in changed})


async def quiet(event_id: int, checkpoint_ids: Collection[int] | None = None) -> Quiet:
    """The silent phones of an event, or those that scan at one of some checkpoints; one statement."""
    values: list[Any] = [event_id]
    some = ""
    if checkpoint_ids is not None:
        values.append(db.list_parameter(sorted(checkpoint_ids)))
        some = f"""AND EXISTS (SELECT 1 FROM device_checkpoint c WHERE c.device_id = q.device_id
            AND c.checkpoint_id {db.in_list("$2", "int")})"""
    rows = await db.query(
        f"SELECT q.device_id FROM quiet_device q WHERE q.event_id = $1 {some} ORDER BY q.since DESC, q.device_id DESC",
        *values,
    )
    return Quiet(len(rows), int(rows[0]["device_id"]) if rows else 0)


async def _tell_boards(event_ids: Collection[int]) -> None:
    worlds = [await checkpoints.world(event_id) for event_id in event_ids]
    await topics.tell(*(topic for world in worlds for topic in world.board_topics))


# --- changed by a lead -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a device shall be from now on; None leaves a thing as it is."""

    name: str | None = None
    volunteer: str | None = None
    checkpoints: Sequence[int] | None = None
    expires_at: datetime | None = None
    sees_names: bool | None = None
    is_lead: bool | None = None
    may_walk_in: bool | None = None


async def change(*, door: Door, device_id: int, change: Change, at: datetime) -> DeviceView:
    """Renames, narrows, widens, shortens, extends; in force with the device's next request.

    Raises Invalid at a field, NotFound for a device that isn't the actor's, Gone ``device_revoked`` for one that is
    over for good. An expired one that is extended goes on with the token that it has.
    """
    before = await get_device(door=door, device_id=device_id)
    problems: dict[str, Problem] = {}
    values: dict[str, Any] = {}
    if change.name is not None:
        values["name"] = one_line(change.name, NAME_MAX)
        if not values["name"]:
            problems["name"] = Problem(Code.REQUIRED)
    if change.volunteer is not None:
        values["volunteer"] = one_line(change.volunteer, NAME_MAX)
    if change.expires_at is not None and change.expires_at != before.expires_at:
        values["expires_at"] = change.expires_at
        problem = rules.end_problem(change.expires_at, at)
        if problem:
            problems["expires_at"] = problem
    chosen = before.checkpoints
    if change.checkpoints is not None:
        numbers, wrong = await checkpoints.chosen_of(door, change.checkpoints, Permission.PAIR_DEVICES)
        chosen = tuple(numbers)
        if wrong:
            problems["checkpoints"] = wrong
    for name in ("sees_names", "is_lead", "may_walk_in"):
        if getattr(change, name) is not None:
            values[name] = getattr(change, name)
    if values.get("sees_names") and not before.sees_names and not door.may(Permission.SEE_REGISTRATIONS):
        problems["sees_names"] = Problem(DeviceCode.NAMES_NOT_YOURS)
    if problems:
        raise Invalid(problems)
    async with unit_of_work():
        # The row is ours from here on: of two who change it the second sees what the first did.
        held = await db.execute(
            "UPDATE device SET name = name WHERE id = $1 AND event_id = $2 AND revoked_at IS NULL",
            device_id,
            door.event.id,
        )
        if not held:
            raise Gone(DeviceCode.REVOKED)
        if values:
            await Device.filter(id=device_id).update(**values)
        if chosen != before.checkpoints:
            await DeviceCheckpoint.filter(device_id=device_id).delete()
            await DeviceCheckpoint.bulk_create(
                [DeviceCheckpoint(device_id=device_id, checkpoint_id=one) for one in chosen]
            )
        old, new = _journalled(before, values, chosen)
        await journal.write(
            actor=door.actor,
            verb="device.change",
            object_kind="device",
            object_id=device_id,
            at=at,
            event_id=door.event.id,
            old=old,
            new=new,
        )
        after_commit(lambda: forget(device_id))
    return await get_device(door=door, device_id=device_id)


def _journalled(
    before: DeviceView, values: Mapping[str, Any], chosen: tuple[int, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What changed, without the words that people typed."""
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for name in ("expires_at", "sees_names", "is_lead", "may_walk_in"):
        if name in values and values[name] != getattr(before, name):
            old[name], new[name] = _plain(getattr(before, name)), _plain(values[name])
    if chosen != before.checkpoints:
        old["checkpoints"], new["checkpoints"] = list(before.checkpoints), list(chosen)
    return old, new


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


async def revoke(*, door: Door, device_id: int, at: datetime) -> DeviceView:
    """Ends a device for good, with its next request here and within two seconds in every other process.

    Once more changes nothing. Raises NotFound for a device that isn't the actor's.
    """
    await get_device(door=door, device_id=device_id)
    async with unit_of_work():
        ended = await db.execute(
            "UPDATE device SET revoked_at = $3 WHERE id = $1 AND event_id = $2 AND revoked_at IS NULL",
            device_id,
            door.event.id,
            at,
        )
        if ended:
            await journal.write(
                actor=door.actor,
                verb="device.revoke",
                object_kind="device",
                object_id=device_id,
                at=at,
                event_id=door.event.id,
            )
        after_commit(lambda: forget(device_id))
    return await get_device(door=door, device_id=device_id)


async def note_wiped(*, device_id: int, at: datetime) -> None:
    """The phone of a revoked device has answered that it has forgotten everything; inside a unit of work."""
    await db.execute(
        "UPDATE device SET wiped_at = $2 WHERE id = $1 AND revoked_at IS NOT NULL AND wiped_at IS NULL",
        device_id,
        at,
    )
