"""Frames and arrays, read column by column."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_COLUMNS_NAMED = 3


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table.

    Attributes
    ----------
    name
        Its name, or its number.
    values : ndarray of float32 or float64, or list
        Numbers, NaN where they are missing; or Python's objects as they are.
    is_category : bool
        Whether its dtype says that its values are categories, whatever they are.
    """

    name: Any
    values: Any
    is_category: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether its dtype is one of numbers."""
        return isinstance(self.values, np.ndarray)


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a table.

    Attributes
    ----------
    columns : list of Column
    n_rows : int
    """

    columns: list[Column]
    n_rows: int

    @property
    def is_single(self) -> bool:
        """Whether all its numbers are of float32."""
        kinds = {column.values.dtype for column in self.columns if column.is_numeric}
        return kinds == {np.dtype(np.float32)}


def is_frame(X: Any) -> bool:
    """Say whether data has named columns that narwhals reads."""
    return isinstance(_as_frame(X), nw.DataFrame)


def _as_frame(X: Any) -> Any:
    return nw.from_native(X, eager_only=True, pass_through=True)


def read_table(X: Any, name: str) -> Table:
    """Read a frame, or an array of two dimensions, that scikit-learn has looked at.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, n_features)
    name : str
        Of the argument, for messages.
    """
    frame = _as_frame(X)
    if isinstance(frame, nw.DataFrame):
        columns = [_read_series(series, name) for series in frame.iter_columns()]
        return Table(columns, len(frame))
    array = X if isinstance(X, np.ndarray) else _as_array(X)
    return Table([_read_column(n, own, name) for n, own in enumerate(array.T)], len(array))


def order_columns(X: Any, names: Array | None) -> Any:
    """Return a frame with its columns in the order of names, if it has just those."""
    frame = _as_frame(X)
    if names is None or not isinstance(frame, nw.DataFrame):
        return X
    own = frame.columns
    if own == list(names) or sorted(map(str, own)) != sorted(names):
        return X
    return frame.select(*names).to_native()


def require_distinct_names(X: Any, name: str) -> None:
    """Raise ValueError for a frame with columns of one name."""
    names = getattr(X, "column_names", getattr(X, "columns", ()))
    twice = [own for own, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"{name} must have columns of different names. Got more than one of "
            f"{', '.join(map(repr, twice[:_COLUMNS_NAMED]))}. Rename them."
        )


def _as_array(X: Any) -> Array:
    """Return rows of an array-like; of different kinds as the objects that they are."""
    array = np.asarray(X)
    return array if array.dtype.kind in "biuf" else np.array(X, dtype=object)


def _read_series(series: Any, name: str) -> Column:
    dtype = series.dtype
    if dtype.is_temporal():
        raise TypeError(
            f"{name} must be numbers, texts or categories. Got {dtype} in column "
            f"{series.name!r}. Turn dates into numbers first, such as the days since one of them."
        )
    if dtype.is_nested() or dtype == nw.Binary:
        raise _wrong_values(name, series.name, str(dtype))
    if dtype.is_numeric() and not _is_complex(series):
        kind = nw.Float32 if dtype in (nw.Float32,) else nw.Float64
        return Column(series.name, np.asarray(series.cast(kind).to_numpy(), _NUMPY[kind]))
    is_category = dtype in (nw.Categorical, nw.Enum)
    return Column(series.name, series.to_list(), is_category)


_NUMPY: dict[Any, type] = {nw.Float32: np.float32, nw.Float64: np.float64}


def _is_complex(series: Any) -> bool:
    return getattr(getattr(series.to_native(), "dtype", None), "kind", "") == "c"


def _read_column(number: int, values: Array, name: str) -> Column:
    if values.dtype.kind in "mM":
        raise TypeError(
            f"{name} must be numbers, texts or categories. Got {values.dtype}. Turn dates into "
            "numbers first, such as the days since one of them."
        )
    if values.dtype.kind == "f":
        dtype = np.float32 if values.dtype.itemsize <= np.float32().itemsize else np.float64
        return Column(number, values.astype(dtype, copy=False))
    if values.dtype.kind in "biu":
        return Column(number, values.astype(np.float64))
    return Column(number, values.tolist())


def _wrong_values(name: str, column: Any, kind: str) -> TypeError:
    return TypeError(
        f"{name} must have a number, a text, a boolean or nothing in each cell. Got {kind} in "
        f"column {column!r}. Leave it out, or make one of these of it."
    )
