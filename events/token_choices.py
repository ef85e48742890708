"""What a token for programs may be cut down to, in people's words; main hands it to the account pages, which know no event."""

from __future__ import annotations

from events import queries
from events.rules import Permission, permissions_of
from kernel.actor import Actor
from kernel.text import N_
from people.account_pages import TokenChoices
from web import i18n

#: Every permission but the public one, which nobody has to be given.
WORDS: dict[Permission, str] = {
    Permission.VIEW_DESK: N_("See the organiser's pages and lists without personal data"),
    Permission.SCAN: N_("Scan passports"),
    Permission.OVERRIDE: N_("Let people in against a refusal and take scans back"),
    Permission.WALK_IN: N_("Register people at the door"),
    Permission.PAIR_DEVICES: N_("Pair phones for scanning and revoke them"),
    Permission.VIEW_BOARD: N_("See live counts"),
    Permission.SEE_STATISTICS: N_("See statistics"),
    Permission.SEE_REGISTRATIONS: N_("See registrations: names, ticket types and states"),
    Permission.SEE_PERSONAL: N_("See e-mail addresses, phone numbers and personal answers"),
    Permission.CHANGE_REGISTRATIONS: N_("Change registrations"),
    Permission.SEE_IDENTITY: N_("See identity documents"),
    Permission.CHANGE_PARTNERS: N_("Change partner links"),
    Permission.CHANGE_PROGRAMME: N_("Change the programme"),
    Permission.SUBMIT: N_("Hand in and change one's own proposals"),
    Permission.REVIEW: N_("Review proposals"),
    Permission.SEE_PROPOSALS: N_("See proposals and who speaks in them"),
    Permission.CHANGE_PROPOSALS: N_("Enter and change proposals on a speaker's behalf"),
    Permission.DECIDE: N_("Decide about proposals and tell their speakers"),
    Permission.CHANGE_CALL: N_("Change the call for proposals and the rules of its review"),
    Permission.CHANGE_EVENT: N_("Change the event and its settings"),
    Permission.SEE_OUTBOX: N_("See the outbox"),
    Permission.SEE_JOURNAL: N_("See the journal"),
    Permission.GRANT_ROLES: N_("Give and take roles"),
    Permission.OWN: N_("What only the owner may do"),
}


async def choices(actor: Actor) -> TokenChoices:
    """The permissions that an account has anywhere, and the events in which it has a role; two statements at most.

    Somebody who runs the installation has every permission in every event.
    """
    grants = await queries.grants_of(actor.id)
    held = frozenset(Permission) if actor.is_admin else permissions_of(grant.role for grant in grants)
    own = {grant.event_id for grant in grants}
    events = await queries.list_events() if own or actor.is_admin else ()
    locale = i18n.current_locale()
    return TokenChoices(
        scopes=[(str(one), i18n.gettext(words)) for one, words in WORDS.items() if one in held],
        events=[(event.id, event.name.in_(locale)) for event in events if actor.is_admin or event.id in own],
    )
