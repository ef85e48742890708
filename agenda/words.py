"""The words for this package's codes and for its verbs in the journal; main joins them with every other package's."""

from __future__ import annotations

from agenda.rules import AgendaCode, SessionKind
from kernel.text import N_

WORDS: dict[str, str] = {
    AgendaCode.SESSION_OF_ANOTHER_EVENT: N_("A session of another event has this guid."),
    AgendaCode.SESSION_GUID_MALFORMED: N_(
        "A guid has 32 digits and letters from a to f. Leave it empty for a new session."
    ),
    AgendaCode.SESSION_TIME_MALFORMED: N_("This is not a date and time. Write it like 2023-10-28 09:30."),
    AgendaCode.SESSION_TIME_TWICE: N_(
        "The clocks are set back here, so this time comes twice. Choose another one."
    ),
    AgendaCode.SESSION_TIME_SKIPPED: N_(
        "The clocks are set forward here, so this time never comes. Choose another one."
    ),
    AgendaCode.SESSION_ENDS_FIRST: N_("A session can't end before it starts."),
    AgendaCode.SESSION_TOO_LONG: N_("A session lasts at most %(hours)s hours. Is the date right?"),
    AgendaCode.SESSION_TITLE_MISSING: N_("Please give a title, in Chinese or in English."),
    AgendaCode.SESSION_KIND_UNKNOWN: N_(
        "The kind “%(value)s” is not known. Known are talk, panel, workshop, lightning, ceremony and break."
    ),
    AgendaCode.SESSION_PLACE_UNKNOWN: N_(
        "This event has no place “%(value)s”, or more than one. Use the place's code."
    ),
    AgendaCode.SESSION_ROW_TWICE: N_("Line %(line)s says the same."),
    AgendaCode.PROGRAMME_COLUMN_MISSING: N_(
        "This column is missing: a programme needs a title, a start and an end."
    ),
    AgendaCode.PROGRAMME_EMPTY: N_("There is no session below the column titles."),
    SessionKind.TALK: N_("Talk"),
    SessionKind.PANEL: N_("Panel"),
    SessionKind.WORKSHOP: N_("Workshop"),
    SessionKind.LIGHTNING: N_("Lightning talks"),
    SessionKind.CEREMONY: N_("Ceremony"),
    SessionKind.BREAK: N_("Break"),
}

VERBS: dict[str, str] = {
    "session.add": N_("Added a session"),
    "session.import": N_("Imported the programme"),
}
