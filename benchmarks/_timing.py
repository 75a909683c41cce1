"""Timing of contestants that take turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Contestant:
    """Something to time: `calls` calls of `run`, after an untimed `prepare`.

    Attributes
    ----------
    at_most : int or None
        Repeats, for contestants so slow that they sit out the last turns.
    """

    run: Callable[[], object]
    prepare: Callable[[], object] = gc.collect  # so that nobody pays for another's garbage
    calls: int = 1
    at_most: int | None = None

    def seconds(self) -> float:
        """Return the duration of one call."""
        self.prepare()
        started = time.perf_counter()
        for _ in range(self.calls):
            self.run()
        return (time.perf_counter() - started) / self.calls


def take_turns(contestants: Mapping[str, Contestant], repeats: int) -> dict[str, list[float]]:
    """Time all contestants once, and again, so that a machine that drifts hits all alike."""
    limits = {name: contestant.at_most for name, contestant in contestants.items()}
    runs = {name: contestant.seconds for name, contestant in contestants.items()}
    return in_turns(runs, repeats, limits)


def in_turns(
    runs: Mapping[str, Callable[[], T]],
    repeats: int,
    at_most: Mapping[str, int | None] | None = None,
) -> dict[str, list[T]]:
    """Run everything once, and again; returns what each run of each gave."""
    results: dict[str, list[T]] = {name: [] for name in runs}
    for turn in range(repeats):
        for name, run in runs.items():
            limit = (at_most or {}).get(name)
            if limit is None or turn < limit:
                results[name].append(run())
    return results


def many_calls(run: Callable[[], object], total: float = 0.1) -> Contestant:
    """Return a contestant whose calls take about `total` seconds together."""
    run()  # the first call may trace or allocate
    once = Contestant(run, prepare=leave_as_is).seconds()
    return Contestant(run, prepare=leave_as_is, calls=int(np.clip(total / once, 1, 1000)))


def leave_as_is() -> None:
    """Prepare nothing: collecting garbage takes longer than most predictions."""


def paired_ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios within each turn."""
    return median(own / other for own, other in zip(times, others, strict=True))
