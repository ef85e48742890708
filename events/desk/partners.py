"""Partners' and teachers' links: made, shown with a QR code, sent, renewed, switched off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from events import access, arrivals, partner_links, queries
from events.access import Door
from events.contacts import clean_line, normalise_email
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.partner_links import LinkDetails, LinkFacts
from events.partner_rules import LinkState
from events.rules import Permission
from kernel.errors import Invalid, NotFound, Problem
from kernel.text import DEFAULT_LOCALE, LOCALES, LocalizedText
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.partners"

#: Draws a QR code as PNG; main hands it in, because drawing lives where passports do.
DRAW: Final[list[Callable[[str], Awaitable[bytes]]]] = []

_KINDS: Final[Mapping[LinkState, str]] = {
    LinkState.OPEN: "go",
    LinkState.OFF: "plain",
    LinkState.OVER: "plain",
}
LANGUAGES: Final = {"zh-Hans": "简体中文", "en": "English"}


@dataclass(frozen=True, slots=True)
class LinkRow:
    href: str
    name: str
    ticket_type: str
    contact: str
    taken: int
    quota: int
    until: str
    state: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/partners.html"
    rows: Sequence[LinkRow]
    has_types: bool


def _until(door: Door, link: LinkFacts) -> str:
    return render.moment(link.valid_until, door.event.time_zone) if link.valid_until else ""


async def _list(request: Request, door: Door) -> Response:
    locale, at = i18n.current_locale(), shared.now()
    types = {item.id: item.name for item in await queries.ticket_types(door.event.id)}
    page = ListPage(
        **access.frame(door, LIST),
        done=shared.done_words(request),
        has_types=bool(types),
        rows=[
            LinkRow(
                href=render.url("events.desk.partner", slug=door.event.slug, link_id=link.id),
                name=link.name,
                ticket_type=types.get(link.ticket_type_id, LocalizedText()).in_(locale),
                contact=link.contact_name or link.contact_email,
                taken=link.taken,
                quota=link.quota,
                until=_until(door, link),
                state=render.words_for(link.state(at)),
                kind=_KINDS[link.state(at)],
            )
            for link in await partner_links.links(door.event.id)
        ],
    )
    return await render.page(request, page)


# --- the form ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class FormPage(DeskPage):
    template: ClassVar[str] = "events/desk/partner_form.html"
    #: empty for a new one
    name: str
    taken: int
    types: Sequence[tuple[str, str]]
    languages: Sequence[tuple[str, str]]
    back_href: str
    list_href: str


async def _form(
    request: Request,
    door: Door,
    link: LinkFacts | None,
    values: Mapping[str, str],
    refusal: Invalid | None = None,
) -> Response:
    slug, locale = door.event.slug, i18n.current_locale()
    page = FormPage(
        **access.frame(door, LIST),
        values=values,
        problems=refusal.fields if refusal else {},
        name=link.name if link else "",
        taken=link.taken if link else 0,
        types=[(str(item.id), item.name.in_(locale)) for item in await queries.ticket_types(door.event.id)],
        languages=[(tag, LANGUAGES[tag]) for tag in LOCALES],
        back_href=render.url("events.desk.partner", slug=slug, link_id=link.id)
        if link
        else render.url(LIST, slug=slug),
        list_href=render.url(LIST, slug=slug),
    )
    return await render.page(request, page, 422 if refusal else 200)


def _read(values: Mapping[str, str], zone: str) -> LinkDetails:
    read = Reader(values, zone)
    quota = read.whole_number("quota", required=True)
    email = ""
    if read.text("contact_email"):
        found = normalise_email(read.text("contact_email"))
        if isinstance(found, Problem):
            read.problems["contact_email"] = found
        else:
            email = found.key
    locale = read.text("locale")
    details = LinkDetails(
        name=clean_line(read.text("name")),
        ticket_type_id=shared.whole_id(read.text("ticket_type_id")) or 0,
        quota=quota if quota is not None else 1,
        valid_until=read.moment("valid_until"),
        contact_name=clean_line(read.text("contact_name")),
        contact_email=email,
        ticket_source=clean_line(read.text("ticket_source")),
        locale=locale if locale in LOCALES else DEFAULT_LOCALE,
    )
    if read.problems:
        raise Invalid({**details.problems(), **read.problems})
    return details


async def _add(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _form(request, door, None, {"locale": i18n.current_locale()})
    values = shared.typed_values(await forms.form_data(request))
    try:
        number = await partner_links.add(
            actor=door.actor,
            event_id=door.event.id,
            details=_read(values, door.event.time_zone),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, None, values, refusal)
    return _to(door, number, "added")


def _to(door: Door, link_id: int, done: str) -> Response:
    path = render.url("events.desk.partner", slug=door.event.slug, link_id=link_id)
    return render.see_other(render.with_query(path, done=done))


async def _get(request: Request, door: Door) -> LinkFacts:
    return await partner_links.find(door.event.id, int(request.path_params["link_id"]))


async def _change(request: Request, door: Door) -> Response:
    link = await _get(request, door)
    if request.method != "POST":
        values = {
            "name": link.name,
            "ticket_type_id": str(link.ticket_type_id),
            "quota": str(link.quota),
            "valid_until": shared.wall_clock(link.valid_until, door.event.time_zone),
            "contact_name": link.contact_name,
            "contact_email": link.contact_email,
            "ticket_source": "" if link.ticket_source == link.name else link.ticket_source,
            "locale": link.locale,
        }
        return await _form(request, door, link, values)
    values = shared.typed_values(await forms.form_data(request))
    try:
        await partner_links.change(
            actor=door.actor,
            event_id=door.event.id,
            link_id=link.id,
            details=_read(values, door.event.time_zone),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, link, values, refusal)
    return _to(door, link.id, "saved")


# --- one link ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LinkPage(DeskPage):
    template: ClassVar[str] = "events/desk/partner.html"
    link: LinkFacts
    state: LinkState
    state_kind: str
    ticket_type: str
    until: str
    address: str
    come: int
    by_state: Sequence[tuple[str, int]]
    has_picture: bool
    form_id: str
    list_href: str


async def _show(request: Request, door: Door, *, trouble: str = "", status: int = 200) -> Response:
    link = await _get(request, door)
    at, locale = shared.now(), i18n.current_locale()
    types = {item.id: item.name for item in await queries.ticket_types(door.event.id)}
    people = await partner_links.people(link)
    states = [one.state for one in people]
    page = LinkPage(
        **access.frame(door, LIST),
        done=_done(request),
        trouble=trouble,
        link=link,
        state=link.state(at),
        state_kind=_KINDS[link.state(at)],
        ticket_type=types.get(link.ticket_type_id, LocalizedText()).in_(locale),
        until=_until(door, link),
        address=partner_links.address_of(door.event.slug, link),
        come=len(await arrivals.among([one.id for one in people])),
        by_state=[(render.words_for(state), states.count(state)) for state in dict.fromkeys(sorted(states))],
        has_picture=bool(DRAW),
        form_id=str(uuid4()),
        list_href=render.url(LIST, slug=door.event.slug),
    )
    response = await render.page(request, page, status)
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


def _done(request: Request) -> str:
    gettext = i18n.gettext
    words = {
        "sent": gettext("The letter with the link is on its way."),
        "renewed": gettext("Here is the new link; the old one opens nothing any more."),
        "off": gettext("Switched off: the link shows its people and takes nobody more."),
        "on": gettext("Switched on again."),
    }
    return words.get(request.query_params.get("done", "")) or shared.done_words(request)


async def _letter(request: Request, door: Door) -> Response:
    link = await _get(request, door)
    values = shared.typed_values(await forms.form_data(request))
    try:
        await partner_links.send_letter(
            actor=door.actor,
            event=door.event,
            link_id=link.id,
            request_id=forms.form_id(values),
            at=shared.now(),
        )
    except Invalid:
        return await _show(
            request,
            door,
            trouble=i18n.gettext("This link has no contact e-mail yet. Add one first."),
            status=422,
        )
    return _to(door, link.id, "sent")


async def _renew(request: Request, door: Door) -> Response:
    link = await _get(request, door)
    await partner_links.renew(actor=door.actor, event_id=door.event.id, link_id=link.id, at=shared.now())
    return _to(door, link.id, "renewed")


async def _switch(request: Request, door: Door) -> Response:
    link = await _get(request, door)
    values = shared.typed_values(await forms.form_data(request))
    is_active = values.get("to") == "on"
    await partner_links.switch(
        actor=door.actor, event_id=door.event.id, link_id=link.id, is_active=is_active, at=shared.now()
    )
    return _to(door, link.id, "on" if is_active else "off")


async def _code(request: Request, door: Door) -> Response:
    """The link's QR picture."""
    link = await _get(request, door)
    if not DRAW:
        raise NotFound()
    data = await DRAW[0](partner_links.address_of(door.event.slug, link))
    return Response(data, media_type="image/png", headers={"cache-control": "no-store"})


_MAY: Final = Permission.CHANGE_PARTNERS
_ONE: Final = "/e/{slug}/desk/partners/{link_id:int}"
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/partners", _list, LIST, _MAY),
    access.route("/e/{slug}/desk/partners/new", _add, "events.desk.partner_new", _MAY, ("GET", "POST")),
    access.route(_ONE, _show, "events.desk.partner", _MAY),
    access.route(f"{_ONE}/change", _change, "events.desk.partner_change", _MAY, ("GET", "POST")),
    access.route(f"{_ONE}/letter", _letter, "events.desk.partner_letter", _MAY, ("POST",)),
    access.route(f"{_ONE}/renewal", _renew, "events.desk.partner_renew", _MAY, ("POST",)),
    access.route(f"{_ONE}/switch", _switch, "events.desk.partner_switch", _MAY, ("POST",)),
    access.route(f"{_ONE}/code.png", _code, "events.desk.partner_code", _MAY),
]
