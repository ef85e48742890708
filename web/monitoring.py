"""What watches the server may ask: whether it is ready for requests, and its figures (docs/operate.md lists them).

Both are public routes with a guard of their own. Readiness says nothing but words of this file, and asks the database
at most once a second however many ask it. Figures are for the configured networks alone; anybody else meets the
ordinary 404. They hold no person, no event and no address.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from kernel import db, metrics, migrations
from kernel.errors import NotFound
from kernel.live import hub
from kernel.metrics import Family, counter, gauge
from kernel.settings import Settings
from web import render, sockets
from web.routing import Entry, public

#: How long the database, Redis, or one part's figures are waited for.
TIMEOUT_S: Final = 2.0
#: An answer about readiness serves everybody who asks within this.
KEPT_S: Final = 1.0

Part = Callable[[], Awaitable[Iterable[Family]]]

#: The figures of the packages above; joined by main.
PARTS: list[Part] = []


class _Wiring:
    settings: Settings | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    own_schema: int = 0
    began = time.time()
    known: tuple[float, Readiness] | None = None
    asking: asyncio.Task[Readiness] | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """``redis``: ok, down, or unused. Only the database, its schema and being on the way out decide."""

    database: str
    schema: str
    redis: str
    stopping: bool

    @property
    def ok(self) -> bool:
        return self.database == self.schema == "ok" and not self.stopping


def configure(settings: Settings) -> None:
    """Called once by main."""
    _Wiring.settings = settings
    _Wiring.networks = tuple(ip_network(network) for network in settings.metrics_networks)
    _Wiring.own_schema = len(migrations.migrations("sqlite" if settings.is_sqlite else "postgres"))
    _Wiring.known = _Wiring.asking = None


async def ready(_request: Request) -> Response:
    """200 while this process can serve: its database answers with this program's schema, and it is not stopping.

    503 otherwise, with the reason in one word each. A Redis that is down is said and changes nothing: boards then look
    at the versions, and limits count per process.
    """
    found = await readiness()
    body = {
        "ok": found.ok,
        "database": found.database,
        "schema": found.schema,
        "redis": found.redis,
        "stopping": found.stopping,
    }
    return render.json(body, 200 if found.ok else 503)


async def readiness() -> Readiness:
    """At most KEPT_S old, and one look however many ask."""
    known = _Wiring.known
    if known and time.monotonic() - known[0] < KEPT_S and known[1].stopping == hub.is_closed:
        return known[1]
    task = _Wiring.asking
    if task is None or task.done():
        task = _Wiring.asking = asyncio.create_task(_look())
    return await asyncio.shield(task)


async def _look() -> Readiness:
    assert _Wiring.settings is not None, "main calls web.monitoring.configure first"
    (database, schema), redis = await asyncio.gather(_database(), _redis(_Wiring.settings.redis_url))
    found = Readiness(database, schema, redis, hub.is_closed)
    _Wiring.known = (time.monotonic(), found)
    return found


async def _database() -> tuple[str, str]:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            rows = await db.query("SELECT COALESCE(max(version), 0) AS version FROM schema_migration")
    except Exception:  # noqa: BLE001 -- whatever it is, the answer is "not now"
        return "unreachable", "unknown"
    there = int(rows[0]["version"])
    if there == _Wiring.own_schema:
        return "ok", "ok"
    return "ok", "older" if there < _Wiring.own_schema else "newer"


async def _redis(url: str) -> str:
    if not url:
        return "unused"
    from kernel.live_redis import answers

    try:
        async with asyncio.timeout(TIMEOUT_S):
            return "ok" if await answers(url) else "down"
    except TimeoutError:
        return "down"


async def figures(request: Request) -> Response:
    """The figures of this one process, and what only the database knows (letters, jobs), for Prometheus.

    404 outside ``HUIWU_METRICS_NETWORKS``. What the database can't tell now is left out, the rest is there.
    """
    if not _may_see(request):
        raise NotFound()
    found = await readiness()
    families = [*_process(), *_health(found), *_statements(), *_live()]
    missing = 0
    for part in PARTS:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                families += await part()
        except Exception:  # noqa: BLE001 -- a monitor wants the rest, and the number of those that failed
            missing += 1
    families.append(gauge("huiwu_metrics_missing", "Groups of figures that could not be read now.", missing))
    return Response(
        metrics.text(families), media_type=metrics.CONTENT_TYPE, headers={"cache-control": "no-store"}
    )


def _may_see(request: Request) -> bool:
    """Every address that the request names must lie in the networks: the client's, and those a proxy has added.

    A proxy on this machine that is not in HUIWU_TRUSTED_PROXIES would otherwise make the whole world local.
    """
    named = [request.client.host if request.client else ""]
    for header in request.headers.getlist("x-forwarded-for"):
        named += header.split(",")
    # Written by proxies of another kind; ours never sends it, and what it says is not worth a parser here.
    return "forwarded" not in request.headers and all(_lies_in(one.strip()) for one in named)


def _lies_in(said: str) -> bool:
    try:
        address = ip_address(said)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _Wiring.networks)


def _process() -> Sequence[Family]:
    assert _Wiring.settings is not None
    now = time.time()
    times = os.times()
    found = [
        gauge(
            "huiwu_info",
            "This program.",
            [
                (
                    {
                        "database": "sqlite" if _Wiring.settings.is_sqlite else "postgres",
                        "schema": str(_Wiring.own_schema),
                    },
                    1,
                )
            ],
        ),
        gauge("process_start_time_seconds", "When this process started, in Unix time.", _Wiring.began),
        gauge("huiwu_uptime_seconds", "How long this process has been up.", now - _Wiring.began),
        counter("process_cpu_seconds_total", "Processor time used.", times.user + times.system),
    ]
    status, descriptors = Path("/proc/self/status"), Path("/proc/self/fd")
    if status.exists():  # Linux
        resident = int(status.read_text(encoding="utf-8").split("VmRSS:")[1].split()[0]) * 1024
        found += [
            gauge("process_resident_memory_bytes", "Memory in use.", resident),
            gauge("process_open_fds", "Open files and connections.", len(list(descriptors.iterdir()))),
        ]
    return found


def _health(found: Readiness) -> Sequence[Family]:
    families = [
        gauge("huiwu_ready", "1 while /readyz answers 200.", int(found.ok)),
        gauge("huiwu_database_up", "1 while the database answers.", int(found.database == "ok")),
    ]
    if found.redis != "unused":
        families.append(gauge("huiwu_redis_up", "1 while Redis answers.", int(found.redis == "ok")))
    return families


def _statements() -> Sequence[Family]:
    stats = db.stats
    return [
        counter("huiwu_sql_statements_total", "Statements sent to the database.", stats.statements),
        counter(
            "huiwu_transactions_total",
            "Units of work that ended, by how.",
            [({"outcome": "commit"}, stats.commits), ({"outcome": "rollback"}, stats.rollbacks)],
        ),
        gauge(
            "huiwu_longest_write_seconds", "The longest that SQLite's writer was held.", stats.longest_hold_s
        ),
    ]


def _live() -> Sequence[Family]:
    sockets_now, dropped = sockets.figures()
    stats = hub.stats
    return [
        gauge("huiwu_live_sockets", "WebSockets open now.", sockets_now),
        counter("huiwu_live_sockets_dropped_total", "WebSockets dropped because nobody read them.", dropped),
        counter("huiwu_live_frames_total", "Live frames handed to clients.", stats.frames),
        counter(
            "huiwu_live_frames_dropped_total",
            "Live frames that a newer one replaced before they were read.",
            stats.replaced,
        ),
        counter("huiwu_live_loads_total", "Documents loaded for live topics.", stats.loads),
        counter("huiwu_live_failures_total", "Documents that could not be loaded.", stats.failures),
    ]


ROUTES: list[Entry] = [
    public("/readyz", ready, "web.ready"),
    public("/metrics", figures, "web.metrics"),
]
