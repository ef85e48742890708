"""Partners' and teachers' links: a quota of tickets that somebody without an account hands out to own people.

The link's secret is derived from the installation's key as a holder's is, under a kind of its own, and never stored.
Promises: the quota is never passed, however many lists come in at once (every place is taken by one conditional
statement); the same list sent twice registers nobody twice; whoever holds the link sees and cancels the people that
were registered by it, and nobody else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from events import queries, registrations
from events.models import Registration, RegistrationGroup
from events.partner_rules import (
    LinkState,
    Outcome,
    PartnerCode,
    Plan,
    is_too_often,
    link_state,
    plan,
    rows_of,
)
from events.rules import (
    HOLDS_A_PLACE,
    EventCode,
    EventFacts,
    GroupKind,
    RegistrationSource,
    RegistrationState,
)
from events.sheets import SheetProblem
from kernel import codes, db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, Refusal
from kernel.text import DEFAULT_LOCALE, N_, LocalizedText
from people import journal, letters
from people.letters import Composed
from web import render
from web.i18n import gettext_in, reset_locale, use_locale

#: The largest number of tickets that one link hands out.
QUOTA_MAX: Final = 5_000
COMPOSER: Final = "partner_link"


class _Wiring:
    key: bytes = b""
    codes: Callable[[Sequence[int]], Awaitable[Mapping[int, str]]] | None = None


def configure(*, key: bytes, codes: Callable[[Sequence[int]], Awaitable[Mapping[int, str]]]) -> None:
    """Called once by main: the installation's key, and the short codes of passports by registration id."""
    _Wiring.key = key
    _Wiring.codes = staticmethod(codes)


# --- the link ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFacts:
    """A partner's or teacher's link. ``quota`` and ``taken`` count people who hold a place."""

    id: int
    event_id: int
    name: str
    contact_name: str
    contact_email: str
    locale: str
    ticket_type_id: int
    quota: int
    taken: int
    valid_until: datetime | None
    ticket_source: str
    secret_round: int
    is_active: bool
    created_at: datetime

    @property
    def left(self) -> int:
        return max(self.quota - self.taken, 0)

    def state(self, at: datetime) -> LinkState:
        return link_state(is_active=self.is_active, valid_until=self.valid_until, at=at)

    @property
    def actor(self) -> Actor:
        """Whoever holds the link."""
        return Actor(kind=ActorKind.PARTNER, id=self.id)


def _facts(row: RegistrationGroup) -> LinkFacts:
    assert row.ticket_type_id is not None
    return LinkFacts(
        id=row.id,
        event_id=row.event_id,
        name=row.name,
        contact_name=row.contact_name,
        contact_email=row.contact_email,
        locale=row.locale,
        ticket_type_id=row.ticket_type_id,
        quota=row.quota or 0,
        taken=row.taken,
        valid_until=row.valid_until,
        ticket_source=row.ticket_source,
        secret_round=row.secret_round,
        is_active=row.is_active,
        created_at=row.created_at,
    )


def secret_of(link_id: int, secret_round: int) -> str:
    """The key in the link, ``<id>-<22 characters>``; counting ``secret_round`` up makes every older one worthless."""
    return f"{link_id}-{codes.link_secret(_Wiring.key, 'partner', link_id, secret_round)}"


def address_of(slug: str, link: LinkFacts) -> str:
    """What the partner opens."""
    return render.absolute(render.url("events.partner", slug=slug, key=secret_of(link.id, link.secret_round)))


async def find(event_id: int, link_id: int) -> LinkFacts:
    """Raises NotFound ``partner_unknown``."""
    row = await RegistrationGroup.get_or_none(id=link_id, event_id=event_id, kind=GroupKind.PARTNER)
    if row is None:
        raise NotFound(PartnerCode.UNKNOWN)
    return _facts(row)


async def links(event_id: int) -> Sequence[LinkFacts]:
    """Every link of the event, the newest first; one statement."""
    rows = await RegistrationGroup.filter(event_id=event_id, kind=GroupKind.PARTNER).order_by("-id")
    return [_facts(row) for row in rows]


async def find_by_secret(event_id: int, secret: str) -> LinkFacts | None:
    """Which link this is, or None for a wrong, old or foreign key; compared in constant time."""
    number = codes.link_number(secret)
    if number is None:
        return None
    row = await RegistrationGroup.get_or_none(id=number, event_id=event_id, kind=GroupKind.PARTNER)
    right = codes.same_secret(secret_of(number, row.secret_round if row else 0), secret)
    return _facts(row) if row and right else None


# --- what organisers decide --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDetails:
    """``contact_email`` is folded; without a ``ticket_source`` the name is it; ``valid_until`` None: until it is off."""

    name: str
    ticket_type_id: int
    quota: int
    valid_until: datetime | None = None
    contact_name: str = ""
    contact_email: str = ""
    ticket_source: str = ""
    locale: str = DEFAULT_LOCALE

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if not self.name.strip():
            found["name"] = Problem(Code.REQUIRED)
        for field_name in ("name", "contact_name", "ticket_source"):
            if len(getattr(self, field_name)) > 120:
                found.setdefault(field_name, Problem(Code.TOO_LONG, {"limit": 120}))
        if not 1 <= self.quota <= QUOTA_MAX:
            found["quota"] = Problem(Code.OUT_OF_RANGE)
        return found

    def columns(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ticket_type_id": self.ticket_type_id,
            "quota": self.quota,
            "valid_until": self.valid_until,
            "contact_name": self.contact_name,
            "contact_email": self.contact_email,
            "ticket_source": self.ticket_source or self.name,
            "locale": self.locale,
        }


async def _check(event_id: int, details: LinkDetails) -> None:
    problems = details.problems()
    if details.ticket_type_id not in {item.id for item in await queries.ticket_types(event_id)}:
        problems["ticket_type_id"] = Problem(EventCode.TICKET_TYPE_UNKNOWN)
    if problems:
        raise Invalid(problems)


async def add(*, actor: Actor, event_id: int, details: LinkDetails, at: datetime) -> int:
    """Makes a link and gives its id. Raises Invalid."""
    async with unit_of_work():
        await _check(event_id, details)
        row = await RegistrationGroup.create(
            event_id=event_id, kind=GroupKind.PARTNER, created_at=at, **details.columns()
        )
        new = {"ticket_type_id": details.ticket_type_id, "quota": details.quota}
        await _write(actor, "partner_link.add", event_id, row.id, at, new=new)
    return int(row.id)


async def change(*, actor: Actor, event_id: int, link_id: int, details: LinkDetails, at: datetime) -> None:
    """Raises NotFound, or Invalid, at ``quota`` also for fewer places than people have already."""
    async with unit_of_work():
        await _check(event_id, details)
        old = await find(event_id, link_id)
        # The condition is part of the statement: a list that comes in this moment is counted, or refused.
        same = RegistrationGroup.filter(id=link_id, event_id=event_id, taken__lte=details.quota)
        if not await same.update(**details.columns()):
            now = await find(event_id, link_id)
            raise Invalid({"quota": Problem(PartnerCode.QUOTA_BELOW_TAKEN, {"taken": now.taken})})
        await _write(
            actor,
            "partner_link.change",
            event_id,
            link_id,
            at,
            old={"ticket_type_id": old.ticket_type_id, "quota": old.quota},
            new={"ticket_type_id": details.ticket_type_id, "quota": details.quota},
        )


async def renew(*, actor: Actor, event_id: int, link_id: int, at: datetime) -> None:
    """Makes the link that is out there worthless; the new one is shown by the desk. Raises NotFound."""
    async with unit_of_work():
        rows = await db.query(
            "UPDATE registration_group SET secret_round = secret_round + 1 "
            "WHERE id = $1 AND event_id = $2 AND kind = 'partner' RETURNING id",
            link_id,
            event_id,
        )
        if not rows:
            raise NotFound(PartnerCode.UNKNOWN)
        await _write(actor, "partner_link.renew", event_id, link_id, at)


async def switch(*, actor: Actor, event_id: int, link_id: int, is_active: bool, at: datetime) -> None:
    """Off: its people stay registered, the link shows them and takes nobody more. Twice is once. Raises NotFound."""
    async with unit_of_work():
        await find(event_id, link_id)
        other = RegistrationGroup.filter(id=link_id, is_active=not is_active)
        if await other.update(is_active=is_active):
            await _write(actor, "partner_link.switch", event_id, link_id, at, new={"is_active": is_active})


async def _write(
    actor: Actor,
    verb: str,
    event_id: int,
    link_id: int,
    at: datetime,
    *,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
) -> None:
    await journal.write(
        actor=actor,
        verb=verb,
        object_kind="partner_link",
        object_id=link_id,
        event_id=event_id,
        old=dict(old or {}),
        new=dict(new or {}),
        at=at,
    )


# --- the letter to the contact -----------------------------------------------------------------------------------

_SUBJECT: Final = N_("Tickets for your people: %(event)s")
_TEXT: Final = N_("""Hello %(name)s,

%(quota)s tickets (%(ticket)s) for %(event)s are yours to hand out.

Open the link below, paste your people from Excel or Feishu (name, e-mail or phone, organisation: one person a line),
look at the list and register it. Everybody with an e-mail address gets their own letter. You see who is registered,
who has come, and can take people off the list again. No account is needed.
""")
_UNTIL: Final = N_("The link is good until %(when)s.")
_LINK: Final = N_("""%(link)s

Whoever has this link can register and cancel your people. Keep it to yourself.
""")


async def send_letter(
    *, actor: Actor, event: EventFacts, link_id: int, request_id: UUID, at: datetime
) -> None:
    """Queues the letter with the link to its contact; the same form again is the same letter.

    The secret is added when it is sent. Raises NotFound, or Invalid at ``contact_email`` where there is none.
    """
    async with unit_of_work():
        link = await find(event.id, link_id)
        if not link.contact_email:
            raise Invalid({"contact_email": Problem(Code.REQUIRED)})
        types = {item.id: item.name for item in await queries.ticket_types(event.id)}
        locale = link.locale
        said = gettext_in(locale, _TEXT) % {
            "name": link.contact_name or link.name,
            "quota": link.quota,
            "ticket": types.get(link.ticket_type_id, LocalizedText()).in_(locale),
            "event": event.name.in_(locale),
        }
        if link.valid_until is not None:
            when = _moment(link.valid_until, event.time_zone, locale)
            said += "\n" + gettext_in(locale, _UNTIL) % {"when": when} + "\n"
        await letters.queue(
            key=f"partner_link:{link.id}:{request_id}",
            to_email=link.contact_email,
            locale=locale,
            subject=gettext_in(locale, _SUBJECT) % {"event": event.name.in_(locale)},
            text=said,
            composer=COMPOSER,
            composer_id=link.id,
            event_id=event.id,
            at=at,
        )
        await _write(actor, "partner_link.letter", event.id, link.id, at)


def _moment(at: datetime, zone: str, locale: str) -> str:
    token = use_locale(locale)
    try:
        return render.moment(at, zone)
    finally:
        reset_locale(token)


async def letter_parts(link_id: int, locale: str) -> Composed | None:
    """What the composer adds when the letter is sent: the link as it is then. None once it is switched off."""
    row = await RegistrationGroup.get_or_none(id=link_id, kind=GroupKind.PARTNER)
    event = await queries.find_event_by_id(row.event_id) if row else None
    if row is None or event is None or not row.is_active:
        return None
    link = address_of(event.slug, _facts(row))
    return Composed(text_suffix=gettext_in(locale, _LINK) % {"link": link})


# --- what the partner does ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the link has registered. ``email`` and ``phone`` are for comparing lists, not for showing: their
    owner may have changed them since.
    """

    id: int
    name: str
    organisation: str
    state: RegistrationState
    created_at: datetime
    email: str = ""
    phone: str = ""

    @property
    def holds_a_place(self) -> bool:
        return self.state in HOLDS_A_PLACE


async def people(link: LinkFacts) -> Sequence[Person]:
    """The link's people in the order in which they were registered; one statement."""
    rows = await Registration.filter(group_id=link.id, merged_into_id__isnull=True).order_by("id")
    return [
        Person(
            row.id,
            row.name,
            row.organisation,
            RegistrationState(row.state),
            row.created_at,
            row.email,
            row.phone,
        )
        for row in rows
    ]


async def short_codes(registration_ids: Sequence[int]) -> Mapping[int, str]:
    """The short codes of passports by registration id; none without a floor that has passports."""
    return await _Wiring.codes(registration_ids) if _Wiring.codes is not None else {}


async def preview(link: LinkFacts, text: str) -> Plan:
    """What a pasted list would do; registers nobody."""
    try:
        rows = rows_of(text)
    except SheetProblem as problem:
        return Plan(
            problem=Problem(problem.code, dict(problem.params))
            if text.strip()
            else Problem(PartnerCode.EMPTY)
        )
    return plan(rows, [one for one in await people(link) if one.holds_a_place])


@dataclass(frozen=True, slots=True)
class Submitted:
    """How many of the list hold a place by this link now, and the lines whose place was lost to somebody else."""

    registered: int
    lost: Mapping[int, Problem] = field(default_factory=dict)


async def submit(
    *,
    link: LinkFacts,
    text: str,
    leave_out: frozenset[int],
    form_id: UUID,
    locale: str,
    at: datetime,
) -> Submitted:
    """Registers everybody in the list but the lines named, which must be exactly the ones that can't be registered.

    One transaction a person, each with a request id of its own under ``form_id``: a list that is sent again goes on
    where it stopped. When others take places in between, the lines that found none are named in ``lost``.

    Raises Invalid at ``people`` for a list that can't be read, that has nobody new, more than there are places, or
    other bad lines than were named, or too many that came and went within an hour; Conflict ``group_closed`` for a link that is over or off.
    """
    if link.state(at) is not LinkState.OPEN:
        raise Conflict(EventCode.GROUP_CLOSED)
    planned = await preview(link, text)
    new = planned.having(Outcome.NEW)
    there = len(planned.having(Outcome.THERE))
    problem = planned.problem
    if problem is None and planned.bad != leave_out:
        problem = Problem(PartnerCode.STALE)
    if problem is None and not new and not there:
        problem = Problem(PartnerCode.NOTHING)
    if problem is None and len(new) > link.left:
        problem = Problem(PartnerCode.NO_ROOM, {"left": link.left, "new": len(new)})
    if problem is None and is_too_often(
        quota=link.quota, within_an_hour=await _made_since(link, at - timedelta(hours=1)), new=len(new)
    ):
        problem = Problem(PartnerCode.TOO_OFTEN)
    if problem is not None:
        raise Invalid({"people": problem})
    lost: dict[int, Problem] = {}
    for line in new:
        try:
            await registrations.register(
                event_id=link.event_id,
                ticket_type_id=link.ticket_type_id,
                contact=line.contact,
                source=RegistrationSource.PARTNER,
                locale=locale,
                at=at,
                actor=link.actor,
                request_id=uuid5(form_id, f"line {line.number}"),
                group_id=link.id,
                ticket_source=link.ticket_source,
            )
        except Refusal as refusal:
            lost[line.number] = Problem(refusal.code, dict(refusal.params))
    return Submitted(there + len(new) - len(lost), lost)


async def _made_since(link: LinkFacts, since: datetime) -> int:
    return await Registration.filter(group_id=link.id, created_at__gt=since).count()


async def cancel(*, link: LinkFacts, registration_id: int, at: datetime) -> None:
    """Takes one of the link's own people off the list; the place is free again, for the link too. Twice is once.

    Raises NotFound for somebody else's, Conflict ``group_closed`` when the link is over or off.
    """
    if link.state(at) is not LinkState.OPEN:
        raise Conflict(EventCode.GROUP_CLOSED)
    if not await Registration.filter(id=registration_id, group_id=link.id, event_id=link.event_id).exists():
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    try:
        await registrations.cancel(
            actor=link.actor, event_id=link.event_id, registration_id=registration_id, at=at
        )
    except Conflict as refusal:
        if refusal.code != EventCode.ALREADY_CANCELLED:
            raise
