"""The dense layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

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
class Dense(Stage):
    """``x @ kernel + bias``, from (rows, n_inputs) to (rows, n_units)."""

    n_inputs: int
    n_units: int

    takes_sparse: ClassVar[bool] = True
    takes_activation: ClassVar[bool] = True

    def width_out(self, width_in: int) -> int:
        require_width(self.n_inputs, width_in)
        return self.n_units

    @property
    def description(self) -> str:
        return f"Dense, {self.n_units} unit{'s' if self.n_units > 1 else ''}"

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        kernel = WeightSpec((self.n_inputs, self.n_units), is_penalised=True)
        return {"kernel": kernel, "bias": WeightSpec((self.n_units,))}

    @property
    def is_sound(self) -> bool:
        return is_size(self.n_inputs) and is_size(self.n_units)

    def start(self, draw: StageDraws) -> StageWeights:
        kernel = draw.kernel((self.n_inputs, self.n_units))
        return {"kernel": kernel, "bias": np.zeros(self.n_units, kernel.dtype)}

    def forward(self, x: Array, weights: StageWeights) -> Array:
        product = x @ weights["kernel"]
        product += weights["bias"]
        return product

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        return _product(x, weights["kernel"]) + tf.expand_dims(weights["bias"], 1), {}

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        keras = load_keras()
        layer = keras.layers.Dense(
            self.n_units,
            activation=settings.activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=settings.seed),
            kernel_regularizer=settings.kernel_regularizer,
            dtype=settings.dtype,
            name=settings.name,
        )
        return [layer]

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        return ops.Add(ops.MatMul(x, weights["kernel"]), weights["bias"])


def _product(x: Tensor, kernel: Tensor) -> Tensor:
    """Return x @ kernel, with a gradient that XLA computes fast on processors.

    Of a gradient that `tf.custom_gradient` defines TensorFlow keeps the whole graph around it
    for good; a registered one belongs to no graph.
    """
    tf = load_tensorflow()
    _register_gradient()
    graph = tf.compat.v1.get_default_graph()
    with graph.gradient_override_map({_PRODUCT: _GRADIENT}):
        return tf.linalg.matmul(x, kernel)


# What TensorFlow calls the product of batches of matrices, and our name for its gradient.
_PRODUCT, _GRADIENT = "BatchMatMulV2", "SkdenseProduct"


@cache
def _register_gradient() -> None:
    tf = load_tensorflow()
    tf.RegisterGradient(_GRADIENT)(_gradients_of_product)


def _gradients_of_product(product: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of a product's two factors.

    The gradient of a kernel is a product with one factor transposed. The order that TensorFlow
    takes makes XLA walk through all of x in strides: for 512 units before 10 classes, batch
    128, that took 135 us; with the smaller factor transposed it takes 40 us.
    """
    tf = load_tensorflow()
    x, kernel = product.inputs
    n_inputs, n_units = kernel.shape[1:]
    of_x = tf.matmul(upstream, kernel, transpose_b=True)
    if 2 * n_units <= n_inputs:
        of_kernel = tf.linalg.matrix_transpose(tf.matmul(upstream, x, transpose_a=True))
    else:
        of_kernel = tf.matmul(tf.linalg.matrix_transpose(x), upstream)
    return of_x, of_kernel
