"""A confirmed speaker's registration: issued or upgraded, exactly once, whoever presses how often."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from agenda import calls, cfp_queries, invited, joining, letter_templates, proposals
from agenda.calls import CallDetails
from agenda.invited import NewTalk, Reach, Where
from agenda.letter_rules import Occasion
from agenda.models import Proposal, SessionType, Speaker
from agenda.proposal_rules import Verb, Who
from agenda.speakers import Entered
from events import registrations
from events.models import Event, Registration, TicketType
from events.rules import Contact, RegistrationSource, RegistrationState
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import JournalEntry, Letter
from tests.factories import NOW, make_account, make_event, make_ticket_type

CHAIR = Reach(forum_ids=None, who=frozenset({Who.PRODUCER, Who.CHAIR}))


@pytest.fixture(autouse=True)
def wired(database: Settings) -> None:
    import main

    main.create_app(database, workers=False)


async def world(**ticket: object) -> tuple[Event, TicketType]:
    event = await make_event("coscon")
    await calls.set_up(actor=SYSTEM, event_id=event.id, details=CallDetails(is_published=True), at=NOW)
    return event, await make_ticket_type(event, "speaker", role="speaker", **ticket)


async def talk(
    event: Event, title: str = "开源治理", *, email: str = "lin@example.org", name: str = "林小满"
) -> Proposal:
    at_hand = await proposals.world(event.id)
    assert at_hand is not None
    kind = await SessionType.get(event_id=event.id, code="talk")
    [number] = await invited.invite(
        actor=SYSTEM,
        event_id=event.id,
        at_hand=at_hand,
        may=CHAIR,
        where=Where(session_type_id=kind.id, forum_id=None),
        talks=[
            NewTalk(
                title=LocalizedText({"zh-Hans": title}),
                people=[
                    Entered(
                        name=LocalizedText({"zh-Hans": name, "en": "Lin"}),
                        organisation=LocalizedText({"zh-Hans": "开源社"}),
                        email=email,
                    )
                ],
            )
        ],
        form_id=uuid4(),
        at=NOW,
    )
    return await Proposal.get(id=number)


async def move(proposal: Proposal, verb: Verb = Verb.CONFIRM, who: Who = Who.SPEAKER) -> None:
    speaker = await Speaker.filter(event_id=proposal.event_id).first()
    assert speaker is not None
    await proposals.move(
        actor=Actor(kind=ActorKind.SPEAKER, id=speaker.id),
        event_id=proposal.event_id,
        proposal_id=proposal.id,
        verb=verb,
        who=frozenset({who}),
        at=NOW,
    )


async def registered(event: Event, kind: TicketType, **more: object) -> int:
    return await registrations.register(
        event_id=event.id,
        ticket_type_id=kind.id,
        contact=Contact(name=str(more.get("name", "林小满")), email="lin@example.org"),
        source=RegistrationSource.ORGANISER,
        locale="zh-Hans",
        at=NOW,
    )


async def verbs() -> Sequence[str]:
    rows = await JournalEntry.filter(verb__startswith="speaker.").order_by("id")
    return [row.verb for row in rows]


async def test_a_confirmed_speaker_gets_a_ticket_and_its_letter(database: Settings) -> None:
    event, kind = await world()
    await move(await talk(event))
    [row] = await Registration.all()
    assert (row.ticket_type_id, row.state, row.email) == (kind.id, "confirmed", "lin@example.org")
    assert (row.name, row.english_name, row.organisation) == ("林小满", "Lin", "开源社")
    [speaker] = await Speaker.all()
    assert speaker.registration_id == row.id
    assert await Letter.filter(composer="passport", composer_id=row.id).count() == 1
    assert await verbs() == ["speaker.ticket_issued"]
    # Ids and codes only.
    for line in await JournalEntry.all():
        assert "example.org" not in str((line.old, line.new))


async def test_of_32_who_confirm_at_once_one_issues(database: Settings) -> None:
    event, kind = await world()
    proposal = await talk(event)
    outcomes = await asyncio.gather(*(move(proposal) for _ in range(32)), return_exceptions=True)
    assert [one for one in outcomes if one is not None and not isinstance(one, Conflict)] == []
    assert outcomes.count(None) == 1
    assert await Registration.all().count() == 1
    assert (await TicketType.get(id=kind.id)).taken == 1


async def test_32_talks_of_one_speaker_confirmed_at_once_are_one_ticket(database: Settings) -> None:
    event, kind = await world()
    talks = [await talk(event, f"议题 {number}") for number in range(32)]
    await asyncio.gather(*(move(one) for one in talks))
    assert await Proposal.filter(state="confirmed").count() == 32
    assert await Registration.all().count() == 1
    assert (await TicketType.get(id=kind.id)).taken == 1
    assert (await verbs()).count("speaker.ticket_issued") == 1


async def test_the_registration_that_there_is_becomes_a_speakers_once(database: Settings) -> None:
    event, kind = await world()
    general = await make_ticket_type(event, "general")
    number = await registered(event, general)
    await move(await talk(event, "一"))
    row = await Registration.get(id=number)
    assert (row.ticket_type_id, await Registration.all().count()) == (kind.id, 1)
    assert (await TicketType.get(id=general.id)).taken == 0
    await move(await talk(event, "二"))
    assert await verbs() == ["speaker.ticket_upgraded"]


async def test_who_waited_gets_a_place_and_staff_keep_theirs(database: Settings) -> None:
    event, kind = await world()
    general = await make_ticket_type(event, "general")
    number = await registered(event, general)
    async with unit_of_work():
        await Registration.filter(id=number).update(state="waitlisted", waiting_since=NOW)
        await TicketType.filter(id=general.id).update(taken=0)
    await move(await talk(event))
    row = await Registration.get(id=number)
    assert (row.ticket_type_id, row.state) == (kind.id, RegistrationState.CONFIRMED)
    assert row.waiting_since is None
    async with unit_of_work():
        await Speaker.all().update(registration_id=None)
        staff = await make_ticket_type(event, "staff", role="staff")
        await Registration.filter(id=number).update(ticket_type_id=staff.id)
    await move(await talk(event, "另一个"))
    assert (await Registration.get(id=number)).ticket_type_id == staff.id
    assert (await Speaker.get(email="lin@example.org")).registration_id == number


async def test_of_a_class_under_one_address_the_one_with_the_speakers_name(database: Settings) -> None:
    event, kind = await world()
    general = await make_ticket_type(event, "general")
    other, own = await registered(event, general, name="别人"), await registered(event, general)
    await move(await talk(event))
    assert (await Registration.get(id=own)).ticket_type_id == kind.id
    assert (await Registration.get(id=other)).ticket_type_id == general.id


async def test_a_full_ticket_type_keeps_nobody_from_confirming(database: Settings) -> None:
    event, kind = await world(quota=0)
    proposal = await talk(event)
    await move(proposal)
    assert (await Proposal.get(id=proposal.id)).state == "confirmed"
    assert await Registration.all().count() == 0
    assert await verbs() == ["speaker.no_ticket"]
    [line] = await JournalEntry.filter(verb="speaker.no_ticket")
    assert line.new == {"code": "ticket_type_full"}
    async with unit_of_work():
        await TicketType.filter(id=kind.id).update(quota=None)
    # The next talk brings it.
    await move(await talk(event, "二"))
    assert await Registration.all().count() == 1


async def test_without_a_type_or_an_address_there_is_no_ticket(database: Settings) -> None:
    event, kind = await world()
    await move(await talk(event, email=""))
    async with unit_of_work():
        await TicketType.filter(id=kind.id).update(role="attendee")
    await move(await talk(event, "二"))
    assert await Registration.all().count() == 0
    details = CallDetails(is_published=True, speaker_ticket_type_id=kind.id)
    await calls.set_up(actor=SYSTEM, event_id=event.id, details=details, at=NOW)
    await move(await talk(event, "三"))
    assert [row.ticket_type_id for row in await Registration.all()] == [kind.id]


async def test_a_talk_that_falls_away_leaves_the_ticket_and_a_line(database: Settings) -> None:
    event, _ = await world()
    first, second = await talk(event, "一"), await talk(event, "二")
    await move(first)
    await move(second)
    await move(first, Verb.WITHDRAW)
    assert "speaker.ticket_kept" not in await verbs()
    await move(second, Verb.CANCEL, Who.CHAIR)
    assert (await verbs())[-1] == "speaker.ticket_kept"
    assert (await Registration.get()).state == "confirmed"


async def test_who_joins_a_confirmed_talk_later_gets_a_ticket_and_the_events_own_words(
    database: Settings,
) -> None:
    event, kind = await world()
    change: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "occasion": Occasion.JOIN, "at": NOW}
    await letter_templates.change(
        **change,
        subject=LocalizedText({"zh-Hans": "一起讲《{title}》吧"}),
        text=LocalizedText({"zh-Hans": "{who} 邀请 {email}\n{link}"}),
    )
    made = await talk(event)
    await move(made)
    facts = await cfp_queries.find_proposal_by_id(made.id)
    assert facts is not None
    number = await joining.invite(
        actor=SYSTEM, proposal=facts, email="wang@example.org", locale="zh-Hans", at_most=5, at=NOW
    )
    letter = await Letter.get(key__startswith="co_speaker:")
    assert letter.subject == "一起讲《开源治理》吧"
    assert "邀请 wang@example.org" in letter.text and "You" not in letter.subject
    # The link is in no row: it takes its place when the letter leaves.
    composed = await joining.letter_parts(number, "zh-Hans")
    assert composed is not None and "/cfp/join?key=" in composed.link
    assert "{link}" in letter.text and "key=" not in letter.text
    account = await make_account("wang@example.org", name="Wang")
    joiner = Actor(kind=ActorKind.ACCOUNT, id=account.id, email="wang@example.org", name="Wang")
    for _ in range(2):
        await joining.accept(actor=joiner, event_id=event.id, join_id=number, locale="en", at=NOW)
    rows = await Registration.filter(ticket_type_id=kind.id).order_by("id")
    assert [row.email for row in rows] == ["lin@example.org", "wang@example.org"]
