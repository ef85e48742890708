"""The sign-in's cookie or bearer token becomes an Actor, through a loader that main hands in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from kernel.actor import ANONYMOUS, Actor
from kernel.errors import NotFound

COOKIE: Final = "huiwu_signin"
#: Marks a browser for limits and for tying a sign-in code to it; says nothing about who sits there.
BROWSER_COOKIE: Final = "huiwu_browser"
LASTS: Final = timedelta(days=30)

Loader = Callable[[str], Awaitable[Actor]]


class _Wiring:
    loader: Loader | None = None
    secure: bool = False


def configure(*, loader: Loader, secure: bool) -> None:
    """Called once by main: how a token becomes an Actor, and whether cookies are Secure."""
    _Wiring.loader = loader
    _Wiring.secure = secure


def token_of(connection: HTTPConnection) -> str:
    """The bearer token, or else the cookie; empty for neither."""
    header = connection.headers.get("authorization", "")
    if header[:7].lower() == "bearer ":
        return header[7:].strip()
    return connection.cookies.get(COOKIE, "")


async def actor_of(connection: HTTPConnection) -> Actor:
    """Who is asking; looked up once per request."""
    known: Actor | None = connection.scope.get("huiwu.actor")
    if known is None:
        token = token_of(connection)
        known = await _Wiring.loader(token) if token and _Wiring.loader else ANONYMOUS
        connection.scope["huiwu.actor"] = known
    return known


def require_admin(actor: Actor) -> None:
    """Raises NotFound for anybody who does not run the installation."""
    if not actor.is_admin:
        raise NotFound()


def set_cookie(response: Response, name: str, value: str, *, lasts: timedelta = LASTS) -> None:
    """An HttpOnly, SameSite=Lax cookie, Secure where the site is (a mail's link must still find the sign-in: Lax)."""
    response.set_cookie(
        name,
        value,
        max_age=int(lasts.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=_Wiring.secure,
        path="/",
    )


def clear_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, httponly=True, samesite="lax", secure=_Wiring.secure, path="/")


def safe_next(target: str | None, default: str = "/") -> str:
    """A path of this site to go to afterwards; anything else (another host, ``//host``, ``/\\host``) becomes ``default``."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or "\\" in target:
        return default
    if any(ord(char) < 32 for char in target):
        return default
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else default
