"""Versions of live state topics: the number that tells a client whether its document is old."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import orjson

from kernel import db
from kernel.db import after_commit, unit_of_work
from kernel.live import hub


async def bump(*topics: str) -> None:
    """Raises the version of each topic by one, in one statement, inside the action's own transaction.

    Rows are taken in the order of their names, so that two actions that bump the same topics never wait for each
    other in a circle. Call it once and last: whoever bumps the same topic next waits for this commit.
    """
    if not topics:
        return
    async with unit_of_work():
        await db.write_together(bumping(*topics))


async def tell(*topics: str) -> None:
    """Bumps the topics, and tells this process's readers of them once the action is committed."""
    await bump(*topics)
    for topic in topics:
        after_commit(partial(hub.touched, topic))


def bumping(*topics: str) -> db.Insert:
    """The write of ``bump``, for an action that sends all its writes in one trip; it has to be the last of them."""
    return db.Insert(
        "topic_version",
        (("topic", "text"), ("version", "int")),
        [(topic, 1) for topic in sorted(set(topics))],
        "ON CONFLICT (topic) DO UPDATE SET version = topic_version.version + 1",
    )


async def versions(topics: Iterable[str]) -> dict[str, int]:
    """The version of each topic; 0 for one that nothing has bumped yet."""
    wanted = list(topics)
    found = await db.query(
        "SELECT t.topic, t.version FROM topic_version t "  # noqa: S608 -- our own words
        f"JOIN {db.json_rows('$1', topic='text')} ON r.topic = t.topic",
        orjson.dumps([{"topic": topic} for topic in wanted]).decode(),
    )
    known = {row["topic"]: int(row["version"]) for row in found}
    return {topic: known.get(topic, 0) for topic in wanted}
