"""The scanners' API through ASGI, with real sign-ins: bad input named, good entries counted, nobody past the door."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

import main
from checkin.models import Checkpoint, Passport, Scan
from checkin.rules import BATCH_MAX
from events.models import Event, TicketType
from kernel import db
from kernel.settings import Settings
from people import accounts
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_registration,
    make_role,
    make_ticket_type,
)

BASE = "http://127.0.0.1:8000"
HERE = {"sec-fetch-site": "same-origin"}


@dataclass
class House:
    event: Event
    kind: TicketType
    gate: Checkpoint
    client: httpx2.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"/e/{self.event.slug}/api/scans"

    async def as_(self, role: str, event: Event | None = None, *scope: Any) -> dict[str, str]:
        """The headers of somebody with this role, by bearer token."""
        account = await make_account()
        await make_role(event or self.event, account, role, *scope)
        token = await accounts.open_sign_in(account_id=account.id, user_agent="test", at=datetime.now(UTC))
        return {"authorization": f"Bearer {token}"}

    def scan(self, code: str, **more: Any) -> dict[str, Any]:
        return {
            "scan_id": str(uuid.uuid4()),
            "code": code,
            "checkpoint": self.gate.id,
            "direction": "entry",
        } | more


@pytest_asyncio.fixture(loop_scope="session")
async def house(database: Settings) -> AsyncIterator[House]:
    event = await make_event()
    app = main.create_app(database, workers=False)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as client:
        yield House(event, await make_ticket_type(event), await make_checkpoint(event), client)


async def test_a_scan_answers_with_code_colour_and_words_in_both_languages(house: House) -> None:
    passport = await make_passport(house.event, house.kind)
    headers = await house.as_("scanner")
    body = house.scan(passport.token)
    answer = await house.client.post(house.url, json=body, headers=headers)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["verdict"], said["tone"], said["replayed"]) == ("admitted", "go", False)
    assert said["words"] == {"zh-Hans": "欢迎", "en": "Welcome"}
    assert said["holder"]["name"] == passport.badge_name
    assert said["at"].endswith("Z")
    again = (await house.client.post(house.url, json=body, headers=headers)).json()
    assert again == said | {"replayed": True}
    refused = (await house.client.post(house.url, json=house.scan("nobody"), headers=headers)).json()
    assert (refused["verdict"], refused["tone"], refused["holder"]) == ("unknown", "stop", None)
    other = await house.client.post(house.url, json=body | {"code": "another body"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "replay_mismatch")
    assert await Scan.all().count() == 2


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        (b"", 422, "body"),
        (b"not json", 422, "body"),
        (b"[]", 422, "body"),
        (b'{"scan_id": "x", "code": "y", "checkpoint": 1}', 422, "scan_id"),
        (b'{"scan_id": "6f1b1c5e-0000-4000-8000-000000000001", "checkpoint": 1}', 422, "code"),
        (
            b'{"scan_id": "6f1b1c5e-0000-4000-8000-000000000001", "code": "y", "checkpoint": 0}',
            422,
            "checkpoint",
        ),
        (
            b'{"scan_id": "6f1b1c5e-0000-4000-8000-000000000001", "code": "y", "checkpoint": 1, "direction": "up"}',
            422,
            "direction",
        ),
        (
            b'{"scan_id": "6f1b1c5e-0000-4000-8000-000000000001", "code": "y", "checkpoint": 1, "age_ms": "old"}',
            422,
            "age_ms",
        ),
    ],
)
async def test_a_malformed_scan_is_named_at_its_field(
    house: House, body: bytes, status: int, where: str
) -> None:
    answer = await house.client.post(house.url, content=body, headers=await house.as_("scanner"))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert where in answer.json()["fields"]
    assert await Scan.all().count() == 0


async def test_one_bad_entry_among_499_good_ones(house: House) -> None:
    passports = [await make_passport(house.event, house.kind) for _ in range(30)]
    scans: list[Any] = [house.scan(passports[index % 30].token) for index in range(499)]
    scans.insert(250, {"scan_id": "no uuid", "code": passports[0].token, "checkpoint": house.gate.id})
    answer = await house.client.post(
        f"{house.url}/batch", json={"scans": scans}, headers=await house.as_("scanner")
    )
    results = answer.json()["results"]
    assert answer.status_code == 200 and len(results) == 500
    bad = results.pop(250)
    assert (bad["ok"], bad["index"], bad["scan_id"], bad["code"]) == (False, 250, "no uuid", "scan_malformed")
    assert bad["fields"] == {"scan_id": "malformed"} and bad["title"]
    assert Counter(result["verdict"] for result in results) == {"admitted": 30, "welcome_back": 469}
    assert await Scan.all().count() == 499


async def test_a_batch_over_the_limit_is_refused_whole(house: House) -> None:
    scans = [house.scan("x") for _ in range(BATCH_MAX + 1)]
    answer = await house.client.post(
        f"{house.url}/batch", json={"scans": scans}, headers=await house.as_("scanner")
    )
    assert answer.status_code == 422
    assert answer.json()["fields"]["scans"]["code"] == "batch_too_large"
    assert "500" in answer.json()["fields"]["scans"]["text"]
    assert await Scan.all().count() == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"scans": 3}'])
async def test_a_batch_that_is_none(house: House, body: bytes) -> None:
    answer = await house.client.post(f"{house.url}/batch", content=body, headers=await house.as_("scanner"))
    assert answer.status_code in (400, 422)
    assert answer.json()["code"]


async def test_the_same_batch_twice_half_while_the_first_runs(house: House) -> None:
    scans = [house.scan((await make_passport(house.event, house.kind)).token) for _ in range(40)]
    headers = await house.as_("scanner")
    batch = f"{house.url}/batch"
    first, half = await asyncio.gather(
        house.client.post(batch, json={"scans": scans}, headers=headers),
        house.client.post(batch, json={"scans": scans[20:]}, headers=headers),
    )
    whole = await house.client.post(batch, json={"scans": scans}, headers=headers)
    for answer in (first, half, whole):
        assert {result["verdict"] for result in answer.json()["results"]} == {"admitted"}
    assert await Scan.all().count() == 40


async def test_a_devices_clock_changes_nothing(house: House) -> None:
    """A clock two hours off: no field of ours takes a time, and the age is counted, not told by a clock."""
    passport = await make_passport(house.event, house.kind)
    headers = await house.as_("scanner")
    before = datetime.now(UTC)
    wrong = (before - timedelta(hours=2)).isoformat()
    body = house.scan(passport.token, scanned_at=wrong, datetime=wrong, age_ms=90_000)
    said = (await house.client.post(house.url, json=body, headers=headers | {"date": wrong})).json()
    at = datetime.fromisoformat(said["at"])
    assert before - timedelta(seconds=95) < at < datetime.now(UTC) - timedelta(seconds=85)
    unbelievable = house.scan("x", age_ms=10**15)
    said = (await house.client.post(house.url, json=unbelievable, headers=headers)).json()
    assert said["doubtful"] is True


async def test_who_may_scan(house: House) -> None:
    other = await make_event()
    passport = await make_passport(house.event, house.kind)
    second = await make_checkpoint(house.event)
    narrow = await house.as_("scanner", None, "checkpoint", house.gate.id)
    expected: list[tuple[dict[str, str], int]] = [
        ({}, 403),  # no bearer, no origin: it may be another site
        (HERE, 401),
        ({"authorization": "Bearer nonsense"}, 401),
        (await house.as_("scanner"), 200),
        (await house.as_("organiser"), 200),
        (await house.as_("owner"), 200),
        (await house.as_("owner", other), 403),
        (narrow, 200),
    ]
    for headers, status in expected:
        answer = await house.client.post(house.url, json=house.scan(passport.token), headers=headers)
        assert answer.status_code == status, headers
    answer = await house.client.post(
        house.url, json=house.scan(passport.token, checkpoint=second.id), headers=narrow
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "checkpoint_not_yours")
    answer = await house.client.post(house.url, json=house.scan("x", checkpoint=999_999), headers=narrow)
    assert answer.status_code == 403
    owner = await house.as_("owner")
    answer = await house.client.post(house.url, json=house.scan("x", checkpoint=999_999), headers=owner)
    assert (answer.status_code, answer.json()["code"]) == (404, "checkpoint_unknown")


async def test_a_cross_site_scan_is_refused_before_anything(house: House) -> None:
    account = await make_account()
    await make_role(house.event, account, "scanner")
    token = await accounts.open_sign_in(account_id=account.id, user_agent="test", at=datetime.now(UTC))
    cookie = {"cookie": f"huiwu_signin={token}"}
    body = house.scan((await make_passport(house.event, house.kind)).token)
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {},
    ):
        answer = await house.client.post(house.url, json=body, headers=cookie | headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), headers
    assert await Scan.all().count() == 0
    for headers in (HERE, {"origin": BASE}):
        assert (await house.client.post(house.url, json=body, headers=cookie | headers)).status_code == 200


async def test_a_body_too_large_is_413_in_the_one_shape(house: House) -> None:
    answer = await house.client.post(house.url, content=b"x" * 20_000, headers=await house.as_("scanner"))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_finding_a_person_admits_nobody(house: House) -> None:
    await make_passport(house.event, house.kind)
    registration = await make_registration(
        house.event, house.kind, name="欧阳娜娜", phone="+8613800138000", phone_last4="8000"
    )
    async with db.unit_of_work():
        await Passport.all().update(registration_id=registration.id, badge_name="欧阳娜娜")
    headers = await house.as_("scanner")
    person: dict[str, Any] = {}
    for text in ("欧阳", "8000"):
        answer = await house.client.get(
            f"/e/{house.event.slug}/api/people", params={"q": text}, headers=headers
        )
        [person] = answer.json()["people"]
        assert person["name"] == "欧阳娜娜" and person["phone_last4"] == "8000"
        assert "+86138" not in answer.text
    said = (await house.client.post(house.url, json=house.scan(person["short_code"]), headers=headers)).json()
    assert said["verdict"] == "admitted"
    for text in ("", "欧", "%%", "__"):
        answer = await house.client.get(
            f"/e/{house.event.slug}/api/people", params={"q": text}, headers=headers
        )
        assert answer.json()["people"] == []
    assert await Scan.all().count() == 1


async def test_checkpoints_and_counts_keep_to_the_scope(house: House) -> None:
    second = await make_checkpoint(house.event)
    narrow = await house.as_("scanner", None, "checkpoint", second.id)
    base = f"/e/{house.event.slug}/api/checkpoints"
    found = (await house.client.get(base, headers=narrow)).json()
    assert [one["id"] for one in found["checkpoints"]] == [second.id]
    assert (await house.client.get(f"{base}/{second.id}/counts", headers=narrow)).status_code == 200
    assert (await house.client.get(f"{base}/{house.gate.id}/counts", headers=narrow)).status_code == 404
