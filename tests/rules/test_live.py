"""Topics, counted in frames and loads with a clock of the test's own; no time is waited for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import pytest

from kernel import live
from kernel.errors import Busy
from kernel.live import (
    BYE_S,
    FRAME_S,
    LOOK_S,
    REFRESH_S,
    RETRY_S,
    TOPICS_MAX,
    Frame,
    Hub,
    MemoryBus,
    Subscription,
)

pytestmark = pytest.mark.fast


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class House:
    """A hub over a dictionary in place of the database; ``commit`` is an action, ``touched`` its announcement."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hub = Hub(clock=self.clock)
        self.versions: dict[str, int] = {"count.1": 17}
        self.loaded: list[str] = []
        self.broken = False
        self.hold: asyncio.Event | None = None
        self.note = ""
        self.hub.declare("count", self.load)

    async def load(self, topic: str) -> Frame | None:
        self.loaded.append(topic)
        version = self.versions.get(topic)
        if self.hold is not None:
            await self.hold.wait()
        if self.broken:
            raise RuntimeError("the database is away")
        return None if version is None else Frame(version, f'{{"n":{version}{self.note}}}'.encode())

    def commit(self, topic: str = "count.1", *, told: bool = True) -> None:
        self.versions[topic] = self.versions.get(topic, 0) + 1
        if told:
            self.hub.touched(topic)

    async def look(self) -> None:
        async def versions(topics: Sequence[str]) -> Mapping[str, int]:
            return {topic: self.versions.get(topic, 0) for topic in topics}

        await self.hub.look(versions)

    async def tick(self, after: float = FRAME_S) -> None:
        self.clock.now += after
        self.hub.due()
        await self.hub.settled()


@pytest.fixture
def house() -> House:
    return House()


async def taken(subscription: Subscription) -> list[int]:
    """The versions that wait in a subscription's slots, taken out."""
    found = []
    while subscription._slots:
        _, frame = await anext(subscription)
        found.append(frame.version)
    return found


@pytest.mark.parametrize(("known", "frames"), [(None, [17]), (3, [17]), (17, []), (99, [17])])
async def test_a_client_gets_the_current_state_unless_it_has_it(
    house: House, known: int | None, frames: list[int]
) -> None:
    # 99: the database was restored from a backup; what the server has is the truth.
    subscription = house.hub.subscribe("count.1", known)
    await house.hub.settled()
    assert await taken(subscription) == frames
    house.commit()
    await house.tick()
    assert await taken(subscription) == [18]


async def test_a_rush_is_two_frames_a_second_and_one_load_however_many_follow(house: House) -> None:
    followers = [house.hub.subscribe("count.1", 17) for _ in range(50)]
    await house.hub.settled()
    house.loaded.clear()
    for _ in range(10):  # five seconds
        for _ in range(100):
            house.commit()
            house.hub.due()
            await house.hub.settled()
        house.clock.now += FRAME_S
    house.hub.due()
    await house.hub.settled()
    assert len(house.loaded) == 5 * live.FRAMES_PER_S
    for follower in followers:
        assert (await taken(follower))[-1] == 17 + 1000


async def test_the_first_change_after_quiet_goes_out_at_once(house: House) -> None:
    subscription = house.hub.subscribe("count.1", 17)
    await house.hub.settled()
    house.clock.now += 60
    house.commit()
    assert house.hub.due() is None
    await house.hub.settled()
    assert await taken(subscription) == [18]
    house.commit()
    assert house.hub.due() == pytest.approx(FRAME_S)
    assert await taken(subscription) == []


async def test_a_slow_reader_gets_the_newest_only_and_nobody_waits_for_it(house: House) -> None:
    slow, quick = house.hub.subscribe("count.1", 17), house.hub.subscribe("count.1", 17)
    await house.hub.settled()
    seen: list[int] = []
    for _ in range(20):
        house.commit()
        await house.tick()
        seen += await taken(quick)
    assert seen == list(range(18, 38))
    assert await taken(slow) == [37]
    assert house.hub.stats.replaced == 19


async def test_a_change_during_a_load_is_loaded_again(house: House) -> None:
    house.hold = asyncio.Event()
    subscription = house.hub.subscribe("count.1")
    await asyncio.sleep(0)
    house.commit()  # the load under way has read version 17
    house.hold.set()
    await house.hub.settled()
    assert await taken(subscription) == [17]
    await house.tick()
    assert await taken(subscription) == [18]


async def test_whoever_joins_during_a_load_gets_its_frame(house: House) -> None:
    house.hold = asyncio.Event()
    first = house.hub.subscribe("count.1")
    await asyncio.sleep(0)
    second = house.hub.subscribe("count.1", 16)
    house.hold.set()
    await house.hub.settled()
    assert await taken(first) == await taken(second) == [17]
    assert house.loaded == ["count.1"]


def _taker(taken_at_once: list[int], *, free: list[bool]) -> Callable[[str, Frame], bool]:
    """A client's own way for frames, open while ``free`` says so."""

    def take(topic: str, frame: Frame) -> bool:
        if free[0]:
            taken_at_once.append(frame.version)
        return free[0]

    return take


async def test_a_follower_that_keeps_up_is_handed_frames_and_never_woken(house: House) -> None:
    at_once: list[int] = []
    free = [True]
    subscription = house.hub.subscribe("count.1", 17, take=_taker(at_once, free=free))
    reading = asyncio.create_task(anext(subscription))
    await house.hub.settled()
    for _ in range(3):
        house.commit()
        await house.tick()
    assert at_once == [18, 19, 20] and not reading.done()
    free[0] = False  # behind: its slot holds the newest, and the reader is woken for it
    house.commit()
    await house.tick()
    house.commit()
    await house.tick()
    assert (await reading)[1].version == 22 or await taken(subscription) == [22]
    assert at_once == [18, 19, 20]
    assert house.hub.stats.waited == 2


async def test_nothing_overtakes_what_is_in_hand(house: House) -> None:
    at_once: list[int] = []
    free = [False]
    subscription = house.hub.subscribe("count.1", take=_taker(at_once, free=free))
    await house.hub.settled()
    assert (await anext(subscription))[1].version == 17  # in hand, not yet sent
    free[0] = True
    house.commit()
    await house.tick()
    assert at_once == []
    assert (await anext(subscription))[1].version == 18
    waiting = asyncio.create_task(anext(subscription))  # 18 was sent: the way is free
    await asyncio.sleep(0)
    house.commit()
    await house.tick()
    assert at_once == [19] and not waiting.done()
    subscription.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_crowd_is_served_in_turns_and_whoever_joins_meanwhile_is_not_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HANDED_AT_ONCE", 10)
    at_once: list[int] = []
    every = [house.hub.subscribe("count.1", 17, take=_taker(at_once, free=[True])) for _ in range(35)]
    tasks = [asyncio.create_task(anext(one)) for one in every]
    await house.hub.settled()
    house.commit()
    house.clock.now += FRAME_S
    house.hub.due()
    turns: list[int] = []
    late = None
    while len(turns) < 4:
        await asyncio.sleep(0)
        if at_once and (not turns or turns[-1] != len(at_once)):
            turns.append(len(at_once))
        if late is None and at_once:
            late = house.hub.subscribe("count.1", 17)
            not_yet = next(one for one in every if one._known["count.1"] == 17)
            not_yet.leave("count.1")
            house.commit()  # changed while 18 is being handed out: everybody hears of 19 too
    # Ten in a turn at most, and the one who left is left out.
    assert turns[0] == 10 and len(turns) == 4 and turns[-1] == 34
    assert max(after - before for before, after in itertools.pairwise(turns)) <= 10
    await house.hub.settled()
    assert late is not None and await taken(late) == [18]
    await house.tick()
    assert at_once == [18] * 34 + [19] * 34
    assert await taken(late) == [19]
    for one in every:
        one.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_load_that_found_nothing_new_holds_up_no_change(house: House) -> None:
    subscription = house.hub.subscribe("count.1", 17)
    await house.hub.settled()
    house.clock.now += FRAME_S
    assert await house.hub.current("count.1") is not None  # somebody polls
    assert house.loaded == ["count.1", "count.1"]
    house.commit()
    assert house.hub.due() is None
    await house.hub.settled()
    assert await taken(subscription) == [18]
    for _ in range(20):  # and polling by itself is one load in FRAME_S as before
        await house.hub.current("count.1")
    assert len(house.loaded) == 3


async def test_what_was_not_announced_is_found_by_its_version(house: House) -> None:
    subscription = house.hub.subscribe("count.1", 17)
    await house.hub.settled()
    house.commit(told=False)
    await house.tick()
    assert await taken(subscription) == []
    await house.look()
    await house.tick()
    assert await taken(subscription) == [18]
    house.loaded.clear()
    await house.look()
    await house.tick()
    assert house.loaded == []


async def test_an_old_document_is_loaded_anew_and_sent_only_if_it_differs(house: House) -> None:
    subscription = house.hub.subscribe("count.1", 17)
    await house.hub.settled()
    house.clock.now += REFRESH_S + 1
    await house.look()
    await house.tick()
    assert await taken(subscription) == []
    house.note = ',"day":2'  # another programme day has begun: the same version, another document
    house.clock.now += REFRESH_S + 1
    await house.look()
    await house.tick()
    assert await taken(subscription) == [17]


async def test_a_load_that_fails_is_tried_again_and_others_go_on(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.broken = True
    subscription = house.hub.subscribe("count.1", 3)
    await house.hub.settled()
    with pytest.raises(Busy):
        await house.hub.current("count.1")
    house.hub.declare("other", _other)
    other = house.hub.subscribe("other.1")
    await house.hub.settled()
    assert await taken(other) == [1]
    house.broken = False
    await house.tick(RETRY_S)
    assert await taken(subscription) == [17]
    assert "could not be loaded: count" in caplog.text


async def _other(topic: str) -> Frame | None:
    return Frame(1, b"1")


async def test_polling_shares_loads_and_is_never_older_than_what_was_touched(house: House) -> None:
    frames = await asyncio.gather(*[house.hub.current("count.1") for _ in range(20)])
    assert {frame.version for frame in frames if frame} == {17} and len(house.loaded) == 1
    assert await house.hub.current("count.1") and len(house.loaded) == 1
    house.commit()
    house.clock.now += FRAME_S
    frame = await house.hub.current("count.1")
    assert frame is not None and frame.version == 18 and len(house.loaded) == 2
    assert await house.hub.current("count.9") is None
    with pytest.raises(KeyError):
        await house.hub.current("unheard.1")


async def test_a_subscription_follows_several_topics_and_leaves(house: House) -> None:
    subscription = house.hub.subscribe()
    subscription.follow("count.1")
    subscription.follow("count.2", 1)
    house.versions["count.2"] = 5
    await house.hub.settled()
    assert subscription.topics == ("count.1", "count.2")
    assert sorted(await taken(subscription)) == [5, 17]
    subscription.leave("count.2")
    house.commit("count.2")
    house.commit("count.1")
    await house.tick()
    assert await taken(subscription) == [18]
    subscription.close()
    subscription.close()
    house.commit()
    house.loaded.clear()
    await house.tick()
    assert house.loaded == []  # nobody follows: nothing is loaded
    with pytest.raises(StopAsyncIteration):
        await anext(subscription)


async def test_topics_are_bounded_and_unused_ones_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TOPICS_MAX >= 200 * 20
    monkeypatch.setattr(live, "TOPICS_MAX", 3)
    for number in range(1, 6):
        await house.hub.current(f"count.{number}")
    assert len(house.hub._topics) <= 3
    kept = [house.hub.subscribe(f"count.{number}") for number in range(10, 13)]
    with pytest.raises(Busy):
        house.hub.subscribe("count.14")
    kept[0].close()
    await house.hub.settled()
    house.hub.subscribe("count.14")


async def test_the_end_is_announced_with_a_time_to_come_back(house: House) -> None:
    subscriptions = [house.hub.subscribe("count.1", 17) for _ in range(40)]
    await house.hub.settled()
    house.hub.close()
    for subscription in subscriptions:
        assert [frame async for frame in subscription] == []
        assert subscription.bye is not None and BYE_S[0] <= subscription.bye <= BYE_S[1]
    assert len({subscription.bye for subscription in subscriptions}) > 3
    with pytest.raises(Busy):
        house.hub.subscribe("count.1")


async def _running(
    hub: Hub, versions: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]], bus: MemoryBus
) -> asyncio.Task[None]:
    task = asyncio.create_task(hub.run(versions, bus))
    await asyncio.sleep(0)
    return task


async def test_processes_wake_each_other_over_a_bus_and_only_followed_topics_are_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "LOOK_S", 3600.0)  # so that it is the bus that wakes them
    here, there = House(), House()
    here.hub, there.hub = Hub(), Hub()
    here.hub.declare("count", here.load)
    there.hub.declare("count", there.load)
    there.versions = here.versions

    async def versions(topics: Sequence[str]) -> Mapping[str, int]:
        return here.versions

    bus = MemoryBus()
    tasks = [await _running(hub, versions, bus) for hub in (here.hub, there.hub)]
    subscription = there.hub.subscribe("count.1", 17)
    await there.hub.settled()
    await asyncio.sleep(0)
    here.commit()
    async with asyncio.timeout(30):
        assert (await anext(subscription))[1].version == 18
    assert here.loaded == []
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class DeafBus:
    """A bus that is down."""

    def __init__(self) -> None:
        self.tried = asyncio.Event()

    async def publish(self, topics: object) -> None:
        self.tried.set()
        raise ConnectionError

    async def listen(self) -> AsyncIterator[list[str]]:
        for never in list[list[str]]():
            yield never
        raise ConnectionError


async def test_an_absent_bus_costs_delay_and_not_truth(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert LOOK_S == 2.0
    monkeypatch.setattr(live, "LOOK_S", 0.01)
    house, bus = House(), DeafBus()
    hub = Hub()
    hub.declare("count", house.load)

    async def versions(topics: Sequence[str]) -> Mapping[str, int]:
        return house.versions

    task = asyncio.create_task(hub.run(versions, bus))
    subscription = hub.subscribe("count.1", 17)
    await hub.settled()
    hub.touched("count.2")
    async with asyncio.timeout(30):
        await bus.tried.wait()
        house.versions["count.1"] = 18  # another process committed
        assert (await anext(subscription))[1].version == 18
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "the bus between processes is silent" in caplog.text
