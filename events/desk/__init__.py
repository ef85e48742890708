"""The organiser's desk: every page under ``/e/{slug}/desk``, and the slots that main fills for upper floors.

Each page opens the event through ``events.access.route`` with the permission it needs, calls one action or query, and
renders. Nothing here is stored; nothing below the desk leans on it.
"""

from __future__ import annotations

from events.desk.event_settings import ROUTES as SETTINGS
from events.desk.exports import EXPORT_COLUMNS, EXPORT_PICTURES, ExportPictures, export_bytes
from events.desk.exports import ROUTES as EXPORTS
from events.desk.imports import ROUTES as IMPORTS
from events.desk.imports import WORDS as IMPORT_WORDS
from events.desk.journal import ROUTES as JOURNAL
from events.desk.journal import VERBS
from events.desk.outbox import ROUTES as OUTBOX
from events.desk.overview import NEXT_STEPS, Step
from events.desk.overview import ROUTES as OVERVIEW
from events.desk.places import ROUTES as PLACES
from events.desk.registrations import REGISTRATION_LINKS
from events.desk.registrations import ROUTES as REGISTRATIONS
from events.desk.shared import NAV, configure
from events.desk.shared import WORDS as SHARED_WORDS
from events.desk.team import ROUTES as TEAM
from events.desk.team import SCOPES
from events.desk.ticket_types import ROUTES as TICKET_TYPES
from web.routing import Entry

__all__ = [
    "EXPORT_COLUMNS",
    "EXPORT_PICTURES",
    "NAV",
    "NEXT_STEPS",
    "REGISTRATION_LINKS",
    "ROUTES",
    "SCOPES",
    "VERBS",
    "WORDS",
    "ExportPictures",
    "Step",
    "configure",
    "export_bytes",
]

ROUTES: list[Entry] = [
    *OVERVIEW,
    *EXPORTS,
    *REGISTRATIONS,
    *IMPORTS,
    *TICKET_TYPES,
    *PLACES,
    *TEAM,
    *SETTINGS,
    *OUTBOX,
    *JOURNAL,
]

#: Codes of the desk and of imports; main joins them with every other package's.
WORDS: dict[str, str] = {**SHARED_WORDS, **IMPORT_WORDS}
