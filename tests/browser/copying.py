"""A part of a story: last year's conference is copied to this year's date, looked through, published, and seen by a visitor.

An organiser's desktop in English, and a visitor who knows nothing of it; ``test_privacy`` tells it after its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.async_api import Browser, ViewportSize

from people import accounts
from tests.browser.test_door import Server
from tests.factories import (
    NOW,
    make_account,
    make_checkpoint,
    make_event,
    make_place,
    make_registration,
    make_role,
    make_ticket_type,
)
from web import signin

DESKTOP: ViewportSize = {"width": 1440, "height": 900}


async def last_years_event_becomes_this_years(server: Server, browser: Browser) -> None:
    first_day = datetime.now(UTC).date() + timedelta(days=60)
    old = await make_event("coscon-2023", city={"en": "Chengdu"})
    general = await make_ticket_type(old, "general", quota=500, taken=1)
    await make_registration(old, general, name="Last year's guest")
    hall = await make_place(old, "hall", kind="venue", name={"en": "Great hall"})
    await make_checkpoint(
        old, name={"en": "North gate"}, place_id=hall.id, windows=[(NOW, NOW + timedelta(hours=8))]
    )
    organiser = await make_account("organiser@example.org", name="Lin")
    await make_role(old, organiser, "organiser")
    desk = await browser.new_context(viewport=DESKTOP, locale="en-GB")
    token = await accounts.open_sign_in(account_id=organiser.id, user_agent="test", at=datetime.now(UTC))
    await desk.add_cookies([{"name": signin.COOKIE, "value": token, "url": server.base}])
    page = await desk.new_page()
    await page.goto(f"{server.base}/e/coscon-2023/desk")
    await page.get_by_role("navigation", name="Organising").get_by_role("link", name="Event settings").click()
    await page.get_by_role("link", name="Copy", exact=True).click()

    # An alias in use is said at its field, and nothing typed is lost.
    await page.locator('[name="name.en"]').fill("COSCon of this year")
    await page.locator('[name="slug"]').fill("coscon-2023")
    await page.locator('[name="starts_on"]').fill(first_day.isoformat())
    await page.get_by_role("button", name="Make the copy").click()
    await page.locator("#f-slug-error").wait_for()
    assert await page.locator('[name="name.en"]').input_value() == "COSCon of this year"
    await page.locator('[name="slug"]').fill("coscon-next")
    await page.get_by_role("button", name="Make the copy").click()
    await page.wait_for_url(f"{server.base}/e/coscon-next/desk?done=copied")

    # Ticket types with nobody in them, places, and gates that open on the new day at the old hour.
    menu = page.get_by_role("navigation", name="Organising")
    await menu.get_by_role("link", name="Ticket types").click()
    await page.get_by_role("link", name="Attendee").first.wait_for()
    assert "0 / 500" in await page.locator("main").inner_text()
    await menu.get_by_role("link", name="Registrations").click()
    assert await page.get_by_text("Last year's guest").count() == 0
    await menu.get_by_role("link", name="Places").click()
    await page.get_by_role("link", name="Great hall", exact=True).wait_for()
    await menu.get_by_role("link", name="Checkpoints").click()
    await page.get_by_role("link", name="North gate").click()
    windows = await page.locator('[name="windows"]').input_value()
    assert windows == f"{first_day.isoformat()} 09:30 - 17:30"

    # A visitor sees it only once it is published.
    visitor = await (await browser.new_context(viewport=DESKTOP, locale="en-GB")).new_page()
    await visitor.goto(server.base)
    assert await visitor.get_by_text("COSCon of this year").count() == 0
    await menu.get_by_role("link", name="Event settings").click()
    await page.get_by_role("button", name="Publish").click()
    await page.get_by_text("Published: everybody can see the event now.").wait_for()
    await visitor.reload()
    await visitor.get_by_role("link", name="COSCon of this year").click()
    await visitor.get_by_role("link", name="Register").wait_for()
    assert visitor.url == f"{server.base}/e/coscon-next"
    assert "Chengdu" in await visitor.locator("main").inner_text()
