"""Files and links of a proposal: something to read, its slides, their backup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agenda import history
from agenda.history import Line
from agenda.models import ProposalResource
from agenda.proposal_rules import LIMITS, RESOURCES_AT_MOST, ProposalCode, Purpose
from events.form_rules import FileAnswer, FormCode, read_address
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from people import uploads

#: Somebody who sends the same file or link again so soon has pressed twice.
PRESSED_TWICE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResource:
    """A link, or a file that waits (``events.questionnaire``); never both."""

    title: str = ""
    url: str = ""
    file: FileAnswer | None = None
    purpose: Purpose = Purpose.RESOURCE
    is_public: bool = False


async def add(*, actor: Actor, proposal_id: int, new: NewResource, at: datetime) -> int:
    """Adds a file or link and gives its id; the same one again within a minute is a button pressed twice.

    Raises Invalid at ``url``, ``title`` or ``file``."""
    problems: dict[str, Problem] = {}
    url = ""
    if new.file is None:
        found = read_address(new.url) if new.url.strip() else Problem(Code.REQUIRED)
        if isinstance(found, Problem):
            problems["url"] = found
        else:
            url = found
    if len(new.title) > LIMITS["resource_title"]:
        problems["title"] = Problem(Code.TOO_LONG, {"limit": LIMITS["resource_title"]})
    if problems:
        raise Invalid(problems)
    title = new.title.strip() or (new.file.filename if new.file else url)[: LIMITS["resource_title"]]
    async with unit_of_work():
        # Counted under the proposal's lock: there is no row that could say no.
        await db.one_at_a_time(f"agenda.proposal:{proposal_id}")
        twin = await ProposalResource.filter(
            proposal_id=proposal_id,
            purpose=new.purpose,
            title=title,
            url=url,
            actor_key=actor.key,
            created_at__gt=at - PRESSED_TWICE,
        ).first()
        if twin is not None:
            return int(twin.id)
        there = await ProposalResource.filter(proposal_id=proposal_id).count()
        if there >= RESOURCES_AT_MOST:
            raise Invalid(
                {"url": Problem(ProposalCode.RESOURCES_TOO_MANY, {"limit": RESOURCES_AT_MOST})},
            )
        if new.file is not None and not await uploads.claim([new.file.upload_id], at):
            raise Invalid({"file": Problem(FormCode.FILE_GONE)})
        row = await ProposalResource.create(
            proposal_id=proposal_id,
            purpose=new.purpose,
            title=title,
            url=url,
            upload_id=new.file.upload_id if new.file else None,
            is_public=new.is_public,
            position=there,
            actor_key=actor.key,
            created_at=at,
        )
        await history.write(
            actor=actor,
            proposal_id=proposal_id,
            verb="resource",
            at=at,
            lines=[Line(str(new.purpose), None, title)],
        )
    return int(row.id)


async def remove(*, actor: Actor, proposal_id: int, resource_id: int, at: datetime) -> None:
    """Takes a file or link away; the file goes for good after the commit. Raises NotFound."""
    async with unit_of_work():
        row = await ProposalResource.get_or_none(id=resource_id, proposal_id=proposal_id)
        if row is None:
            raise NotFound()
        await ProposalResource.filter(id=row.id).delete()
        if row.upload_id is not None:
            await uploads.expire([row.upload_id])
        await history.write(
            actor=actor,
            proposal_id=proposal_id,
            verb="resource",
            at=at,
            lines=[Line(row.purpose, row.title, None)],
        )


async def file_of(*, proposal_id: int, resource_id: int) -> tuple[bytes, str]:
    """A resource's file and its name; the caller has checked that it may be seen. Raises NotFound."""
    row = await ProposalResource.get_or_none(id=resource_id, proposal_id=proposal_id)
    if row is None or row.upload_id is None:
        raise NotFound()
    return await uploads.read(row.upload_id)
