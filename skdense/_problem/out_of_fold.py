"""Predictions of rows by the network that did not train on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .answers import compute_outputs
from .fitted import Fitted
from .folds import Fold
from .targets.numbers import RegressionTarget

Array = NDArray[Any]


def predict_out_of_fold(
    fitted: Fitted,
    folds: list[Fold],
    calibrations: list[Callable[[Fitted], Fitted]],
    n_samples: int,
) -> Array:
    """Return for each row of X what the network of its fold predicts; NaN where none held it out.

    Probabilities, numbers, or several quantiles: (n_samples,) or (n_samples, ...).

    Parameters
    ----------
    fitted : Fitted
        Before its calibration, which is fitted to the very rows.
    folds : list of Fold
    calibrations : list of callable
        What calibrates the network of each fold, without a look at the fold's rows.
    n_samples : int
    """
    predictions: Array | None = None
    for weights, (_, held), calibrate in zip(fitted.members, folds, calibrations, strict=True):
        own = _answer(calibrate(replace(fitted, members=(weights,))), held.inputs)
        if predictions is None:
            predictions = np.full((n_samples, *own.shape[1:]), np.nan, own.dtype)
        predictions[held.index] = own
    assert predictions is not None
    return predictions


def _answer(fitted: Fitted, X: Any) -> Array:
    target = fitted.target
    if isinstance(target, RegressionTarget):
        outputs = compute_outputs(fitted, X)
        has_several = len(target.quantiles) > 1
        return target.decode_quantiles(outputs) if has_several else target.decode(outputs)
    outputs = compute_outputs(fitted, X, activate=not target.answers_from_logits)
    return target.probabilities(outputs)
