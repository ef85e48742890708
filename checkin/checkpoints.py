"""Checkpoints: where passports are scanned, and the picture of an event that the door keeps in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from checkin.models import CheckinList, Checkpoint, CheckpointTicketType, CheckpointWindow
from checkin.rules import CheckinCode, CheckpointFacts, CheckpointKind, Once, OnRepeat, Window
from events import queries as events
from kernel.actor import Actor
from kernel.db import after_commit, query, unit_of_work
from kernel.errors import Invalid, NotFound, Problem
from kernel.interval import programme_date
from kernel.text import LocalizedText
from people import journal

#: The door's picture of an event may be this old in a process that did not make the change itself.
FRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class NewWindow:
    opens_at: datetime
    closes_at: datetime
    name: LocalizedText


@dataclass(frozen=True, slots=True)
class TicketWords:
    """What a verdict says of a ticket type."""

    name: LocalizedText
    door_note: LocalizedText


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """A checkpoint with its words, in the order that people chose."""

    facts: CheckpointFacts
    code: str
    name: LocalizedText
    place_id: int | None
    session_id: int | None
    window_names: tuple[LocalizedText, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """All that the door must know of one event besides passports: small, read at most every two seconds."""

    event_id: int
    time_zone: str
    day_starts_minute: int
    checkpoints: Mapping[int, CheckpointView]
    ticket_types: Mapping[int, TicketWords]
    #: Lists whose people inside are counted: some checkpoint of theirs scans exits, or they have a capacity.
    counted_lists: frozenset[int]

    def programme_date(self, at: datetime) -> date:
        return programme_date(at, zone=self.time_zone, day_starts_minute=self.day_starts_minute)

    @property
    def in_order(self) -> list[CheckpointFacts]:
        return [view.facts for view in self.checkpoints.values()]


_worlds: dict[int, tuple[float, World]] = {}
_reading: dict[int, asyncio.Task[World]] = {}
_round: dict[int, int] = {}


def forget() -> None:
    """Empties the pictures; for tests."""
    _worlds.clear()
    _reading.clear()
    _round.clear()


def forget_event(event_id: int) -> None:
    """The next scan of this process sees the change; other processes within FRESH_S."""
    _worlds.pop(event_id, None)
    _reading.pop(event_id, None)
    _round[event_id] = _round.get(event_id, 0) + 1


async def world(event_id: int) -> World:
    """The event's picture, at most FRESH_S old; one reading serves all scans that wait for it."""
    known = _worlds.get(event_id)
    if known and time.monotonic() - known[0] < FRESH_S:
        return known[1]
    task = _reading.get(event_id)
    if task is None or task.done():
        task = _reading[event_id] = asyncio.create_task(_read_and_keep(event_id, _round.get(event_id, 0)))
    return await asyncio.shield(task)


async def _read_and_keep(event_id: int, round_: int) -> World:
    found = await read_world(event_id)
    # A change committed while we read: this picture may be of before, so nobody after us gets it.
    if _round.get(event_id, 0) == round_:
        _worlds[event_id] = (time.monotonic(), found)
    return found


async def read_world(event_id: int) -> World:
    """Reads the picture in a fixed number of statements, however many checkpoints there are."""
    event = await events.find_event_by_id(event_id)
    if event is None:
        raise NotFound()
    types = await events.ticket_types(event_id)
    rows = await query(
        """SELECT c.*, l.once, l.capacity, s.guid AS session_guid
           FROM checkpoint c JOIN checkin_list l ON l.id = c.list_id LEFT JOIN session s ON s.id = c.session_id
           WHERE c.event_id = $1 ORDER BY c.position, c.id""",
        event_id,
    )
    windows: dict[int, list[CheckpointWindow]] = {}
    for window in await CheckpointWindow.filter(checkpoint__event_id=event_id).order_by("opens_at"):
        windows.setdefault(window.checkpoint_id, []).append(window)
    allowed: dict[int, set[int]] = {}
    for pair in await CheckpointTicketType.filter(checkpoint__event_id=event_id):
        allowed.setdefault(pair.checkpoint_id, set()).add(pair.ticket_type_id)
    views: dict[int, CheckpointView] = {}
    for row in rows:
        own = windows.get(row["id"], [])
        views[row["id"]] = CheckpointView(
            facts=CheckpointFacts(
                id=row["id"],
                event_id=event_id,
                list_id=row["list_id"],
                kind=CheckpointKind(row["kind"]),
                on_repeat=OnRepeat(row["on_repeat"]),
                once=Once(row["once"]),
                is_open=bool(row["is_open"]),
                scans_exits=bool(row["scans_exits"]),
                windows=tuple(Window(window.opens_at, window.closes_at) for window in own),
                ticket_types=frozenset(allowed.get(row["id"], ())),
                capacity=row["capacity"],
                session_guid=str(UUID(str(row["session_guid"]))) if row["session_guid"] else "",
            ),
            code=row["code"],
            name=_localized(row["name"]),
            place_id=row["place_id"],
            session_id=row["session_id"],
            window_names=tuple(window.name for window in own),
        )
    return World(
        event_id=event_id,
        time_zone=event.time_zone,
        day_starts_minute=event.day_starts_minute,
        checkpoints=views,
        ticket_types={one.id: TicketWords(name=one.name, door_note=one.door_note) for one in types},
        counted_lists=frozenset(
            view.facts.list_id
            for view in views.values()
            if view.facts.scans_exits or view.facts.capacity is not None
        ),
    )


def _localized(raw: object) -> LocalizedText:
    # A raw row holds JSON as text on both drivers.
    import orjson

    return LocalizedText.of(orjson.loads(raw) if isinstance(raw, str | bytes) else raw)  # type: ignore[arg-type]


async def add(
    *,
    actor: Actor,
    event_id: int,
    code: str,
    kind: CheckpointKind,
    name: LocalizedText,
    at: datetime,
    once: Once | None = None,
    on_repeat: OnRepeat | None = None,
    scans_exits: bool = False,
    capacity: int | None = None,
    place_id: int | None = None,
    session_id: int | None = None,
    windows: Sequence[NewWindow] = (),
    ticket_type_ids: Iterable[int] = (),
    shares_list_of: int | None = None,
    position: int = 0,
) -> int:
    """Opens a checkpoint and gives its id. Sensible answers per kind unless said: a gate welcomes back once a day,
    a session's door warns once per session, a booth warns once per event, a meal refuses once per window.

    ``shares_list_of`` makes it a lane of another checkpoint's list. Raises Invalid for a code in use.
    """
    async with unit_of_work():
        if await Checkpoint.filter(event_id=event_id, code=code).exists():
            raise Invalid({"code": Problem(CheckinCode.CODE_TAKEN)})
        if shares_list_of is not None:
            other = await Checkpoint.get_or_none(id=shares_list_of, event_id=event_id)
            if other is None:
                raise NotFound(CheckinCode.CHECKPOINT_UNKNOWN)
            list_id = other.list_id
        else:
            chosen = once or _DEFAULT_ONCE[kind]
            if chosen is Once.SESSION and session_id is None:
                chosen = Once.EVENT
            list_id = (
                await CheckinList.create(event_id=event_id, name=name, once=chosen, capacity=capacity)
            ).id
        row = await Checkpoint.create(
            event_id=event_id,
            list_id=list_id,
            place_id=place_id,
            session_id=session_id,
            code=code,
            name=name,
            kind=kind,
            on_repeat=on_repeat or _DEFAULT_REPEAT[kind],
            scans_exits=scans_exits,
            position=position,
        )
        await _set_windows(row.id, windows)
        await _set_ticket_types(row.id, ticket_type_ids)
        await journal.write(
            actor=actor,
            verb="checkpoint.added",
            object_kind="checkpoint",
            object_id=row.id,
            at=at,
            event_id=event_id,
            new={"code": code, "kind": kind.value},
        )
        after_commit(lambda: forget_event(event_id))
    return int(row.id)


_DEFAULT_ONCE = {
    CheckpointKind.GATE: Once.DAY,
    CheckpointKind.SESSION: Once.SESSION,
    CheckpointKind.BOOTH: Once.EVENT,
    CheckpointKind.MEAL: Once.WINDOW,
}
_DEFAULT_REPEAT = {
    CheckpointKind.GATE: OnRepeat.WELCOME,
    CheckpointKind.SESSION: OnRepeat.WARN,
    CheckpointKind.BOOTH: OnRepeat.WARN,
    CheckpointKind.MEAL: OnRepeat.REFUSE,
}


async def change(
    *,
    actor: Actor,
    event_id: int,
    checkpoint_id: int,
    at: datetime,
    name: LocalizedText,
    once: Once,
    on_repeat: OnRepeat,
    is_open: bool,
    scans_exits: bool,
    capacity: int | None,
    place_id: int | None,
    session_id: int | None,
    windows: Sequence[NewWindow],
    ticket_type_ids: Iterable[int],
) -> None:
    """Sets everything that can be changed of a checkpoint; scans made so far keep what they were answered."""
    async with unit_of_work():
        row = await Checkpoint.get_or_none(id=checkpoint_id, event_id=event_id)
        if row is None:
            raise NotFound(CheckinCode.CHECKPOINT_UNKNOWN)
        if once is Once.SESSION and session_id is None:
            once = Once.EVENT
        old = {
            "on_repeat": row.on_repeat,
            "is_open": row.is_open,
            "scans_exits": row.scans_exits,
            "place": row.place_id,
            "session": row.session_id,
        }
        new = {
            "on_repeat": on_repeat.value,
            "is_open": is_open,
            "scans_exits": scans_exits,
            "place": place_id,
            "session": session_id,
        }
        await Checkpoint.filter(id=row.id).update(
            name=name,
            on_repeat=on_repeat,
            is_open=is_open,
            scans_exits=scans_exits,
            place_id=place_id,
            session_id=session_id,
        )
        await CheckinList.filter(id=row.list_id).update(once=once, capacity=capacity)
        if scans_exits or capacity is not None:
            await _count_inside(row.list_id)
        await CheckpointWindow.filter(checkpoint_id=row.id).delete()
        await _set_windows(row.id, windows)
        await CheckpointTicketType.filter(checkpoint_id=row.id).delete()
        await _set_ticket_types(row.id, ticket_type_ids)
        await journal.write(
            actor=actor,
            verb="checkpoint.changed",
            object_kind="checkpoint",
            object_id=row.id,
            at=at,
            event_id=event_id,
            old={key: value for key, value in old.items() if new[key] != value},
            new={key: value for key, value in new.items() if old[key] != value},
        )
        after_commit(lambda: forget_event(event_id))


async def _count_inside(list_id: int) -> None:
    """Counts a list's people inside anew from the ledger: while nobody asked for them they were not kept."""
    await query(
        """INSERT INTO presence (list_id, period, inside)
           SELECT list_id, period, sum(CASE WHEN direction = 'entry' THEN 1 ELSE -1 END) FROM scan
           WHERE checkpoint_id IN (SELECT id FROM checkpoint WHERE list_id = $1) AND list_id = $1 AND turn >= 0
           GROUP BY list_id, period
           ON CONFLICT (list_id, period) DO UPDATE SET inside = excluded.inside RETURNING id""",
        list_id,
    )


async def _set_windows(checkpoint_id: int, windows: Sequence[NewWindow]) -> None:
    for window in windows:
        await CheckpointWindow.create(
            checkpoint_id=checkpoint_id,
            name=window.name,
            opens_at=window.opens_at,
            closes_at=window.closes_at,
        )


async def _set_ticket_types(checkpoint_id: int, ticket_type_ids: Iterable[int]) -> None:
    for ticket_type_id in sorted(set(ticket_type_ids)):
        await CheckpointTicketType.create(checkpoint_id=checkpoint_id, ticket_type_id=ticket_type_id)
