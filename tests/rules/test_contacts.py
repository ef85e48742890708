"""Phones, e-mail addresses and names as people and spreadsheets write them."""

from __future__ import annotations

import unicodedata

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.contacts import (
    NAME_LIMIT,
    ContactCode,
    Email,
    Phone,
    clean_line,
    clean_name,
    match_key,
    normalise_email,
    normalise_phone,
)
from kernel.errors import Problem

pytestmark = pytest.mark.fast

MOBILE = Phone(e164="+8613800138000", last_four="8000")


@pytest.mark.parametrize(
    "text",
    [
        "13800138000",
        " 13800138000 ",
        "138 0013 8000",
        "138-0013-8000",
        "138\u00a00013\u00a08000",
        "138\u30000013\u30008000",
        "138–0013–8000",
        "138−0013−8000",
        "１３８００１３８０００",
        "+8613800138000",
        "＋８６ １３８００１３８０００",
        "+86 138 0013 8000",
        "(+86)13800138000",
        "（+86）13800138000",
        "+86-138-0013-8000",
        "+86 (0)138 0013 8000",
        "8613800138000",
        "008613800138000",
        "0086 138 0013 8000",
        "00 86 13800138000",
        "13800138000.0",
        "13800138000.00",
        "+8613800138000.0",
        "'13800138000",
        "'+8613800138000",
        "\u202d13800138000\u202c",
        "\ufeff13800138000",
        "tel:+8613800138000",
        "TEL: 13800138000",
    ],
)
def test_one_mobile_number_is_read_from_every_spelling(text: str) -> None:
    assert normalise_phone(text) == MOBILE


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("+852 9123 4567", "+85291234567"),
        ("00852 9123 4567", "+85291234567"),
        ("+886 912 345 678", "+886912345678"),
        ("+1 (650) 253-0000", "+16502530000"),
        ("+44 7400 123456", "+447400123456"),
        ("+49 30 901820", "+4930901820"),
        ("+81.90.1234.5678", "+819012345678"),
        ("010-62345678", "+861062345678"),
        ("(0755) 1234 5678", "+8675512345678"),
        ("+39 06 6982", "+39066982"),
    ],
)
def test_numbers_from_abroad_and_landlines_are_read(text: str, e164: str) -> None:
    assert normalise_phone(text) == Phone(e164=e164, last_four=e164[-4:])


def test_a_number_without_a_country_is_dialled_in_the_default_region() -> None:
    assert normalise_phone("650 253 0000", "US") == Phone("+16502530000", "0000")
    assert normalise_phone("0086 138 0013 8000", "US") == MOBILE
    assert normalise_phone("650 253 0000") == Problem(ContactCode.PHONE_INVALID)


@pytest.mark.parametrize(
    "text", ["1.38E+10", "1.3800138e10", "1.38E10", "１．３８Ｅ＋１０", "8.61E+12", "1,38E+10", "2E+10"]
)
def test_scientific_notation_has_its_own_name(text: str) -> None:
    assert normalise_phone(text) == Problem(ContactCode.PHONE_SCIENTIFIC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "无",
        "-",
        "110",
        "12345678901",
        "1380013800",
        "138001380001",
        "13800138000.5",
        "1.38",
        "138O0138000",
        "13800138000/13900139000",
        "13800138000、13900139000",
        "13800138000 13900139000",
        "010-62345678转123",
        "010-62345678 ext 5",
        "张三13800138000",
        "a@example.com",
        "+",
        "+999 123456789",
        "138+00138000",
        "+1 555 123 4567",
        "1" * 400,
    ],
)
def test_what_nobody_can_dial_is_refused(text: str) -> None:
    assert normalise_phone(text) == Problem(ContactCode.PHONE_INVALID)


def test_an_unknown_region_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="XX"):
        normalise_phone("13800138000", "XX")


@given(st.text(max_size=60))
def test_any_text_gives_a_dialable_number_or_a_problem_without_the_text(text: str) -> None:
    outcome = normalise_phone(text)
    if isinstance(outcome, Problem):
        assert outcome.code in (ContactCode.PHONE_INVALID, ContactCode.PHONE_SCIENTIFIC)
        assert outcome.params == {}
    else:
        assert normalise_phone(outcome.e164, "US") == outcome


@given(st.integers(0, 99_999_999), st.sampled_from(["", "+86", "0086", "+86 ", "'+86-"]), st.booleans())
def test_mobile_numbers_keep_every_digit(number: int, prefix: str, full_width: bool) -> None:
    digits = f"138{number:08d}"
    written = digits.translate({ord("0") + n: 0xFF10 + n for n in range(10)}) if full_width else digits
    assert normalise_phone(prefix + written) == Phone(f"+86{digits}", digits[-4:])


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
def test_every_country_s_example_survives(region: str) -> None:
    example = phonenumbers.example_number(region)
    assert example is not None
    e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    international = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    assert normalise_phone(international) == Phone(e164, e164[-4:])


@pytest.mark.parametrize(
    ("text", "address", "key"),
    [
        ("zhang@example.com", "zhang@example.com", "zhang@example.com"),
        (" Zhang.San@Example.COM\u00a0", "Zhang.San@example.com", "zhang.san@example.com"),
        ("zhang＠example.com", "zhang@example.com", "zhang@example.com"),
        ("ＺＨＡＮＧ＠ＥＸＡＭＰＬＥ．ＣＯＭ", "ZHANG@example.com", "zhang@example.com"),
        ("zhang@example。com", "zhang@example.com", "zhang@example.com"),
        ("mailto:zhang@example.com", "zhang@example.com", "zhang@example.com"),
        ("MAILTO: zhang@example.com", "zhang@example.com", "zhang@example.com"),
        ("zhang@example.com\u200b", "zhang@example.com", "zhang@example.com"),
        ("\ufeffzhang+coscon@example.com", "zhang+coscon@example.com", "zhang+coscon@example.com"),
        ("10086@qq.com", "10086@qq.com", "10086@qq.com"),
        ("a@例子.中国", "a@例子.中国", "a@xn--fsqu00a.xn--fiqs8s"),
        ("a@XN--FSQU00A.xn--fiqs8s", "a@例子.中国", "a@xn--fsqu00a.xn--fiqs8s"),
    ],
)
def test_addresses_are_folded(text: str, address: str, key: str) -> None:
    assert normalise_email(text) == Email(address, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zhang",
        "zhang@",
        "@example.com",
        "zhang@example",
        "zhang@localhost",
        "zhang@example.invalid",
        "zhang@@example.com",
        "zhang @example.com",
        "zhang..san@example.com",
        "a@example.com;b@example.com",
        "a@example.com, b@example.com",
        "a@example.com b@example.com",
        "张三@example.com",
        "张三 <a@example.com>",
        "zhang@[127.0.0.1]",
        "13800138000",
        "a" * 65 + "@example.com",
        "a" * 400 + "@example.com",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert normalise_email(text) == Problem(ContactCode.EMAIL_INVALID)


@given(st.emails())
def test_an_address_is_its_own_key_s_twin(text: str) -> None:
    outcome = normalise_email(text)
    if isinstance(outcome, Email):
        assert outcome.key == outcome.key.lower()
        assert outcome.key.isascii()
        again = normalise_email(outcome.key)
        assert isinstance(again, Email)
        assert again.key == outcome.key
        upper = normalise_email(text.upper())
        assert isinstance(upper, Email)
        assert upper.key == outcome.key


FAMILY = "👨\u200d👩\u200d👧"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("张三", "张三"),
        ("  张三\t", "张三"),
        ("欧阳\u3000娜娜", "欧阳 娜娜"),
        ("Ada \u00a0 Lovelace", "Ada Lovelace"),
        ("张\r\n三", "张 三"),
        ("张\u200b三\ufeff", "张三"),
        ("\u202e三张\u202c", "三张"),
        ("张\x00三\x07\x7f\x9f", "张三"),
        ("e\u0301lan", "\u00e9lan"),
        ("𠮷野家", "𠮷野家"),
        ("葛\U000e0100", "葛\U000e0100"),
        ("小明🎉", "小明🎉"),
        ("👩🏽\u200d💻", "👩🏽\u200d💻"),
        ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
        ("🙂\u200d\u2194\ufe0f", "🙂\u200d\u2194\ufe0f"),
        ("🎉", "🎉"),
        (FAMILY, FAMILY),
        (ENGLAND, ENGLAND),
        ("张\U000e0041三", "张三"),
        ("张\u200d三", "张三"),
        ("🎉\u200d", "🎉"),
        ("\u200d🎉", "🎉"),
        ("🎉\u200d\u200b🎉", "🎉🎉"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("علی\u200cReza", "علیReza"),
        ("क्\u200dष", "क्\u200dष"),
        ("क्\u200d ष", "क् ष"),
        ("O'Brien-Søren d’Été", "O'Brien-Søren d’Été"),
        ("X", "X"),
        ("㋿\uffff\ufdd0\U0001fffe", "㋿"),
        ("\U0001fae8", "\U0001fae8"),
        ("甲" * NAME_LIMIT, "甲" * NAME_LIMIT),
        (" " * 500 + "甲", "甲"),
    ],
)
def test_names_are_cleaned_and_never_split(text: str, name: str) -> None:
    assert clean_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\u3000\u00a0",
        "\u200b\u200d\ufeff",
        "\u3164",
        "\u115f\uffa0\u2800",
        "\u0301",
        "\ufe0f",
        "\x00",
    ],
)
def test_a_name_without_ink_is_missing(text: str) -> None:
    assert clean_name(text) == Problem(ContactCode.NAME_MISSING)


def test_a_name_longer_than_a_badge_says_how_long() -> None:
    assert clean_name("甲" * 121) == Problem(ContactCode.NAME_TOO_LONG, {"limit": 120, "length": 121})


# Every kind of troublesome character often, instead of once in a million.
TROUBLE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\u200b\u200c\u200d\u202e\ufeff\ufe0f\U000e0067\U000e007f🏴👩💻🏽علक्ष e\u0301\u3164\r\n\x1c"
        ),
    ),
    max_size=30,
)


@given(TROUBLE)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean_line(text)
    assert clean_line(once) == once
    assert once == unicodedata.normalize("NFC", once)
    assert once == " ".join(once.split())
    assert not set(once) & set("\x00\u200b\u202a\u202e\u2066\ufeff\r\n\t\u3164")


@given(TROUBLE)
def test_a_name_is_clean_or_a_problem(text: str) -> None:
    outcome = clean_name(text)
    if isinstance(outcome, str):
        assert clean_name(outcome) == outcome
        assert 1 <= len(outcome) <= NAME_LIMIT
    else:
        assert outcome.code in (ContactCode.NAME_MISSING, ContactCode.NAME_TOO_LONG)


def test_match_key_folds_width_case_and_spaces_only() -> None:
    assert match_key("张 三") == match_key("张\u3000三\u200b") == "张三"
    assert match_key("Ａda LOVELACE") == match_key("ada lovelace") == "adalovelace"
    assert match_key("张三") != match_key("张山")
    assert match_key("José") != match_key("Jose")
