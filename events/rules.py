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


class EventKind(StrEnum):
    """A conference has everything; a meet-up of thirty people one form, a list with ticks and a scanner."""

    CONFERENCE = "conference"
    MEETUP = "meetup"


class Module(StrEnum):
    """Parts of the organiser's desk that small events do without; what is off shows no menu entry."""

    PROGRAMME = "programme"
    PLACES = "places"
    SITES = "sites"
    CHECKPOINTS = "checkpoints"
    BOARD = "board"
    TICKETS = "tickets"
    FORM = "form"
    WAITLIST = "waitlist"
    PARTNERS = "partners"
    LETTERS = "letters"
    PAGES = "pages"
    STATISTICS = "statistics"
    #: Import and export of lists.
    LISTS = "lists"
    #: Roles, invitations and the journal.
    TEAM = "team"
    #: A list of people with a tick for each who has come (到了).
    ARRIVALS = "arrivals"


MODULES_OF: Final[Mapping[EventKind, frozenset[Module]]] = {
    EventKind.CONFERENCE: frozenset(Module) - {Module.SITES, Module.ARRIVALS},
    EventKind.MEETUP: frozenset({Module.ARRIVALS}),
}


class Permission(StrEnum):
    """What a route of an event asks for; each route names exactly one."""

    VIEW_PUBLIC = "view_public"
    #: Whoever is signed in: hands in proposals of their own, and answers invitations.
    SUBMIT = "submit"
    #: Inside the house: the drafts of an event in which one has any role.
    VIEW_DESK = "view_desk"
    SCAN = "scan"
    #: Admitting against a refusal, taking a scan back, and the word to staff about a holder.
    OVERRIDE = "override"
    WALK_IN = "walk_in"
    #: Pairing phones, and everything about them; a device never has it, whatever it was given.
    PAIR_DEVICES = "pair_devices"
    VIEW_BOARD = "view_board"
    SEE_STATISTICS = "see_statistics"
    #: Names, ticket types and states, without addresses, numbers and personal answers.
    SEE_REGISTRATIONS = "see_registrations"
    #: Addresses, numbers and answers marked personal; each look at a list of them is journalled.
    SEE_PERSONAL = "see_personal"
    CHANGE_REGISTRATIONS = "change_registrations"
    #: Identity documents in clear: one role alone, each time journalled.
    SEE_IDENTITY = "see_identity"
    CHANGE_PARTNERS = "change_partners"
    CHANGE_PROGRAMME = "change_programme"
    #: Proposals that one is given, as the review's phase shows them, and points for them. A producer's: own forums.
    REVIEW = "review"
    #: All proposals with who speaks in them. A producer's: own forums.
    SEE_PROPOSALS = "see_proposals"
    #: Entering, inviting and editing on a speaker's behalf. A producer's: own forums.
    CHANGE_PROPOSALS = "change_proposals"
    #: Decisions, their release, and the letters that tell people.
    DECIDE = "decide"
    #: The call, its types, forums and questions, and the review's rules.
    CHANGE_CALL = "change_call"
    CHANGE_EVENT = "change_event"
    SEE_OUTBOX = "see_outbox"
    SEE_JOURNAL = "see_journal"
    GRANT_ROLES = "grant_roles"
    OWN = "own"


class Role(StrEnum):
    OWNER = "owner"
    ORGANISER = "organiser"
    PROGRAMME_CHAIR = "programme_chair"
    REVIEWER = "reviewer"
    PRODUCER = "producer"
    VOLUNTEER_LEAD = "volunteer_lead"
    STOCK_KEEPER = "stock_keeper"
    PARTNER_DESK = "partner_desk"
    SCANNER = "scanner"
    VIEWER = "viewer"


_INSIDE: Final = frozenset({Permission.VIEW_PUBLIC, Permission.SUBMIT, Permission.VIEW_DESK})
_ORGANISER: Final = frozenset(Permission) - {
    Permission.GRANT_ROLES,
    Permission.SEE_IDENTITY,
    Permission.OWN,
}
MAY: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.OWNER: frozenset(Permission),
    Role.ORGANISER: _ORGANISER,
    Role.PROGRAMME_CHAIR: _INSIDE
    | {
        Permission.CHANGE_PROGRAMME,
        Permission.REVIEW,
        Permission.SEE_PROPOSALS,
        Permission.CHANGE_PROPOSALS,
        Permission.DECIDE,
        Permission.CHANGE_CALL,
        Permission.VIEW_BOARD,
    },
    Role.REVIEWER: _INSIDE | {Permission.REVIEW},
    Role.PRODUCER: _INSIDE
    | {Permission.REVIEW, Permission.SEE_PROPOSALS, Permission.CHANGE_PROPOSALS, Permission.VIEW_BOARD},
    Role.VOLUNTEER_LEAD: _INSIDE
    | {
        Permission.SCAN,
        Permission.OVERRIDE,
        Permission.WALK_IN,
        Permission.PAIR_DEVICES,
        Permission.VIEW_BOARD,
    },
    Role.STOCK_KEEPER: _INSIDE,
    Role.PARTNER_DESK: _INSIDE | {Permission.CHANGE_PARTNERS},
    Role.SCANNER: _INSIDE | {Permission.SCAN, Permission.WALK_IN},
    Role.VIEWER: _INSIDE | {Permission.VIEW_BOARD, Permission.SEE_STATISTICS},
}


def permissions_of(roles: Iterable[Role], *, is_account: bool = False) -> frozenset[Permission]:
    """Everything that a set of roles allows together; nobody in particular may see what is public, and an account
    without any role hand in a proposal.
    """
    return _permissions_of(frozenset(roles), is_account)


@lru_cache(maxsize=128)
def _permissions_of(roles: frozenset[Role], is_account: bool) -> frozenset[Permission]:
    allowed = frozenset({Permission.VIEW_PUBLIC, *([Permission.SUBMIT] if is_account else [])})
    for role in roles:
        allowed |= MAY[role]
    return allowed


def token_permissions(held: frozenset[Permission], named: Iterable[str]) -> frozenset[Permission]:
    """What a program with an API token may do: what its account may and the token names, besides what is public."""
    return (held & frozenset(named)) | {Permission.VIEW_PUBLIC}


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
    #: Waits for an organiser's word (待审核).
    PENDING = "pending"
    #: On the waiting list (候补).
    WAITLISTED = "waitlisted"
    #: Moved up from the waiting list, the place is kept until ``offer_until``.
    OFFERED = "offered"
    #: An organiser said no.
    DECLINED = "declined"
    CANCELLED = "cancelled"


#: States that take a place of the ticket type's quota.
HOLDS_A_PLACE: Final = frozenset(
    {RegistrationState.CONFIRMED, RegistrationState.PENDING, RegistrationState.OFFERED}
)


class RegistrationSource(StrEnum):
    FORM = "form"
    GROUP = "group"
    PARTNER = "partner"
    WALK_IN = "walk_in"
    IMPORT = "import"
    ORGANISER = "organiser"
    DEMO = "demo"


class TicketRole(StrEnum):
    """What somebody comes as; statistics, badges and later floors go by it, never by a ticket type's name."""

    ATTENDEE = "attendee"
    STUDENT = "student"
    SPEAKER = "speaker"
    GUEST = "guest"
    SPONSOR = "sponsor"
    MEDIA = "media"
    VOLUNTEER = "volunteer"
    STAFF = "staff"


class FieldKind(StrEnum):
    """Kinds of questions that organisers add to the registration form."""

    LINE = "line"
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    YES_NO = "yes_no"
    CHOOSE_ONE = "choose_one"
    CHOOSE_MANY = "choose_many"
    FILE = "file"
    URL = "url"


class GroupKind(StrEnum):
    GROUP = "group"
    PARTNER = "partner"


class PaymentState(StrEnum):
    """What another shop's list says of a paid ticket; "" when nothing was said."""

    PAID = "paid"
    UNPAID = "unpaid"
    REFUNDED = "refunded"


class TransferState(StrEnum):
    OPEN = "open"
    DONE = "done"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    EXPIRED = "expired"


class IdDocumentKind(StrEnum):
    """居民身份证 (GB 11643 checksum), passport, 港澳居民来往内地通行证, 台湾居民来往大陆通行证, 外国人永久居留身份证."""

    RESIDENT_ID = "resident_id"
    PASSPORT = "passport"
    HK_MACAO_PERMIT = "hk_macao_permit"
    TAIWAN_PERMIT = "taiwan_permit"
    FOREIGNER_ID = "foreigner_id"


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
    ACCESS_CODE_NEEDED = "access_code_needed"
    ACCESS_CODE_WRONG = "access_code_wrong"
    ACCESS_CODE_USED_UP = "access_code_used_up"
    ACCESS_CODE_EXPIRED = "access_code_expired"
    ACCESS_CODE_TAKEN = "access_code_taken"
    USES_BELOW_USED = "uses_below_used"
    WAITLIST_ONLY = "waitlist_only"
    OFFER_GONE = "offer_gone"
    NOT_PENDING = "not_pending"
    NOT_WAITING = "not_waiting"
    GROUP_FULL = "group_full"
    GROUP_CLOSED = "group_closed"
    SHARED_QUOTA_UNKNOWN = "shared_quota_unknown"
    SHARED_QUOTA_IN_USE = "shared_quota_in_use"
    ORDER_STALE = "order_stale"
    ACCESS_CODE_GUESSED = "access_code_guessed"
    INVITATION_UNKNOWN = "invitation_unknown"
    INVITATION_USED = "invitation_used"
    INVITATION_EXPIRED = "invitation_expired"
    INVITATION_REVOKED = "invitation_revoked"
    INVITATION_FOR_OTHER = "invitation_for_other"
    INVITATION_OPEN = "invitation_open"
    INVITATION_DAYS = "invitation_days"
    NOT_A_MEMBER = "not_a_member"
    HOURS_REVERSED = "hours_reversed"
    SITE_CODE_TAKEN = "site_code_taken"
    SITE_UNKNOWN = "site_unknown"
    SITE_IN_USE = "site_in_use"
    SERIES_SLUG_TAKEN = "series_slug_taken"
    SERIES_UNKNOWN = "series_unknown"
    PAGE_SLUG_TAKEN = "page_slug_taken"
    PAGE_UNKNOWN = "page_unknown"


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
SCOPES: Final[Mapping[Role, frozenset[str]]] = {
    Role.SCANNER: frozenset({"checkpoint", "site"}),
    Role.VOLUNTEER_LEAD: frozenset({"team", "site"}),
    Role.PRODUCER: frozenset({"forum"}),
    Role.REVIEWER: frozenset({"forum"}),
    Role.VIEWER: frozenset({"site"}),
}


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
    return " ".join(unicodedata.normalize("NFKC", text.replace("\0", " ")).casefold().split())


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
    kind: EventKind = EventKind.CONFERENCE
    series_id: int | None = None
    #: What is switched on; the kind's own set unless organisers chose.
    modules: frozenset[Module] = MODULES_OF[EventKind.CONFERENCE]
    cover_upload_id: int | None = None
    contact_email: str = ""
    contact: LocalizedText = field(default_factory=LocalizedText)
    privacy_notice: LocalizedText = field(default_factory=LocalizedText)
    self_service_until: datetime | None = None
    offer_hours: int = 24
    retention_days: int | None = None
    id_document_days: int | None = None
    #: The clock of the first day's beginning and the last day's end, minutes after local midnight; None: whole days.
    starts_minute: int | None = None
    ends_minute: int | None = None

    def has(self, module: Module) -> bool:
        return module in self.modules

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
    kind: EventKind = EventKind.CONFERENCE
    series_id: int | None = None
    #: None: what the kind brings.
    modules: frozenset[Module] | None = None
    contact_email: str = ""
    contact: LocalizedText = field(default_factory=LocalizedText)
    privacy_notice: LocalizedText = field(default_factory=LocalizedText)
    self_service_until: datetime | None = None
    offer_hours: int = 24
    retention_days: int | None = None
    id_document_days: int | None = None
    starts_minute: int | None = None
    ends_minute: int | None = None

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
        if self.contact_email and not _ADDRESS.fullmatch(self.contact_email):
            found["contact_email"] = Problem(Code.MALFORMED)
        for name, (least, most) in DETAIL_RANGES.items():
            number: int | None = getattr(self, name)
            if number is not None and not least <= number <= most:
                found[name] = Problem(Code.OUT_OF_RANGE)
        if self.ends_minute is not None and (
            self.starts_minute is None
            or (self.starts_on == self.ends_on and self.ends_minute <= self.starts_minute)
        ):
            found.setdefault("ends_minute", Problem(EventCode.HOURS_REVERSED))
        return found

    @property
    def own_modules(self) -> list[str] | None:
        """The modules as they are stored: None where they are what the kind brings, so that new ones come by themselves."""
        if self.modules is None or self.modules == MODULES_OF[self.kind]:
            return None
        return sorted(self.modules)


DETAIL_LIMITS: Final[Mapping[str, int]] = {
    "name": 120,
    "tagline": 200,
    "city": 80,
    "address": 200,
    "text": 20_000,
    "contact": 1_000,
    "privacy_notice": 20_000,
}

#: Numbers of an event with the least and the most that they may be.
DETAIL_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "offer_hours": (1, 720),
    "retention_days": (1, 3650),
    "id_document_days": (0, 365),
    "starts_minute": (0, 1439),
    "ends_minute": (0, 1440),
}

#: Enough to catch a slip of the hand in an address that is shown to everybody; whether it works, letters find out.
_ADDRESS = re.compile(r"[^\s@]{1,64}@[^\s@]+\.[^\s@.]{2,}")


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

    def problems(self, *, needs_contact: bool = True) -> dict[str, Problem]:
        """What is wrong, by field: a name and one way to reach the person are needed, the rest must fit.

        ``needs_contact`` is False for somebody who was registered at the door: whoever stands there is reached.
        """
        found: dict[str, Problem] = {}
        if not self.name.strip():
            found["name"] = Problem(Code.REQUIRED)
        if needs_contact and not self.email and not self.phone:
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
