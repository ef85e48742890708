"""Pages of phones that scan without an account: pairing, for everybody who was handed a code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from checkin.device_rules import Check
from events.access import Door, header, route
from events.rules import Permission
from kernel.text import N_
from people import journal
from web import render, shared_pages
from web.i18n import current_locale, gettext
from web.middleware import SCANNER_POLICY
from web.render import Context, url
from web.routing import Entry
from web.shared_pages import Concerns, Made

#: What each check is called, and what to do where it fails.
CHECK_WORDS: Final[Mapping[Check, tuple[str, str]]] = {
    Check.SECURE: (
        N_("Secure connection"),
        N_("This page was opened over plain HTTP. Ask for the https address; without it only typing works."),
    ),
    Check.CAMERA: (
        N_("Camera"),
        N_("Allow the camera for this site in the browser's settings, or open the page in another browser."),
    ),
    Check.SERVICE_WORKER: (
        N_("Works without network"),
        N_(
            "This browser can't keep the scanner for times without network. Leave private browsing, or open it in another browser."
        ),
    ),
    Check.STORAGE: (
        N_("Memory"),
        N_("This browser keeps nothing, so it can't be paired. Leave private browsing, or free some space."),
    ),
    Check.DECODER: (
        N_("Reads QR codes"),
        N_("This browser can't read QR codes. Codes can be typed; another browser may do better."),
    ),
    Check.ROUND_TRIP: (
        N_("A scan there and back"),
        N_("The trial scan didn't come back. Try again with a better connection."),
    ),
}

#: What the pairing page's script says.
PAIR_WORDS: Final[Mapping[str, str]] = {
    "passed": N_("In order"),
    "failed": N_("Missing"),
    "asked": N_("Will be asked"),
    "checking": N_("Trying this phone…"),
    "pair": N_("Try the camera and pair"),
    "pair_now": N_("Pair this phone"),
    "pair_anyway": N_("Pair all the same"),
    "pairing": N_("Pairing…"),
    "no_answer": N_("No answer from the server. Nothing is lost: try again."),
    "not_kept": N_(
        "This phone is paired, but this browser could not keep it. Free some space and try again."
    ),
    "not_a_code": N_("These are not the eight characters of a code. Please look at them again."),
    "other_code": N_("This QR code is something else. Scan the one that a lead shows you for pairing."),
    "paired_as": N_("This phone is paired as “%(name)s”."),
    "copied": N_("Copied. Paste it into a browser."),
}


def words_of(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: gettext(text) for key, text in texts.items()}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check before it was made: its name, its title, and what to do when it fails."""

    name: str
    title: str
    help: str


def check_lines(*checks: Check) -> list[CheckLine]:
    return [
        CheckLine(one.value, gettext(CHECK_WORDS[one][0]), gettext(CHECK_WORDS[one][1])) for one in checks
    ]


@dataclass(frozen=True, kw_only=True)
class PairPage(Context):
    template: ClassVar[str] = "checkin/pair.html"
    checks: list[CheckLine]
    data: Mapping[str, Any] = field(default_factory=dict)
    scanner_href: str


async def pair_page(request: Request, door: Door) -> Response:
    """Where a phone becomes a device. The code stands behind the # of the address or is typed here; opening the page
    spends nothing and tells the server nothing."""
    event = door.event

    async def make() -> Made:
        scanner = url("checkin.shell", slug=event.slug)
        page = PairPage(
            event=header(door),
            checks=check_lines(Check.SECURE, Check.CAMERA, Check.SERVICE_WORKER, Check.STORAGE),
            data={
                "slug": event.slug,
                "locale": current_locale(),
                "api": {"pair": url("checkin.api.pair", slug=event.slug)},
                "scanner": scanner,
                "build": render.build(),
                "words": words_of(PAIR_WORDS),
            },
            scanner_href=scanner,
        )
        return Made(render.render(page, actor=None, path=request.url.path))

    response = await shared_pages.serve(
        request,
        ("checkin.pair", event.slug),
        concerns=[Concerns(event_ids=frozenset({event.id}), kinds=frozenset({"event"}))],
        stamp=lambda: journal.latest([event.id]),
        make=make,
    )
    response.headers["content-security-policy"] = SCANNER_POLICY
    response.headers["referrer-policy"] = "no-referrer"
    return response


ROUTES: list[Entry] = [
    route("/e/{slug}/pair", pair_page, "checkin.pair", Permission.VIEW_PUBLIC),
]
