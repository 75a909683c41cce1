"""What is known of the rows that are held out, and what networks answer for them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._networks.forward import forward
from ..._networks.network import Weights
from ..fitted import Fitted
from ..problem import Problem
from ..targets.numbers import RegressionTarget

Array = NDArray[Any]


class HeldOut(NamedTuple):
    """Targets and weights of the rows that are held out, of one fold after the other."""

    y: Array
    weights: Array

    def at(self, rows: Any) -> HeldOut:
        """Return some of the rows."""
        return HeldOut(self.y[rows], self.weights[rows])

    @classmethod
    def of(cls, problem: Problem) -> HeldOut:
        parts = [rows for _, rows in problem.folds]
        if problem.held_out is not None:
            parts.append(problem.held_out)
        parts = [rows.weighing(rows.mean_weight()) for rows in parts]
        each = [np.ones(len(rows)) if rows.weights is None else rows.weights for rows in parts]
        y = np.concatenate([rows.targets for rows in parts])
        if isinstance(problem.target, RegressionTarget):
            y = problem.target.encode(y, "y_val")
        return cls(y, np.concatenate(each))


def compute_held_out(fitted: Fitted, problem: Problem) -> Array:
    """Return what goes into the output's activation, (n_members, n_rows, n_units), of all rows.

    Of folds each network answers for its own.
    """
    parts = [(fitted.members, problem.held_out)]
    if problem.folds:
        held = [rows for _, rows in problem.folds]
        parts = [((own,), rows) for own, rows in zip(fitted.members, held, strict=True)]
    outputs = [_compute(fitted, own, rows.inputs) for own, rows in parts if rows is not None]
    return np.concatenate(outputs, axis=1)


def _compute(fitted: Fitted, members: tuple[Weights, ...], X: Any) -> Array:
    outputs = [forward(fitted.network, own, X, activate=False) for own in members]
    return np.stack(outputs).astype(np.float64)
