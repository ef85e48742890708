"""JSON of reviews: what is one's own to judge, one proposal as its reviewer reads it, points, comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from agenda import comments, review_queries, review_reading, reviews
from agenda.cfp_queries import FieldFacts, StoredAnswer
from agenda.proposal_rules import ProposalCode
from agenda.review_reading import Opened, ReviewFacts
from agenda.review_rules import ReviewCode
from agenda.reviews import Given
from events import access, form_rules
from events.access import Door
from events.form_rules import FileAnswer, FormCode
from events.json_api import (
    Body,
    Line,
    OnceBody,
    Shape,
    Text,
    answer,
    now,
    once_id,
    read_body,
)
from events.rules import FieldKind, Permission
from kernel.errors import Invalid, NotFound, Problem
from web.api_doc import ApiDoc
from web.routing import Entry

# --- shapes ------------------------------------------------------------------------------------------------------


class ToReview(Shape):
    """A proposal of one's own list; the title stands as this reader may read it."""

    code: str
    title: dict[str, str]
    session_type_id: int | None
    forum_id: int | None
    language: str
    #: Given to this reviewer by name.
    is_assigned: bool
    is_reviewed: bool
    may_review: bool


class MyReviews(Shape):
    """What was given to somebody first, then, where all may be reviewed, what has fewest reviews. `phase` is the one
    that is on, null between phases."""

    phase: dict[str, str] | None
    until: datetime | None
    proposals: list[ToReview]


class SpeakerOfProposal(Shape):
    name: dict[str, str]
    organisation: dict[str, str]
    title: dict[str, str]
    bio: dict[str, str]


class ResourceOfProposal(Shape):
    """A link, or a file by its name."""

    title: str
    url: str
    filename: str


class CriterionOfReview(Shape):
    """Whole points from `low` to `high`, with words for some of them; a weight of 0 is not counted."""

    code: str
    name: dict[str, str]
    weight: int
    low: int
    high: int
    labels: dict[str, dict[str, str]]
    is_required: bool


class QuestionOfReview(Shape):
    code: str
    kind: FieldKind
    label: dict[str, str]
    options: list[str]
    is_required: bool


class ReviewOfProposal(Shape):
    """A review; `total` in ten-thousandths, null for an abstention. `reviewer` is empty where names are hidden."""

    reviewer: str
    points: dict[str, int]
    abstains: bool
    reason: str
    recommends: str
    total: int | None
    answers: dict[str, Any]
    version: str
    updated_at: datetime


class ProposalUnderReview(Shape):
    """A proposal as this reader may read it. Where `names_shown` is false there are no speakers and no files, and with
    `is_redacted` the words are a copy without names."""

    code: str
    title: dict[str, str]
    abstract: dict[str, str]
    description: dict[str, str]
    session_type_id: int | None
    forum_id: int | None
    minutes: int | None
    language: str
    level: str
    audience: str
    takeaways: str
    previous_talks: str
    equipment: str
    names_shown: bool
    is_redacted: bool
    speakers: list[SpeakerOfProposal]
    resources: list[ResourceOfProposal]
    answers: dict[str, Any]
    may_review: bool
    criteria: list[CriterionOfReview]
    questions: list[QuestionOfReview]
    review: ReviewOfProposal | None
    others_shown: bool
    others: list[ReviewOfProposal]


class CommentOnProposal(Shape):
    """`writer` is empty where reviewers are hidden."""

    id: int
    writer: str
    is_own: bool
    text: str
    at: datetime


class CommentsOnProposal(Shape):
    comments: list[CommentOnProposal]


# --- what is asked -----------------------------------------------------------------------------------------------

_Value = bool | int | float | Text | Annotated[list[Line], Field(max_length=60)] | None


class MyReview(Body):
    """The whole review: points by the criteria's codes, answers by the questions'. Files stay as they are."""

    points: Annotated[dict[Line, int], Field(max_length=60)] = Field(default_factory=dict)
    reason: Text
    abstains: bool = False
    recommends: Literal["", "accepted", "waitlisted", "rejected"] = ""
    answers: Annotated[dict[Line, _Value], Field(max_length=60)] = Field(default_factory=dict)
    version: Line | None = Field(
        default=None,
        description="Of the review that is changed, empty for none; left out, whatever is there is replaced.",
    )


class NewComment(OnceBody):
    text: Text


# --- answers -----------------------------------------------------------------------------------------------------


async def _mine(request: Request, door: Door) -> Response:
    del request
    queue = await review_reading.queue(door, now())
    titles = await review_reading.titles(queue.lines)
    phase = queue.phase
    return answer(
        MyReviews(
            phase=dict(phase.name) if phase else None,
            until=phase.ends_at if phase else None,
            proposals=[
                ToReview(
                    code=line.code,
                    title=dict(titles[line.id]),
                    session_type_id=line.session_type_id,
                    forum_id=line.forum_id,
                    language=line.language,
                    is_assigned=line.look.viewer.is_assigned,
                    is_reviewed=line.is_done,
                    may_review=line.look.sees.may_review,
                )
                for line in queue.lines
            ],
        )
    )


async def _one(request: Request, door: Door) -> Response:
    opened = await review_reading.open_one(door, request.path_params["code"], now())
    return answer(_shape(opened))


def _shape(opened: Opened) -> ProposalUnderReview:
    proposal, look, at = opened.proposal, opened.look, now()
    return ProposalUnderReview(
        **{
            name: getattr(proposal, name)
            for name in (
                "code",
                "session_type_id",
                "forum_id",
                "minutes",
                "language",
                "level",
                "audience",
                "takeaways",
                "previous_talks",
                "equipment",
            )
        },
        title=dict(proposal.title),
        abstract=dict(proposal.abstract),
        description=dict(proposal.description),
        names_shown=look.sees.names,
        is_redacted=opened.is_redacted,
        speakers=[
            SpeakerOfProposal(
                **{
                    name: dict(getattr(place.speaker, name))
                    for name in ("name", "organisation", "title", "bio")
                }
            )
            for place in proposal.speakers
        ],
        resources=[
            ResourceOfProposal(title=one.title, url=one.url, filename=one.filename)
            for one in proposal.resources
        ],
        answers=_by_code(opened.answers),
        may_review=look.sees.may_review,
        criteria=[
            CriterionOfReview(
                code=one.code,
                name=dict(one.name),
                weight=one.weight,
                low=one.low,
                high=one.high,
                labels={str(value): dict(words) for value, words in one.labels.items()},
                is_required=one.is_required,
            )
            for one in opened.criteria
        ],
        questions=[
            QuestionOfReview(
                code=one.question.code,
                kind=one.question.kind,
                label=dict(one.question.label),
                options=[option.code for option in one.question.options],
                is_required=one.asking.is_required(at),
            )
            for one in opened.asked
        ],
        review=_review(opened, opened.own, "") if opened.own else None,
        others_shown=look.sees.reviews,
        others=[_review(opened, one, who) for one, who in opened.others],
    )


def _by_code(answers: Sequence[tuple[FieldFacts, StoredAnswer]]) -> dict[str, Any]:
    return {field.question.code: given.filename or given.value for field, given in answers}


def _review(opened: Opened, one: ReviewFacts, who: str) -> ReviewOfProposal:
    return ReviewOfProposal(
        reviewer=who,
        points={
            criterion.code: one.points[criterion.id]
            for criterion in opened.criteria
            if criterion.id in one.points
        },
        abstains=one.abstains,
        reason=one.reason,
        recommends=one.recommends,
        total=one.total,
        answers=_by_code(
            [(field, one.answers[field.id]) for field in opened.asked if field.id in one.answers]
        ),
        version=one.version,
        updated_at=one.updated_at,
    )


async def _put(request: Request, door: Door) -> Response:
    at = now()
    body = await read_body(request, MyReview)
    opened = await review_reading.open_one(door, request.path_params["code"], at)
    names = {f"score.{one.id}": f"points.{one.code}" for one in opened.criteria}
    names |= {one.question.name: f"answers.{one.question.code}" for one in opened.asked}
    ids = {one.code: one.id for one in opened.criteria}
    answers, problems = _read_answers(opened, body.answers)
    problems |= {
        f"points.{code}": Problem(ReviewCode.CRITERION_UNKNOWN) for code in body.points if code not in ids
    }
    given = Given(
        points={ids[code]: str(value) for code, value in body.points.items() if code in ids},
        reason=body.reason,
        abstains=body.abstains,
        recommends=body.recommends,
        answers=answers,
        problems=problems,
    )
    try:
        await reviews.write(
            door=door, proposal_id=opened.proposal.id, given=given, at=at, version=body.version
        )
    except Invalid as refusal:
        raise Invalid({names.get(name, name): one for name, one in refusal.fields.items()}) from None
    return answer(_shape(await review_reading.open_one(door, opened.proposal.code, at)))


def _read_answers(opened: Opened, sent: Mapping[str, Any]) -> tuple[dict[int, Any], dict[str, Problem]]:
    """Clean answers by question; a file that was given on a page stays."""
    answers: dict[int, Any] = {}
    known = {one.question.code for one in opened.asked}
    problems = {f"answers.{code}": Problem(FormCode.QUESTION_UNKNOWN) for code in sent if code not in known}
    for one in opened.asked:
        question = one.question
        if question.kind is FieldKind.FILE:
            kept = opened.own.answers.get(one.id) if opened.own else None
            if kept is not None and kept.upload_id is not None:
                answers[one.id] = FileAnswer(kept.upload_id, kept.filename, "")
            if sent.get(question.code) is not None:
                problems[f"answers.{question.code}"] = Problem(FormCode.FILE_KIND)
            continue
        value = form_rules.read_answer(question, form_rules.as_typed(question, sent.get(question.code)))
        if isinstance(value, Problem):
            problems[f"answers.{question.code}"] = value
        elif value is not None:
            answers[one.id] = value
    return answers, problems


async def _delete(request: Request, door: Door) -> Response:
    at = now()
    number = await review_reading.id_of(door.event.id, request.path_params["code"])
    if not await reviews.withdraw(door=door, proposal_id=number, at=at):
        raise NotFound(ReviewCode.UNKNOWN)
    return Response(status_code=204)


async def _comments(request: Request, door: Door) -> Response:
    return answer(await _said(door, request.path_params["code"], now()))


async def _said(door: Door, code: str, at: datetime) -> CommentsOnProposal:
    opened = await review_reading.open_one(door, code, at)
    if opened.comments is None:
        raise NotFound(ProposalCode.UNKNOWN)
    return CommentsOnProposal(
        comments=[
            CommentOnProposal(
                id=one.id, writer=who, is_own=one.account_id == door.actor.id, text=one.text, at=one.at
            )
            for one, who in opened.comments
        ]
    )


async def _say(request: Request, door: Door) -> Response:
    at, code = now(), request.path_params["code"]
    body = await read_body(request, NewComment)
    number = await review_reading.id_of(door.event.id, code)
    reviews.require_sight((await review_queries.looks(door, [number], at)).get(number))
    try:
        await comments.add(
            door=door, proposal_id=number, text=body.text, form_id=once_id(request, body), at=at
        )
    except Invalid as refusal:
        fields = {"text" if name == "comment" else name: one for name, one in refusal.fields.items()}
        raise Invalid(fields) from None
    return answer(await _said(door, code, at), 201)


async def _unsay(request: Request, door: Door) -> Response:
    number = await review_reading.id_of(door.event.id, request.path_params["code"])
    await comments.remove(
        door=door, proposal_id=number, comment_id=int(request.path_params["comment_id"]), at=now()
    )
    return Response(status_code=204)


_P = "/e/{slug}/api/reviews"
_MAY = Permission.REVIEW
_CODE = {"code": {"type": "string", "pattern": "^[0-9A-Za-z]{6}$"}}
_SIGHT: dict[int, tuple[str, ...]] = {
    403: (ReviewCode.OWN_PROPOSAL, ReviewCode.TOO_NEAR, ReviewCode.NOT_ASSIGNED),
    404: (ProposalCode.UNKNOWN,),
    409: (ReviewCode.NOT_NOW,),
}
ROUTES: list[Entry] = [
    access.route(
        _P,
        _mine,
        "agenda.api.reviews",
        _MAY,
        api=ApiDoc(tag="Reviews", summary="What is one's own to review, in its order.", answer=MyReviews),
    ),
    access.route(
        f"{_P}/{{code}}",
        _one,
        "agenda.api.review",
        _MAY,
        api=ApiDoc(
            tag="Reviews",
            summary="One proposal as its reviewer may read it, with the reviews that the phase shows.",
            answer=ProposalUnderReview,
            path=_CODE,
            refusals=_SIGHT,
        ),
    ),
    access.route(
        f"{_P}/{{code}}",
        _put,
        "agenda.api.review_put",
        _MAY,
        ("PUT",),
        api=ApiDoc(
            tag="Reviews",
            summary="Writes one's own review, or puts another in its place.",
            answer=ProposalUnderReview,
            body=MyReview,
            path=_CODE,
            refusals=_SIGHT | {409: (ReviewCode.NOT_NOW, ReviewCode.STALE)},
        ),
    ),
    access.route(
        f"{_P}/{{code}}",
        _delete,
        "agenda.api.review_delete",
        _MAY,
        ("DELETE",),
        api=ApiDoc(
            tag="Reviews",
            summary="Takes one's own review back, while the phase is on.",
            answer=None,
            status=204,
            path=_CODE,
            refusals=_SIGHT | {404: (ProposalCode.UNKNOWN, ReviewCode.UNKNOWN)},
        ),
    ),
    access.route(
        f"{_P}/{{code}}/comments",
        _comments,
        "agenda.api.review_comments",
        _MAY,
        api=ApiDoc(
            tag="Reviews",
            summary="Words among organisers and reviewers; never for the proposal's own speakers.",
            answer=CommentsOnProposal,
            path=_CODE,
            refusals=_SIGHT,
        ),
    ),
    access.route(
        f"{_P}/{{code}}/comments",
        _say,
        "agenda.api.review_comment_new",
        _MAY,
        ("POST",),
        api=ApiDoc(
            tag="Reviews",
            summary="Says something about a proposal among organisers and reviewers.",
            answer=CommentsOnProposal,
            status=201,
            body=NewComment,
            path=_CODE,
            is_once=True,
            refusals=_SIGHT,
        ),
    ),
    access.route(
        f"{_P}/{{code}}/comments/{{comment_id:int}}",
        _unsay,
        "agenda.api.review_comment_delete",
        _MAY,
        ("DELETE",),
        api=ApiDoc(
            tag="Reviews",
            summary="Takes one's own comment back; nothing of it stays.",
            answer=None,
            status=204,
            path=_CODE,
            refusals=_SIGHT | {404: (ProposalCode.UNKNOWN, ReviewCode.COMMENT_UNKNOWN)},
        ),
    ),
]
