"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ..._backend.loading import load_keras, load_tensorflow
from .stage import Array, LayerSettings, Stage, StageBatch, StageTensors, StageWeights, Tensor

if TYPE_CHECKING:
    from ..onnx_operators import Node, Operators


@dataclass(frozen=True)
class Dropout(Stage):
    """Dropout, which only training does.

    The rate is data of a training, not structure: networks that differ by it alone are equal
    and share a compiled program.
    """

    rate: float = field(compare=False)

    is_random: ClassVar[bool] = True

    def width_out(self, width_in: int) -> int:
        return width_in

    @property
    def description(self) -> str:
        return f"Dropout, {self.rate:g}"

    @property
    def numbers(self) -> tuple[float, ...]:
        return (self.rate,)

    @property
    def is_sound(self) -> bool:
        return isinstance(self.rate, float) and 0 <= self.rate < 1

    def forward(self, x: Array, weights: StageWeights) -> Array:
        return x

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        if batch is None:
            return x, {}

        # A seed for each member, so that its masks do not depend on how many train beside it.
        def draw(seed: Tensor) -> Tensor:
            return tf.random.stateless_uniform(x.shape[1:], seed, dtype=x.dtype, alg="threefry")

        if x.shape[0] == 1:  # a loop takes long to compile
            drawn = tf.expand_dims(draw(tf.squeeze(batch.seed, 0)), 0)
        else:
            drawn = tf.map_fn(draw, batch.seed, fn_output_signature=x.dtype)
        rate = tf.reshape(batch.numbers, [-1, 1, 1])
        return tf.where(drawn >= rate, x / (1 - rate), tf.zeros_like(x)), {}

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        layers = load_keras().layers
        layer = layers.Dropout(
            self.rate, seed=settings.seed, dtype=settings.dtype, name=settings.name
        )
        return [layer]

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        return x
