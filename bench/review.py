"""How fast the review board is: a page of a hundred out of 2,000 proposals with 6,000 reviews, in every order.

The rows are made past the forms, with forums, speakers, tags and texts of which one in twenty is another one's twin. The
pages are asked for as a browser does, over ASGI in one process, so that the statements of each can be counted. Floors,
taken in the same run: all proposals and all reviews of the event read by two statements and thrown away, through the
same driver; and the same page of an event with one proposal. Beside them the time that comparing all texts takes.

    python main.py bench review [--proposals 2000] [--reviews 3] [--rounds 20] [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx2

import main as front_door
from agenda import calls, twins
from agenda.calls import CallDetails
from agenda.models import (
    Forum,
    Proposal,
    ProposalSpeaker,
    ProposalTag,
    Review,
    ReviewAssignment,
    SessionType,
    Speaker,
    Tag,
)
from bench import door, process
from bench.door import write_page
from bench.process import Failed
from events import access, event
from events.rules import Details, EventState
from kernel import db, migrations
from kernel.actor import Actor, ActorKind
from kernel.db import unit_of_work
from kernel.settings import Settings
from kernel.text import LocalizedText
from people import accounts, jobs
from tests import services
from web import signin

LARGE, SMALL = "bench-review", "bench-review-small"
FORUMS, REVIEWERS, TAGS = 20, 60, 6
#: The promise: docs/decisions and issue 5.
AIM_MS = 300.0
#: What is asked for: a title and the address behind the board's.
PAGES: Final = (
    ("by score", ""),
    ("by disagreement", "?order=spread"),
    ("by title, page 10", "?order=title&page=10"),
    ("one forum, fewest reviews", "?forum={forum}&order=fewest"),
    ("near-duplicates", "?show=twins"),
    ("search", "?q=数据"),
    ("coverage", "/coverage"),
)
_HAN: Final = "开源社区治理数据模型编译内核安全贡献协作发布流程测试云原生推理训练芯片操作系统许可证"
_WORDS: Final = [
    "open",
    "source",
    "community",
    "release",
    "train",
    "kernel",
    "compiler",
    "data",
    "model",
    "inference",
    "chip",
    "licence",
    "review",
    "build",
    "cloud",
    "native",
    "security",
    "maintainer",
    "governance",
    "test",
    "flow",
    "edge",
    "graph",
    "index",
    "query",
]


# --- the rows ----------------------------------------------------------------------------------------------------


async def _keep(rows: Sequence[Any]) -> None:
    async with unit_of_work():
        await type(rows[0]).bulk_create(rows, batch_size=500)


async def _fill(event_id: int, proposals: int, reviews: int, at: datetime) -> int:
    """Makes an event's rows; gives the id of one of its forums."""
    dice = random.Random(1)
    await _keep(
        [
            Forum(event_id=event_id, code=f"f{n}", name={"zh-Hans": f"论坛 {n}"}, position=n)
            for n in range(FORUMS)
        ]
    )
    await _keep([Tag(event_id=event_id, code=f"t{n}", name={"en": f"Tag {n}"}) for n in range(TAGS)])
    forums = [row.id for row in await Forum.filter(event_id=event_id)]
    types = [row.id for row in await SessionType.filter(event_id=event_id)]
    tags = [row.id for row in await Tag.filter(event_id=event_id)]
    people = [
        await accounts.create_account(
            email=f"reviewer{n}@example.org", name=f"Reviewer {n}", is_admin=False, locale="en", at=at
        )
        for n in range(min(REVIEWERS, max(reviews, proposals)))
    ]
    texts = list(_texts(dice, proposals))
    await _keep(
        [
            Proposal(
                guid=uuid4(),
                event_id=event_id,
                code=f"B{n:05}",
                state=dice.choice(("submitted", "submitted", "submitted", "accepted", "waitlisted")),
                session_type_id=types[n % len(types)],
                forum_id=forums[n % FORUMS],
                language="zh-Hans",
                title={"zh-Hans": zh[:24], "en": en[:60]},
                abstract={"zh-Hans": zh, "en": en},
                search=f"{zh} {en}".casefold(),
                created_at=at,
                updated_at=at,
                submitted_at=at,
            )
            for n, (zh, en) in enumerate(texts)
        ]
    )
    ids = [
        row["id"]
        for row in await db.query("SELECT id FROM proposal WHERE event_id = $1 ORDER BY id", event_id)
    ]
    await _keep(
        [
            Speaker(
                event_id=event_id,
                code=f"S{n:05}",
                name={"zh-Hans": f"讲师 {n}"},
                organisation={"zh-Hans": f"单位 {n % 300}"},
                created_at=at,
                updated_at=at,
            )
            for n in range(proposals)
        ]
    )
    speakers = [
        row["id"]
        for row in await db.query("SELECT id FROM speaker WHERE event_id = $1 ORDER BY id", event_id)
    ]
    await _keep(
        [
            ProposalSpeaker(proposal_id=one, speaker_id=who, joined_at=at)
            for one, who in zip(ids, speakers, strict=True)
        ]
    )
    await _keep([ProposalTag(proposal_id=one, tag_id=tags[one % TAGS]) for one in ids])
    pairs = [
        (one, people[(nth * 7 + turn) % len(people)])
        for nth, one in enumerate(ids)
        for turn in range(reviews)
    ]
    await _keep(
        [
            ReviewAssignment(
                proposal_id=one, account_id=who, origin="machine", actor_key="system:0", created_at=at
            )
            for one, who in pairs
        ]
    )
    await _keep(
        [
            Review(
                proposal_id=one,
                account_id=who,
                abstains=(nothing := dice.random() < 0.05),
                total=None if nothing else dice.randrange(10_001),
                reason="…",
                recommends=dice.choice(("", "accepted", "rejected")),
                created_at=at,
                updated_at=at,
            )
            for one, who in pairs
        ]
    )
    return int(forums[0])


def _texts(dice: random.Random, number: int) -> Iterator[tuple[str, str]]:
    """Abstracts of some 200 Chinese characters and 60 English words; every twentieth is nearly the one before."""
    zh, en = "", ""
    for nth in range(number):
        if nth % 20 != 19:
            zh = "".join(dice.choice(_HAN) + chr(dice.randrange(0x4E00, 0x9000)) for _ in range(100))
            en = " ".join(f"{dice.choice(_WORDS)} {dice.randrange(10_000)}" for _ in range(30))
        else:
            zh, en = f"{zh}。", f"{en} again"
        yield zh, en


# --- measured ----------------------------------------------------------------------------------------------------


async def _timed(title: str, rounds: int, work: Callable[[], Awaitable[int]]) -> dict[str, Any]:
    """A line of the table: what each round took, one before them left out, and the statements of the last.

    ``cpu_ms`` is this process's own, all its threads: what the page costs where other work shares the cores. Nothing is
    remembered from the round before, so that the statements are those of somebody who has just come.
    """
    await work()
    took, cpu, statements, size = [], [], 0, 0
    for _ in range(rounds):
        access.forget()
        accounts.forget()
        before, began, used = db.stats.statements, time.perf_counter(), time.process_time()
        size = await work()
        took.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - used) * 1000)
        statements = db.stats.statements - before
    return {
        "title": title,
        "p50_ms": statistics.median(took),
        "worst_ms": max(took),
        "cpu_ms": statistics.median(cpu),
        "statements": statements,
        "bytes": size,
    }


async def measure(proposals: int, reviews: int, rounds: int) -> dict[str, Any]:
    """All figures of one database, which the environment names and which is empty."""
    settings = Settings.from_env()
    app = front_door.create_app(settings, workers=False)
    await migrations.migrate(settings)
    await db.open_database(settings)
    try:
        at = datetime.now(UTC)
        owner_id = await accounts.create_account(
            email="owner@example.org", name="Owner", is_admin=False, locale="zh-Hans", at=at
        )
        owner = Actor(kind=ActorKind.ACCOUNT, id=owner_id)
        forum = event_id = 0
        for slug, number in ((SMALL, 1), (LARGE, proposals)):
            day = at.date() + timedelta(days=60)
            facts = Details(slug=slug, name=LocalizedText({"en": "Bench"}), starts_on=day, ends_on=day)
            event_id = await event.create(actor=owner, facts=facts, at=at, state=EventState.PUBLISHED)
            await calls.set_up(actor=owner, event_id=event_id, details=CallDetails(is_published=True), at=at)
            forum = await _fill(event_id, number, reviews, at)
        began = time.perf_counter()
        pairs = await twins.find(event_id)
        alike_s = time.perf_counter() - began
        token = await accounts.open_sign_in(account_id=owner_id, user_agent="bench", at=at)
        found = []
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url=settings.base_url, cookies={signin.COOKIE: token}
        ) as client:

            async def ask(path: str) -> int:
                answer = await client.get(path, headers={"accept": "text/html", "accept-language": "zh-CN"})
                if answer.status_code != 200:
                    raise Failed(f"{path} answered {answer.status_code}")
                return len(answer.content)

            for title, query in PAGES:
                path = f"/e/{LARGE}/desk/review-board{query.format(forum=forum)}"
                found.append(await _timed(title, rounds, partial(ask, path)))
            small = f"/e/{SMALL}/desk/review-board"
            found.append(await _timed("*floor:* the page of one proposal", rounds, partial(ask, small)))
        bare = "*floor:* its proposals and reviews read and thrown away"
        found.append(await _timed(bare, rounds, partial(_bare, event_id)))
        return {"lines": found, "pairs": pairs, "alike_s": alike_s}
    finally:
        await jobs.stop()
        await db.close_database()


async def _bare(event_id: int) -> int:
    await db.query("SELECT id, code, state, pending_state, title FROM proposal WHERE event_id = $1", event_id)
    await db.query(
        "SELECT r.proposal_id, r.account_id, r.total FROM review r JOIN proposal p ON p.id = r.proposal_id "
        "WHERE p.event_id = $1",
        event_id,
    )
    return 0


def table(found: dict[str, Any]) -> str:
    """What was measured on one database as Markdown; the last line is the floor that the ratio stands on."""
    floor = found["lines"][-1]["p50_ms"]
    rows = [
        f"| {one['title']} | {one['p50_ms']:.0f} | {one['worst_ms']:.0f} | {one['cpu_ms']:.0f} | {one['statements']} "
        f"| {one['bytes'] // 1024 or ''} | {one['p50_ms'] / floor:.1f} |"
        for one in found["lines"]
    ]
    return "\n".join(
        [
            "| page | p50 ms | slowest ms | CPU ms | SQL statements | KiB | × bare reads |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
            f"All texts compared with each other: {found['alike_s']:.1f} s, {found['pairs']} pairs alike.",
        ]
    )


# --- the command -------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python main.py bench review",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--proposals", type=int, default=2_000, help="of the event (2000)")
    top.add_argument("--reviews", type=int, default=3, help="of each proposal (3)")
    top.add_argument("--rounds", type=int, default=20, help="of each page (20)")
    top.add_argument("--sqlite-only", action="store_true", help="leave PostgreSQL out")
    top.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    top.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return top


def _databases(*, sqlite_only: bool) -> Iterable[tuple[str, str]]:
    yield "SQLite", ""
    if not sqlite_only:
        with door.postgres() as server, services.postgres_database(server, "review") as url:
            yield "PostgreSQL", url


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints the tables, and ends with exit code 1 when a page failed."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    chosen = parser().parse_args(arguments)
    if chosen.here:
        print(json.dumps(asyncio.run(measure(chosen.proposals, chosen.reviews, chosen.rounds))))
        return
    load = os.getloadavg()[0]
    command = shlex.join(["python", "main.py", "bench", "review", *arguments])
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    many = f"{chosen.proposals:,} proposals, {chosen.proposals * chosen.reviews:,} reviews, {chosen.rounds} rounds"
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    said = [f"Taken {now} UTC with `{command}`: {machine}; load average at the start {load:.1f}. {many}."]
    try:
        with tempfile.TemporaryDirectory(prefix="huiwu-review-") as folder:
            for name, url in _databases(sqlite_only=chosen.sqlite_only):
                home = Path(folder) / name
                home.mkdir()
                found = process.call(
                    "bench.review",
                    "--here",
                    f"--proposals={chosen.proposals}",
                    f"--reviews={chosen.reviews}",
                    f"--rounds={chosen.rounds}",
                    env=process.environment(home, url),
                    limit_s=900,
                )
                said.append(f"**{name}**\n\n{table(found)}")
                slowest = max(one["p50_ms"] for one in found["lines"])
                if slowest > AIM_MS:
                    said.append(f"A page took {slowest:.0f} ms; {AIM_MS:.0f} ms were promised.")
    except (Failed, services.Missing) as failed:
        raise SystemExit(f"bench: {failed}") from None
    text = "\n\n".join(said)
    print(text, flush=True)
    if chosen.write:
        write_page({"review": text})


if __name__ == "__main__":
    main()
