"""The short way of a scan beside the ordinary one: the same answers, the same refusals, and every decision made once."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import pytest_asyncio

import main
from checkin import scanning
from checkin.models import Scan
from kernel.errors import Busy
from kernel.settings import Settings
from people import accounts
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_role,
    make_ticket_type,
)
from web.middleware import Frame

BASE = "http://127.0.0.1:8000"
HERE = {"sec-fetch-site": "same-origin"}


@dataclass
class Ways:
    """The same house twice, once without its short way; ``framed`` counts requests that took the ordinary one."""

    short: httpx2.AsyncClient
    ordinary: httpx2.AsyncClient
    event: Any
    kind: Any
    gate: Any
    token: str
    framed: list[str]

    async def body(self, **more: Any) -> dict[str, Any]:
        """A scan of somebody new, so that both ways meet the same case."""
        passport = await make_passport(self.event, self.kind, badge_name="王小明")
        return {"scan_id": str(uuid.uuid4()), "code": passport.token, "checkpoint": self.gate.id} | more

    async def both(
        self, send: Callable[[httpx2.AsyncClient, dict[str, Any]], Any], **more: Any
    ) -> tuple[httpx2.Response, int]:
        """Sends to both, compares all that must not differ, and says how often the first took the ordinary way."""
        self.framed.clear()
        first: httpx2.Response = await send(self.short, await self.body(**more))
        ordinary_ways = len(self.framed)
        second: httpx2.Response = await send(self.ordinary, await self.body(**more))
        assert first.status_code == second.status_code
        assert _lasting(first.headers) == _lasting(second.headers)
        assert [name for name in first.headers if name != "content-length"] == [
            name for name in second.headers if name != "content-length"
        ]
        if "json" in first.headers.get("content-type", ""):
            assert _comparable(first.json()) == _comparable(second.json())
            assert list(first.json()) == list(second.json())
        return first, ordinary_ways


def _lasting(headers: httpx2.Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "content-length"}


def _comparable(said: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in said.items() if name not in ("scan_id", "at", "reference")}
    if own.get("holder"):
        own["holder"] = {name: value for name, value in own["holder"].items() if name != "passport_id"}
    return own


@pytest_asyncio.fixture(loop_scope="session")
async def ways(database: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ways]:
    framed: list[str] = []
    real = Frame.__call__

    async def counted(self: Frame, scope: Any, receive: Any, send: Any) -> None:
        framed.append(scope["path"])
        await real(self, scope, receive, send)

    monkeypatch.setattr(Frame, "__call__", counted)
    entries = main.entries
    monkeypatch.setattr(main, "entries", lambda: [replace(entry, express=None) for entry in entries()])
    ordinary = main.create_app(database, workers=False)
    monkeypatch.setattr(main, "entries", entries)
    short = main.create_app(database, workers=False)
    event = await make_event()
    account = await make_account()
    await make_role(event, account, "scanner")
    token = await accounts.open_sign_in(account_id=account.id, user_agent="test", at=datetime.now(UTC))
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(short), base_url=BASE) as one,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(ordinary), base_url=BASE) as other,
    ):
        yield Ways(
            one, other, event, await make_ticket_type(event), await make_checkpoint(event), token, framed
        )


async def test_who_is_answered_on_the_short_way(ways: Ways) -> None:
    """A token or this site's cookie, in whatever language: 200 past all layers, word for word as through them."""
    path = f"/e/{ways.event.slug}/api/scans"
    bearer, cookie = {"authorization": f"Bearer {ways.token}"}, {"cookie": f"huiwu_signin={ways.token}"}
    cases: list[tuple[dict[str, str], int, int]] = [
        (bearer, 200, 0),
        ({"authorization": f"bearer  {ways.token} "}, 200, 0),
        (bearer | {"accept-language": "en", "cookie": "huiwu_lang=en"}, 200, 0),
        (bearer | {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 200, 0),
        (cookie | HERE, 200, 0),
        ({"cookie": f"a=b; huiwu_signin={ways.token}; c=d"} | HERE, 200, 0),
        (cookie | {"sec-fetch-site": "none"}, 200, 0),
        (cookie | {"origin": BASE}, 200, 0),
        (cookie | {"sec-fetch-site": "cross-site"}, 403, 1),
        (cookie | {"sec-fetch-site": "same-site", "origin": BASE}, 403, 1),
        (cookie | {"origin": "https://evil.example"}, 403, 1),
        (cookie, 403, 1),
        (cookie | HERE | {"authorization": "Basic eDp5"}, 200, 0),
        ({}, 403, 1),
        (HERE, 401, 1),
        ({"authorization": "Bearer nonsense"}, 401, 1),
        ({"authorization": "Bearer nonsense", "accept-language": "en"}, 401, 1),
        ({"authorization": "Bearer"} | HERE, 401, 1),
    ]
    for headers, status, ordinary in cases:

        async def send(
            client: httpx2.AsyncClient, body: dict[str, Any], headers: dict[str, str] = headers
        ) -> httpx2.Response:
            return await client.post(path, json=body, headers=headers)

        answer, framed = await ways.both(send)
        assert (answer.status_code, framed) == (status, ordinary), headers
    assert await Scan.all().count() == 2 * sum(status == 200 for _, status, _ in cases)


async def test_what_is_unusual_takes_the_ordinary_way(ways: Ways) -> None:
    slug = ways.event.slug
    path, headers = f"/e/{slug}/api/scans", {"authorization": f"Bearer {ways.token}"}
    elsewhere = await make_event()
    foreign = await make_checkpoint(elsewhere)

    async def drop_by_drop(client: httpx2.AsyncClient, body: dict[str, Any]) -> httpx2.Response:
        async def parts() -> AsyncIterator[bytes]:
            for byte in httpx2.Request("POST", BASE, json=body).content:
                yield bytes([byte])

        return await client.post(path, content=parts(), headers=headers)

    async def twice(client: httpx2.AsyncClient, body: dict[str, Any]) -> httpx2.Response:
        both = [("x-note", "a"), ("x-note", "b"), *headers.items()]
        return await client.post(path, json=body, headers=both)

    cases: list[tuple[str, Any, int]] = [
        ("another method", lambda client, body: client.get(path, headers=headers), 405),
        ("another method", lambda client, body: client.put(path, json=body, headers=headers), 405),
        ("a slash more", lambda client, body: client.post(f"{path}/", json=body, headers=headers), 307),
        ("no event", lambda client, body: client.post("/e/nowhere/api/scans", json=body, headers=headers), 404),
        (
            "another event",
            lambda client, body: client.post(f"/e/{elsewhere.slug}/api/scans", json=body, headers=headers),
            403,
        ),
        ("an encoded slash", lambda client, body: client.post("/e/a%2Fb/api/scans", json=body, headers=headers), 404),
        ("too large", lambda client, body: client.post(path, content=b"x" * 9000, headers=headers), 413),
        ("not JSON", lambda client, body: client.post(path, content=b"{", headers=headers), 422),
        ("nothing", lambda client, body: client.post(path, headers=headers), 422),
        (
            "a wrong field",
            lambda client, body: client.post(path, json=body | {"direction": "up"}, headers=headers),
            422,
        ),
        (
            "another event's checkpoint",
            lambda client, body: client.post(path, json=body | {"checkpoint": foreign.id}, headers=headers),
            404,
        ),
        ("without a length", drop_by_drop, 200),
        ("a header twice", twice, 200),
    ]  # fmt: skip
    for name, send, status in cases:
        answer, framed = await ways.both(send)
        assert (answer.status_code, framed) == (status, 1), name


async def test_a_refusal_or_a_mistake_is_decided_once_and_said_as_ever(
    ways: Ways, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, headers = f"/e/{ways.event.slug}/api/scans", {"authorization": f"Bearer {ways.token}"}
    for error, status in ((Busy(), 503), (ZeroDivisionError("a secret"), 500)):
        asked: list[Any] = []

        async def failing(*, error: Exception = error, asked: list[Any] = asked, **given: Any) -> Any:
            asked.append(given)
            raise error

        monkeypatch.setattr(scanning, "scan", failing)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            answer, framed = await ways.both(
                lambda client, body: client.post(path, json=body, headers=headers)
            )
        assert (answer.status_code, framed, len(asked)) == (status, 1, 2)
        assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
        unexpected = [record for record in caplog.records if "unexpected error" in record.getMessage()]
        assert len(unexpected) == (2 if status == 500 else 0)
        assert "a secret" not in caplog.text and ways.token not in caplog.text
        access = [record.getMessage() for record in caplog.records if record.name == "huiwu.access"]
        assert [line.split()[:3] for line in access] == [["POST", "/e/{slug}/api/scans", str(status)]] * 2


async def test_an_answered_scan_leaves_no_line_in_the_log(
    ways: Ways, caplog: pytest.LogCaptureFixture
) -> None:
    path, headers = f"/e/{ways.event.slug}/api/scans", {"authorization": f"Bearer {ways.token}"}
    with caplog.at_level(logging.INFO):
        await ways.both(lambda client, body: client.post(path, json=body, headers=headers))
    assert not [record for record in caplog.records if record.name.startswith("huiwu")]


def test_only_quiet_posts_below_an_event_go_the_short_way() -> None:
    short = [entry for entry in main.entries() if entry.express is not None]
    assert [(entry.name, entry.access) for entry in short] == [("checkin.api.scan", "event:scan")]
