"""What holders may do by themselves, for every state and time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.rules import EventFacts, EventState, RegistrationState
from events.self_service_rules import (
    TRANSFER_LASTS,
    HolderAct,
    HolderFacts,
    SelfServiceCode,
    closes_at,
    possible,
    refusal,
    transfer_expires_at,
)
from kernel.text import LocalizedText

AT = datetime(2023, 10, 20, 4, 0, tzinfo=UTC)
UNTIL = AT + timedelta(days=3)
S, A, C = RegistrationState, HolderAct, SelfServiceCode


def facts(state: RegistrationState = S.CONFIRMED, **more: Any) -> HolderFacts:
    return replace(HolderFacts(state=state, at=AT, until=UNTIL), **more)


def event(**more: Any) -> EventFacts:
    empty = LocalizedText()
    values: dict[str, Any] = {
        "id": 1,
        "slug": "x",
        "name": empty,
        "tagline": empty,
        "text": empty,
        "city": empty,
        "address": empty,
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
    return EventFacts(**(values | more))


def test_without_a_date_holders_help_themselves_until_the_events_first_midnight() -> None:
    assert closes_at(event()) == datetime(2023, 10, 27, 16, 0, tzinfo=UTC)
    assert closes_at(event(time_zone="America/New_York")) == datetime(2023, 10, 28, 4, 0, tzinfo=UTC)
    assert closes_at(event(self_service_until=AT)) == AT


@pytest.mark.parametrize(
    ("state", "acts"),
    [
        (S.CONFIRMED, {A.CHANGE, A.CANCEL, A.TRANSFER}),
        (S.PENDING, {A.CHANGE, A.CANCEL}),
        (S.WAITLISTED, {A.CHANGE, A.CANCEL}),
        (S.OFFERED, {A.CHANGE, A.ACCEPT, A.DECLINE}),
        (S.DECLINED, set()),
        (S.CANCELLED, set()),
    ],
)
def test_what_is_possible_in_each_state(state: RegistrationState, acts: set[HolderAct]) -> None:
    assert possible(facts(state)) == acts


@pytest.mark.parametrize(
    ("act", "given_facts", "code"),
    [
        (A.CHANGE, facts(at=UNTIL), C.OVER),
        (A.CHANGE, facts(at=UNTIL - timedelta(microseconds=1)), None),
        (A.CANCEL, facts(at=UNTIL), C.OVER),
        (A.CANCEL, facts(S.CANCELLED), C.NOT_IN_STATE),
        (A.CANCEL, facts(was_admitted=True), C.ADMITTED),
        (A.TRANSFER, facts(was_admitted=True), C.ADMITTED),
        (A.CHANGE, facts(was_admitted=True), None),
        (A.TRANSFER, facts(is_transferring=True), C.TRANSFER_OPEN),
        (A.CANCEL, facts(is_transferring=True), None),
        (A.TRANSFER, facts(S.PENDING), C.NOT_IN_STATE),
        # an offer is answered after the date for changes, too, but not after its own
        (A.ACCEPT, facts(S.OFFERED, at=UNTIL, offer_until=UNTIL + timedelta(hours=1)), None),
        (A.ACCEPT, facts(S.OFFERED, offer_until=AT), C.OFFER_OVER),
        (A.DECLINE, facts(S.OFFERED, offer_until=AT), C.OFFER_OVER),
        (A.ACCEPT, facts(S.OFFERED), None),
        (A.ACCEPT, facts(S.WAITLISTED), C.NOT_IN_STATE),
    ],
)
def test_why_not(act: HolderAct, given_facts: HolderFacts, code: SelfServiceCode | None) -> None:
    assert refusal(act, given_facts) == code


def test_a_transfer_lapses_after_a_week_or_with_self_service() -> None:
    assert transfer_expires_at(AT, UNTIL) == UNTIL
    assert transfer_expires_at(AT, AT + timedelta(days=30)) == AT + TRANSFER_LASTS


@given(
    st.sampled_from(list(S)),
    st.integers(-100, 100),
    st.one_of(st.none(), st.integers(-100, 100)),
    st.booleans(),
    st.booleans(),
)
def test_nothing_becomes_possible_by_waiting(
    state: RegistrationState, hours: int, offer: int | None, admitted: bool, transferring: bool
) -> None:
    offer_until = None if offer is None else AT + timedelta(hours=offer)
    now = facts(
        state,
        at=AT + timedelta(hours=hours),
        offer_until=offer_until,
        was_admitted=admitted,
        is_transferring=transferring,
    )
    later = replace(now, at=now.at + timedelta(hours=1))
    assert possible(later) <= possible(now)
    assert possible(replace(now, was_admitted=True)) <= possible(replace(now, was_admitted=False))
