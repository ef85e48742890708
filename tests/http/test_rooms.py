"""Rooms through the application: the phone at a room's door, all rooms, and everybody who looks on, at once."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from checkin import checkpoints
from checkin.models import Checkpoint, HeadCount, RoomSaid
from events import access
from events.models import Event, Place
from kernel.settings import Settings
from main import create_app
from people import accounts
from tests.factories import (
    just_begun,
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_place,
    make_role,
    make_session,
    make_ticket_type,
)
from tests.http.test_board import hear, nothing, say, serving
from web import signin


@dataclass
class House:
    host: str
    event: Event
    #: With a door that follows the programme, and without any.
    room: Place
    corner: Place
    door: Checkpoint
    codes: list[str]
    tokens: dict[str, str]

    @asynccontextmanager
    async def browser(self, who: str = "", **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        sent = {"sec-fetch-site": "same-origin", "accept-language": "en", **headers}
        cookies = {signin.COOKIE: self.tokens[who]} if who else {}
        async with httpx2.AsyncClient(
            base_url=f"http://{self.host}/e/{self.event.slug}", headers=sent, cookies=cookies, trust_env=False
        ) as browser:
            yield browser

    def socket(self) -> Any:
        from websockets.asyncio.client import connect

        return connect(f"ws://{self.host}/live", compression=None, proxy=None)

    @property
    def topic(self) -> str:
        return f"rooms.{self.event.id}"


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    event, other = await make_event("coscon"), await make_event("elsewhere")
    kind = await make_ticket_type(event)
    room = await make_place(event, "a", name={"zh-Hans": "分会场 A", "en": "Room A"}, capacity=20)
    corner = await make_place(event, "b", name={"zh-Hans": "茶馆", "en": "Tea house"}, capacity=10)
    now = datetime.now(UTC)
    title = {"zh-Hans": "开源与商业", "en": "Open source and business"}
    await make_session(
        event, guid=uuid4(), place_id=room.id, title=title, starts_at=just_begun(now),
        ends_at=now + timedelta(minutes=35),
    )  # fmt: skip
    door = await make_checkpoint(event, kind="session", once="session", on_repeat="warn", place_id=room.id)
    elsewhere = await make_checkpoint(event, place_id=(await make_place(event)).id)
    codes = [(await make_passport(event, kind)).token for _ in range(3)]
    tokens = {}
    for who, (where, role, scope) in {
        "organiser": (event, "organiser", 0),
        "volunteer": (event, "scanner", door.id),
        "other": (event, "scanner", elsewhere.id),
        "viewer": (event, "viewer", 0),
        "stranger": (other, "organiser", 0),
    }.items():
        account = await make_account(name={"volunteer": "林小满"}.get(who, ""))
        await make_role(where, account, role, "checkpoint" if scope else "", scope)
        tokens[who] = await accounts.open_sign_in(account_id=account.id, user_agent="", at=now)
    access.forget()
    checkpoints.forget()
    async with serving(create_app(database, workers=False)) as (_, host):
        yield House(host, event, room, corner, door, codes, tokens)


def _field(page: str, name: str, near: str) -> str:
    """The value of a hidden field in the form that a word stands in."""
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        if near in form:
            found = re.search(rf'name="{name}" value="([^"]*)"', form)
            assert found, form
            return found.group(1)
    raise AssertionError(near)


async def test_one_press_says_full_and_everybody_knows_at_once(house: House) -> None:
    async with house.socket() as socket, house.browser("volunteer") as phone:
        await say(socket, op="sub", topics={house.topic: None})
        first = await hear(socket)
        assert next((one["code"], one["state"], one["level"]) for one in first["data"]) == ("a", 0, 0)
        page = (await phone.get(f"/desk/rooms/{house.room.id}")).text
        assert "Open source and business" in page and "○ Open" in page
        press = {"request_id": _field(page, "request_id", "The room is full"), "state": "full"}
        # On bad Wi-Fi a press is sent twice.
        for _ in range(2):
            done = await phone.post(f"/desk/rooms/{house.room.id}/state", data=press)
            assert (done.status_code, done.headers["location"]) == (
                303, f"/e/coscon/desk/rooms/{house.room.id}",
            )  # fmt: skip
        told = await hear(socket)
        assert (told["version"], told["data"][0]["state"], told["data"][0]["level"]) == (
            first["version"] + 1, 1, 100,
        )  # fmt: skip
        await nothing(socket)
        after = (await phone.get(f"/desk/rooms/{house.room.id}")).text
        assert "● Full" in after and "People may come in" in after and "by hand since" in after
        assert "林小满" in after
    async with house.browser() as anybody:
        rooms = (await anybody.get("/rooms.json")).json()
        assert rooms == told["data"]
        pages = [(await anybody.get(path)).text for path in ("/rooms", "/wall", f"/rooms/{house.room.id}")]
    assert all("Full" in one for one in pages) and not any("林小满" in one for one in pages)
    assert await RoomSaid.all().count() == 1
    async with house.browser("volunteer") as phone:
        body = {"scan_id": str(uuid4()), "code": house.codes[0], "checkpoint": house.door.id}
        assert (await phone.post("/api/scans", json=body)).json()["verdict"] == "full"
        page = (await phone.get(f"/desk/rooms/{house.room.id}")).text
        press = {"request_id": _field(page, "request_id", "Let the figures decide"), "state": "automatic"}
        await phone.post(f"/desk/rooms/{house.room.id}/state", data=press)
        assert (await phone.post("/api/scans", json=body | {"scan_id": str(uuid4())})).json()[
            "verdict"
        ] == "admitted"


async def test_heads_are_counted_where_nobody_scans(house: House) -> None:
    async with house.browser("organiser") as desk:
        listed = (await desk.get("/desk/rooms")).text
        assert "Room A" in listed and "Rooms without a checkpoint" in listed
        page = (await desk.get(f"/desk/rooms/{house.corner.id}")).text
        form = {"request_id": _field(page, "request_id", "Write the count down"), "count": "9"}
        for _ in range(2):
            assert (await desk.post(f"/desk/rooms/{house.corner.id}/count", data=form)).status_code == 303
        after = (await desk.get(f"/desk/rooms/{house.corner.id}")).text
        assert "counted at" in after and "9 people counted" in after and "Filling up" in after
        rows = (await desk.get("/api/rooms")).json()["rooms"]
        assert [(one["code"], one["count"], one["of"], one["capacity"], one["level"]) for one in rows][
            :2
        ] == [
            ("a", 0, "entries", 20, 0),
            ("b", 9, "counted", 10, 80),
        ]
        assert rows[0]["session"]["title"]["en"] == "Open source and business"
        assert rows[1]["heads"]["count"] == 9
    async with house.browser() as anybody:
        assert [one["count"] for one in (await anybody.get("/rooms.json")).json()][:2] == [0, 10]
    assert await HeadCount.all().count() == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "required"),
        ("many", "number"),
        ("-1", "from 0 to 30"),
        ("31", "from 0 to 30"),
        ("9" * 12, "999999999999"),
    ],
)
async def test_what_is_no_count_is_told_at_its_field(house: House, typed: str, said: str) -> None:
    async with house.browser("organiser") as desk:
        form = {"request_id": str(uuid4()), "count": typed}
        answer = await desk.post(f"/desk/rooms/{house.corner.id}/count", data=form)
        assert answer.status_code == 422
        assert said == "required" or said in answer.text
        if typed:
            assert f'value="{typed}"' in answer.text
        assert form["request_id"] in answer.text
    assert await HeadCount.all().count() == 0


async def test_programs_say_and_count_once(house: House) -> None:
    async with house.browser("volunteer") as phone:
        url = f"/api/rooms/{house.room.id}"
        one = {"id": str(uuid4()), "count": 17}
        answers = [await phone.post(f"{url}/counts", json=one) for _ in range(2)]
        assert [(a.status_code, a.json()["count"], a.json()["level"]) for a in answers] == [(200, 17, 80)] * 2
        assert (await phone.post(f"{url}/counts", json=one | {"count": 18})).status_code == 409
        headed = await phone.post(
            f"{url}/state", json={"state": "closed"}, headers={"idempotency-key": str(uuid4())}
        )
        assert (headed.json()["state"], headed.json()["by_hand"]) == (2, "closed")
        for body, status in (
            ({"state": "closed"}, 422),
            ({"id": str(uuid4()), "state": "half"}, 422),
            ({"id": str(uuid4()), "state": "open", "more": 1}, 422),
        ):
            assert (await phone.post(f"{url}/state", json=body)).status_code == status, body
        too_many = await phone.post(f"{url}/counts", json={"id": str(uuid4()), "count": 61})
        assert too_many.status_code == 422
        lines = (await phone.get("/api/rooms/lines")).json()["lines"]
        assert [(line["state"], line["count"]) for line in lines] == [("closed", None), (None, 17)]
        file = await phone.get("/desk/rooms/lines.csv")
    rows = list(csv.reader(io.StringIO(file.text.removeprefix("\ufeff"))))
    assert rows[0] == ["When", "Room", "Code", "State", "People counted", "Who"]
    assert [row[1:] for row in rows[1:]] == [
        ["Room A", "a", "closed", "", "林小满"],
        ["Room A", "a", "", "17", "林小满"],
    ]


async def test_a_volunteer_speaks_for_no_other_room(house: House) -> None:
    for who, status in (
        ("volunteer", 200),
        ("organiser", 200),
        ("other", 403),
        ("viewer", 403),
        ("stranger", 403),
        ("", 401),
    ):
        async with house.browser(who) as browser:
            assert (await browser.get(f"/api/rooms/{house.room.id}")).status_code == status, who
            body = {"id": str(uuid4()), "state": "full"}
            assert (await browser.post(f"/api/rooms/{house.room.id}/state", json=body)).status_code == status
            if status == 200:
                await browser.post(
                    f"/api/rooms/{house.room.id}/state", json={"id": str(uuid4()), "state": "automatic"}
                )
    async with house.browser("other") as browser:
        listed = (await browser.get("/api/rooms")).json()["rooms"]
        assert [one["code"] for one in listed] != ["a"] and len(listed) == 1
        assert (await browser.get("/api/rooms/lines")).json() == {"lines": []}
        assert "Room A" not in (await browser.get("/desk/rooms/lines.csv")).text
    async with house.browser("organiser") as browser:
        assert (await browser.get("/api/rooms/999999")).status_code == 404
        assert (await browser.get("/desk/rooms/999999")).status_code == 404


async def test_of_32_presses_at_once_through_the_door_the_limit_holds(house: House) -> None:
    """Through HTTP: three seats, 32 people, four lanes' phones at once."""
    kind_and_limit = await make_checkpoint(
        house.event, kind="session", once="session", on_repeat="warn", place_id=house.room.id, capacity=3
    )
    passports = [await make_passport(house.event, await make_ticket_type(house.event)) for _ in range(32)]
    async with house.browser("organiser") as browser:
        answers = await asyncio.gather(
            *(
                browser.post(
                    "/api/scans",
                    json={"scan_id": str(uuid4()), "code": one.token, "checkpoint": kind_and_limit.id},
                )
                for one in passports
            )
        )
    verdicts = sorted(one.json()["verdict"] for one in answers)
    assert verdicts == ["admitted"] * 3 + ["full"] * 29
