"""The walk-in desk's decisions: which ticket types it gives, what a typed contact is, and passes that end by themselves.

A *pass* is a short text under the installation's key: a registration's id, when it was made (milliseconds) and 128
bits of an HMAC over both, its purpose and whom it is for. Two purposes: ``desk`` lets the volunteer who has just
registered somebody go on with that registration, ``claim`` lets one phone take the passport along.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from events.rules import fold
from kernel import codes


class Purpose(StrEnum):
    DESK = "desk"
    CLAIM = "claim"


#: How long a pass is good for, in milliseconds. A desk's outlasts its claims, so that it can make another one.
LASTS_MS: Final = {Purpose.DESK: 30 * 60_000, Purpose.CLAIM: 15 * 60_000}


class ClaimCode(StrEnum):
    """Why a phone can't take a passport along by this link."""

    WRONG = "claim_wrong"
    LATE = "claim_late"
    SPENT = "claim_spent"


@dataclass(frozen=True, slots=True)
class Pass:
    registration_id: int
    made_ms: int


def make_pass(key: bytes, purpose: Purpose, made: Pass, *, bearer: str = "") -> str:
    """``<id>-<milliseconds>-<22 characters>``; ``bearer`` is whom alone it serves, empty for whoever has it."""
    secret = codes.link_secret(key, "walk-in", purpose, bearer, made.registration_id, made.made_ms)
    return f"{made.registration_id}-{made.made_ms}-{secret}"


def read_pass(key: bytes, purpose: Purpose, text: str, *, now_ms: int, bearer: str = "") -> Pass | ClaimCode:
    """The pass in ``text``, or why there is none: WRONG, or LATE for one that was good. Compared in constant time."""
    number, made_ms = codes.link_number(text), codes.link_number(text.partition("-")[2])
    if number is None or made_ms is None:
        return ClaimCode.WRONG
    found = Pass(number, made_ms)
    if not codes.same_secret(make_pass(key, purpose, found, bearer=bearer), text):
        return ClaimCode.WRONG
    return found if now_ms - found.made_ms < LASTS_MS[purpose] else ClaimCode.LATE


class Given(Protocol):
    """What is asked of a ticket type."""

    @property
    def is_walk_in(self) -> bool: ...
    @property
    def is_online(self) -> bool: ...
    @property
    def site_id(self) -> int | None: ...


G = TypeVar("G", bound=Given)


def offered(types: Iterable[G], *, sees_all: bool, sites: frozenset[int] | None) -> list[G]:
    """The ticket types that a desk gives out: those marked for it, or all for who ``sees_all``; never online ones.

    Who works for some ``sites`` gives their ticket types and those of no site in particular.
    """
    return [
        item
        for item in types
        if (sees_all or item.is_walk_in)
        and not item.is_online
        and (sites is None or item.site_id is None or item.site_id in sites)
    ]


class Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def is_gone(self) -> bool: ...


N = TypeVar("N", bound=Named)


def namesakes(name: str, people: Iterable[N]) -> list[N]:
    """Those who may be the same person: the whole name, whatever its width, case and spaces; not who is gone."""
    wanted = fold(name).replace(" ", "")
    return [one for one in people if not one.is_gone and fold(one.name).replace(" ", "") == wanted]


def is_email(contact: str) -> bool:
    """Whether what was typed into the one field for both is meant as an e-mail address, not as a phone number."""
    return "@" in contact or "＠" in contact
