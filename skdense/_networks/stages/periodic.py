"""Columns as learned sums of periodic functions of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backend.loading import load_keras, load_tensorflow
from .embedding import Embedding
from .stage import (
    Array,
    LayerSettings,
    StageDraws,
    StageTensors,
    StageWeights,
    Tensor,
    WeightSpec,
)

if TYPE_CHECKING:
    from ..onnx_operators import Node, Operators

_N_FREQUENCIES = 16
_SPREAD = 0.1  # standard deviation of frequencies at the start
# Weights are kept divided by this: for Adam as good as a learning rate that is a tenth.
_SLOWED = 0.1


@dataclass(frozen=True)
class Periodic(Embedding):
    """Columns and sums of cosines of them: ``[x, W cos(2 pi f x + p) + c]``.

    With 16 frequencies, trained at a tenth of the learning rate, as PBLD in RealMLP (arXiv
    2407.04491).
    """

    @property
    def n_features(self) -> int:
        return _N_FREQUENCIES

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        n, n_sums = len(self.columns), self.n_units - 1
        waves = WeightSpec((n, _N_FREQUENCIES), is_decayed=False)
        kernel = WeightSpec((n, _N_FREQUENCIES, n_sums), is_decayed=False)
        bias = WeightSpec((n, n_sums), is_decayed=False)
        return {"frequencies": waves, "phases": waves, "kernel": kernel, "bias": bias}

    @property
    def is_sound(self) -> bool:
        return super().is_sound and self.n_units > 1

    def start(self, draw: StageDraws) -> StageWeights:
        shapes = {name: spec.shape for name, spec in self.weight_specs.items()}
        limit = _N_FREQUENCIES**-0.5
        start = {
            "frequencies": draw.normal(shapes["frequencies"], _SPREAD),
            "phases": draw.uniform(shapes["phases"], pi),
            "kernel": draw.uniform(shapes["kernel"], limit),
            "bias": draw.uniform(shapes["bias"], limit),
        }
        return {name: array / _SLOWED for name, array in start.items()}

    def _embed(self, x: Array, weights: StageWeights) -> Array:
        own = _slow_down(weights)
        angles = x[..., np.newaxis] * own["frequencies"]
        angles *= 2 * pi
        angles += own["phases"]
        sums = np.cos(angles, out=angles) @ own["kernel"][:, 0] + own["bias"]
        return np.concatenate([x[..., np.newaxis], sums], axis=2)

    def _trace_embedded(self, x: Tensor, weights: StageTensors) -> Tensor:
        tf = load_tensorflow()
        own = {name: tensor[:, :, tf.newaxis] * _SLOWED for name, tensor in weights.items()}
        x = x[..., tf.newaxis]
        waves = tf.cos(2 * pi * (x * own["frequencies"]) + own["phases"])
        return tf.concat([x, tf.matmul(waves, own["kernel"][:, :, 0]) + own["bias"]], axis=3)

    def _embed_by_keras(self, x: Any, settings: LayerSettings) -> Any:
        keras, n, name = load_keras(), len(self.columns), settings.name
        common = {"dtype": settings.dtype, "kernel_initializer": "zeros"}
        wave = keras.layers.EinsumDense(
            "bc,cf->bcf", (n, _N_FREQUENCIES), bias_axes="cf", name=f"{name}_waves", **common
        )
        combine = keras.layers.EinsumDense(
            "bcf,cfs->bcs", (n, self.n_units - 1), bias_axes="cs", name=f"{name}_sums", **common
        )
        column = keras.layers.Reshape((n, 1), dtype=settings.dtype, name=f"{name}_column")
        sums = combine(keras.ops.cos(wave(x * (2 * pi)) * _SLOWED)) * _SLOWED
        return keras.ops.concatenate([column(x), sums], axis=2)

    @property
    def keras_names(self) -> dict[str, str]:
        waves = {"frequencies": "waves_kernel", "phases": "waves_bias"}
        return waves | {"kernel": "sums_kernel", "bias": "sums_bias"}

    def _embed_by_onnx(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        own = _slow_down(weights)
        angles = ops.Add(ops.Mul(ops.Mul(x, own["frequencies"]), 2 * pi), own["phases"])
        sums = ops.Add(ops.MatMul(ops.Cos(angles), own["kernel"][:, 0]), own["bias"])
        return ops.Concat(x, sums, axis=2)


def _slow_down(weights: StageWeights) -> StageWeights:
    """Return the weights as they act, with an axis for rows."""
    return {
        name: array[:, np.newaxis] * array.dtype.type(_SLOWED) for name, array in weights.items()
    }
