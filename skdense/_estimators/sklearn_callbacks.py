"""scikit-learn's own callbacks, from its release 1.9 on; nothing happens before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .._problem.warm_start import joined

try:
    from sklearn import callback as sklearn_callback
except ImportError:
    sklearn_callback = None

Method = TypeVar("Method", bound=Callable[..., Any])


def with_callbacks(method: Method) -> Method:
    """Have scikit-learn take down its callbacks after a fit, however that ends."""
    decorated: Method = sklearn_callback.with_callbacks(method) if sklearn_callback else method
    return decorated


class ReportedFit:
    """Tells scikit-learn's callbacks of a fit, and of each of its epochs as a subtask.

    The context of a fit is documented for other libraries as ``_init_callback_context``.

    Parameters
    ----------
    estimator
    n_epochs : int
        How many there will be at most.
    X, y, sample_weight
        As given to `fit`.
    """

    def __init__(self, estimator: Any, n_epochs: int, X: Any, y: Any, sample_weight: Any) -> None:
        self._estimator = self._twin = estimator
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fit: Any = None
        self._epoch: Any = None
        self._history: dict[str, list[float]] = {}
        if hasattr(estimator, "_init_callback_context"):
            self._fit = estimator._init_callback_context(max_subtasks=n_epochs)
            self._fit.call_on_fit_task_begin(**self._given)

    @property
    def listener(self) -> ReportedFit | None:
        """Itself if anybody listens, which scikit-learn keeps in a private attribute."""
        return self if self._fit and getattr(self._estimator, "_skl_callbacks", ()) else None

    def epoch_begins(self) -> None:
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._given)

    def is_of(self, twin: Any) -> None:
        """Take note of the copy of the estimator that is being fitted in its place.

        Callbacks know the estimator by its identity, and are told what the copy has otherwise.
        """
        self._twin = twin

    def _reconstruction(self) -> dict[str, Any]:
        """Return what makes a copy of the estimator one of its twin; None for what that lacks."""
        old, new = vars(self._estimator), vars(self._twin)
        lacking = dict.fromkeys(old.keys() - new.keys())
        return lacking | {n: v for n, v in new.items() if n not in old or v is not old[n]}

    def goes_on_from(self, history: dict[str, list[float]]) -> None:
        """Take note of the history that this fit adds to."""
        self._history = history

    def epoch_ended(
        self, weights: Any, history: dict[str, list[float]], best_epoch: int, engine: str
    ) -> bool:
        """Report the end of an epoch; returns whether a callback wants to stop."""
        history = joined(self._history, history)
        fitted = self._reconstruction() | {
            "_weights": weights,
            "history_": history,
            "n_iter_": len(history["loss"]),
            "best_epoch_": best_epoch,
            "engine_": engine,
        }
        return self._epoch.call_on_fit_task_end(**self._given, reconstruction_attributes=fitted)

    def fit_ended(self) -> None:
        if self._fit is not None:
            fitted = self._reconstruction()
            self._fit.call_on_fit_task_end(**self._given, reconstruction_attributes=fitted)
