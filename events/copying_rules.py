"""Decisions about copying an event to a new date: how times move. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from events.rules import Details, EventCode, EventFacts, is_slug
from kernel.errors import Code, Problem
from kernel.text import LocalizedText


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked of a copy: its alias, name and first day, and what comes along besides what always does."""

    slug: str
    name: LocalizedText
    starts_on: date
    with_team: bool = False
    with_programme: bool = False

    def problems(self) -> dict[str, Problem]:
        """What is wrong, by field. Whether the alias is taken, only the database knows."""
        found: dict[str, Problem] = {}
        if not is_slug(self.slug):
            found["slug"] = Problem(EventCode.SLUG_MALFORMED)
        if not any(text.strip() for text in self.name.values()):
            found["name"] = Problem(Code.REQUIRED)
        elif any(len(text) > 120 for text in self.name.values()):
            found["name"] = Problem(Code.TOO_LONG, {"limit": 120})
        if not date(2000, 1, 1) <= self.starts_on <= date(2199, 12, 31):
            found["starts_on"] = Problem(Code.OUT_OF_RANGE)
        return found


def shifted(at: datetime, *, days: int, zone: str) -> datetime:
    """``at`` so many days later by the clock on the wall of ``zone``, as UTC: 09:30 stays 09:30 when the clocks change.

    A wall time that the new day skips (02:30 on the night the clocks go forward) becomes the same moment counted from
    before the gap, 03:30. No days leave ``at`` as it is.
    """
    if not days:
        return at
    wall = at.astimezone(ZoneInfo(zone))
    # Adding to an aware time moves the wall clock, not the instant; which of two equal wall times it was is kept.
    return (wall + timedelta(days=days)).astimezone(UTC)


def shifted_or_none(at: datetime | None, *, days: int, zone: str) -> datetime | None:
    return None if at is None else shifted(at, days=days, zone=zone)


def shifted_span(
    opens_at: datetime, closes_at: datetime, *, days: int, zone: str
) -> tuple[datetime, datetime]:
    """Both ends of a span, shifted. One that a change of clocks would turn around keeps its length instead."""
    opens, closes = shifted(opens_at, days=days, zone=zone), shifted(closes_at, days=days, zone=zone)
    return (opens, closes) if closes > opens else (opens, opens + (closes_at - opens_at))


def copied_details(facts: EventFacts, plan: Plan) -> Details:
    """The copy's details: the old ones with the new name and alias, every date and time as many days later."""
    days, zone = (plan.starts_on - facts.starts_on).days, facts.time_zone
    opens = shifted_or_none(facts.registration_opens_at, days=days, zone=zone)
    closes = shifted_or_none(facts.registration_closes_at, days=days, zone=zone)
    if facts.registration_opens_at is not None and facts.registration_closes_at is not None:
        opens, closes = shifted_span(
            facts.registration_opens_at, facts.registration_closes_at, days=days, zone=zone
        )
    values = {name: getattr(facts, name) for name in Details.__dataclass_fields__}
    return Details(
        **values
        | {
            "slug": plan.slug,
            "name": plan.name,
            "starts_on": plan.starts_on,
            "ends_on": facts.ends_on + timedelta(days=days),
            "registration_opens_at": opens,
            "registration_closes_at": closes,
            "self_service_until": shifted_or_none(facts.self_service_until, days=days, zone=zone),
            "is_sample": False,
        }
    )
