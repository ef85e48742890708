"""The holder's own pages, reached by secret link, by the cookie that it left, or by sign-in: ``/e/<alias>/me``.

How the registration stands, in plain words; the passport where there is one to show; and what one may do now. Nothing
here changes anything but the cookie that a secret link leaves: what holders do is in ``holder_acts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import uuid4

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import cards, passports
from checkin.passports import HOLDER_COOKIE, PassportView
from checkin.rules import CheckinCode, PassportStatus
from checkin.shown import PassportShown, private, shown_of
from events import letter, merging, self_service, transfers
from events.access import Door, header, route
from events.queries import (
    RegistrationFacts,
    find_registration,
    find_registration_facts,
    registration_facts,
    registrations_of,
)
from events.registrations import find_by_secret
from events.rules import EventFacts, Permission, RegistrationState
from events.self_service_rules import HolderAct, possible
from kernel.errors import NotFound, SignInNeeded
from kernel.text import N_
from web import render, signin
from web.colour import accent_fill, accent_ink
from web.forms import Form, form_data, read_form
from web.i18n import current_locale, gettext
from web.render import Context, url
from web.routing import Entry

#: A secret link is opened once and then forgotten in the mail; people register months ahead.
HOLDER_LASTS: Final = timedelta(days=180)

#: How a registration stands, as its holder reads it: tone, title, words. What is confirmed shows its passport instead.
_STANDS: Final[Mapping[RegistrationState, tuple[str, str, str]]] = {
    RegistrationState.PENDING: (
        "care",
        N_("Waits for approval"),
        N_("The organisers look at your registration and write to you. Until then nothing is decided."),
    ),
    RegistrationState.WAITLISTED: (
        "note",
        N_("On the waiting list"),
        N_("When a place becomes free for you, we write to you and keep it for some time."),
    ),
    RegistrationState.OFFERED: (
        "care",
        N_("A place is free for you"),
        N_("Please accept or decline it. Without an answer it goes to the next."),
    ),
    RegistrationState.DECLINED: (
        "stop",
        N_("Not accepted"),
        N_("The organisers had no place for you this time. If you have a question, please write to them."),
    ),
    RegistrationState.CANCELLED: (
        "stop",
        N_("Cancelled"),
        N_(
            "This registration is cancelled and its code opens no door. If you want to come after all, register again."
        ),
    ),
}

#: What has just been done, by the word in the address after the redirect.
DONE: Final[Mapping[str, str]] = {
    "changed": N_("Saved. Your badge and passport follow."),
    "accepted": N_("Accepted."),
    "declined": N_("Declined. The place goes to the next on the waiting list."),
    "cancelled": N_("Cancelled. Thank you for making room for somebody else."),
    "transfer": N_("The letter is on its way."),
    "withdrawn": N_("Withdrawn: the place stays yours."),
}


@dataclass(frozen=True, slots=True)
class Underway:
    """A transfer that waits for somebody."""

    name: str
    until: str
    #: Whether it waits for the holder's own yes.
    is_ours: bool
    href: str


@dataclass(frozen=True, kw_only=True)
class HolderPage(Context):
    template: ClassVar[str] = "checkin/holder.html"
    shown: PassportShown
    facts: EventFacts
    when: str
    place: str
    base: str
    #: Whether there is a passport to show: only a confirmed registration's opens a door.
    has_code: bool
    #: (tone, title, words) about a registration that is not confirmed
    stands: tuple[str, str, str] | None
    #: The number in the waiting list; 0 for somebody who does not wait.
    position: int
    #: Until when a kept place waits for an answer.
    offer_until: str
    may: frozenset[HolderAct]
    #: Until when one may change, cancel and hand on oneself; empty when nothing of it is possible.
    until: str
    underway: Underway | None
    form_id: str
    contact_email: str
    done: str = ""
    others: int = 0


@dataclass(frozen=True, kw_only=True)
class LinkPage(Context):
    """What a secret link opens: one button, because mail programs and link crawlers open links, too."""

    template: ClassVar[str] = "checkin/passport.html"
    key: str
    is_good: bool


@dataclass(frozen=True, kw_only=True)
class ChoosePage(Context):
    """Several passports in one browser, or none."""

    template: ClassVar[str] = "checkin/choose.html"
    passports: Sequence[tuple[PassportShown, str]]
    is_signed_in: bool
    email: str = ""


@dataclass(frozen=True, kw_only=True)
class PrintPage(Context):
    template: ClassVar[str] = "checkin/print.html"
    shown: PassportShown
    facts: EventFacts
    when: str
    place: str
    code: str
    back: str


def own_path(event: EventFacts, registration_id: int) -> str:
    return f"/e/{event.slug}/me/{registration_id}"


async def _held_ids(
    request: Request, event: EventFacts
) -> tuple[dict[int, RegistrationFacts], Mapping[int, int]]:
    """The registrations of this event whose holder is asking, and in which one a merged one lives on."""
    found: dict[int, RegistrationFacts] = {}
    for name, value in request.cookies.items():
        if name.startswith(HOLDER_COOKIE):
            registration = await find_by_secret(event.id, value)
            if registration:
                found[registration.id] = registration
    actor = await signin.actor_of(request)
    if actor.email:
        found |= {
            registration.id: registration for registration in await registrations_of(event.id, actor.email)
        }
    lives_in = await merging.survivors_of(list(found)) if found else {}
    more = await registration_facts([number for number in lives_in.values() if number not in found])
    found |= {registration.id: registration for registration in more}
    return {number: one for number, one in found.items() if number not in lives_in}, lives_in


async def held(request: Request, event: EventFacts) -> list[RegistrationFacts]:
    """The registrations of this event whose holder is asking: by secret link earlier, or by their e-mail's sign-in.

    For a merged one the one that it lives on in: both letters of one person lead to one passport.
    """
    found, _ = await _held_ids(request, event)
    return [found[number] for number in sorted(found)]


async def my_passport(request: Request, door: Door) -> Response:
    """The holder's page where there is one passport, a list where there are several, the way in where there is none."""
    if "key" in request.query_params:
        key = request.query_params["key"]
        good = await find_by_secret(door.event.id, key) is not None
        # The language switch brings the reader back to the link, not to a page that knows nobody.
        here = render.with_query(url("checkin.me", slug=door.event.slug), key=key) if good else ""
        page = LinkPage(event=header(door), key=key if good else "", is_good=good, stays_at=here)
        return private(await render.page(request, page, 200 if good else 404))
    own = await held(request, door.event)
    if len(own) == 1:
        return await _holder_page(request, door, own[0], others=0)
    actor = await signin.actor_of(request)
    views = await passports.by_registration([registration.id for registration in own])
    listed = [
        (await shown_of(views[registration.id]), own_path(door.event, registration.id))
        for registration in own
        if registration.id in views
    ]
    choose = ChoosePage(event=header(door), passports=listed, is_signed_in=actor.signed_in, email=actor.email)
    return private(await render.page(request, choose))


class LinkForm(Form):
    key: str = Field(max_length=100, min_length=1)


async def open_my_passport(request: Request, door: Door) -> Response:
    """The button behind a secret link: this browser is the holder's from now on."""
    form = read_form(await form_data(request), LinkForm)
    registration = await find_by_secret(door.event.id, form.key)
    if registration is None:
        page = LinkPage(event=header(door), key="", is_good=False)
        return private(await render.page(request, page, 404))
    response = render.see_other(own_path(door.event, registration.id))
    signin.set_cookie(response, passports.holder_cookie(registration.id), form.key, lasts=HOLDER_LASTS)
    return private(response)


async def mine(request: Request, door: Door, *, staff: Permission | None = None) -> RegistrationFacts:
    """The registration in the address, if its holder asks (or staff, where a permission is named); else one 404."""
    wanted = int(request.path_params["registration_id"])
    if staff is not None and door.may(staff):
        registration = await find_registration_facts(door.event.id, wanted)
        if registration:
            return registration
    found, lives_in = await _held_ids(request, door.event)
    own = found.get(lives_in.get(wanted, wanted))
    if own is None:
        if not door.actor.signed_in:
            raise SignInNeeded()
        raise NotFound()
    return own


async def one_passport(request: Request, door: Door) -> Response:
    registration = await mine(request, door)
    return await _holder_page(request, door, registration, others=len(await held(request, door.event)) - 1)


async def passport_of(registration: RegistrationFacts) -> PassportView:
    found = (await passports.by_registration([registration.id])).get(registration.id)
    if found is None:
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
    return found


async def _holder_page(
    request: Request, door: Door, registration: RegistrationFacts, *, others: int
) -> Response:
    locale, event, at = current_locale(), door.event, datetime.now(UTC)
    row = await find_registration(event.id, registration.id)
    assert row is not None
    facts = await self_service.facts_of(event, row, at)
    may = possible(facts)
    base = own_path(event, row.id)
    open_ = await transfers.open_of(row.id, at)
    shown = await shown_of(await passport_of(registration))
    stands = _STANDS.get(row.state)
    page = HolderPage(
        event=header(door),
        shown=shown,
        facts=event,
        when=letter.days(event, locale),
        place=letter.place(event, locale),
        base=base,
        has_code=row.state is RegistrationState.CONFIRMED and not shown.is_void,
        stands=(stands[0], gettext(stands[1]), gettext(stands[2])) if stands else None,
        position=await self_service.waiting_position(row),
        offer_until=render.moment(row.offer_until, event.time_zone) if row.offer_until else "",
        may=may,
        until=render.moment(facts.until, event.time_zone)
        if may & {HolderAct.CHANGE, HolderAct.CANCEL, HolderAct.TRANSFER}
        else "",
        underway=Underway(
            open_.to_name,
            render.moment(open_.expires_at, event.time_zone),
            open_.giver_confirmed_at is None,
            f"{base}/transfer",
        )
        if open_
        else None,
        form_id=str(uuid4()),
        contact_email=event.contact_email,
        done=gettext(DONE[done]) if (done := request.query_params.get("done", "")) in DONE else "",
        others=others,
    )
    return private(await render.page(request, page))


def _picture(data: bytes, kind: str, filename: str, *, as_file: bool) -> Response:
    response = Response(data, media_type=kind)
    how = "attachment" if as_file else "inline"
    response.headers["content-disposition"] = f'{how}; filename="{filename}"'
    return private(response)


async def _usable(request: Request, door: Door) -> PassportView:
    """A passport whose pictures may leave: a cancelled or revoked one has none."""
    registration = await mine(request, door, staff=Permission.SEE_REGISTRATIONS)
    passport = await passport_of(registration)
    if passport.status in (PassportStatus.CANCELLED, PassportStatus.REVOKED):
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
    return passport


async def code_png(request: Request, door: Door) -> Response:
    passport = await _usable(request, door)
    data = await cards.png(passports.address_of(passport.token))
    return _picture(
        data, "image/png", f"{door.event.slug}-passport.png", as_file="save" in request.query_params
    )


async def code_svg(request: Request, door: Door) -> Response:
    passport = await _usable(request, door)
    data = await cards.svg(passports.address_of(passport.token))
    return _picture(
        data, "image/svg+xml", f"{door.event.slug}-passport.svg", as_file="save" in request.query_params
    )


async def card_png(request: Request, door: Door) -> Response:
    passport = await _usable(request, door)
    shown = await shown_of(passport)
    locale = current_locale()
    accent = accent_fill(door.event.theme_colour)
    card = cards.Card(
        address=passports.address_of(passport.token),
        event=door.event.name.in_(locale),
        when=letter.days(door.event, locale),
        place=door.event.city.in_(locale),
        name=passport.badge_name,
        line=passport.badge_line,
        ticket_type=shown.ticket_type,
        short_code=passport.short_code,
        accent=accent,
        accent_ink=accent_ink(accent),
    )
    data = await cards.card_png(card)
    return _picture(data, "image/png", f"{door.event.slug}-card.png", as_file="save" in request.query_params)


async def calendar(request: Request, door: Door) -> Response:
    """The event as a calendar file; it is the same for everybody and says nothing of its reader."""
    address = render.absolute(f"/e/{door.event.slug}")
    data = letter.calendar(door.event, address=address, locale=current_locale(), at=datetime.now(UTC))
    return _picture(data, "text/calendar; charset=utf-8", f"{door.event.slug}.ics", as_file=True)


async def print_card(request: Request, door: Door) -> Response:
    passport = await _usable(request, door)
    locale = current_locale()
    is_staff = door.may(Permission.SEE_REGISTRATIONS)
    page = PrintPage(
        event=header(door),
        shown=await shown_of(passport),
        facts=door.event,
        when=letter.days(door.event, locale),
        place=letter.place(door.event, locale),
        code=f"{own_path(door.event, passport.registration_id)}/code.svg",
        back=url("checkin.staff_passport", slug=door.event.slug, registration_id=passport.registration_id)
        if is_staff
        else own_path(door.event, passport.registration_id),
    )
    return private(await render.page(request, page))


def _holder(path: str, handler: Any, name: str) -> Entry:
    return route(f"/e/{{slug}}/me/{{registration_id:int}}{path}", handler, name, Permission.VIEW_PUBLIC)


ROUTES: list[Entry] = [
    route("/e/{slug}/me", my_passport, "checkin.me", Permission.VIEW_PUBLIC),
    route("/e/{slug}/me", open_my_passport, "checkin.holder", Permission.VIEW_PUBLIC, methods=("POST",)),
    route("/e/{slug}/me/calendar.ics", calendar, "checkin.calendar", Permission.VIEW_PUBLIC),
    _holder("", one_passport, "checkin.my_passport"),
    _holder("/code.png", code_png, "checkin.code_png"),
    _holder("/code.svg", code_svg, "checkin.code_svg"),
    _holder("/card.png", card_png, "checkin.card_png"),
    _holder("/print", print_card, "checkin.print"),
]
