"""Fits as a scorer sees them, of which not all networks predict for all rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from .._networks.forward import forward
from .fitted import Fitted
from .problem import Problem
from .targets.numbers import RegressionTarget
from .targets.outputs import as_output

Array = NDArray[Any]

# The logit of a class that is as good as sure.
_SURE = 10.0


@dataclass(frozen=True, eq=False)
class ScoredFit(Fitted, ABC):
    """A fit that computes outputs in its own way."""

    @classmethod
    def of(cls, fitted: Fitted, **changes: Any) -> Self:
        """Return a fit like another one, with some fields changed."""
        values = {one.name: getattr(fitted, one.name) for one in fields(Fitted)}
        return cls(**values | changes)

    @abstractmethod
    def compute_outputs(self, X: Any, *, activate: bool) -> Array:
        """Return outputs, see `skdense._problem.answers.compute_outputs`."""


class OutOfFoldFit(ScoredFit):
    """A fit whose networks predict each for its own fold, which the last column of X numbers."""

    def compute_outputs(self, X: Any, *, activate: bool) -> Array:
        last = X[:, [-1]]
        folds = np.asarray(last if isinstance(X, np.ndarray) else last.toarray()).ravel()
        outputs = np.empty((X.shape[0], self.network.n_outputs), X.dtype)
        for fold in np.unique(folds):
            held = np.flatnonzero(folds == fold)
            weights = self.members[int(fold)]
            own = forward(self.network, weights, X[held][:, :-1], activate=activate)
            outputs[held] = own
        return outputs


@dataclass(frozen=True, eq=False)
class TrialFit(ScoredFit):
    """A fit whose outputs are known, before training.

    Attributes
    ----------
    before_activation, outputs : ndarray of shape (n_samples, n_units)
        Of the rows that are scored, in their order; those of other rows are any of these.
    """

    before_activation: Array = field(default_factory=lambda: np.empty((0, 0)))
    outputs: Array = field(default_factory=lambda: np.empty((0, 0)))

    def compute_outputs(self, X: Any, *, activate: bool) -> Array:
        known = self.outputs if activate else self.before_activation
        return np.resize(known, (X.shape[0], known.shape[1]))


def make_trial_fits(fitted: Fitted, problem: Problem, y: Array) -> Iterator[TrialFit]:
    """Yield fits that predict what is best for a scorer: y itself, and of numbers their mean.

    A deviance takes no prediction of 0, of which y may be.

    Parameters
    ----------
    fitted : Fitted
    problem : Problem
    y : ndarray of shape (n_samples,) or (n_samples, n_columns)
        Codes of classes, labels, or numbers.
    """
    zeros = {
        "members": tuple(
            tuple(
                {name: np.zeros(spec.shape, problem.dtype) for name, spec in stage.items()}
                for stage in problem.network.weight_specs
            )
            for _ in range(problem.n_members)
        )
    }
    target = problem.target
    if isinstance(target, RegressionTarget):
        # Without the rounding of their standardization, which may make a 0 negative.
        plain = replace(target, mean=np.zeros(target.n_targets), scale=np.ones(target.n_targets))
        columns = y.reshape(len(y), -1).astype(np.float64)
        for predicted in (columns, np.broadcast_to(columns.mean(axis=0), columns.shape)):
            n_each = problem.network.n_outputs // target.n_targets
            outputs = np.repeat(predicted, n_each, axis=1)
            yield TrialFit.of(
                fitted, target=plain, before_activation=outputs, outputs=outputs, **zeros
            )
        return
    logits, outputs = _say_classes(problem, y)
    yield TrialFit.of(fitted, before_activation=logits, outputs=outputs, **zeros)


def _say_classes(problem: Problem, codes: Array) -> tuple[Array, Array]:
    """Return outputs that are sure of these classes or labels, before and after activation."""
    target: Any = problem.target
    if codes.ndim == 2:
        indicators = codes
    else:
        has_one_unit = problem.network.n_outputs == 1
        indicators = codes[:, np.newaxis] if has_one_unit else np.eye(target.n_units)[codes]
    logits = np.where(indicators > 0, _SURE, -_SURE)
    if target.decides_on_logits:
        return logits, problem.network.output.forward(logits.copy(), {})  # in place
    if target.link == "log-probabilities":
        outputs = log_softmax(logits, axis=1)
    else:
        outputs = as_output(target.link, indicators.astype(np.float64))
    return outputs, outputs
