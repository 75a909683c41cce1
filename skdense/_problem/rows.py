"""Validated data and which of its rows are used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.sparse import vstack as sparse_vstack

Array = NDArray[Any]

# Lest float32 round a tiny weight to 0, which marks padding.
_SMALLEST_WEIGHT = 1e-30


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a data set.

    Attributes
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_columns)
        Numbers: of classes, labels, or a regressor's.
    sample_weight : ndarray of shape (n_samples,) or None
    index : ndarray of shape (n_used,)
        The rows in use, sorted.
    """

    X: Any
    y: Array
    sample_weight: Array | None
    index: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.index)

    def at(self, positions: NDArray[np.intp]) -> Rows:
        """Return some of the rows in use."""
        return replace(self, index=self.index[np.sort(positions)])

    def followed_by(self, others: Rows) -> Rows:
        """Return the rows in use of both."""
        weights = None
        if self.sample_weight is not None or others.sample_weight is not None:
            weights = np.concatenate([_weights_or_ones(self), _weights_or_ones(others)])
        pair = [self.inputs, others.inputs]
        are_sparse = any(map(issparse, pair))
        X = sparse_vstack(pair, format="csr") if are_sparse else np.concatenate(pair)
        y = np.concatenate([self.targets, others.targets.reshape(-1, *self.y.shape[1:])])
        return Rows(X, y, weights, np.arange(len(y)))

    @property
    def targets(self) -> Array:
        return self.y[self.index]

    @property
    def weights(self) -> Array | None:
        return None if self.sample_weight is None else self.sample_weight[self.index]

    @property
    def inputs(self) -> Any:
        return self.X if len(self.index) == self.X.shape[0] else self.X[self.index]

    def mean_weight(self) -> float:
        weights = self.weights
        if weights is None:
            return 1.0
        largest = weights.max()  # lest their sum overflow
        return float((weights / largest).mean() * largest)

    def weighing(self, mean_weight: float) -> Rows:
        """Return the rows with their sample weights divided by `mean_weight`."""
        if self.sample_weight is None:
            return self
        weights = np.maximum(self.sample_weight / mean_weight, _SMALLEST_WEIGHT)
        return replace(self, sample_weight=weights)


def select_rows_with_weight(
    X: Any, y: Array, sample_weight: Array | None, suffix: str = ""
) -> Rows:
    """Return the rows of positive weight; ValueError if there are none.

    The suffix of the arguments' names is for the message.
    """
    if sample_weight is None:
        return Rows(X, y, None, np.arange(X.shape[0]))
    index = np.flatnonzero(sample_weight > 0)
    if not len(index):
        raise ValueError(
            f"X{suffix} needs rows of positive weight, that of their class included. Got "
            f"{X.shape[0]} row(s) of weight 0."
        )
    return Rows(X, y, sample_weight, index)


def _weights_or_ones(rows: Rows) -> Array:
    weights = rows.weights
    return np.ones(len(rows)) if weights is None else weights
