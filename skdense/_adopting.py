"""A trained Keras model taken into an estimator."""

from __future__ import annotations

from collections.abc import Mapping, MappingView, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ._heads import ROWWISE_ACTIVATIONS
from ._keras_objects import KerasObject
from ._labels import Labels
from ._network import (
    Activation,
    Dense,
    Dropout,
    HiddenLayer,
    Network,
    Normalization,
    Stage,
    Weights,
    arranged,
    build_network,
    forward,
)
from ._reading_keras import read_model

# How far outputs may differ, relative to their scale, by the dtype of computation.
_TOLERANCES = {"float64": 1e-6, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
_ROWS_COMPARED = 8


@dataclass(frozen=True, eq=False)
class Adopted:
    """What a Keras model is to an estimator.

    Attributes
    ----------
    parameters : dict of str to object
        Constructor parameters that describe it.
    network : Network
    weights : one dict of arrays per stage of the network
    """

    parameters: dict[str, Any]
    network: Network
    weights: Weights


def adopted(model: Any) -> Adopted:
    """Read a trained model.

    Where its layers come in the order that these parameters stand for, it can be trained on.

    Raises
    ------
    TypeError, ValueError
        For a model that is no dense network, or computes something else than its layers say.
    """
    network, weights = read_model(model)
    layers = _hidden_layers(network.stages)
    normalizes = any(isinstance(stage, Normalization) for stage in network.stages)
    parameters = {
        "units": tuple(layer.units for layer in layers),
        "activation": tuple(_as_given(layer.activation) for layer in layers),
        "dropout": tuple(layer.dropout for layer in layers),
        "batch_normalization": normalizes,
        "output_activation": _as_given(network.output.function),
    }
    usual = build_network(
        network.n_inputs, layers, network.n_outputs, network.output.function, normalizes
    )
    if _without_linear(usual) == _without_linear(network):
        network, weights = usual, arranged(weights, usual)
    _require_agreement(model, network, weights)
    return Adopted(parameters | _compiled_with(model), network, weights)


def _require_agreement(model: Any, network: Network, weights: Weights) -> None:
    """Raise ValueError unless a network computes what its model does, on rows of random numbers."""
    generator = np.random.default_rng(0)
    # Numbers that every floating dtype holds.
    rows = generator.integers(-128, 128, (_ROWS_COMPARED, network.n_inputs)) / 64
    theirs = np.asarray(model(rows, training=False)).astype(np.float64)
    # One at a time, since no row may depend on the others.
    ours = np.concatenate([forward(network, weights, row[np.newaxis]) for row in rows])
    scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=0)
    tolerance = _tolerance(model) * scale
    is_same = theirs.shape == ours.shape and np.allclose(
        ours, theirs, rtol=0, atol=tolerance, equal_nan=True
    )
    if not is_same:
        raise ValueError(
            "model must compute what its layers do by their kinds and arguments, for each row by "
            f"itself. Got other outputs, {theirs[0]}, than layers like these give, {ours[0]}, for "
            "a row of random numbers. See whether its call, a layer or an activation was changed."
        )


def _tolerance(model: Any) -> float:
    """Return how far outputs may differ, relative to their scale, by the coarsest dtype."""
    dtypes = {model.inputs[0].dtype, *(layer.compute_dtype for layer in model.layers)}
    return max(_TOLERANCES[dtype] for dtype in dtypes)


def _compiled_with(model: Any) -> dict[str, Any]:
    if not model.compiled:
        return {}
    if not (isinstance(model.loss, str) or callable(model.loss)):
        raise ValueError(f"model must have one loss, or not be compiled. Got loss={model.loss!r}.")
    # A fresh one, since Keras cannot copy an optimizer that has trained.
    return {"loss": model.loss, "optimizer": KerasObject.of(model.optimizer).build()}


def _hidden_layers(stages: tuple[Stage, ...]) -> list[HiddenLayer]:
    """Say of each dense layer but the last what follows it, in whatever order."""
    dense = [(n, stage) for n, stage in enumerate(stages) if isinstance(stage, Dense)]
    layers = []
    for (start, layer), (stop, _) in pairwise(dense):
        others = stages[start:stop]
        functions = [stage.function for stage in others if isinstance(stage, Activation)]
        rates = [stage.rate for stage in others if isinstance(stage, Dropout)]
        layers.append(HiddenLayer(layer.n_units, [*functions, "linear"][0], [*rates, 0.0][0]))
    return layers


def _without_linear(network: Network) -> list[Stage]:
    return [stage for stage in network.stages if stage != Activation("linear")]


def _as_given(activation: Any) -> Any:
    return activation.build() if isinstance(activation, KerasObject) else activation


def labels_of_outputs(found: Adopted, classes: Any) -> Labels:
    """Return labels of which a row may have several, one for each output.

    Raises
    ------
    ValueError
        If classes are given, which only columns are here.
    """
    if classes is not None:
        raise ValueError(
            "classes must be None with multi_label=True, where labels are columns of an indicator "
            f"matrix. Got {classes!r}."
        )
    return Labels(np.arange(found.network.n_outputs), is_multilabel=True)


def sorted_by_class(found: Adopted, classes: Any) -> tuple[Labels, Weights]:
    """Return labels, sorted as scikit-learn has them, and weights with outputs in their order.

    Parameters
    ----------
    found : Adopted
    classes : array-like of shape (n_classes,) or None
        In the order of the outputs; of a single one, the class that it speaks for comes second.
        None numbers them.

    Raises
    ------
    ValueError
        If the classes are not as many as the outputs tell apart, not distinct, in no order, or
        no labels of one kind.
    """
    n_outputs = found.network.n_outputs
    n_classes = max(2, n_outputs)
    if n_outputs == 1 and found.network.output.function in ROWWISE_ACTIVATIONS:
        raise ValueError(
            "model must have an output for each class under an activation that they share. Got "
            f"one output under {found.network.output.function!r}, which is always the same."
        )
    given = np.arange(n_classes) if classes is None else _in_order(classes)
    values, order = np.unique(given, return_index=True)
    if given.shape != (n_classes,) or len(values) < n_classes:
        raise ValueError(
            f"classes must be {n_classes} different labels, for the {n_outputs} output(s) of the "
            f"model. Got {classes!r}."
        )
    labels = Labels(values, is_multilabel=False)
    if (order == np.arange(n_classes)).all():
        return labels, found.weights
    return labels, (*found.weights[:-1], _reordered(found, order))


def _in_order(classes: Any) -> Any:
    """Return classes as an array; of a set or a mapping nobody sees which output is whose."""
    if isinstance(classes, Set | Mapping | MappingView):
        raise ValueError(
            "classes must be in the order of the outputs, such as a list. Got a "
            f"{type(classes).__name__}, {classes!r}."
        )
    labels = np.asarray(classes)
    # Before the conversion, which makes texts of numbers beside texts.
    kinds = {_kind(label) for label in classes} if np.iterable(classes) else set()
    if labels.ndim == 1 and (len(kinds) > 1 or "O" in kinds or (labels != labels).any()):
        raise ValueError(
            "classes must be labels of one kind: texts, numbers, or truth values; None and NaN "
            f"are no labels. Got {classes!r}."
        )
    return labels


def _kind(label: Any) -> str:
    """Return NumPy's letter for the kind of a label, the same for all numbers; "O" for others."""
    kind = np.asarray(label).dtype.kind
    return "f" if kind in "iuf" else kind


def _reordered(found: Adopted, order: Any) -> dict[str, Any]:
    kernel, bias = found.weights[-1]["kernel"], found.weights[-1]["bias"]
    if found.network.n_outputs > 1:
        return {"kernel": kernel[:, order], "bias": bias[order]}
    if found.network.output.function not in ("sigmoid", "tanh", "linear"):
        raise ValueError(
            "classes of a model with a single output must be sorted, unless its activation is "
            "sigmoid, tanh or linear. Got an output of "
            f"{found.network.output.function!r}."
        )
    return {"kernel": -kernel, "bias": -bias}  # speaks for the other class
