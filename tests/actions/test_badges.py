"""Badges on a real database: numbers given once, acts written once, and what is left of a person who goes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

import main
from checkin import badges, passports, queries, scanning
from checkin.badge_rules import Boxes, Handing, Order, Plan, Wish, WrongLine
from checkin.models import BadgeEvent, Passport
from checkin.scanning import Badge, ScanEntry
from events.models import Event, TicketType
from kernel import db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound
from kernel.settings import Settings
from people.models import JournalEntry
from tests.factories import make_checkpoint, make_door, make_event, make_passport, make_ticket_type

NOW = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)


async def people(count: int) -> tuple[Event, TicketType, list[Passport]]:
    event = await make_event()
    kind = await make_ticket_type(event)
    return (
        event,
        kind,
        [await make_passport(event, kind, badge_name=f"人{n:02}") for n in range(count)],
    )


async def assign(event: Event, **plan: object) -> int:
    return await badges.assign(actor=SYSTEM, event_id=event.id, plan=Plan(**plan), at=NOW)  # type: ignore[arg-type]


async def numbers(event: Event) -> list[tuple[int | None, str]]:
    return [
        (one.badge_number, one.badge_box) for one in await Passport.filter(event_id=event.id).order_by("id")
    ]


async def test_later_arrivals_get_further_numbers_and_nothing_else_changes(database: Settings) -> None:
    event, kind, _ = await people(3)
    assert await assign(event, boxes=Boxes.LETTERS, per_box=2) == 3
    first = await numbers(event)
    assert first == [(1, "A"), (2, "A"), (3, "B")]
    await make_passport(event, kind, badge_name="人-")
    await make_passport(event, kind, badge_name="人x", status="cancelled")
    assert await assign(event, boxes=Boxes.LETTERS, per_box=2) == 1
    assert await numbers(event) == [*first, (4, "B"), (None, "")]
    assert await assign(event) == 0
    assert [one.verb for one in await JournalEntry.filter(event_id=event.id)] == ["badges.assign"] * 2


async def test_one_ticket_type_is_numbered_by_itself(database: Settings) -> None:
    event, _, _ = await people(2)
    speakers = await make_ticket_type(event, name={"zh-Hans": "讲师"}, position=1)
    await make_passport(event, speakers)
    done = await badges.assign(
        actor=SYSTEM,
        event_id=event.id,
        plan=Plan(order=Order.TICKET_TYPE, start=500, boxes=Boxes.TYPES),
        ticket_types=[speakers.id, 99_999],
        at=NOW,
    )
    assert done == 1
    assert await numbers(event) == [(None, ""), (None, ""), (500, "讲师")]


async def test_two_who_number_at_once_give_every_number_once(database: Settings) -> None:
    event, _, some = await people(12)
    done = await asyncio.gather(*(assign(event) for _ in range(8)))
    assert sum(done) == len(some)
    assert sorted(n for n, _ in await numbers(event) if n) == list(range(1, 13))


async def test_as_many_statements_for_three_as_for_thirty(database: Settings) -> None:
    async def statements(count: int) -> int:
        event, _, _ = await people(count)
        before = db.stats.statements
        await assign(event)
        spent = db.stats.statements - before
        before = db.stats.statements
        found, total = await badges.listed(event.id, limit=100)
        assert (len(found), total) == (count, count)
        await badges.boxes(event.id)
        return spent + db.stats.statements - before

    assert await statements(3) == await statements(30)


async def test_a_number_by_hand_is_nobody_elses(database: Settings) -> None:
    event, _, [one, other] = await people(2)

    async def put(passport: Passport, number: int | None, box: str = "") -> None:
        await badges.put(
            actor=SYSTEM, event_id=event.id, passport_id=passport.id, number=number, box=box, at=NOW
        )

    await put(one, 7, " 讲师 箱 ")
    await put(one, 7, "讲师 箱")
    assert await numbers(event) == [(7, "讲师 箱"), (None, "")]
    assert await JournalEntry.filter(verb="badge.set").count() == 1
    for number, box, field in (
        (7, "", "number"),
        (0, "", "number"),
        (10**6, "", "number"),
        (8, "x" * 21, "box"),
    ):
        with pytest.raises(Invalid) as refused:
            await put(other, number, box)
        assert list(refused.value.fields) == [field]
    # Printed with it, so nobody else gets it, even when it was taken off.
    async with unit_of_work():
        await badges.note_print(actor=SYSTEM, event_id=event.id, passport_id=one.id, act_id=uuid4(), at=NOW)
    await put(one, None)
    with pytest.raises(Invalid):
        await put(other, 7)
    assert await assign(event, start=6) == 2
    assert sorted(n for n, _ in await numbers(event) if n) == [6, 8]
    with pytest.raises(NotFound):
        await badges.put(actor=SYSTEM, event_id=event.id + 1, passport_id=one.id, number=1, box="", at=NOW)


async def test_a_list_is_taken_whole_or_not_at_all(database: Settings) -> None:
    event, kind, [one, other] = await people(2)
    third = await make_passport(event, kind, external="T-9")

    async def put(*lines: tuple[str, int | None, str]) -> int | list[WrongLine]:
        wishes = [Wish(nth, *line) for nth, line in enumerate(lines, start=2)]
        return await badges.put_list(actor=SYSTEM, event_id=event.id, wishes=wishes, at=NOW)

    spoken = passports.spoken(one.short_code).lower()
    assert await put((spoken, 5, "A"), ("T-9", 6, ""), (other.token, None, "B")) == 3
    assert await numbers(event) == [(5, "A"), (None, "B"), (6, "")]
    assert await put((one.short_code, 5, "A")) == 0
    wrong = await put(
        (other.short_code, 9, ""),
        ("nobody", 1, ""),
        (third.token, 5, ""),
        (spoken, 1, ""),
        (one.token, 1, ""),
    )
    assert wrong == [
        WrongLine(3, "code_unknown", "nobody"),
        WrongLine(4, "number_taken", "5"),
        WrongLine(6, "code_twice", one.token),
    ]
    assert await numbers(event) == [(5, "A"), (None, "B"), (6, "")]


async def test_every_answer_says_where_the_badge_is_in_as_many_statements(database: Settings) -> None:
    main.create_app(database, workers=False)
    event, _, [one, other, warm] = await people(3)
    gate, door = await make_checkpoint(event), await make_door(event)
    await badges.put(actor=SYSTEM, event_id=event.id, passport_id=one.id, number=217, box="C", at=NOW)

    async def scan(passport: Passport, scan_id: UUID | None = None) -> tuple[Badge | None, int]:
        before = db.stats.statements
        answer = await scanning.scan(
            door=door, entry=ScanEntry(scan_id or uuid4(), passport.short_code, gate.id), at=NOW
        )
        assert answer.holder is not None
        return answer.holder.badge, db.stats.statements - before

    await scan(warm)
    again = uuid4()
    with_badge, spent = await scan(one, again)
    without, spent_without = await scan(other)
    assert (with_badge, without, spent) == (Badge(217, "C"), None, spent_without)
    assert (await scan(one, again))[0] == Badge(217, "C")
    members = await queries.members(
        event_id=event.id, registration_ids=None, list_id=gate.list_id, period="2023-10-28"
    )
    assert {member.passport_id: member.badge for member in members} == {
        one.id: queries.Badge(217, "C"),
        other.id: None,
        warm.id: None,
    }


# --- what is done with one ---------------------------------------------------------------------------------------


async def hand(
    event: Event, passport: Passport, act_id: UUID | None = None, minute: int = 0
) -> badges.Handed:
    return await badges.hand_over(
        actor=SYSTEM,
        event_id=event.id,
        passport_id=passport.id,
        act_id=act_id or uuid4(),
        at=NOW + timedelta(minutes=minute),
    )


async def test_a_badge_is_handed_over_once_and_taken_back_once(database: Settings) -> None:
    event, _, [one] = await people(1)
    act = uuid4()
    assert (await hand(event, one, act)).said is Handing.HANDED_OVER
    assert (await hand(event, one, act, minute=9)) == badges.Handed(Handing.HANDED_OVER, NOW)
    again = await hand(event, one, minute=3)
    assert (again.said, again.first_at) == (Handing.HANDED_OVER_BEFORE, NOW)

    async def back(minute: int, act_id: UUID | None = None) -> Handing:
        done = await badges.take_it_back(
            actor=SYSTEM,
            event_id=event.id,
            passport_id=one.id,
            act_id=act_id or uuid4(),
            at=NOW + timedelta(minutes=minute),
        )
        return done.said

    assert await back(31) is Handing.TOO_LATE
    with pytest.raises(Conflict) as mismatch:
        await back(1, act)
    assert mismatch.value.code == Code.REPLAY_MISMATCH
    assert await back(30) is Handing.TAKEN_BACK
    assert await back(30) is Handing.NOT_HANDED_OVER
    assert (await hand(event, one, minute=40)).said is Handing.HANDED_OVER
    rows = await BadgeEvent.all().order_by("id")
    assert [(row.kind, row.nth) for row in rows] == [
        ("handed_over", 0),
        ("taken_back", 0),
        ("handed_over", 1),
    ]
    facts = await badges.of(await passports.by_id(event.id, one.id))
    assert (facts.is_out, facts.handed_over_at) == (True, NOW + timedelta(minutes=40))
    with pytest.raises(NotFound):
        await badges.hand_over(
            actor=SYSTEM, event_id=event.id + 1, passport_id=one.id, act_id=uuid4(), at=NOW
        )


async def test_of_32_who_hand_over_at_once_one_does(database: Settings) -> None:
    event, _, [one] = await people(1)
    said = [done.said for done in await asyncio.gather(*(hand(event, one) for _ in range(32)))]
    assert (said.count(Handing.HANDED_OVER), said.count(Handing.HANDED_OVER_BEFORE)) == (1, 31)
    assert await BadgeEvent.all().count() == 1


async def test_the_list_shows_who_still_waits(database: Settings) -> None:
    event, _, [one, other, third] = await people(3)
    await assign(event, boxes=Boxes.LETTERS, per_box=2)
    await hand(event, one)
    async with unit_of_work():
        await badges.note_print(actor=SYSTEM, event_id=event.id, passport_id=other.id, act_id=uuid4(), at=NOW)
        await badges.note_print(actor=SYSTEM, event_id=event.id, passport_id=other.id, act_id=uuid4(), at=NOW)

    async def ids(**more: object) -> tuple[list[int], int]:
        found, total = await badges.listed(event.id, limit=10, **more)  # type: ignore[arg-type]
        return [line.passport_id for line in found], total

    assert await ids() == ([one.id, other.id, third.id], 3)
    assert await ids(show="waiting") == ([other.id, third.id], 2)
    assert await ids(show="out") == ([one.id], 1)
    assert await ids(show="unprinted") == ([one.id, third.id], 2)
    assert await ids(show="no_number") == ([], 0)
    assert await ids(box="B") == ([third.id], 1)
    assert await ids(after=2) == ([third.id], 3)
    found, _ = await badges.listed(event.id, box="A", limit=10)
    assert [(line.facts.prints, line.facts.reprints, line.facts.is_out) for line in found] == [
        (0, 0, True),
        (2, 1, False),
    ]
    assert await badges.boxes(event.id) == [
        badges.BoxCount("A", 2, 1, 2, 1, 1),
        badges.BoxCount("B", 1, 3, 3, 0, 0),
    ]
