"""Which calibration a problem has: what training watches, and what is done after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._networks.stages import SortedQuantiles
from ..fitted import Fitted
from ..problem import Problem
from ..targets.numbers import RegressionTarget
from .held_out import compute_held_out
from .shifts import Shifts
from .shrinkage import Shrinkage
from .temperature import Temperature

Array = NDArray[Any]
Calibrate = Callable[[Fitted], Fitted]


class Calibration(Protocol):
    """What makes answers as sure as they are right, by rows held out."""

    def lose(self, outputs: Array) -> float:
        """Return the mean loss of (n_members, n_rows, n_units) once they are calibrated."""

    def find(self, outputs: Array, rows: Any = slice(None)) -> Calibrate:
        """Return what calibrates a fit with such outputs, by some of the rows that are held out.

        The outputs, before their activation, are of these rows: (n_members, n_rows, n_units).
        """


class Calibrations(NamedTuple):
    """What calibrates a fit, by all rows held out, and the fit for each fold by those of others."""

    by_all: Calibrate
    by_others: list[Calibrate]


def make_calibrated_loss(problem: Problem) -> Callable[[Sequence[Array]], float]:
    """Return the loss of what is held out after the best calibration, for training to watch.

    What then remains is what calibration cannot mend. Single networks are surer of themselves than
    their mean, by which the plain loss ends trainings too early (arXiv 2501.19195).
    """
    calibration = _choose_calibration(problem)
    return lambda outputs: calibration.lose(np.concatenate(outputs, axis=1))


def find_calibrations(fitted: Fitted, problem: Problem) -> Calibrations:
    """Return what calibrates this fit, or a later one, by the rows held out, where it is to be."""
    if not _ends_calibrated(problem):
        return Calibrations(_stay, [_stay] * len(problem.folds))
    calibration, outputs = _choose_calibration(problem), compute_held_out(fitted, problem)
    return Calibrations(
        calibration.find(outputs),
        cross_fit(calibration, outputs, [len(held) for _, held in problem.folds]),
    )


def cross_fit(calibration: Calibration, outputs: Array, sizes: list[int]) -> list[Calibrate]:
    """Return what calibrates the outputs of each fold, without a look at its own rows.

    Parameters
    ----------
    calibration : Calibration
    outputs : ndarray of shape (1, n_rows, n_units)
        Out of fold, of one fold after the other.
    sizes : list of int
        Rows of each fold.
    """
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    others = [np.flatnonzero(numbers != number) for number in range(len(sizes))]
    return [calibration.find(outputs[:, rows], rows) for rows in others]


def _stay(fitted: Fitted) -> Fitted:
    return fitted


def _ends_calibrated(problem: Problem) -> bool:
    """Say whether a fit ends calibrated: by a classifier's parameter, else by what is watched."""
    if "calibration" in problem.parameters:
        return problem.parameters["calibration"] is not None
    return problem.is_watched and problem.parameters["scoring"] == "calibrated_loss"


def _choose_calibration(problem: Problem) -> Calibration:
    if isinstance(problem.network.output, SortedQuantiles):
        return Shifts(problem)
    if isinstance(problem.target, RegressionTarget):
        return Shrinkage(problem)
    return Temperature(problem)
