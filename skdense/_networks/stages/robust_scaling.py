"""Columns brought to a scale near 1, whatever their outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backend.loading import load_keras, load_tensorflow
from .quantiles import find_quantiles, thin_out
from .stage import (
    Array,
    Kind,
    LayerSettings,
    Stage,
    StageBatch,
    StageTensors,
    StageWeights,
    Tensor,
    WeightSpec,
    is_size,
    require_width,
)

if TYPE_CHECKING:
    from ..onnx_operators import Node, Operators

# Where the smooth clip levels off.
_LIMIT = 3.0
# A Dense layer that writes a number beside the limit, and one that takes what has become of it.
_PAIR = np.array([[1.0, 0.0]]), np.array([0.0, _LIMIT])
_NUMBER = np.array([[_LIMIT], [0.0]])


@dataclass(frozen=True)
class RobustScaling(Stage):
    """Columns less their median, by their interquartile range, and softly clipped to +-3.

    As in RealMLP (arXiv 2407.04491): ``z = (x - median) / (q75 - q25)``, by half of the range
    where the quartiles agree, 0 for constant columns, and then ``z / sqrt(1 + (z / 3) ** 2)``.
    The last ``n_passed`` columns, codes of categories, stay as they are.
    """

    n_columns: int
    n_passed: int = 0

    @property
    def _n_scaled(self) -> int:
        return self.n_columns - self.n_passed

    @property
    def _passed(self) -> tuple[int, ...]:
        return tuple(range(self._n_scaled, self.n_columns))

    def width_out(self, width_in: int) -> int:
        require_width(self.n_columns, width_in)
        return width_in

    @property
    def description(self) -> str:
        return f"RobustScaling, {self._n_scaled} columns"

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        return dict.fromkeys(("center", "scale"), WeightSpec((self._n_scaled,), Kind.FITTED))

    @property
    def is_sound(self) -> bool:
        n_passed = self.n_passed
        return is_size(self.n_columns) and type(n_passed) is int and 0 <= n_passed < self.n_columns

    def are_sound(self, weights: StageWeights) -> bool:
        return super().are_sound(weights) and bool((weights["scale"] >= 0).all())

    def fit(self, x: Array, sample_weight: Array | None) -> StageWeights:
        rows, weights = thin_out(x[:, : self._n_scaled], sample_weight)
        low, center, high = find_quantiles(rows, weights, (0.25, 0.5, 0.75))
        spread = np.subtract(rows.max(axis=0), rows.min(axis=0), dtype=np.float64)
        divisor = np.where(high > low, high - low, spread / 2)
        with np.errstate(divide="ignore", over="ignore"):
            scale = np.where(divisor > 0, 1 / divisor, 0)
        return {"center": center, "scale": np.where(np.isfinite(scale), scale, 0)}

    def forward(self, x: Array, weights: StageWeights) -> Array:
        z = x[:, : self._n_scaled]
        z -= weights["center"]
        z *= weights["scale"]
        z /= np.sqrt(1 + (z / z.dtype.type(_LIMIT)) ** 2)
        return x

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        own = x[:, :, : self._n_scaled] if self.n_passed else x
        z = (own - weights["center"][:, tf.newaxis]) * weights["scale"][:, tf.newaxis]
        z = z * tf.math.rsqrt(1 + tf.square(z / _LIMIT))
        if not self.n_passed:
            return z, {}
        passed = x[:, :, self._n_scaled :]
        if z.shape[0] != x.shape[0]:  # rows that all members share
            passed = tf.repeat(passed, z.shape[0], axis=0)
        return tf.concat([z, passed], axis=2), {}

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        """Return layers of Keras' own: the clip is a pair of numbers brought to length 1."""
        keras, name = load_keras(), settings.name
        if not self.n_passed:
            return self._layers_of_scaled(settings, name)
        inputs = keras.Input((self.n_columns,), dtype=settings.dtype, name=f"{name}_columns")
        z = keras.ops.take(inputs, tuple(range(self._n_scaled)), axis=1)
        for layer in self._layers_of_scaled(settings, f"{name}_scaled"):
            z = layer(z)
        passed = keras.ops.take(inputs, self._passed, axis=1)
        return [keras.Model(inputs, keras.ops.concatenate([z, passed], axis=1), name=name)]

    def _layers_of_scaled(self, settings: LayerSettings, name: str) -> list[Any]:
        layers = load_keras().layers
        frozen = {"dtype": settings.dtype, "trainable": False}
        return [
            layers.Normalization(name=name, **frozen),
            layers.Reshape((self._n_scaled, 1), name=f"{name}_columns", **frozen),
            layers.Dense(2, name=f"{name}_pair", kernel_initializer="zeros", **frozen),
            layers.UnitNormalization(name=f"{name}_clip", **frozen),
            layers.Dense(
                1, use_bias=False, kernel_initializer="zeros", name=f"{name}_number", **frozen
            ),
            layers.Reshape((self._n_scaled,), name=f"{name}_row", **frozen),
        ]

    @property
    def n_keras_variables(self) -> int:
        return 6

    def to_keras(self, weights: StageWeights) -> list[Any]:
        with np.errstate(divide="ignore"):
            variance = 1 / weights["scale"] ** 2  # infinite for constant columns
        return [weights["center"], variance, np.zeros((), np.int64), *_PAIR, _NUMBER]

    def from_keras(self, variables: Sequence[Array]) -> StageWeights:
        center, variance, *_ = variables
        return {"center": center, "scale": 1 / np.sqrt(variance)}

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        own = ops.Gather(x, np.arange(self._n_scaled), axis=1) if self.n_passed else x
        z = ops.Mul(ops.Sub(own, weights["center"]), weights["scale"])
        share = ops.Div(z, _LIMIT)
        z = ops.Div(z, ops.Sqrt(ops.Add(ops.Mul(share, share), 1)))
        if not self.n_passed:
            return z
        passed = ops.Gather(x, np.array(self._passed), axis=1)
        return ops.Concat(z, passed, axis=1)
