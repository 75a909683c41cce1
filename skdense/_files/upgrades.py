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


def _name_fields(document: Document) -> Document:
    """Name what a fit left by the fields of `Fitted`, in place of an estimator's attributes.

    Networks counted the columns of X by their first dense layer, which need not see them.
    """
    old = document["fitted"]
    if not old:
        return document | {"fitted": None}
    [network] = old["_network"].values()
    dense = next(stage["Dense"] for stage in network["stages"]["tuple"] if "Dense" in stage)
    [memory] = old["_memory"].values()
    kept = {name: value for name, value in memory.items() if name != "state"}
    came_later = {
        "input_scaling": None,
        "numeric_embedding": None,
        "embedding_units": 8,
        "n_bins": 24,
        "learned_scale": False,
    }
    fitted = kept | {
        "parameters": {"dict": [*old["_fit_parameters"]["dict"], *map(list, came_later.items())]},
        "n_features": old["n_features_in_"],
        "feature_names": old.get("feature_names_in_"),
        "labels": old.get("_labels"),
        "class_weights": old.get("_class_weights"),
        "target": old["_target"],
        "network": {"Network": network | {"n_inputs": dense["n_inputs"]}},
        "members": {"tuple": [old["_weights"]]},
        "states": {"tuple": [] if memory["state"] is None else [memory["state"]]},
        "history": old["history_"],
        "best_epoch": old["best_epoch_"],
        "engine": old["engine_"],
        "validation_indices": old.get("validation_indices_"),
    }
    return document | {"fitted": {"Fitted": fitted}}


# From the format of each number to the next.
_UPGRADES: dict[int, Callable[[Document], Document]] = {1: _name_fields}
FORMAT = 1 + len(_UPGRADES)
