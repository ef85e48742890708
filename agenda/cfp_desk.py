"""The call at the desk: its dates and words, and the lists that it is made of, each with one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from agenda import calls, cfp_queries
from agenda.calls import (
    CallDetails,
    CodeDetails,
    CommunityDetails,
    Details,
    FieldDetails,
    ForumDetails,
    ProducerDetails,
    TagDetails,
    TypeDetails,
)
from agenda.cfp_queries import CallFacts
from agenda.cfp_shown import CALL, LANGUAGE_NAMES, language_words
from agenda.proposal_rules import Need, Subject
from agenda.rules import SessionKind
from events import access, queries
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.form_rules import options_text, parse_options
from events.rules import FieldKind, Permission
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import N_, LocalizedText
from web import forms, i18n, render
from web.routing import Entry

SETTINGS: Final = "agenda.desk.call"
LIST: Final = "agenda.desk.call_list"
NEW: Final = "agenda.desk.call_new"
ONE: Final = "agenda.desk.call_one"

#: The lists, by their word in the address: title, button, what it is for.
KINDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "types": (
        N_("Session types"),
        N_("Add a session type"),
        N_(
            "What people can hand in: talk, panel, workshop. Each has its usual length and may close on its own day."
        ),
    ),
    "forums": (
        N_("Forums"),
        N_("Add a forum"),
        N_("Themed blocks of the programme, with those who produce them."),
    ),
    "producers": (
        N_("Producers"),
        N_("Add a producer"),
        N_("Who answers for a forum, as the programme names them. Their rights come with a role (see Team)."),
    ),
    "communities": (
        N_("Communities"),
        N_("Add a community"),
        N_("Who brings a forum out."),
    ),
    "questions": (
        N_("Questions"),
        N_("Add a question"),
        N_("What you want to know of each proposal, each speaker or in each review."),
    ),
    "codes": (
        N_("Access codes"),
        N_("Add an access code"),
        N_("They open the call after its closing, or kinds and forums that need one."),
    ),
    "tags": (N_("Tags"), N_("Add a tag"), N_("Words that you put on proposals to find and sort them.")),
}


# --- the call itself ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SettingsPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_call.html"
    tabs: Sequence[tuple[str, str, bool]]
    zone: str
    languages: Sequence[tuple[str, str]]
    chosen: Sequence[str]
    tickets: Sequence[tuple[str, str]]
    public_href: str
    is_new: bool


def tabs(door: Door, current: str) -> Sequence[tuple[str, str, bool]]:
    slug = door.event.slug
    return [
        (i18n.gettext("Dates and words"), render.url(SETTINGS, slug=slug), current == ""),
        *(
            (i18n.gettext(words[0]), render.url(LIST, slug=slug, kind=kind), current == kind)
            for kind, words in KINDS.items()
        ),
        (i18n.gettext("Review"), render.url("agenda.desk.review_setup", slug=slug), False),
    ]


_MOMENTS: Final = ("opens_at", "closes_at", "review_by", "notify_by", "confirm_by", "slides_due_at")
_FLAGS: Final = ("is_published", "asks_travel", "asks_availability")


def _call_values(call: CallFacts, zone: str) -> dict[str, str]:
    return {
        **shared.spread("intro", call.intro),
        **{name: shared.wall_clock(getattr(call, name), zone) for name in _MOMENTS},
        **{name: "1" if getattr(call, name) else "" for name in _FLAGS},
        "speakers_at_most": str(call.speakers_at_most),
        "proposals_at_most": str(call.proposals_at_most),
        "follow_up_days": str(call.follow_up_days),
        "speaker_ticket_type": str(call.speaker_ticket_type_id or ""),
    }


async def settings(request: Request, door: Door) -> Response:
    call = await cfp_queries.find_call(door.event.id)
    known = call or CallFacts(event_id=door.event.id)
    zone = door.event.time_zone
    values: Mapping[str, str] = _call_values(known, zone)
    chosen: Sequence[str] = known.languages
    problems: Mapping[str, Problem] = {}
    tickets = [
        (str(one.id), one.name.in_(i18n.current_locale()))
        for one in await queries.ticket_types(door.event.id)
    ]
    if request.method == "POST":
        data = await forms.form_data(request)
        values, chosen = shared.typed_values(data), shared.chosen_many(data, "languages")
        read = Reader(values, zone)
        moments = {name: read.moment(name) for name in _MOMENTS}
        numbers = {
            name: read.whole_number(name, required=True) for name in ("speakers_at_most", "proposals_at_most")
        }
        days = read.whole_number("follow_up_days")
        ticket_type = shared.whole_id(values.get("speaker_ticket_type"))
        if ticket_type is not None and str(ticket_type) not in dict(tickets):
            read.wrong("speaker_ticket_type", Code.NOT_A_CHOICE)
        details = CallDetails(
            intro=shared.gathered(values, "intro", known.intro),
            languages=tuple(chosen),
            speakers_at_most=numbers["speakers_at_most"] or 0,
            proposals_at_most=numbers["proposals_at_most"] or 0,
            follow_up_days=known.follow_up_days if days is None else days,
            speaker_ticket_type_id=ticket_type,
            is_published=read.flag("is_published"),
            asks_travel=read.flag("asks_travel"),
            asks_availability=read.flag("asks_availability"),
            opens_at=moments["opens_at"],
            closes_at=moments["closes_at"],
            review_by=moments["review_by"],
            notify_by=moments["notify_by"],
            confirm_by=moments["confirm_by"],
            slides_due_at=moments["slides_due_at"],
        )
        problems = shared.at_boxes({**details.problems(), **read.problems}, ["intro"])
        if not problems:
            await calls.set_up(actor=door.actor, event_id=door.event.id, details=details, at=shared.now())
            return shared.back_to(door, SETTINGS, done="saved")
    page = SettingsPage(
        **access.frame(door, SETTINGS),
        done=shared.done_words(request),
        values=values,
        problems=problems,
        tabs=tabs(door, "") if call else (),
        zone=zone,
        languages=[(tag, language_words(tag)) for tag in LANGUAGE_NAMES],
        chosen=chosen,
        tickets=tickets,
        public_href=render.url(CALL, slug=door.event.slug) if call else "",
        is_new=call is None,
    )
    return await render.page(request, page, 422 if problems else 200)


# --- the lists ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    href: str
    title: str
    notes: Sequence[str]
    side: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_call_list.html"
    tabs: Sequence[tuple[str, str, bool]]
    title: str
    about: str
    add: str
    new_href: str
    lines: Sequence[Line]


async def _need_call(door: Door) -> CallFacts:
    call = await cfp_queries.find_call(door.event.id)
    if call is None:
        raise NotFound()
    return call


def _kind(request: Request) -> str:
    kind = str(request.path_params["kind"])
    if kind not in KINDS:
        raise NotFound()
    return kind


async def _lines(door: Door, kind: str) -> Sequence[Line]:
    locale, event = i18n.current_locale(), door.event

    def line(number: int, title: str, *notes: str, side: str = "") -> Line:
        href = render.url(ONE, slug=event.slug, kind=kind, thing_id=number)
        return Line(href, title or f"#{number}", [note for note in notes if note], side)

    off = i18n.gettext("Off")
    with_code = i18n.gettext("with an access code")
    match kind:
        case "types":
            return [
                line(
                    one.id,
                    one.name.in_(locale),
                    one.code,
                    with_code if one.needs_code else "",
                    i18n.gettext("until %(when)s") % {"when": render.moment(one.closes_at, event.time_zone)}
                    if one.closes_at
                    else "",
                    "" if one.is_active else off,
                    side=i18n.ngettext("%(num)d minute", "%(num)d minutes", one.minutes)
                    % {"num": one.minutes},
                )
                for one in await cfp_queries.session_types(event.id)
            ]
        case "forums":
            return [
                line(
                    one.id,
                    one.name.in_(locale),
                    one.code,
                    ", ".join(person.name.in_(locale) for person in one.producers),
                    ", ".join(group.name.in_(locale) for group in one.communities),
                    with_code if one.needs_code else "",
                    "" if one.is_active else off,
                )
                for one in await cfp_queries.forums(event.id)
            ]
        case "producers":
            return [
                line(
                    one.id,
                    one.name.in_(locale),
                    one.organisation.in_(locale),
                    one.title.in_(locale),
                    one.email,
                )
                for one in await cfp_queries.producers(event.id)
            ]
        case "communities":
            return [
                line(one.id, one.name.in_(locale), one.url) for one in await cfp_queries.communities(event.id)
            ]
        case "tags":
            return [
                line(one.id, one.name.in_(locale), one.code, i18n.gettext("public") if one.is_public else "")
                for one in await cfp_queries.tags(event.id)
            ]
        case "questions":
            return [
                line(
                    one.id,
                    one.question.label.in_(locale),
                    i18n.gettext(SUBJECT_WORDS[one.asking.subject]),
                    render.words_for(one.question.kind),
                    i18n.gettext(NEED_WORDS[one.asking.need]) if one.asking.need is not Need.OPTIONAL else "",
                    "" if one.question.is_active else off,
                )
                for one in await cfp_queries.fields_of(event.id)
            ]
        case _:
            return [
                line(
                    one.id,
                    one.code,
                    one.note,
                    i18n.gettext("until %(when)s") % {"when": render.moment(one.valid_until, event.time_zone)}
                    if one.valid_until
                    else "",
                    "" if one.is_active else off,
                    side=f"{one.used} / {one.max_uses}" if one.max_uses is not None else str(one.used),
                )
                for one in await cfp_queries.codes(event.id)
            ]


SUBJECT_WORDS: Final[Mapping[Subject, str]] = {
    Subject.PROPOSAL: N_("of each proposal"),
    Subject.SPEAKER: N_("of each speaker"),
    Subject.REVIEW: N_("in each review"),
}
NEED_WORDS: Final[Mapping[Need, str]] = {
    Need.OPTIONAL: N_("optional"),
    Need.REQUIRED: N_("required"),
    Need.REQUIRED_AFTER: N_("required after a date"),
}


async def list_things(request: Request, door: Door) -> Response:
    kind = _kind(request)
    await _need_call(door)
    title, add, about = KINDS[kind]
    page = ListPage(
        **access.frame(door, SETTINGS),
        done=shared.done_words(request),
        tabs=tabs(door, kind),
        title=i18n.gettext(title),
        about=i18n.gettext(about),
        add=i18n.gettext(add),
        new_href=render.url(NEW, slug=door.event.slug, kind=kind),
        lines=await _lines(door, kind),
    )
    return await render.page(request, page)


# --- one thing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ThingPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_call_one.html"
    kind: str
    heading: str
    list_title: str
    list_href: str
    is_new: bool
    zone: str
    #: (value, words) of what there is to choose from
    session_kinds: Sequence[tuple[str, str]]
    types: Sequence[tuple[str, str]]
    forums: Sequence[tuple[str, str]]
    producers: Sequence[tuple[str, str]]
    communities: Sequence[tuple[str, str]]
    field_kinds: Sequence[tuple[str, str]]
    subjects: Sequence[tuple[str, str]]
    needs: Sequence[tuple[str, str]]
    used: int


Values = Mapping[str, Any]
_MANY: Final = ("types", "forums", "producers", "communities")


def _ids(values: Values, name: str, read: Reader) -> tuple[int, ...]:
    found = [shared.whole_id(raw) for raw in values.get(name, ())]
    if None in found:
        read.wrong(name, Code.NOT_A_CHOICE)
    return tuple(number for number in found if number is not None)


def code_of(read: Reader, name: LocalizedText, fallback: str) -> str:
    """The code that was typed, or one out of the English name, so that nobody has to think of one."""
    plain = "".join(
        char if char.isascii() and char.isalnum() else "-" for char in name.get("en", "").casefold()
    )
    short = "-".join(part for part in plain.split("-") if part)[:40].strip("-")
    return read.text("code") or short or fallback


def _details(kind: str, values: Values, zone: str, old: LocalizedText | None, fallback: str) -> Any:
    """What the form says, as the details of its kind. Raises Invalid at the fields that can't be read."""
    read = Reader({name: text for name, text in values.items() if isinstance(text, str)}, zone)
    name = shared.gathered(read.values, "name", old)
    position = read.whole_number("position") or 0
    found: Details | FieldDetails | CodeDetails
    match kind:
        case "types":
            found = TypeDetails(
                code=code_of(read, name, fallback),
                name=name,
                minutes=read.whole_number("minutes", required=True) or 0,
                kind=shared.word_of(SessionKind, read.text("kind")) or SessionKind.TALK,
                description=shared.gathered(read.values, "description"),
                closes_at=read.moment("closes_at"),
                needs_code=read.flag("needs_code"),
                is_active=read.flag("is_active"),
                position=position,
            )
        case "forums":
            found = ForumDetails(
                code=code_of(read, name, fallback),
                name=name,
                description=shared.gathered(read.values, "description"),
                colour=read.text("colour"),
                needs_code=read.flag("needs_code"),
                is_active=read.flag("is_active"),
                position=position,
                producer_ids=_ids(values, "producers", read),
                community_ids=_ids(values, "communities", read),
                helpers=tuple(read.text("helpers").replace(",", " ").split()),
            )
        case "producers":
            found = ProducerDetails(
                name=name,
                organisation=shared.gathered(read.values, "organisation"),
                title=shared.gathered(read.values, "title"),
                email=read.text("email"),
                position=position,
            )
        case "communities":
            found = CommunityDetails(name=name, url=read.text("url"), position=position)
        case "tags":
            found = TagDetails(
                code=code_of(read, name, fallback),
                name=name,
                colour=read.text("colour"),
                is_public=read.flag("is_public"),
                position=position,
            )
        case "questions":
            label = shared.gathered(read.values, "label")
            found = FieldDetails(
                code=code_of(read, label, fallback),
                subject=shared.word_of(Subject, read.text("subject")) or Subject.PROPOSAL,
                kind=shared.word_of(FieldKind, read.text("kind")) or FieldKind.LINE,
                label=label,
                help=shared.gathered(read.values, "help"),
                options=parse_options(read.text("options"), values.get("old_options", ())),
                need=shared.word_of(Need, read.text("need")) or Need.OPTIONAL,
                required_after=read.moment("required_after"),
                is_public=read.flag("is_public"),
                is_personal=read.flag("is_personal"),
                for_reviewers=read.flag("for_reviewers"),
                is_active=read.flag("is_active"),
                type_ids=frozenset(_ids(values, "types", read)),
                forum_ids=frozenset(_ids(values, "forums", read)),
            )
        case _:
            found = CodeDetails(
                code=read.text("code"),
                note=read.text("note"),
                max_uses=read.whole_number("max_uses"),
                valid_until=read.moment("valid_until"),
                is_active=read.flag("is_active"),
                type_ids=frozenset(_ids(values, "types", read)),
                forum_ids=frozenset(_ids(values, "forums", read)),
            )
    if read.problems:
        raise Invalid({**found.problems(), **read.problems})
    return found


def _flag(value: bool) -> str:
    return "1" if value else ""


async def _stored(door: Door, kind: str, number: int) -> tuple[str, dict[str, Any], int]:
    """A thing's title, its values as the form shows them, and how often it was used. Raises NotFound."""
    event_id, zone, locale = door.event.id, door.event.time_zone, i18n.current_locale()

    def pick(things: Sequence[Any]) -> Any:
        found = next((one for one in things if one.id == number), None)
        if found is None:
            raise NotFound()
        return found

    values: dict[str, Any]
    match kind:
        case "types":
            one = pick(await cfp_queries.session_types(event_id))
            values = {
                "minutes": str(one.minutes),
                "kind": str(one.kind),
                "closes_at": shared.wall_clock(one.closes_at, zone),
                **shared.spread("description", one.description),
            }
        case "forums":
            one = pick(await cfp_queries.forums(event_id))
            values = {
                "colour": one.colour,
                "producers": [str(person.id) for person in one.producers],
                "communities": [str(group.id) for group in one.communities],
                "helpers": "\n".join(await cfp_queries.helper_addresses(number)),
                **shared.spread("description", one.description),
            }
        case "producers":
            one = pick(await cfp_queries.producers(event_id))
            values = {
                "email": one.email,
                **shared.spread("organisation", one.organisation),
                **shared.spread("title", one.title),
            }
        case "communities":
            one = pick(await cfp_queries.communities(event_id))
            values = {"url": one.url}
        case "tags":
            one = pick(await cfp_queries.tags(event_id))
            values = {"colour": one.colour, "is_public": _flag(one.is_public)}
        case "questions":
            one = pick(await cfp_queries.fields_of(event_id))
            return one.question.label.in_(locale), _question_values(one, zone), 0
        case _:
            one = pick(await cfp_queries.codes(event_id))
            return (
                one.code,
                {
                    "code": one.code,
                    "note": one.note,
                    "max_uses": "" if one.max_uses is None else str(one.max_uses),
                    "valid_until": shared.wall_clock(one.valid_until, zone),
                    "is_active": _flag(one.is_active),
                    "types": [str(number) for number in one.type_ids],
                    "forums": [str(number) for number in one.forum_ids],
                },
                one.used,
            )
    values |= {"position": str(one.position), **shared.spread("name", one.name)}
    for name in ("code", "needs_code", "is_active"):
        if hasattr(one, name):
            value = getattr(one, name)
            values[name] = value if isinstance(value, str) else _flag(value)
    return one.name.in_(locale), values, 0


def _question_values(one: cfp_queries.FieldFacts, zone: str) -> dict[str, Any]:
    question, asking = one.question, one.asking
    return {
        **shared.spread("label", question.label),
        **shared.spread("help", question.help),
        "code": question.code,
        "subject": str(asking.subject),
        "kind": str(question.kind),
        "options": options_text(question.options),
        "old_options": question.options,
        "need": str(asking.need),
        "required_after": shared.wall_clock(asking.required_after, zone),
        "is_public": _flag(one.is_public),
        "is_personal": _flag(question.is_personal),
        "for_reviewers": _flag(one.for_reviewers),
        "is_active": _flag(question.is_active),
        "types": [str(number) for number in asking.type_ids],
        "forums": [str(number) for number in asking.forum_ids],
    }


async def _page(
    request: Request,
    door: Door,
    kind: str,
    values: Values,
    *,
    heading: str = "",
    used: int = 0,
    refusal: Invalid | None = None,
    trouble: str = "",
) -> Response:
    locale, event = i18n.current_locale(), door.event
    problems = dict(refusal.fields) if refusal else {}
    page = ThingPage(
        **access.frame(door, SETTINGS),
        values=values,
        problems=shared.at_boxes(problems, ["name", "label", "help", "description", "organisation", "title"]),
        trouble=trouble,
        kind=kind,
        heading=heading or i18n.gettext(KINDS[kind][1]),
        list_title=i18n.gettext(KINDS[kind][0]),
        list_href=render.url(LIST, slug=event.slug, kind=kind),
        is_new=not heading,
        zone=event.time_zone,
        session_kinds=[
            (str(one), render.words_for(one)) for one in SessionKind if one is not SessionKind.BREAK
        ],
        types=[(str(one.id), one.name.in_(locale)) for one in await cfp_queries.session_types(event.id)],
        forums=[(str(one.id), one.name.in_(locale)) for one in await cfp_queries.forums(event.id)],
        producers=[(str(one.id), one.name.in_(locale)) for one in await cfp_queries.producers(event.id)],
        communities=[(str(one.id), one.name.in_(locale)) for one in await cfp_queries.communities(event.id)],
        field_kinds=[(str(one), render.words_for(one)) for one in FieldKind],
        subjects=[(str(one), i18n.gettext(words)) for one, words in SUBJECT_WORDS.items()],
        needs=[(str(one), i18n.gettext(words)) for one, words in NEED_WORDS.items()],
        used=used,
    )
    return await render.page(request, page, refusal.status if refusal else 409 if trouble else 200)


async def _typed(request: Request) -> dict[str, Any]:
    data = await forms.form_data(request, max_fields=500)
    return {**shared.typed_values(data), **{name: shared.chosen_many(data, name) for name in _MANY}}


async def _put(door: Door, kind: str, details: Any, number: int | None) -> None:
    common: dict[str, Any] = {
        "actor": door.actor,
        "event_id": door.event.id,
        "details": details,
        "at": shared.now(),
    }
    if kind == "questions":
        await calls.put_field(**common, field_id=number)
    elif kind == "codes":
        await calls.put_code(**common, code_id=number)
    else:
        await calls.put(**common, thing_id=number)


async def add(request: Request, door: Door) -> Response:
    kind = _kind(request)
    await _need_call(door)
    if request.method != "POST":
        begun = {
            "is_active": "1",
            "for_reviewers": "1",
            "minutes": "30",
            "subject": "proposal",
            "need": "optional",
        }
        return await _page(request, door, kind, begun)
    values = await _typed(request)
    fallback = f"{kind[:-1]}-{len(await _lines(door, kind)) + 1}"
    try:
        await _put(door, kind, _details(kind, values, door.event.time_zone, None, fallback), None)
    except Invalid as refusal:
        return await _page(request, door, kind, values, refusal=refusal)
    return _back(door, kind, "added")


def _back(door: Door, kind: str, done: str) -> Response:
    return render.see_other(render.with_query(render.url(LIST, slug=door.event.slug, kind=kind), done=done))


_REMOVED: Final[Mapping[str, type[Any]]] = {
    "types": TypeDetails,
    "forums": ForumDetails,
    "producers": ProducerDetails,
    "communities": CommunityDetails,
    "tags": TagDetails,
}


async def change(request: Request, door: Door) -> Response:
    kind = _kind(request)
    await _need_call(door)
    number = shared.whole_id(request.path_params["thing_id"])
    if number is None:
        raise NotFound()
    heading, stored, used = await _stored(door, kind, number)
    if request.method != "POST":
        return await _page(request, door, kind, stored, heading=heading, used=used)
    values = await _typed(request)
    if values.get("act") == "remove":
        try:
            await _remove(door, kind, number)
        except Conflict as refusal:
            said = render.words_for(refusal.code, refusal.params)
            return await _page(request, door, kind, stored, heading=heading, used=used, trouble=said)
        return _back(door, kind, "removed")
    try:
        details = _details(
            kind,
            {**values, "old_options": stored.get("old_options", ())},
            door.event.time_zone,
            None,
            str(stored.get("code", "")),
        )
        await _put(door, kind, details, number)
    except Invalid as refusal:
        return await _page(request, door, kind, values, heading=heading, used=used, refusal=refusal)
    return _back(door, kind, "saved")


async def _remove(door: Door, kind: str, number: int) -> None:
    common: dict[str, Any] = {"actor": door.actor, "event_id": door.event.id, "at": shared.now()}
    if kind == "questions":
        await calls.remove_field(**common, field_id=number)
    elif kind in _REMOVED:
        await calls.remove(**common, kind=_REMOVED[kind], thing_id=number)
    else:
        # A code that somebody was given is switched off: what was handed in with it still names it.
        raise NotFound()


async def forum_scopes(door: Door) -> list[tuple[str, int, str]]:
    """What a producer's or reviewer's role may be narrowed to: ``(kind, id, title)`` for the team page."""
    locale = i18n.current_locale()
    return [("forum", one.id, one.name.in_(locale)) for one in await cfp_queries.forums(door.event.id)]


_MAY: Final = Permission.CHANGE_CALL
_BOTH: Final = ("GET", "POST")
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/cfp", settings, SETTINGS, _MAY, _BOTH),
    access.route("/e/{slug}/desk/cfp/{kind}", list_things, LIST, _MAY),
    access.route("/e/{slug}/desk/cfp/{kind}/new", add, NEW, _MAY, _BOTH),
    access.route("/e/{slug}/desk/cfp/{kind}/{thing_id}", change, ONE, _MAY, _BOTH),
]
