"""What the list of events shows: which are to come, which are found, in which order, on which page. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from events.rules import EventFacts, EventState, fold

#: Cards on one page of the list.
PAGE_SIZE: Final = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a reader asks the list for; the default is everything, first page."""

    text: str = ""
    city: str = ""
    year: int | None = None
    page: int = 1

    @property
    def is_narrowed(self) -> bool:
        return bool(fold(self.text) or fold(self.city) or self.year)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page: what is on or to come, soonest first, then what is over, latest first."""

    upcoming: Sequence[EventFacts]
    past: Sequence[EventFacts]
    total: int
    page: int
    pages: int
    #: City as its events write it in zh-Hans (or whatever they have), with how many events; most events first.
    cities: Sequence[tuple[EventFacts, int]]
    years: Sequence[tuple[int, int]]

    @property
    def first(self) -> int:
        """The number of the first card, from 1; 0 when there is none."""
        return (self.page - 1) * PAGE_SIZE + 1 if self.total else 0

    @property
    def last(self) -> int:
        return min(self.page * PAGE_SIZE, self.total)


def is_upcoming(event: EventFacts, today: date) -> bool:
    """On now or to come; an event that organisers ended is over whatever its days say."""
    return event.ends_on >= today and event.state is not EventState.ENDED


def in_city(event: EventFacts, city: str) -> bool:
    """Whether an event is in a city, named in any of its languages; case and width make no difference."""
    wanted = fold(city)
    return not wanted or any(fold(text) == wanted for text in event.city.values())


def matches(event: EventFacts, text: str, series_name: Mapping[str, str]) -> bool:
    """Whether every word of ``text`` stands in the event's name, city or series, in any language."""
    known = fold(" ".join([*event.name.values(), *event.city.values(), *series_name.values()]))
    return all(word in known for word in fold(text).split())


def listing(
    events: Sequence[EventFacts],
    wanted: Wanted,
    today: date,
    series_names: Mapping[int, Mapping[str, str]] | None = None,
) -> Listing:
    """Picks and orders. ``cities`` and ``years`` count all events, so that another one can be chosen at once.

    A page beyond the last gives the last.
    """
    names = series_names or {}
    found = [
        event
        for event in events
        if (wanted.year is None or event.starts_on.year <= wanted.year <= event.ends_on.year)
        and in_city(event, wanted.city)
        and matches(event, wanted.text, names.get(event.series_id or 0, {}))
    ]
    upcoming = sorted(
        (event for event in found if is_upcoming(event, today)), key=lambda one: (one.starts_on, one.id)
    )
    past = sorted(
        (event for event in found if not is_upcoming(event, today)),
        key=lambda one: (one.starts_on, one.id),
        reverse=True,
    )
    ordered = [*upcoming, *past]
    pages = max(-(-len(ordered) // PAGE_SIZE), 1)
    page = min(max(wanted.page, 1), pages)
    shown = ordered[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return Listing(
        upcoming=[event for event in shown if is_upcoming(event, today)],
        past=[event for event in shown if not is_upcoming(event, today)],
        total=len(ordered),
        page=page,
        pages=pages,
        cities=_cities(events),
        years=sorted(Counter(event.starts_on.year for event in events).items(), reverse=True),
    )


def _cities(events: Sequence[EventFacts]) -> list[tuple[EventFacts, int]]:
    """One event for each city, and how many there are; cities are told apart by their first name, folded."""
    counts: Counter[str] = Counter()
    first: dict[str, EventFacts] = {}
    for event in events:
        key = fold(event.city.in_("zh-Hans"))
        if key:
            counts[key] += 1
            first.setdefault(key, event)
    return [(first[key], count) for key, count in counts.most_common()]
