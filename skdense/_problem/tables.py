"""Tables as they are given, made matrices."""

from __future__ import annotations

import contextlib
import copy
from numbers import Integral
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .._tables.encoder import TableEncoder, find_categories, learn_table
from .._tables.reading import is_frame, order_columns, read_table, require_distinct_names
from .._tables.wide_integers import cast_wide_integers
from .collected import require_collected
from .data_checks import check_prediction_data
from .feature_types import warn_about_feature_types
from .given import Given
from .infinite import name_infinite_columns
from .precision import needs_float64

Array = NDArray[Any]


def takes_tables(estimator: Any) -> bool:
    """Say whether an estimator takes texts, categories and missing values."""
    return hasattr(estimator, "categorical_features")


def read_rows(
    estimator: Any, given: Given, known: TableEncoder | None, precision: str, *, reset: bool
) -> tuple[Array, TableEncoder]:
    """Return the matrix of rows to train on, or to watch, and what made it of a table.

    Parameters
    ----------
    estimator
        On which scikit-learn sets what describes X.
    given : Given
    known : TableEncoder or None
        What there is from rows before; None learns it from the rows of positive weight.
    precision : {"float32", "float64"}
    reset : bool
        Whether to set ``n_features_in_``, or to hold X against it.
    """
    name = f"X{given.suffix}"
    X = _checked(estimator, given.X, name, known, reset=reset)
    table = read_table(X, name)
    declared = estimator.categorical_features
    if known is None:
        is_category = find_categories(table, declared)
        weights = _read_weights(given.sample_weight, table.n_rows)
        known = learn_table(table, weights, is_category, **_read_limits(estimator))
        warn_about_feature_types(table, known, weights, are_declared=not isinstance(declared, str))
    else:
        _require_same_limits(_read_limits(estimator), known)
        if not isinstance(declared, str):
            _require_same_categories(find_categories(table, declared), known)
    if table.is_single or estimator.dtype != "auto" or not estimator.input_scaling:
        return known.encode(table, "float32" if table.is_single else precision, name), known
    matrix = known.encode(table, "float64", name)
    if precision == "float64" or needs_float64(matrix, known.n_plain):
        return matrix, known
    return matrix.astype(np.float32), known


def _require_same_categories(is_category: NDArray[np.bool_], known: TableEncoder) -> None:
    """Raise ValueError where training is to go on with other columns of categories."""
    before = [own.column for own in known.categories]
    now = np.flatnonzero(is_category).tolist()
    if now != before:
        raise ValueError(
            "warm_start and partial_fit go on with the fitted network and its columns of "
            f"categories, those of numbers {before}. Got categorical_features for {now}. Put them "
            "back, or fit with warm_start=False."
        )


def _read_limits(estimator: Any) -> dict[str, Any]:
    """Return which categories are infrequent, as numbers of Python's own."""
    least, most = estimator.min_frequency, estimator.max_categories
    return {
        "min_frequency": int(least) if isinstance(least, Integral) else float(least),
        "max_categories": None if most is None else int(most),
    }


def _require_same_limits(limits: dict[str, Any], known: TableEncoder) -> None:
    """Raise ValueError where training is to go on with other infrequent categories."""
    for name, now in limits.items():
        before = getattr(known, name)
        if now != before:
            raise ValueError(
                f"warm_start and partial_fit go on with the fitted network and its categories, "
                f"which were learned with {name}={before}. Got {name}={now}. Put it back, or fit "
                "with warm_start=False."
            )


def make_reader_of_matrix(estimator: Any, table: TableEncoder) -> Any:
    """Return a twin of an estimator that takes the matrix which tables become."""
    twin = copy.copy(estimator)
    twin.__dict__.pop("feature_names_in_", None)
    twin.n_features_in_ = table.width
    return twin


def read_rows_to_predict(estimator: Any, X: Any, table: TableEncoder | None) -> Any:
    """Return the rows to predict for, as the network takes them."""
    require_collected(X, "X", to_predict=True)
    if table is None:
        X = cast_wide_integers(X)
        try:  # a context manager here would add microseconds to the 120 of a single row
            return check_prediction_data(estimator, X)
        except ValueError:
            with name_infinite_columns(X, "X"):
                raise
    read = read_table(_checked(estimator, X, "X", table, reset=False), "X")
    matrix = table.encode(read, "float32" if read.is_single else "float64")
    with np.errstate(over="ignore", invalid="ignore"):  # of sums of huge numbers in it
        return check_array(matrix, input_name="X")


def _checked(estimator: Any, X: Any, name: str, known: TableEncoder | None, *, reset: bool) -> Any:
    """Return X after scikit-learn has looked at its columns, in the order of those of training.

    Where all columns are plain numbers their order has to be that of training, as everywhere in
    scikit-learn.
    """
    if issparse(X):
        raise TypeError(f"{name} must be dense. Got a sparse one. Pass {name}.toarray().")
    X = nw.to_native(X, pass_through=True)
    require_distinct_names(X, name)
    if not is_frame(X):
        # As objects, lest NumPy made texts of the numbers beside them.
        rows = np.array(X, object) if isinstance(X, list | tuple) else X
        X = check_array(rows, dtype=None, ensure_all_finite=False, input_name=name)
    elif known is not None and known.categories:
        X = order_columns(X, getattr(estimator, "feature_names_in_", None))
    validate_data(estimator, X, skip_check_array=True, reset=reset)
    return X


def _read_weights(sample_weight: Any, n_rows: int) -> Array | None:
    """Return the weights of rows; None for equal ones, or where they will be refused."""
    with contextlib.suppress(TypeError, ValueError):
        weights = np.asarray(sample_weight, np.float64)
        if weights.shape == (n_rows,) and np.isfinite(weights).all() and weights.max() > 0:
            return weights
    return None
