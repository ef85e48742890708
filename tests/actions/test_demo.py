"""The demo conference: made once and whole, through the house's actions, and a newcomer sees green today."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest

from agenda import queries as agenda
from checkin import checkpoints, passports, scanning
from checkin.rules import Direction, VerdictCode
from checkin.scanning import Answer, ScanEntry
from events import access, event, queries
from events.rules import EventState, Permission, RegistrationState
from kernel import db
from kernel.actor import Actor, ActorKind
from kernel.settings import Settings
from main import create_app
from people import accounts
from scripts import demo
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


async def test_it_is_made_whole_in_time_and_only_once(database: Settings) -> None:
    began = time.monotonic()
    report = await make(database)
    assert time.monotonic() - began < 20
    assert (report.created, report.registrations, report.checkpoints) == (True, 1_200, 12)
    before = await totals()
    assert before["registration"] == before["passport"] == 1_200
    assert (before["event"], before["checkpoint"]) == (2, 12)
    assert before["session"] == report.sessions == 26
    again = await make(database)
    assert again.created is False
    assert await totals() == before


async def test_a_start_that_was_stopped_half_way_goes_on(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(**_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(event, "publish", stop)
        with pytest.raises(KeyboardInterrupt):
            await make(database)
    assert (await conference()).state is EventState.DRAFT
    assert (await make(database)).created is True
    assert (await conference()).state is EventState.PUBLISHED
    found = await totals()
    assert (found["registration"], found["passport"], found["checkpoint"], found["session"]) == (
        1_200,
        1_200,
        12,
        26,
    )


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
    for email in (demo.OWNER, demo.ORGANISER, demo.SCANNER, demo.GATE_SCANNER):
        assert email in said
    assert len(report.try_codes) == 4
    for _, code in report.try_codes:
        assert f"{code[:4]} {code[4:]}" in said
    assert f"{database.base_url}/e/{demo.SLUG}/live" in said
