"""A network as a graph of ONNX operators: what its forward pass in NumPy computes."""

from __future__ import annotations

from .network import Network, Weights, cast_weights_to_compute
from .onnx_operators import Node, Operators


def network_graph(ops: Operators, network: Network, weights: Weights, x: Node) -> Node:
    """Return what goes into the output's activation, of columns in any dtype of numbers.

    Raises
    ------
    ValueError
        For an activation that has no form in ONNX.
    """
    x = x if network.scales_columns else ops.cast(x)
    weights = cast_weights_to_compute(network, weights, ops.dtype)
    for stage, own in zip(network.stages, weights, strict=True):
        x = stage.onnx_graph(ops, own, x)
    return x
