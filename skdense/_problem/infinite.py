"""Infinite numbers in X that scikit-learn's checks find, named by their column."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from .._tables.encoder import as_numbers
from .._tables.finite import describe_infinity
from .._tables.reading import is_frame, read_table
from .data_checks import BEYOND_FLOAT64

Array = NDArray[Any]

_MESSAGE = re.compile(r"Input X\w* contains infinity or a value too large for dtype\('(\w+)'\)\.$")
_ROWS_AT_ONCE = 10_000


@contextlib.contextmanager
def name_infinite_columns(X: Any, argument: str, names: Array | None = None) -> Iterator[None]:
    """Add to scikit-learn's message about an infinite number of X where it is.

    Parameters
    ----------
    X : DataFrame, ndarray or sparse array
    argument : str
        What messages call it.
    names : ndarray of str or None
        Of the columns, if X has lost them.
    """
    try:
        yield
    except ValueError as error:
        found = _MESSAGE.search(str(error))
        if not found and BEYOND_FLOAT64 not in str(error):
            raise
        dtype = found[1] if found else "float64"
        place = _find_infinite(X, argument, dtype)  # raises for integers beyond float64
        if place is None:
            raise
        row, column = place
        column = column if names is None else names[column]
        what_to_do = "Clip it, or drop such rows."
        message = describe_infinity(argument, column, row, dtype, what_to_do)
        raise ValueError(message) from None


def _find_infinite(X: Any, argument: str, dtype: str) -> tuple[int, Any] | None:
    """Return the row and the column of an infinite number, or one that a cast makes infinite."""
    if issparse(X):
        X = X.tocoo()
        at = np.flatnonzero(_is_infinite(X.data, dtype))
        return (int(X.row[at[0]]), int(X.col[at[0]])) if len(at) else None
    X = X if is_frame(X) else np.asarray(X)
    if not isinstance(X, np.ndarray) or X.dtype == object:
        for column in read_table(X, argument).columns:
            at = np.flatnonzero(_is_infinite(as_numbers(column, argument), dtype))
            if len(at):
                return int(at[0]), column.name
        return None
    for start in range(0, len(X), _ROWS_AT_ONCE):
        rows, columns = np.nonzero(_is_infinite(X[start : start + _ROWS_AT_ONCE], dtype))
        if len(rows):
            return start + int(rows[0]), int(columns[0])
    return None


def _is_infinite(numbers: Array, dtype: str) -> NDArray[np.bool_]:
    with np.errstate(over="ignore"):
        return np.isinf(numbers.astype(dtype, copy=False))
