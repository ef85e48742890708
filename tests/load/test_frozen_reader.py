"""A client that stops reading, beside a thousand that do: it costs nothing, and in the end it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests import services
from tests.http.test_board import _handshake, _masked
from tests.services import Server

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
READERS = 1_000
FROZEN = 5
UNREAD_S = 5


@contextlib.asynccontextmanager
async def server(folder: Path) -> AsyncIterator[Server]:
    port = services.free_port()
    command = [
        "env",
        f"PYTHONPATH={ROOT}",
        sys.executable,
        "-m",
        "tests.load.live_server",
        str(port),
        str(UNREAD_S),
    ]
    made = Server("live", command, port=port, folder=folder, url=f"127.0.0.1:{port}")
    await asyncio.to_thread(made.start)
    try:
        yield made
    finally:
        await asyncio.to_thread(made.stop)


async def stats(made: Server) -> dict[str, int]:
    async with httpx2.AsyncClient(base_url=f"http://{made.url}", trust_env=False) as client:
        answer: dict[str, int] = (await client.get("/stats")).json()
    return answer


async def freeze(made: Server) -> asyncio.StreamWriter:
    """A client that follows the big topic and never reads a byte of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", made.port, limit=1024)
    await _handshake(reader, writer, made.url)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(_masked(b'{"op":"sub","topics":{"big.1":null}}'))
    return writer


async def read(socket: ClientConnection, delays: list[float], until: float) -> int:
    """Follows the small topic to the end and notes how old each frame was; gives the last version."""
    await socket.send(b'{"op":"sub","topics":{"n.1":null}}'.decode())
    version = -1
    while time.monotonic() < until:
        said: dict[str, Any] = orjson.loads(await socket.recv())
        if "version" in said:
            assert said["version"] > version
            version = said["version"]
            delays.append(time.time() - said["data"]["at"])
    return version


async def test_a_frozen_reader_among_a_thousand_costs_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < READERS * 2:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, READERS * 4), hard))
    async with server(tmp_path) as made, contextlib.AsyncExitStack() as stack:
        before = await stats(made)
        frozen = [await freeze(made) for _ in range(FROZEN)]
        readers = []
        for _ in range(READERS // 50):
            opening = [
                connect(f"ws://{made.url}/live", compression=None, proxy=None, ping_interval=None)
                for _ in range(50)
            ]
            readers += await asyncio.gather(*[stack.enter_async_context(one) for one in opening])
        until = time.monotonic() + 20
        delays: list[list[float]] = [[] for _ in readers]
        last = await asyncio.gather(
            *[read(socket, own, until) for socket, own in zip(readers, delays, strict=True)]
        )
        after = await stats(made)
        # On a machine of our own; on a shared one the queue for its processors is not ours.
        queue = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        # Everybody who reads is at the newest version, a beat or two apart, and had most of them on the way.
        assert min(last) >= after["version"] - 4 * queue
        assert min(len(own) for own in delays) >= 20 / queue
        settled = sorted(delay for own in delays for delay in own[2:])
        middle, late = settled[len(settled) // 2], settled[int(len(settled) * 0.95)]
        for name, value in {
            "readers": READERS,
            "frames": len(settled),
            "p50_ms": round(middle * 1000),
            "p95_ms": round(late * 1000),
            "rss_mb": after["rss_mb"],
        }.items():
            record_property(name, value)
        assert late < 0.5 * queue
        assert after["rss_mb"] < 150
        # The frozen ones were dropped, and the system took their descriptors back.
        assert after["dropped"] == FROZEN
        assert after["sockets"] == READERS
        await stack.aclose()
        async with asyncio.timeout(60):
            while (now := await stats(made))["descriptors"] > before["descriptors"] + 2:
                assert now["rss_mb"] < 150
                await asyncio.sleep(0.5)
        for writer in frozen:
            writer.transport.abort()
