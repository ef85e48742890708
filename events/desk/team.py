"""Who works on the event: owners, organisers, and scanners at the doors they were given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, event, queries
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage
from events.rules import SCOPES as SCOPES_OF_ROLES
from events.rules import EventCode, Permission, Role
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, Problem
from kernel.text import N_
from people import accounts
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.team"

#: What a role can be narrowed to, for upper floors: a door gives ``(kind, id, title)`` for each object. Main fills it.
SCOPES: Final[list[Callable[[Door], Awaitable[Sequence[tuple[str, int, str]]]]]] = []

_ROLE_HELP: Final[Mapping[Role, str]] = {
    Role.OWNER: N_("May do everything, and give roles to others."),
    Role.ORGANISER: N_("May do everything but give roles."),
    Role.SCANNER: N_("Scans passports at the door, and sees nothing else."),
}


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    email: str
    role: str
    scope: str
    remove_href: str
    is_me: bool


@dataclass(frozen=True, kw_only=True)
class TeamPage(DeskPage):
    template: ClassVar[str] = "events/desk/team.html"
    members: Sequence[Member]
    roles: Sequence[tuple[str, str, str]]
    scopes: Sequence[tuple[str, str]]
    chosen_scopes: Sequence[str]


async def _scopes(door: Door) -> Sequence[tuple[str, int, str]]:
    return [scope for load in SCOPES for scope in await load(door)]


async def _team(request: Request, door: Door) -> Response:
    if request.method == "POST":
        return await _add(request, door)
    return await _show(request, door, {"role": str(Role.ORGANISER)})


async def _show(
    request: Request,
    door: Door,
    values: Mapping[str, str],
    *,
    problems: Mapping[str, Problem] | None = None,
    chosen: Sequence[str] = (),
    trouble: str = "",
    status: int = 200,
) -> Response:
    scopes = await _scopes(door)
    titles = {(kind, number): title for kind, number, title in scopes}
    slug = door.event.slug
    return await render.page(
        request,
        TeamPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            trouble=trouble,
            values=values,
            problems=problems or {},
            members=[
                Member(
                    name=member.name or member.email,
                    email=member.email,
                    role=render.words_for(member.grant.role),
                    scope=titles.get(
                        (member.grant.scope_kind, member.grant.scope_id), f"#{member.grant.scope_id}"
                    )
                    if member.grant.scope_kind
                    else "",
                    remove_href=render.url("events.desk.team_removal", slug=slug, grant_id=member.grant.id),
                    is_me=member.account_id == door.actor.id,
                )
                for member in await queries.team(door.event.id)
            ],
            roles=[(str(role), render.words_for(role), i18n.gettext(_ROLE_HELP[role])) for role in Role],
            scopes=[(f"{kind}:{number}", title) for kind, number, title in scopes],
            chosen_scopes=chosen,
        ),
        status,
    )


async def _add(request: Request, door: Door) -> Response:
    data = await forms.form_data(request)
    values, chosen = shared.typed_values(data), shared.chosen_many(data, "scope")
    role = shared.word_of(Role, values.get("role"))
    offered = {f"{kind}:{number}": (kind, number) for kind, number, _ in await _scopes(door)}
    try:
        if role is None:
            raise Invalid({"role": Problem(Code.NOT_A_CHOICE)})
        if any(one not in offered for one in chosen):
            raise Invalid({"scope": Problem(Code.NOT_A_CHOICE)})
        # Boxes ticked under a role that is for the whole event mean nothing.
        scopes = [offered[one] for one in chosen if offered[one][0] in SCOPES_OF_ROLES.get(role, frozenset())]
        await _grant(door, values, role, scopes)
    except Invalid as refusal:
        return await _show(request, door, values, problems=refusal.fields, chosen=chosen, status=422)
    except Conflict as refusal:
        problems = {"email": Problem(refusal.code, refusal.params)}
        return await _show(request, door, values, problems=problems, chosen=chosen, status=refusal.status)
    return render.see_other(render.with_query(render.url(LIST, slug=door.event.slug), done="added"))


async def _grant(
    door: Door, values: Mapping[str, str], role: Role, scopes: Sequence[tuple[str, int]]
) -> None:
    """The account, made if there is none, and its grants, all or none; the scopes that it has already are fine."""
    at = shared.now()
    async with unit_of_work():
        account_id = await accounts.create_account(
            email=values.get("email", ""),
            name=values.get("name", ""),
            is_admin=False,
            locale=i18n.current_locale(),
            at=at,
        )
        held = 0
        for kind, number in scopes or [("", 0)]:
            try:
                await event.grant(
                    actor=door.actor,
                    event_id=door.event.id,
                    account_id=account_id,
                    role=role,
                    scope_kind=kind,
                    scope_id=number,
                    at=at,
                )
            except Conflict:
                held += 1
        if held == max(len(scopes), 1):
            raise Conflict(EventCode.ROLE_HELD)


async def _remove(request: Request, door: Door) -> Response:
    try:
        await event.revoke(
            actor=door.actor,
            event_id=door.event.id,
            grant_id=shared.whole_id(request.path_params["grant_id"]) or 0,
            at=shared.now(),
        )
    except Conflict as refusal:
        words = render.words_for(refusal.code, refusal.params)
        return await _show(request, door, {"role": str(Role.ORGANISER)}, trouble=words, status=refusal.status)
    return render.see_other(render.with_query(render.url(LIST, slug=door.event.slug), done="removed"))


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/team", _team, LIST, Permission.GRANT_ROLES, ("GET", "POST")),
    access.route(
        "/e/{slug}/desk/team/{grant_id}/removal",
        _remove,
        "events.desk.team_removal",
        Permission.GRANT_ROLES,
        ("POST",),
    ),
]
