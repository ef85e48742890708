"""Rooms: the session that a door belongs to, how long a word stands, what a head count still says, who is full."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkin.board_rules import CLOSED, FULL, OPEN
from checkin.room_rules import (
    HEADS_MAX,
    Heads,
    Held,
    RoomState,
    Scanned,
    Slot,
    fill,
    heads_limit,
    held,
    lasts_until,
    next_slot,
    shown_level,
    slot_at,
    state_of,
)
from checkin.rules import (
    CheckpointFacts,
    CheckpointKind,
    Direction,
    Here,
    Once,
    OnRepeat,
    PassportFacts,
    PassportStatus,
    Reading,
    ScanFacts,
    VerdictCode,
    counted_in,
    judge,
    period_of,
)

TEN = datetime(2023, 10, 28, 2, 0, tzinfo=UTC)
DAY_ENDS = TEN + timedelta(hours=18)


def at(minutes: float) -> datetime:
    return TEN + timedelta(minutes=minutes)


def slot(name: str, starts: float, ends: float) -> Slot:
    return Slot(name, at(starts), at(ends))


A, B, C = slot("a", 0, 40), slot("b", 40, 80), slot("c", 120, 160)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (-16, None),
        (-15, "a"),
        (-0.1, "a"),
        (0, "a"),
        # The one that runs keeps its door until its end, however soon the next begins.
        (39, "a"),
        (40, "b"),
        (79.9, "b"),
        (80, None),
        (104, None),
        (105, "c"),
        (159, "c"),
        (160, None),
    ],
)
def test_a_door_belongs_to_what_runs_then_to_what_is_next(minutes: float, expected: str | None) -> None:
    found = slot_at((C, A, B), at(minutes))
    assert (found.guid if found else None) == expected


def test_of_two_that_overlap_the_one_that_began_first_keeps_the_door() -> None:
    long, short = slot("long", 0, 60), slot("short", 10, 20)
    assert [getattr(slot_at((short, long), at(m)), "guid", None) for m in (5, 15, 25)] == ["long"] * 3
    twins = (slot("z", 0, 30), slot("y", 0, 30), slot("x", 0, 40))
    assert slot_at(twins, at(5)) == twins[1]
    assert slot_at(twins, at(35)) == twins[2]


def test_the_lead_is_as_long_as_one_says() -> None:
    assert slot_at((A,), at(-60), timedelta(hours=1)) == A
    assert slot_at((A,), at(-1), timedelta()) is None
    assert next_slot((B, A), at(-1)) == A and next_slot((A, B), at(0)) == B and next_slot((A,), at(0)) is None


moments = st.integers(-200, 400).map(at)
slots = st.lists(
    st.tuples(st.integers(-180, 360), st.integers(1, 120)).map(
        lambda pair: slot(f"{pair[0]}+{pair[1]}", pair[0], pair[0] + pair[1])
    ),
    max_size=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(slots=slots, moment=moments, lead=st.integers(0, 240).map(lambda m: timedelta(minutes=m)))
def test_a_running_session_is_never_passed_over_and_none_is_taken_too_early(
    slots: list[Slot], moment: datetime, lead: timedelta
) -> None:
    found = slot_at(slots, moment, lead)
    assert found == slot_at(list(reversed(slots)), moment, lead)
    running = [one for one in slots if one.starts_at <= moment < one.ends_at]
    if running:
        assert found in running and all(found.starts_at <= one.starts_at for one in running)
    elif found is None:
        assert not any(one.starts_at - lead <= moment < one.starts_at for one in slots)
    else:
        assert found.starts_at - lead <= moment < found.starts_at
        assert not any(moment < one.starts_at < found.starts_at for one in slots)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(slots=slots, moment=moments)
def test_scans_of_one_session_meet_each_other_whatever_the_minute(
    slots: list[Slot], moment: datetime
) -> None:
    """The session that was taken stays taken until its end: nobody is counted twice for it."""
    found = slot_at(slots, moment, timedelta())
    if found is not None:
        assert slot_at(slots, found.ends_at - timedelta(seconds=1), timedelta()) is not None
        assert slot_at(slots, found.ends_at, timedelta()) != found


# --- periods -----------------------------------------------------------------------------------------------------


def facts(**more: object) -> CheckpointFacts:
    values: dict[str, object] = {
        "id": 1, "event_id": 1, "list_id": 1, "kind": CheckpointKind.SESSION, "on_repeat": OnRepeat.WARN,
        "once": Once.SESSION, "slots": (A, B, C),
    }  # fmt: skip
    return CheckpointFacts(**(values | more))  # type: ignore[arg-type]


TODAY = date(2023, 10, 28)


def test_the_period_is_the_session_of_that_moment_and_the_day_between_sessions() -> None:
    def period(minutes: float, **more: object) -> str:
        return period_of(facts(**more), at=at(minutes), programme_date=TODAY)

    assert [period(m) for m in (-20, -10, 10, 50, 90, 110)] == [
        "2023-10-28",
        "a",
        "a",
        "b",
        "2023-10-28",
        "c",
    ]
    assert period(90, lead=timedelta(hours=1)) == "c"
    assert period(10, slots=()) == "2023-10-28"
    assert period(10, slots=None, session_guid="own") == "own"


def test_a_programme_that_moves_moves_later_scans_only() -> None:
    moved = facts(slots=(slot("a", 30, 70),))
    assert period_of(facts(), at=at(5), programme_date=TODAY) == "a"
    assert period_of(moved, at=at(5), programme_date=TODAY) == "2023-10-28"
    assert period_of(moved, at=at(45), programme_date=TODAY) == "a"


def test_people_in_a_room_that_sessions_share_are_counted_by_the_day() -> None:
    assert counted_in(facts(by_day=True), period="a", programme_date=TODAY) == "2023-10-28"
    assert counted_in(facts(), period="a", programme_date=TODAY) == "a"


# --- said by hand ------------------------------------------------------------------------------------------------


def test_a_word_about_people_ends_with_its_session_and_closed_stands() -> None:
    assert lasts_until(at(10), (A, B), DAY_ENDS) == A.ends_at
    assert lasts_until(at(-10), (A, B), DAY_ENDS) == A.ends_at
    assert lasts_until(at(90), (A, B, C), DAY_ENDS) == C.ends_at
    assert lasts_until(at(200), (A, B, C), DAY_ENDS) == DAY_ENDS
    assert lasts_until(at(10), (slot("night", 0, 5000),), DAY_ENDS) == DAY_ENDS
    assert held(RoomState.FULL, at(10), (A,), DAY_ENDS) == Held(RoomState.FULL, at(10), A.ends_at)
    assert held(RoomState.CLOSED, at(10), (A,), DAY_ENDS) == Held(RoomState.CLOSED, at(10), None)
    full = held(RoomState.FULL, at(10), (A,), DAY_ENDS)
    assert [full.at(at(m)).value for m in (9, 10, 39, 40)] == ["automatic", "full", "full", "automatic"]
    assert held(RoomState.CLOSED, at(10), (A,), DAY_ENDS).at(at(5000)) is RoomState.CLOSED


def verdict(checkpoint: CheckpointFacts, minutes: float, **more: object) -> VerdictCode:
    values: dict[str, object] = {
        "reading": Reading(("x",)),
        "passport": PassportFacts(1, 1, 1, PassportStatus.VALID),
        "checkpoint": checkpoint,
        "direction": Direction.ENTRY,
        "at": at(minutes),
        "here": Here(),
    }
    return judge(ScanFacts(**(values | more))).code  # type: ignore[arg-type]


def test_a_room_that_is_closed_or_full_by_hand_lets_nobody_in_and_keeps_nobody_in() -> None:
    closed = facts(held=Held(RoomState.CLOSED, at(10)), scans_exits=True)
    full = facts(held=Held(RoomState.FULL, at(10), at(40)), scans_exits=True)
    opened = facts(held=Held(RoomState.OPEN, at(10), at(40)), scans_exits=True, capacity=1)
    # Made before the word was said, and only now arrived.
    assert verdict(closed, 9) is verdict(full, 9) is VerdictCode.ADMITTED
    assert verdict(closed, 10) is VerdictCode.CLOSED
    assert verdict(full, 10) is VerdictCode.FULL
    assert verdict(full, 40) is VerdictCode.ADMITTED
    inside = Here(0, True, 1)
    for one in (closed, full):
        assert verdict(one, 20, direction=Direction.EXIT, here=inside) is VerdictCode.EXIT_RECORDED
    # Somebody inside is a repeat before the room is full, as with a capacity.
    assert verdict(full, 20, here=inside) is VerdictCode.ALREADY_HERE
    # By hand it is open; a limit is a limit all the same.
    assert verdict(opened, 20, inside=1) is VerdictCode.FULL


# --- head counts -------------------------------------------------------------------------------------------------


def heads(count: int, base: int = 0, key: str = "a") -> Heads:
    return Heads(count, at(10), at(40), DAY_ENDS, base, key)


def test_a_head_count_is_moved_by_the_scans_since() -> None:
    assert fill(Scanned(12, "a"), None, at(20)) == (12, False)
    assert fill(Scanned(12, "a"), heads(50, base=12), at(20)) == (50, True)
    assert fill(Scanned(15, "a"), heads(50, base=12), at(20)) == (53, True)
    assert fill(Scanned(2, "a", True), heads(5, base=12), at(20)) == (0, True)
    # Another period began meanwhile: all of its scans came after the count.
    assert fill(Scanned(3, "b"), heads(50, base=12), at(20)) == (53, True)


def test_a_head_count_ends_with_its_session_unless_ways_out_are_scanned() -> None:
    assert fill(Scanned(12, "b"), heads(50), at(9)) == (12, False)
    assert fill(Scanned(12, "b"), heads(50), at(40)) == (12, False)
    assert fill(Scanned(12, "d", True), heads(50, 10, "d"), at(40)) == (52, True)
    assert fill(Scanned(12, "d", True), heads(50, 10, "d"), DAY_ENDS) == (12, False)


@given(count=st.integers(0, 500), base=st.integers(0, 500), now=st.integers(0, 500))
def test_nobody_is_ever_less_than_nobody(count: int, base: int, now: int) -> None:
    found, is_counted = fill(Scanned(now, "a", True), heads(count, base), at(20))
    assert is_counted and found == max(0, count + now - base)


# --- states ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by_hand", "doors", "count", "capacity", "expected"),
    [
        ("automatic", [], 0, None, OPEN),
        ("automatic", [], 30, 30, FULL),
        ("automatic", [OPEN, CLOSED], 29, 30, OPEN),
        ("automatic", [OPEN, CLOSED], 30, 30, FULL),
        ("automatic", [CLOSED, CLOSED], 30, 30, CLOSED),
        ("automatic", [FULL, CLOSED], 0, None, FULL),
        ("automatic", [FULL, OPEN], 0, None, OPEN),
        ("open", [CLOSED], 30, 30, OPEN),
        ("full", [OPEN], 0, 30, FULL),
        ("closed", [OPEN], 0, None, CLOSED),
    ],
)
def test_states(by_hand: str, doors: list[int], count: int, capacity: int | None, expected: int) -> None:
    found = state_of(by_hand=RoomState(by_hand), doors=doors, count=count, capacity=capacity)
    assert found == expected


def test_who_opens_a_room_by_hand_has_seen_an_empty_chair() -> None:
    def level(by_hand: RoomState, state: int) -> int:
        return shown_level(by_hand=by_hand, state=state, count=30, capacity=30)

    assert level(RoomState.AUTOMATIC, FULL) == level(RoomState.FULL, FULL) == 100
    assert level(RoomState.OPEN, OPEN) == 95
    assert level(RoomState.CLOSED, CLOSED) == 0


def test_what_may_be_typed() -> None:
    assert (heads_limit(None), heads_limit(120), heads_limit(9000)) == (HEADS_MAX, 360, HEADS_MAX)
