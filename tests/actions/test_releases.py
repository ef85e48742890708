"""A release: every prepared decision true at once, a draft to everybody, once however many press."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

import main
from agenda import proposals, releases
from agenda.letter_rules import LetterCode
from agenda.models import DecisionRelease, Proposal, ProposalChange, SpeakerLetter
from agenda.proposal_rules import ProposalState
from agenda.proposals import Moved
from agenda.releases import Released
from events.models import Event
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict
from kernel.settings import Settings
from people.models import JournalEntry, Letter
from tests.factories import NOW, make_event
from tests.programme_house import make_forum, make_speaker, make_talk

CHAIR = Actor(kind=ActorKind.ACCOUNT, id=900_001)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
async def event(database: Settings) -> Event:
    main.create_app(database, workers=False)
    return await make_event("coscon")


async def decided(event: Event, many: int, state: ProposalState, **more: Any) -> Sequence[Proposal]:
    talks = [await make_talk(event, await make_speaker(event), **more) for _ in range(many)]
    wrong = await proposals.pend(
        actor=CHAIR, event_id=event.id, proposal_ids=[talk.id for talk in talks], state=state, at=NOW
    )
    assert wrong == {}
    return talks


async def release(event: Event, form: UUID | None = None, seen: str | None = None) -> Released:
    return await releases.release(
        actor=CHAIR, event_id=event.id, form_id=form or uuid4(), seen=seen, at=LATER
    )


async def test_all_that_was_prepared_becomes_true_and_is_drafted_to_each_in_their_language(
    event: Event,
) -> None:
    forum = await make_forum(event)
    lin, ann, mute = (
        await make_speaker(event),
        await make_speaker(event, locale="en"),
        await make_speaker(event, email=None),
    )
    shared = await make_talk(event, lin, ann, forum_id=forum.id, pending_state="accepted", pending_at=NOW)
    second = await make_talk(event, lin, pending_state="rejected", pending_at=NOW)
    third = await make_talk(event, mute, state="rejected", pending_state="waitlisted", pending_at=NOW)
    untouched = await make_talk(event, lin)
    found = await releases.pending(event.id)
    assert [(one.code, one.decision) for one in found.decisions] == [
        (shared.code, "accepted"),
        (third.code, "waitlisted"),
        (second.code, "rejected"),
    ]
    done = await release(event, seen=found.stamp)
    assert (done.count, done.letters, done.without_address) == (3, 3, 1)
    rows = {row.id: row for row in await Proposal.all()}
    assert [rows[one.id].state for one in (shared, second, third, untouched)] == [
        "accepted",
        "rejected",
        "waitlisted",
        "submitted",
    ]
    moved = rows[shared.id]
    assert (moved.pending_state, moved.pending_at, moved.release_id, moved.decided_at) == (
        "",
        None,
        done.id,
        LATER,
    )
    # lin is told of both talks, each once.
    told = [(row.speaker_id, row.proposal_id) for row in await SpeakerLetter.all().order_by("id")]
    assert sorted(told) == sorted([(lin.id, shared.id), (ann.id, shared.id), (lin.id, second.id)])
    by = {row.to_email: row for row in await Letter.filter(subject__contains="Accepted")}
    assert list(by) == [ann.email]
    assert {row.state for row in await Letter.all()} == {"drafted"}
    assert await ProposalChange.filter(verb="accept", field="state").count() == 1
    assert await JournalEntry.filter(verb="proposal.move").count() == 3
    [line] = await JournalEntry.filter(verb="decision.release")
    assert line.new == {"count": 3, "letters": 3}
    [made] = await releases.history(event.id)
    assert (made.id, made.count, made.letters) == (done.id, 3, {"drafted": 3})


async def test_32_presses_of_one_form_are_one_release(event: Event) -> None:
    await decided(event, 5, ProposalState.ACCEPTED)
    form = uuid4()
    answers = await asyncio.gather(*(release(event, form) for _ in range(32)))
    assert len({answer.id for answer in answers}) == 1
    assert await DecisionRelease.all().count() == 1
    assert await Letter.all().count() == await SpeakerLetter.all().count() == 5
    assert await ProposalChange.filter(verb="accept").count() == 5


async def test_32_who_release_by_forms_of_their_own_make_one_and_are_told(event: Event) -> None:
    await decided(event, 5, ProposalState.REJECTED)
    answers = await asyncio.gather(*(release(event) for _ in range(32)), return_exceptions=True)
    assert sum(isinstance(answer, Released) for answer in answers) == 1
    assert {answer.code for answer in answers if isinstance(answer, Conflict)} == {LetterCode.NOTHING_PENDING}
    assert await Letter.all().count() == 5


async def test_what_was_not_seen_is_not_released(event: Event) -> None:
    [talk] = await decided(event, 1, ProposalState.ACCEPTED)
    seen = (await releases.pending(event.id)).stamp
    await decided(event, 1, ProposalState.REJECTED)
    with pytest.raises(Conflict) as refusal:
        await release(event, seen=seen)
    assert refusal.value.code == LetterCode.CHANGED_MEANWHILE
    assert (await Proposal.get(id=talk.id)).state == "submitted"
    assert await Letter.all().count() == await DecisionRelease.all().count() == 0


async def test_a_failure_in_the_middle_leaves_nothing(event: Event) -> None:
    talks = await decided(event, 3, ProposalState.ACCEPTED)

    async def break_down(news: Moved) -> None:
        if news.proposal_id == talks[-1].id:
            raise ZeroDivisionError

    proposals.moved.connect(break_down)
    try:
        with pytest.raises(ZeroDivisionError):
            await release(event)
    finally:
        proposals.moved._handlers.remove(break_down)
    assert {row.state for row in await Proposal.all()} == {"submitted"}
    assert await Letter.all().count() == await DecisionRelease.all().count() == 0
    assert (await release(event)).count == 3


async def test_every_move_is_told_with_its_release(event: Event) -> None:
    await decided(event, 2, ProposalState.WAITLISTED)
    heard: list[Moved] = []

    async def listen(news: Moved) -> None:
        heard.append(news)

    proposals.moved.connect(listen)
    try:
        done = await release(event)
    finally:
        proposals.moved._handlers.remove(listen)
    assert [(news.verb, news.old, news.new, news.release_id) for news in heard] == [
        ("waitlist", "submitted", "waitlisted", done.id)
    ] * 2


async def test_150_decisions_cost_as_many_statements_as_three(event: Event) -> None:
    async def cost(many: int) -> int:
        for state in (ProposalState.ACCEPTED, ProposalState.WAITLISTED, ProposalState.REJECTED):
            await decided(event, many, state)
        before = db.stats.statements
        await release(event)
        return db.stats.statements - before

    few = await cost(1)
    assert await cost(50) == few < 80


async def test_a_withdrawn_proposal_is_not_released_and_an_older_letter_is_taken_back(event: Event) -> None:
    [talk] = await decided(event, 1, ProposalState.REJECTED)
    await release(event)
    # Thought better of before anybody sent it.
    await proposals.pend(
        actor=CHAIR, event_id=event.id, proposal_ids=[talk.id], state=ProposalState.ACCEPTED, at=LATER
    )
    await release(event)
    states = {row.id: row.state for row in await Letter.all()}
    told = [(row.code, states[row.letter_id]) for row in await SpeakerLetter.all().order_by("id")]
    assert told == [("rejected", "discarded"), ("accepted", "drafted")]
    async with unit_of_work():
        await Proposal.filter(id=talk.id).update(state="withdrawn", pending_state="rejected")
    assert (await release(event)).count == 0
    assert (await Proposal.get(id=talk.id)).state == "withdrawn"
