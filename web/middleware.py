"""What every request passes, as plain ASGI: locale, cross-site refusal, security headers, request lines in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.errors import Code, Forbidden, TooLarge
from web import i18n, render

access_log = logging.getLogger("huiwu.access")

QUIET = frozenset({"/e/{slug}/api/scans", "/healthz", "/readyz", "/metrics"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: No inline script or style anywhere; only the scanner's pages add 'wasm-unsafe-eval' through their own header.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SCANNER_POLICY = (
    POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'").replace(
        "img-src 'self' data:", "img-src 'self' data: blob:"
    )
    + "; worker-src 'self'; media-src 'self' blob:"
)


def frame_headers(*, secure: bool) -> list[tuple[bytes, bytes]]:
    """What every answer carries unless it says otherwise itself."""
    headers = [
        (b"content-security-policy", POLICY.encode()),
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
        (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]
    if secure:
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    return headers


class Frame:
    """Security headers on every answer, the reader's locale around every request, one access line without the query."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self.app = app
        self.headers = frame_headers(secure=secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        token = i18n.use_locale(i18n.locale_of(Request(scope)))
        status = 0
        is_too_large = False

        async def answered(message: Message) -> None:
            nonlocal status, is_too_large
            if is_too_large:
                # Starlette's limit on bodies answers in plain words; ours says it in the one shape of every refusal.
                is_too_large = False
                response = await render.refusal(Request(scope), TooLarge())
                await response(scope, receive, answered)
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == 413:
                    headers = MutableHeaders(scope=message)
                    if headers.get("content-type", "").startswith("text/plain"):
                        is_too_large = True
                        status = 0
                        return
                raw = message["headers"]
                known = {name for name, _ in raw}
                raw.extend([pair for pair in self.headers if pair[0] not in known])
            await send(message)

        try:
            await self.app(scope, receive, answered)
        except Exception as error:  # noqa: BLE001 -- this is where the unexpected ends
            # Answered here: Starlette's own catch-all would raise it again and have it logged twice.
            response = await render.unexpected(Request(scope), error)
            if not status:
                await response(scope, receive, answered)
        finally:
            i18n.reset_locale(token)
            # The route's template, never the path or query: tokens and secrets live there.
            route = getattr(scope.get("route"), "path", "-")
            # A scan that was answered stands in the ledger; a line for each would say nothing and cost a tenth of it.
            if (route not in QUIET or status != 200) and access_log.isEnabledFor(logging.INFO):
                access_log.info(
                    "%s %s %d %.1f ms", scope["method"], route, status, (time.perf_counter() - began) * 1000
                )


class CrossSite:
    """Refuses unsafe requests that another site sent.

    A browser says where a request comes from in ``Sec-Fetch-Site`` (same-origin, or none for typed addresses), an
    older one in ``Origin``. One of them must say "here"; a bearer token, which no other site can add, is the exception.
    ``open_paths`` are written to by other programs on a person's behalf, with a key of their own in the address (the
    mailbox's "unsubscribe", RFC 8058), and look at no cookie.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str], open_paths: Collection[str] = ()) -> None:
        self.app = app
        self.origins = frozenset(origins)
        self.open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and not self.is_ours(scope):
            request = Request(scope, receive)
            response = await render.refusal(request, Forbidden(Code.CROSS_SITE))
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def is_ours(self, scope: Scope) -> bool:
        """Whether an unsafe request comes from this site, or carries what no other site can add."""
        if scope["path"] in self.open_paths:
            return True
        for name, value in scope["headers"]:
            if name == b"authorization":
                if value[:7].lower() == b"bearer ":
                    return True
                break
        headers = Headers(scope=scope)
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        return self.same_origin(headers)

    def same_origin(self, headers: Headers) -> bool:
        origin = headers.get("origin", "")
        if origin in self.origins:
            return True
        # The same server under another name (127.0.0.1 and localhost, a LAN address): Origin equals Host.
        return bool(origin) and urlsplit(origin).netloc == headers.get("host", "\x00")
