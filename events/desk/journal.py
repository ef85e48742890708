"""Who did what: the event's journal, and the history at the end of an object's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, queries
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage
from events.rules import Permission
from kernel.actor import ActorKind
from kernel.text import N_
from people import queries as people
from people.queries import JournalLine
from web import i18n, render
from web.routing import Entry

#: What each verb of the journal is called; main adds those of upper floors.
VERBS: Final[dict[str, str]] = {
    "event.create": N_("Created the event"),
    "event.change": N_("Changed the event's settings"),
    "event.published": N_("Published the event"),
    "event.ended": N_("Ended the event"),
    "event.draft": N_("Hid the event"),
    "ticket_type.add": N_("Added a ticket type"),
    "ticket_type.change": N_("Changed a ticket type"),
    "role.grant": N_("Gave a role"),
    "role.revoke": N_("Took a role away"),
    "place.add": N_("Added a place"),
    "place.change": N_("Changed a place"),
    "place.move": N_("Moved a place"),
    "registration.register": N_("Registered"),
    "registration.change": N_("Changed a registration"),
    "registration.change_type": N_("Changed the ticket type"),
    "registration.cancel": N_("Cancelled a registration"),
    "registration.restore": N_("Restored a registration"),
    "registration.renew_secret": N_("Renewed the personal link"),
    "registration.apply_rows": N_("Wrote lines of an import"),
    "registration.export": N_("Exported registrations"),
    "import.begin": N_("Uploaded a list"),
    "import.apply": N_("Imported a list"),
    "import.turn_down": N_("Turned an import down"),
    "letter.retry": N_("Sent a letter again"),
    "letter.hold": N_("Held a letter back"),
    "letter.discard": N_("Discarded a letter"),
}

#: The kinds of objects that the journal can be narrowed to.
KINDS: Final[Mapping[str, str]] = {
    "registration": N_("Registrations"),
    "import": N_("Imports"),
    "event": N_("Event"),
    "ticket_type": N_("Ticket types"),
    "place": N_("Places"),
    "account": N_("Team"),
}

#: The names of what changed, where the journal holds them.
_FIELDS: Final[Mapping[str, str]] = {
    "state": N_("State"),
    "ticket_type_id": N_("Ticket type"),
    "quota": N_("Quota"),
    "is_public": N_("On the public form"),
    "code": N_("Code in lists"),
    "capacity": N_("Capacity"),
    "role": N_("Role"),
    "kind": N_("Kind"),
    "count": N_("People"),
    "lines": N_("Lines"),
    "created": N_("New"),
    "updated": N_("Changed"),
    "create": N_("New"),
    "update": N_("Changed"),
    "same": N_("Registered already"),
    "error": N_("Problem"),
    "name": N_("Name"),
    "badge_name": N_("Name on the badge"),
    "english_name": N_("Name in English"),
    "email": N_("E-mail"),
    "phone": N_("Mobile phone"),
    "phone_last4": N_("Mobile phone"),
    "organisation": N_("Organisation"),
    "position": N_("Job title"),
    "locale": N_("Language"),
    "external_id": N_("Registration number in the other system"),
    "external_code": N_("Ticket code (scanners accept it)"),
    "slug": N_("Alias"),
    "starts_on": N_("First day"),
    "ends_on": N_("Last day"),
    "tagline": N_("Tagline"),
    "text": N_("Text"),
    "city": N_("City"),
    "address": N_("Address"),
    "time_zone": N_("Time zone"),
    "theme_colour": N_("Theme colour"),
    "registration_opens_at": N_("Registration opens"),
    "registration_closes_at": N_("Registration closes"),
    "source": N_("Source"),
}
_CODES: Final = frozenset({"state", "role", "source"})


@dataclass(frozen=True, slots=True)
class JournalRow:
    at: str
    who: str
    what: str
    details: str
    href: str


@dataclass(frozen=True, kw_only=True)
class JournalPage(DeskPage):
    template: ClassVar[str] = "events/desk/journal.html"
    rows: Sequence[JournalRow]
    kinds: Sequence[tuple[str, str, None, bool]]
    next_href: str | None
    is_first: bool


async def _journal(request: Request, door: Door) -> Response:
    params = request.query_params
    kind = params.get("kind", "") if params.get("kind", "") in KINDS else ""
    before = shared.whole_id(params.get("before"))
    found = await people.journal(event_id=door.event.id, object_kind=kind, before=before)
    locale = i18n.current_locale()
    types = {item.id: item.name.in_(locale) for item in await queries.ticket_types(door.event.id)}
    here = render.url("events.desk.journal", slug=door.event.slug)
    return await render.page(
        request,
        JournalPage(
            **access.frame(door, "events.desk.journal"),
            rows=[
                JournalRow(
                    at=render.moment(line.at, door.event.time_zone),
                    who=_who(line),
                    what=_what(line),
                    details=_details(line, types),
                    href=_href(door, line),
                )
                for line in found.items
            ],
            kinds=[
                (i18n.gettext(N_("All")), here, None, not kind),
                *(
                    (i18n.gettext(words), render.with_query(here, kind=one), None, one == kind)
                    for one, words in KINDS.items()
                ),
            ],
            next_href=render.with_query(here, kind=kind, before=found.before) if found.before else None,
            is_first=before is None,
        ),
    )


async def history(
    door: Door, kind: str, object_id: int, *, ticket_types: Mapping[int, str] | None = None
) -> Sequence[tuple[str, str, str]]:
    """What happened to one object, the newest first, as ``ui.history`` shows it; for those who may see the journal."""
    if not door.may(Permission.SEE_JOURNAL):
        return ()
    found = await people.journal(event_id=door.event.id, object_kind=kind, object_id=object_id)
    rows = []
    for line in found.items:
        details = _details(line, ticket_types or {})
        what = f"{_what(line)}{i18n.gettext(N_(': '))}{details}" if details else _what(line)
        rows.append((render.moment(line.at, door.event.time_zone), _who(line), what))
    return rows


def _what(line: JournalLine) -> str:
    words = VERBS.get(line.verb)
    return i18n.gettext(words) if words else line.verb


def _who(line: JournalLine) -> str:
    if line.actor_name:
        return line.actor_name
    kind, _, number = line.actor_key.partition(":")
    match kind:
        case ActorKind.SYSTEM:
            return i18n.gettext(N_("The system"))
        case ActorKind.DEVICE:
            return i18n.gettext(N_("Device %(number)s")) % {"number": number}
        case ActorKind.ANONYMOUS:
            return i18n.gettext(N_("A visitor"))
        case _:
            return i18n.gettext(N_("A former account"))


def _details(line: JournalLine, ticket_types: Mapping[int, str]) -> str:
    """What changed, as far as people care: names of fields, and values where they are words or numbers."""
    touched = line.new.get("fields")
    if isinstance(touched, list):
        names = dict.fromkeys(i18n.gettext(_FIELDS[one]) for one in touched if one in _FIELDS)
        return i18n.gettext(N_(", ")).join(names)

    def said(name: str, value: Any) -> str:
        if name in _CODES and value:
            return render.words_for(str(value))
        if name == "ticket_type_id":
            return ticket_types.get(value, f"#{value}")
        if isinstance(value, bool):
            return i18n.gettext(N_("yes") if value else N_("no"))
        return "–" if value is None or value == "" else str(value)

    parts = []
    for name, value in line.new.items():
        if name not in _FIELDS or line.old.get(name) == value or isinstance(value, (dict, list)):
            continue
        words = said(name, value)
        before = f"{said(name, line.old[name])} → " if name in line.old else ""
        parts.append(f"{i18n.gettext(_FIELDS[name])} {before}{words}")
    return i18n.gettext(N_(", ")).join(parts)


def _href(door: Door, line: JournalLine) -> str:
    slug = door.event.slug
    match line.object_kind:
        case "registration" if line.object_id:
            return render.url("events.desk.registration", slug=slug, registration_id=line.object_id)
        case "import" if door.may(Permission.CHANGE_REGISTRATIONS):
            return render.url("events.desk.import", slug=slug, import_id=line.object_id)
        case "ticket_type" if door.may(Permission.CHANGE_EVENT):
            return render.url("events.desk.ticket_type", slug=slug, ticket_type_id=line.object_id)
        case "place" if door.may(Permission.CHANGE_EVENT):
            return render.url("events.desk.place", slug=slug, place_id=line.object_id)
        case _:
            return ""


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/journal", _journal, "events.desk.journal", Permission.SEE_JOURNAL),
]
