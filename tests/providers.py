"""Sign-in providers for tests: OpenID Connect, and servers of GitHub's and Gitee's shape. In process, or for real:

    python -m tests.providers 9100

serves all three on loopback. What each knows of its person, and how it misbehaves, is set on ``Fake``.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID = "huiwu-test"
CLIENT_SECRET = "hush-nobody-may-log-this"

_KEY = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
_FOREIGN_KEY = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})


@dataclass
class Fake:
    """One server that is all three providers, at ``base``."""

    base: str
    #: Claims of the id_token that replace the right ones; None leaves a claim out.
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    #: Seconds before the id_token expires.
    lasts_s: int = 300
    signs_with: RSAKey = field(default_factory=lambda: _KEY)
    github_user: dict[str, Any] = field(
        default_factory=lambda: {"id": 583231, "login": "octolin", "email": None}
    )
    github_emails: Any = field(
        default_factory=lambda: [
            {"email": "spare@example.org", "primary": False, "verified": True},
            {"email": "lin@example.org", "primary": True, "verified": False},
        ]
    )
    gitee_user: dict[str, Any] = field(default_factory=lambda: {"id": 77, "login": "lin-gitee"})
    gitee_emails: Any = field(default_factory=list)
    #: Paths that answer with this status, or only after so many seconds.
    statuses: dict[str, int] = field(default_factory=dict)
    delays_s: dict[str, float] = field(default_factory=dict)
    #: Every path asked, and every secret that was handed out or seen: no log may hold one.
    asked: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def application(self) -> Starlette:
        api = "/api/v3"
        routes = [
            Route("/oidc/.well-known/openid-configuration", self._configuration),
            Route("/oidc/jwks", self._jwks),
            Route("/oidc/userinfo", self._userinfo),
            Route("/oidc/token", self._oidc_token, methods=["POST"]),
            Route("/login/oauth/access_token", self._github_token, methods=["POST"]),
            Route("/oauth/token", self._gitee_token, methods=["POST"]),
            Route(f"{api}/user", self._told(lambda: self.github_user)),
            Route(f"{api}/user/emails", self._told(lambda: self.github_emails)),
            Route("/api/v5/user", self._told(lambda: self.gitee_user)),
            Route("/api/v5/emails", self._told(lambda: self.gitee_emails)),
        ]
        # Browsers ask for it by themselves, and a 404 would stand among the errors of a page.
        routes.append(Route("/favicon.ico", lambda _request: Response(status_code=204)))
        routes.extend(
            Route(path, self._authorize, methods=["GET", "POST"])
            for path in ("/oidc/authorize", "/login/oauth/authorize", "/oauth/authorize")
        )
        return Starlette(routes=routes)

    async def _spoilt(self, request: Request) -> Response | None:
        path = request.url.path
        self.asked.append(path)
        if path in self.delays_s:
            await asyncio.sleep(self.delays_s[path])
        return JSONResponse({"error": "broken"}, self.statuses[path]) if path in self.statuses else None

    async def _configuration(self, request: Request) -> Response:
        return await self._spoilt(request) or JSONResponse(
            {
                "issuer": f"{self.base}/oidc",
                "authorization_endpoint": f"{self.base}/oidc/authorize",
                "token_endpoint": f"{self.base}/oidc/token",
                "userinfo_endpoint": f"{self.base}/oidc/userinfo",
                "jwks_uri": f"{self.base}/oidc/jwks",
                "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _jwks(self, request: Request) -> Response:
        return await self._spoilt(request) or JSONResponse({"keys": [_KEY.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        """The page that asks; its button sends the browser back with a code."""
        asked = dict(request.query_params)
        self.secrets |= {asked["state"], asked.get("nonce", asked["state"])}
        if request.method == "GET":
            action = html.escape(f"{request.url.path}?{request.url.query}")
            return HTMLResponse(
                f'<!doctype html><html lang="en"><title>Provider</title><h1>Provider</h1>'
                f'<form method="post" action="{action}">'
                '<button name="answer" value="yes">Allow</button><button name="answer" value="no">Deny</button></form>'
            )
        answer = dict(parse_qsl((await request.body()).decode()))
        back = {"state": asked["state"]}
        if answer.get("answer") == "yes":
            code = secrets.token_hex(12)
            self.codes[code] = asked
            self.secrets.add(code)
            back["code"] = code
        else:
            back["error"] = "access_denied"
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

    async def _granted(self, request: Request, *, secret_in: str) -> tuple[dict[str, str], Response | None]:
        """What the code was given for; a code works once, with its verifier, its address and the client's secret."""
        form = dict(parse_qsl((await request.body()).decode()))
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        self.secrets.add(verifier)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        is_client = (
            request.headers.get("authorization") == f"Basic {basic}"
            if secret_in == "header"
            else (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        )
        right = (
            asked is not None
            and is_client
            and asked.get("code_challenge_method") == "S256"
            and asked.get("code_challenge") == challenge
            and asked.get("redirect_uri") == form.get("redirect_uri")
        )
        return asked or {}, None if right else JSONResponse({"error": "invalid_grant"}, 400)

    async def _oidc_token(self, request: Request) -> Response:
        asked, wrong = await self._granted(request, secret_in="header")
        if no := await self._spoilt(request) or wrong:
            return no
        now = int(time.time())
        claims = {
            "iss": f"{self.base}/oidc",
            "aud": CLIENT_ID,
            "sub": "u-lin",
            "nonce": asked.get("nonce"),
            "iat": now + min(0, self.lasts_s),
            "exp": now + self.lasts_s,
            "name": "林小满",
            "email": "lin@example.org",
            "email_verified": True,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return self._token(id_token=jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signs_with))

    async def _github_token(self, request: Request) -> Response:
        _, wrong = await self._granted(request, secret_in="body")
        # GitHub says "wrong code" with a 200.
        if wrong is not None:
            return JSONResponse({"error": "bad_verification_code"})
        return await self._spoilt(request) or self._token()

    async def _gitee_token(self, request: Request) -> Response:
        _, wrong = await self._granted(request, secret_in="body")
        return await self._spoilt(request) or wrong or self._token()

    def _token(self, **more: str) -> Response:
        token = secrets.token_hex(16)
        self.secrets |= {token, *more.values()}
        return JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": 300, **more})

    async def _userinfo(self, request: Request) -> Response:
        return await self._told(lambda: self.userinfo)(request)

    def _told(self, what: Callable[[], Any]) -> Callable[[Request], Awaitable[Response]]:
        async def told(request: Request) -> Response:
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if no := await self._spoilt(request):
                return no
            return JSONResponse(what()) if token in self.secrets else JSONResponse({}, 401)

        return told


if __name__ == "__main__":
    import uvicorn

    port = int(sys.argv[1])
    uvicorn.run(Fake(f"http://127.0.0.1:{port}").application(), port=port, log_level="warning")
