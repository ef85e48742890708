"""Registrations: made one by one by the form, in bulk by imports; changed, cancelled, restored.

Promises: a ticket type's quota is never passed, however many ask at once (the database refuses the one too many);
every change is told through ``changed`` in the same transaction, in bulk, so that passports are never behind; a
confirmation letter is queued with its registration or not at all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from events import letter, queries
from events.importing import Action, RowPlan, Values
from events.models import Registration, TicketType
from events.queries import RegistrationFacts
from events.rules import (
    CONTACT_FIELDS,
    HOLDS_A_PLACE,
    Contact,
    EventCode,
    EventFacts,
    RegistrationSource,
    RegistrationState,
    Window,
)
from kernel import db
from kernel.actor import ANONYMOUS, Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, Refusal, TooMany
from kernel.hooks import Hook
from kernel.text import DEFAULT_LOCALE, LocalizedText
from people import journal, letters, replays
from web import render

__all__ = [
    "Applied",
    "Changed",
    "Contact",
    "RegistrationFacts",
    "apply_rows",
    "cancel",
    "change",
    "changed",
    "register",
]


@dataclass(frozen=True, slots=True)
class Changed:
    """Registrations of one event that were made or changed; read them with ``queries.registration_facts``."""

    event_id: int
    registration_ids: Sequence[int]


#: Told inside the transaction of every change, once for all registrations that it touched.
changed: Final[Hook[Changed]] = Hook("events.registrations.changed")


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the installation's key, for the holders' secret links."""
    _Wiring.key = key


# --- the holder's secret link ------------------------------------------------------------------------------------


def secret_of(registration_id: int, secret_round: int) -> str:
    """The key of the holder's own link, ``<registration id>-<22 characters>``; derived, never stored.

    Counting ``secret_round`` up makes every older link worthless.
    """
    assert len(_Wiring.key) >= 32, "main calls registrations.configure first"
    message = f"registration\x00{registration_id}\x00{secret_round}".encode()
    mac = hmac.new(_Wiring.key, message, hashlib.sha256).digest()[:16]
    return f"{registration_id}-{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


async def find_by_secret(event_id: int, secret: str) -> RegistrationFacts | None:
    """Whose link this is, or None for a wrong, old or foreign one; compared in constant time."""
    number, _, mac = secret.partition("-")
    # SQLite's and PostgreSQL's integers end at 2^63; an id is ASCII digits and nothing else.
    if not (number.isascii() and number.isdigit() and len(number) <= 18 and mac):
        return None
    facts = await queries.find_registration_facts(event_id, int(number))
    expected = secret_of(int(number), facts.secret_round if facts else 0)
    right = hmac.compare_digest(expected.encode(), secret.encode("utf-8", "replace"))
    return facts if facts and right else None


async def renew_secret(*, actor: Actor, event_id: int, registration_id: int, at: datetime) -> str:
    """Makes the holder's old links worthless and gives the new key; for a link that got into other hands."""
    async with unit_of_work():
        rows = await db.query(
            "UPDATE registration SET secret_round = secret_round + 1, updated_at = $3 "
            "WHERE id = $1 AND event_id = $2 RETURNING secret_round",
            registration_id,
            event_id,
            at,
        )
        if not rows:
            raise NotFound(EventCode.REGISTRATION_UNKNOWN)
        await _write(actor, "registration.renew_secret", event_id, registration_id, at)
        await changed.tell(Changed(event_id, [registration_id]))
    return secret_of(registration_id, int(rows[0]["secret_round"]))


# --- one registration --------------------------------------------------------------------------------------------


async def register(
    *,
    event_id: int,
    ticket_type_id: int,
    contact: Contact,
    source: RegistrationSource,
    locale: str,
    at: datetime,
    actor: Actor | None = None,
    request_id: UUID | None = None,
    external_id: str | None = None,
    external_code: str | None = None,
) -> int:
    """Registers a person and gives the registration's id; queues their letter when there is an e-mail.

    The public form (source ``form``) is held to its window and to public ticket types, organisers and imports are
    not. With a ``request_id`` the same form sent again gives the same registration; with other content it raises
    Conflict ``replay_mismatch``.

    Raises Conflict ``ticket_type_full``; TooMany ``too_many_for_email`` for the form's twenty-first to one address
    within an hour; Refusal ``registration_closed`` or ``registration_not_open_yet``; NotFound
    ``ticket_type_unknown``; Invalid for a missing name or contact, or an external id or code that somebody has.
    """
    who = actor or ANONYMOUS
    contact = contact.with_last4()
    if problems := contact.problems():
        raise Invalid(problems)
    person = {name: getattr(contact, name) for name in CONTACT_FIELDS}
    body = {
        "event_id": event_id,
        "ticket_type_id": ticket_type_id,
        "contact": person,
        "external_id": external_id,
        "external_code": external_code,
    }

    async def once() -> Mapping[str, int]:
        async with unit_of_work():
            event, ticket_type = await _ticket_type(event_id, ticket_type_id, source, at)
            if source is RegistrationSource.FORM and contact.email:
                await _spare_the_inbox(event_id, contact.email, at)
            await _take_place(ticket_type_id)
            try:
                async with unit_of_work():
                    row = await Registration.create(
                        event_id=event_id,
                        ticket_type_id=ticket_type_id,
                        state=RegistrationState.CONFIRMED,
                        source=source,
                        locale=locale,
                        external_id=external_id,
                        external_code=external_code,
                        search=contact.search,
                        created_at=at,
                        updated_at=at,
                        **person,
                    )
            except db.IntegrityError as error:
                raise _external_problem(error) from error
            new = {"ticket_type_id": ticket_type_id, "source": str(source)}
            await _write(who, "registration.register", event_id, row.id, at, new=new)
            await changed.tell(Changed(event_id, [row.id]))
            if contact.email:
                await _queue_letter(event, ticket_type.name, row, at)
        return {"registration_id": row.id}

    async def settled() -> Mapping[str, int]:
        if request_id is None:
            return await once()
        return await replays.once(id=request_id, actor_key=who.key, body=body, at=at, action=once)

    return int((await db.retrying(settled))["registration_id"])


async def _ticket_type(
    event_id: int, ticket_type_id: int, source: RegistrationSource, at: datetime
) -> tuple[EventFacts, TicketType]:
    event = await queries.find_event_by_id(event_id)
    if event is None:
        raise NotFound(EventCode.EVENT_UNKNOWN)
    ticket_type = await TicketType.get_or_none(id=ticket_type_id, event_id=event_id)
    if ticket_type is None or (source is RegistrationSource.FORM and not ticket_type.is_public):
        raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
    if source is RegistrationSource.FORM:
        window = event.window(at)
        if window is Window.CLOSED:
            raise Refusal(EventCode.REGISTRATION_CLOSED)
        if window is Window.NOT_YET:
            raise Refusal(EventCode.REGISTRATION_NOT_OPEN_YET)
    return event, ticket_type


#: One person registers a class or a team; a hundred letters to one address are somebody's bad joke on its owner.
FORM_LETTERS_AN_HOUR: Final = 20


async def _spare_the_inbox(event_id: int, email: str, at: datetime) -> None:
    hour = at - timedelta(hours=1)
    if (
        await Registration.filter(event_id=event_id, email=email, created_at__gt=hour).count()
        >= FORM_LETTERS_AN_HOUR
    ):
        raise TooMany(EventCode.TOO_MANY_FOR_EMAIL, retry_after_s=3600)


async def _take_place(ticket_type_id: int) -> None:
    """One more holds this ticket type, or Conflict ``ticket_type_full``: decided by the statement itself."""
    if not await _count_places(ticket_type_id, 1):
        raise Conflict(EventCode.TICKET_TYPE_FULL)


async def _count_places(ticket_type_id: int, more: int) -> bool:
    # Never below zero: a count that is off (recount_places puts it right) must not keep anybody from cancelling.
    rows = await db.query(
        "UPDATE ticket_type SET taken = CASE WHEN taken + $2 < 0 THEN 0 ELSE taken + $2 END WHERE id = $1 AND (quota IS NULL OR $2 < 0 OR taken + $2 <= quota) "
        "RETURNING id",
        ticket_type_id,
        more,
    )
    return bool(rows)


async def _queue_letter(
    event: EventFacts, ticket_type: LocalizedText, row: Registration, at: datetime
) -> None:
    address = render.absolute(f"/e/{event.slug}")
    await letters.queue(
        key=f"registered:{row.id}",
        to_email=row.email,
        locale=row.locale,
        subject=letter.subject(event, row.locale),
        text=letter.text(event, name=row.name, ticket_type=ticket_type, address=address, locale=row.locale),
        attachments=(
            letters.Attachment(
                filename=f"{event.slug}.ics",
                content_type="text/calendar; charset=utf-8",
                data=letter.calendar(event, address=address, locale=row.locale, at=at),
            ),
        ),
        composer="passport",
        composer_id=row.id,
        event_id=event.id,
        at=at,
    )


async def change(
    *,
    actor: Actor,
    event_id: int,
    registration_id: int,
    contact: Contact,
    at: datetime,
    locale: str | None = None,
    external_id: str | None = None,
    external_code: str | None = None,
) -> None:
    """Puts new contact data (and external id and code) in place of the old. The journal names the fields, no values.

    Raises NotFound, or Invalid as ``register`` does.
    """
    contact = contact.with_last4()
    if problems := contact.problems():
        raise Invalid(problems)
    async with unit_of_work():
        row = await Registration.get_or_none(id=registration_id, event_id=event_id)
        if row is None:
            raise NotFound(EventCode.REGISTRATION_UNKNOWN)
        columns: dict[str, Any] = {name: getattr(contact, name) for name in CONTACT_FIELDS}
        columns |= {"external_id": external_id or None, "external_code": external_code or None}
        columns["locale"] = locale or row.locale
        touched = sorted(name for name, value in columns.items() if getattr(row, name) != value)
        if not touched:
            return
        try:
            async with unit_of_work():
                await Registration.filter(id=registration_id).update(
                    **columns, search=contact.search, updated_at=at
                )
        except db.IntegrityError as error:
            raise _external_problem(error) from error
        await _write(actor, "registration.change", event_id, registration_id, at, new={"fields": touched})
        await changed.tell(Changed(event_id, [registration_id]))


async def change_ticket_type(
    *, actor: Actor, event_id: int, registration_id: int, ticket_type_id: int, at: datetime
) -> None:
    """Moves a registration to another ticket type, giving the old place back. Raises Conflict ``ticket_type_full``."""

    async def once() -> None:
        async with unit_of_work():
            row = await Registration.get_or_none(id=registration_id, event_id=event_id)
            if row is None:
                raise NotFound(EventCode.REGISTRATION_UNKNOWN)
            if not await TicketType.filter(id=ticket_type_id, event_id=event_id).exists():
                raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
            if row.ticket_type_id == ticket_type_id:
                return
            await _turn(row, at, ticket_type_id=ticket_type_id)
            if row.state in HOLDS_A_PLACE:
                await _shift_places({row.ticket_type_id: -1, ticket_type_id: 1})
            old, new = {"ticket_type_id": row.ticket_type_id}, {"ticket_type_id": ticket_type_id}
            await _write(actor, "registration.change_type", event_id, registration_id, at, old=old, new=new)
            await changed.tell(Changed(event_id, [registration_id]))

    await db.retrying(once)


async def cancel(*, actor: Actor, event_id: int, registration_id: int, at: datetime) -> None:
    """Cancels a registration and gives its place back. Raises Conflict ``already_cancelled`` the second time."""
    await _set_state(actor, event_id, registration_id, RegistrationState.CANCELLED, at)


async def restore(*, actor: Actor, event_id: int, registration_id: int, at: datetime) -> None:
    """Confirms a cancelled registration again, if there is a place. Raises Conflict ``not_cancelled`` or
    ``ticket_type_full``.
    """
    await _set_state(actor, event_id, registration_id, RegistrationState.CONFIRMED, at)


async def _set_state(
    actor: Actor, event_id: int, registration_id: int, state: RegistrationState, at: datetime
) -> None:
    cancelling = state is RegistrationState.CANCELLED

    async def once() -> None:
        async with unit_of_work():
            row = await Registration.get_or_none(id=registration_id, event_id=event_id)
            if row is None:
                raise NotFound(EventCode.REGISTRATION_UNKNOWN)
            if cancelling == (row.state == RegistrationState.CANCELLED):
                raise Conflict(EventCode.ALREADY_CANCELLED if cancelling else EventCode.NOT_CANCELLED)
            await _turn(row, at, state=state)
            await _shift_places({row.ticket_type_id: (state in HOLDS_A_PLACE) - (row.state in HOLDS_A_PLACE)})
            verb = "registration.cancel" if cancelling else "registration.restore"
            old, new = {"state": row.state}, {"state": str(state)}
            await _write(actor, verb, event_id, registration_id, at, old=old, new=new)
            await changed.tell(Changed(event_id, [registration_id]))

    await db.retrying(once)


async def _turn(row: Registration, at: datetime, **columns: Any) -> None:
    """Updates a row that still is as it was read; Conflict when somebody else turned it meanwhile."""
    same = Registration.filter(id=row.id, state=row.state, ticket_type_id=row.ticket_type_id)
    if not await same.update(**columns, updated_at=at):
        raise Conflict(Code.CONFLICT)


async def _shift_places(shifts: Mapping[int, int]) -> None:
    # In id order, so that two people who change types crosswise don't wait for each other.
    for ticket_type_id, more in sorted(shifts.items()):
        if more and not await _count_places(ticket_type_id, more):
            raise Conflict(EventCode.TICKET_TYPE_FULL)


async def _write(
    actor: Actor,
    verb: str,
    event_id: int,
    registration_id: int,
    at: datetime,
    *,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
) -> None:
    await journal.write(
        actor=actor,
        verb=verb,
        object_kind="registration",
        object_id=registration_id,
        event_id=event_id,
        old=dict(old or {}),
        new=dict(new or {}),
        at=at,
    )


def _external_problem(error: db.IntegrityError) -> Exception:
    # SQLite names the columns, PostgreSQL says them in the detail, which str() does not hold: ask the cause.
    said = f"{error} {getattr(error.__cause__, 'detail', '')} {getattr(error.args[0], 'detail', '') if error.args else ''}"
    if "external_code" in said:
        return Invalid({"external_code": Problem(EventCode.EXTERNAL_CODE_TAKEN)})
    if "external_id" in said:
        return Invalid({"external_id": Problem(EventCode.EXTERNAL_ID_TAKEN)})
    return error


async def recount_places(event_id: int) -> None:
    """Rebuilds every ticket type's ``taken`` from its registrations."""
    async with unit_of_work():
        await db.execute(
            "UPDATE ticket_type SET taken = (SELECT count(*) FROM registration g WHERE g.ticket_type_id = ticket_type.id "
            "AND g.state IN ('confirmed', 'pending')) WHERE event_id = $1",
            event_id,
        )


# --- many at once ------------------------------------------------------------------------------------------------

#: Rows of one transaction. With passports and ticket codes made by the hook, 10,000 rows on SQLite took 2.5 s and held
#: the writer at most 128 ms at 250 rows, 317 ms at 500 (2 busy vCPU; DESIGN section 9 allows 250 ms).
CHUNK: Final = 250


@dataclass(frozen=True, slots=True)
class Applied:
    """What an import did. ``lost`` are lines that were fine when the whole list was checked and lost a race since."""

    created: int = 0
    updated: int = 0
    lost: Mapping[int, Problem] = field(default_factory=dict)


Progress = Callable[[int, int], Awaitable[None]]


async def apply_rows(
    *,
    event_id: int,
    rows: Sequence[RowPlan],
    source: RegistrationSource,
    at: datetime,
    actor: Actor,
    request_id: UUID | None = None,
    progress: Progress | None = None,
) -> Applied:
    """Creates and updates registrations as planned, in few statements; lines of other actions are left out.

    All or nothing, decided before anything is written: with any line that can't be (no such ticket type, a quota
    passed, an external code that somebody has) it raises Invalid with a problem at ``line.<number>`` for each and
    nothing is done. Then it is applied in transactions of CHUNK rows, so that no scan waits long. A list of one
    chunk is one transaction. In a longer one, a line that has lost a race since the check (the last place went to
    somebody else) is named in ``lost`` and the rest goes on: what was done can't be taken back, people may have
    been let in by it.

    With a ``request_id`` each chunk is applied once, however often the call is repeated with the same rows: a job
    that crashed half way goes on where it stopped. No letters are queued. ``progress(done, total)`` is awaited
    between transactions.
    """
    work = [row for row in rows if row.action in (Action.CREATE, Action.UPDATE)]
    starts = range(0, len(work), CHUNK)
    ids = [uuid5(request_id, f"chunk {start}") if request_id else None for start in starts]
    # A repeated call must not check lines against what its own first run wrote.
    begun = (
        ids
        and ids[0] is not None
        and await replays.find(id=ids[0], actor_key=actor.key, body=_chunk_body(work, 0))
    )
    if not begun:
        await _check_rows(event_id, work)
    total = Applied()
    for start, chunk_id in zip(starts, ids, strict=True):
        chunk = work[start : start + CHUNK]
        bulk = _Bulk(event_id, source, at, actor, strict=len(work) <= CHUNK)
        done = await bulk.apply(chunk, chunk_id, _chunk_body(work, start))
        total = Applied(
            total.created + done.created, total.updated + done.updated, {**total.lost, **done.lost}
        )
        if progress is not None:
            await progress(min(start + CHUNK, len(work)), len(work))
    return total


def _chunk_body(work: Sequence[RowPlan], start: int) -> dict[str, Any]:
    return {"lines": [row.line for row in work[start : start + CHUNK]], "of": len(work)}


async def _check_rows(event_id: int, work: Sequence[RowPlan]) -> None:
    """Everything that can be known before the first write; raises Invalid with a problem at each line."""
    found: dict[str, Problem] = {}

    def wrong(row: RowPlan, code: str, **params: Any) -> None:
        found.setdefault(f"line.{row.line}", Problem(code, params))

    types = {item.id: item for item in await queries.ticket_types(event_id)}
    there = await _registered(event_id, [row.registration_id for row in work if row.registration_id])
    taken = await _taken_codes(event_id, work)
    free = {item.id: item.free for item in types.values()}
    seen: set[tuple[str, str]] = set()
    for row in work:
        values, old = row.values, there.get(row.registration_id or 0)
        if row.action is Action.UPDATE and old is None:
            wrong(row, EventCode.REGISTRATION_UNKNOWN)
            continue
        if old is None and (problems := _contact(values).problems()):
            code, problem = next(iter(problems.items()))
            wrong(row, problem.code, **problem.params, field=code)
        for kind in ("external_id", "external_code"):
            value = getattr(values, kind)
            if value is None:
                continue
            owner = taken.get((kind, value))
            if owner is not None and owner != row.registration_id:
                wrong(
                    row,
                    EventCode.EXTERNAL_ID_TAKEN if kind == "external_id" else EventCode.EXTERNAL_CODE_TAKEN,
                )
            if (kind, value) in seen:
                wrong(row, EventCode.ROW_TWICE)
            seen.add((kind, value))
        old_type, old_state = (old["ticket_type_id"], old["state"]) if old else (None, None)
        new_type = values.ticket_type_id or old_type
        if new_type not in types:
            wrong(row, EventCode.TICKET_TYPE_UNKNOWN)
            continue
        holds = (values.state or old_state or RegistrationState.CONFIRMED) in HOLDS_A_PLACE
        if holds and (old_state not in HOLDS_A_PLACE or old_type != new_type):
            left = free[new_type]
            if left is not None:
                free[new_type] = left - 1
                if left <= 0:
                    wrong(row, EventCode.TICKET_TYPE_FULL)
    if found:
        raise Invalid(found)


async def _registered(event_id: int, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    rows = await db.query(
        f"SELECT g.id, g.ticket_type_id, g.state FROM {db.json_rows('$2', id='int')} "  # noqa: S608 -- column names only
        "CROSS JOIN registration g WHERE g.id = r.id AND g.event_id = $1",
        event_id,
        _json([{"id": number} for number in ids]),
    )
    return {row["id"]: row for row in rows}


async def _taken_codes(event_id: int, work: Sequence[RowPlan]) -> dict[tuple[str, str], int]:
    """Who has the external ids and codes that the rows bring."""
    found: dict[tuple[str, str], int] = {}
    for kind in ("external_id", "external_code"):
        wanted = [
            {"code": getattr(row.values, kind)} for row in work if getattr(row.values, kind) is not None
        ]
        rows = await db.query(
            # CROSS: SQLite keeps this order. Left to itself it walks all registrations and reads the JSON for each.
            f"SELECT g.id, g.{kind} AS code FROM {db.json_rows('$2', code='text')} "  # noqa: S608 -- column names only
            f"CROSS JOIN registration g WHERE g.event_id = $1 AND g.{kind} = r.code",
            event_id,
            _json(wanted),
        )
        found |= {(kind, row["code"]): row["id"] for row in rows}
    return found


def _json(rows: Any) -> str:
    return orjson.dumps(rows).decode()


def _contact(values: Values) -> Contact:
    return Contact(**{name: getattr(values, name) or "" for name in CONTACT_FIELDS}).with_last4()


class _Bulk:
    """Applies the rows of one chunk in one transaction."""

    def __init__(
        self, event_id: int, source: RegistrationSource, at: datetime, actor: Actor, *, strict: bool
    ) -> None:
        self.event_id, self.source, self.at, self.actor, self.strict = event_id, source, at, actor, strict

    async def apply(self, chunk: Sequence[RowPlan], chunk_id: UUID | None, body: dict[str, Any]) -> Applied:
        async def once() -> Applied:
            async with unit_of_work():
                if chunk_id is not None:
                    known = await replays.find(id=chunk_id, actor_key=self.actor.key, body=body)
                    if known is not None:
                        lost = {int(line): Problem(code) for line, code in known["lost"].items()}
                        return Applied(known["created"], known["updated"], lost)
                done = await self._part(chunk)
                await journal.write(
                    actor=self.actor,
                    verb="registration.apply_rows",
                    object_kind="event",
                    object_id=self.event_id,
                    event_id=self.event_id,
                    new={"created": done.created, "updated": done.updated, "source": str(self.source)},
                    at=self.at,
                )
                if chunk_id is not None:
                    outcome = {
                        "created": done.created,
                        "updated": done.updated,
                        "lost": {str(line): problem.code for line, problem in done.lost.items()},
                    }
                    await replays.keep(
                        id=chunk_id, actor_key=self.actor.key, body=body, outcome=outcome, at=self.at
                    )
                return done

        return await db.retrying(once)

    async def _part(self, part: Sequence[RowPlan]) -> Applied:
        """A part under a savepoint; one that fails is halved until the line that lost its race stands alone."""
        try:
            async with unit_of_work():
                return await self._write_rows(part)
        except (db.IntegrityError, Refusal) as error:
            problem = _problem_of(error)
            if self.strict and len(part) == 1:
                raise Invalid({f"line.{part[0].line}": problem}) from error
            if len(part) == 1:
                return Applied(lost={part[0].line: problem})
        middle = len(part) // 2
        first, second = await self._part(part[:middle]), await self._part(part[middle:])
        return Applied(
            first.created + second.created, first.updated + second.updated, {**first.lost, **second.lost}
        )

    async def _write_rows(self, part: Sequence[RowPlan]) -> Applied:
        shifts: dict[int, int] = {}
        updated = await self._update([row for row in part if row.action is Action.UPDATE], shifts)
        created = await self._create([row for row in part if row.action is Action.CREATE], shifts)
        await _shift_places(shifts)
        ids = sorted([*updated, *created])
        if ids:
            await changed.tell(Changed(self.event_id, ids))
        return Applied(len(created), len(updated))

    async def _update(self, part: Sequence[RowPlan], shifts: dict[int, int]) -> Sequence[int]:
        if not part:
            return []
        # Touching the rows locks them and tells what they hold now: the same statement on both databases.
        current = await db.query(
            "UPDATE registration SET updated_at = $2 "  # noqa: S608 -- column names only
            f"WHERE id IN (SELECT r.id FROM {db.json_rows('$1', id='int')}) AND event_id = $3 "
            "RETURNING id, ticket_type_id, state, name, badge_name, english_name, organisation",
            _json([{"id": row.registration_id} for row in part]),
            self.at,
            self.event_id,
        )
        by_id = {row["id"]: row for row in current}
        rows = []
        for row in part:
            old = by_id.get(row.registration_id or 0)
            if old is None:
                raise NotFound(EventCode.REGISTRATION_UNKNOWN)
            values = row.values
            names = {
                name: getattr(values, name) if getattr(values, name) is not None else old[name]
                for name in ("name", "badge_name", "english_name", "organisation")
            }
            type_id = values.ticket_type_id or old["ticket_type_id"]
            state = values.state or RegistrationState(old["state"])
            if old["state"] in HOLDS_A_PLACE:
                shifts[old["ticket_type_id"]] = shifts.get(old["ticket_type_id"], 0) - 1
            if state in HOLDS_A_PLACE:
                shifts[type_id] = shifts.get(type_id, 0) + 1
            rows.append(
                {
                    **{name: getattr(values, name) for name in _UPDATED},
                    "id": old["id"],
                    "ticket_type_id": type_id,
                    "state": str(state),
                    "search": Contact(**names).search,
                }
            )
        setting = ", ".join(f"{name} = COALESCE(r.{name}, registration.{name})" for name in _UPDATED)
        columns = dict.fromkeys(_UPDATED, "text") | {
            "id": "int",
            "ticket_type_id": "int",
            "state": "text",
            "search": "text",
        }
        await db.execute(
            f"UPDATE registration SET {setting}, ticket_type_id = r.ticket_type_id, state = r.state, search = r.search "  # noqa: S608 -- column names only
            f"FROM {db.json_rows('$1', **columns)} WHERE registration.id = r.id",
            _json(rows),
        )
        return list(by_id)

    async def _create(self, part: Sequence[RowPlan], shifts: dict[int, int]) -> Sequence[int]:
        if not part:
            return []
        rows = []
        for row in part:
            values, contact = row.values, _contact(row.values)
            state = values.state or RegistrationState.CONFIRMED
            assert values.ticket_type_id is not None
            if state in HOLDS_A_PLACE:
                shifts[values.ticket_type_id] = shifts.get(values.ticket_type_id, 0) + 1
            rows.append(
                {
                    **{name: getattr(contact, name) for name in CONTACT_FIELDS},
                    "event_id": self.event_id,
                    "ticket_type_id": values.ticket_type_id,
                    "state": str(state),
                    "source": str(self.source),
                    "locale": values.locale or DEFAULT_LOCALE,
                    "external_id": values.external_id,
                    "external_code": values.external_code,
                    "search": contact.search,
                    "secret_round": 0,
                    "created_at": db.stored_instant(values.registered_at or self.at),
                    "updated_at": db.stored_instant(self.at),
                }
            )
        names = ", ".join(_CREATED)
        found = await db.query(
            f"INSERT INTO registration ({names}) SELECT {names} FROM {db.json_rows('$1', **_CREATED)} RETURNING id",  # noqa: S608 -- column names only
            _json(rows),
        )
        return [row["id"] for row in found]


_UPDATED: Final = (*CONTACT_FIELDS, "locale", "external_id", "external_code")
_CREATED: Final = dict.fromkeys(CONTACT_FIELDS, "text") | {
    "event_id": "int",
    "ticket_type_id": "int",
    "state": "text",
    "source": "text",
    "locale": "text",
    "external_id": "text",
    "external_code": "text",
    "search": "text",
    "secret_round": "int",
    "created_at": "instant",
    "updated_at": "instant",
}


def _problem_of(error: db.IntegrityError | Refusal) -> Problem:
    known = _external_problem(error) if isinstance(error, db.IntegrityError) else error
    if isinstance(known, Invalid) and known.fields:
        return next(iter(known.fields.values()))
    return Problem(known.code, dict(known.params)) if isinstance(known, Refusal) else Problem(Code.CONFLICT)
