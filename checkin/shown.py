"""What every page of a passport shows of it, in its reader's language, and how such a page is kept from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from checkin import checkpoints
from checkin.passports import PassportView
from checkin.rules import PassportStatus
from checkin.scanner_words import STATUS_WORDS
from web.i18n import current_locale, gettext

_TONES: Final[Mapping[PassportStatus, str]] = {
    PassportStatus.VALID: "go",
    PassportStatus.NOT_CONFIRMED: "care",
    PassportStatus.CANCELLED: "stop",
    PassportStatus.REVOKED: "stop",
}


def private(response: Response) -> Response:
    """For pages that show or lead to a passport: kept by nobody, and the next site is not told where one came from."""
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


@dataclass(frozen=True, slots=True)
class PassportShown:
    """A passport in its reader's language."""

    passport: PassportView
    ticket_type: str
    door_note: str
    status: str
    tone: str

    @property
    def is_void(self) -> bool:
        return self.passport.status in (PassportStatus.CANCELLED, PassportStatus.REVOKED)


async def shown_of(passport: PassportView) -> PassportShown:
    world = await checkpoints.world(passport.event_id)
    words = world.ticket_types.get(passport.ticket_type_id)
    locale = current_locale()
    is_dead = not passport.is_live
    status = PassportStatus.REVOKED if is_dead else passport.status
    return PassportShown(
        passport=passport,
        ticket_type=words.name.in_(locale) if words else "",
        door_note=words.door_note.in_(locale) if words else "",
        status=gettext(STATUS_WORDS[status]),
        tone=_TONES[status],
    )
