"""A forum's line-up out of pasted lines, slides by their content, and which registration a speaker gets. Pure."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from agenda.proposal_rules import LIMITS
from events.contacts import clean_line, normalise_email
from events.form_rules import UNPACKED_FILES_AT_MOST, FormCode
from events.rules import RegistrationState, TicketRole, fold
from kernel.errors import Code, Problem
from kernel.text import LocalizedText

#: Talks in one paste; a forum has some ten.
LINES_AT_MOST: Final = 100
SPEAKERS_AT_MOST: Final = 20
#: Slides that come as a file; larger ones come as a link.
SLIDES_MAX_MB: Final = 50


class LineUpCode(StrEnum):
    """What is wrong with a pasted line, or with a file of slides."""

    TOO_MANY_CELLS = "line_up_too_many_cells"
    TOO_MANY_LINES = "line_up_too_many_lines"
    NO_LINES = "line_up_no_lines"
    TWICE = "line_up_twice"
    #: The forum has a talk with this title.
    THERE = "line_up_there"
    EMAIL_INVALID = "line_up_email_invalid"
    COUNT_DIFFERS = "line_up_count_differs"
    LINES_WRONG = "line_up_lines_wrong"
    SLIDES_KIND = "slides_kind"
    SPEAKER_UNKNOWN = "speaker_unknown"
    EMAIL_TAKEN = "speaker_email_taken"
    NOBODY_TO_REMIND = "speaker_nobody_to_remind"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is to speak, as a line names them; ``email`` is folded, "" where none is known."""

    name: str
    organisation: str = ""
    position: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """One line as it was read; ``number`` counts the pasted lines from 1."""

    number: int
    title: str
    people: tuple[Person, ...] = ()
    #: By ``title``, ``name``, ``organisation``, ``position``, ``email``, or "" for the line as a whole.
    problems: Mapping[str, Problem] = field(default_factory=dict)


#: What may stand between the cells, the surest first: a title seldom holds a tab, and often a comma.
_SEPARATORS: Final = ("\t", "|", "｜", "，", ",")
_CELLS: Final = ("title", "name", "organisation", "position", "email")
#: A first line of these words says what the columns are.
_HEADS: Final = frozenset({"title", "talk", "topic", "标题", "题目", "议题", "演讲题目", "议题名称", "主题"})
_AMONG: Final = re.compile(r"[、&＆]")
_HAN: Final = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
#: Between two organisations; inside a name like AT&T it is no sign of anything.
_AMONG_PLACES: Final = re.compile(r"、|\s[&＆]\s|(?<=[\u3400-\u9fff])[&＆](?=[\u3400-\u9fff])")


def language_of(text: str) -> str:
    """The language that a line is taken for: Chinese as soon as there is a Chinese character in it."""
    return "zh-Hans" if _HAN.search(text) else "en"


def localized(text: str) -> LocalizedText:
    """A single text as one in its own language; nothing for an empty one."""
    return LocalizedText.of({language_of(text): text})


def separator_of(lines: Sequence[str]) -> str:
    """What stands between the cells: the sign that divides most lines into two to five, of equals the surest one."""

    def fits(sign: str) -> int:
        return sum(1 <= line.count(sign) <= len(_CELLS) - 1 for line in lines)

    return max(_SEPARATORS, key=lambda sign: (fits(sign), -_SEPARATORS.index(sign)))


def read_line_up(text: str, *, there: Iterable[str] = ()) -> Sequence[Talk]:
    """The talks of a pasted line-up: title, speaker, organisation, position, and perhaps the e-mail, a line each.

    Empty lines and a line of column titles are left out. Several speakers of a talk are joined by 、 or &; their
    organisations, positions and addresses stand in the same order, or once for all of them. ``there`` are the titles
    that the forum has already. Everything wrong is told at its line; nothing is left out in silence.
    """
    numbered = [
        (number, line) for number, line in enumerate(text.replace("\0", " ").splitlines(), 1) if line.strip()
    ]
    sign = separator_of([line for _, line in numbered])
    if numbered and fold(numbered[0][1].split(sign)[0]) in _HEADS:
        numbered = numbered[1:]
    known = {fold(title) for title in there}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    found = []
    for number, line in numbered:
        talk = _read(number, [clean_line(cell) for cell in line.strip().split(sign)])
        key = (fold(talk.title), tuple(fold(one.name) for one in talk.people))
        problems = dict(talk.problems)
        if key in seen:
            problems.setdefault("", Problem(LineUpCode.TWICE))
        elif key[0] and key[0] in known:
            problems.setdefault("title", Problem(LineUpCode.THERE))
        seen.add(key)
        found.append(Talk(talk.number, talk.title, talk.people, problems))
    return found


def _read(number: int, cells: Sequence[str]) -> Talk:
    while cells and not cells[-1]:
        cells = cells[:-1]
    if len(cells) > len(_CELLS):
        return Talk(number, cells[0], (), {"": Problem(LineUpCode.TOO_MANY_CELLS, {"limit": len(_CELLS)})})
    by_name = dict(zip(_CELLS, [*cells, *[""] * (len(_CELLS) - len(cells))], strict=True))
    problems: dict[str, Problem] = {}
    for name in ("title", "name"):
        if not by_name[name]:
            problems[name] = Problem(Code.REQUIRED)
    if len(by_name["title"]) > LIMITS["title"]:
        problems["title"] = Problem(Code.TOO_LONG, {"limit": LIMITS["title"]})
    names = _parts(by_name["name"])
    if len(names) > SPEAKERS_AT_MOST:
        problems["name"] = Problem(Code.TOO_LONG, {"limit": SPEAKERS_AT_MOST})
        names = names[:SPEAKERS_AT_MOST]
    columns = {
        name: _shared(name, by_name[name], len(names), problems) for name in ("organisation", "position")
    }
    emails = _emails(by_name["email"], len(names), problems)
    people = tuple(
        Person(name, columns["organisation"][at], columns["position"][at], emails[at])
        for at, name in enumerate(names)
    )
    for field_name, limit in (
        ("name", LIMITS["name"]),
        ("organisation", LIMITS["organisation"]),
        ("position", LIMITS["job"]),
    ):
        if any(len(getattr(one, field_name)) > limit for one in people):
            problems[field_name] = Problem(Code.TOO_LONG, {"limit": limit})
    return Talk(number, by_name["title"], people, problems)


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in _AMONG.split(cell) if part.strip()]


def _shared(name: str, cell: str, count: int, problems: dict[str, Problem]) -> list[str]:
    """One for each speaker, or the same for all: "AT&T" of one speaker is one organisation."""
    if count < 2:
        return [cell] * count
    parts = [part.strip() for part in _AMONG_PLACES.split(cell)]
    if len(parts) == count:
        return parts
    if "、" in cell:
        problems[name] = Problem(LineUpCode.COUNT_DIFFERS)
    return [cell] * count


def _emails(cell: str, count: int, problems: dict[str, Problem]) -> list[str]:
    """An address is one person's own, so there are none or as many as speakers."""
    parts = _parts(cell)
    if not parts:
        return [""] * count
    read = [normalise_email(part) for part in parts]
    if any(isinstance(one, Problem) for one in read):
        problems["email"] = Problem(LineUpCode.EMAIL_INVALID)
    elif len(parts) != count:
        problems["email"] = Problem(LineUpCode.COUNT_DIFFERS)
    else:
        keys = [one.key for one in read if not isinstance(one, Problem)]
        if len(set(keys)) == len(keys):
            return keys
        problems["email"] = Problem(LineUpCode.EMAIL_TAKEN)
    return [""] * count


# --- slides ------------------------------------------------------------------------------------------------------


def slides_ending(data: bytes) -> str | Problem:
    """How the name of a file of slides ends, by its content; or why it is not taken.

    PDF, PowerPoint, Keynote, OpenDocument, and a ZIP of whatever belongs together. Nothing with macros, and nothing
    that a browser would run.
    """
    if not data:
        return Problem(FormCode.FILE_EMPTY)
    if len(data) > SLIDES_MAX_MB * 1024 * 1024:
        return Problem(FormCode.FILE_SIZE, {"limit": SLIDES_MAX_MB})
    wrong = Problem(LineUpCode.SLIDES_KIND)
    if data.startswith(b"%PDF-"):
        # A PDF ends with its mark: one that was cut off on its way opens for nobody on stage.
        return "pdf" if b"%%EOF" in data[-2048:] else wrong
    if not data.startswith(b"PK\x03\x04"):
        return wrong
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            mark = archive.read("mimetype")[:80] if "mimetype" in names else b""
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, RuntimeError, EOFError):
        return wrong
    if len(names) > UNPACKED_FILES_AT_MOST or any(name.lower().endswith("vbaproject.bin") for name in names):
        return wrong
    if "ppt/presentation.xml" in names:
        return "pptx"
    if "[Content_Types].xml" in names:
        return wrong
    if mark.startswith(b"application/vnd.oasis.opendocument."):
        return "odp" if mark.endswith(b".presentation") else wrong
    return "key" if any(name.startswith("Index/") or name == "Index.zip" for name in names) else "zip"


def named_with(filename: str, ending: str) -> str:
    """A file's name that ends as its content is."""
    return filename if filename.lower().endswith(f".{ending}") else f"{filename}.{ending}"


# --- a speaker's registration ------------------------------------------------------------------------------------

#: What somebody comes as who keeps that when they speak as well: these open doors that a speaker's ticket may not.
KEEPS: Final = frozenset({TicketRole.SPEAKER, TicketRole.STAFF, TicketRole.VOLUNTEER})
_BEST_FIRST: Final = (
    RegistrationState.CONFIRMED,
    RegistrationState.OFFERED,
    RegistrationState.PENDING,
    RegistrationState.WAITLISTED,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registration under one of a speaker's addresses."""

    id: int
    name: str
    state: RegistrationState
    role: TicketRole


def own_registration(candidates: Iterable[Candidate], names: Iterable[str]) -> Candidate | None:
    """Which of the registrations under a speaker's address is the speaker's own; None where none can be told to be.

    One alone is; of several, which one person made for a whole class, the one with the speaker's name. The one that is
    furthest along comes first; cancelled and declined ones are nobody's.
    """
    alive = sorted(
        (one for one in candidates if one.state in _BEST_FIRST),
        key=lambda one: (_BEST_FIRST.index(one.state), one.id),
    )
    wanted = {fold(name) for name in names if name.strip()}
    named = [one for one in alive if fold(one.name) in wanted]
    if named:
        return named[0]
    return alive[0] if len(alive) == 1 else None
