"""From a first idea to a confirmed speaker, on a phone in Chinese and at a desk in English: a real server, real letters.

Two people submit, their co-speakers join, three reviewers score both, the chair decides in one go, reads the letters
and sends them, and both confirm. What is read by people stands in their own language; forms are filled by field.
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from agenda import assignments, calls, review_setup
from agenda.calls import CallDetails
from agenda.models import Proposal, Review, ReviewPhase, SessionType
from agenda.proposal_rules import ProposalState
from events.models import Event
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
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
from tests.factories import make_account, make_event, make_role

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
DESKTOP = {"width": 1440, "height": 900}


@dataclass(frozen=True)
class Author:
    """Somebody with an idea, what they type, and what the house says to them."""

    tag: str
    email: str
    along: str
    title: str
    name: str
    context: dict[str, object]
    accepted: str


LIN = Author(
    "zh-Hans",
    "lin@example.org",
    "wang@example.org",
    "从一个人的仓库到一百个维护者",
    "林小满",
    {"viewport": PHONE, "locale": "zh-CN", "is_mobile": True, "has_touch": True},
    "已录用",
)
GRACE = Author(
    "en",
    "grace@example.org",
    "alan@example.org",
    "What a maintainer does on a bad day",
    "Grace Okafor",
    {"viewport": DESKTOP, "locale": "en-GB"},
    "Accepted",
)


def _words(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def _letter(mailbox: Mailbox, to: str, about: str) -> str:
    """The words of the letter to somebody whose subject or text says something, when it has come."""

    async def found() -> EmailMessage | None:
        mine = (one for one in mailbox.letters if one["to"] == to)
        return next((one for one in mine if about in f"{one['subject']}\n{_words(one)}"), None)

    letter: EmailMessage = await until(
        found, what=lambda: [(str(one["to"]), str(one["subject"])) for one in mailbox.letters]
    )
    return _words(letter)


async def _prove(page: Page, mailbox: Mailbox, email: str) -> None:
    """Through the sign-in page with the code of the letter."""
    seen = len([one for one in mailbox.letters if one["to"] == email])
    await page.locator("main [name=email]").fill(email)
    await page.locator("main form:has([name=email]) button[type=submit]").first.click()
    box = page.locator("main [name=code]")
    await box.wait_for()

    async def newest() -> EmailMessage | None:
        mine = [one for one in mailbox.letters if one["to"] == email]
        return mine[-1] if len(mine) > seen else None

    found = re.search(r"\b\d{6}\b", _words(await until(newest)))
    assert found
    await box.fill(found[0])
    await page.locator("main form:has([name=code]) button[type=submit]").first.click()


async def _submit(page: Page, server: Server, event: Event, mailbox: Mailbox, who: Author) -> None:
    """Typed before signing in, once refused for what is missing, and handed in."""
    await page.goto(f"{server.base}/e/{event.slug}/cfp")
    await page.locator(f"main a[href*='/e/{event.slug}/cfp/new']").first.click()
    form = page.locator("form[data-proposal]")
    await form.locator(f"[name='title.{who.tag}']").fill(who.title)
    kind = await SessionType.get(event_id=event.id, code="talk")
    await form.locator(f"[name=session_type][value='{kind.id}']").check()
    await form.locator("[name=co_speakers]").fill(who.along)
    await form.locator("button[name=submit]").click()
    await page.wait_for_url(re.compile("/sign-in"))
    await _prove(page, mailbox, who.email)
    await page.wait_for_url(re.compile(rf"/e/{event.slug}/cfp"))
    form = page.locator("form[data-proposal]")
    assert await form.locator(f"[name='title.{who.tag}']").input_value() == who.title
    await form.locator("button[name=submit]").click()
    await page.locator(".error-summary").wait_for()
    assert await form.locator(f"[name='title.{who.tag}']").input_value() == who.title
    await form.locator(f"[name='abstract.{who.tag}']").fill(who.title * 3)
    await form.locator("[name=language]").select_option(who.tag)
    await form.locator(f"[name='name.{who.tag}']").fill(who.name)
    await form.locator(f"[name='bio.{who.tag}']").fill(who.name)
    for name in ("allows_slides", "allows_photo", "allows_video"):
        await form.locator(f"[name={name}][value=yes]").check()
    await form.locator("button[name=submit]").click()
    await page.wait_for_url(re.compile(rf"/e/{event.slug}/cfp/p/[A-Z0-9]{{6}}(\?|$)"))
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url


async def _join(browser: Browser, server: Server, mailbox: Mailbox, who: Author, seen: Evidence) -> None:
    words = await _letter(mailbox, who.along, who.title)
    link = re.search(r"http://\S+/cfp/join\S+", words)
    assert link, words
    context = await browser.new_context(**who.context)  # type: ignore[arg-type]
    page = await context.new_page()
    seen.watch(page)
    await page.goto(link[0])
    await page.locator("main .actions a[href*='/sign-in']").click()
    await _prove(page, mailbox, who.along)
    joining = page.locator("form[action$='/cfp/join'] button[type=submit]").first
    await joining.click()
    await page.locator("h1", has_text=who.title).wait_for()
    await context.close()


async def _review(context: BrowserContext, server: Server, event: Event, points: int, seen: Evidence) -> None:
    """Everything that there is to review, one after the other, until the list says that it is done."""
    page = await context.new_page()
    seen.watch(page)
    await page.goto(f"{server.base}/e/{event.slug}/desk/review")
    await page.locator("main a[href*='/desk/review/']").first.click()
    for _ in range(2):
        form = page.locator("form:has([name=reason])")
        await form.wait_for()
        told = await page.locator("main").inner_text()
        assert LIN.name not in told and GRACE.name not in told, "names are hidden in this phase"
        rows = form.locator("fieldset.points")
        assert await rows.count() >= 5
        for index in range(await rows.count()):
            await rows.nth(index).locator(f"input[value='{points}']").check(force=True)
        await form.locator("[name=reason]").fill("有真实案例，讲得清楚。" if points > 3 else "Too short.")
        before = page.url
        await form.locator("button[name=next]").click()
        await page.wait_for_function("old => location.href !== old", arg=before)
    await page.close()


async def _decide(page: Page, server: Server, event: Event) -> None:
    """Both accepted at once on the board, released together; nobody is told by that."""
    await page.goto(f"{server.base}/e/{event.slug}/desk/review-board")
    boxes = page.locator("input[name=chosen]")
    assert await boxes.count() == 2
    for index in range(2):
        await boxes.nth(index).check()
    await page.locator("button[name=action][value='decide:accepted']").click()

    async def are_pending() -> bool:
        return await Proposal.filter(event_id=event.id, pending_state="accepted").count() == 2

    await until(are_pending, what=lambda: page.url)
    await page.goto(f"{server.base}/e/{event.slug}/desk/decisions")
    await page.locator("main form:has([name=seen]) button").click()

    async def are_accepted() -> bool:
        return await Proposal.filter(event_id=event.id, state=ProposalState.ACCEPTED).count() == 2

    await until(are_accepted, what=lambda: page.url)


async def _send(page: Page, server: Server, event: Event) -> None:
    """One letter is read and changed in the outbox, then all leave."""
    await page.goto(f"{server.base}/e/{event.slug}/desk/letters?state=drafted")
    lines = page.locator("main .row__title a")
    assert await lines.count() == 4, "two speakers each"
    await page.locator("main .row", has_text=LIN.email).locator("a").first.click()
    text = page.locator("[name=text]")
    assert LIN.title in await text.input_value()
    await text.fill(await text.input_value() + "\n期待在成都见到你！\n")
    await page.locator("form:has([name=text]) button[type=submit]").first.click()
    await page.wait_for_load_state()
    await page.goto(f"{server.base}/e/{event.slug}/desk/letters?state=drafted")
    sending = page.locator("details:has(button[value=send])")
    await sending.locator("summary").click()
    await sending.locator("button[value=send]").click()
    await page.wait_for_load_state()


async def _confirm(page: Page, server: Server, event: Event, who: Author) -> None:
    await page.goto(f"{server.base}/e/{event.slug}/cfp/own")
    await page.locator("main a", has_text=who.title).first.click()
    await page.locator("form[action$='/confirmation'] button").first.click()

    async def is_confirmed() -> bool:
        code = page.url.partition("?")[0].rpartition("/")[2]
        return await Proposal.filter(event_id=event.id, code=code, state=ProposalState.CONFIRMED).exists()

    await until(is_confirmed, what=lambda: page.url)
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url


async def _house() -> tuple[Event, int, list[int]]:
    """An event with an open call and a review that hides names; its chair's and reviewers' accounts."""
    day = (NOW + 60 * DAY).date()
    event = await make_event("coscon26", starts_on=day, ends_on=day + DAY)
    details = CallDetails(
        is_published=True,
        opens_at=NOW - DAY,
        closes_at=NOW + 5 * DAY,
        intro=LocalizedText({"zh-Hans": "欢迎投稿", "en": "Tell us"}),
    )
    await calls.set_up(actor=SYSTEM, event_id=event.id, details=details, at=NOW)
    chair = await make_account("chair@example.org", name="陈主席")
    await make_role(event, chair, "programme_chair")
    reviewers = [await make_account(f"reviewer{n}@example.org", name=f"评审{n}") for n in range(3)]
    for one in reviewers:
        await make_role(event, one, "reviewer")
    return event, chair.id, [one.id for one in reviewers]


async def _give_out(event: Event, reviewers: list[int]) -> None:
    """The review begins: its usual criteria, names hidden, both proposals to all three."""
    await review_setup.set_up(actor=SYSTEM, event_id=event.id, at=NOW)
    async with unit_of_work():
        await ReviewPhase.filter(event_id=event.id, position=1).update(starts_at=None, ends_at=None)
    ids = [row.id for row in await Proposal.filter(event_id=event.id)]
    pairs = [(number, account) for number in ids for account in reviewers]
    outcome = await assignments.give(actor=SYSTEM, event_id=event.id, pairs=pairs, at=NOW)
    assert outcome.added == 6


async def test_from_an_idea_to_a_confirmed_speaker(database: Settings, tmp_path: Path) -> None:
    event, chair, reviewers = await _house()
    seen = Evidence()
    async with AsyncExitStack() as stack:
        mailbox, smtp_url = stack.enter_context(mail())
        server = await stack.enter_async_context(serving(database, tmp_path, smtp_url=smtp_url))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await stack.enter_async_context(chromium(playwright))
        pages = {}
        for who in (LIN, GRACE):
            context = await browser.new_context(**who.context)  # type: ignore[arg-type]
            pages[who.tag] = await context.new_page()
            seen.watch(pages[who.tag])
            await _submit(pages[who.tag], server, event, mailbox, who)
            await _join(browser, server, mailbox, who, seen)
        await _give_out(event, reviewers)
        for account, points in zip(reviewers, (5, 4, 2), strict=True):
            context = await signed_in(browser, server, account, **LIN.context)
            await _review(context, server, event, points, seen)
            await context.close()
        assert await Review.all().count() == 6
        context = await signed_in(browser, server, chair, viewport=DESKTOP, locale="en-GB")
        desk = await context.new_page()
        seen.watch(desk)
        await _decide(desk, server, event)
        assert not [
            one for one in mailbox.letters if "accepted" in _words(one) or LIN.accepted in _words(one)
        ]
        await _send(desk, server, event)
        for who in (LIN, GRACE):
            for address in (who.email, who.along):
                assert who.title in await _letter(mailbox, address, who.accepted)
            await _confirm(pages[who.tag], server, event, who)
        assert "期待在成都见到你" in await _letter(mailbox, LIN.email, LIN.accepted)
        told = [str(one["to"]) for one in mailbox.letters if "期待在成都见到你" in _words(one)]
        assert told == [LIN.email]
    # A form that was refused answers 422, which the browser's console says as an error.
    assert [one for one in seen.errors if "422" not in one] == []
