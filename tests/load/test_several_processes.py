"""Two server processes on one PostgreSQL and one Redis, behind the nginx configuration that we ship.

The first test is an ordinary one; those that restart things under load are ``long``. Each run has a PostgreSQL
database, or a whole PostgreSQL where it is restarted, and a Redis of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import ssl
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bench.door import scan
from bench.process import Server
from tests import services
from tests.load import houses
from tests.load.houses import Json, Load

CONNECTIONS = 16

pytestmark = pytest.mark.skipif(
    not os.environ.get("DATABASE_URL"), reason="several processes are for PostgreSQL; SQLite serves one"
)


@dataclass(frozen=True, slots=True)
class House:
    """Two processes with what they share."""

    folder: Path
    url: str
    redis: services.Server
    facts: Json
    servers: tuple[Server, Server]
    port: int

    @property
    def bases(self) -> tuple[str, str]:
        one, other = self.servers
        return f"127.0.0.1:{one.port}", f"127.0.0.1:{other.port}"

    @property
    def board(self) -> str:
        return f"board.{self.facts['event_id']}"

    def bodies(self, seed: int, count: int = 100_000) -> list[Json]:
        return houses.bodies(self.facts, random.Random(seed), count)

    async def boards(self, **more: Any) -> list[Json]:
        """The board as each process has it, by now."""
        return [
            await houses.polled(f"http://{base}", self.board, self.facts["owner_token"], **more)
            for base in self.bases
        ]

    async def same_board(self) -> Json:
        """Both boards at the same version, which has to be the last one: at most two looks of the other process."""
        async with asyncio.timeout(30):
            while True:
                one, other = await self.boards()
                if one["version"] == other["version"]:
                    break
                await asyncio.sleep(0.2)
        assert _counts(one["data"]) == _counts(other["data"])
        return one


def _counts(document: Json) -> Json:
    """Without what a process says of the moment in which it read."""
    return {key: value for key, value in document.items() if key not in ("at", "now")}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    server = os.environ["DATABASE_URL"]
    with services.postgres_database(server, "several") as url, _house(tmp_path, url) as found:
        yield found


@contextlib.contextmanager
def _house(folder: Path, url: str) -> Iterator[House]:
    facts = houses.create(folder, url, passports=1_500, scanners=2 * CONNECTIONS)
    port = services.free_port()
    with services.redis_server() as redis, contextlib.ExitStack() as stack:
        env = {
            "REDIS_URL": redis.url,
            "HUIWU_TRUSTED_PROXIES": "127.0.0.1",
            "HUIWU_BASE_URL": f"https://localhost:{port}",
        }
        one, other = (Server(folder, url, name=f"server-{name}", env=env) for name in "ab")
        stack.enter_context(one.running())
        stack.enter_context(other.running())
        yield House(folder, url, redis, facts, (one, other), port)


async def post(base: str, token: str, body: Json, **more: Any) -> Json:
    async with httpx2.AsyncClient(trust_env=False, **more) as client:
        answer = await client.post(f"{base}{houses.PATH}", json=body, headers=houses.bearer(token))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@contextlib.asynccontextmanager
async def boards(house: House) -> AsyncIterator[tuple[Any, Any]]:
    """Sockets on the board, one at each process."""
    token = house.facts["owner_token"]
    one, other = (f"ws://{base}" for base in house.bases)
    async with (
        houses.following(one, house.board, token=token) as here,
        houses.following(other, house.board, token=token) as there,
    ):
        yield here, there


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_two_processes_are_one_house(house: House) -> None:
    token, door = house.facts["owner_token"], house.facts["doors"][0]
    scanner, codes = house.facts["scanner_tokens"][0], iter(house.facts["codes"])
    one, other = (f"http://{base}" for base in house.bases)

    # A scan through one moves the board of the other, whichever it is.
    async with boards(house) as (here, there):
        first = await houses.frame(here)
        assert (await houses.frame(there))["version"] == first["version"]
        for base in (one, other, one):
            assert (await post(base, scanner, scan(next(codes), door)))["verdict"] == "admitted"
            version = (await house.same_board())["version"]
            frames = [await houses.frame_of(socket, version) for socket in (here, there)]
            assert _counts(frames[0]["data"]) == _counts(frames[1]["data"])

    # Nobody comes in by two doors at once, one at each process; the same scan sent to both is one.
    for code in [next(codes) for _ in range(10)]:
        double = scan(code, door)
        answers = await asyncio.gather(*(post(base, scanner, scan(code, door)) for base in (one, other)))
        assert Counter(answer["verdict"] for answer in answers)["admitted"] == 1
        again = await asyncio.gather(*(post(base, scanner, double) for base in (one, other)))
        assert {answer["verdict"] for answer in again} == {again[0]["verdict"]}
        assert sorted(answer["replayed"] for answer in again) == [False, True]

    # Whoever was at one process goes on at the other: with what it knows, or what it missed.
    version = (await house.same_board())["version"]
    async with houses.following(
        f"ws://{house.bases[1]}", house.board, known=version - 1, token=token
    ) as there:
        missed = await houses.frame(there)
        assert missed["version"] == version
    async with houses.following(f"ws://{house.bases[1]}", house.board, known=version, token=token) as there:
        await post(one, scanner, scan(next(codes), door))
        assert (await houses.frame(there))["version"] > version, "what it knew was sent again"

    await _a_phone_is_revoked(house, codes)
    with services.nginx(houses.nginx_configuration(house.bases, house.port, house.folder, tls=True)) as nginx:
        await _through_nginx(house, nginx, codes)


async def _a_phone_is_revoked(house: House, codes: Iterator[str]) -> None:
    """At one process; the other, which believes in the phone, refuses it as soon as it looks again, and for good."""
    event, door = houses.PATH.removesuffix("/api/scans"), house.facts["doors"][0]
    one, other = (f"http://{base}" for base in house.bases)
    lead = houses.bearer(house.facts["owner_token"])
    async with httpx2.AsyncClient(trust_env=False) as client:

        async def send(base: str, path: str, body: Json, headers: Json, status: int) -> Json:
            answer = await client.post(f"{base}{event}/api{path}", json=body, headers=headers)
            assert answer.status_code == status, answer.text
            return dict(answer.json())

        wanted = {
            "id": str(uuid.uuid4()),
            "name": "North",
            "count": 1,
            "checkpoints": [door],
            "until": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
        }
        made = await send(one, "/device-pairings", wanted, lead, 201)
        spent = {"code": made["pairings"][0]["code"], "instance": str(uuid.uuid4())}
        phone = await send(other, "/devices/pair", spent, {"sec-fetch-site": "same-origin"}, 200)
        mine = houses.bearer(phone["token"])
        for base in (one, other):
            assert (await send(base, "/scans", scan(next(codes), door), mine, 200))["verdict"] == "admitted"

        await send(one, f"/devices/{phone['device']['id']}/revocation", {}, lead, 200)
        refused = await send(one, "/scans", scan(next(codes), door), mine, 401)
        assert refused["code"] == "device_revoked"
        known = [await _asks(client, f"{one}{event}/api/device", mine)]
        async with asyncio.timeout(30):
            while True:
                if await _asks(client, f"{other}{event}/api/device", mine) == 401:
                    break
                await asyncio.sleep(0.1)
        # Once it has looked it never believes in the phone again, whichever is asked.
        known += [await _asks(client, f"{base}{event}/api/device", mine) for base in (other, one) * 3]
        assert set(known) == {401}
        before = await house.same_board()
        for base in (other, one):
            await send(base, "/scans", scan(next(codes), door), mine, 401)
        assert (await house.same_board())["version"] == before["version"], "nothing of it was counted"


async def _asks(client: httpx2.AsyncClient, url: str, headers: Json) -> int:
    return (await client.get(url, headers=headers)).status_code


async def _through_nginx(house: House, nginx: services.Server, codes: Iterator[str]) -> None:
    token, door = house.facts["owner_token"], house.facts["doors"][0]
    scanner, secret = house.facts["scanner_tokens"][0], house.facts["codes"][-1]
    base = f"https://localhost:{house.port}"
    trust = ssl.create_default_context(cafile=str(house.folder / "lan" / "huiwu-local-authority.crt"))
    async with httpx2.AsyncClient(base_url=base, verify=trust, trust_env=False) as client:
        # A live topic through the proxy, and polled: the same frame.
        async with houses.following(
            f"wss://localhost:{house.port}", house.board, token=token, ssl=trust, origin=base
        ) as socket:
            known = (await houses.frame(socket))["version"]
            await post(base, scanner, scan(next(codes), door), verify=trust)
            moved = await houses.frame_of(socket, known + 1)
        said = await houses.polled(base, house.board, token, verify=trust)
        assert said["version"] == moved["version"] and _counts(said["data"]) == _counts(moved["data"])

        # Cookies and links know that this is HTTPS; the token leaves the address.
        opened = await client.get("/p", params={"token": secret})
        assert opened.status_code == 303 and "token" not in opened.headers["location"]
        assert "Secure" in opened.headers["set-cookie"]
        assert "strict-transport-security" in opened.headers

        # What never changes is kept by nginx, compressed once.
        page = (await client.get("/sign-in")).text
        style = re.search(r'href="(/static/[0-9a-f]+/css/[\w.-]+\.css)"', page)
        assert style
        kept = [await client.get(style[1]) for _ in range(3)]
        assert [answer.headers["x-cache"] for answer in kept] == ["MISS", "HIT", "HIT"]
        assert kept[2].headers["content-encoding"] == "gzip"
        assert "immutable" in kept[2].headers["cache-control"]
        old = re.sub("/static/[0-9a-f]+/", "/static/000000000000/", style[1])
        assert [(await client.get(old)).headers["x-cache"] for _ in range(2)] == ["MISS", "MISS"]

        # Figures are asked from each process, never through the front door; too much is refused at it.
        assert (await client.get("/metrics")).status_code == 404
        assert (await client.get("/readyz")).json()["redis"] == "ok"
        assert (await client.post(houses.PATH, content=b"x" * 1_100_000)).status_code == 413

        # One process stops: nobody notices. None is left: an honest 502, and back again.
        house.servers[0].stop()
        for _ in range(6):
            assert (await post(base, scanner, scan(next(codes), door), verify=trust))["verdict"] == "admitted"
        assert (await client.get("/healthz")).status_code == 200
        house.servers[1].stop()
        body = scan(next(codes), door)
        away = await client.post(houses.PATH, json=body, headers=houses.bearer(scanner))
        assert away.status_code == 502
        assert (await client.get("/p", params={"token": secret})).status_code == 502
        await asyncio.to_thread(house.servers[1].start)
        assert (await post(base, scanner, body, verify=trust))["verdict"] == "admitted"
    logs = [path for folder in (house.folder, nginx.folder) for path in folder.rglob("*.log")]
    assert len(logs) >= 4
    for log in logs:
        text = log.read_text(encoding="utf-8", errors="replace")
        assert secret not in text and "token=" not in text, log.name
    assert '"GET /p" 303' in (nginx.folder / "huiwu-access.log").read_text(encoding="utf-8")


# --- long: restarts under load -------------------------------------------------------------------------------------


@contextlib.contextmanager
def _loads(house: House, *ports: int) -> Iterator[list[Load]]:
    """A load for each port, each with scanners of its own."""
    tokens = house.facts["scanner_tokens"]
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                Load(
                    house.folder,
                    f"load-{number}",
                    port,
                    tokens[number * CONNECTIONS : (number + 1) * CONNECTIONS],
                    house.bodies(seed=number),
                ).running()
            )
            for number, port in enumerate(ports)
        ]


async def _moves_on(house: House) -> None:
    """Both boards have counted scans that were made after this call."""
    async with boards(house) as sockets:
        for socket in sockets:
            version = (await houses.frame(socket))["version"]
            await houses.frame_of(socket, version + 5)


async def _books(house: House, loads: list[Load], record: Any) -> None:
    results = [await asyncio.to_thread(load.end) for load in loads]
    acknowledged = houses.verdicts(*results)
    await house.same_board()
    houses.balance(house.folder, house.url, acknowledged)
    record("acknowledged", len(acknowledged))
    record("sent again", sum(len(found["again"]) for found in results))


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_redis_restarted_under_load_costs_no_scan_and_no_count(
    house: House, record_property: Any
) -> None:
    with _loads(house, *(server.port for server in house.servers)) as loads:
        await _moves_on(house)
        for _ in range(3):
            house.redis.crash()
            await _moves_on(house)  # without Redis: each process looks at the versions
            for base in house.bases:
                async with httpx2.AsyncClient(trust_env=False) as client:
                    answer = await client.get(f"http://{base}/readyz")
                assert (answer.status_code, answer.json()["redis"]) == (200, "down")
            await asyncio.to_thread(house.redis.start)
            await _moves_on(house)
        await _books(house, loads, record_property)
    record_property("redis killed", 3)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_postgres_restarted_under_load_costs_no_acknowledged_scan(
    tmp_path: Path, record_property: Any
) -> None:
    with services.postgres_server("fsync=on") as server, _house(tmp_path, server.url) as house:
        with _loads(house, *(one.port for one in house.servers)) as loads:
            await _moves_on(house)
            for restart in (server.crash, server.stop, server.crash):
                await asyncio.to_thread(restart)
                async with httpx2.AsyncClient(trust_env=False) as client:
                    for base in house.bases:
                        answer = await client.get(f"http://{base}/readyz", timeout=30)
                        assert (answer.status_code, answer.json()["database"]) == (503, "unreachable")
                await asyncio.to_thread(server.start)
                await _moves_on(house)  # by itself: nobody restarted a process of ours
            await _books(house, loads, record_property)
        for one in house.servers:
            assert one.log.read_text(encoding="utf-8").count("Started server process") == 1
    record_property("postgres restarted", 3)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_processes_restarted_one_after_the_other_are_not_noticed(
    house: House, record_property: Any
) -> None:
    with (
        services.nginx(houses.nginx_configuration(house.bases, house.port, house.folder, tls=False)) as nginx,
        _loads(house, house.port) as loads,
    ):
        await _moves_on(house)
        for server in (*house.servers, *house.servers):
            assert await asyncio.to_thread(server.stop) != -9
            await asyncio.to_thread(server.start)
            await _moves_on(house)
        await _books(house, loads, record_property)
        assert (nginx.folder / "huiwu-error.log").read_text(encoding="utf-8") == ""
    record_property("processes restarted", 4)
