"""A lead's pages for phones that scan without an account: the list, codes for new ones, one phone, what was kept apart."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from checkin import cards, checkpoints, devices, pairings, quarantine
from checkin.checkpoints import World
from checkin.device_api import address_of
from checkin.device_rules import (
    PAIRING_MINUTES,
    PAIRINGS_AT_ONCE,
    DeviceCode,
    State,
    first_end,
    volunteers_of,
)
from checkin.devices import DeviceView
from checkin.pairings import PairingView
from checkin.rules import VerdictCode
from checkin.scanning import Answer
from checkin.shown import private
from checkin.words import DIRECTIONS, VERDICTS
from events.access import Door, frame, route
from events.desk.shared import DeskPage, attachment, chosen_many, typed_values, wall_clock, whole_id
from events.exporting import Cell, to_csv
from events.rules import EventState, Permission
from kernel.errors import Code, Invalid, NotFound, Problem
from kernel.text import N_
from people import journal
from people.jobs import in_worker
from web import i18n, render
from web.forms import form_data
from web.render import url
from web.routing import Entry

PAGE: Final = "checkin.desk.devices"

STATES: Final[Mapping[State, tuple[str, str]]] = {
    State.ONLINE: ("go", N_("Online")),
    State.QUIET: ("note", N_("Quiet")),
    State.OFFLINE: ("care", N_("Not seen")),
    State.EXPIRED: ("plain", N_("Time is over")),
    State.REVOKED: ("stop", N_("Revoked")),
}

LOCAL_WORDS: Final[Mapping[str, str]] = {
    "admitted": N_("was let in"),
    "unknown_yet": N_("was let in as unknown"),
    "refused": N_("was refused"),
    "exit": N_("went out"),
}

_MINUTES: Final[Mapping[int, str]] = {
    30: N_("30 minutes: handed over now"),
    240: N_("4 hours: this shift"),
    1440: N_("24 hours: printed for tomorrow"),
}


# --- the list ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeviceLine:
    href: str
    name: str
    volunteer: str
    places: str
    state: tuple[str, str]
    seen: str
    version: str
    waiting: int
    rights: str
    troubles: Sequence[str]
    until: str


@dataclass(frozen=True, slots=True)
class SheetChoice:
    href: str
    name: str
    open: int
    total: int
    until: str


@dataclass(frozen=True, kw_only=True)
class DevicesPage(DeskPage):
    template: ClassVar[str] = "checkin/desk/devices.html"
    lines: Sequence[DeviceLine]
    over: Sequence[DeviceLine]
    figures: Sequence[tuple[str, int, str | None]]
    sheets: Sequence[SheetChoice]
    new_href: str
    tests_href: str
    held: int
    held_href: str
    file_href: str
    is_draft: bool


async def list_page(request: Request, door: Door) -> Response:
    at, slug = datetime.now(UTC), door.event.slug
    world = await checkpoints.world(door.event.id)
    views = await devices.list_devices(door=door)
    lines = [(view.state(at), _line(door, world, view, at)) for view in views]
    ended = (State.EXPIRED, State.REVOKED)
    states = [state for state, _ in lines]
    page = DevicesPage(
        lines=[line for state, line in lines if state not in ended],
        over=[line for state, line in lines if state in ended],
        figures=[
            (i18n.gettext("Online"), states.count(State.ONLINE), None),
            (
                i18n.gettext("Not seen for 5 minutes"),
                states.count(State.OFFLINE),
                "care" if State.OFFLINE in states else None,
            ),
            (
                i18n.gettext("Scans waiting on phones"),
                sum(view.queue_length for view in views if view.state(at) is not State.REVOKED),
                None,
            ),
        ],
        sheets=[
            SheetChoice(
                href=url("checkin.desk.pairing_sheet", slug=slug, batch=one.batch),
                name=one.name,
                open=one.open,
                total=one.total,
                until=render.moment(one.expires_at, door.event.time_zone),
            )
            for one in await pairings.open_sheets(door=door, at=at)
        ],
        new_href=url("checkin.desk.pairings", slug=slug),
        tests_href=url("checkin.desk.phone_tests", slug=slug),
        held=await quarantine.count(door=door),
        held_href=url("checkin.desk.quarantine", slug=slug),
        file_href=url("checkin.desk.devices_file", slug=slug),
        is_draft=door.event.state is EventState.DRAFT,
        **frame(door, PAGE),
    )
    return private(await render.page(request, page))


def _line(door: Door, world: World, view: DeviceView, at: datetime) -> DeviceLine:
    state = view.state(at)
    kind, words = STATES[state]
    if view.wiped_at is not None:
        words = N_("Revoked, wiped")
    return DeviceLine(
        href=url("checkin.desk.device", slug=door.event.slug, device_id=view.id),
        name=view.name,
        volunteer=view.volunteer,
        places=_places(world, view.checkpoints),
        state=(kind, i18n.gettext(words)),
        seen=render.ago(view.last_seen_at, at) if view.last_seen_at else i18n.gettext("never"),
        version=view.app_version
        if view.app_version in ("", render.build())
        else i18n.gettext("%(version)s (old)") % {"version": view.app_version},
        waiting=view.queue_length,
        rights=_joined(_rights(view)),
        troubles=[render.words_for(one) for one in view.troubles(at)],
        until=render.moment(view.expires_at, door.event.time_zone),
    )


def _rights(view: DeviceView | PairingView) -> list[str]:
    given = (
        (view.is_lead, N_("lead's phone")),
        (view.may_walk_in, N_("walk-ins")),
        (view.sees_names, N_("list of names")),
    )
    return [i18n.gettext(words) for has, words in given if has]


def _places(world: World, numbers: Sequence[int]) -> str:
    locale = i18n.current_locale()
    return _joined([world.checkpoints[one].name.in_(locale) for one in numbers if one in world.checkpoints])


def _joined(words: Sequence[str]) -> str:
    return ("、" if i18n.current_locale() == "zh-Hans" else ", ").join(words)


async def devices_file(request: Request, door: Door) -> Response:
    """The list as CSV; what a spreadsheet would take for a formula is made harmless (events.exporting)."""
    del request
    at, zone = datetime.now(UTC), ZoneInfo(door.event.time_zone)
    world = await checkpoints.world(door.event.id)
    views = await devices.list_devices(door=door)
    await journal.write(
        actor=door.actor,
        verb="devices.export",
        object_kind="event",
        object_id=door.event.id,
        event_id=door.event.id,
        new={"devices": len(views)},
        at=at,
    )

    def clock(moment: datetime | None) -> Cell:
        return moment.astimezone(zone).replace(tzinfo=None, microsecond=0) if moment else ""

    titles = [
        N_("Name"), N_("Volunteer"), N_("Checkpoints"), N_("State"), N_("Last seen"), N_("Paired"), N_("Until"),
        N_("Revoked at"), N_("Version"), N_("Browser"), N_("To be sent"), N_("Rights"), N_("Problems"),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            view.name,
            view.volunteer,
            _places(world, view.checkpoints),
            view.state(at).value,
            clock(view.last_seen_at),
            clock(view.paired_at),
            clock(view.expires_at),
            clock(view.revoked_at),
            view.app_version,
            view.platform,
            view.queue_length,
            _joined(_rights(view)),
            " ".join(view.troubles(at)),
        ]
        for view in views
    ]
    body = b"".join(to_csv([i18n.gettext(title) for title in titles], rows))
    stamp = at.astimezone(zone).strftime("%Y%m%d-%H%M")
    headers = attachment(f"{door.event.slug}-devices-{stamp}.csv")
    return Response(body, media_type="text/csv; charset=utf-8", headers=headers)


async def _choices(door: Door) -> list[tuple[str, str]]:
    """The checkpoints that one may pair phones for."""
    world, scope = await checkpoints.world(door.event.id), door.checkpoint_scope(Permission.PAIR_DEVICES)
    locale = i18n.current_locale()
    return [
        (str(view.facts.id), view.name.in_(locale))
        for view in world.checkpoints.values()
        if scope is None or view.facts.id in scope
    ]


# --- codes for new phones ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PairingsPage(DeskPage):
    template: ClassVar[str] = "checkin/desk/pairings.html"
    choices: Sequence[tuple[str, str]]
    chosen: Sequence[str]
    minutes: Sequence[tuple[str, str]]
    may_give_names: bool
    form_id: str
    back: str
    action: str
    most: int
    zone: str


async def pairings_page(request: Request, door: Door) -> Response:
    """The form, and making a sheet; ``?at=`` chooses a checkpoint."""
    at, event = datetime.now(UTC), door.event
    if request.method == "GET":
        end = first_end(
            ends_on=event.ends_on,
            today=event.programme_date(at),
            zone=event.time_zone,
            day_starts_minute=event.day_starts_minute,
        )
        choices = await _choices(door)
        wanted = request.query_params.get("at", "")
        chosen = [wanted] if wanted in dict(choices) else [choices[0][0]] if len(choices) == 1 else []
        values = {
            "name": dict(choices).get(chosen[0], "") if chosen else "",
            "count": "1",
            "until": wall_clock(end, event.time_zone),
            "minutes": str(PAIRING_MINUTES[0]),
            "form": str(uuid4()),
        }
        return await _show_pairings(request, door, values, chosen, {})
    data = await form_data(request, max_fields=700)
    values, chosen = typed_values(data), chosen_many(data, "checkpoints[]")
    try:
        batch = await pairings.make(
            door=door, wanted=_wanted(door, values, chosen), form_id=_form_id(values), at=at
        )
    except Invalid as error:
        return await _show_pairings(request, door, values, chosen, _at_fields(error))
    return render.see_other(url("checkin.desk.pairing_sheet", slug=event.slug, batch=batch))


def _at_fields(error: Invalid) -> dict[str, Problem]:
    """Problems at the form's own fields."""
    names = {"checkpoints": "checkpoints[]", "device_expires_at": "until", "expires_at": "until"}
    return {names.get(name, name): problem for name, problem in error.fields.items()}


def _form_id(values: Mapping[str, str]) -> UUID:
    try:
        return UUID(values.get("form", ""))
    except ValueError:
        raise Invalid({"name": Problem(Code.MALFORMED)}) from None


def _moment(door: Door, values: Mapping[str, str]) -> datetime:
    """The field ``until``, a wall-clock time of the event. Raises Invalid."""
    try:
        wall = datetime.fromisoformat(values.get("until", ""))
        return wall.replace(tzinfo=ZoneInfo(door.event.time_zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid({"until": Problem("not_a_moment")}) from None


def _wanted(door: Door, values: Mapping[str, str], chosen: Sequence[str]) -> pairings.Wanted:
    count = whole_id(values.get("count"))
    if count is None:
        raise Invalid({"count": Problem(Code.NOT_A_NUMBER)})
    minutes = whole_id(values.get("minutes"))
    if minutes not in PAIRING_MINUTES:
        raise Invalid({"minutes": Problem(Code.NOT_A_CHOICE)})
    return pairings.Wanted(
        name=values.get("name", ""),
        count=min(count, PAIRINGS_AT_ONCE + 1),
        checkpoints=[number for one in chosen if (number := whole_id(one)) is not None],
        device_expires_at=_moment(door, values),
        minutes=minutes,
        volunteers=volunteers_of(values.get("volunteers", "")),
        sees_names=bool(values.get("sees_names")),
        is_lead=bool(values.get("is_lead")),
        may_walk_in=bool(values.get("may_walk_in")),
    )


async def _show_pairings(
    request: Request,
    door: Door,
    values: Mapping[str, str],
    chosen: Sequence[str],
    problems: Mapping[str, Problem],
) -> Response:
    slug = door.event.slug
    page = PairingsPage(
        choices=await _choices(door),
        chosen=chosen,
        minutes=[(str(number), i18n.gettext(words)) for number, words in _MINUTES.items()],
        may_give_names=door.may(Permission.SEE_REGISTRATIONS),
        form_id=values.get("form", ""),
        back=url(PAGE, slug=slug),
        action=url("checkin.desk.pairings", slug=slug),
        most=PAIRINGS_AT_ONCE,
        zone=door.event.time_zone,
        values=values,
        problems=problems,
        **frame(door, PAGE),
    )
    return private(await render.page(request, page, 422 if problems else 200))


@dataclass(frozen=True, slots=True)
class CodeCard:
    """One code of a sheet, for its phone; ``picture`` is empty once it was used or is over."""

    name: str
    volunteer: str
    picture: str
    code: str
    address: str
    state: tuple[str, str]
    href: str


@dataclass(frozen=True, kw_only=True)
class SheetPage(DeskPage):
    template: ClassVar[str] = "checkin/desk/pairing_sheet.html"
    cards: Sequence[CodeCard]
    open: int
    places: str
    rights: str
    until: str
    device_until: str
    pair_address: str
    back: str
    again_href: str
    withdraw_href: str
    is_draft: bool


def _batch(request: Request) -> UUID:
    try:
        return UUID(str(request.path_params["batch"]))
    except ValueError:
        raise NotFound(DeviceCode.PAIRING_UNKNOWN) from None


async def sheet_page(request: Request, door: Door) -> Response:
    """The codes of one sheet, on screen and on paper, and which of them were used."""
    at, event, batch = datetime.now(UTC), door.event, _batch(request)
    found = await pairings.sheet(door=door, batch=batch)
    world = await checkpoints.world(event.id)
    texts = [address_of(event.slug, one) if one.is_open(at) else "" for one in found]
    pictures = await in_worker(_pictures, texts)
    first = found[0]
    page = SheetPage(
        cards=[
            _card(door, one, picture, text, at)
            for one, picture, text in zip(found, pictures, texts, strict=True)
        ],
        open=sum(one.is_open(at) for one in found),
        places=_places(world, first.checkpoints),
        rights=_joined(_rights(first)),
        until=render.moment(first.expires_at, event.time_zone),
        device_until=render.moment(first.device_expires_at, event.time_zone),
        pair_address=render.absolute(url("checkin.pair", slug=event.slug)),
        back=url(PAGE, slug=event.slug),
        again_href=url("checkin.desk.pairings", slug=event.slug),
        withdraw_href=url("checkin.desk.pairings_withdrawal", slug=event.slug, batch=batch),
        is_draft=event.state is EventState.DRAFT,
        **frame(door, PAGE),
    )
    return private(await render.page(request, page))


def _pictures(texts: Sequence[str]) -> list[str]:
    """QR codes as data for the page itself: a secret has no address of its own that could be kept or logged."""
    return [
        f"data:image/png;base64,{base64.b64encode(cards.code_png(text, 6)).decode()}" if text else ""
        for text in texts
    ]


def _card(door: Door, one: PairingView, picture: str, text: str, at: datetime) -> CodeCard:
    if one.used_at is not None:
        state = ("go", N_("Paired"))
    elif one.withdrawn_at is not None:
        state = ("stop", N_("Withdrawn"))
    else:
        state = ("note", N_("Waits for its phone")) if one.is_open(at) else ("plain", N_("Time is over"))
    return CodeCard(
        name=one.name,
        volunteer=one.volunteer,
        picture=picture,
        code=one.code if text else "",
        address=text,
        state=(state[0], i18n.gettext(state[1])),
        href=url("checkin.desk.device", slug=door.event.slug, device_id=one.device_id)
        if one.device_id
        else "",
    )


async def withdraw(request: Request, door: Door) -> Response:
    batch = _batch(request)
    await pairings.withdraw(door=door, batch=batch, at=datetime.now(UTC))
    return render.see_other(url("checkin.desk.pairing_sheet", slug=door.event.slug, batch=batch))


# --- one phone ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DevicePage(DeskPage):
    template: ClassVar[str] = "checkin/desk/device.html"
    line: DeviceLine
    facts: Sequence[tuple[str, str]]
    choices: Sequence[tuple[str, str]]
    chosen: Sequence[str]
    may_give_names: bool
    is_revoked: bool
    is_wiped: bool
    back: str
    action: str
    revoke_href: str
    zone: str


async def device_page(request: Request, door: Door) -> Response:
    at = datetime.now(UTC)
    view = await devices.get_device(door=door, device_id=int(request.path_params["device_id"]))
    if request.method == "GET":
        values = {
            "name": view.name,
            "volunteer": view.volunteer,
            "until": wall_clock(view.expires_at, door.event.time_zone),
            "sees_names": "1" if view.sees_names else "",
            "is_lead": "1" if view.is_lead else "",
            "may_walk_in": "1" if view.may_walk_in else "",
        }
        done = i18n.gettext("Saved.") if "done" in request.query_params else ""
        chosen = [str(one) for one in view.checkpoints]
        return await _show_device(request, door, view, values=values, chosen=chosen, done=done)
    data = await form_data(request, max_fields=700)
    values, chosen = typed_values(data), chosen_many(data, "checkpoints[]")
    try:
        until = _moment(door, values)
        # The field shows minutes: one that nobody touched changes nothing.
        if wall_clock(view.expires_at, door.event.time_zone) == values.get("until"):
            until = view.expires_at
        names = bool(values.get("sees_names"))
        await devices.change(
            door=door,
            device_id=view.id,
            change=devices.Change(
                name=values.get("name", ""),
                volunteer=values.get("volunteer", ""),
                checkpoints=[number for one in chosen if (number := whole_id(one)) is not None],
                expires_at=until,
                # Who can't hand names out is shown no box for it.
                sees_names=names if door.may(Permission.SEE_REGISTRATIONS) else None,
                is_lead=bool(values.get("is_lead")),
                may_walk_in=bool(values.get("may_walk_in")),
            ),
            at=at,
        )
    except Invalid as error:
        problems = _at_fields(error)
        return await _show_device(request, door, view, values=values, chosen=chosen, problems=problems)
    path = url("checkin.desk.device", slug=door.event.slug, device_id=view.id)
    return render.see_other(render.with_query(path, done="1"))


async def _show_device(
    request: Request,
    door: Door,
    view: DeviceView,
    *,
    values: Mapping[str, str],
    chosen: Sequence[str],
    problems: Mapping[str, Problem] | None = None,
    done: str = "",
) -> Response:
    at, slug, zone = datetime.now(UTC), door.event.slug, door.event.time_zone
    world = await checkpoints.world(door.event.id)
    facts = [
        (N_("Last seen"), render.ago(view.last_seen_at, at) if view.last_seen_at else ""),
        (N_("Paired"), render.moment(view.paired_at, zone)),
        (N_("Until"), render.moment(view.expires_at, zone)),
        (N_("Revoked at"), render.moment(view.revoked_at, zone) if view.revoked_at else ""),
        (N_("Wiped"), render.moment(view.wiped_at, zone) if view.wiped_at else ""),
        (N_("Scans waiting on it"), str(view.queue_length)),
        (N_("Version"), view.app_version),
        (N_("Browser, by what it has"), view.platform),
        (N_("Another phone came"), render.moment(view.other_seen_at, zone) if view.other_seen_at else ""),
    ]
    page = DevicePage(
        line=_line(door, world, view, at),
        facts=[(i18n.gettext(title), value) for title, value in facts if value],
        choices=await _choices(door),
        chosen=chosen,
        may_give_names=door.may(Permission.SEE_REGISTRATIONS),
        is_revoked=view.revoked_at is not None,
        is_wiped=view.wiped_at is not None,
        back=url(PAGE, slug=slug),
        action=url("checkin.desk.device", slug=slug, device_id=view.id),
        revoke_href=url("checkin.desk.device_revocation", slug=slug, device_id=view.id),
        zone=zone,
        values=values,
        problems=problems or {},
        done=done,
        **frame(door, PAGE),
    )
    return private(await render.page(request, page, 422 if problems else 200))


async def revoke(request: Request, door: Door) -> Response:
    number = int(request.path_params["device_id"])
    await devices.revoke(door=door, device_id=number, at=datetime.now(UTC))
    return render.see_other(url("checkin.desk.device", slug=door.event.slug, device_id=number))


# --- what was kept apart -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeldLine:
    id: int
    name: str
    href: str
    code: str
    place: str
    way: str
    at: str
    device: str
    local: str
    is_doubtful: bool
    can_be_let_in: bool
    decided: str


@dataclass(frozen=True, kw_only=True)
class HeldPage(DeskPage):
    template: ClassVar[str] = "checkin/desk/quarantine.html"
    lines: Sequence[HeldLine]
    decided: Sequence[HeldLine]
    back: str
    let_in_href: str
    drop_href: str


async def held_page(request: Request, door: Door) -> Response:
    return await _show_held(request, door)


async def _show_held(
    request: Request,
    door: Door,
    *,
    done: str = "",
    trouble: str = "",
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
) -> Response:
    slug = door.event.slug
    world = await checkpoints.world(door.event.id)
    page = HeldPage(
        lines=[_held_line(door, world, one) for one in await quarantine.list_held(door=door)],
        decided=[
            _held_line(door, world, one) for one in await quarantine.list_held(door=door, only_open=False)
        ],
        back=url(PAGE, slug=slug),
        let_in_href=url("checkin.desk.quarantine_admission", slug=slug),
        drop_href=url("checkin.desk.quarantine_drop", slug=slug),
        done=done,
        trouble=trouble,
        values=values or {},
        problems=problems or {},
        **frame(door, PAGE),
    )
    return private(await render.page(request, page, 422 if problems else 200))


def _held_line(door: Door, world: World, one: quarantine.HeldScan) -> HeldLine:
    place = world.checkpoints.get(one.checkpoint_id)
    decided = ""
    if one.verdict:
        decided = i18n.gettext(VERDICTS[VerdictCode(one.verdict)])
    elif one.reason:
        decided = one.reason
    href = ""
    if one.registration_id is not None and door.may(Permission.SEE_REGISTRATIONS):
        href = url("checkin.staff_passport", slug=door.event.slug, registration_id=one.registration_id)
    words = LOCAL_WORDS.get(one.local)
    return HeldLine(
        id=one.id,
        name=one.name,
        href=href,
        code=one.short_code,
        place=place.name.in_(i18n.current_locale()) if place else i18n.gettext("another event's checkpoint"),
        way=i18n.gettext(DIRECTIONS[one.direction]),
        at=render.moment(one.at, door.event.time_zone),
        device=one.device,
        local=i18n.gettext(words) if words else "",
        is_doubtful=one.is_doubtful,
        can_be_let_in=one.passport_id is not None and place is not None,
        decided=decided,
    )


def _ticked(data: FormData) -> set[int]:
    return {number for one in chosen_many(data, "scans[]") if (number := whole_id(one)) is not None}


async def let_in(request: Request, door: Door) -> Response:
    data = await form_data(request, max_fields=quarantine.AT_ONCE + 10)
    answers = await quarantine.let_in(door=door, ids=_ticked(data), at=datetime.now(UTC))
    counted = sum(isinstance(one, Answer) for one in answers)
    if not answers:
        return await _show_held(
            request, door, trouble=i18n.gettext("Nothing was chosen, or somebody has decided it.")
        )
    words = i18n.ngettext("%(num)d scan went to the door.", "%(num)d scans went to the door.", counted)
    left = len(answers) - counted
    trouble = (
        i18n.ngettext("%(num)d scan could not.", "%(num)d scans could not.", left) % {"num": left}
        if left
        else ""
    )
    return await _show_held(request, door, done=words % {"num": counted} if counted else "", trouble=trouble)


async def drop(request: Request, door: Door) -> Response:
    data = await form_data(request, max_fields=quarantine.AT_ONCE + 10)
    values = typed_values(data)
    try:
        dropped = await quarantine.drop(
            door=door, ids=_ticked(data), reason=values.get("reason", ""), at=datetime.now(UTC)
        )
    except Invalid as error:
        return await _show_held(request, door, values=values, problems=error.fields)
    words = i18n.ngettext("%(num)d scan was dropped.", "%(num)d scans were dropped.", dropped)
    return await _show_held(request, door, done=words % {"num": dropped})


# --- routes ------------------------------------------------------------------------------------------------------


def _desk(path: str, handler: Any, name: str, methods: Sequence[str] = ("GET",)) -> Entry:
    return route(f"/e/{{slug}}/desk/devices{path}", handler, name, Permission.PAIR_DEVICES, methods)


ROUTES: list[Entry] = [
    _desk("", list_page, PAGE),
    _desk("/file", devices_file, "checkin.desk.devices_file", ("POST",)),
    _desk("/pairings", pairings_page, "checkin.desk.pairings", ("GET", "POST")),
    _desk("/pairings/{batch}", sheet_page, "checkin.desk.pairing_sheet"),
    _desk("/pairings/{batch}/withdrawal", withdraw, "checkin.desk.pairings_withdrawal", ("POST",)),
    _desk("/kept-apart", held_page, "checkin.desk.quarantine"),
    _desk("/kept-apart/admission", let_in, "checkin.desk.quarantine_admission", ("POST",)),
    _desk("/kept-apart/drop", drop, "checkin.desk.quarantine_drop", ("POST",)),
    _desk("/{device_id:int}", device_page, "checkin.desk.device", ("GET", "POST")),
    _desk("/{device_id:int}/revocation", revoke, "checkin.desk.device_revocation", ("POST",)),
]
