"""Walk-in: registered at the door in one line, the passport taken along by a phone or printed, admitted at once.

The desk's page shows a QR code with a *claim*: good for one phone and some minutes, spent by a press on that phone.
It leads to the holder's own page, which the passport's token never does. Who has just registered somebody holds a
pass of their own for that one registration, in a cookie; nobody opens other people's passports from here.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import cards, checkpoints, passports, printing, rehearsals, scanning
from checkin.holder import HOLDER_LASTS
from checkin.passports import PassportView
from checkin.rules import CheckinCode, Tone
from checkin.shown import PassportShown, private, shown_of
from checkin.walk_in_rules import (
    LASTS_MS,
    ClaimCode,
    Pass,
    Purpose,
    is_email,
    make_pass,
    namesakes,
    offered,
    read_pass,
)
from checkin.words import VERDICT_HELP, VERDICTS
from events import letter, registrations
from events import queries as events
from events.access import Door, frame, header, route
from events.contacts import clean_line, clean_name, normalise_email, normalise_phone
from events.queries import FoundPerson, TicketTypeFacts, find_people
from events.rules import (
    CONTACT_LIMITS,
    Contact,
    EventCode,
    EventFacts,
    Permission,
    RegistrationSource,
    RegistrationState,
    Role,
)
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem, Refusal
from people import journal, replays
from web import forms, render, signin
from web.forms import Form, form_data, read_form
from web.i18n import current_locale, gettext
from web.render import Context, FormContext, url
from web.routing import Entry

PAGE: Final = "checkin.walk_in"
_CLAIMS: Final = uuid.UUID("0f7c2a34-53a1-4f5e-8f0e-7d0f3f0a9c11")
#: Where the desk admits and what it gives is remembered for the days of a conference.
REMEMBERED: Final = timedelta(days=3)


class _Wiring:
    key: bytes = b""


def configure(*, key: bytes) -> None:
    """Called once by main: the installation's key, for passes."""
    _Wiring.key = key


def _now_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


# --- actions -----------------------------------------------------------------------------------------------------


async def register(
    *,
    actor: Actor,
    event_id: int,
    ticket_type_id: int,
    contact: Contact,
    locale: str,
    request_id: uuid.UUID,
    at: datetime,
) -> int:
    """Registers somebody who stands at the desk; a name is enough. The same form again is the same registration.

    Raises what ``registrations.register`` raises.
    """
    return await registrations.register(
        event_id=event_id,
        ticket_type_id=ticket_type_id,
        contact=contact,
        source=RegistrationSource.WALK_IN,
        locale=locale,
        at=at,
        actor=actor,
        request_id=request_id,
    )


async def claim(*, event_id: int, text: str, phone: uuid.UUID, at: datetime) -> int:
    """Spends a claim for the phone that shows this form; gives the registration whose holder it is from now on.

    The same form again (an answer got lost) is the same success. Raises Refusal with a ``ClaimCode`` for a claim that
    is wrong, late, or spent by another phone.
    """
    found = read_pass(_Wiring.key, Purpose.CLAIM, text, now_ms=_now_ms(at))
    if isinstance(found, ClaimCode):
        raise Refusal(found)
    if await events.find_registration_facts(event_id, found.registration_id) is None:
        raise Refusal(ClaimCode.WRONG)

    async def once() -> Mapping[str, int]:
        async with unit_of_work():
            await journal.write(
                actor=Actor(kind=ActorKind.HOLDER, id=found.registration_id),
                verb="passport.claim",
                object_kind="registration",
                object_id=found.registration_id,
                event_id=event_id,
                at=at,
            )
        return {"registration_id": found.registration_id}

    try:
        done = await replays.once(
            id=uuid.uuid5(_CLAIMS, text), actor_key="claim", body={"phone": str(phone)}, at=at, action=once
        )
    except Conflict:
        raise Refusal(ClaimCode.SPENT) from None
    return int(done["registration_id"])


async def _was_sent(request_id: uuid.UUID, actor: Actor) -> bool:
    """Whether a form with this id has registered somebody before: then it only wants its answer again."""
    try:
        return await replays.find(id=request_id, actor_key=actor.key, body=None) is not None
    except Conflict:
        return True


# --- the form ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeChoice:
    id: int
    name: str
    left: str
    is_full: bool
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Namesake:
    """Somebody of this name who is registered: name and organisation, nothing more."""

    name: str
    organisation: str
    is_gone: bool = False

    @classmethod
    def of(cls, person: FoundPerson) -> Namesake:
        gone = (RegistrationState.CANCELLED, RegistrationState.DECLINED)
        return cls(person.name, person.organisation, person.state in gone)


@dataclass(frozen=True, kw_only=True)
class WalkInPage(FormContext):
    template: ClassVar[str] = "checkin/walk_in.html"
    rehearsal: rehearsals.Banner
    form_id: str
    types: Sequence[TypeChoice]
    namesakes: Sequence[Namesake] = ()
    trouble: Problem | None = None
    sees_all: bool = False
    may_scan: bool = False


FIELDS: Final = ("name", "ticket_type", "organisation", "contact")


def _type_cookie(event: EventFacts) -> str:
    return f"huiwu_walk_in_type_{event.id}"


def _sees_all(door: Door) -> bool:
    return door.may(Permission.CHANGE_REGISTRATIONS) or Role.VOLUNTEER_LEAD in door.roles


async def types_of(door: Door) -> list[TicketTypeFacts]:
    """The ticket types that this desk gives."""
    every = await events.ticket_types(door.event.id)
    return offered(every, sees_all=_sees_all(door), sites=door.site_scope(Permission.WALK_IN))


async def _form(
    request: Request,
    door: Door,
    *,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    found: Sequence[Namesake] = (),
    trouble: Problem | None = None,
    form_id: str = "",
    status: int = 200,
) -> Response:
    locale, types = current_locale(), await types_of(door)
    free = [str(item.id) for item in types if not item.is_full]
    wanted = (values or {}).get("ticket_type") or request.cookies.get(_type_cookie(door.event), "")
    if wanted not in free and not values:
        wanted = free[0] if free else ""
    page = WalkInPage(
        **frame(door, PAGE),
        rehearsal=await rehearsals.banner(door.event.id),
        values=values or {},
        problems={name: problems[name] for name in FIELDS if name in problems} if problems else {},
        form_id=form_id or str(uuid.uuid4()),
        types=[
            TypeChoice(
                id=item.id,
                name=item.name.in_(locale),
                left=""
                if item.free is None
                else gettext("full")
                if item.is_full
                else gettext("%(num)s left") % {"num": item.free},
                is_full=item.is_full,
                is_chosen=str(item.id) == wanted,
            )
            for item in types
        ],
        namesakes=found,
        trouble=trouble,
        sees_all=_sees_all(door),
        may_scan=door.may(Permission.SCAN),
    )
    return private(await render.page(request, page, status))


def _read(
    values: Mapping[str, str], types: Sequence[TicketTypeFacts]
) -> tuple[Contact, int, dict[str, Problem]]:
    """Who was typed and as what; every problem at its field. Only the name must be there."""
    problems: dict[str, Problem] = {}

    def clean(field: str, outcome: Any) -> Any:
        if isinstance(outcome, Problem):
            problems[field] = outcome
            return None
        return outcome

    name = clean("name", clean_name(values.get("name", "")))
    typed, email, phone = values.get("contact", "").strip(), None, None
    if typed and is_email(typed):
        email = clean("contact", normalise_email(typed))
    elif typed:
        phone = clean("contact", normalise_phone(typed))
    organisation = clean_line(values.get("organisation", ""))
    if len(organisation) > CONTACT_LIMITS["organisation"]:
        problems["organisation"] = Problem(Code.TOO_LONG, {"limit": CONTACT_LIMITS["organisation"]})
    chosen = next((item.id for item in types if str(item.id) == values.get("ticket_type", "")), 0)
    if not chosen:
        problems["ticket_type"] = Problem(Code.NOT_A_CHOICE)
    contact = Contact(
        name=name or "",
        email=email.key if email else "",
        phone=phone.e164 if phone else "",
        organisation=organisation,
    )
    return contact, chosen, problems


async def walk_in(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _form(request, door)
    data = await form_data(request, max_files=0, max_fields=20)
    values = forms.typed(data)
    form_id = forms.form_id(values)
    at = datetime.now(UTC)
    contact, ticket_type_id, problems = _read(values, await types_of(door))
    if problems:
        return await _form(
            request, door, values=values, problems=problems, form_id=str(form_id), status=Invalid.status
        )
    if not values.get("anyway") and not await _was_sent(form_id, door.actor):
        people = await find_people(door.event.id, contact.name)
        if found := namesakes(contact.name, [Namesake.of(one) for one in people]):
            return await _form(request, door, values=values, found=found, form_id=str(form_id))
    try:
        number = await register(
            actor=door.actor,
            event_id=door.event.id,
            ticket_type_id=ticket_type_id,
            contact=contact,
            locale=current_locale(),
            request_id=form_id,
            at=at,
        )
    except Refusal as refusal:
        return await _refused(request, door, values, form_id, refusal)
    response = private(
        render.see_other(url("checkin.walk_in_done", slug=door.event.slug, registration_id=number))
    )
    _hand_pass(response, door, number, at)
    signin.set_cookie(response, _type_cookie(door.event), str(ticket_type_id), lasts=REMEMBERED)
    return response


async def _refused(
    request: Request, door: Door, values: Mapping[str, str], form_id: uuid.UUID, refusal: Refusal
) -> Response:
    """The form again with everything that was typed, and the refusal where it belongs."""
    problem = Problem(refusal.code, refusal.params)
    shown: dict[str, Any] = {"values": values, "form_id": str(form_id), "status": refusal.status}
    if isinstance(refusal, Invalid):
        shown["problems"] = refusal.fields
    elif refusal.code in (EventCode.TICKET_TYPE_FULL, EventCode.WAITLIST_ONLY):
        shown["problems"] = {"ticket_type": Problem(EventCode.TICKET_TYPE_FULL)}
    elif refusal.code == Code.REPLAY_MISMATCH:
        # Back, another name, sent again: a fresh id lets the desk decide.
        shown |= {"trouble": Problem(EventCode.FORM_ALREADY_SENT), "form_id": ""}
    else:
        shown["trouble"] = problem
    return await _form(request, door, **shown)


# --- done: take it along, come in, next --------------------------------------------------------------------------


def _desk_cookie(event: EventFacts) -> str:
    return f"huiwu_walk_in_{event.id}"


def _place_cookie(event: EventFacts) -> str:
    return f"huiwu_walk_in_at_{event.id}"


def _hand_pass(response: Response, door: Door, registration_id: int, at: datetime) -> None:
    text = make_pass(_Wiring.key, Purpose.DESK, Pass(registration_id, _now_ms(at)), bearer=door.actor.key)
    lasts = timedelta(milliseconds=LASTS_MS[Purpose.DESK])
    signin.set_cookie(response, _desk_cookie(door.event), text, lasts=lasts)


async def _held(request: Request, door: Door, at: datetime) -> tuple[Pass, PassportView]:
    """The pass in this browser for the registration in the address, and its passport. Raises NotFound for others'."""
    text = request.cookies.get(_desk_cookie(door.event), "")
    found = read_pass(_Wiring.key, Purpose.DESK, text, now_ms=_now_ms(at), bearer=door.actor.key)
    if isinstance(found, ClaimCode) or found.registration_id != int(request.path_params["registration_id"]):
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
    passport = (await passports.by_registration([found.registration_id])).get(found.registration_id)
    if passport is None or passport.event_id != door.event.id:
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
    return found, passport


@dataclass(frozen=True, slots=True)
class AdmitButton:
    """One press, one scan: its id is in the form."""

    checkpoint_id: int
    checkpoint: str
    scan_id: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the scan was answered."""

    tone: str
    word: str
    help: str
    place: str


@dataclass(frozen=True, kw_only=True)
class DonePage(Context):
    template: ClassVar[str] = "checkin/walk_in_done.html"
    rehearsal: rehearsals.Banner
    shown: PassportShown
    base: str
    claim_ends: datetime
    is_late: bool
    main: Sequence[AdmitButton]
    others: Sequence[AdmitButton]
    #: (id, name) of the print stations, and the id of the next wish.
    stations: Sequence[tuple[int, str]] = ()
    print_id: str = ""
    is_sent: bool = False
    admitted: Admitted | None = None


async def _buttons(door: Door, last: str) -> tuple[list[AdmitButton], list[AdmitButton]]:
    """The actor's own checkpoints: the one used at last on top and the others, or all on top without one."""
    if not door.may(Permission.SCAN):
        return [], []
    world, scope = await checkpoints.world(door.event.id), door.checkpoint_scope()
    own = [
        AdmitButton(
            checkpoint_id=view.facts.id,
            checkpoint=view.name.in_(current_locale()),
            scan_id=str(uuid.uuid4()),
            is_open=view.facts.is_open,
        )
        for view in world.checkpoints.values()
        if scope is None or view.facts.id in scope
    ]
    if len(own) == 1:
        return own, []
    main = [one for one in own if str(one.checkpoint_id) == last]
    return (main, [one for one in own if one not in main]) if main else (own, [])


async def _done_page(
    request: Request,
    door: Door,
    held: tuple[Pass, PassportView],
    *,
    at: datetime,
    place: str = "",
    admitted: Admitted | None = None,
) -> Response:
    made, passport = held
    ends = datetime.fromtimestamp((made.made_ms + LASTS_MS[Purpose.CLAIM]) / 1000, UTC)
    main, others = await _buttons(door, place or request.cookies.get(_place_cookie(door.event), ""))
    page = DonePage(
        **frame(door, PAGE),
        rehearsal=await rehearsals.banner(door.event.id),
        shown=await shown_of(passport),
        base=url("checkin.walk_in_done", slug=door.event.slug, registration_id=passport.registration_id),
        claim_ends=ends,
        is_late=at >= ends,
        main=main,
        others=others,
        stations=[(one.id, one.name) for one in await printing.stations(door.event.id)],
        print_id=str(uuid.uuid4()),
        is_sent=request.query_params.get("done") == "print",
        admitted=admitted,
    )
    return private(await render.page(request, page))


async def done(request: Request, door: Door) -> Response:
    """The desk's page about the one whom it has just registered; back to the form when the pass is over."""
    at = datetime.now(UTC)
    try:
        held = await _held(request, door, at)
    except NotFound:
        return private(render.see_other(url(PAGE, slug=door.event.slug)))
    return await _done_page(request, door, held, at=at)


class AdmitForm(Form):
    scan_id: uuid.UUID
    checkpoint: int = Field(ge=1, le=2**63 - 1)


async def admit(request: Request, door: Door) -> Response:
    """The ordinary scan of the passport just made, at one of the desk's own checkpoints."""
    at = datetime.now(UTC)
    held = await _held(request, door, at)
    form = read_form(await form_data(request), AdmitForm)
    entry = scanning.ScanEntry(form.scan_id, held[1].token, form.checkpoint)
    answer = await scanning.scan(door=door, entry=entry, at=at)
    world = await checkpoints.world(door.event.id)
    view = world.checkpoints.get(form.checkpoint)
    said = Admitted(
        tone=answer.tone.value,
        word=gettext(VERDICTS[answer.verdict]),
        help="" if answer.tone is Tone.GO else gettext(VERDICT_HELP[answer.verdict]),
        place=view.name.in_(current_locale()) if view else "",
    )
    place = str(form.checkpoint)
    response = await _done_page(request, door, held, at=at, place=place, admitted=said)
    signin.set_cookie(response, _place_cookie(door.event), place, lasts=REMEMBERED)
    return response


class PrintForm(Form):
    id: uuid.UUID
    station: int = Field(ge=1, le=2**63 - 1)


async def print_at_station(request: Request, door: Door) -> Response:
    """The badge of whoever was just registered, at a print station; the same form again is the same job."""
    _made, passport = await _held(request, door, datetime.now(UTC))
    form = read_form(await form_data(request), PrintForm)
    await printing.ask(
        actor=door.actor,
        event_id=door.event.id,
        station_id=form.station,
        passport_id=passport.id,
        request_id=form.id,
        at=datetime.now(UTC),
    )
    base = url("checkin.walk_in_done", slug=door.event.slug, registration_id=passport.registration_id)
    return private(render.see_other(render.with_query(base, done="print")))


async def claim_code(request: Request, door: Door) -> Response:
    """The QR picture that the visitor's phone scans; the same one until a new code is asked for."""
    made, _passport = await _held(request, door, datetime.now(UTC))
    address = _claim_url(door.event, made)
    return private(Response(await cards.svg(address), media_type="image/svg+xml"))


def claim_url(event: EventFacts, registration_id: int, at: datetime) -> str:
    """What a visitor's phone opens to take the passport along: good for one phone, for a quarter of an hour."""
    return _claim_url(event, Pass(registration_id, _now_ms(at)))


def _claim_url(event: EventFacts, made: Pass) -> str:
    text = make_pass(_Wiring.key, Purpose.CLAIM, made)
    return render.absolute(url("checkin.claim", slug=event.slug, key=text))


async def fresh_code(request: Request, door: Door) -> Response:
    """Another claim, for a second phone or when the first is over; the desk's own time begins anew."""
    at = datetime.now(UTC)
    made, _passport = await _held(request, door, at)
    response = private(
        render.see_other(
            url("checkin.walk_in_done", slug=door.event.slug, registration_id=made.registration_id)
        )
    )
    _hand_pass(response, door, made.registration_id, at)
    return response


async def passport_code(request: Request, door: Door) -> Response:
    """The passport's own code, for the card that is printed."""
    _made, passport = await _held(request, door, datetime.now(UTC))
    return private(
        Response(await cards.svg(passports.address_of(passport.token)), media_type="image/svg+xml")
    )


@dataclass(frozen=True, kw_only=True)
class CardPage(Context):
    template: ClassVar[str] = "checkin/print.html"
    shown: PassportShown
    facts: EventFacts
    when: str
    place: str
    code: str
    back: str


async def print_card(request: Request, door: Door) -> Response:
    _made, passport = await _held(request, door, datetime.now(UTC))
    locale = current_locale()
    base = url("checkin.walk_in_done", slug=door.event.slug, registration_id=passport.registration_id)
    page = CardPage(
        event=header(door),
        shown=await shown_of(passport),
        facts=door.event,
        when=letter.days(door.event, locale),
        place=letter.place(door.event, locale),
        code=f"{base}/passport.svg",
        back=base,
    )
    return private(await render.page(request, page))


# --- on the visitor's phone --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ClaimPage(Context):
    template: ClassVar[str] = "checkin/claim.html"
    key: str = ""
    phone: str = ""
    name: str = ""
    trouble: Problem | None = None


async def open_claim(request: Request, door: Door) -> Response:
    """What the QR code opens: one button, because the camera's preview and chat programs open links, too."""
    key = request.query_params.get("key", "")
    found = read_pass(_Wiring.key, Purpose.CLAIM, key, now_ms=_now_ms(datetime.now(UTC)))
    if isinstance(found, ClaimCode):
        return await _no_claim(request, door, Refusal(found))
    registration = await events.find_registration_facts(door.event.id, found.registration_id)
    if registration is None:
        return await _no_claim(request, door, Refusal(ClaimCode.WRONG))
    page = ClaimPage(event=header(door), key=key, phone=str(uuid.uuid4()), name=registration.name)
    return private(await render.page(request, page))


async def _no_claim(request: Request, door: Door, refusal: Refusal) -> Response:
    page = ClaimPage(event=header(door), trouble=Problem(refusal.code, refusal.params))
    return private(await render.page(request, page, 404))


class ClaimForm(Form):
    key: str = Field(max_length=100, min_length=1)
    phone: uuid.UUID


async def take_along(request: Request, door: Door) -> Response:
    """The press on the visitor's phone: this browser is the holder's from now on."""
    form = read_form(await form_data(request), ClaimForm)
    try:
        number = await claim(event_id=door.event.id, text=form.key, phone=form.phone, at=datetime.now(UTC))
    except Refusal as refusal:
        if refusal.code not in set(ClaimCode):
            raise
        return await _no_claim(request, door, refusal)
    registration = await events.find_registration_facts(door.event.id, number)
    assert registration is not None
    secret = registrations.secret_of(registration.id, registration.secret_round)
    response = render.see_other(url("checkin.my_passport", slug=door.event.slug, registration_id=number))
    signin.set_cookie(response, passports.holder_cookie(number), secret, lasts=HOLDER_LASTS)
    return private(response)


def _done(path: str, handler: Any, name: str, methods: Sequence[str] = ("GET",)) -> Entry:
    return route(
        f"/e/{{slug}}/walk-in/{{registration_id:int}}{path}", handler, name, Permission.WALK_IN, methods
    )


ROUTES: list[Entry] = [
    route("/e/{slug}/walk-in", walk_in, PAGE, Permission.WALK_IN, ("GET", "POST")),
    _done("", done, "checkin.walk_in_done"),
    _done("/admit", admit, "checkin.walk_in_admit", ("POST",)),
    _done("/claim.svg", claim_code, "checkin.walk_in_claim_code"),
    _done("/fresh", fresh_code, "checkin.walk_in_fresh", ("POST",)),
    _done("/passport.svg", passport_code, "checkin.walk_in_passport_code"),
    _done("/print", print_card, "checkin.walk_in_print"),
    _done("/station", print_at_station, "checkin.walk_in_station", ("POST",)),
    route("/e/{slug}/claim", open_claim, "checkin.claim", Permission.VIEW_PUBLIC),
    route("/e/{slug}/claim", take_along, "checkin.claim_taken", Permission.VIEW_PUBLIC, ("POST",)),
]
