"""The server killed ten times under a load of scans: what was acknowledged is there, and nobody came in twice."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import secrets
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from bench import process, store
from bench.door import scan
from bench.process import ROOT, Server
from tests import services

KILLS = 10
CONNECTIONS = 16
#: Enough for any machine: the load must not run dry before the last kill.
SCANS = 150_000
PASSPORTS = 3_000


@contextlib.contextmanager
def _database() -> Iterator[str]:
    """An empty PostgreSQL database where DATABASE_URL names a server, else SQLite's empty address."""
    server = os.environ.get("DATABASE_URL", "")
    if not server:
        yield ""
        return
    with services.postgres_database(server, "kill") as url:
        yield url


def _bodies(facts: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    """First scans, repeats, exits, re-entries and codes of nobody, as they come."""
    made = []
    for _ in range(SCANS):
        door, code = rng.choice(facts["doors"]), rng.choice(facts["codes"])
        if rng.random() < 0.05:
            code = f"wxp://{rng.getrandbits(96):024x}"
        leaves = door in facts["rooms_with_exits"] and rng.random() < 0.4
        made.append(scan(code, door, "exit" if leaves else "entry"))
    return made


def _post(server: Server, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    try:
        connection.request("POST", f"/e/{store.SLUG}/api/scans", orjson.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.long
@pytest.mark.timeout(175)
def test_nothing_acknowledged_is_lost_and_nobody_is_admitted_twice(
    tmp_path: Path, record_property: Any
) -> None:
    seed = int(os.environ.get("HUIWU_KILL_SEED") or secrets.randbits(32))
    print(f"HUIWU_KILL_SEED={seed} repeats this run's moments")  # noqa: T201 -- shown where it fails
    record_property("seed", seed)
    rng = random.Random(seed)
    with _database() as url:
        env = process.environment(tmp_path, url)
        facts_file, plan, result, acks = (
            tmp_path / name for name in ("facts.json", "plan.json", "result.json", "acks.json")
        )
        process.call("bench.store", "create", str(facts_file), str(PASSPORTS), str(CONNECTIONS), env=env)
        facts = json.loads(facts_file.read_text(encoding="utf-8"))
        bodies = _bodies(facts, rng)
        server = Server(tmp_path, url)
        plan.write_bytes(
            orjson.dumps(
                {
                    "port": server.port,
                    "path": f"/e/{store.SLUG}/api/scans",
                    "tokens": facts["scanner_tokens"],
                    "bodies": [orjson.dumps(body).decode() for body in bodies],
                    "limit_s": 120,
                    "retry": True,
                }
            )
        )
        server.start()
        client = subprocess.Popen([sys.executable, "-m", "bench.load", str(plan), str(result)], cwd=ROOT)
        try:
            time.sleep(2)  # the client reads its plan and connects
            for _ in range(KILLS):
                time.sleep(rng.uniform(0.1, 1.2))
                server.kill()
                server.start()
            time.sleep(0.5)
            client.terminate()
            assert client.wait(60) == 0
            found = orjson.loads(result.read_bytes())
            assert not found["problem"], found["problem"]
            # On a crowded machine not every connection is open again when the next kill comes.
            assert found["broken"] >= KILLS * CONNECTIONS // 2, "the kills met an idle server"
            assert found["sent"] < SCANS, "the load ran dry before the last kill"
            assert all(status == 200 for _, status, _, _ in found["answers"])
            # Each of the unanswered was sent again until it had its answer.
            assert len(found["answers"]) == found["sent"]
            answers = {answer["scan_id"]: answer for _, _, answer, _ in found["answers"]}
            sent_by = {bodies[number]["scan_id"]: connection for number, _, _, connection in found["answers"]}
            # Sent once more, both kinds are answered as before: those that a kill had left open, and others.
            cut = [bodies[number] for number in found["again"]]
            assert cut, "no kill met a scan under way"
            others = [bodies[number] for number, _, _, _ in rng.sample(found["answers"], 100)]
            for body in [*cut, *others]:
                status, again = _post(server, facts["scanner_tokens"][sent_by[body["scan_id"]]], body)
                assert status == 200
                assert again["replayed"] is True
                assert again["verdict"] == answers[body["scan_id"]]["verdict"]
                assert again["at"] == answers[body["scan_id"]]["at"]
        finally:
            client.kill()
            client.wait()
            server.stop()
        acks.write_bytes(orjson.dumps({scan_id: answer["verdict"] for scan_id, answer in answers.items()}))
        checked = process.call("bench.store", "check", str(acks), env=env)
        if not url:
            with contextlib.closing(sqlite3.connect(tmp_path / "huiwu.sqlite3")) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert checked["missing"] == []
        assert checked["changed"] == []
        # One row for each id that was sent, however often: no second one, and none that nobody was told of.
        assert checked["rows"] == len(answers) == found["sent"]
        assert checked["admitted_twice"] == 0
        assert checked["totals_wrong"] == []
        verdicts = Counter(answer["verdict"] for answer in answers.values())
        assert checked["admissions"] == verdicts["admitted"]
        assert set(verdicts) >= {"admitted", "welcome_back", "already_here", "exit_recorded", "unknown"}
        kept = sum(answers[body["scan_id"]]["replayed"] for body in cut)
        record_property("acknowledged", len(answers))
        record_property("cut off", len(cut))
        # Durable already when the server died before it could say so.
        record_property("of these already kept", kept)
