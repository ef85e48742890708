"""The page behind an invitation's link: which event, which role, for whom; and the button that takes it.

``/invitation?key=…`` shows; only a POST by the account with the invited address changes anything. The key is kept in a
cookie of this browser for the way through the sign-in, so that it stands in no ``next`` and no table; whoever signs in
elsewhere finds what waits for their address at ``/invitation`` without a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from events import access, invitations, queries
from events.desk.team import ROLE_HELP, scope_words, scopes_of
from events.invitation_rules import InvitationState, why_not
from events.queries import InvitationFacts
from events.rules import EventCode, Permission
from kernel.actor import SYSTEM, Actor
from kernel.errors import Refusal
from people.rules import mask_email
from web import forms, i18n, render, signin
from web.render import Context
from web.routing import Entry, public, signed_in

PAGE: Final = "events.invitation"
#: The invitation that this browser has opened; long enough for a code that comes by mail.
COOKIE: Final = "huiwu_invitation"
COOKIE_LASTS: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation in the reader's words."""

    event_name: str
    event_href: str
    when: str
    role: str
    role_help: str
    scope: str
    #: Masked: the page may be seen by anybody who got the letter.
    email: str
    until: str
    key: str


@dataclass(frozen=True, kw_only=True)
class InvitationPage(Context):
    template: ClassVar[str] = "events/invitation.html"
    offers: Sequence[Offer]
    #: "ask" (sign in first), "open", "mine" (taken by this account), "none", or a code that says why not.
    state: str
    #: What went wrong, in words.
    why: str = ""
    is_signed_in: bool = False
    own_email: str = ""
    sign_in_href: str = ""
    #: What the role opens: (title, address, icon).
    ways: Sequence[tuple[str, str, str]] = ()


class AcceptForm(forms.Form):
    key: str = Field(min_length=1, max_length=64)


def _now() -> datetime:
    return datetime.now(UTC)


async def _offer(found: InvitationFacts) -> Offer:
    facts = await queries.find_event_by_id(found.event_id)
    assert facts is not None, "an invitation's event is never deleted"
    # The reader has no role here yet, and the event may be a draft: the house itself looks up what the role covers.
    door = await access.open_event(SYSTEM, facts.slug, Permission.VIEW_PUBLIC)
    titles = {(kind, number): title for kind, number, title in await scopes_of(door)}
    return Offer(
        event_name=facts.name.in_(i18n.current_locale()),
        event_href=render.url("events.home", slug=facts.slug),
        when=render.day(facts.starts_on),
        role=render.words_for(found.role),
        role_help=i18n.gettext(ROLE_HELP[found.role]),
        scope=scope_words(found.scopes, titles),
        email=mask_email(found.email),
        until=render.moment(found.expires_at, facts.time_zone),
        key=invitations.key_of(found.id),
    )


async def _show(request: Request) -> Response:
    actor = await signin.actor_of(request)
    typed = request.query_params.get("key")
    key = typed if typed is not None else request.cookies.get(COOKIE, "")
    found = await invitations.find_by_key(key) if key else None
    if found is None and typed is None:
        # The cookie is gone (another browser, a day later): what waits for this address is its owner's to see.
        return await _waiting(request, actor)
    if found is None:
        return await _refused(request, actor, EventCode.INVITATION_UNKNOWN, 404)
    response = await _one(request, actor, found)
    if typed is not None:
        signin.set_cookie(response, COOKIE, key, lasts=COOKIE_LASTS)
    return response


async def _waiting(request: Request, actor: Actor) -> Response:
    waiting = await queries.invitations_for(actor.email, at=_now())
    context = InvitationPage(
        offers=[await _offer(found) for found in waiting],
        state="open" if waiting else "none",
        is_signed_in=actor.signed_in,
        own_email=actor.email,
        sign_in_href=_sign_in_href(),
    )
    return await render.page(request, context)


async def _one(request: Request, actor: Actor, found: InvitationFacts) -> Response:
    state = found.state(_now())
    no = why_not(
        state,
        invited=found.email,
        # Who has not signed in may yet turn out to be the right one.
        own=actor.email if actor.signed_in else found.email,
        accepted_by=found.accepted_account_id,
        account_id=actor.id,
    )
    if no is not None:
        return await _refused(request, actor, no, 403 if no is EventCode.INVITATION_FOR_OTHER else 410, found)
    is_mine = state is InvitationState.ACCEPTED
    context = InvitationPage(
        offers=[await _offer(found)],
        state="mine" if is_mine else "open" if actor.signed_in else "ask",
        is_signed_in=actor.signed_in,
        own_email=actor.email,
        sign_in_href=_sign_in_href(),
        ways=await _ways(actor, found) if is_mine else (),
    )
    return await render.page(request, context)


async def _refused(
    request: Request, actor: Actor, code: str, status: int, found: InvitationFacts | None = None
) -> Response:
    context = InvitationPage(
        # Somebody else's invitation says only whom it was sent to.
        offers=[await _offer(found)] if found is not None and code == EventCode.INVITATION_FOR_OTHER else (),
        state=str(code),
        why=render.words_for(code),
        is_signed_in=actor.signed_in,
        own_email=actor.email,
        sign_in_href=_sign_in_href(),
    )
    return await render.page(request, context, status)


async def _ways(actor: Actor, found: InvitationFacts) -> Sequence[tuple[str, str, str]]:
    facts = await queries.find_event_by_id(found.event_id)
    assert facts is not None
    try:
        door = await access.open_event(actor, facts.slug, Permission.VIEW_DESK)
    except Refusal:
        return ()  # the role was taken away again
    return [(entry.title, entry.href, entry.icon) for group in access.nav(door) for entry in group.entries]


def _sign_in_href() -> str:
    return render.with_query(render.url("people.sign_in"), next=render.url(PAGE))


async def _accept(request: Request) -> Response:
    form = forms.read_form(await forms.form_data(request), AcceptForm)
    actor = await signin.actor_of(request)
    found = await invitations.find_by_key(form.key)
    if found is None:
        return await _refused(request, actor, EventCode.INVITATION_UNKNOWN, 404)
    try:
        await invitations.accept(actor=actor, invitation_id=found.id, at=_now())
    except Refusal as refusal:
        if refusal.code not in tuple(EventCode):
            raise
        return await _refused(request, actor, refusal.code, refusal.status, found)
    response = render.see_other(render.url(PAGE))
    # So that the next page says what the role opens, also where the button was pressed without the cookie.
    signin.set_cookie(response, COOKIE, form.key, lasts=COOKIE_LASTS)
    return response


ROUTES: list[Entry] = [
    public("/invitation", _show, PAGE),
    signed_in("/invitation", _accept, "events.invitation.accept", ("POST",)),
]
