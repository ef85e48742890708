"""Signing in through a provider, with fake ones in process: who gets in, who proves an address, and every wrong answer."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.applications import Starlette

import main
from kernel import db
from kernel.db import unit_of_work
from kernel.settings import Provider, ProviderKind, Settings
from people import accounts, providers, rules
from people.models import Account, Identity, JournalEntry, Letter, ProviderVisit, SignIn
from tests import providers as fakes
from tests.factories import make_account
from tests.http.desk_house import browser_of, words_of
from tests.providers import CLIENT_ID, CLIENT_SECRET, Fake
from web import signin

FAR = "https://far.example"
OIDC, GITHUB, GITEE = "authing", "ghe", "gitee"


def _provider(name: str, kind: ProviderKind, **more: Any) -> Provider:
    secret = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return Provider(name=name, kind=kind, **(secret | more))


PROVIDERS = (
    _provider(
        OIDC, ProviderKind.OIDC, label="Authing", discovery_url=f"{FAR}/oidc/.well-known/openid-configuration"
    ),
    _provider(GITHUB, ProviderKind.GITHUB, label="GitHub", base_url=FAR, client_auth="post"),
    _provider(GITEE, ProviderKind.GITEE, label="Gitee", base_url=FAR, client_auth="post"),
)


@dataclass
class House:
    """The application, its far-away providers, and a browser that keeps cookies of both apart."""

    app: Starlette
    fake: Fake
    browser: httpx2.AsyncClient
    far: httpx2.AsyncClient

    async def leave(self, provider: str, **query: str) -> str:
        """Follows the link on the sign-in page; gives the address at the provider."""
        gone = await self.browser.get(f"/sign-in/with/{provider}", params=query)
        assert gone.status_code == 303
        assert gone.headers["location"].startswith(FAR), gone.headers["location"]
        return gone.headers["location"]

    async def answer(self, address: str, answer: str = "yes") -> str:
        """Presses the provider's button; gives the path that it sends the browser back to."""
        sent = await self.far.post(address, data={"answer": answer})
        assert sent.status_code == 302
        back = urlsplit(sent.headers["location"])
        return f"{back.path}?{back.query}"

    async def go(self, provider: str, answer: str = "yes", **query: str) -> httpx2.Response:
        """There and back; gives the answer to the return."""
        return await self.browser.get(await self.answer(await self.leave(provider, **query), answer))

    async def said(self, response: httpx2.Response) -> str:
        """What the page says that a return leads to; it always has the form for the e-mail code."""
        assert response.status_code == 303
        page = await self.browser.get(response.headers["location"])
        assert page.status_code == 200
        assert 'name="email"' in page.text
        return words_of(page.text)

    async def leave_again(self) -> str:
        """Begins while signed out, comes back while the old sign-in is still in the browser."""
        token = self.browser.cookies[signin.COOKIE]
        self.browser.cookies.clear()
        address = await self.leave(OIDC)
        self.browser.cookies.set(signin.COOKIE, token, domain="127.0.0.1")
        return address

    async def account(self) -> str:
        return words_of((await self.browser.get("/account")).text)


@asynccontextmanager
async def _house(settings: Settings, *, trusted: tuple[str, ...] = ()) -> AsyncIterator[House]:
    settings = replace(settings, providers=PROVIDERS, trusted_email_providers=trusted)
    app = main.create_app(settings, workers=False)
    fake = Fake(FAR)
    transport = httpx2.ASGITransport(fake.application())
    providers.configure(settings, transport=transport)
    async with browser_of(app) as browser, httpx2.AsyncClient(transport=transport) as far:
        yield House(app, fake, browser, far)


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    async with _house(database, trusted=(OIDC,)) as made:
        yield made


@pytest.fixture
async def wary(database: Settings) -> AsyncIterator[House]:
    """An installation that trusts no provider's word about addresses."""
    async with _house(database) as made:
        yield made


async def newest_code() -> str:
    letter = await Letter.all().order_by("-id").first()
    assert letter is not None
    return next(word for word in letter.text.split() if rules.read_code(word))


async def prove(house: House, arrival: httpx2.Response, email: str) -> httpx2.Response:
    """From the return to the code by e-mail, with what the pages themselves carry on."""
    page = await house.browser.get(arrival.headers["location"])
    asked = await house.browser.post("/sign-in", data={"email": email, **hidden(page.text)})
    page = await house.browser.get(asked.headers["location"])
    assert "will open the account of this address" in page.text
    return await house.browser.post("/sign-in/code", data={"code": await newest_code(), **hidden(page.text)})


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<main")[2]))


# --- leaving -----------------------------------------------------------------------------------------------------


async def test_leaving_asks_for_as_little_as_is_needed(house: House) -> None:
    page = await house.browser.get("/sign-in", params={"next": "/e/coscon"})
    assert 'href="/sign-in/with/authing?next=%2Fe%2Fcoscon"' in page.text
    gone = await house.browser.get("/sign-in/with/authing", params={"next": "/e/coscon"})
    query = {name: values[0] for name, values in parse_qs(urlsplit(gone.headers["location"]).query).items()}
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == "http://127.0.0.1:8000/sign-in/return/authing"
    assert query["scope"] == "openid profile email"
    visit = await ProviderVisit.get()
    assert (visit.next_path, visit.account_id, visit.nonce) == ("/e/coscon", None, query["nonce"])
    # The state stands in no table, and the address that holds it in no referrer.
    assert query["state"] not in (visit.state_digest, visit.verifier, visit.nonce)
    assert gone.headers["referrer-policy"] == "no-referrer"
    assert gone.headers["cache-control"] == "no-store"
    assert (await house.browser.get("/sign-in/with/nobody")).status_code == 404
    assert (await house.browser.get("/sign-in/return/nobody?state=x&code=y")).status_code == 404


async def test_without_providers_the_page_names_none(database: Settings) -> None:
    app = main.create_app(database, workers=False)
    async with browser_of(app) as browser:
        assert "/sign-in/with/" not in (await browser.get("/sign-in")).text
        assert (await browser.get("/sign-in/with/authing")).status_code == 404


# --- coming back -------------------------------------------------------------------------------------------------


async def test_trusted_provider_with_a_verified_address_opens_its_account(house: House) -> None:
    known = await make_account("lin@example.org", name="林小满")
    done = await house.go(OIDC, next="/e/coscon")
    assert (done.status_code, done.headers["location"]) == (303, "/e/coscon")
    assert (await Identity.get()).account_id == known.id
    assert (await Identity.get()).subject == "u-lin"
    assert "lin@example.org" in await house.account()
    assert [line.verb for line in await JournalEntry.all()] == ["identity.join"]
    # The second time the address plays no part any more.
    house.fake.claims = {"email": "moved@example.org"}
    await house.browser.post("/sign-out")
    await house.go(OIDC)
    assert "lin@example.org" in await house.account()
    assert await Account.all().count() == 1


async def test_trusted_provider_makes_the_account_of_a_newcomer(house: House) -> None:
    await house.go(OIDC)
    assert (await Account.get()).email == "lin@example.org"
    assert await Letter.all().count() == 0


async def test_address_out_of_userinfo_counts_when_it_is_about_the_same_person(house: House) -> None:
    house.fake.claims = {"email": None, "email_verified": None}
    house.fake.userinfo = {"sub": "u-lin", "email": "Lin@Example.org", "email_verified": "true"}
    await house.go(OIDC)
    assert (await Account.get()).email == "lin@example.org"
    await house.browser.post("/sign-out")
    house.fake.userinfo["sub"] = "somebody else"
    assert "can't be relied on" in await house.said(await house.go(OIDC))


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "yes"},
        {"email": "not an address"},
    ],
)
async def test_unverified_address_opens_nothing_even_from_a_trusted_provider(
    house: House, claims: dict[str, Any]
) -> None:
    await make_account("lin@example.org")
    house.fake.claims = claims
    arrival = await house.go(OIDC)
    assert arrival.headers["location"] == "/sign-in?join=authing"
    assert await SignIn.all().count() == 0
    assert await Identity.all().count() == 0


async def test_untrusted_provider_needs_a_code_once(wary: House) -> None:
    owner = await make_account("lin@example.org")
    arrival = await wary.go(OIDC, next="/e/coscon")
    page = await wary.browser.get(arrival.headers["location"])
    assert "Prove once that an e-mail address is yours" in words_of(page.text)
    assert "林小满 at Authing" in words_of(page.text)
    assert hidden(page.text) == {"next": "/e/coscon", "join": "authing"}
    # The address that nobody vouched for is not even shown.
    assert "lin@example.org" not in page.text
    done = await prove(wary, arrival, "lin@example.org")
    assert (done.status_code, done.headers["location"]) == (303, "/e/coscon")
    assert (await Identity.get()).account_id == owner.id
    await wary.browser.post("/sign-out")
    again = await wary.go(OIDC)
    assert again.headers["location"] == "/"
    assert "Authing" in await wary.account()
    assert await Letter.all().count() == 1


@pytest.mark.parametrize(
    ("emails", "opens"),
    [
        ([{"email": "lin@example.org", "primary": True, "verified": True}], True),
        ([{"email": "lin@example.org", "primary": True, "verified": False}], False),
        ([{"email": "lin@example.org", "primary": False, "verified": True}], False),
        ([], False),
        ({"message": "odd"}, False),
    ],
)
async def test_github_address_must_be_primary_and_verified(
    database: Settings, emails: Any, opens: bool
) -> None:
    async with _house(database, trusted=(GITHUB,)) as house:
        house.fake.github_emails = emails
        arrival = await house.go(GITHUB)
        assert arrival.headers["location"] == ("/" if opens else "/sign-in?join=ghe")
        assert await SignIn.all().count() == int(opens)
        if opens:
            assert (await Identity.get()).subject == "583231"
            assert (await Identity.get()).display == "octolin"


@pytest.mark.parametrize(
    ("emails", "opens"),
    [
        ([{"email": "lin@example.org", "state": "confirmed", "scope": ["primary", "notified"]}], True),
        ([{"email": "lin@example.org", "state": "unconfirmed", "scope": ["primary"]}], False),
        ([{"email": "lin@example.org", "state": "confirmed", "scope": ["committed"]}], False),
        ([], False),
    ],
)
async def test_gitee_address_must_be_primary_and_confirmed(
    database: Settings, emails: Any, opens: bool
) -> None:
    async with _house(database, trusted=(GITEE,)) as house:
        house.fake.gitee_emails = emails
        arrival = await house.go(GITEE)
        assert arrival.headers["location"] == ("/" if opens else "/sign-in?join=gitee")
        assert await SignIn.all().count() == int(opens)


async def test_addresses_kept_private_are_no_error(wary: House) -> None:
    wary.fake.statuses = {"/api/v3/user/emails": 404, "/api/v5/emails": 403}
    for provider in (GITHUB, GITEE):
        arrival = await wary.go(provider)
        assert arrival.headers["location"] == f"/sign-in?join={provider}"


# --- whose browser, whose account --------------------------------------------------------------------------------


async def test_state_works_once(house: House) -> None:
    back = await house.answer(await house.leave(OIDC))
    assert (await house.browser.get(back)).headers["location"] == "/"
    await house.browser.post("/sign-out")
    asked = len(house.fake.asked)
    assert "begun in another browser" in await house.said(await house.browser.get(back))
    # A used state costs the provider no call.
    assert len(house.fake.asked) == asked
    assert await SignIn.all().count() == 0


async def test_state_of_another_browser_opens_nothing(house: House) -> None:
    back = await house.answer(await house.leave(OIDC))
    async with browser_of(house.app) as victim:
        await victim.get("/sign-in")
        refused = await victim.get(back)
        assert refused.headers["location"] == "/sign-in?said=visit_over"
        assert signin.COOKIE not in victim.cookies
    # And it is not used up by the stranger's try.
    assert (await house.browser.get(back)).headers["location"] == "/"


@pytest.mark.parametrize("spoil", ["state=x", "state=", "provider", "late"])
async def test_wrong_state_another_provider_and_a_late_return_open_nothing(house: House, spoil: str) -> None:
    back = await house.answer(await house.leave(OIDC))
    match spoil:
        case "provider":
            back = back.replace("/return/authing", "/return/gitee")
        case "late":
            async with unit_of_work():
                await ProviderVisit.all().update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        case _:
            back = re.sub(r"state=[^&]+", spoil, back)
    assert "begun in another browser" in await house.said(await house.browser.get(back))
    assert await SignIn.all().count() == 0


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"]
)
async def test_return_leads_to_this_site_only(house: House, target: str) -> None:
    assert (await house.go(OIDC, next=target)).headers["location"] == "/"


async def test_pending_visit_is_joined_only_where_it_was_asked_for(wary: House) -> None:
    """Somebody else who signs in by a code in the same browser must not get the stranger's identity."""
    await wary.go(GITEE)
    await wary.browser.post("/sign-in", data={"email": "ma@example.org"})
    await wary.browser.post("/sign-in/code", data={"code": await newest_code()})
    assert "ma@example.org" in await wary.account()
    assert await Identity.all().count() == 0


async def test_visit_that_is_over_is_said_before_a_code_is_sent(wary: House) -> None:
    arrival = await wary.go(GITEE)
    page = await wary.browser.get(arrival.headers["location"])
    async with unit_of_work():
        await ProviderVisit.all().update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    asked = await wary.browser.post("/sign-in", data={"email": "lin@example.org", **hidden(page.text)})
    assert "said=visit_over" in asked.headers["location"]
    assert await Letter.all().count() == 0


async def link_of_newest() -> str:
    from people.models import SignInCode

    row = await SignInCode.all().order_by("-id").first()
    assert row is not None
    return accounts.link_of(row.id, row.code_digest).removeprefix("http://127.0.0.1:8000")


async def test_link_joins_in_the_visits_own_browser_only(wary: House) -> None:
    """An attacker who asks for a code to a victim's address must not get their own identity into that account."""
    for is_own in (False, True):
        arrival = await wary.go(GITEE)
        page = await wary.browser.get(arrival.headers["location"])
        await wary.browser.post("/sign-in", data={"email": "lin@example.org", **hidden(page.text)})
        link = await link_of_newest()
        async with browser_of(wary.app) as other:
            browser = wary.browser if is_own else other
            page = await browser.get(link)
            assert ("Gitee" in words_of(page.text)) == is_own
            done = await browser.post("/sign-in/link", data=hidden(page.text))
            assert done.status_code == 303
            assert "lin@example.org" in (await browser.get("/account")).text
        assert await Identity.all().count() == int(is_own)


async def test_sign_in_is_rotated_by_a_provider_too(house: House) -> None:
    await house.go(OIDC)
    first = house.browser.cookies[signin.COOKIE]
    back = await house.answer(await house.leave_again())
    await house.browser.get(back)
    assert house.browser.cookies[signin.COOKIE] != first
    assert await SignIn.all().count() == 1


# --- the account page --------------------------------------------------------------------------------------------


async def test_providers_are_added_and_parted_on_the_account_page(house: House) -> None:
    account = await make_account("organiser@example.org")
    async with browser_of(house.app, account) as browser:
        house.browser = browser
        page = await browser.get("/account")
        assert 'href="/account/providers/ghe"' in page.text
        gone = await browser.get("/account/providers/ghe")
        done = await browser.get(await house.answer(gone.headers["location"]))
        assert done.headers["location"] == "/account?joined=ghe"
        page = await browser.get(done.headers["location"])
        assert "GitHub opens this account from now on." in words_of(page.text)
        assert "octolin" in words_of(page.text)
        assert "/account/providers/ghe" not in page.text
        identity = await Identity.get()
        assert (identity.account_id, identity.provider) == (account.id, "ghe")
        # Somebody else can't part it, nor can it be parted by looking.
        async with browser_of(house.app, await make_account()) as stranger:
            assert (await stranger.post(f"/account/identities/{identity.id}/part")).status_code == 404
        assert (await browser.get(f"/account/identities/{identity.id}/part")).status_code == 405
        parted = await browser.post(f"/account/identities/{identity.id}/part")
        assert "no longer opens this account" in words_of(
            (await browser.get(parted.headers["location"])).text
        )
        assert (await browser.post(f"/account/identities/{identity.id}/part")).status_code == 404
    assert await Identity.all().count() == 0
    assert [line.verb for line in await JournalEntry.all().order_by("id")] == [
        "identity.join",
        "identity.part",
    ]
    # Parting locks nobody out.
    async with browser_of(house.app) as browser:
        await browser.post("/sign-in", data={"email": "organiser@example.org"})
        await browser.post("/sign-in/code", data={"code": await newest_code()})
        assert (await browser.get("/account")).status_code == 200


async def test_identity_of_another_account_is_not_taken_over(house: House) -> None:
    await house.go(OIDC)
    account = await make_account("ma@example.org")
    async with browser_of(house.app, account) as browser:
        gone = await browser.get("/account/providers/authing")
        done = await browser.get(await house.answer(gone.headers["location"]))
        assert done.headers["location"].startswith("/account?said=identity_taken")
        assert "opens another account here" in words_of((await browser.get(done.headers["location"])).text)
    assert (await Identity.get()).account_id != account.id


async def test_adding_ends_with_the_sign_in_that_began_it(house: House) -> None:
    first, second = await make_account(), await make_account()
    async with browser_of(house.app, first) as browser:
        gone = await browser.get("/account/providers/authing")
        token = await accounts.open_sign_in(account_id=second.id, user_agent="t", at=datetime.now(UTC))
        browser.cookies.set(signin.COOKIE, token)
        done = await browser.get(await house.answer(gone.headers["location"]))
        assert done.headers["location"].startswith("/account?said=visit_over")
    assert await Identity.all().count() == 0


# --- wrong answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": ["another", CLIENT_ID], "azp": "another"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"sub": None},
        {"sub": 17},
        {"sub": "x" * 256},
        {"exp": None},
    ],
)
async def test_wrong_claims_sign_nobody_in(house: House, claims: dict[str, Any]) -> None:
    house.fake.claims = claims
    assert "can't be relied on" in await house.said(await house.go(OIDC))
    assert await SignIn.all().count() == await Identity.all().count() == 0


async def test_expired_and_foreign_signatures_sign_nobody_in(house: House) -> None:
    house.fake.lasts_s = -600
    assert "can't be relied on" in await house.said(await house.go(OIDC))
    house.fake.lasts_s, house.fake.signs_with = 300, fakes._FOREIGN_KEY
    assert "can't be relied on" in await house.said(await house.go(OIDC))
    assert await SignIn.all().count() == 0


async def test_signature_with_the_clients_secret_is_not_taken(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HS256 with a key that the client knows: anybody who has the client's secret could sign."""
    encode = jwt.encode
    key = OctKey.import_key(CLIENT_SECRET * 2)
    monkeypatch.setattr(
        jwt, "encode", lambda header, claims, _key: encode({"alg": "HS256", "kid": "one"}, claims, key)
    )
    assert "can't be relied on" in await house.said(await house.go(OIDC))


async def test_return_that_names_another_issuer_is_refused(house: House) -> None:
    back = await house.answer(await house.leave(OIDC))
    assert "can't be relied on" in await house.said(
        await house.browser.get(f"{back}&iss=https://evil.example")
    )
    back = await house.answer(await house.leave(OIDC))
    assert (await house.browser.get(f"{back}&iss={FAR}/oidc")).headers["location"] == "/"


@pytest.mark.parametrize("provider", [OIDC, GITHUB, GITEE])
async def test_denied_is_said_and_leads_on_by_mail(house: House, provider: str) -> None:
    back = await house.go(provider, answer="no", next="/e/coscon")
    assert "next=%2Fe%2Fcoscon" in back.headers["location"]
    assert "was not allowed to tell us who you are" in await house.said(back)


@pytest.mark.parametrize("spoil", [r"code=[^&]+", r"&?code=[^&]+"])
async def test_invented_and_missing_codes_sign_nobody_in(house: House, spoil: str) -> None:
    for provider in (OIDC, GITHUB, GITEE):
        back = await house.answer(await house.leave(provider))
        back = re.sub(spoil, "code=invented" if spoil.startswith("code") else "", back)
        assert "can't be relied on" in await house.said(await house.browser.get(back))


async def test_users_that_make_no_sense_sign_nobody_in(wary: House) -> None:
    odd: tuple[Any, ...] = ({"login": "x"}, {"id": "17"}, {"id": True}, [], None)
    for wary.fake.github_user in odd:
        assert "can't be relied on" in await wary.said(await wary.go(GITHUB))


@pytest.mark.parametrize(
    ("provider", "path"),
    [(OIDC, "/oidc/token"), (OIDC, "/oidc/jwks"), (GITHUB, "/api/v3/user"), (GITEE, "/oauth/token")],
)
async def test_slow_and_broken_providers_lead_back_to_the_mail(
    house: House, provider: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert providers.CALL_LIMIT_S == 5.0
    monkeypatch.setattr(providers, "CALL_LIMIT_S", 0.05)
    house.fake.delays_s = {path: 0.5}
    assert "does not answer at the moment" in await house.said(await house.go(provider))
    house.fake.delays_s, house.fake.statuses = {}, {path: 502}
    said = await house.said(await house.go(provider))
    assert "does not answer at the moment" in said or "can't be relied on" in said
    house.fake.statuses = {}
    assert (await house.go(provider)).headers["location"] in ("/", f"/sign-in?join={provider}")


async def test_provider_that_is_down_is_said_before_leaving(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "CALL_LIMIT_S", 0.05)
    path = "/oidc/.well-known/openid-configuration"
    for house.fake.delays_s, house.fake.statuses in (({path: 0.5}, {}), ({}, {path: 503})):
        gone = await house.browser.get("/sign-in/with/authing", params={"next": "/e/coscon"})
        assert gone.headers["location"].startswith("/sign-in?next=%2Fe%2Fcoscon&said=provider_down")
        assert "Authing does not answer" in await house.said(gone)
    account = await make_account()
    async with browser_of(house.app, account) as browser:
        gone = await browser.get("/account/providers/authing")
        assert gone.headers["location"] == "/account?said=provider_down&with=authing"
    assert await ProviderVisit.all().count() == 0


async def test_words_of_an_address_are_ours_alone(house: House) -> None:
    page = await house.browser.get("/sign-in?said=not_found&with=authing")
    assert "There is nothing at this address" not in page.text
    page = await house.browser.get("/sign-in?said=provider_down&with=<b>evil</b>")
    assert "evil" not in words_of(page.text)


# --- what is told to nobody --------------------------------------------------------------------------------------


async def test_no_secret_of_the_way_stands_in_a_log_or_a_table(
    wary: House, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("httpx2", "httpcore2", "authlib"):
        caplog.set_level(logging.WARNING, name)  # as main sets them
    caplog.set_level(logging.INFO)
    arrival = await wary.go(GITEE)
    await prove(wary, arrival, "lin@example.org")
    cookie = wary.browser.cookies[signin.COOKIE]
    await wary.browser.post("/sign-out")
    await wary.go(OIDC)
    wary.fake.claims = {"nonce": "another"}
    await wary.go(OIDC)
    link = await link_of_newest()
    await wary.browser.get(link)
    hush = {*wary.fake.secrets, CLIENT_SECRET, cookie, link.partition("key=")[2], "lin-gitee", "u-lin"}
    assert len(hush) > 10
    shown = "\n".join(
        line
        for line in caplog.text.splitlines()
        if "sign-in code for" not in line  # development's own line
    )
    assert "/sign-in/return/{provider}" in shown
    assert "provider authing answered wrongly" in shown
    assert [one for one in hush if one in shown] == []
    journal = str([(line.old, line.new) for line in await JournalEntry.all()])
    assert [one for one in hush if one in journal] == []
    # State, code and token stand in no table; nonce and verifier stand in the visit alone, until it is purged.
    visits = str(await db.query("SELECT * FROM provider_visit"))
    rest = str(
        [
            await db.query(f"SELECT * FROM {table}")
            for table in ("sign_in", "sign_in_code", "letter", "identity")
        ]
    )
    assert link.partition("key=")[2] not in rest
    kept = {row.nonce for row in await ProviderVisit.all()} | {
        row.verifier for row in await ProviderVisit.all()
    }
    for one in wary.fake.secrets - kept:
        assert one not in visits + rest
