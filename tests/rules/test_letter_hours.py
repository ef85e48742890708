"""An event with hours says them, and its calendar file blocks those hours and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from events import letter
from events.rules import EventFacts, EventState
from kernel.text import LocalizedText

CLUB = EventFacts(
    id=1,
    slug="rust",
    name=LocalizedText({"en": "Rust night"}),
    tagline=LocalizedText(),
    text=LocalizedText(),
    city=LocalizedText(),
    address=LocalizedText(),
    starts_on=date(2026, 11, 27),
    ends_on=date(2026, 11, 27),
    time_zone="Asia/Shanghai",
    day_starts_minute=240,
    theme_colour="#0b6e4f",
    state=EventState.PUBLISHED,
    is_sample=False,
    registration_opens_at=None,
    registration_closes_at=None,
    starts_minute=1170,
    ends_minute=1290,
)


@pytest.mark.parametrize(
    ("hours", "english", "chinese"),
    [
        ((1170, 1290), "Fri, 27 Nov 2026, 19:30–21:30", "2026年11月27日 周五 19:30–21:30"),
        ((1170, None), "Fri, 27 Nov 2026, 19:30", "2026年11月27日 周五 19:30"),
        ((None, None), "Fri, 27 Nov 2026", "2026年11月27日 周五"),
    ],
)
def test_days_are_said_with_their_hours(
    hours: tuple[int | None, int | None], english: str, chinese: str
) -> None:
    event = replace(CLUB, starts_minute=hours[0], ends_minute=hours[1])
    assert letter.days(event, "en") == english
    assert letter.days(event, "zh-Hans") == chinese


def entry(event: EventFacts) -> dict[str, Any]:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    whole = Calendar.from_ical(letter.calendar(event, address="https://x.example/e/rust", locale="en", at=at))
    [found] = whole.walk("VEVENT")
    times: dict[str, Any] = {name: found[name] for name in ("DTSTART", "DTEND") if name in found}
    return {name: value.dt for name, value in times.items()}


def test_a_calendar_entry_lasts_from_the_first_hour_to_the_last() -> None:
    evening = datetime(2026, 11, 27, 11, 30, tzinfo=UTC)
    assert entry(CLUB) == {"DTSTART": evening, "DTEND": evening + timedelta(hours=2)}
    assert entry(replace(CLUB, ends_minute=None)) == {"DTSTART": evening}
    # Until midnight is the next day's first moment.
    assert entry(replace(CLUB, ends_minute=1440))["DTEND"] == datetime(2026, 11, 27, 16, 0, tzinfo=UTC)
    days = entry(replace(CLUB, starts_minute=None, ends_minute=None))
    assert days == {"DTSTART": date(2026, 11, 27), "DTEND": date(2026, 11, 28)}
