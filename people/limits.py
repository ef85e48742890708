"""How often something may fail: counted per e-mail address, browser and network, never in the way of what is right.

Counts live in this process; with Redis all processes share them, and while Redis is away each counts for itself
(DESIGN section 9). Subjects are kept as keyed hashes: no store outside the database holds an address.
"""

from __future__ import annotations

import logging
import math
import time
from collections import OrderedDict
from typing import Any, Final

from redis.exceptions import RedisError
from starlette.requests import HTTPConnection

from kernel import codes
from kernel.errors import TooMany
from kernel.settings import Settings
from people import rules
from people.rules import Limit, PeopleCode

log = logging.getLogger("huiwu.limits")

#: Subjects counted at once; beyond it the oldest counts are forgotten, in favour of the crowd.
SUBJECTS: Final = 20_000
#: How long a Redis that did not answer is left alone.
PAUSE_S: Final = 5.0
REDIS_TIMEOUT_S: Final = 0.5


class _Wiring:
    key: bytes = b""
    venue_networks: tuple[str, ...] = ()
    redis_url: str = ""
    redis: Any = None
    #: By the monotonic clock; until then every count is this process's own.
    redis_rests_until: float = 0.0


_counts: OrderedDict[str, int] = OrderedDict()


def configure(settings: Settings) -> None:
    """Called once by ``people.wiring``."""
    _Wiring.key = settings.key
    _Wiring.venue_networks = settings.venue_networks
    _Wiring.redis_url = settings.redis_url
    _Wiring.redis_rests_until = 0.0


def forget() -> None:
    """Forgets what this process has counted; for tests."""
    _counts.clear()


async def close() -> None:
    """Leaves Redis; main calls it when the server stops, and the next count connects anew."""
    client, _Wiring.redis = _Wiring.redis, None
    if client is not None:
        await client.aclose()


async def check(limit: Limit, subject: str, code: str) -> None:
    """Raises TooMany with ``minutes`` and ``retry_after_s`` when the subject's window is full; counts nothing."""
    if (key := _key(limit, subject)) is not None and await _add(key, limit, 0) >= limit.many:
        raise _refusal(limit, code)


async def count(limit: Limit, subject: str, code: str = "") -> None:
    """Counts one; with a ``code`` it raises TooMany when that was one too many."""
    if (key := _key(limit, subject)) is not None and await _add(key, limit, 1) > limit.many and code:
        raise _refusal(limit, code)


async def give_back(limit: Limit, subject: str) -> None:
    """Takes one count back: what was asked for was used as it should be."""
    if (key := _key(limit, subject)) is not None:
        await _add(key, limit, -1)


def counted_network(host: str) -> str | None:
    """The network that a host counts for; None for one of the venue's, which are never counted, and for no host."""
    network = rules.network_of(host)
    return None if not network or rules.lies_in(network, _Wiring.venue_networks) else network


async def count_failed_token(connection: HTTPConnection) -> None:
    """Counts a bearer token that opens nothing; raises TooMany when a network has sent hundreds of them."""
    host = connection.client.host if connection.client else ""
    await count(rules.FAILED_PER_NETWORK, host, PeopleCode.TOO_MANY_FAILED)


def _refusal(limit: Limit, code: str) -> TooMany:
    _, left_s = rules.window_of(time.time(), limit.within)
    return TooMany(code, minutes=math.ceil(left_s / 60), retry_after_s=math.ceil(left_s))


def _key(limit: Limit, subject: str) -> str | None:
    """Names the subject's present window; None for one that is not counted."""
    if limit.is_network:
        subject = rules.network_of(subject)
        if rules.lies_in(subject, _Wiring.venue_networks):
            return None
    if not subject:
        return None
    number, _ = rules.window_of(time.time(), limit.within)
    return f"{limit.name}:{number}:{codes.keyed_hash(_Wiring.key, 'limit', subject)[:32]}"


async def _add(key: str, limit: Limit, change: int) -> int:
    """The window's count after the change; in Redis where there is one and it answers, else here."""
    if _Wiring.redis_url and time.monotonic() >= _Wiring.redis_rests_until:
        try:
            return await _add_shared(f"huiwu:limit:{key}", limit, change)
        except (RedisError, OSError) as error:
            _Wiring.redis_rests_until = time.monotonic() + PAUSE_S
            log.warning("Redis does not answer, limits count per process: %s", type(error).__name__)
    value = _counts.pop(key, 0) + change
    _counts[key] = value
    while len(_counts) > SUBJECTS:
        _counts.popitem(last=False)
    return value


async def _add_shared(key: str, limit: Limit, change: int) -> int:
    if _Wiring.redis is None:
        import redis.asyncio

        _Wiring.redis = redis.asyncio.from_url(
            _Wiring.redis_url, socket_connect_timeout=REDIS_TIMEOUT_S, socket_timeout=REDIS_TIMEOUT_S
        )
    async with _Wiring.redis.pipeline(transaction=False) as pipeline:
        pipeline.incrby(key, change)
        pipeline.expire(key, math.ceil(limit.within.total_seconds()) + 60)
        value, _ = await pipeline.execute()
    return int(value)
