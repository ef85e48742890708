"""What everybody sees of an event: the list of events, an event's home, the registration form, its stylesheet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from events import access, letter, queries, registrations
from events.access import Door
from events.contacts import (
    ContactCode,
    Email,
    Phone,
    clean_line,
    clean_name,
    normalise_email,
    normalise_phone,
)
from events.queries import TicketTypeFacts
from events.rules import (
    CONTACT_LIMITS,
    Contact,
    EventCode,
    EventFacts,
    EventState,
    Permission,
    RegistrationSource,
    Window,
)
from kernel.errors import Code, Conflict, Invalid, Problem, Refusal
from kernel.text import DEFAULT_LOCALE
from web import colour, forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry, public

#: People register months ahead, and the cookie is what shows them their own passport.
HOLDER_LASTS: Final = timedelta(days=180)

#: Where somebody who has just registered goes, and the cookie (name, value) that opens it; no cookie when empty.
AfterRegistering = Callable[[int], Awaitable[tuple[str, str, str]]]


async def _to_confirmation(registration_id: int) -> tuple[str, str, str]:
    [row] = await queries.registration_facts([registration_id])
    event = await queries.find_event_by_id(row.event_id)
    assert event is not None
    return render.url("events.registered", slug=event.slug), "", ""


#: A slot for main: the passport's page belongs to an upper floor.
after_registering: AfterRegistering = _to_confirmation

#: A slot for main: links on the event's home to upper floors' public pages, as (title, icon, route name); the route
#: takes the parameter ``slug``.
LINKS: list[tuple[str, str, str]] = []


# --- the installation's front page -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventCard:
    """An event in the list, in the reader's language."""

    href: str
    name: str
    when: str
    city: str
    is_draft: bool
    is_sample: bool


@dataclass(frozen=True, kw_only=True)
class ListPage(Context):
    template: ClassVar[str] = "events/list.html"
    upcoming: Sequence[EventCard]
    past: Sequence[EventCard]
    #: Where an event is created; empty for those who may not.
    new_href: str


def _card(event: EventFacts) -> EventCard:
    locale = i18n.current_locale()
    return EventCard(
        href=render.url("events.home", slug=event.slug),
        name=event.name.in_(locale),
        when=letter.days(event, locale),
        city=event.city.in_(locale),
        is_draft=event.state is EventState.DRAFT,
        is_sample=event.is_sample,
    )


async def list_of_events(request: Request) -> Response:
    actor = await signin.actor_of(request)
    own = await access.own_event_ids(actor)
    found = await queries.events_for(today=datetime.now(UTC).date(), event_ids=own, is_admin=actor.is_admin)
    page = ListPage(
        upcoming=[_card(event) for event in found.upcoming],
        past=[_card(event) for event in found.past],
        new_href=render.url("events.new") if actor.is_admin else "",
    )
    return await render.page(request, page, private=actor.signed_in)


# --- an event ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket type on a public page, in the reader's language; ``left`` is None where nobody counts."""

    id: int
    name: str
    note: str
    left: str | None
    is_full: bool


def _ticket(item: TicketTypeFacts) -> Ticket:
    left = None
    if item.free is not None:
        left = (
            i18n.ngettext("%(num)s place left", "%(num)s places left", item.free) % {"num": item.free}
            if item.free
            else i18n.gettext("Full")
        )
    note = i18n.gettext("No entry at the venue") if item.is_online else ""
    return Ticket(item.id, item.name.in_(i18n.current_locale()), note, left, item.is_full)


def _registration(event: EventFacts, types: Sequence[TicketTypeFacts], at: datetime) -> tuple[bool, str]:
    """Whether one can register now, and what to say about it."""
    window = event.window(at)
    if window is Window.CLOSED:
        return False, i18n.gettext("Registration has closed.")
    if window is Window.NOT_YET:
        opens = event.registration_opens_at
        if opens is None or opens <= at:
            return False, i18n.gettext("Registration has not opened yet.")
        when = render.moment(opens, event.time_zone)
        return False, i18n.gettext("Registration opens at %(when)s.") % {"when": when}
    if types and all(item.is_full for item in types):
        return False, i18n.gettext("All places are taken.")
    closes = event.registration_closes_at
    if types and closes is not None:
        when = render.moment(closes, event.time_zone)
        return True, i18n.gettext("Registration is open until %(when)s.") % {"when": when}
    return bool(types), ""


@dataclass(frozen=True, kw_only=True)
class HomePage(Context):
    template: ClassVar[str] = "events/home.html"
    lead: str
    text: str
    when: str
    place: str
    #: Named only where the reader may be in another one.
    zone: str
    #: (kind, words) beside the name, or none
    state: tuple[str, str] | None
    ticket_types: Sequence[Ticket]
    can_register: bool
    registration: str
    #: (words, icon, href)
    links: Sequence[tuple[str, str, str]]


async def home(request: Request, door: Door) -> Response:
    event, locale = door.event, i18n.current_locale()
    types = await queries.ticket_types(event.id, public_only=True)
    can_register, said = _registration(event, types, datetime.now(UTC))
    states = {
        EventState.DRAFT: ("note", i18n.gettext("Draft")),
        EventState.ENDED: ("plain", i18n.gettext("Ended")),
    }
    page = HomePage(
        **access.frame(door, "events.home"),
        lead=event.tagline.in_(locale),
        text=event.text.in_(locale),
        when=letter.days(event, locale),
        place=letter.place(event, locale),
        zone=event.time_zone if locale != DEFAULT_LOCALE else "",
        state=states.get(event.state),
        ticket_types=[_ticket(item) for item in types],
        can_register=can_register,
        registration=said,
        links=[(i18n.gettext(title), icon, render.url(name, slug=event.slug)) for title, icon, name in LINKS],
    )
    return await render.page(request, page, private=door.actor.signed_in)


async def theme(request: Request, door: Door) -> Response:
    """The event's colours as a stylesheet; under its own stamp it may be kept for ever."""
    fresh = str(request.url.path) + f"?{request.url.query}" == access.theme_url(door.event)
    kept = "public, max-age=31536000, immutable" if fresh and not door.roles else "no-cache"
    return Response(
        colour.theme_css(door.event.theme_colour), media_type="text/css", headers={"cache-control": kept}
    )


# --- registering -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RegisterPage(FormContext):
    template: ClassVar[str] = "events/register.html"
    lead: str
    #: (value, words, help, disabled) for the radio buttons
    choices: Sequence[tuple[str, str, str, bool]]
    #: Why one can't register now; empty when one can.
    closed: str
    #: Also when it has just closed: what was typed is not taken away from anybody.
    shows_form: bool
    form_id: str
    #: Something about the whole form, beside the problems at its fields.
    trouble: Problem | None = None


async def _register_page(
    request: Request,
    door: Door,
    *,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    trouble: Problem | None = None,
    form_id: str = "",
    status: int = 200,
) -> Response:
    event, locale = door.event, i18n.current_locale()
    types = await queries.ticket_types(event.id, public_only=True)
    can_register, said = _registration(event, types, datetime.now(UTC))
    shown = dict(values or {})
    free = [item for item in types if not item.is_full]
    if len(free) == 1 and not shown.get("ticket_type"):
        shown["ticket_type"] = str(free[0].id)
    tickets = [_ticket(item) for item in types]
    page = RegisterPage(
        **access.frame(door, "events.home"),
        lead=" · ".join(part for part in (letter.days(event, locale), event.city.in_(locale)) if part),
        choices=[
            (str(one.id), one.name, " · ".join(part for part in (one.note, one.left) if part), one.is_full)
            for one in tickets
        ],
        closed=""
        if can_register
        else said or i18n.gettext("There are no tickets to register for on this page yet."),
        shows_form=can_register or values is not None,
        form_id=form_id or str(uuid4()),
        values=shown,
        problems=dict(problems or {}),
        trouble=trouble,
    )
    # Never kept: the form's UUID makes two sendings one, so two people must not be given the same.
    return await render.page(request, page, status)


async def register(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _register_page(request, door)
    data = await forms.form_data(request, max_files=0, max_fields=40)
    values = forms.typed(data)
    form_id = _form_id(data)
    contact, ticket_type_id, problems = _read(values)
    if problems:
        return await _register_page(
            request, door, values=values, problems=problems, form_id=str(form_id), status=Invalid.status
        )
    assert contact is not None
    try:
        number = await registrations.register(
            event_id=door.event.id,
            ticket_type_id=ticket_type_id,
            contact=contact,
            source=RegistrationSource.FORM,
            locale=i18n.current_locale(),
            at=datetime.now(UTC),
            actor=door.actor,
            request_id=form_id,
        )
    except Refusal as refusal:
        return await _refused(request, door, values, form_id, refusal)
    target, cookie, secret = await after_registering(number)
    response = render.see_other(target)
    response.headers["cache-control"] = "no-store"
    if cookie:
        signin.set_cookie(response, cookie, secret, lasts=HOLDER_LASTS)
    return response


async def _refused(
    request: Request, door: Door, values: Mapping[str, str], form_id: UUID, refusal: Refusal
) -> Response:
    """The form once more with everything that was typed, and the refusal where it belongs."""
    shown: dict[str, Any] = {"values": values, "form_id": str(form_id), "status": refusal.status}
    problem = Problem(refusal.code, refusal.params)
    if isinstance(refusal, Invalid):
        shown["problems"] = refusal.fields
    elif refusal.code in (EventCode.TICKET_TYPE_FULL, EventCode.TICKET_TYPE_UNKNOWN):
        shown["problems"] = {"ticket_type": problem}
        shown["status"] = 409
    elif isinstance(refusal, Conflict) and refusal.code == Code.REPLAY_MISMATCH:
        # Back, another name, sent again: a second person, or a mistake? A fresh UUID lets the sender decide.
        shown |= {"trouble": Problem(EventCode.FORM_ALREADY_SENT), "form_id": ""}
    else:
        shown["trouble"] = problem
    return await _register_page(request, door, **shown)


def _form_id(data: FormData) -> UUID:
    try:
        return UUID(str(data.get("form", "")))
    except ValueError:
        return uuid4()


def _read(values: Mapping[str, str]) -> tuple[Contact | None, int, dict[str, Problem]]:
    """The contact and ticket type out of what was typed, and every problem at once, each at its field."""
    problems: dict[str, Problem] = {}
    chosen = values.get("ticket_type", "").strip()
    number = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) <= 18 else 0
    if not number:
        problems["ticket_type"] = Problem(Code.NOT_A_CHOICE)
    name = clean_name(values.get("name", ""))
    if isinstance(name, Problem):
        problems["name"] = name
    email, phone = _email(values.get("email", "")), _phone(values.get("phone", ""))
    problems |= {
        field: one for field, one in (("email", email), ("phone", phone)) if isinstance(one, Problem)
    }
    if email is None and phone is None:
        problems["email"] = Problem(EventCode.CONTACT_MISSING)
    organisation = clean_line(values.get("organisation", ""))
    if len(organisation) > CONTACT_LIMITS["organisation"]:
        problems["organisation"] = Problem(Code.TOO_LONG, {"limit": CONTACT_LIMITS["organisation"]})
    # In the order of the fields on the page, which is the order that the summary names them in.
    ordered: dict[str, Problem] = {field: problems[field] for field in FIELDS if field in problems}
    if ordered or isinstance(name, Problem) or isinstance(email, Problem) or isinstance(phone, Problem):
        return None, number, ordered
    return (
        Contact(
            name=name,
            email=email.key if email else "",
            phone=phone.e164 if phone else "",
            phone_last4=phone.last_four if phone else "",
            organisation=organisation,
        ),
        number,
        {},
    )


FIELDS: Final = ("ticket_type", "name", "email", "phone", "organisation")


def _email(text: str) -> Email | Problem | None:
    return normalise_email(text) if text.strip() else None


def _phone(text: str) -> Phone | Problem | None:
    phone = normalise_phone(text) if text.strip() else None
    if isinstance(phone, Problem) and phone.code == ContactCode.PHONE_SCIENTIFIC:
        # Its words speak of spreadsheets; here somebody typed.
        return Problem(ContactCode.PHONE_INVALID)
    return phone


@dataclass(frozen=True, kw_only=True)
class RegisteredPage(Context):
    template: ClassVar[str] = "events/registered.html"
    when: str
    place: str


async def registered(request: Request, door: Door) -> Response:
    """Says that it is done, and nothing about whom: for an installation without passports."""
    locale = i18n.current_locale()
    page = RegisteredPage(
        **access.frame(door, "events.home"),
        when=letter.days(door.event, locale),
        place=letter.place(door.event, locale),
    )
    return await render.page(request, page)


ROUTES: list[Entry] = [
    public("/", list_of_events, "events.list"),
    access.route("/e/{slug}", home, "events.home", Permission.VIEW_PUBLIC),
    access.route("/e/{slug}/register", register, "events.register", Permission.VIEW_PUBLIC, ("GET", "POST")),
    access.route("/e/{slug}/registered", registered, "events.registered", Permission.VIEW_PUBLIC),
    access.route("/e/{slug}/theme.css", theme, "events.theme", Permission.VIEW_PUBLIC),
]
