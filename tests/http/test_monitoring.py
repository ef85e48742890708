"""Readiness and figures through ASGI: who may see them, what they count, and what they say when things are down."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

import main
from bench.process import ROOT
from checkin import scanning
from checkin.rules import VerdictCode
from checkin.scanning import ScanEntry
from kernel import db
from kernel.db import unit_of_work
from kernel.errors import Busy
from kernel.live import hub
from kernel.settings import Settings, WrongSetting
from tests import services
from tests.factories import NOW, make_checkpoint, make_door, make_event, make_passport, make_ticket_type
from web import monitoring

BASE = "http://127.0.0.1:8000"


def browser(settings: Settings, host: str = "127.0.0.1") -> httpx2.AsyncClient:
    app = main.create_app(settings, workers=False)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=(host, 4711)), base_url=BASE)


@pytest_asyncio.fixture(loop_scope="session")
async def client(database: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(database) as client:
        yield client


async def samples(client: httpx2.AsyncClient) -> dict[str, float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    lines = answer.text.splitlines()
    found = {}
    for line in lines:
        if not line.startswith("# "):
            match = re.fullmatch(r'([a-z_]+(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})?) (\S+)', line)
            assert match, line
            found[match[1]] = float(match[2])
    return found


def moved(before: dict[str, float], after: dict[str, float], name: str) -> float:
    return after[name] - before[name]


# --- ready


async def test_ready_is_the_database_at_our_version(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ok": True,
        "database": "ok",
        "schema": "ok",
        "redis": "unused",
        "stopping": False,
    }


@pytest.mark.parametrize(("there", "word"), [(-1, "older"), (1, "newer")])
async def test_another_schema_is_not_ready(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, there: int, word: str
) -> None:
    monkeypatch.setattr(monitoring._Wiring, "own_schema", monitoring._Wiring.own_schema - there)
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert (answer.json()["database"], answer.json()["schema"]) == ("ok", word)


async def test_a_database_that_does_not_answer_is_not_ready_and_the_figures_say_the_rest(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any) -> Any:
        raise Busy()

    monkeypatch.setattr(db, "query", gone)
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert (answer.json()["database"], answer.json()["schema"]) == ("unreachable", "unknown")
    found = await samples(client)
    assert (found["huiwu_ready"], found["huiwu_database_up"], found["huiwu_metrics_missing"]) == (0, 0, 1)
    assert "huiwu_committer_queue" in found and 'huiwu_letters{state="waiting"}' not in found


async def test_a_database_that_hangs_is_waited_for_no_longer_than_the_limit(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(db, "query", hangs)
    monkeypatch.setattr(monitoring, "TIMEOUT_S", 0.01)
    assert (await client.get("/readyz")).json()["database"] == "unreachable"


async def test_a_crowd_that_asks_costs_one_statement(client: httpx2.AsyncClient) -> None:
    before = db.stats.statements
    answers = await asyncio.gather(*(client.get("/readyz") for _ in range(32)))
    assert [answer.status_code for answer in answers] == [200] * 32
    assert db.stats.statements == before + 1


async def test_redis_is_named_and_decides_nothing(database: Settings) -> None:
    down = dataclasses.replace(database, redis_url=f"redis://127.0.0.1:{services.free_port()}/0")
    async with browser(down) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["redis"]) == (200, "down")
        found = await samples(client)
        assert (found["huiwu_ready"], found["huiwu_redis_up"]) == (1, 0)
    with services.redis() as url:
        async with browser(dataclasses.replace(database, redis_url=url)) as client:
            assert (await client.get("/readyz")).json()["redis"] == "ok"
            assert (await samples(client))["huiwu_redis_up"] == 1
    main.create_app(database, workers=False)


async def test_whoever_is_leaving_is_not_ready(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/readyz")).status_code == 200
    hub.close()
    try:
        answer = await client.get("/readyz")
    finally:
        hub.reopen()
    assert (answer.status_code, answer.json()["stopping"]) == (503, True)


# --- figures


async def test_scans_are_counted_by_verdict_and_batches_by_size(client: httpx2.AsyncClient) -> None:
    event = await make_event()
    kind, door, gate = await make_ticket_type(event), await make_door(event), await make_checkpoint(event)
    guests = [await make_passport(event, kind) for _ in range(5)]
    before = await samples(client)
    entries = [ScanEntry(uuid.uuid4(), guest.token, gate.id) for guest in guests]
    entries.append(ScanEntry(uuid.uuid4(), "nobody's code", gate.id))
    answers = await asyncio.gather(*(scanning.scan(door=door, entry=entry, at=NOW) for entry in entries))
    assert [answer.verdict for answer in answers] == [VerdictCode.ADMITTED] * 5 + [VerdictCode.UNKNOWN]
    await scanning.scan(door=door, entry=entries[0], at=NOW)
    after = await samples(client)
    assert moved(before, after, 'huiwu_scans_total{outcome="entry",verdict="admitted"}') == 5
    assert moved(before, after, 'huiwu_scans_total{outcome="refused",verdict="unknown"}') == 1
    assert moved(before, after, "huiwu_scan_replays_total") == 1
    assert moved(before, after, "huiwu_scans_failed_total") == 0
    assert moved(before, after, "huiwu_commit_scans_sum") == 7
    batches = moved(before, after, "huiwu_commit_seconds_count")
    assert batches == moved(before, after, "huiwu_commit_scans_count") >= 2
    assert moved(before, after, 'huiwu_commit_seconds_bucket{le="+Inf"}') == batches
    assert after["huiwu_committer_queue"] == 0
    assert moved(before, after, "huiwu_sql_statements_total") > 0
    assert moved(before, after, 'huiwu_transactions_total{outcome="commit"}') >= 2


async def test_a_scan_that_fails_is_counted_as_such(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await make_event()
    door, gate = await make_door(event), await make_checkpoint(event)

    async def busy(*_: Any, **__: Any) -> Any:
        raise Busy()

    before = await samples(client)
    monkeypatch.setattr(scanning, "_commit", busy)
    with pytest.raises(Busy):
        await scanning.scan(door=door, entry=ScanEntry(uuid.uuid4(), "x", gate.id), at=NOW)
    after = await samples(client)
    assert moved(before, after, "huiwu_scans_failed_total") == 1
    assert sum(moved(before, after, name) for name in after if name.startswith("huiwu_scans_total")) == 0


async def test_letters_and_jobs_are_counted_by_state(client: httpx2.AsyncClient) -> None:
    async with unit_of_work():
        for number, state in enumerate(("waiting", "waiting", "failed", "sent")):
            await db.execute(
                "INSERT INTO letter (key, to_email, domain, locale, subject, text, attachments, composer, state, "
                "urgent, purpose, tries, next_try_at, last_problem, created_at) "
                "VALUES ($1, 'lin@example.org', 'example.org', 'en', 'Secret subject', '', '[]', '', $2, false, '', "
                "0, $3, '', $3)",
                f"k{number}",
                state,
                NOW,
            )
        for number, state in enumerate(("waiting", "running", "failed", "done")):
            await db.execute(
                "INSERT INTO job (kind, key, payload, state, done, total, result, tries, actor_key, cancel_wanted, "
                "run_at, created_at) VALUES ('x', $1, '{}', $2, 0, 0, '{}', 0, '', false, $3, $3)",
                f"j{number}",
                state,
                NOW,
            )
    found = await samples(client)
    letters = {name: value for name, value in found.items() if name.startswith("huiwu_letters{")}
    assert letters == {
        'huiwu_letters{state="waiting"}': 2,
        'huiwu_letters{state="sending"}': 0,
        'huiwu_letters{state="failed"}': 1,
        'huiwu_letters{state="held"}': 0,
    }
    jobs = {name: value for name, value in found.items() if name.startswith("huiwu_jobs{")}
    assert jobs == {
        'huiwu_jobs{state="waiting"}': 1,
        'huiwu_jobs{state="running"}': 1,
        'huiwu_jobs{state="failed"}': 1,
    }


async def test_figures_name_nobody_and_no_event(client: httpx2.AsyncClient) -> None:
    event = await make_event("secret-meeting")
    kind, door, gate = await make_ticket_type(event), await make_door(event), await make_checkpoint(event)
    guest = await make_passport(event, kind)
    await scanning.scan(door=door, entry=ScanEntry(uuid.uuid4(), guest.token, gate.id), at=NOW)
    said = (await client.get("/metrics")).text
    for secret in ("secret-meeting", guest.token, guest.short_code, guest.badge_name, "example.org"):
        assert secret not in said


async def test_this_process_is_described(client: httpx2.AsyncClient, database: Settings) -> None:
    found = await samples(client)
    [info] = [name for name in found if name.startswith("huiwu_info")]
    assert f'database="{db.dialect()}"' in info and f'schema="{monitoring._Wiring.own_schema}"' in info
    assert found["process_start_time_seconds"] > 1_700_000_000
    assert {"huiwu_uptime_seconds", "process_cpu_seconds_total", "huiwu_live_sockets"} <= found.keys()
    assert found["process_resident_memory_bytes"] > 10_000_000
    assert found["process_open_fds"] > 3


async def test_every_figure_stands_in_the_operators_page(database: Settings) -> None:
    """And nothing stands there that is not a figure; alerts name only what exists."""
    with services.redis() as url:
        async with browser(dataclasses.replace(database, redis_url=url)) as client:
            said = (await client.get("/metrics")).text
    main.create_app(database, workers=False)
    real = set(re.findall(r"^# TYPE (huiwu_[a-z_]+) ", said, re.MULTILINE))
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    named = {re.sub("_bucket$", "", name) for name in re.findall(r"\bhuiwu_[a-z_]+", page)}
    assert named == real


# --- who may see them


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_reads_them(database: Settings, host: str) -> None:
    async with browser(database, host) as client:
        assert (await client.get("/metrics")).status_code == 200


@pytest.mark.parametrize(
    "host", ["203.0.113.9", "10.0.0.5", "2001:db8::1", "::ffff:10.0.0.5", "testclient", ""]
)
async def test_for_anybody_else_there_is_no_such_page(database: Settings, host: str) -> None:
    async with browser(database, host) as client:
        answer = await client.get("/metrics")
        assert answer.status_code == 404
        assert "huiwu_" not in answer.text
        nothing = await client.get("/nothing-here")
        reference = re.compile(r"\b[0-9a-f]{8}\b")
        assert reference.sub("", answer.text).replace("/metrics", "") == reference.sub(
            "", nothing.text
        ).replace("/nothing-here", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.9"},
        {"x-forwarded-for": "127.0.0.1, 203.0.113.9"},
        {"x-forwarded-for": ""},
        {"forwarded": "for=203.0.113.9"},
    ],
)
async def test_a_proxy_here_does_not_make_the_world_local(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await client.get("/metrics", headers=headers)).status_code == 404


async def test_the_networks_are_a_setting(database: Settings) -> None:
    settings = dataclasses.replace(database, metrics_networks=("10.0.0.0/8", "2001:db8::/48"))
    for host, status in (("10.0.0.5", 200), ("2001:db8::7", 200), ("127.0.0.1", 404)):
        async with browser(settings, host) as client:
            assert (await client.get("/metrics")).status_code == status
    async with browser(settings, "10.0.0.5") as client:
        through = {"x-forwarded-for": "10.1.1.1"}
        assert (await client.get("/metrics", headers=through)).status_code == 200
    main.create_app(database, workers=False)
    with pytest.raises(WrongSetting, match="HUIWU_METRICS_NETWORKS"):
        Settings.from_env({"HUIWU_METRICS_NETWORKS": "10.0.0.5/8"}, secret_key="k" * 40)
