"""Python values as what JSON holds, arrays apart, and back; only of kinds that are listed here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, KeysView
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._backend.keras_objects import KerasObject, is_safe_to_build
from .._networks.network import Network
from .._networks.stages import STAGES
from .._problem.fitted import Fitted
from .._problem.labels import Labels
from .._problem.targets.classes import ClassTarget
from .._problem.targets.labels import LabelsTarget
from .._problem.targets.numbers import RegressionTarget
from .._tables.categories import Category
from .._tables.encoder import TableEncoder
from .._training.early_stopping import EarlyStopping
from .._training.task import OptimizerState, TrainingState

Array = NDArray[Any]

_RECORDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Category,
        ClassTarget,
        EarlyStopping,
        Fitted,
        Labels,
        LabelsTarget,
        Network,
        OptimizerState,
        RegressionTarget,
        TableEncoder,
        TrainingState,
    )
}


def find_record(name: str) -> Any:
    """Return the class of records that has this name; None where there is none."""
    return _RECORDS.get(name) or STAGES.get(name)


@cache
def names_of_fields(kind: Any) -> KeysView[str]:
    """Return the names of a record's fields, in their order."""
    return dict.fromkeys(field.name for field in fields(kind)).keys()


def is_from_keras_alone(described: KerasObject) -> bool:
    """Say whether a configuration is all that the object is built from, and runs no code."""
    return not described.user_classes and is_safe_to_build(described.serialized)


# By chance two are rare; -1 and -2 have the same.
_MOST_OF_ONE_HASH = 8


class UnknownKindError(TypeError):
    """A value is of no kind that a document holds."""


def encode(value: Any, arrays: list[Array]) -> Any:
    """Return what JSON holds for a value, and append its arrays to a list.

    Text, whole and finite numbers, booleans, None and lists stay what they are; all else becomes
    a dict with one entry, of its kind and what it is made of.

    Raises
    ------
    UnknownKindError
        For functions and other objects.
    """

    def inner(item: Any) -> Any:
        return encode(item, arrays)

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
        return _encode_array(value, arrays, inner)
    if isinstance(value, np.random.RandomState):
        return {"RandomState": inner(value.get_state())}
    if isinstance(value, KerasObject):
        if not is_from_keras_alone(value):
            raise UnknownKindError
        return {"KerasObject": value.config}
    kind = type(value)
    if find_record(kind.__name__) is not kind:
        raise UnknownKindError
    return {kind.__name__: {name: inner(getattr(value, name)) for name in names_of_fields(kind)}}


def _encode_array(
    value: Array | np.generic, arrays: list[Array], inner: Callable[[Any], Any]
) -> Any:
    if value.dtype == object:
        return {"objects": [list(value.shape), [inner(item) for item in value.ravel().tolist()]]}
    arrays.append(np.asarray(value))
    return {"array" if isinstance(value, np.ndarray) else "number": len(arrays) - 1}


def decode(value: Any, arrays: list[Array]) -> Any:
    """Return the value that `encode` made a document of.

    Raises
    ------
    Exception
        Of whatever kind, for what `encode` does not write.
    """
    if isinstance(value, list):
        return [decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    record = find_record(kind)
    if record:
        return make_record(record, {n: decode(item, arrays) for n, item in content.items()})
    return _DECODERS[kind](content, arrays)


def make_record(kind: Any, own: dict[str, Any]) -> Any:
    """Make a dataclass of all its fields, those that its constructor does not take included.

    What an earlier release wrote may lack those that came later with a default.
    """
    if len(own) < len(names_of_fields(kind)):
        own = {f.name: f.default for f in fields(kind) if f.default is not MISSING} | own
    if own.keys() != names_of_fields(kind):
        raise ValueError(f"{kind.__name__} of {sorted(own)}")
    record = object.__new__(kind)
    record.__dict__.update(own)
    return record


def _decode_array(number: Any, arrays: list[Array]) -> Array:
    if type(number) is not int or number < 0:
        raise ValueError(f"array {number!r}")
    return arrays[number]


def _decode_objects(content: Any, arrays: list[Array]) -> Array:
    shape, items = content
    array = np.empty(len(items), object)
    array[:] = [decode(item, arrays) for item in items]
    return array.reshape(shape)


def _decode_number(number: Any, arrays: list[Array]) -> Any:
    array = _decode_array(number, arrays)
    if array.shape:
        raise ValueError(f"a number of shape {array.shape}")
    return array[()]


def _decode_dict(pairs: Any, arrays: list[Array]) -> dict[Any, Any]:
    items = [(decode(key, arrays), decode(item, arrays)) for key, item in pairs]
    # Keys of one hash, which anybody finds for numbers, take time by the square of their number.
    _, counts = np.unique([hash(key) for key, _ in items], return_counts=True)
    if counts.max(initial=0) > _MOST_OF_ONE_HASH:
        raise ValueError(f"a dict with {counts.max()} keys of one hash")
    found = dict(items)
    if len(found) < len(items):
        raise ValueError("a dict with keys that are equal")
    return found


def _decode_random_state(content: Any, arrays: list[Array]) -> np.random.RandomState:
    name, key, position, has_gauss, gauss = decode(content, arrays)
    is_state = (
        name == "MT19937"
        and (key.dtype, key.shape) == (np.uint32, (624,))
        and key[1:].any()  # or else it draws nothing but 0
        and type(position) is int
        and 0 <= position <= 624  # NumPy reads the key from there, whatever lies there
        and has_gauss in (0, 1)
        and math.isfinite(gauss)
    )
    if not is_state:
        raise ValueError("a RandomState that cannot be one")
    state = np.random.RandomState(0)
    state.set_state((name, key, position, has_gauss, gauss))
    return state


def decode_keras_object(config: Any) -> KerasObject:
    """Return the object of a configuration, which anybody may have written, if it runs no code."""
    serialized = json.loads(config)
    is_described = isinstance(serialized, dict) and isinstance(serialized.get("config"), dict)
    if not is_described or "class_name" not in serialized or not is_safe_to_build(serialized):
        raise ValueError(f"an object of Keras that is not built from files: {config[:200]}")
    return KerasObject(json.dumps(serialized, sort_keys=True))


_DECODERS: dict[str, Callable[[Any, list[Array]], Any]] = {
    "KerasObject": lambda config, arrays: decode_keras_object(config),
    "RandomState": _decode_random_state,
    "array": _decode_array,
    "dict": _decode_dict,
    "float": lambda text, arrays: float(text),
    "number": _decode_number,
    "objects": _decode_objects,
    "tuple": lambda items, arrays: tuple(decode(item, arrays) for item in items),
}
