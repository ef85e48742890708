"""The desk's pages about tickets through ASGI: types, shared quotas, access codes, waiting list, approvals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

import main
from events import registrations, waitlist
from events.models import AccessCode, AccessCodeTicketType, Registration, SharedQuota, TicketType
from events.rules import TicketRole
from kernel import db
from kernel.settings import Settings
from people.models import Letter
from tests.factories import (
    NOW,
    make_access_code,
    make_event,
    make_registration,
    make_shared_quota,
    make_ticket_type,
)
from tests.http.desk_house import Desk, chosen, desk_of, field, problem, words_of


@pytest.fixture
async def desk(database: Settings) -> AsyncIterator[Desk]:
    """The desk of an event that is still to come, by the clock of this machine too."""
    app = main.create_app(database, workers=False)
    async with desk_of(app, starts_on=date(2099, 11, 7), ends_on=date(2099, 11, 8)) as one:
        yield one
    registrations.place_freed._handlers.remove(waitlist.follow)


TYPE: dict[str, Any] = {
    "name.zh-Hans": "学生票",
    "name.en": "Student ticket",
    "description.en": "With a student card.",
    "code": "student",
    "role": "student",
    "quota": "10",
    "has_waitlist": "1",
    "is_public": "1",
    "needs_approval": "1",
    "opens_at": "2099-10-01T09:30",
    "closes_at": "2099-10-05T18:00",
}


# --- ticket types ------------------------------------------------------------------------------------------------


async def test_a_ticket_type_with_everything_is_added_and_shown_again(desk: Desk) -> None:
    seats = await make_shared_quota(desk.event, 50)
    answer = await desk.post("/ticket-types/new", TYPE | {"shared_quota_id": str(seats.id)})
    assert answer.status_code == 303
    row = await TicketType.get(code="student")
    assert (row.role, row.quota, row.shared_quota_id) == (TicketRole.STUDENT, 10, seats.id)
    assert (row.has_waitlist, row.needs_approval, row.needs_code, row.is_walk_in) == (
        True,
        True,
        False,
        False,
    )
    # Typed in Shanghai, stored in UTC.
    assert row.opens_at is not None and row.opens_at.isoformat() == "2099-10-01T01:30:00+00:00"
    page = (await desk.get(f"/ticket-types/{row.id}")).text
    assert chosen(page, "role") == "student"
    assert chosen(page, "shared_quota_id") == str(seats.id)
    assert field(page, "opens_at") == "2099-10-01T09:30"
    listed = words_of((await desk.get("/ticket-types")).text)
    for words in ("Student", "needs approval", "waiting list", "counts in Seats", "from "):
        assert words in listed, words


async def test_what_is_wrong_with_a_ticket_type_is_said_at_its_field(desk: Desk) -> None:
    other = await make_shared_quota(await make_event(), 5)
    for typed, name in [
        ({"role": "king"}, "role"),
        ({"shared_quota_id": str(other.id)}, "shared_quota_id"),
        ({"site_id": "77"}, "site_id"),
        ({"closes_at": "2099-10-01T09:30"}, "closes_at"),
        ({"opens_at": "soon"}, "opens_at"),
        ({"quota": "-1"}, "quota"),
    ]:
        answer = await desk.post("/ticket-types/new", TYPE | typed)
        assert answer.status_code == 422, name
        assert f'href="#f-{name}"' in answer.text
        assert field(answer.text, "name.zh-Hans") == "学生票"
    assert await TicketType.filter(code="student").count() == 0
    assert (await desk.get("/ticket-types/999")).status_code == 404
    foreign = await make_ticket_type(await make_event())
    assert (await desk.get(f"/ticket-types/{foreign.id}")).status_code == 404


# --- shared quotas -----------------------------------------------------------------------------------------------


async def test_shared_quotas_are_added_changed_and_removed(desk: Desk) -> None:
    assert "No shared quota yet" in words_of((await desk.get("/shared-quotas")).text)
    wrong = await desk.post("/shared-quotas/new", {"name.en": "Hall", "quota": "many"})
    assert (wrong.status_code, problem(wrong.text, "quota")) == (422, "Please enter a whole number.")
    data = {"name.zh-Hans": "主会场", "name.en": "Hall", "quota": "3"}
    assert (await desk.post("/shared-quotas/new", data)).status_code == 303
    row = await SharedQuota.get()
    async with db.unit_of_work():
        await TicketType.filter(id=desk.general.id).update(shared_quota_id=row.id)
    for _ in range(3):
        await make_registration(desk.event, desk.general)
    await registrations.recount_places(desk.event.id)
    listed = words_of((await desk.get("/shared-quotas")).text)
    assert "Hall" in listed and "Attendee" in listed and "3 / 3" in listed and "full" in listed
    below = await desk.post(f"/shared-quotas/{row.id}", data | {"quota": "2"})
    assert below.status_code == 422 and field(below.text, "quota") == "2"
    assert "Remove this shared quota" not in below.text
    refused = await desk.post(f"/shared-quotas/{row.id}/removal")
    assert refused.status_code == 409
    assert "Ticket types count in this shared quota." in words_of(refused.text)
    assert (await desk.post(f"/shared-quotas/{row.id}", data | {"quota": "9"})).status_code == 303
    async with db.unit_of_work():
        await TicketType.filter(id=desk.general.id).update(shared_quota_id=None)
    assert (await desk.post(f"/shared-quotas/{row.id}/removal")).status_code == 303
    assert (await desk.get(f"/shared-quotas/{row.id}")).status_code == 404


# --- access codes ------------------------------------------------------------------------------------------------


async def test_access_codes_are_added_made_in_bulk_searched_and_downloaded(desk: Desk) -> None:
    assert "No access code yet" in words_of((await desk.get("/access-codes")).text)
    data: dict[str, Any] = {"code": "data whale", "ticket_source": "=Datawhale", "max_uses": "5"}
    nothing = await desk.post("/access-codes/new", data)
    assert (nothing.status_code, field(nothing.text, "code")) == (422, "data whale")
    assert 'href="#f-ticket_types"' in nothing.text
    data["ticket_types"] = [str(desk.general.id), str(desk.vip.id)]
    assert (await desk.post("/access-codes/new", data)).status_code == 303
    row = await AccessCode.get()
    assert (row.code, row.max_uses, row.is_active) == ("DATAWHALE", 5, True)
    twice = await desk.post("/access-codes/new", data)
    assert problem(twice.text, "code") == "Another access code of this event is the same."
    many = {"count": "120", "code": "kai", "max_uses": "1", "ticket_types": str(desk.vip.id)}
    for typed, name in [({"count": "1001"}, "count"), ({"count": ""}, "count"), ({"code": "a/b"}, "code")]:
        assert f'href="#f-{name}"' in (await desk.post("/access-codes/many", many | typed)).text
    assert await AccessCode.all().count() == 1
    assert (await desk.post("/access-codes/many", many)).status_code == 303
    assert await AccessCode.all().count() == 121
    assert (await desk.post("/access-codes/many", many | {"code": "", "count": "1"})).status_code == 303
    listed = words_of((await desk.get("/access-codes")).text)
    assert "1–100 of 122" in listed.replace("&#8211;", "–") or "122" in listed
    assert "DATAWHALE" in words_of((await desk.get("/access-codes", q="whale")).text)
    assert "No code matches" in words_of((await desk.get("/access-codes", q="nobody")).text)
    file = await desk.get("/access-codes/codes.csv", q="datawhale")
    assert file.headers["cache-control"] == "no-store"
    lines = file.content.decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    # A formula in a cell is text, and nothing else.
    assert "DATAWHALE" in lines[1] and "'=Datawhale" in lines[1]
    assert len((await desk.get("/access-codes/codes.csv")).content.decode("utf-8-sig").splitlines()) == 123


async def test_an_access_code_is_changed_and_switched_off(desk: Desk) -> None:
    code = await make_access_code(desk.event, desk.vip, code="VIP", max_uses=3, used=2)
    path = f"/access-codes/{code.id}"
    page = (await desk.get(path)).text
    assert field(page, "code") == "VIP" and "Used 2 times." in words_of(page)
    data = {"code": "vip-2", "ticket_types": str(desk.general.id), "max_uses": "1"}
    below = await desk.post(path, data)
    assert problem(below.text, "max_uses") == "It has been used more often than that."
    assert (await desk.post(path, data | {"max_uses": "4"})).status_code == 303
    row = await AccessCode.get(id=code.id)
    assert (row.code, row.max_uses, row.is_active) == ("VIP-2", 4, False)
    assert [one.ticket_type_id for one in await AccessCodeTicketType.all()] == [desk.general.id]
    assert "switched off" in words_of((await desk.get("/access-codes")).text)
    foreign = await make_access_code(await make_event(), code="X")
    for path in (f"/access-codes/{foreign.id}", "/access-codes/x"):
        assert (await desk.get(path)).status_code == 404


# --- the waiting list --------------------------------------------------------------------------------------------


async def test_the_waiting_list_shows_its_order_and_is_moved_by_hand(desk: Desk) -> None:
    assert "No ticket type has a waiting list." in words_of((await desk.get("/waiting-list")).text)
    async with db.unit_of_work():
        await TicketType.filter(id=desk.vip.id).update(has_waitlist=True, quota=1)
    holder = await make_registration(desk.event, desk.vip)
    people = [
        await make_registration(
            desk.event,
            desk.vip,
            name=f"候补{n}",
            state="waitlisted",
            waiting_since=NOW + timedelta(minutes=n),
        )
        for n in range(3)
    ]
    await registrations.recount_places(desk.event.id)
    page = words_of((await desk.get("/waiting-list")).text)
    assert page.index("候补0") < page.index("候补1") < page.index("候补2")
    assert (await desk.post(f"/waiting-list/{people[2].id}/first")).status_code == 303
    page = words_of((await desk.get("/waiting-list", type=desk.vip.id, done="put_first")).text)
    assert page.index("候补2") < page.index("候补0")
    assert "First in line" in page
    assert (await desk.post(f"/waiting-list/{people[0].id}/removal")).status_code == 303
    again = await desk.post(f"/waiting-list/{people[0].id}/removal")
    assert again.status_code == 409 and "cancelled already" in words_of(again.text)
    await desk.post(f"/registrations/{holder.id}/cancellation")
    page = words_of((await desk.get("/waiting-list")).text)
    assert page.index("Offered, not answered yet") < page.index("候补2") < page.index("Place in line")
    assert (await Registration.get(id=people[2].id)).state == "offered"
    refused = await desk.post(f"/waiting-list/{people[2].id}/first")
    assert refused.status_code == 409
    for path in ("/waiting-list/x/first", "/waiting-list/999/first", "/waiting-list/999/removal"):
        assert (await desk.post(path)).status_code == 404


# --- approvals ---------------------------------------------------------------------------------------------------


async def test_applications_are_decided_about_some_or_all(desk: Desk) -> None:
    assert "No ticket type needs approval" in words_of((await desk.get("/approvals")).text)
    async with db.unit_of_work():
        await TicketType.all().update(needs_approval=True, quota=None)
    rows = [
        await make_registration(
            desk.event,
            desk.general if n < 4 else desk.vip,
            state="pending",
            name=f"申请{n}",
            organisation="开源社",
        )
        for n in range(6)
    ]
    await registrations.recount_places(desk.event.id)
    page = (await desk.get("/approvals")).text
    assert "6 applications wait for a decision." in words_of(page)
    assert "guest" not in words_of(page), "no addresses in a list"
    nobody = await desk.post("/approvals/decisions", {"decision": "decline", "reason": "下次"})
    assert nobody.status_code == 422
    assert "Please tick those whom you decide about." in words_of(nobody.text)
    assert ">\n下次</textarea>" in nobody.text
    some = {"decision": "approve", "registration": [str(rows[0].id), str(rows[1].id), "x"]}
    answer = await desk.post("/approvals/decisions", some)
    assert answer.status_code == 303
    assert "2 approved." in words_of((await desk.browser.get(answer.headers["location"])).text)
    long = await desk.post(
        "/approvals/decisions",
        {"decision": "decline", "registration": str(rows[2].id), "reason": "x" * 1001},
    )
    assert long.status_code == 422 and f'value="{rows[2].id}" checked' in " ".join(long.text.split())
    assert (await desk.post("/approvals/decisions", {"registration": "1"})).status_code == 422
    narrow = {"decision": "decline", "scope": "all", "type": str(desk.general.id), "reason": "名额有限"}
    answer = await desk.post("/approvals/decisions", narrow)
    assert answer.headers["location"].endswith(f"type={desk.general.id}&done=declined&n=2")
    # Twice is once: nobody is left.
    assert (await desk.post("/approvals/decisions", narrow)).headers["location"].endswith("n=0")
    states = [row.state for row in await Registration.all().order_by("id")]
    assert states == ["confirmed"] * 2 + ["declined"] * 2 + ["pending"] * 2
    assert await Letter.filter(text__contains="名额有限").count() == 2
    left = words_of((await desk.get("/approvals", type=desk.vip.id)).text)
    assert "申请4" in left and "申请0" not in left


async def test_pages_cost_the_same_for_one_row_and_for_many(desk: Desk) -> None:
    async with db.unit_of_work():
        await TicketType.filter(id=desk.general.id).update(needs_approval=True, has_waitlist=True)

    async def fill(count: int) -> None:
        for _ in range(count):
            await make_registration(desk.event, desk.general, state="pending")
            await make_registration(desk.event, desk.general, state="waitlisted", waiting_since=NOW)
            await make_access_code(desk.event, desk.general, desk.vip)
            await make_shared_quota(desk.event, 5)

    costs: list[list[int]] = []
    for count in (1, 5):
        await fill(count)
        spent = []
        for path in ("/approvals", "/waiting-list", "/access-codes", "/shared-quotas", "/ticket-types"):
            # The least of three: who signed in is remembered for some seconds, and read anew on a busy machine.
            tries = []
            for _ in range(3):
                before = db.stats.statements
                assert (await desk.get(path)).status_code == 200
                tries.append(db.stats.statements - before)
            spent.append(min(tries))
        costs.append(spent)
    assert costs[0] == costs[1]


async def test_a_viewer_sees_none_of_it(database: Settings) -> None:
    app = main.create_app(database, workers=False)
    async with desk_of(app, role="viewer") as desk:
        for path in ("/approvals", "/waiting-list", "/access-codes", "/shared-quotas", "/ticket-types"):
            assert (await desk.get(path)).status_code == 403, path
    registrations.place_freed._handlers.remove(waitlist.follow)
