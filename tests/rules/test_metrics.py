"""Prometheus' text format, as its own documentation gives it: names, labels, escapes, cumulative buckets."""

from __future__ import annotations

import pytest

from kernel.metrics import Histogram, counter, gauge, text


def test_families_have_their_meaning_kind_and_samples() -> None:
    said = text(
        [
            counter("scans_total", "Scans.", [({"outcome": "entry"}, 3), ({"outcome": "exit"}, 0)]),
            gauge("queue", "Waiting.", 2.5),
            gauge("nothing", "Nobody said.", []),
        ]
    )
    assert said == (
        "# HELP scans_total Scans.\n# TYPE scans_total counter\n"
        'scans_total{outcome="entry"} 3\nscans_total{outcome="exit"} 0\n'
        "# HELP queue Waiting.\n# TYPE queue gauge\nqueue 2.5\n"
        "# HELP nothing Nobody said.\n# TYPE nothing gauge\n"
    )


def test_what_would_end_a_line_or_a_label_is_escaped() -> None:
    said = text([gauge("odd", 'a\nb\\"', [({"x": 'a"b\\c\nd'}, 1)])])
    assert said == '# HELP odd a\\nb\\\\"\n# TYPE odd gauge\nodd{x="a\\"b\\\\c\\nd"} 1\n'


@pytest.mark.parametrize(
    ("value", "buckets"),
    [(0.05, [1, 1, 1]), (0.1, [1, 1, 1]), (0.2, [0, 1, 1]), (1.0, [0, 1, 1]), (1.5, [0, 0, 1])],
)
def test_a_bucket_holds_what_is_at_most_as_large(value: float, buckets: list[int]) -> None:
    histogram = Histogram("took", "Took.", (0.1, 1))
    histogram.observe(value)
    samples = histogram.family().samples
    assert [(labels["le"], count) for suffix, labels, count in samples if suffix == "_bucket"] == list(
        zip(("0.1", "1", "+Inf"), buckets, strict=True)
    )


def test_buckets_add_up_to_the_count() -> None:
    histogram = Histogram("took", "Took.", (1, 2))
    for value in (0.5, 1.5, 1.5, 9.0):
        histogram.observe(value)
    assert text([histogram.family()]) == (
        "# HELP took Took.\n# TYPE took histogram\n"
        'took_bucket{le="1"} 1\ntook_bucket{le="2"} 3\ntook_bucket{le="+Inf"} 4\ntook_sum 12.5\ntook_count 4\n'
    )
