"""Live topics over the wire: one WebSocket for many topics, and the same JSON by polling.

The client sends ``{"op": "sub", "topics": {"board.1": 17}}`` (the version that it knows, or null), ``{"op": "unsub",
"topics": ["board.1"]}`` and ``{"op": "ping"}``. The server sends ``{"op": "hello", "at"}``, frames ``{"topic",
"version", "data"}``, ``{"op": "pong", "at"}``, ``{"op": "refused", "topic", "code"}``, ``{"op": "revoked", "topic"}``
and, before it goes, ``{"op": "bye", "retry_after"}``; ``at`` is the server's clock in milliseconds.

Everything is bounded: topics a socket, sockets a process and a network address, the size and rate of messages, and
how long a client may leave a frame unread. A frozen client is dropped, and nobody ever waits for it; one for whom there
is no room is closed with POLL_INSTEAD and asks over HTTP.

A frame is made once for everybody and written straight to each socket whose client keeps up (``web.wire.AT_ONCE``); the
sockets' tasks sleep meanwhile. Where that can't be, it waits in its slot and its socket's own task sends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import uvicorn
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from kernel.actor import Actor
from kernel.errors import Busy, Code, Forbidden, NotFound, SignInNeeded
from kernel.live import Frame, Hub, hub
from web import render, signin
from web.api_doc import ApiDoc
from web.routing import Entry, public, public_socket
from web.wire import AT_ONCE, text_frame

log = logging.getLogger("huiwu.sockets")

Authorise = Callable[[Actor, str], Awaitable[bool]]
#: The network that a host's sockets count for; None where nobody counts.
NetworkOf = Callable[[str], str | None]

#: "Try again later" (RFC 6455's registry): there is no room for another socket, the client is to poll.
POLL_INSTEAD: Final = 1013
#: Sockets being told so at once; more are refused without a word, which costs less and ends the same.
REFUSING_MAX: Final = 200

#: Longest topic name; none of ours comes near.
TOPIC_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process and one socket may cost; tests use smaller ones."""

    sockets: int = 5_000
    #: From one network address; a hall is one, so it is generous, and the venue's own networks are not counted.
    per_address: int = 2_500
    #: The last of them are for people who are signed in: the public can't shut the organisers' boards out.
    kept_for_signed_in: int = 200
    topics: int = 20
    message: int = 4_096
    #: Messages (and topics in them) at once and a second.
    burst: int = 60
    per_s: float = 3.0
    send_s: float = 5.0
    #: A right that was taken away ends what it opened after this at the latest.
    recheck_s: float = 30.0
    #: A socket that follows nothing, or says nothing (clients ping every 25 s), is not kept.
    idle_s: float = 120.0


class TopicFrame(BaseModel):
    """A topic's current document and its version."""

    topic: str
    version: int
    data: Any


_POLL: Final = ApiDoc(
    tag="Live",
    summary="One frame of a topic, for polling where WebSockets fail.",
    answer=TopicFrame,
    path={"topic": {"type": "string", "maxLength": TOPIC_MAX, "pattern": "^[a-z]+[.][0-9]+([.][0-9]+)?$"}},
    is_conditional=True,
    refusals={401: (), 403: ()},
)


class Live:
    """The live routes over one hub (``ROUTES`` below are this process's; tests make their own).

    ``authorise(actor, topic)`` is asked at the subscription and every ``recheck_s`` afterwards, with the actor looked
    up anew: a role or sign-in that was taken away ends the topic. It may raise nothing but Busy. It is asked again for
    all sockets that hold one token together, and for their topics once each.
    """

    def __init__(
        self, *, hub: Hub, authorise: Authorise, origins: Collection[str] = (), limits: Limits | None = None
    ) -> None:
        self.hub = hub
        self.authorise = authorise
        self.origins = frozenset(origins)
        self.limits = limits or Limits()
        self.connections: set[_Connection] = set()
        self.dropped = 0
        self.refused = 0
        self.network_of: NetworkOf = str
        self._by_network: Counter[str] = Counter()
        self._refusing = 0
        self._rounds: asyncio.Task[None] | None = None
        self._left = asyncio.Event()
        self.entries: list[Entry] = [
            public_socket("/live", self.socket, "web.live"),
            public("/live/{topic}", self.poll, "web.live.topic", api=_POLL),
        ]

    async def socket(self, websocket: WebSocket) -> None:
        if not self._is_ours(websocket):
            await _deny(websocket, 403)
            return
        actor = await signin.actor_of(websocket)
        room = self.limits.sockets - (0 if actor.signed_in else self.limits.kept_for_signed_in)
        network = self.network_of(websocket.client.host if websocket.client else "")
        is_crowd = network is not None and self._by_network[network] >= self.limits.per_address
        if len(self.connections) >= room or is_crowd:
            await self._refuse(websocket)
            return
        try:
            connection = _Connection(self, websocket)
        except Busy:  # we are on our way out
            await _deny(websocket, 503)
            return
        self.connections.add(connection)
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._go_round())
        if network is not None:
            self._by_network[network] += 1
        try:
            await websocket.accept()
            await connection.serve()
        finally:
            connection.subscription.close()
            self.connections.discard(connection)
            if network is not None:
                self._by_network[network] -= 1
                if not self._by_network[network]:
                    del self._by_network[network]
            if not self.connections and self._rounds is not None:
                self._rounds.cancel()
                self._rounds = None
            self._left.set()

    async def _go_round(self) -> None:
        """Asks "may they still?" for everybody, twice in ``recheck_s``, until nobody is connected.

        Whoever signs in just before a round's end is asked for in the next, so ``recheck_s`` holds for each.
        """
        while self.connections:
            lasts = self.limits.recheck_s / 2
            ends = time.monotonic() + lasts
            try:
                await self.check_again(spread_s=lasts / 2)
            except Exception:
                # One round that failed is no reason never to ask again.
                log.exception("who may still follow what could not be asked")
            await asyncio.sleep(max(0.0, ends - time.monotonic()))

    async def check_again(self, *, spread_s: float = 0.0) -> None:
        """Ends the topics of all who may follow them no longer: one look at each token, one question for each actor and
        topic, spread over ``spread_s`` so that thousands of tokens are not thousands of questions at once.
        """
        holders: dict[str, list[_Connection]] = {}
        for connection in self.connections:
            holders.setdefault(connection.token, []).append(connection)
        answers: dict[tuple[Actor, str], bool] = {}
        for token, own in holders.items():
            try:
                actor = await signin.actor_for(token)
                for connection in own:
                    connection.websocket.scope["huiwu.actor"] = actor
                for topic in {topic for connection in own for topic in connection.subscription.topics}:
                    if (actor, topic) not in answers:
                        answers[actor, topic] = await self.authorise(actor, topic)
                    if not answers[actor, topic]:
                        for connection in own:
                            connection.revoke(topic)
            except Busy:
                continue  # the database has no time for the question: asked again next time
            await asyncio.sleep(spread_s / len(holders))

    async def _refuse(self, websocket: WebSocket) -> None:
        """Sends the client to polling, by a code that a browser's script can read: it never sees an HTTP status."""
        self.refused += 1
        if self._refusing >= REFUSING_MAX:
            await _deny(websocket, 503)
            return
        self._refusing += 1
        try:
            async with asyncio.timeout(1):
                await websocket.accept()
                await websocket.close(POLL_INSTEAD, "poll")
        except (TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
            pass  # it did not wait for the answer
        finally:
            self._refusing -= 1

    async def poll(self, request: Request) -> Response:
        """One frame, as the socket sends it; 304 while it is the one that the reader has."""
        topic = request.path_params["topic"]
        if len(topic) > TOPIC_MAX or not self.hub.declared(topic):
            raise NotFound()
        actor = await signin.actor_of(request)
        if not await self.authorise(actor, topic):
            raise Forbidden() if actor.signed_in else SignInNeeded()
        frame = await self.hub.current(topic)
        if frame is None:
            raise NotFound()
        return conditional(request, frame, message(topic, frame).encode())

    async def goodbye(self, within_s: float = 2.0) -> None:
        """Tells every client when to come back and closes. To be awaited before the server cuts its connections."""
        self.hub.close()
        try:
            async with asyncio.timeout(within_s):
                while self.connections:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            log.info("%d sockets did not hear the goodbye", len(self.connections))

    def _is_ours(self, websocket: WebSocket) -> bool:
        """Browsers send ``Origin`` with every WebSocket and cookies with it; what sends none is no browser."""
        if websocket.headers.get("sec-fetch-site") == "cross-site":
            return False
        origin = websocket.headers.get("origin")
        if origin is None or origin in self.origins:
            return True
        return urlsplit(origin).netloc == websocket.headers.get("host", "\x00")


class _Connection:
    """One socket: a receiver and a sender, each waiting for its own side."""

    def __init__(self, live: Live, websocket: WebSocket) -> None:
        self.live, self.websocket = live, websocket
        self.token = signin.token_of(websocket)
        #: A server that does not know the extension is sent everything the ordinary way.
        self._write: Callable[[bytes], bool] | None = websocket.scope.get("extensions", {}).get(AT_ONCE)
        self.subscription = live.hub.subscribe(take=self._take if self._write else None)
        #: Words under way that nobody waits for.
        self._notes: set[asyncio.Task[None]] = set()
        self._tokens = float(live.limits.burst)
        self._refilled = time.monotonic()
        self._turn = asyncio.Lock()

    async def serve(self) -> None:
        """Until one side ends; a client that reads nothing is left without a close, which would wait for it too."""
        tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._send_frames())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, *self._notes):
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        code, reason = 1011, ""
        for outcome in ended:
            if isinstance(outcome, tuple):
                code, reason = outcome
            elif isinstance(outcome, TimeoutError):
                self.live.dropped += 1
                log.info(
                    "a socket was dropped: its client has read nothing for %g s", self.live.limits.send_s
                )
                return
            elif isinstance(outcome, (WebSocketDisconnect, OSError)):
                return
            elif isinstance(outcome, Exception):
                log.error("a socket ended unexpectedly", exc_info=outcome)
        await self._close(code, reason)

    async def _close(self, code: int, reason: str) -> None:
        if self.websocket.application_state is not WebSocketState.CONNECTED:
            return
        try:
            async with asyncio.timeout(1):
                await self.websocket.close(code, reason)
        except (TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
            pass  # it is gone, or as good as gone

    async def _send(self, text: str) -> None:
        """Raises TimeoutError when the client takes nothing for so long: it is frozen."""
        async with self._turn, asyncio.timeout(self.live.limits.send_s):
            await self.websocket.send_text(text)

    async def _say(self, **what: Any) -> None:
        await self._send(orjson.dumps(what).decode())

    # --- out

    async def _send_frames(self) -> tuple[int, str]:
        await self._say(op="hello", at=_now_ms())
        async for topic, frame in self.subscription:
            await self._send(message(topic, frame))
        if self.subscription.bye is not None:
            await self._say(op="bye", retry_after=self.subscription.bye)
        return 1012, "restart"

    def _take(self, topic: str, frame: Frame) -> bool:
        """A frame straight to the transport, unless something is being sent or the client is behind."""
        return not self._turn.locked() and self._write is not None and self._write(_wire(topic, frame))

    def revoke(self, topic: str) -> None:
        """Ends a topic at once and tells the client when it listens."""
        if topic in self.subscription.topics:
            self.subscription.leave(topic)
            note = asyncio.create_task(self._note(op="revoked", topic=topic))
            self._notes.add(note)
            note.add_done_callback(self._notes.discard)

    async def _note(self, **what: Any) -> None:
        # Otherwise it is gone, or reads nothing and will be dropped.
        with contextlib.suppress(TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
            await self._say(**what)

    # --- in

    async def _receive(self) -> tuple[int, str]:
        while True:
            try:
                async with asyncio.timeout(self.live.limits.idle_s):
                    received = await self.websocket.receive()
            except TimeoutError:
                return 1000, "idle"
            if received["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(received.get("code", 1005))
            text = received.get("text")
            if text is None:
                return 1003, "text only"
            if len(text) > self.live.limits.message:
                return 1009, "too large"
            said = _read(text)
            if not self._pay(1 + len(said.get("topics", ()))):
                return 1008, "too many"
            await self._answer(said)

    def _pay(self, cost: int) -> bool:
        now = time.monotonic()
        limits = self.live.limits
        self._tokens = min(limits.burst, self._tokens + (now - self._refilled) * limits.per_s) - cost
        self._refilled = now
        return self._tokens >= 0

    async def _answer(self, said: dict[str, Any]) -> None:
        match said.get("op"):
            case "ping":
                await self._say(op="pong", at=_now_ms())
            case "sub":
                for topic, known in said["topics"].items():
                    refusal = await self._follow(topic, known)
                    if refusal:
                        await self._say(op="refused", topic=topic[:TOPIC_MAX], code=refusal)
            case "unsub":
                for topic in said["topics"]:
                    self.subscription.leave(topic)
            case _:
                await self._say(op="error", code=Code.MALFORMED)

    async def _follow(self, topic: str, known: int | None) -> str | None:
        """Follows a topic, or gives the code of what speaks against it."""
        following = self.subscription.topics
        if topic not in following and len(following) >= self.live.limits.topics:
            return Code.TOO_MANY
        if len(topic) > TOPIC_MAX or not self.live.hub.declared(topic):
            return Code.NOT_FOUND
        try:
            actor = await signin.actor_of(self.websocket)
            if not await self.live.authorise(actor, topic):
                return Code.FORBIDDEN if actor.signed_in else Code.SIGN_IN_NEEDED
            self.subscription.follow(topic, known)
        except Busy as busy:
            return busy.code
        return None


def _read(text: str) -> dict[str, Any]:
    """A message of the protocol; anything else as an empty one, which is answered with an error."""
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(said, dict):
        return {}
    op, topics = said.get("op"), said.get("topics")
    if op == "ping":
        return {"op": op}
    if op == "sub" and isinstance(topics, dict):
        known = {key: version if type(version) is int else None for key, version in topics.items()}
        return {"op": op, "topics": known}
    if op == "unsub" and isinstance(topics, list):
        return {"op": op, "topics": [topic for topic in topics if isinstance(topic, str)]}
    return {}


@lru_cache(maxsize=256)
def message(topic: str, frame: Frame) -> str:
    """A frame as it goes over the wire; written once, however many read it."""
    head = orjson.dumps({"topic": topic, "version": frame.version})
    return (head[:-1] + b',"data":' + frame.body + b"}").decode()


@lru_cache(maxsize=256)
def _wire(topic: str, frame: Frame) -> bytes:
    return text_frame(message(topic, frame).encode())


def conditional(request: Request, frame: Frame, body: bytes) -> Response:
    """``body`` as JSON with the frame's ETag, or 304 for a reader who has it."""
    etag = f'"{frame.tag}"'
    headers = {"etag": etag, "cache-control": "no-cache", "vary": "Cookie"}
    if render.reader_has(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


async def _deny(websocket: WebSocket, status: int) -> None:
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        headers = {"retry-after": "10"} if status == 503 else {}
        await websocket.send_denial_response(Response(status_code=status, headers=headers))
    else:
        await websocket.close(1008)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def listen(host: str, port: int, *, unread_s: int = 30) -> socket.socket:
    """The server's listening socket, for ``uvicorn.Server.serve(sockets=[…])``.

    A client that stops reading keeps its connection open for ever: closing waits for a flush that never comes. So
    the system is told to end a connection whose data nobody has taken for ``unread_s`` (where it can: Linux).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unread_s * 1000)
    listener.bind((host, port))
    listener.listen(2048)
    listener.setblocking(False)
    return listener


class Server(uvicorn.Server):
    """uvicorn's server, which leaves in good order: it takes no new connection, tells ``leaving``, says goodbye to the
    sockets, lets requests under way end (``Config.timeout_graceful_shutdown``), and then ends the lifespan.

    Only a second Ctrl-C hurries it.
    """

    def __init__(self, config: uvicorn.Config, leaving: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self.leaving = leaving

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        if self.leaving is not None:
            self.leaving()
        await goodbye()
        await super().shutdown(sockets)


async def _nobody(actor: Actor, topic: str) -> bool:
    return False


#: The live routes of this process.
_live: Final = Live(hub=hub, authorise=_nobody)
ROUTES: list[Entry] = _live.entries


def configure(*, authorise: Authorise, origins: Collection[str], sockets: int, network_of: NetworkOf) -> None:
    """Called once by main: who may follow what, under which origins the site is known, and for how many sockets there
    is room (half of it for one network address).
    """
    _live.authorise = authorise
    _live.network_of = network_of
    _live.limits = replace(
        Limits(), sockets=sockets, per_address=sockets // 2, kept_for_signed_in=min(200, sockets // 10)
    )
    _live.origins = frozenset(origins)


def figures() -> tuple[int, int]:
    """Sockets open in this process, and how many it has dropped because nobody read them."""
    return len(_live.connections), _live.dropped


async def goodbye() -> None:
    """Ends every socket of this process with a time to come back."""
    await _live.goodbye()
