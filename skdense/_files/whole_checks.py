"""Whether what a file holds makes an estimator, lest damage come to light after it has loaded."""

from __future__ import annotations

import re
from math import inf
from typing import Any

import numpy as np

from .._backend.keras_objects import KerasObject, loss_name
from .._networks.network import Network
from .._networks.stages import Activation, Categories, Dense, SortedQuantiles, Stage
from .._networks.stages.stage import Kind
from .._problem.fitted import KEPT_PARAMETERS, Fitted
from .._problem.output_layer import (
    SPARSE_LOSSES,
    Head,
    settle_classification_head,
    settle_labels_head,
    settle_regression_head,
)
from .._problem.targets.classes import ClassTarget
from .._problem.targets.labels import LabelsTarget
from .._problem.targets.numbers import RegressionTarget
from .._tables.categories import BOOLEANS, GAPS, NUMBERS, TEXTS
from .._tables.encoder import TableEncoder
from .._training.task import OptimizerState, TrainingState
from .field_checks import (
    LINKS,
    is_array,
    is_float,
    require,
    require_fields,
    require_parameters,
)

# How Keras names the slots of a weight in the models that this package builds.
_SLOT_OF_KERAS = re.compile(r"(?:skdense_)?[a-z0-9]+_(\d+)_(\w+)")
_UNNAMED_SLOT = "variable"
# Of the values of a category, by its kind.
_TYPES: dict[str, set[type]] = {TEXTS: {str}, NUMBERS: {int, float}, BOOLEANS: {bool}, GAPS: set()}


def require_whole(kind: str, fitted: Fitted) -> None:
    """Raise an error unless what a fit left may be what it is, and fits together.

    Parameters
    ----------
    kind : str
        Name of the estimator's class.
    fitted : Fitted
    """
    require(isinstance(fitted, Fitted), "fitted")
    require_fields(fitted)
    network = fitted.network
    _require_network(network)
    require(bool(fitted.members), "members")
    for weights in fitted.members:
        _require_weights("weights", weights, network)
    table = fitted.table
    require(table is None or kind.startswith("KerasTabular"), "table")
    if table is not None:
        _require_table(table, network)
    n_features = table.n_columns if table else network.n_inputs
    require(fitted.n_features == n_features, "n_features")
    predictions, folds = fitted.oof_prediction, fitted.validation_folds
    if predictions is not None:
        require(folds is not None and predictions.shape[:1] == folds.shape, "oof_prediction")
    names = fitted.feature_names
    require(names is None or names.shape == (n_features,), "feature_names")
    require((fitted.labels is not None) == kind.endswith("Classifier"), "labels")
    _require_target(fitted)
    require(network.n_outputs == fitted.target.n_units, "target")
    _require_history(fitted)
    _require_kept_parameters(kind, fitted)
    require(len(fitted.states) in (0, len(fitted.members)), "states")
    for state in fitted.states:
        _require_state(state, network, fitted.n_epochs)


def _require_table(table: TableEncoder, network: Network) -> None:
    require(table.fills.shape == table.has_gaps.shape, "fills")
    require(bool(np.isfinite(table.fills).all()), "fills")
    columns = [category.column for category in table.categories]
    require(columns == sorted(set(columns)), "categories")
    require(all(0 <= column < table.n_columns for column in columns), "categories")
    require(not table.has_gaps[columns].any(), "has_gaps")
    for category in table.categories:
        kinds = {type(value) for value in category.values.tolist()}
        require(kinds <= _TYPES[category.kind], "kind")
        require(category.frequencies.shape == (category.n_codes,), "frequencies")
    require(table.width == network.n_inputs, "table")
    sizes = next((s.sizes for s in network.stages if isinstance(s, Categories)), ())
    require(table.code_sizes == sizes, "categories")


def _require_network(network: Network) -> None:
    stages = network.stages
    require(bool(stages) and isinstance(stages[-1], Dense), "stages")
    require(all(stage.is_sound for stage in stages), "stages")
    require(len(network.widths) == len(stages), "stages")


def _require_weights(name: str, weights: Any, network: Network) -> None:
    require(len(weights) == len(network.stages), name)
    for stage, own in zip(network.stages, weights, strict=True):
        is_known = all(map(is_array, own.values()))
        shapes = {key: array.shape for key, array in own.items()} if is_known else None
        require(shapes == _shapes(stage), f"{name} of {stage}")
        require(stage.are_sound(own), f"{name} of {stage}")


def _shapes(stage: Stage) -> dict[str, tuple[int, ...]]:
    return {name: spec.shape for name, spec in stage.weight_specs.items()}


def _require_target(fitted: Fitted) -> None:
    if fitted.labels is None:
        _require_numbers(fitted)
        return
    target: Any = fitted.target
    labels, weights = fitted.labels, fitted.class_weights
    n_classes = len(labels.values)
    require(labels.is_multilabel == isinstance(target, LabelsTarget), "labels")
    if isinstance(target, LabelsTarget):
        require(np.array_equal(labels.values, np.arange(target.n_units)), "labels")
        shape = (n_classes, 2)
    else:
        require(isinstance(target, ClassTarget) and n_classes == target.n_classes, "target")
        has_one_unit = n_classes == 2 and target.n_units == 1 and target.link in LINKS
        require(has_one_unit or target.n_units == n_classes, "target")
        shape = (1, n_classes)
    is_weight = weights is None or (weights.shape == shape and (weights >= 0).all())
    require(bool(is_weight), "class_weights")


def _require_numbers(fitted: Fitted) -> None:
    target: Any = fitted.target
    require(isinstance(target, RegressionTarget) and fitted.class_weights is None, "target")
    shapes = {array.shape for array in (target.mean, target.scale)}
    output, quantiles = fitted.network.output, target.quantiles
    require(len(shapes) == 1 and target.mean.ndim == 1 and target.n_targets >= 1, "target")
    if quantiles:
        expected = SortedQuantiles(output.function, target.n_targets, len(quantiles))
        require(output == expected and output.is_sound, "quantiles")
    else:
        require(isinstance(output, Activation), "quantiles")
    loss = fitted.parameters.get("loss")
    require(loss in ("auto", "pinball") if quantiles else loss != "pinball", "quantiles")
    with np.errstate(over="ignore"):
        has_variance = np.isfinite(target.mean + target.scale**2).all()
    require(bool(has_variance and (target.scale > 0).all()), "target")
    require(output.function == "linear" or not target.is_standardized, "target")
    require(target.n_targets == 1 or not target.is_1d, "target")


def _require_history(fitted: Fitted) -> None:
    require("loss" in fitted.history, "history")
    n_epochs, best = fitted.n_epochs, fitted.best_epoch
    require(min(1, n_epochs) <= best <= n_epochs, "best_epoch")
    for name, values in fitted.history.items():
        is_curve = type(name) is str and type(values) is list and all(map(is_float, values))
        require(is_curve and len(values) == n_epochs, f"history of {name}")


def _require_kept_parameters(kind: str, fitted: Fitted) -> None:
    given, network, target = fitted.parameters, fitted.network, fitted.target
    require(given.keys() == set(KEPT_PARAMETERS), "parameters")
    own = {n: v for n, v in given.items() if v is not None or n != "standardize_target"}
    require_parameters(own | {"dropout": 0.0}, kind)
    head = _settle_head(given, network.output.function, target)
    require(head.activation == network.output.function, "output_activation")
    if isinstance(target, ClassTarget):
        require(target.is_sparse == (loss_name(head.loss) in SPARSE_LOSSES), "target")


def _settle_head(given: dict[str, Any], function: Any, target: Any) -> Head:
    """Return what the estimator settles its head to, as far as that is known without Keras."""
    activation, loss = given["output_activation"], given["loss"]
    if isinstance(activation, KerasObject):  # which may be the same and of another configuration
        activation = function
    if isinstance(target, RegressionTarget):
        return settle_regression_head(activation, loss)
    is_binary = isinstance(target, LabelsTarget) or target.n_classes == 2
    if isinstance(loss, str) and (activation, loss) == ("linear", "auto"):
        loss = "binary_crossentropy" if is_binary else "sparse_categorical_crossentropy"
    if isinstance(target, LabelsTarget):
        return settle_labels_head(activation, loss)
    return settle_classification_head(target.n_classes, activation, loss)


def _require_state(state: TrainingState, network: Network, n_iter: int) -> None:
    _require_weights("weights of the state", state.weights, network)
    require(state.n_epochs <= n_iter, "n_epochs of the state")
    if state.best_weights is not None:
        _require_weights("best weights of the state", state.best_weights, network)
        require(state.stopping is not None, "best weights of the state")
    if state.stopping is not None:
        require(state.stopping.best_epoch <= state.n_epochs, "best epoch of the state")
    if state.optimizer is not None:
        _require_optimizer(state.optimizer, network)


def _require_optimizer(optimizer: OptimizerState, network: Network) -> None:
    engine, _, *names = optimizer.owner
    shapes_of_stages = [_shapes(stage) for stage in network.stages]
    if engine == "compiled":
        trained = network.trained(shapes_of_stages)
        expected = [[_slot_shape(name, shape) for name in names] for shape in trained]
        names *= len(expected)
    else:
        trained_of_stages = network.of_kind(shapes_of_stages, Kind.TRAINED)
        named = [
            {stage.keras_names[name]: shape for name, shape in own.items()}
            for stage, own in zip(network.stages, trained_of_stages, strict=True)
        ]
        expected = [_shapes_of_keras(names, [own for own in named if own])]
    found = [array for own in optimizer.slots for array in own]
    require([len(own) for own in optimizer.slots] == [len(own) for own in expected], "slots")
    shapes = [shape for own in expected for shape in own]
    for name, array, shape in zip(names, found, shapes, strict=True):
        is_slot = isinstance(array, np.ndarray) and array.dtype.kind in "if"
        require(is_slot and array.dtype.isnative and array.shape == shape, f"slot {name}")
        # Whose root is taken; in float32 it may be infinite.
        least = 0.0 if name.endswith(("velocity", "velocity_hat")) else -inf
        require(bool((array >= least).all()), f"slot {name}")


def _slot_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * len(shape) if name == _UNNAMED_SLOT else shape


def _shapes_of_keras(
    names: list[str], stages: list[dict[str, tuple[int, ...]]]
) -> list[tuple[int, ...]]:
    """Return the shapes of slots by the weights in their names.

    Those without one are numbers, or what Adafactor keeps of the rows and of the columns of the
    matrix that is named next.
    """
    found = [_SLOT_OF_KERAS.match(name) for name in names]
    numbers = sorted({int(match[1]) for match in found if match})
    require(len(numbers) in (0, len(stages)), "slots")
    own = dict(zip(numbers, stages, strict=False))
    shapes: list[tuple[int, ...]] = []
    sides: list[tuple[int, ...]] = []
    for match in reversed(found):
        if match:
            weights = own[int(match[1])]
            name = next((n for n in weights if match[2].startswith(f"{n}_")), "")
            require(name in weights, "slots")
            shapes.append(weights[name])
            *others, last = shapes[-1] or (0,)
            sides = [tuple(others), (*others[:-1], last)] if others else []
        else:
            shapes.append(sides.pop() if sides else ())
    return shapes[::-1]
