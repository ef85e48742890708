"""The words for this package's codes, in the source language; every member of its enums has one (a test walks them)."""

from __future__ import annotations

from checkin.rules import CheckinCode, CheckpointKind, Once, OnRepeat, VerdictCode
from kernel.text import N_

#: What the scanner shows from arm's length: short, and what to do is in VERDICT_HELP.
VERDICTS: dict[VerdictCode, str] = {
    VerdictCode.ADMITTED: N_("Welcome"),
    VerdictCode.WELCOME_BACK: N_("Welcome back"),
    VerdictCode.EXIT_RECORDED: N_("Goodbye"),
    VerdictCode.ALREADY_HERE: N_("Already here"),
    VerdictCode.NOT_INSIDE: N_("Was not inside"),
    VerdictCode.ALREADY_USED: N_("Already used"),
    VerdictCode.MALFORMED: N_("Not a passport"),
    VerdictCode.MISTYPED: N_("Mistyped"),
    VerdictCode.UNKNOWN: N_("Unknown code"),
    VerdictCode.OTHER_EVENT: N_("Other event"),
    VerdictCode.REVOKED: N_("Replaced or revoked"),
    VerdictCode.CANCELLED: N_("Cancelled"),
    VerdictCode.NOT_CONFIRMED: N_("Not confirmed"),
    VerdictCode.CLOSED: N_("Closed"),
    VerdictCode.NOT_YET_OPEN: N_("Not open yet"),
    VerdictCode.WINDOW_OVER: N_("Time is over"),
    VerdictCode.NO_EXITS_HERE: N_("No exits here"),
    VerdictCode.WRONG_TICKET_TYPE: N_("Not with this ticket"),
    VerdictCode.FULL: N_("Full"),
}

#: What to say or do next, one sentence.
VERDICT_HELP: dict[VerdictCode, str] = {
    VerdictCode.ADMITTED: N_("Please come in."),
    VerdictCode.WELCOME_BACK: N_("Has been here before, may come in again."),
    VerdictCode.EXIT_RECORDED: N_("The way out is recorded."),
    VerdictCode.ALREADY_HERE: N_("Was admitted before and has not left. Have a look who it is."),
    VerdictCode.NOT_INSIDE: N_("No way in was recorded. Let them go; nothing was counted."),
    VerdictCode.ALREADY_USED: N_("This can be had once, and it has been."),
    VerdictCode.MALFORMED: N_("This code is something else. Ask for the passport's code."),
    VerdictCode.MISTYPED: N_("One character of the short code is wrong. Please type it again."),
    VerdictCode.UNKNOWN: N_("Nobody here has this code. Look the person up by name or phone."),
    VerdictCode.OTHER_EVENT: N_("This passport belongs to another event."),
    VerdictCode.REVOKED: N_(
        "This code was replaced by a newer one. Ask for the newest, or look the person up."
    ),
    VerdictCode.CANCELLED: N_("This registration was cancelled. Please send them to the help desk."),
    VerdictCode.NOT_CONFIRMED: N_(
        "This registration is not confirmed yet. Please send them to the help desk."
    ),
    VerdictCode.CLOSED: N_("This checkpoint is closed."),
    VerdictCode.NOT_YET_OPEN: N_("It opens later."),
    VerdictCode.WINDOW_OVER: N_("Its time is over."),
    VerdictCode.NO_EXITS_HERE: N_("This checkpoint records only ways in."),
    VerdictCode.WRONG_TICKET_TYPE: N_("This ticket type is not accepted here."),
    VerdictCode.FULL: N_("Nobody more fits in. Wait until somebody leaves."),
}

KINDS: dict[str, str] = {
    CheckpointKind.GATE: N_("Gate"),
    CheckpointKind.SESSION: N_("Session door"),
    CheckpointKind.BOOTH: N_("Booth"),
    CheckpointKind.MEAL: N_("Meal"),
}

ONCE: dict[str, str] = {
    Once.EVENT: N_("once in the whole event"),
    Once.DAY: N_("once a day"),
    Once.WINDOW: N_("once per window"),
    Once.SESSION: N_("once per session"),
}

ON_REPEAT: dict[str, str] = {
    OnRepeat.WELCOME: N_("Green: welcome back"),
    OnRepeat.WARN: N_("Amber: look who it is"),
    OnRepeat.REFUSE: N_("Red: already used"),
}

#: What the journal's page says of this package's lines.
VERBS: dict[str, str] = {
    "checkpoint.added": N_("Opened a checkpoint"),
    "checkpoint.changed": N_("Changed a checkpoint"),
}

WORDS: dict[str, str] = {
    CheckinCode.CHECKPOINT_UNKNOWN: N_("There is no such checkpoint here."),
    CheckinCode.CHECKPOINT_NOT_YOURS: N_("This checkpoint is not one of yours."),
    CheckinCode.BATCH_TOO_LARGE: N_("At most %(limit)s scans at once. Please send them in parts."),
    CheckinCode.SCAN_MALFORMED: N_("This scan could not be read."),
    CheckinCode.PASSPORT_UNKNOWN: N_("There is no such passport here."),
    CheckinCode.CODE_TAKEN: N_("Another checkpoint has this code already."),
    CheckinCode.WINDOW_UNREADABLE: N_("Line %(line)s is not a window. Write it as 2023-10-28 11:30 - 13:00."),
    CheckinCode.SEARCH_TOO_SHORT: N_(
        "Please enter at least two characters of the name, or the last four digits."
    ),
}
