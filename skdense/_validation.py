"""Checks of data: shapes, weights, scale."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ._warnings import warn_caller

Array = NDArray[Any]

# Root mean square of a column from which training suffers. Standardised columns have 1, one-hot
# columns less; pixels of 0-255 have about 100, and a year or an income in dollars far more.
_LARGE_SCALE = 30.0
_ROWS_LOOKED_AT = 10_000
_COLUMNS_NAMED = 3


class FeatureScaleWarning(UserWarning):
    """Input columns have a scale that networks learn badly from."""


@contextlib.contextmanager
def unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Put the estimator's attributes back if what follows fails or is interrupted."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def check_training_data(
    estimator: BaseEstimator, X: Any, y: Any, dtype: str, *, reset: bool, suffix: str, **checks: Any
) -> tuple[Any, Array]:
    """Validate X and y as scikit-learn does.

    Parameters
    ----------
    estimator
    X, y
    dtype : {"auto", "float32", "float64"}
        The estimator's parameter.
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
    # Other dtypes become the first; what already is one of them stays, above all a memory map.
    dtypes = [np.float64, np.float32] if dtype == "float64" else [np.float32, np.float64]
    try:
        X, y = validate_data(
            estimator, X, y, accept_sparse="csr", dtype=dtypes, order="C", reset=reset, **checks
        )
    except ValueError as error:
        if not suffix:
            raise
        raise ValueError(f"X{suffix} and y{suffix} must be like X and y. {error}") from error
    return X, y.toarray() if issparse(y) else y


def check_prediction_data(estimator: BaseEstimator, X: Any) -> Any:
    """Validate X against what the estimator was fitted on."""
    return validate_data(
        estimator, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False
    )


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
