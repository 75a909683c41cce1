"""Classes by one temperature, which logits are divided by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ..._networks.network import Weights
from ..fitted import Fitted
from ..problem import Problem
from ..targets.classes import ClassTarget
from .held_out import HeldOut

Array = NDArray[Any]

# The logarithm of the lowest temperature that is tried, the highest one for logits that are not
# above it, and how close to come to the logarithm of the best one.
_COLDEST, _HOTTEST = -4.0, 50.0
_PRECISION, _ROUGH_PRECISION = 1e-5, 1e-2


@dataclass(frozen=True, eq=False)
class Temperature:
    """What to divide logits by for the least log-loss on the rows held out.

    As in Guo et al., On calibration of modern neural networks (arXiv 1706.04599). Of folds each
    network answers for its own rows; of rows that all hold out, their mean does. One row more, as
    likely of any class, is counted in, lest few rows that are all told apart make all too sure.
    """

    problem: Problem

    def __post_init__(self) -> None:
        require_logits(self.problem)

    def lose(self, logits: Array) -> float:
        if not np.isfinite(logits).all():
            return nan
        return self._minimize(logits, self._held, _ROUGH_PRECISION)[1]

    def find(self, outputs: Array, rows: Any = slice(None)) -> Callable[[Fitted], Fitted]:
        temperature, _ = self._minimize(outputs, self._held.at(rows), _PRECISION)
        return partial(_cool, temperature=temperature)

    @cached_property
    def _held(self) -> HeldOut:
        return HeldOut.of(self.problem)

    def _minimize(self, logits: Array, held: HeldOut, precision: float) -> tuple[float, float]:
        """Return the best temperature for (members, rows, outputs), and the mean loss by it."""
        weights = held.weights

        def loss(logarithm: float) -> float:
            losses, of_any_class = self._lose_rows(logits / np.exp(logarithm), held.y)
            total = weights @ losses + weights @ of_any_class / len(losses)
            return float(total / (weights.sum() * (1 + 1 / len(losses))))

        hottest = np.log(max(_HOTTEST, np.abs(logits).max()))
        options = {"xatol": precision}
        found = minimize_scalar(loss, bounds=(_COLDEST, hottest), method="bounded", options=options)
        return float(np.exp(found.x)), float(found.fun)

    def _lose_rows(self, logits: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss of each row, and the one if all classes were as likely."""
        target: Any = self.problem.target
        mean = logits[0] if len(logits) == 1 else target.average(logits)
        if isinstance(target, ClassTarget):
            of_classes = target.log_probabilities(mean)
            return -of_classes[np.arange(len(mean)), y], -of_classes.mean(axis=1)
        yes, no = target.log_probabilities(mean), target.log_probabilities(-mean)
        return -np.where(y > 0, yes, no).mean(axis=1), -(yes + no).mean(axis=1) / 2


def require_logits(problem: Problem) -> None:
    """Raise ValueError where outputs are no logits."""
    if not problem.target.decides_on_logits:
        raise ValueError(
            "A calibration divides logits, of an output_activation 'softmax' or "
            f"'sigmoid', or of a loss from_logits. Got {problem.head.activation!r}. Leave it at "
            "'auto', or set calibration=None and scoring='loss'."
        )


def _cool(fitted: Fitted, temperature: float) -> Fitted:
    """Return a fit whose logits are divided by a temperature, in its last dense layer."""
    members = tuple(_divide(own, temperature) for own in fitted.members)
    return replace(fitted, members=members, temperature=temperature)


def _divide(weights: Weights, temperature: float) -> Weights:
    last = weights[-1]
    divisor = last["kernel"].dtype.type(temperature)
    return (*weights[:-1], {name: np.divide(array, divisor) for name, array in last.items()})
