"""Replays, the journal, topic versions and uploads, on the database of this process."""

from __future__ import annotations

import asyncio
import os
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from kernel import db
from kernel.actor import SYSTEM, Actor, ActorKind
from kernel.db import unit_of_work
from kernel.errors import Conflict, NotFound, TooLarge
from kernel.settings import Settings
from people import journal, replays, topics, uploads, wiring
from people.models import JournalEntry, Replay, TopicVersion, Upload
from tests.factories import NOW

ID = uuid.UUID("00000000-0000-4000-8000-000000000001")
BODY = {"ticket": 7, "name": "林小满", "tags": ["a", "b"]}

pytestmark = pytest.mark.fast


@pytest.fixture(autouse=True)
def wired(database: Settings) -> None:
    wiring.configure(database)


async def test_kept_outcome_is_found_by_the_same_actor_and_body() -> None:
    assert await replays.find(id=ID, actor_key="account:1", body=BODY) is None
    outcome = {"verdict": "admitted", "at": NOW, "counts": {"inside": 3}}
    await replays.keep(id=ID, actor_key="account:1", body=BODY, outcome=outcome, at=NOW)
    reordered = dict(reversed(BODY.items()))
    expected = {"verdict": "admitted", "at": "2023-10-28T01:30:00Z", "counts": {"inside": 3}}
    assert await replays.find(id=ID, actor_key="account:1", body=reordered) == expected


@pytest.mark.parametrize(
    ("actor_key", "body"),
    [
        ("account:2", BODY),
        ("device:1", BODY),
        ("account:1", BODY | {"ticket": 8}),
        ("account:1", BODY | {"tags": ["b", "a"]}),
        ("account:1", {}),
        ("account:2", {}),
    ],
)
async def test_other_actor_or_body_is_a_conflict_that_reveals_nothing(actor_key: str, body: object) -> None:
    await replays.keep(id=ID, actor_key="account:1", body=BODY, outcome={"secret": 1}, at=NOW)
    with pytest.raises(Conflict) as caught:
        await replays.find(id=ID, actor_key=actor_key, body=body)
    assert (caught.value.code, caught.value.status, caught.value.params) == ("replay_mismatch", 409, {})


async def test_replay_is_rolled_back_with_its_action() -> None:
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await replays.keep(id=ID, actor_key="a", body=BODY, outcome={}, at=NOW)
            raise ZeroDivisionError
    assert await replays.find(id=ID, actor_key="a", body=BODY) is None


async def test_once_acts_once_for_32_parallel_requests() -> None:
    acted = 0

    async def action() -> dict[str, object]:
        nonlocal acted
        acted += 1
        await topics.bump("registered")
        return {"number": acted}

    answers = await asyncio.gather(
        *(replays.once(id=ID, actor_key="a", body=BODY, at=NOW, action=action) for _ in range(32))
    )
    assert len({answer["number"] for answer in answers}) == 1
    assert (await TopicVersion.get()).version == 1
    assert await Replay.all().count() == 1


async def test_once_keeps_nothing_of_a_refused_action() -> None:
    async def refuse() -> dict[str, object]:
        raise NotFound()

    with pytest.raises(NotFound):
        await replays.once(id=ID, actor_key="a", body=BODY, at=NOW, action=refuse)

    async def act() -> dict[str, object]:
        return {"ok": True}

    assert await replays.once(id=ID, actor_key="a", body=BODY, at=NOW, action=act) == {"ok": True}


async def test_journal_is_written_with_its_action() -> None:
    actor = Actor(kind=ActorKind.ACCOUNT, id=5, email="lin@example.org", name="林小满")
    await journal.write(
        actor=actor,
        verb="registration.cancel",
        object_kind="registration",
        object_id=9,
        at=NOW,
        event_id=3,
        old={"state": "confirmed"},
        new={"state": "cancelled"},
    )
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await journal.write(actor=SYSTEM, verb="x", object_kind="y", object_id=1, at=NOW)
            raise ZeroDivisionError
    (row,) = await JournalEntry.all()
    assert (
        row.actor_key,
        row.verb,
        row.object_kind,
        row.object_id,
        row.event_id,
        row.at,
        row.old,
        row.new,
    ) == (
        "account:5",
        "registration.cancel",
        "registration",
        9,
        3,
        NOW,
        {"state": "confirmed"},
        {"state": "cancelled"},
    )


async def test_bump_is_one_statement_for_any_number() -> None:
    for many in (1, 3):
        before = db.stats.statements
        async with unit_of_work():
            await topics.bump(*(f"t{number}" for number in range(many)), "t0")
        assert db.stats.statements - before == 1
    assert await topics.versions(["t0", "t1", "t2", "never"]) == {"t0": 2, "t1": 1, "t2": 1, "never": 0}
    before = db.stats.statements
    await topics.bump()
    assert await topics.versions([]) == {}
    assert db.stats.statements - before == 1


async def test_bumps_of_32_tasks_in_any_order_all_count() -> None:
    names = ["gate", "room", "board", "event"]

    async def one(number: int) -> None:
        async with unit_of_work():
            turned = names[number % 4 :] + names[: number % 4]
            await topics.bump(*(turned if number % 2 else reversed(turned)))

    async with asyncio.timeout(30):
        await asyncio.gather(*(one(number) for number in range(32)))
    assert await topics.versions(names) == dict.fromkeys(names, 32)


async def keep(data: bytes = b"x", filename: str = "list.csv", **more: object) -> int:
    return await uploads.keep(data=data, filename=filename, event_id=1, actor_key="account:1", at=NOW, **more)  # type: ignore[arg-type]


async def test_upload_lies_under_a_random_name_and_comes_back(database: Settings) -> None:
    id_ = await keep("姓名,邮箱\n".encode(), "../../etc/报名 名单\u202e.csv")
    assert await uploads.read(id_) == ("姓名,邮箱\n".encode(), "报名 名单.csv")
    row = await Upload.get()
    path = database.media_dir / row.stored_name
    assert path.read_bytes() == "姓名,邮箱\n".encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "名单" not in row.stored_name
    await uploads.drop(id_)
    await uploads.drop(id_)
    assert not path.exists()
    with pytest.raises(NotFound):
        await uploads.read(id_)


async def test_a_file_goes_when_its_row_is_gone_for_good_and_not_before(database: Settings) -> None:
    one, two = await keep(b"one"), await keep(b"two")
    paths = [database.media_dir / row.stored_name for row in await Upload.filter(id__in=[one, two])]
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await uploads.drop(one, two)
            raise ZeroDivisionError
    assert [(await uploads.read(id_))[0] for id_ in (one, two)] == [b"one", b"two"]
    async with unit_of_work():
        await uploads.drop(one, two)
        assert all(path.exists() for path in paths), "whoever looks meanwhile still sees the rows"
    assert not any(path.exists() for path in paths)
    await uploads.drop()


async def test_upload_over_the_limit_is_refused_and_leaves_nothing(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads._Wiring, "limit_mb", 1)
    assert await keep(b"x" * 1024 * 1024)
    before = set(database.media_dir.iterdir())
    with pytest.raises(TooLarge) as caught:
        await keep(b"x" * (1024 * 1024 + 1))
    assert (caught.value.status, caught.value.params) == (413, {"limit_mb": 1})
    assert set(database.media_dir.iterdir()) == before


def age(path: Path, by: timedelta) -> None:
    then = path.stat().st_mtime - by.total_seconds()
    os.utime(path, (then, then))


async def test_purge_removes_what_is_due_and_what_a_rollback_left(database: Settings) -> None:
    due = await keep(keep_until=NOW + timedelta(days=1))
    later = await keep(keep_until=NOW + timedelta(days=9))
    for_ever = await keep()
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work():
            await keep(b"left behind")
            raise ZeroDivisionError
    (orphan,) = [path for path in database.media_dir.iterdir() if path.read_bytes() == b"left behind"]
    for path in database.media_dir.iterdir():
        age(path, timedelta(hours=23))
    await uploads.purge(NOW)
    assert orphan.exists()
    for path in database.media_dir.iterdir():
        age(path, timedelta(hours=2))
    assert await uploads.purge(NOW + timedelta(days=1)) == 1
    assert not orphan.exists()
    with pytest.raises(NotFound):
        await uploads.read(due)
    assert (await uploads.read(later))[0] == (await uploads.read(for_ever))[0] == b"x"
