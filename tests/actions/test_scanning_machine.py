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
from checkin.models import Arrival, Presence, Scan
from checkin.rules import Direction, VerdictCode
from checkin.scanning import Answer, ScanEntry, scan_batch
from events.access import Door
from kernel.settings import Settings
from tests.factories import NOW, make_checkpoint, make_door, make_event, make_passport, make_ticket_type

V = VerdictCode
GUESTS = 3
ROOM_HOLDS = 2


@dataclass
class Model:
    """Who is inside what, kept as a child would: sets and counts."""

    inside: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    ever: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    arrived: set[tuple[str, int]] = field(default_factory=set)

    def expect(self, where: str, day: str, guest: int, direction: Direction) -> VerdictCode:
        period = "" if where == "booth" else day
        key = (where, period)
        if direction is Direction.EXIT:
            if where != "room":
                return V.NO_EXITS_HERE
            if guest not in self.inside[key]:
                return V.NOT_INSIDE
            self.inside[key].discard(guest)
            return V.EXIT_RECORDED
        if where == "meal" and guest in self.ever[key]:
            return V.ALREADY_USED
        if guest in self.inside[key]:
            return V.WELCOME_BACK if where == "gate" else V.ALREADY_HERE
        if where == "room" and len(self.inside[key]) >= ROOM_HOLDS:
            return V.FULL
        self.inside[key].add(guest)
        self.ever[key].add(guest)
        if where == "gate":
            self.arrived.add((day, guest))
        return V.ADMITTED


class Door_(RuleBasedStateMachine):  # noqa: N801 -- Door is the house's
    """Each rule is one upload of a device; the model is asked the same questions in the same order."""

    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    @initialize()
    def open(self) -> None:
        self.model = Model()
        self.sent: list[tuple[ScanEntry, VerdictCode, datetime]] = []
        self.run(self._open())

    async def _open(self) -> None:
        event = await make_event()
        self.event_id = event.id
        ticket_type = await make_ticket_type(event)
        self.door: Door = await make_door(event)
        self.places = {
            "gate": await make_checkpoint(event),
            "booth": await make_checkpoint(event, kind="booth", once="event", on_repeat="warn"),
            "meal": await make_checkpoint(event, kind="meal", on_repeat="refuse"),
            "room": await make_checkpoint(
                event, kind="session", on_repeat="warn", scans_exits=True, capacity=ROOM_HOLDS
            ),
        }
        self.guests = [await make_passport(event, ticket_type) for _ in range(GUESTS)]

    def _entry(self, where: str, guest: int, direction: Direction, by: str) -> ScanEntry:
        passport = self.guests[guest]
        code = passport.token if by == "token" else passport.short_code
        return ScanEntry(uuid.uuid4(), code, self.places[where].id, direction)

    readings = st.lists(
        st.tuples(
            st.sampled_from(["gate", "booth", "meal", "room"]),
            st.integers(0, GUESTS - 1),
            st.sampled_from([Direction.ENTRY, Direction.ENTRY, Direction.EXIT]),
            st.sampled_from(["token", "short"]),
        ),
        min_size=1,
        max_size=6,
    )

    @rule(readings=readings, later=st.integers(0, 1))
    def upload(self, readings: list[tuple[str, int, Direction, str]], later: int) -> None:
        at = NOW + timedelta(days=later)
        day = f"2023-10-{28 + later}"
        entries = [self._entry(*reading) for reading in readings]
        answers = self.run(scan_batch(door=self.door, entries=entries, at=at))
        for reading, entry, answer in zip(readings, entries, answers, strict=True):
            expected = self.model.expect(reading[0], day, reading[1], reading[2])
            assert isinstance(answer, Answer)
            assert answer.verdict is expected, (reading, day)
            assert not answer.is_replay
            self.sent.append((entry, expected, at))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.sent), min_size=1, max_size=5))
        answers = self.run(
            scan_batch(
                door=self.door, entries=[one[0] for one in chosen], at=NOW + timedelta(days=1, hours=5)
            )
        )
        for (_, verdict, at), answer in zip(chosen, answers, strict=True):
            assert (answer.verdict, answer.at, answer.is_replay) == (verdict, at, True)

    @invariant()
    def ledger_equals_model(self) -> None:
        if hasattr(self, "guests"):
            self.run(self._compare())

    async def _compare(self) -> None:
        assert await Scan.filter(event_id=self.event_id).count() == len(self.sent)
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
