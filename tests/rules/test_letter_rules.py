"""The words of letters to speakers: what may stand in braces, what is left out, in which language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenda import letter_templates
from agenda.letter_rules import (
    ABOUT_A_STATE,
    KNOWN,
    NEEDED,
    OF_DECISION,
    OF_MOVE,
    TEMPLATES,
    LetterCode,
    Occasion,
    Placeholder,
    filled,
    filled_line,
    language_for,
    leaves_at_once,
    placeholders,
    problems,
    unknown,
)
from agenda.proposal_rules import DECISIONS, Verb
from agenda.words import OCCASION_WORDS, WORDS
from kernel.errors import Code
from kernel.text import LOCALES, LocalizedText
from web import i18n


def text(**parts: str) -> LocalizedText:
    return LocalizedText({{"zh": "zh-Hans"}.get(tag, tag): words for tag, words in parts.items()})


# --- the house's own words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("occasion", TEMPLATES)
def test_the_house_says_only_what_each_occasion_knows_and_says_it_in_both_languages(
    occasion: Occasion,
) -> None:
    words = letter_templates.house(occasion)
    assert set(words.subject) == set(words.text) == set(LOCALES)
    assert words.text["zh-Hans"] != words.text["en"]
    assert problems(occasion, words.subject, words.text, optional=False) == {}
    # Both languages hold the same placeholders: nobody is told less for their language.
    assert sorted(placeholders(words.text["zh-Hans"])) == sorted(placeholders(words.text["en"]))
    assert sorted(placeholders(words.subject["zh-Hans"])) == sorted(placeholders(words.subject["en"]))


def test_a_message_by_hand_has_no_words_of_the_house() -> None:
    assert letter_templates.house(Occasion.MESSAGE).text == {}
    assert Occasion.MESSAGE not in TEMPLATES


def test_every_occasion_and_code_has_words() -> None:
    assert set(OCCASION_WORDS) == {str(one) for one in Occasion} == {str(one) for one in KNOWN}
    for code in LetterCode:
        assert i18n.gettext_in("zh-Hans", WORDS[code]) != WORDS[code]
    for occasion, needed in NEEDED.items():
        assert needed in KNOWN[occasion]


def test_own_words_stand_over_the_houses_by_language() -> None:
    own = letter_templates.Words(text(zh="录用", en=""), text(zh="恭喜", en="half"))
    below = letter_templates.Words(text(zh="a", en="b"), text(zh="c", en="d"))
    assert own.over(below) == letter_templates.Words(text(zh="录用", en="b"), text(zh="恭喜", en="d"))


# --- what is told ------------------------------------------------------------------------------------------------


def test_every_decision_and_every_end_is_told() -> None:
    assert {OF_DECISION[state] for state in DECISIONS.values()} == {OF_MOVE[verb] for verb in DECISIONS}
    assert set(Verb) - set(OF_MOVE) == {Verb.INVITE, Verb.DECLINE, Verb.REOPEN}
    assert Occasion.RECEIVED not in ABOUT_A_STATE
    assert Occasion.ACCEPTED in ABOUT_A_STATE


@pytest.mark.parametrize("occasion", Occasion)
def test_only_receipts_for_own_doing_wait_for_nobody(occasion: Occasion) -> None:
    receipt = occasion in (Occasion.RECEIVED, Occasion.CONFIRMED, Occasion.WITHDRAWN)
    assert leaves_at_once(occasion, own_doing=True) is receipt
    assert leaves_at_once(occasion, own_doing=False) is False


# --- what is wrong with somebody's words -------------------------------------------------------------------------


def test_an_unknown_placeholder_is_named_at_its_field() -> None:
    found = problems(Occasion.ACCEPTED, text(en="Hi {title}"), text(en="{link} {shoe_size}"))
    assert found["text.en"].code == LetterCode.PLACEHOLDER_UNKNOWN
    assert found["text.en"].params == {"name": "shoe_size"}
    assert set(found) == {"text.en"}
    # Known, but not on this occasion.
    assert problems(Occasion.REJECTED, text(en="x"), text(en="{missing}"))["text.en"].params == {
        "name": "missing"
    }


def test_a_subject_holds_no_link() -> None:
    assert unknown("{link}", Occasion.ACCEPTED) == []
    found = problems(Occasion.ACCEPTED, text(en="See {link}"), text(en="x"))
    assert found["subject.en"].params == {"name": "link"}


def test_an_invitation_without_its_link_is_refused() -> None:
    found = problems(Occasion.INVITED, text(zh="邀请"), text(zh="请来"))
    assert found["text.zh-Hans"].code == LetterCode.PLACEHOLDER_NEEDED
    assert problems(Occasion.INVITED, text(zh="邀请"), text(zh="请来 {link}")) == {}
    # What is missing already is said once.
    assert problems(Occasion.INVITED, text(zh="邀请"), text())["text.zh-Hans"].code == Code.REQUIRED


def test_half_a_language_is_refused_and_none_is_the_houses() -> None:
    assert problems(Occasion.ACCEPTED, text(), text()) == {}
    assert problems(Occasion.ACCEPTED, text(en="x"), text())["text.en"].code == Code.REQUIRED
    assert problems(Occasion.ACCEPTED, text(), text(en="x"))["subject.en"].code == Code.REQUIRED
    found = problems(Occasion.MESSAGE, text(), text(), tags=("en",), optional=False)
    assert {name: one.code for name, one in found.items()} == {
        "subject.en": Code.REQUIRED,
        "text.en": Code.REQUIRED,
    }
    assert problems(Occasion.MESSAGE, text(en="x"), text(en="y"), optional=False) == {}


def test_too_long_is_said_with_the_limit() -> None:
    found = problems(Occasion.MESSAGE, text(en="x" * 201), text(en="y" * 10_001))
    assert (found["subject.en"].params, found["text.en"].params) == ({"limit": 200}, {"limit": 10_000})


# --- filled in ---------------------------------------------------------------------------------------------------


def test_a_line_with_nothing_to_say_is_left_out() -> None:
    words = "Hello {name},\n\nForum: {forum}\n\nuntil {deadline}.\n\n{ link }\n{not this}\n"
    said = filled(words, {Placeholder.NAME: "Lin", Placeholder.DEADLINE: " "})
    assert said == "Hello Lin,\n\n{link}\n{not this}"


def test_a_values_braces_stay_what_they_are() -> None:
    assert filled("“{title}”", {Placeholder.TITLE: "{name}"}) == "“{name}”"


def test_a_subject_is_one_line() -> None:
    assert filled_line("About {title}: {forum}", {Placeholder.TITLE: "a\r\nBcc: x"}) == "About a Bcc: x:"


@given(st.text(max_size=200), st.dictionaries(st.sampled_from(list(Placeholder)), st.text(max_size=20)))
def test_filling_in_never_fails_and_a_subject_never_breaks(
    words: str, values: dict[Placeholder, str]
) -> None:
    filled(words, values)
    assert "\n" not in filled_line(words, values)
    assert "\r" not in filled_line(words, values)


@pytest.mark.parametrize(
    ("wanted", "offered", "got"),
    [
        ("en", ("zh-Hans", "en"), "en"),
        ("zh-Hant", ("zh-Hans", "en"), "zh-Hans"),
        ("ja", ("zh-Hans", "en"), "en"),
        ("ja", ("zh-Hans",), "zh-Hans"),
    ],
)
def test_somebody_is_written_to_in_their_language_or_one_they_may_read(
    wanted: str, offered: tuple[str, ...], got: str
) -> None:
    assert language_for(wanted, offered) == got
