"""Quantiles of columns, by the weights of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

# Rows that are looked at: quantiles of so many are as good as those of all.
_MOST_ROWS = 200_000
_ROUNDING = 1e-12


def thin_out(x: Array, sample_weight: Array | None) -> tuple[Array, Array | None]:
    """Return evenly spaced ones of so many rows that quantiles would take long, and weights."""
    step = max(1, len(x) // _MOST_ROWS)
    return x[::step], None if sample_weight is None else sample_weight[::step]


def find_quantiles(
    rows: Array, sample_weight: Array | None, shares: Sequence[float] | NDArray[Any]
) -> NDArray[np.float64]:
    """Return quantiles of each column, where a weight of 2 is as good as the row twice.

    The value at which the sum of weights, in order, passes a share of all; halfway to the next one
    where it is met exactly (``method="averaged_inverted_cdf"`` of ``numpy.quantile``).

    Returns
    -------
    ndarray of shape (n_shares, n_columns)
    """
    weights = np.ones(len(rows)) if sample_weight is None else sample_weight
    total, found = weights.sum(), np.empty((len(shares), rows.shape[1]))
    for number, column in enumerate(rows.T):
        values = np.asarray(column, np.float64)
        order = np.argsort(values, kind="stable")
        sums = np.cumsum(weights[order]) / total
        # Sums are rounded, so that what is met exactly may be a little off.
        first = np.searchsorted(sums, np.subtract(shares, _ROUNDING), side="left")
        after = np.searchsorted(sums, np.add(shares, _ROUNDING), side="right")
        ends = (values[order[np.minimum(place, len(order) - 1)]] for place in (first, after))
        found[:, number] = sum(ends) / 2
    return found
