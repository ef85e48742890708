"""A lead's pages for phones: codes on a sheet, the list, one phone, what was kept apart, the phone test."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

import main
from checkin.models import Checkpoint, Device, DevicePairing, Passport, PhoneTestLink, QuarantinedScan, Scan
from kernel import db
from kernel.settings import Settings
from tests.factories import make_account, make_checkpoint, make_passport, make_role
from tests.http.desk_house import Desk, browser_of, desk_of, field, problem, words_of


class House:
    desk: Desk
    gate: Checkpoint
    passport: Passport
    phone: httpx2.AsyncClient

    async def form(self, **more: Any) -> httpx2.Response:
        data = {
            "form": str(uuid.uuid4()),
            "name": "North gate",
            "count": "1",
            "checkpoints[]": [str(self.gate.id)],
            "until": (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"),
            "minutes": "30",
        } | more
        return await self.desk.post("/devices/pairings", data)

    async def codes(self, answer: httpx2.Response) -> list[str]:
        assert answer.status_code == 303, problem(answer.text, "until")
        page = await self.desk.browser.get(answer.headers["location"])
        return re.findall(r'class="short-code"\s+aria-label="(\w{8})"', page.text)

    async def pair(self, code: str) -> dict[str, Any]:
        body = {"code": code, "instance": str(uuid.uuid4())}
        paired = await self.phone.post("/e/coscon/api/devices/pair", json=body)
        assert paired.status_code == 200, paired.text
        found: dict[str, Any] = paired.json()
        return found


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    app = main.create_app(database, workers=False)
    async with desk_of(app, "organiser") as desk, browser_of(app, accept="application/json") as phone:
        one = House()
        one.desk, one.phone = desk, phone
        one.gate = await make_checkpoint(desk.event)
        one.passport = await make_passport(desk.event, desk.general)
        yield one


async def test_a_sheet_of_codes_and_the_phones_that_used_them(house: House) -> None:
    empty = await house.desk.get("/devices")
    assert "No phone is paired" in words_of(empty.text)
    form = await house.desk.get("/devices/pairings")
    assert field(form.text, "form")
    codes = await house.codes(await house.form(count="3", volunteers="林小满\n王大锤"))
    assert len(codes) == 3
    paired = await house.pair(codes[0])
    page = words_of((await house.desk.get("/devices")).text)
    for part in ("North gate 1", "林小满", "Online", "2 of 3 are open"):
        assert part in page
    assert paired["device"]["name"] == "North gate 1"
    chinese = (
        await house.desk.browser.get("/e/coscon/desk/devices", headers={"accept-language": "zh-CN"})
    ).text
    assert "扫码手机" in words_of(chinese)


async def test_the_picture_on_the_sheet_says_where_to_pair_and_the_page_is_kept_by_nobody(
    house: House,
) -> None:
    answer = await house.form()
    page = await house.desk.browser.get(answer.headers["location"])
    assert page.headers["cache-control"] == "no-store"
    [picture] = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page.text)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    await house.desk.browser.post(answer.headers["location"] + "/withdrawal")
    again = await house.desk.browser.get(answer.headers["location"])
    assert "data:image/png" not in again.text
    assert "Withdrawn" in words_of(again.text)
    missing = await house.desk.get("/devices/pairings/not-a-sheet")
    assert missing.status_code == 404


async def test_what_was_typed_stays_when_the_form_is_refused(house: House) -> None:
    wrong = await house.form(name="", count="99", until="2020-01-01T00:00", volunteers="林小满")
    assert wrong.status_code == 422
    assert (field(wrong.text, "count"), "林小满" in wrong.text) == ("99", True)
    for name in ("name", "count", "until"):
        assert problem(wrong.text, name), name
    assert problem((await house.form(**{"checkpoints[]": []})).text, "checkpoints[]")
    assert problem((await house.form(until="soon")).text, "until")
    assert problem((await house.form(minutes="31")).text, "minutes")
    assert await DevicePairing.all().count() == 0


async def test_a_form_sent_twice_is_one_sheet(house: House) -> None:
    form = str(uuid.uuid4())
    until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    places = [(await house.form(form=form, count="2", until=until)).headers["location"] for _ in range(2)]
    assert places[0] == places[1]
    assert await DevicePairing.all().count() == 2


async def test_a_phone_is_renamed_narrowed_and_revoked(house: House) -> None:
    second = await make_checkpoint(house.desk.event)
    both = [str(house.gate.id), str(second.id)]
    [code] = await house.codes(await house.form(**{"checkpoints[]": both}))
    paired = await house.pair(code)
    path = f"/devices/{paired['device']['id']}"
    page = await house.desk.get(path)
    values = {"name": "Lunch", "volunteer": "", "until": field(page.text, "until"), "is_lead": "1"}
    saved = await house.desk.post(path, values | {"checkpoints[]": [str(second.id)]})
    assert saved.status_code == 303
    row = await Device.get()
    # The field shows minutes; an end that nobody touched stays to the second.
    assert (row.name, row.is_lead, row.expires_at.isoformat()) == (
        "Lunch",
        True,
        paired["device"]["expires_at"].replace("Z", "+00:00"),
    )
    refused = await house.desk.post(path, values | {"name": " ", "checkpoints[]": [str(second.id)]})
    assert (refused.status_code, bool(problem(refused.text, "name"))) == (422, True)
    assert (await house.desk.post(f"{path}/revocation")).status_code == 303
    gone = await house.desk.get(path)
    assert "This phone was revoked" in words_of(gone.text)
    headers = {"authorization": f"Bearer {paired['token']}"}
    told = await house.phone.get("/e/coscon/api/device", headers=headers)
    assert told.json()["code"] == "device_revoked"


async def test_what_a_revoked_phone_held_is_let_in_or_dropped_by_a_lead(house: House) -> None:
    [code] = await house.codes(await house.form())
    paired = await house.pair(code)
    await house.desk.post(f"/devices/{paired['device']['id']}/revocation")
    scans = [
        {"scan_id": str(uuid.uuid4()), "code": code, "checkpoint": house.gate.id, "age_ms": 1}
        for code in (house.passport.token, house.passport.short_code, "nobody's")
    ]
    await house.phone.post(
        "/e/coscon/api/device/leftovers",
        json={"scans": scans},
        headers={"authorization": f"Bearer {paired['token']}"},
    )
    assert "3 scans are kept apart" in words_of((await house.desk.get("/devices")).text)
    page = await house.desk.get("/devices/kept-apart")
    ids = re.findall(r'name="scans\[\]"\s+value="(\d+)"', page.text)
    assert len(ids) == 3
    assert "nobody known" in words_of(page.text)
    refused = await house.desk.post("/devices/kept-apart/drop", {"scans[]": ids})
    assert (refused.status_code, bool(problem(refused.text, "reason"))) == (422, True)
    done = await house.desk.post("/devices/kept-apart/admission", {"scans[]": ids})
    assert "2 scans went to the door." in done.text
    assert "1 scan could not." in done.text
    dropped = await house.desk.post("/devices/kept-apart/drop", {"scans[]": ids, "reason": "lost"})
    assert "1 scan was dropped." in dropped.text
    assert await Scan.all().count() == 2
    assert sorted(row.state for row in await QuarantinedScan.all()) == ["dropped", "let_in", "let_in"]
    assert (await house.desk.post("/devices/kept-apart/admission")).status_code == 200


async def test_the_list_leaves_as_csv(house: House) -> None:
    [code] = await house.codes(await house.form(volunteers="=cmd()"))
    await house.pair(code)
    answer = await house.desk.post("/devices/file")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert (len(lines), lines[0].split(",")[0], "North gate" in lines[1]) == (2, "Name", True)
    assert ",=cmd()" not in lines[1]


async def test_a_narrowed_lead_pairs_at_the_site_alone_and_others_nothing(house: House) -> None:
    app = house.desk.browser._transport.app  # type: ignore[attr-defined]
    for role, status in (("volunteer_lead", 200), ("scanner", 403), ("viewer", 403)):
        account = await make_account()
        await make_role(house.desk.event, account, role)
        async with browser_of(app, account) as browser:
            assert (await browser.get("/e/coscon/desk/devices")).status_code == status, role
            form = await browser.get("/e/coscon/desk/devices/pairings")
            # A lead sees no registrations, so hands out no names.
            assert 'name="sees_names"' not in form.text


async def test_a_list_costs_the_same_for_one_phone_and_for_three(house: House) -> None:
    costs = []
    for _ in range(3):
        [code] = await house.codes(await house.form())
        await house.pair(code)
        await house.desk.get("/devices")
        before = db.stats.statements
        await house.desk.get("/devices")
        costs.append(db.stats.statements - before)
    assert costs[0] == costs[1] == costs[2]


async def test_a_phone_is_tested_the_day_before_and_the_lead_sees_it(house: House) -> None:
    await house.desk.post("/devices/tests", {"volunteers": ""})
    page = await house.desk.get("/devices/tests")
    [address] = re.findall(r'value="(http[^"]*/phone-test/[^"]+)"', page.text)
    shown = await house.phone.get(address, headers={"accept": "text/html"})
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    assert "'wasm-unsafe-eval'" in shown.headers["content-security-policy"]
    api = address.replace("/phone-test/", "/api/phone-test/")
    scan = await house.phone.post(
        f"{api}/scan", json={"scan_id": str(uuid.uuid4()), "code": "HUIWU PHONE TEST"}
    )
    assert (scan.status_code, scan.json()["is_sample"]) == (200, True)
    other = await house.phone.post(
        f"{api}/scan", json={"scan_id": str(uuid.uuid4()), "code": house.passport.token}
    )
    assert other.json()["is_sample"] is False
    told = {
        "instance": str(uuid.uuid4()),
        "checks": {"secure": True, "camera": False},
        "platform": "in-app webkit",
    }
    assert (await house.phone.post(api, json=told)).json()["fields"]["name"]["code"] == "required"
    answer = await house.phone.post(api, json=told | {"name": "王大锤"})
    assert answer.json()["failed"] == ["camera", "service_worker", "storage", "decoder", "round_trip"]
    listed = await house.desk.get("/devices/tests")
    assert "王大锤" in words_of(listed.text)
    assert "in-app webkit" in words_of(listed.text)
    [number] = re.findall(r'name="link"\s+value="(\d+)"', listed.text)
    await house.desk.post("/devices/tests/erasure", {"link": number})
    assert await PhoneTestLink.all().count() == 0
    assert (await house.phone.get(address)).status_code == 404
    assert await Scan.all().count() == 0
