"""Partners' links: exact quotas, lists that arrive twice, and nobody else's people."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from events import partner_links, queries
from events.models import Event, Registration, RegistrationGroup, TicketType
from events.partner_links import LinkDetails, LinkFacts, Submitted
from events.partner_rules import Outcome, PartnerCode
from events.rules import EventFacts
from kernel import db
from kernel.actor import SYSTEM
from kernel.errors import Conflict, Invalid, NotFound, Refusal
from kernel.settings import Settings
from people.models import JournalEntry, Letter
from tests.factories import NOW, make_event, make_registration, make_ticket_type

pytestmark = pytest.mark.usefixtures("wired")


@pytest.fixture
def wired(database: Settings) -> None:
    import main

    main.create_app(database, workers=False)


async def made(event: Event, ticket_type: TicketType, **more: Any) -> LinkFacts:
    values: dict[str, Any] = {"name": "Datawhale", "ticket_type_id": ticket_type.id, "quota": 5}
    number = await partner_links.add(
        actor=SYSTEM, event_id=event.id, details=LinkDetails(**(values | more)), at=NOW
    )
    return await partner_links.find(event.id, number)


def pasted(*numbers: int) -> str:
    return "\n".join(f"学员{number}\tstudent{number}@example.org\t某大学" for number in numbers)


async def submit(link: LinkFacts, text: str, **more: Any) -> Submitted:
    values: dict[str, Any] = {"leave_out": frozenset(), "form_id": uuid4(), "locale": "zh-Hans", "at": NOW}
    return await partner_links.submit(link=link, text=text, **(values | more))


async def facts(event: Event) -> EventFacts:
    found = await queries.find_event_by_id(event.id)
    assert found is not None
    return found


async def test_a_list_is_registered_with_its_source_and_letters() -> None:
    event = await make_event()
    link = await made(event, await make_ticket_type(event, is_public=False))
    assert link.ticket_source == "Datawhale"
    done = await submit(link, pasted(1, 2) + "\n王芳\t13800138000")
    assert done == Submitted(3)
    rows = await Registration.all().order_by("id")
    assert {(row.source, row.group_id, row.ticket_source, row.state) for row in rows} == {
        ("partner", link.id, "Datawhale", "confirmed")
    }
    assert await Letter.all().count() == 2
    now = await partner_links.find(event.id, link.id)
    assert (now.taken, now.left) == (3, 2)
    assert set(await partner_links.short_codes([row.id for row in rows])) == {row.id for row in rows}
    entries = await JournalEntry.filter(verb="registration.register")
    assert {entry.actor_key for entry in entries} == {f"partner:{link.id}"}
    assert "学员" not in repr([(entry.old, entry.new) for entry in entries])


async def test_the_same_list_twice_at_once_and_again_is_one() -> None:
    event = await make_event()
    link = await made(event, await make_ticket_type(event))
    form = uuid4()
    both = await asyncio.gather(*(submit(link, pasted(1, 2, 3), form_id=form) for _ in range(8)))
    assert {done.registered for done in both} == {3}
    assert await submit(await partner_links.find(event.id, link.id), pasted(1, 2, 3)) == Submitted(3)
    assert await Registration.all().count() == 3


async def test_64_lists_for_five_places_register_five() -> None:
    event = await make_event()
    link = await made(event, await make_ticket_type(event))
    results = await asyncio.gather(*(submit(link, pasted(number)) for number in range(64)))
    assert sum(done.registered for done in results) == 5
    lost = [problem.code for done in results for problem in done.lost.values()]
    assert lost == ["group_full"] * 59
    now = await partner_links.find(event.id, link.id)
    assert (now.taken, await Registration.all().count()) == (5, 5)


async def test_bad_lines_are_left_out_only_when_they_are_named() -> None:
    event = await make_event()
    link = await made(event, await make_ticket_type(event))
    text = pasted(1) + "\n王芳\tnobody\n" + pasted(2)
    plan = await partner_links.preview(link, text)
    assert plan.bad == {2}
    for named in (frozenset[int](), frozenset({1}), frozenset({2, 3})):
        with pytest.raises(Invalid) as refused:
            await submit(link, text, leave_out=named)
        assert refused.value.fields["people"].code == PartnerCode.STALE
    assert await Registration.all().count() == 0
    assert await submit(link, text, leave_out=frozenset({2})) == Submitted(2)
    again = await partner_links.preview(link, text)
    assert [line.outcome for line in again.lines] == [Outcome.THERE, Outcome.BAD, Outcome.THERE]


async def test_more_people_than_places_register_nobody() -> None:
    event = await make_event()
    link = await made(event, await make_ticket_type(event), quota=2)
    with pytest.raises(Invalid) as refused:
        await submit(link, pasted(1, 2, 3))
    problem = refused.value.fields["people"]
    assert (problem.code, problem.params) == (PartnerCode.NO_ROOM, {"left": 2, "new": 3})
    for text, code in (("", PartnerCode.EMPTY), ("王芳\tx", PartnerCode.NOTHING), ("\x00", "sheet_encoding")):
        with pytest.raises(Invalid) as refused:
            await submit(link, text, leave_out=frozenset({1}) if code == PartnerCode.NOTHING else frozenset())
        assert refused.value.fields["people"].code == code
    assert await Registration.all().count() == 0


async def test_a_full_ticket_type_is_said_for_each_line_that_lost() -> None:
    event = await make_event()
    link = await made(event, await make_ticket_type(event, quota=1))
    done = await submit(link, pasted(1, 2))
    assert (done.registered, {number: one.code for number, one in done.lost.items()}) == (
        1,
        {2: "ticket_type_full"},
    )
    assert (await partner_links.find(event.id, link.id)).taken == 1


async def test_the_quota_never_goes_below_the_people() -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    link = await made(event, kind)
    await submit(link, pasted(1, 2, 3))
    details = LinkDetails(name="Datawhale", ticket_type_id=kind.id, quota=2)
    with pytest.raises(Invalid) as refused:
        await partner_links.change(actor=SYSTEM, event_id=event.id, link_id=link.id, details=details, at=NOW)
    assert refused.value.fields["quota"].params == {"taken": 3}
    exact = LinkDetails(name="DW", ticket_type_id=kind.id, quota=3, ticket_source="赠票")
    await partner_links.change(actor=SYSTEM, event_id=event.id, link_id=link.id, details=exact, at=NOW)
    now = await partner_links.find(event.id, link.id)
    assert (now.name, now.quota, now.left, now.ticket_source) == ("DW", 3, 0, "赠票")


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"name": " "}, "name", "required"),
        ({"name": "x" * 121}, "name", "too_long"),
        ({"contact_name": "x" * 121}, "contact_name", "too_long"),
        ({"quota": 0}, "quota", "out_of_range"),
        ({"quota": 5_001}, "quota", "out_of_range"),
        ({"ticket_type_id": 999}, "ticket_type_id", "ticket_type_unknown"),
    ],
)
async def test_what_a_link_can_not_be(wrong: dict[str, Any], field: str, code: str) -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    with pytest.raises(Invalid) as refused:
        await made(event, kind, **wrong)
    assert refused.value.fields[field].code == code
    assert await RegistrationGroup.all().count() == 0


async def test_a_link_that_is_over_or_off_takes_nobody_and_cancels_nobody() -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    link = await made(event, kind, valid_until=NOW + timedelta(hours=1))
    await submit(link, pasted(1))
    [person] = await partner_links.people(link)
    late = NOW + timedelta(hours=1)
    with pytest.raises(Conflict) as refused:
        await submit(link, pasted(2), at=late)
    assert refused.value.code == "group_closed"
    with pytest.raises(Conflict):
        await partner_links.cancel(link=link, registration_id=person.id, at=late)
    for _ in range(2):
        await partner_links.switch(actor=SYSTEM, event_id=event.id, link_id=link.id, is_active=False, at=NOW)
    assert await JournalEntry.filter(verb="partner_link.switch").count() == 1
    # The page of before the switch: its list meets the closed link in the action itself.
    with pytest.raises(Conflict):
        await submit(await partner_links.find(event.id, link.id), pasted(3))
    assert (await submit(link, pasted(3))).lost.keys() == {1}
    assert len(await partner_links.people(link)) == 1


async def test_own_people_are_cancelled_once_and_their_places_are_free() -> None:
    event = await make_event()
    kind = await make_ticket_type(event, quota=5)
    link, other = await made(event, kind), await made(event, kind, name="另一家")
    await submit(link, pasted(1))
    [person] = await partner_links.people(link)
    stranger = await make_registration(event, kind)
    for number, owner in ((stranger.id, link), (person.id, other), (999, link)):
        with pytest.raises(NotFound):
            await partner_links.cancel(link=owner, registration_id=number, at=NOW)
    for _ in range(2):
        await partner_links.cancel(link=link, registration_id=person.id, at=NOW)
    assert (await partner_links.find(event.id, link.id)).taken == 0
    assert (await TicketType.get(id=kind.id)).taken == 0
    [gone] = await partner_links.people(link)
    assert not gone.holds_a_place
    # Whoever was taken off the list can be registered again.
    assert (await submit(link, pasted(1))).registered == 1


async def test_only_the_newest_link_opens() -> None:
    event, elsewhere = await make_event(), await make_event()
    kind = await make_ticket_type(event)
    link, other = await made(event, kind), await made(event, kind)
    key = partner_links.secret_of(link.id, 0)
    assert await partner_links.find_by_secret(event.id, key) == link
    assert await partner_links.find_by_secret(elsewhere.id, key) is None
    forged = key.replace(str(link.id), str(other.id), 1)
    for wrong in ("", "x", f"{link.id}", f"{link.id}-", key[:-1], forged, "9" * 19 + "-x", "１-x"):
        assert await partner_links.find_by_secret(event.id, wrong) is None
    await partner_links.renew(actor=SYSTEM, event_id=event.id, link_id=link.id, at=NOW)
    assert await partner_links.find_by_secret(event.id, key) is None
    fresh = await partner_links.find_by_secret(event.id, partner_links.secret_of(link.id, 1))
    assert fresh is not None
    assert fresh.id == link.id
    for act in (
        partner_links.renew(actor=SYSTEM, event_id=elsewhere.id, link_id=link.id, at=NOW),
        partner_links.switch(actor=SYSTEM, event_id=elsewhere.id, link_id=link.id, is_active=False, at=NOW),
    ):
        with pytest.raises(NotFound):
            await act


async def test_the_letter_gets_its_link_when_it_is_sent() -> None:
    event = await make_event()
    kind = await make_ticket_type(event)
    link = await made(
        event, kind, contact_email="teacher@example.org", valid_until=NOW, contact_name="李老师"
    )
    known, form = await facts(event), uuid4()
    for _ in range(2):
        await partner_links.send_letter(actor=SYSTEM, event=known, link_id=link.id, request_id=form, at=NOW)
    letter = await Letter.get()
    assert letter.to_email == "teacher@example.org"
    assert "李老师" in letter.text
    assert "?key=" not in letter.text
    parts = await partner_links.letter_parts(link.id, "en")
    assert parts is not None
    assert partner_links.secret_of(link.id, 0) in parts.text_suffix
    await partner_links.switch(actor=SYSTEM, event_id=event.id, link_id=link.id, is_active=False, at=NOW)
    assert await partner_links.letter_parts(link.id, "en") is None
    assert await partner_links.letter_parts(999, "en") is None
    nobody = await made(event, kind)
    with pytest.raises(Refusal):
        await partner_links.send_letter(actor=SYSTEM, event=known, link_id=nobody.id, request_id=form, at=NOW)


async def test_three_people_are_read_for_what_one_costs() -> None:
    event = await make_event()
    link = await made(event, await make_ticket_type(event))

    async def cost() -> int:
        before = db.stats.statements
        rows = await partner_links.people(link)
        await partner_links.short_codes([one.id for one in rows])
        return db.stats.statements - before

    await submit(link, pasted(1))
    one = await cost()
    await submit(link, pasted(2, 3))
    assert await cost() == one


async def test_registering_and_cancelling_in_turn_fills_no_inbox() -> None:
    event = await make_event()
    link = await made(event, await make_ticket_type(event), quota=1)
    for _ in range(2):
        assert (await submit(link, pasted(1))).registered == 1
        person = next(one for one in await partner_links.people(link) if one.holds_a_place)
        await partner_links.cancel(link=link, registration_id=person.id, at=NOW)
    with pytest.raises(Invalid) as refused:
        await submit(link, pasted(1))
    assert refused.value.fields["people"].code == PartnerCode.TOO_OFTEN
    assert await Registration.all().count() == 2
    assert (await submit(link, pasted(1), at=NOW + timedelta(hours=2))).registered == 1
