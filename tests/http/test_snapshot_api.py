"""The snapshot over HTTP: who gets it, whose it is, what a second asking costs, and what nonsense is answered."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import orjson
import pytest
import pytest_asyncio

import main
from checkin import snapshot
from checkin.snapshot_rules import secrets_of, unseal
from events.models import Event
from kernel.settings import Settings
from people import accounts
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_place,
    make_role,
    make_session,
    make_ticket_type,
)

BASE = "http://127.0.0.1:8000"


@dataclass
class House:
    event: Event
    client: httpx2.AsyncClient

    @property
    def url(self) -> str:
        return f"/e/{self.event.slug}/api/snapshot"

    async def as_(self, role: str, event: Event | None = None, *scope: Any) -> dict[str, str]:
        account = await make_account()
        await make_role(event or self.event, account, role, *scope)
        token = await accounts.open_sign_in(account_id=account.id, user_agent="test", at=datetime.now(UTC))
        return {"authorization": f"Bearer {token}"}


@pytest_asyncio.fixture(loop_scope="session")
async def house(database: Settings) -> AsyncIterator[House]:
    event = await make_event()
    app = main.create_app(database, workers=False)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as client:
        yield House(event, client)


async def test_a_scanner_gets_the_lines_of_its_event_and_the_doors_facts(house: House) -> None:
    kind = await make_ticket_type(house.event, door_note={"en": "Red lanyard"})
    north = await make_checkpoint(house.event, ticket_types=[kind], capacity=40)
    south = await make_checkpoint(house.event)
    passport = await make_passport(house.event, kind)
    other = await make_event()
    stranger = await make_passport(other, await make_ticket_type(other))
    headers = await house.as_("scanner", None, "checkpoint", north.id)
    answer = await house.client.get(house.url, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    lines = dict(said["lines"])
    assert (said["count"], said["whole"], said["next"]) == (2, True, None)
    whole = hashlib.sha256("".join(f"{one} {text}\n" for one, text in said["lines"]).encode())
    assert said["digest"] == whole.hexdigest()
    salt = bytes.fromhex(said["salt"])
    mine = secrets_of(passport.token, salt)
    assert orjson.loads(unseal(mine, lines[mine.lookup]))["name"] == passport.badge_name
    assert secrets_of(stranger.token, salt).lookup not in lines
    assert passport.badge_name not in answer.text
    world = said["world"]
    [facts] = world["checkpoints"]
    assert (facts["id"], facts["list_id"], facts["capacity"], facts["ticket_types"]) == (
        north.id,
        north.list_id,
        40,
        [kind.id],
    )
    assert world["places"][str(south.id)] == south.name
    assert world["ticket_types"] == [{"id": kind.id, "name": kind.name, "door_note": {"en": "Red lanyard"}}]


async def test_a_rooms_door_travels_with_its_programme_and_with_what_was_said_by_hand(house: House) -> None:
    room = await make_place(house.event, capacity=20)
    now = datetime.now(UTC)
    talk = await make_session(
        house.event, place_id=room.id, starts_at=now - timedelta(minutes=5), ends_at=now + timedelta(hours=1)
    )
    await make_checkpoint(house.event, kind="session", once="session", place_id=room.id)
    gate = await make_checkpoint(house.event)
    headers = await house.as_("organiser")
    first = await house.client.get(house.url, headers=headers)
    door, other = first.json()["world"]["checkpoints"]
    assert [slot["guid"] for slot in door["slots"]] == [str(talk.guid)]
    assert (door["lead_minutes"], door["held"]) == (15, None)
    assert (other["id"], other["slots"], other["held"]) == (gate.id, None, None)

    body = {"state": "full", "id": str(uuid.uuid4())}
    said = await house.client.post(
        f"/e/{house.event.slug}/api/rooms/{room.id}/state", json=body, headers=headers
    )
    assert said.status_code == 200, said.text
    # What a phone has is no longer all of it, although no passport changed.
    known = headers | {"if-none-match": first.headers["etag"]}
    delta = await house.client.get(house.url, headers=known)
    assert delta.status_code == 200
    held = delta.json()["world"]["checkpoints"][0]["held"]
    assert held["state"] == "full"
    assert datetime.fromisoformat(held["until"]) > now


async def test_a_second_asking_is_a_304_until_something_changed(house: House) -> None:
    kind = await make_ticket_type(house.event)
    await make_passport(house.event, kind)
    headers = await house.as_("scanner")
    first = await house.client.get(house.url, headers=headers)
    version = first.json()["version"]
    delta = await house.client.get(house.url, params={"since": version}, headers=headers)
    assert (delta.json()["lines"], delta.json()["whole"]) == ([], False)
    known = headers | {"if-none-match": delta.headers["etag"]}
    again = await house.client.get(house.url, params={"since": version}, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    gate = await make_checkpoint(house.event)
    assert (await house.client.get(house.url, params={"since": version}, headers=known)).json()["world"][
        "checkpoints"
    ][0]["id"] == gate.id


async def test_who_is_here_is_told_of_ones_own_lists_only(house: House) -> None:
    kind = await make_ticket_type(house.event)
    north, south = await make_checkpoint(house.event), await make_checkpoint(house.event)
    passport = await make_passport(house.event, kind)
    everywhere = await house.as_("scanner")
    for gate in (north, south):
        body = {"scan_id": str(uuid.uuid4()), "code": passport.token, "checkpoint": gate.id}
        done = await house.client.post(f"/e/{house.event.slug}/api/scans", json=body, headers=everywhere)
        assert done.json()["verdict"] == "admitted"
    headers = await house.as_("scanner", None, "checkpoint", north.id)
    said = (await house.client.get(f"{house.url}/seen", headers=headers)).json()
    assert [row[:2] for row in said["scans"]] == [[passport.id, north.list_id]]
    assert said["more"] is False
    later = await house.client.get(
        f"{house.url}/seen", params={"since": said["version"] + snapshot.SEEN_AGAIN}, headers=headers
    )
    assert later.json() == {"version": said["version"], "more": False, "scans": []}


async def test_only_who_may_scan_here_gets_anything(house: House) -> None:
    other = await make_event()
    headers = await house.as_("scanner", other)
    for path in (house.url, f"{house.url}/seen"):
        assert (await house.client.get(path)).status_code == 401
        for wrong in (await house.as_("reviewer"), headers):
            assert (await house.client.get(path, headers=wrong)).status_code == 403
    assert (await house.client.get("/e/nowhere/api/snapshot", headers=headers)).status_code == 404


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", {"since": "-1"}),
        ("", {"since": "x"}),
        ("", {"since": str(2**63)}),
        ("", {"after": "no such"}),
        ("", {"after": "x" * 23}),
        ("/seen", {"since": "soon"}),
    ],
)
async def test_nonsense_is_named_at_its_parameter(house: House, path: str, query: dict[str, str]) -> None:
    answer = await house.client.get(house.url + path, params=query, headers=await house.as_("scanner"))
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == list(query)
