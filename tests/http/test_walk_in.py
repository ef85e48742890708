"""The walk-in desk through ASGI: registered in one line, taken along by one phone, admitted by the ordinary scan."""

from __future__ import annotations

import asyncio
import html
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

import main
from checkin import walk_in
from checkin.models import Passport, Scan
from checkin.walk_in_rules import LASTS_MS, Pass, Purpose, make_pass
from events.models import Event, Registration, TicketType
from kernel.db import unit_of_work
from kernel.settings import Settings
from people.models import JournalEntry, Letter
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_registration,
    make_role,
    make_ticket_type,
)
from tests.http.desk_house import browser_of, problem, words_of

DAY = "/e/coscon/walk-in"


@dataclass
class House:
    app: Starlette
    event: Event
    general: TicketType
    browser: httpx2.AsyncClient

    async def send(self, **values: Any) -> httpx2.Response:
        data = {"form": str(uuid.uuid4()), "ticket_type": str(self.general.id), "name": "林小满"}
        return await self.browser.post(DAY, data=data | values)

    async def role(self, role: str, *scope: Any) -> httpx2.AsyncClient:
        """Another volunteer's browser, open until the test ends."""
        account = await make_account()
        await make_role(self.event, account, role, *scope)
        return await _open.enter(self.app, account)


class _Open:
    """Browsers that are closed behind the test."""

    def __init__(self) -> None:
        self.stack: list[Any] = []

    async def enter(self, app: Starlette, account: Any = None) -> httpx2.AsyncClient:
        context = browser_of(app, account)
        self.stack.append(context)
        return await context.__aenter__()

    async def close(self) -> None:
        while self.stack:
            await self.stack.pop().__aexit__(None, None, None)


_open = _Open()


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    app = main.create_app(database, workers=False)
    event = await make_event("coscon")
    general = await make_ticket_type(event, "general", is_walk_in=True)
    account = await make_account()
    await make_role(event, account, "scanner")
    browser = await _open.enter(app, account)
    yield House(app, event, general, browser)
    await _open.close()


def fields(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the first form that posts to an address ending so."""
    form = re.search(rf'<form[^>]*action="[^"]*{re.escape(action)}"[^>]*>(.*?)</form>', page, re.DOTALL)
    assert form, action
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form[1])
    return {name: html.unescape(value) for name, value in found}


async def test_a_name_is_enough(house: House) -> None:
    page = (await house.browser.get(DAY)).text
    assert re.search(r'<input[^>]*name="name"[^>]*autofocus', page)
    assert re.search(rf'value="{house.general.id}"\s+checked', page)
    answer = await house.send()
    row = await Registration.get()
    assert (answer.status_code, answer.headers["location"]) == (303, f"{DAY}/{row.id}")
    assert (row.source, row.state, row.email, row.phone) == ("walk_in", "confirmed", "", "")
    assert await Letter.all().count() == 0
    done = await house.browser.get(answer.headers["location"])
    assert done.headers["cache-control"] == "no-store"
    assert "林小满" in words_of(done.text)
    assert "Take the passport along" in words_of(done.text)
    passport = await Passport.get()
    assert passport.token not in done.text


async def test_with_an_address_the_passport_is_sent_as_well(house: House) -> None:
    await house.send(contact="Xiaoman@Example.org", organisation="开源社")
    await house.send(contact="138 0013 8000", name="王芳")
    rows = {row.name: row for row in await Registration.all()}
    assert (rows["林小满"].email, rows["林小满"].organisation) == ("xiaoman@example.org", "开源社")
    assert (rows["王芳"].phone, rows["王芳"].phone_last4) == ("+8613800138000", "8000")
    assert (await Letter.get()).to_email == "xiaoman@example.org"


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"name": " "}, "name", "Please give a name."),
        ({"contact": "nobody@"}, "contact", "This is not an e-mail address."),
        ({"contact": "12"}, "contact", "This is not a phone number"),
        ({"organisation": "x" * 201}, "organisation", "This is too long: at most 200 characters."),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    house: House, typed: dict[str, str], field: str, words: str
) -> None:
    answer = await house.send(**typed)
    assert answer.status_code == 422
    assert problem(answer.text, field).startswith(words)
    assert await Registration.all().count() == 0


async def test_a_double_tap_registers_one(house: House) -> None:
    form = str(uuid.uuid4())
    answers = await asyncio.gather(*(house.send(form=form) for _ in range(8)))
    assert {answer.headers["location"] for answer in answers} == {f"{DAY}/{(await Registration.get()).id}"}
    again = await house.send(form=form)
    assert again.status_code == 303
    other = await house.send(form=form, name="王芳", anyway="1")
    assert other.status_code == 409
    assert "This form was sent before" in words_of(other.text)
    assert await Registration.all().count() == 1


async def test_a_namesake_is_shown_before_a_second_one_is_registered(house: House) -> None:
    await make_registration(
        house.event,
        house.general,
        name="林小满",
        organisation="开源社",
        email="secret@example.org",
        phone="+8613800138000",
    )
    await make_registration(house.event, house.general, name="林小满", state="cancelled", organisation="走了")
    answer = await house.send()
    words = words_of(answer.text)
    assert answer.status_code == 200
    assert "Somebody of this name is registered already" in words
    assert "林小满 · 开源社" in words
    assert "走了" not in words
    assert "secret@example.org" not in answer.text
    assert "8000" not in words
    assert await Registration.all().count() == 2
    sent = fields(answer.text, "/walk-in") | {"name": "林小满", "ticket_type": str(house.general.id)}
    assert sent["anyway"] == "1"
    assert (await house.browser.post(DAY, data=sent)).status_code == 303
    assert await Registration.all().count() == 3


async def test_only_types_of_the_door_and_a_lead_may_give_others(house: House) -> None:
    vip = await make_ticket_type(house.event, "vip", name={"en": "VIP", "zh-Hans": "贵宾"})
    online = await make_ticket_type(
        house.event, "online", name={"en": "Online", "zh-Hans": "线上"}, is_walk_in=True
    )
    page = words_of((await house.browser.get(DAY)).text)
    assert "VIP" not in page
    assert (await house.send(ticket_type=str(vip.id))).status_code == 422
    async with unit_of_work():
        await TicketType.filter(id=online.id).update(is_online=True)
    assert (await house.send(ticket_type=str(online.id))).status_code == 422
    for role in ("volunteer_lead", "organiser"):
        browser = await house.role(role)
        words = words_of((await browser.get(DAY)).text)
        assert "VIP" in words
        assert "Online" not in words
    for role in ("viewer", "partner_desk"):
        assert (await (await house.role(role)).get(DAY)).status_code == 403
    async with unit_of_work():
        await TicketType.all().update(is_walk_in=False)
    assert "No ticket type is given at the door" in words_of((await house.browser.get(DAY)).text)


async def test_a_full_type_is_said_and_a_lead_may_give_another(house: House) -> None:
    async with unit_of_work():
        await TicketType.filter(id=house.general.id).update(quota=1, taken=1)
    answer = await house.send()
    words = words_of(answer.text)
    assert answer.status_code == 409
    assert "This ticket type is full." in words
    assert "A volunteer lead may give another type." in words
    assert 'value="林小满"' in answer.text
    assert await Registration.all().count() == 0


async def test_the_phone_takes_the_passport_along_once(house: House) -> None:
    done = await house.browser.get((await house.send()).headers["location"])
    row = await Registration.get()
    picture = await house.browser.get(f"{DAY}/{row.id}/claim.svg")
    assert (picture.headers["content-type"], picture.headers["cache-control"]) == (
        "image/svg+xml",
        "no-store",
    )
    key = claim_of(house, row.id)
    phone, other = await _open.enter(house.app), await _open.enter(house.app)
    # A crawler's look changes nothing.
    looks = [await phone.get(f"/e/coscon/claim?key={key}") for _ in range(2)]
    for look in looks:
        assert "Welcome, 林小满" in words_of(look.text)
        assert (look.headers["referrer-policy"], look.headers["cache-control"]) == ("no-referrer", "no-store")
    sent = fields(looks[0].text, "/claim")
    # The answer got lost, and the same press comes again.
    lost, taken = [await phone.post("/e/coscon/claim", data=sent) for _ in range(2)]
    assert lost.status_code == taken.status_code == 303
    assert lost.headers["location"] == taken.headers["location"] == f"/e/coscon/me/{row.id}"
    assert "林小满" in words_of((await phone.get(taken.headers["location"])).text)
    late = fields((await other.get(f"/e/coscon/claim?key={key}")).text, "/claim")
    refused = await other.post("/e/coscon/claim", data=late)
    assert refused.status_code == 404
    assert "used on another phone already" in words_of(refused.text)
    assert (await other.get(f"/e/coscon/me/{row.id}")).status_code in (303, 401)
    entry = await JournalEntry.get(verb="passport.claim")
    assert entry.actor_key == f"holder:{row.id}"
    assert "no-store" in done.headers["cache-control"]


def claim_of(house: House, registration_id: int) -> str:
    """The claim that the picture on the desk's screen holds."""
    text = house.browser.cookies[f"huiwu_walk_in_{house.event.id}"]
    number, made, _ = text.split("-", 2)
    assert int(number) == registration_id
    return make_pass(b"k" * 40, Purpose.CLAIM, Pass(int(number), int(made)))


async def test_claims_end_and_new_ones_are_made(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.send()
    row = await Registration.get()
    first = claim_of(house, row.id)
    now = datetime.now(UTC).timestamp() * 1000
    monkeypatch.setattr(walk_in, "_now_ms", lambda _at: int(now) + LASTS_MS[Purpose.CLAIM] + 1000)
    phone = await _open.enter(house.app)
    refused = await phone.get(f"/e/coscon/claim?key={first}")
    assert (refused.status_code, "for some minutes only" in words_of(refused.text)) == (404, True)
    fresh = await house.browser.post(f"{DAY}/{row.id}/fresh")
    assert fresh.headers["location"] == f"{DAY}/{row.id}"
    assert (await phone.get(f"/e/coscon/claim?key={claim_of(house, row.id)}")).status_code == 200
    for wrong in ("", "1-2-3", first + "x"):
        assert (await phone.get("/e/coscon/claim", params={"key": wrong})).status_code == 404
        posted = await phone.post("/e/coscon/claim", data={"key": wrong or "-", "phone": str(uuid.uuid4())})
        assert posted.status_code == 404
    # One event's claim opens nothing in another.
    await make_event("other")
    assert (await phone.get(f"/e/other/claim?key={claim_of(house, row.id)}")).status_code == 404


async def test_nobody_opens_other_peoples_passports_from_the_desk(house: House) -> None:
    await house.send()
    mine = await Registration.get()
    other = await make_registration(house.event, house.general)
    stranger = await house.role("scanner")
    cookie = f"huiwu_walk_in_{house.event.id}"
    stranger.cookies.set(cookie, house.browser.cookies[cookie])
    for browser, number in ((house.browser, other.id), (stranger, mine.id)):
        assert (await browser.get(f"{DAY}/{number}")).headers["location"] == DAY
        for path in ("/claim.svg", "/passport.svg", "/print"):
            assert (await browser.get(f"{DAY}/{number}{path}")).status_code == 404
        for path in ("/fresh", "/admit"):
            assert (await browser.post(f"{DAY}/{number}{path}")).status_code == 404


async def test_admitted_by_the_ordinary_scan_where_the_desk_may_scan(house: House) -> None:
    north, south = await make_checkpoint(house.event), await make_checkpoint(house.event)
    browser = await house.role("scanner", "checkpoint", south.id)
    house.browser = browser
    page = await browser.get((await house.send()).headers["location"])
    row = await Registration.get()
    assert f'name="checkpoint" value="{north.id}"' not in page.text
    sent = fields(page.text, "/admit")
    for _ in range(2):  # pressed twice is one scan
        answer = await browser.post(f"{DAY}/{row.id}/admit", data=sent)
        assert 'data-tone="go"' in answer.text
    scan = await Scan.get()
    assert (scan.checkpoint_id, scan.verdict) == (south.id, "admitted")
    other = {"scan_id": str(uuid.uuid4()), "checkpoint": str(north.id)}
    assert (await browser.post(f"{DAY}/{row.id}/admit", data=other)).status_code == 403
    bad = await browser.post(f"{DAY}/{row.id}/admit", data={"scan_id": "x"})
    assert bad.status_code == 422
    # With several checkpoints the one used at last stands on top for the next visitor.
    lead = house.browser = await house.role("volunteer_lead")
    page = await lead.get((await house.send(name="王芳")).headers["location"])
    assert "Other checkpoints" not in words_of(page.text)
    number = (await Registration.get(name="王芳")).id
    await lead.post(f"{DAY}/{number}/admit", data={"scan_id": str(uuid.uuid4()), "checkpoint": str(north.id)})
    page = await lead.get((await house.send(name="张三")).headers["location"])
    top, _, below = words_of(page.text).partition("Other checkpoints")
    assert north.name["en"] in top
    assert south.name["en"] in below


async def test_the_card_is_printed_from_the_desk(house: House) -> None:
    await house.send()
    row = await Registration.get()
    card = await house.browser.get(f"{DAY}/{row.id}/print")
    assert "林小满" in words_of(card.text)
    assert f"{DAY}/{row.id}/passport.svg" in card.text
    code = await house.browser.get(f"{DAY}/{row.id}/passport.svg")
    assert (code.status_code, code.headers["cache-control"]) == (200, "no-store")


async def test_a_broken_form_id_is_a_new_form(house: House) -> None:
    assert (await house.send(form="x")).status_code == 303
    assert await Registration.all().count() == 1


async def test_a_walk_ins_name_is_corrected_without_an_address(house: House) -> None:
    await house.send(name="林小蛮")
    row = await Registration.get()
    desk = await house.role("organiser")
    path = f"/e/coscon/desk/registrations/{row.id}/change"
    data = {"name": "林小满", "ticket_type_id": str(house.general.id), "locale": "zh-Hans"}
    assert (await desk.post(path, data=data)).status_code == 303
    assert (await Registration.get()).name == "林小满"
    other = await make_registration(house.event, house.general)
    refused = await desk.post(f"/e/coscon/desk/registrations/{other.id}/change", data=data)
    assert (refused.status_code, problem(refused.text, "email").startswith("Please give an e-mail")) == (
        422,
        True,
    )


async def test_the_scanner_leads_to_the_walk_in_desk(house: House) -> None:
    assert f'href="{DAY}"' in (await house.browser.get("/e/coscon/scan")).text
