"""Live topics: small documents with a version, followed by many, loaded once.

A **state topic** (``board.7``) is one document whose version the action bumps in its own transaction; afterwards it
says ``hub.touched(topic)``. Whoever follows it gets the newest frame, at most ``FRAMES_PER_S`` a second, and only
frames that differ from what they know. A follower that can take a frame at once is handed it by a call and nobody is
woken; for any other there is one waiting slot for each topic, the newest wins, so that a slow reader costs nothing
and is never a reason for others to wait. The truth is the version in the database, looked at every
``LOOK_S``: a crash after the commit, a command-line writer, another process or an absent bus costs delay, never truth.

Nothing here runs inside a transaction: ``touched`` only sets marks, tasks are started by whoever reads.
"""

# ruff: noqa: SLF001 -- Hub and Subscription are two halves of one thing
from __future__ import annotations

import asyncio
import logging
import random
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from kernel.errors import Busy

log = logging.getLogger("huiwu.live")

FRAMES_PER_S: Final = 2
FRAME_S: Final = 1 / FRAMES_PER_S
#: How often the versions of followed topics are looked at.
LOOK_S: Final = 2.0
#: Followed documents are loaded anew after this, changed or not: they also speak of "today" and of "open now".
REFRESH_S: Final = 30.0
#: After a load that failed; and how long one may take.
RETRY_S: Final = 2.0
LOAD_TIMEOUT_S: Final = 10.0
#: Loads under way at once, whatever the number of topics: scans need the database too.
LOADS_AT_ONCE: Final = 2
#: Topics remembered at once (followed or polled); more are refused as Busy.
TOPICS_MAX: Final = 5_000
#: Topics looked up in one statement.
LOOK_CHUNK: Final = 500
#: Followers handed a frame in one turn of the loop (about 2 ms): a scan that arrives meanwhile waits for no more.
HANDED_AT_ONCE: Final = 200
#: Where clients are sent on shutdown: spread, so that a restart is not met by all of them at once.
BYE_S: Final = (1, 15)


@dataclass(frozen=True, slots=True)
class Frame:
    """A topic's document at a version: JSON as it goes over the wire, equal for every reader of the topic.

    A loader reads the version first and the document second: then the document is never older than its version.
    """

    version: int
    body: bytes

    @property
    def tag(self) -> str:
        """For an ETag: two documents of one version (another day has begun) still differ in it."""
        return f"{self.version}-{zlib.crc32(self.body):08x}"


Load = Callable[[str], Awaitable[Frame | None]]
#: Takes a topic's frame at once and gives True, or leaves it and gives False; never waits, never raises.
Take = Callable[[str, Frame], bool]
Versions = Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]


class Bus(Protocol):
    """Tells other processes which topics changed. Best effort: what it loses, the look at the versions finds."""

    async def publish(self, topics: Collection[str]) -> None: ...

    def listen(self) -> AsyncIterator[Collection[str]]: ...


class MemoryBus:
    """A bus within one process: several hubs beside each other (tests); each listener holds one bounded set."""

    def __init__(self) -> None:
        self._listeners: set[_Basket] = set()

    async def publish(self, topics: Collection[str]) -> None:
        for basket in tuple(self._listeners):
            basket.add(topics)

    async def listen(self) -> AsyncIterator[Collection[str]]:
        basket = _Basket()
        self._listeners.add(basket)
        try:
            while True:
                yield await basket.take()
        finally:
            self._listeners.discard(basket)


class _Basket:
    """Topics waiting to be told on, each once; never more than TOPICS_MAX."""

    __slots__ = ("_filled", "_topics")

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._filled = asyncio.Event()

    def add(self, topics: Collection[str]) -> None:
        if len(self._topics) < TOPICS_MAX:
            self._topics.update(topics)
        self._filled.set()

    async def take(self) -> set[str]:
        await self._filled.wait()
        self._filled.clear()
        taken, self._topics = self._topics, set()
        return taken


@dataclass(slots=True)
class Stats:
    """Counted for tests and metrics: documents loaded, frames given to followers, those of them that had to wait in a
    slot, and those replaced there before being read."""

    loads: int = 0
    failures: int = 0
    frames: int = 0
    waited: int = 0
    replaced: int = 0


class _Topic:
    __slots__ = (
        "asked_at",
        "dirty",
        "failed",
        "followers",
        "frame",
        "handing",
        "load",
        "loaded_at",
        "loading",
        "name",
        "next_at",
    )

    def __init__(self, name: str, load: Load) -> None:
        self.name, self.load = name, load
        self.followers: set[Subscription] = set()
        self.frame: Frame | None = None
        self.loaded_at = float("-inf")
        self.next_at = float("-inf")
        self.asked_at = float("-inf")
        self.dirty = True
        self.failed = False
        self.loading: asyncio.Task[None] | None = None
        #: The load is done and its frame is being handed out; whoever joins now is given it by ``_welcome``.
        self.handing = False


class Subscription:
    """What one client follows: iterate to get ``(topic, frame)``, the newest of each topic, until the hub closes.

    After the end ``bye`` says in how many seconds the client should come back (None: it was closed from this side).

    With ``take`` frames go there while the iteration waits with nothing in hand; what it leaves comes by iterating.
    So frames never overtake each other, and none is taken before the iteration has begun.
    """

    __slots__ = ("_filled", "_hub", "_idle", "_known", "_open", "_slots", "_take", "bye")

    def __init__(self, hub: Hub, take: Take | None = None) -> None:
        self._hub = hub
        self._take = take
        #: Whoever iterates waits for the next frame: what came before has been dealt with.
        self._idle = False
        self._known: dict[str, int | None] = {}
        self._slots: dict[str, Frame] = {}
        self._filled = asyncio.Event()
        self._open = True
        self.bye: int | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._known)

    def follow(self, topic: str, known: int | None = None) -> None:
        """Adds a topic: whoever knows another version than the current one gets the current state at once.

        Raises KeyError when nobody declared such topics, Busy when the hub follows too many.
        """
        if self._open:
            entry = self._hub._entry(topic)
            self._known[topic] = known
            self._slots.pop(topic, None)
            entry.followers.add(self)
            self._hub._welcome(entry, self)

    def leave(self, topic: str) -> None:
        """Stops following; nothing of this topic is handed out afterwards."""
        if topic in self._known:
            del self._known[topic]
            self._slots.pop(topic, None)
            self._hub._left(topic, self)

    def close(self) -> None:
        """Leaves every topic and ends the iteration; a second call does nothing."""
        for topic in self.topics:
            self.leave(topic)
        self._open = False
        self._hub._subscriptions.discard(self)
        self._filled.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> tuple[str, Frame]:
        while not self._slots:
            if not self._open:
                raise StopAsyncIteration
            self._filled.clear()
            self._idle = True
            await self._filled.wait()
        self._idle = False
        topic = next(iter(self._slots))
        return topic, self._slots.pop(topic)

    def _put(self, topic: str, frame: Frame, *, anew: bool) -> None:
        if topic not in self._known or (self._known[topic] == frame.version and not anew):
            return
        stats = self._hub.stats
        stats.frames += 1
        self._known[topic] = frame.version
        if self._idle and not self._slots and self._take is not None and self._take(topic, frame):
            return
        stats.waited += 1
        stats.replaced += topic in self._slots
        self._slots[topic] = frame
        self._filled.set()

    def _say_bye(self) -> None:
        self.bye = random.randint(*BYE_S)  # noqa: S311 -- spreads reconnects, guards nothing
        self.close()


class Hub:
    """Topics of this process. ``main`` starts ``run`` once and calls ``close`` before the server's sockets are cut."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.stats = Stats()
        self._clock = clock
        self._loaders: dict[str, Load] = {}
        self._topics: dict[str, _Topic] = {}
        self._subscriptions: set[Subscription] = set()
        self._changed = asyncio.Event()
        self._outgoing: _Basket | None = None
        self._gate = asyncio.Semaphore(LOADS_AT_ONCE)
        self._closed = False

    # --- for packages that own a topic

    def declare(self, prefix: str, load: Load) -> None:
        """Topics named ``prefix.<anything>`` come from ``load``; declared once, a second loader replaces the first."""
        self._loaders[prefix] = load
        for entry in self._topics.values():
            if entry.name.partition(".")[0] == prefix:
                entry.load = load

    def declared(self, topic: str) -> bool:
        return topic.partition(".")[0] in self._loaders

    def touched(self, topic: str) -> None:
        """Says that a topic's document changed. Returns at once; call it after the commit (``db.after_commit``)."""
        entry = self._topics.get(topic)
        if entry is not None:
            self._mark(entry)
        if self._outgoing is not None:
            self._outgoing.add((topic,))

    # --- for readers

    def subscribe(
        self, topic: str | None = None, known: int | None = None, *, take: Take | None = None
    ) -> Subscription:
        """A new subscription, following ``topic`` from version ``known`` on (None: knows nothing yet)."""
        if self._closed:
            raise Busy()
        subscription = Subscription(self, take)
        self._subscriptions.add(subscription)
        if topic is not None:
            subscription.follow(topic, known)
        return subscription

    async def current(self, topic: str) -> Frame | None:
        """The topic as it is now, None when there is no such document; not called inside a unit of work.

        Never older than what was touched in this process, at most FRAME_S behind other processes, and one load
        however many ask. Raises KeyError for a prefix that nobody declared, Busy when it can't be loaded.
        """
        entry = self._entry(topic)
        while not self._is_fresh(entry):
            if entry.loading is None:
                pause = entry.next_at - self._clock()
                if pause > 0 and entry.failed:
                    raise Busy()
                if pause > 0:
                    await asyncio.sleep(pause)
                    continue
                self._start(entry)
            if entry.loading is not None:
                await asyncio.shield(entry.loading)
            if entry.failed:
                raise Busy()
        return entry.frame

    # --- for main

    async def run(self, versions: Versions, bus: Bus | None = None) -> None:
        """Hands out frames and looks at the versions until it is cancelled; then no load is left under way."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hand_out())
                group.create_task(self._look(versions))
                if bus is not None:
                    self._outgoing = _Basket()
                    group.create_task(self._publish(bus, self._outgoing))
                    group.create_task(self._listen(bus))
        finally:
            self._outgoing = None
            for entry in self._topics.values():
                if entry.loading is not None:
                    entry.loading.cancel()
            await self.settled()

    def close(self) -> None:
        """Says goodbye to every subscription; new ones are refused. Called before the server closes its sockets."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            subscription._say_bye()

    @property
    def is_closed(self) -> bool:
        """Whether this process is on its way out."""
        return self._closed

    def reopen(self) -> None:
        """Takes subscriptions again and remembers nothing (an application that starts anew in one process: tests)."""
        self._closed = False
        self._topics.clear()

    # --- inside

    def _entry(self, topic: str) -> _Topic:
        entry = self._topics.get(topic)
        if entry is None:
            load = self._loaders[topic.partition(".")[0]]
            if len(self._topics) >= TOPICS_MAX:
                self._forget_unused(float("inf"))
                if len(self._topics) >= TOPICS_MAX:
                    raise Busy()
            entry = self._topics[topic] = _Topic(topic, load)
        return entry

    def _mark(self, entry: _Topic) -> None:
        if not entry.dirty:
            entry.dirty = True
            self._changed.set()

    def _is_fresh(self, entry: _Topic) -> bool:
        entry.asked_at = self._clock()
        return entry.loading is None and not entry.dirty and entry.loaded_at + FRAME_S > entry.asked_at

    def _welcome(self, entry: _Topic, subscription: Subscription) -> None:
        if entry.loading is not None and not entry.handing:
            return  # that load hands its frame to everybody who follows by then
        if entry.handing:
            if entry.frame is not None:
                subscription._put(entry.name, entry.frame, anew=False)
        elif entry.dirty or entry.loaded_at + REFRESH_S < self._clock():
            entry.dirty = True
            if entry.next_at <= self._clock():
                self._start(entry)
            else:
                self._changed.set()
        elif entry.frame is not None:
            subscription._put(entry.name, entry.frame, anew=False)

    def _left(self, topic: str, subscription: Subscription) -> None:
        entry = self._topics.get(topic)
        if entry is not None:
            entry.followers.discard(subscription)

    def _forget_unused(self, idle_s: float) -> None:
        """Drops topics that nobody follows and that were last polled before ``idle_s`` seconds (infinite: any)."""
        now = self._clock()
        for name, entry in tuple(self._topics.items()):
            idle = idle_s == float("inf") or entry.asked_at + idle_s < now
            if not entry.followers and entry.loading is None and idle:
                del self._topics[name]

    def _start(self, entry: _Topic) -> None:
        # Marked clean before the load: a change that comes while it runs makes the topic dirty again.
        entry.dirty = False
        before, entry.next_at = entry.next_at, self._clock() + FRAME_S
        entry.loading = asyncio.create_task(self._load(entry, before))

    async def _load(self, entry: _Topic, before: float) -> None:
        try:
            async with self._gate, asyncio.timeout(LOAD_TIMEOUT_S):
                self.stats.loads += 1
                frame = await entry.load(entry.name)
            previous, entry.frame = entry.frame, frame
            entry.failed = False
            entry.loaded_at = self._clock()
            if frame is not None and frame == previous:
                # A poll or a look found nothing new: the next change need not wait, or each one after it would too.
                entry.next_at = before
            if frame is not None:
                anew = previous is not None and previous.body != frame.body
                entry.handing = True
                await _hand(entry.name, frame, tuple(entry.followers), anew=anew)
        except Exception:
            # Whatever went wrong with one document, the others go on, and this one is tried again.
            self.stats.failures += 1
            entry.failed = entry.dirty = True
            entry.next_at = self._clock() + RETRY_S
            log.exception(
                "the document of a live topic could not be loaded: %s", entry.name.partition(".")[0]
            )
        finally:
            entry.loading = None
            entry.handing = False
            if entry.dirty:
                self._changed.set()

    def due(self) -> float | None:
        """Starts the loads whose turn has come; gives the seconds until the next one, None when nothing waits."""
        now = self._clock()
        following: float | None = None
        for entry in tuple(self._topics.values()):
            if not entry.dirty or not entry.followers or entry.loading is not None:
                continue
            if entry.next_at <= now:
                self._start(entry)
            else:
                pause = entry.next_at - now
                following = pause if following is None else min(following, pause)
        return following

    async def settled(self) -> None:
        """Waits until no load is under way (tests, and shutdown)."""
        while loading := [entry.loading for entry in self._topics.values() if entry.loading is not None]:
            await asyncio.wait(loading)

    async def _hand_out(self) -> None:
        while True:
            self._changed.clear()
            pause = self.due()
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _look(self, versions: Versions) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._forget_unused(REFRESH_S)
            try:
                await self.look(versions)
            except Exception:
                log.exception("the versions of live topics could not be read")

    async def look(self, versions: Versions) -> None:
        """Compares what was handed out with the versions in the database; what differs, or is old, is loaded anew."""
        old = self._clock() - REFRESH_S
        followed = [entry.name for entry in self._topics.values() if entry.followers]
        for start in range(0, len(followed), LOOK_CHUNK):
            names = followed[start : start + LOOK_CHUNK]
            found = await versions(names)
            for name in names:
                entry = self._topics.get(name)
                if entry is None or entry.dirty or entry.loading is not None:
                    continue
                # A document that does not exist has no version: it is looked for again only when it gets one.
                known = 0 if entry.frame is None else entry.frame.version
                if found.get(name, 0) != known or entry.loaded_at < old:
                    self._mark(entry)

    async def _publish(self, bus: Bus, outgoing: _Basket) -> None:
        while True:
            topics = await outgoing.take()
            try:
                await bus.publish(topics)
            except Exception:
                log.warning(
                    "other processes were not told of %d topics; they will look", len(topics), exc_info=True
                )
            # A rush of scans is one message a tick, like its frames.
            await asyncio.sleep(FRAME_S)

    async def _listen(self, bus: Bus) -> None:
        while True:
            try:
                async for topics in bus.listen():
                    for topic in topics:
                        entry = self._topics.get(topic)
                        if entry is not None:
                            self._mark(entry)
            except Exception:
                log.warning("the bus between processes is silent; versions are looked at", exc_info=True)
            await asyncio.sleep(LOOK_S)


async def _hand(topic: str, frame: Frame, followers: Sequence[Subscription], *, anew: bool) -> None:
    for start in range(0, len(followers), HANDED_AT_ONCE):
        if start:
            await asyncio.sleep(0)
        for subscription in followers[start : start + HANDED_AT_ONCE]:
            subscription._put(topic, frame, anew=anew)


#: The hub of this process.
hub = Hub()
