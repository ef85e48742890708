"""The story after a conference: somebody who came wants to be forgotten, the page shows what is held, and afterwards
nothing does. Then an event is copied to become this year's.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

import main
from checkin.passports import holder_cookie
from events import registrations
from events.models import Registration, TicketType
from events.rules import Contact, RegistrationSource
from kernel import db
from kernel.settings import Settings
from tests.browser.copying import last_years_event_becomes_this_years
from tests.browser.test_door import PHONE, Evidence, chromium, conference, serving, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

NAME, EMAIL, PHONE_NUMBER = "欧阳震华", "ouyang@secret.example", "+8613911112222"


async def test_a_person_sees_takes_along_and_erases(database: Settings, tmp_path: Path) -> None:
    event, _gate, _volunteer, organiser = await conference()
    main.create_app(database, workers=False)  # connects the floors in this process, too
    kind = await TicketType.get()
    number = await registrations.register(
        event_id=event.id,
        ticket_type_id=kind.id,
        contact=Contact(name=NAME, email=EMAIL, phone=PHONE_NUMBER),
        source=RegistrationSource.ORGANISER,
        locale="zh-Hans",
        at=datetime.now(UTC),
    )
    seen = Evidence()
    async with (
        serving(database, tmp_path) as server,
        async_playwright() as playwright,
        chromium(playwright) as browser,
    ):
        phone = await browser.new_context(viewport=PHONE, locale="zh-CN", has_touch=True, is_mobile=True)
        row = await Registration.get(id=number)
        await phone.add_cookies(
            [
                {
                    "name": holder_cookie(number),
                    "value": registrations.secret_of(number, row.secret_round),
                    "url": server.base,
                }
            ]
        )
        page = await phone.new_page()
        seen.watch(page)
        await page.goto(f"{server.base}/e/{event.slug}/me/{number}")
        await page.get_by_role("link", name="我的数据").tap()
        await expect(page.locator("main")).to_contain_text(PHONE_NUMBER)
        async with page.expect_download() as loading:
            await page.get_by_role("link", name="导出带走").tap()
        file = await (await loading.value).path()
        held = json.loads(await asyncio.to_thread(Path(file).read_text, encoding="utf-8"))
        assert held["registrations"][0]["email"] == EMAIL

        await page.get_by_role("link", name="删除…").tap()
        await page.get_by_role("button", name="删除").tap()
        await expect(page.locator(".error-summary, [role=alert]").first).to_be_visible()
        await page.get_by_label("是的，全部删除").check()
        await page.get_by_role("button", name="删除").tap()
        await expect(page.locator("h1")).to_have_text("已删除")
        assert NAME not in await page.content()
        answer = await page.goto(f"{server.base}/e/{event.slug}/me/{number}")
        assert answer is not None and NAME not in await page.content()

        # The organiser's list still counts, and names nobody.
        desk = await signed_in(
            browser, server, organiser, viewport={"width": 1440, "height": 900}, locale="en"
        )
        board = await desk.new_page()
        seen.watch(board)
        await board.goto(f"{server.base}/e/{event.slug}/desk/registrations")
        listed = await board.content()
        assert NAME not in listed and EMAIL not in listed
        assert f"/desk/registrations/{number}" in listed
        await last_years_event_becomes_this_years(server, browser)
    rows = await db.query("SELECT name, email, phone FROM registration WHERE id = $1", number)
    assert [tuple(row.values()) for row in rows] == [("", "", "")]
