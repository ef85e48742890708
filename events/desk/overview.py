"""The first page of the desk: how many have registered, and what to do next; and the page that creates an event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, event, letter, queries
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.queries import Counts
from events.rules import Details, EventState, Permission, RegistrationState, Window
from kernel.errors import Invalid
from kernel.text import N_, LocalizedText
from web import forms, i18n, render, signin
from web.routing import Entry, admin


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do next: what, where, and why."""

    title: str
    href: str
    why: str
    icon: str = "chevron-right"


#: What upper floors want done next (no checkpoint yet, no device paired); main fills it. Titles are in the reader's
#: language already.
NEXT_STEPS: Final[list[Callable[[Door], Awaitable[Sequence[Step]]]]] = []


@dataclass(frozen=True, slots=True)
class TypeLine:
    name: str
    taken: int
    quota: int | None
    href: str
    #: How many there are of all types: what a type without a quota is drawn against.
    of_all: int

    @property
    def scale(self) -> int:
        return self.quota if self.quota is not None else max(self.of_all, 1)

    @property
    def kind(self) -> str | None:
        if self.quota is None or not self.quota:
            return None
        return "stop" if self.taken >= self.quota else "care" if self.taken * 10 >= self.quota * 9 else None


@dataclass(frozen=True, kw_only=True)
class Overview(DeskPage):
    template: ClassVar[str] = "events/desk/overview.html"
    state: EventState
    days: str
    place: str
    window: Window
    opens_at: str
    closes_at: str
    holding: int
    quota: int | None
    by_state: Sequence[tuple[str, str, int, str]]
    types: Sequence[TypeLine]
    steps: Sequence[Step]
    public_href: str
    public_address: str
    days_left: int

    @property
    def percent(self) -> int | None:
        return round(self.holding * 100 / self.quota) if self.quota else None


async def _overview(request: Request, door: Door) -> Response:
    facts, at = door.event, shared.now()
    locale = i18n.current_locale()
    types = await queries.ticket_types(facts.id)
    counts = await queries.counts(facts.id)
    href = render.url("events.desk.registrations", slug=facts.slug)
    quotas = [item.quota for item in types]
    return await render.page(
        request,
        Overview(
            **access.frame(door, "events.desk"),
            done=shared.done_words(request),
            state=facts.state,
            days=letter.days(facts, locale),
            place=letter.place(facts, locale),
            window=facts.window(at),
            opens_at=_moment(facts.registration_opens_at, facts.time_zone),
            closes_at=_moment(facts.registration_closes_at, facts.time_zone),
            holding=counts.holding,
            quota=sum(quota for quota in quotas if quota is not None)
            if quotas and None not in quotas
            else None,
            by_state=[
                (
                    render.words_for(state),
                    render.with_query(href, state=state),
                    counts.by_state[state],
                    shared.STATE_KINDS[state],
                )
                for state in RegistrationState
                if counts.by_state.get(state) and state is not RegistrationState.CONFIRMED
            ],
            types=[
                TypeLine(
                    item.name.in_(locale),
                    item.taken,
                    item.quota,
                    render.with_query(href, type=item.id),
                    sum(one.taken for one in types),
                )
                for item in types
            ],
            steps=await _steps(door, bool(types), counts),
            public_href=render.url("events.home", slug=facts.slug),
            public_address=render.absolute(render.url("events.home", slug=facts.slug)),
            days_left=(facts.starts_on - facts.programme_date(at)).days,
        ),
    )


def _moment(at: datetime | None, zone: str) -> str:
    return render.moment(at, zone) if at else ""


async def _steps(door: Door, has_types: bool, counts: Counts) -> Sequence[Step]:
    """What is still to do, the most pressing first; nothing that is done is listed."""
    slug, found = door.event.slug, []

    def add(route: str, title: str, why: str, icon: str) -> None:
        found.append(Step(i18n.gettext(title), render.url(route, slug=slug), i18n.gettext(why), icon))

    if not has_types and door.may(Permission.CHANGE_EVENT):
        add(
            "events.desk.ticket_type_new",
            N_("Add a ticket type"),
            N_("Nobody can register before there is one."),
            "ticket",
        )
    if door.event.state is EventState.DRAFT and door.may(Permission.CHANGE_EVENT):
        add(
            "events.desk.settings",
            N_("Publish the event"),
            N_("Only the team can see it so far."),
            "globe",
        )
    if has_types and not counts.total and door.may(Permission.CHANGE_REGISTRATIONS):
        add(
            "events.desk.imports",
            N_("Import a list, or share the address"),
            N_("Nobody has registered yet."),
            "upload",
        )
    if door.may(Permission.CHANGE_REGISTRATIONS) and counts.by_state.get(RegistrationState.PENDING):
        add(
            "events.desk.approvals",
            N_("Decide about applications"),
            N_("People wait for your yes or no."),
            "file-check",
        )
    if door.may(Permission.CHANGE_EVENT) and not await queries.places(door.event.id):
        add(
            "events.desk.places",
            N_("Add the places"),
            N_("Rooms and doors are what everything else refers to."),
            "map-pin",
        )
    if door.may(Permission.GRANT_ROLES) and len(await queries.team(door.event.id)) < 2:
        add(
            "events.desk.team",
            N_("Invite your team"),
            N_("Organisers share the work, scanners stand at the door."),
            "users",
        )
    for more in NEXT_STEPS:
        found.extend(await more(door))
    return found


# --- a new event -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewEvent(DeskPage):
    template: ClassVar[str] = "events/desk/new_event.html"
    base: str


async def _new_event(request: Request) -> Response:
    base = render.absolute("/e/")
    if request.method != "POST":
        return await render.page(request, NewEvent(base=base, values={"time_zone": "Asia/Shanghai"}))
    values = shared.typed_values(await forms.form_data(request))
    read = Reader(values)
    starts_on = read.day("starts_on")
    ends_on = read.day("ends_on") if read.text("ends_on") else starts_on
    details = Details(
        slug=read.text("slug"),
        name=shared.gathered(values, "name"),
        city=shared.gathered(values, "city")
        if read.text("city.zh-Hans") or read.text("city.en")
        else LocalizedText(),
        starts_on=starts_on or shared.now().date(),
        ends_on=ends_on or starts_on or shared.now().date(),
        time_zone=read.text("time_zone"),
    )
    try:
        if read.problems:
            raise Invalid({**details.problems(), **read.problems})
        await event.create(actor=await signin.actor_of(request), facts=details, at=shared.now())
    except Invalid as refusal:
        problems = shared.at_boxes(refusal.fields, ("name", "city"))
        return await render.page(request, NewEvent(base=base, values=values, problems=problems), 422)
    return render.see_other(render.with_query(render.url("events.desk", slug=details.slug), done="created"))


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk", _overview, "events.desk", Permission.SEE_REGISTRATIONS),
    admin("/events/new", _new_event, "events.new", ("GET", "POST")),
]
