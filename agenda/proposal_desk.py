"""Proposals at the desk: a list to search, and a page for each, for everybody who may see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from agenda import bulk, cfp_queries, dashboard_pages, proposals, resources, review_queries, standing
from agenda.cfp_queries import ProposalFacts, Wanted
from agenda.cfp_shown import (
    STATE_KINDS,
    Text,
    actor_names,
    allowed,
    history_lines,
    language_words,
    person_line,
    picture_response,
    refusal_words,
    said_of,
    state_words,
    texts_of,
)
from agenda.dashboard_rules import sees_decision
from agenda.proposal_rules import DECISIONS, ProposalCode, ProposalState, Verb, fallback, may_pend, moves_of
from events import access
from events.access import Door
from events.desk import shared
from events.desk.answers import file_response
from events.desk.shared import DeskPage
from events.form_rules import in_words
from events.rules import Permission, fold
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "agenda.desk.proposals"
ONE: Final = "agenda.desk.proposal"


@dataclass(frozen=True, slots=True)
class Line:
    href: str
    title: str
    code: str
    speakers: str
    kind: str
    forum: str
    state: tuple[str, str]
    pending: str
    submitted: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_proposals.html"
    lines: Sequence[Line]
    whole: int
    total: int
    first: int
    last: int
    previous_href: str | None
    next_href: str | None
    clear_href: str
    text: str
    keep: Mapping[str, str]
    states: Sequence[tuple[str, str, int, bool]]
    types: Sequence[tuple[str, str]]
    forums: Sequence[tuple[str, str]]
    settings_href: str
    call_href: str
    import_href: str
    export_href: str


async def listed(request: Request, door: Door) -> Response:
    params, locale, slug = request.query_params, i18n.current_locale(), door.event.slug
    event_id = door.event.id
    wanted = Wanted(
        text=fold(params.get("q", ""))[:100],
        state=shared.word_of(ProposalState, params.get("state")),
        session_type_id=shared.whole_id(params.get("type")),
        forum_id=shared.whole_id(params.get("forum")),
        forum_ids=door.forum_scope(),
    )
    found = await cfp_queries.list_proposals(event_id, wanted, page=shared.whole_page(params.get("page")))
    types = {one.id: one.name.in_(locale) for one in await cfp_queries.session_types(event_id)}
    forums = {
        one.id: one.name.in_(locale)
        for one in await cfp_queries.forums(event_id)
        if wanted.forum_ids is None or one.id in wanted.forum_ids
    }
    prepared = [one.id for one in found.lines if one.pending_state]
    looks = await review_queries.looks(door, prepared, shared.now())
    told = {number for number, look in looks.items() if sees_decision(look.viewer, look.sees)}
    here = render.url(LIST, slug=slug)
    keep = {
        name: value
        for name, value in (
            ("q", params.get("q", "").strip()),
            ("state", str(wanted.state or "")),
            ("type", str(wanted.session_type_id or "")),
            ("forum", str(wanted.forum_id or "")),
        )
        if value
    }
    without = {name: value for name, value in keep.items() if name != "state"}
    whole = sum(found.states.values())
    first = (found.page - 1) * cfp_queries.PAGE_SIZE + 1 if found.lines else 0
    page = ListPage(
        **access.frame(door, LIST),
        done=shared.done_words(request),
        values={"type": keep.get("type", ""), "forum": keep.get("forum", "")},
        lines=[
            Line(
                href=render.url(ONE, slug=slug, code=one.code),
                title=fallback(one.title, locale)[0] or i18n.gettext("Without a title yet"),
                code=one.code,
                speakers=_names(one, locale),
                kind=types.get(one.session_type_id or 0, ""),
                forum=forums.get(one.forum_id or 0, ""),
                state=(STATE_KINDS[one.state], state_words(one.state)),
                pending=state_words(ProposalState(one.pending_state)) if one.id in told else "",
                submitted=render.day(one.submitted_at, door.event.time_zone) if one.submitted_at else "",
            )
            for one in found.lines
        ],
        whole=whole,
        total=found.total,
        first=first,
        last=first + len(found.lines) - 1 if found.lines else 0,
        previous_href=render.with_query(here, **keep, page=found.page - 1) if found.page > 1 else None,
        next_href=render.with_query(here, **keep, page=found.page + 1) if found.page < found.pages else None,
        clear_href=here,
        text=keep.get("q", ""),
        keep={name: value for name, value in keep.items() if name != "q"},
        states=[
            (i18n.gettext("All"), render.with_query(here, **without), whole, wanted.state is None),
            *(
                (
                    state_words(state),
                    render.with_query(here, **without, state=state),
                    found.states[state],
                    state is wanted.state,
                )
                for state in ProposalState
                if state in found.states
            ),
        ],
        types=[(str(number), name) for number, name in types.items()],
        forums=[(str(number), name) for number, name in forums.items()],
        settings_href=render.url("agenda.desk.call", slug=slug) if door.may(Permission.CHANGE_CALL) else "",
        import_href=render.url("agenda.desk.proposals_import", slug=slug)
        if door.may(Permission.CHANGE_PROPOSALS)
        else "",
        export_href=render.url("agenda.desk.proposals_export", slug=slug),
        call_href=render.url("agenda.cfp", slug=slug) if await cfp_queries.find_call(event_id) else "",
    )
    return await render.page(request, page)


def _names(one: cfp_queries.ProposalLine, locale: str) -> str:
    names = [name.in_(locale) for name in one.speakers if name.in_(locale)]
    said = (", " if locale == "en" else "、").join(names)
    if one.waiting:
        said += " +" + str(one.waiting)
    return said.strip()


# --- one proposal ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeskPerson:
    name: str
    about: str
    email: str
    bio: Any
    picture_src: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class OnePage(DeskPage):
    template: ClassVar[str] = "agenda/desk_proposal.html"
    proposal_id: int
    title: str
    lead: str
    code: str
    state: tuple[str, str]
    pending: str
    review: dashboard_pages.ReviewSide
    facts: Sequence[tuple[str, str]]
    texts: Sequence[Text]
    people: Sequence[DeskPerson]
    waiting: Sequence[tuple[str, str]]
    resources: Sequence[tuple[str, str, str]]
    answers: Sequence[tuple[str, str]]
    history: Sequence[tuple[str, str, str]]
    #: (value, words, chosen) of the decisions that may be prepared now
    decisions: Sequence[tuple[str, str, bool]]
    #: (value, words, kind) of moves that happen at once
    moves: Sequence[tuple[str, str, str]]
    edit_href: str
    list_href: str
    #: (words, address) of pages about its review, for whoever decides
    review_links: Sequence[tuple[str, str]]


#: Verbs in a history that say how a proposal is judged before anybody is told.
UNTOLD: Final = frozenset({"pend", "tag"})
_DESK_MOVES: Final[Mapping[Verb, tuple[str, str]]] = {
    Verb.CONFIRM: (N_("Confirm on the speaker's behalf"), "secondary"),
    Verb.REOPEN: (N_("Open again"), "secondary"),
    Verb.CANCEL: (N_("Cancel"), "danger"),
}
_JOIN_STATES: Final[Mapping[str, str]] = {
    "parked": N_("gets a letter when you hand in"),
    "open": N_("has not answered yet"),
    "declined": N_("declined"),
    "retracted": N_("taken back"),
}


_REVIEW_PAGES: Final = (
    (N_("Who reviews it"), "agenda.desk.proposal_reviewers"),
    (N_("Copy without names"), "agenda.desk.redaction"),
)


async def _found(request: Request, door: Door) -> ProposalFacts:
    proposal = await cfp_queries.find_proposal(door.event.id, request.path_params["code"])
    if proposal is None or not standing.may_see_on_desk(door, proposal):
        raise NotFound(ProposalCode.UNKNOWN)
    return proposal


async def one(request: Request, door: Door) -> Response:
    proposal = await _found(request, door)
    if request.method != "POST":
        return await _page(request, door, proposal)
    values = forms.typed(await forms.form_data(request))
    who, at = await standing.of(door, proposal), shared.now()
    try:
        if "decision" in values:
            state = shared.word_of(ProposalState, values["decision"])
            report = await bulk.decide(door=door, proposal_ids=[proposal.id], state=state, at=at)
            for problem in report.wrong.values():
                if problem.code != ProposalCode.MOVE_NOT_FROM_HERE:
                    raise Forbidden(ProposalCode.MOVE_NOT_YOURS)
                raise Conflict(problem.code, **problem.params)
        else:
            verb = shared.word_of(Verb, values.get("verb"))
            if verb is None or verb not in _DESK_MOVES:
                raise NotFound()
            await proposals.move(
                actor=door.actor,
                event_id=door.event.id,
                proposal_id=proposal.id,
                verb=verb,
                who=who,
                at=at,
                reason=values.get("reason", "").strip()[:1000],
            )
    except (Conflict, Forbidden) as refusal:
        said = refusal_words(refusal)
        return await _page(request, door, proposal, trouble=said, status=refusal.status)
    return render.see_other(
        render.with_query(render.url(ONE, slug=door.event.slug, code=proposal.code), done="saved")
    )


async def _page(
    request: Request, door: Door, proposal: ProposalFacts, *, trouble: str = "", status: int = 200
) -> Response:
    slug, zone, locale = door.event.slug, door.event.time_zone, i18n.current_locale()
    at_hand = await proposals.world(door.event.id)
    who = await standing.of(door, proposal)
    look = (await review_queries.looks(door, [proposal.id], shared.now()))[proposal.id]
    changes = await cfp_queries.history(proposal.id)
    if not sees_decision(look.viewer, look.sees):
        changes = [change for change in changes if change.verb not in UNTOLD]
    names = await actor_names([change.actor_key for change in changes])
    stored = await cfp_queries.answers_of(
        proposal_ids=[proposal.id], speaker_ids=[one.speaker.id for one in proposal.speakers]
    )
    fields = {one.id: one for one in (at_hand.fields if at_hand else ())}
    answers = [
        (
            fields[number].question.label.in_(locale),
            answer.filename or in_words(fields[number].question, answer.value, locale=locale),
        )
        for given in stored.values()
        for number, answer in given.items()
        if number in fields
    ]
    title, _ = fallback(proposal.title, locale)
    page = OnePage(
        **access.frame(door, LIST),
        done=shared.done_words(request) if not trouble else "",
        trouble=trouble,
        proposal_id=proposal.id,
        title=title or i18n.gettext("Without a title yet"),
        lead=" / ".join(text for text in proposal.title.values() if text != title),
        code=proposal.code,
        state=(STATE_KINDS[proposal.state], state_words(proposal.state)),
        pending=state_words(ProposalState(proposal.pending_state))
        if proposal.pending_state and sees_decision(look.viewer, look.sees)
        else "",
        review=await dashboard_pages.side_of(door, proposal.id, look),
        facts=[
            *said_of(proposal, at_hand),
            (
                i18n.gettext("Handed in on"),
                render.moment(proposal.submitted_at, zone) if proposal.submitted_at else "–",
            ),
        ],
        texts=texts_of(proposal, with_notes=True),
        people=[_person(door, proposal, one) for one in proposal.speakers],
        waiting=[
            (one.email, i18n.gettext(_JOIN_STATES[one.state]))
            for one in proposal.invitations
            if one.state in _JOIN_STATES
        ],
        resources=[
            (
                one.title,
                one.url
                or render.url("agenda.desk.proposal_file", slug=slug, code=proposal.code, resource_id=one.id),
                one.filename,
            )
            for one in proposal.resources
        ],
        answers=answers,
        history=history_lines(changes, names, zone),
        decisions=[
            (str(state), state_words(state), proposal.pending_state == state)
            for state in DECISIONS.values()
            if may_pend(proposal.state, state)
        ]
        if look.sees.may_decide
        else [],
        moves=[
            (str(verb), i18n.gettext(_DESK_MOVES[verb][0]), _DESK_MOVES[verb][1])
            for verb in moves_of(proposal.state, who=who, holds=frozenset())
            if verb in _DESK_MOVES
        ],
        edit_href=render.url("agenda.cfp.edit", slug=slug, code=proposal.code) if who else "",
        list_href=render.url(LIST, slug=slug),
        review_links=[
            (i18n.gettext(words), render.url(name, slug=slug, code=proposal.code))
            for words, name in _REVIEW_PAGES
        ]
        if door.may(Permission.DECIDE) and not standing.is_own(door.actor, proposal)
        else [],
    )
    return await render.page(request, page, status)


def _person(door: Door, proposal: ProposalFacts, place: cfp_queries.JoinedSpeaker) -> DeskPerson:
    words, speaker = person_line(place), place.speaker
    yes_no = {True: i18n.gettext("Yes"), False: i18n.gettext("No"), None: ""}
    facts = [
        *allowed(place),
        (i18n.gettext("Travel support"), yes_no[speaker.wants_travel_support]),
        (i18n.gettext("About the travel"), speaker.travel_note),
        (i18n.gettext("When they are there"), _spans(speaker.availability, door.event.time_zone)),
        (i18n.gettext("Language"), language_words(speaker.locale)),
    ]
    return DeskPerson(
        name=words.name,
        about=words.about,
        email=speaker.email,
        bio=words.bio,
        picture_src=render.url(
            "agenda.desk.speaker_picture", slug=door.event.slug, code=proposal.code, speaker_id=speaker.id
        )
        if speaker.picture_upload_id
        else "",
        facts=[(term, value) for term, value in facts if value],
    )


def _spans(spans: list[tuple[Any, Any]] | None, zone: str) -> str:
    if spans is None:
        return ""
    return "; ".join(f"{render.moment(begin, zone)} – {render.moment(end, zone)}" for begin, end in spans)


async def _file(request: Request, door: Door) -> Response:
    proposal = await _found(request, door)
    number = shared.whole_id(request.path_params["resource_id"])
    if number is None:
        raise NotFound()
    data, name = await resources.file_of(proposal_id=proposal.id, resource_id=number)
    return file_response(data, name)


async def _picture(request: Request, door: Door) -> Response:
    proposal = await _found(request, door)
    number = shared.whole_id(request.path_params["speaker_id"])
    place = next((one for one in proposal.speakers if one.speaker.id == number), None)
    return await picture_response(place)


_MAY: Final = Permission.SEE_PROPOSALS
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/proposals", listed, LIST, _MAY),
    access.route("/e/{slug}/desk/proposals/{code}", one, ONE, _MAY, ("GET", "POST")),
    access.route(
        "/e/{slug}/desk/proposals/{code}/files/{resource_id}", _file, "agenda.desk.proposal_file", _MAY
    ),
    access.route(
        "/e/{slug}/desk/proposals/{code}/speakers/{speaker_id}/picture",
        _picture,
        "agenda.desk.speaker_picture",
        _MAY,
    ),
]
