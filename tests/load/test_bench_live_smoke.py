"""``bench live`` runs and every change reaches every viewer; what it measures here is worth nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.live import Measured, _delays, table
from bench.process import ROOT


def test_a_newer_frame_tells_of_an_older_change_and_a_missing_one_is_counted() -> None:
    seen = [[[5, 10.0], [7, 11.0]], [[5, 10.1], [6, 10.6]]]
    delays, behind, missed = _delays(seen, [(6, 10.5), (7, 10.9)])
    assert [round(one, 3) for one in delays] == [0.1, 0.1, 0.5]
    assert [round(one, 3) for one in behind] == [0.0, 0.0, 0.4]
    assert missed == 1


def test_a_floor_too_cheap_to_be_measured_is_no_mistake() -> None:
    one = Measured("floor", 20, 5, 100, 0, p50_ms=1, p99_ms=2, spread_ms=1, cpu_us=0, kib_per_viewer=10)
    assert "| 2 | 1 | 0.0 |  | 10 | 100 | 0 |" in table([one, one, one], 2_000)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_few_viewers_get_every_change_beside_a_frozen_one() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.live", "--viewers", "20", "--seconds", "4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = [line for line in ran.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 4 and all(row.endswith("| 0 |") for row in rows[1:])
    assert "20 viewers" in rows[0] and "websockets.broadcast" in rows[3]
