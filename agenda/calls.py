"""The call as organisers set it up: its dates and words, session types, forums with their people, tags, questions, codes.

Promises: what proposals or answers lean on is never deleted, only switched off; a question that was answered keeps its
kind, and the options that were chosen; a code's uses never fall below what was used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from tortoise.models import Model

from agenda import cfp_queries
from agenda.models import (
    Call,
    CallAnswer,
    CallCode,
    CallCodeOpens,
    CallField,
    CallFieldScope,
    Community,
    Forum,
    ForumCommunity,
    ForumHelper,
    ForumProducer,
    Producer,
    Proposal,
    SessionType,
    Tag,
)
from agenda.proposal_rules import THINGS_AT_MOST, Need, ProposalCode, Subject
from agenda.rules import SessionKind
from events.form_rules import (
    QUESTIONS_AT_MOST,
    FormCode,
    Option,
    QuestionDetails,
    read_address,
)
from events.rules import FieldKind, is_code, is_colour
from events.ticket_rules import fold_code
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal, rules
from people.rules import PeopleCode

NAME_LIMIT: Final = 120
WORDS_LIMIT: Final = 2_000
INTRO_LIMIT: Final = 20_000
#: Languages that talks are given in, as BCP 47 tags.
LANGUAGES: Final = ("zh-Hans", "en", "zh-Hant", "ja", "ko")


def _text_problems(found: dict[str, Problem], name: str, text: LocalizedText, limit: int) -> None:
    if any(len(part) > limit for part in text.values()):
        found[name] = Problem(Code.TOO_LONG, {"limit": limit})


def _name_problems(found: dict[str, Problem], name: LocalizedText) -> None:
    if not any(part.strip() for part in name.values()):
        found["name"] = Problem(Code.REQUIRED)
    _text_problems(found, "name", name, NAME_LIMIT)


# --- the call itself ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetails:
    """What an organiser decides about the call."""

    is_published: bool = False
    intro: LocalizedText = field(default_factory=LocalizedText)
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    review_by: datetime | None = None
    notify_by: datetime | None = None
    confirm_by: datetime | None = None
    slides_due_at: datetime | None = None
    languages: tuple[str, ...] = ("zh-Hans", "en")
    speakers_at_most: int = 5
    proposals_at_most: int = 10
    asks_travel: bool = True
    asks_availability: bool = True
    #: Days until an invited speaker is asked again.
    follow_up_days: int = 3
    #: What a confirmed speaker is registered as; None: the first ticket type for speakers. The page offers this
    #: event's alone.
    speaker_ticket_type_id: int | None = None

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        _text_problems(found, "intro", self.intro, INTRO_LIMIT)
        if self.opens_at and self.closes_at and self.closes_at <= self.opens_at:
            found["closes_at"] = Problem(ProposalCode.WINDOW_REVERSED)
        if not self.languages:
            found["languages"] = Problem(Code.REQUIRED)
        elif set(self.languages) - set(LANGUAGES):
            found["languages"] = Problem(Code.NOT_A_CHOICE)
        for name, most in (("speakers_at_most", 20), ("proposals_at_most", 100), ("follow_up_days", 60)):
            if not 1 <= getattr(self, name) <= most:
                found[name] = Problem(Code.OUT_OF_RANGE)
        return found


async def set_up(*, actor: Actor, event_id: int, details: CallDetails, at: datetime) -> None:
    """Makes the event's call, or changes it. The first time the usual session types come along. Raises Invalid."""
    if problems := details.problems():
        raise Invalid(problems)
    columns = {name: getattr(details, name) for name in CallDetails.__dataclass_fields__}
    columns["languages"] = list(details.languages)
    async with unit_of_work():
        await db.one_at_a_time(f"agenda.call:{event_id}")
        old = await Call.get_or_none(event_id=event_id)
        if old is None:
            await Call.create(event_id=event_id, created_at=at, updated_at=at, **columns)
            for position, (code, kind, zh, en, minutes) in enumerate(USUAL_TYPES, 1):
                await SessionType.create(
                    event_id=event_id,
                    code=code,
                    name=LocalizedText({"zh-Hans": zh, "en": en}),
                    kind=kind,
                    minutes=minutes,
                    position=position,
                    needs_code=code == "keynote",
                )
            touched = ["created"]
        else:
            touched = sorted(name for name, value in columns.items() if getattr(old, name) != value)
            if not touched:
                return
            await Call.filter(event_id=event_id).update(**columns, updated_at=at)
        await journal.write(
            actor=actor,
            verb="call.change",
            object_kind="call",
            object_id=event_id,
            event_id=event_id,
            at=at,
            new={"fields": touched},
        )


#: What an event begins with; the guide's formats and their usual lengths.
USUAL_TYPES: Final = (
    ("keynote", SessionKind.TALK, "主题演讲", "Keynote", 30),
    ("talk", SessionKind.TALK, "技术演讲", "Talk", 30),
    ("case", SessionKind.TALK, "案例分享", "Case study", 30),
    ("panel", SessionKind.PANEL, "圆桌讨论", "Panel", 45),
    ("workshop", SessionKind.WORKSHOP, "工作坊", "Workshop", 90),
    ("lightning", SessionKind.LIGHTNING, "闪电演讲", "Lightning talk", 5),
    ("booth", SessionKind.WORKSHOP, "展位活动", "Booth activity", 60),
)


# --- things with a name ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeDetails:
    code: str
    name: LocalizedText
    minutes: int
    kind: SessionKind = SessionKind.TALK
    description: LocalizedText = field(default_factory=LocalizedText)
    closes_at: datetime | None = None
    needs_code: bool = False
    is_active: bool = True
    position: int = 0

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        _name_problems(found, self.name)
        _text_problems(found, "description", self.description, WORDS_LIMIT)
        if not is_code(self.code):
            found["code"] = Problem(FormCode.CODE_MALFORMED)
        if not 1 <= self.minutes <= 1440:
            found["minutes"] = Problem(Code.OUT_OF_RANGE)
        if not 0 <= self.position <= 10_000:
            found["position"] = Problem(Code.OUT_OF_RANGE)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ForumDetails:
    code: str
    name: LocalizedText
    description: LocalizedText = field(default_factory=LocalizedText)
    colour: str = ""
    needs_code: bool = False
    is_active: bool = True
    position: int = 0
    producer_ids: tuple[int, ...] = ()
    community_ids: tuple[int, ...] = ()
    #: Addresses of those who may enter talks for the producers.
    helpers: tuple[str, ...] = ()

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        _name_problems(found, self.name)
        _text_problems(found, "description", self.description, WORDS_LIMIT)
        if not is_code(self.code):
            found["code"] = Problem(FormCode.CODE_MALFORMED)
        if self.colour and not is_colour(self.colour):
            found["colour"] = Problem(Code.MALFORMED)
        if not 0 <= self.position <= 10_000:
            found["position"] = Problem(Code.OUT_OF_RANGE)
        if len(self.helpers) > 20:
            found["helpers"] = Problem(Code.TOO_LONG, {"limit": 20})
        elif any(rules.read_email(one) is None for one in self.helpers):
            found["helpers"] = Problem(PeopleCode.EMAIL_INVALID)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerDetails:
    name: LocalizedText
    organisation: LocalizedText = field(default_factory=LocalizedText)
    title: LocalizedText = field(default_factory=LocalizedText)
    email: str = ""
    position: int = 0

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        _name_problems(found, self.name)
        _text_problems(found, "organisation", self.organisation, 200)
        _text_problems(found, "title", self.title, NAME_LIMIT)
        if self.email and rules.read_email(self.email) is None:
            found["email"] = Problem(PeopleCode.EMAIL_INVALID)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunityDetails:
    name: LocalizedText
    url: str = ""
    position: int = 0

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        _name_problems(found, self.name)
        if self.url and isinstance(problem := read_address(self.url), Problem):
            found["url"] = problem
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TagDetails:
    code: str
    name: LocalizedText
    colour: str = ""
    is_public: bool = False
    position: int = 0

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        _name_problems(found, self.name)
        if not is_code(self.code):
            found["code"] = Problem(FormCode.CODE_MALFORMED)
        if self.colour and not is_colour(self.colour):
            found["colour"] = Problem(Code.MALFORMED)
        return found


Details = TypeDetails | ForumDetails | ProducerDetails | CommunityDetails | TagDetails
_MODELS: Final[Mapping[type[Any], tuple[type[Model], str]]] = {
    TypeDetails: (SessionType, "session_type"),
    ForumDetails: (Forum, "forum"),
    ProducerDetails: (Producer, "producer"),
    CommunityDetails: (Community, "community"),
    TagDetails: (Tag, "tag"),
}
_NOT_COLUMNS: Final = frozenset({"producer_ids", "community_ids", "helpers"})


async def put(
    *, actor: Actor, event_id: int, details: Details, at: datetime, thing_id: int | None = None
) -> int:
    """Adds a session type, forum, producer, community or tag, or changes the one with this id; gives its id.

    Raises Invalid at a field (``code`` where another one has it), NotFound.
    """
    if problems := details.problems():
        raise Invalid(problems)
    model, kind = _MODELS[type(details)]
    columns = {
        name: getattr(details, name)
        for name in type(details).__dataclass_fields__
        if name not in _NOT_COLUMNS
    }
    async with unit_of_work():
        await db.one_at_a_time(f"agenda.call:{event_id}")
        try:
            async with unit_of_work():
                if thing_id is None:
                    if await model.filter(event_id=event_id).count() >= THINGS_AT_MOST:
                        raise Invalid({"name": Problem(FormCode.OPTIONS_TOO_MANY, {"limit": THINGS_AT_MOST})})
                    row = await model.create(event_id=event_id, **columns)
                    number = int(row.pk)
                else:
                    number = thing_id
                    if not await model.filter(id=number, event_id=event_id).update(**columns):
                        raise NotFound()
        except db.IntegrityError as error:
            raise Invalid({"code": Problem(ProposalCode.CODE_OF_THING_TAKEN)}) from error
        if isinstance(details, ForumDetails):
            await _put_people(actor, event_id, number, details, at)
        verb = f"{kind}.add" if thing_id is None else f"{kind}.change"
        await journal.write(
            actor=actor, verb=verb, object_kind=kind, object_id=number, event_id=event_id, at=at
        )
    return number


async def _put_people(
    actor: Actor, event_id: int, forum_id: int, details: ForumDetails, at: datetime
) -> None:
    known = {one.id for one in await cfp_queries.producers(event_id)}
    groups = {one.id for one in await cfp_queries.communities(event_id)}
    if set(details.producer_ids) - known or set(details.community_ids) - groups:
        raise NotFound()
    await ForumProducer.filter(forum_id=forum_id).delete()
    for position, number in enumerate(details.producer_ids):
        await ForumProducer.create(forum_id=forum_id, producer_id=number, position=position)
    await ForumCommunity.filter(forum_id=forum_id).delete()
    for position, number in enumerate(details.community_ids):
        await ForumCommunity.create(forum_id=forum_id, community_id=number, position=position)
    await put_helpers(actor=actor, forum_id=forum_id, emails=details.helpers, at=at)


async def put_helpers(*, actor: Actor, forum_id: int, emails: Iterable[str], at: datetime) -> None:
    """Names whoever may enter talks of a forum on its producers' behalf; the others may no more."""
    wanted = {address for email in emails if (address := rules.read_email(email)) is not None}
    async with unit_of_work():
        there = {row.email for row in await ForumHelper.filter(forum_id=forum_id)}
        await ForumHelper.filter(forum_id=forum_id, email__in=sorted(there - wanted)).delete()
        for email in sorted(wanted - there):
            await ForumHelper.create(forum_id=forum_id, email=email, actor_key=actor.key, created_at=at)


async def remove(*, actor: Actor, event_id: int, kind: type[Any], thing_id: int, at: datetime) -> None:
    """Deletes a thing that nothing leans on. Raises NotFound, Conflict ``…_in_use``."""
    model, word = _MODELS[kind]
    async with unit_of_work():
        in_use = {
            TypeDetails: ProposalCode.TYPE_IN_USE,
            ForumDetails: ProposalCode.FORUM_IN_USE,
        }.get(kind)
        if in_use is not None:
            column = "session_type_id" if kind is TypeDetails else "forum_id"
            if await Proposal.filter(**{column: thing_id}).exists():
                raise Conflict(in_use)
        if kind is ForumDetails:
            held = await db.query(
                "SELECT id FROM role_grant WHERE event_id = $1 AND scope_kind = 'forum' AND scope_id = $2 LIMIT 1",
                event_id,
                thing_id,
            )
            if held:
                raise Conflict(ProposalCode.FORUM_IN_USE)
        try:
            gone = await model.filter(id=thing_id, event_id=event_id).delete()
        except db.IntegrityError as error:
            raise Conflict(in_use or ProposalCode.TYPE_IN_USE) from error
        if not gone:
            raise NotFound()
        await journal.write(
            actor=actor, verb=f"{word}.remove", object_kind=word, object_id=thing_id, event_id=event_id, at=at
        )


# --- questions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDetails:
    """What an organiser decides about a question of the call."""

    code: str
    subject: Subject
    kind: FieldKind
    label: LocalizedText
    help: LocalizedText = field(default_factory=LocalizedText)
    options: tuple[Option, ...] = ()
    need: Need = Need.OPTIONAL
    required_after: datetime | None = None
    is_public: bool = False
    is_personal: bool = False
    for_reviewers: bool = True
    is_active: bool = True
    type_ids: frozenset[int] = frozenset()
    forum_ids: frozenset[int] = frozenset()

    def problems(self) -> dict[str, Problem]:
        found = QuestionDetails(
            code=self.code, kind=self.kind, label=self.label, help=self.help, options=self.options
        ).problems()
        if self.need is Need.REQUIRED_AFTER and self.required_after is None:
            found["required_after"] = Problem(Code.REQUIRED)
        return found


async def put_field(
    *, actor: Actor, event_id: int, details: FieldDetails, at: datetime, field_id: int | None = None
) -> int:
    """Adds a question, or changes one; gives its id. Raises Invalid at a field, NotFound."""
    if problems := details.problems():
        raise Invalid(problems)
    columns: dict[str, Any] = {
        name: getattr(details, name)
        for name in FieldDetails.__dataclass_fields__
        if name not in ("type_ids", "forum_ids", "options")
    }
    chooses = details.kind in (FieldKind.CHOOSE_ONE, FieldKind.CHOOSE_MANY)
    columns["options"] = (
        [{"code": one.code, "label": dict(one.label)} for one in details.options] if chooses else []
    )
    async with unit_of_work():
        await db.one_at_a_time(f"agenda.call:{event_id}")
        there = await CallField.filter(event_id=event_id)
        if field_id is None and len(there) >= QUESTIONS_AT_MOST:
            raise Invalid({"label": Problem(FormCode.QUESTIONS_TOO_MANY, {"limit": QUESTIONS_AT_MOST})})
        old = next((row for row in there if row.id == field_id), None)
        if field_id is not None and old is None:
            raise NotFound(FormCode.QUESTION_UNKNOWN)
        if any(row.code == details.code and row.id != field_id for row in there):
            raise Invalid({"code": Problem(FormCode.QUESTION_CODE_TAKEN)})
        if old is None:
            position = max((row.position for row in there), default=0) + 1
            number = int((await CallField.create(event_id=event_id, position=position, **columns)).id)
        else:
            await _keep_meaning(old, details)
            number = old.id
            await CallField.filter(id=number).update(**columns)
        await _put_scope(event_id, CallFieldScope, number, details)
        verb = "call_field.add" if old is None else "call_field.change"
        await journal.write(
            actor=actor, verb=verb, object_kind="call_field", object_id=number, event_id=event_id, at=at
        )
    return number


async def _put_scope(
    event_id: int,
    table: type[CallFieldScope | CallCodeOpens],
    number: int,
    details: FieldDetails | CodeDetails,
) -> None:
    """Writes the types and forums that a question is limited to, or that a code opens, in place of the old ones.

    Raises NotFound for one that the event does not have.
    """
    if details.type_ids - {one.id for one in await cfp_queries.session_types(event_id)}:
        raise NotFound(ProposalCode.TYPE_UNKNOWN)
    if details.forum_ids - {row.id for row in await Forum.filter(event_id=event_id)}:
        raise NotFound(ProposalCode.FORUM_UNKNOWN)
    column = "call_field_id" if table is CallFieldScope else "call_code_id"
    of: dict[str, Any] = {column: number}
    await table.filter(**of).delete()
    for type_id in sorted(details.type_ids):
        await table.create(**of, session_type_id=type_id)
    for forum_id in sorted(details.forum_ids):
        await table.create(**of, forum_id=forum_id)


async def _keep_meaning(old: CallField, details: FieldDetails) -> None:
    options = {one["code"] for one in old.options} - {one.code for one in details.options}
    same = old.kind == details.kind and old.subject == details.subject
    if same and not options:
        return
    rows = await db.query(
        "SELECT DISTINCT CAST(value AS TEXT) AS value FROM call_answer WHERE call_field_id = $1", old.id
    )
    if not rows:
        return
    if not same:
        raise Invalid({"kind": Problem(ProposalCode.FIELD_FIXED)})
    chosen: set[str] = set()
    for row in rows:
        value = orjson.loads(row["value"]) if row["value"] is not None else None
        chosen |= set(value) if isinstance(value, list) else {str(value)}
    if options & chosen:
        raise Invalid({"options": Problem(FormCode.OPTION_IN_USE, {"code": min(options & chosen)})})


async def remove_field(*, actor: Actor, event_id: int, field_id: int, at: datetime) -> None:
    """Deletes a question that nobody has answered. Raises NotFound, Conflict ``call_field_answered``."""
    async with unit_of_work():
        if await CallAnswer.filter(call_field_id=field_id).exists():
            raise Conflict(ProposalCode.FIELD_ANSWERED)
        if not await CallField.filter(id=field_id, event_id=event_id).delete():
            raise NotFound(FormCode.QUESTION_UNKNOWN)
        await journal.write(
            actor=actor,
            verb="call_field.remove",
            object_kind="call_field",
            object_id=field_id,
            event_id=event_id,
            at=at,
        )


# --- access codes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDetails:
    """What an organiser decides about an access code; without types and forums it opens the call after its closing."""

    code: str
    note: str = ""
    max_uses: int | None = None
    valid_until: datetime | None = None
    is_active: bool = True
    type_ids: frozenset[int] = frozenset()
    forum_ids: frozenset[int] = frozenset()

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if not is_code(self.code):
            found["code"] = Problem(FormCode.CODE_MALFORMED)
        if len(self.note) > 200:
            found["note"] = Problem(Code.TOO_LONG, {"limit": 200})
        if self.max_uses is not None and not 1 <= self.max_uses <= 100_000:
            found["max_uses"] = Problem(Code.OUT_OF_RANGE)
        return found


async def put_code(
    *, actor: Actor, event_id: int, details: CodeDetails, at: datetime, code_id: int | None = None
) -> int:
    """Adds an access code, or changes one; gives its id.

    Raises Invalid at ``code`` (taken) or ``max_uses`` (below what was used: the database says), NotFound.
    """
    if problems := details.problems():
        raise Invalid(problems)
    columns: dict[str, Any] = {
        "code": fold_code(details.code),
        "note": details.note,
        "max_uses": details.max_uses,
        "valid_until": details.valid_until,
        "is_active": details.is_active,
    }
    async with unit_of_work():
        try:
            async with unit_of_work():
                if code_id is None:
                    number = int((await CallCode.create(event_id=event_id, created_at=at, **columns)).id)
                else:
                    number = code_id
                    if not await CallCode.filter(id=number, event_id=event_id).update(**columns):
                        raise NotFound()
        except db.IntegrityError as error:
            raise await _why(code_id, details) from error
        await _put_scope(event_id, CallCodeOpens, number, details)
        verb = "call_code.add" if code_id is None else "call_code.change"
        await journal.write(
            actor=actor, verb=verb, object_kind="call_code", object_id=number, event_id=event_id, at=at
        )
    return number


async def _why(code_id: int | None, details: CodeDetails) -> Invalid:
    row = await CallCode.get_or_none(id=code_id) if code_id is not None else None
    if row is not None and details.max_uses is not None and row.used > details.max_uses:
        return Invalid({"max_uses": Problem(ProposalCode.USES_BELOW_USED, {"used": row.used})})
    return Invalid({"code": Problem(ProposalCode.CODE_TAKEN)})
