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
from ..._training.losses import PinballLoss
from ..output_layer import Head

Array = NDArray[Any]

# Losses for which learning (y - mean) / std makes sense, as for quantiles. For the first two, and
# for those, it is the same problem in other units. The bend of the others then lies at standard
# deviations of y, as in sklearn.linear_model.HuberRegressor.
_STANDARDIZED_LOSSES = {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh"}


@dataclass(frozen=True, eq=False)
class RegressionTarget:
    """Numbers as targets, learned as (y - mean) / scale.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_targets,), float64
        0 and 1 where the target is learned as it is.
    is_1d : bool
        Whether y was 1-D, as predictions then are.
    quantiles : tuple of float
        Levels that the network has an output for, of each target; of another loss none.
    """

    mean: Array
    scale: Array
    is_1d: bool
    quantiles: tuple[float, ...] = ()

    accuracy = None  # is of classes
    decides_on_logits = False

    @property
    def n_targets(self) -> int:
        return len(self.mean)

    @property
    def n_units(self) -> int:
        return self.n_targets * self._n_each

    @property
    def _n_each(self) -> int:
        return len(self.quantiles) or 1

    @property
    def units_of_outputs(self) -> tuple[Array, Array]:
        """Mean and scale of what each output stands for."""
        return np.repeat(self.mean, self._n_each), np.repeat(self.scale, self._n_each)

    @property
    def output_scale(self) -> tuple[Array, Array] | None:
        """The same; None where outputs are in the target's own units anyway."""
        return self.units_of_outputs if self.is_standardized else None

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
        if columns.shape[1] != self.n_targets:
            raise ValueError(
                f"{name} must have {self.n_targets} column(s), as the y that was trained on. Got "
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
        """Turn the network's outputs into predictions, in their dtype if it can hold them.

        Of quantiles the one nearest to the median; of two that are as near their mean.
        """
        outputs = self._in_own_units(outputs)
        if len(self.quantiles) > 1:
            by_target = outputs.reshape(-1, self.n_targets, self._n_each)
            outputs = by_target[:, :, self.middle].mean(axis=2)
        return outputs[:, 0] if self.is_1d else outputs

    def decode_quantiles(self, outputs: Array) -> Array:
        """Turn outputs into all quantiles, (n_samples, n_quantiles), or of each target."""
        quantiles = self._in_own_units(outputs).reshape(-1, self.n_targets, self._n_each)
        return quantiles[:, 0] if self.is_1d else quantiles

    @property
    def middle(self) -> list[int]:
        """Which of the quantiles predict: the nearest to the median, of which there may be two."""
        distances = np.abs(np.array(self.quantiles) - 0.5)
        is_nearest = np.isclose(distances, distances.min(), rtol=0, atol=1e-12)
        return [int(number) for number in np.flatnonzero(is_nearest)]

    def _in_own_units(self, outputs: Array) -> Array:
        if not self.is_standardized:
            return outputs
        mean, scale = self.units_of_outputs
        own = outputs * scale + mean
        keeps_dtype = outputs.dtype != np.float64 and not self.needs_float64
        return own.astype(outputs.dtype) if keeps_dtype else own

    def in_own_units(self, weights: Weights) -> Weights:
        """Fold mean and scale into the last dense layer, whose arrays become float64."""
        if not self.is_standardized:
            return weights
        mean, scale = self.units_of_outputs
        kernel = weights[-1]["kernel"] * scale
        bias = weights[-1]["bias"] * scale + mean
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
    quantiles = head.loss.levels if isinstance(head.loss, PinballLoss) else ()
    is_scalable = bool(quantiles) or loss_name(head.loss) in _STANDARDIZED_LOSSES
    if standardize and head.activation == "linear" and is_scalable:
        columns = y.reshape(len(y), -1).astype(np.float64)
        mean, scale = mean_and_scale(columns, sample_weight)
        with np.errstate(over="ignore"):
            has_variance = np.isfinite(mean + scale**2).all()
        if not has_variance:
            raise ValueError(
                "y must have a variance that float64 can hold. Got values up to "
                f"{np.abs(columns).max():.3g}. Divide y by a constant."
            )
    return RegressionTarget(mean, scale, y.ndim == 1, quantiles)
