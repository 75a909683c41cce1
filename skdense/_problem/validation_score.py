"""What early stopping watches, as a function from weights to a number."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from numbers import Real
from typing import Any

import numpy as np
from sklearn import config_context, get_config
from sklearn.metrics import check_scoring, get_scorer_names

from .._backend.warnings import warn_caller
from .._networks.forward import forward
from .._networks.network import are_finite
from .._training.task import Members
from .known_names import suggest_names
from .labels import Labels, show_labels
from .problem import Problem
from .rows import Rows

# What is watched without a scorer.
LOSSES = ("loss", "calibrated_loss")

_WITH_WEIGHTS = ", with the sample_weight that sample and class weights amount to"


def make_score(
    judge: Callable[[Members], Any], scoring: Any, problem: Problem
) -> Callable[[Members], float] | None:
    """Return the score of what is watched for weights of the networks in training.

    Of folds the mean over the rows of what each network gets for its own.

    Parameters
    ----------
    judge : callable
        From weights of its networks to an estimator that is fitted with them, and takes arrays
        without names.
    scoring
    problem : Problem

    Returns
    -------
    callable, or None where the validation loss is watched
        Raises ValueError if the scorer cannot judge this estimator.
    """
    require_known_scoring(scoring)
    if scoring in LOSSES or not problem.is_watched:
        return None
    scorer = check_scoring(judge(()), scoring)
    if problem.held_out is not None:
        return _score_of_rows(judge, scorer, scoring, problem.held_out, problem)
    scores = [_score_of_rows(judge, scorer, scoring, held, problem) for _, held in problem.folds]
    n_rows = [len(held) for _, held in problem.folds]

    def score(members: Members) -> float:
        own = [score((weights,)) for score, weights in zip(scores, members, strict=True)]
        return float(np.average(own, weights=n_rows))

    return score


def _score_of_rows(
    judge: Callable[[Members], Any], scorer: Any, scoring: Any, held_out: Rows, problem: Problem
) -> Callable[[Members], float]:
    labels, network = problem.labels, problem.network
    X, y, sample_weight = held_out.inputs, held_out.targets, held_out.weights
    advice = _advice_on_classes(labels, y)
    y = y if labels is None else labels.decode(y)
    keywords = {} if sample_weight is None else {"sample_weight": sample_weight}
    configuration = get_config()  # of this thread, while another one may train

    def score(members: Members) -> float:
        if not all(map(are_finite, members)):
            return nan  # a training that diverged is no fault of the scorer's
        estimator = judge(members)
        try:
            with config_context(**configuration):
                value = _scored(scorer, estimator, X, y, keywords)
        except Exception as error:
            if not all(np.isfinite(forward(network, own, X)).all() for own in members):
                return nan
            raise ValueError(
                f"scoring must judge a {type(estimator).__name__} on the validation rows"
                f"{_WITH_WEIGHTS if keywords else ''}. Got {scoring!r}, which failed: "
                f"{error}{advice}"
            ) from error
        if np.ndim(value) != 0 or not isinstance(value, Real | np.ndarray):
            raise ValueError(f"scoring must give one number. Got {value!r} from {scoring!r}.")
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
        f" (The validation rows lack the classes {show_labels(labels.values[missing])}. Use "
        "scoring='loss', or pass X_val and y_val that hold every class.)"
    )


def require_known_scoring(scoring: Any) -> None:
    """Raise ValueError for text that names no scorer."""
    names = get_scorer_names()
    if not isinstance(scoring, str) or scoring in LOSSES or scoring in names:
        return
    raise ValueError(
        "scoring must be 'loss', 'calibrated_loss', a name of sklearn.metrics.get_scorer_names(), "
        f"or a scorer. Got {scoring!r}.{suggest_names(scoring, [*LOSSES, *names])}"
    )
