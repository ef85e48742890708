"""Scans made without network, when they arrive: the verdict stands, the person who stands inside counts, once."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from checkin import conflicts, counting, privacy, scanning
from checkin.conflict_rules import Story
from checkin.models import Arrival, DayTally, Passport, Presence, Scan, ScanConflict
from checkin.offline_rules import Local
from checkin.rules import AGE_MAX, Direction, VerdictCode, read_code
from checkin.scanning import Answer, ScanEntry, scan, scan_batch
from checkin.undoing import undo
from events import queries
from events.access import Door
from events.models import Event, TicketType
from events.privacy import Erased
from kernel import db
from kernel.errors import Forbidden, Invalid, NotFound
from kernel.settings import Settings
from people import topics
from people.models import JournalEntry
from tests.factories import (
    NOW,
    make_checkpoint,
    make_door,
    make_event,
    make_passport,
    make_place,
    make_ticket_type,
)

V = VerdictCode
MINUTE = 60_000


async def _house() -> tuple[Event, TicketType, Door, Door]:
    event = await make_event()
    return event, await make_ticket_type(event), await make_door(event), await make_door(event)


def _entry(checkpoint: Any, code: str, local: Local = Local.ADMITTED, **more: Any) -> ScanEntry:
    return ScanEntry(
        more.pop("scan_id", uuid.uuid4()),
        code,
        checkpoint.id,
        more.pop("direction", Direction.ENTRY),
        more.pop("age_ms", 5 * MINUTE),
        local=local,
        **more,
    )


async def _scan(
    door: Door, checkpoint: Any, code: str, local: Local = Local.NONE, direction: Direction = Direction.ENTRY
) -> Answer:
    return await scan(door=door, entry=_entry(checkpoint, code, local, direction=direction), at=NOW)


async def _inside() -> list[int]:
    return [row.inside for row in await Presence.all()]


async def test_who_was_let_in_counts_as_inside_though_the_verdict_is_no(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    gate = await make_checkpoint(event, scans_exits=True)
    guest = await make_passport(event, ticket_type, status="revoked")
    entry = _entry(gate, guest.token)
    answer = await scan(door=door, entry=entry, at=NOW)
    assert (answer.verdict, answer.is_conflict, answer.holder is not None) == (V.REVOKED, True, True)
    refused, beside = await Scan.all().order_by("id")
    assert (refused.verdict, refused.turn, refused.scan_id) == ("revoked", None, entry.scan_id)
    assert (beside.verdict, beside.turn, beside.at) == ("let_in", 0, refused.at)
    assert (await _inside(), await Arrival.all().count()) == ([1], 1)
    [row] = await ScanConflict.all()
    assert (row.scan_id, row.local, row.actor_key, row.passport_id) == (
        entry.scan_id, "admitted", door.actor.key, guest.id,
    )  # fmt: skip
    # Again at the same lane: refused, a conflict, and still one person.
    again = await _scan(door, gate, guest.token, Local.ADMITTED)
    assert (again.verdict, again.is_conflict) == (V.REVOKED, True)
    assert (await _inside(), await Arrival.all().count()) == ([1], 1)
    out = await _scan(door, gate, guest.token, Local.EXIT, Direction.EXIT)
    assert (out.verdict, out.is_conflict) == (V.EXIT_RECORDED, False)
    assert await _inside() == [0]
    assert await counting.rebuild(event.id) == []


@pytest.mark.parametrize("local", list(Local))
async def test_the_same_scan_whatever_the_phone_told(database: Settings, local: Local) -> None:
    """``local`` is no part of a scan's identity: another one under the same id is a replay, never a mismatch."""
    event, ticket_type, door, _ = await _house()
    gate = await make_checkpoint(event)
    guest = await make_passport(event, ticket_type)
    entry = _entry(gate, guest.token, Local.ADMITTED)
    first = await scan(door=door, entry=entry, at=NOW)
    again = await scan(door=door, entry=entry._replace(local=local), at=NOW)
    assert (first.verdict, again.verdict, again.is_replay) == (V.ADMITTED, V.ADMITTED, True)
    # The one case that must be looked at: the ledger has them inside, the phone had sent them away.
    assert again.is_conflict is (local is Local.REFUSED)
    assert await Scan.all().count() == 1
    assert await counting.rebuild(event.id) == []


async def test_a_lost_answer_and_a_phone_that_then_decided_alone(database: Settings) -> None:
    """The server refused, the answer was lost, the phone let them in: known when the same id comes with ``local``."""
    event, ticket_type, door, _ = await _house()
    room = await make_checkpoint(event, kind="session", scans_exits=True)
    guest = await make_passport(event, ticket_type, status="cancelled")
    entry = _entry(room, guest.token, Local.NONE, age_ms=None)
    first = await scan(door=door, entry=entry, at=NOW)
    assert (first.verdict, first.is_conflict, await _inside()) == (V.CANCELLED, False, [])
    queued = entry._replace(local=Local.ADMITTED, age_ms=10 * MINUTE)
    later = NOW + timedelta(minutes=10)
    told = await scan_batch(door=door, entries=[queued, queued], at=later)
    more = await asyncio.gather(*(scan(door=door, entry=queued, at=later) for _ in range(32)))
    for answer in (*told, *more):
        assert isinstance(answer, Answer)
        assert (answer.verdict, answer.is_conflict, answer.is_replay) == (V.CANCELLED, True, True)
        assert answer.at == NOW
    assert [row.verdict for row in await Scan.all().order_by("id")] == ["cancelled", "let_in"]
    assert (await ScanConflict.all().count(), await _inside()) == (1, [1])
    assert await counting.rebuild(event.id) == []


async def test_admitted_at_two_lanes(database: Settings) -> None:
    event, ticket_type, north, south = await _house()
    gate = await make_checkpoint(event)
    lane = await make_checkpoint(event, list_id=gate.list_id)
    guest = await make_passport(event, ticket_type)
    first = await scan(door=south, entry=_entry(lane, guest.token, Local.NONE, age_ms=None), at=NOW)
    second = await scan(
        door=north, entry=_entry(gate, guest.token, age_ms=9 * MINUTE), at=NOW + timedelta(minutes=8)
    )
    own = await scan(door=north, entry=_entry(gate, guest.token, age_ms=None), at=NOW)
    assert (first.verdict, first.is_conflict) == (V.ADMITTED, False)
    assert (second.verdict, second.is_conflict) == (V.WELCOME_BACK, True)
    assert second.first is not None and second.first.by == south.actor.key
    # It is the first admission that is met again, by another; each such scan is somebody's to look at.
    assert own.is_conflict
    replay = await scan(door=north, entry=_entry(gate, guest.token, scan_id=second.scan_id), at=NOW)
    assert (replay.is_conflict, replay.is_replay, replay.first) == (True, True, second.first)
    assert await Arrival.all().count() == 1
    assert await counting.rebuild(event.id) == []


async def test_a_repeat_at_its_own_lane_is_no_conflict(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    meal = await make_checkpoint(event, kind="meal", on_repeat="refuse")
    guest = await make_passport(event, ticket_type)
    found = [await _scan(door, meal, guest.token, Local.ADMITTED) for _ in range(2)]
    assert [(one.verdict, one.is_conflict) for one in found] == [(V.ADMITTED, False), (V.ALREADY_USED, False)]


async def test_a_limit_counts_whom_it_could_not_stop(database: Settings) -> None:
    """32 people let in without network into a room for five: all of them stand there, and the limit then holds."""
    event, ticket_type, door, _ = await _house()
    room = await make_checkpoint(event, kind="session", scans_exits=True, capacity=5)
    guests = [await make_passport(event, ticket_type) for _ in range(32)]
    committers = [scanning.Committer() for _ in range(3)]
    futures = []
    for index, guest in enumerate(guests):
        entry = _entry(room, guest.token)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        futures.append(future)
        committers[index % 3].put(
            scanning._Waiting(
                entry=entry,
                event_id=event.id,
                actor_key=door.actor.key,
                arrived=NOW,
                future=future,
                reading=read_code(entry.code),
                body_digest=entry.code,
            )
        )
    answers = await asyncio.gather(*futures)
    assert Counter((one.verdict, one.is_conflict) for one in answers) == {
        (V.ADMITTED, False): 5,
        (V.FULL, True): 27,
    }
    assert (await _inside(), await ScanConflict.all().count()) == ([32], 27)
    late = await make_passport(event, ticket_type)
    assert (await _scan(door, room, late.token)).verdict is V.FULL
    for guest in guests[:28]:
        await _scan(door, room, guest.token, Local.EXIT, Direction.EXIT)
    assert (await _scan(door, room, late.token)).verdict is V.ADMITTED
    assert await counting.rebuild(event.id) == []


async def test_a_code_of_nobody_is_shown_and_not_counted(database: Settings) -> None:
    event, _, door, _ = await _house()
    other = await make_event()
    stranger = await make_passport(other, await make_ticket_type(other))
    gate = await make_checkpoint(event, scans_exits=True)
    found = [await _scan(door, gate, code, Local.UNKNOWN_YET) for code in ("nobody has this", stranger.token)]
    assert [(one.verdict, one.is_conflict) for one in found] == [(V.UNKNOWN, True), (V.OTHER_EVENT, True)]
    assert [row.passport_id for row in await ScanConflict.all()] == [None, None]
    assert (await _inside(), await Arrival.all().count(), await Scan.all().count()) == ([], 0, 2)


async def test_somebody_registered_after_the_list_was_made_is_simply_admitted(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    gate = await make_checkpoint(event)
    guest = await make_passport(event, ticket_type)
    answer = await _scan(door, gate, guest.token, Local.UNKNOWN_YET)
    assert (answer.verdict, answer.is_conflict) == (V.ADMITTED, False)


async def test_who_was_sent_away_is_not_inside(database: Settings) -> None:
    """The phone refused out of an old list: nothing of the person is used up, and the lunch is still theirs."""
    event, ticket_type, door, _ = await _house()
    meal = await make_checkpoint(event, kind="meal", on_repeat="refuse", scans_exits=True)
    guest = await make_passport(event, ticket_type)
    answer = await _scan(door, meal, guest.token, Local.REFUSED)
    assert (answer.verdict, answer.is_conflict) == (V.TURNED_AWAY, True)
    assert (await _inside(), [row.outcome for row in await DayTally.all()]) == ([], ["refused"])
    assert (await _scan(door, meal, guest.token)).verdict is V.ADMITTED
    assert await counting.rebuild(event.id) == []


async def test_a_room_without_exits_counts_whom_it_let_in(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    place = await make_place(event, capacity=100)
    gate = await make_checkpoint(event, place_id=place.id)
    guests = [
        await make_passport(event, ticket_type, status=status) for status in ("valid", "revoked", "revoked")
    ]
    for guest in guests:
        await _scan(door, gate, guest.token, Local.ADMITTED)
    board = await counting.board(event_id=event.id, at=NOW)
    [row] = board["checkpoints"]
    assert row[:5] == [gate.id, 1, 0, 0, 2]
    assert board["arrived"] == 3
    assert sum(board["reasons"]["counts"].values()) == 2
    now = await counting._look(event.id, NOW)
    [filled] = counting._rooms(now, await queries.places(event.id))
    assert (filled.count, filled.of) == (3, "entries")
    # A lead who brought one of them out again.
    beside = await Scan.filter(verdict="let_in").order_by("id").first()
    assert beside is not None
    lead = await make_door(event, "organiser")
    taken = await undo(door=lead, scan_id=uuid.uuid4(), target=beside.scan_id, reason="brought out", at=NOW)
    assert taken is V.LET_IN_UNDONE
    now = await counting._look(event.id, NOW)
    [filled] = counting._rooms(now, await queries.places(event.id))
    assert (filled.count, (await counting.board(event_id=event.id, at=NOW))["arrived"]) == (2, 2)
    assert (await counting.board(event_id=event.id, at=NOW))["checkpoints"][0][1] == 1
    assert await counting.rebuild(event.id) == []


async def test_no_conflict_no_cost_and_many_cost_what_one_costs(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    gate = await make_checkpoint(event, scans_exits=True)
    valid = [await make_passport(event, ticket_type) for _ in range(8)]
    revoked = [await make_passport(event, ticket_type, status="revoked") for _ in range(44)]
    await _scan(door, gate, "warm the picture of the event")

    async def cost(guests: list[Passport], local: Local) -> int:
        before = db.stats.statements
        await scan_batch(door=door, entries=[_entry(gate, one.token, local) for one in guests], at=NOW)
        return db.stats.statements - before

    online, offline = await cost(valid[:1], Local.NONE), await cost(valid[1:4], Local.ADMITTED)
    assert online == offline
    few, many = await cost(revoked[:1], Local.ADMITTED), await cost(revoked[1:], Local.ADMITTED)
    # On SQLite each kind of rows is a statement of the same visit to the writer: the conflicts, and refusals by reason.
    assert few == many <= online + 2


async def test_everything_that_was_ever_sent_comes_again(database: Settings) -> None:
    """A device replays its whole history: 500 scans, refusals and conflicts among them, answered alike, counted once."""
    event, ticket_type, door, other = await _house()
    gate = await make_checkpoint(event, scans_exits=True)
    meal = await make_checkpoint(event, kind="meal", on_repeat="refuse")
    stranger_event = await make_event()
    stranger = await make_passport(stranger_event, await make_ticket_type(stranger_event))
    guests = [
        await make_passport(event, ticket_type, status="revoked" if number % 10 == 0 else "valid")
        for number in range(60)
    ]
    queue = []
    for number in range(498):
        guest, where = guests[number % 60], (gate, meal)[number // 60 % 2]
        local = (Local.ADMITTED, Local.NONE, Local.UNKNOWN_YET, Local.REFUSED)[number % 4]
        direction = Direction.EXIT if where is gate and number % 7 == 0 else Direction.ENTRY
        queue.append(_entry(where, guest.token, local, direction=direction, age_ms=MINUTE * (600 - number)))
    queue += [_entry(gate, stranger.token, Local.UNKNOWN_YET), _entry(gate, "nobody", Local.UNKNOWN_YET)]
    for guest in guests[:30]:
        await _scan(other, meal, guest.token)
    first = await scan_batch(door=door, entries=queue, at=NOW)
    assert all(isinstance(one, Answer) for one in first) and len(first) == 500
    before = (
        await Scan.all().count(), await ScanConflict.all().count(), await Arrival.all().count(),
        sorted([(row.list_id, row.inside) for row in await Presence.all()]),
        sorted([(row.checkpoint_id, row.outcome, row.count) for row in await DayTally.all()]),
    )  # fmt: skip
    assert before[1] > 50
    for hours in (1, 30, 24 * 30):
        again = await scan_batch(door=door, entries=queue, at=NOW + timedelta(hours=hours))
        for one, two in zip(first, again, strict=True):
            assert isinstance(one, Answer) and isinstance(two, Answer)
            assert two == one._replace(is_replay=True)
    after = (
        await Scan.all().count(), await ScanConflict.all().count(), await Arrival.all().count(),
        sorted([(row.list_id, row.inside) for row in await Presence.all()]),
        sorted([(row.checkpoint_id, row.outcome, row.count) for row in await DayTally.all()]),
    )  # fmt: skip
    assert after == before
    assert await counting.rebuild(event.id) == []


async def test_a_batch_keeps_its_order_and_merges_its_own_repeats(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    gate = await make_checkpoint(event, scans_exits=True)
    guest = await make_passport(event, ticket_type)
    first, out, back = (
        _entry(gate, guest.token, Local.ADMITTED, age_ms=30 * MINUTE),
        _entry(gate, guest.token, Local.EXIT, direction=Direction.EXIT, age_ms=20 * MINUTE),
        _entry(gate, guest.token, Local.ADMITTED, age_ms=10 * MINUTE),
    )
    # A clock that jumped back: the third says that it is older than the first. The order is the device's own.
    jumped = back._replace(age_ms=40 * MINUTE)
    answers = await scan_batch(door=door, entries=[first, out, jumped, out, first], at=NOW)
    found = [(one.verdict, one.is_replay) for one in answers if isinstance(one, Answer)]
    assert found == [
        (V.ADMITTED, False), (V.EXIT_RECORDED, False), (V.ADMITTED, False), (V.EXIT_RECORDED, True), (V.ADMITTED, True),
    ]  # fmt: skip
    assert await Scan.all().count() == 3


async def test_an_age_that_cannot_be_is_marked(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    gate = await make_checkpoint(event)
    ages = (-MINUTE, int(AGE_MAX.total_seconds() * 1000) + 1)
    for age_ms in ages:
        guest = await make_passport(event, ticket_type)
        answer = await scan(door=door, entry=_entry(gate, guest.token, age_ms=age_ms), at=NOW)
        assert (answer.verdict, answer.at, answer.is_doubtful) == (V.ADMITTED, NOW, True)


async def test_dealt_with_once_by_its_own_device_or_a_lead(database: Settings) -> None:
    event, ticket_type, door, other = await _house()
    gate, lane = await make_checkpoint(event), await make_checkpoint(event)
    guests = [await make_passport(event, ticket_type, status="revoked") for _ in range(3)]
    answers = [await _scan(door, gate, guest.token, Local.ADMITTED) for guest in guests[:2]]
    await _scan(other, lane, guests[2].token, Local.ADMITTED)
    mine = await conflicts.of_actor(event.id, door.actor.key)
    assert [one.scan_id for one in mine] == [answers[1].scan_id, answers[0].scan_id]
    assert [(one.story, one.name, one.is_open) for one in mine] == [
        (Story.REFUSED, guest.badge_name, True) for guest in (guests[1], guests[0])
    ]
    before = await topics.versions([f"board.{event.id}"])
    found = await asyncio.gather(
        *(
            conflicts.deal(door=door, scan_id=answers[0].scan_id, note=f"note {number}", at=NOW)
            for number in range(32)
        )
    )
    assert len({one.note for one in found}) == 1 and found[0].dealt_by == door.actor.key
    assert await JournalEntry.filter(verb="conflict.dealt").count() == 1
    assert (await topics.versions([f"board.{event.id}"]))[f"board.{event.id}"] == before[
        f"board.{event.id}"
    ] + 1
    with pytest.raises(Forbidden):
        await conflicts.deal(door=other, scan_id=answers[1].scan_id, note="", at=NOW)
    lead = await make_door(event, "volunteer_lead")
    assert not (await conflicts.deal(door=lead, scan_id=answers[1].scan_id, note="", at=NOW)).is_open
    elsewhere = await make_door(await make_event(), "organiser")
    for by, scan_id in ((elsewhere, answers[1].scan_id), (lead, uuid.uuid4())):
        with pytest.raises(NotFound):
            await conflicts.deal(door=by, scan_id=scan_id, note="", at=NOW)
    with pytest.raises(Invalid):
        await conflicts.deal(door=lead, scan_id=answers[1].scan_id, note="x" * 201, at=NOW)
    assert await conflicts.of_actor(event.id, door.actor.key) == []
    assert await conflicts.figures(event.id) == conflicts.Figures(1, 3, 3)
    assert await conflicts.figures(event.id, [gate.id]) == conflicts.Figures(0, 2, 0)
    board = await counting.board(event_id=event.id, at=NOW)
    assert board["conflicts"] == {"open": 1, "total": 3, "newest": 3}


async def test_both_stories_are_told(database: Settings) -> None:
    event, ticket_type, north, south = await _house()
    gate = await make_checkpoint(event)
    lane = await make_checkpoint(event, list_id=gate.list_id)
    guest = await make_passport(event, ticket_type)
    await scan(door=south, entry=_entry(lane, guest.token, Local.NONE, age_ms=MINUTE), at=NOW)
    await scan(door=north, entry=_entry(gate, guest.token, age_ms=2 * MINUTE), at=NOW)
    [one] = await conflicts.list_all(event.id)
    assert (one.story, one.checkpoint_id, one.at) == (Story.TWO_LANES, gate.id, NOW - timedelta(minutes=2))
    assert one.other == conflicts.Other(NOW - timedelta(minutes=1), lane.id, south.actor.key)
    assert list(await conflicts.actor_names([one.by, "device:7", "system:0", "nonsense"])) == [
        north.actor.key
    ]
    assert await conflicts.list_all(event.id, before=one.id) == []
    assert await conflicts.list_all(event.id, checkpoint_ids=[lane.id]) == []


async def test_a_note_goes_with_the_person(database: Settings) -> None:
    event, ticket_type, door, _ = await _house()
    gate = await make_checkpoint(event)
    gone, stays = [await make_passport(event, ticket_type, status="revoked") for _ in range(2)]
    for code in (gone.token, stays.token, "nobody"):
        answer = await _scan(door, gate, code, Local.ADMITTED)
        await conflicts.deal(door=door, scan_id=answer.scan_id, note=f"it was {code}", at=NOW)
    async with db.unit_of_work():
        await privacy.follow_erasure(Erased(event_id=event.id, registration_ids=(gone.registration_id,)))
    notes = {row.passport_id: row.note for row in await ScanConflict.all()}
    assert notes == {gone.id: "", stays.id: f"it was {stays.token}", None: ""}
