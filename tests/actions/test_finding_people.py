"""People are found as they are typed; what finds them follows every change of a name and goes with it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from time import perf_counter
from typing import Any

import pytest

import main
from checkin import queries as door_queries
from events import person_keys, pinyin_rules, privacy, queries, registrations
from events.importing import Action, RowPlan, Values
from events.models import Event, PersonKey, Registration, TicketType
from events.queries import Filter
from events.rules import Contact, RegistrationSource
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.settings import Settings
from people import letters
from tests.factories import NOW, make_event, make_registration, make_ticket_type


@pytest.fixture
async def house(database: Settings) -> AsyncIterator[Settings]:
    main.create_app(database, workers=False)
    yield database
    letters._composers.clear()


async def _person(event: Event, kind: TicketType, name: str, **more: str) -> int:
    return await registrations.register(
        event_id=event.id,
        ticket_type_id=kind.id,
        contact=Contact(name=name, **({"email": "x@example.org"} | more)),
        source=RegistrationSource.ORGANISER,
        locale="zh-Hans",
        at=NOW,
    )


async def _found(event: Event, text: str) -> list[str]:
    return [one.name for one in await queries.find_people(event.id, text)]


async def test_every_way_to_name_somebody_finds_them(house: Settings) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    await _person(
        event,
        kind,
        "曾国强",
        english_name="Kevin Zeng",
        email="kevin@huiwu.example",
        phone="+8613800135678",
        phone_last4="5678",
        organisation="开源社",
    )
    await _person(event, kind, "单雄信", badge_name="老单")
    for text in (
        "曾国",
        "zengguoqiang",
        "cgq",
        "zgjiang",
        "曾gq",
        "ZENG guo",
        "kevin",
        "kevin@",
        "5678",
        "开源社",
    ):
        assert await _found(event, text) == ["曾国强"], text
    for text in ("shan xx", "dxx", "chanxiong", "laod", "xiongxin", "老dan"):
        assert await _found(event, text) == ["单雄信"], text
    for text in ("z", "exi", "李gq", "9999", "%", "zengguoqiangg"):
        assert await _found(event, text) == [], text
    other = await make_event()
    assert await _found(other, "cgq") == []


async def test_the_best_match_stands_first_and_twenty_are_enough(house: Settings) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    for name in ("王里", "李", "黎明", "Annali", "Li", "李小龙"):
        await _person(event, kind, name)
    assert await _found(event, "li") == ["Li", "李", "李小龙", "黎明", "王里", "Annali"]
    assert await _found(event, "李小") == ["李小龙"]
    for number in range(25):
        await _person(event, kind, f"李{number}")
    assert len(await _found(event, "li")) == 20


async def test_lists_of_the_desk_are_narrowed_the_same_way(house: Settings) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    await _person(event, kind, "解晓东")
    await _person(event, kind, "李明")
    for text in ("xxd", "jiexd", "解xd"):
        page = await queries.registrations_page(event.id, Filter(text=text))
        assert [row.contact.name for row in page.rows] == ["解晓东"], text
        expected = await door_queries.expected_people(event_id=event.id, list_id=1, period="", text=text)
        assert [one.name for one in expected.people] == ["解晓东"], text


async def test_keys_follow_a_name_and_go_with_it(house: Settings) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    number = await _person(event, kind, "李明")
    await registrations.change(
        event_id=event.id,
        registration_id=number,
        contact=Contact(name="王芳", email="x@example.org"),
        actor=SYSTEM,
        at=NOW,
    )
    assert (await _found(event, "wf"), await _found(event, "lm")) == (["王芳"], [])
    await privacy.erase(actor=SYSTEM, event_id=event.id, registration_ids=[number], at=NOW)
    assert await PersonKey.all().count() == 0
    assert await person_keys.fill() == 0


async def test_rows_without_a_key_or_with_an_old_one_are_filled(house: Settings) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    for name in ("李明", "王芳", ""):
        await make_registration(event, kind, name=name)
    assert await _found(event, "lm") == []
    await person_keys.keep_filled(NOW)
    assert await PersonKey.all().count() == 2
    assert await _found(event, "lm") == ["李明"]
    async with unit_of_work():
        await PersonKey.filter(sort_key__startswith="1li").update(version=0, forms="")
    assert await _found(event, "lm") == []
    assert await person_keys.fill() == 1
    assert await _found(event, "lm") == ["李明"]
    assert await person_keys.fill() == 0


async def test_an_older_reading_never_replaces_a_newer(house: Settings) -> None:
    """The chore has read a name; before it writes, somebody changes it."""
    event = await make_event()
    kind = await make_ticket_type(event)
    number = await _person(event, kind, "王芳")
    async with unit_of_work():
        written = await person_keys._write(
            [{"id": number, "event_id": event.id, "name": "李明", "badge_name": ""}],
            tail="WHERE person_key.version < excluded.version",
        )
    assert written == 0
    assert await _found(event, "wf") == ["王芳"]


SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗单曾解任区"
GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂华国庆建文志海玲红晓宇思佳子涵浩轩重乐朴"


def _name(number: int) -> str:
    second = GIVEN[number // len(SURNAMES) % len(GIVEN)]
    third = GIVEN[number * 7 % len(GIVEN)] if number % 3 else ""
    return SURNAMES[number % len(SURNAMES)] + second + third


async def test_ten_thousand_people(house: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """An import of 10,000 lines makes their keys in its own transactions; a search is one statement, however it is typed."""
    event = await make_event()
    kind = await make_ticket_type(event)
    work = [
        RowPlan(
            line=number + 2,
            action=Action.CREATE,
            registration_id=None,
            values=Values(
                name=_name(number),
                organisation=f"某某科技有限公司{number % 50}",
                email=f"p{number}@example.org",
                ticket_type_id=kind.id,
                external_id=f"x{number}",
            ),
        )
        for number in range(10_000)
    ]
    spent = {"keys": 0.0}
    made = person_keys._made

    def timed(rows: Sequence[Mapping[str, Any]]) -> str:
        began = perf_counter()
        found = made(rows)
        spent["keys"] += perf_counter() - began
        return found

    began = perf_counter()
    person_keys._made, before = timed, person_keys._made
    try:
        await registrations.apply_rows(
            event_id=event.id, rows=work, actor=SYSTEM, at=NOW, source=RegistrationSource.IMPORT
        )
    finally:
        person_keys._made = before
    lines = [f"import of 10,000: {perf_counter() - began:.1f} s, of it keys {spent['keys']:.2f} s"]
    assert await PersonKey.all().count() == await Registration.all().count() == 10_000
    for text in ("zhangwei", "zw", "zengg", "李wei", "wei", "公司", "单强", "nobodyatall"):
        times, found = [], await queries.find_people(event.id, text)
        for _ in range(5):
            counted = db.stats.statements
            began = perf_counter()
            found = await queries.find_people(event.id, text)
            times.append((perf_counter() - began) * 1000)
            assert db.stats.statements - counted == 1
        assert len(found) <= 20
        lines.append(f"{text}: {min(times):.1f} ms ({len(found)})")
    async with unit_of_work():
        await db.execute("DELETE FROM person_key")
    began = perf_counter()
    assert await person_keys.fill() == 10_000
    lines.append(f"filled again: {perf_counter() - began:.1f} s")
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert pinyin_rules.VERSION == 1
