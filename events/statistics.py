"""Registrations in numbers: per day, by everything that organisers ask, and what to expect at the door.

Read only. No name, address or number of a person leaves this module; groups are given from AT_LEAST people on, and
answers to questions that are marked personal only when the caller asks for them. A fixed number of statements,
however many registrations there are; each gives counts, never rows of people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from events import arrivals, queries
from events.queries import TicketTypeFacts
from events.rules import HOLDS_A_PLACE, EventFacts, FieldKind, RegistrationState, TicketRole, fold
from events.statistics_rules import Countdown, Day, Expectation, Past, countdown, daily, expect, gather
from kernel import db
from kernel.text import LocalizedText

#: Instants are counted in quarters of an hour: every time zone of today begins its days on one.
_QUARTER_S: Final = 900
#: Organisations and free-ticket sources listed by name.
TOP: Final = 20
#: A group of one would name its person.
AT_LEAST: Final = 2
#: Different spellings that are read before they are folded together.
SPELLINGS_MAX: Final = 2_000
#: Past events that an expectation looks back at.
PAST_MAX: Final = 12
_HOLDING: Final = ", ".join(f"'{state}'" for state in sorted(HOLDS_A_PLACE))


@dataclass(frozen=True, slots=True)
class TypeCount:
    """A ticket type: who holds a place, who is confirmed, who came, and who may stay away (None when it is over)."""

    facts: TicketTypeFacts
    holding: int
    confirmed: int
    arrived: int
    expectation: Expectation | None


@dataclass(frozen=True, slots=True)
class Group:
    """A count of people who hold a place; ``code`` is what the page puts into words, or a name as it is."""

    code: str
    count: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question with choices, and how often each was chosen among those who hold a place."""

    label: LocalizedText
    answers: Sequence[tuple[LocalizedText, int]]
    answered: int


@dataclass(frozen=True, slots=True)
class Previous:
    """The event of the series before this one."""

    event: EventFacts
    countdown: Sequence[Countdown]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Everything, for one event, or for one of its sites. Counts are of registrations; merged ones count once."""

    days: Sequence[Day]
    types: Sequence[TypeCount]
    by_state: Mapping[RegistrationState, int]
    #: Those that hold a place, by these:
    sources: Sequence[Group]
    ticket_sources: Sequence[Group]
    ticket_sources_rest: int
    roles: Sequence[tuple[TicketRole, int]]
    sites: Sequence[tuple[LocalizedText, int]]
    languages: Sequence[Group]
    organisations: Sequence[Group]
    organisations_rest: int
    questions: Sequence[Question]
    #: The places of all ticket types together; None where one of them has no limit.
    quota: int | None
    #: Whether anybody was admitted yet.
    has_arrivals: bool
    is_over: bool
    previous: Previous | None = None

    @property
    def holding(self) -> int:
        return sum(one.holding for one in self.types)

    @property
    def confirmed(self) -> int:
        return sum(one.confirmed for one in self.types)

    @property
    def arrived(self) -> int:
        return sum(one.arrived for one in self.types)


def _localized(raw: Any) -> LocalizedText:
    return LocalizedText.of(orjson.loads(raw) if isinstance(raw, str | bytes) else raw)


async def read(
    event: EventFacts,
    *,
    at: datetime,
    site_ids: frozenset[int] | None = None,
    with_personal: bool = False,
) -> Statistics:
    """The numbers of an event as of ``at``; ``site_ids`` narrows them to the ticket types of those sites.

    ``with_personal`` counts the answers to questions marked personal as well.
    """
    types = [
        item
        for item in await queries.ticket_types(event.id)
        if site_ids is None or (item.site_id is not None and item.site_id in site_ids)
    ]
    ids = [item.id for item in types]
    today = at.astimezone(ZoneInfo(event.time_zone)).date()
    is_over = today > event.ends_on
    new, holding = await _by_day(ids, ZoneInfo(event.time_zone))
    days = daily(new, holding, until=min(today, event.ends_on))
    mix = await _mix(ids)
    came = await arrivals.by_type([event.id])
    others = await queries.list_events()
    past = [] if is_over else await _past(event, others, today)
    organisations, organisations_rest = await _named("organisation", ids)
    ticket_sources, ticket_sources_rest = await _named("ticket_source", ids)
    counted = [_type_count(item, mix, came, past, is_over) for item in types]
    names = {one.id: one.name for one in await queries.sites(event.id)}
    by_site: Counter[int] = Counter()
    roles: Counter[TicketRole] = Counter()
    for one in counted:
        roles[one.facts.role] += one.holding
        by_site[one.facts.site_id or 0] += one.holding
    states: Counter[str] = Counter()
    for row in mix.rows:
        states[row.state] += row.n
    quotas = [item.quota for item in types]
    return Statistics(
        days=days,
        types=counted,
        by_state={state: states[state] for state in RegistrationState if states[state]},
        sources=mix.groups(lambda row: row.source),
        languages=mix.groups(lambda row: row.locale),
        ticket_sources=ticket_sources,
        ticket_sources_rest=ticket_sources_rest,
        organisations=organisations,
        organisations_rest=organisations_rest,
        roles=[(role, roles[role]) for role in TicketRole if roles[role]],
        sites=[(names.get(number, LocalizedText()), count) for number, count in by_site.items() if count]
        if names
        else [],
        questions=await _questions(event.id, ids, with_personal=with_personal),
        quota=sum(quota for quota in quotas if quota is not None) if quotas and None not in quotas else None,
        has_arrivals=any(one.arrived for one in counted),
        is_over=is_over,
        previous=await _previous(event, others, days) if site_ids is None else None,
    )


# --- per day -----------------------------------------------------------------------------------------------------


def _types_parameter(ids: Sequence[int]) -> Any:
    return db.list_parameter(ids)


async def _by_day(ids: Sequence[int], zone: ZoneInfo) -> tuple[dict[date, int], dict[date, int]]:
    """Registrations by the day on which they were made, in the event's time zone: all, and those that hold a place."""
    quarter = (
        f"CAST(strftime('%s', g.created_at) AS INTEGER) / {_QUARTER_S}"
        if db.dialect() == "sqlite"
        else f"CAST(floor(extract(epoch FROM g.created_at) / {_QUARTER_S}) AS BIGINT)"
    )
    rows = await db.query(
        f"SELECT {quarter} AS quarter, count(*) AS n, "  # noqa: S608 -- our own words
        f"count(CASE WHEN g.state IN ({_HOLDING}) THEN 1 END) AS holding FROM registration g "
        f"WHERE g.ticket_type_id {db.in_list('$1', 'int')} AND g.merged_into_id IS NULL GROUP BY 1",
        _types_parameter(ids),
    )
    new: Counter[date] = Counter()
    holding: Counter[date] = Counter()
    for row in rows:
        day = datetime.fromtimestamp(int(row["quarter"]) * _QUARTER_S, UTC).astimezone(zone).date()
        new[day] += int(row["n"])
        holding[day] += int(row["holding"])
    return dict(new), dict(holding)


# --- by everything that has few values ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _MixRow:
    ticket_type_id: int
    state: str
    source: str
    locale: str
    n: int

    @property
    def holds(self) -> bool:
        return self.state in HOLDS_A_PLACE


@dataclass(frozen=True, slots=True)
class _Mix:
    rows: Sequence[_MixRow] = field(default_factory=tuple)

    def count(self, wanted: Callable[[_MixRow], bool]) -> int:
        return sum(row.n for row in self.rows if wanted(row))

    def groups(self, name: Callable[[_MixRow], str]) -> list[Group]:
        """Those that hold a place by a column, the largest first."""
        counted: Counter[str] = Counter()
        for row in self.rows:
            if row.holds:
                counted[name(row)] += row.n
        return [Group(code, count) for code, count in counted.most_common()]


async def _mix(ids: Sequence[int]) -> _Mix:
    rows = await db.query(
        "SELECT g.ticket_type_id, g.state, g.source, g.locale, count(*) AS n FROM registration g "  # noqa: S608 -- our own words
        f"WHERE g.ticket_type_id {db.in_list('$1', 'int')} AND g.merged_into_id IS NULL "
        "GROUP BY g.ticket_type_id, g.state, g.source, g.locale ORDER BY 1, 2, 3, 4",
        _types_parameter(ids),
    )
    return _Mix([_MixRow(**row) for row in rows])


def _type_count(
    item: TicketTypeFacts,
    mix: _Mix,
    came: Mapping[tuple[int, int], int],
    past: Sequence[Past],
    is_over: bool,
) -> TypeCount:
    confirmed = mix.count(
        lambda row: row.ticket_type_id == item.id and row.state == RegistrationState.CONFIRMED
    )
    comes = not item.is_online
    return TypeCount(
        facts=item,
        holding=mix.count(lambda row: row.ticket_type_id == item.id and row.holds),
        confirmed=confirmed,
        arrived=came.get((item.event_id, item.id), 0),
        expectation=expect(confirmed, past, code=item.code, role=item.role)
        if comes and confirmed and not is_over
        else None,
    )


async def _named(column: str, ids: Sequence[int]) -> tuple[list[Group], int]:
    """The TOP largest groups by a text that people typed, spellings that differ by case and width together; and how
    many people with any such text stand in none of them. Each is called as most of its people wrote it.
    """
    rows = await db.query(
        f"SELECT g.{column} AS name, count(*) AS n FROM registration g "  # noqa: S608 -- a column's name of ours
        f"WHERE g.ticket_type_id {db.in_list('$1', 'int')} AND g.merged_into_id IS NULL AND g.{column} <> '' "
        f"AND g.state IN ({_HOLDING}) GROUP BY g.{column} ORDER BY n DESC, g.{column} LIMIT {SPELLINGS_MAX}",
        _types_parameter(ids),
    )
    spoken: dict[str, str] = {}
    counted: Counter[str] = Counter()
    for row in rows:
        key = fold(row["name"])
        spoken.setdefault(key, " ".join(row["name"].split()))
        counted[key] += int(row["n"])
    shown, rest = gather(counted.items(), limit=TOP, at_least=AT_LEAST)
    return [Group(spoken[key], count) for key, count in shown], rest


# --- questions ---------------------------------------------------------------------------------------------------

_CHOOSING: Final = (FieldKind.CHOOSE_ONE, FieldKind.CHOOSE_MANY, FieldKind.YES_NO)


async def _questions(event_id: int, ids: Sequence[int], *, with_personal: bool) -> list[Question]:
    """Questions whose answers can be counted. Answers are grouped by the database as they are stored."""
    kinds = ", ".join(f"'{kind}'" for kind in _CHOOSING)
    fields = await db.query(
        f"SELECT id, kind, label, options, is_personal FROM form_field WHERE event_id = $1 AND kind IN ({kinds}) "  # noqa: S608 -- our own words
        "ORDER BY position, id",
        event_id,
    )
    counted: dict[int, Counter[str]] = {}
    answered: Counter[int] = Counter()
    rows = await db.query(
        "SELECT a.form_field_id AS field, CAST(a.value AS TEXT) AS value, count(*) AS n FROM form_answer a "  # noqa: S608 -- our own words
        "JOIN form_field f ON f.id = a.form_field_id JOIN registration g ON g.id = a.registration_id "
        f"WHERE f.event_id = $1 AND f.kind IN ({kinds}) AND g.ticket_type_id {db.in_list('$2', 'int')} "
        f"AND g.merged_into_id IS NULL AND g.state IN ({_HOLDING}) GROUP BY a.form_field_id, CAST(a.value AS TEXT)",
        event_id,
        _types_parameter(ids),
    )
    for row in rows:
        number = int(row["n"])
        chosen = _chosen(row["value"])
        answered[row["field"]] += number if chosen else 0
        for code in chosen:
            counted.setdefault(row["field"], Counter())[code] += number
    found = []
    for one in fields:
        if one["is_personal"] and not with_personal:
            continue
        known = counted.get(one["id"], Counter())
        words = _options(one)
        # An option that was taken out of the form keeps its count under its code.
        codes = [*words, *(code for code in known if code not in words)]
        answers = [(words.get(code, LocalizedText.of(code)), known[code]) for code in codes]
        found.append(Question(_localized(one["label"]), answers, answered[one["id"]]))
    return found


def _options(row: Mapping[str, Any]) -> dict[str, LocalizedText]:
    if row["kind"] == FieldKind.YES_NO:
        return {
            "yes": LocalizedText({"zh-Hans": "是", "en": "Yes"}),
            "no": LocalizedText({"zh-Hans": "否", "en": "No"}),
        }
    raw = row["options"]
    options = orjson.loads(raw) if isinstance(raw, str | bytes) else raw
    return {str(one["code"]): LocalizedText.of(one["label"]) for one in options or []}


def _chosen(raw: str | None) -> list[str]:
    value = orjson.loads(raw) if raw else None
    match value:
        case bool():
            return ["yes" if value else "no"]
        case str():
            return [value]
        case list():
            return [str(one) for one in value]
    return []


# --- other events ------------------------------------------------------------------------------------------------


async def _past(event: EventFacts, others: Sequence[EventFacts], today: date) -> list[Past]:
    """Confirmed and arrived people of the latest events that are over, by ticket type; those without a single arrival
    were not counted at a door and say nothing.
    """
    over = [
        one
        for one in others
        if one.ends_on < today and one.id != event.id and one.is_sample == event.is_sample
    ]
    # The series first: its older years say more than last week's meet-up.
    over.sort(key=lambda one: event.series_id is None or one.series_id != event.series_id)
    by_id = {one.id: one for one in over[:PAST_MAX]}
    rows = await db.query(
        "SELECT t.event_id, t.id, t.code, t.role, count(*) AS n FROM ticket_type t "  # noqa: S608 -- our own words
        "JOIN registration g ON g.ticket_type_id = t.id "
        f"WHERE t.event_id {db.in_list('$1', 'int')} AND NOT t.is_online AND g.state = 'confirmed' "
        "AND g.merged_into_id IS NULL GROUP BY t.event_id, t.id, t.code, t.role",
        db.list_parameter(by_id),
    )
    came = await arrivals.by_type(list(by_id))
    counted = {event_id for event_id, _ in came}
    return [
        Past(
            event_id=row["event_id"],
            same_series=event.series_id is not None and by_id[row["event_id"]].series_id == event.series_id,
            code=row["code"],
            role=row["role"],
            confirmed=int(row["n"]),
            arrived=came.get((row["event_id"], row["id"]), 0),
        )
        for row in rows
        if row["event_id"] in counted
    ]


async def _previous(event: EventFacts, others: Sequence[EventFacts], days: Sequence[Day]) -> Previous | None:
    if event.series_id is None:
        return None
    before = [
        one
        for one in others
        if one.series_id == event.series_id and one.id != event.id and one.starts_on < event.starts_on
    ]
    if not before:
        return None
    other = max(before, key=lambda one: one.starts_on)
    ids = [item.id for item in await queries.ticket_types(other.id)]
    new, holding = await _by_day(ids, ZoneInfo(other.time_zone))
    rows = countdown(days, event.starts_on, daily(new, holding, until=other.ends_on), other.starts_on)
    return Previous(other, rows) if rows else None
