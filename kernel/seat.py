"""Who may serve: one server process on SQLite; on PostgreSQL several only with Redis between them."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO, Any

import asyncpg

from kernel.db import postgres_credentials
from kernel.settings import Settings

_LOCK = 7_461_106


class SeatTaken(SystemExit):
    """Another server process is running on this database; the message says what to do."""


class Seat:
    """Held while this process serves, and given back by the system even when the process is killed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file: IO[str] | None = None
        self._connection: Any = None

    async def take(self) -> None:
        """Raises SeatTaken. The command line may write meanwhile; only serving needs the seat."""
        if self._settings.is_sqlite:
            self._file = _locked(self._settings.data_dir / "server.lock")
        elif not self._settings.redis_url:
            wanted = postgres_credentials(self._settings.database_url)
            keys = ("host", "port", "user", "password", "database", "timeout")
            self._connection = await asyncpg.connect(**{key: wanted[key] for key in keys})
            if not await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                await self._connection.close()
                raise SeatTaken(
                    "Another server runs on this database. Several need Redis between them: set REDIS_URL."
                )

    async def leave(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._connection is not None:
            await self._connection.close()


def _locked(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise SeatTaken(
            "Another server runs on this SQLite file. SQLite serves one process; for several use PostgreSQL and Redis."
        ) from None
    return file
