"""A database to measure on, made past the forms but of the same rows, and its books checked afterwards.

    python -m bench.store create FACTS.json PASSPORTS SCANNERS   migrated, an event, its people, checkpoints, sign-ins
    python -m bench.store fill ROWS                              scans of other days and doors, up to so many rows
    python -m bench.store check ACKS.json                        the ledger against what was acknowledged
    python -m bench.store opening FACTS.json PASSPORTS LANES     the same for an opening hour: lanes of one door
    python -m bench.store books                                  the ledger and what stands beside it, as it is
    python -m bench.store ddl                                    the scan table's statements on SQLite, for the floor

Settings come from the environment, as the server's do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson

from bench.floor import TABLE
from checkin import checkpoints, counting
from checkin.rules import CheckpointKind
from events import event, tickets
from events.rules import Details, EventState, Role
from kernel import codes, db, migrations
from kernel.actor import Actor, ActorKind
from kernel.db import json_rows, unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import accounts

SLUG = "bench"
CHUNK = 5_000
#: Every so many passports one is cancelled, for the refusals.
CANCELLED_EVERY = 50
#: What a filled row is known by; measured scans carry their scanner.
FILLER = "system:0"
FILL_DAYS = 4
_KINDS = (
    *(CheckpointKind.GATE,) * 4,
    *(CheckpointKind.SESSION,) * 4,
    *(CheckpointKind.BOOTH,) * 3,
    CheckpointKind.SESSION,
)


@contextlib.asynccontextmanager
async def _house() -> AsyncIterator[Settings]:
    settings = Settings.from_env()
    await migrations.migrate(settings)
    await db.open_database(settings)
    try:
        yield settings
    finally:
        await db.close_database()


def morning_zone(at: datetime) -> str:
    """A zone in which it is between ten and eleven: the programme day, which begins at four, does not end meanwhile and
    nobody is let in for a second day."""
    offset = (10 - at.hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"  # POSIX counts the other way: Etc/GMT-8 is UTC+8


def _text(zh: str, en: str) -> LocalizedText:
    return LocalizedText({"zh-Hans": zh, "en": en})


async def create(target: Path, passports: int, scanners: int) -> None:
    """Writes what a load needs to know to ``target``: addresses, tokens, checkpoints, the passports' codes."""
    at = datetime.now(UTC)
    async with _house():
        owner_id = await accounts.create_account(
            email="owner@example.org", name="Owner", is_admin=False, locale="zh-Hans", at=at
        )
        owner = Actor(kind=ActorKind.ACCOUNT, id=owner_id)
        today = at.date()
        facts = Details(
            slug=SLUG,
            name=_text("门口测速大会", "Bench Conference"),
            starts_on=today - timedelta(days=FILL_DAYS),
            ends_on=today + timedelta(days=1),
            time_zone=morning_zone(at),
        )
        event_id = await event.create(actor=owner, facts=facts, at=at, state=EventState.PUBLISHED)
        guest = await tickets.add(
            actor=owner, event_id=event_id, at=at,
            details=tickets.TicketTypeDetails(
                code="guest", name=_text("普通票", "Attendee"), door_note=_text("蓝色挂绳", "Blue lanyard")
            ),
        )  # fmt: skip
        speaker = await tickets.add(
            actor=owner, event_id=event_id, at=at, details=tickets.TicketTypeDetails(code="speaker", name=_text("讲师", "Speaker"))
        )  # fmt: skip
        doors = [
            await checkpoints.add(
                actor=owner,
                event_id=event_id,
                code=f"door-{number}",
                kind=kind,
                name=_text(f"{number} 号门", f"Door {number}"),
                at=at,
                # Two rooms count who is inside, one of them under a limit: the counters cost what they cost.
                scans_exits=number in (4, 5),
                capacity=1_000_000 if number == 5 else None,
                ticket_type_ids=[speaker] if number == len(_KINDS) - 1 else (),
                position=number,
            )
            for number, kind in enumerate(_KINDS)
        ]
        tokens = []
        for number in range(scanners):
            account_id = await accounts.create_account(
                email=f"scanner{number}@example.org",
                name=f"Scanner {number}",
                is_admin=False,
                locale="zh-Hans",
                at=at,
            )
            await event.grant(actor=owner, event_id=event_id, account_id=account_id, role=Role.SCANNER, at=at)
            tokens.append(await accounts.open_sign_in(account_id=account_id, user_agent="bench", at=at))
        people = await _passports(event_id, guest, passports, at)
        owner_token = await accounts.open_sign_in(account_id=owner_id, user_agent="bench", at=at)
        await _analyse()
    target.write_bytes(
        orjson.dumps(
            {
                "slug": SLUG,
                "event_id": event_id,
                "owner_token": owner_token,
                "scanner_tokens": tokens,
                "doors": doors[:-1],
                "rooms_with_exits": doors[4:6],
                "speakers_door": doors[-1],
                "codes": [one["token"] for one in people if one["status"] == "valid"],
                "cancelled_codes": [one["token"] for one in people if one["status"] == "cancelled"],
            }
        )
    )


async def opening(target: Path, passports: int, lanes: int) -> None:
    """An event whose doors open just now, ten in the morning by its own clock, with ``lanes`` of one door."""
    at = datetime.now(UTC)
    # Wherever it is ten o'clock: no programme day ends while people come in.
    ahead = (10 - at.hour + 12) % 24 - 12
    async with _house():
        owner_id = await accounts.create_account(
            email="owner@example.org", name="Owner", is_admin=False, locale="zh-Hans", at=at
        )
        owner = Actor(kind=ActorKind.ACCOUNT, id=owner_id)
        facts = Details(
            slug=SLUG,
            name=_text("开门一小时", "Opening Hour"),
            starts_on=at.date() - timedelta(days=1),
            ends_on=at.date() + timedelta(days=1),
            time_zone=f"Etc/GMT{-ahead:+d}",
        )
        event_id = await event.create(actor=owner, facts=facts, at=at, state=EventState.PUBLISHED)
        guest = await tickets.add(
            actor=owner, event_id=event_id, at=at,
            details=tickets.TicketTypeDetails(code="guest", name=_text("普通票", "Attendee"), quota=passports * 2),
        )  # fmt: skip
        gates: list[int] = []
        for number in range(lanes):
            gates.append(
                await checkpoints.add(
                    actor=owner,
                    event_id=event_id,
                    code=f"lane-{number}",
                    kind=CheckpointKind.GATE,
                    name=_text(f"{number + 1} 号通道", f"Lane {number + 1}"),
                    at=at,
                    scans_exits=True,
                    shares_list_of=gates[0] if gates else None,
                    position=number,
                )
            )
        await _passports(event_id, guest, passports, at)
        async with unit_of_work():
            await db.execute("UPDATE passport SET status = 'valid'")
            await db.execute("UPDATE ticket_type SET taken = $1", passports)
        people = await db.query("SELECT token, registration_id FROM passport ORDER BY id")
        token = await accounts.open_sign_in(account_id=owner_id, user_agent="bench", at=at)
        await _analyse()
    target.write_bytes(
        orjson.dumps(
            {
                "slug": SLUG,
                "event_id": event_id,
                "owner_token": token,
                "ticket_type": guest,
                "gates": gates,
                "people": [[row["token"], int(row["registration_id"])] for row in people],
            }
        )
    )


async def books() -> None:
    """Prints every row of the ledger, the conflicts, and what of the totals disagrees with it."""
    async with _house():
        event_id = int((await db.query("SELECT id FROM event WHERE slug = $1", SLUG))[0]["id"])
        rows = await db.query(
            "SELECT scan_id, verdict, passport_id, checkpoint_id, direction, turn, at, is_doubtful FROM scan ORDER BY id"
        )
        clashes = await db.query("SELECT scan_id, local FROM scan_conflict ORDER BY id")
        wrong = await counting.rebuild(event_id)
    print(
        orjson.dumps(
            {
                "ledger": [
                    {
                        "scan_id": str(row["scan_id"]),
                        "verdict": row["verdict"],
                        "passport": row["passport_id"],
                        "checkpoint": row["checkpoint_id"],
                        "direction": row["direction"],
                        "turn": row["turn"],
                        "at": db.as_instant(row["at"]),
                        "is_doubtful": bool(row["is_doubtful"]),
                    }
                    for row in rows
                ],
                "conflicts": {str(row["scan_id"]): row["local"] for row in clashes},
                "totals_wrong": [str(one) for one in wrong][:20],
            }
        ).decode()
    )


async def _passports(event_id: int, ticket_type_id: int, count: int, at: datetime) -> list[dict[str, str]]:
    """Registrations, their passports and their codes, in bulk."""
    people = []
    # A space of 2^35 has collisions in a hundred thousand: they are left out here as the house would draw anew.
    shorts: set[str] = set()
    while len(shorts) < count:
        shorts.add(codes.new_short_code())
    for number, short in enumerate(sorted(shorts)):
        token = codes.new_token()
        people.append(
            {
                "x": f"bench-{number}",
                "name": f"来宾{number}",
                "email": f"guest{number}@example.org",
                "token": token,
                "public": codes.public_token(token),
                "short": short,
                "status": "cancelled" if number % CANCELLED_EVERY == CANCELLED_EVERY - 1 else "valid",
                "at": db.stored_instant(at),
            }
        )
    rows = json_rows(
        "$3",
        x="text",
        name="text",
        email="text",
        token="text",
        public="text",
        short="text",
        status="text",
        at="instant",
    )
    registration = f"""INSERT INTO registration (event_id, ticket_type_id, state, source, name, badge_name,
            english_name, email, phone, phone_last4, organisation, position, locale, external_id, search,
            secret_round, created_at, updated_at, ticket_source, payment_state, invoice_title, tax_number)
        SELECT $1, $2, 'confirmed', 'import', r.name, '', '', r.email, '', '', '开源社', '', 'zh-Hans', r.x, r.name,
            0, r.at, r.at, '', '', '', '' FROM {rows} WHERE true"""
    passport = f"""INSERT INTO passport (event_id, ticket_type_id, registration_id, token, public_token, short_code,
            status, badge_name, badge_line, badge_box, created_at)
        SELECT $1, $2, g.id, r.token, r.public, r.short, r.status, r.name, '开源社', '', r.at
        FROM {rows} JOIN registration g ON g.event_id = $1 AND g.external_id = r.x ORDER BY g.id"""
    code = """INSERT INTO passport_code (event_id, passport_id, code, kind, is_live)
        SELECT p.event_id, p.id, p.{column}, '{kind}', true FROM passport p WHERE p.id > $1 ORDER BY p.id"""
    for start in range(0, count, CHUNK):
        chunk = orjson.dumps(people[start : start + CHUNK]).decode()
        async with unit_of_work():
            last = (await db.query("SELECT COALESCE(max(id), 0) AS id FROM passport"))[0]["id"]
            await db.execute(registration, event_id, ticket_type_id, chunk)
            await db.execute(passport, event_id, ticket_type_id, chunk)
            for column, kind in (("token", "token"), ("short_code", "short")):
                await db.execute(code.format(column=column, kind=kind), last)
    return people


async def _analyse() -> None:
    """What autovacuum does by itself within a minute; SQLite's optimiser reads it when a connection opens."""
    async with unit_of_work():
        await db.execute("ANALYZE")


#: One row in five is a repeat of today, the rest are of the days before: three admissions, one repeat.
_FILL = """
INSERT INTO scan (scan_id, event_id, checkpoint_id, list_id, passport_id, ticket_type_id, direction, verdict, period,
    turn, met_turn, at, received_at, is_doubtful, programme_date, actor_key, body_digest)
SELECT {uuid}, c.event_id, c.id, c.list_id, p.id, p.ticket_type_id, 'entry',
    CASE WHEN n % 5 < 3 THEN 'admitted' ELSE 'welcome_back' END, {day},
    CASE WHEN n % 5 < 3 THEN 0 END, CASE WHEN n % 5 < 3 THEN NULL ELSE 0 END, {at}, {at}, false, {date}, '{filler}', {hex}
FROM {numbers}
JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS nth FROM passport) p ON p.nth = n % {passports}
JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS nth FROM checkpoint WHERE kind = 'gate') c
    ON c.nth = (n / {passports}) % {gates}
"""


async def fill(rows: int) -> None:
    """Adds scans of the four gates until the table holds ``rows``; totals are brought up to date, tables analysed.

    Each admission has its own (passport, gate, day), as the unique index asks, so there is room for passports × 16. The
    days are counted from the event's first, which stays the same though the programme day may end between two calls.
    """
    async with _house():
        found = await db.query("SELECT count(*) AS n FROM passport")
        passports = int(found[0]["n"])
        found = await db.query("SELECT id, starts_on FROM event WHERE slug = $1", SLUG)
        event_id, starts_on = int(found[0]["id"]), date.fromisoformat(str(found[0]["starts_on"])[:10])
        gates = sum(kind is CheckpointKind.GATE for kind in _KINDS)
        have = int((await db.query("SELECT count(*) AS n FROM scan"))[0]["n"])
        first = int((await db.query("SELECT count(*) AS n FROM scan WHERE actor_key = $1", FILLER))[0]["n"])
        today = (await checkpoints.read_world(event_id)).programme_date(datetime.now(UTC))
        last = first + max(0, rows - have)
        if last > passports * gates * FILL_DAYS:
            raise SystemExit(
                f"{passports} passports have room for {passports * gates * FILL_DAYS} filled rows"
            )
        for start in range(first, last, 10 * CHUNK):
            statement = _fill_statement(
                range(start, min(last, start + 10 * CHUNK)), passports, gates, starts_on, today
            )
            async with unit_of_work():
                await db.execute(statement)
        if last > first:
            async with unit_of_work():
                await db.execute(
                    """INSERT INTO arrival (event_id, programme_date, passport_id)
                       SELECT DISTINCT event_id, programme_date, passport_id FROM scan
                       WHERE actor_key = $1 AND turn = 0 ON CONFLICT DO NOTHING""",
                    FILLER,
                )
            await counting.rebuild(event_id)
        await _analyse()


def _fill_statement(numbers: range, passports: int, gates: int, starts_on: date, today: date) -> str:
    # Numbers and dates of our own making: nothing here came from outside.
    nth_day = f"(n / {passports * gates})"
    if db.dialect() == "sqlite":
        dates = {
            "numbers": f"(WITH RECURSIVE s(n) AS (SELECT {numbers.start} UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {numbers.stop}) SELECT n FROM s)",
            "uuid": "(SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-8' || substr(h, 18, 3)"
            " || '-' || substr(h, 21, 12) FROM (SELECT lower(hex(randomblob(16))) AS h, n))",
            "hex": "lower(hex(randomblob(32)))",
            "date": f"CASE WHEN n % 5 = 4 THEN '{today}' ELSE date('{starts_on}', {nth_day} || ' days') END",
        }
        dates["day"] = dates["date"]
        dates["at"] = (
            f"strftime('%Y-%m-%d %H:%M:%S', {dates['date']}, '+1 hours', (n % 28800) || ' seconds') || '.000000+00:00'"
        )
    else:
        day = f"(CASE WHEN n % 5 = 4 THEN date '{today}' ELSE date '{starts_on}' + ({nth_day})::int END)"
        dates = {
            "numbers": f"generate_series({numbers.start}, {numbers.stop - 1}) AS n",
            "uuid": "gen_random_uuid()",
            "hex": "md5(random()::text) || md5(random()::text)",
            "date": day,
            "day": f"{day}::text",
            "at": f"({day}::timestamp AT TIME ZONE 'UTC') + interval '1 hour' + (n % 28800) * interval '1 second'",
        }
    return _FILL.format(passports=passports, gates=gates, filler=FILLER, **dates)


async def check(acks: Path) -> None:
    """Prints what of ``{scan_id: verdict}`` the ledger does not confirm, and whether the totals agree with it."""
    acknowledged: dict[str, str] = orjson.loads(acks.read_bytes())
    async with _house():
        event_id = int((await db.query("SELECT id FROM event WHERE slug = $1", SLUG))[0]["id"])
        rows = await db.query(
            "SELECT scan_id, verdict, passport_id, turn, direction FROM scan WHERE actor_key <> $1", FILLER
        )
        stored = {str(row["scan_id"]): row["verdict"] for row in rows}
        admitted = [
            row["passport_id"] for row in rows if row["direction"] == "entry" and row["turn"] is not None
        ]
        twice = await db.query(
            """SELECT passport_id FROM scan WHERE turn IS NOT NULL GROUP BY passport_id, list_id, period
               HAVING sum(CASE WHEN direction = 'entry' THEN 1 ELSE -1 END) NOT IN (0, 1)"""
        )
        wrong = await counting.rebuild(event_id)
    print(
        json.dumps(
            {
                "rows": len(rows),
                "acknowledged": len(acknowledged),
                "missing": sorted(acknowledged.keys() - stored.keys())[:20],
                "changed": [
                    one for one, verdict in acknowledged.items() if stored.get(one, verdict) != verdict
                ][:20],
                "unacknowledged": len(stored.keys() - acknowledged.keys()),
                "admissions": len(admitted),
                "people_admitted": len(set(admitted)),
                "admitted_twice": len(twice),
                "totals_wrong": [str(one) for one in wrong][:20],
            }
        )
    )


def ddl() -> None:
    """The scan table and its indexes as the migrations make them, under the floor's name."""
    settings = Settings.from_env()
    import sqlite3

    with contextlib.closing(sqlite3.connect(db.sqlite_path(settings))) as connection:
        found = connection.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'scan' AND sql IS NOT NULL ORDER BY type DESC"
        ).fetchall()
    # References to tables that the floor's file does not have: SQLite checks none, foreign keys are off there.
    renamed = [
        re.sub(r'"(idx_)?scan', rf'"\g<1>{TABLE}', sql, count=2 if "INDEX" in sql else 1) for (sql,) in found
    ]
    print(json.dumps(renamed))


def main(arguments: Sequence[str]) -> int:
    random.seed(1)
    match list(arguments):
        case ["create", target, passports, scanners]:
            asyncio.run(create(Path(target), int(passports), int(scanners)))
        case ["fill", rows]:
            asyncio.run(fill(int(rows)))
        case ["check", acks]:
            asyncio.run(check(Path(acks)))
        case ["opening", target, passports, lanes]:
            asyncio.run(opening(Path(target), int(passports), int(lanes)))
        case ["books"]:
            asyncio.run(books())
        case ["ddl"]:
            ddl()
        case _:
            raise SystemExit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
