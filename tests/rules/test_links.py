"""The secrets in links: what is in people's mails stays good, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkin import walk_in_rules
from events import groups, invitations, partner_links, registrations, transfers
from kernel import codes
from people import unsubscribing

KEY = b"a key of thirty-two bytes or more"

#: Taken from the first release. A line that has to change here makes links worthless that people hold in their mails.
FROZEN: list[tuple[Callable[[], str], str]] = [
    (lambda: registrations.secret_of(41, 2), "41-AagkqT7UeK-TftOBxkaH2Q"),
    (lambda: groups.secret_of(42, 0), "42-TxjX1IMe_ApNfYKt8pUQSQ"),
    (lambda: partner_links.secret_of(43, 1), "43-nEz-orkhxLpOL3nTNdz1cQ"),
    (lambda: invitations.key_of(44), "44-tGS63FuOgroRPo7bViiHdA"),
    (lambda: transfers.secret_of(45, transfers.Side.GIVER), "45-g-z14ziA_tqQDkbBUlxSki7Q"),
    (lambda: transfers.secret_of(45, transfers.Side.TAKER), "45-t-ob4XA0hyqT2LnJPlTfq2ZA"),
    (lambda: unsubscribing.key_of(46), "46-wmzE_lvcfHihbskbk8od3w"),
    (
        lambda: walk_in_rules.make_pass(
            KEY,
            walk_in_rules.Purpose.CLAIM,
            walk_in_rules.Pass(47, 1763750000000),
            bearer="account:1",
        ),
        "47-1763750000000-G1RIX6LhdUmobhe5tVAdvw",
    ),
]


@pytest.mark.parametrize(("make", "link"), FROZEN, ids=[link for _, link in FROZEN])
def test_a_link_in_somebodys_mail_stays_good(
    make: Callable[[], str], link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (registrations, groups, partner_links, invitations, transfers, unsubscribing):
        monkeypatch.setattr(module._Wiring, "key", KEY)
    assert make() == link
    assert codes.link_number(link) == int(link.partition("-")[0])


@pytest.mark.parametrize(
    "text",
    ["", "-", "41", "41-", "-AagkqT7UeK", " 41-x", "+41-x", "４１-x", "²-x", f"{10**18}-x", "4.1-x", "x-41"],
)
def test_what_can_be_no_links_key_names_no_row(text: str) -> None:
    assert codes.link_number(text) is None


@given(st.text(), st.text())
def test_a_secret_is_the_same_as_itself_only(right: str, given_: str) -> None:
    assert codes.same_secret(right, given_) is (right == given_)


def test_a_lone_surrogate_is_wrong_and_no_error() -> None:
    assert not codes.same_secret("41-AagkqT7UeK-TftOBxkaH2Q", "41-\ud800")


def test_purposes_and_parts_are_kept_apart_and_a_key_is_needed() -> None:
    made = [
        codes.link_secret(KEY, *of)
        for of in (("group", 1, 0), ("partner", 1, 0), ("group", 10), ("group", 1), ("group", 0, 1))
    ]
    assert len(set(made)) == len(made)
    assert {len(one) for one in made} == {22}
    with pytest.raises(AssertionError):
        codes.link_secret(b"", "group", 1)
