"""Registrations in bulk: all or nothing, few statements, applied once, races lost by a line told by that line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from events import registrations
from events.importing import Action, RowPlan, Values
from events.models import Event, Registration, TicketType
from events.registrations import CHUNK, Applied, Changed, apply_rows
from events.rules import EventCode, RegistrationSource, RegistrationState
from kernel import db
from kernel.actor import SYSTEM
from kernel.errors import Invalid
from kernel.settings import Settings
from people.models import JournalEntry, Letter
from tests.factories import NOW, make_event, make_registration, make_ticket_type


@pytest.fixture
def told() -> Iterator[list[Changed]]:
    found: list[Changed] = []

    async def listen(news: Changed) -> None:
        found.append(news)

    registrations.changed.connect(listen)
    yield found
    registrations.changed._handlers.remove(listen)


async def world(**ticket: Any) -> tuple[Event, TicketType]:
    event = await make_event("coscon")
    return event, await make_ticket_type(event, "general", **ticket)


def line(number: int, ticket_type: TicketType, **more: Any) -> RowPlan:
    values: dict[str, Any] = {
        "name": f"来宾{number}",
        "email": f"guest{number}@example.org",
        "ticket_type_id": ticket_type.id,
        "external_id": f"A{number}",
    }
    return RowPlan(number, Action.CREATE, Values(**(values | more)))


def update(number: int, row: Registration, **values: Any) -> RowPlan:
    return RowPlan(number, Action.UPDATE, Values(**values), registration_id=row.id)


async def applied(event: Event, rows: Sequence[RowPlan], **more: Any) -> Applied:
    return await apply_rows(
        event_id=event.id, rows=rows, source=RegistrationSource.IMPORT, at=NOW, actor=SYSTEM, **more
    )


async def taken(ticket_type: TicketType) -> int:
    return (await TicketType.get(id=ticket_type.id)).taken


async def test_new_lines_are_registered_and_other_lines_left_out(
    database: Settings, told: list[Changed]
) -> None:
    event, ticket_type = await world(quota=10)
    rows = [
        line(2, ticket_type, organisation="开源社", phone="+8613800138000"),
        line(3, ticket_type, state=RegistrationState.CANCELLED, external_code="T3", locale="en"),
        RowPlan(4, Action.SKIP),
        RowPlan(5, Action.SAME, registration_id=1),
        RowPlan(6, Action.ERROR, Values(name="?")),
    ]
    assert await applied(event, rows) == Applied(created=2)
    first, second = await Registration.all().order_by("id")
    assert (first.name, first.search, first.phone_last4, first.state) == (
        "来宾2",
        "来宾2 开源社",
        "8000",
        "confirmed",
    )
    assert (second.external_code, second.state, second.locale) == ("T3", "cancelled", "en")
    assert (await taken(ticket_type), await Letter.all().count()) == (1, 0)
    assert told == [Changed(event.id, [first.id, second.id])]
    assert [entry.new for entry in await JournalEntry.all()] == [
        {"created": 2, "updated": 0, "source": "import"}
    ]


async def test_an_update_changes_what_its_line_says_and_nothing_else(
    database: Settings, told: list[Changed]
) -> None:
    event, ticket_type = await world(quota=1)
    other = await make_ticket_type(event, "speaker", quota=1)
    await applied(event, [line(1, ticket_type, organisation="开源社", position="工程师", external_code="T1")])
    row = await Registration.get()
    told.clear()
    assert await applied(event, [update(1, row, name="新名", ticket_type_id=other.id)]) == Applied(updated=1)
    now = await Registration.get()
    assert (now.name, now.organisation, now.position, now.email, now.external_code, now.search) == (
        "新名",
        "开源社",
        "工程师",
        "guest1@example.org",
        "T1",
        "新名 开源社",
    )
    assert (now.ticket_type_id, await taken(ticket_type), await taken(other)) == (other.id, 0, 1)
    assert told == [Changed(event.id, [row.id])]
    await applied(event, [update(1, row, state=RegistrationState.CANCELLED)])
    assert await taken(other) == 0


async def test_one_bad_line_keeps_all_out_and_every_bad_line_is_named(
    database: Settings, told: list[Changed]
) -> None:
    event, ticket_type = await world(quota=4)
    elsewhere = await make_event()
    foreign_type = await make_ticket_type(elsewhere)
    foreign_row = await make_registration(elsewhere, foreign_type)
    await make_registration(event, ticket_type, external_id="A9", external_code="T9")
    rows = [
        line(2, ticket_type),
        line(3, foreign_type),
        line(4, ticket_type, email=None),
        line(5, ticket_type, external_id="A9"),
        line(6, ticket_type, external_code="T9"),
        line(7, ticket_type, external_id="A2"),
        line(8, ticket_type),
        update(9, foreign_row, name="x"),
    ]
    with pytest.raises(Invalid) as refused:
        await applied(event, rows)
    assert {name: problem.code for name, problem in refused.value.fields.items()} == {
        "line.3": EventCode.TICKET_TYPE_UNKNOWN,
        "line.4": EventCode.CONTACT_MISSING,
        "line.5": EventCode.EXTERNAL_ID_TAKEN,
        "line.6": EventCode.EXTERNAL_CODE_TAKEN,
        "line.7": EventCode.ROW_TWICE,
        "line.8": EventCode.TICKET_TYPE_FULL,
        "line.9": EventCode.REGISTRATION_UNKNOWN,
    }
    assert (await Registration.filter(event_id=event.id).count(), told, await taken(ticket_type)) == (
        1,
        [],
        0,
    )
    good = [row for row in rows if f"line.{row.line}" not in refused.value.fields]
    assert await applied(event, good) == Applied(created=1)


async def test_one_and_a_whole_chunk_take_the_same_statements(database: Settings) -> None:
    event, ticket_type = await world()
    counted = []
    for many in (1, CHUNK):
        rows = [line(1000 * many + n, ticket_type) for n in range(many)]
        before = db.stats.statements
        await applied(event, rows)
        counted.append(db.stats.statements - before)
    assert counted[0] == counted[1]


async def test_a_long_list_goes_in_short_transactions_and_tells_how_far_it_is(database: Settings) -> None:
    event, ticket_type = await world(quota=3 * CHUNK)
    steps: list[tuple[int, int]] = []

    async def progress(done: int, total: int) -> None:
        steps.append((done, total))

    before = db.stats.commits
    total = 2 * CHUNK + 1
    assert await applied(event, [line(n, ticket_type) for n in range(total)], progress=progress) == Applied(
        created=total
    )
    assert db.stats.commits - before == 3
    assert steps == [(CHUNK, total), (2 * CHUNK, total), (total, total)]
    assert await taken(ticket_type) == total


async def test_a_job_that_crashed_half_way_goes_on_where_it_stopped(database: Settings) -> None:
    event, ticket_type = await world(quota=2 * CHUNK)
    rows = [line(n, ticket_type) for n in range(2 * CHUNK)]
    request_id = uuid4()

    async def crash(_done: int, _total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await applied(event, rows, request_id=request_id, progress=crash)
    assert await Registration.all().count() == CHUNK
    for _ in range(2):
        assert await applied(event, rows, request_id=request_id) == Applied(created=2 * CHUNK)
        assert (await Registration.all().count(), await taken(ticket_type)) == (2 * CHUNK, 2 * CHUNK)


@asynccontextmanager
async def after_the_check(monkeypatch: pytest.MonkeyPatch, work: Any) -> AsyncIterator[None]:
    """Something happens between the check of a list and its first transaction."""
    check = registrations._check_rows

    async def then(event_id: int, rows: Sequence[RowPlan]) -> None:
        await check(event_id, rows)
        await work()

    monkeypatch.setattr(registrations, "_check_rows", then)
    yield


async def test_a_short_list_that_loses_a_race_is_not_applied_at_all(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, ticket_type = await world()

    async def somebody_comes_first() -> None:
        await make_registration(event, ticket_type, external_code="T7")

    async with after_the_check(monkeypatch, somebody_comes_first):
        with pytest.raises(Invalid) as refused:
            await applied(event, [line(n, ticket_type, external_code=f"T{n}") for n in range(20)])
    assert {name: problem.code for name, problem in refused.value.fields.items()} == {
        "line.7": "external_code_taken"
    }
    assert (await Registration.all().count(), await taken(ticket_type)) == (1, 0)


async def test_in_a_long_list_the_line_that_lost_a_race_is_named_and_the_rest_goes_on(
    database: Settings, monkeypatch: pytest.MonkeyPatch, told: list[Changed]
) -> None:
    total = CHUNK + 20
    event, ticket_type = await world(quota=total)

    async def somebody_comes_first() -> None:
        await make_registration(event, ticket_type, external_code="T7")
        async with db.unit_of_work():
            await TicketType.filter(id=ticket_type.id).update(quota=total - 3)

    request_id = uuid4()
    rows = [line(n, ticket_type, external_code=f"T{n}") for n in range(total)]
    async with after_the_check(monkeypatch, somebody_comes_first):
        done = await applied(event, rows, request_id=request_id)
    assert done.created == total - 3
    assert {number: problem.code for number, problem in done.lost.items()} == {
        7: "external_code_taken",
        total - 2: "ticket_type_full",
        total - 1: "ticket_type_full",
    }
    assert await taken(ticket_type) == total - 3
    assert await applied(event, rows, request_id=request_id) == done


async def test_an_import_and_a_rush_share_the_last_places(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, ticket_type = await world(quota=CHUNK + 30)
    rows = [line(n, ticket_type) for n in range(CHUNK + 20)]
    rush: list[asyncio.Task[int]] = []

    async def doors_open() -> None:
        rush.extend(
            asyncio.create_task(
                registrations.register(
                    event_id=event.id,
                    ticket_type_id=ticket_type.id,
                    contact=registrations.Contact(name=f"r{n}", phone="+8613800138000"),
                    source=RegistrationSource.FORM,
                    locale="en",
                    at=NOW,
                )
            )
            for n in range(40)
        )

    async with after_the_check(monkeypatch, doors_open):
        done = await applied(event, rows)
    others = await asyncio.gather(*rush, return_exceptions=True)
    registered = sum(isinstance(one, int) for one in others)
    assert done.created + len(done.lost) == CHUNK + 20
    assert {problem.code for problem in done.lost.values()} <= {EventCode.TICKET_TYPE_FULL}
    assert {getattr(one, "code", None) for one in others} <= {None, EventCode.TICKET_TYPE_FULL}
    assert done.created + registered == CHUNK + 30
    assert [await taken(ticket_type), await Registration.all().count()] == [CHUNK + 30, CHUNK + 30]
