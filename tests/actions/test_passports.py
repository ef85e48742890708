"""Passports follow their registrations, in bulk; codes are unique in an event; a replaced code is dead, not unknown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from checkin import passports
from checkin.models import Passport, PassportCode
from checkin.rules import PassportStatus
from events.models import Event, Registration, TicketType
from events.rules import EventCode
from kernel import codes, db
from kernel.actor import SYSTEM
from kernel.db import unit_of_work
from kernel.errors import Busy, Conflict, NotFound
from kernel.settings import Settings
from people.models import JournalEntry
from tests.factories import NOW, make_event, make_registration, make_ticket_type


@dataclass(frozen=True)
class News:
    event_id: int
    registration_ids: tuple[int, ...]


async def follow(event: Event, *registrations: Registration) -> None:
    async with unit_of_work():
        await passports.follow_registrations(News(event.id, tuple(row.id for row in registrations)))


async def change(registration: Registration, **values: Any) -> None:
    async with unit_of_work():
        await Registration.filter(id=registration.id).update(**values)


async def house() -> tuple[Event, TicketType]:
    event = await make_event()
    return event, await make_ticket_type(event)


async def live_codes(passport_id: int) -> dict[str, str]:
    return {row.kind: row.code for row in await PassportCode.filter(passport_id=passport_id, is_live=True)}


async def test_a_registration_gets_a_passport_with_every_code(database: Settings) -> None:
    event, kind = await house()
    registration = await make_registration(
        event, kind, name="林小满", badge_name="小满", organisation="开源社", external_code="BG-0001"
    )
    await follow(event, registration)
    passport = await Passport.get()
    assert passport.token == passport.token.lower() and len(passport.token) == 32
    assert passport.public_token == codes.public_token(passport.token)
    assert codes.read_short_code(passport.short_code) == passport.short_code
    assert (passport.badge_name, passport.badge_line, passport.status) == ("小满", "开源社", "valid")
    assert (passport.event_id, passport.registration_id, passport.ticket_type_id) == (
        event.id,
        registration.id,
        kind.id,
    )
    assert await live_codes(passport.id) == {
        "token": passport.token,
        "short": passport.short_code,
        "external": "BG-0001",
    }


async def test_without_a_badge_name_the_name_stands_on_it(database: Settings) -> None:
    event, kind = await house()
    await follow(event, await make_registration(event, kind, name="Wilhelmina Featherstonehaugh"))
    assert (await Passport.get()).badge_name == "Wilhelmina Featherstonehaugh"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("confirmed", PassportStatus.VALID),
        ("pending", PassportStatus.NOT_CONFIRMED),
        ("waitlisted", PassportStatus.NOT_CONFIRMED),
        ("cancelled", PassportStatus.CANCELLED),
    ],
)
async def test_status_follows_the_registration(
    database: Settings, state: str, status: PassportStatus
) -> None:
    event, kind = await house()
    born = await make_registration(event, kind, state=state)
    moved = await make_registration(event, kind)
    await follow(event, born, moved)
    await change(moved, state=state)
    await follow(event, moved)
    assert [row.status for row in await Passport.all().order_by("id")] == [status, status]


async def test_everything_that_a_scan_shows_follows_and_the_codes_stay(database: Settings) -> None:
    event, kind = await house()
    other = await make_ticket_type(event)
    registration = await make_registration(event, kind)
    await follow(event, registration)
    before = await Passport.get()
    await change(registration, ticket_type_id=other.id, name="新名字", badge_name="", organisation="新单位")
    await follow(event, registration)
    after = await Passport.get()
    assert (after.ticket_type_id, after.badge_name, after.badge_line) == (other.id, "新名字", "新单位")
    assert (after.token, after.short_code, after.id) == (before.token, before.short_code, before.id)
    assert await PassportCode.all().count() == 2


async def test_another_shops_code_is_added_replaced_given_away_and_taken_back(database: Settings) -> None:
    event, kind = await house()
    one, two = await make_registration(event, kind), await make_registration(event, kind)
    await follow(event, one, two)
    ids = {row.registration_id: row.id for row in await Passport.all()}

    async def alias(registration: Registration) -> str | None:
        return (await live_codes(ids[registration.id])).get("external")

    await change(one, external_code="BG-1")
    await follow(event, one)
    assert await alias(one) == "BG-1"
    await change(one, external_code="BG-2")
    await follow(event, one)
    assert await alias(one) == "BG-2"
    old = await PassportCode.get(code="BG-1")
    assert (old.passport_id, old.is_live) == (ids[one.id], False)
    # the code that was taken back is given to somebody else: it is theirs now
    await change(two, external_code="BG-1")
    await follow(event, two)
    assert (await alias(one), await alias(two)) == ("BG-2", "BG-1")
    # two people's codes were swapped in one import
    await change(one, external_code=None)
    await change(two, external_code="BG-2")
    await change(one, external_code="BG-1")
    await follow(event, one, two)
    assert (await alias(one), await alias(two)) == ("BG-1", "BG-2")
    await change(one, external_code=None)
    await follow(event, one)
    assert await alias(one) is None


async def test_another_shops_code_that_is_somebodys_short_code_is_refused_and_nothing_is_kept(
    database: Settings,
) -> None:
    event, kind = await house()
    one = await make_registration(event, kind)
    await follow(event, one)
    taken = (await Passport.get()).short_code
    two = await make_registration(event, kind, external_code=taken)
    with pytest.raises(Conflict) as refused:
        await follow(event, two)
    assert refused.value.code == EventCode.EXTERNAL_CODE_TAKEN
    assert await Passport.all().count() == 1 and await PassportCode.all().count() == 2


async def test_a_short_code_that_is_taken_is_drawn_again(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, kind = await house()
    first, second, third = [await make_registration(event, kind) for _ in range(3)]
    a, b, c = codes.new_short_code(), codes.new_short_code(), codes.new_short_code()
    drawn = iter([a, a, a, b, a, b, c])
    monkeypatch.setattr(codes, "new_short_code", lambda: next(drawn))
    await follow(event, first)
    await follow(event, second)  # a is taken, a again, then b
    await follow(event, third)
    assert [row.short_code for row in await Passport.all().order_by("registration_id")] == [a, b, c]
    # another event may use the same
    drawn = iter([a])
    other, its_kind = await house()
    await follow(other, await make_registration(other, its_kind))
    assert await Passport.filter(short_code=a).count() == 2


async def test_two_draws_of_one_code_in_one_batch(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, kind = await house()
    rows = [await make_registration(event, kind) for _ in range(2)]
    a, b = codes.new_short_code(), codes.new_short_code()
    drawn = iter([a, a, b])
    monkeypatch.setattr(codes, "new_short_code", lambda: next(drawn))
    await follow(event, *rows)
    assert {row.short_code for row in await Passport.all()} == {a, b}


async def test_a_dead_short_code_is_never_given_again(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, kind = await house()
    await follow(event, await make_registration(event, kind))
    passport = await Passport.get()
    await passports.reissue(actor=SYSTEM, event_id=event.id, passport_id=passport.id, at=NOW)
    fresh = codes.new_short_code()
    drawn = iter([passport.short_code, fresh])
    monkeypatch.setattr(codes, "new_short_code", lambda: next(drawn))
    await follow(event, await make_registration(event, kind))
    assert await Passport.filter(short_code=fresh).count() == 1


async def test_no_code_left_to_draw_is_a_clear_no(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, kind = await house()
    only = codes.new_short_code()
    monkeypatch.setattr(codes, "new_short_code", lambda: only)
    await follow(event, await make_registration(event, kind))
    with pytest.raises(Busy):
        await follow(event, await make_registration(event, kind))


async def test_many_take_no_more_statements_than_few(database: Settings) -> None:
    event, kind = await house()
    few = [await make_registration(event, kind, external_code=f"few-{n}") for n in range(2)]
    many = [await make_registration(event, kind, external_code=f"many-{n}") for n in range(120)]
    before = db.stats.statements
    await follow(event, *few)
    for_few = db.stats.statements - before
    before = db.stats.statements
    await follow(event, *many)
    assert db.stats.statements - before == for_few <= 9
    assert await Passport.all().count() == 122 and await PassportCode.all().count() == 366
    # nothing changed: looked at and left alone
    before = db.stats.statements
    await follow(event, *many)
    assert db.stats.statements - before == 3


async def test_registrations_of_another_event_are_left_alone(database: Settings) -> None:
    event, _ = await house()
    other, kind = await house()
    await follow(event, await make_registration(other, kind))
    assert await Passport.all().count() == 0


async def test_what_is_rolled_back_leaves_no_passport(database: Settings) -> None:
    event, kind = await house()
    registration = await make_registration(event, kind)
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await passports.follow_registrations(News(event.id, (registration.id,)))
            raise ZeroDivisionError
    assert await Passport.all().count() == 0 and await PassportCode.all().count() == 0


async def test_thirty_two_at_once_make_one_passport_each(database: Settings) -> None:
    event, kind = await house()
    rows = [await make_registration(event, kind) for _ in range(8)]
    await asyncio.gather(*(follow(event, row) for row in rows for _ in range(4)))
    assert await Passport.all().count() == 8 and await PassportCode.all().count() == 16


async def test_reissue_kills_the_old_codes_at_once(database: Settings) -> None:
    event, kind = await house()
    await follow(event, await make_registration(event, kind, external_code="BG-9"))
    old = await Passport.get()
    new = await passports.reissue(actor=SYSTEM, event_id=event.id, passport_id=old.id, at=NOW)
    assert new.token != old.token and new.short_code != old.short_code
    assert await live_codes(old.id) == {"token": new.token, "short": new.short_code, "external": "BG-9"}
    dead = {row.code for row in await PassportCode.filter(passport_id=old.id, is_live=False)}
    assert dead == {old.token, old.short_code}
    found = await passports.by_token(old.token)
    assert found is not None and not found.is_live and found.id == old.id
    found = await passports.by_token(new.token)
    assert found is not None and found.is_live
    assert (await Passport.get()).public_token == codes.public_token(new.token)


async def test_a_revoked_passport_stays_so_until_it_is_reissued(database: Settings) -> None:
    event, kind = await house()
    registration = await make_registration(event, kind)
    await follow(event, registration)
    passport = await Passport.get()
    for _ in range(2):
        await passports.revoke(actor=SYSTEM, event_id=event.id, passport_id=passport.id, at=NOW)
    assert (await Passport.get()).status == "revoked"
    await change(registration, name="改了名")
    await follow(event, registration)
    after = await Passport.get()
    assert (after.status, after.badge_name) == ("revoked", "改了名")
    await change(registration, state="pending")
    new = await passports.reissue(actor=SYSTEM, event_id=event.id, passport_id=passport.id, at=NOW)
    assert new.status is PassportStatus.NOT_CONFIRMED


async def test_the_journal_says_who_and_holds_no_code(database: Settings) -> None:
    event, kind = await house()
    await follow(event, await make_registration(event, kind))
    passport = await Passport.get()
    await passports.revoke(actor=SYSTEM, event_id=event.id, passport_id=passport.id, at=NOW)
    await passports.revoke(actor=SYSTEM, event_id=event.id, passport_id=passport.id, at=NOW)
    new = await passports.reissue(actor=SYSTEM, event_id=event.id, passport_id=passport.id, at=NOW)
    rows = await JournalEntry.filter(object_kind="passport", object_id=passport.id).order_by("id")
    assert [row.verb for row in rows] == ["passport.revoke", "passport.reissue"]
    written = repr([(row.old, row.new, row.actor_key) for row in rows])
    for secret in (passport.token, passport.short_code, new.token, new.short_code, passport.badge_name):
        assert secret not in written


async def test_two_reissues_at_once_leave_one_live_pair(database: Settings) -> None:
    event, kind = await house()
    await follow(event, await make_registration(event, kind))
    passport = await Passport.get()
    await asyncio.gather(
        *(
            passports.reissue(actor=SYSTEM, event_id=event.id, passport_id=passport.id, at=NOW)
            for _ in range(16)
        )
    )
    now = await Passport.get()
    assert await live_codes(passport.id) == {"token": now.token, "short": now.short_code}
    assert await PassportCode.filter(is_live=True).count() == 2
    assert await PassportCode.all().count() == 34


async def test_another_events_passport_can_be_neither_reissued_nor_revoked(database: Settings) -> None:
    event, kind = await house()
    other, _ = await house()
    await follow(event, await make_registration(event, kind))
    passport = await Passport.get()
    with pytest.raises(NotFound):
        await passports.reissue(actor=SYSTEM, event_id=other.id, passport_id=passport.id, at=NOW)
    with pytest.raises(NotFound):
        await passports.revoke(actor=SYSTEM, event_id=other.id, passport_id=passport.id, at=NOW)
    assert (await Passport.get()).status == "valid" and await JournalEntry.all().count() == 0


async def test_found_by_registration_and_by_token_only(database: Settings) -> None:
    event, kind = await house()
    registration = await make_registration(event, kind, external_code="f" * 32)
    await follow(event, registration)
    passport = await Passport.get()
    assert (await passports.by_registration([registration.id, 999]))[registration.id].id == passport.id
    assert await passports.by_token(passport.short_code) is None
    assert await passports.by_token("f" * 32) is None  # another shop's code opens no page
    assert await passports.by_token("") is None
