"""An estimator in a pickle: Keras objects as configuration, built when somebody reads them.

So that unpickling loads no Keras, and works under another release of it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from joblib import wrap_non_picklable_objects

from .._backend.keras_objects import KerasObject, configuration, is_of_keras

# Where attributes wait that hold Keras objects, and in a pickle those that pickle by value only.
_STORED, _BY_VALUE = "_stored", "_by_value"


@dataclass(frozen=True)
class _Pickled:
    """An object of Keras that no configuration describes: a callback, a function."""

    content: bytes

    def build(self) -> Any:
        return pickle.loads(self.content)  # noqa: S301 - part of a pickle that is being loaded


def picklable_state(attributes: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what to pickle of an estimator.

    Parameters
    ----------
    attributes : dict of str to object
    names : iterable of str
        Of those that may hold anything: constructor parameters, and then what is made of them.

    Raises
    ------
    pickle.PicklingError
        If one of them pickles neither by name nor by value.
    """
    state = with_waiting(attributes)
    stored, by_value = {}, {}
    for name in names:
        if name not in state:
            continue
        value = described(state[name])
        if not _pickles(value):
            _require_picklable(name, value)
            by_value[name] = value
        elif _waits(value):
            stored[name] = value
    for name in (*stored, *by_value):
        del state[name]
    if stored:
        state[_STORED] = stored
    if by_value:
        # All in one, since what two attributes share is then shared again.
        state[_BY_VALUE] = wrap_non_picklable_objects(by_value, keep_wrapper=False)
    return state


def unpickled_state(state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that a pickled state stands for."""
    state = state.copy()
    by_value = state.pop(_BY_VALUE, {})
    stored = state.pop(_STORED, {})
    return state | waiting(stored | by_value)


def described(value: Any) -> Any:
    """Return a value with configurations in place of its Keras objects; itself without any."""
    return _mapped(value, _described)


def waiting(values: dict[str, Any]) -> dict[str, Any]:
    """Return attributes of described values, of which Keras objects wait until they are read."""
    stored = {name: value for name, value in values.items() if _waits(value)}
    plain = {name: value for name, value in values.items() if name not in stored}
    return plain | ({_STORED: stored} if stored else {})


def with_waiting(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return all attributes, those that wait as their descriptions."""
    found = {**attributes.get(_STORED, {}), **attributes}  # what was read since wins
    found.pop(_STORED, None)
    return found


def waits(attributes: dict[str, Any], name: str) -> bool:
    """Say whether an attribute of this name waits."""
    return name in attributes.get(_STORED, ())


def read_stored(attributes: dict[str, Any], name: str) -> Any:
    """Build an attribute that waits, and keep it."""
    waiting = attributes[_STORED][name]
    try:
        built = _mapped(waiting, _built)
    except Exception as error:  # of Keras, of whatever kind
        raise ValueError(
            f"{name} must be what this release of Keras, or of the module that defines it, can "
            f"build. Got {waiting!r:.300}, which failed: {error} Use the release that it is from, "
            f"or set the attribute {name} to another."
        ) from error
    return attributes.setdefault(name, built)


def _mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to a value, or to what a list, tuple or dict holds; the same if all is."""
    if type(value) in (list, tuple):
        items = [_mapped(item, function) for item in value]
        is_same = all(new is old for new, old in zip(items, value, strict=True))
        return value if is_same else type(value)(items)
    if type(value) is dict:
        found = {key: _mapped(item, function) for key, item in value.items()}
        return value if all(found[key] is value[key] for key in value) else found
    return function(value)


def _described(value: Any) -> Any:
    if hasattr(value, "get_config") and not isinstance(value, type):
        return configuration(value) or value
    if is_of_keras(value):
        try:
            return _Pickled(pickle.dumps(value))
        except Exception:  # as it is then, for whoever pickles the whole
            return value
    return value


def _waits(value: Any) -> bool:
    return _mapped(value, lambda item: None if _is_stored(item) else item) is not value


def _is_stored(value: Any) -> bool:
    return isinstance(value, KerasObject | _Pickled)


def _built(value: Any) -> Any:
    return value.build() if _is_stored(value) else value


def _pickles(value: Any) -> bool:
    try:
        pickle.dumps(value)
    except Exception:
        return False
    return True


def _require_picklable(name: str, value: Any) -> None:
    try:
        pickle.dumps(wrap_non_picklable_objects(value, keep_wrapper=False))
    except Exception as error:
        raise pickle.PicklingError(
            f"{name} must be something that pickles. Got {value!r}: {error}. Use a function or a "
            "class defined in a module, without open files or locks."
        ) from error
