"""When reminders leave and what they say. Pure: values in, values out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from kernel.errors import Code, Problem
from kernel.text import LocalizedText

#: A week before and the day before, unless organisers choose otherwise.
DAYS_BEFORE: Final = (7, 1)
#: People read it at breakfast, in the event's own time zone.
LEAVES_AT: Final = time(9, 0)
SUBJECT_MAX: Final = 200
TEXT_MAX: Final = 5_000


class ReminderCode(StrEnum):
    """Refusals about reminders."""

    PLACEHOLDER_UNKNOWN = "placeholder_unknown"
    REMINDER_SENT = "reminder_sent"


class Placeholder(StrEnum):
    """What stands in braces in a reminder and is filled in for each reader."""

    NAME = "name"
    EVENT = "event"
    WHEN = "when"
    PLACE = "place"
    TICKET = "ticket"
    LINK = "link"


_BRACES: Final = re.compile(r"\{([^{}\n]{0,40})\}")


def leaves_at(starts_on: date, days_before: int, zone: str) -> datetime:
    """The instant at which a reminder leaves: nine in the morning of that day, by the event's clock."""
    day = starts_on - timedelta(days=days_before)
    return datetime.combine(day, LEAVES_AT, ZoneInfo(zone))


def due(starts_on: date, zone: str, switched_on: Sequence[int], at: datetime) -> int | None:
    """The reminder to be sent at ``at``, by its days before; None when none is.

    A server that was away sends the one whose time has come, until the next one's has, and none any more once the
    event's first day has begun: a "see you next week" the evening before helps nobody.
    """
    first_day = datetime.combine(starts_on, time(0), ZoneInfo(zone))
    if at >= first_day:
        return None
    come = [days for days in switched_on if leaves_at(starts_on, days, zone) <= at]
    return min(come, default=None)


def unknown_placeholders(text: str) -> list[str]:
    """What stands in braces and would reach the reader as it is."""
    known = set(Placeholder)
    return [found for found in _BRACES.findall(text) if found.strip() not in known]


def filled(text: str, values: Mapping[Placeholder, str]) -> str:
    """The text with every placeholder's value in it; a value's own braces stay what they are."""

    def one(found: re.Match[str]) -> str:
        name = found[1].strip()
        return values.get(Placeholder(name), "") if name in set(Placeholder) else found[0]

    return _BRACES.sub(one, text)


def problems(subject: LocalizedText, text: LocalizedText) -> dict[str, Problem]:
    """What is wrong with an organiser's words, by field."""
    found: dict[str, Problem] = {}
    for name, words, limit in (("subject", subject, SUBJECT_MAX), ("text", text, TEXT_MAX)):
        if not any(one.strip() for one in words.values()):
            found[name] = Problem(Code.REQUIRED)
        elif any(len(one) > limit for one in words.values()):
            found[name] = Problem(Code.TOO_LONG, {"limit": limit})
        else:
            unknown = [one for part in words.values() for one in unknown_placeholders(part)]
            if unknown:
                found[name] = Problem(ReminderCode.PLACEHOLDER_UNKNOWN, {"name": unknown[0]})
    return found
