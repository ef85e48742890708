"""Reads of ``events`` for its pages and for upper floors, as plain frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from tortoise.expressions import Q
from tortoise.functions import Count

from events.models import Event, Place, Registration, RoleGrant, TicketType
from events.rules import (
    HOLDS_A_PLACE,
    Contact,
    EventFacts,
    EventState,
    Grant,
    PlaceKind,
    RegistrationState,
    Role,
    fold,
)
from kernel import db
from kernel.text import LocalizedText

PAGE_SIZE: Final = 50


# --- events -----------------------------------------------------------------------------------------------------


def _event(row: Event) -> EventFacts:
    return EventFacts(
        id=row.id,
        slug=row.slug,
        name=LocalizedText.of(row.name),
        tagline=LocalizedText.of(row.tagline),
        text=LocalizedText.of(row.text),
        city=LocalizedText.of(row.city),
        address=LocalizedText.of(row.address),
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        time_zone=row.time_zone,
        day_starts_minute=row.day_starts_minute,
        theme_colour=row.theme_colour,
        state=EventState(row.state),
        is_sample=row.is_sample,
        registration_opens_at=row.registration_opens_at,
        registration_closes_at=row.registration_closes_at,
    )


async def find_event(slug: str) -> EventFacts | None:
    """The event with this alias, drafts too: who may see it is ``access.open_event``'s decision."""
    row = await Event.get_or_none(slug=slug)
    return _event(row) if row else None


async def find_event_by_id(event_id: int) -> EventFacts | None:
    """As ``find_event``, for upper floors and jobs that hold an id."""
    row = await Event.get_or_none(id=event_id)
    return _event(row) if row else None


async def list_events() -> Sequence[EventFacts]:
    """Every event of the installation, drafts too, latest first; for the command line and workers."""
    return [_event(row) for row in await Event.all().order_by("-starts_on", "-id")]


@dataclass(frozen=True, slots=True)
class EventList:
    """Events to show somebody: what is on or to come, soonest first; what is over, latest first."""

    upcoming: Sequence[EventFacts]
    past: Sequence[EventFacts]


async def events_for(*, today: date, event_ids: Iterable[int] = (), is_admin: bool = False) -> EventList:
    """Published and ended events, and the drafts among ``event_ids`` (where the reader has a role), or all."""
    wanted = Event.all()
    if not is_admin:
        wanted = wanted.filter(~Q(state=EventState.DRAFT) | Q(id__in=list(event_ids)))
    rows = [_event(row) for row in await wanted.order_by("starts_on", "id").limit(1000)]
    upcoming = [row for row in rows if row.ends_on >= today and row.state is not EventState.ENDED]
    shown = {row.id for row in upcoming}
    return EventList(upcoming, [row for row in reversed(rows) if row.id not in shown])


async def grants_of(account_id: int) -> Sequence[Grant]:
    """Every role that an account holds, in whatever event."""
    rows = await RoleGrant.filter(account_id=account_id).order_by("id")
    return [Grant(row.id, row.event_id, Role(row.role), row.scope_kind, row.scope_id) for row in rows]


@dataclass(frozen=True, slots=True)
class TeamMember:
    """Somebody with a role in an event, as the team page shows it."""

    grant: Grant
    account_id: int
    email: str
    name: str


async def team(event_id: int) -> Sequence[TeamMember]:
    """Everybody with a role in the event: owners first, then by the time they came."""
    rows = await RoleGrant.filter(event_id=event_id).order_by("id").select_related("account")
    members = [
        TeamMember(
            Grant(row.id, row.event_id, Role(row.role), row.scope_kind, row.scope_id),
            row.account_id,
            row.account.email,
            row.account.name,
        )
        for row in rows
    ]
    order = list(Role)
    return sorted(members, key=lambda member: order.index(member.grant.role))


# --- ticket types -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketTypeFacts:
    """What one can register as. ``free`` is None where nobody counts."""

    id: int
    event_id: int
    code: str
    name: LocalizedText
    door_note: LocalizedText
    quota: int | None
    taken: int
    is_public: bool
    is_online: bool
    position: int

    @property
    def free(self) -> int | None:
        return None if self.quota is None else max(self.quota - self.taken, 0)

    @property
    def is_full(self) -> bool:
        return self.free == 0


def _ticket_type(row: TicketType) -> TicketTypeFacts:
    return TicketTypeFacts(
        id=row.id,
        event_id=row.event_id,
        code=row.code,
        name=LocalizedText.of(row.name),
        door_note=LocalizedText.of(row.door_note),
        quota=row.quota,
        taken=row.taken,
        is_public=row.is_public,
        is_online=row.is_online,
        position=row.position,
    )


async def ticket_types(event_id: int, *, public_only: bool = False) -> Sequence[TicketTypeFacts]:
    """The event's ticket types in their order; ``public_only`` are those on the public form."""
    rows = TicketType.filter(event_id=event_id)
    if public_only:
        rows = rows.filter(is_public=True)
    return [_ticket_type(row) for row in await rows.order_by("position", "id")]


# --- registrations ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationFacts:
    """What upper floors need of a registration: no e-mail, no phone."""

    id: int
    event_id: int
    ticket_type_id: int
    state: RegistrationState
    name: str
    badge_name: str
    organisation: str
    position: str
    external_code: str | None
    locale: str
    secret_round: int


_FACTS: Final = (
    "id",
    "event_id",
    "ticket_type_id",
    "state",
    "name",
    "badge_name",
    "organisation",
    "position",
    "external_code",
    "locale",
    "secret_round",
)


def _facts(row: Mapping[str, Any]) -> RegistrationFacts:
    return RegistrationFacts(**{**row, "state": RegistrationState(row["state"])})


async def registration_facts(ids: Sequence[int]) -> Sequence[RegistrationFacts]:
    """The registrations with these ids, in id order; one statement for any number. Unknown ids are left out."""
    columns = ", ".join(f"g.{name}" for name in _FACTS)
    rows = await db.query(
        f"SELECT {columns} FROM {db.json_rows('$1', id='int')} CROSS JOIN registration g WHERE g.id = r.id ORDER BY g.id",  # noqa: S608 -- column names from above
        orjson.dumps([{"id": number} for number in ids]).decode(),
    )
    return [_facts(row) for row in rows]


async def find_registration_facts(event_id: int, registration_id: int) -> RegistrationFacts | None:
    """One registration of this event, as upper floors see it."""
    rows = await Registration.filter(id=registration_id, event_id=event_id).values(*_FACTS)
    return _facts(rows[0]) if rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRow:
    """A registration with its contact, for those who may see registrations."""

    id: int
    event_id: int
    ticket_type_id: int
    state: RegistrationState
    source: str
    contact: Contact
    locale: str
    external_id: str | None
    external_code: str | None
    secret_round: int
    created_at: datetime
    updated_at: datetime


def _row(row: Registration) -> RegistrationRow:
    return RegistrationRow(
        id=row.id,
        event_id=row.event_id,
        ticket_type_id=row.ticket_type_id,
        state=RegistrationState(row.state),
        source=row.source,
        contact=Contact(
            name=row.name,
            badge_name=row.badge_name,
            english_name=row.english_name,
            email=row.email,
            phone=row.phone,
            phone_last4=row.phone_last4,
            organisation=row.organisation,
            position=row.position,
        ),
        locale=row.locale,
        external_id=row.external_id,
        external_code=row.external_code,
        secret_round=row.secret_round,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def find_registration(event_id: int, registration_id: int) -> RegistrationRow | None:
    """One registration of this event with its contact."""
    row = await Registration.get_or_none(id=registration_id, event_id=event_id)
    return _row(row) if row else None


class Sort(StrEnum):
    """Orders of the registration list."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    ORGANISATION = "organisation"


_ORDER: Final[Mapping[Sort, tuple[str, ...]]] = {
    Sort.NEWEST: ("-created_at", "-id"),
    Sort.OLDEST: ("created_at", "id"),
    Sort.NAME: ("name", "id"),
    Sort.ORGANISATION: ("organisation", "name", "id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What the registration list is narrowed to; the default is everybody."""

    text: str = ""
    state: RegistrationState | None = None
    ticket_type_id: int | None = None


@dataclass(frozen=True, slots=True)
class RegistrationsPage:
    """One page of the list, and how many there are in all: with the filter (``total``) and in the whole event."""

    rows: Sequence[RegistrationRow]
    total: int
    page: int
    pages: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Counts:
    """Registrations of an event by state and ticket type."""

    by_state: Mapping[RegistrationState, int] = field(default_factory=dict)
    #: those that hold a place
    by_ticket_type: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def holding(self) -> int:
        return sum(self.by_state.get(state, 0) for state in HOLDS_A_PLACE)


async def counts(event_id: int) -> Counts:
    """How many registrations there are, by state, and by ticket type those that hold a place; one statement."""
    rows = (
        await Registration.filter(event_id=event_id)
        .group_by("state", "ticket_type_id")
        .annotate(n=Count("id"))
        .values("state", "ticket_type_id", "n")
    )
    by_state: dict[RegistrationState, int] = {}
    by_type: dict[int, int] = {}
    for row in rows:
        state = RegistrationState(row["state"])
        by_state[state] = by_state.get(state, 0) + row["n"]
        if state in HOLDS_A_PLACE:
            by_type[row["ticket_type_id"]] = by_type.get(row["ticket_type_id"], 0) + row["n"]
    return Counts(by_state, by_type)


def _like(text: str) -> str:
    """``text`` as a part of a LIKE pattern: its own wildcards mean themselves."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _condition(event_id: int, wanted: Filter) -> tuple[str, list[Any]]:
    parts = ["event_id = $1"]
    values: list[Any] = [event_id]
    if wanted.state is not None:
        values.append(str(wanted.state))
        parts.append(f"state = ${len(values)}")
    if wanted.ticket_type_id is not None:
        values.append(wanted.ticket_type_id)
        parts.append(f"ticket_type_id = ${len(values)}")
    text = fold(wanted.text)
    if text:
        either = []
        values.append(f"%{_like(text)}%")
        either.append(f"search LIKE ${len(values)} ESCAPE '\\'")
        values.append(f"{_like(text)}%")
        either.append(f"email LIKE ${len(values)} ESCAPE '\\'")
        digits = "".join(char for char in text if char.isdigit())
        if len(digits) >= 4:
            values.append(f"%{digits}")
            either.append(f"phone LIKE ${len(values)}")
        values.append(wanted.text.strip())
        either.append(f"external_id = ${len(values)} OR external_code = ${len(values)}")
        parts.append(f"({' OR '.join(either)})")
    return " AND ".join(parts), values


async def registrations_page(
    event_id: int, wanted: Filter | None = None, *, sort: Sort = Sort.NEWEST, page: int = 1
) -> RegistrationsPage:
    """A page of 50; a page number beyond the last gives the last. Four statements for any number of rows."""
    condition, values = _condition(event_id, wanted or Filter())
    counted = await db.query(f"SELECT count(*) AS n FROM registration WHERE {condition}", *values)  # noqa: S608 -- values are parameters
    total = int(counted[0]["n"])
    pages = max(-(-total // PAGE_SIZE), 1)
    page = min(max(page, 1), pages)
    order = ", ".join(f"{name[1:]} DESC" if name.startswith("-") else name for name in _ORDER[sort])
    found = await db.query(
        f"SELECT id FROM registration WHERE {condition} ORDER BY {order} LIMIT {PAGE_SIZE} OFFSET {(page - 1) * PAGE_SIZE}",  # noqa: S608 -- as above
        *values,
    )
    ids = [int(row["id"]) for row in found]
    by_id = {row.id: _row(row) for row in await Registration.filter(id__in=ids or [0])}
    return RegistrationsPage(
        [by_id[number] for number in ids if number in by_id], total, page, pages, await counts(event_id)
    )


async def export_rows(event_id: int, after_id: int = 0, limit: int = 1000) -> Sequence[RegistrationRow]:
    """Registrations in id order from behind ``after_id``: a whole event in steps that hold little memory."""
    rows = await Registration.filter(event_id=event_id, id__gt=after_id).order_by("id").limit(limit)
    return [_row(row) for row in rows]


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """Somebody found at a desk: enough to tell two people of one name apart, no address, no number."""

    registration_id: int
    ticket_type_id: int
    state: RegistrationState
    name: str
    badge_name: str
    organisation: str
    phone_last4: str


FOUND_AT_MOST: Final = 20


async def find_people(event_id: int, text: str) -> Sequence[FoundPerson]:
    """People of the event by a part of a name or organisation, the last digits of a phone, or the beginning of an
    e-mail address. At most 20, by name; fewer than two characters, or than four digits and nothing else, find nobody.
    """
    folded = fold(text)
    digits = folded.replace(" ", "").replace("-", "").removeprefix("+")
    if len(folded) < 2 or (digits.isdigit() and len(digits) < 4):
        return ()
    if digits.isdigit():
        condition, patterns = "phone_last4 = $2 AND phone LIKE $3", [digits[-4:], f"%{digits}"]
    elif "@" in folded:
        condition, patterns = "email LIKE $2 ESCAPE '\\'", [f"{_like(folded)}%"]
    else:
        condition = "(search LIKE $2 ESCAPE '\\' OR email LIKE $3 ESCAPE '\\')"
        patterns = [f"%{_like(folded)}%", f"{_like(folded)}%"]
    rows = await db.query(
        "SELECT id, ticket_type_id, state, name, badge_name, organisation, phone_last4 FROM registration "  # noqa: S608 -- values are parameters
        f"WHERE event_id = $1 AND {condition} ORDER BY name, id LIMIT {FOUND_AT_MOST}",
        event_id,
        *patterns,
    )
    return [
        FoundPerson(
            row["id"],
            row["ticket_type_id"],
            RegistrationState(row["state"]),
            row["name"],
            row["badge_name"],
            row["organisation"],
            row["phone_last4"],
        )
        for row in rows
    ]


# --- places -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFacts:
    """A place with the names on the way to it, from the outermost to itself."""

    id: int
    event_id: int
    parent_id: int | None
    kind: PlaceKind
    code: str
    name: LocalizedText
    capacity: int | None
    position: int
    depth: int
    path: tuple[LocalizedText, ...]

    def path_in(self, locale: str) -> str:
        """``International Centre › Floor 2 › Main hall``."""
        return " › ".join(name.in_(locale) for name in self.path)


async def places(event_id: int) -> Sequence[PlaceFacts]:
    """The event's places as a tree read from above: each parent before its children, siblings by position; one
    statement.
    """
    rows = await Place.filter(event_id=event_id).order_by("position", "id")
    children: dict[int | None, list[Place]] = {}
    for row in rows:
        children.setdefault(row.parent_id, []).append(row)
    found: list[PlaceFacts] = []
    # A stack, not recursion: how deep an organiser nests is not ours to crash on.
    waiting: list[tuple[Place, tuple[LocalizedText, ...]]] = [
        (row, ()) for row in reversed(children.get(None, []))
    ]
    while waiting:
        row, above = waiting.pop()
        path = (*above, LocalizedText.of(row.name))
        found.append(
            PlaceFacts(
                id=row.id,
                event_id=row.event_id,
                parent_id=row.parent_id,
                kind=PlaceKind(row.kind),
                code=row.code,
                name=path[-1],
                capacity=row.capacity,
                position=row.position,
                depth=len(above),
                path=path,
            )
        )
        waiting.extend((child, path) for child in reversed(children.get(row.id, [])))
    return found


async def registrations_of(event_id: int, email: str) -> Sequence[RegistrationFacts]:
    """The registrations of this event under one (folded) address, first come first: its holder's own passports.

    Cancelled ones are among them, so that their holder can read that they are.
    """
    if not email:
        return ()
    rows = await Registration.filter(event_id=event_id, email=email).order_by("id").limit(50).values(*_FACTS)
    return [_facts(row) for row in rows]
