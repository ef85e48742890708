"""The two floors that the scans stand on, each in a process of its own.

    python -m bench.floor serve                             the house's server with one more route: a constant answer
    python -m bench.floor postgres URL INSERTS CONNECTIONS  one durable commit per insert, by the bare driver
    python -m bench.floor sqlite FILE INSERTS DDL.json      the same with one writer, which is all that SQLite has

The table is the scan table under another name: same columns, unique and other indexes, checks; only foreign keys are
left out, which favours the floor. Prints ``{"per_s", "latencies_s"}`` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import sys
import uuid
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import orjson
import uvloop
from starlette.requests import Request
from starlette.responses import Response

CONSTANT_PATH = "/bench/constant"
TABLE = "bench_floor"
COLUMNS = (
    "scan_id", "event_id", "checkpoint_id", "list_id", "passport_id", "ticket_type_id", "direction", "verdict",
    "period", "turn", "met_turn", "code_hash", "at", "received_at", "is_doubtful", "programme_date", "actor_key",
    "body_digest",
)  # fmt: skip


def serve() -> int:
    """``main.py run`` with a route that answers every scan with the same JSON: all that HTTP costs, and no more.

    The route reads the body and answers as many bytes as an admission; it stands first among the routes, as the scan does.
    """
    import main
    from web.routing import Entry, public

    answer = orjson.dumps({"verdict": "admitted", "words": "x" * 560})
    own = main.entries

    async def constant(request: Request) -> Response:
        await request.body()
        response = Response(answer, media_type="application/json")
        response.headers["cache-control"] = "no-store"
        return response

    def entries() -> list[Entry]:
        return [public(CONSTANT_PATH, constant, "bench.constant", methods=("POST",)), *own()]

    main.entries = entries
    return main.main(["run"])


def _row(number: int) -> dict[str, Any]:
    """An admission as the committer writes it, of the same widths."""
    now = datetime.now(UTC)
    return {
        "scan_id": uuid.uuid4(),
        "event_id": 1,
        "checkpoint_id": 1 + number % 12,
        "list_id": 1 + number % 12,
        "passport_id": number,
        "ticket_type_id": 1,
        "direction": "entry",
        "verdict": "admitted",
        "period": "2023-10-28",
        "turn": 0,
        "met_turn": None,
        "code_hash": None,
        "at": now,
        "received_at": now,
        "is_doubtful": False,
        "programme_date": date(2023, 10, 28),
        "actor_key": f"account:{number % 32}",
        "body_digest": random.randbytes(32).hex(),
    }


def _result(latencies: list[float], took_s: float) -> None:
    print(json.dumps({"per_s": len(latencies) / took_s, "latencies_s": latencies}))


async def postgres(url: str, inserts: int, connections: int) -> None:
    """32 connections, each committing one row after the other; a server that syncs for several at once may do so."""
    import warnings

    warnings.simplefilter("ignore")
    first = await asyncpg.connect(url)
    await first.execute(f"DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} (LIKE scan INCLUDING ALL)")
    values = [list(_row(number).values()) for number in range(inserts)]
    statement = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({', '.join(f'${n + 1}' for n in range(len(COLUMNS)))})"
    opened = [
        await asyncpg.connect(url, server_settings={"synchronous_commit": "on"}) for _ in range(connections)
    ]
    prepared = [await connection.prepare(statement) for connection in opened]
    queue = iter(values)
    latencies: list[float] = []

    async def commit(insert: Any) -> None:
        for row in queue:
            began = perf_counter()
            await insert.fetch(*row)
            latencies.append(perf_counter() - began)

    began = perf_counter()
    await asyncio.gather(*(commit(insert) for insert in prepared))
    took = perf_counter() - began
    assert await first.fetchval(f"SELECT count(*) FROM {TABLE}") == inserts
    for connection in opened:
        await connection.close()
    await first.execute(f"DROP TABLE {TABLE}")
    await first.close()
    _result(latencies, took)


def sqlite(file: Path, inserts: int, ddl: list[str]) -> None:
    """One writer: WAL, synchronous FULL, one commit for each row."""
    file.unlink(missing_ok=True)
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    for statement in ddl:
        connection.execute(statement)
    rows = []
    for number in range(inserts):
        values = _row(number)
        values |= {name: str(values[name]) for name in ("scan_id", "at", "received_at", "programme_date")}
        rows.append(list(values.values()))
    statement = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
    latencies = []
    began = perf_counter()
    for row in rows:
        at = perf_counter()
        connection.execute(statement, row)
        latencies.append(perf_counter() - at)
    took = perf_counter() - began
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0] == inserts
    connection.close()
    _result(latencies, took)


def main(arguments: list[str]) -> int:
    if arguments == ["serve"]:
        return serve()
    kind, where, inserts, last = arguments
    if kind == "postgres":
        uvloop.run(postgres(where, int(inserts), int(last)))
    else:
        sqlite(Path(where), int(inserts), json.loads(Path(last).read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
