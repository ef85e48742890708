"""Two records of one person: who looks like it, both side by side, and one of them kept. Transfers under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import Response

from events import access, merging, queries, transfers
from events.access import Door
from events.desk import shared
from events.desk.shared import DeskPage
from events.merging import FIELDS, TICKET, Preview
from events.merging_rules import Alike, MergeCode, frees_a_place
from events.queries import Filter, RegistrationRow
from events.rules import Permission
from kernel.errors import Conflict, Invalid, NotFound, Refusal
from kernel.text import N_
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.merge"
#: How many people are offered for one that an organiser has in hand.
CANDIDATES: Final = 20

_REASONS: Final[dict[Alike, str]] = {
    Alike.EMAIL: N_("the same e-mail"),
    Alike.PHONE: N_("the same phone"),
    Alike.NAME: N_("the same name and organisation"),
}
_LABELS: Final[dict[str, str]] = {
    "name": N_("Name"),
    "badge_name": N_("Name on the badge"),
    "english_name": N_("Name in English"),
    "email": N_("E-mail"),
    "phone": N_("Mobile phone"),
    "organisation": N_("Organisation"),
    "position": N_("Job title"),
    TICKET: N_("Ticket"),
}


# --- who looks like one person -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Twins:
    """Two who may be one: no address and no number, only that they share them."""

    names: str
    meta: Sequence[str]
    href: str


@dataclass(frozen=True, kw_only=True)
class MergeList(DeskPage):
    template: ClassVar[str] = "events/desk/merge_list.html"
    rows: Sequence[Twins]
    #: The one that an organiser came from, by name; empty without one.
    of: str
    of_id: int
    text: str
    list_href: str


def _href(door: Door, keep_id: int, drop_id: int) -> str:
    return render.url("events.desk.merge_two", slug=door.event.slug, keep_id=keep_id, drop_id=drop_id)


def _names(one: RegistrationRow, other: RegistrationRow) -> str:
    if one.contact.name == other.contact.name:
        return one.contact.name
    return f"{one.contact.name} · {other.contact.name}"


async def _list(request: Request, door: Door) -> Response:
    of_id = shared.whole_id(request.query_params.get("of"))
    one = await queries.find_registration(door.event.id, of_id) if of_id else None
    text = request.query_params.get("q", "").strip()[:100]
    if one is not None:
        rows = await _candidates(door, one, text or one.contact.name)
    else:
        rows = [
            Twins(
                _names(first, second),
                [
                    *(i18n.gettext(_REASONS[why]) for why in pair.reasons),
                    " / ".join(
                        dict.fromkeys(
                            row.contact.organisation for row in (first, second) if row.contact.organisation
                        )
                    ),
                ],
                _href(door, first.id, second.id),
            )
            for pair, first, second in await merging.suggestions(door.event.id)
        ]
    page = MergeList(
        **access.frame(door, "events.desk.registrations"),
        done=i18n.gettext(N_("Made one of two. Both codes lead to it."))
        if request.query_params.get("done")
        else "",
        rows=rows,
        of=one.contact.name if one else "",
        of_id=one.id if one else 0,
        text=text,
        list_href=render.url(LIST, slug=door.event.slug),
    )
    return await render.page(request, page)


async def _candidates(door: Door, one: RegistrationRow, text: str) -> list[Twins]:
    found = await queries.registrations_page(door.event.id, Filter(text=text))
    names = {
        number: name.in_(i18n.current_locale())
        for number, name in (await queries.ticket_type_names(door.event.id)).items()
    }
    return [
        Twins(
            row.contact.name,
            [row.contact.organisation, names.get(row.ticket_type_id, ""), render.words_for(row.state)],
            _href(door, one.id, row.id),
        )
        for row in found.rows[:CANDIDATES]
        if row.id != one.id and row.merged_into_id is None
    ]


# --- both side by side -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One field of both; ``stays`` whether the survivor's value stays by default."""

    field: str
    label: str
    kept: str
    dropped: str
    stays: bool

    @property
    def differs(self) -> bool:
        return self.kept != self.dropped


@dataclass(frozen=True, kw_only=True)
class MergePage(DeskPage):
    template: ClassVar[str] = "events/desk/merge.html"
    keep_name: str
    drop_name: str
    keep_id: int
    drop_id: int
    keep_since: str
    drop_since: str
    lines: Sequence[Line]
    #: Why it can't be done; empty when it can.
    refused: str
    #: Whether it could be done the other way round.
    may_turn: bool
    turn_href: str
    answers_taken: int
    frees: bool
    form_id: str
    list_href: str


def _ticket(row: RegistrationRow, names: dict[int, str]) -> str:
    return " · ".join(
        part for part in (names.get(row.ticket_type_id, ""), render.words_for(row.state)) if part
    )


async def _page(
    request: Request,
    door: Door,
    found: Preview,
    *,
    refusal: Refusal | None = None,
    form_id: str = "",
    chosen: frozenset[str] | None = None,
) -> Response:
    locale, zone = i18n.current_locale(), door.event.time_zone
    names = {
        number: name.in_(locale) for number, name in (await queries.ticket_type_names(door.event.id)).items()
    }
    keep, drop = found.keep, found.drop
    stays = dict(found.choices) if chosen is None else {name: name not in chosen for name in found.choices}
    lines = [
        Line(
            name,
            i18n.gettext(_LABELS[name]),
            getattr(keep.contact, name),
            getattr(drop.contact, name),
            stays[name],
        )
        for name in FIELDS
    ]
    lines.append(
        Line(TICKET, i18n.gettext(_LABELS[TICKET]), _ticket(keep, names), _ticket(drop, names), stays[TICKET])
    )
    page = MergePage(
        **access.frame(door, "events.desk.registrations"),
        problems=refusal.fields if isinstance(refusal, Invalid) else {},
        trouble=render.words_for(refusal.code, refusal.params) if refusal else "",
        keep_name=keep.contact.name,
        drop_name=drop.contact.name,
        keep_id=keep.id,
        drop_id=drop.id,
        keep_since=render.moment(keep.created_at, zone),
        drop_since=render.moment(drop.created_at, zone),
        lines=[line for line in lines if line.kept or line.dropped],
        refused=render.words_for(found.trouble) if found.trouble else "",
        may_turn=found.trouble in (None, MergeCode.OTHER_ADMITTED),
        turn_href=_href(door, drop.id, keep.id),
        answers_taken=found.answers_taken,
        frees=frees_a_place(keep.state, drop.state),
        form_id=form_id or str(uuid4()),
        list_href=render.url(LIST, slug=door.event.slug),
    )
    return await render.page(request, page, refusal.status if refusal else 200)


async def _two(request: Request, door: Door) -> Response:
    keep_id, drop_id = (
        shared.whole_id(request.path_params["keep_id"]),
        shared.whole_id(request.path_params["drop_id"]),
    )
    if not keep_id or not drop_id:
        raise NotFound()
    found = await merging.preview(event_id=door.event.id, keep_id=keep_id, drop_id=drop_id)
    if request.method != "POST":
        return await _page(request, door, found)
    data = await forms.form_data(request)
    values = forms.typed(data)
    chosen = frozenset(name for name in (*FIELDS, TICKET) if values.get(name) == "drop")
    try:
        form_id = UUID(values.get("form", ""))
    except ValueError:
        form_id = uuid4()
    try:
        await merging.merge(
            actor=door.actor,
            event_id=door.event.id,
            keep_id=keep_id,
            drop_id=drop_id,
            from_drop=chosen,
            at=shared.now(),
            request_id=form_id,
        )
    except (Conflict, Invalid) as refusal:
        return await _page(request, door, found, refusal=refusal, form_id=str(form_id), chosen=chosen)
    return shared.back_to(door, LIST, done="merged")


# --- transfers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnItsWay:
    title: str
    meta: Sequence[str]
    withdraw_href: str


@dataclass(frozen=True, kw_only=True)
class TransfersPage(DeskPage):
    template: ClassVar[str] = "events/desk/transfers.html"
    rows: Sequence[OnItsWay]


async def _transfers(request: Request, door: Door) -> Response:
    zone = door.event.time_zone
    open_ = await transfers.open_in(door.event.id, shared.now())
    rows = await queries.registrations_by_id(door.event.id, [one.registration_id for one in open_])
    names = {row.id: row.contact.name for row in rows}
    page = TransfersPage(
        **access.frame(door, "events.desk.registrations"),
        done=i18n.gettext(N_("Withdrawn: the place stays with the person who had it."))
        if request.query_params.get("done")
        else "",
        rows=[
            OnItsWay(
                f"{names[one.registration_id]} → {one.to_name}",
                [
                    i18n.gettext(
                        N_("waits for the new person")
                        if one.giver_confirmed_at
                        else N_("waits for the holder's confirmation")
                    ),
                    i18n.gettext(N_("until %(when)s")) % {"when": render.moment(one.expires_at, zone)},
                ],
                render.url("events.desk.transfer_withdraw", slug=door.event.slug, transfer_id=one.id),
            )
            for one in open_
        ],
    )
    return await render.page(request, page)


async def _withdraw(request: Request, door: Door) -> Response:
    transfer_id = shared.whole_id(request.path_params["transfer_id"])
    if not transfer_id:
        raise NotFound()
    await transfers.withdraw(
        actor=door.actor, event_id=door.event.id, transfer_id=transfer_id, at=shared.now()
    )
    href = render.url("events.desk.transfers", slug=door.event.slug)
    return render.see_other(render.with_query(href, done="withdrawn"))


def merge_link(door: Door, registration_id: int) -> tuple[str, str, str] | None:
    """On a registration's page: title, address, icon."""
    if not door.may(Permission.CHANGE_REGISTRATIONS):
        return None
    href = render.with_query(render.url(LIST, slug=door.event.slug), of=registration_id)
    return i18n.gettext(N_("The same person twice?")), href, "users"


def transfers_link(door: Door, registration_id: int) -> tuple[str, str, str] | None:
    """On a registration's page: what is on its way to somebody else in this event."""
    del registration_id
    if not door.may(Permission.CHANGE_REGISTRATIONS):
        return None
    return (
        i18n.gettext(N_("Places being handed on")),
        render.url("events.desk.transfers", slug=door.event.slug),
        "handshake",
    )


LINKS: Final = [merge_link, transfers_link]

_MAY: Final = Permission.CHANGE_REGISTRATIONS
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/merge", _list, LIST, _MAY),
    access.route(
        "/e/{slug}/desk/merge/{keep_id}/{drop_id}", _two, "events.desk.merge_two", _MAY, ("GET", "POST")
    ),
    access.route("/e/{slug}/desk/transfers", _transfers, "events.desk.transfers", _MAY),
    access.route(
        "/e/{slug}/desk/transfers/{transfer_id}/withdraw",
        _withdraw,
        "events.desk.transfer_withdraw",
        _MAY,
        ("POST",),
    ),
]
