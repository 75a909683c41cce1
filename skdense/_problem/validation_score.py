"""What early stopping watches, as a function from weights to a number."""

from __future__ import annotations

import copy
from collections.abc import Callable
from math import nan
from numbers import Real
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring, get_scorer_names

from .._backend.warnings import warn_caller
from .._networks.network import Weights, are_finite
from .known_names import did_you_mean
from .labels import Labels, shown
from .rows import Rows

_WITH_WEIGHTS = ", with the sample_weight that sample and class weights amount to"


def watched_score(estimator: Any, held_out: Rows | None) -> Callable[[Weights], float] | None:
    """Return the score of held-out rows for weights of the network in training.

    Parameters
    ----------
    estimator
        With all fitted attributes but the weights at the latest when the score is called.
    held_out : Rows or None

    Returns
    -------
    callable, or None where the validation loss is watched
        Raises ValueError if the scorer cannot judge this estimator.
    """
    require_known_scoring(estimator.scoring)
    if held_out is None or estimator.scoring == "loss":
        return None
    scorer = check_scoring(estimator, estimator.scoring)
    X, y, sample_weight = held_out.inputs, held_out.targets, held_out.weights
    advice = _advice_on_classes(estimator._labels, y)
    if estimator._labels is not None:
        y = estimator._labels.decode(y)
    keywords = {} if sample_weight is None else {"sample_weight": sample_weight}
    judged: list[Any] = []

    def score(weights: Weights) -> float:
        if not are_finite(weights):  # a diverged training, which is no fault of the scorer's
            return nan
        if not judged:
            judged.append(_copy_without_names(estimator))
        judged[0]._weights = weights
        try:
            value = _scored(scorer, judged[0], X, y, keywords)
        except Exception as error:
            if not np.isfinite(judged[0]._outputs(X)).all():
                return nan
            raise ValueError(
                f"scoring must judge a {type(estimator).__name__} on the validation rows"
                f"{_WITH_WEIGHTS if keywords else ''}. Got {estimator.scoring!r}, which failed: "
                f"{error}{advice}"
            ) from error
        if np.ndim(value) != 0 or not isinstance(value, Real | np.ndarray):
            raise ValueError(
                f"scoring must give one number. Got {value!r} from {estimator.scoring!r}."
            )
        return float(value)

    return score


def _scored(scorer: Any, estimator: Any, X: Any, y: Any, keywords: dict[str, Any]) -> Any:
    """Return a score; of a scorer that takes no weights without them, which a warning says once."""
    try:
        return scorer(estimator, X, y, **keywords)
    except TypeError as error:
        if not keywords or "sample_weight" not in str(error):
            raise
    keywords.clear()
    warn_caller(
        f"scoring={estimator.scoring!r} takes no sample_weight, so the validation rows count alike "
        "in early stopping, whatever sample and class weights say."
    )
    return scorer(estimator, X, y)


def _advice_on_classes(labels: Labels | None, codes: Any) -> str:
    """Return what a scorer that fails may need: every class among the validation rows."""
    if labels is None or labels.is_multilabel:
        return ""
    missing = np.setdiff1d(np.arange(len(labels.values)), codes)
    if not len(missing):
        return ""
    return (
        f" (The validation rows lack the classes {shown(labels.values[missing])}. Use "
        "scoring='loss', or pass X_val and y_val that hold every class.)"
    )


def require_known_scoring(scoring: Any) -> None:
    """Raise ValueError for text that names no scorer."""
    names = get_scorer_names()
    if not isinstance(scoring, str) or scoring == "loss" or scoring in names:
        return
    raise ValueError(
        "scoring must be 'loss', a name of sklearn.metrics.get_scorer_names(), or a scorer. Got "
        f"{scoring!r}.{did_you_mean(scoring, names)}"
    )


def _copy_without_names(estimator: Any) -> Any:
    """Return a shallow copy that takes validated arrays, which have lost their names."""
    judged = copy.copy(estimator)
    vars(judged).pop("feature_names_in_", None)
    return judged
