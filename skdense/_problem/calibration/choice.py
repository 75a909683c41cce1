"""Which calibration a problem has: what training watches, and what is done after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._networks.stages import SortedQuantiles
from ..fitted import Fitted
from ..problem import Problem
from ..targets.numbers import RegressionTarget
from .shifts import Shifts
from .shrinkage import Shrinkage
from .temperature import Temperature, require_logits

Array = NDArray[Any]


class Calibration(Protocol):
    """What makes answers as sure as they are right, by rows held out."""

    def lose(self, outputs: Array) -> float:
        """Return the mean loss of (n_members, n_rows, n_units) once they are calibrated."""

    def find(self, fitted: Fitted) -> Callable[[Fitted], Fitted]:
        """Return what calibrates this fit, or one like it."""


def require_calibratable(problem: Problem) -> None:
    """Raise ValueError where there are no rows to calibrate on, or nothing to calibrate."""
    if not problem.is_watched:
        raise ValueError(
            "calibration='temperature' needs rows that are held out. Got validation_fraction=None "
            "and no X_val. Set one of them, or early_stopping=True."
        )
    require_logits(problem)


def make_calibrated_loss(problem: Problem) -> Callable[[Sequence[Array]], float]:
    """Return the loss of what is held out after the best calibration, for training to watch.

    What then remains is what calibration cannot mend. Single networks are surer of themselves than
    their mean, by which the plain loss ends trainings too early (arXiv 2501.19195).
    """
    calibration = _choose_calibration(problem)
    return lambda outputs: calibration.lose(np.concatenate(outputs, axis=1))


def find_calibration(fitted: Fitted, problem: Problem) -> Callable[[Fitted], Fitted]:
    """Return what calibrates this fit, or a later one, by the rows held out, where it is to be."""
    if not _ends_calibrated(problem):
        return lambda fitted: fitted
    return _choose_calibration(problem).find(fitted)


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
