"""The scanner's own words. They travel to the page as data, in every language of the interface at once, because the
scanner changes its language without asking the server: it may be offline, and a scan may be under way.
"""

from __future__ import annotations

from checkin.offline_words import OFFLINE_WORDS
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
    "walk_in": N_("Walk-in"),
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
    "person": N_("More about this person"),
    "group": N_("Their group"),
    "group_of": N_("%(count)s people of this group"),
    "attention": N_("Attention"),
    "box": N_("Box %(box)s"),
    # handing badges over
    "badges": N_("Hand out badges"),
    "badges_on": N_("Handing out badges: nobody is let in"),
    "badges_end": N_("Back to scanning"),
    "badges_unsent_help": N_(
        "No connection. Nothing is written down yet; scan the badge again when it is back."
    ),
    # printing badges
    "print_badge": N_("Print the badge"),
    "stations": N_("Print where?"),
    "print_sent": N_("Sent to %(station)s"),
    "print_ahead": N_("%(count)s before it"),
    "print_nobody": N_("nobody has that station open"),
    "print_done": N_("Printed at %(station)s"),
    "print_failed": N_("%(station)s could not print it"),
    # a group
    "group_here": N_("%(here)s of %(total)s are here"),
    "group_all": N_("Tick all"),
    "group_none": N_("Tick nobody"),
    "group_admit": N_("Let %(count)s in here"),
    "group_done": N_("%(admitted)s of %(ticked)s were let in."),
    "group_failed": N_("The list did not get through. Please try again."),
    "group_same": N_("Sending it again lets nobody in twice."),
    "here": N_("Here"),
    # a lead's word
    "admit_anyway": N_("Let them in anyway"),
    "undo": N_("Take it back"),
    "reason": N_("Because"),
    "reason_help": N_("It is kept beside the scan, with your name, for those who look after the event."),
    "undone": N_("It was taken back. The counts follow at once."),
    "sent_failed": N_("It did not get through. Please try again."),
    # the lanes
    "lanes": N_("Lanes"),
    "lanes_none": N_("No lane of yours was used in the last hour."),
    "lanes_rate": N_("%(scans)s in 5 min"),
    "lanes_refused": N_("%(refused)s refused"),
    "lanes_last": N_("last %(when)s"),
    "lanes_never": N_("not used today"),
    "lanes_stale": N_("As of %(when)s; we keep asking."),
    "sign_in": N_("Sign in"),
    "pair": N_("Pair this phone again"),
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
    "not_taken": N_("Not taken"),
    "not_taken_help": N_("The server did not take this scan. Nothing was decided."),
    # answers
    "first_time": N_("First: %(when)s"),
    "go_to": N_("Please go to: %(checkpoint)s"),
    # typing and finding
    "type_lead": N_("The eight characters under the QR code."),
    "type_label": N_("Passport code"),
    "type_do": N_("Check this code"),
    "search_label": N_("Name, pinyin or initials, or the last four digits of the phone"),
    "search_none": N_("Nobody found. Try one part of the name, its initials, or the last four digits."),
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
    "rehearsal": N_("Rehearsal: nothing is counted"),
    "rehearsal_until": N_("until"),
    "open_in_browser": N_("In WeChat: tap ··· at the top right and choose “Open in browser”."),
    "copy": N_("Copy this page's address"),
    "copied": N_("Copied. Paste it into a browser."),
}


def scanner_words() -> dict[str, dict[str, str]]:
    """Every word by locale and key."""
    return {
        locale: {key: gettext_in(locale, text) for key, text in (SCANNER_WORDS | OFFLINE_WORDS).items()}
        for locale in LOCALES
    }
