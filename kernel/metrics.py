"""Figures for a monitor, in Prometheus' text format (version 0.0.4), without a library for it.

A family is a name, what it means, and its samples. Counters only grow while the process lives; several processes are
asked one by one, and the monitor adds them up. Labels come from enums and constants of the house: no person, event
or address is ever one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: What the text is served as.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
#: One value, or one for each set of labels.
Values = float | Iterable[tuple[Labels, float]]


@dataclass(frozen=True, slots=True)
class Family:
    """``samples``: what is added to the name, the labels, the value."""

    name: str
    kind: str
    meaning: str
    samples: tuple[tuple[str, Labels, float], ...]


def counter(name: str, meaning: str, values: Values) -> Family:
    """Grows while the process lives; its name ends in ``_total``."""
    return _family(name, "counter", meaning, values)


def gauge(name: str, meaning: str, values: Values) -> Family:
    """Goes up and down."""
    return _family(name, "gauge", meaning, values)


def _family(name: str, kind: str, meaning: str, values: Values) -> Family:
    if isinstance(values, (int, float)):
        return Family(name, kind, meaning, (("", {}, values),))
    return Family(name, kind, meaning, tuple(("", labels, value) for labels, value in values))


class Histogram:
    """Counts how many observations were at most as large as each bound; ``bounds`` grow."""

    __slots__ = ("bounds", "counts", "meaning", "name", "total")

    def __init__(self, name: str, meaning: str, bounds: Sequence[float]) -> None:
        self.name, self.meaning, self.bounds = name, meaning, tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def family(self) -> Family:
        """Cumulative, as Prometheus wants it, with the sum and the count."""
        samples: list[tuple[str, Labels, float]] = []
        so_far = 0
        for bound, count in zip((*map(_number, self.bounds), "+Inf"), self.counts, strict=True):
            so_far += count
            samples.append(("_bucket", {"le": bound}, so_far))
        samples += [("_sum", {}, self.total), ("_count", {}, so_far)]
        return Family(self.name, "histogram", self.meaning, tuple(samples))


def text(families: Iterable[Family]) -> str:
    """All families as a monitor reads them; a family without samples says only what it would mean."""
    lines = []
    for family in families:
        lines.append(f"# HELP {family.name} {_escaped(family.meaning)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for suffix, labels, value in family.samples:
            inner = ",".join(f'{key}="{_escaped(said, quoted=True)}"' for key, said in labels.items())
            lines.append(f"{family.name}{suffix}{'{' + inner + '}' if inner else ''} {_number(value)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _escaped(said: str, *, quoted: bool = False) -> str:
    said = said.replace("\\", "\\\\").replace("\n", "\\n")
    return said.replace('"', '\\"') if quoted else said
