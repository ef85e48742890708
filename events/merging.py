"""Two records of one person become one: the survivor keeps its id and passport, the other is cancelled into it.

Promises: in one transaction, and exactly one place is given back where both held one; answers and consents are filled
in where the survivor has none; through ``merged`` every code of the other passport leads to the survivor's and stays
live; scans stay where the ledger has them, so the one who was let in has to be the one who stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from events import answers, queries, quotas, registrations, transfers
from events.merging_rules import Half, Likeness, MergeCode, Pair, better_ticket, pairs, refusal, stays
from events.models import Registration
from events.queries import RegistrationRow
from events.rules import CONTACT_FIELDS, Contact, EventCode, RegistrationState
from events.ticket_rules import MOVES, Verb
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound
from kernel.hooks import Hook
from kernel.text import N_
from people import journal, replays


@dataclass(frozen=True, slots=True)
class Merged:
    """The registration ``merged_id`` lives on in ``survivor_id``."""

    event_id: int
    survivor_id: int
    merged_id: int


#: Told inside the merging transaction, before ``registrations.changed``. A handler that raises Conflict (somebody was
#: admitted meanwhile) undoes it.
merged: Final[Hook[Merged]] = Hook("events.merging.merged")

#: The part of a contact that one chooses by; digits and search text follow.
FIELDS: Final = ("name", "badge_name", "english_name", "email", "phone", "organisation", "position")
#: The choice that is about the ticket: type, state, group and whatever else belongs to the place.
TICKET: Final = "ticket"
_TICKET_COLUMNS: Final = (
    "ticket_type_id",
    "state",
    "waiting_since",
    "offer_until",
    "decided_at",
    "group_id",
    "access_code_id",
    "ticket_source",
    "payment_state",
    "invoice_title",
    "tax_number",
)
#: Another system's names for a record are unique, so the survivor takes one over only where it has none.
_EXTERNAL: Final = ("external_id", "external_code")


# --- who looks like one person -----------------------------------------------------------------------------------


async def suggestions(event_id: int) -> Sequence[tuple[Pair, RegistrationRow, RegistrationRow]]:
    """Pairs of live registrations that may be one person, the most alike first; five statements for any number."""
    # Each statement finds those who share one thing; a shared value is rare, so little leaves the database.
    found: dict[int, Likeness] = {}
    live = "event_id = $1 AND state NOT IN ('cancelled', 'declined') AND merged_into_id IS NULL AND erased_at IS NULL"
    for shared in ("email", "phone", "name"):
        rows = await db.query(
            f"SELECT g.id, g.name, g.organisation, g.email, g.phone FROM registration g WHERE {live} AND g.{shared} IN "  # noqa: S608 -- our own words
            f"(SELECT {shared} FROM registration WHERE {live} AND {shared} <> '' GROUP BY {shared} HAVING count(*) > 1)",
            event_id,
        )
        found |= {row["id"]: Likeness(**row) for row in rows}
    chosen = pairs(found.values())
    numbers = sorted({number for pair in chosen for number in (pair.first_id, pair.second_id)})
    rows_by_id = {row.id: row for row in await queries.registrations_by_id(event_id, numbers)}
    return [
        (pair, rows_by_id[pair.first_id], rows_by_id[pair.second_id])
        for pair in chosen
        if pair.first_id in rows_by_id and pair.second_id in rows_by_id
    ]


# --- what it would do --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Both records side by side. ``choices`` says for each field whether the survivor's value stays by default."""

    keep: RegistrationRow
    drop: RegistrationRow
    trouble: MergeCode | None
    choices: Mapping[str, bool]
    #: Answers that the survivor takes over.
    answers_taken: int


async def preview(*, event_id: int, keep_id: int, drop_id: int) -> Preview:
    """What merging would do, without doing it. Raises NotFound."""
    keep, drop = await _row(event_id, keep_id), await _row(event_id, drop_id)
    given = await answers.of([keep.id, drop.id])
    mine, theirs = given.get(keep.id), given.get(drop.id)
    choices = {name: stays(getattr(keep.contact, name), getattr(drop.contact, name)) for name in FIELDS}
    choices[TICKET] = not better_ticket(keep.state, drop.state)
    return Preview(
        keep=keep,
        drop=drop,
        trouble=refusal(await _half(keep), await _half(drop)),
        choices=choices,
        answers_taken=len(set(theirs.answers if theirs else ()) - set(mine.answers if mine else ())),
    )


async def _row(event_id: int, registration_id: int) -> RegistrationRow:
    row = await queries.find_registration(event_id, registration_id)
    if row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    return row


async def _half(row: RegistrationRow) -> Half:
    return Half(
        id=row.id,
        is_merged=row.merged_into_id is not None,
        is_erased=row.erased_at is not None,
        was_admitted=await transfers.was_admitted(row.id),
    )


# --- done --------------------------------------------------------------------------------------------------------


async def merge(
    *,
    actor: Actor,
    event_id: int,
    keep_id: int,
    drop_id: int,
    from_drop: frozenset[str] = frozenset(),
    at: datetime,
    request_id: UUID,
) -> None:
    """Makes one of two. ``from_drop`` are the fields (of FIELDS, and TICKET) whose value comes from the one that goes.

    Raises NotFound, Conflict with a MergeCode, and Invalid when the chosen values leave no name or no way to reach the
    person. No letter is sent: whoever has two letters can use either.
    """

    async def once() -> Mapping[str, bool]:
        async with unit_of_work():
            await quotas.hold(event_id)
            if code := refusal(
                await _half(await _row(event_id, keep_id)), await _half(await _row(event_id, drop_id))
            ):
                raise Conflict(code)
            keep = await Registration.get(id=keep_id)
            drop = await Registration.get(id=drop_id)
            await merged.tell(Merged(event_id, keep_id, drop_id))
            await _exchange(keep, drop, from_drop, at)
            drop = await Registration.get(id=drop_id)
            if RegistrationState(drop.state) in MOVES[Verb.CANCEL]:
                await registrations.cancel(
                    actor=actor, event_id=event_id, registration_id=drop_id, at=at, notify=False
                )
            # Whoever was merged into the one that goes now lives on in the one that stays: one step, never a chain.
            await Registration.filter(merged_into_id=drop_id).update(merged_into_id=keep_id)
            await Registration.filter(id=drop_id).update(
                state=RegistrationState.CANCELLED, merged_into_id=keep_id, updated_at=at
            )
            await _fill_in(keep_id, drop_id)
            for verb, number, new in (
                ("registration.merge", keep_id, {"merged_id": drop_id, "fields": sorted(from_drop)}),
                ("registration.merged", drop_id, {"survivor_id": keep_id}),
            ):
                await journal.write(
                    actor=actor,
                    verb=verb,
                    object_kind="registration",
                    object_id=number,
                    event_id=event_id,
                    new=new,
                    at=at,
                )
            await registrations.changed.tell(registrations.Changed(event_id, [keep_id, drop_id]))
        return {"done": True}

    body = {"keep": keep_id, "drop": drop_id, "from_drop": sorted(from_drop)}

    async def settled() -> Mapping[str, bool]:
        return await replays.once(id=request_id, actor_key=actor.key, body=body, at=at, action=once)

    await db.retrying(settled)


async def _exchange(keep: Registration, drop: Registration, from_drop: frozenset[str], at: datetime) -> None:
    """The chosen values into the survivor. The two change tickets with each other, so that every count stays right and
    what is then cancelled is the one that nobody wants.
    """
    columns: dict[str, Any] = {
        name: getattr(drop if name in from_drop else keep, name) for name in CONTACT_FIELDS
    }
    contact = Contact(**columns).with_last4()
    if problems := contact.problems():
        raise Invalid(problems)
    columns["phone_last4"] = contact.phone_last4
    given_up: dict[str, Any] = {}
    if TICKET in from_drop:
        columns |= {name: getattr(drop, name) for name in _TICKET_COLUMNS}
        given_up = {name: getattr(keep, name) for name in _TICKET_COLUMNS}
    for name in _EXTERNAL:
        if getattr(keep, name) is None:
            columns[name], given_up[name] = getattr(drop, name), None
    # The shop's code that is not taken over has become a code of the survivor's passport.
    given_up["external_code"] = None
    await Registration.filter(id=drop.id).update(**given_up, updated_at=at)
    await Registration.filter(id=keep.id).update(**columns, search=contact.search, updated_at=at)


async def _fill_in(keep_id: int, drop_id: int) -> None:
    """Answers and consents where the survivor has none; the others stay with the record that they were given for."""
    for table, field in (("form_answer", "form_field_id"), ("consent", "consent_text_id")):
        await db.execute(
            f"UPDATE {table} SET registration_id = $1 WHERE registration_id = $2 AND {field} NOT IN "  # noqa: S608 -- names from above
            f"(SELECT {field} FROM {table} WHERE registration_id = $1)",
            keep_id,
            drop_id,
        )


async def survivors_of(registration_ids: Sequence[int]) -> Mapping[int, int]:
    """For those of these registrations that were merged: in which one each lives on; one statement."""
    rows = await db.query(
        f"SELECT id, merged_into_id FROM registration WHERE merged_into_id IS NOT NULL AND id {db.in_list('$1', 'int')}",  # noqa: S608
        db.list_parameter(registration_ids),
    )
    return {row["id"]: row["merged_into_id"] for row in rows}


#: What the journal's page says of this module's lines.
VERBS: Final[dict[str, str]] = {
    "registration.merge": N_("Made one of two registrations"),
    "registration.merged": N_("Became part of another registration"),
}
