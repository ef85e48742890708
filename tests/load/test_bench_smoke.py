"""The benchmark runs, and its books balance; what it measures here is worth nothing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from bench import store
from bench.process import ROOT
from kernel import db


@pytest.mark.parametrize("hour", range(24))
def test_no_measurement_runs_into_another_programme_day(hour: int) -> None:
    at = datetime(2026, 11, 21, hour, 59, tzinfo=UTC)
    local = at.astimezone(ZoneInfo(store.morning_zone(at)))
    assert local.hour == 10 and local.date() >= at.date()


def test_a_ledger_filled_on_two_days_holds_each_admission_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second filling began after the programme day had ended, and met the first one's admissions."""
    monkeypatch.setattr(db, "dialect", lambda: "sqlite")
    passports, gates, rows, first = 7, 2, 40, date(2026, 11, 17)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("""
            CREATE TABLE passport (id INTEGER PRIMARY KEY, ticket_type_id);
            CREATE TABLE checkpoint (id INTEGER PRIMARY KEY, event_id, list_id, kind);
            CREATE TABLE scan (id INTEGER PRIMARY KEY, scan_id UNIQUE, event_id, checkpoint_id, list_id, passport_id,
                ticket_type_id, direction, verdict, period, turn, met_turn, at, received_at, is_doubtful,
                programme_date, actor_key, body_digest, UNIQUE (passport_id, list_id, period, turn, direction));
        """)
        connection.executemany("INSERT INTO passport VALUES (?, 1)", [(n + 1,) for n in range(passports)])
        connection.executemany(
            "INSERT INTO checkpoint VALUES (?, 1, ?, 'gate')", [(n + 1, n + 1) for n in range(gates)]
        )
        for start, today in ((0, date(2026, 11, 21)), (rows // 2, date(2026, 11, 22))):
            statement = store._fill_statement(range(start, start + rows // 2), passports, gates, first, today)
            connection.execute(statement)
        days = connection.execute("SELECT DISTINCT programme_date FROM scan WHERE turn = 0").fetchall()
        assert connection.execute("SELECT count(*) FROM scan").fetchone() == (rows,)
        assert max(days) < ("2026-11-21",)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_quick_bench_ends_with_balanced_books() -> None:
    database = "postgres" if os.environ.get("DATABASE_URL") else "sqlite"
    ran = subprocess.run(
        [sys.executable, "-m", "bench.door", "--quick", "--database", database],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "| first scans |" in ran.stdout
    assert "Does not add up" not in ran.stdout
    assert "every total equals its ledger" in ran.stdout
