"""The event's snapshot for scanners without a network: kept in step with the passports, and read out in pages.

The stored lines are a copy, made again at will: a comparison by content finds what differs, whatever changed it, and
only that gets a new version. It runs when a scanner asks and something was heard of since (the topic
``snapshot.<event>``), or nothing was looked at for RECHECK. Each lookup id also stands in ``passport_code``, so that the
committer takes it as any other code; ``passports`` keeps those live or dead in the very transaction that decides it.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

import orjson

from checkin.rules import CodeKind, PassportStatus
from checkin.snapshot_rules import (
    NONCE_BYTES,
    SALT_BYTES,
    Changes,
    Code,
    Holder,
    Keys,
    Line,
    Stored,
    compare_codes,
    compare_groups,
    page_digest,
)
from events.queries import GROUP_AT_MOST
from events.rules import HOLDS_A_PLACE
from kernel import db
from kernel.db import unit_of_work
from people import topics

#: An event's passports are compared at most so often, however many scanners ask.
REFRESH_S: Final = 2.0
#: And at least so often while any asks, for changes that nobody told of.
RECHECK_S: Final = 60.0
Item = TypeVar("Item")
#: Passports read and compared at once, lines written in one transaction, lines in one page of an answer.
READ_AT_ONCE: Final = 1000
WRITE_AT_ONCE: Final = 1000
PAGE: Final = 2000
#: Scans in one answer about who is here already.
SEEN_PAGE: Final = 4000
#: Scans that a scanner asks for once more: on PostgreSQL a lower number may be committed after a higher one.
SEEN_AGAIN: Final = 300


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the installation's key."""
    _Wiring.key = key


def topic(event_id: int) -> str:
    """What is bumped when something changed that a snapshot tells of."""
    return f"snapshot.{event_id}"


@dataclass(frozen=True, slots=True)
class State:
    """Where an event's snapshot stands. Without ``checked_at`` it was never whole."""

    salt: bytes
    version: int
    checked_at: datetime | None
    topic_version: int


@dataclass(frozen=True, slots=True)
class Page:
    """Lines that are newer than ``since``, in the order of their lookup ids; an empty text says that one is gone.

    ``version`` is what the last line of the last page brings a scanner to. ``next`` is where the next page begins
    behind, empty on the last; ``is_whole`` tells that ``since`` was not from this snapshot, so all of it follows.
    """

    version: int
    salt: str
    since: int
    is_whole: bool
    lines: Sequence[tuple[str, str]]
    digest: str
    next: str


# --- kept in step ------------------------------------------------------------------------------------------------

_running: dict[int, asyncio.Task[State]] = {}
_compared: dict[int, float] = {}


def forget() -> None:
    """For tests, whose tables are emptied behind our back."""
    _running.clear()
    _compared.clear()


async def current(event_id: int) -> State:
    """The snapshot's state, after comparing it with the passports where that is due; one comparison serves all who
    ask this process meanwhile."""
    state = await _state(event_id)
    heard = (await topics.versions([topic(event_id)]))[topic(event_id)]
    if state is not None and state.checked_at is not None:
        age = (datetime.now(UTC) - state.checked_at).total_seconds()
        is_news = heard != state.topic_version and time.monotonic() - _compared.get(event_id, 0) >= REFRESH_S
        if not is_news and age < RECHECK_S:
            return state
    task = _running.get(event_id)
    if task is None or task.done():
        task = _running[event_id] = asyncio.create_task(_refresh(event_id))
    return await asyncio.shield(task)


async def _state(event_id: int) -> State | None:
    rows = await db.query(
        "SELECT salt, version, checked_at, topic_version FROM snapshot WHERE event_id = $1", event_id
    )
    if not rows:
        return None
    [row] = rows
    return State(
        bytes.fromhex(row["salt"]), row["version"], db.as_instant(row["checked_at"]), row["topic_version"]
    )


async def _refresh(event_id: int) -> State:
    """Compares every passport with its lines and writes what differs; in pages, so that nobody waits for it long."""
    _compared[event_id] = time.monotonic()
    # Before anything is read: what is told of from here on is looked at the next time.
    heard = (await topics.versions([topic(event_id)]))[topic(event_id)]
    state = await _state(event_id)
    if state is None:
        async with unit_of_work():
            await db.execute(
                "INSERT INTO snapshot (event_id, salt, version, topic_version) VALUES ($1, $2, 0, -1) "
                "ON CONFLICT (event_id) DO NOTHING",
                event_id,
                os.urandom(SALT_BYTES).hex(),
            )
        state = await _state(event_id)
        assert state is not None
    keys = Keys(state.salt, _Wiring.key)
    after = 0
    while page := await _codes(event_id, after):
        after = page[-1].holder.passport_id
        await _write(event_id, await asyncio.to_thread(compare_codes, page, keys=keys, nonces=_nonces()))
    groups, stored = await _groups(event_id)
    lines = await asyncio.to_thread(compare_groups, groups, stored, keys=keys, nonces=_nonces())
    await _write(event_id, Changes(lines, ()))
    await _bury(event_id, gone_groups=stored.keys() - groups.keys())
    async with unit_of_work():
        await db.execute(
            "UPDATE snapshot SET checked_at = $1, topic_version = $2 WHERE event_id = $3",
            datetime.now(UTC),
            heard,
            event_id,
        )
    after_all = await _state(event_id)
    assert after_all is not None
    return after_all


def _nonces() -> Iterator[bytes]:
    while True:
        yield os.urandom(NONCE_BYTES)


_HOLDER: Final = (
    "p.id AS passport_id, p.ticket_type_id, p.status, p.badge_name, p.badge_line, "
    "CAST(p.notice AS TEXT) AS notice, p.leads_group_id, p.badge_number, p.badge_box"
)


def _holder(row: Mapping[str, Any]) -> Holder:
    return Holder(
        passport_id=row["passport_id"],
        ticket_type_id=row["ticket_type_id"],
        status=PassportStatus(row["status"]),
        name=row["badge_name"],
        line=row["badge_line"],
        notice=row["notice"],
        badge=(row["badge_number"], row["badge_box"])
        if row["badge_number"] is not None or row["badge_box"]
        else None,
        group_id=row["leads_group_id"],
    )


async def _codes(event_id: int, after: int) -> Sequence[Code]:
    """Every code of the next passports, with what is stored of each."""
    rows = await db.query(
        f"""SELECT c.id AS code_id, c.code, c.kind, c.is_live, {_HOLDER}, l.lookup, l.digest,
                k.passport_id AS leads_to, k.is_live AS leads_live
            FROM (SELECT * FROM passport WHERE event_id = $1 AND id > $2 ORDER BY id LIMIT {READ_AT_ONCE}) p
            JOIN passport_code c ON c.passport_id = p.id AND c.kind <> '{CodeKind.LOOKUP}'
            LEFT JOIN snapshot_line l ON l.code_id = c.id
            LEFT JOIN passport_code k ON k.event_id = c.event_id AND k.code = '~' || l.lookup
            ORDER BY p.id, c.id""",
        event_id,
        after,
    )
    return [
        Code(
            row["code_id"],
            row["code"],
            row["kind"],
            bool(row["is_live"]),
            _holder(row),
            None
            if row["lookup"] is None
            else Stored(
                row["lookup"],
                row["digest"],
                None if row["leads_to"] is None else (row["leads_to"], bool(row["leads_live"])),
            ),
        )
        for row in rows
    ]


async def _groups(
    event_id: int,
) -> tuple[Mapping[int, tuple[str, Sequence[tuple[str, Holder]]]], Mapping[int, str]]:
    """The lists that somebody's code opens, and the digests of those that are stored."""
    states = ", ".join(f"'{state}'" for state in sorted(HOLDS_A_PLACE))
    rows = await db.query(
        f"""SELECT g.id AS group_id, g.name AS group_name, p.token, {_HOLDER}
            FROM registration_group g JOIN registration r ON r.group_id = g.id AND r.state IN ({states})
            JOIN passport p ON p.registration_id = r.id
            WHERE g.event_id = $1 AND g.id IN (SELECT leads_group_id FROM passport WHERE event_id = $1)
            ORDER BY g.id, r.id""",
        event_id,
    )
    groups: dict[int, tuple[str, list[tuple[str, Holder]]]] = {}
    for row in rows:
        members = groups.setdefault(row["group_id"], (row["group_name"], []))[1]
        if len(members) < GROUP_AT_MOST:
            members.append((row["token"], _holder(row)))
    stored = await db.query(
        "SELECT group_id, digest FROM snapshot_line WHERE event_id = $1 AND group_id IS NOT NULL", event_id
    )
    return groups, {row["group_id"]: row["digest"] for row in stored}


async def _write(event_id: int, changes: Changes) -> None:
    """Each part is a version of its own and complete in itself, so that a scanner between two misses neither."""
    for lines in _parts(changes.lines):
        async with unit_of_work():
            version = await _next_version(event_id)
            await db.write_together(_lines(event_id, version, lines))
    for codes in _parts(changes.codes):
        async with unit_of_work():
            await _lead(codes)


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), WRITE_AT_ONCE):
        yield items[start : start + WRITE_AT_ONCE]


async def _next_version(event_id: int) -> int:
    """Takes the snapshot's row first: whoever writes lines at the same time comes after, with a higher version."""
    [row] = await db.query(
        "UPDATE snapshot SET version = version + 1 WHERE event_id = $1 RETURNING version", event_id
    )
    return int(row["version"])


_LINE_COLUMNS: Final = (
    ("event_id", "int"),
    ("lookup", "text"),
    ("code_id", "int"),
    ("group_id", "int"),
    ("version", "int"),
    ("digest", "text"),
    ("sealed", "text"),
)


def _lines(event_id: int, version: int, lines: Iterable[Line]) -> db.Insert:
    return db.Insert(
        "snapshot_line",
        _LINE_COLUMNS,
        [(event_id, one.lookup, one.code_id, one.group_id, version, one.digest, one.sealed) for one in lines],
        "ON CONFLICT (event_id, lookup) DO UPDATE SET code_id = excluded.code_id, group_id = excluded.group_id, "
        "version = excluded.version, digest = excluded.digest, sealed = excluded.sealed",
    )


async def _lead(codes: Sequence[tuple[int, str]]) -> None:
    """Makes lookup codes lead where their codes lead now, which may be elsewhere than when we compared."""
    rows = orjson.dumps([{"id": id_, "code": code} for id_, code in codes]).decode()
    source = db.json_rows("$1", id="int", code="text")
    # Held first (a lock on PostgreSQL), so that a reissue comes before or after, and never in between.
    await db.execute(
        f"UPDATE passport_code SET is_live = is_live WHERE id {db.in_list('$1', 'int')}",
        db.list_parameter([id_ for id_, _ in codes]),
    )
    await db.execute(
        "INSERT INTO passport_code (event_id, passport_id, code, kind, is_live) "
        f"SELECT c.event_id, c.passport_id, r.code, '{CodeKind.LOOKUP}', c.is_live "
        f"FROM {source} JOIN passport_code c ON c.id = r.id WHERE TRUE "
        "ON CONFLICT (event_id, code) DO UPDATE SET passport_id = excluded.passport_id, is_live = excluded.is_live "
        f"WHERE passport_code.kind = '{CodeKind.LOOKUP}'",
        rows,
    )


#: Instead of a digest, once scanners are told that the line is gone.
_BURIED: Final = "gone"


async def _bury(event_id: int, *, gone_groups: Iterable[int]) -> None:
    """Lines whose code or group is no more: scanners are told to drop them."""
    gone = await db.query(
        f"""SELECT l.id FROM snapshot_line l WHERE l.event_id = $1 AND l.digest <> '{_BURIED}'
            AND (l.group_id {db.in_list("$2", "int")} OR (l.code_id IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM passport_code c WHERE c.id = l.code_id)))""",
        event_id,
        db.list_parameter(list(gone_groups)),
    )
    for ids in _parts([row["id"] for row in gone]):
        async with unit_of_work():
            version = await _next_version(event_id)
            await db.execute(
                f"UPDATE snapshot_line SET sealed = '', digest = '{_BURIED}', version = $1 WHERE id {db.in_list('$2', 'int')}",
                version,
                db.list_parameter(ids),
            )


async def follow_codes(passport_ids: Sequence[int]) -> None:
    """Makes the lookup codes of these passports as live or dead as the codes that they stand for, and lead where those
    lead, inside the caller's unit of work; scanners fetch what their lines say from now on."""
    await db.execute(
        f"""UPDATE passport_code SET passport_id = s.passport_id, is_live = s.is_live
            FROM snapshot_line l JOIN passport_code s ON s.id = l.code_id
            WHERE s.passport_id {db.in_list("$1", "int")} AND passport_code.kind = '{CodeKind.LOOKUP}'
                AND passport_code.event_id = l.event_id AND passport_code.code = '~' || l.lookup
                AND (passport_code.passport_id <> s.passport_id OR passport_code.is_live <> s.is_live)""",
        db.list_parameter(passport_ids),
    )


async def forget_people(registration_ids: Sequence[int]) -> None:
    """Empties every line that tells of these people, inside the caller's unit of work; what is left to say of them is
    written by the next comparison. Before their codes go, for a line is found by its code."""
    ids = db.list_parameter(registration_ids)
    mine = f"SELECT p.id FROM passport p WHERE p.registration_id {db.in_list('$1', 'int')}"
    await db.execute(
        f"""UPDATE snapshot_line SET sealed = '', digest = '' WHERE
            code_id IN (SELECT c.id FROM passport_code c WHERE c.passport_id IN ({mine}))
            OR (group_id IS NOT NULL AND event_id IN (SELECT p.event_id FROM passport p
                WHERE p.registration_id {db.in_list("$1", "int")}))""",
        ids,
    )


# --- read out ----------------------------------------------------------------------------------------------------


async def page(event_id: int, state: State, *, since: int, after: str = "") -> Page:
    """One page of what is newer than ``since``; two statements at most, whatever there is.

    A line that changes while somebody reads page by page may come in its newer form: nothing older is missed, and
    the newer comes once more with the next version.
    """
    is_whole = since <= 0 or since > state.version
    since = 0 if is_whole else since
    rows = await db.query(
        f"""SELECT lookup, sealed FROM snapshot_line WHERE event_id = $1 AND version > $2 AND lookup > $3
            {"AND sealed <> ''" if is_whole else ""} ORDER BY lookup LIMIT {PAGE}""",
        event_id,
        since,
        after,
    )
    lines = [(row["lookup"], row["sealed"]) for row in rows]
    return Page(
        version=state.version,
        salt=state.salt.hex(),
        since=since,
        is_whole=is_whole,
        lines=lines,
        digest=page_digest(lines),
        next=lines[-1][0] if len(lines) == PAGE else "",
    )


@dataclass(frozen=True, slots=True)
class SeenScans:
    """Rows of the ledger that say who is where, as [passport, list, period, turn, direction, at, checkpoint]."""

    scans: Sequence[Sequence[Any]]
    #: What to ask behind the next time.
    version: int
    has_more: bool


async def seen(event_id: int, *, list_ids: Iterable[int], since: int, today: date) -> SeenScans:
    """Who is already here: what was scanned ``since`` in these lists, of today or of periods that know no day.

    The last few come again, because numbers and commits need not follow one order: a scanner keeps each once.
    """
    [latest] = await db.query("SELECT coalesce(max(id), 0) AS id FROM scan WHERE event_id = $1", event_id)
    rows = await db.query(
        f"""SELECT id, passport_id, list_id, period, turn, direction, at, checkpoint_id FROM scan
            WHERE event_id = $1 AND id > $2 AND turn >= 0 AND list_id {db.in_list("$3", "int")}
                AND (period = '' OR programme_date = $4)
            ORDER BY id LIMIT {SEEN_PAGE}""",
        event_id,
        max(0, since - SEEN_AGAIN),
        db.list_parameter(sorted(set(list_ids))),
        today,
    )
    return SeenScans(
        scans=[
            [
                row["passport_id"],
                row["list_id"],
                row["period"],
                row["turn"],
                row["direction"],
                db.as_instant(row["at"]),
                row["checkpoint_id"],
            ]
            for row in rows
        ],
        version=rows[-1]["id"] if len(rows) == SEEN_PAGE else latest["id"],
        has_more=len(rows) == SEEN_PAGE,
    )
