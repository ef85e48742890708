"""What the tests of the organiser's desk share: the whole application, and browsers of people with roles."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
from starlette.applications import Starlette

from events.models import Event, TicketType
from people import accounts
from people.models import Account
from tests.factories import make_account, make_event, make_role, make_ticket_type
from web import signin

BASE = "http://127.0.0.1:8000"


@asynccontextmanager
async def browser_of(
    app: Starlette, account: Account | None = None, **headers: str
) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser without JavaScript, signed in to ``account``; nothing is raised into the test but 500s."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url=BASE,
        headers={"sec-fetch-site": "same-origin", "accept-language": "en", "accept": "text/html", **headers},
    ) as client:
        if account is not None:
            token = await accounts.open_sign_in(
                account_id=account.id, user_agent="test", at=datetime.now(UTC)
            )
            client.cookies.set(signin.COOKIE, token)
        yield client


@dataclass
class Desk:
    """An event, its organiser's browser, and the paths of its desk."""

    event: Event
    general: TicketType
    vip: TicketType
    account: Account
    browser: httpx2.AsyncClient

    def path(self, path: str = "") -> str:
        return f"/e/{self.event.slug}/desk{path}"

    async def get(self, path: str = "", **params: Any) -> httpx2.Response:
        return await self.browser.get(self.path(path), params=params)

    async def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> httpx2.Response:
        return await self.browser.post(self.path(path), data=data or {}, **more)


@asynccontextmanager
async def desk_of(app: Starlette, role: str = "owner", **event: Any) -> AsyncIterator[Desk]:
    made = await make_event("coscon", **event)
    general = await make_ticket_type(made, "general", position=1)
    vip = await make_ticket_type(made, "vip", name={"zh-Hans": "贵宾票", "en": "VIP"}, quota=2, position=2)
    account = await make_account("organiser@example.org", name="林组织")
    await make_role(made, account, role)
    async with browser_of(app, account) as browser:
        yield Desk(made, general, vip, account, browser)


def words_of(page: str) -> str:
    """What a person reads in the page's own part, in one line."""
    main = page.partition("<main")[2].partition(">")[2].partition("</main>")[0]
    return _plain(main)


def _plain(part: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)).split())


def field(page: str, name: str) -> str:
    """What stands in an input of the page's own part."""
    main = page.partition("<main")[2]
    found = re.search(rf'<input[^>]*name="{re.escape(name)}"[^>]*>', main)
    assert found, f"no field {name}"
    value = re.search(r'value="([^"]*)"', found[0])
    return value[1] if value else ""


def chosen(page: str, name: str) -> str:
    """The option that is chosen in a select."""
    main = page.partition("<main")[2]
    found = re.search(rf'<select[^>]*name="{re.escape(name)}"[^>]*>(.*?)</select>', main, re.DOTALL)
    assert found, f"no select {name}"
    option = re.search(r'<option value="([^"]*)" selected', found[1])
    return option[1] if option else ""


def problem(page: str, name: str) -> str:
    """The problem shown at a field, empty for none."""
    found = re.search(rf'id="f-{re.escape(name)}-error">(.*?)</p>', page, re.DOTALL)
    return _plain(found[1]).removeprefix("Problem: ") if found else ""
