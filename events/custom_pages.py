"""An event's own pages in Markdown: travel, code of conduct, questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from events.models import EventPage
from events.rules import EventCode, is_slug
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal

TITLE_LIMIT: Final = 80
TEXT_LIMIT: Final = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """A page with its text, as organisers edit it and visitors read it."""

    id: int
    event_id: int
    slug: str
    title: LocalizedText
    text: LocalizedText
    is_published: bool
    position: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PageDetails:
    """What an organiser decides about a page; ``slug`` is its part of the address."""

    slug: str
    title: LocalizedText
    text: LocalizedText = field(default_factory=LocalizedText)
    is_published: bool = False
    position: int = 0

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if not is_slug(self.slug):
            found["slug"] = Problem(EventCode.SLUG_MALFORMED)
        if not any(text.strip() for text in self.title.values()):
            found["title"] = Problem(Code.REQUIRED)
        for name, limit in (("title", TITLE_LIMIT), ("text", TEXT_LIMIT)):
            texts: LocalizedText = getattr(self, name)
            if any(len(text) > limit for text in texts.values()):
                found.setdefault(name, Problem(Code.TOO_LONG, {"limit": limit}))
        if not 0 <= self.position <= 10_000:
            found["position"] = Problem(Code.OUT_OF_RANGE)
        return found


def _facts(row: EventPage) -> PageFacts:
    return PageFacts(
        id=row.id,
        event_id=row.event_id,
        slug=row.slug,
        title=LocalizedText.of(row.title),
        text=LocalizedText.of(row.text),
        is_published=row.is_published,
        position=row.position,
        updated_at=row.updated_at,
    )


async def listed(event_id: int, *, published_only: bool = False) -> Sequence[PageFacts]:
    """The event's pages in their order; one statement."""
    rows = EventPage.filter(event_id=event_id)
    if published_only:
        rows = rows.filter(is_published=True)
    return [_facts(row) for row in await rows.order_by("position", "id")]


async def add(*, actor: Actor, event_id: int, details: PageDetails, at: datetime) -> int:
    """Adds a page. Raises Invalid with a problem at each field; an address in use is ``page_slug_taken`` at ``slug``."""
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        try:
            async with unit_of_work():
                row = await EventPage.create(event_id=event_id, updated_at=at, **_columns(details))
        except db.IntegrityError as error:
            raise _taken(error) from error
        await journal.write(
            actor=actor,
            verb="page.add",
            object_kind="page",
            object_id=row.id,
            event_id=event_id,
            new={"slug": details.slug, "is_published": details.is_published},
            at=at,
        )
    return int(row.id)


async def change(*, actor: Actor, event_id: int, page_id: int, details: PageDetails, at: datetime) -> None:
    """Changes a page. Raises NotFound ``page_unknown``, or Invalid as ``add`` does."""
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        row = await EventPage.get_or_none(id=page_id, event_id=event_id)
        if row is None:
            raise NotFound(EventCode.PAGE_UNKNOWN)
        try:
            async with unit_of_work():
                await EventPage.filter(id=page_id).update(updated_at=at, **_columns(details))
        except db.IntegrityError as error:
            raise _taken(error) from error
        await journal.write(
            actor=actor,
            verb="page.change",
            object_kind="page",
            object_id=page_id,
            event_id=event_id,
            old={"slug": row.slug, "is_published": row.is_published, "position": row.position},
            new={"slug": details.slug, "is_published": details.is_published, "position": details.position},
            at=at,
        )


async def remove(*, actor: Actor, event_id: int, page_id: int, at: datetime) -> None:
    """Removes a page for good. Raises NotFound ``page_unknown``."""
    async with unit_of_work():
        rows = await db.query(
            "DELETE FROM event_page WHERE id = $1 AND event_id = $2 RETURNING slug", page_id, event_id
        )
        if not rows:
            raise NotFound(EventCode.PAGE_UNKNOWN)
        await journal.write(
            actor=actor,
            verb="page.remove",
            object_kind="page",
            object_id=page_id,
            event_id=event_id,
            old={"slug": rows[0]["slug"]},
            at=at,
        )


def _columns(details: PageDetails) -> dict[str, Any]:
    return {
        "slug": details.slug,
        "title": details.title,
        "text": details.text,
        "is_published": details.is_published,
        "position": details.position,
    }


def _taken(error: db.IntegrityError) -> Exception:
    return Invalid({"slug": Problem(EventCode.PAGE_SLUG_TAKEN)}) if "slug" in str(error) else error
