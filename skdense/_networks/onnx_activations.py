"""Activation functions as operators of ONNX, by Keras' formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .onnx_operators import Node, Operators


def apply_activation(ops: Operators, function: Any, x: Node) -> Node:
    """Return an activation of x.

    Raises
    ------
    ValueError
        If it has no form here.
    """
    if not isinstance(function, str) or function not in _ACTIVATIONS:
        known = ", ".join(_ACTIVATIONS)
        raise ValueError(
            f"activation must be a name that has a form in ONNX: {known}. Got {function!r}."
        )
    return _ACTIVATIONS[function](ops, x)


def _gelu(ops: Operators, x: Node) -> Node:
    # onnxruntime has no Erf in float64.
    erf = ops.cast(ops.Erf(ops.in_single.cast(ops.Mul(x, np.sqrt(0.5)))))
    return ops.Mul(ops.Mul(x, 0.5), ops.Add(erf, 1))


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
