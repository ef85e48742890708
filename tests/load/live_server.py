"""A server of nothing but live topics, in a process of its own: ``python -m tests.load.live_server PORT UNREAD_S``.

``n.1`` is a small document and ``big.1`` one of a megabyte; both change at every beat. ``/stats`` says how the
process is.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kernel.actor import Actor
from kernel.live import FRAME_S, Frame, Hub
from web import sockets
from web.sockets import Limits, Live
from web.wire import WebSocketProtocol

SMALL, BIG = 900, 1_000_000
#: Sockets that one address may have; the tests' clients all come from one.
PER_ADDRESS = 2_000


class Beat:
    version = 0
    at = 0.0


async def load(topic: str) -> Frame | None:
    filling = "x" * (BIG if topic.startswith("big") else SMALL)
    return Frame(Beat.version, orjson.dumps({"at": Beat.at, "filling": filling}))


async def everybody(actor: Actor, topic: str) -> bool:
    return True


hub = Hub()
hub.declare("n", load)
hub.declare("big", load)
live = Live(
    hub=hub,
    authorise=everybody,
    limits=Limits(sockets=5_000, per_address=PER_ADDRESS, kept_for_signed_in=0, send_s=2.0),
)


async def beat() -> None:
    while True:
        await asyncio.sleep(FRAME_S)
        Beat.version += 1
        Beat.at = time.time()
        hub.touched("n.1")
        hub.touched("big.1")


async def versions(topics: Sequence[str]) -> dict[str, int]:
    return dict.fromkeys(topics, Beat.version)


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(hub.run(versions)), asyncio.create_task(beat())]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def stats(request: Request) -> Response:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    said = {
        "rss_mb": int(status.split("VmRSS:")[1].split()[0]) // 1024,
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "sockets": len(live.connections),
        "dropped": live.dropped,
        "refused": live.refused,
        "version": Beat.version,
    }
    return Response(orjson.dumps(said), media_type="application/json")


def main() -> None:
    port, unread_s = int(sys.argv[1]), int(sys.argv[2])
    app = Starlette(
        routes=[*(entry.as_route() for entry in live.entries), Route("/stats", stats)], lifespan=lifespan
    )
    config = uvicorn.Config(
        app, ws=WebSocketProtocol, ws_per_message_deflate=False, access_log=False, log_level="warning"
    )
    sockets.Server(config).run(sockets=[sockets.listen("127.0.0.1", port, unread_s=unread_s)])


if __name__ == "__main__":
    main()
