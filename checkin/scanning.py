"""The scan: the only path that admits anybody, and the committer that makes many of them durable at once.

``scan`` and ``scan_batch`` are the whole public face. Both put entries into one queue per process; the committer
takes whatever has queued while its last commit ran, decides all of it in one transaction, and answers each caller
only after that commit is durable. One code path for SQLite and PostgreSQL; the SQL differs only in how rows are
locked and how a JSON parameter is read (docs/decisions/0006-the-committer.md).
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from checkin import checkpoints
from checkin.checkpoints import CheckpointView, World
from checkin.rules import (
    NEVER_HERE,
    CheckinCode,
    CheckpointFacts,
    CheckpointKind,
    Direction,
    Here,
    Outcome,
    PassportFacts,
    PassportStatus,
    Reading,
    ScanFacts,
    Tone,
    Verdict,
    VerdictCode,
    accepting,
    effective_time,
    here_of,
    judge,
    period_of,
    read_code,
)
from events.access import Door
from kernel import db
from kernel.codes import keyed_hash
from kernel.db import after_commit, in_list, json_rows, list_parameter, query, stored_instant, unit_of_work
from kernel.errors import Busy, Code, Conflict, Forbidden, NotFound, Refusal, where_it_failed
from kernel.live import hub
from kernel.text import LocalizedText
from people import topics

log = logging.getLogger("huiwu.scan")

#: Scans waiting at most; the next is told to come back, nothing about it is remembered.
QUEUE_MAX: Final = 5_000
#: Scans in one transaction at most: enough to share a commit among all connections, short enough for the writer.
COMMIT_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class ScanEntry:
    """One reading as a device sends it. ``age_ms``: how long it waited on the device; None or 0: just now."""

    scan_id: UUID
    code: str
    checkpoint_id: int
    direction: Direction = Direction.ENTRY
    age_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    passport_id: int
    name: str
    line: str
    ticket_type: LocalizedText
    door_note: LocalizedText


@dataclass(frozen=True, slots=True)
class First:
    """The admission that a repeat met."""

    at: datetime
    checkpoint: LocalizedText


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The checkpoint that would take this ticket type."""

    id: int
    name: LocalizedText


@dataclass(frozen=True, slots=True)
class Answer:
    """What one scan is answered, now and at every replay."""

    scan_id: UUID
    verdict: VerdictCode
    tone: Tone
    at: datetime
    checkpoint_id: int
    direction: Direction
    holder: Holder | None
    first: First | None
    elsewhere: Elsewhere | None
    is_replay: bool = False
    is_doubtful: bool = False


@dataclass(slots=True)
class _Waiting:
    """An entry on its way through the committer."""

    entry: ScanEntry
    event_id: int
    actor_key: str
    arrived: datetime
    future: asyncio.Future[Answer]
    reading: Reading
    body_digest: str


class _Lost(Exception):
    """The database took fewer rows than were sent: somebody else was first, so look and judge again."""


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the key under which unrecognised codes and bodies are hashed."""
    _Wiring.key = key


async def scan(*, door: Door, entry: ScanEntry, at: datetime) -> Answer:
    """Decides one scan and answers after the decision is durable.

    Every verdict, refusals included, is stored and the same ``scan_id`` gives it again. Raises NotFound or Forbidden
    for a checkpoint that isn't there or isn't the actor's, Conflict when the id was used with another body or by
    another actor, Busy (503) when the queue is full or the outcome unknown; none of these is remembered.
    """
    return await _queue(door, entry, at)


async def scan_batch(*, door: Door, entries: Sequence[ScanEntry], at: datetime) -> list[Answer | Refusal]:
    """Decides a device's queue in its own order; what is wrong with one entry never fails its neighbours.

    At most BATCH_MAX entries (the caller checks). The result has one item per entry, in order.
    """
    waiting: list[Awaitable[Answer] | Refusal] = []
    for entry in entries:
        try:
            waiting.append(_queue(door, entry, at))
        except Refusal as refusal:
            waiting.append(refusal)
    found: list[Answer | Refusal] = []
    for item in waiting:
        if isinstance(item, Refusal):
            found.append(item)
            continue
        try:
            found.append(await item)
        except Refusal as refusal:
            found.append(refusal)
    return found


def _queue(door: Door, entry: ScanEntry, at: datetime) -> asyncio.Future[Answer]:
    scope = door.checkpoint_scope()
    if scope is not None and entry.checkpoint_id not in scope:
        raise Forbidden(CheckinCode.CHECKPOINT_NOT_YOURS)
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    committer.put(
        _Waiting(
            entry=entry,
            event_id=door.event.id,
            actor_key=door.actor.key,
            arrived=at,
            future=future,
            reading=read_code(entry.code),
            body_digest=keyed_hash(
                _Wiring.key, "scan", f"{entry.code}\x00{entry.checkpoint_id}\x00{entry.direction}"
            ),
        )
    )
    return future


class Committer:
    """First come, first served; one batch at a time in this process; no artificial wait."""

    def __init__(self) -> None:
        self._queue: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self.batches = 0
        self.scans = 0

    def put(self, item: _Waiting) -> None:
        """Raises Busy when QUEUE_MAX already wait."""
        if len(self._queue) >= QUEUE_MAX:
            raise Busy()
        self._queue.append(item)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())

    async def finish(self) -> None:
        """Waits until everything queued so far has its answer; for a graceful stop."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _drain(self) -> None:
        while self._queue:
            items = [self._queue.popleft() for _ in range(min(len(self._queue), COMMIT_MAX))]
            self.batches += 1
            self.scans += len(items)
            try:
                await _decide(items)
            except Exception as error:  # noqa: BLE001 -- every caller waits for an answer; the loop must go on
                log.error("the committer failed for %d scans: %s", len(items), where_it_failed(error))
                _fail(items, error)


committer = Committer()


def _fail(items: Iterable[_Waiting], error: Exception) -> None:
    for item in items:
        if not item.future.done():
            item.future.set_exception(error)


async def _decide(items: list[_Waiting]) -> None:
    """Answers every item: all in one transaction, or, when that fails, each in one of its own."""
    known: list[_Waiting] = []
    worlds: dict[int, World] = {}
    for item in items:
        if item.event_id not in worlds:
            worlds[item.event_id] = await checkpoints.world(item.event_id)
        if item.entry.checkpoint_id in worlds[item.event_id].checkpoints:
            known.append(item)
        else:
            # Perhaps it was opened a moment ago by another process.
            fresh = await checkpoints.read_world(item.event_id)
            worlds[item.event_id] = fresh
            if item.entry.checkpoint_id in fresh.checkpoints:
                known.append(item)
            else:
                _fail([item], NotFound(CheckinCode.CHECKPOINT_UNKNOWN))
    if not known:
        return
    try:
        try:
            # Replays are rare, and the ledger's unique id notices one: then all of it is rolled back and looked up.
            answers = await _commit(known, worlds, look=False)
        except _Lost:
            answers = await _commit(known, worlds)
    except Busy as busy:
        # No turn, or the connection broke with the commit under way: the outcome is unknown for all of them.
        _fail(known, busy)
        return
    except Exception as error:  # noqa: BLE001 -- whatever it was, the neighbours are tried by themselves
        if len(known) > 1:
            log.warning(
                "a batch of %d scans failed, each is tried by itself: %s", len(known), where_it_failed(error)
            )
        await _one_by_one(known, worlds)
        return
    _deliver(known, answers)


async def _one_by_one(items: list[_Waiting], worlds: Mapping[int, World]) -> None:
    for item in items:
        try:
            _deliver([item], await _again(lambda item=item: _commit([item], worlds)))  # type: ignore[misc]
        except Refusal as refusal:
            _fail([item], refusal)
        except Exception as error:  # noqa: BLE001 -- its caller is told, the next one is decided
            log.error("one scan failed: %s", where_it_failed(error))
            _fail([item], error)


async def _again(action: Callable[[], Awaitable[list[Answer | Refusal]]]) -> list[Answer | Refusal]:
    """A lost insert is read and judged again; a few losses in a row mean something else is wrong."""
    for _ in range(4):
        try:
            return await db.retrying(action)
        except (_Lost, db.IntegrityError):
            continue
    raise Busy()


def _deliver(items: Sequence[_Waiting], answers: Sequence[Answer | Refusal]) -> None:
    for item, answer in zip(items, answers, strict=True):
        if item.future.done():
            continue
        if isinstance(answer, Refusal):
            item.future.set_exception(answer)
        else:
            item.future.set_result(answer)


# --- one transaction ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """A passport as a scan reads it, and the code that led to it."""

    facts: PassportFacts
    name: str
    line: str


@dataclass(slots=True)
class _Decided:
    """A new scan of this batch, to be written."""

    item: _Waiting
    view: CheckpointView
    found: _Found | None
    verdict: Verdict
    period: str
    at: datetime
    is_doubtful: bool
    day: date
    first: First | None


@dataclass(slots=True)
class _State:
    """What is known of one (list, passport, period) while a batch is judged: the ledger's, then the batch's own."""

    here: Here
    firsts: dict[int, First]


Key = tuple[int, int, str]


async def _commit(
    items: list[_Waiting], worlds: Mapping[int, World], *, look: bool = True
) -> list[Answer | Refusal]:
    """Decides the items in their order and writes them; the answers are good once this returns.

    Without ``look`` nobody asks first whether an id is known: the insert finds out, and raises _Lost.
    """
    async with unit_of_work(urgent=True):
        passports = await _lock_passports(items)
        stored = await _stored(items, worlds) if look else {}
        answers: dict[int, Answer | Refusal] = {}
        fresh: list[tuple[int, _Waiting]] = []
        firsts_of_batch: dict[UUID, int] = {}
        merged: list[tuple[int, int]] = []
        for index, item in enumerate(items):
            replay = stored.get(item.entry.scan_id)
            if replay is not None:
                answers[index] = _same(item, *replay)
            elif item.entry.scan_id in firsts_of_batch:
                merged.append((index, firsts_of_batch[item.entry.scan_id]))
            else:
                firsts_of_batch[item.entry.scan_id] = index
                fresh.append((index, item))
        decided = await _judge_all([item for _, item in fresh], passports, worlds)
        await _write(decided, worlds)
        for (index, _), one in zip(fresh, decided, strict=True):
            answers[index] = _answer(one, worlds[one.item.event_id])
        for index, first_index in merged:
            original = answers[first_index]
            assert isinstance(original, Answer)
            first_item = items[first_index]
            answers[index] = _same(items[index], first_item.actor_key, first_item.body_digest, original)
    return [answers[index] for index in range(len(items))]


def _same(item: _Waiting, actor_key: str, body_digest: str, answer: Answer | None) -> Answer | Refusal:
    """The stored answer for its own device and body; a conflict that reveals nothing for any other."""
    if answer is None or item.actor_key != actor_key or item.body_digest != body_digest:
        return Conflict(Code.REPLAY_MISMATCH)
    return replace(answer, is_replay=True)


async def _lock_passports(items: Sequence[_Waiting]) -> dict[int, dict[str, _Found]]:
    """Passports by event and code, locked in the order of their ids until the commit.

    Another event's passport is found by its token only: short codes and shop codes mean nothing elsewhere.
    """
    codes = sorted({code for item in items for code in item.reading.candidates})
    found: dict[int, dict[str, _Found]] = {}
    if not codes:
        return found
    # NO KEY UPDATE: serialises scans of one passport, and lets rows that refer to it be inserted.
    lock, found_ids = "", "IN (SELECT passport_id FROM c)"
    if db.dialect() == "postgres":
        # The array keeps the planner on the primary key also before the tables were ever analysed (after an import).
        lock, found_ids = "FOR NO KEY UPDATE OF p", "= ANY(ARRAY(SELECT passport_id FROM c))"
    rows = await query(
        f"""WITH c AS MATERIALIZED (
                SELECT code, kind, is_live, passport_id FROM passport_code WHERE code {in_list("$1", "text")})
            SELECT c.code, c.kind, c.is_live, p.id, p.event_id, p.ticket_type_id, p.status, p.badge_name, p.badge_line
            FROM passport p JOIN c ON c.passport_id = p.id
            WHERE p.id {found_ids} ORDER BY p.id {lock}""",
        list_parameter(codes),
    )
    for row in rows:
        one = _Found(
            facts=PassportFacts(
                id=row["id"],
                event_id=row["event_id"],
                ticket_type_id=row["ticket_type_id"],
                status=PassportStatus(row["status"]),
                code_is_dead=not row["is_live"],
            ),
            name=row["badge_name"],
            line=row["badge_line"],
        )
        found.setdefault(row["event_id"], {})[row["code"]] = one
        if row["kind"] == "token":
            found.setdefault(0, {})[row["code"]] = one
    return found


def _passport_of(item: _Waiting, passports: Mapping[int, Mapping[str, _Found]]) -> _Found | None:
    own, every = passports.get(item.event_id, {}), passports.get(0, {})
    for code in item.reading.candidates:
        if code in own:
            return own[code]
    return next((every[code] for code in item.reading.candidates if code in every), None)


async def _stored(
    items: Sequence[_Waiting], worlds: Mapping[int, World]
) -> dict[UUID, tuple[str, str, Answer | None]]:
    """Scans known by their id, with the actor and body they came with: looked at before anything is judged."""
    rows = await query(
        f"SELECT * FROM scan WHERE scan_id {in_list('$1', 'uuid')}",
        list_parameter(item.entry.scan_id for item in items),
    )
    if not rows:
        return {}
    holders = {
        row["id"]: row
        for row in await query(
            f"SELECT id, badge_name, badge_line FROM passport WHERE id {in_list('$1', 'int')}",
            list_parameter({row["passport_id"] for row in rows if row["passport_id"] is not None}),
        )
    }
    met = {
        (row["list_id"], row["passport_id"], row["period"])
        for row in rows
        if row["met_turn"] is not None and row["event_id"] in worlds
    }
    states = await _states(met, worlds)
    found: dict[UUID, tuple[str, str, Answer | None]] = {}
    for row in rows:
        code = VerdictCode(row["verdict"])
        scan_id = db.as_uuid(row["scan_id"])
        if row["event_id"] not in worlds:
            # Used in another event, so its body named another checkpoint: whoever sends it here gets a conflict.
            found[scan_id] = (row["actor_key"], "", None)
            continue
        world = worlds[row["event_id"]]
        view = world.checkpoints.get(row["checkpoint_id"])
        holder = None
        if row["passport_id"] is not None and code is not VerdictCode.OTHER_EVENT:
            person = holders[row["passport_id"]]
            holder = _holder(
                person["id"], person["badge_name"], person["badge_line"], row["ticket_type_id"], world
            )
        first = None
        if row["met_turn"] is not None:
            first = states[row["list_id"], row["passport_id"], row["period"]].firsts.get(row["met_turn"])
        at = db.as_instant(row["at"])
        assert at is not None
        found[scan_id] = (
            row["actor_key"],
            row["body_digest"],
            Answer(
                scan_id=scan_id,
                verdict=code,
                tone=Verdict(code).tone,
                at=at,
                checkpoint_id=row["checkpoint_id"],
                direction=Direction(row["direction"]),
                holder=holder,
                first=first,
                elsewhere=_elsewhere(code, row["ticket_type_id"], view.facts, world) if view else None,
                is_doubtful=bool(row["is_doubtful"]),
            ),
        )
    return found


async def _judge_all(
    items: Sequence[_Waiting], passports: Mapping[int, Mapping[str, _Found]], worlds: Mapping[int, World]
) -> list[_Decided]:
    """Judges in order, so that a second reading inside one batch meets the first."""
    drafts: list[tuple[_Waiting, CheckpointView, _Found | None, str, datetime, bool, date]] = []
    keys: set[Key] = set()
    for item in items:
        world = worlds[item.event_id]
        view = world.checkpoints[item.entry.checkpoint_id]
        moment = effective_time(arrived=item.arrived, age_ms=item.entry.age_ms)
        day = world.programme_date(moment.at)
        period = period_of(view.facts, at=moment.at, programme_date=day)
        found = _passport_of(item, passports)
        if found is not None and found.facts.event_id == item.event_id:
            keys.add((view.facts.list_id, found.facts.id, period))
        drafts.append((item, view, found, period, moment.at, moment.is_doubtful, day))
    states = await _states(keys, worlds)
    inside = await _inside(
        {
            (draft[1].facts.list_id, draft[3])
            for draft in drafts
            if draft[1].facts.capacity is not None and draft[2] is not None
        }
    )
    decided = []
    for item, view, found, period, at, is_doubtful, day in drafts:
        state = _State(NEVER_HERE, {})
        if found is not None:
            state = states.setdefault((view.facts.list_id, found.facts.id, period), state)
        verdict = judge(
            ScanFacts(
                reading=item.reading,
                passport=found.facts if found else None,
                checkpoint=view.facts,
                direction=item.entry.direction,
                at=at,
                here=state.here,
                inside=inside[view.facts.list_id, period],
            )
        )
        first = None if verdict.met_turn is None else state.firsts.get(verdict.met_turn)
        if verdict.turn is not None:
            state.here = Here(state.here.closings, True, state.here.times + 1)
            state.firsts[verdict.turn] = First(at, view.name)
            inside[view.facts.list_id, period] += 1
        elif verdict.closes is not None:
            state.here = Here(state.here.closings + 1, False, state.here.times)
            inside[view.facts.list_id, period] -= 1
        decided.append(_Decided(item, view, found, verdict, period, at, is_doubtful, day, first))
    return decided


async def _states(keys: set[Key], worlds: Mapping[int, World]) -> dict[Key, _State]:
    """What the ledger says of each key, in one statement.

    The lists of values may pair up to more keys than were asked for, a few rows at most; they are left out here.
    The range on ``turn`` keeps a thousand repeats of one passport out of the reading.
    """
    states: dict[Key, _State] = {}
    if not keys:
        return states
    rows = await query(
        f"""SELECT list_id, passport_id, period, turn, direction, at, checkpoint_id, event_id FROM scan
            WHERE passport_id {in_list("$1", "int")} AND list_id {in_list("$2", "int")}
                AND period {in_list("$3", "text")} AND turn >= 0""",
        *(list_parameter(sorted({key[column] for key in keys})) for column in (1, 0, 2)),
    )
    turns: dict[Key, list[int]] = {}
    closed: dict[Key, list[int]] = {}
    firsts: dict[Key, dict[int, First]] = {}
    for row in rows:
        key = (row["list_id"], row["passport_id"], row["period"])
        if key not in keys:
            continue
        if row["direction"] == Direction.ENTRY:
            turns.setdefault(key, []).append(row["turn"])
            at = db.as_instant(row["at"])
            assert at is not None
            name = _name(worlds[row["event_id"]], row["checkpoint_id"])
            firsts.setdefault(key, {})[row["turn"]] = First(at, name)
        else:
            closed.setdefault(key, []).append(row["turn"])
    for key in turns.keys() | closed.keys():
        states[key] = _State(here_of(turns.get(key, ()), closed.get(key, ())), firsts.get(key, {}))
    return states


async def _inside(wanted: set[tuple[int, str]]) -> Counter[tuple[int, str]]:
    """People inside per limited list and period, locked after the passports and in key order."""
    counts: Counter[tuple[int, str]] = Counter()
    if not wanted:
        return counts
    lock = "FOR UPDATE OF p" if db.dialect() == "postgres" else ""
    rows = await query(
        f"""SELECT p.list_id, p.period, p.inside FROM {json_rows("$1", l="int", d="text")}
            JOIN presence p ON p.list_id = r.l AND p.period = r.d ORDER BY p.list_id, p.period {lock}""",
        orjson.dumps([{"l": one[0], "d": one[1]} for one in sorted(wanted)]).decode(),
    )
    for row in rows:
        counts[row["list_id"], row["period"]] = row["inside"]
    return counts


async def _write(decided: Sequence[_Decided], worlds: Mapping[int, World]) -> None:
    """The ledger, then everything that is derived from it, each kind in one statement for any number of scans."""
    if not decided:
        return
    days: Counter[tuple[int, int, str, int, str]] = Counter()
    minutes: Counter[tuple[int, int, str]] = Counter()
    deltas: Counter[tuple[int, str]] = Counter()
    arrivals = set()
    for one in decided:
        event_id, facts, outcome = one.item.event_id, one.view.facts, one.verdict.outcome.value
        ticket_type_id = _own_ticket_type(one) or 0
        days[event_id, facts.id, one.day.isoformat(), ticket_type_id, outcome] += 1
        minutes[event_id, int(one.at.timestamp()) // 60, outcome] += 1
        if facts.list_id in worlds[event_id].counted_lists:
            if one.verdict.turn is not None:
                deltas[facts.list_id, one.period] += 1
            elif one.verdict.closes is not None:
                deltas[facts.list_id, one.period] -= 1
        if one.verdict.turn is not None and facts.kind is CheckpointKind.GATE:
            assert one.found is not None
            arrivals.add((event_id, one.day.isoformat(), one.found.facts.id))
    changed = [f"board.{event_id}" for event_id in {one.item.event_id for one in decided}]
    changed += [
        f"rooms.{event_id}"
        for event_id in {
            one.item.event_id
            for one in decided
            if one.verdict.turn is not None or one.verdict.closes is not None
        }
    ]
    came = [(*key, delta) for key, delta in sorted(deltas.items()) if delta > 0]
    left = [(*key, -delta) for key, delta in sorted(deltas.items()) if delta < 0]
    # The ledger first and the topics last: whoever bumps the same topic next waits for this commit.
    writes: list[db.Insert | db.Update] = [_scans(decided), _days(days), _minutes(minutes)]
    expected: dict[int, int] = {0: len(decided)}
    if arrivals:
        writes.append(_arrivals(arrivals))
    if came:
        expected[len(writes)] = len(came)
        writes.append(_came(came))
    if left:
        expected[len(writes)] = len(left)
        writes.append(_left(left))
    writes.append(topics.bumping(*changed))
    written = await db.write_together(*writes)
    if any(written[nth] != count for nth, count in expected.items()):
        raise _Lost()
    after_commit(lambda: _announce(changed))


def _announce(changed: Sequence[str]) -> None:
    for topic in changed:
        hub.touched(topic)


def _own_ticket_type(one: _Decided) -> int | None:
    """The ticket type of this event's passport; another event's is none of ours."""
    if one.found is None or one.found.facts.event_id != one.item.event_id:
        return None
    return one.found.facts.ticket_type_id


#: The ledger's columns with their kinds, in the order in which ``_scans`` gives their values.
_COLUMNS: Final = (
    ("scan_id", "uuid"),
    ("event_id", "int"),
    ("checkpoint_id", "int"),
    ("list_id", "int"),
    ("passport_id", "int"),
    ("ticket_type_id", "int"),
    ("direction", "text"),
    ("verdict", "text"),
    ("period", "text"),
    ("turn", "int"),
    ("met_turn", "int"),
    ("code_hash", "text"),
    ("at", "instant"),
    ("received_at", "instant"),
    ("is_doubtful", "bool"),
    ("programme_date", "date"),
    ("actor_key", "text"),
    ("body_digest", "text"),
)


def _scans(decided: Sequence[_Decided]) -> db.Insert:
    rows: list[tuple[Any, ...]] = []
    for one in decided:
        own, verdict, item = _own_ticket_type(one), one.verdict, one.item
        rows.append(
            (
                str(item.entry.scan_id),
                item.event_id,
                one.view.facts.id,
                one.view.facts.list_id,
                one.found.facts.id if one.found is not None and own is not None else None,
                own,
                item.entry.direction.value,
                verdict.code.value,
                one.period,
                verdict.turn if verdict.turn is not None else verdict.closes,
                verdict.met_turn,
                # People scan payment codes: what led to nobody is kept only so that the same one can be recognised.
                None if own is not None else keyed_hash(_Wiring.key, "code", item.entry.code),
                stored_instant(one.at),
                stored_instant(item.arrived),
                one.is_doubtful,
                one.day.isoformat(),
                item.actor_key,
                item.body_digest,
            )
        )
    return db.Insert("scan", _COLUMNS, rows, "ON CONFLICT DO NOTHING")


def _days(days: Mapping[tuple[int, int, str, int, str], int]) -> db.Insert:
    columns = (
        ("event_id", "int"),
        ("checkpoint_id", "int"),
        ("programme_date", "date"),
        ("ticket_type_id", "int"),
    )
    return db.Insert(
        "day_tally",
        (*columns, ("outcome", "text"), ("count", "int")),
        [(*key, count) for key, count in sorted(days.items())],
        "ON CONFLICT (checkpoint_id, programme_date, ticket_type_id, outcome) "
        "DO UPDATE SET count = day_tally.count + excluded.count",
    )


def _minutes(minutes: Mapping[tuple[int, int, str], int]) -> db.Insert:
    return db.Insert(
        "minute_tally",
        (("event_id", "int"), ("minute", "int"), ("outcome", "text"), ("count", "int")),
        [(*key, count) for key, count in sorted(minutes.items())],
        "ON CONFLICT (event_id, minute, outcome) DO UPDATE SET count = minute_tally.count + excluded.count",
    )


def _arrivals(arrivals: Iterable[tuple[int, str, int]]) -> db.Insert:
    return db.Insert(
        "arrival",
        (("event_id", "int"), ("programme_date", "date"), ("passport_id", "int")),
        sorted(arrivals),
        "ON CONFLICT DO NOTHING",
    )


def _came(moves: Iterable[tuple[int, str, int]]) -> db.Insert:
    """People inside, never past a limit: the condition stands in the statement itself."""
    return db.Insert(
        "presence",
        (("list_id", "int"), ("period", "text"), ("inside", "int")),
        list(moves),
        "ON CONFLICT (list_id, period) DO UPDATE SET inside = presence.inside + excluded.inside "
        "WHERE presence.inside + excluded.inside "
        "<= COALESCE((SELECT capacity FROM checkin_list c WHERE c.id = presence.list_id), 2147483647)",
    )


def _left(moves: Iterable[tuple[int, str, int]]) -> db.Update:
    """An insert of a negative figure would break the table's check before the conflict is seen."""
    return db.Update(
        f"""UPDATE presence SET inside = inside - r.n FROM {json_rows("$1", l="int", d="text", n="int")}
            WHERE list_id = r.l AND period = r.d""",
        orjson.dumps([{"l": list_id, "d": period, "n": count} for list_id, period, count in moves]).decode(),
    )


# --- answers -----------------------------------------------------------------------------------------------------


def _answer(one: _Decided, world: World) -> Answer:
    own = _own_ticket_type(one)
    holder = None
    if one.found is not None and own is not None:
        holder = _holder(one.found.facts.id, one.found.name, one.found.line, own, world)
    return Answer(
        scan_id=one.item.entry.scan_id,
        verdict=one.verdict.code,
        tone=one.verdict.tone,
        at=one.at,
        checkpoint_id=one.view.facts.id,
        direction=one.item.entry.direction,
        holder=holder,
        first=one.first,
        elsewhere=_elsewhere(one.verdict.code, own, one.view.facts, world),
        is_doubtful=one.is_doubtful,
    )


def _holder(passport_id: int, name: str, line: str, ticket_type_id: int | None, world: World) -> Holder:
    words = world.ticket_types.get(ticket_type_id or 0)
    empty = LocalizedText()
    return Holder(
        passport_id, name, line, words.name if words else empty, words.door_note if words else empty
    )


def _name(world: World, checkpoint_id: int) -> LocalizedText:
    view = world.checkpoints.get(checkpoint_id)
    return view.name if view else LocalizedText()


def _elsewhere(
    code: VerdictCode, ticket_type_id: int | None, here: CheckpointFacts, world: World
) -> Elsewhere | None:
    if code is not VerdictCode.WRONG_TICKET_TYPE or ticket_type_id is None:
        return None
    other = accepting(world.in_order, ticket_type_id=ticket_type_id, like=here)
    return Elsewhere(other, _name(world, other)) if other is not None else None


__all__ = ["Answer", "Outcome", "ScanEntry", "committer", "configure", "scan", "scan_batch"]
