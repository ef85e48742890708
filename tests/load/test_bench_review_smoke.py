"""``bench review`` runs, and its statements do not grow with the rows; what it measures here is worth nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.process import ROOT
from bench.review import table


def test_ratios_stand_on_the_last_line() -> None:
    one = {
        "title": "page",
        "p50_ms": 30.0,
        "worst_ms": 40.0,
        "cpu_ms": 20.0,
        "statements": 25,
        "bytes": 2_048,
    }
    floor = one | {"title": "floor", "p50_ms": 10.0, "bytes": 0}
    said = table({"lines": [one, floor], "alike_s": 1.25, "pairs": 3})
    assert "| page | 30 | 40 | 20 | 25 | 2 | 3.0 |" in said
    assert "| floor | 10 | 40 | 20 | 25 |  | 1.0 |" in said
    assert "1.2 s, 3 pairs" in said


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_small_board_takes_as_many_statements_as_one_proposal() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.review", "--proposals", "40", "--rounds", "1", "--sqlite-only"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = {
        cells[1].strip(): cells
        for cells in (line.split("|") for line in ran.stdout.splitlines())
        if len(cells) > 5
    }
    assert rows["by score"][5] == rows["*floor:* the page of one proposal"][5]
    assert "120 reviews" in ran.stdout
    assert "2 pairs alike" in ran.stdout
