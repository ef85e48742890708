"""SIGTERM under a load of scans: what was decided is answered, sockets hear when to come back, the process ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path

import orjson
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from bench.process import Server
from tests.load import houses
from tests.load.houses import Load

CONNECTIONS = 8
SOCKETS = 20


async def goodbye(socket: ClientConnection) -> tuple[int, int]:
    """What the server says of coming back, and the code it closes with."""
    said = {}
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            said = orjson.loads(await socket.recv())
    assert said["op"] == "bye"
    assert closed.value.rcvd is not None
    return said["retry_after"], closed.value.rcvd.code


@pytest.mark.slow
async def test_a_stop_under_load_loses_nothing_and_says_goodbye(tmp_path: Path) -> None:
    with houses.database("stop") as url:
        facts = await asyncio.to_thread(houses.create, tmp_path, url, passports=600, scanners=CONNECTIONS)
        server = Server(tmp_path, url)
        await asyncio.to_thread(server.start)
        topic = f"rooms.{facts['event_id']}"
        load = Load(
            tmp_path,
            "load",
            server.port,
            facts["scanner_tokens"],
            houses.bodies(facts, random.Random(1), 60_000),
        )
        try:
            async with contextlib.AsyncExitStack() as stack:
                sockets = [
                    await stack.enter_async_context(houses.following(f"ws://127.0.0.1:{server.port}", topic))
                    for _ in range(SOCKETS)
                ]
                version = (await houses.frame(sockets[0]))["version"]
                stack.enter_context(load.running())
                # The rooms have moved: scans are under way.
                await houses.frame_of(sockets[0], version + 3)
                # A body that never comes does not hold the stop up.
                _, hanging = await asyncio.open_connection("127.0.0.1", server.port)
                hanging.write(
                    f"POST {houses.PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {facts['owner_token']}\r\n"
                    "content-type: application/json\r\ncontent-length: 200\r\n\r\n{".encode()
                )
                await hanging.drain()
                byes = asyncio.gather(*(goodbye(socket) for socket in sockets))
                ended = await asyncio.to_thread(server.stop)
                assert ended != -9, "it had to be killed"
                async with asyncio.timeout(20):
                    said = await byes
                assert {code for _, code in said} == {1012}
                waits = [seconds for seconds, _ in said]
                assert all(1 <= seconds <= 15 for seconds in waits)
                assert len(set(waits)) > 1, "all of them would come back in the same second"
                hanging.close()
                log = server.log.read_text(encoding="utf-8")
                assert log.count("Finished server process") == 1
                # The hanging request alone is cut off.
                assert log.count("Traceback") == log.count("CancelledError: Task cancelled") == 1
                await asyncio.to_thread(server.start)
                async with houses.following(f"ws://127.0.0.1:{server.port}", topic) as again:
                    version = (await houses.frame(again))["version"]
                    await houses.frame_of(again, version + 3)
                found = await asyncio.to_thread(load.end)
        finally:
            await asyncio.to_thread(server.stop)
        assert found["broken"] >= CONNECTIONS
        # Sent again by the client, for its connection was gone; but none that had been decided went without its answer.
        assert sum(answer["replayed"] for _, _, answer, _ in found["answers"]) == 0
        houses.balance(tmp_path, url, houses.verdicts(found))
