"""Words and decisions of ``agenda``: kinds of sessions, what may be wrong with one, reading times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from kernel.errors import Code, Problem
from kernel.text import LocalizedText


class SessionKind(StrEnum):
    TALK = "talk"
    PANEL = "panel"
    WORKSHOP = "workshop"
    LIGHTNING = "lightning"
    CEREMONY = "ceremony"
    BREAK = "break"


class AgendaCode(StrEnum):
    """Refusals and problems of this package."""

    SESSION_OF_ANOTHER_EVENT = "session_of_another_event"
    SESSION_GUID_MALFORMED = "session_guid_malformed"
    SESSION_TIME_MALFORMED = "session_time_malformed"
    SESSION_TIME_TWICE = "session_time_twice"
    SESSION_TIME_SKIPPED = "session_time_skipped"
    SESSION_ENDS_FIRST = "session_ends_first"
    SESSION_TOO_LONG = "session_too_long"
    SESSION_TITLE_MISSING = "session_title_missing"
    SESSION_KIND_UNKNOWN = "session_kind_unknown"
    SESSION_PLACE_UNKNOWN = "session_place_unknown"
    SESSION_ROW_TWICE = "session_row_twice"
    PROGRAMME_COLUMN_MISSING = "programme_column_missing"
    PROGRAMME_EMPTY = "programme_empty"


TITLE_LIMIT: Final = 200
SPEAKERS_LIMIT: Final = 300
#: A session that lasts longer than a day and night is a mistyped date.
LASTS_AT_MOST: Final = timedelta(hours=24)

#: Kinds as programmes are written in Chinese, beside the codes.
KIND_WORDS: Final[Mapping[str, SessionKind]] = {
    **{kind.value: kind for kind in SessionKind},
    "演讲": SessionKind.TALK,
    "分享": SessionKind.TALK,
    "主题演讲": SessionKind.TALK,
    "圆桌": SessionKind.PANEL,
    "圆桌讨论": SessionKind.PANEL,
    "圆桌论坛": SessionKind.PANEL,
    "工作坊": SessionKind.WORKSHOP,
    "闪电演讲": SessionKind.LIGHTNING,
    "典礼": SessionKind.CEREMONY,
    "开幕式": SessionKind.CEREMONY,
    "闭幕式": SessionKind.CEREMONY,
    "仪式": SessionKind.CEREMONY,
    "休息": SessionKind.BREAK,
    "茶歇": SessionKind.BREAK,
    "午餐": SessionKind.BREAK,
}

_MOMENT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?[ T]+(\d{1,2})[:：](\d{2})(?:[:：]\d{2}(?:\.0+)?)?"
)


def read_kind(text: str) -> SessionKind | Problem:
    """A kind by its code or its Chinese word; nothing at all is a talk."""
    key = "".join(text.split()).casefold()
    if not key:
        return SessionKind.TALK
    return KIND_WORDS.get(key) or Problem(AgendaCode.SESSION_KIND_UNKNOWN, {"value": text.strip()[:40]})


def read_moment(text: str, zone: str) -> datetime | Problem:
    """A wall-clock time such as ``2023-10-28 09:30`` in ``zone``, as UTC.

    Refused: one that the zone's clocks show twice or skip in the night when they change, because it would be a guess.
    """
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        return Problem(AgendaCode.SESSION_TIME_MALFORMED)
    year, month, day, hour, minute = (int(part) for part in found.groups())
    try:
        local = datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone))
    except ValueError:
        return Problem(AgendaCode.SESSION_TIME_MALFORMED)
    early, late = local.utcoffset(), local.replace(fold=1).utcoffset()
    if early is not None and late is not None and early != late:
        # Clocks set back show an hour twice (the first pass has the larger offset); set forward, they skip one.
        return Problem(AgendaCode.SESSION_TIME_TWICE if early > late else AgendaCode.SESSION_TIME_SKIPPED)
    # UTC at once: between two times of one zone Python reckons by the wall clock.
    return local.astimezone(UTC)


def session_problems(
    *, title: LocalizedText, speakers: str, starts_at: datetime, ends_at: datetime
) -> dict[str, Problem]:
    """What is wrong with a session, by field; empty when all is well."""
    found: dict[str, Problem] = {}
    if not any(text.strip() for text in title.values()):
        found["title"] = Problem(AgendaCode.SESSION_TITLE_MISSING)
    elif any(len(text) > TITLE_LIMIT for text in title.values()):
        found["title"] = Problem(Code.TOO_LONG, {"limit": TITLE_LIMIT})
    if len(speakers) > SPEAKERS_LIMIT:
        found["speakers"] = Problem(Code.TOO_LONG, {"limit": SPEAKERS_LIMIT})
    if ends_at <= starts_at:
        found["ends_at"] = Problem(AgendaCode.SESSION_ENDS_FIRST)
    elif ends_at.astimezone(UTC) - starts_at.astimezone(UTC) > LASTS_AT_MOST:
        found["ends_at"] = Problem(AgendaCode.SESSION_TOO_LONG, {"hours": 24})
    return found
