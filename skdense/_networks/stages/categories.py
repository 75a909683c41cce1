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

# Of one column, in a network from anywhere, since the view in Keras has a square of so many.
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
        starts = np.array([self._slices[n].start for n in own], np.intp)
        which = np.arange(len(own)).repeat(sizes)
        codes = np.concatenate([np.arange(size) for size in (0, *sizes)])
        columns = self._n_plain + np.array(own, np.intp)
        return _Indicators(columns, sizes, starts, which, codes, starts[which] + codes)

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
        # As integers, which Keras makes of whatever comes.
        codes = x[:, own.columns].astype(np.intp)
        is_known = (codes >= 0) & (codes < own.sizes)
        is_known &= frequencies[own.starts + np.where(is_known, codes, 0)] > 0
        codes[~is_known] = -1
        codes = codes[:, own.which]
        indicators = (codes == own.codes).astype(x.dtype)
        if not is_known.all():
            np.copyto(indicators, frequencies[own.places], where=codes < 0)
        return indicators

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
        codes = tf.gather(x, own.columns, axis=2)
        is_code = (codes >= 0) & (codes < tf.constant(own.sizes, x.dtype))
        places = tf.cast(tf.where(is_code, codes, tf.zeros_like(codes)), tf.int32)
        places += tf.constant(own.starts, tf.int32)
        is_known = is_code & (tf.gather(frequencies, places, batch_dims=1) > 0)
        # Compared by each code only then, which costs half of a comparison before.
        known = tf.gather(tf.where(is_known, codes, -tf.ones_like(codes)), own.which, axis=2)
        is_own = tf.cast(tf.equal(known, tf.constant(own.codes, x.dtype)), x.dtype)
        means = tf.gather(frequencies, own.places, axis=1)[:, tf.newaxis]
        return tf.where(known < 0, means, is_own)

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
        codes = ops.Gather(x, own.columns, axis=1)
        sizes, starts = own.sizes.astype(ops.dtype), own.starts.astype(ops.dtype)
        is_code = ops.And(ops.GreaterOrEqual(codes, 0), ops.Less(codes, sizes))
        places = ops.Cast(ops.Add(ops.Where(is_code, codes, 0), starts), to=_INT64)
        frequencies = frequencies.astype(ops.dtype)
        is_known = ops.And(is_code, ops.Greater(ops.Gather(frequencies, places, axis=0), 0))
        known = ops.Gather(ops.Where(is_known, codes, -1), own.which, axis=1)
        is_own = ops.Where(ops.Equal(known, own.codes.astype(ops.dtype)), 1, 0)
        return ops.Where(ops.Less(known, 0), frequencies[own.places], is_own)


class _Indicators(NamedTuple):
    """The columns that become indicators, and these.

    Attributes
    ----------
    columns, sizes, starts : ndarray of int, of shape (c,)
        Of each column its index, how many codes it has, and where its frequencies begin.
    which, codes, places : ndarray of int, of shape (n,)
        Of each indicator which of these columns it is of, for which code, and where the frequency
        of that is.
    """

    columns: NDArray[np.intp]
    sizes: NDArray[np.intp]
    starts: NDArray[np.intp]
    which: NDArray[np.intp]
    codes: NDArray[np.intp]
    places: NDArray[np.intp]


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
