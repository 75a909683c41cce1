"""Losses as functions of single rows, as the compiled program needs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backend.keras_objects import LossObject, loss_name
from .._backend.loading import load_keras, load_tensorflow

Tensor = Any
Array = NDArray[Any]
Loss = str | LossObject | Callable[..., Any]


@dataclass(frozen=True)
class PinballLoss:
    """The loss whose least mean is at quantiles; for the median half the absolute error.

    Koenker and Bassett, Regression quantiles, Econometrica 1978. Keras has none.

    Attributes
    ----------
    levels : tuple of float
        For each target there is an output at each of them.
    """

    levels: tuple[float, ...]

    def __call__(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the mean over targets and levels, (rows,); targets and outputs are in columns."""
        tf = load_tensorflow()
        n_targets = y_pred.shape[1] // len(self.levels)
        by_target = tf.reshape(y_pred, [-1, n_targets, len(self.levels)])
        errors = y_true[:, :, tf.newaxis] - by_target
        levels = tf.constant(self.levels, errors.dtype)
        return tf.reduce_mean(tf.maximum(levels * errors, (levels - 1) * errors), axis=[1, 2])


# Reductions of keras.losses.Loss, and what they divide the weighted sum over a batch by,
# given weights (..., rows) and lengths of batches.
_DIVISORS: dict[str, Callable[[Array, Array], Any]] = {
    "sum_over_batch_size": lambda weights, lengths: lengths,
    "mean": lambda weights, lengths: lengths,
    "sum": lambda weights, lengths: np.ones_like(lengths),
    "mean_with_sample_weight": lambda weights, lengths: weights.sum(axis=-1),
}


def shares_in_batch(loss: Loss, weights: Array, lengths: Array) -> Array:
    """Return what each row's loss is multiplied by in the loss of its batch.

    Parameters
    ----------
    loss
        Its reduction decides.
    weights : ndarray of shape (epochs, steps, batch_size)
        Sample weights, 0 for padding.
    lengths : ndarray of shape (steps,)
        Rows in each batch without the padding.
    """
    divisor = _DIVISORS[reduction(loss)](weights, lengths)
    return weights / divisor[..., np.newaxis].astype(weights.dtype)


def reduction(loss: Loss) -> str:
    """Return how a loss sums up a batch, under the name that Keras gives it."""
    of_object = loss.reduction if isinstance(loss, LossObject) else None
    return of_object or "sum_over_batch_size"


@lru_cache(maxsize=256)
def per_row_function(loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function from (rows, columns) targets and outputs to (rows,) losses."""
    keras = load_keras()
    resolved = loss.instance if isinstance(loss, LossObject) else keras.losses.get(loss)
    function: Callable[[Tensor, Tensor], Tensor] = (
        resolved.call if isinstance(resolved, keras.losses.Loss) else resolved
    )
    if function is keras.losses.mean_squared_error:
        # The same to the bit, but for a sign in its gradient, which XLA compiles a kernel for.
        return lambda y_true, y_pred: function(y_pred, y_true)
    return function


def why_not_per_row(loss: Loss, trial: Callable[[], tuple[Array, Array]]) -> str | None:
    """Say why the compiled program cannot use a loss; None where it can.

    The program computes the rows of a batch together and gives padding a weight of 0, so a
    row's loss has to be one number that no other row changes. Whether it is so is tried out
    on `trial()`: a few rows of targets and of what the network may answer.
    """
    if isinstance(loss, str | PinballLoss) and is_known_per_row(loss):
        return None
    return why_rows_mix("the loss", per_row_function(loss), *trial())


def why_rows_mix(
    what: str, function: Callable[[Tensor, Tensor], Tensor], y: Array, outputs: Array
) -> str | None:
    """Say why `what` is not one number for each row alone, as tried on a few rows."""
    tf = load_tensorflow()
    y, outputs = tf.constant(y), tf.constant(outputs)
    together = np.asarray(function(y, outputs))
    if together.shape not in ((y.shape[0],), (y.shape[0], 1)):
        return f"{what} gives shape {together.shape} for {y.shape[0]} rows, not one number a row"
    alone = [np.asarray(function(y[i : i + 1], outputs[i : i + 1])) for i in range(y.shape[0])]
    if not np.allclose(together, np.concatenate(alone), rtol=1e-4, atol=1e-6, equal_nan=True):
        return f"{what} of a row depends on the other rows of its batch"
    return None


def is_known_per_row(loss: Loss) -> bool:
    """Say whether a loss needs no trial, which takes some milliseconds."""
    return isinstance(loss, PinballLoss) or loss_name(loss) in KNOWN_PER_ROW


KNOWN_PER_ROW = frozenset(
    {
        "binary_crossentropy",
        "categorical_crossentropy",
        "huber",
        "log_cosh",
        "mean_absolute_error",
        "mean_squared_error",
        "poisson",
        "sparse_categorical_crossentropy",
    }
)
