"""The live board in a real browser beside a real server: it moves, it survives, and it never reloads for a figure."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, async_playwright, expect

from checkin import checkpoints
from checkin.models import Checkpoint, Passport
from events.models import Event
from kernel.settings import Settings
from people import accounts
from tests import services
from tests.browser.camera import ARGUMENTS
from tests.browser.test_door import until
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_place,
    make_role,
    make_ticket_type,
)
from tests.services import Server
from web import signin
from web.i18n import COOKIE as LANGUAGE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Hall:
    """An event with three gates and a meal, a server on its database, and a browser in front of it."""

    server: Server
    browser: Browser
    event: Event
    gates: list[Checkpoint]
    passports: list[Passport]
    token: str
    scanned: int = 0
    frames: list[dict[str, Any]] = field(default_factory=list)
    sockets: int = 0
    errors: list[str] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    @property
    def base(self) -> str:
        return self.server.url

    async def scan(self, code: str = "", gate: int = 0, way: str = "entry") -> None:
        """Admits the next passport, or whatever the code leads to."""
        if not code:
            code = self.passports[self.scanned].token
            self.scanned += 1
        body = {
            "scan_id": str(uuid.uuid4()),
            "code": code,
            "checkpoint": self.gates[gate].id,
            "direction": way,
        }
        headers = {"authorization": f"Bearer {self.token}"}
        async with httpx2.AsyncClient(base_url=self.base, headers=headers, trust_env=False) as client:
            answer = await client.post(f"/e/{self.event.slug}/api/scans", json=body)
        assert answer.status_code == 200, answer.text

    async def open(
        self, query: str = "", *, width: int = 1440, locale: str = "en", path: str = "live"
    ) -> Page:
        context = await self.browser.new_context(viewport={"width": width, "height": 900})
        await context.add_cookies(
            [
                {"name": signin.COOKIE, "value": self.token, "url": self.base},
                {"name": LANGUAGE, "value": locale, "url": self.base},
            ]
        )
        page = await context.new_page()
        page.on("websocket", self._listen)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._overhear)
        page.on(
            "response",
            lambda answer: self.asked.append(answer.status) if "/live/board." in answer.url else None,
        )
        await page.goto(f"{self.base}/e/{self.event.slug}/{path}{query}")
        await page.evaluate("globalThis.sameDocument = true")
        return page

    def _listen(self, socket: Any) -> None:
        self.sockets += 1
        socket.on("framereceived", lambda frame: self.frames.append(orjson.loads(frame)))

    def _overhear(self, said: Any) -> None:
        # While the server is down the browser itself says that nobody answers, or that an answer broke off.
        if said.type == "error" and "net::ERR_" not in said.text:
            self.errors.append(said.text)

    async def crash(self) -> None:
        await asyncio.to_thread(self.server.crash)

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)


@asynccontextmanager
async def hall(settings: Settings, folder: Path) -> AsyncIterator[Hall]:
    event = await make_event("coscon23", name={"zh-Hans": "第八届中国开源年会", "en": "COSCon'23"})
    types = [
        await make_ticket_type(event, name={"zh-Hans": "普通票", "en": "Attendee"}),
        await make_ticket_type(event, name={"zh-Hans": "讲师", "en": "Speaker"}),
    ]
    names = [
        "林小满",
        "Wilhelmina Katherine Featherstonehaugh-Cholmondeley",
        "阿卜杜热依木·买买提",
        "<i>王芳</i>",
    ]
    passports = [await make_passport(event, types[n % 2], badge_name=names[n % 4]) for n in range(20)]
    place = await make_place(
        event, "hall", name={"zh-Hans": "中国科学院软件研究所智能软件研究中心报告厅", "en": "Main hall"}
    )
    gates = [
        await make_checkpoint(event, name={"zh-Hans": "北门", "en": "North gate"}, scans_exits=True),
        await make_checkpoint(event, name={"zh-Hans": "南门", "en": "South gate"}),
        await make_checkpoint(
            event,
            name=place.name,
            kind="session",
            once="event",
            capacity=4,
            place_id=place.id,
            scans_exits=True,
        ),
    ]
    owner = await make_account()
    await make_role(event, owner, "owner")
    token = await accounts.open_sign_in(account_id=owner.id, user_agent="board", at=datetime.now(UTC))
    port = services.free_port()
    base = f"http://127.0.0.1:{port}"
    values = {
        "HUIWU_DATA_DIR": settings.data_dir,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": "",
        "HUIWU_SECRET_KEY": settings.secret_key,
        "HUIWU_BASE_URL": base,
        "HUIWU_PORT": port,
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    command = [
        "env",
        *(f"{name}={value}" for name, value in values.items()),
        sys.executable,
        str(ROOT / "main.py"),
        "run",
    ]
    server = Server("huiwu", command, port=port, folder=folder, url=base)
    await asyncio.to_thread(server.start)
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=services.chromium(), args=[*ARGUMENTS])
            try:
                made = Hall(server, browser, event, gates, passports, token)
                yield made
                assert made.errors == []
            finally:
                await browser.close()
    finally:
        await asyncio.to_thread(server.stop)


async def shows(page: Page, **figures: str) -> None:
    for name, value in figures.items():
        await expect(page.locator(f'[data-figure="{name.replace("_", "-")}"]')).to_have_text(
            value, timeout=40_000
        )


async def _both(asked: list[int]) -> bool:
    return {200, 304} <= set(asked)


async def never_reloaded(page: Page) -> bool:
    return bool(await page.evaluate("globalThis.sameDocument === true"))


async def test_the_board_moves_with_each_scan_and_survives_a_crash(
    database: Settings, tmp_path: Path
) -> None:
    async with hall(database, tmp_path) as here:
        page = await here.open()
        await expect(page.locator("#state")).to_have_attribute("data-live", "on", timeout=20_000)
        await shows(page, arrived="0", inside="0", refused="0")
        await expect(page.locator("#chart-empty")).to_be_visible()

        await here.scan()
        await here.scan(gate=1)
        await here.scan("nobody")
        await shows(page, arrived="2", inside="1", refused="1")
        # The better of this minute and the one before; the two may stand on either side.
        await expect(page.locator('[data-figure="per-minute"]')).to_have_text(re.compile("^[12]$"))
        framed = [
            frame for frame in here.frames if frame.get("topic") == checkpoints.board_topic(here.event.id)
        ]
        assert framed and framed[-1]["data"]["arrived"] == 2
        assert [frame["version"] for frame in framed] == sorted({frame["version"] for frame in framed})
        await expect(page.locator(f'[data-checkpoint="{here.gates[0].id}"] .bar__words')).to_have_text("1")
        await expect(page.locator("#latest li").first).to_contain_text("unknown code")
        await expect(page.locator("#latest li").nth(1)).to_contain_text("Wilhelmina")
        await expect(page.locator('[data-reason="unknown"] .bar__words')).to_have_text("1")
        await expect(page.locator("#chart canvas")).to_be_visible()
        await expect(page.locator("#chart-empty")).to_be_hidden()

        # A hall that fills says so without a colour.
        for _ in range(4):
            await here.scan(here.passports[here.scanned].token, gate=2)
            here.scanned += 1
        full = page.locator(f'[data-checkpoint="{here.gates[2].id}"]')
        await expect(full).to_have_class("bar bar--full", timeout=20_000)
        await expect(full.locator(".bar__more")).to_contain_text("Full · 4 of 4")

        # The wall in the lobby knows it, too, and goes through the same.
        wall = await here.open(path="wall", width=1920)
        room = wall.locator(f'[data-room="{here.gates[2].place_id}"]')
        await expect(wall.locator("#state")).to_have_attribute("data-live", "on", timeout=20_000)
        await expect(room).to_have_class("wall__room wall__room--full", timeout=20_000)
        await expect(room.locator("[data-of=level]")).to_contain_text("Full")

        # Killed, not stopped: nobody says goodbye. What is scanned before the board is back must be on it.
        sockets = here.sockets
        await here.crash()
        await expect(page.locator("#state")).to_have_attribute("data-live", "late", timeout=20_000)
        await expect(page.locator("#state-words")).to_contain_text("s ago")
        # A screen that hears nothing keeps what it knew, and says how old it is.
        await expect(wall.locator("#state")).to_have_attribute("data-live", "late", timeout=20_000)
        await expect(room).to_have_class("wall__room wall__room--full")
        await here.start()
        await here.scan()
        await here.scan(here.passports[here.scanned - 2].token, gate=2, way="exit")
        await shows(page, arrived="3", inside="2")
        await expect(room).not_to_have_class(re.compile("wall__room--full"), timeout=90_000)
        # A start that takes its time is met by asking first ("Live, by asking"); a socket follows when the dice say so.
        await expect(page.locator("#state-words")).to_have_text("Live", timeout=90_000)
        assert here.sockets > sockets
        await here.scan()
        await shows(page, arrived="4")
        framed = [
            frame for frame in here.frames if frame.get("topic") == checkpoints.board_topic(here.event.id)
        ]
        assert framed[-1]["data"]["arrived"] == 4
        await expect(wall.locator("#state-words")).to_have_text("Live", timeout=90_000)
        assert await never_reloaded(page) and await never_reloaded(wall)


async def test_without_sockets_it_polls_and_goes_back_where_they_come_through(
    database: Settings, tmp_path: Path
) -> None:
    async with hall(database, tmp_path) as here:
        # Told to ask, it asks: the same figures, through a crash as well.
        page = await here.open("?transport=poll")
        await here.scan()
        await shows(page, arrived="1", inside="1")
        await expect(page.locator("#state-words")).to_have_text("Live, by asking")
        # Rounds in which nothing happens are answered in a few bytes.
        await until(lambda: _both(here.asked), limit_s=90, what=lambda: here.asked)
        await here.crash()
        await here.start()
        await here.scan()
        await shows(page, arrived="2")
        assert here.sockets == 0 and here.frames == []
        assert await never_reloaded(page)
        await page.context.close()

        # A proxy that lets no WebSocket through, as venue networks have them, until it does.
        blocked = True

        async def proxy(route: WebSocketRoute) -> None:
            if blocked:
                await route.close()
            else:
                route.connect_to_server()

        page = await here.open("?names=0")
        await page.route_web_socket("**/live", proxy)
        await page.reload()
        await here.scan()
        await shows(page, arrived="3")
        await expect(page.locator("#state-words")).to_have_text("Live, by asking", timeout=40_000)
        await expect(page.locator("#latest")).to_contain_text("Attendee")
        assert "林小满" not in await page.locator("body").inner_text()
        blocked = False
        await expect(page.locator("#state-words")).to_have_text("Live", timeout=60_000)
        await here.scan()
        await shows(page, arrived="4")


async def test_without_library_or_scripts_it_says_the_same_and_fits_every_screen(
    database: Settings, tmp_path: Path
) -> None:
    async with hall(database, tmp_path) as here:
        await here.scan()

        # Without the chart library a plain picture stays, and the figures move all the same.
        context = await here.browser.new_context()
        await context.add_cookies([{"name": signin.COOKIE, "value": here.token, "url": here.base}])
        await context.route("**/uPlot*", lambda route: route.abort())
        page = await context.new_page()
        await page.goto(f"{here.base}/e/{here.event.slug}/live")
        await expect(page.locator("#chart-plain rect")).to_have_count(1)
        await here.scan(gate=1)
        await shows(page, arrived="2")
        await expect(page.locator("#chart-plain")).to_be_visible()
        assert await page.locator("#chart canvas").count() == 0
        await context.close()

        # Without scripts at all.
        await here.scan("nobody")
        context = await here.browser.new_context(java_script_enabled=False, locale="zh-CN")
        await context.add_cookies([{"name": signin.COOKIE, "value": here.token, "url": here.base}])
        page = await context.new_page()
        await page.goto(f"{here.base}/e/{here.event.slug}/live")
        await shows(page, arrived="2", refused="1")
        await expect(page.locator("#chart-plain rect").first).to_be_visible()
        await expect(page.locator("#latest")).to_contain_text("林小满")
        await expect(page.locator("#state-words")).to_contain_text("的数据")
        await context.close()

        # Nothing stands out of any screen, the full hall and the longest name included.
        for _ in range(4):
            await here.scan()
        for gate in (1, 2, 2, 2):
            await here.scan(here.passports[here.scanned].token, gate=gate)
            here.scanned += 1
        for width in (360, 390, 820, 1440, 1920):
            for locale in ("zh-Hans", "en"):
                for path in ("live", "rooms"):
                    page = await here.open(width=width, locale=locale, path=path)
                    await expect(page.locator("#state")).to_have_text(re.compile(r"^\s*(实时|Live)"))
                    wide = await page.evaluate("document.scrollingElement.scrollWidth")
                    assert wide <= width, (path, locale, width, wide)
                    await page.context.close()
