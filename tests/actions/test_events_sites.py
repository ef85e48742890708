"""Sites, series and an event's own pages: made, changed, removed only when nothing hangs on them, journalled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from checkin import checkpoints, counting
from checkin.models import Checkpoint
from events import custom_pages, event, queries, series, sites, venue
from events.custom_pages import PageDetails
from events.models import Event, Series, Site
from events.rules import Details, PlaceKind
from events.sites import SiteDetails
from kernel.actor import SYSTEM
from kernel.errors import Conflict, Invalid, NotFound
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import JournalEntry
from tests.factories import (
    NOW,
    make_account,
    make_checkpoint,
    make_event,
    make_place,
    make_role,
    make_ticket_type,
)

WUHAN = SiteDetails(code="wuhan", name=LocalizedText({"zh-Hans": "武汉分会场", "en": "Wuhan"}), position=2)


async def verbs() -> list[str]:
    return [row.verb for row in await JournalEntry.all().order_by("id")]


def codes(refused: Any) -> dict[str, str]:
    return {name: problem.code for name, problem in refused.value.fields.items()}


async def test_sites_are_added_changed_ordered_and_removed(database: Settings) -> None:
    there = await make_event()
    more: dict[str, Any] = {"actor": SYSTEM, "event_id": there.id, "at": NOW}
    wuhan = await sites.add(**more, details=WUHAN)
    chengdu = await sites.add(**more, details=replace(WUHAN, code="chengdu", position=1))
    assert [site.id for site in await queries.sites(there.id)] == [chengdu, wuhan]
    with pytest.raises(Invalid) as refused:
        await sites.add(**more, details=WUHAN)
    assert codes(refused) == {"code": "site_code_taken"}
    with pytest.raises(Invalid) as refused:
        wrong = SiteDetails(code="a b", name=LocalizedText(), city=LocalizedText({"en": "x" * 81}))
        await sites.change(**more, site_id=wuhan, details=wrong)
    assert codes(refused) == {"code": "malformed", "name": "required", "city": "too_long"}
    with pytest.raises(Invalid) as refused:
        await sites.change(**more, site_id=wuhan, details=replace(WUHAN, code="chengdu"))
    assert codes(refused) == {"code": "site_code_taken"}
    await sites.change(**more, site_id=wuhan, details=replace(WUHAN, position=0))
    assert [site.id for site in await queries.sites(there.id)] == [wuhan, chengdu]
    elsewhere = await make_event()
    for action in (
        sites.change(**more | {"event_id": elsewhere.id}, site_id=wuhan, details=WUHAN),
        sites.remove(**more | {"event_id": elsewhere.id}, site_id=wuhan),
    ):
        with pytest.raises(NotFound):
            await action
    await sites.remove(**more, site_id=wuhan)
    assert [site.id for site in await queries.sites(there.id)] == [chengdu]
    assert await verbs() == ["site.add", "site.add", "site.change", "site.remove"]


@pytest.mark.parametrize("user", ["place", "ticket_type", "checkpoint", "role"])
async def test_a_site_that_something_belongs_to_stays(database: Settings, user: str) -> None:
    there = await make_event()
    number = await sites.add(actor=SYSTEM, event_id=there.id, details=WUHAN, at=NOW)
    if user == "place":
        await make_place(there, site_id=number)
    elif user == "ticket_type":
        await make_ticket_type(there, site_id=number)
    elif user == "checkpoint":
        await make_checkpoint(there, site_id=number)
    else:
        await make_role(there, await make_account(), "scanner", "site", number)
    with pytest.raises(Conflict) as refused:
        await sites.remove(actor=SYSTEM, event_id=there.id, site_id=number, at=NOW)
    assert refused.value.code == "site_in_use"
    assert await Site.all().count() == 1


async def test_a_place_lies_in_a_site_of_its_own_event_only(database: Settings) -> None:
    here, elsewhere = await make_event(), await make_event()
    foreign = await sites.add(actor=SYSTEM, event_id=elsewhere.id, details=WUHAN, at=NOW)
    own = await sites.add(actor=SYSTEM, event_id=here.id, details=WUHAN, at=NOW)
    given: dict[str, Any] = {
        "event_id": here.id,
        "code": "hall",
        "kind": PlaceKind.VENUE,
        "name": WUHAN.name,
        "at": NOW,
    }
    with pytest.raises(Invalid) as refused:
        await venue.add_place(**given, site_id=foreign)
    assert codes(refused) == {"site_id": "site_unknown"}
    number = await venue.add_place(**given, site_id=own)
    assert [place.site_id for place in await queries.places(here.id)] == [own]
    with pytest.raises(Invalid):
        await venue.change_place(**given, place_id=number, site_id=foreign)
    await venue.change_place(**given, place_id=number)
    assert [place.site_id for place in await queries.places(here.id)] == [None]


async def test_a_checkpoint_is_of_its_own_site_or_its_places(database: Settings) -> None:
    there = await make_event()
    here = await sites.add(actor=SYSTEM, event_id=there.id, details=WUHAN, at=NOW)
    other = await sites.add(actor=SYSTEM, event_id=there.id, details=replace(WUHAN, code="cd"), at=NOW)
    hall = await make_place(there, site_id=here)
    room = await make_place(there, parent_id=hall.id)
    by_place = await make_checkpoint(there, place_id=room.id)
    by_name = await make_checkpoint(there, place_id=room.id, site_id=other)
    nowhere = await make_checkpoint(there)
    world = await checkpoints.read_world(there.id)
    assert {view.facts.id: view.in_site for view in world.checkpoints.values()} == {
        by_place.id: here,
        by_name.id: other,
        nowhere.id: None,
    }
    assert world.checkpoints[by_place.id].site_id is None
    assert counting.event_of(f"board.{there.id}.{here}") == there.id
    assert counting.site_of(f"board.{there.id}.{here}") == here
    for topic in (f"rooms.{there.id}.{here}", "board.1.2.3", "board.x.1", "board.1.x", "board", "other.1"):
        assert counting.event_of(topic) is None, topic
        assert counting.site_of(topic) is None, topic
    assert await Checkpoint.all().count() == 3


async def test_a_series_is_made_renamed_and_joined(database: Settings) -> None:
    there = await make_event()
    name = LocalizedText({"zh-Hans": "中国开源年会"})
    number = await series.make(actor=SYSTEM, slug="coscon", name=name, at=NOW)
    tries = [series.make(actor=SYSTEM, slug="twice", name=name, at=NOW) for _ in range(8)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, int) for one in done) == 1
    with pytest.raises(Invalid) as refused:
        await series.rename(actor=SYSTEM, series_id=number, slug="twice", name=name, at=NOW)
    assert codes(refused) == {"series_slug": "series_slug_taken"}
    with pytest.raises(Invalid) as refused:
        await series.make(actor=SYSTEM, slug="No", name=LocalizedText({"en": "x" * 121}), at=NOW)
    assert codes(refused) == {"series_slug": "slug_malformed", "series_name": "too_long"}
    with pytest.raises(NotFound):
        await series.rename(actor=SYSTEM, series_id=0, slug="a", name=name, at=NOW)
    facts = await queries.find_event_by_id(there.id)
    assert facts is not None
    details = replace(Details.of(facts), series_id=number)
    await event.change(actor=SYSTEM, event_id=there.id, facts=details, at=NOW)
    assert [one.slug for one in await series.of_events([there.id])] == ["coscon"]
    assert await series.of_events([]) == []
    assert [one.slug for one in await series.listed()] == ["coscon", "twice"]
    await series.rename(actor=SYSTEM, series_id=number, slug="cosc", name=name, at=NOW)
    assert await series.find("coscon") is None
    found = await series.find("cosc")
    assert found is not None and found == await series.find_by_id(number)
    with pytest.raises(Invalid) as refused:
        wrong = replace(details, series_id=number + 100)
        await event.change(actor=SYSTEM, event_id=there.id, facts=wrong, at=NOW)
    assert codes(refused) == {"series_id": "series_unknown"}
    assert await Series.all().count() == 2
    assert (await Event.get(id=there.id)).series_id == number


async def test_own_pages_are_written_published_and_removed(database: Settings) -> None:
    there, elsewhere = await make_event(), await make_event()
    more: dict[str, Any] = {"actor": SYSTEM, "event_id": there.id, "at": NOW}
    details = PageDetails(slug="travel", title=LocalizedText({"en": "Travel"}), position=2)
    number = await custom_pages.add(**more, details=details)
    await custom_pages.add(**more, details=replace(details, slug="first", position=1, is_published=True))
    assert [page.slug for page in await custom_pages.listed(there.id)] == ["first", "travel"]
    assert [page.slug for page in await custom_pages.listed(there.id, published_only=True)] == ["first"]
    with pytest.raises(Invalid) as refused:
        await custom_pages.add(**more, details=details)
    assert codes(refused) == {"slug": "page_slug_taken"}
    with pytest.raises(Invalid) as refused:
        wrong = PageDetails(
            slug="../x", title=LocalizedText(), text=LocalizedText({"en": "x" * 40_001}), position=-1
        )
        await custom_pages.change(**more, page_id=number, details=wrong)
    assert codes(refused) == {
        "slug": "slug_malformed",
        "title": "required",
        "text": "too_long",
        "position": "out_of_range",
    }
    with pytest.raises(Invalid):
        await custom_pages.change(**more, page_id=number, details=replace(details, slug="first"))
    await custom_pages.change(**more, page_id=number, details=replace(details, is_published=True))
    for action in (
        custom_pages.change(**more | {"event_id": elsewhere.id}, page_id=number, details=details),
        custom_pages.remove(**more | {"event_id": elsewhere.id}, page_id=number),
    ):
        with pytest.raises(NotFound):
            await action
    await custom_pages.remove(**more, page_id=number)
    assert [page.slug for page in await custom_pages.listed(there.id)] == ["first"]
    assert await verbs() == ["page.add", "page.add", "page.change", "page.remove"]
