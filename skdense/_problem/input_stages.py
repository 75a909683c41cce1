"""What stands before the hidden layers: columns scaled, embedded, and weighed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._networks.network import Network
from .._networks.stages import (
    Categories,
    Embedding,
    LearnedScale,
    Periodic,
    PiecewiseLinear,
    RobustScaling,
    Stage,
)
from .rows import Rows

# Columns of more categories become vectors.
MOST_INDICATORS = 16
# Numbers that are looked at together.
_BLOCK_SIZE = 2**20


def make_input_stages(
    n_columns: int,
    embedded: tuple[int, ...],
    category_sizes: tuple[int, ...],
    input_scaling: str | None,
    numeric_embedding: str | None,
    embedding_units: int,
    n_bins: int,
    learned_scale: bool,
) -> list[Stage]:
    """Return the stages that columns pass first.

    `embedded` says which of them are embedded, `category_sizes` how many codes the last ones have.
    """
    stages: list[Stage] = []
    if input_scaling == "robust" and n_columns > len(category_sizes):
        stages.append(RobustScaling(n_columns, len(category_sizes)))
    if embedded and numeric_embedding == "piecewise_linear":
        stages.append(PiecewiseLinear(n_columns, embedded, int(embedding_units), int(n_bins)))
    if embedded and numeric_embedding == "periodic":
        stages.append(Periodic(n_columns, embedded, int(embedding_units)))
    width = n_columns
    for stage in stages:
        width = stage.width_out(width)
    if category_sizes:
        stages.append(Categories(width, category_sizes, int(embedding_units), MOST_INDICATORS))
        width = stages[-1].width_out(width)
    if learned_scale:
        stages.append(LearnedScale(width))
    return stages


def describe_input_stages(stages: list[Stage]) -> dict[str, Any]:
    """Return the parameters of which `make_input_stages` makes these, without the defaults."""
    given: dict[str, Any] = {}
    for stage in stages:
        if isinstance(stage, RobustScaling):
            given["input_scaling"] = "robust"
        elif isinstance(stage, LearnedScale):
            given["learned_scale"] = True
        elif isinstance(stage, Embedding):
            is_periodic = isinstance(stage, Periodic)
            given["numeric_embedding"] = "periodic" if is_periodic else "piecewise_linear"
            given["embedding_units"] = stage.n_units
        if isinstance(stage, PiecewiseLinear):
            given["n_bins"] = stage.n_bins
    return given


def scales_exactly(network: Network) -> bool:
    """Say whether a network scales its columns without rounding them to float32."""
    first = network.stages[0]
    return isinstance(first, RobustScaling) and first.is_exact


def with_exact_scaling(network: Network) -> Network:
    """Return a network that does not round scaled columns to float32; itself if it scales none."""
    first, *others = network.stages
    if not isinstance(first, RobustScaling):
        return network
    return replace(network, stages=(replace(first, is_exact=True), *others))


def find_embedded(network: Network) -> tuple[int, ...]:
    """Return the columns that a network embeds."""
    return next((s.columns for s in network.stages if isinstance(s, Embedding)), ())


def find_columns_to_embed(rows: Rows, n_codes: int) -> tuple[int, ...]:
    """Return the columns of more than two values: of two, a linear function says it all.

    The last ones are codes, and stay out.
    """
    inputs = rows.X
    first = inputs[rows.index[:1]]
    least, most = first.copy(), first.copy()
    for block in _blocks(rows):
        least = np.minimum(least, block.min(axis=0, keepdims=True))
        most = np.maximum(most, block.max(axis=0, keepdims=True))
    varies = np.zeros(inputs.shape[1], bool)
    for block in _blocks(rows):
        varies |= ((block != least) & (block != most)).any(axis=0)
    varies[len(varies) - n_codes :] = False
    return tuple(np.flatnonzero(varies).tolist())


def _blocks(rows: Rows) -> Any:
    """Yield the rows to train on, some at a time, since `X` may be a memory map."""
    size = max(1, _BLOCK_SIZE // rows.X.shape[1])
    for start in range(0, len(rows), size):
        block: NDArray[np.floating] = np.asarray(rows.X[rows.index[start : start + size]])
        yield block
