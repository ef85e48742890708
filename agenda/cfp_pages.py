"""The call for everybody, and the page behind a co-speaker's link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_queries, joining
from agenda.cfp_shown import (
    CALL,
    JOIN,
    ONE,
    OWN,
    asked_along,
    back_to,
    call_window,
    language_words,
    latest_closing,
    left_words,
    look_at_code,
    new_href,
    open_call,
    require_person,
)
from agenda.proposal_rules import (
    CallWindow,
    JoinState,
    ProposalCode,
)
from events import access
from events.access import Door
from events.rules import EventFacts, Permission
from kernel.errors import Conflict, Forbidden
from people import rules as people_rules
from web import forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry

#: The invitation that this browser has opened, through the sign-in.
JOIN_COOKIE: Final = "huiwu_join"


JOIN_LASTS: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TypeLine:
    name: str
    description: str
    minutes: int
    closes: str
    needs_code: bool


@dataclass(frozen=True, slots=True)
class ForumLine:
    name: str
    description: str
    #: (name, organisation and position)
    producers: Sequence[tuple[str, str]]
    #: (name, address or "")
    communities: Sequence[tuple[str, str]]
    needs_code: bool


@dataclass(frozen=True, kw_only=True)
class CallPage(FormContext):
    template: ClassVar[str] = "agenda/cfp.html"
    #: not_yet, open, closed
    state: str
    is_published: bool
    #: How long is left, in words.
    left: str
    closes: str
    intro: Markup | None
    #: (when, what, past or next or "")
    dates: Sequence[tuple[str, str, str]]
    types: Sequence[TypeLine]
    forums: Sequence[ForumLine]
    languages: str
    new_href: str
    own_href: str
    #: Titles of what waits for this address, with the way to answer.
    asked: Sequence[tuple[str, str]]
    trouble: str = ""


async def call_page(request: Request, door: Door) -> Response:
    at_hand, at = await open_call(door), datetime.now(UTC)
    event, locale = door.event, i18n.current_locale()
    typed = request.query_params.get("code", "").strip()[:40]
    trouble = ""
    if typed:
        problem = await look_at_code(request, door, typed, at)
        if problem is None:
            return render.see_other(render.with_query(new_href(door), code=typed))
        trouble = render.problem_text(problem)
    call = at_hand.call
    state = call_window(at_hand, at)
    intro = call.intro.in_(locale)
    closes = latest_closing(at_hand)
    page = CallPage(
        **access.frame(door, CALL),
        values={"code": typed},
        state=str(state),
        is_published=call.is_published,
        left=left_words(call, at, event.time_zone) if state is CallWindow.OPEN else "",
        closes=render.moment(closes, event.time_zone) if closes else "",
        intro=render.markdown(intro) if intro else None,
        dates=_dates(call, event, at),
        types=[
            TypeLine(
                name=one.name.in_(locale),
                description=one.description.in_(locale),
                minutes=one.minutes,
                closes=render.moment(one.closes_at, event.time_zone) if one.closes_at else "",
                needs_code=one.needs_code,
            )
            for one in at_hand.types
            if one.is_active
        ],
        forums=[_forum_line(one, locale) for one in at_hand.forums if one.is_active],
        languages=(", " if locale == "en" else "、").join(language_words(tag) for tag in call.languages),
        new_href=new_href(door),
        own_href=render.url(OWN, slug=event.slug),
        asked=await asked_along(door, at),
        trouble=trouble,
    )
    return await render.page(request, page, 422 if trouble else 200)


def _forum_line(one: cfp_queries.ForumFacts, locale: str) -> ForumLine:
    return ForumLine(
        name=one.name.in_(locale),
        description=one.description.in_(locale),
        producers=[
            (
                person.name.in_(locale),
                " · ".join(
                    part for part in (person.organisation.in_(locale), person.title.in_(locale)) if part
                ),
            )
            for person in one.producers
        ],
        communities=[(group.name.in_(locale), group.url) for group in one.communities],
        needs_code=one.needs_code,
    )


def _dates(call: cfp_queries.CallFacts, event: EventFacts, at: datetime) -> Sequence[tuple[str, str, str]]:
    lines = [
        (call.opens_at, i18n.gettext("The call opens")),
        (call.closes_at, i18n.gettext("The call closes")),
        (call.review_by, i18n.gettext("Reviewed by")),
        (call.notify_by, i18n.gettext("You hear from us by")),
        (call.slides_due_at, i18n.gettext("Slides due")),
    ]
    known = sorted((when, words) for when, words in lines if when is not None)
    upcoming = next((when for when, _ in known if when > at), None)
    return [
        (
            render.moment(when, event.time_zone),
            words,
            "past" if when <= at else "next" if when == upcoming else "",
        )
        for when, words in known
    ]


async def home_links(event: EventFacts) -> Sequence[tuple[str, str, str]]:
    """The link on an event's home, where there is a call to read."""
    call = await cfp_queries.find_call(event.id)
    if call is None or not call.is_published:
        return ()
    return [(i18n.gettext("Call for proposals"), "presentation", render.url(CALL, slug=event.slug))]


@dataclass(frozen=True, kw_only=True)
class JoinPage(Context):
    template: ClassVar[str] = "agenda/cfp_join.html"
    #: ask (sign in first), open, mine, or no
    state: str
    why: str
    title: str
    abstract: str
    speakers: str
    email: str
    own_email: str
    until: str
    key: str
    sign_in_href: str
    proposal_href: str


async def join(request: Request, door: Door) -> Response:
    """The page behind a co-speaker's link; only a POST by the account with the invited address joins."""
    at = datetime.now(UTC)
    if request.method == "POST":
        return await _answer(request, door, at)
    typed = request.query_params.get("key")
    key = typed if typed is not None else request.cookies.get(JOIN_COOKIE, "")
    found = await joining.find_by_key(key) if key else None
    response = await _join_page(request, door, found, at)
    if typed is not None and found is not None:
        # The way through the sign-in: so that the key stands in no ``next`` and no table.
        signin.set_cookie(response, JOIN_COOKIE, key, lasts=JOIN_LASTS)
    return response


async def _join_page(
    request: Request, door: Door, found: cfp_queries.JoinFacts | None, at: datetime, status: int = 200
) -> Response:
    actor, locale = door.actor, i18n.current_locale()
    proposal = await cfp_queries.find_proposal_by_id(found.proposal_id) if found else None
    if found is None or proposal is None or proposal.event_id != door.event.id:
        found, proposal = None, None
    state, why = "no", ""
    if found is None:
        why, status = render.words_for(ProposalCode.JOIN_UNKNOWN), 404
    else:
        # Who has not signed in may yet turn out to be the right one.
        email = actor.email if actor.signed_in else found.email
        no = joining.why_not(found, at=at, email=email)
        if no is not None:
            why = render.words_for(no, {"email": people_rules.mask_email(found.email)})
            status = 403 if no is ProposalCode.JOIN_FOR_OTHER else 410
        elif found.state is JoinState.JOINED:
            state = "mine"
            if not actor.signed_in:
                state, why, status = "no", render.words_for(ProposalCode.JOIN_USED), 410
        else:
            state = "open" if actor.signed_in else "ask"
    shows = found is not None and proposal is not None and state != "no"
    people = [one.speaker.name.in_(locale) for one in proposal.speakers] if proposal and shows else []
    page = JoinPage(
        **access.frame(door, CALL),
        state=state,
        why=why,
        title=proposal.title.in_(locale) if proposal and shows else "",
        abstract=proposal.abstract.in_(locale) if proposal and shows else "",
        speakers=(", " if locale == "en" else "、").join(name for name in people if name),
        email=people_rules.mask_email(found.email) if found else "",
        own_email=actor.email,
        until=render.moment(found.expires_at, door.event.time_zone) if found and shows else "",
        key=joining.key_of(found.id, found.round) if found and shows else "",
        sign_in_href=render.with_query(
            render.url("people.sign_in"), next=render.url(JOIN, slug=door.event.slug)
        ),
        proposal_href=render.url(ONE, slug=door.event.slug, code=proposal.code)
        if proposal and state == "mine"
        else "",
    )
    return await render.page(request, page, status)


async def _answer(request: Request, door: Door, at: datetime) -> Response:
    values = forms.typed(await forms.form_data(request))
    found = await joining.find_by_key(values.get("key", ""))
    if found is None:
        return await _join_page(request, door, None, at)
    proposal = await cfp_queries.find_proposal_by_id(found.proposal_id)
    if proposal is None or proposal.event_id != door.event.id:
        return await _join_page(request, door, None, at)
    door.require(Permission.SUBMIT)
    require_person(door)
    try:
        if "decline" in values:
            await joining.decline(actor=door.actor, join_id=found.id, at=at)
            return render.see_other(render.with_query(render.url(OWN, slug=door.event.slug), done="declined"))
        await joining.accept(
            actor=door.actor,
            event_id=door.event.id,
            join_id=found.id,
            locale=i18n.current_locale(),
            at=at,
        )
    except (Conflict, Forbidden) as refusal:
        return await _join_page(
            request, door, await joining.find_by_key(values.get("key", "")), at, refusal.status
        )
    return back_to(door, proposal, "joined")


_ANY: Final = Permission.VIEW_PUBLIC
_BOTH: Final = ("GET", "POST")
ROUTES: list[Entry] = [
    access.route("/e/{slug}/cfp", call_page, CALL, _ANY),
    access.route("/e/{slug}/cfp/join", join, JOIN, _ANY, _BOTH),
]
