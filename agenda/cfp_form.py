"""The form: a proposal written on a phone, kept whatever happens, and handed in.

Nobody has to sign in to type. What is sent without a sign-in waits for the same browser (``kept_forms``) and stands on
the form again when the code has been entered. The form's UUID makes two presses one proposal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_queries, joining, kept_forms, proposals, resources, standing
from agenda.cfp_queries import FieldFacts, ProposalFacts, StoredAnswer
from agenda.cfp_shown import (
    CALL,
    EDIT,
    LANG_BOXES,
    ONE,
    call_window,
    lang_boxes,
    language_words,
    look_at_code,
    new_href,
    open_call,
    own_proposal,
)
from agenda.proposal_rules import (
    CONSENTS,
    CallWindow,
    JoinState,
    Level,
    ProposalCode,
    ProposalState,
    Span,
    Subject,
    Who,
    may_edit,
)
from agenda.proposals import Draft, World
from agenda.speakers import Said
from agenda.words import LEVEL_WORDS
from events import access, form_rules, questionnaire
from events.access import Door
from events.desk import shared
from events.form_rules import FileAnswer
from events.questionnaire import QuestionField
from events.rules import EventFacts, FieldKind, Permission
from kernel import codes
from kernel.errors import Code, Conflict, Forbidden, Invalid, Problem, TooMany
from kernel.text import LOCALES, LocalizedText
from people import limits
from people import rules as people_rules
from people.rules import Limit, PeopleCode
from web import forms, i18n, render, signin
from web.render import FormContext
from web.routing import Entry

#: Says which browser typed a form that waits for its sign-in.
FORM_COOKIE: Final = "huiwu_form"


#: Forms of one network that wait for a sign-in, in an hour.
KEPT: Final = Limit("cfp_kept_form", 120, timedelta(hours=1), is_network=True)
#: A picture, a file, and five questions that take one.
FILES_MAX: Final = 2 + form_rules.FILE_QUESTIONS_AT_MOST


BODY_MAX: Final = (FILES_MAX * form_rules.FILE_MAX_MB + 1) * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AskedField:
    """A question of the organisers' own, with the types and forums that are asked."""

    field: QuestionField
    types: str
    forums: str
    is_asked: bool


@dataclass(frozen=True, slots=True)
class DayField:
    """One day of the event, as somebody says when they are there."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that is here already, under its sealed mark."""

    name: str
    mark: str


@dataclass(frozen=True, kw_only=True)
class FormPage(FormContext):
    template: ClassVar[str] = "agenda/cfp_form.html"
    typed_form: str = "f-call"
    heading: str
    form_id: str
    version: str
    action: str
    back_href: str
    langs: Sequence[tuple[str, str]]
    types: Sequence[tuple[str, str, str]]
    forums: Sequence[tuple[str, str]]
    languages: Sequence[tuple[str, str]]
    levels: Sequence[tuple[str, str]]
    questions: Sequence[AskedField]
    speaker_questions: Sequence[AskedField]
    days: Sequence[DayField]
    asks_travel: bool
    #: Whether the sender speaks in it: then they say who they are and what they allow.
    is_speaker: bool
    is_draft: bool
    is_open: bool
    is_signed_in: bool
    has_codes: bool
    picture: KeptFile | None
    picture_src: str
    file: KeptFile | None
    speakers_left: int
    labels: Mapping[str, str]
    #: (kind, words) above the form
    said: tuple[str, str] | None = None
    closed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """A posted form, read: clean values, what must be shown again, and what is wrong."""

    values: Mapping[str, str]
    many: Mapping[str, Sequence[str]]
    draft: Draft
    emails: Sequence[str] = ()
    link: tuple[str, str] = ("", "")
    file: FileAnswer | None = None
    picture: FileAnswer | None = None
    answers: Mapping[int, FileAnswer] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)


def _event_days(event: EventFacts) -> Sequence[date]:
    # A conference lasts a few days; one that runs for weeks asks nobody for all of them.
    span = min((event.ends_on - event.starts_on).days + 1, 10)
    return [event.starts_on + timedelta(days=number) for number in range(span)]


def _localized(values: Mapping[str, str], name: str, *, line: bool) -> LocalizedText:
    texts = {}
    for tag, _ in LANG_BOXES:
        text = values.get(f"{name}.{tag}", "").replace("\0", "").replace("\r\n", "\n").strip()
        texts[tag] = " ".join(text.split()) if line else text
    return LocalizedText.of(texts)


def _said_yes(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(text)


def _clock(text: str) -> time | None:
    try:
        return time.fromisoformat(text)
    except ValueError:
        return None


def _availability(
    values: Mapping[str, str], event: EventFacts, problems: dict[str, Problem]
) -> list[Span] | None:
    """When somebody is there, out of a line for each day: not at all, or from and until, or all of it."""
    if not values.get("days"):
        return None
    zone, found = ZoneInfo(event.time_zone), []
    for day in _event_days(event):
        key = f"day.{day.isoformat()}"
        if values.get(f"{key}.off"):
            continue
        begins, ends = time(0, 0), None
        for part in ("from", "until"):
            text = values.get(f"{key}.{part}", "").strip()
            if text and (clock := _clock(text)) is None:
                problems[f"{key}.{part}"] = Problem("not_a_clock")
            elif text and part == "from":
                begins = clock or begins
            elif text:
                ends = clock
        start = datetime.combine(day, begins, zone)
        end = (
            datetime.combine(day, ends, zone)
            if ends
            else datetime.combine(day + timedelta(days=1), time(0, 0), zone)
        )
        if end <= start:
            problems.setdefault(f"{key}.until", Problem(ProposalCode.WINDOW_REVERSED))
            continue
        found.append((start.astimezone(UTC), end.astimezone(UTC)))
    return found


async def _read(door: Door, at_hand: World, data: FormData, *, is_speaker: bool, at: datetime) -> _Typed:
    """Reads a posted form; files that are well are kept at once, pending."""
    event = door.event
    values = forms.typed(data)
    many = {name: [item for item in data.getlist(name) if isinstance(item, str)] for name in data}
    problems: dict[str, Problem] = {}

    def number(name: str) -> int | None:
        text = values.get(name, "").strip()
        found = shared.whole_id(text)
        if text and found is None:
            problems[name] = Problem(Code.NOT_A_CHOICE if name != "minutes" else Code.NOT_A_NUMBER)
        return found

    kind, forum = number("session_type"), number("forum")
    minutes = number("minutes")
    language, level = values.get("language", ""), values.get("level", "")
    if language and language not in at_hand.call.languages:
        problems["language"], language = Problem(Code.NOT_A_CHOICE), ""
    if level and level not in tuple(Level):
        problems["level"], level = Problem(Code.NOT_A_CHOICE), ""
    keep: dict[str, Any] = {"event_id": event.id, "actor_key": door.actor.key, "at": at}
    answers, files = await _read_answers(at_hand, data, (kind, forum), problems, keep)
    picture = file = None
    if is_speaker:
        got = await questionnaire.read_file(data, "picture", key="cfp.picture", pictures_only=True, **keep)
        if isinstance(got, Problem):
            problems["picture"] = got
        else:
            picture = got
    got = await questionnaire.read_file(data, "file", key="cfp.file", **keep)
    if isinstance(got, Problem):
        problems["file"] = got
    else:
        file = got
    await data.close()
    url = values.get("link_url", "").strip()
    if url and isinstance(wrong := form_rules.read_address(url), Problem):
        problems["link_url"] = wrong
    emails, bad = _emails(values.get("co_speakers", ""))
    if bad:
        problems["co_speakers"] = Problem(PeopleCode.EMAIL_INVALID)
    said = None
    if is_speaker:
        said = Said(
            name=_localized(values, "name", line=True),
            organisation=_localized(values, "organisation", line=True),
            title=_localized(values, "job", line=True),
            bio=_localized(values, "bio", line=False),
            picture_upload_id=picture.upload_id if picture else None,
            availability=_availability(values, event, problems),
            wants_travel_support=_said_yes(values.get("travel", "")),
            travel_note=values.get("travel_note", "").strip(),
        )
    draft = Draft(
        title=_localized(values, "title", line=True),
        abstract=_localized(values, "abstract", line=False),
        description=_localized(values, "description", line=False),
        session_type_id=kind,
        forum_id=forum,
        minutes=minutes,
        language=language,
        level=level,
        **{
            name: values.get(name, "").replace("\r\n", "\n").strip()
            for name in ("audience", "takeaways", "previous_talks", "equipment", "notes")
        },
        code=values.get("code", ""),
        answers=answers[Subject.PROPOSAL],
        said=said,
        speaker_answers=answers[Subject.SPEAKER],
        allows=(
            _said_yes(values.get(CONSENTS[0], "")),
            _said_yes(values.get(CONSENTS[1], "")),
            _said_yes(values.get(CONSENTS[2], "")),
        ),
    )
    return _Typed(
        values=values,
        many=many,
        draft=draft,
        emails=emails,
        link=(url, values.get("link_title", "").strip()),
        file=file,
        picture=picture,
        answers=files,
        problems={**draft.problems(), **problems},
    )


async def _read_answers(
    at_hand: World,
    data: FormData,
    chosen: tuple[int | None, int | None],
    problems: dict[str, Problem],
    keep: Mapping[str, Any],
) -> tuple[Mapping[Subject, Mapping[int, Any]], Mapping[int, FileAnswer]]:
    """What was answered to the questions that this type and forum are asked, by subject; and the files among them."""
    answers: dict[Subject, dict[int, Any]] = {Subject.PROPOSAL: {}, Subject.SPEAKER: {}}
    files: dict[int, FileAnswer] = {}
    for one in at_hand.fields:
        if one.asking.subject not in answers or not one.asking.asks(type_id=chosen[0], forum_id=chosen[1]):
            continue
        if one.question.kind is FieldKind.FILE:
            value: Any = await questionnaire.read_file(data, one.question.name, key=f"call.{one.id}", **keep)
            if isinstance(value, FileAnswer):
                files[one.id] = value
        else:
            value = form_rules.read_answer(
                one.question, [text for text in data.getlist(one.question.name) if isinstance(text, str)]
            )
        if isinstance(value, Problem):
            problems[one.question.name] = value
        elif value is not None:
            answers[one.asking.subject][one.id] = value
    return answers, files


def _emails(text: str) -> tuple[list[str], bool]:
    """Addresses, one a line or divided by commas, and whether one of them is none."""
    parts = [part for part in text.replace("，", "\n").replace(",", "\n").replace(";", "\n").split() if part]
    found = [people_rules.read_email(part) for part in parts[:20]]
    return [one for one in found if one is not None], None in found or len(parts) > 20


async def _form(
    request: Request,
    door: Door,
    at_hand: World,
    *,
    proposal: ProposalFacts | None,
    values: Mapping[str, str],
    many: Mapping[str, Sequence[str]],
    form_id: str = "",
    version: int | None = None,
    picture: FileAnswer | None = None,
    file: FileAnswer | None = None,
    answers: Mapping[int, FileAnswer] | None = None,
    problems: Mapping[str, Problem] | None = None,
    said: tuple[str, str] | None = None,
    status: int = 200,
) -> Response:
    event, locale, at = door.event, i18n.current_locale(), datetime.now(UTC)
    own = proposal.speaker_of(door.actor.id) if proposal and door.actor.id else None
    is_speaker = proposal is None or own is not None
    stored: Mapping[tuple[Subject, int], Mapping[int, StoredAnswer]] = {}
    if proposal is not None:
        stored = await cfp_queries.answers_of(
            proposal_ids=[proposal.id], speaker_ids=[own.speaker.id] if own else []
        )
    kind, forum = shared.whole_id(values.get("session_type")), shared.whole_id(values.get("forum"))

    def asked(subject: Subject, number: int | None) -> Sequence[AskedField]:
        there = stored.get((subject, number or 0), {})
        return [
            _asked_field(
                event,
                one,
                values=many.get(one.question.name, ()),
                file=(answers or {}).get(one.id) or _stored_file(there.get(one.id)),
                is_asked=one.asking.asks(type_id=kind, forum_id=forum),
                at=at,
            )
            for one in at_hand.asked(subject)
        ]

    questions = asked(Subject.PROPOSAL, proposal.id if proposal else None)
    speaker_questions = asked(Subject.SPEAKER, own.speaker.id if own else None) if is_speaker else ()
    langs = lang_boxes()
    shown = dict(problems or {})
    for name in ("title", "abstract", "description", "name", "organisation", "job", "bio"):
        if name in shown:
            # The summary's link leads to the first box.
            shown = {
                (f"{name}.{langs[0][0]}" if key == name else key): problem for key, problem in shown.items()
            }
    picture_src = ""
    if own is not None and own.speaker.picture_upload_id is not None:
        picture_src = render.url(
            "agenda.cfp.picture", slug=event.slug, code=proposal.code if proposal else ""
        )
    taken = (
        len(proposal.speakers)
        + sum(one.state in (JoinState.OPEN, JoinState.PARKED) for one in proposal.invitations)
        if proposal
        else 1
    )
    page = FormPage(
        **access.frame(door, CALL),
        heading=(proposal.title.in_(locale) if proposal else "") or i18n.gettext("Your proposal"),
        form_id=form_id or str(uuid4()),
        version=str(version if version is not None else proposal.version if proposal else ""),
        action=render.url(EDIT, slug=event.slug, code=proposal.code) if proposal else new_href(door),
        back_href=render.url(ONE, slug=event.slug, code=proposal.code)
        if proposal
        else render.url(CALL, slug=event.slug),
        langs=langs,
        types=_type_choices(at_hand, proposal, event, at),
        forums=[
            (
                str(one.id),
                one.name.in_(locale)
                + (f" · {i18n.gettext('with an access code')}" if one.needs_code else ""),
            )
            for one in at_hand.forums
            if one.is_active or (proposal is not None and proposal.forum_id == one.id)
        ],
        languages=[(tag, language_words(tag)) for tag in at_hand.call.languages],
        levels=[(str(one), i18n.gettext(LEVEL_WORDS[one])) for one in Level],
        questions=questions,
        speaker_questions=speaker_questions,
        days=[DayField(f"day.{day.isoformat()}", render.day(day)) for day in _event_days(event)]
        if at_hand.call.asks_availability
        else (),
        asks_travel=at_hand.call.asks_travel,
        is_speaker=is_speaker,
        is_draft=proposal is None or proposal.state is ProposalState.DRAFT,
        is_open=call_window(at_hand, at) is CallWindow.OPEN,
        is_signed_in=door.actor.signed_in,
        has_codes=bool(await cfp_queries.codes(event.id)) or bool(values.get("code")),
        picture=_kept(event, "cfp.picture", picture),
        picture_src=picture_src,
        file=_kept(event, "cfp.file", file),
        speakers_left=max(0, at_hand.call.speakers_at_most - taken),
        labels=labels_of(langs, [*questions, *speaker_questions]),
        said=said,
        closed=render.problem_text(shown.get("call")),
        values=values,
        problems=shown,
    )
    return await render.page(request, page, status)


def _kept(event: EventFacts, key: str, file: FileAnswer | None) -> KeptFile | None:
    return KeptFile(file.filename, questionnaire.mark(event.id, key, file)) if file else None


def _type_choices(
    at_hand: World, proposal: ProposalFacts | None, event: EventFacts, at: datetime
) -> Sequence[tuple[str, str, str]]:
    """(value, words, what to know) for the radio buttons."""
    locale, found = i18n.current_locale(), []
    for one in at_hand.types:
        if not one.is_active and (proposal is None or proposal.session_type_id != one.id):
            continue
        notes = [i18n.ngettext("%(num)d minute", "%(num)d minutes", one.minutes) % {"num": one.minutes}]
        if one.needs_code:
            notes.append(i18n.gettext("with an access code"))
        if one.closes_at is not None:
            when = render.moment(one.closes_at, event.time_zone)
            notes.append(
                i18n.gettext("Closed on %(when)s") % {"when": when}
                if one.closes_at <= at
                else i18n.gettext("Until %(when)s") % {"when": when}
            )
        notes.append(one.description.in_(locale))
        found.append((str(one.id), one.name.in_(locale), " · ".join(note for note in notes if note)))
    return found


def _stored_file(stored: StoredAnswer | None) -> FileAnswer | None:
    """A file that is the answer already, under a digest that is its own upload's."""
    if stored is None or stored.upload_id is None:
        return None
    return FileAnswer(stored.upload_id, stored.filename, f"upload-{stored.upload_id}")


def _asked_field(
    event: EventFacts,
    one: FieldFacts,
    *,
    values: Sequence[str],
    file: FileAnswer | None,
    is_asked: bool,
    at: datetime,
) -> AskedField:
    question, asking, locale = one.question, one.asking, i18n.current_locale()
    choices = [(option.code, option.label.in_(locale)) for option in question.options]
    if question.kind is FieldKind.YES_NO:
        choices = [("yes", i18n.gettext("Yes")), ("no", i18n.gettext("No"))]
    return AskedField(
        QuestionField(
            id=question.id,
            name=question.name,
            kind=str(question.kind),
            label=question.label.in_(locale),
            help=question.help.in_(locale),
            is_required=asking.is_required(at),
            choices=choices,
            values=values,
            kept=questionnaire.mark(event.id, f"call.{question.id}", file) if file else "",
            kept_name=file.filename if file else "",
        ),
        types=" ".join(str(number) for number in sorted(asking.type_ids)),
        forums=" ".join(str(number) for number in sorted(asking.forum_ids)),
        is_asked=is_asked,
    )


def labels_of(langs: Sequence[tuple[str, str]], questions: Sequence[AskedField]) -> dict[str, str]:
    texts = {
        "title": i18n.gettext("Title"),
        "abstract": i18n.gettext("Abstract"),
        "description": i18n.gettext("Description"),
        "name": i18n.gettext("Name"),
        "organisation": i18n.gettext("Organisation"),
        "job": i18n.gettext("Position"),
        "bio": i18n.gettext("About you"),
    }
    found = {f"{name}.{tag}": words for name, words in texts.items() for tag, _ in langs}
    return found | {
        "call": i18n.gettext("Call for proposals"),
        "session_type": i18n.gettext("Kind of session"),
        "forum": i18n.gettext("Forum"),
        "minutes": i18n.gettext("Length in minutes"),
        "language": i18n.gettext("Language of the talk"),
        "level": i18n.gettext("Level"),
        "audience": i18n.gettext("For whom it is"),
        "takeaways": i18n.gettext("What people take home"),
        "previous_talks": i18n.gettext("Talks you gave before"),
        "equipment": i18n.gettext("Equipment"),
        "notes": i18n.gettext("Notes for the organisers"),
        "code": i18n.gettext("Access code"),
        "co_speakers": i18n.gettext("Other speakers"),
        "link_url": i18n.gettext("Link"),
        "link_title": i18n.gettext("Its title"),
        "file": i18n.gettext("File"),
        "picture": i18n.gettext("Your picture"),
        "travel": i18n.gettext("Travel support"),
        "travel_note": i18n.gettext("About your travel"),
        CONSENTS[0]: i18n.gettext("Slides"),
        CONSENTS[1]: i18n.gettext("Photographs"),
        CONSENTS[2]: i18n.gettext("Video recording"),
        **{one.field.name: one.field.label for one in questions},
    }


def _person_values(said: cfp_queries.SpeakerFacts | cfp_queries.ProfileFacts) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, text in (
        ("name", said.name),
        ("organisation", said.organisation),
        ("job", said.title),
        ("bio", said.bio),
    ):
        values |= shared.spread(name, text)
    return values


async def _own_values(door: Door, at_hand: World) -> dict[str, str]:
    """What the form knows of somebody who begins: their speaker of this event, else their profile, else their name."""
    values: dict[str, str] = {}
    if door.actor.id and not door.actor.token_id and door.actor.signed_in:
        profile = await cfp_queries.find_profile(door.actor.id)
        if profile is not None:
            values |= _person_values(profile)
        elif door.actor.name:
            values[f"name.{i18n.current_locale()}"] = door.actor.name
    active = [one for one in at_hand.types if one.is_active and not one.needs_code]
    if len(active) == 1:
        values["session_type"] = str(active[0].id)
    if len(at_hand.call.languages) == 1:
        values["language"] = at_hand.call.languages[0]
    return values


async def _stored_values(
    door: Door, at_hand: World, proposal: ProposalFacts
) -> tuple[dict[str, str], dict[str, Sequence[str]]]:
    """A proposal as the form shows it again."""
    values: dict[str, str] = {
        "session_type": str(proposal.session_type_id or ""),
        "forum": str(proposal.forum_id or ""),
        "minutes": str(proposal.minutes or ""),
        "language": proposal.language,
        "level": proposal.level,
        "audience": proposal.audience,
        "takeaways": proposal.takeaways,
        "previous_talks": proposal.previous_talks,
        "equipment": proposal.equipment,
        "notes": proposal.notes,
    }
    for name, text in (
        ("title", proposal.title),
        ("abstract", proposal.abstract),
        ("description", proposal.description),
    ):
        values |= shared.spread(name, text)
    if proposal.call_code_id is not None:
        code = await cfp_queries.find_code(proposal.event_id, code_id=proposal.call_code_id)
        values["code"] = code.code if code else ""
    own = proposal.speaker_of(door.actor.id)
    if own is not None:
        speaker = own.speaker
        values |= _person_values(speaker)
        values["travel"] = {True: "yes", False: "no", None: ""}[speaker.wants_travel_support]
        values["travel_note"] = speaker.travel_note
        for name, said in zip(CONSENTS, own.allows, strict=True):
            values[name] = {True: "yes", False: "no", None: ""}[said]
        values |= _day_values(door.event, speaker.availability)
    stored = await cfp_queries.answers_of(
        proposal_ids=[proposal.id], speaker_ids=[own.speaker.id] if own else []
    )
    many: dict[str, Sequence[str]] = {}
    for one in at_hand.fields:
        for (subject, _), answers in stored.items():
            answer = answers.get(one.id)
            if subject is one.asking.subject and answer is not None and answer.upload_id is None:
                many[one.question.name] = form_rules.as_typed(one.question, answer.value)
    return values, many


def _day_values(event: EventFacts, spans: list[Span] | None) -> dict[str, str]:
    if spans is None:
        return {}
    zone, values = ZoneInfo(event.time_zone), {}
    for day in _event_days(event):
        key = f"day.{day.isoformat()}"
        begin = datetime.combine(day, time(0, 0), zone)
        end = datetime.combine(day + timedelta(days=1), time(0, 0), zone)
        inside = [(max(a, begin), min(b, end)) for a, b in spans if a < end and b > begin]
        if not inside:
            values[f"{key}.off"] = "1"
            continue
        first, last = inside[0][0], inside[-1][1]
        if first > begin:
            values[f"{key}.from"] = first.astimezone(zone).strftime("%H:%M")
        if last < end:
            values[f"{key}.until"] = last.astimezone(zone).strftime("%H:%M")
    return values


def _restored(
    kept: Mapping[str, Sequence[str]],
) -> tuple[dict[str, str], dict[str, Sequence[str]]]:
    return {name: texts[-1] for name, texts in kept.items() if texts}, dict(kept)


async def _kept_form(
    request: Request, door: Door, at: datetime
) -> tuple[str, dict[str, str], dict[str, Sequence[str]]] | None:
    """A form that this browser sent without a sign-in, named in the address by its id."""
    raw = request.query_params.get("form", "")
    browser = request.cookies.get(FORM_COOKIE, "")
    if not raw or not browser:
        return None
    try:
        form_id = UUID(raw)
    except ValueError:
        return None
    kept = await kept_forms.find(form_id=form_id, event_id=door.event.id, browser=browser, at=at)
    return (str(form_id), *_restored(kept)) if kept is not None else None


async def _files_again(door: Door, at_hand: World, values: Mapping[str, str], at: datetime) -> dict[str, Any]:
    """Files that came with a form that waited, by their marks."""
    data = FormData([(name, text) for name, text in values.items() if name.endswith(".kept")])
    keep: dict[str, Any] = {"event_id": door.event.id, "actor_key": door.actor.key, "at": at}

    async def one(name: str, key: str) -> FileAnswer | None:
        found = await questionnaire.read_file(data, name, key=key, **keep)
        return found if isinstance(found, FileAnswer) else None

    answers = {}
    for item in at_hand.fields:
        if item.question.kind is FieldKind.FILE:
            found = await one(item.question.name, f"call.{item.id}")
            if found is not None:
                answers[item.id] = found
    return {
        "picture": await one("picture", "cfp.picture"),
        "file": await one("file", "cfp.file"),
        "answers": answers,
    }


async def new(request: Request, door: Door) -> Response:
    """A proposal begun. GET shows the form to everybody while the call is open, or with a code; POST keeps it."""
    at_hand, at = await open_call(door), datetime.now(UTC)
    if request.method != "POST":
        code = request.query_params.get("code", "").strip()[:40]
        kept = await _kept_form(request, door, at)
        is_open = call_window(at_hand, at) is CallWindow.OPEN
        if not is_open and kept is None:
            wrong = await look_at_code(request, door, code, at) if code else Problem(ProposalCode.CALL_CLOSED)
            if wrong is not None:
                return render.see_other(render.url(CALL, slug=door.event.slug))
        if kept is not None:
            form_id, values, many = kept
            return await _form(
                request,
                door,
                at_hand,
                proposal=None,
                values=values,
                many=many,
                form_id=form_id,
                said=(
                    "go",
                    i18n.gettext("Here is what you typed. Look through it, then save it or hand it in."),
                ),
                **await _files_again(door, at_hand, values, at),
            )
        values = await _own_values(door, at_hand) | ({"code": code} if code else {})
        return await _form(request, door, at_hand, proposal=None, values=values, many={})
    data = await forms.form_data(request, max_files=FILES_MAX, max_fields=questionnaire.FIELDS_MAX)
    typed = await _read(door, at_hand, data, is_speaker=True, at=at)
    if "lang" in typed.values or not _is_person(door):
        return await _set_aside(request, door, typed, at)
    return await _keep(request, door, at_hand, typed, proposal=None, at=at)


def _is_person(door: Door) -> bool:
    return door.may(Permission.SUBMIT) and door.actor.signed_in and not door.actor.token_id


async def _set_aside(
    request: Request, door: Door, typed: _Typed, at: datetime, *, proposal_code: str = ""
) -> Response:
    """Nobody is signed in (any more), or the reader wants another language: what was typed waits, and is there again
    after the sign-in, or at once.
    """
    form_id = forms.form_id(typed.values)
    browser = request.cookies.get(FORM_COOKIE, "") or codes.new_secret()
    kept = {name: list(texts) for name, texts in typed.many.items() if name != "lang"}
    for name, key, file in (("picture", "cfp.picture", typed.picture), ("file", "cfp.file", typed.file)):
        if file is not None:
            kept[f"{name}.kept"] = [questionnaire.mark(door.event.id, key, file)]
    for number, file in typed.answers.items():
        kept[f"q.{number}.kept"] = [questionnaire.mark(door.event.id, f"call.{number}", file)]
    # A class that signs up together is below it; a machine that fills our disk is not.
    await limits.count(KEPT, request.client.host if request.client else "", Code.TOO_MANY)
    await kept_forms.keep(form_id=form_id, event_id=door.event.id, browser=browser, typed=kept, at=at)
    here = render.url(EDIT, slug=door.event.slug, code=proposal_code) if proposal_code else new_href(door)
    target = render.with_query(here, form=str(form_id))
    locale = typed.values.get("lang")
    if locale not in LOCALES:
        target = render.with_query(render.url("people.sign_in"), next=target)
    response = render.see_other(target)
    signin.set_cookie(response, FORM_COOKIE, browser, lasts=kept_forms.LASTS)
    if locale in LOCALES:
        signin.set_language(response, locale)
    return response


async def _keep(
    request: Request,
    door: Door,
    at_hand: World,
    typed: _Typed,
    *,
    proposal: ProposalFacts | None,
    at: datetime,
) -> Response:
    """Saves what was typed, and hands it in where that button was pressed; every "no" shows the form again, whole."""
    form_id = forms.form_id(typed.values)
    again: dict[str, Any] = {
        "values": dict(typed.values),
        "many": typed.many,
        "form_id": str(form_id),
        "picture": typed.picture,
        "file": typed.file,
        "answers": typed.answers,
    }

    async def refused(problems: Mapping[str, Problem], status: int, **more: Any) -> Response:
        shown: dict[str, Any] = {"proposal": proposal, **again, "problems": problems, "status": status}
        return await _form(request, door, at_hand, **(shown | more))

    if typed.problems:
        return await refused(typed.problems, Invalid.status)
    who = await standing.of(door, proposal) if proposal else frozenset({Who.SPEAKER})
    if typed.draft.code and (proposal is None or proposal.call_code_id is None):
        # Whoever guesses is slowed down here as on the call's page.
        try:
            wrong = await look_at_code(request, door, typed.draft.code, at)
        except TooMany as refusal:
            return await refused({"code": Problem(refusal.code, refusal.params)}, refusal.status)
        if wrong is not None:
            return await refused({"code": wrong}, Invalid.status)
    version = shared.whole_id(typed.values.get("version"))
    is_again = proposal is not None and proposal.form_id == form_id
    try:
        number = await proposals.save(
            actor=door.actor,
            event_id=door.event.id,
            at_hand=at_hand,
            draft=typed.draft,
            form_id=form_id,
            locale=i18n.current_locale(),
            at=at,
            proposal_id=proposal.id if proposal else None,
            version=version,
            who=who,
        )
    except Invalid as refusal:
        return await refused(refusal.fields, refusal.status)
    except Conflict as refusal:
        if refusal.code == ProposalCode.STALE:
            # A fresh UUID and their version: the next press is meant.
            return await refused(
                {},
                refusal.status,
                said=("stop", render.words_for(refusal.code, refusal.params)),
                form_id=str(uuid4()),
                version=refusal.params.get("version"),
            )
        return await refused(
            {}, refusal.status, said=("stop", render.words_for(refusal.code, refusal.params))
        )
    except Forbidden as refusal:
        return await refused(
            {}, refusal.status, said=("stop", render.words_for(refusal.code, refusal.params))
        )
    saved = await cfp_queries.find_proposal_by_id(number)
    assert saved is not None
    # What was given once is not shown as waiting again.
    again |= {"proposal": saved, "picture": None, "answers": {}, "version": saved.version}
    if problems := await _add_others(door, at_hand, typed, saved, is_again=is_again, at=at):
        return await refused(problems, Invalid.status, file=typed.file if "file" in problems else None)
    again["file"] = None
    for name in ("link_url", "link_title", "co_speakers"):
        again["values"].pop(name, None)
    done = "saved"
    if "submit" in typed.values and saved.state in (ProposalState.DRAFT, ProposalState.SUBMITTED):
        try:
            await proposals.submit(
                actor=door.actor, at_hand=at_hand, proposal_id=number, who=who | {Who.SPEAKER}, at=at
            )
        except Invalid as refusal:
            return await refused(
                refusal.fields,
                refusal.status,
                said=(
                    "note",
                    i18n.gettext("Your draft is saved. A little is missing before it can be handed in."),
                ),
            )
        done = "submitted"
    return render.see_other(
        render.with_query(render.url(ONE, slug=door.event.slug, code=saved.code), done=done)
    )


async def _add_others(
    door: Door, at_hand: World, typed: _Typed, saved: ProposalFacts, *, is_again: bool, at: datetime
) -> dict[str, Problem]:
    """Co-speakers, a link and a file that came with the form; what can't be is told at its field."""
    problems: dict[str, Problem] = {}
    for email in typed.emails:
        try:
            await joining.invite(
                actor=door.actor,
                proposal=saved,
                email=email,
                locale=i18n.current_locale(),
                at_most=at_hand.call.speakers_at_most,
                at=at,
            )
        except Invalid as refusal:
            # Asked already: that is what was wanted, and what a second press says.
            if refusal.fields["email"].code != ProposalCode.JOIN_OPEN:
                problems["co_speakers"] = refusal.fields["email"]
    url, title = typed.link
    try:
        if url and not any(one.url == url for one in saved.resources):
            await resources.add(
                actor=door.actor,
                proposal_id=saved.id,
                new=resources.NewResource(url=url, title=title),
                at=at,
            )
    except Invalid as refusal:
        problems |= {f"link_{name}": problem for name, problem in refusal.fields.items()}
    file = typed.file
    try:
        is_there = file is not None and any(one.filename == file.filename for one in saved.resources)
        if file is not None and not (is_again and is_there):
            await resources.add(
                actor=door.actor, proposal_id=saved.id, new=resources.NewResource(file=file), at=at
            )
    except Invalid as refusal:
        problems["file"] = next(iter(refusal.fields.values()))
    return problems


async def edit(request: Request, door: Door) -> Response:
    """The form of a proposal that is there. Without a sign-in a POST keeps what was typed, and a GET leads to it."""
    at_hand, at = await open_call(door), datetime.now(UTC)
    if not _is_person(door):
        if request.method != "POST":
            door.require(Permission.SUBMIT)
            raise Forbidden(Code.NOT_A_PERSON)
        data = await forms.form_data(request, max_files=FILES_MAX, max_fields=questionnaire.FIELDS_MAX)
        typed = await _read(door, at_hand, data, is_speaker=True, at=at)
        return await _set_aside(request, door, typed, at, proposal_code=request.path_params["code"][:6])
    proposal, who = await own_proposal(request, door)
    is_speaker = proposal.speaker_of(door.actor.id) is not None
    if request.method == "POST":
        data = await forms.form_data(request, max_files=FILES_MAX, max_fields=questionnaire.FIELDS_MAX)
        typed = await _read(door, at_hand, data, is_speaker=is_speaker, at=at)
        if "lang" in typed.values:
            return await _set_aside(request, door, typed, at, proposal_code=proposal.code)
        return await _keep(request, door, at_hand, typed, proposal=proposal, at=at)
    call_open = proposals.call_open_for(at_hand, proposal, at)
    if not may_edit(proposal.state, who=who, call_open=call_open, phase_lets=at_hand.lets_edit(at)):
        raise Forbidden(ProposalCode.NOT_EDITABLE)
    kept = await _kept_form(request, door, at)
    if kept is not None:
        form_id, values, many = kept
        return await _form(
            request,
            door,
            at_hand,
            proposal=proposal,
            values=values,
            many=many,
            form_id=form_id,
            version=shared.whole_id(values.get("version")),
            said=("go", i18n.gettext("Here is what you typed. Look through it, then save it or hand it in.")),
            **await _files_again(door, at_hand, values, at),
        )
    stored, chosen = await _stored_values(door, at_hand, proposal)
    return await _form(request, door, at_hand, proposal=proposal, values=stored, many=chosen)


_ANY: Final = Permission.VIEW_PUBLIC
_BOTH: Final = ("GET", "POST")
_P: Final = "/e/{slug}/cfp/p/{code}"
ROUTES: list[Entry] = [
    access.route("/e/{slug}/cfp/new", new, "agenda.cfp.new", _ANY, _BOTH, body_max=BODY_MAX),
    access.route(f"{_P}/edit", edit, EDIT, _ANY, _BOTH, body_max=BODY_MAX),
]
