"""A review for the fuzz test: what stands in the paths and bodies of its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from agenda import assignments, calls, cfp_queries, review_setup
from agenda.calls import CallDetails
from agenda.models import Proposal, Review
from agenda.review_setup import CriterionDetails, PhaseDetails
from events.models import Event
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.text import LocalizedText
from tests.factories import make_account, make_role


@dataclass(frozen=True)
class ReviewHouse:
    params: dict[str, Any]
    body: dict[str, Any]


async def make_review(event: Event, at: datetime) -> ReviewHouse:
    """A proposal that has its one review, so that a plan stays what it is; and somebody who could review it, too."""
    if await cfp_queries.find_call(event.id) is None:
        await calls.set_up(actor=SYSTEM, event_id=event.id, details=CallDetails(), at=at)
    common: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "at": at}
    name = LocalizedText({"en": "One more"})
    phase_id = await review_setup.put_phase(**common, details=PhaseDetails(name=name))
    details = CriterionDetails(code="one-more", name=name, is_required=False)
    criterion_id = await review_setup.put_criterion(**common, details=details)
    people = [await make_account() for _ in range(2)]
    for account in people:
        await make_role(event, account, "reviewer")
    async with unit_of_work():
        proposal = await Proposal.create(
            guid=uuid4(), event_id=event.id, code="ABCDEF", state="submitted", created_at=at, updated_at=at
        )
    for one in await Proposal.filter(event_id=event.id, state__in=["submitted", "waitlisted"]):
        async with unit_of_work():
            await Review.create(proposal_id=one.id, account_id=people[0].id, created_at=at, updated_at=at)
    return ReviewHouse(
        {"account_id": people[1].id, "phase_id": phase_id, "criterion_id": criterion_id},
        {
            "assignments": [{"proposal_id": proposal.id, "account_id": people[1].id}],
            "needed": 1,
            "plan": (await assignments.planned(event.id, needed=1)).digest,
        },
    )
