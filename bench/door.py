"""How fast the door is: scans through the public route, beside two floors of the same run, and the books afterwards.

The real server runs in a process of its own with production settings; 32 scanners, each with an own sign-in and
connection, post scans from another process; an organiser's board follows the event meanwhile. Measured are first
scans (every passport once), repeats (the same passports again) and a mixture (70 % first, 20 % repeats, 10 %
refusals), the median of the rounds; and what a scan costs with a few and with very many rows in the ledger.

The floors: the same requests answered with a constant by the same server, and one durable commit per insert by the
bare driver into a table like the ledger's. Afterwards rows must equal acknowledgements, admissions the distinct
people admitted, and every total its ledger; else the exit code is 1. Only 127.0.0.1 is talked to.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import re
import shlex
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import orjson
import websockets

from bench import process, store
from bench.floor import CONSTANT_PATH
from bench.process import ROOT, Failed, Server
from tests import services

PAGE = ROOT / "docs" / "performance.md"
CONNECTIONS = 32
SCANS_MAX, ROUNDS_MAX, ROWS_MAX = 50_000, 9, 1_000_000
#: One phase must not take longer; a server that hangs ends the run instead of holding the machine.
PHASE_LIMIT_S = 60.0
FEW_ROWS = 5_000
P99_AIM_MS = 50.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    scans: int
    rounds: int
    rows: int
    growth_scans: int
    warm: int
    floor_inserts: int
    folder: Path

    @property
    def passports(self) -> int:
        """Valid ones that the run spends: a first scan needs somebody who was never here; and some cancelled."""
        spent = self.warm + self.rounds * (self.scans + self.scans * 7 // 10 + self.growth_scans)
        return (spent + 100) * store.CANCELLED_EVERY // (store.CANCELLED_EVERY - 1) + store.CANCELLED_EVERY


@dataclass(slots=True)
class Sample:
    """One phase of one round."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float = 0.0


def _sample(latencies_s: Sequence[float], took_s: float, cpu_s: float = 0.0) -> Sample:
    ordered = sorted(latencies_s)
    count = len(ordered)
    return Sample(
        per_s=count / took_s,
        p50_ms=ordered[count // 2] * 1000,
        p99_ms=ordered[min(count - 1, count * 99 // 100)] * 1000,
        cpu_us=cpu_s / count * 1e6,
    )


def _median(samples: Iterable[Sample]) -> Sample:
    every = list(samples)
    return Sample(
        *(
            statistics.median(getattr(one, name) for one in every)
            for name in ("per_s", "p50_ms", "p99_ms", "cpu_us")
        )
    )


# --- one database and its server ---------------------------------------------------------------------------------


class Store:
    """A fresh database with its server, its people and the scans that were acknowledged."""

    def __init__(self, folder: Path, database_url: str, passports: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.url = folder, database_url
        self.env = process.environment(folder, database_url)
        facts = folder / "facts.json"
        process.call("bench.store", "create", str(facts), str(passports), str(CONNECTIONS), env=self.env)
        self.facts = json.loads(facts.read_text(encoding="utf-8"))
        self.codes: list[str] = self.facts["codes"]
        self.server = Server(folder, database_url)
        self.acknowledged: dict[str, str] = {}
        self.spent = 0
        self.frames = 0
        self.problems: list[str] = []
        self._board: asyncio.Task[None] | None = None

    def fill(self, rows: int) -> None:
        process.call("bench.store", "fill", str(rows), env=self.env, limit_s=900)

    def fresh(self, count: int) -> list[str]:
        """Codes of people who were never here."""
        taken = self.codes[self.spent : self.spent + count]
        assert len(taken) == count, "too few passports were made"
        self.spent += count
        return taken

    def door_of(self, code: str) -> int:
        """Everybody has one door: a repeat is one only where the first scan was."""
        doors: list[int] = self.facts["doors"]
        return doors[int(code[:8], 16) % len(doors)]

    async def post(self, bodies: Sequence[dict[str, Any]]) -> Sample:
        """Sends the scans from the load process; raises Failed when one is not answered with 200."""
        sample, answers = await load(
            self.server, f"/e/{store.SLUG}/api/scans", self.facts["scanner_tokens"], bodies, self.folder
        )
        for number, status, answer, _ in answers:
            if status != 200:
                raise Failed(f"a scan was answered {status}: {answer}")
            if answer["scan_id"] != bodies[number]["scan_id"]:
                raise Failed("a scan was answered with another one's verdict")
            self.acknowledged[answer["scan_id"]] = answer["verdict"]
        return sample

    async def follow_board(self) -> None:
        """The organiser's board, attached for as long as the server runs; its frames are counted."""
        address = f"ws://127.0.0.1:{self.server.port}/live"
        topic = f"board.{self.facts['event_id']}"
        headers = {"authorization": f"Bearer {self.facts['owner_token']}"}
        async with websockets.connect(address, additional_headers=headers, max_size=None) as socket:
            await socket.send(json.dumps({"op": "sub", "topics": {topic: None}}))

            async def ping() -> None:
                while True:
                    await asyncio.sleep(20)
                    await socket.send('{"op": "ping"}')

            pinging = asyncio.create_task(ping())
            try:
                async for text in socket:
                    said = json.loads(text)
                    if said.get("topic") == topic and "data" in said:
                        self.frames += 1
                    elif said.get("op") in ("refused", "revoked"):
                        self.problems.append(f"the board was {said['op']}")
            finally:
                pinging.cancel()

    @contextlib.asynccontextmanager
    async def serving(self) -> Any:
        self.server.start()
        self._board = asyncio.create_task(self.follow_board())
        try:
            yield self
        finally:
            self._board.cancel()
            ended = await asyncio.gather(self._board, return_exceptions=True)
            if isinstance(ended[0], Exception):
                self.problems.append(f"the board lost its connection: {ended[0]!r}")
            self.server.stop()

    def check(self) -> list[str]:
        """What does not add up; empty when all is well. The server is stopped by now."""
        acks = self.folder / "acks.json"
        acks.write_bytes(orjson.dumps(self.acknowledged))
        found = process.call("bench.store", "check", str(acks), env=self.env)
        verdicts = Counter(self.acknowledged.values())
        problems = list(self.problems)
        if found["rows"] != len(self.acknowledged):
            problems.append(f"{found['rows']} rows but {len(self.acknowledged)} acknowledgements")
        counted = ("missing", "changed", "unacknowledged", "admitted_twice", "totals_wrong")
        problems += [f"{name.replace('_', ' ')}: {found[name]}" for name in counted if found[name]]
        if not found["admissions"] == found["people_admitted"] == verdicts["admitted"]:
            problems.append(
                f"{found['admissions']} admissions of {found['people_admitted']} people, {verdicts['admitted']} acknowledged"
            )
        if not self.frames:
            problems.append("the board saw no frame")
        return problems


async def load(
    server: Server, path: str, tokens: Sequence[str], bodies: Sequence[dict[str, Any]], folder: Path
) -> tuple[Sample, list[tuple[int, int, Any, int]]]:
    """One phase: the load process alone is on the clock, and what the server's processor time was meanwhile."""
    plan, result = folder / "plan.json", folder / "result.json"
    plan.write_bytes(
        orjson.dumps(
            {
                "port": server.port,
                "path": path,
                "tokens": list(tokens),
                "bodies": [orjson.dumps(body).decode() for body in bodies],
                "limit_s": PHASE_LIMIT_S,
            }
        )
    )
    before = server.cpu_s()
    log = folder / "load.log"
    with log.open("wb") as words:
        client = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.load",
            str(plan),
            str(result),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stderr=words,
        )
    try:
        async with asyncio.timeout(PHASE_LIMIT_S + 60):
            code = await client.wait()
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
    cpu_s = server.cpu_s() - before
    if code:
        raise Failed(f"the load process ended with {code}:\n{log.read_text(errors='replace')[-2000:]}")
    found = orjson.loads(result.read_bytes())
    if found["problem"] or len(found["answers"]) != len(bodies):
        raise Failed(
            f"{len(found['answers'])} of {len(bodies)} scans were answered: {found['problem'] or 'out of time'}"
        )
    return _sample(found["latencies_s"], found["took_s"], cpu_s), found["answers"]


def scan(code: str, checkpoint: int, direction: str = "entry") -> dict[str, Any]:
    return {
        "scan_id": str(uuid.uuid4()),
        "code": code,
        "checkpoint": checkpoint,
        "direction": direction,
        "age_ms": 0,
    }


def mixture(of: Store, seen: Sequence[str], count: int, rng: random.Random) -> list[dict[str, Any]]:
    """70 % first scans, 20 % repeats of ``seen``, 10 % refusals of three kinds, shuffled."""
    firsts = [scan(code, of.door_of(code)) for code in of.fresh(count * 7 // 10)]
    repeats = [scan(code, of.door_of(code)) for code in rng.choices(seen, k=count * 2 // 10)]
    refused = []
    for number in range(count - len(firsts) - len(repeats)):
        match number % 3:
            case 0:  # a payment code, as people show them
                refused.append(scan(f"wxp://f2f0{rng.getrandbits(96):024x}", rng.choice(of.facts["doors"])))
            case 1:
                refused.append(scan(rng.choice(seen), of.facts["speakers_door"]))
            case _:
                cancelled = rng.choice(of.facts["cancelled_codes"])
                refused.append(scan(cancelled, of.door_of(cancelled)))
    every = [*firsts, *repeats, *refused]
    rng.shuffle(every)
    return every


# --- the run -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Measured:
    """All samples of one database, by what was measured."""

    name: str
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    few_rows: tuple[int, int] = (0, 0)
    many_rows: tuple[int, int] = (0, 0)
    acknowledged: int = 0
    admitted: int = 0
    frames: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, what: str, sample: Sample) -> None:
        self.samples.setdefault(what, []).append(sample)
        say(f"  {what:9} {sample.per_s:8,.0f}/s  p50 {sample.p50_ms:6.1f} ms  p99 {sample.p99_ms:6.1f} ms")

    def median(self, what: str) -> Sample:
        return _median(self.samples[what])


def say(text: str) -> None:
    """Progress: to the terminal, never into the tables."""
    print(text, file=sys.stderr, flush=True)


async def measure(name: str, plan: Plan, folder: Path, urls: dict[str, str]) -> Measured:
    """Every phase of one database; ``urls`` are the addresses of two empty ones (empty addresses: SQLite)."""
    rng = random.Random(7)
    found = Measured(name)
    say(f"{name}: making a conference of {plan.passports:,} passports")
    main_store = Store(folder / "main", urls["main"], plan.passports)
    main_store.fill(FEW_ROWS)
    constant = Server(_made(folder / "constant"), command=("-m", "bench.floor", "serve"), name="floor")
    with constant.running():
        async with main_store.serving():
            await main_store.post(
                [scan(code, main_store.door_of(code)) for code in main_store.fresh(plan.warm)]
            )
            for number in range(plan.rounds):
                say(f" round {number + 1} of {plan.rounds}")
                await _round(found, main_store, constant, plan, rng)
    say(f"{name}: a ledger of {plan.rows:,} rows beside one of {FEW_ROWS:,}")
    small = Store(folder / "small", urls["small"], plan.warm + plan.rounds * plan.growth_scans + 1000)
    small.fill(FEW_ROWS)
    main_store.fill(plan.rows)
    async with small.serving(), main_store.serving():
        for of in (small, main_store):
            again = main_store.codes[: plan.warm] if of is main_store else small.fresh(plan.warm)
            await of.post([scan(code, of.door_of(code)) for code in again])
        for _ in range(plan.rounds):
            # In turns, so that what else the machine does meets both alike.
            for what, of in (("few rows", small), ("many rows", main_store)):
                codes = of.fresh(plan.growth_scans)
                found.add(what, await of.post([scan(code, of.door_of(code)) for code in codes]))
    found.few_rows = (FEW_ROWS, FEW_ROWS + len(small.acknowledged))
    found.many_rows = (plan.rows, plan.rows + plan.rounds * plan.growth_scans + plan.warm)
    for of in (main_store, small):
        found.problems += of.check()
        found.acknowledged += len(of.acknowledged)
        found.admitted += Counter(of.acknowledged.values())["admitted"]
        found.frames += of.frames
    return found


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _round(found: Measured, of: Store, constant: Server, plan: Plan, rng: random.Random) -> None:
    codes = of.fresh(plan.scans)
    bodies = [scan(code, of.door_of(code)) for code in codes]
    sample, answers = await load(constant, CONSTANT_PATH, of.facts["scanner_tokens"], bodies, of.folder)
    assert all(status == 200 for _, status, _, _ in answers)
    found.add("constant", sample)
    found.add("commit", await asyncio.to_thread(_commit_floor, of, plan))
    found.add("first", await of.post(bodies))
    found.add("repeats", await of.post([scan(code, of.door_of(code)) for code in codes]))
    found.add("mixed", await of.post(mixture(of, codes, plan.scans, rng)))


def _commit_floor(of: Store, plan: Plan) -> Sample:
    if of.url:
        arguments = ["postgres", of.url, str(plan.floor_inserts), str(CONNECTIONS)]
    else:
        ddl = of.folder / "ddl.json"
        ddl.write_text(json.dumps(process.call("bench.store", "ddl", env=of.env)), encoding="utf-8")
        arguments = ["sqlite", str(of.folder / "floor.sqlite3"), str(plan.floor_inserts), str(ddl)]
    floor = process.call("bench.floor", *arguments, env=of.env, limit_s=PHASE_LIMIT_S * 2)
    sample = _sample(floor["latencies_s"], 1.0)
    sample.per_s = floor["per_s"]
    return sample


# --- the tables --------------------------------------------------------------------------------------------------


def table(found: Measured) -> str:
    """What ``measure`` found as Markdown, as it stands in docs/performance.md."""
    commit, constant = found.median("commit"), found.median("constant")
    lines = [
        f"### {found.name}",
        "",
        "| | scans/s | p50 ms | p99 ms | server CPU µs | × one commit per insert | × constant answer |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for what, title in (("first", "first scans"), ("repeats", "repeats"), ("mixed", "mixed")):
        lines.append(_line(title, found, what, commit, constant))
    lines.append(
        _line("*floor:* one durable commit per insert, bare driver", found, "commit", commit, constant)
    )
    lines.append(_line("*floor:* constant JSON, same server", found, "constant", commit, constant))
    few, many = found.median("few rows"), found.median("many rows")
    lines += [
        "",
        "| rows in the ledger | scans/s | p50 ms | p99 ms | server CPU µs |",
        "|---|---:|---:|---:|---:|",
        f"| {_span(found.few_rows)} | {_cells(few)} |",
        f"| {_span(found.many_rows)} | {_cells(many)} |",
        "",
        f"A first scan costs {few.per_s / many.per_s:.2f} times as much time with the large ledger"
        + (
            f", {many.cpu_us / few.cpu_us:.2f} times as much of the server's processor.\n"
            if few.cpu_us
            else ".\n"
        ),
    ]
    slowest = min(found.median(what).per_s for what in ("first", "repeats", "mixed"))
    worst = max(found.median(what).p99_ms for what in ("first", "repeats", "mixed"))
    lines += [
        (
            f"- Aim, at least one commit per insert: **{'met' if slowest >= commit.per_s else 'missed'}** "
            f"({slowest / commit.per_s:.2f} ×). Aim, p99 under {P99_AIM_MS:.0f} ms: "
            f"**{'met' if worst < P99_AIM_MS else 'missed'}** ({worst:.1f} ms)."
        ),
        f"- {found.acknowledged:,} acknowledgements, {found.admitted:,} admissions; the board received {found.frames} frames.",
    ]
    if found.problems:
        lines += [f"- **Does not add up**: {problem}" for problem in found.problems]
    else:
        lines.append(
            "- Afterwards: rows equal acknowledgements, verdict by verdict; admissions equal distinct people admitted; "
            "nobody is inside twice; every total equals its ledger."
        )
    return "\n".join(lines) + "\n"


def _line(title: str, found: Measured, what: str, commit: Sample, constant: Sample) -> str:
    one = found.median(what)
    rates = [sample.per_s for sample in found.samples[what]]
    spread = f" ({min(rates):,.0f} to {max(rates):,.0f})" if len(rates) > 1 else ""
    return (
        f"| {title} | {one.per_s:,.0f}{spread} | {one.p50_ms:.1f} | {one.p99_ms:.1f} | {_cpu(one)} "
        f"| {one.per_s / commit.per_s:.2f} | {one.per_s / constant.per_s:.2f} |"
    )


def _cells(one: Sample) -> str:
    return f"{one.per_s:,.0f} | {one.p50_ms:.1f} | {one.p99_ms:.1f} | {_cpu(one)}"


def _cpu(one: Sample) -> str:
    return f"{one.cpu_us:.0f}" if one.cpu_us else ""


def _span(rows: tuple[int, int]) -> str:
    return f"{rows[0]:,} (at the end {rows[1]:,})"


def facts(plan: Plan, server_url: str, arguments: Sequence[str]) -> str:
    """The machine, the versions, the disk and the command."""
    model = ""
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        model = f", {found[1]}" if found else ""
    lines = [
        f"Taken {datetime.now(UTC):%Y-%m-%d %H:%M} UTC with `{shlex.join(['python', 'main.py', 'bench', *arguments])}`.",
        "",
        (
            f"- {os.cpu_count()} cores{model}, {platform.system()} {platform.release()}; "
            f"load average at the start {os.getloadavg()[0]:.1f} (client, server and PostgreSQL share the cores)"
        ),
        f"- Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
        + (f", PostgreSQL {asyncio.run(_postgres_facts(server_url))}" if server_url else ""),
        f"- one `fdatasync` of a 4 KiB append takes {_fdatasync_ms(plan.folder):.2f} ms here (median of 200)",
        (
            f"- {CONNECTIONS} connections, {plan.scans:,} scans a phase, median of {plan.rounds} "
            f"round{'s' if plan.rounds > 1 else ''}; SQLite: WAL, synchronous FULL; PostgreSQL: synchronous_commit on"
        ),
    ]
    return "\n".join(lines) + "\n"


async def _postgres_facts(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        version = (await connection.fetchval("SHOW server_version")).split()[0]
        fsync = await connection.fetchval("SHOW fsync")
    finally:
        await connection.close()
    return f"{version} (fsync {fsync}{'' if fsync == 'on' else ': its figures are worth nothing'})"


def _fdatasync_ms(folder: Path) -> float:
    took = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


def write_page(parts: dict[str, str], page: Path = PAGE) -> None:
    """Puts each part between its markers in docs/performance.md; raises Failed when a marker is missing."""
    text = page.read_text(encoding="utf-8")
    for name, body in parts.items():
        text, count = re.subn(
            rf"(<!-- bench:{name} -->\n).*?(<!-- /bench:{name} -->)",
            lambda match, body=body: f"{match[1]}\n{body}\n{match[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise Failed(f"{page.name} has no place for {name}")
    page.write_text(text, encoding="utf-8")


# --- the command -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """HUIWU_TEST_PG, DATABASE_URL, the one on port 5432, or one of our own that syncs as the real ones do."""
    if url := os.environ.get("HUIWU_TEST_PG") or os.environ.get("DATABASE_URL"):
        yield urlsplit(url)._replace(path="/postgres").geturl()
    elif services.postgres_trusts(5432):
        yield services.LOCAL_POSTGRES
    else:
        with services.postgres_server("fsync=on") as server:
            yield server.url


@contextlib.contextmanager
def _databases(server_url: str, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Addresses of new databases named for this run, dropped afterwards; without a server SQLite's empty addresses."""
    if not server_url:
        yield dict.fromkeys(names, "")
        return
    made = {name: f"huiwu_bench_{os.getpid()}_{name}" for name in names}
    drops = [f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in made.values()]
    try:
        asyncio.run(_sql(server_url, [*drops, *(f'CREATE DATABASE "{name}"' for name in made.values())]))
        yield {
            name: urlsplit(server_url)._replace(path=f"/{database}").geturl()
            for name, database in made.items()
        }
    finally:
        asyncio.run(_sql(server_url, drops))


async def _sql(url: str, statements: Sequence[str]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _count(limit: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not 1 <= number <= limit:
            raise argparse.ArgumentTypeError(f"between 1 and {limit:,}")
        return number

    return read


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python main.py bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    top.add_argument("--scans", type=_count(SCANS_MAX), default=12_000, help="scans in a phase (12000)")
    top.add_argument(
        "--rounds", type=_count(ROUNDS_MAX), default=3, help="rounds, of which the median counts (3)"
    )
    top.add_argument(
        "--rows", type=_count(ROWS_MAX), default=500_000, help="rows in the large ledger (500000)"
    )
    top.add_argument(
        "--quick", action="store_true", help="does it work at all: few scans, one round, under 40 s"
    )
    top.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    top.add_argument(
        "--folder", type=Path, help="where the data lie; its disk is what is measured (a temporary folder)"
    )
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints the tables, and ends with exit code 1 when the books do not balance or a scan went wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parser().parse_args(arguments)
    if chosen.quick and chosen.write:
        raise SystemExit("--quick says whether it works, not how fast it is: nothing to write")
    wanted = ("sqlite", "postgres") if chosen.database == "both" else (chosen.database,)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="huiwu-bench-", dir=chosen.folder) as folder,
            _server(wanted) as url,
        ):
            good = _run(_plan(chosen, Path(folder)), wanted, url, arguments, write=chosen.write)
    except (Failed, services.Missing) as failed:
        raise SystemExit(f"bench: {failed}") from None
    if not good:
        raise SystemExit(1)


def _plan(chosen: argparse.Namespace, folder: Path) -> Plan:
    if chosen.quick:
        return Plan(
            scans=800, rounds=1, rows=20_000, growth_scans=400, warm=100, floor_inserts=400, folder=folder
        )
    return Plan(
        scans=chosen.scans,
        rounds=chosen.rounds,
        rows=chosen.rows,
        growth_scans=min(3_000, chosen.scans),
        warm=1_000,
        floor_inserts=min(6_000, chosen.scans),
        folder=folder,
    )


@contextlib.contextmanager
def _server(wanted: Sequence[str]) -> Iterator[str]:
    if "postgres" not in wanted:
        yield ""
        return
    with postgres() as url:
        yield url


def _run(plan: Plan, wanted: Sequence[str], url: str, arguments: Sequence[str], *, write: bool) -> bool:
    parts = {"facts": facts(plan, url, arguments)}
    print(parts["facts"], flush=True)
    good = True
    for name in wanted:
        with _databases(url if name == "postgres" else "", ("main", "small")) as urls:
            found = asyncio.run(measure(_TITLES[name], plan, plan.folder / name, urls))
        parts[name] = table(found)
        print(parts[name], flush=True)
        good = good and not found.problems
    if write:
        write_page(parts)
        say(f"written: {PAGE}")
    return good


_TITLES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


if __name__ == "__main__":
    main()
