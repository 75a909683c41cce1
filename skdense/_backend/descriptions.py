"""Values with configurations in place of the Keras objects in them, and back.

So that what describes a fit pickles, compares and goes to a file without Keras.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from operator import is_
from types import NoneType
from typing import Any

from .keras_objects import KerasObject, describe_by_configuration, is_of_keras

_PLAIN = {str, int, float, bool, NoneType}


@dataclass(frozen=True)
class Pickled:
    """An object of Keras that no configuration describes: a callback, a function."""

    content: bytes

    def build(self) -> Any:
        return pickle.loads(self.content)  # noqa: S301 - part of a pickle that is being loaded


def describe(value: Any) -> Any:
    """Return a value with configurations in place of its Keras objects; itself without any."""
    return _map(value, _describe_one)


def build(value: Any) -> Any:
    """Undo `describe`: the objects are built anew."""
    return _map(value, _build_one)


def is_described(value: Any) -> bool:
    """Say whether there is anything to build in a value."""
    return _map(value, lambda item: None if _is_description(item) else item) is not value


def _map(value: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to a value, or to what a list, tuple or dict holds; the same if all is."""
    if type(value) in (list, tuple):
        items = [_map(item, function) for item in value]
        return value if all(map(is_, items, value)) else type(value)(items)
    if type(value) is dict:
        found = {
            key: item if type(item) in _PLAIN else _map(item, function)
            for key, item in value.items()
        }
        return value if all(map(is_, found.values(), value.values())) else found
    return function(value)


def _describe_one(value: Any) -> Any:
    if hasattr(value, "get_config") and not isinstance(value, type):
        return describe_by_configuration(value) or value
    if is_of_keras(value):
        try:
            return Pickled(pickle.dumps(value))
        except Exception:  # as it is then, for whoever pickles the whole
            return value
    return value


def _is_description(value: Any) -> bool:
    return isinstance(value, KerasObject | Pickled)


def _build_one(value: Any) -> Any:
    return value.build() if _is_description(value) else value
