"""What the desk's pages share: the frame, one line after an action, bilingual fields, wall-clock fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from events import imports, queries
from events.access import Door, NavLine, NavTitle
from events.rules import EventCode, Module, Permission, RegistrationState
from kernel.errors import Code, NotFound, Problem
from kernel.settings import Settings
from kernel.text import N_, LocalizedText
from web import i18n, render


class _Wiring:
    settings: Settings | None = None


def configure(settings: Settings) -> None:
    """Called once by main: settings for the desk, and the background jobs of imports."""
    _Wiring.settings = settings
    imports.connect()


def settings() -> Settings:
    assert _Wiring.settings is not None, "main calls desk.configure first"
    return _Wiring.settings


@dataclass(frozen=True, kw_only=True)
class DeskPage(render.FormContext):
    """Base of the desk's pages. ``done`` is one line about what has just happened, ``trouble`` about what has not."""

    done: str = ""
    trouble: str = ""


#: (group, title, icon, route, permission) for ``access.register_nav``, in the order of an organiser's days.
NAV: Final[tuple[NavLine, ...]] = (
    (NavTitle.PREPARE, N_("Overview"), "activity", "events.desk", Permission.SEE_REGISTRATIONS),
    (
        NavTitle.PREPARE,
        N_("Registrations"),
        "users",
        "events.desk.registrations",
        Permission.SEE_REGISTRATIONS,
    ),
    (
        NavTitle.PREPARE,
        N_("Import"),
        "upload",
        "events.desk.imports",
        Permission.CHANGE_REGISTRATIONS,
        Module.LISTS,
    ),
    (
        NavTitle.PREPARE,
        N_("Ticket types"),
        "ticket",
        "events.desk.ticket_types",
        Permission.CHANGE_EVENT,
        Module.TICKETS,
    ),
    (
        NavTitle.PREPARE,
        N_("Registration form"),
        "list-checks",
        "events.desk.form",
        Permission.CHANGE_EVENT,
        Module.FORM,
    ),
    (
        NavTitle.PREPARE,
        N_("Partners' links"),
        "handshake",
        "events.desk.partners",
        Permission.CHANGE_PARTNERS,
        Module.PARTNERS,
    ),
    (
        NavTitle.PREPARE,
        N_("Places"),
        "map-pin",
        "events.desk.places",
        Permission.CHANGE_EVENT,
        Module.PLACES,
    ),
    (
        NavTitle.PREPARE,
        N_("Approvals"),
        "file-check",
        "events.desk.approvals",
        Permission.CHANGE_REGISTRATIONS,
        Module.TICKETS,
    ),
    (
        NavTitle.PREPARE,
        N_("Waiting list"),
        "clock",
        "events.desk.waiting_list",
        Permission.CHANGE_REGISTRATIONS,
        Module.WAITLIST,
    ),
    (NavTitle.PREPARE, N_("Sites"), "map-pin", "events.desk.sites", Permission.CHANGE_EVENT, Module.SITES),
    (NavTitle.PREPARE, N_("Pages"), "info", "events.desk.pages", Permission.CHANGE_EVENT, Module.PAGES),
    (
        NavTitle.PREPARE,
        N_("Team"),
        "shield",
        "events.desk.team",
        Permission.GRANT_ROLES,
        Module.TEAM,
    ),
    (NavTitle.PREPARE, N_("Event settings"), "settings", "events.desk.settings", Permission.CHANGE_EVENT),
    (
        NavTitle.RUN,
        N_("Outbox"),
        "mail",
        "events.desk.outbox",
        Permission.SEE_OUTBOX,
        Module.LETTERS,
    ),
    (
        NavTitle.CLOSE,
        N_("Statistics"),
        "chart-column",
        "events.desk.statistics",
        Permission.SEE_STATISTICS,
        Module.STATISTICS,
    ),
    (
        NavTitle.CLOSE,
        N_("Export"),
        "download",
        "events.desk.export",
        Permission.CHANGE_REGISTRATIONS,
        Module.LISTS,
    ),
    (
        NavTitle.CLOSE,
        N_("Journal"),
        "history",
        "events.desk.journal",
        Permission.SEE_JOURNAL,
        Module.TEAM,
    ),
)

WORDS: Final[dict[str, str]] = {
    "not_a_date": N_("Please enter a date like 2023-10-28."),
    "not_a_moment": N_("Please enter a date and a time like 2023-10-28 09:30."),
    "not_a_clock": N_("Please enter a time like 19:30."),
    "not_a_file": N_("Please choose a file."),
    "nobody_ticked": N_("Please tick those whom you decide about."),
    "chosen_wrongly": N_("Please choose one of the columns."),
}

#: What has just been done, by the word in the address after the redirect.
DONE: Final[Mapping[str, str]] = {
    "saved": N_("Saved."),
    "added": N_("Added."),
    "removed": N_("Removed."),
    "invited": N_("Invited. The letter is on its way."),
    "withdrawn": N_("Withdrawn. The link opens nothing any more."),
    "handed_over": N_("Handed over. It is in the journal."),
    "registered": N_("Registered."),
    "cancelled": N_("Cancelled. The place is free again."),
    "restored": N_("Restored."),
    "codes_made": N_("The codes are made. Download them to hand them out."),
    "offered": N_("A place is kept, and the letter is on its way."),
    "put_first": N_("First in line: the next free place is offered."),
    "taken_off": N_("Taken off the waiting list."),
    "published": N_("Published: everybody can see the event now."),
    "hidden": N_("Hidden: only the team can see the event now."),
    "ended": N_("Ended: the pages stay, nobody registers any more."),
    "turned_down": N_("Turned down. The uploaded file has been erased."),
    "queued": N_("It will be sent again."),
    "trial": N_("On its way to you."),
    "erased": N_("Erased: the number stays, the person is gone."),
    "created": N_("Created. Here is what to do next."),
    "copied": N_("Copied. Look through the dates, then publish it."),
}


def done_words(request: Request) -> str:
    """The line after a redirect; an unknown word in the address says nothing."""
    words = DONE.get(request.query_params.get("done", ""))
    return i18n.gettext(words) if words else ""


def back_to(door: Door, name: str, *, done: str) -> Response:
    """To one of the event's pages after an action, with the line that ``done_words`` shows there."""
    return render.see_other(render.with_query(render.url(name, slug=door.event.slug), done=done))


def now() -> datetime:
    return datetime.now(UTC)


#: How a state is shown; being confirmed is the ordinary case and carries no colour.
STATE_KINDS: Final[Mapping[RegistrationState, str]] = {
    RegistrationState.CONFIRMED: "plain",
    RegistrationState.PENDING: "care",
    RegistrationState.WAITLISTED: "note",
    RegistrationState.OFFERED: "note",
    RegistrationState.DECLINED: "stop",
    RegistrationState.CANCELLED: "stop",
}

LANGS: Final = ("zh-Hans", "en")


def spread(name: str, text: LocalizedText) -> dict[str, str]:
    """A bilingual field as the form's boxes show it: ``{"name.zh-Hans": …, "name.en": …}``."""
    return {f"{name}.{tag}": text.get(tag, "") for tag in LANGS}


def gathered(values: Mapping[str, str], name: str, old: LocalizedText | None = None) -> LocalizedText:
    """The bilingual field out of its boxes; languages that the form does not show stay as they are."""
    texts: dict[str, str] = dict(old or {})
    for tag in LANGS:
        texts[tag] = values.get(f"{name}.{tag}", "").strip()
    return LocalizedText.of(texts)


def at_boxes(problems: Mapping[str, Problem], names: Iterable[str]) -> dict[str, Problem]:
    """Problems of bilingual fields, moved to their first box, where the summary's link must lead."""
    bilingual = set(names)
    return {
        f"{name}.{LANGS[0]}" if name in bilingual else name: problem for name, problem in problems.items()
    }


def typed_values(data: FormData) -> dict[str, str]:
    """What was typed, surrounding space dropped."""
    return {name: value.strip() for name, value in data.items() if isinstance(value, str)}


def chosen_many(data: FormData, name: str) -> list[str]:
    return [value for value in data.getlist(name) if isinstance(value, str)]


Word = TypeVar("Word", bound=StrEnum)


def word_of(kind: type[Word], raw: str | None) -> Word | None:
    """A word of an enum out of an address or a form, or None for what is none."""
    try:
        return kind(raw) if raw else None
    except ValueError:
        return None


class Reader:
    """Reads typed fields one by one and gathers what is wrong with them."""

    def __init__(self, values: Mapping[str, str], zone: str = "UTC") -> None:
        self.values = values
        self.zone = ZoneInfo(zone)
        self.problems: dict[str, Problem] = {}

    def text(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def flag(self, name: str) -> bool:
        return bool(self.values.get(name))

    def wrong(self, name: str, code: str, **params: Any) -> None:
        self.problems.setdefault(name, Problem(code, params))

    def whole_number(self, name: str, *, required: bool = False) -> int | None:
        raw = self.text(name)
        if not raw:
            if required:
                self.wrong(name, Code.REQUIRED)
            return None
        try:
            # int() reads full-width digits as well, which Chinese keyboards write.
            number = int(raw)
        except ValueError:
            self.wrong(name, Code.NOT_A_NUMBER)
            return None
        if abs(number) >= 2**31:
            self.wrong(name, Code.OUT_OF_RANGE)
            return None
        return number

    def day(self, name: str) -> date | None:
        raw = self.text(name)
        if not raw:
            self.wrong(name, Code.REQUIRED)
            return None
        try:
            return date.fromisoformat(raw)
        except ValueError:
            self.wrong(name, "not_a_date")
            return None

    def moment(self, name: str) -> datetime | None:
        """A wall-clock time of the event as an aware UTC one; an empty field is None."""
        raw = self.text(name)
        if not raw:
            return None
        try:
            wall = datetime.fromisoformat(raw)
            return wall.replace(tzinfo=self.zone).astimezone(UTC)
        except (ValueError, OverflowError):
            self.wrong(name, "not_a_moment")
            return None


def wall_clock(at: datetime | None, zone: str) -> str:
    """An instant as a ``datetime-local`` field shows it."""
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M") if at else ""


async def site_names(door: Door) -> dict[int, str]:
    """The event's sites in the reader's language, by id and in their order; empty for most events."""
    locale = i18n.current_locale()
    return {site.id: site.name.in_(locale) for site in await queries.sites(door.event.id)}


def site_chips(
    names: Mapping[int, str], chosen: int | None, href: str, held: Iterable[int | None]
) -> list[tuple[str, str, int, bool]]:
    """Chips that narrow a list to one site, with how many lines each has; ``held`` is the site of every line."""
    counts = Counter(held)
    if not names:
        return []
    return [
        (i18n.gettext("All"), href, counts.total(), chosen not in names),
        *(
            (name, render.with_query(href, site=number), counts[number], number == chosen)
            for number, name in names.items()
        ),
    ]


def joined(*parts: str) -> str:
    """Parts of one line, those that are there."""
    return " · ".join(part for part in parts if part)


def whole_page(raw: str | None) -> int:
    """A page number out of an address; anything else is the first."""
    return int(raw) if raw and raw.isdecimal() and len(raw) < 7 else 1


def whole_id(raw: str | None) -> int | None:
    return int(raw) if raw and raw.isascii() and raw.isdecimal() and len(raw) < 19 else None


class _Numbered(Protocol):
    @property
    def id(self) -> int: ...


Item = TypeVar("Item", bound=_Numbered)


def one_of(items: Iterable[Item], raw: str, unknown: EventCode) -> Item:
    """The item whose id stands in the address. Raises NotFound ``unknown``."""
    wanted = whole_id(raw)
    for item in items:
        if item.id == wanted:
            return item
    raise NotFound(unknown)


def attachment(filename: str) -> dict[str, str]:
    """Headers of a download that nobody keeps."""
    plain = "".join(
        char if char.isascii() and (char.isalnum() or char in "-_.") else "_" for char in filename
    )
    return {
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename)}",
        "cache-control": "no-store",
    }
