"""The meet-up preset: its problems at the form's fields, its alias, its clock."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.meetup_rules import Meetup, read_clock, suggested_slugs, write_clock
from events.rules import EventKind, is_slug
from kernel.text import LocalizedText

DAY = date(2026, 11, 27)
GOOD: dict[str, Any] = {
    "name": LocalizedText({"zh-Hans": "读书会"}),
    "day": DAY,
    "place": LocalizedText({"zh-Hans": "静安区南京西路 580 号"}),
    "quota": 30,
}


def test_a_meetup_is_one_day_of_the_small_kind() -> None:
    meetup = Meetup(**GOOD, starts_minute=1170, ends_minute=1290)
    assert meetup.problems() == {}
    details = meetup.details("rust-1127")
    assert (details.kind, details.starts_on, details.ends_on, details.starts_minute, details.ends_minute) == (
        EventKind.MEETUP,
        DAY,
        DAY,
        1170,
        1290,
    )
    assert details.own_modules is None


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({"quota": None}, {}),
        ({"slug": "rust-night"}, {}),
        ({"slug": "Rust Night"}, {"slug": "slug_malformed"}),
        ({"name": LocalizedText()}, {"name": "required"}),
        ({"place": LocalizedText({"en": " "})}, {"place": "required"}),
        ({"place": LocalizedText({"en": "x" * 121})}, {"place": "too_long"}),
        ({"place": LocalizedText({"en": "x" * 300})}, {"place": "too_long"}),
        ({"quota": 0}, {"quota": "out_of_range"}),
        ({"starts_minute": 1290, "ends_minute": 1170}, {"ends_minute": "hours_reversed"}),
        ({"time_zone": "Mars"}, {"time_zone": "zone_unknown"}),
    ],
)
def test_what_cannot_be_is_named_at_the_forms_fields(
    change: dict[str, Any], problems: dict[str, str]
) -> None:
    found = Meetup(**GOOD | change).problems()
    assert {name: problem.code for name, problem in found.items()} == problems


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ({"zh-Hans": "Rust 之夜", "en": "Rust Night!"}, "rust-night-1127"),
        ({"zh-Hans": "读书会"}, "meetup-1127"),
        ({"en": "Café ☕ français"}, "cafe-francais-1127"),
    ],
)
def test_an_alias_is_made_of_latin_letters_and_the_day(name: dict[str, str], stem: str) -> None:
    assert suggested_slugs(LocalizedText(name), DAY, 2) == [stem, f"{stem}-2"]


@given(st.dictionaries(st.sampled_from(["zh-Hans", "en"]), st.text(max_size=130)))
def test_every_suggested_alias_is_one(name: dict[str, str]) -> None:
    found = suggested_slugs(LocalizedText(name), DAY)
    assert len(set(found)) == 9
    assert all(is_slug(slug) for slug in found)


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("19:30", 1170),
        (" 9:05 ", 545),
        ("１９：３０", 1170),
        ("24:00", 1440),
        ("24:01", None),
        ("19:60", None),
        ("1930", None),
        ("", None),
    ],
)
def test_a_clock_is_read_as_people_type_it(text: str, minute: int | None) -> None:
    assert read_clock(text) == minute


@given(st.integers(0, 1440))
def test_a_clock_is_read_as_it_is_written(minute: int) -> None:
    assert read_clock(write_clock(minute)) == minute
    assert write_clock(None) == ""
