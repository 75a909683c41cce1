"""What each parameter, attribute and field of a file may be by itself.

Names and configurations that only Keras can judge wait until they are used, since loading needs no
TensorFlow, except for activations without which there is no prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np

from .._backend.keras_objects import KerasObject
from .._networks.network import Network
from .._networks.stages import Activation, SortedQuantiles, Stage
from .._problem.constraints import as_float, require_domains
from .._problem.fitted import Fitted
from .._problem.hidden_layers import require_elementwise, resolve_hidden_layers
from .._problem.labels import Labels
from .._problem.quantiles import resolve_quantiles
from .._problem.targets.classes import ClassTarget
from .._problem.targets.labels import LabelsTarget
from .._problem.targets.numbers import RegressionTarget
from .._problem.validation_score import require_known_scoring
from .._tables.categories import KINDS, Category
from .._tables.encoder import TableEncoder
from .._training.early_stopping import EarlyStopping
from .._training.task import OptimizerState, TrainingState

Check = Callable[[Any], bool]

# Steps and epochs that a float64 can still count.
_MOST_STEPS = 2**53
# Where the objects come from that parameters may be.
_MODULES = {
    "activation": "keras.layers",
    "output_activation": "keras.layers",
    "kernel_initializer": "keras.initializers",
    "loss": "keras.losses",
    "optimizer": "keras.optimizers",
    "learning_rate": "keras.optimizers.schedules",
}


def _is(*kinds: type) -> Check:
    return lambda value: type(value) in kinds


def _whole(least: int, most: int = _MOST_STEPS) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def _number(least: float, most: float = inf) -> Check:
    return lambda value: isinstance(value, float) and least <= value <= most


def _one_of(*names: str) -> Check:
    return lambda value: type(value) is str and value in names


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _all_are(kind: type[list[Any]] | type[tuple[Any, ...]], check: Check) -> Check:
    return lambda value: isinstance(value, kind) and all(map(check, value))


def is_float(value: Any) -> bool:
    return isinstance(value, float)  # NaN and infinities are scores too


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype in (np.float32, np.float64)


def _is_activation(function: Any) -> bool:
    if not isinstance(function, str | KerasObject):
        return False
    require_elementwise("activation", function, function)  # a ValueError unless it is one
    return True


def _are_weights(weights: Iterable[Any]) -> bool:
    return all(0 <= as_float(weight) < inf for weight in weights)


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _are_labels(values: Any) -> bool:
    """Say whether these are what `Labels` holds: of one kind that compares, sorted, distinct."""
    if not isinstance(values, np.ndarray) or values.ndim != 1 or not len(values):
        return False
    items = values.tolist()  # a ValueError for what is no text
    if values.dtype == object and not _are_texts(items):
        return False
    if values.dtype.kind == "f" and not all(item.is_integer() for item in items):
        return False
    is_known = values.dtype.kind in "biufUMmO"
    return is_known and bool((values == values).all() and (values[1:] > values[:-1]).all())


def _are_names(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype == object and _are_texts(values.ravel())


def _are_indices(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "i" and values.ndim == 1


def _are_booleans(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype == bool and values.ndim == 1


def _are_frequencies(values: Any) -> bool:
    is_vector = is_array(values) and values.ndim == 1
    return bool(is_vector and ((values >= 0) & (values <= 1)).all())


def _are_categories(values: Any) -> bool:
    """Say whether these are what `Category` holds: of one kind, sorted, distinct."""
    if not isinstance(values, np.ndarray) or values.dtype != object or values.ndim != 1:
        return False
    items = values.tolist()
    kinds = {type(item) for item in items}
    is_one_kind = kinds <= {str} or kinds <= {int, float} or kinds <= {bool}
    if not is_one_kind or "" in items or not all(item == item for item in items):
        return False
    return all(one < next_one for one, next_one in pairwise(items))


def _are_levels(values: Any) -> bool:
    """Say whether these are levels of quantiles, of which there may be none."""
    are_floats = type(values) is tuple and all(type(level) is float for level in values)
    return are_floats and (not values or resolve_quantiles(values) == values)


def _is_min_frequency(value: Any) -> bool:
    is_count = _whole(1, np.iinfo(np.int64).max)(value)
    return is_count or (type(value) is float and 0 < value < 1)


def _is_stage(value: Any) -> bool:
    return isinstance(value, Stage)


_WEIGHTS = _all_are(tuple, _is(dict))
LINKS = ("binary logits", "margins", "scores")
_LINKS_OF_CLASSES = (*LINKS, "probabilities", "log-probabilities", "logits")

_FIELDS: dict[type, dict[str, Check]] = {
    Activation: {"function": _is_activation},
    Network: {
        "n_inputs": _whole(1),
        "stages": _all_are(tuple, _is_stage),
        "output": _is(Activation, SortedQuantiles),
    },
    ClassTarget: {
        "n_classes": _whole(2),
        "n_units": _whole(1),
        "is_sparse": _is(bool),
        "link": _one_of(*_LINKS_OF_CLASSES),
        "decides_on_logits": _is(bool),
    },
    LabelsTarget: {
        "n_units": _whole(1),
        "link": _one_of(*LINKS),
        "decides_on_logits": _is(bool),
    },
    SortedQuantiles: {
        "function": _is_activation,
        "n_targets": _whole(1),
        "n_quantiles": _whole(1),
        "shifts": _all_are(tuple, _number(-np.finfo(float).max, np.finfo(float).max)),
    },
    RegressionTarget: {
        "mean": is_array,
        "scale": is_array,
        "is_1d": _is(bool),
        "quantiles": _are_levels,
    },
    Labels: {"values": _are_labels, "is_multilabel": _is(bool)},
    Fitted: {
        "parameters": _is(dict),
        "n_features": _whole(1),
        "feature_names": _optional(_are_names),
        "labels": _optional(_is(Labels)),
        "class_weights": _optional(is_array),
        "target": _is(ClassTarget, LabelsTarget, RegressionTarget),
        "network": _is(Network),
        "members": _all_are(tuple, _WEIGHTS),
        "history": _is(dict),
        "best_epoch": _whole(0),
        "engine": _one_of("compiled", "keras"),
        "validation_indices": _optional(_are_indices),
        "seed": _whole(0, np.iinfo(np.int32).max),
        "batch_size": _optional(_whole(1, np.iinfo(np.int64).max)),
        "dtype": _one_of("float32", "float64"),
        "mean_weight": _number(np.finfo(float).tiny, np.finfo(float).max),
        "watched": _is(str),
        "states": _all_are(tuple, _is(TrainingState)),
        "validation_folds": _optional(_are_indices),
        "oof_prediction": _optional(is_array),
        "table": _optional(_is(TableEncoder)),
        "temperature": _optional(_number(np.finfo(float).tiny, np.finfo(float).max)),
    },
    TableEncoder: {
        "fills": is_array,
        "has_gaps": _are_booleans,
        "categories": _all_are(tuple, _is(Category)),
        "min_frequency": _is_min_frequency,
        "max_categories": _optional(_whole(1, np.iinfo(np.int64).max)),
    },
    Category: {
        "column": _whole(0),
        "kind": _one_of(*KINDS),
        "values": _are_categories,
        "has_missing": _is(bool),
        "has_infrequent": _is(bool),
        "frequencies": _are_frequencies,
    },
    TrainingState: {
        "weights": _WEIGHTS,
        "n_epochs": _whole(0),
        "optimizer": _optional(_is(OptimizerState)),
        "stopping": _optional(_is(EarlyStopping)),
        "best_weights": _optional(_WEIGHTS),
    },
    OptimizerState: {
        "owner": _all_are(tuple, _is(str)),
        "n_steps": _whole(0),
        "slots": _all_are(list, _is(tuple)),
    },
    EarlyStopping: {
        "greater_is_better": _is(bool),
        "patience": _optional(_whole(1, np.iinfo(np.int64).max)),
        "min_delta": _number(0),
        "best_score": is_float,
        "best_epoch": _whole(0),
        "n_stalled": _whole(0),
        "_to_beat": is_float,
    },
}

# Of parameters that may be any object, what a file holds.
_PARAMETERS: dict[str, Check] = {
    "callbacks": lambda value: value is None or value in ([], ()),
    "class_weight": lambda value: not isinstance(value, dict) or _are_weights(value.values()),
    "metrics": lambda value: value is None or isinstance(value, str) or _are_texts(value),
    "optimizer": lambda value: isinstance(value, str | KerasObject),
}
_OF_LAYERS = ("units", "depth", "activation", "dropout")


def require(is_as_written: bool, name: str) -> None:
    if not is_as_written:
        raise ValueError(f"{name} does not fit the rest")


def require_fields(record: Any) -> None:
    """Raise ValueError unless fields of a record, and of all within it, may be what they are."""
    if isinstance(record, tuple | list):
        for item in record:
            require_fields(item)
    elif is_dataclass(record) and type(record) in _FIELDS:
        checks = _FIELDS[type(record)]
        for name in (field.name for field in fields(record)):
            value = getattr(record, name)
            require(checks[name](value), f"{name} of {type(record).__name__}")
            require_fields(value)


def require_parameters(parameters: dict[str, Any], owner: str) -> None:
    """Raise an error unless described parameters are each in its domain, and what files hold."""
    plain = {
        name: value
        for name, value in parameters.items()
        if not (isinstance(value, KerasObject) and value.module == _MODULES.get(name))
    }
    require_domains(plain, owner)
    for name in parameters.keys() & _PARAMETERS.keys():
        require(_PARAMETERS[name](parameters[name]), name)
    _require_hidden_layers(**{name: parameters[name] for name in _OF_LAYERS})
    if "scoring" in parameters:
        require_known_scoring(parameters["scoring"])


def _require_hidden_layers(units: Any, depth: Any, activation: Any, dropout: Any) -> None:
    """Raise ValueError unless these are of as many layers, whatever the activations are."""
    if not isinstance(activation, str | KerasObject):
        require(all(isinstance(item, str | KerasObject) for item in activation), "activation")
        activation = ["linear"] * len(activation)
    given = activation if isinstance(activation, list) else "linear"
    resolve_hidden_layers(units, depth, given, dropout)
