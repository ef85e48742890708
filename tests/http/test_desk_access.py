"""What a draft, another event's objects and the desk's navigation show to whom; the walk over all routes and roles is
``test_access_table``."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette

import main
from kernel.settings import Settings
from tests.factories import (
    make_account,
    make_event,
    make_place,
    make_registration,
    make_role,
    make_ticket_type,
)
from tests.http.desk_house import browser_of


@pytest.fixture
def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


async def test_a_draft_of_others_is_not_even_there(app: Starlette) -> None:
    event = await make_event("secret", state="draft")
    account = await make_account()
    async with browser_of(app, account) as browser:
        assert (await browser.get(f"/e/{event.slug}/desk")).status_code == 404
        assert (await browser.get(f"/e/{event.slug}/api/event")).status_code == 404


async def test_objects_of_another_event_are_not_found(app: Starlette) -> None:
    mine, theirs = await make_event("mine"), await make_event("theirs")
    ticket_type = await make_ticket_type(theirs)
    registration = await make_registration(theirs, ticket_type)
    place = await make_place(theirs)
    grant = await make_role(theirs, await make_account(), "owner")
    account = await make_account()
    await make_role(mine, account, "owner")
    async with browser_of(app, account) as browser:
        for path in (
            f"registrations/{registration.id}",
            f"registrations/{registration.id}/change",
            f"ticket-types/{ticket_type.id}",
            f"places/{place.id}",
            "registrations/0",
            "registrations/x",
            f"registrations/{2**70}",
        ):
            assert (await browser.get(f"/e/mine/desk/{path}")).status_code == 404, path
        for path in (f"registrations/{registration.id}/cancellation", f"team/{grant.id}/removal"):
            assert (await browser.post(f"/e/mine/desk/{path}")).status_code == 404, path
        assert (await browser.get(f"/e/mine/api/registrations/{registration.id}")).status_code == 404


async def test_only_administrators_create_events(app: Starlette) -> None:
    async with browser_of(app, await make_account()) as browser:
        assert (await browser.get("/events/new")).status_code == 404
    async with browser_of(app) as browser:
        assert (await browser.get("/events/new")).status_code == 303


async def test_the_navigation_shows_what_one_may_use(app: Starlette) -> None:
    event = await make_event("coscon")
    organiser, owner = await make_account(), await make_account()
    await make_role(event, organiser, "organiser")
    await make_role(event, owner, "owner")
    for account, sees_team in ((organiser, False), (owner, True)):
        async with browser_of(app, account) as browser:
            page = (await browser.get("/e/coscon/desk")).text
            assert ('href="/e/coscon/desk/team"' in page.partition("<main")[0]) is sees_team
            assert 'href="/e/coscon/desk/registrations"' in page.partition("<main")[0]
