"""Places: one tree, no loops, codes apart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from events import queries, venue
from events.models import Place
from events.rules import EventCode, PlaceKind
from kernel import db
from kernel.errors import Conflict, Invalid, NotFound
from kernel.settings import Settings
from kernel.text import LocalizedText
from people.models import JournalEntry
from tests.factories import NOW, make_event


async def add(event_id: int, code: str, parent_id: int | None = None, **more: Any) -> int:
    name = LocalizedText({"zh-Hans": f"场所{code}", "en": f"Place {code}"})
    return await venue.add_place(
        event_id=event_id,
        code=code,
        kind=PlaceKind.ROOM,
        name=name,
        parent_id=parent_id,
        **({"at": NOW} | more),
    )


async def test_the_tree_is_read_from_above_in_order_by_one_statement(database: Settings) -> None:
    event = await make_event()
    hall = await add(event.id, "hall", capacity=2000)
    statements = []
    found: Sequence[queries.PlaceFacts] = []
    for codes in (["r3"], ["r1", "r2"]):
        for code in codes:
            await add(event.id, code, hall, position=int(code[1]))
        before = db.stats.statements
        found = await queries.places(event.id)
        statements.append(db.stats.statements - before)
    other = await make_event()
    await add(other.id, "hall")
    assert [line.verb for line in await JournalEntry.filter(event_id=event.id)] == ["place.add"] * 4
    assert [line.verb for line in await JournalEntry.filter(event_id=other.id)] == ["place.add"]
    assert statements == [1, 1]
    assert [(place.code, place.depth) for place in found] == [("hall", 0), ("r1", 1), ("r2", 1), ("r3", 1)]
    assert found[1].path_in("en") == "Place hall › Place r1"
    assert found[0].capacity == 2000


async def test_wrong_places_are_refused_at_their_fields(database: Settings) -> None:
    event, other = await make_event(), await make_event()
    await add(event.id, "hall")
    foreign = await add(other.id, "hall")
    for code, more, expected in [
        ("hall", {}, {"code": "place_code_taken"}),
        ("a b", {"capacity": -1}, {"code": "malformed", "capacity": "out_of_range"}),
        ("r1", {"parent_id": foreign}, {"parent_id": "place_unknown"}),
    ]:
        with pytest.raises(Invalid) as refused:
            await add(event.id, code, **more)
        assert {name: problem.code for name, problem in refused.value.fields.items()} == expected
    with pytest.raises(NotFound):
        await venue.move_place(event_id=event.id, place_id=foreign, parent_id=None, at=NOW)


async def test_a_place_never_lies_inside_itself(database: Settings) -> None:
    event = await make_event()
    outer = await add(event.id, "outer")
    middle = await add(event.id, "middle", outer)
    inner = await add(event.id, "inner", middle)
    for target in (outer, middle, inner):
        with pytest.raises(Conflict) as refused:
            await venue.move_place(event_id=event.id, place_id=outer, parent_id=target, at=NOW)
        assert refused.value.code == EventCode.PLACE_LOOP
    await venue.move_place(event_id=event.id, place_id=inner, parent_id=None, at=NOW)
    await venue.move_place(event_id=event.id, place_id=outer, parent_id=inner, at=NOW)
    assert [(place.code, place.depth) for place in await queries.places(event.id)] == [
        ("inner", 0),
        ("outer", 1),
        ("middle", 2),
    ]


async def test_two_moves_that_would_close_a_loop_together_do_not(database: Settings) -> None:
    event = await make_event()
    ring = [await add(event.id, f"p{n}") for n in range(8)]
    tries = [
        venue.move_place(event_id=event.id, place_id=place, parent_id=ring[(index + 1) % 8], at=NOW)
        for index, place in enumerate(ring)
    ]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in done) == 1
    assert len(await queries.places(event.id)) == 8
    assert await Place.filter(parent_id=None).count() == 1


async def test_changing_a_place_leaves_it_where_it_stands(database: Settings) -> None:
    event = await make_event()
    hall = await add(event.id, "hall")
    room = await add(event.id, "room", hall)
    change: dict[str, Any] = {
        "event_id": event.id,
        "place_id": room,
        "kind": PlaceKind.STAGE,
        "name": LocalizedText({"en": "Stage"}),
        "capacity": 5,
        "at": NOW,
    }
    await venue.change_place(**change, code="stage")
    with pytest.raises(Invalid):
        await venue.change_place(**change, code="hall")
    found = (await queries.places(event.id))[1]
    assert (found.code, found.kind, found.parent_id, found.capacity) == ("stage", PlaceKind.STAGE, hall, 5)
