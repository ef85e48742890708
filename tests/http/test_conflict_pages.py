"""Conflicts through the application: the batch says so, the device and the lead deal with it, the board counts it."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from openpyxl import load_workbook

from checkin import checkpoints
from checkin.models import Checkpoint, ScanConflict
from events import access
from events.models import Event, TicketType
from kernel.settings import Settings
from main import create_app
from people import accounts
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_role,
    make_ticket_type,
)
from web import signin


@dataclass
class House:
    event: Event
    type: TicketType
    north: Checkpoint
    south: Checkpoint
    app: Any
    tokens: dict[str, str] = field(default_factory=dict)

    def browser(self, who: str, language: str = "en") -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app),
            base_url="http://127.0.0.1:8000",
            headers={"sec-fetch-site": "same-origin", "accept-language": language},
            cookies={signin.COOKIE: self.tokens[who]},
        )

    async def send(self, who: str, *scans: dict[str, Any]) -> list[dict[str, Any]]:
        async with self.browser(who) as browser:
            answer = await browser.post(f"/e/{self.event.slug}/api/scans/batch", json={"scans": list(scans)})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    async def get(self, who: str, path: str, status: int = 200, language: str = "en") -> httpx2.Response:
        async with self.browser(who, language) as browser:
            answer = await browser.get(f"/e/{self.event.slug}{path}")
        assert answer.status_code == status, answer.text[:500]
        return answer

    async def post(self, who: str, path: str, status: int, **more: Any) -> httpx2.Response:
        async with self.browser(who) as browser:
            answer = await browser.post(f"/e/{self.event.slug}{path}", **more)
        assert answer.status_code == status, answer.text[:500]
        return answer


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    event = await make_event("coscon")
    north = await make_checkpoint(event, name={"zh-Hans": "北门", "en": "North gate"})
    found = House(
        event=event,
        type=await make_ticket_type(event),
        north=north,
        south=await make_checkpoint(
            event, name={"zh-Hans": "南门", "en": "South gate"}, list_id=north.list_id
        ),
        app=create_app(database, workers=False),
    )
    for who, role in (
        ("lead", "volunteer_lead"), ("north", "scanner"), ("south", "scanner"), ("viewer", "viewer"),
    ):  # fmt: skip
        account = await make_account(name=f"Volunteer {who}")
        await make_role(event, account, role)
        found.tokens[who] = await accounts.open_sign_in(
            account_id=account.id, user_agent="", at=datetime.now(UTC)
        )
    access.forget()
    checkpoints.forget()
    async with found.app.router.lifespan_context(found.app):
        yield found


def _scan(checkpoint: Checkpoint, code: str, local: str = "admitted", age_ms: int = 60_000) -> dict[str, Any]:
    return {
        "scan_id": str(uuid4()), "code": code, "checkpoint": checkpoint.id, "age_ms": age_ms, "local": local,
    }  # fmt: skip


async def test_two_lanes_from_the_batch_to_the_page_and_the_file(house: House) -> None:
    guest = await make_passport(house.event, house.type)
    [first] = await house.send("south", _scan(house.south, guest.token, "", 0))
    sent = _scan(house.north, guest.token)
    [second] = await house.send("north", sent)
    assert (first["verdict"], first["conflict"]) == ("admitted", False)
    assert (second["verdict"], second["conflict"], second["replayed"]) == ("welcome_back", True, False)
    [again] = await house.send("north", sent | {"local": "unknown_yet"})
    assert (again["conflict"], again["replayed"]) == (True, True)
    assert 'href="/e/coscon/live/conflicts"' in (await house.get("viewer", "/live")).text
    page = (await house.get("lead", "/live/conflicts")).text
    for words in (
        "Admitted at two lanes", guest.badge_name, "Let in at North gate without network, by Volunteer north",
        "Admitted at South gate, by Volunteer south", "The server: Welcome back",
    ):  # fmt: skip
        assert words in page, words
    assert "/deal" in page and "/deal" not in (await house.get("viewer", "/live/conflicts")).text
    path = f"/live/conflicts/{sent['scan_id']}/deal"
    await house.post("viewer", path, 403, data={"note": "x"})
    for _ in range(2):
        await house.post("lead", path, 303, data={"note": "  the brother's\npassport "})
    page = (await house.get("lead", "/live/conflicts")).text
    assert "Nothing to look at" in page and guest.badge_name not in page
    page = (await house.get("lead", "/live/conflicts?show=all")).text
    assert "by Volunteer lead" in page and "the brother&#39;s passport" in page
    answer = await house.post("lead", "/live/conflicts/file", 200, data={"format": "csv"})
    [titles, line] = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert (line[1], line[2], line[5], line[8], line[10], line[11], line[13]) == (
        "North gate", "Volunteer north", guest.badge_name, "South gate", "Volunteer lead", "the brother's passport",
        "welcome_back",
    ) and len(titles) == len(line)  # fmt: skip
    answer = await house.post("lead", "/live/conflicts/file", 200, data={"format": "json"})
    [told] = answer.json()["conflicts"]
    assert (told["scan_id"], told["story"], told["note"]) == (
        sent["scan_id"],
        "two_lanes",
        "the brother's passport",
    )
    answer = await house.post("lead", "/live/conflicts/file", 200, data={"format": "xlsx"})
    sheet: Any = load_workbook(io.BytesIO(answer.content)).active
    assert [cell.value for cell in sheet[2]][5] == guest.badge_name
    refused = await house.post("lead", "/live/conflicts/file", 422, data={"format": "pdf"})
    assert "two lanes" in refused.text or "Nothing to look at" in refused.text


async def test_one_person_at_one_lane_is_one_thing_to_look_at(house: House) -> None:
    guest = await make_passport(house.event, house.type, status="cancelled")
    first, second = (_scan(house.north, guest.token, age_ms=age) for age in (60_000, 30_000))
    assert [one["conflict"] for one in await house.send("north", first, second)] == [True, True]
    await house.send("south", _scan(house.south, guest.token))
    page = (await house.get("lead", "/live/conflicts")).text
    assert page.count("data-conflict=") == 2 and "2 scans" in page
    [mine] = (await house.get("north", "/api/conflicts")).json()["conflicts"]
    assert (mine["scan_id"], mine["times"]) == (first["scan_id"], 2)
    assert (await house.get("viewer", "/live")).text.count("2 conflicts") == 1
    await house.post("north", f"/api/conflicts/{first['scan_id']}/deal", 200, json={"note": "sent home"})
    assert await ScanConflict.filter(dealt_at=None).count() == 1, "the other lane's"
    assert await ScanConflict.filter(note="sent home").count() == 2
    assert (await house.get("lead", "/live/conflicts?show=all")).text.count("data-conflict=") == 2
    # The same phone lets them in once more: somebody has to look again.
    await house.send("north", _scan(house.north, guest.token))
    [again] = (await house.get("north", "/api/conflicts")).json()["conflicts"]
    assert again["times"] == 1


async def test_a_scanner_sees_and_deals_with_its_own(house: House) -> None:
    guest = await make_passport(house.event, house.type, status="cancelled")
    [one] = await house.send("north", _scan(house.north, guest.token))
    [other] = await house.send("south", _scan(house.south, "wxp://pay", "unknown_yet"))
    [mine] = (await house.get("north", "/api/conflicts")).json()["conflicts"]
    assert (mine["scan_id"], mine["story"], mine["local"], mine["verdict"], mine["dealt"]) == (
        one["scan_id"], "refused", "admitted", "cancelled", False,
    )  # fmt: skip
    assert mine["holder"]["name"] == guest.badge_name and mine["words"]["en"] == "Cancelled"
    every = (await house.get("lead", "/api/conflicts")).json()["conflicts"]
    assert [(row["story"], row["holder"]) for row in every] == [("nobody", None), ("refused", mine["holder"])]
    await house.post("north", f"/api/conflicts/{other['scan_id']}/deal", 403, json={})
    await house.post("north", f"/api/conflicts/{uuid4()}/deal", 404, json={})
    answer = await house.post(
        "north", f"/api/conflicts/{one['scan_id']}/deal", 200, json={"note": "sent home"}
    )
    assert (answer.json()["dealt"], answer.json()["note"]) == (True, "sent home")
    again = await house.post("lead", f"/api/conflicts/{one['scan_id']}/deal", 200, json={"note": "twice"})
    assert again.json() == answer.json()
    assert (await house.get("north", "/api/conflicts")).json()["conflicts"] == []
    assert len((await house.get("north", "/api/conflicts?all=1")).json()["conflicts"]) == 1
    await house.get("viewer", "/api/conflicts", 403)


async def test_what_a_phone_told_is_one_of_five_words(house: House) -> None:
    [wrong, fine] = await house.send(
        "north", _scan(house.north, "nobody", "come in"), _scan(house.north, "nobody", "refused")
    )
    assert (wrong["ok"], wrong["code"], set(wrong["fields"])) == (False, "scan_malformed", {"local"})
    assert (fine["ok"], fine["conflict"]) == (True, False)
    assert await ScanConflict.all().count() == 0


async def test_many_conflicts_go_on_over_pages(house: House) -> None:
    await house.send("north", *[_scan(house.north, f"wxp://pay/{number}") for number in range(53)])
    first = (await house.get("lead", "/live/conflicts", language="zh-CN")).text
    assert first.count("data-conflict=") == 50 and "待处理 53" in first
    older = first.partition("?before=")[2].partition('"')[0]
    assert (await house.get("lead", f"/live/conflicts?before={older}")).text.count("data-conflict=") == 3
