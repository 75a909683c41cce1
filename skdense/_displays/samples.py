"""Rows and columns of samples, whatever kind of table holds them, as they are to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_FEATURES_SHOWN = 8
_CHANNELS = 1, 3, 4


def require_image_shape(image_shape: Any, n_features: int) -> None:
    """Raise ValueError if rows of so many features are no images of this shape."""
    sides = image_shape if isinstance(image_shape, tuple | list) else ()
    is_image = len(sides) == 2 or (len(sides) == 3 and sides[2] in _CHANNELS)
    if not is_image or not all(isinstance(n, int | np.integer) and n > 0 for n in sides):
        raise ValueError(
            "image_shape must be (height, width), or (height, width, channels) with 1, 3 or 4 "
            f"channels. Got {image_shape!r}."
        )
    n_values = int(np.prod(sides))
    if n_values != n_features:
        raise ValueError(
            f"image_shape must have as many values as X has features, {n_features:,}. "
            f"Got {image_shape!r}, {n_values:,} values."
        )


def names_of(X: Any, feature_names: Sequence[Any] | None) -> list[Any]:
    """Return the name of each feature; a table's own may be of any kind."""
    n_features = X.shape[1]
    if feature_names is None:
        return list(getattr(X, "columns", range(n_features)))
    if len(feature_names) != n_features:
        raise ValueError(
            f"feature_names must name the {n_features} features of X. Got {len(feature_names)}."
        )
    return list(feature_names)


def column_numbers(features: Any, names: Sequence[Any]) -> list[int]:
    """Return the number of each feature that is asked for, by name or number."""
    if features is None:
        return list(range(min(len(names), _FEATURES_SHOWN)))
    asked = [features] if isinstance(features, str | int) else list(features)
    known: dict[Any, int] = {number: number for number in range(len(names))}
    known |= {name: number for number, name in reversed(list(enumerate(names)))}
    unknown = [feature for feature in asked if feature not in known]
    if unknown or not asked:
        raise ValueError(
            f"features must be names or numbers of some of the {len(names)} features. "
            f"Got {asked!r}{f', of which {unknown!r} are unknown' if unknown else ''}."
        )
    return [known[feature] for feature in asked]


def rows_of(X: Any, rows: Array) -> Array:
    """Return some rows as an array of numbers."""
    if issparse(X):
        return X.tocsr()[rows].toarray().astype(float)
    return np.asarray(X.iloc[rows] if hasattr(X, "iloc") else X[rows], dtype=float)


def columns_of(X: Any, numbers: list[int], names: Sequence[Any]) -> pd.DataFrame:
    """Return some columns as a table with these names."""
    import pandas as pd

    if hasattr(X, "iloc"):
        table = X.iloc[:, numbers]
    elif hasattr(X, "columns"):  # another library's table
        columns = {place: np.asarray(X[X.columns[n]]) for place, n in enumerate(numbers)}
        table = pd.DataFrame(columns)
    else:
        table = pd.DataFrame(X.tocsc()[:, numbers].toarray() if issparse(X) else X[:, numbers])
    return table.set_axis([str(names[number]) for number in numbers], axis=1)


def deviations(table: pd.DataFrame) -> Array:
    """Return by how many standard deviations each number is off its column's mean; 0 for text."""
    off = np.zeros(table.shape)
    for place, (_, column) in enumerate(table.items()):
        if column.dtype.kind in "iuf":
            numbers = column.to_numpy(dtype=float, na_value=np.nan)
            finite = numbers[np.isfinite(numbers)]
            if len(finite) and finite.std() > 0:
                off[:, place] = (numbers - finite.mean()) / finite.std()
    return np.nan_to_num(off)
