"""What a speaker still owes, and until when; the same answer for the speaker's page and for the organisers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from agenda.proposal_rules import ProposalState
from agenda.rules import SessionKind


class Item(StrEnum):
    """The lines of the checklist, in their order."""

    CONFIRM = "confirm"
    PHOTO = "photo"
    BIO = "bio"
    CONSENT = "consent"
    QUESTIONS = "questions"
    SLIDES = "slides"
    TRAVEL = "travel"
    HOST = "host"


class Mark(StrEnum):
    DONE = "done"
    MISSING = "missing"
    #: Missing, and its day has passed.
    LATE = "late"
    #: Nobody waits for it (yet).
    NOT_ASKED = "not_asked"


OWED: Final = frozenset({Mark.MISSING, Mark.LATE})
#: Not the speaker's to do: nobody is reminded of it.
ORGANISERS_OWN: Final = frozenset({Item.HOST})
#: States in which a speaker waits for nobody but themselves.
ASKED: Final = frozenset({ProposalState.INVITED, ProposalState.ACCEPTED})
#: States of talks that belong to the programme, or will as soon as their speakers say so.
ON: Final = ASKED | {ProposalState.CONFIRMED}
#: From here on the programme is printed.
_COMING: Final = frozenset({ProposalState.ACCEPTED, ProposalState.CONFIRMED})
#: Kinds of sessions that are given without slides.
_WITHOUT_SLIDES: Final = frozenset({SessionKind.PANEL, SessionKind.CEREMONY, SessionKind.BREAK})


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkFacts:
    """One talk of a speaker, as far as the checklist depends on it."""

    state: ProposalState
    kind: SessionKind = SessionKind.TALK
    #: slides, photo, video: None where nothing was said
    allows: tuple[bool | None, bool | None, bool | None] = (None, None, None)
    has_slides: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerState:
    """Everything that is there of a speaker."""

    talks: Sequence[TalkFacts] = ()
    has_picture: bool = False
    has_bio: bool = False
    #: Arrival said, or that neither room nor pick-up is wanted.
    travel_said: bool = False
    has_host: bool = False
    #: Questions about speakers that must be answered by now, and are not.
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dues:
    """The call's days."""

    confirm_by: datetime | None = None
    slides_due_at: datetime | None = None
    asks_travel: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    item: Item
    mark: Mark
    #: Until when; None: as soon as they can.
    due: datetime | None = None

    @property
    def is_owed(self) -> bool:
        return self.mark in OWED


def checklist(speaker: SpeakerState, dues: Dues, at: datetime) -> tuple[Line, ...]:
    """Every line, in its order.

    Who was only asked owes an answer and nothing else. From an acceptance on the programme wants picture, words and
    consents; once a talk is confirmed its slides, the travel and somebody who looks after the speaker.
    """
    states = {one.state for one in speaker.talks}
    is_coming = bool(states & _COMING)
    is_confirmed = ProposalState.CONFIRMED in states
    coming = [one for one in speaker.talks if one.state in _COMING]
    shown = [
        one
        for one in speaker.talks
        if one.state is ProposalState.CONFIRMED and (one.kind not in _WITHOUT_SLIDES or one.has_slides)
    ]
    # An invitation is answered without any deadline of the call's.
    answer_by = dues.confirm_by if ProposalState.ACCEPTED in states else None
    allowed = all(None not in one.allows for one in coming)
    return (
        _line(Item.CONFIRM, asked=bool(states & ON), done=not states & ASKED, due=answer_by, at=at),
        _line(Item.PHOTO, asked=is_coming, done=speaker.has_picture, due=None, at=at),
        _line(Item.BIO, asked=is_coming, done=speaker.has_bio, due=None, at=at),
        _line(Item.CONSENT, asked=is_coming, done=allowed, due=None, at=at),
        _line(Item.QUESTIONS, asked=is_coming and bool(speaker.unanswered), done=False, due=None, at=at),
        _line(
            Item.SLIDES,
            asked=bool(shown),
            done=all(one.has_slides for one in shown),
            due=dues.slides_due_at,
            at=at,
        ),
        _line(
            Item.TRAVEL, asked=is_confirmed and dues.asks_travel, done=speaker.travel_said, due=None, at=at
        ),
        _line(Item.HOST, asked=is_confirmed, done=speaker.has_host, due=None, at=at),
    )


def _line(item: Item, *, asked: bool, done: bool, due: datetime | None, at: datetime) -> Line:
    if not asked:
        return Line(item, Mark.NOT_ASKED)
    if done:
        return Line(item, Mark.DONE)
    return Line(item, Mark.LATE if due is not None and at >= due else Mark.MISSING, due)


def owed(lines: Sequence[Line], *, by_speaker: bool = False) -> tuple[Item, ...]:
    """What is missing; ``by_speaker`` leaves out what organisers do."""
    return tuple(one.item for one in lines if one.is_owed and not (by_speaker and one.item in ORGANISERS_OWN))
