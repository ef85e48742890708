"""A passport's pages through ASGI: what a stranger, staff and the holder see, with neither JavaScript nor trust."""

from __future__ import annotations

import html
import io
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
import orjson
import pytest
import zxingcpp
from PIL import Image
from starlette.applications import Starlette

import main
from checkin import passports
from checkin.models import Checkpoint, Passport, Scan
from checkin.passports import PassportView
from events.models import Event, Registration, TicketType
from events.registrations import Changed, secret_of
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from people import accounts
from people.models import Account
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_registration,
    make_role,
    make_ticket_type,
)
from web import signin

BASE = "http://127.0.0.1:8000"
NAME = "林小满"


@dataclass
class House:
    app: Starlette
    event: Event
    kind: TicketType
    registration: Registration
    passport: PassportView
    gate: Checkpoint

    @property
    def home(self) -> str:
        return f"/e/{self.event.slug}"

    @property
    def mine(self) -> str:
        return f"{self.home}/me/{self.registration.id}"

    @property
    def key(self) -> str:
        return secret_of(self.registration.id, 0)

    async def another(self, **more: object) -> tuple[Registration, PassportView]:
        return await register(self.event, self.kind, **more)


async def register(event: Event, kind: TicketType, **more: object) -> tuple[Registration, PassportView]:
    row = await make_registration(event, kind, **more)
    async with unit_of_work():
        await passports.follow_registrations(Changed(event.id, [row.id]))
    return row, (await passports.by_registration([row.id]))[row.id]


@pytest.fixture
async def house(database: Settings) -> House:
    app = main.create_app(database, workers=False)
    event = await make_event("coscon23", city={"zh-Hans": "成都", "en": "Chengdu"})
    kind = await make_ticket_type(
        event,
        "speaker",
        name={"zh-Hans": "讲师", "en": "Speaker"},
        door_note={"zh-Hans": "红色挂绳", "en": "Red lanyard"},
    )
    registration, passport = await register(
        event, kind, name=NAME, organisation="开源社", email="lin@example.org"
    )
    gate = await make_checkpoint(event, name={"zh-Hans": "北门", "en": "North gate"}, scans_exits=True)
    return House(app, event, kind, registration, passport, gate)


@asynccontextmanager
async def browser(
    house: House, account: Account | None = None, **headers: str
) -> AsyncIterator[httpx2.AsyncClient]:
    cookies = {}
    if account is not None:
        token = await accounts.open_sign_in(account_id=account.id, user_agent="test", at=datetime.now(UTC))
        cookies[signin.COOKIE] = token
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(house.app),
        base_url=BASE,
        cookies=cookies,
        headers={"sec-fetch-site": "same-origin", "accept-language": "en", **headers},
    ) as client:
        yield client


async def staff(house: House, role: str = "scanner", checkpoint: Checkpoint | None = None) -> Account:
    account = await make_account()
    scope = ("checkpoint", checkpoint.id) if checkpoint else ("", 0)
    await make_role(house.event, account, role, *scope)
    return account


def decoded(response: httpx2.Response) -> str:
    picture = Image.open(io.BytesIO(response.content)).convert("L")
    return zxingcpp.read_barcodes(picture)[0].text


def forms(page: str) -> list[dict[str, str]]:
    """The hidden and submitted values of every form that scans."""
    every = re.findall(r'<form method="post" action="[^"]*/scan">(.*?)</form>', page, re.DOTALL)
    return [
        {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
        for form in every
    ]


# --- what the QR code opens --------------------------------------------------------------------------------------


async def test_the_token_goes_into_a_cookie_and_out_of_the_address(house: House) -> None:
    async with browser(house) as client:
        first = await client.get(f"/p?token={house.passport.token}")
        assert (first.status_code, first.headers["location"]) == (303, "/p")
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Max-Age=600" in cookie
        second = await client.get("/p")
    for response in (first, second):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"
    assert second.status_code == 200 and house.passport.token not in second.text


async def test_a_stranger_sees_the_event_and_nothing_of_its_holder(house: House) -> None:
    async with browser(house) as client:
        page = (await client.get(f"/p?token={house.passport.token}", follow_redirects=True)).text
    assert "China Open Source Conference" in page and "Chengdu" in page and "open-source passport" in page
    for private in (
        NAME,
        "开源社",
        "Speaker",
        "lin@example.org",
        house.passport.short_code,
        "code.png",
        "/scan",
    ):
        assert private not in page


async def test_a_token_is_read_in_any_case_and_with_a_space_around(house: House) -> None:
    async with browser(house) as client:
        response = await client.get("/p", params={"token": f" {house.passport.token.upper()} "})
    assert response.status_code == 303


@pytest.mark.parametrize("token", ["", "x", "0" * 32, "f" * 31, "' OR 1=1", "0" * 5000, "你好", "\x00" * 32])
async def test_everything_that_is_no_passport_is_one_and_the_same_404(house: House, token: str) -> None:
    async with browser(house) as client:
        unknown = await client.get("/p", params={"token": "1" * 32})
        given = await client.get("/p", params={"token": token})
        without = await client.get("/p")
    pages = [re.sub(r'mono">\w+<', "", response.text) for response in (unknown, given, without)]
    assert {response.status_code for response in (unknown, given, without)} == {404}
    assert pages[0] == pages[1] == pages[2] and "no such passport" in pages[0]
    assert "set-cookie" not in given.headers and "set-cookie" not in unknown.headers


async def test_a_drafts_passport_is_the_same_404_for_outsiders(database: Settings, house: House) -> None:
    draft = await make_event("draft", state="draft")
    _, passport = await register(draft, await make_ticket_type(draft))
    async with browser(house) as client:
        real = await client.get(f"/p?token={passport.token}", follow_redirects=True)
        unknown = await client.get(f"/p?token={'1' * 32}")
    assert real.status_code == unknown.status_code == 404 and "no such passport" in real.text


async def test_staff_see_who_it_is_and_one_press_scans(house: House) -> None:
    async with browser(house, await staff(house)) as client:
        page = await client.get(f"/p?token={house.passport.token}", follow_redirects=True)
        assert (
            NAME in page.text
            and "开源社" in page.text
            and "Speaker" in page.text
            and "Red lanyard" in page.text
        )
        assert "Valid" in page.text and page.headers["cache-control"] == "no-store"
        entry, leave = forms(page.text)
        assert (entry["direction"], leave["direction"]) == ("entry", "exit") and entry["checkpoint"] == str(
            house.gate.id
        )
        done = await client.post(f"{house.home}/scan", data=entry)
        assert done.status_code == 200 and 'data-tone="go"' in done.text and "Welcome" in done.text
        # sent twice, or the page loaded again: the same scan
        again = await client.post(f"{house.home}/scan", data=entry)
        assert 'data-tone="go"' in again.text and "Welcome back" not in again.text
        assert await Scan.all().count() == 1
        # the next form is another scan; the checkpoint used last now stands alone on top
        repeat = await client.post(f"{house.home}/scan", data=forms(done.text)[0])
        assert "Welcome back" in repeat.text and "First:" in repeat.text
        assert await Scan.all().count() == 2


async def test_two_passports_open_at_once_are_not_mixed_up(house: House) -> None:
    _, second = await house.another(name="第二位")
    async with browser(house, await staff(house)) as client:
        first_page = (await client.get(f"/p?token={house.passport.token}", follow_redirects=True)).text
        await client.get(f"/p?token={second.token}", follow_redirects=True)
        done = await client.post(f"{house.home}/scan", data=forms(first_page)[0])
    assert NAME in done.text and (await Scan.get()).passport_id == house.passport.id


async def test_a_volunteer_has_buttons_for_the_own_checkpoints_only(house: House) -> None:
    other = await make_checkpoint(house.event, name={"en": "Speakers' entrance"})
    async with browser(house, await staff(house, checkpoint=other)) as client:
        page = (await client.get(f"/p?token={house.passport.token}", follow_redirects=True)).text
        assert [form["checkpoint"] for form in forms(page)] == [str(other.id)]
        refused = await client.post(
            f"{house.home}/scan", data=forms(page)[0] | {"checkpoint": str(house.gate.id)}
        )
    assert refused.status_code == 403 and await Scan.all().count() == 0


async def test_who_may_not_scan_is_a_stranger_and_cannot_post(house: House) -> None:
    body = {"scan_id": str(uuid.uuid4()), "code": house.passport.token, "checkpoint": str(house.gate.id)}
    other_event = await make_event("other")
    account = await make_account()
    await make_role(other_event, account, "scanner")
    async with browser(house, account) as client:
        page = (await client.get(f"/p?token={house.passport.token}", follow_redirects=True)).text
        assert NAME not in page and not forms(page)
        assert (await client.post(f"{house.home}/scan", data=body)).status_code == 403
    async with browser(house) as client:
        led = await client.post(f"{house.home}/scan", data=body)
        assert led.status_code == 303 and "/sign-in" in led.headers["location"]
    async with browser(house, await staff(house), **{"sec-fetch-site": "cross-site"}) as client:
        assert (await client.post(f"{house.home}/scan", data=body)).status_code == 403
    assert await Scan.all().count() == 0


@pytest.mark.parametrize(
    "broken", [{"scan_id": "x"}, {"checkpoint": "north"}, {"direction": "up"}, {"code": ""}, {}]
)
async def test_a_broken_form_is_a_clear_no(house: House, broken: dict[str, str]) -> None:
    body = {"scan_id": str(uuid.uuid4()), "code": "x", "checkpoint": str(house.gate.id)}
    async with browser(house, await staff(house)) as client:
        response = await client.post(f"{house.home}/scan", data=body | broken if broken else {})
    assert response.status_code == 422 and await Scan.all().count() == 0


async def test_a_reissued_token_shows_staff_that_it_was_replaced(house: House) -> None:
    await passports.reissue(
        actor=SYSTEM, event_id=house.event.id, passport_id=house.passport.id, at=datetime.now(UTC)
    )
    async with browser(house, await staff(house)) as client:
        page = (await client.get(f"/p?token={house.passport.token}", follow_redirects=True)).text
        assert NAME in page and "This code was replaced" in page and "Revoked" in page
        done = await client.post(f"{house.home}/scan", data=forms(page)[0])
    assert 'data-tone="stop"' in done.text and (await Scan.get()).verdict == "revoked"


# --- the holder's own page ---------------------------------------------------------------------------------------


async def test_a_secret_link_opens_on_a_press_and_a_get_changes_nothing(house: House) -> None:
    async with browser(house) as client:
        link = await client.get(f"{house.home}/me?key={house.key}")
        assert link.status_code == 200 and "set-cookie" not in link.headers and NAME not in link.text
        assert link.headers["referrer-policy"] == "no-referrer"
        assert (await client.get(house.mine)).status_code == 303
        opened = await client.post(f"{house.home}/me", data={"key": house.key})
        assert (opened.status_code, opened.headers["location"]) == (303, house.mine)
        assert "HttpOnly" in opened.headers["set-cookie"]
        mine = await client.get(house.mine)
        assert mine.status_code == 200 and NAME in mine.text and "Speaker" in mine.text
        assert (
            mine.headers["cache-control"] == "no-store" and mine.headers["referrer-policy"] == "no-referrer"
        )
        assert house.passport.token not in mine.text and house.key not in mine.text
        assert NAME in (await client.get(f"{house.home}/me")).text


@pytest.mark.parametrize(
    "key", ["", "x", "1-", "1-AAAAAAAAAAAAAAAAAAAAAA", "9" * 40, "9" * 30 + "-x", "1-你好"]
)
async def test_a_wrong_key_is_refused_kindly(house: House, key: str) -> None:
    async with browser(house) as client:
        shown = await client.get(f"{house.home}/me", params={"key": key})
        assert (
            shown.status_code == 404 and "no longer works" in shown.text and "set-cookie" not in shown.headers
        )
        posted = await client.post(f"{house.home}/me", data={"key": key})
        assert posted.status_code in (404, 422) and "set-cookie" not in posted.headers


async def test_an_older_rounds_key_and_another_events_open_nothing(house: House) -> None:
    other = await make_event("other")
    async with browser(house) as client:
        elsewhere = await client.post(f"/e/{other.slug}/me", data={"key": house.key})
        assert elsewhere.status_code == 404
        async with unit_of_work():
            await Registration.filter(id=house.registration.id).update(secret_round=1)
        assert (await client.post(f"{house.home}/me", data={"key": house.key})).status_code == 404


async def test_signing_in_with_the_registrations_address_opens_it(house: House) -> None:
    async with browser(house, await make_account("lin@example.org")) as client:
        page = (await client.get(f"{house.home}/me")).text
        assert NAME in page and f"{house.mine}/code.png" in page
        link = (await client.get(f"/p?token={house.passport.token}", follow_redirects=True)).text
        assert house.mine in link and "It is yours" in link
    async with browser(house, await make_account("somebody@example.org")) as client:
        assert "No passport here yet" in (await client.get(f"{house.home}/me")).text
        assert (await client.get(house.mine)).status_code == 404
    async with browser(house) as client:
        assert NAME not in (await client.get(f"{house.home}/me")).text


async def test_several_under_one_address_are_listed(house: House) -> None:
    second, _ = await house.another(name="林大满", email="lin@example.org")
    third, _ = await house.another(name="别人", email="other@example.org")
    async with browser(house, await make_account("lin@example.org")) as client:
        page = (await client.get(f"{house.home}/me")).text
        assert NAME in page and "林大满" in page and "别人" not in page
        # and by their links: a family's passports side by side in one browser
        await client.post(f"{house.home}/me", data={"key": secret_of(third.id, 0)})
        assert "别人" in (await client.get(f"{house.home}/me")).text
        assert (await client.get(f"{house.home}/me/{second.id}")).status_code == 200


async def test_the_pictures_hold_the_address_and_only_the_holder_gets_them(house: House) -> None:
    address = f"{BASE}/p?token={house.passport.token}"
    async with browser(house, await make_account("lin@example.org")) as client:
        png = await client.get(f"{house.mine}/code.png")
        assert png.headers["content-type"] == "image/png" and decoded(png) == address
        assert (
            png.headers["cache-control"] == "no-store"
            and "attachment" not in png.headers["content-disposition"]
        )
        assert (
            "attachment" in (await client.get(f"{house.mine}/code.png?save")).headers["content-disposition"]
        )
        assert decoded(await client.get(f"{house.mine}/card.png")) == address
        svg = await client.get(f"{house.mine}/code.svg")
        assert svg.headers["content-type"].startswith("image/svg+xml") and b"<path" in svg.content
        assert NAME in (await client.get(f"{house.mine}/print")).text
    async with browser(house, await make_account()) as client:
        for name in ("code.png", "code.svg", "card.png", "print"):
            assert (await client.get(f"{house.mine}/{name}")).status_code == 404


async def test_a_cancelled_passport_shows_that_it_is_and_gives_no_code(house: House) -> None:
    async with unit_of_work():
        await Registration.filter(id=house.registration.id).update(state="cancelled")
        await passports.follow_registrations(Changed(house.event.id, [house.registration.id]))
    async with browser(house, await make_account("lin@example.org")) as client:
        page = (await client.get(f"{house.home}/me")).text
        assert "Cancelled" in page and "code.png" not in page and house.passport.short_code not in page
        assert (await client.get(f"{house.mine}/code.png")).status_code == 404
        assert (await client.get(f"{house.mine}/card.png")).status_code == 404


async def test_the_calendar_file_names_the_event_and_nobody(house: House) -> None:
    async with browser(house) as client:
        response = await client.get(f"{house.home}/me/calendar.ics")
    assert response.headers["content-type"].startswith("text/calendar")
    assert "DTSTART;VALUE=DATE:20231028" in response.text and "DTEND;VALUE=DATE:20231030" in response.text
    assert NAME not in response.text


async def test_after_registering_the_browser_is_the_holders(house: House) -> None:
    path, cookie, value = await passports.after_registering(house.registration.id)
    async with browser(house) as client:
        client.cookies.set(cookie, value)
        assert path == house.mine and NAME in (await client.get(path)).text


# --- organisers --------------------------------------------------------------------------------------------------


async def test_an_organiser_makes_a_new_passport(house: House) -> None:
    at = f"{house.home}/registrations/{house.registration.id}/passport"
    async with browser(house, await staff(house, "organiser")) as client:
        page = (await client.get(at)).text
        assert NAME in page and house.passport.short_code[:4] in page and f"{at}/reissue" in page
        done = await client.post(f"{at}/reissue", follow_redirects=True)
        assert "A new passport was made" in done.text
        revoked = await client.post(f"{at}/revoke", follow_redirects=True)
        assert "was revoked" in revoked.text and f"{at}/revoke" not in revoked.text
    row = await Passport.get()
    assert row.token != house.passport.token and row.status == "revoked"


async def test_scanners_and_strangers_can_neither_see_nor_reissue(house: House) -> None:
    at = f"{house.home}/registrations/{house.registration.id}/passport"
    async with browser(house, await staff(house)) as client:
        for method, path in (("GET", at), ("POST", f"{at}/reissue"), ("POST", f"{at}/revoke")):
            assert (await client.request(method, path)).status_code == 403
        page = (await client.get(f"/p?token={house.passport.token}", follow_redirects=True)).text
        assert "reissue" not in page and house.passport.short_code not in page
    async with browser(house, await make_account("lin@example.org")) as client:
        assert (await client.post(f"{at}/reissue")).status_code == 403
    assert (await Passport.get()).token == house.passport.token


async def test_another_events_registration_is_not_there(house: House) -> None:
    other = await make_event("other")
    account = await make_account()
    await make_role(other, account, "owner")
    at = f"/e/other/registrations/{house.registration.id}/passport"
    async with browser(house, account) as client:
        assert (await client.get(at)).status_code == 404
        assert (await client.post(f"{at}/reissue")).status_code == 404
        assert (await client.get(f"/e/other/me/{house.registration.id}/code.png")).status_code == 404


# --- the scanner page --------------------------------------------------------------------------------------------


async def test_the_scanner_page_carries_all_it_says_and_its_own_policy(house: House) -> None:
    await make_checkpoint(house.event, name={"zh-Hans": "午餐 <b>", "en": 'Lunch "</script>'}, kind="meal")
    async with browser(house, await staff(house)) as client:
        response = await client.get(f"{house.home}/scan")
    assert response.status_code == 200
    assert "'wasm-unsafe-eval'" in response.headers["content-security-policy"]
    assert "'unsafe-inline'" not in response.headers["content-security-policy"]
    block = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', response.text, re.DOTALL)
    assert block is not None
    data = orjson.loads(block[1])
    assert [one["name"]["en"] for one in data["checkpoints"]] == ["North gate", 'Lunch "</script>']
    assert set(data["strings"]) == {"zh-Hans", "en"} and set(data["strings"]["en"]) == set(
        data["strings"]["zh-Hans"]
    )
    assert data["api"]["scans"] == f"{house.home}/api/scans" and "/0/" in data["api"]["counts"]
    used = set(re.findall(r'data-t="(\w+)"', response.text))
    assert used <= set(data["strings"]["en"])


async def test_the_scanner_offers_the_own_checkpoints_only(house: House) -> None:
    other = await make_checkpoint(house.event, name={"en": "Speakers' entrance"})
    async with browser(house, await staff(house, checkpoint=other)) as client:
        page = (await client.get(f"{house.home}/scan")).text
    assert "Speakers&#39; entrance" in page and "North gate" not in page


async def test_the_scanner_is_for_scanners(house: House) -> None:
    async with browser(house) as client:
        assert (await client.get(f"{house.home}/scan")).status_code == 303
    async with browser(house, await make_account()) as client:
        assert (await client.get(f"{house.home}/scan")).status_code == 403


# --- what leaves the house ---------------------------------------------------------------------------------------


async def test_the_letter_gets_picture_link_and_short_code_when_it_is_sent(house: House) -> None:
    for locale, words in (("en", "Your passport page"), ("zh-Hans", "你的开源护照")):
        parts = await passports.letter_parts(house.registration.id, locale)
        assert parts is not None
        [picture] = parts.attachments
        found = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture.data)).convert("L"))
        assert found[0].text == f"{BASE}/p?token={house.passport.token}" and picture.inline_id
        assert words in parts.text_suffix and f"{BASE}{house.home}/me?key={house.key}" in parts.text_suffix
        assert passports.spoken(house.passport.short_code) in parts.text_suffix
        assert house.passport.token not in parts.text_suffix


async def test_a_cancelled_registrations_letter_is_not_sent(house: House) -> None:
    async with unit_of_work():
        await Registration.filter(id=house.registration.id).update(state="cancelled")
        await passports.follow_registrations(Changed(house.event.id, [house.registration.id]))
    assert await passports.letter_parts(house.registration.id, "en") is None
    assert await passports.letter_parts(999_999, "en") is None


async def test_the_export_has_link_short_code_and_picture(house: House) -> None:
    other = await make_event("other")
    columns = await passports.export_columns(house.event.id, [house.registration.id])
    assert [list(values.values()) for values in columns.values()] == [
        [f"{BASE}{house.home}/me?key={house.key}"],
        [house.passport.short_code],
        # a badge's number and box, of which it has none yet
        [],
        [""],
    ]
    assert list(await passports.export_columns(house.event.id, [])) == list(columns)
    assert not any((await passports.export_columns(other.id, [house.registration.id])).values())
    texts = await passports.export_pictures.texts(house.event.id, [house.registration.id])
    assert texts == {house.registration.id: f"{BASE}/p?token={house.passport.token}"}
    assert passports.export_pictures.draw(texts[house.registration.id])[:4] == b"\x89PNG"
    assert await passports.export_texts(other.id, [house.registration.id]) == {}
