"""Backup while scans run, restore into an empty place: the books of the copy balance, and it is a moment of the original."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bench import process
from bench.process import ROOT, Server
from kernel import backup
from kernel.backup import BackupFailed
from kernel.settings import Settings
from tests import services
from tests.load import houses
from tests.load.houses import Json, Load

CONNECTIONS = 8
AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def command(folder: Path, url: str, *arguments: str, key: str = process.SECRET_KEY) -> tuple[int, str]:
    """``python main.py …`` as an operator types it: exit code, and what it said."""
    ran = subprocess.run(
        [sys.executable, "main.py", *arguments],
        cwd=ROOT,
        env=process.environment(folder, url) | {"HUIWU_SECRET_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


@contextlib.contextmanager
def empty_place(folder: Path) -> Iterator[str]:
    """A second, empty database: PostgreSQL's where DATABASE_URL names a server, else SQLite's in ``folder``."""
    folder.mkdir()
    with houses.database("restored") as url:
        yield url


def moved(facts: Json, port: int, by: int) -> None:
    """Waits until the rooms' document has moved by so many versions: scans are under way."""

    async def wait() -> None:
        topic = f"rooms.{facts['event_id']}"
        async with houses.following(f"ws://127.0.0.1:{port}", topic) as socket:
            version = (await houses.frame(socket))["version"]
            await houses.frame_of(socket, version + by)

    asyncio.run(wait())


def repeat(port: int, token: str, body: Json) -> Json:
    """The same scan once more, by the same scanner."""
    url = f"http://127.0.0.1:{port}{houses.PATH}"
    answer = httpx2.post(url, json=body, headers=houses.bearer(token), trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_backup_taken_while_scans_run_is_a_whole_moment(tmp_path: Path) -> None:
    here, there, copy = tmp_path / "here", tmp_path / "there", tmp_path / "copy.tar.gz"
    here.mkdir()
    with houses.database("saved") as url, empty_place(there) as other:
        facts = houses.create(here, url, passports=400, scanners=CONNECTIONS)
        (here / "media").mkdir()
        pictures = {f"{number:032x}": os.urandom(2_000) for number in range(3)}
        for name, data in pictures.items():
            (here / "media" / name).write_bytes(data)
        server = Server(here, url)
        bodies = houses.bodies(facts, random.Random(2), 60_000)
        load = Load(here, "load", server.port, facts["scanner_tokens"], bodies)
        with server.running():
            with load.running():
                moved(facts, server.port, 3)
                code, said = command(here, url, "backup", str(copy))
                assert code == 0, said
                moved(facts, server.port, 3)
                found = load.end()
            # The live books hold everything, the copy what was committed at its moment.
            houses.balance(here, url, houses.verdicts(found))
        assert copy.stat().st_mode & 0o777 == 0o600
        code, said = command(there, other, "restore", str(copy))
        assert code == 0, said
        assert {path.name: path.read_bytes() for path in (there / "media").iterdir()} == pictures
        acks = tmp_path / "acks.json"
        acknowledged = houses.verdicts(found)
        acks.write_text(json.dumps(acknowledged), encoding="utf-8")
        env = process.environment(there, other)
        books = process.call("bench.store", "check", str(acks), env=env)
        assert 0 < books["rows"] < len(acknowledged)
        # Every scan of the copy had the verdict that its device was told, or was told a moment later.
        assert books["changed"] == [] and books["unacknowledged"] == 0
        assert books["admitted_twice"] == 0 and books["totals_wrong"] == []
        # And it serves: it knows the first scans by their ids, and decides the last ones, made after its moment.
        restored = Server(there, other)
        sent = sorted(found["answers"])
        with restored.running():
            for number, _, answer, scanner in (*sent[:5], *sent[-5:]):
                again = repeat(restored.port, facts["scanner_tokens"][scanner], bodies[number])
                if again["replayed"]:
                    assert again["verdict"] == answer["verdict"]
                assert again["replayed"] is (number <= sent[4][0])
        # It holds no log or journal beside the file, and no key.
        with tarfile.open(copy) as tar:
            names = tar.getnames()
        database = "huiwu.dump" if url else "huiwu.sqlite3"
        assert sorted(names) == sorted([database, "manifest.json", *(f"media/{name}" for name in pictures)])
        assert command(here, url, "backup", str(copy))[0] == 1, "an older backup was written over"
        assert command(there, other, "restore", str(copy))[0] == 1, "a place with data was restored into"


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.fixture
def places(open_database: Settings, tmp_path: Path) -> Callable[[str], Settings]:
    """Settings of empty SQLite places; what is refused is refused before any database is asked."""

    def place(name: str, key: str = "k" * 40) -> Settings:
        return Settings.from_env({}, data_dir=tmp_path / name, secret_key=key)

    return place


def archive(path: Path, manifest: Any = None, **files: bytes) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        if manifest is not None:
            files["manifest.json"] = json.dumps(manifest).encode()
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


async def test_an_empty_place_has_nothing_to_back_up(places: Any, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="no database"):
        await backup.backup(places("empty"), tmp_path / "x.tar.gz", at=AT)
    assert not (tmp_path / "x.tar.gz").exists()


async def test_another_key_kind_or_age_is_refused(places: Any, tmp_path: Path) -> None:
    settings = places("new")
    right = {
        "format": 1,
        "database": "sqlite",
        "schema": 1,
        "made_at": AT.isoformat(),
        "key": backup._mark(settings),
        "files": 0,
    }
    for change, why in (
        ({"format": 2}, "newer Huiwu"),
        ({"database": "postgres"}, "backup of postgres"),
        ({"schema": 9999}, "schema is newer"),
        ({"key": backup._mark(places("other", "o" * 40))}, "another key"),
        ({}, "damaged"),
    ):
        source = archive(
            tmp_path / "b.tar.gz", right | change, **{"huiwu.sqlite3": b"not a database at all" * 99}
        )
        with pytest.raises(BackupFailed, match=why):
            await backup.restore(settings, source)
        assert not (settings.data_dir / "huiwu.sqlite3").exists()
        assert [path.name for path in settings.data_dir.iterdir()] == []


@pytest.mark.parametrize("damage", ["cut", "empty", "no manifest", "climbs out"])
async def test_what_is_no_backup_is_refused_and_leaves_nothing(
    places: Any, tmp_path: Path, damage: str
) -> None:
    settings, source = places("new"), tmp_path / "b.tar.gz"
    if damage == "climbs out":
        archive(source, {"format": 1}, **{"../escaped": b"x"})
    elif damage == "no manifest":
        archive(source, **{"huiwu.sqlite3": b"x"})
    else:
        whole = archive(source, {"format": 1}, **{"huiwu.sqlite3": os.urandom(50_000)}).read_bytes()
        source.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    with pytest.raises(BackupFailed, match="can't be read"):
        await backup.restore(settings, source)
    assert not (tmp_path / "escaped").exists()
    assert list(settings.data_dir.iterdir()) == []


async def test_uploads_that_are_there_are_not_mixed_with_others(places: Any, tmp_path: Path) -> None:
    settings = places("used")
    settings.media_dir.mkdir(parents=True)
    (settings.media_dir / "a").write_bytes(b"x")
    with pytest.raises(BackupFailed, match="not empty"):
        await backup.restore(settings, tmp_path / "whatever.tar.gz")


async def test_a_database_that_can_not_be_reached_is_said_without_its_password(tmp_path: Path) -> None:
    port = services.free_port()
    settings = Settings.from_env(
        {}, data_dir=tmp_path, secret_key="k" * 40, database_url=f"postgres://u:geheim@127.0.0.1:{port}/x"
    )
    with pytest.raises(BackupFailed) as failed:
        backup._pg("pg_dump", settings, f"--file={tmp_path / 'x'}")
    assert "geheim" not in str(failed.value)


async def test_a_missing_program_is_named_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = Settings.from_env({}, data_dir=tmp_path, secret_key="k" * 40, database_url="postgres://u@h/x")
    with pytest.raises(BackupFailed, match="apt-get install postgresql-client"):
        backup._pg("pg_dump", dataclasses.replace(settings))
