"""Names found as people type them: every reading, initials, any mixture; lists in the order of pinyin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.pinyin_rules import (
    FORMS_MAX,
    INSIDE,
    SORT_MAX,
    START,
    VARIANTS_MAX,
    forms,
    letter_of,
    readings,
    sort_key,
    wanted,
)


def found(name: str, typed: str) -> bool:
    """As the statement in ``events.queries`` asks it."""
    meant, kept = wanted(typed), forms([name])
    return any(f"{mark}{one}" in kept for one in meant.variants for mark in (START, INSIDE)) and all(
        char in name for char in meant.han
    )


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("张伟", "zhangwei"),
        ("张伟", "Zhang Wei"),
        ("张伟", "zhāng wěi"),
        ("张伟", "zw"),
        ("张伟", "zhw"),
        ("张伟", "zhangw"),
        ("张伟", "zwei"),
        ("张伟", "wei"),
        ("张伟", "zhan"),
        ("张伟", "张wei"),
        ("张伟", "zhang伟"),
        ("张伟", "z伟"),
        ("张海伟", "zhw"),
        ("单雄信", "shanxx"),
        ("单雄信", "dxx"),
        ("曾国藩", "zeng"),
        ("曾国藩", "cgf"),
        ("解晓东", "xiexiaodong"),
        ("解晓东", "jxd"),
        ("重庆", "chongqing"),
        ("重庆", "zhongq"),
        ("西安", "xi'an"),
        ("吕布", "lvbu"),
        ("吕布", "lübu"),
        ("吕布", "lyub"),
        ("吕布", "lub"),
        ("欧阳娜娜", "oynn"),
        ("欧阳娜娜", "nana"),
        ("阿卜杜拉·买买提江", "abdlmmtj"),
        ("阿卜杜拉·买买提江", "abudula"),
        ("阿卜杜拉·买买提江", "maimaiti"),
        ("Tom 张伟", "zw"),
    ],
)
def test_a_name_is_found_as_it_is_typed(name: str, typed: str) -> None:
    assert found(name, typed)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("张伟", "ang"),
        ("张伟", "wz"),
        ("张伟", "李wei"),
        ("张伟", "zhangweii"),
        ("Tom", "tom"),
        ("张伟", "138"),
    ],
)
def test_a_name_is_not_found_by_the_middle_of_a_syllable_or_somebody_elses(name: str, typed: str) -> None:
    assert not found(name, typed)


@pytest.mark.parametrize("typed", ["", "张伟", "a@b.cn", "13800138000", "%%", "wei_;"])
def test_what_is_no_pinyin_is_not_looked_for_as_one(typed: str) -> None:
    assert wanted(typed).variants == ()


def test_a_character_without_a_reading_stands_for_itself_only() -> None:
    assert readings("〇") and readings("x") == ()
    unread = "\U0003fffd"
    assert forms([unread]) == ""
    assert wanted(f"{unread}wei").variants == ("wei",)


def test_both_names_of_a_person_count_once() -> None:
    assert forms(["张伟", "张伟"]) == forms(["张伟"])
    assert forms(["张伟", "老王"]) == forms(["张伟"]) + forms(["老王"])


HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=12)


@given(st.lists(HAN, max_size=3))
def test_stored_forms_are_bounded(names: list[str]) -> None:
    kept = forms(names)
    assert len(kept) <= FORMS_MAX
    assert all(one[0] in (START, INSIDE) and one[1:].isalpha() for one in kept.split())


USUAL = st.text(st.sampled_from("王李张刘陈单曾解任区重乐朴强平国华伟吕覃"), min_size=1, max_size=3)


@given(USUAL, st.data())
def test_any_mixture_of_whole_readings_initials_and_characters_finds_a_name(
    name: str, data: st.DataObject
) -> None:
    typed = ""
    for char in name:
        reading = data.draw(st.sampled_from(readings(char)))
        typed += data.draw(st.sampled_from([reading, reading[0], char]))
    meant = wanted(typed)
    assert found(name, typed) or (not meant.variants and typed == name)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_meant_in_a_bounded_number_of_ways(typed: str) -> None:
    meant = wanted(typed)
    assert len(meant.variants) <= VARIANTS_MAX
    assert all(one.isascii() and one.islower() and one.isalpha() for one in meant.variants if one)


def test_lists_stand_in_the_order_of_pinyin_then_of_the_alphabet() -> None:
    names = [
        "Åsa Berg",
        "曾毅",
        "张一",
        "李四",
        "林一",
        "解放",
        "单田芳",
        "Bob",
        "重楼",
        "王五",
        "欧阳修",
        "尉迟恭",
    ]
    ordered = sorted(names, key=sort_key)
    assert ordered == [
        "重楼", "李四", "林一", "欧阳修", "单田芳", "王五", "解放", "尉迟恭", "曾毅", "张一", "Åsa Berg", "Bob",
    ]  # fmt: skip
    assert [letter_of(sort_key(name)) for name in ("单田芳", "曾毅", "Bob", "")] == ["S", "Z", "", ""]
    assert len(sort_key("长" * 300)) == SORT_MAX


def test_one_syllable_stands_before_a_longer_one_that_begins_alike() -> None:
    assert sorted(["李安", "梁安", "李昂"], key=sort_key) == ["李安", "李昂", "梁安"]
