"""A lead's word, groups, notes, badges and lanes as JSON: for scanners that stay where they are, and for devices."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

import main
from checkin import counting
from checkin.models import BadgeEvent, HolderNote, Passport, Scan, ScanReason
from events import privacy
from events.models import RegistrationGroup
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from tests.factories import forget, make_checkpoint, make_event, make_ticket_type
from tests.http.test_person_pages import House


def today() -> date:
    return (datetime.now(UTC) + timedelta(hours=8)).date()


@pytest.fixture
async def house(database: Settings) -> House:
    app = main.create_app(database, workers=False)
    event = await make_event("coscon", starts_on=today(), ends_on=today())
    kind = await make_ticket_type(event, "general")
    return House(app, event, kind, await make_checkpoint(event))


def api(house: House, path: str) -> str:
    return f"/e/{house.event.slug}/api{path}"


async def post(client: httpx2.AsyncClient, house: House, path: str, body: object, status: int = 200) -> Any:
    answer = await client.post(api(house, path), json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def scan(
    client: httpx2.AsyncClient, house: House, passport: Passport, status: int = 200, **more: Any
) -> Any:
    body = {"scan_id": str(uuid4()), "code": passport.short_code, "checkpoint": house.gate.id} | more
    return await post(client, house, "/scans", body, status)


# --- a lead's word -----------------------------------------------------------------------------------------------


async def test_a_lead_admits_with_a_reason_and_takes_it_back(house: House) -> None:
    lead, staff = await house.reader("volunteer_lead"), await house.reader("scanner")
    closed = await make_checkpoint(house.event, is_open=False)
    one = await house.person("曾毅")
    assert (await scan(staff, house, one, checkpoint=closed.id))["verdict"] == "closed"
    body = {"scan_id": str(uuid4()), "checkpoint": closed.id, "reason": "It opens now"}
    await post(staff, house, f"/people/{one.id}/admit", body, 403)
    await post(lead, house, f"/people/{one.id}/admit", body | {"reason": "  "}, 422)
    said = [await post(lead, house, f"/people/{one.id}/admit", body) for _ in range(2)]
    assert [(one["verdict"], one["replayed"]) for one in said] == [
        ("admitted_by_lead", False),
        ("admitted_by_lead", True),
    ]
    await post(lead, house, f"/people/{one.id}/admit", body | {"reason": "another"}, 409)
    await post(lead, house, f"/people/{one.id + 999}/admit", body, 404)
    card = (await lead.get(api(house, f"/people/{one.id}"))).json()
    assert [entry["scan_id"] for entry in card["scans"]] == [body["scan_id"]]
    assert (await staff.get(api(house, f"/people/{one.id}"))).json()["scans"] == []
    back = {"id": str(uuid4()), "reason": "wrong person"}
    await post(staff, house, f"/scans/{body['scan_id']}/undo", back, 403)
    for _ in range(2):
        done = await post(lead, house, f"/scans/{body['scan_id']}/undo", back)
        assert (done["verdict"], done["words"]["en"]) == ("entry_undone", "Entry taken back")
    late = await post(lead, house, f"/scans/{body['scan_id']}/undo", {"id": str(uuid4()), "reason": "x"}, 409)
    assert late["code"] == "undo_not_latest"
    await post(lead, house, f"/scans/{uuid4()}/undo", {"id": str(uuid4()), "reason": "x"}, 404)
    assert sorted(row.text for row in await ScanReason.all()) == ["It opens now", "wrong person"]
    assert await counting.differences(house.event.id) == []


async def test_a_reason_may_stand_in_the_scan_itself(house: House) -> None:
    lead, staff = await house.reader("volunteer_lead"), await house.reader("scanner")
    closed = await make_checkpoint(house.event, is_open=False)
    one = await house.person("张伟")
    await scan(staff, house, one, 403, checkpoint=closed.id, reason="let me")
    said = await scan(lead, house, one, checkpoint=closed.id, reason="the key was late")
    assert said["verdict"] == "admitted_by_lead"
    entry = {"scan_id": str(uuid4()), "code": one.short_code, "checkpoint": closed.id, "reason": "again"}
    [batched] = (await post(staff, house, "/scans/batch", {"scans": [entry]}))["results"]
    assert (batched["ok"], batched["code"]) == (False, "forbidden")
    [batched] = (await post(lead, house, "/scans/batch", {"scans": [entry]}))["results"]
    assert (batched["ok"], batched["verdict"]) == (True, "admitted_by_lead")


async def test_a_note_is_left_and_marked_done(house: House) -> None:
    lead, staff = await house.reader("volunteer_lead"), await house.reader("scanner")
    one = await house.person("单雄信")
    body = {"text": {"zh-Hans": "请到讲师接待处"}, "attention": True}
    await post(staff, house, f"/people/{one.id}/note", body, 403)
    made = [await post(lead, house, f"/people/{one.id}/note", body) for _ in range(2)]
    assert made[0] == made[1] and (made[0]["text"], made[0]["attention"]) == (body["text"], True)
    await post(lead, house, f"/people/{one.id}/note", {"text": {}}, 422)
    card = (await staff.get(api(house, f"/people/{one.id}"))).json()
    assert card["note"]["id"] == made[0]["id"]
    for _ in range(2):
        await post(lead, house, f"/people/{one.id}/note/done", {"note": made[0]["id"]}, 204)
    assert (await HolderNote.get()).done_at is not None
    assert (await staff.get(api(house, f"/people/{one.id}"))).json()["note"] is None


# --- a group -----------------------------------------------------------------------------------------------------


async def group_of(house: House, *names: str) -> list[Passport]:
    async with unit_of_work():
        group = await RegistrationGroup.create(
            event_id=house.event.id,
            kind="group",
            name="Datawhale",
            contact_email="leader@example.org",
            created_at=datetime.now(UTC),
        )
    return [await house.person(name, group_id=group.id) for name in names]


async def test_a_group_comes_in_and_each_is_one_ordinary_scan(house: House) -> None:
    staff = await house.reader("scanner", scope=house.gate.id)
    other = await make_checkpoint(house.event)
    people, stranger = await group_of(house, "李明", "王芳", "张伟"), await house.person("单雄信")
    listed = await staff.get(api(house, "/groups/arrival"), params={"leader": people[0].token})
    found = listed.json()
    assert (found["name"], found["leader"], found["checkpoint"], found["here"]) == (
        "Datawhale",
        people[0].id,
        house.gate.id,
        0,
    )
    assert [one["name"] for one in found["people"]] == ["李明", "王芳", "张伟"]
    own = str(uuid4())
    body = {
        "id": str(uuid4()),
        "leader": people[0].short_code,
        "checkpoint": house.gate.id,
        "members": [{"passport_id": people[1].id, "scan_id": own}, {"passport_id": people[2].id}],
    }
    said = [await post(staff, house, "/groups/arrival", body) for _ in range(2)]
    assert [one["admitted"] for one in said] == [2, 2]
    assert [(one["passport_id"], one["verdict"], one["replayed"]) for one in said[1]["results"]] == [
        (people[1].id, "admitted", True),
        (people[2].id, "admitted", True),
    ]
    # The same person sent as an ordinary scan with that id is the same scan.
    assert (await scan(staff, house, people[1], scan_id=own))["replayed"] is True
    assert await Scan.all().count() == 2
    after = (await staff.get(api(house, "/groups/arrival"), params={"passport_id": people[0].id})).json()
    assert (after["here"], after["people"][0]["here_since"]) == (2, None)
    wrong = body | {"id": str(uuid4()), "members": [{"passport_id": stranger.id}]}
    await post(staff, house, "/groups/arrival", wrong, 422)
    await post(staff, house, "/groups/arrival", body | {"checkpoint": other.id}, 404)
    await post(staff, house, "/groups/arrival", body | {"leader": stranger.token}, 404)
    await post(staff, house, "/groups/arrival", body | {"members": []}, 422)
    for query in ({"leader": stranger.token}, {"leader": "nobody"}, {"passport_id": stranger.id}, {}):
        assert (await staff.get(api(house, "/groups/arrival"), params=query)).status_code == 404
    assert (
        await staff.get(api(house, "/groups/arrival"), params={"leader": "x", "at": other.id})
    ).status_code == 404


async def test_a_refused_member_is_said_of_that_one(house: House) -> None:
    staff = await house.reader("scanner")
    people = await group_of(house, "李明", "王芳")
    room = await make_checkpoint(house.event, kind="session", once="event", capacity=1)
    body = {
        "id": str(uuid4()),
        "passport_id": people[0].id,
        "checkpoint": room.id,
        "members": [{"passport_id": one.id} for one in people],
        "age_ms": 60_000,
    }
    said = await post(staff, house, "/groups/arrival", body)
    assert (said["admitted"], [one["verdict"] for one in said["results"]]) == (1, ["admitted", "full"])


async def test_a_list_costs_the_same_statements_however_many_come(house: House) -> None:
    staff, counted = await house.reader("scanner"), []
    for names in (("李",), tuple("赵钱孙周吴郑王冯")):
        people = await group_of(house, *names)
        forget()
        before = db.stats.statements
        params = {"passport_id": people[0].id}
        assert len((await staff.get(api(house, "/groups/arrival"), params=params)).json()["people"]) == len(
            names
        )
        counted.append(db.stats.statements - before)
    assert counted[0] == counted[1]


# --- badges ------------------------------------------------------------------------------------------------------


async def test_a_badge_is_handed_over_by_its_code_and_lets_nobody_in(house: House) -> None:
    staff, lead = await house.reader("scanner", scope=house.gate.id), await house.reader("volunteer_lead")
    one = await house.person("林小满")
    async with unit_of_work():
        await Passport.filter(id=one.id).update(badge_number=217, badge_box="C")
    body = {"id": str(uuid4()), "code": one.token}
    said: Any = None
    for _ in range(2):
        said = await post(staff, house, "/badges/handed-over", body)
        assert (said["said"], said["tone"], said["holder"]["badge"]) == (
            "handed_over",
            "go",
            {"number": 217, "box": "C"},
        )
    again = await post(staff, house, "/badges/handed-over", body | {"id": str(uuid4())})
    assert (again["said"], again["tone"], again["first"]["at"]) == ("handed_over_before", "care", said["at"])
    await post(lead, house, "/badges/handed-over", body, 409)
    assert await Scan.all().count() == 0 and await BadgeEvent.all().count() == 1
    for code, word in (("nobody", "unknown"), ("\x01", "malformed"), (one.short_code[:-1] + "!", "unknown")):
        no = await post(staff, house, "/badges/handed-over", {"id": str(uuid4()), "code": code})
        assert (no["said"], no["tone"], no["holder"]) == (word, "stop", None)
    async with unit_of_work():
        await Passport.filter(id=one.id).update(status="cancelled")
    no = await post(staff, house, "/badges/handed-over", {"id": str(uuid4()), "code": one.short_code})
    assert (no["said"], no["holder"]["name"]) == ("cancelled", "林小满")
    back = {"id": str(uuid4())}
    await post(staff, house, f"/badges/{one.id}/taken-back", back, 403)
    assert (await post(lead, house, f"/badges/{one.id}/taken-back", back))["said"] == "taken_back"
    assert (await post(lead, house, f"/badges/{one.id}/taken-back", {"id": str(uuid4())}))[
        "said"
    ] == "not_handed_over"


async def test_the_card_hands_a_badge_over_without_a_script(house: House) -> None:
    staff, lead = await house.reader("scanner"), await house.reader("volunteer_lead")
    one = await house.person("林小满")
    form = {"id": str(uuid4())}
    done = await staff.post(house.at(one, "/badge"), data=form, follow_redirects=True)
    assert "Badge handed over" in done.text and "Handed over" in done.text
    assert (await staff.post(house.at(one, "/badge/back"), data=form)).status_code == 403
    again = await staff.post(house.at(one, "/badge"), data={"id": str(uuid4())}, follow_redirects=True)
    assert "Has the badge already" in again.text
    assert "The badge was not handed over" in (await lead.get(house.at(one))).text
    back = await lead.post(house.at(one, "/badge/back"), data={"id": str(uuid4())}, follow_redirects=True)
    assert "Taken back" in back.text
    assert [row.kind for row in await BadgeEvent.all().order_by("id")] == ["handed_over", "taken_back"]


async def test_the_list_of_badges_is_for_those_who_see_registrations(house: House) -> None:
    desk, staff = await house.reader("organiser"), await house.reader("scanner")
    one, other = await house.person("林小满"), await house.person("张伟")
    await post(staff, house, "/badges/handed-over", {"id": str(uuid4()), "code": one.token})
    assert (await staff.get(api(house, "/badges"))).status_code == 403
    found = (await desk.get(api(house, "/badges"), params={"show": "waiting"})).json()
    assert (found["total"], [row["passport_id"] for row in found["badges"]], found["next_after"]) == (
        1,
        [other.id],
        None,
    )
    assert (await desk.get(api(house, "/badges"), params={"show": "all"})).status_code == 422
    async with unit_of_work():
        await Passport.filter(id=one.id).update(badge_number=3, badge_box="Xiaoman's box")
    await privacy.erase(
        actor=SYSTEM, event_id=house.event.id, registration_ids=[one.registration_id], at=datetime.now(UTC)
    )
    await one.refresh_from_db()
    assert (one.badge_number, one.badge_box, await BadgeEvent.all().count()) == (3, "", 1)


# --- the lanes ---------------------------------------------------------------------------------------------------


async def test_a_lead_sees_their_own_lanes_and_is_told_when_nothing_moved(house: House) -> None:
    other = await make_checkpoint(house.event)
    lead = await house.reader("volunteer_lead", scope=house.gate.id)
    everywhere, staff = await house.reader("organiser"), await house.reader("scanner")
    one = await house.person("林小满")
    await scan(staff, house, one)
    await post(
        staff, house, "/scans", {"scan_id": str(uuid4()), "code": "nobody", "checkpoint": house.gate.id}
    )
    assert (await staff.get(api(house, "/lanes"))).status_code == 403
    answer = await lead.get(api(house, "/lanes"))
    [lane] = answer.json()["lanes"]
    assert (lane["id"], sum(lane["scans"]), sum(lane["refused"]), len(lane["scans"]), lane["is_open"]) == (
        house.gate.id,
        2,
        1,
        12,
        True,
    )
    same = await lead.get(api(house, "/lanes"), headers={"if-none-match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert {row["id"] for row in (await everywhere.get(api(house, "/lanes"))).json()["lanes"]} == {
        house.gate.id,
        other.id,
    }
