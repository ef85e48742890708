"""What the tests of running servers share: a database of their own, a load of scans, and the books afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import orjson
from websockets.asyncio.client import ClientConnection, connect

from bench import process, store
from bench.door import scan
from bench.process import ROOT
from tests import services
from web import local_authority

Json = dict[str, Any]
PATH = f"/e/{store.SLUG}/api/scans"
CONFIGURATION = ROOT / "deploy" / "nginx.conf"


@contextlib.contextmanager
def database(name: str) -> Iterator[str]:
    """An empty PostgreSQL database where DATABASE_URL names a server, else SQLite's empty address."""
    server = os.environ.get("DATABASE_URL", "")
    if not server:
        yield ""
        return
    with services.postgres_database(server, name) as url:
        yield url


def create(folder: Path, url: str, *, passports: int, scanners: int) -> Json:
    """An event with people, doors and scanners in the empty database; gives what bench.store says of it."""
    facts = folder / "facts.json"
    env = process.environment(folder, url)
    process.call("bench.store", "create", str(facts), str(passports), str(scanners), env=env)
    found: Json = json.loads(facts.read_text(encoding="utf-8"))
    return found


def bodies(facts: Json, rng: random.Random, count: int) -> list[Json]:
    """First scans, repeats, exits, re-entries and codes of nobody, as they come."""
    made = []
    for _ in range(count):
        door, code = rng.choice(facts["doors"]), rng.choice(facts["codes"])
        if rng.random() < 0.05:
            code = f"wxp://{rng.getrandbits(96):024x}"
        leaves = door in facts["rooms_with_exits"] and rng.random() < 0.4
        made.append(scan(code, door, "exit" if leaves else "entry"))
    return made


def nginx_configuration(bases: Sequence[str], port: int, folder: Path, *, tls: bool) -> str:
    """The shipped file with this test's ports and paths; each replacement has to find its place."""
    made = CONFIGURATION.read_text(encoding="utf-8")

    def put(old: str, new: str, times: int = 1) -> None:
        nonlocal made
        assert made.count(old) == times, old
        made = made.replace(old, new)

    put("127.0.0.1:8001 ", f"{bases[0]} ")
    put("127.0.0.1:8002 ", f"{bases[1]} ")
    put("listen 80;", f"listen 127.0.0.1:{services.free_port()};")
    # The name of a venue box resolves to its own address; localhost is such a name here.
    put("server_name hui.example.org;", "server_name localhost;", 2)
    # Beside nginx itself: root's nginx serves from an unprivileged worker, which has to get there.
    put("/var/cache/nginx/huiwu", "cache")
    put("/var/log/nginx/", "", 2)
    if tls:
        certificates = local_authority.ensure(folder / "lan", [])
        put("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;")
        put("/etc/letsencrypt/live/hui.example.org/fullchain.pem", str(certificates.certificate))
        put("/etc/letsencrypt/live/hui.example.org/privkey.pem", str(certificates.key))
    else:
        put("listen 443 ssl http2;", f"listen 127.0.0.1:{port};")
        made = re.sub(r"^\s*ssl_.*\n", "", made, flags=re.MULTILINE)
    # The first port that services.nginx finds is the one it waits for.
    return f"# listen 127.0.0.1:{port};\n{made}"


class Load:
    """A process of ``bench.load`` that posts scans and sends again whatever was not answered."""

    def __init__(self, folder: Path, name: str, port: int, tokens: Sequence[str], bodies: list[Json]) -> None:
        self.bodies = bodies
        self._plan, self._result = folder / f"{name}-plan.json", folder / f"{name}-result.json"
        self._plan.write_bytes(
            orjson.dumps(
                {
                    "port": port,
                    "path": PATH,
                    "tokens": list(tokens),
                    "bodies": [orjson.dumps(body).decode() for body in bodies],
                    "limit_s": 120,
                    "retry": True,
                }
            )
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[Load]:
        command = [sys.executable, "-m", "bench.load", str(self._plan), str(self._result)]
        self._process = subprocess.Popen(command, cwd=ROOT)
        try:
            yield self
        finally:
            self._process.kill()
            self._process.wait()

    def end(self) -> Json:
        """Sends nothing new, waits for every answer, and gives the result; fails when an answer is missing or no 200."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(90) == 0
        found: Json = orjson.loads(self._result.read_bytes())
        assert not found["problem"], found["problem"]
        assert {status for _, status, _, _ in found["answers"]} <= {200}
        assert len(found["answers"]) == found["sent"] < len(self.bodies), "the load ran dry"
        return found


def verdicts(*results: Json) -> dict[str, str]:
    """What was acknowledged: scan id to verdict."""
    return {answer["scan_id"]: answer["verdict"] for found in results for _, _, answer, _ in found["answers"]}


def balance(folder: Path, url: str, acknowledged: Mapping[str, str]) -> None:
    """The books: every acknowledged scan is in the ledger as it was said, none besides, nobody twice, totals right."""
    acks = folder / "acks.json"
    acks.write_bytes(orjson.dumps(dict(acknowledged)))
    checked = process.call("bench.store", "check", str(acks), env=process.environment(folder, url))
    assert checked["missing"] == checked["changed"] == checked["totals_wrong"] == []
    assert checked["rows"] == len(acknowledged)
    assert checked["unacknowledged"] == checked["admitted_twice"] == 0
    assert checked["admissions"] == sum(verdict == "admitted" for verdict in acknowledged.values())


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@contextlib.asynccontextmanager
async def following(
    base: str, topic: str, *, known: int | None = None, token: str = "", **more: Any
) -> AsyncIterator[ClientConnection]:
    """A socket that follows ``topic`` from version ``known``; ``base`` is ws://host:port or wss://…."""
    headers = bearer(token) if token else {}
    async with connect(
        f"{base}/live", compression=None, proxy=None, additional_headers=headers, **more
    ) as socket:
        await socket.send(orjson.dumps({"op": "sub", "topics": {topic: known}}).decode())
        yield socket


async def frame(socket: ClientConnection) -> Json:
    """The next frame of a topic; what else is said is passed over."""
    async with asyncio.timeout(30):
        while "topic" not in (said := orjson.loads(await socket.recv())) or "data" not in said:
            pass
    return dict(said)


async def frame_of(socket: ClientConnection, version: int) -> Json:
    """The first frame that is at least of this version."""
    async with asyncio.timeout(30):
        while (said := await frame(socket))["version"] < version:
            pass
    return said


async def polled(base: str, topic: str, token: str, **more: Any) -> Json:
    async with httpx2.AsyncClient(trust_env=False, **more) as client:
        answer = await client.get(f"{base}/live/{topic}", headers=bearer(token))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
