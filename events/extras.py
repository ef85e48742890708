"""What stands beside a registration's contact, changed by an organiser: another shop's payment, invoice and source of
the ticket, and the answers to the event's own questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from events import answers, registrations
from events.answers import Extras
from events.models import Registration
from events.registrations import Changed
from events.rules import EventCode, PaymentState
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from people import journal

LIMITS = {"invoice_title": 200, "tax_number": 40, "ticket_source": 120}


@dataclass(frozen=True, slots=True)
class Shop:
    """What another shop's list says; ``payment_state`` is a PaymentState, or empty where nothing was said."""

    payment_state: str = ""
    invoice_title: str = ""
    tax_number: str = ""
    ticket_source: str = ""

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if self.payment_state and self.payment_state not in set(PaymentState):
            found["payment_state"] = Problem(Code.NOT_A_CHOICE)
        for name, limit in LIMITS.items():
            if len(getattr(self, name)) > limit:
                found[name] = Problem(Code.TOO_LONG, {"limit": limit})
        return found


async def change(
    *,
    actor: Actor,
    event_id: int,
    registration_id: int,
    shop: Shop,
    extras: Extras,
    asked: Iterable[int],
    locale: str,
    at: datetime,
) -> None:
    """Puts an organiser's values in place of the old; the journal names fields and questions, no values.

    ``asked`` are the questions that stood on the form; answers to others stay. Raises NotFound, Invalid.
    """
    if problems := shop.problems():
        raise Invalid(problems)
    stood = set(asked)
    async with unit_of_work():
        row = await Registration.get_or_none(id=registration_id, event_id=event_id)
        if row is None:
            raise NotFound(EventCode.REGISTRATION_UNKNOWN)
        before = (await answers.of([registration_id]))[registration_id].answers
        columns = asdict(shop)
        touched = sorted(name for name, value in columns.items() if getattr(row, name) != value)
        if touched:
            await Registration.filter(id=registration_id).update(**columns, updated_at=at)
        await answers.replace(
            event_id=event_id,
            registration_id=registration_id,
            extras=extras,
            locale=locale,
            at=at,
            asked=stood,
        )
        after = (await answers.of([registration_id]))[registration_id].answers
        turned = sorted(number for number in stood if before.get(number) != after.get(number))
        if not touched and not turned:
            return
        await journal.write(
            actor=actor,
            verb="registration.change",
            object_kind="registration",
            object_id=registration_id,
            event_id=event_id,
            new={"fields": touched, "questions": turned},
            at=at,
        )
        await registrations.changed.tell(Changed(event_id, [registration_id]))
