"""Who did what: the event's journal with its filters and its file, and the history at the end of an object's page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from events import access, queries
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage, attachment
from events.desk.team import scopes_of
from events.exporting import Cell, to_csv, to_xlsx
from events.rules import Permission
from kernel.actor import ANONYMOUS, SYSTEM, ActorKind
from kernel.errors import Code, Invalid, Problem
from kernel.text import N_
from people import journal
from people import queries as people
from people.jobs import in_worker
from people.queries import JournalLine
from web import forms, i18n, render
from web.routing import Entry

#: What each verb of the journal is called; main adds those of upper floors.
VERBS: Final[dict[str, str]] = {
    "event.create": N_("Created the event"),
    "event.change": N_("Changed the event's settings"),
    "event.published": N_("Published the event"),
    "event.ended": N_("Ended the event"),
    "event.draft": N_("Hid the event"),
    "event.cover": N_("Changed the cover picture"),
    "event.copy": N_("Made the event as a copy"),
    "site.add": N_("Added a site"),
    "site.change": N_("Changed a site"),
    "site.remove": N_("Removed a site"),
    "series.add": N_("Made a series"),
    "series.change": N_("Renamed a series"),
    "page.add": N_("Wrote a page"),
    "page.change": N_("Changed a page"),
    "page.remove": N_("Removed a page"),
    "ticket_type.add": N_("Added a ticket type"),
    "ticket_type.change": N_("Changed a ticket type"),
    "event.order_ticket_types": N_("Put the ticket types in order"),
    "shared_quota.add": N_("Added a shared quota"),
    "shared_quota.change": N_("Changed a shared quota"),
    "shared_quota.remove": N_("Removed a shared quota"),
    "access_code.add": N_("Added access codes"),
    "access_code.change": N_("Changed an access code"),
    "registration.approve": N_("Approved a registration"),
    "registration.decline": N_("Declined a registration"),
    "registration.move_up": N_("Offered a place"),
    "registration.accept": N_("Accepted a place"),
    "registration.turn_down": N_("Turned a place down"),
    "registration.expire": N_("Passed an unanswered place on"),
    "registration.put_first": N_("Put first on the waiting list"),
    "event.transfer_ownership": N_("Handed the event over"),
    "role.grant": N_("Gave a role"),
    "role.revoke": N_("Took a role away"),
    "invitation.add": N_("Invited somebody"),
    "invitation.send_again": N_("Sent an invitation again"),
    "invitation.revoke": N_("Withdrew an invitation"),
    "invitation.accept": N_("Accepted an invitation"),
    "letter.rewrite": N_("Rewrote a letter"),
    "event.drop_people": N_("Dropped the people of the event"),
    "registration.erase": N_("Erased a person"),
    "reminder.change": N_("Changed a reminder"),
    "registration.look": N_("Looked at contact data"),
    "journal.export": N_("Exported the journal"),
    "partner_link.add": N_("Made a partner's link"),
    "partner_link.change": N_("Changed a partner's link"),
    "partner_link.renew": N_("Renewed a partner's link"),
    "partner_link.switch": N_("Switched a partner's link"),
    "partner_link.letter": N_("Sent a partner's link"),
    "place.add": N_("Added a place"),
    "place.change": N_("Changed a place"),
    "place.move": N_("Moved a place"),
    "question.add": N_("Added a question to the form"),
    "question.change": N_("Changed a question of the form"),
    "question.move": N_("Moved a question of the form"),
    "question.remove": N_("Deleted a question of the form"),
    "consent.add": N_("Added a consent"),
    "consent.change": N_("Made a new version of a consent"),
    "consent.withdraw": N_("Stopped asking for a consent"),
    "identity.see": N_("Looked at identity documents"),
    "identity.remove": N_("Deleted an identity document"),
    "identity.purge": N_("Deleted all identity documents in time"),
    "group.register": N_("Registered a group"),
    "group.resend": N_("Sent a group member's letter again"),
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
    "letter.send": N_("Sent a letter that waited"),
    "letter.retry": N_("Sent a letter again"),
    "letter.hold": N_("Held a letter back"),
    "letter.discard": N_("Discarded a letter"),
}

#: The kinds of objects that the journal can be narrowed to.
KINDS: Final[dict[str, str]] = {
    "registration": N_("Registrations"),
    "import": N_("Imports"),
    "event": N_("Event"),
    "ticket_type": N_("Ticket types"),
    "partner_link": N_("Partners' links"),
    "place": N_("Places"),
    "question": N_("Questions"),
    "consent": N_("Consents"),
    "group": N_("Groups"),
    "site": N_("Sites"),
    "page": N_("Pages"),
    "account": N_("Team"),
    "invitation": N_("Invitations"),
    "letter": N_("Letters"),
    "checkpoint": N_("Checkpoints"),
    "passport": N_("Passports"),
    "session": N_("Programme"),
}

#: The names of what changed, where the journal holds them; main adds those of upper floors. What is not named here is
#: shown as it stands in the journal: a list of facts leaves nothing out.
FIELDS: Final[dict[str, str]] = {
    "state": N_("State"),
    "ticket_type_id": N_("Ticket type"),
    "quota": N_("Quota"),
    "is_public": N_("On the public form"),
    "shared_quota_id": N_("Shared quota"),
    "needs_approval": N_("Needs approval"),
    "needs_code": N_("Only with an access code"),
    "has_waitlist": N_("Waiting list"),
    "max_uses": N_("Uses"),
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
    "payment_state": N_("Payment"),
    "invoice_title": N_("Invoice title"),
    "tax_number": N_("Tax number"),
    "ticket_source": N_("Ticket source"),
    "is_required": N_("Has to be answered"),
    "is_personal": N_("Personal data"),
    "is_active": N_("Switched on"),
    "label": N_("Question"),
    "help": N_("Help"),
    "options": N_("Answers to choose from"),
    "ticket_types": N_("Ticket types"),
    "version": N_("Version"),
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
    "scope": N_("Scope"),
    "scopes": N_("Scope"),
    "format": N_("Format"),
    "searched": N_("Searched"),
    "parent_id": N_("Lies in"),
    "place": N_("Place"),
    "session": N_("Session"),
    "is_open": N_("Open"),
    "on_repeat": N_("Scanned again"),
    "scans_exits": N_("Exits are scanned"),
    "day_starts_minute": N_("Minutes after midnight when a day begins"),
    "modules": N_("Modules"),
    "group_id": N_("Group"),
    "upload": N_("Picture"),
    "ticket_type_ids": N_("Ticket types"),
    "is_published": N_("Published"),
    "questions": N_("Questions"),
    "days_before": N_("Days before"),
    "is_on": N_("On"),
    "status": N_("Status"),
    "registrations": N_("Registrations"),
    "is_walk_in": N_("Given out at the door"),
    "is_online": N_("Online"),
    "opens_at": N_("Opens"),
    "closes_at": N_("Closes"),
    "valid_until": N_("Valid until"),
    "site_id": N_("Site"),
    "by_actor": N_("Who"),
    "by_verb": N_("What"),
    "by_kind": N_("Kind"),
    "by_object": N_("Object"),
    "by_since": N_("From day"),
    "by_until": N_("To day"),
}
#: What codes are called, by the name of their field, where they are not among the words of all codes; main fills it.
CODES: Final[dict[str, Mapping[str, str]]] = {}

#: Said elsewhere on the line, or by the fields themselves.
_SILENT: Final = frozenset({"fields"})

#: Lines in one file, the newest first; more are had by narrowing the dates.
FILE_LINES: Final = 20_000
_CHUNK: Final = 500
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: by who, verb, kind and id of the object, and whole days in the event's time zone, both included."""

    actor: str = ""
    verb: str = ""
    kind: str = ""
    object_id: int | None = None
    first_day: date | None = None
    last_day: date | None = None

    def params(self) -> dict[str, str]:
        """As they stand in an address."""
        days = (
            self.first_day.isoformat() if self.first_day else "",
            self.last_day.isoformat() if self.last_day else "",
        )
        number = "" if self.object_id is None else str(self.object_id)
        return {
            name: value
            for name, value in zip(
                ("actor", "verb", "kind", "object", "since", "until"),
                (self.actor, self.verb, self.kind, number, *days),
                strict=True,
            )
            if value
        }

    def query(self, zone: str) -> dict[str, Any]:
        """The keywords of ``people.queries.journal``."""

        def midnight(day: date | None, later: int) -> datetime | None:
            if day is None:
                return None
            return datetime.combine(day + timedelta(days=later), time(), ZoneInfo(zone)).astimezone(UTC)

        return {
            "actor_key": self.actor,
            "verb": self.verb,
            "object_kind": self.kind,
            "object_id": self.object_id,
            "since": midnight(self.first_day, 0),
            "until": midnight(self.last_day, 1),
        }


def read_wanted(values: Mapping[str, str]) -> tuple[Wanted, dict[str, Problem]]:
    """The filter out of an address or a form; what can't be read is left out and named."""
    problems: dict[str, Problem] = {}

    def day(name: str) -> date | None:
        raw = values.get(name, "").strip()
        try:
            found = date.fromisoformat(raw) if raw else None
        except ValueError:
            found = None
            problems[name] = Problem("not_a_date")
        # The day after the last one must exist.
        return found if found is None or found.year < 9999 else None

    return (
        Wanted(
            actor=values.get("actor", "")[:40],
            verb=values.get("verb", "")[:48],
            kind=values.get("kind", "")[:32],
            object_id=shared.whole_id(values.get("object")),
            first_day=day("since"),
            last_day=day("until"),
        ),
        problems,
    )


@dataclass(frozen=True, slots=True)
class Names:
    """What the ids in the journal are called, read once for a whole page."""

    zone: str
    ticket_types: Mapping[int, str] = field(default_factory=dict)
    scopes: Mapping[tuple[str, int], str] = field(default_factory=dict)
    accounts: Mapping[int, str] = field(default_factory=dict)


async def names_of(door: Door, lines: Sequence[JournalLine] = ()) -> Names:
    """Names for the journal's ids: a fixed number of statements."""
    locale = i18n.current_locale()
    known = await people.accounts(
        line.object_id for line in lines if line.object_kind == "account" and line.object_id
    )
    return Names(
        zone=door.event.time_zone,
        ticket_types={item.id: item.name.in_(locale) for item in await queries.ticket_types(door.event.id)},
        scopes={(kind, number): title for kind, number, title in await scopes_of(door)},
        accounts={one.id: one.name or one.email for one in known.values()},
    )


@dataclass(frozen=True, slots=True)
class JournalRow:
    at: str
    who: str
    who_href: str
    what: str
    whom: str
    details: str
    href: str


@dataclass(frozen=True, kw_only=True)
class JournalPage(DeskPage):
    template: ClassVar[str] = "events/desk/journal.html"
    rows: Sequence[JournalRow]
    kinds: Sequence[tuple[str, str, None, bool]]
    actors: Sequence[tuple[str, str]]
    verbs: Sequence[tuple[str, str]]
    #: The filters that the form does not show itself.
    keep: Mapping[str, str]
    is_narrowed: bool
    all_href: str
    next_href: str | None
    first_href: str | None


async def _journal(request: Request, door: Door) -> Response:
    wanted, problems = read_wanted(request.query_params)
    return await _show(request, door, wanted, problems)


async def _show(
    request: Request, door: Door, wanted: Wanted, problems: Mapping[str, Problem], status: int = 200
) -> Response:
    before = shared.whole_id(request.query_params.get("before"))
    found = await people.journal(event_id=door.event.id, before=before, **wanted.query(door.event.time_zone))
    names = await names_of(door, found.items)
    here, params = render.url("events.desk.journal", slug=door.event.slug), wanted.params()
    kinds = [
        (
            i18n.gettext(words),
            render.with_query(here, **{**params, "kind": one, "object": ""}),
            None,
            one == wanted.kind,
        )
        for one, words in {"": N_("All"), **KINDS}.items()
    ]
    return await render.page(
        request,
        JournalPage(
            **access.frame(door, "events.desk.journal"),
            values={**params, "format": "xlsx"},
            problems=problems,
            rows=[_row(door, line, names, params, here) for line in found.items],
            kinds=kinds,
            actors=await _actors(door, wanted, found.items),
            verbs=sorted(
                ((verb, verb_words(verb)) for verb in await people.journal_verbs(door.event.id)),
                key=lambda pair: pair[1],
            ),
            keep={name: params[name] for name in ("kind", "object") if name in params},
            is_narrowed=bool(params),
            all_href=here,
            next_href=render.with_query(here, **params, before=found.before) if found.before else None,
            first_href=render.with_query(here, **params) if before is not None else None,
        ),
        status,
    )


async def _actors(door: Door, wanted: Wanted, lines: Sequence[JournalLine]) -> Sequence[tuple[str, str]]:
    """Whom the list offers: the team of today, the system, visitors, and whoever is chosen (a row's name chooses)."""
    names = {
        f"account:{member.account_id}": member.name or member.email
        for member in await queries.team(door.event.id)
    }
    names[SYSTEM.key] = i18n.gettext(N_("The system"))
    names[ANONYMOUS.key] = i18n.gettext(N_("A visitor"))
    if wanted.actor and wanted.actor not in names:
        names[wanted.actor] = who(lines[0]) if lines else wanted.actor
    return list(names.items())


def _row(door: Door, line: JournalLine, names: Names, params: Mapping[str, str], here: str) -> JournalRow:
    return JournalRow(
        at=render.moment(line.at, door.event.time_zone),
        who=who(line),
        who_href=render.with_query(here, **{**params, "actor": line.actor_key}),
        what=verb_words(line.verb),
        whom=whom(line, names),
        details=details_of(line, names),
        href=_href(door, line),
    )


async def history(
    door: Door, kind: str, object_id: int, *, ticket_types: Mapping[int, str] | None = None
) -> Sequence[tuple[str, str, str]]:
    """What happened to one object, the newest first, as ``ui.history`` shows it; for those who may see the journal."""
    if not door.may(Permission.SEE_JOURNAL):
        return ()
    found = await people.journal(event_id=door.event.id, object_kind=kind, object_id=object_id)
    names = Names(zone=door.event.time_zone, ticket_types=ticket_types or {})
    colon = i18n.gettext(": ")
    rows = []
    for line in found.items:
        details, verb = details_of(line, names), verb_words(line.verb)
        what = f"{verb}{colon}{details}" if details else verb
        rows.append((render.moment(line.at, door.event.time_zone), who(line), what))
    return rows


# --- a line in words ---------------------------------------------------------------------------------------------


def verb_words(verb: str) -> str:
    words = VERBS.get(verb)
    return i18n.gettext(words) if words else verb


def who(line: JournalLine) -> str:
    """Who did it, as they are called today."""
    return line.actor_name or who_key(line.actor_key)


def who_key(actor_key: str) -> str:
    """An actor that no account's name is known of, by its kind."""
    kind, _, number = actor_key.partition(":")
    match kind:
        case ActorKind.SYSTEM:
            return i18n.gettext(N_("The system"))
        case ActorKind.DEVICE:
            return i18n.gettext(N_("Device %(number)s")) % {"number": number}
        case ActorKind.HOLDER:
            return i18n.gettext(N_("The holder"))
        case ActorKind.PARTNER:
            return i18n.gettext(N_("Partner's link %(number)s")) % {"number": number}
        case ActorKind.ANONYMOUS:
            return i18n.gettext(N_("A visitor"))
        case _:
            return i18n.gettext(N_("A former account"))


def whom(line: JournalLine, names: Names) -> str:
    """What was done something to: a team member by name, everything else by its number."""
    if line.object_kind == "account":
        return names.accounts.get(line.object_id, f"#{line.object_id}")
    return f"#{line.object_id}" if line.object_id and line.object_kind != "event" else ""


def details_of(line: JournalLine, names: Names) -> str:
    """What it was and what it became, in words; of texts only that they changed, for the journal holds none."""
    parts = []
    for name in dict.fromkeys([*line.old, *line.new]):
        if name in _SILENT or (name in line.old and line.old[name] == line.new.get(name, object())):
            continue
        words = i18n.gettext(FIELDS[name]) if name in FIELDS else name
        old = _said(name, line.old[name], names) if name in line.old else ""
        new = _said(name, line.new[name], names) if name in line.new else ""
        if name not in line.old and line.new[name] in (None, "", False, [], {}):
            continue  # nothing there before, nothing now
        # Only an old value: it is gone; only a new one: nothing is known to have been there.
        parts.append(f"{words} {old} → {new or '–'}" if old else f"{words} {new}")
    touched = line.new.get("fields")
    if isinstance(touched, list):
        told = {*line.old, *line.new}
        parts += [
            i18n.gettext(FIELDS[one]) if one in FIELDS else str(one) for one in touched if one not in told
        ]
    return i18n.gettext(N_(", ")).join(dict.fromkeys(parts))


def _said(name: str, value: Any, names: Names) -> str:
    match value:
        case None | "":
            return "–"
        case bool():
            return i18n.gettext(N_("yes") if value else N_("no"))
        case int() if name == "ticket_type_id":
            return names.ticket_types.get(value, f"#{value}")
        case int() if name.endswith("_id"):
            return f"#{value}"
        case [str() as kind, int() as number]:
            return names.scopes.get((kind, number), f"{kind} #{number}")
        case list():
            return i18n.gettext(N_("; ")).join(_said(name, one, names) for one in value)
        case dict():
            pairs = (f"{key} {_said(str(key), one, names)}" for key, one in value.items())
            return i18n.gettext(N_("; ")).join(pairs)
        case str():
            return _text(name, value, names)
        case _:
            return str(value)


def _text(name: str, value: str, names: Names) -> str:
    """A code in words, an instant on the event's clock, anything else as it is."""
    if name.endswith("_at") or name in ("until", "from"):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return value
        return render.moment(at, names.zone) if at.tzinfo else value
    if value in CODES.get(name, {}):
        return i18n.gettext(CODES[name][value])
    # Numbers, aliases and the like are no codes, though one may look like some.
    known = render.known_words() if name not in ("slug", "code", "format") else {}
    return i18n.gettext(known[value]) if value in known and "%(" not in known[value] else value


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


# --- the file ----------------------------------------------------------------------------------------------------

_TITLES: Final = (
    N_("When"),
    N_("Who"),
    N_("What"),
    N_("Kind"),
    N_("Object"),
    N_("Details"),
    N_("Code"),
)


async def _steps(door: Door, wanted: Wanted) -> AsyncIterator[list[list[Cell]]]:
    """Rows of the file, some hundred at a time, FILE_LINES at most."""
    zone, before, left = ZoneInfo(door.event.time_zone), None, FILE_LINES
    while left > 0:
        found = await people.journal(
            event_id=door.event.id,
            before=before,
            limit=min(_CHUNK, left),
            **wanted.query(door.event.time_zone),
        )
        names = await names_of(door, found.items)
        yield [
            [
                line.at.astimezone(zone).replace(tzinfo=None, microsecond=0),
                who(line),
                verb_words(line.verb),
                i18n.gettext(KINDS[line.object_kind]) if line.object_kind in KINDS else line.object_kind,
                whom(line, names),
                details_of(line, names),
                line.verb,
            ]
            for line in found.items
        ]
        left -= len(found.items)
        before = found.before
        if before is None:
            return


async def _csv(titles: Sequence[str], door: Door, wanted: Wanted) -> AsyncIterator[bytes]:
    header = b"".join(to_csv(titles, []))
    yield header
    async for rows in _steps(door, wanted):
        yield b"".join(to_csv(titles, rows))[len(header) :]


async def _file(request: Request, door: Door) -> Response:
    values = shared.typed_values(await forms.form_data(request))
    wanted, problems = read_wanted(values)
    kind = values.get("format", "")
    if kind not in ("csv", "xlsx"):
        problems["format"] = Problem(Code.NOT_A_CHOICE)
    if problems:
        return await _show(request, door, wanted, problems, Invalid.status)
    at = shared.now()
    await journal.write(
        actor=door.actor,
        verb="journal.export",
        object_kind="event",
        object_id=door.event.id,
        event_id=door.event.id,
        new={"format": kind, **{f"by_{name}": value for name, value in wanted.params().items()}},
        at=at,
    )
    day = at.astimezone(ZoneInfo(door.event.time_zone)).strftime("%Y%m%d-%H%M")
    headers = attachment(f"{door.event.slug}-journal-{day}.{kind}")
    titles = [i18n.gettext(title) for title in _TITLES]
    if kind == "csv":
        return StreamingResponse(
            _csv(titles, door, wanted), media_type="text/csv; charset=utf-8", headers=headers
        )
    rows = [row async for step in _steps(door, wanted) for row in step]
    body = await in_worker(_workbook, titles, rows, i18n.gettext(N_("Journal")))
    return Response(body, media_type=_XLSX, headers=headers)


def _workbook(titles: Sequence[str], rows: Sequence[Sequence[Cell]], title: str) -> bytes:
    return to_xlsx(titles, rows, title=title)


ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/journal", _journal, "events.desk.journal", Permission.SEE_JOURNAL),
    access.route(
        "/e/{slug}/desk/journal/file", _file, "events.desk.journal_file", Permission.SEE_JOURNAL, ("POST",)
    ),
]
