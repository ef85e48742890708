"""JSON of the team, its invitations, the journal and the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from events import access, invitations, queries
from events.access import Door
from events.desk import journal as desk_journal
from events.desk import statistics as desk_statistics
from events.desk.team import scopes_of
from events.invitation_rules import DAYS_USUAL, InvitationState, Wanted
from events.json_api import (
    PAGE_SIZE,
    Body,
    Cursor,
    Line,
    OnceBody,
    Query,
    RowId,
    Shape,
    answer,
    now,
    once,
    read_body,
    read_query,
)
from events.queries import InvitationFacts
from events.rules import MAY, SCOPES, EventCode, Permission, RegistrationState, Role
from events.statistics import Group, TypeCount
from events.statistics_rules import Basis
from kernel.errors import Code, Invalid, NotFound, Problem
from people import queries as people
from web.api_doc import ApiDoc
from web.routing import Entry

# --- the team ----------------------------------------------------------------------------------------------------


class RolePermissions(Shape):
    """A role: what it may, and what it can be narrowed to."""

    role: Role
    permissions: list[Permission]
    scopes: list[str]


class Member(Shape):
    """A role that an account holds, for the whole event where `scope_kind` is empty."""

    grant_id: int
    account_id: int
    name: str
    email: str
    role: Role
    scope_kind: str
    scope_id: int


class Team(Shape):
    members: list[Member]
    roles: list[RolePermissions]


class Scope(Shape):
    kind: str
    id: int


class Invitation(Shape):
    """A role that was offered to an address."""

    id: int
    email: str
    role: Role
    scopes: list[Scope]
    state: InvitationState
    letters: int
    created_at: datetime
    expires_at: datetime


class Invitations(Shape):
    invitations: list[Invitation]


class ScopeBody(Body):
    kind: Line
    id: RowId


class NewInvitation(OnceBody):
    """Without `scopes` the role is for the whole event; `days` is how long the invitation waits."""

    email: Line
    role: Role
    scopes: list[ScopeBody] = Field(default=[], max_length=100)
    days: Annotated[int, Field(ge=1, le=30)] = DAYS_USUAL


async def _team(request: Request, door: Door) -> Response:
    del request
    members = [
        Member(
            grant_id=one.grant.id,
            account_id=one.account_id,
            name=one.name,
            email=one.email,
            role=one.grant.role,
            scope_kind=one.grant.scope_kind,
            scope_id=one.grant.scope_id,
        )
        for one in await queries.team(door.event.id)
    ]
    roles = [
        RolePermissions(role=role, permissions=sorted(MAY[role]), scopes=sorted(SCOPES.get(role, ())))
        for role in Role
    ]
    return answer(Team(members=members, roles=roles))


def _invitation(found: InvitationFacts, at: datetime) -> Invitation:
    return Invitation(
        id=found.id,
        email=found.email,
        role=found.role,
        scopes=[Scope(kind=kind, id=number) for kind, number in found.scopes],
        state=found.state(at),
        letters=found.letters,
        created_at=found.created_at,
        expires_at=found.expires_at,
    )


async def _invitations(request: Request, door: Door) -> Response:
    del request
    at = now()
    found = await queries.waiting_invitations(door.event.id)
    return answer(Invitations(invitations=[_invitation(one, at) for one in found]))


async def _find_invitation(door: Door, invitation_id: int) -> InvitationFacts:
    found = await queries.find_invitation(invitation_id)
    if found is None or found.event_id != door.event.id:
        raise NotFound(EventCode.INVITATION_UNKNOWN)
    return found


async def _invite(request: Request, door: Door) -> Response:
    body, at = await read_body(request, NewInvitation), now()
    scopes = tuple(dict.fromkeys((one.kind, one.id) for one in body.scopes))
    offered = {(kind, number) for kind, number, _ in await scopes_of(door)}
    if any(one not in offered for one in scopes):
        raise Invalid({"scopes": Problem(Code.NOT_A_CHOICE)})
    wanted = Wanted(body.role, scopes, body.days)

    async def invite() -> Mapping[str, Any]:
        number = await invitations.invite(
            actor=door.actor, event_id=door.event.id, email=body.email, wanted=wanted, at=at
        )
        return {"id": number}

    made = await once(request, door, body, invite, at=at)
    return answer(_invitation(await _find_invitation(door, made["id"]), at), 201)


async def _revoke(request: Request, door: Door) -> Response:
    at, number = now(), int(request.path_params["invitation_id"])
    await invitations.revoke(actor=door.actor, event_id=door.event.id, invitation_id=number, at=at)
    return answer(_invitation(await _find_invitation(door, number), at))


# --- the journal -------------------------------------------------------------------------------------------------


class JournalLine(Shape):
    """Who did what to what; `old` and `new` hold ids, codes and numbers of what changed."""

    id: int
    at: datetime
    actor_key: str
    actor_name: str
    verb: str
    object_kind: str
    object_id: int
    old: dict[str, Any]
    new: dict[str, Any]


class Journal(Shape):
    """Lines of the journal, the newest first; `next` goes into `cursor`, null at the end."""

    next: str | None
    lines: list[JournalLine]


_Word = Annotated[str, StringConstraints(max_length=48, pattern=r"^[a-z0-9_.:-]*$")]


class JournalQuery(Query):
    actor: _Word = Field(default="", description="Who, as `actor_key` says it.")
    verb: _Word = ""
    kind: _Word = ""
    object_id: RowId | None = None
    since: Annotated[date, Field(ge=date(1970, 1, 1), le=date(2199, 12, 31))] | None = None
    until: Annotated[date, Field(ge=date(1970, 1, 1), le=date(2199, 12, 31))] | None = None
    cursor: Cursor | None = None
    limit: int = Field(default=PAGE_SIZE, ge=1, le=200)


async def _journal(request: Request, door: Door) -> Response:
    query = read_query(request, JournalQuery)
    wanted = desk_journal.Wanted(
        actor=query.actor,
        verb=query.verb,
        kind=query.kind,
        object_id=query.object_id,
        first_day=query.since,
        last_day=query.until,
    )
    found = await people.journal(
        event_id=door.event.id,
        before=int(query.cursor) if query.cursor else None,
        limit=query.limit,
        **wanted.query(door.event.time_zone),
    )
    return answer(
        Journal(
            next=str(found.before) if found.before else None,
            lines=[JournalLine.model_validate(line) for line in found.items],
        )
    )


# --- numbers -----------------------------------------------------------------------------------------------------


class Day(Shape):
    """How many came in on a day, and how many of all so far hold a place today."""

    on: date
    new: int
    total: int


class StaysAway(Shape):
    """How many of the confirmed will probably not come, and what that leans on."""

    low: int
    high: int
    basis: Basis
    events: int


class TypeNumbers(Shape):
    ticket_type_id: int
    code: str
    holding: int
    confirmed: int
    arrived: int
    stays_away: StaysAway | None


class Count(Shape):
    code: str
    count: int


class SiteCount(Shape):
    name: dict[str, str]
    count: int


class ChoiceCount(Shape):
    label: dict[str, str]
    count: int


class QuestionNumbers(Shape):
    label: dict[str, str]
    answered: int
    choices: list[ChoiceCount]


class Statistics(Shape):
    """Registrations in numbers: by day, ticket type and state; those that hold a place by everything else."""

    days: list[Day]
    types: list[TypeNumbers]
    by_state: dict[RegistrationState, int]
    sources: list[Count]
    ticket_sources: list[Count]
    ticket_sources_rest: int
    roles: list[Count]
    sites: list[SiteCount]
    languages: list[Count]
    organisations: list[Count]
    organisations_rest: int
    questions: list[QuestionNumbers]
    quota: int | None
    has_arrivals: bool
    is_over: bool


class StatisticsQuery(Query):
    site: RowId | None = Field(default=None, description="Only the ticket types of this site.")


def _counts(found: Sequence[Group]) -> list[Count]:
    return [Count.model_validate(one) for one in found]


def _type_numbers(one: TypeCount) -> TypeNumbers:
    return TypeNumbers(
        ticket_type_id=one.facts.id,
        code=one.facts.code,
        holding=one.holding,
        confirmed=one.confirmed,
        arrived=one.arrived,
        stays_away=StaysAway.model_validate(one.expectation) if one.expectation else None,
    )


async def _statistics(request: Request, door: Door) -> Response:
    read_query(request, StatisticsQuery)
    found, _sites, _site = await desk_statistics.read(request, door)
    return answer(
        Statistics(
            days=[Day.model_validate(day) for day in found.days],
            types=[_type_numbers(one) for one in found.types],
            by_state=dict(found.by_state),
            sources=_counts(found.sources),
            ticket_sources=_counts(found.ticket_sources),
            ticket_sources_rest=found.ticket_sources_rest,
            roles=[Count(code=role, count=count) for role, count in found.roles],
            sites=[SiteCount(name=name, count=count) for name, count in found.sites],
            languages=_counts(found.languages),
            organisations=_counts(found.organisations),
            organisations_rest=found.organisations_rest,
            questions=[
                QuestionNumbers(
                    label=one.label,
                    answered=one.answered,
                    choices=[ChoiceCount(label=label, count=count) for label, count in one.answers],
                )
                for one in found.questions
            ],
            quota=found.quota,
            has_arrivals=found.has_arrivals,
            is_over=found.is_over,
        )
    )


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/api/team",
        _team,
        "events.api.team",
        Permission.GRANT_ROLES,
        api=ApiDoc(tag="Team", summary="Who works on the event, and what each role may.", answer=Team),
    ),
    access.route(
        "/e/{slug}/api/invitations",
        _invitations,
        "events.api.invitations",
        Permission.GRANT_ROLES,
        api=ApiDoc(
            tag="Team",
            summary="Invitations that nobody has taken or withdrawn, the newest first.",
            answer=Invitations,
        ),
    ),
    access.route(
        "/e/{slug}/api/invitations",
        _invite,
        "events.api.invitation_new",
        Permission.GRANT_ROLES,
        ("POST",),
        api=ApiDoc(
            tag="Team",
            summary="Offers a role to an address and writes to it.",
            answer=Invitation,
            status=201,
            body=NewInvitation,
            is_once=True,
            refusals={422: (EventCode.ROLE_HELD, EventCode.INVITATION_OPEN, EventCode.ROLE_UNSCOPED)},
        ),
    ),
    access.route(
        "/e/{slug}/api/invitations/{invitation_id:int}/revocation",
        _revoke,
        "events.api.invitation_revocation",
        Permission.GRANT_ROLES,
        ("POST",),
        api=ApiDoc(
            tag="Team",
            summary="Withdraws an invitation; once more changes nothing.",
            answer=Invitation,
            refusals={404: (EventCode.INVITATION_UNKNOWN,), 409: (EventCode.INVITATION_USED,)},
        ),
    ),
    access.route(
        "/e/{slug}/api/journal",
        _journal,
        "events.api.journal",
        Permission.SEE_JOURNAL,
        api=ApiDoc(
            tag="Team",
            summary="Who did what, the newest first; days are the event's own, both included.",
            answer=Journal,
            query=JournalQuery,
        ),
    ),
    access.route(
        "/e/{slug}/api/statistics",
        _statistics,
        "events.api.statistics",
        Permission.SEE_STATISTICS,
        api=ApiDoc(
            tag="Numbers",
            summary="Registrations in numbers.",
            answer=Statistics,
            query=StatisticsQuery,
        ),
    ),
]
