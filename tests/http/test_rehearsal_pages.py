"""The rehearsal through the application: who may, what every screen at the door says, and what its own page tells."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx2
import pytest

from checkin import checkpoints
from checkin.models import Checkpoint, Scan
from events import access
from events.models import Event, TicketType
from kernel.settings import Settings
from main import create_app
from people import accounts
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_role,
    make_ticket_type,
)
from web import signin

SCREENS = (
    "/scan",
    "/walk-in",
    "/live",
    "/live/lanes",
    "/live/conflicts",
    "/desk/arrivals",
    "/desk/checkpoints",
)


@dataclass
class House:
    event: Event
    type: TicketType
    gate: Checkpoint
    doors: datetime
    app: Any
    tokens: dict[str, str] = field(default_factory=dict)

    def browser(self, who: str, language: str = "en") -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app),
            base_url="http://127.0.0.1:8000",
            headers={"sec-fetch-site": "same-origin", "accept-language": language},
            cookies={signin.COOKIE: self.tokens[who]},
        )

    async def get(self, path: str, who: str = "organiser", status: int = 200, language: str = "en") -> str:
        async with self.browser(who, language) as browser:
            answer = await browser.get(f"/e/{self.event.slug}{path}")
        assert answer.status_code == status, (path, answer.text[:500])
        return answer.text

    async def post(self, path: str, who: str = "organiser", status: int = 303, **data: str) -> str:
        async with self.browser(who) as browser:
            answer = await browser.post(f"/e/{self.event.slug}{path}", data=data)
        assert answer.status_code == status, (path, answer.text[:500])
        return answer.text

    async def scan(self, code: str, who: str = "scanner") -> dict[str, Any]:
        body = {"scan_id": str(uuid4()), "code": code, "checkpoint": self.gate.id}
        async with self.browser(who) as browser:
            answer = await browser.post(f"/e/{self.event.slug}/api/scans", json=body)
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    day = datetime.now(UTC).date() + timedelta(days=3)
    event = await make_event("coscon", starts_on=day, ends_on=day)
    doors = (datetime.now(UTC) + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    found = House(
        event=event,
        type=await make_ticket_type(event),
        gate=await make_checkpoint(
            event, name={"zh-Hans": "北门", "en": "North gate"}, windows=[(doors, doors + timedelta(hours=9))]
        ),
        doors=doors,
        app=create_app(database, workers=False),
    )
    for who in ("organiser", "scanner", "viewer"):
        account = await make_account(name=f"Volunteer {who}")
        await make_role(event, account, who)
        found.tokens[who] = await accounts.open_sign_in(
            account_id=account.id, user_agent="", at=datetime.now(UTC)
        )
    access.forget()
    checkpoints.forget()
    async with found.app.router.lifespan_context(found.app):
        yield found


def _banner(page: str) -> str | None:
    """The end that a page's banner shows; None where it is hidden."""
    [banner] = re.findall(r'<p class="rehearsal".*?</p>', page, re.DOTALL)
    [head] = re.findall(r"<p[^>]*>", banner)
    return None if "hidden" in head else re.findall(r"<time[^>]*>([^<]*)</time>", banner)[0]


async def test_every_screen_at_the_door_says_so_while_it_runs(house: House) -> None:
    for path in SCREENS:
        assert _banner(await house.get(path)) is None, path
    await house.post("/live/rehearsal/start")
    local = house.doors.astimezone(ZoneInfo(house.event.time_zone))
    eve = local - timedelta(minutes=1)
    ends = f"{local.day} {local:%b %H:%M}" if local.hour else f"{eve.day} {eve:%b} 24:00"
    for path in (*SCREENS, "/live/rehearsal"):
        assert _banner(await house.get(path)) == ends, path
    page = await house.get("/live", language="zh-CN")
    assert "演练中，不计入任何数据" in page
    assert f'"rehearsal":{int(house.doors.timestamp())}' in page.replace(" ", "")
    await house.post("/live/rehearsal/stop")
    for path in (*SCREENS, "/live/rehearsal"):
        assert _banner(await house.get(path)) is None, path


async def test_from_the_start_to_the_page_and_cleared(house: House) -> None:
    guest = await make_passport(house.event, house.type)
    await house.post("/live/rehearsal/start", until=_wall(house, house.doors - timedelta(hours=1)))
    answer = await house.scan(guest.token)
    assert (answer["verdict"], answer["rehearsal"]) == ("not_yet_open", True)
    assert (await house.scan("nobody"))["rehearsal"] is True
    assert await Scan.all().count() == 0
    page = await house.get("/live/rehearsal", "viewer")
    for words in ("Volunteer scanner", "Not open yet 1", "Unknown code 1", "North gate", guest.badge_name):
        assert words in page, words
    assert "/live/rehearsal/clear" not in page and "/live/rehearsal/stop" not in page
    await house.post("/live/rehearsal/clear")
    assert "Nothing has been tried yet" in await house.get("/live/rehearsal")
    assert (await house.scan(guest.token))["rehearsal"] is True
    await house.post("/live/rehearsal/stop")
    assert (await house.scan(guest.token))["rehearsal"] is False


async def test_who_may_and_what_is_refused(house: House) -> None:
    for path in ("start", "stop", "clear"):
        for who in ("scanner", "viewer"):
            await house.post(f"/live/rehearsal/{path}", who, 403)
    late = await house.post(
        "/live/rehearsal/start", status=422, until=_wall(house, house.doors + timedelta(hours=1))
    )
    assert "That is after the doors open." in late
    past = await house.post("/live/rehearsal/start", status=422, until="2020-01-01T10:00")
    assert "That is past already." in past and 'value="2020-01-01T10:00"' in past
    nonsense = await house.post("/live/rehearsal/start", status=422, until="tomorrow")
    assert 'value="tomorrow"' in nonsense
    await make_checkpoint(house.event, windows=[(datetime.now(UTC) - timedelta(hours=1), house.doors)])
    opened = await house.post("/live/rehearsal/start", status=409)
    assert "The doors have opened" in opened
    assert "Begin the rehearsal" not in await house.get("/live/rehearsal")


def _wall(house: House, at: datetime) -> str:
    return at.astimezone(ZoneInfo(house.event.time_zone)).strftime("%Y-%m-%dT%H:%M")
