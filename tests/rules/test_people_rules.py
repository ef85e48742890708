"""The decisions of ``people`` that need no database."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from people import rules
from people.pictures import PictureProblem
from people.rules import JobState, LetterAct, LetterState, LetterTrouble, MailLimits, PeopleCode
from people.words import WORDS
from web import i18n


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("lin@example.org", "lin@example.org"),
        ("  Lin.Xiaoman@Example.ORG\n", "lin.xiaoman@example.org"),
        ("ｌｉｎ＠ｅｘａｍｐｌｅ．ｏｒｇ", "lin@example.org"),
        ("lin@例子.中国", "lin@xn--fsqu00a.xn--fiqs8s"),
        ("lin+coscon@mail.example.org", "lin+coscon@mail.example.org"),
        ("admin@huiwu.test", "admin@huiwu.test"),
        ("林@example.org", "林@example.org"),
        ("", None),
        ("lin", None),
        ("lin@", None),
        ("@example.org", None),
        ("lin@localhost", None),
        ("lin@example..org", None),
        ("lin@example.org, ma@example.org", None),
        ("Lin <lin@example.org>", None),
        ("lin@exam ple.org", None),
        ("lin\r\nBcc: x@example.org", None),
        ("a" * 400 + "@example.org", None),
        ("lin@" + "a" * 63 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + ".org", None),
    ],
)
def test_read_email(typed: str, address: str | None) -> None:
    assert rules.read_email(typed) == address


@given(st.text(max_size=60))
def test_what_is_read_as_an_address_is_stable_and_fits_on_a_letter(typed: str) -> None:
    address = rules.read_email(typed)
    if address is not None:
        assert rules.read_email(address) == address
        assert rules.can_be_addressed(address)


@given(st.emails())
def test_folding_is_stable(email: str) -> None:
    address = rules.read_email(email)
    if address is not None:
        assert rules.read_email(email.upper()) == address == rules.read_email(address)
        assert rules.domain_of(address)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("012345", "012345"),
        (" 012 345 ", "012345"),
        ("012-345", "012345"),
        ("０１２３４５", "012345"),
        ("012\u00a0345", "012345"),
        ("01234", None),
        ("0123456", None),
        ("01234a", None),
        ("٠١٢٣٤٥", None),
        ("", None),
    ],
)
def test_read_code(typed: str, code: str | None) -> None:
    assert rules.read_code(typed) == code


@given(st.text(max_size=12))
def test_read_code_gives_six_ascii_digits_or_nothing(typed: str) -> None:
    code = rules.read_code(typed)
    assert code is None or (len(code) == 6 and code.isascii() and code.isdigit())


@pytest.mark.parametrize(
    ("asked", "here", "known", "may"),
    [
        (0, 0, False, True),
        (4, 0, False, True),
        (5, 0, False, False),
        (5, 0, True, True),
        (9, 4, True, True),
        (9, 5, True, False),
    ],
)
def test_may_ask_for_code(asked: int, here: int, known: bool, may: bool) -> None:
    assert rules.may_ask_for_code(asked=asked, asked_here=here, known_here=known) is may


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1 MicroMessenger/8.0",
            "WeChat 微信 · iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/118.0 Safari/537.36 Edg/118.0", "Edge · Windows"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/118.0 Mobile Safari/537.36", "Chrome · Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/17.0 Safari/605.1", "Safari · Mac"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:119.0) Firefox/119.0", "Firefox · Linux"),
        ("command line", "command line"),
        ("x" * 200, "x" * 60),
        ("", ""),
    ],
)
def test_device_name(user_agent: str, name: str) -> None:
    assert rules.device_name(user_agent) == name


LIMITS = MailLimits(per_hour=10, per_domain_hour=3)


@pytest.mark.parametrize(
    ("total", "domain", "may"), [(0, 0, True), (9, 2, True), (10, 0, False), (9, 3, False), (11, 4, False)]
)
def test_may_send(total: int, domain: int, may: bool) -> None:
    assert rules.may_send(total, domain, LIMITS) is may


@given(st.lists(st.sampled_from(["a.example", "b.example", "c.example"]), max_size=40))
def test_whatever_is_asked_never_more_leave_than_the_limits(domains: list[str]) -> None:
    sent: dict[str, int] = {}
    for domain in domains:
        if rules.may_send(sum(sent.values()), sent.get(domain, 0), LIMITS):
            sent[domain] = sent.get(domain, 0) + 1
    assert sum(sent.values()) <= LIMITS.per_hour
    assert max(sent.values(), default=0) <= LIMITS.per_domain_hour
    assert sum(sent.values()) == min(10, sum(min(3, domains.count(one)) for one in set(domains)))


def test_back_off_is_what_was_promised() -> None:
    minutes = [1, 5, 15, 60, 240]
    waits = [rules.retry_after(tries, rules.LETTER_BACK_OFF) for tries in range(1, 8)]
    assert waits == [*(timedelta(minutes=one) for one in minutes), None, None]
    assert rules.retry_after(0, rules.LETTER_BACK_OFF) is None
    assert [rules.retry_after(tries, rules.JOB_BACK_OFF) is None for tries in range(1, 5)] == [False] * 3 + [
        True
    ]


@pytest.mark.parametrize(
    ("email", "domain", "fits"),
    [
        ("a@b.example", "b.example", True),
        ("a@B.Example", "b.example", True),
        ("林@b.example", "b.example", True),
        ("a", "", False),
        ("@b.example", "b.example", False),
        ("a@", "", False),
        ("a b@c.example", "c.example", False),
        ("a\x00@c.example", "c.example", False),
        ("a\u202e@c.example", "c.example", False),
        ("a" * 250 + "@c.example", "c.example", False),
    ],
)
def test_domain_and_whether_an_address_fits(email: str, domain: str, fits: bool) -> None:
    assert (rules.domain_of(email), rules.can_be_addressed(email)) == (domain, fits)


@given(st.text(max_size=400), st.integers(1, 300))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    line = rules.one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(char) == "Cc" for char in line)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("list.csv", "list.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\林\\报名 名单.xlsx", "报名 名单.xlsx"),
        ("", "file"),
        ("...", "file"),
        ("  .hidden ", "hidden"),
        ("a\r\nb\x00c.csv", "a b c.csv"),
        ('a"<b>?.csv', "a b .csv"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("x" * 200 + ".csv", "x" * 116 + ".csv"),
        ("x" * 200, "x" * 120),
        ("x" * 115 + "." + "y" * 40, "x" * 115 + "." + "y" * 4),
    ],
)
def test_safe_filename(name: str, safe: str) -> None:
    assert rules.safe_filename(name) == safe


@given(st.text(max_size=300))
def test_safe_filename_is_never_empty_a_path_or_two_lines(name: str) -> None:
    safe = rules.safe_filename(name)
    assert 1 <= len(safe) <= 120
    assert not set(safe) & set('/\\:"<>|?*\r\n\x00')
    assert safe not in (".", "..")
    assert rules.safe_filename(safe) == safe


def test_every_act_leaves_a_state_and_none_touches_a_sent_letter() -> None:
    assert set(rules.LETTER_ACTS) == set(LetterAct)
    for act, (states, after) in rules.LETTER_ACTS.items():
        assert after not in states, act
        assert not states & {LetterState.SENT, LetterState.SENDING}, act


ENUMS = (LetterState, LetterAct, LetterTrouble, JobState, PeopleCode, PictureProblem)


@pytest.mark.parametrize("enum", ENUMS)
def test_every_code_has_words_in_both_languages(enum: type) -> None:
    for code in enum:  # type: ignore[attr-defined]
        assert WORDS[code]
        assert i18n.gettext_in("zh-Hans", WORDS[code]) != WORDS[code], code


def test_no_words_without_a_code() -> None:
    assert set(WORDS) == {str(code) for enum in ENUMS for code in enum}


# --- limits ------------------------------------------------------------------------------------------------------


@given(st.floats(min_value=0, max_value=4e9), st.integers(min_value=1, max_value=86_400))
def test_a_moment_lies_in_one_window_and_waits_for_the_next(now_s: float, span_s: int) -> None:
    within = timedelta(seconds=span_s)
    number, left_s = rules.window_of(now_s, within)
    assert 0 < left_s <= span_s
    assert rules.window_of(now_s + left_s, within)[0] == number + 1


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_network_of(host: str, network: str) -> None:
    assert rules.network_of(host) == network


@pytest.mark.parametrize(
    ("network", "networks", "inside"),
    [
        ("203.0.113.7", ("203.0.113.0/24",), True),
        ("203.0.114.7", ("203.0.113.0/24", "203.0.114.7"), True),
        ("203.0.114.8", ("203.0.113.0/24", "203.0.114.7"), False),
        ("2001:db8:1:2::", ("203.0.113.0/24", "2001:db8:1::/48"), True),
        ("203.0.113.7", (), False),
        ("testclient", ("0.0.0.0/0",), False),
    ],
)
def test_lies_in(network: str, networks: tuple[str, ...], inside: bool) -> None:
    assert rules.lies_in(network, networks) == inside


def test_limits_leave_room_for_a_hall_and_none_for_guessing() -> None:
    assert rules.LETTERS_PER_NETWORK.many >= 2000
    assert rules.LETTERS_PER_NETWORK.is_network and rules.FAILED_PER_NETWORK.is_network
    assert not rules.WRONG_PER_EMAIL.is_network and not rules.WRONG_PER_BROWSER.is_network
    # Three codes typed wrong to the end: somebody who mistypes is not stopped by the limit before the code is spent.
    assert rules.WRONG_PER_EMAIL.many >= 3 * rules.CODE_TRIES
    a_day = rules.WRONG_PER_EMAIL.many * (timedelta(days=1) / rules.WRONG_PER_EMAIL.within)
    assert a_day * 30 / 10**rules.CODE_DIGITS < 0.005
    names = [
        one.name
        for one in (
            rules.LETTERS_PER_NETWORK,
            rules.WRONG_PER_EMAIL,
            rules.WRONG_PER_BROWSER,
            rules.FAILED_PER_NETWORK,
        )
    ]
    assert len(set(names)) == len(names)


# --- joining -----------------------------------------------------------------------------------------------------


def join(
    *,
    owner: int | None = None,
    adding: int | None = None,
    email: str | None = "lin@example.org",
    verified: bool = True,
    trusted: bool = True,
) -> rules.JoinAct:
    return rules.join_decision(
        rules.JoinFacts(
            owner_id=owner, adding_id=adding, email=email, is_verified=verified, is_trusted=trusted
        )
    )


@pytest.mark.parametrize(
    ("facts", "act"),
    [
        ({}, "join_by_email"),
        ({"trusted": False}, "prove_email"),
        ({"verified": False}, "prove_email"),
        ({"email": None}, "prove_email"),
        ({"email": ""}, "prove_email"),
        ({"owner": 1}, "sign_in"),
        ({"owner": 1, "trusted": False, "email": None}, "sign_in"),
        ({"adding": 1}, "add"),
        ({"adding": 1, "trusted": False}, "add"),
        ({"adding": 1, "owner": 1}, "add"),
        ({"adding": 1, "owner": 2}, "taken"),
    ],
)
def test_join_decision(facts: dict[str, Any], act: str) -> None:
    assert join(**facts) == act


@given(
    owner=st.none() | st.integers(1, 3),
    adding=st.none() | st.integers(1, 3),
    email=st.none() | st.just("lin@example.org"),
    verified=st.booleans(),
    trusted=st.booleans(),
)
def test_nobody_gets_an_account_without_proof(
    owner: int | None, adding: int | None, email: str | None, verified: bool, trusted: bool
) -> None:
    act = join(owner=owner, adding=adding, email=email, verified=verified, trusted=trusted)
    if act is rules.JoinAct.JOIN_BY_EMAIL:
        assert email and verified and trusted and owner is None and adding is None
    if act is rules.JoinAct.SIGN_IN:
        assert owner is not None and adding is None
    if act is rules.JoinAct.ADD:
        # An identity never moves from one account to another.
        assert adding is not None and owner in (None, adding)
