"""Letters to speakers at the desk: what waits to be read, one letter, the words of each occasion, a message by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_queries, letter_templates, speaker_letters
from agenda.cfp_shown import lang_boxes, state_words
from agenda.letter_rules import (
    KNOWN,
    TEMPLATES,
    LetterCode,
    Missing,
    Occasion,
    Placeholder,
    problems,
)
from agenda.letter_templates import Words
from agenda.proposal_rules import ProposalState
from agenda.speaker_letters import Audience, LetterLine, Telling, Wanted
from agenda.words import MISSING_WORDS, OCCASION_WORDS, PLACEHOLDER_WORDS
from events import access
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage
from events.rules import Permission
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import drafts, letters, replays
from people import queries as people
from people.rules import LETTER_ACTS, UNSENT, LetterAct, LetterState
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "agenda.desk.letters"
ONE: Final = "agenda.desk.letter"
TEMPLATE_LIST: Final = "agenda.desk.letter_templates"
TEMPLATE: Final = "agenda.desk.letter_template"
NEW: Final = "agenda.desk.letter_new"
_KINDS: Final[Mapping[LetterState, str]] = {
    LetterState.DRAFT: "care",
    LetterState.WAITING: "note",
    LetterState.SENDING: "note",
    LetterState.SENT: "go",
    LetterState.FAILED: "stop",
    LetterState.HELD: "care",
    LetterState.DISCARDED: "plain",
}
#: What may be done with a letter here; a discarded one is written anew by what made it.
_ACTS: Final = (LetterAct.SEND, LetterAct.RETRY, LetterAct.HOLD, LetterAct.DISCARD)
_LANGUAGES: Final = {"zh-Hans": "中文", "en": "English"}


def occasion_words(occasion: Occasion) -> str:
    return i18n.gettext(OCCASION_WORDS[occasion])


def tabs(door: Door, current: str) -> Sequence[tuple[str, str, bool]]:
    slug = door.event.slug
    return [
        (i18n.gettext("All letters"), render.url(LIST, slug=slug), current == LIST),
        (i18n.gettext("Write a message"), render.url(NEW, slug=slug), current == NEW),
        (
            i18n.gettext("Words of the letters"),
            render.url(TEMPLATE_LIST, slug=slug),
            current == TEMPLATE_LIST,
        ),
    ]


def letter_acts(state: str) -> list[tuple[str, str]]:
    """What the buttons of a letter send, and their words."""
    return [
        (str(act), render.words_for(act))
        for act in _ACTS
        if state in LETTER_ACTS[act][0] and not (act is LetterAct.RETRY and state == LetterState.DISCARDED)
    ]


@dataclass(frozen=True, slots=True)
class Post:
    """Whether letters leave at all."""

    has_smtp: bool
    is_stuck: bool
    is_full: bool
    free_at: str


async def post_of(door: Door) -> Post:
    whole = await people.outbox_state(shared.settings(), shared.now())
    free = render.clock(whole.free_at, door.event.time_zone) if whole.free_at else ""
    return Post(whole.has_smtp, whole.unreachable, whole.is_full, free)


# --- the list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    href: str
    subject: str
    to: str
    about: str
    occasion: str
    state: tuple[str, str]
    when: str
    problem: str
    act_href: str
    acts: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_letters.html"
    tabs: Sequence[tuple[str, str, bool]]
    post: Post
    lines: Sequence[Line]
    chips: Sequence[tuple[str, str, int | None, bool]]
    occasions: Sequence[tuple[str, str]]
    text: str
    keep: Mapping[str, str]
    here: str
    #: Of those that the conditions name: how many wait to be sent, how many failed.
    drafts: int
    failed: int
    newest: int
    all_href: str
    release: str
    #: People who began a proposal and have not handed it in.
    drafting: int
    first: int
    last: int
    total: int
    previous_href: str | None
    next_href: str | None


def _wanted(values: Mapping[str, str]) -> Wanted:
    return Wanted(
        state=str(shared.word_of(LetterState, values.get("state")) or ""),
        code=shared.word_of(Occasion, values.get("occasion")),
        release_id=shared.whole_id(values.get("release")),
        text=values.get("q", "").strip()[:100],
    )


def _kept(wanted: Wanted) -> dict[str, str]:
    kept = {
        "state": wanted.state,
        "occasion": str(wanted.code or ""),
        "release": str(wanted.release_id or ""),
        "q": wanted.text,
    }
    return {name: value for name, value in kept.items() if value}


async def listed(request: Request, door: Door) -> Response:
    return await _list(request, door)


async def _list(request: Request, door: Door, *, trouble: str = "", status: int = 200) -> Response:
    wanted = _wanted(request.query_params)
    found = await speaker_letters.listed(
        door.event.id, wanted, page=shared.whole_page(request.query_params.get("page"))
    )
    here = render.url(LIST, slug=door.event.slug)
    keep = _kept(wanted)
    without = {name: value for name, value in keep.items() if name != "state"}
    first = (found.page - 1) * speaker_letters.PAGE_SIZE + 1 if found.lines else 0
    page = ListPage(
        **access.frame(door, LIST),
        done=_done(request),
        trouble=trouble,
        values={"occasion": keep.get("occasion", "")},
        tabs=tabs(door, LIST),
        post=await post_of(door),
        lines=[_line(door, one) for one in found.lines],
        chips=[
            (
                i18n.gettext("All"),
                render.with_query(here, **without),
                sum(found.by_state.values()),
                not wanted.state,
            ),
            *(
                (
                    render.words_for(one),
                    render.with_query(here, **without, state=one),
                    found.by_state.get(one, 0),
                    one == wanted.state,
                )
                for one in LetterState
                if found.by_state.get(one) or one == wanted.state
            ),
        ],
        occasions=[
            (str(one), f"{occasion_words(one)} ({found.by_code.get(one, 0)})")
            for one in Occasion
            if found.by_code.get(one) or one is wanted.code
        ],
        text=wanted.text,
        keep=keep,
        here=here,
        drafts=found.by_state.get(LetterState.DRAFT, 0),
        failed=found.by_state.get(LetterState.FAILED, 0),
        newest=found.newest,
        all_href=render.url("agenda.desk.letters_act", slug=door.event.slug),
        release=keep.get("release", ""),
        drafting=len(await speaker_letters.writers_of_drafts(door.event.id)),
        first=first,
        last=first + len(found.lines) - 1 if found.lines else 0,
        total=found.total,
        previous_href=render.with_query(here, **keep, page=found.page - 1) if found.page > 1 else None,
        next_href=render.with_query(here, **keep, page=found.page + 1) if found.page < found.pages else None,
    )
    return await render.page(request, page, status)


def _done(request: Request) -> str:
    params = request.query_params
    many = shared.whole_page(params.get("many")) if params.get("many") != "0" else 0
    match params.get("done"):
        case "sent":
            said = i18n.ngettext("%(num)d letter is on its way.", "%(num)d letters are on their way.", many)
        case "dropped":
            said = i18n.ngettext("%(num)d letter discarded.", "%(num)d letters discarded.", many)
        case "drafted":
            said = i18n.ngettext(
                "%(num)d letter is drafted. Read it, then send it.",
                "%(num)d letters are drafted. Read them, then send them.",
                many,
            )
        case _:
            return shared.done_words(request)
    return said % {"num": many}


def _line(door: Door, one: LetterLine) -> Line:
    locale, slug = i18n.current_locale(), door.event.slug
    at = one.sent_at or one.created_at
    name = one.speaker_name.in_(locale)
    return Line(
        href=render.url(ONE, slug=slug, letter_id=one.id),
        subject=one.subject,
        to=shared.joined(name, one.to_email),
        about=one.proposal_title.in_(locale),
        occasion=occasion_words(one.code),
        state=(_KINDS[LetterState(one.state)], render.words_for(one.state)),
        when=render.moment(at, door.event.time_zone),
        problem=render.words_for(one.problem) if one.problem in render.known_words() else one.problem,
        act_href=render.url("agenda.desk.letter_act", slug=slug, letter_id=one.id),
        acts=letter_acts(one.state),
    )


async def act_on_all(request: Request, door: Door) -> Response:
    """Sends or discards every draft that the conditions name, none that was written after the page was read."""
    values = shared.typed_values(await forms.form_data(request))
    act = shared.word_of(LetterAct, values.get("act"))
    newest = shared.whole_id(values.get("newest"))
    if act not in (LetterAct.SEND, LetterAct.DISCARD, LetterAct.RETRY) or newest is None:
        raise Invalid({"act": Problem(Code.NOT_A_CHOICE)})
    wanted = _wanted(values)
    state = LetterState.FAILED if act is LetterAct.RETRY else LetterState.DRAFT
    chosen = Wanted(state=state, code=wanted.code, release_id=wanted.release_id, text=wanted.text)
    ids = await speaker_letters.numbers(door.event.id, chosen, newest=newest)
    done = await drafts.act_many(
        actor=door.actor, event_id=door.event.id, letter_ids=ids, act=act, at=shared.now()
    )
    said = "dropped" if act is LetterAct.DISCARD else "sent"
    here = render.url(LIST, slug=door.event.slug)
    return render.see_other(render.with_query(here, **_kept(wanted), done=said, many=str(len(done))))


async def remind_of_drafts(request: Request, door: Door) -> Response:
    """Drafts a letter to everybody who has a proposal in hand, without saying which: that is theirs alone."""
    del request
    made = await speaker_letters.draft(
        actor=door.actor,
        event_id=door.event.id,
        code=Occasion.DRAFT_REMINDER,
        tellings=await speaker_letters.writers_of_drafts(door.event.id),
        at=shared.now(),
    )
    return _drafted(door, Occasion.DRAFT_REMINDER, len(made.letter_ids))


def _drafted(door: Door, occasion: Occasion, many: int) -> Response:
    here = render.url(LIST, slug=door.event.slug)
    query = {"state": LetterState.DRAFT, "occasion": occasion, "done": "drafted", "many": str(many)}
    return render.see_other(render.with_query(here, **query))


# --- one letter --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LetterPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_letter.html"
    line: Line
    text: str
    post: Post
    language: str
    may_change: bool
    list_href: str
    proposal_href: str


async def one(request: Request, door: Door) -> Response:
    """One letter: read it and, while it has not left, change its words."""
    line = await _found(request, door)
    letter = await people.letter(line.id)
    values: Mapping[str, str] = {"subject": letter.subject, "text": letter.text}
    if request.method != "POST":
        return await _one(request, door, line, values)
    values = {name: str(value) for name, value in (await forms.form_data(request)).items()}
    try:
        await letters.rewrite(
            actor=door.actor,
            letter_id=line.id,
            subject=values.get("subject", ""),
            text=values.get("text", ""),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _one(request, door, line, values, wrong=refusal.fields, status=422)
    except Conflict as refusal:
        words = render.words_for(refusal.code, refusal.params)
        return await _one(request, door, line, values, trouble=words, status=409)
    here = render.url(ONE, slug=door.event.slug, letter_id=line.id)
    return render.see_other(render.with_query(here, done="saved"))


async def _found(request: Request, door: Door) -> LetterLine:
    return await speaker_letters.find(
        door.event.id, shared.whole_id(str(request.path_params["letter_id"])) or 0
    )


async def _one(
    request: Request,
    door: Door,
    line: LetterLine,
    values: Mapping[str, str],
    *,
    wrong: Mapping[str, Problem] | None = None,
    trouble: str = "",
    status: int = 200,
) -> Response:
    slug = door.event.slug
    page = LetterPage(
        **access.frame(door, LIST),
        done=_done(request) if not trouble else "",
        trouble=trouble,
        values=values,
        problems=wrong or {},
        line=_line(door, line),
        text=(await people.letter(line.id)).text,
        post=await post_of(door),
        language=_LANGUAGES.get(line.locale, line.locale),
        may_change=line.state in UNSENT,
        list_href=render.url(LIST, slug=slug),
        proposal_href=render.url("agenda.desk.proposal", slug=slug, code=line.proposal_code)
        if line.proposal_code and door.may(Permission.SEE_PROPOSALS)
        else "",
    )
    return await render.page(request, page, status)


async def act(request: Request, door: Door) -> Response:
    """Sends, holds or discards one letter."""
    line = await _found(request, door)
    chosen = shared.word_of(LetterAct, shared.typed_values(await forms.form_data(request)).get("act"))
    if chosen is None or str(chosen) not in dict(letter_acts(line.state)):
        return await _list(request, door, trouble=render.words_for("letter_not_in_this_state"), status=409)
    try:
        await letters.act(actor=door.actor, letter_id=line.id, act=chosen, at=shared.now())
    except Conflict as refusal:
        return await _list(request, door, trouble=render.words_for(refusal.code), status=409)
    here = render.url(LIST, slug=door.event.slug)
    done = {LetterAct.SEND: "sent", LetterAct.RETRY: "sent", LetterAct.DISCARD: "dropped"}.get(
        chosen, "saved"
    )
    return render.see_other(render.with_query(here, done=done, many="1"))


# --- words -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TemplatesPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_letter_templates.html"
    tabs: Sequence[tuple[str, str, bool]]
    #: (address, occasion, subject, kind and words of whose they are)
    lines: Sequence[tuple[str, str, str, tuple[str, str]]]


async def templates(request: Request, door: Door) -> Response:
    locale = i18n.current_locale()
    page = TemplatesPage(
        **access.frame(door, LIST),
        done=shared.done_words(request),
        tabs=tabs(door, TEMPLATE_LIST),
        lines=[
            (
                render.url(TEMPLATE, slug=door.event.slug, code=str(one.occasion)),
                occasion_words(one.occasion),
                one.words.subject.in_(locale),
                ("note", i18n.gettext("your own")) if one.own else ("plain", i18n.gettext("the house's")),
            )
            for one in await letter_templates.of_event(door.event.id)
        ],
    )
    return await render.page(request, page)


@dataclass(frozen=True, kw_only=True)
class TemplatePage(DeskPage):
    template: ClassVar[str] = "agenda/desk_letter_template.html"
    title: str
    langs: Sequence[tuple[str, str]]
    is_own: bool
    placeholders: Sequence[tuple[str, str]]
    #: (language, subject, text) as a reader would see them
    previews: Sequence[tuple[str, str, str]]
    proposal: str
    proposal_unknown: bool
    list_href: str


def _placeholders(occasion: Occasion) -> list[tuple[str, str]]:
    return [
        (f"{{{name}}}", i18n.gettext(PLACEHOLDER_WORDS[name]))
        for name in Placeholder
        if name in KNOWN[occasion]
    ]


async def template(request: Request, door: Door) -> Response:
    """The words of one occasion; ``proposal`` in the address names one to read them with."""
    occasion = shared.word_of(Occasion, request.path_params["code"])
    if occasion not in TEMPLATES:
        raise NotFound()
    known = await letter_templates.find(door.event.id, occasion)
    words, wrong = known.words, {}
    values = {**shared.spread("subject", words.subject), **shared.spread("text", words.text)}
    look_only = False
    if request.method == "POST":
        values = shared.typed_values(await forms.form_data(request))
        look_only = values.get("act") == "look"
        own = known.own or Words(LocalizedText(), LocalizedText())
        if values.get("act") == "reset":
            subject, text = LocalizedText(), LocalizedText()
        else:
            subject = shared.gathered(values, "subject", own.subject)
            text = _unwrapped(shared.gathered(values, "text", own.text))
        wrong = problems(occasion, subject, text)
        if not wrong:
            subject, text = _without_the_houses(occasion, subject, text)
            words = Words(subject, text).over(letter_templates.house(occasion))
        if not wrong and not look_only:
            await letter_templates.change(
                actor=door.actor,
                event_id=door.event.id,
                occasion=occasion,
                subject=subject,
                text=text,
                at=shared.now(),
            )
            here = render.url(TEMPLATE, slug=door.event.slug, code=str(occasion))
            return render.see_other(render.with_query(here, done="saved"))
    code = (values.get("proposal") or request.query_params.get("proposal", "")).strip()[:10]
    proposal = await cfp_queries.find_proposal(door.event.id, code) if code else None
    if proposal is not None and proposal.state is ProposalState.DRAFT:
        proposal = None  # its writers' own
    previews = await speaker_letters.preview(
        door.event, occasion, words, proposal_id=proposal.id if proposal else None
    )
    page = TemplatePage(
        **access.frame(door, LIST),
        done=shared.done_words(request) if not wrong else "",
        values=values,
        problems=wrong,
        title=occasion_words(occasion),
        langs=lang_boxes(),
        is_own=known.own is not None,
        placeholders=_placeholders(occasion),
        previews=[(_LANGUAGES.get(locale, locale), subject, text) for locale, subject, text in previews],
        proposal=code,
        proposal_unknown=bool(code) and proposal is None,
        list_href=render.url(TEMPLATE_LIST, slug=door.event.slug),
    )
    return await render.page(request, page, 422 if wrong else 200)


def _without_the_houses(
    occasion: Occasion, subject: LocalizedText, text: LocalizedText
) -> tuple[LocalizedText, LocalizedText]:
    """What is the house's word for word stays the house's, and follows it when that changes."""
    house = letter_templates.house(occasion)
    same = {
        tag for tag in text if (subject.get(tag), text[tag]) == (house.subject.get(tag), house.text.get(tag))
    }
    kept = [{tag: words for tag, words in one.items() if tag not in same} for one in (subject, text)]
    return LocalizedText(kept[0]), LocalizedText(kept[1])


def _unwrapped(text: LocalizedText) -> LocalizedText:
    # A browser sends CR LF; the words are compared with those that were stored.
    return LocalizedText({tag: words.replace("\r\n", "\n") + "\n" for tag, words in text.items()})


# --- a message by hand -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_letter_new.html"
    tabs: Sequence[tuple[str, str, bool]]
    form_id: str
    langs: Sequence[tuple[str, str]]
    states: Sequence[tuple[str, str]]
    chosen: Sequence[str]
    types: Sequence[tuple[str, str]]
    forums: Sequence[tuple[str, str]]
    tags: Sequence[tuple[str, str]]
    missing: Sequence[tuple[str, str]]
    placeholders: Sequence[tuple[str, str]]
    is_looked_at: bool
    many: int
    same: int
    without: int
    readers: Sequence[str]
    more: int
    previews: Sequence[tuple[str, str, str]]


#: Names that the preview lists.
_SHOWN: Final = 12


async def new(request: Request, door: Door) -> Response:
    """A message to whom conditions name: looked at with its readers first, then drafted to each."""
    values: Mapping[str, str] = {}
    chosen: Sequence[str] = [str(ProposalState.ACCEPTED), str(ProposalState.CONFIRMED)]
    form, wrong, looked = str(uuid4()), dict[str, Problem](), None
    if request.method == "POST":
        data = await forms.form_data(request)
        values, chosen = shared.typed_values(data), shared.chosen_many(data, "states")
        form = str(forms.form_id(values))
        words = Words(shared.gathered(values, "subject"), shared.gathered(values, "text"))
        wrong = problems(
            Occasion.MESSAGE, words.subject, words.text, tags=[tag for tag, _ in lang_boxes()], optional=False
        )
        if not wrong:
            tellings = await speaker_letters.audience(door.event.id, _audience(values, chosen))
            if values.get("act") == "draft":
                many = await _draft_message(
                    door, form, values=values, chosen=chosen, words=words, tellings=tellings
                )
                return _drafted(door, Occasion.MESSAGE, many)
            looked = await speaker_letters.look(
                event_id=door.event.id, code=Occasion.MESSAGE, tellings=tellings, words=words
            )
            if not looked[0] and not looked[1]:
                wrong = {"states": Problem(LetterCode.NOBODY)}
    page = await _new_page(request, door, values=values, chosen=chosen, form=form, wrong=wrong, looked=looked)
    return await render.page(request, page, 422 if wrong else 200)


def _audience(values: Mapping[str, str], chosen: Sequence[str]) -> Audience:
    states = {shared.word_of(ProposalState, one) for one in chosen}
    return Audience(
        states=frozenset(state for state in states if state is not None),
        forum_id=shared.whole_id(values.get("forum")),
        session_type_id=shared.whole_id(values.get("type")),
        tag_id=shared.whole_id(values.get("tag")),
        missing=shared.word_of(Missing, values.get("missing")),
    )


async def _draft_message(
    door: Door,
    form: str,
    *,
    values: Mapping[str, str],
    chosen: Sequence[str],
    words: Words,
    tellings: Sequence[Telling],
) -> int:
    """Once for a form; gives how many letters it made."""
    at = shared.now()

    async def action() -> Mapping[str, Any]:
        made = await speaker_letters.draft(
            actor=door.actor,
            event_id=door.event.id,
            code=Occasion.MESSAGE,
            tellings=tellings,
            at=at,
            words=words,
        )
        return {"letters": len(made.letter_ids)}

    said = {"message": door.event.id, "values": dict(values), "states": list(chosen)}
    outcome = await replays.once(
        id=forms.form_id({"form": form}), actor_key=door.actor.key, body=said, at=at, action=action
    )
    return int(outcome["letters"])


async def _new_page(
    request: Request,
    door: Door,
    *,
    values: Mapping[str, str],
    chosen: Sequence[str],
    form: str,
    wrong: Mapping[str, Problem],
    looked: Any,
) -> NewPage:
    locale, event_id = i18n.current_locale(), door.event.id
    written, same, without = looked or ((), 0, ())
    firsts: dict[str, tuple[str, str, str]] = {}
    for one in written:
        firsts.setdefault(one.locale, (_LANGUAGES.get(one.locale, one.locale), one.subject, one.text))
    return NewPage(
        **access.frame(door, LIST),
        done=shared.done_words(request),
        values=values,
        problems=wrong,
        tabs=tabs(door, NEW),
        form_id=form,
        langs=lang_boxes(),
        states=[(str(one), state_words(one)) for one in ProposalState if one is not ProposalState.DRAFT],
        chosen=chosen,
        types=[(str(one.id), one.name.in_(locale)) for one in await cfp_queries.session_types(event_id)],
        forums=[(str(one.id), one.name.in_(locale)) for one in await cfp_queries.forums(event_id)],
        tags=[(str(one.id), one.name.in_(locale)) for one in await cfp_queries.tags(event_id)],
        missing=[(str(one), i18n.gettext(MISSING_WORDS[one])) for one in Missing],
        placeholders=_placeholders(Occasion.MESSAGE),
        is_looked_at=looked is not None and not wrong,
        many=len(written),
        same=same,
        without=len(without),
        readers=[one.to_email for one in written[:_SHOWN]],
        more=max(0, len(written) - _SHOWN),
        previews=list(firsts.values()),
    )


_MAY: Final = Permission.DECIDE
_BOTH: Final = ("GET", "POST")
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/letters", listed, LIST, _MAY),
    access.route("/e/{slug}/desk/letters/act", act_on_all, "agenda.desk.letters_act", _MAY, ("POST",)),
    access.route(
        "/e/{slug}/desk/letters/drafts", remind_of_drafts, "agenda.desk.letters_drafts", _MAY, ("POST",)
    ),
    access.route("/e/{slug}/desk/letters/new", new, NEW, _MAY, _BOTH),
    access.route("/e/{slug}/desk/letters/templates", templates, TEMPLATE_LIST, _MAY),
    access.route("/e/{slug}/desk/letters/templates/{code}", template, TEMPLATE, _MAY, _BOTH),
    access.route("/e/{slug}/desk/letters/{letter_id}", one, ONE, _MAY, _BOTH),
    access.route("/e/{slug}/desk/letters/{letter_id}/act", act, "agenda.desk.letter_act", _MAY, ("POST",)),
]
