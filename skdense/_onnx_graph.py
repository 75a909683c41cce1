"""A network as a graph of ONNX operators: what its forward pass in NumPy computes."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from numbers import Real
from typing import Any

import numpy as np

from ._network import (
    Activation,
    Dense,
    Dropout,
    Network,
    Normalization,
    Stage,
    StageWeights,
    Weights,
    cast_weights,
    scale_and_shift,
)

Node = Any  # an operator's output, or a name of an input


class Operators:
    """Operators of ONNX by name, with numbers among their inputs in one floating dtype.

    Parameters
    ----------
    opset : int
    dtype : {np.float32, np.float64}
    """

    def __init__(self, opset: int, dtype: Any) -> None:
        self._opset, self.dtype = opset, dtype

    def __getattr__(self, name: str) -> Callable[..., Node]:
        from skl2onnx.algebra import onnx_ops

        operator = getattr(onnx_ops, f"Onnx{name}")

        def apply(*inputs: Any, **attributes: Any) -> Node:
            operands = [self.dtype(x) if isinstance(x, Real) else x for x in inputs]
            operands = [np.array([x]) if isinstance(x, np.generic) else x for x in operands]
            return operator(*operands, op_version=self._opset, **attributes)

        return apply

    def between(self, x: Node, least: float, most: float) -> Node:
        return self.Max(self.Min(x, most), least)


def network_graph(ops: Operators, network: Network, weights: Weights, x: Node) -> Node:
    """Return what goes into the output's activation.

    Raises
    ------
    ValueError
        For an activation that has no form in ONNX.
    """
    for stage, own in zip(network.stages, cast_weights(weights, ops.dtype), strict=True):
        x = _stage_graph(stage, ops, own, x)
    return x


@singledispatch
def _stage_graph(stage: Stage, ops: Operators, weights: StageWeights, x: Node) -> Node:
    raise TypeError(f"no ONNX operators for {stage!r}")


@_stage_graph.register
def _(stage: Dense, ops: Operators, weights: StageWeights, x: Node) -> Node:
    return ops.Add(ops.MatMul(x, weights["kernel"]), weights["bias"])


@_stage_graph.register
def _(stage: Normalization, ops: Operators, weights: StageWeights, x: Node) -> Node:
    scale, shift = scale_and_shift(weights)
    return ops.Add(ops.Mul(x, scale.astype(ops.dtype)), shift.astype(ops.dtype))


@_stage_graph.register
def _(stage: Dropout, ops: Operators, weights: StageWeights, x: Node) -> Node:
    return x


@_stage_graph.register
def _(stage: Activation, ops: Operators, weights: StageWeights, x: Node) -> Node:
    return activation_graph(ops, stage, x)


def activation_graph(ops: Operators, stage: Activation, x: Node) -> Node:
    """Return an activation, by Keras' formula.

    Raises
    ------
    ValueError
        If it has no form here.
    """
    if not isinstance(stage.function, str) or stage.function not in _ACTIVATIONS:
        known = ", ".join(_ACTIVATIONS)
        raise ValueError(
            f"activation must be a name that has a form in ONNX: {known}. Got {stage.function!r}."
        )
    return _ACTIVATIONS[stage.function](ops, x)


def _gelu(ops: Operators, x: Node) -> Node:
    return ops.Mul(ops.Mul(x, 0.5), ops.Add(ops.Erf(ops.Mul(x, np.sqrt(0.5))), 1))


def _hard_sigmoid(ops: Operators, x: Node) -> Node:
    return ops.between(ops.Add(ops.Div(x, 6), 0.5), 0, 1)


def _squareplus(ops: Operators, x: Node) -> Node:
    return ops.Div(ops.Add(x, ops.Sqrt(ops.Add(ops.Mul(x, x), 4))), 2)


def _sparse_plus(ops: Operators, x: Node) -> Node:
    # (x + 1)^2 / 4 within -1 and 1, and then x.
    bent = ops.between(ops.Add(x, 1), 0, 2)
    return ops.Add(ops.Div(ops.Mul(bent, bent), 4), ops.Relu(ops.Sub(x, 1)))


def _soft_shrink(ops: Operators, x: Node) -> Node:
    return ops.Sub(x, ops.between(x, -0.5, 0.5))


def _hard_shrink(ops: Operators, x: Node) -> Node:
    return ops.Where(ops.Greater(ops.Abs(x), 0.5), x, 0)


def _silu(ops: Operators, x: Node) -> Node:
    return ops.Mul(x, ops.Sigmoid(x))


def _hard_silu(ops: Operators, x: Node) -> Node:
    return ops.Mul(x, _hard_sigmoid(ops, x))


_ACTIVATIONS: dict[str, Callable[[Operators, Node], Node]] = {
    "celu": lambda ops, x: ops.Elu(x),
    "elu": lambda ops, x: ops.Elu(x),
    "exponential": lambda ops, x: ops.Exp(x),
    "gelu": _gelu,
    "hard_shrink": _hard_shrink,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "hard_tanh": lambda ops, x: ops.between(x, -1, 1),
    "leaky_relu": lambda ops, x: ops.Max(x, ops.Mul(x, 0.2)),
    "linear": lambda ops, x: ops.Identity(x),
    "log_sigmoid": lambda ops, x: ops.Neg(ops.Softplus(ops.Neg(x))),
    "log_softmax": lambda ops, x: ops.LogSoftmax(x, axis=1),
    "mish": lambda ops, x: ops.Mul(x, ops.Tanh(ops.Softplus(x))),
    "relu": lambda ops, x: ops.Relu(x),
    "relu6": lambda ops, x: ops.between(x, 0, 6),
    "selu": lambda ops, x: ops.Selu(x),
    "sigmoid": lambda ops, x: ops.Sigmoid(x),
    "silu": _silu,
    "soft_shrink": _soft_shrink,
    "softmax": lambda ops, x: ops.Softmax(x, axis=1),
    "softplus": lambda ops, x: ops.Softplus(x),
    "softsign": lambda ops, x: ops.Softsign(x),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda ops, x: ops.between(ops.Div(ops.Add(x, 1), 2), 0, 1),
    "squareplus": _squareplus,
    "swish": _silu,
    "tanh": lambda ops, x: ops.Tanh(x),
    "tanh_shrink": lambda ops, x: ops.Sub(x, ops.Tanh(x)),
}
