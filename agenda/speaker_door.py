"""Who comes in to a speaker's page: the speaker by secret link or by sign-in, or whoever enters talks on their behalf.

Everything behind this door is kept by nobody, and no other site is told where one came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from agenda import invited, speaker_link, speaker_queries, speakers
from agenda.line_up_rules import LineUpCode
from agenda.models import Speaker
from agenda.proposal_rules import Condition, ProposalCode, ProposalState, Verb, Who, moves_of
from agenda.speaker_queries import Around, SpeakerRow, SpeakerTalk
from events.access import Door
from events.rules import Permission
from kernel.actor import Actor, ActorKind
from kernel.errors import Forbidden, NotFound, SignInNeeded
from web import render

PAGE: Final = "agenda.speaker.page"
LINK: Final = "agenda.speaker"
OPEN: Final = "agenda.speaker.open"
OWN: Final = "agenda.cfp.speaker"
PROFILE: Final = "agenda.speaker.profile"
VISIT: Final = "agenda.speaker.visit"
TALK: Final = "agenda.speaker.talk"
ANSWER: Final = "agenda.speaker.answer"
SLIDES: Final = "agenda.speaker.slides"
FILE: Final = "agenda.speaker.file"
REMOVAL: Final = "agenda.speaker.removal"
PICTURE: Final = "agenda.speaker.picture"
RENEWAL: Final = "agenda.speaker.renewal"
#: States of talks that are still something; the others are told in one line.
ALIVE: Final = frozenset(
    {
        ProposalState.INVITED,
        ProposalState.SUBMITTED,
        ProposalState.ACCEPTED,
        ProposalState.WAITLISTED,
        ProposalState.CONFIRMED,
    }
)
#: What a speaker's page offers; everything else happens elsewhere.
_OFFERED: Final = frozenset({Verb.CONFIRM, Verb.DECLINE, Verb.WITHDRAW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A speaker, opened."""

    door: Door
    row: SpeakerRow
    #: Who acts, for history and journal: the account, or the holder of the speaker's link.
    actor: Actor
    #: Whether the speaker is asking; else somebody who enters and edits for them.
    is_self: bool
    #: For whoever acts on a speaker's behalf: in which forums, and as what.
    may: invited.Reach | None
    world: Around
    at: datetime

    @property
    def id(self) -> int:
        return self.row.facts.id

    @property
    def base(self) -> str:
        return render.url(PAGE, slug=self.door.event.slug, code=self.row.facts.code)

    @property
    def talks(self) -> Sequence[SpeakerTalk]:
        """The talks that whoever asks may see here."""
        return [one for one in self.row.talks if self.who(one)]

    def who(self, talk: SpeakerTalk) -> frozenset[Who]:
        """The parts in which one meets a talk here."""
        if self.is_self:
            return frozenset({Who.SPEAKER})
        return self.may.who if self.may is not None and self.may.covers(talk.forum_id) else frozenset()

    def holds(self) -> frozenset[Condition]:
        """The conditions of the table that are true now; none of them is asked for by what a speaker does here but this."""
        confirm_by = self.world.call.confirm_by if self.world.call else None
        return frozenset({Condition.IN_TIME}) if confirm_by is None or self.at < confirm_by else frozenset()

    def verbs(self, talk: SpeakerTalk) -> Sequence[Verb]:
        found = moves_of(talk.state, who=self.who(talk), holds=self.holds())
        return [one for one in found if one in _OFFERED]

    def talk(self, code: str) -> SpeakerTalk:
        """Raises NotFound for a talk that is not the speaker's, or out of reach."""
        found = next((one for one in self.talks if one.code == code.upper()), None)
        if found is None:
            raise NotFound(ProposalCode.UNKNOWN)
        return found


def private(response: Response) -> Response:
    """For every answer behind this door."""
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


def is_accounts(actor: Actor, row: Speaker) -> bool:
    """Whether a speaker is this account: linked, or entered under its address and nobody's yet."""
    if actor.kind is not ActorKind.ACCOUNT or actor.token_id:
        return False
    if row.account_id is not None:
        return row.account_id == actor.id
    return bool(actor.email) and row.email == actor.email


async def held_by_link(cookies: Mapping[str, str], event_id: int) -> Sequence[Speaker]:
    """The speakers whose link this browser has opened."""
    found = []
    for name, value in sorted(cookies.items()):
        if name.startswith(speaker_link.COOKIE):
            row = await speaker_link.find_by_key(event_id, value)
            if row is not None:
                found.append(row)
    return found


async def open_own(request: Request, door: Door) -> Own:
    """The speaker in the address, for themselves or for whoever may enter talks for them.

    Raises SignInNeeded for nobody in particular; NotFound for everybody else, whether or not there is such a speaker.
    """
    row = await speaker_queries.find_speaker(door.event.id, request.path_params["code"])
    if row is None:
        raise SignInNeeded() if not door.actor.signed_in else NotFound(LineUpCode.SPEAKER_UNKNOWN)
    actor, may = door.actor, None
    is_self = is_accounts(door.actor, row)
    if not is_self:
        key = request.cookies.get(f"{speaker_link.COOKIE}{row.id}", "")
        linked = await speaker_link.find_by_key(door.event.id, key) if key else None
        is_self = linked is not None and linked.id == row.id
        if is_self and door.actor.kind is not ActorKind.ACCOUNT:
            actor = Actor(kind=ActorKind.SPEAKER, id=row.id)
    if not is_self:
        may = await _behalf(door)
    return await opened(door, row, actor=actor, is_self=is_self, may=may)


async def opened(
    door: Door, row: Speaker, *, actor: Actor, is_self: bool, may: invited.Reach | None = None
) -> Own:
    """A speaker's page for somebody of whom the caller knows who they are; NotFound for one out of a producer's reach."""
    at = datetime.now(UTC)
    rows = await speaker_queries.rows_of(door.event.id, at=at, only=[row.id])
    if not rows:
        raise NotFound(LineUpCode.SPEAKER_UNKNOWN)
    own = Own(
        door=door,
        row=rows[0],
        actor=actor,
        is_self=is_self,
        may=may,
        world=await speaker_queries.around(door.event.id),
        at=at,
    )
    if not is_self and not own.talks and not (may is not None and may.forum_ids is None):
        raise NotFound(LineUpCode.SPEAKER_UNKNOWN)
    return own


async def _behalf(door: Door) -> invited.Reach:
    if not door.actor.signed_in:
        raise SignInNeeded()
    try:
        return await invited.reach(door)
    except Forbidden:
        raise NotFound(LineUpCode.SPEAKER_UNKNOWN) from None


async def claimed(own: Own) -> Own:
    """Joins a speaker who was entered under the account's address to that account, on the first thing it does here."""
    if own.is_self and own.row.facts.account_id is None:
        await speakers.claim(speaker_id=own.id, actor=own.door.actor, at=own.at)
    return own


def may_see_contacts(own: Own) -> bool:
    """Addresses and numbers: the speaker's own, else by the right that every contact asks for."""
    return own.is_self or own.door.may(Permission.SEE_PERSONAL)


def back(own: Own, done: str, anchor: str = "") -> Response:
    """To the speaker's page after an action, with the line about it."""
    return private(render.see_other(render.with_query(own.base, done=done) + anchor))
