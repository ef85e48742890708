"""Two records of one person: who looks like it, and what stays when they become one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

from events.rules import HOLDS_A_PLACE, RegistrationState, fold

#: Pairs that are shown at once; the next come when these are dealt with.
PAIRS_AT_MOST: Final = 100
#: A teacher registers a class under one address: in a group as large as this, an address alone says nothing.
CROWD: Final = 5


class Alike(StrEnum):
    """Why two registrations may be one person."""

    EMAIL = "same_email"
    PHONE = "same_phone"
    NAME = "same_name"


class MergeCode(StrEnum):
    """Why two registrations can't become one."""

    ITSELF = "merge_itself"
    MERGED_ALREADY = "merge_merged_already"
    BOTH_ADMITTED = "merge_both_admitted"
    OTHER_ADMITTED = "merge_other_admitted"
    ERASED = "merge_erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What two registrations are compared by."""

    id: int
    name: str
    organisation: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two registrations, the older one first, and everything that they share."""

    first_id: int
    second_id: int
    reasons: tuple[Alike, ...]


def _name(one: Likeness) -> str:
    return f"{fold(one.name)}\x00{fold(one.organisation)}" if one.organisation.strip() else ""


_KEYS: Final[Mapping[Alike, Callable[[Likeness], str]]] = {
    Alike.EMAIL: lambda one: one.email,
    Alike.PHONE: lambda one: one.phone,
    Alike.NAME: _name,
}


def pairs(people: Iterable[Likeness]) -> list[Pair]:
    """Who may be one person, the most alike first; at most PAIRS_AT_MOST.

    Where a crowd shares an address or a number, only those of the same name are taken for one person.
    """
    everybody = list(people)
    found: dict[tuple[int, int], list[Alike]] = {}
    for why, key in _KEYS.items():
        groups: dict[str, list[Likeness]] = {}
        for one in everybody:
            if shared := key(one):
                groups.setdefault(shared, []).append(one)
        for group in groups.values():
            for one, other in combinations(sorted(group, key=lambda person: person.id), 2):
                if len(group) < CROWD or fold(one.name) == fold(other.name):
                    found.setdefault((one.id, other.id), []).append(why)
    names = {one.id: fold(one.name) for one in everybody}

    def order(item: tuple[tuple[int, int], list[Alike]]) -> tuple[bool, int, tuple[int, int]]:
        (first, second), reasons = item
        return names[first] != names[second], -len(reasons), (first, second)

    return [
        Pair(first, second, tuple(reasons))
        for (first, second), reasons in sorted(found.items(), key=order)[:PAIRS_AT_MOST]
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One of the two, as far as it decides whether they can become one."""

    id: int
    is_merged: bool = False
    is_erased: bool = False
    was_admitted: bool = False


def refusal(keep: Half, drop: Half) -> MergeCode | None:
    """Why ``drop`` can't become part of ``keep``; None when it can.

    Scans belong to a passport for ever, so the one who was let in has to be the one who stays.
    """
    if keep.id == drop.id:
        return MergeCode.ITSELF
    if keep.is_merged or drop.is_merged:
        return MergeCode.MERGED_ALREADY
    if keep.is_erased or drop.is_erased:
        return MergeCode.ERASED
    if drop.was_admitted:
        return MergeCode.BOTH_ADMITTED if keep.was_admitted else MergeCode.OTHER_ADMITTED
    return None


#: The better place first.
_RANK: Final = (
    RegistrationState.CONFIRMED,
    RegistrationState.OFFERED,
    RegistrationState.PENDING,
    RegistrationState.WAITLISTED,
    RegistrationState.DECLINED,
    RegistrationState.CANCELLED,
)


def better_ticket(keep: RegistrationState, drop: RegistrationState) -> bool:
    """Whether the ticket of the one that goes is the better one, by its state."""
    return _RANK.index(drop) < _RANK.index(keep)


def frees_a_place(keep: RegistrationState, drop: RegistrationState) -> bool:
    """Whether merging gives a place back: only when both hold one."""
    return keep in HOLDS_A_PLACE and drop in HOLDS_A_PLACE


def stays(kept: str, dropped: str) -> bool:
    """Whether a field keeps its value by default: what is filled in wins over what is empty."""
    return bool(kept) or not dropped
