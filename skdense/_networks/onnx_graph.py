"""A network as a graph of ONNX operators: what its forward pass in NumPy computes."""

from __future__ import annotations

from .network import Network, Weights, cast_weights
from .onnx_operators import Node, Operators


def network_graph(ops: Operators, network: Network, weights: Weights, x: Node) -> Node:
    """Return what goes into the output's activation.

    Raises
    ------
    ValueError
        For an activation that has no form in ONNX.
    """
    for stage, own in zip(network.stages, cast_weights(weights, ops.dtype), strict=True):
        x = stage.onnx_graph(ops, own, x)
    return x
