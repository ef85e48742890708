"""What a speaker owes, when, and what organisers do for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from agenda.checklist_rules import (
    ORGANISERS_OWN,
    Dues,
    Item,
    Mark,
    SpeakerState,
    TalkFacts,
    checklist,
    owed,
)
from agenda.proposal_rules import ProposalState
from agenda.rules import SessionKind

NOW = datetime(2023, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
YES = (True, True, False)
ALL: dict[str, Any] = {
    "has_picture": True,
    "has_bio": True,
    "travel_said": True,
    "has_host": True,
}


def marks(*talks: TalkFacts, dues: Dues | None = None, **more: Any) -> dict[Item, Mark]:
    state = SpeakerState(talks=talks, **more)
    lines = checklist(state, dues or Dues(), NOW)
    assert tuple(one.item for one in lines) == tuple(Item)
    return {one.item: one.mark for one in lines}


def talk(state: ProposalState, **more: Any) -> TalkFacts:
    return TalkFacts(state=state, **more)


def owes(found: dict[Item, Mark]) -> set[str]:
    return {str(item) for item, mark in found.items() if mark in (Mark.MISSING, Mark.LATE)}


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        (ProposalState.DRAFT, set()),
        (ProposalState.SUBMITTED, set()),
        (ProposalState.WAITLISTED, set()),
        (ProposalState.REJECTED, set()),
        (ProposalState.DECLINED, set()),
        (ProposalState.WITHDRAWN, set()),
        (ProposalState.CANCELLED, set()),
        # Who was only asked owes an answer.
        (ProposalState.INVITED, {"confirm"}),
        (ProposalState.ACCEPTED, {"confirm", "photo", "bio", "consent"}),
        (ProposalState.CONFIRMED, {"photo", "bio", "consent", "slides", "travel", "host"}),
    ],
)
def test_what_is_owed_by_state(state: ProposalState, missing: set[str]) -> None:
    assert owes(marks(talk(state))) == missing


def test_everything_there_owes_nothing() -> None:
    found = marks(talk(ProposalState.CONFIRMED, allows=YES, has_slides=True), **ALL)
    assert set(found.values()) == {Mark.DONE, Mark.NOT_ASKED}
    assert found[Item.QUESTIONS] is Mark.NOT_ASKED


def test_every_talk_counts() -> None:
    whole = talk(ProposalState.CONFIRMED, allows=YES, has_slides=True)
    assert marks(whole, talk(ProposalState.ACCEPTED), **ALL)[Item.CONFIRM] is Mark.MISSING
    assert marks(whole, talk(ProposalState.ACCEPTED), **ALL)[Item.CONSENT] is Mark.MISSING
    assert marks(whole, talk(ProposalState.CONFIRMED, allows=YES), **ALL)[Item.SLIDES] is Mark.MISSING
    # A talk that was turned down asks for nothing.
    assert owes(marks(whole, talk(ProposalState.REJECTED), **ALL)) == set()


def test_some_kinds_are_given_without_slides() -> None:
    for kind in (SessionKind.PANEL, SessionKind.CEREMONY, SessionKind.BREAK):
        panel = talk(ProposalState.CONFIRMED, kind=kind)
        assert marks(panel)[Item.SLIDES] is Mark.NOT_ASKED
    shown = talk(ProposalState.CONFIRMED, kind=SessionKind.PANEL, has_slides=True)
    assert marks(shown)[Item.SLIDES] is Mark.DONE


def test_days_that_have_passed_are_late_and_an_invitation_has_none() -> None:
    dues = Dues(confirm_by=NOW, slides_due_at=NOW + DAY, asks_travel=False)
    assert marks(talk(ProposalState.ACCEPTED), dues=dues)[Item.CONFIRM] is Mark.LATE
    assert marks(talk(ProposalState.INVITED), dues=dues)[Item.CONFIRM] is Mark.MISSING
    confirmed = checklist(SpeakerState(talks=[talk(ProposalState.CONFIRMED)]), dues, NOW)
    [slides] = [one for one in confirmed if one.item is Item.SLIDES]
    assert (slides.mark, slides.due, slides.is_owed) == (Mark.MISSING, NOW + DAY, True)
    late = checklist(SpeakerState(talks=[talk(ProposalState.CONFIRMED)]), dues, NOW + DAY)
    assert {one.item: one.mark for one in late}[Item.SLIDES] is Mark.LATE
    assert {one.item: one.mark for one in late}[Item.TRAVEL] is Mark.NOT_ASKED


def test_questions_are_owed_while_any_is_open() -> None:
    assert marks(talk(ProposalState.ACCEPTED), unanswered=2)[Item.QUESTIONS] is Mark.MISSING
    assert marks(talk(ProposalState.INVITED), unanswered=2)[Item.QUESTIONS] is Mark.NOT_ASKED


def test_nobody_is_reminded_of_what_organisers_do() -> None:
    lines = checklist(SpeakerState(talks=[talk(ProposalState.CONFIRMED)]), Dues(), NOW)
    assert set(owed(lines)) - set(owed(lines, by_speaker=True)) == set(ORGANISERS_OWN) == {Item.HOST}


def test_more_that_is_there_never_owes_more() -> None:
    names = ("has_picture", "has_bio", "travel_said", "has_host")
    for state in ProposalState:
        for there in product((False, True), repeat=len(names)):
            base: dict[str, Any] = dict(zip(names, there, strict=True))
            less = owes(marks(talk(state), **base))
            for name in names:
                assert owes(marks(talk(state), **(base | {name: True}))) <= less
