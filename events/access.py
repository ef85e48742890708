"""The only door to an event: who may do what in it, decided on the server for every request.

What is asked on every request (the event's facts, an account's roles) is kept in this process for at most two
seconds, and dropped the moment a change made here is durable. A change by another process, the command line
included, is seen after those two seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from time import monotonic as _clock
from typing import Any, Final, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from events import queries
from events.rules import (
    MAY,
    EventCode,
    EventFacts,
    EventState,
    Grant,
    Module,
    Permission,
    Role,
    permissions_of,
    token_permissions,
)
from kernel.actor import Actor, ActorKind
from kernel.db import in_unit_of_work
from kernel.errors import Forbidden, NotFound, SignInNeeded
from kernel.text import N_
from web import colour, express, i18n, render, signin
from web.api_doc import ApiDoc
from web.routing import BODY_MAX, Entry

__all__ = [
    "CHECKPOINTS_OF",
    "Door",
    "EventFacts",
    "Grant",
    "express_route",
    "forget",
    "forget_event",
    "forget_grants",
    "forget_scopes",
    "open_event",
    "route",
]

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

#: The checkpoints inside each object that a role can be narrowed to: by kind of scope, a loader that gives them by the
#: object's id for a whole event. An upper floor knows them; main fills this in. A kind without a loader holds none.
CHECKPOINTS_OF: Final[dict[str, Callable[[int], Awaitable[Mapping[int, frozenset[int]]]]]] = {}


async def _load_inside(key: tuple[int, str]) -> Mapping[int, frozenset[int]]:
    event_id, kind = key
    load = CHECKPOINTS_OF.get(kind)
    return await load(event_id) if load else {}


_inside: _Memory[tuple[int, str], Mapping[int, frozenset[int]]] = _Memory(_load_inside, EVENTS_KEPT)


def forget_event(event_id: int) -> None:
    """Drops what is remembered of an event, under whatever alias; for ``after_commit``."""
    _events.drop(lambda _slug, facts: facts is None or facts.id == event_id)


def forget_grants(account_id: int) -> None:
    """Drops what is remembered of an account's roles; for ``after_commit``."""
    _grants.drop(lambda key, _grants: key == account_id)


def forget_scopes(event_id: int) -> None:
    """Drops which checkpoints lie in which site of an event; for ``after_commit`` of whoever moves one of them."""
    _inside.drop(lambda key, _checkpoints: key[0] == event_id)


def forget() -> None:
    """Drops everything; for tests, whose tables are emptied behind our back."""
    _events.clear()
    _grants.clear()
    _inside.clear()


@dataclass(frozen=True, slots=True)
class Door:
    """An event, opened: who came in, and what they may do inside. Good for one request."""

    event: EventFacts
    actor: Actor
    roles: frozenset[Role]
    permissions: frozenset[Permission]
    scopes: tuple[Grant, ...]
    #: What the door was opened for.
    asked: Permission = Permission.VIEW_PUBLIC
    #: The checkpoints of those grants that are narrowed to something else than one checkpoint, by the grant's id.
    inside: Mapping[int, frozenset[int]] = field(default_factory=dict)

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises SignInNeeded for nobody in particular and Forbidden for somebody else's permission."""
        if permission not in self.permissions:
            raise Forbidden() if self.actor.signed_in else SignInNeeded()

    def checkpoint_scope(self, permission: Permission = Permission.SCAN) -> frozenset[int] | None:
        """The checkpoints that one may scan at (or may do another ``permission`` of the door at): None is all of them,
        an empty set none."""
        if not self.may(permission):
            return frozenset()
        if self.actor.kind is ActorKind.DEVICE:
            return self.actor.checkpoints
        own = self._grants_for(permission)
        if own is None or any(not grant.scope_kind for grant in own):
            return None
        found = [grant.scope_id for grant in own if grant.scope_kind == "checkpoint"]
        return frozenset(found).union(*(self.inside.get(grant.id, frozenset()) for grant in own))

    def site_scope(self, permission: Permission | None = None) -> frozenset[int] | None:
        """The sites (城市分会场) that one may do ``permission`` in, by default the one the door was opened for.

        None is the whole event: also for a role narrowed to something that is not a site (one checkpoint, a team).
        """
        wanted = permission or self.asked
        if wanted is Permission.VIEW_PUBLIC:
            return None
        if not self.may(wanted):
            return frozenset()
        own = self._grants_for(wanted)
        if own is None or any(grant.scope_kind != "site" for grant in own):
            return None
        return frozenset(grant.scope_id for grant in own)

    def forum_scope(self, permission: Permission | None = None) -> frozenset[int] | None:
        """The forums (分论坛) that one may do ``permission`` in, by default the one the door was opened for: None is all
        of them, and what is in no forum; an empty set none.
        """
        wanted = permission or self.asked
        if not self.may(wanted):
            return frozenset()
        own = self._grants_for(wanted)
        if own is None or any(grant.scope_kind != "forum" for grant in own):
            return None
        return frozenset(grant.scope_id for grant in own)

    def _grants_for(self, permission: Permission) -> list[Grant] | None:
        """The grants that give a permission; None when a role gives it that stands in no grant (administrators)."""
        granted = {grant.role for grant in self.scopes}
        if any(permission in MAY[role] for role in self.roles - granted):
            return None
        return [grant for grant in self.scopes if permission in MAY[grant.role]]


async def open_event(actor: Actor, slug: str, permission: Permission, *, late: bool = False) -> Door:
    """Opens the event with this alias to somebody who may do ``permission`` in it.

    Raises SignInNeeded when nobody is signed in and the permission is not public, whether or not there is such an
    event: so nothing is told about drafts, and an organiser who follows a link is led to the sign-in. Raises
    NotFound for an unknown alias and for a draft that one has no role in, and only then Forbidden.
    Administrators of the installation count as owners. A program with an API token may do what its account may by a
    role in this event and the token names, nothing by the account's being an administrator, and nothing at all in
    another event than the token's own. A paired device may do in its own event what its pairing gave it; once that is
    over it raises SignInNeeded with the reason's code, but with ``late`` it may still send what it queued before.
    """
    is_somebody = actor.signed_in or actor.kind is ActorKind.SYSTEM
    if not is_somebody and permission is not Permission.VIEW_PUBLIC:
        raise SignInNeeded()
    event = await _events.get(slug)
    if event is None:
        raise NotFound(EventCode.EVENT_UNKNOWN)
    if actor.kind is ActorKind.DEVICE:
        return _open_to_device(actor, event, permission, late=late)
    scopes: tuple[Grant, ...] = ()
    if actor.kind is ActorKind.ACCOUNT:
        scopes = tuple(grant for grant in await _grants.get(actor.id) if grant.event_id == event.id)
    roles = frozenset(grant.role for grant in scopes)
    if (actor.is_admin and not actor.token_id) or actor.kind is ActorKind.SYSTEM:
        roles |= {Role.OWNER}
    if event.state is EventState.DRAFT and not roles:
        raise NotFound(EventCode.EVENT_UNKNOWN)
    permissions = permissions_of(roles, is_account=actor.kind is ActorKind.ACCOUNT)
    if actor.token_id:
        if actor.token_event_id not in (None, event.id):
            raise Forbidden()
        permissions = token_permissions(permissions, actor.token_scopes)
    door = Door(event, actor, roles, permissions, scopes, permission, await _checkpoints_of(scopes))
    door.require(permission)
    return door


def _open_to_device(actor: Actor, event: EventFacts, permission: Permission, *, late: bool) -> Door:
    if actor.token_event_id != event.id:
        raise NotFound(EventCode.EVENT_UNKNOWN) if event.state is EventState.DRAFT else Forbidden()
    if actor.over and permission is not Permission.VIEW_PUBLIC and not (late and actor.token_scopes):
        raise SignInNeeded(actor.over)
    permissions = token_permissions(frozenset(Permission), actor.token_scopes)
    door = Door(event, actor, frozenset(), permissions, (), permission)
    door.require(permission)
    return door


async def _checkpoints_of(scopes: Sequence[Grant]) -> Mapping[int, frozenset[int]]:
    return {
        grant.id: (await _inside.get((grant.event_id, grant.scope_kind))).get(grant.scope_id, frozenset())
        for grant in scopes
        if grant.scope_kind in CHECKPOINTS_OF and Permission.SCAN in MAY[grant.role]
    }


async def own_event_ids(actor: Actor) -> frozenset[int]:
    """The events in which somebody has a role, for lists that show them their drafts."""
    if actor.kind is not ActorKind.ACCOUNT:
        return frozenset()
    found = frozenset(grant.event_id for grant in await _grants.get(actor.id))
    return found if actor.token_event_id is None else found & {actor.token_event_id}


Handler = Callable[[Request, Door], Awaitable[Response]]


def route(
    path: str,
    handler: Handler,
    name: str,
    permission: Permission,
    methods: Sequence[str] = ("GET",),
    *,
    body_max: int = BODY_MAX,
    late: bool = False,
    api: ApiDoc | None = None,
) -> Entry:
    """A route below ``/e/{slug}``: the event is opened first, the handler gets the door.

    ``late`` opens it also for a paired device whose time is over (``open_event``).
    """
    assert "{slug}" in path, path

    async def guarded(request: Request) -> Response:
        actor = await signin.actor_of(request)
        slug = request.path_params["slug"]
        return await handler(request, await open_event(actor, slug, permission, late=late))

    return Entry(path, name, f"event:{permission}", guarded, tuple(methods), body_max, api=api)


def express_route(
    path: str,
    answer: Callable[[Door, bytes], Awaitable[bytes]],
    name: str,
    permission: Permission,
    *,
    body_max: int,
    api: ApiDoc | None = None,
) -> Entry:
    """A POST below ``/e/{slug}`` from a body to JSON, on the short way where it can be (web/express.py).

    ``answer`` must say the same in every language: a reader's own is known on the ordinary way only.
    """

    async def short(actor: Actor, slug: str, body: bytes) -> bytes:
        return await answer(await open_event(actor, slug, permission), body)

    async def guarded(request: Request, door: Door) -> Response:
        return render.json(await answer(door, await request.body()))

    ordinary = route(path, guarded, name, permission, ("POST",), body_max=body_max, api=api)

    async def handler(request: Request) -> Response:
        express.raise_handed_over(request)
        response: Response = await ordinary.handler(request)
        return response

    return replace(ordinary, handler=handler, express=short)


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
    module: Module | None


#: A line of the navigation as packages give it: group, English title, icon, route, permission, and its module if any.
NavLine = tuple[str, str, str, str, Permission] | tuple[str, str, str, str, Permission, Module]

#: By route name, so that wiring twice (a test's second application) changes nothing.
_nav: dict[str, _NavItem] = {}


def register_nav(  # noqa: PLR0917 -- a NavLine, spread
    group: str,
    title: str,
    icon: str,
    route_name: str,
    permission: Permission,
    module: Module | None = None,
) -> None:
    """Adds an entry to the organiser's navigation; main hands in each package's, in the order they shall stand in.

    ``title`` is English, marked with ``N_``; the route takes the parameter ``slug`` and no other. An entry of a
    ``module`` is left out where the event has switched that off.
    """
    _nav[route_name] = _NavItem(NavTitle(group), title, icon, permission, module)


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
            if item.group is group
            and door.may(item.permission)
            and (item.module is None or door.event.has(item.module))
        ]
        if entries:
            groups.append(render.NavGroup(i18n.gettext(title), tuple(entries)))
    return tuple(groups)


def links_by_module(door: Door) -> dict[Module, list[tuple[str, str]]]:
    """The pages of each module as (words, address), also of those that are switched off; only what one may use."""
    found: dict[Module, list[tuple[str, str]]] = {}
    for name, item in _nav.items():
        if item.module is not None and door.may(item.permission):
            link = (i18n.gettext(item.title), render.url(name, slug=door.event.slug))
            found.setdefault(item.module, []).append(link)
    return found


def theme_url(event: EventFacts) -> str:
    """The event's stylesheet, under an address that changes with its colour, so that it may be kept for ever."""
    return render.with_query(render.url("events.theme", slug=event.slug), v=_theme_stamp(event.theme_colour))


def cover_url(event: EventFacts) -> str:
    """The event's cover, under an address that changes with the picture; empty without one."""
    if event.cover_upload_id is None:
        return ""
    return render.with_query(render.url("events.cover", slug=event.slug), v=event.cover_upload_id)


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
        foot=((i18n.gettext("Privacy notice"), render.url("events.privacy", slug=event.slug)),)
        if event.privacy_notice
        else (),
    )


def frame(door: Door, current: str = "") -> dict[str, Any]:
    """The keywords that every page context of an event takes: ``Page(..., **frame(door, "events.home"))``."""
    return {"event": header(door), "nav": nav(door, current)}
