"""The sign-in's cookie or bearer token becomes an Actor, through a loader that main hands in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from kernel.actor import ANONYMOUS, Actor, ActorKind
from kernel.errors import Code, Forbidden, NotFound, SignInNeeded
from web import i18n

COOKIE: Final = "huiwu_signin"
#: Marks a browser for limits and for tying a sign-in code to it; says nothing about who sits there.
BROWSER_COOKIE: Final = "huiwu_browser"
LASTS: Final = timedelta(days=30)
LANGUAGE_LASTS: Final = timedelta(days=365)
#: A token for programs begins so: people recognise it, and scanners of leaked secrets find it.
API_TOKEN_PREFIX: Final = "hwt_"  # noqa: S105 -- how one begins, not one
#: A paired device's token begins so.
DEVICE_TOKEN_PREFIX: Final = "hwd_"  # noqa: S105 -- as above

Loader = Callable[[str], Awaitable[Actor]]
#: Told of a bearer token that opens nothing; may raise TooMany.
Failed = Callable[[HTTPConnection], Awaitable[None]]


class _Wiring:
    loader: Loader | None = None
    failed: Failed | None = None
    secure: bool = False


def configure(*, loader: Loader, secure: bool, failed: Failed | None = None) -> None:
    """Called once by main: how a token becomes an Actor, who counts those that don't, and whether cookies are Secure."""
    _Wiring.loader = loader
    _Wiring.failed = failed
    _Wiring.secure = secure


def token_of(connection: HTTPConnection) -> str:
    """The bearer token, or else the cookie; empty for neither."""
    header = connection.headers.get("authorization", "")
    if header[:7].lower() == "bearer ":
        return header[7:].strip()
    # A program and a device say who they are in a header: from a cookie a token would be sent along by any page.
    cookie = connection.cookies.get(COOKIE, "")
    return "" if cookie.startswith((API_TOKEN_PREFIX, DEVICE_TOKEN_PREFIX)) else cookie


async def actor_of(connection: HTTPConnection) -> Actor:
    """Who is asking; looked up once per request."""
    known: Actor | None = connection.scope.get("huiwu.actor")
    if known is None:
        known = await actor_for(token_of(connection))
        # Set before anything is refused: the page that says so asks again who is reading it.
        connection.scope["huiwu.actor"] = known
        if known is ANONYMOUS and _Wiring.failed and "authorization" in connection.headers:
            await _Wiring.failed(connection)
    return known


def require_person(actor: Actor) -> None:
    """Raises SignInNeeded for nobody, and Forbidden for a device or a program: account pages are a person's."""
    if not actor.signed_in:
        raise SignInNeeded()
    if actor.kind is not ActorKind.ACCOUNT or actor.token_id:
        raise Forbidden(Code.NOT_A_PERSON)


async def actor_for(token: str) -> Actor:
    """Who holds a token; nobody in particular holds an empty one."""
    return await _Wiring.loader(token) if token and _Wiring.loader else ANONYMOUS


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


def set_language(response: Response, locale: str) -> None:
    """Remembers the reader's language on their own device."""
    set_cookie(response, i18n.COOKIE, locale, lasts=LANGUAGE_LASTS)


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
