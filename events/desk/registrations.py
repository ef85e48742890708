"""The list of registrations, one registration with its history, and the form that adds or changes one by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from events import access, masking, queries, registrations, waitlist
from events.access import Door
from events.contacts import clean_line, clean_name, normalise_email, normalise_phone
from events.desk import answers as desk_answers
from events.desk import journal, shared
from events.desk.shared import DeskPage
from events.queries import Filter, RegistrationRow, Sort
from events.rules import Contact, EventCode, Permission, RegistrationSource, RegistrationState
from events.ticket_rules import MOVES, Verb
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound, Problem
from kernel.text import DEFAULT_LOCALE, LOCALES, N_
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.registrations"

#: Links of upper floors on a registration's page (its passport, a new code): ``(door, registration_id)`` gives
#: ``(title, href, icon)`` in the reader's language, or None. Main fills it.
REGISTRATION_LINKS: Final[list[Callable[[Door, int], tuple[str, str, str] | None]]] = []


# --- the list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    href: str
    name: str
    organisation: str
    ticket_type: str
    contact: str
    state: str
    state_kind: str
    registered: str


#: As ``ui.chips`` takes them: words, address, count, whether it is the one chosen.
Chip: TypeAlias = tuple[str, str, int | None, bool]


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/registrations.html"
    lines: Sequence[Line]
    total: int
    whole: int
    first: int
    last: int
    previous_href: str | None
    next_href: str | None
    text: str
    keep: Mapping[str, str]
    states: Sequence[Chip]
    types: Sequence[Chip]
    orders: Sequence[Chip]
    clear_href: str
    may_change: bool
    export_href: str
    #: Shows whole contacts, or hides them again; empty for who may not see them.
    contacts_href: str
    shows_contacts: bool


def read_filter(params: Mapping[str, str]) -> Filter:
    """The filter in an address; what it does not know is left out."""
    return Filter(
        text=params.get("q", "").strip()[:100],
        state=shared.word_of(RegistrationState, params.get("state")),
        ticket_type_id=shared.whole_id(params.get("type")),
    )


def filter_params(wanted: Filter, **more: Any) -> dict[str, Any]:
    """The filter as an address says it; ``more`` overrides."""
    return {"q": wanted.text, "state": wanted.state, "type": wanted.ticket_type_id} | more


async def _list(request: Request, door: Door) -> Response:
    event_id, slug = door.event.id, door.event.slug
    params = request.query_params
    wanted = read_filter(params)
    sort = shared.word_of(Sort, params.get("sort")) or Sort.NEWEST
    found = await queries.registrations_page(
        event_id, wanted, sort=sort, page=shared.whole_page(params.get("page"))
    )
    types = await queries.ticket_types(event_id)
    locale = i18n.current_locale()
    names = {item.id: item.name.in_(locale) for item in types}
    here = render.url(LIST, slug=slug)
    order = None if sort is Sort.NEWEST else sort
    may_see = door.may(Permission.SEE_PERSONAL)
    shows = may_see and params.get("contacts") == "1"
    if shows and found.rows:
        await masking.write_look(door, count=len(found.rows), at=shared.now())
    seen = {"contacts": "1"} if shows else {}

    def href(**more: Any) -> str:
        return render.with_query(here, **filter_params(wanted, **({"sort": order} | more)))

    counts = found.counts
    first = (found.page - 1) * queries.PAGE_SIZE + 1 if found.rows else 0
    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            lines=[_line(row, names, slug, door.event.time_zone, shows=shows) for row in found.rows],
            contacts_href=""
            if not may_see
            else href(page=found.page)
            if shows
            else href(page=found.page, contacts="1"),
            shows_contacts=shows,
            total=found.total,
            whole=counts.total,
            first=first,
            last=first + len(found.rows) - 1 if found.rows else 0,
            previous_href=href(page=found.page - 1, **seen) if found.page > 1 else None,
            next_href=href(page=found.page + 1, **seen) if found.page < found.pages else None,
            text=wanted.text,
            keep={
                name: str(value)
                for name, value in filter_params(wanted, q=None, sort=order).items()
                if value not in (None, "")
            },
            states=[
                (i18n.gettext(N_("All")), href(state=None), counts.total, wanted.state is None),
                *(
                    (
                        render.words_for(state),
                        href(state=state),
                        counts.by_state.get(state, 0),
                        wanted.state is state,
                    )
                    for state in RegistrationState
                    if counts.by_state.get(state) or wanted.state is state
                ),
            ],
            types=[
                (i18n.gettext(N_("All ticket types")), href(type=None), None, wanted.ticket_type_id is None),
                *(
                    (
                        names[item.id],
                        href(type=item.id),
                        counts.by_ticket_type.get(item.id, 0),
                        wanted.ticket_type_id == item.id,
                    )
                    for item in types
                ),
            ]
            if len(types) > 1
            else [],
            orders=[
                (i18n.gettext(words), href(sort=None if one is Sort.NEWEST else one), None, sort is one)
                for one, words in ((Sort.NEWEST, N_("Newest first")), (Sort.NAME, N_("By name")))
            ],
            clear_href=here,
            may_change=door.may(Permission.CHANGE_REGISTRATIONS),
            export_href=render.with_query(
                render.url("events.desk.export", slug=slug), **filter_params(wanted)
            ),
        ),
    )


def _line(row: RegistrationRow, names: Mapping[int, str], slug: str, zone: str, *, shows: bool) -> Line:
    contact = row.contact if shows else masking.masked(row.contact)
    return Line(
        href=render.url("events.desk.registration", slug=slug, registration_id=row.id),
        name=row.contact.name,
        organisation=row.contact.organisation,
        ticket_type=names.get(row.ticket_type_id, ""),
        contact=contact.email or contact.phone,
        state=render.words_for(row.state),
        state_kind=shared.STATE_KINDS[row.state],
        registered=render.moment(row.created_at, zone),
    )


# --- one registration --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class OnePage(DeskPage):
    template: ClassVar[str] = "events/desk/registration.html"
    id: int
    name: str
    contact: Contact
    state: str
    state_kind: str
    is_cancelled: bool
    ticket_type: str
    source: str
    locale: str
    external_id: str
    external_code: str
    registered: str
    links: Sequence[tuple[str, str, str]]
    history: Sequence[tuple[str, str, str]]
    list_href: str
    may_change: bool
    #: How it stands on the waiting list, and when it was decided: (words, value)
    more: Sequence[tuple[str, str]]
    #: Where somebody decides about it, for one that waits for that.
    approvals_href: str
    extras: desk_answers.Section


async def _get(request: Request, door: Door) -> RegistrationRow:
    registration_id = shared.whole_id(request.path_params["registration_id"])
    row = await queries.find_registration(door.event.id, registration_id) if registration_id else None
    if row is None:
        raise NotFound(EventCode.REGISTRATION_UNKNOWN)
    return row


async def _one(request: Request, door: Door) -> Response:
    return await _show(request, door, await _get(request, door))


async def _show(
    request: Request, door: Door, row: RegistrationRow, *, trouble: str = "", status: int = 200
) -> Response:
    locale = i18n.current_locale()
    types = {item.id: item.name.in_(locale) for item in await queries.ticket_types(door.event.id)}
    links = [link for make in REGISTRATION_LINKS if (link := make(door, row.id)) is not None]
    return await render.page(
        request,
        OnePage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            trouble=trouble,
            id=row.id,
            name=row.contact.name,
            contact=row.contact if door.may(Permission.SEE_PERSONAL) else masking.masked(row.contact),
            state=render.words_for(row.state),
            state_kind=shared.STATE_KINDS[row.state],
            is_cancelled=row.state in MOVES[Verb.RESTORE],
            ticket_type=types.get(row.ticket_type_id, ""),
            source=render.words_for(row.source),
            locale=LANGUAGE_NAMES.get(row.locale, row.locale),
            external_id=row.external_id or "",
            external_code=(row.external_code or "") if door.may(Permission.SEE_PERSONAL) else "",
            registered=render.moment(row.created_at, door.event.time_zone),
            links=links,
            history=await journal.history(door, "registration", row.id, ticket_types=types),
            list_href=render.url(LIST, slug=door.event.slug),
            may_change=door.may(Permission.CHANGE_REGISTRATIONS),
            extras=await desk_answers.section(door, row),
            more=await _more(door, row),
            approvals_href=render.url("events.desk.approvals", slug=door.event.slug, type=row.ticket_type_id)
            if row.state is RegistrationState.PENDING
            else "",
        ),
        status,
    )


async def _more(door: Door, row: RegistrationRow) -> list[tuple[str, str]]:
    """How it stands on the waiting list, and when somebody decided about it."""
    zone, found = door.event.time_zone, []
    if row.state is RegistrationState.WAITLISTED:
        place = await waitlist.place_in_line(door.event.id, row.id)
        found.append((i18n.gettext("Place in line"), str(place or "")))
    if row.waiting_since is not None:
        found.append((i18n.gettext("Waits since"), render.moment(row.waiting_since, zone)))
    if row.state is RegistrationState.OFFERED:
        kept = render.moment(row.offer_until, zone) if row.offer_until else i18n.gettext("until answered")
        found.append((i18n.gettext("Kept until"), kept))
    if row.decided_at is not None:
        found.append((i18n.gettext("Decided on"), render.moment(row.decided_at, zone)))
    return found


#: A language is offered under its own name.
LANGUAGE_NAMES: Final[Mapping[str, str]] = {
    "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文",
    "en": "English",
    "ja": "日本語",
    "ko": "한국어",
}


async def _cancel(request: Request, door: Door) -> Response:
    return await _turn(request, door, registrations.cancel, "cancelled", EventCode.ALREADY_CANCELLED)


async def _restore(request: Request, door: Door) -> Response:
    return await _turn(request, door, registrations.restore, "restored", EventCode.NOT_CANCELLED)


async def _turn(request: Request, door: Door, action: Any, done: str, already: str) -> Response:
    row = await _get(request, door)
    try:
        await action(actor=door.actor, event_id=door.event.id, registration_id=row.id, at=shared.now())
    except Conflict as refusal:
        # Pressed twice: what was wanted is so.
        if refusal.code != already:
            return await _show(
                request, door, row, trouble=render.words_for(refusal.code, refusal.params), status=409
            )
    href = render.url("events.desk.registration", slug=door.event.slug, registration_id=row.id)
    return render.see_other(render.with_query(href, done=done))


# --- the form ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class FormPage(DeskPage):
    template: ClassVar[str] = "events/desk/registration_form.html"
    #: empty for a new one
    name: str
    back_href: str
    list_href: str
    types: Sequence[tuple[Any, ...]]
    languages: Sequence[tuple[str, str]]


def read_contact(values: Mapping[str, str], *, needs_contact: bool = True) -> Contact:
    """A contact as it was typed, cleaned; raises Invalid with a problem at each field.

    Somebody who came in at the door may have neither e-mail nor phone (``needs_contact``).
    """
    problems: dict[str, Problem] = {}

    def clean(name: str, outcome: Any) -> Any:
        if isinstance(outcome, Problem):
            problems[name] = outcome
            return None
        return outcome

    name = clean("name", clean_name(values.get("name", "")))
    email = clean("email", normalise_email(values["email"])) if values.get("email") else None
    phone = clean("phone", normalise_phone(values["phone"])) if values.get("phone") else None
    lines = {
        which: clean_line(values.get(which, ""))
        for which in ("badge_name", "english_name", "organisation", "position")
    }
    contact = Contact(
        name=name or "",
        email=email.key if email else "",
        phone=phone.e164 if phone else "",
        phone_last4=phone.last_four if phone else "",
        **lines,
    )
    found = {**contact.problems(needs_contact=needs_contact), **problems}
    if "phone" in problems and found.get("email", Problem("")).code == EventCode.CONTACT_MISSING:
        del found["email"]  # the phone is there, only wrong: one problem is enough
    if found:
        raise Invalid(found)
    return contact


async def _form_page(
    request: Request,
    door: Door,
    row: RegistrationRow | None,
    values: Mapping[str, str],
    refusal: Invalid | None = None,
) -> Response:
    slug, locale = door.event.slug, i18n.current_locale()
    list_href = render.url(LIST, slug=slug)
    held = row.ticket_type_id if row else None
    return await render.page(
        request,
        FormPage(
            **access.frame(door, LIST),
            values=values,
            problems=refusal.fields if refusal else {},
            name=row.contact.name if row else "",
            back_href=render.url("events.desk.registration", slug=slug, registration_id=row.id)
            if row
            else list_href,
            list_href=list_href,
            types=[
                (item.id, _type_words(item, locale), item.is_full and item.id != held)
                for item in await queries.ticket_types(door.event.id)
            ],
            languages=[
                (tag, LANGUAGE_NAMES.get(tag, tag))
                for tag in dict.fromkeys([*LOCALES, *([row.locale] if row else [])])
            ],
        ),
        422 if refusal else 200,
    )


def _type_words(item: queries.TicketTypeFacts, locale: str) -> str:
    name = item.name.in_(locale)
    if item.is_full:
        return i18n.gettext(N_("%(name)s (full)")) % {"name": name}
    if item.free is not None:
        return i18n.gettext(N_("%(name)s (%(free)s left)")) % {"name": name, "free": item.free}
    return name


async def _add(request: Request, door: Door) -> Response:
    if request.method != "POST":
        types = await queries.ticket_types(door.event.id)
        first = next((str(item.id) for item in types if not item.is_full), "")
        return await _form_page(request, door, None, {"locale": DEFAULT_LOCALE, "ticket_type_id": first})
    values = shared.typed_values(await forms.form_data(request))
    try:
        registration_id = await registrations.register(
            event_id=door.event.id,
            ticket_type_id=shared.whole_id(values.get("ticket_type_id")) or 0,
            contact=read_contact(values),
            source=RegistrationSource.ORGANISER,
            locale=_locale(values),
            actor=door.actor,
            external_id=values.get("external_id") or None,
            external_code=values.get("external_code") or None,
            at=shared.now(),
        )
    except (Invalid, Conflict, NotFound) as refusal:
        return await _form_page(request, door, None, values, _at_field(refusal))
    href = render.url("events.desk.registration", slug=door.event.slug, registration_id=registration_id)
    return render.see_other(render.with_query(href, done="registered"))


def _locale(values: Mapping[str, str]) -> str:
    wanted = values.get("locale", "")
    return wanted if wanted in LANGUAGE_NAMES else DEFAULT_LOCALE


def _at_field(refusal: Invalid | Conflict | NotFound) -> Invalid:
    """A full or unknown ticket type is a problem at its field; anything else goes on."""
    if isinstance(refusal, Invalid):
        return refusal
    if refusal.code in (EventCode.TICKET_TYPE_FULL, EventCode.TICKET_TYPE_UNKNOWN):
        return Invalid({"ticket_type_id": Problem(refusal.code, dict(refusal.params))})
    raise refusal


async def _change(request: Request, door: Door) -> Response:
    row = await _get(request, door)
    if request.method != "POST":
        contact = row.contact
        values = {
            **{
                name: getattr(contact, name)
                for name in (
                    "name",
                    "badge_name",
                    "english_name",
                    "email",
                    "phone",
                    "organisation",
                    "position",
                )
            },
            "locale": row.locale,
            "ticket_type_id": str(row.ticket_type_id),
            "external_id": row.external_id or "",
            "external_code": row.external_code or "",
        }
        return await _form_page(request, door, row, values)
    values = shared.typed_values(await forms.form_data(request))
    try:
        contact = read_contact(values, needs_contact=row.source != RegistrationSource.WALK_IN)
        ticket_type_id = shared.whole_id(values.get("ticket_type_id")) or 0
        # One form, two actions: a full ticket type must not leave half of it done.
        async with unit_of_work():
            await registrations.change(
                actor=door.actor,
                event_id=door.event.id,
                registration_id=row.id,
                contact=contact,
                locale=_locale(values),
                external_id=values.get("external_id") or None,
                external_code=values.get("external_code") or None,
                at=shared.now(),
            )
            await registrations.change_ticket_type(
                actor=door.actor,
                event_id=door.event.id,
                registration_id=row.id,
                ticket_type_id=ticket_type_id,
                at=shared.now(),
            )
    except (Invalid, Conflict, NotFound) as refusal:
        return await _form_page(request, door, row, values, _at_field(refusal))
    href = render.url("events.desk.registration", slug=door.event.slug, registration_id=row.id)
    return render.see_other(render.with_query(href, done="saved"))


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/registrations", _list, LIST, Permission.SEE_REGISTRATIONS),
    access.route(
        "/e/{slug}/desk/registrations/new",
        _add,
        "events.desk.registration_new",
        Permission.CHANGE_REGISTRATIONS,
        ("GET", "POST"),
    ),
    access.route(
        "/e/{slug}/desk/registrations/{registration_id}",
        _one,
        "events.desk.registration",
        Permission.SEE_REGISTRATIONS,
    ),
    access.route(
        "/e/{slug}/desk/registrations/{registration_id}/change",
        _change,
        "events.desk.registration_change",
        Permission.CHANGE_REGISTRATIONS,
        ("GET", "POST"),
    ),
    access.route(
        "/e/{slug}/desk/registrations/{registration_id}/cancellation",
        _cancel,
        "events.desk.registration_cancellation",
        Permission.CHANGE_REGISTRATIONS,
        ("POST",),
    ),
    access.route(
        "/e/{slug}/desk/registrations/{registration_id}/restoration",
        _restore,
        "events.desk.registration_restoration",
        Permission.CHANGE_REGISTRATIONS,
        ("POST",),
    ),
]
