"""The bus between processes over Redis: a wake-up, never a store.

Redis pub/sub delivers at most once and forgets; that is enough here, because every process also looks at the versions
in the database. A Redis that is down, slow or restarted costs two seconds of delay.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection
from typing import Final

import orjson
import redis.asyncio

#: Topics in one message; a rush beyond is several messages.
MESSAGE_TOPICS: Final = 500


async def answers(url: str) -> bool:
    """Whether a Redis is there and lets us in; asked over a connection of its own, half a second at most."""
    client = redis.asyncio.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5)
    try:
        return bool(await client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        await client.aclose()


class RedisBus:
    """``name`` keeps installations that share a Redis apart. Raises redis errors; the hub waits and calls again."""

    def __init__(self, url: str, name: str = "huiwu") -> None:
        self._channel = f"{name}:live"
        self._me = secrets.token_hex(4)
        self._client = redis.asyncio.from_url(
            url, socket_connect_timeout=2, socket_timeout=5, health_check_interval=20, max_connections=4
        )

    async def publish(self, topics: Collection[str]) -> None:
        names = sorted(topics)
        for start in range(0, len(names), MESSAGE_TOPICS):
            message = orjson.dumps({"from": self._me, "topics": names[start : start + MESSAGE_TOPICS]})
            await self._client.publish(self._channel, message)

    async def listen(self) -> AsyncIterator[Collection[str]]:
        """Topics that other processes touched. Ends with a redis error when the connection breaks."""
        async with self._client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(self._channel)
            while True:
                message = await channel.get_message(timeout=10)
                if message is None:
                    continue
                try:
                    said = orjson.loads(message["data"])
                    if said["from"] != self._me:
                        yield [str(topic) for topic in said["topics"][:MESSAGE_TOPICS]]
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    continue  # somebody else's message on our channel

    async def close(self) -> None:
        await self._client.aclose()
