"""Words and decisions of the door: what a code may be, when two readings are "the same", and what a scan is answered.

``judge`` is the whole decision as one pure function, so that it is tested by the thousand and can be spoken in
another language (the offline scanner) against the same vectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, urlsplit

from checkin.room_rules import LEAD, Held, RoomState, Slot, slot_at
from kernel import codes


class CodeKind(StrEnum):
    """What leads to a passport."""

    TOKEN = "token"  # noqa: S105 -- a kind of code, not one
    SHORT = "short"
    EXTERNAL = "external"
    #: Another shop's code of a registration that was merged into this passport's own.
    ALIAS = "alias"
    #: What an offline scanner names one of the others by (snapshot_rules): never printed, never typed.
    LOOKUP = "lookup"


class PassportStatus(StrEnum):
    VALID = "valid"
    NOT_CONFIRMED = "not_confirmed"
    CANCELLED = "cancelled"
    REVOKED = "revoked"


class CheckpointKind(StrEnum):
    GATE = "gate"
    SESSION = "session"
    BOOTH = "booth"
    MEAL = "meal"


class Once(StrEnum):
    """Per what a passport is "already here": the whole event, each programme day, each window, each session."""

    EVENT = "event"
    DAY = "day"
    WINDOW = "window"
    SESSION = "session"


class OnRepeat(StrEnum):
    """What a second reading of somebody who is already here means."""

    WELCOME = "welcome"
    WARN = "warn"
    REFUSE = "refuse"


class Direction(StrEnum):
    ENTRY = "entry"
    EXIT = "exit"


class Tone(StrEnum):
    """The colour of a verdict: come in, look closer, stop."""

    GO = "go"
    CARE = "care"
    STOP = "stop"


class Outcome(StrEnum):
    """What a scan counts as."""

    ENTRY = "entry"
    EXIT = "exit"
    REPEAT = "repeat"
    REFUSED = "refused"
    #: An entry taken back, and an exit taken back: each is one less of the other.
    UNDONE = "undone"
    REOPENED = "reopened"
    #: Somebody inside whom no verdict admitted, and such a one taken back.
    LET_IN = "let_in"
    SENT_OUT = "sent_out"


class VerdictCode(StrEnum):
    """Frozen once released: these are stored in scans and sent to scanners."""

    ADMITTED = "admitted"
    WELCOME_BACK = "welcome_back"
    EXIT_RECORDED = "exit_recorded"
    ALREADY_HERE = "already_here"
    NOT_INSIDE = "not_inside"
    ALREADY_USED = "already_used"
    MALFORMED = "malformed"
    MISTYPED = "mistyped"
    UNKNOWN = "unknown"
    OTHER_EVENT = "other_event"
    REVOKED = "revoked"
    CANCELLED = "cancelled"
    NOT_CONFIRMED = "not_confirmed"
    CLOSED = "closed"
    NOT_YET_OPEN = "not_yet_open"
    WINDOW_OVER = "window_over"
    NO_EXITS_HERE = "no_exits_here"
    WRONG_TICKET_TYPE = "wrong_ticket_type"
    FULL = "full"
    #: A lead let somebody in against one of the refusals above, with a reason.
    ADMITTED_BY_LEAD = "admitted_by_lead"
    #: A lead took a scan back, with a reason.
    ENTRY_UNDONE = "entry_undone"
    EXIT_UNDONE = "exit_undone"
    #: The server would have let them in; a phone without network had sent them away.
    TURNED_AWAY = "turned_away"
    #: A way out that nobody scanned: another room was entered, or the day has ended.
    EXIT_AUTOMATIC = "exit_automatic"
    #: A row beside a refusal: a phone without network had let them in, so they stand inside. And that taken back.
    LET_IN = "let_in"
    LET_IN_UNDONE = "let_in_undone"


TONES: Final[dict[VerdictCode, Tone]] = dict.fromkeys(VerdictCode, Tone.STOP) | {
    VerdictCode.ADMITTED: Tone.GO,
    VerdictCode.WELCOME_BACK: Tone.GO,
    VerdictCode.EXIT_RECORDED: Tone.GO,
    VerdictCode.EXIT_AUTOMATIC: Tone.GO,
    VerdictCode.ADMITTED_BY_LEAD: Tone.GO,
    VerdictCode.ALREADY_HERE: Tone.CARE,
    VerdictCode.NOT_INSIDE: Tone.CARE,
    VerdictCode.ENTRY_UNDONE: Tone.CARE,
    VerdictCode.EXIT_UNDONE: Tone.CARE,
    VerdictCode.LET_IN: Tone.CARE,
    VerdictCode.LET_IN_UNDONE: Tone.CARE,
}

OUTCOMES: Final[dict[VerdictCode, Outcome]] = dict.fromkeys(VerdictCode, Outcome.REFUSED) | {
    VerdictCode.ADMITTED: Outcome.ENTRY,
    VerdictCode.EXIT_RECORDED: Outcome.EXIT,
    VerdictCode.EXIT_AUTOMATIC: Outcome.EXIT,
    VerdictCode.WELCOME_BACK: Outcome.REPEAT,
    VerdictCode.ALREADY_HERE: Outcome.REPEAT,
    VerdictCode.ALREADY_USED: Outcome.REPEAT,
    VerdictCode.ADMITTED_BY_LEAD: Outcome.ENTRY,
    VerdictCode.ENTRY_UNDONE: Outcome.UNDONE,
    VerdictCode.EXIT_UNDONE: Outcome.REOPENED,
    VerdictCode.LET_IN: Outcome.LET_IN,
    VerdictCode.LET_IN_UNDONE: Outcome.SENT_OUT,
}


class CheckinCode(StrEnum):
    """Refusals of this package: nothing was decided about anybody and nothing is stored."""

    CHECKPOINT_UNKNOWN = "checkpoint_unknown"
    CHECKPOINT_NOT_YOURS = "checkpoint_not_yours"
    BATCH_TOO_LARGE = "batch_too_large"
    SCAN_MALFORMED = "scan_malformed"
    PASSPORT_UNKNOWN = "passport_unknown"
    CODE_TAKEN = "code_taken"
    SEARCH_TOO_SHORT = "search_too_short"
    WINDOW_UNREADABLE = "window_unreadable"
    UNDO_TOO_LATE = "undo_too_late"
    UNDO_NOT_LATEST = "undo_not_latest"
    NOT_OF_THE_GROUP = "not_of_the_group"
    NO_GROUP = "no_group"
    ROOM_UNKNOWN = "room_unknown"
    ROOM_NOT_YOURS = "room_not_yours"
    HEADS_OUT_OF_RANGE = "heads_out_of_range"
    LEAD_TOO_LONG = "lead_too_long"


#: One upload takes at most this many scans.
BATCH_MAX: Final = 500
#: Longer texts are never a passport; another shop's ticket code has at most 200.
CODE_MAX: Final = 500
ALIAS_MAX: Final = 200
#: A phone's queue older than this is believed to have a broken counter, not a very long day.
AGE_MAX: Final = timedelta(hours=36)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[0-9a-f]{32}")
#: Eight characters with a separator between any two.
_TYPED_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """What a camera or a keyboard gave, with every code that it may stand for, the surest first."""

    candidates: tuple[str, ...]
    is_malformed: bool = False
    #: Eight letters of our alphabet whose check character is wrong: probably a slip of the finger.
    is_mistyped: bool = False


def read_code(raw: str) -> Reading:
    """Takes the token out of a URL (``?token=``) or a bare one, a typed short code, or another shop's ticket code.

    Nothing is refused here that could be some shop's code; ``MALFORMED`` is for what cannot be one.
    """
    text = raw.strip().lstrip("\ufeff")
    if not text or len(text) > CODE_MAX or _CONTROL.search(text):
        return Reading((), is_malformed=True)
    bare = text.lower()
    if _TOKEN.fullmatch(bare):
        return Reading((bare,))
    found: list[str] = []
    if "token=" in text:
        given = parse_qs(urlsplit(text).query).get("token", [""])[0].strip().lower()
        if _TOKEN.fullmatch(given):
            # A URL of a passport is nothing else besides.
            return Reading((given,))
    short = codes.read_short_code(text) if len(text) <= _TYPED_MAX else None
    if short:
        found.append(short)
    if len(text) <= ALIAS_MAX and text not in found:
        found.append(text)
    folded = re.sub(r"[ \-]", "", text.upper())
    looks_typed = len(folded) == codes.SHORT_LENGTH and folded.isalnum() and folded.isascii()
    return Reading(tuple(found), is_malformed=not found, is_mistyped=looks_typed and short is None)


@dataclass(frozen=True, slots=True)
class Window:
    opens_at: datetime
    closes_at: datetime

    def __contains__(self, at: object) -> bool:
        return isinstance(at, datetime) and self.opens_at <= at < self.closes_at


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """What the door knows of a checkpoint. No windows: always; no ticket types: all; no capacity: unlimited."""

    id: int
    event_id: int
    list_id: int
    kind: CheckpointKind
    on_repeat: OnRepeat
    once: Once
    is_open: bool = True
    scans_exits: bool = False
    windows: tuple[Window, ...] = ()
    ticket_types: frozenset[int] = frozenset()
    capacity: int | None = None
    session_guid: str = ""
    #: The sessions of its room, where it follows the programme; None where it does not.
    slots: tuple[Slot, ...] | None = None
    lead: timedelta = LEAD
    #: People inside its list are counted by the day whatever the period: a room that several sessions share.
    by_day: bool = False
    #: What somebody said of its room by hand.
    held: Held | None = None

    def said_by_hand(self, at: datetime) -> RoomState:
        return self.held.at(at) if self.held else RoomState.AUTOMATIC


@dataclass(frozen=True, slots=True)
class PassportFacts:
    id: int
    event_id: int
    ticket_type_id: int
    status: PassportStatus
    #: The very code that was shown has been replaced by a newer one.
    code_is_dead: bool = False


@dataclass(frozen=True, slots=True)
class Here:
    """What the ledger says of a passport in a list and period: admissions that stand, and closings so far."""

    closings: int = 0
    is_inside: bool = False
    #: Admissions not undone.
    times: int = 0


NEVER_HERE: Final = Here()


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """Everything that a verdict depends on; ``passport`` is None when no code led to anybody."""

    reading: Reading
    passport: PassportFacts | None
    checkpoint: CheckpointFacts
    direction: Direction
    at: datetime
    here: Here
    #: People inside the list in this period; looked at only where there is a capacity.
    inside: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one scan, and what it writes: an admission takes ``turn``, an exit ``closes`` one."""

    code: VerdictCode
    turn: int | None = None
    closes: int | None = None
    met_turn: int | None = None

    @property
    def tone(self) -> Tone:
        return TONES[self.code]

    @property
    def outcome(self) -> Outcome:
        return OUTCOMES[self.code]


def judge(facts: ScanFacts) -> Verdict:
    """One scan's verdict; the order of the questions is a promise (DESIGN section 5).

    Unknown code; another event's passport; then for an exit only whether its holder is inside (nobody is kept in);
    for an entry: revoked, cancelled or not confirmed; checkpoint or its room closed, or out of its window; ticket
    type; already here; room said to be full, capacity; else admitted. Replays of a known ``scan_id`` were answered before anybody asked this.
    """
    passport, checkpoint = facts.passport, facts.checkpoint
    if passport is None:
        if facts.reading.is_malformed:
            return Verdict(VerdictCode.MALFORMED)
        return Verdict(VerdictCode.MISTYPED if facts.reading.is_mistyped else VerdictCode.UNKNOWN)
    if passport.event_id != checkpoint.event_id:
        return Verdict(VerdictCode.OTHER_EVENT)
    if facts.direction is Direction.EXIT:
        if not checkpoint.scans_exits:
            return Verdict(VerdictCode.NO_EXITS_HERE)
        if not facts.here.is_inside:
            return Verdict(VerdictCode.NOT_INSIDE)
        return Verdict(VerdictCode.EXIT_RECORDED, closes=facts.here.closings)
    refusal = _status_refusal(passport) or _opening_refusal(checkpoint, facts.at)
    if refusal:
        return Verdict(refusal)
    if checkpoint.ticket_types and passport.ticket_type_id not in checkpoint.ticket_types:
        return Verdict(VerdictCode.WRONG_TICKET_TYPE)
    repeat = _repeat(checkpoint, facts.here)
    if repeat:
        return Verdict(
            repeat, met_turn=facts.here.closings if facts.here.is_inside else facts.here.closings - 1
        )
    if checkpoint.said_by_hand(facts.at) is RoomState.FULL:
        return Verdict(VerdictCode.FULL)
    if checkpoint.capacity is not None and facts.inside >= checkpoint.capacity:
        return Verdict(VerdictCode.FULL)
    return Verdict(VerdictCode.ADMITTED, turn=facts.here.closings)


def _status_refusal(passport: PassportFacts) -> VerdictCode | None:
    if passport.code_is_dead or passport.status is PassportStatus.REVOKED:
        return VerdictCode.REVOKED
    if passport.status is PassportStatus.CANCELLED:
        return VerdictCode.CANCELLED
    if passport.status is PassportStatus.NOT_CONFIRMED:
        return VerdictCode.NOT_CONFIRMED
    return None


def _opening_refusal(checkpoint: CheckpointFacts, at: datetime) -> VerdictCode | None:
    if not checkpoint.is_open or checkpoint.said_by_hand(at) is RoomState.CLOSED:
        return VerdictCode.CLOSED
    if not checkpoint.windows or any(at in window for window in checkpoint.windows):
        return None
    ahead = any(at < window.opens_at for window in checkpoint.windows)
    return VerdictCode.NOT_YET_OPEN if ahead else VerdictCode.WINDOW_OVER


def _repeat(checkpoint: CheckpointFacts, here: Here) -> VerdictCode | None:
    """Inside already is a repeat everywhere; somebody who left may come again, except where once means once."""
    if checkpoint.on_repeat is OnRepeat.REFUSE:
        return VerdictCode.ALREADY_USED if here.times else None
    if not here.is_inside:
        return None
    return VerdictCode.WELCOME_BACK if checkpoint.on_repeat is OnRepeat.WELCOME else VerdictCode.ALREADY_HERE


def period_of(checkpoint: CheckpointFacts, *, at: datetime, programme_date: date) -> str:
    """The key within which a passport is "already here": empty, the programme date, the window, or the session.

    A checkpoint that follows the programme takes the session of that moment (``slot_at``), and the programme date
    between sessions: people in the room are counted, for no session. Outside every window the next one counts (then the last): its scan is refused, and an exit after closing time
    still finds its entry.
    """
    if checkpoint.once is Once.DAY:
        return programme_date.isoformat()
    if checkpoint.once is Once.SESSION and checkpoint.slots is not None:
        slot = slot_at(checkpoint.slots, at, checkpoint.lead)
        return slot.guid if slot else programme_date.isoformat()
    if checkpoint.once is Once.SESSION:
        return checkpoint.session_guid
    if checkpoint.once is Once.WINDOW and checkpoint.windows:
        ordered = sorted(checkpoint.windows, key=lambda window: window.opens_at)
        begun = [window for window in ordered if window.opens_at <= at]
        return (begun[-1] if begun else ordered[0]).opens_at.strftime("%Y-%m-%dT%H:%M")
    return ""


def counted_in(checkpoint: CheckpointFacts, *, period: str, programme_date: date) -> str:
    """The key under which an admission of ``period`` counts among the people inside: the period, but the day for a
    room with exits that follows the programme. Who stays for the next session is still one of those who fill it.
    """
    return programme_date.isoformat() if checkpoint.by_day else period


def here_of(admissions: Iterable[int], closed: Iterable[int], undone: Iterable[int] = ()) -> Here:
    """The state after a key's admissions (their turns), the turns that exits or undos closed, and the undone ones."""
    turns, closings = set(admissions), set(closed) | set(undone)
    return Here(closings=len(closings), is_inside=len(closings) in turns, times=len(turns - set(undone)))


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    is_doubtful: bool


def effective_time(*, arrived: datetime, age_ms: int | None) -> Moment:
    """When a scan happened: its arrival, less the age that the device counted (never the device's own clock).

    An age below zero or above AGE_MAX is not believed: the arrival counts and the scan is marked doubtful.
    """
    if age_ms is None or age_ms == 0:
        return Moment(arrived, False)
    if not 0 < age_ms <= AGE_MAX.total_seconds() * 1000:
        return Moment(arrived, True)
    return Moment(arrived - timedelta(milliseconds=age_ms), False)


def accepting(
    checkpoints: Sequence[CheckpointFacts], *, ticket_type_id: int, like: CheckpointFacts
) -> int | None:
    """The open checkpoint of the same kind that takes this ticket type, the first in order; None when none does.

    Another gate helps somebody at a gate; a lunch counter that takes everybody does not.
    """
    for other in checkpoints:
        if other.id == like.id or other.kind is not like.kind or not other.is_open:
            continue
        if not other.ticket_types or ticket_type_id in other.ticket_types:
            return other.id
    return None


ROUNDING: Final = 10


def rounded(count: int) -> int:
    """A figure for everybody: to the nearest ten, and never zero for somebody (people count small rooms)."""
    return ROUNDING * max(1, round(count / ROUNDING)) if count else 0
