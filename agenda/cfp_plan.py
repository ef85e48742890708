"""What importing a list of proposals and speakers would do, line by line. Pure: records and a snapshot in, a plan out.

A record is what one line says, by the keys of ``cfp_columns``. Lines with one code or external id are one proposal with
several speakers. Who is there already is known by code, then external id, then (speakers) the address, or the name where
neither side has an address; a proposal without any of these, by its title. An import never empties anything, moves no
state of what is there, and leaves a speaker with an account the words that they chose themselves.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from typing import Any, Final

from agenda.calls import LANGUAGES
from agenda.cfp_columns import language_of
from agenda.cfp_queries import FieldFacts
from agenda.cfp_tables import Everything, ProposalRow, SpeakerRow
from agenda.proposal_rules import (
    CONSENTS,
    LIMITS,
    MINUTES_LEAST,
    MINUTES_MOST,
    Level,
    ProposalState,
    SpeakerRole,
    Subject,
)
from events.contacts import match_key, normalise_email, normalise_phone
from events.exporting import FORMULA_ERROR
from events.form_rules import read_words
from events.importing import NO_WORDS, YES_WORDS, Action, read_time
from kernel.errors import Problem
from kernel.text import LocalizedText


class LineCode(StrEnum):
    """What is wrong with a line, or worth knowing about it; ``value`` is what stood there."""

    NOTHING = "cfp_import_nothing"
    TITLE = "cfp_import_title"
    NAME = "cfp_import_name"
    TYPE = "cfp_import_type"
    FORUM = "cfp_import_forum"
    NOT_YOUR_FORUM = "cfp_import_not_your_forum"
    TAG = "cfp_import_tag"
    STATE = "cfp_import_state"
    LANGUAGE = "cfp_import_language"
    LEVEL = "cfp_import_level"
    ROLE = "cfp_import_role"
    NUMBER = "cfp_import_number"
    DATE = "cfp_import_date"
    YES_NO = "cfp_import_yes_no"
    TOO_LONG = "cfp_import_too_long"
    CODE = "cfp_import_code"
    CODE_UNKNOWN = "cfp_import_code_unknown"
    EMAIL = "cfp_import_email"
    PHONE = "cfp_import_phone"
    ANSWER = "cfp_import_answer"
    FORMULA = "cfp_import_formula"
    TWICE = "cfp_import_twice"
    OTHER_SPEAKER = "cfp_import_other_speaker"
    # notes
    DRAFT = "cfp_import_draft"
    STATE_STAYS = "cfp_import_state_stays"
    ACCOUNT_STAYS = "cfp_import_account_stays"
    THERE = "cfp_import_there"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing about a line: a code, the key of the column, values for the words."""

    code: str
    key: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    line: int
    cells: Mapping[str, str]


@dataclass(slots=True)
class Line:
    """A line's outcome."""

    line: int
    name: str = ""
    action: Action = Action.SAME
    problems: list[Said] = field(default_factory=list)
    notes: list[Said] = field(default_factory=list)


@dataclass(slots=True)
class SpeakerPlan:
    """A speaker to make (``id`` None), or to change; ``values`` are columns, ``answers`` by question id."""

    id: int | None
    code: str
    values: dict[str, Any]
    answers: dict[int, Any]
    touched: set[str] = field(default_factory=set)


@dataclass(slots=True)
class ProposalPlan:
    """A proposal to make (``id`` None), or to change from ``version``. ``places`` are (speaker, role, consents)."""

    id: int | None
    code: str
    version: int
    values: dict[str, Any]
    answers: dict[int, Any]
    tag_ids: set[int]
    old: dict[str, Any] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    places: list[tuple[SpeakerPlan, str, tuple[bool | None, bool | None, bool | None]]] = field(
        default_factory=list
    )


@dataclass(slots=True)
class Plan:
    lines: list[Line]
    proposals: list[ProposalPlan]
    speakers: list[SpeakerPlan]

    @property
    def totals(self) -> dict[str, int]:
        found = dict.fromkeys((str(action) for action in Action), 0)
        for line in self.lines:
            found[line.action] += 1
        return found | {"warned": sum(bool(line.notes) for line in self.lines)}


_PLAIN: Final = ("audience", "takeaways", "previous_talks", "equipment", "notes")
_TEXTS: Final = ("title", "abstract", "description")
_ABOUT: Final = ("name", "organisation", "title", "bio")
_CODE: Final = re.compile("[0-9A-Z]{6}")
#: Other systems' words for our states.
_STATES: Final[Mapping[str, ProposalState]] = {
    **{str(state): state for state in ProposalState},
    "canceled": ProposalState.CANCELLED,
    "accept": ProposalState.ACCEPTED,
    "acceptqueue": ProposalState.ACCEPTED,
    "waitlist": ProposalState.WAITLISTED,
    "nominated": ProposalState.SUBMITTED,
    "草稿": ProposalState.DRAFT,
    "已邀请": ProposalState.INVITED,
    "已提交": ProposalState.SUBMITTED,
    "待审核": ProposalState.SUBMITTED,
    "已接受": ProposalState.ACCEPTED,
    "已录用": ProposalState.ACCEPTED,
    "候补": ProposalState.WAITLISTED,
    "已确认": ProposalState.CONFIRMED,
    "未录用": ProposalState.REJECTED,
    "已拒绝": ProposalState.REJECTED,
    "已撤回": ProposalState.WITHDRAWN,
    "已取消": ProposalState.CANCELLED,
}
_LANGUAGES: Final[Mapping[str, str]] = {
    **{match_key(tag): tag for tag in LANGUAGES},
    **dict.fromkeys(("zh", "zh-cn", "中文", "普通话", "chinese", "mandarin"), "zh-Hans"),
    **dict.fromkeys(("en-us", "en-gb", "英文", "英语", "english"), "en"),
    **dict.fromkeys(("zh-tw", "zh-hk"), "zh-Hant"),
}
_LEVELS: Final[Mapping[str, Level]] = {
    **{str(level): level for level in Level},
    **dict.fromkeys(("初级", "入门", "初学者"), Level.BEGINNER),
    **dict.fromkeys(("中级", "进阶"), Level.INTERMEDIATE),
    **dict.fromkeys(("高级", "专家"), Level.ADVANCED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is there, and what the importer may do. ``taken`` are all codes that no new one may have."""

    found: Everything
    zone: tzinfo
    #: None: every forum, and proposals of none.
    forum_ids: frozenset[int] | None = None
    taken: frozenset[str] = frozenset()


def plan(records: Sequence[Record], snapshot: Snapshot) -> Plan:
    """What each record would do, in their order; a line in error takes nothing."""
    planner = _Planner(snapshot)
    lines = [planner.take(record) for record in records]
    # Whoever is not changed after all is not written.
    return Plan(
        lines,
        [one for one in planner.proposals.values() if one.id is None or one.touched],
        [one for one in planner.speakers if one.id is None or one.touched],
    )


def _by_name(known: Sequence[tuple[int, str, Mapping[str, str]]]) -> dict[str, int]:
    """Ids by folded code, then by a name that no other has."""
    names: dict[str, set[int]] = {}
    for number, _, texts in known:
        for text in texts.values():
            names.setdefault(match_key(text), set()).add(number)
    found = {name: next(iter(ids)) for name, ids in names.items() if len(ids) == 1}
    return found | {match_key(code): number for number, code, _ in known}


class _Planner:
    def __init__(self, snapshot: Snapshot) -> None:
        found, world = snapshot.found, snapshot.found.world
        self.snapshot = snapshot
        self.types = _by_name([(one.id, one.code, one.name) for one in world.types])
        self.forums = _by_name([(one.id, one.code, one.name) for one in world.forums])
        self.tags = _by_name([(one.id, one.code, one.name) for one in found.tags])
        self.fields = {
            ("answer" if one.asking.subject is Subject.PROPOSAL else "speaker.answer", one.question.code): one
            for one in world.fields
        }
        #: Everything that was met, by each of its names.
        self.by_code: dict[str, ProposalPlan] = {}
        self.by_external: dict[str, ProposalPlan] = {}
        self.by_title: dict[str, ProposalPlan] = {}
        self.proposals: dict[int, ProposalPlan] = {}
        self.states: dict[int, ProposalState] = {}
        self.speakers: list[SpeakerPlan] = []
        self.has_account: set[int] = set()
        self.speaker_names: dict[tuple[str, str], SpeakerPlan] = {}
        known: dict[int, SpeakerPlan] = {}
        for person in found.speakers.values():
            known[person.id] = self._known_speaker(person)
        for row in found.proposals:
            self._known_proposal(row, known)
        #: (proposal, speaker) to the line that said so.
        self.seen: dict[tuple[int, int], int] = {}

    # what is there

    def _known_speaker(self, row: SpeakerRow) -> SpeakerPlan:
        values = {name: getattr(row, name) for name in row.__dataclass_fields__}
        del values["id"], values["code"], values["account_id"]
        answers = self.snapshot.found.answers.get((Subject.SPEAKER, row.id), {})
        found = SpeakerPlan(row.id, row.code, values, {key: one.value for key, one in answers.items()})
        if row.account_id is not None:
            self.has_account.add(row.id)
        self.speakers.append(found)
        self._name_speaker(found)
        return found

    def _name_speaker(self, found: SpeakerPlan) -> None:
        if found.code:
            self.speaker_names[("code", found.code)] = found
        if found.values.get("external_id"):
            self.speaker_names[("external_id", found.values["external_id"])] = found
        if found.values.get("email"):
            self.speaker_names[("email", found.values["email"])] = found
        else:
            for name in found.values["name"].values():
                self.speaker_names.setdefault(("name", _who(name, found.values["organisation"])), found)

    def _known_proposal(self, row: ProposalRow, known: Mapping[int, SpeakerPlan]) -> None:
        values = {
            name: getattr(row, name)
            for name in (
                *_TEXTS,
                *_PLAIN,
                "session_type_id",
                "forum_id",
                "minutes",
                "language",
                "level",
                "external_id",
                "submitted_at",
            )
        }
        answers = self.snapshot.found.answers.get((Subject.PROPOSAL, row.id), {})
        found = ProposalPlan(
            row.id,
            row.code,
            row.version,
            values,
            {key: one.value for key, one in answers.items()},
            set(row.tag_ids),
            old=dict(values),
            places=[(known[one[0]], one[1], (one[2], one[3], one[4])) for one in row.places],
        )
        self.states[id(found)] = row.state
        self._name_proposal(found)

    def _name_proposal(self, found: ProposalPlan) -> None:
        self.proposals[id(found)] = found
        if found.code:
            self.by_code[found.code] = found
        if found.values.get("external_id"):
            self.by_external[found.values["external_id"]] = found
        for title in found.values["title"].values():
            self.by_title.setdefault(match_key(title), found)

    # a line

    def take(self, record: Record) -> Line:
        line = Line(record.line)
        cells = {key: _clean(text) for key, text in record.cells.items()}
        cells = {key: text for key, text in cells.items() if text}
        if not cells:
            line.action = Action.SKIP
            return line
        for key, text in cells.items():
            if FORMULA_ERROR.fullmatch(text):
                line.problems.append(Said(LineCode.FORMULA, key))
        reading = _Reading(cells, line.problems)
        about = {
            name: reading.text(f"speaker.{name}", LIMITS["job" if name == "title" else name])
            for name in _ABOUT
        }
        has_speaker = any(key.startswith("speaker.") for key in cells)
        texts = {name: reading.text(name, LIMITS[name]) for name in _TEXTS}
        has_proposal = any(not key.startswith("speaker.") for key in cells)
        line.name = next(iter(texts["title"].values()), "") or next(iter(about["name"].values()), "")
        if not has_proposal and not has_speaker:
            line.problems.append(Said(LineCode.NOTHING))
        values = self._proposal_values(reading, texts) if has_proposal else {}
        person = self._speaker_values(reading, about) if has_speaker else {}
        state: ProposalState | None = (
            reading.one_of("state", _STATES, LineCode.STATE) if has_proposal else None
        )
        if state is ProposalState.DRAFT:
            line.notes.append(Said(LineCode.DRAFT, "state"))
            line.action = Action.SKIP
            return line
        answers = self._answers("answer", cells, line)
        speaker_answers = self._answers("speaker.answer", cells, line)
        tags = self._tags(reading)
        proposal = self._find_proposal(cells, texts, line) if has_proposal else None
        speaker = self._find_speaker(cells, person, proposal, line) if has_speaker else None
        if has_proposal and proposal is None and not texts["title"]:
            line.problems.append(Said(LineCode.TITLE, "title"))
        if has_speaker and speaker is None and not about["name"]:
            line.problems.append(Said(LineCode.NAME, "speaker.name"))
        self._check_forum(proposal, values, has_proposal, line)
        place = self._place(reading)
        if line.problems:
            line.action = Action.ERROR
            return line
        is_new = (has_proposal and proposal is None) or (has_speaker and speaker is None)
        touched = False
        if has_speaker:
            speaker = speaker or self._new_speaker(cells.get("speaker.code", "").upper())
            changed = self._put_speaker(speaker, person, speaker_answers, line)
            touched |= changed
        if has_proposal:
            proposal = proposal or self._new_proposal(cells.get("code", "").upper(), state)
            if state is not None and self.states[id(proposal)] is not state:
                line.notes.append(Said(LineCode.STATE_STAYS, "state"))
            changed = self._put_proposal(proposal, values, answers, tags)
            touched |= changed
        if proposal is not None and speaker is not None:
            before = self.seen.get((id(proposal), id(speaker)))
            if before is not None:
                line.problems.append(Said(LineCode.TWICE, "", {"line": before}))
                line.action = Action.ERROR
                return line
            self.seen[id(proposal), id(speaker)] = record.line
            touched |= self._join(proposal, speaker, place)
        line.name = line.name or _shown(proposal, speaker)
        line.action = Action.CREATE if is_new else Action.UPDATE if touched else Action.SAME
        if line.action is Action.SAME:
            line.notes.append(Said(LineCode.THERE))
        return line

    # what it says

    def _proposal_values(self, reading: _Reading, texts: Mapping[str, LocalizedText]) -> dict[str, Any]:
        values: dict[str, Any] = {name: text for name, text in texts.items() if text}
        values |= {name: text for name in _PLAIN if (text := reading.line(name, LIMITS[name]))}
        if external := reading.line("external_id", 100):
            values["external_id"] = external
        for key, known, wrong, column in (
            ("type", self.types, LineCode.TYPE, "session_type_id"),
            ("forum", self.forums, LineCode.FORUM, "forum_id"),
        ):
            if (number := reading.one_of(key, known, wrong)) is not None:
                values[column] = number
        if (language := reading.one_of("language", _LANGUAGES, LineCode.LANGUAGE)) is not None:
            values["language"] = language
        if (level := reading.one_of("level", _LEVELS, LineCode.LEVEL)) is not None:
            values["level"] = str(level)
        if (minutes := reading.minutes()) is not None:
            values["minutes"] = minutes
        if sent_at := reading.cells.get("submitted_at"):
            at = read_time(sent_at, self.snapshot.zone)
            if isinstance(at, Problem):
                reading.wrong(LineCode.DATE, "submitted_at")
            else:
                values["submitted_at"] = at
        return values

    def _speaker_values(self, reading: _Reading, about: Mapping[str, LocalizedText]) -> dict[str, Any]:
        values: dict[str, Any] = {name: text for name, text in about.items() if text}
        if external := reading.line("speaker.external_id", 100):
            values["external_id"] = external
        if text := reading.cells.get("speaker.email"):
            email = normalise_email(text)
            if isinstance(email, Problem):
                reading.wrong(LineCode.EMAIL, "speaker.email")
            else:
                values["email"] = email.key
        if text := reading.cells.get("speaker.phone"):
            phone = normalise_phone(text)
            if isinstance(phone, Problem):
                reading.wrong(LineCode.PHONE, "speaker.phone")
            else:
                values["phone"] = phone.e164
        if (locale := reading.one_of("speaker.locale", _LANGUAGES, LineCode.LANGUAGE)) is not None:
            values["locale"] = locale
        if (wants := reading.truth("speaker.wants_travel_support")) is not None:
            values["wants_travel_support"] = wants
        if note := reading.line("speaker.travel_note", LIMITS["travel_note"]):
            values["travel_note"] = note
        return values

    def _place(self, reading: _Reading) -> tuple[str | None, tuple[bool | None, ...]]:
        roles = {str(role): str(role) for role in SpeakerRole}
        role = reading.one_of("speaker.role", roles, LineCode.ROLE)
        return role, tuple(reading.truth(f"speaker.{name}") for name in CONSENTS)

    def _tags(self, reading: _Reading) -> set[int]:
        found = set()
        for word in re.split("[,;|，；、\n]", reading.cells.get("tags", "")):
            if not word.strip():
                continue
            number = self.tags.get(match_key(word))
            if number is None:
                reading.wrong(LineCode.TAG, "tags", word.strip())
            else:
                found.add(number)
        return found

    def _answers(self, word: str, cells: Mapping[str, str], line: Line) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for key, text in cells.items():
            head, _, code = key.partition(":")
            one: FieldFacts | None = self.fields.get((head, code)) if head == word else None
            if one is None:
                continue
            value = read_words(one.question, text, yes=YES_WORDS, no=NO_WORDS)
            if isinstance(value, Problem):
                line.problems.append(Said(LineCode.ANSWER, key, {"value": text[:40]}))
            elif value is not None:
                found[one.id] = value
        return found

    # who and what it is

    def _find_proposal(
        self, cells: Mapping[str, str], texts: Mapping[str, LocalizedText], line: Line
    ) -> ProposalPlan | None:
        code, external = cells.get("code", "").upper(), cells.get("external_id", "")
        if code and not _CODE.fullmatch(code):
            line.problems.append(Said(LineCode.CODE, "code"))
            return None
        found = self.by_code.get(code) or self.by_external.get(external)
        if found is None and code in self.snapshot.taken:
            # It belongs to a draft, or to a forum that the importer does not see.
            line.problems.append(Said(LineCode.CODE_UNKNOWN, "code"))
        if found is None and not code and not external:
            found = next(
                (there for text in texts["title"].values() if (there := self.by_title.get(match_key(text)))),
                None,
            )
        return found

    def _find_speaker(
        self,
        cells: Mapping[str, str],
        person: Mapping[str, Any],
        proposal: ProposalPlan | None,
        line: Line,
    ) -> SpeakerPlan | None:
        code = cells.get("speaker.code", "").upper()
        if code and not _CODE.fullmatch(code):
            line.problems.append(Said(LineCode.CODE, "speaker.code"))
            return None
        found = self.speaker_names.get(("code", code)) or self.speaker_names.get(
            ("external_id", person.get("external_id", ""))
        )
        by_email = self.speaker_names.get(("email", person.get("email", "")))
        if found is not None and by_email is not None and found is not by_email:
            line.problems.append(Said(LineCode.OTHER_SPEAKER, "speaker.email"))
            return None
        found = found or by_email
        if found is None and code in self.snapshot.taken:
            line.problems.append(Said(LineCode.CODE_UNKNOWN, "speaker.code"))
        names = [match_key(text) for text in person.get("name", {}).values()]
        if found is None and not code and not person.get("external_id") and proposal is not None:
            # Without any other mark: the one of this name who speaks in it already.
            found = next(
                (
                    one
                    for one, _, _ in proposal.places
                    if any(match_key(text) in names for text in one.values["name"].values())
                    and not (person.get("email") and one.values.get("email"))
                ),
                None,
            )
        if found is None and not code and not person.get("external_id") and not person.get("email"):
            organisation = person.get("organisation", LocalizedText())
            found = next(
                (
                    there
                    for text in person.get("name", {}).values()
                    if (there := self.speaker_names.get(("name", _who(text, organisation))))
                ),
                None,
            )
        return found

    def _check_forum(
        self, proposal: ProposalPlan | None, values: Mapping[str, Any], has_proposal: bool, line: Line
    ) -> None:
        mine = self.snapshot.forum_ids
        if mine is None:
            return
        wanted = values.get("forum_id", proposal.values["forum_id"] if proposal else None)
        # Speakers without a proposal belong to no forum.
        if not has_proposal or wanted not in mine:
            line.problems.append(Said(LineCode.NOT_YOUR_FORUM, "forum"))

    # what becomes of it

    def _new_speaker(self, code: str) -> SpeakerPlan:
        found = SpeakerPlan(
            None,
            code,
            {
                "external_id": None,
                "email": "",
                "phone": "",
                "locale": "zh-Hans",
                "wants_travel_support": None,
                "travel_note": "",
                **{name: LocalizedText() for name in _ABOUT},
            },
            {},
        )
        self.speakers.append(found)
        return found

    def _put_speaker(
        self, found: SpeakerPlan, person: Mapping[str, Any], answers: Mapping[int, Any], line: Line
    ) -> bool:
        if found.id in self.has_account:
            if any(_differs(found.values[name], value) for name, value in person.items()):
                line.notes.append(Said(LineCode.ACCOUNT_STAYS, "speaker.name"))
            return False
        changed = _put(found.values, person) | _take_answers(found.answers, answers)
        found.touched |= changed
        self._name_speaker(found)
        return bool(changed)

    def _new_proposal(self, code: str, state: ProposalState | None) -> ProposalPlan:
        found = ProposalPlan(
            None,
            code,
            0,
            {
                **{name: LocalizedText() for name in _TEXTS},
                **dict.fromkeys(_PLAIN, ""),
                "session_type_id": None,
                "forum_id": None,
                "minutes": None,
                "language": "",
                "level": "",
                "external_id": None,
                "submitted_at": None,
                "state": state or ProposalState.SUBMITTED,
            },
            {},
            set(),
        )
        self.states[id(found)] = found.values["state"]
        return found

    def _put_proposal(
        self, found: ProposalPlan, values: Mapping[str, Any], answers: Mapping[int, Any], tags: set[int]
    ) -> bool:
        # When it was handed in here, is a fact.
        said = {name: value for name, value in values.items() if name != "submitted_at" or found.id is None}
        changed = _put(found.values, said) | _take_answers(found.answers, answers)
        if tags - found.tag_ids:
            found.tag_ids |= tags
            changed.add("tags")
        found.touched |= changed
        self._name_proposal(found)
        return bool(changed)

    def _join(
        self,
        proposal: ProposalPlan,
        speaker: SpeakerPlan,
        place: tuple[str | None, tuple[bool | None, ...]],
    ) -> bool:
        role, (slides, photo, video) = place
        if any(one is speaker for one, _, _ in proposal.places):
            return False
        proposal.places.append((speaker, role or SpeakerRole.SPEAKER, (slides, photo, video)))
        proposal.touched.add("speakers")
        return True


def _shown(proposal: ProposalPlan | None, speaker: SpeakerPlan | None) -> str:
    values = proposal.values if proposal else speaker.values if speaker else {}
    text: LocalizedText = values.get("title" if proposal else "name", LocalizedText())
    return next(iter(text.values()), "")


def _clean(text: str) -> str:
    return (
        unicodedata.normalize("NFC", text).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").strip()
    )


def _who(name: str, organisation: Mapping[str, str]) -> str:
    return match_key(name) + "\0" + match_key(next(iter(organisation.values()), ""))


def _differs(old: Any, new: Any) -> bool:
    return any(old.get(tag) != text for tag, text in new.items()) if isinstance(new, dict) else old != new


def _put(old: dict[str, Any], new: Mapping[str, Any]) -> set[str]:
    """Puts new values in place of old ones, a text beside those in other languages; gives the names of what changed."""
    changed = set()
    for name, value in new.items():
        whole = LocalizedText({**old[name], **value}) if isinstance(value, LocalizedText) else value
        if old[name] != whole:
            old[name] = whole
            changed.add(name)
    return changed


def _take_answers(old: dict[int, Any], new: Mapping[int, Any]) -> set[str]:
    changed = {f"answer {number}" for number, value in new.items() if old.get(number) != value}
    old.update(new)
    return changed


class _Reading:
    """The cells of a line to values; what can't be is a problem at its column."""

    def __init__(self, cells: Mapping[str, str], problems: list[Said]) -> None:
        self.cells, self.problems = cells, problems

    def wrong(self, code: LineCode, key: str, value: str | None = None) -> None:
        shown = self.cells.get(key, "") if value is None else value
        self.problems.append(Said(code, key, {"value": shown[:40]}))

    def text(self, name: str, limit: int) -> LocalizedText:
        found: dict[str, str] = {}
        for key, text in self.cells.items():
            head, _, tag = key.partition(":")
            if head != name:
                continue
            if len(text) > limit:
                self.problems.append(Said(LineCode.TOO_LONG, key, {"limit": limit}))
            one_line = text if name in ("abstract", "description", "speaker.bio") else " ".join(text.split())
            found.setdefault(tag or language_of(text), one_line)
        return LocalizedText(found)

    def line(self, key: str, limit: int) -> str:
        text = self.cells.get(key, "")
        if len(text) > limit:
            self.problems.append(Said(LineCode.TOO_LONG, key, {"limit": limit}))
        return text

    def one_of(self, key: str, known: Mapping[str, Any], code: LineCode) -> Any:
        text = self.cells.get(key, "")
        if not text:
            return None
        found = known.get(match_key(text))
        if found is None:
            self.wrong(code, key)
        return found

    def truth(self, key: str) -> bool | None:
        text = self.cells.get(key, "")
        if not text:
            return None
        word = match_key(text)
        if word in YES_WORDS or word in NO_WORDS:
            return word in YES_WORDS
        self.wrong(LineCode.YES_NO, key)
        return None

    def minutes(self) -> int | None:
        text = self.cells.get("minutes", "")
        if not text:
            return None
        found = re.fullmatch(
            r"(\d{1,3})(?:\.0)?\s*(?:min(?:utes)?|分钟)?", unicodedata.normalize("NFKC", text)
        )
        number = int(found[1]) if found else 0
        if MINUTES_LEAST <= number <= MINUTES_MOST:
            return number
        self.wrong(LineCode.NUMBER, "minutes")
        return None
