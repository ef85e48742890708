"""One's own proposals: how they stand, what is needed next, and everything that their speakers do with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_queries, joining, proposals, resources
from agenda.cfp_form import labels_of
from agenda.cfp_queries import ProposalFacts
from agenda.cfp_shown import (
    CALL,
    EDIT,
    INSIDE,
    LANG_BOXES,
    ONE,
    OWN,
    STATE_KINDS,
    Person,
    Text,
    actor_names,
    allowed,
    asked_along,
    back_to,
    call_window,
    done_words,
    history_lines,
    holds_of,
    left_words,
    new_href,
    number_in,
    open_call,
    own_proposal,
    person_line,
    picture_response,
    refusal_words,
    require_person,
    said_of,
    state_words,
    texts_of,
)
from agenda.proposal_rules import (
    CallWindow,
    Condition,
    JoinState,
    ProposalCode,
    ProposalState,
    Verb,
    Who,
    fallback,
    may_discard,
    may_edit,
    missing,
    moves_of,
)
from agenda.proposals import World
from agenda.words import PURPOSE_WORDS
from events import access
from events.access import Door
from events.desk import shared
from events.desk.answers import file_response
from events.rules import EventFacts, Permission
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from kernel.text import N_
from web import i18n, render
from web.render import Context
from web.routing import Entry


@dataclass(frozen=True, slots=True)
class OwnLine:
    href: str
    title: str
    state: tuple[str, str]
    meta: str


@dataclass(frozen=True, kw_only=True)
class OwnPage(Context):
    template: ClassVar[str] = "agenda/cfp_own.html"
    lines: Sequence[OwnLine]
    asked: Sequence[tuple[str, str]]
    is_open: bool
    left: str
    new_href: str
    call_href: str
    #: What a speaker does beside the proposal: slides, travel, the profile. Empty before there is something to do.
    speaker_href: str
    done: str


async def own(request: Request, door: Door) -> Response:
    require_person(door)
    at_hand, at = await proposals.world(door.event.id), datetime.now(UTC)
    locale = i18n.current_locale()
    types = {one.id: one.name.in_(locale) for one in at_hand.types} if at_hand else {}
    found = await cfp_queries.own_proposals(event_id=door.event.id, account_id=door.actor.id)
    is_open = at_hand is not None and call_window(at_hand, at) is CallWindow.OPEN
    page = OwnPage(
        **access.frame(door, CALL),
        lines=[
            OwnLine(
                render.url(ONE, slug=door.event.slug, code=one.code),
                one.title.in_(locale) or i18n.gettext("Without a title yet"),
                (STATE_KINDS[one.state], state_words(one.state)),
                shared.joined(
                    types.get(one.session_type_id or 0, ""),
                    "、".join(name.in_(locale) for name in one.speakers if name.in_(locale))
                    if locale != "en"
                    else ", ".join(name.in_(locale) for name in one.speakers if name.in_(locale)),
                    i18n.gettext("changed %(when)s") % {"when": render.ago(one.updated_at, at)},
                ),
            )
            for one in found
        ],
        asked=await asked_along(door, at),
        is_open=is_open,
        left=left_words(at_hand.call, at, door.event.time_zone) if at_hand and is_open else "",
        new_href=new_href(door),
        call_href=render.url(CALL, slug=door.event.slug) if at_hand else "",
        speaker_href=render.url("agenda.cfp.speaker", slug=door.event.slug)
        if any(one.state in _SPEAKS for one in found)
        else "",
        done=done_words(request),
    )
    return await render.page(request, page)


#: From here on there is something to do on a speaker's own page.
_SPEAKS: Final = frozenset({ProposalState.INVITED, ProposalState.ACCEPTED, ProposalState.CONFIRMED})


@dataclass(frozen=True, slots=True)
class Waiting:
    email: str
    state: str
    until: str
    again_href: str
    retract_href: str


@dataclass(frozen=True, slots=True)
class Resource:
    title: str
    href: str
    purpose: str
    remove_href: str


@dataclass(frozen=True, kw_only=True)
class ProposalPage(Context):
    template: ClassVar[str] = "agenda/cfp_proposal.html"
    title: str
    code: str
    state: tuple[str, str]
    lead: str
    done: str
    trouble: str
    #: What is needed next, in words; empty when nothing is.
    next_step: str
    #: Labels of what is still missing.
    lacking: Sequence[str]
    edit_href: str
    #: (words, address, kind, question before it) of every move that may be made now
    acts: Sequence[tuple[str, str, str]]
    facts: Sequence[tuple[str, str]]
    texts: Sequence[Text]
    people: Sequence[Person]
    waiting: Sequence[Waiting]
    resources: Sequence[Resource]
    allows: Sequence[tuple[str, str]]
    history: Sequence[tuple[str, str, str]]
    own_href: str
    discard_href: str


_ACTS: Final[Mapping[Verb, tuple[str, str, str]]] = {
    Verb.SUBMIT: (N_("Hand in"), "agenda.cfp.submission", "primary"),
    Verb.CONFIRM: (N_("Confirm: I will be there"), "agenda.cfp.confirmation", "primary"),
    Verb.DECLINE: (N_("I can't come"), "agenda.cfp.refusal", "secondary"),
    Verb.REOPEN: (N_("Hand in again"), "agenda.cfp.reopening", "secondary"),
    Verb.WITHDRAW: (N_("Withdraw"), "agenda.cfp.withdrawal", "danger"),
}


def _next_step(
    at_hand: World, proposal: ProposalFacts, event: EventFacts, at: datetime, lacking: Sequence[str]
) -> str:
    call, zone = at_hand.call, event.time_zone
    match proposal.state:
        case ProposalState.DRAFT:
            when = render.moment(call.closes_at, zone) if call.closes_at and call.closes_at > at else ""
            if lacking:
                return i18n.gettext("This is a draft: nobody but its writers sees it. A little is missing.")
            return (
                i18n.gettext("This is a draft. Hand it in until %(when)s.") % {"when": when}
                if when
                else i18n.gettext("This is a draft: nobody but its writers sees it.")
            )
        case ProposalState.INVITED:
            return i18n.gettext("You are asked to speak. Will you come?")
        case ProposalState.SUBMITTED | ProposalState.WAITLISTED:
            if call.notify_by and call.notify_by > at:
                when = render.moment(call.notify_by, zone)
                return i18n.gettext("We have it. You hear from us by %(when)s.") % {"when": when}
            return i18n.gettext("We have it, and will write to you.")
        case ProposalState.ACCEPTED:
            if call.confirm_by:
                when = render.moment(call.confirm_by, zone)
                return i18n.gettext("Accepted! Please confirm by %(when)s that you will be there.") % {
                    "when": when
                }
            return i18n.gettext("Accepted! Please confirm that you will be there.")
        case ProposalState.CONFIRMED if call.slides_due_at and call.slides_due_at > at:
            when = render.moment(call.slides_due_at, zone)
            return i18n.gettext("Please send your slides by %(when)s.") % {"when": when}
        case _:
            return ""


async def one(request: Request, door: Door) -> Response:
    """A proposal as its speakers see it: how it stands, what is needed next, how it will read."""
    require_person(door)
    return await _one_page(request, door)


async def _one_page(request: Request, door: Door, *, trouble: str = "", status: int = 200) -> Response:
    proposal, who = await own_proposal(request, door)
    at_hand, at = await proposals.world(door.event.id), datetime.now(UTC)
    if at_hand is None:
        raise NotFound(ProposalCode.UNKNOWN)
    slug, zone, locale = door.event.slug, door.event.time_zone, i18n.current_locale()
    lacks: dict[str, Problem] = {}
    if proposal.state is ProposalState.DRAFT:
        lacks = missing(await proposals.filled(at_hand, proposal, account_id=door.actor.id, at=at))
    labels = labels_of([("x", "")], [])
    questions = {one.question.name: one.question.label.in_(locale) for one in at_hand.fields}
    lacking = [questions.get(name) or labels.get(name) or labels.get(f"{name}.x", name) for name in lacks]
    holds = holds_of(at_hand, proposal, at, complete=not lacks)
    # Speaking for oneself: what a chair decides has pages of its own.
    verbs = moves_of(proposal.state, who=who & {Who.SPEAKER}, holds=holds)
    is_writer = Who.SPEAKER in who
    own_place = proposal.speaker_of(door.actor.id)
    is_open, phase_lets = Condition.CALL_OPEN in holds, at_hand.lets_edit(at)
    can_edit = may_edit(proposal.state, who=who, call_open=is_open, phase_lets=phase_lets)
    # What organisers prepare among themselves is not its speakers' to read.
    changes = [one for one in await cfp_queries.history(proposal.id) if one.verb not in INSIDE]
    names = await actor_names([one.actor_key for one in changes])

    def at_(name: str, **more: Any) -> str:
        return render.url(name, slug=slug, code=proposal.code, **more)

    shown, _ = fallback(proposal.title, locale)
    page = ProposalPage(
        **access.frame(door, CALL),
        title=shown or i18n.gettext("Without a title yet"),
        code=proposal.code,
        state=(STATE_KINDS[proposal.state], state_words(proposal.state)),
        lead=" / ".join(
            text for tag, text in proposal.title.items() if text != shown and tag in dict(LANG_BOXES)
        ),
        done=done_words(request) if not trouble else "",
        trouble=trouble,
        next_step=_next_step(at_hand, proposal, door.event, at, lacking) if is_writer else "",
        lacking=lacking,
        edit_href=at_(EDIT) if can_edit else "",
        acts=[
            (i18n.gettext(_ACTS[verb][0]), at_(_ACTS[verb][1]), _ACTS[verb][2])
            for verb in verbs
            if verb in _ACTS
        ],
        facts=said_of(proposal, at_hand),
        texts=texts_of(proposal, with_notes=True),
        people=[
            person_line(
                one,
                at_("agenda.cfp.leaving", speaker_id=one.speaker.id)
                if can_edit and len(proposal.speakers) > 1 and is_writer
                else "",
            )
            for one in proposal.speakers
        ],
        waiting=[
            Waiting(
                email=one.email,
                state=_join_words(one, at),
                until=render.moment(one.expires_at, zone) if one.state is JoinState.OPEN else "",
                again_href=at_("agenda.cfp.ask_again", join_id=one.id)
                if can_edit and one.state is JoinState.OPEN
                else "",
                retract_href=at_("agenda.cfp.retraction", join_id=one.id)
                if can_edit and one.state in (JoinState.OPEN, JoinState.PARKED)
                else "",
            )
            for one in proposal.invitations
            if one.state is not JoinState.JOINED
        ],
        resources=[
            Resource(
                one.title,
                one.url or at_("agenda.cfp.file", resource_id=one.id),
                i18n.gettext(PURPOSE_WORDS[one.purpose]),
                at_("agenda.cfp.resource_removal", resource_id=one.id) if can_edit else "",
            )
            for one in proposal.resources
        ],
        allows=allowed(own_place) if own_place else (),
        history=history_lines(changes, names, zone),
        own_href=render.url(OWN, slug=slug),
        discard_href=at_("agenda.cfp.discard") if may_discard(proposal.state, who=who) else "",
    )
    return await render.page(request, page, status)


def _join_words(found: cfp_queries.JoinFacts, at: datetime) -> str:
    match found.state:
        case JoinState.PARKED:
            return i18n.gettext("gets a letter when you hand in")
        case JoinState.OPEN:
            return i18n.gettext("has not answered yet") if found.expires_at > at else i18n.gettext("expired")
        case JoinState.DECLINED:
            return i18n.gettext("declined")
        case _:
            return i18n.gettext("taken back")


def _moving(verb: Verb, done: str) -> Any:
    async def handler(request: Request, door: Door) -> Response:
        require_person(door)
        proposal, who = await own_proposal(request, door)
        at_hand, at = await open_call(door), datetime.now(UTC)
        try:
            if verb is Verb.SUBMIT:
                await proposals.submit(
                    actor=door.actor,
                    at_hand=at_hand,
                    proposal_id=proposal.id,
                    who=who & {Who.SPEAKER},
                    at=at,
                )
            else:
                complete = not missing(
                    await proposals.filled(at_hand, proposal, account_id=door.actor.id, at=at)
                )
                await proposals.move(
                    actor=door.actor,
                    event_id=door.event.id,
                    proposal_id=proposal.id,
                    verb=verb,
                    who=who & {Who.SPEAKER},
                    holds=holds_of(at_hand, proposal, at, complete=complete),
                    at=at,
                )
        except Invalid as refusal:
            first = next(iter(refusal.fields.values()))
            return await _one_page(request, door, trouble=render.problem_text(first), status=422)
        except (Conflict, Forbidden) as refusal:
            return await _one_page(request, door, trouble=refusal_words(refusal), status=refusal.status)
        return back_to(door, proposal, done)

    return handler


async def _discard(request: Request, door: Door) -> Response:
    require_person(door)
    proposal, who = await own_proposal(request, door)
    try:
        await proposals.discard(actor=door.actor, proposal=proposal, who=who, at=datetime.now(UTC))
    except (Conflict, Forbidden) as refusal:
        return await _one_page(request, door, trouble=refusal_words(refusal), status=refusal.status)
    return render.see_other(render.with_query(render.url(OWN, slug=door.event.slug), done="discarded"))


async def _editable(request: Request, door: Door) -> ProposalFacts:
    require_person(door)
    proposal, who = await own_proposal(request, door)
    at_hand, at = await open_call(door), datetime.now(UTC)
    call_open = proposals.call_open_for(at_hand, proposal, at)
    if not may_edit(proposal.state, who=who, call_open=call_open, phase_lets=at_hand.lets_edit(at)):
        raise Forbidden(ProposalCode.NOT_EDITABLE)
    return proposal


async def _retract(request: Request, door: Door) -> Response:
    proposal = await _editable(request, door)
    await joining.retract(
        actor=door.actor,
        proposal_id=proposal.id,
        join_id=number_in(request, "join_id"),
        at=datetime.now(UTC),
    )
    return back_to(door, proposal, "retracted")


async def _ask_again(request: Request, door: Door) -> Response:
    proposal = await _editable(request, door)
    await joining.send_again(
        actor=door.actor,
        proposal_id=proposal.id,
        join_id=number_in(request, "join_id"),
        at=datetime.now(UTC),
    )
    return back_to(door, proposal, "asked_again")


async def _leave(request: Request, door: Door) -> Response:
    proposal = await _editable(request, door)
    number = number_in(request, "speaker_id")
    own_place = proposal.speaker_of(door.actor.id)
    try:
        await joining.leave(actor=door.actor, proposal=proposal, speaker_id=number, at=datetime.now(UTC))
    except Conflict as refusal:
        return await _one_page(request, door, trouble=refusal_words(refusal), status=refusal.status)
    if own_place is not None and own_place.speaker.id == number and proposal.account_id != door.actor.id:
        return render.see_other(render.with_query(render.url(OWN, slug=door.event.slug), done="left"))
    return back_to(door, proposal, "removed")


async def _remove_resource(request: Request, door: Door) -> Response:
    proposal = await _editable(request, door)
    await resources.remove(
        actor=door.actor,
        proposal_id=proposal.id,
        resource_id=number_in(request, "resource_id"),
        at=datetime.now(UTC),
    )
    return back_to(door, proposal, "removed")


async def _file(request: Request, door: Door) -> Response:
    proposal, _ = await own_proposal(request, door)
    data, name = await resources.file_of(
        proposal_id=proposal.id, resource_id=number_in(request, "resource_id")
    )
    return file_response(data, name)


async def _picture(request: Request, door: Door) -> Response:
    """The sender's own picture, for the form that shows it again."""
    proposal, _ = await own_proposal(request, door)
    return await picture_response(proposal.speaker_of(door.actor.id))


_MAY: Final = Permission.SUBMIT
_POST: Final = ("POST",)
_P: Final = "/e/{slug}/cfp/p/{code}"
ROUTES: list[Entry] = [
    access.route("/e/{slug}/cfp/own", own, OWN, _MAY),
    access.route(_P, one, ONE, _MAY),
    access.route(f"{_P}/submission", _moving(Verb.SUBMIT, "submitted"), "agenda.cfp.submission", _MAY, _POST),
    access.route(
        f"{_P}/withdrawal", _moving(Verb.WITHDRAW, "withdrawn"), "agenda.cfp.withdrawal", _MAY, _POST
    ),
    access.route(f"{_P}/reopening", _moving(Verb.REOPEN, "reopened"), "agenda.cfp.reopening", _MAY, _POST),
    access.route(
        f"{_P}/confirmation", _moving(Verb.CONFIRM, "confirmed"), "agenda.cfp.confirmation", _MAY, _POST
    ),
    access.route(f"{_P}/refusal", _moving(Verb.DECLINE, "declined"), "agenda.cfp.refusal", _MAY, _POST),
    access.route(f"{_P}/discard", _discard, "agenda.cfp.discard", _MAY, _POST),
    access.route(f"{_P}/speakers/{{speaker_id}}/leaving", _leave, "agenda.cfp.leaving", _MAY, _POST),
    access.route(f"{_P}/invitations/{{join_id}}/retraction", _retract, "agenda.cfp.retraction", _MAY, _POST),
    access.route(f"{_P}/invitations/{{join_id}}/letter", _ask_again, "agenda.cfp.ask_again", _MAY, _POST),
    access.route(f"{_P}/files/{{resource_id}}", _file, "agenda.cfp.file", _MAY),
    access.route(
        f"{_P}/files/{{resource_id}}/removal",
        _remove_resource,
        "agenda.cfp.resource_removal",
        _MAY,
        _POST,
    ),
    access.route(f"{_P}/picture", _picture, "agenda.cfp.picture", _MAY),
]
