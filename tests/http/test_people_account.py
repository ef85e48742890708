"""The link of a letter, the account page, tokens for programs, and the crowd at one address, through the application."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.cookiejar import Cookie, DefaultCookiePolicy

import httpx2
import pytest
from starlette.applications import Starlette

import main
from kernel import db
from kernel.db import unit_of_work
from kernel.settings import Settings
from people import accounts, limits, rules
from people.models import Account, ApiToken, Letter, SignIn, SignInCode
from tests.factories import make_account, make_event, make_role
from tests.http.desk_house import browser_of, words_of
from web import signin

EMAIL = "lin@example.org"


@pytest.fixture
def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@pytest.fixture
async def browser(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser_of(app) as client:
        yield client


def code_in(text: str) -> str:
    return next(word for word in text.split() if rules.read_code(word))


async def newest_code() -> str:
    letter = await Letter.all().order_by("-id").first()
    assert letter is not None
    return code_in(letter.text)


async def newest_link() -> str:
    row = await SignInCode.all().order_by("-id").first()
    assert row is not None
    return accounts.link_of(row.id, row.code_digest)


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<main")[2]))


# --- the link ----------------------------------------------------------------------------------------------------


async def test_link_shows_whom_it_signs_in_and_acts_on_a_press(
    app: Starlette, browser: httpx2.AsyncClient
) -> None:
    await browser.post("/sign-in", data={"email": EMAIL, "next": "/e/coscon"})
    link = await newest_link()
    async with browser_of(app) as phone:
        await phone.get(link)  # a mail filter opens it first
        page = await phone.get(link)
        assert page.status_code == 200
        assert f"signed in as {EMAIL}" in words_of(page.text)
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert await SignIn.all().count() == 0
        done = await phone.post("/sign-in/link", data=hidden(page.text))
        assert (done.status_code, done.headers["location"]) == (303, "/e/coscon")
        assert EMAIL in (await phone.get("/account")).text
        # Pressed twice, opened again: a page that says so and leads on.
        for over in (await phone.post("/sign-in/link", data=hidden(page.text)), await phone.get(link)):
            assert over.status_code == 410
            assert "opens nothing any more" in words_of(over.text)
            assert f"You are signed in here as {EMAIL}" in words_of(over.text)
            assert 'href="/account"' in over.text
    refused = await browser.post("/sign-in/code", data={"code": await newest_code()})
    assert "has been used already" in words_of(refused.text)


@pytest.mark.parametrize("path", ["/sign-in/link", "/sign-in/link?key=", "/sign-in/link?key=" + "0" * 64])
async def test_guessed_link_leads_back_to_the_code(browser: httpx2.AsyncClient, path: str) -> None:
    page = await browser.get(path)
    assert page.status_code == 410
    assert 'href="/sign-in"' in page.text
    assert (await browser.post("/sign-in/link", data={"key": "0" * 64})).status_code == 410
    assert (await browser.post("/sign-in/link", data={})).status_code == 410


async def test_link_says_when_somebody_else_is_signed_in_and_ends_that(
    app: Starlette, browser: httpx2.AsyncClient
) -> None:
    await browser.post("/sign-in", data={"email": EMAIL})
    async with browser_of(app, await make_account("ma@example.org")) as shared:
        page = await shared.get(await newest_link())
        assert "ma@example.org is signed in in this browser" in words_of(page.text)
        await shared.post("/sign-in/link", data=hidden(page.text))
    assert [row.account_id for row in await SignIn.all()] == [(await Account.get(email=EMAIL)).id]


async def test_language_switch_comes_back_to_the_link(browser: httpx2.AsyncClient) -> None:
    await browser.post("/sign-in", data={"email": EMAIL})
    page = await browser.get(await newest_link())
    target = re.search(r'name="next" value="([^"]*)"', page.text.partition("<main")[0])
    assert target
    switched = await browser.post("/language", data={"lang": "zh-Hans", "next": target[1]})
    again = await browser.get(switched.headers["location"])
    assert f"以 {EMAIL} 登录" in words_of(again.text)


async def test_development_shows_the_link_beside_its_code(browser: httpx2.AsyncClient) -> None:
    await browser.post("/sign-in", data={"email": EMAIL})
    assert (await newest_link()).replace("&", "&amp;") in (await browser.get("/dev/codes")).text


# --- the account page --------------------------------------------------------------------------------------------


async def test_sign_in_is_new_each_time_and_the_browsers_old_one_ends(browser: httpx2.AsyncClient) -> None:
    tokens = []
    for _ in range(2):
        await browser.post("/sign-in", data={"email": EMAIL})
        await browser.post("/sign-in/code", data={"code": await newest_code()})
        tokens.append(browser.cookies[signin.COOKIE])
    assert tokens[0] != tokens[1]
    assert await SignIn.all().count() == 1
    browser.cookies.clear()
    for token, status in zip(tokens, (303, 200), strict=True):
        page = await browser.get("/account", headers={"cookie": f"{signin.COOKIE}={token}"})
        assert page.status_code == status


async def test_browsers_are_listed_and_ended_one_by_one_or_all(app: Starlette) -> None:
    account = await make_account(EMAIL)
    long_ago = datetime.now(UTC) - timedelta(days=9)
    await accounts.open_sign_in(account_id=account.id, user_agent="Firefox Linux", at=long_ago)
    async with browser_of(app, account) as browser:
        page = words_of((await browser.get("/account")).text)
        assert "Firefox · Linux" in page
        assert "signed in 1 week ago" in page
        assert page.count("This browser") == 1
        old = await SignIn.get(user_agent__startswith="Firefox")
        async with browser_of(app, await make_account()) as stranger:
            assert (await stranger.post(f"/account/sign-ins/{old.id}/end")).status_code == 404
        assert (await browser.post(f"/account/sign-ins/{old.id}/end")).status_code == 303
        assert "Firefox" not in (await browser.get("/account")).text
        await accounts.open_sign_in(account_id=account.id, user_agent="Firefox", at=datetime.now(UTC))
        out = await browser.post("/account/everywhere/sign-out")
        assert (out.status_code, out.headers["location"]) == (303, "/")
        assert "max-age=0" in out.headers["set-cookie"].lower()
    assert await SignIn.filter(account_id=account.id).count() == 0


@pytest.mark.parametrize("path", ["sign-ins/{}/end", "identities/{}/part", "tokens/{}/revoke"])
@pytest.mark.parametrize("number", ["0", "9" * 18, "9" * 19, "9" * 25, "-1", "x"])
async def test_numbers_that_no_row_has_are_not_found(app: Starlette, path: str, number: str) -> None:
    async with browser_of(app, await make_account(EMAIL)) as browser:
        assert (await browser.post(f"/account/{path.format(number)}")).status_code == 404


async def test_language_is_kept_with_the_account_and_in_the_browser(app: Starlette) -> None:
    account = await make_account(EMAIL, name="林小满", locale="en")
    async with browser_of(app, account) as browser:
        saved = await browser.post("/account", data={"name": "小满", "locale": "zh-Hans"})
        assert "已保存" in (await browser.get(saved.headers["location"])).text
        kept = await Account.get()
        assert (kept.name, kept.locale) == ("小满", "zh-Hans")
        wrong = await browser.post("/account", data={"name": "小满", "locale": "tlh"})
        assert wrong.status_code == 422
        assert (await Account.get()).locale == "zh-Hans"


async def test_account_page_costs_the_same_for_one_and_three(app: Starlette) -> None:
    account = await make_account(EMAIL)
    await make_role(await make_event(), account, "owner")
    costs = []
    for many in (1, 2):
        for _ in range(many):
            await accounts.open_sign_in(account_id=account.id, user_agent="t", at=datetime.now(UTC))
            await _token_row(account)
        async with browser_of(app, account) as browser:
            await browser.get("/account")
            before = db.stats.statements
            await browser.get("/account")
            costs.append(db.stats.statements - before)
    assert costs[0] == costs[1]


# --- tokens for programs -----------------------------------------------------------------------------------------


async def _token_row(account: Account) -> None:
    at = datetime.now(UTC)
    async with unit_of_work():
        await ApiToken.create(
            account_id=account.id,
            name="t",
            token_digest=uuid.uuid4().hex,
            scopes=["scan"],
            created_at=at,
            expires_at=at + timedelta(days=1),
        )


async def test_token_is_made_shown_once_used_and_revoked(app: Starlette) -> None:
    account = await make_account(EMAIL)
    event = await make_event("coscon")
    other = await make_event("elsewhere", name={"en": "Elsewhere"})
    await make_role(event, account, "organiser")
    async with browser_of(app, account) as browser:
        assert "API tokens" in words_of((await browser.get("/account")).text)
        form = await browser.get("/account/tokens/new")
        scopes = re.findall(r'name="scopes"\s+value="(\w+)"', form.text)
        # What the account may not do anywhere is not offered, and what is public needs no leave.
        assert "scan" in scopes
        assert not {"own", "see_identity", "view_public"} & set(scopes)
        assert "Elsewhere" not in form.text
        data = {
            **hidden(form.text),
            "name": "Badge printer",
            "scopes": ["view_desk", "see_registrations"],
            "event": str(event.id),
            "days": "30",
        }
        made = await browser.post("/account/tokens/new", data=data)
        assert made.status_code == 200
        assert made.headers["cache-control"] == "no-store"
        found = re.search(r">(hwt_[\w-]+)</textarea>", made.text)
        assert found
        token = found[1]
        again = await browser.post("/account/tokens/new", data=data)
        assert again.status_code == 409
        assert "made already" in words_of(again.text)
        assert 'value="Badge printer"' in again.text
        page = await browser.get("/account")
        assert "Badge printer" in page.text
        assert "never used" in words_of(page.text)
        assert token not in page.text
        async with browser_of(app, authorization=f"Bearer {token}") as program:
            assert (await program.get("/e/coscon/desk/registrations")).status_code == 200
            # Not what it was not given, not another event, and no page that is a person's.
            assert (await program.get("/e/coscon/desk/journal")).status_code == 403
            assert (await program.get(f"/e/{other.slug}/desk/registrations")).status_code == 403
            for path in ("/account", "/account/tokens/new", "/outbox"):
                assert (await program.get(path)).status_code == 403, path
            assert (await program.post("/account/everywhere/sign-out")).status_code == 403
        async with browser_of(app) as wrong:
            wrong.cookies.set(signin.COOKIE, token)
            assert (await wrong.get("/e/coscon/desk/registrations")).status_code == 303
        row = await ApiToken.get()
        async with browser_of(app, await make_account()) as stranger:
            assert (await stranger.post(f"/account/tokens/{row.id}/revoke")).status_code == 404
        assert (await browser.post(f"/account/tokens/{row.id}/revoke")).status_code == 303
        async with browser_of(app, authorization=f"Bearer {token}", accept="application/json") as program:
            assert (await program.get("/e/coscon/desk/registrations")).status_code == 401
    assert await SignIn.filter(account_id=account.id).count() == 1


async def test_bad_token_forms_lose_nothing(app: Starlette) -> None:
    account, event = await make_account(EMAIL), await make_event("coscon")
    await make_role(event, account, "scanner")
    stranger_event = await make_event("elsewhere")
    async with browser_of(app, account) as browser:
        fine = {"form_id": str(uuid.uuid4()), "name": "Printer", "scopes": "scan", "event": "", "days": "30"}
        for wrong in (
            {"name": ""},
            {"name": "x" * 81},
            {"scopes": ""},
            {"scopes": "own"},
            {"event": str(stranger_event.id)},
            {"event": "x"},
            {"days": "0"},
            {"days": "366"},
            {"days": "soon"},
        ):
            page = await browser.post("/account/tokens/new", data={**fine, **wrong})
            assert page.status_code == 422, wrong
            field = next(iter(wrong))
            assert f'id="f-{field}-error"' in page.text, wrong
            if field != "name":
                assert 'value="Printer"' in page.text
            if field != "scopes":
                assert re.search(r'value="scan" checked', page.text)
        assert (await browser.post("/account/tokens/new", data={**fine, "form_id": "x"})).status_code == 422
    assert await ApiToken.all().count() == 0


async def test_people_without_a_role_are_not_bothered_with_tokens(app: Starlette) -> None:
    async with browser_of(app, await make_account(EMAIL)) as browser:
        assert "API tokens" not in words_of((await browser.get("/account")).text)
        assert (await browser.get("/account/tokens/new")).status_code == 404


# --- guessing, and the crowd -------------------------------------------------------------------------------------


async def test_guessing_codes_of_one_address_is_stopped_and_the_link_still_opens(app: Starlette) -> None:
    """Fresh letters and fresh browsers give no fresh tries."""
    statuses: Counter[int] = Counter()
    for _ in range(rules.WRONG_PER_EMAIL.many // rules.CODE_TRIES + 1):
        async with browser_of(app) as guesser:
            await guesser.post("/sign-in", data={"email": EMAIL})
            code = await newest_code()
            for by in range(1, rules.CODE_TRIES + 1):
                wrong = f"{(int(code) + by) % 1_000_000:06d}"
                page = await guesser.post("/sign-in/code", data={"code": wrong})
                statuses[page.status_code] += 1
    assert statuses == {422: rules.WRONG_PER_EMAIL.many, 429: rules.CODE_TRIES}
    async with browser_of(app) as owner:
        await owner.post("/sign-in", data={"email": EMAIL})
        page = await owner.post("/sign-in/code", data={"code": await newest_code()})
        assert page.status_code == 429
        assert "Use the link in the letter" in words_of(page.text)
        assert int(page.headers["retry-after"]) <= 3 * 3600
        page = await owner.get(await newest_link())
        assert (await owner.post("/sign-in/link", data=hidden(page.text))).status_code == 303
        assert (await owner.get("/account")).status_code == 200


async def test_one_browser_does_not_guess_its_way_through_a_list_of_addresses(
    browser: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "WRONG_PER_BROWSER", replace(rules.WRONG_PER_BROWSER, many=3))
    statuses = []
    for number in range(5):
        await browser.post("/sign-in", data={"email": f"p{number}@example.org"})
        wrong = f"{(int(await newest_code()) + 1) % 1_000_000:06d}"
        statuses.append((await browser.post("/sign-in/code", data={"code": wrong})).status_code)
    assert statuses == [422, 422, 422, 429, 429]


async def test_hundreds_of_invented_tokens_and_links_are_stopped_and_right_ones_open(
    app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FAILED_PER_NETWORK", replace(rules.FAILED_PER_NETWORK, many=10))
    account = await make_account(EMAIL)
    async with browser_of(app) as guesser:
        got = [
            (await guesser.get("/account", headers={"authorization": f"Bearer hwt_{number}"})).status_code
            for number in range(8)
        ]
        got += [(await guesser.get(f"/sign-in/link?key={number}")).status_code for number in range(8)]
        assert got == [303] * 8 + [410] * 2 + [429] * 6
        refused = await guesser.get("/account", headers={"authorization": "Bearer hwt_x"})
        assert refused.status_code == 429
        assert "Please wait" in refused.text
        assert 0 < int(refused.headers["retry-after"]) <= 600
        # From the same address, at the same moment.
        async with browser_of(app, account) as neighbour:
            assert (await neighbour.get("/account")).status_code == 200
            token = neighbour.cookies[signin.COOKIE]
        right = await guesser.get("/account", headers={"authorization": f"Bearer {token}"})
        assert right.status_code == 200
        await guesser.post("/sign-in", data={"email": EMAIL})
        assert (await guesser.get(await newest_link())).status_code == 200


class _NoCookies(DefaultCookiePolicy):
    """One client stands for a thousand phones: each request brings its own cookies, and the jar keeps none."""

    def set_ok(self, cookie: Cookie, request: object) -> bool:
        del cookie, request
        return False


@pytest.mark.slow
async def test_a_thousand_people_sign_in_from_one_address(app: Starlette) -> None:
    """A hall behind one network address: everybody asks first, then everybody enters their code. Nobody waits."""
    people = [f"p{number}@example.org" for number in range(1000)]
    cookies: dict[str, dict[str, str]] = {}
    answers: Counter[tuple[str, int]] = Counter()
    gate = asyncio.Semaphore(16)

    async with browser_of(app) as browser:

        async def ask(email: str) -> None:
            async with gate:
                asked = await browser.post("/sign-in", data={"email": email})
            answers["ask", asked.status_code] += 1
            cookies[email] = dict(asked.cookies)

        async def enter(email: str, code: str) -> None:
            cookie = "; ".join(f"{name}={value}" for name, value in cookies[email].items())
            async with gate:
                done = await browser.post("/sign-in/code", data={"code": code}, headers={"cookie": cookie})
            answers["enter", done.status_code] += 1

        browser.cookies.jar.set_policy(_NoCookies())
        before = db.stats.statements
        await asyncio.gather(*(ask(email) for email in people))
        codes = {letter.to_email: code_in(letter.text) for letter in await Letter.all()}
        await asyncio.gather(*(enter(email, codes[email]) for email in people))
        statements = db.stats.statements - before
    assert answers == {("ask", 303): 1000, ("enter", 303): 1000}
    assert await SignIn.all().count() == await Account.all().count() == 1000
    # What a person costs, in statements; a new one must be worth it.
    assert statements <= 10 * 1000
    # All were answered, so nothing stands against the address.
    assert sum(limits._counts.values()) == 0
