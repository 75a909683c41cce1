"""The layers of a network as HTML, for notebooks."""

from __future__ import annotations

from html import escape

from ._network import Activation, Dense, Dropout, Network, Normalization, Stage, Weights


def layers_html(network: Network, weights: Weights) -> str:
    """Return a table of the layers and their numbers of parameters, folded up.

    Parameters
    ----------
    network : Network
    weights : one dict of arrays per stage of the network
    """
    stages = (*network.stages, network.output)
    sizes = [*(sum(array.size for array in own.values()) for own in weights), 0]
    rows = "".join(
        f"<tr><td>{escape(_described(stage))}</td><td style='text-align: right'>{size:,}</td></tr>"
        for stage, size in zip(stages, sizes, strict=True)
    )
    return (
        f"<details><summary>{network.n_inputs} features, {len(network.dense)} dense layers, "
        f"{sum(sizes):,} parameters</summary><table><thead><tr><th>Layer</th>"
        f"<th>Parameters</th></tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _described(stage: Stage) -> str:
    if isinstance(stage, Dense):
        return f"Dense, {stage.n_units} unit{'s' if stage.n_units > 1 else ''}"
    if isinstance(stage, Normalization):
        return "BatchNormalization"
    if isinstance(stage, Dropout):
        return f"Dropout, {stage.rate:g}"
    return f"Activation, {_activation_name(stage)}"


def _activation_name(stage: Activation) -> str:
    function = stage.function
    name = getattr(function, "class_name", None) or getattr(function, "__name__", None)
    return function if isinstance(function, str) else name or type(function).__name__
