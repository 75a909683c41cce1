"""Columns as learned piecewise-linear functions of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backend.loading import load_keras, load_tensorflow
from .embedding import Embedding
from .quantiles import find_bin_ends, reciprocal_of_range, thin_out
from .stage import (
    Array,
    Kind,
    LayerSettings,
    StageDraws,
    StageTensors,
    StageWeights,
    Tensor,
    WeightSpec,
    is_size,
)

if TYPE_CHECKING:
    from ..onnx_operators import Node, Operators


@dataclass(frozen=True)
class PiecewiseLinear(Embedding):
    """Columns as sums of a linear function and one that bends at quantiles of the training rows.

    As in arXiv 2203.05556 (and its linear term as in arXiv 2410.24210): with edges ``b_0 < ... <
    b_T``, quantiles of a column and values that many rows have, ``t_i = (x - b_{i-1}) / (b_i -
    b_{i-1})`` is cut to [0, 1], but the first one not below and the last one not above, and the
    column becomes ``a x + P t + c``.
    """

    n_bins: int

    @property
    def n_features(self) -> int:
        return 1 + self.n_bins

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        """Left ends of bins, what those are divided by as a factor, (a, P), and c.

        Where a column has less bins, factors of 0 fill up before the last one; of a single bin
        there are some before, so that it is cut below, which its linear term makes up for.
        """
        bins = WeightSpec((len(self.columns), self.n_bins), Kind.FITTED)
        n, n_units = len(self.columns), self.n_units
        kernel = WeightSpec((n, 1 + self.n_bins, n_units), is_decayed=False)
        bias = WeightSpec((n, n_units), is_decayed=False)
        return {"edges": bins, "slopes": bins, "kernel": kernel, "bias": bias}

    @property
    def is_sound(self) -> bool:
        return super().is_sound and is_size(self.n_bins)

    def start(self, draw: StageDraws) -> StageWeights:
        n, limit = len(self.columns), self.n_units**-0.5
        kernel = np.zeros((n, 1 + self.n_bins, self.n_units))
        kernel[:, 0] = draw.uniform((n, self.n_units), limit)
        return {"kernel": kernel, "bias": draw.uniform((n, self.n_units), limit)}

    def fit(self, x: Array, sample_weight: Array | None) -> StageWeights:
        own, weights = thin_out(x, sample_weight)
        ends = (find_bin_ends(own[:, column], weights, self.n_bins) for column in self.columns)
        # Edges between numbers that float32 holds, in which some views compute, are of it too.
        is_single = (own == own.astype(np.float32)).all()
        dtype = np.float32 if is_single else x.dtype
        pairs = [
            self._make_bins(np.unique(column.astype(dtype)).astype(x.dtype)) for column in ends
        ]
        edges, slopes = map(np.array, zip(*pairs, strict=True))
        return {"edges": edges, "slopes": slopes}

    def _make_bins(self, ends: Array) -> tuple[Array, Array]:
        edges = np.full(self.n_bins, ends[0])
        slopes = np.zeros(self.n_bins, ends.dtype)
        n_bins = len(ends) - 1
        if n_bins:
            places = [*range(n_bins - 1), self.n_bins - 1]
            edges[places] = ends[:-1]
            slopes[places] = reciprocal_of_range(ends[1:], ends[:-1])
        return edges, slopes

    @property
    def _bounds(self) -> tuple[Array, Array]:
        """What each t is not below, and not above."""
        low, high = np.zeros(self.n_bins, np.float32), np.ones(self.n_bins, np.float32)
        low[0], high[-1] = -np.inf, np.inf
        return low, high

    def _embed(self, x: Array, weights: StageWeights) -> Array:
        features = np.empty((*x.shape, 1 + self.n_bins), x.dtype)
        features[..., 0], t = x, features[..., 1:]
        np.subtract(x[..., np.newaxis], weights["edges"][:, np.newaxis], out=t)
        t *= weights["slopes"][:, np.newaxis]
        np.clip(t, *self._bounds, out=t)
        return features @ weights["kernel"] + weights["bias"][:, np.newaxis]

    def _trace_embedded(self, x: Tensor, weights: StageTensors) -> Tensor:
        tf = load_tensorflow()
        x = x[..., tf.newaxis]
        t = (x - weights["edges"][:, :, tf.newaxis]) * weights["slopes"][:, :, tf.newaxis]
        low, high = (tf.constant(bound, x.dtype) for bound in self._bounds)
        features = tf.concat([x, tf.minimum(tf.maximum(t, low), high)], axis=3)
        return tf.matmul(features, weights["kernel"]) + weights["bias"][:, :, tf.newaxis]

    def _embed_by_keras(self, x: Any, settings: LayerSettings) -> Any:
        keras, n, name = load_keras(), len(self.columns), settings.name
        frozen = {"dtype": settings.dtype, "trainable": False, "kernel_initializer": "ones"}
        shape = (n, self.n_bins)
        place = keras.layers.EinsumDense(
            "bc,ct->bct", shape, bias_axes="ct", name=f"{name}_place", **frozen
        )
        divide = keras.layers.EinsumDense("bct,ct->bct", shape, name=f"{name}_divide", **frozen)
        combine = keras.layers.EinsumDense(
            "bcf,cfu->bcu",
            (n, self.n_units),
            bias_axes="cu",
            kernel_initializer="zeros",
            dtype=settings.dtype,
            name=name + "_combine",
        )
        column = keras.layers.Reshape((n, 1), dtype=settings.dtype, name=f"{name}_column")
        t = divide(place(x))
        return combine(keras.ops.concatenate([column(x), *_cut(t, keras)], axis=2))

    @property
    def keras_names(self) -> dict[str, str]:
        return {name: f"combine_{name}" for name in ("kernel", "bias")}

    @property
    def n_keras_variables(self) -> int:
        return 5

    def to_keras(self, weights: StageWeights) -> list[Array]:
        ones = np.ones_like(weights["edges"])
        return [ones, -weights["edges"], weights["slopes"], weights["kernel"], weights["bias"]]

    def from_keras(self, variables: Any) -> StageWeights:
        _, bias_of_bins, slopes, kernel, bias = variables
        return {"edges": -bias_of_bins, "slopes": slopes, "kernel": kernel, "bias": bias}

    def _embed_by_onnx(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        edges, slopes = (weights[name][:, np.newaxis] for name in ("edges", "slopes"))
        low, high = (bound.astype(ops.dtype) for bound in self._bounds)
        t = ops.Min(ops.Max(ops.Mul(ops.Sub(x, edges), slopes), low), high)
        product = ops.MatMul(ops.Concat(x, t, axis=2), weights["kernel"])
        return ops.Add(product, weights["bias"][:, np.newaxis])


def _cut(t: Any, keras: Any) -> list[Any]:
    """Return parts of t, cut to [0, 1], but the first one not below and the last one not above."""
    if t.shape[2] == 1:
        return [t]
    ops = keras.ops
    ends = [ops.minimum(t[:, :, :1], 1.0), ops.relu(t[:, :, -1:])]
    middle = [ops.minimum(ops.relu(t[:, :, 1:-1]), 1.0)] if t.shape[2] > 2 else []
    return [ends[0], *middle, ends[1]]
