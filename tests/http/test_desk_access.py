"""Who may open which page of the desk: every route, every role, another event's organiser too."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette

import main
from events import api, desk
from events.models import Event, Registration
from events.rules import MAY, Permission, Role
from kernel.settings import Settings
from people import jobs
from tests.factories import (
    make_account,
    make_event,
    make_place,
    make_registration,
    make_role,
    make_ticket_type,
)
from tests.http.desk_house import browser_of

ROUTES = [entry for entry in (*desk.ROUTES, *api.ROUTES) if "{slug}" in entry.path]


@pytest.fixture
def app(database: Settings) -> Starlette:
    return main.create_app(database, workers=False)


@pytest.fixture(scope="module", autouse=True)
async def helper_process() -> AsyncIterator[None]:
    yield
    await jobs.stop()


async def paths() -> dict[str, str]:
    """An address of each route, with objects that are there."""
    event = await make_event("coscon")
    ticket_type = await make_ticket_type(event)
    registration = await make_registration(event, ticket_type)
    place = await make_place(event)
    known = {
        "slug": event.slug,
        "registration_id": registration.id,
        "ticket_type_id": ticket_type.id,
        "place_id": place.id,
        "import_id": 1,
        "letter_id": 1,
        "grant_id": 1,
    }
    return {entry.name: entry.path.format(**known) for entry in ROUTES}


def permission_of(access: str) -> Permission:
    return Permission(access.removeprefix("event:"))


@pytest.mark.parametrize("role", [None, *Role])
async def test_a_role_opens_what_it_may_and_nothing_else(app: Starlette, role: Role | None) -> None:
    addresses = await paths()
    account = await make_account()
    # An owner elsewhere is nobody in particular here.
    await make_role(await make_event("other"), account, "owner")
    if role is not None:
        await make_role(await Event.get(slug="coscon"), account, role)
    allowed = MAY[role] if role is not None else {Permission.VIEW_PUBLIC}
    async with browser_of(app, account) as browser:
        for entry in ROUTES:
            method = entry.methods[0]
            answer = await browser.request(method, addresses[entry.name])
            if permission_of(entry.access) in allowed:
                assert answer.status_code not in (401, 403), f"{role} {method} {entry.path}"
                assert answer.status_code < 500, f"{role} {method} {entry.path}"
            else:
                assert answer.status_code == 403, f"{role} {method} {entry.path}"


async def test_nobody_in_particular_is_led_to_the_sign_in(app: Starlette) -> None:
    addresses = await paths()
    async with browser_of(app) as browser:
        for entry in ROUTES:
            answer = await browser.request(entry.methods[0], addresses[entry.name])
            if permission_of(entry.access) is Permission.VIEW_PUBLIC:
                assert answer.status_code == 200
            elif "/api/" in entry.path:
                assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")
            else:
                assert answer.status_code == 303
                assert answer.headers["location"].startswith("/sign-in")


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


async def test_a_post_from_another_site_does_nothing(app: Starlette) -> None:
    addresses = await paths()
    account = await make_account()
    await make_role(await Event.get(slug="coscon"), account, "owner")
    async with browser_of(app, account) as browser:
        browser.headers["sec-fetch-site"] = "cross-site"
        for entry in ROUTES:
            if "POST" not in entry.methods:
                continue
            answer = await browser.post(addresses[entry.name])
            assert answer.status_code == 403
            assert "another site" in answer.text
    assert (await Registration.get()).state == "confirmed"


async def test_only_administrators_create_events(app: Starlette) -> None:
    async with browser_of(app, await make_account()) as browser:
        assert (await browser.get("/events/new")).status_code == 404
    async with browser_of(app) as browser:
        assert (await browser.get("/events/new")).status_code == 303


async def test_the_navigation_shows_what_one_may_use(app: Starlette) -> None:
    await paths()
    event = await Event.get(slug="coscon")
    organiser, owner = await make_account(), await make_account()
    await make_role(event, organiser, "organiser")
    await make_role(event, owner, "owner")
    for account, sees_team in ((organiser, False), (owner, True)):
        async with browser_of(app, account) as browser:
            page = (await browser.get("/e/coscon/desk")).text
            assert ('href="/e/coscon/desk/team"' in page.partition("<main")[0]) is sees_team
            assert 'href="/e/coscon/desk/registrations"' in page.partition("<main")[0]
