"""From documents of older formats to today's, one small step for each format.

A field that a record has got since, with a default, needs no step: see `values`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]


def upgrade(document: Document) -> Document:
    """Return a document, of a format up to `FORMAT`, as this release would have written it."""
    for number in range(document["format"], FORMAT):
        document = _UPGRADES[number](document) | {"format": number + 1}
    return document


def _count_inputs(document: Document) -> Document:
    """Networks counted the columns of X by their first dense layer, which need not see them."""
    fitted = document["fitted"]
    if "_network" not in fitted:
        return document
    network = fitted["_network"]["Network"]
    dense = next(stage["Dense"] for stage in network["stages"]["tuple"] if "Dense" in stage)
    network = {"Network": network | {"n_inputs": dense["n_inputs"]}}
    return document | {"fitted": fitted | {"_network": network}}


# From the format of each number to the next.
_UPGRADES: dict[int, Callable[[Document], Document]] = {1: _count_inputs}
FORMAT = 1 + len(_UPGRADES)
