"""What early stopping watches, as a function from weights to a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isnan, nan
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse
from scipy.sparse import hstack as sparse_hstack
from scipy.sparse import vstack as sparse_vstack
from sklearn import config_context, get_config
from sklearn.metrics import check_scoring, get_scorer_names

from .._backend.warnings import warn_caller
from .._networks.forward import forward
from .._networks.network import Weights, are_finite
from .._training.task import Members
from .fitted import Fitted
from .known_names import suggest_names
from .labels import show_labels
from .problem import Problem
from .rows import Rows
from .scored_fits import OutOfFoldFit, make_trial_fits

# What is watched without a scorer.
LOSSES = ("loss", "calibrated_loss")

_WITH_WEIGHTS = ", with the sample_weight that sample and class weights amount to"


def make_score(
    fit_with: Callable[[Fitted], Any], draft: Fitted, problem: Problem
) -> Callable[[Members], float] | None:
    """Return the score of what is watched for weights of the networks in training.

    Of folds, that of all rows together, for each of which the network of its fold predicts. The
    scorer is tried first, on predictions that are right: what cannot be is refused before training.

    Parameters
    ----------
    fit_with : callable
        From a fit to an estimator that has it.
    draft : Fitted
        What is known of the fit so far.
    problem : Problem

    Returns
    -------
    callable, or None where the validation loss is watched
        Raises ValueError if the scorer cannot judge this estimator.
    """
    scoring = problem.parameters["scoring"]
    require_known_scoring(scoring)
    if scoring in LOSSES or not problem.is_watched:
        return None
    score = _Score(fit_with, draft, problem)
    score.try_out()
    return score


class _Score:
    """The score of the validation rows for weights of the networks in training."""

    def __init__(self, fit_with: Callable[[Fitted], Any], draft: Fitted, problem: Problem) -> None:
        self._fit_with, self._problem = fit_with, problem
        self._scoring = problem.parameters["scoring"]
        self._held = [rows for _, rows in problem.folds]
        if problem.held_out is not None:
            self._held.append(problem.held_out)
        self._codes = np.concatenate([rows.targets for rows in self._held])
        labels = problem.labels
        self._y = self._codes if labels is None else labels.decode(self._codes)
        self._X = _number_folds([rows.inputs for rows in self._held])
        weights = [rows.weights for rows in self._held if rows.weights is not None]
        self._keywords: dict[str, Any] = {}
        if weights:
            self._keywords["sample_weight"] = np.concatenate(weights)
        # For the matrix that rows have become, which has no names.
        own = {"n_features": self._X.shape[1], "feature_names": None, "table": None}
        self._draft = OutOfFoldFit.of(draft, **own) if problem.folds else replace(draft, **own)
        self._configuration = get_config()  # of this thread, while another one may train
        self._scorer = check_scoring(fit_with(self._draft), self._scoring)

    def __call__(self, members: Members) -> float:
        if not all(map(are_finite, members)):
            return nan  # a training that diverged is no fault of the scorer's
        estimator = self._fit_with(replace(self._draft, members=members))
        try:
            return self._score(estimator)
        except ValueError as error:
            is_finite = all(
                np.isfinite(forward(self._problem.network, own, rows.inputs)).all()
                for own, rows in self._pair(members)
            )
            if error.__cause__ is None or is_finite:
                raise
            return nan

    def try_out(self) -> None:
        """Raise ValueError where the scorer fails for predictions that are right.

        Under early stopping also where it gives no number for them.
        """
        failures = []
        for trial in make_trial_fits(self._draft, self._problem, self._codes):
            try:
                score = self._score(self._fit_with(trial))
            except ValueError as error:
                failures.append(error)
                continue
            if not (isnan(score) and self._problem.parameters["early_stopping"]):
                return
            failures.append(
                ValueError(
                    "scoring must give a number on the validation rows. Got NaN from "
                    f"{self._scoring!r}, for predictions that are right.{self._advice}"
                )
            )
        # A list that still held one would be held in turn, by the frames of its traceback.
        del failures[1:]
        raise failures.pop()

    def _score(self, estimator: Any) -> float:
        try:
            with config_context(**self._configuration):
                value = _scored(self._scorer, estimator, self._X, self._y, self._keywords)
        except Exception as error:
            raise ValueError(
                f"scoring must judge a {type(estimator).__name__} on the validation rows"
                f"{_WITH_WEIGHTS if self._keywords else ''}. Got {self._scoring!r}, which failed: "
                f"{error}{self._advice}"
            ) from error
        if np.ndim(value) != 0 or not isinstance(value, Real | np.ndarray):
            raise ValueError(f"scoring must give one number. Got {value!r} from {self._scoring!r}.")
        return float(value)

    def _pair(self, members: Members) -> list[tuple[Weights, Rows]]:
        """Return who predicts for which rows."""
        if self._problem.folds:
            return list(zip(members, self._held, strict=True))
        return [(own, rows) for own in members for rows in self._held]

    @property
    def _advice(self) -> str:
        """What a scorer that fails may need: every class among the validation rows."""
        labels = self._problem.labels
        if labels is None or labels.is_multilabel:
            return " Set scoring='loss', or to a scorer that can."
        missing = np.setdiff1d(np.arange(len(labels.values)), self._codes)
        if not len(missing):
            return " Set scoring='loss', or to a scorer that can."
        return (
            f" (The validation rows lack the classes {show_labels(labels.values[missing])}.) Set "
            "scoring='loss', or pass X_val and y_val that hold every class."
        )


def _number_folds(parts: list[Any]) -> Any:
    """Return rows of several folds as one matrix, the last column of which says whose they are."""
    if len(parts) == 1:
        return parts[0]
    numbers = np.repeat(np.arange(len(parts)), [part.shape[0] for part in parts])
    column = numbers[:, np.newaxis].astype(parts[0].dtype)
    if any(map(issparse, parts)):
        return sparse_hstack([sparse_vstack(parts), csr_array(column)], format="csr")
    rows = np.empty((len(numbers), parts[0].shape[1] + 1), parts[0].dtype)
    np.concatenate(parts, out=rows[:, :-1])
    rows[:, -1:] = column
    return rows


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


def require_known_scoring(scoring: Any) -> None:
    """Raise ValueError for text that names no scorer."""
    names = get_scorer_names()
    if not isinstance(scoring, str) or scoring in LOSSES or scoring in names:
        return
    raise ValueError(
        "scoring must be 'loss', 'calibrated_loss', a name of sklearn.metrics.get_scorer_names(), "
        f"or a scorer. Got {scoring!r}.{suggest_names(scoring, [*LOSSES, *names])}"
    )
