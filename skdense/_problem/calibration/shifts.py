"""Quantiles shifted to lie above as many of the rows held out as they say.

Like conformalized quantile regression (Romano et al. 2019, arXiv 1905.03222), but each quantile by
itself, and without what makes it a guarantee for few rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._networks.stages import SortedQuantiles
from ..fitted import Fitted
from ..problem import Problem
from ..targets.numbers import RegressionTarget
from .held_out import HeldOut

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Shifts:
    """What to add to each quantile for it to cover as much of the rows held out as it says."""

    problem: Problem

    def __post_init__(self) -> None:
        output = self.problem.network.output
        assert isinstance(output, SortedQuantiles)
        if output.function != "linear":
            raise ValueError(
                "scoring='calibrated_loss' shifts quantiles, which a linear output allows. Got "
                f"output_activation={self.problem.head.activation!r}. Set scoring='loss'."
            )

    def lose(self, outputs: Array) -> float:
        quantiles = self.problem.network.output.forward(outputs, {})
        return _lose_shifted(self._held.y, quantiles, self._held.weights, self._levels)

    def find(self, outputs: Array, rows: Any = slice(None)) -> Callable[[Fitted], Fitted]:
        quantiles = self.problem.network.output.forward(outputs, {})
        held = self._held.at(rows)
        shifts = _find_shifts(held.y, quantiles, held.weights, self._levels)
        _, scale = self._target.units_of_outputs
        return partial(_shift_quantiles, shifts=shifts.ravel() * scale)

    @property
    def _target(self) -> RegressionTarget:
        assert isinstance(self.problem.target, RegressionTarget)
        return self.problem.target

    @property
    def _levels(self) -> Array:
        return np.array(self._target.quantiles)

    @cached_property
    def _held(self) -> HeldOut:
        return HeldOut.of(self.problem)


def _find_shifts(y: Array, quantiles: Array, weights: Array, levels: Array) -> Array:
    """Return what to add to each quantile, (n_targets, n_quantiles).

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_targets)
    quantiles : ndarray of shape (n_members, n_samples, n_units)
    weights : ndarray of shape (n_samples,)
    levels : ndarray of shape (n_quantiles,)
    """
    by_target = quantiles.mean(axis=0).reshape(*y.shape, len(levels))
    errors = y[:, :, np.newaxis] - by_target
    order = np.argsort(errors, axis=0)
    below = np.cumsum(weights[order], axis=0)
    places = np.sum(below < levels * below[-1], axis=0, keepdims=True)
    in_order = np.take_along_axis(errors, order, axis=0)
    return np.take_along_axis(in_order, np.minimum(places, len(y) - 1), axis=0)[0]


def _lose_shifted(y: Array, quantiles: Array, weights: Array, levels: Array) -> float:
    """Return the mean pinball loss of quantiles, see `_find_shifts`, once they are shifted."""
    with np.errstate(over="ignore", invalid="ignore"):
        shifts = _find_shifts(y, quantiles, weights, levels)
        by_member = quantiles.reshape(len(quantiles), *y.shape, len(levels))
        shifted = np.sort(by_member + shifts, axis=3).mean(axis=0)
        errors = y[:, :, np.newaxis] - shifted
        losses = np.maximum(levels * errors, (levels - 1) * errors)
    return float(np.average(losses.mean(axis=(1, 2)), weights=weights))


def _shift_quantiles(fitted: Fitted, shifts: Array) -> Fitted:
    """Return a fit whose quantiles are shifted, in the target's own units, by its network."""
    output, target = fitted.network.output, fitted.target
    assert isinstance(output, SortedQuantiles)
    assert isinstance(target, RegressionTarget)
    _, scale = target.units_of_outputs
    output = replace(output, shifts=tuple((shifts / scale).tolist()))
    return replace(fitted, network=replace(fitted.network, output=output))
