"""Registrations one by one: quotas under a rush, forms sent twice, letters, the holder's link, hooks that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from icalendar import Calendar

from events import queries, registrations
from events.models import Event, Registration, TicketType
from events.registrations import Changed, Contact, RegistrationFacts, register
from events.rules import EventCode, RegistrationSource, RegistrationState
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.errors import Code, Conflict, Invalid, NotFound, Refusal, TooMany
from kernel.settings import Settings
from people.models import JournalEntry, Letter, Replay
from tests.factories import NOW, make_event, make_registration, make_ticket_type

LIN = Contact(name="林小满", email="lin@example.org", phone="+8613800138000", organisation="开源社")
FORM = RegistrationSource.FORM


@pytest.fixture(autouse=True)
def _wired(settings: Settings) -> None:
    registrations.configure(key=settings.key)


@pytest.fixture
def told() -> Iterator[list[Changed]]:
    """What the hook tells; the handler is taken out again."""
    found: list[Changed] = []

    async def listen(news: Changed) -> None:
        found.append(news)

    registrations.changed.connect(listen)
    yield found
    registrations.changed._handlers.remove(listen)


@pytest.fixture
def failing() -> Iterator[None]:
    """An upper floor that can't follow."""

    async def fail(news: Changed) -> None:
        raise ZeroDivisionError

    registrations.changed.connect(fail)
    yield
    registrations.changed._handlers.remove(fail)


async def world(**ticket: Any) -> tuple[Event, TicketType]:
    event = await make_event("coscon")
    return event, await make_ticket_type(event, "general", **ticket)


def asked(event: Event, ticket_type: TicketType, contact: Contact = LIN, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event.id,
        "ticket_type_id": ticket_type.id,
        "contact": contact,
        "source": FORM,
        "locale": "zh-Hans",
        "at": NOW,
        **more,
    }


async def taken(ticket_type: TicketType) -> int:
    return (await TicketType.get(id=ticket_type.id)).taken


async def empty() -> bool:
    """Nothing at all is left of a registration that was refused."""
    left = [await model.all().count() for model in (Registration, Letter, JournalEntry, Replay)]
    return left == [0, 0, 0, 0]


async def test_a_registration_has_its_place_its_letter_its_journal_line_and_its_news(
    database: Settings, told: list[Changed]
) -> None:
    event, ticket_type = await world(quota=10)
    number = await register(**asked(event, ticket_type))
    row = await queries.find_registration(event.id, number)
    assert row is not None
    assert row.contact == replace(LIN, phone_last4="8000")
    assert (row.state, row.source) == (RegistrationState.CONFIRMED, FORM)
    assert await taken(ticket_type) == 1
    assert told == [Changed(event.id, [number])]
    assert [(entry.verb, entry.object_id) for entry in await JournalEntry.all()] == [
        ("registration.register", number)
    ]
    letter = await Letter.get()
    assert (letter.key, letter.to_email, letter.composer, letter.composer_id) == (
        f"registered:{number}",
        "lin@example.org",
        "passport",
        number,
    )


async def test_sixty_four_at_once_for_five_places_give_five(database: Settings, told: list[Changed]) -> None:
    event, ticket_type = await world(quota=5)
    tries = [
        register(**asked(event, ticket_type, Contact(name=f"来宾{n}", email=f"g{n}@example.org")))
        for n in range(64)
    ]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, int) for one in done) == 5
    refused = [one for one in done if not isinstance(one, int)]
    assert {getattr(one, "code", one) for one in refused} == {EventCode.TICKET_TYPE_FULL}
    assert [await Registration.all().count(), await taken(ticket_type), await Letter.all().count()] == [
        5,
        5,
        5,
    ]
    assert len(told) == 5


async def test_the_same_form_sent_again_gives_the_same_registration(database: Settings) -> None:
    event, ticket_type = await world(quota=1)
    form = uuid4()
    first = await register(**asked(event, ticket_type, request_id=form))
    assert await register(**asked(event, ticket_type, request_id=form)) == first
    with pytest.raises(Conflict) as other_body:
        await register(**asked(event, ticket_type, replace(LIN, name="林小雨"), request_id=form))
    someone = Actor(kind=ActorKind.ACCOUNT, id=7)
    with pytest.raises(Conflict) as other_actor:
        await register(**asked(event, ticket_type, request_id=form, actor=someone))
    assert other_body.value.code == other_actor.value.code == Code.REPLAY_MISMATCH
    assert [await Registration.all().count(), await Letter.all().count()] == [1, 1]


async def test_one_form_sent_by_thirty_two_taps_is_one_registration(database: Settings) -> None:
    event, ticket_type = await world(quota=1)
    form = uuid4()
    done = await asyncio.gather(*(register(**asked(event, ticket_type, request_id=form)) for _ in range(32)))
    assert len(set(done)) == 1
    assert [await Registration.all().count(), await taken(ticket_type), await Letter.all().count()] == [
        1,
        1,
        1,
    ]


async def test_a_refused_form_may_be_corrected_and_sent_again(database: Settings) -> None:
    event, full = await world(quota=0)
    other = await make_ticket_type(event, "other")
    form = uuid4()
    with pytest.raises(Conflict):
        await register(**asked(event, full, request_id=form))
    assert await empty()
    assert await register(**asked(event, other, request_id=form))


@pytest.mark.usefixtures("failing")
async def test_when_an_upper_floor_cannot_follow_nothing_happened(database: Settings) -> None:
    event, ticket_type = await world(quota=5)
    with pytest.raises(ZeroDivisionError):
        await register(**asked(event, ticket_type, request_id=uuid4()))
    assert await empty()
    assert await taken(ticket_type) == 0
    row = await make_registration(event, ticket_type, name="旧名")
    with pytest.raises(ZeroDivisionError):
        await registrations.change(
            actor=SYSTEM, event_id=event.id, registration_id=row.id, contact=LIN, at=NOW
        )
    with pytest.raises(ZeroDivisionError):
        await registrations.cancel(actor=SYSTEM, event_id=event.id, registration_id=row.id, at=NOW)
    now = await Registration.get(id=row.id)
    assert (now.name, now.state, await JournalEntry.all().count()) == ("旧名", "confirmed", 0)


async def test_name_and_one_way_to_reach_people_are_needed(database: Settings) -> None:
    event, ticket_type = await world()
    for contact, expected in [
        (Contact(name=" ", email="a@example.org"), {"name": "required"}),
        (Contact(name="林小满"), {"email": "contact_missing"}),
        (Contact(name="x" * 121, phone="+8613800138000"), {"name": "too_long"}),
    ]:
        with pytest.raises(Invalid) as refused:
            await register(**asked(event, ticket_type, contact))
        assert {name: problem.code for name, problem in refused.value.fields.items()} == expected
    assert await register(**asked(event, ticket_type, Contact(name="林小满", phone="+8613800138000")))
    assert await Letter.all().count() == 0


async def test_the_form_keeps_to_its_window_and_to_public_types_organisers_do_not(database: Settings) -> None:
    hour = timedelta(hours=1)
    event = await make_event("coscon", registration_opens_at=NOW - hour, registration_closes_at=NOW + hour)
    public, staff = await make_ticket_type(event), await make_ticket_type(event, is_public=False)
    for at, expected in [
        (NOW - hour, None),
        (NOW - hour - timedelta(microseconds=1), EventCode.REGISTRATION_NOT_OPEN_YET),
        (NOW + hour - timedelta(microseconds=1), None),
        (NOW + hour, EventCode.REGISTRATION_CLOSED),
    ]:
        if expected is None:
            await register(**asked(event, public, at=at))
        else:
            with pytest.raises(Refusal) as refused:
                await register(**asked(event, public, at=at))
            assert refused.value.code == expected
        await register(**asked(event, staff, at=at, source=RegistrationSource.ORGANISER))
    with pytest.raises(NotFound):
        await register(**asked(event, staff))
    for state, expected_code in [("draft", "registration_not_open_yet"), ("ended", "registration_closed")]:
        other = await make_event(state=state)
        kind = await make_ticket_type(other)
        with pytest.raises(Refusal) as refused:
            await register(**asked(other, kind))
        assert refused.value.code == expected_code
    with pytest.raises(NotFound):
        await register(**asked(event, await make_ticket_type(await make_event())))


async def test_nobodys_inbox_is_flooded_through_the_form(database: Settings) -> None:
    event, ticket_type = await world()
    for n in range(registrations.FORM_LETTERS_AN_HOUR):
        await register(**asked(event, ticket_type, replace(LIN, name=f"同学{n}")))
    with pytest.raises(TooMany):
        await register(**asked(event, ticket_type))
    await register(**asked(event, ticket_type, source=RegistrationSource.ORGANISER))
    await register(**asked(event, ticket_type, replace(LIN, email="other@example.org")))
    await register(**asked(event, ticket_type, at=NOW + timedelta(hours=1, seconds=1)))


async def test_an_external_id_or_code_belongs_to_one(database: Settings) -> None:
    event, ticket_type = await world()
    desk: dict[str, Any] = {"source": RegistrationSource.ORGANISER}
    await register(**asked(event, ticket_type, external_id="A1", external_code="T1", **desk))
    second = await register(**asked(event, ticket_type, external_id="A2", external_code="T2", **desk))
    cases: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"external_id": "A1"}, {"external_id": "external_id_taken"}),
        ({"external_code": "T1"}, {"external_code": "external_code_taken"}),
    ]
    for more, expected in cases:
        with pytest.raises(Invalid) as refused:
            await register(**asked(event, ticket_type, **more, **desk))
        assert {name: problem.code for name, problem in refused.value.fields.items()} == expected
        with pytest.raises(Invalid) as refused:
            await registrations.change(
                actor=SYSTEM, event_id=event.id, registration_id=second, contact=LIN, at=NOW, **more
            )
        assert {name: problem.code for name, problem in refused.value.fields.items()} == expected
    elsewhere = await make_event()
    await register(**asked(elsewhere, await make_ticket_type(elsewhere), external_id="A1", **desk))
    assert await taken(ticket_type) == 2


async def test_changes_are_found_told_and_journalled_without_a_value(
    database: Settings, told: list[Changed]
) -> None:
    event, ticket_type = await world()
    number = await register(**asked(event, ticket_type))
    told.clear()
    new = replace(LIN, name="林大满", phone="+8613900139000", organisation="ＡＢＣ Lab")
    change: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "registration_id": number, "at": NOW}
    await registrations.change(**change, contact=new)
    await registrations.change(**change, contact=new)
    assert told == [Changed(event.id, [number])]
    entry = await JournalEntry.get(verb="registration.change")
    assert entry.new == {"fields": ["name", "organisation", "phone", "phone_last4"]}
    for text in ("林大", "abc lab", "9000", "13900139000", "lin@exam", "+86 139 0013 9000"):
        assert [one.registration_id for one in await queries.find_people(event.id, text)] == [number], text
    for text in ("小满", "8000", "000", "林", "%%", "__", "@"):
        assert list(await queries.find_people(event.id, text)) == [], text
    with pytest.raises(NotFound):
        await registrations.change(**{**change, "event_id": event.id + 1}, contact=LIN)


async def test_wildcards_in_a_search_mean_themselves(database: Settings) -> None:
    event, ticket_type = await world()
    for name in ("100%开源", "a_b", "back\\slash", "someone"):
        await make_registration(event, ticket_type, name=name, email=f"{name}x")
    for text, expected in [
        ("0%开", ["100%开源"]),
        ("a_b", ["a_b"]),
        ("k\\s", ["back\\slash"]),
        ("a%b", []),
        ("s_m", []),
    ]:
        assert [one.name for one in await queries.find_people(event.id, text)] == expected


async def test_cancelling_gives_the_place_back_and_restoring_takes_it_if_there_is_one(
    database: Settings, told: list[Changed]
) -> None:
    event, ticket_type = await world(quota=1)
    first = await register(**asked(event, ticket_type))
    one: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "registration_id": first, "at": NOW}
    done = await asyncio.gather(*(registrations.cancel(**one) for _ in range(16)), return_exceptions=True)
    assert sum(item is None for item in done) == 1
    assert {getattr(item, "code", None) for item in done if item is not None} <= {
        "already_cancelled",
        "conflict",
    }
    assert await taken(ticket_type) == 0
    second = await register(**asked(event, ticket_type))
    with pytest.raises(Conflict) as full:
        await registrations.restore(**one)
    assert full.value.code == EventCode.TICKET_TYPE_FULL
    await registrations.cancel(**{**one, "registration_id": second})
    await registrations.restore(**one)
    with pytest.raises(Conflict) as again:
        await registrations.restore(**one)
    assert again.value.code == EventCode.NOT_CANCELLED
    assert await taken(ticket_type) == 1
    assert [news.registration_ids for news in told] == [[first], [first], [second], [second], [first]]
    counted = await queries.counts(event.id)
    assert (counted.by_state, counted.by_ticket_type) == (
        {"confirmed": 1, "cancelled": 1},
        {ticket_type.id: 1},
    )


async def test_changing_types_crosswise_under_a_rush_keeps_both_quotas(database: Settings) -> None:
    event = await make_event()
    left, right = await make_ticket_type(event, quota=12), await make_ticket_type(event, quota=12)
    people = [await register(**asked(event, left if n % 2 else right)) for n in range(20)]
    move = registrations.change_ticket_type
    tries = [
        move(actor=SYSTEM, event_id=event.id, registration_id=one, ticket_type_id=target.id, at=NOW)
        for one in people
        for target in (left, right)
    ]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert {getattr(item, "code", item) for item in done} <= {None, EventCode.TICKET_TYPE_FULL, Code.CONFLICT}
    for ticket_type in (left, right):
        held = await Registration.filter(ticket_type_id=ticket_type.id).count()
        assert held == await taken(ticket_type)
        assert held <= 12
    foreign = await make_ticket_type(await make_event())
    with pytest.raises(NotFound):
        await move(
            actor=SYSTEM, event_id=event.id, registration_id=people[0], ticket_type_id=foreign.id, at=NOW
        )


async def test_recounting_gives_what_the_rows_say(database: Settings) -> None:
    event, ticket_type = await world()
    for state in ("confirmed", "confirmed", "pending", "waitlisted", "cancelled"):
        await make_registration(event, ticket_type, state=state)
    await registrations.recount_places(event.id)
    assert await taken(ticket_type) == 3


async def test_the_holders_link_opens_one_registration_of_one_event(database: Settings) -> None:
    event, ticket_type = await world()
    number = await register(**asked(event, ticket_type))
    other = await register(**asked(event, ticket_type))
    secret = registrations.secret_of(number, 0)
    assert len(secret.partition("-")[2]) == 22
    found = await registrations.find_by_secret(event.id, secret)
    assert found is not None and found.id == number
    mac = secret.partition("-")[2]
    wrong = [
        registrations.secret_of(number, 1),
        f"{other}-{mac}",
        f"{number}-{mac[:-1]}",
        f"{number}-",
        f"0{secret}",
        f" {secret}",
        f"{number}",
        "",
        f"{'9' * 30}-{mac}",
        f"²-{mac}",
        f"{number}-\udc80",
    ]
    for text in wrong:
        assert await registrations.find_by_secret(event.id, text) is None, text
    assert await registrations.find_by_secret(event.id + 1, secret) is None
    fresh = await registrations.renew_secret(actor=SYSTEM, event_id=event.id, registration_id=number, at=NOW)
    assert await registrations.find_by_secret(event.id, secret) is None
    again = await registrations.find_by_secret(event.id, fresh)
    assert again is not None and again.id == number


async def test_the_letter_speaks_its_readers_language_and_carries_the_days(database: Settings) -> None:
    event = await make_event(
        "coscon", city={"zh-Hans": "成都", "en": "Chengdu"}, name={"zh-Hans": "开源\r\n年会", "en": "COSCon"}
    )
    ticket_type = await make_ticket_type(event)
    for locale, name in (("zh-Hans", "林小满\nBcc: x@example.org"), ("en", "Lin Xiaoman")):
        await register(**asked(event, ticket_type, replace(LIN, name=name), locale=locale))
    chinese, english = await Letter.all().order_by("id")
    assert "\n" not in chinese.subject and "\r" not in chinese.subject
    assert "开源 年会" in chinese.subject
    assert "2023年10月28日" in chinese.text and "成都" in chinese.text and "普通票" in chinese.text
    assert "\nBcc:" not in chinese.text
    assert (
        "Sat, 28 to Sun, 29 Oct 2023" in english.text
        and "Chengdu" in english.text
        and "Attendee" in english.text
    )
    assert "COSCon" in english.subject

    import base64

    file = english.attachments[0]
    assert file["content_type"].startswith("text/calendar")
    calendar = Calendar.from_ical(base64.b64decode(file["base64"]))
    entry = calendar.walk("VEVENT")[0]
    assert "METHOD" not in calendar
    assert (entry.decoded("DTSTART"), entry.decoded("DTEND")) == (date(2023, 10, 28), date(2023, 10, 30))
    assert str(entry["SUMMARY"]) == "COSCon"
    other = Calendar.from_ical(base64.b64decode(chinese.attachments[0]["base64"])).walk("VEVENT")[0]
    assert entry["UID"] == other["UID"]


async def test_facts_for_upper_floors_take_one_statement_for_one_and_three(database: Settings) -> None:
    from kernel import db

    event, ticket_type = await world()
    rows = [await make_registration(event, ticket_type) for _ in range(3)]
    facts: Sequence[RegistrationFacts] = []
    for many in (1, 3):
        before = db.stats.statements
        facts = await queries.registration_facts([row.id for row in rows[:many]])
        assert db.stats.statements - before == 1
        assert [one.name for one in facts] == [row.name for row in rows[:many]]
    assert await queries.registration_facts([rows[0].id, 10**9]) == [facts[0]]
    assert await queries.registration_facts([]) == []


async def test_the_list_is_filtered_sorted_and_cut_by_the_same_statements(database: Settings) -> None:
    from kernel import db

    event, ticket_type = await world()
    other = await make_ticket_type(event, "speaker")
    statements = []
    for wanted in (1, 3):
        while await Registration.filter(event_id=event.id).count() < wanted:
            await make_registration(event, ticket_type)
        before = db.stats.statements
        page = await queries.registrations_page(event.id)
        statements.append(db.stats.statements - before)
        assert len(page.rows) == wanted
    assert statements[0] == statements[1]
    for n in range(100):
        await make_registration(
            event, other if n % 2 else ticket_type, name=f"人{n:03}", organisation=f"组织{n % 3}"
        )
    pages = [await queries.registrations_page(event.id, sort=queries.Sort.OLDEST, page=n) for n in (1, 2, 3)]
    seen = [row.id for page in pages for row in page.rows]
    page = pages[0]
    assert (page.total, page.pages, len(seen), seen == sorted(set(seen))) == (103, 3, 103, True)
    assert (await queries.registrations_page(event.id, page=99)).page == 3
    narrow = queries.Filter(text="人0", ticket_type_id=other.id, state=RegistrationState.CONFIRMED)
    assert (await queries.registrations_page(event.id, narrow)).total == 50
    assert (await queries.registrations_page(event.id, queries.Filter(text="100%"))).total == 0
    assert (
        await queries.registrations_page(event.id, queries.Filter(state=RegistrationState.CANCELLED))
    ).rows == []
