"""The only door to an event: who may do what in it, decided on the server for every request.

What is asked on every request (the event's facts, an account's roles) is kept in this process for at most two
seconds, and dropped the moment a change made here is durable. A change by another process, the command line
included, is seen after those two seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from time import monotonic as _clock
from typing import Any, Final, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from events import queries
from events.rules import EventCode, EventFacts, EventState, Grant, Permission, Role, permissions_of
from kernel.actor import Actor, ActorKind
from kernel.db import in_unit_of_work
from kernel.errors import Forbidden, NotFound, SignInNeeded
from kernel.text import N_
from web import colour, i18n, render, signin
from web.routing import BODY_MAX, Entry

__all__ = ["Door", "EventFacts", "Grant", "forget", "forget_event", "forget_grants", "open_event", "route"]

#: How old a remembered fact may be; a role taken away on another machine works on for so long.
LASTS_S: Final = 2.0
#: 200 events an installation (DESIGN section 9), and as many mistyped aliases.
EVENTS_KEPT: Final = 512
ACCOUNTS_KEPT: Final = 4096

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Memory(Generic[Key, Value]):
    """Values by key, none older than LASTS_S, never more than ``limit``; the oldest goes first."""

    def __init__(self, load: Callable[[Key], Awaitable[Value]], limit: int) -> None:
        self._load = load
        self._limit = limit
        self._kept: dict[Key, tuple[float, Value]] = {}
        self._round = 0

    async def get(self, key: Key) -> Value:
        # Inside a unit of work one sees what may yet be rolled back: that is nobody else's business.
        if in_unit_of_work():
            return await self._load(key)
        now = _clock()
        found = self._kept.get(key)
        if found is not None and now - found[0] <= LASTS_S:
            return found[1]
        started = self._round
        value = await self._load(key)
        # Nothing was dropped while we read, so this is no older than the last change.
        if started == self._round:
            self._kept.pop(key, None)
            if len(self._kept) >= self._limit:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = (now, value)
        return value

    def drop(self, concerns: Callable[[Key, Value], bool]) -> None:
        self._round += 1
        for key in [key for key, (_, value) in self._kept.items() if concerns(key, value)]:
            del self._kept[key]

    def clear(self) -> None:
        self._round += 1
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)


_events: _Memory[str, EventFacts | None] = _Memory(queries.find_event, EVENTS_KEPT)
_grants: _Memory[int, Sequence[Grant]] = _Memory(queries.grants_of, ACCOUNTS_KEPT)


def forget_event(event_id: int) -> None:
    """Drops what is remembered of an event, under whatever alias; for ``after_commit``."""
    _events.drop(lambda _slug, facts: facts is None or facts.id == event_id)


def forget_grants(account_id: int) -> None:
    """Drops what is remembered of an account's roles; for ``after_commit``."""
    _grants.drop(lambda key, _grants: key == account_id)


def forget() -> None:
    """Drops everything; for tests, whose tables are emptied behind our back."""
    _events.clear()
    _grants.clear()


@dataclass(frozen=True, slots=True)
class Door:
    """An event, opened: who came in, and what they may do inside. Good for one request."""

    event: EventFacts
    actor: Actor
    roles: frozenset[Role]
    permissions: frozenset[Permission]
    scopes: tuple[Grant, ...]

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises SignInNeeded for nobody in particular and Forbidden for somebody else's permission."""
        if permission not in self.permissions:
            raise Forbidden() if self.actor.signed_in else SignInNeeded()

    def checkpoint_scope(self) -> frozenset[int] | None:
        """The checkpoints that one may scan at: None is all of them, an empty set none."""
        wide = self.roles - {Role.SCANNER}
        if Permission.SCAN in permissions_of(wide):
            return None
        own = [grant for grant in self.scopes if grant.role is Role.SCANNER]
        if any(not grant.scope_kind for grant in own):
            return None
        return frozenset(grant.scope_id for grant in own if grant.scope_kind == "checkpoint")


async def open_event(actor: Actor, slug: str, permission: Permission) -> Door:
    """Opens the event with this alias to somebody who may do ``permission`` in it.

    Raises SignInNeeded when nobody is signed in and the permission is not public, whether or not there is such an
    event: so nothing is told about drafts, and an organiser who follows a link is led to the sign-in. Raises
    NotFound for an unknown alias and for a draft that one has no role in, and only then Forbidden.
    Administrators of the installation count as owners.
    """
    is_somebody = actor.signed_in or actor.kind is ActorKind.SYSTEM
    if not is_somebody and permission is not Permission.VIEW_PUBLIC:
        raise SignInNeeded()
    event = await _events.get(slug)
    if event is None:
        raise NotFound(EventCode.EVENT_UNKNOWN)
    scopes: tuple[Grant, ...] = ()
    if actor.kind is ActorKind.ACCOUNT:
        scopes = tuple(grant for grant in await _grants.get(actor.id) if grant.event_id == event.id)
    roles = frozenset(grant.role for grant in scopes)
    if actor.is_admin or actor.kind is ActorKind.SYSTEM:
        roles |= {Role.OWNER}
    if event.state is EventState.DRAFT and not roles:
        raise NotFound(EventCode.EVENT_UNKNOWN)
    door = Door(event, actor, roles, permissions_of(roles), scopes)
    door.require(permission)
    return door


async def own_event_ids(actor: Actor) -> frozenset[int]:
    """The events in which somebody has a role, for lists that show them their drafts."""
    if actor.kind is not ActorKind.ACCOUNT:
        return frozenset()
    return frozenset(grant.event_id for grant in await _grants.get(actor.id))


Handler = Callable[[Request, Door], Awaitable[Response]]


def route(
    path: str,
    handler: Handler,
    name: str,
    permission: Permission,
    methods: Sequence[str] = ("GET",),
    *,
    body_max: int = BODY_MAX,
) -> Entry:
    """A route below ``/e/{slug}``: the event is opened first, the handler gets the door."""
    assert "{slug}" in path, path

    async def guarded(request: Request) -> Response:
        actor = await signin.actor_of(request)
        return await handler(request, await open_event(actor, request.path_params["slug"], permission))

    return Entry(path, name, f"event:{permission}", guarded, tuple(methods), body_max)


# --- what every page of an event shows ---------------------------------------------------------------------------


class NavTitle(StrEnum):
    """The groups of the organiser's navigation, in their order: before, during and after the event."""

    PREPARE = "prepare"
    RUN = "run"
    CLOSE = "close"


_TITLES: Final = {NavTitle.PREPARE: N_("Prepare"), NavTitle.RUN: N_("Run"), NavTitle.CLOSE: N_("Wrap up")}


@dataclass(frozen=True, slots=True)
class _NavItem:
    group: NavTitle
    title: str
    icon: str
    permission: Permission


#: By route name, so that wiring twice (a test's second application) changes nothing.
_nav: dict[str, _NavItem] = {}


def register_nav(group: str, title: str, icon: str, route_name: str, permission: Permission) -> None:
    """Adds an entry to the organiser's navigation; main hands in each package's, in the order they shall stand in.

    ``title`` is English, marked with ``N_``; the route takes the parameter ``slug`` and no other.
    """
    _nav[route_name] = _NavItem(NavTitle(group), title, icon, permission)


def nav(door: Door, current: str = "") -> Sequence[render.NavGroup]:
    """The navigation of somebody with a role here, only what they may use; for everybody else none.

    ``current`` is the route name of the page it stands on.
    """
    if not door.roles:
        return ()
    groups = []
    for group, title in _TITLES.items():
        entries = [
            render.NavEntry(
                i18n.gettext(item.title),
                render.url(name, slug=door.event.slug),
                item.icon,
                current=name == current,
            )
            for name, item in _nav.items()
            if item.group is group and door.may(item.permission)
        ]
        if entries:
            groups.append(render.NavGroup(i18n.gettext(title), tuple(entries)))
    return tuple(groups)


def theme_url(event: EventFacts) -> str:
    """The event's stylesheet, under an address that changes with its colour, so that it may be kept for ever."""
    return render.with_query(render.url("events.theme", slug=event.slug), v=_theme_stamp(event.theme_colour))


@lru_cache(maxsize=256)
def _theme_stamp(theme_colour: str) -> str:
    # Of the whole stylesheet, so that a release which derives it otherwise is seen too.
    return hashlib.sha256(colour.theme_css(theme_colour).encode()).hexdigest()[:8]


def header(door: Door) -> render.EventHeader:
    """What the frame of every page shows of the event, in the reader's language."""
    event = door.event
    return render.EventHeader(
        slug=event.slug,
        name=event.name.in_(i18n.current_locale()),
        theme_url=theme_url(event),
        is_sample=event.is_sample,
        time_zone=event.time_zone,
    )


def frame(door: Door, current: str = "") -> dict[str, Any]:
    """The keywords that every page context of an event takes: ``Page(..., **frame(door, "events.home"))``."""
    return {"event": header(door), "nav": nav(door, current)}
