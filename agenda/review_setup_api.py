"""JSON of the review's setup: phases, criteria, who reviews, and who was given what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from agenda import assignments, review_queries, review_setup, reviewers
from agenda.proposal_rules import ProposalCode
from agenda.review_rules import AssignedBy, Criterion, Others, Phase, Reach, ReviewCode
from agenda.review_setup import CriterionDetails, PhaseDetails
from agenda.reviewers import ReviewerDetails
from events import access
from events.access import Door
from events.json_api import (
    Body,
    Line,
    Localized,
    Moment,
    Number,
    OnceBody,
    Query,
    RowId,
    Shape,
    answer,
    given,
    localized,
    now,
    once,
    once_id,
    read_body,
    read_query,
)
from events.rules import Permission
from kernel.db import unit_of_work
from kernel.errors import NotFound
from web.api_doc import ApiDoc
from web.routing import Entry

_Points = Annotated[str, Field(pattern="^(0|[1-9][0-9]?|100)$")]

# --- phases ------------------------------------------------------------------------------------------------------


class ReviewPhase(Shape):
    """A stage of the review: what reviewers see and may do while it is active and inside its dates."""

    id: int
    name: dict[str, str]
    position: int
    starts_at: datetime | None
    ends_at: datetime | None
    is_active: bool
    may_review: bool
    reach: Reach
    names_shown: bool
    reviewers_shown: bool
    others: Others
    may_decide: bool
    may_tag: bool
    speakers_may_edit: bool


class ReviewPhases(Shape):
    phases: list[ReviewPhase]


class _PhaseFields(Body):
    position: Number = 0
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    may_review: bool = True
    reach: Reach = Field(default=Reach.ASSIGNED, strict=False)
    names_shown: bool = False
    reviewers_shown: bool = True
    others: Others = Field(default=Others.AFTER_OWN, strict=False)
    may_decide: bool = False
    may_tag: bool = False
    speakers_may_edit: bool = False


class NewReviewPhase(_PhaseFields, OnceBody):
    """It begins by itself at `starts_at`, or when it is activated."""

    name: Localized


class ReviewPhaseChange(_PhaseFields):
    """What is left out stays."""

    name: Localized = Field(default_factory=dict)


def _texts(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: localized(value) if name in names else value for name, value in values.items()}


async def _phase(door: Door, number: int) -> Phase:
    found = next((one for one in await review_queries.phases(door.event.id) if one.id == number), None)
    if found is None:
        raise NotFound(ReviewCode.PHASE_UNKNOWN)
    return found


async def _phases(request: Request, door: Door) -> Response:
    del request
    found = await review_queries.phases(door.event.id)
    return answer(ReviewPhases(phases=[ReviewPhase.model_validate(one) for one in found]))


async def _add_phase(request: Request, door: Door) -> Response:
    body, at = await read_body(request, NewReviewPhase), now()

    async def add() -> Mapping[str, Any]:
        details = PhaseDetails(**_texts(given(body), "name"))
        number = await review_setup.put_phase(
            actor=door.actor, event_id=door.event.id, details=details, at=at
        )
        return {"id": number}

    made = await once(request, door, body, add, at=at)
    return answer(ReviewPhase.model_validate(await _phase(door, made["id"])), 201)


async def _change_phase(request: Request, door: Door) -> Response:
    body, at = await read_body(request, ReviewPhaseChange), now()
    number = int(request.path_params["phase_id"])

    async def change() -> Mapping[str, Any]:
        async with unit_of_work():
            await review_setup.hold(door.event.id)
            old = await _phase(door, number)
            names = PhaseDetails.__dataclass_fields__
            values = {name: getattr(old, name) for name in names} | _texts(given(body), "name")
            await review_setup.put_phase(
                actor=door.actor,
                event_id=door.event.id,
                details=PhaseDetails(**values),
                phase_id=number,
                at=at,
            )
        return {}

    await once(request, door, body, change, at=at, required=False)
    return answer(ReviewPhase.model_validate(await _phase(door, number)))


async def _activate(request: Request, door: Door) -> Response:
    number = int(request.path_params["phase_id"])
    await review_setup.activate(actor=door.actor, event_id=door.event.id, phase_id=number, at=now())
    return await _phases(request, door)


# --- criteria ----------------------------------------------------------------------------------------------------


class ReviewCriterion(Shape):
    """What points are given for; `labels` holds words for some of the points."""

    id: int
    code: str
    name: dict[str, str]
    help: dict[str, str]
    weight: int
    low: int
    high: int
    labels: dict[str, dict[str, str]]
    is_required: bool
    is_active: bool
    position: int


class ReviewCriteria(Shape):
    criteria: list[ReviewCriterion]


class _CriterionFields(Body):
    help: Localized = Field(default_factory=dict)
    weight: Number = 1
    low: Number = 1
    high: Number = 5
    labels: dict[_Points, Localized] = Field(default_factory=dict, max_length=101)
    is_required: bool = True
    is_active: bool = True
    position: Number = 0


class NewReviewCriterion(_CriterionFields, OnceBody):
    """A `weight` of 0 is asked and not counted."""

    code: Line
    name: Localized


class ReviewCriterionChange(_CriterionFields):
    """What is left out stays. What counts changes the totals of all reviews."""

    code: Line = ""
    name: Localized = Field(default_factory=dict)


def _criterion_values(body: Body) -> dict[str, Any]:
    values = _texts(given(body), "name", "help")
    if "labels" in values:
        values["labels"] = {int(value): localized(text) for value, text in values["labels"].items()}
    return values


def _shape(one: Criterion) -> ReviewCriterion:
    values = {name: getattr(one, name) for name in ReviewCriterion.model_fields}
    values["labels"] = {str(value): dict(text) for value, text in one.labels.items()}
    return ReviewCriterion(**values)


async def _criterion(door: Door, number: int) -> Criterion:
    found = next((one for one in await review_queries.criteria(door.event.id) if one.id == number), None)
    if found is None:
        raise NotFound(ReviewCode.CRITERION_UNKNOWN)
    return found


async def _criteria(request: Request, door: Door) -> Response:
    del request
    found = await review_queries.criteria(door.event.id)
    return answer(ReviewCriteria(criteria=[_shape(one) for one in found]))


async def _add_criterion(request: Request, door: Door) -> Response:
    body, at = await read_body(request, NewReviewCriterion), now()

    async def add() -> Mapping[str, Any]:
        details = CriterionDetails(**_criterion_values(body))
        number = await review_setup.put_criterion(
            actor=door.actor, event_id=door.event.id, details=details, at=at
        )
        return {"id": number}

    made = await once(request, door, body, add, at=at)
    return answer(_shape(await _criterion(door, made["id"])), 201)


async def _change_criterion(request: Request, door: Door) -> Response:
    body, at = await read_body(request, ReviewCriterionChange), now()
    number = int(request.path_params["criterion_id"])

    async def change() -> Mapping[str, Any]:
        async with unit_of_work():
            await review_setup.hold(door.event.id)
            old = await _criterion(door, number)
            names = CriterionDetails.__dataclass_fields__
            values = {name: getattr(old, name) for name in names} | _criterion_values(body)
            await review_setup.put_criterion(
                actor=door.actor,
                event_id=door.event.id,
                details=CriterionDetails(**values),
                criterion_id=number,
                at=at,
            )
        return {}

    await once(request, door, body, change, at=at, required=False)
    return answer(_shape(await _criterion(door, number)))


# --- reviewers ---------------------------------------------------------------------------------------------------


class ReviewerShape(Shape):
    """Somebody with a role that reviews. `forum_ids` null: all forums. `given` and `done` count proposals."""

    account_id: int
    name: str
    roles: list[str]
    forum_ids: list[int] | None
    organisation: str
    takes_at_most: int | None
    never_sees_names: bool
    is_resting: bool
    is_asked: bool
    given: int
    done: int
    abstained: int
    conflicts: int


class Reviewers(Shape):
    reviewers: list[ReviewerShape]


class ReviewerChange(Body):
    """What is left out stays."""

    organisation: Line = ""
    takes_at_most: Number | None = None
    never_sees_names: bool = False
    is_resting: bool = False


def _reviewer(one: reviewers.ReviewerLine) -> ReviewerShape:
    values = {name: getattr(one, name) for name in ReviewerShape.model_fields}
    values["roles"] = [str(role) for role in one.roles]
    values["forum_ids"] = None if one.forum_ids is None else sorted(one.forum_ids)
    return ReviewerShape(**values)


async def _reviewers(request: Request, door: Door) -> Response:
    del request
    return answer(Reviewers(reviewers=[_reviewer(one) for one in await reviewers.listed(door.event.id)]))


async def _change_reviewer(request: Request, door: Door) -> Response:
    body, at = await read_body(request, ReviewerChange), now()
    number = int(request.path_params["account_id"])

    async def find() -> reviewers.ReviewerLine:
        lines = await reviewers.listed(door.event.id)
        found = next((one for one in lines if one.account_id == number), None)
        if found is None:
            raise NotFound(ReviewCode.REVIEWER_UNKNOWN)
        return found

    async def change() -> Mapping[str, Any]:
        async with unit_of_work():
            old = await find()
            names = ReviewerDetails.__dataclass_fields__
            values = {name: getattr(old, name) for name in names} | given(body)
            await reviewers.put(
                actor=door.actor,
                event_id=door.event.id,
                account_id=number,
                details=ReviewerDetails(**values),
                at=at,
            )
        return {}

    await once(request, door, body, change, at=at, required=False)
    return answer(_reviewer(await find()))


# --- assignments -------------------------------------------------------------------------------------------------


class Assignment(Shape):
    """Somebody and a proposal. `origin` null: a review that nobody asked for."""

    proposal_id: int
    account_id: int
    origin: AssignedBy | None
    is_done: bool
    abstains: bool


class Assignments(Shape):
    """Without those of proposals in which whoever asks speaks."""

    assignments: list[Assignment]


class Pair(Body):
    proposal_id: RowId
    account_id: RowId


class NewAssignments(OnceBody):
    """Whoever is too near is left out and told."""

    assignments: list[Pair] = Field(min_length=1, max_length=2_000)


class EndedAssignments(Body):
    """Sent twice it ends nothing more."""

    assignments: list[Pair] = Field(min_length=1, max_length=2_000)


class LeftOut(Shape):
    proposal_id: int
    account_id: int
    reason: str


class AssignmentsMade(Shape):
    added: int
    there: int
    left_out: list[LeftOut]


class AssignmentsEnded(Shape):
    ended: int


class PlanQuery(Query):
    needed: int = Field(
        default=3, ge=1, le=20, description="Reviewers of each proposal, those that it has counted."
    )
    forum_id: RowId | None = None


class PlanShape(Shape):
    """What would be given; `plan` names it when it is carried out. `lacking`: reviewers still missing, by proposal."""

    plan: str
    needed: int
    added: list[Assignment]
    lacking: dict[str, int]


class PlanToCarryOut(OnceBody):
    plan: Line
    needed: int = Field(ge=1, le=20)
    forum_id: RowId | None = None


async def _assignments(request: Request, door: Door) -> Response:
    del request
    own = await _own(door)
    found = [one for one in await assignments.given(door.event.id) if one.proposal_id not in own]
    return answer(Assignments(assignments=[Assignment.model_validate(one) for one in found]))


async def _own(door: Door) -> frozenset[int]:
    return assignments.own_of(door.actor, await review_queries.proposal_facts(door.event.id))


def _pairs(body: NewAssignments | EndedAssignments) -> Sequence[tuple[int, int]]:
    return [(one.proposal_id, one.account_id) for one in body.assignments]


async def _give(request: Request, door: Door) -> Response:
    body, at = await read_body(request, NewAssignments), now()

    async def act() -> Mapping[str, Any]:
        done = await assignments.give(actor=door.actor, event_id=door.event.id, pairs=_pairs(body), at=at)
        left_out = [
            {"proposal_id": number, "account_id": account, "reason": str(why)}
            for number, account, why in done.near
        ]
        return {"added": done.added, "there": done.there, "left_out": left_out}

    return answer(AssignmentsMade(**await once(request, door, body, act, at=at)), 201)


async def _end(request: Request, door: Door) -> Response:
    body = await read_body(request, EndedAssignments)
    ended = await assignments.take(actor=door.actor, event_id=door.event.id, pairs=_pairs(body), at=now())
    return answer(AssignmentsEnded(ended=ended))


async def _plan(request: Request, door: Door) -> Response:
    query = read_query(request, PlanQuery)
    found = await assignments.planned(door.event.id, needed=query.needed, forum_id=query.forum_id)
    own = assignments.own_of(door.actor, found.table.proposals)
    return answer(
        PlanShape(
            plan=found.digest,
            needed=found.needed,
            added=[
                Assignment(
                    proposal_id=number,
                    account_id=account,
                    origin=AssignedBy.MACHINE,
                    is_done=False,
                    abstains=False,
                )
                for number, account in found.plan.added
                if number not in own
            ],
            lacking={
                str(number): missing for number, missing in found.plan.lacking.items() if number not in own
            },
        )
    )


async def _carry_out(request: Request, door: Door) -> Response:
    body, at = await read_body(request, PlanToCarryOut), now()

    added = await assignments.carry_out(
        actor=door.actor,
        event_id=door.event.id,
        needed=body.needed,
        digest=body.plan,
        form_id=once_id(request, body),
        at=at,
        forum_id=body.forum_id,
    )
    return answer(AssignmentsMade(added=added, there=0, left_out=[]), 201)


_TAG: Final = "Review"
_P: Final = "/e/{slug}/api/review"
_CALL, _DECIDE = Permission.CHANGE_CALL, Permission.DECIDE
_PHASE_UNKNOWN: Final = {404: (ReviewCode.PHASE_UNKNOWN,)}
ROUTES: list[Entry] = [
    access.route(
        f"{_P}/phases",
        _phases,
        "agenda.api.review_phases",
        _CALL,
        api=ApiDoc(tag=_TAG, summary="The phases of the review in their order.", answer=ReviewPhases),
    ),
    access.route(
        f"{_P}/phases",
        _add_phase,
        "agenda.api.review_phase_new",
        _CALL,
        ("POST",),
        api=ApiDoc(
            tag=_TAG,
            summary="Adds a phase.",
            answer=ReviewPhase,
            status=201,
            body=NewReviewPhase,
            is_once=True,
            refusals={422: (ReviewCode.PHASE_REVERSED, ReviewCode.PHASES_TOO_MANY)},
        ),
    ),
    access.route(
        f"{_P}/phases/{{phase_id:int}}",
        _change_phase,
        "agenda.api.review_phase",
        _CALL,
        ("PATCH",),
        api=ApiDoc(
            tag=_TAG,
            summary="Changes what is sent of a phase.",
            answer=ReviewPhase,
            body=ReviewPhaseChange,
            is_once=True,
            refusals={**_PHASE_UNKNOWN, 422: (ReviewCode.PHASE_REVERSED,)},
        ),
    ),
    access.route(
        f"{_P}/phases/{{phase_id:int}}/activation",
        _activate,
        "agenda.api.review_phase_activation",
        _CALL,
        ("POST",),
        api=ApiDoc(
            tag=_TAG,
            summary="Makes a phase the active one, in place of the one that is.",
            answer=ReviewPhases,
            refusals=_PHASE_UNKNOWN,
        ),
    ),
    access.route(
        f"{_P}/criteria",
        _criteria,
        "agenda.api.review_criteria",
        _CALL,
        api=ApiDoc(tag=_TAG, summary="The criteria of the review in their order.", answer=ReviewCriteria),
    ),
    access.route(
        f"{_P}/criteria",
        _add_criterion,
        "agenda.api.review_criterion_new",
        _CALL,
        ("POST",),
        api=ApiDoc(
            tag=_TAG,
            summary="Adds a criterion.",
            answer=ReviewCriterion,
            status=201,
            body=NewReviewCriterion,
            is_once=True,
            refusals={
                422: (
                    ReviewCode.RANGE_REVERSED,
                    ReviewCode.LABEL_OUTSIDE,
                    ReviewCode.CRITERIA_TOO_MANY,
                    ProposalCode.CODE_OF_THING_TAKEN,
                )
            },
        ),
    ),
    access.route(
        f"{_P}/criteria/{{criterion_id:int}}",
        _change_criterion,
        "agenda.api.review_criterion",
        _CALL,
        ("PATCH",),
        api=ApiDoc(
            tag=_TAG,
            summary="Changes what is sent of a criterion, and with it the totals of all reviews.",
            answer=ReviewCriterion,
            body=ReviewCriterionChange,
            is_once=True,
            refusals={
                404: (ReviewCode.CRITERION_UNKNOWN,),
                422: (
                    ReviewCode.RANGE_REVERSED,
                    ReviewCode.LABEL_OUTSIDE,
                    ProposalCode.CODE_OF_THING_TAKEN,
                ),
            },
        ),
    ),
    access.route(
        f"{_P}/reviewers",
        _reviewers,
        "agenda.api.reviewers",
        _DECIDE,
        api=ApiDoc(
            tag=_TAG,
            summary="Everybody with a role that reviews, and what they have.",
            answer=Reviewers,
        ),
    ),
    access.route(
        f"{_P}/reviewers/{{account_id:int}}",
        _change_reviewer,
        "agenda.api.reviewer",
        _DECIDE,
        ("PATCH",),
        api=ApiDoc(
            tag=_TAG,
            summary="Changes what is known of a reviewer; an owner or organiser is asked from then on.",
            answer=ReviewerShape,
            body=ReviewerChange,
            is_once=True,
            refusals={404: (ReviewCode.REVIEWER_UNKNOWN,)},
        ),
    ),
    access.route(
        f"{_P}/assignments",
        _assignments,
        "agenda.api.assignments",
        _DECIDE,
        api=ApiDoc(
            tag=_TAG,
            summary="Who was asked to review what, and has.",
            answer=Assignments,
        ),
    ),
    access.route(
        f"{_P}/assignments",
        _give,
        "agenda.api.assignment_new",
        _DECIDE,
        ("POST",),
        api=ApiDoc(
            tag=_TAG,
            summary="Asks people to review proposals.",
            answer=AssignmentsMade,
            status=201,
            body=NewAssignments,
            is_once=True,
            refusals={404: (ProposalCode.UNKNOWN, ReviewCode.REVIEWER_UNKNOWN)},
        ),
    ),
    access.route(
        f"{_P}/assignments/end",
        _end,
        "agenda.api.assignment_end",
        _DECIDE,
        ("POST",),
        api=ApiDoc(
            tag=_TAG,
            summary="Relieves people of proposals; what they wrote stays.",
            answer=AssignmentsEnded,
            body=EndedAssignments,
            refusals={404: (ProposalCode.UNKNOWN,)},
        ),
    ),
    access.route(
        f"{_P}/plan",
        _plan,
        "agenda.api.assignment_plan",
        _DECIDE,
        api=ApiDoc(
            tag=_TAG,
            summary="What would be given so that each proposal has enough reviewers; nothing is written.",
            answer=PlanShape,
            query=PlanQuery,
        ),
    ),
    access.route(
        f"{_P}/plan",
        _carry_out,
        "agenda.api.assignment_plan_out",
        _DECIDE,
        ("POST",),
        api=ApiDoc(
            tag=_TAG,
            summary="Carries out a plan that was asked for before, whole or not at all.",
            answer=AssignmentsMade,
            status=201,
            body=PlanToCarryOut,
            is_once=True,
            refusals={409: (ReviewCode.PLAN_CHANGED,)},
        ),
    ),
]
