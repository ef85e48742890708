"""Two records of one person on the desk: found, looked at side by side, made one; both letters lead to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import main
from checkin import passports
from events import registrations
from events.models import Registration
from events.registrations import secret_of
from events.rules import Contact, RegistrationSource
from kernel.actor import SYSTEM
from kernel.settings import Settings
from tests.factories import NOW, make_account, make_role
from tests.http.desk_house import Desk, browser_of, desk_of, field, problem, words_of


@pytest.fixture
async def desk(database: Settings) -> AsyncIterator[Desk]:
    async with desk_of(main.create_app(database, workers=False)) as found:
        yield found


async def register(desk: Desk, **contact: str) -> int:
    return await registrations.register(
        event_id=desk.event.id,
        ticket_type_id=desk.general.id,
        contact=Contact(**contact),
        source=RegistrationSource.ORGANISER,
        locale="zh-Hans",
        at=NOW,
        actor=SYSTEM,
    )


async def test_pairs_are_listed_without_an_address_and_one_is_made_of_two(desk: Desk) -> None:
    assert "Nobody looks like two" in (await desk.get("/merge")).text
    one = await register(desk, name="林小满", email="lin@example.org", organisation="开源社")
    other = await register(desk, name="Lin Xiaoman", email="lin@example.org", phone="+8613800138000")
    page = (await desk.get("/merge")).text
    assert "林小满 · Lin Xiaoman" in page and "the same e-mail" in page and "lin@example.org" not in page
    target = f"/merge/{one}/{other}"
    assert desk.path(target) in page

    page = (await desk.get(target)).text
    assert "One place becomes free." in page and "undone" in page and "+8613800138000" in page
    assert f"Stays: number {one}" in page and desk.path(f"/merge/{other}/{one}") in page
    assert (await Registration.get(id=other)).state == "confirmed", "a look changes nothing"
    body = {"form": field(page, "form"), "name": "keep", "phone": "drop"}
    for _ in range(2):
        done = await desk.post(target, body)
        assert (done.status_code, done.headers["location"]) == (303, desk.path("/merge?done=merged"))
    assert "Made one of two" in (await desk.get("/merge", done="merged")).text
    kept = await Registration.get(id=one)
    assert (kept.name, kept.phone) == ("林小满", "+8613800138000")
    again = await desk.get(target)
    assert "part of another registration already" in again.text and "Make one of them" not in words_of(
        again.text
    )

    # Either letter opens the one passport.
    async with browser_of(desk.browser._transport.app) as client:  # type: ignore[attr-defined]
        for number in (other, one):
            opened = await client.post("/e/coscon/me", data={"key": secret_of(number, 0)})
            shown = await client.get(opened.headers["location"])
            assert shown.status_code == 200 and "林小满" in shown.text and f"/me/{one}/code.png" in shown.text
        assert "林小满" in (await client.get("/e/coscon/me")).text
    token = (await passports.by_registration([other]))[other].token
    found = await passports.by_token(token)
    assert found and found.registration_id == one


async def test_from_a_registration_one_looks_for_the_other(desk: Desk) -> None:
    one = await register(desk, name="林小满", email="lin@example.org")
    other = await register(desk, name="满小林", email="other@example.org")
    page = (await desk.get(f"/registrations/{one}")).text
    assert desk.path(f"/merge?of={one}") in page
    page = (await desk.get("/merge", of=one)).text
    assert "Who else is 林小满?" in page and "Nobody else matches" in page
    page = (await desk.get("/merge", of=one, q="满小")).text
    assert desk.path(f"/merge/{one}/{other}") in page


async def test_what_cannot_be_said_is_said_at_the_choice(desk: Desk) -> None:
    one = await register(desk, name="林小满", email="lin@example.org")
    other = await register(desk, name="林小满", phone="+8613800138000")
    page = (await desk.get(f"/merge/{one}/{other}")).text
    refused = await desk.post(f"/merge/{one}/{other}", {"form": field(page, "form"), "email": "drop"})
    assert refused.status_code == 422 and "E-mail" in words_of(refused.text)
    assert (await Registration.get(id=other)).merged_into_id is None
    assert problem(refused.text, "name") == ""
    for path in (f"/merge/{one}/{one}", f"/merge/{other}/{other}"):
        page = (await desk.get(path)).text
        assert "not two registrations but one" in page
    for path in ("/merge/0/1", "/merge/x/y", f"/merge/{one}/99999"):
        assert (await desk.get(path)).status_code == 404
    assert (await desk.post(f"/merge/{one}/{one}", {})).status_code == 409


async def test_only_who_may_change_registrations(desk: Desk) -> None:
    one = await register(desk, name="林小满", email="lin@example.org")
    viewer = await make_account()
    await make_role(desk.event, viewer, "scanner")
    async with browser_of(desk.browser._transport.app, viewer) as client:  # type: ignore[attr-defined]
        for path in ("/merge", f"/merge/{one}/{one}", "/transfers"):
            assert (await client.get(desk.path(path))).status_code == 403
        assert (await client.post(desk.path("/transfers/1/withdraw"))).status_code == 403
    assert (await desk.post("/transfers/1/withdraw")).status_code == 404
    assert (await desk.post("/transfers/x/withdraw")).status_code == 404
