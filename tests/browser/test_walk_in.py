"""The story: a visitor without a registration; the volunteer's tablet, the visitor's phone, and one more inside.

The volunteer types a name and presses Enter; the phone scans the very picture that the tablet shows.
"""

from __future__ import annotations

import io
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page, async_playwright

from checkin.models import Arrival, Passport, Scan
from events.models import Registration, TicketType
from kernel.db import unit_of_work
from kernel.settings import Settings
from tests.browser.test_door import PHONE, Evidence, chromium, conference, serving, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

TABLET = {"width": 820, "height": 1180}
NAME = "林小满"


async def read_code(page: Page) -> str:
    """What a phone's camera reads off this screen."""
    await page.locator(".code-panel img").evaluate("img => img.decode()")
    shot = Image.open(io.BytesIO(await page.screenshot()))
    [found] = zxingcpp.read_barcodes(shot)
    return found.text


async def test_a_visitor_is_registered_takes_the_passport_along_and_is_inside(
    database: Settings, tmp_path: Path
) -> None:
    event, gate, volunteer, _organiser = await conference()
    async with unit_of_work():
        await TicketType.all().update(is_walk_in=True)
    seen = Evidence()
    async with (
        serving(database, tmp_path) as server,
        async_playwright() as playwright,
        chromium(playwright) as browser,
    ):
        desk = await signed_in(browser, server, volunteer, viewport=TABLET, locale="zh-CN")
        tablet = await desk.new_page()
        seen.watch(tablet)
        await tablet.goto(f"{server.base}/e/{event.slug}/walk-in")
        began = time.monotonic()
        # The name's field has the focus already, and the one ticket type is chosen.
        await tablet.wait_for_selector("[name=name]:focus")
        await tablet.keyboard.type(NAME)
        await tablet.keyboard.press("Enter")
        await tablet.wait_for_selector(".code-panel img")
        registered = time.monotonic()
        address = await read_code(tablet)

        phone = await browser.new_context(viewport=PHONE, locale="zh-CN", has_touch=True, is_mobile=True)
        page = await phone.new_page()
        seen.watch(page)
        assert address.startswith(f"{server.base}/e/{event.slug}/claim?key=")
        await page.goto(address)
        assert NAME in await page.locator("h1").inner_text()
        await page.locator("main button").tap()
        await page.wait_for_selector(".passport .code-panel img")
        taken = time.monotonic()
        row, passport = await Registration.get(), await Passport.get()
        assert urlsplit(page.url).path == f"/e/{event.slug}/me/{row.id}"
        assert NAME in await page.locator("h1").inner_text()
        assert passport.token not in address

        # The only checkpoint's button has the focus: Enter admits, and Enter again goes on to the next visitor.
        await tablet.wait_for_selector("main button:focus")
        await tablet.keyboard.press("Enter")
        await tablet.wait_for_selector("[data-tone=go]")
        admitted = time.monotonic()
        scan = await Scan.get()
        assert (scan.verdict, scan.checkpoint_id, scan.passport_id) == ("admitted", gate.id, passport.id)
        assert await Arrival.all().count() == 1
        await tablet.wait_for_selector(":is(main a, main button):focus")
        await tablet.keyboard.press("Enter")
        await tablet.wait_for_url(f"{server.base}/e/{event.slug}/walk-in")
        await tablet.wait_for_selector("[name=name]:focus")

        stranger = await (await browser.new_context()).new_page()
        await stranger.goto(address)
        await stranger.locator("main button").click()
        assert await stranger.locator("main form").count() == 0
        assert seen.errors == []
    print(  # noqa: T201 -- a figure for docs, nothing that a busy machine may fail
        f"walk-in: registered after {registered - began:.1f} s, on the phone after {taken - began:.1f} s, "
        f"inside after {admitted - began:.1f} s"
    )
