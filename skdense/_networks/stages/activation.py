"""Activation functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backend.keras_objects import ActivationFunction, KerasObject, activation_function
from ..._backend.loading import load_keras, load_tensorflow, require_eager
from ..numpy_activations import NUMPY_ACTIVATIONS
from ..onnx_activations import apply_activation
from .stage import Array, LayerSettings, Stage, StageBatch, StageTensors, StageWeights, Tensor

if TYPE_CHECKING:
    from ..onnx_operators import Node, Operators


@dataclass(frozen=True)
class Activation(Stage):
    """An activation function: a Keras name, a Keras object's configuration, or a callable."""

    function: ActivationFunction

    def width_out(self, width_in: int) -> int:
        return width_in

    @property
    def description(self) -> str:
        function = self.function
        name = getattr(function, "class_name", None) or getattr(function, "__name__", None)
        name = function if isinstance(function, str) else name or type(function).__name__
        return f"Activation, {name}"

    def forward(self, x: Array, weights: StageWeights) -> Array:
        if isinstance(self.function, str) and self.function in NUMPY_ACTIVATIONS:
            return NUMPY_ACTIVATIONS[self.function](x)
        require_eager()
        return np.asarray(activation_function(self.function)(x))

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        rows = tf.reshape(x, [-1, x.shape[-1]])
        own = _TRACED.get(self.function) if isinstance(self.function, str) else None
        function = own or activation_function(self.function)
        return tf.reshape(function(rows), [x.shape[0], -1, x.shape[-1]]), {}

    @property
    def tensor_function(self) -> Callable[[Tensor], Tensor]:
        """What becomes of a tensor of shape (rows, units)."""
        return activation_function(self.function)

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        function = self.keras_function(settings.dtype)
        layers = load_keras().layers
        return [layers.Activation(function, dtype=settings.dtype, name=settings.name)]

    def keras_function(self, dtype: str) -> Any:
        """Return the function as Keras' layers take it; a layer gets the network's dtype."""
        function = self.function
        if isinstance(function, KerasObject) and "dtype" in function.arguments:
            return function.with_arguments(dtype=dtype).build()
        return function if isinstance(function, str) else activation_function(function)

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        return apply_activation(ops, self.function, x)


def _relu(x: Tensor) -> Tensor:
    """Return Keras' relu, whose own takes TensorFlow 14 ms to compile; NaN stays NaN."""
    tf = load_tensorflow()
    return tf.where(x <= 0, tf.zeros_like(x), x)


def _silu(x: Tensor) -> Tensor:
    """Return Keras' silu, of whose own TensorFlow keeps the graph around it for good."""
    return x * load_tensorflow().sigmoid(x)


_TRACED: dict[str, Callable[[Tensor], Tensor]] = {"relu": _relu, "silu": _silu, "swish": _silu}
