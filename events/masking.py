"""Contacts half hidden, as lists show them; and the journal's line about a look at the whole ones (decision 19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import phonenumbers

from events.access import Door
from events.rules import Contact
from people import journal
from people.rules import mask_email

_HIDDEN = "****"


def mask_phone(phone: str) -> str:
    """``+8613812345678`` as ``+86 138****5678``: four digits or more stay hidden. Takes E.164."""
    if not phone:
        return ""
    try:
        parsed = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return f"{_HIDDEN}{phone[-2:]}"
    digits = phonenumbers.national_significant_number(parsed)
    last = 4 if len(digits) >= 8 else 2
    first = max(0, min(3, len(digits) - last - 4))
    return f"+{parsed.country_code} {digits[:first]}{_HIDDEN}{digits[-last:]}"


def masked(contact: Contact) -> Contact:
    """The same person, reachable only by who may see it."""
    return replace(contact, email=mask_email(contact.email), phone=mask_phone(contact.phone))


async def write_look(door: Door, *, count: int, at: datetime, registration_id: int | None = None) -> None:
    """The journal's line about a look at whole contacts: whose it was, how many were shown, of one or of a list."""
    await journal.write(
        actor=door.actor,
        verb="registration.look",
        object_kind="event" if registration_id is None else "registration",
        object_id=door.event.id if registration_id is None else registration_id,
        event_id=door.event.id,
        new={"count": count},
        at=at,
    )
