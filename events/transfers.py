"""Transfers: a registration goes from one person to another when both have said yes.

The holder names somebody and confirms by a link in their own mail (without an e-mail address, naming is confirming).
Then, and not before, the other one gets a letter; taking the place completes it in one transaction: the contact and
the personal answers are the taker's, older secret links are worthless, and the passport is a new one. Promises: at
most one transfer of a registration is open; it is finished once, however many press at once; nobody who was admitted
is replaced; the secrets of both links are derived, and stand in no table and no letter's row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

import orjson

from events import answers, holder_letters, letter, queries, registrations
from events.answers import Extras
from events.contacts import clean_name, normalise_email
from events.models import Consent, IdDocument, Registration, Transfer
from events.rules import CONTACT_FIELDS, Contact, EventCode, EventFacts, RegistrationState, TransferState
from events.self_service_rules import (
    HolderAct,
    HolderFacts,
    SelfServiceCode,
    closes_at,
    refusal,
    transfer_expires_at,
)
from kernel import codes, db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound, Problem, TooMany
from kernel.hooks import Hook
from kernel.text import N_, LocalizedText
from people import journal, letters, replays
from people.letters import Composed
from web import render
from web.i18n import gettext_in

#: Letters to strangers that one registration may cause in a day.
OFFERS_A_DAY: Final = 5


class Side(StrEnum):
    """Whose link it is."""

    GIVER = "giver"
    TAKER = "taker"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFacts:
    """A transfer as pages show it. ``to_name`` and ``to_email`` are empty when it has ended."""

    id: int
    event_id: int
    registration_id: int
    state: TransferState
    to_name: str
    to_email: str
    locale: str
    giver_confirmed_at: datetime | None
    created_at: datetime
    expires_at: datetime

    def stands_at(self, at: datetime) -> TransferState:
        """The state; one whose time has run out is expired, also before the broom has come by."""
        return (
            TransferState.EXPIRED
            if self.state is TransferState.OPEN and at >= self.expires_at
            else self.state
        )


@dataclass(frozen=True, slots=True)
class Transferred:
    """A registration that belongs to another person now."""

    event_id: int
    registration_id: int


#: Told inside the transaction that completes a transfer, after ``registrations.changed``. A handler that raises
#: Conflict (somebody was admitted meanwhile) undoes it.
transferred: Final[Hook[Transferred]] = Hook("events.transfers.transferred")

#: Which of these registrations were admitted anywhere: known to an upper floor.
WasAdmitted = Callable[[Sequence[int]], Awaitable[frozenset[int]]]


async def _nobody(_registration_ids: Sequence[int]) -> frozenset[int]:
    return frozenset()


class _Wiring:
    key: bytes = b""
    was_admitted: WasAdmitted = staticmethod(_nobody)


def configure(*, key: bytes, was_admitted: WasAdmitted) -> None:
    """Called once by main: the installation's key for the links' secrets, and who has been let in."""
    _Wiring.key = key
    _Wiring.was_admitted = was_admitted


async def was_admitted(registration_id: int) -> bool:
    """Whether this registration's passport has ever been let in."""
    return registration_id in await _Wiring.was_admitted([registration_id])


# --- the links ---------------------------------------------------------------------------------------------------


def secret_of(transfer_id: int, side: Side) -> str:
    """The key of one side's link, ``<transfer id>-<g or t>-<22 characters>``; derived, never stored."""
    return f"{transfer_id}-{side[0]}-{codes.link_secret(_Wiring.key, 'transfer', transfer_id, side)}"


async def find(event_id: int, secret: str) -> tuple[TransferFacts, Side] | None:
    """Whose link of which transfer this is, in whatever state; None for a wrong or foreign one."""
    if not secret or len(secret) > 100:
        return None
    digest = codes.digest(secret)
    for side in Side:
        row = await Transfer.filter(event_id=event_id, **{f"{side}_digest": digest}).first()
        if row is not None:
            return _facts(row), side
    return None


def expires_at(event: EventFacts, at: datetime) -> datetime:
    """When a transfer that is begun at ``at`` would lapse."""
    return transfer_expires_at(at, closes_at(event))


async def open_of(registration_id: int, at: datetime) -> TransferFacts | None:
    """The transfer that is under way for this registration, if any."""
    row = await Transfer.get_or_none(open_for=registration_id)
    return _facts(row) if row is not None and at < row.expires_at else None


async def open_in(event_id: int, at: datetime) -> Sequence[TransferFacts]:
    """What is under way in an event, the oldest first."""
    rows = await Transfer.filter(event_id=event_id, open_for__not_isnull=True, expires_at__gt=at).order_by(
        "id"
    )
    return [_facts(row) for row in rows]


def _facts(row: Transfer) -> TransferFacts:
    return TransferFacts(
        id=row.id,
        event_id=row.event_id,
        registration_id=row.registration_id,
        state=TransferState(row.state),
        to_name=row.to_name,
        to_email=row.to_email,
        locale=row.locale,
        giver_confirmed_at=row.giver_confirmed_at,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def link(slug: str, transfer_id: int, side: Side) -> str:
    """The address in one side's letter."""
    return render.absolute(f"/e/{slug}/transfer?key={secret_of(transfer_id, side)}")


_SUFFIX: Final = N_("""Open this page: %(link)s

The link is for you alone. Please don't pass it on.
""")


async def letter_parts(transfer_id: int, locale: str, side: Side) -> Composed | None:
    """What a composer adds to a letter at the moment of sending; None when there is nothing to decide any more."""
    row = await Transfer.get_or_none(id=transfer_id, state=TransferState.OPEN)
    if row is None or (side is Side.GIVER and row.giver_confirmed_at is not None):
        return None
    event = await queries.find_event_by_id(row.event_id)
    assert event is not None
    return Composed(text_suffix=gettext_in(locale, _SUFFIX) % {"link": link(event.slug, row.id, side)})


async def giver_letter(transfer_id: int, locale: str) -> Composed | None:
    return await letter_parts(transfer_id, locale, Side.GIVER)


async def taker_letter(transfer_id: int, locale: str) -> Composed | None:
    return await letter_parts(transfer_id, locale, Side.TAKER)


async def still_theirs(event_id: int, registration_id: int, secret_round: int) -> None:
    """Inside a unit of work: the registration is that holder's who was looked at with this ``secret_round``, and stays
    so until the commit. Raises NotFound when it has gone to another person since: a slow request of the old holder
    must not write into the new one's registration.
    """
    rows = await db.query(
        "UPDATE registration SET updated_at = updated_at WHERE id = $1 AND event_id = $2 AND secret_round = $3 "
        "RETURNING id",
        registration_id,
        event_id,
        secret_round,
    )
    if not rows:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)


# --- begun -------------------------------------------------------------------------------------------------------


async def begin(
    *,
    actor: Actor,
    event_id: int,
    registration_id: int,
    secret_round: int,
    to_name: str,
    to_email: str,
    at: datetime,
    request_id: UUID,
) -> int:
    """The holder names somebody; gives the transfer's id. The same form sent again gives the same one.

    ``secret_round`` is the one with which the holder came in (``still_theirs``).

    Raises Invalid at ``to_name`` or ``to_email``, Conflict with a SelfServiceCode when this registration can't be
    handed on now, ``transfer_open`` when one is under way, TooMany for the sixth in a day.
    """
    name, email = clean_name(to_name), normalise_email(to_email)
    problems: dict[str, Problem] = {}
    if isinstance(name, Problem):
        problems["to_name"] = name
    if isinstance(email, Problem):
        problems["to_email"] = email
    row = await _registration(event_id, registration_id)
    if not isinstance(email, Problem) and email.key == row.email:
        problems["to_email"] = Problem(SelfServiceCode.TRANSFER_TO_ONESELF)
    if isinstance(name, Problem) or isinstance(email, Problem) or problems:
        raise Invalid(problems)

    async def once() -> Mapping[str, int]:
        async with unit_of_work():
            event = await _event(event_id)
            row = await _registration(event_id, registration_id)
            await _check(event, row, at)
            # What has lapsed stands in nobody's way.
            await _end("open_for = $3 AND expires_at <= $2", TransferState.EXPIRED, at, registration_id)
            day = at - timedelta(days=1)
            if (
                await Transfer.filter(registration_id=registration_id, created_at__gt=day).count()
                >= OFFERS_A_DAY
            ):
                raise TooMany(SelfServiceCode.TOO_MANY_ADDRESSES, retry_after_s=86_400)
            made = await db.query(
                "INSERT INTO transfer (event_id, registration_id, state, to_name, to_email, locale, giver_digest, "
                "taker_digest, giver_confirmed_at, open_for, created_at, expires_at) "
                "VALUES ($1, $2, 'open', $3, $4, $5, $6, $7, $8, $2, $9, $10) "
                "ON CONFLICT (open_for) DO NOTHING RETURNING id",
                event_id,
                registration_id,
                name,
                email.key,
                row.locale,
                # The secrets are derived from the id, so their digests are known a moment later.
                codes.digest(str(uuid4())),
                codes.digest(str(uuid4())),
                None if row.email else at,
                at,
                expires_at(event, at),
            )
            if not made:
                raise Conflict(SelfServiceCode.TRANSFER_OPEN)
            await still_theirs(event_id, registration_id, secret_round)
            number = int(made[0]["id"])
            await Transfer.filter(id=number).update(
                giver_digest=codes.digest(secret_of(number, Side.GIVER)),
                taker_digest=codes.digest(secret_of(number, Side.TAKER)),
            )
            await _write(actor, "registration.transfer_begin", event_id, registration_id, at)
            transfer = _facts(await Transfer.get(id=number))
            if row.email:
                await _ask_giver(event, transfer, row, at)
            else:
                await _offer_taker(event, transfer, row, at)
        return {"transfer_id": number}

    body = {"registration_id": registration_id, "name": name, "email": email.key}

    async def settled() -> Mapping[str, int]:
        return await replays.once(id=request_id, actor_key=actor.key, body=body, at=at, action=once)

    return int((await db.retrying(settled))["transfer_id"])


async def _registration(event_id: int, registration_id: int) -> Registration:
    row = await Registration.get_or_none(id=registration_id, event_id=event_id)
    if row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    return row


async def _event(event_id: int) -> EventFacts:
    event = await queries.find_event_by_id(event_id)
    if event is None:
        raise NotFound(EventCode.EVENT_UNKNOWN)
    return event


async def _check(event: EventFacts, row: Registration, at: datetime) -> None:
    facts = HolderFacts(
        state=RegistrationState(row.state),
        at=at,
        until=closes_at(event),
        was_admitted=await was_admitted(row.id),
    )
    if code := refusal(HolderAct.TRANSFER, facts):
        raise Conflict(code)


async def _ask_giver(event: EventFacts, transfer: TransferFacts, row: Registration, at: datetime) -> None:
    subject, text = holder_letters.asked(
        event, name=row.name, taker=transfer.to_name, until=transfer.expires_at, locale=row.locale
    )
    await letters.queue(
        key=f"transfer:{transfer.id}:asked",
        to_email=row.email,
        locale=row.locale,
        subject=subject,
        text=text,
        composer="transfer_giver",
        composer_id=transfer.id,
        event_id=event.id,
        at=at,
    )


async def _offer_taker(event: EventFacts, transfer: TransferFacts, row: Registration, at: datetime) -> None:
    types = {item.id: item for item in await queries.ticket_types(event.id)}
    subject, text = holder_letters.offered(
        event,
        name=transfer.to_name,
        giver=row.name,
        ticket_type=types[row.ticket_type_id].name,
        until=transfer.expires_at,
        locale=transfer.locale,
    )
    await letters.queue(
        key=f"transfer:{transfer.id}:offered",
        to_email=transfer.to_email,
        locale=transfer.locale,
        subject=subject,
        text=text,
        composer="transfer_taker",
        composer_id=transfer.id,
        event_id=event.id,
        at=at,
    )


# --- two say yes -------------------------------------------------------------------------------------------------


async def confirm(*, actor: Actor, event_id: int, transfer_id: int, at: datetime) -> None:
    """The holder says yes, and the person who was named gets their letter; saying it again changes nothing.

    Raises Conflict ``transfer_ended`` when it is no longer open.
    """

    async def once() -> None:
        async with unit_of_work():
            rows = await db.query(
                "UPDATE transfer SET giver_confirmed_at = $3 WHERE id = $1 AND event_id = $2 AND state = 'open' "
                "AND expires_at > $3 AND giver_confirmed_at IS NULL RETURNING registration_id",
                transfer_id,
                event_id,
                at,
            )
            if not rows:
                known = _facts(await _transfer(event_id, transfer_id))
                if known.stands_at(at) is not TransferState.OPEN:
                    raise Conflict(SelfServiceCode.TRANSFER_ENDED)
                return
            event = await _event(event_id)
            row = await _registration(event_id, int(rows[0]["registration_id"]))
            await _check(event, row, at)
            await _write(actor, "registration.transfer_confirm", event_id, row.id, at)
            await _offer_taker(event, _facts(await _transfer(event_id, transfer_id)), row, at)

    await db.retrying(once)


async def _transfer(event_id: int, transfer_id: int) -> Transfer:
    row = await Transfer.get_or_none(id=transfer_id, event_id=event_id)
    if row is None:
        raise NotFound(SelfServiceCode.TRANSFER_UNKNOWN)
    return row


async def take(
    *,
    actor: Actor,
    event_id: int,
    transfer_id: int,
    contact: Contact,
    extras: Extras,
    locale: str,
    at: datetime,
    request_id: UUID,
) -> int:
    """The person who was named takes the place, which completes the transfer; gives the registration's id.

    The e-mail is the one that the letter went to, whatever ``contact`` says. Raises Invalid as registering does,
    Conflict ``transfer_not_confirmed`` before the holder's yes, ``transfer_ended`` when it is over, or with the
    SelfServiceCode that forbids it now (``self_service_admitted`` for a holder who is in the hall already).
    """
    known = await _transfer(event_id, transfer_id)
    # An ended one has dropped the address; a replay must still find its own body.
    email = known.to_email

    async def once() -> Mapping[str, int]:
        async with unit_of_work():
            rows = await db.query(
                "UPDATE transfer SET state = 'done', open_for = NULL, taker_confirmed_at = $3, ended_at = $3, "
                "to_name = '', to_email = '' WHERE id = $1 AND event_id = $2 AND state = 'open' AND expires_at > $3 "
                "AND giver_confirmed_at IS NOT NULL RETURNING registration_id",
                transfer_id,
                event_id,
                at,
            )
            if not rows:
                now = _facts(await _transfer(event_id, transfer_id)).stands_at(at)
                is_open = now is TransferState.OPEN
                raise Conflict(
                    SelfServiceCode.TRANSFER_NOT_CONFIRMED if is_open else SelfServiceCode.TRANSFER_ENDED
                )
            taker = replace(contact, email=email).with_last4()
            if problems := taker.problems():
                raise Invalid(problems)
            event = await _event(event_id)
            row = await _registration(event_id, int(rows[0]["registration_id"]))
            await _check(event, row, at)
            await _hand_over(event, row, taker, extras=extras, locale=locale, at=at)
            await _write(actor, "registration.transfer", event_id, row.id, at)
            await registrations.changed.tell(registrations.Changed(event_id, [row.id]))
            await transferred.tell(Transferred(event_id, row.id))
            await _tell_both(event, transfer_id, row, taker, locale=locale, at=at)
        return {"registration_id": row.id}

    body = {
        "transfer_id": transfer_id,
        "contact": {name: getattr(contact, name) for name in CONTACT_FIELDS if name != "email"},
        "extras": extras.body(),
    }

    async def settled() -> Mapping[str, int]:
        return await replays.once(id=request_id, actor_key=actor.key, body=body, at=at, action=once)

    return int((await db.retrying(settled))["registration_id"])


async def _hand_over(
    event: EventFacts, row: Registration, taker: Contact, *, extras: Extras, locale: str, at: datetime
) -> None:
    """The row is the taker's: what was personal to the giver goes, and so does another shop's code that they hold."""
    same = Registration.filter(id=row.id, state=row.state, secret_round=row.secret_round)
    columns: dict[str, Any] = {name: getattr(taker, name) for name in CONTACT_FIELDS}
    if not await same.update(
        **columns,
        search=taker.search,
        locale=locale,
        external_code=None,
        secret_round=row.secret_round + 1,
        updated_at=at,
    ):
        raise Conflict()
    every = await answers.questions(event.id, everything=True)
    asked = {one.id for one in every if one.is_personal or one.asks(row.ticket_type_id)}
    await Consent.filter(registration_id=row.id).delete()
    await IdDocument.filter(registration_id=row.id).delete()
    await answers.replace(
        event_id=event.id, registration_id=row.id, extras=extras, locale=locale, at=at, asked=asked
    )


def passport_letter(
    event: EventFacts,
    *,
    key: str,
    registration_id: int,
    contact: Contact,
    ticket_type: LocalizedText,
    locale: str,
    at: datetime,
) -> letters.NewLetter:
    """The letter with passport and calendar, for an address that has not had it yet."""
    address = render.absolute(f"/e/{event.slug}")
    return letters.NewLetter(
        key=key,
        to_email=contact.email,
        locale=locale,
        subject=letter.subject(event, locale),
        text=letter.text(event, name=contact.name, ticket_type=ticket_type, address=address, locale=locale),
        attachments=(
            letters.Attachment(
                filename=f"{event.slug}.ics",
                content_type="text/calendar; charset=utf-8",
                data=letter.calendar(event, address=address, locale=locale, at=at),
            ),
        ),
        composer="passport",
        composer_id=registration_id,
        event_id=event.id,
    )


async def _tell_both(
    event: EventFacts, transfer_id: int, giver: Registration, taker: Contact, *, locale: str, at: datetime
) -> None:
    """A passport for the one, a last word for the other; ``giver`` is the row as it was."""
    types = {item.id: item for item in await queries.ticket_types(event.id)}
    made = [
        passport_letter(
            event,
            key=f"transfer:{transfer_id}:taken",
            registration_id=giver.id,
            contact=taker,
            ticket_type=types[giver.ticket_type_id].name,
            locale=locale,
            at=at,
        )
    ]
    if giver.email:
        subject, text = holder_letters.handed_on(
            event, name=giver.name, taker=taker.name, locale=giver.locale
        )
        made.append(
            letters.NewLetter(
                key=f"transfer:{transfer_id}:handed",
                to_email=giver.email,
                locale=giver.locale,
                subject=subject,
                text=text,
                event_id=event.id,
            )
        )
    await letters.queue_many(made, at=at)


# --- or somebody says no -----------------------------------------------------------------------------------------


async def withdraw(*, actor: Actor, event_id: int, transfer_id: int, at: datetime) -> None:
    """The holder or an organiser takes it back. Raises Conflict ``transfer_ended`` when it is over; twice is once."""
    await _close(actor, event_id, transfer_id, TransferState.WITHDRAWN, at)


async def refuse(*, actor: Actor, event_id: int, transfer_id: int, at: datetime) -> None:
    """The person who was named says no, and the holder hears of it. Raises as ``withdraw``."""
    await _close(actor, event_id, transfer_id, TransferState.REFUSED, at)


async def _close(actor: Actor, event_id: int, transfer_id: int, state: TransferState, at: datetime) -> None:
    async def once() -> None:
        async with unit_of_work():
            known = _facts(await _transfer(event_id, transfer_id))
            if not await _end("id = $3 AND state = 'open'", state, at, transfer_id):
                if _facts(await _transfer(event_id, transfer_id)).state is state:
                    return
                raise Conflict(SelfServiceCode.TRANSFER_ENDED)
            number = known.registration_id
            await _write(actor, "registration.transfer_end", event_id, number, at, new={"state": str(state)})
            row = await _registration(event_id, number)
            if state is TransferState.REFUSED and row.email:
                subject, text = holder_letters.stays(
                    await _event(event_id), name=row.name, taker=known.to_name, locale=row.locale
                )
                await letters.queue(
                    key=f"transfer:{transfer_id}:refused",
                    to_email=row.email,
                    locale=row.locale,
                    subject=subject,
                    text=text,
                    event_id=event_id,
                    at=at,
                )

    await db.retrying(once)


async def _end(which: str, state: TransferState, at: datetime, *values: Any) -> int:
    """Closes transfers and drops the name and address that nobody needs any more; gives how many."""
    rows = await db.query(
        "UPDATE transfer SET state = $1, ended_at = $2, open_for = NULL, to_name = '', to_email = '' "  # noqa: S608 -- conditions of this file
        f"WHERE {which} RETURNING id",
        str(state),
        at,
        *values,
    )
    return len(rows)


async def expire_due(at: datetime) -> None:
    """Closes every transfer whose time has run out; a chore of the server."""
    due = await db.query(
        "SELECT id FROM transfer WHERE open_for IS NOT NULL AND expires_at <= $1 LIMIT 1", at
    )
    if due:
        async with unit_of_work():
            await _end("open_for IS NOT NULL AND expires_at <= $2", TransferState.EXPIRED, at)


async def follow_registrations(news: registrations.Changed) -> None:
    """A registration that is no longer confirmed can't be handed on: what was begun is withdrawn with it."""
    async with unit_of_work():
        await db.execute(
            "UPDATE transfer SET state = 'withdrawn', ended_at = (SELECT g.updated_at FROM registration g "  # noqa: S608 -- our own words
            "WHERE g.id = transfer.registration_id), open_for = NULL, to_name = '', to_email = '' "
            f"WHERE open_for IN (SELECT r.id FROM {db.json_rows('$1', id='int')}) AND NOT EXISTS "
            "(SELECT 1 FROM registration g WHERE g.id = transfer.registration_id AND g.state = 'confirmed')",
            orjson.dumps([{"id": number} for number in news.registration_ids]).decode(),
        )


async def _write(
    actor: Actor,
    verb: str,
    event_id: int,
    registration_id: int,
    at: datetime,
    *,
    new: Mapping[str, Any] | None = None,
) -> None:
    await journal.write(
        actor=actor,
        verb=verb,
        object_kind="registration",
        object_id=registration_id,
        event_id=event_id,
        new=new,
        at=at,
    )


#: What the journal's page says of this module's lines.
VERBS: Final[dict[str, str]] = {
    "registration.transfer_begin": N_("Wants to hand a registration on"),
    "registration.transfer_confirm": N_("Confirmed handing a registration on"),
    "registration.transfer": N_("A registration went to another person"),
    "registration.transfer_end": N_("Ended a handing on"),
}
