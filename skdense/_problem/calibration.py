"""Answers that are as sure as they are right, on rows held out.

Of classes by one temperature, of quantiles by a shift of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from .._networks.forward import forward
from .._networks.network import Weights
from .._networks.stages import SortedQuantiles, Stage
from .fitted import Fitted
from .problem import Problem
from .quantile_shifts import find_shifts, lose_shifted, shift_quantiles
from .targets.classes import ClassTarget
from .targets.numbers import RegressionTarget

Array = NDArray[Any]

# The logarithm of the lowest temperature that is tried, the highest one for logits that are not
# above it, and how close to come to the logarithm of the best one.
_COLDEST, _HOTTEST = -4.0, 50.0
_PRECISION, _ROUGH_PRECISION = 1e-5, 1e-2
_TINY = np.finfo(np.float64).tiny


def require_calibratable(problem: Problem) -> None:
    """Raise ValueError where there are no rows to calibrate on, or nothing to calibrate."""
    if not problem.is_watched:
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


def find_calibration(fitted: Fitted, problem: Problem) -> Callable[[Fitted], Fitted]:
    """Return what calibrates this fit, or a later one, by the rows held out, where it is to be."""
    if problem.parameters.get("calibration") is not None:
        return partial(cool, temperature=find_temperature(fitted, problem))
    if watches_shifted_quantiles(problem):
        held, output = _HeldOut.of(problem), problem.network.output
        quantiles = output.forward(_compute_held_out(fitted, problem), {})
        shifts = find_shifts(held.y, quantiles, held.weights, np.array(held.target.quantiles))
        _, scale = held.target.units_of_outputs
        return partial(shift_quantiles, shifts=shifts.ravel() * scale)
    return lambda fitted: fitted


def watches_shifted_quantiles(problem: Problem) -> bool:
    """Say whether quantiles are watched as they are once they are shifted."""
    is_calibrated = problem.is_watched and problem.parameters["scoring"] == "calibrated_loss"
    return is_calibrated and isinstance(problem.network.output, SortedQuantiles)


def find_temperature(fitted: Fitted, problem: Problem) -> float:
    """Return what to divide logits by for the least loss on the rows held out.

    As in Guo et al., On calibration of modern neural networks (arXiv 1706.04599). Of folds each
    network answers for its own rows; of rows that all hold out, their mean does. One row more, as
    likely of any class, is counted in, lest few rows that are all told apart make all too sure.
    """
    logits = _compute_held_out(fitted, problem)
    return _minimize_loss(_HeldOut.of(problem), logits, _PRECISION)[0]


def _compute_held_out(fitted: Fitted, problem: Problem) -> Array:
    """Return what goes into the output's activation, (n_members, n_rows, n_units), of all rows.

    Of folds each network answers for its own.
    """
    parts = [(fitted.members, problem.held_out)]
    if problem.folds:
        held = [rows for _, rows in problem.folds]
        parts = [((own,), rows) for own, rows in zip(fitted.members, held, strict=True)]
    logits = [_logits_of(fitted, own, rows.inputs) for own, rows in parts if rows is not None]
    return np.concatenate(logits, axis=1)


def make_calibrated_loss(problem: Problem) -> Callable[[Sequence[Array]], float]:
    """Return the loss of what is held out after the best calibration, for training to watch.

    What then remains is what calibration cannot mend: of classes the log-loss by the best
    temperature, of numbers the squared error of predictions drawn toward their mean, as far as
    that helps, of quantiles the loss once each is shifted to cover as much as it says. Single
    networks are surer of themselves than their mean, by which the plain loss ends trainings too
    early (arXiv 2501.19195).
    """
    held = _HeldOut.of(problem)
    if watches_shifted_quantiles(problem):
        return _make_shifted_loss(problem, held)
    if isinstance(problem.target, RegressionTarget):
        return partial(_lose_shrunk, held, problem.network.output)
    _require_logits(problem)

    def loss(logits: Sequence[Array]) -> float:
        together = np.concatenate(logits, axis=1)
        is_finite = np.isfinite(together).all()
        return _minimize_loss(held, together, _ROUGH_PRECISION)[1] if is_finite else nan

    return loss


def _make_shifted_loss(problem: Problem, held: _HeldOut) -> Callable[[Sequence[Array]], float]:
    output, levels = problem.network.output, np.array(held.target.quantiles)
    if output.function != "linear":
        raise ValueError(
            "scoring='calibrated_loss' shifts quantiles, which a linear output allows. Got "
            f"output_activation={problem.head.activation!r}. Set scoring='loss'."
        )

    def loss(outputs: Sequence[Array]) -> float:
        quantiles = output.forward(np.concatenate(outputs, axis=1), {})
        return lose_shifted(held.y, quantiles, held.weights, levels)

    return loss


class _HeldOut(NamedTuple):
    """What is known of the rows that are held out, of one fold after the other."""

    target: Any
    y: Array
    weights: Array

    @classmethod
    def of(cls, problem: Problem) -> _HeldOut:
        parts = [rows for _, rows in problem.folds]
        if problem.held_out is not None:
            parts.append(problem.held_out)
        parts = [rows.weighing(rows.mean_weight()) for rows in parts]
        each = [np.ones(len(rows)) if rows.weights is None else rows.weights for rows in parts]
        y = np.concatenate([rows.targets for rows in parts])
        if isinstance(problem.target, RegressionTarget):
            y = problem.target.encode(y, "y_val")
        return cls(problem.target, y, np.concatenate(each))


def _minimize_loss(held: _HeldOut, logits: Array, precision: float) -> tuple[float, float]:
    """Return the best temperature for (members, rows, outputs), and the mean loss by it."""

    def loss(logarithm: float) -> float:
        losses, of_any_class = _lose(held, logits / np.exp(logarithm))
        total = held.weights @ losses + held.weights @ of_any_class / len(losses)
        return float(total / (held.weights.sum() * (1 + 1 / len(losses))))

    hottest = np.log(max(_HOTTEST, np.abs(logits).max()))
    options = {"xatol": precision}
    found = minimize_scalar(loss, bounds=(_COLDEST, hottest), method="bounded", options=options)
    return float(np.exp(found.x)), float(found.fun)


def _lose(held: _HeldOut, logits: Array) -> tuple[Array, Array]:
    """Return the loss of each row, and the one if all classes were as likely."""
    mean = logits[0] if len(logits) == 1 else held.target.average(logits)
    if isinstance(held.target, ClassTarget):
        of_classes = held.target.log_probabilities(mean)
        return -of_classes[np.arange(len(mean)), held.y], -of_classes.mean(axis=1)
    yes, no = held.target.log_probabilities(mean), held.target.log_probabilities(-mean)
    return -np.where(held.y > 0, yes, no).mean(axis=1), -(yes + no).mean(axis=1) / 2


def _lose_shrunk(held: _HeldOut, output: Stage, logits: Sequence[Array]) -> float:
    """Return the mean squared error of outputs that are drawn toward their mean, if that helps."""
    outputs = output.forward(np.concatenate(logits, axis=1), {}).mean(axis=0)
    weights = held.weights
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mean = np.average(outputs, axis=0, weights=weights)
        outputs, y = outputs - mean, held.y - mean
        slopes = (weights @ (outputs * y)) / np.maximum(weights @ outputs**2, _TINY)
        errors = np.average((y - np.clip(slopes, 0, 1) * outputs) ** 2, axis=0, weights=weights)
    return float(errors.mean())


def cool(fitted: Fitted, temperature: float) -> Fitted:
    """Return a fit whose logits are divided by a temperature, in its last dense layer."""
    members = tuple(_divide(own, temperature) for own in fitted.members)
    return replace(fitted, members=members, temperature=temperature)


def _divide(weights: Weights, temperature: float) -> Weights:
    last = weights[-1]
    divisor = last["kernel"].dtype.type(temperature)
    return (*weights[:-1], {name: np.divide(array, divisor) for name, array in last.items()})


def _logits_of(fitted: Fitted, members: tuple[Weights, ...], X: Any) -> Array:
    """Return logits of each network, (n_members, n_rows, n_units)."""
    logits = [forward(fitted.network, own, X, activate=False) for own in members]
    return np.stack(logits).astype(np.float64)
