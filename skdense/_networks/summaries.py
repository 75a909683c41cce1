"""The layers of a network and their numbers of parameters, as text and as HTML.

A parameter is a number in a variable of the Keras model, trained or not, of all members together,
so that every count is that of ``to_keras().count_params()``, without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from .network import Network, Weights
from .stages.stage import Kind


class _Layer(NamedTuple):
    description: str
    width: int
    n_parameters: int
    n_trained: int


def _layers(network: Network, weights: Weights) -> Iterator[_Layer]:
    width = network.n_inputs
    for stage, own in zip((*network.stages, network.output), (*weights, {}), strict=True):
        width = stage.width_out(width)
        n_parameters = sum(map(np.size, stage.to_keras(own)))
        trained = [name for name, spec in stage.weight_specs.items() if spec.kind is Kind.TRAINED]
        n_trained = sum(own[name].size for name in trained)
        yield _Layer(stage.description, width, n_parameters, n_trained)


def layers_text(network: Network, members: Sequence[Weights]) -> str:
    """Return a table of the layers of one member, and the number of parameters of all.

    Parameters
    ----------
    network : Network
    members : sequence of Weights
        Of networks that are alike.
    """
    layers, n_members = list(_layers(network, members[0])), len(members)
    title = f"Layers of each of {n_members} members" if n_members > 1 else "Layers"
    rows = [(title, "Output", "Parameters")]
    rows += [(layer.description, f"{layer.width:,}", f"{layer.n_parameters:,}") for layer in layers]
    first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [f"{a:<{first}}  {b:>{second}}  {c:>{third}}" for a, b, c in rows]
    lines.insert(1, "-" * len(lines[0]))
    n_parameters = sum(layer.n_parameters for layer in layers)
    n_trained = sum(layer.n_trained for layer in layers)
    each = f" ({n_members} members of {n_parameters:,})" if n_members > 1 else ""
    return "\n".join(
        (
            *lines,
            lines[1],
            f"Total params: {n_members * n_parameters:,}{each}",
            f"Trainable params: {n_members * n_trained:,}",
            f"Non-trainable params: {n_members * (n_parameters - n_trained):,}",
        )
    )


def layers_html(network: Network, members: Sequence[Weights]) -> str:
    """Return a table of the layers of one member, folded up, with the parameters of all.

    Parameters
    ----------
    network : Network
    members : sequence of Weights
        Of networks that are alike.
    """
    layers = list(_layers(network, members[0]))
    rows = "".join(
        f"<tr><td>{escape(layer.description)}</td>"
        f"<td style='text-align: right'>{layer.n_parameters:,}</td></tr>"
        for layer in layers
    )
    n_parameters, n_members = sum(layer.n_parameters for layer in layers), len(members)
    title = f"{network.n_inputs} features, {len(network.dense)} dense layers, "
    if n_members > 1:
        title = f"{n_members} members of {title}{n_parameters:,} parameters each, "
    return (
        f"<details><summary>{title}{n_members * n_parameters:,} parameters</summary><table>"
        f"<thead><tr><th>Layer</th><th>Parameters</th></tr></thead><tbody>{rows}</tbody></table>"
        "</details>"
    )
