"""Who may serve: a second server is refused while the first runs, and the seat is free when it has gone."""

from __future__ import annotations

import dataclasses

import pytest

from kernel.seat import Seat, SeatTaken
from kernel.settings import Settings


async def test_a_second_server_is_refused_with_a_reason(database: Settings) -> None:
    first, second = Seat(database), Seat(database)
    await first.take()
    try:
        with pytest.raises(SeatTaken, match="Redis"):
            await second.take()
    finally:
        await first.leave()
    await second.take()
    await second.leave()


async def test_several_may_serve_with_redis_between_them(database: Settings) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite serves one process, with or without Redis")
    settings = dataclasses.replace(database, redis_url="redis://127.0.0.1:6379/0")
    seats = [Seat(settings), Seat(settings)]
    for seat in seats:
        await seat.take()
    for seat in seats:
        await seat.leave()
