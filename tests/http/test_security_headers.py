"""What protects every answer, whatever kind it is: headers, cookies, and silence about secrets."""

from __future__ import annotations

import logging
from dataclasses import replace

import httpx2
import pytest
from starlette.applications import Starlette

import main
from events import access
from kernel.settings import Settings
from tests.factories import make_event
from tests.http.desk_house import BASE, browser_of
from web import render

GUARDS = {
    "content-security-policy": "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
}


@pytest.fixture
def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


async def test_every_kind_of_answer_carries_the_same_guards(
    app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_event("coscon")
    css = render._Wiring.static("css/parts.css")
    async with browser_of(app) as browser:
        first = await browser.get("/e/coscon/rooms.json")
        answers = {
            "page": (200, await browser.get("/e/coscon")),
            "json": (200, await browser.get("/e/coscon/api/event")),
            "not found": (404, await browser.get("/nowhere")),
            "not found, json": (404, await browser.get("/e/nowhere/api/event")),
            "method": (405, await browser.delete("/e/coscon")),
            "redirect": (303, await browser.get("/account")),
            "refused, json": (401, await browser.get("/e/coscon/api/registrations")),
            "static": (200, await browser.get(css)),
            "not modified": (
                304,
                await browser.get("/e/coscon/rooms.json", headers={"if-none-match": first.headers["etag"]}),
            ),
            "too large": (413, await browser.post("/e/coscon/register", content=b"x" * 300_000)),
            "cross-site": (403, await browser.post("/sign-out", headers={"sec-fetch-site": "cross-site"})),
            "health": (200, await browser.get("/healthz")),
        }

        async def breaks(*_arguments: object) -> None:
            raise RuntimeError("secret words")

        monkeypatch.setattr(access, "open_event", breaks)
        answers["error"] = (500, await browser.get("/e/coscon/register"))
    for name, (status, answer) in answers.items():
        assert answer.status_code == status, name
        for header, value in GUARDS.items():
            assert answer.headers.get_list(header) == [value], f"{name}: {header}"
    assert "secret words" not in answers["error"][1].text


async def test_over_https_cookies_and_browsers_stay_there(database: Settings) -> None:
    app = main.create_app(replace(database, base_url="https://conf.example.org"), workers=False)
    try:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url="https://conf.example.org",
            headers={"sec-fetch-site": "same-origin"},
        ) as browser:
            page = await browser.get("/sign-in")
            cookies = [*page.headers.get_list("set-cookie")]
            cookies += (await browser.post("/language", data={"lang": "en"})).headers.get_list("set-cookie")
            assert len(cookies) >= 2
            for cookie in cookies:
                parts = {part.strip().lower() for part in cookie.split(";")}
                assert {"httponly", "samesite=lax", "secure", "path=/"} <= parts, cookie
            assert page.headers["strict-transport-security"] == "max-age=31536000"
    finally:
        main.create_app(database, workers=False)


async def test_over_http_nothing_claims_to_be_secure(app: Starlette) -> None:
    async with browser_of(app) as browser:
        page = await browser.get("/sign-in")
        assert "strict-transport-security" not in page.headers
        assert all("secure" not in cookie.lower() for cookie in page.headers.get_list("set-cookie"))


async def test_no_log_line_holds_a_query_a_path_or_a_token(
    app: Starlette, caplog: pytest.LogCaptureFixture
) -> None:
    await make_event("coscon")
    secrets = ["s3cret-key", "s3cret-token", "s3cret-bearer", "s3cret-cookie"]
    with caplog.at_level(logging.DEBUG):
        async with browser_of(app) as browser:
            browser.cookies.set("huiwu_signin", "s3cret-cookie")
            await browser.get("/e/coscon/me?key=s3cret-key")
            await browser.get("/p?token=s3cret-token")
            await browser.get("/e/coscon/api/event", headers={"authorization": "Bearer s3cret-bearer"})
            await browser.get("/e/s3cret-key/me")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("huiwu")]
    assert any("/e/{slug}/me" in line for line in ours)
    assert not [line for line in ours if any(secret in line for secret in secrets)]


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "/\n/x"],
)
async def test_the_sign_in_leads_nowhere_else(app: Starlette, target: str) -> None:
    async with browser_of(app) as browser:
        page = await browser.get("/sign-in", params={"next": target})
        assert "evil" not in page.text.partition("<main")[2]
        assert "alert(1)" not in page.text
    assert BASE.startswith("http://")
