"""One review for each proposal and account: written, changed and taken back, together or not at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from agenda import calls, comments, privacy, review_queries, review_reading, reviews
from agenda.calls import CallDetails, FieldDetails
from agenda.models import (
    CallAnswer,
    Proposal,
    ProposalComment,
    Review,
    ReviewAssignment,
    ReviewCriterion,
    ReviewPhase,
    ReviewScore,
)
from agenda.proposal_rules import Need, ProposalCode, Subject
from agenda.review_rules import ReviewCode
from agenda.reviews import Given
from events.access import Door
from events.form_rules import FileAnswer, FormCode
from events.models import Event
from events.rules import FieldKind
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Forbidden, Invalid, NotFound, Refusal
from kernel.text import LocalizedText
from people import uploads
from people.models import Account, JournalEntry, Upload
from people.privacy import Subject as Person
from tests.actions.test_review_queries import (
    NOW,
    door_of,
    make_assignment,
    make_phase,
    make_proposal,
    make_speaker,
    with_role,
)
from tests.factories import make_event

pytestmark = pytest.mark.usefixtures("database")
MINUTE = timedelta(minutes=1)


async def world(**phase: Any) -> tuple[Event, Account, Door, Proposal, ReviewCriterion]:
    event = await make_event("coscon")
    reviewer = await with_role(event, "reviewer")
    proposal = await make_proposal(event, await make_speaker(event))
    await make_assignment(proposal, reviewer)
    await make_phase(event, **phase)
    async with unit_of_work():
        criterion = await ReviewCriterion.create(event_id=event.id, code="depth", name={"en": "Depth"})
    return event, reviewer, await door_of(event, reviewer), proposal, criterion


async def ask(event: Event, kind: FieldKind, code: str, need: Need = Need.OPTIONAL) -> int:
    await calls.set_up(actor=SYSTEM, event_id=event.id, details=CallDetails(is_published=True), at=NOW)
    return await calls.put_field(
        actor=SYSTEM,
        event_id=event.id,
        details=FieldDetails(
            code=code, subject=Subject.REVIEW, kind=kind, label=LocalizedText({"en": code}), need=need
        ),
        at=NOW,
    )


async def upload(event: Event, actor_key: str) -> FileAnswer:
    number = await uploads.keep(
        data=b"%PDF-1.4 x",
        filename="notes.pdf",
        event_id=event.id,
        actor_key=actor_key,
        at=NOW,
        keep_until=NOW + timedelta(days=1),
    )
    return FileAnswer(number, "notes.pdf", f"digest-{number}")


async def test_32_parallel_writes_of_one_form_are_one_review() -> None:
    _, reviewer, door, proposal, criterion = await world()
    given = Given(points={criterion.id: "4"}, reason="Good")
    form = uuid4()
    ids = await asyncio.gather(
        *(
            reviews.write(door=door, proposal_id=proposal.id, given=given, at=NOW, form_id=form, version="")
            for _ in range(32)
        )
    )
    assert len(set(ids)) == 1
    assert await Review.filter(proposal_id=proposal.id, account_id=reviewer.id).count() == 1
    assert await ReviewScore.all().count() == 1
    assert [line.verb for line in await JournalEntry.all()] == ["review.write"]


async def test_32_parallel_writes_with_different_words_keep_one_and_tell_the_others() -> None:
    _, _, door, proposal, criterion = await world()

    async def write(number: int) -> str:
        try:
            await reviews.write(
                door=door,
                proposal_id=proposal.id,
                given=Given(points={criterion.id: "3"}, reason=f"Words {number}"),
                at=NOW,
                form_id=uuid4(),
                version="",
            )
        except Conflict as refusal:
            return refusal.code
        return "kept"

    said = await asyncio.gather(*(write(number) for number in range(32)))
    assert sorted(said) == ["kept"] + [ReviewCode.STALE] * 31
    assert await Review.all().count() == 1


async def test_points_are_summed_up_replaced_and_dropped_by_an_abstention() -> None:
    event, _, door, proposal, depth = await world()
    async with unit_of_work():
        clarity = await ReviewCriterion.create(
            event_id=event.id, code="clarity", name={"en": "Clarity"}, weight=3, is_required=False, position=1
        )
    steps: list[tuple[Given, int | None, int]] = [
        (Given(points={depth.id: "5"}, reason="a"), 10_000, 1),
        (Given(points={depth.id: "5", clarity.id: "1"}, reason="a"), 2_500, 2),
        (Given(abstains=True, reason="a", recommends="accepted"), None, 0),
    ]
    found: list[str] = []
    for number, (given, total, points) in enumerate(steps):
        await reviews.write(door=door, proposal_id=proposal.id, given=given, at=NOW + number * MINUTE)
        row = await Review.get()
        found.append(row.recommends)
        assert (row.total, await ReviewScore.all().count()) == (total, points)
    assert found == ["", "", ""]
    assert [line.verb for line in await JournalEntry.all().order_by("id")] == [
        "review.write",
        "review.change",
        "review.change",
    ]
    # Which proposal somebody reviewed is not for whoever reads the journal: they may speak in it.
    assert {line.object_kind for line in await JournalEntry.all()} == {"review"}


async def test_everything_that_is_wrong_is_told_at_once() -> None:
    event, _, door, proposal, criterion = await world()
    number = await ask(event, FieldKind.NUMBER, "minutes", Need.REQUIRED)
    with pytest.raises(Invalid) as refused:
        await reviews.write(
            door=door,
            proposal_id=proposal.id,
            given=Given(points={criterion.id: "6", 0: "1"}, reason=" ", recommends="confirmed"),
            at=NOW,
        )
    assert {name: one.code for name, one in refused.value.fields.items()} == {
        f"score.{criterion.id}": Code.OUT_OF_RANGE,
        "score.0": ReviewCode.CRITERION_UNKNOWN,
        "reason": ReviewCode.REASON_NEEDED,
        "recommends": Code.NOT_A_CHOICE,
        f"q.{number}": Code.REQUIRED,
    }
    assert await Review.all().count() == 0
    # Whoever abstains is asked nothing more than why.
    await reviews.write(
        door=door, proposal_id=proposal.id, given=Given(abstains=True, reason="No time"), at=NOW
    )


async def test_a_late_window_is_told_and_one_that_saw_the_last_is_not() -> None:
    _, _, door, proposal, criterion = await world()

    async def write(reason: str, version: str | None) -> str:
        await reviews.write(
            door=door,
            proposal_id=proposal.id,
            given=Given(points={criterion.id: "3"}, reason=reason),
            at=NOW,
            version=version,
        )
        [row] = await review_reading.reviews_of(proposal.id)
        return row.version

    first = await write("one", "")
    second = await write("two", first)
    assert second != first
    for late in ("", first):
        with pytest.raises(Conflict) as refused:
            await write("three", late)
        assert refused.value.code == ReviewCode.STALE
    # The same words again are no conflict, and neither is a program that does not ask.
    await write("two", first)
    await write("three", None)
    assert (await Review.get()).reason == "three"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("phase over", ReviewCode.NOT_NOW),
        ("phase without reviews", ReviewCode.NOT_NOW),
        ("decided", ReviewCode.NOT_NOW),
        ("not given", ReviewCode.NOT_ASSIGNED),
        ("own", ReviewCode.OWN_PROPOSAL),
        ("near", ReviewCode.TOO_NEAR),
        ("draft", ProposalCode.UNKNOWN),
        ("elsewhere", ProposalCode.UNKNOWN),
    ],
)
async def test_who_may_not_review_is_refused_and_nothing_is_kept(change: str, code: str) -> None:
    event, reviewer, door, proposal, criterion = await world()
    number = proposal.id
    async with unit_of_work():
        match change:
            case "phase over":
                await ReviewPhase.all().update(ends_at=NOW)
            case "phase without reviews":
                await ReviewPhase.all().update(may_review=False)
            case "decided":
                await Proposal.filter(id=number).update(state="rejected")
            case "not given":
                await ReviewAssignment.all().delete()
            case "own":
                await Proposal.filter(id=number).update(account_id=reviewer.id)
            case "draft":
                await Proposal.filter(id=number).update(state="draft")
    if change == "near":
        # Given before it was known, or by hand.
        await reviews.step_aside(door=door, proposal_id=number, at=NOW)
        await make_assignment(proposal, reviewer)
    if change == "elsewhere":
        number = (await make_proposal(await make_event("other"))).id
    given = Given(points={criterion.id: "3"}, reason="x")
    for action in (
        reviews.write(door=door, proposal_id=number, given=given, at=NOW),
        reviews.withdraw(door=door, proposal_id=number, at=NOW),
    ):
        with pytest.raises(Refusal) as refused:
            await action
        assert refused.value.code == code
    assert await Review.all().count() == 0
    assert event.id == door.event.id


async def test_a_producer_too_near_runs_the_forum_and_does_not_judge() -> None:
    event, _, _, proposal, criterion = await world()
    producer = await with_role(event, "producer")
    door = await door_of(event, producer)
    await reviews.step_aside(door=door, proposal_id=proposal.id, at=NOW)
    look = (await review_queries.looks(door, [proposal.id], NOW))[proposal.id]
    assert look.sees.proposal
    with pytest.raises(Forbidden) as refused:
        await reviews.write(
            door=door, proposal_id=proposal.id, given=Given(points={criterion.id: "3"}, reason="x"), at=NOW
        )
    assert refused.value.code == ReviewCode.TOO_NEAR


async def test_answers_and_files_come_and_go_with_their_review() -> None:
    event, reviewer, door, proposal, criterion = await world()
    words, file = await ask(event, FieldKind.LINE, "words"), await ask(event, FieldKind.FILE, "notes")
    kept = await upload(event, f"account:{reviewer.id}")

    async def write(answers: dict[int, Any], at: int) -> None:
        await reviews.write(
            door=door,
            proposal_id=proposal.id,
            given=Given(points={criterion.id: "3"}, reason="x", answers=answers),
            at=NOW + at * MINUTE,
        )

    await write({words: "hello", file: kept}, 0)
    [facts] = await review_reading.reviews_of(proposal.id)
    assert facts.answers[words].value == "hello"
    assert facts.answers[file].filename == "notes.pdf"
    await write({words: "bye", file: kept}, 1)
    assert await CallAnswer.filter(upload_id=kept.upload_id).count() == 1
    with pytest.raises(Invalid) as refused:
        await write({file: FileAnswer(0, "gone.pdf", "x")}, 2)
    assert refused.value.fields[f"q.{file}"].code == FormCode.FILE_GONE
    assert (await review_reading.reviews_of(proposal.id))[0].answers[words].value == "bye"
    assert await reviews.withdraw(door=door, proposal_id=proposal.id, at=NOW + 3 * MINUTE)
    assert not await reviews.withdraw(door=door, proposal_id=proposal.id, at=NOW + 3 * MINUTE)
    assert (
        await Review.all().count() == await ReviewScore.all().count() == await CallAnswer.all().count() == 0
    )
    await uploads.purge(NOW + timedelta(days=2))
    assert await Upload.all().count() == 0


async def test_a_comment_pressed_32_times_is_one() -> None:
    _, _, door, proposal, _ = await world(others="always")
    form = uuid4()
    ids = await asyncio.gather(
        *(
            comments.add(door=door, proposal_id=proposal.id, text="Ask them", form_id=form, at=NOW)
            for _ in range(32)
        )
    )
    assert len(set(ids)) == await ProposalComment.all().count() == 1
    await comments.remove(door=door, proposal_id=proposal.id, comment_id=ids[0], at=NOW)
    with pytest.raises(NotFound):
        await comments.remove(door=door, proposal_id=proposal.id, comment_id=ids[0], at=NOW)
    assert await comments.of_proposal(proposal.id) == []


async def test_an_erased_reviewer_leaves_points_without_words() -> None:
    event, reviewer, door, proposal, criterion = await world(others="always")
    field = await ask(event, FieldKind.LINE, "words")
    file = await ask(event, FieldKind.FILE, "notes")
    kept = await upload(event, f"account:{reviewer.id}")
    await reviews.write(
        door=door,
        proposal_id=proposal.id,
        given=Given(points={criterion.id: "4"}, reason="Secret", answers={field: "mine", file: kept}),
        at=NOW,
    )
    await comments.add(door=door, proposal_id=proposal.id, text="Whispered", form_id=uuid4(), at=NOW)
    person = Person(account_id=reviewer.id, email=reviewer.email, registration_ids=frozenset())
    held = {part.code: part for part in await privacy.held(person)}
    review = {fact.key: fact.value for fact in held["reviews"].rows[0]}
    assert (review["reason"], review["answers"]) == ("Secret", "mine; notes.pdf")
    assert "Whispered" in {fact.value for fact in held["comments"].rows[0]}
    await privacy.erase(person, SYSTEM, NOW)
    row = await Review.get()
    assert (row.reason, row.total) == ("", 7_500)
    assert await CallAnswer.all().count() == await ReviewAssignment.all().count() == 0
    assert [one.text for one in await ProposalComment.all()] == [""]
    await uploads.purge(NOW + timedelta(days=2))
    assert await Upload.all().count() == 0
