"""Files that people upload: under random names outside the tree, known only through their row."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from kernel import db
from kernel.db import IntegrityError, after_commit, unit_of_work
from kernel.errors import NotFound, TooLarge
from kernel.settings import Settings
from people import rules
from people.models import Upload

#: A file without a row is the rest of an action that was rolled back; this old, no action is still about it.
ORPHAN_AFTER: Final = timedelta(days=1)
PURGE_BATCH: Final = 500


class _Wiring:
    folder: Path = Path("var/media")
    limit_mb: int = 10


def configure(settings: Settings) -> None:
    """Called once by ``people.wiring``."""
    _Wiring.folder = settings.media_dir
    _Wiring.limit_mb = settings.upload_mb


async def keep(
    *,
    data: bytes,
    filename: str,
    event_id: int | None,
    actor_key: str,
    at: datetime,
    keep_until: datetime | None = None,
) -> int:
    """Keeps a file and gives its id; the file is on the disk, durably, before its row can be committed.

    Raises TooLarge with ``limit_mb``. The name is cleaned for showing; on the disk the file has a random one. Call
    it outside a transaction where you can: writing a large file takes long.
    """
    if len(data) > _Wiring.limit_mb * 1024 * 1024:
        raise TooLarge(limit_mb=_Wiring.limit_mb)
    stored_name = secrets.token_hex(16)
    await asyncio.to_thread(_write, _Wiring.folder / stored_name, data)
    async with unit_of_work():
        row = await Upload.create(
            event_id=event_id,
            stored_name=stored_name,
            filename=rules.safe_filename(filename),
            size=len(data),
            actor_key=actor_key,
            created_at=at,
            keep_until=keep_until,
        )
    return int(row.id)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def read(upload_id: int) -> tuple[bytes, str]:
    """A file's bytes and its cleaned name; the caller has checked that they may be seen. Raises NotFound."""
    row = await Upload.get_or_none(id=upload_id)
    if row is None:
        raise NotFound()
    try:
        return await asyncio.to_thread((_Wiring.folder / row.stored_name).read_bytes), row.filename
    except FileNotFoundError:
        raise NotFound() from None


async def claim(upload_ids: Sequence[int], at: datetime) -> set[int]:
    """Keeps pending files (those whose ``keep_until`` is to come) for good and gives the ids of those that were.

    Inside the action that takes them: of two actions that want one file, one gets it. One statement.
    """
    rows = await db.query(
        f"UPDATE upload SET keep_until = NULL WHERE id {db.in_list('$1', 'int')} "  # noqa: S608
        # What is past its time may be on its way out of the door: see ``purge``.
        "AND keep_until > $2 RETURNING id",
        db.list_parameter(upload_ids),
        at,
    )
    return {int(row["id"]) for row in rows}


async def expire(upload_ids: Sequence[int]) -> None:
    """Gives files to the next purge, inside the action that no longer needs them; one statement."""
    await db.execute(
        f"UPDATE upload SET keep_until = created_at WHERE id {db.in_list('$1', 'int')}",  # noqa: S608
        db.list_parameter(upload_ids),
    )


async def filenames(upload_ids: Sequence[int]) -> dict[int, str]:
    """The cleaned names of files, by id; one statement, none for no ids."""
    if not upload_ids:
        return {}
    rows = await db.query(
        f"SELECT id, filename FROM upload WHERE id {db.in_list('$1', 'int')}",  # noqa: S608
        db.list_parameter(upload_ids),
    )
    return {int(row["id"]): row["filename"] for row in rows}


async def pending_bytes(event_id: int) -> int:
    """How much lies here for an event that no action has taken yet."""
    rows = await db.query(
        "SELECT COALESCE(SUM(size), 0) AS total FROM upload WHERE event_id = $1 AND keep_until IS NOT NULL",
        event_id,
    )
    return int(rows[0]["total"])


async def drop(*upload_ids: int) -> None:
    """Removes files for good, in one statement; an unknown id is no error.

    Inside somebody's action they go when it is durable: what is refused after all has lost nothing. A crash in between
    leaves orphans, which ``purge`` finds.
    """
    async with unit_of_work():
        rows = await db.query(
            f"DELETE FROM upload WHERE id {db.in_list('$1', 'int')} RETURNING stored_name",  # noqa: S608
            db.list_parameter(upload_ids),
        )
        paths = [_Wiring.folder / row["stored_name"] for row in rows]
        after_commit(lambda: _unlink(paths))


def _unlink(paths: Sequence[Path]) -> None:
    for path in paths:
        # What can't be removed now is an orphan like any other.
        with contextlib.suppress(OSError):
            path.unlink()


async def purge(at: datetime) -> int:
    """Removes what is past its ``keep_until``, and files without a row; gives how many rows went.

    An upload that another table still refers to stays. The row goes first: a crash leaves an orphan, which the next
    purge finds, never a row without its file.
    """
    due = await Upload.filter(keep_until__lte=at).order_by("id").limit(PURGE_BATCH).only("id")
    removed = 0
    for row in due:
        with contextlib.suppress(IntegrityError):
            await drop(row.id)
            removed += 1
    await _purge_orphans()
    return removed


async def _purge_orphans() -> None:
    old = await asyncio.to_thread(_old_files)
    if not old:
        return
    known = {row.stored_name for row in await Upload.all().only("stored_name")}
    for path in old:
        if path.name not in known:
            await asyncio.to_thread(path.unlink, missing_ok=True)


def _old_files() -> list[Path]:
    if not _Wiring.folder.is_dir():
        return []
    # By the disk's own clock: a file's age has nothing to do with an action's ``at``.
    before = time.time() - ORPHAN_AFTER.total_seconds()
    return [path for path in _Wiring.folder.iterdir() if path.is_file() and path.stat().st_mtime < before]
