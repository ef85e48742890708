"""Checkpoints: where passports are scanned, and the picture of an event that the door keeps in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from agenda import queries as agenda
from checkin import rehearsal_rules
from checkin.models import CheckinList, Checkpoint, CheckpointTicketType, CheckpointWindow, RoomList
from checkin.rehearsal_rules import Span
from checkin.room_rules import LEAD, Heads, Held, RoomState, Slot, held, lasts_until
from checkin.rules import CheckinCode, CheckpointFacts, CheckpointKind, Once, OnRepeat, Window
from events import access
from events import queries as events
from events.meetups import Made
from events.rules import Permission
from kernel.actor import Actor
from kernel.db import after_commit, as_instant, as_uuid, execute, query, unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.interval import Interval, programme_date, programme_day
from kernel.text import LocalizedText
from people import journal

LEAD_MINUTES: Final = int(LEAD.total_seconds()) // 60
#: An event's sessions in rooms that the door knows; the sizing has 300.
SLOTS_MAX: Final = 2_000
#: The door's picture of an event may be this old in a process that did not make the change itself.
FRESH_S = 2.0

#: The first words of live topics' names: what organisers look at, and what everybody may.
BOARD: Final = "board"
ROOMS: Final = "rooms"


def board_topic(event_id: int, site_id: int | None = None) -> str:
    """The whole event's board, or one site's: a topic of its own, so that the first stays what it is."""
    return f"{BOARD}.{event_id}" if site_id is None else f"{BOARD}.{event_id}.{site_id}"


def rooms_topic(event_id: int) -> str:
    return f"{ROOMS}.{event_id}"


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
    site_id: int | None = None
    #: Its own site, or the one that its place lies in.
    in_site: int | None = None
    #: Whether an entry here is a way out of the event's other rooms (where ways out are known).
    leaves_others: bool = False


_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class World:
    """All that the door must know of one event besides passports: small, read at most every two seconds."""

    event_id: int
    time_zone: str
    day_starts_minute: int
    checkpoints: Mapping[int, CheckpointView]
    ticket_types: Mapping[int, TicketWords]
    #: Lists whose people inside are counted: some checkpoint of theirs scans exits or follows the programme, or they
    #: have a capacity.
    counted_lists: frozenset[int]
    #: The programme of each place; breaks are nobody's session.
    slots: Mapping[int, tuple[Slot, ...]] = field(default_factory=dict)
    #: Lists with exits of which somebody is in one at a time.
    rooms: frozenset[int] = frozenset()
    #: From when on scans are real, whatever was planned.
    doors_open: datetime = _NEVER
    #: Spans in which scans are a rehearsal.
    rehearsals: tuple[Interval, ...] = ()
    #: There ever was one: some of the event's scans may lie in that other book.
    has_rehearsed: bool = False

    def rehearsal_at(self, at: datetime) -> Interval | None:
        return rehearsal_rules.running(self.rehearsals, at)

    def programme_date(self, at: datetime) -> date:
        return programme_date(at, zone=self.time_zone, day_starts_minute=self.day_starts_minute)

    @property
    def board_topics(self) -> list[str]:
        """The event's board and each of its sites'."""
        sites = {view.in_site for view in self.checkpoints.values() if view.in_site is not None}
        return [board_topic(self.event_id), *(board_topic(self.event_id, site) for site in sorted(sites))]

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
    access.forget_scopes(event_id)


def known_worlds() -> list[World]:
    """The pictures that this process has in mind, of whatever age: of the events that somebody scans or looks at."""
    return [found for _, found in _worlds.values()]


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


async def open_door(news: Made) -> None:
    """A new meet-up's one gate; connected to ``events.meetups.made``."""
    await add(
        actor=news.actor,
        event_id=news.event_id,
        code="door",
        kind=CheckpointKind.GATE,
        name=LocalizedText({"zh-Hans": "入口", "en": "Door"}),
        at=news.at,
        once=Once.EVENT,
        place_id=news.place_id,
    )


async def chosen_of(
    door: access.Door, wanted: Iterable[int], permission: Permission
) -> tuple[list[int], Problem | None]:
    """Checkpoints that somebody chose, in order, and what is wrong with the choice: none, or one that they have no
    ``permission`` at."""
    known, scope = (await world(door.event.id)).checkpoints, door.checkpoint_scope(permission)
    chosen = sorted(set(wanted))
    if not chosen:
        return chosen, Problem(Code.REQUIRED)
    if any(one not in known or (scope is not None and one not in scope) for one in chosen):
        return chosen, Problem(Code.NOT_A_CHOICE)
    return chosen, None


async def by_site(event_id: int) -> dict[int, frozenset[int]]:
    """The checkpoints of each site: its own by name, else those whose place lies there; for roles narrowed to a site.

    A place without a site lies where the place around it does. One statement, for ``access.CHECKPOINTS_OF``.
    """
    rows = await query(
        """WITH RECURSIVE above (place_id, site_id, parent_id) AS (
             SELECT id, site_id, parent_id FROM place WHERE event_id = $1
             UNION ALL
             SELECT a.place_id, p.site_id, p.parent_id FROM above a JOIN place p ON p.id = a.parent_id
             WHERE a.site_id IS NULL)
           SELECT c.id, coalesce(c.site_id, (SELECT max(a.site_id) FROM above a WHERE a.place_id = c.place_id)) AS site
           FROM checkpoint c WHERE c.event_id = $1""",
        event_id,
    )
    found: dict[int, set[int]] = {}
    for row in rows:
        if row["site"] is not None:
            found.setdefault(row["site"], set()).add(row["id"])
    return {site_id: frozenset(ids) for site_id, ids in found.items()}


async def read_world(event_id: int) -> World:
    """Reads the picture in a fixed number of statements, however many checkpoints there are."""
    event = await events.find_event_by_id(event_id)
    if event is None:
        raise NotFound()
    types = await events.ticket_types(event_id)
    rows = await query(
        """SELECT c.*, l.once, l.capacity, r.lead_minutes, r.leaves_others, s.guid AS session_guid
           FROM checkpoint c JOIN checkin_list l ON l.id = c.list_id LEFT JOIN session s ON s.id = c.session_id
           LEFT JOIN room_list r ON r.list_id = c.list_id
           WHERE c.event_id = $1 ORDER BY c.position, c.id""",
        event_id,
    )
    slots = await programme(event_id)
    said = await rooms_said(
        event_id, slots, time_zone=event.time_zone, day_starts_minute=event.day_starts_minute
    )
    with_exits = {row["list_id"] for row in rows if row["scans_exits"]}
    windows: dict[int, list[CheckpointWindow]] = {}
    for window in await CheckpointWindow.filter(checkpoint__event_id=event_id).order_by("opens_at"):
        windows.setdefault(window.checkpoint_id, []).append(window)
    allowed: dict[int, set[int]] = {}
    for pair in await CheckpointTicketType.filter(checkpoint__event_id=event_id):
        allowed.setdefault(pair.checkpoint_id, set()).add(pair.ticket_type_id)
    sites = {one: site for site, own in (await by_site(event_id)).items() for one in own}
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
                session_guid=str(as_uuid(row["session_guid"])) if row["session_guid"] else "",
                slots=slots.get(row["place_id"], ()) if _follows_programme(row) else None,
                lead=LEAD if row["lead_minutes"] is None else timedelta(minutes=row["lead_minutes"]),
                by_day=_follows_programme(row) and row["list_id"] in with_exits,
                held=said[row["place_id"]].held if row["place_id"] in said else None,
            ),
            code=row["code"],
            name=_localized(row["name"]),
            place_id=row["place_id"],
            session_id=row["session_id"],
            window_names=tuple(window.name for window in own),
            site_id=row["site_id"],
            in_site=sites.get(row["id"]),
            leaves_others=bool(row["leaves_others"]),
        )
    rehearsed = await _rehearsed(event_id)
    doors = rehearsal_rules.doors_open(
        (view.facts for view in views.values()), event.starts_on, event.time_zone
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
            if view.facts.scans_exits or view.facts.capacity is not None or view.facts.slots is not None
        ),
        slots=slots,
        rooms=frozenset(
            row["list_id"] for row in rows if row["leaves_others"] and row["list_id"] in with_exits
        ),
        doors_open=doors,
        rehearsals=rehearsal_rules.lasting(rehearsed, doors),
        has_rehearsed=bool(rehearsed),
    )


async def _rehearsed(event_id: int) -> list[Span]:
    rows = await query("SELECT starts_at, ends_at FROM rehearsal WHERE event_id = $1 ORDER BY id", event_id)
    found = []
    for row in rows:
        begin, end = as_instant(row["starts_at"]), as_instant(row["ends_at"])
        assert begin is not None and end is not None
        found.append(Span(begin, end))
    return found


def _follows_programme(row: Mapping[str, Any]) -> bool:
    """A session's door in a room, of no one session: it takes the one that is on."""
    return (
        row["kind"] == CheckpointKind.SESSION
        and row["once"] == Once.SESSION
        and row["session_id"] is None
        and row["place_id"] is not None
    )


async def programme(event_id: int) -> dict[int, tuple[Slot, ...]]:
    """The sessions of each place in their order, breaks left out; SLOTS_MAX in all."""
    found: dict[int, list[Slot]] = {}
    for one in await agenda.spans(event_id, SLOTS_MAX):
        found.setdefault(one.place_id, []).append(Slot(one.guid, one.starts_at, one.ends_at))
    return {place_id: tuple(slots) for place_id, slots in found.items()}


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a room last by hand (AUTOMATIC: nothing), and the last head count in it; who, by actor key."""

    place_id: int
    held: Held | None = None
    held_by: str = ""
    heads: Heads | None = None
    heads_by: str = ""


async def rooms_said(
    event_id: int, slots: Mapping[int, Sequence[Slot]], *, time_zone: str, day_starts_minute: int
) -> dict[int, Said]:
    """Every room of which anything was ever said, by its place; one statement, which reads the last of each."""
    rows = await query(
        """SELECT place_id, state, at, actor_key, NULL AS count, NULL AS base, NULL AS base_key FROM room_said
           WHERE id IN (SELECT max(id) FROM room_said WHERE event_id = $1 GROUP BY place_id)
           UNION ALL
           SELECT place_id, NULL, at, actor_key, count, base, base_key FROM head_count
           WHERE id IN (SELECT max(id) FROM head_count WHERE event_id = $1 GROUP BY place_id)""",
        event_id,
    )
    found: dict[int, Said] = {}
    for row in rows:
        at, place_id = as_instant(row["at"]), row["place_id"]
        assert at is not None
        day = programme_day(at, zone=time_zone, day_starts_minute=day_starts_minute)
        own, known = slots.get(place_id, ()), found.get(place_id, Said(place_id))
        if row["state"] is None:
            until = lasts_until(at, own, day.ends_at)
            heads = Heads(row["count"], at, until, day.ends_at, row["base"], row["base_key"])
            found[place_id] = replace(known, heads=heads, heads_by=row["actor_key"])
        else:
            state = RoomState(row["state"])
            by_hand = None if state is RoomState.AUTOMATIC else held(state, at, own, day.ends_at)
            found[place_id] = replace(known, held=by_hand, held_by=row["actor_key"])
    return found


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
    site_id: int | None = None,
    lead_minutes: int = LEAD_MINUTES,
    leaves_others: bool = True,
) -> int:
    """Opens a checkpoint and gives its id. Sensible answers per kind unless said: a gate welcomes back once a day,
    a session's door warns once per session, a booth warns once per event, a meal refuses once per window.

    A session's door with a place and no session follows the programme of that place, taking each session from
    ``lead_minutes`` before it begins. With exits it is one of the rooms that leave each other, unless said otherwise.

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
            if chosen is Once.SESSION and session_id is None and not _has_programme(kind, place_id):
                chosen = Once.EVENT
            list_id = (
                await CheckinList.create(event_id=event_id, name=name, once=chosen, capacity=capacity)
            ).id
            if kind is CheckpointKind.SESSION:
                await RoomList.create(list_id=list_id, lead_minutes=lead_minutes, leaves_others=leaves_others)
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
            site_id=site_id,
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
        after_commit(lambda: access.forget_scopes(event_id))
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
    site_id: int | None = None,
    lead_minutes: int = LEAD_MINUTES,
    leaves_others: bool = True,
) -> None:
    """Sets everything that can be changed of a checkpoint; scans made so far keep what they were answered."""
    async with unit_of_work():
        row = await Checkpoint.get_or_none(id=checkpoint_id, event_id=event_id)
        if row is None:
            raise NotFound(CheckinCode.CHECKPOINT_UNKNOWN)
        if (
            once is Once.SESSION
            and session_id is None
            and not _has_programme(CheckpointKind(row.kind), place_id)
        ):
            once = Once.EVENT
        old = {
            "on_repeat": row.on_repeat,
            "is_open": row.is_open,
            "scans_exits": row.scans_exits,
            "place": row.place_id,
            "session": row.session_id,
            "site": row.site_id,
        }
        new = {
            "on_repeat": on_repeat.value,
            "is_open": is_open,
            "scans_exits": scans_exits,
            "place": place_id,
            "session": session_id,
            "site": site_id,
        }
        await Checkpoint.filter(id=row.id).update(
            name=name,
            on_repeat=on_repeat,
            is_open=is_open,
            scans_exits=scans_exits,
            place_id=place_id,
            session_id=session_id,
            site_id=site_id,
        )
        await CheckinList.filter(id=row.list_id).update(once=once, capacity=capacity)
        if row.kind == CheckpointKind.SESSION:
            await RoomList.filter(list_id=row.list_id).delete()
            await RoomList.create(list_id=row.list_id, lead_minutes=lead_minutes, leaves_others=leaves_others)
        await _count_inside(event_id, row.list_id)
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
        after_commit(lambda: access.forget_scopes(event_id))


def _has_programme(kind: CheckpointKind, place_id: int | None) -> bool:
    return kind is CheckpointKind.SESSION and place_id is not None


async def _count_inside(event_id: int, list_id: int) -> None:
    """Counts a list's people inside anew from the ledger, if they are counted at all: while nobody asked for them they
    were not kept, and they may be counted by the day from now on.
    """
    world = await read_world(event_id)
    if list_id not in world.counted_lists:
        return
    await execute("DELETE FROM presence WHERE list_id = $1", list_id)
    await query(
        f"""INSERT INTO presence (list_id, period, inside)
            SELECT l, d, n FROM ({INSIDE}) AS counted WHERE l = $2 RETURNING id""",  # noqa: S608 -- our own words
        event_id,
        list_id,
    )


#: People inside each list, as the ledger says: rows of list (l), the key that they count under (d), and how many (n).
#: $1 is the event. A way out takes its admission back, so it counts under that one's key (``rules.counted_in``).
INSIDE: Final = """
    SELECT s.list_id AS l, CASE WHEN l.id IS NULL THEN s.period ELSE substr(CAST(e.programme_date AS TEXT), 1, 10) END AS d,
        sum(CASE WHEN s.direction = 'entry' THEN 1 ELSE -1 END) AS n
    FROM scan s JOIN scan e ON e.passport_id = s.passport_id AND e.list_id = s.list_id AND e.period = s.period
        AND e.turn = s.turn AND e.direction = 'entry'
    LEFT JOIN checkin_list l ON l.id = s.list_id AND l.id IN (
        SELECT c.list_id FROM checkpoint c JOIN checkin_list o ON o.id = c.list_id
        WHERE c.event_id = $1 AND c.kind = 'session' AND o.once = 'session' AND c.session_id IS NULL
            AND c.place_id IS NOT NULL
            AND EXISTS (SELECT 1 FROM checkpoint x WHERE x.list_id = c.list_id AND x.scans_exits))
    WHERE s.event_id = $1 AND s.turn >= 0 GROUP BY 1, 2"""


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
