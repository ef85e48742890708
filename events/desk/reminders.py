"""The reminders of an event: their words, a look at them, one to oneself, and off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, reminders
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage
from events.reminder_rules import Placeholder
from events.reminders import ReminderFacts
from events.rules import Permission
from kernel.actor import ActorKind
from kernel.errors import Conflict, Invalid, Problem
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

OUTBOX: Final = "events.desk.outbox"
_PLACEHOLDERS: Final[Mapping[Placeholder, str]] = {
    Placeholder.NAME: N_("the reader's name"),
    Placeholder.EVENT: N_("the event's name"),
    Placeholder.WHEN: N_("its days"),
    Placeholder.PLACE: N_("city and address"),
    Placeholder.TICKET: N_("the reader's ticket type"),
    Placeholder.LINK: N_("the event's page"),
}


@dataclass(frozen=True, slots=True)
class ReminderLine:
    """A reminder in the outbox's list."""

    title: str
    subject: str
    when: str
    kind: str
    state: str
    href: str


def title(days_before: int) -> str:
    """What a reminder is called, in the reader's language."""
    return i18n.ngettext("%(num)s day before", "%(num)s days before", days_before) % {"num": days_before}


async def lines(door: Door) -> Sequence[ReminderLine]:
    """The event's reminders for the top of its outbox."""
    zone, locale, at = door.event.time_zone, i18n.current_locale(), shared.now()
    found = []
    for one in await reminders.of_event(door.event):
        when = render.moment(one.queued_at or one.leaves_at, zone)
        if one.queued_at is not None:
            words = i18n.ngettext("%(num)s letter", "%(num)s letters", one.queued_count)
            kind, state = "go", words % {"num": one.queued_count}
        elif not one.is_on:
            kind, state = "plain", i18n.gettext("Switched off")
        elif one.leaves_at <= at:
            kind, state = "plain", i18n.gettext("Its time is past")
        else:
            kind, state = "note", i18n.gettext("Planned")
        href = render.url("events.desk.reminder", slug=door.event.slug, days=one.days_before)
        found.append(ReminderLine(title(one.days_before), one.subject.in_(locale), when, kind, state, href))
    return found


@dataclass(frozen=True, kw_only=True)
class ReminderPage(DeskPage):
    template: ClassVar[str] = "events/desk/reminder.html"
    title: str
    when: str
    is_sent: bool
    sent_count: int
    #: (what stands in braces, what it becomes)
    placeholders: Sequence[tuple[str, str]]
    #: (language, subject, text) as a reader would see them
    previews: Sequence[tuple[str, str, str]]
    trial_href: str
    #: Whose address a trial goes to; empty for those without one.
    own_email: str
    outbox_href: str


async def _show(
    request: Request,
    door: Door,
    one: ReminderFacts,
    values: Mapping[str, str],
    *,
    refusal: Invalid | None = None,
    trouble: str = "",
) -> Response:
    slug = door.event.slug
    names = {"zh-Hans": "中文", "en": "English"}
    return await render.page(
        request,
        ReminderPage(
            **access.frame(door, OUTBOX),
            done=shared.done_words(request),
            trouble=trouble,
            values=values,
            problems=shared.at_boxes(refusal.fields, ("subject", "text")) if refusal else {},
            title=title(one.days_before),
            when=render.moment(one.queued_at or one.leaves_at, door.event.time_zone),
            is_sent=one.queued_at is not None,
            sent_count=one.queued_count,
            placeholders=[(f"{{{name}}}", i18n.gettext(words)) for name, words in _PLACEHOLDERS.items()],
            previews=[
                (names[locale], *reminders.preview(door.event, one, locale))
                for locale in shared.LANGS
                if locale in names
            ],
            trial_href=render.url("events.desk.reminder_trial", slug=slug, days=one.days_before),
            own_email=door.actor.email if door.actor.kind is ActorKind.ACCOUNT else "",
            outbox_href=render.url(OUTBOX, slug=slug),
        ),
        422 if refusal else 409 if trouble else 200,
    )


async def _edit(request: Request, door: Door) -> Response:
    one = await reminders.find(door.event, shared.whole_id(request.path_params["days"]) or 0)
    if request.method != "POST":
        values = {
            **shared.spread("subject", one.subject),
            **shared.spread("text", one.text),
            "is_on": "1" if one.is_on else "",
        }
        return await _show(request, door, one, values)
    values = shared.typed_values(await forms.form_data(request))
    try:
        await reminders.change(
            actor=door.actor,
            event=door.event,
            days_before=one.days_before,
            subject=shared.gathered(values, "subject", one.subject),
            text=shared.gathered(values, "text", one.text),
            is_on=bool(values.get("is_on")),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _show(request, door, one, values, refusal=refusal)
    except Conflict as refusal:
        return await _show(request, door, one, values, trouble=render.words_for(refusal.code, refusal.params))
    here = render.url("events.desk.reminder", slug=door.event.slug, days=one.days_before)
    return render.see_other(render.with_query(here, done="saved"))


async def _trial(request: Request, door: Door) -> Response:
    one = await reminders.find(door.event, shared.whole_id(request.path_params["days"]) or 0)
    here = render.url("events.desk.reminder", slug=door.event.slug, days=one.days_before)
    if not door.actor.email:
        raise Invalid({"email": Problem("email_invalid")})
    await reminders.trial(
        actor=door.actor,
        event=door.event,
        days_before=one.days_before,
        locale=i18n.current_locale(),
        at=shared.now(),
    )
    return render.see_other(render.with_query(here, done="trial"))


ROUTES: list[Entry] = [
    access.route(
        "/e/{slug}/desk/reminders/{days}",
        _edit,
        "events.desk.reminder",
        Permission.SEE_OUTBOX,
        ("GET", "POST"),
    ),
    access.route(
        "/e/{slug}/desk/reminders/{days}/trial",
        _trial,
        "events.desk.reminder_trial",
        Permission.SEE_OUTBOX,
        ("POST",),
    ),
]
