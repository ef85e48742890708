"""Words and decisions of ``events``: roles and what they may, states, kinds of places."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kernel.errors import Code, Problem
from kernel.interval import programme_date
from kernel.text import LocalizedText


class EventState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    ENDED = "ended"


class Permission(StrEnum):
    """What a route of an event asks for; each route names exactly one."""

    VIEW_PUBLIC = "view_public"
    SCAN = "scan"
    VIEW_BOARD = "view_board"
    SEE_REGISTRATIONS = "see_registrations"
    CHANGE_REGISTRATIONS = "change_registrations"
    CHANGE_EVENT = "change_event"
    SEE_OUTBOX = "see_outbox"
    SEE_JOURNAL = "see_journal"
    GRANT_ROLES = "grant_roles"


class Role(StrEnum):
    OWNER = "owner"
    ORGANISER = "organiser"
    SCANNER = "scanner"


_ORGANISER: Final = frozenset(Permission) - {Permission.GRANT_ROLES}
MAY: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.OWNER: frozenset(Permission),
    Role.ORGANISER: _ORGANISER,
    Role.SCANNER: frozenset({Permission.VIEW_PUBLIC, Permission.SCAN}),
}


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Everything that a set of roles allows together; nobody in particular may see what is public."""
    return _permissions_of(frozenset(roles))


@lru_cache(maxsize=64)
def _permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    allowed = frozenset({Permission.VIEW_PUBLIC})
    for role in roles:
        allowed |= MAY[role]
    return allowed


@dataclass(frozen=True, slots=True)
class Grant:
    """A role of an account in an event; without a scope it is for the whole event."""

    id: int
    event_id: int
    role: Role
    scope_kind: str = ""
    scope_id: int = 0


class RegistrationState(StrEnum):
    CONFIRMED = "confirmed"
    PENDING = "pending"
    WAITLISTED = "waitlisted"
    CANCELLED = "cancelled"


#: States that take a place of the ticket type's quota.
HOLDS_A_PLACE: Final = frozenset({RegistrationState.CONFIRMED, RegistrationState.PENDING})


class RegistrationSource(StrEnum):
    FORM = "form"
    IMPORT = "import"
    ORGANISER = "organiser"
    DEMO = "demo"


class PlaceKind(StrEnum):
    VENUE = "venue"
    BUILDING = "building"
    FLOOR = "floor"
    ROOM = "room"
    BOOTH = "booth"
    DESK = "desk"
    STAGE = "stage"
    TOILET = "toilet"
    EXIT = "exit"
    AREA = "area"


class EventCode(StrEnum):
    """Refusals of this package."""

    EVENT_UNKNOWN = "event_unknown"
    REGISTRATION_CLOSED = "registration_closed"
    TICKET_TYPE_FULL = "ticket_type_full"
    TICKET_TYPE_UNKNOWN = "ticket_type_unknown"
    CONTACT_MISSING = "contact_missing"
    EXTERNAL_ID_TAKEN = "external_id_taken"
    EXTERNAL_CODE_TAKEN = "external_code_taken"
    ALREADY_CANCELLED = "already_cancelled"
    QUOTA_BELOW_TAKEN = "quota_below_taken"
    PLACE_LOOP = "place_loop"
    SLUG_TAKEN = "slug_taken"
    SLUG_MALFORMED = "slug_malformed"
    DATES_REVERSED = "dates_reversed"
    ZONE_UNKNOWN = "zone_unknown"
    COLOUR_MALFORMED = "colour_malformed"
    LAST_OWNER = "last_owner"
    ROLE_HELD = "role_held"
    ROLE_UNSCOPED = "role_unscoped"
    WINDOW_REVERSED = "window_reversed"
    EVENT_STATE = "event_state"
    NOT_CANCELLED = "not_cancelled"
    REGISTRATION_UNKNOWN = "registration_unknown"
    REGISTRATION_NOT_OPEN_YET = "registration_not_open_yet"
    PLACE_UNKNOWN = "place_unknown"
    PLACE_CODE_TAKEN = "place_code_taken"
    TICKET_CODE_TAKEN = "ticket_code_taken"
    ROW_TWICE = "row_twice"
    FORM_ALREADY_SENT = "form_already_sent"
    TOO_MANY_FOR_EMAIL = "too_many_for_email"


_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")


def is_slug(text: str) -> bool:
    """An alias (自定义别名): lower-case letters, digits and inner hyphens, at most 48."""
    return bool(_SLUG.fullmatch(text))


def is_colour(text: str) -> bool:
    """A theme colour as ``#rrggbb``."""
    return bool(re.fullmatch(r"#[0-9a-fA-F]{6}", text))


#: What an event's state may become. An ended event may be opened again; one that people saw may be hidden again.
EVENT_MOVES: Final[Mapping[EventState, frozenset[EventState]]] = {
    EventState.DRAFT: frozenset({EventState.PUBLISHED}),
    EventState.PUBLISHED: frozenset({EventState.ENDED, EventState.DRAFT}),
    EventState.ENDED: frozenset({EventState.PUBLISHED}),
}

#: Scopes that a role may be narrowed to; a role that is not named here is for the whole event.
SCOPES: Final[Mapping[Role, frozenset[str]]] = {Role.SCANNER: frozenset({"checkpoint"})}


def is_zone(text: str) -> bool:
    """A time zone that this machine knows, by its IANA name."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(text)


def is_code(text: str) -> bool:
    """A short name of a place or ticket type for lists and imports: letters of any script, digits, ``-._``, at most 40."""
    return 0 < len(text) <= 40 and all(char.isalnum() or char in "-._" for char in text)


def fold(text: str) -> str:
    """Text as it is compared in searches: width and case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class Window(StrEnum):
    """Whether the public form takes registrations now."""

    OPEN = "open"
    NOT_YET = "not_yet"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFacts:
    """All that pages and upper floors know of an event."""

    id: int
    slug: str
    name: LocalizedText
    tagline: LocalizedText
    text: LocalizedText
    city: LocalizedText
    address: LocalizedText
    starts_on: date
    ends_on: date
    time_zone: str
    day_starts_minute: int
    theme_colour: str
    state: EventState
    is_sample: bool
    registration_opens_at: datetime | None
    registration_closes_at: datetime | None

    def programme_date(self, at: datetime) -> date:
        """The programme day that ``at`` belongs to; one may run past midnight."""
        return programme_date(at, zone=self.time_zone, day_starts_minute=self.day_starts_minute)

    def window(self, at: datetime) -> Window:
        """Whether the public form takes registrations at ``at``."""
        return registration_window(self.state, self.registration_opens_at, self.registration_closes_at, at)


def registration_window(
    state: EventState, opens_at: datetime | None, closes_at: datetime | None, at: datetime
) -> Window:
    """A draft is not open yet, an ended event is closed; in between the window decides, half-open."""
    if state == EventState.ENDED or (closes_at is not None and at >= closes_at):
        return Window.CLOSED
    if state == EventState.DRAFT or (opens_at is not None and at < opens_at):
        return Window.NOT_YET
    return Window.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What an organiser decides about an event; ``problems`` says what can't be."""

    slug: str
    name: LocalizedText
    starts_on: date
    ends_on: date
    tagline: LocalizedText = field(default_factory=LocalizedText)
    text: LocalizedText = field(default_factory=LocalizedText)
    city: LocalizedText = field(default_factory=LocalizedText)
    address: LocalizedText = field(default_factory=LocalizedText)
    time_zone: str = "Asia/Shanghai"
    day_starts_minute: int = 240
    theme_colour: str = "#0b6e4f"
    registration_opens_at: datetime | None = None
    registration_closes_at: datetime | None = None
    is_sample: bool = False

    @classmethod
    def of(cls, facts: EventFacts) -> Details:
        """Today's details, to change some with ``dataclasses.replace``."""
        return cls(**{name: getattr(facts, name) for name in cls.__dataclass_fields__})

    def problems(self) -> dict[str, Problem]:
        """What is wrong, by field; empty when all is well. Whether the alias is taken, only the database knows."""
        found: dict[str, Problem] = {}
        if not is_slug(self.slug):
            found["slug"] = Problem(EventCode.SLUG_MALFORMED)
        if not any(text.strip() for text in self.name.values()):
            found["name"] = Problem(Code.REQUIRED)
        for name, limit in DETAIL_LIMITS.items():
            texts: LocalizedText = getattr(self, name)
            if any(len(text) > limit for text in texts.values()):
                found.setdefault(name, Problem(Code.TOO_LONG, {"limit": limit}))
        if self.ends_on < self.starts_on:
            found["ends_on"] = Problem(EventCode.DATES_REVERSED)
        if not is_zone(self.time_zone):
            found["time_zone"] = Problem(EventCode.ZONE_UNKNOWN)
        if not 0 <= self.day_starts_minute < 720:
            found["day_starts_minute"] = Problem(Code.OUT_OF_RANGE)
        if not is_colour(self.theme_colour):
            found["theme_colour"] = Problem(EventCode.COLOUR_MALFORMED)
        opens, closes = self.registration_opens_at, self.registration_closes_at
        if opens is not None and closes is not None and closes <= opens:
            found["registration_closes_at"] = Problem(EventCode.WINDOW_REVERSED)
        return found


DETAIL_LIMITS: Final[Mapping[str, int]] = {
    "name": 120,
    "tagline": 200,
    "city": 80,
    "address": 200,
    "text": 20_000,
}


@dataclass(frozen=True, slots=True)
class Contact:
    """How a person is named and reached at this event: clean values, as ``events.contacts`` gives them."""

    name: str
    badge_name: str = ""
    english_name: str = ""
    #: folded (``contacts.Email.key``)
    email: str = ""
    #: E.164
    phone: str = ""
    phone_last4: str = ""
    organisation: str = ""
    position: str = ""

    def with_last4(self) -> Contact:
        """The four digits that a desk asks for always follow the phone."""
        return replace(self, phone_last4=self.phone[-4:])

    @property
    def search(self) -> str:
        """What a desk finds this person by; as long as the column at most."""
        return fold(f"{self.name} {self.badge_name} {self.english_name} {self.organisation}")[:600]

    def problems(self) -> dict[str, Problem]:
        """What is wrong, by field: a name and one way to reach the person are needed, the rest must fit."""
        found: dict[str, Problem] = {}
        if not self.name.strip():
            found["name"] = Problem(Code.REQUIRED)
        if not self.email and not self.phone:
            found["email"] = Problem(EventCode.CONTACT_MISSING)
        for name, limit in CONTACT_LIMITS.items():
            if len(getattr(self, name)) > limit:
                found.setdefault(name, Problem(Code.TOO_LONG, {"limit": limit}))
        return found


CONTACT_LIMITS: Final[Mapping[str, int]] = {
    "name": 120,
    "badge_name": 120,
    "english_name": 120,
    "email": 254,
    "phone": 20,
    "organisation": 200,
    "position": 120,
}
#: The columns of a registration that hold its contact.
CONTACT_FIELDS: Final = tuple(Contact.__dataclass_fields__)
