"""The programme: sessions added, a list imported whole or not at all, read by day."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from agenda import queries, sessions
from agenda.models import Session
from agenda.rules import AgendaCode, SessionKind
from events.models import Event
from events.sheets import SheetProblem
from kernel import db
from kernel.errors import Invalid
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import JournalEntry
from tests.factories import NOW, make_event, make_place, make_session

TITLE = LocalizedText({"zh-Hans": "开幕式", "en": "Opening"})


async def world() -> Event:
    event = await make_event("coscon")
    await make_place(event, "main", name={"zh-Hans": "主会场", "en": "Main hall"}, position=1)
    await make_place(event, "b1", name={"zh-Hans": "分会场", "en": "Room B"}, position=2)
    await make_place(event, "b2", name={"zh-Hans": "分会场", "en": "Room C"}, position=3)
    return event


def table(*lines: str, header: str = "guid,title,title_en,place,kind,speakers,start,end") -> bytes:
    return "\n".join([header, *lines]).encode()


async def imported(event: Event, data: bytes, filename: str = "programme.csv") -> sessions.Report:
    return await sessions.import_csv(event_id=event.id, data=data, at=NOW, filename=filename)


async def test_a_list_becomes_the_programme_in_the_events_own_zone(database: Settings) -> None:
    event = await world()
    guid = uuid4()
    report = await imported(
        event,
        table(
            f"{guid},开幕式,Opening,main,典礼,庄表伟,2023-10-28 09:30,2023-10-28 10:10",
            ",,Lunch,,break,,2023-10-28 12:00,13:00",
            ",,,,,,,",
            ",闪电演讲,,Room B,lightning,,2023-10-29 13:30,2023-10-29 15:00",
        ),
    )
    assert report == sessions.Report(created=3)
    first, lunch, last = await queries.sessions(event.id)
    assert (first.guid, first.title, first.kind, first.speakers) == (
        guid,
        TITLE,
        SessionKind.CEREMONY,
        "庄表伟",
    )
    assert (first.starts_at, first.ends_at) == (NOW, NOW + timedelta(minutes=40))
    assert (first.place_code, first.place_name.in_("en")) == ("main", "Main hall")
    assert (lunch.place_id, lunch.place_code, lunch.ends_at - lunch.starts_at) == (
        None,
        "",
        timedelta(hours=1),
    )
    assert (last.place_code, last.kind) == ("b1", SessionKind.LIGHTNING)
    assert [entry.new for entry in await JournalEntry.all()] == [{"created": 3, "updated": 0}]


async def test_chinese_columns_with_a_date_of_their_own(database: Settings) -> None:
    event = await world()
    data = "日期,开始时间,结束时间,议题,地点,讲师\n2023-10-28,09:30,10:10,开幕式,主会场,庄表伟\n".encode(
        "gb18030"
    )
    assert await imported(event, data) == sessions.Report(created=1)
    [one] = await queries.sessions(event.id)
    assert (one.starts_at, one.title, one.place_code) == (NOW, {"zh-Hans": "开幕式"}, "main")


async def test_importing_again_changes_by_guid_and_adds_nothing_twice(database: Settings) -> None:
    event = await world()
    guid = uuid4()
    lines = [
        f"{guid},开幕式,Opening,main,,,2023-10-28 09:30,2023-10-28 10:10",
        ",午餐,Lunch,,break,,2023-10-28 12:00,13:00",
    ]
    await imported(event, table(*lines))
    before = {row.guid: row.id for row in await Session.all()}
    assert await imported(event, table(*lines)) == sessions.Report(same=2)
    lines[0] = f"{guid},开幕,Opening,b1,talk,,2023-10-28 09:00,2023-10-28 10:10"
    assert await imported(event, table(*lines)) == sessions.Report(updated=1, same=1)
    assert {row.guid: row.id for row in await Session.all()} == before
    assert [one.title.in_("zh-Hans") for one in await queries.sessions(event.id)] == ["开幕", "午餐"]


async def test_every_bad_line_is_named_and_nothing_is_written(database: Settings) -> None:
    event = await world()
    elsewhere = await make_session(await make_event())
    same = "9b1f3a52-1111-4111-8111-111111111111"
    report = await imported(
        event,
        table(
            ",好,Good,main,,,2023-10-28 09:30,2023-10-28 10:10",
            "xyz,,,分会场,party,,tomorrow,2023-10-28 10:10",
            ",甲,,main,,,2023-10-28 11:00,2023-10-28 10:00",
            ",好,Good,main,,,2023-10-28 09:30,2023-10-28 10:20",
            f"{same},乙,,main,,,2023-10-28 11:00,2023-10-28 12:00",
            f"{same},丙,,main,,,2023-10-28 11:00,2023-10-28 12:00",
            ",,,main,,,2023-10-28 11:00,2023-10-28 12:00",
            ",丁,,nowhere,,,2023-10-28 11:00,2023-10-28 12:00",
        ),
    )
    assert [(one.line, one.field, one.problem.code) for one in report.problems] == [
        (3, "kind", AgendaCode.SESSION_KIND_UNKNOWN),
        (3, "guid", AgendaCode.SESSION_GUID_MALFORMED),
        (3, "place", AgendaCode.SESSION_PLACE_UNKNOWN),  # two rooms have this name
        (3, "starts_at", AgendaCode.SESSION_TIME_MALFORMED),
        (4, "ends_at", AgendaCode.SESSION_ENDS_FIRST),
        (5, "", AgendaCode.SESSION_ROW_TWICE),
        (7, "", AgendaCode.SESSION_ROW_TWICE),
        (8, "title", AgendaCode.SESSION_TITLE_MISSING),
        (9, "place", AgendaCode.SESSION_PLACE_UNKNOWN),
    ]
    foreign = await imported(
        event,
        table(f"{elsewhere.guid},甲,,main,,,2023-10-28 11:00,12:00", ",乙,,main,,,2023-10-28 12:00,13:00"),
    )
    assert [(one.line, one.problem.code) for one in foreign.problems] == [
        (2, AgendaCode.SESSION_OF_ANOTHER_EVENT)
    ]
    assert await queries.sessions(event.id) == []
    assert await JournalEntry.all().count() == 0


async def test_a_list_without_what_a_programme_needs_is_refused_as_a_whole(database: Settings) -> None:
    event = await world()
    report = await imported(event, table("开幕式", header="地点,备注"))
    assert [(one.line, one.field) for one in report.problems] == [
        (1, "title"),
        (1, "starts_at"),
        (1, "ends_at"),
    ]
    assert [one.problem.code for one in (await imported(event, table())).problems] == [
        AgendaCode.PROGRAMME_EMPTY
    ]
    with pytest.raises(SheetProblem):
        await imported(event, b"%PDF-1.7 \x00\x01\x02", "programme.pdf")


async def test_one_list_imported_in_two_windows_at_once_is_there_once(database: Settings) -> None:
    event = await world()
    data = table(*(f"{uuid4()},议题{n},,main,,,2023-10-28 {9 + n:02}:00,{9 + n:02}:30" for n in range(8)))
    done = await asyncio.gather(*(imported(event, data) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, sessions.Report) and one.created == 8 for one in done) == 1
    assert {getattr(one, "code", None) for one in done} <= {None, "conflict"}
    assert await Session.all().count() == 8


async def test_sessions_of_a_day_run_past_midnight_and_take_a_fixed_number_of_statements(
    database: Settings,
) -> None:
    event = await world()
    party = datetime(2023, 10, 28, 17, 30, tzinfo=UTC)  # 01:30 on the 29th
    await make_session(event, starts_at=party, ends_at=party + timedelta(hours=1))
    statements = []
    for _ in range(2):
        before = db.stats.statements
        await queries.sessions(event.id, date(2023, 10, 28))
        statements.append(db.stats.statements - before)
        for _ in range(2):
            await make_session(event)
    assert statements[0] == statements[1]
    assert len(await queries.sessions(event.id, date(2023, 10, 28))) == 5
    assert await queries.sessions(event.id, date(2023, 10, 29)) == []


async def test_adding_one_refuses_a_foreign_room(database: Settings) -> None:
    event = await world()
    foreign = await make_place(await make_event())
    day: dict[str, Any] = {
        "event_id": event.id,
        "title": TITLE,
        "starts_at": NOW,
        "ends_at": NOW + timedelta(hours=1),
        "at": NOW,
    }
    with pytest.raises(Invalid) as refused:
        await sessions.add(**day, place_id=foreign.id)
    assert list(refused.value.fields) == ["place"]
    await sessions.add(**day)
    assert [one.title for one in await queries.sessions(event.id)] == [TITLE]
