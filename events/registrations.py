"""Registrations: made one by one by the form, in bulk by imports; changed, cancelled, restored.

Promises: no quota (a ticket type's own, a shared one, a group's, an access code's uses) is ever passed, however many
ask at once: the database refuses the one too many (``events.quotas`` says in which order). Every change is told
through ``changed`` in the same transaction, in bulk, so that passports are never behind; every place that is given
back is told through ``place_freed``, so that the waiting list moves up; a letter is queued with what it tells or not
at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from events import answers, letter, notices, queries, quotas
from events.importing import Action, RowPlan, Values
from events.letter import Notice
from events.models import Registration, TicketType
from events.notices import Recipient
from events.queries import RegistrationFacts, TicketTypeFacts
from events.quotas import Freed, Shifts, place_freed
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
from events.ticket_rules import (
    HELD,
    MOVES,
    QUEUES,
    Verb,
    both_windows,
    fold_code,
    gives_code_back,
    offer_state,
    offer_until,
    state_after_register,
)
from kernel import codes, db
from kernel.actor import ANONYMOUS, Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, Refusal, TooMany
from kernel.hooks import Hook
from kernel.text import DEFAULT_LOCALE
from people import journal, replays
from people.letters import Composed, Composer
from web import render

__all__ = [
    "Applied",
    "Changed",
    "Contact",
    "Freed",
    "RegistrationFacts",
    "apply_rows",
    "cancel",
    "change",
    "changed",
    "place_freed",
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
    secret = codes.link_secret(_Wiring.key, "registration", registration_id, secret_round)
    return f"{registration_id}-{secret}"


async def find_by_secret(event_id: int, secret: str) -> RegistrationFacts | None:
    """Whose link this is, or None for a wrong, old or foreign one; compared in constant time."""
    number = codes.link_number(secret)
    if number is None:
        return None
    facts = await queries.find_registration_facts(event_id, number)
    right = codes.same_secret(secret_of(number, facts.secret_round if facts else 0), secret)
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
    access_code: str = "",
    group_id: int | None = None,
    ticket_source: str = "",
    extras: answers.Extras | None = None,
    join_waitlist: bool = False,
) -> int:
    """Registers a person and gives the registration's id; queues their letter when there is an e-mail.

    It is confirmed; or pending, where the ticket type needs approval (form and group); or, when there is no place or
    others wait for one, on the waiting list: only with ``join_waitlist``, and never without a need. The public form
    and groups are held to the window of event and ticket type, to what is public and to access codes; organisers, the
    door's desk, partners' links and imports are not. A typed ``access_code`` is used once, whoever registers; where
    the tickets come from is its word unless ``ticket_source`` says. A ``group_id`` counts in that group's quota.
    With a ``request_id`` the same form sent again gives the same registration; with other content it raises
    Conflict ``replay_mismatch``.

    Raises Conflict ``ticket_type_full``, ``waitlist_only`` (full, but one may wait), ``group_full`` or
    ``group_closed``; TooMany ``too_many_for_email`` for the form's twenty-first to one address within an hour; Refusal
    ``registration_closed`` or ``registration_not_open_yet``; NotFound ``ticket_type_unknown``; Invalid for a missing
    name or contact, at ``access_code`` for one that is needed, wrong, expired or used up, or for an external id or
    code that somebody has.
    """
    who = actor or ANONYMOUS
    contact = contact.with_last4()
    if problems := contact.problems(needs_contact=source is not RegistrationSource.WALK_IN):
        raise Invalid(problems)
    code = fold_code(access_code)
    person = {name: getattr(contact, name) for name in CONTACT_FIELDS}
    body = {
        "event_id": event_id,
        "ticket_type_id": ticket_type_id,
        "contact": person,
        "external_id": external_id,
        "external_code": external_code,
        "access_code": code,
        "group_id": group_id,
        "ticket_source": ticket_source,
        "join_waitlist": join_waitlist,
        "extras": extras.body() if extras is not None else None,
    }

    async def once() -> Mapping[str, int]:
        async with unit_of_work():
            await quotas.hold(event_id)
            event = await queries.find_event_by_id(event_id)
            if event is None:
                raise NotFound(EventCode.EVENT_UNKNOWN)
            ticket_type = await queries.find_ticket_type(event_id, ticket_type_id)
            if ticket_type is None:
                raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
            if source in HELD:
                _refuse_outside(event, ticket_type, at)
            used = (
                await quotas.use_code(event_id=event_id, ticket_type_id=ticket_type_id, code=code, at=at)
                if code
                else None
            )
            if source in HELD and not ticket_type.is_public and used is None:
                raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
            state = await _first_state(
                event,
                ticket_type,
                source=source,
                has_code=used is not None,
                join_waitlist=join_waitlist,
                at=at,
            )
            if source is RegistrationSource.FORM and contact.email:
                await _spare_the_inbox(event_id, contact.email, at)
            if group_id is not None:
                await quotas.open_group(event_id=event_id, group_id=group_id, at=at)
            shifts = Shifts()
            shifts.turn(old=None, new=(state, ticket_type_id, group_id))
            await quotas.shift(shifts)
            try:
                async with unit_of_work():
                    row = await Registration.create(
                        event_id=event_id,
                        ticket_type_id=ticket_type_id,
                        state=state,
                        source=source,
                        locale=locale,
                        external_id=external_id,
                        external_code=external_code,
                        search=contact.search,
                        ticket_source=ticket_source or (used.ticket_source if used else ""),
                        access_code_id=used.id if used else None,
                        group_id=group_id,
                        waiting_since=at if state is RegistrationState.WAITLISTED else None,
                        created_at=at,
                        updated_at=at,
                        **person,
                    )
            except db.IntegrityError as error:
                raise _external_problem(error) from error
            if extras is not None:
                await answers.store(
                    event_id=event_id, registration_id=row.id, extras=extras, locale=locale, at=at
                )
            new = {"ticket_type_id": ticket_type_id, "source": str(source)}
            if state is not RegistrationState.CONFIRMED:
                new["state"] = str(state)
            await _write(who, "registration.register", event_id, row.id, at, new=new)
            await changed.tell(Changed(event_id, [row.id]))
            await notices.tell(
                event,
                {ticket_type_id: ticket_type.name},
                [Recipient(row.id, ticket_type_id, row.name, row.email, row.locale)],
                _NOTICES[state],
                at=at,
            )
        return {"registration_id": row.id}

    async def settled() -> Mapping[str, int]:
        if request_id is None:
            return await once()
        return await replays.once(id=request_id, actor_key=who.key, body=body, at=at, action=once)

    return int((await db.retrying(settled))["registration_id"])


#: What a person is told first.
_NOTICES: Final[Mapping[RegistrationState, Notice]] = {
    RegistrationState.CONFIRMED: Notice.REGISTERED,
    RegistrationState.PENDING: Notice.PENDING,
    RegistrationState.WAITLISTED: Notice.WAITLISTED,
}


def _refuse_outside(event: EventFacts, ticket_type: TicketTypeFacts, at: datetime) -> None:
    """Before an access code is looked at: who comes too late need not learn that it was right."""
    window = both_windows(event.window(at), ticket_type.window(at))
    if window is Window.CLOSED:
        raise Refusal(EventCode.REGISTRATION_CLOSED)
    if window is Window.NOT_YET:
        raise Refusal(EventCode.REGISTRATION_NOT_OPEN_YET)


async def _first_state(
    event: EventFacts,
    ticket_type: TicketTypeFacts,
    *,
    source: RegistrationSource,
    has_code: bool,
    join_waitlist: bool,
    at: datetime,
) -> RegistrationState:
    """Raises what ``register`` raises when there is none."""
    if source not in QUEUES:
        # The team's own word: only the database says no, when there is no place.
        return RegistrationState.CONFIRMED
    state = state_after_register(
        offer_state(
            window=Window.OPEN,
            needs_code=ticket_type.needs_code and source in HELD,
            has_code=has_code,
            free=ticket_type.free,
            has_waitlist=ticket_type.has_waitlist and offer_until(event, at=at) is not None,
            others_wait=ticket_type.id in await queries.types_waited_for(event, at=at),
        ),
        source=source,
        needs_approval=ticket_type.needs_approval,
        join_waitlist=join_waitlist,
    )
    if isinstance(state, RegistrationState):
        return state
    if state is EventCode.ACCESS_CODE_NEEDED:
        raise Invalid({"access_code": Problem(state)})
    raise Conflict(state)


#: One person registers a class or a team; a hundred letters to one address are somebody's bad joke on its owner.
FORM_LETTERS_AN_HOUR: Final = 20


async def _spare_the_inbox(event_id: int, email: str, at: datetime) -> None:
    hour = at - timedelta(hours=1)
    if (
        await Registration.filter(event_id=event_id, email=email, created_at__gt=hour).count()
        >= FORM_LETTERS_AN_HOUR
    ):
        raise TooMany(EventCode.TOO_MANY_FOR_EMAIL, retry_after_s=3600)


def _link_parts(notice: Notice) -> Composer:
    """A composer that ends a letter with its holder's own link, as long as what the letter says is still so."""

    async def compose(registration_id: int, locale: str) -> Composed | None:
        facts = next(iter(await queries.registration_facts([registration_id])), None)
        if facts is None or str(facts.state) != str(notice):
            return None
        event = await queries.find_event_by_id(facts.event_id)
        assert event is not None
        link = render.absolute(f"/e/{event.slug}/me?key={secret_of(facts.id, facts.secret_round)}")
        return Composed(text_suffix=letter.link_line(notice, link, locale))

    return compose


#: For ``people.letters``: main connects them, beside the passport's own.
COMPOSERS: Final[Mapping[str, Composer]] = {
    notices.COMPOSER_OF[notice]: _link_parts(notice)
    for notice in (Notice.PENDING, Notice.WAITLISTED, Notice.OFFERED)
}


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
    async with unit_of_work():
        row = await Registration.get_or_none(id=registration_id, event_id=event_id)
        if row is None:
            raise NotFound(EventCode.REGISTRATION_UNKNOWN)
        if problems := contact.problems(needs_contact=row.source != RegistrationSource.WALK_IN):
            raise Invalid(problems)
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
    """Moves a registration to another ticket type, giving the old place back. Raises Conflict ``ticket_type_full``.

    Somebody on a waiting list goes to the end of the other one.
    """

    async def once() -> None:
        async with unit_of_work():
            await quotas.hold(event_id)
            row = await Registration.get_or_none(id=registration_id, event_id=event_id)
            if row is None:
                raise NotFound(EventCode.REGISTRATION_UNKNOWN)
            if not await TicketType.filter(id=ticket_type_id, event_id=event_id).exists():
                raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
            if row.ticket_type_id == ticket_type_id:
                return
            shifts = Shifts()
            shifts.turn(
                old=(row.state, row.ticket_type_id, row.group_id),
                new=(row.state, ticket_type_id, row.group_id),
            )
            await quotas.shift(shifts)
            waits = row.state == RegistrationState.WAITLISTED
            await _turn(row, at, ticket_type_id=ticket_type_id, **({"waiting_since": at} if waits else {}))
            old, new = {"ticket_type_id": row.ticket_type_id}, {"ticket_type_id": ticket_type_id}
            await _write(actor, "registration.change_type", event_id, registration_id, at, old=old, new=new)
            await changed.tell(Changed(event_id, [registration_id]))
            if shifts.frees or waits:
                await place_freed.tell(Freed(event_id, at))

    await db.retrying(once)


async def cancel(
    *, actor: Actor, event_id: int, registration_id: int, at: datetime, notify: bool = True
) -> None:
    """Cancels a registration, gives every place that it held back and tells its holder, unless ``notify`` is False.

    The use of its access code returns only when it was never confirmed. Raises NotFound, or Conflict
    ``already_cancelled`` the second time and for one that was declined.
    """
    await turn_one(
        actor=actor,
        event_id=event_id,
        registration_id=registration_id,
        verb=Verb.CANCEL,
        turn=Turn(RegistrationState.CANCELLED),
        refusal=EventCode.ALREADY_CANCELLED,
        notice=Notice.CANCELLED if notify else None,
        at=at,
    )


async def restore(
    *, actor: Actor, event_id: int, registration_id: int, at: datetime, notify: bool = True
) -> None:
    """Confirms a cancelled or declined registration again, if there is a place, and tells its holder.

    Raises Conflict ``ticket_type_full``, or ``not_cancelled``: also for a record that was erased or merged, which
    nobody would come with.
    """
    await turn_one(
        actor=actor,
        event_id=event_id,
        registration_id=registration_id,
        verb=Verb.RESTORE,
        turn=Turn(RegistrationState.CONFIRMED),
        refusal=EventCode.NOT_CANCELLED,
        notice=Notice.REGISTERED if notify else None,
        at=at,
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """What becomes of a registration."""

    state: RegistrationState
    offer_until: datetime | None = None


async def turn_one(
    *,
    actor: Actor,
    event_id: int,
    registration_id: int,
    verb: Verb,
    turn: Turn,
    refusal: EventCode,
    notice: Notice | None,
    at: datetime,
) -> None:
    """``turn_many`` for one registration as an action of its own; Conflict ``refusal`` when it stands otherwise."""

    async def once() -> None:
        async with unit_of_work():
            await quotas.hold(event_id)
            turned = await turn_many(
                actor=actor, event_id=event_id, verb=verb, turns={registration_id: turn}, at=at
            )
            if not turned:
                if not await Registration.filter(id=registration_id, event_id=event_id).exists():
                    raise NotFound(EventCode.REGISTRATION_UNKNOWN)
                raise Conflict(refusal)
            if notice is not None:
                await tell(event_id, turned, notice, at=at, again=True)

    await db.retrying(once)


async def turn_many(
    *, actor: Actor, event_id: int, verb: Verb, turns: Mapping[int, Turn], at: datetime
) -> Sequence[Recipient]:
    """Moves registrations to other states inside the caller's unit of work, which has taken ``quotas.hold``.

    Places and uses of access codes are counted, the journal written, passports told and the waiting list moved up.
    Who is not in a state that ``verb`` moves from is left out; gives those who moved, in id order. Raises Conflict
    ``ticket_type_full`` or ``group_full`` when any of them finds no place. As many statements for one as for many.
    """
    # An erased or merged record is history: it can be cancelled and nothing else.
    alive = "" if verb is Verb.CANCEL else "AND erased_at IS NULL AND merged_into_id IS NULL "
    states = ", ".join(f"'{state}'" for state in sorted(MOVES[verb]))
    rows = await db.query(
        f"SELECT {notices.COLUMNS}, state, group_id, access_code_id FROM registration "  # noqa: S608 -- our own words
        f"WHERE event_id = $1 AND id {db.in_list('$2', 'int')} AND state IN ({states}) {alive}ORDER BY id",
        event_id,
        db.list_parameter(turns),
    )
    if not rows:
        return []
    shifts, back = Shifts(), dict[int, int]()
    written, lines = list[dict[str, Any]](), dict[int, tuple[dict[str, Any], dict[str, Any]]]()
    for row in rows:
        turn, was = turns[row["id"]], RegistrationState(row["state"])
        held = (row["ticket_type_id"], row["group_id"])
        shifts.turn(old=(was, *held), new=(turn.state, *held))
        gives_back = row["access_code_id"] is not None and gives_code_back(was, turn.state)
        if gives_back:
            back[row["access_code_id"]] = back.get(row["access_code_id"], 0) + 1
        written.append(
            {
                "id": row["id"],
                "state": str(turn.state),
                "offer_until": db.stored_instant(turn.offer_until) if turn.offer_until else None,
                "gives_back": gives_back,
            }
        )
        lines[row["id"]] = ({"state": str(was)}, {"state": str(turn.state)})
    await quotas.give_codes_back(back)
    await quotas.shift(shifts)
    decided = "decided_at = $2, " if verb in (Verb.APPROVE, Verb.DECLINE) else ""
    source = db.json_rows("$1", id="int", state="text", offer_until="instant", gives_back="bool")
    count = await db.execute(
        f"UPDATE registration SET state = r.state, offer_until = r.offer_until, {decided}updated_at = $2, "  # noqa: S608 -- our own words
        "waiting_since = CASE WHEN r.state IN ('waitlisted', 'offered') THEN registration.waiting_since END, "
        "access_code_id = CASE WHEN r.gives_back THEN NULL ELSE registration.access_code_id END "
        f"FROM {source} WHERE registration.id = r.id AND registration.state IN ({states})",
        _json(written),
        at,
    )
    if count != len(rows):
        # Somebody changed a state without taking the lock.
        raise Conflict(Code.CONFLICT)
    await journal.write_many(
        actor=actor,
        verb=f"registration.{verb}",
        object_kind="registration",
        lines=lines,
        at=at,
        event_id=event_id,
    )
    await changed.tell(Changed(event_id, [row["id"] for row in rows]))
    if shifts.frees:
        await place_freed.tell(Freed(event_id, at))
    return [replace(Recipient.of(row), offer_until=turns[row["id"]].offer_until) for row in rows]


async def put_first_in_line(actor: Actor, event_id: int, registration_id: int, at: datetime) -> None:
    """Before everybody who waits for the same ticket type; inside the caller's unit of work."""
    rows = await db.query(
        "SELECT min(COALESCE(g.waiting_since, g.created_at)) AS first FROM registration me "
        "JOIN registration g ON g.ticket_type_id = me.ticket_type_id AND g.state = 'waitlisted' "
        "WHERE me.id = $1 AND me.event_id = $2",
        registration_id,
        event_id,
    )
    first = db.as_instant(rows[0]["first"])
    assert first is not None
    await db.execute(
        "UPDATE registration SET waiting_since = $3, updated_at = $4 WHERE id = $1 AND event_id = $2",
        registration_id,
        event_id,
        first - timedelta(microseconds=1),
        at,
    )
    await _write(actor, "registration.put_first", event_id, registration_id, at)


async def tell(
    event_id: int,
    people: Sequence[Recipient],
    notice: Notice,
    *,
    at: datetime,
    reason: str = "",
    again: bool = False,
) -> None:
    """Queues the letters about what has become of registrations; inside the caller's unit of work."""
    if any(one.email for one in people):
        event = await queries.find_event_by_id(event_id)
        assert event is not None
        names = await queries.ticket_type_names(event_id)
        await notices.tell(event, names, people, notice, at=at, reason=reason, again=again)


async def _turn(row: Registration, at: datetime, **columns: Any) -> None:
    """Updates a row that still is as it was read; Conflict when somebody else turned it meanwhile."""
    same = Registration.filter(id=row.id, state=row.state, ticket_type_id=row.ticket_type_id)
    if not await same.update(**columns, updated_at=at):
        raise Conflict(Code.CONFLICT)


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
    """Rebuilds every counter (ticket types, shared quotas, groups, access codes) from the registrations."""
    async with unit_of_work():
        await quotas.recount(event_id)


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
    places = _Places(types)
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
        if (values.ticket_type_id or (old and old["ticket_type_id"])) not in types:
            wrong(row, EventCode.TICKET_TYPE_UNKNOWN)
        elif not places.take(values, old):
            wrong(row, EventCode.TICKET_TYPE_FULL)
    if found:
        raise Invalid(found)


class _Places:
    """What is left while a list is read: by ticket type, and by the quota that it shares."""

    def __init__(self, types: Mapping[int, TicketTypeFacts]) -> None:
        self.types = types
        self.free: dict[tuple[str, int], int] = {}
        for item in types.values():
            if item.quota is not None:
                self.free["type", item.id] = max(item.quota - item.taken, 0)
            if item.shared_quota_id is not None and item.shared_free is not None:
                self.free["shared", item.shared_quota_id] = item.shared_free

    def take(self, values: Values, old: Mapping[str, Any] | None) -> bool:
        """Counts what a row would take beyond what it has; False when that is not there."""
        state = values.state or (old["state"] if old else RegistrationState.CONFIRMED)
        if state not in HOLDS_A_PLACE:
            return True
        held: set[tuple[str, int]] = set()
        if old is not None and old["state"] in HOLDS_A_PLACE:
            held = set(self._pools(old["ticket_type_id"]))
        new = [
            pool
            for pool in self._pools(values.ticket_type_id or (old or {})["ticket_type_id"])
            if pool not in held
        ]
        for pool in new:
            if pool in self.free:
                self.free[pool] -= 1
        return all(self.free.get(pool, 0) >= 0 for pool in new)

    def _pools(self, ticket_type_id: int) -> list[tuple[str, int]]:
        shares = self.types[ticket_type_id].shared_quota_id
        return [("type", ticket_type_id), *([("shared", shares)] if shares is not None else [])]


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
        #: Whether a place was given back, or somebody waits who may have one.
        self.frees = False

    async def apply(self, chunk: Sequence[RowPlan], chunk_id: UUID | None, body: dict[str, Any]) -> Applied:
        async def once() -> Applied:
            async with unit_of_work():
                await quotas.hold(self.event_id)
                self.frees = False
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
                if self.frees:
                    await place_freed.tell(Freed(self.event_id, self.at))
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
        shifts = Shifts()
        updated = await self._update([row for row in part if row.action is Action.UPDATE], shifts)
        created = await self._create([row for row in part if row.action is Action.CREATE], shifts)
        await quotas.shift(shifts)
        waits = any(row.values.state is RegistrationState.WAITLISTED for row in part)
        self.frees = self.frees or shifts.frees or waits
        if any(row.values.answers for row in part):
            new = {tuple(row[name] or "" for name in _TELLS_APART): row["id"] for row in created}
            given = [
                (row.registration_id or new[_person(row.values)], question_id, value)
                for row in part
                for question_id, value in row.values.answers or ()
            ]
            await answers.put_answers(self.event_id, given)
        ids = sorted([*updated, *(row["id"] for row in created)])
        if ids:
            await changed.tell(Changed(self.event_id, ids))
        return Applied(len(created), len(updated))

    async def _update(self, part: Sequence[RowPlan], shifts: Shifts) -> Sequence[int]:
        if not part:
            return []
        # Touching the rows locks them and tells what they hold now: the same statement on both databases.
        current = await db.query(
            "UPDATE registration SET updated_at = $2 "  # noqa: S608 -- column names only
            f"WHERE id IN (SELECT r.id FROM {db.json_rows('$1', id='int')}) AND event_id = $3 "
            "RETURNING id, ticket_type_id, group_id, access_code_id, state, name, badge_name, english_name, organisation",
            _json([{"id": row.registration_id} for row in part]),
            self.at,
            self.event_id,
        )
        by_id = {row["id"]: row for row in current}
        rows, back = [], dict[int, int]()
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
            shifts.turn(
                old=(old["state"], old["ticket_type_id"], old["group_id"]),
                new=(state, type_id, old["group_id"]),
            )
            code, was = old["access_code_id"], RegistrationState(old["state"])
            gives_back = code is not None and gives_code_back(was, state)
            if gives_back:
                back[code] = back.get(code, 0) + 1
            rows.append(
                {
                    **{name: getattr(values, name) for name in _UPDATED},
                    "id": old["id"],
                    "ticket_type_id": type_id,
                    "state": str(state),
                    "search": Contact(**names).search,
                    "gives_back": gives_back,
                }
            )
        setting = ", ".join(f"{name} = COALESCE(r.{name}, registration.{name})" for name in _UPDATED)
        columns = dict.fromkeys(_UPDATED, "text") | {
            "id": "int",
            "ticket_type_id": "int",
            "state": "text",
            "search": "text",
            "gives_back": "bool",
        }
        await quotas.give_codes_back(back)
        await db.execute(
            f"UPDATE registration SET {setting}, ticket_type_id = r.ticket_type_id, state = r.state, search = r.search, "  # noqa: S608 -- column names only
            "waiting_since = CASE WHEN r.state NOT IN ('waitlisted', 'offered') THEN NULL "
            "WHEN registration.state IN ('waitlisted', 'offered') THEN registration.waiting_since ELSE $2 END, "
            "offer_until = CASE WHEN r.state = 'offered' THEN registration.offer_until END, "
            "access_code_id = CASE WHEN r.gives_back THEN NULL ELSE registration.access_code_id END "
            f"FROM {db.json_rows('$1', **columns)} WHERE registration.id = r.id",
            _json(rows),
            self.at,
        )
        return list(by_id)

    async def _create(self, part: Sequence[RowPlan], shifts: Shifts) -> Sequence[Mapping[str, Any]]:
        """The new registrations: their ids, and what tells one line from all others."""
        if not part:
            return []
        rows = []
        for row in part:
            values, contact = row.values, _contact(row.values)
            state = values.state or RegistrationState.CONFIRMED
            assert values.ticket_type_id is not None
            shifts.turn(old=None, new=(state, values.ticket_type_id, None))
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
                    "waiting_since": db.stored_instant(values.registered_at or self.at)
                    if state is RegistrationState.WAITLISTED
                    else None,
                    **{name: getattr(values, name) or "" for name in _OF_THE_SHOP},
                    "created_at": db.stored_instant(values.registered_at or self.at),
                    "updated_at": db.stored_instant(self.at),
                }
            )
        names = ", ".join(_CREATED)
        return await db.query(
            f"INSERT INTO registration ({names}) SELECT {names} FROM {db.json_rows('$1', **_CREATED)} "  # noqa: S608 -- column names only
            "RETURNING id, external_id, external_code, name, email, phone",
            _json(rows),
        )


#: A list has no two new lines that are equal in all of these: the second would be the same person again.
_TELLS_APART: Final = ("external_id", "external_code", "name", "email", "phone")


def _person(values: Values) -> tuple[str, ...]:
    return tuple(getattr(values, name) or "" for name in _TELLS_APART)


#: What another shop's list may say of a registration.
_OF_THE_SHOP: Final = ("payment_state", "invoice_title", "tax_number", "ticket_source")
_UPDATED: Final = (*CONTACT_FIELDS, "locale", "external_id", "external_code", *_OF_THE_SHOP)
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
    "waiting_since": "instant",
    "ticket_source": "text",
    "payment_state": "text",
    "invoice_title": "text",
    "tax_number": "text",
    "created_at": "instant",
    "updated_at": "instant",
}


def _problem_of(error: db.IntegrityError | Refusal) -> Problem:
    known = _external_problem(error) if isinstance(error, db.IntegrityError) else error
    if isinstance(known, Invalid) and known.fields:
        return next(iter(known.fields.values()))
    return Problem(known.code, dict(known.params)) if isinstance(known, Refusal) else Problem(Code.CONFLICT)
