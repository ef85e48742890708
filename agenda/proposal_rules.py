"""Words and decisions about proposals: their states, who may move them, until when, and what is still missing. Pure.

``MOVES`` is the one table of everything that may happen to a proposal's state. A verb that stands in no row with the
state it is in is refused, whoever asks; one that does is for those whom the row names, under the row's conditions.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from events.rules import FieldKind
from kernel.errors import Code, Problem
from kernel.text import LocalizedText


class ProposalState(StrEnum):
    #: Seen by its writers alone.
    DRAFT = "draft"
    #: Somebody was asked to speak; past the review.
    INVITED = "invited"
    DECLINED = "declined"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    #: The speaker took it back.
    WITHDRAWN = "withdrawn"
    #: The organisers took it out.
    CANCELLED = "cancelled"


class Verb(StrEnum):
    """What may happen to a proposal's state; also the word in its history."""

    SUBMIT = "submit"
    INVITE = "invite"
    DECLINE = "decline"
    ACCEPT = "accept"
    WAITLIST = "waitlist"
    REJECT = "reject"
    CONFIRM = "confirm"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"
    #: Back to where it waits for a decision.
    REOPEN = "reopen"


class Who(StrEnum):
    """In which part somebody meets a proposal; one person may have several."""

    #: Handed it in, or speaks in it; also the holder of a speaker's secret link.
    SPEAKER = "speaker"
    #: Produces its forum, or helps whoever does.
    PRODUCER = "producer"
    #: A reviewer who is not kept from it by a conflict of interest.
    REVIEWER = "reviewer"
    #: The programme chair and whoever may decide.
    CHAIR = "chair"


class ProposalCode(StrEnum):
    """Refusals and problems of this part."""

    UNKNOWN = "proposal_unknown"
    #: Not from this state.
    MOVE_NOT_FROM_HERE = "proposal_move_not_from_here"
    #: From this state, but not by you.
    MOVE_NOT_YOURS = "proposal_move_not_yours"
    NOT_YOURS = "proposal_not_yours"
    NOT_EDITABLE = "proposal_not_editable"
    CALL_NOT_OPEN_YET = "call_not_open_yet"
    CALL_CLOSED = "call_closed"
    TYPE_CLOSED = "call_type_closed"
    TYPE_NEEDS_CODE = "call_type_needs_code"
    FORUM_NEEDS_CODE = "call_forum_needs_code"
    CODE_WRONG = "call_code_wrong"
    CODE_EXPIRED = "call_code_expired"
    CODE_USED_UP = "call_code_used_up"
    CODE_TAKEN = "call_code_taken"
    USES_BELOW_USED = "call_code_uses_below_used"
    CONFIRM_TOO_LATE = "proposal_confirm_too_late"
    DECISION_NOT_NOW = "proposal_decision_not_now"
    INCOMPLETE = "proposal_incomplete"
    STALE = "proposal_stale"
    TOO_MANY_PROPOSALS = "proposals_too_many"
    TOO_MANY_SPEAKERS = "proposal_speakers_too_many"
    TITLE_LANGUAGE = "proposal_title_language"
    TYPE_UNKNOWN = "session_type_unknown"
    TYPE_IN_USE = "session_type_in_use"
    FORUM_UNKNOWN = "forum_unknown"
    FORUM_IN_USE = "forum_in_use"
    CODE_OF_THING_TAKEN = "call_thing_code_taken"
    FIELD_ANSWERED = "call_field_answered"
    FIELD_FIXED = "call_field_fixed"
    WINDOW_REVERSED = "call_window_reversed"
    RESOURCES_TOO_MANY = "proposal_resources_too_many"
    JOIN_UNKNOWN = "join_unknown"
    JOIN_USED = "join_used"
    JOIN_RETRACTED = "join_retracted"
    JOIN_EXPIRED = "join_expired"
    JOIN_FOR_OTHER = "join_for_other"
    JOIN_OPEN = "join_open"
    JOIN_SELF = "join_self"
    SPEAKER_THERE = "speaker_there"
    SPEAKER_LAST = "speaker_last"


class Origin(StrEnum):
    CALL = "call"
    INVITED = "invited"
    IMPORT = "import"
    ORGANISER = "organiser"


class Level(StrEnum):
    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


class SpeakerRole(StrEnum):
    SPEAKER = "speaker"
    MODERATOR = "moderator"
    GUEST = "guest"


class Purpose(StrEnum):
    """What a file or link is for."""

    RESOURCE = "resource"
    SLIDES = "slides"
    SLIDES_BACKUP = "slides_backup"


class Subject(StrEnum):
    """What a question of the organisers' own is about."""

    PROPOSAL = "proposal"
    SPEAKER = "speaker"
    REVIEW = "review"


class Need(StrEnum):
    OPTIONAL = "optional"
    REQUIRED = "required"
    REQUIRED_AFTER = "required_after"


class JoinState(StrEnum):
    """A co-speaker's invitation; ``parked`` until the proposal is handed in, so that a draft writes to nobody."""

    PARKED = "parked"
    OPEN = "open"
    JOINED = "joined"
    DECLINED = "declined"
    RETRACTED = "retracted"


# --- the one table -----------------------------------------------------------------------------------------------


class Condition(StrEnum):
    #: The call takes this type and forum now, or an access code does.
    CALL_OPEN = "call_open"
    #: Nothing that the form requires is missing.
    COMPLETE = "complete"
    #: The day by which speakers confirm has not passed.
    IN_TIME = "in_time"
    #: The active review phase lets reviewers decide.
    PHASE_DECIDES = "phase_decides"


@dataclass(frozen=True, slots=True)
class Move:
    """A row: from these states to that one by a verb; for each who may, the conditions that hold for them."""

    verb: Verb
    froms: frozenset[ProposalState]
    to: ProposalState
    who: Mapping[Who, frozenset[Condition]]


def _move(verb: Verb, froms: str, to: ProposalState, **who: str) -> Move:
    return Move(
        verb,
        frozenset(ProposalState(word) for word in froms.split()),
        to,
        MappingProxyType(
            {Who(name): frozenset(Condition(word) for word in words.split()) for name, words in who.items()}
        ),
    )


MOVES: Final[tuple[Move, ...]] = (
    _move(
        Verb.SUBMIT,
        "draft",
        ProposalState.SUBMITTED,
        speaker="call_open complete",
        producer="complete",
        chair="complete",
    ),
    # A talk that was declined may be asked for again; a draft of a producer's becomes an invitation.
    _move(Verb.INVITE, "draft declined", ProposalState.INVITED, producer="", chair=""),
    _move(Verb.DECLINE, "invited", ProposalState.DECLINED, speaker="", producer="", chair=""),
    _move(
        Verb.ACCEPT,
        "submitted waitlisted rejected",
        ProposalState.ACCEPTED,
        chair="",
        reviewer="phase_decides",
    ),
    _move(
        Verb.WAITLIST,
        "submitted rejected",
        ProposalState.WAITLISTED,
        chair="",
        reviewer="phase_decides",
    ),
    # Whoever was told yes is not told no by this word: that is a cancellation, and they are told why.
    _move(
        Verb.REJECT,
        "submitted waitlisted",
        ProposalState.REJECTED,
        chair="",
        reviewer="phase_decides",
    ),
    # An invitation is answered without any deadline of the call's.
    _move(Verb.CONFIRM, "invited", ProposalState.CONFIRMED, speaker="", chair=""),
    _move(Verb.CONFIRM, "accepted", ProposalState.CONFIRMED, speaker="in_time", chair=""),
    _move(Verb.WITHDRAW, "submitted accepted waitlisted confirmed", ProposalState.WITHDRAWN, speaker=""),
    _move(Verb.CANCEL, "invited", ProposalState.CANCELLED, producer="", chair=""),
    _move(Verb.CANCEL, "submitted accepted waitlisted confirmed", ProposalState.CANCELLED, chair=""),
    # What a speaker took back may be handed in again while the call is open; the chair reopens anything that ended.
    _move(
        Verb.REOPEN,
        "withdrawn",
        ProposalState.SUBMITTED,
        speaker="call_open complete",
        chair="",
    ),
    _move(Verb.REOPEN, "rejected cancelled", ProposalState.SUBMITTED, chair=""),
)

#: Verbs that are decisions: they may be prepared (``pending_state``) and released together.
DECISIONS: Final[Mapping[Verb, ProposalState]] = MappingProxyType(
    {
        Verb.ACCEPT: ProposalState.ACCEPTED,
        Verb.WAITLIST: ProposalState.WAITLISTED,
        Verb.REJECT: ProposalState.REJECTED,
    }
)
DECISION_OF: Final[Mapping[ProposalState, Verb]] = MappingProxyType(
    {state: verb for verb, state in DECISIONS.items()}
)
#: States of a talk that is, or may yet be, in the programme.
IN_PLAY: Final = frozenset(
    {
        ProposalState.INVITED,
        ProposalState.SUBMITTED,
        ProposalState.ACCEPTED,
        ProposalState.WAITLISTED,
        ProposalState.CONFIRMED,
    }
)

_SAYS_NO: Final[Mapping[Condition, ProposalCode]] = MappingProxyType(
    {
        Condition.CALL_OPEN: ProposalCode.CALL_CLOSED,
        Condition.COMPLETE: ProposalCode.INCOMPLETE,
        Condition.IN_TIME: ProposalCode.CONFIRM_TOO_LATE,
        Condition.PHASE_DECIDES: ProposalCode.DECISION_NOT_NOW,
    }
)


def find_move(verb: Verb, state: ProposalState) -> Move | None:
    """The row for a verb in a state; there is at most one."""
    return next((move for move in MOVES if move.verb is verb and state in move.froms), None)


def judge(
    verb: Verb, state: ProposalState, *, who: frozenset[Who], holds: frozenset[Condition]
) -> ProposalState | ProposalCode:
    """Where the proposal goes, or why not. ``holds`` are the conditions that are true now.

    Somebody in several parts may act in the one that lets them: a chair who speaks confirms late, too. Refusals in
    this order: not from here; not by you; the first condition that fails for the part that asks least.
    """
    move = find_move(verb, state)
    if move is None:
        return ProposalCode.MOVE_NOT_FROM_HERE
    lacking = [wanted - holds for part, wanted in move.who.items() if part in who]
    if not lacking:
        return ProposalCode.MOVE_NOT_YOURS
    least = min(lacking, key=len)
    if not least:
        return move.to
    return _SAYS_NO[next(one for one in Condition if one in least)]


def moves_of(state: ProposalState, *, who: frozenset[Who], holds: frozenset[Condition]) -> tuple[Verb, ...]:
    """The verbs that somebody may use now, for the buttons of a page."""
    return tuple(verb for verb in Verb if isinstance(judge(verb, state, who=who, holds=holds), ProposalState))


def may_pend(state: ProposalState, wanted: ProposalState) -> bool:
    """Whether a decision may wait beside this state until all are released."""
    verb = DECISION_OF.get(wanted)
    return verb is not None and find_move(verb, state) is not None


def may_discard(state: ProposalState, *, who: frozenset[Who]) -> bool:
    """A draft may be deleted for good by its writers; anything else leaves a trace."""
    return state is ProposalState.DRAFT and Who.SPEAKER in who


def may_edit(state: ProposalState, *, who: frozenset[Who], call_open: bool, phase_lets: bool = False) -> bool:
    """Whether the words may be changed. Reviewers read what was handed in, so speakers change that only while the call
    is open for them, or where the phase lets them; what will be given may always be made better.
    """
    if Who.CHAIR in who or Who.PRODUCER in who:
        return True
    if Who.SPEAKER not in who:
        return False
    match state:
        case ProposalState.DRAFT | ProposalState.INVITED | ProposalState.ACCEPTED | ProposalState.CONFIRMED:
            return True
        case ProposalState.SUBMITTED | ProposalState.WAITLISTED:
            return call_open or phase_lets
        case _:
            return False


# --- when the call is open ---------------------------------------------------------------------------------------


class CallWindow(StrEnum):
    NOT_YET = "not_yet"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDates:
    is_published: bool
    opens_at: datetime | None = None
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A session type or forum as the form's doorkeeper sees it."""

    id: int
    is_active: bool = True
    needs_code: bool = False
    #: A type's own closing, in place of the call's.
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFacts:
    """An access code. Without types and forums it opens the call after its closing, but nothing that needs a code;
    with some it opens just those.
    """

    is_active: bool = True
    valid_until: datetime | None = None
    max_uses: int | None = None
    used: int = 0
    type_ids: frozenset[int] = frozenset()
    forum_ids: frozenset[int] = frozenset()

    def problem(self, at: datetime) -> Problem | None:
        """Why the code opens nothing at all; None when it is good."""
        if not self.is_active:
            return Problem(ProposalCode.CODE_WRONG)
        if self.valid_until is not None and at >= self.valid_until:
            return Problem(ProposalCode.CODE_EXPIRED)
        if self.max_uses is not None and self.used >= self.max_uses:
            return Problem(ProposalCode.CODE_USED_UP)
        return None

    def opens_type(self, session_type: Choice) -> bool:
        if session_type.needs_code:
            return session_type.id in self.type_ids
        return not self.type_ids or session_type.id in self.type_ids

    def opens_forum(self, forum: Choice) -> bool:
        if forum.needs_code:
            return forum.id in self.forum_ids
        return not self.forum_ids or forum.id in self.forum_ids


def window(dates: CallDates, at: datetime, *, own_closing: datetime | None = None) -> CallWindow:
    """Whether the call takes proposals; half-open, a type's own closing in place of the call's."""
    if not dates.is_published or (dates.opens_at is not None and at < dates.opens_at):
        return CallWindow.NOT_YET
    closes = own_closing if own_closing is not None else dates.closes_at
    return CallWindow.OPEN if closes is None or at < closes else CallWindow.CLOSED


def door_problems(
    *,
    dates: CallDates,
    session_type: Choice | None,
    forum: Choice | None,
    code: CodeFacts | None,
    at: datetime,
) -> dict[str, Problem]:
    """What keeps a proposal out, by field: nothing for one that the call takes now. ``session_type`` is None while none
    is chosen. ``code`` is one that was checked (``CodeFacts.problem``).
    """
    found: dict[str, Problem] = {}
    own = session_type.closes_at if session_type else None
    match window(dates, at, own_closing=own):
        case CallWindow.NOT_YET:
            found["call"] = Problem(ProposalCode.CALL_NOT_OPEN_YET)
        case CallWindow.CLOSED if code is None or (
            session_type is not None and not code.opens_type(session_type)
        ):
            if own is not None and window(dates, at) is CallWindow.OPEN:
                found["session_type"] = Problem(ProposalCode.TYPE_CLOSED)
            else:
                found["call"] = Problem(ProposalCode.CALL_CLOSED)
        case CallWindow.CLOSED if forum is not None and code is not None and not code.opens_forum(forum):
            found["forum"] = Problem(ProposalCode.CALL_CLOSED)
        case _:
            pass
    if session_type is not None and (
        session_type.needs_code and (code is None or not code.opens_type(session_type))
    ):
        found.setdefault("session_type", Problem(ProposalCode.TYPE_NEEDS_CODE))
    if forum is not None and forum.needs_code and (code is None or not code.opens_forum(forum)):
        found.setdefault("forum", Problem(ProposalCode.FORUM_NEEDS_CODE))
    return found


def needs_use(*, dates: CallDates, session_type: Choice, forum: Choice | None, at: datetime) -> bool:
    """Whether handing this in uses up a code: not where it was open anyway, so that a code given in vain stays whole."""
    return bool(door_problems(dates=dates, session_type=session_type, forum=forum, code=None, at=at))


def days_left(closes_at: datetime, at: datetime, zone: str) -> int:
    """Nights until the closing in the event's zone: 0 is today. A closing at midnight belongs to the day it ends."""
    local = ZoneInfo(zone)
    last_moment = closes_at.astimezone(local)
    last = last_moment.date()
    if (last_moment.hour, last_moment.minute, last_moment.second) == (0, 0, 0):
        last = last.fromordinal(last.toordinal() - 1)
    return max(0, (last - at.astimezone(local).date()).days)


# --- what may be written, and what is missing --------------------------------------------------------------------

#: Longest texts, in characters, by field; of texts in several languages each.
LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "title": 200,
        "abstract": 2_000,
        "description": 20_000,
        "notes": 4_000,
        "audience": 1_000,
        "takeaways": 2_000,
        "previous_talks": 2_000,
        "equipment": 1_000,
        "name": 120,
        "organisation": 200,
        "job": 120,
        "bio": 4_000,
        "travel_note": 1_000,
        "resource_title": 200,
    }
)
MINUTES_LEAST: Final = 5
MINUTES_MOST: Final = 480
RESOURCES_AT_MOST: Final = 10
#: Types of one call, forums of one event: COSCon has some twenty forums.
THINGS_AT_MOST: Final = 200
CONSENTS: Final = ("allows_slides", "allows_photo", "allows_video")


def lengths(texts: Mapping[str, LocalizedText | str]) -> dict[str, Problem]:
    """Texts that are too long, by field; of a text in several languages the field is ``title.en``."""
    found: dict[str, Problem] = {}
    for name, text in texts.items():
        limit = LIMITS[name]
        parts = (
            {f"{name}.{tag}": part for tag, part in text.items()}
            if isinstance(text, LocalizedText)
            else {name: text}
        )
        for where, part in parts.items():
            if len(part) > limit:
                found[where] = Problem(Code.TOO_LONG, {"limit": limit})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What of a proposal is written, as far as handing it in depends on it."""

    title: LocalizedText = field(default_factory=LocalizedText)
    abstract: LocalizedText = field(default_factory=LocalizedText)
    has_type: bool = False
    language: str = ""
    #: Of whoever hands it in.
    name: LocalizedText = field(default_factory=LocalizedText)
    bio: LocalizedText = field(default_factory=LocalizedText)
    #: slides, photo, video: None where nothing was said
    allows: tuple[bool | None, bool | None, bool | None] = (None, None, None)
    #: Names of the organisers' required questions without an answer.
    unanswered: tuple[str, ...] = ()


def missing(filled: Filled) -> dict[str, Problem]:
    """What must still be written before it can be handed in, by field, in the order of the form.

    Title and abstract are wanted in one language at least, and in the same one; the second is optional.
    """
    found: dict[str, Problem] = {}
    titled = {tag for tag, text in filled.title.items() if text.strip()}
    told = {tag for tag, text in filled.abstract.items() if text.strip()}
    if not titled:
        found["title"] = Problem(Code.REQUIRED)
    if not told:
        found["abstract"] = Problem(Code.REQUIRED)
    elif titled and not titled & told:
        found["abstract"] = Problem(ProposalCode.TITLE_LANGUAGE)
    if not filled.has_type:
        found["session_type"] = Problem(Code.REQUIRED)
    if not filled.language:
        found["language"] = Problem(Code.REQUIRED)
    for name, text in (("name", filled.name), ("bio", filled.bio)):
        if not any(part.strip() for part in text.values()):
            found[name] = Problem(Code.REQUIRED)
    for name, said in zip(CONSENTS, filled.allows, strict=True):
        if said is None:
            found[name] = Problem(Code.REQUIRED)
    for name in filled.unanswered:
        found[name] = Problem(Code.REQUIRED)
    return found


def fallback(text: LocalizedText, locale: str) -> tuple[str, bool]:
    """A text for a reader, and whether it is in another language than theirs: pages say so."""
    shown = text.in_(locale)
    language = locale.partition("-")[0]
    own = any(part and tag.partition("-")[0] == language for tag, part in text.items())
    return shown, bool(shown) and not own


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """When and of whom a question of the organisers' own is asked."""

    subject: Subject
    kind: FieldKind
    need: Need = Need.OPTIONAL
    required_after: datetime | None = None
    is_active: bool = True
    type_ids: frozenset[int] = frozenset()
    forum_ids: frozenset[int] = frozenset()

    def asks(self, *, type_id: int | None, forum_id: int | None) -> bool:
        """Limited to types and to forums, it is asked where both fit."""
        return (
            self.is_active
            and (not self.type_ids or type_id in self.type_ids)
            and (not self.forum_ids or forum_id in self.forum_ids)
        )

    def is_required(self, at: datetime) -> bool:
        match self.need:
            case Need.REQUIRED:
                return True
            case Need.REQUIRED_AFTER:
                return self.required_after is not None and at >= self.required_after
            case _:
                return False


# --- availability ------------------------------------------------------------------------------------------------

Span = tuple[datetime, datetime]


def joined_spans(spans: list[Span]) -> list[Span]:
    """Spans in order, those that touch or overlap made one; empty and reversed ones left out."""
    found: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def shared_spans(one: list[Span] | None, other: list[Span] | None) -> list[Span] | None:
    """When both are there; None is somebody who said nothing, and so is always there."""
    if one is None or other is None:
        return other if one is None else one
    return joined_spans([(max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) < min(b, d)])


# --- much alike --------------------------------------------------------------------------------------------------

#: From here on two proposals are shown as near-duplicates: three of five pieces in common. Chosen, not measured.
LIKE_FROM: Final = 60


def shingles(text: str, size: int = 3) -> frozenset[str]:
    """Pieces of three characters of a folded text, punctuation left out: works for Chinese as for English."""
    plain = "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())
    return frozenset(plain[at : at + size] for at in range(max(1, len(plain) - size + 1)) if plain)


def likeness(one: frozenset[str], other: frozenset[str]) -> int:
    """How much two texts share, 0 to 100: of the pieces of both, the part that is in both."""
    together = len(one | other)
    return math.floor(100 * len(one & other) / together) if together else 0
