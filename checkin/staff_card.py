"""The card of one passport for staff: who it is, where to scan it, and what a lead may do about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from checkin import badges, checkpoints, notes, printing, queries, scanning
from checkin.badge_rules import Handing
from checkin.lead_rules import MAY_BE_OVERRULED, UNDO_WITHIN
from checkin.notes import Note
from checkin.passports import PassportView
from checkin.queries import Badge
from checkin.rules import Direction
from checkin.scanner_words import KIND_WORDS
from checkin.shown import PassportShown, private, shown_of
from checkin.words import HANDING, HANDING_TONES, VERDICT_HELP, VERDICTS
from events import queries as events
from events.access import Door, frame
from events.desk.shared import whole_id
from events.rules import EventFacts, Permission
from kernel.errors import Problem
from web import render, signin
from web.i18n import current_locale, gettext, gettext_in, ngettext
from web.render import FormContext, url

#: The checkpoint that somebody scanned at last, for the page that works without JavaScript.
PLACE_LASTS: Final = timedelta(days=3)


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


@dataclass(frozen=True, slots=True)
class Slip:
    """A scan that may be taken back; ``scan_id`` is the undo's own."""

    target: str
    scan_id: str
    words: str
    when: str
    checkpoint: str


@dataclass(frozen=True, slots=True)
class BadgeShown:
    """A badge on the card: where it lies, and what was done with it, in words."""

    where: str
    done: Sequence[str]
    is_out: bool
    act_id: str
    #: (id, name) of the stations that print it; empty: one's own browser does.
    stations: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, kw_only=True)
class StaffCard(FormContext):
    template: ClassVar[str] = "checkin/staff_card.html"
    #: By what was just done with a badge: a tone and words.
    HANDED: ClassVar[Mapping[str, tuple[str, str]]] = {
        f"badge-{said}": (HANDING_TONES[said].value, HANDING[said]) for said in Handing
    }
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
    #: Pressed by a lead: admit against the refusal that the page shows.
    overrule: ScanButton | None = None
    #: Scans of the last minutes that a lead may take back.
    slips: Sequence[Slip] = ()
    #: Whether the reader is a lead here, who leaves notes and marks them done.
    is_lead: bool = False
    note: Note | None = None
    note_text: str = ""
    #: What stands on the badge, what was done with it, and the ids of the next act's form.
    badge: BadgeShown | None = None
    #: The group that this person opens: its name, its size, the page of its list.
    group: tuple[str, int, str] | None = None


def place_cookie(event: EventFacts) -> str:
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


async def show(
    request: Request,
    door: Door,
    passport: PassportView | None,
    *,
    code: str,
    answer: scanning.Answer | None = None,
    done: str = "",
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, Problem] | None = None,
) -> Response:
    """The card as a page; with ``answer`` the verdict stands on top, with ``problems`` what was typed stands again."""
    locale = current_locale()
    last = str(answer.checkpoint_id) if answer else request.cookies.get(place_cookie(door.event), "")
    world = await checkpoints.world(door.event.id)
    is_lead = door.may(Permission.OVERRIDE)
    note = next(iter(await notes.of(passport.id)), None) if passport else None
    note = note if note is not None and note.done_at is None else None
    main, others = await _buttons(door, last) if door.may(Permission.SCAN) else ([], [])
    page = StaffCard(
        **frame(door, "checkin.scanner"),
        shown=await shown_of(passport) if passport else None,
        code=code,
        main=main,
        others=others,
        verdict=said(answer, door.event) if answer else None,
        may_change=passport is not None and door.may(Permission.CHANGE_REGISTRATIONS),
        may_print=passport is not None and door.may(Permission.SEE_REGISTRATIONS),
        is_replaced=passport is not None and not passport.is_live,
        done=done,
        overrule=_overrule(door, answer, world) if answer else _overrule_again(door, values or {}, world),
        slips=await _slips(door, passport.id) if passport and is_lead else (),
        is_lead=passport is not None and is_lead,
        note=note,
        note_text=note.text.in_(locale) if note else "",
        badge=await _badge(door, passport) if passport and door.may(Permission.SCAN) else None,
        group=await _group(door, passport) if passport and door.may(Permission.SCAN) else None,
        values=values or {},
        problems=problems or {},
    )
    return private(await render.page(request, page, 422 if problems else 200))


async def answered(
    request: Request, door: Door, passport: PassportView | None, answer: scanning.Answer, *, code: str
) -> Response:
    """The card with the verdict of a scan just made; its checkpoint comes first next time."""
    response = await show(request, door, passport, code=code, answer=answer)
    signin.set_cookie(response, place_cookie(door.event), str(answer.checkpoint_id), lasts=PLACE_LASTS)
    return response


def _overrule(door: Door, answer: scanning.Answer, world: checkpoints.World) -> ScanButton | None:
    own = door.checkpoint_scope(Permission.OVERRIDE)
    may = own is None or answer.checkpoint_id in own
    if not may or answer.holder is None or answer.verdict not in MAY_BE_OVERRULED:
        return None
    return _to_overrule(world.checkpoints[answer.checkpoint_id], str(uuid.uuid4()))


def _overrule_again(door: Door, values: Mapping[str, str], world: checkpoints.World) -> ScanButton | None:
    """The form that was sent without a reason."""
    own = door.checkpoint_scope(Permission.OVERRIDE)
    view = world.checkpoints.get(whole_id(values.get("checkpoint")) or 0)
    if view is None or (own is not None and view.facts.id not in own):
        return None
    return _to_overrule(view, values.get("scan_id", ""))


def _to_overrule(view: checkpoints.CheckpointView, scan_id: str) -> ScanButton:
    return ScanButton(
        checkpoint_id=view.facts.id,
        checkpoint=view.name.in_(current_locale()),
        kind=gettext(KIND_WORDS[view.facts.kind]),
        direction=Direction.ENTRY.value,
        scan_id=scan_id,
        is_open=view.facts.is_open,
    )


async def _slips(door: Door, passport_id: int) -> list[Slip]:
    own = door.checkpoint_scope(Permission.OVERRIDE)
    world = await checkpoints.world(door.event.id)
    return [
        Slip(
            target=str(one.scan_id),
            scan_id=str(uuid.uuid4()),
            words=gettext(VERDICTS[one.verdict]),
            when=render.clock(one.at, door.event.time_zone),
            checkpoint=world.checkpoints[one.checkpoint_id].name.in_(current_locale()),
        )
        for one in await queries.latest_scans(passport_id, since=datetime.now(UTC) - UNDO_WITHIN)
        if (own is None or one.checkpoint_id in own) and one.checkpoint_id in world.checkpoints
    ]


async def _group(door: Door, passport: PassportView) -> tuple[str, int, str] | None:
    led = (await events.groups_led([passport.registration_id])).get(passport.registration_id)
    if led is None:
        return None
    people = len(await events.group_members(door.event.id, led.id))
    href = url("checkin.person_group", slug=door.event.slug, passport_id=passport.id)
    return (led.name, people, href) if people else None


def badge_words(badge: Badge | None) -> str:
    """ "Box C · 217", as it is looked for; empty where neither was given."""
    if badge is None:
        return ""
    box = gettext("Box %(box)s") % {"box": badge.box} if badge.box else ""
    return " · ".join(part for part in (box, str(badge.number) if badge.number is not None else "") if part)


async def _badge(door: Door, passport: PassportView) -> BadgeShown:
    facts = await badges.of(passport)
    done = []
    if facts.printed_at:
        when = render.moment(facts.printed_at, door.event.time_zone)
        done.append(gettext("Printed %(when)s") % {"when": when})
    if facts.reprints:
        done.append(
            ngettext("Printed again %(num)d time", "Printed again %(num)d times", facts.reprints)
            % {"num": facts.reprints}
        )
    if facts.handed_over_at:
        when = render.moment(facts.handed_over_at, door.event.time_zone)
        done.append(gettext("Handed over %(when)s") % {"when": when})
    stations = [(one.id, one.name) for one in await printing.stations(door.event.id)]
    return BadgeShown(badge_words(facts.badge), done, facts.is_out, str(uuid.uuid4()), stations)


def said(answer: scanning.Answer, event: EventFacts) -> VerdictShown:
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
