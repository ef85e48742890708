"""Who reviews: everybody with a role that may, what is known of them beside it, and what they were given and have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from agenda.models import Reviewer, Speaker
from agenda.review_queries import REVIEWING_ROLES
from agenda.review_rules import ReviewCode
from events import queries
from events.rules import MAY, Permission, Role, fold
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal

ORGANISATION_LIMIT: Final = 200
TAKES_MOST: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerLine:
    """One who reviews, or might: ``given`` and ``done`` count proposals, an abstention is done, too."""

    account_id: int
    name: str
    email: str
    roles: tuple[Role, ...]
    #: The forums that they review; None: all of them.
    forum_ids: frozenset[int] | None
    organisation: str = ""
    takes_at_most: int | None = None
    never_sees_names: bool = False
    is_resting: bool = False
    #: Proposals are given to them; owners and organisers may be asked, and are not until somebody does.
    is_asked: bool = True
    given: int = 0
    done: int = 0
    #: Given and not done.
    open: int = 0
    abstained: int = 0
    conflicts: int = 0


async def listed(event_id: int) -> Sequence[ReviewerLine]:
    """Everybody who may review in the event, those first who are asked, by name; four statements."""
    entered = {row.account_id: row for row in await Reviewer.filter(event_id=event_id)}
    counts = await _counts(event_id)
    conflicts = {
        row["account_id"]: int(row["number"])
        for row in await db.query(
            "SELECT account_id, COUNT(*) AS number FROM conflict_of_interest WHERE event_id = $1 GROUP BY account_id",
            event_id,
        )
    }
    people: dict[int, dict[str, Any]] = {}
    for member in await queries.team(event_id):
        if Permission.REVIEW not in MAY[member.grant.role]:
            continue
        one = people.setdefault(
            member.account_id,
            {"name": member.name, "email": member.email, "roles": [], "forums": set(), "is_asked": False},
        )
        one["roles"].append(member.grant.role)
        row = entered.get(member.account_id)
        if member.grant.role not in REVIEWING_ROLES and row is None:
            continue
        one["is_asked"] = True
        if member.grant.scope_kind != "forum":
            one["forums"] = None
        elif one["forums"] is not None:
            one["forums"].add(member.grant.scope_id)
    lines = []
    for number, one in people.items():
        row = entered.get(number)
        given, done, still, abstained = counts.get(number, (0, 0, 0, 0))
        lines.append(
            ReviewerLine(
                account_id=number,
                name=one["name"],
                email=one["email"],
                roles=tuple(dict.fromkeys(one["roles"])),
                forum_ids=None if one["forums"] is None else frozenset(one["forums"]),
                organisation=row.organisation if row else "",
                takes_at_most=row.takes_at_most if row else None,
                never_sees_names=bool(row and row.never_sees_names),
                is_resting=bool(row and row.is_resting),
                is_asked=one["is_asked"],
                given=given,
                done=done,
                open=still,
                abstained=abstained,
                conflicts=conflicts.get(number, 0),
            )
        )
    return sorted(lines, key=lambda one: (not one.is_asked, one.name.casefold(), one.email, one.account_id))


async def _counts(event_id: int) -> dict[int, tuple[int, int, int, int]]:
    """By account: given, done, given and not done, abstained."""
    rows = await db.query(
        "SELECT account_id, SUM(is_given) AS given, SUM(is_done) AS done, SUM(abstains) AS abstained, "
        "SUM(CASE WHEN is_given = 1 AND is_done = 0 THEN 1 ELSE 0 END) AS still FROM ("
        "SELECT account_id, proposal_id, MAX(is_given) AS is_given, MAX(is_done) AS is_done, "
        "MAX(abstains) AS abstains FROM ("
        "SELECT account_id, proposal_id, 1 AS is_given, 0 AS is_done, 0 AS abstains FROM review_assignment "
        "UNION ALL SELECT account_id, proposal_id, 0, 1, CASE WHEN abstains THEN 1 ELSE 0 END FROM review) AS every "
        "WHERE proposal_id IN (SELECT id FROM proposal WHERE event_id = $1) "
        "GROUP BY account_id, proposal_id) AS each_one GROUP BY account_id",
        event_id,
    )
    return {
        row["account_id"]: (int(row["given"]), int(row["done"]), int(row["still"]), int(row["abstained"]))
        for row in rows
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerDetails:
    """What an organiser knows of a reviewer; ``takes_at_most`` None is as many as come."""

    organisation: str = ""
    takes_at_most: int | None = None
    never_sees_names: bool = False
    is_resting: bool = False

    def problems(self) -> dict[str, Problem]:
        found: dict[str, Problem] = {}
        if len(self.organisation) > ORGANISATION_LIMIT:
            found["organisation"] = Problem(Code.TOO_LONG, {"limit": ORGANISATION_LIMIT})
        if self.takes_at_most is not None and not 0 <= self.takes_at_most <= TAKES_MOST:
            found["takes_at_most"] = Problem(Code.OUT_OF_RANGE)
        return found


async def find_speakers(event_id: int, which: str) -> Sequence[int]:
    """The event's speakers with this e-mail address, or with this name in any language; one statement."""
    wanted = fold(which)
    rows = await Speaker.filter(event_id=event_id, erased_at__isnull=True)
    return [
        row.id
        for row in rows
        if wanted in {fold(row.email or ""), *map(fold, LocalizedText.of(row.name).values())}
    ]


async def speaker_names(event_id: int, ids: Sequence[int]) -> Mapping[int, LocalizedText]:
    """One statement."""
    rows = await Speaker.filter(event_id=event_id, id__in=list(ids) or [0])
    return {row.id: LocalizedText.of(row.name) for row in rows}


async def put(
    *, actor: Actor, event_id: int, account_id: int, details: ReviewerDetails, at: datetime
) -> None:
    """Keeps what is known of a reviewer; an owner or organiser who is entered so is given proposals like the others.

    Raises Invalid at a field, NotFound ``review_reviewer_unknown`` for somebody without a role that reviews.
    """
    if problems := details.problems():
        raise Invalid(problems)
    columns = {name: getattr(details, name) for name in ReviewerDetails.__dataclass_fields__}
    async with unit_of_work():
        await _require_role(event_id, account_id)
        await db.one_at_a_time(f"agenda.reviewer:{event_id}:{account_id}")
        if not await Reviewer.filter(event_id=event_id, account_id=account_id).update(
            **columns, updated_at=at
        ):
            await Reviewer.create(event_id=event_id, account_id=account_id, updated_at=at, **columns)
        # Where somebody works stands in the row alone.
        await journal.write(
            actor=actor,
            verb="reviewer.change",
            object_kind="account",
            object_id=account_id,
            event_id=event_id,
            at=at,
            new={name: columns[name] for name in ("takes_at_most", "never_sees_names", "is_resting")},
        )


async def _require_role(event_id: int, account_id: int) -> None:
    roles = [grant.role for grant in await queries.grants_of(account_id) if grant.event_id == event_id]
    if not any(Permission.REVIEW in MAY[role] for role in roles):
        raise NotFound(ReviewCode.REVIEWER_UNKNOWN)
