"""Numbers drawn toward the mean of all rows: to be watched only.

Single networks err further out than the mean of several, which needs it no more. Of one network
alone nothing is drawn: it would predict what was not watched, which measured worse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitted import Fitted
from ..problem import Problem
from .held_out import HeldOut

Array = NDArray[Any]

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False)
class Shrinkage:
    """The slope of each output toward its mean, at most 1, with the least squared error."""

    problem: Problem

    def lose(self, outputs: Array) -> float:
        means = self.problem.network.output.forward(outputs, {}).mean(axis=0)
        weights = self._held.weights
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            center = np.average(means, axis=0, weights=weights)
            means, y = means - center, self._held.y - center
            slopes = (weights @ (means * y)) / np.maximum(weights @ means**2, _TINY)
            least = 0 if self.problem.n_members > 1 else 1
            slopes = np.clip(slopes, least, 1)
            errors = np.average((y - slopes * means) ** 2, axis=0, weights=weights)
        return float(errors.mean())

    def find(self, outputs: Array, rows: Any = slice(None)) -> Callable[[Fitted], Fitted]:
        return lambda fitted: fitted

    @cached_property
    def _held(self) -> HeldOut:
        return HeldOut.of(self.problem)
