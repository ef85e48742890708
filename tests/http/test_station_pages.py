"""The desk's badges and the print station's page, its badges on paper, and what reaches them from scanners."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from openpyxl import load_workbook

import main
from checkin import printing
from checkin.badge_rules import Paper
from checkin.models import BadgeEvent, Passport, PrintJob, PrintStation
from checkin.printing import Layout
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from people.models import JournalEntry
from tests.factories import make_checkpoint, make_event, make_ticket_type
from tests.http.test_person_pages import House


def today() -> date:
    return (datetime.now(UTC) + timedelta(hours=8)).date()


@pytest.fixture
async def house(database: Settings) -> House:
    app = main.create_app(database, workers=False)
    event = await make_event("coscon", starts_on=today(), ends_on=today())
    kind = await make_ticket_type(event, "general", role="speaker")
    return House(app, event, kind, await make_checkpoint(event))


def desk(house: House, path: str = "") -> str:
    return f"/e/{house.event.slug}/desk{path}"


async def station_of(house: House, **layout: Any) -> int:
    return await printing.save(
        actor=SYSTEM,
        event_id=house.event.id,
        station_id=None,
        name="一号台",
        layout=Layout(**layout),
        at=datetime.now(UTC),
    )


async def numbers() -> list[tuple[str, int | None, str]]:
    return [(one.badge_name, one.badge_number, one.badge_box) for one in await Passport.all().order_by("id")]


# --- numbers -----------------------------------------------------------------------------------------------------


async def test_numbers_are_given_by_rule_from_the_desk(house: House) -> None:
    owner, staff = await house.reader("organiser"), await house.reader("scanner")
    for name in ("张伟", "李明", "单雄信"):
        await house.person(name)
    assert (await staff.get(desk(house, "/badges"))).status_code == 403
    empty = await owner.get(desk(house, "/badges"))
    assert empty.status_code == 200 and "Give numbers by rule" in empty.text
    form = {"order": "pinyin", "start": "100", "boxes": "letters", "per_box": "2"}
    for wrong, field in (({"start": ""}, "start"), ({"start": "x"}, "start"), ({"per_box": "0"}, "per_box")):
        page = await owner.post(desk(house, "/badges/assign"), data=form | wrong)
        assert page.status_code == 422 and f'id="f-{field}-error"' in page.text.replace("&quot;", '"'), (
            page.text
        )
    assert (await owner.post(desk(house, "/badges/assign"), data=form | {"order": "x"})).status_code == 422
    assert (await staff.post(desk(house, "/badges/assign"), data=form)).status_code == 403
    done = await owner.post(desk(house, "/badges/assign"), data=form, follow_redirects=True)
    assert "3 badges got their numbers." in done.text
    assert await numbers() == [("张伟", 102, "B"), ("李明", 100, "A"), ("单雄信", 101, "A")]
    again = await owner.post(desk(house, "/badges/assign"), data=form, follow_redirects=True)
    assert "0 badges got their numbers." in again.text
    box = await owner.get(desk(house, "/badges"), params={"box": "A"})
    assert [name for name in ("张伟", "李明", "单雄信") if name in box.text] == ["李明", "单雄信"]
    found = await owner.get(desk(house, "/badges"), params={"q": "zw", "show": "waiting"})
    assert [name for name in ("张伟", "李明", "单雄信") if name in found.text] == ["张伟"]


async def test_a_list_goes_out_and_comes_back(house: House) -> None:
    owner = await house.reader("organiser")
    one, other = await house.person("张伟"), await house.person("李明")
    english = await owner.post(desk(house, "/badges/file"), data={"format": "csv"})
    chinese = await owner.post(
        desk(house, "/badges/file"), data={"format": "csv"}, headers={"accept-language": "zh-CN"}
    )
    for answer, title in ((english, "Badge number"), (chinese, "胸牌号")):
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert title in rows[0]
        place = rows[0].index(title)
        for nth, row in enumerate(rows[1:], start=1):
            row[place], row[place + 1] = str(nth * 7), "C"
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        files = {"file": ("badges.csv", text.getvalue().encode(), "text/csv")}
        done = await owner.post(desk(house, "/badges/list"), files=files, follow_redirects=True)
        assert done.status_code == 200, done.text
    assert sorted(number or 0 for _, number, _ in await numbers()) == [7, 14]
    wrong = f"短码,胸牌号\n{one.short_code},9\n{other.short_code},x\nNOBODY,3\n".encode()
    page = await owner.post(desk(house, "/badges/list"), files={"file": ("b.csv", wrong, "text/csv")})
    assert page.status_code == 422 and "Line 3" in page.text and "9" not in str(await numbers())
    unknown = f"短码,胸牌号\n{one.short_code},9\nNOBODY,3\n".encode()
    page = await owner.post(desk(house, "/badges/list"), files={"file": ("b.csv", unknown, "text/csv")})
    assert page.status_code == 422 and "nobody here has the code NOBODY" in page.text
    for content in (b"%PDF-1.4", b"name,age\na,1\n"):
        page = await owner.post(desk(house, "/badges/list"), files={"file": ("b.csv", content, "text/csv")})
        assert page.status_code == 422
    assert (await owner.post(desk(house, "/badges/list"), data={})).status_code == 422
    book = await owner.post(desk(house, "/badges/file"), data={"format": "xlsx"})
    sheet = load_workbook(io.BytesIO(book.content)).active
    assert (
        sheet is not None and [row[0].value for row in sheet.iter_rows(min_row=2)].count(one.short_code) == 1
    )
    assert (await owner.post(desk(house, "/badges/file"), data={"format": "pdf"})).status_code == 422
    assert await JournalEntry.filter(verb="badges.export").count() == 3


async def test_a_number_is_changed_on_the_card(house: House) -> None:
    owner, staff = await house.reader("organiser"), await house.reader("scanner")
    one, other = await house.person("张伟"), await house.person("李明")
    form = {"number": "217", "box": "C"}
    assert (await staff.post(house.at(one, "/badge/number"), data=form)).status_code == 403
    done = await owner.post(house.at(one, "/badge/number"), data=form, follow_redirects=True)
    assert "The badge was changed." in done.text and "Box C · 217" in done.text
    taken = await owner.post(house.at(other, "/badge/number"), data=form)
    assert taken.status_code == 422 and "Somebody else has this number" in taken.text
    assert (await owner.post(house.at(other, "/badge/number"), data={"number": "x"})).status_code == 422
    sheet = await owner.get(desk(house, "/sign-in-list"))
    assert "Box C · 217" in sheet.text


# --- a station ---------------------------------------------------------------------------------------------------


async def test_a_station_is_opened_and_changed(house: House) -> None:
    owner, staff = await house.reader("organiser"), await house.reader("scanner")
    assert (await staff.get(desk(house, "/stations"))).status_code == 200
    assert (await staff.get(desk(house, "/stations/new"))).status_code == 403
    form = {"name": "胸牌 1 号台", "paper": "label_62_100", "shows_type": "1"}
    assert (await owner.get(desk(house, "/stations/new"))).status_code == 200
    for wrong in ({"name": ""}, {"paper": "x"}):
        page = await owner.post(desk(house, "/stations/new"), data=form | wrong)
        assert page.status_code == 422
    assert (await owner.post(desk(house, "/stations/new"), data=form)).status_code == 303
    row = await PrintStation.get()
    assert (row.name, row.paper, row.shows_type, row.shows_code, row.is_open) == (
        "胸牌 1 号台",
        "label_62_100",
        True,
        False,
        True,
    )
    assert (await owner.post(desk(house, f"/stations/{row.id}"), data=form)).status_code == 303
    await row.refresh_from_db()
    assert not row.is_open
    assert "Closed" in (await owner.get(desk(house, "/stations"))).text
    assert (await owner.get(desk(house, "/stations/999"))).status_code == 404


@pytest.mark.parametrize("paper", list(Paper))
async def test_a_badge_is_shown_to_the_window_that_has_it_in_hand(house: House, paper: Paper) -> None:
    staff = await house.reader("scanner")
    station = await station_of(house, paper=paper)
    one = await house.person("林小满")
    async with unit_of_work():
        await Passport.filter(id=one.id).update(badge_number=217, badge_box="C")
    wish = {"id": str(uuid4()), "station": station, "passport_id": one.id}
    for _ in range(2):
        said = await staff.post(f"/e/{house.event.slug}/api/print-jobs", json=wish)
        assert (said.status_code, said.json()["state"], said.json()["ahead"]) == (200, "queued", 0)
    window = str(uuid4())
    base = desk(house, f"/station/{station}")
    page = await staff.get(base)
    assert page.status_code == 200 and "林小满" in page.text
    taken = (await staff.post(f"{base}/take", data={"window": window})).json()["job"]
    assert taken["passport_id"] == one.id
    badge = await staff.get(f"{base}/badge", params={"job": taken["id"], "window": window})
    assert badge.status_code == 200
    assert "frame-ancestors 'self'" in badge.headers["content-security-policy"]
    assert f"badge--{paper.value.replace('_', '-')}" in badge.text
    assert all(words in badge.text for words in ("林小满", "Box C · 217", "badge--speaker", "<path"))
    assert badge.headers["cache-control"] == "no-store"
    wrongs: list[dict[str, Any]] = [
        {"job": taken["id"], "window": str(uuid4())},
        {"job": 999, "window": window},
    ]
    for wrong in wrongs:
        assert (await staff.get(f"{base}/badge", params=wrong)).status_code in (404, 409)
    assert (await staff.get(f"{base}/badge", params={"job": "x", "window": "x"})).status_code == 422
    other = await staff.post(f"{base}/jobs/{taken['id']}/done", data={"window": str(uuid4())})
    assert other.status_code == 409
    for _ in range(2):
        done = await staff.post(f"{base}/jobs/{taken['id']}/done", data={"window": window})
        assert done.json() == {"state": "printed"}
    assert [row.kind for row in await BadgeEvent.all()] == ["printed"]
    again = {"passport": one.id, "request": str(uuid4())}
    for _ in range(2):
        assert (await staff.post(f"{base}/again", data=again)).json()["state"] == "queued"
    queue = (await staff.get(f"{base}/queue")).json()
    assert (queue["waiting"], [row["name"] for row in queue["last"]]) == (1, ["林小满"])
    number = queue["next"][0]["id"]
    assert (await staff.post(f"{base}/jobs/{number}/drop", data={"window": window})).json() == {
        "dropped": True
    }
    for why, pause in (("paper_out", "paper_out"), ("", "")):
        assert (await staff.post(f"{base}/pause", data={"why": why} if why else {})).json() == {
            "pause": pause
        }
    sample = await staff.get(f"{base}/sample")
    assert sample.status_code == 200 and "Sample Name" in sample.text


async def test_a_layout_leaves_out_what_it_should(house: House) -> None:
    staff = await house.reader("scanner")
    station = await station_of(
        house, shows_code=False, shows_number=False, shows_type=False, shows_line=False
    )
    sample = await staff.get(desk(house, f"/station/{station}/sample"))
    assert not [words for words in ("<path", "217", "Organisation", "Ticket type") if words in sample.text]


async def test_the_card_and_the_walk_in_desk_print_at_a_station(house: House) -> None:
    staff = await house.reader("scanner")
    kind = await make_ticket_type(house.event, "door", is_walk_in=True)
    one = await house.person("林小满")
    assert "Print the badge: " not in (await staff.get(house.at(one))).text
    station = await station_of(house)
    card = await staff.get(house.at(one))
    assert "Print the badge: 一号台" in card.text
    form = {"id": str(uuid4()), "station": str(station)}
    for _ in range(2):
        sent = await staff.post(house.at(one, "/badge/print"), data=form, follow_redirects=True)
        assert "Sent to the print station." in sent.text
    assert await PrintJob.all().count() == 1
    walk_in = {"form": str(uuid4()), "name": "新来的人", "ticket_type": str(kind.id)}
    done = await staff.post(f"/e/{house.event.slug}/walk-in", data=walk_in, follow_redirects=True)
    assert "Print the badge: 一号台" in done.text
    found = re.search(r'action="([^"]+/station)"', done.text)
    assert found
    form = {"id": str(uuid4()), "station": str(station)}
    for _ in range(2):
        sent = await staff.post(found[1], data=form, follow_redirects=True)
        assert "Sent to the print station." in sent.text
    assert await PrintJob.all().count() == 2
    listed = (await staff.get(f"/e/{house.event.slug}/api/print-stations")).json()["stations"]
    assert listed == [{"id": station, "name": "一号台", "is_there": False, "is_paused": False, "waiting": 2}]


async def test_a_wish_for_what_is_not_there_is_refused(house: House) -> None:
    staff: httpx2.AsyncClient = await house.reader("scanner")
    station, one = await station_of(house), await house.person("林小满")
    path = f"/e/{house.event.slug}/api/print-jobs"
    for more, status in (({"station": 999}, 404), ({"passport_id": 999}, 404), ({"id": "x"}, 422)):
        body = {"id": str(uuid4()), "station": station, "passport_id": one.id} | more
        assert (await staff.post(path, json=body)).status_code == status
