"""Rows of a programme for tests about letters and decisions: speakers with an address and talks in a state."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import uuid4

from agenda.models import Call, Forum, Proposal, ProposalSpeaker, Speaker
from events.models import Event
from kernel.db import unit_of_work
from tests.factories import NOW

_count = itertools.count(1)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def _code() -> str:
    number = next(_count)
    return "".join(_LETTERS[number // 24**place % 24] for place in range(6))


async def make_call(event: Event, **more: Any) -> Call:
    async with unit_of_work():
        return await Call.create(event_id=event.id, **({"created_at": NOW, "updated_at": NOW} | more))


async def make_forum(event: Event, **more: Any) -> Forum:
    values = {"code": f"forum-{next(_count)}", "name": {"zh-Hans": "开源硬件", "en": "Hardware"}}
    async with unit_of_work():
        return await Forum.create(event_id=event.id, **(values | more))


async def make_speaker(event: Event, **more: Any) -> Speaker:
    number = next(_count)
    values: dict[str, Any] = {
        "code": _code(),
        "email": f"speaker{number}@example.org",
        "locale": "zh-Hans",
        "name": {"zh-Hans": f"讲师{number}", "en": f"Speaker {number}"},
        "created_at": NOW,
        "updated_at": NOW,
    }
    async with unit_of_work():
        return await Speaker.create(event_id=event.id, **(values | more))


async def make_talk(event: Event, *speakers: Speaker, **more: Any) -> Proposal:
    number = next(_count)
    values: dict[str, Any] = {
        "guid": uuid4(),
        "code": _code(),
        "state": "submitted",
        "title": {"zh-Hans": f"议题{number}", "en": f"Talk {number}"},
        "created_at": NOW,
        "updated_at": NOW,
        "submitted_at": NOW,
    }
    async with unit_of_work():
        row = await Proposal.create(event_id=event.id, **(values | more))
        for position, one in enumerate(speakers):
            await ProposalSpeaker.create(
                proposal_id=row.id, speaker_id=one.id, position=position, joined_at=NOW
            )
        return row
