"""Group registration: one person registers several, all or none, and looks after them by a secret link.

Promises: every row becomes a registration or none does, and each row that can't is named at once; quotas hold as for
single registrations, because each row goes through the same door; the same form sent twice is one group. The link's
secret is derived from the installation's key and never stored; the leader's letter gets it when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from events import answers, letter, notices, queries, quotas, registrations, self_service
from events.letter import Notice
from events.models import Registration, RegistrationGroup
from events.queries import RegistrationFacts
from events.rules import (
    Contact,
    EventCode,
    EventFacts,
    GroupKind,
    RegistrationSource,
    RegistrationState,
)
from kernel import codes, db
from kernel.actor import ANONYMOUS, Actor
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound, Problem, Refusal, TooMany
from kernel.text import N_
from people import journal, letters, replays
from people.letters import Composed
from web import render
from web.i18n import gettext_in

ROWS_AT_MOST: Final = 20
#: Groups of one leader within an hour: a class or two, not a machine.
GROUPS_AN_HOUR: Final = 5
#: One letter to a member in this time, however often the button is pressed.
RESEND_EVERY_S: Final = 600
#: The leader was given everybody's first link. Who has a newer one (the place was handed on to somebody else, or the
#: link got into wrong hands) looks after it alone: the leader sees and does nothing there any more.
LEADERS_ROUND: Final = 0


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the installation's key, and what the leader's letter is sent with."""
    _Wiring.key = key
    letters.compose_with("group", _letter_parts)


# --- the leader's secret link ------------------------------------------------------------------------------------


def secret_of(group_id: int, secret_round: int) -> str:
    """The key of the leader's link, ``<group id>-<22 characters>``; derived, never stored."""
    return f"{group_id}-{codes.link_secret(_Wiring.key, 'group', group_id, secret_round)}"


def link_of(slug: str, group_id: int, secret_round: int) -> str:
    """Opens the leader's page; it may stand in the leader's mail and nowhere else."""
    return render.absolute(f"/e/{slug}/group?key={secret_of(group_id, secret_round)}")


@dataclass(frozen=True, slots=True)
class GroupFacts:
    id: int
    event_id: int
    name: str
    contact_name: str
    contact_email: str
    secret_round: int


async def find_by_secret(event_id: int, secret: str) -> GroupFacts | None:
    """Whose link this is, or None for a wrong, old or foreign one; compared in constant time."""
    number = codes.link_number(secret)
    if number is None:
        return None
    row = await RegistrationGroup.get_or_none(
        id=number, event_id=event_id, kind=GroupKind.GROUP, is_active=True
    )
    right = codes.same_secret(secret_of(number, row.secret_round if row else 0), secret)
    return _facts(row) if row and right else None


def _facts(row: RegistrationGroup) -> GroupFacts:
    return GroupFacts(row.id, row.event_id, row.name, row.contact_name, row.contact_email, row.secret_round)


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A group in a list; ``people`` counts those who hold a place."""

    id: int
    name: str
    contact_name: str
    contact_email: str
    people: int
    created_at: datetime


async def listed(event_id: int) -> Sequence[GroupLine]:
    """The event's groups, the newest first; one statement."""
    rows = await RegistrationGroup.filter(event_id=event_id, kind=GroupKind.GROUP).order_by("-id")
    return [
        GroupLine(row.id, row.name, row.contact_name, row.contact_email, row.taken, row.created_at)
        for row in rows
    ]


# --- registering -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One person of a group; ``number`` is the row on the form, where its problems go."""

    number: int
    contact: Contact
    ticket_type_id: int
    access_code: str = ""
    join_waitlist: bool = False


async def register(
    *,
    event_id: int,
    name: str,
    contact_name: str,
    contact_email: str,
    rows: Sequence[GroupRow],
    consents: Mapping[int, bool],
    locale: str,
    at: datetime,
    actor: Actor | None = None,
    request_id: UUID,
) -> int:
    """Registers a group and gives its id: one transaction, one letter to the leader, one to each who has an address.

    Raises Invalid with a problem at ``row.<number>.ticket_type`` (or another field of the row) for every row that
    can't be, and nothing is done; TooMany for the leader's sixth group within an hour; Conflict ``replay_mismatch``
    for the same form with other content; Refusal ``registration_closed`` or ``registration_not_open_yet``.
    """
    assert 0 < len(rows) <= ROWS_AT_MOST
    who = actor or ANONYMOUS
    body = {
        "event_id": event_id,
        "name": name,
        "contact_name": contact_name,
        "contact_email": contact_email,
        "rows": [asdict(row) for row in rows],
        "consents": {str(number): given for number, given in consents.items()},
    }

    async def once() -> Mapping[str, int]:
        async with unit_of_work():
            await quotas.hold(event_id)
            event = await queries.find_event_by_id(event_id)
            if event is None:
                raise NotFound(EventCode.EVENT_UNKNOWN)
            await _spare_the_inbox(event_id, contact_email, at)
            group = await RegistrationGroup.create(
                event_id=event_id,
                kind=GroupKind.GROUP,
                name=name,
                contact_name=contact_name,
                contact_email=contact_email,
                locale=locale,
                created_at=at,
            )
            ids = await _register_rows(
                event_id=event_id, group_id=group.id, rows=rows, locale=locale, at=at, who=who
            )
            if consents:
                await answers.store_many(
                    event_id=event_id, registration_ids=ids, consents=consents, locale=locale, at=at
                )
            await journal.write(
                actor=who,
                verb="group.register",
                object_kind="group",
                object_id=group.id,
                event_id=event_id,
                new={"count": len(ids)},
                at=at,
            )
            await _queue_letter(event, group, len(ids), at)
        return {"group_id": group.id}

    async def settled() -> Mapping[str, int]:
        return await replays.once(id=request_id, actor_key=who.key, body=body, at=at, action=once)

    return int((await db.retrying(settled))["group_id"])


async def _register_rows(
    *, event_id: int, group_id: int, rows: Sequence[GroupRow], locale: str, at: datetime, who: Actor
) -> list[int]:
    ids: list[int] = []
    problems: dict[str, Problem] = {}
    for row in rows:
        try:
            # A savepoint each: the rows behind one that can't be are looked at too, and all problems are told at once.
            async with unit_of_work():
                ids.append(
                    await registrations.register(
                        event_id=event_id,
                        ticket_type_id=row.ticket_type_id,
                        contact=row.contact,
                        source=RegistrationSource.GROUP,
                        locale=locale,
                        at=at,
                        actor=who,
                        group_id=group_id,
                        access_code=row.access_code,
                        join_waitlist=row.join_waitlist,
                    )
                )
        except Invalid as refusal:
            problems |= {_place_of(row, where): problem for where, problem in refusal.fields.items()}
        except (Conflict, NotFound) as refusal:
            problems[f"row.{row.number}.ticket_type"] = _problem(refusal)
        except TooMany as refusal:
            problems[f"row.{row.number}.reach"] = _problem(refusal)
    if problems:
        raise Invalid(problems)
    return ids


def _place_of(row: GroupRow, where: str) -> str:
    if where == "access_code":
        return where
    return f"row.{row.number}.{'reach' if where in ('email', 'phone') else where}"


def _problem(refusal: Refusal) -> Problem:
    return Problem(refusal.code, dict(refusal.params))


async def _spare_the_inbox(event_id: int, email: str, at: datetime) -> None:
    hour = at - timedelta(hours=1)
    known = await RegistrationGroup.filter(
        event_id=event_id, kind=GroupKind.GROUP, contact_email=email, created_at__gt=hour
    ).count()
    if known >= GROUPS_AN_HOUR:
        raise TooMany(EventCode.TOO_MANY_FOR_EMAIL, retry_after_s=3600)


# --- the leader's letter -----------------------------------------------------------------------------------------

_SUBJECT: Final = N_("Your group is registered: %(event)s")
_TEXT: Final = (
    N_("Hello %(name)s,"),
    N_("You registered %(count)s people for %(event)s."),
    N_("The links below open each one's own page. Pass each on to its owner and to nobody else."),
)
_LINK: Final = N_("Your group's page, where you see how each stands: %(link)s")


async def _queue_letter(event: EventFacts, group: RegistrationGroup, count: int, at: datetime) -> None:
    locale = group.locale
    values = {
        "name": group.contact_name,
        "event": " ".join(event.name.in_(locale).split()),
        "count": str(count),
    }
    text = "\n\n".join(gettext_in(locale, one) % values for one in _TEXT)
    await letters.queue(
        key=f"group:{group.id}",
        to_email=group.contact_email,
        locale=locale,
        subject=gettext_in(locale, _SUBJECT) % {"event": values["event"]},
        text=f"{text}\n\n{letter.days(event, locale)}\n{letter.place(event, locale)}\n",
        composer="group",
        composer_id=group.id,
        event_id=event.id,
        at=at,
    )


async def _letter_parts(group_id: int, locale: str) -> Composed | None:
    """Everybody's links and the leader's own; None when nobody of the group is left."""
    row = await RegistrationGroup.get_or_none(id=group_id)
    if row is None:
        return None
    event = await queries.find_event_by_id(row.event_id)
    assert event is not None
    alive = [one for one in await _registered(group_id) if one.state is not RegistrationState.CANCELLED]
    if not alive:
        return None
    lines = [
        "{}\n{}".format(
            one.name,
            render.absolute(f"/e/{event.slug}/me?key={registrations.secret_of(one.id, one.secret_round)}"),
        )
        for one in alive
    ]
    own = gettext_in(locale, _LINK) % {"link": link_of(event.slug, row.id, row.secret_round)}
    return Composed(text_suffix="\n\n".join([*lines, own]))


# --- looking after it --------------------------------------------------------------------------------------------


async def _registered(group_id: int) -> Sequence[RegistrationFacts]:
    rows = await Registration.filter(group_id=group_id, secret_round=LEADERS_ROUND).order_by("id").only("id")
    return await queries.registration_facts([row.id for row in rows])


@dataclass(frozen=True, slots=True)
class Member:
    """One person as the leader sees them: what the leader typed and how it stands, nothing that was answered since."""

    id: int
    name: str
    ticket_type_id: int
    state: RegistrationState
    has_email: bool
    offer_until: datetime | None


async def members(group: GroupFacts) -> Sequence[Member]:
    """The people of a group in the order of the form; one statement."""
    rows = await Registration.filter(
        group_id=group.id, event_id=group.event_id, secret_round=LEADERS_ROUND
    ).order_by("id")
    return [
        Member(
            row.id,
            row.name,
            row.ticket_type_id,
            RegistrationState(row.state),
            bool(row.email),
            row.offer_until,
        )
        for row in rows
    ]


async def _member(group: GroupFacts, registration_id: int) -> Registration:
    row = await Registration.get_or_none(
        id=registration_id, group_id=group.id, event_id=group.event_id, secret_round=LEADERS_ROUND
    )
    if row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    return row


_NOTICE_OF: Final[Mapping[RegistrationState, Notice]] = {
    RegistrationState.CONFIRMED: Notice.REGISTERED,
    RegistrationState.PENDING: Notice.PENDING,
    RegistrationState.WAITLISTED: Notice.WAITLISTED,
    RegistrationState.OFFERED: Notice.OFFERED,
}


async def resend(*, group: GroupFacts, registration_id: int, at: datetime) -> None:
    """Sends a member their letter once more, at most every ten minutes; to the leader when they have no address.

    Raises NotFound for somebody else's registration, Conflict ``already_cancelled``.
    """
    async with unit_of_work():
        row = await _member(group, registration_id)
        notice = _NOTICE_OF.get(RegistrationState(row.state))
        if notice is None:
            raise Conflict(EventCode.ALREADY_CANCELLED)
        event = await queries.find_event_by_id(group.event_id)
        assert event is not None
        types = {item.id: item.name for item in await queries.ticket_types(event.id)}
        window = int(at.timestamp()) // RESEND_EVERY_S
        await letters.queue(
            key=f"group-resend:{row.id}:{window}",
            to_email=row.email or group.contact_email,
            locale=row.locale,
            subject=letter.subject(event, row.locale, notice),
            text=letter.text(
                event,
                name=row.name,
                ticket_type=types[row.ticket_type_id],
                address=render.absolute(f"/e/{event.slug}"),
                locale=row.locale,
                notice=notice,
                until=row.offer_until,
            ),
            composer=notices.COMPOSER_OF.get(notice, ""),
            composer_id=row.id,
            event_id=event.id,
            at=at,
        )
        await journal.write(
            actor=ANONYMOUS,
            verb="group.resend",
            object_kind="registration",
            object_id=row.id,
            event_id=event.id,
            # A leader has no account: the line names the group.
            new={"group_id": group.id},
            at=at,
        )


async def cancel(
    *, group: GroupFacts, registration_id: int, actor: Actor, at: datetime, request_id: UUID
) -> None:
    """Cancels one member's registration on the leader's word, as the member could do; its place is free again.

    Raises NotFound for somebody else's registration, and what ``self_service.cancel`` raises.
    """
    await _member(group, registration_id)
    await self_service.cancel(
        actor=actor,
        event_id=group.event_id,
        registration_id=registration_id,
        secret_round=LEADERS_ROUND,
        at=at,
        request_id=request_id,
    )
