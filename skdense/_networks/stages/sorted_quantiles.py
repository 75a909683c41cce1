"""Quantiles in order: the output of a network that learns several of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backend.keras_objects import ActivationFunction
from ..._backend.loading import load_keras, load_tensorflow
from .activation import Activation
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


# So many numbers sort faster by comparing all pairs: a gradient of 1,024 rows takes .44 ms in place
# of 1.0 for 3 of them, .45 in place of 2.6 for 19, 14 in place of 15 for 99.
_MOST_RANKED = 32


@dataclass(frozen=True)
class SortedQuantiles(Stage):
    """An activation function, after which the quantiles of each target are sorted.

    So that none crosses another. It costs nothing: the pinball losses of a number at two levels
    differ by its distance from the quantile times the difference of the levels, so that their sum
    is the least where the lower level has the lower number. The gradient follows the order.

    Attributes
    ----------
    function : str, KerasObject or callable
        Of each number by itself.
    n_targets, n_quantiles : int
        All quantiles of the first target come first.
    shifts : tuple of float
        What is added to each in the end, after which they are sorted once more; may be empty. Of a
        trained network, and no part of any program.
    """

    function: ActivationFunction
    n_targets: int
    n_quantiles: int
    shifts: tuple[float, ...] = field(default=(), compare=False)

    def width_out(self, width_in: int) -> int:
        require_width(self.n_targets * self.n_quantiles, width_in)
        return width_in

    @property
    def description(self) -> str:
        return f"{self._activation.description}, {self.n_quantiles} quantiles sorted"

    @property
    def is_sound(self) -> bool:
        if not (is_size(self.n_targets) and is_size(self.n_quantiles)):
            return False
        return len(self.shifts) in (0, self.n_targets * self.n_quantiles)

    @property
    def _shape(self) -> tuple[int, int]:
        return self.n_targets, self.n_quantiles

    @property
    def _activation(self) -> Activation:
        return Activation(self.function)

    def forward(self, x: Array, weights: StageWeights) -> Array:
        outputs = self._activation.forward(x, {})
        by_target = np.sort(outputs.reshape(-1, *self._shape), axis=-1)
        if self.shifts:
            shifts = np.array(self.shifts, x.dtype).reshape(self._shape)
            by_target = np.sort(by_target + shifts, axis=-1)
        return by_target.reshape(outputs.shape)

    @property
    def tensor_function(self) -> Callable[[Tensor], Tensor]:
        """What becomes of a tensor of shape (rows, units)."""
        activate = self._activation.tensor_function
        return lambda x: self._sort_tensor(activate(x))

    def _sort_tensor(self, x: Tensor) -> Tensor:
        tf = load_tensorflow()
        by_target = tf.reshape(x, [-1, *self._shape])
        sort = _sort_by_ranks if self.n_quantiles <= _MOST_RANKED else tf.sort
        return tf.reshape(sort(by_target), tf.shape(x))

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        rows = tf.reshape(x, [-1, x.shape[-1]])
        return tf.reshape(self.tensor_function(rows), [x.shape[0], -1, x.shape[-1]]), {}

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        keras, width = load_keras(), self.n_targets * self.n_quantiles
        inputs = keras.Input((width,), dtype=settings.dtype)
        [activation] = self._activation.keras_layers(settings)
        by_target = keras.layers.Reshape(self._shape, dtype=settings.dtype)(activation(inputs))
        in_order = keras.ops.sort(by_target, axis=-1)
        if self.shifts:
            shifts = np.reshape(self.shifts, self._shape).tolist()
            shift = keras.layers.Rescaling(1.0, offset=shifts, dtype=settings.dtype)
            in_order = keras.ops.sort(shift(in_order), axis=-1)
        outputs = keras.layers.Reshape((width,), dtype=settings.dtype)(in_order)
        return [keras.Model(inputs, outputs, name=settings.name)]

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        outputs = self._activation.onnx_graph(ops, {}, x)
        in_order = self._sort_by_onnx(ops, ops.Reshape(outputs, np.array([-1, *self._shape])))
        if self.shifts:
            shifts = np.array(self.shifts, ops.dtype).reshape(self._shape)
            in_order = self._sort_by_onnx(ops, ops.Add(in_order, shifts))
        return ops.Reshape(in_order, np.array([-1, self.n_targets * self.n_quantiles]))

    def _sort_by_onnx(self, ops: Operators, x: Node) -> Node:
        return ops.TopK(x, np.array([self.n_quantiles]), axis=-1, largest=0, sorted=1)[0]


def _sort_by_ranks(x: Tensor) -> Tensor:
    """Sort along the last axis; of equal numbers the first comes first."""
    tf = load_tensorflow()
    place = tf.range(x.shape[-1])
    one, other = x[..., :, tf.newaxis], x[..., tf.newaxis, :]
    is_earlier = (other == one) & (place[tf.newaxis, :] < place[:, tf.newaxis])
    ranks = tf.reduce_sum(tf.cast((other < one) | is_earlier, tf.int32), axis=-1)
    is_there = ranks[..., tf.newaxis, :] == place[:, tf.newaxis]
    return tf.reduce_sum(tf.where(is_there, other, tf.zeros_like(other)), axis=-1)
