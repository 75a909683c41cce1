"""The forward pass in NumPy, by which estimators predict."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from .network import Array, Network, Weights, cast_weights_to_compute
from .stages.stage import StageWeights

# Numbers in the widest layer of one block of rows: 4 MB in float32, which stays in cache.
_BLOCK_SIZE = 2**20
_FEWEST_ROWS = 64  # in a block, however wide the layers

# So many weights are cast in a tenth of the time that a prediction takes anyway (0.2 ms).
_FEW_WEIGHTS = 2**15
# For so few rows float64 weights cost more to cast to float32 than to multiply by.
_FEW_ROWS = 16
# An input from which float32 could overflow on its way: the root of its largest number.
_LARGEST = 1e19


def forward(network: Network, weights: Weights, X: Any, *, activate: bool = True) -> Array:
    """Compute the network's outputs, block by block of rows.

    Of a wide network the rows are cast to the dtype of the weights, not the weights to that of
    the rows, which would take longer than the products with a few rows.

    Parameters
    ----------
    network, weights
        What to compute.
    X : ndarray or sparse array of shape (n_samples, n_inputs), float32 or float64
    activate : bool, default=True
        Whether to apply the output's activation; otherwise what goes into it is returned.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), in the dtype of `X`
    """
    rows = rows_in_block(network, is_sparse=issparse(X))
    has_many_rows = X.dtype == np.float32 and X.shape[0] > _FEW_ROWS
    if network.n_weights <= _FEW_WEIGHTS or has_many_rows:
        weights = cast_weights_to_compute(network, weights, X.dtype)
    if X.shape[0] <= rows:
        return _forward_block(network, weights, X, activate)
    outputs = np.empty((X.shape[0], network.n_outputs), X.dtype)
    for start in range(0, X.shape[0], rows):
        block = slice(start, start + rows)
        outputs[block] = _forward_block(network, weights, X[block], activate)
    return outputs


def rows_in_block(network: Network, *, is_sparse: bool) -> int:
    """Return how many rows to compute at once, by the widest stage that is dense."""
    widest = max(network.widths) if is_sparse else network.width_inside
    return max(_FEWEST_ROWS, _BLOCK_SIZE // widest)


def _forward_block(network: Network, weights: Weights, X: Any, activate: bool) -> Array:
    # Not the output's activation, lest probabilities in float64 had the rounding of float32.
    outputs = _before_activation(network, weights, X).astype(X.dtype, copy=False)
    return network.output.forward(outputs, {}) if activate else outputs


def _before_activation(network: Network, weights: Weights, X: Any) -> Array:
    """Compute in the dtype of the weights, and in that of X where float32 has no such numbers."""
    pairs = zip(network.stages, weights, strict=True)
    if {_dtype(own) for stage, own in pairs if own and not stage.scales_columns} == {X.dtype}:
        return _through_stages(network, weights, X)
    if _is_far_from_overflow(X):
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = _through_stages(network, weights, X)
        if np.isfinite(outputs).all():
            return outputs
    return _through_stages(network, cast_weights_to_compute(network, weights, np.float64), X)


def _is_far_from_overflow(X: Any) -> bool:
    numbers = X.data if issparse(X) else X
    return bool(max(numbers.max(initial=0), -numbers.min(initial=0)) < _LARGEST)


def _through_stages(network: Network, weights: Weights, x: Any) -> Array:
    if not network.stages[0].takes_sparse:  # and may overwrite the caller's rows
        x = x.toarray() if issparse(x) else x.copy()
    for stage, own in zip(network.stages, weights, strict=True):
        keeps_dtype = stage.scales_columns or not own
        x = stage.forward(x if keeps_dtype else x.astype(_dtype(own), copy=False), own)
    return x


def _dtype(weights: StageWeights) -> Any:
    return next(iter(weights.values())).dtype
