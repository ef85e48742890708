"""Scans in any order, with replays, batches and days, against a model that anybody can read."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from checkin import counting
from checkin.models import Arrival, Presence, Scan, ScanConflict
from checkin.offline_rules import Local
from checkin.rules import Direction, VerdictCode
from checkin.scanning import Answer, ScanEntry, scan_batch
from events.access import Door
from kernel.settings import Settings
from tests.factories import NOW, make_checkpoint, make_door, make_event, make_passport, make_ticket_type

V = VerdictCode
GUESTS = 4
#: The guest whose passport was revoked.
REVOKED = 3
ROOM_HOLDS = 2
Reading = tuple[str, int, Direction, str, Local]


@dataclass
class Sent:
    """A scan as a device sent it, and what the model says of it."""

    where: str
    guest: int
    direction: Direction
    local: Local
    by: int
    day: str
    entry: ScanEntry
    at: datetime
    verdict: VerdictCode = V.UNKNOWN
    met: int | None = None
    conflict: bool = False


@dataclass
class Model:
    """Who is inside what, kept as a child would: names on a list, and counts."""

    #: By whom each was let in.
    inside: dict[tuple[str, str], dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    ever: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    arrived: set[tuple[str, int]] = field(default_factory=set)
    let_in: int = 0
    conflicts: int = 0

    def expect(self, where: str, day: str, guest: int, direction: Direction) -> VerdictCode:
        period = "" if where == "booth" else day
        key = (where, period)
        if direction is Direction.EXIT:
            if where != "room":
                return V.NO_EXITS_HERE
            if guest not in self.inside[key]:
                return V.NOT_INSIDE
            del self.inside[key][guest]
            return V.EXIT_RECORDED
        if guest == REVOKED:
            return V.REVOKED
        if where == "meal" and guest in self.ever[key]:
            return V.ALREADY_USED
        if guest in self.inside[key]:
            return V.WELCOME_BACK if where == "gate" else V.ALREADY_HERE
        if where == "room" and len(self.inside[key]) >= ROOM_HOLDS:
            return V.FULL
        return V.ADMITTED

    def scan(self, one: Sent) -> None:
        """Fills in what is to be answered, then what it changes."""
        verdict = self.expect(one.where, one.day, one.guest, one.direction)
        if verdict is V.ADMITTED and one.local is Local.REFUSED:
            verdict = V.TURNED_AWAY
        one.verdict = verdict
        one.met = self.inside[self._key(one)].get(one.guest)
        if verdict is V.ADMITTED:
            self._enter(one)
        self.tell(one, one.local)

    def tell(self, one: Sent, local: Local) -> None:
        """What a phone told, with the scan or with a later try of the same."""
        if one.conflict or one.direction is Direction.EXIT or local in {Local.NONE, Local.EXIT}:
            return
        if local is Local.REFUSED:
            one.conflict = one.verdict in {V.ADMITTED, V.TURNED_AWAY}
        elif one.verdict in {V.WELCOME_BACK, V.ALREADY_HERE, V.ALREADY_USED}:
            one.conflict = one.met is not None and one.met != one.by
        else:
            one.conflict = one.verdict is not V.ADMITTED
        self.conflicts += one.conflict
        if one.conflict and local is not Local.REFUSED and one.guest not in self.inside[self._key(one)]:
            self._enter(one)
            self.let_in += 1

    def _key(self, one: Sent) -> tuple[str, str]:
        return one.where, "" if one.where == "booth" else one.day

    def _enter(self, one: Sent) -> None:
        self.inside[self._key(one)][one.guest] = one.by
        self.ever[self._key(one)].add(one.guest)
        if one.where == "gate":
            self.arrived.add((one.day, one.guest))


class Door_(RuleBasedStateMachine):  # noqa: N801 -- Door is the house's
    """Each rule is one upload of a device; the model is asked the same questions in the same order."""

    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    @initialize()
    def open(self) -> None:
        self.model = Model()
        self.sent: list[Sent] = []
        self.run(self._open())

    async def _open(self) -> None:
        event = await make_event()
        self.event_id = event.id
        ticket_type = await make_ticket_type(event)
        self.doors: list[Door] = [await make_door(event), await make_door(event)]
        self.places = {
            "gate": await make_checkpoint(event),
            "booth": await make_checkpoint(event, kind="booth", once="event", on_repeat="warn"),
            "meal": await make_checkpoint(event, kind="meal", on_repeat="refuse"),
            "room": await make_checkpoint(
                event, kind="session", on_repeat="warn", scans_exits=True, capacity=ROOM_HOLDS
            ),
        }
        self.guests = [
            await make_passport(event, ticket_type, status="revoked" if guest == REVOKED else "valid")
            for guest in range(GUESTS)
        ]

    def _sent(self, reading: Reading, by: int, at: datetime) -> Sent:
        where, guest, direction, code, local = reading
        passport = self.guests[guest]
        entry = ScanEntry(
            uuid.uuid4(),
            passport.token if code == "token" else passport.short_code,
            self.places[where].id,
            direction,
            local=local,
        )
        return Sent(where, guest, direction, local, by, f"2023-10-{at.day}", entry, at)

    readings = st.lists(
        st.tuples(
            st.sampled_from(["gate", "booth", "meal", "room"]),
            st.integers(0, GUESTS - 1),
            st.sampled_from([Direction.ENTRY, Direction.ENTRY, Direction.EXIT]),
            st.sampled_from(["token", "short"]),
            st.sampled_from([Local.NONE, Local.NONE, *Local]),
        ),
        min_size=1,
        max_size=6,
    )

    @rule(readings=readings, later=st.integers(0, 1), by=st.integers(0, 1))
    def upload(self, readings: list[Reading], later: int, by: int) -> None:
        at = NOW + timedelta(days=later)
        queue = [self._sent(reading, by, at) for reading in readings]
        answers = self.run(scan_batch(door=self.doors[by], entries=[one.entry for one in queue], at=at))
        for one, answer in zip(queue, answers, strict=True):
            self.model.scan(one)
            assert isinstance(answer, Answer)
            assert (answer.verdict, answer.is_conflict) == (one.verdict, one.conflict), one
            assert not answer.is_replay
            self.sent.append(one)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), by=st.integers(0, 1))
    def replay(self, data: st.DataObject, by: int) -> None:
        """The same scans again, now perhaps with what the phone has told meanwhile."""
        own = [one for one in self.sent if one.by == by]
        if not own:
            return
        chosen = data.draw(st.lists(st.sampled_from(own), min_size=1, max_size=5))
        locals_ = data.draw(st.lists(st.sampled_from(Local), min_size=len(chosen), max_size=len(chosen)))
        answers = self.run(
            scan_batch(
                door=self.doors[by],
                entries=[one.entry._replace(local=local) for one, local in zip(chosen, locals_, strict=True)],
                at=NOW + timedelta(days=1, hours=5),
            )
        )
        for one, local, answer in zip(chosen, locals_, answers, strict=True):
            self.model.tell(one, local)
            found = (answer.verdict, answer.at, answer.is_conflict, answer.is_replay)
            assert found == (one.verdict, one.at, one.conflict, True), (one, local)

    @invariant()
    def ledger_equals_model(self) -> None:
        if hasattr(self, "guests"):
            self.run(self._compare())

    async def _compare(self) -> None:
        assert await Scan.filter(event_id=self.event_id).count() == len(self.sent) + self.model.let_in
        assert await ScanConflict.filter(event_id=self.event_id).count() == self.model.conflicts
        room = self.places["room"]
        found = {row.period: row.inside for row in await Presence.filter(list_id=room.list_id)}
        expected = {key[1]: len(guests) for key, guests in self.model.inside.items() if key[0] == "room"}
        assert {key: count for key, count in found.items() if count} == {
            key: count for key, count in expected.items() if count
        }
        assert await Arrival.filter(event_id=self.event_id).count() == len(self.model.arrived)

    def teardown(self) -> None:
        if hasattr(self, "guests"):
            assert self.run(counting.rebuild(self.event_id)) == []


async def test_scans_in_any_order_agree_with_the_model(database: Settings) -> None:
    Door_.loop = asyncio.get_running_loop()
    await asyncio.to_thread(
        run_state_machine_as_test,
        Door_,
        settings=settings(
            max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
