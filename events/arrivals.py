"""Who has come: known to the door's floor, asked by pages below it through the two slots that main fills.

Without a door floor nobody has arrived anywhere, and pages say nothing about it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

#: How many people were admitted at any gate on any day, each once: by (event id, ticket type id).
ByType = Callable[[Sequence[int]], Awaitable[Mapping[tuple[int, int], int]]]
#: Which of these registrations were admitted at any gate on any day.
Among = Callable[[Sequence[int]], Awaitable[frozenset[int]]]


async def _nothing(_event_ids: Sequence[int]) -> Mapping[tuple[int, int], int]:
    return {}


async def _nobody(_registration_ids: Sequence[int]) -> frozenset[int]:
    return frozenset()


class _Wiring:
    by_type: ByType = staticmethod(_nothing)
    among: Among = staticmethod(_nobody)


def connect(*, by_type: ByType, among: Among) -> None:
    """Called once by main."""
    _Wiring.by_type = staticmethod(by_type)
    _Wiring.among = staticmethod(among)


async def by_type(event_ids: Sequence[int]) -> Mapping[tuple[int, int], int]:
    """People who came to these events, by (event id, ticket type id); types that nobody came with are left out."""
    return await _Wiring.by_type(event_ids)


async def among(registration_ids: Sequence[int]) -> frozenset[int]:
    """Those of the registrations whose holders came."""
    return await _Wiring.among(registration_ids)
