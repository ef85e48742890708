"""The letters about a registration, one for each state it comes to, and the calendar file. Pure: values in, text out.

The QR picture and the holder's secret link are not in here: ``checkin`` adds them when the letter is sent, so that
the outbox's table holds no secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from icalendar import Calendar, Event

from events.rules import EventFacts
from kernel.text import N_, LocalizedText
from web.i18n import gettext_in

_BABEL = {"zh-Hans": "zh_Hans_CN", "en": "en"}
_SUBJECT = N_("You are registered: %(event)s")
_HELLO = N_("Hello %(name)s,")
_DONE = N_("You are registered for %(event)s.")
_TICKET = N_("Ticket: %(ticket)s")
_WHEN = N_("When: %(when)s")
_WHERE = N_("Where: %(where)s")
_CARRY = N_("Show the QR code in this letter, or on your passport page, at the entrance.")
_PRIVATE = N_("The passport link opens your own page. Keep it to yourself.")
_DAYS = N_("%(first)s to %(last)s")


#: A day, and a day whose month and year (its year, in Chinese order) the other end of the span says.
_WHOLE = {"zh-Hans": "y年M月d日 EEE", "en": "EEE, d MMM y"}
_SHORT = {"zh-Hans": "d日 EEE", "en": "EEE, d"}


def days(event: EventFacts, locale: str) -> str:
    """The event's days in words: ``Sat, 28 to Sun, 29 Oct 2023``, ``2023年10月28日 周六至29日 周日``; with its hours
    where it has some: ``Fri, 27 Nov 2026, 19:30–21:30``.
    """
    known = locale if locale in _WHOLE else "en"
    said_hours = hours(event)
    if said_hours:
        return (", " if known == "en" else " ").join((_days(event, known), said_hours))
    return _days(event, known)


def hours(event: EventFacts) -> str:
    """``19:30–21:30``, ``19:30`` without an end, empty for whole days."""
    ends = (event.starts_minute, event.ends_minute)
    return "–".join(f"{minute // 60:02}:{minute % 60:02}" for minute in ends if minute is not None)


def _days(event: EventFacts, known: str) -> str:

    def said(value: date, patterns: Mapping[str, str]) -> str:
        return format_date(value, patterns[known], locale=_BABEL[known])

    first, last = event.starts_on, event.ends_on
    if first == last:
        return said(first, _WHOLE)
    short = _SHORT if (first.year, first.month) == (last.year, last.month) else _WHOLE
    # English names month and year at the end, Chinese at the beginning.
    ends = (
        (said(first, short), said(last, _WHOLE))
        if known == "en"
        else (said(first, _WHOLE), said(last, short))
    )
    return gettext_in(known, _DAYS) % {"first": ends[0], "last": ends[1]}


def place(event: EventFacts, locale: str) -> str:
    """City and address on one line, whichever is known; an address that names its city stands alone."""
    city, address = event.city.in_(locale), event.address.in_(locale)
    parts = [address] if city in address else [city, address]
    return (", " if locale == "en" else " ").join(part for part in parts if part)


class Notice(StrEnum):
    """What has become of a registration, as its holder is told."""

    REGISTERED = "registered"
    APPROVED = "approved"
    PENDING = "pending"
    WAITLISTED = "waitlisted"
    OFFERED = "offered"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_SUBJECTS: Final[Mapping[Notice, str]] = {
    Notice.REGISTERED: _SUBJECT,
    Notice.APPROVED: _SUBJECT,
    Notice.PENDING: N_("We have your application: %(event)s"),
    Notice.WAITLISTED: N_("You are on the waiting list: %(event)s"),
    Notice.OFFERED: N_("A place is free for you: %(event)s"),
    Notice.DECLINED: N_("About your application: %(event)s"),
    Notice.EXPIRED: N_("Your place was passed on: %(event)s"),
    Notice.CANCELLED: N_("Your registration is cancelled: %(event)s"),
}
#: What has happened, and below the event's facts what comes next.
_SAID: Final[Mapping[Notice, str]] = {
    Notice.REGISTERED: _DONE,
    Notice.APPROVED: N_("Your application was accepted. You are registered for %(event)s."),
    Notice.PENDING: N_("Thank you for applying for %(event)s. We have your application."),
    Notice.WAITLISTED: N_(
        "All places of your ticket type are taken, and you are on the waiting list of %(event)s."
    ),
    Notice.OFFERED: N_("A place at %(event)s is free for you. We keep it until %(until)s."),
    Notice.DECLINED: N_("Thank you for applying for %(event)s. We are sorry that we have no place for you."),
    Notice.EXPIRED: N_(
        "The place at %(event)s that we kept for you was not accepted in time. It goes to the next on the waiting list."
    ),
    Notice.CANCELLED: N_("Your registration for %(event)s is cancelled."),
}
_NEXT: Final[Mapping[Notice, tuple[str, ...]]] = {
    Notice.REGISTERED: (_CARRY, _PRIVATE),
    Notice.APPROVED: (_CARRY, _PRIVATE),
    Notice.PENDING: (N_("The organisers look at it and write to you. Until then nothing is decided."),),
    Notice.WAITLISTED: (
        N_(
            "When a place becomes free for you, we write to you and keep it for some time. You need not do anything now."
        ),
    ),
    Notice.OFFERED: (
        N_("Accept or decline it on your own page. Without an answer it goes to the next in time."),
    ),
    Notice.DECLINED: (),
    Notice.EXPIRED: (),
    Notice.CANCELLED: (N_("If that comes as a surprise, please write to the organisers."),),
}
_LINKS: Final[Mapping[Notice, str]] = {
    Notice.PENDING: N_("Your own page, which shows how it stands: %(link)s"),
    Notice.WAITLISTED: N_("Your own page, which shows how it stands: %(link)s"),
    Notice.OFFERED: N_("Accept or decline here: %(link)s"),
}
_REASON = N_("The organisers say: %(reason)s")

#: A day and a time, with the weekday, because people plan by it.
_MOMENT = {"zh-Hans": "y年M月d日 EEE HH:mm", "en": "EEE, d MMM y, HH:mm"}


def moment(at: datetime, zone: str, locale: str) -> str:
    """An instant in the event's time zone, which is named."""
    known = locale if locale in _MOMENT else "en"
    said = format_datetime(at.astimezone(ZoneInfo(zone)), _MOMENT[known], locale=_BABEL[known])
    return f"{said}（{zone}）" if known == "zh-Hans" else f"{said} ({zone})"


def link_line(notice: Notice, link: str, locale: str) -> str:
    """The last line of a letter whose reader may go on by themselves; added when it is sent."""
    return gettext_in(locale, _LINKS[notice]) % {"link": link}


def subject(event: EventFacts, locale: str, notice: Notice = Notice.REGISTERED) -> str:
    return gettext_in(locale, _SUBJECTS[notice]) % {"event": _line(event.name.in_(locale))}


def text(
    event: EventFacts,
    *,
    name: str,
    ticket_type: LocalizedText,
    address: str,
    locale: str,
    notice: Notice = Notice.REGISTERED,
    until: datetime | None = None,
    reason: str = "",
) -> str:
    """The plain text in the recipient's language; ``address`` is the event's own page, ``until`` an offer's end, and
    ``reason`` the organisers' own words.
    """

    def said(message: str, **params: str) -> str:
        return gettext_in(locale, message) % params

    where = place(event, locale)
    paragraphs = [
        said(_HELLO, name=_line(name)),
        said(
            _SAID[notice],
            event=_line(event.name.in_(locale)),
            until=moment(until, event.time_zone, locale) if until else "",
        ),
        said(_REASON, reason=reason.strip()) if reason.strip() else "",
        "\n".join(
            line
            for line in (
                said(_TICKET, ticket=_line(ticket_type.in_(locale))),
                said(_WHEN, when=days(event, locale)),
                said(_WHERE, where=_line(where)) if where else "",
                address,
            )
            if line
        ),
        *(said(message) for message in _NEXT[notice]),
    ]
    return "\n\n".join(one for one in paragraphs if one) + "\n"


def _line(value: str) -> str:
    # A name is one line here: a line break in a subject would be a header of its own.
    return " ".join(value.split())


def calendar(event: EventFacts, *, address: str, locale: str, at: datetime) -> bytes:
    """The event as one all-day entry (RFC 5545), whose UID stays the same when the event's dates move.

    No METHOD: with one, mail programs take the file for an invitation that wants an answer.
    """
    entry = Event()
    entry.add("uid", f"event-{event.id}@{urlsplit(address).hostname or 'huiwu'}")
    entry.add("dtstamp", at)
    starts_at, ends_at = _moments(event)
    if starts_at is None:
        entry.add("dtstart", event.starts_on)
        # DTEND is exclusive: the morning after.
        entry.add("dtend", event.ends_on + timedelta(days=1))
    else:
        entry.add("dtstart", starts_at)
        if ends_at is not None:
            entry.add("dtend", ends_at)
    entry.add("summary", event.name.in_(locale))
    where = place(event, locale)
    if where:
        entry.add("location", where)
    tagline = event.tagline.in_(locale)
    if tagline:
        entry.add("description", tagline)
    entry.add("url", address)
    # An event of several days must not make its guest look busy for all of them.
    entry.add("transp", "TRANSPARENT")
    whole = Calendar()
    whole.add("prodid", "-//Huiwu//Huiwu//EN")
    whole.add("version", "2.0")
    whole.add_component(entry)
    return bytes(whole.to_ical())


def _moments(event: EventFacts) -> tuple[datetime | None, datetime | None]:
    """When it begins and ends, in UTC; nothing for whole days."""
    zone = ZoneInfo(event.time_zone)

    def at(day: date, minute: int | None) -> datetime | None:
        if minute is None:
            return None
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        return (midnight + timedelta(minutes=minute)).astimezone(UTC)

    return at(event.starts_on, event.starts_minute), at(event.ends_on, event.ends_minute)
