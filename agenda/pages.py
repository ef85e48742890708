"""The programme, for everybody: by day and time, in the event's own zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from agenda import queries
from agenda.queries import SessionFacts
from agenda.rules import SessionKind
from events import access
from events.access import Door
from events.rules import Permission
from web import i18n, render
from web.render import Context
from web.routing import Entry


@dataclass(frozen=True, slots=True)
class Item:
    """A session as the list shows it; ``kind`` is empty for a talk, which most are."""

    guid: str
    begins: str
    ends: str
    title: str
    kind: str
    speakers: str
    place: str
    is_break: bool
    is_now: bool


@dataclass(frozen=True, slots=True)
class Day:
    """One programme day; ``anchor`` is its place on the page."""

    anchor: str
    name: str
    is_today: bool
    sessions: Sequence[Item]


@dataclass(frozen=True, kw_only=True)
class ProgrammePage(Context):
    template: ClassVar[str] = "agenda/programme.html"
    days: Sequence[Day]
    zone: str
    #: Where a list is imported; empty for those who may not.
    import_href: str


async def programme(request: Request, door: Door) -> Response:
    at = datetime.now(UTC)
    page = ProgrammePage(
        **access.frame(door, "agenda.programme"),
        days=_days(door, await queries.sessions(door.event.id), at),
        zone=door.event.time_zone,
        import_href=render.url("agenda.import", slug=door.event.slug)
        if door.may(Permission.CHANGE_EVENT)
        else "",
    )
    return await render.page(request, page, private=door.actor.signed_in)


def _days(door: Door, found: Sequence[SessionFacts], at: datetime) -> Sequence[Day]:
    by_day: dict[date, list[Item]] = {}
    for one in found:
        by_day.setdefault(door.event.programme_date(one.starts_at), []).append(
            _item(one, door.event.time_zone, at)
        )
    today = door.event.programme_date(at)
    return [
        Day(f"d{day.isoformat()}", render.day(day), day == today, items)
        for day, items in sorted(by_day.items())
    ]


def _item(one: SessionFacts, zone: str, at: datetime) -> Item:
    locale = i18n.current_locale()
    return Item(
        guid=str(one.guid),
        begins=render.clock(one.starts_at, zone),
        ends=render.clock(one.ends_at, zone),
        title=one.title.in_(locale),
        kind="" if one.kind is SessionKind.TALK else render.words_for(one.kind),
        speakers=one.speakers,
        place=one.place_name.in_(locale),
        is_break=one.kind is SessionKind.BREAK,
        is_now=one.starts_at <= at < one.ends_at,
    )


ROUTES: list[Entry] = [
    access.route("/e/{slug}/agenda", programme, "agenda.programme", Permission.VIEW_PUBLIC),
]
