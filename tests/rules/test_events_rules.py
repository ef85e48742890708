"""What events decides without a database: permissions, windows, details, contacts, folding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.rules import (
    CONTACT_LIMITS,
    MAY,
    Contact,
    Details,
    EventFacts,
    EventState,
    Permission,
    Role,
    Window,
    fold,
    is_code,
    is_colour,
    is_slug,
    is_zone,
    permissions_of,
    registration_window,
)
from kernel.text import LocalizedText

AT = datetime(2023, 10, 28, 1, 30, tzinfo=UTC)
GOOD = Details(
    slug="coscon",
    name=LocalizedText({"en": "COSCon"}),
    starts_on=date(2023, 10, 28),
    ends_on=date(2023, 10, 29),
)


def test_nobody_may_do_more_than_an_owner_and_everybody_may_look() -> None:
    assert permissions_of([]) == {Permission.VIEW_PUBLIC}
    for role in Role:
        assert Permission.VIEW_PUBLIC in MAY[role] <= MAY[Role.OWNER] == frozenset(Permission)
    assert Permission.GRANT_ROLES not in permissions_of([Role.ORGANISER, Role.SCANNER])


@pytest.mark.parametrize(
    ("state", "opens", "closes", "expected"),
    [
        (EventState.PUBLISHED, None, None, Window.OPEN),
        (EventState.PUBLISHED, 0, 1, Window.OPEN),
        (EventState.PUBLISHED, 1, None, Window.NOT_YET),
        (EventState.PUBLISHED, None, 0, Window.CLOSED),
        (EventState.DRAFT, -1, 1, Window.NOT_YET),
        (EventState.DRAFT, -2, -1, Window.CLOSED),
        (EventState.ENDED, 1, 2, Window.CLOSED),
    ],
)
def test_the_window_is_half_open(
    state: EventState, opens: int | None, closes: int | None, expected: Window
) -> None:
    def hours(number: int | None) -> datetime | None:
        return None if number is None else AT + timedelta(hours=number)

    assert registration_window(state, hours(opens), hours(closes), AT) is expected


def test_facts_and_details_say_the_same() -> None:
    facts = EventFacts(
        id=1,
        state=EventState.PUBLISHED,
        **{name: getattr(GOOD, name) for name in Details.__dataclass_fields__},
    )
    assert Details.of(facts) == GOOD
    assert GOOD.problems() == {}
    assert facts.programme_date(datetime(2023, 10, 28, 17, 30, tzinfo=UTC)) == date(
        2023, 10, 28
    )  # 01:30 next day
    assert facts.programme_date(datetime(2023, 10, 28, 20, 0, tzinfo=UTC)) == date(2023, 10, 29)  # 04:00
    assert facts.window(AT) is Window.OPEN


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slug": "A"}, "slug"),
        ({"name": LocalizedText()}, "name"),
        ({"name": LocalizedText({"en": "x" * 121})}, "name"),
        ({"text": LocalizedText({"en": "x" * 20_001})}, "text"),
        ({"ends_on": date(2023, 10, 27)}, "ends_on"),
        ({"time_zone": ""}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"day_starts_minute": -1}, "day_starts_minute"),
        ({"theme_colour": "#12345"}, "theme_colour"),
        ({"registration_opens_at": AT, "registration_closes_at": AT}, "registration_closes_at"),
    ],
)
def test_each_wrong_detail_is_named_alone(change: dict[str, Any], field: str) -> None:
    assert list(replace(GOOD, **change).problems()) == [field]


@given(st.text(max_size=60))
def test_an_alias_is_safe_in_any_address(text: str) -> None:
    if is_slug(text):
        assert (
            text == text.lower() and len(text) <= 48 and not text.startswith("-") and not text.endswith("-")
        )
        assert all(char.isascii() and (char.isalnum() or char == "-") for char in text)


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("a", True),
        ("coscon-2023", True),
        ("", False),
        ("a\n", False),
        ("-a", False),
        ("a--b", True),
        ("é", False),
    ],
)
def test_aliases(text: str, yes: bool) -> None:
    assert is_slug(text) is yes


def test_codes_colours_and_zones() -> None:
    assert [is_code(text) for text in ("B201", "主会场", "a.b-c_d", "", "a b", "x" * 41)] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert [is_colour(text) for text in ("#0b6e4f", "#0B6E4F", "0b6e4f", "#0b6e4f\n", "red")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [is_zone(text) for text in ("Asia/Shanghai", "UTC", "Mars/Olympus", "", "/etc/localtime")] == [
        True,
        True,
        False,
        False,
        False,
    ]


@given(st.text(max_size=80))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_a_contact_needs_a_name_and_one_way_to_reach_it() -> None:
    good = Contact(name="林小满", phone="+8613800138000")
    assert good.problems() == {}
    assert good.with_last4().phone_last4 == "8000"
    assert Contact(name="林小满", email="a@b.cn", phone_last4="1234").with_last4().phone_last4 == ""
    assert list(replace(good, phone="").problems()) == ["email"]
    assert replace(good, phone="").problems(needs_contact=False) == {}
    assert list(replace(good, name="  ").problems()) == ["name"]
    for name, limit in CONTACT_LIMITS.items():
        assert name in replace(good, **{name: "x" * (limit + 1)}).problems()
    assert (
        len(
            replace(
                good, name="名" * 120, organisation="社" * 200, badge_name="b" * 120, english_name="e" * 120
            ).search
        )
        <= 600
    )
    assert replace(good, name="ＬＩＮ  小满", organisation="开源社").search == "lin 小满 开源社"


def test_an_events_numbers_hours_and_public_address_are_checked() -> None:
    from events.rules import Details

    good = Details(
        slug="a", name=LocalizedText({"en": "A"}), starts_on=date(2026, 1, 1), ends_on=date(2026, 1, 2)
    )
    cases: list[tuple[dict[str, object], dict[str, str]]] = [
        ({"contact_email": "hi@example.org", "starts_minute": 600, "ends_minute": 540}, {}),
        ({"contact_email": "hi at example"}, {"contact_email": "malformed"}),
        ({"offer_hours": 0}, {"offer_hours": "out_of_range"}),
        ({"retention_days": 3651}, {"retention_days": "out_of_range"}),
        ({"id_document_days": 0}, {}),
        ({"ends_minute": 600}, {"ends_minute": "hours_reversed"}),
        (
            {"starts_minute": 600, "ends_minute": 600, "ends_on": date(2026, 1, 1)},
            {"ends_minute": "hours_reversed"},
        ),
        ({"starts_minute": 1440}, {"starts_minute": "out_of_range"}),
        ({"starts_minute": 0, "ends_minute": 1441}, {"ends_minute": "out_of_range"}),
    ]
    for change, problems in cases:
        found = replace(good, **change).problems()  # type: ignore[arg-type]
        assert {name: problem.code for name, problem in found.items()} == problems, change


def test_modules_that_are_the_kinds_own_are_stored_as_nothing() -> None:
    from events.rules import MODULES_OF, Details, EventKind, Module

    meetup = Details(
        slug="a",
        name=LocalizedText({"en": "A"}),
        starts_on=date(2026, 1, 1),
        ends_on=date(2026, 1, 1),
        kind=EventKind.MEETUP,
    )
    assert meetup.own_modules is None
    assert replace(meetup, modules=MODULES_OF[EventKind.MEETUP]).own_modules is None
    assert replace(meetup, modules=frozenset({Module.BOARD, Module.ARRIVALS})).own_modules == [
        "arrivals",
        "board",
    ]
    assert replace(meetup, modules=frozenset()).own_modules == []


def test_a_conference_has_every_part_but_sites_and_the_list_with_ticks() -> None:
    from events.rules import EventFacts, EventState, Module

    facts = EventFacts(
        id=1,
        slug="a",
        name=LocalizedText(),
        tagline=LocalizedText(),
        text=LocalizedText(),
        city=LocalizedText(),
        address=LocalizedText(),
        starts_on=date(2026, 1, 1),
        ends_on=date(2026, 1, 1),
        time_zone="UTC",
        day_starts_minute=0,
        theme_colour="#000000",
        state=EventState.DRAFT,
        is_sample=False,
        registration_opens_at=None,
        registration_closes_at=None,
    )
    assert {module for module in Module if not facts.has(module)} == {Module.SITES, Module.ARRIVALS}
