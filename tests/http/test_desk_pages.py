"""The organiser's desk through ASGI, as a browser without JavaScript sees it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

import main
from events import registrations
from events.desk import NEXT_STEPS, REGISTRATION_LINKS, SCOPES, Step
from events.models import Event, Invitation, Place, Registration, RoleGrant, TicketType
from events.rules import Role
from events.sheets import read_table
from kernel import db
from kernel.db import unit_of_work
from kernel.settings import Settings
from people import accounts as people_accounts
from people.models import Account, JournalEntry, Letter
from tests.factories import NOW, make_account, make_event, make_place, make_registration, make_role
from tests.http.desk_house import Desk, browser_of, chosen, desk_of, field, problem, words_of


@pytest.fixture
async def desk(database: Settings) -> AsyncIterator[Desk]:
    app = main.create_app(database, workers=False)
    # Upper floors' slots have tests of their own.
    links, scopes, steps = list(REGISTRATION_LINKS), list(SCOPES), list(NEXT_STEPS)
    REGISTRATION_LINKS.clear()
    SCOPES.clear()
    NEXT_STEPS.clear()
    async with desk_of(app) as one:
        yield one
    REGISTRATION_LINKS[:], SCOPES[:], NEXT_STEPS[:] = links, scopes, steps


PERSON = {
    "name": "林小满",
    "email": "xiaoman@example.org",
    "phone": "",
    "organisation": "开源社",
    "locale": "zh-Hans",
}


# --- overview ----------------------------------------------------------------------------------------------------


async def test_overview_counts_and_says_what_to_do_next(desk: Desk) -> None:
    page = words_of((await desk.get()).text)
    assert "Import a list, or share the address" in page
    assert "Add the places" in page
    assert "Invite your team" in page
    assert "Publish the event" not in page
    await make_registration(desk.event, desk.general)
    await make_registration(desk.event, desk.vip, state="cancelled")
    await registrations.recount_places(desk.event.id)
    await make_place(desk.event)
    await make_role(desk.event, await make_account(), "scanner")

    async def more(_door: object) -> list[Step]:
        return [Step("Pair a device", "/x", "Nobody scans yet.")]

    NEXT_STEPS.append(more)
    page = words_of((await desk.get()).text)
    assert "Registered 1" in page
    assert "Cancelled 1" in page
    assert "VIP 0 / 2" in page
    assert "Pair a device Nobody scans yet." in page
    assert "Add the places" not in page


async def test_overview_shows_the_quota_where_every_type_has_one(desk: Desk) -> None:
    async with unit_of_work():
        await TicketType.filter(id=desk.general.id).update(quota=8)
    await make_registration(desk.event, desk.general)
    assert "Registered 1 / 10 · 10 %" in words_of((await desk.get()).text)


async def test_an_administrator_creates_an_event(desk: Desk, database: Settings) -> None:
    app = main.create_app(database, workers=False)
    async with browser_of(app, await make_account(is_admin=True)) as browser:
        bad = await browser.post(
            "/events/new", data={"name.zh-Hans": "", "slug": "Ä", "starts_on": "gestern", "time_zone": "Mars"}
        )
        assert bad.status_code == 422
        assert problem(bad.text, "slug").startswith("Use lower-case letters")
        assert problem(bad.text, "name.zh-Hans") == "Please fill this in."
        assert problem(bad.text, "starts_on").startswith("Please enter a date")
        assert problem(bad.text, "time_zone").startswith("This time zone is unknown.")
        assert field(bad.text, "starts_on") == "gestern"
        data = {
            "name.zh-Hans": "读书会",
            "slug": "books",
            "starts_on": "2024-05-01",
            "time_zone": "Asia/Shanghai",
        }
        taken = await browser.post("/events/new", data=data | {"slug": "coscon"})
        assert problem(taken.text, "slug") == "Another event has this alias."
        made = await browser.post("/events/new", data=data)
        assert (made.status_code, made.headers["location"]) == (303, "/e/books/desk?done=created")
        page = words_of((await browser.get(made.headers["location"])).text)
        assert "Created. Here is what to do next." in page
        assert "Add a ticket type" in page
        assert "Publish the event" in page
    assert (await Event.get(slug="books")).ends_on == date(2024, 5, 1)


# --- registrations -----------------------------------------------------------------------------------------------


async def test_a_person_is_added_by_hand_at_any_time_with_any_type(desk: Desk) -> None:
    async with unit_of_work():
        await Event.filter(id=desk.event.id).update(state="ended")
        await TicketType.filter(id=desk.vip.id).update(is_public=False)
    answer = await desk.post(
        "/registrations/new", PERSON | {"ticket_type_id": str(desk.vip.id), "external_code": "T-1"}
    )
    row = await Registration.get()
    assert answer.headers["location"] == desk.path(f"/registrations/{row.id}?done=registered")
    assert (row.source, row.external_code, row.ticket_type_id) == ("organiser", "T-1", desk.vip.id)
    assert await Letter.all().count() == 1
    page = words_of((await desk.browser.get(answer.headers["location"])).text)
    assert "Registered." in page
    assert "E-mail xiaoman@example.org" in page
    assert "History" in page
    assert "林组织" in page


@pytest.mark.parametrize(
    ("typed", "name", "words"),
    [
        ({"name": " "}, "name", "Please give a name."),
        ({"email": ""}, "email", "Please give an e-mail address or a phone"),
        ({"email": "nobody"}, "email", "This is not an e-mail address."),
        ({"phone": "1.38E+10"}, "phone", "The spreadsheet has shortened this number"),
        ({"email": "", "phone": "12"}, "phone", "This is not a phone number"),
        ({"name": "x" * 121}, "name", "This name is too long: at most 120 characters."),
        ({"organisation": "x" * 201}, "organisation", "This is too long: at most 200 characters."),
        ({"ticket_type_id": "999"}, "ticket_type_id", "This event has no such ticket type."),
        ({"ticket_type_id": "x"}, "ticket_type_id", "This event has no such ticket type."),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    desk: Desk, typed: dict[str, str], name: str, words: str
) -> None:
    data = PERSON | {"ticket_type_id": str(desk.general.id)} | typed
    answer = await desk.post("/registrations/new", data)
    assert answer.status_code == 422
    assert problem(answer.text, name).startswith(words)
    for key in ("name", "email", "phone", "organisation"):
        assert field(answer.text, key) == data[key].strip()
    assert await Registration.all().count() == 0


async def test_a_full_ticket_type_is_said_at_its_field(desk: Desk) -> None:
    for _ in range(2):
        await make_registration(desk.event, desk.vip)
    await registrations.recount_places(desk.event.id)
    page = (await desk.get("/registrations/new")).text
    assert "VIP (full)" in words_of(page)
    assert chosen(page, "ticket_type_id") == str(desk.general.id)
    answer = await desk.post("/registrations/new", PERSON | {"ticket_type_id": str(desk.vip.id)})
    assert (answer.status_code, problem(answer.text, "ticket_type_id")) == (
        422,
        "This ticket type is full. Please choose another one.",
    )


async def test_everything_of_a_registration_is_changed_in_one_form_or_nothing(desk: Desk) -> None:
    row = await make_registration(desk.event, desk.general, external_id="E-1", phone="+8613800138000")
    path = f"/registrations/{row.id}/change"
    page = (await desk.get(path)).text
    assert field(page, "name") == row.name
    assert field(page, "external_id") == "E-1"
    data = PERSON | {
        "ticket_type_id": str(desk.vip.id),
        "external_id": "E-2",
        "badge_name": "小满",
        "english_name": "Xiaoman",
    }
    assert (await desk.post(path, data)).status_code == 303
    now = await Registration.get(id=row.id)
    assert (now.name, now.badge_name, now.english_name, now.email, now.phone, now.phone_last4) == (
        "林小满",
        "小满",
        "Xiaoman",
        "xiaoman@example.org",
        "",
        "",
    )
    assert (now.ticket_type_id, now.external_id) == (desk.vip.id, "E-2")
    assert (await TicketType.get(id=desk.vip.id)).taken == 1
    history = words_of((await desk.get(f"/registrations/{row.id}")).text).partition("History")[2]
    assert "Changed the ticket type: Ticket type Attendee → VIP" in history
    # The VIPs are full now: nothing of the form is done, neither the name.
    await make_registration(desk.event, desk.vip)
    await registrations.recount_places(desk.event.id)
    other = await make_registration(desk.event, desk.general, name="王芳", external_code="T-9")
    refused = await desk.post(f"/registrations/{other.id}/change", data | {"external_id": "E-3"})
    assert problem(refused.text, "ticket_type_id").startswith("This ticket type is full.")
    assert (await Registration.get(id=other.id)).name == "王芳"
    taken = await desk.post(path, data | {"external_code": "T-9"})
    assert problem(taken.text, "external_code") == "This ticket code belongs to another registration."
    assert (await Registration.get(id=row.id)).external_code is None


async def test_cancelled_twice_and_restored_if_there_is_a_place(desk: Desk) -> None:
    row = await make_registration(desk.event, desk.vip)
    await registrations.recount_places(desk.event.id)
    for _ in range(2):
        answer = await desk.post(f"/registrations/{row.id}/cancellation")
        assert answer.headers["location"].endswith("?done=cancelled")
    assert await JournalEntry.filter(verb="registration.cancel").count() == 1
    assert (await TicketType.get(id=desk.vip.id)).taken == 0
    for _ in range(2):
        await make_registration(desk.event, desk.vip)
    await registrations.recount_places(desk.event.id)
    full = await desk.post(f"/registrations/{row.id}/restoration")
    assert (full.status_code, "This ticket type is full." in words_of(full.text)) == (409, True)
    async with unit_of_work():
        await TicketType.filter(id=desk.vip.id).update(quota=3)
    for _ in range(2):
        answer = await desk.post(f"/registrations/{row.id}/restoration")
        assert answer.headers["location"].endswith("?done=restored")
    assert (await Registration.get(id=row.id)).state == "confirmed"


async def test_the_list_is_filtered_searched_and_paged(desk: Desk) -> None:
    for number in range(60):
        await make_registration(
            desk.event, desk.general, name=f"来宾{number:02}", email=f"g{number}@example.org"
        )
    await make_registration(desk.event, desk.vip, name="取消者", state="cancelled")
    page = (await desk.get("/registrations")).text
    assert "1 to 50 of 61" in words_of(page)
    assert "All 61 Confirmed 60 Cancelled 1" in words_of(page)
    assert "取消者" in words_of((await desk.get("/registrations", state="cancelled")).text)
    assert "来宾07" in words_of((await desk.get("/registrations", q="g7@")).text)
    assert "51 to 60 of 60" in words_of((await desk.get("/registrations", state="confirmed", page="2")).text)
    names = words_of((await desk.get("/registrations", sort="name", type=str(desk.general.id))).text)
    assert names.index("来宾00") < names.index("来宾01")
    nobody = words_of((await desk.get("/registrations", q="%", state="nonsense", type="x", page="-1")).text)
    assert "Nobody matches" in nobody
    # The search keeps the chips that were chosen, the chips keep the search.
    both = (await desk.get("/registrations", q="来宾", state="confirmed")).text
    assert '<input type="hidden" name="state" value="confirmed">' in both
    assert "q=%E6%9D%A5%E5%AE%BE&amp;state=confirmed&amp;type=" in both


async def test_an_empty_list_says_what_to_do(desk: Desk) -> None:
    page = words_of((await desk.get("/registrations")).text)
    assert "Nobody has registered yet" in page
    assert "Import a list" in page


async def statements(desk: Desk, path: str) -> int:
    before = db.stats.statements
    assert (await desk.get(path)).status_code == 200
    return db.stats.statements - before


@pytest.mark.parametrize(
    "path", ["", "/registrations", "/ticket-types", "/places", "/team", "/journal", "/outbox", "/imports"]
)
async def test_three_rows_cost_what_one_costs(desk: Desk, path: str) -> None:
    async def grow() -> None:
        row = await make_registration(desk.event, desk.general)
        await make_place(desk.event)
        await make_role(desk.event, await make_account(), "organiser")
        await desk.post(f"/registrations/{row.id}/cancellation")
        await desk.post("/registrations/new", PERSON | {"ticket_type_id": str(desk.general.id)})
        await desk.browser.post(
            desk.path("/imports"), files={"file": ("x.csv", "姓名,邮箱\n林,lin@example.org\n".encode())}
        )

    await grow()
    await desk.get(path)
    one = await statements(desk, path)
    for _ in range(2):
        await grow()
    assert await statements(desk, path) == one


async def test_names_that_are_hard_on_html_stay_names(desk: Desk) -> None:
    row = await make_registration(
        desk.event, desk.general, name="<script>alert(1)</script>", organisation="\"'&", search="x"
    )
    for path in ("/registrations", f"/registrations/{row.id}", f"/registrations/{row.id}/change"):
        page = (await desk.get(path)).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


async def test_links_of_upper_floors_stand_on_the_page(desk: Desk) -> None:
    row = await make_registration(desk.event, desk.general)
    REGISTRATION_LINKS.append(
        lambda door, number: ("Passport", f"/passport/{door.event.slug}/{number}", "qr-code")
    )
    REGISTRATION_LINKS.append(lambda _door, _number: None)
    assert f'href="/passport/coscon/{row.id}"' in (await desk.get(f"/registrations/{row.id}")).text


# --- export ------------------------------------------------------------------------------------------------------


async def test_the_list_leaves_as_csv_and_xlsx_by_its_filter(desk: Desk) -> None:
    await make_registration(desk.event, desk.general, name="=1+1", phone="+8613800138000")
    await make_registration(desk.event, desk.vip, name="取消者", state="cancelled")
    page = (await desk.get("/export", state="confirmed")).text
    assert "1 person · Confirmed" in words_of(page)
    answer = await desk.post("/export", {"format": "csv", "state": "confirmed"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert 'filename="coscon-registrations-' in answer.headers["content-disposition"]
    assert answer.content.startswith("\ufeff".encode())
    table = read_table("x.csv", answer.content)
    assert table.rows[1][0] == "'=1+1"
    assert len(table.rows) == 2
    book = await desk.post("/export", {"format": "xlsx", "state": "cancelled"})
    assert [row[0] for row in read_table("x.xlsx", book.content).rows] == ["Full name", "取消者"]
    entry = await JournalEntry.filter(verb="registration.export").order_by("id").first()
    assert entry is not None
    assert entry.new == {"format": "csv", "state": "confirmed", "ticket_type_id": None, "searched": False}
    assert "Exported registrations" in words_of((await desk.get("/journal")).text)
    wrong = await desk.post("/export", {"format": "pdf"})
    assert (wrong.status_code, problem(wrong.text, "format")) == (422, "Please choose one of the options.")


async def test_nothing_that_was_searched_for_stands_in_the_journal(desk: Desk) -> None:
    await make_registration(desk.event, desk.general, name="林小满")
    await desk.post("/export", {"format": "csv", "q": "林小满"})
    entry = await JournalEntry.get(verb="registration.export")
    assert "林小满" not in str(entry.new)
    assert entry.new["searched"] is True


# --- ticket types, places, team, settings ------------------------------------------------------------------------


async def test_ticket_types_are_added_changed_and_ordered(desk: Desk) -> None:
    data = {
        "name.zh-Hans": "讲师",
        "name.en": "Speaker",
        "code": "speaker",
        "quota": "３０",
        "door_note.zh-Hans": "红色挂绳",
    }
    assert (await desk.post("/ticket-types/new", data)).status_code == 303
    row = await TicketType.get(code="speaker")
    assert (row.quota, row.is_public, row.position, row.door_note) == (30, False, 3, {"zh-Hans": "红色挂绳"})
    for _ in range(3):
        await desk.post(f"/ticket-types/{row.id}/position", {"direction": "up"})
    page = words_of((await desk.get("/ticket-types")).text)
    assert page.index("Speaker") < page.index("Attendee") < page.index("VIP")
    await desk.post(f"/ticket-types/{row.id}/position", {"direction": "down"})
    page = words_of((await desk.get("/ticket-types")).text)
    assert page.index("Attendee") < page.index("Speaker") < page.index("VIP")
    shown = (await desk.get(f"/ticket-types/{row.id}")).text
    assert (field(shown, "name.en"), field(shown, "quota")) == ("Speaker", "30")


async def test_a_quota_below_what_is_taken_is_refused_at_its_field(desk: Desk) -> None:
    for _ in range(2):
        await make_registration(desk.event, desk.vip)
    await registrations.recount_places(desk.event.id)
    data = {"name.zh-Hans": "贵宾票", "code": "vip", "quota": "1"}
    answer = await desk.post(f"/ticket-types/{desk.vip.id}", data)
    assert (answer.status_code, problem(answer.text, "quota")) == (
        422,
        "More people hold this ticket type than that. Cancel some first, or raise the number.",
    )
    many = await desk.post(
        f"/ticket-types/{desk.vip.id}", data | {"quota": "many", "name.zh-Hans": "", "code": "a b"}
    )
    assert problem(many.text, "quota") == "Please enter a whole number."
    assert problem(many.text, "name.zh-Hans") == "Please fill this in."
    assert problem(many.text, "code") == "This does not have the right form."
    taken = await desk.post(f"/ticket-types/{desk.vip.id}", data | {"quota": "", "code": "general"})
    assert problem(taken.text, "code") == "Another ticket type of this event has this code."
    assert (await TicketType.get(id=desk.vip.id)).quota == 2


async def test_content_in_a_third_language_survives_the_form(desk: Desk) -> None:
    async with unit_of_work():
        await TicketType.filter(id=desk.vip.id).update(name={"zh-Hans": "贵宾票", "zh-Hant": "貴賓票"})
    await desk.post(f"/ticket-types/{desk.vip.id}", {"name.zh-Hans": "贵宾", "code": "vip", "quota": ""})
    assert (await TicketType.get(id=desk.vip.id)).name == {"zh-Hans": "贵宾", "zh-Hant": "貴賓票"}


async def test_places_are_a_tree_that_never_loops(desk: Desk) -> None:
    venue = {"name.zh-Hans": "菁蓉汇", "code": "JRH", "kind": "venue"}
    assert (await desk.post("/places/new", venue)).status_code == 303
    top = await Place.get(code="JRH")
    assert chosen((await desk.get("/places/new", parent=str(top.id))).text, "parent_id") == str(top.id)
    room = {
        "name.zh-Hans": "主会场",
        "code": "B201",
        "kind": "room",
        "capacity": "300",
        "parent_id": str(top.id),
    }
    assert (await desk.post("/places/new", room)).status_code == 303
    inner = await Place.get(code="B201")
    assert (inner.parent_id, inner.capacity) == (top.id, 300)
    assert (
        f'value="{inner.id}"'
        not in (await desk.get(f"/places/{top.id}")).text.partition('name="parent_id"')[2]
    )
    looped = await desk.post(f"/places/{top.id}", venue | {"parent_id": str(inner.id), "code": "NEW"})
    assert (looped.status_code, problem(looped.text, "parent_id")) == (
        422,
        "A place can't lie inside itself.",
    )
    assert (await Place.get(id=top.id)).code == "JRH", "half of the form would be worse than none"
    bad = await desk.post("/places/new", {"kind": "moon", "capacity": "-1", "code": "", "parent_id": "999"})
    assert problem(bad.text, "kind") == "Please choose one of the options."
    bad = await desk.post("/places/new", room | {"code": "JRH", "parent_id": ""})
    assert problem(bad.text, "code") == "Another place of this event has this code."
    bad = await desk.post("/places/new", room | {"code": "X", "parent_id": "999"})
    assert problem(bad.text, "parent_id") == "This event has no such place."
    assert (
        await desk.post(f"/places/{inner.id}", room | {"parent_id": "", "name.zh-Hans": "一号厅"})
    ).status_code == 303
    assert (await Place.get(id=inner.id)).parent_id is None
    assert "一号厅" in words_of((await desk.get("/places")).text)


async def test_a_team_is_built_by_invitation_and_keeps_an_owner(desk: Desk) -> None:
    person = {"email": "New@Example.org", "role": "organiser", "days": "7"}
    answer = await desk.post("/team", person)
    assert answer.headers["location"].endswith("?done=invited")
    # An account is made by signing in, never by an organiser.
    assert not await Account.filter(email="new@example.org").exists()
    page = words_of((await desk.get("/team")).text)
    assert "new@example.org" in page
    assert "Not accepted yet" in page
    again = await desk.post("/team", person)
    assert (again.status_code, problem(again.text, "email")[:26]) == (422, "This invitation is waiting")
    assert field(again.text, "email") == "New@Example.org"
    assert problem((await desk.post("/team", person | {"email": "nobody"})).text, "email").startswith(
        "This is not"
    )
    wrong = (await desk.post("/team", person | {"role": "king", "days": "40"})).text
    assert problem(wrong, "role")
    assert "1 to 30" in problem((await desk.post("/team", person | {"days": "40"})).text, "days")
    invitation = await Invitation.get()
    path = f"/invitations/{invitation.id}"
    assert (await desk.post(f"{path}/again")).headers["location"].endswith("?done=invited")
    assert (await desk.post(f"{path}/revocation")).headers["location"].endswith("?done=withdrawn")
    stale = await desk.post(f"{path}/again")
    assert (stale.status_code, "was withdrawn" in words_of(stale.text)) == (409, True)
    assert "new@example.org" not in words_of((await desk.get("/team")).text)
    own = await RoleGrant.get(account_id=desk.account.id)
    last = await desk.post(f"/team/{own.id}/removal")
    assert (last.status_code, "An event needs an owner." in words_of(last.text)) == (409, True)
    grant = await make_role(desk.event, await make_account(), "organiser")
    assert (await desk.post(f"/team/{grant.id}/removal")).headers["location"].endswith("?done=removed")
    assert await RoleGrant.filter(id=grant.id).count() == 0


async def test_scanners_are_invited_to_their_checkpoints(desk: Desk) -> None:
    async def checkpoints(_door: object) -> list[tuple[str, int, str]]:
        return [("checkpoint", 7, "North gate"), ("checkpoint", 8, "South gate")]

    SCOPES.append(checkpoints)
    data = {
        "email": "gate@example.org",
        "role": "scanner",
        "days": "3",
        "scope.checkpoint": ["checkpoint:7", "checkpoint:8"],
    }
    assert (await desk.post("/team", data)).status_code == 303
    invitation = await Invitation.get()
    assert [tuple(scope) for scope in invitation.scopes] == [("checkpoint", 7), ("checkpoint", 8)]
    assert (invitation.expires_at - invitation.created_at).days == 3
    assert "North gate, South gate" in words_of((await desk.get("/team")).text)
    wrong = await desk.post("/team", data | {"scope.checkpoint": ["checkpoint:9"]})
    assert (wrong.status_code, problem(wrong.text, "scope.checkpoint")) == (
        422,
        "Please choose one of the options.",
    )
    # Boxes that stayed ticked under another role mean nothing.
    await desk.post("/team", data | {"email": "o@example.org", "role": "organiser"})
    assert (await Invitation.get(email="o@example.org")).scopes == []
    # Somebody who has the role sees where.
    member = await make_account("m@example.org", name="小门")
    await make_role(desk.event, member, "scanner", "checkpoint", 8)
    assert "小门 Door scanner South gate" in words_of((await desk.get("/team")).text).replace(" · ", " ")


async def test_the_team_page_explains_every_role_in_both_languages(desk: Desk) -> None:
    for language in ("en", "zh-CN"):
        page = (await desk.browser.get(desk.path("/team"), headers={"accept-language": language})).text
        assert page.count('type="radio"') == len(Role)
        hints = re.findall(r'<p class="field__help" id="f-role[^"]*-hint">([^<]+)</p>', page)
        assert len(set(hints)) == len(Role)
        assert all(re.search(r"[\u4e00-\u9fff]", hint) for hint in hints) is (language == "zh-CN")


async def test_an_event_is_handed_over_in_two_steps(desk: Desk) -> None:
    page = words_of((await desk.get("/ownership")).text)
    assert "Nobody else has a role here" in page
    heir = await make_account("heir@example.org", name="陈接手")
    await make_role(desk.event, heir, "organiser")
    page = (await desk.get("/ownership")).text
    assert "陈接手" in words_of(page)
    assert 'method="get"' in page.partition("<main")[2]
    asked = await desk.get("/ownership", account_id=heir.id, then="organiser")
    assert "Is that right?" in words_of(asked.text)
    assert await RoleGrant.filter(account_id=heir.id).count() == 1  # looking changes nothing
    assert (await desk.get("/ownership", account_id=desk.account.id)).status_code == 422
    for data in ({"account_id": "x", "then": ""}, {"account_id": str(heir.id), "then": "king"}):
        assert (await desk.post("/ownership", data)).status_code == 422
    done = await desk.post("/ownership", {"account_id": str(heir.id), "then": "organiser"})
    assert (done.status_code, done.headers["location"]) == (303, "/e/coscon?done=handed_over")
    assert {row.role for row in await RoleGrant.filter(account_id=desk.account.id)} == {"organiser"}
    assert "owner" in {row.role for row in await RoleGrant.filter(account_id=heir.id)}
    assert (await desk.get("/team")).status_code == 403


async def test_settings_are_changed_in_the_events_own_time(desk: Desk) -> None:
    page = (await desk.get("/settings")).text
    data = {
        name: field(page, name)
        for name in ("name.zh-Hans", "name.en", "slug", "starts_on", "ends_on", "time_zone", "theme_colour")
    }
    data |= {
        "tagline.en": "Rivers",
        "text.zh-Hans": "# 欢迎",
        "registration_opens_at": "2023-09-01T09:30",
        "registration_closes_at": "2023-10-27T23:59",
        "slug": "coscon23",
    }
    answer = await desk.post("/settings", data)
    assert answer.headers["location"] == "/e/coscon23/desk/settings?done=saved"
    row = await Event.get(id=desk.event.id)
    assert row.registration_opens_at == datetime(2023, 9, 1, 1, 30, tzinfo=UTC)
    assert (row.tagline, row.text) == ({"en": "Rivers"}, {"zh-Hans": "# 欢迎"})
    page = (await desk.browser.get("/e/coscon23/desk/settings")).text
    assert field(page, "registration_opens_at") == "2023-09-01T09:30"
    path = "/e/coscon23/desk/settings"
    bad = await desk.browser.post(
        path,
        data=data
        | {
            "ends_on": "2023-01-01",
            "registration_opens_at": "soon",
            "theme_colour": "green",
            "time_zone": "Mars/North",
            "name.zh-Hans": "",
            "name.en": "",
        },
    )
    assert bad.status_code == 422
    assert problem(bad.text, "ends_on") == "The last day can't be before the first."
    assert problem(bad.text, "registration_opens_at").startswith("Please enter a date and a time")
    assert problem(bad.text, "theme_colour").startswith("A colour has the form")
    assert problem(bad.text, "time_zone").startswith("This time zone is unknown.")
    assert problem(bad.text, "name.zh-Hans") == "Please fill this in."
    assert field(bad.text, "registration_opens_at") == "soon"


async def test_an_event_is_published_hidden_and_ended(desk: Desk) -> None:
    for state, done in (("draft", "hidden"), ("published", "published"), ("ended", "ended")):
        answer = await desk.post("/state", {"state": state})
        assert answer.headers["location"].endswith(f"?done={done}")
        assert (await Event.get(id=desk.event.id)).state == state
    refused = await desk.post("/state", {"state": "draft"})
    assert (refused.status_code, "can't be moved to that state" in words_of(refused.text)) == (409, True)
    assert (await desk.post("/state", {"state": "nonsense"})).status_code == 422


# --- outbox and journal ------------------------------------------------------------------------------------------


async def test_the_outbox_shows_this_events_letters_and_sends_failed_ones_again(desk: Desk) -> None:
    await desk.post("/registrations/new", PERSON | {"ticket_type_id": str(desk.general.id)})
    letter = await Letter.get()
    page = words_of((await desk.get("/outbox")).text)
    assert "xiaoman@example.org" in page
    assert "No mail server is set up" in page
    async with unit_of_work():
        await Letter.filter(id=letter.id).update(state="failed", last_problem="unreachable")
    page = words_of((await desk.get("/outbox", state="failed")).text)
    assert "The mail server could not be reached" in page
    assert (await desk.post("/outbox/retry")).headers["location"].endswith("?done=queued")
    assert (await Letter.get()).state == "waiting"
    await desk.post(f"/outbox/{letter.id}/act", {"act": "hold"})
    assert (await Letter.get()).state == "held"
    again = await desk.post(f"/outbox/{letter.id}/act", {"act": "hold"})
    assert (again.status_code, "moved on meanwhile" in words_of(again.text)) == (409, True)
    assert (await desk.post(f"/outbox/{letter.id}/act", {"act": "burn"})).status_code == 422


async def test_another_events_letter_is_not_touched(desk: Desk) -> None:
    other = await make_event("other")
    await desk.post("/registrations/new", PERSON | {"ticket_type_id": str(desk.general.id)})
    async with unit_of_work():
        await Letter.all().update(event_id=other.id)
    letter = await Letter.get()
    assert (await desk.post(f"/outbox/{letter.id}/act", {"act": "discard"})).status_code == 404
    assert "xiaoman@example.org" not in (await desk.get("/outbox")).text


def lines_of(page: str) -> list[str]:
    """The journal's lines, each as a person reads it."""
    rows = re.findall(r'<tr>\s*<th scope="row">.*?</tr>', page, re.DOTALL)
    return [words_of(f"<main>{row}</main>") for row in rows]


async def test_the_journal_says_who_did_what_and_goes_on(desk: Desk) -> None:
    for number in range(60):
        data = {"name.zh-Hans": f"票{number}", "code": f"t{number}"}
        await desk.post("/ticket-types/new", data)
    page = (await desk.get("/journal")).text
    assert len(lines_of(page)) == 50
    assert "Added a ticket type" in lines_of(page)[0]
    assert "林组织" in lines_of(page)[0]
    older = page.partition("before=")[2].partition('"')[0]
    assert len(lines_of((await desk.get("/journal", before=older)).text)) == 10
    assert lines_of((await desk.get("/journal", kind="place")).text) == []


async def test_the_journal_is_narrowed_by_who_what_which_and_when(desk: Desk) -> None:
    other = await make_account("other@example.org", name="周助手")
    await make_role(desk.event, other, "organiser")
    me, them, system = f"account:{desk.account.id}", f"account:{other.id}", "system:0"
    lines = [
        (me, "ticket_type.change", "ticket_type", desk.vip.id, NOW, {"quota": 2}, {"quota": 5}),
        (them, "place.add", "place", 7, NOW + timedelta(days=1), {}, {"code": "hall"}),
        (system, "registration.register", "registration", 9, NOW + timedelta(days=2), {}, {"source": "form"}),
    ]
    async with unit_of_work():
        for actor_key, verb, kind, number, at, old, new in lines:
            await JournalEntry.create(
                event_id=desk.event.id,
                actor_key=actor_key,
                verb=verb,
                object_kind=kind,
                object_id=number,
                at=at,
                old=old,
                new=new,
            )

    async def shown(**params: object) -> list[str]:
        answer = await desk.get("/journal", **params)
        assert answer.status_code == 200
        return [line.partition("  ")[0] for line in lines_of(answer.text)]

    whole = await shown()
    assert len(whole) == 3
    assert [len(await shown(actor=one)) for one in (me, them, system, "account:999")] == [1, 1, 1, 0]
    assert "周助手" in (await shown(verb="place.add"))[0]
    assert len(await shown(kind="registration", object=9)) == 1
    assert len(await shown(kind="registration", object=8)) == 0
    # Whole days on the event's clock, both included: NOW is 09:30 of the 28th in Chengdu.
    assert [len(await shown(since=day)) for day in ("2023-10-28", "2023-10-29", "2023-10-31")] == [3, 2, 0]
    assert [len(await shown(until=day)) for day in ("2023-10-27", "2023-10-28", "2023-10-29")] == [0, 1, 2]
    assert len(await shown(since="2023-10-29", until="2023-10-29", actor=them)) == 1
    # What can't be read narrows nothing, and is named.
    page = (await desk.get("/journal", since="tomorrow")).text
    assert problem(page, "since").startswith("Please enter a date")
    assert len(await shown(since="tomorrow", before="x", object="-1", actor="'; --")) == 0
    assert "Quota 2 → 5" in whole[-1]


async def test_a_longer_journal_asks_the_database_no_more(desk: Desk) -> None:
    counts = []
    for many in (1, 5):
        accounts = [await make_account() for _ in range(many)]
        async with unit_of_work():
            for account in accounts:
                await JournalEntry.create(
                    event_id=desk.event.id,
                    actor_key=f"account:{account.id}",
                    verb="role.grant",
                    object_kind="account",
                    object_id=account.id,
                    at=NOW,
                    new={"role": "viewer"},
                )
        await desk.get("/journal")
        before = db.stats.statements
        await desk.get("/journal")
        counts.append(db.stats.statements - before)
    assert counts[0] == counts[1] <= 9


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_the_journal_leaves_as_a_file_that_runs_nothing(desk: Desk, kind: str) -> None:
    async with unit_of_work():
        await Account.filter(id=desk.account.id).update(name="=HYPERLINK(1)")
    people_accounts.forget()
    await desk.post("/ticket-types/new", {"name.zh-Hans": "票", "code": "t1"})
    await desk.post("/places/new", {"name.zh-Hans": "厅", "code": "hall", "kind": "room"})
    answer = await desk.post("/journal/file", {"format": kind, "kind": "place"})
    assert answer.status_code == 200
    assert "coscon-journal-" in answer.headers["content-disposition"]
    table = read_table(f"journal.{kind}", answer.content)
    assert len(table.rows) == 2
    row = [str(cell) for cell in table.rows[1]]
    assert "Added a place" in row
    assert "place.add" in row
    if kind == "csv":
        assert "'=HYPERLINK(1)" in answer.text
    line = await JournalEntry.filter(verb="journal.export").get()
    assert line.new == {"format": kind, "by_kind": "place"}
    # The export of the export is in the next file.
    whole = await desk.post("/journal/file", {"format": "csv"})
    assert "Exported the journal" in whole.text
    assert (await desk.post("/journal/file", {"format": "exe"})).status_code == 422


# --- contacts ----------------------------------------------------------------------------------------------------


async def test_the_list_shows_contacts_after_a_press_that_the_journal_remembers(desk: Desk) -> None:
    await make_registration(desk.event, desk.general, name="林小满", email="xiaoman@example.org")
    await make_registration(desk.event, desk.general, name="陈小暑", email="", phone="+8613812345678")
    page = (await desk.get("/registrations")).text
    assert "x***@example.org" in page
    assert "+86 138****5678" in page
    assert "xiaoman@example.org" not in page
    assert not await JournalEntry.filter(verb="registration.look").exists()
    shown = (await desk.get("/registrations", contacts="1")).text
    assert "xiaoman@example.org" in shown
    assert "+8613812345678" in shown
    assert "Hide contacts" in shown
    (line,) = await JournalEntry.filter(verb="registration.look")
    assert (line.object_kind, line.new) == ("event", {"count": 2})
    assert "Looked at contact data" in (await desk.get("/journal")).text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/e/%00/desk", 404),
        ("/e/coscon/desk/registrations?q=%00lin", 200),
        ("/e/coscon/desk/registrations?q=%EF%BF%BF%FF", 200),
        ("/e/coscon/desk/arrivals?q=%00", 200),
        (f"/e/coscon/desk/approvals?type={2**40}", 200),
        (f"/e/coscon/desk/waiting-list?type={2**40}", 200),
    ],
)
async def test_what_no_database_takes_is_no_error_of_ours(desk: Desk, address: str, status: int) -> None:
    assert (await desk.browser.get(address)).status_code == status


# --- JSON --------------------------------------------------------------------------------------------------------


async def test_the_event_as_json_says_what_the_public_form_says(desk: Desk) -> None:
    async with unit_of_work():
        await TicketType.filter(id=desk.vip.id).update(is_public=False)
    found = (await desk.browser.get("/e/coscon/api/event")).json()
    assert found["name"] == {"zh-Hans": "中国开源年会", "en": "China Open Source Conference"}
    assert found["url"] == "http://127.0.0.1:8000/e/coscon"
    assert found["ticket_types"] == [
        {
            "code": "general",
            "name": {"zh-Hans": "普通票", "en": "Attendee"},
            "is_online": False,
            "is_full": False,
        }
    ]
