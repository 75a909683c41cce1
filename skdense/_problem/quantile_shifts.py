"""Quantiles shifted to lie above as many of the rows held out as they say.

Like conformalized quantile regression (Romano et al. 2019, arXiv 1905.03222), but each quantile by
itself, and without what makes it a guarantee for few rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._networks.stages import SortedQuantiles
from .fitted import Fitted
from .targets.numbers import RegressionTarget

Array = NDArray[Any]


def find_shifts(y: Array, quantiles: Array, weights: Array, levels: Array) -> Array:
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


def lose_shifted(y: Array, quantiles: Array, weights: Array, levels: Array) -> float:
    """Return the mean pinball loss of quantiles, see `find_shifts`, once they are shifted."""
    with np.errstate(over="ignore", invalid="ignore"):
        shifts = find_shifts(y, quantiles, weights, levels)
        by_member = quantiles.reshape(len(quantiles), *y.shape, len(levels))
        shifted = np.sort(by_member + shifts, axis=3).mean(axis=0)
        errors = y[:, :, np.newaxis] - shifted
        losses = np.maximum(levels * errors, (levels - 1) * errors)
    return float(np.average(losses.mean(axis=(1, 2)), weights=weights))


def shift_quantiles(fitted: Fitted, shifts: Array) -> Fitted:
    """Return a fit whose quantiles are shifted, in the target's own units, by its network."""
    output, target = fitted.network.output, fitted.target
    assert isinstance(output, SortedQuantiles)
    assert isinstance(target, RegressionTarget)
    _, scale = target.units_of_outputs
    output = replace(output, shifts=tuple((shifts / scale).tolist()))
    return replace(fitted, network=replace(fitted.network, output=output))
