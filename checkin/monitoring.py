"""Figures of the door for ``/metrics``: scans by verdict, and how the committer keeps up. No event, no person."""

from __future__ import annotations

from collections.abc import Sequence

from checkin.rules import OUTCOMES, VerdictCode
from checkin.scanning import committer
from kernel.metrics import Family, counter, gauge


async def families() -> Sequence[Family]:
    """What this process has decided since it started; other processes have their own."""
    return [
        counter(
            "huiwu_scans_total",
            "Scans decided and stored, by verdict and by what it counts as.",
            [
                ({"outcome": OUTCOMES[code].value, "verdict": code.value}, committer.verdicts[code])
                for code in VerdictCode
            ],
        ),
        counter("huiwu_scan_replays_total", "Scans that had been decided before.", committer.replays),
        counter(
            "huiwu_scan_conflicts_total",
            "Scans of which a phone without network had told something else.",
            committer.conflicts,
        ),
        counter(
            "huiwu_scans_failed_total",
            "Scans answered with an error, nothing of them kept or their outcome unknown.",
            committer.failed,
        ),
        gauge("huiwu_committer_queue", "Scans that wait for the committer.", committer.waiting),
        committer.sizes.family(),
        committer.took.family(),
    ]
