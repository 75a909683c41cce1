"""Python values as what JSON holds, arrays apart, and back; only of kinds that are listed here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._continuing import Memory
from ._keras_objects import KerasObject, is_safe_to_build
from ._labels import Labels
from ._network import Activation, Dense, Dropout, Network, Normalization
from ._targets import ClassTarget, LabelsTarget, RegressionTarget
from .training import EarlyStopping, OptimizerState, TrainingState

Array = NDArray[Any]

_RECORDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Activation,
        ClassTarget,
        Dense,
        Dropout,
        EarlyStopping,
        Labels,
        LabelsTarget,
        Memory,
        Network,
        Normalization,
        OptimizerState,
        RegressionTarget,
        TrainingState,
    )
}


class UnknownKindError(TypeError):
    """A value is of no kind that a document holds."""


def encoded(value: Any, arrays: list[Array]) -> Any:
    """Return what JSON holds for a value, and append its arrays to a list.

    Text, whole and finite numbers, booleans, None and lists stay what they are; all else becomes
    a dict with one entry, of its kind and what it is made of.

    Raises
    ------
    UnknownKindError
        For functions and other objects.
    """

    def inner(item: Any) -> Any:
        return encoded(item, arrays)

    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if type(value) is list:
        return [inner(item) for item in value]
    if type(value) is tuple:
        return {"tuple": [inner(item) for item in value]}
    if type(value) is dict:
        return {"dict": [[inner(key), inner(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray | np.generic):
        return _encoded_array(value, arrays, inner)
    if isinstance(value, np.random.RandomState):
        return {"RandomState": inner(value.get_state())}
    if isinstance(value, KerasObject):
        if value.user_classes or not is_safe_to_build(value.serialized):
            raise UnknownKindError
        return {"KerasObject": value.config}
    if _RECORDS.get(type(value).__name__) is not type(value):
        raise UnknownKindError
    return {type(value).__name__: {f.name: inner(getattr(value, f.name)) for f in fields(value)}}


def _encoded_array(
    value: Array | np.generic, arrays: list[Array], inner: Callable[[Any], Any]
) -> Any:
    if value.dtype == object:
        return {"objects": [list(value.shape), [inner(item) for item in value.ravel().tolist()]]}
    arrays.append(np.asarray(value))
    return {"array" if isinstance(value, np.ndarray) else "number": len(arrays) - 1}


def decoded(value: Any, arrays: list[Array]) -> Any:
    """Return the value that `encoded` made a document of.

    Raises
    ------
    LookupError, TypeError, ValueError
        For what `encoded` does not write.
    """
    if isinstance(value, list):
        return [decoded(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    if kind in _RECORDS:
        own = {name: decoded(item, arrays) for name, item in content.items()}
        return _record(_RECORDS[kind], own)
    return _DECODERS[kind](content, arrays)


# Annotations of fields that are held against what a file has for them.
_TYPES: dict[Any, Any] = {
    "Array": np.ndarray,
    "bool": bool,
    "float": (float, int),
    "int": int,
    "str": str,
}


def _record(kind: Any, own: dict[str, Any]) -> Any:
    """Make a dataclass of all its fields, those that its constructor does not take included."""
    types = {field.name: _TYPES.get(field.type, object) for field in fields(kind)}
    if own.keys() != types.keys() or not all(isinstance(own[n], types[n]) for n in types):
        raise ValueError(f"{kind.__name__} of {own!r}")
    record = object.__new__(kind)
    record.__dict__.update(own)
    return record


def _array(number: Any, arrays: list[Array]) -> Array:
    if type(number) is not int or number < 0:
        raise ValueError(f"array {number!r}")
    return arrays[number]


def _objects(content: Any, arrays: list[Array]) -> Array:
    shape, items = content
    array = np.empty(len(items), object)
    array[:] = [decoded(item, arrays) for item in items]
    return array.reshape(shape)


def _random_state(content: Any, arrays: list[Array]) -> np.random.RandomState:
    state = np.random.RandomState()
    state.set_state(decoded(content, arrays))
    return state


def _keras_object(config: Any, arrays: list[Array]) -> KerasObject:
    described = KerasObject(config)
    if not is_safe_to_build(described.serialized):
        raise ValueError(f"an object of Keras that is not built from files: {config[:200]}")
    return described


_DECODERS: dict[str, Callable[[Any, list[Array]], Any]] = {
    "KerasObject": _keras_object,
    "RandomState": _random_state,
    "array": _array,
    "dict": lambda pairs, arrays: {decoded(k, arrays): decoded(v, arrays) for k, v in pairs},
    "float": lambda text, arrays: float(text),
    "number": lambda number, arrays: _array(number, arrays)[()],
    "objects": _objects,
    "tuple": lambda items, arrays: tuple(decoded(item, arrays) for item in items),
}
