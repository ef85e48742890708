"""What a pairing code is, how a device stands, and what it may still send: by cases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from checkin import device_rules as rules
from checkin.device_rules import DeviceCode, PairingKey, State
from kernel import codes
from kernel.errors import Code, Problem

AT = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = b"k" * 40
SECRET = codes.link_secret(KEY, "x", "y")
SHORT = codes.derived_short_code(KEY, "x", "y")


def test_derived_codes_are_what_they_look_like() -> None:
    assert (len(SECRET), codes.read_short_code(SHORT)) == (22, SHORT)
    assert codes.derived_short_code(b"o" * 40, "x", "y") != SHORT


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"https://hui.example.org/e/coscon/pair#{SECRET}.{SHORT}", PairingKey(SECRET, SHORT)),
        (f"#{SECRET}", PairingKey(SECRET)),
        (f"  {SECRET}.ZZZ ", PairingKey(SECRET)),
        (f"{SHORT[:4].lower()}-{SHORT[4:]}", PairingKey("", SHORT)),
        (f"https://hui.example.org/e/coscon/pair#{SHORT}", PairingKey("", SHORT)),
        (SHORT[:-1], None),
        ("", None),
        ("https://hui.example.org/e/coscon/pair", None),
        (SECRET[:-1], None),
    ],
)
def test_reading_a_pairing_key(text: str, key: PairingKey | None) -> None:
    assert rules.read_pairing_key(text) == key


@pytest.mark.parametrize(
    ("revoked", "left", "seen_ago", "state"),
    [
        (AT, HOUR, timedelta(), State.REVOKED),
        (None, timedelta(), timedelta(), State.EXPIRED),
        (None, HOUR, None, State.OFFLINE),
        (None, HOUR, timedelta(seconds=89), State.ONLINE),
        (None, HOUR, timedelta(seconds=90), State.QUIET),
        (None, HOUR, timedelta(minutes=5), State.OFFLINE),
    ],
)
def test_how_a_device_stands(
    revoked: datetime | None, left: timedelta, seen_ago: timedelta | None, state: State
) -> None:
    seen = None if seen_ago is None else AT - seen_ago
    assert rules.state_of(revoked_at=revoked, expires_at=AT + left, last_seen_at=seen, at=AT) is state


def test_why_a_device_may_do_nothing_and_until_when_its_queue_is_taken() -> None:
    def ask(revoked: datetime | None, expires_at: datetime) -> tuple[DeviceCode | None, bool]:
        given = {"revoked_at": revoked, "expires_at": expires_at, "at": AT}
        return rules.refusal_of(**given), rules.sends_late(**given)  # type: ignore[arg-type]

    assert ask(None, AT + HOUR) == (None, False)
    assert ask(None, AT) == (DeviceCode.EXPIRED, True)
    assert ask(None, AT - rules.GRACE) == (DeviceCode.EXPIRED, False)
    assert ask(AT, AT - HOUR) == (DeviceCode.REVOKED, False)


@pytest.mark.parametrize(
    ("age_ms", "of_before"), [(None, False), (0, False), (-1, False), (3_600_000, False), (3_600_001, True)]
)
def test_what_was_scanned_before_the_end(age_ms: int | None, of_before: bool) -> None:
    assert rules.is_of_before(arrived=AT, age_ms=age_ms, expires_at=AT - HOUR) is of_before


def test_an_age_out_of_all_belief_is_of_no_time_at_all() -> None:
    assert rules.is_of_before(arrived=AT, age_ms=2**53, expires_at=AT - HOUR) is False


@pytest.mark.parametrize(
    ("age_ms", "believed"),
    [(None, None), (0, 0), (-5, -5), (3_600_000, 3_600_000), (3_600_001, -1), (2**53, -1)],
)
def test_nothing_is_older_than_the_pairing(age_ms: int | None, believed: int | None) -> None:
    assert rules.believed_age(arrived=AT, age_ms=age_ms, paired_at=AT - HOUR) == believed


def test_two_phones_are_a_trouble_of_now() -> None:
    assert rules.two_phones(None, AT) is False
    assert rules.two_phones(AT - timedelta(minutes=9), AT) is True
    assert rules.two_phones(AT - timedelta(minutes=10), AT) is False


def test_troubles_from_a_newer_phone_are_left_out() -> None:
    assert rules.known_troubles(["clock_jumped", "x", "storage_full", "clock_jumped"]) == [
        "storage_full",
        "clock_jumped",
    ]


def test_a_device_ends_with_the_last_programme_day_or_with_today() -> None:
    days = {"zone": "Asia/Shanghai", "day_starts_minute": 240}
    last = datetime(2023, 10, 29, 20, 0, tzinfo=UTC)
    assert rules.last_moment(date(2023, 10, 29), "Asia/Shanghai", 240) == last
    first = rules.first_end(ends_on=date(2023, 10, 29), today=date(2023, 10, 28), **days)  # type: ignore[arg-type]
    assert first == last
    later = rules.first_end(ends_on=date(2023, 10, 29), today=date(2023, 11, 5), **days)  # type: ignore[arg-type]
    assert later == last + timedelta(days=7)


def test_ends_that_can_not_be() -> None:
    assert rules.end_problem(AT, AT) == Problem(DeviceCode.ENDS_PAST)
    assert rules.end_problem(AT + timedelta(days=121), AT) == Problem(Code.OUT_OF_RANGE)
    assert rules.end_problem(AT + HOUR, AT) is None


def test_names_of_a_sheet() -> None:
    assert rules.names_for("北门", 1) == ["北门"]
    assert rules.names_for("北门", 3) == ["北门 1", "北门 2", "北门 3"]
    longest = rules.names_for("x" * 90, 10)
    assert max(map(len, longest)) == rules.NAME_MAX
    assert len(set(longest)) == 10


def test_volunteers_one_a_line() -> None:
    assert rules.volunteers_of("林小满\n\n  Ada   Lovelace \n") == ["林小满", "Ada Lovelace"]
