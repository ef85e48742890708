"""uvicorn with our one change: an answer leaves in one write, a stream's head does not wait, nothing is lost or turned round."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import uvicorn

from web import sockets, wire


class House:
    """A server on a free port whose application answers at once, or in pieces when it is told to go on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.port = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await self.go_on.wait()
            await send({"type": "http.response.body", "body": b"HTTP/1.1 is but text", "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        answer = scope["path"].encode() + body
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": answer})


@pytest_asyncio.fixture(loop_scope="session")
async def house() -> AsyncIterator[House]:
    found = House()
    listener = sockets.listen("127.0.0.1", 0)
    found.port = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            found, http=wire.HttpProtocol, ws="none", lifespan="off", log_config=None, access_log=False
        )
    )
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield found
    server.should_exit = True
    await serving
    listener.close()


async def _ask(house: House, *requests: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(b"".join(requests))
    return reader, writer


def _post(path: bytes, body: bytes = b"", *more: bytes) -> bytes:
    head = b"\r\n".join((b"POST %s HTTP/1.1" % path, b"host: x", b"content-length: %d" % len(body), *more))
    return head + b"\r\n\r\n" + body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


async def test_answers_come_whole_in_order_and_in_one_write_each(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    real = wire._Transport.__init__

    def spying(self: Any, transport: Any) -> None:
        class Spy:
            def write(self, data: bytes) -> None:
                written.append(data)
                transport.write(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

        real(self, Spy())  # type: ignore[arg-type]

    monkeypatch.setattr(wire._Transport, "__init__", spying)
    reader, writer = await _ask(house, _post(b"/a", b"1"), _post(b"/b", b"22"), _post(b"/c"))
    assert [await _answer(reader) for _ in range(3)] == [b"/a1", b"/b22", b"/c"]
    assert len(written) == 3
    writer.write(_post(b"/d", b"x" * 100_000, b"connection: close"))
    assert await _answer(reader) == b"/d" + b"x" * 100_000
    assert await reader.read() == b""
    writer.close()


async def test_a_streams_head_does_not_wait_for_its_body(house: House) -> None:
    reader, writer = await _ask(house, _post(b"/stream"))
    assert b"transfer-encoding: chunked" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    house.go_on.set()
    assert await reader.readuntil(b"0\r\n\r\n") == b"14\r\nHTTP/1.1 is but text\r\n0\r\n\r\n"
    writer.close()


async def test_a_client_is_told_to_go_on_at_once(house: House) -> None:
    reader, writer = await _ask(house, _post(b"/e", b"1234", b"expect: 100-continue")[:-4])
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"1234")
    assert await _answer(reader) == b"/e1234"
    writer.close()
