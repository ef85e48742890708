"""What holders do on their own pages, through ASGI and without JavaScript; and the links of a transfer."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

import main
from checkin import passports, scanning
from checkin.scanning import ScanEntry
from events import access, registrations, transfers
from events.models import ConsentText, Event, FormAnswer, FormField, Registration, TicketType, Transfer
from events.registrations import secret_of
from events.rules import Contact, RegistrationSource
from events.transfers import Side
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from people.models import JournalEntry, Letter
from tests.factories import make_account, make_checkpoint, make_door, make_event, make_ticket_type
from tests.http.desk_house import browser_of, field, problem, words_of

LIN = Contact(name="林小满", email="lin@example.org", organisation="开源社")
NOW = datetime.now(UTC)


@dataclass
class House:
    app: Starlette
    event: Event
    kind: TicketType
    row: Registration

    @property
    def home(self) -> str:
        return f"/e/{self.event.slug}"

    @property
    def mine(self) -> str:
        return f"{self.home}/me/{self.row.id}"


async def register(event: Event, kind: TicketType, contact: Contact = LIN, **more: Any) -> Registration:
    number = await registrations.register(
        event_id=event.id,
        ticket_type_id=kind.id,
        contact=contact,
        source=RegistrationSource.FORM,
        locale="zh-Hans",
        at=NOW,
        **more,
    )
    return await Registration.get(id=number)


@pytest.fixture
async def house(database: Settings) -> House:
    app = main.create_app(database, workers=False)
    day = NOW.date() + timedelta(days=30)
    event = await make_event("coscon", starts_on=day, ends_on=day, contact_email="hello@example.org")
    kind = await make_ticket_type(event, "general", quota=1, has_waitlist=True)
    return House(app, event, kind, await register(event, kind))


@asynccontextmanager
async def holder(house: House, row: Registration | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    """The browser of somebody who has opened the link in their letter."""
    row = row or house.row
    async with browser_of(house.app) as client:
        await client.post(f"{house.home}/me", data={"key": secret_of(row.id, row.secret_round)})
        yield client


def filled(page: str, *names: str) -> dict[str, str]:
    return {name: field(page, name) for name in names}


CONTACT = ("form", "name", "badge_name", "english_name", "email", "phone", "organisation", "position")


# --- the page ----------------------------------------------------------------------------------------------------


async def test_it_says_in_plain_words_how_one_stands_and_what_one_may_do(house: House) -> None:
    waits = await register(
        house.event, house.kind, Contact(name="在等", email="waits@example.org"), join_waitlist=True
    )
    async with holder(house) as client, holder(house, waits) as other:
        page = (await client.get(house.mine)).text
        assert "code.png" in page and "hello@example.org" in page
        for path in ("change", "cancel", "transfer"):
            assert f'href="{house.mine}/{path}"' in page
        theirs = f"{house.home}/me/{waits.id}"
        page = (await other.get(theirs)).text
        assert "On the waiting list" in page and "You are number 1." in page and "code.png" not in page
        assert "Leave the waiting list" in page and f"{theirs}/transfer" not in page
        assert (await other.get(f"{theirs}/transfer")).status_code == 409

        await registrations.cancel(
            actor=SYSTEM, event_id=house.event.id, registration_id=house.row.id, at=NOW
        )
        page = (await client.get(house.mine)).text
        assert "Cancelled" in page and "code.png" not in page and "/change" not in page
        page = (await other.get(theirs)).text
        assert "A place is free for you" in page and "We keep it for you until" in page
        form = {"form": field(page, "form"), "act": "accept"}
        assert (await other.post(f"{theirs}/offer", data={**form, "act": "steal"})).status_code == 422
        done = await other.post(f"{theirs}/offer", data=form)
        assert (done.status_code, done.headers["location"]) == (303, f"{theirs}?done=accepted")
        assert (await other.post(f"{theirs}/offer", data=form)).status_code == 303, "pressed twice"
        page = (await other.get(f"{theirs}?done=accepted")).text
        assert "Accepted" in page and "code.png" in page


async def test_after_the_date_the_page_says_so_and_takes_nothing(house: House) -> None:
    async with holder(house) as client:
        page = (await client.get(f"{house.mine}/change")).text
        async with unit_of_work():
            await Event.filter(id=house.event.id).update(self_service_until=NOW - timedelta(hours=1))
        access.forget()
        assert "/cancel" not in (await client.get(house.mine)).text
        for path in ("change", "cancel", "transfer"):
            refused = await client.get(f"{house.mine}/{path}")
            assert refused.status_code == 409 and "ask the organisers" in refused.text
        assert (await client.post(f"{house.mine}/change", data=filled(page, *CONTACT))).status_code == 409
        assert (await client.post(f"{house.mine}/cancel", data={})).status_code == 409
    assert (await Registration.get(id=house.row.id)).state == "confirmed"


@pytest.mark.parametrize("path", ["change", "cancel", "transfer", "transfer/withdraw", "offer"])
async def test_nobody_else_comes_in(house: House, path: str) -> None:
    other = await register(
        house.event, await make_ticket_type(house.event), Contact(name="乙", phone="+8613900139000")
    )
    target = f"{house.mine}/{path}"
    async with browser_of(house.app) as client:
        refused = await client.post(target, data={"act": "accept"})
        assert refused.status_code == 303 and "/sign-in" in refused.headers["location"]
    async with browser_of(house.app, await make_account("somebody@example.org")) as client:
        assert (await client.post(target, data={})).status_code == 404
    async with holder(house, other) as client:
        refused = await client.post(target, data={})
        assert refused.status_code == 303 and "/sign-in" in refused.headers["location"]
    async with holder(house) as client:
        crossed = await client.post(target, data={}, headers={"sec-fetch-site": "cross-site"})
        assert crossed.status_code == 403
    assert (await Registration.get(id=house.row.id)).name == LIN.name


# --- change and cancel -------------------------------------------------------------------------------------------


async def test_a_change_keeps_what_was_typed_and_then_the_badge_follows(house: House) -> None:
    async with unit_of_work():
        diet = await FormField.create(
            event_id=house.event.id, code="diet", kind="line", label={"en": "Diet"}, is_required=True
        )
        await ConsentText.create(
            event_id=house.event.id,
            code="rules",
            title={"en": "House rules"},
            is_required=True,
            created_at=NOW,
        )
    async with holder(house) as client:
        page = (await client.get(f"{house.mine}/change")).text
        values = filled(page, *CONTACT)
        assert (values["name"], values["email"], values["organisation"]) == (LIN.name, LIN.email, "开源社")
        bad = await client.post(
            f"{house.mine}/change", data=values | {"name": "林大满", "email": "lin@", "asked": str(diet.id)}
        )
        assert bad.status_code == 422 and field(bad.text, "name") == "林大满"
        assert problem(bad.text, "email") and problem(bad.text, f"q.{diet.id}") and "House rules" in bad.text
        assert field(bad.text, "form") == values["form"]
        consent = re.search(r'name="(consent\.\d+)"', bad.text)
        assert consent
        good = values | {
            "name": "林大满",
            "asked": str(diet.id),
            f"q.{diet.id}": "vegan",
            consent[1]: "1",
        }
        done = await client.post(f"{house.mine}/change", data=good)
        assert (done.status_code, done.headers["location"]) == (303, f"{house.mine}?done=changed")
        assert (await client.post(f"{house.mine}/change", data=good)).status_code == 303, "sent again"
        again = await client.post(f"{house.mine}/change", data=good | {"name": "第三"})
        assert again.status_code == 409 and field(again.text, "form") != values["form"]
        page = (await client.get(f"{house.mine}/change")).text
        assert field(page, "name") == "林大满" and field(page, f"q.{diet.id}") == "vegan"
    assert await FormAnswer.all().count() == 1
    assert (await passports.by_registration([house.row.id]))[house.row.id].badge_name == "林大满"
    assert (
        await JournalEntry.filter(verb="registration.change", actor_key=f"holder:{house.row.id}").count() == 1
    )


async def test_cancelling_is_asked_for_once_more_and_a_get_changes_nothing(house: House) -> None:
    async with holder(house) as client:
        page = (await client.get(f"{house.mine}/cancel")).text
        assert "Cancel your registration?" in page and LIN.name in page
        assert (await Registration.get(id=house.row.id)).state == "confirmed"
        for _ in range(2):
            done = await client.post(f"{house.mine}/cancel", data={"form": field(page, "form")})
            assert (done.status_code, done.headers["location"]) == (303, f"{house.mine}?done=cancelled")
        after = await client.get(f"{house.mine}?done=cancelled")
        assert "Thank you for making room" in after.text and after.headers["cache-control"] == "no-store"
        assert (await client.get(f"{house.mine}/code.png")).status_code == 404
    assert (await TicketType.get(id=house.kind.id)).taken == 0


async def test_signed_in_with_the_address_the_account_is_who_acts(house: House) -> None:
    account = await make_account(LIN.email)
    async with browser_of(house.app, account) as client:
        page = (await client.get(f"{house.mine}/cancel")).text
        await client.post(f"{house.mine}/cancel", data={"form": field(page, "form")})
    assert (await JournalEntry.get(verb="registration.cancel")).actor_key == f"account:{account.id}"


# --- the language of a link --------------------------------------------------------------------------------------


async def test_switching_the_language_keeps_the_links_key(house: House) -> None:
    key = secret_of(house.row.id, 0)
    async with browser_of(house.app) as client:
        page = (await client.get(f"{house.home}/me", params={"key": key})).text
        back = re.search(r'name="next" value="([^"]*)"', page)
        assert back and back[1] == f"{house.home}/me?key={key}"
        assert "/sign-in?next" not in page or f"next={house.home}/me?key" not in page
        switched = await client.post("/language", data={"next": back[1], "lang": "zh-Hans"})
        assert switched.headers["location"] == f"{house.home}/me?key={key}"
        opened = (await client.get(switched.headers["location"])).text
        assert "打开我的护照" in opened and f'value="{key}"' in opened
        # A wrong key is not repeated.
        wrong = (await client.get(f"{house.home}/me", params={"key": "1-wrong"})).text
        assert "1-wrong" not in wrong


# --- transfer ----------------------------------------------------------------------------------------------------


async def begun(house: House, client: httpx2.AsyncClient) -> Transfer:
    page = (await client.get(f"{house.mine}/transfer")).text
    values = {"form": field(page, "form"), "to_name": "王接手", "to_email": "wang@example.org"}
    done = await client.post(f"{house.mine}/transfer", data=values)
    assert (done.status_code, done.headers["location"]) == (303, f"{house.mine}/transfer")
    return await Transfer.get(state="open")


async def test_from_naming_to_the_new_passport(house: House) -> None:
    old = (await passports.by_registration([house.row.id]))[house.row.id]
    async with holder(house) as client, browser_of(house.app) as mail, browser_of(house.app) as taker:
        bad = await client.post(f"{house.mine}/transfer", data={"to_name": "王", "to_email": LIN.email})
        assert bad.status_code == 422 and "your own address" in problem(bad.text, "to_email")
        transfer = await begun(house, client)
        keys = {side: transfers.secret_of(transfer.id, side) for side in Side}
        assert "confirm it" in words_of((await client.get(f"{house.mine}/transfer")).text)
        assert "On its way to 王接手" in (await client.get(house.mine)).text

        # The taker's link, should anybody have it before the holder's yes, waits.
        page = (await taker.get(f"{house.home}/transfer", params={"key": keys[Side.TAKER]})).text
        assert "Not confirmed yet" in page
        page = (await mail.get(f"{house.home}/transfer", params={"key": keys[Side.GIVER]})).text
        assert "王接手" in page and (await Transfer.get()).giver_confirmed_at is None, "a GET changes nothing"
        body = {"key": keys[Side.GIVER]}
        assert (await mail.post(f"{house.home}/transfer", data=body | {"act": "take"})).status_code == 422
        done = await mail.post(f"{house.home}/transfer", data=body | {"act": "confirm"})
        assert done.status_code == 303
        assert "can take the place until" in words_of((await mail.get(done.headers["location"])).text)
        assert "Your code works until then" in (await client.get(house.mine)).text

        page = (await taker.get(f"{house.home}/transfer", params={"key": keys[Side.TAKER]})).text
        assert "林小满" in page and field(page, "name") == "王接手" and "wang@example.org" in page
        form = {"key": keys[Side.TAKER], "act": "take", "form": field(page, "form")}
        bad = await taker.post(
            f"{house.home}/transfer", data=form | {"name": "", "phone": "12", "organisation": "木兰"}
        )
        assert bad.status_code == 422 and problem(bad.text, "name") and problem(bad.text, "phone")
        assert field(bad.text, "organisation") == "木兰" and field(bad.text, "form") == form["form"]
        good = form | {"name": "王接手", "organisation": "木兰"}
        for _ in range(2):
            done = await taker.post(f"{house.home}/transfer", data=good)
            assert (done.status_code, done.headers["location"]) == (303, house.mine)
        assert "王接手" in (await taker.get(house.mine)).text

        # The holder's cookie and link are worth nothing any more.
        assert (await client.get(house.mine)).status_code == 303
        gone = await client.get(f"{house.home}/me", params={"key": secret_of(house.row.id, 0)})
        assert gone.status_code == 404
        page = (await mail.get(f"{house.home}/transfer", params={"key": keys[Side.GIVER]})).text
        assert "has gone to the other person" in page and "王接手" not in page
        page = (await taker.get(f"{house.home}/transfer", params={"key": keys[Side.TAKER]})).text
        assert "The place is yours" in page
        late = await browserless(house, keys[Side.TAKER])
        assert late.status_code == 409
    new = (await passports.by_registration([house.row.id]))[house.row.id]
    assert new.token != old.token and await Letter.filter(to_email="wang@example.org").count() == 2


async def browserless(house: House, key: str) -> httpx2.Response:
    async with browser_of(house.app) as client:
        body = {"key": key, "act": "take", "form": str(uuid.uuid4()), "name": "第三"}
        return await client.post(f"{house.home}/transfer", data=body)


@pytest.mark.parametrize("who", ["holder", "link", "taker", "organiser"])
async def test_any_of_them_may_end_it(house: House, who: str) -> None:
    from tests.factories import make_role

    async with holder(house) as client:
        transfer = await begun(house, client)
        await transfers.confirm(actor=SYSTEM, event_id=house.event.id, transfer_id=transfer.id, at=NOW)
        match who:
            case "holder":
                done = await client.post(f"{house.mine}/transfer/withdraw")
            case "organiser":
                account = await make_account()
                await make_role(house.event, account, "organiser")
                async with browser_of(house.app, account) as desk:
                    page = (await desk.get(f"{house.home}/desk/transfers")).text
                    assert "林小满 → 王接手" in page and "waits for the new person" in page
                    done = await desk.post(f"{house.home}/desk/transfers/{transfer.id}/withdraw")
                    page = (await desk.get(done.headers["location"])).text
                    assert "Nothing is on its way" in page and "Withdrawn" in page
            case _:
                side, act = (Side.GIVER, "withdraw") if who == "link" else (Side.TAKER, "refuse")
                body = {"key": transfers.secret_of(transfer.id, side), "act": act}
                done = await client.post(f"{house.home}/transfer", data=body)
        assert done.status_code == 303
        page = (
            await client.get(
                f"{house.home}/transfer", params={"key": transfers.secret_of(transfer.id, Side.TAKER)}
            )
        ).text
        assert "stays with the person who had it" in page and "林小满" not in page
        assert "code.png" in (await client.get(house.mine)).text
    assert (await Transfer.get()).state == ("refused" if who == "taker" else "withdrawn")


@pytest.mark.parametrize("key", ["", "x", "1-t-AAAAAAAAAAAAAAAAAAAAAA", "你好", "9" * 200])
async def test_a_wrong_link_is_one_kind_page(house: House, key: str) -> None:
    other = await make_event("other")
    async with holder(house) as client:
        transfer = await begun(house, client)
        pages = [
            await client.get(f"{house.home}/transfer", params={"key": key}),
            await client.post(f"{house.home}/transfer", data={"key": key, "act": "take"}),
            await client.get(
                f"/e/{other.slug}/transfer", params={"key": transfers.secret_of(transfer.id, Side.TAKER)}
            ),
        ]
    assert [page.status_code for page in pages] == [404, 404, 404]
    assert all("no longer works" in page.text for page in pages)


async def test_who_was_let_in_meanwhile_is_told_to_the_taker(house: House) -> None:
    gate, door = await make_checkpoint(house.event), await make_door(house.event)
    async with holder(house) as client:
        transfer = await begun(house, client)
        await transfers.confirm(actor=SYSTEM, event_id=house.event.id, transfer_id=transfer.id, at=NOW)
        passport = (await passports.by_registration([house.row.id]))[house.row.id]
        await scanning.scan(door=door, entry=ScanEntry(uuid.uuid4(), passport.token, gate.id), at=NOW)
        refused = await browserless(house, transfers.secret_of(transfer.id, Side.TAKER))
        assert refused.status_code == 409 and "admitted with this registration already" in refused.text
        page = (await client.get(house.mine)).text
        assert f"{house.mine}/cancel" not in page and f"{house.mine}/change" in page
