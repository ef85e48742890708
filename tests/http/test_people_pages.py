"""Signing in, the account and the outbox through ASGI, as a browser without JavaScript sees them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kernel import db
from kernel.db import unit_of_work
from kernel.errors import Refusal
from kernel.settings import Settings
from people import account_pages, accounts, letters, pages, rules, sign_in_pages, wiring
from people.models import Account, JournalEntry, Letter, SignIn, SignInCode
from people.words import WORDS
from tests.factories import make_account
from web import render, signin
from web.middleware import CrossSite, Frame
from web.routing import public

BASE = "http://127.0.0.1:8000"
EMAIL = "lin@example.org"


async def _elsewhere(request: Request) -> Response:
    """Stands for the pages of other packages."""
    actor = await signin.actor_of(request)
    return PlainTextResponse(f"{request.url.path} {actor.email}")


def _app(settings: Settings) -> Starlette:
    wiring.configure(settings)
    # Another test of this process may have wired the whole house.
    account_pages.LINKS.clear()
    account_pages.TOKEN_CHOICES.clear()
    elsewhere = [
        public("/", _elsewhere, "web.home"),
        public("/language", _elsewhere, "web.language", ("POST",)),
        public("/e/{slug}", _elsewhere, "events.home"),
    ]
    app = Starlette(
        routes=[entry.as_route() for entry in (*pages.ROUTES, *elsewhere)],
        middleware=[Middleware(Frame, secure=False), Middleware(CrossSite, origins=[BASE])],
        exception_handlers={Refusal: _refused},
    )
    paths = {entry.name: entry.path for entry in (*pages.ROUTES, *elsewhere)}

    def url_for(name: str, **params: Any) -> str:
        # The frame around our pages links to other packages' pages, which are not served here.
        path = paths[name] if name.startswith("people.") else paths.get(name, "/")
        for key, value in list(params.items()):
            taken = re.sub(rf"{{{key}(:\w+)?}}", str(value), path)
            if taken != path:
                path = taken
                del params[key]
        return render.with_query(path, **params)

    render.configure(
        packages=("people",),
        words=WORDS,
        url_for=url_for,
        static=lambda path: f"/static/{path}",
        base_url=BASE,
        development=settings.development,
    )
    signin.configure(loader=accounts.actor_for_token, secure=False)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return await render.refusal(request, error)


@asynccontextmanager
async def browser_of(app: Starlette, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url=BASE,
        headers={"sec-fetch-site": "same-origin", "accept-language": "en", **headers},
    ) as client:
        yield client


@pytest.fixture
def app(database: Settings) -> Starlette:
    return _app(database)


@pytest.fixture
async def browser(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser_of(app) as client:
        yield client


async def newest_code() -> str:
    letter = await Letter.all().order_by("-id").first()
    assert letter is not None
    return next(word for word in letter.text.split() if rules.read_code(word))


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def hidden(page: str, name: str) -> str:
    # Within the page's own form: the language switch above it has a "next" too.
    found = re.search(rf'name="{name}" value="([^"]*)"', page.partition("<main")[2])
    assert found, f"no hidden field {name}"
    return found[1]


async def signed_in(client: httpx2.AsyncClient, email: str = EMAIL, *, is_admin: bool = False) -> Account:
    account = await make_account(email, is_admin=is_admin, name="林小满")
    token = await accounts.open_sign_in(account_id=account.id, user_agent="test", at=datetime.now(UTC))
    client.cookies.set(signin.COOKIE, token)
    return account


async def test_whole_way_in_and_back_to_where_one_wanted_to_go(browser: httpx2.AsyncClient) -> None:
    refused = await browser.get("/account?tab=1")
    assert refused.status_code == 303
    page = await browser.get(refused.headers["location"])
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    target = hidden(page.text, "next")
    asked = await browser.post("/sign-in", data={"email": f" {EMAIL.upper()} ", "next": target})
    assert asked.status_code == 303
    # The address stands in no URL, and in no cookie that a script or another site could read.
    assert EMAIL not in asked.headers["location"]
    assert all(
        "httponly" in one.lower() and "samesite=lax" in one.lower()
        for one in asked.headers.get_list("set-cookie")
    )
    code_page = await browser.get(asked.headers["location"])
    assert EMAIL in code_page.text
    field = re.search(r'<input[^>]*name="code"[^>]*>', code_page.text)
    assert field
    for part in ('type="text"', 'inputmode="numeric"', 'autocomplete="one-time-code"', "autofocus"):
        assert part in field[0]
    done = await browser.post(
        "/sign-in/code", data={"code": await newest_code(), "next": hidden(code_page.text, "next")}
    )
    assert (done.status_code, done.headers["location"]) == (303, "/account?tab=1")
    account = await browser.get("/account")
    assert account.status_code == 200
    assert EMAIL in account.text
    # A second visit to the sign-in leads on at once.
    assert (await browser.get("/sign-in?next=/e/coscon")).headers["location"] == "/e/coscon"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", ""]
)
async def test_sign_in_leads_to_this_site_only(browser: httpx2.AsyncClient, target: str) -> None:
    assert hidden((await browser.get("/sign-in", params={"next": target})).text, "next") == "/"
    await browser.post("/sign-in", data={"email": EMAIL, "next": target})
    done = await browser.post("/sign-in/code", data={"code": await newest_code(), "next": target})
    assert done.headers["location"] == "/"


async def test_page_is_chinese_for_a_chinese_reader(app: Starlette) -> None:
    async with browser_of(app, **{"accept-language": "zh-CN,zh;q=0.9,en;q=0.1"}) as browser:
        assert "获取验证码" in (await browser.get("/sign-in")).text
        await browser.post("/sign-in", data={"email": EMAIL})
        assert "是你的会务登录验证码" in (await Letter.get()).subject
        code = await newest_code()
        page = await browser.post("/sign-in/code", data={"code": wrong(code)})
        assert "验证码不对，还可以再试 4 次" in page.text
        await browser.post("/sign-in/code", data={"code": code})
        assert (await Account.get()).locale == "zh-Hans"


async def test_same_answer_whether_there_is_an_account_or_not(browser: httpx2.AsyncClient) -> None:
    await make_account("known@example.org")
    await browser.get("/sign-in")
    answers = []
    for email in ("known@example.org", "never@example.org"):
        asked = await browser.post("/sign-in", data={"email": email})
        page = await browser.get(asked.headers["location"])
        answers.append((asked.status_code, asked.headers["location"], page.text.replace(email, "X")))
    assert answers[0] == answers[1]


async def test_bad_address_is_told_at_the_field_and_nothing_is_lost(browser: httpx2.AsyncClient) -> None:
    page = await browser.post("/sign-in", data={"email": 'lin@"<b>', "next": "/e/coscon"})
    assert page.status_code == 422
    assert 'value="lin@&#34;&lt;b&gt;"' in page.text
    assert 'id="f-email-error"' in page.text
    assert 'aria-invalid="true"' in page.text
    assert "not a complete e-mail address" in page.text
    assert hidden(page.text, "next") == "/e/coscon"
    assert (await browser.post("/sign-in", data={})).status_code == 422
    assert await Letter.all().count() == 0


async def test_wrong_code_is_told_at_the_field_with_the_tries_left(browser: httpx2.AsyncClient) -> None:
    await browser.post("/sign-in", data={"email": EMAIL})
    code = await newest_code()
    page = await browser.post("/sign-in/code", data={"code": wrong(code), "next": "/e/coscon"})
    assert page.status_code == 422
    assert "Tries left: 4." in page.text
    assert f'value="{wrong(code)}"' in page.text
    assert hidden(page.text, "next") == "/e/coscon"
    assert (await browser.post("/sign-in/code", data={"code": "12"})).status_code == 422
    assert "The code has six digits." in (await browser.post("/sign-in/code", data={"code": "12"})).text
    for _ in range(4):
        page = await browser.post("/sign-in/code", data={"code": wrong(code)})
    assert "too many wrong tries" in page.text
    # The way out is on the page, and it works.
    again = await browser.post("/sign-in", data={"email": hidden(page.text, "email"), "next": "/"})
    assert again.status_code == 303
    done = await browser.post("/sign-in/code", data={"code": await newest_code()})
    assert done.status_code == 303


async def test_code_of_another_browser_opens_nothing(app: Starlette, browser: httpx2.AsyncClient) -> None:
    await browser.post("/sign-in", data={"email": EMAIL})
    code = await newest_code()
    async with browser_of(app) as other:
        other.cookies.set(sign_in_pages.TO_COOKIE, browser.cookies[sign_in_pages.TO_COOKIE])
        await other.get("/sign-in")
        page = await other.post("/sign-in/code", data={"code": code})
        assert page.status_code == 422
        assert "expired, or it was asked for in another browser" in page.text
    assert (await browser.post("/sign-in/code", data={"code": code})).status_code == 303


async def test_browser_without_cookies_is_told_so(app: Starlette) -> None:
    async with browser_of(app) as browser:
        asked = await browser.post("/sign-in", data={"email": EMAIL, "next": "/e/coscon"})
        browser.cookies.clear()
        back = await browser.get(asked.headers["location"])
        assert back.status_code == 303
        browser.cookies.clear()
        page = await browser.get(back.headers["location"])
        assert "this browser keeps no cookies" in page.text
        assert hidden(page.text, "next") == "/e/coscon"
        browser.cookies.clear()
        assert (await browser.post("/sign-in/code", data={"code": "123456"})).status_code == 303


@pytest.mark.parametrize("cookie", ["%%%", "bGlu", "//////", "5Lit"])
async def test_spoilt_cookie_is_no_error(browser: httpx2.AsyncClient, cookie: str) -> None:
    browser.cookies.set(sign_in_pages.TO_COOKIE, cookie)
    assert (await browser.get("/sign-in/code")).status_code == 303


async def test_second_press_of_the_button_is_no_error(browser: httpx2.AsyncClient) -> None:
    await browser.post("/sign-in", data={"email": EMAIL})
    to, code = browser.cookies[sign_in_pages.TO_COOKIE], await newest_code()
    await browser.post("/sign-in/code", data={"code": code})
    browser.cookies.set(sign_in_pages.TO_COOKIE, to)
    again = await browser.post("/sign-in/code", data={"code": code, "next": "/e/coscon"})
    assert (again.status_code, again.headers["location"]) == (303, "/e/coscon")
    assert await SignIn.all().count() == 1


async def test_sixth_code_says_how_long_to_wait(browser: httpx2.AsyncClient) -> None:
    for _ in range(5):
        assert (await browser.post("/sign-in", data={"email": EMAIL})).status_code == 303
    async with unit_of_work():
        then = datetime.now(UTC) - timedelta(minutes=48, seconds=30)
        await SignInCode.all().update(created_at=then)
    page = await browser.post("/sign-in", data={"email": EMAIL, "next": "/e/coscon"})
    assert page.status_code == 429
    assert "ask again in 12 min" in page.text
    assert 680 <= int(page.headers["retry-after"]) <= 690
    assert f'value="{EMAIL}"' in page.text
    # Whoever has the newest code can still enter it.
    assert 'href="/sign-in/code?next=%2Fe%2Fcoscon"' in page.text
    assert await Letter.all().count() == 5
    assert 'href="/sign-in/code' not in (await browser.post("/sign-in", data={"email": "wrong"})).text


async def test_one_network_may_ask_hundreds_of_times_and_no_more(
    browser: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rules.LETTERS_PER_NETWORK.many >= 2000
    monkeypatch.setattr(rules, "LETTERS_PER_NETWORK", replace(rules.LETTERS_PER_NETWORK, many=3))
    answers = [
        (await browser.post("/sign-in", data={"email": f"p{n}@example.org"})).status_code for n in range(5)
    ]
    assert answers == [303, 303, 303, 429, 429]
    assert "from this network" in (await browser.post("/sign-in", data={"email": EMAIL})).text
    assert await Letter.all().count() == 3


async def test_post_from_another_site_is_refused(browser: httpx2.AsyncClient) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
        answer = await browser.post("/sign-in", data={"email": EMAIL}, headers=headers)
        assert answer.status_code == 403
    assert await Letter.all().count() == 0


async def test_sign_out_ends_this_browser_only(app: Starlette, browser: httpx2.AsyncClient) -> None:
    account = await signed_in(browser)
    other = await accounts.open_sign_in(account_id=account.id, user_agent="phone", at=datetime.now(UTC))
    token = browser.cookies[signin.COOKIE]
    assert (await browser.get("/sign-out")).status_code == 405
    out = await browser.post("/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, "/")
    assert f"{signin.COOKIE}=" in out.headers["set-cookie"]
    assert "max-age=0" in out.headers["set-cookie"].lower()
    async with browser_of(app) as stolen:
        stolen.cookies.set(signin.COOKIE, token)
        assert (await stolen.get("/account")).status_code == 303
        stolen.cookies.set(signin.COOKIE, other)
        assert (await stolen.get("/account")).status_code == 200
    assert (await browser.post("/sign-out")).status_code == 303


async def test_account_page_renames_and_signs_out_the_others(browser: httpx2.AsyncClient) -> None:
    account = await signed_in(browser)
    await accounts.open_sign_in(account_id=account.id, user_agent="Lost phone", at=datetime.now(UTC))
    page = await browser.get("/account")
    assert "Lost phone" in page.text
    assert page.text.count("This browser") == 1
    saved = await browser.post("/account", data={"name": " 小满 "})
    assert saved.status_code == 303
    assert 'value="小满"' in (await browser.get(saved.headers["location"])).text
    wrong_page = await browser.post("/account", data={"name": "x" * 121})
    assert wrong_page.status_code == 422
    assert "x" * 121 in wrong_page.text
    assert (await browser.post("/account", data={"name": " "})).status_code == 422
    await browser.post("/account/others/sign-out")
    assert await SignIn.all().count() == 1
    assert (await browser.get("/account")).status_code == 200


# --- the outbox --------------------------------------------------------------------------------------------------


async def put(key: str = "k", **more: Any) -> int:
    values: dict[str, Any] = {
        "to_email": EMAIL,
        "locale": "zh-Hans",
        "subject": "报名成功 <1>",
        "text": "您好，\n<b>林小满</b>",
        "at": datetime.now(UTC),
    }
    await letters.queue(key=key, **(values | more))
    return int((await Letter.get(key=key)).id)


@pytest.mark.parametrize("path", ["/outbox", "/outbox/1"])
async def test_outbox_is_for_administrators(browser: httpx2.AsyncClient, path: str) -> None:
    await put()
    assert (await browser.get(path)).status_code == 303
    await signed_in(browser)
    assert (await browser.get(path)).status_code == 404
    assert (await browser.post("/outbox/1/state", data={"act": "discard"})).status_code == 404
    assert (await Letter.get()).state == "waiting"
    browser.cookies.clear()
    await signed_in(browser, "admin@example.org", is_admin=True)
    assert (await browser.get(path)).status_code == 200


async def test_outbox_says_that_nothing_is_sent_and_shows_what_waits(browser: httpx2.AsyncClient) -> None:
    await signed_in(browser, is_admin=True)
    empty = await browser.get("/outbox")
    assert "No letters here" in empty.text
    await put("a")
    await put("b", to_email="nobody")
    page = await browser.get("/outbox")
    assert "No mail server is set" in page.text
    assert "报名成功 &lt;1&gt;" in page.text
    assert page.text.count("<tr>") == 3
    failed = await browser.get("/outbox?state=failed")
    assert failed.text.count("<tr>") == 2
    assert "written on a letter" in failed.text
    for odd in ("?state=nonsense", "?page=0", "?page=-3", "?page=99999999999999", "?page=x", "?page=7"):
        assert (await browser.get(f"/outbox{odd}")).status_code == 200


async def test_outbox_pages_and_costs_the_same_for_one_and_three(browser: httpx2.AsyncClient) -> None:
    await signed_in(browser, is_admin=True)
    costs = []
    for many in (1, 3):
        for number in range(many):
            await put(f"{many}.{number}")
        await browser.get("/outbox")
        before = db.stats.statements
        await browser.get("/outbox")
        costs.append(db.stats.statements - before)
    assert costs[0] == costs[1]
    await letters.queue_many(
        [
            letters.NewLetter(
                key=f"m{number}", to_email=f"p{number}@example.org", locale="en", subject="s", text="t"
            )
            for number in range(60)
        ],
        at=datetime.now(UTC),
    )
    first = await browser.get("/outbox")
    assert "1 to 50 of 64" in first.text
    assert re.search(r'rel="next"\s+href="/outbox\?page=2"', first.text)
    assert "51 to 64 of 64" in (await browser.get("/outbox?page=2")).text


async def test_outbox_shows_the_throttle(database: Settings) -> None:
    app = _app(replace(database, smtp_url="smtp://127.0.0.1:1", mail_per_hour=3, mail_per_domain_hour=2))
    async with browser_of(app) as browser:
        await signed_in(browser, is_admin=True)
        for number in range(4):
            await put(f"k{number}")
        async with unit_of_work():
            when = datetime.now(UTC) - timedelta(minutes=10)
            await Letter.filter(key__in=["k0", "k1"]).update(state="sent", sent_at=when)
        page = await browser.get("/outbox")
        assert "No mail server is set" not in page.text
        assert "example.org: 2 letters wait, more leave in 50 minutes" in page.text
        assert "The hour is full" not in page.text
        await put("k4", to_email="a@b.example")
        async with unit_of_work():
            await Letter.filter(key="k4").update(state="sent", sent_at=when)
        page = await browser.get("/outbox")
        assert "The hour is full" in page.text
        assert "More leave in 50 minutes" in page.text


async def test_letter_page_shows_its_words_and_what_may_be_done(browser: httpx2.AsyncClient) -> None:
    await signed_in(browser, is_admin=True)
    id_ = await put()
    page = await browser.get(f"/outbox/{id_}")
    assert "&lt;b&gt;林小满&lt;/b&gt;" in page.text
    assert re.findall(r'name="act" value="(\w+)"', page.text) == ["hold", "discard"]
    held = await browser.post(f"/outbox/{id_}/state", data={"act": "hold"})
    assert (held.status_code, held.headers["location"]) == (303, f"/outbox/{id_}")
    assert re.findall(r'name="act" value="(\w+)"', (await browser.get(f"/outbox/{id_}")).text) == [
        "retry",
        "discard",
    ]
    assert (await browser.post(f"/outbox/{id_}/state", data={"act": "hold"})).status_code == 409
    assert (await browser.post(f"/outbox/{id_}/state", data={"act": "burn"})).status_code == 422
    assert (await browser.post("/outbox/999/state", data={"act": "hold"})).status_code == 404
    assert (await browser.get("/outbox/999")).status_code == 404
    assert [line.verb for line in await JournalEntry.all()] == ["letter.hold"]


async def test_codes_are_shown_to_anybody_in_development(browser: httpx2.AsyncClient) -> None:
    assert "No code has been sent" in (await browser.get("/dev/codes")).text
    await browser.post("/sign-in", data={"email": EMAIL})
    await put("news", subject="not a code", text="123456")
    page = await browser.get("/dev/codes")
    assert await newest_code_of_sign_in() in page.text
    assert EMAIL in page.text
    assert "not a code" not in page.text
    assert "/dev/codes" in (await browser.get("/sign-in/code")).text
    async with unit_of_work():
        await Letter.all().update(created_at=datetime.now(UTC) - timedelta(hours=1))
    assert EMAIL not in (await browser.get("/dev/codes")).text


async def newest_code_of_sign_in() -> str:
    letter = await Letter.get(key__startswith="sign-in:")
    return next(word for word in letter.text.split() if rules.read_code(word))


async def test_in_production_codes_are_shown_to_nobody(database: Settings) -> None:
    app = _app(replace(database, development=False))
    async with browser_of(app) as browser:
        await browser.post("/sign-in", data={"email": EMAIL})
        assert (await browser.get("/dev/codes")).status_code == 404
        assert "/dev/codes" not in (await browser.get("/sign-in/code")).text
        code = await newest_code()
        letter = await Letter.get()
        await signed_in(browser, "admin@example.org", is_admin=True)
        assert (await browser.get("/dev/codes")).status_code == 404
        for path in ("/outbox", f"/outbox/{letter.id}"):
            page = await browser.get(path)
            assert page.status_code == 200
            assert code not in page.text, path
