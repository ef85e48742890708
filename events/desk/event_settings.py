"""The event's own facts: names, dates, place, look, registration window, and whether the public sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from events import access, event
from events.access import Door
from events.desk import shared
from events.desk.meetups import clock
from events.desk.settings_tabs import Tabs, tabs
from events.desk.shared import DeskPage, Reader
from events.meetup_rules import write_clock
from events.rules import EVENT_MOVES, Details, EventState, Permission, is_zone
from kernel.errors import Code, Conflict, Invalid, Problem
from people import pictures, uploads
from web import forms, render
from web.routing import Entry

PAGE: Final = "events.desk.settings"
_BILINGUAL: Final = ("name", "tagline", "text", "city", "address", "contact", "privacy_notice")
#: Two languages of two long texts, three bytes a character and form-encoded to nine.
BODY_MAX: Final = 1024 * 1024
COVER_MAX: Final = 12 * 1024 * 1024
#: Wide enough for a desktop's header, and no larger than a phone on a mast should fetch.
COVER_EDGE: Final = 1600
#: Offered while typing; any zone that the machine knows is taken.
ZONES: Final = (
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Taipei",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Asia/Kolkata",
    "Asia/Dubai",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Australia/Sydney",
    "UTC",
)
_ACTIONS: Final = {
    EventState.PUBLISHED: event.publish,
    EventState.ENDED: event.end,
    EventState.DRAFT: event.hide,
}
_DONE: Final = {EventState.PUBLISHED: "published", EventState.ENDED: "ended", EventState.DRAFT: "hidden"}


@dataclass(frozen=True, kw_only=True)
class SettingsPage(DeskPage):
    template: ClassVar[str] = "events/desk/settings.html"
    state: EventState
    state_words: str
    moves: Sequence[str]
    zones: Sequence[str]
    base: str
    tabs: Tabs
    #: The cover's address, empty without one.
    cover: str
    #: Whether the reader decides about identity documents.
    is_owner: bool


async def _settings(request: Request, door: Door) -> Response:
    if request.method == "POST":
        return await _change(request, door)
    return await _show(request, door)


async def _show(
    request: Request,
    door: Door,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
    *,
    trouble: str = "",
    status: int = 200,
) -> Response:
    return await render.page(
        request,
        SettingsPage(
            **access.frame(door, PAGE),
            done=shared.done_words(request),
            trouble=trouble,
            values=values if values is not None else _values(door),
            problems=problems or {},
            state=door.event.state,
            state_words=render.words_for(door.event.state),
            moves=[str(state) for state in EventState if state in EVENT_MOVES[door.event.state]],
            zones=ZONES,
            base=render.absolute("/e/"),
            tabs=tabs(door, PAGE),
            cover=access.cover_url(door.event),
            is_owner=door.may(Permission.OWN),
        ),
        status,
    )


def _values(door: Door) -> dict[str, str]:
    facts = door.event
    values: dict[str, str] = {}
    for name in _BILINGUAL:
        values |= shared.spread(name, getattr(facts, name))
    return values | {
        "slug": facts.slug,
        "starts_on": facts.starts_on.isoformat(),
        "ends_on": facts.ends_on.isoformat(),
        "time_zone": facts.time_zone,
        "theme_colour": facts.theme_colour,
        "registration_opens_at": shared.wall_clock(facts.registration_opens_at, facts.time_zone),
        "registration_closes_at": shared.wall_clock(facts.registration_closes_at, facts.time_zone),
        "self_service_until": shared.wall_clock(facts.self_service_until, facts.time_zone),
        "starts_minute": write_clock(facts.starts_minute),
        "ends_minute": write_clock(facts.ends_minute),
        "contact_email": facts.contact_email,
        "offer_hours": str(facts.offer_hours),
        "retention_days": _number(facts.retention_days),
        "id_document_days": _number(facts.id_document_days),
    }


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


async def _change(request: Request, door: Door) -> Response:
    facts = door.event
    # What the form did not show (identity documents, to an organiser) stays as it is.
    values = _values(door) | shared.typed_values(await forms.form_data(request))
    zone = values.get("time_zone", "")
    # A wall clock needs the zone it hangs in; an unknown one is named at its own field.
    read = Reader(values, zone if is_zone(zone) else facts.time_zone)
    texts = {name: shared.gathered(values, name, getattr(facts, name)) for name in _BILINGUAL}
    details = replace(
        Details.of(facts),
        slug=read.text("slug"),
        time_zone=zone,
        theme_colour=read.text("theme_colour").lower(),
        starts_on=read.day("starts_on") or facts.starts_on,
        ends_on=read.day("ends_on") or facts.ends_on,
        registration_opens_at=read.moment("registration_opens_at"),
        registration_closes_at=read.moment("registration_closes_at"),
        self_service_until=read.moment("self_service_until"),
        starts_minute=clock(read, "starts_minute"),
        ends_minute=clock(read, "ends_minute"),
        contact_email=read.text("contact_email"),
        offer_hours=_offer_hours(read, facts.offer_hours),
        retention_days=read.whole_number("retention_days"),
        # Asking for documents is the owner's decision alone.
        id_document_days=read.whole_number("id_document_days")
        if door.may(Permission.OWN)
        else facts.id_document_days,
        contact=texts["contact"],
        privacy_notice=texts["privacy_notice"],
        name=texts["name"],
        tagline=texts["tagline"],
        text=texts["text"],
        city=texts["city"],
        address=texts["address"],
    )
    try:
        if read.problems:
            raise Invalid({**details.problems(), **read.problems})
        await event.change(actor=door.actor, event_id=facts.id, facts=details, at=shared.now())
    except Invalid as refusal:
        return await _show(request, door, values, shared.at_boxes(refusal.fields, _BILINGUAL), status=422)
    return render.see_other(render.with_query(render.url(PAGE, slug=details.slug), done="saved"))


def _offer_hours(read: Reader, old: int) -> int:
    hours = read.whole_number("offer_hours", required=True)
    return old if hours is None else hours


async def _cover(request: Request, door: Door) -> Response:
    """Puts a picture over the event, made anew from what was uploaded, or takes it away."""
    data = await forms.form_data(request)
    try:
        return await _put_cover(request, door, data)
    finally:
        await data.close()


async def _put_cover(request: Request, door: Door, data: FormData) -> Response:
    upload = data.get("cover")
    at = shared.now()
    if shared.typed_values(data).get("act") == "remove":
        await event.set_cover(actor=door.actor, event_id=door.event.id, upload_id=None, at=at)
    else:
        if not isinstance(upload, UploadFile) or not upload.filename:
            return await _show(request, door, problems={"cover": Problem("not_a_file")}, status=422)
        try:
            picture = await pictures.clean(await upload.read(), field="cover", edge=COVER_EDGE, least=200)
        except Invalid as refusal:
            return await _show(request, door, problems=refusal.fields, status=422)
        number = await uploads.keep(
            data=picture.data,
            filename=picture.filename,
            event_id=door.event.id,
            actor_key=door.actor.key,
            at=at,
        )
        await event.set_cover(actor=door.actor, event_id=door.event.id, upload_id=number, at=at)
    return shared.back_to(door, PAGE, done="saved")


async def _move(request: Request, door: Door) -> Response:
    values = shared.typed_values(await forms.form_data(request))
    state = shared.word_of(EventState, values.get("state"))
    if state is None:
        raise Invalid({"state": Problem(Code.NOT_A_CHOICE)})
    try:
        await _ACTIONS[state](actor=door.actor, event_id=door.event.id, at=shared.now())
    except Conflict as refusal:
        words = render.words_for(refusal.code, refusal.params)
        return await _show(request, door, trouble=words, status=refusal.status)
    return render.see_other(render.with_query(render.url(PAGE, slug=door.event.slug), done=_DONE[state]))


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/desk/settings",
        _settings,
        PAGE,
        Permission.CHANGE_EVENT,
        ("GET", "POST"),
        body_max=BODY_MAX,
    ),
    access.route(
        "/e/{slug}/desk/cover",
        _cover,
        "events.desk.cover",
        Permission.CHANGE_EVENT,
        ("POST",),
        body_max=COVER_MAX,
    ),
    access.route("/e/{slug}/desk/state", _move, "events.desk.state", Permission.CHANGE_EVENT, ("POST",)),
]
