"""What early stopping watches, as a function from weights to a number."""

from __future__ import annotations

import copy
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring, get_scorer_names

from ._network import Weights
from ._parameters import did_you_mean
from ._rows import Rows

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
    _require_known(estimator.scoring)
    if held_out is None or estimator.scoring == "loss":
        return None
    scorer = check_scoring(estimator, estimator.scoring)
    X, y, sample_weight = held_out.inputs, held_out.targets, held_out.weights
    if estimator._labels is not None:
        y = estimator._labels.decode(y)
    keywords = {} if sample_weight is None else {"sample_weight": sample_weight}
    judged: list[Any] = []

    def score(weights: Weights) -> float:
        if not judged:
            judged.append(_copy_without_names(estimator))
        judged[0]._weights = weights
        try:
            value = scorer(judged[0], X, y, **keywords)
        except Exception as error:
            raise ValueError(
                f"scoring must judge a {type(estimator).__name__} on the validation rows"
                f"{_WITH_WEIGHTS if keywords else ''}. Got {estimator.scoring!r}, which failed: "
                f"{error}"
            ) from error
        if np.ndim(value) != 0 or not isinstance(value, Real | np.ndarray):
            raise ValueError(
                f"scoring must give one number. Got {value!r} from {estimator.scoring!r}."
            )
        return float(value)

    return score


def _require_known(scoring: Any) -> None:
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
