"""Reviewers, what each was given, the plan for all, and the copy without names: pages for whoever decides.

Of a proposal in which one speaks nothing is shown here, were one the chair: not who reviews it, nor its copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response

from agenda import (
    assignments,
    cfp_queries,
    conflicts_of_interest,
    redactions,
    review_queries,
    reviewers,
    standing,
)
from agenda.assignments import Planned
from agenda.cfp_queries import ProposalFacts
from agenda.conflicts_of_interest import TooNear
from agenda.proposal_rules import ProposalCode, fallback
from agenda.redactions import Redaction
from agenda.review_rules import UNDER_REVIEW, Lack, Nearness, ReviewCode, nearness
from agenda.review_setup_pages import ASSIGNMENTS, REVIEWERS, need_call, tabs
from agenda.reviewers import ReviewerDetails, ReviewerLine
from agenda.words import NEARNESS_WORDS
from events import access
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.rules import Permission
from kernel import db
from kernel.errors import Code, Conflict, Forbidden, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from web import forms, i18n, render
from web.routing import Entry

REVIEWER: Final = "agenda.desk.reviewer"
PLAN: Final = "agenda.desk.assignment_plan"
PROPOSAL: Final = "agenda.desk.proposal_reviewers"
REDACTION: Final = "agenda.desk.redaction"
#: Lines of a list that a page shows; the count beside it says how many there are.
SHOWN: Final = 50


async def titles(event_id: int, ids: Iterable[int]) -> Mapping[int, tuple[str, str]]:
    """Code and title of proposals, in the reader's language or the other one; one statement."""
    rows = await db.query(
        f"SELECT id, code, title FROM proposal WHERE event_id = $1 AND id {db.in_list('$2', 'int')}",  # noqa: S608 -- our own words
        event_id,
        db.list_parameter(sorted(set(ids))),
    )
    locale = i18n.current_locale()
    found = {}
    for row in rows:
        text = orjson.loads(row["title"]) if isinstance(row["title"], str) else row["title"]
        found[row["id"]] = (row["code"], fallback(LocalizedText.of(text), locale)[0] or row["code"])
    return found


def _name(one: ReviewerLine) -> str:
    return one.name or one.email


def _load(one: ReviewerLine) -> str:
    done = one.given - one.open
    return i18n.gettext("%(done)s of %(given)s done") % {"done": done, "given": one.given}


async def _forum_names(door: Door) -> Mapping[int, str]:
    locale = i18n.current_locale()
    return {one.id: one.name.in_(locale) for one in await cfp_queries.forums(door.event.id)}


def _about(one: ReviewerLine, forums: Mapping[int, str]) -> Sequence[str]:
    separator = ", " if i18n.current_locale() == "en" else "、"
    return [
        separator.join(render.words_for(role) for role in one.roles),
        separator.join(forums[number] for number in sorted(one.forum_ids or ()) if number in forums),
        one.organisation,
        i18n.gettext("at most %(number)s") % {"number": one.takes_at_most}
        if one.takes_at_most is not None
        else "",
        i18n.gettext("resting") if one.is_resting else "",
        i18n.gettext("never sees names") if one.never_sees_names else "",
        i18n.ngettext("%(num)d conflict of interest", "%(num)d conflicts of interest", one.conflicts)
        % {"num": one.conflicts}
        if one.conflicts
        else "",
    ]


# --- reviewers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ReviewersPage(DeskPage):
    template: ClassVar[str] = "agenda/reviewers.html"
    tabs: Sequence[tuple[str, str, bool]]
    call_href: str
    #: name, address, notes, what stands beside
    asked: Sequence[tuple[str, str, Sequence[str], str]]
    others: Sequence[tuple[str, str, Sequence[str], str]]
    team_href: str


async def list_reviewers(request: Request, door: Door) -> Response:
    await need_call(door)
    slug, forums = door.event.slug, await _forum_names(door)
    people = await reviewers.listed(door.event.id)

    def line(one: ReviewerLine) -> tuple[str, str, Sequence[str], str]:
        href = render.url(REVIEWER, slug=slug, account_id=one.account_id)
        return _name(one), href, _about(one, forums), _load(one) if one.given else ""

    page = ReviewersPage(
        **access.frame(door, "agenda.desk.call"),
        done=shared.done_words(request),
        tabs=tabs(door, REVIEWERS),
        call_href=render.url("agenda.desk.call", slug=slug),
        asked=[line(one) for one in people if one.is_asked],
        others=[line(one) for one in people if not one.is_asked],
        team_href=render.url("events.desk.team", slug=slug) if door.may(Permission.GRANT_ROLES) else "",
    )
    return await render.page(request, page)


@dataclass(frozen=True, slots=True)
class GivenLine:
    proposal_id: int
    href: str
    title: str
    code: str
    state: tuple[str, str]
    can_take: bool


@dataclass(frozen=True, kw_only=True)
class ReviewerPage(DeskPage):
    template: ClassVar[str] = "agenda/reviewer.html"
    name: str
    email: str
    about: Sequence[str]
    list_href: str
    given: Sequence[GivenLine]
    conflicts: Sequence[tuple[int, str, str]]
    kinds: Sequence[tuple[str, str]]
    form: str


async def reviewer(request: Request, door: Door) -> Response:
    await need_call(door)
    number = shared.whole_id(request.path_params["account_id"])
    who = next((one for one in await reviewers.listed(door.event.id) if one.account_id == number), None)
    if who is None:
        raise NotFound(ReviewCode.REVIEWER_UNKNOWN)
    if request.method != "POST":
        return await _reviewer_page(request, door, who)
    values = shared.typed_values(await forms.form_data(request))
    try:
        await _reviewer_act(door, who, values)
    except Invalid as refusal:
        return await _reviewer_page(request, door, who, values=values, refusal=refusal)
    href = render.url(REVIEWER, slug=door.event.slug, account_id=who.account_id)
    return render.see_other(render.with_query(href, done="saved"))


async def _reviewer_act(door: Door, who: ReviewerLine, values: Mapping[str, str]) -> None:
    common: dict[str, Any] = {"actor": door.actor, "event_id": door.event.id, "at": shared.now()}
    act = values.get("act", "save")
    if act == "save":
        read = Reader(values)
        details = ReviewerDetails(
            organisation=read.text("organisation"),
            takes_at_most=read.whole_number("takes_at_most"),
            never_sees_names=read.flag("never_sees_names"),
            is_resting=read.flag("is_resting"),
        )
        if problems := {**details.problems(), **read.problems}:
            raise Invalid(problems)
        await reviewers.put(**common, account_id=who.account_id, details=details)
    elif act == "take":
        proposal_id = shared.whole_id(values.get("proposal"))
        if proposal_id is None:
            raise NotFound(ProposalCode.UNKNOWN)
        await assignments.take(**common, pairs=[(proposal_id, who.account_id)])
    elif act == "declare":
        what = await _too_near(door, values)
        await conflicts_of_interest.declare(**common, account_id=who.account_id, what=what)
    elif act == "withdraw":
        conflict_id = shared.whole_id(values.get("conflict"))
        mine = await conflicts_of_interest.of_event(door.event.id, account_id=who.account_id)
        if conflict_id not in {one.id for one in mine}:
            raise NotFound()
        await conflicts_of_interest.withdraw(**common, conflict_id=conflict_id or 0)
    else:
        raise NotFound()


async def _too_near(door: Door, values: Mapping[str, str]) -> TooNear:
    """What was typed as somebody's conflict of interest. Raises Invalid at ``which``."""
    kind, which = values.get("kind", ""), values.get("which", "").strip()
    if not which:
        raise Invalid({"which": Problem(Code.REQUIRED)})
    if kind == "organisation":
        if len(which) > conflicts_of_interest.ORGANISATION_LIMIT:
            limit = {"limit": conflicts_of_interest.ORGANISATION_LIMIT}
            raise Invalid({"which": Problem(Code.TOO_LONG, limit)})
        return TooNear(organisation=which)
    if kind == "speaker":
        found = await reviewers.find_speakers(door.event.id, which)
        if len(found) != 1:
            code = ReviewCode.SPEAKERS_SEVERAL if found else ReviewCode.SPEAKER_UNKNOWN
            raise Invalid({"which": Problem(code)})
        return TooNear(speaker_id=found[0])
    if kind != "proposal":
        raise Invalid({"kind": Problem(Code.REQUIRED)})
    proposal = await cfp_queries.find_proposal(door.event.id, which.upper()[:6])
    if proposal is None or not standing.may_see_on_desk(door, proposal):
        raise Invalid({"which": Problem(ProposalCode.UNKNOWN)})
    return TooNear(proposal_id=proposal.id)


async def _reviewer_page(
    request: Request,
    door: Door,
    who: ReviewerLine,
    *,
    values: Mapping[str, str] | None = None,
    refusal: Invalid | None = None,
) -> Response:
    slug, event_id = door.event.slug, door.event.id
    given = await assignments.given(event_id, account_id=who.account_id)
    declared = await conflicts_of_interest.of_event(event_id, account_id=who.account_id)
    facts = {one.id: one for one in await review_queries.proposal_facts(event_id)}
    own = assignments.own_of(door.actor, facts.values())
    me = next(
        (one for one in await review_queries.reviewer_facts(event_id) if one.account_id == who.account_id),
        None,
    )
    words = await titles(
        event_id,
        [one.proposal_id for one in given] + [one.proposal_id for one in declared if one.proposal_id],
    )
    speakers = await reviewers.speaker_names(event_id, [one.speaker_id for one in declared if one.speaker_id])
    locale = i18n.current_locale()

    def state(one: assignments.Given) -> tuple[str, str]:
        if one.abstains:
            return "plain", i18n.gettext("Abstained")
        if one.is_done:
            return "go", i18n.gettext("Reviewed")
        why = nearness(me, facts[one.proposal_id]) if me and one.proposal_id in facts else None
        if why is not None:
            return "care", i18n.gettext(NEARNESS_WORDS[why])
        return "note", i18n.gettext("Not yet")

    conflicts = []
    for one in declared:
        if one.proposal_id in own:
            continue
        if one.proposal_id is not None:
            conflicts.append((one.id, words.get(one.proposal_id, ("", ""))[1], i18n.gettext("Proposal")))
        elif one.speaker_id is not None:
            name = speakers.get(one.speaker_id, LocalizedText()).in_(locale)
            conflicts.append((one.id, name or f"#{one.speaker_id}", i18n.gettext("Speaker")))
        else:
            conflicts.append((one.id, one.organisation, i18n.gettext("Organisation")))
    page = ReviewerPage(
        **access.frame(door, "agenda.desk.call"),
        done=shared.done_words(request) if refusal is None else "",
        values=values
        or {
            "organisation": who.organisation,
            "takes_at_most": "" if who.takes_at_most is None else str(who.takes_at_most),
            "never_sees_names": "1" if who.never_sees_names else "",
            "is_resting": "1" if who.is_resting else "",
            "kind": "organisation",
        },
        problems=dict(refusal.fields) if refusal else {},
        name=_name(who),
        email=who.email,
        about=[note for note in _about(who, await _forum_names(door))[:2] if note],
        list_href=render.url(REVIEWERS, slug=slug),
        given=[
            GivenLine(
                one.proposal_id,
                render.url(PROPOSAL, slug=slug, code=words[one.proposal_id][0]),
                words[one.proposal_id][1],
                words[one.proposal_id][0],
                state(one),
                one.origin is not None and not one.is_done,
            )
            for one in given
            if one.proposal_id not in own and one.proposal_id in words
        ],
        conflicts=conflicts,
        kinds=[
            ("organisation", i18n.gettext("An organisation, by its name")),
            ("speaker", i18n.gettext("A speaker, by name or e-mail address")),
            ("proposal", i18n.gettext("A proposal, by its code")),
        ],
        form="declare" if values and values.get("act") == "declare" else "save",
    )
    return await render.page(request, page, refusal.status if refusal else 200)


# --- assignments -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AssignmentsPage(DeskPage):
    template: ClassVar[str] = "agenda/assignments.html"
    tabs: Sequence[tuple[str, str, bool]]
    call_href: str
    reviewers_href: str
    plan_href: str
    needed: int
    #: label and number
    totals: Sequence[tuple[str, str]]
    coverage: Sequence[tuple[str, int, int, str]]
    forums: Sequence[tuple[str, str]]
    people: Sequence[tuple[str, str, str]]
    chosen: Sequence[str]
    #: title, address, what it has
    lacking: Sequence[tuple[str, str, str]]
    lacks: int
    vain: Sequence[tuple[str, str, str]]
    said: str


async def assign_by_hand(request: Request, door: Door) -> Response:
    call = await need_call(door)
    if request.method != "POST":
        return await _assignments_page(request, door, call)
    data = await forms.form_data(request, max_fields=1000)
    values, chosen = shared.typed_values(data), shared.chosen_many(data, "reviewers")
    common: dict[str, Any] = {"actor": door.actor, "event_id": door.event.id, "at": shared.now()}
    if values.get("act") == "relieve":
        at_hand = await assignments.table(door.event.id)
        pairs = [(one.proposal_id, one.account_id) for one in at_hand.near()]
        await assignments.take(**common, pairs=pairs)
        return shared.back_to(door, ASSIGNMENTS, done="saved")
    accounts = [number for number in map(shared.whole_id, chosen) if number is not None]
    problems: dict[str, Problem] = {}
    if not accounts or len(accounts) != len(chosen):
        problems["reviewers"] = Problem(Code.REQUIRED)
    facts = await review_queries.proposal_facts(door.event.id, states=UNDER_REVIEW)
    forum, forum_id = values.get("forum", ""), shared.whole_id(values.get("forum"))
    if forum not in ("all", "none") and forum_id is None:
        problems["forum"] = Problem(Code.REQUIRED)
    wanted = [one.id for one in facts if forum == "all" or one.forum_id == forum_id]
    if problems:
        refusal = Invalid(problems)
        return await _assignments_page(request, door, call, values=values, chosen=chosen, refusal=refusal)
    pairs = [(number, account) for number in wanted for account in accounts]
    done = await assignments.give(**common, pairs=pairs)
    return await _assignments_page(request, door, call, said=_outcome(done))


def _outcome(done: assignments.Outcome) -> str:
    words = [
        i18n.ngettext("%(num)d assignment made.", "%(num)d assignments made.", done.added)
        % {"num": done.added}
    ]
    if done.there:
        words.append(
            i18n.ngettext("%(num)d was there already.", "%(num)d were there already.", done.there)
            % {"num": done.there}
        )
    for why, count in sorted(Counter(why for _, _, why in done.near).items()):
        words.append(
            i18n.ngettext("%(num)d left out: %(why)s.", "%(num)d left out: %(why)s.", count)
            % {"num": count, "why": i18n.gettext(NEARNESS_WORDS[why])}
        )
    if done.own:
        words.append(
            i18n.ngettext(
                "%(num)d left out: you speak in it.", "%(num)d left out: you speak in them.", done.own
            )
            % {"num": done.own}
        )
    return " ".join(words)


async def _assignments_page(
    request: Request,
    door: Door,
    call: cfp_queries.CallFacts,
    *,
    values: Mapping[str, str] | None = None,
    chosen: Sequence[str] = (),
    refusal: Invalid | None = None,
    said: str = "",
) -> Response:
    slug, needed = door.event.slug, call.reviews_needed
    at_hand, forums = await assignments.table(door.event.id), await _forum_names(door)
    people = await reviewers.listed(door.event.id)
    own = assignments.own_of(door.actor, at_hand.proposals)
    has = Counter(number for number, _ in at_hand.counting())
    short = [one.id for one in at_hand.proposals if has[one.id] < needed and one.id not in own]
    vain = [one for one in at_hand.near() if one.proposal_id not in own]
    words = await titles(door.event.id, short[:SHOWN] + [one.proposal_id for one in vain[:SHOWN]])
    names = {one.account_id: _name(one) for one in people}
    places: dict[int | None, list[bool]] = {}
    for one in at_hand.proposals:
        places.setdefault(one.forum_id, []).append(has[one.id] >= needed)
    covered = sum(sum(each) for each in places.values())
    page = AssignmentsPage(
        **access.frame(door, "agenda.desk.call"),
        done=said or (shared.done_words(request) if refusal is None else ""),
        values=values or {"forum": "all"},
        problems=dict(refusal.fields) if refusal else {},
        tabs=tabs(door, ASSIGNMENTS),
        call_href=render.url("agenda.desk.call", slug=slug),
        reviewers_href=render.url(REVIEWERS, slug=slug),
        plan_href=render.url(PLAN, slug=slug),
        needed=needed,
        totals=[
            (i18n.gettext("Under review"), str(len(at_hand.proposals))),
            (i18n.gettext("With enough reviewers"), str(covered)),
            (i18n.gettext("Reviewers"), str(sum(one.is_asked for one in people))),
            (i18n.gettext("Assignments still open"), str(sum(one.open for one in people))),
        ],
        coverage=[
            (
                forums[number] if number else i18n.gettext("In no forum"),
                sum(places[number]),
                len(places[number]),
                f"{sum(places[number])} / {len(places[number])}",
            )
            for number in (*forums, None)
            if number in places
        ],
        forums=[
            ("all", i18n.gettext("All proposals under review")),
            *((str(number), name) for number, name in forums.items() if number in places),
            *([("none", i18n.gettext("In no forum"))] if None in places else []),
        ],
        people=[
            (
                str(one.account_id),
                _name(one),
                shared.joined(*(note for note in _about(one, forums) if note), _load(one)),
            )
            for one in people
            if one.is_asked
        ],
        chosen=chosen,
        lacking=[
            (
                words[number][1],
                render.url(PROPOSAL, slug=slug, code=words[number][0]),
                f"{has[number]} / {needed}",
            )
            for number in short[:SHOWN]
            if number in words
        ],
        lacks=len(short),
        vain=[
            (
                words[one.proposal_id][1],
                render.url(PROPOSAL, slug=slug, code=words[one.proposal_id][0]),
                names.get(one.account_id, f"#{one.account_id}"),
            )
            for one in vain[:SHOWN]
            if one.proposal_id in words
        ],
        said=said,
    )
    return await render.page(request, page, refusal.status if refusal else 200)


# --- the plan ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PlanPage(DeskPage):
    template: ClassVar[str] = "agenda/assignment_plan.html"
    form: str
    digest: str
    needed: int
    forum: str
    forums: Sequence[tuple[str, str]]
    added: int
    #: name, before, after, at most
    loads: Sequence[tuple[str, int, int, str]]
    lacking: Sequence[tuple[str, str, str, Sequence[str]]]
    lacks: int
    back_href: str
    reviewers_href: str


async def plan(request: Request, door: Door) -> Response:
    call = await need_call(door)
    posted = request.method == "POST"
    values = shared.typed_values(await forms.form_data(request)) if posted else dict(request.query_params)
    read = Reader(values)
    asked = read.whole_number("needed")
    needed = call.reviews_needed if asked is None else asked
    if read.problems or not 1 <= needed <= 20:
        read.wrong("needed", Code.OUT_OF_RANGE)
        needed = call.reviews_needed
    forum_id = shared.whole_id(values.get("forum"))
    if read.problems:
        found = await assignments.planned(door.event.id, needed=needed, forum_id=forum_id)
        return await _plan_page(request, door, found, forum_id, values, refusal=Invalid(read.problems))
    trouble = ""
    if posted:
        try:
            await assignments.carry_out(
                actor=door.actor,
                event_id=door.event.id,
                needed=needed,
                digest=values.get("plan", ""),
                form_id=forms.form_id(values),
                at=shared.now(),
                forum_id=forum_id,
            )
        except Conflict as refusal:
            trouble = render.words_for(refusal.code, refusal.params)
        else:
            return shared.back_to(door, ASSIGNMENTS, done="saved")
    found = await assignments.planned(door.event.id, needed=needed, forum_id=forum_id)
    return await _plan_page(request, door, found, forum_id, {"needed": str(needed)}, trouble=trouble)


def _why(lack: Lack) -> Sequence[str]:
    return [
        i18n.ngettext("%(num)d reviewer short", "%(num)d reviewers short", lack.missing)
        % {"num": lack.missing},
        i18n.ngettext("%(num)d too near", "%(num)d too near", lack.near) % {"num": lack.near}
        if lack.near
        else "",
        i18n.ngettext("%(num)d of other forums", "%(num)d of other forums", lack.elsewhere)
        % {"num": lack.elsewhere}
        if lack.elsewhere
        else "",
        i18n.ngettext("%(num)d takes no more", "%(num)d take no more", lack.full) % {"num": lack.full}
        if lack.full
        else "",
    ]


async def _plan_page(
    request: Request,
    door: Door,
    found: Planned,
    forum_id: int | None,
    values: Mapping[str, str],
    *,
    refusal: Invalid | None = None,
    trouble: str = "",
) -> Response:
    slug, forums = door.event.slug, await _forum_names(door)
    own = assignments.own_of(door.actor, found.table.proposals)
    people = {one.account_id: one for one in await reviewers.listed(door.event.id)}
    lacking = [(number, lack) for number, lack in found.lacks.items() if number not in own]
    lacking.sort(key=lambda item: (-item[1].missing, item[0]))
    words = await titles(door.event.id, [number for number, _ in lacking[:SHOWN]])
    page = PlanPage(
        **access.frame(door, "agenda.desk.call"),
        trouble=trouble,
        values={"forum": str(forum_id or ""), **values},
        problems=dict(refusal.fields) if refusal else {},
        form=str(uuid4()),
        digest=found.digest,
        needed=found.needed,
        forum=str(forum_id or ""),
        forums=[(str(number), name) for number, name in forums.items()],
        added=len(found.plan.added),
        loads=[
            (
                _name(people[number]),
                before,
                after,
                i18n.gettext("resting")
                if people[number].is_resting
                else str(people[number].takes_at_most if people[number].takes_at_most is not None else ""),
            )
            for number, (before, after) in sorted(found.loads.items(), key=lambda item: -item[1][1])
            if number in people
        ],
        lacking=[
            (
                words[number][1],
                render.url(PROPOSAL, slug=slug, code=words[number][0]),
                words[number][0],
                [note for note in _why(lack) if note],
            )
            for number, lack in lacking[:SHOWN]
            if number in words
        ],
        lacks=len(lacking),
        back_href=render.url(ASSIGNMENTS, slug=slug),
        reviewers_href=render.url(REVIEWERS, slug=slug),
    )
    return await render.page(request, page, refusal.status if refusal else 409 if trouble else 200)


# --- one proposal ------------------------------------------------------------------------------------------------


async def _proposal(request: Request, door: Door) -> ProposalFacts:
    """The proposal of the address. Raises NotFound, and Forbidden ``review_own_proposal`` for who speaks in it."""
    proposal = await cfp_queries.find_proposal(door.event.id, request.path_params["code"])
    if proposal is None or not standing.may_see_on_desk(door, proposal):
        raise NotFound(ProposalCode.UNKNOWN)
    if (await review_queries.viewer(door, proposal.id)).is_speaker:
        raise Forbidden(ReviewCode.OWN_PROPOSAL)
    return proposal


@dataclass(frozen=True, kw_only=True)
class ProposalPage(DeskPage):
    template: ClassVar[str] = "agenda/proposal_reviewers.html"
    title: str
    code: str
    proposal_href: str
    #: account id, name, state, may be relieved
    given: Sequence[tuple[int, str, tuple[str, str], bool]]
    #: value, name, hint, too near
    people: Sequence[tuple[str, str, str, bool]]
    chosen: Sequence[str]
    is_reviewed: bool


async def proposal_reviewers(request: Request, door: Door) -> Response:
    proposal = await _proposal(request, door)
    if request.method != "POST":
        return await _proposal_page(request, door, proposal)
    data = await forms.form_data(request, max_fields=1000)
    values, chosen = shared.typed_values(data), shared.chosen_many(data, "reviewers")
    common: dict[str, Any] = {"actor": door.actor, "event_id": door.event.id, "at": shared.now()}
    if values.get("act") == "take":
        account = shared.whole_id(values.get("account"))
        if account is None:
            raise NotFound(ReviewCode.REVIEWER_UNKNOWN)
        await assignments.take(**common, pairs=[(proposal.id, account)])
        return await _proposal_page(request, door, proposal, said=i18n.gettext("Saved."))
    accounts = [number for number in map(shared.whole_id, chosen) if number is not None]
    if not accounts:
        refusal = Invalid({"reviewers": Problem(Code.REQUIRED)})
        return await _proposal_page(request, door, proposal, refusal=refusal)
    done = await assignments.give(**common, pairs=[(proposal.id, account) for account in accounts])
    return await _proposal_page(request, door, proposal, said=_outcome(done))


async def _proposal_page(
    request: Request,
    door: Door,
    proposal: ProposalFacts,
    *,
    refusal: Invalid | None = None,
    said: str = "",
) -> Response:
    event_id, locale = door.event.id, i18n.current_locale()
    [facts] = await review_queries.proposal_facts(event_id, states=None, proposal_ids=[proposal.id])
    people = await reviewers.listed(event_id)
    near: dict[int, Nearness | None] = {
        one.account_id: nearness(one, facts) for one in await review_queries.reviewer_facts(event_id)
    }
    here = [one for one in await assignments.given(event_id) if one.proposal_id == proposal.id]
    names = {one.account_id: _name(one) for one in people}
    forums = await _forum_names(door)

    def state(one: assignments.Given) -> tuple[str, str]:
        if one.abstains:
            return "plain", i18n.gettext("Abstained")
        if one.is_done:
            return "go", i18n.gettext("Reviewed")
        why = near.get(one.account_id)
        return ("care", i18n.gettext(NEARNESS_WORDS[why])) if why else ("note", i18n.gettext("Not yet"))

    there = {one.account_id for one in here}
    page = ProposalPage(
        **access.frame(door, "agenda.desk.proposals"),
        done=said,
        problems=dict(refusal.fields) if refusal else {},
        title=fallback(proposal.title, locale)[0] or proposal.code,
        code=proposal.code,
        proposal_href=render.url("agenda.desk.proposal", slug=door.event.slug, code=proposal.code),
        given=[
            (
                one.account_id,
                names.get(one.account_id, f"#{one.account_id}"),
                state(one),
                one.origin is not None and not one.is_done,
            )
            for one in here
        ],
        people=[
            (
                str(one.account_id),
                _name(one),
                i18n.gettext("Too near: %(why)s") % {"why": i18n.gettext(NEARNESS_WORDS[why])}
                if (why := near.get(one.account_id))
                else shared.joined(*(note for note in _about(one, forums) if note), _load(one)),
                why is not None,
            )
            for one in people
            if one.is_asked and one.account_id not in there
        ],
        chosen=[],
        is_reviewed=proposal.state in UNDER_REVIEW,
    )
    return await render.page(request, page, refusal.status if refusal else 200)


# --- the copy without names --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RedactionPage(DeskPage):
    template: ClassVar[str] = "agenda/redaction.html"
    title: str
    code: str
    proposal_href: str
    version: int
    #: (heading, [(language tag, its name, the speakers' words, the box's name, rows)])
    parts: Sequence[tuple[str, Sequence[tuple[str, str, str, str, int]]]]
    names: Sequence[str]
    is_there: bool
    is_stale: bool


async def redaction(request: Request, door: Door) -> Response:
    proposal = await _proposal(request, door)
    found = await redactions.find(proposal.id)
    if request.method != "POST":
        return await _redaction_page(request, door, proposal, found)
    values = shared.typed_values(await forms.form_data(request))
    common: dict[str, Any] = {
        "actor": door.actor,
        "event_id": door.event.id,
        "proposal_id": proposal.id,
        "at": shared.now(),
    }
    if values.get("act") == "remove":
        await redactions.remove(**common)
        done = "removed"
    else:
        copy = Redaction(
            **{name: _typed_text(values, name, getattr(proposal, name)) for name in _PARTS},
            version=shared.whole_id(values.get("version")) or 1,
        )
        try:
            await redactions.put(**common, redaction=copy)
        except Invalid as refusal:
            return await _redaction_page(request, door, proposal, found, values=values, refusal=refusal)
        done = "saved"
    href = render.url(REDACTION, slug=door.event.slug, code=proposal.code)
    return render.see_other(render.with_query(href, done=done))


_PARTS: Final = ("title", "abstract", "description")


def _tags(text: LocalizedText) -> Sequence[str]:
    # PostgreSQL keeps no order of keys.
    there = sorted(tag for tag, words in text.items() if words)
    usual = [tag for tag in shared.LANGS if tag in there]
    return [*usual, *(tag for tag in there if tag not in usual)] or [shared.LANGS[0]]


def _typed_text(values: Mapping[str, str], name: str, original: LocalizedText) -> LocalizedText:
    # Only languages in which there is something to hide.
    return LocalizedText.of({tag: values.get(f"{name}.{tag}", "") for tag in _tags(original)})


async def _redaction_page(
    request: Request,
    door: Door,
    proposal: ProposalFacts,
    found: redactions.Copy | None,
    *,
    values: Mapping[str, str] | None = None,
    refusal: Invalid | None = None,
) -> Response:
    locale = i18n.current_locale()
    headings = {
        "title": i18n.gettext("Title"),
        "abstract": i18n.gettext("Abstract"),
        "description": i18n.gettext("Description"),
    }
    languages = {"zh-Hans": "中文", "en": "English"}
    begun = found.redaction if found else proposal
    stored = {f"{name}.{tag}": text for name in _PARTS for tag, text in getattr(begun, name).items()}
    page = RedactionPage(
        **access.frame(door, "agenda.desk.proposals"),
        done=shared.done_words(request) if refusal is None else "",
        values=values or stored,
        problems={
            (f"{name}.{_tags(proposal.title)[0]}" if name == "title" else name): problem
            for name, problem in (refusal.fields if refusal else {}).items()
        },
        title=fallback(proposal.title, locale)[0] or proposal.code,
        code=proposal.code,
        proposal_href=render.url("agenda.desk.proposal", slug=door.event.slug, code=proposal.code),
        version=proposal.version,
        parts=[
            (
                headings[name],
                [
                    (
                        tag,
                        languages.get(tag, tag),
                        getattr(proposal, name).get(tag, ""),
                        f"{name}.{tag}",
                        {"title": 2, "abstract": 6, "description": 12}[name],
                    )
                    for tag in _tags(getattr(proposal, name))
                    if any(getattr(proposal, name).values())
                ],
            )
            for name in _PARTS
        ],
        names=sorted(
            {
                name
                for one in proposal.speakers
                for text in (one.speaker.name, one.speaker.organisation)
                for name in text.values()
                if name
            }
        ),
        is_there=found is not None,
        is_stale=bool(found and found.is_stale),
    )
    return await render.page(request, page, refusal.status if refusal else 200)


_MAY: Final = Permission.DECIDE
_BOTH: Final = ("GET", "POST")
_D: Final = "/e/{slug}/desk"
ROUTES: list[Entry] = [
    access.route(f"{_D}/reviewers", list_reviewers, REVIEWERS, _MAY),
    access.route(f"{_D}/reviewers/{{account_id}}", reviewer, REVIEWER, _MAY, _BOTH),
    access.route(f"{_D}/assignments", assign_by_hand, ASSIGNMENTS, _MAY, _BOTH),
    access.route(f"{_D}/assignments/plan", plan, PLAN, _MAY, _BOTH),
    access.route(f"{_D}/proposals/{{code}}/reviewers", proposal_reviewers, PROPOSAL, _MAY, _BOTH),
    access.route(f"{_D}/proposals/{{code}}/redaction", redaction, REDACTION, _MAY, _BOTH),
]
