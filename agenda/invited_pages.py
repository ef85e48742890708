"""Invited talks: who was asked and waits since when, one more, a whole line-up pasted, and asking again.

For chairs, for producers in their own forums, and for the helpers whom those named: these have no role, so the pages
stand outside the desk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from agenda import invited, proposals, speaker_queries
from agenda.cfp_shown import STATE_KINDS, language_words, refusal_words, state_words
from agenda.invited import NewTalk, Reach, Where
from agenda.line_up_rules import LineUpCode, Talk, language_of
from agenda.proposal_rules import ProposalState, Verb, moves_of
from agenda.proposals import World
from agenda.speaker_queries import InvitedTalk
from agenda.speakers import Entered
from events import access
from events.access import Door
from events.contacts import clean_line, normalise_email
from events.desk import shared
from events.desk.shared import DeskPage
from events.rules import Permission
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from kernel.text import N_, LocalizedText
from people import replays
from people.rules import PeopleCode
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "agenda.invited"
NEW: Final = "agenda.invited.new"
LINE_UP: Final = "agenda.invited.line_up"
ACT: Final = "agenda.invited.act"

_DONE: Final[Mapping[str, str]] = {
    "invited": N_(
        "Entered. Letters to those with an address wait in the outbox; to the others send the link on the speaker's page."
    ),
    "again": N_("Noted, and the letter waits in the outbox. We remind you again when nobody has answered."),
    "moved": N_("Saved."),
}


@dataclass(frozen=True, slots=True)
class Line:
    title: str
    href: str
    #: (name, the speaker's page)
    people: Sequence[tuple[str, str]]
    forum: str
    state: tuple[str, str]
    since: str
    #: When to ask again, in words; empty when nobody waits.
    follow_up: str
    is_due: bool
    act_href: str
    #: (value, words, kind)
    acts: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "agenda/invited.html"
    lines: Sequence[Line]
    whole: int
    due: int
    chips: Sequence[tuple[str, str, int, bool]]
    new_href: str
    line_up_href: str
    has_call: bool
    settings_href: str


async def _world(door: Door) -> World:
    found = await proposals.world(door.event.id)
    if found is None:
        raise NotFound()
    return found


async def listed(request: Request, door: Door) -> Response:
    return await _list_page(request, door)


async def _list_page(request: Request, door: Door, *, trouble: str = "", status: int = 200) -> Response:
    may, at = await invited.reach(door), shared.now()
    at_hand = await proposals.world(door.event.id)
    found = await speaker_queries.invited_talks(door.event.id, may.forum_ids)
    locale, slug = i18n.current_locale(), door.event.slug
    forums = {one.id: one.name.in_(locale) for one in at_hand.forums} if at_hand else {}
    wanted = request.query_params.get("show", "")
    kinds: dict[str, tuple[str, Any]] = {
        "": (i18n.gettext("All"), lambda one: True),
        "due": (i18n.gettext("Ask again now"), lambda one: one.is_due(at)),
        "open": (i18n.gettext("Not answered"), lambda one: one.state is ProposalState.INVITED),
        "yes": (i18n.gettext("Confirmed"), lambda one: one.state is ProposalState.CONFIRMED),
        "no": (i18n.gettext("Declined"), lambda one: one.state is ProposalState.DECLINED),
    }
    chosen = wanted if wanted in kinds else ""
    here = render.url(LIST, slug=slug)
    done = _DONE.get(request.query_params.get("done", ""), "")
    page = ListPage(
        **access.frame(door, LIST),
        done=i18n.gettext(done) if done and not trouble else "",
        trouble=trouble,
        lines=[_line(door, one, forums, may, at) for one in found if kinds[chosen][1](one)],
        whole=len(found),
        due=sum(one.is_due(at) for one in found),
        chips=[
            (words, render.with_query(here, **({"show": key} if key else {})), number, key == chosen)
            for key, (words, fits) in kinds.items()
            if (number := sum(1 for one in found if fits(one))) or key in ("", chosen)
        ],
        new_href=render.url(NEW, slug=slug),
        line_up_href=render.url(LINE_UP, slug=slug),
        has_call=at_hand is not None,
        settings_href=render.url("agenda.desk.call", slug=slug) if door.may(Permission.CHANGE_CALL) else "",
    )
    return await render.page(request, page, status)


_ACTS: Final[Mapping[Verb, tuple[str, str]]] = {
    Verb.CONFIRM: (N_("They said yes"), "secondary"),
    Verb.DECLINE: (N_("They said no"), "secondary"),
    Verb.CANCEL: (N_("Take the invitation back"), "quiet"),
}


def _line(door: Door, one: InvitedTalk, forums: Mapping[int, str], may: Reach, at: datetime) -> Line:
    locale, event = i18n.current_locale(), door.event
    acts: list[tuple[str, str, str]] = []
    if one.state in (ProposalState.INVITED, ProposalState.DECLINED):
        acts.append(("again", i18n.gettext("Ask again"), "secondary"))
    if one.state is ProposalState.INVITED:
        verbs = moves_of(one.state, who=may.who, holds=frozenset())
        acts += [
            (str(verb), i18n.gettext(words), kind) for verb, (words, kind) in _ACTS.items() if verb in verbs
        ]
    follow_up = ""
    if one.state is ProposalState.INVITED and one.follow_up_at is not None:
        when = render.day(one.follow_up_at, event.time_zone)
        follow_up = (
            i18n.gettext("ask again: due since %(when)s") % {"when": when}
            if one.is_due(at)
            else i18n.gettext("ask again on %(when)s") % {"when": when}
        )
    return Line(
        title=one.title.in_(locale),
        href=render.url("agenda.cfp.edit", slug=event.slug, code=one.code),
        people=[
            (
                shared.joined(
                    name.in_(locale) or i18n.gettext("Without a name yet"), organisation.in_(locale)
                ),
                render.url("agenda.speaker.page", slug=event.slug, code=code),
            )
            for code, name, organisation, _ in one.speakers
        ],
        forum=forums.get(one.forum_id or 0, ""),
        state=(STATE_KINDS[one.state], state_words(one.state)),
        since=i18n.gettext("asked %(when)s") % {"when": render.ago(one.invited_at, at)},
        follow_up=follow_up,
        is_due=one.is_due(at),
        act_href=render.url(ACT, slug=event.slug, code=one.code),
        acts=acts,
    )


async def act(request: Request, door: Door) -> Response:
    """Asked again, or the answer that somebody gave by another way."""
    proposal, may = await invited.part_in(door, request.path_params["code"])
    values, at = forms.typed(await forms.form_data(request)), shared.now()
    done = "moved"
    try:
        if values.get("verb") == "again":
            done = "again"
            await invited.ask_again(
                actor=door.actor,
                event_id=door.event.id,
                at_hand=await proposals.world(door.event.id),
                proposal_id=proposal.id,
                may=may,
                at=at,
            )
        else:
            verb = shared.word_of(Verb, values.get("verb"))
            if verb is None or verb not in _ACTS:
                raise NotFound()
            await proposals.move(
                actor=door.actor,
                event_id=door.event.id,
                proposal_id=proposal.id,
                verb=verb,
                who=may.who,
                at=at,
                reason=values.get("reason", "").strip()[:1000],
            )
    except (Conflict, Forbidden) as refusal:
        return await _list_page(request, door, trouble=refusal_words(refusal), status=refusal.status)
    return shared.back_to(door, LIST, done=done)


# --- one talk ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewPage(DeskPage):
    template: ClassVar[str] = "agenda/invited_new.html"
    form_id: str
    list_href: str
    types: Sequence[tuple[str, str]]
    forums: Sequence[tuple[str, str]]
    needs_forum: bool
    languages: Sequence[tuple[str, str]]


def _choices(at_hand: World, may: Reach) -> dict[str, Any]:
    locale = i18n.current_locale()
    return {
        "types": [(str(one.id), one.name.in_(locale)) for one in at_hand.types],
        "forums": [(str(one.id), one.name.in_(locale)) for one in at_hand.forums if may.covers(one.id)],
        "needs_forum": may.forum_ids is not None,
    }


def _first_choices(page: Mapping[str, Any]) -> dict[str, str]:
    """What a fresh form has chosen: the talk among the kinds, and the only forum."""
    types, forums = page["types"], page["forums"]
    chosen = {"session_type": types[min(1, len(types) - 1)][0]} if types else {}
    return chosen | ({"forum": forums[0][0]} if len(forums) == 1 else {})


def _where(values: Mapping[str, str]) -> Where:
    return Where(
        session_type_id=shared.whole_id(values.get("session_type")),
        forum_id=shared.whole_id(values.get("forum")),
    )


async def new(request: Request, door: Door) -> Response:
    may, at_hand = await invited.reach(door), await _world(door)
    choices = _choices(at_hand, may)
    values: Mapping[str, str] = _first_choices(choices)
    problems: Mapping[str, Problem] = {}
    form_id = uuid4()
    if request.method == "POST":
        values = shared.typed_values(await forms.form_data(request))
        form_id = forms.form_id(values)
        where, talk, wrong = _where(values), *_read_talk(values, at_hand)
        problems = {**where.problems(at_hand, may), **wrong, **talk.problems()}
        if not problems:
            try:
                await invited.invite(
                    actor=door.actor,
                    event_id=door.event.id,
                    at_hand=at_hand,
                    may=may,
                    where=where,
                    talks=[talk],
                    form_id=form_id,
                    at=shared.now(),
                )
                return shared.back_to(door, LIST, done="invited")
            except Invalid as refusal:
                problems = refusal.fields
    page = NewPage(
        **access.frame(door, LIST),
        values=values,
        problems=shared.at_boxes(problems, ["title", "name", "organisation", "job"]),
        form_id=str(form_id),
        list_href=render.url(LIST, slug=door.event.slug),
        languages=_languages(at_hand),
        **choices,
    )
    return await render.page(request, page, 422 if problems else 200)


def _languages(at_hand: World) -> Sequence[tuple[str, str]]:
    return [(tag, language_words(tag)) for tag in at_hand.call.languages]


def _read_talk(values: Mapping[str, str], at_hand: World) -> tuple[NewTalk, dict[str, Problem]]:
    wrong: dict[str, Problem] = {}
    email = ""
    if typed := values.get("email", ""):
        read = normalise_email(typed)
        if isinstance(read, Problem):
            wrong["email"] = Problem(PeopleCode.EMAIL_INVALID)
        else:
            email = read.key

    def text(name: str) -> LocalizedText:
        return LocalizedText.of(
            {tag: clean_line(part) for tag, part in shared.gathered(values, name).items()}
        )

    language = values.get("language", "")
    if language not in at_hand.call.languages:
        language = language_of("".join(text("title").values()))
        language = language if language in at_hand.call.languages else ""
    talk = NewTalk(
        title=text("title"),
        people=[
            Entered(name=text("name"), organisation=text("organisation"), title=text("job"), email=email)
        ],
        language=language,
    )
    return talk, wrong


# --- a line-up ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadLine:
    number: int
    title: str
    #: (name, organisation and position, e-mail)
    people: Sequence[tuple[str, str, str]]
    #: (what it is about, words)
    problems: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class LineUpPage(DeskPage):
    template: ClassVar[str] = "agenda/invited_line_up.html"
    form_id: str
    list_href: str
    types: Sequence[tuple[str, str]]
    forums: Sequence[tuple[str, str]]
    needs_forum: bool
    lines: Sequence[ReadLine] = field(default_factory=tuple)
    wrong: int = 0


#: What a problem of a line is about.
_PARTS: Final[Mapping[str, str]] = {
    "": N_("Whole line"),
    "title": N_("Title"),
    "name": N_("Speaker"),
    "organisation": N_("Organisation"),
    "position": N_("Position"),
    "email": N_("E-mail"),
}
#: A hundred lines of 300 characters.
_TEXT_MAX: Final = 60_000


async def line_up(request: Request, door: Door) -> Response:
    """A line-up pasted, looked through, and entered as a whole; what was pasted stands there until it is."""
    may, at_hand = await invited.reach(door), await _world(door)
    choices = _choices(at_hand, may)
    values: Mapping[str, str] = _first_choices(choices)
    problems: dict[str, Problem] = {}
    found: Sequence[Talk] = ()
    form_id = uuid4()
    if request.method == "POST":
        values = forms.typed(await forms.form_data(request))
        form_id, where = forms.form_id(values), _where(values)
        problems = where.problems(at_hand, may)
        try:
            found = await invited.read(
                event_id=door.event.id, text=values.get("text", "")[:_TEXT_MAX], where=where
            )
        except Invalid as refusal:
            problems |= refusal.fields
        is_again = (
            "apply" in values
            and not problems
            and await replays.is_known(id=form_id, actor_key=door.actor.key)
        )
        if "apply" in values and not problems and (is_again or not any(one.problems for one in found)):
            if not is_again:
                await invited.invite(
                    actor=door.actor,
                    event_id=door.event.id,
                    at_hand=at_hand,
                    may=may,
                    where=where,
                    talks=[invited.talk_of(one, at_hand.call.languages) for one in found],
                    form_id=form_id,
                    at=shared.now(),
                )
            return shared.back_to(door, LIST, done="invited")
        if "apply" in values and not problems:
            problems["text"] = Problem(LineUpCode.LINES_WRONG)
    page = LineUpPage(
        **access.frame(door, LIST),
        values=values,
        problems=problems,
        form_id=str(form_id),
        list_href=render.url(LIST, slug=door.event.slug),
        lines=[_read_line(one) for one in found],
        wrong=sum(bool(one.problems) for one in found),
        **choices,
    )
    return await render.page(request, page, 422 if problems else 200)


def _read_line(one: Talk) -> ReadLine:
    return ReadLine(
        number=one.number,
        title=one.title,
        people=[(who.name, shared.joined(who.organisation, who.position), who.email) for who in one.people],
        problems=[
            (i18n.gettext(_PARTS[name]), render.problem_text(problem))
            for name, problem in one.problems.items()
        ],
    )


_MAY: Final = Permission.SUBMIT
_BOTH: Final = ("GET", "POST")
ROUTES: list[Entry] = [
    access.route("/e/{slug}/invited", listed, LIST, _MAY),
    access.route("/e/{slug}/invited/new", new, NEW, _MAY, _BOTH),
    access.route("/e/{slug}/invited/line-up", line_up, LINE_UP, _MAY, _BOTH),
    access.route("/e/{slug}/invited/{code}", act, ACT, _MAY, ("POST",)),
]
