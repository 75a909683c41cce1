"""A fitted estimator to a file, which holds data only."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from .._backend.descriptions import build, describe
from .._problem.fitted import Fitted
from .archive import write
from .field_checks import require_parameters
from .pickling import with_waiting
from .values import Array, UnknownKindError, encode
from .whole_checks import require_whole

_LIBRARIES = ("skdense", "scikit-learn", "tensorflow", "keras", "numpy")


def save_estimator(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write an estimator to a file; see ``KerasDenseBase.save``."""
    if type(estimator).__module__.partition(".")[0] != "skdense":
        raise TypeError(
            "save keeps the estimators of skdense, whose files hold no code. "
            f"Got an estimator of the class {type(estimator).__qualname__}. Pickle it."
        )
    arrays: list[Array] = []
    known = with_waiting(vars(estimator))  # not through the estimator, which would build objects
    parameters = {name: describe(known[name]) for name in signature(type(estimator)).parameters}
    fitted: Fitted | None = known.get("_fitted")
    if fitted is not None:  # of parameters as they were
        _encode_parameters(fitted.parameters, [], lambda n: build(fitted.parameters[n]))
    document = {
        "estimator": type(estimator).__name__,
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "parameters": _encode_parameters(parameters, arrays, partial(getattr, estimator)),
        "fitted": encode(fitted, arrays),
    }
    _require_loadable(type(estimator).__name__, parameters, fitted)
    write(Path(path), document, arrays)


def _require_loadable(kind: str, parameters: dict[str, Any], fitted: Fitted | None) -> None:
    """Raise ValueError for what loading would refuse, while there still is an estimator."""
    require_parameters(parameters, kind)
    try:
        if fitted is not None:
            require_whole(kind, fitted)
    except (LookupError, ValueError) as error:
        raise ValueError(
            "save keeps estimators with all that a finished fit leaves, as it leaves it. Got one "
            f"of which {error}. Fit it again."
        ) from error


def _encode_parameters(
    values: dict[str, Any], arrays: list[Array], shown: Callable[[str], Any]
) -> dict[str, Any]:
    """Return documents of parameters; TypeError names and shows those that no file holds."""
    documents, refused = {}, {}
    for name, value in values.items():
        try:
            documents[name] = encode(value, arrays)
        except UnknownKindError:
            refused[name] = shown(name)
    if refused:
        given = ", ".join(f"{name}={value!r}" for name, value in refused.items())
        raise TypeError(
            "save keeps numbers, strings and objects of Keras that its configuration describes, "
            f"no functions, callbacks or classes of your own. Got {given}. Use names that Keras "
            "knows and set what only training needs to None, or pickle the estimator."
        )
    return documents
