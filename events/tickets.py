"""What one can register as: ticket types, quotas that several of them share, access codes; and what is on offer now.

Every change is journalled in the transaction that makes it. Counters are ``events.quotas``' business: what is decided
here are their limits, and a limit below what is taken is refused by the database.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from events import queries, quotas
from events.models import AccessCode, AccessCodeTicketType, SharedQuota, Site, TicketType
from events.queries import TicketTypeFacts
from events.quotas import Freed, place_freed
from events.rules import EventCode, EventFacts
from events.ticket_rules import (
    AccessCodeDetails,
    OfferState,
    SharedQuotaDetails,
    TicketTypeDetails,
    both_windows,
    code_problem,
    fold_code,
    offer_state,
    offer_until,
)
from kernel import codes, db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal, limits
from people.rules import Limit

__all__ = [
    "AccessCodeDetails",
    "Offer",
    "OfferState",
    "SharedQuotaDetails",
    "TicketTypeDetails",
    "add",
    "change",
    "offers",
]


@dataclass(frozen=True, slots=True)
class Offer:
    """A ticket type as somebody who wants to register sees it."""

    ticket_type: TicketTypeFacts
    state: OfferState


#: Codes that opened nothing, from one network. A hall of 2,000 mistypes; a machine that guesses is stopped, and who
#: has the right code never is, because it is looked at first.
WRONG_CODES: Final = Limit("access-code", 300, timedelta(minutes=10), is_network=True)


async def offers(event: EventFacts, *, at: datetime, code: str = "", network: str = "") -> Sequence[Offer]:
    """What the public form offers at ``at``, in its order: public ticket types, and those that ``code`` opens.

    A code that is unknown, used up or no longer valid opens nothing and says so only when somebody registers with it.
    At most four statements. ``network`` is the asker's address: raises TooMany ``access_code_guessed`` for one that has
    tried hundreds of codes that open nothing.
    """
    folded = fold_code(code)
    opened = await _opened(event.id, folded, at)
    if folded and not opened and network:
        await limits.count(WRONG_CODES, network, EventCode.ACCESS_CODE_GUESSED)
    types = [item for item in await queries.ticket_types(event.id) if item.is_public or item.id in opened]
    waited = await queries.types_waited_for(event, at=at)
    moves = offer_until(event, at=at) is not None
    return [
        Offer(
            item,
            offer_state(
                window=both_windows(event.window(at), item.window(at)),
                needs_code=item.needs_code,
                has_code=item.id in opened,
                free=item.free,
                has_waitlist=item.has_waitlist and moves,
                others_wait=item.id in waited,
            ),
        )
        for item in types
    ]


async def _opened(event_id: int, code: str, at: datetime) -> frozenset[int]:
    if not code:
        return frozenset()
    rows = await db.query(
        "SELECT o.ticket_type_id FROM access_code c JOIN access_code_ticket_type o ON o.access_code_id = c.id "
        "WHERE c.event_id = $1 AND c.code = $2 AND c.is_active AND (c.valid_until IS NULL OR c.valid_until > $3) "
        "AND (c.max_uses IS NULL OR c.used < c.max_uses)",
        event_id,
        code,
        at,
    )
    return frozenset(int(row["ticket_type_id"]) for row in rows)


async def has_access_codes(event_id: int) -> bool:
    """Whether the public form has a reason to ask for one."""
    rows = await db.query(
        "SELECT 1 AS one FROM access_code WHERE event_id = $1 AND is_active LIMIT 1", event_id
    )
    return bool(rows)


async def look_at_code(*, event_id: int, code: str, at: datetime) -> Problem | None:
    """What is wrong with a typed code before anybody uses it: unknown, expired, used up; nothing for none typed."""
    folded = fold_code(code)
    if not folded:
        return None
    rows = await db.query(
        "SELECT is_active, valid_until, max_uses - used AS uses_left FROM access_code WHERE event_id = $1 AND code = $2",
        event_id,
        folded,
    )
    if not rows:
        return Problem(EventCode.ACCESS_CODE_WRONG)
    until, left = db.as_instant(rows[0]["valid_until"]), rows[0]["uses_left"]
    is_well = rows[0]["is_active"] and (until is None or until > at) and (left is None or left > 0)
    if is_well:
        return None
    return Problem(code_problem(is_active=bool(rows[0]["is_active"]), valid_until=until, left=left, at=at))


# --- ticket types ------------------------------------------------------------------------------------------------


async def add(*, actor: Actor, event_id: int, details: TicketTypeDetails, at: datetime) -> int:
    """Adds a ticket type and gives its id; raises Invalid with a problem at each field."""
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        await _own(event_id, details)
        try:
            async with unit_of_work():
                row = await TicketType.create(event_id=event_id, **_columns(details))
        except db.IntegrityError as error:
            raise _problem(error) from error
        await _write(actor, "ticket_type.add", row.id, event_id=event_id, at=at, new=_told(details))
    return int(row.id)


async def change(
    *, actor: Actor, event_id: int, ticket_type_id: int, details: TicketTypeDetails, at: datetime
) -> None:
    """Changes a ticket type; a raised quota, or a waiting list switched on, moves people up at once.

    Raises NotFound; Invalid ``quota_below_taken`` at ``quota`` (more people hold one than the quota allows) or at
    ``shared_quota_id`` (they do not fit into the shared one), and as ``add`` does.
    """
    if problems := details.problems():
        raise Invalid(problems)

    async def once() -> None:
        async with unit_of_work():
            await quotas.hold(event_id)
            row = await TicketType.get_or_none(id=ticket_type_id, event_id=event_id)
            if row is None:
                raise NotFound(EventCode.TICKET_TYPE_UNKNOWN)
            await _own(event_id, details)
            if row.shared_quota_id != details.shared_quota_id:
                await _share(row, details.shared_quota_id)
            try:
                async with unit_of_work():
                    await TicketType.filter(id=ticket_type_id).update(**_columns(details))
            except db.IntegrityError as error:
                raise _problem(error) from error
            old = {item.name: getattr(row, item.name) for item in fields(details) if item.name in _TOLD}
            await _write(
                actor,
                "ticket_type.change",
                ticket_type_id,
                event_id=event_id,
                at=at,
                old=old,
                new=_told(details),
            )
            await place_freed.tell(Freed(event_id, at))

    await db.retrying(once)


async def _own(event_id: int, details: TicketTypeDetails) -> None:
    """A site or shared quota of another event is no choice."""
    if details.site_id is not None and not await Site.filter(id=details.site_id, event_id=event_id).exists():
        raise Invalid({"site_id": Problem(EventCode.SITE_UNKNOWN)})
    if (
        details.shared_quota_id is not None
        and not await SharedQuota.filter(id=details.shared_quota_id, event_id=event_id).exists()
    ):
        raise Invalid({"shared_quota_id": Problem(EventCode.SHARED_QUOTA_UNKNOWN)})


async def _share(row: TicketType, shared_quota_id: int | None) -> None:
    """All who hold this ticket type leave the old shared quota and count in the new one."""
    if row.shared_quota_id is not None:
        await db.execute(
            "UPDATE shared_quota SET taken = CASE WHEN taken < $2 THEN 0 ELSE taken - $2 END WHERE id = $1",
            row.shared_quota_id,
            row.taken,
        )
    if shared_quota_id is not None and not await db.query(
        "UPDATE shared_quota SET taken = taken + $2 WHERE id = $1 AND taken + $2 <= quota RETURNING id",
        shared_quota_id,
        row.taken,
    ):
        raise Invalid({"shared_quota_id": Problem(EventCode.QUOTA_BELOW_TAKEN)})


async def order(*, actor: Actor, event_id: int, ticket_type_ids: Sequence[int], at: datetime) -> None:
    """Puts the event's ticket types into this order, in one statement. Raises Conflict ``order_stale`` unless exactly
    all of them are named once.
    """
    async with unit_of_work():
        there = {row["id"] for row in await TicketType.filter(event_id=event_id).values("id")}
        if len(ticket_type_ids) != len(there) or set(ticket_type_ids) != there:
            raise Conflict(EventCode.ORDER_STALE)
        await db.execute(
            f"UPDATE ticket_type SET position = r.position FROM {db.json_rows('$1', id='int', position='int')} "  # noqa: S608 -- column names only
            "WHERE ticket_type.id = r.id",
            orjson.dumps(
                [{"id": number, "position": place} for place, number in enumerate(ticket_type_ids, 1)]
            ).decode(),
        )
        await _write(
            actor,
            "event.order_ticket_types",
            event_id,
            event_id=event_id,
            at=at,
            new={"ticket_type_ids": list(ticket_type_ids)},
        )


#: What the journal repeats; of texts it says nothing.
_TOLD: Final = (
    "code",
    "quota",
    "is_public",
    "shared_quota_id",
    "needs_approval",
    "needs_code",
    "has_waitlist",
)


def _told(details: TicketTypeDetails) -> dict[str, Any]:
    return {name: getattr(details, name) for name in _TOLD}


def _columns(details: TicketTypeDetails | SharedQuotaDetails) -> dict[str, Any]:
    return {item.name: getattr(details, item.name) for item in fields(details)}


def _problem(error: db.IntegrityError) -> Exception:
    # Both databases name the check; SQLite names a unique constraint by its columns, PostgreSQL says them in the detail.
    said = str(error)
    if "ck_ticket_type_taken" in said or "ck_shared_quota_taken" in said:
        return Invalid({"quota": Problem(EventCode.QUOTA_BELOW_TAKEN)})
    if "ck_access_code_used" in said:
        return Invalid({"max_uses": Problem(EventCode.USES_BELOW_USED)})
    if "access_code" in said:
        return Invalid({"code": Problem(EventCode.ACCESS_CODE_TAKEN)})
    if "code" in said:
        return Invalid({"code": Problem(EventCode.TICKET_CODE_TAKEN)})
    return error


# --- shared quotas -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SharedQuotaFacts:
    """A limit over several ticket types, and those that count in it."""

    id: int
    name: LocalizedText
    quota: int
    taken: int
    ticket_type_ids: tuple[int, ...]


async def shared_quotas(event_id: int) -> Sequence[SharedQuotaFacts]:
    """The event's shared quotas, first made first; two statements."""
    members: dict[int, list[int]] = {}
    for row in (
        await TicketType.filter(event_id=event_id, shared_quota_id__isnull=False)
        .order_by("position", "id")
        .values("id", "shared_quota_id")
    ):
        members.setdefault(row["shared_quota_id"], []).append(row["id"])
    return [
        SharedQuotaFacts(
            row.id, LocalizedText.of(row.name), row.quota, row.taken, tuple(members.get(row.id, ()))
        )
        for row in await SharedQuota.filter(event_id=event_id).order_by("id")
    ]


async def add_shared_quota(*, actor: Actor, event_id: int, details: SharedQuotaDetails, at: datetime) -> int:
    """Adds a shared quota, in which nothing counts yet; raises Invalid with a problem at each field."""
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        row = await SharedQuota.create(event_id=event_id, **_columns(details))
        await _write(
            actor, "shared_quota.add", row.id, event_id=event_id, at=at, new={"quota": details.quota}
        )
    return int(row.id)


async def change_shared_quota(
    *, actor: Actor, event_id: int, shared_quota_id: int, details: SharedQuotaDetails, at: datetime
) -> None:
    """Changes a shared quota; a raised one moves people up at once.

    Raises NotFound ``shared_quota_unknown``, Invalid ``quota_below_taken`` at ``quota``, and as ``add_shared_quota``.
    """
    if problems := details.problems():
        raise Invalid(problems)

    async def once() -> None:
        async with unit_of_work():
            await quotas.hold(event_id)
            row = await SharedQuota.get_or_none(id=shared_quota_id, event_id=event_id)
            if row is None:
                raise NotFound(EventCode.SHARED_QUOTA_UNKNOWN)
            try:
                async with unit_of_work():
                    await SharedQuota.filter(id=shared_quota_id).update(**_columns(details))
            except db.IntegrityError as error:
                raise _problem(error) from error
            await _write(
                actor,
                "shared_quota.change",
                shared_quota_id,
                event_id=event_id,
                at=at,
                old={"quota": row.quota},
                new={"quota": details.quota},
            )
            await place_freed.tell(Freed(event_id, at))

    await db.retrying(once)


async def remove_shared_quota(*, actor: Actor, event_id: int, shared_quota_id: int, at: datetime) -> None:
    """Removes a shared quota in which no ticket type counts; Conflict ``shared_quota_in_use`` when one does."""
    async with unit_of_work():
        rows = await db.query(
            "DELETE FROM shared_quota WHERE id = $1 AND event_id = $2 AND NOT EXISTS ("
            "SELECT 1 FROM ticket_type t WHERE t.shared_quota_id = shared_quota.id) RETURNING quota",
            shared_quota_id,
            event_id,
        )
        if not rows:
            if await SharedQuota.filter(id=shared_quota_id, event_id=event_id).exists():
                raise Conflict(EventCode.SHARED_QUOTA_IN_USE)
            raise NotFound(EventCode.SHARED_QUOTA_UNKNOWN)
        await _write(
            actor,
            "shared_quota.remove",
            shared_quota_id,
            event_id=event_id,
            at=at,
            old={"quota": rows[0]["quota"]},
        )


# --- access codes ------------------------------------------------------------------------------------------------

#: Codes made at once.
GENERATED_AT_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class AccessCodeFacts:
    """An access code, how often it was used and what it opens."""

    id: int
    code: str
    ticket_source: str
    max_uses: int | None
    used: int
    valid_until: datetime | None
    is_active: bool
    created_at: datetime
    ticket_type_ids: tuple[int, ...]

    @property
    def details(self) -> AccessCodeDetails:
        return AccessCodeDetails(
            code=self.code,
            ticket_type_ids=frozenset(self.ticket_type_ids),
            ticket_source=self.ticket_source,
            max_uses=self.max_uses,
            valid_until=self.valid_until,
            is_active=self.is_active,
        )


@dataclass(frozen=True, slots=True)
class AccessCodesPage:
    """Some of an event's access codes, and how many there are with this filter."""

    rows: Sequence[AccessCodeFacts]
    total: int
    page: int
    pages: int


CODES_A_PAGE: Final = 100


async def access_codes(
    event_id: int, *, text: str = "", page: int = 1, size: int = CODES_A_PAGE
) -> AccessCodesPage:
    """Access codes, newest first, by a part of the code or of where its tickets come from; three statements."""
    condition, values = "event_id = $1", [event_id, *((f"%{queries.like(text.upper())}%",) if text else ())]
    if text:
        condition += " AND (upper(code) LIKE $2 ESCAPE '\\' OR upper(ticket_source) LIKE $2 ESCAPE '\\')"
    counted = await db.query(f"SELECT count(*) AS n FROM access_code WHERE {condition}", *values)  # noqa: S608 -- values are parameters
    total = int(counted[0]["n"])
    pages = max(-(-total // size), 1)
    page = min(max(page, 1), pages)
    rows = await db.query(
        f"SELECT * FROM access_code WHERE {condition} ORDER BY id DESC LIMIT {size} OFFSET {(page - 1) * size}",  # noqa: S608 -- as above
        *values,
    )
    opened = await _ticket_types_of([int(row["id"]) for row in rows])
    return AccessCodesPage([_code(row, opened) for row in rows], total, page, pages)


async def find_access_code(event_id: int, access_code_id: int) -> AccessCodeFacts | None:
    rows = await db.query(
        "SELECT * FROM access_code WHERE event_id = $1 AND id = $2", event_id, access_code_id
    )
    return _code(rows[0], await _ticket_types_of([access_code_id])) if rows else None


async def _ticket_types_of(ids: Iterable[int]) -> Mapping[int, list[int]]:
    opened: dict[int, list[int]] = {}
    for row in await db.query(
        "SELECT o.access_code_id, o.ticket_type_id FROM access_code_ticket_type o "  # noqa: S608 -- our own words
        f"WHERE o.access_code_id {db.in_list('$1', 'int')} ORDER BY o.id",
        db.list_parameter(ids),
    ):
        opened.setdefault(int(row["access_code_id"]), []).append(int(row["ticket_type_id"]))
    return opened


def _code(row: Mapping[str, Any], opened: Mapping[int, list[int]]) -> AccessCodeFacts:
    created_at = db.as_instant(row["created_at"])
    assert created_at is not None
    return AccessCodeFacts(
        id=int(row["id"]),
        code=row["code"],
        ticket_source=row["ticket_source"],
        max_uses=row["max_uses"],
        used=int(row["used"]),
        valid_until=db.as_instant(row["valid_until"]),
        is_active=bool(row["is_active"]),
        created_at=created_at,
        ticket_type_ids=tuple(opened.get(int(row["id"]), ())),
    )


async def add_access_code(*, actor: Actor, event_id: int, details: AccessCodeDetails, at: datetime) -> int:
    """Adds an access code that somebody thought of; raises Invalid with a problem at each field."""
    made = await _add_codes(actor, event_id, details, [details.code], at)
    if not made:
        raise Invalid({"code": Problem(EventCode.ACCESS_CODE_TAKEN)})
    return made[0]


async def generate_access_codes(
    *, actor: Actor, event_id: int, details: AccessCodeDetails, count: int, at: datetime
) -> Sequence[int]:
    """Makes ``count`` codes that nobody can guess, each with these uses, and gives their ids.

    ``details.code`` is what they begin with, or empty. Raises Invalid with a problem at each field.
    """
    if not 1 <= count <= GENERATED_AT_MOST:
        raise Invalid({"count": Problem(Code.OUT_OF_RANGE)})
    start = f"{details.code}-" if details.code else ""
    made: list[int] = []
    async with unit_of_work():
        while len(made) < count:
            fresh = {start + _random() for _ in range(count - len(made))}
            made += await _add_codes(actor, event_id, details, sorted(fresh), at)
    return made


def _random() -> str:
    # 50 bits out of an alphabet without look-alikes: read out on the phone, typed from paper, not to be guessed.
    drawn = "".join(secrets.choice(codes.ALPHABET) for _ in range(10))
    return f"{drawn[:5]}-{drawn[5:]}"


async def _add_codes(
    actor: Actor, event_id: int, details: AccessCodeDetails, wanted: Sequence[str], at: datetime
) -> list[int]:
    """The ids of those that are new, in the order of ``wanted``; three statements for any number."""
    if problems := replace(details, code=wanted[0]).problems():
        raise Invalid(problems)
    async with unit_of_work():
        await _own_types(event_id, details.ticket_type_ids)
        columns = {
            "event_id": "int",
            "code": "text",
            "ticket_source": "text",
            "max_uses": "int",
            "used": "int",
            "valid_until": "instant",
            "is_active": "bool",
            "created_at": "instant",
        }
        names = ", ".join(columns)
        every = {
            "event_id": event_id,
            "ticket_source": details.ticket_source,
            "max_uses": details.max_uses,
            "used": 0,
            "valid_until": db.stored_instant(details.valid_until) if details.valid_until else None,
            "is_active": details.is_active,
            "created_at": db.stored_instant(at),
        }
        rows = await db.query(
            f"INSERT INTO access_code ({names}) SELECT {names} FROM {db.json_rows('$1', **columns)} WHERE true "  # noqa: S608 -- column names only
            "ON CONFLICT (event_id, code) DO NOTHING RETURNING id, code",
            orjson.dumps([{**every, "code": code} for code in wanted]).decode(),
        )
        by_code = {row["code"]: int(row["id"]) for row in rows}
        made = [by_code[code] for code in wanted if code in by_code]
        if made:
            await _open(made, details.ticket_type_ids)
            await _write(
                actor,
                "access_code.add",
                made[0],
                event_id=event_id,
                at=at,
                new={"count": len(made), "max_uses": details.max_uses},
            )
    return made


async def _own_types(event_id: int, ticket_type_ids: frozenset[int]) -> None:
    if await TicketType.filter(event_id=event_id, id__in=list(ticket_type_ids)).count() != len(
        ticket_type_ids
    ):
        raise Invalid({"ticket_types": Problem(EventCode.TICKET_TYPE_UNKNOWN)})


async def _open(code_ids: Iterable[int], ticket_type_ids: Iterable[int]) -> None:
    await db.execute(
        "INSERT INTO access_code_ticket_type (access_code_id, ticket_type_id) "  # noqa: S608 -- column names only
        f"SELECT r.code_id, r.type_id FROM {db.json_rows('$1', code_id='int', type_id='int')}",
        orjson.dumps(
            [
                {"code_id": code_id, "type_id": type_id}
                for code_id in code_ids
                for type_id in sorted(ticket_type_ids)
            ]
        ).decode(),
    )


async def change_access_code(
    *, actor: Actor, event_id: int, access_code_id: int, details: AccessCodeDetails, at: datetime
) -> None:
    """Changes an access code; switched off it opens nothing, and who registered with it stays registered.

    Raises NotFound, or Invalid: ``access_code_taken`` at ``code``, ``uses_below_used`` at ``max_uses``.
    """
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        await quotas.hold(event_id)
        row = await AccessCode.get_or_none(id=access_code_id, event_id=event_id)
        if row is None:
            raise NotFound(Code.NOT_FOUND)
        await _own_types(event_id, details.ticket_type_ids)
        columns = _code_columns(details)
        try:
            async with unit_of_work():
                await AccessCode.filter(id=access_code_id).update(**columns)
        except db.IntegrityError as error:
            raise _problem(error) from error
        await AccessCodeTicketType.filter(access_code_id=access_code_id).delete()
        await _open([access_code_id], details.ticket_type_ids)
        # The code itself is a key: the journal has its id, how often and whether it works.
        told = ("max_uses", "is_active")
        await _write(
            actor,
            "access_code.change",
            access_code_id,
            event_id=event_id,
            at=at,
            old={name: getattr(row, name) for name in told},
            new={name: columns[name] for name in told},
        )


def _code_columns(details: AccessCodeDetails) -> dict[str, Any]:
    return {
        item.name: getattr(details, item.name) for item in fields(details) if item.name != "ticket_type_ids"
    }


async def _write(
    actor: Actor,
    verb: str,
    number: int,
    *,
    event_id: int,
    at: datetime,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
) -> None:
    await journal.write(
        actor=actor,
        verb=verb,
        object_kind=verb.partition(".")[0],
        object_id=number,
        event_id=event_id,
        old=dict(old or {}),
        new=dict(new or {}),
        at=at,
    )
