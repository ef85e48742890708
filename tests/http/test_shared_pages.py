"""Pages that everybody reads: made once per change and language, nothing about the reader, ETag and gzip."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

import main
from events import custom_pages, event, queries, series
from events.custom_pages import PageDetails
from events.rules import Details
from kernel import db
from kernel.actor import SYSTEM
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import journal
from tests.factories import NOW, make_account, make_event, make_role, make_ticket_type
from tests.http.desk_house import browser_of
from web import shared_pages
from web.shared_pages import Concerns, Made


@pytest.fixture
async def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@pytest.fixture
async def visitor(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser_of(app) as browser:
        yield browser


PATHS = ("/", "/e/coscon", "/e/coscon/p/travel", "/e/coscon/privacy", "/series/coscon")


async def world() -> int:
    number = await series.make(actor=SYSTEM, slug="coscon", name=LocalizedText({"en": "COSCon"}), at=NOW)
    there = await make_event("coscon", series_id=number, privacy_notice={"en": "We keep *little*."})
    await make_ticket_type(there, quota=5)
    await custom_pages.add(
        actor=SYSTEM,
        event_id=there.id,
        details=PageDetails(
            slug="travel",
            title=LocalizedText({"en": "Travel"}),
            text=LocalizedText({"en": "Take **line 1**."}),
            is_published=True,
        ),
        at=NOW,
    )
    return int(there.id)


@pytest.mark.parametrize("path", PATHS)
async def test_a_second_reader_costs_no_statement(app: Starlette, path: str) -> None:
    await world()
    async with browser_of(app) as first, browser_of(app) as second:
        made = await first.get(path)
        assert made.status_code == 200
        before = db.stats.statements
        again = await second.get(path)
        assert db.stats.statements == before
    assert again.content == made.content
    assert again.headers["etag"] == made.headers["etag"]
    assert again.headers["cache-control"] == "public, max-age=5, must-revalidate"
    assert again.headers["vary"] == "Cookie, Accept-Language, Accept-Encoding"


async def test_a_copy_is_compressed_once_and_known_by_its_etag(visitor: httpx2.AsyncClient) -> None:
    await world()
    packed = await visitor.get("/e/coscon", headers={"accept-encoding": "gzip"})
    plain = await visitor.get("/e/coscon", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    for known in (plain.headers["etag"], f'"other", {plain.headers["etag"]}'):
        answer = await visitor.get("/e/coscon", headers={"if-none-match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    assert (await visitor.get("/e/coscon", headers={"if-none-match": '"other"'})).status_code == 200


async def test_each_language_has_its_own_copy(visitor: httpx2.AsyncClient) -> None:
    await world()
    english = await visitor.get("/e/coscon")
    chinese = await visitor.get("/e/coscon", headers={"accept-language": "zh-CN"})
    assert "China Open Source Conference" in english.text and "中国开源年会" in chinese.text
    assert english.headers["etag"] != chinese.headers["etag"]


async def test_whoever_is_signed_in_gets_a_page_of_their_own(app: Starlette) -> None:
    number = await world()
    account = await make_account("me@example.org", name="林小满")
    row = await queries.find_event_by_id(number)
    assert row is not None
    async with browser_of(app, account) as own, browser_of(app) as stranger:
        for path in PATHS:
            mine, theirs = await own.get(path), await stranger.get(path)
            assert "林小满" in mine.text and mine.headers["cache-control"] == "no-store"
            assert "林小满" not in theirs.text and "etag" not in mine.headers


async def test_a_change_is_seen_at_once_by_the_next_reader(visitor: httpx2.AsyncClient) -> None:
    number = await world()
    for path in PATHS:
        assert (await visitor.get(path)).status_code == 200
    facts = await queries.find_event_by_id(number)
    assert facts is not None
    renamed = replace(Details.of(facts), name=LocalizedText({"en": "Conference of 2024"}))
    await event.change(actor=SYSTEM, event_id=number, facts=renamed, at=NOW)
    for path in PATHS:
        assert "Conference of 2024" in (await visitor.get(path)).text, path
    await event.hide(actor=SYSTEM, event_id=number, at=NOW)
    assert "Conference of 2024" not in (await visitor.get("/")).text
    assert (await visitor.get("/e/coscon")).status_code == 404


async def test_another_events_change_leaves_this_ones_copy_alone(visitor: httpx2.AsyncClient) -> None:
    await world()
    other = await make_event("other")
    await visitor.get("/e/coscon")
    await visitor.get("/e/other")
    await journal.write(
        actor=SYSTEM, verb="site.add", object_kind="site", object_id=1, event_id=other.id, at=NOW
    )
    before = db.stats.statements
    await visitor.get("/e/coscon")
    assert db.stats.statements == before
    await visitor.get("/e/other")
    assert db.stats.statements > before


async def test_what_another_process_changed_is_seen_by_the_stamp(
    visitor: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await world()
    first = await visitor.get("/e/coscon")
    monkeypatch.setattr(shared_pages, "FRESH_S", -1.0)
    before = db.stats.statements
    assert (await visitor.get("/e/coscon")).headers["etag"] == first.headers["etag"]
    asked = db.stats.statements - before
    assert asked <= 3  # the event, and what the journal's last lines are
    # As another process would: the rows change, and nobody here hears of it.
    monkeypatch.setattr(shared_pages, "dropped", lambda *_: None)
    await custom_pages.add(
        actor=SYSTEM,
        event_id=number,
        details=PageDetails(slug="conduct", title=LocalizedText({"en": "Conduct"}), is_published=True),
        at=NOW,
    )
    assert "Conduct" in (await visitor.get("/e/coscon")).text


async def test_drafts_and_what_is_not_there_are_never_kept(app: Starlette) -> None:
    draft = await make_event("draft", state="draft")
    team = await make_account()
    await make_role(draft, team, "owner")
    async with browser_of(app, team) as own, browser_of(app) as stranger:
        assert (await own.get("/e/draft")).headers["cache-control"] == "no-store"
        for path in ("/e/draft", "/e/nothing", "/series/nothing", "/e/draft/p/x"):
            assert (await stranger.get(path)).status_code == 404
    assert shared_pages._copies == {}


async def test_searches_are_not_kept_and_choices_are(visitor: httpx2.AsyncClient) -> None:
    await world()
    for path in ("/?q=coscon", "/?city=%E6%88%90%E9%83%BD"):
        assert "etag" not in (await visitor.get(path)).headers
    first = await visitor.get("/?year=2023")
    assert (
        first.headers["etag"] and (await visitor.get("/?year=2024")).headers["etag"] != first.headers["etag"]
    )


def _request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})


async def test_a_copy_ends_when_its_maker_said_so_and_a_change_meanwhile_keeps_it_out() -> None:
    shared_pages.forget()
    made: list[int] = []

    async def serve(until: datetime | None, *, change: bool = False) -> bytes:
        async def make() -> Made:
            made.append(1)
            if change:
                shared_pages.dropped(7, "event")
            return Made(f"page {len(made)}", until)

        async def stamp() -> object:
            return 1

        answer = await shared_pages.serve(
            _request(),
            ("x",),
            concerns=[Concerns(frozenset({7})), Concerns(kinds=frozenset({"series"}))],
            stamp=stamp,
            make=make,
        )
        return bytes(answer.body)

    assert await serve(datetime.now(UTC) - timedelta(seconds=1)) == b"page 1"
    assert await serve(datetime.now(UTC) + timedelta(hours=1)) == b"page 2"
    assert await serve(None) == b"page 2"
    shared_pages.drop_all()
    assert await serve(None, change=True) == b"page 3"
    assert await serve(None) == b"page 4"
    shared_pages.dropped(8, "event")
    shared_pages.dropped(None, "account")
    assert await serve(None) == b"page 4"
    shared_pages.dropped(None, "series")
    assert await serve(None) == b"page 5"
    shared_pages.forget()


async def test_the_oldest_copy_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    shared_pages.forget()
    monkeypatch.setattr(shared_pages, "KEPT", 2)
    made: list[str] = []

    async def serve(name: str) -> Any:
        async def make() -> Made:
            made.append(name)
            return Made(name)

        async def stamp() -> object:
            return 0

        return await shared_pages.serve(_request(), (name,), concerns=[Concerns()], stamp=stamp, make=make)

    for name in ("a", "b", "c", "b", "a"):
        answer = await serve(name)
        assert gzip.decompress(gzip.compress(answer.body)) == name.encode()
    assert made == ["a", "b", "c", "a"]
    assert len(shared_pages._copies) == 2
    shared_pages.forget()
