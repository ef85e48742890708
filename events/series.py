"""Series (系列活动): events that return year after year. A series belongs to the installation, not to one event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.models import Event, Series
from events.rules import EventCode, is_slug
from kernel import db
from kernel.actor import Actor
from kernel.db import after_commit, unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal
from web import shared_pages

NAME_LIMIT: Final = 120


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    id: int
    slug: str
    name: LocalizedText


async def listed() -> Sequence[SeriesFacts]:
    """Every series, by alias; one statement."""
    rows = await Series.all().order_by("slug")
    return [SeriesFacts(row.id, row.slug, LocalizedText.of(row.name)) for row in rows]


async def of_events(event_ids: Iterable[int]) -> Sequence[SeriesFacts]:
    """The series that any of these events belongs to, by alias; two statements."""
    known = await Event.filter(id__in=list(event_ids) or [0], series_id__not_isnull=True).values("series_id")
    wanted = sorted({row["series_id"] for row in known})
    rows = await Series.filter(id__in=wanted or [0]).order_by("slug")
    return [SeriesFacts(row.id, row.slug, LocalizedText.of(row.name)) for row in rows]


async def find(slug: str) -> SeriesFacts | None:
    row = await Series.get_or_none(slug=slug)
    return SeriesFacts(row.id, row.slug, LocalizedText.of(row.name)) if row else None


async def find_by_id(series_id: int) -> SeriesFacts | None:
    row = await Series.get_or_none(id=series_id)
    return SeriesFacts(row.id, row.slug, LocalizedText.of(row.name)) if row else None


async def make(*, actor: Actor, slug: str, name: LocalizedText, at: datetime) -> int:
    """Makes a series and gives its id. Raises Invalid; an alias in use is ``series_slug_taken`` at ``series_slug``."""
    _check(slug, name)
    async with unit_of_work():
        try:
            async with unit_of_work():
                row = await Series.create(slug=slug, name=name, created_at=at)
        except db.IntegrityError as error:
            raise _taken(error) from error
        await journal.write(
            actor=actor,
            verb="series.add",
            object_kind="series",
            object_id=row.id,
            new={"slug": slug},
            at=at,
        )
    return int(row.id)


async def rename(*, actor: Actor, series_id: int, slug: str, name: LocalizedText, at: datetime) -> None:
    """Gives a series another name or alias; addresses with the old alias stop working. Raises as ``make`` does."""
    _check(slug, name)
    async with unit_of_work():
        row = await Series.get_or_none(id=series_id)
        if row is None:
            raise NotFound(EventCode.SERIES_UNKNOWN)
        try:
            async with unit_of_work():
                await Series.filter(id=series_id).update(slug=slug, name=name)
        except db.IntegrityError as error:
            raise _taken(error) from error
        await journal.write(
            actor=actor,
            verb="series.change",
            object_kind="series",
            object_id=series_id,
            old={"slug": row.slug},
            new={"slug": slug},
            at=at,
        )
        after_commit(shared_pages.drop_all)


def _check(slug: str, name: LocalizedText) -> None:
    problems: dict[str, Problem] = {}
    if not is_slug(slug):
        problems["series_slug"] = Problem(EventCode.SLUG_MALFORMED)
    if not any(text.strip() for text in name.values()):
        problems["series_name"] = Problem(Code.REQUIRED)
    elif any(len(text) > NAME_LIMIT for text in name.values()):
        problems["series_name"] = Problem(Code.TOO_LONG, {"limit": NAME_LIMIT})
    if problems:
        raise Invalid(problems)


def _taken(error: db.IntegrityError) -> Exception:
    return Invalid({"series_slug": Problem(EventCode.SERIES_SLUG_TAKEN)}) if "slug" in str(error) else error
