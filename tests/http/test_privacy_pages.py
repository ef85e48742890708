"""One's own data on a page and as a file, and erasing it: by account, by a registration's own link, at the desk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

import main
from checkin.passports import holder_cookie
from events import registrations
from events.models import Registration, TicketType
from events.rules import Contact, RegistrationSource
from kernel.settings import Settings
from people.models import Account
from tests.factories import make_account
from tests.http.desk_house import Desk, browser_of, desk_of, words_of

SOON = datetime.now(UTC).date() + timedelta(days=20)
NAME, EMAIL = "欧阳震华", "ouyang@secret.example"


@pytest.fixture
async def desk(database: Settings) -> AsyncIterator[Desk]:
    app = main.create_app(database, workers=False)
    async with desk_of(app, starts_on=SOON, ends_on=SOON) as made:
        yield made


async def _registered(desk: Desk) -> int:
    return await registrations.register(
        event_id=desk.event.id,
        ticket_type_id=desk.vip.id,
        contact=Contact(name=NAME, email=EMAIL),
        source=RegistrationSource.ORGANISER,
        locale="zh-Hans",
        at=datetime.now(UTC),
    )


def _app(desk: Desk) -> object:
    return desk.browser._transport.app  # type: ignore[attr-defined]


async def test_an_account_looks_takes_along_and_erases(desk: Desk) -> None:
    await _registered(desk)
    account = await make_account(EMAIL, name=NAME)
    async with browser_of(_app(desk), account) as browser:  # type: ignore[arg-type]
        page = await browser.get("/account/data")
        assert page.headers["cache-control"] == "no-store"
        assert NAME in words_of(page.text)
        assert "VIP" in words_of(page.text)
        file = await browser.get("/account/data.json")
        assert file.headers["content-disposition"].startswith("attachment")
        assert file.json()["registrations"][0]["email"] == EMAIL
        unsure = await browser.post("/account/erasure", data={})
        assert unsure.status_code == 422
        assert "Tick this box" in words_of(unsure.text)
        assert await Account.filter(email=EMAIL).exists()
        done = await browser.post("/account/erasure", data={"sure": "1"})
        assert "Nothing here says any more who you were." in words_of(done.text)
        assert NAME not in done.text
        assert (await browser.get("/account/data")).status_code in (303, 401)
    assert not await Account.filter(email=EMAIL).exists()
    assert (await Registration.get()).name == ""


async def test_the_last_owner_is_told_what_to_do_first(desk: Desk) -> None:
    refused = await desk.browser.post("/account/erasure", data={"sure": "1"})
    assert refused.status_code == 409
    assert "An event needs an owner." in words_of(refused.text)
    assert (await desk.get()).status_code == 200


async def test_nobody_in_particular_is_led_to_the_sign_in(desk: Desk) -> None:
    async with browser_of(_app(desk)) as browser:  # type: ignore[arg-type]
        for path in ("/account/data", "/account/data.json", "/account/erasure"):
            assert (await browser.get(path)).status_code in (303, 401)


async def _holder(desk: Desk, browser: httpx2.AsyncClient, number: int) -> str:
    row = await Registration.get(id=number)
    browser.cookies.set(holder_cookie(number), registrations.secret_of(number, row.secret_round))
    return f"/e/{desk.event.slug}/me/{number}"


async def test_a_holder_does_the_same_by_the_own_link(desk: Desk) -> None:
    number, other = await _registered(desk), await _registered(desk)
    async with browser_of(_app(desk)) as browser:  # type: ignore[arg-type]
        base = await _holder(desk, browser, number)
        shown = words_of((await browser.get(f"{base}/data")).text)
        assert NAME in shown
        # Pages say words, files keep the codes.
        assert "State Valid" in " ".join(shown.split())
        file = (await browser.get(f"{base}/data.json")).json()
        assert [row["id"] for row in file["registrations"]] == [number]
        assert [row["status"] for row in file["passports"]] == ["valid"]
        foreign = f"/e/{desk.event.slug}/me/{other}"
        for path in ("/data", "/data.json", "/erasure"):
            assert (await browser.get(f"{foreign}{path}")).status_code in (303, 401, 404)
        assert (await browser.post(f"{foreign}/erasure", data={"sure": "1"})).status_code in (303, 401, 404)
        done = await browser.post(f"{base}/erasure", data={"sure": "1"})
        assert "Erased" in words_of(done.text)
        assert (await browser.get(f"{base}/data")).status_code in (303, 401, 404)
    assert (await Registration.get(id=number)).name == ""
    assert (await Registration.get(id=other)).name == NAME
    assert (await TicketType.get(id=desk.vip.id)).taken == 1


async def test_an_organiser_erases_who_asks_for_it(desk: Desk) -> None:
    number = await _registered(desk)
    path = f"/registrations/{number}/erasure"
    assert NAME in words_of((await desk.get(path)).text)
    assert (await desk.post(path)).status_code == 422
    gone = await desk.post(path, {"sure": "1"})
    assert gone.headers["location"].endswith("?done=erased")
    left = await desk.browser.get(gone.headers["location"])
    assert left.status_code == 200
    assert NAME not in left.text
    assert (await desk.get("/registrations/999/erasure")).status_code == 404
    assert (await desk.get("/registrations")).status_code == 200
