"""The demo's review: its phases and criteria, three invented reviewers, what they were given and some of what they said."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from agenda import assignments, cfp_queries, review_queries, review_setup, reviews
from agenda.review_setup import PhaseDetails
from agenda.reviews import Given
from events import access, event, queries
from events.rules import Permission, Role
from kernel.actor import Actor, ActorKind
from kernel.errors import Conflict
from people import accounts
from scripts.demo_texts import both

#: Whoever tries the review signs in with this.
REVIEWER: Final = "reviewer1@example.org"
_REVIEWERS: Final = (
    (REVIEWER, "苏木槿"),
    ("reviewer2@example.org", "Tomás Herrera"),
    ("reviewer3@example.org", "韩若溪"),
)
_REASONS: Final = (
    both("案例真实，数据讲得清楚。", "A real case, and its figures are clear."),
    both("题目很好，摘要还可以更具体一些。", "A good subject; the abstract could be more concrete."),
    both("更像产品介绍，建议改成踩坑经历。", "Reads like a product; better tell what went wrong."),
)


async def review(owner: Actor, slug: str, at: datetime) -> None:
    """Begins the review of the edition to come; what is there already stays as it is."""
    found = await queries.find_event(slug)
    assert found is not None
    call = await cfp_queries.find_call(found.id)
    assert call is not None
    if not await review_queries.phases(found.id):
        phase = await review_setup.put_phase(
            actor=owner,
            event_id=found.id,
            details=PhaseDetails(
                name=both("评审", "Review"),
                position=1,
                starts_at=at - timedelta(days=14),
                ends_at=call.review_by,
            ),
            at=at,
        )
        await review_setup.activate(actor=owner, event_id=found.id, phase_id=phase, at=at)
        await review_setup.set_up(actor=owner, event_id=found.id, at=at)
    people = []
    for email, name in _REVIEWERS:
        number = await accounts.create_account(email=email, name=name, is_admin=False, at=at)
        people.append(Actor(kind=ActorKind.ACCOUNT, id=number, name=name, email=email))
        with contextlib.suppress(Conflict):  # held since an earlier start
            await event.grant(actor=owner, event_id=found.id, account_id=number, role=Role.REVIEWER, at=at)
    planned = await assignments.planned(found.id, needed=2)
    await assignments.carry_out(
        actor=owner,
        event_id=found.id,
        needed=2,
        digest=planned.digest,
        form_id=uuid5(NAMESPACE_URL, f"huiwu demo plan {planned.digest}"),
        at=at,
    )
    for turn, person in enumerate(people):
        await _reviews(person, slug, found.id, turn, at)


async def _reviews(person: Actor, slug: str, event_id: int, turn: int, at: datetime) -> None:
    """The first reviewer has two thirds behind them, the others nearly all; some talks divide them."""
    door = await access.open_event(person, slug, Permission.REVIEW)
    criteria = await review_queries.criteria(event_id)
    own = await assignments.given(event_id, account_id=person.id)
    for number, one in enumerate(own):
        if one.is_done or number % 3 == turn:
            continue
        points = {
            criterion.id: str(1 + (number * (turn + 2) + place) % 5)
            for place, criterion in enumerate(criteria)
        }
        await reviews.write(
            door=door,
            proposal_id=one.proposal_id,
            given=Given(points=points, reason=_REASONS[(number + turn) % 3].in_("zh-Hans")),
            at=at,
        )
