"""An event copied to a new date: everything that was settled comes along, nobody who registered does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from tortoise import Tortoise

import agenda.copying
import checkin.copying
from agenda.models import (
    Call,
    CallCode,
    CallField,
    CallFieldScope,
    Community,
    Forum,
    ForumCommunity,
    ForumHelper,
    ForumProducer,
    LetterTemplate,
    Producer,
    Proposal,
    ReviewCriterion,
    ReviewPhase,
    Session,
    SessionType,
    Speaker,
    Tag,
)
from checkin.models import CheckinList, Checkpoint, CheckpointTicketType, CheckpointWindow
from events import access, copying, custom_pages, queries, sites
from events.copying_rules import Plan
from events.models import (
    AccessCode,
    ConsentText,
    Event,
    EventPage,
    FormField,
    FormFieldTicketType,
    Registration,
    Reminder,
    SharedQuota,
    TicketType,
)
from events.rules import EventState, Permission, Role
from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Invalid, NotFound
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import JournalEntry
from tests.factories import (
    NOW,
    make_account,
    make_checkpoint,
    make_event,
    make_place,
    make_registration,
    make_role,
    make_session,
    make_ticket_type,
)

PLAN = Plan(slug="coscon-2024", name=LocalizedText({"zh-Hans": "第九届"}), starts_on=date(2024, 10, 26))
DAYS = (date(2024, 10, 26) - date(2023, 10, 28)).days


@pytest.fixture(autouse=True)
def wired() -> None:
    copying.copied.connect(agenda.copying.follow_copy)
    copying.copied.connect(checkin.copying.follow_copy)


async def conference(rows: int = 1) -> dict[str, Any]:
    """An event with ``rows`` of everything."""
    event = await make_event("coscon-2023", is_sample=True, contact_email="hi@example.org", offer_hours=48)
    owner = await make_account()
    await make_role(event, owner, Role.OWNER)
    async with unit_of_work():
        pool = await SharedQuota.create(event_id=event.id, name={"en": "Hall"}, quota=100, taken=7)
        await AccessCode.create(event_id=event.id, code="FREE", created_at=NOW)
    site = await sites.add(
        actor=SYSTEM,
        event_id=event.id,
        details=sites.SiteDetails(code="wh", name=LocalizedText({"en": "Wuhan"})),
        at=NOW,
    )
    made: dict[str, Any] = {"event": event, "owner": owner, "site": site}
    for number in range(rows):
        hall = await make_place(event, f"hall-{number}", kind="venue", site_id=site)
        room = await make_place(event, f"room-{number}", parent_id=hall.id)
        kind = await make_ticket_type(
            event,
            f"general-{number}",
            quota=50,
            taken=7,
            shared_quota_id=pool.id,
            site_id=site,
            opens_at=NOW - timedelta(days=30),
            closes_at=NOW,
        )
        session = await make_session(event, place_id=room.id)
        gate = await make_checkpoint(
            event,
            place_id=hall.id,
            site_id=site,
            windows=[(NOW, NOW + timedelta(hours=8))],
            ticket_types=[kind],
        )
        await make_checkpoint(event, list_id=gate.list_id, place_id=hall.id)
        await make_checkpoint(event, kind="session", session_id=session.id)
        await make_registration(event, kind)
        scanner = await make_account()
        await make_role(event, scanner, Role.SCANNER, "checkpoint", gate.id)
        async with unit_of_work():
            question = await FormField.create(
                event_id=event.id, code=f"diet-{number}", kind="line", label={"en": "Diet"}
            )
            await FormFieldTicketType.create(form_field_id=question.id, ticket_type_id=kind.id)
            for version in (1, 2):
                await ConsentText.create(
                    event_id=event.id,
                    code=f"photos-{number}",
                    version=version,
                    title={"en": f"Photos {version}"},
                    is_current=version == 2,
                    created_at=NOW,
                )
            await Reminder.create(
                event_id=event.id,
                days_before=7 + number,
                subject={"en": "Soon"},
                text={"en": "See you"},
                queued_at=NOW,
                queued_count=3,
                updated_at=NOW,
            )
        await custom_pages.add(
            actor=SYSTEM,
            event_id=event.id,
            details=custom_pages.PageDetails(
                slug=f"travel-{number}", title=LocalizedText({"en": "Travel"}), is_published=bool(number % 2)
            ),
            at=NOW,
        )
        await _call(event, number, kind.id)
        made |= {
            "hall": hall,
            "room": room,
            "type": kind,
            "gate": gate,
            "session": session,
            "scanner": scanner,
        }
    access.forget()
    return made


async def _call(event: Event, number: int, ticket_type_id: int) -> None:
    """The call, once; and of everything that it has, one more."""
    name = {"en": f"No. {number}"}
    async with unit_of_work():
        if not number:
            await Call.create(
                event_id=event.id,
                is_published=True,
                opens_at=NOW - timedelta(days=60),
                closes_at=NOW,
                notify_by=NOW + timedelta(days=3),
                languages=["en"],
                reviews_needed=4,
                speaker_ticket_type_id=ticket_type_id,
                created_at=NOW,
                updated_at=NOW,
            )
            await CallCode.create(event_id=event.id, code="LATE", created_at=NOW)
        kind = await SessionType.create(
            event_id=event.id, code=f"talk-{number}", name=name, minutes=30, closes_at=NOW
        )
        forum = await Forum.create(event_id=event.id, code=f"ai-{number}", name=name, colour="#ff0000")
        producer = await Producer.create(event_id=event.id, name=name, email=f"p{number}@example.org")
        community = await Community.create(event_id=event.id, name=name, url="https://example.org")
        await ForumProducer.create(forum_id=forum.id, producer_id=producer.id, position=1)
        await ForumCommunity.create(forum_id=forum.id, community_id=community.id)
        await ForumHelper.create(forum_id=forum.id, email="helper@example.org", actor_key="x", created_at=NOW)
        field = await CallField.create(
            event_id=event.id,
            code=f"size-{number}",
            kind="choose_one",
            label=name,
            options=[{"code": "s", "label": {"en": "S"}}],
            need="required_after",
            required_after=NOW,
        )
        await CallFieldScope.create(call_field_id=field.id, session_type_id=kind.id)
        await CallFieldScope.create(call_field_id=field.id, forum_id=forum.id)
        await Tag.create(event_id=event.id, code=f"new-{number}", name=name)
        await LetterTemplate.create(
            event_id=event.id, code=f"accepted{number}", subject=name, text=name, updated_at=NOW
        )
        await ReviewPhase.create(
            event_id=event.id,
            name=name,
            starts_at=NOW,
            ends_at=NOW + timedelta(days=7),
            active_for=event.id if not number else None,
        )
        await ReviewCriterion.create(
            event_id=event.id, code=f"depth-{number}", name=name, labels={"1": {"en": "shallow"}}
        )
        await Proposal.create(
            guid=uuid4(), event_id=event.id, code=f"AAAAA{number}", created_at=NOW, updated_at=NOW
        )
        await Speaker.create(event_id=event.id, code=f"SPEAK{number}", created_at=NOW, updated_at=NOW)


async def test_a_copy_brings_the_call_unpublished_and_nobody_who_answered_it(database: Settings) -> None:
    old = await conference()
    chair = await make_account()
    [old_forum] = await Forum.all()
    await make_role(old["event"], chair, Role.PRODUCER, "forum", old_forum.id)
    moved = timedelta(days=DAYS)
    plan = Plan(slug="coscon-2024", name=PLAN.name, starts_on=PLAN.starts_on, with_team=True)
    number = await copying.copy(actor=SYSTEM, event_id=old["event"].id, plan=plan, at=NOW)
    [ticket_type] = await TicketType.filter(event_id=number)
    call = await Call.get(event_id=number)
    assert (call.is_published, call.opens_at, call.closes_at, call.notify_by) == (
        False,
        NOW - timedelta(days=60) + moved,
        NOW + moved,
        NOW + timedelta(days=3) + moved,
    )
    assert (call.languages, call.reviews_needed, call.speaker_ticket_type_id) == (["en"], 4, ticket_type.id)
    [kind] = await SessionType.filter(event_id=number)
    [forum] = await Forum.filter(event_id=number)
    assert (kind.code, kind.closes_at, forum.code, forum.colour) == ("talk-0", NOW + moved, "ai-0", "#ff0000")
    [producer] = await Producer.filter(event_id=number)
    [community] = await Community.filter(event_id=number)
    [link] = await ForumProducer.filter(forum_id=forum.id)
    [brings] = await ForumCommunity.filter(forum_id=forum.id)
    assert (producer.email, link.producer_id, link.position) == ("p0@example.org", producer.id, 1)
    assert (community.url, brings.community_id) == ("https://example.org", community.id)
    [field] = await CallField.filter(event_id=number)
    assert (field.code, field.required_after, field.options) == (
        "size-0",
        NOW + moved,
        [{"code": "s", "label": {"en": "S"}}],
    )
    scopes = await CallFieldScope.filter(call_field_id=field.id).order_by("id")
    assert [(one.session_type_id, one.forum_id) for one in scopes] == [(kind.id, None), (None, forum.id)]
    [tag] = await Tag.filter(event_id=number)
    [template] = await LetterTemplate.filter(event_id=number)
    assert (tag.code, template.code, dict(template.text)) == ("new-0", "accepted0", {"en": "No. 0"})
    [phase] = await ReviewPhase.filter(event_id=number)
    [criterion] = await ReviewCriterion.filter(event_id=number)
    assert (phase.active_for, phase.starts_at, phase.ends_at) == (
        None,
        NOW + moved,
        NOW + timedelta(days=7) + moved,
    )
    assert (criterion.code, criterion.labels) == ("depth-0", {"1": {"en": "shallow"}})
    for table in (CallCode, Proposal, Speaker):
        assert await table.filter(event_id=number).count() == 0
    assert await ForumHelper.filter(forum_id=forum.id).count() == 0
    # A producer's role follows to the copy's own forum.
    assert (chair.id, Role.PRODUCER, forum.id) in {
        (m.account_id, m.grant.role, m.grant.scope_id) for m in await queries.team(number)
    }
    # The old call is as it was.
    assert (await Call.get(event_id=old["event"].id)).is_published


async def test_a_copy_brings_everything_settled_with_its_times_moved(database: Settings) -> None:
    old = await conference()
    actor = Actor(kind=ActorKind.ACCOUNT, id=old["owner"].id)
    number = await copying.copy(actor=actor, event_id=old["event"].id, plan=PLAN, at=NOW)
    facts = await queries.find_event("coscon-2024")
    assert facts is not None
    assert (facts.id, facts.state, facts.starts_on, facts.ends_on) == (
        number,
        EventState.DRAFT,
        date(2024, 10, 26),
        date(2024, 10, 27),
    )
    assert (facts.contact_email, facts.offer_hours, facts.is_sample) == ("hi@example.org", 48, False)
    [site] = await queries.sites(number)
    hall, room = await queries.places(number)
    assert (hall.code, hall.site_id, room.code, room.parent_id) == ("hall-0", site.id, "room-0", hall.id)
    [kind] = await TicketType.filter(event_id=number)
    [pool] = await SharedQuota.filter(event_id=number)
    assert (kind.code, kind.quota, kind.taken, kind.shared_quota_id, kind.site_id) == (
        "general-0",
        50,
        0,
        pool.id,
        site.id,
    )
    assert (pool.quota, pool.taken) == (100, 0)
    assert kind.closes_at == NOW + timedelta(days=DAYS)
    assert kind.name == {"zh-Hans": "普通票", "en": "Attendee"}
    [question] = await FormField.filter(event_id=number)
    [asked] = await FormFieldTicketType.filter(form_field_id=question.id)
    assert (question.code, question.options, asked.ticket_type_id) == ("diet-0", [], kind.id)
    [text] = await ConsentText.filter(event_id=number)
    assert (text.title, text.version, text.is_current) == ({"en": "Photos 2"}, 1, True)
    [page] = await EventPage.filter(event_id=number)
    assert (page.slug, page.is_published) == ("travel-0", False)
    [reminder] = await Reminder.filter(event_id=number)
    assert (reminder.queued_at, reminder.queued_count, reminder.is_on) == (None, 0, True)
    # A session's checkpoint stays behind with its session; lanes of one door stay lanes of one door.
    gate, lane = await Checkpoint.filter(event_id=number).order_by("id")
    [both] = await CheckinList.filter(event_id=number)
    assert (gate.code, gate.place_id, gate.site_id, gate.list_id) == (
        old["gate"].code,
        hall.id,
        site.id,
        both.id,
    )
    assert lane.list_id == both.id
    [window] = await CheckpointWindow.filter(checkpoint_id=gate.id)
    assert (window.opens_at, window.closes_at) == (
        NOW + timedelta(days=DAYS),
        NOW + timedelta(days=DAYS, hours=8),
    )
    [allowed] = await CheckpointTicketType.filter(checkpoint_id=gate.id)
    assert allowed.ticket_type_id == kind.id
    for table in (Registration, AccessCode, Session):
        assert await table.filter(event_id=number).count() == 0
    assert [(m.account_id, m.grant.role) for m in await queries.team(number)] == [
        (old["owner"].id, Role.OWNER)
    ]
    assert (await access.open_event(actor, "coscon-2024", Permission.OWN)).event.id == number
    entry = await JournalEntry.get(verb="event.copy")
    assert (entry.event_id, entry.old, entry.new) == (
        number,
        {"event": old["event"].id},
        {"slug": "coscon-2024", "days": DAYS},
    )
    # The old event is as it was.
    assert await Registration.filter(event_id=old["event"].id).count() == 1
    assert await Checkpoint.filter(event_id=old["event"].id).count() == 3


async def test_team_and_programme_come_along_when_asked(database: Settings) -> None:
    old = await conference()
    async with unit_of_work():
        await Event.filter(id=old["event"].id).update(time_zone="Europe/Berlin")
    plan = Plan(
        slug="next", name=PLAN.name, starts_on=date(2023, 11, 11), with_team=True, with_programme=True
    )
    number = await copying.copy(actor=SYSTEM, event_id=old["event"].id, plan=plan, at=NOW)
    [session] = await Session.filter(event_id=number)
    [_, room] = await queries.places(number)
    assert session.guid != old["session"].guid
    assert session.place_id == room.id
    # Clocks went back between the two: the wall keeps its hour, UTC does not.
    assert session.starts_at == NOW + timedelta(days=14, hours=1)
    gates = {row.code: row for row in await Checkpoint.filter(event_id=number)}
    assert len(gates) == 3
    assert {row.session_id for row in gates.values()} == {None, session.id}
    roles = {(m.account_id, m.grant.role, m.grant.scope_id) for m in await queries.team(number)}
    assert roles == {
        (old["owner"].id, Role.OWNER, 0),
        (old["scanner"].id, Role.SCANNER, gates[old["gate"].code].id),
    }


async def test_what_cannot_be_is_refused_and_leaves_nothing(database: Settings) -> None:
    old = await conference()
    with pytest.raises(Invalid) as refused:
        plan = Plan(slug="coscon-2023", name=PLAN.name, starts_on=PLAN.starts_on)
        await copying.copy(actor=SYSTEM, event_id=old["event"].id, plan=plan, at=NOW)
    assert refused.value.fields["slug"].code == "slug_taken"
    with pytest.raises(Invalid):
        plan = Plan(slug="", name=PLAN.name, starts_on=PLAN.starts_on)
        await copying.copy(actor=SYSTEM, event_id=old["event"].id, plan=plan, at=NOW)
    with pytest.raises(NotFound):
        await copying.copy(actor=SYSTEM, event_id=0, plan=PLAN, at=NOW)

    async def fails(_news: copying.Copied) -> None:
        raise RuntimeError("an upper floor says no")

    copying.copied.connect(fails)
    try:
        with pytest.raises(RuntimeError):
            await copying.copy(actor=SYSTEM, event_id=old["event"].id, plan=PLAN, at=NOW)
    finally:
        copying.copied._handlers.remove(fails)
    assert await Event.all().count() == 1
    assert await TicketType.all().count() == 1


#: Columns that a copy begins without.
LEFT_OUT = {
    "reminder": {"queued_at"},
    # A file belongs to one event.
    "producer": {"picture_upload_id"},
    "community": {"logo_upload_id"},
    # At most one phase of an event is active, and none of a new one.
    "review_phase": {"active_for"},
    "call_for_proposals": {"phase_set_at"},
}


async def test_no_column_of_a_copied_table_is_forgotten(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever adds a column to one of these tables says here, or in the copying, what becomes of it."""
    seen: dict[str, set[str]] = {}
    clone = copying.clone

    async def recorded(table: str, columns: Any, **more: Any) -> Any:
        named = {*columns, *(more.get("ids") or ()), *(more.get("kinds") or ())}
        seen[table] = named | ({"event_id"} if more["event_id"] is not None else set())
        return await clone(table, columns, **more)

    for module in (copying, agenda.copying, checkin.copying):
        monkeypatch.setattr(module, "clone", recorded)
    old = await conference()
    plan = Plan(slug="next", name=PLAN.name, starts_on=PLAN.starts_on, with_programme=True)
    await copying.copy(actor=SYSTEM, event_id=old["event"].id, plan=plan, at=NOW)
    models = {model._meta.db_table: model for model in Tortoise.apps["huiwu"].values()}
    for table, named in seen.items():
        own = {
            field.source_field or name
            for name, field in models[table]._meta.fields_map.items()
            if field.has_db_field
        }
        assert named | LEFT_OUT.get(table, set()) == own - {"id"}, table
    assert len(seen) == 27


async def test_an_empty_event_is_copied_too(database: Settings) -> None:
    event = await make_event(registration_opens_at=datetime(2023, 9, 1, tzinfo=UTC))
    number = await copying.copy(actor=SYSTEM, event_id=event.id, plan=PLAN, at=NOW)
    facts = await queries.find_event_by_id(number)
    assert facts is not None
    assert facts.registration_opens_at == datetime(2023, 9, 1, tzinfo=UTC) + timedelta(days=DAYS)
    assert await queries.team(number) == []


async def test_three_of_everything_cost_what_one_costs(database: Settings) -> None:
    spent = []
    for rows in (1, 3):
        old = await conference(rows)
        before = db.stats.statements
        plan = Plan(slug=f"copy-{rows}", name=PLAN.name, starts_on=PLAN.starts_on, with_team=True)
        await copying.copy(actor=SYSTEM, event_id=old["event"].id, plan=plan, at=NOW)
        spent.append(db.stats.statements - before)
        async with unit_of_work():
            await Event.filter(id=old["event"].id).update(slug=f"old-{rows}")
    assert spent[0] == spent[1]
