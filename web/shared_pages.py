"""Pages that everybody reads: rendered once per change and language, served as compressed bytes with an ETag.

A page in here says nothing about its reader, so it is made only for readers who are nobody in particular. Whoever
changes something says so with ``dropped`` (the journal does, after each commit). What another process changed is
seen by its ``stamp``, some value that a page asks for when its copy is FRESH_S old; and no copy outlives LASTS_S, or the
moment that its maker named (a registration window that opens).
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from web import i18n, render

#: So long a copy is served without asking anything.
FRESH_S: Final = 2.0
LASTS_S: Final = 60.0
#: 200 events with a home, a few pages and two languages each; the copy that was asked for longest ago goes first.
KEPT: Final = 2048
#: A browser may show its copy again for so long without asking; reloading always asks.
BROWSER_S: Final = 5

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A rendered page, and until when it is right; None: until something changes."""

    html: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Concerns:
    """What a page shows: of which events (None: any), and which kinds of the journal's objects (None: any)."""

    event_ids: frozenset[int] | None = None
    kinds: frozenset[str] | None = None

    def meets(self, event_id: int | None, kind: str) -> bool:
        return (self.event_ids is None or event_id in self.event_ids) and (
            self.kinds is None or kind in self.kinds
        )


@dataclass(slots=True)
class _Copy:
    body: bytes
    packed: bytes
    etag: str
    stamp: object
    concerns: Sequence[Concerns]
    asked_at: float
    ends_at: float


_copies: dict[Key, _Copy] = {}
_making: dict[Key, asyncio.Lock] = {}
_round = [0]


def forget() -> None:
    """Empties everything; for tests."""
    _round[0] += 1
    _copies.clear()
    _making.clear()


def drop_all() -> None:
    """Drops every copy of this process; for changes that no single event is about."""
    _round[0] += 1
    _copies.clear()


def dropped(event_id: int | None, kind: str) -> None:
    """Drops the copies that show something of what has just been changed; for ``after_commit``.

    What is of no event (an account, a series) concerns only the pages that name its kind.
    """
    _round[0] += 1
    for key in [key for key, copy in _copies.items() if _meets(copy, event_id, kind)]:
        del _copies[key]


def _meets(copy: _Copy, event_id: int | None, kind: str) -> bool:
    return any(one.meets(event_id, kind) for one in copy.concerns)


async def serve(
    request: Request,
    key: Iterable[str],
    *,
    concerns: Sequence[Concerns],
    stamp: Callable[[], Awaitable[object]],
    make: Callable[[], Awaitable[Made]],
) -> Response:
    """The page under ``key`` in the reader's language: the copy, or a new one out of ``make``.

    A hit sends no statement. ``key`` names everything that the page depends on besides the language. The caller has
    made sure that the reader is nobody in particular.
    """
    whole = (*key, i18n.current_locale())
    copy = _copies.get(whole)
    if copy is None or not _is_fresh(copy):
        # Of a hall that asks at once, one renders and the others wait for it.
        async with _making.setdefault(whole, asyncio.Lock()):
            copy = _copies.get(whole)
            if copy is None or not _is_fresh(copy):
                copy = await _renewed(whole, copy, concerns, stamp, make)
        _making.pop(whole, None)
    return _answer(request, copy)


def _is_fresh(copy: _Copy) -> bool:
    now = time.monotonic()
    return now < copy.asked_at + FRESH_S and now < copy.ends_at


async def _renewed(
    key: Key,
    old: _Copy | None,
    concerns: Sequence[Concerns],
    stamp: Callable[[], Awaitable[object]],
    make: Callable[[], Awaitable[Made]],
) -> _Copy:
    began, now = _round[0], time.monotonic()
    # The stamp first: what changes while we render makes the copy old, never wrong for long.
    mark = await stamp()
    if old is not None and old.stamp == mark and now < old.ends_at:
        old.asked_at = now
        return old
    made = await make()
    lasts = LASTS_S
    if made.until is not None:
        lasts = min(lasts, max((made.until - datetime.now(UTC)).total_seconds(), 0))
    body = made.html.encode()
    copy = _Copy(
        body=body,
        packed=gzip.compress(body, 6, mtime=0),
        etag=f'W/"{hashlib.sha256(body).hexdigest()[:20]}"',
        stamp=mark,
        concerns=concerns,
        asked_at=now,
        ends_at=now + lasts,
    )
    if began == _round[0]:
        _copies.pop(key, None)
        while len(_copies) >= KEPT:
            del _copies[next(iter(_copies))]
        _copies[key] = copy
    return copy


def _answer(request: Request, copy: _Copy) -> Response:
    headers = {
        "etag": copy.etag,
        "cache-control": f"public, max-age={BROWSER_S}, must-revalidate",
        "vary": "Cookie, Accept-Language, Accept-Encoding",
    }
    if render.reader_has(request, copy.etag):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(copy.packed, media_type="text/html", headers=headers | {"content-encoding": "gzip"})
    return Response(copy.body, media_type="text/html", headers=headers)
