"""Reads of ``events`` for its pages and for upper floors, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from tortoise.functions import Count

from events import pinyin_rules
from events.invitation_rules import InvitationState
from events.invitation_rules import state_of as invitation_state
from events.models import Event, Invitation, Place, Registration, RoleGrant, SharedQuota, Site, TicketType
from events.rules import (
    HOLDS_A_PLACE,
    MODULES_OF,
    Contact,
    EventFacts,
    EventKind,
    EventState,
    Grant,
    GroupKind,
    Module,
    PlaceKind,
    RegistrationState,
    Role,
    TicketRole,
    Window,
    fold,
    is_slug,
    registration_window,
)
from events.ticket_rules import offer_until
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
        starts_minute=row.starts_minute,
        ends_minute=row.ends_minute,
        time_zone=row.time_zone,
        day_starts_minute=row.day_starts_minute,
        theme_colour=row.theme_colour,
        state=EventState(row.state),
        is_sample=row.is_sample,
        registration_opens_at=row.registration_opens_at,
        registration_closes_at=row.registration_closes_at,
        kind=EventKind(row.kind),
        series_id=row.series_id,
        modules=MODULES_OF[EventKind(row.kind)]
        if row.modules is None
        else frozenset(Module(name) for name in row.modules if name in set(Module)),
        cover_upload_id=row.cover_upload_id,
        contact_email=row.contact_email,
        contact=LocalizedText.of(row.contact),
        privacy_notice=LocalizedText.of(row.privacy_notice),
        self_service_until=row.self_service_until,
        offer_hours=row.offer_hours,
        retention_days=row.retention_days,
        id_document_days=row.id_document_days,
    )


async def find_event(slug: str) -> EventFacts | None:
    """The event with this alias, drafts too: who may see it is ``access.open_event``'s decision."""
    # No event has another; and a database takes no NUL out of an address.
    row = await Event.get_or_none(slug=slug) if is_slug(slug) else None
    return _event(row) if row else None


async def find_event_by_id(event_id: int) -> EventFacts | None:
    """As ``find_event``, for upper floors and jobs that hold an id."""
    row = await Event.get_or_none(id=event_id)
    return _event(row) if row else None


async def list_events() -> Sequence[EventFacts]:
    """Every event of the installation, drafts too, latest first; for the command line and workers."""
    return [_event(row) for row in await Event.all().order_by("-starts_on", "-id")]


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


@dataclass(frozen=True, slots=True)
class InvitationFacts:
    """A role that was offered to an address; ``email`` is folded."""

    id: int
    event_id: int
    role: Role
    scopes: tuple[tuple[str, int], ...]
    email: str
    letters: int
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    accepted_account_id: int | None
    revoked_at: datetime | None

    def state(self, at: datetime) -> InvitationState:
        return invitation_state(
            expires_at=self.expires_at, accepted_at=self.accepted_at, revoked_at=self.revoked_at, at=at
        )


def invitation_facts(row: Invitation) -> InvitationFacts:
    return InvitationFacts(
        id=row.id,
        event_id=row.event_id,
        role=Role(row.role),
        scopes=tuple((kind, int(number)) for kind, number in row.scopes),
        email=row.email,
        letters=row.letters,
        created_at=row.created_at,
        expires_at=row.expires_at,
        accepted_at=row.accepted_at,
        accepted_account_id=row.accepted_account_id,
        revoked_at=row.revoked_at,
    )


async def find_invitation(invitation_id: int) -> InvitationFacts | None:
    row = await Invitation.get_or_none(id=invitation_id)
    return invitation_facts(row) if row else None


async def waiting_invitations(event_id: int) -> Sequence[InvitationFacts]:
    """An event's invitations that nobody has taken and nobody withdrawn, the newest first; ended ones among them."""
    rows = await Invitation.filter(
        event_id=event_id, accepted_at__isnull=True, revoked_at__isnull=True
    ).order_by("-id")
    return [invitation_facts(row) for row in rows]


async def invitations_for(email: str, *, at: datetime) -> Sequence[InvitationFacts]:
    """What waits for an address (folded) at ``at``, in whatever event, the newest first."""
    if not email:
        return ()
    rows = (
        await Invitation.filter(
            email=email, accepted_at__isnull=True, revoked_at__isnull=True, expires_at__gt=at
        )
        .order_by("-id")
        .limit(20)
    )
    return [invitation_facts(row) for row in rows]


# --- sites ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """城市分会场: a part of the event in another city."""

    id: int
    event_id: int
    code: str
    name: LocalizedText
    city: LocalizedText
    address: LocalizedText
    position: int


async def sites(event_id: int) -> Sequence[SiteFacts]:
    """The event's sites in their order; none for most events. One statement."""
    return [
        SiteFacts(
            id=row.id,
            event_id=row.event_id,
            code=row.code,
            name=LocalizedText.of(row.name),
            city=LocalizedText.of(row.city),
            address=LocalizedText.of(row.address),
            position=row.position,
        )
        for row in await Site.filter(event_id=event_id).order_by("position", "id")
    ]


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
    role: TicketRole = TicketRole.ATTENDEE
    description: LocalizedText = field(default_factory=LocalizedText)
    site_id: int | None = None
    shared_quota_id: int | None = None
    #: Places left in the shared quota; None without one.
    shared_free: int | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    needs_approval: bool = False
    needs_code: bool = False
    has_waitlist: bool = False
    is_walk_in: bool = False

    @property
    def free(self) -> int | None:
        """Places left by its own quota and the shared one, whichever has fewer."""
        own = None if self.quota is None else max(self.quota - self.taken, 0)
        if own is None or self.shared_free is None:
            return self.shared_free if own is None else own
        return min(own, self.shared_free)

    @property
    def is_full(self) -> bool:
        return self.free == 0

    def window(self, at: datetime) -> Window:
        """Its own window alone; the event's counts as well."""
        return registration_window(EventState.PUBLISHED, self.opens_at, self.closes_at, at)


def _ticket_type(row: TicketType, shared: Mapping[int, SharedQuota]) -> TicketTypeFacts:
    pool = shared.get(row.shared_quota_id or 0)
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
        role=TicketRole(row.role),
        description=LocalizedText.of(row.description),
        site_id=row.site_id,
        shared_quota_id=row.shared_quota_id,
        shared_free=max(pool.quota - pool.taken, 0) if pool else None,
        opens_at=row.opens_at,
        closes_at=row.closes_at,
        needs_approval=row.needs_approval,
        needs_code=row.needs_code,
        has_waitlist=row.has_waitlist,
        is_walk_in=row.is_walk_in,
    )


async def ticket_types(event_id: int, *, public_only: bool = False) -> Sequence[TicketTypeFacts]:
    """The event's ticket types in their order; ``public_only`` are those on the public form."""
    rows = TicketType.filter(event_id=event_id)
    if public_only:
        rows = rows.filter(is_public=True)
    shared = {row.id: row for row in await SharedQuota.filter(event_id=event_id)}
    return [_ticket_type(row, shared) for row in await rows.order_by("position", "id")]


async def find_ticket_type(event_id: int, ticket_type_id: int) -> TicketTypeFacts | None:
    """One ticket type of this event, with what is left of it now."""
    row = await TicketType.get_or_none(id=ticket_type_id, event_id=event_id)
    if row is None:
        return None
    pool = await SharedQuota.get_or_none(id=row.shared_quota_id) if row.shared_quota_id else None
    return _ticket_type(row, {pool.id: pool} if pool else {})


async def ticket_type_names(event_id: int) -> Mapping[int, LocalizedText]:
    """The event's ticket types by name, for letters and lists."""
    rows = await TicketType.filter(event_id=event_id).values("id", "name")
    return {row["id"]: LocalizedText.of(row["name"]) for row in rows}


async def types_waited_for(event: EventFacts, *, at: datetime) -> frozenset[int]:
    """Ticket types whose next free place belongs to somebody who waits; one statement.

    That is: somebody waits for it, or waits for another type of the same shared quota and only that one is full. Too
    late to move anybody up, nobody's: who comes takes what is free.
    """
    if offer_until(event, at=at) is None:
        return frozenset()
    rows = await db.query(
        "SELECT DISTINCT t.id FROM ticket_type t JOIN ticket_type w ON w.id = t.id "
        "OR (w.shared_quota_id = t.shared_quota_id AND (w.quota IS NULL OR w.taken < w.quota)) "
        "WHERE t.event_id = $1 AND w.event_id = $1 AND w.has_waitlist AND EXISTS ("
        "SELECT 1 FROM registration g WHERE g.ticket_type_id = w.id AND g.state = 'waitlisted')",
        event.id,
    )
    return frozenset(int(row["id"]) for row in rows)


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
    ticket_source: str = ""
    access_code_id: int | None = None
    group_id: int | None = None
    waiting_since: datetime | None = None
    offer_until: datetime | None = None
    decided_at: datetime | None = None
    payment_state: str = ""
    invoice_title: str = ""
    tax_number: str = ""
    merged_into_id: int | None = None
    erased_at: datetime | None = None


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
        ticket_source=row.ticket_source,
        access_code_id=row.access_code_id,
        group_id=row.group_id,
        waiting_since=row.waiting_since,
        offer_until=row.offer_until,
        decided_at=row.decided_at,
        payment_state=row.payment_state,
        invoice_title=row.invoice_title,
        tax_number=row.tax_number,
        merged_into_id=row.merged_into_id,
        erased_at=row.erased_at,
    )


async def find_registration(event_id: int, registration_id: int) -> RegistrationRow | None:
    """One registration of this event with its contact."""
    row = await Registration.get_or_none(id=registration_id, event_id=event_id)
    return _row(row) if row else None


async def registrations_by_id(event_id: int, ids: Sequence[int]) -> Sequence[RegistrationRow]:
    """These registrations of the event with their contacts, in id order; one statement for any number."""
    rows = await Registration.filter(id__in=list(ids), event_id=event_id).order_by("id") if ids else []
    return [_row(row) for row in rows]


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


def like(text: str) -> str:
    """``text`` as a part of a LIKE pattern: its own wildcards mean themselves, and a NUL is nothing."""
    return text.replace("\0", "").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


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
        values.append(f"%{like(text)}%")
        either.append(f"search LIKE ${len(values)} ESCAPE '\\'")
        values.append(f"{like(text)}%")
        either.append(f"email LIKE ${len(values)} ESCAPE '\\'")
        digits = "".join(char for char in text if char.isdigit())
        if len(digits) >= 4:
            values.append(f"%{digits}")
            either.append(f"phone LIKE ${len(values)}")
        values.append(wanted.text.replace("\0", "").strip())
        either.append(f"external_id = ${len(values)} OR external_code = ${len(values)}")
        either += _by_sound(wanted.text, "id", values)
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


async def registrations_after(
    event_id: int, wanted: Filter, *, after_id: int = 0, limit: int = PAGE_SIZE
) -> tuple[Sequence[RegistrationRow], int, bool]:
    """Registrations in id order from behind ``after_id``, how many there are with this filter in all, and whether
    more follow; three statements for any number.
    """
    condition, values = _condition(event_id, wanted)
    counted = await db.query(f"SELECT count(*) AS n FROM registration WHERE {condition}", *values)  # noqa: S608 -- values are parameters
    found = await db.query(
        f"SELECT id FROM registration WHERE {condition} AND id > ${len(values) + 1} ORDER BY id LIMIT {limit + 1}",  # noqa: S608 -- as above
        *values,
        after_id,
    )
    rows = await registrations_by_id(event_id, [int(row["id"]) for row in found[:limit]] or [0])
    return rows, int(counted[0]["n"]), len(found) > limit


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


@dataclass(frozen=True, slots=True)
class LedGroup:
    """A group whose list somebody opens at a door."""

    id: int
    kind: GroupKind
    name: str


#: People of one group that a door lists at most; one upload takes 500 scans.
GROUP_AT_MOST: Final = 300


async def groups_led(registration_ids: Sequence[int]) -> Mapping[int, LedGroup]:
    """By registration: the group that somebody came with, or whose contact they are; one statement.

    Everybody of a group registered together opens its list, and a partner's contact the partner's; of several the
    latest.
    """
    rows = await db.query(
        "SELECT r.id AS registration_id, l.id, l.kind, l.name FROM registration r "  # noqa: S608 -- our own words
        "JOIN registration_group l ON l.event_id = r.event_id AND ((l.id = r.group_id AND l.kind = 'group') "
        "OR (l.contact_email = r.email AND r.email <> '')) "
        f"WHERE r.id {db.in_list('$1', 'int')} ORDER BY l.id",
        db.list_parameter(registration_ids),
    )
    return {
        int(row["registration_id"]): LedGroup(row["id"], GroupKind(row["kind"]), row["name"]) for row in rows
    }


async def group_sizes(group_ids: Sequence[int]) -> Mapping[int, int]:
    """How many of each group hold a place; groups of nobody are left out. One statement."""
    rows = (
        await Registration.filter(
            group_id__in=list(group_ids), state__in=[str(state) for state in HOLDS_A_PLACE]
        )
        .group_by("group_id")
        .annotate(n=Count("id"))
        .values("group_id", "n")
    )
    return {int(row["group_id"]): int(row["n"]) for row in rows}


async def group_members(event_id: int, group_id: int) -> Sequence[int]:
    """The registrations of a group that hold a place, in the order they came; at most GROUP_AT_MOST."""
    rows = (
        await Registration.filter(
            event_id=event_id, group_id=group_id, state__in=[str(state) for state in HOLDS_A_PLACE]
        )
        .order_by("id")
        .limit(GROUP_AT_MOST)
        .values_list("id", flat=True)
    )
    return [int(number) for number in rows]  # type: ignore[call-overload]


def _by_sound(text: str, column: str, values: list[Any]) -> list[str]:
    """A condition on a registration's id for what may be meant as pinyin or initials, with ``$1`` the event's id.

    Adds its parameters to ``values``; empty where it can't be meant so.
    """
    meant = pinyin_rules.wanted(text)
    if not meant.variants:
        return []
    forms = []
    for variant in meant.variants:
        for mark in (pinyin_rules.START, pinyin_rules.INSIDE):
            values.append(f"%{mark}{variant}%")
            forms.append(f"k.forms LIKE ${len(values)}")
    written = ""
    for char in meant.han:
        values.append(f"%{char}%")
        written += f" AND s.search LIKE ${len(values)}"
    joined = "JOIN registration s ON s.id = k.registration_id" if written else ""
    found = f"SELECT k.registration_id FROM person_key k {joined} WHERE k.event_id = $1"  # noqa: S608 -- as above
    return [f"{column} IN ({found} AND ({' OR '.join(forms)}){written})"]


def text_condition(text: str, values: list[Any]) -> str:
    """A condition on registrations ``g`` for a list that is narrowed by a name or organisation as people type it.

    ``values`` are the statement's parameters so far, ``$1`` the event's id; this adds its own.
    """
    values.append(f"%{like(fold(text))}%")
    either = [f"g.search LIKE ${len(values)} ESCAPE '\\'"]
    either += _by_sound(text, "g.id", values)
    return f"({' OR '.join(either)})"


async def find_people(event_id: int, text: str) -> Sequence[FoundPerson]:
    """People of the event by a part of a name or organisation, by pinyin and initials of the name in every reading,
    the last digits of a phone, or the beginning of an e-mail address.

    At most 20, one statement: whose name it is, whose begins so, where a word does, all others, and among equals by
    name. Fewer than two characters, or than four digits and nothing else, find nobody.
    """
    folded = fold(text)
    digits = folded.replace(" ", "").replace("-", "").removeprefix("+")
    if len(folded) < 2 or (digits.isdigit() and len(digits) < 4):
        return ()
    values: list[Any] = [event_id]
    rank, known = "0", ""
    if digits.isdigit():
        values += [digits[-4:], f"%{digits}"]
        condition = "g.phone_last4 = $2 AND g.phone LIKE $3"
    elif "@" in folded:
        values.append(f"{like(folded)}%")
        condition = "g.email LIKE $2 ESCAPE '\\'"
    else:
        ids, rank = _by_words(text, folded, values)
        # Found first, then ranked: without statistics PostgreSQL would look for each one again and again.
        known, condition = f"WITH found AS MATERIALIZED ({ids}) ", ""
    source = (
        "found JOIN registration g ON g.id = found.id LEFT JOIN person_key k ON k.registration_id = g.id"
        if known
        else f"registration g WHERE g.event_id = $1 AND {condition}"
    )
    rows = await db.query(
        f"{known}SELECT g.id, g.ticket_type_id, g.state, g.name, g.badge_name, g.organisation, g.phone_last4, "  # noqa: S608 -- values are parameters
        f"{rank} AS rank FROM {source} "
        f"ORDER BY rank, g.name, g.id LIMIT {FOUND_AT_MOST}",
        *values,
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


def _by_words(text: str, folded: str, values: list[Any]) -> tuple[str, str]:
    """A statement for the ids of who is found by a name, an organisation or the beginning of an address, and an
    expression for the rank of each: 0 is the best.

    The two tables are looked through one by one, and only who is found is ranked: twice as fast as joining first.
    """

    def parameter(value: str) -> str:
        values.append(value)
        return f"${len(values)}"

    escaped = like(folded)
    begins, word, part = (parameter(pattern) for pattern in (f"{escaped}%", f"% {escaped}%", f"%{escaped}%"))
    search = "g.search LIKE {} ESCAPE '\\'"
    exact = [f"{parameter(folded)} IN (lower(g.name), lower(g.badge_name), lower(g.english_name))"]
    starts, inside = [search.format(begins)], [search.format(word)]
    meant = pinyin_rules.wanted(text)
    written = "".join(f" AND g.search LIKE {parameter(f'%{char}%')}" for char in meant.han)
    sounds = []
    for variant in meant.variants:
        at_start, at_inside, whole = (
            f"k.forms LIKE {parameter(pattern)}"
            for pattern in (
                f"%{pinyin_rules.START}{variant}%",
                f"%{pinyin_rules.INSIDE}{variant}%",
                f"%{pinyin_rules.START}{variant} %",
            )
        )
        exact.append(f"({whole}{written})")
        starts.append(f"({at_start}{written})")
        inside.append(f"({at_inside}{written})")
        sounds += [at_start, at_inside]
    found = (
        "SELECT g.id FROM registration g WHERE g.event_id = $1 "  # noqa: S608 -- values are parameters
        f"AND ({search.format(part)} OR g.email LIKE {begins} ESCAPE '\\')"
    )
    if sounds:
        joined = "JOIN registration g ON g.id = k.registration_id" if written else ""
        found += (
            f" UNION SELECT k.registration_id FROM person_key k {joined} WHERE k.event_id = $1 "  # noqa: S608 -- as above
            f"AND ({' OR '.join(sounds)}){written}"
        )
    rank = (
        f"CASE WHEN {' OR '.join(exact)} THEN 0 WHEN {' OR '.join(starts)} THEN 1 "
        f"WHEN {' OR '.join(inside)} THEN 2 ELSE 3 END"
    )
    return found, rank


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
    site_id: int | None = None

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
                site_id=row.site_id,
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
