"""A short way for the few routes that are asked for thousands of times a minute: the scan.

The ordinary way of a request (Starlette's layers, Request, routing, body limit, Response) costs more than the scan
itself. A route that declares an ``express`` handler is answered past all that, when nothing about the request is
unusual; everything else takes the ordinary way, the body replayed, so that every "no" looks the same:

- another path or method, a body without its length or above the route's limit, a header sent twice;
- nobody's token, or a cookie without the browser's word that the request comes from this site (``CrossSite``);
- whatever the handler raised: it is handed over and raised again by the route (``raise_handed_over``), so a
  decision is made once, and rendered, worded and logged in one place.

So the short way itself answers nothing but 200, with the headers of the ordinary way and no access line
(``middleware.QUIET``). The access rule is the entry's: both ways call the one ``express`` (docs/decisions/0021).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web import signin
from web.middleware import QUIET, CrossSite, frame_headers
from web.render import JSON_HEADERS
from web.routing import Entry

_OUTCOME: Final = "huiwu.express.outcome"
#: A length of more digits than this is above every limit, and int() need not find out.
_DIGITS_MAX: Final = 9


class Express:
    """Middleware around all others of the house; ``entries`` without an express handler are none of its business."""

    def __init__(
        self, app: ASGIApp, *, entries: Iterable[Entry], secure: bool, origins: Collection[str]
    ) -> None:
        self.app = app
        self.cross_site = CrossSite(app, origins=origins)
        self.ways = [_Way(entry) for entry in entries if entry.express is not None]
        self.headers = [*JSON_HEADERS, *frame_headers(secure=secure)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and not scope.get("root_path"):
            path: str = scope["path"]
            for way in self.ways:
                if path.endswith(way.tail) and path.startswith(way.head):
                    slug = path[len(way.head) : -len(way.tail)]
                    if slug and "/" not in slug:
                        await self._short(way, slug, scope, receive, send)
                        return
        await self.app(scope, receive, send)

    async def _short(self, way: _Way, slug: str, scope: Scope, receive: Receive, send: Send) -> None:
        token = self._token(scope, way.body_max)
        if not token:
            await self.app(scope, receive, send)
            return
        message = await receive()
        body: bytes = message.get("body", b"")
        while message["type"] == "http.request" and message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        if message["type"] != "http.request":  # gone before it had said all
            await self.app(scope, _replaying(message, receive), send)
            return
        try:
            actor = await signin.actor_for(token)
            # A token that opens nothing is asked about once more on the ordinary way, with all that follows from it.
            answer = await way.express(actor, slug, body) if actor.signed_in else None
        except Exception as error:  # noqa: BLE001 -- refusal or mistake: the route raises it again, Frame ends it
            scope[_OUTCOME] = error
            answer = None
        if answer is None:
            await self.app(scope, _replaying({"type": "http.request", "body": body}, receive), send)
            return
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [length, *self.headers]})
        await send({"type": "http.response.body", "body": answer})

    def _token(self, scope: Scope, body_max: int) -> str:
        """The sign-in's token of a request with nothing unusual about it, else nothing."""
        given: list[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(given)
        length = headers.get(b"content-length", b"")
        if (
            len(headers) != len(given)
            or not length.isdigit()
            or len(length) > _DIGITS_MAX
            or int(length) > body_max
            or b"transfer-encoding" in headers
        ):
            return ""
        # Who asks, and from where, is read by the ordinary way's own functions: there is one answer to that.
        return signin.token_of(HTTPConnection(scope)) if self.cross_site.is_ours(scope) else ""


class _Way:
    """An entry as the short way needs it: what stands before and after its one parameter."""

    def __init__(self, entry: Entry) -> None:
        assert entry.express is not None
        assert entry.methods == ("POST",), entry.name
        assert entry.path in QUIET, entry.name
        self.head, found, self.tail = entry.path.partition("{slug}")
        assert found, entry.name
        assert "{" not in self.tail, entry.name
        self.express = entry.express
        self.body_max = entry.body_max


def _replaying(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def raise_handed_over(request: Request | HTTPConnection) -> None:
    """For the ordinary way of an express route: raises what the short way's handler raised, if it came from there."""
    error: Any = request.scope.pop(_OUTCOME, None)
    if error is not None:
        raise error
