"""Passports on screen, for each who may open one, and the scanner.

``/p`` is what the QR code says; whoever opens it learns only what they may: a stranger nothing but the event, staff
who it is, the holder the way to their own page. ``/e/<alias>/me`` is the holder's, by sign-in or by secret link.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import cards, checkpoints, passports, scanning
from checkin.passports import HOLDER_COOKIE, PassportView, after_registering
from checkin.rules import CODE_MAX, CheckinCode, Direction, PassportStatus
from checkin.scanner_words import KIND_WORDS, STATUS_WORDS, scanner_words
from checkin.words import VERDICT_HELP, VERDICTS
from events import letter
from events.access import Door, frame, header, open_event, route
from events.queries import RegistrationFacts, find_event_by_id, find_registration_facts, registrations_of
from events.registrations import find_by_secret
from events.rules import EventFacts, Permission
from kernel.errors import Forbidden, NotFound, SignInNeeded
from kernel.text import LocalizedText
from web import render, signin
from web.colour import accent_fill, accent_ink
from web.forms import Form, form_data, read_form
from web.i18n import current_locale, gettext, gettext_in
from web.middleware import SCANNER_POLICY
from web.render import Context, url
from web.routing import Entry, public

__all__ = ["REGISTRATION_LINKS", "ROUTES", "after_registering"]

#: The passport that was just opened by its QR code; long enough to look and to scan it, not to be found next day.
OPENED_COOKIE: Final = "huiwu_passport"
OPENED_LASTS: Final = timedelta(minutes=10)
#: A secret link is opened once and then forgotten in the mail; people register months ahead.
HOLDER_LASTS: Final = timedelta(days=180)
#: The checkpoint that somebody scanned at last, for the page that works without JavaScript.
PLACE_LASTS: Final = timedelta(days=3)

_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_TONES: Final[Mapping[PassportStatus, str]] = {
    PassportStatus.VALID: "go",
    PassportStatus.NOT_CONFIRMED: "care",
    PassportStatus.CANCELLED: "stop",
    PassportStatus.REVOKED: "stop",
}


def _private(response: Response) -> Response:
    """For pages that show or lead to a passport: kept by nobody, and the next site is not told where one came from."""
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


@dataclass(frozen=True, slots=True)
class PassportShown:
    """A passport in its reader's language."""

    passport: PassportView
    ticket_type: str
    door_note: str
    status: str
    tone: str

    @property
    def is_void(self) -> bool:
        return self.passport.status in (PassportStatus.CANCELLED, PassportStatus.REVOKED)


async def _shown(passport: PassportView) -> PassportShown:
    world = await checkpoints.world(passport.event_id)
    words = world.ticket_types.get(passport.ticket_type_id)
    locale = current_locale()
    is_dead = not passport.is_live
    status = PassportStatus.REVOKED if is_dead else passport.status
    return PassportShown(
        passport=passport,
        ticket_type=words.name.in_(locale) if words else "",
        door_note=words.door_note.in_(locale) if words else "",
        status=gettext(STATUS_WORDS[status]),
        tone=_TONES[status],
    )


# --- what the QR code opens --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StrangerPage(Context):
    template: ClassVar[str] = "checkin/stranger.html"
    facts: EventFacts
    when: str
    place: str
    is_signed_in: bool
    #: The reader's own passport: where its page is.
    own_href: str = ""


async def open_passport(request: Request) -> Response:
    """``/p?token=…`` hides the token in a cookie and goes on to ``/p``, which shows what its reader may see.

    One 404 for everything that is no passport, so that guessing teaches nothing.
    """
    given = request.query_params.get("token")
    token = (request.cookies.get(OPENED_COOKIE, "") if given is None else given).strip().lower()
    passport = await passports.by_token(token) if _TOKEN.fullmatch(token) else None
    if passport is None:
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
    if given is not None:
        response = render.see_other("/p")
        signin.set_cookie(response, OPENED_COOKIE, token, lasts=OPENED_LASTS)
        return _private(response)
    event = await find_event_by_id(passport.event_id)
    assert event is not None
    actor = await signin.actor_of(request)
    try:
        door = await open_event(actor, event.slug, Permission.SCAN)
    except (SignInNeeded, Forbidden, NotFound):
        return await _to_stranger(request, event, passport)
    return await _staff_card(request, door, passport, code=token)


async def _to_stranger(request: Request, event: EventFacts, passport: PassportView) -> Response:
    actor = await signin.actor_of(request)
    try:
        door = await open_event(actor, event.slug, Permission.VIEW_PUBLIC)
    except NotFound:  # a draft: nobody outside shall know that there is one
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN) from None
    own = {registration.id for registration in await _held(request, event)}
    locale = current_locale()
    page = StrangerPage(
        event=header(door),
        facts=event,
        when=letter.days(event, locale),
        place=letter.place(event, locale),
        is_signed_in=actor.signed_in,
        own_href=_own_path(event, passport.registration_id) if passport.registration_id in own else "",
    )
    return _private(await render.page(request, page))


@dataclass(frozen=True, slots=True)
class ScanButton:
    """One press, one scan: its id is in the form, so that pressing twice or reloading is one scan."""

    checkpoint_id: int
    checkpoint: str
    kind: str
    direction: str
    scan_id: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class VerdictShown:
    tone: str
    word: str
    other: str
    lines: Sequence[str]
    note: str


@dataclass(frozen=True, kw_only=True)
class StaffCard(Context):
    template: ClassVar[str] = "checkin/staff_card.html"
    shown: PassportShown | None
    #: What the buttons send; never shown.
    code: str
    main: Sequence[ScanButton]
    others: Sequence[ScanButton]
    verdict: VerdictShown | None = None
    may_change: bool = False
    may_print: bool = False
    is_replaced: bool = False
    done: str = ""


def _place_cookie(event: EventFacts) -> str:
    return f"huiwu_at_{event.id}"


async def _buttons(door: Door, last: str) -> tuple[list[ScanButton], list[ScanButton]]:
    """The actor's own checkpoints: the one scanned at last alone on top, and the others; all on top without one."""
    world = await checkpoints.world(door.event.id)
    scope = door.checkpoint_scope()
    locale = current_locale()
    main: list[ScanButton] = []
    others: list[ScanButton] = []
    own = [view for view in world.checkpoints.values() if scope is None or view.facts.id in scope]
    is_known = any(str(view.facts.id) == last for view in own)
    for view in own:
        for direction in (Direction.ENTRY, Direction.EXIT) if view.facts.scans_exits else (Direction.ENTRY,):
            button = ScanButton(
                checkpoint_id=view.facts.id,
                checkpoint=view.name.in_(locale),
                kind=gettext(KIND_WORDS[view.facts.kind]),
                direction=direction.value,
                scan_id=str(uuid.uuid4()),
                is_open=view.facts.is_open,
            )
            (main if not is_known or str(view.facts.id) == last else others).append(button)
    return main, others


async def _staff_card(
    request: Request,
    door: Door,
    passport: PassportView | None,
    *,
    code: str,
    verdict: VerdictShown | None = None,
    last: str = "",
    done: str = "",
) -> Response:
    last = last or request.cookies.get(_place_cookie(door.event), "")
    main, others = await _buttons(door, last) if door.may(Permission.SCAN) else ([], [])
    page = StaffCard(
        **frame(door, "checkin.scanner"),
        shown=await _shown(passport) if passport else None,
        code=code,
        main=main,
        others=others,
        verdict=verdict,
        may_change=passport is not None and door.may(Permission.CHANGE_REGISTRATIONS),
        may_print=passport is not None and door.may(Permission.SEE_REGISTRATIONS),
        is_replaced=passport is not None and not passport.is_live,
        done=done,
    )
    return _private(await render.page(request, page))


class ScanForm(Form):
    scan_id: uuid.UUID
    code: str = Field(max_length=CODE_MAX, min_length=1)
    checkpoint: int = Field(ge=1, le=2**63 - 1)
    direction: Direction = Direction.ENTRY


async def scan_by_form(request: Request, door: Door) -> Response:
    """The ordinary scan from a page: works without JavaScript, in WeChat's browser, on an insecure origin."""
    form = read_form(await form_data(request), ScanForm)
    entry = scanning.ScanEntry(form.scan_id, form.code, form.checkpoint, form.direction)
    answer = await scanning.scan(door=door, entry=entry, at=datetime.now(UTC))
    passport = await passports.by_id(door.event.id, answer.holder.passport_id) if answer.holder else None
    place = str(form.checkpoint)
    verdict = _said(answer, door.event)
    response = await _staff_card(request, door, passport, code=form.code, verdict=verdict, last=place)
    signin.set_cookie(response, _place_cookie(door.event), place, lasts=PLACE_LASTS)
    return response


def _said(answer: scanning.Answer, event: EventFacts) -> VerdictShown:
    locale = current_locale()
    lines = []
    if answer.first:
        zone = ZoneInfo(event.time_zone)
        is_today = answer.first.at.astimezone(zone).date() == answer.at.astimezone(zone).date()
        shown = render.clock if is_today else render.moment
        when = f"{shown(answer.first.at, event.time_zone)} · {answer.first.checkpoint.in_(locale)}"
        lines.append(gettext("First: %(when)s") % {"when": when})
    if answer.elsewhere:
        lines.append(
            gettext("Please go to: %(checkpoint)s") % {"checkpoint": answer.elsewhere.name.in_(locale)}
        )
    if not lines and answer.tone != "go":
        lines.append(gettext(VERDICT_HELP[answer.verdict]))
    other = "en" if locale == "zh-Hans" else "zh-Hans"
    note = answer.holder.door_note.in_(locale) if answer.holder and answer.tone != "stop" else ""
    return VerdictShown(
        tone=answer.tone.value,
        word=gettext(VERDICTS[answer.verdict]),
        other=gettext_in(other, VERDICTS[answer.verdict]),
        lines=lines,
        note=note if answer.direction is Direction.ENTRY else "",
    )


# --- the holder's own page ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class HolderPage(Context):
    template: ClassVar[str] = "checkin/holder.html"
    shown: PassportShown
    facts: EventFacts
    when: str
    place: str
    base: str
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


def _own_path(event: EventFacts, registration_id: int) -> str:
    return f"/e/{event.slug}/me/{registration_id}"


async def _held(request: Request, event: EventFacts) -> list[RegistrationFacts]:
    """The registrations of this event whose holder is asking: by secret link earlier, or by their e-mail's sign-in."""
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
    return [found[number] for number in sorted(found)]


async def my_passport(request: Request, door: Door) -> Response:
    """The holder's page where there is one passport, a list where there are several, the way in where there is none."""
    if "key" in request.query_params:
        key = request.query_params["key"]
        good = await find_by_secret(door.event.id, key) is not None
        page = LinkPage(event=header(door), key=key if good else "", is_good=good)
        return _private(await render.page(request, page, 200 if good else 404))
    held = await _held(request, door.event)
    if len(held) == 1:
        return await _holder_page(request, door, held[0], others=0)
    actor = await signin.actor_of(request)
    views = await passports.by_registration([registration.id for registration in held])
    listed = [
        (await _shown(views[registration.id]), _own_path(door.event, registration.id))
        for registration in held
        if registration.id in views
    ]
    choose = ChoosePage(event=header(door), passports=listed, is_signed_in=actor.signed_in, email=actor.email)
    return _private(await render.page(request, choose))


class LinkForm(Form):
    key: str = Field(max_length=100, min_length=1)


async def open_my_passport(request: Request, door: Door) -> Response:
    """The button behind a secret link: this browser is the holder's from now on."""
    form = read_form(await form_data(request), LinkForm)
    registration = await find_by_secret(door.event.id, form.key)
    if registration is None:
        page = LinkPage(event=header(door), key="", is_good=False)
        return _private(await render.page(request, page, 404))
    response = render.see_other(_own_path(door.event, registration.id))
    signin.set_cookie(response, passports.holder_cookie(registration.id), form.key, lasts=HOLDER_LASTS)
    return _private(response)


async def _mine(request: Request, door: Door, *, staff: Permission | None = None) -> RegistrationFacts:
    """The registration in the address, if its holder asks (or staff, where a permission is named); else one 404."""
    wanted = int(request.path_params["registration_id"])
    if staff is not None and door.may(staff):
        registration = await find_registration_facts(door.event.id, wanted)
        if registration:
            return registration
    held = {registration.id: registration for registration in await _held(request, door.event)}
    if wanted not in held:
        if not door.actor.signed_in:
            raise SignInNeeded()
        raise NotFound()
    return held[wanted]


async def one_passport(request: Request, door: Door) -> Response:
    registration = await _mine(request, door)
    return await _holder_page(request, door, registration, others=len(await _held(request, door.event)) - 1)


async def _passport_of(registration: RegistrationFacts) -> PassportView:
    found = (await passports.by_registration([registration.id])).get(registration.id)
    if found is None:
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN)
    return found


async def _holder_page(
    request: Request, door: Door, registration: RegistrationFacts, *, others: int
) -> Response:
    locale = current_locale()
    page = HolderPage(
        event=header(door),
        shown=await _shown(await _passport_of(registration)),
        facts=door.event,
        when=letter.days(door.event, locale),
        place=letter.place(door.event, locale),
        base=_own_path(door.event, registration.id),
        others=others,
    )
    return _private(await render.page(request, page))


def _picture(data: bytes, kind: str, filename: str, *, as_file: bool) -> Response:
    response = Response(data, media_type=kind)
    how = "attachment" if as_file else "inline"
    response.headers["content-disposition"] = f'{how}; filename="{filename}"'
    return _private(response)


async def _usable(request: Request, door: Door) -> PassportView:
    """A passport whose pictures may leave: a cancelled or revoked one has none."""
    registration = await _mine(request, door, staff=Permission.SEE_REGISTRATIONS)
    passport = await _passport_of(registration)
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
    shown = await _shown(passport)
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
        shown=await _shown(passport),
        facts=door.event,
        when=letter.days(door.event, locale),
        place=letter.place(door.event, locale),
        code=f"{_own_path(door.event, passport.registration_id)}/code.svg",
        back=url("checkin.staff_passport", slug=door.event.slug, registration_id=passport.registration_id)
        if is_staff
        else _own_path(door.event, passport.registration_id),
    )
    return _private(await render.page(request, page))


# --- organisers --------------------------------------------------------------------------------------------------


async def staff_passport(request: Request, door: Door) -> Response:
    """A registration's passport for those who may see registrations; ``?done=`` says what was just done to it."""
    registration = await find_registration_facts(door.event.id, int(request.path_params["registration_id"]))
    if registration is None:
        raise NotFound()
    passport = await _passport_of(registration)
    done = request.query_params.get("done", "")
    return await _staff_card(
        request, door, passport, code=passport.short_code, done=done if done in ACTS else ""
    )


ACTS: Final = ("reissue", "revoke")


async def _change(request: Request, door: Door, act: str) -> Response:
    registration = await find_registration_facts(door.event.id, int(request.path_params["registration_id"]))
    if registration is None:
        raise NotFound()
    passport = await _passport_of(registration)
    do = passports.reissue if act == "reissue" else passports.revoke
    await do(actor=door.actor, event_id=door.event.id, passport_id=passport.id, at=datetime.now(UTC))
    path = url("checkin.staff_passport", slug=door.event.slug, registration_id=registration.id)
    return render.see_other(render.with_query(path, done=act))


async def reissue(request: Request, door: Door) -> Response:
    return await _change(request, door, "reissue")


async def revoke(request: Request, door: Door) -> Response:
    return await _change(request, door, "revoke")


# --- the scanner -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheckpointChoice:
    id: int
    name: str
    #: every language, as JSON, for the page that changes its language by itself
    names: LocalizedText
    kind: str
    is_open: bool
    scans_exits: bool


@dataclass(frozen=True, kw_only=True)
class ScannerPage(Context):
    template: ClassVar[str] = "checkin/scanner.html"
    choices: Sequence[CheckpointChoice]
    words: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)
    scan_id: str = ""
    home: str = "/"
    event_names: LocalizedText = field(default_factory=LocalizedText)


async def scanner(request: Request, door: Door) -> Response:
    """The scanner; everything that it says travels with it, so that it asks the server for verdicts only."""
    slug = door.event.slug
    locale = current_locale()
    world = await checkpoints.world(door.event.id)
    scope = door.checkpoint_scope()
    choices = [
        CheckpointChoice(
            id=view.facts.id,
            name=view.name.in_(locale),
            names=view.name,
            kind=gettext(KIND_WORDS[view.facts.kind]),
            is_open=view.facts.is_open,
            scans_exits=view.facts.scans_exits,
        )
        for view in world.checkpoints.values()
        if scope is None or view.facts.id in scope
    ]
    words = scanner_words()
    data = {
        "slug": slug,
        "locale": locale,
        "time_zone": door.event.time_zone,
        "checkpoints": [
            {"id": one.id, "name": dict(one.names), "scans_exits": one.scans_exits, "is_open": one.is_open}
            for one in choices
        ],
        "api": {
            "scans": url("checkin.api.scan", slug=slug),
            "counts": url("checkin.api.counts", slug=slug, checkpoint_id=0),
            "people": url("checkin.api.people", slug=slug),
        },
        "language": url("web.language"),
        "strings": words,
    }
    page = ScannerPage(
        event=header(door),
        choices=choices,
        words=words[locale],
        data=data,
        scan_id=str(uuid.uuid4()),
        home=url("events.home", slug=slug),
        event_names=door.event.name,
    )
    response = _private(await render.page(request, page))
    response.headers["content-security-policy"] = SCANNER_POLICY
    return response


def passport_link(door: Door, registration_id: int) -> tuple[str, str, str] | None:
    """On a registration's page: title, address, icon."""
    if not door.may(Permission.SEE_REGISTRATIONS):
        return None
    href = url("checkin.staff_passport", slug=door.event.slug, registration_id=registration_id)
    return gettext("Passport"), href, "qr-code"


#: For ``events.desk.REGISTRATION_LINKS``; main hands them over.
REGISTRATION_LINKS: Final = [passport_link]


def _registration(
    path: str, handler: Any, name: str, permission: Permission, methods: Sequence[str] = ("GET",)
) -> Entry:
    return route(
        f"/e/{{slug}}/registrations/{{registration_id:int}}/passport{path}",
        handler,
        name,
        permission,
        methods,
    )


def _holder(path: str, handler: Any, name: str) -> Entry:
    return route(f"/e/{{slug}}/me/{{registration_id:int}}{path}", handler, name, Permission.VIEW_PUBLIC)


ROUTES: list[Entry] = [
    public("/p", open_passport, "checkin.passport"),
    route("/e/{slug}/me", my_passport, "checkin.me", Permission.VIEW_PUBLIC),
    route("/e/{slug}/me", open_my_passport, "checkin.holder", Permission.VIEW_PUBLIC, methods=("POST",)),
    route("/e/{slug}/me/calendar.ics", calendar, "checkin.calendar", Permission.VIEW_PUBLIC),
    _holder("", one_passport, "checkin.my_passport"),
    _holder("/code.png", code_png, "checkin.code_png"),
    _holder("/code.svg", code_svg, "checkin.code_svg"),
    _holder("/card.png", card_png, "checkin.card_png"),
    _holder("/print", print_card, "checkin.print"),
    route("/e/{slug}/scan", scanner, "checkin.scanner", Permission.SCAN),
    route("/e/{slug}/scan", scan_by_form, "checkin.scan_by_form", Permission.SCAN, methods=("POST",)),
    _registration("", staff_passport, "checkin.staff_passport", Permission.SEE_REGISTRATIONS),
    _registration("/reissue", reissue, "checkin.reissue", Permission.CHANGE_REGISTRATIONS, methods=("POST",)),
    _registration("/revoke", revoke, "checkin.revoke", Permission.CHANGE_REGISTRATIONS, methods=("POST",)),
]
