"""Sites (城市分会场): parts of an event in other cities, with places, ticket types and checkpoints of their own."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from events.models import Site
from events.rules import EventCode, is_code
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal

_LIMITS: Final = {"name": 80, "city": 80, "address": 200}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDetails:
    """What an organiser decides about a site."""

    code: str
    name: LocalizedText
    city: LocalizedText = field(default_factory=LocalizedText)
    address: LocalizedText = field(default_factory=LocalizedText)
    position: int = 0

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if not is_code(self.code):
            found["code"] = Problem(Code.MALFORMED)
        if not any(text.strip() for text in self.name.values()):
            found["name"] = Problem(Code.REQUIRED)
        for name, limit in _LIMITS.items():
            texts: LocalizedText = getattr(self, name)
            if any(len(text) > limit for text in texts.values()):
                found.setdefault(name, Problem(Code.TOO_LONG, {"limit": limit}))
        return found


async def add(*, actor: Actor, event_id: int, details: SiteDetails, at: datetime) -> int:
    """Adds a site and gives its id. Raises Invalid with a problem at each field (``site_code_taken`` at ``code``)."""
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        try:
            async with unit_of_work():
                row = await Site.create(event_id=event_id, **_columns(details))
        except db.IntegrityError as error:
            raise _taken(error) from error
        await journal.write(
            actor=actor,
            verb="site.add",
            object_kind="site",
            object_id=row.id,
            event_id=event_id,
            new={"code": details.code},
            at=at,
        )
    return int(row.id)


async def change(*, actor: Actor, event_id: int, site_id: int, details: SiteDetails, at: datetime) -> None:
    """Changes a site. Raises NotFound ``site_unknown``, or Invalid as ``add`` does."""
    if problems := details.problems():
        raise Invalid(problems)
    async with unit_of_work():
        row = await Site.get_or_none(id=site_id, event_id=event_id)
        if row is None:
            raise NotFound(EventCode.SITE_UNKNOWN)
        try:
            async with unit_of_work():
                await Site.filter(id=site_id).update(**_columns(details))
        except db.IntegrityError as error:
            raise _taken(error) from error
        await journal.write(
            actor=actor,
            verb="site.change",
            object_kind="site",
            object_id=site_id,
            event_id=event_id,
            old={"code": row.code, "position": row.position},
            new={"code": details.code, "position": details.position},
            at=at,
        )


async def remove(*, actor: Actor, event_id: int, site_id: int, at: datetime) -> None:
    """Removes a site that nothing belongs to. Raises NotFound, and Conflict ``site_in_use`` while a place, ticket
    type, checkpoint or role still does, also when one is added in the same moment.
    """
    async with unit_of_work():
        try:
            async with unit_of_work():
                rows = await db.query(
                    "DELETE FROM site WHERE id = $1 AND event_id = $2 AND NOT EXISTS ("
                    "SELECT 1 FROM role_grant g WHERE g.scope_kind = 'site' AND g.scope_id = $1) RETURNING code",
                    site_id,
                    event_id,
                )
        except db.IntegrityError as error:
            raise Conflict(EventCode.SITE_IN_USE) from error
        if not rows:
            if await Site.filter(id=site_id, event_id=event_id).exists():
                raise Conflict(EventCode.SITE_IN_USE)
            raise NotFound(EventCode.SITE_UNKNOWN)
        await journal.write(
            actor=actor,
            verb="site.remove",
            object_kind="site",
            object_id=site_id,
            event_id=event_id,
            old={"code": rows[0]["code"]},
            at=at,
        )


async def known(event_id: int, site_id: int | None) -> None:
    """Raises Invalid ``site_unknown`` at ``site_id`` for a site of another event; None is the event as a whole."""
    if site_id is not None and not await Site.filter(id=site_id, event_id=event_id).exists():
        raise Invalid({"site_id": Problem(EventCode.SITE_UNKNOWN)})


def _columns(details: SiteDetails) -> dict[str, Any]:
    return {item.name: getattr(details, item.name) for item in fields(details)}


def _taken(error: db.IntegrityError) -> Exception:
    return Invalid({"code": Problem(EventCode.SITE_CODE_TAKEN)}) if "code" in str(error) else error
