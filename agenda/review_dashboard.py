"""The review of an event at one look: scores, disagreement, what lacks reviews, what is alike, what was proposed.

One read gives everything that somebody may see (``review_queries.looks`` is asked about every proposal), in a number of
statements that does not depend on how many proposals and reviews there are. Board, coverage, exports and bulk actions
all begin with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from agenda import cfp_queries, review_queries
from agenda.dashboard_rules import (
    Coverage,
    Order,
    Standing,
    cover,
    lacks_reviews,
    may_propose,
    order_key,
    sees_decision,
)
from agenda.proposal_rules import ProposalState, fallback
from agenda.review_rules import Criterion, Score, Total, score, sees_comments
from events import queries
from events.access import Door
from events.rules import Role, fold
from kernel import db
from kernel.text import LocalizedText
from people import queries as people

#: Proposals on one page of the board.
PAGE_SIZE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A proposal on the board, with no more than the viewer is shown."""

    standing: Standing
    code: str
    #: JSON of the title as this viewer reads it, the redacted one where names are hidden; see ``title``.
    raw_title: Any
    session_type_id: int | None
    forum_id: int | None
    language: str
    names: bool
    may_decide: bool
    may_tag: bool
    may_propose: bool
    #: What all reviews come to, abstentions included; the points only where they are shown.
    abstentions: int
    #: How many recommend what, and what the forum's producers propose; empty where reviews are not shown.
    recommended: Mapping[str, int]
    by_producers: Sequence[str]
    #: What the viewer proposes or recommends.
    own: str
    tag_ids: frozenset[int]
    #: Other proposals on this board that say much the same (id, hundredths), the most alike first.
    twins: Sequence[tuple[int, int]]
    comments: int

    @property
    def id(self) -> int:
        return self.standing.id

    @property
    def title(self) -> LocalizedText:
        return _text(self.raw_title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything of an event's review that somebody may see."""

    rows: Sequence[Row]
    needed: int
    total_by: Total
    types: Sequence[cfp_queries.TypeFacts]
    forums: Sequence[cfp_queries.ForumFacts]
    tags: Sequence[cfp_queries.TagFacts]

    def of(self, proposal_id: int) -> Row | None:
        return next((row for row in self.rows if row.id == proposal_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a board is shown, and in which order."""

    text: str = ""
    forum_id: int | None = None
    session_type_id: int | None = None
    state: ProposalState | None = None
    #: A pending decision, or "none" for what has none, or "any".
    pending: str = ""
    tag_id: int | None = None
    lacks: bool = False
    twins: bool = False
    #: Only those about which producers have proposed something.
    proposed: bool = False
    order: Order = Order.SCORE


def _text(value: Any) -> LocalizedText:
    return LocalizedText.of(orjson.loads(value) if isinstance(value, str) else value)


async def read(door: Door, at: datetime) -> Board:
    """Everything that the viewer may see now. Two dozen statements, however much there is."""
    event_id = door.event.id
    call = await cfp_queries.find_call(event_id)
    needed = call.reviews_needed if call else 0
    total_by = Total(call.total_by) if call else Total.MEAN
    columns = (
        "id",
        "code",
        "state",
        "pending_state",
        "title",
        "redacted",
        "session_type_id",
        "forum_id",
        "language",
        "handed_in",
    )
    rows = [
        dict(zip(columns, row, strict=True))
        for row in await db.many(
            "SELECT p.id, p.code, p.state, p.pending_state, p.title, r.title AS redacted, p.session_type_id, "
            "p.forum_id, p.language, CASE WHEN p.submitted_at IS NULL THEN 0 ELSE 1 END AS handed_in FROM proposal p "
            "LEFT JOIN proposal_redaction r ON r.proposal_id = p.id "
            "WHERE p.event_id = $1 AND p.state <> 'draft' ORDER BY p.id",
            columns,
            event_id,
        )
    ]
    looks = await review_queries.looks(door, [row["id"] for row in rows], at)
    shown = {row["id"] for row in rows if row["id"] in looks and looks[row["id"]].sees.proposal}
    reviews = await _reviews("p.event_id", event_id)
    produced = await _producers(event_id)
    tagged = await _grouped(
        "SELECT t.proposal_id, t.tag_id AS value FROM proposal_tag t JOIN proposal p ON p.id = t.proposal_id "
        "WHERE p.event_id = $1",
        event_id,
    )
    comments = await _grouped(
        "SELECT c.proposal_id, count(*) AS value FROM proposal_comment c JOIN proposal p ON p.id = c.proposal_id "
        "WHERE p.event_id = $1 AND c.removed_at IS NULL GROUP BY c.proposal_id",
        event_id,
    )
    alike = await _twins(event_id, shown)
    found = []
    for row in rows:
        number = row["id"]
        if number not in shown:
            continue
        look = looks[number]
        sees, viewer = look.sees, look.viewer
        given = reviews.get(number, ())
        told = score((one.total for one in given), total_by) if sees.reviews else None
        found.append(
            Row(
                standing=Standing(
                    id=number,
                    state=ProposalState(row["state"]),
                    pending=row["pending_state"] if sees_decision(viewer, sees) else "",
                    counted=sum(one.total is not None for one in given),
                    is_handed_in=bool(row["handed_in"]),
                    score=told,
                ),
                code=row["code"],
                raw_title=row["title"] if sees.names or row["redacted"] is None else row["redacted"],
                session_type_id=row["session_type_id"],
                forum_id=row["forum_id"],
                language=row["language"],
                names=sees.names,
                may_decide=sees.may_decide,
                may_tag=sees.may_tag,
                may_propose=may_propose(viewer, sees),
                abstentions=sum(one.abstains for one in given),
                recommended=Counter(said)
                if (said := [one.recommends for one in given if one.recommends]) and told
                else {},
                by_producers=[
                    one.recommends
                    for one in given
                    if one.recommends and one.account_id in produced.get(row["forum_id"], produced[None])
                ]
                if said and told
                else (),
                own=next((one.recommends for one in given if one.account_id == door.actor.id), ""),
                tag_ids=frozenset(tagged.get(number, ())),
                twins=alike.get(number, ()),
                comments=next(iter(comments.get(number, ())), 0) if sees_comments(viewer, sees) else 0,
            )
        )
    return Board(
        rows=found,
        needed=needed,
        total_by=total_by,
        types=await cfp_queries.session_types(event_id),
        forums=await cfp_queries.forums(event_id),
        tags=await cfp_queries.tags(event_id),
    )


class _Review(NamedTuple):
    account_id: int
    total: int | None
    abstains: bool
    recommends: str


async def _reviews(column: str, value: int) -> Mapping[int, Sequence[_Review]]:
    found: dict[int, list[_Review]] = {}
    for number, account_id, total, abstains, recommends in await db.many(
        "SELECT r.proposal_id, r.account_id, r.total, r.abstains, r.recommends FROM review r "  # noqa: S608 -- our own words
        f"JOIN proposal p ON p.id = r.proposal_id WHERE {column} = $1 ORDER BY r.id",
        ("proposal_id", "account_id", "total", "abstains", "recommends"),
        value,
    ):
        found.setdefault(number, []).append(_Review(account_id, total, bool(abstains), recommends))
    return found


@dataclass(frozen=True, slots=True)
class Summary:
    """What all reviews of one proposal come to, for whoever has asked who is shown it."""

    score: Score
    needed: int


async def sum_up(event_id: int, proposal_id: int) -> Summary:
    """Two statements."""
    call = await cfp_queries.find_call(event_id)
    given = (await _reviews("p.id", proposal_id)).get(proposal_id, ())
    by = Total(call.total_by) if call else Total.MEAN
    return Summary(score((one.total for one in given), by), call.reviews_needed if call else 0)


async def _producers(event_id: int) -> Mapping[int | None, frozenset[int]]:
    """Accounts of those who produce each forum; under None of those who produce all of them."""
    scoped: dict[int | None, set[int]] = {None: set()}
    for member in await queries.team(event_id):
        if member.grant.role is Role.PRODUCER:
            forum = member.grant.scope_id if member.grant.scope_kind == "forum" else None
            scoped.setdefault(forum, set()).add(member.account_id)
    return {forum: frozenset(accounts | scoped[None]) for forum, accounts in scoped.items()}


async def _grouped(sql: str, event_id: int) -> Mapping[int, Sequence[int]]:
    found: dict[int, list[int]] = {}
    for row in await db.query(sql, event_id):
        found.setdefault(row["proposal_id"], []).append(int(row["value"]))
    return found


async def _twins(event_id: int, shown: set[int]) -> Mapping[int, Sequence[tuple[int, int]]]:
    """Pairs that nobody put aside, of which the viewer sees both."""
    found: dict[int, list[tuple[int, int]]] = {}
    for row in await db.query(
        "SELECT t.proposal_id, t.other_id, t.likeness FROM proposal_twin t JOIN proposal p ON p.id = t.proposal_id "
        "WHERE p.event_id = $1 AND NOT t.is_dismissed ORDER BY t.likeness DESC, t.id",
        event_id,
    ):
        one, other = row["proposal_id"], row["other_id"]
        if one in shown and other in shown:
            found.setdefault(one, []).append((other, row["likeness"]))
            found.setdefault(other, []).append((one, row["likeness"]))
    return found


async def pick(door: Door, board: Board, wanted: Wanted, locale: str) -> Sequence[Row]:
    """The rows that are wanted, in order; one more statement where a text is searched.

    Where names are hidden a text is looked for in the title that is shown, and nowhere else.
    """
    texts = await _with_text(door.event.id, wanted.text) if wanted.text else frozenset()

    def fits(row: Row) -> bool:
        at = row.standing
        return (
            (wanted.forum_id is None or row.forum_id == wanted.forum_id)
            and (wanted.session_type_id is None or row.session_type_id == wanted.session_type_id)
            and (wanted.state is None or at.state is wanted.state)
            and (wanted.tag_id is None or wanted.tag_id in row.tag_ids)
            and (not wanted.pending or _is_pending(at, wanted.pending))
            and (not wanted.lacks or lacks_reviews(at, board.needed))
            and (not wanted.twins or bool(row.twins))
            and (not wanted.proposed or bool(row.by_producers))
            and (not wanted.text or (row.id in texts if row.names else _says(row, wanted.text)))
        )

    found = {row.id: row for row in board.rows if fits(row)}
    key = order_key(wanted.order, lambda at: fold(fallback(found[at.id].title, locale)[0]))
    return sorted(found.values(), key=lambda row: key(row.standing))


def _is_pending(at: Standing, wanted: str) -> bool:
    if wanted == "any":
        return bool(at.pending)
    return at.pending == ("" if wanted == "none" else wanted)


def _says(row: Row, text: str) -> bool:
    words = fold(" ".join([*row.title.values(), row.code]))
    return all(word in words for word in text.split())


async def _with_text(event_id: int, text: str) -> frozenset[int]:
    values: list[Any] = [event_id]
    where = cfp_queries.words_match(text, values)
    rows = await db.query(f"SELECT p.id FROM proposal p WHERE p.event_id = $1{where}", *values)  # noqa: S608 -- our own words
    return frozenset(row["id"] for row in rows)


async def speaker_names(proposal_ids: Sequence[int]) -> Mapping[int, Sequence[LocalizedText]]:
    """Names of the speakers, in their order; one statement. The caller asks only for what shows names."""
    found: dict[int, list[LocalizedText]] = {}
    for row in await db.query(
        "SELECT l.proposal_id, s.name FROM proposal_speaker l JOIN speaker s ON s.id = l.speaker_id "  # noqa: S608 -- our own words
        f"WHERE l.proposal_id {db.in_list('$1', 'int')} ORDER BY l.position, l.id",
        db.list_parameter(proposal_ids),
    ):
        found.setdefault(row["proposal_id"], []).append(_text(row["name"]))
    return found


# --- coverage ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """How far the review has come: as a whole, by forum and by type; under None what has no forum or type."""

    whole: Coverage
    forums: Mapping[int | None, Coverage]
    types: Mapping[int | None, Coverage]


def coverage(board: Board) -> Covered:
    by_forum: dict[int | None, list[Standing]] = {}
    by_type: dict[int | None, list[Standing]] = {}
    for row in board.rows:
        if row.standing.is_judged:
            by_forum.setdefault(row.forum_id, []).append(row.standing)
            by_type.setdefault(row.session_type_id, []).append(row.standing)
    return Covered(
        whole=cover((row.standing for row in board.rows), board.needed),
        forums={number: cover(every, board.needed) for number, every in by_forum.items()},
        types={number: cover(every, board.needed) for number, every in by_type.items()},
    )


# --- the reviews themselves --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """A review as it is shown: ``reviewer`` is empty where reviewers are not."""

    proposal_id: int
    reviewer: str
    is_own: bool
    abstains: bool
    #: Ten-thousandths.
    total: int | None
    recommends: str
    reason: str
    #: By the criterion's id.
    points: Mapping[int, int] = field(default_factory=dict)
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    criteria: Sequence[Criterion]
    rows: Sequence[ReviewRow]


async def reviews_shown(door: Door, proposal_ids: Sequence[int], at: datetime) -> Reviews:
    """The reviews of these proposals that the viewer may read, by proposal and then by age; fourteen statements.

    One's own is always among them, but never one of a proposal in which one speaks.
    """
    looks = await review_queries.looks(door, proposal_ids, at)
    sees = {number: look.sees for number, look in looks.items() if look.sees.proposal}
    criteria = await review_queries.criteria(door.event.id)
    listed = db.list_parameter(sorted(sees))
    inside = db.in_list("$1", "int")
    rows = [
        row
        for row in await db.query(
            "SELECT id, proposal_id, account_id, abstains, total, recommends, reason, updated_at FROM review "  # noqa: S608 -- our own words
            f"WHERE proposal_id {inside} ORDER BY proposal_id, id",
            listed,
        )
        if sees[row["proposal_id"]].reviews or row["account_id"] == door.actor.id
    ]
    points: dict[int, dict[int, int]] = {}
    for one in await db.query(
        f"SELECT review_id, criterion_id, value FROM review_score WHERE review_id {inside}",  # noqa: S608
        db.list_parameter([row["id"] for row in rows]),
    ):
        points.setdefault(one["review_id"], {})[one["criterion_id"]] = one["value"]
    names = await people.accounts({row["account_id"] for row in rows})
    found = []
    for row in rows:
        updated = db.as_instant(row["updated_at"])
        assert updated is not None
        is_own = row["account_id"] == door.actor.id
        who = names.get(row["account_id"])
        found.append(
            ReviewRow(
                proposal_id=row["proposal_id"],
                reviewer=(who.name or who.email)
                if who and (is_own or sees[row["proposal_id"]].reviewers)
                else "",
                is_own=is_own,
                abstains=bool(row["abstains"]),
                total=row["total"],
                recommends=row["recommends"],
                reason=row["reason"],
                points=points.get(row["id"], {}),
                updated_at=updated,
            )
        )
    return Reviews(criteria=criteria, rows=found)
