"""An event made out of another one: its settings, places, ticket types, questions and pages, moved to a new date.

People never come along: no registration, access code, group, answer or letter. Upper floors copy what is theirs in the
same transaction, through the hook ``copied``. Every table costs a fixed number of statements, however many rows.
"""

# ruff: noqa: S608 -- statements are put together from constants of this file and kernel.db; values are parameters

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from events import access, event, queries
from events.copying_rules import Plan, copied_details, shifted_or_none, shifted_span
from events.models import Event, RoleGrant, TicketType
from events.rules import EventCode, EventFacts, EventState, Role
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import after_commit, in_list, json_rows, list_parameter, unit_of_work
from kernel.errors import Conflict, Invalid, NotFound
from kernel.hooks import Hook
from people import journal, uploads

#: From old ids to the copies' ids.
Ids = dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What upper floors are told: both events, how far times move, and which object became which.

    ``ids`` is by kind ("site", "place", "ticket_type"); a handler adds its own ("session", "checkpoint"), so that those
    after it, and the roles at the end, find them.
    """

    old: EventFacts
    event_id: int
    days: int
    at: datetime
    with_programme: bool
    ids: dict[str, Ids] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        return self.old.time_zone


#: Told inside the transaction that makes the copy.
copied: Hook[Copied] = Hook("copying.copied")


async def copy(*, actor: Actor, event_id: int, plan: Plan, at: datetime) -> int:
    """Makes a draft out of an event and gives its id; the account that copies becomes its owner.

    Raises Invalid with a problem at each field (an alias in use is ``slug_taken``), NotFound for an unknown event.
    """
    if problems := plan.problems():
        raise Invalid(problems)
    async with unit_of_work():
        facts = await queries.find_event_by_id(event_id)
        if facts is None:
            raise NotFound(EventCode.EVENT_UNKNOWN)
        details = copied_details(facts, plan)
        if problems := details.problems():
            raise Invalid(problems)
        try:
            async with unit_of_work():
                made = await Event.create(**event.columns_of(details), state=EventState.DRAFT, created_at=at)
        except db.IntegrityError as error:
            raise event.taken(error) from error
        days = (plan.starts_on - facts.starts_on).days
        news = Copied(old=facts, event_id=made.id, days=days, at=at, with_programme=plan.with_programme)
        await _cover(facts, made.id, actor, at)
        await _own_tables(news)
        await copied.tell(news)
        accounts = await _team(news, actor, everybody=plan.with_team)
        await journal.write(
            actor=actor,
            verb="event.copy",
            object_kind="event",
            object_id=made.id,
            event_id=made.id,
            old={"event": event_id},
            new={"slug": plan.slug, "days": days},
            at=at,
        )
        after_commit(lambda: access.forget_event(made.id))
        for account_id in accounts:
            after_commit(lambda number=account_id: access.forget_grants(number))  # type: ignore[misc]
    return int(made.id)


async def _cover(facts: EventFacts, event_id: int, actor: Actor, at: datetime) -> None:
    """A file of its own, so that either event may drop its picture."""
    if facts.cover_upload_id is None:
        return
    try:
        data, name = await uploads.read(facts.cover_upload_id)
    except NotFound:
        return
    number = await uploads.keep(data=data, filename=name, event_id=event_id, actor_key=actor.key, at=at)
    await Event.filter(id=event_id).update(cover_upload_id=number)


async def clone(
    table: str,
    columns: Sequence[str],
    *,
    old_ids: Sequence[int],
    event_id: int | None,
    ids: Mapping[str, Ids] | None = None,
    values: Mapping[int, Mapping[str, Any]] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Ids:
    """Copies rows of a table in one statement and gives which became which.

    ``columns`` are copied as they are, those in ``ids`` (column to map) are led to the copies they name, NULL where there
    is none; ``values`` are given row by row, of the ``kinds`` that ``json_rows`` knows. Raises Conflict when a row was
    removed meanwhile.
    """
    if not old_ids:
        return {}
    own, maps = dict(values or {}), dict(ids or {})
    kinds = dict(kinds or {})
    rows = [{"o": number} | dict(own.get(number, {})) for number in sorted(old_ids)]
    parameters: list[Any] = [orjson.dumps(rows).decode()]
    names, picks = list(columns), [f"t.{name}" for name in columns]
    if event_id is not None:
        parameters.append(event_id)
        names.append("event_id")
        # A bare parameter in a SELECT has no type of its own on PostgreSQL.
        picks.append(f"CAST(${len(parameters)} AS bigint)")
    for name, known in maps.items():
        parameters.append(orjson.dumps([{"a": a, "b": b} for a, b in known.items()]).decode())
        names.append(name)
        source = json_rows(f"${len(parameters)}", a="int", b="int").removesuffix(" AS r")
        picks.append(f"(SELECT m.b FROM {source} AS m WHERE m.a = t.{name})")
    for name in kinds:
        names.append(name)
        picks.append(f"r.{name}")
    made = await db.query(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(picks)} "
        f"FROM {json_rows('$1', o='int', **kinds)} JOIN {table} t ON t.id = r.o ORDER BY t.id RETURNING id",
        *parameters,
    )
    if len(made) != len(rows):
        raise Conflict(EventCode.EVENT_STATE)
    # Rows are written in the order of the old ids, and ids are drawn in the order of writing.
    return dict(zip(sorted(old_ids), sorted(int(one["id"]) for one in made), strict=True))


async def ids_of(table: str, event_id: int, more: str = "") -> list[int]:
    """The ids of an event's rows in a table; ``more`` is a condition of our own."""
    found = await db.query(f"SELECT id FROM {table} WHERE event_id = $1 {more} ORDER BY id", event_id)
    return [int(row["id"]) for row in found]


_TICKET_COLUMNS: Final = (
    "code",
    "name",
    "door_note",
    "quota",
    "is_public",
    "is_online",
    "position",
    "role",
    "description",
    "needs_approval",
    "needs_code",
    "has_waitlist",
    "is_walk_in",
)


async def _own_tables(news: Copied) -> None:
    """The tables of this floor, those that others refer to first."""
    old, new, ids = news.old.id, news.event_id, news.ids
    ids["site"] = await clone(
        "site",
        ("code", "name", "city", "address", "position"),
        old_ids=await ids_of("site", old),
        event_id=new,
    )
    places = await ids_of("place", old)
    # Parents stay the old ones until every copy is there.
    ids["place"] = await clone(
        "place",
        ("parent_id", "kind", "code", "name", "capacity", "position"),
        old_ids=places,
        event_id=new,
        ids={"site_id": ids["site"]},
    )
    if places:
        await db.execute(
            f"UPDATE place SET parent_id = r.b FROM {json_rows('$1', a='int', b='int')} "
            "WHERE place.event_id = $2 AND place.parent_id = r.a",
            _pairs(ids["place"]),
            new,
        )
    pools = await ids_of("shared_quota", old)
    nothing: Mapping[int, Mapping[str, Any]] = {number: {"taken": 0} for number in pools}
    ids["shared_quota"] = await clone(
        "shared_quota", ("name", "quota"), old_ids=pools, event_id=new, values=nothing, kinds={"taken": "int"}
    )
    types = await TicketType.filter(event_id=old).order_by("id")
    ids["ticket_type"] = await clone(
        "ticket_type",
        _TICKET_COLUMNS,
        old_ids=[row.id for row in types],
        event_id=new,
        ids={"site_id": ids["site"], "shared_quota_id": ids["shared_quota"]},
        values={row.id: {"taken": 0, **_window(row.opens_at, row.closes_at, news)} for row in types},
        kinds={"taken": "int", "opens_at": "instant", "closes_at": "instant"},
    )
    questions = await clone(
        "form_field",
        ("code", "kind", "label", "help", "options", "is_required", "is_personal", "is_active", "position"),
        old_ids=await ids_of("form_field", old),
        event_id=new,
    )
    await clone(
        "form_field_ticket_type",
        (),
        old_ids=await rows_below("form_field_ticket_type", "form_field_id", questions),
        event_id=None,
        ids={"form_field_id": questions, "ticket_type_id": ids["ticket_type"]},
    )
    instant = db.stored_instant(news.at)
    texts = await ids_of("consent_text", old, "AND is_current")
    await clone(
        "consent_text",
        ("code", "title", "text", "is_required", "is_current", "position"),
        old_ids=texts,
        event_id=new,
        values={number: {"version": 1, "created_at": instant} for number in texts},
        kinds={"version": "int", "created_at": "instant"},
    )
    pages = await ids_of("event_page", old)
    await clone(
        "event_page",
        ("slug", "title", "text", "is_published", "position"),
        old_ids=pages,
        event_id=new,
        values={number: {"updated_at": instant} for number in pages},
        kinds={"updated_at": "instant"},
    )
    reminders = await ids_of("reminder", old)
    await clone(
        "reminder",
        ("days_before", "subject", "text", "is_on"),
        old_ids=reminders,
        event_id=new,
        values={number: {"queued_count": 0, "updated_at": instant} for number in reminders},
        kinds={"queued_count": "int", "updated_at": "instant"},
    )


async def rows_below(table: str, column: str, parents: Ids) -> list[int]:
    """The ids of the rows that hang on these parents."""
    found = await db.query(
        f"SELECT id FROM {table} WHERE {column} {in_list('$1', 'int')} ORDER BY id",
        list_parameter(sorted(parents)),
    )
    return [int(row["id"]) for row in found]


def _pairs(known: Ids) -> str:
    return orjson.dumps([{"a": a, "b": b} for a, b in known.items()]).decode()


def _window(opens_at: datetime | None, closes_at: datetime | None, news: Copied) -> dict[str, str | None]:
    opens = shifted_or_none(opens_at, days=news.days, zone=news.zone)
    closes = shifted_or_none(closes_at, days=news.days, zone=news.zone)
    if opens_at is not None and closes_at is not None:
        opens, closes = shifted_span(opens_at, closes_at, days=news.days, zone=news.zone)
    return {"opens_at": stored_or_none(opens), "closes_at": stored_or_none(closes)}


def stored_or_none(at: datetime | None) -> str | None:
    return None if at is None else db.stored_instant(at)


async def _team(news: Copied, actor: Actor, *, everybody: bool) -> list[int]:
    """The roles of the copy, and the accounts that got one. A role narrowed to what was not copied is left out."""
    grants: set[tuple[int, str, str, int]] = set()
    if actor.kind is ActorKind.ACCOUNT:
        grants.add((actor.id, str(Role.OWNER), "", 0))
    if everybody:
        for row in await RoleGrant.filter(event_id=news.old.id):
            known = {0: 0} if not row.scope_kind else news.ids.get(row.scope_kind, {})
            if row.scope_id in known:
                grants.add((row.account_id, row.role, row.scope_kind, known[row.scope_id]))
    rows = [
        {
            "account_id": account,
            "role": role,
            "scope_kind": kind,
            "scope_id": scope,
            "created_at": db.stored_instant(news.at),
        }
        for account, role, kind, scope in sorted(grants)
    ]
    if rows:
        shape = json_rows(
            "$1", account_id="int", role="text", scope_kind="text", scope_id="int", created_at="instant"
        )
        await db.execute(
            "INSERT INTO role_grant (event_id, account_id, role, scope_kind, scope_id, created_at) "
            "SELECT CAST($2 AS bigint), r.account_id, r.role, r.scope_kind, r.scope_id, r.created_at "
            f"FROM {shape}",
            orjson.dumps(rows).decode(),
            news.event_id,
        )
    return sorted({account for account, _, _, _ in grants})
