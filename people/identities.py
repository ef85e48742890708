"""Ways in through a provider: leaving, coming back, and the account that an identity opens.

A provider only says who somebody is there. Whose account that is here, ``rules.join_decision`` decides: the one that
the identity was joined to, by an e-mail code or by a provider that this installation trusts. Parting an identity locks
nobody out, for the code by e-mail always works. docs/decisions/0012-ways-in.md.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from kernel import codes, db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import NotFound, Refusal
from people import accounts, journal, providers, rules, visits
from people.providers import Person
from people.rules import JoinAct, JoinFacts, PeopleCode
from people.visits import Visit
from web import render


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a return ended: ``token`` is the new sign-in's, empty when none was made."""

    act: JoinAct
    next_path: str
    token: str = ""


class NoArrival(Refusal):
    """A return that signs nobody in; ``next_path`` and ``adding`` say where its traveller came from."""

    def __init__(self, why: Refusal, visit: Visit) -> None:
        super().__init__(why.code, **why.params)
        self.next_path = visit.next_path
        self.adding = visit.account_id is not None


def return_address(provider: str) -> str:
    """Where a provider sends the browser back to; registered there, letter by letter."""
    return render.absolute(render.url("people.sign_in.return", provider=provider))


async def leave(*, provider: str, browser: str, next_path: str, account_id: int | None, at: datetime) -> str:
    """Begins a visit to a provider and gives the address to send the browser to.

    ``account_id`` when somebody who is signed in adds the provider to their account. Raises NotFound for an unknown
    provider, Refusal(provider_down or provider_wrong) when it can't be asked.
    """
    chosen = providers.named(provider)
    state, nonce, verifier = codes.new_secret(), codes.new_secret(), secrets.token_urlsafe(64)
    address = await providers.address_to_leave_for(
        chosen, state=state, nonce=nonce, verifier=verifier, return_to=return_address(provider)
    )
    await visits.begin(
        provider=provider,
        state=state,
        nonce=nonce,
        verifier=verifier,
        browser=browser,
        next_path=next_path,
        account_id=account_id,
        at=at,
    )
    return address


async def arrive(
    *,
    provider: str,
    state: str,
    code: str,
    error: str,
    issuer: str,
    browser: str,
    actor: Actor,
    user_agent: str,
    locale: str,
    previous: str,
    at: datetime,
) -> Arrival:
    """Ends a visit: uses up its state, asks the provider who came, and signs in, adds, or asks for an address.

    Raises NotFound for an unknown provider; Refusal(visit_over) when state and browser don't belong together, were
    used, or are more than ten minutes old; NoArrival(provider_denied, provider_down, provider_wrong, identity_taken,
    visit_over) when the visit was right and its end was not.
    """
    chosen = providers.named(provider)
    visit = await visits.claim(provider=provider, state=state, browser=browser, at=at) if state else None
    if visit is None:
        raise Refusal(PeopleCode.VISIT_OVER)
    try:
        if visit.account_id is not None and visit.account_id != actor.id:
            raise Refusal(PeopleCode.VISIT_OVER)  # signed out, or in as somebody else, meanwhile
        if error or not code:
            denied = error == "access_denied"
            why = PeopleCode.PROVIDER_DENIED if denied else PeopleCode.PROVIDER_WRONG
            raise Refusal(why, provider=chosen.label)
        person = await providers.who_came(
            chosen,
            code=code,
            nonce=visit.nonce,
            verifier=visit.verifier,
            return_to=return_address(provider),
            issuer=issuer,
        )
        return await _settle(
            provider, visit, person, user_agent=user_agent, locale=locale, previous=previous, at=at
        )
    except Refusal as no:
        raise NoArrival(no, visit) from None


async def _settle(
    provider: str,
    visit: Visit,
    person: Person,
    *,
    user_agent: str,
    locale: str,
    previous: str,
    at: datetime,
) -> Arrival:
    async def attempt() -> Arrival:
        async with unit_of_work():
            rows = await db.query(
                "SELECT account_id FROM identity WHERE provider = $1 AND subject = $2",
                provider,
                person.subject,
            )
            act = rules.join_decision(
                JoinFacts(
                    owner_id=int(rows[0]["account_id"]) if rows else None,
                    adding_id=visit.account_id,
                    email=person.email,
                    is_verified=person.is_verified,
                    is_trusted=providers.is_trusted(provider),
                )
            )
            if act is JoinAct.TAKEN:
                raise _taken(provider)
            if act is JoinAct.PROVE_EMAIL:
                await visits.keep(visit_id=visit.id, subject=person.subject, display=person.display)
                return Arrival(act, visit.next_path)
            if act is JoinAct.ADD:
                assert visit.account_id is not None
                account_id = visit.account_id
            elif act is JoinAct.SIGN_IN:
                account_id = int(rows[0]["account_id"])
            else:
                assert person.email is not None
                account_id = await accounts.create_account(
                    email=person.email, name="", is_admin=False, locale=locale, at=at
                )
            owner_id = await visits.attach(
                account_id=account_id,
                provider=provider,
                subject=person.subject,
                display=person.display,
                at=at,
            )
            if act is JoinAct.ADD:
                if owner_id != account_id:
                    raise _taken(provider)
                return Arrival(act, visit.next_path)
            token = await accounts.open_sign_in(
                account_id=owner_id, user_agent=user_agent, previous=previous, at=at
            )
            return Arrival(act, visit.next_path, token)

    return await db.retrying(attempt)


def _taken(provider: str) -> Refusal:
    return Refusal(PeopleCode.IDENTITY_TAKEN, provider=providers.label_of(provider))


async def part(*, actor: Actor, identity_id: int, at: datetime) -> str:
    """Parts an identity from one's own account and gives its provider; raises NotFound for anything else."""
    async with unit_of_work():
        rows = await db.query(
            "DELETE FROM identity WHERE id = $1 AND account_id = $2 RETURNING provider", identity_id, actor.id
        )
        if not rows:
            raise NotFound()
        provider = str(rows[0]["provider"])
        await journal.write(
            actor=actor,
            verb="identity.part",
            object_kind="identity",
            object_id=identity_id,
            at=at,
            old={"provider": provider},
        )
    return provider
