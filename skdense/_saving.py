"""A fitted estimator to a file, which holds data only."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any

from ._archive import write
from ._document import Array, UnknownKindError, encoded
from ._pickling import attribute_names, described

# What training left, of what a file holds; each estimator has some of it.
FITTED = (
    "_class_weights",
    "_fit_parameters",
    "_labels",
    "_memory",
    "_network",
    "_target",
    "_weights",
    "best_epoch_",
    "classes_",
    "engine_",
    "feature_names_in_",
    "history_",
    "n_features_in_",
    "n_iter_",
    "n_outputs_",
    "validation_indices_",
)
_LIBRARIES = ("skdense", "scikit-learn", "tensorflow", "keras", "numpy")


def save_estimator(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write an estimator to a file; see ``KerasDenseBase.save``."""
    if type(estimator).__module__.partition(".")[0] != "skdense":
        raise TypeError(
            "save keeps KerasDenseClassifier and KerasDenseRegressor, whose files hold no code. "
            f"Got an estimator of the class {type(estimator).__qualname__}. Pickle it."
        )
    arrays: list[Array] = []
    parameters = _encoded(estimator.get_params(deep=False), arrays)
    names = attribute_names(vars(estimator))
    fitted = {name: getattr(estimator, name) for name in FITTED if name in names}
    document = {
        "estimator": type(estimator).__name__,
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "parameters": parameters,
        "fitted": _encoded(fitted, arrays),
    }
    write(Path(path), document, arrays)


def _encoded(values: dict[str, Any], arrays: list[Array]) -> dict[str, Any]:
    documents, refused = {}, {}
    for name, value in values.items():
        try:
            documents[name] = encoded(described(value), arrays)
        except UnknownKindError:
            refused[name] = value
    if refused:
        shown = ", ".join(f"{name}={value!r}" for name, value in refused.items())
        raise TypeError(
            "save keeps numbers, strings and objects of Keras that its configuration describes, "
            f"no functions, callbacks or classes of your own. Got {shown}. Use names that Keras "
            "knows and set what only training needs to None, or pickle the estimator."
        )
    return documents
