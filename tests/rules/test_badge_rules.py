"""Numbers are given once and in order, boxes are filled before the next is begun, a list's bad lines are all named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin.badge_rules import (
    BOX_MAX,
    NUMBER_MAX,
    SIZES,
    BadgeAct,
    BadgeCode,
    BadgeState,
    Boxes,
    Given,
    Handing,
    Order,
    Paper,
    Plan,
    Waiting,
    Wish,
    WrongLine,
    give,
    letters,
    name_size,
    read_list,
    state_of,
    take_back,
)

DAY = datetime(2023, 10, 1, tzinfo=UTC)


def person(number: int, key: str = "a", kind: int = 0, name: str = "讲师", minute: int = 0) -> Waiting:
    return Waiting(number, key, kind, name, DAY + timedelta(minutes=minute))


def given_by(people: list[Waiting], plan: Plan, **more: object) -> list[tuple[int, int, str]]:
    found = give(people, plan, **({"taken": (), "filled": {}} | more))  # type: ignore[arg-type]
    assert isinstance(found, list)
    return [(one.passport_id, one.number, one.box) for one in found]


THREE = [person(1, "wang", 1, "普通票", 0), person(2, "an", 0, "讲师", 5), person(3, "zhao", 0, "讲师", 2)]


@pytest.mark.parametrize(
    ("order", "ids"),
    [(Order.PINYIN, [2, 1, 3]), (Order.TICKET_TYPE, [2, 3, 1]), (Order.REGISTERED, [1, 3, 2])],
)
def test_numbers_follow_the_order_that_was_chosen(order: Order, ids: list[int]) -> None:
    assert [one[0] for one in given_by(THREE, Plan(order=order))] == ids


def test_taken_numbers_are_left_out_and_the_start_is_kept() -> None:
    assert [one[1] for one in given_by(THREE, Plan(start=100), taken={1, 100, 102})] == [101, 103, 104]


def test_letters_fill_a_box_before_the_next_and_go_on_where_they_stopped() -> None:
    people = [person(number, f"{number:02}") for number in range(5)]
    plan = Plan(boxes=Boxes.LETTERS, per_box=2)
    assert [one[2] for one in given_by(people, plan)] == ["A", "A", "B", "B", "C"]
    assert [one[2] for one in given_by(people, plan, filled={"A": 1, "B": 1})] == ["B", "C", "C", "D", "D"]
    assert {one[2] for one in given_by(people, Plan(boxes=Boxes.LETTERS))} == {"A"}


def test_boxes_by_ticket_type_are_cut_to_what_fits_on_a_label() -> None:
    assert [one[2] for one in given_by(THREE, Plan(boxes=Boxes.TYPES))] == ["讲师", "普通票", "讲师"]
    numbered = given_by(THREE, Plan(order=Order.TICKET_TYPE, boxes=Boxes.TYPES, per_box=1))
    assert [one[2] for one in numbered] == ["讲师 1", "讲师 2", "普通票 1"]
    [(_, _, box)] = given_by([person(1, name="长" * 40)], Plan(boxes=Boxes.TYPES, per_box=5))
    assert (len(box), box[-2:]) == (BOX_MAX, " 1")


def test_numbers_can_be_used_up() -> None:
    assert give(THREE, Plan(start=NUMBER_MAX - 1), taken=(), filled={}) is BadgeCode.NUMBERS_USED_UP


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 2)), max_size=30),
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 2)), max_size=30),
    st.sampled_from(Order),
    st.sampled_from(Boxes),
    st.one_of(st.none(), st.integers(1, 4)),
    st.integers(1, 20),
    st.sets(st.integers(1, 40), max_size=10),
)
def test_numbers_are_unique_and_later_arrivals_change_nothing(  # noqa: PLR0917 -- what a run is made of
    early: list[tuple[str, int]],
    late: list[tuple[str, int]],
    order: Order,
    boxes: Boxes,
    per_box: int | None,
    start: int,
    taken: set[int],
) -> None:
    plan = Plan(order=order, start=start, boxes=boxes, per_box=per_box)

    def people(some: list[tuple[str, int]], first: int) -> list[Waiting]:
        return [person(first + nth, key, kind, f"票{kind}", nth) for nth, (key, kind) in enumerate(some)]

    once = give(people(early, 0), plan, taken=taken, filled={})
    assert isinstance(once, list)
    filled: dict[str, int] = {}
    for one in once:
        filled[one.box] = filled.get(one.box, 0) + 1
    used = taken | {one.number for one in once}
    again = give(people(late, 1000), plan, taken=used, filled={box: n for box, n in filled.items() if box})
    assert isinstance(again, list)
    every: list[Given] = [*once, *again]
    assert len({one.number for one in every}) == len(every) == len(early) + len(late)
    assert not {one.number for one in every} & taken
    assert all(one.number >= start for one in every)
    assert [one.number for one in once] == sorted(one.number for one in once)
    for one in again:
        filled[one.box] = filled.get(one.box, 0) + 1
    if boxes is not Boxes.NONE and per_box is not None:
        assert max(filled.values(), default=0) <= per_box
    assert all(len(one.box) <= BOX_MAX for one in every)


@pytest.mark.parametrize(
    ("nth", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (702, "AAA")]
)
def test_letters_are_those_of_a_spreadsheet(nth: int, name: str) -> None:
    assert letters(nth) == name


def test_the_state_of_a_badge_is_counted_from_its_ledger() -> None:
    state = state_of({"printed": 1, "reprinted": 2, "handed_over": 2, "taken_back": 1})
    assert (state.prints, state.reprints, state.is_out) == (3, 2, True)
    assert state.printed() == (BadgeAct.REPRINTED, 2)
    assert (BadgeState().printed(), BadgeState().reprints, BadgeState().is_out) == (
        (BadgeAct.PRINTED, 0),
        0,
        False,
    )


@pytest.mark.parametrize(
    ("state", "minutes", "said"),
    [
        (BadgeState(), 0, Handing.NOT_HANDED_OVER),
        (BadgeState(handed_over=1, taken_back=1), 0, Handing.NOT_HANDED_OVER),
        (BadgeState(handed_over=1), 30, Handing.TAKEN_BACK),
        (BadgeState(handed_over=1), 31, Handing.TOO_LATE),
    ],
)
def test_what_was_handed_over_may_be_taken_back_for_a_while(
    state: BadgeState, minutes: int, said: Handing
) -> None:
    assert take_back(state, age=timedelta(minutes=minutes), within=timedelta(minutes=30)) is said


def test_every_paper_has_a_size() -> None:
    assert SIZES.keys() == set(Paper)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("林小满", "xl"),
        ("欧阳小满文", "l"),
        ("Kevin Zeng", "l"),
        ("迪丽热巴·迪力木", "m"),
        ("买买提" * 5, "s"),
        ("长" * 17, "xs"),
    ],
)
def test_long_names_get_small_letters(name: str, size: str) -> None:
    assert name_size(name) == size


def test_a_list_is_read_by_its_titles_in_either_language() -> None:
    rows = [
        ["姓名", "短码", "胸牌号", "箱号"],
        ["林小满", "7KQ2M9XD", "0217", "C"],
        ["", "", "", ""],
        ["李", "AB", "", "讲师"],
    ]
    assert read_list(rows) == ([Wish(2, "7KQ2M9XD", 217, "C"), Wish(4, "AB", None, "讲师")], [])
    assert read_list([["Badge number", "Code"], ["5.0", "x"]]) == ([Wish(2, "x", 5, "")], [])


@pytest.mark.parametrize("rows", [[], [["姓名", "短码"]], [["胸牌号"]]])
def test_a_list_without_its_columns_is_no_list(rows: list[list[str]]) -> None:
    assert read_list(rows) is BadgeCode.COLUMNS_MISSING


def test_every_bad_line_is_named() -> None:
    rows = [
        ["code", "badge number", "box"],
        ["", "5", ""],
        ["a", "five", ""],
        ["b", "0", ""],
        ["c", "1000000", ""],
        ["d", "7", "x" * 21],
        ["e", "8"],
        ["e", "9"],
        ["f", "8"],
        ["g", "12345678901"],
    ]
    found = read_list(rows)
    assert not isinstance(found, BadgeCode)
    assert found[0] == [Wish(7, "e", 8, "")]
    assert found[1] == [
        WrongLine(2, "code_missing", "5"),
        WrongLine(3, "number_unreadable", "five"),
        WrongLine(4, "number_unreadable", "0"),
        WrongLine(5, "number_unreadable", "1000000"),
        WrongLine(6, "box_too_long", "d"),
        WrongLine(8, "code_twice", "e"),
        WrongLine(9, "number_twice", "8"),
        WrongLine(10, "number_unreadable", "12345678901"),
    ]
