"""A trained Keras model taken into an estimator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from typing import Any, TypeVar

import numpy as np

from .._backend.descriptions import describe
from .._backend.keras_objects import KerasObject
from .._networks.comparison import require_same_outputs
from .._networks.keras_reading import members_of, read_models
from .._networks.network import HiddenLayer, Network, Weights, build_network, rearrange
from .._networks.stages import Activation, Dense, Dropout, Normalization, Stage
from .._problem.constraints import check_parameters
from .._problem.fitted import KEPT_PARAMETERS, Fitted
from .._problem.input_stages import describe_input_stages
from .._problem.labels import Labels, find_distinct
from .._problem.output_layer import ROWWISE_ACTIVATIONS, Head
from .._problem.parameters import draw_seed
from .._problem.problem import resolve_output
from .._problem.targets.choice import Target, settle_head
from .._problem.targets.classes import make_class_target
from .._problem.targets.labels import make_labels_target
from .._problem.targets.numbers import RegressionTarget
from .copies import take_fit

Estimator = TypeVar("Estimator")


@dataclass(frozen=True, eq=False)
class Adopted:
    """What a Keras model is to an estimator.

    Attributes
    ----------
    parameters : dict of str to object
        Constructor parameters that describe it.
    network : Network
    members : tuple of Weights
        Of one network, or of several whose mean it is.
    labels : Labels or None
        Of a classifier.
    """

    parameters: dict[str, Any]
    network: Network
    members: tuple[Weights, ...]
    labels: Labels | None = None


def read_classifier(model: Any, classes: Any, *, multi_label: bool) -> Adopted:
    """Read a model that tells classes apart, or labels of which a row may have several.

    Raises
    ------
    TypeError, ValueError
        For a model that is no dense network, or classes that are not those of its outputs.
    """
    found = _read_network(model)
    found = replace(found, parameters=found.parameters | {"calibration": None})
    if multi_label:
        return replace(found, labels=_number_outputs(found, classes))
    labels, members = _sort_by_class(found, classes)
    return replace(found, labels=labels, members=members)


def read_regressor(model: Any) -> Adopted:
    """Read a model whose outputs are numbers in the target's own units."""
    found = _read_network(model)
    return replace(found, parameters=found.parameters | {"standardize_target": False})


def take_network(estimator: Estimator, found: Adopted) -> Estimator:
    """Make an estimator of these parameters fitted by the network."""
    parameters = check_parameters(estimator)
    head = settle_head(found.labels, *resolve_output(parameters))
    kept = {name: describe(parameters.get(name)) for name in KEPT_PARAMETERS}
    fitted = Fitted(
        parameters=kept,
        n_features=found.network.n_inputs,
        feature_names=None,
        labels=found.labels,
        class_weights=None,
        target=_make_target(found, head),
        network=found.network,
        members=found.members,
        history={"loss": []},
        best_epoch=0,
        engine="keras",
        validation_indices=None,
        seed=draw_seed(parameters["random_state"]),
        batch_size=None,
        dtype=str(found.members[0][-1]["kernel"].dtype),
        mean_weight=1.0,
        watched="",
        states=(),
    )
    take_fit(estimator, fitted)
    return estimator


def _make_target(found: Adopted, head: Head) -> Target:
    n_units = found.network.n_outputs
    if found.labels is None:
        return RegressionTarget(np.zeros(n_units), np.ones(n_units), is_1d=n_units == 1)
    if found.labels.is_multilabel:
        return make_labels_target(n_units, head)
    return make_class_target(len(found.labels.values), n_units, head)


def _read_network(model: Any) -> Adopted:
    """Read a trained model.

    Where its layers come in the order that these parameters stand for, it can be trained on.
    """
    network, members = read_models(model)
    layers = _find_hidden_layers(network.stages)
    normalizes = any(isinstance(stage, Normalization) for stage in network.stages)
    parameters = {
        "units": tuple(layer.units for layer in layers),
        "activation": tuple(_build(layer.activation) for layer in layers),
        "dropout": tuple(layer.dropout for layer in layers),
        "batch_normalization": normalizes,
        "output_activation": _build(network.output.function),
        "depth": None,
        "l2": 0.0,
        "learning_rate": None,
        "learning_rate_schedule": None,
    }
    first = list(takewhile(lambda stage: not isinstance(stage, Dense), network.stages))
    parameters |= describe_input_stages(first)
    usual = build_network(
        network.n_inputs,
        layers,
        network.n_outputs,
        network.output.function,
        normalizes,
        first,
    )
    if _leave_out_linear(usual) == _leave_out_linear(network):
        network, members = usual, tuple(rearrange(own, usual) for own in members)
    for own_model, own in zip(members_of(model), members, strict=True):
        require_same_outputs(own_model, network, own)
    parameters["n_estimators"] = len(members)
    if len(members) == 1:  # which has no folds to hold out
        parameters |= {"validation_fraction": None, "early_stopping": False, "scoring": "loss"}
    return Adopted(parameters | _read_training(model), network, members)


def _read_training(model: Any) -> dict[str, Any]:
    if not model.compiled:
        return {}
    if not (isinstance(model.loss, str) or callable(model.loss)):
        raise ValueError(
            f"model must have one loss, or not be compiled. Got loss={model.loss!r}. Compile it "
            "with one, such as loss='mse'."
        )
    # A fresh one, since Keras cannot copy an optimizer that has trained.
    return {"loss": model.loss, "optimizer": KerasObject.of(model.optimizer).build()}


def _find_hidden_layers(stages: tuple[Stage, ...]) -> list[HiddenLayer]:
    """Say of each dense layer but the last what follows it, in whatever order."""
    dense = [(n, stage) for n, stage in enumerate(stages) if isinstance(stage, Dense)]
    layers = []
    for (start, layer), (stop, _) in pairwise(dense):
        others = stages[start:stop]
        functions = [stage.function for stage in others if isinstance(stage, Activation)]
        rates = [stage.rate for stage in others if isinstance(stage, Dropout)]
        layers.append(HiddenLayer(layer.n_units, [*functions, "linear"][0], [*rates, 0.0][0]))
    return layers


def _leave_out_linear(network: Network) -> list[Stage]:
    return [stage for stage in network.stages if stage != Activation("linear")]


def _build(activation: Any) -> Any:
    return activation.build() if isinstance(activation, KerasObject) else activation


def _number_outputs(found: Adopted, classes: Any) -> Labels:
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


def _sort_by_class(found: Adopted, classes: Any) -> tuple[Labels, tuple[Weights, ...]]:
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
        no labels.
    """
    n_outputs = found.network.n_outputs
    n_classes = max(2, n_outputs)
    if n_outputs == 1 and found.network.output.function in ROWWISE_ACTIVATIONS:
        raise ValueError(
            "model must have an output for each class under an activation that they share. Got "
            f"one output under {found.network.output.function!r}, which is always the same."
        )
    given = np.arange(n_classes) if classes is None else classes
    is_one_for_each = np.asarray(given, dtype=object).shape == (n_classes,)
    values = find_distinct(given, "classes") if is_one_for_each else np.array([])
    if len(values) < n_classes:
        raise ValueError(
            f"classes must be {n_classes} different labels, in an array that has the order of the "
            f"{n_outputs} output(s) of the model. Got {classes!r}."
        )
    order = np.unique(np.asarray(given), return_index=True)[1]
    labels = Labels(values, is_multilabel=False)
    if (order == np.arange(n_classes)).all():
        return labels, found.members
    return labels, tuple((*own[:-1], _reorder(found, own, order)) for own in found.members)


def _reorder(found: Adopted, weights: Weights, order: Any) -> dict[str, Any]:
    kernel, bias = weights[-1]["kernel"], weights[-1]["bias"]
    if found.network.n_outputs > 1:
        return {"kernel": kernel[:, order], "bias": bias[order]}
    if found.network.output.function not in ("sigmoid", "tanh", "linear"):
        raise ValueError(
            "classes of a model with a single output must be sorted, unless its activation is "
            f"sigmoid, tanh or linear. Got an output of {found.network.output.function!r}. Give "
            "it one of these, or an output for each class."
        )
    return {"kernel": -kernel, "bias": -bias}  # speaks for the other class
