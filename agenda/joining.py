"""Co-speakers: an address is asked to speak along, by a letter with a link; an account with that address joins.

A draft writes to nobody: its invitations are parked until it is handed in. The key in the link is derived (decision
0011) from the invitation and its round; it says which one is meant, and the account's own address is what joins.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from agenda import cfp_queries, history, letter_templates, speaker_tickets, speakers
from agenda.cfp_queries import JoinFacts, ProposalFacts
from agenda.history import Line
from agenda.letter_rules import Occasion, Placeholder, filled, filled_line
from agenda.models import Proposal, ProposalSpeaker, SpeakerInvitation
from agenda.proposal_rules import IN_PLAY, JoinState, ProposalCode, ProposalState
from events import queries as events
from kernel import codes, db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem, TooMany
from kernel.text import N_, LocalizedText
from people import journal, letters, rules
from people.letters import Composed
from people.rules import PeopleCode
from web import i18n, render

COMPOSER: Final = "co_speaker"
LASTS: Final = timedelta(days=30)
LETTERS_MAX: Final = 5


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the installation's key for the links, and the composer of the letters."""
    _Wiring.key = key
    letters.compose_with(COMPOSER, letter_parts)


# --- the link ----------------------------------------------------------------------------------------------------


def key_of(join_id: int, turn: int) -> str:
    """The key in an invitation's link; derived, never stored, and another one each time somebody is asked again."""
    return f"{join_id}-{codes.link_secret(_Wiring.key, 'co-speaker', join_id, turn)}"


async def find_by_key(key: str) -> JoinFacts | None:
    """The invitation that a link means, in whatever state, or None for a wrong or an older key."""
    number = codes.link_number(key)
    found = await cfp_queries.find_join(number) if number is not None else None
    if found is None or not codes.same_secret(key_of(found.id, found.round), key):
        return None
    return found


async def letter_parts(join_id: int, locale: str) -> Composed | None:
    """What the composer adds when the letter is sent: the link. None once there is nothing left to answer."""
    del locale  # the letter speaks both
    found = await cfp_queries.find_join(join_id)
    if found is None or found.state is not JoinState.OPEN:
        return None
    proposal = await Proposal.get(id=found.proposal_id)
    event = await events.find_event_by_id(proposal.event_id)
    assert event is not None
    link = render.absolute(
        render.with_query(render.url("agenda.cfp.join", slug=event.slug), key=key_of(found.id, found.round))
    )
    return Composed(link=link, link_needed=True)


# --- asked -------------------------------------------------------------------------------------------------------


async def invite(
    *, actor: Actor, proposal: ProposalFacts, email: str, locale: str, at_most: int, at: datetime
) -> int:
    """Asks an address to speak along; the letter goes at once, or with the draft when it is handed in.

    Raises Invalid at ``email``: not an address, one's own, there already, asked already, one speaker too many.
    """
    address = rules.read_email(email)
    if address is None:
        raise Invalid({"email": Problem(PeopleCode.EMAIL_INVALID)})
    if actor.kind is ActorKind.ACCOUNT and address == actor.email:
        raise Invalid({"email": Problem(ProposalCode.JOIN_SELF)})
    if any(one.speaker.email == address for one in proposal.speakers):
        raise Invalid({"email": Problem(ProposalCode.SPEAKER_THERE)})
    async with unit_of_work():
        await db.one_at_a_time(f"agenda.proposal:{proposal.id}")
        row = await SpeakerInvitation.get_or_none(proposal_id=proposal.id, email=address)
        if row is not None and row.state in (JoinState.OPEN, JoinState.PARKED):
            raise Invalid({"email": Problem(ProposalCode.JOIN_OPEN)})
        joined = await ProposalSpeaker.filter(proposal_id=proposal.id).count()
        waiting = await SpeakerInvitation.filter(
            proposal_id=proposal.id, state__in=[JoinState.OPEN, JoinState.PARKED]
        ).count()
        if joined + waiting >= at_most:
            raise Invalid({"email": Problem(ProposalCode.TOO_MANY_SPEAKERS, {"limit": at_most})})
        state = JoinState.OPEN if proposal.state in IN_PLAY else JoinState.PARKED
        columns: dict[str, Any] = {
            "state": state,
            "locale": locale,
            "actor_key": actor.key,
            "created_at": at,
            "expires_at": at + LASTS,
            "ended_at": None,
            "speaker_id": None,
        }
        if row is None:
            row = await SpeakerInvitation.create(proposal_id=proposal.id, email=address, **columns)
        else:
            await SpeakerInvitation.filter(id=row.id).update(**columns, round=row.round + 1)
        if state is JoinState.OPEN:
            await _write_letter(actor, row.id, at)
        await _note(actor, proposal.id, at, None, address)
    return int(row.id)


async def send_parked(*, actor: Actor, proposal_id: int, at: datetime) -> None:
    """Writes to everybody who was named while it was a draft; inside the action that hands it in."""
    for row in await SpeakerInvitation.filter(proposal_id=proposal_id, state=JoinState.PARKED):
        await SpeakerInvitation.filter(id=row.id).update(state=JoinState.OPEN, expires_at=at + LASTS)
        await _write_letter(actor, row.id, at)


async def send_again(*, actor: Actor, proposal_id: int, join_id: int, at: datetime) -> None:
    """Writes once more, with a new link, and gives the reader another month.

    Raises NotFound, Conflict for one that is not open, TooMany after five letters.
    """
    async with unit_of_work():
        rows = await db.query(
            "UPDATE speaker_invitation SET round = round + 1, expires_at = $3 WHERE id = $1 AND proposal_id = $2 "
            "AND state = 'open' AND letters < $4 RETURNING id",
            join_id,
            proposal_id,
            at + LASTS,
            LETTERS_MAX,
        )
        if not rows:
            row = await _row(proposal_id, join_id)
            raise TooMany() if row.state == JoinState.OPEN else Conflict(ProposalCode.JOIN_USED)
        await _write_letter(actor, join_id, at)


async def retract(*, actor: Actor, proposal_id: int, join_id: int, at: datetime) -> None:
    """Takes an invitation back, at once. Once more changes nothing. Raises NotFound, Conflict once it was answered."""
    async with unit_of_work():
        rows = await db.query(
            "UPDATE speaker_invitation SET state = 'retracted', ended_at = $3 WHERE id = $1 AND proposal_id = $2 "
            "AND state IN ('open', 'parked') RETURNING email",
            join_id,
            proposal_id,
            at,
        )
        if rows:
            await _note(actor, proposal_id, at, rows[0]["email"], None)
            return
        row = await _row(proposal_id, join_id)
        if row.state != JoinState.RETRACTED:
            raise Conflict(ProposalCode.JOIN_USED)


async def _row(proposal_id: int, join_id: int) -> SpeakerInvitation:
    row = await SpeakerInvitation.get_or_none(id=join_id, proposal_id=proposal_id)
    if row is None:
        raise NotFound(ProposalCode.JOIN_UNKNOWN)
    return row


# --- answered ----------------------------------------------------------------------------------------------------


def why_not(found: JoinFacts, *, at: datetime, email: str) -> ProposalCode | None:
    """Why an invitation can't be answered by this account; None when it can, or when this one answered it before."""
    if found.email != email:
        return ProposalCode.JOIN_FOR_OTHER
    match found.state:
        case JoinState.RETRACTED | JoinState.PARKED:
            return ProposalCode.JOIN_RETRACTED
        case JoinState.DECLINED:
            return ProposalCode.JOIN_USED
        case JoinState.OPEN if found.expires_at <= at:
            return ProposalCode.JOIN_EXPIRED
        case _:
            return None


async def accept(*, actor: Actor, event_id: int, join_id: int, locale: str, at: datetime) -> int:
    """The invited account joins, at once and once, however often it presses; gives the proposal's id.

    Raises NotFound, Forbidden ``join_for_other`` for another account's address, Conflict with why not.
    """
    if actor.kind is not ActorKind.ACCOUNT or actor.token_id:
        raise Forbidden()

    async def attempt() -> int:
        async with unit_of_work():
            return await _join(actor, event_id, join_id, locale, at)

    return await db.retrying(attempt)


async def _join(actor: Actor, event_id: int, join_id: int, locale: str, at: datetime) -> int:
    taken = await db.query(
        "UPDATE speaker_invitation SET state = 'joined', ended_at = $2 WHERE id = $1 AND state = 'open' "
        "AND expires_at > $2 AND email = $3 AND proposal_id IN (SELECT p.id FROM proposal p WHERE p.event_id = $4) "
        "RETURNING proposal_id",
        join_id,
        at,
        actor.email,
        event_id,
    )
    found = await cfp_queries.find_join(join_id)
    if found is None:
        raise NotFound(ProposalCode.JOIN_UNKNOWN)
    if not taken:
        no = why_not(found, at=at, email=actor.email)
        if no is ProposalCode.JOIN_FOR_OTHER:
            raise Forbidden(no, email=rules.mask_email(found.email))
        if no is not None:
            raise Conflict(no)
        return found.proposal_id
    speaker_id = await speakers.of_account(event_id=event_id, actor=actor, locale=locale, at=at)
    await SpeakerInvitation.filter(id=join_id).update(speaker_id=speaker_id)
    if not await ProposalSpeaker.filter(proposal_id=found.proposal_id, speaker_id=speaker_id).exists():
        await ProposalSpeaker.create(
            proposal_id=found.proposal_id,
            speaker_id=speaker_id,
            position=await ProposalSpeaker.filter(proposal_id=found.proposal_id).count(),
            joined_at=at,
        )
    proposal = await Proposal.get(id=found.proposal_id)
    if proposal.state == ProposalState.CONFIRMED:
        await speaker_tickets.ensure(actor=actor, speaker_id=speaker_id, at=at)
    await history.write(
        actor=actor,
        proposal_id=found.proposal_id,
        verb="join",
        at=at,
        lines=[Line("speakers", None, speaker_id)],
    )
    await journal.write(
        actor=actor,
        verb="proposal.join",
        object_kind="proposal",
        object_id=found.proposal_id,
        event_id=event_id,
        at=at,
    )
    return found.proposal_id


async def decline(*, actor: Actor, join_id: int, at: datetime) -> None:
    """The invited account says no. Once more changes nothing. Raises as ``accept`` does."""
    async with unit_of_work():
        rows = await db.query(
            "UPDATE speaker_invitation SET state = 'declined', ended_at = $2 WHERE id = $1 AND state = 'open' "
            "AND email = $3 RETURNING proposal_id",
            join_id,
            at,
            actor.email,
        )
        if rows:
            await history.write(
                actor=actor,
                proposal_id=rows[0]["proposal_id"],
                verb="join_declined",
                at=at,
                lines=[Line("speakers")],
            )
            return
        found = await cfp_queries.find_join(join_id)
        if found is None:
            raise NotFound(ProposalCode.JOIN_UNKNOWN)
        if found.email != actor.email:
            raise Forbidden(ProposalCode.JOIN_FOR_OTHER, email=rules.mask_email(found.email))
        if found.state is not JoinState.DECLINED:
            raise Conflict(ProposalCode.JOIN_USED)


async def leave(*, actor: Actor, proposal: ProposalFacts, speaker_id: int, at: datetime) -> None:
    """Takes a speaker out of a proposal, by themselves or by whoever handed it in; one always stays.

    Raises NotFound, Conflict ``speaker_last``.
    """
    async with unit_of_work():
        await db.one_at_a_time(f"agenda.proposal:{proposal.id}")
        if await ProposalSpeaker.filter(proposal_id=proposal.id).count() < 2:
            raise Conflict(ProposalCode.SPEAKER_LAST)
        if not await ProposalSpeaker.filter(proposal_id=proposal.id, speaker_id=speaker_id).delete():
            raise NotFound()
        await history.write(
            actor=actor,
            proposal_id=proposal.id,
            verb="speakers",
            at=at,
            lines=[Line("speakers", speaker_id, None)],
        )


async def waiting_for(
    *, event_id: int, email: str, at: datetime
) -> Sequence[tuple[JoinFacts, LocalizedText]]:
    """What waits for an address in an event, with the proposals' titles."""
    rows = await SpeakerInvitation.filter(email=email, state=JoinState.OPEN, expires_at__gt=at).order_by("id")
    found = []
    for row in rows[:20]:
        proposal = await Proposal.get_or_none(id=row.proposal_id, event_id=event_id)
        if proposal is not None and proposal.state != ProposalState.DRAFT:
            found.append((cfp_queries.join_facts(row), LocalizedText.of(proposal.title)))
    return found


async def _note(actor: Actor, proposal_id: int, at: datetime, old: str | None, new: str | None) -> None:
    await history.write(
        actor=actor, proposal_id=proposal_id, verb="invite_speaker", at=at, lines=[Line("speakers", old, new)]
    )


# --- the letter --------------------------------------------------------------------------------------------------

_SOMEBODY: Final = N_("Another speaker")


async def _write_letter(actor: Actor, join_id: int, at: datetime) -> None:
    row = await SpeakerInvitation.get(id=join_id)
    proposal = await Proposal.get(id=row.proposal_id)
    event = await events.find_event_by_id(proposal.event_id)
    assert event is not None
    await SpeakerInvitation.filter(id=join_id).update(letters=row.letters + 1)
    words = (await letter_templates.find(event.id, Occasion.JOIN)).words
    # Nobody knows yet what somebody reads who has no account: the asker's language first, then the other.
    order = sorted(words.text, key=lambda locale: locale != row.locale)
    subjects, texts = [], []
    for locale in order:
        token = i18n.use_locale(locale)
        try:
            until = render.moment(row.expires_at, event.time_zone)
        finally:
            i18n.reset_locale(token)
        values = {
            Placeholder.WHO: " ".join(actor.name.split()) or i18n.gettext_in(locale, _SOMEBODY),
            Placeholder.TITLE: " ".join(LocalizedText.of(proposal.title).in_(locale).split()),
            Placeholder.EVENT: " ".join(event.name.in_(locale).split()),
            Placeholder.EMAIL: row.email,
            Placeholder.DEADLINE: until,
        }
        subjects.append(filled_line(words.subject.in_(locale), values)[: letters.SUBJECT_MAX])
        texts.append(filled(words.text[locale], values) + "\n")
    await letters.queue(
        key=f"co_speaker:{row.id}:{row.letters + 1}",
        to_email=row.email,
        locale=order[0],
        subject=subjects[0],
        text="\n\n----\n\n".join(texts),
        at=at,
        event_id=event.id,
        composer=COMPOSER,
        composer_id=row.id,
    )
