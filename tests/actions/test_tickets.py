"""Quotas, shared quotas and access codes under a rush; what is on offer; the counters after anything at all."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from events import approval, queries, quotas, registrations, tickets, waitlist
from events.importing import Action, RowPlan, Values
from events.models import (
    AccessCode,
    AccessCodeTicketType,
    Event,
    Registration,
    RegistrationGroup,
    SharedQuota,
    TicketType,
)
from events.registrations import Contact, register
from events.rules import HOLDS_A_PLACE, EventCode, RegistrationSource, RegistrationState
from events.tickets import AccessCodeDetails, OfferState, SharedQuotaDetails, TicketTypeDetails
from kernel import db
from kernel.actor import SYSTEM
from kernel.errors import Conflict, Invalid, NotFound, Refusal, TooMany
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import limits
from people.models import JournalEntry, Letter
from tests.factories import (
    NOW,
    make_access_code,
    make_event,
    make_registration,
    make_shared_quota,
    make_ticket_type,
)

FORM = RegistrationSource.FORM
HOUR = timedelta(hours=1)
NAMED = LocalizedText({"zh-Hans": "普通票", "en": "Attendee"})


@pytest.fixture(autouse=True)
def _wired(settings: Settings) -> Iterator[None]:
    registrations.configure(key=settings.key)
    registrations.place_freed.connect(waitlist.follow)
    yield
    registrations.place_freed._handlers.remove(waitlist.follow)


async def make_soon(**more: Any) -> Event:
    """An event that begins in ten days."""
    values = {"starts_on": date(2023, 11, 7), "ends_on": date(2023, 11, 8)}
    return await make_event(**(values | more))


def guest(number: int) -> Contact:
    return Contact(name=f"来宾{number}", email=f"guest{number}@example.org")


def asked(event: Event, ticket_type: TicketType, number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event.id,
        "ticket_type_id": ticket_type.id,
        "contact": guest(number),
        "source": FORM,
        "locale": "zh-Hans",
        "at": NOW,
        **more,
    }


async def rush(tries: list[Any]) -> tuple[list[int], Counter[str]]:
    """What parallel calls gave, and the codes of the refusals; anything else fails the test."""
    done = await asyncio.gather(*tries, return_exceptions=True)
    strange = [one for one in done if isinstance(one, BaseException) and not isinstance(one, Refusal)]
    assert strange == []
    refused = [one for one in done if isinstance(one, Refusal)]
    codes = [
        next(iter(one.fields.values())).code if isinstance(one, Invalid) and one.fields else one.code
        for one in refused
    ]
    return [one for one in done if isinstance(one, int)], Counter(codes)


async def counters(event: Event) -> dict[str, list[int]]:
    """Every counter, as it is kept."""
    return {
        "type": [row.taken for row in await TicketType.filter(event_id=event.id).order_by("id")],
        "shared": [row.taken for row in await SharedQuota.filter(event_id=event.id).order_by("id")],
        "group": [row.taken for row in await RegistrationGroup.filter(event_id=event.id).order_by("id")],
        "code": [row.used for row in await AccessCode.filter(event_id=event.id).order_by("id")],
    }


async def counted(event: Event) -> dict[str, list[int]]:
    """Every counter, as the registrations say."""
    rows = await Registration.filter(event_id=event.id)
    holding = [row for row in rows if row.state in HOLDS_A_PLACE]
    shares = {row.id: row.shared_quota_id for row in await TicketType.filter(event_id=event.id)}
    types = await TicketType.filter(event_id=event.id).order_by("id")
    return {
        "type": [sum(row.ticket_type_id == one.id for row in holding) for one in types],
        "shared": [
            sum(shares[row.ticket_type_id] == one.id for row in holding)
            for one in await SharedQuota.filter(event_id=event.id).order_by("id")
        ],
        "group": [
            sum(row.group_id == one.id for row in holding)
            for one in await RegistrationGroup.filter(event_id=event.id).order_by("id")
        ],
        "code": [
            sum(row.access_code_id == one.id for row in rows)
            for one in await AccessCode.filter(event_id=event.id).order_by("id")
        ],
    }


async def make_group(event: Event, quota: int | None, **more: Any) -> RegistrationGroup:
    async with db.unit_of_work():
        return await RegistrationGroup.create(
            event_id=event.id, name="开源社", quota=quota, created_at=NOW, **({"kind": "partner"} | more)
        )


# --- the rush ----------------------------------------------------------------------------------------------------


async def test_a_shared_quota_of_five_over_two_types_lets_five_of_sixty_four_in(database: Settings) -> None:
    event = await make_soon()
    seats = await make_shared_quota(event, 5)
    left = await make_ticket_type(event, quota=64, shared_quota_id=seats.id)
    right = await make_ticket_type(event, shared_quota_id=seats.id)
    made, refused = await rush([register(**asked(event, (left, right)[n % 2], n)) for n in range(64)])
    assert (len(made), refused) == (5, {"ticket_type_full": 59})
    assert await counters(event) == await counted(event)
    assert (await counters(event))["shared"] == [5]


async def test_a_groups_quota_lets_five_of_thirty_two_in(database: Settings) -> None:
    event = await make_soon()
    ticket_type = await make_ticket_type(event, quota=20)
    group = await make_group(event, 5)
    link: dict[str, Any] = {"source": RegistrationSource.PARTNER, "group_id": group.id}
    made, refused = await rush([register(**asked(event, ticket_type, n, **link)) for n in range(32)])
    assert (len(made), refused) == (5, {"group_full": 27})
    assert await counters(event) == await counted(event)
    await registrations.cancel(actor=SYSTEM, event_id=event.id, registration_id=made[0], at=NOW)
    assert (await counters(event))["group"] == [4]


async def test_the_last_use_of_a_code_goes_to_one_of_thirty_two(database: Settings) -> None:
    event = await make_soon()
    ticket_type = await make_ticket_type(event, needs_code=True, is_public=False)
    await make_access_code(
        event, ticket_type, code="DATAWHALE", max_uses=3, used=2, ticket_source="Datawhale"
    )
    made, refused = await rush(
        [register(**asked(event, ticket_type, n, access_code=" data whale")) for n in range(32)]
    )
    assert (len(made), refused) == (1, {"access_code_used_up": 31})
    [row] = await Registration.all()
    assert (row.ticket_source, row.access_code_id is not None) == ("Datawhale", True)


async def test_a_full_type_takes_the_rest_of_a_rush_onto_its_waiting_list(database: Settings) -> None:
    event = await make_soon()
    ticket_type = await make_ticket_type(event, quota=5, has_waitlist=True)
    made, refused = await rush(
        [register(**asked(event, ticket_type, n, join_waitlist=True)) for n in range(32)]
    )
    assert (len(made), refused) == (32, {})
    states = Counter(row.state for row in await Registration.all())
    assert states == {"confirmed": 5, "waitlisted": 27}
    assert await counters(event) == await counted(event)
    # Without their own word nobody waits.
    with pytest.raises(Conflict) as told:
        await register(**asked(event, ticket_type, 99))
    assert told.value.code == EventCode.WAITLIST_ONLY


async def test_one_form_on_a_waiting_list_sent_by_sixteen_taps_waits_once(database: Settings) -> None:
    event = await make_soon()
    ticket_type = await make_ticket_type(event, quota=0, has_waitlist=True)
    form = uuid4()
    made, _ = await rush(
        [register(**asked(event, ticket_type, join_waitlist=True, request_id=form)) for _ in range(16)]
    )
    assert (len(made), len(set(made)), await Registration.all().count()) == (16, 1, 1)


# --- what register decides ---------------------------------------------------------------------------------------


async def test_approval_is_for_forms_and_groups_and_a_pending_one_holds_its_place(database: Settings) -> None:
    event = await make_soon()
    ticket_type = await make_ticket_type(event, quota=3, needs_approval=True)
    first = await register(**asked(event, ticket_type, 1))
    second = await register(**asked(event, ticket_type, 2, source=RegistrationSource.ORGANISER))
    states = {row.id: row.state for row in await Registration.all()}
    assert states == {first: "pending", second: "confirmed"}
    assert (await counters(event))["type"] == [2]
    pending, confirmed = await Letter.all().order_by("id")
    assert (pending.composer, confirmed.composer) == ("registration.pending", "passport")
    assert "普通票" in pending.text
    assert pending.attachments == []


async def test_a_types_own_window_and_codes_are_asked_for(database: Settings) -> None:
    event = await make_soon(registration_closes_at=NOW + 10 * HOUR)
    early = await make_ticket_type(event, "early", opens_at=NOW, closes_at=NOW + HOUR)
    hidden = await make_ticket_type(event, "hidden", is_public=False)
    locked = await make_ticket_type(event, "locked", needs_code=True)
    await make_access_code(event, hidden, locked, code="OPEN", max_uses=5, valid_until=NOW + 2 * HOUR)
    await make_access_code(event, locked, code="OFF", is_active=False)

    async def refused(ticket_type: TicketType, **more: Any) -> tuple[str, str]:
        with pytest.raises(Refusal) as told:
            await register(**asked(event, ticket_type, **more))
        if isinstance(told.value, Invalid):
            [(field, problem)] = told.value.fields.items()
            return field, problem.code
        return "", told.value.code

    assert await refused(early, at=NOW - timedelta(seconds=1)) == ("", "registration_not_open_yet")
    assert await refused(early, at=NOW + HOUR) == ("", "registration_closed")
    assert await register(**asked(event, early, 1))
    assert await refused(hidden) == ("", "ticket_type_unknown")
    assert await refused(locked) == ("access_code", "access_code_needed")
    assert await refused(locked, access_code="GUESS") == ("access_code", "access_code_wrong")
    assert await refused(locked, access_code="OFF") == ("access_code", "access_code_wrong")
    assert await refused(early, access_code="OPEN") == ("access_code", "access_code_wrong")
    assert await refused(locked, access_code="OPEN", at=NOW + 2 * HOUR) == (
        "access_code",
        "access_code_expired",
    )
    # Too late is too late, whatever the code.
    assert await refused(locked, access_code="OPEN", at=NOW + 11 * HOUR) == ("", "registration_closed")
    assert await register(**asked(event, hidden, 2, access_code="ｏｐｅｎ"))
    assert await register(**asked(event, locked, 3, access_code="o p e n"))
    assert (await counters(event))["code"] == [2, 0]
    assert await counters(event) == await counted(event)


async def test_a_closed_foreign_or_outdated_group_takes_nobody(database: Settings) -> None:
    event, other = await make_soon(), await make_soon()
    ticket_type = await make_ticket_type(event)
    groups = [
        await make_group(event, 5, is_active=False),
        await make_group(event, 5, valid_until=NOW),
        await make_group(other, 5),
    ]
    for group in groups:
        with pytest.raises(Conflict) as told:
            await register(**asked(event, ticket_type, source=RegistrationSource.PARTNER, group_id=group.id))
        assert told.value.code == EventCode.GROUP_CLOSED


async def test_a_codes_use_returns_only_before_a_confirmation(database: Settings) -> None:
    event = await make_soon()
    ticket_type = await make_ticket_type(event, needs_approval=True, needs_code=True)
    await make_access_code(event, ticket_type, code="A", max_uses=2)
    first = await register(**asked(event, ticket_type, 1, access_code="A"))
    second = await register(**asked(event, ticket_type, 2, access_code="A"))
    one: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "at": NOW}
    assert await approval.approve(**one, registration_ids=[first]) == 1
    for number in (first, second):
        await registrations.cancel(**one, registration_id=number)
    assert (await counters(event))["code"] == [1]
    assert await counters(event) == await counted(event)
    # Restored it holds a place again, without a use of the code that somebody else may have had since.
    await registrations.restore(**one, registration_id=second)
    assert await counters(event) == await counted(event)


async def test_moving_between_types_that_share_takes_nothing_twice(database: Settings) -> None:
    event = await make_soon()
    seats = await make_shared_quota(event, 1)
    left, right = [await make_ticket_type(event, quota=1, shared_quota_id=seats.id) for _ in range(2)]
    outside = await make_ticket_type(event)
    number = await register(**asked(event, left))
    move: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "registration_id": number, "at": NOW}
    await registrations.change_ticket_type(**move, ticket_type_id=right.id)
    assert (await counters(event))["shared"] == [1]
    await registrations.change_ticket_type(**move, ticket_type_id=outside.id)
    assert (await counters(event))["shared"] == [0]
    other = await register(**asked(event, left, 2))
    with pytest.raises(Conflict) as full:
        await registrations.change_ticket_type(**move, ticket_type_id=right.id)
    assert full.value.code == EventCode.TICKET_TYPE_FULL
    assert await counters(event) == await counted(event)
    await registrations.cancel(actor=SYSTEM, event_id=event.id, registration_id=other, at=NOW)
    await registrations.change_ticket_type(**move, ticket_type_id=right.id)
    assert await counters(event) == await counted(event)


# --- imports -----------------------------------------------------------------------------------------------------


def row(line: int, ticket_type: TicketType, state: RegistrationState | None = None, **more: Any) -> RowPlan:
    action = Action.UPDATE if "registration_id" in more else Action.CREATE
    number = more.pop("registration_id", None)
    values = Values(
        name=f"导入{line}", email=f"row{line}@example.org", ticket_type_id=ticket_type.id, state=state
    )
    return RowPlan(line=line, action=action, values=values, registration_id=number)


async def apply(event: Event, rows: list[RowPlan]) -> registrations.Applied:
    return await registrations.apply_rows(
        event_id=event.id, rows=rows, source=RegistrationSource.IMPORT, at=NOW, actor=SYSTEM
    )


async def test_a_list_counts_in_shared_quotas_and_is_named_line_by_line(database: Settings) -> None:
    event = await make_soon()
    seats = await make_shared_quota(event, 3)
    left, right = [await make_ticket_type(event, shared_quota_id=seats.id) for _ in range(2)]
    with pytest.raises(Invalid) as told:
        await apply(event, [row(n, (left, right)[n % 2]) for n in range(5)])
    assert {name: problem.code for name, problem in told.value.fields.items()} == {
        "line.3": "ticket_type_full",
        "line.4": "ticket_type_full",
    }
    assert await Registration.all().count() == 0
    await apply(event, [row(n, (left, right)[n % 2]) for n in range(3)])
    assert (await counters(event))["shared"] == [3]
    # Whoever moves within the shared quota needs no place in it.
    people = await Registration.all().order_by("id")
    await apply(event, [row(1, right, registration_id=people[0].id)])
    assert await counters(event) == await counted(event)


async def test_a_list_moves_the_waiting_list_up_and_keeps_its_order(database: Settings) -> None:
    event = await make_soon()
    ticket_type = await make_ticket_type(event, quota=1, has_waitlist=True)
    holder = await register(**asked(event, ticket_type, 1))
    waits = RegistrationState.WAITLISTED
    await apply(event, [row(n, ticket_type, waits) for n in range(3)])
    assert {item.state for item in await Registration.filter(source="import")} == {"waitlisted"}
    assert all(item.waiting_since == NOW for item in await Registration.filter(source="import"))
    await apply(event, [row(9, ticket_type, RegistrationState.CANCELLED, registration_id=holder)])
    states = [item.state for item in await Registration.all().order_by("id")]
    assert states == ["cancelled", "offered", "waitlisted", "waitlisted"]
    assert await counters(event) == await counted(event)


async def test_recounting_rebuilds_every_counter(database: Settings) -> None:
    event = await make_soon()
    seats = await make_shared_quota(event, 10, taken=7)
    ticket_type = await make_ticket_type(event, shared_quota_id=seats.id, taken=9)
    group = await make_group(event, 10)
    code = await make_access_code(event, ticket_type, used=5)
    for state in RegistrationState:
        await make_registration(event, ticket_type, state=state, group_id=group.id, access_code_id=code.id)
    await registrations.recount_places(event.id)
    assert await counters(event) == await counted(event)
    assert await counters(event) == {"type": [3], "shared": [3], "group": [3], "code": [6]}


# --- organisers' actions -----------------------------------------------------------------------------------------


async def test_a_shared_quota_can_not_fall_below_who_holds_it(database: Settings) -> None:
    event = await make_soon()
    make: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "at": NOW}
    details = SharedQuotaDetails(name=NAMED, quota=2)
    number = await tickets.add_shared_quota(**make, details=details)
    kind = TicketTypeDetails(code="a", name=NAMED)
    left = await tickets.add(**make, details=kind)
    for n in range(3):
        await register(**asked(event, await TicketType.get(id=left), n))
    share = replace(kind, shared_quota_id=number)
    with pytest.raises(Invalid) as told:
        await tickets.change(**make, ticket_type_id=left, details=share)
    assert told.value.fields["shared_quota_id"].code == EventCode.QUOTA_BELOW_TAKEN
    await tickets.change_shared_quota(**make, shared_quota_id=number, details=replace(details, quota=3))
    await tickets.change(**make, ticket_type_id=left, details=share)
    assert await counters(event) == await counted(event)
    with pytest.raises(Invalid) as below:
        await tickets.change_shared_quota(**make, shared_quota_id=number, details=details)
    assert below.value.fields["quota"].code == EventCode.QUOTA_BELOW_TAKEN
    with pytest.raises(Conflict) as used:
        await tickets.remove_shared_quota(**make, shared_quota_id=number)
    assert used.value.code == EventCode.SHARED_QUOTA_IN_USE
    await tickets.change(**make, ticket_type_id=left, details=kind)
    assert (await counters(event))["shared"] == [0]
    await tickets.remove_shared_quota(**make, shared_quota_id=number)
    with pytest.raises(NotFound):
        await tickets.remove_shared_quota(**make, shared_quota_id=number)
    verbs = {entry.verb for entry in await JournalEntry.all()}
    assert {"shared_quota.add", "shared_quota.change", "shared_quota.remove"} <= verbs


async def test_what_belongs_to_another_event_is_no_choice(database: Settings) -> None:
    event, other = await make_soon(), await make_soon()
    foreign = await make_shared_quota(other, 5)
    stranger = await make_ticket_type(other)
    make: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "at": NOW}
    for more, field in [({"shared_quota_id": foreign.id}, "shared_quota_id"), ({"site_id": 99}, "site_id")]:
        with pytest.raises(Invalid) as told:
            await tickets.add(**make, details=TicketTypeDetails(code="a", name=NAMED, **more))
        assert list(told.value.fields) == [field]
    opens = AccessCodeDetails(code="A", ticket_type_ids=frozenset({stranger.id}))
    with pytest.raises(Invalid) as refused:
        await tickets.add_access_code(**make, details=opens)
    assert list(refused.value.fields) == ["ticket_types"]
    assert [await TicketType.filter(event_id=event.id).count(), await AccessCode.all().count()] == [0, 0]


async def test_ticket_types_are_put_in_order_by_one_statement(database: Settings) -> None:
    event = await make_soon()
    types = [await make_ticket_type(event) for _ in range(4)]
    ids = [one.id for one in types]
    make: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "at": NOW}
    for wanted in (ids[:2], ids[:3]):
        with pytest.raises(Conflict):
            await tickets.order(**make, ticket_type_ids=wanted)
    before = db.stats.statements
    await tickets.order(**make, ticket_type_ids=ids[::-1])
    assert db.stats.statements - before <= 6
    assert [item.id for item in await queries.ticket_types(event.id)] == ids[::-1]


async def test_codes_are_made_changed_and_switched_off(database: Settings) -> None:
    event = await make_soon()
    one, two = await make_ticket_type(event, needs_code=True), await make_ticket_type(event, needs_code=True)
    make: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "at": NOW}
    details = AccessCodeDetails(
        code="DATAWHALE", ticket_type_ids=frozenset({one.id, two.id}), ticket_source="Datawhale", max_uses=2
    )
    number = await tickets.add_access_code(**make, details=details)
    with pytest.raises(Invalid) as twice:
        await tickets.add_access_code(**make, details=details)
    assert twice.value.fields["code"].code == EventCode.ACCESS_CODE_TAKEN
    for n in range(2):
        await register(**asked(event, one, n, access_code="DATAWHALE"))
    change: dict[str, Any] = {**make, "access_code_id": number}
    with pytest.raises(Invalid) as below:
        await tickets.change_access_code(**change, details=replace(details, max_uses=1))
    assert below.value.fields["max_uses"].code == EventCode.USES_BELOW_USED
    await tickets.change_access_code(
        **change, details=replace(details, max_uses=None, ticket_type_ids=frozenset({two.id}))
    )
    with pytest.raises(Invalid):
        await register(**asked(event, one, 3, access_code="DATAWHALE"))
    assert await register(**asked(event, two, 4, access_code="DATAWHALE"))
    await tickets.change_access_code(**change, details=replace(details, is_active=False, max_uses=None))
    with pytest.raises(Invalid):
        await register(**asked(event, two, 5, access_code="DATAWHALE"))
    await make_access_code(event, one, code="OTHER")
    with pytest.raises(Invalid) as taken:
        await tickets.change_access_code(**change, details=replace(details, code="OTHER", max_uses=None))
    assert taken.value.fields["code"].code == EventCode.ACCESS_CODE_TAKEN
    with pytest.raises(NotFound):
        await tickets.change_access_code(**{**change, "event_id": event.id + 1}, details=details)
    assert await AccessCodeTicketType.filter(access_code_id=number).count() == 2


async def test_many_codes_are_made_at_once_in_as_many_statements_as_few(database: Settings) -> None:
    event = await make_soon()
    ticket_type = await make_ticket_type(event)
    make: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "at": NOW}
    details = AccessCodeDetails(code="KAI", ticket_type_ids=frozenset({ticket_type.id}), max_uses=1)
    costs = []
    for count in (3, 300):
        before = db.stats.statements
        made = await tickets.generate_access_codes(**make, details=details, count=count)
        costs.append(db.stats.statements - before)
        assert len(set(made)) == count
    assert costs[0] == costs[1]
    page = await tickets.access_codes(event.id, text="kai", page=2)
    assert (page.total, page.pages, len(page.rows)) == (303, 4, 100)
    assert all(
        item.code.startswith("KAI-") and item.ticket_type_ids == (ticket_type.id,) for item in page.rows
    )
    assert (await tickets.access_codes(event.id, text="%")).total == 0
    for count in (0, 1001):
        with pytest.raises(Invalid):
            await tickets.generate_access_codes(**make, details=details, count=count)
    # The journal says how many, and no code.
    entry = (await JournalEntry.filter(verb="access_code.add").order_by("-id"))[0]
    assert entry.new == {"count": 300, "max_uses": 1}


async def test_what_is_on_offer(database: Settings) -> None:
    event = await make_soon()
    seats = await make_shared_quota(event, 1, taken=1)
    for code, more in {
        "open": {},
        "full": {"quota": 1, "taken": 1},
        "shared": {"shared_quota_id": seats.id},
        "waits": {"quota": 1, "taken": 1, "has_waitlist": True},
        "queue": {"quota": 9, "has_waitlist": True},
        "early": {"closes_at": NOW},
        "later": {"opens_at": NOW + HOUR},
        "locked": {"needs_code": True},
        "hidden": {"is_public": False},
        "secret": {"is_public": False, "needs_code": True},
    }.items():
        made = await make_ticket_type(event, code, **more)
        if code == "queue":
            await make_registration(event, made, state="waitlisted", waiting_since=NOW)
        if code in ("locked", "hidden"):
            await make_access_code(event, made, code=f"A-{code.upper()}", max_uses=1)
    facts = await queries.find_event_by_id(event.id)
    assert facts is not None

    async def offered(code: str = "") -> dict[str, str]:
        found = await tickets.offers(facts, at=NOW, code=code)
        return {one.ticket_type.code: one.state for one in found}

    public = {
        "open": OfferState.OPEN,
        "full": OfferState.FULL,
        "shared": OfferState.FULL,
        "waits": OfferState.WAITLIST,
        "queue": OfferState.WAITLIST,
        "early": OfferState.CLOSED,
        "later": OfferState.NOT_YET,
        "locked": OfferState.NEEDS_CODE,
    }
    assert await offered() == await offered("WRONG") == public
    assert await offered("a-locked") == public | {"locked": OfferState.OPEN}
    assert await offered("a-hidden") == public | {"hidden": OfferState.OPEN}
    async with db.unit_of_work():
        await AccessCode.filter(code="A-HIDDEN").update(used=1)
    assert await offered("a-hidden") == public
    over = await tickets.offers(facts, at=NOW + timedelta(days=30))
    assert {one.ticket_type.code: one.state for one in over}["waits"] is OfferState.FULL
    before = db.stats.statements
    await tickets.offers(facts, at=NOW, code="a-hidden")
    assert db.stats.statements - before <= 4


async def test_registering_costs_the_same_however_many_there_are(database: Settings) -> None:
    event = await make_soon()
    seats = await make_shared_quota(event, 900)
    costs = []
    for rows in (0, 40):
        ticket_type = await make_ticket_type(event, quota=900, shared_quota_id=seats.id, has_waitlist=True)
        for _ in range(rows):
            await make_registration(event, ticket_type)
        before = db.stats.statements
        await register(**asked(event, ticket_type, rows))
        costs.append(db.stats.statements - before)
    assert costs[0] == costs[1]


# --- anything at all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
async def test_after_anything_at_all_the_counters_are_what_the_rows_say(
    database: Settings, seed: int
) -> None:
    """Random verbs on random registrations, refused ones among them: no counter is ever off, no limit passed."""
    dice = random.Random(seed)
    event = await make_soon(offer_hours=2)
    seats = await make_shared_quota(event, 6)
    group = await make_group(event, 3, kind="group")
    types = [
        await make_ticket_type(event, quota=4, shared_quota_id=seats.id, has_waitlist=True),
        await make_ticket_type(event, shared_quota_id=seats.id, has_waitlist=True, needs_approval=True),
        await make_ticket_type(event, quota=3, needs_approval=True, needs_code=True),
        await make_ticket_type(event, quota=2),
    ]
    await make_access_code(event, types[0], types[2], code="A", max_uses=6)
    at, refusals, done = NOW, Counter[str](), Counter[str]()
    for step in range(140):
        at += timedelta(minutes=dice.randint(0, 25))
        everybody = [item["id"] for item in await Registration.filter(event_id=event.id).values("id")]
        number = dice.choice(everybody) if everybody else 0
        some = dice.sample(everybody, min(3, len(everybody)))
        kind = dice.choice(types)
        one: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "registration_id": number, "at": at}
        many: dict[str, Any] = {"actor": SYSTEM, "event_id": event.id, "registration_ids": some, "at": at}
        verb = dice.choice(
            [
                "register",
                "register",
                "register",
                "cancel",
                "cancel",
                "restore",
                "type",
                "approve",
                "decline",
                "accept",
                "refuse",
                "expire",
                "first",
                "import",
            ]
        )
        try:
            match verb:
                case "register":
                    await register(
                        **asked(
                            event,
                            kind,
                            step,
                            at=at,
                            join_waitlist=dice.random() < 0.7,
                            access_code=dice.choice(["", "A"]),
                            source=dice.choice(
                                [FORM, RegistrationSource.GROUP, RegistrationSource.ORGANISER]
                            ),
                            group_id=dice.choice([None, None, group.id]),
                        )
                    )
                case "cancel":
                    await registrations.cancel(**one)
                case "restore":
                    await registrations.restore(**one)
                case "type":
                    await registrations.change_ticket_type(**one, ticket_type_id=kind.id)
                case "approve":
                    await approval.approve(**many)
                case "decline":
                    await approval.decline(**many, reason="下次再来")
                case "accept":
                    await waitlist.accept(**one)
                case "refuse":
                    await waitlist.decline(**one)
                case "expire":
                    await waitlist.settle(event.id, at)
                case "first":
                    await waitlist.put_first(**one)
                case "import":
                    state = dice.choice(list(RegistrationState))
                    more = {"registration_id": number} if number and dice.random() < 0.5 else {}
                    await apply(event, [row(step, kind, state, **more)])
        except Refusal as refusal:
            refusals[refusal.code] += 1
        else:
            done[verb] += 1
        assert await counters(event) == await counted(event), (step, verb)
        # Nobody who could move up is left waiting: a place that somebody waits for is never free.
        async with db.unit_of_work():
            await quotas.hold(event.id)
            assert await waitlist._move_up(event.id, at) == 0, (step, verb)
    assert len(done) >= 7
    assert refusals
    kept = await counters(event)
    await registrations.recount_places(event.id)
    assert kept == await counters(event)


async def test_guessed_codes_are_stopped_and_the_right_one_never_is(database: Settings) -> None:
    event = await make_soon()
    ticket_type = await make_ticket_type(event, is_public=False)
    await make_access_code(event, ticket_type, code="RIGHT")
    facts = await queries.find_event_by_id(event.id)
    assert facts is not None
    guess: dict[str, Any] = {"at": NOW, "network": "203.0.113.7"}
    limits.forget()
    for number in range(tickets.WRONG_CODES.many):
        assert await tickets.offers(facts, code=f"G{number}", **guess) == []
    with pytest.raises(TooMany) as told:
        await tickets.offers(facts, code="ONE-MORE", **guess)
    assert told.value.code == EventCode.ACCESS_CODE_GUESSED
    assert [one.state for one in await tickets.offers(facts, code="right", **guess)] == [OfferState.OPEN]
    assert await tickets.offers(facts, code="OTHER", at=NOW, network="203.0.113.8") == []
    assert await tickets.offers(facts, at=NOW, network="203.0.113.7") == []
    limits.forget()
