"""Access codes: one that somebody thought of, or many at once for one use each; how often each was used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, queries, tickets
from events.access import Door
from events.desk import shared, ticket_types
from events.desk.shared import DeskPage, Reader
from events.exporting import to_csv
from events.rules import Permission
from events.ticket_rules import fold_code
from events.tickets import AccessCodeDetails, AccessCodeFacts
from kernel.errors import Code, Invalid, NotFound
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.access_codes"


@dataclass(frozen=True, slots=True)
class CodeRow:
    href: str
    code: str
    ticket_source: str
    types: str
    uses: str
    #: (kind, words) when it opens nothing any more
    state: tuple[str, str] | None
    until: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/access_codes.html"
    tabs: Sequence[tuple[str, str, bool]]
    rows: Sequence[CodeRow]
    text: str
    total: int
    first: int
    last: int
    previous_href: str | None
    next_href: str | None
    list_href: str
    download_href: str
    has_types: bool


def _state(item: AccessCodeFacts) -> tuple[str, str] | None:
    if not item.is_active:
        return "stop", i18n.gettext("switched off")
    if item.valid_until is not None and item.valid_until <= shared.now():
        return "plain", i18n.gettext("over")
    if item.max_uses is not None and item.used >= item.max_uses:
        return "plain", i18n.gettext("used up")
    return None


async def _list(request: Request, door: Door) -> Response:
    params = request.query_params
    text = params.get("q", "").strip()[:100]
    locale, slug = i18n.current_locale(), door.event.slug
    names = await queries.ticket_type_names(door.event.id)
    found = await tickets.access_codes(
        door.event.id, text=fold_text(text), page=shared.whole_page(params.get("page"))
    )
    here = render.url(LIST, slug=slug)
    keep = {"q": text} if text else {}
    first = (found.page - 1) * tickets.CODES_A_PAGE + 1 if found.rows else 0
    return await render.page(
        request,
        ListPage(
            **access.frame(door, ticket_types.LIST),
            done=shared.done_words(request),
            tabs=ticket_types.tabs(door, LIST),
            rows=[
                CodeRow(
                    href=render.url("events.desk.access_code", slug=slug, access_code_id=item.id),
                    code=item.code,
                    ticket_source=item.ticket_source,
                    types=" · ".join(names[number].in_(locale) for number in item.ticket_type_ids),
                    uses=f"{item.used} / {item.max_uses}" if item.max_uses is not None else str(item.used),
                    state=_state(item),
                    until=render.moment(item.valid_until, door.event.time_zone) if item.valid_until else "",
                )
                for item in found.rows
            ],
            text=text,
            total=found.total,
            first=first,
            last=first + len(found.rows) - 1 if found.rows else 0,
            previous_href=render.with_query(here, **keep, page=found.page - 1) if found.page > 1 else None,
            next_href=render.with_query(here, **keep, page=found.page + 1)
            if found.page < found.pages
            else None,
            list_href=here,
            download_href=render.with_query(render.url("events.desk.access_codes_csv", slug=slug), **keep),
            has_types=bool(names),
        ),
    )


def fold_text(text: str) -> str:
    """A search is for a part of a code or of where the tickets come from; upper case on both sides."""
    return text.upper()


@dataclass(frozen=True, kw_only=True)
class FormPage(DeskPage):
    template: ClassVar[str] = "events/desk/access_code_form.html"
    #: empty for a new one
    code: str
    used: int
    #: Many at once instead of one.
    many: bool
    most: int
    list_href: str
    zone: str
    types: Sequence[tuple[str, str]]


async def _form(
    request: Request,
    door: Door,
    item: AccessCodeFacts | None,
    values: Mapping[str, Any],
    refusal: Invalid | None = None,
    *,
    many: bool = False,
) -> Response:
    locale = i18n.current_locale()
    return await render.page(
        request,
        FormPage(
            **access.frame(door, ticket_types.LIST),
            values=values,
            problems=dict(refusal.fields) if refusal else {},
            code=item.code if item else "",
            used=item.used if item else 0,
            many=many,
            most=tickets.GENERATED_AT_MOST,
            list_href=render.url(LIST, slug=door.event.slug),
            zone=door.event.time_zone,
            types=[(str(one.id), one.name.in_(locale)) for one in await queries.ticket_types(door.event.id)],
        ),
        422 if refusal else 200,
    )


async def _typed(request: Request) -> dict[str, Any]:
    data = await forms.form_data(request)
    return {**shared.typed_values(data), "ticket_types": shared.chosen_many(data, "ticket_types")}


def _read(door: Door, values: Mapping[str, Any], *, is_active: bool, many: bool = False) -> AccessCodeDetails:
    read = Reader(values, door.event.time_zone)
    chosen = {shared.whole_id(raw) for raw in values["ticket_types"]}
    if None in chosen:
        read.wrong("ticket_types", Code.NOT_A_CHOICE)
    details = AccessCodeDetails(
        code=fold_code(read.text("code")),
        ticket_type_ids=frozenset(number for number in chosen if number is not None),
        ticket_source=read.text("ticket_source"),
        max_uses=read.whole_number("max_uses"),
        valid_until=read.moment("valid_until"),
        is_active=is_active,
    )
    if read.problems:
        found = {**details.problems(), **read.problems}
        if many and not details.code:
            found.pop("code", None)
        raise Invalid(found)
    return details


async def _add(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _form(request, door, None, {})
    values = await _typed(request)
    try:
        details = _read(door, values, is_active=True)
        await tickets.add_access_code(
            actor=door.actor, event_id=door.event.id, details=details, at=shared.now()
        )
    except Invalid as refusal:
        return await _form(request, door, None, values, refusal)
    return shared.back_to(door, LIST, done="added")


async def _generate(request: Request, door: Door) -> Response:
    if request.method != "POST":
        return await _form(request, door, None, {"count": "50", "max_uses": "1"}, many=True)
    values = await _typed(request)
    count = Reader(values)
    wanted = count.whole_number("count", required=True)
    try:
        if count.problems:
            raise Invalid(count.problems)
        await tickets.generate_access_codes(
            actor=door.actor,
            event_id=door.event.id,
            details=_read(door, values, is_active=True, many=True),
            count=wanted or 0,
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, None, values, refusal, many=True)
    return shared.back_to(door, LIST, done="codes_made")


async def _get(request: Request, door: Door) -> AccessCodeFacts:
    wanted = shared.whole_id(request.path_params["access_code_id"])
    found = await tickets.find_access_code(door.event.id, wanted) if wanted else None
    if found is None:
        raise NotFound()
    return found


async def _change(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    if request.method != "POST":
        return await _form(
            request,
            door,
            item,
            {
                "code": item.code,
                "ticket_types": [str(number) for number in item.ticket_type_ids],
                "ticket_source": item.ticket_source,
                "max_uses": "" if item.max_uses is None else str(item.max_uses),
                "valid_until": shared.wall_clock(item.valid_until, door.event.time_zone),
                "is_active": "1" if item.is_active else "",
            },
        )
    values = await _typed(request)
    try:
        await tickets.change_access_code(
            actor=door.actor,
            event_id=door.event.id,
            access_code_id=item.id,
            details=_read(door, values, is_active=bool(values.get("is_active"))),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, item, values, refusal)
    return shared.back_to(door, LIST, done="saved")


#: The file is for those who hand codes out: which, for what, how often, until when, from whom.
_TITLES: Final = (
    N_("Access code"),
    N_("Ticket types"),
    N_("Tickets from"),
    N_("Used"),
    N_("Uses"),
    N_("Valid until"),
    N_("Works"),
)
_MOST: Final = 100_000


async def _csv(request: Request, door: Door) -> Response:
    locale = i18n.current_locale()
    names = await queries.ticket_type_names(door.event.id)
    text = request.query_params.get("q", "").strip()[:100]
    found = await tickets.access_codes(door.event.id, text=fold_text(text), size=_MOST)
    rows = [
        [
            item.code,
            " · ".join(names[number].in_(locale) for number in item.ticket_type_ids),
            item.ticket_source,
            item.used,
            "" if item.max_uses is None else item.max_uses,
            render.moment(item.valid_until, door.event.time_zone) if item.valid_until else "",
            i18n.gettext("yes") if _state(item) is None else i18n.gettext("no"),
        ]
        for item in found.rows
    ]
    return Response(
        b"".join(to_csv([i18n.gettext(title) for title in _TITLES], rows)),
        media_type="text/csv; charset=utf-8",
        headers=shared.attachment(f"{door.event.slug}-codes.csv"),
    )


_MAY: Final = Permission.CHANGE_EVENT
_BOTH: Final = ("GET", "POST")
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/access-codes", _list, LIST, _MAY),
    access.route("/e/{slug}/desk/access-codes/new", _add, "events.desk.access_code_new", _MAY, _BOTH),
    access.route("/e/{slug}/desk/access-codes/many", _generate, "events.desk.access_codes_many", _MAY, _BOTH),
    access.route("/e/{slug}/desk/access-codes/codes.csv", _csv, "events.desk.access_codes_csv", _MAY),
    access.route(
        "/e/{slug}/desk/access-codes/{access_code_id}", _change, "events.desk.access_code", _MAY, _BOTH
    ),
]
