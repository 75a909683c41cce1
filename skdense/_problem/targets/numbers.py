"""Numbers, one or several for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._backend.keras_objects import loss_name
from ..._networks.network import Weights
from ..._networks.standardization import exceeds_float32, mean_and_scale
from ..output_layer import Head

Array = NDArray[Any]

# Losses for which learning (y - mean) / std makes sense. For the first two it is the same problem
# in other units. The bend of the others then lies at standard deviations of y, as in
# sklearn.linear_model.HuberRegressor.
_STANDARDIZED_LOSSES = {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh"}


@dataclass(frozen=True, eq=False)
class RegressionTarget:
    """Numbers as targets, learned as (y - mean) / scale.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_outputs,), float64
        0 and 1 where the target is learned as it is.
    is_1d : bool
        Whether y was 1-D, as predictions then are.
    """

    mean: Array
    scale: Array
    is_1d: bool

    accuracy = None  # is of classes
    decides_on_logits = False

    @property
    def n_units(self) -> int:
        return len(self.mean)

    @property
    def output_scale(self) -> tuple[Array, Array] | None:
        """Mean and scale; None where outputs are in the target's own units anyway."""
        return (self.mean, self.scale) if self.is_standardized else None

    @property
    def is_standardized(self) -> bool:
        return bool(self.mean.any() or (self.scale != 1).any())

    @property
    def needs_float64(self) -> bool:
        """Whether float32 cannot hold the numbers, in the target's own units."""
        return exceeds_float32(self.mean, self.scale)

    def encode(self, y: Array, name: str = "y") -> Array:
        """Turn y, (n_samples,) or (n_samples, n_outputs), into (n_samples, n_outputs)."""
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_units:
            raise ValueError(
                f"{name} must have {self.n_units} column(s), as the y that was trained on. Got "
                f"{columns.shape[1]}."
            )
        with np.errstate(over="ignore"):
            encoded = (columns - self.mean) / self.scale
        if not np.isfinite(encoded).all():
            raise ValueError(
                f"{name} must be numbers that float64 holds in standard deviations of the y that "
                f"was trained on, {self.scale.min():.3g}. Got values up to "
                f"{np.abs(columns).max():.3g}."
            )
        return encoded

    def average(self, members: Sequence[Array]) -> Array:
        """Return the mean of outputs."""
        mean: Array = np.mean(members, axis=0)
        return mean

    def decode(self, outputs: Array) -> Array:
        """Turn the network's outputs into predictions, in their dtype if it can hold them."""
        if self.is_standardized:
            dtype = outputs.dtype
            outputs = outputs * self.scale + self.mean
            if dtype != np.float64 and not self.needs_float64:
                outputs = outputs.astype(dtype)
        return outputs[:, 0] if self.is_1d else outputs

    def in_own_units(self, weights: Weights) -> Weights:
        """Fold mean and scale into the last dense layer, whose arrays become float64."""
        if not self.is_standardized:
            return weights
        kernel = weights[-1]["kernel"] * self.scale
        bias = weights[-1]["bias"] * self.scale + self.mean
        return (*weights[:-1], {"kernel": kernel, "bias": bias})


def make_regression_target(
    y: Array, sample_weight: Array | None, head: Head, standardize: bool
) -> RegressionTarget:
    """Return the target, standardised if asked for and if head and loss allow it."""
    if loss_name(head.loss) == "poisson" and y.min() < 0:
        raise ValueError(
            f"loss='poisson' needs counts or rates, y >= 0. Got {y.min()}. Use another loss."
        )
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    mean, scale = np.zeros(n_outputs), np.ones(n_outputs)
    allowed = head.activation == "linear" and loss_name(head.loss) in _STANDARDIZED_LOSSES
    if standardize and allowed:
        columns = y.reshape(len(y), -1).astype(np.float64)
        mean, scale = mean_and_scale(columns, sample_weight)
        with np.errstate(over="ignore"):
            has_variance = np.isfinite(mean + scale**2).all()
        if not has_variance:
            raise ValueError(
                "y must have a variance that float64 can hold. Got values up to "
                f"{np.abs(columns).max():.3g}. Divide y by a constant."
            )
    return RegressionTarget(mean, scale, y.ndim == 1)
