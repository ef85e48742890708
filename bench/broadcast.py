"""The floor of ``bench live``: ``websockets.broadcast`` of given bytes to everybody who is connected.

    python -m bench.broadcast PORT FRAME.json EVERY_S SENT.json

Serves the same handshake and answers no message. Once ``FRAME.json`` is there it is sent every ``EVERY_S`` seconds, its
version counted up in as many digits. SIGTERM ends it; ``SENT.json`` then holds version and second of each sending.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path
from time import monotonic

import orjson
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve


async def run(port: int, frame: Path, every_s: float, target: Path) -> None:
    connections: set[ServerConnection] = set()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sent: list[tuple[int, float]] = []
    text = frame.read_text(encoding="utf-8")
    found = re.search(r'"version":(\d+)', text)
    assert found is not None

    def at(version: int) -> str:
        return f"{text[: found.start(1)]}{version}{text[found.end(1) :]}"

    async def serving(connection: ServerConnection) -> None:
        await connection.recv()  # the subscription
        await connection.send(at(first))
        connections.add(connection)
        await connection.wait_closed()
        connections.discard(connection)

    version = first = 10 ** (len(found[1]) - 1) if len(found[1]) > 1 else 1
    async with serve(serving, "127.0.0.1", port, compression=None, ping_interval=None):
        while not stop.is_set():
            version += 1
            sent.append((version, monotonic()))
            broadcast(connections, at(version))
            try:
                async with asyncio.timeout(every_s):
                    await stop.wait()
            except TimeoutError:
                continue
    target.write_bytes(orjson.dumps(sent))


def main(arguments: list[str]) -> None:
    uvloop.run(run(int(arguments[0]), Path(arguments[1]), float(arguments[2]), Path(arguments[3])))


if __name__ == "__main__":
    main(sys.argv[1:])
