"""What a phone without network may say by itself, and what it has told people by the time the server hears of it.

``judge_offline`` is ``judge`` with less to go on: what the phone cannot know is amber, never green and never red. The
browser's own copy (``web/static/js/scanner/judge.js``) is held to it by thousands of vectors (``tests/judge_vectors.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from checkin.rules import (
    NEVER_HERE,
    CheckpointFacts,
    Direction,
    Here,
    PassportFacts,
    PassportStatus,
    Reading,
    ScanFacts,
    Tone,
    Verdict,
    VerdictCode,
    judge,
)

#: Said of a code that the phone's list of passports does not know: somebody may have registered since.
UNKNOWN_YET: Final = "unknown_yet"


class Local(StrEnum):
    """What a phone without network told the person before it; empty for a scan that the server itself decided.

    It says what happened at the door, so it is no part of a scan's identity: the same ``scan_id`` with another
    ``local`` is the same scan. Nor is it asked by ``judge``.
    """

    NONE = ""
    ADMITTED = "admitted"
    UNKNOWN_YET = "unknown_yet"
    REFUSED = "refused"
    EXIT = "exit"


#: After these the person stands inside.
LET_IN: Final = frozenset({Local.ADMITTED, Local.UNKNOWN_YET})


class Snapshot(StrEnum):
    """How far a phone's list of passports may be believed: kept up to date until the network went, older than that
    (or without an end to its last refresh), or not there at all."""

    WHOLE = "whole"
    STALE = "stale"
    NONE = "none"


class Read(StrEnum):
    """A reading as the phone classifies it: some code, none at all, or a slip of the finger (``Reading``)."""

    OK = "ok"
    MALFORMED = "malformed"
    MISTYPED = "mistyped"


@dataclass(frozen=True, slots=True)
class OfflineFacts:
    """Everything that a phone knows of a scan.

    ``passport`` is None when its list has no such code. ``here`` is what it knows of this list and period: its own
    scans, and what its list told. Of a capacity it knows only that there is one.
    """

    read: Read
    passport: PassportFacts | None
    checkpoint: CheckpointFacts
    direction: Direction
    at: datetime
    here: Here = NEVER_HERE
    snapshot: Snapshot = Snapshot.WHOLE


@dataclass(frozen=True, slots=True)
class OfflineVerdict:
    """What the phone shows: a verdict's code or UNKNOWN_YET, its colour, and whether it is sure (amber says it is not,
    and so does a refusal out of an old list)."""

    code: str
    tone: Tone
    is_certain: bool = True


def judge_offline(facts: OfflineFacts) -> OfflineVerdict:
    """One scan's verdict without network, in the order of ``judge``.

    - What is not a code, or a slip of the finger, is refused: reading it again costs nothing.
    - A code that the list does not know is ``unknown_yet``, amber, unless this door would take nobody at all just now.
    - An exit of somebody whom the phone did not see come in may be right all the same: amber.
    - An admission where people inside are limited is amber, for others count too.
    - A room that somebody said to be full is amber: chairs are seen from the door, and nobody can tell the phone that
      people may come in again. One that somebody closed is closed, as a checkpoint that is.
    - With an old list nothing is green, and nothing about a passport is certain.
    """
    if facts.read is Read.MALFORMED:
        return OfflineVerdict(VerdictCode.MALFORMED, Tone.STOP)
    known = facts.passport if facts.snapshot is not Snapshot.NONE else None
    if known is None:
        if facts.read is Read.MISTYPED:
            # Another shop's code may look like a slip, and be of somebody who came after the list was made.
            return OfflineVerdict(VerdictCode.MISTYPED, Tone.STOP, is_certain=False)
        return _of_anybody(facts)
    verdict = _judged(facts, known, facts.checkpoint, facts.here)
    if verdict.code is VerdictCode.FULL:
        return OfflineVerdict(VerdictCode.FULL, Tone.CARE, is_certain=False)
    certain = (
        facts.snapshot is Snapshot.WHOLE
        and verdict.code is not VerdictCode.NOT_INSIDE
        and not (verdict.code is VerdictCode.ADMITTED and facts.checkpoint.capacity is not None)
    )
    tone = Tone.CARE if verdict.tone is Tone.GO and not certain else verdict.tone
    return OfflineVerdict(verdict.code, tone, certain)


def _of_anybody(facts: OfflineFacts) -> OfflineVerdict:
    """What may be said of a code that is in no list: no more than of the most welcome of guests."""
    somebody = PassportFacts(0, facts.checkpoint.event_id, 0, PassportStatus.VALID)
    verdict = _judged(facts, somebody, replace(facts.checkpoint, ticket_types=frozenset()), NEVER_HERE)
    if verdict.tone is Tone.STOP and verdict.code is not VerdictCode.FULL:
        return OfflineVerdict(verdict.code, Tone.STOP)
    return OfflineVerdict(UNKNOWN_YET, Tone.CARE, is_certain=False)


def _judged(facts: OfflineFacts, passport: PassportFacts, checkpoint: CheckpointFacts, here: Here) -> Verdict:
    return judge(
        ScanFacts(
            reading=Reading(("known",)),
            passport=passport,
            checkpoint=replace(checkpoint, capacity=None),
            direction=facts.direction,
            at=facts.at,
            here=here,
        )
    )


def told(verdict: OfflineVerdict, direction: Direction) -> Local:
    """What a phone that showed this verdict sends as ``local``: amber lets people in, red does not."""
    if verdict.tone is Tone.STOP:
        return Local.REFUSED
    if direction is Direction.EXIT:
        return Local.EXIT
    return Local.UNKNOWN_YET if verdict.code == UNKNOWN_YET else Local.ADMITTED
