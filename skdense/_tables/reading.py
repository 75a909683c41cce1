"""Frames and arrays, read column by column."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from .categories import floats_with_gaps
from .named_categories import name_categories
from .wide_integers import is_wide

Array = NDArray[Any]

_COLUMNS_NAMED = 3


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table, as it came.

    Attributes
    ----------
    name
        Its name, or its number.
    source : narwhals Series or ndarray of shape (n_rows,)
    is_numeric : bool
        Whether its dtype is one of numbers.
    is_category : bool
        Whether its dtype says that its values are categories, whatever they are.
    """

    name: Any
    source: Any
    is_numeric: bool
    is_category: bool = False

    @property
    def is_single(self) -> bool:
        """Whether its numbers are of float32, or shorter."""
        dtype = self.source.dtype
        if isinstance(self.source, np.ndarray):
            return bool(dtype.kind == "f" and dtype.itemsize <= np.float32().itemsize)
        return bool(dtype == nw.Float32)

    @property
    def is_int64(self) -> bool:
        """Whether its values are integers that int64 holds, whatever they are."""
        dtype = self.source.dtype
        if isinstance(self.source, np.ndarray):
            return bool(dtype.kind in "iu" and dtype != np.uint64)
        return dtype in (nw.Int8, nw.Int16, nw.Int32, nw.Int64, nw.UInt8, nw.UInt16, nw.UInt32)

    def numbers(self) -> Array:
        """Return the numbers of a numeric column in float32 or float64, NaN where missing."""
        dtype = np.float32 if self.is_single else np.float64
        if isinstance(self.source, np.ndarray):
            return self.source.astype(dtype, copy=False)
        if is_wide(self.source.dtype):
            return floats_with_gaps(self.source.to_list(), dtype)
        if self.source.dtype.is_integer() and not self.source.null_count():
            return np.asarray(self.source.to_numpy()).astype(dtype)
        if self.source.dtype.is_integer():  # which Arrow casts only where no digit is lost
            numbers = np.asarray(self.source.fill_null(0).to_numpy()).astype(dtype)
            numbers[np.asarray(self.source.is_null().to_numpy(), bool)] = np.nan
            return numbers
        kind = nw.Float32 if self.is_single else nw.Float64
        values = np.asarray(self.source.cast(kind).to_numpy())
        if values.dtype == object:  # Arrow's numbers with gaps, in pandas 2.0
            return floats_with_gaps(values.tolist(), dtype)
        return values.astype(dtype, copy=False)

    def objects(self) -> list[Any]:
        """Return the values as Python's own objects."""
        source = self.source
        values: list[Any] = source.tolist() if isinstance(source, np.ndarray) else source.to_list()
        return values


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
        return {column.is_single for column in self.columns if column.is_numeric} == {True}


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
    own, wanted = frame.columns, names.tolist()
    if own == wanted or set(own) != set(wanted):
        return X
    return frame.select(*wanted).to_native()


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
    is_numeric = dtype.is_numeric() and not _is_complex(series)
    is_category = dtype in (nw.Categorical, nw.Enum)
    series = name_categories(series) if is_category else series
    return Column(series.name, series, is_numeric, is_category)


def _is_complex(series: Any) -> bool:
    return getattr(getattr(series.to_native(), "dtype", None), "kind", "") == "c"


def _read_column(number: int, values: Array, name: str) -> Column:
    if values.dtype.kind in "mM":
        raise TypeError(
            f"{name} must be numbers, texts or categories. Got {values.dtype}. Turn dates into "
            "numbers first, such as the days since one of them."
        )
    return Column(number, values, values.dtype.kind in "iuf")


def _wrong_values(name: str, column: Any, kind: str) -> TypeError:
    return TypeError(
        f"{name} must have a number, a text, a boolean or nothing in each cell. Got {kind} in "
        f"column {column!r}. Leave it out, or make one of these of it."
    )
