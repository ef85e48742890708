"""A meet-up in one step, its settings, and its cover."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from checkin import checkpoints
from checkin.models import CheckinList, Checkpoint
from events import access, event, meetups, queries
from events.meetup_rules import Meetup
from events.models import Event
from events.rules import Details, EventKind, EventState, Module, Permission, Role
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.errors import Invalid, NotFound
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import uploads
from people.models import JournalEntry, Upload
from tests.factories import NOW, make_account, make_event

CLUB = Meetup(
    name=LocalizedText({"zh-Hans": "Rust 之夜", "en": "Rust night"}),
    day=date(2026, 11, 27),
    starts_minute=1170,
    ends_minute=1290,
    place=LocalizedText({"zh-Hans": "南京西路 580 号"}),
    quota=30,
)


@pytest.fixture(autouse=True)
def wired() -> None:
    meetups.made.connect(checkpoints.open_door)


async def test_one_form_makes_everything_that_a_meetup_needs(database: Settings) -> None:
    maker = Actor(kind=ActorKind.ACCOUNT, id=(await make_account()).id)
    slug = await meetups.create(actor=maker, meetup=CLUB, at=NOW, publish=True)
    assert slug == "rust-night-1127"
    facts = await queries.find_event(slug)
    assert facts is not None
    assert (facts.state, facts.kind, facts.modules) == (
        EventState.PUBLISHED,
        EventKind.MEETUP,
        frozenset({Module.ARRIVALS}),
    )
    assert (facts.starts_minute, facts.ends_minute) == (1170, 1290)
    [kind] = await queries.ticket_types(facts.id)
    assert (kind.quota, kind.is_public) == (30, True)
    [place] = await queries.places(facts.id)
    [gate] = await Checkpoint.filter(event_id=facts.id)
    assert (gate.kind, gate.place_id, gate.is_open) == ("gate", place.id, True)
    assert [member.grant.role for member in await queries.team(facts.id)] == [Role.OWNER]
    assert (await access.open_event(maker, slug, Permission.SCAN)).checkpoint_scope() is None


async def test_an_alias_in_use_gets_a_number_unless_it_was_typed(database: Settings) -> None:
    tries = [meetups.create(actor=SYSTEM, meetup=CLUB, at=NOW) for _ in range(6)]
    slugs = await asyncio.gather(*tries)
    assert sorted(slugs) == ["rust-night-1127", *(f"rust-night-1127-{nth}" for nth in range(2, 7))]
    with pytest.raises(Invalid) as refused:
        await meetups.create(actor=SYSTEM, meetup=replace(CLUB, slug="rust-night-1127"), at=NOW)
    assert [problem.code for problem in refused.value.fields.values()] == ["slug_taken"]
    for _ in range(3):
        await meetups.create(actor=SYSTEM, meetup=CLUB, at=NOW)
    with pytest.raises(Invalid):
        await meetups.create(actor=SYSTEM, meetup=CLUB, at=NOW)
    with pytest.raises(Invalid):
        await meetups.create(actor=SYSTEM, meetup=replace(CLUB, quota=0), at=NOW)
    # What was refused left nothing half made.
    assert await Event.all().count() == await Checkpoint.all().count() == await CheckinList.all().count() == 9


async def test_every_setting_is_kept_and_told_by_name(database: Settings) -> None:
    row = await make_event()
    facts = await queries.find_event_by_id(row.id)
    assert facts is not None
    details = replace(
        Details.of(facts),
        kind=EventKind.MEETUP,
        modules=frozenset({Module.BOARD}),
        contact_email="hi@example.org",
        contact=LocalizedText({"en": "A group"}),
        privacy_notice=LocalizedText({"en": "We keep little."}),
        self_service_until=NOW,
        offer_hours=48,
        retention_days=90,
        id_document_days=7,
        starts_minute=540,
        ends_minute=1080,
    )
    await event.change(actor=SYSTEM, event_id=row.id, facts=details, at=NOW)
    found = await queries.find_event_by_id(row.id)
    assert found is not None and Details.of(found) == details
    entry = await JournalEntry.get(verb="event.change")
    assert entry.new["modules"] == ["board"]
    assert entry.new["self_service_until"] == NOW.isoformat()
    assert "hi@example.org" not in str(entry.new) and "contact_email" in entry.new["fields"]
    # The kind's own set is stored as nothing, so that later modules come by themselves.
    plain = replace(details, modules=frozenset({Module.ARRIVALS}))
    await event.change(actor=SYSTEM, event_id=row.id, facts=plain, at=NOW)
    assert (await Event.get(id=row.id)).modules is None


async def test_a_new_cover_sends_the_old_picture_to_the_purge(database: Settings) -> None:
    row = await make_event()

    async def picture() -> int:
        return await uploads.keep(
            data=b"\xff\xd8\xff", filename="picture.jpg", event_id=row.id, actor_key="system:0", at=NOW
        )

    first, second = await picture(), await picture()
    for number in (first, second, None):
        await event.set_cover(actor=SYSTEM, event_id=row.id, upload_id=number, at=NOW)
        facts = await queries.find_event_by_id(row.id)
        assert facts is not None and facts.cover_upload_id == number
    assert await uploads.purge(NOW + timedelta(days=2)) == 2
    assert await Upload.all().count() == 0
    with pytest.raises(NotFound):
        await event.set_cover(actor=SYSTEM, event_id=0, upload_id=None, at=NOW)
