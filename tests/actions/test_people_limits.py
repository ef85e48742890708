"""Counting what fails: in this process, between processes over a real Redis, and while that is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kernel.errors import TooMany
from kernel.settings import Settings
from people import limits
from people.rules import Limit
from tests import services

THREE = Limit("three", 3, timedelta(minutes=10))
HALL = Limit("hall", 3, timedelta(minutes=10), is_network=True)


@pytest.fixture(autouse=True)
async def alone(settings: Settings) -> AsyncIterator[None]:
    limits.configure(settings)
    limits.forget()
    yield
    await limits.close()
    limits.configure(settings)
    limits.forget()


async def counted(limit: Limit, subject: str, many: int) -> int:
    """How many of so many are let through."""
    passed = 0
    for _ in range(many):
        try:
            await limits.count(limit, subject, "too_many")
        except TooMany:
            continue
        passed += 1
    return passed


async def test_fourth_is_told_how_long_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 600 * 1_000_000 + 400.0)
    assert await counted(THREE, "a", 3) == 3
    with pytest.raises(TooMany) as caught:
        await limits.count(THREE, "a", "too_many_here")
    assert (caught.value.code, caught.value.params) == ("too_many_here", {"minutes": 4, "retry_after_s": 200})
    with pytest.raises(TooMany):
        await limits.check(THREE, "a", "too_many_here")
    # Somebody else, another limit, and the next window are not concerned.
    await limits.check(THREE, "b", "too_many_here")
    await limits.check(replace(THREE, name="other"), "a", "too_many_here")
    monkeypatch.setattr(time, "time", lambda: 600 * 1_000_001 + 0.0)
    await limits.check(THREE, "a", "too_many_here")


async def test_looking_counts_nothing_and_what_is_given_back_is_free_again() -> None:
    for _ in range(10):
        await limits.check(THREE, "a", "too_many")
    assert await counted(THREE, "a", 3) == 3
    await limits.give_back(THREE, "a")
    assert await counted(THREE, "a", 2) == 1


async def test_without_a_code_counting_refuses_nobody() -> None:
    for _ in range(5):
        await limits.count(THREE, "a")
    with pytest.raises(TooMany):
        await limits.check(THREE, "a", "too_many")


async def test_venue_network_is_not_counted(settings: Settings) -> None:
    limits.configure(replace(settings, venue_networks=("203.0.113.0/24",)))
    assert await counted(HALL, "203.0.113.7", 20) == 20
    assert await counted(HALL, "203.0.114.7", 20) == 3
    # An account's own limit is: it asks for no network.
    assert await counted(THREE, "203.0.113.7", 20) == 3


async def test_one_machine_has_one_count_however_many_ipv6_addresses_it_takes() -> None:
    passed = sum([await counted(HALL, f"2001:db8:0:1::{number:x}", 1) for number in range(10)])
    assert passed == 3


async def test_unknown_subject_is_not_counted() -> None:
    assert await counted(THREE, "", 20) == 20


async def test_memory_is_bounded_and_holds_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SUBJECTS", 50)
    for number in range(80):
        await limits.count(THREE, f"lin{number}@example.org")
    assert len(limits._counts) == 50
    assert "example" not in str(limits._counts)


# --- with Redis --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with services.redis() as url:
        yield url


def process(settings: Settings, url: str) -> None:
    """What this process would be after a start of its own: it knows nothing but where Redis is."""
    limits.forget()
    limits.configure(replace(settings, redis_url=url))


async def test_processes_share_their_counts(settings: Settings, redis_url: str) -> None:
    limit = replace(THREE, name=f"shared-{id(object())}")
    process(settings, redis_url)
    assert await counted(limit, "a@example.org", 2) == 2
    process(settings, redis_url)
    assert await counted(limit, "a@example.org", 2) == 1
    await limits.give_back(limit, "a@example.org")
    await limits.give_back(limit, "a@example.org")
    await limits.check(limit, "a@example.org", "too_many")
    client: Any = limits._Wiring.redis
    keys = [key async for key in client.scan_iter(f"huiwu:limit:{limit.name}:*")]
    assert len(keys) == 1
    assert b"example" not in keys[0]
    assert 0 < await client.ttl(keys[0]) <= 660


async def test_parallel_counts_are_exact(settings: Settings, redis_url: str) -> None:
    limit = replace(THREE, name=f"parallel-{id(object())}", many=10)
    process(settings, redis_url)
    outcomes = await asyncio.gather(
        *(limits.count(limit, "a", "too_many") for _ in range(64)), return_exceptions=True
    )
    assert sum(one is None for one in outcomes) == 10


async def test_while_redis_is_away_this_process_counts(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    process(settings, f"redis://127.0.0.1:{services.free_port()}/0")
    assert await counted(THREE, "a", 10) == 3
    # It is asked once and then left alone for a while.
    assert caplog.text.count("Redis does not answer") == 1
