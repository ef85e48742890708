"""The meet-up preset: what one short form decides, and what follows from it. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date

from events.rules import Details, EventKind
from kernel.errors import Code, Problem
from kernel.text import LocalizedText


@dataclass(frozen=True, slots=True, kw_only=True)
class Meetup:
    """What the form asks: a name, a day and hours, a place and how many fit in."""

    name: LocalizedText
    day: date
    place: LocalizedText
    starts_minute: int | None = None
    ends_minute: int | None = None
    quota: int | None = None
    #: "" to have one made out of the name and the day
    slug: str = ""
    text: LocalizedText = field(default_factory=LocalizedText)
    city: LocalizedText = field(default_factory=LocalizedText)
    time_zone: str = "Asia/Shanghai"

    def details(self, slug: str) -> Details:
        """The event's details under an alias."""
        return Details(
            slug=slug,
            name=self.name,
            starts_on=self.day,
            ends_on=self.day,
            starts_minute=self.starts_minute,
            ends_minute=self.ends_minute,
            text=self.text,
            city=self.city,
            address=self.place,
            time_zone=self.time_zone,
            kind=EventKind.MEETUP,
        )

    def problems(self) -> dict[str, Problem]:
        """What is wrong, by the form's fields."""
        found = self.details(self.slug or "a").problems()
        if not any(text.strip() for text in self.place.values()):
            found["place"] = Problem(Code.REQUIRED)
        elif any(len(text) > 120 for text in self.place.values()):
            found["place"] = Problem(Code.TOO_LONG, {"limit": 120})
        found.pop("address", None)
        if self.quota is not None and not 1 <= self.quota <= 100_000:
            found["quota"] = Problem(Code.OUT_OF_RANGE)
        return found


def suggested_slugs(name: LocalizedText, day: date, tries: int = 9) -> list[str]:
    """Aliases out of a name and a day, the plainest first: ``rust-night-1127``, then ``rust-night-1127-2``.

    Letters that are not Latin give nothing; a name without any is ``meetup``.
    """
    words = ""
    for text in name.values():
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        words = max(words, re.sub(r"[^a-z0-9]+", "-", plain).strip("-"), key=len)
    stem = f"{words[:36].strip('-') or 'meetup'}-{day:%m%d}"
    return [stem if nth == 1 else f"{stem}-{nth}" for nth in range(1, tries + 1)]


def read_clock(text: str) -> int | None:
    """Minutes after midnight out of ``19:30`` or ``19：30`` as people type it; None for anything else. 24:00 is an end."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", unicodedata.normalize("NFKC", text).strip())
    if match is None:
        return None
    hour, minute = int(match[1]), int(match[2])
    whole = hour * 60 + minute
    return whole if minute < 60 and whole <= 1440 else None


def write_clock(minute: int | None) -> str:
    """The other way round; empty for none."""
    return "" if minute is None else f"{minute // 60:02}:{minute % 60:02}"
