"""What the door has counted: the live board's document, public rooms, and the proof that every total can be rebuilt.

Everything shown comes from the tallies that the scan's own transaction keeps; the ledger is read only for its latest
rows, so that a figure costs the same after a hundred scans and after half a million. The number of statements does not
depend on the number of checkpoints either.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import orjson

from checkin import checkpoints, conflicts, devices
from checkin.board_rules import CLOSED, FULL, OPEN
from checkin.checkpoints import BOARD, INSIDE, ROOMS, CheckpointView, Said, World, board_topic, rooms_topic
from checkin.room_rules import RoomState, Scanned, Slot, fill, next_slot, shown_level, slot_at, state_of
from checkin.rules import (
    OUTCOMES,
    CheckpointFacts,
    CheckpointKind,
    Once,
    Outcome,
    PassportStatus,
    VerdictCode,
    counted_in,
    period_of,
    rounded,
)
from checkin.undoing import STANDS
from events import queries as events
from kernel.db import as_instant, in_list, json_rows, list_parameter, query, unit_of_work
from kernel.errors import Busy
from kernel.interval import Interval, day_of
from kernel.text import LocalizedText
from people import topics

#: The chart's closer look, and the steps of the whole day.
MINUTES: Final = 120
STEP: Final = 5
#: Names are cut for the board; the document stays below 8 KB.
NAME_MAX: Final = 40
#: Checkpoints on one board: gates first, then those with scans today.
CHECKPOINTS_MAX: Final = 60
#: Rooms on one board, in the venue's order.
ROOMS_MAX: Final = 40
#: Lanes with their throughput on one board: gates first, then the latest scanned; so far back, in steps of STEP.
LANES_MAX: Final = 24
LANE_MINUTES: Final = 60
#: A session's door counts for its room from so long before it begins.
BEFORE_SESSION: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Room:
    """A place for everybody to see: the count is rounded. ``state``: 0 open, 1 full, 2 closed.

    ``of`` says what is counted: people ``inside`` where exits are scanned, else ``entries`` (of the session that is on
    where the room follows the programme, else of today), or heads ``counted`` by somebody, moved by the scans since.
    ``level``: 80, 95 or 100 where so many percent are reached of what fits, else 0. ``session``: what is on.
    """

    id: int
    code: str
    name: LocalizedText
    state: int
    count: int
    of: str
    level: int = 0
    session: str | None = None


@dataclass(slots=True)
class _Figures:
    """One checkpoint's scans of a day, by outcome."""

    entry: int = 0
    exit: int = 0
    repeat: int = 0
    refused: int = 0
    #: Taken back, and already taken off the others.
    undone: int = 0
    reopened: int = 0
    #: Inside though no verdict admitted them (their scan is among the refused), and taken off again.
    let_in: int = 0
    sent_out: int = 0

    @property
    def total(self) -> int:
        return self.entry + self.exit + self.repeat + self.refused


@dataclass(frozen=True, slots=True)
class _Now:
    """An event's figures at a moment: what the board and the rooms both start from."""

    world: World
    at: datetime
    today: date
    figures: Mapping[int, _Figures]
    #: People inside each counted list, in its present period.
    inside: Mapping[int, int]
    #: By checkpoint, when its session takes place.
    sessions: Mapping[int, Interval]
    #: By place, what somebody said of it and counted there; read fresh, for the world may be two seconds old.
    said: Mapping[int, Said]

    def by_hand(self, place_id: int | None) -> RoomState:
        said = self.said.get(place_id or 0)
        return said.held.at(self.at) if said and said.held else RoomState.AUTOMATIC

    def of(self, facts: CheckpointFacts) -> _Figures:
        return self.figures.get(facts.id, _Figures())

    def inside_of(self, facts: CheckpointFacts) -> int | None:
        return self.inside.get(facts.list_id, 0) if facts.list_id in self.world.counted_lists else None

    def state(self, facts: CheckpointFacts) -> int:
        view = self.world.checkpoints.get(facts.id)
        by_hand = self.by_hand(view.place_id if view else None)
        session = self.sessions.get(facts.id)
        out_of_window = bool(facts.windows) and not any(self.at in window for window in facts.windows)
        is_over = session is not None and self.at >= session.ends_at
        if not facts.is_open or out_of_window or is_over or by_hand is RoomState.CLOSED:
            return CLOSED
        if by_hand is RoomState.FULL:
            return FULL
        inside = self.inside_of(facts)
        return (
            FULL if facts.capacity is not None and inside is not None and inside >= facts.capacity else OPEN
        )

    def counts_for_its_room(self, facts: CheckpointFacts) -> bool:
        session = self.sessions.get(facts.id)
        return session is None or session.starts_at - BEFORE_SESSION <= self.at < session.ends_at


async def _look(event_id: int, at: datetime) -> _Now:
    world = await checkpoints.world(event_id)
    today = world.programme_date(at)
    return _Now(
        world=world,
        at=at,
        today=today,
        figures=await _day_figures(event_id, today),
        inside=await _inside_now(world, at),
        sessions=await _session_spans(event_id),
        said=await checkpoints.rooms_said(
            event_id, world.slots, time_zone=world.time_zone, day_starts_minute=world.day_starts_minute
        ),
    )


def event_of(topic: str) -> int | None:
    """The event that a board's or rooms' topic belongs to; None for any other name."""
    prefix, *numbers = topic.split(".")
    if len(numbers) not in ((1, 2) if prefix == BOARD else (1,)) or prefix not in (BOARD, ROOMS):
        return None
    if any(not number.isascii() or not number.isdigit() or len(number) > 18 for number in numbers):
        return None
    return int(numbers[0])


def site_of(topic: str) -> int | None:
    """The site that a board's topic is narrowed to; None for the whole event's."""
    parts = topic.split(".")
    return int(parts[2]) if len(parts) == 3 and event_of(topic) is not None else None


# --- the board ---------------------------------------------------------------------------------------------------


async def board(*, event_id: int, at: datetime, site_id: int | None = None) -> dict[str, Any]:
    """The board's document for the programme day of ``at``, equal for every reader and language.

    ``registered``: valid passports of on-site ticket types; ``arrived``: people admitted at a gate today, each once;
    ``inside``: null unless a gate scans exits; ``minutes`` and ``day``: admissions and refusals, counted from the
    day's start, zeros at both ends cut off; ``checkpoints``: rows of ``columns``; ``latest``: newest first, with badge
    names, so this is for organisers; ``reasons``: every refusal of today; ``conflicts``: how many of the whole event are open; ``devices``: phones that fell silent; ``rehearsal``: when the one that runs ends (null: none), while
    which nothing here moves; ``rooms``: rows of place, exact count, how
    many fit, state and what is counted; ``lanes``: rows of checkpoint, last scan today (or null), the first
    step of five minutes that is told, and scans and refusals step by step, an hour back at most.
    ``layout`` changes when names or the set of checkpoints do. Nothing in it moves while nothing happens.

    With ``site_id`` it is about that site's checkpoints and ticket types alone; its arrivals and minutes are then read
    from the ledger of the day, because totals are kept for the event as a whole.
    """
    now = await _look(event_id, at)
    if site_id is not None:
        return await _site_board(event_id, site_id, now)
    world, today = now.world, now.today
    day = day_span(world, today)
    shown = _shown(now)
    rooms_now = _limited(_rooms(now, await events.places(event_id)))
    return {
        "date": today.isoformat(),
        "starts": int(day.starts_at.timestamp()),
        "ends": int(day.ends_at.timestamp()),
        "registered": await _registered(event_id),
        "arrived": await _arrived(event_id, today),
        "inside": _inside_gates(now),
        **await _series(event_id, day, at),
        "columns": ["id", "entries", "exits", "repeats", "refused", "inside", "capacity", "state"],
        "checkpoints": [_row(view.facts, now) for view in shown],
        "more": len(world.checkpoints) - len(shown),
        "layout": layout(world, shown, rooms_now),
        "latest": await _latest(event_id, day),
        "reasons": {"counts": await _reasons(event_id, today)},
        "conflicts": await _conflicts(event_id),
        "devices": await _devices(event_id),
        "rehearsal": _rehearsal(now),
        "rooms": [_room_row(one) for one in rooms_now],
        "lanes": await _lanes(now, day),
    }


async def _site_board(event_id: int, site_id: int, everything: _Now) -> dict[str, Any]:
    own = {number: view for number, view in everything.world.checkpoints.items() if view.in_site == site_id}
    now = replace(
        everything,
        world=replace(everything.world, checkpoints=own),
        figures={number: one for number, one in everything.figures.items() if number in own},
    )
    world, today = now.world, now.today
    day = day_span(world, today)
    shown = _shown(now)
    rooms_now = _limited(_rooms(now, await events.places(event_id), everything.world, site_id))
    gates = [number for number, view in own.items() if view.facts.kind is CheckpointKind.GATE]
    return {
        "date": today.isoformat(),
        "starts": int(day.starts_at.timestamp()),
        "ends": int(day.ends_at.timestamp()),
        "registered": await _registered(event_id, site_id),
        "arrived": await _arrived_at(gates, today),
        "inside": _inside_gates(now),
        **await _series_at(list(own), day, now),
        "columns": ["id", "entries", "exits", "repeats", "refused", "inside", "capacity", "state"],
        "checkpoints": [_row(view.facts, now) for view in shown],
        "more": len(world.checkpoints) - len(shown),
        "layout": layout(world, shown, rooms_now),
        "latest": await _latest(event_id, day, list(own)),
        "reasons": {"counts": await _reasons(event_id, today, list(own))},
        "conflicts": await _conflicts(event_id, list(own)),
        "devices": await _devices(event_id, list(own)),
        "rehearsal": _rehearsal(now),
        "rooms": [_room_row(one) for one in rooms_now],
        "lanes": await _lanes(now, day),
    }


def day_span(world: World, day: date) -> Interval:
    """A programme day as a span of time: from its start to the next one's, 23 or 25 hours where clocks change."""
    return day_of(day, zone=world.time_zone, day_starts_minute=world.day_starts_minute)


def shown_checkpoints(world: World, document: Mapping[str, Any]) -> list[CheckpointView]:
    """The checkpoints of a document's rows, in its order."""
    return [world.checkpoints[row[0]] for row in document["checkpoints"] if row[0] in world.checkpoints]


def layout(world: World, shown: Sequence[CheckpointView], rooms_: Sequence[RoomNow]) -> int:
    """A number that changes when the page's fixed words would."""
    said = [[view.facts.id, view.facts.kind.value, view.name] for view in shown]
    types = [[number, words.name] for number, words in sorted(world.ticket_types.items())]
    return zlib.crc32(orjson.dumps([said, types, [[one.place.id, one.place.name] for one in rooms_]]))


def _shown(now: _Now) -> list[CheckpointView]:
    views = list(now.world.checkpoints.values())
    if len(views) <= CHECKPOINTS_MAX:
        return views

    def rank(view: CheckpointView) -> tuple[bool, bool]:
        return view.facts.kind is not CheckpointKind.GATE, not now.of(view.facts).total

    chosen = {view.facts.id for view in sorted(views, key=rank)[:CHECKPOINTS_MAX]}
    return [view for view in views if view.facts.id in chosen]


def _row(facts: CheckpointFacts, now: _Now) -> list[int | None]:
    own = now.of(facts)
    return [
        facts.id,
        own.entry,
        own.exit,
        own.repeat,
        own.refused,
        now.inside_of(facts),
        facts.capacity,
        now.state(facts),
    ]


def _inside_gates(now: _Now) -> int | None:
    lists = {
        view.facts.list_id
        for view in now.world.checkpoints.values()
        if view.facts.kind is CheckpointKind.GATE and view.facts.scans_exits
    }
    return sum(now.inside.get(number, 0) for number in lists) if lists else None


# --- its figures, one statement each -----------------------------------------------------------------------------


def _day_key(event_id: int, day: date) -> str:
    return orjson.dumps([{"e": event_id, "d": day.isoformat()}]).decode()


async def _registered(event_id: int, site_id: int | None = None) -> int:
    on_site = {
        one.id
        for one in await events.ticket_types(event_id)
        if not one.is_online and (site_id is None or one.site_id == site_id)
    }
    rows = await query(
        "SELECT ticket_type_id, count(*) AS n FROM passport WHERE event_id = $1 AND status = $2 GROUP BY ticket_type_id",
        event_id,
        PassportStatus.VALID.value,
    )
    return sum(row["n"] for row in rows if row["ticket_type_id"] in on_site)


async def _arrived(event_id: int, day: date) -> int:
    rows = await query(
        f"""SELECT count(*) AS n FROM {json_rows("$1", e="int", d="date")}
            JOIN arrival a ON a.event_id = r.e AND a.programme_date = r.d""",  # noqa: S608 -- our own constant
        _day_key(event_id, day),
    )
    return int(rows[0]["n"])


async def _arrived_at(gates: Sequence[int], day: date) -> int:
    """People admitted at these gates on a day, each once; from the ledger."""
    rows = await query(
        f"""SELECT count(DISTINCT s.passport_id) AS n FROM scan s
            JOIN {json_rows("$2", d="date")} ON r.d = s.programme_date
            WHERE s.checkpoint_id {in_list("$1", "int")} AND s.turn >= 0 AND s.direction = 'entry'
                AND {STANDS}""",  # noqa: S608
        list_parameter(gates),
        orjson.dumps([{"d": day.isoformat()}]).decode(),
    )
    return int(rows[0]["n"])


async def _day_figures(event_id: int, day: date) -> dict[int, _Figures]:
    rows = await query(
        f"""SELECT t.checkpoint_id, t.outcome, sum(t.count) AS n FROM {json_rows("$1", e="int", d="date")}
            JOIN day_tally t ON t.event_id = r.e AND t.programme_date = r.d
            GROUP BY t.checkpoint_id, t.outcome""",  # noqa: S608
        _day_key(event_id, day),
    )
    found: dict[int, _Figures] = {}
    for row in rows:
        setattr(found.setdefault(row["checkpoint_id"], _Figures()), row["outcome"], int(row["n"]))
    for figures in found.values():
        figures.entry -= figures.undone
        figures.exit -= figures.reopened
        figures.let_in -= figures.sent_out
    return found


async def _inside_now(world: World, at: datetime) -> dict[int, int]:
    """People inside each counted list, in the period that a scan made now would fall into."""
    periods = {
        view.facts.list_id: key_now(world, view.facts, at)
        for view in world.checkpoints.values()
        if view.facts.list_id in world.counted_lists
    }
    rows = await query(
        f"""SELECT p.list_id, p.inside FROM {json_rows("$1", l="int", d="text")}
            JOIN presence p ON p.list_id = r.l AND p.period = r.d""",  # noqa: S608
        orjson.dumps([{"l": number, "d": period} for number, period in sorted(periods.items())]).decode(),
    )
    return {row["list_id"]: row["inside"] for row in rows}


def key_now(world: World, facts: CheckpointFacts, at: datetime) -> str:
    """Under what an admission made now would count among the people inside."""
    day = world.programme_date(at)
    return counted_in(facts, period=period_of(facts, at=at, programme_date=day), programme_date=day)


async def _session_spans(event_id: int) -> dict[int, Interval]:
    """By checkpoint, when its session takes place."""
    rows = await query(
        """SELECT c.id, s.starts_at, s.ends_at FROM checkpoint c JOIN session s ON s.id = c.session_id
           WHERE c.event_id = $1""",
        event_id,
    )
    found = {}
    for row in rows:
        starts_at, ends_at = as_instant(row["starts_at"]), as_instant(row["ends_at"])
        assert starts_at and ends_at
        found[row["id"]] = Interval(starts_at, ends_at)
    return found


async def _series(event_id: int, day: Interval, at: datetime) -> dict[str, Any]:
    """``minutes``: the last two hours, minute by minute; ``day``: today in steps of five minutes."""
    first = int(day.starts_at.timestamp()) // 60
    now = int(at.timestamp()) // 60
    close = max(first, now - MINUTES + 1)
    rows = await query(
        """SELECT 1 AS step, minute AS slot, outcome, count AS n FROM minute_tally
           WHERE event_id = $1 AND minute >= $3 AND minute < $4 AND outcome IN ('entry', 'refused')
           UNION ALL
           SELECT 5, (minute - $2) / 5, 'entry', sum(count) FROM minute_tally
           WHERE event_id = $1 AND minute >= $2 AND minute < $4 AND outcome = 'entry' GROUP BY (minute - $2) / 5""",
        event_id,
        first,
        close,
        int(day.ends_at.timestamp()) // 60,
    )
    entries = {
        row["slot"] - first: int(row["n"]) for row in rows if row["step"] == 1 and row["outcome"] == "entry"
    }
    refused = {
        row["slot"] - first: int(row["n"]) for row in rows if row["step"] == 1 and row["outcome"] == "refused"
    }
    steps = {row["slot"]: int(row["n"]) for row in rows if row["step"] == STEP}
    return _as_series(entries, refused, steps)


async def _series_at(checkpoints_: Sequence[int], day: Interval, now: _Now) -> dict[str, Any]:
    """As ``_series``, of some checkpoints alone, from the day's ledger."""
    first, close = int(day.starts_at.timestamp()) // 60, int(now.at.timestamp()) // 60 - MINUTES + 1
    rows = await query(
        f"""SELECT substr(CAST(s.at AS TEXT), 1, 16) AS m, {_OUTCOME} AS o, count(*) AS n FROM scan s
            JOIN {json_rows("$2", d="date")} ON r.d = s.programme_date
            WHERE s.checkpoint_id {in_list("$1", "int")} GROUP BY 1, 2""",  # noqa: S608 -- our own constants
        list_parameter(checkpoints_),
        orjson.dumps([{"d": now.today.isoformat()}]).decode(),
    )
    near: dict[str, dict[int, int]] = {Outcome.ENTRY.value: {}, Outcome.REFUSED.value: {}}
    steps: Counter[int] = Counter()
    for row in rows:
        minute = _minute(row["m"])
        if row["o"] in near and minute >= close:
            near[row["o"]][minute - first] = int(row["n"])
        if row["o"] == Outcome.ENTRY.value:
            steps[(minute - first) // STEP] += int(row["n"])
    return _as_series(near[Outcome.ENTRY.value], near[Outcome.REFUSED.value], steps)


def _as_series(
    entries: Mapping[int, int], refused: Mapping[int, int], steps: Mapping[int, int]
) -> dict[str, Any]:
    known = entries.keys() | refused.keys()
    span = range(min(known), max(known) + 1) if known else range(0)
    day_span_ = range(min(steps), max(steps) + 1) if steps else range(0)
    return {
        "minutes": {
            "from": span.start,
            "entries": [entries.get(slot, 0) for slot in span],
            "refused": [refused.get(slot, 0) for slot in span],
        },
        "day": {"step": STEP, "from": day_span_.start, "entries": [steps.get(slot, 0) for slot in day_span_]},
    }


async def _latest(event_id: int, day: Interval, only: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """The last scans made within a day, the newest first by when they were made: through ``idx_scan_at``."""
    where, values = _only(only, "$4")
    rows = await query(
        f"""SELECT s.id, s.at, s.checkpoint_id, s.verdict, s.direction, s.ticket_type_id, p.badge_name
           FROM (SELECT * FROM scan WHERE event_id = $1 AND at >= $2 AND at < $3 {where}
                 ORDER BY at DESC, id DESC LIMIT 12) s
           LEFT JOIN passport p ON p.id = s.passport_id ORDER BY s.at DESC, s.id DESC""",  # noqa: S608 -- values are parameters
        event_id,
        day.starts_at,
        day.ends_at,
        *values,
    )
    found = []
    for row in rows:
        at = as_instant(row["at"])
        assert at is not None
        found.append(
            {
                "id": row["id"],
                "at": int(at.timestamp()),
                "checkpoint": row["checkpoint_id"],
                "verdict": row["verdict"],
                "direction": row["direction"],
                "name": _short(row["badge_name"]),
                "type": row["ticket_type_id"],
            }
        )
    return found


def _short(name: str | None) -> str | None:
    return name if name is None or len(name) <= NAME_MAX else name[: NAME_MAX - 1] + "…"


def _only(checkpoints_: Sequence[int] | None, name: str = "$2", alias: str = "") -> tuple[str, list[Any]]:
    """A condition on scans, and its parameter ``name``: those of some checkpoints, or of all."""
    if checkpoints_ is None:
        return "", []
    return f"AND {alias}checkpoint_id {in_list(name, 'int')}", [list_parameter(checkpoints_)]


async def _reasons(event_id: int, day: date, only: Sequence[int] | None = None) -> dict[str, int]:
    """Every refusal of a day by its verdict, the commonest first."""
    where, values = _only(only, "$2", "t.")
    rows = await query(
        f"""SELECT t.verdict, sum(t.count) AS n FROM {json_rows("$1", e="int", d="date")}
            JOIN refusal_tally t ON t.event_id = r.e AND t.programme_date = r.d
            WHERE t.count > 0 {where} GROUP BY t.verdict""",  # noqa: S608 -- our own constants
        _day_key(event_id, day),
        *values,
    )
    return dict(
        sorted(((row["verdict"], int(row["n"])) for row in rows), key=lambda pair: (-pair[1], pair[0]))
    )


def _rehearsal(now: _Now) -> int | None:
    running = now.world.rehearsal_at(now.at)
    return int(running.ends_at.timestamp()) if running else None


async def _conflicts(event_id: int, only: Sequence[int] | None = None) -> dict[str, int]:
    found = await conflicts.figures(event_id, only)
    return {"open": found.open, "total": found.total, "newest": found.newest}


async def _devices(event_id: int, only: Sequence[int] | None = None) -> dict[str, int]:
    found = await devices.quiet(event_id, only)
    return {"quiet": found.phones, "newest": found.newest}


async def _lanes(now: _Now, day: Interval) -> list[list[Any]]:
    """The throughput of each lane in the last hour, and when each was last used; two statements."""
    world, views = now.world, now.world.checkpoints
    step = STEP * 60
    began = int(day.starts_at.timestamp())
    first = max(0, (int(now.at.timestamp()) - LANE_MINUTES * 60 - began) // step + 1)
    lasts = await query(
        # A span instead of "=", which keeps to idx_scan_checkpoint: else PostgreSQL walks the whole ledger backwards for
        # a checkpoint without a scan.
        """SELECT c.id, (SELECT s.at FROM scan s WHERE s.checkpoint_id >= c.id AND s.checkpoint_id <= c.id
                         ORDER BY s.checkpoint_id DESC, s.id DESC LIMIT 1) AS at
           FROM checkpoint c WHERE c.event_id = $1""",
        world.event_id,
    )
    last = {row["id"]: as_instant(row["at"]) for row in lasts}
    rows = await query(
        f"""SELECT checkpoint_id, substr(CAST(at AS TEXT), 1, 16) AS m, {_OUTCOME} AS o, count(*) AS n,
                max(at) AS last FROM scan
            WHERE event_id = $1 AND at >= $2 AND at < $3 GROUP BY 1, 2, 3""",  # noqa: S608 -- our own constants
        world.event_id,
        datetime.fromtimestamp(began + first * step, UTC),
        day.ends_at,
    )
    scans: dict[int, Counter[int]] = {}
    refused: dict[int, Counter[int]] = {}
    for row in rows:
        slot = (_minute(row["m"]) * 60 - began) // step
        # Scans that waited in a queue come later than they were made: the highest id is not always the last scan.
        latest, known = as_instant(row["last"]), last.get(row["checkpoint_id"])
        if latest is not None and (known is None or latest > known):
            last[row["checkpoint_id"]] = latest
        if row["o"] == Outcome.LET_IN.value:
            continue  # a row beside a scan that is counted as refused
        scans.setdefault(row["checkpoint_id"], Counter())[slot] += int(row["n"])
        if row["o"] == Outcome.REFUSED.value:
            refused.setdefault(row["checkpoint_id"], Counter())[slot] += int(row["n"])
    today = {
        number: at for number, at in last.items() if at is not None and day.starts_at <= at < day.ends_at
    }
    found = [
        view
        for view in views.values()
        if view.facts.kind is CheckpointKind.GATE or view.facts.id in scans or view.facts.id in today
    ]

    def rank(view: CheckpointView) -> tuple[bool, float]:
        at = today.get(view.facts.id)
        return view.facts.kind is not CheckpointKind.GATE, -at.timestamp() if at else 0.0

    chosen = {view.facts.id for view in sorted(found, key=rank)[:LANES_MAX]}
    return [
        _lane(number, today.get(number), scans.get(number, Counter()), refused.get(number, Counter()))
        for number in views
        if number in chosen
    ]


async def lanes(*, event_id: int, at: datetime, own: frozenset[int] | None) -> dict[str, Any]:
    """The lanes that somebody leads, for their phone: the last hour in steps of five minutes, the latest last.

    Every gate, and what was scanned at today; of ``own`` checkpoints, or of all. Nothing in it moves by itself but
    the steps, every five minutes. As many statements for one lane as for all.
    """
    everything = await _look(event_id, at)
    views = {
        number: view for number, view in everything.world.checkpoints.items() if own is None or number in own
    }
    now = replace(everything, world=replace(everything.world, checkpoints=views))
    day = day_span(now.world, now.today)
    began, step = int(day.starts_at.timestamp()), STEP * 60
    end = (int(at.timestamp()) - began) // step
    span = range(end - LANE_MINUTES // STEP + 1, end + 1)
    found = []
    for number, last, first, scans, refused in await _lanes(now, day):
        found.append(
            {
                "id": number,
                "name": dict(views[number].name),
                "is_open": now.state(views[number].facts) != CLOSED,
                "last_at": None if last is None else datetime.fromtimestamp(last, UTC),
                "scans": [_at(scans, slot - first) for slot in span],
                "refused": [_at(refused, slot - first) for slot in span],
            }
        )
    ends = datetime.fromtimestamp(began + (end + 1) * step, UTC)
    return {"steps_end_at": ends, "step_s": step, "lanes": found}


def _at(steps: Sequence[int], place: int) -> int:
    return steps[place] if 0 <= place < len(steps) else 0


def _lane(number: int, last: datetime | None, scans: Counter[int], refused: Counter[int]) -> list[Any]:
    span = range(min(scans), max(scans) + 1) if scans else range(0)
    said = range(span.start, max(refused) + 1) if refused else range(0)
    return [
        number,
        None if last is None else int(last.timestamp()),
        span.start,
        [scans[slot] for slot in span],
        [refused[slot] for slot in said],
    ]


async def counts(
    *, checkpoint_id: int, programme_date: date, key: str | None = None
) -> dict[str, int | None]:
    """One checkpoint's figures of a day, for the foot of a scanner: two statements.

    ``inside`` and ``capacity`` are of its list, which lanes of one door share; ``inside`` is null where nobody counts.
    ``key``: under what people inside count now, where the checkpoint follows the programme (``key_now``).
    """
    rows = await query(
        f"""SELECT t.outcome, sum(t.count) AS n FROM {json_rows("$1", e="int", d="date")}
            JOIN day_tally t ON t.checkpoint_id = r.e AND t.programme_date = r.d GROUP BY t.outcome""",  # noqa: S608
        _day_key(checkpoint_id, programme_date),
    )
    figures = {row["outcome"]: int(row["n"]) for row in rows}
    lists = await query(
        """SELECT l.once, l.capacity, p.period, p.inside FROM checkpoint c JOIN checkin_list l ON l.id = c.list_id
           LEFT JOIN presence p ON p.list_id = l.id WHERE c.id = $1 ORDER BY p.period""",
        checkpoint_id,
    )
    inside: int | None = None
    for row in lists:
        # Days and windows are in the period's own words; an event's or a session's list has only one.
        own = (
            Once(row["once"]) not in (Once.DAY, Once.WINDOW)
            or str(row["period"])[:10] == programme_date.isoformat()
        )
        if key is not None:
            own = row["period"] == key
            inside = inside or 0
        if row["inside"] is not None and own:
            inside = row["inside"]
    return {
        "entries": figures.get("entry", 0) - figures.get("undone", 0),
        "exits": figures.get("exit", 0) - figures.get("reopened", 0),
        "repeats": figures.get("repeat", 0),
        "refused": figures.get("refused", 0),
        "inside": inside,
        "capacity": lists[0]["capacity"] if lists else None,
    }


# --- rooms, for everybody ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RoomNow:
    """A place with exact figures. ``capacity``: how many fit, null where the count does not say how full it is.

    ``scanned``: what its doors alone say; ``seats``: how many fit whatever is counted; ``said``: by hand.
    """

    place: events.PlaceFacts
    state: int
    count: int
    of: str
    capacity: int | None
    by_hand: RoomState
    scanned: Scanned
    said: Said
    seats: int | None
    now: Slot | None
    next: Slot | None
    #: The checkpoints that are its doors now, in order.
    doors: tuple[int, ...] = ()

    @property
    def level(self) -> int:
        return shown_level(by_hand=self.by_hand, state=self.state, count=self.count, capacity=self.capacity)


async def rooms(*, event_id: int, at: datetime) -> list[Room]:
    """Every place that has a checkpoint or of which anything was said, in the order of the venue, with a rounded count.

    A session's checkpoint counts for its room from half an hour before it begins until its end; one that follows the
    programme always does.
    """
    return [
        Room(
            one.place.id,
            one.place.code,
            one.place.name,
            one.state,
            rounded(one.count),
            one.of,
            one.level,
            one.now.guid if one.now else None,
        )
        for one in await rooms_now(event_id=event_id, at=at)
    ]


async def rooms_now(*, event_id: int, at: datetime) -> list[RoomNow]:
    """As ``rooms``, exact, for whoever works at them."""
    return _rooms(await _look(event_id, at), await events.places(event_id))


async def room_now(*, event_id: int, place_id: int, at: datetime) -> RoomNow | None:
    """One place as a room, also where nothing counts for it yet; None for another event's."""
    now = await _look(event_id, at)
    places = await events.places(event_id)
    known = next((one for one in _rooms(now, places) if one.place.id == place_id), None)
    place = next((one for one in places if one.id == place_id), None)
    return known or (_room(place, [], frozenset(), now) if place else None)


def _rooms(
    now: _Now,
    places: Sequence[events.PlaceFacts],
    whole: World | None = None,
    site_id: int | None = None,
) -> list[RoomNow]:
    by_place: dict[int, list[CheckpointFacts]] = {}
    places_of: dict[int, set[int | None]] = {}
    #: With a door somewhere, whichever board it stands on.
    with_doors = set()
    for view in (whole or now.world).checkpoints.values():
        places_of.setdefault(view.facts.list_id, set()).add(view.place_id)
        with_doors.add(view.place_id)
        if view.place_id is not None and view.facts.id in now.world.checkpoints:
            by_place.setdefault(view.place_id, []).append(view.facts)
    # People inside a list that an event's many gates share are at none of them.
    local = frozenset(number for number, where in places_of.items() if len(where) == 1)
    return [
        _room(place, by_place.get(place.id, []), local, now)
        for place in places
        if place.id in by_place
        or (place.id in now.said and place.id not in with_doors and site_id in (None, place.site_id))
    ]


def _limited(rooms_: Sequence[RoomNow]) -> list[RoomNow]:
    """The rooms that can be full: those are what a board marks; the others' doors stand on it anyway."""
    return [
        one
        for one in rooms_
        if one.capacity or one.state == FULL or one.of == COUNTED or one.by_hand is not RoomState.AUTOMATIC
    ][:ROOMS_MAX]


def _room_row(one: RoomNow) -> list[Any]:
    return [one.place.id, one.count, one.capacity, one.state, one.of]


#: What a room's figure counts, as documents write it.
WITHIN: Final = "inside"
ENTRIES: Final = "entries"
COUNTED: Final = "counted"


def _room(
    place: events.PlaceFacts, every: Sequence[CheckpointFacts], local: frozenset[int], now: _Now
) -> RoomNow:
    """A place's state and exact figures, from the checkpoints that count for it now and what was said of it.

    Entries of a whole day say nothing about how full a hall is; people inside, entries to a running session and heads
    counted do. How many fit is the place's own word, else the limit of its doors' one list.
    """
    doors = [facts for facts in every if now.counts_for_its_room(facts)]
    said = now.said.get(place.id) or Said(place.id)
    lists = {facts.list_id for facts in doors}
    with_exits = {facts.list_id for facts in doors if facts.scans_exits and facts.list_id in local}
    if with_exits:
        of = WITHIN
        scanned = Scanned(
            sum(now.inside.get(number, 0) for number in with_exits), now.today.isoformat(), True
        )
    elif doors and all(facts.slots is not None for facts in doors):
        of = ENTRIES
        key = key_now(now.world, doors[0], now.at)
        scanned = Scanned(sum(now.inside.get(number, 0) for number in lists), key)
    else:
        of = ENTRIES
        came = (now.of(facts) for facts in doors)
        scanned = Scanned(sum(one.entry + one.let_in for one in came), now.today.isoformat())
    count, is_counted = fill(scanned, said.heads, now.at)
    seats = place.capacity or (doors[0].capacity if len(lists) == 1 else None) or None
    tells = (
        with_exits
        or is_counted
        or all(facts.id in now.sessions or facts.slots is not None for facts in doors)
    )
    slots, by_hand = now.world.slots.get(place.id, ()), now.by_hand(place.id)
    return RoomNow(
        place=place,
        state=state_of(
            by_hand=by_hand,
            doors=[now.state(facts) for facts in doors],
            count=count,
            capacity=seats if tells else None,
        ),
        count=count,
        of=COUNTED if is_counted else of,
        capacity=seats if tells else None,
        by_hand=by_hand,
        scanned=scanned,
        said=said,
        seats=seats,
        now=slot_at(slots, now.at, timedelta()),
        next=next_slot(slots, now.at),
        doors=tuple(facts.id for facts in doors),
    )


# --- rebuilding --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A total that does not agree with the ledger: by how much it is too low (below zero: too high)."""

    table: str
    key: tuple[int | str, ...]
    by: int


async def differences(event_id: int) -> list[Difference]:
    """Compares every total of the event with the scans; empty when all agree.

    Each table is compared in one statement, hence in one snapshot: scans may go on meanwhile.
    """
    world = await checkpoints.read_world(event_id)
    found: list[Difference] = []
    for table, wrong in (
        ("day_tally", await _wrong_days(event_id)),
        ("minute_tally", await _wrong_minutes(event_id)),
        ("refusal_tally", await _wrong_refusals(event_id)),
        ("arrival", await _wrong_arrivals(event_id)),
        ("presence", await _wrong_presence(event_id, world.counted_lists)),
    ):
        found += [Difference(table, key, by) for key, by in wrong.items()]
    return sorted(found, key=lambda one: (one.table, [str(part) for part in one.key]))


async def rebuild(event_id: int) -> list[Difference]:
    """Makes every total agree with the ledger again and gives what had not; the ledger itself is never touched.

    Reads the ledger without holding the writer, then corrects by the difference: scans that commit meanwhile change
    truth and total alike, so they are neither lost nor counted twice. Raises Busy when another rebuild came between.
    """
    mark = f"rebuild.{event_id}"
    begun = (await topics.versions([mark]))[mark]
    found = await differences(event_id)
    if not found:
        return []
    async with unit_of_work():
        # The bump waits for any other rebuild's commit, and then shows that there was one.
        await topics.bump(mark)
        if (await topics.versions([mark]))[mark] != begun + 1:
            raise Busy()
        by_table = {name: [one for one in found if one.table == name] for name in _REPAIR}
        for name, sql in _REPAIR.items():
            if by_table[name]:
                rows = [
                    dict(zip("abcdef", (event_id, *one.key, one.by), strict=False)) for one in by_table[name]
                ]
                await query(sql(), orjson.dumps(rows).decode())
        await _repair_presence([one for one in found if one.table == "presence"])
        await _repair_arrivals(event_id, [one for one in found if one.table == "arrival"])
        changed = (board_topic(event_id), rooms_topic(event_id))
        await topics.tell(*changed)
    return found


#: The verdicts that count as refusals, as SQL writes them.
_REFUSALS: Final = ", ".join(repr(code.value) for code in VerdictCode if OUTCOMES[code] is Outcome.REFUSED)
_OUTCOME: Final = (
    "CASE "
    + " ".join(
        f"WHEN verdict IN ({', '.join(repr(code.value) for code in VerdictCode if OUTCOMES[code] is outcome)}) "
        f"THEN '{outcome.value}'"
        for outcome in Outcome
    )
    + " END"
)


def _summed(rows: Iterable[tuple[tuple[int | str, ...], int]]) -> dict[tuple[int | str, ...], int]:
    total: Counter[tuple[int | str, ...]] = Counter()
    for key, by in rows:
        total[key] += by
    return {key: by for key, by in total.items() if by}


async def _wrong_days(event_id: int) -> dict[tuple[int | str, ...], int]:
    rows = await query(
        f"""SELECT checkpoint_id AS c, programme_date AS d, COALESCE(ticket_type_id, 0) AS t, {_OUTCOME} AS o,
                count(*) AS n
            FROM scan WHERE event_id = $1 GROUP BY 1, 2, 3, 4
            UNION ALL SELECT checkpoint_id, programme_date, ticket_type_id, outcome, -count
            FROM day_tally WHERE event_id = $1""",  # noqa: S608 -- our own constants
        event_id,
    )
    return _summed(((row["c"], str(row["d"])[:10], row["t"], row["o"]), int(row["n"])) for row in rows)


async def _wrong_refusals(event_id: int) -> dict[tuple[int | str, ...], int]:
    rows = await query(
        f"""SELECT programme_date AS d, checkpoint_id AS c, verdict AS v, count(*) AS n
            FROM scan WHERE event_id = $1 AND verdict IN ({_REFUSALS}) GROUP BY 1, 2, 3
            UNION ALL SELECT programme_date, checkpoint_id, verdict, -count FROM refusal_tally WHERE event_id = $1""",  # noqa: S608
        event_id,
    )
    return _summed(((str(row["d"])[:10], row["c"], row["v"]), int(row["n"])) for row in rows)


async def _wrong_minutes(event_id: int) -> dict[tuple[int | str, ...], int]:
    # Both databases write an instant in UTC with the minute in its first 16 characters (kernel.db).
    rows = await query(
        f"""SELECT substr(CAST(at AS TEXT), 1, 16) AS m, {_OUTCOME} AS o, count(*) AS n
            FROM scan WHERE event_id = $1 GROUP BY 1, 2
            UNION ALL SELECT CAST(minute AS TEXT), outcome, -count FROM minute_tally WHERE event_id = $1""",  # noqa: S608
        event_id,
    )
    return _summed(((_minute(row["m"]), row["o"]), int(row["n"])) for row in rows)


def _minute(text: str) -> int:
    if text.isdigit():
        return int(text)
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


async def _wrong_arrivals(event_id: int) -> dict[tuple[int | str, ...], int]:
    rows = await query(
        f"""SELECT s.programme_date AS d, s.passport_id AS p, 1 AS n FROM scan s JOIN checkpoint c ON c.id = s.checkpoint_id
           WHERE s.event_id = $1 AND s.turn >= 0 AND s.direction = 'entry' AND c.kind = $2 AND {STANDS} GROUP BY 1, 2
           UNION ALL SELECT programme_date, passport_id, -1 FROM arrival WHERE event_id = $1""",  # noqa: S608 -- our own constant
        event_id,
        CheckpointKind.GATE.value,
    )
    return _summed(((str(row["d"])[:10], row["p"]), int(row["n"])) for row in rows)


async def _wrong_presence(event_id: int, lists: frozenset[int]) -> dict[tuple[int | str, ...], int]:
    rows = await query(
        f"""{INSIDE}
            UNION ALL SELECT p.list_id, p.period, -p.inside FROM presence p JOIN checkin_list l ON l.id = p.list_id
            WHERE l.event_id = $1""",  # noqa: S608 -- our own words
        event_id,
    )
    return _summed(((row["l"], row["d"]), int(row["n"])) for row in rows if row["l"] in lists)


async def _repair_presence(wrong: Sequence[Difference]) -> None:
    rows = orjson.dumps([{"l": one.key[0], "d": one.key[1], "n": one.by} for one in wrong]).decode()
    # Two steps: the check on "inside" looks at the row that is offered, before it is known that one exists.
    await query(
        f"""INSERT INTO presence (list_id, period, inside) SELECT l, d, 0 FROM {json_rows("$1", l="int", d="text")}
            WHERE true ORDER BY l, d ON CONFLICT DO NOTHING RETURNING id""",  # noqa: S608
        rows,
    )
    await query(
        f"""UPDATE presence SET inside = presence.inside + r.n
            FROM {json_rows("$1", l="int", d="text", n="int")}
            WHERE presence.list_id = r.l AND presence.period = r.d RETURNING id""",  # noqa: S608
        rows,
    )


async def _repair_arrivals(event_id: int, wrong: Sequence[Difference]) -> None:
    for by, sql in (
        (
            1,
            """INSERT INTO arrival (event_id, programme_date, passport_id)
               SELECT $2, d, p FROM {rows} WHERE true ORDER BY p ON CONFLICT DO NOTHING RETURNING id""",
        ),
        (
            -1,
            """DELETE FROM arrival WHERE event_id = $2 AND id IN (SELECT a.id FROM {rows} JOIN arrival a
               ON a.event_id = $2 AND a.programme_date = r.d AND a.passport_id = r.p
               WHERE NOT EXISTS (SELECT 1 FROM scan s JOIN checkpoint c ON c.id = s.checkpoint_id
                   WHERE s.passport_id = r.p AND s.programme_date = r.d AND s.event_id = $2 AND s.turn >= 0
                   AND s.direction = 'entry' AND c.kind = 'gate' AND {stands})) RETURNING id""",
        ),
    ):
        rows = [{"d": one.key[0], "p": one.key[1]} for one in wrong if one.by == by]
        if rows:
            await query(
                sql.format(rows=json_rows("$1", d="date", p="int"), stands=STANDS),
                orjson.dumps(rows).decode(),
                event_id,
            )


#: The row's letters are the event, then the difference's key, then by how much.
_REPAIR: Final[Mapping[str, Any]] = {
    "day_tally": lambda: (
        f"""INSERT INTO day_tally (event_id, checkpoint_id, programme_date, ticket_type_id, outcome, count)
            SELECT a, b, c, d, e, f FROM {json_rows("$1", a="int", b="int", c="date", d="int", e="text", f="int")}
            WHERE true ORDER BY b, c, d, e
            ON CONFLICT (checkpoint_id, programme_date, ticket_type_id, outcome)
            DO UPDATE SET count = day_tally.count + excluded.count RETURNING id"""  # noqa: S608
    ),
    "refusal_tally": lambda: (
        f"""INSERT INTO refusal_tally (event_id, programme_date, checkpoint_id, verdict, count)
            SELECT a, b, c, d, e FROM {json_rows("$1", a="int", b="date", c="int", d="text", e="int")}
            WHERE true ORDER BY b, c, d
            ON CONFLICT (event_id, programme_date, checkpoint_id, verdict)
            DO UPDATE SET count = refusal_tally.count + excluded.count RETURNING id"""  # noqa: S608
    ),
    "minute_tally": lambda: (
        f"""INSERT INTO minute_tally (event_id, minute, outcome, count)
            SELECT a, b, c, d FROM {json_rows("$1", a="int", b="int", c="text", d="int")} WHERE true ORDER BY b, c
            ON CONFLICT (event_id, minute, outcome)
            DO UPDATE SET count = minute_tally.count + excluded.count RETURNING id"""  # noqa: S608
    ),
}
