"""The bus between processes over a real Redis: it wakes, it may vanish, and it comes back."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from kernel import live
from kernel.live import Frame, Hub
from kernel.live_redis import MESSAGE_TOPICS, RedisBus
from tests import services


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with services.redis() as url:
        yield url


class Process:
    """A hub with its own bus, as one server process has it."""

    def __init__(self, url: str, name: str, versions: dict[str, int]) -> None:
        self.hub, self.bus, self.versions = Hub(), RedisBus(url, name), versions
        self.hub.declare("n", self._load)

    async def _load(self, topic: str) -> Frame | None:
        return Frame(self.versions[topic], b"1")

    async def _versions(self, topics: Sequence[str]) -> dict[str, int]:
        return self.versions

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        task = asyncio.create_task(self.hub.run(self._versions, self.bus))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.bus.close()


async def test_a_change_here_wakes_the_other_process(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_S", 3600.0)  # so that it is Redis that wakes them
    versions = {f"n.{number}": 1 for number in range(MESSAGE_TOPICS + 2)}
    name = f"huiwu-test-{secrets.token_hex(4)}"
    async with (
        Process(redis_url, name, versions).running() as here,
        Process(redis_url, name, versions).running() as there,
    ):
        subscription = there.hub.subscribe("n.1", 1)
        await there.hub.settled()
        async with asyncio.timeout(20):
            while await here.bus._client.pubsub_numsub(f"{name}:live") != [(f"{name}:live".encode(), 2)]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            # What is no message of ours is passed over.
            for noise in ("{", "[]", '{"from": 1}', '{"from": "x", "topics": 3}'):
                await here.bus._client.publish(f"{name}:live", noise)
            for topic in versions:
                versions[topic] = 2
                here.hub.touched(topic)
            assert (await anext(subscription))[1].version == 2
        assert here.hub.stats.loads == 0


async def test_an_absent_redis_costs_the_look_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_S", 0.05)
    versions = {"n.1": 1}
    async with Process(
        f"redis://127.0.0.1:{services.free_port()}/0", "huiwu-test", versions
    ).running() as process:
        subscription = process.hub.subscribe("n.1", 1)
        await process.hub.settled()
        process.hub.touched("n.2")
        versions["n.1"] = 2
        async with asyncio.timeout(20):
            assert (await anext(subscription))[1].version == 2
