"""Signing in through a provider on a phone, in Chinese: a real server, a real provider process, a real browser.

OpenID Connect opens the account at once; the GitHub- and Gitee-shaped ones bring no address that anybody vouches for,
so one is proved by the code in a mail. Then all three stand on the account page, and one is parted.
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from kernel.settings import Settings
from people.models import Account, Identity, SignIn
from tests import providers, services
from tests.browser.test_door import PHONE, Evidence, Mailbox, Server, chromium, mail, serving, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
EMAIL = "lin@example.org"


@contextmanager
def provider_process(folder: Path) -> Iterator[str]:
    """The fake providers as a process of their own, on a port of loopback."""
    port = services.free_port()
    # -P: beside that file lies a folder called http.
    command = [sys.executable, "-P", str(ROOT / "tests" / "providers.py"), str(port)]
    folder.mkdir()
    server = services.Server("provider", command, port=port, folder=folder)
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


def settings_of(far: str) -> dict[str, str]:
    keys = {"CLIENT_ID": providers.CLIENT_ID, "CLIENT_SECRET": providers.CLIENT_SECRET}
    found = {
        "HUIWU_PROVIDERS": "authing,github,gitee",
        "HUIWU_TRUSTED_EMAIL_PROVIDERS": "authing",
        "HUIWU_AUTHING_DISCOVERY_URL": f"{far}/oidc/.well-known/openid-configuration",
        "HUIWU_AUTHING_CLIENT_AUTH": "basic",
        "HUIWU_GITHUB_BASE_URL": far,
        "HUIWU_GITEE_BASE_URL": far,
    }
    for name in ("AUTHING", "GITHUB", "GITEE"):
        found |= {f"HUIWU_{name}_{part}": value for part, value in keys.items()}
    return found


@asynccontextmanager
async def on_a_phone(evidence: Evidence) -> AsyncIterator[Page]:
    async with async_playwright() as playwright, chromium(playwright) as browser:
        context = await browser.new_context(
            viewport=PHONE, locale="zh-CN", is_mobile=True, has_touch=True, device_scale_factor=2
        )
        page = await context.new_page()
        evidence.watch(page)
        yield page


async def through(page: Page, label: str, answer: str = "Allow") -> None:
    """From the sign-in page to the provider, its button, and back."""
    await page.get_by_role("link", name=label, exact=True).click()
    await page.get_by_role("heading", name="Provider").wait_for()
    await page.get_by_role("button", name=answer).click()


async def code_out_of(mailbox: Mailbox, seen: int) -> str:
    async def newer() -> bool:
        return len(mailbox.letters) > seen

    await until(newer)
    found = re.search(r"\b\d{6}\b", text_of(mailbox.letters[-1]))
    assert found
    return found[0]


def text_of(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def prove(page: Page, mailbox: Mailbox) -> None:
    """The page after the return asks for an address, the next one for the code in the mail."""
    await page.get_by_role("heading", name="还差一步").wait_for()
    seen = len(mailbox.letters)
    await page.get_by_label("邮箱").fill(EMAIL)
    await page.get_by_role("button", name="获取验证码").click()
    await page.get_by_text("将绑定到这个邮箱的账号").wait_for()
    await page.get_by_label("登录验证码").fill(await code_out_of(mailbox, seen))
    await page.get_by_role("main").get_by_role("button", name="登录").click()
    await page.wait_for_url("**/account")


async def sign_out(page: Page, server: Server) -> None:
    await page.get_by_role("main").get_by_role("button", name="退出登录", exact=True).click()
    await page.wait_for_url(f"{server.base}/")
    await page.goto(f"{server.base}/sign-in?next=/account")


async def fits(page: Page) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url


async def test_three_providers_open_one_account(
    database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = Evidence()
    with provider_process(tmp_path / "far") as far, mail() as (mailbox, smtp_url):
        async with (
            serving(database, tmp_path, smtp_url=smtp_url, more=settings_of(far)) as server,
            on_a_phone(evidence) as page,
        ):
            await page.goto(f"{server.base}/sign-in?next=/account")
            await fits(page)

            # Said no: back on the sign-in page, told so, and nothing has happened.
            await through(page, "Authing", "Deny")
            await page.get_by_text("你没有允许 Authing").wait_for()
            assert await Account.all().count() == 0

            # A trusted provider with a verified address: in at once, no mail.
            await through(page, "Authing")
            await page.wait_for_url("**/account")
            await page.get_by_text(EMAIL).first.wait_for()
            assert mailbox.letters == []

            for label in ("GitHub", "Gitee"):
                await sign_out(page, server)
                await through(page, label)
                await prove(page, mailbox)
                await fits(page)

            # All three on one account, each with the name that its owner has there.
            ways = page.locator("#ways")
            assert await ways.locator(".row").count() == 4
            for words in ("Authing", "林小满", "GitHub", "octolin", "Gitee", "lin-gitee"):
                await ways.get_by_text(words, exact=True).wait_for()
            assert await Account.all().count() == 1
            assert await Identity.all().count() == 3
            assert await SignIn.all().count() == 1

            # From now on GitHub alone is enough.
            await sign_out(page, server)
            await through(page, "GitHub")
            await page.wait_for_url("**/account")
            assert len(mailbox.letters) == 2

            # Parted: it opens nothing any more, and can be added again from inside.
            await ways.locator(".row", has_text="GitHub").get_by_role("button", name="解除绑定").click()
            await page.get_by_text("不能再用 GitHub 登录这个账号").wait_for()
            assert await Identity.filter(provider="github").count() == 0
            await ways.get_by_role("link", name="绑定 GitHub").click()
            await page.get_by_role("button", name="Allow").click()
            await page.get_by_text("今后可以用 GitHub 登录这个账号").wait_for()
            assert await Identity.all().count() == 3
            assert evidence.errors == []
            no_secret_was_told(evidence, server, far)


def no_secret_was_told(evidence: Evidence, server: Server, far: str) -> None:
    """No state, code or token in the server's log, and none in the referrer of any request that left."""
    told = {
        value
        for request in evidence.sent
        for value in re.findall(r"[?&](?:state|code|nonce|code_challenge)=([\w%.-]{12,})", request.url)
    }
    assert len(told) > 10
    log = server.log.read_text(errors="replace")
    assert "/sign-in/return/{provider}" in log
    assert [one for one in told if one in log] == []
    assert providers.CLIENT_SECRET not in log
    ours = [request for request in evidence.sent if request.url.startswith(server.base)]
    assert len(ours) > 20
    for request in evidence.sent:
        referrer = request.headers.get("referer", "")
        if request.url.startswith(far) and referrer.startswith(server.base):
            assert "?" not in referrer
        assert not any(one in referrer for one in told) or referrer.startswith(far), request.url
