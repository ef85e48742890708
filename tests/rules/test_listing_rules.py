"""What the list of events picks, how it orders and pages, and what can be chosen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.listing_rules import PAGE_SIZE, Wanted, in_city, is_upcoming, listing, matches
from events.rules import EventFacts, EventState
from kernel.text import LocalizedText

TODAY = date(2026, 11, 21)
BASE = EventFacts(
    id=1,
    slug="a",
    name=LocalizedText({"zh-Hans": "中国开源年会", "en": "COSCon"}),
    tagline=LocalizedText(),
    text=LocalizedText(),
    city=LocalizedText({"zh-Hans": "成都", "en": "Chengdu"}),
    address=LocalizedText(),
    starts_on=TODAY,
    ends_on=TODAY,
    time_zone="Asia/Shanghai",
    day_starts_minute=240,
    theme_colour="#0b6e4f",
    state=EventState.PUBLISHED,
    is_sample=False,
    registration_opens_at=None,
    registration_closes_at=None,
)


def event(number: int, day: date, city: str = "", **more: object) -> EventFacts:
    texts = LocalizedText({"zh-Hans": city}) if city else BASE.city
    return replace(BASE, id=number, slug=f"e{number}", starts_on=day, ends_on=day, city=texts, **more)  # type: ignore[arg-type]


def test_an_event_is_over_after_its_last_day_or_when_it_was_ended() -> None:
    assert is_upcoming(BASE, TODAY)
    assert not is_upcoming(BASE, TODAY + timedelta(days=1))
    assert not is_upcoming(replace(BASE, state=EventState.ENDED), TODAY)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", True),
        ("coscon", True),
        ("ＣＯＳＣＯＮ", True),
        ("开源 chengdu", True),
        ("成都", True),
        ("开源人", True),
        ("上海", False),
        ("coscon 上海", False),
    ],
)
def test_every_word_is_looked_for_in_name_city_and_series_folded(text: str, found: bool) -> None:
    assert matches(BASE, text, {"zh-Hans": "开源人大会"}) is found


@pytest.mark.parametrize(("city", "found"), [("", True), ("CHENGDU", True), ("成都", True), ("成", False)])
def test_a_city_is_named_in_any_language_and_whole(city: str, found: bool) -> None:
    assert in_city(BASE, city) is found


def test_what_is_to_come_stands_soonest_first_and_what_is_over_latest_first() -> None:
    days = [-400, -10, 0, 5, 300]
    every = [event(number, TODAY + timedelta(days=day)) for number, day in enumerate(days)]
    found = listing(every, Wanted(), TODAY)
    assert [one.id for one in found.upcoming] == [2, 3, 4]
    assert [one.id for one in found.past] == [1, 0]
    assert (found.total, found.page, found.pages, found.first, found.last) == (5, 1, 1, 1, 5)


def test_year_city_and_words_narrow_together_and_the_choices_stay_whole() -> None:
    every = [
        event(1, date(2025, 3, 1), "上海"),
        event(2, date(2026, 3, 1), "上海"),
        event(3, date(2026, 5, 1), "成都"),
        event(4, date(2026, 6, 1), series_id=7, name=LocalizedText({"en": "Night"})),
    ]
    found = listing(every, Wanted(year=2026, city="上海"), TODAY)
    assert [one.id for one in found.past] == [2]
    assert [(one.city.in_("zh-Hans"), count) for one, count in found.cities] == [("上海", 2), ("成都", 2)]
    assert found.years == [(2026, 3), (2025, 1)]
    named = listing(every, Wanted(text="rust night"), TODAY, {7: {"en": "Rust"}})
    assert [one.id for one in named.past] == [4]
    nothing = listing(every, Wanted(text="nowhere"), TODAY)
    assert (nothing.total, nothing.first, nothing.last, nothing.pages) == (0, 0, 0, 1)
    assert listing([replace(BASE, city=LocalizedText())], Wanted(), TODAY).cities == []


@pytest.mark.parametrize(
    ("wanted", "narrowed"),
    [
        (Wanted(), False),
        (Wanted(text="  "), False),
        (Wanted(text="a"), True),
        (Wanted(city="a"), True),
        (Wanted(year=2026), True),
        (Wanted(page=3), False),
    ],
)
def test_narrowed_is_said_only_of_a_choice(wanted: Wanted, narrowed: bool) -> None:
    assert wanted.is_narrowed is narrowed


@given(st.lists(st.integers(-900, 900), max_size=90), st.integers(-2, 9))
def test_the_pages_together_are_every_event_once(days: list[int], page: int) -> None:
    every = [event(number, TODAY + timedelta(days=day)) for number, day in enumerate(days)]
    first = listing(every, Wanted(), TODAY)
    seen: list[int] = []
    for number in range(1, first.pages + 1):
        one = listing(every, Wanted(page=number), TODAY)
        assert len(one.upcoming) + len(one.past) <= PAGE_SIZE
        seen += [item.id for item in (*one.upcoming, *one.past)]
    assert sorted(seen) == list(range(len(days)))
    assert 1 <= listing(every, Wanted(page=page), TODAY).page <= first.pages
