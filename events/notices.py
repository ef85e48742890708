"""Tells holders what has become of their registrations: one letter a person, queued in the action's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from events import letter
from events.letter import Notice
from events.rules import EventFacts
from kernel import db
from kernel.text import LocalizedText
from people import letters
from web import render

#: Letters that are sent with the holder's own link, which the composer of this name adds; see
#: ``registrations.COMPOSERS``. The confirmed one has the passport itself.
COMPOSER_OF: Final[Mapping[Notice, str]] = {
    Notice.REGISTERED: "passport",
    Notice.APPROVED: "passport",
    Notice.PENDING: "registration.pending",
    Notice.WAITLISTED: "registration.waitlisted",
    Notice.OFFERED: "registration.offered",
}
#: The columns of a registration that a letter about it needs.
COLUMNS: Final = "id, ticket_type_id, name, email, locale, offer_until"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whose registration it is about."""

    id: int
    ticket_type_id: int
    name: str
    email: str
    locale: str
    offer_until: datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Recipient:
        """Out of a raw row with COLUMNS."""
        return cls(
            row["id"],
            row["ticket_type_id"],
            row["name"],
            row["email"],
            row["locale"],
            db.as_instant(row["offer_until"]),
        )


async def tell(
    event: EventFacts,
    types: Mapping[int, LocalizedText],
    people: Iterable[Recipient],
    notice: Notice,
    *,
    at: datetime,
    reason: str = "",
    again: bool = False,
) -> None:
    """Queues a letter to each that has an address; one statement for any number. ``types`` names the ticket types.

    That it is registered or approved is told once in a registration's life, unless ``again``; other news each time.
    """
    address = render.absolute(f"/e/{event.slug}")
    first = notice in (Notice.REGISTERED, Notice.APPROVED)
    files: dict[str, tuple[letters.Attachment, ...]] = {}

    def calendar(locale: str) -> tuple[letters.Attachment, ...]:
        if locale not in files:
            files[locale] = (
                letters.Attachment(
                    filename=f"{event.slug}.ics",
                    content_type="text/calendar; charset=utf-8",
                    data=letter.calendar(event, address=address, locale=locale, at=at),
                ),
            )
        return files[locale]

    await letters.queue_many(
        [
            letters.NewLetter(
                key=f"{notice}:{one.id}"
                if first and not again
                else f"{notice}:{one.id}:{int(at.timestamp() * 1000)}",
                to_email=one.email,
                locale=one.locale,
                subject=letter.subject(event, one.locale, notice),
                text=letter.text(
                    event,
                    name=one.name,
                    ticket_type=types[one.ticket_type_id],
                    address=address,
                    locale=one.locale,
                    notice=notice,
                    until=one.offer_until,
                    reason=reason,
                ),
                attachments=calendar(one.locale) if first else (),
                composer=COMPOSER_OF.get(notice, ""),
                composer_id=one.id if notice in COMPOSER_OF else None,
                event_id=event.id,
            )
            for one in people
            if one.email
        ],
        at=at,
    )
