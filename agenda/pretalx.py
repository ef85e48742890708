"""pretalx's JSON to records of an import: its API's lists of submissions and speakers, and its exports of either. Pure.

Whatever stands in a list of objects is read by the names of their keys; an object with a title is a proposal, one with a
name a speaker. pretalx's codes become external ids, so the same file again meets the same rows. Names in several
languages count in English, else in their first; numbers that stand for a track or a type are looked up where the file
has their lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from agenda.cfp_plan import Record
from events.contacts import match_key
from events.sheets import SheetCode, SheetProblem

#: Objects of one file at most, as a spreadsheet's rows.
AT_MOST: Final = 20_000
_LISTS: Final = ("results", "submissions", "sessions", "talks", "proposals", "speakers")
_PROPOSAL: Final[Mapping[str, str]] = {
    "code": "external_id",
    "id": "external_id",
    "proposalid": "external_id",
    "title": "title",
    "proposaltitle": "title",
    "abstract": "abstract",
    "description": "description",
    "state": "state",
    "proposalstate": "state",
    "submissiontype": "type",
    "sessiontype": "type",
    "track": "forum",
    "duration": "minutes",
    "contentlocale": "language",
    "language": "language",
    "notes": "notes",
    "tags": "tags",
    "submitted": "submitted_at",
    "created": "submitted_at",
}
_SPEAKER: Final[Mapping[str, str]] = {
    "code": "speaker.external_id",
    "id": "speaker.external_id",
    "name": "speaker.name",
    "fullname": "speaker.name",
    "publicname": "speaker.name",
    "biography": "speaker.bio",
    "email": "speaker.email",
    "locale": "speaker.locale",
}


@dataclass(slots=True)
class Found:
    records: list[Record] = field(default_factory=list)
    #: Questions of pretalx that no question of the call is.
    unused: list[str] = field(default_factory=list)


def is_json(data: bytes) -> bool:
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def read(data: bytes, questions: Mapping[str, str]) -> Found:
    """The records of a file; ``questions`` are folded labels to keys. A proposal's line is its number in its list.

    Raises SheetProblem ``sheet_broken`` for what is no JSON, ``sheet_empty`` for JSON without any proposal or speaker.
    """
    try:
        root = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        raise SheetProblem(SheetCode.BROKEN) from None
    reader = _Reader(root, questions)
    objects = list(_objects(root))
    if len(objects) > AT_MOST:
        raise SheetProblem(SheetCode.ROWS, limit=AT_MOST)
    # Speakers first: proposals may name them by their codes alone.
    for number, one in objects:
        if not _is_proposal(one):
            reader.speaker(number, one)
    for number, one in objects:
        if _is_proposal(one):
            reader.proposal(number, one)
    if not reader.found.records:
        raise SheetProblem(SheetCode.EMPTY)
    return reader.found


def _objects(root: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    lists: list[Any] = [root] if isinstance(root, list) else []
    if isinstance(root, dict):
        lists = [root[name] for name in _LISTS if isinstance(root.get(name), list)]
    number = 0
    for each in lists:
        for one in each:
            number += 1
            if isinstance(one, dict):
                yield number, one


def _fold(key: str) -> str:
    return "".join(char for char in key.casefold() if char.isalnum())


def _is_proposal(one: Mapping[str, Any]) -> bool:
    keys = {_fold(key) for key in one}
    return bool(keys & {"title", "proposaltitle"})


def _words(value: Any) -> str:
    """One text out of whatever stands there."""
    match value:
        case None | bool():
            return ""
        case str():
            return value
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case dict():
            for key in ("en", "name", "tag", "title", "question", "answer"):
                if value.get(key):
                    return _words(value[key])
            return next((_words(each) for each in value.values() if isinstance(each, str) and each), "")
        case list():
            return ", ".join(words for each in value if (words := _words(each)))
        case _:
            return ""


def _is_localized(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(
            isinstance(each, str) and len(tag) <= 16 and tag.replace("-", "").isalpha()
            for tag, each in value.items()
        )
    )


_TAGS: Final[Mapping[str, str]] = {
    "zh-hans": "zh-Hans",
    "zh-hant": "zh-Hant",
    "zh": "zh-Hans",
    "zh-cn": "zh-Hans",
}


class _Reader:
    def __init__(self, root: Any, questions: Mapping[str, str]) -> None:
        self.questions, self.found = questions, Found()
        self.names: dict[tuple[str, Any], str] = {}
        lists = root if isinstance(root, dict) else {}
        for key, name in (("type", "submission_types"), ("forum", "tracks"), ("tags", "tags")):
            for one in lists.get(name) or ():
                if isinstance(one, dict) and "id" in one:
                    self.names[key, one["id"]] = _words(one.get("name") or one.get("tag"))

    def _cells(self, one: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, str]:
        cells: dict[str, str] = {}
        for raw, value in one.items():
            key = keys.get(_fold(raw))
            if key is None:
                if isinstance(value, str | int | float | bool):
                    self._answer(cells, raw, value, is_sure=False)
                continue
            if key in ("title", "abstract", "description", "speaker.bio", "speaker.name") and _is_localized(
                value
            ):
                for tag, text in value.items():
                    cells[f"{key}:{_TAGS.get(tag.casefold(), tag)}"] = text
                continue
            cells[key] = cells.get(key) or self._looked_up(key, value)
        for said in one.get("answers") or ():
            if isinstance(said, dict):
                # v1 has the question in it, v2 its number alone.
                self._answer(cells, _words(said.get("question")), said.get("answer"), is_sure=True)
        return {key: text for key, text in cells.items() if text}

    def _looked_up(self, key: str, value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(self._looked_up(key, each) for each in value)
        if isinstance(value, int) and (key, value) in self.names:
            return self.names[key, value]
        return _words(value)

    def _answer(self, cells: dict[str, str], question: str, value: Any, *, is_sure: bool) -> None:
        key = self.questions.get(match_key(question)) if question else None
        text = ("yes" if value else "no") if isinstance(value, bool) else _words(value)
        if key is not None:
            cells[key] = {"True": "yes", "False": "no"}.get(text, text)
        elif is_sure and question and question not in self.found.unused:
            self.found.unused.append(question)

    def speaker(self, number: int, one: Mapping[str, Any]) -> None:
        self.found.records.append(Record(number, self._cells(one, _SPEAKER)))

    def proposal(self, number: int, one: Mapping[str, Any]) -> None:
        own = self._cells(one, _PROPOSAL)
        allows = {"speaker.allows_video": "no"} if one.get("do_not_record") is True else {}
        people = one.get("speakers") or one.get("Speakers") or one.get("persons") or ()
        if isinstance(people, str):
            people = [{"name": name.strip()} for name in people.split(",")]
        spoken: Sequence[Any] = people if isinstance(people, list) else []
        for person in spoken or [None]:
            about: dict[str, str] = {}
            if isinstance(person, dict):
                about = self._cells(person, _SPEAKER)
            elif isinstance(person, str):
                about = {"speaker.external_id": person}
            self.found.records.append(Record(number, own | about | (allows if about else {})))
