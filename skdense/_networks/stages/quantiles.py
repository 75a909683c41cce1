"""Quantiles of columns, by the weights of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

# Rows that are sampled: quantiles of so many are as good as those of all. Of wide tables fewer, as
# each column takes 20 ms for 200,000 rows, once for each member.
_MOST_ROWS, _FEWEST_ROWS = 200_000, 20_000
_MOST_NUMBERS = 2**22
_SEED = 0
_ROUNDING = 1e-12


def thin_out(x: Array, sample_weight: Array | None) -> tuple[Array, Array | None]:
    """Return a random sample of so many rows that quantiles would take long, and its weights.

    At random, since rows may be periodic, as where several sensors are interleaved. The same rows
    for every column, member and fit: the sample depends on the shape alone.
    """
    n_rows = min(max(_MOST_NUMBERS // x.shape[1], _FEWEST_ROWS), _MOST_ROWS)
    if len(x) <= n_rows:
        return x, sample_weight
    generator = np.random.default_rng(_SEED)
    rows = np.sort(generator.choice(len(x), n_rows, replace=False))  # in the order of memory
    return x[rows], None if sample_weight is None else sample_weight[rows]


def reciprocal_of_range(high: Array, low: Array) -> Array:
    """Return ``1 / (high - low)``, also where their dtype does not hold the difference.

    0 where the ends are equal, or so close that the reciprocal overflows.
    """
    with np.errstate(over="ignore", divide="ignore"):
        difference = high - low
        is_huge = np.isinf(difference)
        found = np.where(is_huge, 1 / (high / 2 - low / 2) / 2, 1 / difference)
    return np.where(np.isfinite(found), found, 0)


def _midpoint(one: Array, other: Array) -> Array:
    with np.errstate(over="ignore"):
        total = one + other
    return np.where(np.isinf(total), one / 2 + other / 2, total / 2)


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
    found = np.empty((len(shares), rows.shape[1]))
    for number, column in enumerate(rows.T):
        values, sums = _sort(np.asarray(column, np.float64), sample_weight)
        # Sums are rounded, so that what is met exactly may be a little off.
        first = np.searchsorted(sums, np.subtract(shares, _ROUNDING), side="left")
        after = np.searchsorted(sums, np.add(shares, _ROUNDING), side="right")
        ends = (values[np.minimum(place, len(values) - 1)] for place in (first, after))
        found[:, number] = _midpoint(*ends)
    return found


def _sort(values: Array, sample_weight: Array | None) -> tuple[Array, Array]:
    """Return values in order, and which share of all weights they have up to each."""
    if sample_weight is None:  # sorting alone is several times as fast
        return np.sort(values), np.arange(1, len(values) + 1) / len(values)
    order = np.argsort(values, kind="stable")
    return values[order], np.cumsum(sample_weight[order]) / sample_weight.sum()


def find_bin_ends(column: Array, sample_weight: Array | None, n_bins: int) -> NDArray[np.float64]:
    """Return the ends of bins that hold as many rows each, up to ``n_bins + 1`` of them, sorted.

    A value that has a bin's share of the rows to itself is an end, and the others are quantiles of
    the rows left: of a column that is mostly 0, such as capital gains, quantiles of all rows would
    leave hardly a bin to the rest. Of no more values than ends, each is one.
    """
    numbers: NDArray[np.float64] = np.asarray(column, np.float64)
    if sample_weight is None:  # twice as fast
        values, counts = np.unique(numbers, return_counts=True)
    else:
        values, places = np.unique(numbers, return_inverse=True)
        counts = np.bincount(places, sample_weight)
    if len(values) <= n_bins + 1:
        return values
    shares = counts.astype(np.float64)
    heavy = _find_heavy(shares, n_bins)
    left = np.linspace(0, 1, n_bins + 1 - int(heavy.sum()))
    others = find_quantiles(values[~heavy, np.newaxis], shares[~heavy], left)
    return np.unique(np.concatenate([values[heavy], others[:, 0]]))


def _find_heavy(shares: NDArray[Any], n_bins: int) -> NDArray[np.bool_]:
    """Say which values have a bin's share of what is left when the heavier ones are taken out."""
    order = np.argsort(-shares, kind="stable")[: n_bins - 1]
    taken = np.cumsum(shares[order]) - shares[order]  # by those before
    n_left = n_bins - np.arange(len(order))
    is_heavy = shares[order] * n_left >= shares.sum() - taken
    heavy = np.zeros(len(shares), bool)
    heavy[order[np.logical_and.accumulate(is_heavy)]] = True
    return heavy
