"""The shapes of the scanners' JSON, for the OpenAPI document; ``checkin.api`` writes the answers themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from checkin.rules import BATCH_MAX, CheckpointKind, Direction, PassportStatus, Tone, VerdictCode
from events.json_api import Line, Query, Shape

Texts = dict[str, str]


class Badge(Shape):
    """What stands on the badge, and the box that it lies in."""

    number: int | None
    box: str


class Holder(Shape):
    """Whose passport it is, as the scanner shows it."""

    passport_id: int
    name: str
    line: str
    ticket_type: Texts
    door_note: Texts
    leads_group: bool
    badge: Badge | None


class Notice(Shape):
    """A word to staff about the holder, and whether they are asked to look twice."""

    text: Texts
    attention: bool


class First(Shape):
    """When and where the passport was admitted before."""

    at: datetime
    checkpoint: Texts


class Elsewhere(Shape):
    """A checkpoint that takes this ticket."""

    id: int
    name: Texts


class ScanAnswer(Shape):
    """What one scan is answered; a "no" is an answer, too. `tone` is what to show: green, amber, red."""

    scan_id: UUID
    verdict: VerdictCode
    tone: Tone
    words: Texts
    help: Texts
    at: datetime
    checkpoint: int
    direction: Direction
    replayed: bool
    doubtful: bool
    conflict: bool
    rehearsal: bool
    holder: Holder | None
    notice: Notice | None
    first: First | None
    elsewhere: Elsewhere | None


class ScanBatch(Shape):
    """A device's queue in its own order; what is wrong with one entry is said of that one."""

    scans: Annotated[list[Any], Field(max_length=BATCH_MAX, description="Bodies as for a single scan.")]


class BatchResult(Shape):
    """One answer of a batch: with `ok` a scan's own keys, else `code`, `title`, `retry` and the entry's `index`."""

    ok: bool


class BatchResults(Shape):
    results: list[BatchResult]


class Leftovers(Shape):
    """The queue of a device that is over. `wiped`: it has erased what it knew of the event; false where it could not."""

    scans: list[Any] = Field(max_length=BATCH_MAX, description="Bodies as for a single scan.")
    wiped: bool = True


class Leftover(Shape):
    """With `ok` it was kept apart; else `code`, `title`, `retry` and the entry's `index`, as in a batch."""

    ok: bool
    quarantined: bool = True
    scan_id: UUID | None = None


class LeftoverResults(Shape):
    results: list[Leftover]


class Window(Shape):
    opens_at: datetime | None
    closes_at: datetime | None


class Checkpoint(Shape):
    id: int
    code: str
    name: Texts
    kind: CheckpointKind
    is_open: bool
    scans_exits: bool
    capacity: int | None
    windows: list[Window]


class Checkpoints(Shape):
    """The checkpoints that the actor may scan at, and the server's clock."""

    server_time: datetime
    checkpoints: list[Checkpoint]


class Counts(Shape):
    """Today's figures of one checkpoint; `inside` and `capacity` are of its list, which lanes of one door share."""

    entries: int
    exits: int
    repeats: int
    refused: int
    inside: int | None
    capacity: int | None


class FoundGroup(Shape):
    """A group whose list the person opens at the door."""

    name: str
    people: int


class FoundPerson(Shape):
    """Enough to tell two people apart and no more; `short_code` goes into an ordinary scan."""

    passport_id: int
    name: str
    line: str
    ticket_type: Texts
    short_code: str
    status: PassportStatus
    phone_last4: str
    group: FoundGroup | None
    badge: Badge | None


class FoundPeople(Shape):
    people: list[FoundPerson]


class PeopleQuery(Query):
    q: Line = Field(
        default="",
        description="Part of a name or organisation, pinyin or initials of the name, beginning of an address, last digits of a phone.",
    )


class Room(Shape):
    """How full a room is. `state`: 0 open, 1 full, 2 closed; `of` says what is counted (`inside`, `entries`, or heads
    `counted`); `level`: 0, or 80, 95 or 100 where so many percent of what fits are reached; `session`: the guid of what
    is on.
    """

    id: int
    code: str
    name: Texts
    state: int
    count: int
    of: str
    level: int
    session: UUID | None
