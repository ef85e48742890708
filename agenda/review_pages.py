"""Reviewing: a list of what is one's own to judge, and a page for each, made for a thumb and for no JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import uuid4

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from agenda import (
    cfp_queries,
    comments,
    conflicts_of_interest,
    resources,
    review_queries,
    review_reading,
    reviews,
)
from agenda.cfp_queries import FieldFacts, StoredAnswer
from agenda.cfp_shown import Person, Text, language_words, person_line, said_of, state_words, texts_of
from agenda.conflicts_of_interest import TooNear
from agenda.proposal_rules import ProposalState, fallback
from agenda.review_reading import Opened, QueueLine, ReviewFacts
from agenda.review_rules import COMMENT_LIMIT, REASON_LIMIT, WHOLE, Criterion, Nearness
from agenda.reviews import RECOMMENDS, Given
from agenda.words import NEARNESS_WORDS
from events import access, form_rules, questionnaire
from events.access import Door
from events.desk import shared
from events.desk.answers import file_response
from events.desk.shared import DeskPage
from events.form_rules import FileAnswer, in_words
from events.questionnaire import QuestionField
from events.rules import FieldKind, Permission
from kernel.errors import Conflict, Invalid, NotFound, Problem
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "agenda.desk.review"
ONE: Final = "agenda.desk.review_one"
PAGE_SIZE: Final = 50
#: More values than this are typed, not tapped.
TAPPED_AT_MOST: Final = 11

_DONE: Final[Mapping[str, str]] = {
    "reviewed": N_("Your review is kept."),
    "all_done": N_("Your review is kept. Nothing is left to do: thank you."),
    "withdrawn": N_("Your review is taken back."),
    "said": N_("Your comment is kept."),
    "unsaid": N_("Your comment is removed."),
    "near": N_("Kept. You are not asked about it any more."),
    "not_near": N_("Taken back."),
}


def _done(request: Request) -> str:
    words = _DONE.get(request.query_params.get("done", ""))
    return i18n.gettext(words) if words else ""


def _percent(total: int | None) -> str:
    return "" if total is None else f"{(total * 100 + WHOLE // 2) // WHOLE} %"


# --- the list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    href: str
    title: str
    meta: Sequence[str]
    #: ("go", "done") or none
    state: tuple[str, str] | None


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "agenda/desk_review.html"
    phase: str
    #: What the phase's dates say, empty without any.
    until: str
    begins: str
    reviews: int
    left: int
    next_href: str
    shows: Sequence[tuple[str, str, int, bool]]
    show: str
    types: Sequence[tuple[str, str]]
    forums: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    whole: int
    total: int
    first: int
    last: int
    previous_href: str | None
    following_href: str | None
    clear_href: str
    #: (words, address of the form that takes it back, or empty where an organiser declared it)
    conflicts: Sequence[tuple[str, str]]


async def listed(request: Request, door: Door) -> Response:
    return await _list_page(request, door)


async def _list_page(
    request: Request,
    door: Door,
    *,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
) -> Response:
    at, locale, slug, zone = shared.now(), i18n.current_locale(), door.event.slug, door.event.time_zone
    queue = await review_reading.queue(door, at)
    params = request.query_params
    show = params.get("show", "")
    show = show if show in ("waiting", "done", "all") else "waiting"
    kind, forum = shared.whole_id(params.get("type")), shared.whole_id(params.get("forum"))
    types = {one.id: one.name.in_(locale) for one in await cfp_queries.session_types(door.event.id)}
    forums = {one.id: one.name.in_(locale) for one in await cfp_queries.forums(door.event.id)}
    narrowed = [
        line
        for line in queue.lines
        if (kind is None or line.session_type_id == kind) and (forum is None or line.forum_id == forum)
    ]
    sorts = {
        "waiting": [line for line in narrowed if line.is_waiting],
        "done": [line for line in narrowed if line.is_done],
        "all": narrowed,
    }
    chosen = sorts[show]
    pages = max(1, -(-len(chosen) // PAGE_SIZE))
    number = min(shared.whole_page(params.get("page")), pages)
    first = (number - 1) * PAGE_SIZE
    shown = chosen[first : first + PAGE_SIZE]
    titles = await review_reading.titles(shown)
    here = render.url(LIST, slug=slug)
    keep = {"type": str(kind or ""), "forum": str(forum or "")}
    keep = {name: value for name, value in keep.items() if value}
    words = {"waiting": i18n.gettext("To do"), "done": i18n.gettext("Done"), "all": i18n.gettext("All")}
    call = await cfp_queries.find_call(door.event.id)
    ends = (queue.phase.ends_at if queue.phase else None) or (call.review_by if call else None)
    coming = [
        one.starts_at
        for one in await review_queries.phases(door.event.id)
        if one.starts_at is not None and one.starts_at > at
    ]
    counted = [line for line in queue.lines if line.is_waiting or line.is_done]
    following = queue.following()
    page = ListPage(
        **access.frame(door, LIST),
        done=_done(request),
        values={"show": show, **keep} | dict(values or {}),
        problems=problems or {},
        phase=queue.phase.name.in_(locale) if queue.phase else "",
        until=render.moment(ends, zone) if queue.phase and ends and ends > at else "",
        begins=render.moment(min(coming), zone) if coming and not queue.phase else "",
        reviews=len(counted),
        left=sum(line.is_waiting for line in queue.lines),
        next_href=render.url(ONE, slug=slug, code=following.code) if following else "",
        shows=[
            (words[name], render.with_query(here, **keep, show=name), len(lines), name == show)
            for name, lines in sorts.items()
        ],
        show=show,
        types=_choices(types, {line.session_type_id for line in queue.lines}),
        forums=_choices(forums, {line.forum_id for line in queue.lines}),
        lines=[
            Line(
                href=render.url(ONE, slug=slug, code=line.code),
                title=fallback(titles[line.id], locale)[0] or i18n.gettext("Without a title yet"),
                meta=[
                    types.get(line.session_type_id or 0, ""),
                    forums.get(line.forum_id or 0, ""),
                    language_words(line.language) if line.language else "",
                    "" if line.look.viewer.is_assigned else i18n.gettext("not given to you by name"),
                ],
                state=_line_state(line),
            )
            for line in shown
        ],
        whole=len(queue.lines),
        total=len(chosen),
        first=first + 1 if shown else 0,
        last=first + len(shown),
        previous_href=render.with_query(here, **keep, show=show, page=number - 1) if number > 1 else None,
        following_href=render.with_query(here, **keep, show=show, page=number + 1)
        if number < pages
        else None,
        clear_href=render.with_query(here, show="all"),
        conflicts=await _own_conflicts(door),
    )
    return await render.page(request, page, 422 if problems else 200)


def _choices(names: Mapping[int, str], there: set[int | None]) -> Sequence[tuple[str, str]]:
    return [(str(number), name) for number, name in names.items() if number in there]


def _line_state(line: QueueLine) -> tuple[str, str] | None:
    if line.is_done:
        return ("go", i18n.gettext("reviewed"))
    return None if line.is_waiting else ("plain", i18n.gettext("closed"))


async def _own_conflicts(door: Door) -> Sequence[tuple[str, str]]:
    """What is declared of this reviewer. Titles stand as their speakers hid or showed them: by code alone."""
    declared = await conflicts_of_interest.of_event(door.event.id, account_id=door.actor.id)
    codes = await review_reading.codes_of(
        [one.proposal_id for one in declared if one.proposal_id is not None]
    )
    found = []
    for one in declared:
        words = one.organisation
        if one.proposal_id is not None:
            words = i18n.gettext("Proposal %(code)s") % {"code": codes[one.proposal_id]}
        elif one.speaker_id is not None:
            words = i18n.gettext("A speaker, by an organiser's word")
        is_own = one.actor_key == door.actor.key
        href = render.url(f"{LIST}_conflict_removal", slug=door.event.slug, conflict_id=one.id)
        found.append((words, href if is_own else ""))
    return found


async def following(request: Request, door: Door) -> Response:
    """To the next proposal that waits, or to the list when none does."""
    del request
    found = (await review_reading.queue(door, shared.now())).following()
    if found is None:
        return render.see_other(render.url(LIST, slug=door.event.slug))
    return render.see_other(render.url(ONE, slug=door.event.slug, code=found.code))


async def declare(request: Request, door: Door) -> Response:
    """An organisation that the reviewer is too near to."""
    values = forms.typed(await forms.form_data(request))
    try:
        await conflicts_of_interest.declare(
            actor=door.actor,
            event_id=door.event.id,
            account_id=door.actor.id,
            what=TooNear(organisation=values.get("organisation", "")),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _list_page(request, door, values=values, problems=refusal.fields)
    return shared.back_to(door, LIST, done="near")


async def take_back(request: Request, door: Door) -> Response:
    number = shared.whole_id(request.path_params["conflict_id"])
    declared = await conflicts_of_interest.of_event(door.event.id, account_id=door.actor.id)
    # What an organiser said of somebody is not theirs to unsay.
    if number not in {one.id for one in declared if one.actor_key == door.actor.key}:
        raise NotFound()
    await conflicts_of_interest.withdraw(
        actor=door.actor, event_id=door.event.id, conflict_id=number or 0, at=shared.now()
    )
    return shared.back_to(door, LIST, done="not_near")


# --- one proposal ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PointsField:
    name: str
    label: str
    help: str
    is_required: bool
    #: (value, its words) to tap; empty for a range that is typed.
    choices: Sequence[tuple[int, str]]
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Said:
    """A review as others read it."""

    who: str
    total: str
    abstains: bool
    recommends: str
    reason: str
    facts: Sequence[tuple[str, str]]
    at: str


@dataclass(frozen=True, slots=True)
class Comment:
    who: str
    at: str
    text: str
    #: Of the form that removes it; empty for another's.
    removal: str


@dataclass(frozen=True, kw_only=True)
class OnePage(DeskPage):
    template: ClassVar[str] = "agenda/desk_review_one.html"
    title: str
    lead: str
    code: str
    facts: Sequence[tuple[str, str]]
    texts: Sequence[Text]
    answers: Sequence[tuple[str, str]]
    names_shown: bool
    is_redacted: bool
    people: Sequence[Person]
    resources: Sequence[tuple[str, str, str]]
    may_review: bool
    #: Why it can't be reviewed by this one now; empty where it can.
    why_not: str
    until: str
    form_id: str
    version: str
    criteria: Sequence[PointsField]
    questions: Sequence[QuestionField]
    takes_files: bool
    recommendations: Sequence[tuple[str, str]]
    reason_limit: int
    has_own: bool
    own: Said | None
    others: Sequence[Said]
    others_hidden: bool
    comments: Sequence[Comment] | None
    comment_id: str
    comment_limit: int
    labels: Mapping[str, str]
    place: tuple[int, int]
    next_href: str
    desk_href: str
    list_href: str
    withdrawal: str
    comment_action: str
    conflict_action: str


async def one(request: Request, door: Door) -> Response:
    at = shared.now()
    opened = await review_reading.open_one(door, request.path_params["code"], at)
    if request.method != "POST":
        return await _page(request, door, opened, at)
    data = await forms.form_data(
        request,
        max_files=form_rules.FILE_QUESTIONS_AT_MOST,
        max_fields=questionnaire.FIELDS_MAX,
    )
    values = forms.typed(data)
    many = {name: [text for text in data.getlist(name) if isinstance(text, str)] for name in data}
    given, files = await _read(door, opened, data, values, at)
    try:
        await reviews.write(
            door=door,
            proposal_id=opened.proposal.id,
            given=given,
            at=at,
            form_id=forms.form_id(values),
            version=values.get("version", ""),
        )
    except (Invalid, Conflict) as refusal:
        return await _page(
            request,
            door,
            await review_reading.open_one(door, opened.proposal.code, at),
            at,
            typed=_Typed(values, many, files, form_id=values.get("form", "")),
            refusal=refusal,
        )
    if "next" in values:
        found = (await review_reading.queue(door, at)).following(opened.proposal.code)
        if found is None:
            return shared.back_to(door, LIST, done="all_done")
        return _back(door, found.code, "reviewed")
    return _back(door, opened.proposal.code, "reviewed")


def _back(door: Door, code: str, done: str) -> Response:
    return render.see_other(render.with_query(render.url(ONE, slug=door.event.slug, code=code), done=done))


@dataclass(frozen=True, slots=True)
class _Typed:
    values: Mapping[str, str]
    many: Mapping[str, Sequence[str]]
    files: Mapping[int, FileAnswer]
    form_id: str = ""


async def _read(
    door: Door, opened: Opened, data: FormData, values: Mapping[str, str], at: datetime
) -> tuple[Given, Mapping[int, FileAnswer]]:
    """A posted review; files that are well are kept at once, pending."""
    answers: dict[int, Any] = {}
    files: dict[int, FileAnswer] = {}
    problems: dict[str, Problem] = {}
    for one in opened.asked:
        question = one.question
        if question.kind is FieldKind.FILE:
            value: Any = await questionnaire.read_file(
                data,
                question.name,
                event_id=door.event.id,
                key=f"call.{question.id}",
                actor_key=door.actor.key,
                at=at,
            )
            if isinstance(value, FileAnswer):
                files[question.id] = value
        else:
            value = form_rules.read_answer(
                question, [text for text in data.getlist(question.name) if isinstance(text, str)]
            )
        if isinstance(value, Problem):
            problems[question.name] = value
        elif value is not None:
            answers[question.id] = value
    await data.close()
    given = Given(
        points={one.id: values.get(f"score.{one.id}", "") for one in opened.criteria},
        reason=values.get("reason", ""),
        abstains=bool(values.get("abstains")),
        recommends=values.get("recommends", ""),
        answers=answers,
        problems=problems,
    )
    return given, files


def _stored(opened: Opened) -> _Typed:
    """One's own review as the form shows it again."""
    own = opened.own
    if own is None:
        return _Typed({}, {}, {})
    values = {f"score.{number}": str(value) for number, value in own.points.items()}
    values |= {"reason": own.reason, "recommends": own.recommends, "abstains": "1" if own.abstains else ""}
    many: dict[str, Sequence[str]] = {}
    files: dict[int, FileAnswer] = {}
    for one in opened.asked:
        answer = own.answers.get(one.id)
        if answer is not None and answer.upload_id is not None:
            files[one.id] = FileAnswer(answer.upload_id, answer.filename, f"upload-{answer.upload_id}")
        elif answer is not None:
            many[one.question.name] = form_rules.as_typed(one.question, answer.value)
    return _Typed(values, many, files)


async def _page(
    request: Request,
    door: Door,
    opened: Opened,
    at: datetime,
    *,
    typed: _Typed | None = None,
    refusal: Invalid | Conflict | None = None,
) -> Response:
    slug, zone, locale = door.event.slug, door.event.time_zone, i18n.current_locale()
    proposal, look = opened.proposal, opened.look
    title, _ = fallback(proposal.title, locale)
    queue = await review_reading.queue(door, at)
    nexts = queue.following(proposal.code)
    form = typed if typed is not None else _stored(opened)
    criteria = [_points_field(one, locale) for one in opened.criteria]
    questions = [_question(door, one, form, at) for one in opened.asked]
    runs = look.viewer.is_chair or look.viewer.is_producer
    ends = look.phase.ends_at if look.phase else None

    def to(name: str) -> str:
        return render.url(f"{ONE}{name}", slug=slug, code=proposal.code)

    page = OnePage(
        **access.frame(door, LIST),
        done="" if refusal else _done(request),
        trouble=render.words_for(refusal.code, refusal.params) if isinstance(refusal, Conflict) else "",
        values=dict(form.values),
        problems=refusal.fields if isinstance(refusal, Invalid) else {},
        title=title or i18n.gettext("Without a title yet"),
        lead=" / ".join(text for text in proposal.title.values() if text != title),
        code=proposal.code,
        facts=said_of(proposal, opened.world),
        texts=texts_of(proposal, with_notes=runs),
        answers=[
            (
                field.question.label.in_(locale),
                answer.filename or in_words(field.question, answer.value, locale=locale),
            )
            for field, answer in opened.answers
        ],
        names_shown=look.sees.names,
        is_redacted=opened.is_redacted,
        people=[person_line(place) for place in proposal.speakers],
        resources=[
            (
                item.title,
                item.url or render.url(f"{ONE}_file", slug=slug, code=proposal.code, resource_id=item.id),
                item.filename,
            )
            for item in proposal.resources
        ],
        may_review=look.sees.may_review,
        why_not="" if look.sees.may_review else _why_not(opened),
        until=render.moment(ends, zone) if ends else "",
        # A form that a refusal brings back is still the same one: pressed twice, it is one review.
        form_id=form.form_id or str(uuid4()),
        # A window that was late has now been told what stands there.
        version=opened.own.version if opened.own else "",
        criteria=criteria,
        questions=questions,
        takes_files=any(one.kind == FieldKind.FILE for one in questions),
        recommendations=[
            ("", i18n.gettext("No recommendation")),
            *((str(state), state_words(state)) for state in RECOMMENDS),
        ],
        reason_limit=REASON_LIMIT,
        has_own=opened.own is not None,
        own=_said(opened.own, i18n.gettext("You"), opened, zone) if opened.own else None,
        others=[
            _said(review, who or i18n.gettext("Reviewer %(num)s") % {"num": place}, opened, zone)
            for place, (review, who) in enumerate(opened.others, 1)
        ],
        others_hidden=not look.sees.reviews,
        comments=None
        if opened.comments is None
        else [
            Comment(
                who=i18n.gettext("You")
                if comment.account_id == door.actor.id
                else who or i18n.gettext("Somebody of the team"),
                at=render.moment(comment.at, zone),
                text=comment.text,
                removal=render.url(
                    f"{ONE}_comment_removal", slug=slug, code=proposal.code, comment_id=comment.id
                )
                if comment.account_id == door.actor.id
                else "",
            )
            for comment, who in opened.comments
        ],
        comment_id=form.values.get("comment_form", "") or str(uuid4()),
        comment_limit=COMMENT_LIMIT,
        labels={one.name: one.label for one in criteria}
        | {one.name: one.label for one in questions}
        | {
            "reason": i18n.gettext("Why"),
            "recommends": i18n.gettext("What you would decide"),
            "comment": i18n.gettext("Comment"),
        },
        place=(
            sum(line.is_done for line in queue.lines),
            sum(line.is_done or line.is_waiting for line in queue.lines),
        ),
        next_href=render.url(ONE, slug=slug, code=nexts.code) if nexts else "",
        desk_href=render.url("agenda.desk.proposal", slug=slug, code=proposal.code)
        if runs and door.may(Permission.SEE_PROPOSALS)
        else "",
        list_href=render.url(LIST, slug=slug),
        withdrawal=to("_withdrawal"),
        comment_action=to("_comment"),
        conflict_action=to("_conflict"),
    )
    return await render.page(request, page, refusal.status if refusal else 200)


def _why_not(opened: Opened) -> str:
    near = opened.look.viewer.near
    if near is not None:
        return i18n.gettext("You are too near to judge this proposal: %(why)s.") % {
            "why": i18n.gettext(NEARNESS_WORDS[Nearness(near)])
        }
    if opened.look.phase is None:
        return i18n.gettext("Nothing is reviewed now.")
    if not opened.look.phase.may_review:
        return i18n.gettext("Reviews are read in this phase, not written.")
    return i18n.gettext("This proposal is decided: reviews are read, not written.")


def _points_field(one: Criterion, locale: str) -> PointsField:
    values = range(one.low, one.high + 1)
    return PointsField(
        name=f"score.{one.id}",
        label=one.name.in_(locale) or one.code,
        help=one.help.in_(locale),
        is_required=one.is_required,
        choices=[(value, one.labels[value].in_(locale) if value in one.labels else "") for value in values]
        if len(values) <= TAPPED_AT_MOST
        else [],
        low=one.low,
        high=one.high,
    )


def _question(door: Door, one: FieldFacts, form: _Typed, at: datetime) -> QuestionField:
    question, locale = one.question, i18n.current_locale()
    choices = [(option.code, option.label.in_(locale)) for option in question.options]
    if question.kind is FieldKind.YES_NO:
        choices = [("yes", i18n.gettext("Yes")), ("no", i18n.gettext("No"))]
    file = form.files.get(question.id)
    return QuestionField(
        id=question.id,
        name=question.name,
        kind=str(question.kind),
        label=question.label.in_(locale),
        help=question.help.in_(locale),
        is_required=one.asking.is_required(at),
        choices=choices,
        values=form.many.get(question.name, ()),
        kept=questionnaire.mark(door.event.id, f"call.{question.id}", file) if file else "",
        kept_name=file.filename if file else "",
    )


def _said(review: ReviewFacts, who: str, opened: Opened, zone: str) -> Said:
    locale = i18n.current_locale()
    facts = []
    for one in opened.criteria:
        if one.id in review.points:
            value = review.points[one.id]
            words = one.labels[value].in_(locale) if value in one.labels else ""
            facts.append((one.name.in_(locale) or one.code, shared.joined(f"{value} / {one.high}", words)))
    for field in opened.asked:
        answer: StoredAnswer | None = review.answers.get(field.id)
        if answer is not None:
            facts.append(
                (
                    field.question.label.in_(locale),
                    answer.filename or in_words(field.question, answer.value, locale=locale),
                )
            )
    return Said(
        who=who,
        total=_percent(review.total),
        abstains=review.abstains,
        recommends=state_words(ProposalState(review.recommends)) if review.recommends else "",
        reason=review.reason,
        facts=facts,
        at=render.moment(review.updated_at, zone),
    )


async def _proposal_id(request: Request, door: Door, at: datetime) -> int:
    """The proposal in the address, whoever asks: what they may do with it the action itself looks at."""
    found = await review_reading.id_of(door.event.id, request.path_params["code"])
    reviews.require_sight((await review_queries.looks(door, [found], at)).get(found))
    return found


async def withdraw(request: Request, door: Door) -> Response:
    at = shared.now()
    await reviews.withdraw(door=door, proposal_id=await _proposal_id(request, door, at), at=at)
    return _back(door, request.path_params["code"], "withdrawn")


async def say(request: Request, door: Door) -> Response:
    at = shared.now()
    values = forms.typed(await forms.form_data(request))
    try:
        await comments.add(
            door=door,
            proposal_id=await _proposal_id(request, door, at),
            text=values.get("comment", ""),
            form_id=forms.form_id({"form": values.get("comment_form", "")}),
            at=at,
        )
    except Invalid as refusal:
        opened = await review_reading.open_one(door, request.path_params["code"], at)
        stored = _stored(opened)
        typed = _Typed(dict(stored.values) | values, stored.many, stored.files)
        return await _page(request, door, opened, at, typed=typed, refusal=refusal)
    return _back(door, request.path_params["code"], "said")


async def unsay(request: Request, door: Door) -> Response:
    at = shared.now()
    number = shared.whole_id(request.path_params["comment_id"])
    await comments.remove(
        door=door, proposal_id=await _proposal_id(request, door, at), comment_id=number or 0, at=at
    )
    return _back(door, request.path_params["code"], "unsaid")


async def too_near(request: Request, door: Door) -> Response:
    at = shared.now()
    await reviews.step_aside(door=door, proposal_id=await _proposal_id(request, door, at), at=at)
    return shared.back_to(door, LIST, done="near")


async def _file(request: Request, door: Door) -> Response:
    opened = await review_reading.open_one(door, request.path_params["code"], shared.now())
    number = shared.whole_id(request.path_params["resource_id"])
    # Of what this one is shown: without names there are no files.
    if number not in {item.id for item in opened.proposal.resources}:
        raise NotFound()
    data, name = await resources.file_of(proposal_id=opened.proposal.id, resource_id=number or 0)
    return file_response(data, name)


_P: Final = "/e/{slug}/desk/review"
_MAY: Final = Permission.REVIEW
_POST: Final = ("POST",)
ROUTES: list[Entry] = [
    access.route(_P, listed, LIST, _MAY),
    access.route(f"{_P}/next", following, f"{LIST}_next", _MAY),
    access.route(f"{_P}/conflicts", declare, f"{LIST}_conflict", _MAY, _POST),
    access.route(
        f"{_P}/conflicts/{{conflict_id}}/removal", take_back, f"{LIST}_conflict_removal", _MAY, _POST
    ),
    access.route(f"{_P}/{{code}}", one, ONE, _MAY, ("GET", "POST"), body_max=questionnaire.BODY_MAX),
    access.route(f"{_P}/{{code}}/withdrawal", withdraw, f"{ONE}_withdrawal", _MAY, _POST),
    access.route(f"{_P}/{{code}}/conflict", too_near, f"{ONE}_conflict", _MAY, _POST),
    access.route(f"{_P}/{{code}}/comments", say, f"{ONE}_comment", _MAY, _POST),
    access.route(
        f"{_P}/{{code}}/comments/{{comment_id}}/removal", unsay, f"{ONE}_comment_removal", _MAY, _POST
    ),
    access.route(f"{_P}/{{code}}/files/{{resource_id}}", _file, f"{ONE}_file", _MAY),
]
