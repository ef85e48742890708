"""Who may be one person twice, and what stays of whom."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.merging_rules import (
    CROWD,
    PAIRS_AT_MOST,
    Alike,
    Half,
    Likeness,
    MergeCode,
    Pair,
    better_ticket,
    frees_a_place,
    pairs,
    refusal,
    stays,
)
from events.rules import HOLDS_A_PLACE, RegistrationState

S = RegistrationState


def person(number: int, name: str = "", **more: str) -> Likeness:
    values = {"organisation": "", "email": "", "phone": ""} | more
    return Likeness(id=number, name=name or f"来宾{number}", **values)


def test_people_are_alike_by_address_number_or_name_with_organisation() -> None:
    lin = person(1, "林小满", email="lin@example.org", phone="+8613800138000", organisation="开源社")
    assert pairs([lin, person(2, "Lin", email="lin@example.org")]) == [Pair(1, 2, (Alike.EMAIL,))]
    assert pairs([lin, person(2, "Lin", phone="+8613800138000")]) == [Pair(1, 2, (Alike.PHONE,))]
    assert pairs([lin, person(2, " 林小满 ", organisation="开源社 ")]) == [Pair(1, 2, (Alike.NAME,))]
    assert pairs([lin, replace(lin, id=2)]) == [Pair(1, 2, (Alike.EMAIL, Alike.PHONE, Alike.NAME))]


def test_a_name_alone_and_empty_fields_make_nobody_alike() -> None:
    assert pairs([person(1, "王伟"), person(2, "王伟")]) == []
    assert pairs([person(1, "王伟", organisation=" "), person(2, "王伟", organisation=" ")]) == []


def test_the_same_name_comes_first_then_the_more_reasons() -> None:
    people = [
        person(1, "甲", email="a@x.org"),
        person(2, "乙", email="a@x.org", phone="+861", organisation="社"),
        person(3, "丙", phone="+861"),
        person(4, "丁", email="b@x.org", phone="+862"),
        person(5, "丁", email="b@x.org"),
        person(6, "戊", email="c@x.org", phone="+863"),
        person(7, "己", email="c@x.org", phone="+863"),
    ]
    assert [(one.first_id, one.second_id) for one in pairs(people)] == [(4, 5), (6, 7), (1, 2), (2, 3)]


def test_a_class_under_its_teachers_address_is_no_heap_of_twins() -> None:
    crowd = [person(number, email="teacher@example.org") for number in range(1, CROWD)]
    assert len(pairs(crowd)) == (CROWD - 1) * (CROWD - 2) // 2
    crowd.append(person(CROWD, email="teacher@example.org"))
    assert pairs(crowd) == []
    crowd.append(person(CROWD + 1, crowd[0].name, email="teacher@example.org"))
    assert pairs(crowd) == [Pair(1, CROWD + 1, (Alike.EMAIL,))]


def test_no_more_than_a_page_of_pairs() -> None:
    people = [person(number, "同名", email="one@example.org") for number in range(1, 40)]
    assert len(pairs(people)) == PAIRS_AT_MOST


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "x", "y"])), max_size=12))
def test_pairs_are_of_two_people_each_once_and_whatever_the_order(raw: list[tuple[str, str]]) -> None:
    people = [person(number, name, email=email) for number, (name, email) in enumerate(raw)]
    found = pairs(people)
    assert found == pairs(reversed(people))
    assert len({(one.first_id, one.second_id) for one in found}) == len(found)
    assert all(one.first_id < one.second_id and one.reasons for one in found)


@pytest.mark.parametrize(
    ("keep", "drop", "code"),
    [
        (Half(id=1), Half(id=2), None),
        (Half(id=1), Half(id=1), MergeCode.ITSELF),
        (Half(id=1, is_merged=True), Half(id=2), MergeCode.MERGED_ALREADY),
        (Half(id=1), Half(id=2, is_merged=True), MergeCode.MERGED_ALREADY),
        (Half(id=1, is_erased=True), Half(id=2), MergeCode.ERASED),
        (Half(id=1), Half(id=2, is_erased=True), MergeCode.ERASED),
        (Half(id=1, was_admitted=True), Half(id=2), None),
        (Half(id=1), Half(id=2, was_admitted=True), MergeCode.OTHER_ADMITTED),
        (Half(id=1, was_admitted=True), Half(id=2, was_admitted=True), MergeCode.BOTH_ADMITTED),
    ],
)
def test_who_can_become_part_of_whom(keep: Half, drop: Half, code: MergeCode | None) -> None:
    assert refusal(keep, drop) == code


def test_the_better_ticket_is_nearer_to_the_door() -> None:
    assert better_ticket(S.WAITLISTED, S.CONFIRMED)
    assert better_ticket(S.CANCELLED, S.WAITLISTED)
    assert not better_ticket(S.CONFIRMED, S.CONFIRMED)
    assert not better_ticket(S.CONFIRMED, S.PENDING)


@given(st.sampled_from(list(S)), st.sampled_from(list(S)))
def test_a_place_is_freed_only_where_two_were_held(keep: RegistrationState, drop: RegistrationState) -> None:
    assert frees_a_place(keep, drop) == ({keep, drop} <= HOLDS_A_PLACE)
    assert not (better_ticket(keep, drop) and better_ticket(drop, keep))


def test_what_is_filled_in_wins_over_what_is_empty() -> None:
    assert stays("a", "b") and stays("a", "") and stays("", "") and not stays("", "b")
