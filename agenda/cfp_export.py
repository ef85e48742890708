"""Everything of a call on its way out: proposals with their speakers, speakers, histories; as CSV, XLSX or JSON.

The list of proposals imports again as it is (``agenda.cfp_import``). A producer gets the own forums' alone; addresses and
personal answers go to whoever may see them, and that look is journalled; what organisers prepare about a proposal is
never told to those who speak in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import orjson
from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_columns, cfp_queries, cfp_tables
from agenda.cfp_columns import COLUMNS, LANGUAGES, Column
from agenda.cfp_queries import FieldFacts, StoredAnswer
from agenda.cfp_shown import INSIDE, actor_names
from agenda.cfp_tables import Everything, ProposalRow, SpeakerRow
from agenda.proposal_rules import CONSENTS, Subject
from events import access, masking
from events.access import Door
from events.contacts import match_key
from events.desk import shared
from events.desk.shared import DeskPage, attachment
from events.exporting import Cell, to_csv, to_xlsx
from events.form_rules import in_words
from events.rules import FieldKind, Permission
from kernel.errors import NotFound
from kernel.text import N_, LocalizedText
from people.jobs import in_worker
from people.rules import mask_email
from web import i18n, render
from web.routing import Entry

PAGE: Final = "agenda.desk.proposals_export"
FILE: Final = "agenda.desk.proposals_export_file"


class What(StrEnum):
    PROPOSALS = "proposals"
    SPEAKERS = "speakers"
    HISTORY = "history"
    #: All of it, and what the call offers and asks: JSON alone.
    CALL = "call"


_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}

# --- cells -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    titles: list[str]
    rows: list[list[Cell]]


def title_of(column: Column, tag: str, locale: str) -> str:
    """The words above a column; of a text, with its language: what the import knows again."""
    words = i18n.gettext_in(locale, column.title)
    if not tag:
        return words
    language = cfp_columns.LANGUAGE_TITLES.get(tag)
    return f"{words} ({i18n.gettext_in(locale, language) if language else tag})"


class _Writer:
    """The cells of one export: what each key holds of a proposal and one of its speakers."""

    def __init__(self, found: Everything, *, zone: str, locale: str, shows: bool) -> None:
        self.found, self.zone, self.locale, self.shows = found, ZoneInfo(zone), locale, shows
        self.types = {one.id: one.code for one in found.world.types}
        self.forums = {one.id: one.code for one in found.world.forums}
        self.tags = {one.id: one.code for one in found.tags}

    def keys(self, columns: Sequence[Column]) -> list[tuple[Column, str]]:
        """Columns with their languages: the usual two, and whatever else somebody has written in."""
        kept: list[tuple[Column, str]] = []
        for column in columns:
            if column.is_personal and not self.shows:
                continue
            if not column.is_text:
                kept.append((column, ""))
                continue
            name = column.key.rpartition(".")[2]
            rows: Sequence[Any] = (
                list(self.found.speakers.values()) if column.of_speaker else self.found.proposals
            )
            more = {tag for row in rows for tag in getattr(row, name)} - set(LANGUAGES)
            kept += [(column, tag) for tag in (*LANGUAGES, *sorted(more))]
        return kept

    def questions(self, subject: Subject) -> list[FieldFacts]:
        return [
            one
            for one in self.found.world.fields
            if one.asking.subject is subject and (self.shows or not one.question.is_personal)
        ]

    def question_titles(self, asked: Sequence[FieldFacts]) -> list[str]:
        """A question's label, or its code where the label is not its own alone."""
        known = cfp_columns.question_keys(self.found.world.fields)
        own_words = {one.question.label.in_(self.locale) for one in asked}
        titles = []
        for one in asked:
            label = one.question.label.in_(self.locale)
            word = "answer" if one.asking.subject is Subject.PROPOSAL else "speaker.answer"
            is_own = known.get(match_key(label)) == f"{word}:{one.question.code}"
            titles.append(label if is_own and label in own_words else one.question.code)
        return titles

    def proposal(self, row: ProposalRow, key: str, tag: str) -> Cell:
        match key:
            case "title" | "abstract" | "description":
                text: LocalizedText = getattr(row, key)
                return text.get(tag, "")
            case "state":
                return str(row.state)
            case "type":
                return self.types.get(row.session_type_id or 0, "")
            case "forum":
                return self.forums.get(row.forum_id or 0, "")
            case "tags":
                # Tags are given in the review, too.
                mine = () if row.id in self.found.own else row.tag_ids
                return ", ".join(sorted(self.tags[number] for number in mine if number in self.tags))
            case "submitted_at":
                at = row.submitted_at
                return at.astimezone(self.zone).replace(tzinfo=None, microsecond=0) if at else ""
            case _:
                value = getattr(row, key)
                return "" if value is None else value

    def speaker(
        self,
        row: SpeakerRow | None,
        place: tuple[int, str, bool | None, bool | None, bool | None] | None,
        key: str,
        tag: str,
    ) -> Cell:
        name = key.removeprefix("speaker.")
        if row is None:
            return ""
        if name == "role":
            return place[1] if place else ""
        if name in CONSENTS:
            return _truth(dict(zip(CONSENTS, place[2:], strict=True))[name] if place else None)
        value = getattr(row, name)
        if isinstance(value, LocalizedText):
            return value.get(tag, "")
        return _truth(value) if isinstance(value, bool) else "" if value is None else value

    def answer(self, one: FieldFacts, said: StoredAnswer | None) -> Cell:
        if said is None:
            return ""
        if said.upload_id is not None:
            return said.filename
        if one.question.kind is FieldKind.NUMBER:
            number: Cell = said.value
            return number
        return in_words(one.question, said.value, locale=self.locale, yes="yes", no="no")

    def answers(self, asked: Sequence[FieldFacts], number: int | None) -> list[Cell]:
        if not asked:
            return []
        given = self.found.answers.get((asked[0].asking.subject, number or 0), {})
        return [self.answer(one, given.get(one.id)) for one in asked]


def _truth(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def proposals_table(found: Everything, *, zone: str, locale: str, shows: bool) -> Table:
    """A line for each speaker of each proposal, and one for a proposal without any."""
    writer = _Writer(found, zone=zone, locale=locale, shows=shows)
    keys = writer.keys(COLUMNS)
    asked, asked_of = writer.questions(Subject.PROPOSAL), writer.questions(Subject.SPEAKER)
    rows: list[list[Cell]] = []
    for row in found.proposals:
        own: dict[tuple[str, str], Cell] = {
            (column.key, tag): writer.proposal(row, column.key, tag)
            for column, tag in keys
            if not column.of_speaker
        }
        answers = writer.answers(asked, row.id)
        for place in row.places or (None,):
            speaker = found.speakers[place[0]] if place else None
            rows.append(
                [
                    *(
                        writer.speaker(speaker, place, column.key, tag)
                        if column.of_speaker
                        else own[column.key, tag]
                        for column, tag in keys
                    ),
                    *answers,
                    *writer.answers(asked_of, speaker.id if speaker else None),
                ]
            )
    titles = [title_of(column, tag, locale) for column, tag in keys]
    return Table([*titles, *writer.question_titles([*asked, *asked_of])], rows)


def speakers_table(found: Everything, *, zone: str, locale: str, shows: bool) -> Table:
    """A line for each speaker; where they speak stands at its end."""
    writer = _Writer(found, zone=zone, locale=locale, shows=shows)
    of_place = {"speaker.role", *(f"speaker.{name}" for name in CONSENTS)}
    keys = writer.keys([one for one in COLUMNS if one.of_speaker and one.key not in of_place])
    asked = writer.questions(Subject.SPEAKER)
    spoken: dict[int, list[str]] = {}
    for row in found.proposals:
        for place in row.places:
            spoken.setdefault(place[0], []).append(row.code)
    rows: list[list[Cell]] = [
        [
            *(writer.speaker(one, None, column.key, tag) for column, tag in keys),
            *writer.answers(asked, one.id),
            ", ".join(spoken.get(one.id, ())),
        ]
        for one in found.speakers.values()
    ]
    titles = [title_of(column, tag, locale) for column, tag in keys]
    last = i18n.gettext_in(locale, N_("Speaks in"))
    return Table([*titles, *writer.question_titles(asked), last], rows)


_HISTORY_TITLES: Final = (
    N_("Proposal code"),
    N_("When"),
    N_("Who"),
    N_("What"),
    N_("Column"),
    N_("Before"),
    N_("After"),
    N_("Reason"),
)


async def _history_table(found: Everything, *, zone: str, locale: str, shows: bool) -> Table:
    lines = await _history(found, shows=shows)
    place = ZoneInfo(zone)
    return Table(
        [i18n.gettext_in(locale, title) for title in _HISTORY_TITLES],
        [
            [
                one["code"],
                one["at"].astimezone(place).replace(tzinfo=None, microsecond=0),
                one["who"],
                one["verb"],
                one["field"],
                _flat(one["old"], locale),
                _flat(one["new"], locale),
                one["reason"],
            ]
            for one in lines
        ],
    )


def _flat(value: Any, locale: str) -> Cell:
    if isinstance(value, dict):
        return LocalizedText.of(value).in_(locale)
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return _truth(value) if isinstance(value, bool) else value


async def _history(found: Everything, *, shows: bool) -> list[dict[str, Any]]:
    """Every line of every proposal's history in its order, but what is not for one's own eyes; two statements."""
    codes = {row.id: row.code for row in found.proposals}
    changes = [
        one
        for one in await cfp_queries.histories(list(codes))
        if not (one[0] in found.own and one[1].verb in INSIDE)
    ]
    names = await actor_names(sorted({one.actor_key for _, one in changes}))
    return [
        {
            "code": codes[number],
            "at": one.at,
            # Who has told no name is known by an address, which is a contact.
            "who": _hidden(names.get(one.actor_key, ""), shows=shows),
            "verb": one.verb,
            "field": one.field,
            "old": _hidden(one.old, shows=shows),
            "new": _hidden(one.new, shows=shows),
            "reason": one.reason,
        }
        for number, one in changes
    ]


def _hidden(value: Any, *, shows: bool) -> Any:
    if not shows and isinstance(value, str) and "@" in value and " " not in value.strip():
        return mask_email(value)
    return value


# --- JSON --------------------------------------------------------------------------------------------------------


def _plain(found: Everything, what: What, *, shows: bool) -> dict[str, Any]:
    """Proposals and speakers with the codes of what they refer to, texts by language, times in UTC."""
    writer = _Writer(found, zone="UTC", locale="en", shows=shows)

    def answers(subject: Subject, number: int) -> dict[str, Any]:
        given = found.answers.get((subject, number), {})
        return {
            one.question.code: said.value if said.upload_id is None else said.filename
            for one in writer.questions(subject)
            if (said := given.get(one.id)) is not None
        }

    plain: dict[str, Any] = {}
    if what is not What.SPEAKERS:
        plain["proposals"] = [
            {
                **{
                    name: getattr(row, name)
                    for name in row.__dataclass_fields__
                    if name not in ("id", "session_type_id", "forum_id", "tag_ids", "places", "pending_state")
                },
                "pending_state": "" if row.id in found.own else row.pending_state,
                "type": writer.proposal(row, "type", ""),
                "forum": writer.proposal(row, "forum", ""),
                "tags": []
                if row.id in found.own
                else sorted(writer.tags[number] for number in row.tag_ids if number in writer.tags),
                "answers": answers(Subject.PROPOSAL, row.id),
                "speakers": [
                    {
                        "code": found.speakers[place[0]].code,
                        "role": place[1],
                        **dict(zip(CONSENTS, place[2:], strict=True)),
                    }
                    for place in row.places
                ],
            }
            for row in found.proposals
        ]
    personal = ("email", "phone", "wants_travel_support", "travel_note")
    plain["speakers"] = [
        {
            **{
                name: getattr(one, name)
                for name in one.__dataclass_fields__
                if name not in ("id", "account_id") and (shows or name not in personal)
            },
            "answers": answers(Subject.SPEAKER, one.id),
        }
        for one in found.speakers.values()
    ]
    return plain


def _call(found: Everything) -> dict[str, Any]:
    """What the call offers and asks; no access codes, which open doors."""
    world = found.world
    call = {
        name: getattr(world.call, name)
        for name in world.call.__dataclass_fields__
        if name not in ("event_id", "speaker_ticket_type_id")
    }
    types = {one.id: one.code for one in world.types}
    forums = {one.id: one.code for one in world.forums}
    return {
        "call": call,
        "session_types": [_without_id(one) for one in world.types],
        "forums": [
            _without_id(one, "producers", "communities")
            | {
                "producers": [_without_id(each, "email") for each in one.producers],
                "communities": [_without_id(each) for each in one.communities],
            }
            for one in world.forums
        ],
        "tags": [_without_id(one) for one in found.tags],
        "questions": [
            {
                **_without_id(one.question, "is_required"),
                "options": [{"code": each.code, "label": dict(each.label)} for each in one.question.options],
                "subject": one.asking.subject,
                "need": one.asking.need,
                "required_after": one.asking.required_after,
                "is_public": one.is_public,
                "for_reviewers": one.for_reviewers,
                "types": sorted(types[number] for number in one.asking.type_ids if number in types),
                "forums": sorted(forums[number] for number in one.asking.forum_ids if number in forums),
            }
            for one in world.fields
        ],
    }


def _without_id(one: Any, *more: str) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__ if name not in ("id", *more)}


# --- pages -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ExportPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_proposals_export.html"
    proposals: int
    shows: bool
    #: (title, what it holds, links by (words, address))
    files: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]
    list_href: str
    import_href: str


async def page(request: Request, door: Door) -> Response:
    slug = door.event.slug
    found = await cfp_queries.list_proposals(door.event.id, cfp_queries.Wanted(forum_ids=door.forum_scope()))

    def links(what: What, *kinds: str) -> list[tuple[str, str]]:
        return [(kind.upper(), render.url(FILE, slug=slug, what=what, kind=kind)) for kind in kinds]

    context = ExportPage(
        **access.frame(door, "agenda.desk.proposals"),
        proposals=sum(found.states.values()),
        shows=door.may(Permission.SEE_PERSONAL),
        files=[
            (
                i18n.gettext("Proposals"),
                i18n.gettext(
                    "A line for each speaker of each proposal, with all answers. It imports again as it is."
                ),
                links(What.PROPOSALS, "xlsx", "csv", "json"),
            ),
            (
                i18n.gettext("Speakers"),
                i18n.gettext("A line for each speaker, and where they speak."),
                links(What.SPEAKERS, "xlsx", "csv", "json"),
            ),
            (
                i18n.gettext("History"),
                i18n.gettext("Who changed what when, from what, to what."),
                links(What.HISTORY, "xlsx", "csv", "json"),
            ),
            (
                i18n.gettext("The whole call"),
                i18n.gettext("Session types, forums, questions, tags, and all of the above in one file."),
                links(What.CALL, "json"),
            ),
        ],
        list_href=render.url("agenda.desk.proposals", slug=slug),
        import_href=render.url("agenda.desk.proposals_import", slug=slug)
        if door.may(Permission.CHANGE_PROPOSALS)
        else "",
    )
    return await render.page(request, context)


_TABLES: Final[Mapping[What, Callable[..., Table]]] = {
    What.PROPOSALS: proposals_table,
    What.SPEAKERS: speakers_table,
}


async def file(request: Request, door: Door) -> Response:
    what = shared.word_of(What, request.path_params["what"])
    kind = request.path_params["kind"]
    if what is None or kind not in _TYPES or (what is What.CALL and kind != "json"):
        raise NotFound()
    shows = door.may(Permission.SEE_PERSONAL)
    found = await cfp_tables.read(door.event.id, actor=door.actor, forum_ids=door.forum_scope())
    if found is None:
        raise NotFound()
    if shows and found.speakers:
        await masking.write_look(door, count=len(found.speakers), at=shared.now())
    body = await _body(door, found, what, kind, shows=shows)
    name = f"{door.event.slug}-{what}.{kind}"
    headers = attachment(name) | {"cache-control": "no-store"}
    return Response(body, media_type=_TYPES[kind], headers=headers)


async def _body(door: Door, found: Everything, what: What, kind: str, *, shows: bool) -> bytes:
    locale, zone = i18n.current_locale(), door.event.time_zone
    if kind == "json":
        plain: dict[str, Any] = {"event": door.event.slug}
        if what is What.CALL:
            plain |= _call(found)
        if what is not What.HISTORY:
            plain |= _plain(found, what, shows=shows)
        if what in (What.HISTORY, What.CALL):
            plain["history"] = await _history(found, shows=shows)
        return orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z, default=dict)
    if what is What.HISTORY:
        table = await _history_table(found, zone=zone, locale=locale, shows=shows)
    else:
        table = _TABLES[what](found, zone=zone, locale=locale, shows=shows)
    if kind == "xlsx":
        return await in_worker(partial(to_xlsx, title=str(what)), table.titles, table.rows)
    return b"".join(to_csv(table.titles, table.rows))


_MAY: Final = Permission.SEE_PROPOSALS
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/proposals/export", page, PAGE, _MAY),
    access.route("/e/{slug}/desk/proposals/export/{what}.{kind}", file, FILE, _MAY),
]
