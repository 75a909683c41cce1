"""Whether float32 holds the columns that a network scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

Array = NDArray[Any]

# Fraction of an interquartile range that rounding to float32 may shift a value by.
_TOLERANCE = 1e-3
_MOST_ROWS = 1_000
# From these on, differences of columns may overflow, and reciprocals of their ranges.
_LARGEST, _SMALLEST = 1e37, 1e-30


def needs_float64(X: Array, n_scaled: int) -> bool:
    """Say whether float32 rounds some of the first columns too far, or does not hold them.

    Such as times in seconds that span a day: 1.7e9 is a multiple of 128 in float32. Offsets and
    ranges are those of a sample of the rows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        In float64; columns of float32 lose nothing more.
    n_scaled : int
        How many columns the network scales.
    """
    if issparse(X) or X.dtype != np.float64 or not n_scaled:
        return False
    rows = np.random.default_rng(0).integers(len(X), size=min(len(X), _MOST_ROWS))
    sample = np.sort(np.asarray(X[np.sort(rows), :n_scaled]), axis=0)
    last = len(sample) - 1
    low, center, high = (sample[round(fraction * last)] for fraction in (0.25, 0.5, 0.75))
    with np.errstate(over="ignore"):
        spread = np.where(high > low, high - low, (sample[-1] - sample[0]) / 2)
    varies = spread > 0
    is_coarse = np.abs(center) * np.finfo(np.float32).eps > _TOLERANCE * spread
    is_huge = max(X[:, :n_scaled].max(), -X[:, :n_scaled].min()) > _LARGEST
    return bool(is_huge or (varies & (is_coarse | (spread < _SMALLEST))).any())
