"""Who may take an invitation, and when: every state, both addresses, the edges of its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.invitation_rules import (
    DAYS_MAX,
    DAYS_MIN,
    InvitationState,
    Wanted,
    same_scopes,
    state_of,
    why_not,
)
from events.rules import SCOPES, EventCode, Permission, Role, permissions_of, token_permissions

AT = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("expires", "accepted", "revoked", "expected"),
    [
        (SECOND, False, False, InvitationState.OPEN),
        (timedelta(0), False, False, InvitationState.EXPIRED),
        (-SECOND, False, False, InvitationState.EXPIRED),
        (-SECOND, True, False, InvitationState.ACCEPTED),
        (-SECOND, False, True, InvitationState.REVOKED),
        (SECOND, True, True, InvitationState.ACCEPTED),
    ],
)
def test_its_time_is_half_open_and_what_happened_stays(
    expires: timedelta, accepted: bool, revoked: bool, expected: InvitationState
) -> None:
    found = state_of(
        expires_at=AT + expires,
        accepted_at=AT - SECOND if accepted else None,
        revoked_at=AT if revoked else None,
        at=AT,
    )
    assert found is expected


@pytest.mark.parametrize(
    ("state", "own", "accepted_by", "expected"),
    [
        (InvitationState.OPEN, "a@example.org", None, None),
        (InvitationState.OPEN, "b@example.org", None, EventCode.INVITATION_FOR_OTHER),
        (InvitationState.EXPIRED, "b@example.org", None, EventCode.INVITATION_FOR_OTHER),
        (InvitationState.EXPIRED, "a@example.org", None, EventCode.INVITATION_EXPIRED),
        (InvitationState.REVOKED, "a@example.org", None, EventCode.INVITATION_REVOKED),
        (InvitationState.ACCEPTED, "a@example.org", 8, EventCode.INVITATION_USED),
        # Whoever took it keeps it, whatever their address has become since.
        (InvitationState.ACCEPTED, "new@example.org", 7, None),
    ],
)
def test_only_the_invited_address_takes_an_open_one(
    state: InvitationState, own: str, accepted_by: int | None, expected: EventCode | None
) -> None:
    no = why_not(state, invited="a@example.org", own=own, accepted_by=accepted_by, account_id=7)
    assert no is expected


def test_what_is_offered_must_fit_the_role_and_the_calendar() -> None:
    assert Wanted(Role.SCANNER, (("checkpoint", 7), ("site", 1))).problems() == {}
    assert Wanted(Role.OWNER, days=DAYS_MIN).problems() == Wanted(Role.OWNER, days=DAYS_MAX).problems() == {}
    assert set(Wanted(Role.ORGANISER, (("site", 1),)).problems()) == {"scope"}
    assert set(Wanted(Role.VIEWER, (("checkpoint", 1),), days=DAYS_MAX + 1).problems()) == {"scope", "days"}
    assert set(Wanted(Role.VIEWER, days=0).problems()) == {"days"}


@given(st.sampled_from(Role), st.text(max_size=12))
def test_a_role_takes_exactly_the_scopes_of_its_row(role: Role, kind: str) -> None:
    fits = kind in SCOPES.get(role, frozenset())
    assert ("scope" not in Wanted(role, ((kind, 1),)).problems()) is fits
    for known in ("checkpoint", "site", "team", "forum"):
        assert ("scope" not in Wanted(role, ((known, 1),)).problems()) is (known in SCOPES.get(role, ()))


@given(st.lists(st.tuples(st.sampled_from(["site", "checkpoint"]), st.integers(1, 5))))
def test_scopes_are_compared_as_sets_of_pairs(scopes: list[tuple[str, int]]) -> None:
    assert same_scopes(scopes, [list(scope) for scope in reversed(scopes)])
    assert not same_scopes(scopes, [*scopes, ("team", 1)])


@given(
    st.frozensets(st.sampled_from(Role)),
    st.frozensets(st.sampled_from([*map(str, Permission), "everything"])),
)
def test_a_token_only_ever_takes_away(roles: frozenset[Role], named: frozenset[str]) -> None:
    held = permissions_of(roles)
    left = token_permissions(held, named)
    assert Permission.VIEW_PUBLIC in left <= held
    assert left - {Permission.VIEW_PUBLIC} == {one for one in held if str(one) in named} - {
        Permission.VIEW_PUBLIC
    }
