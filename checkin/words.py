"""The words for this package's codes, in the source language; every member of its enums has one (a test walks them)."""

from __future__ import annotations

from checkin.badge_rules import BadgeCode, Boxes, Handing, Order, Paper, PrintFailure
from checkin.conflict_rules import Story
from checkin.device_rules import DeviceCode, Held, Trouble
from checkin.rehearsal_rules import RehearsalCode
from checkin.room_rules import RoomState
from checkin.rules import (
    CheckinCode,
    CheckpointKind,
    Direction,
    Once,
    OnRepeat,
    PassportStatus,
    Tone,
    VerdictCode,
)
from checkin.walk_in_rules import ClaimCode
from kernel.text import N_

#: What the scanner shows from arm's length: short, and what to do is in VERDICT_HELP.
VERDICTS: dict[VerdictCode, str] = {
    VerdictCode.ADMITTED: N_("Welcome"),
    VerdictCode.WELCOME_BACK: N_("Welcome back"),
    VerdictCode.EXIT_RECORDED: N_("Goodbye"),
    VerdictCode.EXIT_AUTOMATIC: N_("Has left (not scanned)"),
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
    VerdictCode.ADMITTED_BY_LEAD: N_("Let in by a lead"),
    VerdictCode.ENTRY_UNDONE: N_("Entry taken back"),
    VerdictCode.EXIT_UNDONE: N_("Exit taken back"),
    VerdictCode.TURNED_AWAY: N_("Sent away"),
    VerdictCode.LET_IN: N_("Let in all the same"),
    VerdictCode.LET_IN_UNDONE: N_("Not inside after all"),
}

#: What to say or do next, one sentence.
VERDICT_HELP: dict[VerdictCode, str] = {
    VerdictCode.ADMITTED: N_("Please come in."),
    VerdictCode.WELCOME_BACK: N_("Has been here before, may come in again."),
    VerdictCode.EXIT_RECORDED: N_("The way out is recorded."),
    VerdictCode.EXIT_AUTOMATIC: N_("Came into another room, or the day has ended."),
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
    VerdictCode.ADMITTED_BY_LEAD: N_("A lead let this person in, with a reason."),
    VerdictCode.ENTRY_UNDONE: N_("It counts as if they had not come in."),
    VerdictCode.EXIT_UNDONE: N_("It counts as if they had not left."),
    VerdictCode.TURNED_AWAY: N_("A phone without network sent this person away; now they may come in."),
    VerdictCode.LET_IN: N_("A phone without network had let this person in, so they count as inside."),
    VerdictCode.LET_IN_UNDONE: N_("They no longer count as inside."),
}

#: What a conflict is called on boards and phones.
STORIES: dict[Story, str] = {
    Story.TWO_LANES: N_("Admitted at two lanes"),
    Story.NOBODY: N_("Let in with a code of nobody"),
    Story.REFUSED: N_("Let in, then refused"),
    Story.SENT_AWAY: N_("Sent away, though welcome"),
}

#: What a desk that hands badges over is answered.
HANDING: dict[Handing, str] = {
    Handing.HANDED_OVER: N_("Badge handed over"),
    Handing.HANDED_OVER_BEFORE: N_("Has the badge already"),
    Handing.TAKEN_BACK: N_("Taken back"),
    Handing.NOT_HANDED_OVER: N_("Was not handed over"),
    Handing.TOO_LATE: N_("Too long ago"),
}

HANDING_TONES: dict[Handing, Tone] = {
    Handing.HANDED_OVER: Tone.GO,
    Handing.TAKEN_BACK: Tone.GO,
    Handing.HANDED_OVER_BEFORE: Tone.CARE,
    Handing.NOT_HANDED_OVER: Tone.CARE,
    Handing.TOO_LATE: Tone.STOP,
}

HANDING_HELP: dict[Handing, str] = {
    Handing.HANDED_OVER: N_("It is written down. Nobody was let in by it."),
    Handing.HANDED_OVER_BEFORE: N_("Have a look who it is. A lost badge can be printed again."),
    Handing.TAKEN_BACK: N_("It counts as not handed over."),
    Handing.NOT_HANDED_OVER: N_("There is nothing to take back."),
    Handing.TOO_LATE: N_("It is too long ago to be taken back."),
}

ORDERS: dict[Order, str] = {
    Order.PINYIN: N_("Names, in pinyin"),
    Order.TICKET_TYPE: N_("Ticket types, then names"),
    Order.REGISTERED: N_("Registration, the first first"),
}

BOXES: dict[Boxes, str] = {
    Boxes.NONE: N_("No boxes"),
    Boxes.LETTERS: N_("A, B, C, …"),
    Boxes.TYPES: N_("By ticket type"),
}

PAPERS: dict[Paper, str] = {
    Paper.A6: N_("A6, 105 × 148 mm"),
    Paper.A7: N_("A7, 74 × 105 mm"),
    Paper.CARD_90_54: N_("Card, 90 × 54 mm"),
    Paper.LABEL_100_70: N_("Label, 100 × 70 mm"),
    Paper.LABEL_62_100: N_("Label from a 62 mm roll, 62 × 100 mm"),
    Paper.LABEL_80_50: N_("Label, 80 × 50 mm"),
}

PRINT_FAILURES: dict[PrintFailure, str] = {
    PrintFailure.BROWSER: N_("The browser did not print it"),
    PrintFailure.LAPSED: N_("Tried three times without a word"),
}

#: What is wrong with a line of a list of numbers.
LINE_PROBLEMS: dict[str, str] = {
    "code_missing": N_("there is no code in it (%(said)s)"),
    "code_unknown": N_("nobody here has the code %(said)s"),
    "code_twice": N_("the person of %(said)s stands in it before"),
    "number_unreadable": N_("%(said)s is no badge number"),
    "number_twice": N_("the number %(said)s stands in it before"),
    "number_taken": N_("somebody else has the number %(said)s, or had it printed"),
    "box_too_long": N_("the name of the box is longer than 20 characters (%(said)s)"),
}

#: What people read in their own data.
STATUSES: dict[str, str] = {
    PassportStatus.VALID: N_("Valid"),
    PassportStatus.NOT_CONFIRMED: N_("Not confirmed"),
    PassportStatus.CANCELLED: N_("Cancelled"),
    PassportStatus.REVOKED: N_("Replaced or revoked"),
}

#: How a scan stands that was kept apart.
APART: dict[str, str] = {
    Held.WAITING: N_("Waits for a decision"),
    Held.LETTING_IN: N_("Waits for a decision"),
    Held.LET_IN: N_("Was let in"),
    Held.DROPPED: N_("Dropped"),
    Held.COUNTED: N_("Was counted already"),
}

DIRECTIONS: dict[str, str] = {Direction.ENTRY: N_("In"), Direction.EXIT: N_("Out")}

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
    "scan.override": N_("Let somebody in against a refusal"),
    "scan.undo": N_("Took a scan back"),
    "badges.assign": N_("Gave badge numbers"),
    "badges.import": N_("Took badge numbers from a list"),
    "badge.set": N_("Changed a badge's number"),
    "badges.export": N_("Exported badges"),
    "print_station.added": N_("Opened a print station"),
    "print_station.changed": N_("Changed a print station"),
    "note.set": N_("Left a note for staff"),
    "note.done": N_("Marked a note as done"),
    "scans.export": N_("Exported scans"),
    "rehearsal.started": N_("Began a rehearsal"),
    "rehearsal.stopped": N_("Ended a rehearsal"),
    "rehearsal.cleared": N_("Cleared a rehearsal"),
    "conflict.dealt": N_("Dealt with a conflict"),
    "conflicts.export": N_("Exported conflicts"),
    "device.pairings": N_("Made pairing codes for phones"),
    "device.pairings_withdrawn": N_("Withdrew pairing codes"),
    "device.pair": N_("Paired a phone"),
    "device.change": N_("Changed a paired phone"),
    "device.revoke": N_("Revoked a paired phone"),
    "devices.export": N_("Exported the list of devices"),
    "phone_test.link": N_("Made a link for testing phones"),
    "phone_test.erase": N_("Erased a phone test"),
    "quarantine.let_in": N_("Let a scan in that was kept apart"),
    "quarantine.drop": N_("Dropped scans that were kept apart"),
    "quarantine.take": N_("Handed over scans of a phone that was over"),
    "room.said": N_("Said how full a room is"),
    "rooms.day_end": N_("Saw out who had not left at the end of the day"),
    "passport.claim": N_("Took the passport along from the walk-in desk"),
}

#: What somebody says of a room.
ROOM_STATES: dict[str, str] = {
    RoomState.AUTOMATIC: N_("By the figures"),
    RoomState.OPEN: N_("Open"),
    RoomState.FULL: N_("Full"),
    RoomState.CLOSED: N_("Closed"),
}

WORDS: dict[str, str] = {
    CheckinCode.ROOM_UNKNOWN: N_("There is no such room here."),
    CheckinCode.ROOM_NOT_YOURS: N_("This room is not one of yours."),
    CheckinCode.LEAD_TOO_LONG: N_("Please enter a number of minutes from 0 to %(limit)s."),
    CheckinCode.HEADS_OUT_OF_RANGE: N_("Please enter a number from 0 to %(limit)s."),
    CheckinCode.CHECKPOINT_UNKNOWN: N_("There is no such checkpoint here."),
    CheckinCode.CHECKPOINT_NOT_YOURS: N_("This checkpoint is not one of yours."),
    CheckinCode.BATCH_TOO_LARGE: N_("At most %(limit)s scans at once. Please send them in parts."),
    CheckinCode.SCAN_MALFORMED: N_("This scan could not be read."),
    CheckinCode.PASSPORT_UNKNOWN: N_("There is no such passport here."),
    CheckinCode.CODE_TAKEN: N_("Another checkpoint has this code already."),
    CheckinCode.WINDOW_UNREADABLE: N_("Line %(line)s is not a window. Write it as 2023-10-28 11:30 - 13:00."),
    CheckinCode.UNDO_TOO_LATE: N_("It is too long ago to be taken back."),
    CheckinCode.UNDO_NOT_LATEST: N_("Something was scanned after it, so it can't be taken back."),
    CheckinCode.NOT_OF_THE_GROUP: N_("This person is not of this group."),
    CheckinCode.NO_GROUP: N_("This passport opens no group's list."),
    RehearsalCode.DOORS_ARE_OPEN: N_("The doors have opened: every scan counts now."),
    RehearsalCode.PAST_DOORS: N_("That is after the doors open. Choose an earlier time."),
    RehearsalCode.ENDS_TOO_SOON: N_("That is past already. Choose a later time."),
    ClaimCode.WRONG: N_("This code is not complete. Please scan it again."),
    ClaimCode.LATE: N_("This code was good for some minutes only. Ask the desk for a new one."),
    ClaimCode.SPENT: N_("This code was used on another phone already. Ask the desk for a new one."),
    BadgeCode.NUMBER_TAKEN: N_("Somebody else has this number, or had it printed."),
    BadgeCode.NUMBERS_USED_UP: N_("There are no numbers left above this one."),
    BadgeCode.STATION_UNKNOWN: N_("There is no such print station here."),
    BadgeCode.STATION_CLOSED: N_("This print station is closed. Choose another one."),
    BadgeCode.JOB_GONE: N_("This badge is printed elsewhere, or no longer wanted."),
    BadgeCode.QUEUE_FULL: N_("Too many badges wait at this station. Choose another one."),
    BadgeCode.NOTHING_TO_PRINT: N_("This passport is not valid, so there is no badge to print."),
    BadgeCode.COLUMNS_MISSING: N_("The first line must name the columns: short code and badge number."),
    DeviceCode.REVOKED: N_("This phone was revoked. Ask a lead for a new code."),
    DeviceCode.EXPIRED: N_("This phone's time is over. Ask a lead to extend it."),
    DeviceCode.UNKNOWN: N_("There is no such phone here."),
    DeviceCode.PAIRING_UNKNOWN: N_("This event knows no such code. Please look at it again."),
    DeviceCode.PAIRING_USED: N_("This code was used by another phone already. Ask a lead for a new one."),
    DeviceCode.PAIRING_OVER: N_("This code's time is over. Ask a lead for a new one."),
    DeviceCode.PAIRING_WITHDRAWN: N_("This code was withdrawn. Ask a lead for a new one."),
    DeviceCode.NAMES_NOT_YOURS: N_("Only who may see registrations can hand out the list of names."),
    DeviceCode.ENDS_PAST: N_("This time is over already."),
    DeviceCode.TOO_MANY_PAIRINGS: N_("%(limit)s codes wait for their phones already. Withdraw some first."),
    DeviceCode.QUARANTINE_FULL: N_("Too many scans of this phone are kept apart already."),
    DeviceCode.HELD_DECIDED: N_("Somebody has decided this already."),
    DeviceCode.HELD_UNKNOWN_PERSON: N_("Nobody is known by this code, so nobody can be let in."),
    DeviceCode.TEST_LINK_OVER: N_("This link is over. Ask whoever sent it for a new one."),
    Trouble.TWO_PHONES: N_("Another phone uses this pairing, too. Revoke it and pair both anew."),
    Trouble.STORAGE_FULL: N_("The phone's memory is full."),
    Trouble.SNAPSHOT_BROKEN: N_("What the phone keeps for times without network is damaged."),
    Trouble.SNAPSHOT_OLD: N_("What the phone keeps for times without network is old."),
    Trouble.CAMERA_LOST: N_("The phone's camera stopped."),
    Trouble.CLOCK_JUMPED: N_("The phone's clock jumped."),
    CheckinCode.SEARCH_TOO_SHORT: N_(
        "Please enter at least two characters of the name, or the last four digits."
    ),
}
