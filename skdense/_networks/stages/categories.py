"""Codes of categories as indicators, or as learned vectors where there are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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

# Of one column, in a network from anywhere: all such columns are padded to the longest.
_MOST_INDICATORS = 1024


@dataclass(frozen=True)
class Categories(Stage):
    """The last columns, which are codes 0, 1, ..., after the others as they are.

    Codes of up to ``most_indicators`` become as many columns of 0 and 1, then others ``n_units``
    learned numbers each. A code of -1, for an unknown category, becomes the mean of the training
    rows: their frequencies in place of indicators, the vectors weighted by frequency. So does a
    code without a training row, whose vector is still as it started.

    Shapes, in einsum letters: k members, b rows, c columns of codes, n codes, u units.
    """

    n_columns: int
    sizes: tuple[int, ...]
    n_units: int
    most_indicators: int

    @property
    def _n_plain(self) -> int:
        return self.n_columns - len(self.sizes)

    @property
    def n_codes(self) -> int:
        return len(self.sizes)

    def _is_vector(self, size: int) -> bool:
        return size > self.most_indicators

    def width_out(self, width_in: int) -> int:
        require_width(self.n_columns, width_in)
        widths = (self.n_units if self._is_vector(size) else size for size in self.sizes)
        return self._n_plain + sum(widths)

    @property
    def description(self) -> str:
        n_vectors = len(self._vectors)
        return (
            f"Categories, {len(self.sizes) - n_vectors} columns as indicators, {n_vectors} as "
            f"{self.n_units} numbers each"
        )

    @cached_property
    def _slices(self) -> list[slice]:
        """Where the frequencies of each column of codes are."""
        stops = np.cumsum(self.sizes).tolist()
        return [slice(stop - size, stop) for size, stop in zip(self.sizes, stops, strict=True)]

    @cached_property
    def _vectors(self) -> list[tuple[int, slice, str]]:
        """Of each column that becomes vectors its index, its frequencies, and their name."""
        return [
            (self._n_plain + n, where, f"vectors_{n}")
            for n, (size, where) in enumerate(zip(self.sizes, self._slices, strict=True))
            if self._is_vector(size)
        ]

    @cached_property
    def _indicators(self) -> _Indicators:
        own = [n for n, size in enumerate(self.sizes) if not self._is_vector(size)]
        sizes = np.array([self.sizes[n] for n in own], np.intp)
        codes = np.arange(sizes.max(initial=0))
        is_code = codes < sizes[:, np.newaxis]
        starts = np.array([self._slices[n].start for n in own], np.intp)
        places = np.where(is_code, starts[:, np.newaxis] + codes, 0)
        columns = self._n_plain + np.array(own, np.intp)
        return _Indicators(columns, codes, is_code, places, np.flatnonzero(is_code))

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        vectors = {
            name: WeightSpec((where.stop - where.start, self.n_units), is_decayed=False)
            for _, where, name in self._vectors
        }
        return vectors | {"frequencies": WeightSpec((sum(self.sizes),), Kind.FITTED)}

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
            and all(self._is_vector(size) or size <= _MOST_INDICATORS for size in sizes)
        )

    def are_sound(self, weights: StageWeights) -> bool:
        return super().are_sound(weights) and bool((weights["frequencies"] >= 0).all())

    def start(self, draw: StageDraws) -> StageWeights:
        limit = self.n_units**-0.5
        return {
            name: draw.uniform(self.weight_specs[name].shape, limit) for _, _, name in self._vectors
        }

    def fit(self, x: Array, sample_weight: Array | None) -> StageWeights:
        frequencies = []
        for column, size in zip(x.T, self.sizes, strict=True):
            # Before them what has no code, as in a column of missing values only.
            counts = np.bincount(column.astype(np.intp) + 1, sample_weight, size + 1)[1:]
            frequencies.append(counts / (counts.sum() or 1))
        return {"frequencies": np.concatenate(frequencies)}

    def forward(self, x: Array, weights: StageWeights) -> Array:
        parts = [x[:, : self._n_plain], self._indicate(x, weights["frequencies"])]
        for column, where, name in self._vectors:
            parts.append(_look_up(x[:, column], weights[name], weights["frequencies"][where]))
        return np.concatenate(parts, axis=1)

    def _indicate(self, x: Array, frequencies: Array) -> Array:
        own = self._indicators
        means = np.where(own.is_code, frequencies[own.places], 0)
        # As integers, which Keras makes of whatever comes.
        is_own = x[:, own.columns].astype(np.intp)[:, :, np.newaxis] == own.codes
        is_own &= means > 0
        indicators = np.where(is_own.any(axis=2, keepdims=True), is_own, means)
        flat = indicators.reshape(len(x), means.size)[:, own.kept]
        return flat.astype(x.dtype, copy=False)

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        frequencies = weights["frequencies"]
        n_members = frequencies.shape[0]
        if x.shape[0] != n_members:  # rows that all members share
            x = tf.repeat(x, n_members, axis=0)
        parts = [x[:, :, : self._n_plain]]
        if len(self._indicators.columns):
            parts.append(self._trace_indicators(x, frequencies))
        for column, where, name in self._vectors:
            own = frequencies[:, where, tf.newaxis]
            mean = tf.reduce_sum(own * weights[name], axis=1, keepdims=True)
            # The mean in front, where an unknown category finds it.
            known = tf.where(own > 0, weights[name], mean)
            index = tf.cast(x[:, :, column], tf.int32) + 1
            parts.append(tf.gather(tf.concat([mean, known], axis=1), index, batch_dims=1))
        return tf.concat(parts, axis=2), {}

    def _trace_indicators(self, x: Tensor, frequencies: Tensor) -> Tensor:
        tf = load_tensorflow()
        own = self._indicators
        means = tf.gather(frequencies, own.places, axis=1)
        means = tf.where(own.is_code, means, tf.zeros_like(means))[:, tf.newaxis]  # k 1 c n
        codes = tf.gather(x, own.columns, axis=2)[..., tf.newaxis]
        is_own = tf.equal(codes, tf.constant(own.codes, x.dtype)) & (means > 0)
        is_known = tf.reduce_any(is_own, axis=3, keepdims=True)
        indicators = tf.where(is_known, tf.cast(is_own, x.dtype), means)
        flat = tf.reshape(indicators, [x.shape[0], -1, own.is_code.size])
        return flat if own.is_code.all() else tf.gather(flat, own.kept, axis=2)

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
            number = column - self._n_plain
            codes = keras.ops.cast(keras.ops.take(inputs, column, axis=1), "int32")
            indicators = keras.ops.one_hot(codes, size, dtype=dtype)
            if column in names:
                parts.append(self._vectors_of_keras(indicators, settings, names[column]))
            else:
                layer = _frozen(size, f"{name}_indicators_{number}", dtype, use_bias=True)
                parts.append(layer(indicators))
        outputs = keras.ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        return [keras.Model(inputs, outputs, name=name)]

    def _vectors_of_keras(self, indicators: Any, settings: LayerSettings, name: str) -> Any:
        """Return the learned vectors, of frequencies where no indicator is of a known category."""
        keras, dtype, name = load_keras(), settings.dtype, f"{settings.name}_{name}"
        is_known = _frozen(1, f"{name}_known", dtype)(indicators)
        is_unknown = keras.ops.subtract(1, is_known)
        mean = _frozen(indicators.shape[1], f"{name}_frequencies", dtype)(is_unknown)
        vectors = keras.layers.Dense(
            self.n_units, use_bias=False, kernel_initializer="zeros", dtype=dtype, name=name
        )
        return vectors(keras.ops.add(keras.ops.multiply(indicators, is_known), mean))

    @property
    def keras_names(self) -> dict[str, str]:
        return {name: f"{name}_kernel" for name in self.weight_specs}

    @property
    def n_keras_variables(self) -> int:
        n_vectors = len(self._vectors)
        return 3 * n_vectors + 2 * (len(self.sizes) - n_vectors)

    def to_keras(self, weights: StageWeights) -> list[Array]:
        """Return variables in the order of layers by their distance from the output."""
        frequencies = [weights["frequencies"][where] for _, where, _ in self._vectors]
        arrays = [(own[:, np.newaxis] > 0).astype(own.dtype) for own in frequencies]
        arrays += [own[np.newaxis] for own in frequencies]
        for size, where in zip(self.sizes, self._slices, strict=True):
            if not self._is_vector(size):
                own = weights["frequencies"][where]
                arrays += [np.where(own[:, np.newaxis] > 0, np.eye(size) - own, 0), own]
        return arrays + [weights[name] for _, _, name in self._vectors]

    def from_keras(self, variables: Sequence[Array]) -> StageWeights:
        n_vectors = len(self._vectors)
        of_vectors = iter(variables[n_vectors : 2 * n_vectors])
        biases = iter(variables[2 * n_vectors + 1 : len(variables) - n_vectors : 2])
        frequencies = [
            next(of_vectors)[0] if self._is_vector(size) else next(biases) for size in self.sizes
        ]
        names = [name for _, _, name in self._vectors]
        vectors = dict(zip(names, variables[len(variables) - n_vectors :], strict=True))
        return vectors | {"frequencies": np.concatenate(frequencies)}

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        parts = [ops.Gather(x, np.arange(self._n_plain), axis=1)] if self._n_plain else []
        if len(self._indicators.columns):
            parts.append(self._onnx_indicators(ops, weights["frequencies"], x))
        for column, where, name in self._vectors:
            own = ops.Reshape(ops.Gather(x, np.array([column]), axis=1), np.array([-1]))
            index = ops.Cast(ops.Add(own, 1), to=_INT64)
            vectors = _with_mean_first(weights[name], weights["frequencies"][where])
            parts.append(ops.Gather(vectors, index, axis=0))
        return ops.Concat(*parts, axis=1) if len(parts) > 1 else parts[0]

    def _onnx_indicators(self, ops: Operators, frequencies: Array, x: Node) -> Node:
        own = self._indicators
        means = np.where(own.is_code, frequencies[own.places], 0)
        codes = ops.Reshape(ops.Gather(x, own.columns, axis=1), np.array([-1, len(own.columns), 1]))
        known_codes = np.where(means > 0, own.codes, np.nan).astype(ops.dtype)
        is_own = ops.Where(ops.Equal(codes, known_codes), 1, 0)
        is_known = ops.ReduceMax(is_own, np.array([2]), keepdims=1)
        indicators = ops.Where(ops.Greater(is_known, 0), is_own, means)
        flat = ops.Reshape(indicators, np.array([-1, means.size]))
        return ops.Gather(flat, own.kept, axis=1)


class _Indicators(NamedTuple):
    """The columns that become indicators, of which each has as many codes as the longest.

    Attributes
    ----------
    columns : ndarray of int, of shape (c,)
    codes : ndarray of int, of shape (n,)
    is_code : ndarray of bool, of shape (c, n)
        Whether a column has a code.
    places : ndarray of int, of shape (c, n)
        Of its frequency.
    kept : ndarray of int
        Those that are codes, as they come after each other.
    """

    columns: NDArray[np.intp]
    codes: NDArray[np.intp]
    is_code: NDArray[np.bool_]
    places: NDArray[np.intp]
    kept: NDArray[np.intp]


def _look_up(codes: Array, vectors: Array, frequencies: Array) -> Array:
    """Return the vector of each code; the mean for those without a training row."""
    own = codes.astype(np.intp)
    is_known = (own >= 0) & (own < len(vectors))
    own[~is_known] = 0
    is_known &= frequencies[own] > 0
    found = vectors[own]
    if not is_known.all():
        found[~is_known] = frequencies @ vectors
    return found


def _with_mean_first(vectors: Array, frequencies: Array) -> Array:
    """Return the vectors after their mean, which a code of -1 finds there."""
    mean = frequencies @ vectors
    known = np.where(frequencies[:, np.newaxis] > 0, vectors, mean)
    return np.concatenate([mean[np.newaxis], known])


def _frozen(units: int, name: str, dtype: str, *, use_bias: bool = False) -> Any:
    """Return a layer of Keras for fitted weights."""
    return load_keras().layers.Dense(
        units,
        use_bias=use_bias,
        kernel_initializer="zeros",
        dtype=dtype,
        name=name,
        trainable=False,
    )


_INT64 = 7
"""The dtype's number in ONNX."""
