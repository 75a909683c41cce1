"""What embeddings of numeric columns have in common: each column becomes a few learned numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backend.loading import load_keras, load_tensorflow
from .stage import (
    Array,
    LayerSettings,
    Stage,
    StageBatch,
    StageTensors,
    StageWeights,
    Tensor,
    is_size,
    require_width,
)

if TYPE_CHECKING:
    from ..onnx_operators import Node, Operators


@dataclass(frozen=True)
class Embedding(Stage):
    """Some columns as ``n_units`` learned numbers each, before the others as they are.

    Subclasses say what becomes of those columns, by a product with a matrix for each.

    Shapes, in einsum letters: k members, b rows, c embedded columns, f features of each, u units.
    """

    n_columns: int
    columns: tuple[int, ...]
    n_units: int

    def width_out(self, width_in: int) -> int:
        require_width(self.n_columns, width_in)
        return self.n_columns + len(self.columns) * (self.n_units - 1)

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Numbers of a column that the product is of."""

    def width_inside(self, width_in: int) -> int:
        return self.width_out(width_in) + len(self.columns) * self.n_features

    @property
    def description(self) -> str:
        return f"{type(self).__name__}, {len(self.columns)} columns as {self.n_units} numbers each"

    @property
    def is_sound(self) -> bool:
        columns = self.columns
        return (
            is_size(self.n_columns)
            and is_size(self.n_units)
            and type(columns) is tuple
            and all(type(column) is int for column in columns)
            and 0 < len(columns) == len(set(columns))
            and 0 <= min(columns) <= max(columns) < self.n_columns
        )

    @cached_property
    def _others(self) -> list[int]:
        return sorted(set(range(self.n_columns)) - set(self.columns))

    @abstractmethod
    def _embed(self, x: Array, weights: StageWeights) -> Array:
        """Return (c, b, u) of (c, b)."""

    @abstractmethod
    def _trace_embedded(self, x: Tensor, weights: StageTensors) -> Tensor:
        """Return (k, c, b, u) of (k, c, b)."""

    @abstractmethod
    def _embed_by_keras(self, x: Any, settings: LayerSettings) -> Any:
        """Return (b, c, u) of (b, c), by Keras' functional interface."""

    @abstractmethod
    def _embed_by_onnx(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        """Return (c, b, u) of (c, b, 1)."""

    def forward(self, x: Array, weights: StageWeights) -> Array:
        own = np.ascontiguousarray(x[:, self.columns].T)
        embedded = self._embed(own, weights).swapaxes(0, 1).reshape(len(x), -1)
        return np.concatenate([embedded, x[:, self._others]], axis=1)

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        n_members = next(iter(weights.values())).shape[0]
        if x.shape[0] != n_members:  # rows that all members share
            x = tf.repeat(x, n_members, axis=0)
        by_column = tf.transpose(x, [0, 2, 1])
        embedded = self._trace_embedded(tf.gather(by_column, self.columns, axis=1), weights)
        of_rows = tf.transpose(embedded, [0, 2, 1, 3])
        flat = tf.reshape(of_rows, [x.shape[0], -1, len(self.columns) * self.n_units])
        others = [tf.gather(x, self._others, axis=2)] if self._others else []
        return tf.concat([flat, *others], axis=2), {}

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        """Return one model of the layers, as Keras has no layer that passes some columns by."""
        keras, name = load_keras(), settings.name
        inputs = keras.Input((self.n_columns,), dtype=settings.dtype, name=f"{name}_columns")
        own = keras.ops.take(inputs, self.columns, axis=1)
        flat = keras.layers.Reshape((-1,), dtype=settings.dtype, name=f"{name}_flat")
        parts = [flat(self._embed_by_keras(own, settings))]
        if self._others:
            parts.append(keras.ops.take(inputs, self._others, axis=1))
        return [keras.Model(inputs, keras.ops.concatenate(parts, axis=1), name=name)]

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        own = ops.Gather(x, np.array(self.columns), axis=1)
        by_column = ops.Unsqueeze(ops.Transpose(own, perm=[1, 0]), np.array([2]))
        embedded = ops.Transpose(self._embed_by_onnx(ops, weights, by_column), perm=[1, 0, 2])
        flat = ops.Reshape(embedded, np.array([-1, len(self.columns) * self.n_units]))
        if not self._others:
            return flat
        return ops.Concat(flat, ops.Gather(x, np.array(self._others), axis=1), axis=1)
