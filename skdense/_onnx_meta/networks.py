"""The fitted networks within a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._estimators.base import KerasDenseBase
from .._problem.fitted import Fitted


def find_networks(model: Any) -> Iterator[Any]:
    """Yield every fitted estimator of this package in a model, itself included."""
    return _find_networks(model, set())


def needs_float64(model: Any) -> bool:
    """Whether float32 cannot hold the predictions of one of its regressors."""
    return any(network._fitted.target.needs_float64 for network in find_networks(model))


def _find_networks(value: Any, seen: set[int]) -> Iterator[Any]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, KerasDenseBase):
        if isinstance(getattr(value, "_fitted", None), Fitted):
            yield value
        return
    for inner in _inner_values(value):
        yield from _find_networks(inner, seen)


def _inner_values(value: Any) -> list[Any]:
    if isinstance(value, list | tuple | set):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, np.ndarray) and value.dtype == object:
        return value.ravel().tolist()
    # The calibrated classifiers of CalibratedClassifierCV are no estimators.
    if isinstance(value, BaseEstimator) or type(value).__module__ == "sklearn.calibration":
        return list(vars(value).values())
    return []
