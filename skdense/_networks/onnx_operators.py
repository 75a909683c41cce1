"""Operators of ONNX, as functions."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

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
            return operator(*operands, **({"op_version": self._opset} | attributes))

        return apply

    @property
    def in_double(self) -> Operators:
        """The same operators with numbers in float64."""
        return Operators(self._opset, np.float64)

    @property
    def in_single(self) -> Operators:
        """The same operators with numbers in float32."""
        return Operators(self._opset, np.float32)

    def cast(self, x: Node) -> Node:
        """Return numbers, or booleans, in the floating dtype."""
        from onnx.helper import np_dtype_to_tensor_dtype

        return self.Cast(x, to=np_dtype_to_tensor_dtype(np.dtype(self.dtype)))

    def mean(self, *inputs: Node) -> Node:
        """Return the mean of nodes; onnxruntime has no Mean in float64."""
        return self.Div(self.Sum(*inputs), len(inputs))

    def between(self, x: Node, least: float, most: float) -> Node:
        return self.Max(self.Min(x, most), least)
