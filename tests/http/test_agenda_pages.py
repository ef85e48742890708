"""The programme page, and its import, through ASGI."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from starlette.applications import Starlette

import main
from agenda.models import Session
from kernel.settings import Settings
from tests.factories import NOW, make_account, make_event, make_place, make_role, make_session
from tests.http.test_events_pages import browser

HEADER = "title,title_en,start,end,place,kind\n"
GOOD = HEADER + "开幕式,Opening,2023-10-28 09:30,10:10,main,ceremony\n"


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


async def test_the_programme_stands_by_day_in_both_languages(app: Starlette) -> None:
    event = await make_event("coscon")
    place = await make_place(event)
    await make_session(event, place_id=place.id, speakers='<b>"x"</b>')
    await make_session(
        event,
        title={"zh-Hans": "次日"},
        starts_at=NOW + timedelta(days=1),
        ends_at=NOW + timedelta(days=1, hours=1),
    )
    async with browser(app) as client:
        page = (await client.get("/e/coscon/agenda")).text
        for words in (
            "Opening",
            "09:30–10:10",
            "Main",
            "Sat, 28 Oct 2023",
            "Sun, 29 Oct 2023",
            "次日",
            "Asia/Shanghai",
        ):
            assert words in page, words
        assert "<b>" not in page
        assert page.index("Opening") < page.index("次日")
        assert "Import…" not in page
    async with browser(app, language="zh-CN") as client:
        page = (await client.get("/e/coscon/agenda")).text
        for words in ("开幕式", "主会场", "2023年10月28日", "议程"):
            assert words in page, words


async def test_an_empty_programme_says_what_comes_next(app: Starlette) -> None:
    await make_event("coscon")
    async with browser(app) as client:
        assert "The programme is not out yet" in (await client.get("/e/coscon/agenda")).text


async def test_organisers_import_a_list_and_nobody_else(app: Starlette) -> None:
    event = await make_event("coscon")
    await make_place(event, "main")
    organiser, scanner = await make_account(), await make_account()
    await make_role(event, organiser, "organiser")
    await make_role(event, scanner, "scanner")
    path, files = "/e/coscon/desk/agenda/import", {"file": ("议程.csv", GOOD.encode(), "text/csv")}
    for account, status in ((None, 303), (scanner, 403)):
        async with browser(app, account) as client:
            assert (await client.get(path)).status_code == status
            assert (await client.post(path, files=files)).status_code == status
    async with browser(app, organiser, site="cross-site") as client:
        assert (await client.post(path, files=files)).status_code == 403
    assert await Session.all().count() == 0
    async with browser(app, organiser) as client:
        assert "Import…" in (await client.get("/e/coscon/agenda")).text
        assert (await client.get(path)).status_code == 200
        for words in ("1 sessions added, 0 changed, 0 as before", "0 sessions added, 0 changed, 1 as before"):
            answer = await client.post(path, files=files)
            assert answer.status_code == 200
            assert words in answer.text
        bad = HEADER + "好,,2023-10-28 09:30,10:10,nowhere<i>,talk\n坏,,soon,10:10,main,talk\n"
        answer = await client.post(path, files={"file": ("x.csv", bad.encode(), "text/csv")})
        assert answer.status_code == 422
        assert re.findall(r'<td class="num">(\d+)</td>', answer.text) == ["2", "3", "3"]
        assert "<i>" not in answer.text
        for data in ({"other": "x"}, {}):
            assert (await client.post(path, data=data)).status_code == 422
        pdf = {"file": ("x.pdf", b"%PDF-1.7\x00\x01", "application/pdf")}
        assert (await client.post(path, files=pdf)).status_code == 422
    assert await Session.all().count() == 1
