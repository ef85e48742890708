"""An opening hour, played in a minute and a half: does the door stay right when everything happens at once?

A thousand people come in through six lanes of one door, each lane a paired phone (bench.lanes) that carries the
snapshot; two hundred screens follow the board. Three lanes lose the network for ten of the hour's minutes and go on by
themselves, just before one of the two server processes is killed (-9). People go round and show one passport at two
lanes, passports are cancelled and given back while phones can't hear of it, codes of nobody are shown. Everything that
must come of it is known beforehand; afterwards the books are compared with it, to the last scan.

The servers are two real processes behind the nginx configuration that we ship, on a PostgreSQL database and a Redis of
their own.

    python main.py bench opening [--arrivals 1000] [--seconds 90] [--viewers 200] [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import random
import shlex
import sys
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx2
import orjson

from bench import door, live, process, store
from bench.lanes import Lane, Reading
from bench.process import ROOT, Failed, Server
from checkin.offline_rules import Local
from checkin.rules import Direction, VerdictCode
from tests import services
from tests.load import houses

Json = dict[str, Any]
PAGE: Final = ROOT / "docs" / "opening-hour.md"
HOUR_S: Final = 3_600.0
#: Six lanes, of which the last three lose their network.
LANES: Final = 6
CUT: Final = (3, 4, 5)
#: When, as parts of the hour: ten minutes without network from minute 21, and when they are over a process is killed.
CUT_AT: Final = 0.35
CUT_LASTS: Final = 10 / 60
KILLED_LASTS: Final = 0.04
#: For what is on its way when the hour is over: queues, frames, a process that starts.
LAST_S: Final = 60.0
#: How far a scan's time may be off: an age below a second is not told, and an upload is a moment under way.
AGE_TOLERANCE_S: Final = 3.0
#: Shown at a door, and nobody's.
FOREIGN: Final = "wxp://f2f0-nobody-{}"


# --- what happens, and what has to come of it ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """At ``at`` (0 to 1 of the hour) a code is read at a lane.

    ``tag`` names the story whose conflict this is, if one comes of it; ``in_cut``: it has to happen within the cut.
    """

    at: float
    lane: int
    person: int
    direction: Direction = Direction.ENTRY
    tag: str = ""
    in_cut: bool = False


@dataclass(slots=True)
class Plan:
    """Everything that is played. People are numbers; ``registered`` ones exist only from within the cut on."""

    steps: list[Step]
    people: int
    cancelled_in_the_cut: list[int]
    given_back_in_the_cut: list[int]
    registered_in_the_cut: list[int]
    foreign: list[int]
    left: int
    #: By story, how many people are in it.
    stories: dict[str, int]
    ordinary: int

    @property
    def admitted(self) -> int:
        """People whom a verdict admits, each once."""
        return self.ordinary + sum(
            self.stories[name] for name in ("two_offline", "offline_first", "online_first", "registered")
        )

    @property
    def let_in(self) -> int:
        """People inside whom no verdict admitted: their passport was dead, and the phone could not know."""
        return self.stories["cancelled"]

    @property
    def inside(self) -> int:
        return self.admitted - self.left + self.let_in

    @property
    def conflicts(self) -> int:
        return sum(self.stories.values()) - self.stories["registered"]


#: Stories for a thousand arrivals; fewer arrivals have fewer, and each at least one.
STORIES: Final[Mapping[str, int]] = {
    "two_offline": 8,
    "offline_first": 6,
    "online_first": 6,
    "cancelled": 4,
    "nobody": 3,
    "given_back": 3,
    "registered": 3,
}


def make_plan(arrivals: int, seconds: float, dice: random.Random) -> Plan:
    """An hour of ``arrivals`` people, some of whom leave again and some of whom come back, and the stories among them."""
    stories = {name: max(1, count * arrivals // 1_000) for name, count in STORIES.items()}
    second = 1 / seconds
    # Within the cut: every phone has noticed, the organisers' acts are done, nobody is served again.
    begin, end = CUT_AT + 2.5 * second, CUT_AT + CUT_LASTS - 2 * second
    assert end - begin > 2 * second, "the hour is too short for ten of its minutes to hold anything"
    steps: list[Step] = []
    ordinary = arrivals - sum(
        stories[name] for name in ("two_offline", "offline_first", "online_first", "registered", "cancelled")
    )
    left = 0
    for person in range(ordinary):
        lane, at = dice.randrange(LANES), dice.betavariate(2.0, 2.6)
        steps.append(Step(at, lane, person))
        kind = dice.random()
        later = at + dice.uniform(0.02, 0.1)
        if kind < 0.08:  # out, and half of them in again, by the lane that they came by
            steps.append(Step(later, lane, person, Direction.EXIT))
            if kind < 0.04:
                steps.append(Step(later + dice.uniform(0.02, 0.05), lane, person))
            else:
                left += 1
        elif kind < 0.13:  # shown again at the same lane
            steps.append(Step(later, lane, person))
    people = ordinary

    def somebody() -> int:
        nonlocal people
        people += 1
        return people - 1

    def within(first: float = begin, last: float = end) -> float:
        return dice.uniform(first, last)

    def story(at: float, lane: int, person: int, tag: str = "") -> Step:
        return Step(at, lane, person, tag=tag, in_cut=True)

    middle = (begin + end) / 2
    for _ in range(stories["two_offline"]):
        person = somebody()
        steps += [story(within(), lane, person, "two_offline") for lane in dice.sample(CUT, 2)]
    for _ in range(stories["offline_first"]):
        person = somebody()
        steps.append(story(within(last=middle), dice.choice(CUT), person, "offline_first"))
        steps.append(story(within(first=middle), dice.randrange(CUT[0]), person))
    for _ in range(stories["online_first"]):
        person = somebody()
        steps.append(story(within(last=middle), dice.randrange(CUT[0]), person))
        steps.append(story(within(first=middle), dice.choice(CUT), person, "online_first"))
    groups: dict[str, list[int]] = {"cancelled": [], "given_back": [], "registered": [], "nobody": []}
    for name, group in groups.items():
        for _ in range(stories[name]):
            person = somebody()
            group.append(person)
            steps.append(story(within(), dice.choice(CUT), person, name))
    return Plan(
        steps=sorted(steps, key=lambda step: step.at),
        people=people,
        cancelled_in_the_cut=groups["cancelled"],
        given_back_in_the_cut=groups["given_back"],
        registered_in_the_cut=groups["registered"],
        foreign=groups["nobody"],
        left=left,
        stories=stories,
        ordinary=ordinary,
    )


# --- the house -------------------------------------------------------------------------------------------------------


class House:
    """Two processes behind nginx, and what the organisers do."""

    def __init__(self, folder: Path, url: str, redis: str, plan: Plan) -> None:
        self.folder, self.url = folder, url
        self.env = process.environment(folder, url)
        facts = folder / "facts.json"
        process.call("bench.store", "opening", str(facts), str(plan.people), str(LANES), env=self.env)
        self.facts: Json = orjson.loads(facts.read_bytes())
        self.port = services.free_port()
        shared = {
            "REDIS_URL": redis,
            "HUIWU_TRUSTED_PROXIES": "127.0.0.1",
            "HUIWU_BASE_URL": f"http://localhost:{self.port}",
        }
        self.servers = [Server(folder, url, name=f"server-{name}", env=shared) for name in "ab"]
        self.base = f"http://127.0.0.1:{self.port}"
        self.topic = f"board.{self.facts['event_id']}"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for server in self.servers:
                stack.enter_context(server.running())
            one, other = (f"127.0.0.1:{server.port}" for server in self.servers)
            stack.enter_context(
                services.nginx(houses.nginx_configuration((one, other), self.port, self.folder, tls=False))
            )
            yield

    async def organiser(self, method: str, path: str, **body: Any) -> Json:
        async with httpx2.AsyncClient(base_url=self.base, trust_env=False, timeout=20) as client:
            answer = await client.request(
                method,
                f"/e/{store.SLUG}/api{path}",
                json=body or None,
                headers=houses.bearer(self.facts["owner_token"])
                | ({} if method == "GET" else {"idempotency-key": str(uuid4())}),
            )
        if answer.status_code >= 300:
            raise Failed(f"{method} {path} was answered {answer.status_code}: {answer.text[:400]}")
        found: Json = answer.json()
        return found

    async def lanes(self) -> list[Lane]:
        """Six phones, paired as volunteers pair them."""
        made = []
        for number, gate in enumerate(self.facts["gates"]):
            pairing = await self.organiser(
                "POST", "/device-pairings", name=f"Lane {number + 1}", checkpoints=[gate], sees_names=True
            )
            lane = Lane(f"Lane {number + 1}", self.base, store.SLUG, gate)
            await lane.pair(pairing["pairings"][0]["code"])
            made.append(lane)
        return made

    async def token_of(self, registration_id: int) -> str:
        connection = await asyncpg.connect(self.url)
        try:
            found: str = await connection.fetchval(
                "SELECT token FROM passport WHERE registration_id = $1", registration_id
            )
        finally:
            await connection.close()
        return found

    def books(self) -> Json:
        found: Json = process.call("bench.store", "books", env=self.env)
        return found


# --- the hour --------------------------------------------------------------------------------------------------------


@dataclass
class Played:
    """What was played and what came of it. ``problems`` is empty when every book balances."""

    plan: Plan
    seconds: float
    lanes: list[Lane]
    readings: list[tuple[Step, Reading]]
    viewers: Json
    problems: list[str] = field(default_factory=list)
    worst_age_s: float = 0.0
    cpu_s: float = 0.0
    boards: list[Json] = field(default_factory=list)
    killed_for_s: float = 0.0
    without_s: float = 0.0

    @property
    def speed(self) -> float:
        return HOUR_S / self.seconds


async def play(house: House, plan: Plan, seconds: float, viewers: int) -> Played:
    """The hour, from the first pairing to the last frame."""
    people: list[list[Any]] = house.facts["people"]
    codes = [token for token, _ in people]
    for person in plan.given_back_in_the_cut:
        await house.organiser("POST", f"/registrations/{people[person][1]}/cancellation")
    for number, person in enumerate(plan.foreign):
        codes[person] = FOREIGN.format(number)
    lanes = await house.lanes()
    for lane in lanes:
        await lane.open()
        await _carries(lane, codes, plan)
    watched = {
        "port": house.port,
        "topic": house.topic,
        "token": house.facts["owner_token"],
        "viewers": viewers,
        "frozen": 0,
        "again": True,
        "figure": "arrived",
    }
    readings: list[tuple[Step, Reading]] = []
    with contextlib.ExitStack() as stack:
        watching = await asyncio.to_thread(stack.enter_context, live.watching(house.folder, watched))
        began = time.monotonic()

        async def until(part: float) -> None:
            await asyncio.sleep(began + part * seconds - time.monotonic())

        # However slow the machine: stories begin when the organisers have done their part, and end within the cut.
        acted, told, back = asyncio.Event(), asyncio.Semaphore(0), asyncio.Event()

        async def stand_at(number: int) -> None:
            """A lane's people, one after the other as they come."""
            for step in plan.steps:
                if step.lane != number:
                    continue
                await until(step.at)
                if step.in_cut:
                    await acted.wait()
                readings.append((step, await lanes[number].read(codes[step.person], step.direction)))
                if step.in_cut:
                    told.release()

        async def cut() -> None:
            await until(CUT_AT)
            await asyncio.gather(*(lanes[number].cut_in_the_middle() for number in CUT))
            gone = time.monotonic()
            acts = [
                *((f"/registrations/{people[one][1]}/cancellation") for one in plan.cancelled_in_the_cut),
                *((f"/registrations/{people[one][1]}/restoration") for one in plan.given_back_in_the_cut),
            ]
            await asyncio.gather(
                *(house.organiser("POST", act) for act in acts), *map(register, plan.registered_in_the_cut)
            )
            acted.set()
            await until(CUT_AT + CUT_LASTS)
            for _ in range(sum(step.in_cut for step in plan.steps)):
                await told.acquire()
            for number in CUT:
                lanes[number].restore()
            back.set()
            without.append(time.monotonic() - gone)

        async def register(person: int) -> None:
            made = await house.organiser(
                "POST",
                "/registrations",
                ticket_type_id=house.facts["ticket_type"],
                name=f"临时来宾{person}",
                email=f"late{person}@example.org",
            )
            codes[person] = await house.token_of(made["id"])

        killed: list[float] = []
        without: list[float] = []

        async def kill() -> None:
            await back.wait()
            victim = house.servers[1]
            at = time.monotonic()
            await asyncio.to_thread(victim.kill)
            await asyncio.sleep(KILLED_LASTS * seconds)
            await asyncio.to_thread(victim.start)
            killed.append(time.monotonic() - at)

        await asyncio.gather(*map(stand_at, range(LANES)), cut(), kill())
        async with asyncio.timeout(LAST_S):
            await asyncio.gather(*(lane.drained() for lane in lanes))
        boards = await _same_boards(house)
        await asyncio.sleep(
            2
        )  # the last frame's way to the screens: coalesced to two a second, looked at every two
        seen = await asyncio.to_thread(live.end_watching, *watching)
    for lane in lanes:
        await lane.close()
    return Played(
        plan,
        seconds,
        lanes,
        readings,
        seen,
        cpu_s=sum(server.cpu_s() for server in house.servers),
        boards=boards,
        killed_for_s=killed[0],
        without_s=without[0],
    )


async def _carries(lane: Lane, codes: Sequence[str], plan: Plan) -> None:
    """Waits until the phone's snapshot knows everybody who has a passport by now."""
    known = [code for person, code in enumerate(codes) if person not in plan.foreign]
    async with asyncio.timeout(LAST_S):
        while True:
            missing = [code for code in known if lane.carried.find(code)[1] is None]
            late = [
                person
                for person in plan.given_back_in_the_cut
                if (lane.carried.find(codes[person])[1] or {}).get("status") != "cancelled"
            ]
            if not missing and not late:
                return
            await asyncio.sleep(0.5)
            await lane.refresh()


async def _same_boards(house: House) -> list[Json]:
    """The board as each process has it, at the same version."""
    async with asyncio.timeout(LAST_S):
        while True:
            found = [
                await houses.polled(
                    f"http://127.0.0.1:{server.port}", house.topic, house.facts["owner_token"]
                )
                for server in house.servers
            ]
            if found[0]["version"] == found[1]["version"]:
                return found
            await asyncio.sleep(0.2)


# --- the books -------------------------------------------------------------------------------------------------------


def balance(played: Played, books: Json) -> list[str]:
    """Everything that is not as it has to be, in words; nothing when all of it is."""
    problems: list[str] = []
    plan = played.plan

    def check(what: str, found: object, expected: object) -> None:
        if found != expected:
            problems.append(f"{what}: {found!r}, not {expected!r}")

    ledger = {row["scan_id"]: row for row in books["ledger"]}
    beside = {key for key, row in ledger.items() if row["verdict"] == VerdictCode.LET_IN}
    readings = {str(one.scan_id): (step, one) for step, one in played.readings}
    check("codes read", len(played.readings), len(plan.steps))
    check("scans that nobody answered", sum(not one.heard.done() for _, one in readings.values()), 0)
    check("scans that wait on a phone", sum(len(lane.queue) for lane in played.lanes), 0)
    check("acknowledged scans that the ledger does not have", len(readings.keys() - ledger.keys()), 0)
    check("scans in the ledger that no phone sent", len(ledger.keys() - readings.keys() - beside), 0)
    both = readings.keys() & ledger.keys()
    check(
        "verdicts that the ledger has otherwise",
        sum(readings[key][1].answer["verdict"] != ledger[key]["verdict"] for key in both),
        0,
    )
    entries = [row for row in books["ledger"] if row["direction"] == "entry" and row["turn"] is not None]
    came = {row["passport"] for row in entries if row["scan_id"] not in beside}
    check("people admitted", len(came), plan.admitted)
    check("people let in beside a refusal", len(beside), plan.let_in)
    stands: Counter[int] = Counter()
    for row in books["ledger"]:
        if row["turn"] is not None:
            stands[row["passport"]] += 1 if row["direction"] == "entry" else -1
    check(
        "people who are inside twice, or less than not at all",
        [n for n in stands.values() if n not in (0, 1)],
        [],
    )
    check("people inside", sum(stands.values()), plan.inside)
    check("totals that disagree with the ledger", books["totals_wrong"], [])
    _check_conflicts(check, plan, readings, books["conflicts"])
    check("doubtful times", sum(row["is_doubtful"] for row in books["ledger"]), 0)
    off = [
        abs((datetime.fromisoformat(ledger[key]["at"]) - readings[key][1].wall).total_seconds())
        for key in both
    ]
    played.worst_age_s = max(off, default=0.0)
    check("scans whose time is off", sum(one > AGE_TOLERANCE_S for one in off), 0)
    figures = {"arrived": plan.admitted + plan.let_in, "inside": plan.inside}
    for board in played.boards:
        check("a process's board", {name: board["data"][name] for name in figures}, figures)
    last = [{name: frame["data"][name] for name in figures} for frame in played.viewers["last"]]
    check("viewers", len(last), len(played.viewers["seen"]))
    check("viewers whose board is not the ledger's", sum(one != figures for one in last), 0)
    return problems


def _check_conflicts(
    check: Any,
    plan: Plan,
    readings: Mapping[str, tuple[Step, Reading]],
    conflicts: Mapping[str, str],
) -> None:
    """Exactly the planted ones: of the doubles one each, told to the phone that caused it, and no other."""
    by: dict[str, Counter[int]] = {}
    for key in conflicts.keys() & readings.keys():
        step = readings[key][0]
        by.setdefault(step.tag or "not planted", Counter())[step.person] += 1
    planted = {name: count for name, count in plan.stories.items() if name != "registered"}
    check(
        "conflicts by story",
        {name: len(people) for name, people in sorted(by.items())},
        dict(sorted(planted.items())),
    )
    check(
        "people with two conflicts",
        [count for people in by.values() for count in people.values() if count > 1],
        [],
    )
    check("conflicts", len(conflicts), plan.conflicts)
    told = {key for key, (_, one) in readings.items() if one.answer["conflict"]}
    check("conflicts that the phone was not told of", len(conflicts.keys() ^ told), 0)
    said = {name: {one.local for step, one in readings.values() if step.tag == name} for name in plan.stories}
    expected = {
        name: {
            "nobody": {Local.UNKNOWN_YET},
            "registered": {Local.UNKNOWN_YET},
            "given_back": {Local.REFUSED},
        }.get(name, {Local.ADMITTED})
        for name in plan.stories
    }
    check("what phones told people in the stories", said, expected)


# --- the report ------------------------------------------------------------------------------------------------------


def _ms(values: Sequence[float], part: float) -> str:
    if not values:
        return ""
    ordered = sorted(values)
    return f"{ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000:.0f}"


def delays(played: Played) -> list[float]:
    """For each viewer and each person who came: seconds from the answer at the door to a board that counts them.

    The n-th person whom the server acknowledged is the n-th whom the board counts. A frame may be there before the
    phone's answer is: then it was there at once. What a viewer without a connection missed counts until it is back.
    """
    people: set[int] = set()
    came: list[float] = []
    for step, one in sorted(played.readings, key=lambda pair: pair[1].heard_at):
        counts = one.answer["verdict"] == VerdictCode.ADMITTED or step.tag == "cancelled"
        if counts and step.person not in people:
            people.add(step.person)
            came.append(one.heard_at)
    found = []
    for seen in played.viewers["seen"]:
        figures = [figure for figure, _ in seen]
        for number, at in enumerate(came, 1):
            index = bisect_left(figures, number)
            if index < len(seen):
                found.append(max(0.0, seen[index][1] - at))
    return found


def tables(played: Played) -> str:
    plan, speed = played.plan, played.speed
    lines = [
        "| Lane | scans | without network | p50 ms | p99 ms | alone: p50 ms | p99 ms | longest queue | drained after s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for lane in played.lanes:
        alone = [one.shown_after_s for one in lane.readings if one.local]
        asked = [one.shown_after_s for one in lane.readings if not one.local]
        drained = f"{lane.drained_at - lane.restored_at:.1f}" if lane.drained_at else ""
        lines.append(
            f"| {lane.name} | {len(lane.readings)} | {len(alone)} | {_ms(asked, 0.5)} | {_ms(asked, 0.99)} "
            f"| {_ms(alone, 0.5)} | {_ms(alone, 0.99)} | {lane.longest} | {drained} |"
        )
    minutes = Counter(int(step.at * 60) for step in plan.steps if step.direction is Direction.ENTRY)
    late = delays(played)
    again = sum(one.tries > 1 for _, one in played.readings)
    found = ", ".join(
        f"{count} {TITLES[name]}" for name, count in plan.stories.items() if name != "registered"
    )
    fullest = max(minutes.values())
    said = [
        (
            f"{plan.admitted} people admitted and {plan.let_in} let in beside a refusal, {plan.inside} inside at the end; "
            f"{len(played.readings)} scans, {fullest} in the fullest of the hour's minutes (one every "
            f"{played.seconds / 60 / fullest:.2f} s as it was played)."
        ),
        (
            f"{plan.conflicts} conflicts were planted and exactly those were found: {found}. {plan.stories['registered']} who "
            "registered while the phones could not hear of it came in without one."
        ),
        f"{again} scans were sent more than once. The times of scans in the ledger are off by {played.worst_age_s:.2f} s at most.",
        (
            f"One of two server processes was dead for {played.killed_for_s:.1f} s (kill -9, and started again). "
            f"{played.viewers['came_back']} screens lost their connection and came back."
        ),
        (
            f"{len(played.viewers['seen'])} screens, from the answer at the door to the figure on the screen: p50 {_ms(late, 0.5)} ms, "
            f"p99 {_ms(late, 0.99)} ms, at most {_ms(late, 1.0)} ms; frames are made twice a second."
        ),
        f"Processor of both server processes (the killed one from its second start): {played.cpu_s:.1f} s.",
        (
            f"Played {speed:.0f} times as fast: the ten minutes without network were {played.without_s:.0f} s. Waits of "
            "phones and servers were not shortened."
        ),
    ]
    lines += ["", *(f"- {one}" for one in said)]
    return "\n".join(lines) + "\n"


TITLES: Final[Mapping[str, str]] = {
    "two_offline": "passports at two lanes without network",
    "offline_first": "at a lane without network and then at one with it",
    "online_first": "at a lane with network and then at one without it",
    "cancelled": "cancelled meanwhile and let in",
    "nobody": "codes of nobody let in as unknown yet",
    "given_back": "given back meanwhile and sent away",
}


def page(played: Played, arguments: Sequence[str], load: float) -> str:
    doubt = (
        ""
        if load < 0.5 * (os.cpu_count() or 1)
        else " The machine was busy with other work, too: the figures say how right it is, not how fast."
    )
    return f"""# The opening hour

Does the door stay right when everything happens at once? `python main.py bench opening --write` plays it and writes this page; `make test-long`
plays a smaller one. {len(played.lanes)} lanes of one door, each a paired phone with the event's snapshot; two server processes behind the nginx configuration that we
ship, on PostgreSQL and Redis; lanes 4 to 6 lose their network for ten of the hour's minutes and go on by themselves; one process is killed (-9) while their
queues come in. What must come of it is known beforehand. Afterwards every scan that was read is in the ledger once, with the verdict that the phone was
told; nobody is counted twice; totals, conflicts and what every screen shows last are exactly as planned. If one of these is not so, the command fails and nothing is written.

Taken {datetime.now(UTC):%Y-%m-%d %H:%M} UTC with `{shlex.join(["python", "main.py", "bench", "opening", *arguments])}`: {os.cpu_count()} cores, {platform.system()}
{platform.release()}, Python {platform.python_version()}; load average at the start {load:.1f}, with servers, phones and screens on the same cores.{doubt}

{tables(played)}
*p50 and p99:* from reading a code to the verdict that the volunteer sees; *alone:* judged by the phone; *drained:* from the network's return to the last answer.
"""


# --- the command -----------------------------------------------------------------------------------------------------


def run(folder: Path, url: str, *, arrivals: int, seconds: float, viewers: int, seed: int = 1) -> Played:
    """Plays one hour on an empty PostgreSQL database; what went wrong stands in ``problems``."""
    plan = make_plan(arrivals, seconds, random.Random(seed))
    with services.redis_server() as redis:
        house = House(folder, url, redis.url, plan)
        with house.running():
            played = asyncio.run(play(house, plan, seconds, viewers))
        played.problems = balance(played, house.books())
    if played.viewers["problem"]:
        played.problems.append(played.viewers["problem"])
    for server in house.servers:
        log = server.log.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in log:
            played.problems.append(
                f"{server.log.name} has a traceback:\n{log[log.index('Traceback') :][:2000]}"
            )
    return played


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python main.py bench opening",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--arrivals", type=int, default=1_000, help="people who come (1000)")
    top.add_argument("--seconds", type=float, default=90.0, help="in which the hour is played (90)")
    top.add_argument("--viewers", type=int, default=200, help="screens that follow the board (200)")
    top.add_argument("--seed", type=int, default=1, help="of the plan (1)")
    top.add_argument("--write", action="store_true", help="write docs/opening-hour.md")
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Plays, prints the page, and ends with exit code 1 when a book does not balance."""
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = parser().parse_args(arguments)
    load = os.getloadavg()[0]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="huiwu-opening-") as folder,
            door.postgres() as server,
            services.postgres_database(server, "opening") as url,
        ):
            played = run(
                Path(folder),
                url,
                arrivals=chosen.arrivals,
                seconds=chosen.seconds,
                viewers=chosen.viewers,
                seed=chosen.seed,
            )
    except (Failed, services.Missing) as failed:
        raise SystemExit(f"bench: {failed}") from None
    text = page(played, arguments, load)
    print(text, flush=True)
    if played.problems:
        raise SystemExit(
            "bench: the books do not balance:\n" + "\n".join(f"- {one}" for one in played.problems)
        )
    if chosen.write:
        PAGE.write_text(text, encoding="utf-8")
        print(f"written: {PAGE}", flush=True)


if __name__ == "__main__":
    main()
