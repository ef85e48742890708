"""The JSON of paired phones: spending a pairing, what a phone has to know, what it says; and the lead's side of it for
programs.

What a phone asks for opens to everybody, and then to a device's token alone: so a revoked or expired device is told
why it stands outside (401 with the reason's code), and may still hand over what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import checkpoints, conflicts, device_rules, devices, pairings, rehearsals
from checkin.conflict_api import ConflictFacts
from checkin.conflict_api import as_json as conflict_json
from checkin.device_rules import (
    PAIRING_MINUTES,
    PAIRINGS_AT_ONCE,
    DeviceCode,
    State,
    last_moment,
)
from checkin.devices import DeviceView
from checkin.snapshot_api import DoorFacts, facts_of
from events.access import Door, route
from events.json_api import Body, Line, Moment, OnceBody, RowId, Shape, answer, now, once, once_id, read_body
from events.rules import Permission
from kernel.errors import NotFound
from people import limits
from web import render
from web.api_doc import ApiDoc
from web.routing import Entry

Texts = dict[str, str]
#: A phone's words about itself; what is too long is cut, never refused: it must not keep anybody from scanning.
Words = Annotated[str, AfterValidator(lambda text: "".join(char for char in text if char.isprintable())[:80])]


# --- shapes ------------------------------------------------------------------------------------------------------


class Phone(Body):
    """What a phone sends to become a device. `code` is the QR code's text or what was typed; `instance` a random UUID
    that the phone keeps: it alone may send the same again. `checks` says what the phone can. `replaces`: the token that the phone has
    for this event, if any; it then stays the same device."""

    code: Line
    instance: Annotated[UUID, Field(strict=False)]
    app_version: Words = ""
    platform: Words = ""
    checks: dict[Annotated[str, Field(max_length=20)], bool] = Field(default={}, max_length=12)
    replaces: Annotated[str, Field(max_length=200)] = ""


class OwnDevice(Shape):
    """What a phone is now, and until when."""

    id: int
    name: str
    volunteer: str
    checkpoints: list[int]
    sees_names: bool
    is_lead: bool
    may_walk_in: bool
    paired_at: datetime
    expires_at: datetime


class PairedPhone(Shape):
    """The token is shown this one time; it goes into `Authorization: Bearer hwd_…` from now on."""

    token: str
    device: OwnDevice


class DeviceEvent(Shape):
    """The event as a phone has to know it; `ends_at` is the end of its last programme day."""

    slug: str
    names: Texts
    time_zone: str
    day_starts_minute: int
    ends_at: datetime


class DeviceApp(Shape):
    """The version of the scanner that the server gives out now."""

    version: str


class Rehearsal(Shape):
    """A rehearsal that is on, and when it ends by itself."""

    ends_at: datetime


class DeviceNews(Shape):
    """What a device is, where it scans, and how the event stands."""

    server_time: datetime
    device: OwnDevice
    event: DeviceEvent
    rehearsal: Rehearsal | None
    checkpoints: list[DoorFacts]
    app: DeviceApp
    #: Its own scans of which it told somebody something else than the server decided, until dealt with.
    conflicts: list[ConflictFacts]
    #: Codes of what is wrong with this device, as the phone told and the server sees.
    problems: list[str]


class DeviceReport(Body):
    """What a phone says every half minute while its page is open."""

    instance: Annotated[UUID, Field(strict=False)]
    app_version: Words = ""
    queue_length: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    snapshot_version: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    problems: list[Words] = Field(default=[], max_length=20)


class ListedDevice(Shape):
    """A device as whoever leads the door sees it."""

    id: int
    name: str
    volunteer: str
    checkpoints: list[int]
    sees_names: bool
    is_lead: bool
    may_walk_in: bool
    state: State
    paired_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    wiped_at: datetime | None
    last_seen_at: datetime | None
    app_version: str
    platform: str
    queue_length: int
    snapshot_version: int | None
    problems: list[str]


class Devices(Shape):
    server_time: datetime
    devices: list[ListedDevice]


class NewPairings(OnceBody):
    """Codes for some phones. `minutes`: how long the codes wait; `until`: when the devices end (without it, with the
    event's last programme day); `volunteers`: who carries them, in order."""

    name: Line
    count: Annotated[int, Field(ge=1, le=PAIRINGS_AT_ONCE)] = 1
    checkpoints: Annotated[list[RowId], Field(min_length=1, max_length=500)]
    until: Moment | None = None
    minutes: Annotated[int, Field(ge=1, le=10_080)] = PAIRING_MINUTES[0]
    volunteers: list[Line] = Field(default=[], max_length=PAIRINGS_AT_ONCE)
    sees_names: bool = False
    is_lead: bool = False
    may_walk_in: bool = False


class Pairing(Shape):
    """One code: `address` is what its QR code says, `code` is for typing. Both are empty once it was used."""

    id: int
    name: str
    volunteer: str
    address: str
    code: str
    expires_at: datetime
    device_id: int | None


class Pairings(Shape):
    batch: UUID
    pairings: list[Pairing]


class DeviceChange(Body):
    """What is sent is changed, the rest stays."""

    name: Line | None = None
    volunteer: Line | None = None
    checkpoints: Annotated[list[RowId], Field(min_length=1, max_length=500)] | None = None
    expires_at: Moment | None = None
    sees_names: bool | None = None
    is_lead: bool | None = None
    may_walk_in: bool | None = None


# --- the phone's side --------------------------------------------------------------------------------------------


async def pair(request: Request, door: Door) -> Response:
    body = await read_body(request, Phone)
    phone = pairings.Phone(body.instance, body.app_version, body.platform, body.checks, body.replaces)
    try:
        found = await pairings.pair(event_id=door.event.id, code=body.code, phone=phone, at=now())
    except NotFound:
        # Counted after it failed, so that a right code always opens (people.rules.FAILED_PER_NETWORK).
        await limits.count_failed_token(request)
        raise
    view = await devices.view_of(event_id=door.event.id, device_id=found.device_id)
    return answer(PairedPhone(token=found.token, device=_own(view)))


async def own(request: Request, door: Door) -> Response:
    del request
    devices.only_device(door)
    return answer(await news(door, await devices.own_view(door.actor)))


async def seen(request: Request, door: Door) -> Response:
    devices.only_device(door)
    body = await read_body(request, DeviceReport)
    report = devices.Report(
        instance=body.instance,
        app_version=body.app_version,
        queue_length=body.queue_length,
        snapshot_version=body.snapshot_version,
        problems=body.problems,
    )
    view = await devices.seen(actor=door.actor, report=report, at=now())
    return answer(await news(door, view))


async def news(door: Door, view: DeviceView) -> DeviceNews:
    """The answer of ``own`` and ``seen``."""
    at, event = now(), door.event
    world = await checkpoints.world(event.id)
    return DeviceNews(
        server_time=at,
        device=_own(view),
        event=DeviceEvent(
            slug=event.slug,
            names=dict(event.name),
            time_zone=event.time_zone,
            day_starts_minute=event.day_starts_minute,
            ends_at=last_moment(event.ends_on, event.time_zone, event.day_starts_minute),
        ),
        rehearsal=Rehearsal(ends_at=ends_at) if (ends_at := rehearsals.in_world(world, at)) else None,
        checkpoints=[DoorFacts(**one) for one in facts_of(world, frozenset(view.checkpoints))["checkpoints"]],
        app=DeviceApp(version=render.build()),
        conflicts=[
            ConflictFacts(**conflict_json(one)) for one in await conflicts.of_actor(event.id, door.actor.key)
        ],
        problems=view.troubles(at),
    )


def _own(view: DeviceView) -> OwnDevice:
    return OwnDevice.model_validate(view)


# --- the lead's side, for programs -------------------------------------------------------------------------------


def listed(view: DeviceView, at: datetime) -> ListedDevice:
    values: dict[str, Any] = {
        name: getattr(view, name)
        for name in ListedDevice.model_fields
        if name not in ("state", "problems", "checkpoints")
    }
    return ListedDevice(
        **values,
        checkpoints=list(view.checkpoints),
        state=view.state(at),
        problems=view.troubles(at),
    )


async def list_devices(request: Request, door: Door) -> Response:
    del request
    at = now()
    found = await devices.list_devices(door=door)
    return answer(Devices(server_time=at, devices=[listed(view, at) for view in found]))


async def make_pairings(request: Request, door: Door) -> Response:
    body = await read_body(request, NewPairings)
    at, event = now(), door.event
    wanted = pairings.Wanted(
        name=body.name,
        count=body.count,
        checkpoints=body.checkpoints,
        device_expires_at=body.until
        or device_rules.first_end(
            ends_on=event.ends_on,
            today=event.programme_date(at),
            zone=event.time_zone,
            day_starts_minute=event.day_starts_minute,
        ),
        minutes=body.minutes,
        volunteers=body.volunteers,
        sees_names=body.sees_names,
        is_lead=body.is_lead,
        may_walk_in=body.may_walk_in,
    )
    batch = await pairings.make(door=door, wanted=wanted, form_id=once_id(request, body), at=at)
    found = await pairings.sheet(door=door, batch=batch)
    return answer(Pairings(batch=batch, pairings=[_pairing(door, one) for one in found]), 201)


def _pairing(door: Door, view: pairings.PairingView) -> Pairing:
    return Pairing(
        id=view.id,
        name=view.name,
        volunteer=view.volunteer,
        address=address_of(door.event.slug, view) if view.secret else "",
        code=view.code,
        expires_at=view.expires_at,
        device_id=view.device_id,
    )


def address_of(slug: str, view: pairings.PairingView) -> str:
    """What the QR code says: the secret stands behind the #, so that opening the page tells it to nobody."""
    return f"{render.absolute(f'/e/{slug}/pair')}#{view.fragment}"


async def change(request: Request, door: Door) -> Response:
    body = await read_body(request, DeviceChange)
    at, number = now(), int(request.path_params["device_id"])
    wanted = devices.Change(**body.model_dump())

    async def action() -> Mapping[str, Any]:
        view = await devices.change(door=door, device_id=number, change=wanted, at=at)
        return listed(view, at).model_dump(mode="json")

    return answer(ListedDevice(**await once(request, door, body, action, at=at, required=False)))


async def revoke(request: Request, door: Door) -> Response:
    at = now()
    view = await devices.revoke(door=door, device_id=int(request.path_params["device_id"]), at=at)
    return answer(listed(view, at))


_OVER: Final = (DeviceCode.REVOKED, DeviceCode.EXPIRED)


def _phones(summary: str, given: type[Shape], **more: Any) -> ApiDoc:
    return ApiDoc(tag="Paired phones", summary=summary, answer=given, **more)


ROUTES: list[Entry] = [
    route(
        "/e/{slug}/api/devices/pair",
        pair,
        "checkin.api.pair",
        Permission.VIEW_PUBLIC,
        ("POST",),
        api=_phones(
            "Spends a pairing code and gives the device's token; the same phone may repeat it.",
            PairedPhone,
            body=Phone,
            refusals={
                404: (DeviceCode.PAIRING_UNKNOWN,),
                410: (DeviceCode.PAIRING_USED, DeviceCode.PAIRING_WITHDRAWN, DeviceCode.PAIRING_OVER),
            },
        ),
    ),
    route(
        "/e/{slug}/api/device",
        own,
        "checkin.api.device",
        Permission.VIEW_PUBLIC,
        api=_phones(
            "What the asking device is, and all that it needs to judge by itself.",
            DeviceNews,
            refusals={401: _OVER},
        ),
    ),
    route(
        "/e/{slug}/api/device/seen",
        seen,
        "checkin.api.device_seen",
        Permission.VIEW_PUBLIC,
        ("POST",),
        api=_phones(
            "A device says every half minute that it is there.",
            DeviceNews,
            body=DeviceReport,
            refusals={401: _OVER},
        ),
    ),
    route(
        "/e/{slug}/api/devices",
        list_devices,
        "checkin.api.devices",
        Permission.PAIR_DEVICES,
        api=_phones("The devices, the newest first.", Devices),
    ),
    route(
        "/e/{slug}/api/device-pairings",
        make_pairings,
        "checkin.api.pairings_new",
        Permission.PAIR_DEVICES,
        ("POST",),
        api=_phones(
            "Makes codes for some phones.",
            Pairings,
            status=201,
            body=NewPairings,
            is_once=True,
            refusals={
                409: (DeviceCode.TOO_MANY_PAIRINGS,),
                422: (DeviceCode.NAMES_NOT_YOURS, DeviceCode.ENDS_PAST),
            },
        ),
    ),
    route(
        "/e/{slug}/api/devices/{device_id:int}",
        change,
        "checkin.api.device_change",
        Permission.PAIR_DEVICES,
        ("PATCH",),
        api=_phones(
            "Changes what is sent of a device.",
            ListedDevice,
            body=DeviceChange,
            is_once=True,
            refusals={404: (DeviceCode.UNKNOWN,), 410: (DeviceCode.REVOKED,)},
        ),
    ),
    route(
        "/e/{slug}/api/devices/{device_id:int}/revocation",
        revoke,
        "checkin.api.device_revocation",
        Permission.PAIR_DEVICES,
        ("POST",),
        api=_phones("Ends a device for good, at once.", ListedDevice, refusals={404: (DeviceCode.UNKNOWN,)}),
    ),
]
