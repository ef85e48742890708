"""Reads of the ledger: the scans behind a number, newest first, page by page through ``idx_scan_at``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from checkin.rules import VerdictCode
from checkin.undoing import STANDS
from kernel.db import as_instant, in_list, list_parameter, query

PAGE: Final = 50
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which scans: made from ``since`` to before ``until``, at these checkpoints (None: any), with these verdicts
    (none: any), of this ticket type (None: any; 0: the code led to nobody).

    Rows that stand beside a scan (somebody let in all the same) are no scans: they are found by their own verdict, and
    otherwise told of with the scan. ``came``: instead, what makes people count as arrived: admissions and those
    rows, what was taken back left out.
    """

    event_id: int
    since: datetime
    until: datetime
    checkpoints: Collection[int] | None = None
    verdicts: Collection[VerdictCode] = ()
    ticket_type_id: int | None = None
    came: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the list: the scan that stood there last."""

    at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.id}"

    @classmethod
    def read(cls, text: str) -> Mark | None:
        """What ``str`` wrote; None for anything else."""
        at, _, number = text.partition("-")
        if not (at.isascii() and at.isdecimal() and number.isascii() and number.isdecimal()):
            return None
        if len(at) > 16 or len(number) > 18:
            return None
        return cls(_EPOCH + timedelta(microseconds=int(at)), int(number))


@dataclass(frozen=True, slots=True)
class ScanLine:
    """One scan as people read it; passport's words are empty where the code led to nobody."""

    id: int
    at: datetime
    checkpoint_id: int
    direction: str
    verdict: VerdictCode
    ticket_type_id: int | None
    is_doubtful: bool
    short_code: str
    badge_name: str
    registration_id: int | None
    #: Refused, and inside all the same: a phone without network had let them in.
    was_let_in: bool


@dataclass(frozen=True, slots=True)
class Sum:
    scans: int
    people: int


def _conditions(wanted: Wanted) -> tuple[str, list[Any]]:
    values: list[Any] = [wanted.event_id, wanted.since, wanted.until]
    parts = ["s.event_id = $1", "s.at >= $2", "s.at < $3"]

    def add(sql: str, value: Any) -> None:
        values.append(value)
        parts.append(sql.replace("$n", f"${len(values)}"))

    if wanted.checkpoints is not None:
        add(f"s.checkpoint_id {in_list('$n', 'int')}", list_parameter(sorted(wanted.checkpoints)))
    if wanted.came:
        parts += ["s.turn >= 0", "s.direction = 'entry'", STANDS]
    elif wanted.verdicts:
        add(f"s.verdict {in_list('$n', 'text')}", list_parameter(sorted(wanted.verdicts)))
    else:
        parts.append(f"s.verdict NOT IN ('{VerdictCode.LET_IN}', '{VerdictCode.LET_IN_UNDONE}')")
    if wanted.ticket_type_id == 0:
        parts.append("s.ticket_type_id IS NULL")
    elif wanted.ticket_type_id is not None:
        add("s.ticket_type_id = $n", wanted.ticket_type_id)
    return " AND ".join(parts), values


async def count(wanted: Wanted) -> Sum:
    """How many scans, and of how many people who are known; one statement."""
    where, values = _conditions(wanted)
    rows = await query(
        f"SELECT count(*) AS n, count(DISTINCT s.passport_id) AS people FROM scan s WHERE {where}",  # noqa: S608
        *values,
    )
    return Sum(int(rows[0]["n"]), int(rows[0]["people"]))


async def scans(wanted: Wanted, before: Mark | None = None, limit: int = PAGE) -> Sequence[ScanLine]:
    """Newest first, those after ``before``; one statement."""
    where, values = _conditions(wanted)
    if before is not None:
        values += [before.at, before.id]
        where += f" AND (s.at < ${len(values) - 1} OR (s.at = ${len(values) - 1} AND s.id < ${len(values)}))"
    rows = await query(
        f"""SELECT s.id, s.at, s.checkpoint_id, s.direction, s.verdict, s.ticket_type_id, s.is_doubtful,
                p.short_code, p.badge_name, p.registration_id,
                s.turn IS NULL AND EXISTS (SELECT 1 FROM scan b WHERE b.list_id = s.list_id
                    AND b.passport_id = s.passport_id AND b.period = s.period AND b.turn >= 0 AND b.at = s.at
                    AND b.verdict = '{VerdictCode.LET_IN}') AS was_let_in
            FROM scan s LEFT JOIN passport p ON p.id = s.passport_id
            WHERE {where} ORDER BY s.at DESC, s.id DESC LIMIT {int(limit)}""",  # noqa: S608 -- values are parameters
        *values,
    )
    return [_line(row) for row in rows]


def _line(row: Any) -> ScanLine:
    at = as_instant(row["at"])
    assert at is not None
    return ScanLine(
        id=row["id"],
        at=at,
        checkpoint_id=row["checkpoint_id"],
        direction=row["direction"],
        verdict=VerdictCode(row["verdict"]),
        ticket_type_id=row["ticket_type_id"],
        is_doubtful=bool(row["is_doubtful"]),
        short_code=row["short_code"] or "",
        badge_name=row["badge_name"] or "",
        registration_id=row["registration_id"],
        was_let_in=bool(row["was_let_in"]),
    )
