"""Letters to everybody who comes, a week and a day before, in each reader's language.

Their words stand in the event's outbox from the beginning, to be read and changed, until they leave. Queued by a job
that may stop and go on: the letter's key holds event, reminder and registration, so nobody gets one twice. Letters of
those who cancel meanwhile are thrown away by their composer, and whoever wants none gets none
(``people.unsubscribing``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from events import letter, queries
from events.models import Event, Registration, Reminder
from events.queries import TicketTypeFacts
from events.reminder_rules import (
    DAYS_BEFORE,
    Placeholder,
    ReminderCode,
    due,
    filled,
    leaves_at,
    problems,
)
from events.rules import EventFacts, EventState, RegistrationState
from kernel import db
from kernel.actor import Actor
from kernel.db import unit_of_work
from kernel.errors import Conflict, Invalid, NotFound
from kernel.text import LOCALES, N_, LocalizedText
from people import jobs, journal, letters
from people.letters import NewLetter
from web import render
from web.i18n import gettext_in

PURPOSE: Final = "reminder"
JOB: Final = "events.remind"
CHUNK: Final = 200

_SUBJECTS: Final[Mapping[int, str]] = {
    7: N_("A week to go: {event}"),
    1: N_("Tomorrow: {event}"),
}
_TEXT: Final = N_(
    """Hello {name},

{event} begins soon.

When: {when}
Where: {place}
Ticket: {ticket}

Please have the QR code in this letter ready at the entrance, or open it on your own page. It works without network, too.

If you can't come, please cancel on your own page, so that somebody else can have your place.

{link}
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderFacts:
    """A reminder as the outbox shows it; ``leaves_at`` is aware, in the event's time zone."""

    days_before: int
    subject: LocalizedText
    text: LocalizedText
    is_on: bool
    leaves_at: datetime
    queued_at: datetime | None
    queued_count: int


def connect() -> None:
    """Called once by main: the job that queues them, and the chore that looks whether one is due."""
    jobs.handles(JOB, _queue)
    jobs.chore("events.reminders", 300.0, queue_due)


def _default(days_before: int) -> tuple[LocalizedText, LocalizedText]:
    subject = _SUBJECTS[days_before]
    return (
        LocalizedText({locale: gettext_in(locale, subject) for locale in LOCALES}),
        LocalizedText({locale: gettext_in(locale, _TEXT) for locale in LOCALES}),
    )


def _facts(event: EventFacts, days_before: int, row: Reminder | None) -> ReminderFacts:
    subject, text = (row.subject, row.text) if row else _default(days_before)
    return ReminderFacts(
        days_before=days_before,
        subject=LocalizedText.of(subject),
        text=LocalizedText.of(text),
        is_on=row.is_on if row else True,
        leaves_at=leaves_at(event.starts_on, days_before, event.time_zone),
        queued_at=row.queued_at if row else None,
        queued_count=row.queued_count if row else 0,
    )


async def of_event(event: EventFacts) -> Sequence[ReminderFacts]:
    """The event's reminders, the earliest first; those that nobody has changed yet with the house's own words."""
    rows = {row.days_before: row for row in await Reminder.filter(event_id=event.id)}
    return [_facts(event, days, rows.get(days)) for days in sorted({*DAYS_BEFORE}, reverse=True)]


async def find(event: EventFacts, days_before: int) -> ReminderFacts:
    """Raises NotFound for a number of days that has no reminder."""
    if days_before not in DAYS_BEFORE:
        raise NotFound()
    return _facts(event, days_before, await Reminder.get_or_none(event_id=event.id, days_before=days_before))


async def change(
    *,
    actor: Actor,
    event: EventFacts,
    days_before: int,
    subject: LocalizedText,
    text: LocalizedText,
    is_on: bool,
    at: datetime,
) -> None:
    """Other words for a reminder, or none at all. Raises Invalid at ``subject`` or ``text``, NotFound, and Conflict
    ``reminder_sent`` once its letters stand in the outbox: from then on each is changed there.
    """
    if days_before not in DAYS_BEFORE:
        raise NotFound()
    if found := problems(subject, text):
        raise Invalid(found)
    async with unit_of_work():
        row = await Reminder.get_or_none(event_id=event.id, days_before=days_before)
        if row is not None and row.queued_at is not None:
            raise Conflict(ReminderCode.REMINDER_SENT)
        values: dict[str, Any] = {"subject": subject, "text": text, "is_on": is_on, "updated_at": at}
        if row is None:
            await Reminder.create(event_id=event.id, days_before=days_before, **values)
        elif not await Reminder.filter(id=row.id, queued_at=None).update(**values):
            raise Conflict(ReminderCode.REMINDER_SENT)
        await journal.write(
            actor=actor,
            verb="reminder.change",
            object_kind="event",
            object_id=event.id,
            event_id=event.id,
            new={"days_before": days_before, "is_on": is_on},
            at=at,
        )


async def trial(*, actor: Actor, event: EventFacts, days_before: int, locale: str, at: datetime) -> None:
    """The reminder as it would reach its reader, to the organiser's own address; once a minute at most."""
    reminder = await find(event, days_before)
    values = _values(event, actor.name, gettext_in(locale, N_("Attendee")), locale)
    await letters.queue(
        key=f"reminder-trial:{event.id}:{days_before}:{actor.id}:{at:%Y%m%d%H%M}",
        to_email=actor.email,
        locale=locale,
        subject=filled(reminder.subject.in_(locale), values),
        text=filled(reminder.text.in_(locale), values),
        event_id=event.id,
        at=at,
    )


def preview(event: EventFacts, reminder: ReminderFacts, locale: str) -> tuple[str, str]:
    """Subject and text as somebody invented would read them."""
    name = gettext_in(locale, N_("Lin Xiaoyu"))
    values = _values(event, name, gettext_in(locale, N_("Attendee")), locale)
    return filled(reminder.subject.in_(locale), values), filled(reminder.text.in_(locale), values)


def _values(event: EventFacts, name: str, ticket: str, locale: str) -> dict[Placeholder, str]:
    return {
        Placeholder.NAME: name,
        Placeholder.EVENT: event.name.in_(locale),
        Placeholder.WHEN: letter.days(event, locale),
        Placeholder.PLACE: letter.place(event, locale),
        Placeholder.TICKET: ticket,
        Placeholder.LINK: render.absolute(f"/e/{event.slug}"),
    }


async def queue_due(at: datetime) -> None:
    """Makes a job of every reminder whose time has come; every server process asks, the job's key makes it one."""
    # A day of slack on both ends: the event's own zone decides, and this only narrows what is looked at.
    today = at.astimezone(UTC).date()
    events = await Event.filter(
        state=EventState.PUBLISHED,
        starts_on__gte=today,
        starts_on__lte=today + timedelta(days=max(DAYS_BEFORE) + 1),
    )
    if not events:
        return
    rows = await Reminder.filter(event_id__in=[event.id for event in events])
    off = {(row.event_id, row.days_before) for row in rows if not row.is_on}
    gone = {(row.event_id, row.days_before) for row in rows if row.queued_at is not None}
    for event in events:
        switched_on = [days for days in DAYS_BEFORE if (event.id, days) not in off]
        days = due(event.starts_on, event.time_zone, switched_on, at)
        if days is not None and (event.id, days) not in gone:
            await jobs.enqueue(
                kind=JOB,
                key=f"{JOB}:{event.id}:{days}:{event.starts_on}",
                payload={"days_before": days},
                event_id=event.id,
                at=at,
            )


async def _queue(job: jobs.JobHandle) -> Mapping[str, Any]:
    """Puts the letters into the outbox, a chunk to a transaction; stopped half way it goes on where it was."""
    assert job.event_id is not None
    days = int(job.payload["days_before"])
    event = await queries.find_event_by_id(job.event_id)
    if event is None or event.state is not EventState.PUBLISHED:
        return {"queued": 0}
    reminder = await find(event, days)
    if not reminder.is_on or reminder.queued_at is not None:
        return {"queued": reminder.queued_count}
    at = datetime.now(UTC)
    types = {item.id: item for item in await queries.ticket_types(event.id)}
    total = await Registration.filter(**_readers(event.id)).count()
    after, done = 0, 0
    while True:
        rows = await Registration.filter(**_readers(event.id), id__gt=after).order_by("id").limit(CHUNK)
        if not rows:
            break
        await letters.queue_many([_letter(event, reminder, row, types) for row in rows], at=at)
        after, done = rows[-1].id, done + len(rows)
        await job.progress(done, max(total, done))
    async with unit_of_work():
        await db.execute(
            "INSERT INTO reminder (event_id, days_before, subject, text, is_on, queued_at, queued_count, updated_at) "
            "VALUES ($1, $2, $3, $4, TRUE, $5, $6, $5) "
            "ON CONFLICT (event_id, days_before) DO UPDATE SET queued_at = excluded.queued_at, "
            "queued_count = excluded.queued_count",
            event.id,
            days,
            orjson.dumps(reminder.subject).decode(),
            orjson.dumps(reminder.text).decode(),
            at,
            done,
        )
    return {"queued": done}


def _readers(event_id: int) -> dict[str, Any]:
    """Everybody who comes and can be written to."""
    return {"event_id": event_id, "state": RegistrationState.CONFIRMED, "email__not": ""}


def _letter(
    event: EventFacts, reminder: ReminderFacts, row: Registration, types: Mapping[int, TicketTypeFacts]
) -> NewLetter:
    ticket = types[row.ticket_type_id].name.in_(row.locale) if row.ticket_type_id in types else ""
    values = _values(event, row.name, ticket, row.locale)
    return NewLetter(
        key=f"reminder:{event.id}:{reminder.days_before}:{row.id}",
        to_email=row.email,
        locale=row.locale,
        subject=filled(reminder.subject.in_(row.locale), values),
        text=filled(reminder.text.in_(row.locale), values),
        event_id=event.id,
        composer="passport",
        composer_id=row.id,
        purpose=PURPOSE,
    )
