"""Registrations in numbers: what is counted, what is not, and that many cost what few cost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from checkin import arrivals as door
from checkin.models import Arrival, Passport
from events import arrivals, queries, statistics
from events.models import Event, FormAnswer, FormField, Registration, Series, Site, TicketType
from events.rules import EventFacts, RegistrationState, TicketRole
from events.statistics import Group, Statistics
from events.statistics_rules import Basis, Countdown, Day
from kernel import codes, db
from kernel.db import unit_of_work
from kernel.settings import Settings
from tests.factories import NOW, make_event, make_registration, make_ticket_type

BEFORE = datetime(2023, 10, 1, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _connected() -> None:
    arrivals.connect(by_type=door.by_type, among=door.among)


async def facts(event: Event) -> EventFacts:
    found = await queries.find_event_by_id(event.id)
    assert found is not None
    return found


async def read(event: Event, at: datetime = BEFORE, **more: Any) -> Statistics:
    return await statistics.read(await facts(event), at=at, **more)


async def came(registration: Registration, *days: date) -> None:
    """A passport that was admitted at a gate on these days."""
    token = codes.new_token()
    async with unit_of_work():
        passport = await Passport.create(
            event_id=registration.event_id,
            registration_id=registration.id,
            ticket_type_id=registration.ticket_type_id,
            token=token,
            public_token=codes.public_token(token),
            short_code=codes.new_short_code(),
            badge_name=registration.name,
            created_at=NOW,
        )
        for day in days:
            await Arrival.create(event_id=registration.event_id, programme_date=day, passport_id=passport.id)


async def test_days_are_the_events_own_and_the_merged_count_once(database: Settings) -> None:
    event = await make_event(starts_on=date(2023, 10, 3), ends_on=date(2023, 10, 4))
    kind = await make_ticket_type(event, quota=10)
    # 00:30 in Chengdu is still yesterday in UTC.
    night = datetime(2023, 9, 29, 16, 30, tzinfo=UTC)
    first = await make_registration(event, kind, created_at=night)
    await make_registration(event, kind, created_at=night, state="cancelled")
    await make_registration(event, kind, created_at=night, state="cancelled", merged_into_id=first.id)
    await make_registration(event, kind, created_at=night + timedelta(days=1), state="pending")
    await make_registration(event, kind, created_at=night + timedelta(days=1), state="waitlisted")
    found = await read(event)
    assert found.days == [Day(date(2023, 9, 30), 2, 1), Day(date(2023, 10, 1), 2, 2)]
    assert found.by_state == {
        RegistrationState.CONFIRMED: 1,
        RegistrationState.PENDING: 1,
        RegistrationState.WAITLISTED: 1,
        RegistrationState.CANCELLED: 1,
    }
    assert (found.holding, found.confirmed, found.quota) == (2, 1, 10)
    await make_ticket_type(event)
    assert (await read(event)).quota is None


async def test_nothing_at_all_is_no_trouble(database: Settings) -> None:
    found = await read(await make_event())
    assert (found.days, found.types, found.questions, found.quota, found.previous) == ([], [], [], None, None)


async def test_by_everything_that_is_asked(database: Settings) -> None:
    event = await make_event()
    async with unit_of_work():
        site = await Site.create(event_id=event.id, code="cd", name={"zh-Hans": "成都", "en": "Chengdu"})
    here = await make_ticket_type(event, "here", site_id=site.id, role="student")
    away = await make_ticket_type(event, "away")
    for name in ("Datawhale", "ＤＡＴＡＷＨＡＬＥ ", "datawhale"):
        await make_registration(
            event, here, organisation="开源社", ticket_source=name, source="partner", locale="en"
        )
    await make_registration(event, away, organisation="只有一个人的公司")
    await make_registration(event, away, organisation="开源社", state="cancelled")
    found = await read(event)
    assert found.sources == [Group("partner", 3), Group("form", 1)]
    assert found.languages == [Group("en", 3), Group("zh-Hans", 1)]
    assert [one.count for one in found.ticket_sources] == [3]
    assert (found.organisations, found.organisations_rest) == ([Group("开源社", 3)], 1)
    assert found.roles == [(TicketRole.ATTENDEE, 1), (TicketRole.STUDENT, 3)]
    assert sorted((name.get("en", ""), count) for name, count in found.sites) == [("", 1), ("Chengdu", 3)]
    narrowed = await read(event, site_ids=frozenset({site.id}))
    assert (narrowed.holding, [one.facts.code for one in narrowed.types]) == (3, ["here"])
    assert (await read(event, site_ids=frozenset())).holding == 0


async def test_answers_are_counted_and_personal_ones_only_on_request(database: Settings) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    options = [
        {"code": "veg", "label": {"zh-Hans": "素食", "en": "Vegetarian"}},
        {"code": "halal", "label": {"zh-Hans": "清真", "en": "Halal"}},
    ]
    async with unit_of_work():
        meal = await FormField.create(
            event_id=event.id,
            code="meal",
            kind="choose_many",
            label={"en": "Meal"},
            options=options,
            is_personal=False,
        )
        first = await FormField.create(
            event_id=event.id,
            code="first",
            kind="yes_no",
            label={"en": "First time"},
            is_personal=True,
            position=1,
        )
        line = await FormField.create(event_id=event.id, code="line", kind="line", label={"en": "Motto"})
        for value in (["veg"], ["veg", "halal"], [], ["gone"]):
            row = await make_registration(event, kind)
            await FormAnswer.create(registration_id=row.id, form_field_id=meal.id, value=value)
            await FormAnswer.create(registration_id=row.id, form_field_id=first.id, value=bool(value))
            await FormAnswer.create(registration_id=row.id, form_field_id=line.id, value=["林小满"])
        away = await make_registration(event, kind, state="cancelled")
        await FormAnswer.create(registration_id=away.id, form_field_id=meal.id, value=["veg"])
    [one] = (await read(event)).questions
    assert [(label.in_("en"), count) for label, count in one.answers] == [
        ("Vegetarian", 2),
        ("Halal", 1),
        ("gone", 1),
    ]
    assert one.answered == 3
    both = (await read(event, with_personal=True)).questions
    assert [(label.in_("en"), count) for label, count in both[1].answers] == [("Yes", 3), ("No", 1)]
    assert "林小满" not in repr(both)


async def past_event(series: Series | None, *, missed: int, role: str = "attendee", **more: Any) -> Event:
    event = await make_event(
        starts_on=date(2022, 10, 29),
        ends_on=date(2022, 10, 30),
        series_id=series.id if series else None,
        **more,
    )
    kind = await make_ticket_type(event, "general", role=role)
    for number in range(20):
        row = await make_registration(event, kind, created_at=datetime(2022, 10, 27, 4, tzinfo=UTC))
        if number >= missed:
            # Both days: still one person.
            await came(row, event.starts_on, event.ends_on)
    return event


async def make_series() -> Series:
    async with unit_of_work():
        return await Series.create(slug="coscon", name={"en": "COSCon"}, created_at=NOW)


async def test_the_series_history_says_who_will_stay_away(database: Settings) -> None:
    series = await make_series()
    await past_event(series, missed=8)
    await past_event(None, missed=0)
    # No arrivals at all: nobody counted, so it says nothing.
    await past_event(series, missed=20)
    event = await make_event(series_id=series.id)
    kind = await make_ticket_type(event, "general")
    online = await make_ticket_type(event, "online", is_online=True)
    for _ in range(10):
        await make_registration(event, kind)
    await make_registration(event, online)
    found = await read(event)
    known = {one.facts.code: one.expectation for one in found.types}
    assert known["online"] is None
    expected = known["general"]
    assert expected is not None
    assert (expected.basis, expected.events) == (Basis.SERIES_TYPE, 1)
    assert (expected.low_percent, expected.high_percent, expected.low, expected.high) == (35, 45, 3, 5)


async def test_without_the_series_other_events_of_the_installation_say_it(database: Settings) -> None:
    await past_event(None, missed=8)
    await past_event(None, missed=20 - 1, is_sample=True)
    event = await make_event()
    kind = await make_ticket_type(event, "other")
    await make_registration(event, kind)
    [one] = (await read(event)).types
    assert one.expectation is not None
    assert (one.expectation.basis, one.expectation.events) == (Basis.HOUSE_ROLE, 1)


async def test_when_it_is_over_arrivals_stand_in_the_place_of_expectations(database: Settings) -> None:
    event = await past_event(None, missed=5)
    found = await read(event, at=NOW)
    assert found.is_over
    assert found.has_arrivals
    assert (found.confirmed, found.arrived) == (20, 15)
    assert [one.expectation for one in found.types] == [None]


async def test_two_years_of_a_series_on_one_axis(database: Settings) -> None:
    series = await make_series()
    old = await past_event(series, missed=0)
    event = await make_event(series_id=series.id, starts_on=date(2023, 10, 4), ends_on=date(2023, 10, 4))
    kind = await make_ticket_type(event)
    await make_registration(event, kind, created_at=BEFORE)
    previous = (await read(event)).previous
    assert previous is not None
    assert previous.event.id == old.id
    assert previous.countdown == [
        Countdown(3, 1, 0),
        Countdown(2, None, 20),
        Countdown(1, None, 20),
        Countdown(0, None, 20),
        Countdown(-1, None, 20),
    ]
    assert (await read(event, site_ids=frozenset())).previous is None


async def test_many_cost_the_statements_of_one(database: Settings) -> None:
    series = await make_series()
    await past_event(series, missed=3)
    event = await make_event(series_id=series.id)
    kind = await make_ticket_type(event)
    await make_registration(event, kind)
    known = await facts(event)

    async def cost() -> int:
        before = db.stats.statements
        await statistics.read(known, at=BEFORE, with_personal=True)
        return db.stats.statements - before

    one = await cost()
    for number in range(3):
        other = await make_ticket_type(event)
        await make_registration(event, other, organisation=f"社区{number}", ticket_source="x")
    await past_event(series, missed=4)
    assert await cost() == one
    assert one <= 20


async def test_ten_thousand_are_all_counted(database: Settings) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    days = 60
    async with unit_of_work():
        await Registration.bulk_create(
            [
                Registration(
                    event_id=event.id,
                    ticket_type_id=kind.id,
                    state="confirmed" if number % 10 else "cancelled",
                    source="form",
                    name=f"来宾{number}",
                    email=f"guest{number}@example.org",
                    organisation=f"社区{number % 500}",
                    created_at=BEFORE - timedelta(minutes=number * days * 1440 // 10_000),
                    updated_at=BEFORE,
                )
                for number in range(10_000)
            ],
            batch_size=500,
        )
    began = datetime.now(UTC)
    found = await read(event)
    print(f"10,000 registrations in numbers: {(datetime.now(UTC) - began).total_seconds() * 1000:.0f} ms")  # noqa: T201 -- a figure for docs
    assert (found.holding, sum(day.new for day in found.days), found.days[-1].total) == (9_000, 10_000, 9_000)
    assert (len(found.organisations), found.organisations_rest) == (20, 9_000 - 20 * 20)
    assert await TicketType.all().count() == 1
