"""Mean and scale of numbers far apart or close together, and whether float32 holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Share of a standard deviation that rounding to float32 may cost a prediction.
_TOLERANCE = 1e-3
# Standard deviations from the mean within which predictions are expected.
_REACH = 1e3


def mean_and_scale(columns: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return mean and standard deviation of each column, 1 where all its rows are equal.

    Squares are of what is left after the mean, in units of the largest of it: neither is a small
    spread around a large mean lost, nor does a tiny or a huge one underflow or overflow.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, n_columns), float64
    weights : ndarray of shape (n_samples,) or None

    Returns
    -------
    mean, scale : ndarray of shape (n_columns,), float64
        Not finite where float64 cannot hold them.
    """
    first = columns[0]
    is_constant = (columns == first).all(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.average(columns, axis=0, weights=weights)
        rest = columns - mean
        unit = np.where(is_constant, 1, np.abs(rest).max(axis=0))
        rest /= unit
        error = np.average(rest, axis=0, weights=weights)  # since the mean was rounded
        rest -= error
        rest *= rest
        scale = unit * np.sqrt(np.average(rest, axis=0, weights=weights))
        mean = np.where(is_constant, first, mean + error * unit)
    return mean, np.where(is_constant | (scale == 0), 1, scale)


def exceeds_float32(mean: Array, scale: Array) -> bool:
    """Return whether float32 rounds some of the numbers too far, or has no room for them."""
    single = np.finfo(np.float32)
    largest = np.abs(mean) + _REACH * scale
    smallest = _TOLERANCE * scale
    is_coarse = np.abs(mean) * single.eps > smallest
    return bool((is_coarse | (largest > single.max) | (smallest < single.tiny)).any())
