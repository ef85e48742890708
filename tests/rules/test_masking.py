"""What a half hidden contact shows, and what it never shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.masking import mask_phone, masked
from events.rules import Contact
from people.rules import mask_email


@pytest.mark.parametrize(
    ("email", "shown"),
    [
        ("zhang@example.org", "z***@example.org"),
        ("z@example.org", "z***@example.org"),
        ('"a@b"@example.org', '"***@example.org'),
        ("", ""),
    ],
)
def test_an_address_keeps_its_first_letter_and_domain(email: str, shown: str) -> None:
    assert mask_email(email) == shown


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("+8613812345678", "+86 138****5678"),
        ("+85251234567", "+852 ****4567"),
        ("+14155552671", "+1 41****2671"),
        ("+3542345", "+354 ****45"),
        ("13812345678", "****78"),
        ("", ""),
    ],
)
def test_a_phone_keeps_four_digits_or_more_to_itself(phone: str, shown: str) -> None:
    assert mask_phone(phone) == shown


@given(st.text("abcdefgh.+-", min_size=2, max_size=40))
def test_no_address_can_be_read_out_of_its_mask(local: str) -> None:
    shown = mask_email(f"{local}@example.org")
    assert shown == f"{local[0]}***@example.org"
    assert shown == mask_email(f"{local[0]}other@example.org")


@given(st.integers(10**9, 10**10 - 1))
def test_a_thousand_and_more_numbers_share_a_mask(rest: int) -> None:
    number = f"+861{rest}"
    shown = mask_phone(number)
    assert number[3:] not in shown
    assert shown == mask_phone(number[:6] + "0000" + number[10:])


def test_only_the_ways_to_reach_somebody_are_hidden() -> None:
    contact = Contact(name="林小满", email="lin@example.org", phone="+8613812345678", phone_last4="5678")
    shown = masked(contact)
    assert (shown.name, shown.phone_last4) == ("林小满", "5678")
    assert (shown.email, shown.phone) == ("l***@example.org", "+86 138****5678")
