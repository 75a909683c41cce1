"""scikit-learn's own callbacks, from its release 1.9 on; nothing happens before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from .._backend.private_attributes import begin_callbacks, has_callbacks
from .._problem.fitted import Fitted, History
from .._problem.given import Given
from .._problem.warm_start import join_histories
from .._training.task import EpochListener

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

    Parameters
    ----------
    estimator
    n_epochs : int
        How many there will be at most.
    given : Given
    """

    def __init__(self, estimator: Any, n_epochs: int, given: Given) -> None:
        if has_callbacks(estimator) and estimator.n_estimators > 1:
            raise ValueError(
                "set_callbacks is for one network. Got n_estimators="
                f"{estimator.n_estimators}. Set n_estimators=1, or remove the callbacks."
            )
        self._estimator = estimator
        weights = given.sample_weight
        metadata = None if weights is None else {"sample_weight": weights}
        self._given = {"estimator": estimator, "X": given.X, "y": given.y, "metadata": metadata}
        self._context = begin_callbacks(estimator, n_epochs)
        if self._context is not None:
            self._context.call_on_fit_task_begin(**self._given)

    def listener(self, draft: Fitted) -> EpochListener | None:
        """Return what reports the epochs of a fit that is yet to train; None if nobody asks."""
        if self._context is None or not has_callbacks(self._estimator):
            return None
        return _ReportedEpochs(self, draft)

    def epoch_begins(self) -> Any:
        """Return the context of an epoch."""
        epoch = self._context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(**self._given)
        return epoch

    def ended(self, context: Any, fitted: Fitted) -> bool:
        """Report the end of an epoch, or of all; returns whether a callback wants to stop.

        Callbacks know the estimator by its identity, and are told what makes a copy of it fitted.
        """
        before = vars(self._estimator)
        attributes = {n: v for n, v in fitted.attributes.items() if v is not None or n in before}
        attributes["_fitted"] = fitted
        return context.call_on_fit_task_end(**self._given, reconstruction_attributes=attributes)

    def fit_ended(self, fitted: Fitted) -> None:
        if self._context is not None:
            self.ended(self._context, fitted)


class _ReportedEpochs:
    """Reports each epoch of a fit, see `EpochListener`."""

    def __init__(self, report: ReportedFit, draft: Fitted) -> None:
        self._report, self._draft = report, draft
        self._epoch: Any = None

    def epoch_begins(self) -> None:
        self._epoch = self._report.epoch_begins()

    def epoch_ended(self, weights: Any, history: History, best_epoch: int, engine: str) -> bool:
        fitted = replace(
            self._draft,
            members=(weights,),
            history=join_histories(self._draft.history, history),
            best_epoch=best_epoch,
            engine=engine,
        )
        return self._report.ended(self._epoch, fitted)
