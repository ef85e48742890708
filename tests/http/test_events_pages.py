"""An event's public pages and its registration form, as browsers without JavaScript use them."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from starlette.applications import Starlette

import main
from events.models import Event, Registration, TicketType
from kernel import db
from kernel.settings import Settings
from people import accounts
from people.models import Account, Letter
from tests.factories import make_account, make_event, make_role, make_ticket_type
from web import shared_pages, signin

BASE = "http://127.0.0.1:8000"


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@asynccontextmanager
async def browser(
    app: Starlette, account: Account | None = None, *, language: str = "en", site: str | None = "same-origin"
) -> AsyncIterator[httpx2.AsyncClient]:
    cookies = {}
    if account is not None:
        token = await accounts.open_sign_in(account_id=account.id, user_agent="test", at=datetime.now(UTC))
        cookies[signin.COOKIE] = token
    headers = {"accept-language": language}
    if site is not None:
        headers["sec-fetch-site"] = site
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url=BASE, cookies=cookies, headers=headers
    ) as client:
        yield client


async def world(**more: Any) -> tuple[Event, TicketType]:
    event = await make_event("coscon", city={"zh-Hans": "成都", "en": "Chengdu"}, **more)
    ticket_type = await make_ticket_type(
        event, "general", quota=5, name={"zh-Hans": "普通票", "en": "Attendee"}
    )
    return event, ticket_type


def form_of(page: str) -> dict[str, str]:
    """The fields of the registration form as the browser would send them untouched."""
    [form] = re.findall(r'<form\s+class="form"\s+method="post".*?</form>', page, re.DOTALL)
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes["type"] != "radio" or " checked" in tag:
            found[attributes["name"]] = html.unescape(attributes.get("value", ""))
    return found


def problems_of(page: str) -> dict[str, str]:
    """Field by field, what the page says is wrong."""
    found = re.findall(
        r'id="f-([\w.]+)-error">.*?</svg><span><span class="vh">[^<]*</span>([^<]*)</span>', page, re.DOTALL
    )
    return {name: html.unescape(words).strip() for name, words in found}


def filled(ticket_type: TicketType, **more: str) -> dict[str, str]:
    values = {
        "form": str(uuid4()),
        "ticket_type": str(ticket_type.id),
        "name": "林小满",
        "email": "Lin@Example.org",
    }
    return {**values, **more}


async def test_home_says_what_when_where_and_how_many_places_in_both_languages(app: Starlette) -> None:
    await world(
        tagline={"zh-Hans": "开源：川流不息", "en": "Open source flows"}, text={"en": "**Free** for all"}
    )
    async with browser(app) as client:
        page = (await client.get("/e/coscon")).text
        for words in (
            "China Open Source Conference",
            "Open source flows",
            "Sat, 28 to Sun, 29 Oct 2023",
            "Chengdu",
            "Attendee",
            "5 places left",
            "<strong>Free</strong>",
            "/e/coscon/register",
            "/e/coscon/agenda",
        ):
            assert words in page, words
        assert "Sample data" not in page
    async with browser(app, language="zh-CN") as client:
        page = (await client.get("/e/coscon")).text
        for words in (
            "中国开源年会",
            "开源：川流不息",
            "2023年10月28日",
            "成都",
            "普通票",
            "余 5 席",
            'lang="zh-Hans"',
        ):
            assert words in page, words


async def test_home_reads_the_same_few_statements_for_one_and_three_ticket_types(app: Starlette) -> None:
    event, _ = await world()
    statements = []
    async with browser(app) as client:
        await client.get("/e/coscon")
        for _ in range(2):
            shared_pages.forget()
            before = db.stats.statements
            assert (await client.get("/e/coscon")).status_code == 200
            statements.append(db.stats.statements - before)
            await make_ticket_type(event)
            await make_ticket_type(event)
    assert statements[0] == statements[1] > 0


async def test_what_organisers_wrote_is_text_and_never_markup(app: Starlette) -> None:
    evil = '<script>alert("x")</script>'
    await make_event(
        "evil",
        name={"en": evil},
        tagline={"en": evil},
        city={"en": evil},
        text={
            "en": f"{evil}\n\n[a](javascript:alert(1)) [b](https://example.org) ![c](https://example.org/c.png)"
        },
    )
    async with browser(app) as client:
        for path in ("/e/evil", "/e/evil/register", "/"):
            page = (await client.get(path)).text
            assert "<script>alert" not in page, path
            assert 'javascript:alert(1)"' not in page, path
        page = (await client.get("/e/evil")).text
        assert 'href="https://example.org"' in page
        assert "<img" not in page.replace('<img src="/static', "")


async def test_the_front_page_shows_what_is_published_and_each_their_own_drafts(app: Starlette) -> None:
    async with browser(app) as client:
        assert "There is no event yet" in (await client.get("/")).text
    today = datetime.now(UTC).date()
    await make_event("past", name={"en": "Long ago"})
    await make_event(
        "soon",
        name={"en": "Next week"},
        starts_on=today + timedelta(days=7),
        ends_on=today + timedelta(days=8),
    )
    draft = await make_event("draft", name={"en": "Half done"}, state="draft", ends_on=today)
    member, admin = await make_account(), await make_account(is_admin=True)
    await make_role(draft, member, "scanner")
    seen = {}
    for name, account in (("stranger", None), ("member", member), ("admin", admin)):
        async with browser(app, account) as client:
            page = (await client.get("/")).text
            seen[name] = [
                words for words in ("Long ago", "Next week", "Half done", "New event") if words in page
            ]
            assert page.index("Next week") < page.index("Past events") < page.index("Long ago")
    assert seen == {
        "stranger": ["Long ago", "Next week"],
        "member": ["Long ago", "Next week", "Half done"],
        "admin": ["Long ago", "Next week", "Half done", "New event"],
    }


async def test_a_draft_is_not_there_for_strangers(app: Starlette) -> None:
    event = await make_event("secret", state="draft")
    member = await make_account()
    await make_role(event, member, "organiser")
    async with browser(app) as stranger, browser(app, member) as inside:
        for path in ("/e/secret", "/e/secret/register", "/e/secret/theme.css", "/e/secret/agenda"):
            refused, absent = await stranger.get(path), await stranger.get(path.replace("secret", "nowhere"))
            assert refused.status_code == absent.status_code == 404, path
            assert (await inside.get(path)).status_code == 200, path


async def test_the_stylesheet_may_be_kept_under_its_own_stamp_only(app: Starlette) -> None:
    await world(theme_colour="#123456")
    async with browser(app) as client:
        [href] = re.findall(r'href="(/e/coscon/theme\.css[^"]*)"', (await client.get("/e/coscon")).text)
        kept = await client.get(html.unescape(href))
        assert (kept.status_code, kept.headers["content-type"]) == (200, "text/css; charset=utf-8")
        assert "--accent:" in kept.text and "immutable" in kept.headers["cache-control"]
        for other in ("/e/coscon/theme.css", "/e/coscon/theme.css?v=00000000"):
            assert (await client.get(other)).headers["cache-control"] == "no-cache"


async def registered(client: httpx2.AsyncClient, values: Mapping[str, str]) -> httpx2.Response:
    return await client.post("/e/coscon/register", data=dict(values))


async def test_registering_leads_to_the_holders_own_passport(app: Starlette) -> None:
    event, ticket_type = await world()
    async with browser(app, language="zh-CN") as client:
        page = await client.get("/e/coscon/register")
        assert page.headers["cache-control"] == "no-store"
        form = form_of(page.text)
        assert form["ticket_type"] == str(ticket_type.id)  # the only one is chosen already
        answer = await registered(
            client, form | {"name": " 林小满 ", "email": "Lin@Example.org", "phone": ""}
        )
        row = await Registration.get()
        assert (answer.status_code, answer.headers["location"]) == (303, f"/e/coscon/me/{row.id}")
        assert "httponly" in answer.headers["set-cookie"].lower()
        assert (row.event_id, row.name, row.email, row.phone, row.locale, row.source) == (
            event.id,
            "林小满",
            "lin@example.org",
            "",
            "zh-Hans",
            "form",
        )
        mine = await client.get(answer.headers["location"])
        assert mine.status_code == 200 and "林小满" in mine.text
    async with browser(app) as stranger:
        assert "林小满" not in (await stranger.get(answer.headers["location"], follow_redirects=True)).text
    assert (await Letter.get()).to_email == "lin@example.org"


async def test_a_phone_is_enough_and_is_understood_as_people_type_it(app: Starlette) -> None:
    _, ticket_type = await world()
    async with browser(app) as client:
        answer = await registered(client, filled(ticket_type, email="", phone="１３８ 0013-8000"))
    assert answer.status_code == 303
    row = await Registration.get()
    assert (row.phone, row.phone_last4, row.email, await Letter.all().count()) == (
        "+8613800138000",
        "8000",
        "",
        0,
    )


async def test_every_problem_stands_at_its_field_and_nothing_typed_is_lost(app: Starlette) -> None:
    _, ticket_type = await world()
    typed = {
        "form": str(uuid4()),
        "name": "\u200b ",
        "email": 'a@b@c"><script>',
        "phone": "1.38E+10",
        "organisation": "开" * 201,
    }
    async with browser(app) as client:
        answer = await registered(client, typed)
        assert (answer.status_code, answer.headers["cache-control"]) == (422, "no-store")
        assert problems_of(answer.text) == {
            "ticket_type": "Please choose one of the options.",
            "name": "Please give a name.",
            "email": "This is not an e-mail address.",
            "phone": problems_of(answer.text)["phone"],
            "organisation": "This is too long: at most 200 characters.",
        }
        assert "spreadsheet" not in problems_of(answer.text)["phone"]
        assert "<script>" not in answer.text.replace('<script type="module"', "").replace("<script src", "")
        again = form_of(answer.text)
        assert again["form"] == typed["form"]
        assert (again["email"], again["phone"], again["organisation"]) == (
            typed["email"],
            typed["phone"],
            typed["organisation"],
        )
        neither = await registered(client, filled(ticket_type, email="", phone=" "))
        assert problems_of(neither.text) == {
            "email": "Please give an e-mail address or a phone; one is enough."
        }
    async with browser(app, language="zh-CN") as client:
        chinese = problems_of((await registered(client, typed)).text)
        assert chinese["ticket_type"] == "请从选项中选一个。"
    assert await Registration.all().count() == 0


async def test_a_full_ticket_type_is_said_in_place(app: Starlette) -> None:
    event, ticket_type = await world()
    other = await make_ticket_type(event, "student", name={"en": "Student"})
    async with db.unit_of_work():
        await TicketType.filter(id=ticket_type.id).update(taken=5)
    async with browser(app) as client:
        page = (await client.get("/e/coscon/register")).text
        [tag] = re.findall(rf'<input[^>]*value="{ticket_type.id}"[^>]*>', page)
        assert " disabled" in tag
        answer = await registered(client, filled(ticket_type))
        assert answer.status_code == 409
        assert problems_of(answer.text) == {
            "ticket_type": "This ticket type is full. Please choose another one."
        }
        values = form_of(answer.text)
        assert values["name"] == "林小满"
        assert (await registered(client, values | {"ticket_type": str(other.id)})).status_code == 303
        for unknown in ("0", "-1", "9" * 30, "²", "x"):
            refused = await registered(client, filled(other) | {"ticket_type": unknown})
            assert refused.status_code == 422
            assert list(problems_of(refused.text)) == ["ticket_type"]
        foreign = await make_ticket_type(await make_event())
        refused = await registered(client, filled(foreign))
        assert list(problems_of(refused.text)) == ["ticket_type"]
    assert await Registration.all().count() == 1


async def test_when_everything_is_full_or_closed_the_page_says_so_instead_of_a_form(app: Starlette) -> None:
    _, ticket_type = await world()
    async with browser(app) as client:
        changes: list[tuple[dict[str, Any], str]] = [
            ({"taken": 5}, "All places are taken."),
            ({"is_public": False}, "There are no tickets to register for on this page yet."),
        ]
        for change, words in changes:
            async with db.unit_of_work():
                await TicketType.filter(id=ticket_type.id).update(**change)
            page = (await client.get("/e/coscon/register")).text
            assert words in page and '<form class="form"' not in page
            assert 'href="/e/coscon/register"' not in (await client.get("/e/coscon")).text
        closes = datetime.now(UTC) - timedelta(minutes=1)
        late = await make_event("late", registration_closes_at=closes)
        kind = await make_ticket_type(late)
        assert "Registration has closed." in (await client.get("/e/late/register")).text
        # Somebody typed while the clock ran out: told so, with everything still there.
        answer = await client.post("/e/late/register", data=filled(kind))
        assert answer.status_code == 400
        assert "Registration has closed." in answer.text and form_of(answer.text)["name"] == "林小满"
        early = await make_event("early", registration_opens_at=datetime.now(UTC) + timedelta(days=1))
        await make_ticket_type(early)
        assert "Registration opens at" in (await client.get("/e/early")).text
    assert await Registration.all().count() == 0


async def test_the_same_form_sent_twice_is_one_registration_and_the_same_page(app: Starlette) -> None:
    _, ticket_type = await world()
    values = filled(ticket_type)
    async with browser(app) as client:
        first, second = await registered(client, values), await registered(client, values)
        assert first.status_code == second.status_code == 303
        assert first.headers["location"] == second.headers["location"]
        assert await Registration.all().count() == 1
        # Back, another name, sent again: told, and one more tap registers a second person.
        other = await registered(client, values | {"name": "林小雨"})
        assert other.status_code == 409
        assert "This form was sent before" in other.text
        again = form_of(other.text)
        assert again["name"] == "林小雨" and again["form"] != values["form"]
        assert (await registered(client, again)).status_code == 303
    assert [row.name for row in await Registration.all().order_by("id")] == ["林小满", "林小雨"]


async def test_a_form_from_another_site_does_nothing(app: Starlette) -> None:
    _, ticket_type = await world()
    for site in ("cross-site", "same-site", None):
        async with browser(app, site=site) as client:
            for headers in ({}, {"origin": "https://evil.example"}):
                answer = await client.post("/e/coscon/register", data=filled(ticket_type), headers=headers)
                assert answer.status_code == 403, (site, headers)
    async with browser(app, site=None) as client:
        answer = await client.post("/e/coscon/register", data=filled(ticket_type), headers={"origin": BASE})
        assert answer.status_code == 303
    assert await Registration.all().count() == 1


async def test_a_flood_of_bytes_and_a_file_in_the_form_are_refused(app: Starlette) -> None:
    _, ticket_type = await world()
    async with browser(app) as client:
        large = await registered(client, filled(ticket_type, organisation="x" * 300_000))
        assert large.status_code == 413
        file = await client.post(
            "/e/coscon/register", data=filled(ticket_type), files={"name": ("x.txt", b"x", "text/plain")}
        )
        assert file.status_code == 400
    assert await Registration.all().count() == 0


async def test_the_reader_switches_the_language_and_stays_where_they_were(app: Starlette) -> None:
    await world()
    async with browser(app) as client:
        assert "Where" in (await client.get("/e/coscon")).text
        answer = await client.post("/language", data={"lang": "zh-Hans", "next": "/e/coscon"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/e/coscon")
        assert "成都" in (await client.get("/e/coscon")).text
        away = await client.post("/language", data={"lang": "en", "next": "//evil.example/"})
        assert away.headers["location"] == "/"
        assert (await client.post("/language", data={"lang": "xx"})).status_code == 422
    async with browser(app, site="cross-site") as client:
        assert (await client.post("/language", data={"lang": "en"})).status_code == 403


async def test_what_phones_crawlers_and_watchmen_ask_for(app: Starlette) -> None:
    async with browser(app) as client:
        health = await client.get("/healthz")
        assert (health.status_code, health.json()) == (200, {"ok": True})
        assert (await client.get("/favicon.ico")).headers["content-type"] == "image/svg+xml"
        assert "Disallow: /e/*/me" in (await client.get("/robots.txt")).text
        assert (await client.get("/local-authority.crt")).status_code == 404
        assert (await client.get("/dev/gallery")).status_code == 200
        sheet = re.findall(r'href="(/static/[^"]*tokens\.css)"', (await client.get("/")).text)[0]
        assert "immutable" in (await client.get(sheet)).headers["cache-control"]
        for escape in ("/static/x/../../main.py", "/static/x/%2e%2e/%2e%2e/main.py", "/static/x/css"):
            assert (await client.get(escape)).status_code == 404
