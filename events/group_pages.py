"""Group registration on the web: the form that one person fills in for several, and the page by a secret link.

The form has a fixed number of rows and a button for five more: it needs no JavaScript. Whatever is wrong is said at its
row, and nobody is registered until everybody can be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from events import access, groups, letter, queries, questionnaire, registering, tickets
from events.access import Door
from events.contacts import clean_line, clean_name, normalise_email
from events.groups import ROWS_AT_MOST, GroupFacts, GroupRow
from events.questionnaire import Asked, Sheet
from events.registering import CHOOSABLE, HOLDER_LASTS
from events.rules import Contact, EventCode, Permission, RegistrationState
from events.ticket_rules import OfferState
from events.tickets import Offer
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, Refusal
from web import forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry

FIRST_ROWS: Final = 5
MORE_ROWS: Final = 5
COOKIE: Final = "huiwu_group_"
_ROW: Final = ("name", "reach", "ticket_type", "organisation")

#: A slot for main: short codes of passports by registration id belong to an upper floor.
ShortCodes = Callable[[Sequence[int]], Awaitable[Mapping[int, str]]]


async def _no_codes(registration_ids: Sequence[int]) -> Mapping[int, str]:
    del registration_ids
    return {}


short_codes: ShortCodes = _no_codes


@dataclass(frozen=True, kw_only=True)
class GroupForm(FormContext):
    template: ClassVar[str] = "events/register_group.html"
    lead: str
    closed: str
    shows_form: bool
    form_id: str
    rows: Sequence[int]
    #: (value, words) for each row's select
    choices: Sequence[tuple[str, str]]
    can_add: bool
    waiting: str
    has_codes: bool
    sheet: Sheet
    labels: Mapping[str, str]
    trouble: Problem | None = None


def _rows_of(values: Mapping[str, str]) -> int:
    text = values.get("rows", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else FIRST_ROWS
    return min(max(number, 1), ROWS_AT_MOST)


async def _group_page(
    request: Request,
    door: Door,
    *,
    what: Asked | None = None,
    values: Mapping[str, str] | None = None,
    reading: questionnaire.Reading | None = None,
    problems: Mapping[str, Problem] | None = None,
    trouble: Problem | None = None,
    form_id: str = "",
    status: int = 200,
) -> Response:
    event, locale = door.event, i18n.current_locale()
    shown = dict(values or {})
    at = datetime.now(UTC)
    what = what or await questionnaire.asked(event)
    offers = await tickets.offers(
        event,
        at=at,
        code=shown.get("access_code", ""),
        network=request.client.host if request.client else "",
    )
    can_register, said = registering.registration_open(event, [one.ticket_type for one in offers], at)
    free = [one for one in offers if one.state in CHOOSABLE]
    count = _rows_of(shown)
    if len(free) == 1:
        for number in range(1, count + 1):
            shown.setdefault(f"row.{number}.ticket_type", str(free[0].ticket_type.id))
    sheet = questionnaire.sheet(_for_groups(what), ticket_type_id=None, reading=reading, only_asked=True)
    labels = {
        "contact_name": i18n.gettext("Your name"),
        "contact_email": i18n.gettext("Your e-mail"),
        "group": i18n.gettext("Group"),
        "access_code": i18n.gettext("Access code"),
        **sheet.labels,
    }
    words = {
        "name": i18n.gettext("Name"),
        "reach": i18n.gettext("E-mail or phone"),
        "ticket_type": i18n.gettext("Ticket type"),
        "organisation": i18n.gettext("Organisation"),
    }
    for number in range(1, count + 1):
        for name in _ROW:
            labels[f"row.{number}.{name}"] = i18n.gettext("Person %(number)s, %(field)s") % {
                "number": number,
                "field": words[name],
            }
    page = GroupForm(
        **access.frame(door, "events.home"),
        lead=" · ".join(part for part in (letter.days(event, locale), event.city.in_(locale)) if part),
        closed=""
        if can_register and free
        else said or i18n.gettext("There are no tickets to register for on this page yet."),
        shows_form=bool(can_register and free) or values is not None,
        form_id=form_id or str(uuid4()),
        rows=range(1, count + 1),
        choices=[_choice(one) for one in free],
        can_add=count < ROWS_AT_MOST,
        waiting=" ".join(str(one.ticket_type.id) for one in free if one.state is OfferState.WAITLIST),
        has_codes=await tickets.has_access_codes(event.id),
        sheet=sheet,
        labels=labels,
        values=shown,
        problems=dict(problems or {}),
        trouble=trouble,
    )
    return await render.page(request, page, status)


def _choice(offer: Offer) -> tuple[str, str]:
    name = offer.ticket_type.name.in_(i18n.current_locale())
    if offer.state is OfferState.WAITLIST:
        name = i18n.gettext("%(name)s (waiting list)") % {"name": name}
    elif offer.ticket_type.free is not None:
        name = i18n.gettext("%(name)s (%(free)s left)") % {"name": name, "free": offer.ticket_type.free}
    return str(offer.ticket_type.id), name


def _for_groups(what: Asked) -> Asked:
    """Of everything that an event asks, a leader can only say that all agree to what one has to agree to: questions
    are answered by each on their own page.
    """
    return Asked(what.event, (), [one for one in what.consents if one.is_required], is_for_others=True)


async def register_group(request: Request, door: Door) -> Response:
    if request.method != "POST":
        code = request.query_params.get("code", "").strip()[:40]
        return await _group_page(request, door, values={"access_code": code} if code else None)
    data = await forms.form_data(request, max_files=0, max_fields=40 + ROWS_AT_MOST * len(_ROW))
    values, form_id, at = forms.typed(data), forms.form_id(data), datetime.now(UTC)
    what = await questionnaire.asked(door.event)
    reading = await questionnaire.read(
        _for_groups(what), data, ticket_type_id=0, actor_key=door.actor.key, at=at
    )
    again: dict[str, Any] = {"what": what, "values": values, "reading": reading, "form_id": str(form_id)}
    if "more" in values:
        values["rows"] = str(min(_rows_of(values) + MORE_ROWS, ROWS_AT_MOST))
        return await _group_page(request, door, **again)
    if "apply_code" in values:
        problem = await tickets.look_at_code(
            event_id=door.event.id, code=values.get("access_code", ""), at=at
        )
        return await _group_page(request, door, **again, problems={"access_code": problem} if problem else {})
    who, rows, problems = await _read(door, values, at)
    problems |= reading.problems
    if problems:
        return await _group_page(request, door, **again, problems=problems, status=Invalid.status)
    try:
        number = await groups.register(
            event_id=door.event.id,
            name=who.organisation or who.name,
            contact_name=who.name,
            contact_email=who.email,
            rows=rows,
            consents=reading.extras.consents,
            locale=i18n.current_locale(),
            at=at,
            actor=door.actor,
            request_id=form_id,
        )
    except Refusal as refusal:
        shown: dict[str, Any] = again | {"status": refusal.status}
        if isinstance(refusal, Invalid):
            shown["problems"] = refusal.fields
        elif isinstance(refusal, Conflict) and refusal.code == Code.REPLAY_MISMATCH:
            shown |= {"trouble": Problem(EventCode.FORM_ALREADY_SENT), "form_id": ""}
        else:
            shown["trouble"] = Problem(refusal.code, dict(refusal.params))
        return await _group_page(request, door, **shown)
    response = render.see_other(render.url("events.group_one", slug=door.event.slug, group_id=number))
    response.headers["cache-control"] = "no-store"
    signin.set_cookie(response, f"{COOKIE}{number}", groups.secret_of(number, 0), lasts=HOLDER_LASTS)
    return response


@dataclass(frozen=True, slots=True)
class _Leader:
    name: str
    email: str
    organisation: str


async def _read(
    door: Door, values: Mapping[str, str], at: datetime
) -> tuple[_Leader, list[GroupRow], dict[str, Problem]]:
    """The leader and every row that holds anything, with every problem at its field."""
    problems: dict[str, Problem] = {}
    name, email = clean_name(values.get("contact_name", "")), normalise_email(values.get("contact_email", ""))
    if isinstance(name, Problem):
        problems["contact_name"] = name
    if isinstance(email, Problem):
        problems["contact_email"] = (
            email if values.get("contact_email", "").strip() else Problem(Code.REQUIRED)
        )
    group = clean_line(values.get("group", ""))
    if len(group) > 120:
        problems["group"] = Problem(Code.TOO_LONG, {"limit": 120})
    code = values.get("access_code", "").strip()
    with_code = await _behind_code(door, code, at)
    waiting = values.get("waiting", "").split()
    rows: list[GroupRow] = []
    for number in range(1, _rows_of(values) + 1):
        cells = {one: values.get(f"row.{number}.{one}", "").strip() for one in _ROW}
        if not (cells["name"] or cells["reach"] or cells["organisation"]):
            continue
        contact, wrong = _contact(cells)
        problems |= {f"row.{number}.{where}": problem for where, problem in wrong.items()}
        chosen = cells["ticket_type"]
        type_id = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) <= 18 else 0
        if not type_id:
            problems[f"row.{number}.ticket_type"] = Problem(Code.NOT_A_CHOICE)
        if contact is not None and type_id:
            needed = code if type_id in with_code else ""
            rows.append(GroupRow(number, contact, type_id, needed, chosen in waiting))
    if not rows and not any(where.startswith("row.") for where in problems):
        problems["row.1.name"] = Problem(Code.REQUIRED)
    leader = _Leader(
        "" if isinstance(name, Problem) else name, "" if isinstance(email, Problem) else email.key, group
    )
    return leader, rows, problems


async def _behind_code(door: Door, code: str, at: datetime) -> frozenset[int]:
    """The ticket types that a row needs the code for; others are not worth one of its uses."""
    if not code:
        return frozenset()
    offers = await tickets.offers(door.event, at=at, code=code)
    return frozenset(
        one.ticket_type.id for one in offers if one.ticket_type.needs_code or not one.ticket_type.is_public
    )


def _contact(cells: Mapping[str, str]) -> tuple[Contact | None, dict[str, Problem]]:
    where = "email" if "@" in cells["reach"] or "＠" in cells["reach"] else "phone"
    contact, wrong = registering.read_contact(
        {"name": cells["name"], where: cells["reach"], "organisation": cells["organisation"]}
    )
    return contact, {"reach" if one in ("email", "phone") else one: problem for one, problem in wrong.items()}


# --- the leader's page -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MemberLine:
    id: int
    name: str
    ticket_type: str
    state: str
    state_kind: str
    short_code: str
    until: str
    can_resend: bool
    can_cancel: bool
    cancel_id: str


@dataclass(frozen=True, kw_only=True)
class GroupPage(Context):
    template: ClassVar[str] = "events/group.html"
    name: str
    id: int
    lines: Sequence[MemberLine]
    done: str
    trouble: str


@dataclass(frozen=True, kw_only=True)
class GroupLinkPage(Context):
    """What the link opens: one button, because mail programs and link crawlers open links, too."""

    template: ClassVar[str] = "events/group_link.html"
    key: str
    is_good: bool


def _private(response: Response) -> Response:
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


async def by_link(request: Request, door: Door) -> Response:
    """``/e/<alias>/group?key=…``: a button on GET, the cookie on POST."""
    if request.method == "POST":
        key = str((await forms.form_data(request, max_files=0, max_fields=5)).get("key", ""))[:100]
        group = await groups.find_by_secret(door.event.id, key)
        if group is not None:
            response = render.see_other(
                render.url("events.group_one", slug=door.event.slug, group_id=group.id)
            )
            signin.set_cookie(response, f"{COOKIE}{group.id}", key, lasts=HOLDER_LASTS)
            return _private(response)
    else:
        key = request.query_params.get("key", "")[:100]
        group = await groups.find_by_secret(door.event.id, key)
    page = GroupLinkPage(
        **access.frame(door, "events.home"), key=key if group else "", is_good=group is not None
    )
    return _private(await render.page(request, page, 200 if group else 404))


async def _mine(request: Request, door: Door) -> GroupFacts:
    """The group in the address, for the browser that holds its key; for all others there is none."""
    number = request.path_params["group_id"]
    group = await groups.find_by_secret(door.event.id, request.cookies.get(f"{COOKIE}{number}", ""))
    if group is None or str(group.id) != number:
        raise NotFound()
    return group


_KINDS: Final[Mapping[RegistrationState, str]] = {
    RegistrationState.CONFIRMED: "go",
    RegistrationState.PENDING: "care",
    RegistrationState.WAITLISTED: "note",
    RegistrationState.OFFERED: "care",
    RegistrationState.DECLINED: "stop",
    RegistrationState.CANCELLED: "stop",
}
_OVER: Final = frozenset({RegistrationState.CANCELLED, RegistrationState.DECLINED})


async def one_group(request: Request, door: Door) -> Response:
    return await _show(request, door, await _mine(request, door))


async def _show(
    request: Request, door: Door, group: GroupFacts, *, trouble: str = "", status: int = 200
) -> Response:
    locale, zone = i18n.current_locale(), door.event.time_zone
    members = await groups.members(group)
    types = {item.id: item.name.in_(locale) for item in await queries.ticket_types(door.event.id)}
    codes = await short_codes([one.id for one in members])
    said = request.query_params.get("done", "")
    words = {
        "resent": i18n.gettext("Sent again."),
        "cancelled": i18n.gettext("Cancelled. The place is free again."),
    }
    page = GroupPage(
        **access.frame(door, "events.home"),
        name=group.name,
        id=group.id,
        lines=[
            MemberLine(
                id=one.id,
                name=one.name,
                ticket_type=types.get(one.ticket_type_id, ""),
                state=render.words_for(one.state),
                state_kind=_KINDS[one.state],
                short_code=codes.get(one.id, ""),
                until=render.moment(one.offer_until, zone)
                if one.offer_until and one.state is RegistrationState.OFFERED
                else "",
                can_resend=one.state not in _OVER,
                can_cancel=one.state not in _OVER,
                cancel_id=str(uuid4()),
            )
            for one in members
        ],
        done=words.get(said, ""),
        trouble=trouble,
    )
    return _private(await render.page(request, page, status))


async def _act(request: Request, door: Door) -> Response:
    """Resends one member's letter or cancels their registration."""
    group, at = await _mine(request, door), datetime.now(UTC)
    data = await forms.form_data(request, max_files=0, max_fields=5)
    raw, act = str(data.get("registration", "")), request.path_params["act"]
    number = int(raw) if raw.isascii() and raw.isdigit() and len(raw) <= 18 else 0
    try:
        if act == "resend":
            await groups.resend(group=group, registration_id=number, at=at)
        elif act == "cancel":
            await groups.cancel(
                group=group, registration_id=number, actor=door.actor, at=at, request_id=forms.form_id(data)
            )
        else:
            raise NotFound()
    except Conflict as refusal:
        words = render.words_for(refusal.code, refusal.params)
        return await _show(request, door, group, trouble=words, status=409)
    href = render.url("events.group_one", slug=door.event.slug, group_id=group.id)
    done = "resent" if act == "resend" else "cancelled"
    return render.see_other(render.with_query(href, done=done))


_PUBLIC: Final = Permission.VIEW_PUBLIC
ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/register/group", register_group, "events.register_group", _PUBLIC, ("GET", "POST")
    ),
    access.route("/e/{slug}/group", by_link, "events.group", _PUBLIC, ("GET", "POST")),
    access.route("/e/{slug}/group/{group_id}", one_group, "events.group_one", _PUBLIC),
    access.route("/e/{slug}/group/{group_id}/{act}", _act, "events.group_act", _PUBLIC, ("POST",)),
]
