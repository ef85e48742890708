"""uvicorn's protocols with one change each.

HTTP: an answer's head and the body that follows at once leave in one write. uvicorn writes them one after the other,
which costs a second system call for every answer and may wake the client twice. A body that comes later (a stream) does
not hold its head back: that leaves before anything else happens.

WebSocket: an extension of ASGI, ``AT_ONCE`` in the scope, by which an application writes a frame that was made once for
everybody. ``send`` makes it anew for each socket and needs a task to wait in; ASGI knows no broadcast.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

#: The scope's extension: ``write(frame) -> bool``, where ``frame`` is what ``text_frame`` makes.
AT_ONCE: Final = "huiwu.at_once"


class _Transport:
    """The connection's transport, but for ``write``: the head of an answer waits for the next write or turn of the loop."""

    __slots__ = ("_head", "_loop", "is_closing", "real")

    def __init__(self, real: asyncio.Transport) -> None:
        self.real = real
        self.is_closing = real.is_closing
        self._loop = asyncio.get_running_loop()
        self._head = b""

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self.real.write(head + data)
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1"):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self.real.write(data)

    def close(self) -> None:
        self._flush()
        self.real.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self.real.write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class HttpProtocol(HttpToolsProtocol):
    """For ``uvicorn.Config(http=...)``."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _Transport(transport)))

    def handle_websocket_upgrade(self) -> None:
        # From here on it speaks another protocol, which writes its own way.
        self.transport = cast(_Transport, self.transport).real
        super().handle_websocket_upgrade()


def text_frame(text: bytes) -> bytes:
    """One whole text frame as a server sends it (RFC 6455, 5.2): not masked, not compressed, so equal for every client."""
    length = len(text)
    if length < 126:
        return bytes((0x81, length)) + text
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big") + text
    return b"\x81\x7f" + length.to_bytes(8, "big") + text


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """For ``uvicorn.Config(ws=...)``."""

    async def run_asgi(self) -> None:
        cast(dict[str, Any], self.scope)["extensions"][AT_ONCE] = self.write_at_once
        await super().run_asgi()

    def write_at_once(self, frame: bytes) -> bool:
        """Writes a whole frame and gives True; writes nothing and gives False unless the socket is open and its client
        has taken enough of what was written before (the very condition on which ``send`` waits).
        """
        if (
            not self.writable.is_set()
            or not self.handshake_complete
            or self.close_sent
            or self.disconnected
            or self.transport.is_closing()
        ):
            return False
        self.transport.write(frame)
        return True
