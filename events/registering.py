"""The public form: somebody registers for an event.

One page that asks little. Ticket types stand there as offers, an access code opens more of them, a full one its waiting
list. The organisers' questions follow the ticket type: a small module shows them at once, and where no script runs the
form comes back once with those that it had not asked yet. Whatever was typed or chosen survives every answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from events import access, letter, queries, questionnaire, registrations, tickets
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
from events.form_rules import FormCode
from events.identity import due_on
from events.queries import TicketTypeFacts
from events.questionnaire import Asked, Reading, Sheet
from events.rules import (
    CONTACT_LIMITS,
    Contact,
    EventCode,
    EventFacts,
    EventKind,
    Permission,
    RegistrationSource,
    RegistrationState,
    Window,
)
from events.ticket_rules import OfferState
from events.tickets import Offer
from kernel.errors import Code, Conflict, Invalid, Problem, Refusal
from web import forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry

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


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket type on a public page, in the reader's language; ``left`` is None where nobody counts."""

    id: int
    name: str
    note: str
    left: str | None
    is_full: bool


def ticket_line(item: TicketTypeFacts) -> Ticket:
    left = None
    if item.free is not None:
        left = (
            i18n.ngettext("%(num)s place left", "%(num)s places left", item.free) % {"num": item.free}
            if item.free
            else i18n.gettext("Full")
        )
    note = i18n.gettext("No entry at the venue") if item.is_online else ""
    return Ticket(item.id, item.name.in_(i18n.current_locale()), note, left, item.is_full)


def registration_open(event: EventFacts, types: Sequence[TicketTypeFacts], at: datetime) -> tuple[bool, str]:
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
    if types and all(item.is_full and not item.has_waitlist for item in types):
        return False, i18n.gettext("All places are taken.")
    closes = event.registration_closes_at
    if types and closes is not None:
        when = render.moment(closes, event.time_zone)
        return True, i18n.gettext("Registration is open until %(when)s.") % {"when": when}
    return bool(types), ""


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
    #: What the organisers ask beyond the contact.
    sheet: Sheet
    #: Ticket types whose waiting list the page offered: choosing one of them is joining it.
    waiting: str
    has_codes: bool
    #: Until when identity documents are kept, in words; only where they are asked for.
    documents_until: str
    group_href: str
    #: The organisers' notice about people's data, where they wrote one.
    privacy_href: str = ""
    #: The form comes back with more questions, and nothing is wrong with it.
    asks_more: bool = False
    #: Something about the whole form, beside the problems at its fields.
    trouble: Problem | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def offer_line(offer: Offer, event: EventFacts) -> tuple[str, str, str, bool]:
    """An offer as a radio button: value, words, what to know about it, whether it can't be chosen."""
    item, locale = offer.ticket_type, i18n.current_locale()
    line = ticket_line(item)
    said: list[str] = [line.note]
    match offer.state:
        case OfferState.OPEN:
            said.append(line.left or "")
        case OfferState.WAITLIST:
            said.append(i18n.gettext("Full – you can join the waiting list"))
        case OfferState.FULL:
            said.append(i18n.gettext("Full"))
        case OfferState.NEEDS_CODE:
            said.append(i18n.gettext("Only with an access code"))
        case OfferState.NOT_YET:
            opens = item.opens_at or event.registration_opens_at
            said.append(
                i18n.gettext("From %(when)s") % {"when": render.moment(opens, event.time_zone)}
                if opens
                else i18n.gettext("Not open yet")
            )
        case OfferState.CLOSED:
            said.append(i18n.gettext("No longer offered"))
    if item.needs_approval and offer.state in CHOOSABLE:
        said.append(i18n.gettext("The organisers look at each registration first"))
    hint = " · ".join(part for part in (item.description.in_(locale).strip(), *said) if part)
    return str(item.id), line.name, hint, offer.state not in CHOOSABLE


CHOOSABLE: Final = frozenset({OfferState.OPEN, OfferState.WAITLIST})


async def _register_page(
    request: Request,
    door: Door,
    *,
    what: Asked | None = None,
    values: Mapping[str, str] | None = None,
    reading: Reading | None = None,
    problems: Mapping[str, Problem] | None = None,
    trouble: Problem | None = None,
    form_id: str = "",
    asks_more: bool = False,
    status: int = 200,
) -> Response:
    event, locale = door.event, i18n.current_locale()
    what = what or await questionnaire.asked(event)
    shown = dict(values or {})
    at = datetime.now(UTC)
    offers = await tickets.offers(
        event,
        at=at,
        code=shown.get("access_code", ""),
        network=request.client.host if request.client else "",
    )
    can_register, said = registration_open(event, [offer.ticket_type for offer in offers], at)
    free = [offer for offer in offers if offer.state in CHOOSABLE]
    if len(free) == 1 and not shown.get("ticket_type"):
        shown["ticket_type"] = str(free[0].ticket_type.id)
    sheet = questionnaire.sheet(what, ticket_type_id=_number(shown.get("ticket_type", "")), reading=reading)
    page = RegisterPage(
        **access.frame(door, "events.home"),
        lead=" · ".join(part for part in (letter.days(event, locale), event.city.in_(locale)) if part),
        choices=[offer_line(offer, event) for offer in offers],
        closed=""
        if can_register
        else said or i18n.gettext("There are no tickets to register for on this page yet."),
        shows_form=can_register or values is not None,
        form_id=form_id or str(uuid4()),
        sheet=sheet,
        waiting=" ".join(str(offer.ticket_type.id) for offer in offers if offer.state is OfferState.WAITLIST),
        has_codes=await tickets.has_access_codes(event.id),
        documents_until=render.day(due_on(event)) if what.asks_identity else "",
        group_href=render.url("events.register_group", slug=event.slug)
        if event.kind is not EventKind.MEETUP
        else "",
        privacy_href=render.url("events.privacy", slug=event.slug)
        if any(event.privacy_notice.values())
        else "",
        values=shown,
        problems=dict(problems or {}),
        trouble=trouble,
        asks_more=asks_more,
        labels={
            "access_code": i18n.gettext("Access code"),
            "ticket_type": i18n.gettext("Ticket type"),
            "name": i18n.gettext("Name"),
            "email": i18n.gettext("E-mail"),
            "phone": i18n.gettext("Mobile phone"),
            "organisation": i18n.gettext("Organisation"),
            **sheet.labels,
        },
    )
    # Never kept: the form's UUID makes two sendings one, so two people must not be given the same.
    return await render.page(request, page, status)


async def register(request: Request, door: Door) -> Response:
    if request.method != "POST":
        code = request.query_params.get("code", "").strip()[:40]
        shown = {"access_code": code} if code else {}
        problems = await _code_problem(door, shown, datetime.now(UTC))
        return await _register_page(request, door, values=shown or None, problems=problems)
    what = await questionnaire.asked(door.event)
    data = await questionnaire.posted(request, what)
    values, form_id, at = forms.typed(data), forms.form_id(data), datetime.now(UTC)
    contact, ticket_type_id, problems = _read(values)
    reading = await questionnaire.read(
        what, data, ticket_type_id=ticket_type_id, actor_key=door.actor.key, at=at
    )
    again: dict[str, Any] = {"what": what, "values": values, "reading": reading, "form_id": str(form_id)}
    if "apply_code" in values:
        return await _register_page(request, door, **again, problems=await _code_problem(door, values, at))
    # What the form had not asked yet can't have been answered: it comes back with those questions.
    new = {one.name for one in what.of(ticket_type_id) if one.id not in reading.asked}
    problems |= {name: one for name, one in reading.problems.items() if name not in new}
    if problems or new:
        return await _register_page(
            request,
            door,
            **again,
            problems=problems,
            asks_more=bool(new),
            status=Invalid.status if problems else 200,
        )
    assert contact is not None
    try:
        number = await registrations.register(
            event_id=door.event.id,
            ticket_type_id=ticket_type_id,
            contact=contact,
            source=RegistrationSource.FORM,
            locale=i18n.current_locale(),
            at=at,
            actor=door.actor,
            request_id=form_id,
            access_code=values.get("access_code", "").strip(),
            extras=reading.extras,
            join_waitlist=str(ticket_type_id) in values.get("waiting", "").split(),
        )
    except Refusal as refusal:
        return await _refused(request, door, again, refusal)
    return await registered_response(door.event, number)


async def registered_response(event: EventFacts, registration_id: int) -> Response:
    """On to the passport, or to a page that says what is still to come; the browser is the holder's from now on."""
    [facts] = await queries.registration_facts([registration_id])
    target, cookie, secret = await after_registering(registration_id)
    if facts.state is not RegistrationState.CONFIRMED:
        target = render.with_query(
            render.url("events.registered", slug=event.slug), state=facts.state, own=registration_id
        )
    response = render.see_other(target)
    response.headers["cache-control"] = "no-store"
    if cookie:
        signin.set_cookie(response, cookie, secret, lasts=HOLDER_LASTS)
    return response


async def _code_problem(door: Door, values: Mapping[str, str], at: datetime) -> dict[str, Problem]:
    """What to say about a code that somebody asked to look at first."""
    problem = await tickets.look_at_code(event_id=door.event.id, code=values.get("access_code", ""), at=at)
    return {"access_code": problem} if problem else {}


async def _refused(request: Request, door: Door, again: Mapping[str, Any], refusal: Refusal) -> Response:
    """The form once more with everything that was typed, and the refusal where it belongs."""
    shown: dict[str, Any] = {**again, "status": refusal.status}
    problem = Problem(refusal.code, refusal.params)
    if isinstance(refusal, Invalid):
        shown["problems"] = refusal.fields
        gone = [name for name, one in refusal.fields.items() if one.code == FormCode.FILE_GONE]
        shown["reading"] = again["reading"].without_file(gone)
    elif refusal.code in AT_TICKET_TYPE:
        shown["problems"] = {"ticket_type": problem}
        shown["status"] = 409
    elif isinstance(refusal, Conflict) and refusal.code == Code.REPLAY_MISMATCH:
        # Back, another name, sent again: a second person, or a mistake? A fresh UUID lets the sender decide.
        shown |= {"trouble": Problem(EventCode.FORM_ALREADY_SENT), "form_id": ""}
    else:
        shown["trouble"] = problem
    return await _register_page(request, door, **shown)


AT_TICKET_TYPE: Final = frozenset(
    {
        EventCode.TICKET_TYPE_FULL,
        EventCode.TICKET_TYPE_UNKNOWN,
        EventCode.WAITLIST_ONLY,
        EventCode.ACCESS_CODE_NEEDED,
    }
)


def _number(text: str) -> int:
    plain = text.strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) <= 18 else 0


def _read(values: Mapping[str, str]) -> tuple[Contact | None, int, dict[str, Problem]]:
    """The contact and ticket type out of what was typed, and every problem at once, each at its field."""
    number = _number(values.get("ticket_type", ""))
    contact, problems = read_contact(values)
    if not number:
        problems = {"ticket_type": Problem(Code.NOT_A_CHOICE), **problems}
    return contact, number, problems


def read_contact(values: Mapping[str, str]) -> tuple[Contact | None, dict[str, Problem]]:
    """A contact out of what was typed, or every problem, in the order of the fields on the page."""
    problems: dict[str, Problem] = {}
    name = clean_name(values.get("name", ""))
    if isinstance(name, Problem):
        problems["name"] = name
    email, phone = _email(values.get("email", "")), _phone(values.get("phone", ""))
    problems |= {
        which: one for which, one in (("email", email), ("phone", phone)) if isinstance(one, Problem)
    }
    if email is None and phone is None:
        problems["email"] = Problem(EventCode.CONTACT_MISSING)
    organisation = clean_line(values.get("organisation", ""))
    if len(organisation) > CONTACT_LIMITS["organisation"]:
        problems["organisation"] = Problem(Code.TOO_LONG, {"limit": CONTACT_LIMITS["organisation"]})
    # In the order of the fields on the page, which is the order that the summary names them in.
    ordered: dict[str, Problem] = {one: problems[one] for one in FIELDS if one in problems}
    if ordered or isinstance(name, Problem) or isinstance(email, Problem) or isinstance(phone, Problem):
        return None, ordered
    return (
        Contact(
            name=name,
            email=email.key if email else "",
            phone=phone.e164 if phone else "",
            phone_last4=phone.last_four if phone else "",
            organisation=organisation,
        ),
        {},
    )


FIELDS: Final = ("name", "email", "phone", "organisation")


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
    #: "" where it is done
    state: str
    own_href: str
    offer_hours: int


async def registered(request: Request, door: Door) -> Response:
    """Says that it is done, or what is still to come, and nothing about whom."""
    event, locale = door.event, i18n.current_locale()
    state = request.query_params.get("state", "")
    own = _number(request.query_params.get("own", ""))
    own_href = ""
    if own and await queries.find_registration_facts(event.id, own) is not None:
        # Only an address: the page behind it asks for the holder's cookie.
        own_href, _, _ = await after_registering(own)
    page = RegisteredPage(
        **access.frame(door, "events.home"),
        when=letter.days(event, locale),
        place=letter.place(event, locale),
        state=state if state in (RegistrationState.PENDING, RegistrationState.WAITLISTED) else "",
        own_href=own_href,
        offer_hours=event.offer_hours,
    )
    return await render.page(request, page)


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/register",
        register,
        "events.register",
        Permission.VIEW_PUBLIC,
        ("GET", "POST"),
        body_max=questionnaire.BODY_MAX,
    ),
    access.route("/e/{slug}/registered", registered, "events.registered", Permission.VIEW_PUBLIC),
]
