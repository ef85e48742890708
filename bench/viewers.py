"""Live screens without a screen: many WebSockets in one process, each noting which version came when.

    python -m bench.viewers PLAN.json RESULT.json

The plan: ``port``, ``topic``, ``token``, ``viewers``, ``frozen`` (readers that subscribe and then take nothing). Prints
``ready`` once every viewer has its first frame, goes on until its standard input ends, and writes for each viewer the
pairs of version and second (the machine's monotonic clock, which all processes share). Only as much of WebSockets as
this needs: the client should not be what is measured.

With ``figure`` in the plan the number under that name is noted instead of the version, and each viewer's last frame is
kept; with ``again`` viewers that lose their connection come back, as pages do.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
from pathlib import Path
from time import monotonic
from typing import Any, cast

import orjson
import uvloop

#: Sockets being opened at once.
OPENING = 50
#: As the browser's own code waits before its first try (static/js/live.js): so much, and up to so much more.
AGAIN_S = (0.25, 1.0)
#: A frozen reader asks for the present frame so often, which fills every buffer on the way to it.
FROZEN_ASKS = 25


def masked(payload: bytes) -> bytes:
    """A client's text frame, masked with zeros."""
    length = len(payload)
    head = bytes([0x81, 0x80 | length]) if length < 126 else bytes([0x81, 0xFE]) + length.to_bytes(2, "big")
    return head + bytes(4) + payload


def handshake(port: int, token: str) -> bytes:
    return (
        f"GET /live HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
        f"authorization: Bearer {token}\r\n\r\n"
    ).encode()


class Viewer(asyncio.Protocol):
    def __init__(self, run: Run) -> None:
        self.run = run
        self.part = b""
        self.is_open = False
        self.seen: list[tuple[int, float]] = []
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.WriteTransport | None = None
        self.last = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)
        self.transport.write(self.run.hello)

    def data_received(self, data: bytes) -> None:
        now = monotonic()
        if self.part:
            data = self.part + data
        at = 0
        if not self.is_open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.part = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                if self.run.again and self.transport is not None:
                    self.transport.abort()
                else:
                    self.run.fail(f"no WebSocket: {data[:60]!r}")
                return
            self.is_open, at = True, end + 4
            assert self.transport is not None
            self.transport.write(self.run.subscribe)
        while len(data) - at >= 2:
            length, head = data[at + 1] & 0x7F, 2
            if length == 126:
                length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif length == 127:
                length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            if len(data) < at + head + length:
                break
            self._frame(data[at], data[at + head : at + head + min(length, 120)], now)
            if self.run.figure and length > 200:
                self._note(data[at + head : at + head + length], now)
            if not self.run.sample and length > 200:
                self.run.sample = data[at + head : at + head + length]
            at += head + length
        self.part = data[at:]

    def _frame(self, kind: int, start: bytes, now: float) -> None:
        if kind & 0x0F == 9:
            assert self.transport is not None
            self.transport.write(bytes([0x8A]) + masked(start)[1:])  # the server asks whether we are there
            return
        if kind & 0x0F == 8 and not self.run.again:
            self.run.fail(f"the server closed a viewer: {start[:40]!r}")
            return
        found = start.find(b'"version":')
        if self.run.figure and found >= 0:
            return
        if found < 0:
            if b"refused" in start or b"revoked" in start:
                self.run.fail(f"a viewer was turned away: {start!r}")
            return
        end = start.index(b",", found)
        self.seen.append((int(start[found + 10 : end]), now))
        if not self.opened.done():
            self.opened.set_result(None)

    def _note(self, frame: bytes, now: float) -> None:
        self.last = frame
        found = frame.find(self.run.figure)
        if found < 0:
            return
        start = found + len(self.run.figure)
        self.seen.append((int(frame[start : frame.index(b",", start)]), now))
        if not self.opened.done():
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.run.is_closing:
            return
        if not self.run.again:
            self.run.fail(f"a viewer lost its connection ({exc})")
            return
        self.run.came_back += 1
        self.run.reopen(self)

    def reset(self) -> None:
        self.part, self.is_open = b"", False


class Run:
    def __init__(self, plan: dict[str, Any]) -> None:
        self.port: int = plan["port"]
        self.hello = handshake(self.port, plan["token"])
        self.subscribe = masked(orjson.dumps({"op": "sub", "topics": {plan["topic"]: None}}))
        self.viewers: int = plan["viewers"]
        self.frozen: int = plan["frozen"]
        self.again: bool = plan.get("again", False)
        self.figure = f'"{plan["figure"]}":'.encode() if "figure" in plan else b""
        self.came_back = 0
        self.reopening: set[asyncio.Task[None]] = set()
        self.problem = ""
        self.sample = b""
        self.is_closing = False

    def fail(self, problem: str) -> None:
        self.problem = self.problem or problem

    def reopen(self, viewer: Viewer) -> None:
        task = asyncio.ensure_future(self._reopen(viewer))
        self.reopening.add(task)
        task.add_done_callback(self.reopening.discard)

    async def _reopen(self, viewer: Viewer) -> None:
        while not self.is_closing:
            await asyncio.sleep(AGAIN_S[0] + random.random() * AGAIN_S[1])
            viewer.reset()
            try:
                await asyncio.get_running_loop().create_connection(lambda: viewer, "127.0.0.1", self.port)
            except OSError:
                continue
            return

    async def run(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        every: list[Viewer] = []
        for start in range(0, self.viewers, OPENING):
            count = min(OPENING, self.viewers - start)
            made = await asyncio.gather(
                *[loop.create_connection(lambda: Viewer(self), "127.0.0.1", self.port) for _ in range(count)]
            )
            own = [viewer for _, viewer in made]
            every += own
            async with asyncio.timeout(60):
                await asyncio.gather(*[viewer.opened for viewer in own])
        frozen = [await loop.run_in_executor(None, self.freeze) for _ in range(self.frozen)]
        print("ready", flush=True)
        asking = asyncio.create_task(self.ask_on(frozen))
        await loop.run_in_executor(None, sys.stdin.read)
        asking.cancel()
        self.is_closing = True
        for viewer in every:
            if viewer.transport is not None:
                viewer.transport.abort()
        for one in frozen:
            one.close()
        return {
            "problem": self.problem,
            "sample": self.sample.decode(),
            "seen": [viewer.seen for viewer in every],
            "came_back": self.came_back,
            "last": [orjson.loads(viewer.last) for viewer in every if viewer.last],
        }

    async def ask_on(self, frozen: list[socket.socket]) -> None:
        """As fast as the server lets anybody ask; whoever was dropped is left."""
        while True:
            await asyncio.sleep(1)
            for one in tuple(frozen):
                try:
                    one.send(self.subscribe, socket.MSG_DONTWAIT)
                except OSError:
                    frozen.remove(one)

    def freeze(self) -> socket.socket:
        """Subscribes many times over through the smallest window there is, and reads nothing ever after."""
        frozen = socket.socket()
        frozen.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        frozen.connect(("127.0.0.1", self.port))
        frozen.sendall(self.hello)
        frozen.sendall(self.subscribe * FROZEN_ASKS)
        return frozen


def main(arguments: list[str]) -> None:
    plan_file, result_file = map(Path, arguments)
    run = Run(json.loads(plan_file.read_text(encoding="utf-8")))
    result_file.write_bytes(orjson.dumps(uvloop.run(run.run())))


if __name__ == "__main__":
    main(sys.argv[1:])
