"""What a speaker fills in: who they are, their visit, and the words of a talk. Who may, ``speaker_door`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from agenda import (
    asked_fields,
    cfp_queries,
    proposals,
    speaker_door,
    speaker_queries,
    speakers,
)
from agenda.asked_fields import Given
from agenda.cfp_shown import LANG_BOXES, lang_boxes, language_words, refusal_words
from agenda.proposal_rules import CONSENTS, LIMITS, Subject, lengths, may_edit
from agenda.proposals import Draft
from agenda.speaker_door import ALIVE, PICTURE, PROFILE, TALK, VISIT, Own, back, open_own, private
from agenda.speaker_queries import SpeakerTalk
from agenda.speakers import Said
from agenda.words import CONSENT_QUESTIONS
from events import access, questionnaire
from events.access import Door
from events.contacts import clean_line
from events.desk import shared
from events.form_rules import FILE_QUESTIONS_AT_MOST, FileAnswer, FormCode
from events.questionnaire import QuestionField
from events.rules import Permission
from kernel.errors import Code, Conflict, Forbidden, Invalid, NotFound, Problem, Refusal
from kernel.text import N_, LocalizedText
from people import pictures, uploads
from web import forms, i18n, render
from web.render import FormContext
from web.routing import Entry

# --- who they are ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptFile:
    name: str
    mark: str


@dataclass(frozen=True, kw_only=True)
class ProfilePage(FormContext):
    template: ClassVar[str] = "agenda/speaker_profile.html"
    name: str
    back_href: str
    langs: Sequence[tuple[str, str]]
    picture: KeptFile | None
    picture_src: str
    focuses: Sequence[tuple[str, str]]
    questions: Sequence[QuestionField]
    labels: Mapping[str, str]


#: Which part of a picture stays, in hundredths along its longer edge.
_FOCUSES: Final = (
    ("0", N_("The top of a tall picture, or the left of a wide one")),
    ("25", N_("A little above the middle, or to the left of it")),
    ("50", N_("The middle")),
    ("75", N_("A little below the middle, or to the right of it")),
    ("100", N_("The bottom of a tall picture, or the right of a wide one")),
)
#: A square portrait of so many pixels fits badge, programme and screen; below the least it is blurred in print.
_EDGE, _LEAST = 800, 200
_PICTURE_KEY: Final = "speaker.picture"
_PROFILE_MAX: Final = questionnaire.BODY_MAX + pictures.BYTES_MAX


def _questions_for(own: Own, fields: Sequence[cfp_queries.FieldFacts]) -> Sequence[cfp_queries.FieldFacts]:
    """The questions about speakers that one of the talks asks."""
    alive = [one for one in own.row.talks if one.state in ALIVE]
    return [
        one
        for one in fields
        if any(
            one.asking.asks(type_id=talk.session_type_id, forum_id=talk.forum_id)
            for talk in alive or own.row.talks
        )
    ]


async def profile(request: Request, door: Door) -> Response:
    own = await open_own(request, door)
    facts, event = own.row.facts, door.event
    fields = _questions_for(own, own.world.questions)
    stored = await cfp_queries.answers_of(speaker_ids=[own.id])
    given = asked_fields.stored(fields, stored.get((Subject.SPEAKER, own.id), {}))
    values: dict[str, str] = {"focus": "50"}
    for name, text in (
        ("name", facts.name),
        ("organisation", facts.organisation),
        ("job", facts.title),
        ("bio", facts.bio),
    ):
        values |= shared.spread(name, text)
    problems: dict[str, Problem] = {}
    picture: FileAnswer | None = None
    if request.method == "POST":
        data = await forms.form_data(
            request, max_files=1 + FILE_QUESTIONS_AT_MOST, max_fields=questionnaire.FIELDS_MAX
        )
        values = forms.typed(data)
        given = await asked_fields.read(fields, data, event_id=event.id, actor_key=own.actor.key, at=own.at)
        picture, problems = await _read_picture(own, data)
        await data.close()
        problems = {**problems, **given.problems}
        said = _said(own, values)
        problems = {**_profile_problems(said), **problems}
        if not problems:
            try:
                number = await _square(own, picture, values) if picture else None
                await speaker_door.claimed(own)
                await speakers.keep_profile(
                    actor=own.actor,
                    event_id=event.id,
                    speaker_id=own.id,
                    said=replace(said, picture_upload_id=number),
                    fields=fields,
                    answers=given.answers,
                    at=own.at,
                )
                return back(own, "saved", "#about")
            except Invalid as refusal:
                problems = dict(refusal.fields)
                picture = None if "picture" in problems else picture
    langs = lang_boxes()
    shown = ProfilePage(
        event=access.header(door),
        values=values,
        problems=_at_first_boxes(problems, ("name", "organisation", "job", "bio"), langs),
        name=facts.name.in_(i18n.current_locale()) or i18n.gettext("Without a name yet"),
        back_href=own.base,
        langs=langs,
        picture=KeptFile(picture.filename, questionnaire.mark(event.id, _PICTURE_KEY, picture))
        if picture
        else None,
        picture_src=render.url(PICTURE, slug=event.slug, code=facts.code, v=facts.picture_upload_id)
        if facts.picture_upload_id
        else "",
        focuses=[(value, i18n.gettext(words)) for value, words in _FOCUSES],
        questions=asked_fields.shown(event, fields, given, own.at),
        labels=_labels(fields),
    )
    return private(await render.page(request, shown, 422 if problems else 200))


def _at_first_boxes(
    problems: Mapping[str, Problem], names: Sequence[str], langs: Sequence[tuple[str, str]]
) -> dict[str, Problem]:
    """The summary's link of a text in two languages leads to the reader's own box."""
    return {(f"{name}.{langs[0][0]}" if name in names else name): one for name, one in problems.items()}


def _labels(fields: Sequence[cfp_queries.FieldFacts]) -> dict[str, str]:
    locale = i18n.current_locale()
    texts = {
        "title": i18n.gettext("Title"),
        "abstract": i18n.gettext("Abstract"),
        "description": i18n.gettext("Description"),
        "name": i18n.gettext("Name"),
        "organisation": i18n.gettext("Organisation"),
        "job": i18n.gettext("Position"),
        "bio": i18n.gettext("About you"),
    }
    return {
        **{f"{name}.{tag}": words for name, words in texts.items() for tag, _ in LANG_BOXES},
        "picture": i18n.gettext("Your picture"),
        "equipment": i18n.gettext("Equipment"),
        "notes": i18n.gettext("Notes for the organisers"),
        "language": i18n.gettext("Language of the talk"),
        **{one.question.name: one.question.label.in_(locale) for one in fields},
    }


def _localized(values: Mapping[str, str], name: str, *, line: bool) -> LocalizedText:
    texts = {}
    for tag, _ in LANG_BOXES:
        text = values.get(f"{name}.{tag}", "").replace("\0", "").replace("\r\n", "\n")
        texts[tag] = clean_line(text) if line else text.strip()
    return LocalizedText.of(texts)


def _said(own: Own, values: Mapping[str, str]) -> Said:
    facts = own.row.facts
    return Said(
        name=_localized(values, "name", line=True),
        organisation=_localized(values, "organisation", line=True),
        title=_localized(values, "job", line=True),
        bio=_localized(values, "bio", line=False),
        wants_travel_support=facts.wants_travel_support,
        travel_note=facts.travel_note,
    )


def _profile_problems(said: Said) -> dict[str, Problem]:
    found = lengths(
        {"name": said.name, "organisation": said.organisation, "job": said.title, "bio": said.bio}
    )
    if not any(part.strip() for part in said.name.values()):
        found["name"] = Problem(Code.REQUIRED)
    return found


async def _read_picture(own: Own, data: FormData) -> tuple[FileAnswer | None, dict[str, Problem]]:
    got = await questionnaire.read_file(
        data,
        "picture",
        event_id=own.door.event.id,
        key=_PICTURE_KEY,
        actor_key=own.actor.key,
        at=own.at,
        pictures_only=True,
    )
    return (None, {"picture": got}) if isinstance(got, Problem) else (got, {})


async def _square(own: Own, picture: FileAnswer, values: Mapping[str, str]) -> int:
    """The chosen part of a picture as a square of our own, waiting to be kept; the whole one goes."""
    try:
        whole, _ = await uploads.read(picture.upload_id)
    except NotFound:
        raise Invalid({"picture": Problem(FormCode.FILE_GONE)}) from None
    focus = shared.whole_id(values.get("focus"))
    made = await pictures.clean(
        whole, field="picture", edge=_EDGE, least=_LEAST, focus=50 if focus is None else min(focus, 100)
    )
    return await uploads.keep(
        data=made.data,
        filename=made.filename,
        event_id=own.door.event.id,
        actor_key=own.actor.key,
        at=own.at,
        keep_until=own.at + timedelta(hours=1),
    )


async def picture(request: Request, door: Door) -> Response:
    own = await open_own(request, door)
    if own.row.facts.picture_upload_id is None:
        raise NotFound()
    data, _ = await uploads.read(own.row.facts.picture_upload_id)
    kind = pictures.kind_of(data)
    if not kind:
        raise NotFound()
    return private(Response(data, media_type=kind))


# --- the visit ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class VisitPage(FormContext):
    template: ClassVar[str] = "agenda/speaker_visit.html"
    name: str
    back_href: str
    zone: str
    asks_travel: bool


_YES_NO: Final[Mapping[str, bool]] = {"yes": True, "no": False}
_TYPED_AS: Final[Mapping[bool | None, str]] = {True: "yes", False: "no", None: ""}
_NOTES: Final[Mapping[str, int]] = {
    "arrival_note": 500,
    "hotel_note": 500,
    "pick_up_note": 500,
    "travel_note": LIMITS["travel_note"],
}
_SAID_YES: Final = ("wants_hotel", "wants_pick_up", "wants_travel_support")


def read_visit(values: Mapping[str, str], zone: str) -> tuple[dict[str, Any], dict[str, Problem]]:
    """A visit out of a form, and what is wrong with it; for the speaker's page and for the desk."""
    read = shared.Reader(values, zone)
    columns: dict[str, Any] = {name: read.moment(name) for name in ("arrives_at", "leaves_at")}
    for name, limit in _NOTES.items():
        columns[name] = values.get(name, "").replace("\0", "").replace("\r\n", "\n").strip()
        if len(columns[name]) > limit:
            read.wrong(name, Code.TOO_LONG, limit=limit)
    columns |= {name: _YES_NO.get(values.get(name, "")) for name in _SAID_YES}
    return columns, read.problems


def visit_values(
    visit: speaker_queries.VisitFacts, facts: cfp_queries.SpeakerFacts, zone: str
) -> dict[str, str]:
    return {
        "arrives_at": shared.wall_clock(visit.arrives_at, zone),
        "leaves_at": shared.wall_clock(visit.leaves_at, zone),
        "arrival_note": visit.arrival_note,
        "hotel_note": visit.hotel_note,
        "pick_up_note": visit.pick_up_note,
        "travel_note": facts.travel_note,
        "wants_hotel": _TYPED_AS[visit.wants_hotel],
        "wants_pick_up": _TYPED_AS[visit.wants_pick_up],
        "wants_travel_support": _TYPED_AS[facts.wants_travel_support],
    }


async def visit(request: Request, door: Door) -> Response:
    own = await open_own(request, door)
    facts, zone = own.row.facts, door.event.time_zone
    values: Mapping[str, str] = visit_values(own.row.visit, facts, zone)
    problems: Mapping[str, Problem] = {}
    asks_travel = own.world.call is None or own.world.call.asks_travel
    if request.method == "POST":
        values = forms.typed(await forms.form_data(request))
        columns, problems = read_visit(values, zone)
        if not asks_travel:
            columns = {name: columns[name] for name in columns if not name.startswith(("travel", "wants_t"))}
        if not problems:
            try:
                await speaker_door.claimed(own)
                await speakers.change_visit(
                    actor=own.actor, event_id=door.event.id, speaker_id=own.id, columns=columns, at=own.at
                )
                return back(own, "saved", "#visit")
            except Invalid as refusal:
                problems = refusal.fields
    shown = VisitPage(
        event=access.header(door),
        values=values,
        problems=problems,
        name=facts.name.in_(i18n.current_locale()) or i18n.gettext("Without a name yet"),
        back_href=own.base,
        zone=zone,
        asks_travel=asks_travel,
    )
    return private(await render.page(request, shown, 422 if problems else 200))


# --- a talk ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TalkPage(FormContext):
    template: ClassVar[str] = "agenda/speaker_talk.html"
    title: str
    name: str
    back_href: str
    form_id: str
    version: str
    langs: Sequence[tuple[str, str]]
    languages: Sequence[tuple[str, str]]
    questions: Sequence[QuestionField]
    #: (name, words) of what may be published
    consents: Sequence[tuple[str, str]]
    labels: Mapping[str, str]
    said: tuple[str, str] | None = None


async def talk(request: Request, door: Door) -> Response:
    """The words of a talk, its questions, and what may be published of it."""
    own = await open_own(request, door)
    mine = own.talk(request.path_params["talk"])
    at_hand = await proposals.world(door.event.id)
    old = await cfp_queries.find_proposal_by_id(mine.proposal_id)
    if at_hand is None or old is None or not may_edit(old.state, who=own.who(mine), call_open=False):
        raise NotFound()
    fields = [
        one
        for one in at_hand.asked(Subject.PROPOSAL)
        if one.asking.asks(type_id=old.session_type_id, forum_id=old.forum_id)
    ]
    answers = await cfp_queries.answers_of(proposal_ids=[old.id])
    given = asked_fields.stored(fields, answers.get((Subject.PROPOSAL, old.id), {}))
    values: dict[str, str] = {
        "language": old.language,
        "equipment": old.equipment,
        "notes": old.notes,
        **{name: _TYPED_AS[answered] for name, answered in zip(CONSENTS, mine.allows, strict=True)},
    }
    for name, text in (("title", old.title), ("abstract", old.abstract), ("description", old.description)):
        values |= shared.spread(name, text)
    problems: Mapping[str, Problem] = {}
    said: tuple[str, str] | None = None
    form_id, version, status = uuid4(), old.version, 200
    if request.method == "POST":
        data = await forms.form_data(
            request, max_files=FILE_QUESTIONS_AT_MOST, max_fields=questionnaire.FIELDS_MAX
        )
        values, form_id = forms.typed(data), forms.form_id(forms.typed(data))
        version = shared.whole_id(values.get("version")) or 0
        given = await asked_fields.read(
            fields, data, event_id=door.event.id, actor_key=own.actor.key, at=own.at
        )
        await data.close()
        draft = _draft(old, values, given)
        problems = {**draft.problems(), **given.problems}
        if values.get("language") and values["language"] not in at_hand.call.languages:
            problems = {**problems, "language": Problem(Code.NOT_A_CHOICE)}
        if not problems:
            refusal = await _keep_talk(
                own,
                mine,
                at_hand=at_hand,
                draft=draft,
                values=values,
                form_id=form_id,
                version=version,
            )
            if refusal is None:
                return back(own, "saved", "#talks")
            status, problems = refusal.status, getattr(refusal, "fields", {})
            if not problems:
                # A fresh UUID and the other's version: the next press is meant.
                said = ("stop", refusal_words(refusal))
                form_id, version = uuid4(), int(refusal.params.get("version", version))
        else:
            status = Invalid.status
    langs = lang_boxes()
    shown = TalkPage(
        event=access.header(door),
        values=values,
        problems=_at_first_boxes(problems, ("title", "abstract", "description"), langs),
        title=old.title.in_(i18n.current_locale()) or i18n.gettext("Without a title yet"),
        name=own.row.facts.name.in_(i18n.current_locale()),
        back_href=own.base,
        form_id=str(form_id),
        version=str(version),
        langs=langs,
        languages=[(tag, language_words(tag)) for tag in at_hand.call.languages],
        questions=asked_fields.shown(door.event, fields, given, own.at),
        consents=[
            (name, i18n.gettext(words)) for name, words in zip(CONSENTS, CONSENT_QUESTIONS, strict=True)
        ],
        labels=_labels(fields),
        said=said,
    )
    return private(await render.page(request, shown, status))


def _draft(old: cfp_queries.ProposalFacts, values: Mapping[str, str], given: Given) -> Draft:
    """The talk as it was, with the words that this form shows in place of the old ones."""

    def text(name: str) -> str:
        return values.get(name, "").replace("\0", "").replace("\r\n", "\n").strip()

    return Draft(
        title=_localized(values, "title", line=True),
        abstract=_localized(values, "abstract", line=False),
        description=_localized(values, "description", line=False),
        language=values.get("language", ""),
        equipment=text("equipment"),
        notes=text("notes"),
        answers=given.answers,
        **{
            name: getattr(old, name)
            for name in (
                "session_type_id",
                "forum_id",
                "minutes",
                "level",
                "audience",
                "takeaways",
                "previous_talks",
            )
        },
    )


async def _keep_talk(
    own: Own,
    mine: SpeakerTalk,
    *,
    at_hand: proposals.World,
    draft: Draft,
    values: Mapping[str, str],
    form_id: UUID,
    version: int,
) -> Refusal | None:
    """Saves a talk's words and consents; gives what refused them."""
    await speaker_door.claimed(own)
    allows = (
        _YES_NO.get(values.get(CONSENTS[0], "")),
        _YES_NO.get(values.get(CONSENTS[1], "")),
        _YES_NO.get(values.get(CONSENTS[2], "")),
    )
    try:
        await proposals.save(
            actor=own.actor,
            event_id=own.door.event.id,
            at_hand=at_hand,
            draft=draft,
            form_id=form_id,
            locale=i18n.current_locale(),
            at=own.at,
            proposal_id=mine.proposal_id,
            version=version,
            who=own.who(mine),
        )
        await speakers.allow(
            actor=own.actor, proposal_id=mine.proposal_id, speaker_id=own.id, said=allows, at=own.at
        )
    except (Invalid, Conflict, Forbidden) as refusal:
        return refusal
    return None


_ANY: Final = Permission.VIEW_PUBLIC
_BOTH: Final = ("GET", "POST")
_P: Final = "/e/{slug}/speaker/{code}"
ROUTES: list[Entry] = [
    access.route(f"{_P}/profile", profile, PROFILE, _ANY, _BOTH, body_max=_PROFILE_MAX),
    access.route(f"{_P}/visit", visit, VISIT, _ANY, _BOTH),
    access.route(f"{_P}/picture", picture, PICTURE, _ANY),
    access.route(f"{_P}/talks/{{talk}}", talk, TALK, _ANY, _BOTH, body_max=questionnaire.BODY_MAX),
]
