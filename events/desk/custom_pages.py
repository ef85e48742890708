"""The event's own pages: written in Markdown, looked at before they are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from events import access, custom_pages
from events.access import Door
from events.custom_pages import PageDetails, PageFacts
from events.desk import shared
from events.desk.shared import DeskPage, Reader
from events.rules import EventCode, Permission
from kernel.errors import Invalid
from kernel.text import LocalizedText
from web import forms, i18n, render
from web.routing import Entry

LIST: Final = "events.desk.pages"
_BILINGUAL: Final = ("title", "text")
#: Two languages of 40,000 characters, three bytes each and form-encoded to nine.
BODY_MAX: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class PageRow:
    href: str
    title: str
    address: str
    public_href: str
    is_published: bool
    #: Languages in which there is a text.
    languages: str
    changed: str


@dataclass(frozen=True, kw_only=True)
class ListPage(DeskPage):
    template: ClassVar[str] = "events/desk/pages.html"
    rows: Sequence[PageRow]


_LANGUAGES: Final = {"zh-Hans": "中文", "en": "English"}


async def _list(request: Request, door: Door) -> Response:
    slug, locale = door.event.slug, i18n.current_locale()
    return await render.page(
        request,
        ListPage(
            **access.frame(door, LIST),
            done=shared.done_words(request),
            rows=[
                PageRow(
                    href=render.url("events.desk.page", slug=slug, page_id=item.id),
                    title=item.title.in_(locale),
                    address=f"/p/{item.slug}",
                    public_href=render.url("events.page", slug=slug, page=item.slug),
                    is_published=item.is_published,
                    languages=shared.joined(
                        *(words for tag, words in _LANGUAGES.items() if item.text.get(tag))
                    ),
                    changed=render.moment(item.updated_at, door.event.time_zone),
                )
                for item in await custom_pages.listed(door.event.id)
            ],
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FormPage(DeskPage):
    template: ClassVar[str] = "events/desk/page_form.html"
    #: empty for a new one
    title: str
    base: str
    list_href: str
    save_href: str
    remove_href: str
    public_href: str
    #: What has been typed, by language, as it will look; empty until somebody asks.
    preview: Sequence[tuple[str, str, str, str]] = ()


async def _form(
    request: Request,
    door: Door,
    item: PageFacts | None,
    values: Mapping[str, str],
    refusal: Invalid | None = None,
    *,
    previewed: bool = False,
) -> Response:
    slug = door.event.slug
    return await render.page(
        request,
        FormPage(
            **access.frame(door, LIST),
            values=values,
            problems=shared.at_boxes(refusal.fields, _BILINGUAL) if refusal else {},
            title=item.title.in_(i18n.current_locale()) if item else "",
            base=render.absolute(f"/e/{slug}/p/"),
            list_href=render.url(LIST, slug=slug),
            save_href=render.url("events.desk.page", slug=slug, page_id=item.id)
            if item
            else render.url("events.desk.page_new", slug=slug),
            remove_href=render.url("events.desk.page_remove", slug=slug, page_id=item.id) if item else "",
            public_href=render.url("events.page", slug=slug, page=item.slug)
            if item and item.is_published
            else "",
            preview=_preview(values) if previewed else (),
        ),
        422 if refusal else 200,
    )


def _preview(values: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    """(tag, language, title, text) as a reader of each language will get it, what is missing out of the other."""
    title, text = shared.gathered(values, "title"), shared.gathered(values, "text")
    return [(tag, words, title.in_(tag), text.in_(tag)) for tag, words in _LANGUAGES.items()]


async def _get(request: Request, door: Door) -> PageFacts:
    items = await custom_pages.listed(door.event.id)
    return shared.one_of(items, request.path_params["page_id"], EventCode.PAGE_UNKNOWN)


def _details(values: Mapping[str, str], old: PageFacts | None) -> PageDetails:
    read = Reader(values)
    position = read.whole_number("position")
    details = PageDetails(
        slug=read.text("slug"),
        title=shared.gathered(values, "title", old.title if old else LocalizedText()),
        text=shared.gathered(values, "text", old.text if old else LocalizedText()),
        is_published=read.flag("is_published"),
        position=position or 0,
    )
    if read.problems:
        raise Invalid({**details.problems(), **read.problems})
    return details


async def _add(request: Request, door: Door) -> Response:
    if request.method != "POST":
        position = len(await custom_pages.listed(door.event.id)) + 1
        return await _form(request, door, None, {"position": str(position)})
    values = shared.typed_values(await forms.form_data(request))
    if values.get("act") == "preview":
        return await _form(request, door, None, values, previewed=True)
    try:
        await custom_pages.add(
            actor=door.actor, event_id=door.event.id, details=_details(values, None), at=shared.now()
        )
    except Invalid as refusal:
        return await _form(request, door, None, values, refusal)
    return shared.back_to(door, LIST, done="added")


async def _change(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    if request.method != "POST":
        values = {
            **shared.spread("title", item.title),
            **shared.spread("text", item.text),
            "slug": item.slug,
            "position": str(item.position),
            "is_published": "1" if item.is_published else "",
        }
        return await _form(request, door, item, values)
    values = shared.typed_values(await forms.form_data(request))
    if values.get("act") == "preview":
        return await _form(request, door, item, values, previewed=True)
    try:
        await custom_pages.change(
            actor=door.actor,
            event_id=door.event.id,
            page_id=item.id,
            details=_details(values, item),
            at=shared.now(),
        )
    except Invalid as refusal:
        return await _form(request, door, item, values, refusal)
    return shared.back_to(door, LIST, done="saved")


async def _remove(request: Request, door: Door) -> Response:
    item = await _get(request, door)
    await custom_pages.remove(actor=door.actor, event_id=door.event.id, page_id=item.id, at=shared.now())
    return shared.back_to(door, LIST, done="removed")


_MAY: Final = Permission.CHANGE_EVENT
ROUTES: list[Entry] = [
    access.route("/e/{slug}/desk/pages", _list, LIST, _MAY),
    access.route(
        "/e/{slug}/desk/pages/new", _add, "events.desk.page_new", _MAY, ("GET", "POST"), body_max=BODY_MAX
    ),
    access.route(
        "/e/{slug}/desk/pages/{page_id}",
        _change,
        "events.desk.page",
        _MAY,
        ("GET", "POST"),
        body_max=BODY_MAX,
    ),
    access.route(
        "/e/{slug}/desk/pages/{page_id}/remove", _remove, "events.desk.page_remove", _MAY, ("POST",)
    ),
]
