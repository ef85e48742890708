"""The scans behind the board's numbers, and the screens beside it: who sees what, and what a number opens."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import openpyxl
import orjson
import pytest

from checkin import checkpoints, counting, scanning
from checkin.ledger import Mark
from checkin.models import Checkpoint, Scan
from checkin.offline_rules import Local
from checkin.rules import Direction
from checkin.scanning import ScanEntry
from checkin.undoing import undo
from events import access
from events.access import Door
from events.models import Event, Place, TicketType
from kernel import db
from kernel.settings import Settings
from main import create_app
from people import accounts
from tests.factories import (
    just_begun,
    make_account,
    make_checkpoint,
    make_door,
    make_event,
    make_passport,
    make_place,
    make_role,
    make_session,
    make_ticket_type,
)
from web import signin

FORMULA = '=HYPERLINK("https://evil.example","x")'


@dataclass
class Hall:
    event: Event
    door: Door
    type: TicketType
    gate: Checkpoint
    room: Place
    room_door: Checkpoint
    app: Any
    at: datetime
    tokens: dict[str, str] = field(default_factory=dict)

    def browser(self, who: str = "", language: str = "en") -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app),
            base_url="http://127.0.0.1:8000",
            headers={"sec-fetch-site": "same-origin", "accept-language": language},
            cookies={signin.COOKIE: self.tokens[who]} if who else {},
        )

    async def page(self, path: str, who: str = "owner", status: int = 200, **query: Any) -> str:
        async with self.browser(who) as browser:
            answer = await browser.get(
                f"/e/{self.event.slug}{path}", params={k: str(v) for k, v in query.items()}
            )
        assert answer.status_code == status, (path, query, answer.text[:500])
        return answer.text

    async def scan(
        self, code: str, checkpoint: Checkpoint | None = None, way: str = "entry", local: str = ""
    ) -> str:
        entry = ScanEntry(uuid4(), code, (checkpoint or self.gate).id, Direction(way), local=Local(local))
        return (await scanning.scan(door=self.door, entry=entry, at=self.at)).verdict.value


@pytest.fixture
async def hall(database: Settings) -> AsyncIterator[Hall]:
    event = await make_event("coscon")
    ticket_type = await make_ticket_type(event)
    room = await make_place(event, "r1", name={"zh-Hans": "一号厅", "en": "Room One"}, capacity=5)
    found = Hall(
        event=event,
        door=await make_door(event),
        type=ticket_type,
        gate=await make_checkpoint(event, name={"zh-Hans": "北门", "en": "North gate"}),
        room=room,
        room_door=await make_checkpoint(
            event,
            name={"zh-Hans": "厅门", "en": "Room door"},
            kind="session",
            place_id=room.id,
            scans_exits=True,
        ),
        app=create_app(database, workers=False),
        at=datetime.now(UTC),
    )
    for who in ("owner", "viewer", "scanner"):
        account = await make_account()
        await make_role(event, account, who)
        found.tokens[who] = await accounts.open_sign_in(
            account_id=account.id, user_agent="", at=datetime.now(UTC)
        )
    access.forget()
    checkpoints.forget()
    async with found.app.router.lifespan_context(found.app):
        yield found


def _query(text: str) -> dict[str, Any]:
    return dict(httpx2.QueryParams(text))


def _total(page: str) -> tuple[int, int]:
    part = page.partition("data-total")[2].partition("</p>")[0]
    scans, people = re.findall(
        r"(\d+) (?:scan|person|people)", re.sub("<[^>]+>|of ", " ", part).replace("\n", " ")
    )
    return int(scans), int(people)


async def test_every_number_of_the_board_opens_as_many_scans_as_it_says(hall: Hall) -> None:
    people = [await make_passport(hall.event, hall.type) for _ in range(4)]
    for one in people[:3]:
        await hall.scan(one.token)
    await hall.scan(people[0].token, hall.room_door)
    await hall.scan("nobody")
    await hall.scan("wxp://pay", hall.room_door)
    # Two whom a phone without network let in, and the ledger refuses: each is one scan, and arrived all the same.
    revoked = await make_passport(hall.event, hall.type, status="revoked")
    for checkpoint in (hall.gate, hall.room_door):
        assert await hall.scan(revoked.token, checkpoint, local="admitted") == "revoked"
    page = await hall.page("/live")
    document = await counting.board(event_id=hall.event.id, at=datetime.now(UTC))
    hrefs = {name: href for href, name in re.findall(r'href="([^"]+)"\s+data-figure="([a-z-]+)"', page)}
    assert set(hrefs) >= {"arrived", "per-minute", "refused"}

    async def behind(href: str) -> tuple[int, int]:
        path, _, query = href.replace("&amp;", "&").partition("?")
        return _total(await hall.page(path.removeprefix(f"/e/{hall.event.slug}"), **_query(query)))

    assert await behind(hrefs["arrived"]) == (4, 4) and document["arrived"] == 4
    assert (await behind(hrefs["refused"]))[0] == 4
    assert (await behind(hrefs["per-minute"]))[0] == 4
    for row in document["checkpoints"]:
        (href,) = re.findall(rf'data-checkpoint="{row[0]}">\s*<a class="bar__label"\s+href="([^"]+)"', page)
        assert (await behind(href))[0] == sum(row[1:5])
    for code, count in document["reasons"]["counts"].items():
        (href,) = re.findall(rf'data-reason="{code}">\s*<a class="bar__label"\s+href="([^"]+)"', page)
        assert (await behind(href))[0] == count
    (href,) = re.findall(rf'data-room="{hall.room.id}">\s*<a class="bar__label"\s+href="([^"]+)"', page)
    assert (await behind(href))[0] == 3
    told = await hall.page("/live/scans", what="revoked")
    assert told.count("Let in all the same</span>") == 2 and _total(told) == (2, 1)
    assert _total(await hall.page("/live/scans", what="let_in")) == (2, 1)


async def test_who_was_taken_back_has_not_arrived(hall: Hall) -> None:
    one = await make_passport(hall.event, hall.type)
    await hall.scan(one.token)
    admitted = await Scan.get(verdict="admitted")
    lead = await make_door(hall.event, "organiser")
    await undo(door=lead, scan_id=uuid4(), target=admitted.scan_id, reason="wrong queue", at=hall.at)
    assert (await counting.board(event_id=hall.event.id, at=datetime.now(UTC)))["arrived"] == 0
    assert _total(await hall.page("/live/scans", kind="gate", what="came")) == (0, 0)
    assert _total(await hall.page("/live/scans", kind="gate")) == (2, 1), "what happened is all there"


async def test_names_are_for_those_who_may_see_registrations(hall: Hall) -> None:
    passport = await make_passport(hall.event, hall.type, badge_name="林小满<b>")
    await hall.scan(passport.token)
    mine, theirs = await hall.page("/live/scans"), await hall.page("/live/scans", "viewer")
    assert "林小满&lt;b&gt;" in mine and "林小满" not in theirs
    assert passport.short_code in mine and passport.short_code in theirs
    await hall.page("/live/scans", "scanner", 403)
    for who, has_name in (("owner", True), ("viewer", False)):
        async with hall.browser(who) as browser:
            answer = await browser.post(f"/e/{hall.event.slug}/live/scans/file", data={"format": "csv"})
        assert answer.status_code == 200 and ("林小满" in answer.text) is has_name


async def test_filters_narrow_and_what_cannot_be_read_is_said(hall: Hall) -> None:
    passport = await make_passport(hall.event, hall.type)
    await hall.scan(passport.token)
    await hall.scan(passport.token, hall.room_door)
    await hall.scan("nobody")
    local = datetime.now(UTC)
    for query, count in (
        ({}, 3),
        ({"checkpoint": hall.gate.id}, 2),
        ({"place": hall.room.id}, 1),
        ({"kind": "gate", "what": "all:entry"}, 1),
        ({"what": "unknown"}, 1),
        ({"type": hall.type.id}, 2),
        ({"type": 0}, 1),
        ({"last": 5}, 3),
        ({"day": (local - timedelta(days=3)).date()}, 0),
        ({"checkpoint": 999_999}, 0),
    ):
        assert _total(await hall.page("/live/scans", **query))[0] == count, query
    unreadable: tuple[dict[str, Any], ...] = (
        {"day": "yesterday"},
        {"time": "25:99"},
        {"what": "' OR 1=1"},
        {"checkpoint": "x"},
        {"minutes": "-1", "time": "10:00"},
    )
    for wrong in unreadable:
        page = await hall.page("/live/scans", **wrong)
        assert "OR 1=1" not in page or "&#39; OR 1=1" in page
        assert 'aria-invalid="true"' in page, wrong
    for mark in ("x", "1-", "-", "9" * 40 + "-1", "1-1"):
        await hall.page("/live/scans", before=mark)


async def test_pages_follow_each_other_without_gap_or_double(hall: Hall) -> None:
    for _ in range(60):
        await hall.scan("nobody")  # one instant for all: the id decides
    path = "/live/scans"
    page = await hall.page(path)
    assert page.count("<time datetime=") == 50
    (href,) = re.findall(r'href="([^"]*before=[^"]+)"', page)
    query = _query(href.replace("&amp;", "&").partition("?")[2])
    rest = await hall.page(path, **query)
    seen = page.count("<time datetime=") + rest.count("<time datetime=")
    assert seen == 60 and "Older" in page and "Older" not in rest


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = Mark(datetime(2023, 10, 28, 1, 41, 7, 123_457, UTC), 42)
    assert Mark.read(str(mark)) == mark
    for wrong in ("", "-", "1", "1-x", "²-1", "1-²", "1" * 17 + "-1"):
        assert Mark.read(wrong) is None


async def test_the_file_holds_the_filtered_scans_and_no_formula(hall: Hall) -> None:
    passport = await make_passport(hall.event, hall.type, badge_name=FORMULA)
    await hall.scan(passport.token)
    await hall.scan("nobody", hall.room_door)
    address = f"/e/{hall.event.slug}/live/scans/file"
    async with hall.browser("owner") as browser:
        text = (await browser.post(address, data={"format": "csv", "checkpoint": str(hall.gate.id)})).content
        book = (await browser.post(address, data={"format": "xlsx"})).content
        wrong = await browser.post(address, data={"format": "pdf"})
    lines = list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))
    assert len(lines) == 2 and f"'{FORMULA}" in lines[1] and lines[1][-1] == "admitted"
    sheet = openpyxl.load_workbook(io.BytesIO(book)).active
    assert sheet is not None and sheet.max_row == 3
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert wrong.status_code == 422
    rows = await db.query("SELECT verb FROM journal_entry WHERE verb = 'scans.export'")
    assert len(rows) == 2


async def test_one_scan_and_three_cost_the_same_statements(hall: Hall) -> None:
    async def cost(path: str) -> int:
        await hall.page(path)
        await checkpoints.world(hall.event.id)
        before = db.stats.statements
        await hall.page(path)
        return db.stats.statements - before

    paths = ("/live", "/live/scans", "/live/lanes", "/wall", f"/rooms/{hall.room.id}")
    await hall.scan((await make_passport(hall.event, hall.type)).token, hall.room_door)
    one = [await cost(path) for path in paths]
    for _ in range(2):
        place = await make_place(hall.event, f"more{uuid4().hex[:6]}", capacity=9)
        more = await make_checkpoint(hall.event, place_id=place.id)
        checkpoints.forget()
        await hall.scan((await make_passport(hall.event, hall.type)).token, more)
        await hall.scan("nobody", more)
        await make_session(hall.event, place_id=place.id)
    assert [await cost(path) for path in paths] == one


async def test_rooms_are_marked_at_eighty_ninety_five_and_a_hundred(hall: Hall) -> None:
    people, page = [await make_passport(hall.event, hall.type) for _ in range(5)], ""
    for count, one in enumerate(people, 1):
        await hall.scan(one.token, hall.room_door)
        page, wall = await hall.page("/live"), await hall.page("/wall", "")
        (classes,) = re.findall(rf'<li class="([^"]+)"\s+data-room="{hall.room.id}"', page)
        marked = {1: "bar", 2: "bar", 3: "bar", 4: "bar bar--care", 5: "bar bar--full"}[count]
        assert classes == marked
        assert ("filling up" in page.partition("board-data")[0]) is (count == 4)
        assert ("● Full" in wall, "◑ Filling up" in wall) == (count == 5, count == 4)
    assert "Room One is full: 5 people" in page
    async with hall.browser() as browser:
        (room,) = (await browser.get(f"/e/{hall.event.slug}/rooms.json")).json()
    assert (room["state"], room["level"]) == (1, 100)


async def test_public_screens_name_no_person_and_say_what_is_on(hall: Hall) -> None:
    now = datetime.now(UTC)
    passport = await make_passport(hall.event, hall.type, badge_name="林小满")
    await hall.scan(passport.token, hall.room_door)
    await make_session(
        hall.event, place_id=hall.room.id, title={"en": "Opening", "zh-Hans": "开幕"}, speakers="王芳",
        starts_at=just_begun(now), ends_at=now + timedelta(minutes=20),
    )  # fmt: skip
    day = counting.day_span(
        await checkpoints.world(hall.event.id), (await checkpoints.world(hall.event.id)).programme_date(now)
    )
    if day.ends_at - now > timedelta(minutes=40):
        await make_session(
            hall.event, place_id=hall.room.id, title={"en": "Kernel news", "zh-Hans": "内核"}, speakers="王芳",
            starts_at=now + timedelta(minutes=30), ends_at=now + timedelta(minutes=60),
        )  # fmt: skip
    for path in ("/wall", f"/rooms/{hall.room.id}"):
        page = await hall.page(path, "")
        assert "Opening, until" in page and "about 10 inside" in page
        assert "Kernel news" in page or day.ends_at - now <= timedelta(minutes=40)
        assert "林小满" not in page and "王芳" not in page
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script>", page)
    await hall.page("/rooms/999999", "", 404)
    async with hall.browser(language="zh") as browser:
        assert "一号厅" in (await browser.get(f"/e/{hall.event.slug}/wall")).text


async def test_lanes_say_how_fast_they_are_and_what_to_look_at(hall: Hall) -> None:
    for _ in range(3):
        await hall.scan((await make_passport(hall.event, hall.type)).token)
    for _ in range(6):
        await hall.scan("nobody")
    page = await hall.page("/live/lanes", "viewer")
    card = page.partition(f'data-lane="{hall.gate.id}"')[2].partition("</li>")[0]
    assert "66 % refused" in card and re.search(r'data-of="rate">\d<', card)
    assert "lane--stop" in page
    assert "North gate: 6 refused in ten minutes" in await hall.page("/live")
    match = re.search(r'id="lanes-data">(.*?)</script>', page, re.DOTALL)
    assert match is not None and "latest" not in orjson.loads(match[1])["document"]
