"""What everybody sees: the list of events, a series, an event's home with its own pages, its cover and stylesheet.

For readers who are nobody in particular these pages are made once per change and language (``web.shared_pages``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Final

from babel.dates import format_date
from starlette.requests import Request
from starlette.responses import Response

from events import access, custom_pages, letter, listing, queries, registering, series, tickets
from events.access import Door
from events.custom_pages import PageFacts
from events.listing_rules import Wanted, is_upcoming
from events.listing_rules import listing as listed
from events.queries import SiteFacts
from events.rules import EventCode, EventFacts, EventState, Module, Permission, Window
from events.ticket_rules import OfferState
from events.tickets import Offer
from kernel.actor import ANONYMOUS
from kernel.errors import NotFound
from kernel.text import DEFAULT_LOCALE
from people import journal, pictures, uploads
from web import colour, i18n, render, shared_pages, signin
from web.render import Context
from web.routing import Entry, public
from web.shared_pages import Concerns, Made

#: A slot for main: links on the event's home to upper floors' public pages, as (title, icon, route name, module); the
#: route takes the parameter ``slug``. A link of a module that is switched off is left out.
LINKS: list[tuple[str, str, str, Module | None]] = []

#: A slot for main: links that some events have and others don't, as (words, icon, address) in the reader's language.
MORE_LINKS: list[Callable[[EventFacts], Awaitable[Sequence[tuple[str, str, str]]]]] = []

_LISTS: Final = Concerns(kinds=frozenset({"event", "series"}))


async def _shared(
    request: Request,
    name: str,
    context: Callable[[], Awaitable[tuple[Context, datetime | None]]],
    *,
    event: EventFacts | None = None,
    key: Sequence[str] = (),
) -> Response:
    """A page for nobody in particular, out of the copies. ``event``: whose it is; None for the lists."""
    concerns = [_LISTS] if event is None else [Concerns(event_ids=frozenset({event.id}))]
    if event is not None and event.series_id is not None:
        concerns.append(_LISTS)

    async def stamp() -> object:
        about = await journal.latest([event.id]) if event is not None else 0
        return about, await journal.latest_of(("event", "series")) if _LISTS in concerns else 0

    query = f"?{request.url.query}" if request.url.query and key else ""

    async def make() -> Made:
        page, until = await context()
        return Made(render.render(page, actor=None, path=request.url.path + query), until)

    whole = (name, request.url.path, *key)
    return await shared_pages.serve(request, whole, concerns=concerns, stamp=stamp, make=make)


async def _answer(
    request: Request,
    door: Door,
    name: str,
    context: Callable[[], Awaitable[tuple[Context, datetime | None]]],
) -> Response:
    """An event's page: shared where the reader is nobody in particular and the event is no draft."""
    if door.actor == ANONYMOUS and door.event.state is not EventState.DRAFT:
        return await _shared(request, name, context, event=door.event)
    page, _ = await context()
    return await render.page(request, page, private=door.actor.signed_in)


# --- the installation's front page -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventCard:
    """An event in a list, in the reader's language."""

    href: str
    name: str
    when: str
    city: str
    #: Address of the picture; empty: the colour stands for it, with the first day on it.
    cover: str
    colour: str
    ink: str
    month: str
    day: str
    #: (kind, words), or none
    state: tuple[str, str] | None
    is_sample: bool


@dataclass(frozen=True, kw_only=True)
class ListPage(Context):
    template: ClassVar[str] = "events/list.html"
    upcoming: Sequence[EventCard]
    past: Sequence[EventCard]
    #: Where an event is created; empty for those who may not.
    new_href: str
    text: str
    #: What the search keeps of the other choices.
    kept: Mapping[str, str]
    #: (words, href, count, current)
    cities: Sequence[tuple[str, str, int | None, bool]]
    years: Sequence[tuple[str, str, int | None, bool]]
    is_narrowed: bool
    total: int
    first: int
    last: int
    previous_href: str
    next_href: str


def _card(event: EventFacts, today: date) -> EventCard:
    locale = i18n.current_locale()
    state: tuple[str, str] | None = None
    if event.state is EventState.DRAFT:
        state = ("care", i18n.gettext("Draft"))
    elif is_upcoming(event, today) and event.starts_on <= today:
        state = ("go", i18n.gettext("On now"))
    elif event.state is EventState.ENDED:
        state = ("plain", i18n.gettext("Ended"))
    fill = colour.accent_fill(event.theme_colour)
    chinese = locale == "zh-Hans"
    return EventCard(
        href=render.url("events.home", slug=event.slug),
        name=event.name.in_(locale),
        when=letter.days(event, locale),
        city=event.city.in_(locale),
        cover=access.cover_url(event),
        colour=fill,
        ink=colour.accent_ink(fill),
        month=format_date(
            event.starts_on,
            "y年M月" if chinese else "MMM y",
            locale="zh_Hans_CN" if chinese else "en",
        ),
        day=str(event.starts_on.day),
        state=state,
        is_sample=event.is_sample,
    )


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    year, page = query.get("year", ""), query.get("page", "")
    return Wanted(
        text=query.get("q", "").strip()[:100],
        city=query.get("city", "").strip()[:80],
        year=int(year) if year.isascii() and year.isdecimal() and len(year) == 4 else None,
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 4 else 1,
    )


async def list_of_events(request: Request) -> Response:
    actor = await signin.actor_of(request)
    wanted = _wanted(request)
    today = datetime.now(UTC).date()

    async def context() -> tuple[Context, datetime | None]:
        own = await access.own_event_ids(actor)
        events = await listing.brief(event_ids=own, is_admin=actor.is_admin)
        names = await listing.series_names() if wanted.text else {}
        found = listed(events, wanted, today, names)
        locale = i18n.current_locale()
        kept = {"q": wanted.text, "city": wanted.city, "year": str(wanted.year or "")}

        def href(**changed: str) -> str:
            return render.with_query(render.url("events.list"), **(kept | changed))

        cities = [(event.city.in_(locale), count, event) for event, count in found.cities]
        return ListPage(
            upcoming=[_card(event, today) for event in found.upcoming],
            past=[_card(event, today) for event in found.past],
            new_href=render.url("events.new") if actor.is_admin else "",
            text=wanted.text,
            kept={name: value for name, value in kept.items() if value and name != "q"},
            cities=_chips(
                href(city=""),
                i18n.gettext("All cities"),
                [
                    (name, href(city=name), count, wanted.city in event.city.values())
                    for name, count, event in cities[:12]
                ],
            ),
            years=_chips(
                href(year=""),
                i18n.gettext("All years"),
                [
                    (str(year), href(year=str(year)), count, year == wanted.year)
                    for year, count in found.years
                ],
            ),
            is_narrowed=wanted.is_narrowed,
            total=found.total,
            first=found.first,
            last=found.last,
            previous_href=href(page=str(found.page - 1)) if found.page > 1 else "",
            next_href=href(page=str(found.page + 1)) if found.page < found.pages else "",
        ), None

    if actor == ANONYMOUS and not wanted.text and not wanted.city:
        # What people type is rendered for each; what they choose is made once.
        key = ("list", today.isoformat(), str(wanted.year), str(wanted.page))
        return await _shared(request, "events.list", context, key=key)
    page, _ = await context()
    return await render.page(request, page, private=actor.signed_in)


def _chips(
    all_href: str, all_words: str, items: Sequence[tuple[str, str, int, bool]]
) -> Sequence[tuple[str, str, int | None, bool]]:
    """Chips to choose one of several; none where there is nothing to choose."""
    if len(items) < 2:
        return ()
    return [(all_words, all_href, None, not any(item[3] for item in items)), *items]


# --- a series ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SeriesPage(Context):
    template: ClassVar[str] = "events/series.html"
    name: str
    upcoming: Sequence[EventCard]
    past: Sequence[EventCard]


async def series_page(request: Request) -> Response:
    actor = await signin.actor_of(request)
    slug = request.path_params["series"]
    today = datetime.now(UTC).date()

    async def context() -> tuple[Context, datetime | None]:
        found = await series.find(slug)
        if found is None:
            raise NotFound(EventCode.SERIES_UNKNOWN)
        events = await listing.of_series(found.id)
        upcoming = [event for event in reversed(events) if is_upcoming(event, today)]
        return SeriesPage(
            name=found.name.in_(i18n.current_locale()),
            upcoming=[_card(event, today) for event in upcoming],
            past=[_card(event, today) for event in events if not is_upcoming(event, today)],
        ), None

    if actor == ANONYMOUS:
        return await _shared(request, "events.series", context, key=("series", today.isoformat()))
    page, _ = await context()
    return await render.page(request, page, private=actor.signed_in)


# --- an event ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket type on the home page: its state is a word with a meaning, or how many places are left."""

    name: str
    description: str
    note: str
    #: (kind, words), or none where there is nothing to say
    state: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Site:
    name: str
    where: str
    tickets: Sequence[Ticket]


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
    cover: str
    is_over: bool
    #: Ticket types of the event as a whole; those of a site stand with it.
    tickets: Sequence[Ticket]
    sites: Sequence[Site]
    has_tickets: bool
    can_register: bool
    registration: str
    #: (words, icon, href)
    links: Sequence[tuple[str, str, str]]
    #: The organisers' own pages: (words, href).
    pages: Sequence[tuple[str, str]]
    contact: str
    contact_email: str
    #: (words, href) of the series, or none
    series: tuple[str, str] | None
    #: Other years: (name, when, href).
    years: Sequence[tuple[str, str, str]]


#: Other years shown on the home page; the series' own page has all.
YEARS_SHOWN: Final = 6


async def home(request: Request, door: Door) -> Response:
    return await _answer(request, door, "events.home", lambda: _home(door))


async def _home(door: Door) -> tuple[Context, datetime | None]:
    event, locale, at = door.event, i18n.current_locale(), datetime.now(UTC)
    offers = await tickets.offers(event, at=at)
    types = [offer.ticket_type for offer in offers]
    can_register, said = registering.registration_open(event, types, at)
    pages = await custom_pages.listed(event.id, published_only=True)
    sites = await queries.sites(event.id) if event.has(Module.SITES) else ()
    known = {site.id for site in sites}
    years = await listing.of_series(event.series_id) if event.series_id else ()
    own = await series.find_by_id(event.series_id) if event.series_id else None
    states = {
        EventState.DRAFT: ("care", i18n.gettext("Draft")),
        EventState.ENDED: ("plain", i18n.gettext("Ended")),
    }
    page = HomePage(
        **_frame(door, pages, "events.home"),
        lead=event.tagline.in_(locale),
        text=event.text.in_(locale),
        when=letter.days(event, locale),
        place=letter.place(event, locale),
        zone=event.time_zone if locale != DEFAULT_LOCALE else "",
        state=states.get(event.state),
        cover=access.cover_url(event),
        # Organisers may keep the form open after the last day; as long as it takes people, nothing is over.
        is_over=event.state is EventState.ENDED
        or (event.programme_date(at) > event.ends_on and event.window(at) is Window.CLOSED),
        tickets=[_ticket(offer, event) for offer in offers if offer.ticket_type.site_id not in known],
        sites=[_site(site, offers, event) for site in sites],
        has_tickets=bool(offers),
        can_register=can_register,
        registration=said,
        links=[
            (i18n.gettext(title), icon, render.url(name, slug=event.slug))
            for title, icon, name, module in LINKS
            if module is None or event.has(module)
        ]
        + [link for more in MORE_LINKS for link in await more(event)],
        pages=_page_links(event, pages),
        contact=event.contact.in_(locale),
        contact_email=event.contact_email,
        series=(own.name.in_(locale), render.url("events.series", series=own.slug)) if own else None,
        years=[
            (other.name.in_(locale), letter.days(other, locale), render.url("events.home", slug=other.slug))
            for other in years
            if other.id != event.id
        ][:YEARS_SHOWN],
    )
    return page, _next_change(event, offers, at)


def _next_change(event: EventFacts, offers: Sequence[Offer], at: datetime) -> datetime | None:
    """The next moment at which a window opens or closes: until then the page is right by itself."""
    moments = [event.registration_opens_at, event.registration_closes_at]
    for offer in offers:
        moments += [offer.ticket_type.opens_at, offer.ticket_type.closes_at]
    return min((moment for moment in moments if moment is not None and moment > at), default=None)


def _ticket(offer: Offer, event: EventFacts) -> Ticket:
    item, locale = offer.ticket_type, i18n.current_locale()
    line = registering.ticket_line(item)
    state: tuple[str, str] | None = None
    match offer.state:
        case OfferState.OPEN:
            state = ("plain", line.left) if line.left else None
        case OfferState.WAITLIST:
            state = ("note", i18n.gettext("Waiting list open"))
        case OfferState.FULL:
            state = ("stop", i18n.gettext("Full"))
        case OfferState.NEEDS_CODE:
            state = ("note", i18n.gettext("With a code"))
        case OfferState.NOT_YET:
            opens = item.opens_at or event.registration_opens_at
            words = (
                i18n.gettext("From %(when)s") % {"when": render.moment(opens, event.time_zone)}
                if opens
                else ""
            )
            state = ("plain", words) if words else None
        case OfferState.CLOSED:
            state = ("plain", i18n.gettext("No longer offered"))
    return Ticket(item.name.in_(locale), item.description.in_(locale), line.note, state)


def _site(site: SiteFacts, offers: Sequence[Offer], event: EventFacts) -> Site:
    locale = i18n.current_locale()
    city, address = site.city.in_(locale), site.address.in_(locale)
    return Site(
        site.name.in_(locale),
        " · ".join(part for part in (city, address) if part),
        [_ticket(offer, event) for offer in offers if offer.ticket_type.site_id == site.id],
    )


def _page_links(event: EventFacts, pages: Sequence[PageFacts]) -> list[tuple[str, str]]:
    locale = i18n.current_locale()
    return [
        (page.title.in_(locale), render.url("events.page", slug=event.slug, page=page.slug)) for page in pages
    ]


def _frame(door: Door, pages: Sequence[PageFacts], current: str = "") -> dict[str, Any]:
    """The frame of an event's public pages: the foot links to its own pages as well."""
    frame = access.frame(door, current)
    foot = (*_page_links(door.event, pages), *frame["event"].foot)
    return frame | {"event": replace(frame["event"], foot=foot)}


# --- its own pages -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TextPage(Context):
    """A page that is a title and a text, in the language that has one."""

    template: ClassVar[str] = "events/text_page.html"
    title: str
    text: str
    #: The language of what is shown, where it is not the reader's.
    lang: str
    is_draft: bool = False
    edit_href: str = ""
    #: The others, for the way on: (words, href, current).
    pages: Sequence[tuple[str, str, bool]] = ()


async def own_page(request: Request, door: Door) -> Response:
    """A page of the organisers' own; an unpublished one is seen by the team alone."""
    return await _answer(request, door, "events.page", lambda: _own_page(door, request.path_params["page"]))


async def _own_page(door: Door, wanted: str) -> tuple[Context, datetime | None]:
    every = await custom_pages.listed(door.event.id, published_only=not door.roles)
    found = next((page for page in every if page.slug == wanted), None)
    if found is None:
        raise NotFound(EventCode.PAGE_UNKNOWN)
    locale = i18n.current_locale()
    published = [page for page in every if page.is_published]
    page = TextPage(
        **_frame(door, published),
        title=found.title.in_(locale),
        text=found.text.in_(locale),
        lang=_other_language(found.text),
        is_draft=not found.is_published,
        edit_href=render.url("events.desk.page", slug=door.event.slug, page_id=found.id)
        if door.may(Permission.CHANGE_EVENT)
        else "",
        pages=[
            (words, href, href.endswith(f"/{found.slug}"))
            for words, href in _page_links(door.event, published)
        ],
    )
    return page, None


def _other_language(text: Mapping[str, str]) -> str:
    """The tag of the text that is shown instead of the reader's own language; empty where it is theirs."""
    locale = i18n.current_locale()
    if not text or any(tag.partition("-")[0] == locale.partition("-")[0] for tag in text):
        return ""
    return next(iter(text))


async def privacy(request: Request, door: Door) -> Response:
    """What the event does with people's data."""
    return await _answer(request, door, "events.privacy", lambda: _privacy(door))


async def _privacy(door: Door) -> tuple[Context, datetime | None]:
    event = door.event
    if not event.privacy_notice:
        raise NotFound()
    pages = await custom_pages.listed(event.id, published_only=True)
    page = TextPage(
        **_frame(door, pages),
        title=i18n.gettext("Privacy notice"),
        text=event.privacy_notice.in_(i18n.current_locale()),
        lang=_other_language(event.privacy_notice),
        edit_href=render.url("events.desk.settings", slug=event.slug) + "#privacy"
        if door.may(Permission.CHANGE_EVENT)
        else "",
    )
    return page, None


# --- its look ----------------------------------------------------------------------------------------------------


async def theme(request: Request, door: Door) -> Response:
    """The event's colours as a stylesheet; under its own stamp it may be kept for ever."""
    fresh = str(request.url.path) + f"?{request.url.query}" == access.theme_url(door.event)
    kept = "public, max-age=31536000, immutable" if fresh and not door.roles else "no-cache"
    return Response(
        colour.theme_css(door.event.theme_colour), media_type="text/css", headers={"cache-control": kept}
    )


async def cover(request: Request, door: Door) -> Response:
    """The event's picture, drawn anew when it was uploaded; under its own stamp it may be kept for ever."""
    number = door.event.cover_upload_id
    if number is None:
        raise NotFound()
    data, _ = await uploads.read(number)
    fresh = request.query_params.get("v") == str(number)
    kept = "public, max-age=31536000, immutable" if fresh and not door.roles else "no-cache"
    kind = pictures.kind_of(data) or "application/octet-stream"
    return Response(data, media_type=kind, headers={"cache-control": kept})


ROUTES: list[Entry] = [
    public("/", list_of_events, "events.list"),
    public("/series/{series}", series_page, "events.series"),
    access.route("/e/{slug}", home, "events.home", Permission.VIEW_PUBLIC),
    access.route("/e/{slug}/p/{page}", own_page, "events.page", Permission.VIEW_PUBLIC),
    access.route("/e/{slug}/privacy", privacy, "events.privacy", Permission.VIEW_PUBLIC),
    access.route("/e/{slug}/theme.css", theme, "events.theme", Permission.VIEW_PUBLIC),
    access.route("/e/{slug}/cover", cover, "events.cover", Permission.VIEW_PUBLIC),
]
