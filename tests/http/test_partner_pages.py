"""A partner's link through ASGI: made at the desk, opened without an account, a list pasted, looked at, registered."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

import main
from checkin.models import Arrival, Passport
from events import partner_links
from events.models import Registration, RegistrationGroup
from kernel.db import unit_of_work
from kernel.settings import Settings
from people.models import Letter
from tests.factories import make_account, make_event, make_registration, make_role
from tests.http.desk_house import Desk, browser_of, desk_of, field, problem, words_of

LINK = {
    "name": "某大学开源课",
    "quota": "3",
    "contact_email": "teacher@example.org",
    "contact_name": "李老师",
}


@dataclass
class House:
    app: Starlette
    desk: Desk
    partner: httpx2.AsyncClient

    async def make(self, **more: Any) -> partner_links.LinkFacts:
        data = LINK | {"ticket_type_id": str(self.desk.general.id), "locale": "zh-Hans"} | more
        answer = await self.desk.post("/partners/new", data)
        assert answer.status_code == 303, words_of(answer.text)
        found = re.search(r"/partners/(\d+)", answer.headers["location"])
        assert found
        return await partner_links.find(self.desk.event.id, int(found[1]))

    async def open(self, link: partner_links.LinkFacts) -> httpx2.Response:
        key = partner_links.secret_of(link.id, link.secret_round)
        answer = await self.partner.get("/e/coscon/partner", params={"key": key})
        assert answer.status_code == 303
        return await self.partner.get(answer.headers["location"])

    async def paste(self, link: partner_links.LinkFacts, text: str, **more: str) -> httpx2.Response:
        return await self.partner.post(path(link), data={"people": text} | more)


def path(link: partner_links.LinkFacts) -> str:
    return f"/e/coscon/partner/{link.id}"


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    app = main.create_app(database, workers=False)
    async with desk_of(app) as desk, browser_of(app) as partner:
        yield House(app, desk, partner)


def hidden(page: str) -> dict[str, str]:
    """What the button that registers would send."""
    form = re.search(
        r"<form[^>]*>\s*<textarea name=\"people\" hidden>(.*?)</textarea>(.*?)</form>", page, re.DOTALL
    )
    assert form
    found = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form[2]))
    return found | {"people": html.unescape(form[1]).lstrip("\n"), "act": "register"}


async def test_the_desk_makes_a_link_and_shows_it(house: House) -> None:
    assert "No partner's link yet" in words_of((await house.desk.get("/partners")).text)
    link = await house.make()
    assert (link.quota, link.ticket_source, link.contact_email) == (3, "某大学开源课", "teacher@example.org")
    page = await house.desk.get(f"/partners/{link.id}")
    assert page.headers["cache-control"] == "no-store"
    assert partner_links.secret_of(link.id, 0) in page.text
    code = await house.desk.get(f"/partners/{link.id}/code.png")
    assert (code.content[:4], code.headers["cache-control"]) == (b"\x89PNG", "no-store")
    words = words_of((await house.desk.get("/partners")).text)
    assert "某大学开源课" in words
    assert "0 / 3" in words
    sent = await house.desk.post(f"/partners/{link.id}/letter", {"form": "x"})
    assert sent.headers["location"].endswith("?done=sent")
    assert (await Letter.get()).to_email == "teacher@example.org"


async def test_what_is_wrong_with_a_link_is_said_at_its_field(house: House) -> None:
    data = {
        "name": "",
        "quota": "viele",
        "contact_email": "nobody",
        "valid_until": "morgen",
        "ticket_type_id": "x",
    }
    answer = await house.desk.post("/partners/new", data)
    assert answer.status_code == 422
    assert problem(answer.text, "name") == "Please fill this in."
    assert problem(answer.text, "quota") == "Please enter a whole number."
    assert problem(answer.text, "contact_email") == "This is not an e-mail address."
    assert problem(answer.text, "valid_until").startswith("Please enter a date and a time")
    assert field(answer.text, "contact_email") == "nobody"
    wrong = await house.desk.post("/partners/new", {"name": "x", "quota": "1", "ticket_type_id": "999"})
    assert problem(wrong.text, "ticket_type_id") == "This event has no such ticket type."
    link = await house.make()
    await house.open(link)
    await house.paste(link, "王芳,a@example.org", act="register", form="x")
    low = await house.desk.post(
        f"/partners/{link.id}/change", LINK | {"quota": "0", "ticket_type_id": str(house.desk.general.id)}
    )
    assert problem(low.text, "quota") == "This number is out of range."
    page = (await house.desk.get(f"/partners/{link.id}/change")).text
    assert (field(page, "quota"), field(page, "ticket_source")) == ("3", "")
    changed = await house.desk.post(
        f"/partners/{link.id}/change", LINK | {"quota": "1", "ticket_type_id": str(house.desk.general.id)}
    )
    assert changed.headers["location"].endswith("?done=saved")


async def test_the_key_leaves_the_address_and_a_get_registers_nobody(house: House) -> None:
    link = await house.make()
    key = partner_links.secret_of(link.id, 0)
    opened = await house.partner.get("/e/coscon/partner", params={"key": key})
    assert (opened.status_code, opened.headers["location"]) == (303, path(link))
    assert "httponly" in opened.headers["set-cookie"].lower()
    for answer in (opened, await house.partner.get(path(link))):
        assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == (
            "no-store",
            "no-referrer",
        )
    page = await house.partner.get(path(link))
    assert key not in page.text
    words = words_of(page.text)
    assert "Registered 0 / 3" in words
    assert "Nobody is registered by this link yet." in words
    for wrong in ("", "1-x", key[:-1] + "!"):
        gone = await house.partner.get("/e/coscon/partner", params={"key": wrong})
        assert (gone.status_code, "This link opens nothing here" in words_of(gone.text)) == (404, True)
    async with browser_of(house.app) as stranger:
        assert (await stranger.get(path(link))).status_code == 404
        assert (await stranger.post(path(link), data={"people": "王芳,a@example.org"})).status_code == 404
        assert (await stranger.get(f"{path(link)}/people.csv")).status_code == 404
    other = await house.make(name="另一家")
    assert (await house.partner.get(path(other))).status_code == 404


async def test_a_list_is_looked_at_and_then_registered(house: House) -> None:
    link = await house.make()
    await house.open(link)
    text = "姓名\t邮箱\t学校\n林小满\txiaoman@example.org\t某大学\n王芳\t13800138000\t<b>某大学</b>\n"
    look = await house.paste(link, text)
    words = words_of(look.text)
    assert look.status_code == 200
    assert "林小满 2 xiaoman@example.org 某大学 New" in words
    assert "Register 2 people" in words
    assert "<b>某大学</b>" not in look.text
    assert await Registration.all().count() == 0
    sent = hidden(look.text)
    first, done = [await house.partner.post(path(link), data=sent) for _ in range(2)]
    assert first.headers["location"] == done.headers["location"] == f"{path(link)}?done=2"
    assert await Registration.all().count() == 2
    assert await Letter.all().count() == 1
    words = words_of((await house.partner.get(done.headers["location"])).text)
    assert "2 people of this list are registered." in words
    assert "Registered 2 / 3" in words
    assert "Places left 1" in words
    # What their owners gave stays theirs.
    assert "xiaoman@example.org" not in words.partition("Your people 2")[2]


async def test_bad_lines_are_named_and_left_out_on_the_partners_word(house: House) -> None:
    link = await house.make()
    await house.open(link)
    text = "林小满,xiaoman@example.org\n王芳,nobody\n林小满,xiaoman@example.org"
    look = await house.paste(link, text)
    words = words_of(look.text)
    assert "Lines 2, 3 can't be registered." in words
    assert "This is not an e-mail address." in words
    assert "This is the same person as in line 1." in words
    sent = hidden(look.text)
    assert sent["leave_out"] == "2,3"
    stale = await house.partner.post(path(link), data=sent | {"people": text + "\n张三,x"})
    assert stale.status_code == 422
    assert problem(stale.text, "people").startswith("The list was changed")
    assert "张三,x" in stale.text
    assert (await house.partner.post(path(link), data=sent)).status_code == 303
    assert await Registration.all().count() == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "There is nobody in this list yet."),
        ("\n".join(f"学员{n},s{n}@example.org" for n in range(4)), "There are places for 3 more"),
        ("\n".join(f"学员{n},s{n}@example.org" for n in range(301)), "301 lines are too many at once"),
    ],
)
async def test_a_list_as_a_whole_can_be_wrong(house: House, text: str, words: str) -> None:
    link = await house.make()
    await house.open(link)
    answer = await house.paste(link, text)
    assert answer.status_code == 422
    assert problem(answer.text, "people").startswith(words)
    assert 'value="register"' not in answer.text
    assert await Registration.all().count() == 0


async def test_places_that_others_took_are_said_line_by_line(house: House) -> None:
    link = await house.make(ticket_type_id=str(house.desk.vip.id))
    await house.open(link)
    text = "一,a@example.org\n二,b@example.org\n三,c@example.org"
    sent = hidden((await house.paste(link, text)).text)
    answer = await house.partner.post(path(link), data=sent)  # the type has two places
    words = words_of(answer.text)
    assert answer.status_code == 409
    assert "2 people of this list are registered." in words
    assert "Line 3: This ticket type is full." in words
    assert "三,c@example.org" in answer.text


async def test_own_people_are_cancelled_and_downloaded(house: House) -> None:
    link = await house.make()
    await house.open(link)
    await house.paste(link, "=cmd(),a@example.org\n王芳,b@example.org", act="register", form="x")
    first, second = await Registration.all().order_by("id")
    passport = await Passport.get(registration_id=second.id)
    async with unit_of_work():
        await Arrival.create(
            event_id=house.desk.event.id, programme_date=house.desk.event.starts_on, passport_id=passport.id
        )
    page = await house.partner.get(path(link))
    assert "Arrived 1" in words_of(page.text)
    cancel = f"{path(link)}/people/{first.id}/cancellation"
    assert cancel in page.text
    assert f"/people/{second.id}/cancellation" not in page.text
    answer = await house.partner.post(cancel)
    assert answer.headers["location"] == f"{path(link)}?done=cancelled"
    assert "The place is free again." in words_of((await house.partner.get(answer.headers["location"])).text)
    stranger = await make_registration(house.desk.event, house.desk.general)
    missing = await house.partner.post(f"{path(link)}/people/{stranger.id}/cancellation")
    assert missing.status_code == 404
    file = await house.partner.get(f"{path(link)}/people.csv")
    lines = file.content.decode("utf-8-sig").splitlines()
    assert lines[0] == "Name,Organisation,Registration state,Arrived,Short code"
    assert lines[1] == "'=cmd(),,Cancelled,,"
    assert lines[2] == f"王芳,,Confirmed,yes,{passport.short_code}"
    assert passport.token not in file.text
    assert file.headers["cache-control"] == "no-store"


async def test_a_link_that_has_ended_shows_its_people_and_takes_nobody(house: House) -> None:
    link = await house.make()
    await house.open(link)
    await house.paste(link, "王芳,b@example.org", act="register", form="x")
    row = await Registration.get()
    async with unit_of_work():
        await RegistrationGroup.filter(id=link.id).update(
            valid_until=datetime.now(UTC) - timedelta(minutes=1)
        )
    words = words_of((await house.partner.get(path(link))).text)
    assert "This link has ended" in words
    assert "王芳" in words
    assert "Register people" not in words
    late = await house.paste(link, "林小满,c@example.org", act="register")
    assert late.status_code == 409
    assert "林小满,c@example.org" in late.text
    refused = await house.partner.post(f"{path(link)}/people/{row.id}/cancellation")
    assert "This link takes no more registrations." in words_of(refused.text)
    off = await house.desk.post(f"/partners/{link.id}/switch", {"to": "off"})
    assert off.headers["location"].endswith("?done=off")
    assert "This link is switched off" in words_of((await house.partner.get(path(link))).text)
    await house.desk.post(f"/partners/{link.id}/switch", {"to": "on"})
    renewed = await house.desk.post(f"/partners/{link.id}/renewal")
    assert "the old one opens nothing any more" in words_of(
        (await house.desk.browser.get(renewed.headers["location"])).text
    )
    assert (await house.partner.get(path(link))).status_code == 404


async def test_the_partner_desk_makes_links_and_others_do_not(house: House) -> None:
    link = await house.make()
    for role, status in (("partner_desk", 200), ("scanner", 403), ("viewer", 403)):
        account = await make_account()
        await make_role(house.desk.event, account, role)
        async with browser_of(house.app, account) as browser:
            for page in ("/partners", "/partners/new", f"/partners/{link.id}"):
                assert (await browser.get(house.desk.path(page))).status_code == status
    await make_event("other")
    assert (await house.desk.browser.get(f"/e/other/desk/partners/{link.id}")).status_code == 403
    assert (await house.desk.get("/partners/999")).status_code == 404
    nobody = await house.make(contact_email="")
    answer = await house.desk.post(f"/partners/{nobody.id}/letter")
    assert (answer.status_code, "no contact e-mail yet" in words_of(answer.text)) == (422, True)
