"""Prepared decisions at the desk: what would be told to whom, and the one press that makes all of it true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from agenda import cfp_queries, letters_desk, releases
from agenda.cfp_shown import STATE_KINDS, actor_names, state_words
from agenda.letters_desk import Post
from agenda.proposal_rules import DECISIONS, ProposalState
from agenda.releases import PendingDecision
from events import access
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage
from events.rules import Permission
from kernel.errors import Conflict
from people.rules import LetterState
from web import forms, i18n, render
from web.routing import Entry

PAGE: Final = "agenda.desk.decisions"


@dataclass(frozen=True, slots=True)
class Line:
    href: str
    title: str
    code: str
    forum: str
    kind: str
    now: tuple[str, str]
    readers: str
    #: How many of its speakers can't be written to; all of them where nobody can.
    mute: int


@dataclass(frozen=True, slots=True)
class Group:
    """The decisions of one kind."""

    words: str
    state: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Made:
    """A release of the past."""

    when: str
    who: str
    count: int
    drafts: int
    sent: int
    href: str


@dataclass(frozen=True, kw_only=True)
class DecisionsPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_decisions.html"
    post: Post
    groups: Sequence[Group]
    forums: Sequence[tuple[str, str, int | None, bool]]
    is_narrowed: bool
    total: int
    people: int
    #: Of all that would be released: without a speaker who has an address.
    mute: int
    lacks_deadline: bool
    call_href: str
    form_id: str
    stamp: str
    made: Sequence[Made]
    letters_href: str
    templates_href: str
    proposals_href: str


async def decisions(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _page(request, door)
    values = shared.typed_values(await forms.form_data(request))
    try:
        done = await releases.release(
            actor=door.actor,
            event_id=door.event.id,
            form_id=forms.form_id(values),
            seen=values.get("seen", ""),
            at=shared.now(),
        )
    except Conflict as refusal:
        return await _page(request, door, trouble=render.words_for(refusal.code), status=409)
    query = {
        "state": LetterState.DRAFT,
        "release": str(done.id),
        "done": "drafted",
        "many": str(done.letters),
    }
    return render.see_other(render.with_query(render.url(letters_desk.LIST, slug=door.event.slug), **query))


async def _page(request: Request, door: Door, *, trouble: str = "", status: int = 200) -> Response:
    event, slug, locale = door.event, door.event.slug, i18n.current_locale()
    found = await releases.pending(event.id)
    call = await cfp_queries.find_call(event.id)
    forums = {one.id: one.name.in_(locale) for one in await cfp_queries.forums(event.id)}
    types = {one.id: one.name.in_(locale) for one in await cfp_queries.session_types(event.id)}
    past = await releases.history(event.id)
    names = await actor_names([one.actor_key for one in past])
    here = render.url(PAGE, slug=slug)
    only = shared.whole_id(request.query_params.get("forum"))
    shown = [one for one in found.decisions if only is None or one.forum_id == only]
    by_forum = Counter(
        one.forum_id for one in found.decisions if one.forum_id is not None and one.forum_id in forums
    )

    def line(one: PendingDecision) -> Line:
        said = [reader.name.in_(locale) or reader.email for reader in one.readers]
        return Line(
            href=render.url("agenda.desk.proposal", slug=slug, code=one.code),
            title=one.title.in_(locale) or i18n.gettext("Without a title yet"),
            code=one.code,
            forum=forums.get(one.forum_id or 0, ""),
            kind=types.get(one.session_type_id or 0, ""),
            now=(STATE_KINDS[one.state], state_words(one.state)),
            readers=(", " if locale == "en" else "、").join(said),
            mute=sum(not reader.email for reader in one.readers) if one.readers else 1,
        )

    page = DecisionsPage(
        **access.frame(door, PAGE),
        done=shared.done_words(request) if not trouble else "",
        trouble=trouble,
        post=await letters_desk.post_of(door),
        groups=[
            Group(
                state_words(state), STATE_KINDS[state], [line(one) for one in shown if one.decision is state]
            )
            for state in DECISIONS.values()
            if any(one.decision is state for one in shown)
        ],
        forums=[
            (i18n.gettext("All"), here, len(found.decisions), only is None),
            *(
                (forums[number], render.with_query(here, forum=number), many, number == only)
                for number, many in sorted(by_forum.items(), key=lambda pair: forums[pair[0]])
            ),
        ]
        if by_forum
        else [],
        is_narrowed=len(shown) < len(found.decisions),
        total=len(found.decisions),
        people=len({reader.speaker_id for one in found.decisions for reader in one.readers if reader.email}),
        mute=sum(not any(reader.email for reader in one.readers) for one in found.decisions),
        lacks_deadline=(call is None or call.confirm_by is None)
        and any(one.decision is ProposalState.ACCEPTED for one in found.decisions),
        call_href=render.url("agenda.desk.call", slug=slug) if door.may(Permission.CHANGE_CALL) else "",
        form_id=str(uuid4()),
        stamp=found.stamp,
        made=[
            Made(
                when=render.moment(one.released_at, event.time_zone),
                who=names.get(one.actor_key, ""),
                count=one.count,
                drafts=one.letters.get(LetterState.DRAFT, 0),
                sent=one.letters.get(LetterState.SENT, 0),
                href=render.with_query(render.url(letters_desk.LIST, slug=slug), release=one.id),
            )
            for one in past
        ],
        letters_href=render.url(letters_desk.LIST, slug=slug),
        templates_href=render.url(letters_desk.TEMPLATE_LIST, slug=slug),
        proposals_href=render.url("agenda.desk.proposals", slug=slug),
    )
    return await render.page(request, page, status)


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/decisions", decisions, PAGE, Permission.DECIDE, ("GET", "POST")),
]
