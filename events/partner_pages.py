"""What a partner or teacher opens: how many tickets are left, own people and their state, and a list to paste.

The key moves from the address into a cookie at once and is asked of it from then on; a GET changes nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from events import access, arrivals, letter, partner_links, queries
from events.access import Door
from events.desk.shared import attachment
from events.exporting import to_csv
from events.partner_links import LinkFacts, Person, Submitted
from events.partner_rules import LINES_MAX, LinkState, Outcome, PartnerCode, Plan
from events.rules import EventFacts, Permission, RegistrationState
from kernel.errors import Conflict, Invalid, NotFound, Problem, Refusal
from kernel.text import N_, LocalizedText
from web import forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry

#: A class is registered over some weeks; the link in the mail opens it anew.
LASTS: Final = timedelta(days=30)


def _cookie(link_id: int) -> str:
    """One a link: who looks after two classes has both open side by side."""
    return f"huiwu_partner_{link_id}"


def _private(response: Response) -> Response:
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


@dataclass(frozen=True, kw_only=True)
class GonePage(Context):
    """A link that is wrong, old, or opened in another browser."""

    template: ClassVar[str] = "events/partner_gone.html"
    contact: str


async def _gone(request: Request, door: Door) -> Response:
    page = GonePage(event=access.header(door), contact=door.event.contact_email)
    return _private(await render.page(request, page, 404))


async def open_link(request: Request, door: Door) -> Response:
    """``?key=…`` is hidden in a cookie and leads on to the link's page."""
    link = await partner_links.find_by_secret(door.event.id, request.query_params.get("key", ""))
    if link is None:
        return await _gone(request, door)
    response = render.see_other(_path(door.event, link))
    signin.set_cookie(response, _cookie(link.id), request.query_params["key"], lasts=LASTS)
    return _private(response)


def _path(event: EventFacts, link: LinkFacts) -> str:
    return render.url("events.partner_page", slug=event.slug, link_id=link.id)


async def _mine(request: Request, door: Door) -> LinkFacts:
    """The link in the address, if this browser holds its key; else one 404 for everything."""
    wanted = int(request.path_params["link_id"])
    link = await partner_links.find_by_secret(door.event.id, request.cookies.get(_cookie(wanted), ""))
    if link is None or link.id != wanted:
        raise NotFound(PartnerCode.UNKNOWN)
    return link


# --- the page ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonRow:
    id: int
    name: str
    organisation: str
    state: str
    kind: str
    has_come: bool
    cancel_href: str


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of the pasted list with what it would do."""

    number: int
    name: str
    contact: str
    organisation: str
    kind: str
    said: str


@dataclass(frozen=True, kw_only=True)
class PartnerPage(FormContext):
    template: ClassVar[str] = "events/partner.html"
    link: LinkFacts
    state: LinkState
    when: str
    until: str
    ticket_type: str
    people: Sequence[PersonRow]
    come: int
    lines: Sequence[LineRow]
    new: int
    bad: Sequence[int]
    #: the same as people write it
    bad_lines: str
    has_room: bool
    form_id: str
    limit: int
    done: str
    trouble: str
    shows_arrivals: bool


_KINDS: Final[Mapping[RegistrationState, str]] = {
    RegistrationState.CONFIRMED: "go",
    RegistrationState.PENDING: "care",
    RegistrationState.OFFERED: "care",
    RegistrationState.WAITLISTED: "note",
    RegistrationState.DECLINED: "stop",
    RegistrationState.CANCELLED: "plain",
}
_LINE_KINDS: Final[Mapping[Outcome, str]] = {Outcome.NEW: "go", Outcome.THERE: "plain", Outcome.BAD: "stop"}


_LINE_WORDS: Final[Mapping[Outcome, str]] = {
    Outcome.NEW: N_("New"),
    Outcome.THERE: N_("Registered already"),
    Outcome.BAD: N_("Problem"),
}
#: Columns of the partner's list.
TITLES: Final = (N_("Name"), N_("Organisation"), N_("Registration state"), N_("Arrived"), N_("Short code"))


async def _show(
    request: Request,
    door: Door,
    link: LinkFacts,
    *,
    text: str = "",
    planned: Plan | None = None,
    problem: Problem | None = None,
    done: str = "",
    trouble: str = "",
    status: int = 200,
) -> Response:
    event, locale, at = door.event, i18n.current_locale(), datetime.now(UTC)
    people = await partner_links.people(link)
    come = await arrivals.among([one.id for one in people])
    types = {item.id: item.name for item in await queries.ticket_types(event.id)}
    state = link.state(at)
    lines = planned.lines if planned is not None else ()
    new = len(planned.having(Outcome.NEW)) if planned is not None else 0
    if planned is not None and planned.problem is not None:
        problem = planned.problem
    elif planned is not None and problem is None and new > link.left:
        problem = Problem(PartnerCode.NO_ROOM, {"left": link.left, "new": new})
    page = PartnerPage(
        event=access.header(door),
        values={"people": text},
        problems={"people": problem} if problem else {},
        link=link,
        state=state,
        when=letter.days(event, locale),
        until=render.moment(link.valid_until, event.time_zone) if link.valid_until else "",
        ticket_type=types.get(link.ticket_type_id, LocalizedText()).in_(locale),
        people=[_person(door, link, one, one.id in come) for one in people],
        come=len(come),
        lines=[
            LineRow(
                number=line.number,
                name=line.contact.name,
                contact=" · ".join(filter(None, (line.contact.email, line.contact.phone))),
                organisation=line.contact.organisation,
                kind=_LINE_KINDS[line.outcome],
                said=" ".join(render.problem_text(one) for _, one in line.problems)
                or i18n.gettext(_LINE_WORDS[line.outcome]),
            )
            for line in lines
        ],
        new=new,
        bad=sorted(planned.bad) if planned is not None else [],
        bad_lines=("、" if locale == "zh-Hans" else ", ").join(map(str, sorted(planned.bad)))
        if planned
        else "",
        has_room=new <= link.left,
        # A fresh one for each look: what is sent again is the same list.
        form_id=str(uuid4()),
        limit=LINES_MAX,
        done=done,
        trouble=trouble,
        shows_arrivals=bool(come) or at.date() >= event.starts_on,
    )
    return _private(await render.page(request, page, 422 if problem and status == 200 else status))


def _person(door: Door, link: LinkFacts, one: Person, has_come: bool) -> PersonRow:
    return PersonRow(
        id=one.id,
        name=one.name,
        organisation=one.organisation,
        state=render.words_for(one.state),
        kind=_KINDS[one.state],
        has_come=has_come,
        cancel_href=render.url(
            "events.partner_cancel", slug=door.event.slug, link_id=link.id, registration_id=one.id
        )
        if one.holds_a_place and not has_come
        else "",
    )


def _registered(count: int) -> str:
    return i18n.ngettext(
        "%(num)s person of this list is registered.", "%(num)s people of this list are registered.", count
    ) % {"num": count}


async def partner_page(request: Request, door: Door) -> Response:
    try:
        link = await _mine(request, door)
    except NotFound:
        return await _gone(request, door)
    raw = request.query_params.get("done", "")
    done = ""
    if raw == "cancelled":
        done = i18n.gettext("Taken off the list. The place is free again.")
    elif raw.isdecimal() and len(raw) < 6:
        done = _registered(int(raw))
    return await _show(request, door, link, done=done)


async def partner_people(request: Request, door: Door) -> Response:
    """A pasted list: looked at first, registered by the second press."""
    link = await _mine(request, door)
    values = forms.typed(await forms.form_data(request, max_files=0, max_fields=10))
    text = values.get("people", "")
    if link.state(datetime.now(UTC)) is not LinkState.OPEN:
        return await _show(request, door, link, text=text, status=409)
    planned = await partner_links.preview(link, text)
    if values.get("act") != "register":
        return await _show(request, door, link, text=text, planned=planned)
    try:
        result = await partner_links.submit(
            link=link,
            text=text,
            leave_out=_numbers(values.get("leave_out", "")),
            form_id=forms.form_id(values),
            locale=i18n.current_locale(),
            at=datetime.now(UTC),
        )
    except Invalid as refusal:
        return await _show(
            request, door, link, text=text, planned=planned, problem=next(iter(refusal.fields.values()))
        )
    except Conflict:
        return await _show(request, door, link, text=text, status=409)
    if result.lost:
        return await _lost(request, door, link, text, result)
    response = render.see_other(render.with_query(_path(door.event, link), done=result.registered))
    return _private(response)


async def _lost(request: Request, door: Door, link: LinkFacts, text: str, result: Submitted) -> Response:
    """Somebody else took the last places in between: who is registered, who is not, and why."""
    fresh = await partner_links.find(door.event.id, link.id)
    said = [
        i18n.gettext("Line %(line)s: %(problem)s") % {"line": number, "problem": render.problem_text(problem)}
        for number, problem in sorted(result.lost.items())
    ]
    return await _show(
        request,
        door,
        fresh,
        text=text,
        done=_registered(result.registered) if result.registered else "",
        trouble=" ".join(said),
        status=409,
    )


def _numbers(raw: str) -> frozenset[int]:
    return frozenset(int(one) for one in raw.split(",") if one.isascii() and one.isdigit() and len(one) < 6)


async def partner_cancel(request: Request, door: Door) -> Response:
    link = await _mine(request, door)
    try:
        await partner_links.cancel(
            link=link, registration_id=int(request.path_params["registration_id"]), at=datetime.now(UTC)
        )
    except Conflict as refusal:
        said = render.problem_text(Problem(refusal.code, refusal.params))
        return await _show(request, door, link, trouble=said, status=Refusal.status)
    return _private(render.see_other(render.with_query(_path(door.event, link), done="cancelled")))


async def partner_list(request: Request, door: Door) -> Response:
    """The link's people as CSV: names, state, whether they came, and the code that a desk can type."""
    link = await _mine(request, door)
    people = await partner_links.people(link)
    ids = [one.id for one in people]
    come, codes = await arrivals.among(ids), await partner_links.short_codes(ids)
    titles = [i18n.gettext(title) for title in TITLES]
    rows = [
        [
            one.name,
            one.organisation,
            render.words_for(one.state),
            i18n.gettext("yes") if one.id in come else "",
            codes.get(one.id, "") if one.holds_a_place else "",
        ]
        for one in people
    ]
    headers = attachment(f"{door.event.slug}-{link.name}.csv")
    body = b"".join(to_csv(titles, rows))
    return _private(Response(body, media_type="text/csv; charset=utf-8", headers=headers))


_BASE: Final = "/e/{slug}/partner/{link_id:int}"
_MAY: Final = Permission.VIEW_PUBLIC
ROUTES: list[Entry] = [
    access.route("/e/{slug}/partner", open_link, "events.partner", _MAY),
    access.route(_BASE, partner_page, "events.partner_page", _MAY),
    access.route(_BASE, partner_people, "events.partner_people", _MAY, ("POST",)),
    access.route(
        f"{_BASE}/people/{{registration_id:int}}/cancellation",
        partner_cancel,
        "events.partner_cancel",
        _MAY,
        ("POST",),
    ),
    access.route(f"{_BASE}/people.csv", partner_list, "events.partner_list", _MAY),
]
