"""Constructor parameters by themselves: what each may be."""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

import numpy as np

# The table of constraints is scikit-learn's mechanism for its own estimators, kept private
# there; its messages are the ones users know. Imported here and nowhere else.
from sklearn.utils._param_validation import (
    Interval,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)

_NON_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_LARGEST_FLOAT = int(np.finfo(np.float64).max)
LARGEST_COUNT = int(np.iinfo(np.int64).max)
_COUNT = Interval(Integral, 1, LARGEST_COUNT, closed="both")

CONSTRAINTS: dict[str, list[Any]] = {
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "min_frequency": [_COUNT, Interval(RealNotInt, 0, 1, closed="neither")],
    "max_categories": [_COUNT, None],
    "units": [_COUNT, "array-like"],
    # Beyond it, layers fill memory as Python objects, before anything counts their weights.
    "depth": [Interval(Integral, 0, 10_000, closed="both"), None],
    "activation": [str, callable, "array-like"],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "batch_normalization": ["boolean"],
    "input_scaling": [StrOptions({"robust"}), None],
    "numeric_embedding": [StrOptions({"piecewise_linear", "periodic"}), None],
    "embedding_units": [_COUNT],
    "n_bins": [_COUNT],
    "learned_scale": ["boolean"],
    "n_estimators": [_COUNT],
    "kernel_initializer": [str, callable],
    "l1": [_NON_NEGATIVE],
    "l2": [_NON_NEGATIVE],
    "output_activation": [str, callable],
    "loss": [str, callable],
    "quantiles": [Interval(Real, 0, 1, closed="neither"), "array-like", None],
    "metrics": [str, callable, "array-like", None],
    "optimizer": [str, object],
    "learning_rate": [_POSITIVE, callable, StrOptions({"auto"}), None],
    "learning_rate_schedule": [StrOptions({"auto", "cosine", "cosine_cycles"}), None],
    "weight_decay": [_NON_NEGATIVE, None],
    "clipnorm": [_POSITIVE, None],
    "batch_size": [StrOptions({"auto"}), _COUNT],
    "epochs": [_COUNT, StrOptions({"auto"})],
    "shuffle": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither"), StrOptions({"folds"}), None],
    "scoring": [str, callable, None],
    "patience": [_COUNT, None],
    "min_delta": [_NON_NEGATIVE],
    "refit_full": ["boolean"],
    "standardize_target": ["boolean"],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "calibration": [StrOptions({"temperature"}), None],
    "warm_start": ["boolean"],
    "callbacks": [object],
    "dtype": [StrOptions({"auto", "float32", "float64"})],
    "verbose": [Interval(Integral, 0, 2, closed="both")],
    "random_state": ["random_state"],
    "engine": [StrOptions({"auto", "compiled", "keras"})],
}


def check_parameters(estimator: Any) -> dict[str, Any]:
    """Return an estimator's parameters; scikit-learn's error for one out of its domain.

    As attributes, since the constructor of a subclass may take more, fewer or other parameters.
    """
    parameters = {n: getattr(estimator, n) for n in CONSTRAINTS if hasattr(estimator, n)}
    require_domains(parameters, type(estimator).__name__)
    return parameters


def require_domains(parameters: dict[str, Any], owner: str) -> None:
    """Raise scikit-learn's error for a parameter, of an estimator's class, out of its domain."""
    for name, value in parameters.items():
        is_exact = isinstance(value, int | Fraction)
        if is_exact and not -_LARGEST_FLOAT <= value <= _LARGEST_FLOAT:
            raise ValueError(
                f"The {name!r} parameter of {owner} must be a number that "
                "float64 can hold. Got one beyond 1e308."
            )
    validate_parameter_constraints(CONSTRAINTS, parameters, owner)


def as_float(value: Any) -> float:
    """Return a number as a float, infinite where it is too large for one; NaN for no number."""
    try:
        return float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def require_hashable(name: str, value: Any) -> None:
    """Raise ValueError for what cannot be part of a compiled program's key."""
    try:
        hash(value)
    except TypeError as error:
        raise ValueError(
            f"{name} must be hashable, as compiled programs are kept by it. Got {value!r}: "
            f"{error}. Use a function, or a dataclass with frozen=True."
        ) from error
