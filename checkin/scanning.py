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
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

import orjson

from checkin import checkpoints
from checkin.checkpoints import CheckpointView, World, board_topic, rooms_topic
from checkin.conflict_rules import Met, in_conflict, let_in, settled
from checkin.device_rules import believed_age, is_of_before
from checkin.lead_rules import UNDO, overruled
from checkin.offline_rules import Local
from checkin.rules import (
    NEVER_HERE,
    CheckinCode,
    CheckpointFacts,
    CheckpointKind,
    CodeKind,
    Direction,
    Here,
    Moment,
    Outcome,
    PassportFacts,
    PassportStatus,
    Reading,
    ScanFacts,
    Tone,
    Verdict,
    VerdictCode,
    accepting,
    counted_in,
    effective_time,
    here_of,
    judge,
    period_of,
    read_code,
)
from events.access import Door
from events.rules import Permission
from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.codes import keyed_hash
from kernel.db import Outrun, after_commit, in_list, json_rows, list_parameter, query, unit_of_work
from kernel.errors import Busy, Code, Conflict, Forbidden, NotFound, Refusal, where_it_failed
from kernel.live import hub
from kernel.metrics import Histogram
from kernel.text import LocalizedText
from people import journal, topics

log = logging.getLogger("huiwu.scan")

#: Scans waiting at most; the next is told to come back, nothing about it is remembered.
QUEUE_MAX: Final = 5_000
#: Scans in one transaction at most: enough to share a commit among all connections, short enough for the writer.
COMMIT_MAX: Final = 256


class ScanEntry(NamedTuple):
    """One reading as a device sends it. ``age_ms``: how long it waited on the device; None or 0: just now."""

    scan_id: UUID
    code: str
    checkpoint_id: int
    direction: Direction = Direction.ENTRY
    age_ms: int | None = None
    #: A lead's word against a refusal; without one the door's own verdict stands.
    reason: str = ""
    #: What a phone without network had told the person. No part of what makes it this scan, nor of its verdict.
    local: Local = Local.NONE


class Holder(NamedTuple):
    passport_id: int
    name: str
    line: str
    ticket_type: LocalizedText
    door_note: LocalizedText
    notice: Notice | None = None
    #: Whether this person opens a group's list (``checkin.groups``).
    leads_group: bool = False
    badge: Badge | None = None


class Badge(NamedTuple):
    """What stands on the holder's badge and the box that it lies in; whichever was given."""

    number: int | None
    box: str


class Notice(NamedTuple):
    """A word to staff about one holder, shown with every verdict."""

    text: LocalizedText
    attention: bool


class First(NamedTuple):
    """The admission that a repeat met."""

    at: datetime
    checkpoint: LocalizedText
    #: The actor who made it.
    by: str = ""


class Elsewhere(NamedTuple):
    """The checkpoint that would take this ticket type."""

    id: int
    name: LocalizedText


class Answer(NamedTuple):
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
    #: What a phone without network had told the person does not agree (``checkin.conflicts``).
    is_conflict: bool = False
    #: Made in a rehearsal: tried, and counted nowhere (``checkin.rehearsals``).
    is_rehearsal: bool = False


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
    #: Of a scan with a reason: who gave it.
    lead: Actor | None = None


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

    An entry with a ``reason`` admits against a refusal where a lead may (``lead_rules``): Forbidden for others. One
    with a ``local`` was shown to somebody before the server heard of it (``conflict_rules``).
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
    body = f"{entry.code}\x00{entry.checkpoint_id}\x00{entry.direction}"
    if entry.reason:
        own = door.checkpoint_scope(Permission.OVERRIDE)
        if own is not None and entry.checkpoint_id not in own:
            raise Forbidden()
        body += f"\x00{entry.reason}"
    if door.actor.kind is ActorKind.DEVICE:
        entry = _of_device(door.actor, entry, at)
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    committer.put(
        _Waiting(
            entry=entry,
            event_id=door.event.id,
            actor_key=door.actor.key,
            arrived=at,
            future=future,
            reading=read_code(entry.code),
            body_digest=keyed_hash(_Wiring.key, "scan", body),
            lead=door.actor if entry.reason else None,
        )
    )
    return future


def _of_device(actor: Actor, entry: ScanEntry, at: datetime) -> ScanEntry:
    """A paired device's entry: no older than its pairing is believed, and after its end only what it queued before."""
    assert actor.since is not None
    assert actor.until is not None
    if actor.over and not is_of_before(arrived=at, age_ms=entry.age_ms, expires_at=actor.until):
        raise Forbidden(actor.over)
    return entry._replace(age_ms=believed_age(arrived=at, age_ms=entry.age_ms, paired_at=actor.since))


class Committer:
    """First come, first served; one batch at a time in this process; no artificial wait."""

    def __init__(self) -> None:
        self._queue: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self.batches = 0
        self.scans = 0
        #: For the monitor: what was decided, known before, or failed; sizes of batches and how long they took.
        self.verdicts: Counter[VerdictCode] = Counter()
        self.replays = 0
        self.conflicts = 0
        self.failed = 0
        self.sizes = Histogram(
            "huiwu_commit_scans", "Scans in one transaction of the committer.", (1, 2, 4, 8, 16, 32, 64, 128)
        )
        self.took = Histogram(
            "huiwu_commit_seconds",
            "From taking a batch of scans to its commit or failure.",
            (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )

    @property
    def waiting(self) -> int:
        return len(self._queue)

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
            began = time.monotonic()
            try:
                await _decide(items)
            except Exception as error:  # noqa: BLE001 -- every caller waits for an answer; the loop must go on
                log.error("the committer failed for %d scans: %s", len(items), where_it_failed(error))
                _fail(items, error)
            self.sizes.observe(len(items))
            self.took.observe(time.monotonic() - began)


committer = Committer()


def _fail(items: Iterable[_Waiting], error: Exception) -> None:
    for item in items:
        committer.failed += 1
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
    books: dict[_Book, list[_Waiting]] = {}
    for item in known:
        books.setdefault(_book_of(item, worlds[item.event_id]), []).append(item)
    for book, own in books.items():
        await _decide_in(book, own, worlds)


async def _decide_in(book: _Book, known: list[_Waiting], worlds: Mapping[int, World]) -> None:
    try:
        try:
            # Replays are rare, and the book's unique id notices one: then all of it is rolled back and looked up.
            answers = await _commit(known, worlds, look=False, book=book)
        except Outrun:
            answers = await _commit(known, worlds, book=book)
    except Busy as busy:
        # No turn, or the connection broke with the commit under way: the outcome is unknown for all of them.
        _fail(known, busy)
        return
    except Exception as error:  # noqa: BLE001 -- whatever it was, the neighbours are tried by themselves
        if len(known) > 1:
            log.warning(
                "a batch of %d scans failed, each is tried by itself: %s", len(known), where_it_failed(error)
            )
        await _one_by_one(book, known, worlds)
        return
    # A turn of the loop later: the next batch, if one waits, is on its way to the database before we write answers.
    asyncio.get_running_loop().call_soon(_deliver, known, answers)


async def _one_by_one(book: _Book, items: list[_Waiting], worlds: Mapping[int, World]) -> None:
    for item in items:
        try:
            again = await _again(lambda item=item: _commit([item], worlds, book=book))  # type: ignore[misc]
            _deliver([item], again)
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
        except (Outrun, db.IntegrityError):
            continue
    raise Busy()


def _deliver(items: Sequence[_Waiting], answers: Sequence[Answer | Refusal]) -> None:
    for item, answer in zip(items, answers, strict=True):
        if isinstance(answer, Refusal):
            committer.failed += 1
        elif answer.is_replay:
            committer.replays += 1
        elif not answer.is_rehearsal:
            committer.verdicts[answer.verdict] += 1
            committer.conflicts += answer.is_conflict
        if item.future.done():
            continue
        if isinstance(answer, Refusal):
            item.future.set_exception(answer)
        else:
            item.future.set_result(answer)


# --- one transaction ---------------------------------------------------------------------------------------------


class _Book(NamedTuple):
    """Where scans are written and their history is read: the ledger, or a rehearsal's, which counts nothing.

    Each knows the other's ids: a scan that was a rehearsal stays one, and a real scan is never tried again.
    """

    table: str
    other: str
    is_rehearsal: bool


LEDGER: Final = _Book("scan", "rehearsal_scan", is_rehearsal=False)
REHEARSAL: Final = _Book("rehearsal_scan", "scan", is_rehearsal=True)


def _book_of(item: _Waiting, world: World) -> _Book:
    """By when it was scanned: what waited on a phone until after a rehearsal belongs to it all the same."""
    return REHEARSAL if world.rehearsals and world.rehearsal_at(_moment(item).at) else LEDGER


def _moment(item: _Waiting) -> Moment:
    return effective_time(arrived=item.arrived, age_ms=item.entry.age_ms)


class _Found(NamedTuple):
    """A passport as a scan reads it, and the code that led to it."""

    facts: PassportFacts
    name: str
    line: str
    notice: Notice | None
    leads_group: bool
    badge: Badge | None = None


class _Draft(NamedTuple):
    """What can be said of a scan before anything is read: where, when, and within which period it counts."""

    item: _Waiting
    world: World
    view: CheckpointView
    at: datetime
    is_doubtful: bool
    day: date
    period: str


class _Decided(NamedTuple):
    """A new scan of this batch, to be written."""

    draft: _Draft
    found: _Found | None
    #: The holder's ticket type; of another event's passport it is none of ours.
    own: int | None
    verdict: Verdict
    first: First | None
    is_conflict: bool = False
    #: The turn of somebody who stands inside though the verdict admits nobody.
    let_in: int | None = None
    #: Of a way out: under what its admission counts among the people inside (``rules.counted_in``).
    counted: str = ""


@dataclass(slots=True)
class _State:
    """What is known of one (list, passport, period) while a batch is judged: the ledger's, then the batch's own."""

    here: Here
    firsts: dict[int, First]
    #: By turn, at which checkpoint an admission was made and on which programme day.
    doors: dict[int, tuple[int, str]] = field(default_factory=dict)
    #: Turns that were taken back.
    undone: frozenset[int] = frozenset()

    def enter(self, turn: int, first: First, door: tuple[int, str]) -> None:
        self.here = Here(self.here.closings, True, self.here.times + 1)
        self.firsts[turn], self.doors[turn] = first, door

    def leave(self) -> None:
        self.here = Here(self.here.closings + 1, False, self.here.times)


class _Stored(NamedTuple):
    """A scan that is known by its id, as it was answered; None for a row that nobody but ourselves may send."""

    actor_key: str
    body_digest: str
    answer: Answer | None
    #: What was decided of it then, but for the item: the one that was sent now.
    draft: _Draft | None = None
    found: _Found | None = None
    own: int | None = None
    state: _State | None = None


Key = tuple[int, int, str]


class _Known(NamedTuple):
    """What the database says of a batch: passports by event and code, how each stands where it is read, and how many
    people are inside of each limited list."""

    passports: dict[int, dict[str, _Found]]
    states: dict[Key, _State]
    inside: Counter[tuple[int, str]]
    #: The keys of each passport, for rooms.
    keys: dict[int, set[Key]]
    #: Ids of the batch that stand in the other book.
    elsewhere: bool = False

    def of(self, passport_id: int, lists: Collection[int]) -> list[tuple[Key, _State]]:
        """How somebody stands in these lists, whatever the period."""
        keys = self.keys.get(passport_id, ())
        return [(key, self.states[key]) for key in sorted(keys) if key[0] in lists]


async def _commit(
    items: list[_Waiting], worlds: Mapping[int, World], *, look: bool = True, book: _Book = LEDGER
) -> list[Answer | Refusal]:
    """Decides the items in their order and writes them; the answers are good once this returns.

    Without ``look`` nobody asks first whether an id is known: the insert finds out, and raises Outrun. With it the
    passports and their history are read again once the locks are ours: the first reading may have been made while
    another process was still writing.
    """
    drafts = [_draft(item, worlds[item.event_id]) for item in items]
    reading = _reading(drafts, book)
    async with unit_of_work(urgent=True, look=reading) as unit:
        rows = unit.found
        stored: dict[UUID, _Stored] = {}
        if look:
            rows = await db.look(reading)
            stored = await _known_ids(items, worlds, book)
        if await _open_counters(drafts, rows, book):
            rows = await db.look(reading)
        known = _known(rows, worlds)
        if known.elsewhere and not look:
            raise Outrun()
        late: list[_Decided] = []
        answers: dict[int, Answer | Refusal] = {}
        fresh: list[int] = []
        firsts_of_batch: dict[UUID, int] = {}
        merged: list[tuple[int, int]] = []
        for index, item in enumerate(items):
            scan_id = item.entry.scan_id
            if stored and scan_id in stored:
                known_one = stored[scan_id]
                answer = _same(item, known_one.actor_key, known_one.body_digest, known_one.answer)
                told = _told_late(item, known_one, answer, known.states)
                if told is not None and isinstance(answer, Answer):
                    late.append(told)
                    answer = answer._replace(is_conflict=True)
                    stored[scan_id] = known_one._replace(answer=answer)
                answers[index] = answer
            elif scan_id in firsts_of_batch:
                merged.append((index, firsts_of_batch[scan_id]))
            else:
                firsts_of_batch[scan_id] = index
                fresh.append(index)
        decided, moved = _judge_all([drafts[index] for index in fresh], known, book)
        for index, one in zip(fresh, decided, strict=True):
            answers[index] = _answer(one, book)
        for index, first_index in merged:
            original = answers[first_index]
            assert isinstance(original, Answer)
            first_item = items[first_index]
            answers[index] = _same(items[index], first_item.actor_key, first_item.body_digest, original)
        await (_write_rehearsal(decided) if book.is_rehearsal else _write([*decided, *moved], late))
    return [answers[index] for index in range(len(items))]


def _draft(item: _Waiting, world: World) -> _Draft:
    view = world.checkpoints[item.entry.checkpoint_id]
    moment = _moment(item)
    day = world.programme_date(moment.at)
    period = period_of(view.facts, at=moment.at, programme_date=day)
    return _Draft(item, world, view, moment.at, moment.is_doubtful, day, period)


def _same(item: _Waiting, actor_key: str, body_digest: str, answer: Answer | None) -> Answer | Refusal:
    """The stored answer for its own device and body; a conflict that reveals nothing for any other."""
    if answer is None or item.actor_key != actor_key or item.body_digest != body_digest:
        return Conflict(Code.REPLAY_MISMATCH)
    return answer._replace(is_replay=True)


#: The kind of a row that counts people: its "code" is the period, its "id" the list, its "event" their number.
_INSIDE: Final = "inside"
#: The kind of a row that says nothing but that the other book knows one of the ids.
_ELSEWHERE: Final = "elsewhere"
_READING_COLUMNS: Final = (
    "code", "kind", "is_live", "id", "event_id", "ticket_type_id", "status", "badge_name", "badge_line", "notice", "leads_group_id",
    "badge_number", "badge_box", "history",
)  # fmt: skip


def _reading(drafts: Sequence[_Draft], book: _Book) -> db.Look:
    """All that a batch has to know, in one reading, locked until the commit: passports, then people inside.

    Passports come in the order of their ids with their history, which is what the ledger says of them in the batch's
    lists and periods; these may pair up to more keys than were asked for, a few rows at most. Of rooms it is all that
    the ledger says: an exit finds its entry whichever session is on, and an entry finds the room that is left by it. The
    range on ``turn`` keeps a thousand repeats of one passport out of it. After them the counters of limited lists, in
    key order, as rows of another kind; and where an event has rehearsed, the ids that its other book knows.
    """
    entry = "s.list_id, s.period, s.turn, s.direction, s.at, s.checkpoint_id, s.event_id, s.actor_key, s.programme_date"
    rooms = {number for draft in drafts for number in _rooms_of(draft, book)}
    periods = f"s.period {in_list('$3', 'text')}"
    if rooms:
        periods = f"({periods} OR s.list_id {in_list('$4', 'int')})"
    history = f"""(SELECT %s FROM {book.table} s WHERE s.passport_id = p.id AND s.list_id {in_list("$2", "int")}
                AND {periods} AND s.turn >= 0)"""
    if db.dialect() == "postgres":
        # NO KEY UPDATE: serialises scans of one passport, and lets rows that refer to it be inserted.
        # The array keeps the planner on the primary key also before the tables were ever analysed (after an import).
        lock, lock_inside, found_ids = (
            "FOR NO KEY UPDATE OF p",
            "FOR UPDATE",
            "= ANY(ARRAY(SELECT passport_id FROM c))",
        )
        history %= f"json_agg(json_build_array({entry}))::text"
    else:
        lock, lock_inside, found_ids = "", "", "IN (SELECT passport_id FROM c)"
        history %= f"NULLIF(json_group_array(json_array({entry})), '[]')"
    limited = {draft.view.facts.list_id for draft in drafts if draft.view.facts.capacity is not None}
    values = [
        list_parameter({code for draft in drafts for code in draft.item.reading.candidates}),
        list_parameter({draft.view.facts.list_id for draft in drafts} | rooms),
        list_parameter({period for draft in drafts for period in (draft.period, _counted(draft))}),
    ]
    if rooms:
        values.append(list_parameter(rooms))
    inside = counters = ""
    if limited:
        values.append(list_parameter(limited))
        inside = f""", n AS (SELECT list_id, period, inside FROM presence
                WHERE list_id {in_list(f"${len(values)}", "int")} AND period {in_list("$3", "text")}
                ORDER BY list_id, period {lock_inside})"""
        if book.is_rehearsal:
            # Nobody keeps a rehearsal's counters: its book is short enough to be counted.
            inside = f""", n AS (SELECT list_id, period,
                    CAST(sum(CASE WHEN direction = 'entry' THEN 1 ELSE -1 END) AS INT) AS inside
                FROM rehearsal_scan WHERE list_id {in_list("$4", "int")} AND period {in_list("$3", "text")}
                    AND turn >= 0 GROUP BY list_id, period)"""
        counters = f""" UNION ALL SELECT period, '{_INSIDE}', NULL, list_id, inside, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL FROM n"""
    if any(draft.world.has_rehearsed for draft in drafts):
        values.append(list_parameter(draft.item.entry.scan_id for draft in drafts))
        counters += f""" UNION ALL SELECT NULL, '{_ELSEWHERE}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL FROM {book.other} WHERE scan_id {in_list(f"${len(values)}", "uuid")}"""
    return db.Look(
        f"""WITH c AS MATERIALIZED (
                SELECT code, kind, is_live, passport_id FROM passport_code WHERE code {in_list("$1", "text")}),
            w AS (SELECT c.code, c.kind, c.is_live, p.id, p.event_id, p.ticket_type_id, p.status, p.badge_name,
                p.badge_line, CAST(p.notice AS TEXT) AS notice, p.leads_group_id, p.badge_number, p.badge_box,
                {history} AS history
                FROM passport p JOIN c ON c.passport_id = p.id
                WHERE p.id {found_ids} ORDER BY p.id {lock}){inside}
            SELECT * FROM w{counters}""",
        _READING_COLUMNS,
        tuple(values),
    )


async def _open_counters(drafts: Sequence[_Draft], rows: Sequence[Sequence[Any]], book: _Book) -> bool:
    """Makes the counters of limited lists that nobody has entered yet; True when there were any, to be read again.

    A row that is not there can't be locked: two processes would both find the room empty, and where some of a batch
    are let in past the limit, the condition in the statement can't tell them from those that it holds back.
    """
    if db.dialect() != "postgres" or book.is_rehearsal:
        return False
    limited = [one for one in drafts if one.view.facts.capacity is not None]
    if not limited:
        return False
    there = {(row[3], row[0]) for row in rows if row[1] == _INSIDE}
    missing = {(one.view.facts.list_id, _counted(one)) for one in limited} - there
    if missing:
        await db.write_together(
            db.Insert(
                "presence",
                (("list_id", "int"), ("period", "text"), ("inside", "int")),
                [(*key, 0) for key in sorted(missing)],
                "ON CONFLICT DO NOTHING",
            )
        )
    return bool(missing)


def _rooms_of(draft: _Draft, book: _Book) -> Collection[int]:
    """The lists of which all of somebody's periods matter: the event's rooms at the door of one, or its own alone."""
    facts = draft.view.facts
    if book.is_rehearsal:
        return ()
    if facts.list_id in draft.world.rooms:
        return draft.world.rooms
    return (facts.list_id,) if facts.by_day else ()


def _counted(draft: _Draft) -> str:
    return counted_in(draft.view.facts, period=draft.period, programme_date=draft.day)


def _known(rows: Sequence[Sequence[Any]], worlds: Mapping[int, World]) -> _Known:
    """Passports by event and code. Another event's is found by its token only: other codes mean nothing elsewhere."""
    passports: dict[int, dict[str, _Found]] = {}
    states: dict[Key, _State] = {}
    inside: Counter[tuple[int, str]] = Counter()
    elsewhere = False
    keys: dict[int, set[Key]] = {}
    for (
        code,
        kind,
        is_live,
        id_,
        event_id,
        ticket_type_id,
        status,
        name,
        line,
        notice,
        group,
        number,
        box,
        history,
    ) in rows:
        if kind == _INSIDE:
            inside[id_, code] = event_id
            continue
        if kind == _ELSEWHERE:
            elsewhere = True
            continue
        facts = PassportFacts(id_, event_id, ticket_type_id, PassportStatus(status), not is_live)
        one = _Found(facts, name, line, _notice(notice), group is not None, _badge(number, box))
        passports.setdefault(event_id, {})[code] = one
        if kind == CodeKind.TOKEN:
            passports.setdefault(0, {})[code] = one
        if history:
            own = _states(id_, orjson.loads(history), worlds)
            keys[id_] = set(own)
            states |= own
    return _Known(passports, states, inside, keys, elsewhere)


def _passport_of(item: _Waiting, passports: Mapping[int, Mapping[str, _Found]]) -> _Found | None:
    own, candidates = passports.get(item.event_id), item.reading.candidates
    if own:
        for code in candidates:
            if code in own:
                return own[code]
    every = passports.get(0)
    return next((every[code] for code in candidates if code in every), None) if every else None


async def _known_ids(
    items: Sequence[_Waiting], worlds: Mapping[int, World], book: _Book
) -> dict[UUID, _Stored]:
    """Scans known by their id in this book or, where the event has rehearsed, in the other: each id has one answer."""
    found = await _stored(items, worlds, book)
    if any(worlds[item.event_id].has_rehearsed for item in items):
        other = REHEARSAL if book is LEDGER else LEDGER
        found |= await _stored(items, worlds, other)
    return found


async def _stored(items: Sequence[_Waiting], worlds: Mapping[int, World], book: _Book) -> dict[UUID, _Stored]:
    """Scans known by their id, with the actor and body they came with: looked at before anything is judged."""
    rows = await query(
        f"""SELECT s.*, EXISTS (SELECT 1 FROM scan_conflict k WHERE k.scan_id = s.scan_id) AS is_conflict
            FROM {book.table} s WHERE s.scan_id {in_list("$1", "uuid")}""",
        list_parameter(item.entry.scan_id for item in items),
    )
    if not rows:
        return {}
    holders = {
        row["id"]: row
        for row in await query(
            f"SELECT id, badge_name, badge_line, CAST(notice AS TEXT) AS notice, leads_group_id, badge_number, badge_box FROM passport WHERE id {in_list('$1', 'int')}",
            list_parameter({row["passport_id"] for row in rows if row["passport_id"] is not None}),
        )
    }
    sent = {item.entry.scan_id: item for item in items}
    told = {scan_id for scan_id, item in sent.items() if item.entry.local}
    states = await _states_met(rows, worlds, told, book)
    found: dict[UUID, _Stored] = {}
    for row in rows:
        code = VerdictCode(row["verdict"])
        scan_id = db.as_uuid(row["scan_id"])
        if row["event_id"] not in worlds or row["direction"] == UNDO or code in _OF_OURS:
            # Of another event, so its body named another checkpoint, or a row of ours: who sends it gets a conflict.
            found[scan_id] = _Stored(row["actor_key"], "", None)
            continue
        world = worlds[row["event_id"]]
        view = world.checkpoints.get(row["checkpoint_id"])
        holder = person = None
        if row["passport_id"] is not None and code is not VerdictCode.OTHER_EVENT:
            holding = holders[row["passport_id"]]
            person = _Found(
                PassportFacts(row["passport_id"], row["event_id"], 0, PassportStatus.VALID),
                holding["badge_name"],
                holding["badge_line"],
                _notice(holding["notice"]),
                holding["leads_group_id"] is not None,
                _badge(holding["badge_number"], holding["badge_box"]),
            )
            holder = _holder(holding["id"], person, row["ticket_type_id"], world)
        key, first = (row["list_id"], row["passport_id"], row["period"]), None
        if row["met_turn"] is not None and key in states:
            first = states[key].firsts.get(row["met_turn"])
        at = db.as_instant(row["at"])
        assert at is not None
        is_doubtful, day = bool(row["is_doubtful"]), date.fromisoformat(str(row["programme_date"])[:10])
        found[scan_id] = _Stored(
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
                is_doubtful=is_doubtful,
                is_conflict=bool(row["is_conflict"]),
                is_rehearsal=book.is_rehearsal,
            ),
            _Draft(sent[scan_id], world, view, at, is_doubtful, day, row["period"]) if view else None,
            person,
            row["ticket_type_id"],
            states.get(key),
        )
    return found


def _told_late(
    item: _Waiting, one: _Stored, answer: Answer | Refusal, states: dict[Key, _State]
) -> _Decided | None:
    """A conflict that is known only now: the first answer never reached the phone, which then decided by itself."""
    if isinstance(answer, Refusal) or not item.entry.local or answer.is_conflict or one.draft is None:
        return None
    if answer.is_rehearsal:
        return None
    draft = one.draft
    facts = draft.view.facts
    if not _clash(answer.verdict, item, answer.at, answer.first, facts):
        return None
    verdict, turn = Verdict(answer.verdict), None
    if one.found is not None:
        key = (facts.list_id, one.found.facts.id, draft.period)
        state = states.setdefault(key, one.state or _State(NEVER_HERE, {}))
        turn = let_in(verdict, item.entry.local, state.here)
        if turn is not None:
            door = (facts.id, draft.day.isoformat())
            state.enter(turn, First(draft.at, draft.view.name, item.actor_key), door)
    return _Decided(draft._replace(item=item), one.found, one.own, verdict, None, True, turn)


def _judge_all(drafts: Sequence[_Draft], known: _Known, book: _Book) -> tuple[list[_Decided], list[_Decided]]:
    """Judges in order, so that a second reading inside one batch meets the first; and the ways out of rooms that
    somebody left by coming into another.

    In a rehearsal nobody stands inside: what a phone told is not looked at, and nobody leaves one room by another.
    """
    inside = known.inside
    decided: list[_Decided] = []
    moved: list[_Decided] = []
    for draft in drafts:
        item, view, at, period = draft.item, draft.view, draft.at, draft.period
        facts, rooms = view.facts, _rooms_of(draft, book)
        counted = period if book.is_rehearsal else _counted(draft)
        found, own, state, stays = _passport_of(item, known.passports), None, _NEVER, 0
        if found is not None and found.facts.event_id == item.event_id:
            if rooms:
                period, stays = _in_room(draft, known.of(found.facts.id, (facts.list_id,)), counted)
                draft = draft._replace(period=period)
            own, key = found.facts.ticket_type_id, (facts.list_id, found.facts.id, period)
            state = known.states.get(key) or known.states.setdefault(key, _State(NEVER_HERE, {}))
        verdict = judge(
            ScanFacts(
                reading=item.reading,
                passport=found.facts if found else None,
                checkpoint=facts,
                direction=item.entry.direction,
                at=at,
                here=state.here,
                inside=inside[facts.list_id, counted] - stays if facts.capacity is not None else 0,
            )
        )
        if item.entry.reason:
            verdict = overruled(verdict, state.here)
        local = Local.NONE if book.is_rehearsal else item.entry.local
        if local:
            verdict = settled(verdict, local)
        first = None if verdict.met_turn is None else state.firsts.get(verdict.met_turn)
        clash, taken = False, verdict.turn
        if local:
            clash = _clash(verdict.code, item, at, first, facts)
            if clash and own is not None:
                taken = let_in(verdict, local, state.here)
        if taken is not None:
            assert found is not None
            state.enter(taken, First(at, view.name, item.actor_key), (facts.id, draft.day.isoformat()))
            inside[facts.list_id, counted] += 1
            if rooms:
                known.keys.setdefault(found.facts.id, set()).add((facts.list_id, found.facts.id, period))
                moved += _leaving(draft, found, known, rooms)
        elif verdict.closes is not None:
            if facts.by_day and rooms:
                counted = state.doors[verdict.closes][1]
            state.leave()
            inside[facts.list_id, counted] -= 1
        inside_all_the_same = taken if verdict.turn is None else None
        decided.append(_Decided(draft, found, own, verdict, first, clash, inside_all_the_same, counted))
    return decided, moved


def _in_room(draft: _Draft, own: Sequence[tuple[Key, _State]], counted: str) -> tuple[str, int]:
    """At a room's door: the period of a scan (a way out ends the session that they came for, whichever is on), and how
    often somebody fills the room already, who stays for the next session.
    """
    open_ = [(key, state) for key, state in own if state.here.is_inside]
    if draft.item.entry.direction is Direction.EXIT:
        return next((key[2] for key, _ in open_), draft.period), 0
    if not draft.view.facts.by_day:
        return draft.period, 0
    return draft.period, sum(state.doors[state.here.closings][1] == counted for _, state in open_)


def _leaving(draft: _Draft, found: _Found, known: _Known, rooms: Collection[int]) -> list[_Decided]:
    """Coming into a room is a way out of the others, at the same moment, by the system.

    A scan that waited on a phone throws nobody out of a room that they have entered since: this one was left then.
    """
    own = (draft.view.facts.list_id, found.facts.id, draft.period)
    others = [(key, state) for key, state in known.of(found.facts.id, rooms) if key != own]
    since = [
        first.at
        for _, state in others
        for turn, first in state.firsts.items()
        if turn not in state.undone and first.at > draft.at
    ]
    ways = [
        (key, state, draft.at)
        for key, state in others
        if state.here.is_inside and state.firsts[state.here.closings].at <= draft.at
    ]
    if since:
        ways.append((own, known.states[own], min(since)))
    left = []
    for key, state, at in ways:
        turn, arrived = state.here.closings, draft.item.arrived
        way = _way_out(draft.world, found, (key, turn, state.doors[turn]), at=at, arrived=arrived)
        if way is not None:
            state.leave()
            known.inside[key[0], way.counted] -= 1
            left.append(way)
    return left


def _way_out(
    world: World,
    found: _Found,
    entered: tuple[Key, int, tuple[int, str]],
    *,
    at: datetime,
    arrived: datetime,
    day: date | None = None,
) -> _Decided | None:
    """An exit that nobody scanned, by the door that was the way in; None where that is gone.

    Its id follows from what it closes, so that it is written once; no device's body has its digest.
    """
    key, turn, (checkpoint_id, came_on) = entered
    view = world.checkpoints.get(checkpoint_id)
    if view is None:
        return None
    number = uuid5(NAMESPACE_OID, f"huiwu way out {world.event_id} {key} {turn}")
    item = _Waiting(
        entry=ScanEntry(number, "", view.facts.id, Direction.EXIT),
        event_id=world.event_id,
        actor_key=SYSTEM.key,
        arrived=arrived,
        future=asyncio.get_running_loop().create_future(),
        reading=Reading(()),
        body_digest="",
    )
    draft = _Draft(item, world, view, at, False, day or world.programme_date(at), key[2])
    verdict = Verdict(VerdictCode.EXIT_AUTOMATIC, closes=turn)
    counted = came_on if view.facts.by_day else key[2]
    return _Decided(draft, found, found.facts.ticket_type_id, verdict, None, counted=counted)


class StillInside(NamedTuple):
    """An admission that nobody has closed, made on the programme day ``day``."""

    passport_id: int
    ticket_type_id: int
    list_id: int
    period: str
    turn: int
    checkpoint_id: int
    day: date


async def see_out(*, event_id: int, people: Sequence[StillInside], at: datetime, arrived: datetime) -> int:
    """Writes a way out at the moment ``at`` for each of them, by the system; gives how many.

    Inside the caller's unit of work, which holds the passports and read the people after that; nothing may be written
    after it. Raises Outrun when one of them has left all the same.
    """
    world = await checkpoints.read_world(event_id)
    ways = []
    for one in people:
        facts = PassportFacts(one.passport_id, event_id, one.ticket_type_id, PassportStatus.VALID)
        entered = (
            (one.list_id, one.passport_id, one.period),
            one.turn,
            (one.checkpoint_id, one.day.isoformat()),
        )
        nobody = _Found(facts, "", "", None, leads_group=False)
        way = _way_out(world, nobody, entered, at=at, arrived=arrived, day=one.day)
        if way is not None:
            ways.append(way)
    await _write(ways)
    return len(ways)


def _clash(
    verdict: VerdictCode, item: _Waiting, at: datetime, first: First | None, facts: CheckpointFacts
) -> bool:
    return in_conflict(
        verdict,
        item.entry.local,
        item.entry.direction,
        by=item.actor_key,
        at=at,
        met=Met(first.by, first.at) if first else None,
        records_exits=facts.scans_exits,
    )


#: Rows that no device sends: what a lead took back, what stands beside a refusal, and ways out that nobody scanned.
_OF_OURS: Final = frozenset({VerdictCode.EXIT_UNDONE, VerdictCode.LET_IN, VerdictCode.EXIT_AUTOMATIC})
#: Of nobody in particular; never changed, for nobody is not admitted.
_NEVER: Final = _State(NEVER_HERE, {})


def _states(
    passport_id: int, history: Iterable[Sequence[Any]], worlds: Mapping[int, World]
) -> dict[Key, _State]:
    """What the ledger says of a passport, from its rows that hold a turn."""
    turns: dict[Key, list[int]] = {}
    closed: dict[Key, list[int]] = {}
    undone: dict[Key, list[int]] = {}
    firsts: dict[Key, dict[int, First]] = {}
    doors: dict[Key, dict[int, tuple[int, str]]] = {}
    for list_id, period, turn, direction, at, checkpoint_id, event_id, actor_key, day in history:
        key = (list_id, passport_id, period)
        if direction == Direction.ENTRY:
            turns.setdefault(key, []).append(turn)
            since = db.as_instant(at)
            assert since is not None
            firsts.setdefault(key, {})[turn] = First(since, _name(worlds[event_id], checkpoint_id), actor_key)
            doors.setdefault(key, {})[turn] = (checkpoint_id, str(day)[:10])
        else:
            (undone if direction == UNDO else closed).setdefault(key, []).append(turn)
    return {
        key: _State(
            here_of(turns.get(key, ()), closed.get(key, ()), undone.get(key, ())),
            firsts.get(key, {}),
            doors.get(key, {}),
            frozenset(undone.get(key, ())),
        )
        for key in turns.keys() | closed.keys()
    }


async def _states_met(
    rows: Iterable[Mapping[str, Any]], worlds: Mapping[int, World], told: Collection[UUID], book: _Book
) -> dict[Key, _State]:
    """The states that stored repeats have met, for their "first at", and those of scans that a phone has ``told`` of."""
    met = {
        (row["list_id"], row["passport_id"], row["period"])
        for row in rows
        if row["event_id"] in worlds
        and row["passport_id"] is not None
        and (row["met_turn"] is not None or db.as_uuid(row["scan_id"]) in told)
    }
    if not met:
        return {}
    found = await query(
        f"""SELECT passport_id, list_id, period, turn, direction, at, checkpoint_id, event_id, actor_key,
                programme_date FROM {book.table}
            WHERE passport_id {in_list("$1", "int")} AND list_id {in_list("$2", "int")}
                AND period {in_list("$3", "text")} AND turn >= 0""",
        *(list_parameter({key[column] for key in met}) for column in (1, 0, 2)),
    )
    history: dict[int, list[Sequence[Any]]] = {}
    for row in found:
        passport_id, *entry = row.values()
        if (row["list_id"], passport_id, row["period"]) in met:
            history.setdefault(passport_id, []).append(entry)
    states: dict[Key, _State] = {}
    for passport_id, entries in history.items():
        states |= _states(passport_id, entries, worlds)
    return states


async def _write_rehearsal(decided: Sequence[_Decided]) -> None:
    """The rehearsal's book, and nothing else: no figure, no arrival, nobody inside, no board."""
    if decided:
        scans = replace(_scans(decided, ()), table=REHEARSAL.table)
        await db.write_together(scans, expected={0: len(decided)}, last=True)


@dataclass(slots=True)
class _Tallies:
    """What a batch adds to everything that is derived from the ledger."""

    days: Counter[tuple[int, int, date, int, str]] = field(default_factory=Counter)
    minutes: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    refusals: Counter[tuple[int, date, int, str]] = field(default_factory=Counter)
    deltas: Counter[tuple[int, str]] = field(default_factory=Counter)
    #: Admitted by a lead or let in by a phone, past a limit or not: they count, and the limit does not stop them.
    forced: Counter[tuple[int, str]] = field(default_factory=Counter)
    arrivals: set[tuple[int, date, int]] = field(default_factory=set)
    boards: set[int] = field(default_factory=set)
    sites: set[tuple[int, int]] = field(default_factory=set)
    rooms: set[int] = field(default_factory=set)

    def count(self, one: _Decided) -> None:
        """A scan that was decided now."""
        (item, world, view, _, _, day, _), verdict = one.draft, one.verdict
        self._add(one, verdict.outcome)
        if verdict.outcome is Outcome.REFUSED:
            self.refusals[item.event_id, day, view.facts.id, verdict.code.value] += 1
        if verdict.turn is not None:
            self._come(one, is_forced=verdict.code is VerdictCode.ADMITTED_BY_LEAD)
        elif verdict.closes is not None:
            self.rooms.add(item.event_id)
            if view.facts.list_id in world.counted_lists:
                self.deltas[view.facts.list_id, one.counted] -= 1

    def let_in(self, one: _Decided) -> None:
        """Somebody who stands inside beside a scan that admitted nobody."""
        self._add(one, Outcome.LET_IN)
        self._come(one, is_forced=True)

    def touch(self, one: _Decided) -> None:
        item, view = one.draft.item, one.draft.view
        self.boards.add(item.event_id)
        if view.in_site is not None:
            self.sites.add((item.event_id, view.in_site))

    def _add(self, one: _Decided, outcome: Outcome) -> None:
        item, _, view, at, _, day, _ = one.draft
        self.touch(one)
        self.days[item.event_id, view.facts.id, day, one.own or 0, outcome.value] += 1
        self.minutes[item.event_id, int(at.timestamp()) // 60, outcome.value] += 1

    def _come(self, one: _Decided, *, is_forced: bool) -> None:
        item, world, view, _, _, day, _ = one.draft
        self.rooms.add(item.event_id)
        if view.facts.list_id in world.counted_lists:
            (self.forced if is_forced else self.deltas)[view.facts.list_id, _counted(one.draft)] += 1
        if view.facts.kind is CheckpointKind.GATE:
            assert one.found is not None
            self.arrivals.add((item.event_id, day, one.found.facts.id))

    def topics(self) -> list[str]:
        changed = [board_topic(event_id) for event_id in self.boards]
        changed += [board_topic(event_id, site_id) for event_id, site_id in self.sites]
        changed += [rooms_topic(event_id) for event_id in self.rooms]
        return changed


async def _write(decided: Sequence[_Decided], late: Sequence[_Decided] = ()) -> None:
    """The ledger, then everything that is derived from it, each kind in one statement for any number of scans.

    Of the ``late`` the ledger has the scan already: only what stands beside it is written.
    """
    if not decided and not late:
        return
    sums = _Tallies()
    for one in decided:
        sums.count(one)
    clashes = [one for one in (*late, *decided) if one.is_conflict]
    taken = [one for one in clashes if one.let_in is not None]
    for one in taken:
        sums.let_in(one)
    for one in clashes:
        sums.touch(one)
    changed = sums.topics()
    # Each row of people inside is written once: where a lead let somebody in, by what all of them come to.
    forced = sums.forced
    moved = sorted(_sum(sums.deltas, forced).items())
    came = [(*key, delta) for key, delta in moved if delta > 0 and key not in forced]
    past = [(*key, delta) for key, delta in moved if delta > 0 and key in forced]
    left = [(*key, -delta) for key, delta in moved if delta < 0]
    # The ledger first and the topics last: whoever bumps the same topic next waits for this commit.
    writes: list[db.Insert | db.Update] = [_scans(decided, taken), _days(sums.days), _minutes(sums.minutes)]
    expected: dict[int, int] = {0: len(decided) + len(taken)}
    if sums.refusals:
        writes.append(_refusals(sums.refusals))
    if sums.arrivals:
        writes.append(_arrivals(sums.arrivals))
    if came:
        expected[len(writes)] = len(came)
        writes.append(_came(came))
    if left:
        expected[len(writes)] = len(left)
        writes.append(_left(left))
    if past:
        expected[len(writes)] = len(past)
        writes.append(_came(past, limited=False))
    reasons = [one for one in decided if one.verdict.code is VerdictCode.ADMITTED_BY_LEAD]
    if reasons:
        writes.append(_reasons(reasons))
        await _journal(reasons)
    if clashes:
        writes.append(_conflicts(clashes))
    writes.append(topics.bumping(*changed))
    after_commit(lambda: _announce(changed))
    await db.write_together(*writes, expected=expected, last=True)


def _sum(
    one: Mapping[tuple[int, str], int], other: Mapping[tuple[int, str], int]
) -> dict[tuple[int, str], int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}


def _announce(changed: Sequence[str]) -> None:
    for topic in changed:
        hub.touched(topic)


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


def _scans(decided: Sequence[_Decided], taken: Sequence[_Decided]) -> db.Insert:
    rows: list[tuple[Any, ...]] = []
    for (item, _, view, at, is_doubtful, day, period), found, own, verdict, *_ in decided:
        entry, facts = item.entry, view.facts
        rows.append(
            (
                entry.scan_id,
                item.event_id,
                facts.id,
                facts.list_id,
                found.facts.id if found is not None and own is not None else None,
                own,
                entry.direction.value,
                verdict.code.value,
                period,
                verdict.turn if verdict.turn is not None else verdict.closes,
                verdict.met_turn,
                # People scan payment codes: what led to nobody is kept only so that the same one can be recognised.
                None if own is not None else keyed_hash(_Wiring.key, "code", entry.code),
                at,
                item.arrived,
                is_doubtful,
                day,
                item.actor_key,
                item.body_digest,
            )
        )
    rows += [_let_in_row(one) for one in taken]
    return db.Insert("scan", _COLUMNS, rows, "ON CONFLICT DO NOTHING")


def _let_in_row(one: _Decided) -> tuple[Any, ...]:
    """Beside a refusal: the person stands inside, so the turn is taken. Its id follows from the scan's, so that it is
    written once; no device's body has its digest.
    """
    item, _, view, at, is_doubtful, day, period = one.draft
    assert one.found is not None
    return (
        uuid5(item.entry.scan_id, "let in"),
        item.event_id,
        view.facts.id,
        view.facts.list_id,
        one.found.facts.id,
        one.own,
        Direction.ENTRY.value,
        VerdictCode.LET_IN.value,
        period,
        one.let_in,
        None,
        None,
        at,
        item.arrived,
        is_doubtful,
        day,
        item.actor_key,
        "",
    )


def _conflicts(clashes: Sequence[_Decided]) -> db.Insert:
    rows: list[tuple[Any, ...]] = []
    for one in clashes:
        item, known = one.draft.item, one.found is not None and one.own is not None
        passport_id = one.found.facts.id if one.found is not None and known else None
        rows.append(
            (
                item.entry.scan_id,
                item.event_id,
                one.draft.view.facts.id,
                passport_id,
                item.actor_key,
                item.entry.local.value,
                item.arrived,
                "",
                "",
            )
        )
    columns = (
        ("scan_id", "uuid"),
        ("event_id", "int"),
        ("checkpoint_id", "int"),
        ("passport_id", "int"),
        ("actor_key", "text"),
        ("local", "text"),
        ("found_at", "instant"),
        ("dealt_by", "text"),
        ("note", "text"),
    )
    return db.Insert("scan_conflict", columns, rows, "ON CONFLICT DO NOTHING")


def _days(days: Mapping[tuple[int, int, date, int, str], int]) -> db.Insert:
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


def _refusals(refusals: Mapping[tuple[int, date, int, str], int]) -> db.Insert:
    columns = (
        ("event_id", "int"),
        ("programme_date", "date"),
        ("checkpoint_id", "int"),
        ("verdict", "text"),
        ("count", "int"),
    )
    return db.Insert(
        "refusal_tally",
        columns,
        [(*key, count) for key, count in sorted(refusals.items())],
        "ON CONFLICT (event_id, programme_date, checkpoint_id, verdict) "
        "DO UPDATE SET count = refusal_tally.count + excluded.count",
    )


def _arrivals(arrivals: Iterable[tuple[int, date, int]]) -> db.Insert:
    return db.Insert(
        "arrival",
        (("event_id", "int"), ("programme_date", "date"), ("passport_id", "int")),
        sorted(arrivals),
        "ON CONFLICT DO NOTHING",
    )


def _came(moves: Iterable[tuple[int, str, int]], *, limited: bool = True) -> db.Insert:
    """People inside, never past a limit where they are ``limited``: the condition stands in the statement itself."""
    condition = (
        " WHERE presence.inside + excluded.inside "
        "<= COALESCE((SELECT capacity FROM checkin_list c WHERE c.id = presence.list_id), 2147483647)"
    )
    return db.Insert(
        "presence",
        (("list_id", "int"), ("period", "text"), ("inside", "int")),
        list(moves),
        "ON CONFLICT (list_id, period) DO UPDATE SET inside = presence.inside + excluded.inside"
        + (condition if limited else ""),
    )


def _reasons(decided: Sequence[_Decided]) -> db.Insert:
    rows: list[tuple[Any, ...]] = []
    for one in decided:
        assert one.found is not None
        item = one.draft.item
        rows.append((item.entry.scan_id, item.event_id, one.found.facts.id, item.entry.reason))
    columns = (("scan_id", "uuid"), ("event_id", "int"), ("passport_id", "int"), ("text", "text"))
    return db.Insert("scan_reason", columns, rows, "ON CONFLICT DO NOTHING")


async def _journal(decided: Sequence[_Decided]) -> None:
    """A lead's word against a refusal is somebody's decision, so it is written down as one; the reason is not."""
    for one in decided:
        item = one.draft.item
        assert one.found is not None and item.lead is not None
        await journal.write(
            actor=item.lead,
            verb="scan.override",
            object_kind="passport",
            object_id=one.found.facts.id,
            at=item.arrived,
            event_id=item.event_id,
            new={"checkpoint_id": item.entry.checkpoint_id, "scan_id": str(item.entry.scan_id)},
        )


def _left(moves: Iterable[tuple[int, str, int]]) -> db.Update:
    """An insert of a negative figure would break the table's check before the conflict is seen."""
    return db.Update(
        f"""UPDATE presence SET inside = inside - r.n FROM {json_rows("$1", l="int", d="text", n="int")}
            WHERE list_id = r.l AND period = r.d""",
        orjson.dumps([{"l": list_id, "d": period, "n": count} for list_id, period, count in moves]).decode(),
    )


# --- answers -----------------------------------------------------------------------------------------------------


def _answer(one: _Decided, book: _Book) -> Answer:
    (item, world, view, at, is_doubtful, _, _), found, own, verdict, first, is_conflict, *_ = one
    holder = None
    if found is not None and own is not None:
        holder = _holder(found.facts.id, found, own, world)
    return Answer(
        scan_id=item.entry.scan_id,
        verdict=verdict.code,
        tone=verdict.tone,
        at=at,
        checkpoint_id=view.facts.id,
        direction=item.entry.direction,
        holder=holder,
        first=first,
        elsewhere=_elsewhere(verdict.code, own, view.facts, world),
        is_doubtful=is_doubtful,
        is_conflict=is_conflict,
        is_rehearsal=book.is_rehearsal,
    )


def _notice(stored: str | None) -> Notice | None:
    """A note as the passport carries it; None for none."""
    if not stored:
        return None
    found = orjson.loads(stored)
    return Notice(LocalizedText.of(found.get("text", {})), bool(found.get("attention")))


def _badge(number: int | None, box: str | None) -> Badge | None:
    return Badge(number, box or "") if number is not None or box else None


def _holder(passport_id: int, found: _Found, ticket_type_id: int | None, world: World) -> Holder:
    words = world.ticket_types.get(ticket_type_id or 0)
    empty = LocalizedText()
    return Holder(
        passport_id,
        found.name,
        found.line,
        words.name if words else empty,
        words.door_note if words else empty,
        found.notice,
        found.leads_group,
        found.badge,
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
