"""A phone's way in over HTTP: pairing without an account, the device's own JSON, scans by its token, and its end."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

import main
from checkin import checkpoints, counting, devices, snapshot, snapshot_rules
from checkin.models import (
    Checkpoint,
    Device,
    Passport,
    QuarantinedScan,
    Scan,
    ScanConflict,
    Snapshot,
)
from events.models import Event
from kernel.db import execute, unit_of_work
from kernel.settings import Settings
from people.models import Account
from people.rules import Limit
from tests.factories import (
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_role,
    make_ticket_type,
)
from tests.http.desk_house import BASE, browser_of


@dataclass
class House:
    app: Starlette
    event: Event
    gate: Checkpoint
    passport: Passport
    organiser: Account
    #: The organiser's browser, and a phone without an account.
    browser: httpx2.AsyncClient
    phone: httpx2.AsyncClient

    async def make(self, **more: Any) -> dict[str, Any]:
        body = {"id": str(uuid.uuid4()), "name": "North gate", "checkpoints": [self.gate.id]} | more
        made = await self.browser.post("/e/coscon/api/device-pairings", json=body)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    async def pair(self, code: str, instance: str = "", slug: str = "coscon") -> httpx2.Response:
        body = {
            "code": code,
            "instance": instance or str(uuid.uuid4()),
            "app_version": "abc",
            "platform": "webkit touch",
            "checks": {"camera": True, "storage": True},
        }
        return await self.phone.post(f"/e/{slug}/api/devices/pair", json=body)

    async def paired(self, **more: Any) -> dict[str, Any]:
        made = await self.make(**more)
        found: dict[str, Any] = (await self.pair(made["pairings"][0]["address"])).json()
        return found

    async def ask(self, token: str, path: str, body: Any = None, slug: str = "coscon") -> httpx2.Response:
        headers = {"authorization": f"Bearer {token}"}
        if body is None:
            return await self.phone.get(f"/e/{slug}/api/{path}", headers=headers)
        return await self.phone.post(f"/e/{slug}/api/{path}", json=body, headers=headers)

    def scan(self, age_ms: int | None = None) -> dict[str, Any]:
        return {
            "scan_id": str(uuid.uuid4()),
            "code": self.passport.token,
            "checkpoint": self.gate.id,
            "age_ms": age_ms,
        }


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[House]:
    app = main.create_app(database, workers=False)
    event = await make_event("coscon")
    organiser = await make_account()
    await make_role(event, organiser, "organiser")
    gate = await make_checkpoint(event)
    passport = await make_passport(event, await make_ticket_type(event))
    async with (
        browser_of(app, organiser, accept="application/json") as browser,
        browser_of(app, accept="application/json") as phone,
    ):
        yield House(app, event, gate, passport, organiser, browser, phone)


async def test_a_phone_pairs_asks_and_scans_without_an_account(house: House) -> None:
    made = await house.make(count=2, volunteers=["林小满"], sees_names=True)
    first, second = made["pairings"]
    assert first["address"].startswith(f"{BASE}/e/coscon/pair#")
    assert (first["volunteer"], second["volunteer"], len(first["code"])) == ("林小满", "", 8)
    answer = await house.pair(first["address"])
    assert answer.status_code == 200
    paired = answer.json()
    assert paired["token"].startswith("hwd_")
    assert paired["device"]["checkpoints"] == [house.gate.id]

    own = (await house.ask(paired["token"], "device")).json()
    assert own["device"] == paired["device"]
    assert own["event"] == {
        "slug": "coscon",
        "names": {"zh-Hans": "中国开源年会", "en": "China Open Source Conference"},
        "time_zone": "Asia/Shanghai",
        "day_starts_minute": 240,
        "ends_at": "2023-10-29T20:00:00Z",
    }
    assert own["checkpoints"] == [
        {
            "id": house.gate.id,
            "code": house.gate.code,
            "name": dict(house.gate.name),
            "kind": "gate",
            "list_id": house.gate.list_id,
            "on_repeat": "welcome",
            "once": "day",
            "is_open": True,
            "scans_exits": False,
            "windows": [],
            "ticket_types": [],
            "capacity": None,
            "session_guid": "",
            "slots": None,
            "lead_minutes": 15,
            "held": None,
        }
    ]
    assert (own["rehearsal"], own["problems"], len(own["app"]["version"])) == (None, [], 12)

    one = await house.ask(paired["token"], "scans", house.scan())
    assert (one.status_code, one.json()["verdict"]) == (200, "admitted")
    batch = await house.ask(paired["token"], "scans/batch", {"scans": [house.scan()]})
    assert [item["verdict"] for item in batch.json()["results"]] == ["welcome_back"]
    assert {row.actor_key for row in await Scan.all()} == {f"device:{paired['device']['id']}"}
    assert (await house.ask(paired["token"], "checkpoints")).json()["checkpoints"][0]["id"] == house.gate.id
    assert (await house.ask(paired["token"], "people?q=来宾")).status_code == 200


async def test_a_lost_answer_is_asked_for_again_and_another_phone_gets_nothing(house: House) -> None:
    code = (await house.make())["pairings"][0]["code"]
    mine = str(uuid.uuid4())
    first, again = await house.pair(code, mine), await house.pair(f" {code[:4].lower()}-{code[4:]} ", mine)
    assert (first.status_code, again.json()) == (200, first.json())
    other = await house.pair(code)
    assert (other.status_code, other.json()["code"]) == (410, "pairing_used")
    assert "token" not in other.text
    assert await Device.all().count() == 1


async def test_wrong_codes_are_counted_and_a_right_one_opens_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Limit("failed-few", 3, timedelta(hours=1), is_network=True)
    monkeypatch.setattr("people.rules.FAILED_PER_NETWORK", few)
    code = (await house.make())["pairings"][0]["code"]
    answers = [await house.pair("AAAA-AAAA") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
    # A forged token is counted in the same way, and told no more.
    forged = await house.ask("hwd_" + "0" * 64, "device")
    assert forged.status_code == 429
    paired = (await house.pair(code)).json()
    for _ in range(5):
        assert (await house.ask(paired["token"], "device")).status_code == 200


async def test_forged_tokens_of_every_kind_are_refused_alike(house: House) -> None:
    token = (await house.paired())["token"]
    bodies = set()
    for forged in ("hwd_x", "hwt_x", token[:-2], token.upper(), "hwd_" + "0" * 64):
        for path, body in (("device", None), ("scans", house.scan()), ("device/leftovers", {"scans": []})):
            answer = await house.ask(forged, path, body)
            bodies.add((answer.status_code, answer.json()["code"]))
    assert bodies == {(401, "sign_in_needed")}
    # In a cookie a device's token is nobody's: any page could send it along.
    house.phone.cookies.set("huiwu_signin", token)
    assert (await house.phone.get("/e/coscon/api/device")).status_code == 401


async def test_only_devices_ask_for_what_is_a_devices(house: House) -> None:
    for path, body in (("device", None), ("device/seen", {"instance": str(uuid.uuid4())})):
        url = f"/e/coscon/api/{path}"
        mine = await (house.browser.get(url) if body is None else house.browser.post(url, json=body))
        nobody = await (house.phone.get(url) if body is None else house.phone.post(url, json=body))
        assert (mine.status_code, nobody.status_code) == (403, 401)


async def test_seen_tells_how_the_device_stands_and_warns_of_a_second_phone(house: House) -> None:
    made = await house.make()
    instance = str(uuid.uuid4())
    token = (await house.pair(made["pairings"][0]["address"], instance)).json()["token"]
    async with unit_of_work():
        await Device.all().update(last_seen_at=datetime.now(UTC) - timedelta(minutes=1))
    said = {
        "instance": instance,
        "app_version": "abc",
        "queue_length": 4,
        "snapshot_version": 17,
        "problems": ["camera_lost"],
    }
    answer = await house.ask(token, "device/seen", said)
    assert (answer.status_code, answer.json()["problems"]) == (200, ["camera_lost"])
    second = await house.ask(token, "device/seen", said | {"instance": str(uuid.uuid4())})
    assert second.json()["problems"] == ["two_phones", "camera_lost"]
    [listed] = (await house.browser.get("/e/coscon/api/devices")).json()["devices"]
    assert (listed["state"], listed["queue_length"], listed["snapshot_version"]) == ("online", 4, 17)
    assert listed["problems"] == ["two_phones", "camera_lost"]
    assert "token" not in listed and "instance" not in listed
    wrong = await house.ask(token, "device/seen", {"instance": "x"})
    assert (wrong.status_code, wrong.json()["fields"]["instance"]["code"]) == (422, "malformed")


async def test_a_revoked_phone_is_told_and_hands_over_what_it_holds(house: House) -> None:
    paired = await house.paired()
    token, number = paired["token"], paired["device"]["id"]
    counted = house.scan()
    assert (await house.ask(token, "scans", counted)).json()["verdict"] == "admitted"
    ended = await house.browser.post(f"/e/coscon/api/devices/{number}/revocation")
    assert (ended.status_code, ended.json()["state"], ended.json()["wiped_at"]) == (200, "revoked", None)
    queued = [house.scan(60_000), counted | {"age_ms": 90_000}, house.scan() | {"code": "nobody's"}]
    for path, body in (
        ("device", None),
        ("device/seen", {"instance": str(uuid.uuid4())}),
        ("scans", queued[0]),
        ("scans/batch", {"scans": queued}),
        ("people?q=来宾", None),
    ):
        answer = await house.ask(token, path, body)
        assert (path, answer.status_code, answer.json()["code"]) == (path, 401, "device_revoked")
    for _ in range(2):
        answer = await house.ask(token, "device/leftovers", {"scans": [*queued, {"scan_id": "x"}]})
        assert answer.status_code == 200
        assert [item["ok"] for item in answer.json()["results"]] == [True, True, True, False]
        assert answer.json()["results"][0] == {
            "ok": True,
            "quarantined": True,
            "scan_id": queued[0]["scan_id"],
        }
    held = {str(row.scan_id): row for row in await QuarantinedScan.all()}
    assert {key: row.state for key, row in held.items()} == {
        queued[0]["scan_id"]: "waiting",
        counted["scan_id"]: "counted",
        queued[2]["scan_id"]: "waiting",
    }
    known, unknown = held[queued[0]["scan_id"]], held[queued[2]["scan_id"]]
    assert (known.passport_id, known.code_hash) == (house.passport.id, None)
    assert unknown.passport_id is None and unknown.code_hash
    assert await Scan.all().count() == 1
    [listed] = (await house.browser.get("/e/coscon/api/devices")).json()["devices"]
    assert listed["wiped_at"] is not None


async def test_an_expired_phone_sends_its_queue_and_leaves_the_rest(house: House) -> None:
    paired = await house.paired()
    async with unit_of_work():
        end = datetime.now(UTC) - timedelta(minutes=10)
        await Device.all().update(expires_at=end, paired_at=end - timedelta(hours=5))
    devices.forget()
    before, after = house.scan(20 * 60_000), house.scan(60_000)
    answer = (await house.ask(paired["token"], "scans/batch", {"scans": [before, after]})).json()["results"]
    assert (answer[0]["verdict"], answer[1]["code"], answer[1]["retry"]) == (
        "admitted",
        "device_expired",
        False,
    )
    for path, body in (("device", None), ("scans", before), ("counts", None)):
        if path != "counts":
            told = await house.ask(paired["token"], path, body)
            assert (told.status_code, told.json()["code"]) == (401, "device_expired")
    left = await house.ask(paired["token"], "device/leftovers", {"scans": [after], "wiped": False})
    assert left.json()["results"][0]["quarantined"] is True
    row = await Device.get()
    assert row.wiped_at is None


async def test_another_events_device_gets_in_nowhere(house: House) -> None:
    token = (await house.paired())["token"]
    other = await make_event("meetup")
    gate = await make_checkpoint(other)
    foreign = house.scan() | {"checkpoint": gate.id}
    for path, body in (
        ("device", None),
        ("device/seen", {"instance": str(uuid.uuid4())}),
        ("device/leftovers", {"scans": [foreign]}),
        ("scans", foreign),
        ("scans/batch", {"scans": [foreign]}),
        ("checkpoints", None),
    ):
        assert (await house.ask(token, path, body, slug="meetup")).status_code == 403, path
    # A token of another event in the queue, and a checkpoint of it.
    foreign["code"] = (await make_passport(other, await make_ticket_type(other))).token
    foreign["checkpoint"] = house.gate.id
    results = (
        await house.ask(token, "scans/batch", {"scans": [foreign, house.scan() | {"checkpoint": gate.id}]})
    ).json()
    assert [item.get("verdict", item.get("code")) for item in results["results"]] == [
        "other_event",
        "checkpoint_not_yours",
    ]
    assert await QuarantinedScan.all().count() == 0


async def test_a_device_opens_no_page_and_makes_no_devices(house: House) -> None:
    token = (await house.paired(is_lead=True, may_walk_in=True, sees_names=True))["token"]
    headers = {"authorization": f"Bearer {token}"}
    body = {"id": str(uuid.uuid4()), "name": "x", "checkpoints": [house.gate.id]}
    assert (
        await house.phone.post("/e/coscon/api/device-pairings", json=body, headers=headers)
    ).status_code == 403
    for path in ("/e/coscon/api/devices", "/e/coscon/desk", "/account"):
        assert (await house.phone.get(path, headers=headers)).status_code == 403, path


async def test_programs_make_codes_once_change_and_end_devices(house: House) -> None:
    body = {"id": str(uuid.uuid4()), "name": "Gate", "count": 2, "checkpoints": [house.gate.id]}
    first = await house.browser.post("/e/coscon/api/device-pairings", json=body)
    again = await house.browser.post("/e/coscon/api/device-pairings", json=body)
    assert again.json() == first.json()
    number = (await house.pair(first.json()["pairings"][0]["code"])).json()["device"]["id"]
    until = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    changed = await house.browser.patch(
        f"/e/coscon/api/devices/{number}", json={"name": "South gate", "expires_at": until.isoformat()}
    )
    assert (changed.status_code, changed.json()["name"]) == (200, "South gate")
    assert changed.json()["expires_at"] == until.isoformat().replace("+00:00", "Z")
    assert (
        await house.browser.patch(f"/e/coscon/api/devices/{number}", json={"nam": "x"})
    ).status_code == 422
    assert (await house.browser.post("/e/coscon/api/devices/999/revocation")).status_code == 404


async def test_the_shell_and_the_pairing_page_say_nothing_about_their_reader(house: House) -> None:
    for path in ("/e/coscon/scanner", "/e/coscon/pair"):
        anonymous, organiser = await house.phone.get(path), await house.browser.get(path)
        assert (anonymous.status_code, anonymous.content) == (200, organiser.content)
        assert anonymous.headers["cache-control"].startswith("public")
        assert "'wasm-unsafe-eval'" in anonymous.headers["content-security-policy"]
        again = await house.phone.get(path, headers={"if-none-match": anonymous.headers["etag"]})
        assert again.status_code == 304
        chinese = await house.phone.get(path, headers={"accept-language": "zh-CN"})
        assert 'lang="zh-Hans"' in chinese.text


async def _came_of(house: House) -> tuple[list[Any], Any]:
    """The ledger, and what the board says of today."""
    rows = await Scan.all().order_by("id").values_list("scan_id", "verdict", "turn", "programme_date")
    return rows, (await counting.board(event_id=house.event.id, at=datetime.now(UTC)))["arrived"]


async def _paired_the_day_before_yesterday(house: House) -> str:
    token = str((await house.paired())["token"])
    async with unit_of_work():
        await Device.all().update(paired_at=datetime.now(UTC) - timedelta(days=2))
    devices.forget()
    return token


def _a_day(hours: float = 25) -> int:
    return round(hours * 3_600_000)


async def test_yesterdays_queue_counts_for_yesterday_and_played_again_for_nothing(house: House) -> None:
    """A phone that lay in a bag overnight, and one whose storage was put back to what it was."""
    token = await _paired_the_day_before_yesterday(house)
    queue = [
        house.scan(_a_day()) | {"local": "admitted"},
        house.scan(_a_day()) | {"local": "admitted"},
        house.scan(_a_day()) | {"code": "nobody's", "local": "unknown_yet"},
    ]
    first = (await house.ask(token, "scans/batch", {"scans": queue})).json()["results"]
    assert [one["verdict"] for one in first] == ["admitted", "welcome_back", "unknown"]
    assert [one["doubtful"] for one in first] == [False] * 3
    rows, arrived = await _came_of(house)
    yesterday = (await checkpoints.world(house.event.id)).programme_date(
        datetime.now(UTC) - timedelta(hours=25)
    )
    assert {day for *_, day in rows} == {yesterday} and arrived == 0
    # The whole of it again, older by another half a day, alone and with today's first scan behind it.
    again = [one | {"age_ms": one["age_ms"] + _a_day(10)} for one in queue]
    today = house.scan()
    alone, mixed = [
        (await house.ask(token, "scans/batch", {"scans": body})).json()["results"]
        for body in (again, [*reversed(again), today])
    ]
    for results in (alone, mixed):
        replayed = {one["scan_id"]: (one["verdict"], one["at"]) for one in results if one["replayed"]}
        assert replayed == {one["scan_id"]: (one["verdict"], one["at"]) for one in first}
    assert mixed[-1]["verdict"] == "admitted", "yesterday's admission is not today's"
    now_rows, now_arrived = await _came_of(house)
    assert now_rows[:-1] == rows and now_arrived == 1
    assert await ScanConflict.all().count() == 1, "nobody's code, once"


async def test_a_queue_older_than_any_age_is_marked_and_one_from_before_the_pairing(house: House) -> None:
    token = await _paired_the_day_before_yesterday(house)
    old = house.scan(_a_day(37))
    before = datetime.now(UTC)
    result = (await house.ask(token, "scans/batch", {"scans": [old]})).json()["results"][0]
    assert (result["verdict"], result["doubtful"]) == ("admitted", True)
    assert datetime.fromisoformat(result["at"]) >= before
    fresh = str((await house.paired())["token"])
    early = house.scan(_a_day())
    result = (await house.ask(fresh, "scans/batch", {"scans": [early]})).json()["results"][0]
    assert result["doubtful"] and datetime.fromisoformat(result["at"]) >= before


async def test_a_queue_copied_to_another_phone_says_nothing_and_counts_nothing(house: House) -> None:
    token = await _paired_the_day_before_yesterday(house)
    queue = [house.scan(_a_day()) | {"local": "admitted"}, house.scan(_a_day()) | {"code": "nobody's"}]
    await house.ask(token, "scans/batch", {"scans": queue})
    rows, arrived = await _came_of(house)
    thief = str((await house.paired())["token"])
    answer = await house.ask(thief, "scans/batch", {"scans": queue})
    assert [one["code"] for one in answer.json()["results"]] == ["replay_mismatch"] * 2
    assert house.passport.badge_name not in answer.text and house.passport.token not in answer.text
    changed = [one | {"direction": "exit"} for one in queue]
    answer = await house.ask(token, "scans/batch", {"scans": changed})
    assert [one["code"] for one in answer.json()["results"]] == ["replay_mismatch"] * 2
    assert await _came_of(house) == (rows, arrived)


async def test_codes_of_another_event_in_the_queue_let_nobody_in_and_stop_nobody(house: House) -> None:
    """A passport of another event, by its token and by a lookup id out of that event's snapshot; and a device's token."""
    token = str((await house.paired(sees_names=True))["token"])
    other = await make_event("meetup")
    stranger = await make_passport(other, await make_ticket_type(other))
    for event in (house.event, other):
        await snapshot.current(event.id)
    keys = {row.event_id: bytes.fromhex(row.salt) for row in await Snapshot.all()}
    theirs = snapshot_rules.secrets_of(stranger.token, keys[other.id]).code
    ours = snapshot_rules.secrets_of(house.passport.token, keys[house.event.id]).code
    wrong_salt = snapshot_rules.secrets_of(house.passport.token, keys[other.id]).code
    codes = [stranger.token, theirs, wrong_salt, token, ours]
    body = [house.scan(60_000) | {"code": code, "local": "admitted"} for code in codes]
    answer = await house.ask(token, "scans/batch", {"scans": body})
    assert [(one["verdict"], one["conflict"]) for one in answer.json()["results"]] == [
        ("other_event", True),
        ("unknown", True),
        ("unknown", True),
        ("unknown", True),
        ("admitted", False),
    ]
    assert stranger.badge_name not in answer.text and token not in answer.text
    rows, arrived = await _came_of(house)
    assert [turn for _, _, turn, _ in rows] == [None, None, None, None, 0] and arrived == 1
    stored = repr(await Scan.all().values()) + repr(await ScanConflict.all().values())
    assert token not in stored and stranger.token not in stored


async def test_a_phone_hears_of_its_own_conflicts_and_of_a_rehearsal(house: House) -> None:
    paired, other = await house.paired(), await house.paired()
    token = paired["token"]
    async with unit_of_work():
        await execute("UPDATE passport SET status = 'revoked' WHERE id = $1", house.passport.id)
    sent = house.scan() | {"local": "admitted"}
    [found] = (await house.ask(token, "scans/batch", {"scans": [sent]})).json()["results"]
    assert (found["verdict"], found["conflict"], found["rehearsal"]) == ("revoked", True, False)
    for path, body in (("device", None), ("device/seen", {"instance": str(uuid.uuid4())})):
        [mine] = (await house.ask(token, path, body)).json()["conflicts"]
        assert (mine["scan_id"], mine["story"], mine["dealt"]) == (sent["scan_id"], "refused", False)
        assert (await house.ask(other["token"], path, body)).json()["conflicts"] == []
    deal = f"conflicts/{sent['scan_id']}/deal"
    assert (await house.ask(other["token"], deal, {"note": "not mine"})).status_code == 403
    assert (await house.ask(token, deal, {"note": "sent to the desk"})).json()["dealt"] is True
    assert (await house.ask(token, "device")).json()["conflicts"] == []
    page = await house.browser.get("/e/coscon/live/conflicts?show=all", headers={"accept": "text/html"})
    assert "North gate" in page.text and "sent to the desk" in page.text

    doors = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    await make_checkpoint(house.event, windows=[(doors, doors + timedelta(hours=9))])
    begun = await house.browser.post("/e/coscon/live/rehearsal/start", data={})
    assert begun.status_code == 303
    news = (await house.ask(token, "device")).json()
    assert datetime.fromisoformat(news["rehearsal"]["ends_at"]) == doors
    assert (await house.ask(token, "scans", house.scan())).json()["rehearsal"] is True
