"""Holders help themselves: contact, name and answers changed, a registration cancelled, until a date.

``self_service_rules`` decides what is possible; every act is journalled as the holder's and done once for a form,
however often it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from events import answers, holder_letters, queries, quotas, registrations, transfers, waitlist
from events.answers import Extras
from events.contacts import ContactCode, clean_line, clean_name, normalise_email, normalise_phone
from events.queries import RegistrationRow
from events.rules import CONTACT_FIELDS, CONTACT_LIMITS, Contact, EventCode, EventFacts, RegistrationState
from events.self_service_rules import HolderAct, HolderFacts, SelfServiceCode, closes_at, refusal
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, NotFound, Problem, TooMany
from people import letters, replays
from people import queries as people
from web import render

#: New addresses that one registration may be given in a day: each causes a letter to it.
ADDRESSES_A_DAY: Final = 5

#: The fields of the holder's own form, in their order on the page.
FIELDS: Final = ("name", "badge_name", "english_name", "email", "phone", "organisation", "position")


def holder(actor: Actor, registration_id: int) -> Actor:
    """Who acts: the account that is signed in, or else the holder of this registration's secret link."""
    return actor if actor.signed_in else Actor(kind=ActorKind.HOLDER, id=registration_id)


def read_contact(
    values: Mapping[str, str], *, known_email: str | None = None
) -> tuple[Contact | None, dict[str, Problem]]:
    """The contact out of what was typed, or every problem at its field, in the order of the fields.

    ``known_email`` stands for the address where it is no question any more.
    """
    found: dict[str, Problem] = {}
    clean: dict[str, str] = {}
    name = clean_name(values.get("name", ""))
    if isinstance(name, Problem):
        found["name"] = name
    else:
        clean["name"] = name
    if known_email is not None:
        clean["email"] = known_email
    elif values.get("email", "").strip():
        email = normalise_email(values["email"])
        if isinstance(email, Problem):
            found["email"] = email
        else:
            clean["email"] = email.key
    if values.get("phone", "").strip():
        phone = normalise_phone(values["phone"])
        if isinstance(phone, Problem):
            # Words about spreadsheets help nobody who typed.
            is_sheet = phone.code == ContactCode.PHONE_SCIENTIFIC
            found["phone"] = Problem(ContactCode.PHONE_INVALID) if is_sheet else phone
        else:
            clean["phone"] = phone.e164
    if not any(field in clean or field in found for field in ("email", "phone")):
        found["email"] = Problem(EventCode.CONTACT_MISSING)
    for field in ("badge_name", "english_name", "organisation", "position"):
        clean[field] = clean_line(values.get(field, ""))
        if len(clean[field]) > CONTACT_LIMITS[field]:
            found[field] = Problem(Code.TOO_LONG, {"limit": CONTACT_LIMITS[field]})
    if found:
        return None, {field: found[field] for field in FIELDS if field in found}
    return Contact(**clean).with_last4(), {}


async def facts_of(event: EventFacts, row: RegistrationRow, at: datetime) -> HolderFacts:
    """All that decides what the holder of this registration may do at ``at``."""
    return HolderFacts(
        state=row.state,
        at=at,
        until=closes_at(event),
        offer_until=row.offer_until,
        was_admitted=await transfers.was_admitted(row.id),
        is_transferring=await transfers.open_of(row.id, at) is not None,
    )


async def waiting_position(row: RegistrationRow) -> int:
    """The number of somebody in the waiting list of their ticket type, from 1; 0 for those who do not wait."""
    if row.state is not RegistrationState.WAITLISTED or row.waiting_since is None:
        return 0
    before = await db.query(
        "SELECT count(*) AS n FROM registration WHERE ticket_type_id = $1 AND state = 'waitlisted' "
        "AND (waiting_since < $2 OR (waiting_since = $2 AND id < $3))",
        row.ticket_type_id,
        row.waiting_since,
        row.id,
    )
    return int(before[0]["n"]) + 1


async def _allowed(
    event_id: int, registration_id: int, secret_round: int, act: HolderAct, at: datetime
) -> tuple[EventFacts, RegistrationRow]:
    await transfers.still_theirs(event_id, registration_id, secret_round)
    event = await queries.find_event_by_id(event_id)
    row = await queries.find_registration(event_id, registration_id)
    if event is None or row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    if code := refusal(act, await facts_of(event, row, at)):
        raise Conflict(code)
    return event, row


async def change(
    *,
    actor: Actor,
    event_id: int,
    registration_id: int,
    secret_round: int,
    contact: Contact,
    extras: Extras,
    asked: Iterable[int],
    locale: str,
    at: datetime,
    request_id: UUID,
) -> None:
    """New contact and answers in place of the old; the badge follows. A new address gets the passport's letter, the
    old one a word about it. ``asked`` are the questions that stood on the form; answers to others stay. ``secret_round`` is the one with which the holder came in.

    Raises NotFound when the registration went to another person since, Conflict with a SelfServiceCode, Invalid as ``registrations.change`` does, TooMany for the sixth new address
    in a day.
    """

    async def once() -> Mapping[str, bool]:
        async with unit_of_work():
            event, row = await _allowed(event_id, registration_id, secret_round, HolderAct.CHANGE, at)
            moves = contact.email != row.contact.email
            if moves and contact.email:
                await _spare_strangers(event_id, registration_id, at)
            await registrations.change(
                actor=actor,
                event_id=event_id,
                registration_id=registration_id,
                contact=contact,
                external_id=row.external_id,
                external_code=row.external_code,
                at=at,
            )
            await answers.replace(
                event_id=event_id,
                registration_id=registration_id,
                extras=extras,
                locale=locale,
                at=at,
                asked=asked,
            )
            if moves:
                await _tell_of_move(event, row, contact, request_id, at)
        return {"done": True}

    body = {
        "registration_id": registration_id,
        "contact": {name: getattr(contact, name) for name in CONTACT_FIELDS},
        "extras": extras.body(),
    }

    async def settled() -> Mapping[str, bool]:
        return await replays.once(id=request_id, actor_key=actor.key, body=body, at=at, action=once)

    await db.retrying(settled)


async def _spare_strangers(event_id: int, registration_id: int, at: datetime) -> None:
    lines = await people.journal(event_id=event_id, object_kind="registration", object_id=registration_id)
    day = at - timedelta(days=1)
    moved = [
        line
        for line in lines.items
        if line.verb == "registration.change" and line.at > day and "email" in line.new.get("fields", ())
    ]
    if len(moved) >= ADDRESSES_A_DAY:
        raise TooMany(SelfServiceCode.TOO_MANY_ADDRESSES, retry_after_s=86_400)


async def _tell_of_move(
    event: EventFacts, row: RegistrationRow, contact: Contact, request_id: UUID, at: datetime
) -> None:
    if row.contact.email:
        subject, text = holder_letters.moved(
            event,
            name=row.contact.name,
            contact=event.contact_email or render.absolute(f"/e/{event.slug}"),
            locale=row.locale,
        )
        await letters.queue(
            key=f"moved:{row.id}:{request_id}",
            to_email=row.contact.email,
            locale=row.locale,
            subject=subject,
            text=text,
            event_id=event.id,
            at=at,
        )
    if contact.email and row.state is RegistrationState.CONFIRMED:
        types = {item.id: item.name for item in await queries.ticket_types(event.id)}
        made = transfers.passport_letter(
            event,
            key=f"moved:{row.id}:{request_id}:new",
            registration_id=row.id,
            contact=contact,
            ticket_type=types[row.ticket_type_id],
            locale=row.locale,
            at=at,
        )
        await letters.queue_many([made], at=at)


async def cancel(
    *,
    actor: Actor,
    event_id: int,
    registration_id: int,
    secret_round: int,
    at: datetime,
    request_id: UUID,
) -> None:
    """The holder gives the place back, and the waiting list moves up. Raises Conflict with a SelfServiceCode."""

    async def once() -> Mapping[str, bool]:
        async with unit_of_work():
            await quotas.hold(event_id)
            await _allowed(event_id, registration_id, secret_round, HolderAct.CANCEL, at)
            await registrations.cancel(actor=actor, event_id=event_id, registration_id=registration_id, at=at)
        return {"done": True}

    async def settled() -> Mapping[str, bool]:
        body = {"registration_id": registration_id, "act": "cancel"}
        return await replays.once(id=request_id, actor_key=actor.key, body=body, at=at, action=once)

    await db.retrying(settled)


async def answer_offer(
    *,
    actor: Actor,
    event_id: int,
    registration_id: int,
    secret_round: int,
    accepts: bool,
    at: datetime,
    request_id: UUID,
) -> None:
    """Accepts or declines the place that is kept for somebody who moved up. Raises Conflict with a SelfServiceCode."""
    act = HolderAct.ACCEPT if accepts else HolderAct.DECLINE

    async def once() -> Mapping[str, bool]:
        async with unit_of_work():
            await quotas.hold(event_id)
            await _allowed(event_id, registration_id, secret_round, act, at)
            do = waitlist.accept if accepts else waitlist.decline
            await do(actor=actor, event_id=event_id, registration_id=registration_id, at=at)
        return {"done": True}

    async def settled() -> Mapping[str, bool]:
        body = {"registration_id": registration_id, "act": str(act)}
        return await replays.once(id=request_id, actor_key=actor.key, body=body, at=at, action=once)

    await db.retrying(settled)
