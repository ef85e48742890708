"""A lane's phone as a program: it speaks to the server as the browser's scanner does, and judges by itself without network.

Paired by a code, it carries the event's sealed snapshot, sends lookup ids instead of codes, has one upload in flight in
its own order, sends again under the same id whatever was not answered, and tells with every queued scan how old it is
and what the person was told. Where the browser's own code and this differ, the browser's is right: it is tested by
``tests/js``; this is for loads that no browser could make.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
import orjson

from checkin.offline_rules import Local, OfflineFacts, Read, Snapshot, judge_offline, told
from checkin.rules import (
    CheckpointFacts,
    CheckpointKind,
    Direction,
    Once,
    OnRepeat,
    PassportFacts,
    PassportStatus,
    VerdictCode,
    Window,
    here_of,
    period_of,
    read_code,
)
from checkin.snapshot_rules import page_digest, secrets_of, unseal
from kernel.interval import programme_date

Json = dict[str, Any]

#: As the browser has them (scanner/app.js, scanner/queue.js): how long a volunteer waits for the server before the
#: phone speaks for itself, scans in one upload, and the waits between tries.
PATIENCE_S: Final = 6.0
BATCH: Final = 50
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 15.0
#: Of who came and went at other lanes the phone hears so often; of new passports, too.
REFRESH_S: Final = 5.0


class Wrong(RuntimeError):
    """The server said what it must not say to a phone that does everything right."""


@dataclass(eq=False)
class Reading:
    """One code that was read, and all that became of it. Times are the machine's monotonic seconds."""

    scan_id: UUID
    #: As it is sent: a lookup id where the snapshot knows the code.
    code: str
    checkpoint: int
    direction: Direction
    read_at: float
    wall: datetime
    heard: asyncio.Future[Json]
    local: Local = Local.NONE
    #: What the volunteer saw first, after how long, and whether the phone had to say it alone.
    shown: str = ""
    shown_after_s: float = 0.0
    tries: int = 0
    heard_at: float = 0.0

    @property
    def answer(self) -> Json:
        return self.heard.result()


class Carried:
    """The snapshot on the phone: sealed lines by lookup id, who is here as far as it knows, what the door knows."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self.salt = b""
        self.version = 0
        self.world: Json = {}
        self.seen_version = 0
        self._rows: dict[tuple[int, int, str], set[tuple[int, str]]] = {}

    def take(self, pages: Sequence[Json]) -> None:
        """All pages of one download: they swap in whole. Raises Wrong for one that was cut off."""
        first = pages[0]
        if first["whole"]:
            self.lines.clear()
        for page in pages:
            if page_digest((lookup, sealed) for lookup, sealed in page["lines"]) != page["digest"]:
                raise Wrong("a page of the snapshot is not what its digest says")
            for lookup, sealed in page["lines"]:
                if sealed:
                    self.lines[lookup] = sealed
                else:
                    self.lines.pop(lookup, None)
        self.salt, self.version = bytes.fromhex(first["salt"]), first["version"]
        self.world = first["world"] or self.world

    def saw(self, rows: Sequence[Sequence[Any]]) -> None:
        for passport, list_id, period, turn, direction, *_ in rows:
            self._rows.setdefault((passport, list_id, period), set()).add((turn, direction))

    def find(self, text: str) -> tuple[str, Json | None]:
        """What a scan of this code is sent with, and the holder's line when the snapshot has one."""
        for candidate in read_code(text).candidates:
            secrets = secrets_of(candidate, self.salt)
            if sealed := self.lines.get(secrets.lookup):
                return secrets.code, orjson.loads(unseal(secrets, sealed))
        return text, None

    def judge(
        self, line: Json | None, checkpoint: int, direction: Direction, at: datetime
    ) -> tuple[str, Local]:
        """What the phone says by itself, and what it will tell the server that it said."""
        facts = self._checkpoint(checkpoint)
        period = self._period(facts, at)
        rows = self._rows.get((line["passport"], facts.list_id, period), set()) if line else set()
        verdict = judge_offline(
            OfflineFacts(
                read=Read.OK,
                passport=_passport(line, facts.event_id) if line else None,
                checkpoint=facts,
                direction=direction,
                at=at,
                here=here_of(
                    (turn for turn, way in rows if way == "entry"),
                    (turn for turn, way in rows if way == "exit"),
                    (turn for turn, way in rows if way == "undone"),
                ),
                snapshot=Snapshot.WHOLE if self.lines else Snapshot.NONE,
            )
        )
        if line and verdict.code in (VerdictCode.ADMITTED, VerdictCode.EXIT_RECORDED):
            self.note(line["passport"], facts, direction, at)
        return verdict.code, told(verdict, direction)

    def note(self, passport: int, facts: CheckpointFacts, direction: Direction, at: datetime) -> None:
        """Somebody came or went at this very lane."""
        period = self._period(facts, at)
        rows = self._rows.setdefault((passport, facts.list_id, period), set())
        closings = len({turn for turn, way in rows if way != "entry"})
        # The server may have told already.
        if (direction is Direction.ENTRY) != ((closings, "entry") in rows):
            rows.add((closings, direction.value))

    def heard(self, answer: Json, checkpoint: int) -> None:
        if answer["verdict"] in (VerdictCode.ADMITTED, VerdictCode.EXIT_RECORDED):
            at = datetime.fromisoformat(answer["at"])
            facts = self._checkpoint(checkpoint)
            self.note(answer["holder"]["passport_id"], facts, Direction(answer["direction"]), at)

    def _period(self, facts: CheckpointFacts, at: datetime) -> str:
        day = programme_date(
            at, zone=self.world["time_zone"], day_starts_minute=self.world["day_starts_minute"]
        )
        return period_of(facts, at=at, programme_date=day)

    def _checkpoint(self, number: int) -> CheckpointFacts:
        said = next(one for one in self.world["checkpoints"] if one["id"] == number)
        return CheckpointFacts(
            id=number,
            event_id=self.world["event"],
            list_id=said["list_id"],
            kind=CheckpointKind(said["kind"]),
            on_repeat=OnRepeat(said["on_repeat"]),
            once=Once(said["once"]),
            is_open=said["is_open"],
            scans_exits=said["scans_exits"],
            windows=tuple(
                Window(datetime.fromisoformat(one["opens_at"]), datetime.fromisoformat(one["closes_at"]))
                for one in said["windows"]
            ),
            ticket_types=frozenset(said["ticket_types"]),
            capacity=said["capacity"],
            session_guid=said["session_guid"],
        )


def _passport(line: Mapping[str, Any], event_id: int) -> PassportFacts:
    return PassportFacts(
        line["passport"], event_id, line["type"], PassportStatus(line["status"]), bool(line.get("dead"))
    )


@dataclass(eq=False)
class Lane:
    """A phone at a checkpoint. ``cut`` takes its network away in the middle of whatever it does, ``restore`` gives it back."""

    name: str
    base: str
    slug: str
    checkpoint: int
    token: str = ""
    carried: Carried = field(default_factory=Carried)
    readings: list[Reading] = field(default_factory=list)
    #: How many waited at most, and when the network was back and the last of them were out.
    longest: int = 0
    restored_at: float = 0.0
    drained_at: float = 0.0

    def __post_init__(self) -> None:
        self.queue: deque[Reading] = deque()
        self.network = asyncio.Event()
        self.network.set()
        self.without = asyncio.Event()
        self.instance = str(uuid4())
        self.is_sending = False
        self._wake = asyncio.Event()
        self._under_way: set[asyncio.Future[Any]] = set()
        self._dice = random.Random(self.name)
        self._client = httpx2.AsyncClient(base_url=self.base, trust_env=False, timeout=20)
        self._tasks: list[asyncio.Task[None]] = []

    # --- coming and going

    async def pair(self, code: str) -> None:
        """Spends a pairing code, twice, as a phone does whose first answer was lost."""
        body = {"code": code, "instance": self.instance, "app_version": "bench", "platform": "program"}
        url = f"/e/{self.slug}/api/devices/pair"
        # A page of ours does it; whoever brings a token need not say so.
        headers = {"sec-fetch-site": "same-origin"}
        first, again = [
            await self._client.post(url, json=body | {"checks": {}}, headers=headers) for _ in range(2)
        ]
        for answer in (first, again):
            if answer.status_code != 200:
                raise Wrong(f"pairing was answered {answer.status_code}: {answer.text[:300]}")
        self.token = again.json()["token"]

    async def open(self) -> None:
        """Takes the snapshot and begins to send."""
        await self.refresh()
        self._tasks = [asyncio.create_task(self._send_on()), asyncio.create_task(self._refresh_on())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        await self._client.aclose()

    def cut(self) -> None:
        """Gone: what is on its way to or from the server is lost."""
        self.network.clear()
        self.without.set()
        for request in tuple(self._under_way):
            request.cancel()

    async def cut_in_the_middle(self) -> None:
        """Cuts when a scan is on its way, so that its answer is lost; without one for three seconds, all the same."""
        waited = time.monotonic() + 3
        while not self.is_sending and time.monotonic() < waited:  # noqa: ASYNC110 -- a moment of its own choosing
            await asyncio.sleep(0.001)
        self.cut()

    def restore(self) -> None:
        self.restored_at = time.monotonic()
        self.without.clear()
        self.network.set()

    async def drained(self) -> None:
        """Returns when nothing waits. Raises what ended the sending."""
        while self.queue:
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.05)

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    # --- the snapshot

    async def refresh(self) -> None:
        url, pages, after = f"/e/{self.slug}/api/snapshot", list[Json](), ""
        while True:
            query: dict[str, str | int] = {"since": self.carried.version, "after": after}
            answer = await self._client.get(url, params=query, headers=self._headers)
            if answer.status_code == 503:
                await asyncio.sleep(0.5)
                continue
            if answer.status_code != 200:
                raise Wrong(f"the snapshot was answered {answer.status_code}: {answer.text[:300]}")
            pages.append(answer.json())
            after = pages[-1]["next"] or ""
            if not after:
                break
        self.carried.take(pages)
        while True:
            answer = await self._client.get(
                f"{url}/seen", params={"since": self.carried.seen_version}, headers=self._headers
            )
            if answer.status_code != 200:
                raise Wrong(f"who is here was answered {answer.status_code}: {answer.text[:300]}")
            said = answer.json()
            self.carried.saw(said["scans"])
            self.carried.seen_version = said["version"]
            if not said["more"]:
                return

    async def _refresh_on(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S * (0.5 + self._dice.random()))
            await self.network.wait()
            try:
                await self._unless_cut(self.refresh())
            except (httpx2.HTTPError, _Cut, Wrong):
                continue  # a process is just away; the next round has it

    # --- scanning

    async def read(self, text: str, direction: Direction = Direction.ENTRY) -> Reading:
        """Reads a code and returns when the volunteer has a verdict: the server's, or the phone's own."""
        code, line = self.carried.find(text)
        one = Reading(
            uuid4(),
            code,
            self.checkpoint,
            direction,
            time.monotonic(),
            datetime.now(UTC),
            asyncio.get_running_loop().create_future(),
        )
        self.readings.append(one)
        self.queue.append(one)
        self.longest = max(self.longest, len(self.queue))
        self._wake.set()
        if self.network.is_set():
            gone = asyncio.create_task(self.without.wait())
            either: set[asyncio.Future[Any]] = {one.heard, gone}
            await asyncio.wait(either, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
        if one.heard.done():
            one.shown = one.answer["verdict"]
        else:
            one.shown, one.local = self.carried.judge(line, self.checkpoint, direction, one.wall)
        one.shown_after_s = time.monotonic() - one.read_at
        return one

    def body(self, one: Reading) -> Json:
        age = round((time.monotonic() - one.read_at) * 1000)
        said: Json = {
            "scan_id": str(one.scan_id),
            "code": one.code,
            "checkpoint": one.checkpoint,
            "direction": one.direction.value,
            "age_ms": age if age > 1000 else None,
        }
        return said | ({"local": one.local.value} if one.local else {})

    async def _send_on(self) -> None:
        tries = 0
        while True:
            if not self.queue:
                if self.restored_at and not self.drained_at:
                    self.drained_at = time.monotonic()
                self._wake.clear()
                await self._wake.wait()
            if not self.network.is_set():
                await self.network.wait()
                # Two good answers a second apart say that it is back, and phones don't come back together.
                await asyncio.sleep(1 + self._dice.random())
            batch = [self.queue[number] for number in range(min(BATCH, len(self.queue)))]
            for one in batch:
                one.tries += 1
            try:
                self.is_sending = True
                answers = await self._unless_cut(self._post(batch))
            except (httpx2.HTTPError, _Again):
                longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**tries)
                tries += 1
                await asyncio.sleep(longest * (0.5 + self._dice.random() / 2))
                continue
            except _Cut:
                continue
            finally:
                self.is_sending = False
            tries = 0
            for one, answer in zip(batch, answers, strict=True):
                one.heard_at = time.monotonic()
                one.heard.set_result(answer)
                if not one.local:
                    self.carried.heard(answer, one.checkpoint)
                self.queue.popleft()

    async def _post(self, batch: Sequence[Reading]) -> list[Json]:
        url, bodies = f"/e/{self.slug}/api/scans", [self.body(one) for one in batch]
        if len(bodies) == 1:
            return [self._checked(await self._client.post(url, json=bodies[0], headers=self._headers))]
        answer = await self._client.post(f"{url}/batch", json={"scans": bodies}, headers=self._headers)
        results: list[Json] = self._checked(answer)["results"]
        if any(result.get("retry") for result in results):
            raise _Again
        for result in results:
            if not result["ok"]:
                raise Wrong(f"{self.name}: one of a batch was refused: {result}")
        return results

    def _checked(self, answer: httpx2.Response) -> Json:
        if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
            raise _Again
        if answer.status_code != 200:
            raise Wrong(f"{self.name}: a scan was answered {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())

    async def _unless_cut(self, work: Any) -> Any:
        """Runs ``work`` until it is done or the network goes."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if self.network.is_set():
                task.cancel()
                raise
            raise _Cut from None
        finally:
            self._under_way.discard(task)


class _Cut(Exception):
    """The network went in the middle of a request."""


class _Again(Exception):
    """The server is busy or away: later once more."""
