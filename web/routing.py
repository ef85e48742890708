"""Routes as data: every entry names who may use it, and a test walks them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from kernel.actor import Actor
from web import signin
from web.api_doc import ApiDoc

Handler = Callable[[Request], Awaitable[Response]]
SocketHandler = Callable[[WebSocket], Awaitable[None]]
#: Who asks, the path's one parameter and the body become an answer's JSON; opens what it answers for itself.
ExpressHandler = Callable[[Actor, str, bytes], Awaitable[bytes]]

#: Bodies are small unless an entry says otherwise (Starlette answers 413).
BODY_MAX = 256 * 1024


class _RowNumber(IntegerConvertor):
    """``{id:int}``: a number that a row can have. More digits than a BIGINT holds are an address of nothing, a 404."""

    regex = "[0-9]{1,18}"


register_url_convertor("int", _RowNumber())


@dataclass(frozen=True, slots=True)
class Entry:
    """One route. ``access`` is the rule's name, checked before ``handler``: public, signed-in, admin or a permission.

    ``express`` answers the same requests past the ordinary layers (web/express.py), under the same rule.
    """

    path: str
    name: str
    access: str
    handler: Any
    methods: tuple[str, ...] = ("GET",)
    body_max: int = BODY_MAX
    is_socket: bool = False
    express: ExpressHandler | None = None
    #: What a JSON route takes and gives; every one has it (tests/house/test_openapi.py).
    api: ApiDoc | None = None

    def as_route(self) -> BaseRoute:
        if self.is_socket:
            return WebSocketRoute(self.path, self.handler, name=self.name)
        return Route(
            self.path, self.handler, methods=list(self.methods), name=self.name, max_body_size=self.body_max
        )


def public(
    path: str,
    handler: Handler,
    name: str,
    methods: Sequence[str] = ("GET",),
    body_max: int = BODY_MAX,
    *,
    api: ApiDoc | None = None,
) -> Entry:
    """A route for everybody."""
    return Entry(path, name, "public", handler, tuple(methods), body_max, api=api)


def public_socket(path: str, handler: SocketHandler, name: str) -> Entry:
    """A WebSocket for everybody; its handler checks each topic's own permission."""
    return Entry(path, name, "public", handler, (), is_socket=True)


def signed_in(
    path: str, handler: Handler, name: str, methods: Sequence[str] = ("GET",), body_max: int = BODY_MAX
) -> Entry:
    """A route for any account; raises SignInNeeded (a page then leads to the sign-in) for nobody.

    A program with an API token has no business here, nor has a paired device: Forbidden.
    """

    async def guarded(request: Request) -> Response:
        signin.require_person(await signin.actor_of(request))
        return await handler(request)

    return Entry(path, name, "signed-in", guarded, tuple(methods), body_max)


def admin(path: str, handler: Handler, name: str, methods: Sequence[str] = ("GET",)) -> Entry:
    """A route for the installation's administrators; anybody else gets 404, so that it is not even seen."""

    async def guarded(request: Request) -> Response:
        actor = await signin.actor_of(request)
        signin.require_person(actor)
        signin.require_admin(actor)
        return await handler(request)

    return Entry(path, name, "admin", guarded, tuple(methods))
