"""The client that measures: one process, keep-alive connections, raw HTTP/1.1, as little work per request as possible.

    python -m bench.load PLAN.json RESULT.json

A connection sends its next request when the answer to the last one is complete, so the number of connections is the
number of requests under way. The bytes of all requests are made before the clock starts; answers are kept as they
came and read after it has stopped. The plan is a JSON object: ``port``, ``path``, ``tokens`` (one connection each),
``bodies`` (texts, sent in order, each by whichever connection is free), ``limit_s``, and ``retry``: connections that
break are opened again, and what was under way on them, or answered 502 to 504, is sent once more, as a scanner does.
SIGTERM ends the sending early; answers under way are still awaited.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import orjson
import uvloop

#: Between two tries to reach a server that is away.
RETRY_S = 0.02
#: Busy, and a proxy's words for a server that is away.
AGAIN = (b"502", b"503", b"504")


@dataclass(slots=True)
class Outcome:
    """What became of one request: its answer as it came, how long it took, and how often it was sent."""

    answer: bytes = b""
    took_s: float = 0.0
    sent: int = 0
    connection: int = 0


class Run:
    def __init__(self, plan: dict[str, Any]) -> None:
        self.port: int = plan["port"]
        self.limit_s: float = plan["limit_s"]
        self.retry: bool = plan.get("retry", False)
        self.heads = [_head(plan["path"], self.port, token) for token in plan["tokens"]]
        self.tails = [_tail(body.encode()) for body in plan["bodies"]]
        self.outcomes = [Outcome() for _ in self.tails]
        self.order: Iterator[int] = iter(range(len(self.tails)))
        self.stopped = False
        self.broken = 0
        self.problem = ""
        self.done: asyncio.Future[None] | None = None
        self.busy = 0

    async def run(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        self.done = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        connections = [Connection(self, nth, head) for nth, head in enumerate(self.heads)]
        for connection in connections:
            await connection.open()
        began = perf_counter()
        for connection in connections:
            connection.next()
        loop.call_later(self.limit_s, self.stop)
        try:
            async with asyncio.timeout(self.limit_s + 30):
                await self.done
        except TimeoutError:
            self.problem = self.problem or "answers were still missing 30 s after the end"
        took_s = perf_counter() - began
        for connection in connections:
            connection.close()
        return self._result(took_s)

    def stop(self) -> None:
        self.stopped = True

    def take(self) -> int | None:
        """The next request's number; None when there is nothing more to send."""
        return None if self.stopped else next(self.order, None)

    def began(self) -> None:
        self.busy += 1

    def ended(self) -> None:
        self.busy -= 1
        if not self.busy and self.done is not None and not self.done.done():
            self.done.set_result(None)

    def fail(self, problem: str) -> None:
        self.problem = self.problem or problem
        self.stopped = True

    def _result(self, took_s: float) -> dict[str, Any]:
        answered = [number for number, one in enumerate(self.outcomes) if one.answer]
        return {
            "took_s": took_s,
            "problem": self.problem,
            "broken": self.broken,
            "latencies_s": [self.outcomes[number].took_s for number in answered],
            "sent": sum(1 for one in self.outcomes if one.sent),
            #: number of the request, status, body, and which connection sent it
            "answers": [
                [number, *_read(self.outcomes[number].answer), self.outcomes[number].connection]
                for number in answered
            ],
            #: those that had to be sent more than once
            "again": [number for number, one in enumerate(self.outcomes) if one.sent > 1],
        }


class Connection(asyncio.Protocol):
    """One scanner: at most one request under way."""

    def __init__(self, run: Run, nth: int, head: bytes) -> None:
        self.run = run
        self.nth = nth
        self.head = head
        self.number: int | None = None
        self.transport: asyncio.WriteTransport | None = None
        self.part = b""
        self.began_at = 0.0
        self.is_closing = False
        self.opening: asyncio.Future[None] | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self.run.port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one without saying so
        self.part = b""

    def next(self) -> None:
        self.number = self.run.take()
        if self.number is not None:
            self.run.began()
            self.send()

    def send(self) -> None:
        number, transport = self.number, self.transport
        assert number is not None
        if transport is None:
            return  # sent when it is open again
        self.run.outcomes[number].sent += 1
        self.began_at = perf_counter()
        transport.write(self.head + self.run.tails[number])

    def data_received(self, data: bytes) -> None:
        if self.part:
            data = self.part + data
        # uvicorn writes header names in lower case, which is found quickest.
        end = data.find(b"\r\n\r\n")
        at = data.find(b"content-length: ", 0, max(end, 0))
        if at < 0 <= end:  # a proxy between us
            at = data[:end].lower().find(b"content-length: ")
        if end >= 0 and at < 0:
            self.run.fail("an answer without its length")
            return
        if end < 0 or len(data) < end + 4 + int(data[at + 16 : data.find(b"\r", at)]):
            self.part = data
            return
        now = perf_counter()
        self.part = b""
        number = self.number
        if number is None:
            self.run.fail("an answer nobody asked for")
            return
        if data[9:12] in AGAIN and self.run.retry:
            asyncio.get_running_loop().call_later(RETRY_S, self.send)
            return
        outcome = self.run.outcomes[number]
        outcome.answer, outcome.took_s, outcome.connection = data, now - self.began_at, self.nth
        following = self.number = self.run.take()
        if following is None:
            self.run.ended()
        else:
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.is_closing:
            return
        self.run.broken += 1
        if not self.run.retry:
            self.run.fail(f"the server closed a connection ({exc})")
            if self.number is not None:
                self.number = None
                self.run.ended()
            return
        self.again()

    def again(self) -> None:
        self.opening = asyncio.ensure_future(self._reopen())

    async def _reopen(self) -> None:
        await asyncio.sleep(RETRY_S)
        try:
            await self.open()
        except OSError:
            self.again()
            return
        if self.number is not None:
            self.send()

    def close(self) -> None:
        self.is_closing = True
        if self.transport is not None:
            self.transport.close()


def _head(path: str, port: int, token: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
        "accept: application/json\r\ncontent-type: application/json\r\n"
    ).encode()


def _tail(body: bytes) -> bytes:
    return b"content-length: %d\r\n\r\n%s" % (len(body), body)


def _read(answer: bytes) -> tuple[int, Any]:
    body = answer[answer.index(b"\r\n\r\n") + 4 :]
    return int(answer[9:12]), orjson.loads(body) if body else None


def main(arguments: list[str]) -> None:
    plan_file, result_file = map(Path, arguments)
    run = Run(json.loads(plan_file.read_text(encoding="utf-8")))
    result_file.write_bytes(orjson.dumps(uvloop.run(run.run())))


if __name__ == "__main__":
    main(sys.argv[1:])
