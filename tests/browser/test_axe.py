"""Every page of the house under axe-core, on a phone and on a desktop: no serious and no critical finding.

A real server on one furnished database (``scene``), Chromium, and the axe-core that setup.py installs for tests; it is
never shipped to visitors.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

import main
from agenda.cfp_desk import KINDS
from checkin.passports import holder_cookie
from kernel.settings import Settings
from tests import services
from tests.browser import scene
from tests.browser.scene import OWNER, SLUG, Scene
from tests.browser.test_door import ROOT, Server, serving
from web import signin

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        bool(os.environ.get("DATABASE_URL")), reason="pages are the same; looked at once, on SQLite"
    ),
]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
#: Pages open at once.
AT_ONCE = 3

Act = Callable[[Page], Awaitable[None]]


@dataclass(frozen=True)
class Look:
    """A page by its path, with names of the scene in braces; who looks; what is done there first."""

    path: str
    who: str = ""
    #: Whose holder's cookie the browser has.
    holder: str = ""
    act: Act | None = None
    #: A link that opens nothing, or not for this person: its page says so with 403, 404 or 410.
    is_dead: bool = False


async def send(page: Page) -> None:
    """The form as it is: its messages are part of the page."""
    async with page.expect_navigation():
        await page.locator("main form button[type=submit]").last.click()


async def enter(page: Page) -> None:
    """The one button of a link's page."""
    async with page.expect_navigation():
        await page.locator("main form button[type=submit]").first.click()


async def paste(page: Page) -> None:
    await enter(page)
    await page.locator("textarea").first.fill("赵六\tzhao@example.org\n没有邮箱的人\t\n钱七\tnot-an-address")
    async with page.expect_navigation():
        await page.locator("main form:has(textarea) button[type=submit]").first.click()


async def walk_in(page: Page) -> None:
    await page.locator("main input[name=name]").fill("走进来的人")
    await send(page)


def desk(*paths: str, act: Act | None = None) -> list[Look]:
    return [Look(f"/e/{SLUG}{path}", OWNER, act=act) for path in paths]


def public(*paths: str, act: Act | None = None, is_dead: bool = False) -> list[Look]:
    return [Look(f"/e/{SLUG}{path}", act=act, is_dead=is_dead) for path in paths]


#: The lists of a call's settings.
CALL_LISTS = tuple(KINDS)

LOOKS: list[Look] = [
    # people
    *[Look(path) for path in ("/sign-in", "/", "/?q=nothing", "/series/open-days")],
    *[Look(path, is_dead=True) for path in ("/sign-in/link", "/nowhere")],
    Look("/sign-in", act=send),
    *[
        Look(path, OWNER)
        for path in ("/account", "/account/tokens/new", "/account/data", "/account/erasure", "/outbox")
    ],
    Look("/account/tokens/new", OWNER, act=send),
    Look("/account/erasure", OWNER, act=send),
    Look("/events/new", OWNER, act=send),
    Look("/events/new/meetup", OWNER, act=send),
    # for everybody
    *public(
        "", "/p/travel", "/privacy", "/register", "/register?code=SPEAKER2026", "/register/group", "/agenda"
    ),
    *public("/register", "/register/group", act=send),
    *public("/group?key={group_key}", act=enter),
    *public("/partner?key={partner_key}", act=paste),
    *public("/me"),
    *public("/group?key=1-x", "/partner?key=1-x", "/me?key=1-x", "/claim?key=1-2-x", is_dead=True),
    *public("/transfer?key=1-x", is_dead=True),
    *public("/transfer?key={giver_key}", "/transfer?key={taker_key}"),
    *[Look("/invitation?key={invitation_key}", who) for who in ("", "guest@example.org")],
    Look("/invitation?key={invitation_key}", OWNER, is_dead=True),
    # the holder, in every state
    *[
        Look(f"/e/{SLUG}/me/{{{who}}}", holder=who)
        for who in (
            "traveller",
            "english",
            "giver",
            "gone",
            "maker1",
            "student0",
            "waiting0",
            "waiting1",
            "walker",
        )
    ],
    *[
        Look(f"/e/{SLUG}/me/{{traveller}}{path}", holder="traveller")
        for path in ("/change", "/cancel", "/transfer", "/data", "/erasure", "/print")
    ],
    *[
        Look(f"/e/{SLUG}/me/{{traveller}}{path}", holder="traveller", act=send)
        for path in ("/change", "/transfer", "/erasure")
    ],
    # the call for proposals
    *public("/cfp", "/cfp/new"),
    *desk("/cfp/new", "/cfp/own", "/desk/proposals", "/desk/agenda/import", "/desk/cfp"),
    *desk(*(f"/desk/cfp/{kind}" for kind in CALL_LISTS), *(f"/desk/cfp/{kind}/new" for kind in CALL_LISTS)),
    *desk("/desk/cfp", *(f"/desk/cfp/{kind}/new" for kind in CALL_LISTS), act=send),
    # the door
    *desk("/walk-in", "/scan", "/live", "/live/conflicts", "/live/conflicts?show=all", "/live/rehearsal"),
    *desk(
        "/live/lanes", "/live/scans", "/live/scans?what=came", "/live/scans?day=2001-01-01", "/live?names=0"
    ),
    *public(
        "/rooms", "/rooms/{hall}", "/rooms/{corner}", "/wall", "/pair", "/scanner", "/phone-test/{phone_test}"
    ),
    Look("/p?token={token}", OWNER),
    Look("/p?token={token}"),
    *desk("/desk/devices", "/desk/devices/pairings", "/desk/devices/{device}", "/desk/devices/{revoked}"),
    *desk("/desk/devices/pairings/{sheet}", "/desk/devices/kept-apart", "/desk/devices/tests"),
    *desk("/desk/badges", "/desk/stations", "/desk/stations/new", "/desk/stations/{station}"),
    *desk("/desk/station/{station}", "/desk/rooms", "/desk/rooms/{hall}", "/desk/rooms/{corner}"),
    *desk("/desk/sign-in-list", "/desk/sign-in-list/enter", "/desk/checkpoints/{north}"),
    *desk("/desk/devices/pairings", "/desk/stations/new", act=send),
    *desk("/walk-in", act=walk_in),
    # the desk
    *desk(
        "/desk", "/desk/registrations", "/desk/registrations/{traveller}", "/desk/registrations/{student0}"
    ),
    *desk("/desk/registrations/{traveller}/change", "/desk/registrations/{traveller}/answers"),
    *desk("/desk/registrations/{traveller}/erasure", "/desk/approvals", "/desk/waiting-list", "/desk/merge"),
    *desk("/desk/merge/{twice}/{again}", "/desk/transfers", "/desk/imports", "/desk/export"),
    *desk("/desk/ticket-types", "/desk/ticket-types/{workshop}", "/desk/shared-quotas"),
    *desk("/desk/shared-quotas/{shared_quota}", "/desk/access-codes", "/desk/access-codes/{access_code}"),
    *desk("/desk/access-codes/many", "/desk/form", "/desk/form/questions/{question}"),
    *desk(
        "/desk/form/consents/{consent}",
        "/desk/partners",
        "/desk/partners/{link}",
        "/desk/partners/{link}/change",
    ),
    *desk("/desk/sites", "/desk/sites/{site}", "/desk/pages", "/desk/pages/{page}", "/desk/places"),
    *desk("/desk/checkpoints", "/desk/team", "/desk/ownership", "/desk/journal", "/desk/outbox"),
    *desk(
        "/desk/reminders/7",
        "/desk/statistics",
        "/desk/settings",
        "/desk/modules",
        "/desk/series",
        "/desk/copy",
    ),
    *desk("/desk/arrivals"),
    *desk("/desk/registrations/new", "/desk/ticket-types/new", "/desk/shared-quotas/new", act=send),
    *desk("/desk/access-codes/new", "/desk/form/questions/new", "/desk/form/consents/new", act=send),
    *desk("/desk/partners/new", "/desk/sites/new", "/desk/pages/new", "/desk/places/new", act=send),
    *desk("/desk/checkpoints/new", "/desk/copy", act=send),
]


async def findings(
    browser: Browser, server: Server, here: Scene, look: Look, size: ViewportSize
) -> list[str]:
    """Serious and critical violations of one page; phones read Chinese, desktops English."""
    is_phone = size is PHONE
    context = await browser.new_context(
        viewport=size, locale="zh-CN" if is_phone else "en-GB", has_touch=is_phone, reduced_motion="reduce"
    )
    cookies: dict[str, str] = {}
    if look.who:
        cookies[signin.COOKIE] = here.tokens[look.who]
    if look.holder:
        cookies[holder_cookie(here.people[look.holder])] = scene.key_of(here, look.holder)
    await context.add_cookies(
        [{"name": name, "value": cookies[name], "url": server.base} for name in cookies]
    )
    page = await context.new_page()
    answers: list[int] = []
    page.on(
        "response",
        lambda answer: answers.append(answer.status) if answer.request.is_navigation_request() else None,
    )
    path = look.path.format(**here.names, **here.types, **here.people)
    try:
        await page.goto(server.base + path)
        if look.act:
            await look.act(page)
        await page.wait_for_load_state("load")
        # A refusal would pass as well as the page that was meant.
        if not set(answers) <= ({403, 404, 410} if look.is_dead else {200, 303, 422}):
            return [f"{path}: answers {answers}"]
        # Playwright's evaluation is not bound by the page's content security policy.
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        result: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    finally:
        await context.close()
    return [
        f"{path} ({size['width']} px, {look.act.__name__ if look.act else 'as it is'}): {one['impact']} {one['id']}: "
        f"{node['html'][:200]} {node['failureSummary'][:300]}"
        for one in result["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]


async def test_no_page_shuts_anybody_out(database: Settings, tmp_path: Path) -> None:
    """Contrast, names of fields and buttons, headings, landmarks, targets: axe-core's rules, on each page twice."""
    main.wire(database)
    main.create_app(database, workers=False)
    here = await scene.furnish(datetime.now(UTC))
    async with serving(database, tmp_path) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=services.chromium(), args=["--no-sandbox"])
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(look: Look, size: ViewportSize) -> list[str]:
            async with turns:
                return await findings(browser, server, here, look, size)

        found = await asyncio.gather(*(one(look, size) for look in LOOKS for size in (PHONE, DESKTOP)))
        await browser.close()
    said = [line for lines in found for line in lines]
    assert not said, "\n".join(said)
