"""The layers of a network as HTML, for notebooks."""

from __future__ import annotations

from html import escape

from .network import Network, Weights


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
        f"<tr><td>{escape(stage.description)}</td><td style='text-align: right'>{size:,}</td></tr>"
        for stage, size in zip(stages, sizes, strict=True)
    )
    return (
        f"<details><summary>{network.n_inputs} features, {len(network.dense)} dense layers, "
        f"{sum(sizes):,} parameters</summary><table><thead><tr><th>Layer</th>"
        f"<th>Parameters</th></tr></thead><tbody>{rows}</tbody></table></details>"
    )
