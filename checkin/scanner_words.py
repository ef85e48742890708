"""The scanner's own words. They travel to the page as data, in every language of the interface at once, because the
scanner changes its language without asking the server: it may be offline, and a scan may be under way.
"""

from __future__ import annotations

from checkin.rules import CheckpointKind, PassportStatus
from kernel.text import LOCALES, N_
from web.i18n import gettext_in

STATUS_WORDS: dict[PassportStatus, str] = {
    PassportStatus.VALID: N_("Valid"),
    PassportStatus.NOT_CONFIRMED: N_("Not confirmed"),
    PassportStatus.CANCELLED: N_("Cancelled"),
    PassportStatus.REVOKED: N_("Revoked"),
}

KIND_WORDS: dict[CheckpointKind, str] = {
    CheckpointKind.GATE: N_("Gate"),
    CheckpointKind.SESSION: N_("Session"),
    CheckpointKind.BOOTH: N_("Booth"),
    CheckpointKind.MEAL: N_("Meal"),
}

SCANNER_WORDS: dict[str, str] = {
    "checkpoint": N_("Checkpoint"),
    "choose": N_("Choose a checkpoint"),
    "choose_none": N_("No checkpoint is yours yet. Ask an organiser to give you one."),
    "closed": N_("closed"),
    "leave": N_("Leave the scanner"),
    "entry": N_("In"),
    "exit": N_("Out"),
    "start": N_("Start scanning"),
    "start_lead": N_("One tap starts the camera and the sound, and keeps the screen on."),
    "starting": N_("Starting the camera…"),
    "hint": N_("Hold the passport's code into the frame"),
    "torch": N_("Torch"),
    "sound": N_("Sound"),
    "language": "中 / EN",
    "search": N_("Find by name"),
    "type": N_("Type a code"),
    "recent": N_("Latest"),
    "close": N_("Close"),
    "next": N_("Next person"),
    "try_again": N_("Try again"),
    "sign_in": N_("Sign in"),
    "count_entries": N_("in today"),
    "count_inside": N_("inside now"),
    "count_waiting": N_("waiting to be sent"),
    # nothing decided yet
    "asking": N_("One moment"),
    "unsent": N_("Not sent"),
    "unsent_help": N_("No connection. Nobody was admitted yet; the scan is kept and sent again by itself."),
    "busy": N_("Busy"),
    "busy_help": N_("The server is very busy. The scan is kept and sent again by itself."),
    "signin": N_("Signed out"),
    "signin_help": N_("Sign in again. The scans that wait are kept and sent afterwards."),
    "full": N_("Too many waiting"),
    "full_help": N_(
        "Two hundred scans wait to be sent, so this one was not taken. Look for a connection first."
    ),
    "not_taken": N_("Not taken"),
    "not_taken_help": N_("The server did not take this scan. Nothing was decided."),
    # answers
    "first_time": N_("First: %(when)s"),
    "go_to": N_("Please go to: %(checkpoint)s"),
    # typing and finding
    "type_lead": N_("The eight characters under the QR code."),
    "type_label": N_("Passport code"),
    "type_do": N_("Check this code"),
    "search_label": N_("Name, or the last four digits of the phone"),
    "search_none": N_("Nobody found. Try one part of the name, or the last four digits."),
    "search_failed": N_("The search did not get through. Please try again."),
    "recent_none": N_("Nothing was scanned on this device yet."),
    **{f"status_{status}": words for status, words in STATUS_WORDS.items()},
    # why there is no camera, and what to do
    "why_insecure": N_("The camera needs HTTPS"),
    "help_insecure": N_(
        "This page was opened over plain HTTP, where browsers give no camera. Typed codes, search and keyboard-type "
        "readers work here. Ask an organiser for the https address."
    ),
    "why_no_camera": N_("No camera here"),
    "help_no_camera": N_(
        "This browser gives no camera. Typed codes, search and keyboard-type readers work all the same."
    ),
    "why_denied": N_("The camera is blocked"),
    "help_denied": N_("Allow the camera for this site in the browser's settings, then try again."),
    "why_in_use": N_("The camera did not start"),
    "help_in_use": N_("Another application may be using it. Close that one, then try again."),
    "why_no_decoder": N_("This browser can't read codes"),
    "help_no_decoder": N_(
        "It lacks WebAssembly. Typed codes, search and keyboard-type readers work all the same."
    ),
    "open_in_browser": N_("In WeChat: tap ··· at the top right and choose “Open in browser”."),
    "copy": N_("Copy this page's address"),
    "copied": N_("Copied. Paste it into a browser."),
}


def scanner_words() -> dict[str, dict[str, str]]:
    """Every word by locale and key."""
    return {
        locale: {key: gettext_in(locale, text) for key, text in SCANNER_WORDS.items()} for locale in LOCALES
    }
