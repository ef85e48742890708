"""Invitations: a role offered to an address, taken by whoever proves that the address is theirs.

The key in the letter's link is derived from the installation's key when the letter is sent (decision 0011). It says
which invitation is meant; what makes it work is the account's own address, so that a forwarded link opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from events import event, queries
from events.invitation_rules import (
    DAYS_USUAL,
    KEPT,
    LETTERS_MAX,
    Wanted,
    same_scopes,
    why_not,
)
from events.models import Invitation, RoleGrant
from events.queries import InvitationFacts
from events.rules import EventCode, EventFacts, Role
from kernel import codes, db
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem, TooMany
from kernel.text import LOCALES, N_
from people import jobs, journal, letters, rules
from people.letters import Composed
from people.rules import PeopleCode
from web import i18n, render

COMPOSER: Final = "invitation"


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the installation's key for the links, the composer of the letters, the chore that tidies up."""
    _Wiring.key = key
    letters.compose_with(COMPOSER, letter_parts)
    jobs.chore("events.invitations", 24 * 3600.0, drop_old)


# --- the link ----------------------------------------------------------------------------------------------------


def key_of(invitation_id: int) -> str:
    """The key in an invitation's link, ``<id>-<22 characters>``; derived, never stored."""
    return f"{invitation_id}-{codes.link_secret(_Wiring.key, 'invitation', invitation_id)}"


async def find_by_key(key: str) -> InvitationFacts | None:
    """The invitation that a link means, in whatever state, or None for a wrong key; compared in constant time."""
    number = codes.link_number(key)
    right = number is not None and codes.same_secret(key_of(number), key)
    return await queries.find_invitation(number) if number is not None and right else None


async def letter_parts(invitation_id: int, locale: str) -> Composed | None:
    """What the composer adds when the letter is sent: the link. None once there is nothing left to accept."""
    del locale  # the letter speaks both
    found = await queries.find_invitation(invitation_id)
    if found is None or found.accepted_at is not None or found.revoked_at is not None:
        return None
    link = render.absolute(render.with_query(render.url("events.invitation"), key=key_of(invitation_id)))
    return Composed(text_suffix=f"\n{link}\n")


# --- offered -----------------------------------------------------------------------------------------------------


async def invite(*, actor: Actor, event_id: int, email: str, wanted: Wanted, at: datetime) -> int:
    """Offers a role to an address for ``wanted.days`` and writes to it, in both languages; gives the invitation's id.

    Raises Invalid at ``email``, ``scope`` or ``days``; at ``email`` also ``role_held`` for an account that has the
    role already and ``invitation_open`` while the same offer waits: send that again instead.
    """
    problems = wanted.problems()
    address = rules.read_email(email)
    if address is None:
        problems["email"] = Problem(PeopleCode.EMAIL_INVALID)
    if problems or address is None:
        raise Invalid(problems)
    async with unit_of_work():
        # Two owners who invite the same person in the same moment: the second one is told.
        await db.one_at_a_time(f"events.invitations:{event_id}:{address}")
        facts = await queries.find_event_by_id(event_id)
        if facts is None:
            raise NotFound(EventCode.EVENT_UNKNOWN)
        if trouble := await _why_not_again(event_id, address, wanted, at):
            raise Invalid({"email": Problem(trouble)})
        row = await Invitation.create(
            event_id=event_id,
            role=wanted.role,
            scopes=[list(scope) for scope in wanted.scopes],
            email=address,
            actor_key=actor.key,
            letters=1,
            created_at=at,
            expires_at=at + timedelta(days=wanted.days),
        )
        await _write_letter(actor, facts, row, at)
        await _journal(actor, "invitation.add", row, at, new=_what(row))
    return int(row.id)


async def _why_not_again(event_id: int, address: str, wanted: Wanted, at: datetime) -> EventCode | None:
    held = await RoleGrant.filter(event_id=event_id, account__email=address, role=wanted.role)
    has = {(grant.scope_kind, grant.scope_id) for grant in held}
    if has >= set(wanted.scopes or [("", 0)]):
        return EventCode.ROLE_HELD
    for row in await Invitation.filter(
        event_id=event_id,
        email=address,
        role=wanted.role,
        accepted_at__isnull=True,
        revoked_at__isnull=True,
        expires_at__gt=at,
    ):
        if same_scopes(row.scopes, wanted.scopes):
            return EventCode.INVITATION_OPEN
    return None


async def send_again(
    *, actor: Actor, event_id: int, invitation_id: int, at: datetime, days: int = DAYS_USUAL
) -> None:
    """Writes once more and gives the reader ``days`` from now; also for one whose time had run out.

    Raises NotFound, Conflict with ``invitation_used`` or ``invitation_revoked``, TooMany after five letters.
    """
    async with unit_of_work():
        facts = await queries.find_event_by_id(event_id)
        rows = await db.query(
            "UPDATE invitation SET letters = letters + 1, expires_at = $3 WHERE id = $1 AND event_id = $2 "
            "AND accepted_at IS NULL AND revoked_at IS NULL AND letters < $4 RETURNING id",
            invitation_id,
            event_id,
            at + timedelta(days=days),
            LETTERS_MAX,
        )
        row = await Invitation.get_or_none(id=invitation_id, event_id=event_id)
        if row is None or facts is None:
            raise NotFound(EventCode.INVITATION_UNKNOWN)
        if not rows:
            if row.accepted_at is not None:
                raise Conflict(EventCode.INVITATION_USED)
            if row.revoked_at is not None:
                raise Conflict(EventCode.INVITATION_REVOKED)
            raise TooMany()
        await _write_letter(actor, facts, row, at)
        await _journal(actor, "invitation.send_again", row, at)


async def revoke(*, actor: Actor, event_id: int, invitation_id: int, at: datetime) -> None:
    """Withdraws an offer, at once. Once more changes nothing. Raises NotFound, Conflict when it has been taken."""
    async with unit_of_work():
        rows = await db.query(
            "UPDATE invitation SET revoked_at = $3 WHERE id = $1 AND event_id = $2 "
            "AND accepted_at IS NULL AND revoked_at IS NULL RETURNING id",
            invitation_id,
            event_id,
            at,
        )
        row = await Invitation.get_or_none(id=invitation_id, event_id=event_id)
        if row is None:
            raise NotFound(EventCode.INVITATION_UNKNOWN)
        if rows:
            await _journal(actor, "invitation.revoke", row, at, old=_what(row))
        elif row.accepted_at is not None:
            raise Conflict(EventCode.INVITATION_USED)


# --- taken -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """What an account has by an invitation; ``is_new`` is False where it had taken it before."""

    event_id: int
    role: Role
    is_new: bool


async def accept(*, actor: Actor, invitation_id: int, at: datetime) -> Taken:
    """Gives the invited account its role, at once and once, however often it is asked for.

    Raises NotFound, Forbidden ``invitation_for_other`` for an account with another address (a forwarded letter), and
    Conflict ``invitation_used``, ``invitation_revoked`` or ``invitation_expired``. Programs with an API token can't
    accept.
    """
    if actor.kind is not ActorKind.ACCOUNT or actor.token_id:
        raise Forbidden()

    async def attempt() -> Taken:
        async with unit_of_work():
            return await _take(actor, invitation_id, at)

    return await db.retrying(attempt)


async def _take(actor: Actor, invitation_id: int, at: datetime) -> Taken:
    taken = await db.query(
        "UPDATE invitation SET accepted_at = $3, accepted_account_id = $2 WHERE id = $1 AND accepted_at IS NULL "
        "AND revoked_at IS NULL AND expires_at > $3 "
        "AND email = (SELECT a.email FROM account a WHERE a.id = $2) RETURNING id",
        invitation_id,
        actor.id,
        at,
    )
    row = await Invitation.get_or_none(id=invitation_id)
    if row is None:
        raise NotFound(EventCode.INVITATION_UNKNOWN)
    role = Role(row.role)
    if not taken:
        own = await db.query("SELECT email FROM account WHERE id = $1", actor.id)
        no = why_not(
            queries.invitation_facts(row).state(at),
            invited=row.email,
            own=own[0]["email"] if own else "",
            accepted_by=row.accepted_account_id,
            account_id=actor.id,
        )
        if no is EventCode.INVITATION_FOR_OTHER:
            raise Forbidden(no)
        if no is not None:
            raise Conflict(no)
        return Taken(row.event_id, role, is_new=False)
    await _journal(actor, "invitation.accept", row, at, new=_what(row))
    for kind, number in row.scopes or [("", 0)]:
        try:
            await event.grant(
                actor=actor,
                event_id=row.event_id,
                account_id=actor.id,
                role=role,
                scope_kind=kind,
                scope_id=int(number),
                at=at,
            )
        except Conflict:
            # Given by hand meanwhile: they have what was offered.
            continue
    return Taken(row.event_id, role, is_new=True)


async def drop_old(at: datetime) -> None:
    """Forgets the addresses of invitations that ended a month ago; a chore of every server process."""
    async with unit_of_work():
        await db.execute(
            "DELETE FROM invitation WHERE expires_at < $1 OR accepted_at < $1 OR revoked_at < $1", at - KEPT
        )


# --- the letter --------------------------------------------------------------------------------------------------

_SUBJECT: Final = N_("You are invited to the team of %(event)s")
_TEXT: Final = N_("""Hello,

%(who)s invites you to work on %(event)s. Your role: %(role)s.

Open the link at the end of this letter, sign in with %(email)s, and accept. The invitation is for this address alone and ends on %(until)s. If it means nothing to you, do nothing.
""")
_SOMEBODY: Final = N_("An owner of the event")


async def _write_letter(actor: Actor, facts: EventFacts, row: Invitation, at: datetime) -> None:
    subjects, texts = [], []
    for locale in LOCALES:
        name = _line(facts.name.in_(locale))
        subjects.append(i18n.gettext_in(locale, _SUBJECT) % {"event": name})
        token = i18n.use_locale(locale)
        try:
            until = render.moment(row.expires_at, facts.time_zone)
        finally:
            i18n.reset_locale(token)
        texts.append(
            i18n.gettext_in(locale, _TEXT)
            % {
                "who": _line(actor.name) or i18n.gettext_in(locale, _SOMEBODY),
                "event": name,
                "role": render.words_for(row.role, locale=locale),
                "email": row.email,
                "until": until,
            }
        )
    await letters.queue(
        key=f"invitation:{row.id}:{row.letters}",
        to_email=row.email,
        locale=LOCALES[0],
        subject=" / ".join(subjects),
        text="\n----\n\n".join(texts),
        at=at,
        event_id=row.event_id,
        composer=COMPOSER,
        composer_id=row.id,
    )


def _line(value: str) -> str:
    # A name is one line here: a line break in a subject would be a header of its own.
    return " ".join(value.split())


def _what(row: Invitation) -> dict[str, object]:
    return {"role": row.role} | ({"scopes": row.scopes} if row.scopes else {})


async def _journal(
    actor: Actor,
    verb: str,
    row: Invitation,
    at: datetime,
    *,
    old: dict[str, object] | None = None,
    new: dict[str, object] | None = None,
) -> None:
    await journal.write(
        actor=actor,
        verb=verb,
        object_kind="invitation",
        object_id=row.id,
        event_id=row.event_id,
        old=old,
        new=new,
        at=at,
    )
