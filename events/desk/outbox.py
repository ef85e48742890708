"""The event's letters: what has left, what waits, what failed and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access
from events.access import Door
from events.desk import reminders, shared
from events.desk.shared import DeskPage
from events.rules import Permission
from kernel.errors import Code, Conflict, Invalid, NotFound, Problem
from kernel.text import N_
from people import letters
from people import queries as people
from people.queries import LetterFacts
from people.rules import LETTER_ACTS, UNSENT, LetterAct, LetterState
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.outbox"
_KINDS: Final = {
    LetterState.DRAFT: "care",
    LetterState.WAITING: "plain",
    LetterState.SENDING: "note",
    LetterState.SENT: "go",
    LetterState.FAILED: "stop",
    LetterState.HELD: "care",
    LetterState.DISCARDED: "plain",
}


@dataclass(frozen=True, slots=True)
class LetterRow:
    subject: str
    to_email: str
    state: str
    kind: str
    at: str
    problem: str
    tries: int
    acts: Sequence[tuple[str, str]]
    act_href: str
    href: str


@dataclass(frozen=True, kw_only=True)
class OutboxPage(DeskPage):
    template: ClassVar[str] = "events/desk/outbox.html"
    reminders: Sequence[reminders.ReminderLine]
    rows: Sequence[LetterRow]
    chips: Sequence[tuple[str, str, int | None, bool]]
    first: int
    last: int
    total: int
    previous_href: str | None
    next_href: str | None
    state: str
    has_smtp: bool
    is_stuck: bool
    is_full: bool
    free_at: str
    sent_last_hour: int
    per_hour: int
    failed: int


async def _outbox(request: Request, door: Door) -> Response:
    return await _show(request, door)


async def _show(request: Request, door: Door, *, trouble: str = "", status: int = 200) -> Response:
    params = request.query_params
    state = shared.word_of(LetterState, params.get("state"))
    found = await people.letters(door.event.id, state, shared.whole_page(params.get("page")))
    whole = await people.outbox_state(shared.settings(), shared.now())
    here = render.url(LIST, slug=door.event.slug)
    return await render.page(
        request,
        OutboxPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            trouble=trouble,
            reminders=await reminders.lines(door),
            rows=[_row(door, letter) for letter in found.items],
            chips=[
                (i18n.gettext(N_("All")), here, sum(found.by_state.values()), state is None),
                *(
                    (
                        render.words_for(one),
                        render.with_query(here, state=one),
                        found.by_state.get(one, 0),
                        one is state,
                    )
                    for one in LetterState
                    if found.by_state.get(one) or one is state
                ),
            ],
            first=found.first,
            last=found.last,
            total=found.total,
            previous_href=render.with_query(here, state=state, page=found.page - 1)
            if found.page > 1
            else None,
            next_href=render.with_query(here, state=state, page=found.page + 1)
            if found.last < found.total
            else None,
            state=str(state or ""),
            has_smtp=whole.has_smtp,
            is_stuck=whole.unreachable,
            is_full=whole.is_full,
            free_at=render.clock(whole.free_at, door.event.time_zone) if whole.free_at else "",
            sent_last_hour=whole.sent_last_hour,
            per_hour=whole.per_hour,
            failed=found.by_state.get(LetterState.FAILED, 0),
        ),
        status,
    )


def _row(door: Door, letter: LetterFacts) -> LetterRow:
    at = letter.sent_at or letter.created_at
    known = letter.problem in render.known_words()
    return LetterRow(
        subject=letter.subject,
        to_email=letter.to_email,
        state=render.words_for(letter.state),
        kind=_KINDS[letter.state],
        at=render.moment(at, door.event.time_zone),
        problem=render.words_for(letter.problem) if known else letter.problem,
        tries=letter.tries,
        acts=[(str(act), render.words_for(act)) for act in LetterAct if letter.state in LETTER_ACTS[act][0]],
        act_href=render.url("events.desk.letter_act", slug=door.event.slug, letter_id=letter.id),
        href=render.url("events.desk.letter", slug=door.event.slug, letter_id=letter.id),
    )


@dataclass(frozen=True, kw_only=True)
class LetterPage(DeskPage):
    template: ClassVar[str] = "events/desk/letter.html"
    row: LetterRow
    text: str
    #: What else is in it: calendar file, QR code and links that are added when it leaves.
    attachments: Sequence[str]
    has_more: bool
    may_change: bool
    outbox_href: str


async def _letter(request: Request, door: Door) -> Response:
    """One letter: read it, or, while it has not left, change its words."""
    letter = await _own(request, door)
    values: Mapping[str, str] = {"subject": letter.subject, "text": letter.text}
    if request.method != "POST":
        return await _show_letter(request, door, letter, values)
    values = {name: str(value) for name, value in (await forms.form_data(request)).items()}
    try:
        await letters.rewrite(
            actor=door.actor,
            letter_id=letter.id,
            subject=values.get("subject", ""),
            text=values.get("text", ""),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _show_letter(request, door, letter, values, refusal=refusal)
    except Conflict as refusal:
        words = render.words_for(refusal.code, refusal.params)
        return await _show_letter(request, door, letter, values, trouble=words)
    here = render.url("events.desk.letter", slug=door.event.slug, letter_id=letter.id)
    return render.see_other(render.with_query(here, done="saved"))


async def _own(request: Request, door: Door) -> LetterFacts:
    letter = await people.letter(shared.whole_id(request.path_params["letter_id"]) or 0)
    if letter.event_id != door.event.id:
        raise NotFound()
    return letter


async def _show_letter(
    request: Request,
    door: Door,
    letter: LetterFacts,
    values: Mapping[str, str],
    *,
    refusal: Invalid | None = None,
    trouble: str = "",
) -> Response:
    return await render.page(
        request,
        LetterPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            trouble=trouble,
            values=values,
            problems=refusal.fields if refusal else {},
            row=_row(door, letter),
            text=letter.text,
            attachments=letter.attachments,
            has_more=letter.has_more,
            may_change=letter.state in UNSENT,
            outbox_href=render.url(LIST, slug=door.event.slug),
        ),
        422 if refusal else 409 if trouble else 200,
    )


async def _act(request: Request, door: Door) -> Response:
    letter = await _own(request, door)
    act = shared.word_of(LetterAct, shared.typed_values(await forms.form_data(request)).get("act"))
    if act is None:
        raise Invalid({"act": Problem(Code.NOT_A_CHOICE)})
    try:
        await letters.act(actor=door.actor, letter_id=letter.id, act=act, at=shared.now())
    except Conflict as refusal:
        words = render.words_for(refusal.code, refusal.params)
        return await _show(request, door, trouble=words, status=refusal.status)
    return shared.back_to(door, LIST, done="saved")


async def _retry(request: Request, door: Door) -> Response:
    """Every failed letter of the event once more."""
    del request
    while failed := (await people.letters(door.event.id, LetterState.FAILED)).items:
        for letter in failed:
            try:
                await letters.act(actor=door.actor, letter_id=letter.id, act=LetterAct.RETRY, at=shared.now())
            except Conflict:
                continue  # somebody else was faster
    return shared.back_to(door, LIST, done="queued")


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/outbox", _outbox, LIST, Permission.SEE_OUTBOX),
    access.route(
        "/e/{slug}/desk/outbox/retry", _retry, "events.desk.outbox_retry", Permission.SEE_OUTBOX, ("POST",)
    ),
    access.route(
        "/e/{slug}/desk/outbox/{letter_id}",
        _letter,
        "events.desk.letter",
        Permission.SEE_OUTBOX,
        ("GET", "POST"),
    ),
    access.route(
        "/e/{slug}/desk/outbox/{letter_id}/act",
        _act,
        "events.desk.letter_act",
        Permission.SEE_OUTBOX,
        ("POST",),
    ),
]
