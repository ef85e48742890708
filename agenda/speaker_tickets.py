"""A confirmed speaker's registration: issued, or the one that there is made a speaker's.

Promises: a speaker has one, however many of their talks are confirmed at once; a full ticket type keeps nobody from
confirming, organisers read of it in the journal; what was issued stays when a talk falls away, and they read of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from agenda.line_up_rules import KEEPS, Candidate, own_registration
from agenda.models import Call, ProposalSpeaker, Speaker
from agenda.proposal_rules import ProposalState
from events import merging, queries, registrations
from events.letter import Notice
from events.queries import TicketTypeFacts
from events.rules import (
    CONTACT_LIMITS,
    Contact,
    EventCode,
    RegistrationSource,
    RegistrationState,
    TicketRole,
)
from events.ticket_rules import Verb as TicketVerb
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Refusal
from kernel.text import LocalizedText
from people import journal
from people import queries as people

if TYPE_CHECKING:
    from agenda.proposals import Moved

#: How somebody who waits for a place gets one because they speak.
_TO_CONFIRMED: Final[Mapping[RegistrationState, TicketVerb]] = {
    RegistrationState.PENDING: TicketVerb.APPROVE,
    RegistrationState.WAITLISTED: TicketVerb.MOVE_UP,
    RegistrationState.OFFERED: TicketVerb.ACCEPT,
}

#: The journal's words for what became of a registration.
_VERBS: Final[Mapping[str, str]] = {
    "issued": "speaker.ticket_issued",
    "upgraded": "speaker.ticket_upgraded",
}


async def speaker_type(event_id: int) -> TicketTypeFacts | None:
    """What a confirmed speaker comes as: the type that the call names, else the first one for speakers."""
    types = await queries.ticket_types(event_id)
    call = await Call.get_or_none(event_id=event_id)
    if call is not None and call.speaker_ticket_type_id is not None:
        return next((one for one in types if one.id == call.speaker_ticket_type_id), None)
    return next((one for one in types if one.role is TicketRole.SPEAKER), None)


async def follow_move(news: Moved) -> None:
    """Connected to ``proposals.moved``; inside the transaction of the move."""
    if news.new is ProposalState.CONFIRMED:
        links = await ProposalSpeaker.filter(proposal_id=news.proposal_id).order_by("speaker_id")
        for link in links:
            await ensure(actor=news.actor, speaker_id=link.speaker_id, at=news.at)
    elif news.old is ProposalState.CONFIRMED:
        await _talk_gone(news)


async def ensure(*, actor: Actor, speaker_id: int, at: datetime) -> int | None:
    """Gives a speaker their registration, once; None where nothing can be given. Inside the caller's unit of work.

    One under the account's or the speaker's own address is made a speaker's, unless it opens more doors than that
    (staff, volunteers); who waited for a place gets one. Without any, a new one is issued. A speaker without an address
    gets none, and neither does anybody where the event has no ticket type for speakers.
    """
    async with unit_of_work():
        # Two talks of one speaker, confirmed in one moment, wait here for each other.
        await db.one_at_a_time(f"agenda.speaker:{speaker_id}")
        speaker = await Speaker.get_or_none(id=speaker_id, erased_at__isnull=True)
        wanted = await speaker_type(speaker.event_id) if speaker is not None else None
        if speaker is None or wanted is None:
            return None
        try:
            # Under a savepoint: a ticket type that is full takes back this and not the move.
            async with unit_of_work():
                number, how = await _issue(actor, speaker, wanted, at)
        except Refusal as refusal:
            await _note(actor, speaker, "speaker.no_ticket", at, {"code": str(refusal.code)})
            return None
        if number is None:
            return None
        if speaker.registration_id != number:
            await Speaker.filter(id=speaker.id).update(registration_id=number, updated_at=at)
        if how:
            await _note(actor, speaker, _VERBS[how], at, {"registration_id": number})
        return number


async def _issue(
    actor: Actor, speaker: Speaker, wanted: TicketTypeFacts, at: datetime
) -> tuple[int | None, str]:
    own = await _own(speaker)
    if own is None:
        if not speaker.email:
            return None, ""
        number = await registrations.register(
            event_id=speaker.event_id,
            ticket_type_id=wanted.id,
            contact=_contact(speaker, await _account_name(speaker)),
            source=RegistrationSource.ORGANISER,
            locale=speaker.locale,
            at=at,
            actor=actor,
        )
        return number, "issued"
    how = ""
    if own.role not in KEEPS:
        await registrations.change_ticket_type(
            actor=actor,
            event_id=speaker.event_id,
            registration_id=own.id,
            ticket_type_id=wanted.id,
            at=at,
        )
        how = "upgraded"
    if own.state is not RegistrationState.CONFIRMED:
        await registrations.turn_one(
            actor=actor,
            event_id=speaker.event_id,
            registration_id=own.id,
            verb=_TO_CONFIRMED[own.state],
            turn=registrations.Turn(RegistrationState.CONFIRMED),
            refusal=EventCode.NOT_WAITING,
            notice=Notice.REGISTERED,
            at=at,
        )
        how = "upgraded"
    return own.id, how


async def _own(speaker: Speaker) -> Candidate | None:
    roles = {one.id: one.role for one in await queries.ticket_types(speaker.event_id)}
    addresses = {speaker.email or ""}
    if speaker.account_id is not None:
        known = await people.accounts({speaker.account_id})
        addresses |= {one.email for one in known.values()}
    found = {
        one.id: one
        for address in sorted(addresses - {""})
        for one in await queries.registrations_of(speaker.event_id, address)
    }
    if speaker.registration_id is not None:
        found |= {one.id: one for one in await queries.registration_facts([speaker.registration_id])}
    merged = await merging.survivors_of(list(found)) if found else {}
    found |= {one.id: one for one in await queries.registration_facts(sorted(set(merged.values())))}
    candidates = [
        Candidate(one.id, one.name, one.state, roles[one.ticket_type_id])
        for one in found.values()
        if one.id not in merged
    ]
    linked = merged.get(speaker.registration_id or 0, speaker.registration_id)
    return own_registration([one for one in candidates if one.id == linked], ()) or own_registration(
        candidates, LocalizedText.of(speaker.name).values()
    )


async def _account_name(speaker: Speaker) -> str:
    if speaker.account_id is None:
        return ""
    known = await people.accounts({speaker.account_id})
    return next((one.name for one in known.values()), "")


def _contact(speaker: Speaker, account_name: str) -> Contact:
    name, organisation, position = (
        LocalizedText.of(text).in_(speaker.locale)
        for text in (speaker.name, speaker.organisation, speaker.title)
    )
    email = speaker.email or ""
    return Contact(
        # A badge needs a name: whoever has said none is called by their address until they do.
        name=(name or account_name or email.partition("@")[0])[: CONTACT_LIMITS["name"]],
        english_name=LocalizedText.of(speaker.name).get("en", "")[: CONTACT_LIMITS["english_name"]],
        email=email,
        phone=speaker.phone,
        organisation=organisation[: CONTACT_LIMITS["organisation"]],
        position=position[: CONTACT_LIMITS["position"]],
    )


async def _talk_gone(news: Moved) -> None:
    """Says in the journal whose registration is a speaker's without a talk: whether they still come is theirs to say."""
    rows = await db.query(
        "SELECT s.id FROM proposal_speaker l JOIN speaker s ON s.id = l.speaker_id WHERE l.proposal_id = $1 "
        "AND s.registration_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM proposal_speaker o JOIN proposal p "
        "ON p.id = o.proposal_id WHERE o.speaker_id = s.id AND p.state = 'confirmed') ORDER BY s.id",
        news.proposal_id,
    )
    speakers: Sequence[Speaker] = (
        await Speaker.filter(id__in=[int(row["id"]) for row in rows]).order_by("id") if rows else []
    )
    for one in speakers:
        await _note(news.actor, one, "speaker.ticket_kept", news.at, {"registration_id": one.registration_id})


async def _note(actor: Actor, speaker: Speaker, verb: str, at: datetime, new: Mapping[str, Any]) -> None:
    await journal.write(
        actor=actor,
        verb=verb,
        object_kind="speaker",
        object_id=speaker.id,
        event_id=speaker.event_id,
        at=at,
        new=new,
    )
