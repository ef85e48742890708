"""Behind an invitation's link: what a person reads, who may press the button, and where the secret goes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette

import main
from events import invitations
from events.invitation_rules import Wanted
from events.models import Event, Invitation, RoleGrant
from events.rules import Role
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.settings import Settings
from people.models import Account, SignInCode
from tests.factories import make_account, make_event, make_role
from tests.http.desk_house import browser_of, words_of


@pytest.fixture
def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


async def invited(role: Role = Role.SCANNER, **more: object) -> tuple[Event, Invitation, str]:
    made = await make_event("coscon", state="draft", **more)
    owner = await make_account("owner@example.org", name="林组织")
    await make_role(made, owner, "owner")
    number = await invitations.invite(
        actor=Actor(kind=ActorKind.ACCOUNT, id=owner.id, name=owner.name),
        event_id=made.id,
        email="new@example.org",
        wanted=Wanted(role),
        at=datetime.now(UTC),
    )
    return made, await Invitation.get(id=number), f"/invitation?key={invitations.key_of(number)}"


async def test_from_the_letter_through_the_sign_in_to_the_role(app: Starlette) -> None:
    made, invitation, link = await invited()
    async with browser_of(app) as browser:
        page = await browser.get(link)
        words = words_of(page.text)
        assert "China Open Source Conference" in words
        assert "Door scanner" in words
        assert "n***@example.org" in words
        assert "new@example.org" not in page.text
        # The key goes along in this browser's cookie, never in an address that is written down on the way.
        assert 'href="/sign-in?next=%2Finvitation"' in page.text
        assert invitations.key_of(invitation.id) not in page.text.partition("<main")[2]
        assert page.headers["cache-control"] == "no-store"
        assert (
            (await browser.post("/invitation", data={"key": link.partition("=")[2]}))
            .headers["location"]
            .startswith("/sign-in")
        )
        cookie = browser.cookies["huiwu_invitation"]
    account = await make_account("new@example.org")
    async with browser_of(app, account) as browser:
        browser.cookies.set("huiwu_invitation", cookie)
        page = await browser.get("/invitation")
        assert "Accept the invitation" in words_of(page.text)
        assert await RoleGrant.filter(account_id=account.id).count() == 0  # looking changes nothing
        done = await browser.post("/invitation", data={"key": cookie})
        assert (done.status_code, done.headers["location"]) == (303, "/invitation")
        welcome = await browser.get("/invitation")
        assert "Welcome to the team" in words_of(welcome.text)
        assert 'href="/e/coscon/scan"' in welcome.text
        assert (await browser.get("/e/coscon/scan")).status_code == 200
        # Twice is once.
        assert (await browser.post("/invitation", data={"key": cookie})).status_code == 303
    assert await RoleGrant.filter(account_id=account.id).count() == 1
    assert (await SignInCode.all().count(), made.slug) == (0, "coscon")


async def test_whoever_signs_in_elsewhere_finds_what_waits_for_the_address(app: Starlette) -> None:
    _, invitation, _ = await invited()
    async with browser_of(app, await make_account("new@example.org")) as browser:
        page = await browser.get("/invitation")
        assert "Accept the invitation" in words_of(page.text)
        assert f'value="{invitations.key_of(invitation.id)}"' in page.text
    async with browser_of(app, await make_account("other@example.org")) as browser:
        assert "Nothing is waiting for you" in words_of((await browser.get("/invitation")).text)
    async with browser_of(app) as browser:
        assert "Open the link of your letter" in words_of((await browser.get("/invitation")).text)


async def test_a_forwarded_letter_tells_whom_it_was_for_without_saying_it(app: Starlette) -> None:
    _, _, link = await invited()
    account = await make_account("friend@example.org")
    async with browser_of(app, account) as browser:
        for answer in (await browser.get(link), await browser.post("/invitation", data={"key": link[16:]})):
            assert answer.status_code == 403
            words = words_of(answer.text)
            assert "This invitation is for somebody else" in words
            assert "n***@example.org" in words
            assert "You are signed in as friend@example.org." in words
            assert "new@example.org" not in answer.text
            assert "Accept the invitation" not in words
    assert await RoleGrant.filter(account_id=account.id).count() == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, "has expired"),
        ({"revoked_at": datetime.now(UTC)}, "was withdrawn"),
        ({"accepted_at": datetime.now(UTC), "accepted_account_id": 10**6}, "accepted already"),
    ],
)
async def test_what_is_over_says_why(app: Starlette, change: dict[str, object], words: str) -> None:
    _, invitation, link = await invited()
    async with unit_of_work():
        await Invitation.filter(id=invitation.id).update(**change)
    account = await make_account("new@example.org")
    for someone in (None, account):
        async with browser_of(app, someone) as browser:
            answer = await browser.get(link)
            assert answer.status_code == 410
            assert words in words_of(answer.text)
            assert "China Open Source" not in words_of(answer.text)
    async with browser_of(app, account) as browser:
        answer = await browser.post("/invitation", data={"key": link[16:]})
        assert (answer.status_code, words in words_of(answer.text)) == (409, True)
    assert await RoleGrant.filter(account_id=account.id).count() == 0


@pytest.mark.parametrize("key", ["", "1", "1-", "x", "1-AAAAAAAAAAAAAAAAAAAAAA", "<script>", "9" * 40])
async def test_a_guessed_key_is_nothing(app: Starlette, key: str) -> None:
    await invited()
    async with browser_of(app, await make_account("new2@example.org")) as browser:
        answer = await browser.get("/invitation", params={"key": key})
        assert answer.status_code == 404
        assert "There is no such invitation" in words_of(answer.text)
        assert (await browser.post("/invitation", data={"key": key})).status_code in (404, 422)


async def test_the_key_stands_in_no_log_and_no_referrer_leaves(
    app: Starlette, caplog: pytest.LogCaptureFixture
) -> None:
    _, invitation, link = await invited()
    with caplog.at_level(logging.DEBUG):
        async with browser_of(app) as browser:
            answer = await browser.get(link)
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "/invitation" in caplog.text
    secret = invitations.key_of(invitation.id).partition("-")[2]
    # The test's own client writes its request lines down; ours are the others.
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert not any(secret in line for line in ours)


async def test_another_site_can_press_no_button(app: Starlette) -> None:
    _, _, link = await invited()
    account: Account = await make_account("new@example.org")
    async with browser_of(app, account) as browser:
        browser.headers["sec-fetch-site"] = "cross-site"
        answer = await browser.post("/invitation", data={"key": link[16:]})
        assert answer.status_code == 403
    assert await RoleGrant.filter(account_id=account.id).count() == 0
