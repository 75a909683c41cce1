"""A learned factor for each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

# Factors are kept divided by this: for Adam as good as a learning rate that is so many times as
# high, as in RealMLP (arXiv 2407.04491).
_SPEED = 6.0


@dataclass(frozen=True)
class LearnedScale(Stage):
    """Columns times a learned factor, which starts at 1: a soft choice among them."""

    n_columns: int

    def width_out(self, width_in: int) -> int:
        require_width(self.n_columns, width_in)
        return width_in

    @property
    def description(self) -> str:
        return f"LearnedScale, {self.n_columns} columns"

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        return {"factor": WeightSpec((self.n_columns,), is_decayed=False)}

    @property
    def is_sound(self) -> bool:
        return is_size(self.n_columns)

    def start(self, draw: StageDraws) -> StageWeights:
        return {"factor": np.full(self.n_columns, 1 / _SPEED)}

    def forward(self, x: Array, weights: StageWeights) -> Array:
        x *= weights["factor"] * x.dtype.type(_SPEED)
        return x

    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        tf = load_tensorflow()
        return x * (weights["factor"] * _SPEED)[:, tf.newaxis], {}

    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        layers, name = load_keras().layers, settings.name
        factor = layers.EinsumDense(
            "bc,c->bc",
            (self.n_columns,),
            kernel_initializer="ones",
            dtype=settings.dtype,
            name=name,
        )
        return [factor, layers.Rescaling(_SPEED, dtype=settings.dtype, name=f"{name}_speed")]

    @property
    def keras_names(self) -> dict[str, str]:
        return {"factor": "kernel"}

    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        return ops.Mul(x, weights["factor"] * weights["factor"].dtype.type(_SPEED))
