"""Passports on screen, for each who may open one, and the scanner.

``/p`` is what the QR code says; whoever opens it learns only what they may: a stranger nothing but the event, staff
who it is, the holder the way to their own page, which ``holder`` shows.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import (
    checkpoints,
    handing_on,
    holder,
    holder_acts,
    installing,
    passports,
    person_pages,
    printing,
    rehearsals,
    scanning,
    staff_card,
)
from checkin.holder import held, own_path, passport_of
from checkin.lead_rules import MAY_BE_OVERRULED
from checkin.passports import PassportView, after_registering
from checkin.rules import CODE_MAX, CheckinCode, Direction
from checkin.scanner_words import KIND_WORDS, scanner_words
from checkin.shown import private
from events import letter
from events.access import Door, header, open_event, route
from events.queries import find_event_by_id, find_registration_facts
from events.rules import EventFacts, Permission
from kernel.errors import Forbidden, NotFound, SignInNeeded
from kernel.text import LocalizedText
from people import journal
from web import render, shared_pages, signin
from web.forms import Form, form_data, read_form
from web.i18n import current_locale, gettext
from web.middleware import SCANNER_POLICY
from web.render import Context, url
from web.routing import Entry, public
from web.shared_pages import Concerns, Made

__all__ = ["REGISTRATION_LINKS", "ROUTES", "after_registering"]

#: The passport that was just opened by its QR code; long enough to look and to scan it, not to be found next day.
OPENED_COOKIE: Final = "huiwu_passport"
OPENED_LASTS: Final = timedelta(minutes=10)

_TOKEN: Final = re.compile(r"[0-9a-f]{32}")


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
        return private(response)
    event = await find_event_by_id(passport.event_id)
    assert event is not None
    actor = await signin.actor_of(request)
    try:
        door = await open_event(actor, event.slug, Permission.SCAN)
    except (SignInNeeded, Forbidden, NotFound):
        return await _to_stranger(request, event, passport)
    return await staff_card.show(request, door, passport, code=token)


async def _to_stranger(request: Request, event: EventFacts, passport: PassportView) -> Response:
    actor = await signin.actor_of(request)
    try:
        door = await open_event(actor, event.slug, Permission.VIEW_PUBLIC)
    except NotFound:  # a draft: nobody outside shall know that there is one
        raise NotFound(CheckinCode.PASSPORT_UNKNOWN) from None
    own = {registration.id for registration in await held(request, event)}
    locale = current_locale()
    page = StrangerPage(
        event=header(door),
        facts=event,
        when=letter.days(event, locale),
        place=letter.place(event, locale),
        is_signed_in=actor.signed_in,
        own_href=own_path(event, passport.registration_id) if passport.registration_id in own else "",
    )
    return private(await render.page(request, page))


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
    return await staff_card.answered(request, door, passport, answer, code=form.code)


# --- organisers --------------------------------------------------------------------------------------------------


async def staff_passport(request: Request, door: Door) -> Response:
    """A registration's passport for those who may see registrations; ``?done=`` says what was just done to it."""
    registration = await find_registration_facts(door.event.id, int(request.path_params["registration_id"]))
    if registration is None:
        raise NotFound()
    passport = await passport_of(registration)
    done = request.query_params.get("done", "")
    return await staff_card.show(
        request, door, passport, code=passport.short_code, done=done if done in ACTS else ""
    )


ACTS: Final = ("reissue", "revoke")


async def _change(request: Request, door: Door, act: str) -> Response:
    registration = await find_registration_facts(door.event.id, int(request.path_params["registration_id"]))
    if registration is None:
        raise NotFound()
    passport = await passport_of(registration)
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
    #: A lead sees how fast the lanes are.
    is_lead: bool = False
    home: str = "/"
    event_names: LocalizedText = field(default_factory=LocalizedText)
    #: What makes it an application on a phone, and where a phone is paired again.
    links: installing.Links
    #: The page of a paired phone: the same for everybody, what is its own comes by ``api/device``.
    is_shell: bool = False
    rehearsal: rehearsals.Banner


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
    banner = rehearsals.banner_of(world, datetime.now(UTC))
    own_lead = door.checkpoint_scope(Permission.OVERRIDE)
    data = _data(
        door.event,
        [
            {"id": one.id, "name": dict(one.names), "scans_exits": one.scans_exits, "is_open": one.is_open}
            for one in choices
        ],
        is_lead=door.may(Permission.OVERRIDE),
        overrules_at=None if own_lead is None else sorted(own_lead),
        stations=await printing.stations(door.event.id),
    ) | {"rehearsal": banner.ends_ms}
    page = ScannerPage(
        event=header(door),
        choices=choices,
        words=words[locale],
        data=data,
        scan_id=str(uuid.uuid4()),
        is_lead=door.may(Permission.OVERRIDE),
        home=url("events.home", slug=slug),
        event_names=door.event.name,
        rehearsal=banner,
        links=installing.links(door.event, is_own=True),
    )
    response = private(await render.page(request, page))
    response.headers["content-security-policy"] = SCANNER_POLICY
    return response


def _data(
    event: EventFacts,
    own: Sequence[Mapping[str, Any]],
    *,
    is_lead: bool,
    overrules_at: Sequence[int] | None,
    stations: Sequence[printing.Station] | None = None,
) -> dict[str, Any]:
    """What the scanner's script is given; ``own`` are the checkpoints of whoever scans."""
    slug = event.slug
    return {
        "slug": slug,
        "locale": current_locale(),
        "time_zone": event.time_zone,
        "checkpoints": own,
        "api": {
            "scans": url("checkin.api.scan", slug=slug),
            "counts": url("checkin.api.counts", slug=slug, checkpoint_id=0),
            "people": url("checkin.api.people", slug=slug),
            "person": url("checkin.person", slug=slug, passport_id=0),
            **installing.addresses(slug),
            "card": url("checkin.api.person", slug=slug, passport_id=0),
            "group": url("checkin.api.group", slug=slug),
            "arrival": url("checkin.api.group_arrival", slug=slug),
            "undo": url("checkin.api.undo", slug=slug, scan_id=str(uuid.UUID(int=0))),
            "hand_over": url("checkin.api.badge_handed_over", slug=slug),
            "taken_back": url("checkin.api.badge_taken_back", slug=slug, passport_id=0),
            "lanes": url("checkin.api.lanes", slug=slug),
            "print": url("checkin.api.print_job", slug=slug),
            "stations": url("checkin.api.print_stations", slug=slug),
        },
        # None: the page asks for them itself.
        "stations": None if stations is None else [{"id": one.id, "name": one.name} for one in stations],
        "is_lead": is_lead,
        # The verdicts that a lead may overrule, at which checkpoints.
        "overrule": {"verdicts": sorted(MAY_BE_OVERRULED), "checkpoints": overrules_at},
        "language": url("web.language"),
        **installing.told(slug),
        "strings": scanner_words(),
    }


async def shell(request: Request, door: Door) -> Response:
    """The scanner of a paired phone, without a word about its reader, so that the phone may keep it.

    Its script says who it is with the token that the phone holds, and asks ``api/device`` for its checkpoints.
    """
    event = door.event
    names = {
        "batch": "scan_batch",
        "device": "device",
        "seen": "device_seen",
        "leftovers": "device_leftovers",
    }

    async def make() -> Made:
        data = _data(event, [], is_lead=False, overrules_at=[])
        data["api"] |= {key: url(f"checkin.api.{name}", slug=event.slug) for key, name in names.items()}
        data |= {"device": True, "pair": url("checkin.pair", slug=event.slug), "build": render.build()}
        page = ScannerPage(
            event=header(door),
            choices=(),
            words=data["strings"][current_locale()],
            data=data,
            home=url("events.home", slug=event.slug),
            event_names=event.name,
            links=installing.links(event, is_own=False),
            is_shell=True,
            rehearsal=rehearsals.Banner(None, event.time_zone),
        )
        return Made(render.render(page, actor=None, path=request.url.path))

    response = await shared_pages.serve(
        request,
        ("checkin.shell", event.slug),
        concerns=[Concerns(event_ids=frozenset({event.id}), kinds=frozenset({"event"}))],
        stamp=lambda: journal.latest([event.id]),
        make=make,
    )
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


ROUTES: list[Entry] = [
    public("/p", open_passport, "checkin.passport"),
    *holder.ROUTES,
    *holder_acts.ROUTES,
    *handing_on.ROUTES,
    *person_pages.ROUTES,
    route("/e/{slug}/scan", scanner, "checkin.scanner", Permission.SCAN),
    route("/e/{slug}/scanner", shell, "checkin.shell", Permission.VIEW_PUBLIC),
    route("/e/{slug}/scan", scan_by_form, "checkin.scan_by_form", Permission.SCAN, methods=("POST",)),
    _registration("", staff_passport, "checkin.staff_passport", Permission.SEE_REGISTRATIONS),
    _registration("/reissue", reissue, "checkin.reissue", Permission.CHANGE_REGISTRATIONS, methods=("POST",)),
    _registration("/revoke", revoke, "checkin.revoke", Permission.CHANGE_REGISTRATIONS, methods=("POST",)),
]
