"""One person at the door who is not a code: their card, a lead's word about them, and the group that they bring.

Everybody admitted from here is one ordinary scan through ``scanning``, with an id of its own in the form, so that
pressing twice on bad Wi-Fi is one scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4, uuid5

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from checkin import badges, checkpoints, notes, passports, printing, queries, scanning, staff_card, undoing
from checkin.checkpoints import CheckpointView
from checkin.lead_rules import REASON_MAX
from checkin.passports import PassportView, spoken
from checkin.rules import CheckinCode, PassportStatus, period_of
from checkin.scanner_words import STATUS_WORDS
from checkin.scanning import ScanEntry
from checkin.shown import private
from checkin.words import VERDICTS
from events import queries as events
from events.access import Door, frame, route
from events.desk.shared import whole_id
from events.rules import Permission
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem, Refusal
from kernel.text import LOCALES, LocalizedText
from web import render
from web.forms import Form, form_data, read_form, typed
from web.i18n import current_locale, gettext
from web.render import Context, url
from web.routing import Entry

#: Fields of the longest form here: everybody of a group.
FIELDS_MAX: Final = events.GROUP_AT_MOST + 20


async def _passport(request: Request, door: Door) -> PassportView:
    return await passports.by_id(door.event.id, int(request.path_params["passport_id"]))


async def person(request: Request, door: Door) -> Response:
    """Somebody found by name: the same card that the QR code opens for staff. ``?done=`` says what was just done."""
    passport = await _passport(request, door)
    done = request.query_params.get("done", "")
    return await staff_card.show(
        request, door, passport, code=passport.short_code, done=done if done in DONE else ""
    )


DONE: Final = ("undo", "note", "note_done", "badge_put", "badge_print", *staff_card.StaffCard.HANDED)


def _back(door: Door, passport: PassportView, done: str) -> Response:
    path = url("checkin.person", slug=door.event.slug, passport_id=passport.id)
    return render.see_other(render.with_query(path, done=done))


async def _again(
    request: Request, door: Door, passport: PassportView, problems: Mapping[str, Problem]
) -> Response:
    """The card once more, with what was typed."""
    values = typed(await form_data(request))
    return await staff_card.show(
        request, door, passport, code=passport.short_code, values=values, problems=problems
    )


# --- a lead's word -----------------------------------------------------------------------------------------------


class OverruleForm(Form):
    scan_id: UUID
    checkpoint: int = Field(ge=1, le=2**63 - 1)
    reason: str = Field(min_length=1, max_length=REASON_MAX)


async def overrule(request: Request, door: Door) -> Response:
    """Admits against a refusal, with a reason. The same form again is the same scan."""
    passport = await _passport(request, door)
    try:
        form = read_form(await form_data(request), OverruleForm)
    except Invalid as error:
        return await _again(request, door, passport, error.fields)
    entry = ScanEntry(form.scan_id, passport.short_code, form.checkpoint, reason=form.reason)
    answer = await scanning.scan(door=door, entry=entry, at=datetime.now(UTC))
    return await staff_card.answered(request, door, passport, answer, code=passport.short_code)


class UndoForm(Form):
    scan_id: UUID
    target: UUID
    undo_reason: str = Field(min_length=1, max_length=REASON_MAX)


async def undo(request: Request, door: Door) -> Response:
    """Takes one of the last minutes' scans back, with a reason."""
    passport = await _passport(request, door)
    try:
        form = read_form(await form_data(request), UndoForm)
    except Invalid as error:
        return await _again(request, door, passport, error.fields)
    try:
        await undoing.undo(
            door=door, scan_id=form.scan_id, target=form.target, reason=form.undo_reason, at=datetime.now(UTC)
        )
    except Conflict as error:
        return await _again(request, door, passport, {"undo_reason": Problem(error.code)})
    return _back(door, passport, "undo")


async def leave_note(request: Request, door: Door) -> Response:
    """A word to staff about this person, in one language or both, with or without a call for attention."""
    passport = await _passport(request, door)
    values = typed(await form_data(request))
    text = LocalizedText.of({tag: values.get(f"text.{tag}", "").strip() for tag in LOCALES})
    try:
        await notes.leave(
            actor=door.actor,
            event_id=door.event.id,
            passport_id=passport.id,
            text=text,
            attention=bool(values.get("attention")),
            at=datetime.now(UTC),
        )
    except Invalid as error:
        problems = {f"text.{LOCALES[0]}": problem for problem in error.fields.values()}
        return await _again(request, door, passport, problems)
    return _back(door, passport, "note")


async def finish_note(request: Request, door: Door) -> Response:
    passport = await _passport(request, door)
    number = whole_id(typed(await form_data(request)).get("note"))
    await notes.finish(
        actor=door.actor,
        event_id=door.event.id,
        passport_id=passport.id,
        note_id=number or 0,
        at=datetime.now(UTC),
    )
    return _back(door, passport, "note_done")


# --- the badge ---------------------------------------------------------------------------------------------------


class BadgeForm(Form):
    id: UUID


async def hand_badge_over(request: Request, door: Door) -> Response:
    """The badge is in its holder's hands; nobody is let in by it."""
    passport, form = await _passport(request, door), read_form(await form_data(request), BadgeForm)
    done = await badges.hand_over(
        actor=door.actor,
        event_id=door.event.id,
        passport_id=passport.id,
        act_id=form.id,
        at=datetime.now(UTC),
    )
    return _back(door, passport, f"badge-{done.said}")


async def take_badge_back(request: Request, door: Door) -> Response:
    passport, form = await _passport(request, door), read_form(await form_data(request), BadgeForm)
    done = await badges.take_it_back(
        actor=door.actor,
        event_id=door.event.id,
        passport_id=passport.id,
        act_id=form.id,
        at=datetime.now(UTC),
    )
    return _back(door, passport, f"badge-{done.said}")


class PrintForm(Form):
    id: UUID
    station: int = Field(ge=1, le=2**63 - 1)


async def print_badge(request: Request, door: Door) -> Response:
    """The badge is wanted at a print station; the same form again is the same job."""
    passport, form = await _passport(request, door), read_form(await form_data(request), PrintForm)
    await printing.ask(
        actor=door.actor,
        event_id=door.event.id,
        station_id=form.station,
        passport_id=passport.id,
        request_id=form.id,
        at=datetime.now(UTC),
    )
    return _back(door, passport, "badge_print")


# --- a group -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonLine:
    """Somebody of a list: ``said`` is the verdict just given, (tone, words)."""

    passport_id: int
    name: str
    about: str
    short_code: str
    #: When they came, in the event's time; empty for those who are still to come.
    here_since: str
    said: tuple[str, str] | None = None
    #: Not confirmed: the verdict says more.
    status: str = ""
    is_ticked: bool = True


@dataclass(frozen=True, kw_only=True)
class GroupPage(Context):
    template: ClassVar[str] = "checkin/group.html"
    name: str
    people: Sequence[PersonLine]
    here: int
    #: (words, href, current)
    places: Sequence[tuple[str, str, bool]]
    checkpoint_id: int
    checkpoint: str
    form_id: str
    action: str
    back: str
    #: How many of those ticked were let in, and how many were ticked; None before anybody was.
    admitted: tuple[int, int] | None = None


def own_checkpoints(door: Door, world: checkpoints.World) -> list[CheckpointView]:
    """Where the actor may scan, in the event's order."""
    scope = door.checkpoint_scope()
    return [view for view in world.checkpoints.values() if scope is None or view.facts.id in scope]


def chosen(own: Sequence[CheckpointView], wanted: int | None, last: str) -> CheckpointView:
    """The checkpoint asked for, the one scanned at last, or the first. Raises Forbidden without any."""
    if not own:
        raise Forbidden(CheckinCode.CHECKPOINT_NOT_YOURS)
    by_id = {view.facts.id: view for view in own}
    return by_id.get(wanted or 0) or by_id.get(whole_id(last) or 0) or own[0]


def admission_id(form_id: UUID, passport_id: int) -> UUID:
    """One scan id for each person of a form: sent twice, it is the same scan."""
    return uuid5(form_id, f"passport {passport_id}")


async def group(request: Request, door: Door) -> Response:
    """The list that a leader opens: everybody of the group, ticked unless here; ``?at=`` another checkpoint."""
    leader = await _passport(request, door)
    led = (await events.groups_led([leader.registration_id])).get(leader.registration_id)
    if led is None:
        raise NotFound()
    now = datetime.now(UTC)
    world = await checkpoints.world(door.event.id)
    data: Any = await form_data(request, max_fields=FIELDS_MAX) if request.method == "POST" else {}
    own = own_checkpoints(door, world)
    last = request.cookies.get(staff_card.place_cookie(door.event), "")
    wanted = whole_id(data.get("checkpoint") if data else request.query_params.get("at"))
    view = chosen(own, wanted, last)
    period = period_of(view.facts, at=now, programme_date=world.programme_date(now))
    ids = await events.group_members(door.event.id, led.id)

    async def read() -> list[queries.Member]:
        return await queries.members(
            event_id=door.event.id, registration_ids=ids, list_id=view.facts.list_id, period=period
        )

    people, form_id = await read(), uuid4()
    said: dict[int, scanning.Answer | Refusal] = {}
    if data:
        form_id = _uuid(str(data.get("form", "")))
        ticked = {whole_id(str(one)) for one in data.getlist("people[]")}
        picked = [one for one in people if one.passport_id in ticked]
        if len(picked) < len(ticked):
            raise Invalid({"people[]": Problem(CheckinCode.NOT_OF_THE_GROUP)})
        answers = await scanning.scan_batch(
            door=door,
            entries=[
                ScanEntry(admission_id(form_id, one.passport_id), one.short_code, view.facts.id)
                for one in picked
            ],
            at=now,
        )
        said = {one.passport_id: answer for one, answer in zip(picked, answers, strict=True)}
        people = await read()
    slug = door.event.slug
    path = url("checkin.person_group", slug=slug, passport_id=leader.id)
    locale = current_locale()
    page = GroupPage(
        **frame(door, "checkin.scanner"),
        name=led.name,
        people=[
            _line(door, one, world, said.get(one.passport_id), ticked=not one.here_since) for one in people
        ],
        here=sum(1 for one in people if one.here_since),
        places=[
            (one.name.in_(locale), render.with_query(path, at=str(one.facts.id)), one is view) for one in own
        ]
        if len(own) > 1
        else (),
        checkpoint_id=view.facts.id,
        checkpoint=view.name.in_(locale),
        # After a form was sent the next one is another: its scans are new ones.
        form_id=str(uuid4()),
        action=path,
        back=url("checkin.person", slug=slug, passport_id=leader.id),
        admitted=(sum(1 for one in said.values() if is_in(one)), len(said)) if data else None,
    )
    return private(await render.page(request, page))


def is_in(answer: scanning.Answer | Refusal) -> bool:
    return isinstance(answer, scanning.Answer) and answer.tone == "go"


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid({"form": Problem(CheckinCode.SCAN_MALFORMED)}) from None


def _line(
    door: Door,
    one: queries.Member,
    world: checkpoints.World,
    answer: scanning.Answer | Refusal | None,
    *,
    ticked: bool,
) -> PersonLine:
    words = world.ticket_types.get(one.ticket_type_id)
    about = [one.line, words.name.in_(current_locale()) if words else "", staff_card.badge_words(one.badge)]
    return PersonLine(
        passport_id=one.passport_id,
        name=one.name,
        about=" · ".join(part for part in about if part),
        short_code=spoken(one.short_code),
        here_since=render.clock(one.here_since, door.event.time_zone) if one.here_since else "",
        said=said_of(answer) if answer is not None else None,
        status="" if one.status is PassportStatus.VALID else gettext(STATUS_WORDS[one.status]),
        is_ticked=ticked and one.status is PassportStatus.VALID,
    )


def said_of(answer: scanning.Answer | Refusal) -> tuple[str, str]:
    """A verdict's tone and words, or why the scan was not taken."""
    if isinstance(answer, Refusal):
        return "stop", render.words_for(answer.code)
    return answer.tone.value, gettext(VERDICTS[answer.verdict])


def _person(
    path: str, handler: Any, name: str, permission: Permission, methods: Sequence[str] = ("GET",)
) -> Entry:
    return route(f"/e/{{slug}}/people/{{passport_id:int}}{path}", handler, name, permission, methods)


ROUTES: list[Entry] = [
    _person("", person, "checkin.person", Permission.SCAN),
    _person("/overrule", overrule, "checkin.person_overrule", Permission.OVERRIDE, ("POST",)),
    _person("/undo", undo, "checkin.person_undo", Permission.OVERRIDE, ("POST",)),
    _person("/note", leave_note, "checkin.person_note", Permission.OVERRIDE, ("POST",)),
    _person("/note/done", finish_note, "checkin.person_note_done", Permission.OVERRIDE, ("POST",)),
    _person("/badge", hand_badge_over, "checkin.person_badge", Permission.SCAN, ("POST",)),
    _person("/badge/print", print_badge, "checkin.person_print", Permission.SCAN, ("POST",)),
    _person("/badge/back", take_badge_back, "checkin.person_badge_back", Permission.OVERRIDE, ("POST",)),
    _person("/group", group, "checkin.person_group", Permission.SCAN, ("GET", "POST")),
]

__all__ = ["ROUTES", "admission_id", "chosen", "is_in", "own_checkpoints", "said_of"]
