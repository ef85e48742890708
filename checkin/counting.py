"""What the door has counted: the live board's document, public rooms, and the proof that every total can be rebuilt.

Everything shown comes from the tallies that the scan's own transaction keeps; the ledger is read only for its latest
rows, so that a figure costs the same after a hundred scans and after half a million. The number of statements does not
depend on the number of checkpoints either.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from checkin import checkpoints
from checkin.checkpoints import CheckpointView, World
from checkin.rules import (
    OUTCOMES,
    CheckpointFacts,
    CheckpointKind,
    Once,
    Outcome,
    PassportStatus,
    VerdictCode,
    period_of,
    rounded,
)
from events import queries as events
from kernel.db import after_commit, as_instant, json_rows, query, unit_of_work
from kernel.errors import Busy
from kernel.interval import Interval
from kernel.live import hub
from kernel.text import LocalizedText
from people import topics

BOARD: Final = "board"
ROOMS: Final = "rooms"

#: The chart's closer look, and the steps of the whole day.
MINUTES: Final = 120
STEP: Final = 5
LATEST: Final = 12
#: Names are cut for the board; the document stays below 8 KB.
NAME_MAX: Final = 40
#: Checkpoints on one board: gates first, then those with scans today.
CHECKPOINTS_MAX: Final = 60
#: Reasons are not tallied: they are counted among the latest so many scans of today.
REASONS_AMONG: Final = 2_000
#: A session's door counts for its room from so long before it begins.
BEFORE_SESSION: Final = timedelta(minutes=30)

OPEN, FULL, CLOSED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Room:
    """A place for everybody to see: the count is rounded. ``state``: 0 open, 1 full, 2 closed.

    ``of`` says what is counted: people ``inside`` where exits are scanned, else ``entries`` of today.
    """

    id: int
    code: str
    name: LocalizedText
    state: int
    count: int
    of: str


@dataclass(slots=True)
class _Figures:
    """One checkpoint's scans of a day, by outcome."""

    entry: int = 0
    exit: int = 0
    repeat: int = 0
    refused: int = 0

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

    def of(self, facts: CheckpointFacts) -> _Figures:
        return self.figures.get(facts.id, _Figures())

    def inside_of(self, facts: CheckpointFacts) -> int | None:
        return self.inside.get(facts.list_id, 0) if facts.list_id in self.world.counted_lists else None

    def state(self, facts: CheckpointFacts) -> int:
        session = self.sessions.get(facts.id)
        out_of_window = bool(facts.windows) and not any(self.at in window for window in facts.windows)
        if not facts.is_open or out_of_window or (session is not None and self.at >= session.ends_at):
            return CLOSED
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
    )


def board_topic(event_id: int) -> str:
    return f"{BOARD}.{event_id}"


def rooms_topic(event_id: int) -> str:
    return f"{ROOMS}.{event_id}"


def event_of(topic: str) -> int | None:
    """The event that a board's or rooms' topic belongs to; None for any other name."""
    prefix, _, number = topic.partition(".")
    if prefix not in (BOARD, ROOMS) or not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    return int(number)


# --- the board ---------------------------------------------------------------------------------------------------


async def board(*, event_id: int, at: datetime) -> dict[str, Any]:
    """The board's document for the programme day of ``at``, equal for every reader and language.

    ``registered``: valid passports of on-site ticket types; ``arrived``: people admitted at a gate today, each once;
    ``inside``: null unless a gate scans exits; ``minutes`` and ``day``: admissions and refusals, counted from the
    day's start, zeros at both ends cut off; ``checkpoints``: rows of ``columns``; ``latest``: newest first, with badge
    names, so this is for organisers; ``reasons``: refusals of today, among the latest ``among`` scans (null: all).
    ``layout`` changes when names or the set of checkpoints do. Nothing in it moves while nothing happens.
    """
    now = await _look(event_id, at)
    world, today = now.world, now.today
    day = day_span(world, today)
    shown = _shown(now)
    total = sum(one.total for one in now.figures.values())
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
        "layout": layout(world, shown),
        "latest": await _latest(event_id, today),
        "reasons": {
            "among": REASONS_AMONG if total > REASONS_AMONG else None,
            "counts": await _reasons(event_id, today) if total else {},
        },
    }


def day_span(world: World, day: date) -> Interval:
    """A programme day as a span of time: from its start to the next one's, 23 or 25 hours where clocks change."""
    zone = ZoneInfo(world.time_zone)

    def start(of: date) -> datetime:
        wall = datetime(of.year, of.month, of.day) + timedelta(minutes=world.day_starts_minute)  # noqa: DTZ001 -- wall time
        return wall.replace(tzinfo=zone).astimezone(UTC)

    return Interval(start(day), start(day + timedelta(days=1)))


def shown_checkpoints(world: World, document: Mapping[str, Any]) -> list[CheckpointView]:
    """The checkpoints of a document's rows, in its order."""
    return [world.checkpoints[row[0]] for row in document["checkpoints"] if row[0] in world.checkpoints]


def layout(world: World, shown: Sequence[CheckpointView]) -> int:
    """A number that changes when the page's fixed words would."""
    said = [[view.facts.id, view.facts.kind.value, view.name] for view in shown]
    types = [[number, words.name] for number, words in sorted(world.ticket_types.items())]
    return zlib.crc32(orjson.dumps([said, types]))


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


async def _registered(event_id: int) -> int:
    on_site = {one.id for one in await events.ticket_types(event_id) if not one.is_online}
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
    return found


async def _inside_now(world: World, at: datetime) -> dict[int, int]:
    """People inside each counted list, in the period that a scan made now would fall into."""
    periods = {
        view.facts.list_id: period_of(view.facts, at=at, programme_date=world.programme_date(at))
        for view in world.checkpoints.values()
        if view.facts.list_id in world.counted_lists
    }
    rows = await query(
        f"""SELECT p.list_id, p.inside FROM {json_rows("$1", l="int", d="text")}
            JOIN presence p ON p.list_id = r.l AND p.period = r.d""",  # noqa: S608
        orjson.dumps([{"l": number, "d": period} for number, period in sorted(periods.items())]).decode(),
    )
    return {row["list_id"]: row["inside"] for row in rows}


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


async def _latest(event_id: int, day: date) -> list[dict[str, Any]]:
    rows = await query(
        """SELECT s.id, s.at, s.checkpoint_id, s.verdict, s.direction, s.ticket_type_id, s.programme_date, p.badge_name
           FROM (SELECT * FROM scan WHERE event_id = $1 ORDER BY id DESC LIMIT 12) s
           LEFT JOIN passport p ON p.id = s.passport_id ORDER BY s.id DESC""",
        event_id,
    )
    found = []
    for row in rows:
        at = as_instant(row["at"])
        assert at is not None
        if str(row["programme_date"])[:10] == day.isoformat():
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


async def _reasons(event_id: int, day: date) -> dict[str, int]:
    rows = await query(
        f"""SELECT t.verdict, count(*) AS n
            FROM (SELECT verdict, programme_date FROM scan WHERE event_id = $1 ORDER BY id DESC LIMIT {REASONS_AMONG}) t
            JOIN {json_rows("$2", d="date")} ON r.d = t.programme_date GROUP BY t.verdict""",  # noqa: S608
        event_id,
        orjson.dumps([{"d": day.isoformat()}]).decode(),
    )
    counts = {
        row["verdict"]: int(row["n"])
        for row in rows
        if OUTCOMES[VerdictCode(row["verdict"])] is Outcome.REFUSED
    }
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


async def counts(*, checkpoint_id: int, programme_date: date) -> dict[str, int | None]:
    """One checkpoint's figures of a day, for the foot of a scanner: two statements.

    ``inside`` and ``capacity`` are of its list, which lanes of one door share; ``inside`` is null where nobody counts.
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
        if row["inside"] is not None and own:
            inside = row["inside"]
    return {
        "entries": figures.get("entry", 0),
        "exits": figures.get("exit", 0),
        "repeats": figures.get("repeat", 0),
        "refused": figures.get("refused", 0),
        "inside": inside,
        "capacity": lists[0]["capacity"] if lists else None,
    }


# --- rooms, for everybody ----------------------------------------------------------------------------------------


async def rooms(*, event_id: int, at: datetime) -> list[Room]:
    """Every place that has a checkpoint, in the order of the venue, with a rounded count.

    A session's checkpoint counts for its room from half an hour before it begins until its end.
    """
    now = await _look(event_id, at)
    by_place: dict[int, list[CheckpointFacts]] = {}
    places_of: dict[int, set[int | None]] = {}
    for view in now.world.checkpoints.values():
        places_of.setdefault(view.facts.list_id, set()).add(view.place_id)
        if view.place_id is not None:
            by_place.setdefault(view.place_id, []).append(view.facts)
    # People inside a list that an event's many gates share are at none of them.
    local = frozenset(number for number, where in places_of.items() if len(where) == 1)
    found = []
    for place in await events.places(event_id):
        if place.id in by_place:
            doors = [facts for facts in by_place[place.id] if now.counts_for_its_room(facts)]
            state, count, of = _fill(doors, place.capacity, local, now)
            found.append(Room(place.id, place.code, place.name, state, rounded(count), of))
    return found


def _fill(
    doors: Sequence[CheckpointFacts], capacity: int | None, local: frozenset[int], now: _Now
) -> tuple[int, int, str]:
    """A place's state, exact count and what is counted, from the checkpoints that count for it now."""
    with_exits = {facts.list_id for facts in doors if facts.scans_exits and facts.list_id in local}
    if with_exits:
        count, of = sum(now.inside.get(number, 0) for number in with_exits), "inside"
    else:
        count, of = sum(now.of(facts).entry for facts in doors), "entries"
    states = [now.state(facts) for facts in doors]
    if states and all(state == CLOSED for state in states):
        return CLOSED, count, of
    # Entries of a whole day say nothing about how full a hall is; those of a running session do.
    says_fill = of == "inside" or all(facts.id in now.sessions for facts in doors)
    if capacity and says_fill and count >= capacity:
        return FULL, count, of
    usable = [state for state in states if state != CLOSED]
    return (FULL if usable and all(state == FULL for state in usable) else OPEN), count, of


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
        await topics.bump(*changed)
        for topic in changed:
            after_commit(partial(hub.touched, topic))
    return found


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
        """SELECT s.programme_date AS d, s.passport_id AS p, 1 AS n FROM scan s JOIN checkpoint c ON c.id = s.checkpoint_id
           WHERE s.event_id = $1 AND s.turn >= 0 AND s.direction = 'entry' AND c.kind = $2 GROUP BY 1, 2
           UNION ALL SELECT programme_date, passport_id, -1 FROM arrival WHERE event_id = $1""",
        event_id,
        CheckpointKind.GATE.value,
    )
    return _summed(((str(row["d"])[:10], row["p"]), int(row["n"])) for row in rows)


async def _wrong_presence(event_id: int, lists: frozenset[int]) -> dict[tuple[int | str, ...], int]:
    rows = await query(
        """SELECT list_id AS l, period AS d, sum(CASE WHEN direction = 'entry' THEN 1 ELSE -1 END) AS n FROM scan
           WHERE event_id = $1 AND turn >= 0 GROUP BY 1, 2
           UNION ALL SELECT p.list_id, p.period, -p.inside FROM presence p JOIN checkin_list l ON l.id = p.list_id
           WHERE l.event_id = $1""",
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
                   AND c.kind = 'gate')) RETURNING id""",
        ),
    ):
        rows = [{"d": one.key[0], "p": one.key[1]} for one in wrong if one.by == by]
        if rows:
            await query(
                sql.format(rows=json_rows("$1", d="date", p="int")), orjson.dumps(rows).decode(), event_id
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
    "minute_tally": lambda: (
        f"""INSERT INTO minute_tally (event_id, minute, outcome, count)
            SELECT a, b, c, d FROM {json_rows("$1", a="int", b="int", c="text", d="int")} WHERE true ORDER BY b, c
            ON CONFLICT (event_id, minute, outcome)
            DO UPDATE SET count = minute_tally.count + excluded.count RETURNING id"""  # noqa: S608
    ),
}
