"""Five thousand sockets from one address: so many are served, the rest is sent to polling and gets the same."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx2
import orjson
import pytest

from tests.http.test_board import _handshake, _masked
from tests.load.live_server import PER_ADDRESS
from tests.load.test_frozen_reader import server, stats
from tests.services import Server
from web.sockets import POLL_INSTEAD

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CROWD = 5_000
#: Opened at once: what a page that everybody opens at the same word from the stage comes to on two cores.
WAVE = 100
WATCHED_S = 5.0


class Client:
    """A socket as a browser's page uses it: follows the small topic, or learns that it is to poll."""

    def __init__(self, made: Server) -> None:
        self.made = made
        self.versions: list[int] = []
        self.delays: list[float] = []
        self.closed_with: int | None = None

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.made.port, limit=8_192)
        await _handshake(self.reader, self.writer, self.made.url)
        self.writer.write(_masked(b'{"op":"sub","topics":{"n.1":null}}'))
        while not self.versions and self.closed_with is None:
            await self.read_one()

    async def read_one(self) -> None:
        kind, length = await self.reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2))
        payload = await self.reader.readexactly(length)
        if kind == 0x88:
            self.closed_with = int.from_bytes(payload[:2])
        elif b'"version"' in payload:
            said = orjson.loads(payload)
            self.versions.append(said["version"])
            self.delays.append(time.time() - said["data"]["at"])

    async def watch(self) -> None:
        while True:
            await self.read_one()


async def test_a_hall_beyond_its_share_of_sockets_polls(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CROWD + 512:
        pytest.skip(f"this process may open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (CROWD + 512, hard))
    async with server(tmp_path) as made:
        before = await stats(made)
        crowd = [Client(made) for _ in range(CROWD)]
        for start in range(0, CROWD, WAVE):
            async with asyncio.timeout(30):
                await asyncio.gather(*[client.open() for client in crowd[start : start + WAVE]])
        served = [client for client in crowd if client.versions]
        outside = [client for client in crowd if not client.versions]
        assert len(served) == PER_ADDRESS
        assert Counter(client.closed_with for client in outside) == {POLL_INSTEAD: CROWD - PER_ADDRESS}
        # Those who are in go on while those outside ask over HTTP, all at once, for what they have missed.
        tasks = [asyncio.create_task(client.watch()) for client in served]
        await asyncio.sleep(3)  # they have read what came while the others were still knocking
        for client in served:
            client.delays.clear()
        async with httpx2.AsyncClient(base_url=f"http://{made.url}", trust_env=False) as browser:
            ends = time.monotonic() + WATCHED_S
            polled = 0
            while time.monotonic() < ends:
                answers = await asyncio.gather(*[browser.get("/live/n.1") for _ in range(50)])
                polled += len(answers)
                for answer in answers:
                    assert answer.status_code == 200
                    assert abs(answer.json()["version"] - served[0].versions[-1]) <= 4
        after = await stats(made)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in crowd:
            client.writer.transport.abort()
    delays = sorted(delay for client in served for delay in client.delays)
    record_property("polled", polled)
    record_property("frames", len(delays))
    record_property("p95_ms", round(delays[int(len(delays) * 0.95)] * 1000))
    record_property("rss_mb", after["rss_mb"])
    assert after["sockets"] == PER_ADDRESS and after["refused"] - before["refused"] == CROWD - PER_ADDRESS
    queue = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert min(len(client.delays) for client in served) >= WATCHED_S / queue
    assert delays[int(len(delays) * 0.95)] < 1.0 * queue
    assert after["rss_mb"] < 200
    assert after["dropped"] == 0
