"""Who works on the event: roles and their scopes, invitations that wait, and the handing over of the event itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from events import access, event, invitations, queries
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage
from events.invitation_rules import DAYS_USUAL, LETTERS_MAX, InvitationState, Wanted
from events.queries import InvitationFacts, TeamMember
from events.rules import SCOPES as SCOPES_OF_ROLES
from events.rules import Permission, Role
from kernel.errors import Code, Conflict, Invalid, Problem, TooMany
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.team"
OWNERSHIP: Final = "events.desk.ownership"

#: What a role can be narrowed to, for upper floors: a door gives ``(kind, id, title)`` for each object. Main fills it.
SCOPES: Final[list[Callable[[Door], Awaitable[Sequence[tuple[str, int, str]]]]]] = []

#: What each role is for, one line; what it may do exactly is docs/access.md.
ROLE_HELP: Final[Mapping[Role, str]] = {
    Role.OWNER: N_("May do everything, and give roles to others."),
    Role.ORGANISER: N_("May do everything but give roles and see identity documents."),
    Role.PROGRAMME_CHAIR: N_("Makes the programme, and sees the live board."),
    Role.REVIEWER: N_("Reads and rates proposals."),
    Role.PRODUCER: N_("Looks after one forum, and sees the live board."),
    Role.VOLUNTEER_LEAD: N_(
        "Scans passports, registers people at the door, sees the live board. Can be narrowed to a site."
    ),
    Role.STOCK_KEEPER: N_("Looks after materials."),
    Role.PARTNER_DESK: N_("Makes links for partners and teachers, and sees how they are used."),
    Role.SCANNER: N_(
        "Scans passports and registers people at the door. Can be narrowed to checkpoints or a site."
    ),
    Role.VIEWER: N_("Sees figures: the live board and the statistics. Can be narrowed to a site."),
}

#: The titles of the kinds that a role can be narrowed to, in the order of the form.
SCOPE_KINDS: Final[Mapping[str, str]] = {
    "site": N_("Sites"),
    "checkpoint": N_("Checkpoints"),
    "team": N_("Teams"),
    "forum": N_("Forums"),
}


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    email: str
    role: str
    scope: str
    remove_href: str
    is_me: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """An invitation that nobody has taken yet."""

    email: str
    role: str
    scope: str
    state: str
    state_kind: str
    until: str
    again_href: str
    revoke_href: str
    may_send: bool


@dataclass(frozen=True, kw_only=True)
class TeamPage(DeskPage):
    template: ClassVar[str] = "events/desk/team.html"
    members: Sequence[Member]
    invitations: Sequence[Waiting]
    roles: Sequence[tuple[str, str, str]]
    #: (field, title, boxes) for each kind that has objects here
    scopes: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]
    chosen_scopes: Sequence[str]
    ownership_href: str


@dataclass(frozen=True, kw_only=True)
class OwnershipPage(DeskPage):
    template: ClassVar[str] = "events/desk/ownership.html"
    members: Sequence[tuple[str, str, str]]
    thens: Sequence[tuple[str, str, str]]
    #: The second step: who is to own, in words; empty in the first.
    new_owner: str = ""
    then_words: str = ""
    back: str = ""


async def scopes_of(door: Door) -> Sequence[tuple[str, int, str]]:
    """What a role of this event can be narrowed to: ``(kind, id, title)``."""
    return [scope for load in SCOPES for scope in await load(door)]


def scope_words(scopes: Sequence[tuple[str, int]], titles: Mapping[tuple[str, int], str]) -> str:
    """What a role is narrowed to, in the reader's language; empty for the whole event."""
    names = [titles.get((kind, number), f"#{number}") for kind, number in scopes if kind]
    return i18n.gettext(N_(", ")).join(names)


async def _team(request: Request, door: Door) -> Response:
    if request.method == "POST":
        return await _invite(request, door)
    return await _show(request, door, {"role": str(Role.ORGANISER), "days": str(DAYS_USUAL)})


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
    at = shared.now()
    scopes = await scopes_of(door)
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
            members=[_member(door, member, titles) for member in await queries.team(door.event.id)],
            invitations=[
                _waiting(door, found, titles, at)
                for found in await queries.waiting_invitations(door.event.id)
            ],
            roles=[(str(role), render.words_for(role), i18n.gettext(ROLE_HELP[role])) for role in Role],
            scopes=[
                (f"scope.{kind}", i18n.gettext(words), boxes)
                for kind, words in SCOPE_KINDS.items()
                if (boxes := [(f"{one}:{number}", title) for one, number, title in scopes if one == kind])
            ],
            chosen_scopes=chosen,
            ownership_href=render.url(OWNERSHIP, slug=slug) if door.may(Permission.OWN) else "",
        ),
        status,
    )


def _member(door: Door, member: TeamMember, titles: Mapping[tuple[str, int], str]) -> Member:
    return Member(
        name=member.name or member.email,
        email=member.email,
        role=render.words_for(member.grant.role),
        scope=scope_words([(member.grant.scope_kind, member.grant.scope_id)], titles),
        remove_href=render.url("events.desk.team_removal", slug=door.event.slug, grant_id=member.grant.id),
        is_me=member.account_id == door.actor.id,
    )


def _waiting(
    door: Door, found: InvitationFacts, titles: Mapping[tuple[str, int], str], at: datetime
) -> Waiting:
    state, where = found.state(at), {"slug": door.event.slug, "invitation_id": found.id}
    return Waiting(
        email=found.email,
        role=render.words_for(found.role),
        scope=scope_words(found.scopes, titles),
        state=render.words_for(state),
        state_kind="note" if state is InvitationState.OPEN else "care",
        until=render.moment(found.expires_at, door.event.time_zone),
        again_href=render.url("events.desk.invitation_again", **where),
        revoke_href=render.url("events.desk.invitation_revocation", **where),
        may_send=found.letters < LETTERS_MAX,
    )


async def _invite(request: Request, door: Door) -> Response:
    data = await forms.form_data(request)
    values, chosen = shared.typed_values(data), _chosen_scopes(data)
    try:
        await invitations.invite(
            actor=door.actor,
            event_id=door.event.id,
            email=values.get("email", ""),
            wanted=await _wanted(door, values, chosen),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _show(request, door, values, problems=refusal.fields, chosen=chosen, status=422)
    return shared.back_to(door, LIST, done="invited")


def _chosen_scopes(data: FormData) -> list[str]:
    return [one for kind in SCOPE_KINDS for one in shared.chosen_many(data, f"scope.{kind}")]


async def _wanted(door: Door, values: Mapping[str, str], chosen: Sequence[str]) -> Wanted:
    """What the form asks for; raises Invalid for a role or an object that is not there."""
    reader = shared.Reader(values)
    role = shared.word_of(Role, values.get("role"))
    days = reader.whole_number("days", required=True)
    offered = {f"{kind}:{number}": (kind, number) for kind, number, _ in await scopes_of(door)}
    if role is None:
        reader.wrong("role", Code.NOT_A_CHOICE)
    for one in chosen:
        if one not in offered:
            reader.wrong(f"scope.{one.partition(':')[0]}", Code.NOT_A_CHOICE)
    if reader.problems or role is None or days is None:
        raise Invalid(reader.problems)
    # Boxes that stayed ticked under a role that can't be narrowed to them mean nothing.
    known = SCOPES_OF_ROLES.get(role, frozenset())
    return Wanted(role, tuple(offered[one] for one in chosen if offered[one][0] in known), days)


async def _remove(request: Request, door: Door) -> Response:
    try:
        await event.revoke(
            actor=door.actor,
            event_id=door.event.id,
            grant_id=shared.whole_id(request.path_params["grant_id"]) or 0,
            at=shared.now(),
        )
    except Conflict as refusal:
        return await _refused(request, door, refusal)
    # Whoever gave up the last role of their own has nothing to see here any more.
    slug = door.event.slug
    own = await queries.grants_of(door.actor.id)
    stays = door.actor.is_admin or any(
        grant.event_id == door.event.id and grant.role is Role.OWNER for grant in own
    )
    target = render.url(LIST, slug=slug) if stays else render.url("events.home", slug=slug)
    return render.see_other(render.with_query(target, done="removed"))


async def _refused(request: Request, door: Door, refusal: Conflict | TooMany) -> Response:
    words = render.words_for(refusal.code, refusal.params)
    values = {"role": str(Role.ORGANISER), "days": str(DAYS_USUAL)}
    return await _show(request, door, values, trouble=words, status=refusal.status)


async def _send_again(request: Request, door: Door) -> Response:
    try:
        await invitations.send_again(
            actor=door.actor,
            event_id=door.event.id,
            invitation_id=shared.whole_id(request.path_params["invitation_id"]) or 0,
            at=shared.now(),
        )
    except (Conflict, TooMany) as refusal:
        return await _refused(request, door, refusal)
    return shared.back_to(door, LIST, done="invited")


async def _revoke(request: Request, door: Door) -> Response:
    try:
        await invitations.revoke(
            actor=door.actor,
            event_id=door.event.id,
            invitation_id=shared.whole_id(request.path_params["invitation_id"]) or 0,
            at=shared.now(),
        )
    except Conflict as refusal:
        return await _refused(request, door, refusal)
    return shared.back_to(door, LIST, done="withdrawn")


# --- handing the event over --------------------------------------------------------------------------------------

#: What an owner who hands over stays; "" is nothing at all.
_THENS: Final[Mapping[str, tuple[str, str]]] = {
    str(Role.OWNER): (N_("I stay an owner"), N_("The event then has one owner more.")),
    str(Role.ORGANISER): (N_("I become an organiser"), N_("You may do everything but give roles.")),
    "": (N_("I leave the ownership"), N_("Your other roles here stay. Only an owner can give it back.")),
}


async def _ownership(request: Request, door: Door) -> Response:
    """Step one asks whom, step two (the same page with the answer in its address) asks whether; POST does it."""
    params = request.query_params
    chosen = {"account_id": params.get("account_id", ""), "then": params.get("then", str(Role.ORGANISER))}
    return await _ask_ownership(request, door, chosen)


async def _ask_ownership(
    request: Request,
    door: Door,
    values: Mapping[str, str],
    problems: Mapping[str, Problem] | None = None,
    status: int = 200,
) -> Response:
    others = {
        str(member.account_id): member
        for member in await queries.team(door.event.id)
        if member.account_id != door.actor.id
    }
    found = others.get(values["account_id"])
    problems = dict(problems or {})
    if values["account_id"] and found is None and not problems:
        problems, status = {"account_id": Problem(Code.NOT_A_CHOICE)}, 422
    then = values["then"] if values["then"] in _THENS else str(Role.ORGANISER)
    sure = found is not None and not problems
    return await render.page(
        request,
        OwnershipPage(
            **access.frame(door, LIST),
            values={**values, "then": then},
            problems=problems,
            members=[
                (number, member.name or member.email, member.email if member.name else "")
                for number, member in others.items()
            ],
            thens=[(key, i18n.gettext(words), i18n.gettext(more)) for key, (words, more) in _THENS.items()],
            new_owner=(found.name or found.email) if sure and found is not None else "",
            then_words=i18n.gettext(_THENS[then][0]),
            back=render.url(OWNERSHIP, slug=door.event.slug)
            if sure
            else render.url(LIST, slug=door.event.slug),
        ),
        status,
    )


async def _hand_over(request: Request, door: Door) -> Response:
    values = shared.typed_values(await forms.form_data(request))
    chosen = {"account_id": values.get("account_id", ""), "then": values.get("then", "")}
    then = chosen["then"]
    try:
        if then not in _THENS:
            raise Invalid({"then": Problem(Code.NOT_A_CHOICE)})
        account_id = shared.whole_id(chosen["account_id"])
        if account_id is None:
            raise Invalid({"account_id": Problem(Code.REQUIRED)})
        await event.transfer_ownership(
            actor=door.actor,
            event_id=door.event.id,
            account_id=account_id,
            then=Role(then) if then else None,
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _ask_ownership(request, door, chosen, refusal.fields, refusal.status)
    slug = door.event.slug
    stays = then == Role.OWNER or door.actor.is_admin
    target = render.url(LIST, slug=slug) if stays else render.url("events.home", slug=slug)
    return render.see_other(render.with_query(target, done="handed_over"))


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/team", _team, LIST, Permission.GRANT_ROLES, ("GET", "POST")),
    access.route(
        "/e/{slug}/desk/team/{grant_id}/removal",
        _remove,
        "events.desk.team_removal",
        Permission.GRANT_ROLES,
        ("POST",),
    ),
    access.route(
        "/e/{slug}/desk/invitations/{invitation_id}/again",
        _send_again,
        "events.desk.invitation_again",
        Permission.GRANT_ROLES,
        ("POST",),
    ),
    access.route(
        "/e/{slug}/desk/invitations/{invitation_id}/revocation",
        _revoke,
        "events.desk.invitation_revocation",
        Permission.GRANT_ROLES,
        ("POST",),
    ),
    access.route("/e/{slug}/desk/ownership", _ownership, OWNERSHIP, Permission.OWN),
    access.route(
        "/e/{slug}/desk/ownership", _hand_over, "events.desk.ownership_transfer", Permission.OWN, ("POST",)
    ),
]
