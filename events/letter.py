"""The letter that confirms a registration, and its calendar file. Pure: values in, text and bytes out.

The QR picture and the holder's secret link are not in here: ``checkin`` adds them when the letter is sent, so that
the outbox's table holds no secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from babel.dates import format_date
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
    """The event's days in words: ``Sat, 28 to Sun, 29 Oct 2023``, ``2023年10月28日 周六至29日 周日``."""
    known = locale if locale in _WHOLE else "en"

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


def subject(event: EventFacts, locale: str) -> str:
    return gettext_in(locale, _SUBJECT) % {"event": _line(event.name.in_(locale))}


def text(event: EventFacts, *, name: str, ticket_type: LocalizedText, address: str, locale: str) -> str:
    """The plain text in the recipient's language; ``address`` is the event's own page."""

    def said(message: str, **params: str) -> str:
        return gettext_in(locale, message) % params

    where = place(event, locale)
    paragraphs = [
        said(_HELLO, name=_line(name)),
        said(_DONE, event=_line(event.name.in_(locale))),
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
        said(_CARRY),
        said(_PRIVATE),
    ]
    return "\n\n".join(paragraphs) + "\n"


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
    entry.add("dtstart", event.starts_on)
    # DTEND is exclusive: the morning after.
    entry.add("dtend", event.ends_on + timedelta(days=1))
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
