"""Letters about a registration that changes hands or addresses. Pure: values in, subject and text out.

Links with a secret are not in here: composers add them when a letter is sent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from events.rules import EventFacts
from kernel.text import N_, LocalizedText
from web.i18n import gettext_in

_HELLO: Final = N_("Hello %(name)s,")
_BABEL: Final = {"zh-Hans": "zh_Hans_CN", "en": "en"}
_PATTERN: Final = {"zh-Hans": "M月d日 HH:mm", "en": "d MMM HH:mm"}


def _line(value: str) -> str:
    # A name is one line here: a line break in a subject would be a header of its own.
    return " ".join(value.split())


def _moment(at: datetime, event: EventFacts, locale: str) -> str:
    known = locale if locale in _PATTERN else "en"
    return format_datetime(at.astimezone(ZoneInfo(event.time_zone)), _PATTERN[known], locale=_BABEL[known])


def _letter(event: EventFacts, locale: str, subject: str, *paragraphs: str, **params: str) -> tuple[str, str]:
    values = {"event": _line(event.name.in_(locale))} | {key: _line(value) for key, value in params.items()}
    said = [gettext_in(locale, one) % values for one in paragraphs]
    return gettext_in(locale, subject) % values, "\n\n".join(said) + "\n"


_ASKED_SUBJECT: Final = N_("Hand on your place at %(event)s? Please confirm")
_ASKED: Final = (
    _HELLO,
    N_("You want to hand on your place at %(event)s to %(taker)s. Please confirm it until %(until)s."),
    N_("Your passport works until %(taker)s has taken the place; then your QR code opens no door any more."),
    N_("If it was not you, open the link and withdraw it."),
)


def asked(event: EventFacts, *, name: str, taker: str, until: datetime, locale: str) -> tuple[str, str]:
    """To the holder, who has to confirm; the link follows."""
    when = _moment(until, event, locale)
    return _letter(event, locale, _ASKED_SUBJECT, *_ASKED, name=name, taker=taker, until=when)


_OFFERED_SUBJECT: Final = N_("%(giver)s hands a place at %(event)s on to you")
_OFFERED: Final = (
    _HELLO,
    N_("%(giver)s can't come to %(event)s and would like you to have the place: %(ticket)s."),
    N_("Open the link to take it or to refuse it, until %(until)s. Nothing happens before you do."),
)


def offered(
    event: EventFacts,
    *,
    name: str,
    giver: str,
    ticket_type: LocalizedText,
    until: datetime,
    locale: str,
) -> tuple[str, str]:
    """To the person who was named; the link follows."""
    return _letter(
        event,
        locale,
        _OFFERED_SUBJECT,
        *_OFFERED,
        name=name,
        giver=giver,
        ticket=ticket_type.in_(locale),
        until=_moment(until, event, locale),
    )


_HANDED_SUBJECT: Final = N_("Your place at %(event)s has been handed on")
_HANDED: Final = (
    _HELLO,
    N_("%(taker)s has taken over your place at %(event)s. Your QR code and your links no longer work."),
)


def handed_on(event: EventFacts, *, name: str, taker: str, locale: str) -> tuple[str, str]:
    """To the holder, when it is done."""
    return _letter(event, locale, _HANDED_SUBJECT, *_HANDED, name=name, taker=taker)


_REFUSED_SUBJECT: Final = N_("Your place at %(event)s stays yours")
_REFUSED: Final = (
    _HELLO,
    N_("%(taker)s did not take over your place at %(event)s. It stays yours, and your QR code works on."),
)


def stays(event: EventFacts, *, name: str, taker: str, locale: str) -> tuple[str, str]:
    """To the holder, when the person who was named refused."""
    return _letter(event, locale, _REFUSED_SUBJECT, *_REFUSED, name=name, taker=taker)


_MOVED_SUBJECT: Final = N_("Another e-mail address for your registration: %(event)s")
_MOVED: Final = (
    _HELLO,
    N_("Letters about your registration for %(event)s go to another address from now on, as you asked."),
    N_("If it was not you, please write to the organisers: %(contact)s"),
)


def moved(event: EventFacts, *, name: str, contact: str, locale: str) -> tuple[str, str]:
    """To the old address; it does not name the new one."""
    return _letter(event, locale, _MOVED_SUBJECT, *_MOVED, name=name, contact=contact)
