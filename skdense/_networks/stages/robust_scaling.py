"""Columns brought to a scale near 1, whatever their outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..._backend.loading import load_keras, load_tensorflow
from .quantiles import find_quantiles, reciprocal_of_range, thin_out
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
# Beyond this, float64 rounds the clipped number to the limit itself; its square is far from the
# end of float32.
_FARTHEST = 2.0**30
# A Dense layer that writes a number beside the limit, and one that takes what has become of it.
_PAIR = np.array([[_FARTHEST, 0.0]]), np.array([0.0, _LIMIT])
_NUMBER = np.array([[_LIMIT], [0.0]])


@dataclass(frozen=True)
class RobustScaling(Stage):
    """Columns less their median, by their interquartile range, and softly clipped to +-3.

    As in RealMLP (arXiv 2407.04491): ``z = (x - median) / (q75 - q25)``, by half of the range
    where the quartiles agree, 0 for constant columns, and then ``z / sqrt(1 + (z / 3) ** 2)``.
    The last ``n_passed`` columns, codes of categories, stay as they are.

    Computed in float64 and then rounded to float32, in every view and whatever the network
    computes in, unless it `is_exact`. Else the bins of an embedding that are hardly wider than
    float32 resolves would make other numbers of it where a view computes in float32.
    """

    n_columns: int
    n_passed: int = 0
    is_exact: bool = False

    scales_columns: ClassVar[bool] = True

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
        are_counts = is_size(self.n_columns) and type(n_passed) is int
        return are_counts and 0 <= n_passed < self.n_columns and type(self.is_exact) is bool

    def are_sound(self, weights: StageWeights) -> bool:
        return super().are_sound(weights) and bool((weights["scale"] >= 0).all())

    def fit(self, x: Array, sample_weight: Array | None) -> StageWeights:
        rows, weights = thin_out(x[:, : self._n_scaled], sample_weight)
        low, center, high = find_quantiles(rows, weights, (0.25, 0.5, 0.75))
        scale = reciprocal_of_range(high, low)
        most, least = (rows.max(axis=0), rows.min(axis=0))
        of_extremes = 2 * reciprocal_of_range(most.astype(np.float64), least.astype(np.float64))
        scale = _bound(np.where(high > low, scale, of_extremes), np.finfo(x.dtype))
        return {"center": center, "scale": scale}

    def forward(self, x: Array, weights: StageWeights) -> Array:
        with np.errstate(over="ignore"):
            z = np.subtract(x[:, : self._n_scaled], weights["center"], dtype=np.float64)
            z *= weights["scale"]
        np.clip(z, -_FARTHEST, _FARTHEST, out=z)
        divisor = z / _LIMIT  # and the rest in place, which is twice as fast for many rows
        divisor *= divisor
        divisor += 1
        np.sqrt(divisor, out=divisor)
        z /= divisor
        x[:, : self._n_scaled] = z if self.is_exact else z.astype(np.float32)
        return x

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        own = x[:, :, : self._n_scaled] if self.n_passed else x
        z = (own - weights["center"][:, tf.newaxis]) * weights["scale"][:, tf.newaxis]
        z = tf.clip_by_value(z, -_FARTHEST, _FARTHEST)
        z = z * tf.math.rsqrt(1 + tf.square(z / _LIMIT))
        if not self.is_exact:
            z = tf.cast(tf.cast(z, tf.float32), x.dtype)
        if not self.n_passed:
            return z, {}
        passed = x[:, :, self._n_scaled :]
        if z.shape[0] != x.shape[0]:  # rows that all members share
            passed = tf.repeat(passed, z.shape[0], axis=0)
        return tf.concat([z, passed], axis=2), {}

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        """Return layers of Keras' own: the clip is a pair of numbers brought to length 1.

        All in float64. No Normalization layer: it never divides by less than
        1e-7, and a variance is the square of a scale, which may overflow.
        """
        keras, name = load_keras(), settings.name
        if not self.n_passed:
            return self._layers_of_scaled(settings, name)
        inputs = keras.Input((self.n_columns,), dtype="float64", name=f"{name}_columns")
        z = keras.ops.take(inputs, tuple(range(self._n_scaled)), axis=1)
        for layer in self._layers_of_scaled(settings, f"{name}_scaled"):
            z = layer(z)
        z = keras.ops.cast(z, settings.dtype)
        passed = keras.ops.cast(keras.ops.take(inputs, self._passed, axis=1), settings.dtype)
        return [keras.Model(inputs, keras.ops.concatenate([z, passed], axis=1), name=name)]

    def _layers_of_scaled(self, settings: LayerSettings, name: str) -> list[Any]:
        layers = load_keras().layers
        n = self._n_scaled
        frozen = {"dtype": "float64", "trainable": False}
        factors = frozen | {"kernel_initializer": "ones"}
        return [
            layers.EinsumDense("bc,c->bc", (n,), bias_axes="c", name=f"{name}_center", **factors),
            layers.EinsumDense("bc,c->bc", (n,), name=name, **factors),
            # In units of the farthest number, beyond which the function cuts it.
            layers.Rescaling(1 / _FARTHEST, name=f"{name}_units", **frozen),
            layers.Activation("hard_tanh", name=f"{name}_farthest", **frozen),
            layers.Reshape((n, 1), name=f"{name}_columns", **frozen),
            layers.Dense(2, name=f"{name}_pair", kernel_initializer="zeros", **frozen),
            layers.UnitNormalization(name=f"{name}_clip", **frozen),
            layers.Dense(
                1, use_bias=False, kernel_initializer="zeros", name=f"{name}_number", **frozen
            ),
            layers.Reshape(
                (n,), dtype=settings.dtype if self.is_exact else "float32", name=f"{name}_row"
            ),
        ]

    @property
    def n_keras_variables(self) -> int:
        return 6

    def to_keras(self, weights: StageWeights) -> list[Any]:
        center, scale = (weights[name].astype(np.float64) for name in ("center", "scale"))
        return [np.ones_like(center), -center, scale, *_PAIR, _NUMBER]

    def from_keras(self, variables: Sequence[Array]) -> StageWeights:
        _, bias, scale, *_ = variables
        return {"center": -bias, "scale": scale}

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        center, scale = (weights[name].astype(np.float64) for name in ("center", "scale"))
        double = ops.in_double
        own = ops.Gather(x, np.arange(self._n_scaled), axis=1) if self.n_passed else x
        z = double.Mul(double.Sub(double.cast(own), center), scale)
        z = double.between(z, -_FARTHEST, _FARTHEST)
        share = double.Div(z, _LIMIT)
        z = double.Div(z, double.Sqrt(double.Add(double.Mul(share, share), 1)))
        z = ops.cast(z if self.is_exact else ops.in_single.cast(z))
        if not self.n_passed:
            return z
        passed = ops.cast(ops.Gather(x, np.array(self._passed), axis=1))
        return ops.Concat(z, passed, axis=1)


def _bound(scale: Array, dtype: Any) -> Array:
    """Return factors that are 0, or normal numbers, which TensorFlow does not round to 0.

    Columns whose range is so close to 0 that subnormal numbers are part of it are constant.
    """
    is_constant = (scale == 0) | (scale > dtype.eps / dtype.tiny)
    return np.where(is_constant, 0, np.maximum(scale, dtype.tiny))
