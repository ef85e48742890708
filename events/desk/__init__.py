"""The organiser's desk: every page under ``/e/{slug}/desk``, and the slots that main fills for upper floors.

Each page opens the event through ``events.access.route`` with the permission it needs, calls one action or query, and
renders. Nothing here is stored; nothing below the desk leans on it.
"""

from __future__ import annotations

from events.desk.access_codes import ROUTES as ACCESS_CODES
from events.desk.answers import ROUTES as ANSWERS
from events.desk.approvals import ROUTES as APPROVALS
from events.desk.copying import ROUTES as COPYING
from events.desk.custom_pages import ROUTES as CUSTOM_PAGES
from events.desk.event_settings import ROUTES as SETTINGS
from events.desk.exports import EXPORT_COLUMNS, EXPORT_PICTURES, ExportPictures, export_bytes
from events.desk.exports import ROUTES as EXPORTS
from events.desk.form import ROUTES as FORM
from events.desk.imports import ROUTES as IMPORTS
from events.desk.imports import WORDS as IMPORT_WORDS
from events.desk.journal import CODES, VERBS
from events.desk.journal import ROUTES as JOURNAL
from events.desk.meetups import ROUTES as MEETUPS
from events.desk.merge import LINKS as PERSON_LINKS
from events.desk.merge import ROUTES as MERGE
from events.desk.modules import ROUTES as MODULES
from events.desk.outbox import ROUTES as OUTBOX
from events.desk.overview import NEXT_STEPS, Step
from events.desk.overview import ROUTES as OVERVIEW
from events.desk.partners import ROUTES as PARTNERS
from events.desk.places import ROUTES as PLACES
from events.desk.privacy import ROUTES as PRIVACY
from events.desk.registrations import REGISTRATION_LINKS
from events.desk.registrations import ROUTES as REGISTRATIONS
from events.desk.reminders import ROUTES as REMINDERS
from events.desk.series import ROUTES as SERIES
from events.desk.shared import NAV, configure
from events.desk.shared import WORDS as SHARED_WORDS
from events.desk.shared_quotas import ROUTES as SHARED_QUOTAS
from events.desk.sites import ROUTES as SITES
from events.desk.sites import site_scopes
from events.desk.statistics import ROUTES as STATISTICS
from events.desk.team import ROUTES as TEAM
from events.desk.team import SCOPES
from events.desk.ticket_types import ROUTES as TICKET_TYPES
from events.desk.waiting_list import ROUTES as WAITING_LIST
from web.routing import Entry

__all__ = [
    "CODES",
    "EXPORT_COLUMNS",
    "EXPORT_PICTURES",
    "NAV",
    "NEXT_STEPS",
    "PERSON_LINKS",
    "REGISTRATION_LINKS",
    "ROUTES",
    "SCOPES",
    "VERBS",
    "WORDS",
    "ExportPictures",
    "Step",
    "configure",
    "export_bytes",
    "site_scopes",
]

ROUTES: list[Entry] = [
    *OVERVIEW,
    *PARTNERS,
    *STATISTICS,
    *EXPORTS,
    *REGISTRATIONS,
    *IMPORTS,
    *TICKET_TYPES,
    *SHARED_QUOTAS,
    *ACCESS_CODES,
    *APPROVALS,
    *WAITING_LIST,
    *FORM,
    *ANSWERS,
    *PLACES,
    *TEAM,
    *SITES,
    *CUSTOM_PAGES,
    *SETTINGS,
    *MODULES,
    *SERIES,
    *COPYING,
    *MEETUPS,
    *MERGE,
    *OUTBOX,
    *REMINDERS,
    *PRIVACY,
    *JOURNAL,
]

#: Codes of the desk and of imports; main joins them with every other package's.
WORDS: dict[str, str] = {**SHARED_WORDS, **IMPORT_WORDS}
