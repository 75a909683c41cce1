"""Temperature scaling: probabilities that are as sure as they are right, on rows held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from .._networks.forward import forward
from .._networks.network import Weights
from .fitted import Fitted
from .problem import Problem
from .rows import Rows
from .targets.classes import ClassTarget
from .targets.numbers import RegressionTarget

Array = NDArray[Any]

# Logarithms of the temperatures that are tried, and how close to come to the best of them.
_BOUNDS = (-4.0, 4.0)
_PRECISION, _ROUGH_PRECISION = 1e-5, 1e-2
_TINY = np.finfo(np.float64).tiny


def require_calibratable(problem: Problem) -> None:
    """Raise ValueError where there are no rows to calibrate on, or nothing to calibrate."""
    if not (problem.folds or problem.held_out):
        raise ValueError(
            "calibration='temperature' needs rows that are held out. Got validation_fraction=None "
            "and no X_val. Set one of them, or early_stopping=True."
        )
    _require_logits(problem)


def _require_logits(problem: Problem) -> None:
    if not problem.target.decides_on_logits:
        raise ValueError(
            "A calibration divides logits, of an output_activation 'softmax' or "
            f"'sigmoid', or of a loss from_logits. Got {problem.head.activation!r}. Leave it at "
            "'auto', or set calibration=None and scoring='loss'."
        )


def find_temperature(fitted: Fitted, problem: Problem) -> float:
    """Return what to divide logits by for the least loss on the rows held out.

    As in Guo et al., On calibration of modern neural networks (arXiv 1706.04599). Of folds each
    network answers for its own rows; of rows that all hold out, their mean does. One row more, as
    likely of any class, is counted in, lest few rows that are all told apart make all too sure.
    """
    parts = [(fitted.members, problem.held_out)]
    if problem.folds:
        held = [rows for _, rows in problem.folds]
        parts = [((own,), rows) for own, rows in zip(fitted.members, held, strict=True)]
    answers = [_logits_of(fitted, members, rows) for members, rows in parts if rows is not None]
    return _minimize_loss(fitted.target, answers, _PRECISION)[0]


def make_calibrated_loss(problem: Problem) -> Callable[[Sequence[Array]], float]:
    """Return the loss of what is held out after the best calibration, for training to watch.

    What then remains is what calibration cannot mend: of classes the log-loss by the best
    temperature, of numbers the squared error of the best linear function of the predictions.
    Single networks are surer of themselves than their mean, by which the plain loss ends
    trainings too early (arXiv 2501.19195).
    """
    held = [rows for _, rows in problem.folds]
    if problem.held_out is not None:
        held.append(problem.held_out)
    target = problem.target
    if isinstance(target, RegressionTarget):
        return partial(_unexplained, problem, held)
    _require_logits(problem)

    def loss(logits: Sequence[Array]) -> float:
        if not all(np.isfinite(own).all() for own in logits):
            return nan
        answers = list(zip(logits, held, strict=True))
        return _minimize_loss(target, answers, _ROUGH_PRECISION)[1]

    return loss


def _minimize_loss(
    target: Any, answers: list[tuple[Array, Rows]], precision: float
) -> tuple[float, float]:
    """Return the best temperature, and the mean loss by it."""
    n_rows = sum(len(rows) for _, rows in answers)

    def loss(logarithm: float) -> float:
        sums = [_sum_loss(target, logits / np.exp(logarithm), rows) for logits, rows in answers]
        total, of_any_class, weight = np.sum(sums, axis=0)
        return float((total + of_any_class / n_rows) / weight)

    options = {"xatol": precision}
    found = minimize_scalar(loss, bounds=_BOUNDS, method="bounded", options=options)
    return float(np.exp(found.x)), float(found.fun)


def _unexplained(problem: Problem, held: list[Rows], logits: Sequence[Array]) -> float:
    """Return the mean squared error of the best linear function of each output."""
    activate = problem.network.output.forward
    outputs = np.concatenate([activate(own.copy(), {}).mean(axis=0) for own in logits])
    y = np.concatenate([problem.target.encode(rows.targets, "y_val") for rows in held])
    each = [np.ones(len(rows)) if rows.weights is None else rows.weights for rows in held]
    weights = np.concatenate(each)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        outputs, y = (
            numbers - np.average(numbers, axis=0, weights=weights) for numbers in (outputs, y)
        )
        slopes = (weights @ (outputs * y)) / np.maximum(weights @ outputs**2, _TINY)
        errors = np.average((y - slopes * outputs) ** 2, axis=0, weights=weights)
    return float(errors.mean())


def cool(fitted: Fitted, temperature: float) -> Fitted:
    """Return a fit whose logits are divided by a temperature, in its last dense layer."""
    members = tuple(_divide(own, temperature) for own in fitted.members)
    return replace(fitted, members=members, temperature=temperature)


def _divide(weights: Weights, temperature: float) -> Weights:
    last = weights[-1]
    divisor = last["kernel"].dtype.type(temperature)
    return (*weights[:-1], {name: np.divide(array, divisor) for name, array in last.items()})


def _logits_of(fitted: Fitted, members: tuple[Weights, ...], rows: Rows) -> tuple[Array, Rows]:
    """Return logits of each network, (n_members, n_rows, n_units), and the rows."""
    X = rows.inputs
    logits = [forward(fitted.network, own, X, activate=False) for own in members]
    return np.stack(logits).astype(np.float64), rows


def _sum_loss(target: Any, logits: Array, rows: Rows) -> tuple[float, float, float]:
    """Return the weighted sum of losses, the one if all classes were as likely, and of weights."""
    mean = logits[0] if len(logits) == 1 else target.average(logits)
    y = rows.targets
    weights = np.ones(len(y)) if rows.weights is None else rows.weights
    if isinstance(target, ClassTarget):
        of_classes = target.log_probabilities(mean)
        losses, of_any = -of_classes[np.arange(len(y)), y], -of_classes.mean(axis=1)
    else:
        yes, no = target.log_probabilities(mean), target.log_probabilities(-mean)
        losses = -np.where(y > 0, yes, no).mean(axis=1)
        of_any = -(yes + no).mean(axis=1) / 2
    return float(weights @ losses), float(weights @ of_any), float(weights.sum())
