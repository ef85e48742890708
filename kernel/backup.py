"""One file that holds all of an installation but its key, written while the server serves, and the way back.

A backup is a .tar.gz of ``manifest.json``, the database (``huiwu.sqlite3``, a whole SQLite file, or ``huiwu.dump``,
pg_dump's own format) and ``media/``. The database is copied first: a file uploaded meanwhile is then one too many,
which nobody sees, and never one too few. Written for its owner's eyes alone, and whole or not at all.

The key is left out on purpose: with both somebody could open every holder's link. A mark of it is in the manifest,
so that a restore under another key says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from kernel import codes, migrations
from kernel.db import postgres_credentials, sqlite_path
from kernel.settings import Settings

FORMAT: Final = 1
_SQLITE, _DUMP, _MANIFEST, _MEDIA = "huiwu.sqlite3", "huiwu.dump", "manifest.json", "media"


class BackupFailed(SystemExit):
    """Nothing was written, or nothing was restored; the message says why and what to do."""


async def backup(settings: Settings, target: Path, *, at: datetime) -> dict[str, Any]:
    """Writes ``target``, which must not exist, and gives its manifest. The server may serve meanwhile, and scan.

    SQLite's own online copy sees one moment of the file with its log, and is checked; pg_dump sees one snapshot.
    Raises BackupFailed.
    """
    version = await migrations.schema_version(settings)
    return _write(settings, target, version, at)


def _write(settings: Settings, target: Path, version: int, at: datetime) -> dict[str, Any]:
    if target.exists():
        raise BackupFailed(f"{target} exists already. A backup is never written over another one.")
    if not version:
        raise BackupFailed("There is no database to back up here. Are DATABASE_URL and HUIWU_DATA_DIR set?")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as folder:
        copy = Path(folder) / (_SQLITE if settings.is_sqlite else _DUMP)
        if settings.is_sqlite:
            _copy_sqlite(sqlite_path(settings), copy)
        else:
            _pg("pg_dump", settings, "--format=custom", "--no-owner", "--no-acl", f"--file={copy}")
        files = sorted(path for path in settings.media_dir.glob("*") if path.is_file())
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "database": "sqlite" if settings.is_sqlite else "postgres",
            "schema": version,
            "made_at": at.astimezone(UTC).isoformat(timespec="seconds"),
            "key": _mark(settings),
        }
        kept = 0
        part = Path(folder) / "part"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as tar:
                tar.add(copy, copy.name)
                for path in files:
                    with contextlib.suppress(FileNotFoundError):  # somebody has just been forgotten
                        tar.add(path, f"{_MEDIA}/{path.name}")
                        kept += 1
                manifest["files"] = kept
                _add_manifest(tar, manifest, Path(folder))
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(target)
    return manifest


async def restore(settings: Settings, source: Path) -> dict[str, Any]:
    """Puts a backup into an empty place and gives its manifest; the server must not run.

    Raises BackupFailed for a database or uploads that are there already, a backup of the other kind of database, a
    damaged one, or one under another key than ``settings`` has. SQLite's file and references are checked afterwards.
    """
    version = await migrations.schema_version(settings)
    return _put(settings, source, version)


def _put(settings: Settings, source: Path, version: int) -> dict[str, Any]:
    if version:
        raise BackupFailed("There is a database here already. A backup is restored into an empty place only.")
    if settings.media_dir.exists() and any(settings.media_dir.iterdir()):
        raise BackupFailed(
            f"{settings.media_dir} is not empty. A backup is restored into an empty place only."
        )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.data_dir) as name:
        folder = Path(name)
        try:
            with tarfile.open(source, "r:gz") as tar:
                tar.extractall(folder, filter="data")
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        except (OSError, EOFError, tarfile.TarError, ValueError) as error:
            raise BackupFailed(f"{source} can't be read as a backup: {type(error).__name__}") from None
        _check(settings, manifest)
        if settings.is_sqlite:
            _check_sqlite(folder / _SQLITE)
        else:
            _pg(
                "pg_restore",
                settings,
                "--exit-on-error",
                "--single-transaction",
                "--no-owner",
                "--no-acl",
                str(folder / _DUMP),
            )
        settings.media_dir.mkdir(mode=0o700, exist_ok=True)
        for path in sorted((folder / _MEDIA).glob("*")):
            shutil.move(path, settings.media_dir / path.name)
        if settings.is_sqlite:
            (folder / _SQLITE).rename(sqlite_path(settings))
    return dict(manifest)


def _check(settings: Settings, manifest: dict[str, Any]) -> None:
    kind = "sqlite" if settings.is_sqlite else "postgres"
    if manifest.get("format") != FORMAT:
        raise BackupFailed("This backup was made by a newer Huiwu; restore it with that one.")
    if manifest.get("database") != kind:
        raise BackupFailed(f"This is a backup of {manifest.get('database')}, and the settings say {kind}.")
    if manifest.get("schema", 0) > len(migrations.migrations(kind)):
        raise BackupFailed("This backup's schema is newer than this program; use a newer Huiwu.")
    if manifest.get("key") != _mark(settings):
        raise BackupFailed(
            "This backup was made under another key: holders' links would be dead. Put its secret.key into the "
            "data folder first, or set HUIWU_SECRET_KEY."
        )


def _mark(settings: Settings) -> str:
    """Tells two keys apart and gives nothing of either away."""
    return codes.keyed_hash(settings.key, "backup", "the key of this backup")[:16]


def _copy_sqlite(source: Path, target: Path) -> None:
    # In one step under one read lock: in WAL mode nobody waits for it, and no writer makes it begin again.
    with (
        contextlib.closing(sqlite3.connect(source, timeout=30)) as there,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        there.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, with no log beside it
    _check_sqlite(target)


def _check_sqlite(path: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchall()
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError:
        said, broken = [("not a database",)], []
    if said != [("ok",)] or broken:
        raise BackupFailed(f"The copy is damaged: {said[0][0]}; {len(broken)} broken references.")


def _pg(program: str, settings: Settings, *arguments: str) -> None:
    """Runs one of PostgreSQL's programs; the password goes through the environment, where no process list shows it."""
    wanted = postgres_credentials(settings.database_url)
    env = os.environ | {
        "PGHOST": wanted["host"],
        "PGPORT": str(wanted["port"]),
        "PGUSER": wanted["user"],
        "PGDATABASE": wanted["database"],
    }
    if wanted["password"]:
        env["PGPASSWORD"] = wanted["password"]
    target = () if program == "pg_dump" else (f"--dbname={wanted['database']}",)
    try:
        ran = subprocess.run(  # noqa: S603 -- a fixed program, our own arguments
            [program, "--no-password", *target, *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise BackupFailed(
            f"{program} is missing. This mends it: apt-get install postgresql-client"
        ) from None
    if ran.returncode:
        raise BackupFailed(f"{program} failed: {ran.stderr.strip()[-1000:]}")


def _add_manifest(tar: tarfile.TarFile, manifest: dict[str, Any], folder: Path) -> None:
    file: IO[str]
    path = folder / _MANIFEST
    with path.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
    tar.add(path, _MANIFEST)
