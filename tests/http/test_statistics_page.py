"""The statistics page and its files: figures, pictures without scripts, tables, and nobody's name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

import main
from events.models import Event, Series, Site, TicketType
from events.sheets import read_table
from kernel.db import unit_of_work
from kernel.settings import Settings
from tests.factories import NOW, make_account, make_event, make_registration, make_role, make_ticket_type
from tests.http.desk_house import Desk, browser_of, desk_of, words_of


@pytest.fixture
async def desk(database: Settings) -> AsyncIterator[Desk]:
    app = main.create_app(database, workers=False)
    day = datetime.now(UTC).date() + timedelta(days=10)
    async with desk_of(app, starts_on=day, ends_on=day) as one:
        yield one


async def fill(desk: Desk) -> None:
    at = datetime.now(UTC)
    for number in range(4):
        await make_registration(
            desk.event,
            desk.general,
            name="林小满",
            email=f"secret{number}@example.org",
            organisation="开源社" if number else "一个人",
            ticket_source="Datawhale",
            created_at=at - timedelta(days=number),
        )
    await make_registration(desk.event, desk.vip, state="cancelled", created_at=at)


async def test_nobody_yet(desk: Desk) -> None:
    page = await desk.get("/statistics")
    assert "Nobody has registered yet" in words_of(page.text)
    assert "statistics.js" not in page.text


async def test_figures_pictures_and_tables(desk: Desk) -> None:
    await fill(desk)
    answer = await desk.get("/statistics")
    words = words_of(answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert "Holding a place 4" in words
    assert "Expected at the door 2 to 4" in words
    assert "20 to 50 % · assumed: nothing was counted yet" in words
    assert "开源社 3 · 75 %" in words
    assert "1 more person in groups that are smaller." in words
    assert "Cancelled 1 · 20 %" in words
    assert "Datawhale 4 · 100 %" in words
    assert answer.text.count("<rect ") == 4
    assert "<polyline " in answer.text
    assert '"per_day"' in answer.text
    assert "林小满" not in answer.text
    assert "secret" not in answer.text
    assert "一个人" not in answer.text


async def test_two_years_are_compared(desk: Desk) -> None:
    await fill(desk)
    old = await make_event(
        "old",
        name={"zh-Hans": "去年", "en": "Last year"},
        starts_on=date(2022, 10, 29),
        ends_on=date(2022, 10, 30),
    )
    kind = await make_ticket_type(old)
    await make_registration(old, kind, created_at=datetime(2022, 10, 1, tzinfo=UTC))
    async with unit_of_work():
        series = await Series.create(slug="s", name={"en": "S"}, created_at=NOW)
        await Event.filter(id__in=[old.id, desk.event.id]).update(series_id=series.id)
    main_words = words_of((await desk.get("/statistics")).text)
    assert "Against Last year" in main_words
    assert "28 days before 0 1" in main_words


async def test_files_say_the_same(desk: Desk) -> None:
    await fill(desk)
    for kind in ("csv", "xlsx"):
        answer = await desk.get(f"/statistics/{kind}")
        assert answer.headers["cache-control"] == "no-store"
        rows = read_table(f"x.{kind}", answer.content).rows
        assert rows[0] == ["What", "Of", "Number"]
        assert ["Confirmed", "Attendee", "4"] in rows
        assert ["Organisation", "开源社", "3"] in rows
        assert "林小满" not in repr(rows)
    assert (await desk.get("/statistics/pdf")).status_code == 404


async def test_a_site_and_who_sees_only_one(desk: Desk) -> None:
    await fill(desk)
    async with unit_of_work():
        here = await Site.create(event_id=desk.event.id, code="cd", name={"en": "Chengdu"})
        there = await Site.create(event_id=desk.event.id, code="sz", name={"en": "Shenzhen"})
        await TicketType.filter(id=desk.general.id).update(site_id=here.id)
    assert "Holding a place 4" in words_of((await desk.get("/statistics", site=here.id)).text)
    assert "Nobody has registered yet" in words_of((await desk.get("/statistics", site=there.id)).text)
    assert (await desk.get("/statistics", site=999)).status_code == 404
    app = main.create_app(desk_settings(), workers=False)
    for role, scope, status in (("viewer", there.id, 200), ("scanner", 0, 403)):
        account = await make_account()
        await make_role(desk.event, account, role, "site" if scope else "", scope)
        async with browser_of(app, account) as browser:
            page = await browser.get(desk.path("/statistics"))
            assert page.status_code == status
            assert "Holding a place 4" not in words_of(page.text)
            if scope:
                other = await browser.get(desk.path("/statistics"), params={"site": here.id})
                assert other.status_code == 404


def desk_settings() -> Settings:
    from events.desk import shared

    return shared.settings()
