"""One's own data: looked at, taken along, erased. The parts are shared by upper floors' pages about a registration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from kernel.actor import Actor
from kernel.errors import Conflict, Problem
from kernel.text import LocalizedText
from people import privacy
from people.privacy import Held, Subject
from people.rules import PeopleCode
from web import forms, i18n, render, signin
from web.render import Context, FormContext
from web.routing import Entry, signed_in

#: Rows of one list on a page; the file has them all.
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class PartShown:
    """A list of what is held, in the reader's language."""

    title: str
    rows: Sequence[Sequence[tuple[str, str]]]
    left_out: int


@dataclass(frozen=True, kw_only=True)
class DataPage(Context):
    template: ClassVar[str] = "people/data.html"
    parts: Sequence[PartShown]
    file_href: str
    erase_href: str


@dataclass(frozen=True, kw_only=True)
class ErasePage(FormContext):
    template: ClassVar[str] = "people/erase.html"
    title: str
    lead: str = ""
    #: What will be gone and what stays.
    lines: Sequence[str] = ()
    #: The words beside the box that must be ticked.
    sure: str = ""
    trouble: str = ""
    back_href: str = ""
    is_done: bool = False


def shown(parts: Sequence[Held], zone: str = "UTC") -> Sequence[PartShown]:
    """The parts for a page; times in the given zone, empty values left out."""
    return [
        PartShown(
            i18n.gettext(part.title),
            [
                [
                    (i18n.gettext(fact.title), said)
                    for fact in row
                    if (said := i18n.gettext(fact.words) if fact.words else _said(fact.value, zone))
                ]
                for row in part.rows[:SHOWN]
            ],
            max(len(part.rows) - SHOWN, 0),
        )
        for part in parts
    ]


def _said(value: Any, zone: str) -> str:
    match value:
        case None:
            return ""
        case bool():
            return i18n.gettext("yes") if value else i18n.gettext("no")
        case datetime():
            # With its year, and the zone where it is nobody's own: what is held may be old.
            return f"{render.day(value, zone)} {render.clock(value, zone)}{' UTC' if zone == 'UTC' else ''}"
        case dict():
            return LocalizedText.of(value).in_(i18n.current_locale())
        case list():
            return i18n.gettext(", ").join(_said(one, zone) for one in value)
        case str() if value in render.known_words():
            return render.words_for(value)
        case _:
            return i18n.gettext(value) if isinstance(value, str) and value else str(value)


def as_download(parts: Sequence[Held], name: str) -> Response:
    """Everything as one JSON file, for its owner alone."""
    response = render.json(privacy.as_file(parts))
    response.headers["content-disposition"] = f'attachment; filename="{name}.json"'
    return private(response)


def private(response: Response) -> Response:
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


def unsure(values: Mapping[str, str]) -> Mapping[str, Problem]:
    """A problem where the box was not ticked."""
    return {} if values.get("sure") else {"sure": Problem(PeopleCode.NOT_TICKED)}


# --- an account --------------------------------------------------------------------------------------------------


def _subject(actor: Actor) -> Subject:
    return Subject(account_id=actor.id, email=actor.email)


async def data(request: Request) -> Response:
    actor = await signin.actor_of(request)
    page = DataPage(
        parts=shown(await privacy.held(_subject(actor))),
        file_href=render.url("people.data_file"),
        erase_href=render.url("people.erasure"),
    )
    return private(await render.page(request, page))


async def data_file(request: Request) -> Response:
    actor = await signin.actor_of(request)
    return as_download(await privacy.held(_subject(actor)), "my-data")


async def erasure(request: Request) -> Response:
    """GET explains, POST with the box ticked drops the account and everything that is held with its address."""
    actor = await signin.actor_of(request)
    shared: dict[str, Any] = {
        "title": i18n.gettext("Erase my account and my data"),
        "lead": actor.email,
        "lines": [
            i18n.gettext(
                "Your name, your address and your answers go, in every event, with the letters to you."
            ),
            i18n.gettext("Registrations for events to come are cancelled, and their places are free."),
            i18n.gettext("Your ways to sign in, tokens and roles go."),
            i18n.gettext("Counts stay: that somebody came through a gate, without saying who."),
        ],
        "sure": i18n.gettext("Yes, erase all of it"),
        "back_href": render.url("people.data"),
    }
    if request.method != "POST":
        return private(await render.page(request, ErasePage(**shared)))
    values = forms.typed(await forms.form_data(request, max_files=0, max_fields=5))
    if problems := unsure(values):
        return private(await render.page(request, ErasePage(**shared, problems=problems), 422))
    try:
        await privacy.erase(actor=actor, subject=_subject(actor), at=datetime.now(UTC))
    except Conflict as refusal:
        said = render.words_for(refusal.code, refusal.params)
        return private(await render.page(request, ErasePage(**shared, trouble=said), refusal.status))
    # The browser is nobody's from here on: the page must not be drawn for the account that is gone.
    request.scope.pop("huiwu.actor", None)
    request.scope["huiwu.actor"] = Actor()
    response = await render.page(request, ErasePage(title=i18n.gettext("Erased"), is_done=True))
    signin.clear_cookie(response, signin.COOKIE)
    return private(response)


ROUTES: list[Entry] = [
    signed_in("/account/data", data, "people.data"),
    signed_in("/account/data.json", data_file, "people.data_file"),
    signed_in("/account/erasure", erasure, "people.erasure", ("GET", "POST"), body_max=8 * 1024),
]
