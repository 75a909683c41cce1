"""An estimator in a pickle: of plain data, and of its class under a public name.

So it loads under another release of this package or of Keras, without loading Keras, and skops has
to trust nothing but the class. Keras objects are built when somebody reads them.
"""

from __future__ import annotations

import pickle
import reprlib
from collections.abc import Iterable
from typing import Any

from joblib import wrap_non_picklable_objects

from .._backend.descriptions import build, describe, is_described
from .records import from_plain, to_plain

# Where attributes wait that hold Keras objects, and in a pickle those that pickle by value only.
_STORED, _BY_VALUE = "_stored", "_by_value"
_PLAIN = frozenset({bool, float, int, str, type(None)})


def picklable_state(attributes: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what to pickle of an estimator.

    Parameters
    ----------
    attributes : dict of str to object
        Of which the fit may have functions of the user's, in its network and its parameters.
    names : iterable of str
        Of the constructor parameters, which may be anything.

    Raises
    ------
    pickle.PicklingError
        If one of them pickles neither by name nor by value.
    """
    state = with_waiting(attributes)
    stored, by_value = {}, {}
    for name in filter(state.__contains__, names):
        if type(state[name]) in _PLAIN:
            continue
        value = describe(state[name])
        if not _pickles(value):
            _require_picklable(name, value)
            by_value[name] = to_plain(value)
        elif is_described(value):
            stored[name] = to_plain(value)
    if "_fitted" in state:
        state["_fitted"] = fitted = to_plain(state["_fitted"])
        if not _pickles((fitted["network"], fitted["parameters"])):
            by_value["_fitted"] = fitted
    for name in (*stored, *by_value):
        del state[name]
    if stored:
        state[_STORED] = stored
    if by_value:
        # All in one, since what two attributes share is then shared again.
        state[_BY_VALUE] = wrap_non_picklable_objects(by_value, keep_wrapper=False)
    return state


def unpickled_state(state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that a pickled state stands for.

    Raises
    ------
    ValueError
        If it nests deeper than any that `picklable_state` returns, as a file from anybody may.
    """
    try:
        return _read_state(state.copy())
    except RecursionError as error:
        raise ValueError(
            "The state of a pickled estimator must be what this package has written. Got one "
            "that nests deeper than Python's recursion limit. Do not use this file."
        ) from error


def _read_state(state: dict[str, Any]) -> dict[str, Any]:
    by_value = from_plain(state.pop(_BY_VALUE, {}))
    stored = from_plain(state.pop(_STORED, {}))
    if "_fitted" in state:
        state["_fitted"] = from_plain(state["_fitted"])
    return state | waiting(stored | by_value)


def waiting(values: dict[str, Any]) -> dict[str, Any]:
    """Return attributes of described values, of which Keras objects wait until they are read."""
    stored = {name: value for name, value in values.items() if is_described(value)}
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
        value = build(waiting)
    except Exception as error:  # of Keras, of whatever kind
        raise ValueError(
            f"{name} must be what this release of Keras, or of the module that defines it, can "
            f"build. Got {reprlib.repr(waiting)}, which failed: {error} Use the release that it is "
            f"from, or set the attribute {name} to another."
        ) from error
    return attributes.setdefault(name, value)


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
