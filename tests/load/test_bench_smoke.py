"""The benchmark runs, and its books balance; what it measures here is worth nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.process import ROOT


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
