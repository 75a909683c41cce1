"""Codes of categories as indicators, or as learned vectors where there are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._backend.loading import load_keras, load_tensorflow
from .stage import (
    Array,
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


@dataclass(frozen=True)
class Categories(Stage):
    """The last columns, which are codes 0, 1, ..., after the others as they are.

    Codes of up to ``most_indicators`` become as many columns of 0 and 1, then others ``n_units``
    learned numbers each. A code of -1, for what has no category, becomes zeros.

    Shapes, in einsum letters: k members, b rows, n codes, u units.
    """

    n_columns: int
    sizes: tuple[int, ...]
    n_units: int
    most_indicators: int

    @property
    def _n_plain(self) -> int:
        return self.n_columns - len(self.sizes)

    def _is_vector(self, size: int) -> bool:
        return size > self.most_indicators

    def width_out(self, width_in: int) -> int:
        require_width(self.n_columns, width_in)
        widths = (self.n_units if self._is_vector(size) else size for size in self.sizes)
        return self._n_plain + sum(widths)

    @property
    def description(self) -> str:
        n_vectors = len(self.weight_specs)
        return (
            f"Categories, {len(self.sizes) - n_vectors} columns as indicators, {n_vectors} as "
            f"{self.n_units} numbers each"
        )

    @cached_property
    def _vectors(self) -> list[tuple[int, int, str]]:
        """Of each column that becomes vectors its number, its size, and the name of these."""
        return [
            (self._n_plain + n, size, f"vectors_{n}")
            for n, size in enumerate(self.sizes)
            if self._is_vector(size)
        ]

    @cached_property
    def _indicators(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Of each indicator the column that it is of, and the code that it is for."""
        sizes = [0 if self._is_vector(size) else size for size in self.sizes]
        columns = np.arange(self._n_plain, self.n_columns).repeat(sizes)
        codes = [np.arange(size) for size in sizes]
        return columns, np.concatenate(codes)

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        return {
            name: WeightSpec((size, self.n_units), is_decayed=False)
            for _, size, name in self._vectors
        }

    @property
    def is_sound(self) -> bool:
        sizes = self.sizes
        return (
            is_size(self.n_columns)
            and is_size(self.n_units)
            and is_size(self.most_indicators)
            and type(sizes) is tuple
            and all(map(is_size, sizes))
            and 0 < len(sizes) <= self.n_columns
        )

    def start(self, draw: StageDraws) -> StageWeights:
        limit = self.n_units**-0.5
        return {name: draw.uniform(spec.shape, limit) for name, spec in self.weight_specs.items()}

    def forward(self, x: Array, weights: StageWeights) -> Array:
        columns, codes = self._indicators
        # As integers, which Keras makes of whatever comes.
        is_own = x[:, columns].astype(np.intp) == codes
        parts = [x[:, : self._n_plain], is_own.astype(x.dtype)]
        for column, size, name in self._vectors:
            own = x[:, column].astype(np.intp)
            is_code = (own >= 0) & (own < size)
            vectors = weights[name][np.where(is_code, own, 0)]
            parts.append(vectors * is_code[:, np.newaxis])
        return np.concatenate(parts, axis=1)

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        n_members = next(iter(weights.values())).shape[0] if weights else x.shape[0]
        if x.shape[0] != n_members:  # rows that all members share
            x = tf.repeat(x, n_members, axis=0)
        columns, codes = self._indicators
        is_own = tf.equal(tf.gather(x, columns, axis=2), tf.constant(codes, x.dtype))
        parts = [x[:, :, : self._n_plain], tf.cast(is_own, x.dtype)]
        for column, _, name in self._vectors:
            own = tf.cast(x[:, :, column], tf.int32)
            # One more in front, since a negative index is none here.
            padded = tf.concat([tf.zeros_like(weights[name][:, :1]), weights[name]], axis=1)
            parts.append(tf.gather(padded, own + 1, batch_dims=1))
        return tf.concat(parts, axis=2), {}

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        """Return one model of the layers, as Keras has no layer that passes some columns by."""
        keras, name, dtype = load_keras(), settings.name, settings.dtype
        inputs = keras.Input((self.n_columns,), dtype=dtype, name=f"{name}_columns")
        parts = []
        if self._n_plain:
            parts.append(keras.ops.take(inputs, tuple(range(self._n_plain)), axis=1))
        names = {column: own for column, _, own in self._vectors}
        places = enumerate(self.sizes, start=self._n_plain)
        for column, size in sorted(places, key=lambda place: place[0] in names):
            codes = keras.ops.cast(keras.ops.take(inputs, column, axis=1), "int32")
            part = keras.ops.one_hot(codes, size, dtype=dtype)
            if column in names:
                vectors = keras.layers.Dense(
                    self.n_units,
                    use_bias=False,
                    kernel_initializer="zeros",
                    dtype=dtype,
                    name=f"{name}_{names[column]}",
                )
                part = vectors(part)
            parts.append(part)
        outputs = keras.ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        return [keras.Model(inputs, outputs, name=name)]

    @property
    def keras_names(self) -> dict[str, str]:
        return {name: f"{name}_kernel" for name in self.weight_specs}

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        columns, codes = self._indicators
        parts = [ops.Gather(x, np.arange(self._n_plain), axis=1)] if self._n_plain else []
        if len(columns):
            is_own = ops.Equal(ops.Gather(x, columns, axis=1), codes.astype(ops.dtype))
            parts.append(ops.Where(is_own, 1, 0))
        for column, _, name in self._vectors:
            own = ops.Reshape(ops.Gather(x, np.array([column]), axis=1), np.array([-1]))
            index = ops.Cast(ops.Add(own, 1), to=_INT64)
            padded = np.concatenate([np.zeros_like(weights[name][:1]), weights[name]])
            parts.append(ops.Gather(padded, index, axis=0))
        return ops.Concat(*parts, axis=1) if len(parts) > 1 else parts[0]


_INT64 = 7
"""The dtype's number in ONNX."""
