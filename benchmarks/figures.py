"""What was measured: values with their targets, and distributions of times."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `at_most` or `at_least` is its target in the same unit, neither for information."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return self.value >= self.at_least if self.at_least is not None else None


@dataclass(frozen=True, slots=True)
class Times:
    """Durations of one kind, in milliseconds."""

    samples: tuple[float, ...]

    @classmethod
    def from_ns(cls, samples: Iterable[int]) -> "Times":
        return cls(tuple(sample / 1e6 for sample in samples))

    @property
    def p50(self) -> float:
        return median(self.samples)

    @property
    def p99(self) -> float:
        """The smallest sample that 99 of 100 do not exceed."""
        return _nearest_rank(self.samples, 0.99)

    def figures(self, name: str, *, note: str = "") -> list[Figure]:
        """The median and the 99th percentile, for information."""
        sampled = f"n = {len(self.samples)}" + (f"; {note}" if note else "")
        return [
            Figure(f"{name}, p50", self.p50, "ms", note=sampled),
            Figure(f"{name}, p99", self.p99, "ms"),
        ]


def _nearest_rank(samples: Sequence[float], share: float) -> float:
    return sorted(samples)[math.ceil(share * len(samples)) - 1]
