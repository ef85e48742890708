"""Every route as everybody: a request to each is sent, and docs/access.md, which people write, is the judge.

One application, one event, one account for each column. Who is asking comes from a loader of the test's own, so that
a route that ends sign-ins does not end the walk; tokens and cookies have tests of their own.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

import main
from checkin import board
from events import access, event
from events.access import open_event
from events.models import Event, Invitation
from events.rules import MAY, SCOPES, Permission, Role
from kernel.actor import ANONYMOUS, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Refusal
from kernel.settings import Settings
from people import accounts, unsubscribe_pages
from people.models import Account, Letter
from tests.factories import (
    NOW,
    make_account,
    make_checkpoint,
    make_event,
    make_passport,
    make_place,
    make_role,
    make_session,
    make_ticket_type,
)
from web import signin
from web.routing import Entry

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
BASE = "http://127.0.0.1:8000"
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


# --- the page ----------------------------------------------------------------------------------------------------


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, its title row first."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if not set("".join(row)) <= set("-: ")]


def routes_in(heading: str) -> list[tuple[str, str]]:
    """(what is needed, route) for every route that is named below a heading."""
    return [
        (needs, name) for needs, names in rows_under(heading)[1:] for name in re.findall(r"`([^`]+)`", names)
    ]


NEEDS = {name: needs for needs, name in routes_in("What each route needs")}
COLUMNS = rows_under("What each one may")[0][1:]
MAY_WORDS = {row[0]: dict(zip(COLUMNS, row[1:], strict=True)) for row in rows_under("What each one may")[1:]}
BEHIND = {name for _, name in routes_in("Behind a public door")}
ENTRIES = main.entries()


def label_of(entry: Entry) -> str:
    return entry.access.removeprefix("event:")


def test_every_route_stands_in_one_row_and_every_row_is_a_route() -> None:
    named = [name for _, name in routes_in("What each route needs")]
    missing = sorted({entry.name for entry in ENTRIES} - set(named))
    gone = sorted(set(named) - {entry.name for entry in ENTRIES})
    assert (missing, gone) == ([], []), (
        "docs/access.md: write these routes into the row of what they should need"
    )
    assert len(named) == len(set(named))


def test_every_route_declares_what_the_page_says() -> None:
    wrong = [
        f"{entry.name}: the page says {NEEDS[entry.name]}, the code {label_of(entry)}"
        for entry in ENTRIES
        if entry.name in NEEDS and NEEDS[entry.name] != label_of(entry)
    ]
    assert "\n".join(wrong) == ""


def test_every_permission_and_every_role_stands_on_the_page_in_known_words() -> None:
    assert set(MAY_WORDS) == {"public", "development", "signed-in", "admin", *map(str, Permission)}
    assert [*COLUMNS[2:12]] == [str(role) for role in Role]
    assert {word for words in MAY_WORDS.values() for word in words.values()} == {
        "yes",
        "no",
        "hidden",
        "sign in",
    }
    assert set(NEEDS) >= BEHIND
    scopes = {
        row[0]: {word.strip().removesuffix("s") for word in row[1].split(",")}
        for row in rows_under("Scopes")[1:]
    }
    assert scopes == {str(role): set(kinds) for role, kinds in SCOPES.items()}


def test_the_roles_may_exactly_what_the_page_says() -> None:
    for permission in Permission:
        for role in Role:
            allowed = permission in MAY[role]
            assert allowed is (MAY_WORDS[permission][role] == "yes"), f"{role} {permission}"


# --- the walk ----------------------------------------------------------------------------------------------------


@dataclass
class World:
    app: Starlette
    event: Event
    actors: Mapping[str, Actor]
    params: Mapping[str, object]

    def actor(self, column: str, label: str) -> Actor:
        """Who asks in a column; the token names what the row is about."""
        known = self.actors[column]
        if column != "token":
            return known
        return Actor(
            kind=known.kind,
            id=known.id,
            email=known.email,
            token_id=known.token_id,
            token_scopes=frozenset({label}),
        )


class Knock:
    """Who is asking now; the application's loader gives it for whatever token."""

    actor: Actor = ANONYMOUS
    app: Starlette | None = None


async def _loader(_token: str) -> Actor:
    return Knock.actor


@pytest.fixture
async def world(database: Settings) -> AsyncIterator[World]:
    # Once: what is compiled for the first walk serves the others.
    app = Knock.app = Knock.app or main.create_app(database, workers=False)
    signin.configure(loader=_loader, secure=database.secure)
    made, other = await make_event("coscon"), await make_event("other")
    people: dict[str, Account] = {}
    for column in COLUMNS[1:]:
        people[column] = await make_account(
            f"{column.replace(' ', '-')}@example.org", is_admin=column == "admin"
        )
    for role in Role:
        await make_role(made, people[role], role)
    await make_role(other, people["owner elsewhere"], Role.OWNER)
    for column in ("token", "bare token", "foreign token"):
        await make_role(made, people[column], Role.OWNER)
        await make_role(other, people[column], Role.OWNER)
    actors = {column: actor_of(account) for column, account in people.items()} | {"nobody": ANONYMOUS}
    everything = frozenset(map(str, Permission))
    for column, scopes, event_id in (
        ("token", everything, None),
        ("bare token", frozenset[str](), None),
        ("foreign token", everything, other.id),
    ):
        actors[column] = Actor(
            kind=ActorKind.ACCOUNT,
            id=people[column].id,
            email=people[column].email,
            # Also of an administrator a token carries no rights but its own.
            is_admin=True,
            token_id=1,
            token_scopes=scopes,
            token_event_id=event_id,
        )
    yield World(app, made, actors, await objects(made))
    signin.configure(loader=accounts.actor_for_token, secure=database.secure)


def actor_of(account: Account) -> Actor:
    return Actor(
        kind=ActorKind.ACCOUNT, id=account.id, email=account.email, name="x", is_admin=account.is_admin
    )


async def objects(made: Event) -> Mapping[str, object]:
    """Plausible values for what stands in the routes' paths; objects that are there where an answer leans on it."""
    ticket_type = await make_ticket_type(made)
    passport = await make_passport(made, ticket_type)
    place, checkpoint = await make_place(made), await make_checkpoint(made)
    await make_session(made)
    spare = await make_role(made, await make_account(), Role.VIEWER)
    async with unit_of_work():
        letter = await Letter.create(
            event_id=made.id,
            key="walk",
            to_email="a@example.org",
            domain="example.org",
            locale="en",
            subject="x",
            text="x",
            next_try_at=NOW,
            created_at=NOW,
        )
        invitation = await Invitation.create(
            event_id=made.id,
            role="viewer",
            email="b@example.org",
            actor_key="system:0",
            created_at=NOW,
            expires_at=NOW,
        )
    return {
        "slug": made.slug,
        "registration_id": passport.registration_id,
        "scan_id": "00000000-0000-4000-8000-000000000001",
        "keep_id": passport.registration_id,
        "ticket_type_id": ticket_type.id,
        "place_id": place.id,
        "checkpoint_id": checkpoint.id,
        "grant_id": spare.id,
        "letter_id": letter.id,
        "id": letter.id,
        "invitation_id": invitation.id,
        # Topics have doors of their own: see below.
        "topic": "nothing.1",
        "days": 7,
        "kind": "csv",
    }


def address(entry: Entry, params: Mapping[str, object]) -> str:
    """The entry's path with something in every hole; what nothing is known of is number 1."""
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda hole: str(params.get(hole[1], 1)), entry.path)


def said_by(answer: httpx2.Response, label: str) -> str:
    """What the door said, in the page's words. What lies behind it may still be wrong, missing or in the wrong state."""
    if answer.status_code == 401:
        return "sign in"
    is_refusal = answer.headers.get("content-type", "").startswith("application/problem+json")
    code = answer.json()["code"] if is_refusal else ""
    if answer.status_code == 403 and code in ("forbidden", "not_a_person"):
        return "no"
    if answer.status_code == 404 and (code == "event_unknown" or (is_refusal and label == "admin")):
        return "hidden"
    return "yes" if answer.status_code < 500 else f"broken ({answer.status_code})"


#: Asking for JSON makes every refusal say its code; pages answer as they always do.
HEADERS = {"sec-fetch-site": "same-origin", "accept": "application/json", "accept-language": "en"}


def client_of(world: World, **headers: str) -> httpx2.AsyncClient:
    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(world.app), base_url=BASE, headers=HEADERS | headers
    )
    client.cookies.set(signin.COOKIE, "whoever")
    return client


def walked(entries: Sequence[Entry]) -> list[tuple[Entry, str]]:
    """Every method of every entry; writes come last, those that remove or end something at the very end."""
    known = [entry for entry in entries if not entry.is_socket and entry.name in NEEDS]
    found = [(entry, method) for entry in known for method in entry.methods]
    return sorted(found, key=lambda pair: (pair[1] in UNSAFE, "remov" in pair[0].name, pair[0].name))


@pytest.mark.parametrize("column", COLUMNS)
async def test_every_route_opens_for_whom_the_page_says(world: World, column: str) -> None:
    wrong = []
    async with client_of(world) as client:
        for entry, method in walked(ENTRIES):
            needs = NEEDS[entry.name]
            Knock.actor = world.actor(column, needs)
            answer = await client.request(method, address(entry, world.params))
            told, expected = said_by(answer, needs), MAY_WORDS[needs][column]
            if entry.name in BEHIND and expected == "yes" and told in ("no", "sign in"):
                continue  # the door opened; what stands behind it has a test of its own below
            if told != expected:
                wrong.append(f"{column}: {method} {entry.path} ({needs}): {told}, not {expected}")
    assert "\n".join(wrong) == ""
    # Nothing that was sent had the words to do harm to the walk itself.
    assert (await Event.get(slug="coscon")).state == "published"


@pytest.mark.parametrize("column", ["nobody", "stranger", "owner elsewhere", "reviewer", "owner"])
async def test_a_draft_is_hidden_from_everybody_without_a_role(world: World, column: str) -> None:
    async with unit_of_work():
        await Event.filter(id=world.event.id).update(state="draft")
    access.forget()
    wrong = []
    async with client_of(world) as client:
        for entry, method in walked([entry for entry in ENTRIES if "{slug}" in entry.path]):
            needs = NEEDS[entry.name]
            expected = MAY_WORDS[needs][column]
            if column in ("nobody", "stranger", "owner elsewhere") and expected != "sign in":
                expected = "hidden"
            Knock.actor = world.actor(column, needs)
            told = said_by(await client.request(method, address(entry, world.params)), needs)
            if entry.name in BEHIND and expected == "yes" and told in ("no", "sign in"):
                continue
            if told != expected:
                wrong.append(f"{column}: {method} {entry.path} ({needs}): {told}, not {expected}")
    assert "\n".join(wrong) == ""


async def test_every_permission_opens_for_whom_the_page_says(world: World) -> None:
    """Those that no route asks for by itself, too: pages ask for them inside."""
    wrong = []
    for permission in Permission:
        for column in COLUMNS:
            try:
                await open_event(world.actor(column, permission), "coscon", permission)
                told = "yes"
            except Refusal as refusal:
                told = {401: "sign in", 403: "no", 404: "hidden"}[refusal.status]
            if told != MAY_WORDS[permission][column]:
                wrong.append(f"{column} {permission}: {told}")
    assert "\n".join(wrong) == ""


async def test_the_live_topics_open_for_whom_the_page_says(world: World) -> None:
    for column in COLUMNS:
        for topic, needs in (("board", "view_board"), ("rooms", "view_public")):
            may = await board.authorise(world.actor(column, needs), f"{topic}.{world.event.id}")
            assert may is (MAY_WORDS[needs][column] == "yes"), f"{column} {topic}"


@pytest.mark.parametrize(
    "column", ["nobody", "stranger", "viewer", "scanner", "owner elsewhere", "bare token"]
)
async def test_what_lies_behind_a_public_door_stays_there(world: World, column: str) -> None:
    Knock.actor = world.actor(column, "view_public")
    got_in = []
    async with client_of(world) as client:
        for entry, method in walked([entry for entry in ENTRIES if entry.name in BEHIND]):
            answer = await client.request(
                method, address(entry, world.params), data={"key": "1-x"} if method == "POST" else None
            )
            leads_away = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
            if answer.status_code < 400 and not leads_away:
                got_in.append(f"{method} {entry.path}: {answer.status_code}")
    assert got_in == []


async def test_a_page_leads_nobody_in_particular_to_the_sign_in_and_back(world: World) -> None:
    Knock.actor = ANONYMOUS
    async with client_of(world, accept="text/html") as client:
        for entry, method in walked(ENTRIES):
            if MAY_WORDS[NEEDS[entry.name]]["nobody"] != "sign in" or "/api/" in entry.path:
                continue
            if entry.path.endswith(".json"):
                continue
            path = address(entry, world.params)
            answer = await client.request(method, path)
            assert answer.status_code == 303, f"{method} {path}"
            back = "" if method in UNSAFE else f"?next={path.replace('/', '%2F')}"
            assert answer.headers["location"].startswith(f"/sign-in{back}")


# --- what holds on every route -----------------------------------------------------------------------------------


async def test_no_route_takes_a_write_from_another_site(world: World) -> None:
    unsafe = [(entry, method) for entry, method in walked(ENTRIES) if method in UNSAFE]
    # A mailbox's own "unsubscribe" button (RFC 8058) writes from nowhere, and looks at no cookie.
    unsafe = [pair for pair in unsafe if pair[0].path not in unsubscribe_pages.OPEN_PATHS]
    assert len(unsafe) > 40
    Knock.actor = world.actors["owner"]
    foreign: Sequence[dict[str, str]] = (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {},
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(world.app), base_url=BASE) as client:
        client.cookies.set(signin.COOKIE, "whoever")
        for entry, method in unsafe:
            for headers in foreign:
                answer = await client.request(
                    method, address(entry, world.params), headers={"accept": "application/json", **headers}
                )
                assert answer.status_code == 403, f"{entry.path} {headers}"
                assert answer.json()["code"] == "cross_site"
    assert await Letter.filter(state="waiting").count() == 1


SECURITY_HEADERS = {
    "content-security-policy",
    "referrer-policy",
    "x-content-type-options",
    "permissions-policy",
    "cross-origin-opener-policy",
}


@pytest.mark.parametrize("column", ["nobody", "owner", "admin"])
async def test_every_answer_is_guarded_and_every_page_runs_only_our_own_files(
    world: World, column: str
) -> None:
    pages = 0
    Knock.actor = world.actors[column]
    async with client_of(world, accept="text/html") as client:
        for entry, method in walked(ENTRIES):
            answer = await client.request(method, address(entry, world.params))
            assert set(answer.headers) >= SECURITY_HEADERS, entry.path
            policy = answer.headers["content-security-policy"]
            assert "unsafe-inline" not in policy
            assert "'unsafe-eval'" not in policy
            assert "default-src 'self'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            if answer.headers.get("content-type", "").startswith("text/html"):
                pages += 1
                assert inline_code(answer.text) == [], entry.path
            for cookie in answer.headers.get_list("set-cookie"):
                assert "httponly" in cookie.lower(), cookie
                assert "samesite=lax" in cookie.lower(), cookie
    assert pages > 20


def inline_code(page: str) -> list[str]:
    """Whatever a page carries that a policy without unsafe-inline would drop, or that comes from elsewhere."""
    found = re.findall(
        r"<style[\s>][^<]{0,60}|\sstyle=\"[^\"]{0,60}|\son[a-z]+=\"[^\"]{0,60}|javascript:[^\"]{0,40}", page
    )
    for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL):
        is_data = re.search(r'type="(application/json|application/ld\+json|importmap)"', attributes)
        if "src=" not in attributes and not is_data and body.strip():
            found.append(body.strip()[:60])
    found += re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(?:https?:)?//[^"]{0,60}', page)
    return found


@pytest.mark.parametrize(
    "evil",
    [
        "<style>a{}</style>",
        '<p style="color:red">',
        '<a onclick="x()">',
        "<script>alert(1)</script>",
        '<a href="javascript:x()">',
        '<script src="https://cdn.example/x.js"></script>',
    ],
)
def test_inline_code_would_be_found(evil: str) -> None:
    assert inline_code(f"<html>{evil}</html>")


# --- scopes ------------------------------------------------------------------------------------------------------


async def test_a_role_of_one_site_scans_and_sees_nothing_of_another(world: World) -> None:
    from events.models import Site

    async with unit_of_work():
        here = await Site.create(event_id=world.event.id, code="cd", name={"zh-Hans": "成都"})
        there = await Site.create(event_id=world.event.id, code="sh", name={"zh-Hans": "上海"})
    hall = await make_place(world.event, site_id=here.id)
    room = await make_place(world.event, parent_id=hall.id)
    own = [
        await make_checkpoint(world.event, site_id=here.id),
        await make_checkpoint(world.event, place_id=hall.id),
        await make_checkpoint(world.event, place_id=room.id),
    ]
    foreign = [
        await make_checkpoint(world.event, site_id=there.id),
        await make_checkpoint(world.event, site_id=there.id, place_id=hall.id),
        await make_checkpoint(world.event),
    ]
    for role in (Role.SCANNER, Role.VOLUNTEER_LEAD):
        account = await make_account()
        await make_role(world.event, account, role, "site", here.id)
        access.forget()
        Knock.actor = actor_of(account)
        door = await open_event(Knock.actor, "coscon", Permission.SCAN)
        assert door.checkpoint_scope() == frozenset(one.id for one in own)
        assert door.site_scope() == door.site_scope(Permission.WALK_IN) == frozenset({here.id})
        async with client_of(world) as client:
            listed = (await client.get("/e/coscon/api/checkpoints")).json()
            assert {one["id"] for one in listed["checkpoints"]} == {one.id for one in own}
            for checkpoint in foreign:
                counts = await client.get(f"/e/coscon/api/checkpoints/{checkpoint.id}/counts")
                assert counts.status_code in (403, 404)
                scan = {
                    "scan_id": str(uuid.uuid4()),
                    "code": "x" * 8,
                    "checkpoint": checkpoint.id,
                    "direction": "entry",
                }
                answer = await client.post("/e/coscon/api/scans", json=scan)
                assert answer.status_code in (403, 404), answer.text


async def test_moving_a_door_to_another_site_moves_its_scanners_at_once(world: World) -> None:
    from checkin import checkpoints
    from events import venue
    from events.models import Site
    from kernel.actor import SYSTEM

    async with unit_of_work():
        here = await Site.create(event_id=world.event.id, code="cd", name={"zh-Hans": "成都"})
    hall, room = await make_place(world.event, site_id=here.id), await make_place(world.event)
    checkpoint = await make_checkpoint(world.event, place_id=room.id)
    account = await make_account()
    await make_role(world.event, account, Role.SCANNER, "site", here.id)
    access.forget()
    actor = actor_of(account)

    async def scope() -> frozenset[int] | None:
        return (await open_event(actor, "coscon", Permission.SCAN)).checkpoint_scope()

    assert await scope() == frozenset()
    await venue.move_place(actor=SYSTEM, event_id=world.event.id, place_id=room.id, parent_id=hall.id, at=NOW)
    assert await scope() == frozenset({checkpoint.id})
    assert await checkpoints.by_site(world.event.id) == {here.id: frozenset({checkpoint.id})}
    await event.grant(
        actor=SYSTEM, event_id=world.event.id, account_id=account.id, role=Role.ORGANISER, at=NOW
    )
    assert await scope() is None


@pytest.mark.parametrize(
    ("role", "kind", "sites", "may_scan"),
    [
        (Role.VIEWER, "site", True, False),
        (Role.VIEWER, "", None, False),
        (Role.VOLUNTEER_LEAD, "team", None, False),
        (Role.PRODUCER, "forum", None, False),
        (Role.VOLUNTEER_LEAD, "", None, True),
    ],
)
async def test_what_a_scope_leaves(
    world: World, role: Role, kind: str, sites: bool | None, may_scan: bool
) -> None:
    account = await make_account()
    await make_role(world.event, account, role, kind, 5 if kind else 0)
    access.forget()
    door = await open_event(actor_of(account), "coscon", Permission.VIEW_BOARD)
    assert door.site_scope() == (frozenset({5}) if sites else None)
    assert door.checkpoint_scope() == (None if may_scan else frozenset())
    assert door.site_scope(Permission.CHANGE_EVENT) == frozenset()
    assert door.site_scope(Permission.VIEW_PUBLIC) is None
