"""What a ticket type offers, what a registration becomes, who moves up, and until when: without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.rules import EventFacts, EventState, RegistrationSource, RegistrationState, Window
from events.ticket_rules import (
    HELD,
    MOVES,
    QUEUES,
    AccessCodeDetails,
    OfferState,
    SharedQuotaDetails,
    TicketTypeDetails,
    Verb,
    Waiting,
    both_windows,
    code_problem,
    first_state,
    fold_code,
    gives_code_back,
    moving_up,
    offer_state,
    offer_until,
    span,
    state_after_register,
)
from kernel.text import LocalizedText

NOW = datetime(2023, 10, 1, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMED = LocalizedText({"zh-Hans": "普通票", "en": "Attendee"})


def event(**more: object) -> EventFacts:
    values: dict[str, object] = {
        "id": 1,
        "slug": "coscon",
        "name": NAMED,
        "tagline": LocalizedText(),
        "text": LocalizedText(),
        "city": LocalizedText(),
        "address": LocalizedText(),
        "starts_on": date(2023, 10, 28),
        "ends_on": date(2023, 10, 29),
        "time_zone": "Asia/Shanghai",
        "day_starts_minute": 240,
        "theme_colour": "#0b6e4f",
        "state": EventState.PUBLISHED,
        "is_sample": False,
        "registration_opens_at": None,
        "registration_closes_at": None,
    }
    return EventFacts(**(values | more))  # type: ignore[arg-type]


# --- offers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (Window.OPEN, Window.OPEN, Window.OPEN),
        (Window.OPEN, Window.NOT_YET, Window.NOT_YET),
        (Window.NOT_YET, Window.OPEN, Window.NOT_YET),
        (Window.NOT_YET, Window.CLOSED, Window.CLOSED),
        (Window.CLOSED, Window.OPEN, Window.CLOSED),
    ],
)
def test_a_ticket_types_window_lies_inside_its_events(
    first: Window, second: Window, together: Window
) -> None:
    assert both_windows(first, second) is together


def offered(**more: object) -> OfferState:
    values: dict[str, object] = {
        "window": Window.OPEN,
        "needs_code": False,
        "has_code": False,
        "free": 3,
        "has_waitlist": True,
        "others_wait": False,
    }
    return offer_state(**(values | more))  # type: ignore[arg-type]


def test_what_is_offered() -> None:
    assert offered() is OfferState.OPEN
    assert offered(free=None) is OfferState.OPEN
    assert offered(window=Window.CLOSED, needs_code=True) is OfferState.CLOSED
    assert offered(window=Window.NOT_YET, free=0) is OfferState.NOT_YET
    assert offered(needs_code=True) is OfferState.NEEDS_CODE
    assert offered(needs_code=True, has_code=True) is OfferState.OPEN
    assert offered(free=0) is OfferState.WAITLIST
    assert offered(free=0, has_waitlist=False) is OfferState.FULL
    assert offered(others_wait=True) is OfferState.WAITLIST
    # Where nothing moves up by itself, nobody is kept from a free place.
    assert offered(others_wait=True, has_waitlist=False) is OfferState.OPEN


@given(free=st.none() | st.integers(0, 3), wait=st.booleans(), has=st.booleans(), code=st.booleans())
def test_nobody_jumps_the_queue(free: int | None, wait: bool, has: bool, code: bool) -> None:
    state = offered(free=free, others_wait=wait, has_waitlist=has, needs_code=code, has_code=code)
    assert (state is OfferState.OPEN) == (free != 0 and not (wait and has))


@pytest.mark.parametrize("source", list(RegistrationSource))
def test_the_first_state_of_an_open_offer(source: RegistrationSource) -> None:
    needs = first_state(source=source, needs_approval=True)
    assert needs is (RegistrationState.PENDING if source in HELD else RegistrationState.CONFIRMED)
    assert first_state(source=source, needs_approval=False) is RegistrationState.CONFIRMED
    assert (
        state_after_register(OfferState.OPEN, source=source, needs_approval=True, join_waitlist=False)
        is needs
    )
    assert HELD < QUEUES


def test_one_waits_only_on_ones_own_word() -> None:
    def after(offer: OfferState, *, join: bool) -> str:
        return state_after_register(
            offer, source=RegistrationSource.FORM, needs_approval=False, join_waitlist=join
        )

    assert after(OfferState.WAITLIST, join=True) is RegistrationState.WAITLISTED
    assert after(OfferState.WAITLIST, join=False) == "waitlist_only"
    assert after(OfferState.OPEN, join=True) is RegistrationState.CONFIRMED
    assert [after(offer, join=True) for offer in OfferState if offer not in ("open", "waitlist")] == [
        "ticket_type_full",
        "access_code_needed",
        "registration_not_open_yet",
        "registration_closed",
    ]


def test_every_verb_moves_from_somewhere_and_nothing_ends_twice() -> None:
    assert set(MOVES) == set(Verb)
    assert MOVES[Verb.CANCEL].isdisjoint(MOVES[Verb.RESTORE])
    assert MOVES[Verb.CANCEL] | MOVES[Verb.RESTORE] == set(RegistrationState)


@pytest.mark.parametrize(
    ("old", "new", "back"),
    [
        ("pending", "declined", True),
        ("offered", "cancelled", True),
        ("waitlisted", "cancelled", True),
        ("confirmed", "cancelled", False),
        ("pending", "confirmed", False),
        ("waitlisted", "offered", False),
    ],
)
def test_a_codes_use_returns_only_when_nothing_was_confirmed(old: str, new: str, back: bool) -> None:
    assert gives_code_back(RegistrationState(old), RegistrationState(new)) is back


# --- how long an offer stands ------------------------------------------------------------------------------------


def test_the_span_of_an_event_goes_by_its_clock_or_its_days() -> None:
    assert span(event()) == (
        datetime(2023, 10, 27, 20, 0, tzinfo=UTC),
        datetime(2023, 10, 29, 20, 0, tzinfo=UTC),
    )
    evening = event(ends_on=date(2023, 10, 28), starts_minute=19 * 60, ends_minute=22 * 60)
    assert span(evening) == (
        datetime(2023, 10, 28, 11, 0, tzinfo=UTC),
        datetime(2023, 10, 28, 14, 0, tzinfo=UTC),
    )


def test_an_offer_ends_with_its_hours_the_beginning_or_the_closing() -> None:
    begins, ends = span(event())
    assert offer_until(event(), at=NOW) == NOW + 24 * HOUR
    assert offer_until(event(offer_hours=48), at=begins - 10 * HOUR) == begins
    assert offer_until(event(), at=NOW, closes_at=NOW + 3 * HOUR) == NOW + 3 * HOUR
    # A list goes on moving when registration has closed, or is about to.
    assert offer_until(event(), at=NOW, closes_at=NOW + timedelta(minutes=59)) == NOW + 24 * HOUR
    assert offer_until(event(), at=NOW, closes_at=NOW - HOUR) == NOW + 24 * HOUR
    # While the event is on, nobody keeps a chair empty for a day.
    assert offer_until(event(), at=begins) == begins + 2 * HOUR
    assert offer_until(event(offer_hours=1), at=begins) == begins + HOUR
    assert offer_until(event(), at=ends - timedelta(minutes=90)) == ends
    assert offer_until(event(), at=ends - timedelta(minutes=59)) is None
    assert offer_until(event(), at=ends + HOUR) is None
    assert offer_until(event(state=EventState.ENDED), at=NOW) is None


@given(minutes=st.integers(-60 * 24 * 40, 60 * 24 * 10), hours=st.integers(1, 200))
def test_an_offer_leaves_time_to_answer_and_ends_in_time(minutes: int, hours: int) -> None:
    begins, ends = span(event())
    at = begins + timedelta(minutes=minutes)
    until = offer_until(event(offer_hours=hours), at=at)
    if until is None:
        assert ends - at < HOUR
    else:
        assert HOUR <= until - at <= hours * HOUR
        assert until <= (begins if begins - at >= HOUR else ends)


# --- moving up ---------------------------------------------------------------------------------------------------

TYPES = {1: ("type", 1), 2: ("type", 2)}
HALL = ("shared", 1)


def waits(number: int, minute: int, *pools: tuple[str, int]) -> Waiting:
    return Waiting(number, NOW + timedelta(minutes=minute), pools)


def test_the_longest_waiting_moves_up_and_holds_up_nobody() -> None:
    line = [waits(3, 5, TYPES[1], HALL), waits(2, 1, TYPES[2], HALL), waits(1, 3, TYPES[1], HALL)]
    assert moving_up(line, {TYPES[1]: 5, TYPES[2]: 5, HALL: 2}, most=10) == [2, 1]
    # The first waits for a type that is full: the others don't wait for it.
    assert moving_up(line, {TYPES[1]: 5, TYPES[2]: 0, HALL: 2}, most=10) == [1, 3]
    assert moving_up(line, {TYPES[1]: None, HALL: None}, most=2) == [2, 1]
    assert moving_up(line, {HALL: 0}, most=10) == []
    same = [waits(9, 0, TYPES[1]), waits(8, 0, TYPES[1])]
    assert moving_up(same, {TYPES[1]: 1}, most=10) == [8]


@given(
    line=st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 2]), st.booleans()), max_size=20),
    free=st.fixed_dictionaries({pool: st.none() | st.integers(0, 6) for pool in (TYPES[1], TYPES[2], HALL)}),
    most=st.integers(0, 20),
)
def test_no_pool_is_passed_and_nobody_is_passed_over(
    line: list[tuple[int, int, bool]], free: dict[tuple[str, int], int | None], most: int
) -> None:
    waiting = [
        waits(number, minute, TYPES[kind], *((HALL,) if shares else ()))
        for number, (minute, kind, shares) in enumerate(line)
    ]
    chosen = moving_up(waiting, free, most=most)
    by_id = {one.registration_id: one for one in waiting}
    assert len(set(chosen)) == len(chosen) <= most
    used = {
        pool: sum(pool in by_id[number].pools for number in chosen) for pool in (TYPES[1], TYPES[2], HALL)
    }
    for pool, limit in free.items():
        assert limit is None or used[pool] <= limit
    # Somebody who was left out found a pool of theirs empty, or nobody else was let in.
    for one in waiting:
        if one.registration_id not in chosen and len(chosen) < most:
            assert any(free[pool] is not None and used[pool] == free[pool] for pool in one.pools)
    # Among those of the same pools it goes by time.
    for first in waiting:
        for second in waiting:
            if (
                first.pools == second.pools
                and (first.since, first.registration_id) < (second.since, second.registration_id)
                and second.registration_id in chosen
            ):
                assert first.registration_id in chosen


# --- details -----------------------------------------------------------------------------------------------------


def test_codes_are_folded() -> None:
    assert fold_code("  data whale－２０２３ ") == "DATAWHALE-2023"
    assert fold_code("\u3000") == ""


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    folded = fold_code(text)
    assert fold_code(folded) == folded
    assert not any(char.isspace() for char in folded)


def named(found: object) -> dict[str, str]:
    return {name: problem.code for name, problem in found.problems().items()}  # type: ignore[attr-defined]


def test_what_a_ticket_type_can_not_be() -> None:
    assert named(TicketTypeDetails(code="general", name=NAMED, quota=0)) == {}
    wrong = TicketTypeDetails(
        code="a b",
        name=LocalizedText({"zh-Hans": " "}),
        description=LocalizedText({"en": "x" * 501}),
        door_note=LocalizedText({"en": "x" * 201}),
        quota=-1,
        opens_at=NOW,
        closes_at=NOW,
    )
    assert named(wrong) == {
        "code": "malformed",
        "name": "required",
        "description": "too_long",
        "door_note": "too_long",
        "quota": "out_of_range",
        "closes_at": "window_reversed",
    }
    assert named(TicketTypeDetails(code="a", name=NAMED, opens_at=NOW, closes_at=NOW + HOUR)) == {}
    assert named(TicketTypeDetails(code="a", name=NAMED, opens_at=NOW, quota=1_000_001)) == {
        "quota": "out_of_range"
    }


def test_what_a_shared_quota_can_not_be() -> None:
    assert named(SharedQuotaDetails(name=NAMED, quota=10)) == {}
    assert named(SharedQuotaDetails(name=LocalizedText(), quota=-1)) == {
        "name": "required",
        "quota": "out_of_range",
    }
    assert named(SharedQuotaDetails(name=LocalizedText({"en": "x" * 81}), quota=1)) == {"name": "too_long"}


def test_what_an_access_code_can_not_be() -> None:
    one = frozenset({1})
    assert named(AccessCodeDetails(code="DATAWHALE", ticket_type_ids=one, max_uses=5)) == {}
    assert named(
        AccessCodeDetails(code="datawhale", ticket_type_ids=frozenset(), ticket_source="x" * 121, max_uses=-1)
    ) == {
        "code": "malformed",
        "ticket_types": "required",
        "ticket_source": "too_long",
        "max_uses": "out_of_range",
    }
    assert named(AccessCodeDetails(code="", ticket_type_ids=one)) == {"code": "malformed"}


def test_why_a_code_was_not_taken() -> None:
    assert code_problem(is_active=False, valid_until=None, left=5, at=NOW) == "access_code_wrong"
    assert code_problem(is_active=True, valid_until=NOW, left=5, at=NOW) == "access_code_expired"
    assert code_problem(is_active=True, valid_until=NOW + HOUR, left=0, at=NOW) == "access_code_used_up"
    assert code_problem(is_active=True, valid_until=None, left=None, at=NOW) == "access_code_wrong"
