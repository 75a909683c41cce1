"""Batch normalization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backend.loading import load_keras, load_tensorflow
from .stage import (
    Array,
    Kind,
    LayerSettings,
    Stage,
    StageBatch,
    StageDraws,
    StageTensors,
    StageWeights,
    Tensor,
    WeightSpec,
    is_size,
    require_width,
)

if TYPE_CHECKING:
    from ..onnx_operators import Node, Operators

# Both as keras.layers.BatchNormalization has them by default.
EPSILON = 1e-3
_MOMENTUM = 0.99


@dataclass(frozen=True)
class Normalization(Stage):
    """Batch normalization of ``n_units`` columns."""

    n_units: int

    def width_out(self, width_in: int) -> int:
        require_width(self.n_units, width_in)
        return width_in

    @property
    def description(self) -> str:
        return "BatchNormalization"

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        trained, moving = WeightSpec((self.n_units,)), WeightSpec((self.n_units,), Kind.MOVING)
        trained_ones = dict.fromkeys(("gamma", "beta"), trained)
        return trained_ones | dict.fromkeys(("moving_mean", "moving_variance"), moving)

    @property
    def is_sound(self) -> bool:
        return is_size(self.n_units)

    def are_sound(self, weights: StageWeights) -> bool:
        with np.errstate(all="ignore"):
            factors = _scale_and_shift(weights)
        return super().are_sound(weights) and all(np.isfinite(f).all() for f in factors)

    def start(self, draw: StageDraws) -> StageWeights:
        zeros, ones = np.zeros(self.n_units), np.ones(self.n_units)
        return {"gamma": ones, "beta": zeros, "moving_mean": zeros, "moving_variance": ones}

    def forward(self, x: Array, weights: StageWeights) -> Array:
        scale, shift = _scale_and_shift(weights)
        x *= scale
        x += shift
        return x

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        mean, variance, moved = weights["moving_mean"], weights["moving_variance"], {}
        if batch is not None:
            is_row = batch.is_row[..., tf.newaxis]
            n_rows, keep = tf.reduce_sum(is_row, axis=1), _MOMENTUM
            mean = tf.reduce_sum(x * is_row, axis=1) / n_rows
            squares = tf.square(x - mean[:, tf.newaxis])
            variance = tf.reduce_sum(squares * is_row, axis=1) / n_rows
            moved = {
                "moving_mean": weights["moving_mean"] * keep + mean * (1 - keep),
                "moving_variance": weights["moving_variance"] * keep + variance * (1 - keep),
            }
        centred = x - mean[:, tf.newaxis]
        scale = weights["gamma"] * tf.math.rsqrt(variance + EPSILON)
        return centred * scale[:, tf.newaxis] + weights["beta"][:, tf.newaxis], moved

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        layer = load_keras().layers.BatchNormalization(
            momentum=_MOMENTUM, epsilon=EPSILON, dtype=settings.dtype, name=settings.name
        )
        return [layer]

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        scale, shift = _scale_and_shift(weights)
        return ops.Add(ops.Mul(x, scale.astype(ops.dtype)), shift.astype(ops.dtype))


def _scale_and_shift(weights: StageWeights) -> tuple[Array, Array]:
    """Return what it multiplies by and adds, by its moving statistics."""
    scale = weights["gamma"] / np.sqrt(weights["moving_variance"] + EPSILON)
    return scale, weights["beta"] - weights["moving_mean"] * scale
