"""Whether what a file holds makes a fitted estimator, lest damage come to light later."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._activations import NUMPY_ACTIVATIONS
from ._continuing import Memory
from ._keras_objects import KerasObject, activation_function
from ._labels import Labels
from ._network import Activation, Dense, Dropout, Network, Normalization
from ._targets import ClassTarget, LabelsTarget, RegressionTarget

# Of what every fitted estimator has.
_TYPES: dict[str, Any] = {
    "_fit_parameters": dict,
    "_memory": Memory,
    "_network": Network,
    "_target": (ClassTarget, LabelsTarget, RegressionTarget),
    "_weights": tuple,
    "best_epoch_": int,
    "engine_": str,
    "history_": dict,
    "n_features_in_": int,
    "n_iter_": int,
    "n_outputs_": int,
}


def require_whole(fitted: dict[str, Any]) -> None:
    """Raise ValueError unless a fitted estimator's attributes are there and fit together."""
    for name, kind in _TYPES.items():
        _require(isinstance(fitted[name], kind), name)
    network, target = fitted["_network"], fitted["_target"]
    _require_network(network)
    _require(len(fitted["_weights"]) == len(network.stages), "_weights")
    for stage, weights in zip(network.stages, fitted["_weights"], strict=True):
        shapes = {name: _shape(array, kinds="f") for name, array in weights.items()}
        _require(shapes == _weight_shapes(stage), f"weights of {stage}")
    _require(fitted["n_features_in_"] == network.n_inputs, "n_features_in_")
    _require(fitted["n_outputs_"] == network.n_outputs == target.n_units, "n_outputs_")
    names = fitted.get("feature_names_in_")
    _require(names is None or _shape(names) == (network.n_inputs,), "feature_names_in_")
    _require_target(target, fitted)
    for name, values in fitted["history_"].items():
        is_curve = type(name) is str and all(type(value) in (float, int) for value in values)
        _require(is_curve and len(values) == fitted["n_iter_"], f"history of {name}")


def _require(is_as_written: bool, name: str) -> None:
    if not is_as_written:
        raise ValueError(f"{name} does not fit the rest")


def _require_network(network: Network) -> None:
    _require(type(network.stages) is tuple and len(network.stages) > 0, "stages")
    for stage in (*network.stages, network.output):
        is_known = isinstance(stage, Dense | Normalization | Activation | Dropout)
        _require(is_known and all(map(_is_size, _sizes(stage))), f"stage {stage}")
    functions = [s.function for s in (*network.stages, network.output) if type(s) is Activation]
    _require(all(map(_is_activation, functions)), "activations")
    widths = [network.n_inputs]
    for dense in network.dense:
        _require(dense.n_inputs == widths[-1], f"stage {dense}")
        widths.append(dense.n_units)


def _is_activation(function: Any) -> bool:
    if isinstance(function, str) and function not in NUMPY_ACTIVATIONS:
        activation_function(function)  # a ValueError unless Keras knows it
    return isinstance(function, str | KerasObject)


def _sizes(stage: Any) -> list[Any]:
    return [getattr(stage, name) for name in ("n_inputs", "n_units") if hasattr(stage, name)]


def _is_size(value: Any) -> bool:
    return type(value) is int and value > 0


def _weight_shapes(stage: Any) -> dict[str, tuple[int, ...]]:
    if isinstance(stage, Dense):
        return {"kernel": (stage.n_inputs, stage.n_units), "bias": (stage.n_units,)}
    if isinstance(stage, Normalization):
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        return dict.fromkeys(names, (stage.n_units,))
    return {}


def _shape(array: Any, kinds: str = "biufOUMm") -> tuple[int, ...] | None:
    return array.shape if isinstance(array, np.ndarray) and array.dtype.kind in kinds else None


def _require_target(target: Any, fitted: dict[str, Any]) -> None:
    if isinstance(target, RegressionTarget):
        pair = {_shape(array, kinds="f") for array in (target.mean, target.scale)}
        _require(pair == {(fitted["n_outputs_"],)}, "target")
        return
    labels = fitted["_labels"]
    _require(isinstance(labels, Labels), "_labels")
    shape = _shape(fitted["classes_"])
    _require(shape is not None and shape == _shape(labels.values) and len(shape) == 1, "classes_")
    n_classes = target.n_units if isinstance(target, LabelsTarget) else target.n_classes
    _require(shape == (n_classes,), "classes_")
