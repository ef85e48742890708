"""Talks that somebody is asked for: one by one, or a forum's whole line-up; past the review, followed up until answered.

Promises: a form is one invitation, or one line-up, however often it arrives; of a line-up all lines are entered or none;
who may enter for which forum is asked in one place, ``reach``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from agenda import cfp_queries, history, proposals, speaker_letters, speaker_queries, speakers
from agenda.history import Line
from agenda.letter_rules import Occasion, Placeholder
from agenda.line_up_rules import (
    LINES_AT_MOST,
    LineUpCode,
    Person,
    Talk,
    language_of,
    localized,
    read_line_up,
)
from agenda.models import ForumHelper, Proposal, ProposalSpeaker
from agenda.proposal_rules import Origin, ProposalCode, ProposalState, Verb, Who, lengths
from agenda.proposals import World
from agenda.speaker_letters import Telling
from agenda.speakers import Entered
from events.access import Door
from events.rules import Permission, fold
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Forbidden, Invalid, NotFound, Problem
from kernel.text import LocalizedText
from people import journal, replays

#: What asking again waits for where an event has no call (an import made its proposals).
_USUAL_DAYS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """For which forums somebody may ask people to speak; ``forum_ids`` None: for all, and for none in particular."""

    forum_ids: frozenset[int] | None
    who: frozenset[Who]

    def covers(self, forum_id: int | None) -> bool:
        return self.forum_ids is None or forum_id in self.forum_ids


async def reach(door: Door) -> Reach:
    """What somebody may enter here: by a role, or as a helper whom a producer named. Raises Forbidden for nobody's."""
    actor = door.actor
    forums = door.forum_scope(Permission.CHANGE_PROPOSALS)
    if forums is not None and actor.kind is ActorKind.ACCOUNT and not actor.token_id and actor.email:
        rows = await ForumHelper.filter(email=actor.email)
        own = {one.id for one in await cfp_queries.forums(door.event.id)} if rows else set()
        forums |= {row.forum_id for row in rows if row.forum_id in own}
    if forums is not None and not forums:
        raise Forbidden()
    who = {Who.PRODUCER} | ({Who.CHAIR} if door.may(Permission.DECIDE) else set())
    return Reach(forum_ids=forums, who=frozenset(who))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTalk:
    """A talk and whom one asks to give it."""

    title: LocalizedText
    people: Sequence[Entered]
    language: str = ""

    def problems(self) -> dict[str, Problem]:
        found = lengths({"title": self.title})
        if not any(part.strip() for part in self.title.values()):
            found["title"] = Problem(Code.REQUIRED)
        if not self.people:
            found["name"] = Problem(Code.REQUIRED)
        for one in self.people:
            if not any(part.strip() for part in one.name.values()):
                found["name"] = Problem(Code.REQUIRED)
            found |= lengths({"name": one.name, "organisation": one.organisation, "job": one.title})
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The kind and the forum that talks are asked for."""

    session_type_id: int | None
    forum_id: int | None

    def problems(self, at_hand: World, may: Reach) -> dict[str, Problem]:
        """Also types and forums that the form does not offer may be asked for: they are for invited talks."""
        found: dict[str, Problem] = {}
        if self.session_type_id is None:
            found["session_type"] = Problem(Code.REQUIRED)
        elif at_hand.type_of(self.session_type_id) is None:
            found["session_type"] = Problem(ProposalCode.TYPE_UNKNOWN)
        if self.forum_id is None and may.forum_ids is not None:
            found["forum"] = Problem(Code.REQUIRED)
        elif self.forum_id is not None and (
            at_hand.forum_of(self.forum_id) is None or not may.covers(self.forum_id)
        ):
            found["forum"] = Problem(ProposalCode.FORUM_UNKNOWN)
        return found


async def invite(
    *,
    actor: Actor,
    event_id: int,
    at_hand: World,
    may: Reach,
    where: Where,
    talks: Sequence[NewTalk],
    form_id: UUID,
    at: datetime,
) -> Sequence[int]:
    """Asks for talks, all or none, and gives their ids; the same form again gives the same ones.

    Each is followed up after the call's days, and a letter to every speaker with an address waits in the outbox. A speaker whose address or name the event knows is that speaker; others
    are entered without an account. Raises Invalid at ``title``, ``name``, ``session_type``, ``forum``, of the
    talk that it is about where there is one.
    """
    problems = where.problems(at_hand, may)
    for one in talks:
        problems |= one.problems()
    if problems:
        raise Invalid(problems)
    body = {
        "event_id": event_id,
        "where": [where.session_type_id, where.forum_id],
        "talks": [
            [dict(one.title), *[[dict(who.name), who.email, dict(who.organisation)] for who in one.people]]
            for one in talks
        ],
    }

    async def once() -> Mapping[str, Any]:
        async with unit_of_work():
            ids = [
                await _enter(
                    actor=actor,
                    event_id=event_id,
                    at_hand=at_hand,
                    may=may,
                    where=where,
                    talk=one,
                    # A line-up's form is many talks': only one of them can carry its id.
                    form_id=form_id if len(talks) == 1 else None,
                    at=at,
                )
                for one in talks
            ]
            await _write(actor, event_id, ids, Occasion.INVITED, at)
        return {"ids": ids}

    async def settled() -> Mapping[str, Any]:
        return await replays.once(id=form_id, actor_key=actor.key, body=body, at=at, action=once)

    return [int(number) for number in (await db.retrying(settled))["ids"]]


async def _enter(
    *,
    actor: Actor,
    event_id: int,
    at_hand: World,
    may: Reach,
    where: Where,
    talk: NewTalk,
    form_id: UUID | None,
    at: datetime,
) -> int:
    async def make(code: str) -> Proposal:
        # A draft that is nobody's own; asking for it is a move like any other.
        return await Proposal.create(
            guid=uuid4(),
            event_id=event_id,
            code=code,
            origin=Origin.INVITED,
            session_type_id=where.session_type_id,
            forum_id=where.forum_id,
            language=talk.language,
            title=talk.title,
            form_id=form_id,
            search=fold(" ".join(talk.title.values())),
            follow_up_at=at + _wait(at_hand),
            created_at=at,
            updated_at=at,
        )

    row = await speakers.with_new_code(make)
    seen: set[int] = set()
    for who in talk.people:
        number = await speakers.enter(event_id=event_id, who=who, locale=_locale_of(who), at=at)
        if number not in seen:
            await ProposalSpeaker.create(
                proposal_id=row.id, speaker_id=number, position=len(seen), joined_at=at
            )
            seen.add(number)
    await history.write(actor=actor, proposal_id=row.id, verb="create", at=at, lines=[Line()])
    await journal.write(
        actor=actor,
        verb="proposal.create",
        object_kind="proposal",
        object_id=row.id,
        event_id=event_id,
        at=at,
    )
    await proposals.move(
        actor=actor, event_id=event_id, proposal_id=row.id, verb=Verb.INVITE, who=may.who, at=at
    )
    return int(row.id)


def _locale_of(who: Entered) -> str:
    """The language that somebody is written to, until they say otherwise: that of their name."""
    return language_of("".join(who.name.values()))


def _wait(at_hand: World | None) -> timedelta:
    return timedelta(days=at_hand.call.follow_up_days if at_hand is not None else _USUAL_DAYS)


async def _write(
    actor: Actor, event_id: int, proposal_ids: Sequence[int], occasion: Occasion, at: datetime
) -> None:
    """A letter to every speaker of these talks who has an address, for a person to read and send."""
    links = await ProposalSpeaker.filter(proposal_id__in=list(proposal_ids)).order_by("id")
    await speaker_letters.draft(
        actor=actor,
        event_id=event_id,
        code=occasion,
        tellings=[
            Telling(
                speaker_id=link.speaker_id,
                proposal_id=link.proposal_id,
                values={Placeholder.WHO: actor.name} if actor.name else {},
            )
            for link in links
        ],
        at=at,
    )


async def ask_again(
    *, actor: Actor, event_id: int, at_hand: World | None, proposal_id: int, may: Reach, at: datetime
) -> None:
    """Notes that somebody is asked once more, drafts the letter, and waits as long again; who declined is invited anew.

    Raises NotFound for a talk that is not in reach, Conflict for one that is answered otherwise.
    """
    async with unit_of_work():
        await db.one_at_a_time(f"agenda.proposal:{proposal_id}")
        row = await Proposal.get_or_none(id=proposal_id, event_id=event_id)
        if row is None or not may.covers(row.forum_id):
            raise NotFound(ProposalCode.UNKNOWN)
        if row.state == ProposalState.DECLINED:
            await proposals.move(
                actor=actor, event_id=event_id, proposal_id=row.id, verb=Verb.INVITE, who=may.who, at=at
            )
        elif row.state != ProposalState.INVITED:
            raise Conflict(ProposalCode.MOVE_NOT_FROM_HERE, state=row.state)
        else:
            await history.write(
                actor=actor, proposal_id=row.id, verb="follow_up", at=at, lines=[Line("follow_up")]
            )
        await Proposal.filter(id=row.id).update(follow_up_at=at + _wait(at_hand), updated_at=at)
        # The same words again are meant this time.
        await speaker_letters.take_back([row.id])
        await _write(actor, event_id, [row.id], Occasion.FOLLOW_UP, at)


# --- a line-up ---------------------------------------------------------------------------------------------------


async def read(*, event_id: int, text: str, where: Where) -> Sequence[Talk]:
    """A pasted line-up as it was understood, with what is wrong at each line. Raises Invalid at ``text``."""
    found = read_line_up(text, there=await speaker_queries.talk_titles(event_id, where.forum_id))
    if not found:
        raise Invalid({"text": Problem(LineUpCode.NO_LINES)})
    if len(found) > LINES_AT_MOST:
        raise Invalid({"text": Problem(LineUpCode.TOO_MANY_LINES, {"limit": LINES_AT_MOST})})
    return found


def talk_of(line: Talk, languages: Sequence[str]) -> NewTalk:
    """A line without problems as the talk that it asks for."""
    language = language_of(line.title)
    return NewTalk(
        title=localized(line.title),
        people=[entered(one) for one in line.people],
        language=language if language in languages else "",
    )


def entered(one: Person) -> Entered:
    return Entered(
        name=localized(one.name),
        organisation=localized(one.organisation),
        title=localized(one.position),
        email=one.email,
    )


async def part_in(door: Door, code: str) -> tuple[cfp_queries.ProposalFacts, Reach]:
    """An invited talk in somebody's reach. Raises NotFound for any other."""
    may = await reach(door)
    fits = len(code) <= 6 and code.isascii() and code.isalnum()
    proposal = await cfp_queries.find_proposal(door.event.id, code) if fits else None
    if proposal is None or proposal.origin is not Origin.INVITED or not may.covers(proposal.forum_id):
        raise NotFound(ProposalCode.UNKNOWN)
    return proposal, may
