"""Checks of data: shapes, weights, scale."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .._backend.warnings import warn_caller
from .sparse_indices import require_sound_indices

Array = NDArray[Any]

# Root mean square of a column from which training suffers. Standardised columns have 1, one-hot
# columns less; pixels of 0-255 have about 100, and a year or an income in dollars far more.
_LARGE_SCALE = 30.0
_ROWS_LOOKED_AT = 10_000
_COLUMNS_NAMED = 3

# Names of dtypes in lower case, of NumPy, pandas, Arrow, Polars and others.
_SINGLE = re.compile(r"float(16|32)|float\[")
_TIME = re.compile("date|time|duration|period")

BEYOND_FLOAT64 = "Got one beyond float64"

# How NumPy's message about a text begins, and how scikit-learn's about a missing value ends.
_NO_NUMBER = "could not convert string to"
_NO_MISSING = re.compile(r"Input X contains NaN\.")


class FeatureScaleWarning(UserWarning):
    """Input columns have a scale that networks learn badly from."""


def check_training_data(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    precision: str,
    *,
    reset: bool,
    suffix: str,
    **checks: Any,
) -> tuple[Any, Array]:
    """Validate X and y as scikit-learn does.

    Parameters
    ----------
    estimator
    X, y
    precision : {"float32", "float64"}
        What numbers of other dtypes become.
    reset : bool
        Whether to set ``n_features_in_``, or to hold X against it.
    suffix : str
        Of the arguments' names in messages about `X` of another kind.
    **checks
        Further arguments of ``sklearn.utils.validation.validate_data``.

    Returns
    -------
    X : ndarray or CSR array of shape (n_samples, n_features), float32 or float64
    y : ndarray
    """
    # What already is one of them stays, above all a memory map.
    dtypes = [np.float64, np.float32] if precision == "float64" else [np.float32, np.float64]
    require_no_dates(X, f"X{suffix}")
    X, y = require_sound_indices(X, f"X{suffix}"), require_sound_indices(y, f"y{suffix}")
    try:
        required = f"X{suffix} and y{suffix} must be arrays, X{suffix} of numbers."
        with _readable(required):
            X, y = validate_data(
                estimator, X, y, accept_sparse="csr", dtype=dtypes, order="C", reset=reset, **checks
            )
    except ValueError as error:
        advice = _advise_on_missing(estimator, error)
        if not suffix:
            raise advice from error.__cause__
        raise ValueError(f"X{suffix} and y{suffix} must be like X and y. {advice}") from error
    return X, y.toarray() if issparse(y) else y


def check_prediction_data(estimator: BaseEstimator, X: Any) -> Any:
    """Validate X against what the estimator was fitted on."""
    if isinstance(X, np.ndarray) and X.dtype in (np.float32, np.float64):
        return _validated(estimator, X)  # at once, as often for a single row
    require_no_dates(X, "X")
    X = require_sound_indices(X, "X")
    with _readable("X must be an array of numbers."):
        return _validated(estimator, X)


def _validated(estimator: BaseEstimator, X: Any) -> Any:
    dtypes = [np.float64, np.float32]
    try:
        # NumPy warns of sums of huge numbers, by which scikit-learn looks for infinite ones.
        with np.errstate(over="ignore", invalid="ignore"):
            return validate_data(estimator, X, accept_sparse="csr", dtype=dtypes, reset=False)
    except ValueError as error:
        raise _advise_on_missing(estimator, error) from error.__cause__


def _advise_on_missing(estimator: BaseEstimator, error: ValueError) -> ValueError:
    """Return an error that recommends our estimator of tables in place of scikit-learn's own."""
    found = _NO_MISSING.match(str(error))
    if not found:
        return error
    kind = "Classifier" if is_classifier(estimator) else "Regressor"
    is_table = hasattr(estimator, "categorical_features")  # but made from a Keras model
    use = "Put" if is_table else f"Use KerasTabular{kind}, which does, or put"
    return ValueError(
        f"{found.group()} {type(estimator).__name__} takes no missing values. {use} a "
        "sklearn.impute.SimpleImputer before it in a pipeline."
    )


@contextlib.contextmanager
def _readable(required: str) -> Iterator[None]:
    """Name what NumPy cannot turn into numbers; what is too large for them comes as infinity."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except OverflowError as error:
        raise ValueError(f"{required} {BEYOND_FLOAT64}: {error}") from error
    except TypeError as error:
        raise TypeError(f"{required} {error}") from error
    except ValueError as error:
        if not str(error).startswith(_NO_NUMBER):
            raise
        raise ValueError(
            f"{required} Got text: {error}. Encode it, by OneHotEncoder in a ColumnTransformer, "
            "or use KerasTabularClassifier or KerasTabularRegressor, which take tables as they are."
        ) from error


def require_no_dates(data: Any, name: str) -> None:
    """Raise TypeError for dates and times, which NumPy takes for numbers or cannot subtract."""
    if isinstance(data, np.ndarray) and data.dtype.kind not in "mM":
        return  # as in each prediction for a few rows
    names = _dtype_names(data) | _value_dtype_names(data)
    dates = [dtype for dtype in sorted(names) if _TIME.match(dtype)]
    if dates:
        raise TypeError(
            f"{name} must be numbers. Got {', '.join(dates)}. Turn dates into numbers first, such "
            "as the days since one of them."
        )


def is_single(X: Any) -> bool:
    """Return whether data holds numbers of float32, or shorter ones, by its own dtypes."""
    if isinstance(X, list | tuple) and len(X):
        X = np.asarray(X[0])
    return all(map(_SINGLE.search, _dtype_names(X)))


def _dtype_names(data: Any) -> set[str]:
    dtypes = getattr(data, "dtypes", ()) if hasattr(data, "columns") else ()
    return {str(dtype).lower() for dtype in dtypes} or {str(getattr(data, "dtype", "")).lower()}


def _value_dtype_names(data: Any) -> set[str]:
    """Return dtypes of the values that categories stand for, and of the columns of Arrow.

    NumPy takes dates for numbers there too.
    """
    if hasattr(data, "column_names"):
        dtypes = [getattr(dtype, "value_type", dtype) for dtype in data.schema.types]
    else:
        columns = getattr(data, "dtypes", ()) if hasattr(data, "columns") else ()
        found: list[Any] = [getattr(dtype, "categories", None) for dtype in columns]
        dtypes = [categories.dtype for categories in found if hasattr(categories, "dtype")]
    return {str(dtype).lower() for dtype in dtypes}


def check_numbers(y: Array, name: str) -> Array:
    """Return targets as numbers: texts and objects are read as such.

    Raises
    ------
    ValueError
        If they are no finite numbers.
    """
    if y.dtype.kind in "OSU":
        try:
            y = np.reshape([_as_real(value) for value in y.ravel().tolist()], y.shape)
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"{name} must be numbers. Got {y.dtype}: {error}") from error
        check_array(y, ensure_2d=False, input_name=name)
    if y.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numbers. Got {y.dtype}.")
    return y


def _as_real(value: Any) -> float:
    if isinstance(value, complex | np.complexfloating):
        raise ValueError(f"{value!r} is complex")
    return float(value)


def check_weights(sample_weight: Any, X: Any, suffix: str = "") -> Array | None:
    """Return sample weights, (n_samples,) in float64; a number counts for every row.

    Raises
    ------
    ValueError
        For another shape or length, NaN, infinite or negative weights, or only zeros.
    """
    if sample_weight is None:
        return None
    name = f"sample_weight{suffix}"
    if isinstance(sample_weight, Real):
        sample_weight = np.full(X.shape[0], sample_weight)
    require_no_dates(sample_weight, name)
    with _readable(f"{name} must be numbers."):
        weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name=name)
    if weights.ndim != 1:
        raise ValueError(f"{name} must be a 1-D array. Got shape {weights.shape}.")
    if len(weights) != X.shape[0]:
        raise ValueError(
            f"{name} must have one value for each of the {X.shape[0]} rows of X{suffix}. Got "
            f"{len(weights)}."
        )
    if weights.min() < 0:
        raise ValueError(f"{name} must not be negative. Got {weights.min()}.")
    if weights.max() == 0:
        raise ValueError(f"{name} must have a positive value. Got only zeros.")
    return weights


def cast(array: Any, dtype: str, name: str) -> Any:
    """Return an array in the compute dtype; too large a number for it is an error.

    A memory map stays as it is: training converts its rows as it reads them.
    """
    if array.dtype == dtype or _is_memory_map(array):
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        return check_array(array, accept_sparse="csr", dtype=np.dtype(dtype).type, input_name=name)


def _is_memory_map(array: Any) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def warn_about_scale(X: Any, names: Any) -> None:
    """Warn once, naming the worst columns, if inputs are far from a scale of 1."""
    scale = _root_mean_square(X[:: max(1, X.shape[0] // _ROWS_LOOKED_AT)])
    worst = np.argsort(-scale)[:_COLUMNS_NAMED]
    worst = worst[scale[worst] > _LARGE_SCALE]
    if not len(worst):
        return
    labels = [f"{i}" if names is None else repr(str(names[i])) for i in worst]
    shown = ", ".join(f"{label} ({scale[i]:.3g})" for label, i in zip(labels, worst, strict=True))
    warn_caller(
        f"Networks learn from inputs of a scale near 1. Got {int((scale > _LARGE_SCALE).sum())} "
        f"column(s) of a root mean square above {_LARGE_SCALE:g}, the largest: {shown}. Put a "
        "sklearn.preprocessing.StandardScaler before the estimator, or divide pixels by 255.",
        FeatureScaleWarning,
    )


def _root_mean_square(X: Any) -> Array:
    if issparse(X):
        return np.sqrt(np.asarray(X.multiply(X).mean(axis=0)).ravel())
    return np.sqrt(np.einsum("ij,ij->j", X, X, dtype=np.float64) / X.shape[0])
