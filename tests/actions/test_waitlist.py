"""The waiting list moves up by itself, keeps the place while somebody answers, and is never jumped; approvals in bulk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

import main
from events import approval, queries, registrations, tickets, waitlist
from events.models import Event, Registration, TicketType
from events.registrations import Contact, register
from events.rules import EventCode, RegistrationSource, RegistrationState
from events.tickets import TicketTypeDetails
from kernel import db
from kernel.actor import SYSTEM
from kernel.errors import Conflict, Invalid, NotFound, Refusal
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import jobs, letters
from people.models import Job, JournalEntry, Letter
from tests.factories import NOW, make_event, make_registration, make_shared_quota, make_ticket_type

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _wired(settings: Settings) -> Iterator[None]:
    main.create_app(settings, workers=False)
    yield
    registrations.place_freed._handlers.remove(waitlist.follow)


async def world(**ticket: Any) -> tuple[Event, TicketType]:
    """An event in ten days, and a ticket type with a waiting list."""
    event = await make_event(starts_on=date(2023, 11, 7), ends_on=date(2023, 11, 8))
    return event, await make_ticket_type(event, **({"has_waitlist": True} | ticket))


async def come(event: Event, ticket_type: TicketType, number: int, **more: Any) -> int:
    """Somebody registers, a minute after the one before, or waits."""
    values: dict[str, Any] = {
        "contact": Contact(name=f"来宾{number}", email=f"guest{number}@example.org"),
        "source": RegistrationSource.FORM,
        "locale": "en",
        "at": NOW + timedelta(minutes=number),
        "join_waitlist": True,
    }
    return await register(event_id=event.id, ticket_type_id=ticket_type.id, **(values | more))


def one(event: Event, number: int, at: Any = NOW + HOUR) -> dict[str, Any]:
    return {"actor": SYSTEM, "event_id": event.id, "registration_id": number, "at": at}


async def states(event: Event) -> list[str]:
    return [row.state for row in await Registration.filter(event_id=event.id).order_by("id")]


async def taken(ticket_type: TicketType) -> int:
    return (await TicketType.get(id=ticket_type.id)).taken


async def subjects(number: int) -> list[str]:
    """What somebody was told, in order."""
    email = (await Registration.get(id=number)).email
    return [row.subject.partition(":")[0] for row in await Letter.filter(to_email=email).order_by("id")]


async def test_a_freed_place_passes_to_who_has_waited_longest(database: Settings) -> None:
    event, ticket_type = await world(quota=1)
    first, second, third = [await come(event, ticket_type, n) for n in range(3)]
    assert await states(event) == ["confirmed", "waitlisted", "waitlisted"]
    assert await waitlist.place_in_line(event.id, third) == 2
    await registrations.cancel(**one(event, first))
    assert await states(event) == ["cancelled", "offered", "waitlisted"]
    assert await taken(ticket_type) == 1
    offered = await Registration.get(id=second)
    assert offered.offer_until == NOW + HOUR + timedelta(hours=24)
    # While somebody waits, a newcomer stands behind them; and an offered place is nobody's to take.
    newcomer = await come(event, ticket_type, 9, at=NOW + HOUR)
    assert await waitlist.accept(**one(event, second, NOW + 2 * HOUR)) is RegistrationState.CONFIRMED
    assert await states(event) == ["cancelled", "confirmed", "waitlisted", "waitlisted"]
    row = await Registration.get(id=second)
    assert (row.waiting_since, row.offer_until) == (None, None)
    await registrations.cancel(**one(event, second, NOW + 3 * HOUR))
    assert (await states(event))[2:] == ["offered", "waitlisted"]
    assert await waitlist.place_in_line(event.id, newcomer) == 1
    assert await waitlist.place_in_line(event.id, third) is None
    assert await subjects(second) == [
        "You are on the waiting list",
        "A place is free for you",
        "You are registered",
        "Your registration is cancelled",
    ]


async def test_an_offer_can_be_declined_once_and_the_next_moves_up(database: Settings) -> None:
    event, ticket_type = await world(quota=1)
    first, second, third = [await come(event, ticket_type, n) for n in range(3)]
    for answer in (waitlist.accept, waitlist.decline):
        with pytest.raises(Conflict) as early:
            await answer(**one(event, second))
        assert early.value.code == EventCode.OFFER_GONE
        with pytest.raises(NotFound):
            await answer(**one(event, 999))
    await registrations.cancel(**one(event, first))
    answers: list[Any] = [waitlist.accept(**one(event, second)) for _ in range(8)]
    answers += [waitlist.decline(**one(event, second)) for _ in range(8)]
    done = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(not isinstance(item, BaseException) for item in done) == 1
    assert {item.code for item in done if isinstance(item, Refusal)} == {EventCode.OFFER_GONE}
    assert await taken(ticket_type) == 1
    if (await Registration.get(id=second)).state == "confirmed":
        await registrations.cancel(**one(event, second))
    await waitlist.decline(**one(event, third))
    assert await states(event) == ["cancelled"] * 3
    assert await taken(ticket_type) == 0


async def test_an_offer_nobody_answers_goes_to_the_next_by_the_job(database: Settings) -> None:
    event, ticket_type = await world(quota=1)
    first, second, _third = [await come(event, ticket_type, n) for n in range(3)]
    await registrations.cancel(**one(event, first))
    over = NOW + HOUR + timedelta(hours=24)
    await waitlist.wake(over - timedelta(seconds=1))
    assert await Job.all().count() == 0
    # Between the end and the job nobody can accept any more.
    with pytest.raises(Conflict):
        await waitlist.accept(**one(event, second, over))
    # Two processes, and each twice: one job.
    for _ in range(4):
        await waitlist.wake(over)
    assert await Job.all().count() == 1
    assert await jobs.run_one(over)
    # The job reads the clock, by which this event is long over: nobody moves up any more, the place opens.
    assert await states(event) == ["cancelled", "cancelled", "waitlisted"]
    assert await taken(ticket_type) == 0
    assert (await subjects(second))[-1] == "Your place was passed on"


async def test_settling_moves_up_until_nothing_is_left_to_do(database: Settings) -> None:
    event, ticket_type = await world(quota=1)
    people = [await come(event, ticket_type, n) for n in range(4)]
    await registrations.cancel(**one(event, people[0]))
    later = NOW + HOUR + timedelta(hours=24)
    assert await waitlist.settle(event.id, later) == 1
    assert await states(event) == ["cancelled", "cancelled", "offered", "waitlisted"]
    assert await waitlist.settle(event.id, later) == 0
    # When it is too late to move anybody up the place simply opens.
    assert await waitlist.settle(event.id, NOW + timedelta(days=60)) == 1
    assert await states(event) == ["cancelled", "cancelled", "cancelled", "waitlisted"]
    assert await taken(ticket_type) == 0


async def test_thirty_two_cancellations_make_thirty_two_offers(database: Settings) -> None:
    event, ticket_type = await world(quota=32)
    people = [await come(event, ticket_type, n) for n in range(32)]
    for number in range(40):
        await make_registration(
            event, ticket_type, state="waitlisted", waiting_since=NOW + timedelta(seconds=number)
        )
    done = await asyncio.gather(*(registrations.cancel(**one(event, number)) for number in people))
    assert done == [None] * 32
    assert Counter(await states(event)) == {"cancelled": 32, "offered": 32, "waitlisted": 8}
    assert await taken(ticket_type) == 32
    left = await Registration.filter(state="waitlisted").order_by("waiting_since").first()
    gone = await Registration.filter(state="offered").order_by("-waiting_since").first()
    assert left is not None and left.waiting_since is not None
    assert gone is not None and gone.waiting_since is not None
    assert gone.waiting_since < left.waiting_since
    assert await Letter.filter(composer="registration.offered").count() == 32


async def test_cancelling_while_others_join_leaves_no_place_empty(database: Settings) -> None:
    event, ticket_type = await world(quota=8)
    people = [await come(event, ticket_type, n) for n in range(8)]
    await asyncio.gather(
        *(registrations.cancel(**one(event, number)) for number in people),
        *(come(event, ticket_type, 100 + n, at=NOW + HOUR) for n in range(24)),
    )
    found = Counter(await states(event))
    assert found["confirmed"] + found["offered"] == 8 == await taken(ticket_type)
    assert found["waitlisted"] == 16


async def test_a_raised_quota_moves_up_and_a_job_does_the_rest(database: Settings) -> None:
    event, ticket_type = await world(quota=0)
    for number in range(waitlist.AT_ONCE + 20):
        await make_registration(
            event, ticket_type, state="waitlisted", waiting_since=NOW + timedelta(seconds=number)
        )
    details = TicketTypeDetails(
        code=ticket_type.code, name=LocalizedText.of(ticket_type.name), quota=500, has_waitlist=True
    )
    await tickets.change(
        actor=SYSTEM, event_id=event.id, ticket_type_id=ticket_type.id, details=details, at=NOW
    )
    assert Counter(await states(event)) == {"offered": waitlist.AT_ONCE, "waitlisted": 20}
    # A newcomer is behind those who wait, although there are places.
    with pytest.raises(Conflict) as told:
        await come(event, ticket_type, 1, join_waitlist=False)
    assert told.value.code == EventCode.WAITLIST_ONLY
    assert (await Job.get()).kind == waitlist.JOB
    assert await waitlist.settle(event.id, NOW) == 20
    assert await taken(ticket_type) == 70


async def test_a_type_without_a_moving_list_keeps_who_waits_and_lets_others_in(database: Settings) -> None:
    event, ticket_type = await world(quota=1, has_waitlist=False)
    await make_registration(event, ticket_type, state="waitlisted", waiting_since=NOW)
    first = await come(event, ticket_type, 1)
    await registrations.cancel(**one(event, first))
    await waitlist.wake(NOW)
    assert await states(event) == ["waitlisted", "cancelled"]
    assert await Job.all().count() == 0


async def test_the_chore_wakes_for_free_places_as_long_as_the_event_lasts(database: Settings) -> None:
    event, ticket_type = await world(quota=2)
    await make_registration(event, ticket_type, state="waitlisted", waiting_since=NOW)
    for later in (timedelta(days=11, hours=18), timedelta(days=40)):
        await waitlist.wake(NOW + later)
    assert await Job.all().count() == 0
    await waitlist.wake(NOW)
    await waitlist.wake(NOW + timedelta(seconds=1))
    assert [(job.kind, job.event_id) for job in await Job.all()] == [(waitlist.JOB, event.id)]


async def test_a_shared_place_goes_to_who_waited_longest_of_all_types(database: Settings) -> None:
    event = await make_event(starts_on=date(2023, 11, 7), ends_on=date(2023, 11, 8))
    seats = await make_shared_quota(event, 2)
    left, right, full = [
        await make_ticket_type(event, shared_quota_id=seats.id, has_waitlist=True, quota=quota)
        for quota in (None, None, 0)
    ]
    people = [await come(event, left, n) for n in range(2)]
    blocked = await come(event, full, 2)
    later, sooner = await come(event, left, 4), await come(event, right, 3)
    await registrations.cancel(**one(event, people[0]))
    rows = {row.id: row.state for row in await Registration.filter(state__in=["offered", "waitlisted"])}
    assert rows == {blocked: "waitlisted", later: "waitlisted", sooner: "offered"}


async def test_an_accepted_place_waits_for_approval_where_it_is_needed(database: Settings) -> None:
    event, ticket_type = await world(quota=1, needs_approval=True)
    first, second, third = [await come(event, ticket_type, n) for n in range(3)]
    assert await states(event) == ["pending", "waitlisted", "waitlisted"]
    assert await approval.decline(
        actor=SYSTEM, event_id=event.id, registration_ids=[first], at=NOW, reason="名额留给学生\n谢谢"
    )
    assert await states(event) == ["declined", "offered", "waitlisted"]
    assert await waitlist.accept(**one(event, second, NOW)) is RegistrationState.PENDING
    assert await approval.approve(actor=SYSTEM, event_id=event.id, registration_ids=[second], at=NOW)
    assert await states(event) == ["declined", "confirmed", "waitlisted"]
    declined = await Letter.filter(subject__startswith="About your application").get()
    assert "名额留给学生\n谢谢" in declined.text
    assert (await subjects(second))[-2:] == ["We have your application", "You are registered"]
    decided = await Registration.get(id=second)
    assert decided.decided_at == NOW
    # The reason is nowhere but in the letter.
    assert all("学生" not in str(entry.new) for entry in await JournalEntry.all())
    assert await waitlist.place_in_line(event.id, third) == 1


async def test_put_first_offers_what_is_free_or_leads_the_line(database: Settings) -> None:
    event, ticket_type = await world(quota=1)
    first, second, third = [await come(event, ticket_type, n) for n in range(3)]
    assert not await waitlist.put_first(**one(event, third))
    assert await waitlist.place_in_line(event.id, third) == 1
    with pytest.raises(Conflict) as told:
        await waitlist.put_first(**one(event, first))
    assert told.value.code == EventCode.NOT_WAITING
    await registrations.cancel(**one(event, first))
    assert await states(event) == ["cancelled", "waitlisted", "offered"]
    # Where the list does not move by itself, the organiser's word is the only way up.
    still = await make_ticket_type(event, quota=1)
    waiting = await make_registration(event, still, state="waitlisted", waiting_since=NOW)
    assert await waitlist.put_first(**one(event, waiting.id))
    assert (await Registration.get(id=waiting.id)).state == "offered"
    line = await waitlist.line(event.id)
    assert [(item.registration_id, item.place) for item in line] == [
        (waiting.id, None),
        (third, None),
        (second, 1),
    ]
    assert [item.registration_id for item in await waitlist.line(event.id, ticket_type_id=still.id)] == [
        waiting.id
    ]


async def test_a_bulk_decision_is_made_once_in_few_statements(database: Settings) -> None:
    event, ticket_type = await world(quota=200, needs_approval=True)
    costs = []
    for count in (1, 30):
        rows = [await make_registration(event, ticket_type, state="pending") for _ in range(count)]
        await registrations.recount_places(event.id)
        before = db.stats.statements
        done = await approval.approve(
            actor=SYSTEM, event_id=event.id, registration_ids=[row.id for row in rows], at=NOW
        )
        costs.append(db.stats.statements - before)
        assert done == count
    assert costs[0] == costs[1]
    both = [
        row.id for row in [await make_registration(event, ticket_type, state="pending") for _ in range(60)]
    ]
    await registrations.recount_places(event.id)
    values: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "registration_ids": both, "at": NOW}
    yes, no = await asyncio.gather(approval.approve(**values), approval.decline(**values))
    assert yes + no == 60
    assert Counter(await states(event)) == Counter(confirmed=31 + yes, declined=no)
    assert await taken(ticket_type) == 31 + yes
    other = await make_event()
    assert await approval.approve(**(values | {"event_id": other.id})) == 0
    with pytest.raises(Invalid):
        await approval.decline(**values, reason="x" * 1001)


async def test_moving_up_costs_the_same_for_one_and_for_twenty(database: Settings) -> None:
    costs = []
    for count in (1, 20):
        event, ticket_type = await world(quota=0)
        for number in range(count):
            await make_registration(
                event, ticket_type, state="waitlisted", waiting_since=NOW + timedelta(seconds=number)
            )
        await TicketType.filter(id=ticket_type.id)
        before = db.stats.statements
        details = TicketTypeDetails(
            code=ticket_type.code, name=LocalizedText.of(ticket_type.name), quota=count, has_waitlist=True
        )
        await tickets.change(
            actor=SYSTEM, event_id=event.id, ticket_type_id=ticket_type.id, details=details, at=NOW
        )
        costs.append(db.stats.statements - before)
        assert Counter(await states(event)) == {"offered": count}
    assert costs[0] == costs[1]


async def test_letters_carry_the_holders_link_only_while_they_are_true(database: Settings) -> None:
    event, ticket_type = await world(quota=1)
    first, second = [await come(event, ticket_type, n) for n in range(2)]
    await registrations.cancel(**one(event, first))
    letter = await Letter.filter(composer="registration.offered").get()
    assert letter.composer_id == second
    assert "We keep it until Sun, 29 Oct 2023, 10:30 (Asia/Shanghai)" in letter.text
    compose = letters._composers["registration.offered"]
    parts: Any = await compose(second, "en")
    assert f"/me?key={registrations.secret_of(second, 0)}" in parts.text_suffix
    assert "key=" not in letter.text
    assert await letters._composers["registration.waitlisted"](second, "en") is None
    await waitlist.accept(**one(event, second))
    assert await compose(second, "en") is None
    assert await compose(999, "en") is None


async def test_who_has_no_address_or_is_not_to_be_told_gets_no_letter(database: Settings) -> None:
    event, ticket_type = await world(quota=1)
    first = await come(event, ticket_type, 1, contact=Contact(name="林", phone="+8613800138000"))
    await registrations.cancel(**one(event, first))
    second = await come(event, ticket_type, 2)
    before = await Letter.all().count()
    await registrations.cancel(**one(event, second), notify=False)
    await registrations.restore(**one(event, second), notify=False)
    assert await Letter.all().count() == before == 1
    await registrations.cancel(**one(event, second))
    await registrations.restore(**one(event, second, NOW + 2 * HOUR))
    assert await subjects(second) == [
        "You are registered",
        "Your registration is cancelled",
        "You are registered",
    ]


async def test_a_merged_or_erased_record_is_not_brought_back(database: Settings) -> None:
    event, ticket_type = await world()
    keeper = await make_registration(event, ticket_type)
    gone = [
        await make_registration(event, ticket_type, state="cancelled", merged_into_id=keeper.id),
        await make_registration(event, ticket_type, state="cancelled", erased_at=NOW),
    ]
    for row in gone:
        with pytest.raises(Conflict) as told:
            await registrations.restore(**one(event, row.id))
        assert told.value.code == EventCode.NOT_CANCELLED
    assert (await queries.counts(event.id)).holding == 1
