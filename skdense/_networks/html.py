"""The layers of a network as HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .network import Network, Weights


def layers_html(network: Network, members: Sequence[Weights]) -> str:
    """Return a table of the layers and their numbers of parameters, folded up.

    Parameters
    ----------
    network : Network
    members : sequence of Weights
        Of networks that are alike.
    """
    stages = (*network.stages, network.output)
    sizes = [*(sum(array.size for array in own.values()) for own in members[0]), 0]
    rows = "".join(
        f"<tr><td>{escape(stage.description)}</td><td style='text-align: right'>{size:,}</td></tr>"
        for stage, size in zip(stages, sizes, strict=True)
    )
    number = f"{len(members)} networks of " if len(members) > 1 else ""
    return (
        f"<details><summary>{number}{network.n_inputs} features, {len(network.dense)} dense "
        f"layers, {sum(sizes):,} parameters</summary><table><thead><tr><th>Layer</th>"
        f"<th>Parameters</th></tr></thead><tbody>{rows}</tbody></table></details>"
    )
