"""Copies of estimators and their parameters, where Python's own fail or leave something out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import FunctionType
from typing import Any, TypeVar

from .._backend.keras_objects import describe_by_configuration, is_configured
from .._backend.loading import load_keras
from .._problem.fitted import Fitted

Estimator = TypeVar("Estimator")


def take_fit(estimator: Any, fitted: Fitted) -> None:
    """Make an estimator fitted, at once for every thread that looks.

    What else has been set on it, a parameter in the meantime for example, stays.
    """
    attributes = fitted.attributes
    others = {n: v for n, v in vars(estimator).copy().items() if n not in attributes}
    own = {name: value for name, value in attributes.items() if value is not None}
    estimator.__dict__ = others | own | {"_fitted": fitted}


def copy_with_fit(estimator: Estimator, fitted: Fitted) -> Estimator:
    """Return a shallow copy that is fitted so."""
    twin = copy.copy(estimator)
    take_fit(twin, fitted)
    return twin


def remember_copies(value: Any, memo: dict[int, Any]) -> None:
    """Put the copies of all objects in a value into the memo of a ``copy.deepcopy``.

    Keras copies its losses, layers and optimizers by a configuration that leaves out arguments,
    such as the delta of Huber, and finds no class that is not registered with it. Others hold
    what nobody can copy: a progress bar, an open file, a lock. What has no copy is shared.
    """
    for part in _objects(value):
        if id(part) not in memo:
            if _is_by_configuration(part):
                memo[id(part)] = _rebuilt_or_shared(part)
            else:
                _copy_or_share(part, memo)


class Cloned:
    """A parameter for scikit-learn to clone, which is a copy as made here."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __sklearn_clone__(self) -> Any:
        memo: dict[int, Any] = {}
        remember_copies(self._value, memo)
        return copy.deepcopy(self._value, memo)


def holds_objects(value: Any) -> bool:
    """Say whether a parameter is or holds objects, other than those that scikit-learn clones."""
    objects = list(_objects(value))
    clonable = "get_params", "__sklearn_clone__"
    return bool(objects) and not any(hasattr(o, name) for o in objects for name in clonable)


def _objects(value: Any) -> Iterator[Any]:
    """Yield the instances of Python classes that a value is, or a list, tuple or dict holds."""
    if type(value) in (list, tuple, dict):
        for item in value.values() if type(value) is dict else value:
            yield from _objects(item)
    elif hasattr(value, "__dict__") and not isinstance(value, type | FunctionType):
        yield value


def _is_by_configuration(value: Any) -> bool:
    if not is_configured(value):
        return False
    keras = load_keras()
    return isinstance(value, keras.losses.Loss | keras.layers.Layer | keras.optimizers.Optimizer)


def _rebuilt_or_shared(part: Any) -> Any:
    described = describe_by_configuration(part)
    if described is None:
        return part
    name = {key: value for key, value in part.get_config().items() if key == "name"}
    return described.with_arguments(**name).build()


def _copy_or_share(value: Any, memo: dict[int, Any]) -> None:
    before = memo.copy()
    try:
        copy.deepcopy(value, memo)
    except Exception:  # of any kind, from whatever the object holds
        memo.clear()  # in place: deepcopy keeps objects alive under the id of the memo
        memo.update(before)
        memo[id(value)] = value
