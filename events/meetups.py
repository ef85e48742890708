"""A meet-up in one step: the event, its place, one ticket type, and, through the hook ``made``, a door to scan at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events import event, tickets, venue
from events.meetup_rules import Meetup, suggested_slugs
from events.rules import EventCode, PlaceKind
from events.ticket_rules import TicketTypeDetails
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Invalid
from kernel.hooks import Hook
from kernel.text import LocalizedText

#: Content, not interface: it stands in the event's own rows, in every language that the house writes.
_TICKET: Final = LocalizedText({"zh-Hans": "参会", "en": "Guest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What upper floors are told of a new meet-up."""

    event_id: int
    place_id: int
    actor: Actor
    at: datetime


#: Told inside the transaction that makes the meet-up.
made: Hook[Made] = Hook("meetups.made")


async def create(*, actor: Actor, meetup: Meetup, at: datetime, publish: bool = False) -> str:
    """Makes a meet-up that could be published at once, and publishes it when asked; gives its alias.

    Raises Invalid with a problem at each field of the form; an alias that was typed and is in use is ``slug_taken``.
    """
    if problems := meetup.problems():
        raise Invalid(problems)
    async with unit_of_work():
        slugs = [meetup.slug] if meetup.slug else suggested_slugs(meetup.name, meetup.day)
        event_id, slug = await _first_free(actor, meetup, slugs, at)
        place_id = await venue.add_place(
            event_id=event_id,
            code="venue",
            kind=PlaceKind.VENUE,
            name=meetup.place,
            capacity=meetup.quota,
            actor=actor,
            at=at,
        )
        await tickets.add(
            actor=actor,
            event_id=event_id,
            details=TicketTypeDetails(code="guest", name=_TICKET, quota=meetup.quota, is_walk_in=True),
            at=at,
        )
        await made.tell(Made(event_id=event_id, place_id=place_id, actor=actor, at=at))
        if publish:
            await event.publish(actor=actor, event_id=event_id, at=at)
    return slug


async def _first_free(actor: Actor, meetup: Meetup, slugs: Sequence[str], at: datetime) -> tuple[int, str]:
    """The event under the first alias that nobody has; Invalid when all are taken."""
    for slug in slugs:
        try:
            async with unit_of_work():
                return await event.create(actor=actor, facts=meetup.details(slug), at=at), slug
        except Invalid as refusal:
            known = refusal.fields.get("slug")
            if known is None or known.code != EventCode.SLUG_TAKEN or slug == slugs[-1]:
                raise
    raise AssertionError("there is always one alias to try")
