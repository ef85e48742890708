"""The demo conference: made once and whole, through the house's actions, and a newcomer sees green today."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from agenda import queries as agenda
from checkin import checkpoints, passports, scanning
from checkin.rules import Direction, VerdictCode
from checkin.scanning import Answer, ScanEntry
from events import access, event, partner_links, queries, registrations, tickets
from events.rules import EventKind, EventState, Module, Permission, RegistrationState, Window
from events.tickets import OfferState
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.settings import Settings
from main import create_app
from people import accounts, pictures
from scripts import demo, demo_cover, demo_events
from scripts.demo_people import invented


@pytest.fixture(autouse=True)
def wired(database: Settings) -> Iterator[None]:
    create_app(database, workers=False)
    yield
    demo._Last.report = demo.DemoReport(created=False)


def now() -> datetime:
    return datetime.now(UTC)


async def make(settings: Settings) -> demo.DemoReport:
    return await demo.create(settings=settings, at=now())


async def conference() -> Any:
    found = await queries.find_event(demo.SLUG)
    assert found is not None
    return found


async def totals() -> dict[str, int]:
    tables = (
        "event",
        "place",
        "ticket_type",
        "registration",
        "passport",
        "session",
        "checkpoint",
        "role_grant",
        "account",
        "registration_group",
        "transfer",
        "invitation",
        "access_code",
        "event_page",
        "form_answer",
        "consent",
        "letter",
        "series",
        "site",
    )
    return {table: (await db.query(f"SELECT count(*) AS n FROM {table}"))[0]["n"] for table in tables}


async def scan(
    code: str, door: str, who: str = demo.SCANNER, direction: Direction = Direction.ENTRY
) -> Answer:
    """The ordinary scan of one of the demo's own volunteers, now."""
    account_id = await accounts.create_account(email=who, name="", is_admin=False, at=now())
    opened = await access.open_event(Actor(kind=ActorKind.ACCOUNT, id=account_id), demo.SLUG, Permission.SCAN)
    world = await checkpoints.world(opened.event.id)
    [checkpoint_id] = [view.facts.id for view in world.checkpoints.values() if view.code == door]
    return await scanning.scan(
        door=opened, entry=ScanEntry(uuid4(), code, checkpoint_id, direction), at=now()
    )


async def code_of(ticket_type: str, state: RegistrationState = RegistrationState.CONFIRMED) -> str:
    found = await conference()
    types = {one.id: one.code for one in await queries.ticket_types(found.id)}
    rows = await queries.export_rows(found.id, limit=2_000)
    chosen = next(row for row in rows if types[row.ticket_type_id] == ticket_type and row.state is state)
    return (await passports.by_registration([chosen.id]))[chosen.id].short_code


@pytest.mark.timeout(400)
async def test_it_is_made_whole_and_only_once(database: Settings) -> None:
    report = await make(database)
    assert (report.created, report.registrations, report.checkpoints) == (True, 1_200, 12)
    before = await totals()
    # Two speakers of the next edition have confirmed, and come with a ticket for it.
    assert before["registration"] == before["passport"] == 1_418
    # Two conferences with twelve doors each, and the meet-up's one.
    assert (before["event"], before["checkpoint"]) == (6, 25)
    assert before["session"] == 2 * report.sessions == 52
    again = await make(database)
    assert again.created is False
    assert (again.try_codes, again.partner_link) == (report.try_codes, report.partner_link)
    assert await totals() == before


@pytest.mark.parametrize(
    ("module", "name", "nth"),
    [
        (tickets, "add", 4),
        (event, "publish", 1),
        (registrations, "register", 9),
        (registrations, "cancel", 1),
        (partner_links, "submit", 2),
        (registrations, "apply_rows", 5),
    ],
)
async def test_a_start_that_was_stopped_anywhere_goes_on(
    database: Settings, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, nth: int
) -> None:
    real, calls = getattr(module, name), count(1)

    async def stop(**more: Any) -> Any:
        if next(calls) == nth:
            raise KeyboardInterrupt
        return await real(**more)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, stop)
        with pytest.raises(KeyboardInterrupt):
            await make(database)
    assert (await conference()).state is EventState.DRAFT
    assert (await make(database)).created is True
    assert (await conference()).state is EventState.PUBLISHED
    found = await totals()
    assert (found["registration"], found["passport"], found["checkpoint"], found["session"]) == (
        1_418,
        1_418,
        25,
        52,
    )
    assert (found["event"], found["site"], found["series"], found["event_page"]) == (6, 5, 1, 6)
    assert (found["registration_group"], found["transfer"], found["invitation"]) == (3, 1, 1)
    assert found["access_code"] == 6


async def test_the_next_edition_can_be_tried_by_a_visitor(database: Settings) -> None:
    await make(database)
    facts = await queries.find_event(demo_events.NEXT)
    assert facts is not None
    assert facts.is_sample
    assert facts.window(now()) is Window.OPEN
    assert facts.starts_on > now().date()
    offered = {one.ticket_type.code: one.state for one in await tickets.offers(facts, at=now())}
    assert offered == {
        "standard": OfferState.OPEN,
        "workshop": OfferState.WAITLIST,
        "student": OfferState.OPEN,
        "community": OfferState.NEEDS_CODE,
        "online": OfferState.OPEN,
    }
    opened = await tickets.offers(facts, at=now(), code="datawhale")
    assert {one.ticket_type.code: one.state for one in opened}["community"] is OfferState.OPEN
    # A ticket that needs a decision, a full one with the line behind it and its first already asked.
    counts = await queries.counts(facts.id)
    assert counts.by_state[RegistrationState.OFFERED] == 1
    assert counts.by_state[RegistrationState.WAITLISTED] == 3
    assert counts.by_state[RegistrationState.PENDING] == 9
    assert counts.by_state[RegistrationState.DECLINED] == 2
    rows = await db.query("SELECT email, state, source FROM registration WHERE event_id = $1", facts.id)
    assert {row["email"] for row in rows if row["state"] == "offered"} == {demo_events.WAITING}
    assert {row["source"] for row in rows} == {"form", "group", "partner", "import", "organiser"}


async def test_the_list_shows_what_is_to_come_and_earlier_years(database: Settings) -> None:
    await make(database)
    every = {one.slug: one for one in await queries.list_events()}
    assert set(every) == {
        demo.SLUG,
        demo_events.NEXT,
        demo_events.SHANGHAI,
        demo_events.CITIES,
        demo_events.MEETUP,
        demo_events.DRAFT,
    }
    assert all(one.is_sample for one in every.values())
    years = [slug for slug, one in every.items() if one.series_id is not None]
    assert set(years) == {demo.SLUG, demo_events.NEXT, demo_events.SHANGHAI, demo_events.CITIES}
    assert every[demo_events.DRAFT].state is EventState.DRAFT
    meetup = every[demo_events.MEETUP]
    assert (meetup.kind, meetup.state, meetup.has(Module.ARRIVALS)) == (
        EventKind.MEETUP,
        EventState.PUBLISHED,
        True,
    )
    for one in every.values():
        assert (one.cover_upload_id is None) == (one.slug == demo_events.DRAFT)


@pytest.mark.parametrize(("development", "expected"), [(True, True), (False, False)])
async def test_the_owner_runs_the_installation_only_where_codes_are_shown(
    database: Settings, development: bool, expected: bool
) -> None:
    await make(dataclasses.replace(database, development=development))
    rows = await db.query("SELECT is_admin FROM account WHERE email = $1", demo.OWNER)
    assert bool(rows[0]["is_admin"]) is expected


def test_covers_are_drawn_the_same_each_time() -> None:
    one = demo_cover.draw("#0a5c8f", seed=1)
    assert one == demo_cover.draw("#0a5c8f", seed=1) != demo_cover.draw("#0a5c8f", seed=2)
    assert pictures.kind_of(one) == "image/jpeg"
    assert len(one) < 100_000


async def test_its_facts_are_the_real_ones_and_it_says_that_it_is_a_sample(database: Settings) -> None:
    await make(database)
    found = await conference()
    assert (found.starts_on, found.ends_on) == (date(2023, 10, 28), date(2023, 10, 29))
    assert found.is_sample
    assert found.city == {"zh-Hans": "成都", "en": "Chengdu"}
    assert "天府五街200号" in found.address["zh-Hans"]
    for text in found.text.values():
        assert all(name in text for name in ("GOSIM", "OceanBase", "ONLYOFFICE", "Greptime"))
    opening = next(one for one in await agenda.sessions(found.id) if one.title["en"] == "Opening")
    assert (opening.starts_at, opening.ends_at) == (
        datetime(2023, 10, 28, 1, 0, tzinfo=UTC),
        datetime(2023, 10, 28, 1, 20, tzinfo=UTC),
    )
    assert opening.place_code == "main"


async def test_a_newcomer_sees_green_today_and_every_other_colour(database: Settings) -> None:
    await make(database)
    standard, online = await code_of("standard"), await code_of("online")
    cancelled = await code_of("standard", RegistrationState.CANCELLED)
    assert (await scan(standard, "north")).verdict is VerdictCode.ADMITTED
    # The gates share one list.
    assert (await scan(standard, "south")).verdict is VerdictCode.WELCOME_BACK
    assert (await scan(standard, "main")).verdict is VerdictCode.ADMITTED
    assert (await scan(standard, "main")).verdict is VerdictCode.ALREADY_HERE
    assert (await scan(standard, "main", direction=Direction.EXIT)).verdict is VerdictCode.EXIT_RECORDED
    assert (await scan(standard, "lunch")).verdict is VerdictCode.ADMITTED
    assert (await scan(standard, "lunch")).verdict is VerdictCode.ALREADY_USED
    assert (await scan(standard, "dinner")).verdict is VerdictCode.WINDOW_OVER
    assert (await scan(standard, "teahouse")).verdict is VerdictCode.ADMITTED
    assert (await scan(cancelled, "north")).verdict is VerdictCode.CANCELLED
    assert (await scan(online, "north")).verdict is VerdictCode.WRONG_TICKET_TYPE
    refused = await scan(standard, "speakers")
    assert refused.verdict is VerdictCode.WRONG_TICKET_TYPE
    assert refused.elsewhere is not None
    assert refused.elsewhere.name["en"] == "North gate"


async def test_the_second_scanner_is_limited_to_two_checkpoints(database: Settings) -> None:
    await make(database)
    account_id = await accounts.create_account(email=demo.GATE_SCANNER, name="", is_admin=False, at=now())
    door = await access.open_event(Actor(kind=ActorKind.ACCOUNT, id=account_id), demo.SLUG, Permission.SCAN)
    scope = door.checkpoint_scope()
    world = await checkpoints.world(door.event.id)
    assert scope is not None
    assert {world.checkpoints[number].code for number in scope} == {"north", "lunch"}


async def test_states_and_ticket_types_are_mixed(database: Settings) -> None:
    await make(database)
    found = await conference()
    counts = await queries.counts(found.id)
    assert counts.total == 1_200
    assert set(counts.by_state) == set(RegistrationState)
    assert counts.by_state[RegistrationState.CONFIRMED] > 1_000
    first_page = (await queries.registrations_page(found.id)).rows
    assert len({row.ticket_type_id for row in first_page}) > 3


def test_nobody_in_it_exists() -> None:
    people = list(invented(1_200))
    assert people == list(invented(1_200))
    assert all(person.email.endswith("@example.org") for person in people if person.email)
    assert all(
        person.phone.startswith("+861990000") and len(person.phone) == 14 for person in people if person.phone
    )
    assert all(person.email or person.phone for person in people)
    assert len({person.email for person in people if person.email}) == sum(
        bool(person.email) for person in people
    )
    names = [person.name for person in people]
    assert len(set(names)) > 1_000
    lengths = Counter(len(name) for name in names)
    assert lengths[2] > 100 < lengths[3]
    assert any("·" in name for name in names)
    assert any(name.startswith(("欧阳", "司马", "上官")) for name in names)
    assert any(len(name) > 50 for name in names)
    assert any("🐙" in person.badge_name for person in people)
    assert all(len(name) <= 120 for name in names)


async def test_what_is_printed_names_roles_addresses_and_codes(database: Settings) -> None:
    report = await make(database)
    said = demo.print_where_to_look(database)
    for email in (demo.OWNER, demo.ORGANISER, demo.SCANNER, demo.GATE_SCANNER, demo.LEAD):
        assert email in said
    for email in (demo.PARTNER_DESK, demo.VIEWER, demo_events.VISITOR, demo_events.WAITING):
        assert email in said
    assert report.partner_link in said
    assert report.partner_link.startswith(f"{database.base_url}/e/{demo_events.NEXT}/partner?key=")
    assert len(report.try_codes) == 4
    for _, code in report.try_codes:
        assert f"{code[:4]} {code[4:]}" in said
    assert f"{database.base_url}/e/{demo.SLUG}/live" in said
