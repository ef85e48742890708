"""Times of a copied event keep their place on the wall clock, also over changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.copying_rules import Plan, copied_details, shifted, shifted_or_none, shifted_span
from events.rules import Details, EventFacts, EventState
from kernel.text import LocalizedText

ZONES = st.sampled_from(
    ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]
)
MOMENTS = st.integers(0, 15 * 365 * 86400).map(
    lambda seconds: datetime(2015, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
DAYS = st.integers(-800, 800)


def wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@given(MOMENTS, DAYS, ZONES)
def test_the_wall_clock_stays_and_the_date_moves(at: datetime, days: int, zone: str) -> None:
    moved = shifted(at, days=days, zone=zone)
    wanted = wall(at, zone) + timedelta(days=days)
    exists = wall(wanted.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), zone) == wanted
    if exists:
        assert wall(moved, zone) == wanted
    else:
        # A gap of at most two hours lies there.
        assert timedelta(0) < wall(moved, zone) - wanted <= timedelta(hours=2)
    assert moved.tzinfo is UTC


@given(MOMENTS, ZONES)
def test_no_days_change_nothing(at: datetime, zone: str) -> None:
    assert shifted(at, days=0, zone=zone) == at


@given(MOMENTS, st.timedeltas(timedelta(minutes=1), timedelta(days=3)), DAYS, ZONES)
def test_a_span_never_turns_around(opens: datetime, lasts: timedelta, days: int, zone: str) -> None:
    first, last = shifted_span(opens, opens + lasts, days=days, zone=zone)
    assert last > first
    assert abs((last - first) - lasts) <= timedelta(hours=2)


def test_nine_in_the_morning_is_nine_in_the_morning_in_winter_too() -> None:
    summer = datetime(2026, 7, 1, 7, 0, tzinfo=UTC)  # 09:00 in Berlin
    assert shifted(summer, days=184, zone="Europe/Berlin") == datetime(2027, 1, 1, 8, 0, tzinfo=UTC)


def test_a_moment_in_the_gap_comes_an_hour_later_and_turns_no_span_around() -> None:
    # On 29 March 2026 Berlin goes from 02:00 to 03:00.
    opens, closes = datetime(2026, 3, 28, 1, 30, tzinfo=UTC), datetime(2026, 3, 28, 2, 5, tzinfo=UTC)
    assert shifted(opens, days=1, zone="Europe/Berlin") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    first, last = shifted_span(opens, closes, days=1, zone="Europe/Berlin")
    assert last - first == closes - opens


def test_nothing_stays_nothing() -> None:
    assert shifted_or_none(None, days=3, zone="UTC") is None
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert shifted_or_none(at, days=3, zone="UTC") == at + timedelta(days=3)


NAME = LocalizedText({"zh-Hans": "年会", "en": "Conference"})
FACTS = EventFacts(
    id=1,
    slug="con-2025",
    name=NAME,
    tagline=LocalizedText({"en": "Flow"}),
    text=LocalizedText(),
    city=LocalizedText({"en": "Chengdu"}),
    address=LocalizedText(),
    starts_on=date(2025, 10, 25),
    ends_on=date(2025, 10, 26),
    time_zone="Asia/Shanghai",
    day_starts_minute=240,
    theme_colour="#0b6e4f",
    state=EventState.ENDED,
    is_sample=True,
    registration_opens_at=datetime(2025, 9, 1, 1, 0, tzinfo=UTC),
    registration_closes_at=datetime(2025, 10, 20, 1, 0, tzinfo=UTC),
    self_service_until=datetime(2025, 10, 23, 1, 0, tzinfo=UTC),
)


def test_a_copy_has_everything_but_name_alias_dates_and_being_a_sample() -> None:
    plan = Plan(slug="con-2026", name=LocalizedText({"en": "Con 26"}), starts_on=date(2026, 10, 24))
    details = copied_details(FACTS, plan)
    assert (details.slug, details.name, details.starts_on, details.ends_on) == (
        "con-2026",
        plan.name,
        date(2026, 10, 24),
        date(2026, 10, 25),
    )
    assert details.registration_opens_at == datetime(2026, 8, 31, 1, 0, tzinfo=UTC)
    assert details.registration_closes_at == datetime(2026, 10, 19, 1, 0, tzinfo=UTC)
    assert details.self_service_until == datetime(2026, 10, 22, 1, 0, tzinfo=UTC)
    assert not details.is_sample
    assert (details.tagline, details.city, details.time_zone) == (FACTS.tagline, FACTS.city, FACTS.time_zone)
    assert details.problems() == {}


def test_a_copy_of_an_event_with_an_open_window_keeps_it_open() -> None:
    from dataclasses import replace

    facts = replace(FACTS, registration_opens_at=None)
    details = copied_details(facts, Plan(slug="a", name=NAME, starts_on=date(2026, 10, 24)))
    assert details.registration_opens_at is None
    assert details.registration_closes_at == datetime(2026, 10, 19, 1, 0, tzinfo=UTC)
    assert isinstance(details, Details)


@pytest.mark.parametrize(
    ("plan", "problems"),
    [
        (Plan(slug="con-2026", name=NAME, starts_on=date(2026, 1, 1)), {}),
        (
            Plan(slug="Con 2026", name=LocalizedText({"en": " "}), starts_on=date(1999, 12, 31)),
            {"slug": "slug_malformed", "name": "required", "starts_on": "out_of_range"},
        ),
        (
            Plan(slug="a", name=LocalizedText({"en": "x" * 121}), starts_on=date(2200, 1, 1)),
            {"name": "too_long", "starts_on": "out_of_range"},
        ),
    ],
)
def test_what_cannot_be_is_named_at_its_field(plan: Plan, problems: dict[str, str]) -> None:
    assert {name: problem.code for name, problem in plan.problems().items()} == problems
