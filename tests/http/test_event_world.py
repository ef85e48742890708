"""The list of events, an event's home and own pages, and the desk pages that settle them, as browsers use them."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from starlette.applications import Starlette

import main
from checkin.models import Checkpoint, Scan
from events import access, series, sites
from events.models import Event, EventPage, Registration, Series, Site, TicketType
from events.rules import Role
from events.sites import SiteDetails
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import Upload
from tests.factories import (
    NOW,
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_place,
    make_role,
    make_ticket_type,
)
from tests.http.desk_house import Desk, browser_of, desk_of, field, problem, words_of
from web import shared_pages

TODAY = datetime.now(UTC).date()


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@pytest.fixture
async def desk(app: Starlette) -> AsyncIterator[Desk]:
    async with desk_of(app) as made:
        yield made


# --- the list ----------------------------------------------------------------------------------------------------


async def test_the_list_is_searched_by_name_and_city_and_narrowed_by_year(app: Starlette) -> None:
    cities = {"sh": {"zh-Hans": "上海", "en": "Shanghai"}, "cd": {"zh-Hans": "成都", "en": "Chengdu"}}
    for slug, name, city, day in (
        ("a", "Rust Night", "sh", TODAY + timedelta(days=3)),
        ("b", "Python Day", "cd", date(2022, 5, 1)),
        ("c", "Rust Day", "cd", date(2021, 5, 1)),
    ):
        await make_event(slug, name={"en": name}, city=cities[city], starts_on=day, ends_on=day)

    async def found(query: str) -> list[str]:
        page = (await browser.get(f"/{query}")).text
        return [name for name in ("Rust Night", "Python Day", "Rust Day") if name in page]

    async with browser_of(app) as browser:
        for query, names in (
            ("", ["Rust Night", "Python Day", "Rust Day"]),
            ("?q=ＲＵＳＴ", ["Rust Night", "Rust Day"]),
            ("?q=成都", ["Python Day", "Rust Day"]),
            ("?q=rust&city=Chengdu", ["Rust Day"]),
            ("?year=2022", ["Python Day"]),
            ("?q=nothing", []),
        ):
            assert await found(query) == names, query
        empty = words_of((await browser.get("/?q=nothing")).text)
        assert "No event was found" in empty
        assert field((await browser.get("/?q=nothing&year=2022")).text, "year") == "2022"
        for odd in ("?year=x&page=-1", "?page=99999", "?q=%25_\\"):
            assert (await browser.get(f"/{odd}")).status_code == 200


async def test_two_hundred_events_cost_what_two_cost_and_come_in_pages(app: Starlette) -> None:
    spent = []
    page = ""
    async with browser_of(app) as browser:
        for count in (2, 200):
            async with unit_of_work():
                await Event.bulk_create(
                    Event(
                        slug=f"e{count}-{number}",
                        name={"en": f"Event {number}"},
                        text={"en": "long " * 1000},
                        starts_on=date(2020, 1, 1) + timedelta(days=number),
                        ends_on=date(2020, 1, 1) + timedelta(days=number),
                        state="ended",
                        created_at=NOW,
                    )
                    for number in range(count)
                )
            shared_pages.forget()
            before = db.stats.statements
            page = (await browser.get("/")).text
            spent.append(db.stats.statements - before)
        assert spent[0] == spent[1]
        assert page.count('class="card event-card"') == 36
        assert "1 to 36 of 202" in words_of(page)
        last = (await browser.get("/?page=6")).text
        assert "181 to 202 of 202" in words_of(last) and last.count('class="card event-card"') == 22


# --- home, pages, series -----------------------------------------------------------------------------------------


async def test_home_shows_sites_pages_contact_and_other_years(app: Starlette) -> None:
    number = await series.make(actor=SYSTEM, slug="coscon", name=LocalizedText({"en": "COSCon"}), at=NOW)
    there = await make_event(
        "coscon",
        series_id=number,
        modules=["sites", "programme", "pages"],
        contact_email="hi@example.org",
        contact={"en": "Group 123"},
        privacy_notice={"zh-Hans": "只用于本次活动。"},
        starts_minute=540,
        ends_minute=1080,
    )
    last = date(2022, 10, 29)
    await make_event(
        "coscon-2022", series_id=number, name={"en": "COSCon 2022"}, starts_on=last, ends_on=last
    )
    await make_event("coscon-2024", series_id=number, name={"en": "COSCon 2024"}, state="draft")
    site = await sites.add(
        actor=SYSTEM,
        event_id=there.id,
        details=SiteDetails(
            code="wh", name=LocalizedText({"en": "Wuhan site"}), city=LocalizedText({"en": "Wuhan"})
        ),
        at=NOW,
    )
    await make_ticket_type(there, name={"en": "Everywhere"})
    await make_ticket_type(there, name={"en": "Wuhan ticket"}, site_id=site, quota=3)
    await make_ticket_type(there, name={"en": "Livestream"}, is_online=True)
    async with unit_of_work():
        for slug, published in (("travel", True), ("secret", False)):
            await EventPage.create(
                event_id=there.id, slug=slug, title={"en": slug}, is_published=published, updated_at=NOW
            )
    async with browser_of(app) as browser:
        page = (await browser.get("/e/coscon")).text
        words = words_of(page)
        for said in (
            "Sat, 28 to Sun, 29 Oct 2023, 09:00–18:00",
            "Wuhan site Wuhan Ticket",
            "Livestream No entry at the venue",
            "Group 123",
            "hi@example.org",
            "COSCon 2022",
        ):
            assert said.replace(" Ticket", "") in words, said
        assert words.index("Everywhere") < words.index("Wuhan site") < words.index("Wuhan ticket")
        assert "COSCon 2024" not in words and "secret" not in words
        foot = page.partition("<footer")[2]
        assert 'href="/e/coscon/p/travel"' in foot and 'href="/e/coscon/privacy"' in foot
        # Rooms now belong to checkpoints, which this event has switched off.
        assert "/e/coscon/agenda" in page and "/e/coscon/rooms" not in page
        notice = (await browser.get("/e/coscon/privacy")).text
        assert "has not been written in English yet" in notice
        assert "/e/coscon/privacy" in (await browser.get("/e/coscon/register")).text.partition("<footer")[2]
        assert '<article class="prose measure" lang="zh-Hans">' in notice and "只用于本次活动。" in notice
        years = words_of((await browser.get("/series/coscon")).text)
        assert "COSCon 2022" in years and "2024" not in years


async def test_an_unpublished_page_is_for_the_team_and_markdown_stays_harmless(
    desk: Desk, app: Starlette
) -> None:
    answer = await desk.post(
        "/pages/new",
        {
            "title.en": "Travel",
            "text.en": "<script>alert(1)</script> [x](javascript:alert(1)) **bold**",
            "slug": "travel",
            "act": "save",
        },
    )
    assert answer.status_code == 303
    async with browser_of(app) as stranger:
        assert (await stranger.get("/e/coscon/p/travel")).status_code == 404
        own = (await desk.browser.get("/e/coscon/p/travel")).text
        assert "<strong>bold</strong>" in own and "Draft" in words_of(own)
        assert "<script>alert" not in own and 'href="javascript' not in own
        [row] = await EventPage.all()
        change = {"title.en": "Travel", "text.en": "By **train**", "slug": "travel", "is_published": "1"}
        assert (await desk.post(f"/pages/{row.id}", change)).status_code == 303
        assert "<strong>train</strong>" in (await stranger.get("/e/coscon/p/travel")).text
        assert (await stranger.get("/e/coscon/p/nothing")).status_code == 404
        assert (await desk.post(f"/pages/{row.id}/remove")).status_code == 303
        assert (await stranger.get("/e/coscon/p/travel")).status_code == 404


async def test_a_preview_saves_nothing_and_loses_nothing(desk: Desk) -> None:
    typed = {
        "title.en": "Travel",
        "text.en": "By **train**",
        "slug": "trav el",
        "position": "x",
        "act": "preview",
    }
    page = (await desk.post("/pages/new", typed)).text
    # Chinese readers get the English text as long as there is no other.
    assert page.count("<strong>train</strong>") == 2
    assert field(page, "slug") == "trav el"
    assert await EventPage.all().count() == 0
    refused = await desk.post("/pages/new", typed | {"act": "save"})
    assert refused.status_code == 422
    assert problem(refused.text, "slug") and problem(refused.text, "position")
    assert "By **train**" in refused.text
    for path in ("/pages/99", "/pages/x"):
        assert (await desk.get(path)).status_code == 404
    assert "No page yet" in words_of((await desk.get("/pages")).text)


# --- settings ----------------------------------------------------------------------------------------------------


async def test_settings_keep_every_column_and_documents_are_the_owners(desk: Desk, app: Starlette) -> None:
    typed = {
        "contact_email": "hi@example.org",
        "contact.zh-Hans": "微信群",
        "privacy_notice.en": "Little.",
        "self_service_until": "2023-10-27T18:00",
        "offer_hours": "48",
        "retention_days": "90",
        "id_document_days": "7",
        "starts_minute": "09:00",
        "ends_minute": "18:00",
    }
    assert (await desk.post("/settings", typed)).status_code == 303
    row = await Event.get(id=desk.event.id)
    assert row.self_service_until == datetime(2023, 10, 27, 10, 0, tzinfo=UTC)
    assert (row.offer_hours, row.retention_days, row.id_document_days) == (48, 90, 7)
    assert (row.starts_minute, row.ends_minute, row.contact) == (540, 1080, {"zh-Hans": "微信群"})
    page = (await desk.get("/settings")).text
    assert field(page, "self_service_until") == "2023-10-27T18:00" and field(page, "starts_minute") == "09:00"
    wrong = {"offer_hours": "", "starts_minute": "noon", "contact_email": "x", "retention_days": "0"}
    refused = await desk.post("/settings", typed | wrong)
    assert refused.status_code == 422
    for name, value in wrong.items():
        assert problem(refused.text, name), name
        assert field(refused.text, name) == value
    organiser = await make_account()
    await make_role(desk.event, organiser, "organiser")
    access.forget()
    async with browser_of(app, organiser) as browser:
        assert "id_document_days" not in (await browser.get(desk.path("/settings"))).text
        answer = await browser.post(desk.path("/settings"), data={"id_document_days": "300"})
        assert answer.status_code == 303
    assert (await Event.get(id=desk.event.id)).id_document_days == 7


def picture(kind: str = "PNG", size: tuple[int, int] = (1800, 600)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "#0b6e4f").save(out, kind)
    return out.getvalue()


async def test_a_cover_is_drawn_anew_shown_and_taken_away(desk: Desk, app: Starlette) -> None:
    answer = await desk.browser.post(
        desk.path("/cover"), data={"act": "put"}, files={"cover": ("my holiday.png", picture(), "image/png")}
    )
    assert answer.status_code == 303
    row = await Event.get(id=desk.event.id)
    async with browser_of(app) as visitor:
        page = (await visitor.get("/e/coscon")).text
        [address] = set(re.findall(r'class="cover" src="([^"]+)"', page))
        assert address == f"/e/coscon/cover?v={row.cover_upload_id}"
        shown = await visitor.get(address)
        assert shown.headers["content-type"] == "image/png"
        assert "immutable" in shown.headers["cache-control"]
        assert Image.open(io.BytesIO(shown.content)).width == 1600
        assert (await visitor.get("/e/coscon/cover?v=0")).headers["cache-control"] == "no-cache"
        for name, data in (
            ("x.png", b"<svg onload=alert(1)>"),
            ("x.jpg", b"nonsense"),
            ("x.png", picture(size=(60, 60))),
        ):
            refused = await desk.browser.post(
                desk.path("/cover"), data={"act": "put"}, files={"cover": (name, data, "image/png")}
            )
            assert refused.status_code == 422 and problem(refused.text, "cover"), name
        assert (await desk.post("/cover", {"act": "put"})).status_code == 422
        assert await Upload.all().count() == 1
        assert (await desk.post("/cover", {"act": "remove"})).status_code == 303
        assert (await visitor.get("/e/coscon/cover")).status_code == 404
        assert 'class="cover"' not in (await visitor.get("/e/coscon")).text


async def test_a_series_is_made_joined_renamed_and_left(desk: Desk) -> None:
    made = await desk.post("/series", {"act": "make", "series_name.en": "COSCon", "series_slug": "coscon"})
    assert made.status_code == 303
    [row] = await Series.all()
    assert (await Event.get(id=desk.event.id)).series_id == row.id
    renamed = {"act": "rename", "series_name.en": "Cosc", "series_slug": "cosc"}
    assert (await desk.post("/series", renamed)).status_code == 303
    assert (await desk.browser.get("/series/cosc")).status_code == 200
    assert (await desk.post("/series", {"act": "leave"})).status_code == 303
    assert (await Event.get(id=desk.event.id)).series_id is None
    # Only series of events in which one has a role can be joined.
    foreign = await desk.post("/series", {"act": "join", "series_id": str(row.id)})
    assert foreign.status_code == 422 and problem(foreign.text, "series_id") == ""
    mine = await make_event(series_id=row.id)
    await make_role(mine, desk.account, Role.ORGANISER)
    access.forget()
    assert (await desk.post("/series", {"act": "join", "series_id": str(row.id)})).status_code == 303
    assert (await Event.get(id=desk.event.id)).series_id == row.id
    bad = await desk.post("/series", {"act": "make", "series_name.en": "", "series_slug": "A b"})
    assert bad.status_code == 422 and problem(bad.text, "series_slug")
    assert await Series.all().count() == 1
    assert (await desk.post("/series", {"act": "burn"})).status_code == 422


async def test_sites_are_kept_on_the_desk_and_narrow_its_lists(desk: Desk) -> None:
    site = {"name.en": "Wuhan", "code": "wuhan", "city.en": "Wuhan", "position": "1"}
    assert (await desk.post("/sites/new", site)).status_code == 303
    [row] = await Site.all()
    await make_place(desk.event, "hall", name={"en": "Hall"}, site_id=row.id)
    await make_place(desk.event, "room", name={"en": "Elsewhere"})
    await make_checkpoint(desk.event, name={"en": "Wuhan gate"}, site_id=row.id)
    for path, here, away in (
        ("/places", "Hall", "Elsewhere"),
        ("/checkpoints", "Wuhan gate", "Nowhere"),
    ):
        narrowed = words_of((await desk.get(path, site=row.id)).text)
        assert here in narrowed and away not in narrowed
    assert "Elsewhere" in words_of((await desk.get("/places")).text)
    refused = await desk.post(f"/sites/{row.id}/remove")
    assert refused.status_code == 409
    assert "still belong to this site" in words_of(refused.text)
    assert field(refused.text, "code") == "wuhan"
    wrong = await desk.post(f"/sites/{row.id}", site | {"code": "", "position": "first"})
    assert wrong.status_code == 422 and problem(wrong.text, "code") and problem(wrong.text, "position")
    assert (await desk.post(f"/sites/{row.id}", site | {"name.en": "Wuhan site"})).status_code == 303
    assert "Wuhan site" in words_of((await desk.get("/sites")).text)
    [place] = await desk_places(desk, "room")
    changed = {"name.en": "Elsewhere", "kind": "room", "code": "room", "site_id": str(row.id)}
    assert (await desk.post(f"/places/{place}", changed)).status_code == 303
    assert "Elsewhere" in words_of((await desk.get("/places", site=row.id)).text)
    wrong = await desk.post(f"/places/{place}", changed | {"site_id": "999"})
    assert wrong.status_code == 422 and problem(wrong.text, "site_id")
    assert (await desk.get("/sites/999")).status_code == 404


async def desk_places(desk: Desk, code: str) -> list[int]:
    rows = await db.query("SELECT id FROM place WHERE event_id = $1 AND code = $2", desk.event.id, code)
    return [int(row["id"]) for row in rows]


async def test_a_checkpoints_site_is_chosen_on_its_form(desk: Desk) -> None:
    site = await sites.add(
        actor=SYSTEM,
        event_id=desk.event.id,
        details=SiteDetails(code="wh", name=LocalizedText({"en": "Wuhan"})),
        at=NOW,
    )
    gate = await make_checkpoint(desk.event)
    values = {
        "name.en": "Gate",
        "on_repeat": "welcome",
        "once": "day",
        "is_open": "1",
        "site": str(site),
    }
    assert (await desk.post(f"/checkpoints/{gate.id}", values)).status_code == 303
    assert (await Checkpoint.get(id=gate.id)).site_id == site
    assert (await desk.post(f"/checkpoints/{gate.id}", values | {"site": "999"})).status_code == 422
    new = values | {"code": "north", "kind": "gate"}
    assert (await desk.post("/checkpoints/new", new)).status_code == 303
    assert (await Checkpoint.get(code="north")).site_id == site


# --- modules and meet-ups ----------------------------------------------------------------------------------------


def menu(page: str) -> list[str]:
    side = page.partition('<nav class="sidenav"')[2].partition("</nav>")[0]
    return re.findall(r'<a href="[^"]*/([a-z]+(?:\?[^"]*)?)"', side)


async def test_a_meetup_of_thirty_sees_five_menu_entries(app: Starlette) -> None:
    admin = await make_account("admin@example.org", is_admin=True)
    async with browser_of(app, admin) as browser:
        assert "/events/new/meetup" in (await browser.get("/events/new")).text
        form = {
            "name.en": "Rust night",
            "day": "2026-11-27",
            "starts_minute": "19:30",
            "ends_minute": "21:30",
            "place.en": "580 Nanjing Road",
            "quota": "30",
            "time_zone": "Asia/Shanghai",
        }
        bad = {"day": "soon", "starts_minute": "late", "quota": "0", "place.en": "", "act": "publish"}
        refused = await browser.post("/events/new/meetup", data=form | bad)
        assert refused.status_code == 422
        for name in ("day", "starts_minute", "quota", "place.zh-Hans"):
            assert problem(refused.text, name), name
        assert field(refused.text, "name.en") == "Rust night"
        assert (await browser.post("/events/new/meetup", data=form)).status_code == 422
        made = await browser.post("/events/new/meetup", data=form | {"act": "publish"})
        assert made.headers["location"] == "/e/rust-night-1127/desk?done=published"
        page = (await browser.get("/e/rust-night-1127/desk")).text
        assert menu(page) == ["desk", "registrations", "settings", "arrivals", "scan"]
        conference = await make_event("big")
        large = menu((await browser.get(f"/e/{conference.slug}/desk")).text)
        assert len(large) > 15 and "arrivals" not in large and "sites" not in large
    async with browser_of(app) as visitor:
        words = words_of((await visitor.get("/e/rust-night-1127")).text)
        assert "Fri, 27 Nov 2026, 19:30–21:30" in words and "30 places left" in words
        assert (await visitor.get("/events/new/meetup")).status_code == 303


async def test_switching_off_hides_and_deletes_nothing(desk: Desk) -> None:
    assert "places" in menu((await desk.get()).text)
    await make_place(desk.event, "hall", name={"en": "Hall"})
    off = await desk.post("/modules", {"kind": "conference", "modules": ["board", "sites"], "act": "save"})
    assert off.status_code == 303
    left = menu((await desk.get()).text)
    assert "places" not in left and "live" in left and "sites" in left
    assert "Hall" in words_of((await desk.get("/places")).text)
    for wrong in ({"kind": "party"}, {"kind": "meetup", "modules": ["magic"], "act": "save"}):
        assert (await desk.post("/modules", wrong)).status_code == 422
    assert (await desk.post("/modules", {"kind": "conference", "act": "preset"})).status_code == 303
    assert "places" in menu((await desk.get()).text)
    assert (await Event.get(id=desk.event.id)).modules is None


# --- the list with ticks -----------------------------------------------------------------------------------------


async def test_a_tick_is_one_scan_however_often_it_is_sent(desk: Desk) -> None:
    assert "There is no gate" in words_of((await desk.get("/arrivals")).text)
    gate = await make_checkpoint(desk.event, once="event")
    assert "Nobody has registered yet" in words_of((await desk.get("/arrivals")).text)
    first = await make_passport(desk.event, desk.general, badge_name="林小满")
    await make_passport(desk.event, desk.general, badge_name="王大力")
    page = (await desk.get("/arrivals")).text
    assert "0 of 2 are here." in words_of(page)
    forms = re.findall(r'<form method="post" action="[^"]*/tick">.*?</form>', page, re.DOTALL)
    assert len(forms) == 2
    own = next(form for form in forms if "林小满" in form)
    tick = dict(re.findall(r'name="(\w+)" value="([^"]*)"', own))
    assert first.token not in page and first.short_code not in page
    for _ in range(3):
        answer = await desk.post("/arrivals/tick", tick)
        assert answer.status_code == 303
        assert answer.headers["location"].endswith(f"verdict=admitted#p-{first.id}")
    [scan] = await Scan.all()
    assert (scan.checkpoint_id, scan.passport_id, scan.verdict) == (gate.id, first.id, "admitted")
    page = (await desk.get("/arrivals")).text
    assert "1 of 2 are here." in words_of(page) and page.count('/tick">') == 1
    missing = words_of((await desk.get("/arrivals", show="missing")).text)
    assert "王大力" in missing and "林小满" not in missing
    again = await desk.post("/arrivals/tick", tick | {"scan": str(uuid4())})
    assert "verdict=welcome_back" in again.headers["location"]
    # The same id for somebody else is a conflict that tells nothing.
    other = await make_passport(desk.event, desk.general)
    assert (await desk.post("/arrivals/tick", tick | {"passport": str(other.id)})).status_code == 409
    for wrong, status in (
        ({"scan": "x"}, 422),
        ({"gate": "999"}, 404),
        ({"passport": "999"}, 404),
        ({"passport": "x"}, 404),
    ):
        assert (
            await desk.post("/arrivals/tick", tick | {"scan": str(uuid4())} | wrong)
        ).status_code == status
    said = await desk.get("/arrivals", verdict="admitted")
    assert "Welcome" in words_of(said.text)
    assert "Welcome" not in words_of((await desk.get("/arrivals", verdict="nonsense")).text)


async def test_the_list_finds_people_and_costs_the_same_for_three(desk: Desk) -> None:
    await make_checkpoint(desk.event, once="event")
    await make_passport(desk.event, desk.general)
    spent = []
    for _ in range(2):
        await desk.get("/arrivals")
        before = db.stats.statements
        await desk.get("/arrivals")
        spent.append(db.stats.statements - before)
        for _ in range(2):
            await make_passport(desk.event, desk.general)
    assert spent[0] == spent[1]
    row = await Registration.all().order_by("id").first()
    assert row is not None
    found = words_of((await desk.get("/arrivals", q=row.name)).text)
    assert row.name in found and found.count("Has come") == 1
    assert "Nobody has that name" in words_of((await desk.get("/arrivals", q="%")).text)


# --- boards of sites ---------------------------------------------------------------------------------------------


async def test_a_sites_board_counts_its_own_gates_and_a_narrowed_viewer_sees_no_other(
    desk: Desk, app: Starlette
) -> None:
    given: dict[str, Any] = {"actor": SYSTEM, "event_id": desk.event.id, "at": NOW}
    here, there = [
        await sites.add(**given, details=SiteDetails(code=code, name=LocalizedText({"en": code.title()})))
        for code in ("wuhan", "chengdu")
    ]
    async with unit_of_work():
        await TicketType.filter(id=desk.general.id).update(site_id=here)
    gates = [await make_checkpoint(desk.event, once="event", site_id=site) for site in (here, there)]
    people = [await make_passport(desk.event, desk.general) for _ in range(3)]
    await make_passport(desk.event, desk.vip)
    for gate, person in ((gates[0], people[0]), (gates[0], people[1]), (gates[1], people[2])):
        scan = {"scan": str(uuid4()), "gate": str(gate.id), "passport": str(person.id)}
        assert (await desk.post("/arrivals/tick", scan)).status_code == 303
    scan = {"scan": str(uuid4()), "gate": str(gates[0].id), "passport": str(people[0].id)}
    await desk.post("/arrivals/tick", scan)

    def document(page: str) -> dict[str, Any]:
        import json

        found = re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
        assert found
        data: dict[str, Any] = json.loads(found[1])
        return data

    whole = document((await desk.browser.get("/e/coscon/live")).text)
    assert whole["topic"] == f"board.{desk.event.id}" and whole["document"]["arrived"] == 3
    site = document((await desk.browser.get(f"/e/coscon/live?site={here}")).text)
    assert site["topic"] == f"board.{desk.event.id}.{here}" and site["version"] == 3
    own = site["document"]
    assert (own["registered"], own["arrived"], len(own["latest"])) == (3, 2, 3)
    assert [row[:4] for row in own["checkpoints"]] == [[gates[0].id, 2, 0, 1]]
    assert (sum(own["minutes"]["entries"]), sum(own["day"]["entries"])) == (2, 2)
    assert own.keys() == whole["document"].keys()
    assert (await desk.browser.get("/e/coscon/live?site=999")).status_code == 404
    viewer = await make_account()
    await make_role(desk.event, viewer, "viewer", "site", here)
    access.forget()
    async with browser_of(app, viewer) as browser:
        # Without a choice the first of their own, and nothing of the others.
        assert (
            document((await browser.get("/e/coscon/live")).text)["topic"] == f"board.{desk.event.id}.{here}"
        )
        assert (await browser.get(f"/e/coscon/live?site={there}")).status_code == 404
        for topic, status in (
            (f"board.{desk.event.id}.{here}", 200),
            (f"board.{desk.event.id}.{there}", 403),
            (f"board.{desk.event.id}", 403),
        ):
            assert (await browser.get(f"/live/{topic}")).status_code == status, topic


@pytest.mark.parametrize("path", ["/sites", "/pages", "/series", "/modules", "/copy", "/settings"])
async def test_a_desk_page_costs_the_same_for_one_row_and_three(desk: Desk, path: str) -> None:
    spent = []
    for number in range(3):
        async with unit_of_work():
            await Site.create(event_id=desk.event.id, code=f"s{number}", name={"en": f"Site {number}"})
            await EventPage.create(
                event_id=desk.event.id, slug=f"p{number}", title={"en": f"Page {number}"}, updated_at=NOW
            )
            made = await Series.create(slug=f"r{number}", name={"en": f"Series {number}"}, created_at=NOW)
        other = await make_event(f"other-{number}", series_id=made.id)
        await make_role(other, desk.account, Role.OWNER)
        access.forget()
        assert (await desk.get(path)).status_code == 200
        before = db.stats.statements
        page = (await desk.get(path)).text
        spent.append(db.stats.statements - before)
        listed = {"/sites": "Site", "/pages": "Page", "/series": "Series"}.get(path)
        assert listed is None or f"{listed} {number}" in page
    assert spent[0] == spent[2]
