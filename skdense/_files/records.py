"""What a fit left as plain data, and back: dicts, tuples, lists, numbers, text and arrays.

So a pickle names no class of this package but the estimator's, and skops none besides that is to be
trusted. Functions of the user's stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._backend.keras_objects import KerasObject
from .values import (
    decode_keras_object,
    find_record,
    is_from_keras_alone,
    make_record,
    names_of_fields,
)

# Says in a dict which record it stands for.
_KIND = "kind of record"
_LEAVES = frozenset({bool, float, int, str, type(None)})
# Fields of arrays, numbers and text only, which take time to look through.
_WITHOUT_RECORDS = frozenset({"best_weights", "history", "members", "slots", "weights"})


def to_plain(value: Any) -> Any:
    """Return a value with a dict in place of every record in it; all else is as it was."""
    kind = type(value)
    if kind is tuple or kind is list:
        return kind([item if type(item) in _LEAVES else to_plain(item) for item in value])
    if kind is dict:
        return _map(to_plain, value)
    if kind is KerasObject and is_from_keras_alone(value):
        return {_KIND: kind.__name__, "config": value.config}
    if find_record(kind.__name__) is not kind:
        return value
    own = {name: getattr(value, name) for name in names_of_fields(kind)}
    return {_KIND: kind.__name__} | _map(to_plain, own)


def from_plain(value: Any) -> Any:
    """Return the value that `to_plain` made plain data of.

    Raises
    ------
    Exception
        Of whatever kind, for what `to_plain` does not make.
    """
    kind = type(value)
    if kind is tuple or kind is list:
        return kind([item if type(item) in _LEAVES else from_plain(item) for item in value])
    if kind is not dict:
        return value
    own = _map(from_plain, value)
    name = own.pop(_KIND, None)
    if name is None:
        return own
    if name == KerasObject.__name__:
        return decode_keras_object(own["config"])
    return make_record(find_record(name), own)


def _map(function: Callable[[Any], Any], values: dict[Any, Any]) -> dict[Any, Any]:
    return {
        name: item if type(item) in _LEAVES or name in _WITHOUT_RECORDS else function(item)
        for name, item in values.items()
    }
