"""Timing of contestants that take turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Contestant:
    """Something to time: `calls` calls of `run`, after an untimed `prepare`."""

    run: Callable[[], object]
    prepare: Callable[[], object] = gc.collect  # so that nobody pays for another's garbage
    calls: int = 1

    def seconds(self) -> float:
        """Return the duration of one call."""
        self.prepare()
        started = time.perf_counter()
        for _ in range(self.calls):
            self.run()
        return (time.perf_counter() - started) / self.calls


def take_turns(contestants: Mapping[str, Contestant], repeats: int) -> dict[str, list[float]]:
    """Time all contestants once, and again, so that a machine that drifts hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, contestant in contestants.items():
            seconds[name].append(contestant.seconds())
    return seconds


def many_calls(run: Callable[[], object], total: float = 0.1) -> Contestant:
    """Return a contestant whose calls take about `total` seconds together."""
    run()  # the first call may trace or allocate
    once = Contestant(run, prepare=leave_as_is).seconds()
    return Contestant(run, prepare=leave_as_is, calls=int(np.clip(total / once, 1, 1000)))


def leave_as_is() -> None:
    """Prepare nothing: collecting garbage takes longer than most predictions."""
