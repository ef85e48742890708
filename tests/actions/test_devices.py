"""Pairing a phone, what its token opens, and its end: races, replays, and what no other phone or event gets."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from checkin import checkpoints, counting, devices, pairings, scanning
from checkin.device_rules import DeviceCode
from checkin.devices import Change, Report
from checkin.models import Checkpoint, Device, DevicePairing, Passport, Scan
from checkin.pairings import PairingView, Phone, Wanted
from checkin.rules import VerdictCode
from checkin.scanning import ScanEntry
from events import access
from events.access import Door, open_event
from events.models import Event
from events.rules import Permission
from kernel import db
from kernel.actor import ANONYMOUS, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Refusal, SignInNeeded
from kernel.settings import Settings
from people import topics
from people.models import JournalEntry
from tests.factories import (
    make_account,
    make_checkpoint,
    make_door,
    make_event,
    make_passport,
    make_role,
    make_ticket_type,
)

KEY = b"k" * 40


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class House:
    event: Event
    gate: Checkpoint
    lunch: Checkpoint
    lead: Door
    guests: Sequence[Passport]

    async def sheet(self, **more: object) -> list[PairingView]:
        values: dict[str, object] = {
            "name": "North gate",
            "count": 1,
            "checkpoints": [self.gate.id],
            "device_expires_at": now() + timedelta(hours=8),
            "minutes": 30,
        }
        batch = await pairings.make(
            door=self.lead,
            wanted=Wanted(**(values | more)),  # type: ignore[arg-type]
            form_id=uuid.uuid4(),
            at=now(),
        )
        return await pairings.sheet(door=self.lead, batch=batch)

    async def paired(self, **more: object) -> pairings.Paired:
        [one] = await self.sheet(**more)
        return await self.pair(one.fragment)

    async def pair(self, code: str, instance: uuid.UUID | None = None) -> pairings.Paired:
        phone = Phone(instance or uuid.uuid4(), "1", "phone", {"camera": True})
        return await pairings.pair(event_id=self.event.id, code=code, phone=phone, at=now())

    async def door(self, token: str, *, late: bool = False) -> Door:
        actor = await devices.actor_for_token(token)
        return await open_event(actor, self.event.slug, Permission.SCAN, late=late)


@pytest.fixture
async def house(database: Settings) -> House:
    pairings.configure(key=KEY)
    scanning.configure(key=KEY)
    event = await make_event("coscon")
    kind = await make_ticket_type(event)
    return House(
        event,
        await make_checkpoint(event),
        await make_checkpoint(event, once="event", on_repeat="refuse"),
        await _lead(event),
        [await make_passport(event, kind) for _ in range(3)],
    )


async def _lead(event: Event, role: str = "organiser", scope: tuple[str, int] = ("", 0)) -> Door:
    account = await make_account()
    await make_role(event, account, role, *scope)
    access.forget()
    return await open_event(Actor(kind=ActorKind.ACCOUNT, id=account.id), event.slug, Permission.PAIR_DEVICES)


def entry(passport: Passport, checkpoint: Checkpoint, age_ms: int | None = None) -> ScanEntry:
    return ScanEntry(uuid.uuid4(), passport.token, checkpoint.id, age_ms=age_ms)


# --- pairing -----------------------------------------------------------------------------------------------------


async def test_a_pairing_is_used_once_under_32_parallel_tries(house: House) -> None:
    [one] = await house.sheet()
    found = await asyncio.gather(
        *(house.pair(one.fragment if nth % 2 else one.code) for nth in range(32)), return_exceptions=True
    )
    won = [each for each in found if isinstance(each, pairings.Paired)]
    assert len(won) == 1
    assert {each.code for each in found if isinstance(each, Gone)} == {DeviceCode.PAIRING_USED}
    assert sum(isinstance(each, Gone) for each in found) == 31
    assert await Device.all().count() == 1
    assert (await devices.actor_for_token(won[0].token)).key == f"device:{won[0].device_id}"


async def test_the_same_phone_may_repeat_it_and_gets_the_same_token(house: House) -> None:
    [one] = await house.sheet(volunteers=["林小满"])
    instance = uuid.uuid4()
    found = await asyncio.gather(*(house.pair(one.code.lower(), instance) for _ in range(8)))
    assert len(set(found)) == 1
    assert await house.pair(one.secret, instance) == found[0]
    row = await Device.get()
    assert (row.name, row.volunteer, row.instance) == ("North gate", "林小满", instance)
    # Who would carry it stands in one place, so that it is erased there.
    assert (await DevicePairing.get()).volunteer == ""
    with pytest.raises(Gone):
        await house.pair(one.code)


async def test_a_phone_paired_anew_stays_the_device_that_it_was(house: House) -> None:
    [first] = await house.sheet(volunteers=["林小满"])
    phone = Phone(uuid.uuid4(), "1", "phone", {"camera": True})
    old = await pairings.pair(event_id=house.event.id, code=first.code, phone=phone, at=now())
    before = await Device.get()
    door = await house.door(old.token)
    lost = entry(house.guests[0], house.gate)
    await scanning.scan(door=door, entry=lost, at=now())

    [second] = await house.sheet(name="Lunch", checkpoints=[house.gate.id, house.lunch.id], sees_names=True)
    again = replace(phone, replaces=old.token)
    found = await asyncio.gather(
        *(pairings.pair(event_id=house.event.id, code=second.code, phone=again, at=now()) for _ in range(8))
    )
    assert set(found) == {pairings.Paired(found[0].token, old.device_id)} and found[0].token != old.token
    row = await Device.get()
    assert (row.id, row.name, row.volunteer, row.sees_names) == (before.id, "Lunch", "", True)
    # What it scanned since it was paired first is believed, and a lost answer is asked for again.
    assert row.paired_at == before.paired_at
    door = await house.door(found[0].token)
    assert door.checkpoint_scope() == frozenset({house.gate.id, house.lunch.id})
    assert (await scanning.scan(door=door, entry=lost, at=now())).is_replay
    # The old token is nobody's from now on, and the old code opens nothing, also for the phone that used it.
    assert await devices.actor_for_token(old.token) == ANONYMOUS
    with pytest.raises(Gone) as used:
        await house.pair(first.code, phone.instance)
    assert used.value.code == DeviceCode.PAIRING_USED
    assert await Device.all().count() == 1
    assert await JournalEntry.filter(verb="device.pair").count() == 2


async def test_only_a_token_that_still_opens_something_here_is_taken_over(house: House) -> None:
    elsewhere = await make_event("meetup")
    gate = await make_checkpoint(elsewhere)
    stranger = replace(house, event=elsewhere, gate=gate, lead=await make_door(elsewhere, "organiser"))
    other, revoked = await stranger.paired(), await house.paired()
    await devices.revoke(door=house.lead, device_id=revoked.device_id, at=now())
    for token in (other.token, revoked.token, "hwd_" + "0" * 40, "nonsense"):
        [one] = await house.sheet()
        phone = Phone(uuid.uuid4(), replaces=token)
        made = await pairings.pair(event_id=house.event.id, code=one.code, phone=phone, at=now())
        assert made.device_id not in (other.device_id, revoked.device_id)
    assert (await devices.actor_for_token(other.token)).id == other.device_id
    assert (await Device.get(id=revoked.device_id)).revoked_at is not None


async def test_codes_that_open_nothing(house: House) -> None:
    [used, late, withdrawn] = [(await house.sheet())[0] for _ in range(3)]
    for wrong in ("", "0" * 22, "AAAA-AAAA", "https://elsewhere.example/", used.code[:-1]):
        with pytest.raises(NotFound) as unknown:
            await house.pair(wrong)
        assert unknown.value.code == DeviceCode.PAIRING_UNKNOWN
    other = await make_event("meetup")
    with pytest.raises(NotFound):
        await pairings.pair(event_id=other.id, code=used.fragment, phone=Phone(uuid.uuid4()), at=now())
    with pytest.raises(Gone) as over:
        await pairings.pair(
            event_id=house.event.id,
            code=late.code,
            phone=Phone(uuid.uuid4()),
            at=now() + timedelta(minutes=31),
        )
    assert over.value.code == DeviceCode.PAIRING_OVER
    batch = (await DevicePairing.get(id=withdrawn.id)).batch
    assert await pairings.withdraw(door=house.lead, batch=batch, at=now()) == 1
    with pytest.raises(Gone) as gone:
        await house.pair(withdrawn.code)
    assert gone.value.code == DeviceCode.PAIRING_WITHDRAWN
    assert await Device.all().count() == 0
    assert (await house.pair(used.fragment)).device_id


async def test_tables_hold_digests_and_the_sheet_tells_its_codes_until_they_are_used(house: House) -> None:
    found = await house.sheet(count=3)
    assert [one.name for one in found] == ["North gate 1", "North gate 2", "North gate 3"]
    assert len({one.secret for one in found}) == len({one.code for one in found}) == 3
    paired = await house.pair(found[0].fragment)
    stored = str([dict(row) for row in await DevicePairing.all().values()]) + str(
        [dict(row) for row in await Device.all().values()]
    )
    for secret in [paired.token, *(one.secret for one in found), *(one.code for one in found)]:
        assert secret not in stored
    batch = (await DevicePairing.get(id=found[0].id)).batch
    again = await pairings.sheet(door=house.lead, batch=batch)
    assert [one.code for one in again] == ["", found[1].code, found[2].code]
    assert [one.open for one in await pairings.open_sheets(door=house.lead, at=now())] == [2]


async def test_a_form_sent_twice_is_one_sheet(house: House) -> None:
    form_id = uuid.uuid4()
    wanted = Wanted(
        name="Gate",
        count=2,
        checkpoints=[house.gate.id],
        device_expires_at=now() + timedelta(hours=1),
        minutes=30,
    )
    for _ in range(2):
        await pairings.make(door=house.lead, wanted=wanted, form_id=form_id, at=now())
    assert await DevicePairing.all().count() == 2
    with pytest.raises(Conflict):
        await pairings.make(door=house.lead, wanted=replace(wanted, count=3), form_id=form_id, at=now())


async def test_what_a_sheet_may_not_be(house: House) -> None:
    narrow = await make_door(house.event, "volunteer_lead")
    narrow = replace(
        narrow,
        scopes=tuple(replace(one, scope_kind="checkpoint", scope_id=house.gate.id) for one in narrow.scopes),
    )
    elsewhere = await make_checkpoint(await make_event("meetup"))
    good = Wanted(
        name="Gate",
        count=1,
        checkpoints=[house.gate.id],
        device_expires_at=now() + timedelta(hours=1),
        minutes=30,
    )
    for door, wanted, field in (
        (house.lead, replace(good, name="  "), "name"),
        (house.lead, replace(good, count=51), "count"),
        (house.lead, replace(good, volunteers=["a", "b"]), "volunteers"),
        (house.lead, replace(good, checkpoints=[]), "checkpoints"),
        (house.lead, replace(good, checkpoints=[elsewhere.id]), "checkpoints"),
        (house.lead, replace(good, device_expires_at=now() - timedelta(minutes=1)), "device_expires_at"),
        (house.lead, replace(good, device_expires_at=now() + timedelta(days=200)), "device_expires_at"),
        (house.lead, replace(good, minutes=0), "minutes"),
        (narrow, replace(good, checkpoints=[house.gate.id, house.lunch.id]), "checkpoints"),
        (narrow, replace(good, sees_names=True), "sees_names"),
    ):
        with pytest.raises(Invalid) as refused:
            await pairings.make(door=door, wanted=wanted, form_id=uuid.uuid4(), at=now())
        assert list(refused.value.fields) == [field]
    assert await DevicePairing.all().count() == 0
    await pairings.make(door=narrow, wanted=good, form_id=uuid.uuid4(), at=now())
    assert await DevicePairing.all().count() == 1


# --- what a token opens ------------------------------------------------------------------------------------------


async def test_a_device_scans_where_it_was_paired_for_and_nowhere_else(house: House) -> None:
    paired = await house.paired()
    door = await house.door(paired.token)
    answer = await scanning.scan(door=door, entry=entry(house.guests[0], house.gate), at=now())
    assert answer.verdict is VerdictCode.ADMITTED
    assert (await Scan.get()).actor_key == f"device:{paired.device_id}"
    with pytest.raises(Forbidden):
        await scanning.scan(door=door, entry=entry(house.guests[0], house.lunch), at=now())
    for permission in set(Permission) - {Permission.SCAN, Permission.VIEW_PUBLIC}:
        with pytest.raises(Forbidden):
            await open_event(door.actor, "coscon", permission)
    assert door.checkpoint_scope(Permission.OVERRIDE) == frozenset()
    assert (door.roles, door.site_scope()) == (frozenset(), frozenset())


async def test_a_leads_device_overrules_and_never_pairs_another(house: House) -> None:
    paired = await house.paired(is_lead=True, may_walk_in=True, sees_names=True)
    door = await house.door(paired.token)
    assert door.permissions == {
        Permission.VIEW_PUBLIC,
        Permission.SCAN,
        Permission.OVERRIDE,
        Permission.WALK_IN,
    }
    assert door.checkpoint_scope(Permission.OVERRIDE) == frozenset({house.gate.id})
    assert door.actor.sees_names
    with pytest.raises(Forbidden):
        await open_event(door.actor, "coscon", Permission.PAIR_DEVICES)


async def test_another_events_device_gets_in_nowhere(house: House) -> None:
    paired = await house.paired()
    actor = await devices.actor_for_token(paired.token)
    other = await make_event("meetup")
    for permission in (Permission.VIEW_PUBLIC, Permission.SCAN):
        with pytest.raises(Forbidden):
            await open_event(actor, other.slug, permission)
    await make_event("secret", state="draft")
    with pytest.raises(NotFound):
        await open_event(actor, "secret", Permission.SCAN)
    # Its own event may be taken back to a draft while phones are tried.
    async with unit_of_work():
        await Event.filter(id=house.event.id).update(state="draft")
    access.forget()
    assert (await house.door(paired.token)).event.id == house.event.id


async def test_a_forged_token_is_nobody_and_is_not_remembered(house: House) -> None:
    paired = await house.paired()
    for forged in ("hwd_", "hwd_" + "0" * 64, paired.token[:-1] + ("0" if paired.token[-1] != "0" else "1")):
        assert await devices.actor_for_token(forged) is ANONYMOUS
    before = db.stats.statements
    assert await devices.actor_for_token("hwd_nobody") is ANONYMOUS
    assert db.stats.statements == before + 1


async def test_a_known_device_costs_no_statement_of_its_own(house: House) -> None:
    paired = await house.paired()
    volunteer = await make_door(house.event, "scanner")

    async def cost(door: Door) -> int:
        before = db.stats.statements
        await scanning.scan(door=door, entry=entry(house.guests[0], house.gate), at=now())
        return db.stats.statements - before

    await cost(await house.door(paired.token))
    accounts = await cost(volunteer)
    before = db.stats.statements
    door = await house.door(paired.token)
    assert db.stats.statements == before
    assert await cost(door) == accounts


# --- its end -----------------------------------------------------------------------------------------------------


async def test_revoked_while_scanning_nothing_after_it_is_taken(house: House) -> None:
    paired = await house.paired()
    door = await house.door(paired.token)
    first, _ = await asyncio.gather(
        scanning.scan(door=door, entry=entry(house.guests[0], house.gate), at=now()),
        devices.revoke(door=house.lead, device_id=paired.device_id, at=now()),
    )
    # What had come in before is decided; the very next request is refused, and told why.
    assert first.verdict is VerdictCode.ADMITTED
    for late in (False, True):
        with pytest.raises(SignInNeeded) as told:
            await house.door(paired.token, late=late)
        assert told.value.code == DeviceCode.REVOKED
    actor = await devices.actor_for_token(paired.token)
    assert (actor.token_scopes, actor.sees_names) == (frozenset(), False)
    assert await Scan.all().count() == 1


async def test_revoking_is_seen_at_once_here_and_once_more_changes_nothing(house: House) -> None:
    paired = await house.paired()
    await asyncio.gather(
        *(devices.revoke(door=house.lead, device_id=paired.device_id, at=now()) for _ in range(8))
    )
    assert (await devices.actor_for_token(paired.token)).over == DeviceCode.REVOKED
    assert await JournalEntry.filter(verb="device.revoke").count() == 1
    with pytest.raises(Gone):
        await devices.change(door=house.lead, device_id=paired.device_id, change=Change(name="x"), at=now())


async def _end(device_id: int, expires_at: datetime) -> None:
    async with unit_of_work():
        await Device.filter(id=device_id).update(
            expires_at=expires_at, paired_at=expires_at - timedelta(hours=8)
        )
    devices.forget()


async def test_what_was_scanned_before_the_end_still_counts_for_a_day_and_a_half(house: House) -> None:
    paired = await house.paired()
    await _end(paired.device_id, now() - timedelta(hours=1))
    with pytest.raises(SignInNeeded) as told:
        await house.door(paired.token)
    assert told.value.code == DeviceCode.EXPIRED
    door = await house.door(paired.token, late=True)
    hour = 3_600_000
    before, after, just_now = await scanning.scan_batch(
        door=door,
        entries=[
            entry(house.guests[0], house.gate, 2 * hour),
            entry(house.guests[1], house.gate, hour // 2),
            entry(house.guests[2], house.gate),
        ],
        at=now(),
    )
    assert isinstance(before, scanning.Answer)
    assert before.verdict is VerdictCode.ADMITTED
    assert [one.code for one in (after, just_now) if isinstance(one, Refusal)] == [DeviceCode.EXPIRED] * 2
    assert await Scan.all().count() == 1

    await _end(paired.device_id, now() - timedelta(hours=37))
    with pytest.raises(SignInNeeded):
        await house.door(paired.token, late=True)


async def test_the_end_is_met_by_the_clock_not_by_the_cache(house: House) -> None:
    paired = await house.paired(device_expires_at=now() + timedelta(milliseconds=400))
    assert (await devices.actor_for_token(paired.token)).over == ""
    await asyncio.sleep(0.5)
    assert (await devices.actor_for_token(paired.token)).over == DeviceCode.EXPIRED


async def test_a_scan_from_before_the_pairing_is_not_believed(house: House) -> None:
    paired = await house.paired()
    door = await house.door(paired.token)
    at = now()
    # A clock that jumps back gives an age below zero, one that jumps ahead an age from before the pairing.
    for nth, age_ms in enumerate((3_600_000, -5_000, 2**53)):
        answer = await scanning.scan(door=door, entry=entry(house.guests[nth], house.gate, age_ms), at=at)
        assert (answer.verdict, answer.at, answer.is_doubtful) == (VerdictCode.ADMITTED, at, True)


# --- how it stands -----------------------------------------------------------------------------------------------


async def test_last_seen_is_written_every_ten_seconds_at_most(house: House) -> None:
    paired = await house.paired()
    actor = await devices.actor_for_token(paired.token)
    instance = (await Device.get()).instance
    begin = (await Device.get()).last_seen_at
    assert begin is not None
    commits = db.stats.commits
    view = await devices.own_view(actor)
    for seconds, queue in ((1, 5), (9, 6), (11, 7), (15, 8), (22, 9)):
        report = Report(instance, "2", queue, 3, ["storage_full", "from_tomorrow", "storage_full"])
        view = await devices.seen(actor=actor, report=report, at=begin + timedelta(seconds=seconds))
    assert db.stats.commits - commits == 2
    assert (view.queue_length, view.app_version, view.snapshot_version) == (9, "2", 3)
    assert view.problems == ("storage_full",)


async def test_two_phones_with_one_identity_are_seen_and_their_scans_count_once(house: House) -> None:
    paired = await house.paired()
    door = await house.door(paired.token)
    own, other = (await Device.get()).instance, uuid.uuid4()
    at = now() + timedelta(seconds=20)
    assert (await devices.seen(actor=door.actor, report=Report(own, queue_length=2), at=at)).troubles(
        at
    ) == []
    later = at + timedelta(seconds=20)
    for instance in (other, own):
        view = await devices.seen(actor=door.actor, report=Report(instance, queue_length=2), at=later)
        assert view.troubles(later) == ["two_phones"]
    [listed] = await devices.list_devices(door=house.lead)
    assert listed.troubles(later) == ["two_phones"]
    assert listed.troubles(later + timedelta(minutes=11)) == []
    # One queue copied to both: each of its scans is one scan.
    queued = [entry(guest, house.gate, 10) for guest in house.guests]
    answers = await asyncio.gather(
        *(scanning.scan_batch(door=door, entries=queued, at=later) for _ in range(2))
    )
    assert [[one.verdict for one in each if isinstance(one, scanning.Answer)] for each in answers] == [
        [VerdictCode.ADMITTED] * 3
    ] * 2
    assert await Scan.all().count() == 3


async def test_a_change_is_in_force_with_the_next_request(house: House) -> None:
    paired = await house.paired(volunteers=["林小满"])
    await house.door(paired.token)
    end = now() + timedelta(days=2)
    change = Change(
        name="South gate", volunteer="", checkpoints=[house.lunch.id], expires_at=end, is_lead=True
    )
    view = await devices.change(door=house.lead, device_id=paired.device_id, change=change, at=now())
    assert (view.name, view.volunteer, view.checkpoints, view.expires_at) == (
        "South gate",
        "",
        (house.lunch.id,),
        end,
    )
    door = await house.door(paired.token)
    assert (door.checkpoint_scope(), door.may(Permission.OVERRIDE)) == (frozenset({house.lunch.id}), True)
    line = await JournalEntry.get(verb="device.change")
    assert line.new["checkpoints"] == [house.lunch.id]
    assert "South gate" not in str(line.new)
    for wrong in (Change(name=" "), Change(checkpoints=[]), Change(expires_at=now() - timedelta(hours=1))):
        with pytest.raises(Invalid):
            await devices.change(door=house.lead, device_id=paired.device_id, change=wrong, at=now())


async def test_a_lead_sees_the_devices_of_own_checkpoints(house: House) -> None:
    mine, theirs = await house.paired(), await house.paired(checkpoints=[house.gate.id, house.lunch.id])
    narrow = replace(
        house.lead,
        scopes=tuple(
            replace(one, scope_kind="checkpoint", scope_id=house.gate.id) for one in house.lead.scopes
        ),
    )
    assert [one.id for one in await devices.list_devices(door=narrow)] == [mine.device_id]
    assert [one.id for one in await devices.list_devices(door=house.lead)] == [
        theirs.device_id,
        mine.device_id,
    ]
    with pytest.raises(NotFound):
        await devices.revoke(door=narrow, device_id=theirs.device_id, at=now())
    elsewhere = await _lead(await make_event("meetup"))
    with pytest.raises(NotFound):
        await devices.revoke(door=elsewhere, device_id=mine.device_id, at=now())


async def test_a_list_costs_one_statement_however_long(house: House) -> None:
    costs = []
    for _ in range(3):
        await house.paired(checkpoints=[house.gate.id, house.lunch.id])
        before = db.stats.statements
        await devices.list_devices(door=house.lead)
        costs.append(db.stats.statements - before)
    assert costs == [1, 1, 1]


async def test_codes_that_nobody_used_are_forgotten_in_time(house: House) -> None:
    await house.sheet(count=2, volunteers=["林小满"])
    used = await house.paired()
    await pairings.purge(now() + timedelta(days=1))
    assert await DevicePairing.all().count() == 3
    await pairings.purge(now() + timedelta(days=3))
    assert [row.device_id for row in await DevicePairing.all()] == [used.device_id]


async def test_a_phone_that_falls_silent_is_told_to_the_boards_once_and_once_when_it_is_back(
    house: House,
) -> None:
    topic = checkpoints.board_topic(house.event.id)
    one, other = await house.paired(), await house.paired(checkpoints=[house.lunch.id])
    at = now() + timedelta(minutes=1)

    async def version() -> int:
        return (await topics.versions([topic]))[topic]

    async def hear(paired: pairings.Paired, when: datetime) -> None:
        actor = await devices.actor_for_token(paired.token)
        instance = (await Device.get(id=paired.device_id)).instance
        await devices.seen(actor=actor, report=Report(instance=instance), at=when)

    async def told(when: datetime) -> dict[str, int]:
        found: dict[str, int] = (await counting.board(event_id=house.event.id, at=when))["devices"]
        return found

    await hear(one, at)
    await hear(other, at + timedelta(minutes=1))
    begun = await version()
    await devices.watch(at + timedelta(minutes=4))
    assert (await version(), await told(at)) == (begun, {"quiet": 0, "newest": 0})
    # Three processes look at once: it is one piece of news.
    await asyncio.gather(*(devices.watch(at + timedelta(minutes=5)) for _ in range(3)))
    assert (await version(), await told(at)) == (begun + 1, {"quiet": 1, "newest": one.device_id})
    await devices.watch(at + timedelta(minutes=6))
    assert await told(at) == {"quiet": 2, "newest": other.device_id}
    assert await devices.quiet(house.event.id, [house.gate.id]) == (1, one.device_id)
    assert await devices.quiet(house.event.id, [house.lunch.id]) == (1, other.device_id)
    # Heard of again: told at once, and only then.
    before = await version()
    await hear(one, at + timedelta(minutes=7))
    await hear(one, at + timedelta(minutes=7, seconds=30))
    assert (await version(), await told(at)) == (before + 1, {"quiet": 1, "newest": other.device_id})
    # Put away, or revoked, is no news any more.
    await devices.revoke(door=house.lead, device_id=other.device_id, at=at + timedelta(minutes=8))
    await devices.watch(at + timedelta(minutes=9))
    assert await told(at) == {"quiet": 0, "newest": 0}
    await devices.watch(at + timedelta(minutes=13))
    assert (await told(at))["quiet"] == 1
    await devices.watch(at + timedelta(hours=4))
    assert (await told(at))["quiet"] == 0
