"""Events, ticket types and roles: made, changed, guarded by the database, journalled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from events import access, event, queries, tickets
from events.rules import Details, EventCode, EventState, Permission, Role
from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.errors import Conflict, Invalid, NotFound
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import JournalEntry
from tests.factories import NOW, make_account, make_event, make_role, make_ticket_type

COSCON = Details(
    slug="coscon-2023",
    name=LocalizedText({"zh-Hans": "中国开源年会", "en": "China Open Source Conference"}),
    starts_on=date(2023, 10, 28),
    ends_on=date(2023, 10, 29),
    city=LocalizedText({"zh-Hans": "成都", "en": "Chengdu"}),
)


async def actor() -> Actor:
    return Actor(kind=ActorKind.ACCOUNT, id=(await make_account()).id)


async def verbs() -> list[str]:
    return [row.verb for row in await JournalEntry.all().order_by("id")]


async def test_creator_becomes_owner_and_it_is_journalled(database: Settings) -> None:
    maker = await actor()
    number = await event.create(actor=maker, facts=COSCON, at=NOW)
    found = await queries.find_event("coscon-2023")
    assert found is not None
    assert (found.id, found.state, found.name.in_("en")) == (
        number,
        EventState.DRAFT,
        "China Open Source Conference",
    )
    assert [member.grant.role for member in await queries.team(number)] == [Role.OWNER]
    assert (await access.open_event(maker, "coscon-2023", Permission.GRANT_ROLES)).event == found
    assert await verbs() == ["event.create"]


async def test_what_cannot_be_is_named_at_its_field(database: Settings) -> None:
    await make_event("taken")
    wrong = replace(
        COSCON,
        slug="-No-",
        name=LocalizedText({"en": " "}),
        tagline=LocalizedText({"en": "x" * 201}),
        ends_on=COSCON.starts_on - timedelta(days=1),
        time_zone="Mars/Olympus",
        theme_colour="red",
        day_starts_minute=720,
        registration_opens_at=NOW,
        registration_closes_at=NOW,
    )
    with pytest.raises(Invalid) as refused:
        await event.create(actor=SYSTEM, facts=wrong, at=NOW)
    assert {name: problem.code for name, problem in refused.value.fields.items()} == {
        "slug": "slug_malformed",
        "name": "required",
        "tagline": "too_long",
        "ends_on": "dates_reversed",
        "time_zone": "zone_unknown",
        "theme_colour": "colour_malformed",
        "day_starts_minute": "out_of_range",
        "registration_closes_at": "window_reversed",
    }
    with pytest.raises(Invalid) as refused:
        await event.create(actor=SYSTEM, facts=replace(COSCON, slug="taken"), at=NOW)
    assert {name: problem.code for name, problem in refused.value.fields.items()} == {
        "slug": EventCode.SLUG_TAKEN
    }
    assert await verbs() == []


async def test_one_alias_raced_by_many_gives_one_event(database: Settings) -> None:
    tries = [event.create(actor=SYSTEM, facts=COSCON, at=NOW) for _ in range(16)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, int) for one in done) == 1
    assert sum(isinstance(one, Invalid) for one in done) == 15


async def test_change_keeps_what_it_was_not_told_and_forgets_the_old_alias(database: Settings) -> None:
    maker = await actor()
    number = await event.create(actor=maker, facts=COSCON, at=NOW)
    facts = (await access.open_event(maker, "coscon-2023", Permission.CHANGE_EVENT)).event
    await event.change(
        actor=maker, event_id=number, facts=replace(Details.of(facts), slug="coscon23"), at=NOW
    )
    door = await access.open_event(maker, "coscon23", Permission.CHANGE_EVENT)
    assert door.event == replace(facts, slug="coscon23")
    with pytest.raises(NotFound):
        await access.open_event(maker, "coscon-2023", Permission.CHANGE_EVENT)
    before = await JournalEntry.all().count()
    await event.change(actor=maker, event_id=number, facts=Details.of(door.event), at=NOW)
    assert await JournalEntry.all().count() == before
    entry = await JournalEntry.get(verb="event.change")
    assert (entry.old, entry.new) == ({"slug": "coscon-2023"}, {"slug": "coscon23", "fields": ["slug"]})


async def test_states_move_only_as_the_table_says(database: Settings) -> None:
    number = await event.create(actor=SYSTEM, facts=COSCON, at=NOW)
    with pytest.raises(Conflict):
        await event.end(actor=SYSTEM, event_id=number, at=NOW)
    await event.publish(actor=SYSTEM, event_id=number, at=NOW)
    await event.publish(actor=SYSTEM, event_id=number, at=NOW)
    await event.end(actor=SYSTEM, event_id=number, at=NOW)
    with pytest.raises(Conflict):
        await event.hide(actor=SYSTEM, event_id=number, at=NOW)
    await event.publish(actor=SYSTEM, event_id=number, at=NOW)
    await event.hide(actor=SYSTEM, event_id=number, at=NOW)
    assert await verbs() == [
        "event.create",
        "event.published",
        "event.ended",
        "event.published",
        "event.draft",
    ]


async def test_a_role_is_given_once_and_only_with_a_scope_it_knows(database: Settings) -> None:
    there, someone = await make_event(), await make_account()
    given: dict[str, Any] = {"actor": SYSTEM, "event_id": there.id, "account_id": someone.id, "at": NOW}
    tries = [event.grant(**given, role=Role.SCANNER) for _ in range(16)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, int) for one in done) == 1
    assert {one.code for one in done if isinstance(one, Conflict)} == {EventCode.ROLE_HELD}
    await event.grant(**given, role=Role.SCANNER, scope_kind="checkpoint", scope_id=3)
    with pytest.raises(Invalid):
        await event.grant(**given, role=Role.ORGANISER, scope_kind="checkpoint", scope_id=3)
    with pytest.raises(Invalid):
        await event.grant(**given, role=Role.SCANNER, scope_kind="planet", scope_id=3)
    assert await verbs() == ["role.grant", "role.grant"]


async def test_the_last_owner_stays_whoever_asks_first(database: Settings) -> None:
    there = await make_event()
    owners = [await make_role(there, await make_account(), Role.OWNER) for _ in range(4)]
    helper = await make_role(there, await make_account(), Role.SCANNER)
    tries = [event.revoke(actor=SYSTEM, event_id=there.id, grant_id=row.id, at=NOW) for row in owners]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert [one.code for one in done if isinstance(one, Conflict)] == [EventCode.LAST_OWNER]
    assert sum(one is None for one in done) == 3
    await event.revoke(actor=SYSTEM, event_id=there.id, grant_id=helper.id, at=NOW)
    assert [member.grant.role for member in await queries.team(there.id)] == [Role.OWNER]


async def test_a_grant_of_another_event_cannot_be_revoked_from_here(database: Settings) -> None:
    here, there = await make_event(), await make_event()
    row = await make_role(there, await make_account(), Role.SCANNER)
    with pytest.raises(NotFound):
        await event.revoke(actor=SYSTEM, event_id=here.id, grant_id=row.id, at=NOW)
    assert len(await queries.team(there.id)) == 1


async def test_ticket_types_keep_their_codes_apart_and_their_quota_above_what_is_taken(
    database: Settings,
) -> None:
    there = await make_event()
    named = LocalizedText({"zh-Hans": "普通票"})
    details = tickets.TicketTypeDetails(code="general", name=named, quota=10)
    number = await tickets.add(actor=SYSTEM, event_id=there.id, details=details, at=NOW)
    for wrong, expected in [
        (details, {"code": "ticket_code_taken"}),
        (replace(details, code="a b", quota=-1), {"code": "malformed", "quota": "out_of_range"}),
    ]:
        with pytest.raises(Invalid) as refused:
            await tickets.add(actor=SYSTEM, event_id=there.id, details=wrong, at=NOW)
        assert {name: problem.code for name, problem in refused.value.fields.items()} == expected
    async with db.unit_of_work():
        await db.execute("UPDATE ticket_type SET taken = 5 WHERE id = $1", number)
    change: dict[str, Any] = {"actor": SYSTEM, "event_id": there.id, "ticket_type_id": number, "at": NOW}
    with pytest.raises(Invalid) as refused:
        await tickets.change(**change, details=replace(details, quota=4))
    assert {name: problem.code for name, problem in refused.value.fields.items()} == {
        "quota": "quota_below_taken"
    }
    await tickets.change(**change, details=replace(details, quota=5))
    assert [(item.free, item.is_full) for item in await queries.ticket_types(there.id)] == [(0, True)]
    with pytest.raises(NotFound):
        elsewhere = await make_ticket_type(await make_event())
        await tickets.change(**{**change, "ticket_type_id": elsewhere.id}, details=details)
