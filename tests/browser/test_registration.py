"""The story of a place: taken, given back, offered to who waits, handed on, and only the last code opens the door.

A real server, real letters over SMTP, a browser for each person; the scanner's answers come from its own API.
"""

from __future__ import annotations

import re
import uuid
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from checkin.models import Passport
from events.models import Event, Registration, TicketType
from kernel.settings import Settings
from tests.browser.test_door import (
    PHONE,
    Evidence,
    Mailbox,
    Server,
    chromium,
    mail,
    serving,
    signed_in,
    until,
)
from tests.factories import make_account, make_checkpoint, make_event, make_role, make_ticket_type

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


async def _letter(mailbox: Mailbox, to: str, subject: str) -> str:
    """The words of the letter to somebody, when it has come."""

    async def found() -> EmailMessage | None:
        return next(
            (one for one in mailbox.letters if one["to"] == to and subject in str(one["subject"])), None
        )

    letter: EmailMessage = await until(found, what=lambda: [str(one["subject"]) for one in mailbox.letters])
    words = letter.get_body(("plain",))
    assert words is not None
    return str(words.get_content())


def _link(words: str, path: str) -> str:
    found = re.search(rf"http://\S+{path}\?key=\S+", words)
    assert found, words
    return found[0]


async def _phone(browser: Browser, seen: Evidence) -> tuple[BrowserContext, Page]:
    context = await browser.new_context(viewport=PHONE, locale="zh-CN", has_touch=True, is_mobile=True)
    page = await context.new_page()
    seen.watch(page)
    return context, page


async def _register(page: Page, server: Server, event: Event, name: str, email: str) -> str:
    """Through the public form to the own page; gives its address."""
    await page.goto(f"{server.base}/e/{event.slug}/register")
    await page.get_by_label("姓名").fill(name)
    await page.locator("[name=email]").fill(email)
    choice = page.locator("[name=ticket_type]").first
    if not await choice.is_checked():
        await choice.check()
    await page.get_by_role("main").get_by_role("button", name="报名").last.click()
    own = re.compile(rf"/e/{event.slug}/me/\d+$")
    await page.wait_for_url(re.compile(rf"/e/{event.slug}/(me/\d+$|registered)"))
    if not own.search(page.url):
        await page.locator("main a[href*='/me/']").click()
        await page.wait_for_url(own)
    return page.url


async def _verdict(scanner: BrowserContext, server: Server, event: Event, gate: int, code: str) -> str:
    body = {"scan_id": str(uuid.uuid4()), "code": code, "checkpoint": gate}
    answer = await scanner.request.post(
        f"{server.base}/e/{event.slug}/api/scans", data=body, headers={"sec-fetch-site": "same-origin"}
    )
    assert answer.status == 200
    return str((await answer.json())["verdict"])


async def _conference() -> tuple[Event, TicketType, int, int]:
    """An event with one place; its gate and the volunteer's account."""
    day = datetime.now(UTC).date() + timedelta(days=20)
    event = await make_event("coscon23", starts_on=day, ends_on=day)
    kind = await make_ticket_type(event, "general", quota=1, has_waitlist=True, is_public=True)
    gate, volunteer = await make_checkpoint(event), await make_account()
    await make_role(event, volunteer, "scanner")
    return event, kind, gate.id, volunteer.id


async def test_a_place_is_given_back_offered_and_handed_on(database: Settings, tmp_path: Path) -> None:
    event, kind, gate, volunteer = await _conference()
    seen = Evidence()
    async with AsyncExitStack() as stack:
        mailbox, smtp_url = stack.enter_context(mail())
        server = await stack.enter_async_context(serving(database, tmp_path, smtp_url=smtp_url))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await stack.enter_async_context(chromium(playwright))
        scanner = await signed_in(browser, server, volunteer)

        # A takes the only place, B waits.
        _, first = await _phone(browser, seen)
        own = await _register(first, server, event, "林小满", "a@example.org")
        await first.locator(".code-panel img").wait_for()
        _, second = await _phone(browser, seen)
        waits = await _register(second, server, event, "陈等等", "b@example.org")
        assert "候补" in await second.locator("main").inner_text()
        assert await second.locator(".code-panel").count() == 0

        # A gives it back on the own page, and B has a letter.
        await first.goto(own)
        await first.get_by_role("link", name="取消我的报名").click()
        await first.get_by_role("main").get_by_role("button", name="取消我的报名").click()
        await first.wait_for_url(re.compile(r"done=cancelled"))
        assert await first.locator(".code-panel").count() == 0
        words = await _letter(mailbox, "b@example.org", "名额")
        _, fresh = await _phone(browser, seen)
        await fresh.goto(_link(words, "/me"))
        await fresh.get_by_role("button", name="EN").click()
        await fresh.get_by_role("button", name="中文").click()
        await fresh.get_by_role("button", name="打开我的护照").click()
        await fresh.wait_for_url(waits)
        await fresh.get_by_role("button", name="接受名额").click()
        await fresh.wait_for_url(re.compile(r"done=accepted"))
        await fresh.locator(".code-panel img").wait_for()
        row = await Registration.get(email="b@example.org")
        old = await Passport.get(registration_id=row.id)
        assert (await TicketType.get(id=kind.id)).taken == 1 and row.state == "confirmed"

        # B hands it on to C: both say yes, each by the link in their own letter.
        await fresh.get_by_role("link", name="转让给别人").click()
        await fresh.get_by_label("对方姓名").fill("王接手")
        await fresh.get_by_label("对方邮箱").fill("c@example.org")
        await fresh.get_by_role("button", name="转让给这个人").click()
        await fresh.get_by_role("heading", name="正在转让给王接手").wait_for()
        assert not [one for one in mailbox.letters if one["to"] == "c@example.org"]
        await fresh.goto(_link(await _letter(mailbox, "b@example.org", "转让"), "/transfer"))
        await fresh.get_by_role("button", name="确认转让").click()
        _, third = await _phone(browser, seen)
        await third.goto(_link(await _letter(mailbox, "c@example.org", "转让"), "/transfer"))
        assert await third.get_by_label("姓名").input_value() == "王接手"
        await third.locator("[name=organisation]").fill("木兰社区")
        await third.get_by_role("button", name="接手名额").click()
        await third.wait_for_url(waits)
        await third.locator(".code-panel img").wait_for()
        assert await third.locator("h1").inner_text() == "王接手"

        # At the door B's code is a replaced one, C's is let in; B's phone opens nothing any more.
        new = await Passport.get(registration_id=row.id)
        assert new.id == old.id
        said = [await _verdict(scanner, server, event, gate, code) for code in (old.token, new.token)]
        assert said == ["revoked", "admitted"]
        await fresh.goto(waits)
        assert "/sign-in" in fresh.url
        assert _link(await _letter(mailbox, "c@example.org", "报名成功"), "/me")
    assert seen.errors == []
